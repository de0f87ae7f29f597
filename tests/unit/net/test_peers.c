// SPDX-License-Identifier: Apache-2.0
/* The table of addresses: limits hold for each address, addresses that come and go do not make it
 * grow, loopback is counted only when asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/net_priv.h"

static struct skep_net__who v4(unsigned a, unsigned b, unsigned c, unsigned d)
{
    struct skep_net__who w = {{[10] = 0xff,
                               [11] = 0xff,
                               [12] = (uint8_t)a,
                               [13] = (uint8_t)b,
                               [14] = (uint8_t)c,
                               [15] = (uint8_t)d}};
    return w;
}

static void test_connections(void **state)
{
    struct skep_net_config cfg = {.connections_max = 100, .address_connections = 3};
    struct skep_net__peers *t = skep_net__peers_new(&cfg);
    struct skep_net__who a = v4(192, 0, 2, 1);
    struct skep_net__who b = v4(192, 0, 2, 2);
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_true(skep_net__peers_enter(t, &a));
    assert_false(skep_net__peers_enter(t, &a));
    assert_true(skep_net__peers_enter(t, &b)); /* another address is not touched by it */
    skep_net__peers_leave(t, &a);
    assert_true(skep_net__peers_enter(t, &a));
    assert_false(skep_net__peers_enter(t, &a));
    /* Many more addresses than entries come and go; those with connections are not forgotten. */
    for (unsigned i = 0; i < 5000; i++) {
        struct skep_net__who w = v4(10, 1, i / 256, i % 256);
        assert_true(skep_net__peers_enter(t, &w));
        skep_net__peers_leave(t, &w);
    }
    assert_false(skep_net__peers_enter(t, &a));
    for (int i = 0; i < 3; i++)
        skep_net__peers_leave(t, &a);
    skep_net__peers_leave(t, &b);
    skep_net__peers_free(t);
}

/* Every entry has a connection: a new address has to wait, nothing grows. */
static void test_full(void **state)
{
    struct skep_net_config cfg = {.connections_max = 100, .address_connections = 3};
    struct skep_net__peers *t = skep_net__peers_new(&cfg);
    unsigned n = 0;
    (void)state;
    for (; n < 100000; n++) {
        struct skep_net__who w = v4(10, n >> 16, n >> 8 & 255, n & 255);
        if (!skep_net__peers_enter(t, &w))
            break;
    }
    assert_true(n >= 200 && n <= 4096);
    for (unsigned i = 0; i < n; i++) {
        struct skep_net__who w = v4(10, i >> 16, i >> 8 & 255, i & 255);
        skep_net__peers_leave(t, &w);
    }
    struct skep_net__who w = v4(198, 51, 100, 1);
    assert_true(skep_net__peers_enter(t, &w));
    skep_net__peers_leave(t, &w);
    skep_net__peers_free(t);
}

/* Whoever has a /64 of IPv6 is one address. */
static void test_ipv6(void **state)
{
    struct skep_net_config cfg = {.connections_max = 100, .address_connections = 2};
    struct skep_net__peers *t = skep_net__peers_new(&cfg);
    struct skep_net__who a = {{0x20, 1, 0xd, 0xb8, [15] = 1}};
    struct skep_net__who b = a;
    struct skep_net__who other = a;
    (void)state;
    b.address[9] = 77;
    other.address[7] = 1;
    assert_true(skep_net__peers_enter(t, &a));
    assert_true(skep_net__peers_enter(t, &b));
    assert_false(skep_net__peers_enter(t, &a));
    assert_true(skep_net__peers_enter(t, &other));
    skep_net__peers_leave(t, &b);
    skep_net__peers_leave(t, &a);
    skep_net__peers_leave(t, &other);
    skep_net__peers_free(t);
}

static void test_requests(void **state)
{
    struct skep_net_config cfg = {.connections_max = 100, .address_requests = 10};
    struct skep_net__peers *t = skep_net__peers_new(&cfg);
    struct skep_net__who a = v4(192, 0, 2, 1);
    struct skep_net__who b = v4(192, 0, 2, 2);
    uint64_t now = skep_net__now_ms() + 10;
    unsigned passed = 0;
    (void)state;
    while (passed < 100 && skep_net__peers_request(t, &a, now) == 0)
        passed++;
    assert_int_equal(passed, 20); /* two seconds' worth at once */
    assert_int_equal(skep_net__peers_request(t, &a, now + 99), 1);
    assert_int_equal(skep_net__peers_request(t, &a, now + 100), 0); /* a tenth of a second: one */
    assert_int_equal(skep_net__peers_request(t, &a, now + 100), 1);
    assert_int_equal(skep_net__peers_request(t, &b, now), 0);
    assert_int_equal(skep_net__peers_request(t, &a, now + UINT64_C(1000000000000)), 0);
    skep_net__peers_free(t);
}

static void test_loopback(void **state)
{
    struct skep_net_config cfg = {
        .connections_max = 100, .address_connections = 1, .address_requests = 1};
    struct skep_net__who all[2] = {v4(127, 0, 0, 9), {{[15] = 1}}};
    (void)state;
    for (unsigned i = 0; i < SKEP_ARRAY_LEN(all); i++) {
        struct skep_net__peers *t = skep_net__peers_new(&cfg);
        for (int k = 0; k < 10; k++) {
            assert_true(skep_net__peers_enter(t, &all[i]));
            assert_int_equal(skep_net__peers_request(t, &all[i], 1000), 0);
        }
        skep_net__peers_free(t);
        cfg.address_loopback = true;
        t = skep_net__peers_new(&cfg);
        assert_true(skep_net__peers_enter(t, &all[i]));
        assert_false(skep_net__peers_enter(t, &all[i]));
        skep_net__peers_free(t);
        cfg.address_loopback = false;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections), cmocka_unit_test(test_full),
        cmocka_unit_test(test_ipv6),        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_loopback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
