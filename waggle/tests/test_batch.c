// SPDX-License-Identifier: Apache-2.0
/* test_batch.c - the batch processor: nothing is lost but what is counted, and nobody waits for it
 */
#include "support.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static struct capture *capture;
static struct waggle_provider *provider;
static struct waggle_tracer *tracer;
static waggle_stats before;

static void begin(const waggle_batch_options *options)
{
    capture = capture_new();
    provider = waggle_provider_new(NULL);
    assert_true(waggle_provider_add(provider, waggle_batch_processor_new(&capture->base, options)));
    tracer = waggle_provider_tracer(provider, "batch", "1", NULL, WAGGLE_NO_ATTRS);
    waggle_get_stats(&before, sizeof before);
}

static void finish(void)
{
    waggle_provider_free(provider);
    assert_false(capture->overlapped);
    capture_free(capture);
}

static waggle_stats since(void)
{
    waggle_stats s;
    waggle_get_stats(&s, sizeof s);
    uint64_t *now = (uint64_t *)&s;
    for (size_t i = 0; i < sizeof s / sizeof *now; i++)
        now[i] -= ((uint64_t *)&before)[i];
    return s;
}

static void spans(size_t n)
{
    for (size_t i = 0; i < n; i++)
        waggle_span_end(waggle_span_start(tracer, "x", NULL));
}

static void a_full_queue_drops_exactly_the_rest(void **state)
{
    (void)state;
    static const waggle_batch_options cases[] = {
        {.max_queue = 2048, .max_batch = 512}, {.max_queue = 10, .max_batch = 3},
        {.max_queue = 1, .max_batch = 1},      {.max_queue = 1000, .max_batch = 1000},
        {.max_queue = 8192, .max_batch = 64},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        waggle_batch_options o = cases[i];
        o.schedule_delay_ms = 3600000;
        o.no_drop_report = true;
        begin(&o);
        capture_close(capture, true);
        spans(o.max_batch); // one batch is in the exporter's hands
        capture_wait_in_export(capture);
        size_t more = o.max_queue + 100;
        spans(more);
        waggle_stats s = since();
        assert_int_equal(s.dropped_queue_full, 100);
        capture_close(capture, false);
        assert_true(waggle_provider_flush(provider, 20000));
        assert_int_equal(capture_count(capture), o.max_batch + o.max_queue);
        assert_true(capture->largest_batch <= o.max_batch);
        s = since();
        assert_int_equal(s.exported, o.max_batch + o.max_queue);
        assert_int_equal(s.ended, s.exported + s.dropped_queue_full);
        finish();
    }
}

static void a_complete_batch_goes_out_by_itself(void **state)
{
    (void)state;
    begin(&(waggle_batch_options){.schedule_delay_ms = 3600000});
    spans(511);
    assert_int_equal(capture_count(capture), 0);
    spans(1);
    wait_for(capture_count(capture) == 512);
    assert_int_equal(capture->n_batches, 1);
    finish();
}

static void the_schedule_sends_what_there_is(void **state)
{
    (void)state;
    begin(&(waggle_batch_options){.schedule_delay_ms = 50});
    spans(3);
    wait_for(capture_count(capture) == 3);
    spans(2);
    wait_for(capture_count(capture) == 5);
    finish();
}

static void order_and_scopes_are_kept(void **state)
{
    (void)state;
    begin(&(waggle_batch_options){.schedule_delay_ms = 3600000});
    struct waggle_tracer *other =
        waggle_provider_tracer(provider, "other", NULL, NULL, WAGGLE_NO_ATTRS);
    for (int i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        waggle_span_end(waggle_span_start(i % 3 ? tracer : other, name, NULL));
    }
    assert_true(waggle_provider_flush(provider, 20000));
    assert_int_equal(capture_count(capture), 1000);
    for (size_t i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%zu", i);
        assert_true(str_is(capture_span(capture, i).name, name));
        assert_string_equal(capture->scopes[i], i % 3 ? "batch" : "other");
    }
    finish();
}

static void *some_spans(void *self)
{
    (void)self;
    spans(7);
    return NULL;
}

static void spans_of_ended_threads_arrive(void **state)
{
    (void)state;
    begin(&(waggle_batch_options){.schedule_delay_ms = 3600000});
    for (int i = 0; i < 300; i++) { // more threads than there are chunks
        pthread_t t;
        pthread_create(&t, NULL, some_spans, NULL);
        pthread_join(t, NULL);
        if (i % 50 == 49)
            assert_true(waggle_provider_flush(provider, 20000));
    }
    assert_true(waggle_provider_flush(provider, 20000));
    assert_int_equal(capture_count(capture), 2100);
    finish();
}

static void results_are_counted(void **state)
{
    (void)state;
    begin(&(waggle_batch_options){.schedule_delay_ms = 3600000, .no_drop_report = true});
    capture->result = WAGGLE_EXPORT_FAILED;
    spans(3);
    assert_true(waggle_provider_flush(provider, 20000));
    capture->result = WAGGLE_EXPORT_TIMEOUT;
    spans(4);
    assert_true(waggle_provider_flush(provider, 20000));
    waggle_stats s = since();
    assert_int_equal(s.dropped_failed, 3);
    assert_int_equal(s.dropped_timeout, 4);
    assert_int_equal(s.exported, 0);
    finish();
}

static void drops_are_reported_as_a_span(void **state)
{
    (void)state;
    begin(&(waggle_batch_options){.schedule_delay_ms = 3600000, .max_queue = 10, .max_batch = 10});
    capture_close(capture, true);
    spans(10);
    capture_wait_in_export(capture);
    spans(15);
    capture_close(capture, false);
    assert_true(waggle_provider_flush(provider, 20000));
    waggle_span_data d = capture_named(capture, "waggle.dropped");
    assert_int_equal(attr_of(&d, "waggle.dropped.queue_full").value.i64,
                     since().dropped_queue_full);
    assert_int_equal(since().dropped_queue_full, 5);
    assert_true(waggle_provider_flush(provider, 20000)); // told once
    capture_named(capture, "waggle.dropped");
    assert_int_equal(since().exported, 20); // the report is nobody's span
    finish();
}

static void shutdown_does_not_wait_for_ever(void **state)
{
    (void)state;
    struct timespec from;
    struct timespec to;
    begin(&(waggle_batch_options){.max_batch = 1});
    capture_close(capture, true);
    spans(1);
    capture_wait_in_export(capture);
    assert_false(waggle_provider_flush(provider, 50));
    clock_gettime(CLOCK_MONOTONIC, &from);
    assert_false(waggle_provider_shutdown(provider, 50));
    clock_gettime(CLOCK_MONOTONIC, &to);
    assert_true(to.tv_sec - from.tv_sec < 10);
    assert_false(waggle_provider_shutdown(provider, 50));
    spans(1);
    capture_close(capture, false); // the worker ends on its own; its memory was left to it
    wait_for(capture->n_shutdowns == 1);
    waggle_provider_free(provider);
}

static void shutdown_sends_what_is_left(void **state)
{
    (void)state;
    begin(&(waggle_batch_options){.schedule_delay_ms = 3600000});
    spans(700);
    assert_true(waggle_provider_shutdown(provider, 20000));
    assert_int_equal(capture_count(capture), 700);
    assert_int_equal(capture->n_shutdowns, 1);
    assert_true(capture->n_batches <= 3);
    finish();
    begin(NULL); // without a span there is no worker to wait for
    assert_true(waggle_provider_flush(provider, 0));
    assert_true(waggle_provider_shutdown(provider, 1000));
    assert_int_equal(capture->n_shutdowns, 1);
    finish();
}

static void large_and_small_records_share_a_queue(void **state)
{
    (void)state;
    static char text[60000];
    memset(text, 'y', sizeof text);
    begin(&(waggle_batch_options){.schedule_delay_ms = 3600000, .max_batch = 100});
    for (int i = 0; i < 90; i++) {
        waggle_span s = waggle_span_start(tracer, "mixed", NULL);
        waggle_span_set_kv(s, waggle_kv_strn("t", text, i % 3 == 0 ? sizeof text : 10));
        waggle_span_end(s);
    }
    assert_true(waggle_provider_flush(provider, 20000));
    assert_int_equal(capture_count(capture), 90);
    for (size_t i = 0; i < 90; i++) {
        waggle_span_data d = capture_span(capture, i);
        assert_int_equal(attr_of(&d, "t").value.str.n, i % 3 == 0 ? sizeof text : 10);
    }
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_queue_drops_exactly_the_rest),
        cmocka_unit_test(a_complete_batch_goes_out_by_itself),
        cmocka_unit_test(the_schedule_sends_what_there_is),
        cmocka_unit_test(order_and_scopes_are_kept),
        cmocka_unit_test(spans_of_ended_threads_arrive),
        cmocka_unit_test(results_are_counted),
        cmocka_unit_test(drops_are_reported_as_a_span),
        cmocka_unit_test(shutdown_does_not_wait_for_ever),
        cmocka_unit_test(shutdown_sends_what_is_left),
        cmocka_unit_test(large_and_small_records_share_a_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
