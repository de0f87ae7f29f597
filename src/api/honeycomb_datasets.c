// SPDX-License-Identifier: Apache-2.0
/* /1/datasets: GET all, GET one, POST.
 * Threads: workers.  Memory: the request's arena. */
#include "api/honeycomb_priv.h"

#include <yyjson.h>

static void dataset_members(struct skep_json *json, const struct skep_api__dataset *d,
                            int64_t columns)
{
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("name"), d->name);
    skep_json_put_str(json, SKEP_STR("description"), d->description);
    skep_json_put_str(json, SKEP_STR("slug"), d->slug);
    skep_json_put_i64(json, SKEP_STR("expand_json_depth"), 0);
    skep_json_key(json, SKEP_STR("settings"));
    skep_json_object(json);
    skep_json_put_bool(json, SKEP_STR("delete_protected"), false);
    skep_json_end(json);
    skep_json_key(json, SKEP_STR("regular_columns_count"));
    if (columns >= 0)
        skep_json_i64(json, columns);
    else
        skep_json_null(json);
    if (d->last_ns) {
        skep_api__put_time(json, SKEP_STR("last_written_at"), d->last_ns);
    } else {
        skep_json_key(json, SKEP_STR("last_written_at"));
        skep_json_null(json);
    }
    skep_api__put_time(json, SKEP_STR("created_at"), d->created_ns);
    skep_json_end(json);
}

static void list(struct skep_api__job *job)
{
    struct skep_api__dataset *all;
    size_t n;
    if (!skep_api__hny_datasets(job, &all, &n))
        return;
    skep_api__hny_begin(job, 200);
    skep_json_array(&job->out.json);
    for (size_t i = 0; i < n; i++) {
        dataset_members(&job->out.json, &all[i], -1);
        skep_api__out_check(&job->out);
    }
    skep_json_end(&job->out.json);
    skep_api__out_end(&job->out);
}

static void one(struct skep_api__job *job)
{
    struct skep_api__dataset d;
    struct skep_answer a = {0};
    skep_err err;
    if (!skep_api__hny_dataset(job, false, &d))
        return;
    const struct skep_plan plan = {
        .kind = SKEP_PLAN_FIELDS, .range = {0, INT64_MAX}, .dataset = d.name};
    skep_rc rc = skep_query_run(job->api->cfg.store, &plan, &job->opts, &a, &err);
    if (rc != SKEP_OK) {
        skep_api__hny_fail_rc(job, rc, &err);
        return;
    }
    skep_api__hny_begin(job, 200);
    dataset_members(&job->out.json, &d, (int64_t)a.fields.n);
    skep_api__out_end(&job->out);
}

/* name and description of a POST; false after a refusal. */
static bool read_body(struct skep_api__job *job, struct skep_state_dataset *ret)
{
    skep_bytes body = job->req->body;
    yyjson_doc *doc = yyjson_read((const char *)body.p, body.n, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *name = yyjson_obj_get(root, "name");
    yyjson_val *description = yyjson_obj_get(root, "description");
    bool ok = yyjson_is_str(name) && yyjson_get_len(name) > 0;
    if (ok) {
        ret->name =
            skep_arena_str(&job->arena, (skep_str){yyjson_get_str(name), yyjson_get_len(name)});
        ret->slug = skep_state_slug(&job->arena, ret->name);
        ret->description = skep_arena_str(
            &job->arena, (skep_str){yyjson_get_str(description), yyjson_get_len(description)});
    }
    bool parsed = doc != NULL;
    yyjson_doc_free(doc);
    if (!parsed)
        skep_api__hny_fail(job, SKEP_PROBLEM_UNPARSEABLE, SKEP_STR_NULL, SKEP_LANG_INVALID,
                           SKEP_STR("the body is not JSON"));
    else if (!ok)
        skep_api__hny_fail(job, SKEP_PROBLEM_VALIDATION, SKEP_STR("name"), SKEP_LANG_MISSING,
                           SKEP_STR("a dataset needs a name"));
    return parsed && ok;
}

/* 201 when it is new, 200 when its name is known already. */
static void create(struct skep_api__job *job)
{
    struct skep_state_dataset d = {.created_ns = 0}, made;
    struct skep_api__dataset *all;
    size_t n;
    skep_err err;
    if (!read_body(job, &d) || !skep_api__hny_datasets(job, &all, &n))
        return;
    for (size_t i = 0; i < n; i++) {
        if (skep_str_eq(all[i].slug, d.slug)) {
            skep_api__hny_begin(job, 200);
            dataset_members(&job->out.json, &all[i], -1);
            skep_api__out_end(&job->out);
            return;
        }
    }
    skep_rc rc = skep_state_put_dataset(job->api->cfg.state, job->opts.environment, &d, &job->arena,
                                        &made, &err);
    if (rc != SKEP_OK && rc != SKEP_EEXISTS) {
        skep_api__hny_fail_rc(job, rc, &err);
        return;
    }
    const struct skep_api__dataset shown = {.name = made.name,
                                            .slug = made.slug,
                                            .description = made.description,
                                            .created_ns = made.created_ns};
    skep_api__hny_begin(job, rc == SKEP_OK ? 201 : 200);
    dataset_members(&job->out.json, &shown, 0);
    skep_api__out_end(&job->out);
}

static void handle_list(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, list);
}

static void handle_one(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, one);
}

static void handle_create(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, create);
}

static const struct skep_route routes[] = {
    {.method = "GET",
     .path = "/1/datasets",
     .handle = handle_list,
     .refuse = skep_api__hny_refuse,
     .flags = SKEP_ROUTE_PREFIX_SLASH,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_HONEYCOMB},
    {.method = "GET",
     .path = "/1/datasets/:slug",
     .handle = handle_one,
     .refuse = skep_api__hny_refuse,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_HONEYCOMB},
    {.method = "POST",
     .path = "/1/datasets",
     .handle = handle_create,
     .refuse = skep_api__hny_refuse,
     .flags = SKEP_ROUTE_PREFIX_SLASH,
     .body_limit_bytes = SKEP_LIMIT_API_BODY_BYTES,
     .right = SKEP_RIGHT_INGEST,
     .form = SKEP_FORM_HONEYCOMB},
};

const struct skep_api__routes skep_api__honeycomb_datasets = {routes, SKEP_ARRAY_LEN(routes)};
