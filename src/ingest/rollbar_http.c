// SPDX-License-Identifier: Apache-2.0
/* Rollbar's intake.
 *
 *   POST /api/1/item/         {"data":{...}}, or a form whose field `payload` is that
 *                             -> row -> store -> {"err":0,"result":{"id":null,"uuid":"..."}}
 *   GET  /api/1/status/ping   pong
 *
 * A body that begins with '{' is JSON whatever its type says: the notifier for Ruby says nothing.
 * An item of an environment that has source maps or debug files is decoded on a thread of its own:
 * that may wait for the disk.
 *
 * Errors are {"err":1,"message":"..."}; over a limit the headers say when it ends, and notifiers
 * wait for that.
 *
 * I1  each request is answered exactly once; 200 is sent when the row is on disk.
 * I2  an item whose uuid was seen is answered as the first one, and stored once.
 * I3  `struct pending` lies in the request's arena: nothing touches it after the answer.
 * Threads: handlers on I/O threads, take_item() there or on the mappers', committed() on the
 * committer's. */
#include "ingest/ingest_priv.h"

#include "base/assert.h"
#include "ingest/rollbar.h"
#include "ingest/rollbar_answer.h"
#include "symbols/symbols.h"
#include "wire/json_out.h"

static const size_t item_bytes_max = 4 << 20; /* Rollbar's notifiers cut at 512 KiB */

struct pending {
    struct skep_ingest *in;
    struct skep_request *req;
    struct skep_ledger_key at;
    skep_ts_ns received_ns;
    skep_str uuid;
};

static void answer(struct skep_request *req, struct skep_response *r, struct skep_buf *body)
{
    r->content_type = SKEP_STR("application/json; charset=utf-8");
    skep_respond_buf(req, r, body);
    skep_buf_done(body);
}

static void fail(struct skep_ingest *in, struct skep_request *req, int status, skep_rc rc,
                 skep_str message)
{
    skep_ingest__note(in, req, status, message);
    skep_rollbar_fail(in->cfg.os, req, status, rc, message);
}

static struct skep_ledger_key ledger_at(struct skep_ingest *in, skep_ts_ns received_ns)
{
    (void)in;
    return skep_ingest__at(SKEP_SOURCE_ROLLBAR, SKEP_SIGNAL_LOGS, received_ns);
}

/* Count a request that gave no row, and answer it. */
static void refuse(struct skep_ingest *in, struct skep_request *req, int status, skep_rc rc,
                   skep_str message)
{
    struct skep_ingest__outcome o = {.received = 1};
    struct skep_ledger_key at = ledger_at(in, in->cfg.os->now_ns(in->cfg.os));
    o.rejected[skep_ingest__rejection(rc)] = 1;
    skep_ingest__received(in, at, 1);
    skep_ingest__settled(in, at, &o);
    fail(in, req, status, rc, message);
}

static void succeed(struct pending *p)
{
    struct skep_buf body;
    struct skep_json j;
    struct skep_response r = {.status = 200};
    skep_ingest__note(p->in, p->req, 200, SKEP_STR_NULL);
    skep_buf_init(&body, 1 << 12);
    skep_json_init(&j, &body);
    skep_json_object(&j);
    skep_json_put_u64(&j, SKEP_STR("err"), 0);
    skep_json_key(&j, SKEP_STR("result"));
    skep_json_object(&j);
    skep_json_key(&j, SKEP_STR("id"));
    skep_json_null(&j);
    skep_json_put_str(&j, SKEP_STR("uuid"), p->uuid);
    skep_json_end(&j);
    skep_json_end(&j);
    answer(p->req, &r, &body);
}

static void committed(void *ctx, skep_rc rc, const struct skep_append_result *res,
                      const skep_err *err)
{
    struct pending *p = ctx;
    bool duplicate = rc == SKEP_OK && res->duplicate;
    struct skep_ingest__outcome o = {.received = 1, .carried = rc == SKEP_OK && !duplicate};
    if (rc != SKEP_OK)
        o.rejected[skep_ingest__rejection(rc)] = 1;
    else
        *(duplicate ? &o.duplicate : &o.accepted) = 1;
    skep_ingest__settled(p->in, p->at, &o);
    if (rc != SKEP_OK) {
        fail(p->in, p->req, skep_rc_info(rc)->http, rc,
             skep_str_c(err && err->text[0] ? err->text : skep_rc_info(rc)->text));
        return;
    }
    const struct skep_os *os = p->in->cfg.os;
    skep_histogram_add(&p->in->ack_times, os->now_ns(os) - p->received_ns);
    succeed(p);
}

/* The item's JSON; false: refused already. */
static bool item_of(struct skep_ingest *in, struct skep_request *req, skep_str *ret)
{
    skep_str body = skep_str_trim(skep_bytes_str(req->body));
    *ret = body;
    if (body.n > 0 && body.p[0] == '{')
        return true;
    if (skep_request_form(req, SKEP_STR("payload"), ret))
        return true;
    refuse(in, req, 400, SKEP_EMALFORMED,
           body.n
               ? SKEP_STR("Could not parse JSON: the body is neither an object nor a form with a "
                          "payload")
               : SKEP_STR("Could not parse JSON: the body is empty"));
    return false;
}

/* "203.0.113.9:4711" or "[::1]:4711" without its port. */
static skep_str address_of(skep_str peer)
{
    while (peer.n && peer.p[peer.n - 1] != ':')
        peer.n--;
    peer.n -= peer.n > 0;
    if (peer.n > 1 && peer.p[0] == '[')
        return (skep_str){peer.p + 1, peer.n - 2};
    return peer;
}

static int status_of(skep_rc rc)
{
    return rc == SKEP_EINVAL ? 422 : rc == SKEP_EMALFORMED ? 400 : skep_rc_info(rc)->http;
}

static void take_item(struct skep_ingest *in, struct skep_request *req, skep_str json,
                      struct skep_symbols *symbols)
{
    struct skep_rollbar_report rep;
    const struct skep_rollbar_opts opts = {.environment = req->caller.environment,
                                           .peer_ip = address_of(req->peer),
                                           .scrub = in->cfg.rollbar_scrub,
                                           .n_scrub = in->cfg.n_rollbar_scrub,
                                           .arena = req->arena,
                                           .symbols = symbols};
    struct skep_batch *b = skep_batch_new(in->cfg.budget, in->cfg.os->now_ns(in->cfg.os));
    skep_rc rc = skep_rollbar_decode(json, &opts, b, &rep);
    if (rc != SKEP_OK) {
        skep_batch_free(b);
        refuse(in, req, status_of(rc), rc, rep.error);
        return;
    }
    struct pending *p = skep_new(req->arena, struct pending);
    *p = (struct pending){.in = in,
                          .req = req,
                          .at = ledger_at(in, b->received_ns),
                          .received_ns = b->received_ns,
                          .uuid = rep.uuid};
    skep_ingest__received(in, p->at, 1);
    skep_request_rows(req, 1);
    b->receipt = (struct skep_receipt){
        .source = SKEP_SOURCE_ROLLBAR, .signal = SKEP_SIGNAL_LOGS, .received = 1};
    skep_ingest__occurrences(in, b, symbols);
    skep_store_append(in->cfg.store, b, committed, p);
}

struct mapping {
    struct skep_ingest *in;
    struct skep_request *req;
    skep_str json;
};

static void map_item(void *arg)
{
    const struct mapping m = *(const struct mapping *)arg; /* lies in the request's arena: I3 */
    take_item(m.in, m.req, m.json, m.in->cfg.symbols);
}

static void put_item(void *ctx, struct skep_request *req)
{
    struct skep_ingest *in = ctx;
    skep_str json;
    if (!item_of(in, req, &json))
        return;
    if (!in->mappers || !skep_symbols_any(in->cfg.symbols, req->caller.environment)) {
        take_item(in, req, json, NULL);
        return;
    }
    struct mapping *m = skep_new(req->arena, struct mapping);
    *m = (struct mapping){.in = in, .req = req, .json = json};
    skep_pool_submit(in->mappers, map_item, m);
}

static void ping(void *ctx, struct skep_request *req)
{
    const struct skep_response r = {.status = 200,
                                    .content_type = SKEP_STR("text/plain"),
                                    .body = skep_str_bytes(SKEP_STR("pong"))};
    (void)ctx;
    skep_respond(req, &r);
}

static void refused(void *ctx, struct skep_request *req, int http_status, skep_rc rc,
                    skep_str message)
{
    skep_rollbar_denied(req, SKEP_STR("post_server_item"), &http_status, &message);
    refuse(ctx, req, http_status, rc, message);
}

static const struct skep_route routes[] = {
    {.method = "POST",
     .path = "/api/1/item",
     .handle = put_item,
     .refuse = refused,
     .flags = SKEP_ROUTE_CORS | SKEP_ROUTE_PREFIX_SLASH,
     .body_limit_bytes = item_bytes_max,
     .right = SKEP_RIGHT_INGEST,
     .form = SKEP_FORM_ROLLBAR},
    {.method = "GET", .path = "/api/1/status/ping", .handle = ping, .right = SKEP_RIGHT_PUBLIC},
};

const struct skep_route *skep_ingest_rollbar_routes(size_t *ret_n)
{
    skep_assert(ret_n != NULL);
    *ret_n = SKEP_ARRAY_LEN(routes);
    return routes;
}
