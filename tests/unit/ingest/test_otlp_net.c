// SPDX-License-Identifier: Apache-2.0
/* The OTLP adapter behind real listeners: recorded requests over TCP, rows in a store of paper that
 * answers from another thread, as a committer does. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "../net/raw_client.h"
#include "ingest/ingest.h"
#include "os/thread.h"

static struct {
    struct skep_store base;
    struct skep_mutex lock;
    struct skep_cond wake;
    struct job {
        struct skep_batch *batch;
        skep_append_done_fn *done;
        void *ctx;
    } jobs[64];
    unsigned n, commits;
    bool stop;
    skep_thread thread;
} store;

static void paper_append(struct skep_store *s, struct skep_batch *batch, skep_append_done_fn *done,
                         void *ctx)
{
    (void)s;
    skep_mutex_lock(&store.lock);
    assert_true(store.n < SKEP_ARRAY_LEN(store.jobs));
    store.jobs[store.n++] = (struct job){batch, done, ctx};
    skep_cond_signal(&store.wake);
    skep_mutex_unlock(&store.lock);
}

static void committer(void *arg)
{
    (void)arg;
    skep_mutex_lock(&store.lock);
    for (;;) {
        while (store.n == 0 && !store.stop)
            skep_cond_wait(&store.wake, &store.lock);
        if (store.n == 0)
            break;
        struct job job = store.jobs[--store.n];
        store.commits++;
        skep_mutex_unlock(&store.lock);
        struct skep_append_result res = {.seq = 1, .rows = job.batch->n_rows};
        skep_batch_check(job.batch);
        skep_batch_free(job.batch);
        job.done(job.ctx, SKEP_OK, &res, NULL);
        skep_mutex_lock(&store.lock);
    }
    skep_mutex_unlock(&store.lock);
}

static const struct skep_store_ops ops = {.name = "paper", .append = paper_append};
static struct skep_ingest *ingest;
static struct skep_net *net;
static struct skep_budget budget;
static unsigned port;

static int set_up(void **state)
{
    (void)state;
    static const char *const listen[] = {"127.0.0.1:0"};
    size_t n;
    skep_err err;
    store.base.ops = &ops;
    store.stop = false;
    skep_mutex_init(&store.lock, "paper");
    skep_cond_init(&store.wake);
    skep_thread_start(&store.thread, "committer", committer, NULL);
    skep_budget_init(&budget, "ingest", 64 << 20, NULL);
    ingest = skep_ingest_new(&(struct skep_ingest_config){
        .store = &store.base, .budget = &budget, .os = skep_os_real()});
    net = skep_net_new(&(struct skep_net_config){
        .listen = listen, .n_listen = 1, .n_threads = 2, .body_limit_bytes = 1 << 20});
    const struct skep_route *routes = skep_ingest_otlp_routes(&n);
    if (skep_net_routes(net, routes, n, ingest, &err) != SKEP_OK ||
        skep_net_start(net, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    skep_str address = skep_net_address(net, 0);
    uint64_t number = 0;
    assert_true(skep_str_u64(skep_str_skip(address, skep_str_chr(address, ':') + 1), &number));
    port = (unsigned)number;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    skep_net_stop(net, 2000);
    skep_net_free(net);
    skep_mutex_lock(&store.lock);
    store.stop = true;
    skep_cond_signal(&store.wake);
    skep_mutex_unlock(&store.lock);
    skep_thread_join(&store.thread);
    skep_ingest_free(ingest);
    skep_cond_done(&store.wake);
    skep_mutex_done(&store.lock);
    assert_int_equal(skep_budget_used(&budget), 0);
    return 0;
}

static char file[1 << 18];

static size_t load(const char *path)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(file, 1, sizeof file, f);
    fclose(f);
    assert_true(n > 0 && n < sizeof file);
    return n;
}

static struct skep_ledger_row ledger(enum skep_signal signal)
{
    struct skep_ingest_snapshot s;
    skep_ingest_snapshot(ingest, &s);
    for (unsigned i = 0; i < s.n_ledger; i++) {
        if (s.ledger[i].signal == signal)
            return s.ledger[i];
    }
    return (struct skep_ledger_row){.signal = signal, .source = SKEP_SOURCE_OTLP};
}

static void take_reply(int fd, struct reply *ret)
{
    free(ret->body);
    *ret = raw_reply(fd, false);
    assert_non_null(ret->body);
}

static void post(int fd, const char *path, const char *type, const char *body, size_t n,
                 struct reply *ret)
{
    char head[256];
    int k = snprintf(head, sizeof head,
                     "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n"
                     "Content-Length: %zu\r\n\r\n",
                     path, type, n);
    assert_true(raw_send(fd, head, (size_t)k) && raw_send(fd, body, n));
    take_reply(fd, ret);
}

static void test_protobuf_json_and_errors_on_one_connection(void **state)
{
    (void)state;
    static struct reply r;
    int fd = raw_connect(port);
    assert_true(fd >= 0);
    size_t n = load("tests/golden/otlp/flask-traces.pb");
    post(fd, "/v1/traces", "application/x-protobuf", file, n, &r);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.n, 0);
    assert_non_null(strstr(r.head, "application/x-protobuf"));
    assert_int_equal(ledger(SKEP_SIGNAL_TRACES).stored, 25);
    post(fd, "/v1/traces/", "application/x-protobuf", file, n / 2, &r);
    assert_int_equal(r.status, 400);
    n = load("tests/golden/otlp/browser-traces.json");
    post(fd, "/v1/traces", "application/json; charset=utf-8", file, n, &r);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body, "{}");
    post(fd, "/v1/logs", "application/json", "{\"resourceLogs\":1}", 18, &r);
    assert_int_equal(r.status, 400);
    assert_string_equal(r.body, "{\"code\":3,\"message\":\"resourceLogs: expected an array\"}");
    post(fd, "/v1/logs", "text/plain", "hello", 5, &r);
    assert_int_equal(r.status, 415);
    post(fd, "/v1/metrics", "application/json", file, load("tests/golden/otlp/node-metrics.json"),
         &r);
    assert_int_equal(r.status, 200);
    assert_non_null(strstr(r.body, "\"rejectedDataPoints\":\"62\""));
    close(fd);
    free(r.body);
    r.body = NULL;
    assert_int_equal(ledger(SKEP_SIGNAL_TRACES).pending, 0);
    assert_int_equal(ledger(SKEP_SIGNAL_TRACES).rejected[SKEP_REJECTION_MALFORMED], 1);
}

static void test_chunked_body(void **state)
{
    (void)state;
    static struct reply r;
    size_t n = load("tests/golden/otlp/node-logs-1.json");
    int fd = raw_connect(port);
    raw_puts(fd, "POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                 "Transfer-Encoding: chunked\r\n\r\n");
    for (size_t at = 0; at < n; at += 1000) {
        char head[16];
        size_t part = n - at < 1000 ? n - at : 1000;
        snprintf(head, sizeof head, "%zx\r\n", part);
        raw_puts(fd, head);
        raw_send(fd, file + at, part);
        raw_puts(fd, "\r\n");
    }
    raw_puts(fd, "0\r\n\r\n");
    take_reply(fd, &r);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body, "{}");
    assert_int_equal(ledger(SKEP_SIGNAL_LOGS).stored, 5);
    close(fd);
}

static void test_browser_preflight_and_cors(void **state)
{
    (void)state;
    static struct reply r;
    int fd = raw_connect(port);
    raw_puts(fd,
             "OPTIONS /v1/traces HTTP/1.1\r\nHost: localhost\r\nOrigin: https://shop.example\r\n"
             "Access-Control-Request-Method: POST\r\n"
             "Access-Control-Request-Headers: content-type\r\n\r\n");
    take_reply(fd, &r);
    assert_int_equal(r.status, 204);
    assert_non_null(strcasestr(r.head, "access-control-allow-origin: https://shop.example"));
    raw_puts(fd, "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nOrigin: https://shop.example\r\n"
                 "Content-Type: application/json\r\nContent-Length: 1\r\n\r\n{");
    take_reply(fd, &r);
    assert_int_equal(r.status, 400);
    assert_non_null(strcasestr(r.head, "access-control-allow-origin: https://shop.example"));
    close(fd);
}

static void test_too_large_is_refused_in_the_form_asked_for(void **state)
{
    (void)state;
    static struct reply r;
    int fd = raw_connect(port);
    raw_puts(fd, "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                 "Content-Length: 2000000\r\n\r\n");
    take_reply(fd, &r);
    assert_int_equal(r.status, 413);
    assert_true(strncmp(r.body, "{\"code\":8,\"message\":\"", 21) == 0);
    assert_int_equal(ledger(SKEP_SIGNAL_TRACES).rejected[SKEP_REJECTION_TOO_LARGE], 1);
    close(fd);
}

/* One connection of the Python SDK: four calls over HTTP/2 with HPACK and trailers. */
static void test_recorded_grpc_connection(void **state)
{
    (void)state;
    size_t n = load("tests/golden/net/python-grpc-client.bin");
    int fd = raw_connect(port);
    assert_true(raw_send(fd, file, n));
    uint64_t until = raw_ms() + 60000;
    while (raw_ms() < until &&
           (ledger(SKEP_SIGNAL_TRACES).stored < 10 || ledger(SKEP_SIGNAL_LOGS).stored < 5 ||
            ledger(SKEP_SIGNAL_METRICS).received == 0))
        usleep(1000);
    assert_int_equal(ledger(SKEP_SIGNAL_TRACES).stored, 10);
    assert_int_equal(ledger(SKEP_SIGNAL_LOGS).stored, 5);
    assert_true(ledger(SKEP_SIGNAL_METRICS).received > 0);
    assert_int_equal(ledger(SKEP_SIGNAL_TRACES).received, 10);
    close(fd);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_protobuf_json_and_errors_on_one_connection),
        T(test_chunked_body),
        T(test_browser_preflight_and_cors),
        T(test_too_large_is_refused_in_the_form_asked_for),
        T(test_recorded_grpc_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
