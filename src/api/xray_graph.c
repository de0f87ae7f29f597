// SPDX-License-Identifier: Apache-2.0
/* GetServiceGraph, GetTraceGraph, GetRetrievedTracesGraph, GetTimeSeriesServiceStatistics.
 *
 *   group's expression --- a plan can ask all of it -------> aggregates over the rows
 *                     \--- it is of the assembled trace ---> traces one by one, TRACES_MAX at most
 *
 * I1  StartTime and EndTime of nodes and edges are those of the question: rates divided by them are
 *     rates over what was asked.
 * I2  An answer is one page: pages of a graph cannot be put together by who gets them.  A group
 * that needs more traces looked at than fit is refused, not cut.
 *
 * Threads: workers.  Memory: the request's arena. */
#include "api/graph.h"
#include "api/xray_load.h"
#include "api/xray_summary.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "ingest/xray.h"
#include "wire/json_out.h"

enum { TRACES_MAX = 20000, ROWS_AT_ONCE = 2048, HISTOGRAM_MAX = 100, LINKS_MAX = 100 };

struct drawing {
    struct skep_api__xray *x;
    struct skep_graph g;
    struct skep_time_range range;
    int64_t granularity_ns;
};

/* --- answers --- */

static void put_count(struct skep_json *json, const char *key, uint64_t n)
{
    skep_json_put_u64(json, skep_str_c(key), n);
}

static void put_statistics(struct skep_json *json, const char *key,
                           const struct skep_graph_stats *s)
{
    skep_json_key(json, skep_str_c(key));
    skep_json_object(json);
    put_count(json, "OkCount", skep_graph_ok(s));
    skep_json_key(json, SKEP_STR("ErrorStatistics"));
    skep_json_object(json);
    put_count(json, "ThrottleCount", s->throttle);
    put_count(json, "OtherCount", s->error);
    put_count(json, "TotalCount", s->throttle + s->error);
    skep_json_end(json);
    skep_json_key(json, SKEP_STR("FaultStatistics"));
    skep_json_object(json);
    put_count(json, "OtherCount", s->fault);
    put_count(json, "TotalCount", s->fault);
    skep_json_end(json);
    put_count(json, "TotalCount", s->total);
    skep_api__xray_put_seconds(json, SKEP_STR("TotalResponseTime"), (int64_t)(s->sum_ms * 1e6));
    skep_json_end(json);
}

static void put_histogram(struct skep_json *json, const char *key, const struct skep_graph_stats *s)
{
    skep_json_key(json, skep_str_c(key));
    skep_json_array(json);
    for (uint32_t i = 0; i < s->n_bins; i++) {
        const struct skep_graph_bin *b = &s->bins[i];
        skep_json_object(json);
        skep_api__xray_put_seconds(json, SKEP_STR("Value"), (int64_t)((b->lo + b->hi) / 2 * 1e6));
        put_count(json, "Count", b->count);
        skep_json_end(json);
    }
    skep_json_end(json);
}

static void put_times(struct skep_json *json, const struct drawing *d)
{
    skep_api__xray_put_time(json, SKEP_STR("StartTime"), d->range.start_ns);
    skep_api__xray_put_time(json, SKEP_STR("EndTime"), d->range.end_ns);
}

static void put_edge(struct skep_json *json, const struct drawing *d, struct skep_graph_edge *e)
{
    skep_json_object(json);
    put_count(json, "ReferenceId", e->to);
    put_times(json, d);
    skep_graph_coarsen(&e->stats, HISTOGRAM_MAX);
    if (e->link) {
        skep_json_put_str(json, SKEP_STR("EdgeType"), SKEP_STR("link"));
        put_histogram(json, "ReceivedEventAgeHistogram", &e->stats);
    } else {
        put_statistics(json, "SummaryStatistics", &e->stats);
        put_histogram(json, "ResponseTimeHistogram", &e->stats);
    }
    skep_json_key(json, SKEP_STR("Aliases"));
    skep_json_array(json);
    skep_json_end(json);
    skep_json_end(json);
}

static void put_node(struct skep_json *json, const struct drawing *d, uint32_t at)
{
    struct skep_graph_node *n = &d->g.nodes[at];
    const struct skep_xray_node names = {.name = n->name, .other_name = n->other_name};
    skep_json_object(json);
    put_count(json, "ReferenceId", at);
    skep_json_put_str(json, SKEP_STR("Name"), n->name);
    skep_api__xray_put_names(json, &names);
    if (n->root)
        skep_json_put_bool(json, SKEP_STR("Root"), true);
    if (n->account.n)
        skep_json_put_str(json, SKEP_STR("AccountId"), n->account);
    skep_json_put_str(json, SKEP_STR("Type"), n->type);
    skep_json_put_str(json, SKEP_STR("State"),
                      n->client || n->inferred ? SKEP_STR("unknown") : SKEP_STR("active"));
    put_times(json, d);
    skep_json_key(json, SKEP_STR("Edges"));
    skep_json_array(json);
    for (uint32_t i = 0; i < d->g.n_edges; i++)
        if (d->g.edges[i].from == at)
            put_edge(json, d, &d->g.edges[i]);
    skep_json_end(json);
    if (!n->client) {
        skep_graph_coarsen(&n->stats, HISTOGRAM_MAX);
        put_statistics(json, "SummaryStatistics", &n->stats);
        put_histogram(json, "DurationHistogram", &n->stats);
        put_histogram(json, "ResponseTimeHistogram", &n->stats);
    }
    skep_json_end(json);
}

static void put_services(struct skep_json *json, const struct drawing *d)
{
    skep_json_key(json, SKEP_STR("Services"));
    skep_json_array(json);
    for (uint32_t i = 0; i < d->g.n_nodes; i++) {
        put_node(json, d, i);
        skep_api__out_check(&d->x->job->out);
    }
    skep_json_end(json);
}

/* --- which traces --- */

/* The expression of GroupName or GroupARN; of neither, all traces. */
static bool group_expression(struct skep_api__xray *x, skep_str name, skep_str arn,
                             const struct skep_xray_expr **ret)
{
    struct skep_buf text;
    skep_str value = name.n ? name : arn;
    skep_buf_init(&text, 4096);
    if (value.n) {
        skep_buf_str(&text, name.n ? SKEP_STR("group.name = \"") : SKEP_STR("group.arn = \""));
        for (size_t i = 0; i < value.n; i++) {
            if (value.p[i] == '"' || value.p[i] == '\\')
                skep_buf_u8(&text, '\\');
            skep_buf_u8(&text, (uint8_t)value.p[i]);
        }
        skep_buf_u8(&text, '"');
    }
    skep_str kept = skep_arena_str(&x->job->arena, skep_buf_text(&text));
    skep_buf_done(&text);
    return skep_api__xray_expression(x, kept, ret);
}

struct walk {
    struct drawing *d;
    const struct skep_xray_expr *expr;
    struct skep_xray_twice twice;
    struct skep_arena arena; /* of one trace */
    skep_trace_id *seen;
    uint32_t n_seen;
    struct skep_index index;
};

static bool first_time(struct walk *w, const skep_trace_id *id)
{
    uint64_t h = skep_hash((skep_bytes){id->b, sizeof id->b});
    struct skep_index_it it = skep_index_begin(&w->index, h);
    for (uint32_t i; (i = skep_index_next(&w->index, &it)) != SKEP_INDEX_NONE;)
        if (memcmp(&w->seen[i], id, sizeof *id) == 0)
            return false;
    if (w->n_seen < TRACES_MAX)
        w->seen[w->n_seen] = *id;
    skep_index_add(&w->index, h, w->n_seen++);
    return true;
}

static skep_rc look(struct walk *w, const skep_trace_id *id, skep_err *err)
{
    struct skep_xray_trace t;
    static const skep_trace_id none;
    const struct skep_api__xray_ask ask = {.id = *id, .twice = w->twice};
    if (memcmp(id, &none, sizeof none) == 0 || !first_time(w, id))
        return SKEP_OK;
    if (w->n_seen > TRACES_MAX)
        return skep_fail(err, SKEP_EINVAL,
                         "the expression must be tried on each trace, and there are more than %d: "
                         "ask for a shorter time",
                         TRACES_MAX);
    skep_arena_reset(&w->arena);
    skep_rc rc = skep_api__xray_load(w->d->x, &ask, &w->arena, &t, err);
    if (rc != SKEP_OK)
        return rc == SKEP_ENOTFOUND ? SKEP_OK : rc;
    if (skep_xray_match(&t, w->expr))
        skep_graph_add_trace(&w->d->g, &t, w->d->range);
    return SKEP_OK;
}

/* The traces of rows that may pass, one by one. */
static skep_rc walk_rows(struct walk *w, const struct skep_expr *filter, skep_err *err)
{
    static const struct skep_field_ref column = {.name = SKEP_STR_INIT("meta.source")};
    struct skep_api__xray *x = w->d->x;
    struct skep_plan plan = {.kind = SKEP_PLAN_ROWS,
                             .range = w->d->range,
                             .filter = filter,
                             .columns = &column,
                             .n_columns = 1,
                             .limit = ROWS_AT_ONCE};
    for (bool more = true; more;) {
        struct skep_answer a = {0};
        SKEP_TRY(skep_query_run(x->job->api->cfg.store, &plan, &x->job->opts, &a, err));
        for (size_t i = 0; i < a.rows.n; i++)
            SKEP_TRY(look(w, &a.rows.rows[i].trace_id, err));
        if (a.rows.n) {
            plan.has_cursor = true;
            plan.cursor_time_ns = a.rows.rows[a.rows.n - 1].time_ns;
            plan.cursor_id = a.rows.rows[a.rows.n - 1].id;
        }
        more = a.rows.more;
    }
    return SKEP_OK;
}

/* Starts of the time steps, as aggregates have them. */
static void make_steps(struct drawing *d)
{
    int64_t step = d->granularity_ns;
    if (step == 0)
        return;
    skep_ts_ns first = d->range.start_ns - d->range.start_ns % step;
    unsigned n = (unsigned)((d->range.end_ns - first + step - 1) / step);
    skep_ts_ns *starts = skep_new_n(&d->x->job->arena, skep_ts_ns, n + 1);
    for (unsigned i = 0; i < n; i++)
        starts[i] = first + i * step;
    d->g.bucket_starts = starts;
    d->g.n_buckets = n;
}

static skep_rc by_traces(struct drawing *d, const struct skep_xray_expr *expr,
                         const struct skep_xray_twice *twice, const struct skep_expr *filter,
                         skep_err *err)
{
    struct walk w = {.d = d, .expr = expr, .twice = *twice};
    w.seen = skep_new_n(&d->x->job->arena, skep_trace_id, TRACES_MAX);
    skep_index_init(&w.index, 1024);
    skep_arena_init(&w.arena, "trace", &d->x->job->budget);
    make_steps(d);
    skep_rc rc = walk_rows(&w, filter, err);
    skep_arena_done(&w.arena);
    skep_index_done(&w.index);
    return rc;
}

/* --- links --- */

static int by_trace(const void *a, const void *b)
{
    const struct skep_graph_link *x = a, *y = b;
    return memcmp(&x->trace_id, &y->trace_id, sizeof x->trace_id);
}

/* Edges of the links that were kept, trace by trace of their producers. */
static skep_rc draw_links(struct drawing *d, const struct skep_xray_twice *twice, skep_err *err)
{
    struct skep_graph *g = &d->g;
    struct skep_arena arena;
    skep_rc rc = SKEP_OK;
    if (g->n_links > 0)
        qsort(g->links, g->n_links, sizeof *g->links, by_trace);
    skep_arena_init(&arena, "trace", &d->x->job->budget);
    for (uint32_t i = 0, n; i < g->n_links && rc == SKEP_OK; i += n) {
        struct skep_xray_trace t;
        const struct skep_graph_link *l = &g->links[i];
        const struct skep_api__xray_ask ask = {.id = l->trace_id, .twice = *twice};
        for (n = 1; i + n < g->n_links && by_trace(l, &l[n]) == 0;)
            n++;
        skep_arena_reset(&arena);
        rc = skep_api__xray_load(d->x, &ask, &arena, &t, err);
        if (rc == SKEP_OK)
            skep_graph_add_links(g, &t, l, n);
        rc = rc == SKEP_ENOTFOUND ? SKEP_OK : rc;
    }
    skep_arena_done(&arena);
    return rc;
}

/* The newest links of a range whose consumers are in the graph. */
static skep_rc find_links(struct drawing *d, const struct skep_expr *filter, skep_err *err)
{
    static const skep_value kind = {.type = SKEP_TYPE_STRING, .s = SKEP_STR_INIT("link")};
    static const struct skep_field_ref columns[] = {
        {.name = SKEP_STR_INIT("service.name")},
        {.name = SKEP_STR_INIT("trace.link.trace_id")},
        {.name = SKEP_STR_INIT("trace.link.span_id")},
    };
    struct skep_api__xray *x = d->x;
    struct skep_expr link = {.op = SKEP_EXPR_TEST,
                             .test = {.field = {.name = SKEP_STR("meta.kind")},
                                      .op = SKEP_CMP_EQ,
                                      .values = &kind,
                                      .n_values = 1}};
    struct skep_expr *kids[] = {&link, (struct skep_expr *)(uintptr_t)filter};
    struct skep_expr both = {.op = SKEP_EXPR_AND, .kids = kids, .n_kids = filter ? 2 : 1};
    struct skep_plan plan = {.kind = SKEP_PLAN_ROWS,
                             .range = d->range,
                             .filter = &both,
                             .columns = columns,
                             .n_columns = SKEP_ARRAY_LEN(columns),
                             .limit = SKEP_GRAPH_LINKS};
    struct skep_answer a = {0};
    SKEP_TRY(skep_query_run(x->job->api->cfg.store, &plan, &x->job->opts, &a, err));
    for (size_t i = 0; i < a.rows.n; i++) {
        const struct skep_row *r = &a.rows.rows[i];
        struct skep_graph_link l = {.start_ns = r->time_ns, .in = r->trace_id};
        skep_str text[SKEP_ARRAY_LEN(columns)];
        for (size_t k = 0; k < SKEP_ARRAY_LEN(columns); k++)
            text[k] = skep_xray_text(&x->job->arena, r, columns[k].name);
        l.to = skep_graph__busiest(&d->g, text[0].n ? text[0] : r->dataset, d->g.n_nodes);
        if (l.to != SKEP_INDEX_NONE &&
            skep_xray_link_ids(text[1], text[2], &l.trace_id, &l.span_id))
            skep_graph__keep_link(&d->g, l);
    }
    return SKEP_OK;
}

/* The graph of a range and a group; false after an error was sent. */
static bool draw(struct drawing *d, const struct skep_xray_expr *expr)
{
    bool exact = true;
    skep_err err;
    struct skep_xray_twice twice;
    const struct skep_expr *filter = NULL;
    struct skep_api__xray *x = d->x;
    if (!skep_api__xray_twice(x, d->range, &twice))
        return false;
    skep_xray_filter(expr, SKEP_REL_ROOT, &x->job->arena, &filter, &exact);
    if (filter && twice.n) {
        /* what a service said by another wire might pass, and is not shown */
        exact = false;
        filter = NULL;
    }
    const struct skep_graph_ask ask = {
        .range = d->range, .filter = filter, .twice = &twice, .granularity_ns = d->granularity_ns};
    skep_rc rc = exact ? skep_graph_run(x->job->api->cfg.store, &x->job->opts, &ask, &d->g, &err)
                       : by_traces(d, expr, &twice, filter, &err);
    if (rc == SKEP_OK && exact && d->granularity_ns == 0)
        rc = find_links(d, filter, &err);
    if (rc == SKEP_OK && d->granularity_ns == 0) /* of calls alone there are series */
        rc = draw_links(d, &twice, &err);
    if (rc != SKEP_OK)
        skep_api__xray_fail_rc(x, rc, &err);
    return rc == SKEP_OK;
}

static bool read_group(struct skep_api__xray *x, skep_str *name, skep_str *arn)
{
    skep_bytes position;
    *name = skep_aws_str(&x->args, x->in, "GroupName", &(struct skep_aws_len){1, 32, false});
    *arn = skep_aws_str(&x->args, x->in, "GroupARN", &(struct skep_aws_len){1, 400, false});
    return skep_api__xray_valid(x) && skep_api__xray_token(x, &position);
}

/* --- operations --- */

void skep_api__xray_get_service_graph(struct skep_api__xray *x)
{
    struct drawing d = {.x = x};
    skep_str name, arn;
    const struct skep_xray_expr *expr = NULL;
    skep_api__xray_period(x, &d.range);
    if (!read_group(x, &name, &arn) || !group_expression(x, name, arn, &expr))
        return;
    skep_graph_init(&d.g, &x->job->arena);
    if (draw(&d, expr)) {
        struct skep_json *json = skep_api__xray_begin(x);
        put_times(json, &d);
        put_services(json, &d);
        skep_json_put_bool(json, SKEP_STR("ContainsOldGroupVersions"), false);
        skep_api__xray_end(x);
    }
    skep_graph_done(&d.g);
}

static const struct skep_time_range always = {INT64_MIN, INT64_MAX};

/* The traces, of those that lie in the range at all; others are left out.  False after an error was
 * sent. */
static bool draw_traces(struct drawing *d, const skep_trace_id *ids, size_t n,
                        struct skep_time_range range)
{
    struct skep_api__xray *x = d->x;
    struct skep_arena arena;
    skep_rc rc = SKEP_OK;
    skep_err err;
    struct skep_time_range covered = {INT64_MAX, INT64_MIN};
    const struct skep_xray_twice in_trace = {.in_trace = true};
    skep_arena_init(&arena, "trace", &x->job->budget);
    for (size_t i = 0; i < n && rc == SKEP_OK; i++) {
        struct skep_xray_trace t;
        const struct skep_api__xray_ask ask = {.id = ids[i], .twice = in_trace};
        skep_arena_reset(&arena);
        rc = skep_api__xray_load(x, &ask, &arena, &t, &err);
        if (rc == SKEP_OK && t.n && t.start_ns < range.end_ns && t.end_ns >= range.start_ns) {
            skep_graph_add_trace(&d->g, &t, always);
            covered.start_ns = SKEP_MIN(covered.start_ns, t.start_ns);
            covered.end_ns = SKEP_MAX(covered.end_ns, t.end_ns);
        }
        rc = rc == SKEP_ENOTFOUND ? SKEP_OK : rc;
    }
    skep_arena_done(&arena);
    if (rc == SKEP_OK)
        rc = draw_links(d, &in_trace, &err);
    d->range = covered;
    if (rc != SKEP_OK)
        skep_api__xray_fail_rc(x, rc, &err);
    return rc == SKEP_OK;
}

void skep_api__xray_get_trace_graph(struct skep_api__xray *x)
{
    struct drawing d = {.x = x};
    skep_bytes position;
    size_t i, max;
    yyjson_val *item;
    yyjson_val *ids =
        skep_aws_list(&x->args, x->in, "TraceIds", &(struct skep_aws_len){.required = true});
    yyjson_arr_foreach(ids, i, max, item)
    {
        size_t n = yyjson_get_len(item);
        if (yyjson_is_str(item) && n >= 1 && n <= 35)
            continue;
        skep_aws_wrong(&x->args, "TraceIds", ids,
                       "Member must satisfy constraint: [Member must have length less than or "
                       "equal to 35, Member must have length greater than or equal to 1]");
        break;
    }
    if (!skep_api__xray_valid(x) || !skep_api__xray_token(x, &position))
        return;
    skep_trace_id *list = skep_new_n(&x->job->arena, skep_trace_id, yyjson_arr_size(ids) + 1);
    yyjson_arr_foreach(ids, i, max, item)
    {
        skep_str id = {yyjson_get_str(item), yyjson_get_len(item)};
        if (!skep_lang_trace_id(id, &list[i])) /* somebody's own: as in BatchGetTraces */
            (void)skep_xray_trace_id(id, &list[i]);
    }
    skep_graph_init(&d.g, &x->job->arena);
    if (draw_traces(&d, list, yyjson_arr_size(ids), always)) {
        put_services(skep_api__xray_begin(x), &d);
        skep_api__xray_end(x);
    }
    skep_graph_done(&d.g);
}

/* Where traces of a node's segments go on from others. */
static void put_links(struct skep_json *json, const struct drawing *d, uint32_t node)
{
    char text[35];
    unsigned n = 0;
    skep_json_key(json, SKEP_STR("Links"));
    skep_json_array(json);
    for (uint32_t i = 0; i < d->g.n_links && n < LINKS_MAX; i++) {
        const struct skep_graph_link *l = &d->g.links[i];
        if (l->to != node)
            continue;
        n++;
        skep_json_object(json);
        skep_json_put_str(json, SKEP_STR("SourceTraceId"), skep_api__xray_trace_id(text, &l->in));
        skep_json_key(json, SKEP_STR("DestinationTraceIds"));
        skep_json_array(json);
        skep_json_str(json, skep_api__xray_trace_id(text, &l->trace_id));
        skep_json_end(json);
        skep_json_end(json);
    }
    skep_json_end(json);
}

void skep_api__xray_get_retrieved_traces_graph(struct skep_api__xray *x)
{
    struct drawing d = {.x = x};
    struct skep_api__xray_retrieved r;
    skep_bytes position;
    if (!skep_api__xray_retrieved(x, &r) || !skep_api__xray_token(x, &position))
        return;
    skep_graph_init(&d.g, &x->job->arena);
    if (draw_traces(&d, r.ids, r.cancelled ? 0 : r.n, r.range)) {
        struct skep_json *json = skep_api__xray_begin(x);
        skep_json_put_str(json, SKEP_STR("RetrievalStatus"),
                          r.cancelled ? SKEP_STR("CANCELLED") : SKEP_STR("COMPLETE"));
        skep_json_key(json, SKEP_STR("Services"));
        skep_json_array(json);
        for (uint32_t i = 0; i < d.g.n_nodes; i++) {
            skep_json_object(json);
            skep_json_key(json, SKEP_STR("Service"));
            put_node(json, &d, i);
            put_links(json, &d, i);
            skep_json_end(json);
            skep_api__out_check(&x->job->out);
        }
        skep_json_end(json);
        skep_api__xray_end(x);
    }
    skep_graph_done(&d.g);
}

/* --- time series --- */

static bool is_node(const struct skep_xray_ref *ref, const struct skep_graph_node *n)
{
    bool name = !ref->has_name || skep_str_eq(ref->name, n->name) ||
                (n->other_name.n && skep_str_eq(ref->name, n->other_name));
    return name && (!ref->has_type || skep_str_eq(ref->type, n->type)) &&
           (!ref->has_account || skep_str_eq(ref->account, n->account));
}

/* What the selector selects, a step at a time; NULL = nothing.  Without one: what clients ask. */
static struct skep_graph_stats *select_series(struct drawing *d, const struct skep_xray_expr *sel)
{
    struct skep_graph_stats *sum = NULL;
    struct skep_graph *g = &d->g;
    bool service = sel->op == SKEP_XRAY_SERVICE;
    for (uint32_t i = 0; service && i < g->n_nodes; i++)
        if (!g->nodes[i].client && is_node(&sel->refs[0], &g->nodes[i]))
            skep_graph__add_series(g, &sum, g->nodes[i].series);
    for (uint32_t i = 0; !service && i < g->n_edges; i++) {
        const struct skep_graph_node *from = &g->nodes[g->edges[i].from];
        const struct skep_graph_node *to = &g->nodes[g->edges[i].to];
        bool wanted = sel->op == SKEP_XRAY_EDGE
                          ? is_node(&sel->refs[0], from) && is_node(&sel->refs[1], to)
                          : from->client;
        if (wanted)
            skep_graph__add_series(g, &sum, g->edges[i].series);
    }
    return sum;
}

static void put_series(struct skep_json *json, struct drawing *d, const struct skep_xray_expr *sel)
{
    struct skep_graph_stats *s = select_series(d, sel);
    const char *key =
        sel->op == SKEP_XRAY_SERVICE ? "ServiceSummaryStatistics" : "EdgeSummaryStatistics";
    skep_json_key(json, SKEP_STR("TimeSeriesServiceStatistics"));
    skep_json_array(json);
    for (unsigned i = 0; s && i < d->g.n_buckets; i++) {
        if (s[i].total == 0)
            continue;
        skep_graph_coarsen(&s[i], HISTOGRAM_MAX);
        skep_json_object(json);
        skep_api__xray_put_time(json, SKEP_STR("Timestamp"), d->g.bucket_starts[i]);
        put_statistics(json, key, &s[i]);
        put_histogram(json, "ResponseTimeHistogram", &s[i]);
        skep_json_end(json);
    }
    skep_json_end(json);
}

/* A node or an edge and nothing else; no text at all is neither. */
static bool read_selector(struct skep_api__xray *x, skep_str text,
                          const struct skep_xray_expr **ret)
{
    if (!skep_api__xray_expression(x, text, ret))
        return false;
    const struct skep_xray_expr *e = *ret;
    bool entity = (e->op == SKEP_XRAY_SERVICE || e->op == SKEP_XRAY_EDGE) && !e->kids[0];
    if (text.n && !entity)
        skep_api__xray_fail(x, SKEP_XRAY_INVALID_REQUEST,
                            "EntitySelectorExpression must be service(...) or edge(..., ...), "
                            "without a filter");
    return text.n == 0 || entity;
}

void skep_api__xray_get_time_series(struct skep_api__xray *x)
{
    struct drawing d = {.x = x};
    skep_str name, arn;
    int64_t period = 60;
    const struct skep_xray_expr *expr = NULL, *selector = NULL;
    skep_api__xray_period(x, &d.range);
    skep_str text = skep_aws_str(&x->args, x->in, "EntitySelectorExpression",
                                 &(struct skep_aws_len){1, 500, false});
    (void)skep_aws_int(&x->args, x->in, "Period", &(struct skep_aws_range){.min = 1, .max = 604800},
                       &period);
    (void)skep_aws_bool(&x->args, x->in, "ForecastStatistics", false);
    if (!read_group(x, &name, &arn) || !group_expression(x, name, arn, &expr) ||
        !read_selector(x, text, &selector))
        return;
    d.granularity_ns = period * 1000000000;
    if ((d.range.end_ns - d.range.start_ns) / d.granularity_ns >= SKEP_LIMIT_PLAN_BUCKETS - 1) {
        skep_api__xray_fail(x, SKEP_XRAY_INVALID_REQUEST,
                            "more than %d periods: ask for a longer Period or a shorter time",
                            SKEP_LIMIT_PLAN_BUCKETS - 1);
        return;
    }
    skep_graph_init(&d.g, &x->job->arena);
    if (draw(&d, expr)) {
        struct skep_json *json = skep_api__xray_begin(x);
        put_series(json, &d, selector);
        skep_json_put_bool(json, SKEP_STR("ContainsOldGroupVersions"), false);
        skep_api__xray_end(x);
    }
    skep_graph_done(&d.g);
}
