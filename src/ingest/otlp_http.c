// SPDX-License-Identifier: Apache-2.0
/* OTLP over HTTP and gRPC: request -> batch -> store -> answer.
 *
 *   I/O thread                                committer's thread
 *   handle: body -> batch, append  ........>  committed: answer
 *
 *   form           request                        answer
 *   PROTOBUF       application/x-protobuf         Export*ServiceResponse | google.rpc.Status
 *   JSON           application/json               the same as JSON
 *   GRPC           a gRPC message                 the same; errors in grpc-status and its details
 *
 * A 2xx is sent from the store's callback alone, when the rows are on disk.  Only a request without
 * rows is answered at once.
 *
 * I1  each request is answered exactly once, and noted in the ring and the ledger before that.
 * I2  `struct pending` lies in the request's arena: nothing touches it after the answer.
 * Threads: handlers on I/O threads, committed() on the committer's. */
#include "ingest/ingest_priv.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "ingest/otlp.h"

enum form { PROTOBUF, JSON, GRPC, TEXT };

#define UNSUPPORTED_TYPE                                                                           \
    "unsupported content-type, valid types are: application/protobuf, application/x-protobuf, "    \
    "application/json"

/* A request between decoding and answer. */
struct pending {
    struct skep_ingest *in;
    struct skep_request *req;
    enum skep_otlp_signal signal;
    enum form form;
    struct skep_otlp_report rep;
    struct skep_ledger_key at; /* where it is counted */
    skep_ts_ns received_ns;
};

static enum form form_of(const struct skep_request *req)
{
    if (req->proto == SKEP_PROTO_GRPC)
        return GRPC;
    if (skep_str_eq(req->content_type, SKEP_STR("application/x-protobuf")) ||
        skep_str_eq(req->content_type, SKEP_STR("application/protobuf")))
        return PROTOBUF;
    return skep_str_eq(req->content_type, SKEP_STR("application/json")) ? JSON : TEXT;
}

/* Seconds after which a retry may find things better; 0 = none is worth it. */
static int retry_after_s(skep_rc rc)
{
    if (!skep_rc_info(rc)->retry)
        return 0;
    if (rc == SKEP_ENOSPC)
        return 60;
    return rc == SKEP_EIO || rc == SKEP_ECLOSED ? 10 : 2;
}

// --- errors ------------------------------------------------------------------------------------

/* Answer with an error in the form of the request. */
static void respond_error(struct skep_ingest *in, struct skep_request *req, int http_status,
                          skep_rc rc, skep_str message)
{
    const struct skep_rc_info *info = skep_rc_info(rc);
    enum form form = form_of(req);
    struct skep_buf body;
    struct skep_otlp_status status = {.code = info->grpc, .message = message};
    struct skep_response resp = {.status = http_status, .retry_after_s = retry_after_s(rc)};
    skep_buf_init(&body, 4096);
    status.retry_after_s = resp.retry_after_s;
    if (info->grpc == 3)
        status.bad_field = SKEP_STR("body");
    switch (form) {
    case GRPC:
        resp.status = 200;
        resp.content_type = SKEP_STR("application/grpc");
        resp.grpc_status = info->grpc;
        resp.grpc_message = message;
        skep_otlp_status_pb(&body, &status);
        resp.grpc_details = skep_buf_bytes(&body);
        break;
    case PROTOBUF:
        resp.content_type = req->content_type;
        skep_otlp_status_pb(&body, &status);
        resp.body = skep_buf_bytes(&body);
        break;
    case JSON:
        resp.content_type = req->content_type;
        skep_otlp_status_json(&body, &status);
        resp.body = skep_buf_bytes(&body);
        break;
    case TEXT:
        resp.content_type = SKEP_STR("text/plain");
        resp.body = skep_str_bytes(message);
        break;
    }
    skep_ingest__note(in, req, http_status, message);
    skep_respond(req, &resp);
    skep_buf_done(&body);
}

/* Count a request that was not read, or none of which was stored, and answer it. */
static void refuse(struct skep_ingest *in, struct skep_request *req, enum skep_otlp_signal signal,
                   skep_rc rc, int http_status, skep_str message)
{
    struct skep_ingest__outcome o = {.received = 1};
    o.rejected[skep_ingest__rejection(rc)] = 1;
    struct skep_ledger_key at =
        skep_ingest__at(SKEP_SOURCE_OTLP, (enum skep_signal)signal, in->cfg.os->now_ns(in->cfg.os));
    skep_ingest__received(in, at, 1);
    skep_ingest__settled(in, at, &o);
    respond_error(in, req, http_status, rc, message);
}

// --- success -----------------------------------------------------------------------------------

static const enum skep_rejection rejection_of[SKEP_OTLP_REJECT_COUNT] = {
    [SKEP_OTLP_REJECT_BAD_TRACE_ID] = SKEP_REJECTION_BAD_TRACE_ID,
    [SKEP_OTLP_REJECT_BAD_SPAN_ID] = SKEP_REJECTION_BAD_SPAN_ID,
    [SKEP_OTLP_REJECT_BAD_PARENT_ID] = SKEP_REJECTION_BAD_PARENT_ID,
    [SKEP_OTLP_REJECT_TOO_MANY_ROWS] = SKEP_REJECTION_TOO_MANY_ROWS,
    [SKEP_OTLP_REJECT_VALUE_TOO_LARGE] = SKEP_REJECTION_VALUE_TOO_LARGE,
    [SKEP_OTLP_REJECT_NOT_STORED] = SKEP_REJECTION_METRICS_NOT_STORED,
};

/* "2 of 10 spans rejected (bad_trace_id 2), first: ..." */
static skep_str partial_message(const struct skep_otlp_report *rep, uint64_t rejected, char *text,
                                size_t cap)
{
    int n = snprintf(text, cap, "%" PRIu64 " of %" PRIu64 " rejected (", rejected, rep->received);
    size_t at = (size_t)n;
    const char *comma = "";
    for (unsigned r = 0; r < SKEP_OTLP_REJECT_COUNT; r++) {
        if (!rep->rejected[r])
            continue;
        skep_str name = skep_otlp_reject_name((enum skep_otlp_reject)r);
        n = snprintf(text + at, cap - at, "%s" SKEP_STRFMT " %" PRIu64, comma, SKEP_STRARG(name),
                     rep->rejected[r]);
        at += (size_t)n;
        comma = ", ";
    }
    n = snprintf(text + at, cap - at, "); %s", rep->message);
    return (skep_str){text, SKEP_MIN(at + (size_t)n, cap - 1)};
}

static void respond_success(struct pending *p)
{
    char text[640];
    skep_str message = SKEP_STR_NULL;
    struct skep_buf body;
    struct skep_response resp = {.status = 200, .content_type = p->req->content_type};
    uint64_t rejected = p->rep.received - p->rep.accepted;
    if (rejected)
        message = partial_message(&p->rep, rejected, text, sizeof text);
    skep_buf_init(&body, 8192);
    if (p->form == JSON)
        skep_otlp_response_json(&body, p->signal, rejected, message);
    else
        skep_otlp_response_pb(&body, rejected, message);
    if (p->form == GRPC)
        resp.content_type = SKEP_STR("application/grpc");
    skep_assert(!body.bad);
    resp.body = skep_buf_bytes(&body);
    skep_ingest__note(p->in, p->req, 200, message);
    skep_respond(p->req, &resp);
    skep_buf_done(&body);
}

/* What the report says of spans that were refused one by one. */
static struct skep_ingest__outcome outcome_of(const struct skep_otlp_report *rep)
{
    struct skep_ingest__outcome o = {.received = rep->received};
    for (unsigned r = 0; r < SKEP_OTLP_REJECT_COUNT; r++)
        o.rejected[rejection_of[r]] += rep->rejected[r];
    return o;
}

/* The store's answer. */
static void committed(void *ctx, skep_rc rc, const struct skep_append_result *res,
                      const skep_err *err)
{
    struct pending *p = ctx;
    if (rc == SKEP_OK) {
        struct skep_ingest__outcome o = outcome_of(&p->rep);
        o.carried = !res->duplicate;
        *(o.carried ? &o.accepted : &o.duplicate) = p->rep.accepted;
        skep_ingest__settled(p->in, p->at, &o);
        const struct skep_os *os = p->in->cfg.os;
        skep_histogram_add(&p->in->ack_times, os->now_ns(os) - p->received_ns);
        respond_success(p);
        return;
    }
    struct skep_ingest__outcome o = {.received = p->rep.received};
    o.rejected[skep_ingest__rejection(rc)] = p->rep.received;
    skep_ingest__settled(p->in, p->at, &o);
    skep_str message = skep_str_c(err && err->text[0] ? err->text : skep_rc_info(rc)->text);
    respond_error(p->in, p->req, skep_rc_info(rc)->http, rc, message);
}

// --- requests ----------------------------------------------------------------------------------

static skep_rc decode(struct pending *p, struct skep_batch *b, skep_err *err)
{
    const struct skep_otlp_opts opts = {
        .dataset = skep_request_header(p->req, SKEP_STR("x-honeycomb-dataset"))};
    if (p->form == JSON)
        return skep_otlp_decode_json(p->signal, p->req->body, b, &opts, &p->rep, err);
    return skep_otlp_decode_pb(p->signal, p->req->body, b, &opts, &p->rep, err);
}

/* What goes with the rows; a request is at most 64 MiB, so its counts fit. */
static struct skep_receipt receipt_of(const struct pending *p)
{
    struct skep_receipt r = {.source = p->at.source, .signal = p->at.signal};
    struct skep_ingest__outcome o = outcome_of(&p->rep);
    skep_assert(o.received <= UINT32_MAX);
    r.received = (uint32_t)o.received;
    for (unsigned i = 0; i < SKEP_REJECTION_COUNT; i++)
        r.rejected[i] = (uint32_t)o.rejected[i];
    return r;
}

static void handle(struct skep_ingest *in, struct skep_request *req, enum skep_otlp_signal signal)
{
    skep_err err = {.text = ""};
    enum form form = form_of(req);
    if (form == TEXT) {
        refuse(in, req, signal, SKEP_EUNSUPPORTED, 415, SKEP_STR(UNSUPPORTED_TYPE));
        return;
    }
    struct pending *p = skep_new(req->arena, struct pending);
    *p = (struct pending){.in = in, .req = req, .signal = signal, .form = form};
    struct skep_batch *b = skep_batch_new(in->cfg.budget, in->cfg.os->now_ns(in->cfg.os));
    skep_rc rc = decode(p, b, &err);
    if (rc != SKEP_OK) {
        skep_batch_free(b);
        refuse(in, req, signal, rc, skep_rc_info(rc)->http, skep_str_c(err.text));
        return;
    }
    skep_request_body_done(req); /* the batch has it all */
    p->received_ns = b->received_ns;
    p->at = skep_ingest__at(SKEP_SOURCE_OTLP, (enum skep_signal)signal, b->received_ns);
    skep_ingest__received(in, p->at, p->rep.received);
    skep_request_rows(req, p->rep.accepted);
    if (b->n_rows == 0) {
        struct skep_ingest__outcome o = outcome_of(&p->rep);
        skep_batch_free(b);
        skep_ingest__settled(in, p->at, &o);
        respond_success(p);
        return;
    }
    b->receipt = receipt_of(p);
    skep_batch_environment(b, req->caller.environment);
    skep_batch_identity(b, p->rep.logs_have_time);
    skep_ingest__append(in, b, committed, p);
}

static void handle_traces(void *ctx, struct skep_request *req)
{
    handle(ctx, req, SKEP_OTLP_TRACES);
}

static void handle_logs(void *ctx, struct skep_request *req)
{
    handle(ctx, req, SKEP_OTLP_LOGS);
}

static void handle_metrics(void *ctx, struct skep_request *req)
{
    handle(ctx, req, SKEP_OTLP_METRICS);
}

/* What net refuses (too large, bad encoding, no memory ...): the same forms. */
static void refuse_traces(void *ctx, struct skep_request *req, int http_status, skep_rc rc,
                          skep_str message)
{
    refuse(ctx, req, SKEP_OTLP_TRACES, rc, http_status, message);
}

static void refuse_logs(void *ctx, struct skep_request *req, int http_status, skep_rc rc,
                        skep_str message)
{
    refuse(ctx, req, SKEP_OTLP_LOGS, rc, http_status, message);
}

static void refuse_metrics(void *ctx, struct skep_request *req, int http_status, skep_rc rc,
                           skep_str message)
{
    refuse(ctx, req, SKEP_OTLP_METRICS, rc, http_status, message);
}

#define SERVICE(signal, name) "/opentelemetry.proto.collector." signal ".v1." name "/Export"
#define HTTP_FLAGS            (SKEP_ROUTE_CORS | SKEP_ROUTE_PREFIX_SLASH)
/* Forms: Honeycomb's header, a bearer token, and AWS' signature, which X-Ray's own OTLP endpoint
 * takes. */
#define ROUTE(path_, signal_, flags_)                                                              \
    {                                                                                              \
        .method = "POST", .path = (path_), .handle = handle_##signal_, .refuse = refuse_##signal_, \
        .flags = (flags_), .right = SKEP_RIGHT_INGEST,                                             \
        .form = SKEP_FORM_HONEYCOMB | SKEP_FORM_BEARER | SKEP_FORM_SIGV4                           \
    }

static const struct skep_route routes[] = {
    ROUTE("/v1/traces", traces, HTTP_FLAGS),
    ROUTE("/v1/logs", logs, HTTP_FLAGS),
    ROUTE("/v1/metrics", metrics, HTTP_FLAGS),
    ROUTE(SERVICE("trace", "TraceService"), traces, SKEP_ROUTE_GRPC),
    ROUTE(SERVICE("logs", "LogsService"), logs, SKEP_ROUTE_GRPC),
    ROUTE(SERVICE("metrics", "MetricsService"), metrics, SKEP_ROUTE_GRPC),
};

const struct skep_route *skep_ingest_otlp_routes(size_t *ret_n)
{
    skep_assert(ret_n != NULL);
    *ret_n = SKEP_ARRAY_LEN(routes);
    return routes;
}
