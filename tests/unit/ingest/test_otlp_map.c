// SPDX-License-Identifier: Apache-2.0
/* OTLP to rows, rule by rule, on messages written by hand: spans, whole requests. */
#include "map.h"

// --- spans -------------------------------------------------------------------------------------

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

// --- whole requests ----------------------------------------------------------------------------

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_columns_of_a_span),
        T(test_odd_times_and_enums),
        T(test_events_links_and_lifted_exception),
        T(test_rejected_spans_take_their_events_with_them),
        T(test_too_large_value_rejects_its_span_alone),
        T(test_too_many_rows),
        T(test_every_cut_is_refused),
        T(test_offset_of_damage),
        T(test_budget_refusal),
        T(test_every_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
