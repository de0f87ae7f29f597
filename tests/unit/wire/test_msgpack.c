// SPDX-License-Identifier: Apache-2.0
/* MessagePack against the JSON it stands for, every head of its format, and every cut of each. */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "wire/json_in.h"
#include "wire/msgpack.h"

static skep_rc read_text(const uint8_t *p, size_t n, char *out, size_t cap, skep_err *err)
{
    const yyjson_alc alc = skep_json_alc(NULL);
    yyjson_doc *doc = NULL;
    skep_rc rc = skep_msgpack_read((skep_bytes){p, n}, &alc, &doc, err);
    if (rc != SKEP_OK)
        return rc;
    size_t len = 0;
    char *text = yyjson_write(doc, YYJSON_WRITE_ALLOW_INF_AND_NAN, &len);
    assert_non_null(text);
    assert_true(len < cap);
    memcpy(out, text, len + 1);
    free(text); // tidy: allow banned: yyjson's own allocation
    yyjson_doc_free(doc);
    return SKEP_OK;
}

#define B(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static const struct {
    const uint8_t *p;
    size_t n;
    const char *json;
} good[] = {
    {B(0x00), "0"},
    {B(0x7f), "127"},
    {B(0xe0), "-32"},
    {B(0xff), "-1"},
    {B(0xc0), "null"},
    {B(0xc2), "false"},
    {B(0xc3), "true"},
    {B(0xcc, 0xff), "255"},
    {B(0xcd, 0x01, 0x00), "256"},
    {B(0xce, 0, 1, 0, 0), "65536"},
    {B(0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), "18446744073709551615"},
    {B(0xd0, 0x80), "-128"},
    {B(0xd1, 0x80, 0x00), "-32768"},
    {B(0xd2, 0xff, 0xff, 0xff, 0xfe), "-2"},
    {B(0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0), "-9223372036854775808"},
    {B(0xca, 0x3f, 0xc0, 0, 0), "1.5"},
    {B(0xcb, 0x3f, 0xb9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a), "0.1"},
    {B(0xcb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0), "Infinity"},
    {B(0xa0), "\"\""},
    {B(0xa3, 'a', '"', 0x01), "\"a\\\"\\u0001\""},
    {B(0xd9, 2, 0xc3, 0xa4), "\"\xc3\xa4\""},
    {B(0xda, 0, 1, 'x'), "\"x\""},
    {B(0xdb, 0, 0, 0, 1, 'x'), "\"x\""},
    {B(0xa3, 'a', 0xff, 'b'), "\"a\xef\xbf\xbd"
                              "b\""},
    {B(0xc4, 2, 1, 2), "\"AQI=\""},
    {B(0xc5, 0, 1, 0xff), "\"/w==\""},
    {B(0xc6, 0, 0, 0, 0), "\"\""},
    {B(0xd6, 0xff, 0x69, 0x2b, 0x69, 0x70), "\"2025-11-29T21:45:20.000000000Z\""},
    {B(0xd7, 0xff, 0, 0, 0, 4, 0x69, 0x2b, 0x69, 0x70), "\"2025-11-29T21:45:20.000000001Z\""},
    {B(0xc7, 12, 0xff, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
     "\"1969-12-31T23:59:59.000000001Z\""},
    {B(0xd4, 5, 0xff), "\"/w==\""},
    {B(0xd8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), "\"AAAAAAAAAAAAAAAAAAAAAA==\""},
    {B(0xc8, 0, 1, 9, 0xff), "\"/w==\""},
    {B(0xc9, 0, 0, 0, 1, 9, 0xff), "\"/w==\""},
    {B(0x90), "[]"},
    {B(0x93, 1, 0xa1, 'x', 0x91, 2), "[1,\"x\",[2]]"},
    {B(0xdc, 0, 1, 1), "[1]"},
    {B(0xdd, 0, 0, 0, 1, 1), "[1]"},
    {B(0x80), "{}"},
    {B(0x82, 0xa1, 'a', 1, 0xa1, 'b', 0x80), "{\"a\":1,\"b\":{}}"},
    {B(0xde, 0, 1, 0xa1, 'a', 1), "{\"a\":1}"},
    {B(0xdf, 0, 0, 0, 1, 0xa1, 'a', 1), "{\"a\":1}"},
    {B(0x83, 5, 1, 0xff, 2, 0xc3, 3), "{\"5\":1,\"-1\":2,\"true\":3}"},
};

static void test_values(void **state)
{
    char text[256];
    skep_err err;
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(good); i++) {
        assert_int_equal(read_text(good[i].p, good[i].n, text, sizeof text, &err), SKEP_OK);
        assert_string_equal(text, good[i].json);
        for (size_t n = 0; n < good[i].n; n++) /* in memory of its own: no octet behind is there */
            assert_int_equal(read_text(good[i].p, n, text, sizeof text, &err), SKEP_EMALFORMED);
    }
}

static const struct {
    const uint8_t *p;
    size_t n;
    const char *why;
} bad[] = {
    {B(0xc1), "a byte that begins nothing at byte 1"},
    {B(1, 2), "more than one value at byte 1"},
    {B(0xdd, 0xff, 0xff, 0xff, 0xff, 1), "MessagePack ends early at byte 5"},
    {B(0xdf, 0xff, 0xff, 0xff, 0xff, 1), "MessagePack ends early at byte 5"},
    {B(0xdb, 0xff, 0xff, 0xff, 0xff, 'x'), "MessagePack ends early at byte 5"},
    {B(0x81, 0xc0, 1), "a key that is no text at byte 2"},
    {B(0x81, 0x90, 1), "values nested too deeply at byte 2"},
};

static void test_malformed(void **state)
{
    char text[256];
    skep_err err;
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(bad); i++) {
        assert_int_equal(read_text(bad[i].p, bad[i].n, text, sizeof text, &err), SKEP_EMALFORMED);
        assert_string_equal(err.text, bad[i].why);
    }
    uint8_t deep[200];
    memset(deep, 0x91, sizeof deep);
    deep[SKEP_MSGPACK_DEPTH_MAX] = 0;
    assert_int_equal(read_text(deep, SKEP_MSGPACK_DEPTH_MAX + 1, text, sizeof text, &err), SKEP_OK);
    memset(deep, 0x91, sizeof deep);
    assert_int_equal(read_text(deep, sizeof deep, text, sizeof text, &err), SKEP_EMALFORMED);
}

static void test_memory(void **state)
{
    struct skep_budget budget;
    skep_err err;
    (void)state;
    for (uint64_t most = 0; most < 4096; most += 64) {
        skep_budget_init(&budget, "msgpack", most, NULL);
        const yyjson_alc alc = skep_json_alc(&budget);
        yyjson_doc *doc = NULL;
        for (size_t i = 0; i < SKEP_ARRAY_LEN(good); i++) {
            skep_rc rc = skep_msgpack_read((skep_bytes){good[i].p, good[i].n}, &alc, &doc, &err);
            assert_true(rc == SKEP_OK || rc == SKEP_ENOMEM);
            if (rc == SKEP_OK)
                yyjson_doc_free(doc);
            assert_int_equal(skep_budget_used(&budget), 0);
        }
    }
}

static void test_writing(void **state)
{
    static const uint64_t numbers[] = {0,     127,   128,        255,        256,
                                       65535, 65536, 4294967295, 4294967296, UINT64_MAX};
    struct skep_buf out;
    char text[256], want[256];
    skep_err err;
    (void)state;
    skep_buf_init(&out, 1 << 20);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(numbers); i++) {
        skep_buf_reset(&out);
        skep_msgpack_u64(&out, numbers[i]);
        assert_int_equal(read_text(out.p, out.n, text, sizeof text, &err), SKEP_OK);
        snprintf(want, sizeof want, "%llu", (unsigned long long)numbers[i]);
        assert_string_equal(text, want);
    }
    static const uint32_t sizes[] = {0, 15, 16, 31, 32, 65535, 65536};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(sizes); i++) {
        const yyjson_alc alc = skep_json_alc(NULL);
        yyjson_doc *doc = NULL;
        skep_buf_reset(&out);
        skep_msgpack_array(&out, sizes[i]);
        for (uint32_t k = 0; k < sizes[i]; k++)
            skep_msgpack_map(&out, 0);
        assert_int_equal(skep_msgpack_read(skep_buf_bytes(&out), &alc, &doc, &err), SKEP_OK);
        assert_int_equal(yyjson_arr_size(yyjson_doc_get_root(doc)), sizes[i]);
        yyjson_doc_free(doc);
        char *long_text = calloc(1, sizes[i] + 1); // tidy: allow banned: a test's own
        memset(long_text, 'x', sizes[i]);
        skep_buf_reset(&out);
        skep_msgpack_str(&out, (skep_str){long_text, sizes[i]});
        assert_int_equal(skep_msgpack_read(skep_buf_bytes(&out), &alc, &doc, &err), SKEP_OK);
        assert_int_equal(yyjson_get_len(yyjson_doc_get_root(doc)), sizes[i]);
        yyjson_doc_free(doc);
        free(long_text); // tidy: allow banned: a test's own
    }
    skep_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
