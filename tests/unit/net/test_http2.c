// SPDX-License-Identifier: Apache-2.0
/* HTTP/2 and gRPC over real sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <libdeflate.h>

#include "echo_server.h"
#include "h2_client.h"
#include "net/net_priv.h"

#define EXPORT "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

static struct echo e;

static int setup(void **state)
{
    skep_err err = {0};
    (void)state;
    struct skep_net_config cfg = {.n_threads = 2, .body_limit_bytes = 4 << 20};
    return echo_start(&e, cfg, &err) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    echo_stop(&e, 1000);
    return skep_budget_used(&e.budget) == 0 ? 0 : -1;
}

static void expect(struct h2_client *c, struct h2_reply *r, int status, const char *part)
{
    assert_true(h2_wait(c, r));
    if (r->status != status)
        fail_msg("status %d, not %d: %s", r->status, status, r->body ? r->body : "");
    if (part && (!r->body || !strstr(r->body, part)))
        fail_msg("no \"%s\" in \"%s\"", part, r->body ? r->body : "");
}

static void test_plain(void **state)
{
    struct h2_client c;
    (void)state;
    h2_open(&c, e.port, false);
    expect(&c, h2_request(&c, "GET", "/", NULL, 0, NULL), 200, "Hello, world\n");
    expect(&c, h2_request(&c, "POST", "/echo", "abc", 3, NULL), 200, "abc");
    expect(&c, h2_request(&c, "GET", "/later", NULL, 0, NULL), 200, "later\n");
    expect(&c, h2_request(&c, "GET", "/nope", NULL, 0, NULL), 404, "nothing at");
    struct h2_reply *r = h2_request(&c, "HEAD", "/", NULL, 0, NULL);
    expect(&c, r, 200, NULL);
    assert_int_equal(r->n, 0);
    assert_non_null(strstr(r->headers, "content-length: 13\n"));
    const char *const evil[] = {":authority", "evil.com", NULL};
    expect(&c, h2_request(&c, "GET", "/", NULL, 0, evil), 403, "--allow-host");
    const char *const origin[] = {"origin", "http://evil.com", NULL};
    expect(&c, h2_request(&c, "GET", "/", NULL, 0, origin), 403, NULL);
    r = h2_request(&c, "POST", "/v1/traces", "x", 1, origin);
    expect(&c, r, 200, "x");
    assert_non_null(strstr(r->headers, "access-control-allow-origin: http://evil.com\n"));
    h2_close(&c);
}

/* The preface in single bytes: the door has to wait for the last one. */
static void test_split_preface(void **state)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    int fd = raw_connect(e.port);
    (void)state;
    for (size_t i = 0; i < sizeof preface - 1; i++) {
        assert_true(raw_send(fd, preface + i, 1));
        if (i < 26)
            usleep(2000);
    }
    uint8_t head[9];
    for (size_t i = 0; i < sizeof head; i++)
        head[i] = (uint8_t)raw_byte(fd);
    assert_int_equal(head[3], NGHTTP2_SETTINGS);
    close(fd);
}

static void test_many_streams(void **state)
{
    static char body[60000];
    struct h2_client c;
    struct h2_reply *all[120];
    (void)state;
    memset(body, 'z', sizeof body);
    h2_open(&c, e.port, false);
    for (int i = 0; i < 120; i++)
        all[i] = h2_request(&c, "POST", i % 2 ? "/later" : "/echo", body, sizeof body, NULL);
    for (int i = 0; i < 120; i++) {
        expect(&c, all[i], 200, NULL);
        assert_int_equal(all[i]->n, sizeof body);
    }
    h2_close(&c);
}

static void test_large(void **state)
{
    size_t n = 3500000;
    char *p = malloc(n);
    struct h2_client c;
    (void)state;
    for (size_t i = 0; i < n; i++)
        p[i] = (char)(i * 31 + i / 77);
    h2_open(&c, e.port, false);
    struct h2_reply *r = h2_request(&c, "POST", "/later", p, n, NULL);
    expect(&c, r, 200, NULL);
    assert_int_equal(r->n, n);
    assert_memory_equal(r->body, p, n);
    r = h2_request(&c, "POST", "/small", p, n, NULL);
    expect(&c, r, 413, "ETOOLARGE");
    assert_int_equal(r->error, NGHTTP2_NO_ERROR);
    h2_close(&c);
    free(p);
}

static void test_stream(void **state)
{
    struct h2_client c;
    (void)state;
    h2_open(&c, e.port, false);
    struct h2_reply *r = h2_request(&c, "GET", "/stream", NULL, 0, NULL);
    struct h2_reply *other = h2_request(&c, "GET", "/", NULL, 0, NULL);
    expect(&c, other, 200, NULL);
    expect(&c, r, 200, NULL);
    assert_int_equal(r->n, 8000000);
    for (int i = 0; i < 8000; i++)
        assert_int_equal(strtol(r->body + i * 1000, NULL, 10), i);
    h2_close(&c);
    /* A reader that gives no window stalls its own stream only, and leaves without harm. */
    h2_open(&c, e.port, true);
    r = h2_request(&c, "GET", "/stream", NULL, 0, NULL);
    while (r->n < 65535 && h2_step(&c, 60000)) {
    }
    assert_int_equal(r->n, 65535);
    h2_close(&c);
    unsigned before = atomic_load(&e.n_stream_closed);
    h2_open(&c, e.port, false);
    r = h2_request(&c, "GET", "/tail", NULL, 0, NULL);
    while (r->n < 6 && h2_step(&c, 60000)) {
    }
    assert_string_equal(r->body, "first\n");
    h2_close(&c);
    for (int i = 0; i < 60000 && atomic_load(&e.n_stream_closed) == before; i++)
        usleep(1000);
    assert_int_equal(atomic_load(&e.n_stream_closed), before + 1);
}

static void test_gone(void **state)
{
    struct h2_client c;
    unsigned before = atomic_load(&e.n_gone);
    uint64_t t0 = raw_ms();
    (void)state;
    h2_open(&c, e.port, false);
    struct h2_reply *r = h2_request(&c, "GET", "/later?ms=100000", NULL, 0, NULL);
    nghttp2_session_send(c.session);
    usleep(50000);
    nghttp2_submit_rst_stream(c.session, 0, r->id, NGHTTP2_CANCEL);
    nghttp2_session_send(c.session);
    for (int i = 0; i < 60000 && atomic_load(&e.n_gone) == before; i++)
        usleep(1000);
    assert_int_equal(atomic_load(&e.n_gone), before + 1);
    assert_true(raw_ms() - t0 < 60000);
    /* The connection is still good. */
    expect(&c, h2_request(&c, "GET", "/", NULL, 0, NULL), 200, "Hello");
    h2_close(&c);
}

static void test_floods(void **state)
{
    struct h2_client c;
    struct skep_net_stats stats;
    (void)state;
    h2_open(&c, e.port, false); /* rapid reset */
    for (int i = 0; i < 5000 && !c.goaway; i++) {
        c.n = 0;
        struct h2_reply *r = h2_request(&c, "GET", "/later", NULL, 0, NULL);
        if (r->id < 0 || nghttp2_session_send(c.session) != 0)
            break;
        nghttp2_submit_rst_stream(c.session, 0, r->id, NGHTTP2_CANCEL);
        if (i % 16 == 0)
            (void)h2_step(&c, 0);
    }
    while (!c.goaway && h2_step(&c, 60000)) {
    }
    assert_true(c.goaway);
    assert_int_equal(c.goaway_error, NGHTTP2_ENHANCE_YOUR_CALM);
    c.n = 0;
    h2_close(&c);
    skep_net_stats(e.net, &stats);
    assert_true(stats.h2_resets >= 500);
    h2_open(&c, e.port, false); /* PING */
    for (int i = 0; i < 5000; i++) {
        nghttp2_submit_ping(c.session, 0, NULL);
        if (nghttp2_session_send(c.session) != 0)
            break;
    }
    while (!c.goaway && h2_step(&c, 60000)) {
    }
    assert_true(c.goaway || c.ended);
    h2_close(&c);
}

static void test_header_limit(void **state)
{
    struct h2_client c;
    const char *extra[2 * 150 + 1];
    (void)state;
    for (int i = 0; i < 150; i++) {
        extra[2 * i] = "x-filler";
        extra[2 * i + 1] = "y";
    }
    extra[300] = NULL;
    h2_open(&c, e.port, false);
    expect(&c, h2_request(&c, "GET", "/", NULL, 0, extra), 431, NULL);
    expect(&c, h2_request(&c, "GET", "/", NULL, 0, NULL), 200, NULL);
    h2_close(&c);
}

/* --- gRPC ------------------------------------------------------------- */

static char frame_out[1 << 20];

static size_t frame(int flag, const void *p, size_t n)
{
    frame_out[0] = (char)flag;
    for (int i = 0; i < 4; i++)
        frame_out[1 + i] = (char)(n >> (24 - 8 * i));
    memcpy(frame_out + 5, p, n);
    return n + 5;
}

static struct h2_reply *call(struct h2_client *c, const char *path, size_t n, const char *encoding)
{
    const char *const extra[] = {"content-type",
                                 "application/grpc",
                                 "te",
                                 "trailers",
                                 encoding ? "grpc-encoding" : NULL,
                                 encoding,
                                 NULL};
    struct h2_reply *r = h2_request(c, "POST", path, frame_out, n, extra);
    assert_true(h2_wait(c, r));
    assert_int_equal(r->status, 200);
    assert_non_null(strstr(r->headers, "content-type: application/grpc\n"));
    return r;
}

static void failed(struct h2_reply *r, int status)
{
    char line[64];
    snprintf(line, sizeof line, "grpc-status: %d\n", status);
    if (!strstr(r->headers, line)) /* trailers-only: with the headers */
        fail_msg("no %s in %s%s", line, r->headers, r->trailers);
    assert_int_equal(r->n, 0);
}

static void test_grpc(void **state)
{
    struct h2_client c;
    (void)state;
    h2_open(&c, e.port, false);
    static const char *const paths[] = {EXPORT, "/test.Later/Call"};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(paths); i++) {
        struct h2_reply *r = call(&c, paths[i], frame(0, "hello", 5), NULL);
        assert_int_equal(r->n, 10);
        assert_memory_equal(r->body, "\0\0\0\0\5hello", 10);
        assert_string_equal(r->trailers, "grpc-status: 0\n");
    }
    struct h2_reply *r = call(&c, "/grpc.health.v1.Health/Check", frame(0, "", 0), NULL);
    assert_int_equal(r->n, 7);
    assert_memory_equal(r->body, "\0\0\0\0\2\x08\x01", 7);
    /* gzip, and every other way to send five letters. */
    uint8_t gz[100];
    struct libdeflate_compressor *z = libdeflate_alloc_compressor(6);
    size_t n = libdeflate_gzip_compress(z, "hello", 5, gz, sizeof gz);
    libdeflate_free_compressor(z);
    r = call(&c, EXPORT, frame(1, gz, n), "gzip");
    assert_memory_equal(r->body, "\0\0\0\0\5hello", 10);
    r = call(&c, EXPORT, frame(0, "hello", 5), "gzip");
    assert_memory_equal(r->body, "\0\0\0\0\5hello", 10);
    h2_close(&c);
}

static void test_grpc_errors(void **state)
{
    struct h2_client c;
    (void)state;
    h2_open(&c, e.port, false);
    failed(call(&c, "/no.Such/Method", frame(0, "x", 1), NULL), 12);
    failed(call(&c, "/v1/traces", frame(0, "x", 1), NULL), 12);
    struct h2_reply *r = call(&c, EXPORT, frame(1, "abc", 3), "snappy");
    failed(r, 12);
    assert_non_null(strstr(r->headers, "grpc-accept-encoding: identity, gzip"));
    failed(call(&c, EXPORT, frame(1, "abc", 3), NULL), 13);
    failed(call(&c, EXPORT, frame(1, "abc", 3), "gzip"), 13);
    failed(call(&c, EXPORT, frame(0, "abc", 3) - 1, NULL), 13);
    failed(call(&c, EXPORT, frame(2, "abc", 3), NULL), 13);
    failed(call(&c, EXPORT, 0, NULL), 13);
    static char big[200000];
    failed(call(&c, "/test.Later/Call", frame(0, big, sizeof big), NULL), 8);
    uint8_t gz[5000];
    struct libdeflate_compressor *z = libdeflate_alloc_compressor(6);
    size_t n = libdeflate_gzip_compress(z, big, sizeof big, gz, sizeof gz);
    libdeflate_free_compressor(z);
    r = call(&c, "/test.Later/Call", frame(1, gz, n), "gzip");
    failed(r, 8);
    assert_non_null(strstr(r->headers, "grpc-message: the body is larger than 100000 bytes"));
    /* A full budget: 14 with a delay to retry after. */
    skep_budget_force(&e.budget, 256 << 20);
    r = call(&c, EXPORT, frame(0, "abc", 3), NULL);
    skep_budget_give(&e.budget, 256 << 20);
    failed(r, 14);
    const char *bin = strstr(r->headers, "grpc-status-details-bin: ");
    assert_non_null(bin);
    /* 08 0e 12 ..: code 14, then the message */
    assert_memory_equal(bin + strlen("grpc-status-details-bin: "), "CA4S", 4);
    /* Plain HTTP on a gRPC path. */
    r = h2_request(&c, "POST", EXPORT, "x", 1, NULL);
    expect(&c, r, 415, "gRPC");
    const char *const evil[] = {":authority", "evil.com", "content-type", "application/grpc", NULL};
    r = h2_request(&c, "POST", EXPORT, frame_out, frame(0, "x", 1), evil);
    expect(&c, r, 200, NULL);
    failed(r, 7);
    h2_close(&c);
}

/* What grpcio sent on a real connection, byte for byte. */
static void test_python_capture(void **state)
{
    FILE *f = fopen("tests/golden/net/python-grpc-client.bin", "re");
    static uint8_t in[65536];
    (void)state;
    assert_non_null(f);
    size_t n = fread(in, 1, sizeof in, f);
    fclose(f);
    assert_true(n > 1000 && n < sizeof in);
    struct skep_net_stats before;
    struct skep_net_stats after;
    skep_net_stats(e.net, &before);
    int fd = raw_connect(e.port);
    for (size_t at = 0; at < n; at += 7)
        assert_true(raw_send(fd, in + at, n - at < 7 ? n - at : 7));
    /* Count HEADERS frames with END_STREAM: one answer's end each. */
    unsigned ends = 0;
    for (uint64_t until = raw_ms() + 60000; raw_ms() < until && ends < 1;) {
        uint8_t head[9];
        for (size_t i = 0; i < sizeof head; i++)
            head[i] = (uint8_t)raw_byte(fd);
        size_t length = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
        for (size_t i = 0; i < length; i++)
            (void)raw_byte(fd);
        ends += head[3] == NGHTTP2_HEADERS && (head[4] & NGHTTP2_FLAG_END_STREAM);
    }
    assert_int_equal(ends, 1);
    close(fd);
    skep_net_stats(e.net, &after);
    assert_true(after.requests > before.requests);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),          cmocka_unit_test(test_split_preface),
        cmocka_unit_test(test_many_streams),   cmocka_unit_test(test_large),
        cmocka_unit_test(test_stream),         cmocka_unit_test(test_gone),
        cmocka_unit_test(test_floods),         cmocka_unit_test(test_header_limit),
        cmocka_unit_test(test_grpc),           cmocka_unit_test(test_grpc_errors),
        cmocka_unit_test(test_python_capture),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
