// SPDX-License-Identifier: Apache-2.0
/* /1/datasets: GET all, POST; GET, PUT, DELETE of one.
 *
 * A dataset is there when it has rows or was created.  What was said of it - description,
 * expand_json_depth, settings - is an object of its slug.  DELETE takes the rows along, for good.
 * Threads: workers.  Memory: the request's arena. */
#include "api/honeycomb_objects.h"

#include <inttypes.h>

#include "api/keys.h"
#include "ingest/ingest.h"

/* --- what was said -------------------------------------------------------------------------------
 */

struct said {
    struct skep_object *list;
    size_t n;
};

static skep_rc load_said(struct skep_api__job *job, struct said *ret, skep_err *err)
{
    return skep_state_objects(job->api->cfg.state, SKEP_OBJECT_DATASET, &job->opts.environment,
                              NULL, &job->arena, &ret->list, &ret->n, err);
}

static struct skep_object *said_of(const struct said *s, skep_str slug)
{
    for (size_t i = 0; i < s->n; i++)
        if (skep_str_eq(s->list[i].scope, slug))
            return &s->list[i];
    return NULL;
}

static bool is_protected(yyjson_val *said)
{
    return yyjson_is_true(yyjson_obj_get(yyjson_obj_get(said, "settings"), "delete_protected"));
}

static void dataset_members(struct skep_api__job *job, const struct skep_api__dataset *d,
                            const struct skep_object *said, int64_t columns)
{
    struct skep_json *json = &job->out.json;
    yyjson_doc *doc = said ? yyjson_read(said->body.p, said->body.n, 0) : NULL;
    yyjson_val *root = yyjson_doc_get_root(doc);
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("name"), d->name);
    skep_json_put_str(json, SKEP_STR("description"),
                      said ? skep_api__hny_text(&job->arena, root, "description") : d->description);
    skep_json_put_str(json, SKEP_STR("slug"), d->slug);
    skep_json_put_i64(json, SKEP_STR("expand_json_depth"),
                      yyjson_get_sint(yyjson_obj_get(root, "expand_json_depth")));
    skep_json_key(json, SKEP_STR("settings"));
    skep_json_object(json);
    skep_json_put_bool(json, SKEP_STR("delete_protected"), is_protected(root));
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
    yyjson_doc_free(doc);
}

static void answer_one(struct skep_api__job *job, int status, const struct skep_api__dataset *d,
                       const struct skep_object *said, int64_t columns)
{
    skep_api__hny_begin(job, status);
    dataset_members(job, d, said, columns);
    skep_api__out_end(&job->out);
}

/* --- reading -------------------------------------------------------------------------------------
 */

static void list(struct skep_api__job *job)
{
    struct skep_api__dataset *all;
    struct said said;
    size_t n;
    skep_err err;
    if (!skep_api__hny_datasets(job, &all, &n))
        return;
    skep_rc rc = load_said(job, &said, &err);
    if (rc != SKEP_OK) {
        skep_api__hny_fail_rc(job, rc, &err);
        return;
    }
    skep_api__hny_begin(job, 200);
    skep_json_array(&job->out.json);
    for (size_t i = 0; i < n; i++) {
        dataset_members(job, &all[i], said_of(&said, all[i].slug), -1);
        skep_api__out_check(&job->out);
    }
    skep_json_end(&job->out.json);
    skep_api__out_end(&job->out);
}

static void one(struct skep_api__job *job)
{
    struct skep_api__dataset d;
    struct skep_answer a = {0};
    struct said said;
    skep_err err;
    if (!skep_api__hny_dataset(job, false, &d))
        return;
    const struct skep_plan plan = {
        .kind = SKEP_PLAN_FIELDS, .range = {0, INT64_MAX}, .dataset = d.name};
    skep_rc rc = skep_query_run(job->api->cfg.store, &plan, &job->opts, &a, &err);
    if (rc == SKEP_OK)
        rc = load_said(job, &said, &err);
    if (rc != SKEP_OK)
        skep_api__hny_fail_rc(job, rc, &err);
    else
        answer_one(job, 200, &d, said_of(&said, d.slug), (int64_t)a.fields.n);
}

/* --- writing -------------------------------------------------------------------------------------
 */

static const struct skep_api__hny_member setting_members[] = {
    {"delete_protected", SKEP_HNY_BOOL, .absent = "false"}};
static const struct skep_api__hny_members settings = SKEP_HNY_MEMBERS(setting_members);

static const struct skep_api__hny_member name_members[] = {
    {"name", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .min = 1, .max = 255}};
static const struct skep_api__hny_members name_only = SKEP_HNY_MEMBERS(name_members);

static const struct skep_api__hny_member said_members[] = {
    {"description", SKEP_HNY_TEXT, .max = 1023, .absent = "\"\""},
    {"expand_json_depth", SKEP_HNY_INT, .min = 0, .max = 10, .absent = "0"},
    {"settings", SKEP_HNY_OBJECT, SKEP_HNY_KEEP, .inside = &settings},
};
static const struct skep_api__hny_members said_table = SKEP_HNY_MEMBERS(said_members);

static const struct skep_api__hny_object what = {
    .kind = SKEP_OBJECT_DATASET, .scope = SKEP_HNY_OF_ENVIRONMENT, .noun = "Dataset"};

/* What a body says, as it is kept; false after a refusal. */
static bool take(struct skep_api__hny_call *c, yyjson_val *in, yyjson_val *old, skep_str *ret)
{
    size_t n = 0;
    c->doc = yyjson_mut_doc_new(&c->alc);
    c->body = yyjson_mut_obj(c->doc);
    if (!skep_api__hny_take(c, &said_table, in, old, c->body, ""))
        return false;
    char *text = yyjson_mut_val_write_opts(c->body, 0, &c->alc, &n, NULL);
    *ret = skep_arena_str(&c->job->arena, (skep_str){text ? text : "{}", text ? n : 2});
    if (text)
        c->alc.free(c->alc.ctx, text);
    return true;
}

/* Keep it under a slug, in the place of what was said before. */
static skep_rc keep(struct skep_api__hny_call *c, skep_str slug, struct skep_object *known,
                    skep_str body, struct skep_object *ret, skep_err *err)
{
    struct skep_state *state = c->job->api->cfg.state;
    *ret = known ? *known
                 : (struct skep_object){.environment = c->job->opts.environment,
                                        .scope = slug,
                                        .name = SKEP_STR("dataset")};
    ret->body = body;
    SKEP_TRY(known ? skep_state_set_object(state, SKEP_OBJECT_DATASET, ret, err)
                   : skep_state_put_object(state, SKEP_OBJECT_DATASET, ret, &c->job->arena, err));
    return skep_ingest_datasets_load(c->job->api->cfg.ingest, err);
}

/* 201 when it is new; 200, and nothing changed, when its name is known already. */
static void create_with(struct skep_api__hny_call *c, yyjson_val *in)
{
    struct skep_api__job *job = c->job;
    struct skep_state_dataset d = {.created_ns = 0}, made;
    struct skep_api__dataset *all;
    struct skep_object kept;
    struct said said;
    skep_str body;
    size_t n;
    skep_err err;
    if (!take(c, in, NULL, &body) || !skep_api__hny_take(c, &name_only, in, NULL, c->body, "") ||
        !skep_api__hny_datasets(job, &all, &n))
        return;
    d.name = skep_arena_str(&job->arena, skep_api__hny_mut_text(c->body, "name"));
    d.description = skep_api__hny_mut_text(c->body, "description");
    d.slug = skep_state_slug(&job->arena, d.name);
    skep_rc rc = load_said(job, &said, &err);
    for (size_t i = 0; i < n && rc == SKEP_OK; i++) {
        if (skep_str_eq(all[i].slug, d.slug)) {
            answer_one(job, 200, &all[i], said_of(&said, d.slug), -1);
            return;
        }
    }
    if (rc == SKEP_OK)
        rc = skep_state_put_dataset(job->api->cfg.state, job->opts.environment, &d, &job->arena,
                                    &made, &err);
    bool fresh = rc == SKEP_OK;
    if (rc == SKEP_OK || rc == SKEP_EEXISTS)
        rc = keep(c, d.slug, said_of(&said, d.slug), body, &kept, &err);
    if (rc != SKEP_OK) {
        skep_api__hny_fail_rc(job, rc, &err);
        return;
    }
    const struct skep_api__dataset shown = {.name = made.name,
                                            .slug = made.slug,
                                            .description = made.description,
                                            .created_ns = made.created_ns};
    answer_one(job, fresh ? 201 : 200, &shown, &kept, 0);
}

static void create(struct skep_api__job *job)
{
    struct skep_api__hny_call c;
    if (!skep_api__hny_call_begin(&c, job, &what))
        return;
    yyjson_doc *in = skep_api__hny_body(&c);
    if (in)
        create_with(&c, yyjson_doc_get_root(in));
    yyjson_doc_free(in);
    yyjson_mut_doc_free(c.doc);
}

static void set_with(struct skep_api__hny_call *c, const struct skep_api__dataset *d,
                     yyjson_val *in)
{
    struct said said;
    struct skep_object kept;
    skep_str body;
    skep_err err;
    skep_rc rc = load_said(c->job, &said, &err);
    if (rc == SKEP_OK) {
        struct skep_object *known = said_of(&said, d->slug);
        yyjson_doc *old = known ? yyjson_read(known->body.p, known->body.n, 0) : NULL;
        bool ok = take(c, in, yyjson_doc_get_root(old), &body);
        yyjson_doc_free(old);
        if (!ok)
            return;
        rc = keep(c, d->slug, known, body, &kept, &err);
    }
    if (rc != SKEP_OK)
        skep_api__hny_fail_rc(c->job, rc, &err);
    else
        answer_one(c->job, 200, d, &kept, -1);
}

static void set(struct skep_api__job *job)
{
    struct skep_api__hny_call c;
    struct skep_api__dataset d;
    if (!skep_api__hny_dataset(job, false, &d) || !skep_api__hny_call_begin(&c, job, &what))
        return;
    yyjson_doc *in = skep_api__hny_body(&c);
    if (in)
        set_with(&c, &d, yyjson_doc_get_root(in));
    yyjson_doc_free(in);
    yyjson_mut_doc_free(c.doc);
}

/* --- dropping ------------------------------------------------------------------------------------
 */

static skep_rc drop_rows(struct skep_api__job *job, const struct skep_api__dataset *d,
                         uint64_t *ret, skep_err *err)
{
    const struct skep_plan plan = {
        .kind = SKEP_PLAN_ROWS, .range = {INT64_MIN, INT64_MAX}, .dataset = d->name};
    const struct skep_delete_opts opts = {.run = job->opts};
    return skep_store_delete(job->api->cfg.store, &plan, &opts, ret, err);
}

static void drop(struct skep_api__job *job)
{
    struct skep_api__dataset d;
    struct said said;
    uint64_t rows = 0;
    skep_err err;
    struct skep_state *state = job->api->cfg.state;
    if (!skep_api__hny_dataset(job, false, &d))
        return;
    skep_rc rc = load_said(job, &said, &err);
    const struct skep_object *known = rc == SKEP_OK ? said_of(&said, d.slug) : NULL;
    yyjson_doc *doc = known ? yyjson_read(known->body.p, known->body.n, 0) : NULL;
    bool held = is_protected(yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    if (held) {
        skep_api__hny_fail(job, SKEP_PROBLEM_CONFLICT, SKEP_STR_NULL, SKEP_LANG_INVALID,
                           SKEP_STR("the dataset is protected from being deleted"));
        return;
    }
    if (rc == SKEP_OK)
        rc = drop_rows(job, &d, &rows, &err);
    if (rc == SKEP_OK)
        rc = skep_state_drop_objects(state, SKEP_OBJECT_DATASET, job->opts.environment, d.slug,
                                     &err);
    if (rc == SKEP_OK)
        rc = skep_state_drop_dataset(state, job->opts.environment, d.slug, &err);
    if (rc == SKEP_OK)
        rc = skep_ingest_datasets_load(job->api->cfg.ingest, &err);
    if (rc != SKEP_OK) {
        skep_api__hny_fail_rc(job, rc, &err);
        return;
    }
    skep_api__audit(
        job, "dataset.delete",
        skep_arena_printf(&job->arena, SKEP_STRFMT " of " SKEP_STRFMT ": %" PRIu64 " rows",
                          SKEP_STRARG(d.slug), SKEP_STRARG(job->opts.environment), rows));
    const struct skep_response resp = {.status = 202};
    skep_respond(skep_api__job_instead(job), &resp);
    job->failed = false;
}

SKEP_API__HANDLER(handle_list, list)
SKEP_API__HANDLER(handle_one, one)
SKEP_API__HANDLER(handle_create, create)
SKEP_API__HANDLER(handle_set, set)
SKEP_API__HANDLER(handle_drop, drop)

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
    {.method = "PUT",
     .path = "/1/datasets/:slug",
     .handle = handle_set,
     .refuse = skep_api__hny_refuse,
     .body_limit_bytes = SKEP_LIMIT_API_BODY_BYTES,
     .right = SKEP_RIGHT_INGEST,
     .form = SKEP_FORM_HONEYCOMB},
    {.method = "DELETE",
     .path = "/1/datasets/:slug",
     .handle = handle_drop,
     .refuse = skep_api__hny_refuse,
     .body_limit_bytes = SKEP_LIMIT_API_BODY_BYTES,
     .right = SKEP_RIGHT_ADMIN,
     .form = SKEP_FORM_HONEYCOMB},
};

const struct skep_api__routes skep_api__honeycomb_datasets = {routes, SKEP_ARRAY_LEN(routes)};
