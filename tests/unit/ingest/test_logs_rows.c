// SPDX-License-Identifier: Apache-2.0
/* CloudWatch Logs events -> rows: what lines say of their level and trace, which fields they have,
 * which events are taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "event/log.h"
#include "ingest/logs.h"

static const skep_ts_ns now_ns = 1795194911725000000;
static const int64_t now_ms = 1795194911725, day_ms = 86400000;

/* The batch of one message. */
static struct skep_batch *row_of(const char *stream, const char *message)
{
    skep_err err;
    struct skep_logs_event event = {now_ms, skep_str_c(message)};
    const struct skep_logs_put put = {
        .group = SKEP_STR("g"), .stream = skep_str_c(stream), .events = &event, .n = 1};
    struct skep_batch *b = skep_batch_new(NULL, now_ns);
    assert_int_equal(skep_logs_rows(&put, 0, 1, b, &err), SKEP_OK);
    assert_int_equal(b->n_rows, 1);
    skep_batch_check(b);
    return b;
}

/* A field of the row as text: "s:text", "i:7", "f:1.5", "b:1", "a:[1]"; "-" = absent. */
static const char *field_of(const struct skep_batch *b, enum skep_scope scope, const char *name)
{
    static char out[400];
    static const char letters[] = "-sifb?a?";
    for (uint32_t f = 0; f < b->n_fields; f++) {
        const struct skep_batch_field *field = &b->fields[f];
        double d;
        if (field->n == 0 || field->scope != (uint8_t)scope ||
            !skep_str_eq(skep_batch_str(b, field->name), skep_str_c(name)))
            continue;
        if (field->type == SKEP_TYPE_DOUBLE) {
            memcpy(&d, &field->vals[0], sizeof d);
            (void)snprintf(out, sizeof out, "f:%g", d);
        } else if (field->type == SKEP_TYPE_INT || field->type == SKEP_TYPE_BOOL) {
            (void)snprintf(out, sizeof out, "%c:%lld", letters[field->type],
                           (long long)field->vals[0]);
        } else {
            skep_str s = skep_batch_str(b, (uint32_t)field->vals[0]);
            (void)snprintf(out, sizeof out, "%c:" SKEP_STRFMT, letters[field->type],
                           SKEP_STRARG(s));
        }
        return out;
    }
    return "-";
}

static void test_levels(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        uint8_t severity;
        const char *text;
    } cases[] = {
        {"ERROR something", 17, "s:ERROR"},
        {"WARN: x", 13, "s:WARN"},
        {"error - winston's form", 17, "s:error"},
        {"info: npm's", 9, "s:info"},
        {"INFO:root:python's", 9, "s:INFO"},
        {"[warn] x", 13, "s:warn"},
        {"[ERROR] x", 17, "s:ERROR"},
        {"<debug> x", 5, "s:debug"},
        {"2026-11-20 17:15:11,725 ERROR x", 17, "s:ERROR"},
        {"2026-11-20T17:15:11.725Z [info] x", 9, "s:info"},
        {"[2026-11-20 17:15:11] WARNING x", 13, "s:WARNING"},
        {"FATAL", 21, "s:FATAL"},
        {"CRITICAL\nstack", 18, "s:CRITICAL"},
        {"error rates are fine", 0, "-"},
        {"Error in line 7", 0, "-"},
        {"INFORMAL talk", 0, "-"},
        {"no ERROR at the start", 0, "-"},
        {"[2026-Nov-20 17:15] 127.0.0.1 GET http /ok?a=1 200 OK", 0, "-"},
        {"", 0, "-"},
        {"{\"level\":\"warning\"}", 13, "s:warning"},
        {"{\"severity\":\"ERROR\",\"lvl\":\"info\"}", 17, "s:ERROR"},
        {"{\"lvl\":\"info\",\"severity\":\"ERROR\"}", 17, "s:ERROR"},
        {"{\"Level\":\"Information\"}", 9, "s:Information"},
        {"{\"log.level\":\"debug\"}", 5, "s:debug"},
        {"{\"level\":50}", 17, "-"},
        {"{\"level\":7}", 0, "-"},
        {"{\"level\":\"high\"}", 0, "-"},
        {"level=error msg=x", 17, "s:error"},
        {"level=error", 0, "-"}, /* one pair is no logfmt */
    };
    for (size_t i = 0; i < SKEP_ARRAY_LEN(cases); i++) {
        if (cases[i].message[0] == '\0')
            continue;
        struct skep_batch *b = row_of("s", cases[i].message);
        if (b->severity[0] != cases[i].severity)
            fail_msg("%s: severity %d", cases[i].message, b->severity[0]);
        assert_string_equal(field_of(b, SKEP_SCOPE_INTRINSIC, "severity_text"), cases[i].text);
        skep_batch_free(b);
    }
}

static void test_traces(void **state)
{
    (void)state;
#define W3C  "0af7651916cd43dd8448eb211c80319c"
#define XRAY "1-0af76519-16cd43dd8448eb211c80319c"
    static const struct {
        const char *message, *trace, *span;
    } cases[] = {
        {"{\"trace_id\":\"" W3C "\"}", W3C, NULL},
        {"{\"traceId\":\"" XRAY "\",\"spanId\":\"b7ad6b7169203331\"}", W3C, "b7ad6b7169203331"},
        {"{\"otelTraceID\":\"" W3C "\",\"otelSpanID\":\"b7ad6b7169203331\"}", W3C,
         "b7ad6b7169203331"},
        {"{\"X-Amzn-Trace-Id\":\"Root=" XRAY ";Parent=53995c3f42cd8ad8;Sampled=1\"}", W3C,
         "53995c3f42cd8ad8"},
        {"{\"traceparent\":\"00-" W3C "-b7ad6b7169203331-01\"}", W3C, "b7ad6b7169203331"},
        {"a=1 trace_id=" W3C, W3C, NULL},
        {"request " XRAY " failed", W3C, NULL},
        {"XRAY TraceId: " XRAY "\tSegmentId: 1", W3C, NULL},
        {"traceparent 00-" W3C "-b7ad6b7169203331-01 seen", W3C, "b7ad6b7169203331"},
        {"done trace_id=" W3C " ok", W3C, NULL},
        {"done TraceID: \"" W3C "\"", W3C, NULL},
        {"Self=1-67891234-12456789abcdef012345678a;Root=" XRAY, W3C, NULL},
        {"md5 " W3C, NULL, NULL},
        {"{\"checksum\":\"" W3C "\"}", NULL, NULL},
        {"{\"trace_id\":\"00000000000000000000000000000000\"}", NULL, NULL},
        {"{\"trace_id\":\"0af7\"}", NULL, NULL},
        {"11-0af76519-16cd43dd8448eb211c80319c", NULL, NULL},
        {"span_id=b7ad6b7169203331 alone", NULL, NULL},
    };
    for (size_t i = 0; i < SKEP_ARRAY_LEN(cases); i++) {
        struct skep_batch *b = row_of("s", cases[i].message);
        char hex[33] = "", span[17] = "";
        static const skep_trace_id none;
        uint8_t octets[8];
        skep_hex_encode((skep_bytes){b->trace_id[0].b, 16}, hex);
        for (int k = 0; k < 8; k++)
            octets[k] = (uint8_t)(b->parent_id[0] >> (8 * k));
        skep_hex_encode((skep_bytes){octets, 8}, span);
        bool has = memcmp(&b->trace_id[0], &none, sizeof none) != 0;
        if (has != (cases[i].trace != NULL))
            fail_msg("%s: %s", cases[i].message, hex);
        if (has)
            assert_string_equal(hex, cases[i].trace);
        if (cases[i].span)
            assert_string_equal(span, cases[i].span);
        else
            assert_true(b->parent_id[0] == 0);
        skep_batch_free(b);
    }
}

static void test_fields(void **state)
{
    (void)state;
    static const struct {
        const char *message, *name, *value;
    } cases[] = {
        {"{\"a\":{\"b\":7,\"c\":1.5},\"t\":true}", "a.b", "i:7"},
        {"{\"a\":{\"b\":7,\"c\":1.5},\"t\":true}", "a.c", "f:1.5"},
        {"{\"a\":{\"b\":7,\"c\":1.5},\"t\":true}", "t", "b:1"},
        {" {\n  \"pretty\": \"yes\"\n}\n", "pretty", "s:yes"},
        {"{\"list\":[1,\"x\",{\"y\":2}]}", "list", "a:[1,\"x\",{\"y\":2}]"},
        {"{\"none\":null}", "none", "-"},
        {"{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{\"f\":1}}}}}}", "a.b.c.d.e", "s:{\"f\":1}"},
        {"{\"name\":\"bunyan\"}", "name", "s:bunyan"},
        {"{\"timestamp\":\"own\"}", "message.timestamp", "s:own"},
        {"{\"timestamp\":\"own\"}", "timestamp", "-"},
        {"{\"body\":\"b\",\"log\":{\"stream\":\"x\"}}", "message.body", "s:b"},
        {"{\"body\":\"b\",\"log\":{\"stream\":\"x\"}}", "message.log.stream", "s:x"},
        {"{\"meta.environment\":\"other\"}", "message.meta.environment", "s:other"},
        {"{\"big\":18446744073709551615}", "big", "f:1.84467e+19"},
        {"text {\"a\":1}", "a", "-"},
        {"{\"a\":1} text", "a", "-"},
        {"{\"a\":1", "a", "-"},
        {"n=5 d=-1.5 t=true s=abc q=\"a \\\"b\\\" c\"", "n", "i:5"},
        {"n=5 d=-1.5 t=true s=abc q=\"a \\\"b\\\" c\"", "d", "f:-1.5"},
        {"n=5 d=-1.5 t=true s=abc q=\"a \\\"b\\\" c\"", "t", "b:1"},
        {"n=5 d=-1.5 t=true s=abc q=\"a \\\"b\\\" c\"", "s", "s:abc"},
        {"n=5 d=-1.5 t=true s=abc q=\"a \\\"b\\\" c\"", "q", "s:a \"b\" c"},
        {"n=\"5\" x=", "n", "s:5"},
        {"n=\"5\" x=", "x", "s:"},
        {"started n=5 d=6", "n", "-"},
        {"GET /x?a=1&b=2 ok=1", "ok", "-"},
        {"a=b=c d=e", "d", "-"},
        {"a=\"open d=e", "d", "-"},
    };
    for (size_t i = 0; i < SKEP_ARRAY_LEN(cases); i++) {
        struct skep_batch *b = row_of("s", cases[i].message);
        const char *value = field_of(b, SKEP_SCOPE_ATTRIBUTE, cases[i].name);
        if (strcmp(value, cases[i].value) != 0)
            fail_msg("%s: %s is %s", cases[i].message, cases[i].name, value);
        skep_batch_free(b);
    }
}

static void test_own_fields(void **state)
{
    (void)state;
    struct skep_batch *b = row_of("vm/app.py/__main__/14272", "some m\xc3\xa9ssage");
    assert_string_equal(field_of(b, SKEP_SCOPE_INTRINSIC, "body"), "s:some m\xc3\xa9ssage");
    assert_string_equal(field_of(b, SKEP_SCOPE_INTRINSIC, "log.stream"),
                        "s:vm/app.py/__main__/14272");
    assert_string_equal(field_of(b, SKEP_SCOPE_INTRINSIC, "log.bytes"), "i:13");
    assert_int_equal(b->time_ns[0], now_ms * 1000000);
    assert_int_equal(b->source[0], SKEP_SOURCE_LOGS);
    assert_int_equal(b->kind[0], SKEP_KIND_LOG);
    assert_true(b->resource[0] != 0);
    assert_int_equal(b->resources.first[2] - b->resources.first[1],
                     4); /* host, program, logger, pid */
    skep_batch_free(b);
    static const char *const plain[] = {"s", "a/b/c", "a/b/c/d", "/x/y/7", "a/b//7", "a/b/c/0"};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(plain); i++) {
        b = row_of(plain[i], "x");
        assert_int_equal(b->resource[0], 0);
        skep_batch_free(b);
    }
}

/* Many fields, in one message and in many. */
static void test_limits(void **state)
{
    (void)state;
    char *text = malloc(1 << 20);
    int n = snprintf(text, 1 << 20, "{");
    for (int i = 0; i < 5000; i++)
        n += snprintf(text + n, (size_t)((1 << 20) - n), "%s\"f%d\":%d", i ? "," : "", i, i);
    (void)snprintf(text + n, (size_t)((1 << 20) - n), "}");
    struct skep_batch *b = row_of("s", text);
    assert_string_equal(field_of(b, SKEP_SCOPE_ATTRIBUTE, "f199"), "i:199");
    assert_string_equal(field_of(b, SKEP_SCOPE_ATTRIBUTE, "f200"), "-");
    skep_batch_free(b);
    enum { MESSAGES = 3000 };
    static char messages[MESSAGES][40];
    static struct skep_logs_event events[MESSAGES];
    for (int i = 0; i < MESSAGES; i++) {
        (void)snprintf(messages[i], sizeof messages[i], "{\"k%d\":1,\"same\":2}", i);
        events[i] = (struct skep_logs_event){now_ms, skep_str_c(messages[i])};
    }
    const struct skep_logs_put put = {
        .group = SKEP_STR("g"), .stream = SKEP_STR("s"), .events = events, .n = MESSAGES};
    skep_err err;
    b = skep_batch_new(NULL, now_ns);
    assert_int_equal(skep_logs_rows(&put, 0, MESSAGES, b, &err), SKEP_OK);
    assert_true(b->n_fields <= SKEP_LOGS_NEW_FIELDS_MAX + 4);
    for (uint32_t f = 0; f < b->n_fields; f++)
        if (skep_str_eq(skep_batch_str(b, b->fields[f].name), SKEP_STR("same")))
            assert_int_equal(b->fields[f].n, MESSAGES);
    skep_batch_free(b);
    free(text);
}

static void test_judge(void **state)
{
    (void)state;
    skep_err err;
    struct skep_logs_judged g;
    struct skep_logs_event e[5];
    const struct skep_logs_put put = {.events = e, .n = 5};
    const int64_t times[] = {now_ms - 15 * day_ms, now_ms - 8 * day_ms, now_ms - 1000, now_ms,
                             now_ms + 2 * 3600000 + 1};
    for (size_t i = 0; i < 5; i++)
        e[i] = (struct skep_logs_event){times[i], SKEP_STR("x")};
    assert_int_equal(skep_logs_judge(&put, now_ns, 7, &g, &err), SKEP_OK);
    assert_int_equal(g.too_old_end, 1);
    assert_int_equal(g.expired_end, 2);
    assert_int_equal(g.first, 2);
    assert_int_equal(g.end, 4);
    assert_int_equal(g.too_new_start, 4);
    assert_int_equal(skep_logs_judge(&put, now_ns, 0, &g, &err), SKEP_EINVAL); /* 8 days and now */
    e[1].time_ms = now_ms - day_ms;
    e[2].time_ms = e[3].time_ms = now_ms;
    e[4].time_ms = now_ms + 2 * 3600000;
    assert_int_equal(skep_logs_judge(&put, now_ns, 0, &g, &err), SKEP_EINVAL);
    e[1].time_ms = e[4].time_ms - day_ms; /* exactly a day */
    assert_int_equal(skep_logs_judge(&put, now_ns, 0, &g, &err), SKEP_OK);
    assert_int_equal(g.too_old_end, 1);
    assert_int_equal(g.expired_end, 0);
    assert_int_equal(g.end, 5);
    assert_int_equal(g.too_new_start, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels), cmocka_unit_test(test_traces),
        cmocka_unit_test(test_fields), cmocka_unit_test(test_own_fields),
        cmocka_unit_test(test_limits), cmocka_unit_test(test_judge)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
