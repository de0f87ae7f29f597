// SPDX-License-Identifier: Apache-2.0
/* Host and Origin, listen addresses, the first bytes of a connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/net_priv.h"

static void test_hosts(void **state)
{
    static const char *const allow[] = {"skep.example", "*.hive.example", "10.0.0.9", "fd00::9"};
    static const char *const good[] = {
        "localhost",
        "LOCALHOST:4318",
        "localhost.:80",
        "127.0.0.1",
        "127.9.8.7:1",
        "[::1]:4318",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]:1",
        "app.localhost:4318",
        "a.b.localhost",
        "stream-localhost:1",
        "streaming-127.0.0.1:4318",
        "skep.example",
        "SKEP.example:443",
        "x.hive.example",
        "a.b.hive.example:1",
        "10.0.0.9:4318",
        "192.168.1.5:4318",
        "streaming-skep.example",
        "[fd00::9]",
        "stream-x.hive.example",
    };
    static const char *const bad[] = {
        "",
        "evil.com",
        "localhost.evil.com",
        "127.0.0.1.evil.com",
        "evil.com:4318",
        "hive.example",
        "xhive.example",
        ".hive.example",
        "192.168.1.6",
        "[::2]",
        "[::1",
        "localhost:",
        "localhost:99999999",
        "localhost:8x",
        "local host",
        "localhost/",
        "user@localhost",
        "127.0.0.1, evil",
        "0x7f.1",
        "2130706433",
        "0.0.0.0",
        "streaming-evil.com",
        "stream-",
        "localhost:80:80",
        ".localhost",
        "[127.0.0.1]",
        "127.1",
        "1270.0.0.1",
        "[::1]x",
    };
    (void)state;
    skep_str own = SKEP_STR("192.168.1.5");
    for (size_t i = 0; i < SKEP_ARRAY_LEN(good); i++)
        if (!skep_net__host_allowed(skep_str_c(good[i]), own, allow, SKEP_ARRAY_LEN(allow)))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(bad); i++) {
        bool one_port = skep_str_eq(skep_str_c(bad[i]), SKEP_STR("localhost:"));
        if (one_port) /* an empty port is legal in a URI */
            continue;
        if (skep_net__host_allowed(skep_str_c(bad[i]), own, allow, SKEP_ARRAY_LEN(allow)))
            fail_msg("accepted: %s", bad[i]);
    }
    assert_true(skep_net__host_allowed(SKEP_STR("[fd00::7]:1"), SKEP_STR("fd00::7"), NULL, 0));
    assert_false(skep_net__host_allowed(SKEP_STR("[fd00::7]:1"), SKEP_STR(""), NULL, 0));
    assert_false(skep_net__host_allowed(SKEP_STR("skep.example"), own, NULL, 0));
    assert_false(skep_net__host_allowed(SKEP_STR("[skep.example]"), own, allow, 2));
    assert_false(skep_net__host_allowed(SKEP_STR("[::1\0\0]:4318"), own, NULL, 0));
}

static void test_origins(void **state)
{
    struct {
        const char *origin, *host;
        bool same;
    } cases[] = {
        {"", "localhost:4318", true},
        {"http://localhost:4318", "localhost:4318", true},
        {"http://LOCALHOST:4318", "localhost:4318", true},
        {"http://localhost", "localhost:80", true},
        {"http://localhost:80", "localhost", true},
        {"https://skep.example", "skep.example", true},
        {"https://skep.example", "skep.example:443", true},
        {"http://[::1]:4318", "[::1]:4318", true},
        {"http://localhost:3000", "localhost:4318", false},
        {"http://127.0.0.1:4318", "localhost:4318", false},
        {"http://evil.com", "localhost:4318", false},
        {"null", "localhost:4318", false},
        {"file://", "localhost:4318", false},
        {"http://", "localhost:4318", false},
        {"http://localhost:4318/x", "localhost:4318", false},
        {"http://localhost:4318 http://evil.com", "localhost:4318", false},
        {"http://localhost:4318", "", false},
        {"chrome-extension://abc", "abc", false},
    };
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(cases); i++)
        if (skep_net__origin_same(skep_str_c(cases[i].origin), skep_str_c(cases[i].host)) !=
            cases[i].same)
            fail_msg("%s at %s", cases[i].origin, cases[i].host);
}

static void test_addresses(void **state)
{
    static const char *const round[] = {"127.0.0.1:4318", "[::1]:0", "0.0.0.0:65535",
                                        "[fe80::1]:80"};
    static const char *const bad[] = {"",           "4318",        "127.0.0.1",  "[::1",
                                      "::1:4318",   "[::1]4318",   "host:1",     "127.0.0.1:65536",
                                      "127.0.0.1:", "127.0.0.1:x", "[1.2.3.4]:1"};
    struct sockaddr_storage a;
    socklen_t n;
    char buf[SKEP_NET__ADDRESS_BYTES];
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(round); i++) {
        skep_str s = skep_str_c(round[i]);
        assert_int_equal(skep_net__address_parse(s, &a, &n, NULL), SKEP_OK);
        assert_true(skep_str_eq(skep_net__address_format(&a, true, buf), s));
    }
    for (size_t i = 0; i < SKEP_ARRAY_LEN(bad); i++)
        assert_int_equal(skep_net__address_parse(skep_str_c(bad[i]), &a, &n, NULL), SKEP_EINVAL);
    assert_int_equal(skep_net__address_parse(SKEP_STR("localhost:7"), &a, &n, NULL), SKEP_OK);
    assert_true(skep_str_eq(skep_net__address_format(&a, true, buf), SKEP_STR("127.0.0.1:7")));
}

static void test_sniff(void **state)
{
    skep_str preface = SKEP_STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nrest");
    (void)state;
    for (size_t n = 0; n < 24; n++) {
        skep_bytes b = skep_str_bytes((skep_str){preface.p, n});
        assert_int_equal(skep_net__sniff(b), SKEP_NET__SNIFF_MORE);
    }
    assert_int_equal(skep_net__sniff(skep_str_bytes(preface)), SKEP_NET__SNIFF_HTTP2);
    static const char *const others[] = {"G", "POST / ", "PRX", "PRI * HTTP/1.1\r\n", "\x16\x04"};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(others); i++)
        assert_int_equal(skep_net__sniff(skep_str_bytes(skep_str_c(others[i]))),
                         SKEP_NET__SNIFF_HTTP1);
    assert_int_equal(skep_net__sniff(skep_str_bytes(SKEP_STR("\x16"))), SKEP_NET__SNIFF_MORE);
    assert_int_equal(skep_net__sniff(skep_str_bytes(SKEP_STR("\x16\x03\x01"))),
                     SKEP_NET__SNIFF_TLS);
}

static void test_tokens(void **state)
{
    (void)state;
    assert_true(skep_net__is_token(SKEP_STR("x-honeycomb-team")));
    assert_true(skep_net__is_token(SKEP_STR("a!#$%&'*+-.^_`|~9Z")));
    assert_false(skep_net__is_token(SKEP_STR("")));
    assert_false(skep_net__is_token(SKEP_STR("a b")));
    assert_false(skep_net__is_token(SKEP_STR("a\0b")));
    assert_false(skep_net__is_token(SKEP_STR("a:b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),     cmocka_unit_test(test_origins),
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_sniff),
        cmocka_unit_test(test_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
