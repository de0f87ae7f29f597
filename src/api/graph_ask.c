// SPDX-License-Identifier: Apache-2.0
/* The service graph as one question: an aggregate over segments and unanswered calls, each looked
 * at once, with its parent's numbers beside its own.
 *
 *   segments   spans where a service begins: server's and consumer's, and spans of other wires than
 *              X-Ray's whose parent is of another service, or not there.  Their own numbers are the
 *              node's; their parent's, where it is a call, the edge's
 *   calls      client and producer spans (and SQL) that no segment answers, by what they say of
 * whom they call.  Numbers of an inferred node and its edge both       a service may begin with a
 * call
 *
 *   group by   role, caller, service, parent's service, what names the node
 *   measure    COUNT, three outcomes, SUM and HEATMAP of the duration; the same of the parent
 *
 * Expressions that stand in several places are one object, which the engine answers once a block.
 * One difference to an assembled trace (graph_traces.c) remains: below an X-Ray subsegment whose
 * segment never came the trace knows no caller, here the row's service.name is it.
 *
 * Threads: one.  Memory: the graph's arena, and the question's budget. */
#include "api/graph_priv.h"

#include "base/assert.h"

enum { SERVICES_MAX = 1000 };

/* --- expressions --- */

static struct skep_expr *node(struct skep_graph__ask *a, enum skep_expr_op op, struct skep_expr *x,
                              struct skep_expr *y)
{
    struct skep_expr *e = skep_new(a->arena, struct skep_expr);
    struct skep_expr **kids = skep_new_n(a->arena, struct skep_expr *, 2);
    kids[0] = x;
    kids[1] = y;
    e->op = op;
    e->kids = kids;
    e->n_kids = x ? (y ? 2 : 1) : 0;
    return e;
}

static struct skep_expr *both(struct skep_graph__ask *a, struct skep_expr *x, struct skep_expr *y)
{
    return x && y ? node(a, SKEP_EXPR_AND, x, y) : x ? x : y;
}

static struct skep_expr *either(struct skep_graph__ask *a, struct skep_expr *x, struct skep_expr *y)
{
    return x && y ? node(a, SKEP_EXPR_OR, x, y) : x ? x : y;
}

static struct skep_expr *not_of(struct skep_graph__ask *a, struct skep_expr *x)
{
    return node(a, SKEP_EXPR_NOT, x, NULL);
}

static struct skep_expr *related(struct skep_graph__ask *a, enum skep_relation how,
                                 struct skep_expr *x)
{
    struct skep_expr *e = node(a, SKEP_EXPR_RELATED, x, NULL);
    e->relation = how;
    return e;
}

static struct skep_expr *test(struct skep_graph__ask *a, const char *name, enum skep_cmp op,
                              skep_value value)
{
    struct skep_expr *e = node(a, SKEP_EXPR_TEST, NULL, NULL);
    skep_value *v = skep_new(a->arena, skep_value);
    *v = value;
    e->test = (struct skep_test){.field = {.name = skep_str_c(name)},
                                 .op = op,
                                 .values = v,
                                 .n_values = value.type == SKEP_TYPE_NULL ? 0 : 1};
    return e;
}

static struct skep_expr *is(struct skep_graph__ask *a, const char *name, const char *text)
{
    return test(a, name, SKEP_CMP_EQ,
                (skep_value){.type = SKEP_TYPE_STRING, .s = skep_str_c(text)});
}

static struct skep_expr *is_set(struct skep_graph__ask *a, const char *name)
{
    return test(a, name, SKEP_CMP_EQ, (skep_value){.type = SKEP_TYPE_BOOL, .b = true});
}

static struct skep_expr *exists(struct skep_graph__ask *a, const char *name)
{
    return test(a, name, SKEP_CMP_EXISTS, (skep_value){.type = SKEP_TYPE_NULL});
}

static struct skep_expr *one_of(struct skep_graph__ask *a, const char *name, const char *x,
                                const char *y)
{
    struct skep_expr *e = test(a, name, SKEP_CMP_EQ, (skep_value){.type = SKEP_TYPE_NULL});
    skep_value *v = skep_new_n(a->arena, skep_value, 2);
    v[0] = (skep_value){.type = SKEP_TYPE_STRING, .s = skep_str_c(x)};
    v[1] = (skep_value){.type = SKEP_TYPE_STRING, .s = skep_str_c(y)};
    e->test.values = v;
    e->test.n_values = 2;
    return e;
}

static struct skep_expr *between(struct skep_graph__ask *a, const char *name, int64_t lo,
                                 int64_t hi)
{
    return both(a, test(a, name, SKEP_CMP_GE, (skep_value){.type = SKEP_TYPE_INT, .i = lo}),
                test(a, name, SKEP_CMP_LE, (skep_value){.type = SKEP_TYPE_INT, .i = hi}));
}

static struct skep_expr *status(struct skep_graph__ask *a, int64_t lo, int64_t hi)
{
    return either(a, between(a, "http.response.status_code", lo, hi),
                  between(a, "http.status_code", lo, hi));
}

/* What the question says in several places. */
struct terms {
    struct skep_expr *xray;           /* a row of X-Ray's; NULL: there are none */
    struct skep_expr *other;          /* a row of other wires; NULL: all are */
    struct skep_expr *serves, *kinds; /* server or consumer; client or producer */
    struct skep_expr *begins, *calls; /* a segment; an unanswered call */
    struct skep_expr *unnamed;        /* of a call that says nothing of whom it calls */
    struct skep_expr *measured;       /* a call with numbers of its own */
    struct skep_expr *root, *edge;    /* a segment that clients ask; that a measured call asks */
    struct skep_expr *faulty, *throttled, *erroneous;
};

/* --- outcomes of a row, as set_flags of xray_model.c has them --- */

static struct skep_expr *or_flag(struct skep_graph__ask *a, const struct terms *t, const char *flag,
                                 struct skep_expr *other)
{
    if (!t->xray)
        return other;
    return either(a, both(a, t->xray, is_set(a, flag)), both(a, t->other, other));
}

static void outcomes(struct skep_graph__ask *a, struct terms *t)
{
    struct skep_expr *failed = status(a, 400, 499);
    t->faulty =
        or_flag(a, t, "xray.fault",
                either(a, status(a, 500, 599), both(a, not_of(a, failed), is_set(a, "error"))));
    t->throttled = or_flag(a, t, "xray.throttle", status(a, 429, 429));
    t->erroneous = failed; /* throttles too */
    if (!t->xray)
        return;
    t->erroneous = either(a, or_flag(a, t, "xray.error", failed), t->throttled);
    /* By HTTP status nothing is a fault and an error; X-Ray's flags may be both. */
    t->throttled = both(a, t->throttled, not_of(a, t->faulty));
    t->erroneous = both(a, t->erroneous, not_of(a, t->faulty));
}

/* --- which rows --- */

/* Rows that a graph looks at: complete spans, of services that report twice X-Ray's alone. */
static struct skep_expr *rows(struct skep_graph__ask *a, const struct terms *t)
{
    struct skep_expr *e = is(a, "meta.kind", "span");
    if (t->xray)
        e = both(a, e,
                 test(a, "meta.in_progress", SKEP_CMP_NE,
                      (skep_value){.type = SKEP_TYPE_BOOL, .b = true}));
    if (a->ask->twice->n && !a->ask->once) {
        const struct skep_xray_twice *twice = a->ask->twice;
        skep_value *names = skep_new_n(a->arena, skep_value, twice->n);
        for (size_t i = 0; i < twice->n; i++)
            names[i] = (skep_value){.type = SKEP_TYPE_STRING, .s = twice->services[i]};
        struct skep_expr *other =
            test(a, "service.name", SKEP_CMP_NE, (skep_value){.type = SKEP_TYPE_NULL});
        other->test.values = names;
        other->test.n_values = (unsigned)twice->n;
        e = both(a, e, either(a, t->xray, other));
    }
    /* an expression is not changed by being part of another */
    return both(a, e, (struct skep_expr *)(uintptr_t)a->ask->filter);
}

static struct skep_expr *same_as_parent(struct skep_graph__ask *a, const char *name)
{
    struct skep_expr *e = node(a, SKEP_EXPR_SAME, NULL, NULL);
    e->same = (struct skep_field_ref){.name = skep_str_c(name), .relation = SKEP_REL_PARENT};
    return e;
}

/* Client's and producer's spans, not X-Ray's, that say whom they call: of those nobody looks at
 * their own names, of which there may be very many. */
static struct skep_expr *named(struct skep_graph__ask *a, const struct terms *t)
{
    static const char *const names[] = {
#define X(n) n,
        SKEP_GRAPH_NAMING(X)
#undef X
    };
    struct skep_expr *says = NULL;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(names); i++)
        says = either(a, says, exists(a, names[i]));
    return both(a, both(a, t->kinds, t->other), says);
}

/* Calls, as infer in xray_model.c finds them: spans that by their kind, to AWS or with SQL may be
 * calls, are no segment alone, and are answered by none. */
static void calls(struct skep_graph__ask *a, struct terms *t)
{
    struct skep_expr *says = named(a, t), *may = either(a, t->kinds, exists(a, "db.system"));
    may = either(a, may, either(a, is(a, "rpc.system", "aws-api"), exists(a, "aws.service")));
    struct skep_expr *alone = not_of(a, t->begins);
    if (t->xray) {
        may = either(a, may, exists(a, "aws.xray.namespace"));
        /* a subsegment without its segment is nobody's call */
        struct skep_expr *above = either(a, is(a, "span.kind", "server"), t->other);
        may = both(a, may, either(a, t->other, related(a, SKEP_REL_ANCESTOR, above)));
        alone = either(a, t->xray, alone);
    }
    may = both(a, both(a, may, not_of(a, t->serves)), either(a, t->kinds, alone));
    t->calls = both(a, either(a, says, may), not_of(a, related(a, SKEP_REL_CHILD, t->begins)));
    t->unnamed = both(a, t->calls, not_of(a, says));
}

static struct terms terms_of(struct skep_graph__ask *a)
{
    struct terms t = {.serves = one_of(a, "span.kind", "server", "consumer"),
                      .kinds = one_of(a, "span.kind", "client", "producer")};
    if (a->ask->twice->n > 0) {
        t.xray = is(a, "meta.source", "xray");
        t.other = not_of(a, t.xray);
    }
    t.begins = either(a, t.serves, both(a, t.other, not_of(a, same_as_parent(a, "service.name"))));
    calls(a, &t);
    t.measured = t.kinds;
    if (t.xray)
        t.measured = either(a, t.kinds, both(a, t.xray, not_of(a, is(a, "span.kind", "server"))));
    t.root = both(a, t.begins, is_set(a, "is_root"));
    t.edge = both(a, both(a, t.begins, not_of(a, is_set(a, "is_root"))),
                  related(a, SKEP_REL_PARENT, t.measured));
    outcomes(a, &t);
    return t;
}

/* --- the question --- */

static struct skep_agg count_of(const struct skep_expr *filter)
{
    return (struct skep_agg){.op = SKEP_AGG_COUNT, .key = SKEP_STR("n"), .filter = filter};
}

/* Of the row, or of its parent where that is a measured call. */
static void measures(struct skep_graph__ask *a, const struct terms *t, bool parent,
                     struct skep_agg *ret)
{
    struct skep_expr *outcome[] = {t->faulty, t->throttled, t->erroneous};
    const struct skep_field_ref duration = {.name = SKEP_STR("duration_ms"),
                                            .relation = parent ? SKEP_REL_PARENT : SKEP_REL_SELF};
    ret[SKEP_GRAPH_COUNT] = count_of(NULL); /* one call a segment */
    for (int i = 0; i < 3; i++) {
        struct skep_expr *e = outcome[i];
        if (parent)
            e = both(a, t->edge, related(a, SKEP_REL_PARENT, both(a, t->measured, e)));
        ret[SKEP_GRAPH_FAULT + i] = count_of(e);
    }
    ret[SKEP_GRAPH_SUM] = (struct skep_agg){.op = SKEP_AGG_SUM, .key = SKEP_STR("n")};
    ret[SKEP_GRAPH_HEAT] = (struct skep_agg){.op = SKEP_AGG_HEATMAP,
                                             .key = SKEP_STR("n"),
                                             .heat_scale = SKEP_HEAT_LOG,
                                             .heat_bins = SKEP_GRAPH_HEAT_BINS};
    ret[SKEP_GRAPH_SUM].field = ret[SKEP_GRAPH_HEAT].field = duration;
    ret[SKEP_GRAPH_SUM].filter = ret[SKEP_GRAPH_HEAT].filter = parent ? t->edge : NULL;
}

static void cases(struct skep_graph__ask *a, struct skep_field_ref *ret, const char *name,
                  const struct skep_expr *const *of, unsigned n)
{
    const struct skep_expr **list = skep_new_n(a->arena, const struct skep_expr *, n);
    memcpy(list, of, n * sizeof *list);
    *ret = (struct skep_field_ref){.name = skep_str_c(name), .cases = list, .n_cases = n};
}

static struct skep_field_ref *groups(struct skep_graph__ask *a, const struct terms *t)
{
    static const char *const names[] = {
#define X(n) n,
        SKEP_GRAPH_UNNAMED(X) SKEP_GRAPH_PLACE(X) SKEP_GRAPH_NAMING(X) SKEP_GRAPH_CALL(X)
#undef X
            "meta.source",
        "service.name", "dataset", "service.name"};
    _Static_assert(SKEP_ARRAY_LEN(names) == SKEP_GRAPH_ROLE, "the keys that are fields");
    const struct skep_expr *roles[] = {both(a, t->begins, t->calls), t->begins, t->calls};
    const struct skep_expr *callers[] = {t->root, t->edge};
    struct skep_field_ref *g = skep_new_n(a->arena, struct skep_field_ref, SKEP_GRAPH_KEYS);
    cases(a, &g[SKEP_GRAPH_ROLE], "role", roles, SKEP_ARRAY_LEN(roles));
    cases(a, &g[SKEP_GRAPH_CALLER], "caller", callers, SKEP_ARRAY_LEN(callers));
    for (unsigned i = 0; i < SKEP_GRAPH_ROLE; i++) {
        g[i].name = skep_str_c(names[i]);
        g[i].on = i < SKEP_GRAPH_OF_SEGMENTS ? t->unnamed
                  : i < SKEP_GRAPH_OF_CALLS  ? t->begins
                  : i < SKEP_GRAPH_SOURCE    ? t->calls
                                             : NULL;
    }
    g[SKEP_GRAPH_PARENT].relation = SKEP_REL_PARENT;
    return g;
}

skep_rc skep_graph_run(struct skep_store *store, const struct skep_run_opts *opts,
                       const struct skep_graph_ask *graph_ask, struct skep_graph *g, skep_err *err)
{
    struct skep_graph__ask a = {.arena = g->arena, .ask = graph_ask, .g = g};
    const struct terms t = terms_of(&a);
    struct skep_agg aggs[2 * SKEP_GRAPH_MEASURES];
    struct skep_result *r = NULL;
    measures(&a, &t, false, aggs);
    measures(&a, &t, true, &aggs[SKEP_GRAPH_MEASURES]);
    const struct skep_plan plan = {.kind = SKEP_PLAN_AGGREGATE,
                                   .range = graph_ask->range,
                                   .filter = both(&a, rows(&a, &t), either(&a, t.begins, t.calls)),
                                   .groups = groups(&a, &t),
                                   .n_groups = SKEP_GRAPH_KEYS,
                                   .aggs = aggs,
                                   .n_aggs = SKEP_ARRAY_LEN(aggs),
                                   .granularity_ns = graph_ask->granularity_ns,
                                   .ignore_sample_rate = !graph_ask->weighted,
                                   .limit = SKEP_LIMIT_PLAN_RESULT_GROUPS};
    SKEP_TRY(skep_query_aggregate(store, &plan, opts, &r, err));
    skep_graph__draw(&a, &plan, r);
    return SKEP_OK;
}

skep_rc skep_graph_twice(struct skep_store *store, const struct skep_run_opts *opts,
                         struct skep_time_range range, struct skep_xray_twice *ret, skep_err *err)
{
    struct skep_graph__ask a = {.arena = opts->arena};
    struct skep_result *r = NULL;
    static const struct skep_field_ref group = {.name = SKEP_STR_INIT("service.name")};
    static const struct skep_agg count = {.op = SKEP_AGG_COUNT, .key = SKEP_STR_INIT("COUNT")};
    const struct skep_plan plan = {.kind = SKEP_PLAN_AGGREGATE,
                                   .range = range,
                                   .filter = is(&a, "meta.source", "xray"),
                                   .groups = &group,
                                   .n_groups = 1,
                                   .aggs = &count,
                                   .n_aggs = 1,
                                   .ignore_sample_rate = true,
                                   .limit = SERVICES_MAX};
    SKEP_TRY(skep_query_aggregate(store, &plan, opts, &r, err));
    skep_str *names = skep_new_n(a.arena, skep_str, r->n_groups + 1);
    size_t n = 0;
    for (size_t i = 0; i < r->n_groups; i++)
        if (r->groups[i].key[0].type == SKEP_TYPE_STRING)
            names[n++] = r->groups[i].key[0].s;
    *ret = (struct skep_xray_twice){.services = names, .n = n};
    return SKEP_OK;
}
