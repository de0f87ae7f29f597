// SPDX-License-Identifier: Apache-2.0
/* Arithmetic and functions of numbers.  Integers stay integers while they fit; what overflows
 * becomes a double.
 * Threads: any.  Memory: none. */
#include <math.h>

#include "base/assert.h"
#include "calc/calc_priv.h"

static skep_value add(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    double x, y;
    int64_t i;
    (void)e;
    if (a[0].type == SKEP_TYPE_INT && a[1].type == SKEP_TYPE_INT &&
        !SKEP_ADD_OVERFLOW(a[0].i, a[1].i, &i))
        return skep_calc__int(i);
    if (!skep_calc_number(ctx, &a[0], &x) || !skep_calc_number(ctx, &a[1], &y))
        return SKEP_CALC__NULL;
    return skep_calc__double(x + y);
}

static skep_value sub(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    double x, y;
    int64_t i;
    (void)e;
    if (a[0].type == SKEP_TYPE_INT && a[1].type == SKEP_TYPE_INT &&
        !SKEP_SUB_OVERFLOW(a[0].i, a[1].i, &i))
        return skep_calc__int(i);
    if (!skep_calc_number(ctx, &a[0], &x) || !skep_calc_number(ctx, &a[1], &y))
        return SKEP_CALC__NULL;
    return skep_calc__double(x - y);
}

static skep_value mul(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    double x, y;
    int64_t i;
    (void)e;
    if (a[0].type == SKEP_TYPE_INT && a[1].type == SKEP_TYPE_INT &&
        !SKEP_MUL_OVERFLOW(a[0].i, a[1].i, &i))
        return skep_calc__int(i);
    if (!skep_calc_number(ctx, &a[0], &x) || !skep_calc_number(ctx, &a[1], &y))
        return SKEP_CALC__NULL;
    return skep_calc__double(x * y);
}

/* Always real: 7 / 2 is 3.5. */
static skep_value div_(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    double x, y;
    (void)e;
    if (!skep_calc_number(ctx, &a[0], &x) || !skep_calc_number(ctx, &a[1], &y) || y == 0)
        return SKEP_CALC__NULL;
    return skep_calc__double(x / y);
}

static skep_value mod(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    double x, y;
    (void)e;
    if (a[0].type == SKEP_TYPE_INT && a[1].type == SKEP_TYPE_INT && a[1].i != 0)
        return skep_calc__int(a[1].i == -1 ? 0 : a[0].i % a[1].i);
    if (!skep_calc_number(ctx, &a[0], &x) || !skep_calc_number(ctx, &a[1], &y) || y == 0)
        return SKEP_CALC__NULL;
    return skep_calc__double(fmod(x, y));
}

static skep_value pow_(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    double x, y;
    (void)e;
    if (!skep_calc_number(ctx, &a[0], &x) || !skep_calc_number(ctx, &a[1], &y))
        return SKEP_CALC__NULL;
    double f = pow(x, y);
    bool ints = a[0].type == SKEP_TYPE_INT && a[1].type == SKEP_TYPE_INT;
    return ints ? skep_calc__whole(f) : skep_calc__double(f);
}

static skep_value neg(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    double x;
    (void)e;
    if (a[0].type == SKEP_TYPE_INT && a[0].i != INT64_MIN)
        return skep_calc__int(-a[0].i);
    return skep_calc_number(ctx, &a[0], &x) ? skep_calc__double(-x) : SKEP_CALC__NULL;
}

static skep_value abs_(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    double x;
    (void)e;
    if (a[0].type == SKEP_TYPE_INT && a[0].i != INT64_MIN)
        return skep_calc__int(a[0].i < 0 ? -a[0].i : a[0].i);
    return skep_calc_number(ctx, &a[0], &x) ? skep_calc__double(fabs(x)) : SKEP_CALC__NULL;
}

static skep_value ceil_(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    double x;
    (void)e;
    if (a[0].type == SKEP_TYPE_INT)
        return a[0];
    return skep_calc_number(ctx, &a[0], &x) ? skep_calc__whole(ceil(x)) : SKEP_CALC__NULL;
}

static skep_value floor_(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    double x;
    (void)e;
    if (a[0].type == SKEP_TYPE_INT)
        return a[0];
    return skep_calc_number(ctx, &a[0], &x) ? skep_calc__whole(floor(x)) : SKEP_CALC__NULL;
}

/* Half goes away from zero. */
static skep_value round_(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    double x;
    int64_t digits = 0;
    if (!skep_calc_number(ctx, &a[0], &x) ||
        (e->n_args > 1 && !skep_calc__int_of(ctx, &a[1], &digits)))
        return SKEP_CALC__NULL;
    if (digits == 0)
        return a[0].type == SKEP_TYPE_INT ? a[0] : skep_calc__whole(round(x));
    if (digits < -18 || digits > 18)
        return SKEP_CALC__NULL;
    double scale = pow(10, (double)digits);
    return skep_calc__double(round(x * scale) / scale);
}

/* The numbers among the arguments, if all are; else the texts. */
static skep_value extreme(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a,
                          int sign)
{
    const skep_value *best = &a[0];
    int c;
    for (unsigned i = 0; i < e->n_args; i++) {
        if (!skep_calc_compare(ctx, &a[i], best, &c))
            return SKEP_CALC__NULL;
        best = c * sign > 0 ? &a[i] : best;
    }
    return *best;
}

static skep_value greatest(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                           const skep_value *a)
{
    return extreme(ctx, e, a, 1);
}

static skep_value least(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    return extreme(ctx, e, a, -1);
}

static skep_value log_(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    double x;
    (void)e;
    return skep_calc_number(ctx, &a[0], &x) && x > 0 ? skep_calc__double(log(x)) : SKEP_CALC__NULL;
}

static skep_value sqrt_(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    double x;
    (void)e;
    return skep_calc_number(ctx, &a[0], &x) && x >= 0 ? skep_calc__double(sqrt(x))
                                                      : SKEP_CALC__NULL;
}

/* Kilometres between two places on a globe of 6371 km. */
static skep_value haversine(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                            const skep_value *a)
{
    static const double radian = 0.017453292519943295;
    double v[4];
    (void)e;
    for (unsigned i = 0; i < 4; i++)
        if (!skep_calc_number(ctx, &a[i], &v[i]))
            return SKEP_CALC__NULL;
    double dlat = (v[2] - v[0]) * radian / 2, dlon = (v[3] - v[1]) * radian / 2;
    double h =
        sin(dlat) * sin(dlat) + cos(v[0] * radian) * cos(v[2] * radian) * sin(dlon) * sin(dlon);
    return skep_calc__double(2 * 6371.0 * asin(sqrt(fmin(h, 1))));
}

/* Text, number or bool as a number, whatever the context's rules. */
static bool forced(const skep_value *v, double *ret)
{
    const struct skep_calc_ctx loose = {.loose = true};
    return skep_calc_number(&loose, v, ret);
}

static skep_value to_number(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                            const skep_value *a)
{
    double f;
    int64_t i;
    (void)ctx;
    (void)e;
    if (a[0].type == SKEP_TYPE_INT || a[0].type == SKEP_TYPE_DOUBLE)
        return a[0];
    if (a[0].type == SKEP_TYPE_STRING && skep_str_i64(skep_str_trim(a[0].s), &i))
        return skep_calc__int(i);
    return forced(&a[0], &f) ? skep_calc__double(f) : SKEP_CALC__NULL;
}

static skep_value to_int(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    double f;
    skep_value v = to_number(ctx, e, a);
    if (v.type == SKEP_TYPE_INT)
        return v;
    return forced(&v, &f) && fabs(f) < 9.2e18 ? skep_calc__int((int64_t)f) : SKEP_CALC__NULL;
}

static skep_value to_double(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                            const skep_value *a)
{
    double f;
    (void)ctx;
    (void)e;
    return forced(&a[0], &f) ? skep_calc__double(f) : SKEP_CALC__NULL;
}

static skep_value is_numeric(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                             const skep_value *a)
{
    double f;
    (void)ctx;
    (void)e;
    return skep_calc__bool(a[0].type != SKEP_TYPE_BOOL && forced(&a[0], &f));
}

#define N "numeric"
const struct skep_calc_fn skep_calc__numbers[] = {
    {"add", "a + b", "The sum.", "operator", 2, 2, add, NULL, SKEP_CALC_TIME_AS_ARGS},
    {"sub", "a - b", "The difference.", "operator", 2, 2, sub, NULL, 0},
    {"mul", "a * b", "The product.", "operator", 2, 2, mul, NULL, 0},
    {"div", "a / b", "The quotient, with a fraction.", "operator", 2, 2, div_, NULL, 0},
    {"mod", "a % b", "The rest of the division.", "operator", 2, 2, mod, NULL, 0},
    {"pow", "a ^ b", "a to the power of b.", "operator", 2, 2, pow_, NULL, 0},
    {"neg", "-a", "The negative.", "operator", 1, 1, neg, NULL, 0},
    {"abs", "abs(a)", "The absolute value.", N, 1, 1, abs_, NULL, 0},
    {"ceil", "ceil(a)", "The smallest whole number that is not less.", N, 1, 1, ceil_, NULL, 0},
    {"floor", "floor(a)", "The largest whole number that is not more.", N, 1, 1, floor_, NULL, 0},
    {"round", "round(a[, digits])", "Rounded; half goes away from zero.", N, 1, 2, round_, NULL, 0},
    {"greatest", "greatest(a, ...)", "The largest.", N, 1, SKEP_LIMIT_CALC_ARGS, greatest, NULL,
     SKEP_CALC_TIME_AS_ARGS},
    {"least", "least(a, ...)", "The smallest.", N, 1, SKEP_LIMIT_CALC_ARGS, least, NULL,
     SKEP_CALC_TIME_AS_ARGS},
    {"log", "log(a)", "The natural logarithm.", N, 1, 1, log_, NULL, 0},
    {"sqrt", "sqrt(a)", "The square root.", N, 1, 1, sqrt_, NULL, 0},
    {"haversine", "haversine(lat1, lon1, lat2, lon2)", "Kilometres between two places.", N, 4, 4,
     haversine, NULL, 0},
    {"toNumber", "toNumber(a)", "A text as the number it writes.", N, 1, 1, to_number, NULL, 0},
    {"toInt", "toInt(a)", "As a whole number, cut.", N, 1, 1, to_int, NULL, 0},
    {"toLong", "toLong(a)", "As a whole number, cut.", N, 1, 1, to_int, NULL, 0},
    {"toDouble", "toDouble(a)", "As a number with a fraction.", N, 1, 1, to_double, NULL, 0},
    {"isNumeric", "isNumeric(a)", "Is it a number, or a text that writes one?", N, 1, 1, is_numeric,
     NULL, 0},
    {.name = NULL},
};
