// SPDX-License-Identifier: Apache-2.0
/* The mapping of OTLP to rows, rule by rule, on messages written by hand. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "enc.h"
#include "ingest/otlp.h"

enum { NOW = 1795000000 };
static const int64_t now_ns = NOW * 1000000000ll;

static struct skep_buf msg;
static struct skep_batch *b;
static struct skep_otlp_report rep;
static skep_err err;
static const uint8_t tid[16] = {0, 0, 0, 0, 0, 0, 0, 0, 9, 10, 11, 12, 13, 14, 15, 16};
static const uint8_t sid[8] = {1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t zeros[16];
static size_t group_mark, scope_mark, item_mark;

static int set_up(void **state)
{
    (void)state;
    skep_buf_init(&msg, 64 << 20);
    b = skep_batch_new(NULL, now_ns);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    skep_buf_done(&msg);
    skep_batch_free(b);
    return 0;
}

static void begin_group(void)
{
    group_mark = skep_pb_begin(&msg, 1);
}

static void resource_str(const char *key, const char *v)
{
    size_t r = skep_pb_begin(&msg, 1);
    enc_str(&msg, 1, key, v);
    skep_pb_end(&msg, r);
}

static void begin_items(void)
{
    scope_mark = skep_pb_begin(&msg, 2);
}

static void end_all(void)
{
    skep_pb_end(&msg, scope_mark);
    skep_pb_end(&msg, group_mark);
}

static void begin_span(void)
{
    item_mark = skep_pb_begin(&msg, 2);
    skep_pb_put_bytes(&msg, 1, (skep_bytes){tid, 16});
    skep_pb_put_bytes(&msg, 2, (skep_bytes){sid, 8});
    skep_pb_put_i64(&msg, 7, 1000);
    skep_pb_put_i64(&msg, 8, 3500);
}

static void end_item(void)
{
    skep_pb_end(&msg, item_mark);
}

static void begin_log(void)
{
    item_mark = skep_pb_begin(&msg, 2);
}

static void decode(enum skep_otlp_signal signal)
{
    skep_rc rc = skep_otlp_decode_pb(signal, skep_buf_bytes(&msg), b,
                                     &(struct skep_otlp_opts){.dataset = SKEP_STR("header-set")},
                                     &rep, &err);
    if (rc != SKEP_OK)
        fail_msg("%s", err.text);
    skep_batch_check(b);
}

static void begin_spans(void)
{
    begin_group();
    begin_items();
}

static bool is_str(skep_value v, const char *s)
{
    return v.type == SKEP_TYPE_STRING && skep_str_eq(v.s, skep_str_c(s));
}

static skep_value attr(const char *name, uint32_t row)
{
    return get_field(b, SKEP_SCOPE_ATTRIBUTE, name, row);
}

static skep_value intr(const char *name, uint32_t row)
{
    return get_field(b, SKEP_SCOPE_INTRINSIC, name, row);
}

static const char *dataset(uint32_t row)
{
    static char text[64];
    skep_str s = skep_batch_str(b, b->dataset[row]);
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    return text;
}

// --- spans
// ----------------------------------------------------------------------------------------

static void test_columns_of_a_span(void **state)
{
    (void)state;
    begin_spans();
    begin_span();
    skep_pb_put_bytes(&msg, 4, (skep_bytes){sid, 8});
    skep_pb_put_str(&msg, 5, SKEP_STR("GET /"));
    skep_pb_put_varint(&msg, 6, 2);
    skep_pb_put_varint(&msg, 10, 3);
    skep_pb_put_varint(&msg, 12, 4);
    skep_pb_put_varint(&msg, 14, 5);
    size_t status = skep_pb_begin(&msg, 15);
    skep_pb_put_str(&msg, 2, SKEP_STR("broken"));
    skep_pb_put_varint(&msg, 3, 2);
    skep_pb_end(&msg, status);
    skep_pb_put_i32(&msg, 16, 0x101);
    skep_pb_put_str(&msg, 3, SKEP_STR("a=b"));
    skep_pb_put_varint(&msg, 99, 7); // unknown
    end_item();
    end_all();
    decode(SKEP_OTLP_TRACES);
    assert_int_equal(b->n_rows, 1);
    assert_int_equal(rep.accepted, 1);
    assert_int_equal(b->kind[0], SKEP_KIND_SPAN);
    assert_int_equal(b->time_ns[0], 1000);
    assert_int_equal(b->duration_ns[0], 2500);
    assert_memory_equal(&b->trace_id[0], tid, 16);
    assert_memory_equal(&b->span_id[0], sid, 8);
    assert_memory_equal(&b->parent_id[0], sid, 8);
    assert_int_equal(b->span_kind[0], 2);
    assert_int_equal(b->status[0], 2);
    assert_int_equal(b->flags[0], 0x101);
    assert_int_equal(b->source[0], SKEP_SOURCE_OTLP);
    assert_true(is_str(intr("status_message", 0), "broken"));
    assert_true(is_str(intr("trace.trace_state", 0), "a=b"));
    assert_int_equal(intr("meta.dropped_attributes", 0).i, 3);
    assert_int_equal(intr("meta.dropped_events", 0).i, 4);
    assert_int_equal(intr("meta.dropped_links", 0).i, 5);
    assert_int_equal(intr("span.num_events", 0).i, 0);
    assert_int_equal(intr("meta.invalid_duration", 0).type, SKEP_TYPE_NULL);
    assert_string_equal(dataset(0), "unknown_service");
}

static void test_odd_times_and_enums(void **state)
{
    (void)state;
    begin_spans();
    begin_span();
    skep_pb_put_i64(&msg, 8, 999); // ends before it starts
    skep_pb_put_varint(&msg, 6, 6);
    end_item();
    begin_span();
    skep_pb_put_i64(&msg, 7, 0);
    skep_pb_put_i64(&msg, 8, 0);
    end_item();
    begin_span();
    skep_pb_put_i64(&msg, 7, UINT64_MAX);
    skep_pb_put_i64(&msg, 8, UINT64_MAX);
    size_t status = skep_pb_begin(&msg, 15);
    skep_pb_put_varint(&msg, 3, 200);
    skep_pb_end(&msg, status);
    end_item();
    end_all();
    decode(SKEP_OTLP_TRACES);
    assert_int_equal(b->duration_ns[0], 0);
    assert_true(intr("meta.invalid_duration", 0).b);
    assert_int_equal(b->span_kind[0], 0);
    assert_int_equal(b->time_ns[1], now_ns);
    assert_int_equal(b->time_ns[2], INT64_MAX);
    assert_int_equal(b->duration_ns[2], 0);
    assert_int_equal(b->status[2], 0);
}

static void put_event(const char *name, uint64_t time, bool exception)
{
    size_t e = skep_pb_begin(&msg, 11);
    skep_pb_put_i64(&msg, 1, time);
    skep_pb_put_str(&msg, 2, skep_str_c(name));
    if (exception) {
        enc_str(&msg, 3, "exception.message", "boom");
        enc_str(&msg, 3, "exception.type", "E");
        size_t kv = skep_pb_begin(&msg, 3);
        skep_pb_put_str(&msg, 1, SKEP_STR("exception.escaped"));
        skep_pb_put_bytes(&msg, 2, bytes_of("\x10\x01"));
        skep_pb_end(&msg, kv);
    }
    enc_int(&msg, 3, "n", (int64_t)time);
    skep_pb_end(&msg, e);
}

static void test_events_links_and_lifted_exception(void **state)
{
    (void)state;
    begin_spans();
    begin_span();
    put_event("first", 2000, false);
    size_t link = skep_pb_begin(&msg, 13);
    skep_pb_put_bytes(&msg, 1, (skep_bytes){tid, 16});
    skep_pb_put_bytes(&msg, 2, (skep_bytes){sid, 8});
    skep_pb_put_str(&msg, 3, SKEP_STR("x=y"));
    enc_str(&msg, 4, "why", "because");
    skep_pb_put_i32(&msg, 6, 1);
    skep_pb_end(&msg, link);
    put_event("exception", 500, true);
    size_t second = skep_pb_begin(&msg, 11); // only the first exception is lifted
    skep_pb_put_str(&msg, 2, SKEP_STR("exception"));
    enc_str(&msg, 3, "exception.message", "later");
    enc_str(&msg, 3, "exception.stacktrace", "later");
    skep_pb_end(&msg, second);
    enc_str(&msg, 9, "exception.type", "mine");
    enc_int(&msg, 9, "sampleRate", 5);
    skep_pb_put_str(&msg, 5, SKEP_STR("span name")); // behind what needs it
    size_t status = skep_pb_begin(&msg, 15);
    skep_pb_put_varint(&msg, 3, 2);
    skep_pb_end(&msg, status);
    end_item();
    end_all();
    decode(SKEP_OTLP_TRACES);
    assert_int_equal(b->n_rows, 5);
    static const uint8_t kinds[] = {SKEP_KIND_SPAN_EVENT, SKEP_KIND_SPAN_EVENT,
                                    SKEP_KIND_SPAN_EVENT, SKEP_KIND_LINK, SKEP_KIND_SPAN};
    assert_memory_equal(b->kind, kinds, 5);
    for (uint32_t r = 0; r < 5; r++) {
        assert_int_equal(b->sample_rate[r], 5);
        assert_int_equal(b->status[r], 2);
        assert_memory_equal(&b->trace_id[r], tid, 16);
        assert_memory_equal(r < 4 ? &b->parent_id[r] : &b->span_id[r], sid, 8);
        if (r < 4) {
            assert_int_equal(b->span_id[r], 0);
            assert_int_equal(b->duration_ns[r], -1);
            assert_true(is_str(intr("parent_name", r), "span name"));
        }
    }
    assert_int_equal(attr("n", 0).i, 2000);
    assert_true(intr("meta.time_since_span_start_ms", 0).f == 0.001);
    assert_true(intr("meta.time_since_span_start_ms", 1).f == 0);
    assert_true(intr("meta.invalid_time_since_span_start", 1).b);
    assert_true(is_str(intr("trace.link.trace_id", 3), "090a0b0c0d0e0f10")); // upper half is zero
    assert_true(is_str(intr("trace.link.span_id", 3), "0102030405060708"));
    assert_true(is_str(intr("trace.trace_state", 3), "x=y"));
    assert_true(is_str(attr("why", 3), "because"));
    assert_int_equal(b->flags[3], 1);
    assert_int_equal(b->time_ns[3], 1000);
    assert_int_equal(intr("span.num_events", 4).i, 3);
    assert_int_equal(intr("span.num_links", 4).i, 1);
    assert_true(is_str(intr("exception.message", 4), "boom"));
    assert_true(is_str(intr("exception.type", 4), "E"));
    assert_int_equal(intr("exception.stacktrace", 4).type, SKEP_TYPE_NULL);
    assert_true(intr("exception.escaped", 4).b);
    assert_true(is_str(attr("exception.type", 4), "mine"));
    assert_int_equal(attr("sampleRate", 4).type, SKEP_TYPE_NULL);
}

static void span_with_ids(const void *t, size_t n_t, const void *s, size_t n_s, size_t n_p)
{
    item_mark = skep_pb_begin(&msg, 2);
    put_event("of a rejected span", 1, false);
    skep_pb_put_bytes(&msg, 1, (skep_bytes){t, n_t});
    skep_pb_put_bytes(&msg, 2, (skep_bytes){s, n_s});
    skep_pb_put_bytes(&msg, 4, (skep_bytes){zeros, n_p});
    skep_pb_put_i64(&msg, 7, 1);
    end_item();
}

static void test_rejected_spans_take_their_events_with_them(void **state)
{
    (void)state;
    begin_spans();
    span_with_ids(tid, 15, sid, 8, 0);
    span_with_ids(zeros, 16, sid, 8, 0);
    span_with_ids(tid, 0, sid, 8, 0);
    span_with_ids(tid, 16, zeros, 8, 0);
    span_with_ids(tid, 16, sid, 7, 0);
    span_with_ids(tid, 16, sid, 8, 3);
    span_with_ids(tid, 16, sid, 8, 8); // all-zero parent: a root
    end_all();
    decode(SKEP_OTLP_TRACES);
    assert_int_equal(b->n_rows, 2);
    assert_int_equal(b->parent_id[1], 0);
    assert_int_equal(rep.received, 7);
    assert_int_equal(rep.accepted, 1);
    assert_int_equal(rep.rejected[SKEP_OTLP_REJECT_BAD_TRACE_ID], 3);
    assert_int_equal(rep.rejected[SKEP_OTLP_REJECT_BAD_SPAN_ID], 2);
    assert_int_equal(rep.rejected[SKEP_OTLP_REJECT_BAD_PARENT_ID], 1);
    assert_non_null(strstr(rep.message, "resource 0, scope 0, item 0 (byte "));
}

static void test_too_large_value_rejects_its_span_alone(void **state)
{
    (void)state;
    char *big = malloc((4 << 20) + 2);
    memset(big, 'x', (4 << 20) + 1);
    big[(4 << 20) + 1] = 0;
    begin_spans();
    begin_span();
    enc_str(&msg, 9, "a", "kept");
    end_item();
    begin_span();
    put_event("e", 1, false);
    enc_str(&msg, 9, "a", "gone");
    enc_str(&msg, 9, "only here", big);
    end_item();
    begin_span();
    big[4 << 20] = 0; // exactly 4 MiB
    enc_str(&msg, 9, "a", big);
    end_item();
    end_all();
    decode(SKEP_OTLP_TRACES);
    free(big);
    assert_int_equal(b->n_rows, 2);
    assert_int_equal(rep.rejected[SKEP_OTLP_REJECT_VALUE_TOO_LARGE], 1);
    assert_true(is_str(attr("a", 0), "kept"));
    assert_int_equal(attr("a", 1).s.n, 4 << 20);
    assert_int_equal(attr("only here", 0).type, SKEP_TYPE_NULL);
}

static void test_too_many_rows(void **state)
{
    (void)state;
    // One span with 2^20 - 2 events, one that no longer fits with its event, one that does.
    begin_spans();
    begin_span();
    for (uint32_t i = 0; i < SKEP_LIMIT_BATCH_ROWS - 2; i++)
        skep_pb_put_bytes(&msg, 11, (skep_bytes){NULL, 0});
    end_item();
    begin_span();
    skep_pb_put_bytes(&msg, 11, (skep_bytes){NULL, 0});
    end_item();
    begin_span();
    end_item();
    end_all();
    decode(SKEP_OTLP_TRACES);
    assert_int_equal(b->n_rows, SKEP_LIMIT_BATCH_ROWS);
    assert_int_equal(rep.accepted, 2);
    assert_int_equal(rep.rejected[SKEP_OTLP_REJECT_TOO_MANY_ROWS], 1);
}

// --- values
// ---------------------------------------------------------------------------------------

/* AnyValue { kvlist { "k": inner } } around inner. */
static void wrap(struct skep_buf *any, const char *key)
{
    struct skep_buf outer;
    skep_buf_init(&outer, 1 << 20);
    size_t list = skep_pb_begin(&outer, 6);
    enc_kv(&outer, 1, skep_str_c(key), skep_buf_bytes(any));
    skep_pb_end(&outer, list);
    skep_buf_done(any);
    *any = outer;
}

static void test_values(void **state)
{
    (void)state;
    begin_spans();
    begin_span();
    enc_str(&msg, 9, "s", "text");
    enc_str(&msg, 9, "empty", "");
    enc_int(&msg, 9, "i", INT64_MIN);
    enc_double(&msg, 9, "d", -0.5);
    enc_kv(&msg, 9, SKEP_STR("true"), bytes_of("\x10\x01"));
    enc_kv(&msg, 9, SKEP_STR("none"), (skep_bytes){NULL, 0});
    enc_kv(&msg, 9, SKEP_STR("bytes"), bytes_of("\x3a\x02\x01\xff"));
    // [ "a", 1, true, empty, 1.0, bytes, [], {"k": NaN} ]
    struct skep_buf any;
    skep_buf_init(&any, 1 << 10);
    size_t array = skep_pb_begin(&any, 5);
    skep_pb_put_bytes(&any, 1, bytes_of("\x0a\x01\x61"));
    skep_pb_put_bytes(&any, 1, bytes_of("\x18\x01"));
    skep_pb_put_bytes(&any, 1, bytes_of("\x10\x01"));
    skep_pb_put_bytes(&any, 1, (skep_bytes){NULL, 0});
    size_t item = skep_pb_begin(&any, 1);
    skep_pb_put_double(&any, 4, 1.0);
    skep_pb_end(&any, item);
    skep_pb_put_bytes(&any, 1, bytes_of("\x3a\x02\x01\xff"));
    skep_pb_put_bytes(&any, 1, (skep_bytes){(const uint8_t *)"\x2a\x00", 2});
    item = skep_pb_begin(&any, 1);
    size_t list = skep_pb_begin(&any, 6);
    enc_double(&any, 1, "k", (double)__builtin_nanf(""));
    skep_pb_end(&any, list);
    skep_pb_end(&any, item);
    skep_pb_end(&any, array);
    enc_kv(&msg, 9, SKEP_STR("array"), skep_buf_bytes(&any));
    skep_buf_done(&any);
    enc_kv(&msg, 9, SKEP_STR("no map"), (skep_bytes){(const uint8_t *)"\x32\x00", 2});
    enc_str(&msg, 9, "", "no name");
    end_item();
    end_all();
    decode(SKEP_OTLP_TRACES);
    assert_true(is_str(attr("s", 0), "text"));
    assert_true(is_str(attr("empty", 0), ""));
    assert_true(attr("i", 0).i == INT64_MIN);
    assert_int_equal(attr("i", 0).type, SKEP_TYPE_INT);
    assert_true(attr("d", 0).f == -0.5);
    assert_int_equal(attr("d", 0).type, SKEP_TYPE_DOUBLE);
    assert_int_equal(attr("true", 0).type, SKEP_TYPE_BOOL);
    assert_true(attr("true", 0).b);
    assert_int_equal(attr("none", 0).type, SKEP_TYPE_EMPTY);
    assert_int_equal(attr("no map", 0).type, SKEP_TYPE_EMPTY);
    assert_int_equal(attr("bytes", 0).type, SKEP_TYPE_BYTES);
    assert_memory_equal(attr("bytes", 0).s.p, "\x01\xff", 2);
    skep_value v = attr("array", 0);
    assert_int_equal(v.type, SKEP_TYPE_ARRAY);
    const char *want =
        "[\"a\",1,true,null,1.0,{\"bytes\":\"Af8=\"},[],{\"k\":{\"double\":\"NaN\"}}]";
    assert_int_equal(v.s.n, strlen(want));
    assert_memory_equal(v.s.p, want, v.s.n);
}

/* AnyValues other than one field in its shortest form: read as any protobuf is. */
static void test_values_in_odd_forms(void **state)
{
    (void)state;
    static const struct {
        const char *any;
        size_t n;
        skep_rc rc;
        skep_value want;
    } cases[] = {
        {"\x0a\x01"
         "a\x18\x05",
         5,
         SKEP_OK,
         {.type = SKEP_TYPE_INT, .i = 5}}, // the last of a oneof wins
        {"\x18\x05\x0a\x00", 4, SKEP_OK, {.type = SKEP_TYPE_STRING, .s = {"", 0}}},
        {"\x18\x85\x80\x00", 4, SKEP_OK, {.type = SKEP_TYPE_INT, .i = 5}}, // longer than needed
        {"\x18\xac\x02", 3, SKEP_OK, {.type = SKEP_TYPE_INT, .i = 300}},
        {"\x10\x02", 2, SKEP_OK, {.type = SKEP_TYPE_BOOL, .b = true}},
        {"\x0a\x81\x00z", 4, SKEP_OK, {.type = SKEP_TYPE_STRING, .s = {"z", 1}}},
        {"\x40\x05", 2, SKEP_OK, {.type = SKEP_TYPE_EMPTY}},                // string_value_strindex
        {"\x18\x05\x7a\x01z", 5, SKEP_OK, {.type = SKEP_TYPE_INT, .i = 5}}, // unknown field
        {"\x0a\x05hi", 4, SKEP_EMALFORMED, {.type = SKEP_TYPE_NULL}},
        {"\x0a\x01hi", 4, SKEP_EMALFORMED, {.type = SKEP_TYPE_NULL}},
        {"\x18\x80", 2, SKEP_EMALFORMED, {.type = SKEP_TYPE_NULL}},
        {"\x18\x80\x80", 3, SKEP_EMALFORMED, {.type = SKEP_TYPE_NULL}},
        {"\x21\x00\x00\x00", 4, SKEP_EMALFORMED, {.type = SKEP_TYPE_NULL}},
        {"\x0a", 1, SKEP_EMALFORMED, {.type = SKEP_TYPE_NULL}},
    };
    for (size_t i = 0; i < SKEP_ARRAY_LEN(cases); i++) {
        skep_batch_free(b);
        b = skep_batch_new(NULL, now_ns);
        skep_buf_reset(&msg);
        begin_spans();
        begin_span();
        enc_kv(&msg, 9, SKEP_STR("k"), (skep_bytes){(const uint8_t *)cases[i].any, cases[i].n});
        end_item();
        end_all();
        skep_rc rc = skep_otlp_traces_pb(skep_buf_bytes(&msg), b, NULL, &rep, &err);
        if (rc != cases[i].rc)
            fail_msg("case %zu: %d", i, (int)rc);
        if (rc != SKEP_OK)
            continue;
        assert_int_equal(attr("k", 0).type, cases[i].want.type);
        if (cases[i].want.type == SKEP_TYPE_STRING)
            assert_true(skep_str_eq(attr("k", 0).s, cases[i].want.s));
        if (cases[i].want.type == SKEP_TYPE_INT)
            assert_int_equal(attr("k", 0).i, cases[i].want.i);
        if (cases[i].want.type == SKEP_TYPE_BOOL)
            assert_true(attr("k", 0).b);
    }
}

/* KeyValues likewise: fields in another order, more than once, or one missing. */
static void test_key_values_in_odd_forms(void **state)
{
    (void)state;
    static const char value_first[] = "\x12\x02\x18\x07\x0a\x01k";
    static const char twice[] = "\x0a\x01x\x12\x02\x18\x01\x0a\x01m\x12\x02\x18\x09";
    static const char no_value[] = "\x0a\x01n";
    static const char too_long[] = "\x0a\x01k\x12\x05\x18\x07";
    begin_spans();
    begin_span();
    skep_pb_put_bytes(&msg, 9, bytes_of(value_first));
    skep_pb_put_bytes(&msg, 9, bytes_of(twice));
    skep_pb_put_bytes(&msg, 9, bytes_of(no_value));
    end_item();
    end_all();
    decode(SKEP_OTLP_TRACES);
    assert_int_equal(attr("k", 0).i, 7);
    assert_int_equal(attr("m", 0).i, 9);
    assert_int_equal(attr("x", 0).type, SKEP_TYPE_NULL);
    assert_int_equal(attr("n", 0).type, SKEP_TYPE_EMPTY);
    skep_buf_reset(&msg);
    begin_spans();
    begin_span();
    skep_pb_put_bytes(&msg, 9, bytes_of(too_long));
    end_item();
    end_all();
    assert_int_equal(skep_otlp_traces_pb(skep_buf_bytes(&msg), b, NULL, &rep, &err),
                     SKEP_EMALFORMED);
}

static void test_maps_are_flattened_to_depth_five(void **state)
{
    (void)state;
    struct skep_buf any;
    skep_buf_init(&any, 1 << 10);
    skep_pb_put_varint(&any, 3, 7);
    static const char *const keys[] = {"g", "f", "e", "d", "c", "b"};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(keys); i++)
        wrap(&any, keys[i]);
    begin_spans();
    begin_span();
    enc_kv(&msg, 9, SKEP_STR("a"), skep_buf_bytes(&any));
    // Two entries, one with an empty key, and a value that replaces a flattened one.
    skep_buf_reset(&any);
    size_t list = skep_pb_begin(&any, 6);
    enc_int(&any, 1, "x", 1);
    enc_int(&any, 1, "", 2);
    enc_str(&any, 1, "y", "z");
    skep_pb_end(&any, list);
    enc_kv(&msg, 9, SKEP_STR("m"), skep_buf_bytes(&any));
    enc_str(&msg, 9, "m.x", "later");
    skep_buf_done(&any);
    end_item();
    end_all();
    decode(SKEP_OTLP_TRACES);
    assert_true(is_str(attr("a.b.c.d.e.f", 0), "{\"g\":7}"));
    assert_true(is_str(attr("m.x", 0), "later"));
    assert_true(is_str(attr("m.y", 0), "z"));
    assert_int_equal(attr("m.", 0).type, SKEP_TYPE_NULL);
}

static void test_nesting_is_bounded(void **state)
{
    (void)state;
    for (int depth = 20; depth <= 3000; depth += 2980) {
        struct skep_buf any;
        skep_buf_init(&any, 1 << 20);
        skep_pb_put_varint(&any, 3, 7);
        for (int i = 0; i < depth; i++) {
            struct skep_buf outer;
            skep_buf_init(&outer, 1 << 20);
            size_t array = skep_pb_begin(&outer, 5);
            skep_pb_put_bytes(&outer, 1, skep_buf_bytes(&any));
            skep_pb_end(&outer, array);
            skep_buf_done(&any);
            any = outer;
        }
        skep_buf_reset(&msg);
        begin_spans();
        begin_span();
        enc_kv(&msg, 9, SKEP_STR("deep"), skep_buf_bytes(&any));
        end_item();
        end_all();
        skep_rc rc = skep_otlp_traces_pb(skep_buf_bytes(&msg), b, NULL, &rep, &err);
        assert_int_equal(rc, depth == 20 ? SKEP_OK : SKEP_EMALFORMED);
        skep_buf_done(&any);
    }
    assert_non_null(strstr(err.text, "nested deeper than 24"));
}

static void test_invalid_utf8_is_made_visible(void **state)
{
    (void)state;
    begin_spans();
    begin_span();
    skep_pb_put_str(&msg, 5, SKEP_STR("ok \xff"));
    enc_str(&msg, 9, "k\xc3", "\xe4\xbd\xa0 \xe4\xbd");
    enc_str(&msg, 9, "plain", "\xe4\xbd\xa0\xe5\xa5\xbd");
    struct skep_buf any;
    skep_buf_init(&any, 1 << 10);
    skep_pb_put_varint(&any, 3, 7);
    wrap(&any, "in\xfe");
    enc_kv(&msg, 9, SKEP_STR("m\xfd"), skep_buf_bytes(&any));
    skep_buf_done(&any);
    end_item();
    end_all();
    decode(SKEP_OTLP_TRACES);
    assert_true(skep_str_eq(skep_batch_str(b, b->name[0]), SKEP_STR("ok \xef\xbf\xbd")));
    assert_true(is_str(attr("k\xef\xbf\xbd", 0), "\xe4\xbd\xa0 \xef\xbf\xbd\xef\xbf\xbd"));
    assert_true(is_str(attr("plain", 0), "\xe4\xbd\xa0\xe5\xa5\xbd"));
    assert_int_equal(attr("m\xef\xbf\xbd.in\xef\xbf\xbd", 0).i, 7);
}

/* Repairing triples a byte: what then no longer fits rejects its span, rather than being cut. */
static void test_what_grows_over_the_limit_is_rejected(void **state)
{
    (void)state;
    enum { N = 2 << 20 };
    char *bad = malloc(N + 1), *key = malloc(5 << 20);
    memset(bad, 0xff, N);
    bad[N] = 0;
    memset(key, 'k', (5 << 20) - 1);
    key[(5 << 20) - 1] = 0;
    begin_spans();
    begin_span();
    enc_str(&msg, 9, "v", bad); // a value
    end_item();
    begin_span();
    skep_pb_put_str(&msg, 5, skep_str_c(bad)); // the span's name
    end_item();
    begin_span();
    struct skep_buf any; // a key inside a map
    skep_buf_init(&any, 16 << 20);
    size_t list = skep_pb_begin(&any, 6);
    enc_int(&any, 1, key, 1);
    enc_int(&any, 1, "other", 2);
    skep_pb_end(&any, list);
    enc_kv(&msg, 9, SKEP_STR("m"), skep_buf_bytes(&any));
    skep_buf_done(&any);
    end_item();
    begin_span(); // a key of its own is cut
    enc_int(&msg, 9, key, 7);
    end_item();
    begin_span(); // and nothing sticks to the next one
    enc_str(&msg, 9, "v", "fine\xff");
    end_item();
    end_all();
    decode(SKEP_OTLP_TRACES);
    free(bad);
    free(key);
    assert_int_equal(rep.rejected[SKEP_OTLP_REJECT_VALUE_TOO_LARGE], 3);
    assert_int_equal(b->n_rows, 2);
    assert_true(is_str(attr("v", 1), "fine\xef\xbf\xbd"));
    assert_int_equal(b->n_fields, 4); // two intrinsic ones, the cut key, v
}

static void test_duplicate_keys_last_wins(void **state)
{
    (void)state;
    begin_group();
    resource_str("service.name", "first");
    resource_str("service.name", "second"); // sub-messages merge
    begin_items();
    begin_span();
    enc_str(&msg, 9, "k", "1");
    enc_int(&msg, 9, "k", 2);
    end_item();
    end_all();
    decode(SKEP_OTLP_TRACES);
    assert_int_equal(attr("k", 0).type, SKEP_TYPE_INT);
    assert_string_equal(dataset(0), "second");
    assert_true(is_str(get_entry(b, &b->resources, b->resource[0], "service.name"), "second"));
}

// --- resources, scopes, datasets, rates
// -----------------------------------------------------------

static void test_scope_and_resource(void **state)
{
    (void)state;
    begin_group();
    resource_str("service.name", " shop ");
    begin_items();
    begin_span();
    end_item();
    size_t scope = skep_pb_begin(&msg, 1); // behind its spans
    skep_pb_put_str(&msg, 1, SKEP_STR("@opentelemetry/instrumentation-http"));
    skep_pb_put_str(&msg, 2, SKEP_STR("1.2"));
    enc_str(&msg, 3, "scope.attr", "v");
    skep_pb_put_varint(&msg, 4, 2);
    skep_pb_end(&msg, scope);
    skep_pb_put_str(&msg, 3, SKEP_STR("https://scope"));
    skep_pb_end(&msg, scope_mark);
    skep_pb_put_str(&msg, 3, SKEP_STR("https://resource"));
    skep_pb_end(&msg, group_mark);
    decode(SKEP_OTLP_TRACES);
    const struct skep_batch_lists *s = &b->scopes, *r = &b->resources;
    uint32_t k = b->scope[0], l = b->resource[0];
    assert_true(is_str(get_entry(b, s, k, "library.name"), "@opentelemetry/instrumentation-http"));
    assert_true(is_str(get_entry(b, s, k, "library.version"), "1.2"));
    assert_true(is_str(get_entry(b, s, k, "scope.attr"), "v"));
    assert_true(is_str(get_entry(b, s, k, "scope.schema_url"), "https://scope"));
    assert_int_equal(get_entry(b, s, k, "scope.dropped_attributes").i, 2);
    assert_int_equal(get_entry(b, s, k, "telemetry.instrumentation_library").type, SKEP_TYPE_BOOL);
    assert_true(is_str(get_entry(b, r, l, "service.name"), " shop "));
    assert_true(is_str(get_entry(b, r, l, "resource.schema_url"), "https://resource"));
    assert_string_equal(dataset(0), "shop");
}

static const char *dataset_of(const char *service, enum skep_otlp_signal signal)
{
    skep_buf_reset(&msg);
    skep_batch_free(b);
    b = skep_batch_new(NULL, now_ns);
    begin_group();
    if (service)
        resource_str("service.name", service);
    begin_items();
    if (signal == SKEP_OTLP_TRACES) {
        begin_span();
        end_item();
    } else {
        begin_log();
        end_item();
    }
    end_all();
    decode(signal);
    return dataset(0);
}

static void test_datasets(void **state)
{
    (void)state;
    assert_string_equal(dataset_of("shop", SKEP_OTLP_TRACES), "shop");
    assert_string_equal(dataset_of("  ", SKEP_OTLP_TRACES), "unknown_service");
    assert_string_equal(dataset_of(NULL, SKEP_OTLP_TRACES), "unknown_service");
    assert_string_equal(dataset_of("unknown_service:node", SKEP_OTLP_TRACES), "unknown_service");
    assert_string_equal(dataset_of("shop", SKEP_OTLP_LOGS), "shop");
    assert_string_equal(dataset_of("unknown_service:node", SKEP_OTLP_LOGS), "header-set");
    assert_string_equal(dataset_of(NULL, SKEP_OTLP_LOGS), "header-set");
    assert_int_equal(skep_otlp_logs_pb(skep_buf_bytes(&msg), b, NULL, &rep, &err), SKEP_OK);
    assert_string_equal(dataset(1), "unknown_log_source");
}

static uint32_t rate_of(const char *text, double number, bool is_double, const char *state)
{
    skep_buf_reset(&msg);
    skep_batch_free(b);
    b = skep_batch_new(NULL, now_ns);
    begin_spans();
    begin_span();
    if (text)
        enc_str(&msg, 9, "SampleRate", text);
    else if (is_double)
        enc_double(&msg, 9, "SampleRate", number);
    else if (number != 0)
        enc_int(&msg, 9, "SampleRate", (int64_t)number);
    if (state)
        skep_pb_put_str(&msg, 3, skep_str_c(state));
    end_item();
    end_all();
    decode(SKEP_OTLP_TRACES);
    return b->sample_rate[0];
}

static void test_sample_rates(void **state)
{
    (void)state;
    assert_int_equal(rate_of(NULL, 0, false, NULL), 1);
    assert_int_equal(rate_of(NULL, 10, false, NULL), 10);
    assert_int_equal(rate_of(NULL, -10, false, NULL), 1);
    assert_int_equal(rate_of(NULL, 5e9, false, NULL), INT32_MAX);
    assert_int_equal(rate_of(NULL, 2.5, true, NULL), 3);
    assert_int_equal(rate_of(NULL, 2.4, true, NULL), 2);
    assert_int_equal(rate_of(NULL, 1e30, true, NULL), INT32_MAX);
    assert_int_equal(rate_of(NULL, -1e30, true, NULL), 1);
    assert_int_equal(rate_of(" 7 ", 0, false, NULL), 7);
    assert_int_equal(attr("SampleRate", 0).type, SKEP_TYPE_NULL);
    assert_int_equal(rate_of("often", 0, false, NULL), 1);
    assert_int_equal(attr("SampleRate", 0).type, SKEP_TYPE_STRING); // not understood: kept
    assert_int_equal(rate_of(NULL, (double)__builtin_nanf(""), true, NULL), 1);
    assert_int_equal(rate_of(NULL, 0, false, "ot=th:c"), 4);
    assert_int_equal(rate_of(NULL, 10, false, "ot=th:c"), 10);
}

static void test_rates_of_scope_and_resource(void **state)
{
    (void)state;
    begin_group();
    resource_str("sampleRate", "9");
    begin_items();
    size_t scope = skep_pb_begin(&msg, 1);
    enc_int(&msg, 3, "SampleRate", 3);
    skep_pb_end(&msg, scope);
    begin_span();
    end_item();
    begin_span();
    enc_int(&msg, 9, "SampleRate", 2);
    enc_int(&msg, 9, "sampleRate", 6); // the preferred spelling
    enc_int(&msg, 9, "SampleRate", 4);
    end_item();
    skep_pb_end(&msg, scope_mark);
    begin_items(); // the next scope says nothing
    begin_span();
    end_item();
    end_all();
    decode(SKEP_OTLP_TRACES);
    assert_int_equal(b->sample_rate[0], 3);
    assert_int_equal(b->sample_rate[1], 6);
    assert_int_equal(b->sample_rate[2], 9);
    assert_int_equal(get_entry(b, &b->resources, b->resource[0], "sampleRate").type,
                     SKEP_TYPE_NULL);
}

// --- logs
// -----------------------------------------------------------------------------------------

static void test_columns_of_a_log(void **state)
{
    (void)state;
    begin_spans();
    begin_log();
    skep_pb_put_i64(&msg, 1, 77);
    skep_pb_put_varint(&msg, 2, 17);
    skep_pb_put_str(&msg, 3, SKEP_STR("ERR"));
    skep_pb_put_bytes(&msg, 5, bytes_of("\x0a\x02hi"));
    enc_str(&msg, 6, "k", "v");
    skep_pb_put_varint(&msg, 7, 2);
    skep_pb_put_i32(&msg, 8, 1);
    skep_pb_put_bytes(&msg, 9, (skep_bytes){tid, 16});
    skep_pb_put_bytes(&msg, 10, (skep_bytes){sid, 8});
    skep_pb_put_i64(&msg, 11, 99);
    skep_pb_put_str(&msg, 12, SKEP_STR("device.app"));
    end_item();
    end_all();
    decode(SKEP_OTLP_LOGS);
    assert_int_equal(b->kind[0], SKEP_KIND_LOG);
    assert_int_equal(b->time_ns[0], 77);
    assert_int_equal(b->duration_ns[0], -1);
    assert_int_equal(b->severity[0], 17);
    assert_int_equal(b->flags[0], 1);
    assert_memory_equal(&b->trace_id[0], tid, 16);
    assert_memory_equal(&b->parent_id[0], sid, 8);
    assert_int_equal(b->span_id[0], 0);
    assert_int_equal(b->name[0], 0);
    assert_true(is_str(intr("severity_text", 0), "ERR"));
    assert_true(is_str(intr("body", 0), "hi"));
    assert_true(is_str(intr("event.name", 0), "device.app"));
    assert_int_equal(intr("meta.dropped_attributes", 0).i, 2);
    assert_true(is_str(attr("k", 0), "v"));
    assert_true(rep.logs_have_time);
}

static void test_odd_logs(void **state)
{
    (void)state;
    begin_spans();
    begin_log(); // observed time, wrong ids, severity out of range, integer body
    skep_pb_put_i64(&msg, 11, 99);
    skep_pb_put_varint(&msg, 2, 1000);
    skep_pb_put_bytes(&msg, 9, (skep_bytes){tid, 8});
    skep_pb_put_bytes(&msg, 10, (skep_bytes){sid, 1});
    skep_pb_put_bytes(&msg, 5, bytes_of("\x18\x05"));
    end_item();
    begin_log(); // nothing at all
    end_item();
    begin_log(); // a map as body
    struct skep_buf any;
    skep_buf_init(&any, 1 << 10);
    skep_pb_put_varint(&any, 3, 7);
    wrap(&any, "b");
    wrap(&any, "a");
    skep_pb_put_bytes(&msg, 5, skep_buf_bytes(&any));
    skep_buf_done(&any);
    end_item();
    end_all();
    decode(SKEP_OTLP_LOGS);
    assert_int_equal(rep.accepted, 3);
    assert_int_equal(b->time_ns[0], 99);
    assert_int_equal(b->severity[0], 0);
    assert_memory_equal(&b->trace_id[0], zeros, 16);
    assert_int_equal(b->parent_id[0], 0);
    assert_int_equal(intr("body", 0).i, 5);
    assert_int_equal(b->time_ns[1], now_ns);
    assert_int_equal(intr("body", 1).type, SKEP_TYPE_NULL);
    assert_true(is_str(intr("body", 2), "{\"a\":{\"b\":7}}"));
    assert_int_equal(intr("body.a.b", 2).i, 7);
    assert_false(rep.logs_have_time);
}

// --- whole requests
// -------------------------------------------------------------------------------

/* Every cut of a request is either refused with an offset inside it, or ends between groups. */
static void test_every_cut_is_refused(void **state)
{
    (void)state;
    begin_group();
    resource_str("service.name", "shop");
    begin_items();
    begin_span();
    put_event("exception", 2000, true);
    enc_str(&msg, 9, "k", "v");
    end_item();
    end_all();
    size_t all = msg.n;
    for (size_t n = 1; n < all; n++) {
        skep_batch_free(b);
        b = skep_batch_new(NULL, now_ns);
        assert_int_equal(skep_otlp_traces_pb((skep_bytes){msg.p, n}, b, NULL, &rep, &err),
                         SKEP_EMALFORMED);
        assert_non_null(strstr(err.text, "at byte 0"));
    }
}

/* The same for damage inside: the offset is that of the broken field. */
static void test_offset_of_damage(void **state)
{
    (void)state;
    begin_spans();
    begin_span();
    size_t at = msg.n;
    skep_buf_put(&msg, "\x4b", 1); // a group
    end_item();
    end_all();
    char want[40];
    snprintf(want, sizeof want, "at byte %zu", at);
    assert_int_equal(skep_otlp_traces_pb(skep_buf_bytes(&msg), b, NULL, &rep, &err),
                     SKEP_EMALFORMED);
    assert_non_null(strstr(err.text, want));
}

static void test_budget_refusal(void **state)
{
    (void)state;
    struct skep_budget budget;
    skep_budget_init(&budget, "ingest", 64 << 10, NULL);
    begin_spans();
    for (int i = 0; i < 5000; i++) {
        char text[16];
        begin_span();
        snprintf(text, sizeof text, "v%d", i);
        enc_str(&msg, 9, "k", text);
        end_item();
    }
    end_all();
    struct skep_batch *small = skep_batch_new(&budget, 0);
    assert_int_equal(skep_otlp_traces_pb(skep_buf_bytes(&msg), small, NULL, &rep, &err),
                     SKEP_ENOMEM);
    skep_batch_free(small);
    assert_int_equal(skep_budget_used(&budget), 0);
}

/* Whatever the budget, the outcome is all or ENOMEM, and nothing leaks. */
static void test_every_budget(void **state)
{
    (void)state;
    begin_group();
    resource_str("service.name", "shop");
    begin_items();
    for (int i = 0; i < 300; i++) {
        char text[40];
        begin_span();
        snprintf(text, sizeof text, "a value that is new each time %d", i);
        enc_str(&msg, 9, "k", text);
        enc_int(&msg, 9, i % 3 ? text : "n", i);
        put_event("exception", 2000, i % 10 == 0);
        end_item();
    }
    end_all();
    unsigned refused = 0, accepted = 0;
    for (uint64_t limit = 1 << 10; limit < (1 << 20) && accepted < 5; limit += 3000) {
        struct skep_budget budget;
        skep_budget_init(&budget, "ingest", limit, NULL);
        struct skep_batch *small = skep_batch_new(&budget, 0);
        skep_rc rc = skep_otlp_traces_pb(skep_buf_bytes(&msg), small, NULL, &rep, &err);
        assert_true(rc == SKEP_OK || rc == SKEP_ENOMEM);
        assert_int_equal(rc == SKEP_OK, !small->over_budget);
        if (rc == SKEP_OK)
            skep_batch_check(small);
        accepted += rc == SKEP_OK;
        refused += rc != SKEP_OK;
        skep_batch_free(small);
        assert_int_equal(skep_budget_used(&budget), 0);
    }
    assert_true(refused > 20 && accepted == 5);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_columns_of_a_span),
        T(test_odd_times_and_enums),
        T(test_events_links_and_lifted_exception),
        T(test_rejected_spans_take_their_events_with_them),
        T(test_too_large_value_rejects_its_span_alone),
        T(test_too_many_rows),
        T(test_values),
        T(test_values_in_odd_forms),
        T(test_key_values_in_odd_forms),
        T(test_maps_are_flattened_to_depth_five),
        T(test_nesting_is_bounded),
        T(test_invalid_utf8_is_made_visible),
        T(test_what_grows_over_the_limit_is_rejected),
        T(test_duplicate_keys_last_wins),
        T(test_scope_and_resource),
        T(test_datasets),
        T(test_sample_rates),
        T(test_rates_of_scope_and_resource),
        T(test_columns_of_a_log),
        T(test_odd_logs),
        T(test_every_cut_is_refused),
        T(test_offset_of_damage),
        T(test_budget_refusal),
        T(test_every_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
