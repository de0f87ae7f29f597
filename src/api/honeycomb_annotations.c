// SPDX-License-Identifier: Apache-2.0
/* Query annotations (/1/query_annotations/{dataset}): names of stored queries.
 * Threads: workers.  Memory: the request's arena. */
#include "api/honeycomb_objects.h"

static bool check(struct skep_api__hny_call *c)
{
    struct skep_state_query q;
    skep_err err;
    skep_str id = skep_api__hny_mut_text(c->body, "query_id");
    if (skep_state_get_query(c->job->api->cfg.state, c->job->opts.environment, id, &c->job->arena,
                             &q, &err) != SKEP_OK)
        return skep_api__hny_bad(c, "query_id", SKEP_LANG_INVALID, "query_id: no such query");
    return true;
}

static const struct skep_api__hny_member members[] = {
    {"name", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .min = 1, .max = 320},
    {"description", SKEP_HNY_TEXT, .max = 1023, .absent = "\"\""},
    {"query_id", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED | SKEP_HNY_FIXED, .min = 1, .max = 64},
    {"source", SKEP_HNY_TEXT, .choices = "query|board", .absent = "\"query\""},
};

static const struct skep_route routes[] = {SKEP_API__HNY_ROUTES("/1/query_annotations/:dataset")};

const struct skep_api__hny_object skep_api__hny_query_annotation = {
    .kind = SKEP_OBJECT_QUERY_ANNOTATION,
    .scope = SKEP_HNY_OF_ANY_DATASET,
    .noun = "Query annotation",
    .members = SKEP_HNY_MEMBERS(members),
    .check = check,
    .routes = routes,
    .n_routes = SKEP_ARRAY_LEN(routes),
};
