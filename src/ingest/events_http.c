// SPDX-License-Identifier: Apache-2.0
/* Honeycomb's event endpoints (docs/api/honeycomb.md).
 *
 *   POST /1/events/{dataset}   one event   -> 200, empty
 *   POST /1/batch/{dataset}    many        -> 200 [{"status":202},{"status":400,"error":"..."},...]
 *
 * JSON or MessagePack; the answer of a batch is in the form of the request.  Of a batch the good
 * events are stored and the others named; only what concerns all of them fails the request, as
 * {"error": text}.
 *
 * I1  each request is answered exactly once; 202 and 200 are sent when the rows are on disk.
 * I2  `struct skep_events__pending` lies in the request's arena: nothing touches it after the
 * answer. Threads: handlers on I/O threads, committed() on the committer's. */
#include "ingest/events_http.h"

#include "base/assert.h"
#include "ingest/faults.h"
#include "wire/json_in.h"
#include "wire/json_out.h"
#include "wire/msgpack.h"

enum { STATUS_BYTES = 96 };                    /* of an event in the answer */
static const size_t body_bytes_max = 32 << 20; /* Honeycomb's clients cut at 5 MB */

// --- refusals ----------------------------------------------------------------------------------

static skep_str words_of(const struct skep_request *req, int status, skep_str message)
{
    switch (req->denial.why) {
    case SKEP_DENIED_MALFORMED:
    case SKEP_DENIED_UNKNOWN: return SKEP_STR("unknown API key - check your credentials");
    case SKEP_DENIED_RATE: return SKEP_STR("Request dropped due to rate limiting.");
    case SKEP_DENIED_NO: break;
    case SKEP_DENIED_MISSING:
    case SKEP_DENIED_REVOKED:
    case SKEP_DENIED_EXPIRED:
    case SKEP_DENIED_SIGNATURE:
    case SKEP_DENIED_CLOCK:
    case SKEP_DENIED_RIGHT:
    case SKEP_DENIED_ENVIRONMENT:
    case SKEP_DENIED_NO_ENVIRONMENT:
    case SKEP_DENIED_COUNT:
    default: return message;
    }
    bool own = skep_str_starts(message, SKEP_STR("Request "));
    return status == 413 && !own ? SKEP_STR("Request body is too large.") : message;
}

static void put_error(struct skep_ingest *in, struct skep_request *req, struct skep_json *j,
                      skep_str message)
{
    (void)in;
    (void)req;
    skep_json_put_str(j, SKEP_STR("error"), message);
}

/* What fails is said by a member, or a few, of an object. */
static void fail(struct skep_ingest *in, struct skep_request *req, skep_events__error_fn *put,
                 int status, skep_rc rc, skep_str message)
{
    struct skep_buf body;
    struct skep_json j;
    struct skep_response r = {.status = status, .content_type = SKEP_STR("application/json")};
    if (skep_rc_info(rc)->retry && req->denial.why == SKEP_DENIED_NO)
        r.retry_after_s = rc == SKEP_ENOSPC ? 60 : 2;
    skep_ingest__note(in, req, status, message);
    skep_buf_init(&body, 1 << 16);
    skep_json_init(&j, &body);
    skep_json_object(&j);
    put(in, req, &j, message);
    skep_json_end(&j);
    skep_respond_buf(req, &r, &body);
    skep_buf_done(&body);
}

static struct skep_ledger_key ledger_at(skep_ts_ns received_ns)
{
    return skep_ingest__at(SKEP_SOURCE_EVENTS, SKEP_SIGNAL_LOGS, received_ns);
}

/* Events that gave no row. */
static void count_refused(struct skep_ingest *in, skep_ts_ns at_ns, enum skep_rejection why,
                          uint64_t n)
{
    struct skep_ledger_key at = ledger_at(at_ns);
    struct skep_ingest__outcome o = {.received = n};
    if (n == 0)
        return;
    o.rejected[why] = n;
    skep_ingest__received(in, at, n);
    skep_ingest__settled(in, at, &o);
}

void skep_events__refuse(struct skep_ingest *in, struct skep_request *req,
                         skep_events__error_fn *put, int status, skep_rc rc, skep_str message)
{
    count_refused(in, in->cfg.os->now_ns(in->cfg.os), skep_ingest__rejection(rc), 1);
    fail(in, req, put, status, rc, words_of(req, status, message));
}

static void refused(void *ctx, struct skep_request *req, int http_status, skep_rc rc,
                    skep_str message)
{
    skep_events__refuse(ctx, req, put_error, http_status, rc, message);
}

bool skep_events__charge(struct skep_events__pending *p, uint64_t n)
{
    struct skep_budget *budget = p->in->cfg.budget;
    if (budget && skep_budget_take(budget, n, NULL) != SKEP_OK)
        return false;
    p->charged += budget ? n : 0;
    return true;
}

/* I2: before the answer. */
static void discharge(struct skep_events__pending *p)
{
    if (p->charged)
        skep_budget_give(p->in->cfg.budget, p->charged);
    p->charged = 0;
}

static void succeed(struct skep_events__pending *p)
{
    skep_ingest__note(p->in, p->req, 200, SKEP_STR_NULL);
    discharge(p);
    p->answer(p);
}

// --- a request's rows --------------------------------------------------------------------------

static void committed(void *ctx, skep_rc rc, const struct skep_append_result *res,
                      const skep_err *err)
{
    struct skep_events__pending *p = ctx;
    const struct skep_os *os = p->in->cfg.os;
    skep_ingest__settled_mixture(p->in, &p->mixture, rc, rc == SKEP_OK && res->duplicate);
    if (rc != SKEP_OK) {
        discharge(p);
        fail(p->in, p->req, p->error, skep_rc_info(rc)->http, rc,
             skep_str_c(err && err->text[0] ? err->text : skep_rc_info(rc)->text));
        return;
    }
    skep_histogram_add(&p->in->ack_times, os->now_ns(os) - p->received_ns);
    succeed(p);
}

struct skep_events__pending *skep_events__pending_new(struct skep_ingest *in,
                                                      struct skep_request *req,
                                                      skep_events__answer_fn *answer,
                                                      skep_events__error_fn *error)
{
    struct skep_events__pending *p = skep_new(req->arena, struct skep_events__pending);
    *p = (struct skep_events__pending){.in = in,
                                       .req = req,
                                       .answer = answer,
                                       .error = error,
                                       .received_ns = in->cfg.os->now_ns(in->cfg.os)};
    return p;
}

struct skep_batch *skep_events__batch(struct skep_events__pending *p)
{
    return skep_batch_new(p->in->cfg.budget, p->received_ns);
}

void skep_events__append(struct skep_events__pending *p, struct skep_batch *b,
                         struct skep_events_dec *d)
{
    bool timed;
    skep_rc rc = skep_events_done(d, &timed);
    uint32_t good = b->n_rows;
    skep_request_rows(p->req, good + p->refused);
    if (rc != SKEP_OK || good == 0) {
        skep_batch_free(b);
        count_refused(p->in, p->received_ns, SKEP_REJECTION_MALFORMED, p->refused);
        if (rc == SKEP_OK) {
            succeed(p);
            return;
        }
        count_refused(p->in, p->received_ns, skep_ingest__rejection(rc), good);
        discharge(p);
        fail(p->in, p->req, p->error, skep_rc_info(rc)->http, rc,
             rc == SKEP_ETOOLARGE ? SKEP_STR("Dataset has too many columns.")
                                  : skep_str_c(skep_rc_info(rc)->text));
        return;
    }
    count_refused(p->in, p->received_ns, SKEP_REJECTION_MALFORMED, p->refused);
    skep_batch_environment(b, p->req->caller.environment);
    if (timed)
        skep_batch_identity(b, true);
    skep_ingest__occurrences(p->in, b, NULL);
    skep_ingest__mixture_of(b, &p->mixture);
    skep_ingest__received_mixture(p->in, &p->mixture);
    skep_store_append(p->in->cfg.store, b, committed, p);
}

// --- reading -----------------------------------------------------------------------------------

static bool is_msgpack(const struct skep_request *req)
{
    return skep_str_eq(req->content_type, SKEP_STR("application/msgpack")) ||
           skep_str_eq(req->content_type, SKEP_STR("application/x-msgpack"));
}

bool skep_events__body(struct skep_events__pending *p, const yyjson_alc *alc, yyjson_doc **ret)
{
    skep_err err;
    skep_rc rc;
    if (p->req->body.n == 0) {
        skep_events__refuse(p->in, p->req, p->error, 400, SKEP_EMALFORMED,
                            SKEP_STR("Request body should not be empty."));
        return false;
    }
    p->msgpack = is_msgpack(p->req);
    rc = skep_events_read(p->req->body, p->msgpack, alc, ret, &err);
    if (rc == SKEP_OK)
        return true;
    skep_str text =
        rc == SKEP_EMALFORMED
            ? skep_arena_printf(p->req->arena, "Request body is malformed and cannot be read. (%s)",
                                err.text)
            : skep_str_c(err.text);
    skep_events__refuse(p->in, p->req, p->error, skep_rc_info(rc)->http, rc, text);
    return false;
}

struct skep_events_opts skep_events__opts(const struct skep_events__pending *p)
{
    skep_str dataset = skep_request_capture(p->req, 0);
    return (struct skep_events_opts){
        .dataset = dataset,
        .expand_depth =
            skep_events__depth(p->in, p->req->arena, p->req->caller.environment, dataset)};
}

// --- one event ---------------------------------------------------------------------------------

static void answer_event(struct skep_events__pending *p)
{
    if (p->refused) {
        fail(p->in, p->req, p->error, 400, SKEP_EMALFORMED, skep_events_why(p->first_why));
        return;
    }
    const struct skep_response r = {.status = 200, .content_type = SKEP_STR("application/json")};
    skep_respond(p->req, &r);
}

static void put_event(void *ctx, struct skep_request *req)
{
    struct skep_events__pending *p = skep_events__pending_new(ctx, req, answer_event, put_error);
    const yyjson_alc alc = skep_json_alc(p->in->cfg.budget);
    yyjson_doc *doc = NULL;
    if (!skep_events__body(p, &alc, &doc))
        return;
    const struct skep_events_opts opts = skep_events__opts(p);
    const struct skep_events_one one = {
        .time = skep_request_header(req, SKEP_STR("x-honeycomb-event-time")),
        .rate = skep_events_rate(skep_request_header(req, SKEP_STR("x-honeycomb-samplerate"))),
        .data = yyjson_doc_get_root(doc)};
    struct skep_batch *b = skep_events__batch(p);
    struct skep_events_dec *d = skep_events_begin(b, &opts);
    p->first_why = skep_events_add(d, &one);
    p->refused = p->first_why != SKEP_EVENTS_TAKEN;
    yyjson_doc_free(doc);
    skep_events__append(p, b, d);
}

// --- batches -----------------------------------------------------------------------------------

static void json_statuses(const struct skep_events__pending *p, struct skep_buf *body)
{
    struct skep_json j;
    skep_json_init(&j, body);
    skep_json_array(&j);
    for (size_t i = 0; i < p->n; i++) {
        enum skep_events_status s = p->statuses[i];
        skep_json_object(&j);
        skep_json_put_u64(&j, SKEP_STR("status"), skep_events__http(s));
        if (s != SKEP_EVENTS_TAKEN)
            skep_json_put_str(&j, SKEP_STR("error"), skep_events_why(s));
        skep_json_end(&j);
    }
    skep_json_end(&j);
}

static void msgpack_statuses(const struct skep_events__pending *p, struct skep_buf *body)
{
    skep_msgpack_array(body, (uint32_t)p->n);
    for (size_t i = 0; i < p->n; i++) {
        enum skep_events_status s = p->statuses[i];
        skep_msgpack_map(body, s == SKEP_EVENTS_TAKEN ? 1 : 2);
        skep_msgpack_str(body, SKEP_STR("status"));
        skep_msgpack_u64(body, skep_events__http(s));
        if (s == SKEP_EVENTS_TAKEN)
            continue;
        skep_msgpack_str(body, SKEP_STR("error"));
        skep_msgpack_str(body, skep_events_why(s));
    }
}

unsigned skep_events__http(enum skep_events_status s)
{
    return s == SKEP_EVENTS_TAKEN ? 202 : s == SKEP_EVENTS_FULL ? 429 : 400;
}

static void answer_batch(struct skep_events__pending *p)
{
    struct skep_buf body;
    struct skep_response r = {.status = 200,
                              .content_type = p->msgpack ? SKEP_STR("application/msgpack")
                                                         : SKEP_STR("application/json")};
    skep_buf_init(&body, p->n * STATUS_BYTES + 64);
    if (p->msgpack)
        msgpack_statuses(p, &body);
    else
        json_statuses(p, &body);
    skep_assert(!body.bad);
    skep_respond_buf(p->req, &r, &body);
    skep_buf_done(&body);
}

static void put_items(struct skep_events__pending *p, yyjson_val *items, struct skep_events_dec *d)
{
    yyjson_val *item;
    size_t i, max;
    p->n = yyjson_arr_size(items);
    p->statuses = skep_new_n(p->req->arena, uint8_t, p->n + 1);
    yyjson_arr_foreach(items, i, max, item)
    {
        struct skep_events_one one;
        skep_events_item(item, &one);
        p->statuses[i] = (uint8_t)skep_events_add(d, &one);
        p->refused += p->statuses[i] != SKEP_EVENTS_TAKEN;
    }
}

static void put_batch(void *ctx, struct skep_request *req)
{
    struct skep_events__pending *p = skep_events__pending_new(ctx, req, answer_batch, put_error);
    const yyjson_alc alc = skep_json_alc(p->in->cfg.budget);
    yyjson_doc *doc = NULL;
    if (!skep_events__body(p, &alc, &doc))
        return;
    if (!yyjson_is_arr(yyjson_doc_get_root(doc))) {
        yyjson_doc_free(doc);
        skep_events__refuse(p->in, req, p->error, 400, SKEP_EMALFORMED,
                            SKEP_STR("Request body is malformed and cannot be read. (not an array "
                                     "of events)"));
        return;
    }
    size_t n = yyjson_arr_size(yyjson_doc_get_root(doc));
    if (n > SKEP_EVENTS_MAX || !skep_events__charge(p, n * STATUS_BYTES)) {
        bool many = n > SKEP_EVENTS_MAX;
        yyjson_doc_free(doc);
        skep_events__refuse(p->in, req, p->error, many ? 413 : 503,
                            many ? SKEP_ETOOLARGE : SKEP_ENOMEM,
                            many ? SKEP_STR("Request body is too large. (more than 250,000 events)")
                                 : SKEP_STR("no memory for the request"));
        return;
    }
    const struct skep_events_opts opts = skep_events__opts(p);
    struct skep_batch *b = skep_events__batch(p);
    struct skep_events_dec *d = skep_events_begin(b, &opts);
    put_items(p, yyjson_doc_get_root(doc), d);
    yyjson_doc_free(doc);
    skep_events__append(p, b, d);
}

#define ROUTE(at, fn, no)                                                                          \
    {                                                                                              \
        .method = "POST", .path = (at), .handle = (fn), .refuse = (no),                            \
        .flags = SKEP_ROUTE_CORS | SKEP_ROUTE_PREFIX_SLASH, .body_limit_bytes = body_bytes_max,    \
        .right = SKEP_RIGHT_INGEST, .form = SKEP_FORM_HONEYCOMB                                    \
    }
static const struct skep_route routes[] = {
    ROUTE("/1/events/:dataset", put_event, refused),
    ROUTE("/1/batch/:dataset", put_batch, refused),
    ROUTE("/1/kinesis_events/:dataset", skep_events__put_kinesis, skep_events__kinesis_refused),
};

const struct skep_route *skep_ingest_events_routes(size_t *ret_n)
{
    skep_assert(ret_n != NULL);
    *ret_n = SKEP_ARRAY_LEN(routes);
    return routes;
}
