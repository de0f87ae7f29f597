// SPDX-License-Identifier: Apache-2.0
/* POST /skep/v1/query: Honeycomb's specification in, NDJSON out.  ?keep=true: it gets a place in
 * the history (page_runs.c), and the result has its id as "run".
 *
 *   {"type":"progress",...}   at most ten a second, only while the question runs
 *   {"type":"result",...} | {"type":"error",...}   the last line
 *
 * With `Accept: application/json` the last line is the body, with its HTTP status.
 *
 * I1  a question refused before it ran has an HTTP status; once a line is out, errors are lines
 * I2  the client's leaving cancels the question (skep_api__canceled is polled by the engine)
 *
 * Threads: a worker (page_lines.c).  Memory: the request's arena. */
#include "api/page_lines.h"

#include "base/assert.h"

static double ms(skep_ts_ns ns)
{
    return (double)ns / 1e6;
}

/* "_ms" members: whole milliseconds without a fraction. */
static void put_ms(struct skep_json *json, skep_ts_ns ns)
{
    if (ns % 1000000 == 0)
        skep_json_i64(json, ns / 1000000);
    else
        skep_json_f64(json, ms(ns));
}

static void put_ms_member(struct skep_json *json, skep_str key, skep_ts_ns ns)
{
    skep_json_key(json, key);
    put_ms(json, ns);
}

static void columns(struct skep_json *json, const struct skep_plan *plan)
{
    skep_json_key(json, SKEP_STR("columns"));
    skep_json_array(json);
    for (unsigned i = 0; i < plan->n_groups; i++) {
        skep_json_object(json);
        skep_json_put_str(json, SKEP_STR("key"), skep_field_label(&plan->groups[i]));
        skep_json_put_str(json, SKEP_STR("kind"), SKEP_STR("group"));
        skep_json_end(json);
    }
    for (unsigned i = skep_plan_first_value(plan); i < plan->n_aggs; i++) {
        const struct skep_agg *a = &plan->aggs[i];
        skep_json_object(json);
        skep_json_put_str(json, SKEP_STR("key"), a->key);
        skep_json_put_str(json, SKEP_STR("kind"), SKEP_STR("calc"));
        skep_json_put_str(json, SKEP_STR("op"), skep_agg_op_name(a->op, a->param));
        skep_json_key(json, SKEP_STR("field"));
        if (a->field.name.n)
            skep_json_str(json, a->field.name);
        else
            skep_json_null(json);
        skep_json_end(json);
    }
    for (unsigned i = 0; i < plan->n_formulas; i++) {
        skep_json_object(json);
        skep_json_put_str(json, SKEP_STR("key"), plan->formulas[i].key);
        skep_json_put_str(json, SKEP_STR("kind"), SKEP_STR("formula"));
        skep_json_end(json);
    }
    skep_json_end(json);
}

/* values and series of one group (or of the totals). */
static void cells(struct skep_api__out *out, const struct skep_result *r,
                  const struct skep_result_group *g)
{
    struct skep_json *json = &out->json;
    unsigned first = skep_plan_first_value(r->plan), n = skep_plan_n_values(r->plan);
    skep_json_key(json, SKEP_STR("values"));
    skep_json_array(json);
    for (unsigned i = first; i < n; i++) {
        if (skep_plan_value_heat(r->plan, i))
            skep_json_null(json);
        else
            skep_api__cell(json, &g->values[i]);
    }
    skep_json_end(json);
    if (!g->series)
        return;
    skep_json_key(json, SKEP_STR("series"));
    skep_json_array(json);
    for (unsigned i = first; i < n; i++) {
        skep_json_array(json);
        for (unsigned b = 0; b < r->n_buckets; b++) {
            skep_api__cell(json, &g->series[(size_t)i * r->n_buckets + b]);
            skep_api__out_check(out);
        }
        skep_json_end(json);
    }
    skep_json_end(json);
}

/* A list of groups with their keys. */
static void keyed(struct skep_api__out *out, const struct skep_result *r, skep_str member,
                  const struct skep_result_group *list, size_t n)
{
    struct skep_json *json = &out->json;
    skep_json_key(json, member);
    skep_json_array(json);
    for (size_t i = 0; i < n; i++) {
        const struct skep_result_group *g = &list[i];
        skep_json_object(json);
        skep_json_key(json, SKEP_STR("key"));
        skep_json_array(json);
        for (unsigned k = 0; k < r->plan->n_groups; k++)
            skep_api__value(json, &g->key[k]);
        skep_json_end(json);
        cells(out, r, g);
        skep_json_end(json);
        skep_api__out_check(out);
    }
    skep_json_end(json);
}

static void groups(struct skep_api__out *out, const struct skep_result *r)
{
    struct skep_json *json = &out->json;
    keyed(out, r, SKEP_STR("groups"), r->groups, r->n_groups);
    skep_json_key(json, SKEP_STR("totals"));
    skep_json_object(json);
    cells(out, r, &r->totals);
    skep_json_end(json);
    skep_json_put_u64(json, SKEP_STR("groups_total"), r->n_groups_total);
}

static void heatmaps(struct skep_json *json, const struct skep_result *r)
{
    skep_json_key(json, SKEP_STR("heatmaps"));
    skep_json_object(json);
    for (unsigned i = skep_plan_first_value(r->plan); i < r->plan->n_aggs; i++) {
        if (r->plan->aggs[i].op != SKEP_AGG_HEATMAP)
            continue;
        skep_json_key(json, r->plan->aggs[i].key);
        skep_json_object(json);
        skep_json_key(json, SKEP_STR("edges"));
        skep_json_array(json);
        for (unsigned e = 0; r->heat[i].n && e <= r->heat[i].n; e++)
            skep_json_f64(json, r->heat[i].edges[e]);
        skep_json_end(json);
        skep_json_end(json);
    }
    skep_json_end(json);
}

static void warnings(struct skep_json *json, const struct skep_result *r)
{
    skep_json_key(json, SKEP_STR("warnings"));
    skep_json_array(json);
    if (r->estimated)
        skep_json_str(json, SKEP_STR("some rows are sampled: counts, sums and percentiles are "
                                     "estimates"));
    if (!r->complete)
        skep_json_str(json, r->missing.n ? r->missing : SKEP_STR("something could not be read"));
    if (r->n_groups_total > r->n_groups)
        skep_json_str(json,
                      SKEP_STR("more groups than the limit: the list is cut, totals are not"));
    skep_json_end(json);
}

static void times(struct skep_json *json, const struct skep_result *r)
{
    const struct skep_plan *plan = r->plan;
    put_ms_member(json, SKEP_STR("start_ms"), plan->range.start_ns);
    put_ms_member(json, SKEP_STR("end_ms"), plan->range.end_ns);
    put_ms_member(json, SKEP_STR("granularity_ms"), plan->granularity_ns);
    skep_json_key(json, SKEP_STR("times_ms"));
    skep_json_array(json);
    for (unsigned b = 0; b < r->n_buckets; b++)
        put_ms(json, r->bucket_starts[b]);
    skep_json_end(json);
}

/* The same question of an earlier time: cells of the same groups, in the same order. */
static void compared(struct skep_api__out *out, const struct skep_result *then)
{
    struct skep_json *json = &out->json;
    skep_json_key(json, SKEP_STR("compare"));
    skep_json_object(json);
    put_ms_member(json, SKEP_STR("offset_ms"), then->plan->compare_offset_ns);
    skep_json_put_bool(json, SKEP_STR("complete"), then->complete);
    skep_json_put_u64(json, SKEP_STR("rows_examined"), then->rows_examined);
    times(json, then);
    skep_json_key(json, SKEP_STR("groups"));
    skep_json_array(json);
    for (size_t i = 0; i < then->n_groups; i++) {
        skep_json_object(json);
        cells(out, then, &then->groups[i]);
        skep_json_end(json);
        skep_api__out_check(out);
    }
    skep_json_end(json);
    skep_json_key(json, SKEP_STR("totals"));
    skep_json_object(json);
    cells(out, then, &then->totals);
    skep_json_end(json);
    keyed(out, then, SKEP_STR("gone"), then->gone, then->n_gone);
    skep_json_end(json);
}

void skep_api__page_members(struct skep_api__job *job, struct skep_api__out *out,
                            const struct skep_api__kept_run *run)
{
    const struct skep_result *r = run->result;
    struct skep_json *json = &out->json;
    skep_json_put_bool(json, SKEP_STR("complete"), r->complete);
    skep_api__put_also(job, json);
    skep_json_put_u64(json, SKEP_STR("rows_examined"), r->rows_examined);
    skep_json_put_f64(json, SKEP_STR("elapsed_ms"), ms(r->elapsed_ns));
    skep_json_put_bool(json, SKEP_STR("estimated"), r->estimated);
    warnings(json, r);
    times(json, r);
    columns(json, r->plan);
    groups(out, r);
    heatmaps(json, r);
    if (run->then)
        compared(out, run->then);
}

static void write_result(struct skep_api__job *job, const struct skep_api__kept_run *run)
{
    struct skep_json *json = &job->out.json;
    skep_state_id id;
    bool kept = skep_api__keep_run(job, run, &id);
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("type"), SKEP_STR("result"));
    if (kept)
        skep_json_put_str(json, SKEP_STR("run"), skep_state_id_str(&id));
    skep_api__page_members(job, &job->out, run);
    skep_json_end(json);
    skep_buf_u8(&job->out.buf, '\n');
}

static void query(struct skep_api__job *job)
{
    struct skep_lang_opts lang;
    const struct skep_plan *plan = NULL;
    struct skep_api__lines lines;
    struct skep_result *result = NULL, *then = NULL;
    struct skep_lang_issue issue;
    skep_err err;

    if (!skep_api__page_lang(job, &lang))
        return;
    if (skep_lang_honeycomb(job->req->body, &lang, &job->arena, &plan, &issue) != SKEP_OK) {
        skep_api__job_fail_issue(job, &issue);
        return;
    }
    skep_api__lines_begin(&lines, job);
    skep_rc rc = skep_query_aggregate(job->api->cfg.store, plan, &job->opts, &result, &err);
    if (rc == SKEP_OK && plan->compare_offset_ns > 0)
        rc = skep_query_compare(job->api->cfg.store, result, &job->opts, &then, &err);
    if (rc != SKEP_OK) {
        skep_api__lines_failed(job, rc, &err);
        return;
    }
    write_result(
        job, &(struct skep_api__kept_run){
                 .plan = plan, .result = result, .then = then, .write = skep_api__page_members});
    skep_api__out_end(&job->out);
}

static void handle(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, query);
}

static const struct skep_route routes[] = {
    {.method = "POST",
     .path = "/skep/v1/query",
     .handle = handle,
     .refuse = skep_api__refuse,
     .body_limit_bytes = SKEP_LIMIT_API_BODY_BYTES,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_query = {routes, SKEP_ARRAY_LEN(routes)};
