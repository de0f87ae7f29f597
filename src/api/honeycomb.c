// SPDX-License-Identifier: Apache-2.0
/* What all of Honeycomb's endpoints share: headers, problem+json errors, datasets by slug.
 *
 * Errors carry both forms Honeycomb's clients know: {"error": text} and RFC 7807 members beside it.
 * Threads: workers.  Memory: the request's arena. */
#include "api/honeycomb_priv.h"

#include <stdlib.h>

#include "base/assert.h"
#include "wire/rfc3339.h"

static const struct {
    int status;
    skep_str type, title;
} problems[] = {
    [SKEP_PROBLEM_UNPARSEABLE] = {400, SKEP_STR("https://api.honeycomb.io/problems/unparseable"),
                                  SKEP_STR("The request body could not be parsed.")},
    [SKEP_PROBLEM_NOT_FOUND] = {404, SKEP_STR("https://api.honeycomb.io/problems/not-found"),
                                SKEP_STR("The requested resource cannot be found.")},
    [SKEP_PROBLEM_CONFLICT] = {409, SKEP_STR("https://api.honeycomb.io/problems/conflict"),
                               SKEP_STR("Request could not be completed due to a conflict with the "
                                        "current state of the target resource.")},
    [SKEP_PROBLEM_VALIDATION] = {422,
                                 SKEP_STR("https://api.honeycomb.io/problems/validation-failed"),
                                 SKEP_STR("The provided input is invalid.")},
    [SKEP_PROBLEM_TOO_LARGE] = {413,
                                SKEP_STR("https://api.honeycomb.io/problems/payload-too-large"),
                                SKEP_STR("The request body is too large.")},
    [SKEP_PROBLEM_RATE_LIMITED] = {429, SKEP_STR("https://api.honeycomb.io/problems/rate-limited"),
                                   SKEP_STR("You have exceeded the rate limit.")},
    [SKEP_PROBLEM_INTERNAL] = {500, SKEP_STR("https://api.honeycomb.io/problems/internal"),
                               SKEP_STR("An internal error occurred.")},
};

static void rate_headers(struct skep_response *r)
{
    /* There is no limit; clients that pace themselves by these headers never need to. */
    r->headers[r->n_headers++] =
        (struct skep_header){SKEP_STR("Ratelimit"), SKEP_STR("limit=100, remaining=100, reset=60")};
    r->headers[r->n_headers++] =
        (struct skep_header){SKEP_STR("RateLimitPolicy"), SKEP_STR("100;w=60")};
}

void skep_api__hny_begin(struct skep_api__job *job, int status)
{
    skep_api__json_begin(job, status);
    rate_headers(&job->out.resp);
}

void skep_api__put_time(struct skep_json *json, skep_str key, int64_t ns)
{
    char text[SKEP_RFC3339_BYTES];
    size_t n = skep_rfc3339(ns, ns % 1000000000 ? 3 : 0, text);
    skep_json_put_str(json, key, (skep_str){text, n});
}

static void write_problem(struct skep_json *json, enum skep_api__problem p, int status,
                          skep_str field, enum skep_lang_code code, skep_str text)
{
    skep_json_object(json);
    skep_json_put_i64(json, SKEP_STR("status"), status);
    skep_json_put_str(json, SKEP_STR("type"), problems[p].type);
    skep_json_put_str(json, SKEP_STR("title"), problems[p].title);
    skep_json_put_str(json, SKEP_STR("error"), text);
    skep_json_put_str(json, SKEP_STR("detail"), text);
    if (p == SKEP_PROBLEM_VALIDATION) {
        skep_json_key(json, SKEP_STR("type_detail"));
        skep_json_array(json);
        skep_json_object(json);
        skep_json_put_str(json, SKEP_STR("field"), field);
        skep_json_put_str(json, SKEP_STR("code"), skep_lang_code_name(code));
        skep_json_put_str(json, SKEP_STR("description"), text);
        skep_json_end(json);
        skep_json_end(json);
    }
    skep_json_end(json);
}

static void send_problem(struct skep_request *req, enum skep_api__problem p, int status,
                         skep_str field, enum skep_lang_code code, skep_str text)
{
    struct skep_buf buf;
    struct skep_json json;
    struct skep_response resp = {.status = status,
                                 .content_type = SKEP_STR("application/problem+json"),
                                 .retry_after_s = status == 503 || status == 429 ? 1 : 0};
    rate_headers(&resp);
    skep_buf_init(&buf, 64 << 10);
    skep_json_init(&json, &buf);
    write_problem(&json, p, status, field, code, text);
    skep_respond_buf(req, &resp, &buf);
    skep_buf_done(&buf);
}

void skep_api__hny_fail(struct skep_api__job *job, enum skep_api__problem p, skep_str field,
                        enum skep_lang_code code, skep_str text)
{
    send_problem(skep_api__job_instead(job), p, problems[p].status, field, code, text);
}

static enum skep_api__problem problem_of(int status)
{
    for (unsigned i = 0; i < SKEP_ARRAY_LEN(problems); i++)
        if (problems[i].status == status)
            return (enum skep_api__problem)i;
    return SKEP_PROBLEM_INTERNAL;
}

void skep_api__hny_fail_rc(struct skep_api__job *job, skep_rc rc, const skep_err *err)
{
    int status = skep_rc_info(skep_api__job_rc(job, rc))->http;
    send_problem(skep_api__job_instead(job), problem_of(status), status, SKEP_STR_NULL,
                 SKEP_LANG_INVALID, skep_str_c(err->text));
}

void skep_api__hny_fail_issue(struct skep_api__job *job, const struct skep_lang_issue *issue)
{
    bool parsed = issue->rc != SKEP_EMALFORMED;
    skep_api__hny_fail(job, parsed ? SKEP_PROBLEM_VALIDATION : SKEP_PROBLEM_UNPARSEABLE,
                       skep_str_c(issue->field), issue->code, skep_str_c(issue->text));
}

/* Their API answers a key that may not with {"error": text} alone. */
static void send_denial(struct skep_request *req, int status, skep_str text)
{
    struct skep_buf buf;
    struct skep_json json;
    struct skep_response resp = {.status = status, .content_type = SKEP_STR("application/json")};
    skep_buf_init(&buf, 64 << 10);
    skep_json_init(&json, &buf);
    skep_json_object(&json);
    skep_json_put_str(&json, SKEP_STR("error"), text);
    skep_json_end(&json);
    skep_respond_buf(req, &resp, &buf);
    skep_buf_done(&buf);
}

void skep_api__hny_refuse(void *ctx, struct skep_request *req, int http_status, skep_rc rc,
                          skep_str message)
{
    (void)ctx;
    (void)rc;
    if (req->denial.why != SKEP_DENIED_NO && req->denial.why != SKEP_DENIED_RATE) {
        send_denial(req, http_status, message);
        return;
    }
    send_problem(req, problem_of(http_status), http_status, SKEP_STR_NULL, SKEP_LANG_INVALID,
                 message);
}

static int by_slug(const void *a, const void *b)
{
    const struct skep_api__dataset *x = a, *y = b;
    int order = skep_str_cmp(x->slug, y->slug);
    return order ? order : skep_str_cmp(x->name, y->name);
}

static const struct skep_state_dataset *known(const struct skep_state_dataset *list, size_t n,
                                              skep_str slug)
{
    for (size_t i = 0; i < n; i++)
        if (skep_str_eq(list[i].slug, slug))
            return &list[i];
    return NULL;
}

/* Datasets with rows, then those that were only created. */
static size_t merge(struct skep_arena *arena, const struct skep_datasets *stored,
                    const struct skep_state_dataset *made, size_t n_made,
                    struct skep_api__dataset *all)
{
    size_t n = 0;
    for (size_t i = 0; i < stored->n; i++) {
        const struct skep_dataset_info *d = &stored->datasets[i];
        skep_str slug = skep_state_slug(arena, d->name);
        const struct skep_state_dataset *k = known(made, n_made, slug);
        all[n++] = (struct skep_api__dataset){.name = d->name,
                                              .slug = slug,
                                              .description = k ? k->description : SKEP_STR_NULL,
                                              .created_ns = k ? k->created_ns : d->first_ns,
                                              .last_ns = d->last_ns};
    }
    size_t n_stored = n;
    for (size_t i = 0; i < n_made; i++) {
        bool has_rows = false;
        for (size_t k = 0; k < n_stored && !has_rows; k++)
            has_rows = skep_str_eq(all[k].slug, made[i].slug);
        if (!has_rows)
            all[n++] = (struct skep_api__dataset){.name = made[i].name,
                                                  .slug = made[i].slug,
                                                  .description = made[i].description,
                                                  .created_ns = made[i].created_ns};
    }
    return n;
}

skep_rc skep_api__datasets(struct skep_api *api, const struct skep_run_opts *opts,
                           struct skep_api__dataset **ret, size_t *ret_n, skep_err *err)
{
    const struct skep_plan plan = {.kind = SKEP_PLAN_DATASETS, .range = {0, INT64_MAX}};
    struct skep_answer a = {0};
    struct skep_state_dataset *made = NULL;
    size_t n_made = 0;
    SKEP_TRY(skep_query_run(api->cfg.store, &plan, opts, &a, err));
    SKEP_TRY(skep_state_list_datasets(api->cfg.state, opts->environment, opts->arena, &made,
                                      &n_made, err));
    *ret = skep_new_n(opts->arena, struct skep_api__dataset, a.datasets.n + n_made + 1);
    *ret_n = merge(opts->arena, &a.datasets, made, n_made, *ret);
    qsort(*ret, *ret_n, sizeof **ret, by_slug);
    return SKEP_OK;
}

skep_rc skep_api__dataset_of(struct skep_api *api, const struct skep_run_opts *opts, skep_str slug,
                             struct skep_api__dataset *ret, skep_err *err)
{
    struct skep_api__dataset *all;
    size_t n;
    *ret = (struct skep_api__dataset){.slug = slug};
    if (skep_str_eq(slug, SKEP_STR("__all__")))
        return SKEP_OK;
    SKEP_TRY(skep_api__datasets(api, opts, &all, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (skep_str_eq(all[i].slug, slug) || skep_str_ieq(all[i].name, slug)) {
            *ret = all[i];
            return SKEP_OK;
        }
    }
    return skep_fail(err, SKEP_ENOTFOUND, "Dataset not found");
}

skep_rc skep_api__hny_lang(struct skep_api *api, const struct skep_run_opts *opts,
                           const struct skep_api__dataset *d, struct skep_lang_opts *ret,
                           skep_err *err)
{
    *ret = (struct skep_lang_opts){.now_ns = skep_api__now(api), .dataset = d->name};
    return skep_api__derived(api, opts, ret, err);
}

bool skep_api__hny_datasets(struct skep_api__job *job, struct skep_api__dataset **ret,
                            size_t *ret_n)
{
    skep_err err;
    skep_rc rc = skep_api__datasets(job->api, &job->opts, ret, ret_n, &err);
    if (rc != SKEP_OK)
        skep_api__hny_fail_rc(job, rc, &err);
    return rc == SKEP_OK;
}

bool skep_api__hny_dataset(struct skep_api__job *job, bool with_all, struct skep_api__dataset *ret)
{
    skep_err err;
    skep_str slug = skep_request_capture(job->req, 0);
    skep_rc rc = !with_all && skep_str_eq(slug, SKEP_STR("__all__"))
                     ? skep_fail(&err, SKEP_ENOTFOUND, "Dataset not found")
                     : skep_api__dataset_of(job->api, &job->opts, slug, ret, &err);
    if (rc != SKEP_OK)
        skep_api__hny_fail_rc(job, rc, &err);
    return rc == SKEP_OK;
}
