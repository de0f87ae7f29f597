// SPDX-License-Identifier: Apache-2.0
/* Traces by X-Ray's filter expression and by whole duration, for POST /skep/v1/traces.
 *
 *   candidates: the plan's filter AND the sharpest filter of the expression AND how long they last
 *     -> the filter is the whole expression: they are the list
 *     -> else the trace, whole; does the expression select it?                (xray_match.c)
 *   a distribution: the same without how long they last, durations of the first LOOK_MAX
 *
 * I1  An expression selects what it selects in GetTraceSummaries: the same filter, the same look
 *     at the assembled trace, the same services taken from X-Ray alone.
 * I2  Only where a filter does not say all (root causes, inferred nodes, what of the assembled
 * trace alone is known) are traces looked at: at most LOOK_MAX candidates, for LOOK_NS; the answer
 *     says how many, and whether there are others.
 *
 * Threads: the request's worker.  Memory: the request's arena, and one a trace. */
#include "api/page_narrow.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/graph.h"
#include "api/xray_load.h"
#include "base/assert.h"

enum { LOOK_MAX = 2000 };
static const int64_t look_ns = 3000000000;

struct look {
    struct skep_api__job *job;
    struct skep_api__xray x; /* its job alone is used */
    const struct skep_lang_narrow *narrow;
    const struct skep_xray_expr *expr; /* NULL = none */
    bool exact;                        /* the plan's filter says all of it */
    bool rooted;                       /* ... of traces with a root */
    struct skep_xray_twice twice;
    struct skep_plan plan; /* of the candidates */
    size_t limit;          /* of the list */
};

static struct skep_expr *node(struct look *l, enum skep_expr_op op, const struct skep_expr *a,
                              const struct skep_expr *b)
{
    struct skep_expr *e = skep_new(&l->job->arena, struct skep_expr);
    struct skep_expr **kids = skep_new_n(&l->job->arena, struct skep_expr *, 2);
    kids[0] = (struct skep_expr *)(uintptr_t)a;
    kids[1] = (struct skep_expr *)(uintptr_t)b;
    *e = (struct skep_expr){.op = op, .kids = kids, .n_kids = a ? (b ? 2 : 1) : 0};
    return e;
}

static void also(struct look *l, const struct skep_expr *f)
{
    if (f)
        l->plan.filter = l->plan.filter ? node(l, SKEP_EXPR_AND, l->plan.filter, f) : f;
}

/* Does it ask the root?  A trace may have none; its entry is then another span. */
static bool needs_root(const struct skep_expr *e)
{
    bool yes = e && e->op == SKEP_EXPR_TEST && e->test.field.relation == SKEP_REL_ROOT;
    for (unsigned i = 0; e && i < e->n_kids && !yes; i++)
        yes = needs_root(e->kids[i]);
    return yes;
}

/* Rows of traces that may pass; traces without a root are looked at one by one. */
static void sharpen(struct look *l)
{
    const struct skep_expr *f = NULL;
    l->exact = false;
    if (l->twice.n) /* the root that counts may be another than the rows' */
        return;
    bool exact = false;
    skep_xray_filter(l->expr, SKEP_REL_ROOT, &l->job->arena, &f, &exact);
    l->rooted = exact;
    l->exact = exact && !needs_root(f);
    if (!f || l->exact) {
        also(l, f);
        return;
    }
    struct skep_expr *has_root =
        node(l, SKEP_EXPR_RELATED, node(l, SKEP_EXPR_TRUE, NULL, NULL), NULL);
    has_root->relation = SKEP_REL_ROOT;
    also(l, node(l, SKEP_EXPR_OR, f, node(l, SKEP_EXPR_NOT, has_root, NULL)));
}

/* Traces that last so long, min <= d < max. */
static void lasting(struct look *l)
{
    const enum skep_cmp ops[] = {SKEP_CMP_GE, SKEP_CMP_LT};
    const double ms[] = {l->narrow->min_ms, l->narrow->max_ms};
    for (int i = 0; i < 2; i++) {
        struct skep_expr *e = node(l, SKEP_EXPR_LASTS, NULL, NULL);
        skep_value *v = skep_new(&l->job->arena, skep_value);
        *v = (skep_value){.type = SKEP_TYPE_DOUBLE, .f = ms[i]};
        e->test = (struct skep_test){.op = ops[i], .values = v, .n_values = 1};
        if (isfinite(ms[i]))
            also(l, e);
    }
}

static bool read_expression(struct look *l)
{
    struct skep_lang_issue issue;
    skep_err err;
    if (l->narrow->expression.n == 0)
        return true;
    if (skep_api__xray_read(&l->x, l->narrow->expression, &l->expr, &issue) != SKEP_OK) {
        (void)snprintf(issue.field, sizeof issue.field, "filter_expression");
        skep_api__job_fail_issue(l->job, &issue);
        return false;
    }
    skep_rc rc =
        skep_graph_twice(l->job->api->cfg.store, &l->job->opts, l->plan.range, &l->twice, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(l->job, rc, &err);
        return false;
    }
    sharpen(l);
    return true;
}

static skep_rc selects(struct look *l, const struct skep_trace_summary *summary,
                       struct skep_arena *arena, bool *ret, skep_err *err)
{
    struct skep_xray_trace t;
    const struct skep_api__xray_ask ask = {.id = summary->id, .twice = l->twice};
    *ret = !l->expr || l->exact || (l->rooted && summary->has_root);
    if (*ret)
        return SKEP_OK;
    skep_arena_reset(arena);
    skep_rc rc = skep_api__xray_load(&l->x, &ask, arena, &t, err);
    if (rc == SKEP_ENOTFOUND) /* deleted in between */
        return SKEP_OK;
    SKEP_TRY(rc);
    *ret = skep_xray_match(&t, l->expr);
    return SKEP_OK;
}

/* The list is closed up in place. */
static skep_rc look_at_all(struct look *l, struct skep_traces *list, struct skep_arena *arena,
                           struct skep_api__narrowed *ret, skep_err *err)
{
    const struct skep_os *os = l->job->api->cfg.os;
    int64_t begin = os->mono_ns(os);
    size_t n = 0, i = 0;
    for (; i < list->n; i++) {
        const struct skep_trace_summary *t = &list->traces[i];
        double ms = (double)(t->end_ns - t->start_ns) / 1e6;
        bool yes;
        if ((!ret->durations_ms && n == l->limit) || (i && os->mono_ns(os) - begin > look_ns))
            break;
        SKEP_TRY(selects(l, t, arena, &yes, err));
        if (!yes)
            continue;
        if (ret->durations_ms)
            ret->durations_ms[ret->n_durations++] = ms;
        if (n < l->limit)
            list->traces[n++] = *t;
    }
    ret->looked = i;
    ret->looked_all =
        (i == list->n && list->n < l->plan.limit) || (n == l->limit && (l->exact || l->rooted));
    list->n = n;
    return SKEP_OK;
}

/* Durations of the first traces, and those traces. */
static skep_rc distribution(struct look *l, struct skep_arena *arena, struct skep_answer *ret,
                            struct skep_api__narrowed *ret_narrowed, skep_err *err)
{
    ret_narrowed->durations_ms = skep_new_n(&l->job->arena, double, l->plan.limit);
    SKEP_TRY(skep_query_run(l->job->api->cfg.store, &l->plan, &l->job->opts, ret, err));
    SKEP_TRY(look_at_all(l, &ret->traces, arena, ret_narrowed, err));
    ret_narrowed->looked_all = ret_narrowed->looked < l->plan.limit;
    return SKEP_OK;
}

static skep_rc lists(struct look *l, struct skep_arena *arena, struct skep_answer *ret,
                     struct skep_api__narrowed *ret_narrowed, skep_err *err)
{
    if (l->narrow->has_duration)
        lasting(l);
    unsigned most = l->plan.limit;
    /* Mostly all have a root, and the first are the list. */
    if (l->exact || l->rooted)
        l->plan.limit = SKEP_MIN(most, (unsigned)l->limit * (l->exact ? 1 : 2));
    SKEP_TRY(skep_query_run(l->job->api->cfg.store, &l->plan, &l->job->opts, ret, err));
    SKEP_TRY(look_at_all(l, &ret->traces, arena, ret_narrowed, err));
    if (l->exact || ret_narrowed->looked_all || ret->traces.n == l->limit || l->plan.limit == most)
        return SKEP_OK;
    l->plan.limit = most;
    SKEP_TRY(skep_query_run(l->job->api->cfg.store, &l->plan, &l->job->opts, ret, err));
    return look_at_all(l, &ret->traces, arena, ret_narrowed, err);
}

bool skep_api__narrow(struct skep_api__job *job, const struct skep_plan *plan,
                      const struct skep_lang_narrow *n, struct skep_answer *ret,
                      struct skep_api__narrowed *ret_narrowed)
{
    struct look l = {.job = job,
                     .x = {.job = job},
                     .narrow = n,
                     .exact = true,
                     .plan = *plan,
                     .limit = plan->limit};
    struct skep_arena arena;
    skep_err err;
    if (n->expression.n)
        job->opts.also = NULL; /* here it is the segments that count */
    l.plan.limit = SKEP_MAX((unsigned)LOOK_MAX, plan->limit);
    if (!read_expression(&l))
        return false;
    skep_arena_init(&arena, "trace", &job->budget);
    skep_rc rc = SKEP_OK;
    if (n->distribution)
        rc = distribution(&l, &arena, ret, ret_narrowed, &err);
    if (rc == SKEP_OK && (n->has_duration || !n->distribution)) {
        struct skep_api__narrowed list = {.durations_ms = NULL};
        rc = lists(&l, &arena, ret, &list, &err);
        ret_narrowed->looked = SKEP_MAX(ret_narrowed->looked, list.looked);
        ret_narrowed->looked_all =
            list.looked_all && (ret_narrowed->looked_all || !n->distribution);
    }
    skep_arena_done(&arena);
    if (rc != SKEP_OK)
        skep_api__job_fail_rc(job, rc, &err);
    return rc == SKEP_OK;
}

void skep_api__put_narrowed(struct skep_api__job *job, const struct skep_api__narrowed *n)
{
    struct skep_json *json = &job->out.json;
    skep_json_put_u64(json, SKEP_STR("looked"), n->looked);
    skep_json_put_bool(json, SKEP_STR("looked_all"), n->looked_all);
    if (!n->durations_ms)
        return;
    skep_json_key(json, SKEP_STR("durations_ms"));
    skep_json_array(json);
    for (size_t i = 0; i < n->n_durations; i++)
        skep_json_f64(json, n->durations_ms[i]);
    skep_json_end(json);
}
