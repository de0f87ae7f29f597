// SPDX-License-Identifier: Apache-2.0
/* Life of the listeners: addresses, a taken port, silent clients, limits, stop while busy. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "echo_server.h"
#include "h2_client.h"
#include "net/net_priv.h"

static void hello(struct echo *e)
{
    int fd = raw_connect(e->port);
    assert_true(raw_puts(fd, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    struct reply r = raw_reply(fd, false);
    assert_int_equal(r.status, 200);
    free(r.body);
    close(fd);
}

static void test_start_stop(void **state)
{
    static struct echo e;
    skep_err err = {0};
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        assert_true(echo_start(&e, (struct skep_net_config){.n_threads = 1 + i % 2}, &err));
        if (i)
            hello(&e);
        echo_stop(&e, i * 10);
        assert_int_equal(skep_budget_used(&e.budget), 0);
    }
    struct skep_net *never = skep_net_new(&(struct skep_net_config){0});
    skep_net_free(never);
    skep_net_free(NULL);
}

static void test_addresses(void **state)
{
    static const char *const both[] = {"127.0.0.1:0", "[::1]:0"};
    static struct echo e;
    skep_err err = {0};
    (void)state;
    assert_true(echo_start(&e, (struct skep_net_config){.listen = both, .n_listen = 2}, &err));
    assert_true(skep_str_starts(skep_net_address(e.net, 0), SKEP_STR("127.0.0.1:")));
    assert_true(skep_str_starts(skep_net_address(e.net, 1), SKEP_STR("[::1]:")));
    assert_false(skep_str_ends(skep_net_address(e.net, 1), SKEP_STR(":0")));
    hello(&e);
    echo_stop(&e, 100);
    static const char *const bad[] = {"localhost"};
    assert_false(echo_start(&e, (struct skep_net_config){.listen = bad, .n_listen = 1}, &err));
    assert_int_equal(err.rc, SKEP_EINVAL);
}

static void test_taken(void **state)
{
    static struct echo e;
    static struct echo second;
    skep_err err = {0};
    (void)state;
    assert_true(echo_start(&e, (struct skep_net_config){0}, &err));
    const char *const same[] = {"127.0.0.1:0", e.address};
    assert_false(
        echo_start(&second, (struct skep_net_config){.listen = same, .n_listen = 2}, &err));
    assert_int_equal(err.rc, SKEP_EEXISTS);
    char pid[32];
    snprintf(pid, sizeof pid, "(pid %d)", (int)getpid());
    assert_non_null(strstr(err.text, pid));
    assert_non_null(strstr(err.text, "--listen"));
    assert_non_null(strstr(err.text, e.address));
    echo_stop(&e, 100);
}

static void test_overlap(void **state)
{
    skep_err err = {0};
    struct skep_net *net = skep_net_new(&(struct skep_net_config){0});
    (void)state;
    assert_int_equal(skep_net_routes(net, echo_routes, SKEP_ARRAY_LEN(echo_routes), NULL, &err),
                     SKEP_OK);
    assert_int_equal(skep_net_routes(net, echo_routes, 1, NULL, &err), SKEP_EEXISTS);
    skep_net_free(net);
}

static void test_connection_limit(void **state)
{
    static struct echo e;
    skep_err err = {0};
    int fds[8];
    (void)state;
    assert_true(echo_start(&e, (struct skep_net_config){.connections_max = 4}, &err));
    for (int i = 0; i < 4; i++)
        fds[i] = raw_connect(e.port); /* silent */
    usleep(50000);
    int over = raw_connect(e.port);
    assert_true(raw_closed(over, 60000));
    close(over);
    close(fds[0]);
    for (int i = 0; i < 12000; i++) { /* its place becomes free */
        struct skep_net_stats s;
        skep_net_stats(e.net, &s);
        if (s.connections_open < 4)
            break;
        usleep(5000);
    }
    hello(&e);
    for (int i = 1; i < 4; i++)
        close(fds[i]);
    echo_stop(&e, 100);
}

static void test_preface_cut(void **state)
{
    static struct echo e;
    skep_err err = {0};
    (void)state;
    assert_true(echo_start(&e, (struct skep_net_config){0}, &err));
    int fd = raw_connect(e.port);
    assert_true(raw_puts(fd, "PRI * HT"));
    shutdown(fd, SHUT_WR);
    assert_true(raw_closed(fd, 60000));
    close(fd);
    struct skep_net_stats s;
    for (int i = 0; i < 12000; i++) {
        skep_net_stats(e.net, &s);
        if (s.connections_open == 0)
            break;
        usleep(5000);
    }
    assert_int_equal(s.connections_open, 0);
    echo_stop(&e, 100);
}

/* Clients that are slow on purpose lose their connection; busy ones do not. */
static void test_slow_clients(void **state)
{
    static const char *const slow[] = {
        "",                            /* nothing at all */
        "PRI * HT",                    /* half a preface */
        "GET / HTTP/1.1\r\nHost: loc", /* half a header */
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\nab",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0", /* then silence */
    };
    static struct echo e;
    skep_err err = {0};
    int fds[SKEP_ARRAY_LEN(slow)];
    (void)state;
    assert_true(echo_start(&e, (struct skep_net_config){.idle_timeout_s = 1}, &err));
    for (size_t i = 0; i < SKEP_ARRAY_LEN(slow); i++) {
        fds[i] = raw_connect(e.port);
        assert_true(raw_puts(fds[i], slow[i]));
    }
    int busy = raw_connect(e.port);
    assert_true(raw_puts(busy, "GET /later?ms=4000 HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    struct h2_client c; /* a parked HTTP/2 request is not idle either */
    h2_open(&c, e.port, false);
    struct h2_reply *parked = h2_request(&c, "GET", "/later?ms=1", NULL, 0, NULL);
    struct h2_reply *never = h2_request(&c, "GET", "/never", NULL, 0, NULL);
    nghttp2_session_send(c.session);
    int dribble = raw_connect(e.port);
    assert_true(raw_puts(dribble, "GET / HTTP/1.1\r\nHost: localhost\r\nX: "));
    bool cut = false;
    for (int i = 0; i < 40 && !cut; i++) { /* a byte now and then keeps MHD's own timeout away */
        cut = !raw_puts(dribble, "x") || raw_closed(dribble, 100);
    }
    assert_true(cut);
    close(dribble);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(slow); i++) {
        if (!raw_closed(fds[i], 60000))
            fail_msg("still open: \"%s\"", slow[i]);
        close(fds[i]);
    }
    struct reply r = raw_reply(busy, false);
    assert_int_equal(r.status, 200);
    free(r.body);
    close(busy);
    while (h2_step(&c, 100)) {
    }
    assert_int_equal(parked->status, 200);
    assert_false(c.ended || never->closed);
    h2_close(&c);
    echo_stop(&e, 100);
}

/* Readers that take nothing, or a byte now and then, lose their answer; their writers end. */
static void test_slow_readers(void **state)
{
    static struct echo e;
    skep_err err = {0};
    struct h2_client c;
    (void)state;
    assert_true(echo_start(&e, (struct skep_net_config){.idle_timeout_s = 1}, &err));
    int fd = raw_connect(e.port);
    assert_true(raw_puts(fd, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    h2_open(&c, e.port, true); /* gives no window back */
    struct h2_reply *r = h2_request(&c, "GET", "/stream", NULL, 0, NULL);
    for (int i = 0; i < 3000 && !r->closed && !c.ended; i++) {
        nghttp2_submit_ping(c.session, 0, NULL); /* the connection is not idle */
        nghttp2_submit_window_update(c.session, 0, r->id, 1);
        (void)h2_step(&c, 100);
        usleep(50000);
    }
    assert_true(r->closed);
    assert_int_equal(r->error, NGHTTP2_ENHANCE_YOUR_CALM);
    assert_false(c.ended);
    h2_close(&c);
    struct skep_net_stats s;
    for (int i = 0; i < 12000; i++) {
        skep_net_stats(e.net, &s);
        if (s.connections_open == 0)
            break;
        usleep(10000);
    }
    assert_int_equal(s.connections_open, 0); /* the other one, too, though it never closed */
    assert_int_equal(s.cut_slow, 2);
    static char taken[64 << 10];
    ssize_t n;
    while ((n = recv(fd, taken, sizeof taken, 0)) > 0) {
    }
    assert_int_equal(n, -1); /* behind what our own kernel holds: reset, theirs keeps nothing */
    assert_int_equal(errno, ECONNRESET);
    close(fd);
    echo_stop(&e, 100);
}

static void test_drains(void **state)
{
    struct skep_net__drain d = {0};
    (void)state;
    /* A second of 1 KiB/s.  What the buffers swallow at first buys no time beyond it. */
    assert_true(skep_net__drains(&d, true, 0, 1000, 1000));
    assert_true(skep_net__has_unsent(&d));
    assert_true(skep_net__drains(&d, true, 1000000, 1100, 1000));
    assert_true(skep_net__drains(&d, true, 1000000, 1600, 1000));
    assert_true(skep_net__drains(&d, true, 1000064, 2000, 1000));
    assert_false(skep_net__drains(&d, true, 1000064, 2200, 1000));
    assert_true(skep_net__drains(&d, false, 1000064, 9000, 1000)); /* nothing waits */
    assert_false(skep_net__has_unsent(&d));
    assert_true(skep_net__drains(&d, true, 1000064, 99000, 1000));
    assert_true(skep_net__drains(&d, true, 1000064, 99999, 1000));
    assert_false(skep_net__drains(&d, true, 1000064, 100100, 1000));
    /* Fast enough on average, with pauses of almost a second: lives on. */
    d = (struct skep_net__drain){0};
    for (uint64_t i = 0; i < 100; i++) {
        assert_true(skep_net__drains(&d, true, i * 1000, 1000 + i * 950, 1000));
        assert_true(skep_net__drains(&d, true, i * 1000, 1000 + i * 950 + 940, 1000));
    }
}

/* Requests in flight at stop are finished within the grace. */
static void test_drain(void **state)
{
    static struct echo e;
    skep_err err = {0};
    struct h2_client c;
    (void)state;
    assert_true(echo_start(&e, (struct skep_net_config){.n_threads = 1}, &err));
    int fd = raw_connect(e.port);
    assert_true(raw_puts(fd, "GET /later?ms=150 HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    h2_open(&c, e.port, false);
    struct h2_reply *h2 = h2_request(&c, "GET", "/later?ms=150", NULL, 0, NULL);
    nghttp2_session_send(c.session);
    usleep(50000);
    skep_net_stop(e.net, 5000);
    struct reply r = raw_reply(fd, false);
    assert_int_equal(r.status, 200);
    assert_string_equal(reply_header(&r, "connection"), "close");
    free(r.body);
    assert_true(h2_wait(&c, h2));
    assert_int_equal(h2->status, 200);
    while (h2_step(&c, 2000)) {
    }
    assert_true(c.goaway);
    assert_int_equal(c.goaway_error, NGHTTP2_NO_ERROR);
    h2_close(&c);
    close(fd);
    assert_true(raw_connect(e.port) < 0);
    echo_stop(&e, 0);
}

/* What is still open after the grace is ended, and late answers are safe. */
static void test_stop_busy(void **state)
{
    static struct echo e;
    skep_err err = {0};
    struct h2_client c;
    int fds[6];
    (void)state;
    assert_true(echo_start(&e, (struct skep_net_config){.n_threads = 2}, &err));
    static const char *const texts[] = {
        "GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /later?ms=100000 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /tail HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc",
        "PRI",
    };
    for (size_t i = 0; i < SKEP_ARRAY_LEN(texts); i++) {
        fds[i] = raw_connect(e.port);
        assert_true(raw_puts(fds[i], texts[i]));
    }
    h2_open(&c, e.port, true);
    (void)h2_request(&c, "GET", "/later?ms=100000", NULL, 0, NULL);
    (void)h2_request(&c, "GET", "/stream", NULL, 0, NULL);
    (void)h2_request(&c, "GET", "/tail", NULL, 0, NULL);
    nghttp2_session_send(c.session);
    for (int i = 0; i < 30000 && atomic_load(&e.n_stream_threads) < 4; i++)
        usleep(2000);
    assert_int_equal(atomic_load(&e.n_stream_threads), 4);
    assert_int_equal(atomic_load(&e.n_never), 1);
    uint64_t t0 = raw_ms();
    skep_net_stop(e.net, 50);
    assert_true(raw_ms() - t0 < 30000);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(texts); i++) {
        assert_true(raw_closed(fds[i], 60000));
        close(fds[i]);
    }
    while (h2_step(&c, 2000)) {
    }
    assert_true(c.ended);
    h2_close(&c);
    echo_stop(&e, 0);
    assert_int_equal(skep_budget_used(&e.budget), 0);
}

struct hammer {
    struct echo *e;
    _Atomic bool *quit;
    unsigned seed, done;
};

static void *hammer_main(void *arg)
{
    struct hammer *h = arg;
    static const char chunked[] =
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n0\r\n\r\n";
    static const char *const texts[] = {
        chunked,
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /later?ms=1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /later HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc",
    };
    while (!atomic_load(h->quit)) {
        int fd = raw_connect(h->e->port);
        if (fd < 0)
            break;
        for (int i = 0; i < 10 && !atomic_load(h->quit); i++) {
            h->seed = h->seed * 1103515245 + 12345;
            if (!raw_puts(fd, texts[(h->seed >> 16) % SKEP_ARRAY_LEN(texts)]))
                break;
            if ((h->seed >> 20) % 8 == 0)
                break; /* leave without reading */
            struct reply r = raw_reply(fd, false);
            h->done += r.status == 200;
            free(r.body);
            if (r.status == 0)
                break;
        }
        close(fd);
    }
    return NULL;
}

static void *hammer2_main(void *arg)
{
    struct hammer *h = arg;
    struct h2_client *c = malloc(sizeof *c);
    while (!atomic_load(h->quit)) {
        h2_open(c, h->e->port, false);
        if (c->fd < 0) {
            nghttp2_session_del(c->session);
            break;
        }
        struct h2_reply *r = NULL;
        for (int i = 0; i < 20; i++)
            r = h2_request(c, "POST", i % 3 ? "/later?ms=1" : "/echo", "abc", 3, NULL);
        h->seed = h->seed * 1103515245 + 12345;
        if ((h->seed >> 16) % 4 && h2_wait(c, r))
            h->done += r->status == 200;
        else
            (void)nghttp2_session_send(c->session); /* and leave */
        h2_close(c);
    }
    free(c);
    return NULL;
}

/* Many clients of all kinds, stop in the middle; for the sanitizers. */
static void test_hammer(void **state)
{
    static struct echo e;
    (void)state;
    for (unsigned round = 0; round < 4; round++) {
        skep_err err = {0};
        _Atomic bool quit = false;
        struct hammer h[6];
        pthread_t threads[6];
        assert_true(echo_start(&e, (struct skep_net_config){.n_threads = 2}, &err));
        for (unsigned i = 0; i < 6; i++) {
            h[i] = (struct hammer){&e, &quit, round * 100 + i, 0};
            pthread_create(&threads[i], NULL, i % 2 ? hammer2_main : hammer_main, &h[i]);
        }
        usleep(200000);
        if (round % 2)
            skep_net_stop(e.net, 20);
        atomic_store(&quit, true);
        unsigned done = 0;
        for (unsigned i = 0; i < 6; i++) {
            pthread_join(threads[i], NULL);
            done += h[i].done;
        }
        assert_true(done > 0);
        echo_stop(&e, 200);
        assert_int_equal(skep_budget_used(&e.budget), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_stop),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_connection_limit),
        cmocka_unit_test(test_preface_cut),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_slow_clients),
        cmocka_unit_test(test_slow_readers),
        cmocka_unit_test(test_drains),
        cmocka_unit_test(test_stop_busy),
        cmocka_unit_test(test_hammer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
