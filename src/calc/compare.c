// SPDX-License-Identifier: Apache-2.0
/* Comparisons and logic.  A comparison with null is false, its contrary true.
 * Threads: any.  Memory: none. */
#include "base/assert.h"
#include "calc/calc_priv.h"
#include "wire/regex.h"

static bool equal(struct skep_calc_ctx *ctx, const skep_value *a, const skep_value *b)
{
    int c;
    return skep_calc_compare(ctx, a, b, &c) && c == 0;
}

static skep_value eq(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    (void)e;
    return skep_calc__bool(equal(ctx, &a[0], &a[1]));
}

static skep_value ne(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    (void)e;
    return skep_calc__bool(!equal(ctx, &a[0], &a[1]));
}

static skep_value lt(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    int c;
    (void)e;
    return skep_calc__bool(skep_calc_compare(ctx, &a[0], &a[1], &c) && c < 0);
}

static skep_value le(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    int c;
    (void)e;
    return skep_calc__bool(skep_calc_compare(ctx, &a[0], &a[1], &c) && c <= 0);
}

static skep_value gt(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    int c;
    (void)e;
    return skep_calc__bool(skep_calc_compare(ctx, &a[0], &a[1], &c) && c > 0);
}

static skep_value ge(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    int c;
    (void)e;
    return skep_calc__bool(skep_calc_compare(ctx, &a[0], &a[1], &c) && c >= 0);
}

static skep_value in(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    for (unsigned i = 1; i < e->n_args; i++)
        if (equal(ctx, &a[0], &a[i]))
            return skep_calc__bool(true);
    return skep_calc__bool(false);
}

static skep_value contains(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                           const skep_value *a)
{
    char x[64], y[64];
    skep_str s, t;
    (void)e;
    return skep_calc__bool(skep_calc__text_of(ctx, &a[0], x, &s) &&
                           skep_calc__text_of(ctx, &a[1], y, &t) &&
                           skep_str_find(s, t) != SIZE_MAX);
}

static skep_rc prepare_matches(struct skep_calc *call, struct skep_arena *a, unsigned *ret_arg,
                               skep_err *err)
{
    return skep_calc__prepare_regex(call, 1, a, ret_arg, err);
}

static skep_value matches(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    char x[64];
    skep_str s;
    return skep_calc__bool(skep_calc__text_of(ctx, &a[0], x, &s) && skep_calc__matches(ctx, e, s));
}

static skep_value and_(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    (void)ctx;
    for (unsigned i = 0; i < e->n_args; i++)
        if (!skep_calc_true(&a[i]))
            return skep_calc__bool(false);
    return skep_calc__bool(true);
}

static skep_value or_(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    (void)ctx;
    for (unsigned i = 0; i < e->n_args; i++)
        if (skep_calc_true(&a[i]))
            return skep_calc__bool(true);
    return skep_calc__bool(false);
}

static skep_value not_(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    (void)ctx;
    (void)e;
    return skep_calc__bool(!skep_calc_true(&a[0]));
}

const struct skep_calc_fn skep_calc__compare[] = {
    {"eq", "a = b", "Are they equal?", "operator", 2, 2, eq, NULL, 0},
    {"ne", "a != b", "Are they not?", "operator", 2, 2, ne, NULL, 0},
    {"lt", "a < b", "Is a smaller?", "operator", 2, 2, lt, NULL, 0},
    {"le", "a <= b", "Is a not larger?", "operator", 2, 2, le, NULL, 0},
    {"gt", "a > b", "Is a larger?", "operator", 2, 2, gt, NULL, 0},
    {"ge", "a >= b", "Is a not smaller?", "operator", 2, 2, ge, NULL, 0},
    {"in", "a in [b, ...]", "Is a one of them?", "operator", 2, SKEP_LIMIT_CALC_ARGS, in, NULL, 0},
    {"contains", "a like \"b\"", "Does the text hold the other one?", "operator", 2, 2, contains,
     NULL, 0},
    {"matches", "a like /b/", "Does the text match the expression?", "operator", 2, 2, matches,
     prepare_matches, 0},
    {"and", "a and b", "Are all true?", "operator", 2, SKEP_LIMIT_CALC_ARGS, and_, NULL, 0},
    {"or", "a or b", "Is any true?", "operator", 2, SKEP_LIMIT_CALC_ARGS, or_, NULL, 0},
    {"not", "not a", "Is it not?", "operator", 1, 1, not_, NULL, 0},
    {.name = NULL},
};
