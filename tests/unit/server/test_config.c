// SPDX-License-Identifier: Apache-2.0
/* Flags, environment, defaults; sizes, times, loopback addresses. */
#include <cmocka.h>

#include "server/config.h"

struct env {
    const char *const *pairs; /* name, value, ..., NULL */
};

static const char *find(void *ctx, const char *name)
{
    const struct env *e = ctx;
    for (size_t i = 0; e->pairs && e->pairs[i]; i += 2)
        if (strcmp(e->pairs[i], name) == 0)
            return e->pairs[i + 1];
    return NULL;
}

static skep_rc read_config(const char *const *argv, const char *const *env,
                           struct skep_arena *arena, struct skep_config *ret, skep_err *err)
{
    struct env e = {env};
    int argc = 0;
    while (argv[argc])
        argc++;
    return skep_config_read(argc, (char *const *)argv, find, &e, arena, ret, err);
}

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NONE      ((const char *const[]){NULL})

static void test_defaults(void **state)
{
    struct skep_arena a;
    struct skep_config c;
    skep_err err;
    (void)state;
    skep_arena_init(&a, "test", NULL);
    assert_int_equal(read_config(NONE, NULL, &a, &c, &err), SKEP_OK);
    assert_string_equal(c.data, "skep-data");
    assert_int_equal(c.listen.n, 2);
    assert_string_equal(c.listen.items[0], "127.0.0.1:4318");
    assert_string_equal(c.listen.items[1], "[::1]:4318");
    assert_int_equal(c.grpc.n, 2);
    assert_int_equal(c.allow_host.n, 0);
    assert_int_equal(c.xray.n, 1);
    assert_string_equal(c.xray.items[0], "127.0.0.1:2000");
    assert_int_equal(c.xray_allow.n, 2);
    assert_string_equal(c.xray_environment, "default");
    assert_int_equal(c.xray_document_bytes, 1 << 20);
    assert_int_equal(c.memory_bytes, 256ull << 20);
    assert_int_equal(c.disk_bytes, 20ull << 30);
    assert_int_equal(c.retain_ns, 30ll * 86400 * 1000000000);
    assert_int_equal(c.self_probe_ns, 60ll * 1000000000);
    assert_int_equal(c.log_level, SKEP_LOG_INFO);
    assert_true(c.kept_answers);
    assert_false(c.self_trace);
    skep_arena_done(&a);
}

static void test_sources(void **state)
{
    static const char *const env[] = {
        "SKEP_MEMORY", "1G", "SKEP_RETAIN", "7d", "SKEP_ALLOW_HOST", "a.example, *.b.example",
        NULL};
    struct skep_arena a;
    struct skep_config c;
    skep_err err;
    (void)state;
    skep_arena_init(&a, "test", NULL);
    assert_int_equal(read_config(ARGV("--memory", "512M", "--listen=127.0.0.1:0", "--listen",
                                      "localhost:1", "--grpc", "none"),
                                 env, &a, &c, &err),
                     SKEP_OK);
    assert_int_equal(c.memory_bytes, 512ull << 20); /* the flag wins */
    assert_int_equal(c.retain_ns, 7ll * 86400 * 1000000000);
    assert_int_equal(c.listen.n, 2);
    assert_string_equal(c.listen.items[1], "localhost:1");
    assert_int_equal(c.grpc.n, 0);
    assert_int_equal(c.allow_host.n, 2);
    assert_string_equal(c.allow_host.items[1], "*.b.example");
    skep_arena_done(&a);
}

static void refused(const char *const *argv, const char *const *env, const char *text)
{
    struct skep_arena a;
    struct skep_config c;
    skep_err err;
    skep_arena_init(&a, "test", NULL);
    assert_int_equal(read_config(argv, env, &a, &c, &err), SKEP_EINVAL);
    if (!strstr(err.text, text))
        fail_msg("says '%s', nothing of '%s'", err.text, text);
    skep_arena_done(&a);
}

static void test_mistakes(void **state)
{
    static const char *const env[] = {"SKEP_DISK", "lots", NULL};
    (void)state;
    refused(ARGV("x"), NULL, "unexpected argument");
    refused(ARGV("--nope", "1"), NULL, "unknown flag '--nope'");
    refused(ARGV("--memory"), NULL, "needs a value");
    refused(ARGV("--memory", "1M"), NULL, "64M");
    refused(ARGV("--memory", "1G", "--memory", "2G"), NULL, "twice");
    refused(ARGV("--disk", "1"), NULL, "64M");
    refused(ARGV("--retain", "30"), NULL, "30d");
    refused(ARGV("--self-probe", "10ms"), NULL, "at least 1s");
    refused(ARGV("--kept-answers", "maybe"), NULL, "on or off");
    refused(ARGV("--log-level", "loud"), NULL, "debug");
    refused(ARGV("--listen", ""), NULL, "HOST:PORT");
    refused(ARGV("--listen", "127.0.0.1"), NULL, "HOST:PORT");
    refused(ARGV("--listen", "::1:4318"), NULL, "HOST:PORT");
    refused(ARGV("--listen", "127.0.0.1:65536"), NULL, "HOST:PORT");
    refused(ARGV("--listen", "0.0.0.0:4318", "--auth", "open"), NULL, "loopback");
    refused(ARGV("--grpc", "example.com:4317", "--auth=open"), NULL, "--grpc example.com:4317");
    refused(ARGV("--auth", "none"), NULL, "open or keys");
    refused(ARGV("--tls-cert", "a.pem"), NULL, "both or none");
    refused(ARGV("--tls-key", "a.key"), NULL, "both or none");
    refused(ARGV("--tls-client-ca", "a.pem"), NULL, "needs --tls-cert");
    refused(ARGV("--tls", "maybe"), NULL, "require or allow");
    refused(ARGV("--tls-client-cert", "all"), NULL, "needs --tls-client-ca");
    refused(ARGV("--tls-client-cert", "some"), NULL, "off, ingest or all");
    refused(ARGV("--address-connections", "many"), NULL, "auto or a number");
    refused(ARGV("--address-requests", "10000000"), NULL, "auto or a number");
    refused(ARGV("--idle-timeout", "0"), NULL, "1s to 1d");
    refused(ARGV("--idle-timeout", "2d"), NULL, "1s to 1d");
    refused(ARGV("--xray", "0.0.0.0:2000", "--auth", "open"), NULL, "loopback");
    refused(ARGV("--xray", "2000"), NULL, "HOST:PORT");
    refused(ARGV("--xray-allow", "10.0.0.1/8"), NULL, "ranges");
    refused(ARGV("--xray-environment", ""), NULL, "a name");
    refused(ARGV("--xray-document-size", "5M"), NULL, "up to 4M");
    refused(NONE, env, "environment variable of disk: 'lots'");
}

static void test_tls(void **state)
{
    struct skep_arena a;
    struct skep_config c;
    skep_err err;
    (void)state;
    skep_arena_init(&a, "test", NULL);
    assert_int_equal(read_config(NONE, NULL, &a, &c, &err), SKEP_OK);
    assert_null(c.tls.cert);
    assert_int_equal(c.address_connections, 1024);
    assert_int_equal(c.address_requests, 5000);
    assert_int_equal(c.idle_timeout_s, 120);
    assert_false(c.address_loopback);
    assert_int_equal(read_config(ARGV("--tls-cert", "c", "--tls-key", "k", "--tls-client-ca", "a",
                                      "--address-requests", "0"),
                                 NULL, &a, &c, &err),
                     SKEP_OK);
    assert_string_equal(c.tls.cert, "c");
    assert_false(c.tls.allow_plain);
    assert_int_equal(c.tls.client_cert, SKEP_CLIENT_CERT_INGEST);
    assert_int_equal(c.address_requests, 0);
    assert_true(c.address_loopback);
    assert_int_equal(read_config(ARGV("--tls-cert=c", "--tls-key=k", "--tls-client-ca=a", "--tls",
                                      "allow", "--tls-client-cert", "off"),
                                 NULL, &a, &c, &err),
                     SKEP_OK);
    assert_true(c.tls.allow_plain);
    assert_int_equal(c.tls.client_cert, SKEP_CLIENT_CERT_OFF);
    skep_arena_done(&a);
}

static bool asks_for_keys(const char *const *argv)
{
    struct skep_arena a;
    struct skep_config c;
    skep_err err;
    skep_arena_init(&a, "test", NULL);
    assert_int_equal(read_config(argv, NULL, &a, &c, &err), SKEP_OK);
    skep_arena_done(&a);
    return c.auth_keys;
}

/* Open where only this machine comes in, keys wherever else. */
static void test_auth(void **state)
{
    (void)state;
    assert_false(asks_for_keys(NONE));
    assert_false(asks_for_keys(ARGV("--auth", "open")));
    assert_true(asks_for_keys(ARGV("--auth", "keys")));
    assert_true(asks_for_keys(ARGV("--listen", "0.0.0.0:4318")));
    assert_true(asks_for_keys(ARGV("--grpc", "[::]:4317")));
    assert_true(asks_for_keys(ARGV("--listen", "192.0.2.1:4318", "--auth", "keys")));
}

static void test_help(void **state)
{
    struct skep_arena a;
    struct skep_config c;
    struct skep_buf b;
    skep_err err;
    (void)state;
    skep_arena_init(&a, "test", NULL);
    assert_int_equal(read_config(ARGV("--help"), NULL, &a, &c, &err), SKEP_ECANCELED);
    skep_buf_init(&b, 1 << 16);
    skep_config_help(&b);
    assert_true(skep_str_find(skep_buf_text(&b), SKEP_STR("--retain TIME")) != SIZE_MAX);
    skep_buf_done(&b);
    skep_arena_done(&a);
}

static void test_sizes(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"0", 0},           {"12", 12},       {"1K", 1024}, {"2m", 2 << 20}, {"3GiB", 3ull << 30},
        {"1T", 1ull << 40}, {"5MB", 5 << 20}, {"7B", 7}};
    static const char *const bad[] = {"", "K", "-1", "1.5G", "1X", "99999999999T", "1 G"};
    uint64_t n;
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(good); i++) {
        assert_true(skep_parse_size(skep_str_c(good[i].text), &n));
        assert_int_equal(n, good[i].bytes);
    }
    for (size_t i = 0; i < SKEP_ARRAY_LEN(bad); i++)
        assert_false(skep_parse_size(skep_str_c(bad[i]), &n));
}

static void test_durations(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"0", 0},
                {"5ms", 5000000},
                {"5s", 5000000000},
                {"2m", 120000000000},
                {"1h", 3600000000000},
                {"1d", 86400000000000},
                {"1w", 604800000000000}};
    static const char *const bad[] = {"", "5", "s", "1.5h", "-1h", "9999999w", "1y"};
    int64_t ns;
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(good); i++) {
        assert_true(skep_parse_duration(skep_str_c(good[i].text), &ns));
        assert_int_equal(ns, good[i].ns);
    }
    for (size_t i = 0; i < SKEP_ARRAY_LEN(bad); i++)
        assert_false(skep_parse_duration(skep_str_c(bad[i]), &ns));
}

static void test_loopback(void **state)
{
    static const char *const yes[] = {"127.0.0.1:1", "127.1.2.3:0", "[::1]:4318", "localhost:80",
                                      "LOCALHOST:80"};
    static const char *const no[] = {
        "0.0.0.0:1",        "10.0.0.1:1",    "[::]:1",
        "example.com:1",    "127.0.0.1",     "127.0.0.1.evil.example:1",
        "127.0.0:1",        "127.0.0.256:1", "::1:1",
        "localhost.evil:1", "1127.0.0.1:1"};
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(yes); i++)
        if (!skep_is_loopback(skep_str_c(yes[i])))
            fail_msg("%s", yes[i]);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(no); i++)
        if (skep_is_loopback(skep_str_c(no[i])))
            fail_msg("%s", no[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_sources),
        cmocka_unit_test(test_mistakes), cmocka_unit_test(test_help),
        cmocka_unit_test(test_sizes),    cmocka_unit_test(test_durations),
        cmocka_unit_test(test_loopback), cmocka_unit_test(test_tls),
        cmocka_unit_test(test_auth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
