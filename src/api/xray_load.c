// SPDX-License-Identifier: Apache-2.0
/* Traces for X-Ray's operations: filter expressions, services that report twice, one trace whole.
 *
 * A service that reports by X-Ray and by another wire in the range asked is shown by its X-Ray
 * segments alone (design, "One request, two tracers"); one that reports by one wire is left alone.
 *
 * Threads: the request's worker.  Memory: the arenas given. */
#include "api/xray_load.h"

#include "api/xray_admin.h"
#include "base/assert.h"

enum { SERVICES_MAX = 1000 };

static bool find_group(void *ctx, skep_str name, bool arn, struct skep_arena *arena, skep_str *ret)
{
    (void)arena; /* is the request's */
    return skep_api__xray_group_find(ctx, name, arn, ret);
}

bool skep_api__xray_expression(struct skep_api__xray *x, skep_str text,
                               const struct skep_xray_expr **ret)
{
    struct skep_lang_issue issue;
    const struct skep_xray_groups groups = {.ctx = x, .find = find_group};
    if (skep_xray_parse(text, &groups, &x->job->arena, ret, &issue) == SKEP_OK)
        return true;
    skep_api__xray_fail(x, SKEP_XRAY_INVALID_REQUEST,
                        "Invalid filter expression at position %zu: %s", issue.at, issue.text);
    return false;
}

static const struct skep_expr *from_xray(struct skep_arena *arena)
{
    struct skep_expr *e = skep_new(arena, struct skep_expr);
    skep_value *v = skep_new(arena, skep_value);
    *v = (skep_value){.type = SKEP_TYPE_STRING, .s = SKEP_STR("xray")};
    e->op = SKEP_EXPR_TEST;
    e->test = (struct skep_test){
        .field = {.name = SKEP_STR("meta.source")}, .op = SKEP_CMP_EQ, .values = v, .n_values = 1};
    return e;
}

bool skep_api__xray_twice(struct skep_api__xray *x, struct skep_time_range range,
                          struct skep_xray_twice *ret)
{
    struct skep_arena *arena = &x->job->arena;
    skep_err err;
    struct skep_result *r = NULL;
    static const struct skep_field_ref group = {.name = SKEP_STR_INIT("service.name")};
    static const struct skep_agg count = {.op = SKEP_AGG_COUNT, .key = SKEP_STR_INIT("COUNT")};
    struct skep_plan plan = {.kind = SKEP_PLAN_AGGREGATE,
                             .range = range,
                             .filter = from_xray(arena),
                             .groups = &group,
                             .n_groups = 1,
                             .aggs = &count,
                             .n_aggs = 1,
                             .ignore_sample_rate = true,
                             .limit = SERVICES_MAX};
    skep_rc rc = skep_query_aggregate(x->job->api->cfg.store, &plan, &x->job->opts, &r, &err);
    if (rc != SKEP_OK) {
        skep_api__xray_fail_rc(x, rc, &err);
        return false;
    }
    skep_str *names = skep_new_n(arena, skep_str, r->n_groups + 1);
    size_t n = 0;
    for (size_t i = 0; i < r->n_groups; i++)
        if (r->groups[i].key[0].type == SKEP_TYPE_STRING)
            names[n++] = r->groups[i].key[0].s;
    *ret = (struct skep_xray_twice){.services = names, .n = n};
    return true;
}

skep_rc skep_api__xray_load(struct skep_api__xray *x, const struct skep_api__xray_ask *ask,
                            struct skep_arena *arena, struct skep_xray_trace *ret, skep_err *err)
{
    struct skep_answer a = {0};
    struct skep_run_opts opts = x->job->opts;
    struct skep_plan plan = {.kind = SKEP_PLAN_TRACE,
                             .range = {INT64_MIN, INT64_MAX},
                             .trace_id = ask->id,
                             .raw = ask->raw};
    opts.arena = arena;
    opts.progress = NULL; /* a trace at a time says nothing of the whole */
    SKEP_TRY(skep_query_run(x->job->api->cfg.store, &plan, &opts, &a, err));
    skep_xray_assemble(&a.rows, &ask->twice, arena, ret);
    return SKEP_OK;
}
