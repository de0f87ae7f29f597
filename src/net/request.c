// SPDX-License-Identifier: Apache-2.0
/* A request's life between a connection and a handler, the same for HTTP/1.1, HTTP/2 and gRPC.
 *
 *   new -> header* -> open -> body* -> run -> (answered | parked ... wake) -> close
 *                      |        |
 *                      `--------`--> refuse: remembered, written by run in the route's own form
 *
 * Two parties hold it: the transport (one I/O thread) and the handler, which may keep it and answer
 * from any thread.  `phase` decides who continues:
 *
 *   IN_HANDLER --answer--> ANSWERED             run returns true, the transport sends
 *   IN_HANDLER --run ends--> PARKED --answer--> ANSWERED + wake
 *   IN_HANDLER | PARKED --connection lost--> ABANDONED   the answer is dropped
 *
 * I1  each request that was opened is answered exactly once by the handler side.
 * I2  r->answer is written before phase becomes ANSWERED and read by the transport only after.
 * I3  wire and body are given back to the budget when the answer stands, or when the handler says
 *     that it is done with them.
 * Threads: as said above.  Memory: one block and one arena, freed with the last reference. */
#include "net/net_priv.h"

#include <inttypes.h>
#include <poll.h>
#include <time.h>

enum { GONE_LOOK_MS = 10 };

uint64_t skep_net__now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &t); /* the clock exists on every Linux */
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

bool skep_net__peer_gone(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};
    return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL));
}

struct skep_net__req *skep_net__req_new(struct skep_net *net,
                                        const struct skep_net__transport *transport)
{
    struct skep_net__req *r = skep_alloc(struct skep_net__req);
    r->magic = SKEP_NET__REQ_MAGIC;
    atomic_init(&r->refs, 1);
    atomic_init(&r->phase, SKEP_NET__IN_HANDLER);
    atomic_fetch_add_explicit(&net->refs, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&net->in_flight, 1, memory_order_relaxed);
    r->net = net;
    r->transport = transport;
    skep_arena_init(&r->arena, "request", NULL);
    r->pub.arena = &r->arena;
    r->cap_headers = 16;
    r->headers = skep_new_n(&r->arena, struct skep_header, r->cap_headers);
    r->wire.budget = net->cfg.budget;
    r->body.budget = net->cfg.budget;
    r->expect_bytes = SIZE_MAX;
    r->fd = -1;
    return r;
}

void skep_net__req_ref(struct skep_net__req *r)
{
    unsigned old = atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
    skep_assert(old > 0);
}

void skep_net__req_unref(struct skep_net__req *r)
{
    skep_assert(r && r->magic == SKEP_NET__REQ_MAGIC);
    if (atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1)
        return;
    struct skep_net *net = r->net;
    skep_net__intake_done(&r->wire);
    skep_net__intake_done(&r->body);
    skep_free(r->answer.body);
    if (r->answer.stream) { /* never sent: tell the writer */
        skep_net__stream_detach(r->answer.stream);
        skep_net__stream_unref(r->answer.stream);
    }
    skep_arena_done(&r->arena);
    r->magic = 0;
    skep_free(r);
    skep_net__unref(net);
}

skep_rc skep_net__req_header(struct skep_net__req *r, skep_str name, skep_str value)
{
    r->header_bytes += name.n + value.n + 32;
    if (r->n_headers >= SKEP_NET__HEADERS_MAX || r->header_bytes > SKEP_NET__HEADER_LIST_BYTES)
        return SKEP_ELIMIT;
    if (r->n_headers == r->cap_headers) {
        struct skep_header *more = skep_new_n(&r->arena, struct skep_header, SKEP_NET__HEADERS_MAX);
        memcpy(more, r->headers, r->n_headers * sizeof *more);
        r->headers = more;
        r->cap_headers = SKEP_NET__HEADERS_MAX;
    }
    char *p = skep_arena_alloc(&r->arena, name.n + value.n + 2);
    for (size_t i = 0; i < name.n; i++)
        p[i] = (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] + 32 : name.p[i]);
    char *v = p + name.n + 1;
    if (value.n)
        memcpy(v, value.p, value.n);
    r->headers[r->n_headers++] = (struct skep_header){{p, name.n}, {v, value.n}};
    return SKEP_OK;
}

skep_str skep_request_header(const struct skep_request *req, skep_str name)
{
    const struct skep_net__req *r = (const struct skep_net__req *)(const void *)req;
    skep_assert(r->magic == SKEP_NET__REQ_MAGIC);
    for (unsigned i = 0; i < r->n_headers; i++)
        if (skep_str_ieq(r->headers[i].name, name))
            return r->headers[i].value;
    return SKEP_STR("");
}

bool skep_request_header_at(const struct skep_request *req, skep_str name, unsigned i,
                            skep_str *ret)
{
    const struct skep_net__req *r = (const struct skep_net__req *)(const void *)req;
    skep_assert(r->magic == SKEP_NET__REQ_MAGIC);
    for (unsigned k = 0; k < r->n_headers; k++) {
        if (!skep_str_ieq(r->headers[k].name, name) || i-- > 0)
            continue;
        *ret = r->headers[k].value;
        return true;
    }
    return false;
}

bool skep_request_param(struct skep_request *req, skep_str name, skep_str *ret)
{
    struct skep_net__req *r = skep_net__req_of(req);
    return skep_net__query_param(&r->arena, req->query, name, 0, ret);
}

bool skep_request_param_at(struct skep_request *req, skep_str name, unsigned i, skep_str *ret)
{
    struct skep_net__req *r = skep_net__req_of(req);
    return skep_net__query_param(&r->arena, req->query, name, i, ret);
}

bool skep_request_form(struct skep_request *req, skep_str name, skep_str *ret)
{
    struct skep_net__req *r = skep_net__req_of(req);
    return skep_net__query_param(&r->arena, skep_bytes_str(req->body), name, 0, ret);
}

skep_str skep_request_capture(const struct skep_request *req, unsigned i)
{
    const struct skep_net__req *r = (const struct skep_net__req *)(const void *)req;
    skep_assert(r->magic == SKEP_NET__REQ_MAGIC);
    skep_assert(i < r->match.n_captures);
    return r->match.captures[i];
}

void skep_request_body_done(struct skep_request *req)
{
    struct skep_net__req *r = skep_net__req_of(req);
    skep_assert(skep_net__req_phase(r) == SKEP_NET__IN_HANDLER ||
                skep_net__req_phase(r) == SKEP_NET__ABANDONED);
    req->body = (skep_bytes){0};
    skep_net__intake_done(&r->wire);
    skep_net__intake_done(&r->body);
}

bool skep_request_gone(const struct skep_request *req)
{
    struct skep_net__req *r = skep_net__unconst(req);
    skep_assert(r->magic == SKEP_NET__REQ_MAGIC);
    if (atomic_load_explicit(&r->gone, memory_order_relaxed))
        return true;
    if (atomic_load_explicit(&r->phase, memory_order_relaxed) == SKEP_NET__ABANDONED)
        return true;
    uint64_t now = skep_net__now_ms();
    uint64_t last = atomic_load_explicit(&r->looked_ms, memory_order_relaxed);
    if (now - last < GONE_LOOK_MS)
        return false;
    atomic_store_explicit(&r->looked_ms, now, memory_order_relaxed);
    if (!r->transport->gone || !r->transport->gone(r))
        return false;
    atomic_store_explicit(&r->gone, true, memory_order_relaxed);
    return true;
}

void skep_net__req_refuse(struct skep_net__req *r, int status, skep_rc rc, skep_str message)
{
    if (r->action == SKEP_NET__REFUSE)
        return;
    r->action = SKEP_NET__REFUSE;
    r->refuse_status = status;
    r->refuse_rc = rc;
    r->refuse_message = skep_arena_str(&r->arena, message);
    skep_net__intake_done(&r->wire);
}

static void refuse_err(struct skep_net__req *r, skep_rc rc, const skep_err *err)
{
    if (rc == SKEP_ETOOLARGE)
        skep_net__count(r->net, refused_limit, 1);
    else if (rc == SKEP_ENOMEM)
        skep_net__count(r->net, refused_budget, 1);
    else if (rc == SKEP_EUNSUPPORTED || rc == SKEP_EMALFORMED)
        skep_net__count(r->net, refused_encoding, 1);
    skep_net__req_refuse(r, skep_rc_info(rc)->http, rc, skep_str_c(err->text));
}

/* How much of a body is taken: of one whose key is not known less than the route's. */
static size_t body_limit(const struct skep_net__req *r)
{
    bool unknown = r->gate == SKEP_GATE_ASK_BODY;
    return unknown ? SKEP_MIN(r->limit_bytes, (size_t)SKEP_GATE_UNKNOWN_BYTES) : r->limit_bytes;
}

/* Refused where a body may be longer once its key is known. */
static void refuse_unknown(struct skep_net__req *r)
{
    skep_net__count(r->net, refused_limit, 1);
    skep_net__req_refuse(
        r, 413, SKEP_ETOOLARGE,
        skep_arena_printf(&r->arena,
                          "a body of more than %d bytes needs its key in a header, or in its "
                          "first %d bytes as they are sent",
                          SKEP_GATE_UNKNOWN_BYTES, SKEP_GATE_BEGUN_BYTES));
}

bool skep_net__req_body(struct skep_net__req *r, skep_bytes b)
{
    skep_err err = {0};
    skep_net__count(r->net, bytes_in, b.n);
    if (r->action == SKEP_NET__REFUSE)
        return false;
    size_t expect = r->expect_bytes == SIZE_MAX ? 0 : r->expect_bytes, limit = body_limit(r);
    bool begins = r->wire.n < SKEP_GATE_BEGUN_BYTES;
    skep_rc rc = skep_net__intake_put(&r->wire, b, expect, limit, &err);
    if (rc == SKEP_OK && begins && r->wire.n >= SKEP_GATE_BEGUN_BYTES &&
        r->coding == SKEP_NET__IDENTITY)
        skep_net__gate_ask(r, SKEP_GATE_BEGUN);
    if (rc == SKEP_ETOOLARGE && limit < r->limit_bytes)
        refuse_unknown(r);
    else if (rc != SKEP_OK)
        refuse_err(r, rc, &err);
    return r->action != SKEP_NET__REFUSE;
}

static void undo_encoding(struct skep_net__req *r, struct skep_net__inflater *inf)
{
    skep_err err = {0};
    bool raw = (r->match.route->flags & SKEP_ROUTE_RAW_BODY) != 0;
    if (r->pub.proto == SKEP_PROTO_GRPC) {
        skep_net__grpc_receive(r, inf);
        return;
    }
    if (raw || r->coding == SKEP_NET__IDENTITY) {
        r->pub.body = (skep_bytes){r->wire.p, r->wire.n};
        return;
    }
    skep_bytes in = {r->wire.p, r->wire.n};
    size_t limit = body_limit(r);
    skep_rc rc = skep_net__inflate(inf, r->coding, in, limit, &r->body, &err);
    if (rc != SKEP_OK) {
        if (rc == SKEP_ETOOLARGE && limit < r->limit_bytes)
            refuse_unknown(r);
        else
            refuse_err(r, rc, &err);
        return;
    }
    skep_net__intake_done(&r->wire);
    r->pub.body = (skep_bytes){r->body.p, r->body.n};
}

static void plain_refusal(struct skep_net__req *r)
{
    struct skep_response resp = {
        .status = r->refuse_status,
        .content_type = SKEP_STR("text/plain; charset=utf-8"),
        .grpc_message = r->refuse_message,
        .grpc_status = skep_rc_info(r->refuse_rc)->grpc,
    };
    if (skep_rc_info(r->refuse_rc)->retry)
        resp.retry_after_s = 1;
    skep_str text = skep_arena_printf(&r->arena, SKEP_STRFMT "\n", SKEP_STRARG(r->refuse_message));
    if (r->pub.proto != SKEP_PROTO_GRPC)
        resp.body = skep_str_bytes(text);
    skep_respond(&r->pub, &resp);
}

static void call(struct skep_net__req *r)
{
    const struct skep_route *route = r->match.route;
    switch (r->action) {
    case SKEP_NET__HANDLE:
        if (r->net->cfg.watch.begun)
            r->pub.watched = r->net->cfg.watch.begun(r->net->cfg.watch.ctx, &r->pub);
        route->handle(r->match.ctx, &r->pub);
        break;
    case SKEP_NET__PREFLIGHT:
    case SKEP_NET__OPTIONS: skep_net__answer_options(r); break;
    case SKEP_NET__REFUSE:
        if (route && route->refuse)
            route->refuse(r->match.ctx, &r->pub, r->refuse_status, r->refuse_rc, r->refuse_message);
        else
            plain_refusal(r);
        skep_assert(skep_net__req_phase(r) == SKEP_NET__ANSWERED);
        break;
    default: skep_unreachable("action");
    }
}

bool skep_net__req_run(struct skep_net__req *r, struct skep_net__inflater *inf)
{
    if (r->action == SKEP_NET__HANDLE) {
        r->pub.wire_bytes = r->wire.n;
        skep_net__gate_ask(r, SKEP_GATE_WIRE);
    }
    if (r->action == SKEP_NET__HANDLE)
        undo_encoding(r, inf);
    if (r->action == SKEP_NET__HANDLE)
        skep_net__gate_ask(r, SKEP_GATE_BODY);
    skep_assert(r->action != SKEP_NET__HANDLE || r->gate == SKEP_GATE_PASS);
    skep_net__req_ref(r); /* the handler's, given up by its answer */
    call(r);
    return skep_net__req_phase(r) == SKEP_NET__ANSWERED;
}

bool skep_net__req_park(struct skep_net__req *r)
{
    int phase = SKEP_NET__IN_HANDLER;
    if (atomic_compare_exchange_strong(&r->phase, &phase, SKEP_NET__PARKED))
        return true;
    skep_assert(phase == SKEP_NET__ANSWERED);
    return false;
}

bool skep_net__req_abandon(struct skep_net__req *r)
{
    atomic_store_explicit(&r->gone, true, memory_order_relaxed);
    int phase = SKEP_NET__PARKED;
    if (atomic_compare_exchange_strong(&r->phase, &phase, SKEP_NET__ABANDONED))
        return true;
    phase = SKEP_NET__IN_HANDLER;
    return atomic_compare_exchange_strong(&r->phase, &phase, SKEP_NET__ABANDONED);
}

void skep_net__req_close(struct skep_net__req *r)
{
    uint64_t old = atomic_fetch_sub_explicit(&r->net->in_flight, 1, memory_order_relaxed);
    skep_assert(old > 0);
    skep_net__req_unref(r);
}
