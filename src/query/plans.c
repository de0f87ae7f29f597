// SPDX-License-Identifier: Apache-2.0
/* Plans made here: values of a field, and the granularity a range gets when nobody says.
 *
 * Threads: any.  Memory: the arena given. */
#include "base/assert.h"
#include "query/query.h"

#define MS  INT64_C(1000000)
#define S   (1000 * MS)
#define MIN (60 * S)
#define H   (60 * MIN)
#define D   (24 * H)

enum { BUCKETS = 120 };

static const int64_t ladder[] = {
    1 * MS,   2 * MS, 5 * MS, 10 * MS, 20 * MS, 50 * MS, 100 * MS, 200 * MS, 500 * MS, 1 * S,
    2 * S,    5 * S,  10 * S, 15 * S,  30 * S,  1 * MIN, 2 * MIN,  5 * MIN,  10 * MIN, 15 * MIN,
    30 * MIN, 1 * H,  2 * H,  3 * H,   4 * H,   6 * H,   12 * H,   1 * D,    2 * D,    7 * D,
};

int64_t skep_query_auto_granularity(struct skep_time_range range)
{
    skep_assert(range.end_ns > range.start_ns);
    uint64_t span = (uint64_t)range.end_ns - (uint64_t)range.start_ns;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(ladder); i++)
        if (span / (uint64_t)ladder[i] <= BUCKETS)
            return ladder[i];
    uint64_t step = (uint64_t)7 * D;
    while (span / step > BUCKETS)
        step *= 2;
    return (int64_t)step;
}

const struct skep_plan *skep_query_values_plan(struct skep_arena *a, const struct skep_plan *base,
                                               skep_str field, skep_str prefix, unsigned limit)
{
    skep_assert(field.n > 0);
    struct skep_plan *p = skep_new(a, struct skep_plan);
    *p = (struct skep_plan){.kind = SKEP_PLAN_AGGREGATE,
                            .range = base->range,
                            .dataset = base->dataset,
                            .ignore_sample_rate = true,
                            .limit = limit};
    struct skep_field_ref *group = skep_new(a, struct skep_field_ref);
    group->name = field;
    p->groups = group;
    p->n_groups = 1;
    struct skep_agg *count = skep_new(a, struct skep_agg);
    *count = (struct skep_agg){.op = SKEP_AGG_COUNT, .key = SKEP_STR("COUNT")};
    p->aggs = count;
    p->n_aggs = 1;
    struct skep_order *order = skep_new(a, struct skep_order);
    *order = (struct skep_order){.by_agg = true, .descending = true};
    p->orders = order;
    p->n_orders = 1;

    struct skep_expr *test = skep_new(a, struct skep_expr);
    test->op = SKEP_EXPR_TEST;
    test->test = (struct skep_test){.field.name = field, .op = SKEP_CMP_EXISTS};
    if (prefix.n > 0) {
        skep_value *v = skep_new(a, skep_value);
        *v = (skep_value){.type = SKEP_TYPE_STRING, .s = prefix};
        test->test = (struct skep_test){.field.name = field,
                                        .op = SKEP_CMP_STARTS,
                                        .values = v,
                                        .n_values = 1,
                                        .fold_case = true};
    }
    p->filter = test;
    if (base->filter) {
        struct skep_expr **kids = skep_new_n(a, struct skep_expr *, 2);
        struct skep_expr *base_copy = skep_new(a, struct skep_expr);
        *base_copy = *base->filter;
        kids[0] = base_copy;
        kids[1] = test;
        struct skep_expr *both = skep_new(a, struct skep_expr);
        *both = (struct skep_expr){.op = SKEP_EXPR_AND, .kids = kids, .n_kids = 2};
        p->filter = both;
    }
    return p;
}
