// SPDX-License-Identifier: Apache-2.0
/* PutLogEvents of CloudWatch Logs.
 *
 *   POST /  X-Amz-Target: Logs_20140328.PutLogEvents
 *     -> read (logs_read.c) -> are group and stream there? -> judge times -> rows -> store
 *     -> {"nextSequenceToken":"...","rejectedLogEventsInfo":{...}} when on disk
 *
 * Of events that are too old, too new or past their group's retention the answer tells the indexes;
 * the others are stored and the status is 200.  A retry (the same amz-sdk-invocation-id and body)
 * stores nothing and gets its answer again.
 *
 * I1  each request is answered exactly once; 200 is sent when the rows are on disk.
 * I2  `struct pending` lies in the request's arena: nothing touches it after the answer.
 * I3  from the moment the group is found until the rows are visible, a delete of it waits.
 * Threads: handlers on I/O threads, committed() on the committer's. */
#include "ingest/ingest_priv.h"

#include <inttypes.h>
#include <stdio.h>

#include "aws/aws.h"
#include "base/assert.h"
#include "ingest/logs.h"
#include "state/logs.h"

struct pending {
    struct skep_ingest *in;
    struct skep_request *req;
    struct skep_ledger_key at;
    struct skep_logs_put put;
    struct skep_logs_judged judged;
    struct skep_state_log_hold hold;
    bool holds;
    skep_ts_ns received_ns;
};

// --- answers -----------------------------------------------------------------------------------

static int retry_after_s(skep_rc rc)
{
    return !skep_rc_info(rc)->retry ? 0 : rc == SKEP_ENOSPC ? 60 : 2;
}

static void let_go(struct pending *p)
{
    if (p->holds)
        skep_state_log_put_end(p->in->cfg.state, &p->hold); /* I3 */
    p->holds = false;
    yyjson_doc_free(p->put.doc);
    p->put.doc = NULL;
}

static void fail(struct skep_ingest *in, struct skep_request *req, int status, skep_rc rc,
                 skep_str message)
{
    const struct skep_aws_failure failure = {
        .error = skep_aws_logs.errors[skep_aws_cause_of(rc, req->denial.why, status)],
        .message = message,
        .retry_after_s = retry_after_s(rc)};
    skep_ingest__note(in, req, failure.error.status, message);
    skep_aws_fail(&skep_aws_logs, req, in->cfg.os, &failure);
}

static void put_rejected(const struct pending *p, struct skep_json *j)
{
    const struct skep_logs_judged *g = &p->judged;
    if (g->too_old_end == 0 && g->expired_end == 0 && g->too_new_start == p->put.n)
        return; /* watchtower takes its mere presence for a failure */
    skep_json_key(j, SKEP_STR("rejectedLogEventsInfo"));
    skep_json_object(j);
    if (g->too_new_start < p->put.n)
        skep_json_put_u64(j, SKEP_STR("tooNewLogEventStartIndex"), g->too_new_start);
    if (g->too_old_end)
        skep_json_put_u64(j, SKEP_STR("tooOldLogEventEndIndex"), g->too_old_end);
    if (g->expired_end)
        skep_json_put_u64(j, SKEP_STR("expiredLogEventEndIndex"), g->expired_end);
    skep_json_end(j);
}

/* token    what the next sequence token is made of: nobody asks for it, clients keep it */
static void succeed(struct pending *p, uint64_t token)
{
    char digits[64];
    struct skep_buf body;
    struct skep_json j;
    (void)snprintf(digits, sizeof digits, "%056" PRIu64, token);
    skep_buf_init(&body, 4096);
    skep_json_init(&j, &body);
    skep_json_object(&j);
    skep_json_put_str(&j, SKEP_STR("nextSequenceToken"), skep_str_c(digits));
    put_rejected(p, &j);
    if (p->put.bad_entity) {
        skep_json_key(&j, SKEP_STR("rejectedEntityInfo"));
        skep_json_object(&j);
        skep_json_put_str(&j, SKEP_STR("errorType"), skep_str_c(p->put.bad_entity));
        skep_json_end(&j);
    }
    skep_json_end(&j);
    skep_assert(!body.bad);
    skep_ingest__note(p->in, p->req, 200, SKEP_STR_NULL);
    skep_aws_respond(&skep_aws_logs, p->req, p->in->cfg.os, skep_buf_text(&body));
    skep_buf_done(&body);
}

// --- counts ------------------------------------------------------------------------------------

/* Events that were not taken for their time. */
static uint64_t rejected_by_time(const struct pending *p, uint32_t rejected[SKEP_REJECTION_COUNT])
{
    const struct skep_logs_judged *g = &p->judged;
    uint64_t expired = g->expired_end ? g->expired_end - g->too_old_end : 0;
    rejected[SKEP_REJECTION_TOO_OLD] = (uint32_t)g->too_old_end;
    rejected[SKEP_REJECTION_PAST_RETENTION] = (uint32_t)expired;
    rejected[SKEP_REJECTION_TOO_NEW] = (uint32_t)(p->put.n - g->too_new_start);
    return g->too_old_end + expired + (p->put.n - g->too_new_start);
}

static void settle(const struct pending *p, skep_rc rc, bool duplicate)
{
    uint32_t by_time[SKEP_REJECTION_COUNT] = {0};
    struct skep_ingest__outcome o = {.received = p->put.n, .carried = rc == SKEP_OK && !duplicate};
    uint64_t taken = p->put.n - rejected_by_time(p, by_time);
    if (rc != SKEP_OK)
        o.rejected[skep_ingest__rejection(rc)] = p->put.n;
    else
        *(duplicate ? &o.duplicate : &o.accepted) = taken;
    for (unsigned r = 0; rc == SKEP_OK && r < SKEP_REJECTION_COUNT; r++)
        o.rejected[r] += by_time[r];
    skep_ingest__settled(p->in, p->at, &o);
}

/* Count a request of which nothing was taken, and answer it. */
static void refuse(struct pending *p, enum skep_rejection why, int status, skep_rc rc,
                   skep_str message)
{
    struct skep_ingest__outcome o = {.received = SKEP_MAX(p->put.n, (size_t)1)};
    o.rejected[why] = o.received;
    skep_ingest__received(p->in, p->at, o.received);
    skep_ingest__settled(p->in, p->at, &o);
    let_go(p);
    fail(p->in, p->req, status, rc, message);
}

static void refuse_rc(struct pending *p, skep_rc rc, const skep_err *err)
{
    enum skep_rejection why =
        rc == SKEP_EINVAL ? SKEP_REJECTION_MALFORMED : skep_ingest__rejection(rc);
    refuse(p, why, skep_rc_info(rc)->http, rc, skep_str_c(err->text));
}

// --- the way of a request ----------------------------------------------------------------------

static void committed(void *ctx, skep_rc rc, const struct skep_append_result *res,
                      const skep_err *err)
{
    struct pending *p = ctx;
    settle(p, rc, rc == SKEP_OK && res->duplicate);
    let_go(p);
    if (rc != SKEP_OK) {
        fail(p->in, p->req, skep_rc_info(rc)->http, rc,
             skep_str_c(err && err->text[0] ? err->text : skep_rc_info(rc)->text));
        return;
    }
    const struct skep_os *os = p->in->cfg.os;
    skep_histogram_add(&p->in->ack_times, os->now_ns(os) - p->received_ns);
    succeed(p, res->seq);
}

static struct skep_receipt receipt_of(const struct pending *p)
{
    struct skep_receipt r = {
        .source = SKEP_SOURCE_LOGS, .signal = SKEP_SIGNAL_LOGS, .received = (uint32_t)p->put.n};
    (void)rejected_by_time(p, r.rejected);
    return r;
}

/* False: it has been refused. */
static bool find_stream(struct pending *p)
{
    enum skep_state_log_place place = skep_state_log_put_begin(
        p->in->cfg.state, p->req->caller.environment, p->put.group, p->put.stream, &p->hold);
    p->holds = place == SKEP_STATE_LOG_FOUND;
    if (p->holds)
        return true;
    refuse(p, SKEP_REJECTION_NO_STREAM, 404, SKEP_ENOTFOUND,
           place == SKEP_STATE_LOG_NO_GROUP ? SKEP_STR("The specified log group does not exist.")
                                            : SKEP_STR("The specified log stream does not exist."));
    return false;
}

static void store(struct pending *p)
{
    skep_err err = {.text = ""};
    struct skep_batch *b = skep_batch_new(p->in->cfg.budget, p->received_ns);
    skep_rc rc = skep_logs_rows(&p->put, p->judged.first, p->judged.end, b, &err);
    if (rc != SKEP_OK) {
        skep_batch_free(b);
        refuse_rc(p, rc, &err);
        return;
    }
    skep_ingest__received(p->in, p->at, p->put.n);
    skep_request_rows(p->req, b->n_rows);
    if (b->n_rows == 0) {
        skep_batch_free(b);
        settle(p, SKEP_OK, false);
        let_go(p);
        succeed(p, (uint64_t)p->received_ns);
        return;
    }
    skep_batch_environment(b, p->req->caller.environment);
    b->receipt = receipt_of(p);
    (void)skep_aws_identity(p->req, b->identity); // none: the call is never taken for a retry
    skep_ingest__append(p->in, b, committed, p);
}

static void put_log_events(void *ctx, struct skep_request *req)
{
    struct skep_ingest *in = ctx;
    skep_err err = {.text = ""};
    struct pending *p = skep_new(req->arena, struct pending);
    *p = (struct pending){.in = in, .req = req, .received_ns = in->cfg.os->now_ns(in->cfg.os)};
    p->at = skep_ingest__at(SKEP_SOURCE_LOGS, SKEP_SIGNAL_LOGS, p->received_ns);
    skep_rc rc = skep_logs_read(req->body, in->cfg.budget, req->arena, &p->put, &err);
    if (rc != SKEP_OK) {
        refuse_rc(p, rc, &err);
        return;
    }
    if (!find_stream(p))
        return;
    rc = skep_logs_judge(&p->put, p->received_ns, p->hold.retention_days, &p->judged, &err);
    if (rc != SKEP_OK)
        refuse_rc(p, rc, &err);
    else
        store(p);
}

static void refused(void *ctx, struct skep_request *req, int http_status, skep_rc rc,
                    skep_str message)
{
    struct skep_ingest *in = ctx;
    struct pending p = {
        .in = in,
        .req = req,
        .at = skep_ingest__at(SKEP_SOURCE_LOGS, SKEP_SIGNAL_LOGS, in->cfg.os->now_ns(in->cfg.os))};
    refuse(&p, skep_ingest__rejection(rc), http_status, rc, message);
}

enum { BODY_BYTES_MAX = 16 << 20 }; /* a batch of 1 MiB whose every octet is \u00XX, and more */

static const struct skep_route routes[] = {
    {.method = "POST",
     .path = "/",
     .header = "x-amz-target",
     .header_value = "Logs_20140328.PutLogEvents",
     .handle = put_log_events,
     .refuse = refused,
     .body_limit_bytes = BODY_BYTES_MAX,
     .right = SKEP_RIGHT_INGEST,
     .form = SKEP_FORM_SIGV4},
};

const struct skep_route *skep_ingest_logs_routes(size_t *ret_n)
{
    skep_assert(ret_n != NULL);
    *ret_n = SKEP_ARRAY_LEN(routes);
    return routes;
}
