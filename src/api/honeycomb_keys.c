// SPDX-License-Identifier: Apache-2.0
/* /2/teams/:team/api-keys[/:id]: Honeycomb's words for skep's keys.
 *
 *   ingest         rights: ingest                         secret = what goes behind the id
 *   configuration  send_events -> ingest, the rest -> query    secret = the whole token
 *
 * Recipients are for keys that administer: manage_recipients shows whether a key does, and asking
 * for it gives nothing.
 * A management key is not made here, but by `skep key create --rights ...,admin`.
 * Threads: workers.  Memory: the request's arena. */
#include "api/honeycomb_v2.h"

skep_str skep_api__key_type(unsigned rights)
{
    if (rights & SKEP_RIGHT_ADMIN)
        return SKEP_STR("management");
    return rights == SKEP_RIGHT_INGEST ? SKEP_STR("ingest") : SKEP_STR("configuration");
}

static const struct {
    skep_str name;
    unsigned right;
} permissions[] = {
    {SKEP_STR_INIT("create_datasets"), SKEP_RIGHT_INGEST},
    {SKEP_STR_INIT("send_events"), SKEP_RIGHT_INGEST},
    {SKEP_STR_INIT("run_queries"), SKEP_RIGHT_QUERY},
    {SKEP_STR_INIT("manage_columns"), SKEP_RIGHT_QUERY},
    {SKEP_STR_INIT("manage_boards"), SKEP_RIGHT_QUERY},
    {SKEP_STR_INIT("manage_markers"), SKEP_RIGHT_QUERY},
    {SKEP_STR_INIT("manage_recipients"), SKEP_RIGHT_ADMIN},
    {SKEP_STR_INIT("manage_slos"), SKEP_RIGHT_QUERY},
    {SKEP_STR_INIT("manage_triggers"), SKEP_RIGHT_QUERY},
    {SKEP_STR_INIT("read_service_maps"), SKEP_RIGHT_QUERY},
};

static skep_str environment_id(const struct skep_state_environment *all, size_t n, skep_str slug)
{
    for (size_t i = 0; i < n; i++)
        if (skep_str_eq(all[i].slug, slug))
            return all[i].id;
    return SKEP_STR("");
}

/* made NULL: without the secret. */
static void put_key(struct skep_json *json, const struct skep_state_key *k, skep_str environment,
                    const struct skep_issued *made)
{
    skep_str type = skep_api__key_type(k->rights);
    bool ingest = skep_str_eq(type, SKEP_STR("ingest"));
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("id"), k->id);
    skep_json_put_str(json, SKEP_STR("type"), SKEP_STR("api-keys"));
    skep_json_key(json, SKEP_STR("attributes"));
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("name"), k->name);
    skep_json_put_str(json, SKEP_STR("key_type"), type);
    skep_json_put_bool(json, SKEP_STR("disabled"), k->disabled);
    if (made)
        skep_json_put_str(json, SKEP_STR("secret"),
                          skep_str_c(ingest ? made->token + sizeof made->id - 1 : made->token));
    skep_json_key(json, SKEP_STR("permissions"));
    skep_json_object(json);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(permissions); i++)
        if (!ingest || i == 0)
            skep_json_put_bool(json, permissions[i].name, (k->rights & permissions[i].right) != 0);
    skep_json_end(json);
    skep_json_key(json, SKEP_STR("timestamps"));
    skep_json_object(json);
    skep_api__put_time(json, SKEP_STR("created"), k->created_ns);
    skep_api__put_time(json, SKEP_STR("updated"), k->created_ns);
    skep_json_end(json);
    skep_json_end(json);
    skep_json_key(json, SKEP_STR("relationships"));
    skep_json_object(json);
    if (environment.n)
        skep_api__v2_related(json, SKEP_STR("environment"), SKEP_STR("environments"), environment);
    skep_json_end(json);
    skep_json_end(json);
}

struct lists {
    struct skep_state_key *keys;
    struct skep_state_environment *environments;
    size_t n_keys, n_environments;
};

/* Keys that are not revoked and that the caller may see; false after a refusal. */
static bool lists_of(struct skep_api__job *job, struct lists *ret)
{
    skep_err err;
    size_t kept = 0;
    struct skep_state *state = job->api->cfg.state;
    struct skep_api__scope_of_keys scope = skep_api__keys_scope(job);
    if (!skep_api__v2_team(job))
        return false;
    skep_rc rc = skep_state_list_keys(state, &job->arena, &ret->keys, &ret->n_keys, &err);
    if (rc == SKEP_OK)
        rc = skep_state_list_environments(state, &job->arena, &ret->environments,
                                          &ret->n_environments, &err);
    if (rc != SKEP_OK) {
        skep_api__v2_fail_rc(job, rc, &err);
        return false;
    }
    for (size_t i = 0; i < ret->n_keys; i++)
        if (!ret->keys[i].revoked_ns && skep_api__keys_may(&scope, ret->keys[i].environment))
            ret->keys[kept++] = ret->keys[i];
    ret->n_keys = kept;
    return true;
}

static const struct skep_state_key *one_of(struct skep_api__job *job, struct lists *l)
{
    if (!lists_of(job, l))
        return NULL;
    skep_str id = skep_request_capture(job->req, 1);
    for (size_t i = 0; i < l->n_keys; i++)
        if (skep_str_eq(l->keys[i].id, id))
            return &l->keys[i];
    skep_api__v2_fail(job, 404, SKEP_STR("no such key"));
    return NULL;
}

static void send_one(struct skep_api__job *job, int status, const struct lists *l,
                     const struct skep_state_key *k, const struct skep_issued *made)
{
    skep_api__v2_begin(job, status);
    skep_json_object(&job->out.json);
    skep_json_key(&job->out.json, SKEP_STR("data"));
    put_key(&job->out.json, k, environment_id(l->environments, l->n_environments, k->environment),
            made);
    skep_json_end(&job->out.json);
    skep_api__out_end(&job->out);
}

static void list(struct skep_api__job *job)
{
    struct lists l;
    skep_str type = skep_api__param(job->req, SKEP_STR("filter[type]"));
    if (!lists_of(job, &l))
        return;
    skep_api__v2_begin(job, 200);
    struct skep_json *json = &job->out.json;
    skep_json_object(json);
    skep_json_key(json, SKEP_STR("data"));
    skep_json_array(json);
    for (size_t i = 0; i < l.n_keys; i++) {
        const struct skep_state_key *k = &l.keys[i];
        if (type.n && !skep_str_eq(type, skep_api__key_type(k->rights)))
            continue;
        put_key(json, k, environment_id(l.environments, l.n_environments, k->environment), NULL);
        skep_api__out_check(&job->out);
    }
    skep_json_end(json);
    skep_json_end(json);
    skep_api__out_end(&job->out);
}

static void one(struct skep_api__job *job)
{
    struct lists l;
    const struct skep_state_key *k = one_of(job, &l);
    if (k)
        send_one(job, 200, &l, k, NULL);
}

static unsigned rights_of(yyjson_val *attributes, skep_str type)
{
    unsigned rights = 0;
    yyjson_val *given = yyjson_obj_get(attributes, "permissions");
    if (skep_str_eq(type, SKEP_STR("ingest")))
        return SKEP_RIGHT_INGEST;
    if (!skep_str_eq(type, SKEP_STR("configuration")))
        return 0;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(permissions); i++)
        if (yyjson_is_true(yyjson_obj_getn(given, permissions[i].name.p, permissions[i].name.n)))
            rights |= permissions[i].right;
    return rights & ~(unsigned)SKEP_RIGHT_ADMIN;
}

/* False after a refusal. */
static bool read_issue(struct skep_api__job *job, const struct lists *l, yyjson_val *data,
                       yyjson_val *attributes, struct skep_issue *ret)
{
    yyjson_val *relationships = yyjson_obj_get(data, "relationships");
    yyjson_val *environment = yyjson_obj_get(yyjson_obj_get(relationships, "environment"), "data");
    skep_str id = skep_api__v2_text(job, environment, "id");
    *ret = (struct skep_issue){
        .name = skep_api__v2_text(job, attributes, "name"),
        .rights = rights_of(attributes, skep_api__v2_text(job, attributes, "key_type"))};
    for (size_t i = 0; i < l->n_environments; i++)
        if (skep_str_eq(l->environments[i].id, id))
            ret->environment = l->environments[i].slug;
    if (!ret->rights)
        skep_api__v2_fail(job, 422,
                          SKEP_STR("key_type must be ingest, or configuration with a permission"));
    else if (!ret->environment.n)
        skep_api__v2_fail(job, 422,
                          SKEP_STR("relationships.environment.data.id names no environment"));
    return ret->rights && ret->environment.n;
}

static void create(struct skep_api__job *job)
{
    struct lists l;
    struct skep_issue what;
    struct skep_issued made;
    yyjson_val *data, *attributes;
    skep_err err;
    if (!lists_of(job, &l))
        return;
    yyjson_doc *doc = skep_api__v2_body(job, &data, &attributes);
    if (!doc)
        return;
    bool ok = read_issue(job, &l, data, attributes, &what);
    yyjson_doc_free(doc);
    if (!ok)
        return;
    skep_rc rc = skep_api__keys_issue(job, &what, &made, &err);
    if (rc != SKEP_OK) {
        skep_api__v2_fail_rc(job, rc, &err);
        return;
    }
    const struct skep_state_key k = {.id = skep_str_c(made.id),
                                     .name = what.name,
                                     .environment = what.environment,
                                     .rights = what.rights,
                                     .created_ns = skep_api__now(job->api)};
    send_one(job, 201, &l, &k, &made);
    skep_issued_wipe(&made);
}

static void change(struct skep_api__job *job)
{
    struct lists l;
    yyjson_val *data, *attributes;
    skep_err err;
    const struct skep_state_key *k = one_of(job, &l);
    if (!k)
        return;
    yyjson_doc *doc = skep_api__v2_body(job, &data, &attributes);
    if (!doc)
        return;
    struct skep_state_key changed = *k;
    yyjson_val *disabled = yyjson_obj_get(attributes, "disabled");
    if (yyjson_is_bool(disabled))
        changed.disabled = yyjson_get_bool(disabled);
    skep_str name = skep_api__v2_text(job, attributes, "name");
    changed.name = name.n ? name : k->name;
    yyjson_doc_free(doc);
    skep_rc rc = skep_auth_check_name(changed.name, &err);
    if (rc == SKEP_OK)
        rc = skep_state_set_key(job->api->cfg.state, k->id, changed.name, changed.disabled, &err);
    if (rc != SKEP_OK) {
        skep_api__v2_fail_rc(job, rc, &err);
        return;
    }
    skep_api__audit_key(job, changed.disabled ? "key.disable" : "key.change", &changed);
    skep_api__keys_changed(job);
    send_one(job, 200, &l, &changed, NULL);
}

static void drop(struct skep_api__job *job)
{
    struct lists l;
    skep_err err;
    const struct skep_state_key *k = one_of(job, &l);
    if (!k)
        return;
    skep_rc rc = skep_state_revoke_key(job->api->cfg.state, k->id, &err);
    if (rc != SKEP_OK) {
        skep_api__v2_fail_rc(job, rc, &err);
        return;
    }
    skep_api__audit_key(job, "key.revoke", k);
    skep_api__keys_changed(job);
    skep_api__v2_gone(job);
}

SKEP_API__HANDLER(handle_list, list)
SKEP_API__HANDLER(handle_one, one)
SKEP_API__HANDLER(handle_create, create)
SKEP_API__HANDLER(handle_change, change)
SKEP_API__HANDLER(handle_drop, drop)

#define ALL "/2/teams/:team/api-keys"
#define ONE ALL "/:id"
static const struct skep_route routes[] = {
    SKEP_API__V2_ROUTE("GET", ALL, handle_list),    SKEP_API__V2_ROUTE("POST", ALL, handle_create),
    SKEP_API__V2_ROUTE("GET", ONE, handle_one),     SKEP_API__V2_ROUTE("PATCH", ONE, handle_change),
    SKEP_API__V2_ROUTE("DELETE", ONE, handle_drop),
};

const struct skep_api__routes skep_api__honeycomb_keys = {routes, SKEP_ARRAY_LEN(routes)};
