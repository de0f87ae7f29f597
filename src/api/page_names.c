// SPDX-License-Identifier: Apache-2.0
/* GET /skep/v1/{datasets,fields,values}: what there is to ask about.
 * Threads: workers.  Memory: the request's arena. */
#include "api/api_priv.h"

/* Answer a plan into `ret`; on failure the request has been answered. */
static bool ask(struct skep_api__job *job, const struct skep_plan *plan, struct skep_answer *ret)
{
    skep_err err;
    *ret = (struct skep_answer){0};
    skep_rc rc = skep_query_run(job->api->cfg.store, plan, &job->opts, ret, &err);
    if (rc == SKEP_OK)
        return true;
    skep_api__job_fail_rc(job, rc, &err);
    return false;
}

static void datasets(struct skep_api__job *job)
{
    struct skep_plan plan = {.kind = SKEP_PLAN_DATASETS};
    struct skep_answer a;
    if (!skep_api__scope(job, &plan) || !ask(job, &plan, &a))
        return;
    skep_api__json_begin(job, 200);
    struct skep_json *json = &job->out.json;
    skep_json_object(json);
    skep_json_key(json, SKEP_STR("datasets"));
    skep_json_array(json);
    for (size_t i = 0; i < a.datasets.n; i++) {
        const struct skep_dataset_info *d = &a.datasets.datasets[i];
        skep_json_object(json);
        skep_json_put_str(json, SKEP_STR("name"), d->name);
        skep_json_put_u64(json, SKEP_STR("rows"), d->rows);
        skep_json_put_i64_str(json, SKEP_STR("first_ns"), d->first_ns);
        skep_json_put_i64_str(json, SKEP_STR("last_ns"), d->last_ns);
        skep_json_end(json);
        skep_api__out_check(&job->out);
    }
    skep_json_end(json);
    skep_json_end(json);
    skep_api__out_end(&job->out);
}

static void type_names(struct skep_json *json, uint32_t bits)
{
    skep_json_key(json, SKEP_STR("types"));
    skep_json_array(json);
    for (unsigned t = SKEP_TYPE_STRING; t <= SKEP_TYPE_ARRAY; t++)
        if (bits & 1u << t)
            skep_json_str(json, skep_type_name((enum skep_type)t));
    skep_json_end(json);
}

static void scope_names(struct skep_json *json, uint32_t bits)
{
    skep_json_key(json, SKEP_STR("scopes"));
    skep_json_array(json);
    for (unsigned s = 0; s < SKEP_SCOPE_COUNT; s++)
        if (bits & 1u << s)
            skep_json_str(json, skep_scope_name((enum skep_scope)s));
    skep_json_end(json);
}

/* Derived columns that a question about the dataset may name. */
static void derived(struct skep_json *json, const struct skep_lang_opts *lang, skep_str dataset)
{
    skep_json_key(json, SKEP_STR("derived"));
    skep_json_array(json);
    for (unsigned i = 0; i < lang->n_derived; i++) {
        if (!skep_lang_derived_serves(&lang->derived[i], dataset))
            continue;
        skep_json_object(json);
        skep_json_put_str(json, SKEP_STR("name"), lang->derived[i].alias);
        skep_json_put_str(json, SKEP_STR("expression"), lang->derived[i].expression);
        skep_json_end(json);
    }
    skep_json_end(json);
}

static void fields(struct skep_api__job *job)
{
    struct skep_plan plan = {.kind = SKEP_PLAN_FIELDS};
    struct skep_lang_opts lang;
    struct skep_answer a;
    if (!skep_api__scope(job, &plan) || !skep_api__page_lang(job, &lang) || !ask(job, &plan, &a))
        return;
    skep_api__json_begin(job, 200);
    struct skep_json *json = &job->out.json;
    skep_json_object(json);
    skep_json_key(json, SKEP_STR("fields"));
    skep_json_array(json);
    for (size_t i = 0; i < a.fields.n; i++) {
        const struct skep_field_info *f = &a.fields.fields[i];
        skep_json_object(json);
        skep_json_put_str(json, SKEP_STR("name"), f->name);
        type_names(json, f->types);
        scope_names(json, f->scopes);
        skep_json_put_u64(json, SKEP_STR("rows"), f->rows);
        skep_json_end(json);
        skep_api__out_check(&job->out);
    }
    skep_json_end(json);
    derived(json, &lang, plan.dataset);
    skep_json_end(json);
    skep_api__out_end(&job->out);
}

/* field and limit of the query string; false when the request has been refused. */
static bool values_params(struct skep_api__job *job, skep_str *ret_field, unsigned *ret_limit)
{
    uint64_t limit = 50;
    skep_str text = skep_api__param(job->req, SKEP_STR("limit"));
    *ret_field = skep_api__param(job->req, SKEP_STR("field"));
    if (ret_field->n == 0) {
        skep_api__job_fail(job, &(struct skep_api__error){.status = 422,
                                                          .text = SKEP_STR("name a field"),
                                                          .field = SKEP_STR("field")});
        return false;
    }
    if (text.n && (!skep_str_u64(text, &limit) || limit < 1 || limit > 1000)) {
        skep_api__job_fail(job, &(struct skep_api__error){.status = 422,
                                                          .text = SKEP_STR("use 1 to 1000"),
                                                          .field = SKEP_STR("limit")});
        return false;
    }
    *ret_limit = (unsigned)limit;
    return true;
}

static void write_values(struct skep_api__job *job, const struct skep_result *r, unsigned limit)
{
    struct skep_json *json = &job->out.json;
    size_t n = 0;
    bool more = r->n_groups_total > r->n_groups;
    skep_json_object(json);
    skep_json_key(json, SKEP_STR("values"));
    skep_json_array(json);
    for (size_t i = 0; i < r->n_groups; i++) {
        const struct skep_result_group *g = &r->groups[i];
        if (g->key[0].type == SKEP_TYPE_NULL || g->values[0].kind != SKEP_CELL_INT)
            continue; /* rows without the field */
        if (n++ == limit) {
            more = true;
            break;
        }
        skep_json_object(json);
        skep_json_key(json, SKEP_STR("value"));
        skep_api__value(json, &g->key[0]);
        skep_json_put_i64(json, SKEP_STR("rows"), g->values[0].i);
        skep_json_end(json);
        skep_api__out_check(&job->out);
    }
    skep_json_end(json);
    skep_json_put_bool(json, SKEP_STR("complete"), r->complete && !more);
    skep_json_end(json);
}

static void values(struct skep_api__job *job)
{
    struct skep_plan base = {.kind = SKEP_PLAN_AGGREGATE};
    struct skep_result *result = NULL;
    skep_str field;
    unsigned limit;
    skep_err err;
    if (!skep_api__scope(job, &base) || !values_params(job, &field, &limit))
        return;
    /* One more: rows without the field may form a group of their own. */
    const struct skep_plan *plan = skep_query_values_plan(
        &job->arena, &base, field, skep_api__param(job->req, SKEP_STR("prefix")), limit + 1);
    skep_rc rc = skep_query_aggregate(job->api->cfg.store, plan, &job->opts, &result, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_api__json_begin(job, 200);
    write_values(job, result, limit);
    skep_api__out_end(&job->out);
}

static void handle_datasets(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, datasets);
}

static void handle_fields(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, fields);
}

static void handle_values(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, values);
}

static const struct skep_route routes[] = {
    {.method = "GET",
     .path = "/skep/v1/datasets",
     .handle = handle_datasets,
     .refuse = skep_api__refuse,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
    {.method = "GET",
     .path = "/skep/v1/fields",
     .handle = handle_fields,
     .refuse = skep_api__refuse,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
    {.method = "GET",
     .path = "/skep/v1/values",
     .handle = handle_values,
     .refuse = skep_api__refuse,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_names = {routes, SKEP_ARRAY_LEN(routes)};
