// SPDX-License-Identifier: Apache-2.0
/* Rollbar's calls for deploys (docs/api/rollbar.md):
 *
 *   POST  /api/1/deploy/        a new one; JSON, or a form
 *   PATCH /api/1/deploy/:id     status, comment
 *   GET   /api/1/deploys/       a page of them, the newest first
 *   GET   /api/1/deploy/:id     one
 *
 * Threads: workers.  Memory: the job's arena. */
#include "api/rollbar_priv.h"

#include "base/assert.h"

enum { PAGE_DEPLOYS = 20, LIMIT_MAX = 1000, PAGE_MAX = 100000, NAME_MAX_BYTES = 255 };

static void put_deploy(struct skep_json *j, const struct skep_deploy *d)
{
    skep_json_object(j);
    skep_json_put_i64(j, SKEP_STR("id"), d->id);
    skep_json_put_str(j, SKEP_STR("environment"), d->stage);
    skep_json_put_str(j, SKEP_STR("revision"), d->revision);
    skep_json_put_str(j, SKEP_STR("status"), d->status);
    skep_api__rb_put_text(j, SKEP_STR("comment"), d->comment);
    skep_api__rb_put_text(j, SKEP_STR("local_username"), d->user);
    skep_api__rb_put_null(j, SKEP_STR("user_id"));
    skep_api__rb_put_s(j, SKEP_STR("start_time"), d->start_ns);
    skep_api__rb_put_s(j, SKEP_STR("finish_time"), d->finish_ns);
    skep_json_end(j);
}

// --- writing -----------------------------------------------------------------------------------

static bool known_status(struct skep_api__job *job, skep_str status)
{
    static const skep_str names[] = {SKEP_STR_INIT("started"), SKEP_STR_INIT("succeeded"),
                                     SKEP_STR_INIT("failed"), SKEP_STR_INIT("timed_out")};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(names); i++) {
        if (skep_str_eq(status, names[i]))
            return true;
    }
    return skep_api__rb_invalid(job, SKEP_STR("status is started, succeeded, failed or timed_out"));
}

/* A member of the body: of the object, else (root NULL) of the form.  false: refused. */
static bool member(struct skep_api__job *job, yyjson_val *root, const char *name, size_t max,
                   skep_str *ret)
{
    bool set;
    if (root)
        return skep_api__rb_text(job, root, name, max, &set, ret);
    if (!skep_request_form(job->req, skep_str_c(name), ret))
        return true;
    if (ret->n <= max && skep_utf8_valid(*ret))
        return true;
    return skep_api__rb_invalid(
        job, skep_arena_printf(&job->arena, "%s is a text of at most %zu bytes", name, max));
}

static bool read_deploy(struct skep_api__job *job, yyjson_val *root, struct skep_deploy *d)
{
    skep_str head = SKEP_STR(""), account = SKEP_STR("");
    d->status = SKEP_STR("succeeded");
    if (!member(job, root, "environment", NAME_MAX_BYTES, &d->stage) ||
        !member(job, root, "revision", NAME_MAX_BYTES, &d->revision) ||
        !member(job, root, "head_long", NAME_MAX_BYTES, &head) ||
        !member(job, root, "local_username", NAME_MAX_BYTES, &d->user) ||
        !member(job, root, "rollbar_username", NAME_MAX_BYTES, &account) ||
        !member(job, root, "comment", SKEP_ITEM_TEXT_MAX, &d->comment) ||
        !member(job, root, "status", NAME_MAX_BYTES, &d->status))
        return false;
    d->revision = d->revision.n ? d->revision : head;
    d->user = d->user.n ? d->user : account;
    if (d->stage.n == 0)
        return skep_api__rb_invalid(job, SKEP_STR("environment is needed"));
    if (d->revision.n == 0)
        return skep_api__rb_invalid(job, SKEP_STR("revision is needed"));
    return known_status(job, d->status);
}

/* What the body says; false: refused. */
static bool read_body(struct skep_api__job *job, struct skep_deploy *d)
{
    skep_str body = skep_str_trim(skep_bytes_str(job->req->body));
    if (skep_str_starts(job->req->content_type, SKEP_STR("multipart/"))) {
        skep_api__rb_fail(job, 415, SKEP_EUNSUPPORTED,
                          SKEP_STR("send JSON or a form (application/x-www-form-urlencoded; "
                                   "curl: -d instead of -F)"));
        return false;
    }
    bool json = (body.n > 0 && body.p[0] == '{') ||
                skep_str_eq(job->req->content_type, SKEP_STR("application/json"));
    if (!json)
        return read_deploy(job, NULL, d);
    yyjson_doc *doc = skep_api__rb_body(job);
    bool ok = doc && read_deploy(job, yyjson_doc_get_root(doc), d);
    yyjson_doc_free(doc);
    return ok;
}

static void put_new(struct skep_json *j, int64_t id)
{
    skep_json_object(j);
    skep_json_put_i64(j, SKEP_STR("deploy_id"), id);
    skep_json_end(j);
}

static void create(struct skep_api__job *job)
{
    struct skep_deploy d = {.environment = job->req->caller.environment,
                            .start_ns = skep_api__now(job->api)};
    int64_t id;
    skep_err err = {.text = ""};
    if (!read_body(job, &d))
        return;
    d.finish_ns = skep_str_eq(d.status, SKEP_STR("started")) ? 0 : d.start_ns;
    skep_rc rc = skep_state_deploy_put(job->api->cfg.state, &d, &id, &err);
    if (rc != SKEP_OK) {
        skep_api__rb_fail_rc(job, rc, &err);
        return;
    }
    skep_api__rb_begin(job, 200);
    put_new(&job->out.json, id);
    skep_json_key(&job->out.json, SKEP_STR("data")); // Rollbar's command reads it here
    put_new(&job->out.json, id);
    skep_api__rb_end(job);
}

static void put_one(struct skep_api__job *job, int64_t id)
{
    struct skep_deploy *d;
    size_t n = 0;
    skep_err err = {.text = ""};
    skep_rc rc = skep_state_deploys(job->api->cfg.state, job->req->caller.environment, id,
                                    SKEP_STR(""), 1, 0, &job->arena, &d, &n, &err);
    if (rc == SKEP_OK && n == 0)
        rc = skep_fail(&err, SKEP_ENOTFOUND, "no such deploy");
    if (rc != SKEP_OK) {
        skep_api__rb_fail_rc(job, rc, &err);
        return;
    }
    skep_api__rb_begin(job, 200);
    put_deploy(&job->out.json, d);
    skep_api__rb_end(job);
}

static void change(struct skep_api__job *job)
{
    int64_t id;
    bool has_status, has_comment;
    skep_str status = SKEP_STR(""), comment = SKEP_STR("");
    skep_err err = {.text = ""};
    yyjson_doc *doc = skep_api__rb_id(job, SKEP_STR("deploy"), &id) ? skep_api__rb_body(job) : NULL;
    if (!doc)
        return;
    yyjson_val *root = yyjson_doc_get_root(doc);
    bool ok = skep_api__rb_text(job, root, "status", NAME_MAX_BYTES, &has_status, &status) &&
              skep_api__rb_text(job, root, "comment", SKEP_ITEM_TEXT_MAX, &has_comment, &comment) &&
              (!has_status || known_status(job, status));
    if (ok && !has_status && !has_comment)
        ok = skep_api__rb_invalid(job, SKEP_STR("status or comment is needed"));
    yyjson_doc_free(doc);
    if (!ok)
        return;
    skep_rc rc = skep_state_deploy_set(job->api->cfg.state, job->req->caller.environment, id,
                                       status, comment, skep_api__now(job->api), &err);
    if (rc == SKEP_OK)
        put_one(job, id);
    else
        skep_api__rb_fail_rc(job, rc, &err);
}

// --- reading -----------------------------------------------------------------------------------

static void one(struct skep_api__job *job)
{
    int64_t id;
    if (skep_api__rb_id(job, SKEP_STR("deploy"), &id))
        put_one(job, id);
}

static void list(struct skep_api__job *job)
{
    uint64_t page = 1, limit = PAGE_DEPLOYS;
    struct skep_deploy *deploys;
    struct skep_json *j = &job->out.json;
    size_t n;
    skep_err err = {.text = ""};
    if (!skep_api__rb_number(job, SKEP_STR("page"), PAGE_MAX, &page) ||
        !skep_api__rb_number(job, SKEP_STR("limit"), LIMIT_MAX, &limit))
        return;
    skep_rc rc =
        skep_state_deploys(job->api->cfg.state, job->req->caller.environment, 0,
                           skep_api__param(job->req, SKEP_STR("environment")), (unsigned)limit,
                           (unsigned)((page - 1) * limit), &job->arena, &deploys, &n, &err);
    if (rc != SKEP_OK) {
        skep_api__rb_fail_rc(job, rc, &err);
        return;
    }
    skep_api__rb_begin(job, 200);
    skep_json_object(j);
    skep_json_put_u64(j, SKEP_STR("page"), page);
    skep_json_key(j, SKEP_STR("deploys"));
    skep_json_array(j);
    for (size_t i = 0; i < n; i++) {
        put_deploy(j, &deploys[i]);
        skep_api__out_check(&job->out);
    }
    skep_json_end(j);
    skep_json_end(j);
    skep_api__rb_end(job);
}

static void handle_create(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, create);
}
static void handle_change(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, change);
}
static void handle_one(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, one);
}
static void handle_list(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, list);
}

static const struct skep_route routes[] = {
    {.method = "POST",
     .path = "/api/1/deploy",
     .handle = handle_create,
     .refuse = skep_api__rb_refuse_write,
     .flags = SKEP_ROUTE_PREFIX_SLASH,
     .body_limit_bytes = 1 << 18,
     .right = SKEP_RIGHT_ADMIN,
     .form = SKEP_FORM_ROLLBAR},
    {.method = "PATCH",
     .path = "/api/1/deploy/:id",
     .handle = handle_change,
     .refuse = skep_api__rb_refuse_write,
     .flags = SKEP_ROUTE_PREFIX_SLASH,
     .body_limit_bytes = 1 << 18,
     .right = SKEP_RIGHT_ADMIN,
     .form = SKEP_FORM_ROLLBAR},
    {.method = "GET",
     .path = "/api/1/deploys",
     .handle = handle_list,
     .refuse = skep_api__rb_refuse_read,
     .flags = SKEP_ROUTE_PREFIX_SLASH,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_ROLLBAR},
    {.method = "GET",
     .path = "/api/1/deploy/:id",
     .handle = handle_one,
     .refuse = skep_api__rb_refuse_read,
     .flags = SKEP_ROUTE_PREFIX_SLASH,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_ROLLBAR},
};

const struct skep_api__routes skep_api__rollbar_deploys = {routes, SKEP_ARRAY_LEN(routes)};
