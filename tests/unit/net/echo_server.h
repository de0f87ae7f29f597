// SPDX-License-Identifier: Apache-2.0
/* A small server for the tests of src/net and for measuring it: routes that answer at once, later
 * from another thread, as a stream, or never. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/budget.h"
#include "net/net.h"

struct echo {
    struct skep_net *net;
    struct skep_budget budget;
    pthread_mutex_t mu;
    pthread_cond_t more;
    struct skep_request *jobs[4096];
    unsigned n_jobs;
    bool quit;
    pthread_t thread;
    _Atomic unsigned n_gone, n_refused, n_stream_closed, n_never;
    struct skep_request *never; /* kept unanswered until echo_stop */
    pthread_t stream_threads[64];
    _Atomic unsigned n_stream_threads;
    char address[64];
    unsigned port;
};

static inline void echo_text(struct skep_request *req, int status, const char *text)
{
    struct skep_response resp = {.status = status,
                                 .content_type = SKEP_STR("text/plain"),
                                 .body = skep_str_bytes(skep_str_c(text))};
    skep_respond(req, &resp);
}

static inline void echo_hello(void *ctx, struct skep_request *req)
{
    (void)ctx;
    echo_text(req, 200, "Hello, world\n");
}

static inline void echo_body(void *ctx, struct skep_request *req)
{
    struct skep_response resp = {
        .status = 200, .content_type = req->content_type, .body = req->body, .compressible = true};
    char wire[32];
    (void)ctx;
    (void)snprintf(wire, sizeof wire, "%zu", req->wire_bytes);
    resp.headers[resp.n_headers++] = (struct skep_header){SKEP_STR("X-Wire"), skep_str_c(wire)};
    skep_respond(req, &resp);
}

static inline void echo_sink(void *ctx, struct skep_request *req)
{
    char text[64];
    (void)ctx;
    (void)snprintf(text, sizeof text, "%zu\n", req->body.n);
    skep_request_rows(req, req->body.n);
    echo_text(req, 200, text);
}

/* Takes the body and lets go of it: "bytes of it, bytes that requests hold then". */
static inline void echo_taken(void *ctx, struct skep_request *req)
{
    struct echo *e = ctx;
    char text[64];
    size_t n = req->body.n;
    skep_request_body_done(req);
    (void)snprintf(text, sizeof text, "%zu, %llu\n", n,
                   (unsigned long long)skep_budget_used(&e->budget));
    echo_text(req, 200, text);
}

/* "path|query|capture0|capture1|param q|peer?" */
static inline void echo_describe(void *ctx, struct skep_request *req)
{
    skep_str q = SKEP_STR("-");
    (void)ctx;
    if (!skep_request_param(req, SKEP_STR("q"), &q))
        q = SKEP_STR("-");
    skep_str c0 = SKEP_STR("");
    if (strchr(req->route->path, ':') || strchr(req->route->path, '*'))
        c0 = skep_request_capture(req, 0);
    skep_str s = skep_arena_printf(
        req->arena,
        "%s|" SKEP_STRFMT "|" SKEP_STRFMT "|" SKEP_STRFMT "|" SKEP_STRFMT "|" SKEP_STRFMT,
        req->route->path, SKEP_STRARG(req->path), SKEP_STRARG(req->query), SKEP_STRARG(c0),
        SKEP_STRARG(q), SKEP_STRARG(req->content_type));
    struct skep_buf b;
    skep_buf_init(&b, 1 << 16);
    skep_buf_str(&b, s);
    struct skep_response resp = {.status = 200, .content_type = SKEP_STR("text/plain")};
    skep_respond_buf(req, &resp, &b);
    skep_buf_done(&b);
}

static inline void echo_later(void *ctx, struct skep_request *req)
{
    struct echo *e = ctx;
    pthread_mutex_lock(&e->mu);
    e->jobs[e->n_jobs++] = req;
    pthread_cond_signal(&e->more);
    pthread_mutex_unlock(&e->mu);
}

static inline void echo_never(void *ctx, struct skep_request *req)
{
    struct echo *e = ctx;
    e->never = req;
    atomic_fetch_add(&e->n_never, 1);
}

static inline void *echo_stream_main(void *arg)
{
    struct skep_stream *s = arg;
    char line[1000];
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    for (int i = 0; i < 8000; i++) {
        (void)snprintf(line, 9, "%08d", i);
        line[8] = 'x';
        if (skep_stream_write(s, (skep_bytes){(uint8_t *)line, sizeof line}) != SKEP_OK)
            break;
    }
    skep_stream_end(s);
    return NULL;
}

struct echo_tail {
    struct echo *e;
    struct skep_stream *s;
};

/* Writes one line, then only looks whether the client is still there. */
static inline void *echo_tail_main(void *arg)
{
    struct echo_tail *t = arg;
    if (skep_stream_write(t->s, skep_str_bytes(SKEP_STR("first\n"))) == SKEP_OK)
        while (!skep_stream_closed(t->s))
            usleep(2000);
    atomic_fetch_add(&t->e->n_stream_closed, 1);
    skep_stream_end(t->s);
    free(t);
    return NULL;
}

static inline void echo_stream(void *ctx, struct skep_request *req)
{
    struct echo *e = ctx;
    struct skep_response resp = {.status = 200, .content_type = SKEP_STR("text/plain")};
    bool tail = skep_str_eq(req->path, SKEP_STR("/tail"));
    struct skep_stream *s = skep_respond_stream(req, &resp);
    unsigned i = atomic_fetch_add(&e->n_stream_threads, 1);
    void *arg = s;
    if (tail) {
        struct echo_tail *t = malloc(sizeof *t);
        *t = (struct echo_tail){e, s};
        arg = t;
    }
    pthread_create(&e->stream_threads[i], NULL, tail ? echo_tail_main : echo_stream_main, arg);
}

static inline void echo_refuse(void *ctx, struct skep_request *req, int http_status, skep_rc rc,
                               skep_str message)
{
    struct echo *e = ctx;
    atomic_fetch_add(&e->n_refused, 1);
    skep_str s = skep_arena_printf(req->arena, "{\"refused\":\"%s\",\"why\":\"" SKEP_STRFMT "\"}",
                                   skep_rc_info(rc)->name, SKEP_STRARG(message));
    struct skep_response resp = {.status = http_status,
                                 .content_type = SKEP_STR("application/json"),
                                 .body = skep_str_bytes(s),
                                 .grpc_status = skep_rc_info(rc)->grpc,
                                 .grpc_message = message,
                                 .retry_after_s = skep_rc_info(rc)->retry ? 3 : 0};
    skep_respond(req, &resp);
}

static inline void *echo_later_main(void *arg)
{
    struct echo *e = arg;
    pthread_mutex_lock(&e->mu);
    while (!e->quit) {
        if (e->n_jobs == 0) {
            pthread_cond_wait(&e->more, &e->mu);
            continue;
        }
        struct skep_request *req = e->jobs[--e->n_jobs];
        pthread_mutex_unlock(&e->mu);
        skep_str wait = SKEP_STR("");
        if (skep_request_param(req, SKEP_STR("ms"), &wait)) {
            uint64_t ms = 0;
            if (skep_str_u64(wait, &ms))
                for (uint64_t i = 0; i < ms && !skep_request_gone(req); i++)
                    usleep(1000);
        }
        if (skep_request_gone(req))
            atomic_fetch_add(&e->n_gone, 1);
        if (req->body.n)
            echo_body(NULL, req);
        else
            echo_text(req, 200, "later\n");
        pthread_mutex_lock(&e->mu);
    }
    pthread_mutex_unlock(&e->mu);
    return NULL;
}

static const struct skep_route echo_routes[] = {
    {.method = "GET", .path = "/", .handle = echo_hello},
    {.method = "POST", .path = "/echo", .handle = echo_body, .refuse = echo_refuse},
    {.method = "POST",
     .path = "/small",
     .handle = echo_body,
     .refuse = echo_refuse,
     .body_limit_bytes = 1000},
    {.method = "POST", .path = "/raw", .handle = echo_body, .flags = SKEP_ROUTE_RAW_BODY},
    {.method = "POST", .path = "/sink", .handle = echo_sink},
    {.method = "POST", .path = "/taken", .handle = echo_taken},
    {.method = "GET", .path = "/later", .handle = echo_later},
    {.method = "POST", .path = "/later", .handle = echo_later, .refuse = echo_refuse},
    {.method = "GET", .path = "/never", .handle = echo_never},
    {.method = "GET", .path = "/stream", .handle = echo_stream},
    {.method = "GET", .path = "/tail", .handle = echo_stream},
    {.method = "GET", .path = "/page", .handle = echo_hello, .flags = SKEP_ROUTE_NAVIGATE},
    {.method = "POST",
     .path = "/v1/traces",
     .handle = echo_body,
     .refuse = echo_refuse,
     .flags = SKEP_ROUTE_CORS | SKEP_ROUTE_PREFIX_SLASH,
     .right = SKEP_RIGHT_INGEST},
    {.method = "GET", .path = "/d/:name", .handle = echo_describe},
    {.method = "GET", .path = "/d/fixed", .handle = echo_describe},
    {.method = "GET", .path = "/files/*", .handle = echo_describe},
    {.method = "POST",
     .path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
     .handle = echo_body,
     .refuse = echo_refuse,
     .flags = SKEP_ROUTE_GRPC},
    {.method = "POST",
     .path = "/test.Later/Call",
     .handle = echo_later,
     .refuse = echo_refuse,
     .flags = SKEP_ROUTE_GRPC,
     .body_limit_bytes = 100000},
};

/* cfg: listen may be NULL = 127.0.0.1:0 */
static inline bool echo_start(struct echo *e, struct skep_net_config cfg, skep_err *err)
{
    static const char *const any[] = {"127.0.0.1:0"};
    memset(e, 0, sizeof *e);
    pthread_mutex_init(&e->mu, NULL);
    pthread_cond_init(&e->more, NULL);
    skep_budget_init(&e->budget, "requests", 256 << 20, NULL);
    if (!cfg.listen) {
        cfg.listen = any;
        cfg.n_listen = 1;
    }
    if (!cfg.budget)
        cfg.budget = &e->budget;
    e->net = skep_net_new(&cfg);
    if (skep_net_routes(e->net, echo_routes, SKEP_ARRAY_LEN(echo_routes), e, err) != SKEP_OK ||
        skep_net_start(e->net, err) != SKEP_OK) {
        skep_net_free(e->net);
        return false;
    }
    skep_str a = skep_net_address(e->net, 0);
    (void)snprintf(e->address, sizeof e->address, SKEP_STRFMT, SKEP_STRARG(a));
    e->port = (unsigned)strtoul(strrchr(e->address, ':') + 1, NULL, 10);
    pthread_create(&e->thread, NULL, echo_later_main, e);
    return true;
}

static inline void echo_stop(struct echo *e, unsigned grace_ms)
{
    skep_net_stop(e->net, grace_ms);
    pthread_mutex_lock(&e->mu);
    e->quit = true;
    pthread_cond_signal(&e->more);
    pthread_mutex_unlock(&e->mu);
    pthread_join(e->thread, NULL);
    for (unsigned i = 0; i < e->n_jobs; i++)
        echo_text(e->jobs[i], 503, "too late");
    if (e->never)
        echo_text(e->never, 200, "at last");
    for (unsigned i = 0; i < atomic_load(&e->n_stream_threads); i++)
        pthread_join(e->stream_threads[i], NULL);
    skep_net_free(e->net);
    pthread_cond_destroy(&e->more);
    pthread_mutex_destroy(&e->mu);
}
