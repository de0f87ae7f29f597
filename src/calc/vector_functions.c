// SPDX-License-Identifier: Apache-2.0
/* The functions that take columns (vectors_priv.h): each is a few loops (vector_loops.h) over the
 * rows of a batch, of the types that its arguments have.  False: the answer does not fit in one
 * column, or there is no memory. */
#include <math.h>

#include "base/assert.h"
#include "calc/calc_priv.h"
#include "calc/vector_loops.h"
#include "calc/vectors_priv.h"

enum { ROWS = SKEP_CALC_ROWS };

typedef struct skep_calc_vec vec;
typedef struct skep_calc__run run;

// --- columns -----------------------------------------------------------------------------------

static void *room(const run *r, size_t size)
{
    return skep_arena_try_alloc(r->scratch, ROWS * size);
}

static bool is_number(const vec *v)
{
    return v->type == SKEP_TYPE_INT || v->type == SKEP_TYPE_DOUBLE;
}

/* Numbers, or nothing, which counts as 0. */
static bool counts(const vec *v)
{
    return is_number(v) || v->type == SKEP_TYPE_NULL;
}

static const uint8_t *presence(const run *r, const vec *v)
{
    if (v->type == SKEP_TYPE_NULL)
        return r->of->none;
    return v->present ? v->present : r->of->all;
}

/* Numbers as doubles, 0 where there is none; NULL: no memory. */
static const double *reals(const run *r, const vec *v)
{
    static const double zeros[ROWS];
    if (v->type == SKEP_TYPE_NULL)
        return zeros;
    if (v->type == SKEP_TYPE_DOUBLE && !v->present)
        return v->doubles;
    double *out = room(r, sizeof *out);
    if (out && v->type == SKEP_TYPE_DOUBLE)
        skep_calc__present_reals(v->doubles, v->present, r->n, out);
    else if (out)
        skep_calc__reals_of(v->ints, presence(r, v), r->n, out);
    return out;
}

static const int64_t *ints(const run *r, const vec *v)
{
    static const int64_t zeros[ROWS];
    if (v->type == SKEP_TYPE_NULL)
        return zeros;
    if (!v->present)
        return v->ints;
    int64_t *out = room(r, sizeof *out);
    if (out)
        skep_calc__present_ints(v->ints, v->present, r->n, out);
    return out;
}

/* Which rows are true. */
static uint8_t *truth(const run *r, const vec *v)
{
    uint8_t *out = room(r, 1);
    if (!out || v->type == SKEP_TYPE_STRING || v->type == SKEP_TYPE_COUNT)
        return NULL;
    memcpy(out, presence(r, v), r->n);
    if (v->type == SKEP_TYPE_BOOL)
        skep_calc__both(out, v->bools, r->n);
    else if (v->type == SKEP_TYPE_INT)
        skep_calc__ints_true(v->ints, r->n, out);
    else if (v->type == SKEP_TYPE_DOUBLE)
        skep_calc__reals_true(v->doubles, r->n, out);
    return out;
}

static bool give_bools(const uint8_t *bools, vec *ret)
{
    *ret = (vec){.type = SKEP_TYPE_BOOL, .bools = bools};
    return bools != NULL;
}

// --- comparing, logic --------------------------------------------------------------------------

static uint8_t *ordered(const run *r, enum skep_calc__order how, const vec *a, const vec *b)
{
    uint8_t *out = room(r, 1);
    if (!out)
        return NULL;
    if (a->type == SKEP_TYPE_INT && b->type == SKEP_TYPE_INT) {
        skep_calc__order_ints(how, a->ints, b->ints, r->n, out);
    } else {
        const double *x = reals(r, a), *y = reals(r, b);
        if (!x || !y)
            return NULL;
        skep_calc__order_reals(how, x, y, r->n, out);
    }
    skep_calc__both(out, presence(r, a), r->n);
    skep_calc__both(out, presence(r, b), r->n);
    return out;
}

/* Two texts, or what may be, are not compared here. */
static bool maybe_text(const vec *v)
{
    return v->type == SKEP_TYPE_STRING || v->type == SKEP_TYPE_COUNT;
}

static bool compare(const run *r, enum skep_calc__order how, const vec *a, const vec *b, vec *ret)
{
    if (maybe_text(a) && maybe_text(b))
        return false;
    return give_bools(is_number(a) && is_number(b) ? ordered(r, how, a, b) : r->of->none, ret);
}

static bool lt(const run *r, const struct skep_calc__node *node, const vec *a, vec *ret)
{
    (void)node;
    return compare(r, SKEP_CALC__LESS, &a[0], &a[1], ret);
}

static bool lte(const run *r, const struct skep_calc__node *node, const vec *a, vec *ret)
{
    (void)node;
    return compare(r, SKEP_CALC__LESS_EQUAL, &a[0], &a[1], ret);
}

static bool gt(const run *r, const struct skep_calc__node *node, const vec *a, vec *ret)
{
    (void)node;
    return compare(r, SKEP_CALC__LESS, &a[1], &a[0], ret);
}

static bool gte(const run *r, const struct skep_calc__node *node, const vec *a, vec *ret)
{
    (void)node;
    return compare(r, SKEP_CALC__LESS_EQUAL, &a[1], &a[0], ret);
}

/* Equal, or both nothing; NULL: not to be said. */
static uint8_t *equal(const run *r, const vec *a, const vec *b)
{
    const uint8_t *p = presence(r, a), *q = presence(r, b);
    uint8_t *out = NULL;
    if (maybe_text(a) && maybe_text(b))
        return NULL;
    if (is_number(a) && is_number(b))
        out = ordered(r, SKEP_CALC__EQUAL, a, b);
    else
        out = room(r, 1);
    if (out && a->type == SKEP_TYPE_BOOL && b->type == SKEP_TYPE_BOOL)
        for (unsigned i = 0; i < r->n; i++)
            out[i] = (uint8_t)((a->bools[i] == b->bools[i]) & p[i] & q[i]);
    for (unsigned i = 0; out && i < r->n; i++)
        out[i] |= (p[i] | q[i]) ^ 1;
    return out;
}

static bool in(const run *r, const struct skep_calc__node *node, const vec *a, vec *ret)
{
    uint8_t *some = NULL;
    for (unsigned k = 1; k < node->n_args; k++) {
        uint8_t *one = equal(r, &a[0], &a[k]);
        if (!one)
            return false;
        for (unsigned i = 0; some && i < r->n; i++)
            one[i] |= some[i];
        some = one;
    }
    return give_bools(some, ret);
}

static bool negated(const run *r, uint8_t *bools, vec *ret)
{
    for (unsigned i = 0; bools && i < r->n; i++)
        bools[i] ^= 1;
    return give_bools(bools, ret);
}

static bool ne(const run *r, const struct skep_calc__node *node, const vec *a, vec *ret)
{
    (void)node;
    return negated(r, equal(r, &a[0], &a[1]), ret);
}

static bool not_(const run *r, const struct skep_calc__node *node, const vec *a, vec *ret)
{
    (void)node;
    return negated(r, truth(r, &a[0]), ret);
}

static bool and_(const run *r, const struct skep_calc__node *node, const vec *a, vec *ret)
{
    uint8_t *out = truth(r, &a[0]);
    for (unsigned k = 1; out && k < node->n_args; k++) {
        const uint8_t *more = truth(r, &a[k]);
        if (!more)
            return false;
        skep_calc__both(out, more, r->n);
    }
    return give_bools(out, ret);
}

static bool or_(const run *r, const struct skep_calc__node *node, const vec *a, vec *ret)
{
    uint8_t *out = truth(r, &a[0]);
    for (unsigned k = 1; out && k < node->n_args; k++) {
        const uint8_t *more = truth(r, &a[k]);
        if (!more)
            return false;
        for (unsigned i = 0; i < r->n; i++)
            out[i] |= more[i];
    }
    return give_bools(out, ret);
}

static bool exists(const run *r, const struct skep_calc__node *node, const vec *a, vec *ret)
{
    (void)node;
    return give_bools(presence(r, &a[0]), ret);
}

// --- choosing ----------------------------------------------------------------------------------

/* b where chosen, else a, of one type. */
static bool choose_values(const run *r, const uint8_t *chosen, const vec *a, const vec *b, vec *ret)
{
    void *out = room(r, sizeof(uint64_t));
    if (!out)
        return false;
    switch (a->type) {
    case SKEP_TYPE_INT:
        skep_calc__choose64(chosen, a->ints, b->ints, r->n, out);
        ret->ints = out;
        return true;
    case SKEP_TYPE_DOUBLE:
        skep_calc__choose_reals(chosen, a->doubles, b->doubles, r->n, out);
        ret->doubles = out;
        return true;
    case SKEP_TYPE_BOOL:
        skep_calc__choose8(chosen, a->bools, b->bools, r->n, out);
        ret->bools = out;
        return true;
    case SKEP_TYPE_STRING:
        skep_calc__choose32(chosen, a->texts, b->texts, r->n, out);
        ret->texts = out;
        return true;
    case SKEP_TYPE_NULL:
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_ARRAY:
    case SKEP_TYPE_EMPTY:
    case SKEP_TYPE_COUNT:
    default: return false;
    }
}

static bool choose(const run *r, const uint8_t *chosen, const vec *a, const vec *b, vec *ret)
{
    bool same = a->type == b->type;
    if (a->type == SKEP_TYPE_COUNT || b->type == SKEP_TYPE_COUNT ||
        (!same && a->type != SKEP_TYPE_NULL && b->type != SKEP_TYPE_NULL))
        return false;
    *ret = a->type == SKEP_TYPE_NULL ? *b : *a;
    if (ret->type == SKEP_TYPE_NULL || (same && !choose_values(r, chosen, a, b, ret)))
        return ret->type == SKEP_TYPE_NULL;
    uint8_t *present = NULL;
    if (!same || a->present || b->present) {
        present = room(r, 1);
        if (!present)
            return false;
        skep_calc__choose8(chosen, presence(r, a), presence(r, b), r->n, present);
    }
    ret->present = present;
    return true;
}

static bool if_(const run *r, const struct skep_calc__node *node, const vec *a, vec *ret)
{
    vec value = {.type = SKEP_TYPE_NULL};
    unsigned n = node->n_args;
    if (n % 2)
        value = a[n - 1];
    for (unsigned k = n / 2; k-- > 0;) { /* the first one that holds is chosen last */
        vec next;
        const uint8_t *holds = truth(r, &a[2 * k]);
        if (!holds || !choose(r, holds, &value, &a[2 * k + 1], &next))
            return false;
        value = next;
    }
    *ret = value;
    return value.type != SKEP_TYPE_COUNT;
}

// --- arithmetic --------------------------------------------------------------------------------

static bool combine_ints(enum skep_calc__operation how, const int64_t *a, const int64_t *b,
                         unsigned n, int64_t *out)
{
    bool over = false;
    for (unsigned i = 0; i < n; i++)
        over |= how == SKEP_CALC__ADD        ? SKEP_ADD_OVERFLOW(a[i], b[i], &out[i])
                : how == SKEP_CALC__SUBTRACT ? SKEP_SUB_OVERFLOW(a[i], b[i], &out[i])
                                             : SKEP_MUL_OVERFLOW(a[i], b[i], &out[i]);
    return !over;
}

/* Doubles that are finite. */
static bool give_reals(const run *r, const double *v, uint8_t *present, vec *ret)
{
    if (!v || !present)
        return false;
    skep_calc__mark_finite(v, r->n, present);
    *ret = (vec){.type = SKEP_TYPE_DOUBLE, .present = present, .doubles = v};
    return true;
}

/* Is it a double in every row? */
static bool surely_double(const vec *v)
{
    return v->type == SKEP_TYPE_DOUBLE && !v->present;
}

/* One step; what became too large a double stays that (no step makes it finite again) and is
 * nothing in the end. */
static bool step(const run *r, enum skep_calc__operation how, const vec *a, const vec *b, vec *ret)
{
    void *out = room(r, sizeof(uint64_t));
    if (!out || !counts(a) || !counts(b))
        return false;
    if (a->type != SKEP_TYPE_DOUBLE && b->type != SKEP_TYPE_DOUBLE) {
        const int64_t *x = ints(r, a), *y = ints(r, b);
        *ret = (vec){.type = SKEP_TYPE_INT, .ints = out};
        return x && y && combine_ints(how, x, y, r->n, out);
    }
    if (!surely_double(a) && !surely_double(b))
        return false; /* I1: where both are nothing the result is the integer 0 */
    const double *x = reals(r, a), *y = reals(r, b);
    if (!x || !y)
        return false;
    skep_calc__combine_reals(how, x, y, r->n, out);
    *ret = (vec){.type = SKEP_TYPE_DOUBLE, .doubles = out};
    return true;
}

static bool all_of(const run *r, enum skep_calc__operation how, const struct skep_calc__node *node,
                   const vec *a, vec *ret)
{
    vec sum = a[0], zero = {.type = SKEP_TYPE_NULL};
    if (node->n_args == 1 && surely_double(&a[0])) {
        *ret = a[0]; /* as it is, finite or not */
        return true;
    }
    if (node->n_args == 1)
        return a[0].type != SKEP_TYPE_DOUBLE && step(r, SKEP_CALC__ADD, &a[0], &zero, ret);
    for (unsigned k = 1; k < node->n_args; k++) {
        vec next;
        if (!step(r, how, &sum, &a[k], &next))
            return false;
        sum = next;
    }
    *ret = sum;
    if (sum.type != SKEP_TYPE_DOUBLE)
        return true;
    uint8_t *present = room(r, 1);
    if (present)
        memcpy(present, r->of->all, r->n);
    return give_reals(r, sum.doubles, present, ret);
}

static bool sum(const run *r, const struct skep_calc__node *node, const vec *a, vec *ret)
{
    return all_of(r, SKEP_CALC__ADD, node, a, ret);
}

static bool sub(const run *r, const struct skep_calc__node *node, const vec *a, vec *ret)
{
    return all_of(r, SKEP_CALC__SUBTRACT, node, a, ret);
}

static bool mul(const run *r, const struct skep_calc__node *node, const vec *a, vec *ret)
{
    return all_of(r, SKEP_CALC__MULTIPLY, node, a, ret);
}

static bool div_(const run *r, const struct skep_calc__node *node, const vec *a, vec *ret)
{
    (void)node;
    if (!counts(&a[0]) || !counts(&a[1]))
        return false;
    const double *x = reals(r, &a[0]), *y = reals(r, &a[1]);
    double *out = room(r, sizeof *out);
    uint8_t *present = room(r, 1);
    if (!x || !y || !out || !present)
        return false;
    skep_calc__divide(x, y, r->n, out, present);
    *ret = (vec){.type = SKEP_TYPE_DOUBLE, .present = present, .doubles = out};
    return true;
}

// --- casts, buckets ----------------------------------------------------------------------------

static bool int_(const run *r, const struct skep_calc__node *node, const vec *a, vec *ret)
{
    (void)node;
    if (!counts(&a[0]))
        return false;
    *ret = (vec){.type = SKEP_TYPE_INT};
    if (a[0].type != SKEP_TYPE_DOUBLE) {
        ret->ints = ints(r, &a[0]);
        return ret->ints != NULL;
    }
    const double *x = reals(r, &a[0]);
    int64_t *out = room(r, sizeof *out);
    for (unsigned i = 0; x && out && i < r->n; i++)
        out[i] = fabs(x[i]) < 9.2e18 ? (int64_t)x[i] : 0;
    ret->ints = out;
    return x && out;
}

static bool float_(const run *r, const struct skep_calc__node *node, const vec *a, vec *ret)
{
    (void)node;
    uint8_t *present = room(r, 1);
    if (!counts(&a[0]) || !present)
        return false;
    memcpy(present, r->of->all, r->n);
    return give_reals(r, reals(r, &a[0]), present, ret);
}

static bool bool_(const run *r, const struct skep_calc__node *node, const vec *a, vec *ret)
{
    (void)node;
    return give_bools(truth(r, &a[0]), ret);
}

bool skep_calc__vector_bucket(const run *r, const struct skep_calc__node *node, const vec *a,
                              vec *ret)
{
    *ret = (vec){.type = SKEP_TYPE_NULL};
    if (!is_number(&a[0])) /* no number is in a bucket */
        return true;
    const double *v = reals(r, &a[0]);
    uint32_t *texts = room(r, sizeof *texts);
    uint8_t *present = room(r, 1);
    if (!v || !texts || !present)
        return false;
    memcpy(present, presence(r, &a[0]), r->n);
    skep_calc__mark_finite(v, r->n, present);
    skep_calc__labels_of(node->buckets, v, present, r->n, node->first_text, texts);
    *ret = (vec){.type = SKEP_TYPE_STRING, .present = present, .texts = texts};
    return true;
}

static const struct {
    const char *name;
    skep_calc__vector_fn *fn;
} functions[] = {
    {"IF", if_},        {"LT", lt},      {"LTE", lte},       {"GT", gt},
    {"GTE", gte},       {"AND", and_},   {"OR", or_},        {"NOT", not_},
    {"EXISTS", exists}, {"EQUALS", in},  {"IN", in},         {"SUM", sum},
    {"SUB", sub},       {"MUL", mul},    {"DIV", div_},      {"INT", int_},
    {"FLOAT", float_},  {"BOOL", bool_}, {"NOT_EQUALS", ne}, {"BUCKET", skep_calc__vector_bucket}};

skep_calc__vector_fn *skep_calc__vector_function(const struct skep_calc_fn *fn)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(functions); i++)
        if (skep_calc_find_derived(skep_str_c(functions[i].name)) == fn)
            return functions[i].fn;
    return NULL;
}
