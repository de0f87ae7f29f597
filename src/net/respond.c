// SPDX-License-Identifier: Apache-2.0
/* Answers: what a handler says, made ready for the wire in the handler's own thread.
 *
 *   skep_response -> headers (CORS, Retry-After, encoding) + body (gzip, gRPC frame) -> r->answer
 *                 -> phase ANSWERED -> the connection's I/O thread sends it
 *
 * Compression runs here rather than on the I/O thread, so that one large answer does not hold up
 * the other connections of its thread.
 *
 * I1  the request's body is given back before the answer is sent.
 * I2  r is not touched after the handler's reference is dropped.
 * Threads: any.  Memory: texts in the request's arena, the body a block of its own. */
#include "net/net_priv.h"

#include <libdeflate.h>

enum { GZIP_MIN_BYTES = 1024, GZIP_LEVEL = 4 };

/* True if an Accept-Encoding value takes gzip with a weight over 0. */
static bool accepts_gzip(skep_str value)
{
    while (value.p && value.n) {
        skep_str params = skep_str_cut(&value, ',');
        skep_str name = skep_str_trim(skep_str_cut(&params, ';'));
        if (!skep_str_ieq(name, SKEP_STR("gzip")) && !skep_str_ieq(name, SKEP_STR("*")))
            continue;
        skep_str q = skep_str_trim(params.p ? params : SKEP_STR(""));
        double weight = 1;
        if (q.n > 2 && (q.p[0] == 'q' || q.p[0] == 'Q') && q.p[1] == '=')
            if (!skep_str_f64(skep_str_skip(q, 2), &weight))
                weight = 0;
        return weight > 0;
    }
    return false;
}

/* Replace the body by its gzip form if that is smaller. */
static void compress_body(struct skep_net__req *r)
{
    struct skep_net__answer *a = &r->answer;
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(GZIP_LEVEL);
    if (!c)
        return; /* a larger answer is still an answer */
    size_t cap = libdeflate_gzip_compress_bound(c, a->body_n);
    uint8_t *out = skep_malloc(cap);
    size_t n = libdeflate_gzip_compress(c, a->body, a->body_n, out, cap);
    libdeflate_free_compressor(c);
    if (n == 0 || n >= a->body_n) {
        skep_free(out);
        return;
    }
    skep_free(a->body);
    a->body = skep_realloc(out, n);
    a->body_n = n;
    skep_net__answer_add(r, SKEP_STR("content-encoding"), SKEP_STR("gzip"));
}

static bool has_header(const struct skep_response *resp, skep_str name)
{
    for (unsigned i = 0; i < resp->n_headers; i++)
        if (skep_str_ieq(resp->headers[i].name, name))
            return true;
    return false;
}

static void add_headers(struct skep_net__req *r, const struct skep_response *resp)
{
    skep_assert(resp->n_headers <= SKEP_RESPONSE_HEADERS_MAX);
    if (resp->content_type.n)
        skep_net__answer_add(r, SKEP_STR("content-type"), resp->content_type);
    for (unsigned i = 0; i < resp->n_headers; i++)
        skep_net__answer_add(r, resp->headers[i].name, resp->headers[i].value);
    int retry_after_s = SKEP_MAX(resp->retry_after_s, r->pub.denial.retry_after_s);
    if (retry_after_s > 0)
        skep_net__answer_add(r, SKEP_STR("retry-after"),
                             skep_arena_printf(&r->arena, "%d", retry_after_s));
    if (resp->status == 401)
        skep_net__answer_add(r, SKEP_STR("www-authenticate"), SKEP_STR("Bearer realm=\"skep\""));
    if (resp->status == 405 && r->allow.n)
        skep_net__answer_add(r, SKEP_STR("allow"), r->allow);
    if (!has_header(resp, SKEP_STR("x-content-type-options")))
        skep_net__answer_add(r, SKEP_STR("x-content-type-options"), SKEP_STR("nosniff"));
    /* A page, and nothing is served here without TLS: browsers need not try.  It holds for the
     * host's other ports, too, hence only for a day. */
    if (r->pub.tls && !r->net->cfg.tls.allow_plain && r->match.route &&
        (r->match.route->flags & SKEP_ROUTE_NAVIGATE))
        skep_net__answer_add(r, SKEP_STR("strict-transport-security"), SKEP_STR("max-age=86400"));
    skep_net__answer_cors(r);
}

/* Give the request to its transport and drop the handler's reference. */
static void deliver(struct skep_net__req *r)
{
    r->pub.body = (skep_bytes){0};
    skep_net__intake_done(&r->wire);
    skep_net__intake_done(&r->body);
    int before = atomic_load(&r->phase);
    do {
        skep_assert(before != SKEP_NET__ANSWERED);
        if (before == SKEP_NET__ABANDONED)
            break;
    } while (!atomic_compare_exchange_weak(&r->phase, &before, SKEP_NET__ANSWERED));
    if (before == SKEP_NET__PARKED)
        r->transport->wake(r);
    skep_net__req_unref(r);
}

/* Count by class: 2 for 2xx ...; tell the watch. */
static void count_answer(const struct skep_net__req *r, const struct skep_response *resp)
{
    int status = resp->status;
    if (r->pub.proto == SKEP_PROTO_GRPC && resp->grpc_status != 0) {
        /* 2 UNKNOWN, 12 UNIMPLEMENTED, 13 INTERNAL, 14 UNAVAILABLE, 15 DATA_LOSS: the server's. */
        bool ours = resp->grpc_status == 2 || resp->grpc_status >= 12;
        status = ours && resp->grpc_status != 16 ? 500 : 400;
    }
    skep_net__count(r->net, answers[status / 100 % 6], 1);
    if (r->pub.watched)
        r->net->cfg.watch.answered(r->net->cfg.watch.ctx, &r->pub, status);
}

/* takes body: NULL or a block of n bytes */
static void respond(struct skep_net__req *r, const struct skep_response *resp, uint8_t *body,
                    size_t n)
{
    struct skep_net__answer *a = &r->answer;
    skep_assert(a->n_headers == 0 && !a->body && !a->stream);
    count_answer(r, resp);
    if (r->pub.proto == SKEP_PROTO_GRPC) {
        skep_net__grpc_answer(r, resp, (skep_bytes){body, n});
        skep_free(body);
        deliver(r);
        return;
    }
    skep_assert(resp->status >= 200 && resp->status <= 599);
    a->status = resp->status;
    a->body = body;
    a->body_n = n;
    add_headers(r, resp);
    if (resp->compressible) {
        skep_net__answer_add(r, SKEP_STR("vary"), SKEP_STR("Accept-Encoding"));
        skep_str accept = skep_request_header(&r->pub, SKEP_STR("accept-encoding"));
        if (n > GZIP_MIN_BYTES && accepts_gzip(accept))
            compress_body(r);
    }
    deliver(r);
}

void skep_respond(struct skep_request *req, const struct skep_response *resp)
{
    struct skep_net__req *r = skep_net__req_of(req);
    uint8_t *copy = NULL;
    if (resp->body.n) {
        copy = skep_malloc(resp->body.n);
        memcpy(copy, resp->body.p, resp->body.n);
    }
    respond(r, resp, copy, resp->body.n);
}

void skep_respond_buf(struct skep_request *req, const struct skep_response *resp,
                      struct skep_buf *body)
{
    struct skep_net__req *r = skep_net__req_of(req);
    size_t n = 0;
    skep_assert(!body->bad);
    uint8_t *p = skep_buf_take(body, &n);
    respond(r, resp, p, n);
}

struct skep_stream *skep_respond_stream(struct skep_request *req, const struct skep_response *resp)
{
    struct skep_net__req *r = skep_net__req_of(req);
    struct skep_net__answer *a = &r->answer;
    skep_assert(r->pub.proto != SKEP_PROTO_GRPC);
    skep_assert(resp->status >= 200 && resp->status <= 599 && resp->status != 204);
    struct skep_stream *s = skep_net__stream_new();
    count_answer(r, resp);
    a->status = resp->status;
    a->stream = s;
    add_headers(r, resp);
    r->transport->stream(r, s);
    deliver(r);
    return s;
}
