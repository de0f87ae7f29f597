// SPDX-License-Identifier: Apache-2.0
/* OTLP to rows, rule by rule: values, resources, scopes, sample rates, logs. */
#include "map.h"

// --- values ------------------------------------------------------------------------------------

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

// --- resources, scopes, datasets, rates --------------------------------------------------------

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

// --- logs --------------------------------------------------------------------------------------

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
