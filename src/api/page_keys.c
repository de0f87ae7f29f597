// SPDX-License-Identifier: Apache-2.0
/* /skep/v1/{auth,environments,keys,routes}: who am I, environments and keys, the route table.
 *
 * A key of one environment that administers sees and makes keys of that environment alone and gives
 * no right that it has not; environments are for keys of all, and for open mode.
 *
 * I1  a secret is in the one answer that makes it, and nowhere else.
 * I2  a change is in force when its answer is sent.
 * Threads: workers.  Memory: the request's arena. */
#include "api/keys.h"
#include "base/log.h"
#include "ingest/ingest.h"
#include "notify/notify.h"
#include "watch/watch.h"

struct skep_api__scope_of_keys skep_api__keys_scope(struct skep_api__job *job)
{
    struct skep_state_key k;
    const struct skep_caller *caller = &job->req->caller;
    struct skep_api__scope_of_keys scope = {.environment = SKEP_STR(""), .rights = caller->rights};
    if (caller->key && !skep_auth_is_open(job->api->cfg.auth))
        scope.environment = skep_auth_key(job->api->cfg.auth, caller->key, &job->arena, &k)
                                ? k.environment
                                : caller->environment;
    return scope;
}

void skep_api__keys_changed(struct skep_api__job *job)
{
    skep_err err;
    if (skep_auth_refresh(job->api->cfg.auth, &err) != SKEP_OK)
        skep_log(WARN, "keys changed, and cannot be read yet", SKEP_K_CSTR("error", err.text));
    skep_api__environments_changed(job->api);
}

void skep_api__environments_changed(void *ctx)
{
    struct skep_api *api = ctx;
    skep_err err;
    /* An environment that went took its rules, datasets, places, triggers along. */
    skep_watch_changed(api->watch);
    skep_notify_changed(api->cfg.notify);
    if (skep_ingest_grouping_load(api->cfg.ingest, &err) != SKEP_OK)
        skep_log(WARN, "rules about grouping cannot be read, keeping those that are known",
                 SKEP_K_CSTR("error", err.text));
    if (skep_ingest_datasets_load(api->cfg.ingest, &err) != SKEP_OK)
        skep_log(WARN, "datasets cannot be read, keeping those that are known",
                 SKEP_K_CSTR("error", err.text));
}

skep_rc skep_api__keys_find(struct skep_api__job *job, skep_str id, struct skep_state_key *ret,
                            skep_err *err)
{
    struct skep_state_key *keys;
    size_t n;
    struct skep_api__scope_of_keys scope = skep_api__keys_scope(job);
    SKEP_TRY(skep_state_list_keys(job->api->cfg.state, &job->arena, &keys, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (!skep_str_eq(keys[i].id, id) || !skep_api__keys_may(&scope, keys[i].environment))
            continue;
        *ret = keys[i];
        return SKEP_OK;
    }
    return skep_fail(err, SKEP_ENOTFOUND, "no such key");
}

skep_rc skep_api__keys_issue(struct skep_api__job *job, const struct skep_issue *what,
                             struct skep_issued *ret, skep_err *err)
{
    const struct skep_api_config *cfg = &job->api->cfg;
    struct skep_api__scope_of_keys scope = skep_api__keys_scope(job);
    if (!skep_api__keys_may(&scope, what->environment) || (what->rights & ~scope.rights))
        return skep_fail(err, SKEP_EFORBIDDEN,
                         "this API key may make keys of its own environment with its own rights");
    SKEP_TRY(skep_auth_issue(cfg->os, cfg->state, cfg->key_file, what, ret, err));
    skep_api__audit(
        job, "key.create",
        skep_arena_printf(&job->arena, SKEP_STRFMT " (%s) of " SKEP_STRFMT ": " SKEP_STRFMT,
                          SKEP_STRARG(what->name), ret->id,
                          SKEP_STRARG(what->environment.n ? what->environment : SKEP_STR("all")),
                          SKEP_STRARG(skep_rights_text(&job->arena, what->rights))));
    skep_api__keys_changed(job);
    return SKEP_OK;
}

/* --- writing
 * --------------------------------------------------------------------------------------- */

void skep_api__put_rights(struct skep_json *json, unsigned rights)
{
    static const struct {
        unsigned right;
        skep_str name;
    } names[] = {{SKEP_RIGHT_INGEST, SKEP_STR_INIT("ingest")},
                 {SKEP_RIGHT_QUERY, SKEP_STR_INIT("query")},
                 {SKEP_RIGHT_ADMIN, SKEP_STR_INIT("admin")}};
    skep_json_key(json, SKEP_STR("rights"));
    skep_json_array(json);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(names); i++)
        if (rights & names[i].right)
            skep_json_str(json, names[i].name);
    skep_json_end(json);
}

void skep_api__put_ns(struct skep_json *json, skep_str key, int64_t ns)
{
    skep_json_key(json, key);
    if (ns)
        skep_json_i64_str(json, ns);
    else
        skep_json_null(json);
}

static void put_limits(struct skep_json *json, const struct skep_key_limits *l)
{
    skep_json_key(json, SKEP_STR("limits"));
    skep_json_object(json);
    skep_json_put_u64(json, SKEP_STR("events_per_minute"), l->events_per_minute);
    skep_json_put_u64(json, SKEP_STR("bytes_per_minute"), l->bytes_per_minute);
    skep_json_put_u64(json, SKEP_STR("events_per_day"), l->events_per_day);
    skep_json_put_u64(json, SKEP_STR("bytes_per_day"), l->bytes_per_day);
    skep_json_end(json);
}

static void put_key(struct skep_json *json, const struct skep_state_key *k)
{
    skep_json_put_str(json, SKEP_STR("id"), k->id);
    skep_json_put_str(json, SKEP_STR("name"), k->name);
    skep_json_put_str(json, SKEP_STR("environment"), k->environment);
    skep_api__put_rights(json, k->rights);
    skep_json_put_str(json, SKEP_STR("access_key"), k->access_key);
    skep_api__put_ns(json, SKEP_STR("created_ns"), k->created_ns);
    skep_api__put_ns(json, SKEP_STR("expires_ns"), k->expires_ns);
    skep_api__put_ns(json, SKEP_STR("revoked_ns"), k->revoked_ns);
    skep_api__put_ns(json, SKEP_STR("last_used_ns"), k->use.last_used_ns);
    skep_json_put_bool(json, SKEP_STR("disabled"), k->disabled);
    put_limits(json, &k->limits);
}

/* Its members; the object stays open. */
static void begin_environment(struct skep_json *json, const struct skep_state_environment *e)
{
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("id"), e->id);
    skep_json_put_str(json, SKEP_STR("slug"), e->slug);
    skep_json_put_str(json, SKEP_STR("name"), e->name);
    skep_json_put_str(json, SKEP_STR("description"), e->description);
    skep_json_put_str(json, SKEP_STR("color"), e->color);
    skep_api__put_ns(json, SKEP_STR("created_ns"), e->created_ns);
    skep_json_put_bool(json, SKEP_STR("delete_protected"), e->delete_protected);
}

/* --- reading
 * --------------------------------------------------------------------------------------- */

skep_str skep_api__member(struct skep_api__job *job, yyjson_val *obj, const char *member)
{
    yyjson_val *v = yyjson_obj_get(obj, member);
    return skep_arena_str(&job->arena, (skep_str){yyjson_get_str(v), yyjson_get_len(v)});
}

void skep_api__fail_field(struct skep_api__job *job, const char *field, const char *text)
{
    skep_api__job_fail(job, &(struct skep_api__error){.status = 400,
                                                      .field = skep_str_c(field),
                                                      .text = skep_str_c(text)});
}

yyjson_doc *skep_api__body_object(struct skep_api__job *job)
{
    skep_bytes body = job->req->body;
    yyjson_doc *doc = yyjson_read((const char *)body.p, body.n, 0);
    if (yyjson_is_obj(yyjson_doc_get_root(doc)))
        return doc;
    yyjson_doc_free(doc);
    skep_api__job_fail(job, &(struct skep_api__error){
                                .status = 400, .text = SKEP_STR("the body must be a JSON object")});
    return NULL;
}

static bool read_rights(yyjson_val *list, unsigned *ret)
{
    yyjson_val *v;
    size_t i, n;
    unsigned rights = 0;
    yyjson_arr_foreach(list, i, n, v)
    {
        unsigned one = 0;
        if (!yyjson_is_str(v) ||
            !skep_rights_parse((skep_str){yyjson_get_str(v), yyjson_get_len(v)}, &one))
            return false;
        rights |= one;
    }
    *ret = rights;
    return rights != 0;
}

/* A count or a number of ns as a number or a decimal text; absent and null leave 0. */
static bool read_u64(yyjson_val *obj, const char *member, uint64_t *ret)
{
    yyjson_val *v = yyjson_obj_get(obj, member);
    if (!v || yyjson_is_null(v))
        return true;
    if (yyjson_is_str(v))
        return skep_str_u64((skep_str){yyjson_get_str(v), yyjson_get_len(v)}, ret);
    *ret = yyjson_get_uint(v);
    return yyjson_is_uint(v);
}

static bool read_limits(yyjson_val *obj, struct skep_key_limits *ret)
{
    return read_u64(obj, "events_per_minute", &ret->events_per_minute) &&
           read_u64(obj, "bytes_per_minute", &ret->bytes_per_minute) &&
           read_u64(obj, "events_per_day", &ret->events_per_day) &&
           read_u64(obj, "bytes_per_day", &ret->bytes_per_day);
}

/* False after a refusal. */
static bool read_issue(struct skep_api__job *job, yyjson_val *root, struct skep_issue *ret)
{
    uint64_t expires = 0;
    ret->name = skep_api__member(job, root, "name");
    ret->environment = skep_api__member(job, root, "environment");
    if (!read_rights(yyjson_obj_get(root, "rights"), &ret->rights)) {
        skep_api__fail_field(job, "rights", "rights are a list of any of ingest, query, admin");
        return false;
    }
    if (!read_u64(root, "expires_ns", &expires) || expires > INT64_MAX) {
        skep_api__fail_field(job, "expires_ns", "a time in nanoseconds since 1970, or null");
        return false;
    }
    ret->expires_ns = (int64_t)expires;
    if (!read_limits(yyjson_obj_get(root, "limits"), &ret->limits)) {
        skep_api__fail_field(job, "limits", "limits are whole numbers, 0 for none");
        return false;
    }
    return true;
}

/* --- keys
 * ------------------------------------------------------------------------------------------ */

static void list_keys(struct skep_api__job *job)
{
    struct skep_state_key *keys;
    size_t n;
    skep_err err;
    struct skep_api__scope_of_keys scope = skep_api__keys_scope(job);
    skep_rc rc = skep_state_list_keys(job->api->cfg.state, &job->arena, &keys, &n, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_auth_last_used(job->api->cfg.auth, keys, n);
    skep_api__json_begin(job, 200);
    struct skep_json *json = &job->out.json;
    skep_json_object(json);
    skep_json_key(json, SKEP_STR("keys"));
    skep_json_array(json);
    for (size_t i = 0; i < n; i++) {
        if (!skep_api__keys_may(&scope, keys[i].environment))
            continue;
        skep_json_object(json);
        put_key(json, &keys[i]);
        skep_json_end(json);
        skep_api__out_check(&job->out);
    }
    skep_json_end(json);
    skep_json_end(json);
    skep_api__out_end(&job->out);
}

static void put_issued(struct skep_json *json, const struct skep_issue *what,
                       const struct skep_issued *made)
{
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("id"), skep_str_c(made->id));
    skep_json_put_str(json, SKEP_STR("name"), what->name);
    skep_json_put_str(json, SKEP_STR("environment"), what->environment);
    skep_api__put_rights(json, what->rights);
    skep_api__put_ns(json, SKEP_STR("expires_ns"), what->expires_ns);
    put_limits(json, &what->limits);
    skep_json_put_str(json, SKEP_STR("token"), skep_str_c(made->token));
    skep_json_put_str(json, SKEP_STR("access_key"), skep_str_c(made->access_key));
    skep_json_put_str(json, SKEP_STR("aws_secret"), skep_str_c(made->aws_secret));
    skep_json_put_str(json, SKEP_STR("rollbar_token"), skep_str_c(made->rollbar));
    skep_json_end(json);
}

static void create_key(struct skep_api__job *job)
{
    struct skep_issue what = {.rights = 0};
    struct skep_issued made;
    skep_err err;
    yyjson_doc *doc = skep_api__body_object(job);
    if (!doc)
        return;
    bool ok = read_issue(job, yyjson_doc_get_root(doc), &what);
    yyjson_doc_free(doc);
    if (!ok)
        return;
    skep_rc rc = skep_api__keys_issue(job, &what, &made, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_api__json_begin(job, 201);
    put_issued(&job->out.json, &what, &made);
    skep_issued_wipe(&made);
    skep_api__out_end(&job->out);
}

void skep_api__end_change(struct skep_api__job *job, skep_rc rc, const skep_err *err)
{
    if (rc == SKEP_OK)
        skep_api__keys_changed(job);
    skep_api__end_ok(job, rc, err);
}

void skep_api__end_ok(struct skep_api__job *job, skep_rc rc, const skep_err *err)
{
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, err);
        return;
    }
    skep_api__json_begin(job, 200);
    skep_json_object(&job->out.json);
    skep_json_put_bool(&job->out.json, SKEP_STR("ok"), true);
    skep_json_end(&job->out.json);
    skep_api__out_end(&job->out);
}

static void revoke_key(struct skep_api__job *job)
{
    struct skep_state_key k;
    skep_err err;
    skep_str id = skep_request_capture(job->req, 0);
    skep_rc rc = skep_api__keys_find(job, id, &k, &err);
    if (rc == SKEP_OK)
        rc = skep_state_revoke_key(job->api->cfg.state, id, &err);
    if (rc == SKEP_OK)
        skep_api__audit_key(job, "key.revoke", &k);
    skep_api__end_change(job, rc, &err);
}

/* --- environments
 * ---------------------------------------------------------------------------------- */

/* Rows of an environment that are kept now. */
static skep_rc count_rows(struct skep_api__job *job, skep_str environment, uint64_t *ret,
                          skep_err *err)
{
    static const struct skep_agg count = {.op = SKEP_AGG_COUNT, .key = {"COUNT", 5}};
    const struct skep_plan plan = {.kind = SKEP_PLAN_AGGREGATE,
                                   .range = {0, INT64_MAX},
                                   .aggs = &count,
                                   .n_aggs = 1,
                                   .ignore_sample_rate = true};
    struct skep_run_opts opts = job->opts;
    struct skep_result *result = NULL;
    opts.environment = environment;
    opts.also = NULL;
    SKEP_TRY(skep_query_aggregate(job->api->cfg.store, &plan, &opts, &result, err));
    *ret = result->totals.values ? (uint64_t)result->totals.values[0].i : 0;
    return SKEP_OK;
}

static void list_environments(struct skep_api__job *job)
{
    struct skep_state_environment *all;
    size_t n;
    skep_err err;
    struct skep_api__scope_of_keys scope = skep_api__keys_scope(job);
    skep_rc rc = skep_state_list_environments(job->api->cfg.state, &job->arena, &all, &n, &err);
    uint64_t *rows = skep_new_n(&job->arena, uint64_t, n + 1);
    for (size_t i = 0; i < n && rc == SKEP_OK; i++)
        if (skep_api__keys_may(&scope, all[i].slug))
            rc = count_rows(job, all[i].slug, &rows[i], &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_api__json_begin(job, 200);
    struct skep_json *json = &job->out.json;
    skep_json_object(json);
    skep_json_key(json, SKEP_STR("environments"));
    skep_json_array(json);
    for (size_t i = 0; i < n; i++) {
        if (!skep_api__keys_may(&scope, all[i].slug))
            continue;
        begin_environment(json, &all[i]);
        skep_json_put_u64(json, SKEP_STR("rows"), rows[i]);
        skep_json_end(json);
    }
    skep_json_end(json);
    skep_json_end(json);
    skep_api__out_end(&job->out);
}

bool skep_api__may_all(struct skep_api__job *job)
{
    struct skep_api__scope_of_keys scope = skep_api__keys_scope(job);
    if (skep_api__keys_may(&scope, SKEP_STR("")))
        return true;
    skep_api__job_fail(job, &(struct skep_api__error){
                                .status = 403,
                                .text = SKEP_STR("this API key is of one environment: it takes one "
                                                 "of all environments")});
    return false;
}

static void create_environment(struct skep_api__job *job)
{
    struct skep_state_environment made;
    const struct skep_api_config *cfg = &job->api->cfg;
    skep_err err;
    yyjson_doc *doc = skep_api__may_all(job) ? skep_api__body_object(job) : NULL;
    if (!doc)
        return;
    yyjson_val *root = yyjson_doc_get_root(doc);
    skep_rc rc =
        skep_auth_environment(cfg->os, cfg->state, skep_api__member(job, root, "name"),
                              skep_api__member(job, root, "description"),
                              skep_api__member(job, root, "color"), &job->arena, &made, &err);
    yyjson_doc_free(doc);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_api__audit(job, "environment.create", made.slug);
    skep_api__keys_changed(job);
    skep_api__json_begin(job, 201);
    begin_environment(&job->out.json, &made);
    skep_json_end(&job->out.json);
    skep_api__out_end(&job->out);
}

static void delete_environment(struct skep_api__job *job)
{
    skep_err err;
    if (!skep_api__may_all(job))
        return;
    skep_str slug = skep_request_capture(job->req, 0);
    skep_rc rc = skep_state_drop_environment(job->api->cfg.state, slug, &err);
    if (rc == SKEP_OK)
        skep_api__audit(job, "environment.delete", slug);
    skep_api__end_change(job, rc, &err);
}

/* --- who am I, and what is there
 * ------------------------------------------------------------------- */

static void who(struct skep_api__job *job)
{
    struct skep_state_key k;
    const struct skep_caller *caller = &job->req->caller;
    skep_api__json_begin(job, 200);
    struct skep_json *json = &job->out.json;
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("mode"),
                      skep_auth_is_open(job->api->cfg.auth) ? SKEP_STR("open") : SKEP_STR("keys"));
    skep_json_put_str(json, SKEP_STR("environment"), caller->environment);
    skep_api__put_rights(json, caller->rights);
    skep_json_key(json, SKEP_STR("key"));
    if (skep_auth_key(job->api->cfg.auth, caller->key, &job->arena, &k)) {
        skep_json_object(json);
        skep_json_put_str(json, SKEP_STR("id"), k.id);
        skep_json_put_str(json, SKEP_STR("name"), k.name);
        skep_json_put_str(json, SKEP_STR("environment"), k.environment);
        skep_json_end(json);
    } else {
        skep_json_null(json);
    }
    skep_json_end(json);
    skep_api__out_end(&job->out);
}

static skep_str right_name(unsigned right)
{
    switch (right) {
    case SKEP_RIGHT_INGEST: return SKEP_STR("ingest");
    case SKEP_RIGHT_QUERY: return SKEP_STR("query");
    case SKEP_RIGHT_ADMIN: return SKEP_STR("admin");
    case SKEP_RIGHT_PUBLIC: return SKEP_STR("public");
    case SKEP_RIGHT_ANY: return SKEP_STR("any");
    default: return SKEP_STR("none");
    }
}

static void put_route(struct skep_json *json, const struct skep_route *r)
{
    static const struct {
        unsigned form;
        skep_str name;
    } forms[] = {{SKEP_FORM_HONEYCOMB, SKEP_STR_INIT("honeycomb")},
                 {SKEP_FORM_SIGV4, SKEP_STR_INIT("sigv4")},
                 {SKEP_FORM_ROLLBAR, SKEP_STR_INIT("rollbar")},
                 {SKEP_FORM_BEARER, SKEP_STR_INIT("bearer")},
                 {SKEP_FORM_SESSION, SKEP_STR_INIT("session")}};
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("method"), skep_str_c(r->method));
    skep_json_put_str(json, SKEP_STR("path"), skep_str_c(r->path));
    if (r->header) {
        skep_json_key(json, SKEP_STR("header"));
        skep_json_object(json);
        skep_json_put_str(json, skep_str_c(r->header), skep_str_c(r->header_value));
        skep_json_end(json);
    }
    skep_json_put_str(json, SKEP_STR("right"), right_name(r->right));
    skep_json_put_bool(json, SKEP_STR("whole"), (r->flags & SKEP_ROUTE_WHOLE) != 0);
    skep_json_put_bool(json, SKEP_STR("grpc"), (r->flags & SKEP_ROUTE_GRPC) != 0);
    skep_json_key(json, SKEP_STR("forms"));
    skep_json_array(json);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(forms); i++)
        if (r->form & forms[i].form)
            skep_json_str(json, forms[i].name);
    skep_json_end(json);
    skep_json_end(json);
}

static void routes_list(struct skep_api__job *job)
{
    const struct skep_route *r;
    skep_api__json_begin(job, 200);
    struct skep_json *json = &job->out.json;
    skep_json_object(json);
    skep_json_key(json, SKEP_STR("routes"));
    skep_json_array(json);
    for (size_t i = 0; (r = skep_net_route(job->api->cfg.net, i)) != NULL; i++)
        put_route(json, r);
    skep_json_end(json);
    skep_json_end(json);
    skep_api__out_end(&job->out);
}

SKEP_API__HANDLER(handle_list_keys, list_keys)
SKEP_API__HANDLER(handle_create_key, create_key)
SKEP_API__HANDLER(handle_revoke_key, revoke_key)
SKEP_API__HANDLER(handle_list_environments, list_environments)
SKEP_API__HANDLER(handle_create_environment, create_environment)
SKEP_API__HANDLER(handle_delete_environment, delete_environment)
SKEP_API__HANDLER(handle_who, who)
SKEP_API__HANDLER(handle_routes, routes_list)

#define ROUTE(method_, path_, handle_, right_)                                                     \
    {                                                                                              \
        .method = (method_), .path = (path_), .handle = (handle_), .refuse = skep_api__refuse,     \
        .body_limit_bytes = 64 << 10, .right = (right_), .form = SKEP_FORM_PAGE                    \
    }

static const struct skep_route routes[] = {
    ROUTE("GET", "/skep/v1/auth", handle_who, SKEP_RIGHT_ANY),
    ROUTE("GET", "/skep/v1/routes", handle_routes, SKEP_RIGHT_ADMIN),
    ROUTE("GET", "/skep/v1/keys", handle_list_keys, SKEP_RIGHT_ADMIN),
    ROUTE("POST", "/skep/v1/keys", handle_create_key, SKEP_RIGHT_ADMIN),
    ROUTE("DELETE", "/skep/v1/keys/:id", handle_revoke_key, SKEP_RIGHT_ADMIN),
    ROUTE("GET", "/skep/v1/environments", handle_list_environments, SKEP_RIGHT_ANY),
    ROUTE("POST", "/skep/v1/environments", handle_create_environment, SKEP_RIGHT_ADMIN),
    ROUTE("DELETE", "/skep/v1/environments/:slug", handle_delete_environment, SKEP_RIGHT_ADMIN),
};

const struct skep_api__routes skep_api__page_keys = {routes, SKEP_ARRAY_LEN(routes)};
