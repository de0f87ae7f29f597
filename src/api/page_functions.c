// SPDX-License-Identifier: Apache-2.0
/* GET /skep/v1/functions: what calculated fields and formulas can compute with, for completion.
 * Threads: workers.  Memory: none. */
#include "api/api_priv.h"
#include "calc/calc.h"

static void put_function(struct skep_json *json, const char *name, const char *signature,
                         const char *text, const char *family)
{
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("name"), skep_str_c(name));
    skep_json_put_str(json, SKEP_STR("signature"), skep_str_c(signature));
    skep_json_put_str(json, SKEP_STR("text"), skep_str_c(text));
    skep_json_put_str(json, SKEP_STR("family"), skep_str_c(family));
    skep_json_end(json);
}

static void functions(struct skep_api__job *job)
{
    struct skep_json *json = &job->out.json;
    unsigned n;
    const struct skep_calc_fn *const *families = skep_calc_derived(&n);
    skep_api__json_begin(job, 200);
    skep_json_object(json);
    skep_json_key(json, SKEP_STR("functions"));
    skep_json_array(json);
    for (unsigned i = 0; i < n; i++)
        for (const struct skep_calc_fn *f = families[i]; f->name; f++)
            if (!skep_str_eq(skep_str_c(f->family), SKEP_STR("operator")))
                put_function(json, f->name, f->signature, f->text, f->family);
    /* of the row itself: the language's (lang/expression.c) */
    put_function(json, "EVENT_TIMESTAMP", "EVENT_TIMESTAMP()",
                 "When it began, in seconds since 1970.", "time");
    put_function(json, "INGEST_TIMESTAMP", "INGEST_TIMESTAMP()", "When it came in.", "time");
    put_function(json, "RAND", "RAND()", "A number of [0, 1) that the row keeps.", "math");
    skep_json_end(json);
    skep_json_end(json);
    skep_api__out_end(&job->out);
}

static void handle(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, functions);
}

static const struct skep_route routes[] = {
    {.method = "GET",
     .path = "/skep/v1/functions",
     .handle = handle,
     .refuse = skep_api__refuse,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_functions = {routes, SKEP_ARRAY_LEN(routes)};
