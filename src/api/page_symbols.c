// SPDX-License-Identifier: Apache-2.0
/* Source maps and debug files (docs/api/symbols.md):
 *
 *   GET    /skep/v1/symbols        all of the environment, the newest first
 *   POST   /skep/v1/symbols        one: an ELF file or a table of one; a source map with
 *                                  ?version= and ?url=
 *   DELETE /skep/v1/symbols/:id
 *
 * Threads: workers.  Memory: the job's arena. */
#include "api/keys.h"

#include "base/assert.h"
#include "symbols/symbols.h"
#include "wire/rfc3339.h"

enum { TITLE_MAX = 255, BODY_MAX = 256 << 20 };

static const char *kind_name(enum skep_artifact_kind kind)
{
    return kind == SKEP_ARTIFACT_MAP ? "source_map" : "native";
}

static void put_one(struct skep_json *j, const struct skep_artifact *a)
{
    skep_json_object(j);
    skep_json_put_i64(j, SKEP_STR("id"), a->id);
    skep_json_put_str(j, SKEP_STR("kind"), skep_str_c(kind_name(a->kind)));
    if (a->kind == SKEP_ARTIFACT_MAP) {
        skep_json_put_str(j, SKEP_STR("version"), a->version);
        skep_json_put_str(j, SKEP_STR("url"), a->name);
    } else {
        skep_json_put_str(j, SKEP_STR("build_id"), a->name);
    }
    skep_json_put_str(j, SKEP_STR("title"), a->title);
    skep_json_put_u64(j, SKEP_STR("bytes"), a->bytes);
    skep_json_put_u64(j, SKEP_STR("kept_bytes"), a->kept_bytes);
    skep_json_put_i64_str(j, SKEP_STR("created_ns"), a->created_ns);
    skep_json_put_str(j, SKEP_STR("by"), a->actor);
    skep_json_end(j);
}

static void list(struct skep_api__job *job)
{
    struct skep_artifact *all = NULL;
    struct skep_json *j = &job->out.json;
    size_t n = 0;
    skep_err err = {.text = ""};
    skep_rc rc = skep_state_artifacts(job->api->cfg.state, &job->req->caller.environment,
                                      &job->arena, &all, &n, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_api__json_begin(job, 200);
    skep_json_object(j);
    skep_json_put_u64(j, SKEP_STR("most"), SKEP_ARTIFACTS_MAX);
    skep_json_put_u64(j, SKEP_STR("most_bytes"), SKEP_ARTIFACTS_BYTES_MAX);
    skep_json_key(j, SKEP_STR("symbols"));
    skep_json_array(j);
    for (size_t i = 0; i < n; i++) {
        put_one(j, &all[i]);
        skep_api__out_check(&job->out);
    }
    skep_json_end(j);
    skep_json_end(j);
    skep_api__out_end(&job->out);
}

/* Bytes that are no file of the kind are the client's fault; the field is the whole body. */
static void fail(struct skep_api__job *job, skep_rc rc, const skep_err *err)
{
    if (rc == SKEP_EINVAL || rc == SKEP_EMALFORMED)
        skep_api__job_fail(job,
                           &(struct skep_api__error){.status = 422, .text = skep_str_c(err->text)});
    else
        skep_api__job_fail_rc(job, rc, err);
}

/* The audit log: "example.com/app.js (7)"; a build id. */
static void audit(struct skep_api__job *job, const char *what, int64_t id, skep_str name)
{
    skep_api__audit(
        job, what,
        skep_arena_printf(&job->arena, SKEP_STRFMT " (%lld)", SKEP_STRARG(name), (long long)id));
}

/* Its name, while it is there. */
static skep_str name_of(struct skep_api__job *job, int64_t id)
{
    struct skep_artifact *all = NULL;
    size_t n = 0;
    skep_err err = {.text = ""};
    if (skep_state_artifacts(job->api->cfg.state, &job->req->caller.environment, &job->arena, &all,
                             &n, &err) != SKEP_OK)
        return SKEP_STR("");
    for (size_t i = 0; i < n; i++)
        if (all[i].id == id)
            return all[i].name;
    return SKEP_STR("");
}

static void put(struct skep_api__job *job)
{
    skep_bytes body = job->req->body;
    struct skep_artifact a = {.environment = job->req->caller.environment,
                              .actor = job->req->caller.actor,
                              .kind = SKEP_ARTIFACT_NATIVE,
                              .version = skep_api__param(job->req, SKEP_STR("version")),
                              .name = skep_api__param(job->req, SKEP_STR("url")),
                              .title = skep_api__param(job->req, SKEP_STR("title")),
                              .bytes = body.n};
    skep_err err = {.text = ""};
    a.title.n = SKEP_MIN(a.title.n, (size_t)TITLE_MAX);
    while (a.title.n && !skep_utf8_valid(a.title))
        a.title.n--;
    bool map = a.version.n > 0 || a.name.n > 0 || (body.n > 0 && body.p[0] == '{');
    skep_rc rc;
    if (map) {
        a.kind = SKEP_ARTIFACT_MAP;
        rc = skep_symbols_put_map(job->api->cfg.symbols, &a, skep_bytes_str(body), &a.id, &err);
        a.name = skep_symbols_address(a.name);
    } else {
        rc = skep_symbols_put_native(job->api->cfg.symbols, &a, body, &job->arena, &a.name, &a.id,
                                     &err);
    }
    if (rc != SKEP_OK) {
        fail(job, rc, &err);
        return;
    }
    audit(job, "symbols.create", a.id, a.name);
    skep_api__json_begin(job, 201);
    skep_json_object(&job->out.json);
    skep_json_put_i64(&job->out.json, SKEP_STR("id"), a.id);
    skep_json_put_str(&job->out.json, SKEP_STR("kind"), skep_str_c(kind_name(a.kind)));
    skep_json_put_str(&job->out.json, map ? SKEP_STR("url") : SKEP_STR("build_id"), a.name);
    skep_json_end(&job->out.json);
    skep_api__out_end(&job->out);
}

static void drop(struct skep_api__job *job)
{
    int64_t id = 0;
    skep_err err = {.text = "no such map or debug file"};
    skep_rc rc = skep_str_i64(skep_request_capture(job->req, 0), &id) ? SKEP_OK : SKEP_ENOTFOUND;
    skep_str name = rc == SKEP_OK ? name_of(job, id) : SKEP_STR("");
    if (rc == SKEP_OK)
        rc = skep_symbols_drop(job->api->cfg.symbols, job->req->caller.environment, id, &err);
    if (rc == SKEP_OK)
        audit(job, "symbols.delete", id, name);
    skep_api__end_ok(job, rc, &err);
}

SKEP_API__HANDLER(handle_list, list)
SKEP_API__HANDLER(handle_put, put)
SKEP_API__HANDLER(handle_drop, drop)

static const struct skep_route routes[] = {
    {.method = "GET",
     .path = "/skep/v1/symbols",
     .handle = handle_list,
     .refuse = skep_api__refuse,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
    {.method = "POST",
     .path = "/skep/v1/symbols",
     .handle = handle_put,
     .refuse = skep_api__refuse,
     .body_limit_bytes = BODY_MAX,
     .right = SKEP_RIGHT_ADMIN,
     .form = SKEP_FORM_PAGE},
    {.method = "DELETE",
     .path = "/skep/v1/symbols/:id",
     .handle = handle_drop,
     .refuse = skep_api__refuse,
     .right = SKEP_RIGHT_ADMIN,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_symbols = {routes, SKEP_ARRAY_LEN(routes)};
