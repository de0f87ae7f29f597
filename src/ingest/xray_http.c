// SPDX-License-Identifier: Apache-2.0
/* PutTraceSegments and PutTelemetryRecords.
 *
 *   POST /TraceSegments     {"TraceSegmentDocuments":["<document>",...]}
 *                           -> rows -> store -> {"UnprocessedTraceSegments":[...]} when on disk
 *   POST /TelemetryRecords  {"TelemetryRecords":[{...}]} -> counters -> {}
 *
 * A retry has the same amz-sdk-invocation-id and body: it stores nothing and gets the first answer.
 * What was not processed is in the answer, whose status stays 200; the answer is made when the
 * documents are read, because nothing that comes later changes it.
 *
 * I1  each request is answered exactly once; 200 is sent when the rows are on disk.
 * I2  `struct pending` lies in the request's arena: nothing touches it after the answer.
 * Threads: handlers on I/O threads, committed() on the committer's. */
#include "ingest/ingest_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <yyjson.h>

#include "aws/aws.h"
#include "base/assert.h"
#include "ingest/xray_in.h"
#include "wire/json_in.h"
#include "wire/json_out.h"

/* AWS's words. */
#define MISSING(member)                                                                            \
    "1 validation error detected: Value null at '" member                                          \
    "' failed to satisfy constraint: Member must not be null"

struct pending {
    struct skep_ingest *in;
    struct skep_request *req;
    struct skep_xray_report rep;
    struct skep_ledger_key at;
    skep_ts_ns received_ns;
};

static int retry_after_s(skep_rc rc)
{
    return !skep_rc_info(rc)->retry ? 0 : rc == SKEP_ENOSPC ? 60 : 2;
}

static void fail(struct skep_ingest *in, struct skep_request *req, int status, skep_rc rc,
                 skep_str message)
{
    const struct skep_aws_failure failure = {
        .error = skep_aws_xray.errors[skep_aws_cause_of(rc, req->denial.why, status)],
        .message = message,
        .retry_after_s = retry_after_s(rc)};
    skep_ingest__note(in, req, failure.error.status, message);
    skep_aws_fail(&skep_aws_xray, req, in->cfg.os, &failure);
}

/* Count a request that was not read, and answer it. */
static void refuse(struct skep_ingest *in, struct skep_request *req, int status, skep_rc rc,
                   skep_str message)
{
    struct skep_ingest__outcome o = {.received = 1};
    o.rejected[skep_ingest__rejection(rc)] = 1;
    struct skep_ledger_key at =
        skep_ingest__at(SKEP_SOURCE_XRAY, SKEP_SIGNAL_TRACES, in->cfg.os->now_ns(in->cfg.os));
    skep_ingest__received(in, at, 1);
    skep_ingest__settled(in, at, &o);
    fail(in, req, status, rc, message);
}

// --- segments ----------------------------------------------------------------------------------

static void put_unprocessed(struct skep_json *j, const struct skep_xray_unprocessed *u)
{
    char text[96];
    (void)snprintf(text, sizeof text, "Invalid %s. ErrorCode: %s%s",
                   u->subsegment ? "subsegment" : "segment", u->code,
                   u->subsegment ? ", Cause: null" : "");
    skep_json_object(j);
    if (u->id.n)
        skep_json_put_str(j, SKEP_STR("Id"), u->id);
    skep_json_put_str(j, SKEP_STR("ErrorCode"), skep_str_c(u->code));
    skep_json_put_str(j, SKEP_STR("Message"), skep_str_c(text));
    skep_json_end(j);
}

static void succeed(struct pending *p)
{
    struct skep_buf body;
    struct skep_json j;
    skep_buf_init(&body, 4 << 20);
    skep_json_init(&j, &body);
    skep_json_object(&j);
    skep_json_key(&j, SKEP_STR("UnprocessedTraceSegments"));
    skep_json_array(&j);
    for (size_t i = 0; i < p->rep.n_unprocessed; i++)
        put_unprocessed(&j, &p->rep.unprocessed[i]);
    skep_json_end(&j);
    skep_json_end(&j);
    skep_assert(!body.bad); // SKEP_XRAY_UNPROCESSED_MAX of known size
    skep_ingest__note(p->in, p->req, 200, skep_str_c(p->rep.message));
    skep_aws_respond(&skep_aws_xray, p->req, p->in->cfg.os, skep_buf_text(&body));
    skep_buf_done(&body);
}

static void committed(void *ctx, skep_rc rc, const struct skep_append_result *res,
                      const skep_err *err)
{
    struct pending *p = ctx;
    skep_ingest__xray_settle(p->in, p->at, &p->rep, rc, rc == SKEP_OK && res->duplicate);
    if (rc != SKEP_OK) {
        fail(p->in, p->req, skep_rc_info(rc)->http, rc,
             skep_str_c(err && err->text[0] ? err->text : skep_rc_info(rc)->text));
        return;
    }
    const struct skep_os *os = p->in->cfg.os;
    skep_histogram_add(&p->in->ack_times, os->now_ns(os) - p->received_ns);
    succeed(p);
}

/* The texts of the list; what is no text becomes one that no document can be read from. */
static size_t texts_of(yyjson_val *list, struct skep_request *req, struct skep_xray_text **ret)
{
    struct skep_xray_text *texts =
        skep_new_n(req->arena, struct skep_xray_text, yyjson_arr_size(list) + 1);
    skep_str peer = req->peer;
    yyjson_val *item;
    size_t i, n;
    while (peer.n && peer.p[peer.n - 1] != ':') // each call has a port of its own
        peer.n--;
    yyjson_arr_foreach(list, i, n, item)
    {
        texts[i].text = (skep_str){yyjson_get_str(item), yyjson_get_len(item)};
        texts[i].sender = skep_hash(skep_str_bytes(peer)) | 1;
    }
    *ret = texts;
    return n;
}

/* NULL: refused already. */
static yyjson_doc *read_body(struct skep_ingest *in, struct skep_request *req)
{
    const yyjson_alc alc = skep_json_alc(in->cfg.budget);
    yyjson_read_err fault;
    char text[96];
    yyjson_doc *doc =
        yyjson_read_opts((char *)(uintptr_t)req->body.p, req->body.n, 0, &alc, &fault);
    if (doc)
        return doc;
    if (fault.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION) {
        refuse(in, req, 503, SKEP_ENOMEM, SKEP_STR("no memory left for this request, try again"));
        return NULL;
    }
    (void)snprintf(text, sizeof text, "JSON: %s, at byte %zu", fault.msg, fault.pos);
    refuse(in, req, 400, SKEP_EMALFORMED, skep_str_c(text));
    return NULL;
}

static skep_rc decode(struct pending *p, yyjson_val *list, struct skep_batch *b, skep_err *err)
{
    struct skep_xray_text *texts;
    size_t n = texts_of(list, p->req, &texts);
    const struct skep_xray_opts opts = {.bind = p->in->xray.bind,
                                        .environment = p->req->caller.environment,
                                        .document_bytes_max = p->in->cfg.xray_document_bytes,
                                        .arena = p->req->arena};
    return skep_xray_decode(texts, n, &opts, b, &p->rep, err);
}

static void put_segments(void *ctx, struct skep_request *req)
{
    struct skep_ingest *in = ctx;
    skep_err err = {.text = ""};
    yyjson_doc *doc = read_body(in, req);
    if (!doc)
        return;
    yyjson_val *list = yyjson_obj_get(yyjson_doc_get_root(doc), "TraceSegmentDocuments");
    if (!yyjson_is_arr(list)) {
        yyjson_doc_free(doc);
        refuse(in, req, 400, SKEP_EINVAL, SKEP_STR(MISSING("traceSegmentDocuments")));
        return;
    }
    struct pending *p = skep_new(req->arena, struct pending);
    *p = (struct pending){.in = in, .req = req};
    struct skep_batch *b = skep_batch_new(in->cfg.budget, in->cfg.os->now_ns(in->cfg.os));
    skep_rc rc = decode(p, list, b, &err);
    yyjson_doc_free(doc);
    if (rc != SKEP_OK) {
        skep_batch_free(b);
        refuse(in, req, skep_rc_info(rc)->http, rc, skep_str_c(err.text));
        return;
    }
    p->received_ns = b->received_ns;
    p->at = skep_ingest__at(SKEP_SOURCE_XRAY, SKEP_SIGNAL_TRACES, b->received_ns);
    skep_ingest__received(in, p->at, p->rep.received);
    skep_request_rows(req, b->n_rows);
    if (b->n_rows == 0) {
        skep_batch_free(b);
        skep_ingest__xray_settle(in, p->at, &p->rep, SKEP_OK, true);
        succeed(p);
        return;
    }
    b->receipt = skep_ingest__xray_receipt(&p->rep);
    (void)skep_aws_identity(req, b->identity); // none: the call is never taken for a retry
    skep_ingest__append(in, b, committed, p);
}

// --- telemetry ---------------------------------------------------------------------------------

static uint64_t number(yyjson_val *obj, const char *key)
{
    yyjson_val *v = yyjson_obj_get(obj, key);
    return yyjson_is_uint(v) ? SKEP_MIN(yyjson_get_uint(v), (uint64_t)UINT32_MAX) : 0;
}

static void put_telemetry(void *ctx, struct skep_request *req)
{
    static const char *const causes[] = {"TimeoutCount",     "ConnectionRefusedCount",
                                         "HTTPCode4XXCount", "HTTPCode5XXCount",
                                         "UnknownHostCount", "OtherCount"};
    struct skep_ingest *in = ctx;
    struct skep_xray_daemons sum = {0};
    yyjson_val *record;
    size_t i, n;
    yyjson_doc *doc = read_body(in, req);
    if (!doc)
        return;
    yyjson_val *root = yyjson_doc_get_root(doc), *list = yyjson_obj_get(root, "TelemetryRecords");
    bool ok = yyjson_is_arr(list);
    yyjson_arr_foreach(list, i, n, record)
    {
        yyjson_val *errors = yyjson_obj_get(record, "BackendConnectionErrors");
        sum.records++;
        sum.received += number(record, "SegmentsReceivedCount");
        sum.sent += number(record, "SegmentsSentCount");
        sum.spilled += number(record, "SegmentsSpilloverCount");
        sum.rejected += number(record, "SegmentsRejectedCount");
        for (size_t c = 0; c < SKEP_ARRAY_LEN(causes); c++)
            sum.backend_errors += number(errors, causes[c]);
    }
    skep_ingest__xray_daemons(in, &sum,
                              (skep_str){yyjson_get_str(yyjson_obj_get(root, "Hostname")),
                                         yyjson_get_len(yyjson_obj_get(root, "Hostname"))});
    yyjson_doc_free(doc);
    if (!ok) {
        fail(in, req, 400, SKEP_EINVAL, SKEP_STR(MISSING("telemetryRecords")));
        return;
    }
    skep_ingest__note(in, req, 200, SKEP_STR_NULL);
    skep_aws_respond(&skep_aws_xray, req, in->cfg.os, SKEP_STR("{}"));
}

static void refused(void *ctx, struct skep_request *req, int http_status, skep_rc rc,
                    skep_str message)
{
    refuse(ctx, req, http_status, rc, message);
}

static void refused_telemetry(void *ctx, struct skep_request *req, int http_status, skep_rc rc,
                              skep_str message)
{
    fail(ctx, req, http_status, rc, message);
}

static const struct skep_route routes[] = {
    {.method = "POST",
     .path = "/TraceSegments",
     .handle = put_segments,
     .refuse = refused,
     .right = SKEP_RIGHT_INGEST,
     .form = SKEP_FORM_SIGV4},
    {.method = "POST",
     .path = "/TelemetryRecords",
     .handle = put_telemetry,
     .refuse = refused_telemetry,
     .body_limit_bytes = 1 << 20,
     .right = SKEP_RIGHT_INGEST,
     .form = SKEP_FORM_SIGV4},
};

const struct skep_route *skep_ingest_xray_routes(size_t *ret_n)
{
    skep_assert(ret_n != NULL);
    *ret_n = SKEP_ARRAY_LEN(routes);
    return routes;
}
