// SPDX-License-Identifier: Apache-2.0
/* /2/teams/:team/environments[/:id]: Honeycomb's words for skep's environments.
 * Threads: workers.  Memory: the request's arena. */
#include "api/honeycomb_v2.h"

static void put_environment(struct skep_json *json, const struct skep_state_environment *e)
{
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("id"), e->id);
    skep_json_put_str(json, SKEP_STR("type"), SKEP_STR("environments"));
    skep_json_key(json, SKEP_STR("attributes"));
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("name"), e->name);
    skep_json_put_str(json, SKEP_STR("description"), e->description);
    skep_json_put_str(json, SKEP_STR("color"), e->color);
    skep_json_put_str(json, SKEP_STR("slug"), e->slug);
    skep_json_key(json, SKEP_STR("settings"));
    skep_json_object(json);
    skep_json_put_bool(json, SKEP_STR("delete_protected"), e->delete_protected);
    skep_json_end(json);
    skep_json_end(json);
    skep_json_key(json, SKEP_STR("relationships"));
    skep_json_object(json);
    skep_api__v2_related(json, SKEP_STR("team"), SKEP_STR("teams"), SKEP_API__TEAM_ID);
    skep_json_end(json);
    skep_json_end(json);
}

static void send_one(struct skep_api__job *job, int status, const struct skep_state_environment *e)
{
    skep_api__v2_begin(job, status);
    skep_json_object(&job->out.json);
    skep_json_key(&job->out.json, SKEP_STR("data"));
    put_environment(&job->out.json, e);
    skep_json_end(&job->out.json);
    skep_api__out_end(&job->out);
}

/* All that the caller may see; false after a refusal. */
static bool list_of(struct skep_api__job *job, struct skep_state_environment **ret, size_t *ret_n)
{
    skep_err err;
    size_t kept = 0;
    struct skep_api__scope_of_keys scope = skep_api__keys_scope(job);
    if (!skep_api__v2_team(job))
        return false;
    skep_rc rc = skep_state_list_environments(job->api->cfg.state, &job->arena, ret, ret_n, &err);
    if (rc != SKEP_OK) {
        skep_api__v2_fail_rc(job, rc, &err);
        return false;
    }
    for (size_t i = 0; i < *ret_n; i++)
        if (skep_api__keys_may(&scope, (*ret)[i].slug))
            (*ret)[kept++] = (*ret)[i];
    *ret_n = kept;
    return true;
}

/* The one of the second capture; NULL after a refusal. */
static const struct skep_state_environment *one_of(struct skep_api__job *job)
{
    struct skep_state_environment *all;
    size_t n;
    if (!list_of(job, &all, &n))
        return NULL;
    skep_str id = skep_request_capture(job->req, 1);
    for (size_t i = 0; i < n; i++)
        if (skep_str_eq(all[i].id, id))
            return &all[i];
    skep_api__v2_fail(job, 404, SKEP_STR("no such environment"));
    return NULL;
}

static bool may_change(struct skep_api__job *job)
{
    struct skep_api__scope_of_keys scope = skep_api__keys_scope(job);
    if (skep_api__keys_may(&scope, SKEP_STR("")))
        return true;
    skep_api__v2_fail(job, 403, SKEP_STR("this API key is of one environment"));
    return false;
}

static void list(struct skep_api__job *job)
{
    struct skep_state_environment *all;
    size_t n;
    if (!list_of(job, &all, &n))
        return;
    skep_api__v2_begin(job, 200);
    struct skep_json *json = &job->out.json;
    skep_json_object(json);
    skep_json_key(json, SKEP_STR("data"));
    skep_json_array(json);
    for (size_t i = 0; i < n; i++)
        put_environment(json, &all[i]);
    skep_json_end(json);
    skep_json_end(json);
    skep_api__out_end(&job->out);
}

static void one(struct skep_api__job *job)
{
    const struct skep_state_environment *e = one_of(job);
    if (e)
        send_one(job, 200, e);
}

static void create(struct skep_api__job *job)
{
    struct skep_state_environment made;
    yyjson_val *data, *attributes;
    skep_err err;
    const struct skep_api_config *cfg = &job->api->cfg;
    if (!skep_api__v2_team(job) || !may_change(job))
        return;
    yyjson_doc *doc = skep_api__v2_body(job, &data, &attributes);
    if (!doc)
        return;
    skep_rc rc = skep_auth_environment(
        cfg->os, cfg->state, skep_api__v2_text(job, attributes, "name"),
        skep_api__v2_text(job, attributes, "description"),
        skep_api__v2_text(job, attributes, "color"), &job->arena, &made, &err);
    yyjson_doc_free(doc);
    if (rc != SKEP_OK) {
        skep_api__v2_fail_rc(job, rc, &err);
        return;
    }
    skep_api__audit(job, "environment.create", made.slug);
    skep_api__keys_changed(job);
    send_one(job, 201, &made);
}

static void take(struct skep_api__job *job, yyjson_val *attributes, const char *member,
                 skep_str *to)
{
    if (yyjson_is_str(yyjson_obj_get(attributes, member)))
        *to = skep_api__v2_text(job, attributes, member);
}

static void change(struct skep_api__job *job)
{
    yyjson_val *data, *attributes;
    skep_err err;
    const struct skep_state_environment *e = one_of(job);
    if (!e || !may_change(job))
        return;
    yyjson_doc *doc = skep_api__v2_body(job, &data, &attributes);
    if (!doc)
        return;
    struct skep_state_environment changed = *e;
    take(job, attributes, "description", &changed.description);
    take(job, attributes, "color", &changed.color);
    yyjson_val *held = yyjson_obj_get(yyjson_obj_get(attributes, "settings"), "delete_protected");
    if (yyjson_is_bool(held))
        changed.delete_protected = yyjson_get_bool(held);
    yyjson_doc_free(doc);
    skep_rc rc = skep_state_set_environment(job->api->cfg.state, &changed, &err);
    if (rc != SKEP_OK) {
        skep_api__v2_fail_rc(job, rc, &err);
        return;
    }
    skep_api__audit(job, "environment.change", changed.slug);
    send_one(job, 200, &changed);
}

static void drop(struct skep_api__job *job)
{
    skep_err err;
    const struct skep_state_environment *e = one_of(job);
    if (!e || !may_change(job))
        return;
    skep_rc rc = skep_state_drop_environment(job->api->cfg.state, e->slug, &err);
    if (rc != SKEP_OK) {
        skep_api__v2_fail(job, rc == SKEP_EINVAL ? 409 : skep_rc_info(rc)->http,
                          skep_str_c(err.text));
        return;
    }
    skep_api__audit(job, "environment.delete", e->slug);
    skep_api__keys_changed(job);
    skep_api__v2_gone(job);
}

SKEP_API__HANDLER(handle_list, list)
SKEP_API__HANDLER(handle_one, one)
SKEP_API__HANDLER(handle_create, create)
SKEP_API__HANDLER(handle_change, change)
SKEP_API__HANDLER(handle_drop, drop)

#define ALL "/2/teams/:team/environments"
#define ONE ALL "/:id"
static const struct skep_route routes[] = {
    SKEP_API__V2_ROUTE("GET", ALL, handle_list),    SKEP_API__V2_ROUTE("POST", ALL, handle_create),
    SKEP_API__V2_ROUTE("GET", ONE, handle_one),     SKEP_API__V2_ROUTE("PATCH", ONE, handle_change),
    SKEP_API__V2_ROUTE("DELETE", ONE, handle_drop),
};

const struct skep_api__routes skep_api__honeycomb_environments = {routes, SKEP_ARRAY_LEN(routes)};
