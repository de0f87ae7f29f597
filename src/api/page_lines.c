// SPDX-License-Identifier: Apache-2.0
/* Answers in lines (page_lines.h).
 *
 * Threads: a worker begins and fails; progress comes from any of the store's workers, one at a
 * time, while this one waits, so the answer has one writer at a time.  Memory: the caller's. */
#include "api/page_lines.h"

#include "base/assert.h"

static const int64_t progress_every_ns = 100 * 1000000;

static bool canceled(void *ctx)
{
    return skep_api__canceled(((struct skep_api__lines *)ctx)->job);
}

static void progress(void *ctx, uint64_t scanned, uint64_t total)
{
    struct skep_api__lines *lines = ctx;
    struct skep_api__job *job = lines->job;
    int64_t now = job->api->cfg.os->mono_ns(job->api->cfg.os);
    skep_api__progress(job, scanned, total);
    if (lines->plain || now - lines->last_progress_ns < progress_every_ns)
        return;
    lines->last_progress_ns = now;
    struct skep_json *json = &job->out.json;
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("type"), SKEP_STR("progress"));
    skep_json_put_u64(json, SKEP_STR("rows_scanned"), scanned);
    skep_json_put_u64(json, SKEP_STR("rows_total"), total);
    skep_json_end(json);
    skep_buf_u8(&job->out.buf, '\n');
    skep_api__out_flush(&job->out);
}

void skep_api__lines_begin(struct skep_api__lines *lines, struct skep_api__job *job)
{
    skep_str accept = skep_request_header(job->req, SKEP_STR("Accept"));
    skep_assert(lines != NULL);
    *lines = (struct skep_api__lines){
        .job = job,
        .plain = skep_str_find(accept, SKEP_STR("application/json")) != SIZE_MAX &&
                 skep_str_find(accept, SKEP_STR("application/x-ndjson")) == SIZE_MAX,
        .last_progress_ns = job->api->cfg.os->mono_ns(job->api->cfg.os)};
    skep_api__out_begin(
        job, 200, lines->plain ? SKEP_STR("application/json") : SKEP_STR("application/x-ndjson"));
    job->opts.ctx = lines;
    job->opts.canceled = canceled;
    job->opts.progress = progress;
}

void skep_api__lines_failed(struct skep_api__job *job, skep_rc rc, const skep_err *err)
{
    if (!job->out.stream) {
        skep_api__job_fail_rc(job, rc, err);
        return;
    }
    struct skep_json *json = &job->out.json;
    job->failed = true;
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("type"), SKEP_STR("error"));
    skep_json_put_str(json, SKEP_STR("error"), skep_str_c(err->text));
    skep_json_end(json);
    skep_buf_u8(&job->out.buf, '\n');
    skep_api__out_end(&job->out);
}
