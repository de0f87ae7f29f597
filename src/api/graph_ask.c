// SPDX-License-Identifier: Apache-2.0
/* The service graph as aggregates over relational columns: two questions, three with calls that
 * say nothing of whom they call.
 *
 *   segments   spans where a service begins: group by service and parent.service.  Their own
 *              numbers are the node's; their parent's, where it is a call, the edge's
 *   calls      client and producer spans (and SQL) that no server's span answers: group by service
 *              and what the call says of whom it calls.  Numbers of an inferred node and its edge
 *
 * A span that is neither a server's nor a consumer's is a segment if its parent is of another
 * service, or not there; that a question cannot say, so its groups are looked at: those inside one
 * service are dropped.
 *
 * Between this and an assembled trace (graph_traces.c) are two differences: below an X-Ray
 * subsegment whose segment never came the trace knows no caller, here the row's service.name is it;
 * and a call is taken for unanswered if a span that is no server's answers it, but is not the first
 * of its children.
 *
 * Threads: one.  Memory: the graph's arena, and the question's budget. */
#include "api/graph.h"

#include "base/assert.h"

enum { SERVICES_MAX = 1000 };

struct ask {
    struct skep_arena *arena;
    const struct skep_graph_ask *ask;
    bool xray;    /* there are rows of X-Ray's */
    bool begins;  /* some service begins with a span that is no server's */
    bool unnamed; /* some call says nothing of whom it calls */
    struct skep_graph *g;
};

/* --- expressions --- */

static struct skep_expr *node(struct ask *a, enum skep_expr_op op, struct skep_expr *x,
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

static struct skep_expr *both(struct ask *a, struct skep_expr *x, struct skep_expr *y)
{
    return x && y ? node(a, SKEP_EXPR_AND, x, y) : x ? x : y;
}

static struct skep_expr *either(struct ask *a, struct skep_expr *x, struct skep_expr *y)
{
    return x && y ? node(a, SKEP_EXPR_OR, x, y) : x ? x : y;
}

static struct skep_expr *not_of(struct ask *a, struct skep_expr *x)
{
    return node(a, SKEP_EXPR_NOT, x, NULL);
}

static struct skep_expr *related(struct ask *a, enum skep_relation how, struct skep_expr *x)
{
    struct skep_expr *e = node(a, SKEP_EXPR_RELATED, x, NULL);
    e->relation = how;
    return e;
}

static struct skep_expr *test(struct ask *a, const char *name, enum skep_cmp op, skep_value value)
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

static struct skep_expr *is(struct ask *a, const char *name, const char *text)
{
    return test(a, name, SKEP_CMP_EQ,
                (skep_value){.type = SKEP_TYPE_STRING, .s = skep_str_c(text)});
}

static struct skep_expr *is_set(struct ask *a, const char *name)
{
    return test(a, name, SKEP_CMP_EQ, (skep_value){.type = SKEP_TYPE_BOOL, .b = true});
}

static struct skep_expr *exists(struct ask *a, const char *name)
{
    return test(a, name, SKEP_CMP_EXISTS, (skep_value){.type = SKEP_TYPE_NULL});
}

static struct skep_expr *between(struct ask *a, const char *name, int64_t lo, int64_t hi)
{
    return both(a, test(a, name, SKEP_CMP_GE, (skep_value){.type = SKEP_TYPE_INT, .i = lo}),
                test(a, name, SKEP_CMP_LE, (skep_value){.type = SKEP_TYPE_INT, .i = hi}));
}

static struct skep_expr *status(struct ask *a, int64_t lo, int64_t hi)
{
    return either(a, between(a, "http.response.status_code", lo, hi),
                  between(a, "http.status_code", lo, hi));
}

static struct skep_expr *from_xray(struct ask *a)
{
    return is(a, "meta.source", "xray");
}

/* Server's or consumer's. */
static struct skep_expr *serves(struct ask *a)
{
    return either(a, is(a, "span.kind", "server"), is(a, "span.kind", "consumer"));
}

/* --- outcomes of a row, as set_flags of xray_model.c has them --- */

static struct skep_expr *or_flag(struct ask *a, const char *flag, struct skep_expr *other)
{
    if (!a->xray)
        return other;
    return either(a, both(a, from_xray(a), is_set(a, flag)),
                  both(a, not_of(a, from_xray(a)), other));
}

static struct skep_expr *faulty(struct ask *a)
{
    return or_flag(a, "xray.fault",
                   either(a, status(a, 500, 599),
                          both(a, is_set(a, "error"), not_of(a, status(a, 400, 499)))));
}

/* By HTTP status nothing is a fault and an error; X-Ray's flags may be both. */
static struct skep_expr *not_faulty(struct ask *a)
{
    return a->xray ? not_of(a, faulty(a)) : NULL;
}

static struct skep_expr *throttled(struct ask *a)
{
    return both(a, or_flag(a, "xray.throttle", status(a, 429, 429)), not_faulty(a));
}

/* Throttles too. */
static struct skep_expr *erroneous(struct ask *a)
{
    struct skep_expr *e = status(a, 400, 499);
    if (a->xray)
        e = either(a, or_flag(a, "xray.error", e), or_flag(a, "xray.throttle", e));
    return both(a, e, not_faulty(a));
}

/* --- questions --- */

enum { COUNT, FAULT, THROTTLE, ERROR, SUM, HEAT, MEASURES };
enum { HEAT_BINS = 100 };

/* The measures of the row, or of its parent. */
static void measures(struct ask *a, enum skep_relation of, struct skep_agg *ret)
{
    struct skep_expr *filters[MEASURES] = {
        [FAULT] = faulty(a), [THROTTLE] = throttled(a), [ERROR] = erroneous(a)};
    const struct skep_field_ref duration = {.name = SKEP_STR("duration_ms"), .relation = of};
    for (int i = 0; i < MEASURES; i++) {
        ret[i] = (struct skep_agg){.op = SKEP_AGG_COUNT, .key = SKEP_STR("n")};
        if (filters[i])
            ret[i].filter =
                of == SKEP_REL_SELF ? filters[i] : related(a, SKEP_REL_PARENT, filters[i]);
    }
    ret[SUM].op = SKEP_AGG_SUM;
    ret[HEAT].op = SKEP_AGG_HEATMAP;
    ret[HEAT].heat_scale = SKEP_HEAT_LOG;
    ret[HEAT].heat_bins = HEAT_BINS;
    ret[SUM].field = ret[HEAT].field = duration;
}

/* Rows that a graph looks at: complete spans, of services that report twice X-Ray's alone. */
static struct skep_expr *rows(struct ask *a)
{
    struct skep_expr *e = is(a, "meta.kind", "span");
    if (a->xray)
        e = both(a, e,
                 test(a, "meta.in_progress", SKEP_CMP_NE,
                      (skep_value){.type = SKEP_TYPE_BOOL, .b = true}));
    if (a->ask->twice->n && !a->ask->once) {
        const struct skep_xray_twice *t = a->ask->twice;
        skep_value *names = skep_new_n(a->arena, skep_value, t->n);
        for (size_t i = 0; i < t->n; i++)
            names[i] = (skep_value){.type = SKEP_TYPE_STRING, .s = t->services[i]};
        struct skep_expr *other =
            test(a, "service.name", SKEP_CMP_NE, (skep_value){.type = SKEP_TYPE_NULL});
        other->test.values = names;
        other->test.n_values = (unsigned)t->n;
        e = both(a, e, either(a, from_xray(a), other));
    }
    /* an expression is not changed by being part of another */
    return both(a, e, (struct skep_expr *)(uintptr_t)a->ask->filter);
}

static skep_rc run(struct ask *a, struct skep_store *store, const struct skep_run_opts *opts,
                   const struct skep_plan *plan, struct skep_result **ret, skep_err *err)
{
    struct skep_graph *g = a->g;
    SKEP_TRY(skep_query_aggregate(store, plan, opts, ret, err));
    const struct skep_result *r = *ret;
    g->rows_examined += r->rows_examined;
    g->estimated |= r->estimated;
    g->cut |= r->n_groups_total > r->n_groups;
    g->n_buckets = r->n_buckets;
    g->bucket_starts = r->bucket_starts;
    if (!r->complete && g->complete)
        g->missing = r->missing;
    g->complete &= r->complete;
    return SKEP_OK;
}

static struct skep_plan plan_of(struct ask *a, const struct skep_expr *filter,
                                const struct skep_field_ref *groups, unsigned n_groups,
                                const struct skep_agg *aggs, unsigned n_aggs)
{
    return (struct skep_plan){.kind = SKEP_PLAN_AGGREGATE,
                              .range = a->ask->range,
                              .filter = filter,
                              .groups = groups,
                              .n_groups = n_groups,
                              .aggs = aggs,
                              .n_aggs = n_aggs,
                              .granularity_ns = a->ask->granularity_ns,
                              .ignore_sample_rate = !a->ask->weighted,
                              .limit = SKEP_LIMIT_PLAN_RESULT_GROUPS};
}

/* --- answers --- */

static uint64_t whole(const struct skep_cell *c)
{
    return c->kind == SKEP_CELL_INT      ? (uint64_t)c->i
           : c->kind == SKEP_CELL_DOUBLE ? (uint64_t)(c->f + 0.5)
                                         : 0;
}

/* cells[i * step]: the measures, of which the first may be elsewhere. */
static struct skep_graph_stats stats_of(struct ask *a, const struct skep_result *r, unsigned first,
                                        const struct skep_cell *cells, size_t step)
{
    const struct skep_cell *c = &cells[first * step];
    const struct skep_cell *sum = &c[SUM * step], *heat = &c[HEAT * step];
    struct skep_graph_stats s = {.total = whole(&c[COUNT * step]),
                                 .fault = whole(&c[FAULT * step]),
                                 .throttle = whole(&c[THROTTLE * step]),
                                 .error = whole(&c[ERROR * step])};
    s.error -= SKEP_MIN(s.error, s.throttle);
    s.sum_ms = sum->kind == SKEP_CELL_DOUBLE ? sum->f
               : sum->kind == SKEP_CELL_INT  ? (double)sum->i
                                             : 0;
    const struct skep_heat_edges *edges = &r->heat[first + HEAT];
    for (uint32_t i = 0; heat->kind == SKEP_CELL_HEAT && i < heat->n_heat; i++) {
        uint32_t b = heat->heat[i].bin;
        skep_graph__bin(
            a->g, &s,
            (struct skep_graph_bin){edges->edges[b], edges->edges[b + 1], heat->heat[i].count});
    }
    return s;
}

static struct skep_graph_stats *series_of(struct ask *a, const struct skep_result *r,
                                          const struct skep_result_group *group, unsigned first)
{
    if (!group->series)
        return NULL;
    struct skep_graph_stats *s = skep_new_n(a->arena, struct skep_graph_stats, r->n_buckets + 1);
    for (unsigned b = 0; b < r->n_buckets; b++)
        s[b] = stats_of(a, r, first, &group->series[b], r->n_buckets);
    return s;
}

static skep_str text(const skep_value *v)
{
    return v->type == SKEP_TYPE_STRING ? v->s : SKEP_STR("");
}

static bool is_text(const skep_value *v, const char *s)
{
    return skep_str_eq(text(v), skep_str_c(s));
}

static uint8_t kind_of(const skep_value *v)
{
    static const char *const kinds[] = {"unspecified", "internal", "server",
                                        "client",      "producer", "consumer"};
    for (uint8_t i = 0; i < SKEP_ARRAY_LEN(kinds); i++)
        if (is_text(v, kinds[i]))
            return i;
    return 0;
}

/* A group's keys as the row they stand for. */
static struct skep_row row_of(struct ask *a, const struct skep_plan *plan, const skep_value *key)
{
    struct skep_row row = {.kind = SKEP_KIND_SPAN, .duration_ns = -1, .source = SKEP_SOURCE_OTLP};
    row.fields = skep_new_n(a->arena, struct skep_row_field, plan->n_groups);
    for (unsigned i = 0; i < plan->n_groups; i++) {
        const struct skep_field_ref *f = &plan->groups[i];
        if (f->relation != SKEP_REL_SELF || skep_str_eq(f->name, SKEP_STR("service.name")))
            continue;
        if (skep_str_eq(f->name, SKEP_STR("name")))
            row.name = text(&key[i]);
        else if (skep_str_eq(f->name, SKEP_STR("dataset")))
            row.dataset = text(&key[i]);
        else if (skep_str_eq(f->name, SKEP_STR("span.kind")))
            row.span_kind = kind_of(&key[i]);
        else if (skep_str_eq(f->name, SKEP_STR("meta.source")))
            row.source = is_text(&key[i], "xray") ? SKEP_SOURCE_XRAY : SKEP_SOURCE_OTLP;
        else
            row.fields[row.n_fields++] = (struct skep_row_field){
                .name = f->name, .scope = SKEP_SCOPE_ATTRIBUTE, .value = key[i]};
    }
    return row;
}

/* The node of a service by its name alone: the busiest of that name. */
static uint32_t caller(struct skep_graph *g, skep_str name, uint32_t n_services)
{
    uint32_t best = SKEP_INDEX_NONE;
    for (uint32_t i = 0; i < n_services; i++) {
        const struct skep_graph_node *n = &g->nodes[i];
        if (n->client || n->inferred || !skep_str_eq(n->name, name))
            continue;
        if (best == SKEP_INDEX_NONE || n->stats.total > g->nodes[best].stats.total)
            best = i;
    }
    if (best != SKEP_INDEX_NONE)
        return best;
    const struct skep_xray_node service = {.name = name, .type = SKEP_STR("")};
    return skep_graph__node(g, &service);
}

static void put_node(struct ask *a, uint32_t at, const struct skep_graph_stats *stats,
                     const struct skep_graph_stats *series)
{
    skep_graph__add(a->g, &a->g->nodes[at].stats, stats);
    skep_graph__add_series(a->g, &a->g->nodes[at].series, series);
}

static void put_edge(struct ask *a, uint32_t from, uint32_t to,
                     const struct skep_graph_stats *stats, const struct skep_graph_stats *series)
{
    uint32_t e = skep_graph__edge(a->g, from, to);
    skep_graph__add(a->g, &a->g->edges[e].stats, stats);
    skep_graph__add_series(a->g, &a->g->edges[e].series, series);
}

/* --- which spans are calls --- */

static struct skep_expr *not_xray(struct ask *a)
{
    return a->xray ? not_of(a, from_xray(a)) : NULL;
}

static struct skep_expr *by_kind(struct ask *a)
{
    return either(a, is(a, "span.kind", "client"), is(a, "span.kind", "producer"));
}

/* Whom a call of another wire's names, as remote_name in xray_model.c. */
/* clang-format off: a line a name */
#define NAMING(X)                                                                                  \
    X("aws.remote.service")                                                                        \
    X("peer.service")                                                                              \
    X("aws.service")                                                                               \
    X("db.name")                                                                                   \
    X("db.namespace")                                                                              \
    X("rpc.service")                                                                               \
    X("http.host")                                                                                 \
    X("server.address")                                                                            \
    X("net.peer.name")
/* clang-format on */

/* Client's and producer's spans, not X-Ray's, that say whom they call: of those nobody looks at
 * their own names, of which there may be very many. */
static struct skep_expr *calls_named(struct ask *a)
{
    static const char *const names[] = {
#define X(n) n,
        NAMING(X)
#undef X
    };
    struct skep_expr *says = NULL;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(names); i++)
        says = either(a, says, exists(a, names[i]));
    return both(a, both(a, by_kind(a), says), not_xray(a));
}

/* Spans that by their kind, to AWS or with SQL may be calls. */
static struct skep_expr *calls_broad(struct ask *a)
{
    struct skep_expr *e = either(a, by_kind(a), exists(a, "db.system"));
    e = either(a, e, either(a, is(a, "rpc.system", "aws-api"), exists(a, "aws.service")));
    return a->xray ? either(a, e, exists(a, "aws.xray.namespace")) : e;
}

/* --- segments --- */

enum { S_SERVICE, S_DATASET, S_KIND, S_SOURCE, S_ROOT, S_PARENT, S_PARENT_KIND, S_PARENT_SOURCE };

#define SELF(n)                                                                                    \
    {                                                                                              \
        .name = SKEP_STR_INIT(n)                                                                   \
    }
#define OF(n, rel)                                                                                 \
    {                                                                                              \
        .name = SKEP_STR_INIT(n), .relation = SKEP_REL_##rel                                       \
    }

static const struct skep_field_ref segment_keys[] = {
    [S_SERVICE] = SELF("service.name"),
    [S_DATASET] = SELF("dataset"),
    [S_KIND] = SELF("span.kind"),
    [S_SOURCE] = SELF("meta.source"),
    [S_ROOT] = SELF("is_root"),
    [S_PARENT] = OF("service.name", PARENT),
    [S_PARENT_KIND] = OF("span.kind", PARENT),
    [S_PARENT_SOURCE] = OF("meta.source", PARENT),
    SELF("aws.xray.origin"),
    SELF("cloud.platform"),
    SELF("aws.ecs.launchtype"),
    SELF("aws.account_id"),
    SELF("cloud.account.id"),
};

/* Does the service of an OTLP row begin with it? */
static bool begins(const skep_value *key, bool xray)
{
    if (is_text(&key[S_KIND], "server"))
        return true;
    if (xray)
        return false;
    return is_text(&key[S_KIND], "consumer") || key[S_PARENT_KIND].type != SKEP_TYPE_STRING ||
           !skep_str_eq(text(&key[S_SERVICE]), text(&key[S_PARENT]));
}

static bool measured(const skep_value *key)
{
    bool xray = is_text(&key[S_PARENT_SOURCE], "xray");
    return is_text(&key[S_PARENT_KIND], "client") || is_text(&key[S_PARENT_KIND], "producer") ||
           (xray && !is_text(&key[S_PARENT_KIND], "server"));
}

static uint32_t segment_node(struct ask *a, const struct skep_plan *plan, const skep_value *key)
{
    struct skep_row row = row_of(a, plan, key);
    skep_str service = text(&key[S_SERVICE]);
    skep_str type = skep_xray_origin(a->arena, &row), account = skep_xray_account(a->arena, &row);
    const struct skep_xray_node n = {.name = service.n ? service : row.dataset,
                                     .type = type.n ? type : SKEP_STR(""),
                                     .account = account.n ? account : SKEP_STR("")};
    return skep_graph__node(a->g, &n);
}

static void client_edge(struct ask *a, uint32_t to, const struct skep_graph_stats *own,
                        const struct skep_graph_stats *series)
{
    const struct skep_xray_node client = {
        .name = a->g->nodes[to].name, .type = SKEP_STR("client"), .client = true};
    a->g->nodes[to].root = true;
    put_edge(a, skep_graph__node(a->g, &client), to, own, series);
}

static void draw_segments(struct ask *a, const struct skep_plan *plan, const struct skep_result *r)
{
    uint32_t *to = skep_new_n(a->arena, uint32_t, r->n_groups + 1);
    for (size_t i = 0; i < r->n_groups; i++) {
        const struct skep_result_group *group = &r->groups[i];
        const skep_value *key = group->key;
        to[i] = SKEP_INDEX_NONE;
        if (!begins(key, is_text(&key[S_SOURCE], "xray")))
            continue;
        struct skep_graph_stats own = stats_of(a, r, 0, group->values, 1);
        struct skep_graph_stats *series = series_of(a, r, group, 0);
        to[i] = segment_node(a, plan, key);
        put_node(a, to[i], &own, series);
    }
    uint32_t n_services = a->g->n_nodes;
    for (size_t i = 0; i < r->n_groups; i++) {
        const struct skep_result_group *group = &r->groups[i];
        const skep_value *key = group->key;
        if (to[i] == SKEP_INDEX_NONE)
            continue;
        bool root = key[S_ROOT].type == SKEP_TYPE_BOOL && key[S_ROOT].b;
        unsigned first = !root && measured(key) ? MEASURES : 0;
        struct skep_graph_stats stats = stats_of(a, r, first, group->values, 1);
        struct skep_graph_stats *series = series_of(a, r, group, first);
        if (root)
            client_edge(a, to[i], &stats, series);
        else if (text(&key[S_PARENT]).n)
            put_edge(a, caller(a->g, text(&key[S_PARENT]), n_services), to[i], &stats, series);
    }
}

/* What need not be asked: mostly services begin with server's spans, and calls say whom they call.
 */
static skep_rc look_first(struct ask *a, struct skep_store *store, const struct skep_run_opts *opts,
                          skep_err *err)
{
    static const struct skep_field_ref keys[] = {SELF("service.name"), OF("service.name", PARENT)};
    static const struct skep_agg count = {.op = SKEP_AGG_COUNT, .key = SKEP_STR_INIT("n")};
    struct skep_expr *others = both(a, rows(a), not_of(a, serves(a)));
    struct skep_result *r = NULL;
    struct skep_plan plan =
        plan_of(a, both(a, others, not_xray(a)), keys, SKEP_ARRAY_LEN(keys), &count, 1);
    plan.granularity_ns = 0;
    SKEP_TRY(run(a, store, opts, &plan, &r, err));
    a->begins = r->n_groups_total > r->n_groups;
    for (size_t i = 0; i < r->n_groups; i++) {
        const skep_value *key = r->groups[i].key;
        a->begins |= !skep_str_eq(text(&key[0]), text(&key[1])) || text(&key[1]).n == 0;
    }
    plan = plan_of(a, both(a, others, both(a, calls_broad(a), not_of(a, calls_named(a)))), keys, 1,
                   &count, 1);
    plan.granularity_ns = 0;
    SKEP_TRY(run(a, store, opts, &plan, &r, err));
    a->unnamed = r->n_groups > 0;
    return SKEP_OK;
}

static skep_rc segments(struct ask *a, struct skep_store *store, const struct skep_run_opts *opts,
                        skep_err *err)
{
    struct skep_agg aggs[2 * MEASURES];
    struct skep_result *r = NULL;
    struct skep_expr *which = serves(a);
    if (a->begins)
        which = a->xray ? either(a, which, not_of(a, from_xray(a))) : NULL;
    struct skep_expr *filter = both(a, rows(a), which);
    measures(a, SKEP_REL_SELF, aggs);
    measures(a, SKEP_REL_PARENT, &aggs[MEASURES]);
    aggs[MEASURES + COUNT].filter = NULL; /* one call a segment */
    struct skep_plan plan =
        plan_of(a, filter, segment_keys, SKEP_ARRAY_LEN(segment_keys), aggs, SKEP_ARRAY_LEN(aggs));
    SKEP_TRY(run(a, store, opts, &plan, &r, err));
    draw_segments(a, &plan, r);
    return SKEP_OK;
}

/* --- calls --- */

enum { C_SERVICE, C_DATASET, C_KIND, C_SOURCE, C_PARENT, C_PARENT_KIND, C_CHILD };

static const struct skep_field_ref call_keys[] = {
    [C_SERVICE] = SELF("service.name"),
    [C_DATASET] = SELF("dataset"),
    [C_KIND] = SELF("span.kind"),
    [C_SOURCE] = SELF("meta.source"),
    [C_PARENT] = OF("service.name", PARENT),
    [C_PARENT_KIND] = OF("span.kind", PARENT),
    [C_CHILD] = OF("service.name", CHILD),
#define X(n) SELF(n),
    NAMING(X)
#undef X
        SELF("rpc.system"),
    SELF("db.system"),
    SELF("db.system.name"),
    /* from here on of calls that name nobody, and X-Ray's */
    SELF("name"),
    SELF("aws.xray.namespace"),
    SELF("aws.table_name"),
    SELF("aws.queue_url"),
    SELF("aws.bucket_name"),
    SELF("aws.function_name"),
};
enum { N_CALL_KEYS = SKEP_ARRAY_LEN(call_keys), N_NAMED_KEYS = N_CALL_KEYS - 6 };

/* Rows that may be unanswered calls. */
static struct skep_expr *calls_filter(struct ask *a, bool named)
{
    struct skep_expr *e =
        named ? calls_named(a) : both(a, calls_broad(a), not_of(a, calls_named(a)));
    if (a->xray && !named) {
        struct skep_expr *below = either(a, is(a, "span.kind", "server"), not_of(a, from_xray(a)));
        e = both(a, e, either(a, not_xray(a), related(a, SKEP_REL_ANCESTOR, below)));
    }
    e = both(a, e, named ? NULL : not_of(a, serves(a)));
    return both(a, both(a, rows(a), e), not_of(a, related(a, SKEP_REL_CHILD, serves(a))));
}

/* As infer in xray_model.c: a call, of a segment, that no other service's span answers. */
static bool unanswered(struct ask *a, const struct skep_xray_seg *call, const skep_value *key)
{
    bool xray = call->row->source == SKEP_SOURCE_XRAY;
    bool kind = call->row->span_kind == 3 || call->row->span_kind == 4;
    bool sql = skep_xray_text(a->arena, call->row, SKEP_STR("db.system")).n > 0;
    bool first = key[C_PARENT_KIND].type != SKEP_TYPE_STRING ||
                 !skep_str_eq(text(&key[C_SERVICE]), text(&key[C_PARENT]));
    bool answered =
        text(&key[C_CHILD]).n && !skep_str_eq(text(&key[C_SERVICE]), text(&key[C_CHILD]));
    return (call->remote || sql) && !answered && (xray || kind || !first);
}

static bool part_of(skep_str name, skep_str v)
{
    return v.n && v.n < name.n &&
           ((skep_str_starts(name, v) && name.p[v.n] == '@') ||
            (skep_str_ends(name, v) && name.p[name.n - v.n - 1] == '@'));
}

/* By which fields a call is known to be one to the node; else by its name. */
static void note_fields(struct skep_graph_node *n, const struct skep_row *row)
{
    if (n->n_says)
        return;
    for (unsigned i = 0; i < row->n_fields && n->n_says < SKEP_GRAPH_SAYS; i++) {
        skep_str v = text(&row->fields[i].value);
        bool queue = v.n > n->name.n && skep_str_ends(v, n->name);
        if (v.n && (skep_str_eq(v, n->name) || queue || part_of(n->name, v)))
            n->says[n->n_says++] = row->fields[i];
    }
    if (n->n_says == 0 && row->name.n)
        n->says[n->n_says++] = (struct skep_row_field){
            .name = SKEP_STR("name"), .value = {.type = SKEP_TYPE_STRING, .s = row->name}};
}

static void draw_calls(struct ask *a, const struct skep_plan *plan, const struct skep_result *r)
{
    uint32_t n_services = a->g->n_nodes;
    for (size_t i = 0; i < r->n_groups; i++) {
        const struct skep_result_group *group = &r->groups[i];
        struct skep_row *row = skep_new(a->arena, struct skep_row);
        *row = row_of(a, plan, group->key);
        struct skep_xray_seg call = skep_xray_alone(a->arena, row, SKEP_XRAY_SUBSEGMENT);
        skep_str service = text(&group->key[C_SERVICE]);
        if (!unanswered(a, &call, group->key))
            continue;
        struct skep_xray_node to = skep_xray_called(a->arena, &call);
        struct skep_graph_stats stats = stats_of(a, r, 0, group->values, 1);
        struct skep_graph_stats *series = series_of(a, r, group, 0);
        uint32_t at = skep_graph__node(a->g, &to);
        note_fields(&a->g->nodes[at], row);
        uint32_t from = caller(a->g, service.n ? service : row->dataset, n_services);
        put_node(a, at, &stats, series);
        put_edge(a, from, at, &stats, series);
    }
}

/* The keys, the child being the first that can begin a service without being a server's. */
static const struct skep_field_ref *keys_of_calls(struct ask *a)
{
    struct skep_field_ref *keys = skep_new_n(a->arena, struct skep_field_ref, N_CALL_KEYS);
    memcpy(keys, call_keys, sizeof call_keys);
    if (a->xray)
        keys[C_CHILD].on = not_xray(a);
    if (!a->begins) /* nobody asks for what costs most */
        keys[C_CHILD] = keys[C_PARENT] = keys[C_PARENT_KIND] = keys[C_SERVICE];
    return keys;
}

static skep_rc calls(struct ask *a, struct skep_store *store, const struct skep_run_opts *opts,
                     bool named, skep_err *err)
{
    struct skep_agg aggs[MEASURES];
    struct skep_result *r = NULL;
    measures(a, SKEP_REL_SELF, aggs);
    struct skep_plan plan = plan_of(a, calls_filter(a, named), keys_of_calls(a),
                                    named ? N_NAMED_KEYS : N_CALL_KEYS, aggs, SKEP_ARRAY_LEN(aggs));
    SKEP_TRY(run(a, store, opts, &plan, &r, err));
    draw_calls(a, &plan, r);
    return SKEP_OK;
}

skep_rc skep_graph_twice(struct skep_store *store, const struct skep_run_opts *opts,
                         struct skep_time_range range, struct skep_xray_twice *ret, skep_err *err)
{
    struct ask a = {.arena = opts->arena};
    struct skep_result *r = NULL;
    static const struct skep_field_ref group = SELF("service.name");
    static const struct skep_agg count = {.op = SKEP_AGG_COUNT, .key = SKEP_STR_INIT("COUNT")};
    const struct skep_plan plan = {.kind = SKEP_PLAN_AGGREGATE,
                                   .range = range,
                                   .filter = from_xray(&a),
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

skep_rc skep_graph_run(struct skep_store *store, const struct skep_run_opts *opts,
                       const struct skep_graph_ask *graph_ask, struct skep_graph *g, skep_err *err)
{
    struct ask a = {.arena = g->arena, .ask = graph_ask, .xray = graph_ask->twice->n > 0, .g = g};
    SKEP_TRY(look_first(&a, store, opts, err));
    SKEP_TRY(segments(&a, store, opts, err));
    SKEP_TRY(calls(&a, store, opts, true, err));
    return a.unnamed ? calls(&a, store, opts, false, err) : SKEP_OK;
}
