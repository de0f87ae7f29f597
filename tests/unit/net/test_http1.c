// SPDX-License-Identifier: Apache-2.0
/* HTTP/1.1 over real sockets, byte by byte where it matters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <libdeflate.h>

#include "echo_server.h"
#include "net/net_priv.h"
#include "raw_client.h"

static struct echo e;

static int setup(void **state)
{
    static const char *const hosts[] = {"skep.example"};
    skep_err err = {0};
    (void)state;
    struct skep_net_config cfg = {
        .n_threads = 2, .body_limit_bytes = 4 << 20, .allow_hosts = hosts, .n_allow_hosts = 1};
    return echo_start(&e, cfg, &err) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    echo_stop(&e, 1000);
    return skep_budget_used(&e.budget) == 0 ? 0 : -1;
}

#define HOST "Host: localhost\r\n"

/* Send text, expect a status; the body must contain `part` (NULL = whatever). */
static void exchange(int fd, const char *text, int status, const char *part)
{
    assert_true(raw_puts(fd, text));
    struct reply r = raw_reply(fd, strncmp(text, "HEAD", 4) == 0);
    if (r.status != status)
        fail_msg("status %d, not %d, for %s\n%s", r.status, status, text, r.head);
    if (part && !strstr(r.body, part))
        fail_msg("no \"%s\" in \"%s\"", part, r.body);
    free(r.body);
}

static void once(const char *text, int status, const char *part)
{
    int fd = raw_connect(e.port);
    exchange(fd, text, status, part);
    close(fd);
}

static void test_keep_alive(void **state)
{
    int fd = raw_connect(e.port);
    (void)state;
    for (int i = 0; i < 3; i++) {
        exchange(fd, "GET / HTTP/1.1\r\n" HOST "\r\n", 200, "Hello, world\n");
        exchange(fd, "GET /later HTTP/1.1\r\n" HOST "\r\n", 200, "later\n");
        exchange(fd, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", 200, "abc");
        exchange(fd, "POST /later HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nxyz", 200, "xyz");
        exchange(fd, "GET /nope HTTP/1.1\r\n" HOST "\r\n", 404, "nothing at GET /nope");
        exchange(fd, "POST /nope HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", 404, NULL);
        exchange(fd, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 200, "");
    }
    close(fd);
}

static void test_pipelining(void **state)
{
    int fd = raw_connect(e.port);
    (void)state;
    assert_true(raw_puts(fd, "GET / HTTP/1.1\r\n" HOST "\r\n"
                             "POST /later HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\none"
                             "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\ntwo"
                             "GET /later HTTP/1.1\r\n" HOST "\r\n"));
    static const char *const want[] = {"Hello, world\n", "one", "two", "later\n"};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(want); i++) {
        struct reply r = raw_reply(fd, false);
        assert_int_equal(r.status, 200);
        assert_string_equal(r.body, want[i]);
        free(r.body);
    }
    close(fd);
}

static void test_byte_by_byte(void **state)
{
    const char *text = "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello";
    int fd = raw_connect(e.port);
    (void)state;
    for (const char *c = text; *c; c++) {
        assert_true(raw_send(fd, c, 1));
        if (c - text < 4)
            usleep(5000);
    }
    struct reply r = raw_reply(fd, false);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body, "hello");
    free(r.body);
    close(fd);
}

static void test_chunked(void **state)
{
    int fd = raw_connect(e.port);
    (void)state;
    exchange(fd,
             "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
             "3\r\nabc\r\n5;ext=1\r\ndefgh\r\n0\r\nTrailer: x\r\n\r\n",
             200, "abcdefgh");
    exchange(fd, "GET / HTTP/1.1\r\n" HOST "\r\n", 200, NULL);
    /* 3 MiB in pieces, back the same. */
    size_t n = 3 << 20;
    char *p = malloc(n);
    for (size_t i = 0; i < n; i++)
        p[i] = (char)(i * 7 + i / 1000);
    assert_true(raw_puts(fd, "POST /later HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"));
    for (size_t at = 0; at < n; at += 30000) {
        char size[16];
        size_t k = SKEP_MIN(n - at, (size_t)30000);
        snprintf(size, sizeof size, "%zx\r\n", k);
        assert_true(raw_puts(fd, size) && raw_send(fd, p + at, k) && raw_puts(fd, "\r\n"));
    }
    assert_true(raw_puts(fd, "0\r\n\r\n"));
    struct reply r = raw_reply(fd, false);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.n, n);
    assert_memory_equal(r.body, p, n);
    free(r.body);
    /* Over the limit: refused at the end, the connection lives on. */
    assert_true(raw_puts(fd, "POST /small HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                             "fa0\r\n"));
    assert_true(raw_send(fd, p, 4000) && raw_puts(fd, "\r\n0\r\n\r\n"));
    r = raw_reply(fd, false);
    assert_int_equal(r.status, 413);
    assert_non_null(strstr(r.body, "ETOOLARGE"));
    free(r.body);
    exchange(fd, "GET / HTTP/1.1\r\n" HOST "\r\n", 200, NULL);
    free(p);
    close(fd);
}

static void test_expect(void **state)
{
    int fd = raw_connect(e.port);
    uint64_t t0 = raw_ms();
    (void)state;
    exchange(fd, "POST /echo HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n",
             100, NULL);
    exchange(fd, "body", 200, "body");
    assert_true(raw_ms() - t0 < 30000);
    /* Refused: no 100, the answer at once. */
    exchange(fd,
             "POST /small HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
             "Content-Length: 4000\r\n\r\n",
             413, "ETOOLARGE");
    assert_true(raw_closed(fd, 60000));
    close(fd);
}

/* A client that first sends everything and reads only then still sees the 413. */
static void test_early_413(void **state)
{
    size_t n = 8 << 20;
    char *p = calloc(1, n);
    (void)state;
    for (int round = 0; round < 3; round++) {
        int fd = raw_connect(e.port);
        char head[200];
        snprintf(head, sizeof head, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n",
                 n);
        assert_true(raw_puts(fd, head));
        usleep(20000);
        assert_true(raw_send(fd, p, n));
        struct reply r = raw_reply(fd, false);
        assert_int_equal(r.status, 413);
        assert_string_equal(reply_header(&r, "connection"), "close");
        assert_non_null(strstr(r.body, "ETOOLARGE"));
        free(r.body);
        assert_true(raw_closed(fd, 60000));
        close(fd);
    }
    free(p);
    /* A small refused body is read away instead. */
    int fd = raw_connect(e.port);
    char text[3000];
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 3; i++) {
        assert_true(raw_puts(fd, "POST /small HTTP/1.1\r\n" HOST "Content-Length: 3000\r\n\r\n"));
        assert_true(raw_send(fd, text, sizeof text));
        struct reply r = raw_reply(fd, false);
        assert_int_equal(r.status, 413);
        free(r.body);
    }
    close(fd);
}

static void test_smuggling(void **state)
{
    static const char *const shapes[] = {
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        "Content-Length: 3\r\nContent-Length: 3\r\n",
        "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: 3, 3\r\n",
        "Content-Length: 0x3\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Content-Length : 3\r\n",
        "X Y: 3\r\nContent-Length: 3\r\n",
        "Host: localhost\r\nContent-Length: 3\r\n",
    };
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(shapes); i++) {
        char text[400];
        int fd = raw_connect(e.port);
        snprintf(text, sizeof text, "POST /echo HTTP/1.1\r\n" HOST "%s\r\nabc", shapes[i]);
        assert_true(raw_puts(fd, text));
        struct reply r = raw_reply(fd, false);
        if (r.status != 400 && r.status != 413)
            fail_msg("%d for %s", r.status, shapes[i]);
        free(r.body);
        if (!raw_closed(fd, 60000))
            fail_msg("left open after %s", shapes[i]);
        close(fd);
    }
}

static void test_bad_requests(void **state)
{
    (void)state;
    once("GET /%zz HTTP/1.1\r\n" HOST "\r\n", 400, "escape");
    once("GET /%00 HTTP/1.1\r\n" HOST "\r\n", 400, "escape");
    once("GET nopath HTTP/1.1\r\n" HOST "\r\n", 400, NULL);
    int fd = raw_connect(e.port); /* more headers than there is room for */
    assert_true(raw_puts(fd, "GET / HTTP/1.1\r\n" HOST));
    for (int i = 0; i < 200; i++)
        assert_true(raw_puts(fd, "X-Filler: y\r\n"));
    assert_true(raw_puts(fd, "\r\n"));
    struct reply r = raw_reply(fd, false);
    assert_int_equal(r.status, 431);
    free(r.body);
    close(fd);
    fd = raw_connect(e.port); /* one header without an end */
    assert_true(raw_puts(fd, "GET / HTTP/1.1\r\nX: "));
    char *fill = malloc(200000);
    memset(fill, 'a', 200000);
    (void)raw_send(fd, fill, 200000);
    free(fill);
    assert_true(raw_closed(fd, 60000));
    close(fd);
}

static void test_head_options(void **state)
{
    int fd = raw_connect(e.port);
    (void)state;
    assert_true(raw_puts(fd, "HEAD / HTTP/1.1\r\n" HOST "\r\n"));
    struct reply r = raw_reply(fd, true);
    assert_int_equal(r.status, 200);
    assert_string_equal(reply_header(&r, "content-length"), "13");
    free(r.body);
    assert_true(raw_puts(fd, "PUT /later HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n"));
    r = raw_reply(fd, false);
    assert_int_equal(r.status, 405);
    assert_string_equal(reply_header(&r, "allow"), "POST, GET, HEAD");
    free(r.body);
    assert_true(raw_puts(fd, "OPTIONS /later HTTP/1.1\r\n" HOST "\r\n"));
    r = raw_reply(fd, false);
    assert_int_equal(r.status, 204);
    assert_string_equal(reply_header(&r, "allow"), "POST, GET, HEAD");
    free(r.body);
    close(fd);
}

static void test_cors(void **state)
{
    int fd = raw_connect(e.port);
    (void)state;
    assert_true(raw_puts(fd, "OPTIONS /v1/traces HTTP/1.1\r\n" HOST "Origin: http://app.example\r\n"
                             "Sec-Fetch-Site: cross-site\r\n"
                             "Access-Control-Request-Method: POST\r\n"
                             "Access-Control-Request-Headers: content-type,x-a, bad header,y_b\r\n"
                             "Access-Control-Request-Private-Network: true\r\n\r\n"));
    struct reply r = raw_reply(fd, false);
    assert_int_equal(r.status, 204);
    assert_string_equal(reply_header(&r, "access-control-allow-origin"), "http://app.example");
    assert_string_equal(reply_header(&r, "access-control-allow-headers"), "content-type, x-a, y_b");
    assert_string_equal(reply_header(&r, "access-control-allow-methods"), "POST");
    assert_string_equal(reply_header(&r, "access-control-max-age"), "7200");
    assert_string_equal(reply_header(&r, "access-control-allow-private-network"), "true");
    assert_string_equal(reply_header(&r, "vary"), "Origin");
    free(r.body);
    /* The origin is on error answers too. */
    assert_true(raw_puts(fd, "POST /v1/traces HTTP/1.1\r\n" HOST "Origin: null\r\n"
                             "Content-Encoding: br\r\nContent-Length: 2\r\n\r\nxx"));
    r = raw_reply(fd, false);
    assert_int_equal(r.status, 415);
    assert_string_equal(reply_header(&r, "access-control-allow-origin"), "null");
    free(r.body);
    /* Without Origin: nothing to echo, but caches must know. */
    assert_true(raw_puts(fd, "POST /v1/traces/ HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nxx"));
    r = raw_reply(fd, false);
    assert_int_equal(r.status, 200);
    assert_string_equal(reply_header(&r, "access-control-allow-origin"), "");
    free(r.body);
    close(fd);
}

static void test_doors(void **state)
{
    static const struct {
        const char *headers;
        int get, ingest;
    } cases[] = {
        {HOST, 200, 200},
        {"Host: skep.example\r\n", 200, 200},
        {"Host: evil.com\r\n", 403, 403},
        {HOST "Origin: http://localhost\r\n", 200, 200},
        {HOST "Origin: http://evil.com\r\n", 403, 200},
        {HOST "Origin: null\r\n", 403, 200},
        {HOST "Sec-Fetch-Site: cross-site\r\n", 403, 200},
        {HOST "Sec-Fetch-Site: same-origin\r\n", 200, 200},
        {HOST "Sec-Fetch-Site: none\r\n", 200, 200},
        {HOST "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: "
              "document\r\n",
         403, 200},
    };
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(cases); i++) {
        char text[600];
        snprintf(text, sizeof text, "GET / HTTP/1.1\r\n%s\r\n", cases[i].headers);
        once(text, cases[i].get, NULL);
        snprintf(text, sizeof text, "POST /v1/traces HTTP/1.1\r\n%sContent-Length: 1\r\n\r\nx",
                 cases[i].headers);
        once(text, cases[i].ingest, NULL);
        snprintf(text, sizeof text, "DELETE /unknown HTTP/1.1\r\n%s\r\n", cases[i].headers);
        once(text, cases[i].get == 200 ? 404 : 403, NULL);
    }
    once("GET / HTTP/1.1\r\nHost: evil.com\r\n\r\n", 403, "--allow-host");
    once("OPTIONS / HTTP/1.1\r\n" HOST "Origin: http://evil.com\r\n"
         "Access-Control-Request-Method: GET\r\n\r\n",
         403, NULL);
    once("GET / HTTP/1.0\r\n\r\n", 200, NULL);
    once("GET / HTTP/1.1\r\n\r\n", 400, NULL);
    /* A page that links may open: only by following a link. */
    once("GET /page HTTP/1.1\r\n" HOST "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n"
         "Sec-Fetch-Dest: document\r\n\r\n",
         200, NULL);
    once("GET /page HTTP/1.1\r\n" HOST "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n"
         "Sec-Fetch-Dest: image\r\n\r\n",
         403, NULL);
    once("GET /page HTTP/1.1\r\n" HOST "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n"
         "Sec-Fetch-Dest: iframe\r\n\r\n",
         403, NULL);
}

static void test_request_fields(void **state)
{
    int fd = raw_connect(e.port);
    (void)state;
    exchange(fd,
             "GET /d/a%20b%2Fc?q=1+2%26&r HTTP/1.1\r\n" HOST "Content-Type: Text/X; y=1\r\n\r\n",
             200, "/d/:name|/d/a b/c|q=1+2%26&r|a b/c|1 2&|text/x");
    exchange(fd, "GET /files/x/y HTTP/1.1\r\n" HOST "\r\n", 200, "/files/*|/files/x/y||x/y|-|");
    exchange(fd, "GET http://localhost/d/fixed HTTP/1.1\r\n" HOST "\r\n", 200, "/d/fixed|/d/fixed");
    close(fd);
}

static void test_encodings(void **state)
{
    uint8_t gz[4000];
    char *text = malloc(200000);
    memset(text, 'a', 200000);
    struct libdeflate_compressor *z = libdeflate_alloc_compressor(6);
    (void)state;
    size_t n = libdeflate_gzip_compress(z, text, 200000, gz, sizeof gz);
    char head[300];
    int fd = raw_connect(e.port);
    snprintf(head, sizeof head,
             "POST /echo HTTP/1.1\r\n" HOST "Content-Encoding: gzip\r\n"
             "Content-Length: %zu\r\n\r\n",
             n);
    assert_true(raw_puts(fd, head) && raw_send(fd, gz, n));
    struct reply r = raw_reply(fd, false);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.n, 200000);
    assert_memory_equal(r.body, text, 200000);
    assert_int_equal(strtoul(reply_header(&r, "x-wire"), NULL, 10), n);
    free(r.body);
    /* The same to a route of 1,000 bytes: small enough on the wire, not when opened. */
    snprintf(
        head, sizeof head,
        "POST /small HTTP/1.1\r\n" HOST "Content-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n", n);
    assert_true(raw_puts(fd, head) && raw_send(fd, gz, n));
    r = raw_reply(fd, false);
    assert_int_equal(r.status, 413);
    free(r.body);
    /* Raw: as it came. */
    snprintf(head, sizeof head,
             "POST /raw HTTP/1.1\r\n" HOST "Content-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
             n);
    assert_true(raw_puts(fd, head) && raw_send(fd, gz, n));
    r = raw_reply(fd, false);
    assert_int_equal(r.status, 200);
    assert_memory_equal(r.body, gz, n);
    free(r.body);
    exchange(
        fd, "POST /echo HTTP/1.1\r\n" HOST "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        400, "EMALFORMED");
    exchange(fd,
             "POST /echo HTTP/1.1\r\n" HOST "Content-Encoding: br\r\nContent-Length: 3\r\n\r\nabc",
             415, "EUNSUPPORTED");
    /* Answers: gzip when asked for and worth it. */
    assert_true(raw_puts(fd,
                         "POST /echo HTTP/1.1\r\n" HOST
                         "Accept-Encoding: br;q=1, gzip;q=0.5\r\nContent-Length: 200000\r\n\r\n") &&
                raw_send(fd, text, 200000));
    r = raw_reply(fd, false);
    assert_string_equal(reply_header(&r, "content-encoding"), "gzip");
    char *back = malloc(200000);
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    size_t n_back = 0;
    assert_int_equal(libdeflate_gzip_decompress(d, r.body, r.n, back, 200000, &n_back), 0);
    assert_int_equal(n_back, 200000);
    assert_memory_equal(back, text, 200000);
    free(r.body);
    assert_true(raw_puts(fd, "POST /echo HTTP/1.1\r\n" HOST
                             "Accept-Encoding: gzip;q=0\r\nContent-Length: 2000\r\n\r\n") &&
                raw_send(fd, text, 2000));
    r = raw_reply(fd, false);
    assert_string_equal(reply_header(&r, "content-encoding"), "");
    free(r.body);
    libdeflate_free_compressor(z);
    libdeflate_free_decompressor(d);
    free(back);
    free(text);
    close(fd);
}

static void test_stream(void **state)
{
    int fd = raw_connect(e.port);
    (void)state;
    assert_true(raw_puts(fd, "GET /stream HTTP/1.1\r\n" HOST "\r\n"));
    usleep(100000); /* a slow reader: the writer has to wait */
    struct reply r = raw_reply(fd, false);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.n, 8000000);
    for (int i = 0; i < 8000; i++)
        assert_int_equal(strtol(r.body + i * 1000, NULL, 10), i);
    free(r.body);
    exchange(fd, "GET / HTTP/1.1\r\n" HOST "\r\n", 200, NULL);
    close(fd);
    /* A reader that leaves in the middle ends the writer. */
    fd = raw_connect(e.port);
    assert_true(raw_puts(fd, "GET /stream HTTP/1.1\r\n" HOST "\r\n"));
    (void)raw_byte(fd);
    close(fd);
    /* A silent stream notices that its client left. */
    unsigned before = atomic_load(&e.n_stream_closed);
    fd = raw_connect(e.port);
    assert_true(raw_puts(fd, "GET /tail HTTP/1.1\r\n" HOST "\r\n"));
    char line[100];
    while (raw_line(fd, line, sizeof line) && strcmp(line, "first\n") != 0) {
    }
    usleep(50000);
    assert_int_equal(atomic_load(&e.n_stream_closed), before);
    close(fd);
    for (int i = 0; i < 60000 && atomic_load(&e.n_stream_closed) == before; i++)
        usleep(1000);
    assert_int_equal(atomic_load(&e.n_stream_closed), before + 1);
}

static void test_gone(void **state)
{
    unsigned before = atomic_load(&e.n_gone);
    int fd = raw_connect(e.port);
    uint64_t t0 = raw_ms();
    (void)state;
    assert_true(raw_puts(fd, "GET /later?ms=100000 HTTP/1.1\r\n" HOST "\r\n"));
    usleep(50000);
    assert_int_equal(atomic_load(&e.n_gone), before);
    close(fd);
    for (int i = 0; i < 60000 && atomic_load(&e.n_gone) == before; i++)
        usleep(1000);
    assert_int_equal(atomic_load(&e.n_gone), before + 1);
    assert_true(raw_ms() - t0 < 60000);
}

static void test_budget(void **state)
{
    struct skep_net_stats before;
    struct skep_net_stats after;
    (void)state;
    skep_net_stats(e.net, &before);
    uint64_t most = (256 << 20) - 100000;
    skep_budget_force(&e.budget, most);
    char *p = calloc(1, 900000);
    int fd = raw_connect(e.port);
    assert_true(raw_puts(fd, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 900000\r\n\r\n") &&
                raw_send(fd, p, 900000));
    struct reply r = raw_reply(fd, false);
    assert_int_equal(r.status, 503);
    assert_string_equal(reply_header(&r, "retry-after"), "3");
    assert_non_null(strstr(r.body, "ENOMEM"));
    free(r.body);
    skep_budget_give(&e.budget, most);
    assert_true(raw_puts(fd, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 900000\r\n\r\n") &&
                raw_send(fd, p, 900000));
    r = raw_reply(fd, false);
    assert_int_equal(r.status, 200);
    free(r.body);
    free(p);
    close(fd);
    skep_net_stats(e.net, &after);
    assert_int_equal(after.refused_budget, before.refused_budget + 1);
    assert_true(after.bytes_in >= before.bytes_in + 1800000);
}

/* A body that the handler is done with is given back before the answer, sent plainly or not. */
static void test_body_done(void **state)
{
    static const char zlib[] = {0x78, (char)0x9c, 0x4b, 0x4c, 0x4a, 0x06,
                                0x00, 0x02,       0x4d, 0x01, 0x27};
    char *p = calloc(1, 900000);
    int fd = raw_connect(e.port);
    (void)state;
    assert_true(raw_puts(fd, "POST /taken HTTP/1.1\r\n" HOST "Content-Length: 900000\r\n\r\n") &&
                raw_send(fd, p, 900000));
    struct reply r = raw_reply(fd, false);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body, "900000, 0\n");
    free(r.body);
    assert_true(raw_puts(fd, "POST /taken HTTP/1.1\r\n" HOST
                             "Content-Encoding: deflate\r\nContent-Length: 11\r\n\r\n") &&
                raw_send(fd, zlib, sizeof zlib));
    r = raw_reply(fd, false);
    assert_string_equal(r.body, "3, 0\n");
    free(r.body);
    free(p);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keep_alive),   cmocka_unit_test(test_pipelining),
        cmocka_unit_test(test_byte_by_byte), cmocka_unit_test(test_chunked),
        cmocka_unit_test(test_expect),       cmocka_unit_test(test_early_413),
        cmocka_unit_test(test_smuggling),    cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_head_options), cmocka_unit_test(test_cors),
        cmocka_unit_test(test_doors),        cmocka_unit_test(test_request_fields),
        cmocka_unit_test(test_encodings),    cmocka_unit_test(test_stream),
        cmocka_unit_test(test_gone),         cmocka_unit_test(test_budget),
        cmocka_unit_test(test_body_done),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
