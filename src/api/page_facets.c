// SPDX-License-Identifier: Apache-2.0
/* POST /skep/v1/facets: how the values of columns differ between selected rows and the rest.
 * Threads: workers.  Memory: the request's arena. */
#include "api/api_priv.h"

static void write_facet(struct skep_json *json, const struct skep_facet *f)
{
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("column"), f->name);
    skep_json_put_bool(json, SKEP_STR("too_many_values"), f->too_many);
    skep_json_put_f64(json, SKEP_STR("difference"), f->difference);
    skep_json_put_u64(json, SKEP_STR("n_values"), f->n_values);
    skep_json_key(json, SKEP_STR("values"));
    skep_json_array(json);
    for (size_t i = 0; i < f->n; i++) {
        skep_json_object(json);
        skep_json_key(json, SKEP_STR("value"));
        skep_api__value(json, &f->values[i].value);
        skep_json_put_u64(json, SKEP_STR("selected"), f->values[i].selected);
        skep_json_put_u64(json, SKEP_STR("rest"), f->values[i].rest);
        skep_json_end(json);
    }
    skep_json_end(json);
    skep_json_end(json);
}

static void write_answer(struct skep_api__job *job, const struct skep_answer *a, int64_t elapsed_ns)
{
    struct skep_json *json = &job->out.json;
    skep_json_object(json);
    skep_json_put_u64(json, SKEP_STR("selected"), a->facets.selected);
    skep_json_put_u64(json, SKEP_STR("rest"), a->facets.rest);
    skep_json_put_bool(json, SKEP_STR("estimated"), a->facets.estimated);
    skep_json_key(json, SKEP_STR("facets"));
    skep_json_array(json);
    for (size_t i = 0; i < a->facets.n && !job->out.gone; i++) {
        write_facet(json, &a->facets.facets[i]);
        skep_api__out_check(&job->out);
    }
    skep_json_end(json);
    skep_json_put_u64(json, SKEP_STR("rows_examined"), a->rows_examined);
    skep_json_put_f64(json, SKEP_STR("elapsed_ms"), (double)elapsed_ns / 1e6);
    skep_json_put_bool(json, SKEP_STR("complete"), a->complete);
    skep_api__put_also(job, json);
    if (!a->complete)
        skep_json_put_str(json, SKEP_STR("missing"), a->missing);
    skep_json_end(json);
}

static void facets(struct skep_api__job *job)
{
    const struct skep_os *os = job->api->cfg.os;
    const struct skep_lang_opts lang = {.now_ns = skep_api__now(job->api), .page = true};
    const struct skep_plan *plan = NULL;
    struct skep_answer a = {0};
    struct skep_lang_issue issue;
    skep_err err;
    int64_t begin = os->mono_ns(os);
    if (skep_lang_facets(job->req->body, &lang, &job->arena, &plan, &issue) != SKEP_OK) {
        skep_api__job_fail_issue(job, &issue);
        return;
    }
    skep_rc rc = skep_query_run(job->api->cfg.store, plan, &job->opts, &a, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_api__json_begin(job, 200);
    write_answer(job, &a, os->mono_ns(os) - begin);
    skep_api__out_end(&job->out);
}

static void handle_facets(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, facets);
}

static const struct skep_route routes[] = {
    {.method = "POST",
     .path = "/skep/v1/facets",
     .handle = handle_facets,
     .refuse = skep_api__refuse,
     .body_limit_bytes = SKEP_LIMIT_API_BODY_BYTES,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_facets = {routes, SKEP_ARRAY_LEN(routes)};
