// SPDX-License-Identifier: Apache-2.0
/* Expressions over numbers, a column at a time.
 *
 *   skep_calc        IF(EXISTS(items), DIV(duration, items))
 *   node tree        if_ ( exists(column 1), div_(column 0, column 1) )
 *   evaluation       a node after its arguments, each a loop over all rows of the batch
 *
 * A column has one type; rows without a value are marked beside it.  Texts are numbers of the
 * expression's own constants: the values of an IF, the labels of a BUCKET.
 *
 * I1  What comes out is what skep_calc_eval() gives for the same rows, type and bits; where one
 *     column cannot hold that (an integer that overflows becomes a double, nothing counts as the
 *     integer 0 among doubles), evaluation says so and nothing is kept of it.
 * I2  Recursion is as deep as the expression, which skep_calc_call bounds.
 * I3  Loops run over rows without a value, too: nothing they hold may trap.
 *
 * Threads: any; nodes are constant.  Memory: nodes in the arena they were made in, columns between
 * in the scratch. */
#include "calc/vectors.h"

#include <float.h>
#include <math.h>

#include "base/assert.h"
#include "calc/calc_priv.h"

enum {
    ROWS = SKEP_CALC_ROWS,
    CONSTANTS_MAX = 64, /* each has a column of its own, made once */
    TEXTS_MAX = 4096
};

struct node;
typedef struct skep_calc_vec vec;

struct run {
    const struct skep_calc_vectors *of;
    const vec *columns;
    unsigned n;
    struct skep_arena *scratch;
};

typedef bool node_fn(const struct run *r, const struct node *node, const vec *args, vec *ret);

struct node {
    node_fn *fn; /* NULL: a constant, or a column */
    bool constant;
    unsigned column, n_args;
    vec value; /* constant */
    struct node **args;
    const struct skep_calc__buckets *buckets;
    unsigned first_text; /* of the labels */
};

struct skep_calc_vectors {
    struct node *root;
    skep_str *texts;
    unsigned n_texts, n_constants;
    uint8_t all[ROWS], none[ROWS]; /* presence of every row, and of no row */
};

// --- loops -------------------------------------------------------------------------------------

SKEP_CLONES static void reals_of(const int64_t *restrict in, const uint8_t *restrict present,
                                 unsigned n, double *restrict out)
{
    for (unsigned i = 0; i < n; i++)
        out[i] = present[i] ? (double)in[i] : 0.0;
}

SKEP_CLONES static void present_reals(const double *restrict in, const uint8_t *restrict present,
                                      unsigned n, double *restrict out)
{
    for (unsigned i = 0; i < n; i++)
        out[i] = present[i] ? in[i] : 0.0;
}

SKEP_CLONES static void present_ints(const int64_t *restrict in, const uint8_t *restrict present,
                                     unsigned n, int64_t *restrict out)
{
    for (unsigned i = 0; i < n; i++)
        out[i] = in[i] & -(int64_t)present[i];
}

SKEP_CLONES static void both(uint8_t *restrict a, const uint8_t *restrict b, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        a[i] &= b[i];
}

/* out = b where chosen, else a. */
SKEP_CLONES static void choose64(const uint8_t *restrict chosen, const int64_t *restrict a,
                                 const int64_t *restrict b, unsigned n, int64_t *restrict out)
{
    for (unsigned i = 0; i < n; i++) {
        int64_t mask = -(int64_t)chosen[i];
        out[i] = (a[i] & ~mask) | (b[i] & mask);
    }
}

SKEP_CLONES static void choose_reals(const uint8_t *restrict chosen, const double *restrict a,
                                     const double *restrict b, unsigned n, double *restrict out)
{
    for (unsigned i = 0; i < n; i++)
        out[i] = chosen[i] ? b[i] : a[i];
}

SKEP_CLONES SKEP_WRAPS static void choose32(const uint8_t *restrict chosen,
                                            const uint32_t *restrict a, const uint32_t *restrict b,
                                            unsigned n, uint32_t *restrict out)
{
    for (unsigned i = 0; i < n; i++) {
        uint32_t mask = 0 - (uint32_t)chosen[i];
        out[i] = (a[i] & ~mask) | (b[i] & mask);
    }
}

SKEP_CLONES static void choose8(const uint8_t *restrict chosen, const uint8_t *restrict a,
                                const uint8_t *restrict b, unsigned n, uint8_t *restrict out)
{
    for (unsigned i = 0; i < n; i++)
        out[i] = (uint8_t)((a[i] & (chosen[i] ^ 1)) | (b[i] & chosen[i]));
}

/* The quotients, and where there are any. */
SKEP_CLONES static void divide(const double *restrict a, const double *restrict b, unsigned n,
                               double *restrict out, uint8_t *restrict present)
{
    for (unsigned i = 0; i < n; i++) {
        double q = a[i] / b[i];
        out[i] = q;
        present[i] = (uint8_t)((b[i] != 0) & (fabs(q) <= DBL_MAX));
    }
}

SKEP_CLONES static void mark_finite(const double *restrict a, unsigned n, uint8_t *restrict present)
{
    for (unsigned i = 0; i < n; i++)
        present[i] &= fabs(a[i]) <= DBL_MAX;
}

enum order { LESS, LESS_EQUAL, EQUAL };

SKEP_CLONES static void order_ints(enum order how, const int64_t *restrict a,
                                   const int64_t *restrict b, unsigned n, uint8_t *restrict out)
{
    if (how == LESS)
        for (unsigned i = 0; i < n; i++)
            out[i] = a[i] < b[i];
    else if (how == LESS_EQUAL)
        for (unsigned i = 0; i < n; i++)
            out[i] = a[i] <= b[i];
    else
        for (unsigned i = 0; i < n; i++)
            out[i] = a[i] == b[i];
}

/* Infinities compare with nothing. */
SKEP_CLONES static void order_reals(enum order how, const double *restrict a,
                                    const double *restrict b, unsigned n, uint8_t *restrict out)
{
    if (how == LESS)
        for (unsigned i = 0; i < n; i++)
            out[i] = a[i] < b[i];
    else if (how == LESS_EQUAL)
        for (unsigned i = 0; i < n; i++)
            out[i] = a[i] <= b[i];
    else
        for (unsigned i = 0; i < n; i++)
            out[i] = a[i] == b[i];
    for (unsigned i = 0; i < n; i++)
        out[i] &= (fabs(a[i]) <= DBL_MAX) & (fabs(b[i]) <= DBL_MAX);
}

/* The label of each value: ceil((v - min) / size), the first one for the least value; beside them
 * those below and above all. */
SKEP_CLONES static void labels_of(const struct skep_calc__buckets *b, const double *restrict v,
                                  const uint8_t *restrict present, unsigned n, uint32_t first,
                                  uint32_t *restrict out)
{
    double min = b->min, max = b->max, size = b->size, last = (double)(b->n_labels - 1);
    for (unsigned i = 0; i < n; i++) {
        double q = present[i] ? (v[i] - min) / size : 0.0; /* I3 */
        q = q > 0.0 ? q : 0.0;
        q = q < last ? q : last;
        int32_t whole = (int32_t)q;
        int32_t at = whole + ((double)whole < q);
        at = at > 1 ? at : 1;
        at = at < (int32_t)last - 1 ? at : (int32_t)last - 1;
        at = v[i] < min ? 0 : at;
        at = v[i] > max ? (int32_t)last : at;
        out[i] = first + (uint32_t)at;
    }
}

SKEP_CLONES static void ints_true(const int64_t *restrict v, unsigned n, uint8_t *restrict out)
{
    for (unsigned i = 0; i < n; i++)
        out[i] &= v[i] != 0;
}

SKEP_CLONES static void reals_true(const double *restrict v, unsigned n, uint8_t *restrict out)
{
    for (unsigned i = 0; i < n; i++)
        out[i] &= v[i] != 0;
}

// --- columns -----------------------------------------------------------------------------------

static void *room(const struct run *r, size_t size)
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

static const uint8_t *presence(const struct run *r, const vec *v)
{
    if (v->type == SKEP_TYPE_NULL)
        return r->of->none;
    return v->present ? v->present : r->of->all;
}

/* Numbers as doubles, 0 where there is none; NULL: no memory. */
static const double *reals(const struct run *r, const vec *v)
{
    static const double zeros[ROWS];
    if (v->type == SKEP_TYPE_NULL)
        return zeros;
    if (v->type == SKEP_TYPE_DOUBLE && !v->present)
        return v->doubles;
    double *out = room(r, sizeof *out);
    if (out && v->type == SKEP_TYPE_DOUBLE)
        present_reals(v->doubles, v->present, r->n, out);
    else if (out)
        reals_of(v->ints, presence(r, v), r->n, out);
    return out;
}

static const int64_t *ints(const struct run *r, const vec *v)
{
    static const int64_t zeros[ROWS];
    if (v->type == SKEP_TYPE_NULL)
        return zeros;
    if (!v->present)
        return v->ints;
    int64_t *out = room(r, sizeof *out);
    if (out)
        present_ints(v->ints, v->present, r->n, out);
    return out;
}

/* Which rows are true. */
static uint8_t *truth(const struct run *r, const vec *v)
{
    uint8_t *out = room(r, 1);
    if (!out || v->type == SKEP_TYPE_STRING || v->type == SKEP_TYPE_COUNT)
        return NULL;
    memcpy(out, presence(r, v), r->n);
    if (v->type == SKEP_TYPE_BOOL)
        both(out, v->bools, r->n);
    else if (v->type == SKEP_TYPE_INT)
        ints_true(v->ints, r->n, out);
    else if (v->type == SKEP_TYPE_DOUBLE)
        reals_true(v->doubles, r->n, out);
    return out;
}

static bool give_bools(const uint8_t *bools, vec *ret)
{
    *ret = (vec){.type = SKEP_TYPE_BOOL, .bools = bools};
    return bools != NULL;
}

// --- comparing, logic --------------------------------------------------------------------------

static uint8_t *ordered(const struct run *r, enum order how, const vec *a, const vec *b)
{
    uint8_t *out = room(r, 1);
    if (!out)
        return NULL;
    if (a->type == SKEP_TYPE_INT && b->type == SKEP_TYPE_INT) {
        order_ints(how, a->ints, b->ints, r->n, out);
    } else {
        const double *x = reals(r, a), *y = reals(r, b);
        if (!x || !y)
            return NULL;
        order_reals(how, x, y, r->n, out);
    }
    both(out, presence(r, a), r->n);
    both(out, presence(r, b), r->n);
    return out;
}

/* Two texts, or what may be, are not compared here. */
static bool maybe_text(const vec *v)
{
    return v->type == SKEP_TYPE_STRING || v->type == SKEP_TYPE_COUNT;
}

static bool compare(const struct run *r, enum order how, const vec *a, const vec *b, vec *ret)
{
    if (maybe_text(a) && maybe_text(b))
        return false;
    return give_bools(is_number(a) && is_number(b) ? ordered(r, how, a, b) : r->of->none, ret);
}

static bool lt(const struct run *r, const struct node *node, const vec *a, vec *ret)
{
    (void)node;
    return compare(r, LESS, &a[0], &a[1], ret);
}

static bool lte(const struct run *r, const struct node *node, const vec *a, vec *ret)
{
    (void)node;
    return compare(r, LESS_EQUAL, &a[0], &a[1], ret);
}

static bool gt(const struct run *r, const struct node *node, const vec *a, vec *ret)
{
    (void)node;
    return compare(r, LESS, &a[1], &a[0], ret);
}

static bool gte(const struct run *r, const struct node *node, const vec *a, vec *ret)
{
    (void)node;
    return compare(r, LESS_EQUAL, &a[1], &a[0], ret);
}

/* Equal, or both nothing; NULL: not to be said. */
static uint8_t *equal(const struct run *r, const vec *a, const vec *b)
{
    const uint8_t *p = presence(r, a), *q = presence(r, b);
    uint8_t *out = NULL;
    if (maybe_text(a) && maybe_text(b))
        return NULL;
    if (is_number(a) && is_number(b))
        out = ordered(r, EQUAL, a, b);
    else
        out = room(r, 1);
    if (out && a->type == SKEP_TYPE_BOOL && b->type == SKEP_TYPE_BOOL)
        for (unsigned i = 0; i < r->n; i++)
            out[i] = (uint8_t)((a->bools[i] == b->bools[i]) & p[i] & q[i]);
    for (unsigned i = 0; out && i < r->n; i++)
        out[i] |= (p[i] | q[i]) ^ 1;
    return out;
}

static bool in(const struct run *r, const struct node *node, const vec *a, vec *ret)
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

static bool negated(const struct run *r, uint8_t *bools, vec *ret)
{
    for (unsigned i = 0; bools && i < r->n; i++)
        bools[i] ^= 1;
    return give_bools(bools, ret);
}

static bool ne(const struct run *r, const struct node *node, const vec *a, vec *ret)
{
    (void)node;
    return negated(r, equal(r, &a[0], &a[1]), ret);
}

static bool not_(const struct run *r, const struct node *node, const vec *a, vec *ret)
{
    (void)node;
    return negated(r, truth(r, &a[0]), ret);
}

static bool and_(const struct run *r, const struct node *node, const vec *a, vec *ret)
{
    uint8_t *out = truth(r, &a[0]);
    for (unsigned k = 1; out && k < node->n_args; k++) {
        const uint8_t *more = truth(r, &a[k]);
        if (!more)
            return false;
        both(out, more, r->n);
    }
    return give_bools(out, ret);
}

static bool or_(const struct run *r, const struct node *node, const vec *a, vec *ret)
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

static bool exists(const struct run *r, const struct node *node, const vec *a, vec *ret)
{
    (void)node;
    return give_bools(presence(r, &a[0]), ret);
}

// --- choosing ----------------------------------------------------------------------------------

/* b where chosen, else a, of one type. */
static bool choose_values(const struct run *r, const uint8_t *chosen, const vec *a, const vec *b,
                          vec *ret)
{
    void *out = room(r, sizeof(uint64_t));
    if (!out)
        return false;
    switch (a->type) {
    case SKEP_TYPE_INT:
        choose64(chosen, a->ints, b->ints, r->n, out);
        ret->ints = out;
        return true;
    case SKEP_TYPE_DOUBLE:
        choose_reals(chosen, a->doubles, b->doubles, r->n, out);
        ret->doubles = out;
        return true;
    case SKEP_TYPE_BOOL:
        choose8(chosen, a->bools, b->bools, r->n, out);
        ret->bools = out;
        return true;
    case SKEP_TYPE_STRING:
        choose32(chosen, a->texts, b->texts, r->n, out);
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

static bool choose(const struct run *r, const uint8_t *chosen, const vec *a, const vec *b, vec *ret)
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
        choose8(chosen, presence(r, a), presence(r, b), r->n, present);
    }
    ret->present = present;
    return true;
}

static bool if_(const struct run *r, const struct node *node, const vec *a, vec *ret)
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

enum operation { ADD, SUBTRACT, MULTIPLY };

static bool combine_ints(enum operation how, const int64_t *a, const int64_t *b, unsigned n,
                         int64_t *out)
{
    bool over = false;
    for (unsigned i = 0; i < n; i++)
        over |= how == ADD        ? SKEP_ADD_OVERFLOW(a[i], b[i], &out[i])
                : how == SUBTRACT ? SKEP_SUB_OVERFLOW(a[i], b[i], &out[i])
                                  : SKEP_MUL_OVERFLOW(a[i], b[i], &out[i]);
    return !over;
}

SKEP_CLONES static void combine_reals(enum operation how, const double *restrict a,
                                      const double *restrict b, unsigned n, double *restrict out)
{
    if (how == ADD)
        for (unsigned i = 0; i < n; i++)
            out[i] = a[i] + b[i];
    else if (how == SUBTRACT)
        for (unsigned i = 0; i < n; i++)
            out[i] = a[i] - b[i];
    else
        for (unsigned i = 0; i < n; i++)
            out[i] = a[i] * b[i];
}

/* Doubles that are finite. */
static bool give_reals(const struct run *r, const double *v, uint8_t *present, vec *ret)
{
    if (!v || !present)
        return false;
    mark_finite(v, r->n, present);
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
static bool step(const struct run *r, enum operation how, const vec *a, const vec *b, vec *ret)
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
    combine_reals(how, x, y, r->n, out);
    *ret = (vec){.type = SKEP_TYPE_DOUBLE, .doubles = out};
    return true;
}

static bool all_of(const struct run *r, enum operation how, const struct node *node, const vec *a,
                   vec *ret)
{
    vec sum = a[0], zero = {.type = SKEP_TYPE_NULL};
    if (node->n_args == 1 && surely_double(&a[0])) {
        *ret = a[0]; /* as it is, finite or not */
        return true;
    }
    if (node->n_args == 1)
        return a[0].type != SKEP_TYPE_DOUBLE && step(r, ADD, &a[0], &zero, ret);
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

static bool sum(const struct run *r, const struct node *node, const vec *a, vec *ret)
{
    return all_of(r, ADD, node, a, ret);
}

static bool sub(const struct run *r, const struct node *node, const vec *a, vec *ret)
{
    return all_of(r, SUBTRACT, node, a, ret);
}

static bool mul(const struct run *r, const struct node *node, const vec *a, vec *ret)
{
    return all_of(r, MULTIPLY, node, a, ret);
}

static bool div_(const struct run *r, const struct node *node, const vec *a, vec *ret)
{
    (void)node;
    if (!counts(&a[0]) || !counts(&a[1]))
        return false;
    const double *x = reals(r, &a[0]), *y = reals(r, &a[1]);
    double *out = room(r, sizeof *out);
    uint8_t *present = room(r, 1);
    if (!x || !y || !out || !present)
        return false;
    divide(x, y, r->n, out, present);
    *ret = (vec){.type = SKEP_TYPE_DOUBLE, .present = present, .doubles = out};
    return true;
}

// --- casts, buckets ----------------------------------------------------------------------------

static bool int_(const struct run *r, const struct node *node, const vec *a, vec *ret)
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

static bool float_(const struct run *r, const struct node *node, const vec *a, vec *ret)
{
    (void)node;
    uint8_t *present = room(r, 1);
    if (!counts(&a[0]) || !present)
        return false;
    memcpy(present, r->of->all, r->n);
    return give_reals(r, reals(r, &a[0]), present, ret);
}

static bool bool_(const struct run *r, const struct node *node, const vec *a, vec *ret)
{
    (void)node;
    return give_bools(truth(r, &a[0]), ret);
}

static bool bucket(const struct run *r, const struct node *node, const vec *a, vec *ret)
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
    mark_finite(v, r->n, present);
    labels_of(node->buckets, v, present, r->n, node->first_text, texts);
    *ret = (vec){.type = SKEP_TYPE_STRING, .present = present, .texts = texts};
    return true;
}

static const struct {
    const char *name;
    node_fn *fn;
} functions[] = {{"IF", if_},        {"LT", lt},      {"LTE", lte},       {"GT", gt},
                 {"GTE", gte},       {"AND", and_},   {"OR", or_},        {"NOT", not_},
                 {"EXISTS", exists}, {"EQUALS", in},  {"IN", in},         {"SUM", sum},
                 {"SUB", sub},       {"MUL", mul},    {"DIV", div_},      {"INT", int_},
                 {"FLOAT", float_},  {"BOOL", bool_}, {"NOT_EQUALS", ne}, {"BUCKET", bucket}};

static node_fn *function_of(const struct skep_calc_fn *fn)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(functions); i++)
        if (skep_calc_find_derived(skep_str_c(functions[i].name)) == fn)
            return functions[i].fn;
    return NULL;
}

// --- making it ready ---------------------------------------------------------------------------

/* Room for n texts more; their first number. */
static bool take_texts(struct skep_arena *a, struct skep_calc_vectors *v, const skep_str *texts,
                       unsigned n, unsigned *ret_first)
{
    if (v->n_texts + n > TEXTS_MAX)
        return false;
    skep_str *more = skep_new_n(a, skep_str, v->n_texts + n);
    if (v->n_texts > 0)
        memcpy(more, v->texts, v->n_texts * sizeof *more);
    memcpy(more + v->n_texts, texts, n * sizeof *more);
    *ret_first = v->n_texts;
    v->texts = more;
    v->n_texts += n;
    return true;
}

static struct node *constant(struct skep_arena *a, struct skep_calc_vectors *v, skep_value value)
{
    struct node *node = skep_new(a, struct node);
    uint64_t *column = skep_new_n(a, uint64_t, ROWS);
    unsigned text = 0;
    node->constant = true;
    node->value.type = value.type;
    if (++v->n_constants > CONSTANTS_MAX)
        return NULL;
    if (value.type == SKEP_TYPE_STRING && !take_texts(a, v, &value.s, 1, &text))
        return NULL;
    for (unsigned i = 0; i < ROWS; i++)
        switch (value.type) {
        case SKEP_TYPE_INT: ((int64_t *)column)[i] = value.i; break;
        case SKEP_TYPE_DOUBLE: memcpy(&column[i], &value.f, sizeof value.f); break;
        case SKEP_TYPE_BOOL: ((uint8_t *)column)[i] = value.b; break;
        case SKEP_TYPE_STRING: ((uint32_t *)column)[i] = text; break;
        case SKEP_TYPE_NULL: break;
        case SKEP_TYPE_BYTES:
        case SKEP_TYPE_ARRAY:
        case SKEP_TYPE_EMPTY:
        case SKEP_TYPE_COUNT:
        default: return NULL;
        }
    node->value.ints = (const int64_t *)column;
    node->value.doubles = (const double *)column;
    node->value.bools = (const uint8_t *)column;
    node->value.texts = (const uint32_t *)column;
    return node;
}

static struct node *ready(struct skep_arena *a, struct skep_calc_vectors *v,
                          const struct skep_calc *e)
{
    if (e->op == SKEP_CALC_CONST)
        return constant(a, v, e->value);
    struct node *node = skep_new(a, struct node);
    node->column = e->field;
    if (e->op == SKEP_CALC_FIELD)
        return node;
    node->fn = function_of(e->fn);
    node->n_args = e->n_args;
    node->args = skep_new_n(a, struct node *, e->n_args + 1);
    if (!node->fn)
        return NULL;
    if (node->fn == bucket) {
        node->buckets = e->prepared;
        if (!node->buckets->labels ||
            !take_texts(a, v, node->buckets->labels, node->buckets->n_labels, &node->first_text))
            return NULL;
        node->n_args = 1; /* the others are in its labels */
    }
    for (unsigned i = 0; i < node->n_args; i++) {
        node->args[i] = ready(a, v, e->args[i]);
        if (!node->args[i])
            return NULL;
    }
    return node;
}

const struct skep_calc_vectors *skep_calc_vectors_new(struct skep_arena *a,
                                                      const struct skep_calc *e)
{
    struct skep_calc_vectors *v = skep_new(a, struct skep_calc_vectors);
    memset(v->all, 1, sizeof v->all);
    v->root = e->op == SKEP_CALC_CALL ? ready(a, v, e) : NULL;
    return v->root ? v : NULL;
}

const skep_str *skep_calc_vectors_texts(const struct skep_calc_vectors *v, unsigned *ret_n)
{
    *ret_n = v->n_texts;
    return v->texts;
}

// --- evaluation --------------------------------------------------------------------------------

static bool evaluate(const struct run *r, const struct node *node, vec *ret)
{
    if (!node->fn) {
        *ret = node->constant ? node->value : r->columns[node->column];
        return true;
    }
    vec *args = skep_arena_try_alloc(r->scratch, (node->n_args + 1) * sizeof *args);
    for (unsigned i = 0; args && i < node->n_args; i++)
        if (!evaluate(r, node->args[i], &args[i]))
            return false;
    return args && node->fn(r, node, args, ret);
}

bool skep_calc_vectors_eval(const struct skep_calc_vectors *v, const struct skep_calc_vec *columns,
                            unsigned n, struct skep_arena *scratch, struct skep_calc_vec *ret)
{
    skep_assert(n <= ROWS);
    const struct run r = {.of = v, .columns = columns, .n = n, .scratch = scratch};
    return evaluate(&r, v->root, ret);
}
