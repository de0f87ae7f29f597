// SPDX-License-Identifier: Apache-2.0
/* MCP tools that ask questions: query, BubbleUp, spans, trace, service map.
 * Threads: workers.  Memory: the job's arena; the question's budget. */
#include "api/graph.h"
#include "api/honeycomb_priv.h"
#include "api/mcp_priv.h"

#include "base/mem.h"
#include "event/ids.h"
#include "wire/rfc3339.h"

enum { TRACE_ROWS = 400, LINE_STEPS = 40, FACETS_SHOWN = 20, VALUES_SHOWN = 5 };

/* An object as a text in the arena. */
static skep_bytes text_of(struct skep_mcp_call *c, yyjson_mut_val *v)
{
    size_t n = 0;
    char *text = yyjson_mut_val_write(v, 0, &n);
    skep_str s = skep_arena_str(&c->job->arena, (skep_str){text ? text : "{}", text ? n : 2});
    skep_free(text);
    return skep_str_bytes(s);
}

/* Those members of the arguments that are named, and a limit. */
static skep_bytes body_of(struct skep_mcp_call *c, const char *const *names, size_t n,
                          unsigned limit)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    for (size_t i = 0; i < n; i++) {
        yyjson_val *v = yyjson_obj_get(c->args, names[i]);
        if (v && !yyjson_is_null(v))
            (void)yyjson_mut_obj_add_val(doc, root, names[i], yyjson_val_mut_copy(doc, v));
    }
    if (limit)
        (void)yyjson_mut_obj_add_uint(doc, root, "limit", limit);
    skep_bytes body = text_of(c, root);
    yyjson_mut_doc_free(doc);
    return body;
}

/* The name of the dataset that the arguments call by name or slug; "" = all. */
static bool dataset_name(struct skep_mcp_call *c, struct skep_api__dataset *ret)
{
    skep_err err;
    skep_str name = skep_mcp__text(c, "dataset");
    if (name.n == 0)
        name = SKEP_STR("__all__");
    return skep_api__dataset_of(c->job->api, &c->job->opts, name, ret, &err) == SKEP_OK ||
           skep_mcp__fail(c, "no such dataset: get_workspace_context lists them");
}

static void put_cell(struct skep_mcp_call *c, const struct skep_cell *cell)
{
    switch (cell->kind) {
    case SKEP_CELL_INT: skep_buf_printf(c->out, "%lld", (long long)cell->i); break;
    case SKEP_CELL_DOUBLE: skep_buf_printf(c->out, "%.6g", cell->f); break;
    case SKEP_CELL_HEAT: skep_buf_printf(c->out, "(%u bins)", cell->n_heat); break;
    case SKEP_CELL_NULL: break;
    }
}

/* --- run_query -----------------------------------------------------------------------------------
 */

static double number(const struct skep_cell *cell)
{
    return cell->kind == SKEP_CELL_INT      ? (double)cell->i
           : cell->kind == SKEP_CELL_DOUBLE ? cell->f
                                            : 0;
}

/* The first value over time, from the lowest block to the highest. */
static void put_line(struct skep_mcp_call *c, const struct skep_result *r,
                     const struct skep_result_group *g, unsigned value)
{
    static const char *const blocks[] = {"\u2581", "\u2582", "\u2583", "\u2584",
                                         "\u2585", "\u2586", "\u2587", "\u2588"};
    double steps[LINE_STEPS] = {0}, max = 0;
    if (!g->series || r->n_buckets < 2 || skep_plan_value_heat(r->plan, value))
        return;
    unsigned n = SKEP_MIN(r->n_buckets, (unsigned)LINE_STEPS);
    for (unsigned b = 0; b < r->n_buckets; b++) {
        unsigned at = (unsigned)((uint64_t)b * n / r->n_buckets);
        double v = number(&g->series[(size_t)value * r->n_buckets + b]);
        steps[at] = SKEP_MAX(steps[at], v);
        max = SKEP_MAX(max, steps[at]);
    }
    for (unsigned i = 0; i < n; i++) {
        double share = steps[i] <= 0 ? 0 : steps[i] < max ? steps[i] / max : 1; /* max: any, inf */
        skep_buf_str(c->out, skep_str_c(blocks[SKEP_MIN((unsigned)(share * 8), 7u)]));
    }
}

static void put_head(struct skep_mcp_call *c, const struct skep_plan *plan)
{
    skep_buf_str(c->out, SKEP_STR("|"));
    for (unsigned i = 0; i < plan->n_groups; i++) {
        skep_buf_u8(c->out, ' ');
        skep_mcp__cell_text(c, skep_field_label(&plan->groups[i]));
        skep_buf_str(c->out, SKEP_STR(" |"));
    }
    for (unsigned i = skep_plan_first_value(plan); i < skep_plan_n_values(plan); i++) {
        skep_buf_u8(c->out, ' ');
        skep_mcp__cell_text(c, skep_plan_value_key(plan, i));
        skep_buf_str(c->out, SKEP_STR(" |"));
    }
    skep_buf_str(c->out, SKEP_STR(" over time |\n|"));
    for (unsigned i = 0;
         i < plan->n_groups + skep_plan_n_values(plan) - skep_plan_first_value(plan) + 1; i++)
        skep_buf_str(c->out, SKEP_STR("---|"));
    skep_buf_u8(c->out, '\n');
}

static void put_group(struct skep_mcp_call *c, const struct skep_result *r,
                      const struct skep_result_group *g)
{
    const struct skep_plan *plan = r->plan;
    unsigned first = skep_plan_first_value(plan);
    skep_buf_str(c->out, SKEP_STR("|"));
    for (unsigned i = 0; i < plan->n_groups; i++) {
        skep_buf_u8(c->out, ' ');
        if (g->key)
            skep_mcp__cell(c, &g->key[i]);
        else
            skep_buf_str(c->out, SKEP_STR("(all)"));
        skep_buf_str(c->out, SKEP_STR(" |"));
    }
    for (unsigned i = first; i < skep_plan_n_values(plan); i++) {
        skep_buf_u8(c->out, ' ');
        put_cell(c, &g->values[i]);
        skep_buf_str(c->out, SKEP_STR(" |"));
    }
    skep_buf_u8(c->out, ' ');
    put_line(c, r, g, first);
    skep_buf_str(c->out, SKEP_STR(" |\n"));
}

static void put_span_of_time(struct skep_mcp_call *c, struct skep_time_range range)
{
    char from[SKEP_RFC3339_BYTES], to[SKEP_RFC3339_BYTES];
    skep_str a = {from, skep_rfc3339(range.start_ns, 0, from)};
    skep_str b = {to, skep_rfc3339(range.end_ns, 0, to)};
    skep_buf_printf(c->out, SKEP_STRFMT " to " SKEP_STRFMT, SKEP_STRARG(a), SKEP_STRARG(b));
}

static void put_result(struct skep_mcp_call *c, const struct skep_result *r)
{
    size_t shown = 0;
    put_head(c, r->plan);
    for (; shown < r->n_groups && shown < SKEP_MCP_ROWS && !skep_mcp__full(c); shown++)
        put_group(c, r, &r->groups[shown]);
    if (r->plan->n_groups)
        put_group(c, r, &r->totals);
    skep_buf_printf(c->out, "\n%zu of %zu groups, %llu rows examined, ", shown, r->n_groups_total,
                    (unsigned long long)r->rows_examined);
    put_span_of_time(c, r->plan->range);
    skep_buf_str(c->out, r->estimated ? SKEP_STR(", weighted by sample rates\n") : SKEP_STR("\n"));
    if (!r->complete)
        skep_buf_printf(c->out, "Not all rows could be read: " SKEP_STRFMT "\n",
                        SKEP_STRARG(r->missing));
}

bool skep_mcp__query(struct skep_mcp_call *c)
{
    struct skep_api__dataset d;
    struct skep_lang_opts lang;
    struct skep_lang_issue issue;
    const struct skep_plan *plan = NULL;
    struct skep_result *r = NULL;
    size_t n = 0;
    skep_err err;
    yyjson_val *spec = yyjson_obj_get(c->args, "query");
    if (!yyjson_is_obj(spec))
        return skep_mcp__fail(c, "query: the specification, an object");
    if (!dataset_name(c, &d))
        return false;
    char *text = yyjson_val_write(spec, 0, &n);
    skep_str body = skep_arena_str(&c->job->arena, (skep_str){text ? text : "{}", text ? n : 2});
    skep_free(text);
    if (skep_api__hny_lang(c->job->api, &c->job->opts, &d, &lang, &err) != SKEP_OK)
        return skep_mcp__fail(c, err.text);
    if (skep_lang_honeycomb(skep_str_bytes(body), &lang, &c->job->arena, &plan, &issue) != SKEP_OK)
        return skep_mcp__fail_issue(c, &issue);
    if (skep_query_aggregate(c->job->api->cfg.store, plan, &c->job->opts, &r, &err) != SKEP_OK)
        return skep_mcp__fail(c, err.text);
    put_result(c, r);
    return true;
}

/* --- run_bubbleup --------------------------------------------------------------------------------
 */

static void put_facet(struct skep_mcp_call *c, const struct skep_facet *f,
                      const struct skep_facets *all)
{
    skep_buf_printf(c->out, "- **" SKEP_STRFMT "** effect %.2f, difference %.2f, q %.2g%s\n",
                    SKEP_STRARG(f->name), f->effect, f->difference, f->q,
                    f->significant ? "" : " (may be chance)");
    for (size_t i = 0; i < f->n && i < VALUES_SHOWN; i++) {
        skep_buf_str(c->out, SKEP_STR("  - "));
        skep_mcp__cell(c, &f->values[i].value);
        skep_buf_printf(
            c->out, ": %.1f %% of the selected, %.1f %% of the rest\n",
            all->selected ? 100.0 * (double)f->values[i].selected / (double)all->selected : 0.0,
            all->rest ? 100.0 * (double)f->values[i].rest / (double)all->rest : 0.0);
    }
    for (size_t i = 0; i < f->n_bins && f->kind == SKEP_FACET_NUMBERS; i++) {
        if (f->bins[i].selected == 0 && f->bins[i].rest == 0)
            continue;
        skep_buf_printf(c->out, "  - %.6g to %.6g: %llu selected, %llu of the rest\n", f->edges[i],
                        f->edges[i + 1], (unsigned long long)f->bins[i].selected,
                        (unsigned long long)f->bins[i].rest);
    }
}

/* How a tool's question is read; false after the call has failed. */
static bool lang_of(struct skep_mcp_call *c, struct skep_lang_opts *ret)
{
    skep_err err;
    *ret = (struct skep_lang_opts){.now_ns = skep_api__now(c->job->api), .page = true};
    skep_rc rc = skep_api__derived(c->job->api, &c->job->opts, ret, &err);
    return rc == SKEP_OK || skep_mcp__fail(c, err.text);
}

bool skep_mcp__bubbleup(struct skep_mcp_call *c)
{
    static const char *const names[] = {"dataset", "time_range",         "start_time", "end_time",
                                        "filters", "filter_combination", "baseline",   "selection"};
    struct skep_lang_opts lang;
    const struct skep_plan *plan = NULL;
    struct skep_lang_issue issue;
    struct skep_answer a = {0};
    size_t shown = 0;
    skep_err err;
    skep_bytes body = body_of(c, names, SKEP_ARRAY_LEN(names), VALUES_SHOWN);
    if (!lang_of(c, &lang))
        return false;
    if (skep_lang_facets(body, &lang, &c->job->arena, &plan, &issue) != SKEP_OK)
        return skep_mcp__fail_issue(c, &issue);
    if (skep_api__facets(c->job, plan, &a, &err) != SKEP_OK)
        return skep_mcp__fail(c, err.text);
    skep_buf_printf(c->out, "%llu selected rows, %llu others, ",
                    (unsigned long long)a.facets.selected, (unsigned long long)a.facets.rest);
    put_span_of_time(c, plan->range);
    skep_buf_str(c->out, SKEP_STR("\n\n"));
    for (size_t i = 0; i < a.facets.n && shown < FACETS_SHOWN && !skep_mcp__full(c); i++) {
        if (!a.facets.facets[i].significant)
            break; /* the significant ones come first */
        put_facet(c, &a.facets.facets[i], &a.facets);
        shown++;
    }
    if (shown == 0)
        skep_buf_str(c->out, SKEP_STR("No column differs beyond chance.\n"));
    return true;
}

/* --- list_spans ----------------------------------------------------------------------------------
 */

bool skep_mcp__spans(struct skep_mcp_call *c)
{
    static const char *const names[] = {"dataset", "time_range",         "start_time", "end_time",
                                        "filters", "filter_combination", "columns"};
    struct skep_lang_opts lang;
    const struct skep_plan *plan = NULL;
    struct skep_lang_issue issue;
    struct skep_answer a = {0};
    skep_err err;
    skep_bytes body =
        body_of(c, names, SKEP_ARRAY_LEN(names), skep_mcp__number(c, "limit", 20, SKEP_MCP_ROWS));
    if (!lang_of(c, &lang))
        return false;
    if (skep_lang_rows(body, &lang, &c->job->arena, &plan, &issue) != SKEP_OK)
        return skep_mcp__fail_issue(c, &issue);
    if (skep_query_run(c->job->api->cfg.store, plan, &c->job->opts, &a, &err) != SKEP_OK)
        return skep_mcp__fail(c, err.text);
    for (size_t i = 0; i < a.rows.n && !skep_mcp__full(c); i++) {
        struct skep_json json;
        skep_json_init(&json, c->out);
        skep_api__row(&json, &c->job->arena, &a.rows.rows[i], plan->n_columns == 0);
        skep_buf_u8(c->out, '\n');
    }
    if (a.rows.n == 0)
        skep_buf_str(c->out, SKEP_STR("No rows.\n"));
    return true;
}

/* --- get_trace -----------------------------------------------------------------------------------
 */

static void put_node(struct skep_mcp_call *c, const struct skep_trace_node *n, int64_t start_ns)
{
    const struct skep_row *row = n->row;
    for (uint32_t i = 0; i < SKEP_MIN(n->depth, 40u); i++)
        skep_buf_str(c->out, SKEP_STR("  "));
    skep_buf_printf(c->out, "+%.3f ms ", (double)(row->time_ns - start_ns) / 1e6);
    skep_mcp__cell_text(c, row->dataset);
    skep_buf_str(c->out, SKEP_STR(": "));
    skep_mcp__cell_text(c, row->name);
    if (row->duration_ns >= 0)
        skep_buf_printf(c->out, " %.3f ms", (double)row->duration_ns / 1e6);
    if (row->status == SKEP_STATUS_ERROR)
        skep_buf_str(c->out, SKEP_STR(" ERROR"));
    if (n->missing_parent)
        skep_buf_str(c->out, SKEP_STR(" (its parent is missing)"));
    if (row->span_id)
        skep_buf_printf(c->out, " [%016llx]", (unsigned long long)row->span_id);
    skep_buf_u8(c->out, '\n');
}

bool skep_mcp__trace(struct skep_mcp_call *c)
{
    struct skep_plan plan = {.kind = SKEP_PLAN_TRACE, .range = {0, INT64_MAX}};
    struct skep_trace_tree tree;
    struct skep_answer a = {0};
    size_t shown = 0;
    skep_err err;
    skep_str id = skep_mcp__text(c, "trace_id");
    bool events = yyjson_is_true(yyjson_obj_get(c->args, "show_events"));
    if (id.n == 0)
        return skep_mcp__fail(c, "trace_id: 32 hex digits");
    if (!skep_lang_trace_id(id, &plan.trace_id))
        plan.trace_id = skep_trace_id_of(id);
    if (skep_query_run(c->job->api->cfg.store, &plan, &c->job->opts, &a, &err) != SKEP_OK)
        return skep_mcp__fail(c, err.text);
    if (a.rows.n == 0)
        return skep_mcp__fail(c, "no such trace");
    skep_query_trace_tree(&a.rows, &c->job->arena, &tree);
    skep_buf_printf(c->out, "%zu rows, %.3f ms\n\n", tree.n,
                    (double)(tree.end_ns - tree.start_ns) / 1e6);
    for (size_t i = 0; i < tree.n && shown < TRACE_ROWS && !skep_mcp__full(c); i++) {
        if (tree.nodes[i].row->kind != SKEP_KIND_SPAN && !events)
            continue;
        put_node(c, &tree.nodes[i], tree.start_ns);
        shown++;
    }
    return true;
}

/* --- get_service_map -----------------------------------------------------------------------------
 */

static void put_map(struct skep_mcp_call *c, const struct skep_graph *g)
{
    skep_buf_str(c->out,
                 SKEP_STR("| from | to | calls | faults | errors | mean ms |\n|---|---|---|---|---|"
                          "---|\n"));
    for (uint32_t i = 0; i < g->n_edges && i < SKEP_MCP_ROWS && !skep_mcp__full(c); i++) {
        const struct skep_graph_edge *e = &g->edges[i];
        skep_buf_str(c->out, SKEP_STR("| "));
        skep_mcp__cell_text(c, g->nodes[e->from].client ? SKEP_STR("(client)")
                                                        : g->nodes[e->from].name);
        skep_buf_str(c->out, SKEP_STR(" | "));
        skep_mcp__cell_text(c, g->nodes[e->to].name);
        skep_buf_printf(c->out, " | %llu | %llu | %llu | %.3f |\n",
                        (unsigned long long)e->stats.total, (unsigned long long)e->stats.fault,
                        (unsigned long long)(e->stats.error + e->stats.throttle),
                        e->stats.total ? e->stats.sum_ms / (double)e->stats.total : 0.0);
    }
}

bool skep_mcp__map(struct skep_mcp_call *c)
{
    static const char *const names[] = {"time_range", "start_time", "end_time"};
    const struct skep_lang_opts lang = {.now_ns = skep_api__now(c->job->api), .page = true};
    const struct skep_plan *plan = NULL;
    struct skep_lang_issue issue;
    struct skep_xray_twice twice;
    struct skep_graph g;
    skep_err err;
    skep_bytes body = body_of(c, names, SKEP_ARRAY_LEN(names), 0);
    if (skep_lang_traces(body, &lang, &c->job->arena, &plan, NULL, &issue) != SKEP_OK)
        return skep_mcp__fail_issue(c, &issue);
    const struct skep_graph_ask ask = {
        .range = plan->range, .twice = &twice, .once = true, .weighted = true};
    skep_graph_init(&g, &c->job->arena);
    skep_rc rc = skep_graph_twice(c->job->api->cfg.store, &c->job->opts, plan->range, &twice, &err);
    if (rc == SKEP_OK)
        rc = skep_graph_run(c->job->api->cfg.store, &c->job->opts, &ask, &g, &err);
    if (rc == SKEP_OK)
        put_map(c, &g);
    skep_graph_done(&g);
    return rc == SKEP_OK || skep_mcp__fail(c, err.text);
}
