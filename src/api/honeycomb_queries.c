// SPDX-License-Identifier: Apache-2.0
/* POST /1/queries/{dataset}, GET /1/queries/{dataset}/{id}: query specifications, immutable.
 * The same specification for the same dataset has the same id.
 * Threads: workers.  Memory: the request's arena. */
#include "api/honeycomb_priv.h"

#include "base/assert.h"

/* The stored text with its id put in front. */
static void respond(struct skep_api__job *job, int status, const skep_state_id *id, skep_str spec)
{
    skep_assert(spec.n >= 2 && spec.p[0] == '{');
    skep_api__hny_begin(job, status);
    struct skep_buf *b = &job->out.buf;
    skep_buf_printf(b, "{\"id\":\"%s\"%s", id->text, spec.n > 2 ? "," : "");
    skep_buf_str(b, skep_str_skip(spec, 1));
    skep_api__out_end(&job->out);
}

static void create(struct skep_api__job *job)
{
    struct skep_api__dataset d;
    const struct skep_plan *plan = NULL;
    struct skep_lang_issue issue;
    skep_state_id id;
    skep_str spec;
    skep_err err;
    struct skep_lang_opts lang;
    if (!skep_api__hny_dataset(job, true, &d))
        return;
    skep_rc rc = skep_api__hny_lang(job->api, &job->opts, &d, &lang, &err);
    if (rc != SKEP_OK) {
        skep_api__hny_fail_rc(job, rc, &err);
        return;
    }
    if (skep_lang_honeycomb(job->req->body, &lang, &job->arena, &plan, &issue) != SKEP_OK ||
        skep_lang_honeycomb_text(job->req->body, &job->arena, &spec, &issue) != SKEP_OK) {
        skep_api__hny_fail_issue(job, &issue);
        return;
    }
    rc = skep_state_put_query(job->api->cfg.state, job->opts.environment, d.slug, spec, &id, &err);
    if (rc != SKEP_OK)
        skep_api__hny_fail_rc(job, rc, &err);
    else
        respond(job, 200, &id, spec);
}

static void get(struct skep_api__job *job)
{
    struct skep_state_query q;
    skep_err err;
    skep_rc rc = skep_state_get_query(job->api->cfg.state, job->opts.environment,
                                      skep_request_capture(job->req, 1), &job->arena, &q, &err);
    if (rc != SKEP_OK)
        skep_api__hny_fail_rc(job, rc, &err);
    else
        respond(job, 200, &q.id, q.spec);
}

static void handle_create(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, create);
}

static void handle_get(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, get);
}

static const struct skep_route routes[] = {
    {.method = "POST",
     .path = "/1/queries/:dataset",
     .handle = handle_create,
     .refuse = skep_api__hny_refuse,
     .body_limit_bytes = SKEP_LIMIT_API_BODY_BYTES,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_HONEYCOMB},
    {.method = "GET",
     .path = "/1/queries/:dataset/:id",
     .handle = handle_get,
     .refuse = skep_api__hny_refuse,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_HONEYCOMB},
};

const struct skep_api__routes skep_api__honeycomb_queries = {routes, SKEP_ARRAY_LEN(routes)};
