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

static bool read_deploy(struct skep_api__job *job, const struct skep_api__rb_form *f,
                        struct skep_deploy *d)
{
    skep_str head = SKEP_STR(""), account = SKEP_STR("");
    d->status = SKEP_STR("succeeded");
    if (!skep_api__rb_member(job, f, "environment", NAME_MAX_BYTES, &d->stage) ||
        !skep_api__rb_member(job, f, "revision", NAME_MAX_BYTES, &d->revision) ||
        !skep_api__rb_member(job, f, "head_long", NAME_MAX_BYTES, &head) ||
        !skep_api__rb_member(job, f, "local_username", NAME_MAX_BYTES, &d->user) ||
        !skep_api__rb_member(job, f, "rollbar_username", NAME_MAX_BYTES, &account) ||
        !skep_api__rb_member(job, f, "comment", SKEP_ITEM_TEXT_MAX, &d->comment) ||
        !skep_api__rb_member(job, f, "status", NAME_MAX_BYTES, &d->status))
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
    struct skep_api__rb_form f;
    if (!skep_api__rb_form(job, &f))
        return false;
    bool ok = read_deploy(job, &f, d);
    skep_api__rb_form_done(&f);
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

static const struct skep_route routes[] = {
    SKEP_API__RB_WRITE("POST", "/api/1/deploy", create, 1 << 18),
    SKEP_API__RB_WRITE("PATCH", "/api/1/deploy/:id", change, 1 << 18),
    SKEP_API__RB_READ("/api/1/deploys", list),
    SKEP_API__RB_READ("/api/1/deploy/:id", one),
};

const struct skep_api__routes skep_api__rollbar_deploys = {routes, SKEP_ARRAY_LEN(routes)};
