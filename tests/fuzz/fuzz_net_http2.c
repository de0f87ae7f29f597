// SPDX-License-Identifier: Apache-2.0
/* A whole HTTP/2 connection: any bytes a client may send, through nghttp2, the doors, the routes
 * and the handlers, without a socket.  All requests must be closed with the connection and every
 * byte given back to the budget. */
#include <stdint.h>
#include <stdlib.h>

#include "net/http2_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void echo(void *ctx, struct skep_request *req)
{
    struct skep_response resp = {.status = 200, .body = req->body, .compressible = true};
    (void)ctx;
    skep_respond(req, &resp);
}

static struct skep_request *kept;

/* The first one is answered when the connection has gone, others at once. */
static void keep(void *ctx, struct skep_request *req)
{
    if (kept)
        echo(ctx, req);
    else
        kept = req;
}

static const struct skep_route routes[] = {
    {.method = "GET", .path = "/", .handle = echo},
    {.method = "GET", .path = "/a", .handle = keep},
    {.method = "POST", .path = "/a", .handle = echo, .body_limit_bytes = 100},
    {.method = "POST", .path = "/v1/traces", .handle = echo, .flags = SKEP_ROUTE_CORS},
    {.method = "POST",
     .path = "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
     .handle = echo,
     .flags = SKEP_ROUTE_GRPC},
    {.method = "POST",
     .path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
     .handle = keep,
     .flags = SKEP_ROUTE_GRPC},
};

static void drain(struct skep_net__h2_conn *c)
{
    const uint8_t *p;
    size_t total = 0;
    for (ssize_t n; total < 1 << 20 && (n = nghttp2_session_mem_send(c->session, &p)) > 0;)
        total += (size_t)n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct skep_budget budget;
    struct skep_net__worker worker = {.evfd = -1};
    struct skep_net__h2_conn conn = {.worker = &worker, .fd = -1};
    skep_budget_init(&budget, "fuzz", 1 << 20, NULL);
    struct skep_net_config cfg = {.n_threads = 1, .budget = &budget, .body_limit_bytes = 1 << 16};
    worker.net = skep_net_new(&cfg);
    skep_assert(skep_net_routes(worker.net, routes, SKEP_ARRAY_LEN(routes), NULL, NULL) == SKEP_OK);
    kept = NULL;
    skep_assert(skep_net__h2_session_open(&conn));
    for (size_t at = 0; at < size; at += 512) { /* in pieces, so that frames are split */
        size_t n = SKEP_MIN(size - at, (size_t)512);
        if (nghttp2_session_mem_recv(conn.session, data + at, n) < 0)
            break;
        drain(&conn);
    }
    while (conn.streams)
        skep_net__h2_stream_free(conn.streams);
    nghttp2_session_del(conn.session);
    if (kept)
        echo(NULL, kept); /* the client has gone: dropped */
    skep_assert(atomic_load(&worker.net->in_flight) == 0);
    skep_assert(worker.n_parked == 0);
    skep_assert(skep_budget_used(&budget) == 0);
    skep_net__inflater_done(&worker.inflater);
    skep_net_free(worker.net);
    return 0;
}
