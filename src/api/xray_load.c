// SPDX-License-Identifier: Apache-2.0
/* Traces for X-Ray's operations: filter expressions, services that report twice, one trace whole.
 *
 * A service that reports by X-Ray and by another wire in the range asked is shown by its X-Ray
 * segments alone (design, "One request, two tracers"); one that reports by one wire is left alone.
 *
 * Threads: the request's worker.  Memory: the arenas given. */
#include "api/xray_load.h"
#include "api/graph.h"

#include "api/xray_admin.h"
#include "base/assert.h"

static bool find_group(void *ctx, skep_str name, bool arn, struct skep_arena *arena, skep_str *ret)
{
    (void)arena; /* is the request's */
    return skep_api__xray_group_find(ctx, name, arn, ret);
}

skep_rc skep_api__xray_read(struct skep_api__xray *x, skep_str text,
                            const struct skep_xray_expr **ret, struct skep_lang_issue *issue)
{
    const struct skep_xray_groups groups = {.ctx = x, .find = find_group};
    return skep_xray_parse(text, &groups, &x->job->arena, ret, issue);
}

bool skep_api__xray_expression(struct skep_api__xray *x, skep_str text,
                               const struct skep_xray_expr **ret)
{
    struct skep_lang_issue issue;
    if (skep_api__xray_read(x, text, ret, &issue) == SKEP_OK)
        return true;
    skep_api__xray_fail(x, SKEP_XRAY_INVALID_REQUEST,
                        "Invalid filter expression at position %zu: %s", issue.at, issue.text);
    return false;
}

bool skep_api__xray_twice(struct skep_api__xray *x, struct skep_time_range range,
                          struct skep_xray_twice *ret)
{
    skep_err err;
    skep_rc rc = skep_graph_twice(x->job->api->cfg.store, &x->job->opts, range, ret, &err);
    if (rc != SKEP_OK)
        skep_api__xray_fail_rc(x, rc, &err);
    return rc == SKEP_OK;
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
