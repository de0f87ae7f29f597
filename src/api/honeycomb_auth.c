// SPDX-License-Identifier: Apache-2.0
/* GET /1/auth: what a key may do.  In open mode any key, or none, may do everything in the
 * environment "default"; its slug is not empty, so that no client takes the key for a Classic one.
 * Threads: answered on a worker.  Memory: the request's arena. */
#include "api/honeycomb_priv.h"

static void named(struct skep_json *json, skep_str key, skep_str name)
{
    skep_json_key(json, key);
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("name"), name);
    skep_json_put_str(json, SKEP_STR("slug"), name);
    skep_json_end(json);
}

static void auth(struct skep_api__job *job)
{
    static const skep_str rights[] = {
        SKEP_STR("events"),         SKEP_STR("markers"), SKEP_STR("triggers"),
        SKEP_STR("boards"),         SKEP_STR("queries"), SKEP_STR("columns"),
        SKEP_STR("createDatasets"), SKEP_STR("slos"),    SKEP_STR("recipients"),
        SKEP_STR("privateBoards"),
    };
    skep_api__hny_begin(job, 200);
    struct skep_json *json = &job->out.json;
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("id"), SKEP_STR("open"));
    skep_json_put_str(json, SKEP_STR("type"), SKEP_STR("configuration"));
    skep_json_key(json, SKEP_STR("api_key_access"));
    skep_json_object(json);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(rights); i++)
        skep_json_put_bool(json, rights[i], true);
    skep_json_end(json);
    named(json, SKEP_STR("environment"), SKEP_STR("default"));
    named(json, SKEP_STR("team"), SKEP_STR("skep"));
    skep_json_end(json);
    skep_api__out_end(&job->out);
}

static void handle(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, auth);
}

static const struct skep_route routes[] = {
    {.method = "GET",
     .path = "/1/auth",
     .handle = handle,
     .refuse = skep_api__hny_refuse,
     .right = SKEP_RIGHT_ANY,
     .form = SKEP_FORM_HONEYCOMB},
};

const struct skep_api__routes skep_api__honeycomb_auth = {routes, SKEP_ARRAY_LEN(routes)};
