// SPDX-License-Identifier: Apache-2.0
/* POST /skep/v1/graph: the service graph of the traces that a filter selects.
 * Threads: workers.  Memory: the request's arena. */
#include "api/graph.h"

#include "plan/plan.h"

enum { HISTOGRAM_MAX = 60 };

static void put_stats(struct skep_json *json, struct skep_graph_stats *s)
{
    skep_json_put_u64(json, SKEP_STR("count"), s->total);
    skep_json_put_u64(json, SKEP_STR("faults"), s->fault);
    skep_json_put_u64(json, SKEP_STR("throttles"), s->throttle);
    skep_json_put_u64(json, SKEP_STR("errors"), s->error);
    skep_json_put_f64(json, SKEP_STR("total_ms"), s->sum_ms);
    skep_graph_coarsen(s, HISTOGRAM_MAX);
    skep_json_key(json, SKEP_STR("histogram"));
    skep_json_array(json);
    for (uint32_t i = 0; i < s->n_bins; i++) {
        skep_json_array(json);
        skep_json_f64(json, s->bins[i].lo);
        skep_json_f64(json, s->bins[i].hi);
        skep_json_u64(json, s->bins[i].count);
        skep_json_end(json);
    }
    skep_json_end(json);
}

static void put_nodes(struct skep_api__job *job, struct skep_graph *g)
{
    struct skep_json *json = &job->out.json;
    skep_json_key(json, SKEP_STR("nodes"));
    skep_json_array(json);
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        struct skep_graph_node *n = &g->nodes[i];
        skep_json_object(json);
        skep_json_put_str(json, SKEP_STR("name"), n->name);
        skep_json_put_str(json, SKEP_STR("type"), n->type);
        skep_json_put_str(json, SKEP_STR("account"), n->account);
        skep_json_put_str(json, SKEP_STR("kind"),
                          n->client     ? SKEP_STR("client")
                          : n->inferred ? SKEP_STR("inferred")
                                        : SKEP_STR("service"));
        skep_json_put_bool(json, SKEP_STR("root"), n->root);
        skep_json_key(json, SKEP_STR("filters"));
        skep_json_array(json);
        for (unsigned k = 0; k < n->n_says; k++) {
            skep_json_object(json);
            skep_json_put_str(json, SKEP_STR("column"), n->says[k].name);
            skep_json_put_str(json, SKEP_STR("value"), n->says[k].value.s);
            skep_json_end(json);
        }
        skep_json_end(json);
        put_stats(json, &n->stats);
        skep_json_end(json);
        skep_api__out_check(&job->out);
    }
    skep_json_end(json);
}

static void put_edges(struct skep_api__job *job, struct skep_graph *g)
{
    struct skep_json *json = &job->out.json;
    skep_json_key(json, SKEP_STR("edges"));
    skep_json_array(json);
    for (uint32_t i = 0; i < g->n_edges; i++) {
        skep_json_object(json);
        skep_json_put_u64(json, SKEP_STR("from"), g->edges[i].from);
        skep_json_put_u64(json, SKEP_STR("to"), g->edges[i].to);
        put_stats(json, &g->edges[i].stats);
        skep_json_end(json);
        skep_api__out_check(&job->out);
    }
    skep_json_end(json);
}

static void put_graph(struct skep_api__job *job, struct skep_graph *g,
                      const struct skep_graph_ask *ask, int64_t elapsed_ns)
{
    struct skep_json *json = &job->out.json;
    skep_api__json_begin(job, 200);
    skep_json_object(json);
    skep_json_put_f64(json, SKEP_STR("start_ms"), (double)ask->range.start_ns / 1e6);
    skep_json_put_f64(json, SKEP_STR("end_ms"), (double)ask->range.end_ns / 1e6);
    put_nodes(job, g);
    put_edges(job, g);
    skep_api__put_also(job, json);
    skep_json_put_u64(json, SKEP_STR("rows_examined"), g->rows_examined);
    skep_json_put_f64(json, SKEP_STR("elapsed_ms"), (double)elapsed_ns / 1e6);
    skep_json_put_bool(json, SKEP_STR("estimated"), g->estimated);
    skep_json_put_bool(json, SKEP_STR("cut"), g->cut);
    skep_json_put_bool(json, SKEP_STR("complete"), g->complete);
    if (!g->complete)
        skep_json_put_str(json, SKEP_STR("missing"), g->missing);
    skep_json_end(json);
    skep_api__out_end(&job->out);
}

static struct skep_expr *kin(struct skep_arena *arena, const struct skep_expr *of)
{
    struct skep_expr *e = skep_new(arena, struct skep_expr);
    struct skep_expr **kids = skep_new_n(arena, struct skep_expr *, 1);
    kids[0] = (struct skep_expr *)(uintptr_t)of; /* not changed by being part of another */
    *e = (struct skep_expr){.op = SKEP_EXPR_RELATED, .kids = kids, .n_kids = 1};
    e->relation = SKEP_REL_ANY;
    return e;
}

/* Rows of traces in which some span passes the request's filter, in its dataset. */
static const struct skep_expr *of_traces(struct skep_arena *arena, const struct skep_plan *plan)
{
    if (plan->dataset.n == 0)
        return plan->filter ? kin(arena, plan->filter) : NULL;
    struct skep_expr *e = skep_new(arena, struct skep_expr);
    skep_value *v = skep_new(arena, skep_value);
    *v = (skep_value){.type = SKEP_TYPE_STRING, .s = plan->dataset};
    e->op = SKEP_EXPR_TEST;
    e->test = (struct skep_test){.field = {.name = SKEP_STR("dataset")},
                                 .op = SKEP_CMP_EQ,
                                 .values = v,
                                 .n_values = 1,
                                 .fold_case = true};
    if (!plan->filter)
        return kin(arena, e);
    struct skep_expr *all = skep_new(arena, struct skep_expr);
    struct skep_expr **kids = skep_new_n(arena, struct skep_expr *, 2);
    kids[0] = e;
    kids[1] = (struct skep_expr *)(uintptr_t)plan->filter;
    *all = (struct skep_expr){.op = SKEP_EXPR_AND, .kids = kids, .n_kids = 2};
    return kin(arena, all);
}

static void graph(struct skep_api__job *job)
{
    const struct skep_os *os = job->api->cfg.os;
    struct skep_lang_opts lang;
    const struct skep_plan *plan = NULL;
    struct skep_lang_issue issue;
    struct skep_graph g;
    skep_err err;
    int64_t begin = os->mono_ns(os);
    if (!skep_api__page_lang(job, &lang))
        return;
    if (skep_lang_traces(job->req->body, &lang, &job->arena, &plan, NULL, &issue) != SKEP_OK) {
        skep_api__job_fail_issue(job, &issue);
        return;
    }
    struct skep_xray_twice twice;
    const struct skep_graph_ask ask = {.range = plan->range,
                                       .filter = of_traces(&job->arena, plan),
                                       .twice = &twice,
                                       .once = true,
                                       .weighted = true};
    skep_graph_init(&g, &job->arena);
    skep_rc rc = skep_graph_twice(job->api->cfg.store, &job->opts, plan->range, &twice, &err);
    if (rc == SKEP_OK)
        rc = skep_graph_run(job->api->cfg.store, &job->opts, &ask, &g, &err);
    if (rc == SKEP_OK)
        put_graph(job, &g, &ask, os->mono_ns(os) - begin);
    else
        skep_api__job_fail_rc(job, rc, &err);
    skep_graph_done(&g);
}

static void handle_graph(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, graph);
}

static const struct skep_route routes[] = {
    {.method = "POST",
     .path = "/skep/v1/graph",
     .handle = handle_graph,
     .refuse = skep_api__refuse,
     .body_limit_bytes = SKEP_LIMIT_API_BODY_BYTES,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_graph = {routes, SKEP_ARRAY_LEN(routes)};
