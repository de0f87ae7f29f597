// SPDX-License-Identifier: Apache-2.0
/* GET /1/auth: what a key may do, and where.  The environment's slug is never empty, so that no
 * client takes the key for a Classic one.
 * Threads: answered on a worker.  Memory: the request's arena. */
#include "api/honeycomb_v2.h"

static void named(struct skep_json *json, skep_str key, skep_str name, skep_str slug)
{
    skep_json_key(json, key);
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("name"), name);
    skep_json_put_str(json, SKEP_STR("slug"), slug);
    skep_json_end(json);
}

/* The name people gave an environment. */
static skep_str name_of(struct skep_api__job *job, skep_str slug)
{
    struct skep_state_environment *all;
    size_t n;
    skep_err err;
    if (skep_state_list_environments(job->api->cfg.state, &job->arena, &all, &n, &err) != SKEP_OK)
        return slug; /* a name is no reason to fail */
    for (size_t i = 0; i < n; i++)
        if (skep_str_eq(all[i].slug, slug))
            return all[i].name;
    return slug;
}

static void auth(struct skep_api__job *job)
{
    static const struct {
        skep_str name;
        unsigned right;
    } access[] = {
        {SKEP_STR_INIT("events"), SKEP_RIGHT_INGEST},
        {SKEP_STR_INIT("markers"), SKEP_RIGHT_QUERY},
        {SKEP_STR_INIT("triggers"), SKEP_RIGHT_QUERY},
        {SKEP_STR_INIT("boards"), SKEP_RIGHT_QUERY},
        {SKEP_STR_INIT("queries"), SKEP_RIGHT_QUERY},
        {SKEP_STR_INIT("columns"), SKEP_RIGHT_QUERY},
        {SKEP_STR_INIT("createDatasets"), SKEP_RIGHT_INGEST},
        {SKEP_STR_INIT("slos"), SKEP_RIGHT_QUERY},
        {SKEP_STR_INIT("recipients"), SKEP_RIGHT_ADMIN},
        {SKEP_STR_INIT("privateBoards"), SKEP_RIGHT_QUERY},
    };
    const struct skep_caller *caller = &job->req->caller;
    struct skep_state_key k;
    skep_str id = SKEP_STR("open"), type = SKEP_STR("configuration");
    if (skep_auth_key(job->api->cfg.auth, caller->key, &job->arena, &k)) {
        id = k.id;
        type = k.rights == SKEP_RIGHT_INGEST ? SKEP_STR("ingest") : type;
    }
    skep_api__hny_begin(job, 200);
    struct skep_json *json = &job->out.json;
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("id"), id);
    skep_json_put_str(json, SKEP_STR("type"), type);
    skep_json_key(json, SKEP_STR("api_key_access"));
    skep_json_object(json);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(access); i++)
        skep_json_put_bool(json, access[i].name, (caller->rights & access[i].right) != 0);
    skep_json_end(json);
    named(json, SKEP_STR("environment"), name_of(job, caller->environment), caller->environment);
    named(json, SKEP_STR("team"), SKEP_API__TEAM, SKEP_API__TEAM);
    skep_json_end(json);
    skep_api__out_end(&job->out);
}

SKEP_API__HANDLER(handle, auth)

static const struct skep_route routes[] = {
    {.method = "GET",
     .path = "/1/auth",
     .handle = handle,
     .refuse = skep_api__hny_refuse,
     .right = SKEP_RIGHT_ANY,
     .form = SKEP_FORM_HONEYCOMB},
};

const struct skep_api__routes skep_api__honeycomb_auth = {routes, SKEP_ARRAY_LEN(routes)};
