// SPDX-License-Identifier: Apache-2.0
/* Functions that choose between values, and what is known of the question.
 * Threads: any.  Memory: none. */
#include "base/assert.h"
#include "calc/calc_priv.h"

static skep_value is_present(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                             const skep_value *a)
{
    (void)ctx;
    (void)e;
    return skep_calc__bool(a[0].type != SKEP_TYPE_NULL);
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

static skep_value case_(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    (void)ctx;
    for (unsigned i = 0; i + 1 < e->n_args; i += 2)
        if (skep_calc_true(&a[i]))
            return a[i + 1];
    return e->n_args % 2 ? a[e->n_args - 1] : SKEP_CALC__NULL;
}

static skep_value size(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    char buf[64];
    skep_str s;
    (void)e;
    return skep_calc__text_of(ctx, &a[0], buf, &s) ? skep_calc__int((int64_t)s.n) : SKEP_CALC__NULL;
}

static skep_value query_start(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                              const skep_value *a)
{
    (void)e;
    (void)a;
    return skep_calc__int(ctx->start_ms);
}

static skep_value query_end(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                            const skep_value *a)
{
    (void)e;
    (void)a;
    return skep_calc__int(ctx->end_ms);
}

static skep_value query_range(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                              const skep_value *a)
{
    (void)e;
    (void)a;
    return skep_calc__int(ctx->end_ms - ctx->start_ms);
}

static skep_value now(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    (void)e;
    (void)a;
    return skep_calc__int(ctx->now_ms / 1000);
}

#define G "general"
const struct skep_calc_fn skep_calc__general[] = {
    {"ispresent", "ispresent(a)", "Has the row a value?", G, 1, 1, is_present, NULL, 0},
    {"coalesce", "coalesce(a, ...)", "The first that is not null.", G, 1, SKEP_LIMIT_CALC_ARGS,
     coalesce, NULL, SKEP_CALC_TIME_AS_ARGS},
    {"case", "case(condition, value, ...[, default])",
     "The value of the first condition that holds.", G, 2, SKEP_LIMIT_CALC_ARGS, case_, NULL,
     SKEP_CALC_TIME_AS_ARGS},
    {"if", "if(condition, then[, else])", "One of two values.", G, 2, 3, case_, NULL,
     SKEP_CALC_TIME_AS_ARGS},
    {"size", "size(a)", "The length of the text in bytes.", G, 1, 1, size, NULL, 0},
    {"queryStartTime", "queryStartTime()", "When the time asked about begins.", G, 0, 0,
     query_start, NULL, SKEP_CALC_TIME},
    {"queryEndTime", "queryEndTime()", "When it ends.", G, 0, 0, query_end, NULL, SKEP_CALC_TIME},
    {"queryTimeRange", "queryTimeRange()", "Its length in milliseconds.", G, 0, 0, query_range,
     NULL, 0},
    {"now", "now()", "The time now, in seconds since 1970.", "date", 0, 0, now, NULL, 0},
    {.name = NULL},
};
