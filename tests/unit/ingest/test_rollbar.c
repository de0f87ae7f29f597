// SPDX-License-Identifier: Apache-2.0
/* Rollbar items recorded from pyrollbar 1.4 (Flask) and rollbar.js 3.1 (Node), decoded and compared
 * with committed text, field by field; then what the decoder promises of secrets, addresses, traces
 * and odd items.
 *
 *   build/release/tests/test_rollbar --bless      rewrites the texts; read the difference
 */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "ingest/rollbar.h"
#include "support/batchdump.h"

#define FOLDER "tests/golden/rollbar/"

static bool bless;
static struct skep_arena arena;

static size_t read_file(const char *path, char *out, size_t cap)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("cannot open %s", path);
    size_t n = fread(out, 1, cap - 1, f);
    assert_true(n < cap - 1);
    fclose(f);
    out[n] = 0;
    return n;
}

static struct skep_batch *decode(skep_str json, struct skep_rollbar_report *rep)
{
    struct skep_batch *b = skep_batch_new(NULL, 1795195300000000000);
    const struct skep_rollbar_opts opts = {.peer_ip = SKEP_STR("203.0.113.77"), .arena = &arena};
    skep_rc rc = skep_rollbar_decode(json, &opts, b, rep);
    if (rc != SKEP_OK)
        fail_msg("refused: " SKEP_STRFMT, SKEP_STRARG(rep->error));
    skep_batch_check(b);
    assert_int_equal(b->n_rows, 1);
    return b;
}

/* Every field of the row as text. */
static char *dump(const char *json)
{
    static char text[1 << 16];
    struct skep_rollbar_report rep;
    struct skep_buf out;
    struct skep_batch *b = decode(skep_str_c(json), &rep);
    skep_buf_init(&out, sizeof text - 1);
    skep_batchdump(b, &out);
    assert_false(out.bad);
    memcpy(text, out.p, out.n);
    text[out.n] = 0;
    skep_buf_done(&out);
    skep_batch_free(b);
    return text;
}

static void contains(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no %s in\n%s", part, text);
}

static void lacks(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("%s in\n%s", part, text);
}

static void test_recorded(void **state)
{
    static const char *const all[] = {"pyrollbar-1", "pyrollbar-2", "pyrollbar-3", "pyrollbar-4",
                                      "pyrollbar-5", "node-1",      "node-2"};
    static char json[1 << 16], want[1 << 16];
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++) {
        char path[128];
        snprintf(path, sizeof path, FOLDER "%s.json", all[i]);
        (void)read_file(path, json, sizeof json);
        const char *have = dump(json);
        snprintf(path, sizeof path, FOLDER "%s.txt", all[i]);
        if (bless) {
            FILE *f = fopen(path, "wb");
            assert_non_null(f);
            fputs(have, f);
            fclose(f);
        }
        (void)read_file(path, want, sizeof want);
        assert_string_equal(have, want);
    }
}

#define ITEM(more)                                                                                 \
    "{\"access_token\":\"tok\",\"data\":{\"body\":{\"message\":{\"body\":\"m\"}}" more "}}"

static void test_secrets(void **state)
{
    (void)state;
    const char *t =
        dump(ITEM(",\"request\":{\"url\":\"http://h/p?a=1&token=s3cr3t&b=2\","
                  "\"headers\":{\"Authorization\":\"s3cr3t\",\"X-Api-Key\":[\"s3cr3t\"]}},"
                  "\"custom\":{\"Password\":\"s3cr3t\",\"deep\":{\"pw\":{\"x\":\"s3cr3t\"}}}"));
    lacks(t, "s3cr3t");
    lacks(t, "\"tok\"");
    contains(t, "http://h/p?a=1&token=*****&b=2");
    contains(t, "error.scrubbed");
}

static void test_own_secret_names(void **state)
{
    struct skep_rollbar_report rep;
    static const char *const names[] = {"P-in"};
    const struct skep_rollbar_opts opts = {.scrub = names, .n_scrub = 1, .arena = &arena};
    struct skep_batch *b = skep_batch_new(NULL, 1);
    (void)state;
    assert_int_equal(
        skep_rollbar_decode(SKEP_STR(ITEM(",\"custom\":{\"p_IN\":1,\"password\":2,\"pin\":3}")),
                            &opts, b, &rep),
        SKEP_OK);
    assert_int_equal(rep.scrubbed, 2);
    skep_batch_free(b);
}

static void test_addresses(void **state)
{
    (void)state;
    contains(dump(ITEM(",\"request\":{\"user_ip\":\"$remote_ip\"}")), "203.0.113.77");
    const char *t = dump(ITEM(",\"request\":{\"user_ip\":\"$remote_ip_anonymize\"}"));
    contains(t, "203.0.113.0");
    lacks(t, "203.0.113.77");
    contains(dump(ITEM(",\"request\":{\"user_ip\":\"198.51.100.4\"}")), "198.51.100.4");
}

static void test_traces(void **state)
{
    struct skep_rollbar_report rep;
    static const char *const items[] = {
        ITEM(",\"custom\":{\"trace_id\":\"0102030405060708090a0b0c0d0e0f10\",\"span_id\":"
             "\"1112131415161718\"}"),
        ITEM(",\"attributes\":[{\"key\":\"execution_scope_id\",\"value\":"
             "\"0102030405060708090a0b0c0d0e0f10\"}]"),
        ITEM(",\"request\":{\"headers\":{\"X-Amzn-Trace-Id\":\"Root=1-01020304-"
             "05060708090a0b0c0d0e0f10;Sampled=1\"}}"),
        ITEM(",\"request\":{\"headers\":{\"Traceparent\":\"00-0102030405060708090a0b0c0d0e0f10-"
             "1112131415161718-01\"}}"),
    };
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(items); i++) {
        struct skep_batch *b = decode(skep_str_c(items[i]), &rep);
        for (unsigned k = 0; k < 16; k++)
            assert_int_equal(b->trace_id[0].b[k], k + 1);
        assert_true(i > 0 || b->parent_id[0] != 0);
        skep_batch_free(b);
    }
}

/* The same uuid is the same item in one environment; no uuid is never the same. */
static void test_identity(void **state)
{
    static const uint8_t none[16];
    uint8_t first[16];
    struct skep_rollbar_report rep;
    (void)state;
    struct skep_batch *b = decode(SKEP_STR(ITEM(",\"uuid\":\"u-1\"")), &rep);
    memcpy(first, b->identity, sizeof first);
    assert_memory_not_equal(first, none, sizeof none);
    assert_true(skep_str_eq(rep.uuid, SKEP_STR("u-1")));
    skep_batch_free(b);
    b = decode(SKEP_STR(ITEM(",\"level\":\"debug\",\"uuid\":\"u-1\"")), &rep);
    assert_memory_equal(b->identity, first, sizeof first);
    skep_batch_free(b);
    b = decode(SKEP_STR(ITEM("")), &rep);
    assert_memory_equal(b->identity, none, sizeof none);
    assert_int_equal(rep.uuid.n, 36);
    skep_batch_free(b);
}

static void test_fingerprints(void **state)
{
    (void)state;
    contains(dump("{\"data\":{\"body\":{\"message\":{\"body\":\"testing aobg98wrwe\"}}}}"),
             "c595b2ae0af9b397bb6bdafd57104ac4d5f6b382");
    const char *t = dump(ITEM(",\"fingerprint\":\"mine\""));
    contains(t, "\"mine\"");
    contains(t, "error.fingerprint.computed");
    /* SHA1 of 41 times 'x' */
    contains(dump(ITEM(",\"fingerprint\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"")),
             "9dc0da3613af850c5a018b0a88a5626fb8888e4e");
}

/* rollbar-go writes the newest frame first; the rest of the world last. */
static void test_order_of_go(void **state)
{
    (void)state;
#define GO(notifier)                                                                               \
    "{\"data\":{\"notifier\":{\"name\":\"" notifier "\"},\"body\":{\"trace_chain\":[{\"frames\":[" \
    "{\"filename\":\"/srv/a.go\",\"method\":\"inner\"},{\"filename\":\"/srv/"                      \
    "b.go\",\"method\":\"outer\"}"                                                                 \
    "],\"exception\":{\"class\":\"E\"}}]}}}"
    contains(dump(GO("rollbar-go")), "code.function.name string \"inner\"");
    contains(dump(GO("other")), "code.function.name string \"outer\"");
}

static void test_refused(void **state)
{
    static const struct {
        const char *json;
        skep_rc rc;
    } all[] = {
        {"", SKEP_EMALFORMED},
        {"{", SKEP_EMALFORMED},
        {"[]", SKEP_EINVAL},
        {"{}", SKEP_EINVAL},
        {"{\"data\":7}", SKEP_EINVAL},
        {"{\"data\":{}}", SKEP_EINVAL},
        {"{\"data\":{\"body\":{}}}", SKEP_EINVAL},
        {"{\"data\":{\"body\":{\"trace\":7}}}", SKEP_EINVAL},
        {"{\"data\":{\"body\":{\"trace_chain\":[]}}}", SKEP_EINVAL},
    };
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++) {
        struct skep_rollbar_report rep;
        struct skep_batch *b = skep_batch_new(NULL, 1);
        const struct skep_rollbar_opts opts = {.arena = &arena};
        assert_int_equal(skep_rollbar_decode(skep_str_c(all[i].json), &opts, b, &rep), all[i].rc);
        assert_true(rep.error.n > 0);
        skep_batch_free(b);
    }
}

/* 100,000 objects in each other: kept as far as SKEP_ROLLBAR_DEPTH_MAX. */
static void test_recursive(void **state)
{
    struct skep_rollbar_report rep;
    struct skep_buf json;
    (void)state;
    skep_buf_init(&json, 8 << 20);
    skep_buf_str(&json, SKEP_STR("{\"data\":{\"body\":{\"message\":{\"body\":\"m\"}},\"custom\":"));
    for (int i = 0; i < 100000; i++)
        skep_buf_str(&json, SKEP_STR("{\"a\":"));
    skep_buf_str(&json, SKEP_STR("1"));
    for (int i = 0; i < 100000; i++)
        skep_buf_str(&json, SKEP_STR("}"));
    skep_buf_str(&json, SKEP_STR("}}"));
    struct skep_batch *b = decode(skep_buf_text(&json), &rep);
    assert_true(skep_batch_content_bytes(b) < 16384);
    skep_batch_free(b);
    skep_buf_done(&json);
}

int main(int argc, char **argv)
{
    bless = argc > 1 && strcmp(argv[1], "--bless") == 0;
    skep_arena_init(&arena, "test", NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded),         cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_own_secret_names), cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_traces),           cmocka_unit_test(test_identity),
        cmocka_unit_test(test_fingerprints),     cmocka_unit_test(test_order_of_go),
        cmocka_unit_test(test_refused),          cmocka_unit_test(test_recursive),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    skep_arena_done(&arena);
    return failed;
}
