// SPDX-License-Identifier: Apache-2.0
/* OTLP/JSON: what is tolerated, what is refused and where, and the same rows as protobuf. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "enc.h"
#include "ingest/otlp.h"
#include "support/batchdump.h"

static struct skep_batch *b;
static struct skep_otlp_report rep;
static skep_err err;

static int set_up(void **state)
{
    (void)state;
    b = skep_batch_new(NULL, 5);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    skep_batch_free(b);
    return 0;
}

static skep_rc decode(enum skep_otlp_signal signal, const char *text)
{
    skep_batch_free(b);
    b = skep_batch_new(NULL, 5);
    skep_rc rc = skep_otlp_decode_json(signal, bytes_of(text), b, NULL, &rep, &err);
    if (rc == SKEP_OK)
        skep_batch_check(b);
    return rc;
}

#define SPAN(fields)                                                                               \
    "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{"                                           \
    "\"traceId\":\"5B8EFFF798038103D269B633813FC60C\",\"spanId\":\"EEE19B7EC3C1B174\"," fields     \
    "}]}]}]}"
#define ATTR(value) SPAN("\"attributes\":[{\"key\":\"k\",\"value\":" value "}]")

static void ok(const char *text)
{
    if (decode(SKEP_OTLP_TRACES, text) != SKEP_OK)
        fail_msg("%s: %s", text, err.text);
}

static void refused(const char *text, const char *why)
{
    assert_int_equal(decode(SKEP_OTLP_TRACES, text), SKEP_EMALFORMED);
    if (!strstr(err.text, why))
        fail_msg("%s: \"%s\" does not say \"%s\"", text, err.text, why);
}

static skep_value k(void)
{
    assert_int_equal(b->n_rows, 1);
    return get_field(b, SKEP_SCOPE_ATTRIBUTE, "k", 0);
}

static void test_integers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t want;
    } good[] = {
        {ATTR("{\"intValue\":42}"), 42},
        {ATTR("{\"intValue\":\"42\"}"), 42},
        {ATTR("{\"intValue\":-1}"), -1},
        {ATTR("{\"intValue\":\"-9223372036854775808\"}"), INT64_MIN},
        {ATTR("{\"intValue\":-9223372036854775808}"), INT64_MIN},
        {ATTR("{\"intValue\":9223372036854775807}"), INT64_MAX},
        {ATTR("{\"intValue\":\"9223372036854775807\"}"), INT64_MAX},
        {ATTR("{\"intValue\":9007199254740993}"), 9007199254740993},
        {ATTR("{\"intValue\":\"9007199254740993\"}"), 9007199254740993},
        {ATTR("{\"intValue\":1e3}"), 1000},
        {ATTR("{\"intValue\":2.0}"), 2},
        {ATTR("{\"intValue\":\"1e3\"}"), 1000},
        {ATTR("{\"int_value\":7}"), 7},
    };
    for (size_t i = 0; i < SKEP_ARRAY_LEN(good); i++) {
        ok(good[i].text);
        assert_int_equal(k().type, SKEP_TYPE_INT);
        if (k().i != good[i].want)
            fail_msg("%s", good[i].text);
    }
    const char *where = "resourceSpans[0].scopeSpans[0].spans[0].attributes[0].value.intValue: ";
    refused(ATTR("{\"intValue\":\"9223372036854775808\"}"), where);
    refused(ATTR("{\"intValue\":\"9007199254740993.0\"}"), where); // not through a double
    refused(ATTR("{\"intValue\":1.5}"), where);
    refused(ATTR("{\"intValue\":\"x\"}"), where);
    refused(ATTR("{\"intValue\":\"\"}"), where);
    refused(ATTR("{\"intValue\":true}"), where);
    refused(ATTR("{\"intValue\":[1]}"), where);
    refused(SPAN("\"startTimeUnixNano\":-1"), "startTimeUnixNano: expected an unsigned");
    refused(SPAN("\"flags\":4294967296"), "flags: expected an unsigned integer of 32 bits");
}

static void test_numbers_no_integer_holds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double want;
    } rows[] = {
        {ATTR("{\"intValue\":9223372036854775808}"), 0x1p63},
        {ATTR("{\"intValue\":-1e19}"), -1e19},
        {ATTR("{\"intValue\":1e300}"), 1e300},
        {ATTR("{\"intValue\":99999999999999999999999}"), 1e23},
    };
    for (size_t i = 0; i < SKEP_ARRAY_LEN(rows); i++) {
        ok(rows[i].text);
        assert_int_equal(k().type, SKEP_TYPE_DOUBLE);
        if (k().f != rows[i].want)
            fail_msg("%s", rows[i].text);
    }
}

static void test_other_scalars(void **state)
{
    (void)state;
    ok(ATTR("{\"doubleValue\":1}"));
    assert_int_equal(k().type, SKEP_TYPE_DOUBLE);
    assert_true(k().f == 1);
    ok(ATTR("{\"doubleValue\":\"NaN\"}"));
    assert_true(k().f != k().f);
    ok(ATTR("{\"doubleValue\":\"-Infinity\"}"));
    assert_true(k().f == -__builtin_inf());
    ok(ATTR("{\"doubleValue\":\"0.25\"}"));
    assert_true(k().f == 0.25);
    ok(ATTR("{\"doubleValue\":123456789012345678901234567890}"));
    assert_true(k().f == 123456789012345678901234567890.0);
    refused(ATTR("{\"doubleValue\":\"one\"}"), "doubleValue: expected a number");
    ok(ATTR("{\"boolValue\":false}"));
    assert_int_equal(k().type, SKEP_TYPE_BOOL);
    assert_false(k().b);
    ok(ATTR("{\"boolValue\":\"true\"}"));
    assert_true(k().b);
    refused(ATTR("{\"boolValue\":1}"), "boolValue: expected true or false");
    ok(ATTR("{\"bytesValue\":\"Af8=\"}"));
    assert_int_equal(k().type, SKEP_TYPE_BYTES);
    assert_memory_equal(k().s.p, "\x01\xff", 2);
    ok(ATTR("{\"bytesValue\":\"Af8\"}"));
    assert_int_equal(k().s.n, 2);
    ok(ATTR("{\"bytesValue\":\"_-8\"}"));
    assert_memory_equal(k().s.p, "\xff\xef", 2);
    refused(ATTR("{\"bytesValue\":\"A\"}"), "bytesValue: not base64");
    ok(ATTR("{\"stringValue\":\"\"}"));
    assert_int_equal(k().type, SKEP_TYPE_STRING);
    assert_int_equal(k().s.n, 0);
    ok(ATTR("{}"));
    assert_int_equal(k().type, SKEP_TYPE_EMPTY);
    ok(ATTR("null"));
    assert_int_equal(k().type, SKEP_TYPE_EMPTY);
    ok(ATTR("{\"stringValue\":\"\\u4f60\\n\"}"));
    assert_true(skep_str_eq(k().s, SKEP_STR("\xe4\xbd\xa0\n")));
    ok(ATTR("{\"stringValue\":\"a\xff\"}"));
    assert_true(skep_str_eq(k().s, SKEP_STR("a\xef\xbf\xbd")));
}

static void test_ids(void **state)
{
    (void)state;
    static const uint8_t want[16] = {0x5b, 0x8e, 0xff, 0xf7, 0x98, 0x03, 0x81, 0x03,
                                     0xd2, 0x69, 0xb6, 0x33, 0x81, 0x3f, 0xc6, 0x0c};
    static const char *const forms[] = {"5B8EFFF798038103D269B633813FC60C",
                                        "5b8efff798038103d269b633813fc60c",
                                        "W47/95gDgQPSabYzgT/GDA==", "W47_95gDgQPSabYzgT_GDA"};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(forms); i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "{\"resource_spans\":[{\"scope_spans\":[{\"spans\":[{\"trace_id\":\"%s\","
                 "\"span_id\":\"EEE19B7EC3C1B174\",\"parent_span_id\":\"\"}]}]}]}",
                 forms[i]);
        ok(text);
        assert_int_equal(b->n_rows, 1);
        assert_memory_equal(&b->trace_id[0], want, 16);
        assert_int_equal(b->parent_id[0], 0);
    }
    // A wrong id concerns its span, not the request.
    static const char *const wrong[] = {"", "5b8e", "zzzzzzzzzzzzzzzz",
                                        "5b8efff798038103d269b633813fc60x",
                                        "00000000000000000000000000000000"};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(wrong); i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"%s\","
                 "\"spanId\":\"EEE19B7EC3C1B174\"}]}]}]}",
                 wrong[i]);
        ok(text);
        assert_int_equal(rep.rejected[SKEP_OTLP_REJECT_BAD_TRACE_ID], 1);
        assert_string_equal(rep.message, "resource 0, scope 0, item 0: trace_id must be 16 bytes "
                                         "and not all zero");
    }
}

static void test_enums(void **state)
{
    (void)state;
    ok(SPAN("\"kind\":3,\"status\":{\"code\":\"STATUS_CODE_ERROR\"}"));
    assert_int_equal(b->span_kind[0], 3);
    assert_int_equal(b->status[0], 2);
    ok(SPAN("\"kind\":\"SPAN_KIND_SERVER\""));
    assert_int_equal(b->span_kind[0], 2);
    refused(SPAN("\"kind\":\"server\""), "spans[0].kind: expected a number or a name");
    assert_int_equal(decode(SKEP_OTLP_LOGS,
                            "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{"
                            "\"severityNumber\":\"SEVERITY_NUMBER_ERROR2\",\"severity_text\":null},"
                            "null,{\"severityNumber\":\"9\"}]}]}]}"),
                     SKEP_OK);
    assert_int_equal(b->n_rows, 2);
    assert_int_equal(b->severity[0], 18);
    assert_int_equal(b->severity[1], 9);
}

static void test_unknown_keys_and_nulls(void **state)
{
    (void)state;
    ok(SPAN("\"unknown\":{\"deep\":[1,{\"x\":[]}]},\"name\":null,\"events\":null,\"links\":[null],"
            "\"status\":null,\"attributes\":[null,{\"key\":\"k\",\"value\":{\"intValue\":1,"
            "\"new\":2}}]"));
    assert_int_equal(b->n_rows, 1);
    assert_int_equal(k().i, 1);
    ok("\xef\xbb\xbf{}");
    assert_int_equal(rep.received, 0);
    ok(" { } ");
}

static void test_refused_shapes(void **state)
{
    (void)state;
    refused("", "the body is empty");
    refused("[]", "not a JSON object");
    refused("{\"resourceSpans\":{}}", "resourceSpans: expected an array");
    refused("{\"resourceSpans\":[7]}", "resourceSpans[0]: expected an object");
    refused("{\"resourceSpans\":[{\"resource\":[]}]}",
            "resourceSpans[0].resource: expected an obj");
    refused("{\"resourceSpans\":[]", "at byte 19");
    refused("{}x", "at byte 2");
    refused("{\"resourceSpans\":[{}, ]}", "JSON: ");
    struct skep_buf text;
    skep_buf_init(&text, 1 << 20);
    enum { DEEP = 100, OPEN = 200000 };
    skep_buf_str(&text, SKEP_STR("{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"value\":"));
    for (int i = 0; i < DEEP; i++)
        skep_buf_str(&text, SKEP_STR("{\"arrayValue\":{\"values\":["));
    skep_buf_str(&text, SKEP_STR("{}"));
    for (int i = 0; i < DEEP; i++)
        skep_buf_str(&text, SKEP_STR("]}}"));
    skep_buf_str(&text, SKEP_STR("}]}}]}"));
    skep_buf_u8(&text, 0);
    refused((const char *)text.p, "resourceSpans[0].resource.attributes[0].value.arrayValue");
    assert_non_null(strstr(err.text, "nested too deep"));
    // Nesting of what is not asked for costs no stack.
    skep_buf_reset(&text);
    skep_buf_str(&text, SKEP_STR("{\"x\":"));
    for (int i = 0; i < OPEN; i++)
        skep_buf_u8(&text, '[');
    for (int i = 0; i < OPEN; i++)
        skep_buf_u8(&text, ']');
    skep_buf_put(&text, "}", 2);
    ok((const char *)text.p);
    skep_buf_done(&text);
}

static void test_memory_is_budgeted(void **state)
{
    (void)state;
    struct skep_budget budget;
    struct skep_buf text;
    skep_buf_init(&text, 2 << 20);
    skep_buf_str(&text, SKEP_STR("{\"x\":[0"));
    while (text.n < 1 << 20)
        skep_buf_str(&text, SKEP_STR(",0"));
    skep_buf_str(&text, SKEP_STR("]}"));
    for (uint64_t limit = 1 << 20; limit <= (64 << 20); limit *= 8) {
        skep_budget_init(&budget, "ingest", limit, NULL);
        struct skep_batch *small = skep_batch_new(&budget, 0);
        skep_rc rc =
            skep_otlp_decode_json(SKEP_OTLP_TRACES, skep_buf_bytes(&text), small, NULL, &rep, &err);
        assert_int_equal(rc, limit > (32 << 20) ? SKEP_OK : SKEP_ENOMEM);
        skep_batch_free(small);
        assert_int_equal(skep_budget_used(&budget), 0);
    }
    skep_buf_done(&text);
}

/* The samples published with the protocol: upper-case ids, all kinds of values. */
static void test_sample_of_the_protocol(void **state)
{
    (void)state;
    ok("{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"
       "\"stringValue\":\"my.service\"}}]},\"scopeSpans\":[{\"scope\":{\"name\":\"my.library\","
       "\"version\":\"1.0.0\",\"attributes\":[{\"key\":\"my.scope.attribute\",\"value\":{"
       "\"stringValue\":\"some scope attribute\"}}]},\"spans\":[{\"traceId\":"
       "\"5B8EFFF798038103D269B633813FC60C\",\"spanId\":\"EEE19B7EC3C1B174\",\"parentSpanId\":"
       "\"EEE19B7EC3C1B173\",\"name\":\"I'm a server span\",\"startTimeUnixNano\":"
       "\"1544712660000000000\",\"endTimeUnixNano\":\"1544712661000000000\",\"kind\":2,"
       "\"attributes\":[{\"key\":\"my.span.attr\",\"value\":{\"stringValue\":\"some value\"}}]}]}"
       "]}]}");
    struct skep_buf out;
    skep_buf_init(&out, 1 << 16);
    skep_batchdump(b, &out);
    skep_str want =
        SKEP_STR("span \"I'm a server span\" time=1544712660000000000 duration=1000000000\n"
                 "    trace=5b8efff798038103d269b633813fc60c span=eee19b7ec3c1b174 "
                 "parent=eee19b7ec3c1b173\n"
                 "    dataset=\"my.service\" status=0 span_kind=2 severity=0 flags=0 rate=1 "
                 "source=otlp\n"
                 "    resource service.name string \"my.service\"\n"
                 "    scope library.name string \"my.library\"\n"
                 "    scope library.version string \"1.0.0\"\n"
                 "    scope my.scope.attribute string \"some scope attribute\"\n"
                 "    - span.num_events int 0\n"
                 "    - span.num_links int 0\n"
                 "    my.span.attr string \"some value\"\n");
    if (!skep_str_eq(skep_buf_text(&out), want))
        fail_msg(SKEP_STRFMT, SKEP_STRARG(skep_buf_text(&out)));
    skep_buf_done(&out);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_integers),
        T(test_numbers_no_integer_holds),
        T(test_other_scalars),
        T(test_ids),
        T(test_enums),
        T(test_unknown_keys_and_nulls),
        T(test_refused_shapes),
        T(test_memory_is_budgeted),
        T(test_sample_of_the_protocol),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
