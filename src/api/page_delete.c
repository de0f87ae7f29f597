// SPDX-License-Identifier: Apache-2.0
/* POST /skep/v1/delete: rows that a question selects stop being there, at once and for good.
 *
 * The body is that of /rows (columns, order, limit and after are not in it) with `confirm`: absent
 * = only count them; a number = delete them if they are still so many; true = delete them however
 * many they are.  A time range must be said: a question without one deletes nothing by mistake.
 *
 * Threads: a worker.  Memory: the question's budget. */
#include <inttypes.h>

#include "api/keys.h"
#include "base/assert.h"

/* Ends of time as callers can write them. */
static const int64_t far_ns = 9200000000ll * 1000000000;

static void write_answer(struct skep_api__job *job, bool deleted, uint64_t rows, int64_t elapsed_ns)
{
    struct skep_json *json = &job->out.json;
    skep_api__json_begin(job, 200);
    skep_json_object(json);
    skep_json_put_bool(json, SKEP_STR("deleted"), deleted);
    skep_json_put_u64(json, SKEP_STR("rows"), rows);
    skep_json_put_f64(json, SKEP_STR("elapsed_ms"), (double)elapsed_ns / 1e6);
    skep_json_end(json);
    skep_api__out_end(&job->out);
}

static void delete_rows(struct skep_api__job *job)
{
    const struct skep_os *os = job->api->cfg.os;
    struct skep_lang_opts lang;
    const struct skep_plan *asked = NULL;
    struct skep_lang_confirm confirm;
    struct skep_lang_issue issue;
    skep_err err = {.text = ""};
    if (!skep_api__page_lang(job, &lang))
        return;
    if (skep_lang_delete(job->req->body, &lang, &job->arena, &asked, &confirm, &issue) != SKEP_OK) {
        skep_api__job_fail_issue(job, &issue);
        return;
    }
    struct skep_plan plan = *asked;
    if (plan.range.start_ns == 0)
        plan.range.start_ns = INT64_MIN;
    if (plan.range.end_ns >= far_ns)
        plan.range.end_ns = INT64_MAX;
    struct skep_delete_opts opts = {.run = job->opts,
                                    .dry_run = confirm.how == SKEP_CONFIRM_NO,
                                    .has_expected = confirm.how == SKEP_CONFIRM_ROWS,
                                    .expected = confirm.rows};
    int64_t begin = os->mono_ns(os);
    uint64_t rows = 0;
    skep_rc rc = skep_store_delete(job->api->cfg.store, &plan, &opts, &rows, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    if (!opts.dry_run)
        skep_api__audit(job, "rows.delete",
                        skep_arena_printf(&job->arena,
                                          "%" PRIu64 " rows of " SKEP_STRFMT ": " SKEP_STRFMT, rows,
                                          SKEP_STRARG(job->req->caller.environment),
                                          SKEP_STRARG(skep_bytes_str(job->req->body))));
    write_answer(job, !opts.dry_run, rows, os->mono_ns(os) - begin);
}

static void handle(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, delete_rows);
}

static const struct skep_route routes[] = {
    {.method = "POST",
     .path = "/skep/v1/delete",
     .handle = handle,
     .refuse = skep_api__refuse,
     .body_limit_bytes = SKEP_LIMIT_API_BODY_BYTES,
     .right = SKEP_RIGHT_ADMIN,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_delete = {routes, SKEP_ARRAY_LEN(routes)};
