// SPDX-License-Identifier: Apache-2.0
/* One request, two tracers: a program that reports the same request through OpenTelemetry (or
 * events) and through X-Ray is counted once (design.md).
 *
 *   services with X-Ray rows in the plan's range and dataset            question 1
 *   of those, services with rows of other tracers there                 question 2
 *   plan's filter AND NOT (meta.source = xray AND service.name IN them)
 *
 * A service with one source is never filtered.  Stores that never had a row of X-Ray are asked
 * nothing: the ledger knows.  Both questions are counts by service, whose answers over whole
 * segments are kept.
 *
 * I1  what is left out depends on the rows of the plan's range alone, not on its filter: an answer
 *     and its drill-down leave out the same.
 * Threads: the caller's; blocks.  Memory: opts->arena. */
#include "query/query.h"

#include "base/assert.h"
#include "event/ledger.h"
#include "query/query_priv.h"

enum { SERVICES_MAX = 1000 };

static const skep_value xray[] = {{.type = SKEP_TYPE_STRING, .s = {"xray", 4}}};
static const skep_value others[] = {{.type = SKEP_TYPE_STRING, .s = {"otlp", 4}},
                                    {.type = SKEP_TYPE_STRING, .s = {"events", 6}}};

static bool ever_had_xray(struct skep_store *store)
{
    struct skep_store_ledger l = {0};
    bool any = false;
    if (!store->ops->ledger)
        return true;
    store->ops->ledger(store, 0, false, &l);
    for (size_t i = 0; i < l.counts.n && !any; i++) {
        struct skep_ledger_key k;
        any = skep_ledger_unpack(l.counts.items[i].key, &k) && k.source == SKEP_SOURCE_XRAY &&
              k.what == SKEP_LEDGER_STORED && l.counts.items[i].n > 0;
    }
    skep_ledger_done(&l.counts);
    return any;
}

static struct skep_expr *equals(struct skep_arena *a, skep_str field, const skep_value *values,
                                size_t n)
{
    struct skep_expr *e = skep_new(a, struct skep_expr);
    *e = (struct skep_expr){
        .op = SKEP_EXPR_TEST,
        .test = {
            .field.name = field, .op = SKEP_CMP_EQ, .values = values, .n_values = (unsigned)n}};
    return e;
}

static struct skep_expr *both(struct skep_arena *a, struct skep_expr *x, struct skep_expr *y)
{
    struct skep_expr **kids = skep_new_n(a, struct skep_expr *, 2);
    struct skep_expr *e = skep_new(a, struct skep_expr);
    kids[0] = x;
    kids[1] = y;
    *e = (struct skep_expr){.op = SKEP_EXPR_AND, .kids = kids, .n_kids = 2};
    return e;
}

/* Services with rows that pass the filter, in the plan's range and dataset. */
static skep_rc services(struct skep_store *store, const struct skep_plan *plan,
                        const struct skep_run_opts *opts, const struct skep_expr *filter,
                        skep_value **ret, size_t *ret_n, skep_err *err)
{
    static const struct skep_field_ref group = {.name = {"service.name", 12}};
    static const struct skep_agg count = {.op = SKEP_AGG_COUNT, .key = {"COUNT", 5}};
    const struct skep_plan ask = {.kind = SKEP_PLAN_AGGREGATE,
                                  .range = plan->range,
                                  .dataset = plan->dataset,
                                  .filter = filter,
                                  .groups = &group,
                                  .n_groups = 1,
                                  .aggs = &count,
                                  .n_aggs = 1,
                                  .ignore_sample_rate = true,
                                  .limit = SERVICES_MAX};
    struct skep_run_opts alone = *opts;
    struct skep_result *r = NULL;
    alone.also = NULL;
    alone.progress = NULL;
    SKEP_TRY(skep_query_aggregate(store, &ask, &alone, &r, err));
    *ret = skep_new_n(opts->arena, skep_value, r->n_groups + 1);
    *ret_n = 0;
    for (size_t i = 0; i < r->n_groups; i++)
        if (r->groups[i].key[0].type == SKEP_TYPE_STRING)
            (*ret)[(*ret_n)++] = r->groups[i].key[0];
    return SKEP_OK;
}

static bool counts_requests(const struct skep_plan *p)
{
    return p->kind == SKEP_PLAN_AGGREGATE || p->kind == SKEP_PLAN_TRACES ||
           p->kind == SKEP_PLAN_FACETS || (p->kind == SKEP_PLAN_ROWS && !p->arrival_order);
}

skep_rc skep_query__once(struct skep_store *store, struct skep_plan *plan,
                         const struct skep_run_opts *opts, skep_err *err)
{
    struct skep_also *also = opts->also;
    if (!also || !counts_requests(plan) || !ever_had_xray(store))
        return SKEP_OK;
    struct skep_arena *a = opts->arena;
    skep_value *some, *twice;
    size_t n_some, n_twice;
    *also = (struct skep_also){0};
    const skep_str source = SKEP_STR("meta.source"), service = SKEP_STR("service.name");
    SKEP_TRY(services(store, plan, opts, equals(a, source, xray, 1), &some, &n_some, err));
    if (n_some == 0)
        return SKEP_OK;
    struct skep_expr *elsewhere = both(a, equals(a, source, others, SKEP_ARRAY_LEN(others)),
                                       equals(a, service, some, n_some));
    SKEP_TRY(services(store, plan, opts, elsewhere, &twice, &n_twice, err));
    if (n_twice == 0)
        return SKEP_OK;
    struct skep_expr **kids = skep_new_n(a, struct skep_expr *, 1);
    struct skep_expr *not = skep_new(a, struct skep_expr);
    kids[0] = both(a, equals(a, source, xray, 1), equals(a, service, twice, n_twice));
    *not = (struct skep_expr){.op = SKEP_EXPR_NOT, .kids = kids, .n_kids = 1};
    if (plan->filter) {
        struct skep_expr *asked = skep_new(a, struct skep_expr);
        *asked = *plan->filter;
        plan->filter = both(a, asked, not );
    } else {
        plan->filter = not ;
    }
    skep_str *names = skep_new_n(a, skep_str, n_twice);
    for (size_t i = 0; i < n_twice; i++)
        names[i] = twice[i].s;
    *also = (struct skep_also){names, n_twice};
    return SKEP_OK;
}
