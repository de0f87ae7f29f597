// SPDX-License-Identifier: Apache-2.0
/* Ranges of addresses; a UDP port: bursts, waking, pausing, what the kernel dropped, taken ports.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <unistd.h>

#include "net/net_priv.h"
#include "net/udp.h"

static void test_ranges(void **state)
{
    static const struct {
        const char *range, *peer;
        bool in;
    } all[] = {
        {"127.0.0.0/8", "127.9.8.7:1", true}, {"127.0.0.0/8", "128.0.0.1:1", false},
        {"10.1.2.3", "10.1.2.3:65535", true}, {"0.0.0.0/0", "[::1]:53", false},
        {"::1", "[::1]:2000", true},          {"::1/128", "[::2]:2000", false},
        {"fd00::/8", "[fdff::1]:1", true},    {"10.0.0.0/8", "[::ffff:10.1.1.1]:9", true},
        {"10.0.0.0/8", "nonsense", false},    {"10.0.0.0/8", "", false},
    };
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++) {
        struct skep_cidr c;
        assert_int_equal(skep_cidr_parse(skep_str_c(all[i].range), &c, NULL), SKEP_OK);
        if (skep_cidr_contains_peer(&c, 1, skep_str_c(all[i].peer)) != all[i].in)
            fail_msg("%s and %s", all[i].range, all[i].peer);
    }
}

struct seen {
    _Atomic unsigned datagrams, quiet, bytes;
    _Atomic bool pause;
    _Atomic uint64_t sender;
};

static bool receive(void *ctx, const struct skep_datagram *d, unsigned n)
{
    struct seen *s = ctx;
    struct skep_cidr loopback;
    assert_int_equal(skep_cidr_parse(SKEP_STR("127.0.0.1"), &loopback, NULL), SKEP_OK);
    for (unsigned i = 0; i < n; i++) {
        atomic_fetch_add(&s->bytes, (unsigned)d[i].bytes.n);
        atomic_store(&s->sender, d[i].sender);
        assert_true(skep_cidr_contains(&loopback, 1, d[i].peer));
    }
    atomic_fetch_add(&s->datagrams, n);
    atomic_fetch_add(&s->quiet, n == 0);
    return !atomic_load(&s->pause);
}

static struct skep_udp *open_port(struct seen *s, unsigned room)
{
    const struct skep_udp_config cfg = {.listen = "127.0.0.1:0",
                                        .flag = "--xray",
                                        .fn = receive,
                                        .ctx = s,
                                        .receive_buffer_bytes = room};
    struct skep_udp *u = NULL;
    skep_err err;
    if (skep_udp_open(&cfg, &u, &err) != SKEP_OK || skep_udp_start(u, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    return u;
}

static int sender_to(const struct skep_udp *u)
{
    struct sockaddr_storage a;
    socklen_t n;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(skep_net__address_parse(skep_udp_address(u), &a, &n, NULL), SKEP_OK);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, n), 0);
    return fd;
}

static void wait_for(_Atomic unsigned *x, unsigned n)
{
    for (int i = 0; i < 3000 && atomic_load(x) < n; i++)
        (void)usleep(10000);
    assert_true(atomic_load(x) >= n);
}

static void test_receive(void **state)
{
    (void)state;
    struct seen s = {0};
    struct skep_udp *u = open_port(&s, 1 << 20);
    static uint8_t large[65507];
    int fd = sender_to(u);
    assert_int_equal(send(fd, "hello", 5, 0), 5);
    assert_int_equal(send(fd, "", 0, 0), 0);
    assert_int_equal(send(fd, large, sizeof large, 0), sizeof large);
    wait_for(&s.datagrams, 3);
    wait_for(&s.quiet, 1);
    assert_int_equal(atomic_load(&s.bytes), 5 + sizeof large);
    assert_true(atomic_load(&s.sender) != 0);
    unsigned quiet = atomic_load(&s.quiet);
    skep_udp_wake(u);
    wait_for(&s.quiet, quiet + 1);
    struct skep_udp_stats st;
    skep_udp_stats(u, &st);
    assert_int_equal(st.datagrams, 3);
    assert_int_equal(st.bytes, 5 + sizeof large);
    assert_int_equal(st.kernel_drops, 0);
    assert_true(st.last_ns > 0 && st.receive_buffer_bytes > 0);
    assert_true(skep_str_starts(skep_str_c(st.last_peer), SKEP_STR("127.0.0.1:")));
    close(fd);
    skep_udp_free(u);
}

/* A port that is not read: the kernel keeps what has room, and the rest is counted. */
static void test_pause_and_drops(void **state)
{
    (void)state;
    enum { SENT = 5000 };
    struct seen s = {0};
    struct skep_udp *u = open_port(&s, 64 << 10);
    int fd = sender_to(u);
    atomic_store(&s.pause, true);
    skep_udp_wake(u);
    wait_for(&s.quiet, 1);
    for (int i = 0; i < SENT; i++)
        assert_int_equal(send(fd, "0123456789", 10, 0), 10);
    struct skep_udp_stats st;
    skep_udp_stats(u, &st);
    assert_int_equal(st.datagrams, 0);
    assert_true(st.kernel_drops > 0 && st.kernel_drops < SENT);
    atomic_store(&s.pause, false);
    skep_udp_wake(u);
    wait_for(&s.datagrams, SENT - (unsigned)st.kernel_drops);
    assert_int_equal(send(fd, "last", 4, 0), 4); /* tells the number once more */
    wait_for(&s.datagrams, SENT - (unsigned)st.kernel_drops + 1);
    uint64_t drops = st.kernel_drops;
    skep_udp_stats(u, &st);
    assert_int_equal(st.kernel_drops, drops);
    close(fd);
    skep_udp_free(u);
}

static void test_taken(void **state)
{
    (void)state;
    char address[64];
    struct seen s = {0};
    skep_err err;
    struct skep_udp *u = open_port(&s, 1 << 16), *other = NULL;
    snprintf(address, sizeof address, SKEP_STRFMT, SKEP_STRARG(skep_udp_address(u)));
    struct skep_udp_config cfg = {.listen = address, .flag = "--xray", .fn = receive, .ctx = &s};
    assert_int_equal(skep_udp_open(&cfg, &other, &err), SKEP_EEXISTS);
    assert_non_null(strstr(err.text, "test_net_udp (pid "));
    assert_non_null(strstr(err.text, "--xray"));
    cfg.listen = "nowhere:1";
    assert_int_equal(skep_udp_open(&cfg, &other, &err), SKEP_EINVAL);
    skep_udp_free(u);
    skep_udp_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_receive),
        cmocka_unit_test(test_pause_and_drops),
        cmocka_unit_test(test_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
