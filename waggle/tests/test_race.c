// SPDX-License-Identifier: Apache-2.0
/* test_race.c - many threads at one thing; runs under the thread sanitizer without suppressions */
#include "support.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS = 4, ROUNDS = 2000 };

static struct waggle_tracer *tracer;
static _Atomic uint64_t shared; /* a span, as one word */

static waggle_span load(void)
{
    uint64_t v = atomic_load(&shared);
    return (waggle_span){(uint32_t)v, (uint32_t)(v >> 32)};
}

static void *on_one_span(void *self)
{
    size_t me = (size_t)self;
    for (int i = 0; i < ROUNDS; i++) {
        waggle_span s = load();
        waggle_span_context c;
        waggle_span_set_kv(s, waggle_kv_i64("n", i));
        waggle_span_event(s, "e", WAGGLE_ATTRS(waggle_kv_i64("i", i)));
        waggle_span_get_context(s, &c);
        waggle_span child = waggle_span_start(tracer, "child", &(waggle_span_opts){.parent = s});
        waggle_span_end(child);
        if (i % 10 == (int)me) {
            waggle_span_end(s);
            waggle_span next = waggle_span_start(tracer, "shared", NULL);
            atomic_store(&shared, (uint64_t)next.generation << 32 | next.slot);
        }
    }
    return NULL;
}

static void run(void *(*fn)(void *))
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, fn, (void *)i);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void threads_share_a_span(void **state)
{
    (void)state;
    struct capture *c = capture_new();
    struct waggle_provider *p = waggle_provider_new(NULL);
    waggle_provider_add(
        p, waggle_batch_processor_new(&c->base, &(waggle_batch_options){.max_queue = 65536,
                                                                        .schedule_delay_ms = 5,
                                                                        .no_drop_report = true}));
    tracer = waggle_provider_tracer(p, "race", NULL, NULL, WAGGLE_NO_ATTRS);
    waggle_span first = waggle_span_start(tracer, "shared", NULL);
    atomic_store(&shared, (uint64_t)first.generation << 32 | first.slot);
    run(on_one_span);
    waggle_span_end(load());
    assert_true(waggle_provider_shutdown(p, 30000));
    for (size_t i = 0; i < c->n; i++)
        (void)capture_span(c, i); // each decodes
    waggle_stats s;
    waggle_get_stats(&s, sizeof s);
    assert_int_equal(c->n, s.exported);
    assert_true(c->n > THREADS * (ROUNDS - 10));
    waggle_provider_free(p);
    capture_free(c);
}

static void *until_stopped(void *self)
{
    (void)self;
    for (int i = 0; i < ROUNDS; i++) {
        waggle_span s = waggle_span_start(tracer, "x", NULL);
        WAGGLE_SPAN_SCOPE(s);
        waggle_span_set(s, WAGGLE_ATTRS(waggle_kv_str("a", "b"), waggle_kv_i64("c", i)));
        waggle_span_end(waggle_span_start(tracer, "y", NULL));
        waggle_span_end(s);
    }
    return NULL;
}

static void *shut_down(void *self)
{
    usleep(1000 * (unsigned)((size_t)self + 1)); // somewhere in between: any moment must do
    waggle_flush(100);
    waggle_shutdown(20000);
    return NULL;
}

static void spans_race_with_flush_shutdown_and_init(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        struct capture *c = capture_new();
        assert_int_equal(waggle_init(&(waggle_options){.exporter = &c->base}), 0);
        tracer = waggle_tracer_get("race", "2");
        pthread_t threads[THREADS + 2];
        for (size_t i = 0; i < THREADS; i++)
            pthread_create(&threads[i], NULL, until_stopped, NULL);
        for (size_t i = 0; i < 2; i++)
            pthread_create(&threads[THREADS + i], NULL, shut_down, (void *)i);
        for (size_t i = 0; i < THREADS + 2; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(c->n_shutdowns, 1);
        assert_false(c->overlapped);
        capture_free(c);
    }
}

static void *short_life(void *self)
{
    waggle_span s = waggle_span_start(tracer, "short", NULL);
    waggle_attach_span(s);
    waggle_span_end(s);
    return self;
}

static void *many_short_lives(void *self)
{
    for (int i = 0; i < 100; i++) {
        pthread_t t;
        pthread_create(&t, NULL, short_life, NULL);
        pthread_join(t, NULL);
    }
    return self;
}

static void threads_come_and_go(void **state)
{
    (void)state;
    struct capture *c = capture_new();
    assert_int_equal(waggle_init(&(waggle_options){.exporter = &c->base}), 0);
    tracer = waggle_tracer_get("race", "3");
    run(many_short_lives);
    assert_true(waggle_shutdown(20000));
    assert_int_equal(c->n, THREADS * 100);
    capture_free(c);
}

static void *get_tracers(void *self)
{
    char name[2] = "a";
    for (int i = 0; i < 200; i++) {
        name[0] = (char)('a' + (i + (int)(size_t)self) % 26);
        waggle_span_end(waggle_span_start(waggle_tracer_get(name, NULL), "x", NULL));
    }
    return NULL;
}

static void tracers_are_asked_for_at_once(void **state)
{
    (void)state;
    struct capture *c = capture_new();
    assert_int_equal(waggle_init(&(waggle_options){.exporter = &c->base}), 0);
    run(get_tracers);
    assert_true(waggle_shutdown(20000));
    assert_int_equal(c->n, THREADS * 200);
    capture_free(c);
}

/* --- metrics ------------------------------------------------------------------------------- */

static struct waggle_instrument *counted, *recorded, *set;

static void *measure(void *self)
{
    size_t me = (size_t)self;
    for (int i = 0; i < ROUNDS; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i % 97);
        waggle_add(counted, 1, WAGGLE_ATTRS(waggle_kv_str("k", text)));
        waggle_add(counted, 1, WAGGLE_NO_ATTRS);
        waggle_record_f64(recorded, i, WAGGLE_ATTRS(waggle_kv_i64("thread", (int64_t)me)));
        waggle_set(set, i, WAGGLE_NO_ATTRS);
    }
    return NULL;
}

static void add_up(void *self, const waggle_batch *batch)
{
    int64_t *sums = self;
    for (size_t i = 0; i < batch->n_records; i++) {
        waggle_metric_data m;
        waggle_point_data p;
        assert_true(waggle_record_metric(&batch->records[i], &m));
        for (waggle_cursor at = {0}; waggle_metric_data_point(&m, &at, &p);) {
            sums[0] += str_is(m.name, "counted") ? p.i64 : 0;
            sums[1] += str_is(m.name, "recorded") ? (int64_t)p.count : 0;
        }
    }
}

static atomic_bool measured;
static struct waggle_reader *reader;

static void *collect_until_measured(void *sums)
{
    while (!atomic_load(&measured))
        assert_true(waggle_reader_collect(reader, add_up, sums));
    return NULL;
}

/* Differences that are collected while threads measure: every measurement is in exactly one. */
static void measurements_are_in_one_collection(void **state)
{
    (void)state;
    int64_t sums[2] = {0};
    pthread_t collector;
    struct waggle_provider *p = waggle_provider_new(NULL);
    reader = waggle_manual_reader_new(
        &(waggle_reader_options){.preference = WAGGLE_PREFER_DELTA, .cardinality_limit = 50});
    assert_true(waggle_provider_add_view(
        p, &(waggle_view){.instrument_name = "recorded",
                          .aggregation = {.kind = WAGGLE_AGGREGATION_EXPONENTIAL, .max_size = 8}}));
    assert_true(waggle_provider_add_reader(p, reader));
    struct waggle_meter *m = waggle_provider_meter(p, "race", NULL, NULL, WAGGLE_NO_ATTRS);
    counted = waggle_counter_new(m, "counted", NULL, NULL);
    recorded = waggle_histogram_new(m, "recorded", NULL, NULL);
    set = waggle_gauge_new(m, "set", NULL, NULL);
    atomic_store(&measured, false);
    pthread_create(&collector, NULL, collect_until_measured, sums);
    run(measure);
    atomic_store(&measured, true);
    pthread_join(collector, NULL);
    assert_true(waggle_reader_collect(reader, add_up, sums));
    waggle_stats s;
    waggle_get_stats(&s, sizeof s);
    int64_t lost = (int64_t)s.dropped_measurements; // all stripes taken by sleeping threads
    assert_int_equal(sums[0] + sums[1] + lost, 3 * THREADS * ROUNDS);
    assert_in_range(sums[0], 2 * THREADS * ROUNDS - lost, 2 * THREADS * ROUNDS);
    waggle_provider_free(p);
}

static void *make_instruments(void *self)
{
    struct waggle_provider *p = self;
    for (int i = 0; i < 50; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        struct waggle_meter *m = waggle_provider_meter(p, name, NULL, NULL, WAGGLE_NO_ATTRS);
        waggle_add(waggle_counter_new(m, "c", NULL, NULL), 1, WAGGLE_NO_ATTRS);
    }
    return NULL;
}

/* Meters, instruments, readers and views are asked for at once. */
static void meters_and_instruments_are_made_at_once(void **state)
{
    (void)state;
    struct waggle_provider *p = waggle_provider_new(NULL);
    struct waggle_reader *r = waggle_manual_reader_new(NULL);
    pthread_t threads[THREADS];
    int64_t ignored[2] = {0};
    assert_true(waggle_provider_add_reader(p, r));
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, make_instruments, p);
    for (int i = 0; i < 4; i++) {
        assert_true(waggle_provider_add_reader(p, waggle_manual_reader_new(NULL)));
        assert_true(waggle_provider_add_view(p, &(waggle_view){.instrument_name = "other"}));
        assert_true(waggle_reader_collect(r, add_up, ignored));
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    waggle_provider_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_share_a_span),
        cmocka_unit_test(spans_race_with_flush_shutdown_and_init),
        cmocka_unit_test(threads_come_and_go),
        cmocka_unit_test(tracers_are_asked_for_at_once),
        cmocka_unit_test(measurements_are_in_one_collection),
        cmocka_unit_test(meters_and_instruments_are_made_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
