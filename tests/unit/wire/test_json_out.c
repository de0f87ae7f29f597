// SPDX-License-Identifier: Apache-2.0
/* The JSON writer: commas, escapes, exact numbers, limits. */
#include <cmocka.h>
#include <math.h>
#include <yyjson.h>

#include "wire/json_out.h"

static struct skep_buf buf;
static struct skep_json json;

static int set_up(void **state)
{
    (void)state;
    skep_buf_init(&buf, 1 << 16);
    skep_json_init(&json, &buf);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    skep_buf_done(&buf);
    return 0;
}

static void expect(const char *want)
{
    skep_str have = skep_buf_text(&buf);
    assert_int_equal(have.n, strlen(want));
    assert_memory_equal(have.p, want, have.n);
}

static void test_nesting(void **state)
{
    (void)state;
    skep_json_object(&json);
    skep_json_key(&json, SKEP_STR("a"));
    skep_json_array(&json);
    skep_json_i64(&json, 1);
    skep_json_array(&json);
    skep_json_end(&json);
    skep_json_object(&json);
    skep_json_end(&json);
    skep_json_null(&json);
    skep_json_end(&json);
    skep_json_put_bool(&json, SKEP_STR("b"), true);
    skep_json_put_i64_str(&json, SKEP_STR("c"), INT64_MIN);
    skep_json_key(&json, SKEP_STR("d"));
    skep_json_raw(&json, SKEP_STR("{\"x\":[]}"));
    skep_json_end(&json);
    expect("{\"a\":[1,[],{},null],\"b\":true,\"c\":\"-9223372036854775808\",\"d\":{\"x\":[]}}");
}

static void test_numbers(void **state)
{
    static const double edge[] = {0.0,
                                  -0.0,
                                  1.0,
                                  0.1,
                                  1e21,
                                  5e-324,
                                  1.7976931348623157e308,
                                  1.0 / 3.0,
                                  9007199254740993.0,
                                  123456789012.5};
    (void)state;
    for (size_t i = 0; i < sizeof edge / sizeof edge[0]; i++) {
        char text[SKEP_JSON_NUMBER_BYTES];
        double back = 0;
        size_t n = skep_json_f64_text(edge[i], text);
        assert_true(n > 0);
        assert_true(skep_str_f64((skep_str){text, n}, &back));
        assert_memory_equal(&back, &edge[i], sizeof back);
    }
    skep_json_array(&json);
    skep_json_f64(&json, 1.0);
    skep_json_f64(&json, 0.1);
    skep_json_f64(&json, NAN);
    skep_json_f64(&json, -INFINITY);
    skep_json_u64(&json, UINT64_MAX);
    skep_json_i64(&json, -7);
    skep_json_end(&json);
    expect("[1.0,0.1,null,null,18446744073709551615,-7]");
}

static void test_escapes(void **state)
{
    (void)state;
    skep_json_str(&json, SKEP_STR("a\"\\\n\x01\x7f \xc3\xa9 \xff \xe2\x82"));
    expect("\"a\\\"\\\\\\n\\u0001\\u007f \xc3\xa9 \xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd\"");
}

/* Every byte string becomes a document that a strict reader takes. */
static void test_always_valid(void **state)
{
    uint32_t seed = 12345;
    (void)state;
    for (int round = 0; round < 2000; round++) {
        char raw[48];
        for (size_t i = 0; i < sizeof raw; i++) {
            seed = seed * 1664525u + 1013904223u;
            raw[i] = (char)(seed >> 24);
        }
        skep_buf_reset(&buf);
        skep_json_init(&json, &buf);
        skep_json_str(&json, (skep_str){raw, sizeof raw});
        yyjson_doc *doc = yyjson_read((const char *)buf.p, buf.n, 0);
        assert_non_null(doc);
        yyjson_doc_free(doc);
    }
}

static void test_limit(void **state)
{
    struct skep_buf small;
    (void)state;
    skep_buf_init(&small, 8);
    skep_json_init(&json, &small);
    skep_json_str(&json, SKEP_STR("longer than eight"));
    assert_true(small.bad);
    skep_buf_done(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nesting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_escapes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_always_valid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limit, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
