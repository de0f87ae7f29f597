// SPDX-License-Identifier: Apache-2.0
/* Address ranges: what they take, what they hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "net/cidr.h"

static struct sockaddr_storage address(const char *s)
{
    struct sockaddr_storage a = {0};
    struct sockaddr_in a4 = {.sin_family = AF_INET};
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, s, &a4.sin_addr) == 1)
        memcpy(&a, &a4, sizeof a4);
    else if (inet_pton(AF_INET6, s, &a6.sin6_addr) == 1)
        memcpy(&a, &a6, sizeof a6);
    return a;
}

static bool holds(const char *range, const char *a)
{
    struct skep_cidr c;
    skep_err err = {.text = ""};
    struct sockaddr_storage at = address(a);
    if (skep_cidr_parse(skep_str_c(range), &c, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    return skep_cidr_contains(&c, 1, &at);
}

static void test_contains(void **state)
{
    static const struct {
        const char *range, *in, *out;
    } cases[] = {
        {"10.0.0.0/8", "10.255.1.2", "11.0.0.0"},
        {"10.0.0.0/8", "::ffff:10.1.2.3", "::10.1.2.3"},
        {"192.0.2.7", "192.0.2.7", "192.0.2.6"},
        {"192.0.2.6/31", "192.0.2.7", "192.0.2.8"},
        {"128.0.0.0/1", "255.0.0.1", "127.0.0.1"},
        {"0.0.0.0/0", "8.8.8.8", "fd00::1"},
        {"fd00::/8", "fdff::1", "fe00::1"},
        {"::1", "::1", "::2"},
        {"2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"},
    };
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(cases); i++) {
        assert_true(holds(cases[i].range, cases[i].in));
        assert_false(holds(cases[i].range, cases[i].out));
    }
    assert_true(holds("any", "1.2.3.4") && holds("any", "::1"));
    struct sockaddr_storage unix_socket = {.ss_family = AF_UNIX};
    struct skep_cidr any = {.bits = 0};
    assert_false(skep_cidr_contains(&any, 1, &unix_socket));
    struct sockaddr_storage a = address("1.2.3.4");
    assert_false(skep_cidr_contains(&any, 0, &a));
}

static void test_refused(void **state)
{
    static const char *const bad[] = {"",          "x",           "10.0.0.0/33", "10.0.0.1/8",
                                      "10.0.0/8",  "10.0.0.0/",   "10.0.0.0/-1", "fd00::/129",
                                      "fd00::1/8", "10.0.0.0/8 ", "1.2.3.4/24"};
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(bad); i++) {
        struct skep_cidr c;
        skep_err err = {.text = ""};
        if (skep_cidr_parse(skep_str_c(bad[i]), &c, &err) != SKEP_EINVAL || !err.text[0])
            fail_msg("\"%s\" was taken", bad[i]);
    }
    struct skep_cidr c;
    assert_int_equal(skep_cidr_parse((skep_str){"10.0.0.0\0/8", 11}, &c, NULL), SKEP_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_contains),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
