// SPDX-License-Identifier: Apache-2.0
/* The answer to the question of graph_ask.c as nodes and edges.
 *
 * I1  segments are drawn before calls: a caller is one of their nodes where there is one.
 *
 * Threads: one.  Memory: the graph's arena. */
#include "api/graph_priv.h"

static uint64_t whole(const struct skep_cell *c)
{
    return c->kind == SKEP_CELL_INT      ? (uint64_t)c->i
           : c->kind == SKEP_CELL_DOUBLE ? (uint64_t)(c->f + 0.5)
                                         : 0;
}

/* cells[i * step]: the measures, of which the first may be elsewhere. */
static struct skep_graph_stats stats_of(struct skep_graph__ask *a, const struct skep_result *r,
                                        unsigned first, const struct skep_cell *cells, size_t step)
{
    const struct skep_cell *c = &cells[first * step];
    const struct skep_cell *sum = &c[SKEP_GRAPH_SUM * step], *heat = &c[SKEP_GRAPH_HEAT * step];
    struct skep_graph_stats s = {.total = whole(&c[SKEP_GRAPH_COUNT * step]),
                                 .fault = whole(&c[SKEP_GRAPH_FAULT * step]),
                                 .throttle = whole(&c[SKEP_GRAPH_THROTTLE * step]),
                                 .error = whole(&c[SKEP_GRAPH_ERROR * step])};
    s.error -= SKEP_MIN(s.error, s.throttle);
    s.sum_ms = sum->kind == SKEP_CELL_DOUBLE ? sum->f
               : sum->kind == SKEP_CELL_INT  ? (double)sum->i
                                             : 0;
    const struct skep_heat_edges *edges = &r->heat[first + SKEP_GRAPH_HEAT];
    for (uint32_t i = 0; heat->kind == SKEP_CELL_HEAT && i < heat->n_heat; i++) {
        uint32_t b = heat->heat[i].bin;
        skep_graph__bin(
            a->g, &s,
            (struct skep_graph_bin){edges->edges[b], edges->edges[b + 1], heat->heat[i].count});
    }
    return s;
}

static struct skep_graph_stats *series_of(struct skep_graph__ask *a, const struct skep_result *r,
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
static struct skep_row row_of(struct skep_graph__ask *a, const struct skep_plan *plan,
                              const skep_value *key)
{
    struct skep_row row = {.kind = SKEP_KIND_SPAN, .duration_ns = -1, .source = SKEP_SOURCE_OTLP};
    row.fields = skep_new_n(a->arena, struct skep_row_field, plan->n_groups);
    for (unsigned i = 0; i < plan->n_groups; i++) {
        const struct skep_field_ref *f = &plan->groups[i];
        if (i == SKEP_GRAPH_SERVICE || i >= SKEP_GRAPH_PARENT)
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
    uint32_t best = skep_graph__busiest(g, name, n_services);
    if (best != SKEP_INDEX_NONE)
        return best;
    const struct skep_xray_node service = {.name = name, .type = SKEP_STR("")};
    return skep_graph__node(g, &service);
}

static void put_node(struct skep_graph__ask *a, uint32_t at, const struct skep_graph_stats *stats,
                     const struct skep_graph_stats *series)
{
    skep_graph__add(a->g, &a->g->nodes[at].stats, stats);
    skep_graph__add_series(a->g, &a->g->nodes[at].series, series);
}

static void put_edge(struct skep_graph__ask *a, uint32_t from, uint32_t to,
                     const struct skep_graph_stats *stats, const struct skep_graph_stats *series)
{
    uint32_t e = skep_graph__edge(a->g, from, to);
    skep_graph__add(a->g, &a->g->edges[e].stats, stats);
    skep_graph__add_series(a->g, &a->g->edges[e].series, series);
}

static uint32_t segment_node(struct skep_graph__ask *a, const struct skep_plan *plan,
                             const skep_value *key)
{
    struct skep_row row = row_of(a, plan, key);
    skep_str service = text(&key[SKEP_GRAPH_SERVICE]);
    skep_str type = skep_xray_origin(a->arena, &row), account = skep_xray_account(a->arena, &row);
    const struct skep_xray_node n = {.name = service.n ? service : row.dataset,
                                     .type = type.n ? type : SKEP_STR(""),
                                     .account = account.n ? account : SKEP_STR("")};
    return skep_graph__node(a->g, &n);
}

static void client_edge(struct skep_graph__ask *a, uint32_t to, const struct skep_graph_stats *own,
                        const struct skep_graph_stats *series)
{
    const struct skep_xray_node client = {
        .name = a->g->nodes[to].name, .type = SKEP_STR("client"), .client = true};
    a->g->nodes[to].root = true;
    put_edge(a, skep_graph__node(a->g, &client), to, own, series);
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

static void draw_asked(struct skep_graph__ask *a, const struct skep_result *r,
                       const struct skep_result_group *group, uint32_t to, uint32_t n_services)
{
    const skep_value *how = &group->key[SKEP_GRAPH_CALLER];
    bool client = how->type == SKEP_TYPE_INT && how->i == SKEP_GRAPH_CLIENT;
    bool measured = how->type == SKEP_TYPE_INT && how->i == SKEP_GRAPH_MEASURED;
    skep_str parent = text(&group->key[SKEP_GRAPH_PARENT]);
    unsigned first = measured ? SKEP_GRAPH_MEASURES : 0;
    struct skep_graph_stats stats = stats_of(a, r, first, group->values, 1);
    struct skep_graph_stats *series = series_of(a, r, group, first);
    stats.total = whole(&group->values[SKEP_GRAPH_COUNT]);
    if (client)
        client_edge(a, to, &stats, series);
    else if (parent.n)
        put_edge(a, caller(a->g, parent, n_services), to, &stats, series);
}

static void draw_call(struct skep_graph__ask *a, const struct skep_plan *plan,
                      const struct skep_result *r, const struct skep_result_group *group,
                      uint32_t n_services)
{
    struct skep_row *row = skep_new(a->arena, struct skep_row);
    *row = row_of(a, plan, group->key);
    struct skep_xray_seg call = skep_xray_alone(a->arena, row, SKEP_XRAY_SUBSEGMENT);
    if (!call.remote && skep_xray_text(a->arena, row, SKEP_STR("db.system")).n == 0)
        return;
    skep_str service = text(&group->key[SKEP_GRAPH_SERVICE]);
    struct skep_xray_node to = skep_xray_called(a->arena, &call);
    struct skep_graph_stats stats = stats_of(a, r, 0, group->values, 1);
    struct skep_graph_stats *series = series_of(a, r, group, 0);
    uint32_t at = skep_graph__node(a->g, &to);
    note_fields(&a->g->nodes[at], row);
    uint32_t from = caller(a->g, service.n ? service : row->dataset, n_services);
    put_node(a, at, &stats, series);
    put_edge(a, from, at, &stats, series);
}

static bool has_role(const struct skep_result_group *group, int64_t role)
{
    const skep_value *v = &group->key[SKEP_GRAPH_ROLE];
    return v->type == SKEP_TYPE_INT && (v->i == role || v->i == SKEP_GRAPH_BOTH);
}

void skep_graph__draw(struct skep_graph__ask *a, const struct skep_plan *plan,
                      const struct skep_result *r)
{
    struct skep_graph *g = a->g;
    uint32_t *to = skep_new_n(a->arena, uint32_t, r->n_groups + 1);
    g->rows_examined += r->rows_examined;
    g->estimated |= r->estimated;
    g->cut |= r->n_groups_total > r->n_groups;
    g->n_buckets = r->n_buckets;
    g->bucket_starts = r->bucket_starts;
    g->missing = r->missing;
    g->complete = r->complete;
    for (size_t i = 0; i < r->n_groups; i++) {
        if (!has_role(&r->groups[i], SKEP_GRAPH_SEGMENT))
            continue;
        to[i] = segment_node(a, plan, r->groups[i].key);
        struct skep_graph_stats own = stats_of(a, r, 0, r->groups[i].values, 1);
        put_node(a, to[i], &own, series_of(a, r, &r->groups[i], 0));
    }
    uint32_t n_services = g->n_nodes;
    for (size_t i = 0; i < r->n_groups; i++)
        if (has_role(&r->groups[i], SKEP_GRAPH_SEGMENT))
            draw_asked(a, r, &r->groups[i], to[i], n_services);
    n_services = g->n_nodes;
    for (size_t i = 0; i < r->n_groups; i++)
        if (has_role(&r->groups[i], SKEP_GRAPH_UNANSWERED))
            draw_call(a, plan, r, &r->groups[i], n_services);
}
