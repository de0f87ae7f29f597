// SPDX-License-Identifier: Apache-2.0
/* Functions of derived columns: choosing, comparing, logic, arithmetic, casts, buckets.
 *
 * Arithmetic takes a text for the number it writes and everything else that is no number for 0;
 * comparisons keep types apart, but integers and doubles are both numbers.  The names are those in
 * which such columns are written.
 * Threads: any.  Memory: results in the context's scratch. */
#include <math.h>
#include <stdio.h>

#include "base/assert.h"
#include "calc/calc_priv.h"

enum { LIST = SKEP_LIMIT_CALC_LIST };

bool skep_calc__derived_true(const skep_value *v)
{
    return skep_calc_true(v) ||
           (v->type == SKEP_TYPE_STRING && skep_str_eq(v->s, SKEP_STR("true")));
}

static bool is_number(const skep_value *v)
{
    return v->type == SKEP_TYPE_INT || v->type == SKEP_TYPE_DOUBLE;
}

skep_value skep_calc__derived_number(const skep_value *v)
{
    int64_t i;
    double f;
    if (is_number(v))
        return *v;
    if (v->type == SKEP_TYPE_STRING && skep_str_i64(skep_str_trim(v->s), &i))
        return skep_calc__int(i);
    if (v->type == SKEP_TYPE_STRING && skep_str_f64(skep_str_trim(v->s), &f) && isfinite(f))
        return (skep_value){.type = SKEP_TYPE_DOUBLE, .f = f};
    return skep_calc__int(0);
}

static double real(const skep_value *v)
{
    return v->type == SKEP_TYPE_INT ? (double)v->i : v->f;
}

/* Numbers or texts; false where the two do not compare. */
static bool compare(const skep_value *a, const skep_value *b, int *ret)
{
    static const struct skep_calc_ctx strict;
    bool comparable = (is_number(a) && is_number(b)) ||
                      (a->type == SKEP_TYPE_STRING && b->type == SKEP_TYPE_STRING);
    return comparable && skep_calc_compare(&strict, a, b, ret);
}

static bool equal(const skep_value *a, const skep_value *b)
{
    int c = 1;
    if (is_number(a) && is_number(b))
        return compare(a, b, &c) && c == 0;
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case SKEP_TYPE_NULL:
    case SKEP_TYPE_EMPTY: return true;
    case SKEP_TYPE_BOOL: return a->b == b->b;
    case SKEP_TYPE_STRING:
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_ARRAY: return skep_str_eq(a->s, b->s);
    case SKEP_TYPE_INT:
    case SKEP_TYPE_DOUBLE:
    case SKEP_TYPE_COUNT:
    default: return false;
    }
}

// --- choosing ----------------------------------------------------------------------------------

static skep_value if_(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    (void)ctx;
    for (unsigned i = 0; i + 1 < e->n_args; i += 2)
        if (skep_calc__derived_true(&a[i]))
            return a[i + 1];
    return e->n_args % 2 ? a[e->n_args - 1] : SKEP_CALC__NULL;
}

static skep_rc prepare_switch(struct skep_calc *call, struct skep_arena *a, unsigned *ret_arg,
                              skep_err *err)
{
    skep_str text;
    (void)a;
    for (unsigned i = 1; i + 1 < call->n_args; i += 2)
        SKEP_TRY(skep_calc__const_text(call, i, &text, ret_arg, err));
    return SKEP_OK;
}

static skep_value switch_(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    char buf[64];
    (void)ctx;
    bool scalar = a[0].type == SKEP_TYPE_STRING || is_number(&a[0]);
    skep_str s = scalar                        ? skep_calc_text(&a[0], buf)
                 : a[0].type != SKEP_TYPE_BOOL ? SKEP_STR_NULL
                 : a[0].b                      ? SKEP_STR("true")
                                               : SKEP_STR("false");
    for (unsigned i = 1; i + 1 < e->n_args && a[0].type != SKEP_TYPE_NULL; i += 2)
        if (skep_str_eq(s, a[i].s))
            return a[i + 1];
    return e->n_args % 2 ? SKEP_CALC__NULL : a[e->n_args - 1];
}

static skep_value coalesce(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                           const skep_value *a)
{
    (void)ctx;
    for (unsigned i = 0; i < e->n_args; i++)
        if (a[i].type != SKEP_TYPE_NULL)
            return a[i];
    return SKEP_CALC__NULL;
}

// --- comparing, logic --------------------------------------------------------------------------

static skep_value lt(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    int c = 1;
    (void)ctx;
    (void)e;
    return skep_calc__bool(compare(&a[0], &a[1], &c) && c < 0);
}

static skep_value lte(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    int c = 1;
    (void)ctx;
    (void)e;
    return skep_calc__bool(compare(&a[0], &a[1], &c) && c <= 0);
}

static skep_value gt(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    int c = -1;
    (void)ctx;
    (void)e;
    return skep_calc__bool(compare(&a[0], &a[1], &c) && c > 0);
}

static skep_value gte(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    int c = -1;
    (void)ctx;
    (void)e;
    return skep_calc__bool(compare(&a[0], &a[1], &c) && c >= 0);
}

static skep_value in(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    (void)ctx;
    for (unsigned i = 1; i < e->n_args; i++)
        if (equal(&a[0], &a[i]))
            return skep_calc__bool(true);
    return skep_calc__bool(false);
}

static skep_value ne(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    (void)ctx;
    (void)e;
    return skep_calc__bool(!equal(&a[0], &a[1]));
}

static skep_value and_(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    (void)ctx;
    for (unsigned i = 0; i < e->n_args; i++)
        if (!skep_calc__derived_true(&a[i]))
            return skep_calc__bool(false);
    return skep_calc__bool(true);
}

static skep_value or_(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    (void)ctx;
    for (unsigned i = 0; i < e->n_args; i++)
        if (skep_calc__derived_true(&a[i]))
            return skep_calc__bool(true);
    return skep_calc__bool(false);
}

static skep_value not_(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    (void)ctx;
    (void)e;
    return skep_calc__bool(!skep_calc__derived_true(&a[0]));
}

static skep_value exists(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    (void)ctx;
    (void)e;
    return skep_calc__bool(a[0].type != SKEP_TYPE_NULL);
}

// --- arithmetic --------------------------------------------------------------------------------

/* The extreme of those that compare with the first that is not null. */
static skep_value extreme(const struct skep_calc *e, const skep_value *a, int sign)
{
    const skep_value *best = NULL;
    int c = 0;
    for (unsigned i = 0; i < e->n_args; i++) {
        bool comparable = is_number(&a[i]) || a[i].type == SKEP_TYPE_STRING;
        if (!best && comparable)
            best = &a[i];
        else if (best && compare(&a[i], best, &c) && c * sign > 0)
            best = &a[i];
    }
    return best ? *best : SKEP_CALC__NULL;
}

static skep_value max(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    (void)ctx;
    return extreme(e, a, 1);
}

static skep_value min(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    (void)ctx;
    return extreme(e, a, -1);
}

enum operation { ADD, SUBTRACT, MULTIPLY };

/* Integers stay such while they fit. */
static skep_value combine(enum operation how, skep_value x, skep_value y)
{
    int64_t i = 0;
    bool ints = x.type == SKEP_TYPE_INT && y.type == SKEP_TYPE_INT;
    bool over = !ints || (how == ADD        ? SKEP_ADD_OVERFLOW(x.i, y.i, &i)
                          : how == SUBTRACT ? SKEP_SUB_OVERFLOW(x.i, y.i, &i)
                                            : SKEP_MUL_OVERFLOW(x.i, y.i, &i));
    if (!over)
        return skep_calc__int(i);
    double f = real(&x), g = real(&y);
    return skep_calc__double(how == ADD ? f + g : how == SUBTRACT ? f - g : f * g);
}

static skep_value all(enum operation how, const struct skep_calc *e, const skep_value *a)
{
    skep_value sum = skep_calc__derived_number(&a[0]);
    for (unsigned i = 1; i < e->n_args && sum.type != SKEP_TYPE_NULL; i++)
        sum = combine(how, sum, skep_calc__derived_number(&a[i]));
    return sum;
}

static skep_value sum(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    (void)ctx;
    return all(ADD, e, a);
}

static skep_value sub(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    (void)ctx;
    return all(SUBTRACT, e, a);
}

static skep_value mul(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    (void)ctx;
    return all(MULTIPLY, e, a);
}

static skep_value div_(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    skep_value x = skep_calc__derived_number(&a[0]), y = skep_calc__derived_number(&a[1]);
    (void)ctx;
    (void)e;
    return real(&y) == 0 ? SKEP_CALC__NULL : skep_calc__double(real(&x) / real(&y));
}

static skep_value mod(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    skep_value x = skep_calc__derived_number(&a[0]), y = skep_calc__derived_number(&a[1]);
    (void)ctx;
    (void)e;
    if (real(&y) == 0)
        return SKEP_CALC__NULL;
    if (x.type == SKEP_TYPE_INT && y.type == SKEP_TYPE_INT)
        return skep_calc__int(y.i == -1 ? 0 : x.i % y.i);
    return skep_calc__double(fmod(real(&x), real(&y)));
}

static skep_value log10_(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    skep_value x = skep_calc__derived_number(&a[0]);
    (void)ctx;
    (void)e;
    return real(&x) > 0 ? skep_calc__double(log10(real(&x))) : SKEP_CALC__NULL;
}

// --- casts -------------------------------------------------------------------------------------

/* A bool counts as 0 and 1 where it is cast. */
static skep_value cast_number(const skep_value *v)
{
    return v->type == SKEP_TYPE_BOOL ? skep_calc__int(v->b) : skep_calc__derived_number(v);
}

static skep_value int_(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    skep_value x = cast_number(&a[0]);
    (void)ctx;
    (void)e;
    if (x.type == SKEP_TYPE_INT)
        return x;
    return skep_calc__int(fabs(x.f) < 9.2e18 ? (int64_t)x.f : 0);
}

static skep_value float_(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    skep_value x = cast_number(&a[0]);
    (void)ctx;
    (void)e;
    return skep_calc__double(real(&x));
}

static skep_value bool_(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    (void)ctx;
    (void)e;
    return skep_calc__bool(skep_calc__derived_true(&a[0]));
}

// --- buckets -----------------------------------------------------------------------------------

enum { LABELS_MAX = 1000 };

static skep_rc const_number(const struct skep_calc *call, unsigned arg, double *ret,
                            unsigned *ret_arg, skep_err *err)
{
    const struct skep_calc *e = call->args[arg];
    *ret_arg = arg;
    if (e->op != SKEP_CALC_CONST || !is_number(&e->value))
        return skep_fail(err, SKEP_EINVAL, "a number is expected here, no column: %s",
                         call->fn->signature);
    *ret = real(&e->value);
    return SKEP_OK;
}

static size_t label_text(const struct skep_calc__buckets *b, double at, char out[80])
{
    double lo = b->min + at * b->size, hi = lo + b->size;
    if (b->has_max && hi > b->max)
        hi = b->max;
    /* 0.1 + 0.2 is no border anybody reads: twelve digits, and no -0 */
    return (size_t)snprintf(out, 80, "%.12g - %.12g", lo + 0.0, hi + 0.0);
}

static void make_labels(struct skep_calc__buckets *b, struct skep_arena *a)
{
    char text[80];
    double n = ceil((b->max - b->min) / b->size);
    if (!(n <= LABELS_MAX))
        return;
    b->n_labels = (unsigned)n + 2;
    b->labels = skep_new_n(a, skep_str, b->n_labels);
    b->labels[0] = skep_arena_printf(a, "< %.12g", b->min);
    for (unsigned i = 0; i < (unsigned)n; i++)
        b->labels[i + 1] = skep_arena_str(a, (skep_str){text, label_text(b, i, text)});
    b->labels[b->n_labels - 1] = skep_arena_printf(a, "> %.12g", b->max);
}

static skep_rc prepare_bucket(struct skep_calc *call, struct skep_arena *a, unsigned *ret_arg,
                              skep_err *err)
{
    struct skep_calc__buckets *b = skep_new(a, struct skep_calc__buckets);
    SKEP_TRY(const_number(call, 1, &b->size, ret_arg, err));
    if (!(b->size > 0))
        return skep_fail(err, SKEP_EINVAL, "a bucket is larger than 0");
    b->has_min = call->n_args > 2;
    b->has_max = call->n_args > 3;
    if (b->has_min)
        SKEP_TRY(const_number(call, 2, &b->min, ret_arg, err));
    if (b->has_max)
        SKEP_TRY(const_number(call, 3, &b->max, ret_arg, err));
    if (b->has_max && b->max <= b->min)
        return skep_fail(err, SKEP_EINVAL, "the greatest is not above the least");
    if (b->has_max)
        make_labels(b, a);
    call->prepared = b;
    return SKEP_OK;
}

/* "10 - 20": a value on the border belongs to the lower bucket; the least one to the first. */
static skep_value bucket(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    const struct skep_calc__buckets *b = e->prepared;
    char text[80];
    int n;
    if (!is_number(&a[0]) || !isfinite(real(&a[0])))
        return SKEP_CALC__NULL;
    double v = real(&a[0]), at = ceil((v - b->min) / b->size) - 1;
    if (b->has_min && at < 0)
        at = 0;
    if (b->labels) {
        unsigned last = b->n_labels - 1;
        unsigned label = v < b->min ? 0 : v > b->max ? last : SKEP_MIN((unsigned)at + 1, last - 1);
        return skep_calc__str(b->labels[label]);
    }
    if (b->has_min && v < b->min) {
        n = snprintf(text, sizeof text, "< %.12g", b->min);
    } else if (b->has_max && v > b->max) {
        n = snprintf(text, sizeof text, "> %.12g", b->max);
    } else {
        n = (int)label_text(b, at, text);
    }
    return skep_calc__copy(ctx, (skep_str){text, (size_t)n});
}

#define C "conditional"
#define M "math"
#define K "cast"
const struct skep_calc_fn skep_calc__derived[] = {
    {"IF", "IF(condition, value, ...[, else])", "The value of the first condition that holds.", C,
     2, LIST, if_, NULL, 0},
    {"SWITCH", "SWITCH(a, \"case\", value, ...[, else])", "The value of the case that a is.", C, 3,
     LIST, switch_, prepare_switch, 0},
    {"COALESCE", "COALESCE(a, ...)", "The first that is not empty.", C, 1, LIST, coalesce, NULL, 0},
    {"LT", "LT(a, b)", "Is a smaller?  Numbers or texts.", "compare", 2, 2, lt, NULL, 0},
    {"LTE", "LTE(a, b)", "Is a not larger?", "compare", 2, 2, lte, NULL, 0},
    {"GT", "GT(a, b)", "Is a larger?", "compare", 2, 2, gt, NULL, 0},
    {"GTE", "GTE(a, b)", "Is a not smaller?", "compare", 2, 2, gte, NULL, 0},
    {"EQUALS", "EQUALS(a, b)", "Are they equal, and of one type?", "compare", 2, 2, in, NULL, 0},
    {"NOT_EQUALS", "a != b", "Are they not?", "operator", 2, 2, ne, NULL, 0},
    {"IN", "IN(a, b, ...)", "Is a one of them?", "compare", 2, LIST, in, NULL, 0},
    {"AND", "AND(a, ...)", "Are all true?", "logic", 1, LIST, and_, NULL, 0},
    {"OR", "OR(a, ...)", "Is any true?", "logic", 1, LIST, or_, NULL, 0},
    {"NOT", "NOT(a)", "Is it not?", "logic", 1, 1, not_, NULL, 0},
    {"EXISTS", "EXISTS(a)", "Has the row a value?", "logic", 1, 1, exists, NULL, 0},
    {"MIN", "MIN(a, ...)", "The smallest, of the first one's type.", M, 1, LIST, min, NULL, 0},
    {"MAX", "MAX(a, ...)", "The largest, of the first one's type.", M, 1, LIST, max, NULL, 0},
    {"SUM", "SUM(a, ...)", "The sum.", M, 1, LIST, sum, NULL, 0},
    {"SUB", "SUB(a, b, ...)", "The first less the others.", M, 2, LIST, sub, NULL, 0},
    {"MUL", "MUL(a, b, ...)", "The product.", M, 1, LIST, mul, NULL, 0},
    {"DIV", "DIV(a, b)", "The quotient; empty where b is 0.", M, 2, 2, div_, NULL, 0},
    {"MOD", "MOD(a, b)", "The rest of the division.", M, 2, 2, mod, NULL, 0},
    {"LOG10", "LOG10(a)", "The decimal logarithm; empty up to 0.", M, 1, 1, log10_, NULL, 0},
    {"BUCKET", "BUCKET(a, size[, min[, max]])", "The bucket a number falls in: \"10 - 20\".", M, 2,
     4, bucket, prepare_bucket, 0},
    {"INT", "INT(a)", "As a whole number, cut; 0 if it is none.", K, 1, 1, int_, NULL, 0},
    {"FLOAT", "FLOAT(a)", "As a number with a fraction; 0.0 if it is none.", K, 1, 1, float_, NULL,
     0},
    {"BOOL", "BOOL(a)", "Is it true, \"true\" or a number that is not 0?", K, 1, 1, bool_, NULL, 0},
    {.name = NULL},
};
