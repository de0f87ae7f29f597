// SPDX-License-Identifier: Apache-2.0
/* POST /skep/v1/export: rows without loss, as JSON lines (docs/formats/rows.md), in any number.
 *
 * The body is that of /rows (its columns, order and limit do not matter here).  Answer: a line a
 * row, oldest first, then {"type":"end",...}: an answer without that line was cut off, and goes on
 * behind the last row with "after".  Time 0 means the beginning, so that rows of before 1970 come
 * too.
 *
 * Threads: a worker.  Memory: a page of rows, the stream's buffer. */
#include "api/api_priv.h"

#include "base/assert.h"
#include "ingest/row_text.h"
#include "query/export.h"

/* Ends of time as callers can write them. */
static const int64_t far_ns = 9200000000ll * 1000000000;

static bool on_row(void *ctx, const struct skep_row *row)
{
    struct skep_api__job *job = ctx;
    skep_json_init(&job->out.json, &job->out.buf);
    skep_row_write(&job->out.json, row);
    skep_buf_u8(&job->out.buf, '\n');
    skep_api__out_check(&job->out);
    return !skep_api__canceled(job);
}

static void end_line(struct skep_api__job *job, const struct skep_export_result *r,
                     const skep_err *failed)
{
    struct skep_json *json = &job->out.json;
    skep_json_init(json, &job->out.buf);
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("type"), failed ? SKEP_STR("error") : SKEP_STR("end"));
    if (failed)
        skep_json_put_str(json, SKEP_STR("error"), skep_str_c(failed->text));
    skep_json_put_u64(json, SKEP_STR("rows"), r->rows);
    skep_json_put_u64(json, SKEP_STR("rows_examined"), r->rows_examined);
    skep_json_put_bool(json, SKEP_STR("complete"), r->complete);
    if (!r->complete)
        skep_json_put_str(json, SKEP_STR("missing"), skep_str_c(r->missing));
    skep_json_end(json);
    skep_buf_u8(&job->out.buf, '\n');
}

static void export_rows(struct skep_api__job *job)
{
    struct skep_lang_opts lang;
    const struct skep_plan *asked = NULL;
    struct skep_export_result r;
    struct skep_lang_issue issue;
    skep_err err;
    if (!skep_api__page_lang(job, &lang))
        return;
    if (skep_lang_rows(job->req->body, &lang, &job->arena, &asked, &issue) != SKEP_OK) {
        skep_api__job_fail_issue(job, &issue);
        return;
    }
    struct skep_plan plan = *asked;
    plan.n_columns = 0;
    if (plan.range.start_ns == 0)
        plan.range.start_ns = INT64_MIN;
    if (plan.range.end_ns >= far_ns)
        plan.range.end_ns = INT64_MAX;
    skep_api__out_begin(job, 200, SKEP_STR("application/x-ndjson"));
    job->opts.also = NULL; /* every row there is */
    skep_rc rc = skep_query_export(job->api->cfg.store, &plan, &job->opts, on_row, job, &r, &err);
    if (rc != SKEP_OK && rc != SKEP_ECANCELED && !job->out.stream && r.rows == 0) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    end_line(job, &r, rc == SKEP_OK ? NULL : &err);
    skep_api__out_end(&job->out);
}

static void handle(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, export_rows);
}

static const struct skep_route routes[] = {
    {.method = "POST",
     .path = "/skep/v1/export",
     .handle = handle,
     .refuse = skep_api__refuse,
     .body_limit_bytes = SKEP_LIMIT_API_BODY_BYTES,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_export = {routes, SKEP_ARRAY_LEN(routes)};
