// SPDX-License-Identifier: Apache-2.0
/* JSON:API as Honeycomb's version 2 speaks it: application/vnd.api+json, {"data": ...} or
 * {"errors": [{"status", "title", "detail"}]}; and GET /2/auth.
 * Threads: workers; refuse on I/O threads.  Memory: the request's arena. */
#include "api/honeycomb_v2.h"

#include <stdio.h>

static const skep_str media_type = SKEP_STR_INIT("application/vnd.api+json");

void skep_api__v2_begin(struct skep_api__job *job, int status)
{
    skep_api__out_begin(job, status, media_type);
}

static skep_str title_of(int status)
{
    switch (status) {
    case 400: return SKEP_STR("Bad Request");
    case 401: return SKEP_STR("Unauthorized");
    case 403: return SKEP_STR("Forbidden");
    case 404: return SKEP_STR("Not Found");
    case 409: return SKEP_STR("Conflict");
    case 422: return SKEP_STR("Validation Failed");
    case 429: return SKEP_STR("Rate Limited");
    default: return SKEP_STR("Error");
    }
}

static void send_error(struct skep_request *req, int status, skep_str detail)
{
    char code[16];
    struct skep_buf buf;
    struct skep_json json;
    struct skep_response resp = {.status = status,
                                 .content_type = media_type,
                                 .retry_after_s = status == 503 || status == 429 ? 1 : 0};
    (void)snprintf(code, sizeof code, "%d", status);
    skep_buf_init(&buf, 64 << 10);
    skep_json_init(&json, &buf);
    skep_json_object(&json);
    skep_json_key(&json, SKEP_STR("errors"));
    skep_json_array(&json);
    skep_json_object(&json);
    skep_json_put_str(&json, SKEP_STR("status"), skep_str_c(code));
    skep_json_put_str(&json, SKEP_STR("title"), title_of(status));
    skep_json_put_str(&json, SKEP_STR("detail"), detail);
    skep_json_end(&json);
    skep_json_end(&json);
    skep_json_end(&json);
    skep_respond_buf(req, &resp, &buf);
    skep_buf_done(&buf);
}

void skep_api__v2_fail(struct skep_api__job *job, int status, skep_str detail)
{
    send_error(skep_api__job_instead(job), status, detail);
}

void skep_api__v2_fail_rc(struct skep_api__job *job, skep_rc rc, const skep_err *err)
{
    int status = skep_rc_info(skep_api__job_rc(job, rc))->http;
    skep_api__v2_fail(job, rc == SKEP_EINVAL ? 422 : status, skep_str_c(err->text));
}

void skep_api__v2_refuse(void *ctx, struct skep_request *req, int http_status, skep_rc rc,
                         skep_str message)
{
    (void)ctx;
    (void)rc;
    send_error(req, http_status, message);
}

void skep_api__v2_gone(struct skep_api__job *job)
{
    const struct skep_response resp = {.status = 204};
    skep_respond(skep_api__job_instead(job), &resp);
    job->failed = false;
}

bool skep_api__v2_team(struct skep_api__job *job)
{
    if (skep_str_eq(skep_request_capture(job->req, 0), SKEP_API__TEAM))
        return true;
    skep_api__v2_fail(job, 404, SKEP_STR("no such team: the one team here is skep"));
    return false;
}

yyjson_doc *skep_api__v2_body(struct skep_api__job *job, yyjson_val **ret_data,
                              yyjson_val **ret_attributes)
{
    skep_bytes body = job->req->body;
    yyjson_doc *doc = yyjson_read((const char *)body.p, body.n, 0);
    *ret_data = yyjson_obj_get(yyjson_doc_get_root(doc), "data");
    *ret_attributes = yyjson_obj_get(*ret_data, "attributes");
    if (yyjson_is_obj(*ret_attributes))
        return doc;
    yyjson_doc_free(doc);
    skep_api__v2_fail(job, 400, SKEP_STR("the body must be {\"data\": {\"attributes\": {...}}}"));
    return NULL;
}

skep_str skep_api__v2_text(struct skep_api__job *job, yyjson_val *obj, const char *member)
{
    yyjson_val *v = yyjson_obj_get(obj, member);
    return skep_arena_str(&job->arena, (skep_str){yyjson_get_str(v), yyjson_get_len(v)});
}

void skep_api__v2_related(struct skep_json *json, skep_str key, skep_str type, skep_str id)
{
    skep_json_key(json, key);
    skep_json_object(json);
    skep_json_key(json, SKEP_STR("data"));
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("type"), type);
    skep_json_put_str(json, SKEP_STR("id"), id);
    skep_json_end(json);
    skep_json_end(json);
}

/* --- GET /2/auth
 * ----------------------------------------------------------------------------------- */

static void put_scopes(struct skep_json *json, unsigned rights)
{
    static const struct {
        unsigned right;
        skep_str name;
    } scopes[] = {{SKEP_RIGHT_ADMIN, SKEP_STR_INIT("environments:write")},
                  {SKEP_RIGHT_ADMIN, SKEP_STR_INIT("environments:read")},
                  {SKEP_RIGHT_ADMIN, SKEP_STR_INIT("api-keys:write")},
                  {SKEP_RIGHT_ADMIN, SKEP_STR_INIT("api-keys:read")}};
    skep_json_key(json, SKEP_STR("scopes"));
    skep_json_array(json);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(scopes); i++)
        if (rights & scopes[i].right)
            skep_json_str(json, scopes[i].name);
    skep_json_end(json);
}

static void put_team(struct skep_json *json)
{
    skep_json_key(json, SKEP_STR("included"));
    skep_json_array(json);
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("id"), SKEP_API__TEAM_ID);
    skep_json_put_str(json, SKEP_STR("type"), SKEP_STR("teams"));
    skep_json_key(json, SKEP_STR("attributes"));
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("name"), SKEP_API__TEAM);
    skep_json_put_str(json, SKEP_STR("slug"), SKEP_API__TEAM);
    skep_json_end(json);
    skep_json_end(json);
    skep_json_end(json);
}

static void auth(struct skep_api__job *job)
{
    struct skep_state_key k;
    if (!skep_auth_key(job->api->cfg.auth, job->req->caller.key, &job->arena, &k))
        k = (struct skep_state_key){.id = SKEP_STR("open"), .name = SKEP_STR("open")};
    skep_api__v2_begin(job, 200);
    struct skep_json *json = &job->out.json;
    skep_json_object(json);
    skep_json_key(json, SKEP_STR("data"));
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("id"), k.id);
    skep_json_put_str(json, SKEP_STR("type"), SKEP_STR("api-keys"));
    skep_json_key(json, SKEP_STR("attributes"));
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("name"), k.name);
    skep_json_put_str(json, SKEP_STR("key_type"), skep_api__key_type(job->req->caller.rights));
    skep_json_put_bool(json, SKEP_STR("disabled"), false);
    put_scopes(json, job->req->caller.rights);
    skep_json_key(json, SKEP_STR("timestamps"));
    skep_json_object(json);
    skep_api__put_time(json, SKEP_STR("created"), k.created_ns);
    skep_api__put_time(json, SKEP_STR("updated"), k.created_ns);
    skep_json_end(json);
    skep_json_end(json);
    skep_json_key(json, SKEP_STR("relationships"));
    skep_json_object(json);
    skep_api__v2_related(json, SKEP_STR("team"), SKEP_STR("teams"), SKEP_API__TEAM_ID);
    skep_json_end(json);
    skep_json_end(json);
    put_team(json);
    skep_json_end(json);
    skep_api__out_end(&job->out);
}

static void handle(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, auth);
}

static const struct skep_route routes[] = {
    {.method = "GET",
     .path = "/2/auth",
     .handle = handle,
     .refuse = skep_api__v2_refuse,
     .right = SKEP_RIGHT_ANY,
     .form = SKEP_FORM_BEARER},
};

const struct skep_api__routes skep_api__honeycomb_v2 = {routes, SKEP_ARRAY_LEN(routes)};
