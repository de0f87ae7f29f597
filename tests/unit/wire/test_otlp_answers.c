// SPDX-License-Identifier: Apache-2.0
/* What a receiver answers, byte for byte or read back. */
#include <cmocka.h>

#include "wire/otlp.h"

static struct skep_buf buf;

static int set_up(void **state)
{
    (void)state;
    skep_buf_init(&buf, 4096);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    skep_buf_done(&buf);
    return 0;
}

static void expect_text(const char *want)
{
    skep_str have = skep_buf_text(&buf);
    assert_int_equal(have.n, strlen(want));
    assert_memory_equal(have.p, want, have.n);
    skep_buf_reset(&buf);
}

/* The first field with this tag in a message. */
static skep_pb_field get(skep_bytes message, uint32_t tag)
{
    struct skep_pb_ctx ctx;
    skep_pb_field f;
    skep_pb c = skep_pb_make(&ctx, message);
    while (skep_pb_next(&c, &f)) {
        if (f.tag == tag)
            return f;
    }
    assert_null(ctx.error);
    return (skep_pb_field){0};
}

static void test_success_is_empty(void **state)
{
    (void)state;
    skep_otlp_response_pb(&buf, 0, SKEP_STR_NULL);
    assert_int_equal(buf.n, 0);
    skep_otlp_response_json(&buf, SKEP_OTLP_LOGS, 0, SKEP_STR_NULL);
    expect_text("{}");
}

static void test_partial_success(void **state)
{
    (void)state;
    skep_otlp_response_pb(&buf, 300, SKEP_STR("why"));
    skep_bytes partial = get(skep_buf_bytes(&buf), SKEP_PB_TAG(1, LEN)).bytes;
    assert_int_equal(get(partial, SKEP_PB_TAG(1, VARINT)).u, 300);
    assert_true(
        skep_str_eq(skep_bytes_str(get(partial, SKEP_PB_TAG(2, LEN)).bytes), SKEP_STR("why")));
    skep_buf_reset(&buf);
    skep_otlp_response_json(&buf, SKEP_OTLP_TRACES, 3, SKEP_STR("a \"b\""));
    expect_text("{\"partialSuccess\":{\"rejectedSpans\":\"3\",\"errorMessage\":\"a \\\"b\\\"\"}}");
    skep_otlp_response_json(&buf, SKEP_OTLP_LOGS, 1, SKEP_STR_NULL);
    expect_text("{\"partialSuccess\":{\"rejectedLogRecords\":\"1\"}}");
    skep_otlp_response_json(&buf, SKEP_OTLP_METRICS, 0, SKEP_STR("w"));
    expect_text("{\"partialSuccess\":{\"errorMessage\":\"w\"}}");
}

static void test_status(void **state)
{
    (void)state;
    struct skep_otlp_status s = {
        .code = 3, .message = SKEP_STR("no"), .bad_field = SKEP_STR("body"), .retry_after_s = 7};
    skep_otlp_status_json(&buf, &s);
    expect_text("{\"code\":3,\"message\":\"no\"}");
    skep_otlp_status_pb(&buf, &s);
    skep_bytes all = skep_buf_bytes(&buf);
    assert_int_equal(get(all, SKEP_PB_TAG(1, VARINT)).u, 3);
    assert_true(skep_str_eq(skep_bytes_str(get(all, SKEP_PB_TAG(2, LEN)).bytes), SKEP_STR("no")));
    struct skep_pb_ctx ctx;
    skep_pb_field f;
    skep_pb c = skep_pb_make(&ctx, all);
    unsigned n = 0;
    while (skep_pb_next(&c, &f)) {
        if (f.tag != SKEP_PB_TAG(3, LEN))
            continue;
        skep_str url = skep_bytes_str(get(f.bytes, SKEP_PB_TAG(1, LEN)).bytes);
        skep_bytes inner = get(get(f.bytes, SKEP_PB_TAG(2, LEN)).bytes, SKEP_PB_TAG(1, LEN)).bytes;
        if (n++ == 0) {
            assert_true(skep_str_eq(url, SKEP_STR("type.googleapis.com/google.rpc.BadRequest")));
            assert_true(skep_str_eq(skep_bytes_str(get(inner, SKEP_PB_TAG(1, LEN)).bytes),
                                    SKEP_STR("body")));
        } else {
            assert_true(skep_str_eq(url, SKEP_STR("type.googleapis.com/google.rpc.RetryInfo")));
            assert_int_equal(get(inner, SKEP_PB_TAG(1, VARINT)).u, 7);
        }
    }
    assert_int_equal(n, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_success_is_empty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_partial_success, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_status, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
