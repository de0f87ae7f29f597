// SPDX-License-Identifier: Apache-2.0
/* test_race.c - many threads at one thing; runs under the thread sanitizer without suppressions */
#include "support.h"

#include <cmocka.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_share_a_span),
        cmocka_unit_test(spans_race_with_flush_shutdown_and_init),
        cmocka_unit_test(threads_come_and_go),
        cmocka_unit_test(tracers_are_asked_for_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
