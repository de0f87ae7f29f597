// SPDX-License-Identifier: Apache-2.0
/* The gate: asked at the right moments, its refusal in the route's form, nothing without it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "echo_server.h"
#include "h2_client.h"
#include "net/net_priv.h"
#include "raw_client.h"

static struct echo e;
static _Atomic unsigned n_asked[SKEP_GATE_MOMENTS];
static _Atomic uint64_t n_rows;

/* The header "x-key" says what to do: pass, wire:TEXT and body:TEXT must be the body's bytes at
 * that moment, begun:X decides at BEGUN, by the first byte, late = 429, else refused. */
static enum skep_gate_answer ask(void *ctx, struct skep_request *req, enum skep_gate_moment moment,
                                 skep_bytes wire, skep_str *ret_message)
{
    skep_str key = skep_request_header(req, SKEP_STR("x-key"));
    atomic_fetch_add(&n_asked[moment], 1);
    skep_assert(ctx == &e && req->route);
    req->caller = (struct skep_caller){
        .environment = SKEP_STR("test"), .rights = SKEP_RIGHT_QUERY, .actor = key, .key = 7};
    if (moment == SKEP_GATE_HEAD && skep_str_starts(key, SKEP_STR("wire:")))
        return SKEP_GATE_ASK_WIRE;
    if (moment == SKEP_GATE_HEAD &&
        (skep_str_starts(key, SKEP_STR("body:")) || skep_str_starts(key, SKEP_STR("begun:"))))
        return SKEP_GATE_ASK_BODY;
    if (moment == SKEP_GATE_BEGUN && skep_str_starts(key, SKEP_STR("body:")))
        return SKEP_GATE_ASK_BODY;
    bool ok = skep_str_eq(key, SKEP_STR("pass"));
    if (moment == SKEP_GATE_WIRE)
        ok = skep_str_eq(skep_str_skip(key, 5), skep_bytes_str(wire));
    if (moment == SKEP_GATE_BEGUN)
        ok = wire.n >= SKEP_GATE_BEGUN_BYTES && key.p[6] == (char)wire.p[0];
    if (moment == SKEP_GATE_BODY)
        ok = skep_str_eq(skep_str_skip(key, 5), skep_bytes_str(req->body));
    if (ok)
        return SKEP_GATE_PASS;
    bool late = skep_str_eq(key, SKEP_STR("late"));
    req->denial.why = late ? SKEP_DENIED_RATE : SKEP_DENIED_UNKNOWN;
    req->denial.retry_after_s = late ? 17 : 0;
    *ret_message = SKEP_STR("no such key");
    return SKEP_GATE_REFUSE;
}

static void count_rows(void *ctx, const struct skep_request *req, uint64_t n)
{
    skep_assert(ctx == &e && req->caller.key == 7);
    atomic_fetch_add(&n_rows, n);
}

static int setup(void **state)
{
    skep_err err = {0};
    (void)state;
    struct skep_net_config cfg = {.n_threads = 2, .gate = {&e, ask, count_rows}};
    return echo_start(&e, cfg, &err) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    echo_stop(&e, 1000);
    return skep_budget_used(&e.budget) == 0 ? 0 : -1;
}

static void once(const char *head, const char *key, const char *rest, int status, const char *part)
{
    int fd = raw_connect(e.port);
    char text[1024];
    (void)snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: localhost\r\nX-Key: %s\r\n%s", head,
                   key, rest);
    assert_true(raw_puts(fd, text));
    struct reply r = raw_reply(fd, false);
    if (r.status != status)
        fail_msg("status %d, not %d, for %s\n%s", r.status, status, text, r.head);
    if (!strstr(r.body, part) && !strstr(r.head, part))
        fail_msg("no \"%s\" in \"%s\" \"%s\"", part, r.head, r.body);
    free(r.body);
    close(fd);
}

#define THREE "Content-Length: 3\r\n\r\nabc"
/* "abc" as a stored block of zlib's format */
static const char zlib_abc[] = "\x78\x01\x01\x03\x00\xfc\xff"
                               "abc\x02\x4d\x01\x27";

static void test_moments(void **state)
{
    (void)state;
    once("GET /", "pass", "\r\n", 200, "Hello");
    once("GET /", "", "\r\n", 401, "no such key");
    once("POST /echo", "pass", THREE, 200, "abc");
    once("POST /echo", "wire:abc", THREE, 200, "abc");
    once("POST /echo", "wire:abd", THREE, 401, "no such key");
    once("POST /echo", "body:abc", THREE, 200, "abc");
    once("POST /echo", "body:abd", THREE, 401, "no such key");
    once("GET /", "late", "\r\n", 429, "retry-after: 17");
    once("GET /", "bad", "\r\n", 401, "www-authenticate: Bearer");
    /* What has no route or the wrong host is no question for the gate. */
    unsigned before = atomic_load(&n_asked[SKEP_GATE_HEAD]);
    once("GET /nothing", "pass", "\r\n", 404, "nothing at");
    once("OPTIONS /v1/traces", "none",
         "Access-Control-Request-Method: POST\r\nOrigin: http://x\r\n\r\n", 204,
         "access-control-allow-methods");
    assert_int_equal(atomic_load(&n_asked[SKEP_GATE_HEAD]), before);
}

/* WIRE has the bytes as received, BODY as decoded. */
static void test_encoded(void **state)
{
    int fd = raw_connect(e.port);
    (void)state;
    const char *head = "POST /echo HTTP/1.1\r\nHost: localhost\r\nX-Key: body:abc\r\n"
                       "Content-Encoding: deflate\r\nContent-Length: 14\r\n\r\n";
    assert_true(raw_puts(fd, head) && raw_send(fd, zlib_abc, 14));
    struct reply r = raw_reply(fd, false);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body, "abc");
    free(r.body);
    close(fd);
}

/* Refused at the headers: the answer comes although the body never does. */
static void test_no_upload(void **state)
{
    int fd = raw_connect(e.port);
    (void)state;
    assert_true(raw_puts(fd, "POST /echo HTTP/1.1\r\nHost: localhost\r\nX-Key: wrong\r\n"
                             "Content-Length: 40000000\r\n\r\n"));
    struct reply r = raw_reply(fd, false);
    assert_int_equal(r.status, 401);
    free(r.body);
    close(fd);
    fd = raw_connect(e.port);
    assert_true(raw_puts(fd, "POST /echo HTTP/1.1\r\nHost: localhost\r\nX-Key: wrong\r\n"
                             "Expect: 100-continue\r\nContent-Length: 400\r\n\r\n"));
    r = raw_reply(fd, false);
    assert_int_equal(r.status, 401);
    free(r.body);
    close(fd);
}

/* The answer to a body of so many bytes. */
static struct reply begun(const char *key, size_t sent, const char *more)
{
    int fd = raw_connect(e.port);
    char head[400];
    char *body = calloc(1, sent);
    memset(body, 'b', sent);
    (void)snprintf(head, sizeof head,
                   "POST /sink HTTP/1.1\r\nHost: localhost\r\nX-Key: %s\r\n%s"
                   "Content-Length: %zu\r\n\r\n",
                   key, more, sent);
    assert_true(raw_puts(fd, head) && raw_send(fd, body, sent));
    free(body);
    struct reply r = raw_reply(fd, false);
    close(fd);
    return r;
}

/* A key in the body is asked for when the body has begun; who has none uploads no more. */
static void test_begun(void **state)
{
    enum { LONG = SKEP_GATE_UNKNOWN_BYTES + 1000 };
    unsigned before = atomic_load(&n_asked[SKEP_GATE_BODY]);
    (void)state;
    struct reply r = begun("begun:b", LONG, "");
    assert_int_equal(r.status, 200);
    free(r.body);
    assert_int_equal(atomic_load(&n_asked[SKEP_GATE_BODY]), before);
    r = begun("begun:no", LONG, "");
    assert_int_equal(r.status, 401);
    free(r.body);
    r = begun("body:no", LONG, "");
    assert_int_equal(r.status, 413);
    assert_non_null(strstr(r.body, "needs its key in a header"));
    free(r.body);
    /* What is encoded is no beginning of a form. */
    before = atomic_load(&n_asked[SKEP_GATE_BEGUN]);
    r = begun("body:no", 100000, "Content-Encoding: gzip\r\n");
    assert_int_equal(r.status, 400);
    free(r.body);
    assert_int_equal(atomic_load(&n_asked[SKEP_GATE_BEGUN]), before);
}

static void test_grpc(void **state)
{
    static const char frame[] = {0, 0, 0, 0, 3, 'a', 'b', 'c'};
    static const char path[] = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    static const char *const keys[][2] = {{"pass", "grpc-status: 0\n"},
                                          {"body:abc", "grpc-status: 0\n"},
                                          {"body:abd", "grpc-status: 16\n"},
                                          {"bad", "grpc-status: 16\n"},
                                          {"late", "grpc-status: 8\n"}};
    struct h2_client c;
    (void)state;
    h2_open(&c, e.port, false);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(keys); i++) {
        const char *const extra[] = {"content-type", "application/grpc", "te", "trailers",
                                     "x-key",        keys[i][0],         NULL};
        struct h2_reply *r = h2_request(&c, "POST", path, frame, sizeof frame, extra);
        assert_true(h2_wait(&c, r));
        if (!strstr(r->headers, keys[i][1]) && !strstr(r->trailers, keys[i][1]))
            fail_msg("%s: %s %s", keys[i][0], r->headers, r->trailers);
    }
    h2_close(&c);
}

static void test_counts(void **state)
{
    struct skep_net_stats stats;
    size_t n = 0;
    (void)state;
    skep_net_stats(e.net, &stats);
    uint64_t before = stats.refused_key;
    once("POST /sink", "pass", THREE, 200, "3");
    assert_int_equal(atomic_load(&n_rows), 3);
    once("GET /", "bad", "\r\n", 401, "no such key");
    skep_net_stats(e.net, &stats);
    assert_int_equal(stats.refused_key, before + 1);
    while (skep_net_route(e.net, n))
        n++;
    assert_int_equal(n, SKEP_ARRAY_LEN(echo_routes) + 1);
    assert_string_equal(skep_net_route(e.net, 0)->path, "/grpc.health.v1.Health/Check");
    assert_int_equal(skep_net_route(e.net, 0)->right, SKEP_RIGHT_PUBLIC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moments),   cmocka_unit_test(test_encoded),
        cmocka_unit_test(test_no_upload), cmocka_unit_test(test_grpc),
        cmocka_unit_test(test_counts),    cmocka_unit_test(test_begun),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
