// SPDX-License-Identifier: Apache-2.0
/* Reports of several wires: which are of one occurrence, whichever comes first, and after a replay.
 */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "inbox/twins.h"

enum wire { A = 8, B = 30, C = 16, X = SKEP_SOURCE_XRAY * SKEP_KIND_COUNT + 1 };
static const skep_ts_ns ms = 1000000;

/* trace 0 = none; pid 0 = not said */
static struct skep_report report(enum wire wire, uint8_t trace, int64_t pid, int64_t time_ms,
                                 uint64_t seq)
{
    struct skep_report r = {.environment = SKEP_STR("default"),
                            .loose = SKEP_STR("0123456789012345678901234567890123456789"),
                            .host = pid ? SKEP_STR("h") : SKEP_STR_NULL,
                            .pid = pid,
                            .time_ns = time_ms * ms,
                            .wire = wire,
                            .row = {seq, 0}};
    r.trace.b[15] = trace;
    return r;
}

/* Sequence number of the report whose twin this one is; 0 = it counts. */
static uint64_t see(struct skep_twins *t, const struct skep_report *r)
{
    skep_row_id of = {0, 0};
    unsigned wire = 0;
    bool twin = skep_twins_see(t, r, &of, &wire);
    assert_int_equal(twin, wire != 0);
    return twin ? of.seq : 0;
}

static uint64_t at(struct skep_twins *t, enum wire wire, uint8_t trace, int64_t pid,
                   int64_t time_ms, uint64_t seq)
{
    struct skep_report r = report(wire, trace, pid, time_ms, seq);
    return see(t, &r);
}

static void test_trace(void **state)
{
    struct skep_twins *t = skep_twins_new();
    (void)state;
    assert_int_equal(skep_twins_from(t).seq, 0);
    assert_int_equal(at(t, A, 1, 0, 10, 1), 0);
    assert_int_equal(at(t, B, 1, 0, 900000, 2), 1); /* however late */
    assert_int_equal(at(t, C, 1, 0, 10, 3), 1);
    assert_int_equal(at(t, B, 2, 0, 10, 4), 0); /* another trace */
    assert_int_equal(at(t, A, 1, 0, 11, 5), 0); /* once more by A: it happened twice */
    assert_int_equal(at(t, B, 1, 0, 11, 6), 5);
    assert_int_equal(at(t, B, 1, 0, 12, 7), 0); /* B saw it three times */
    assert_int_equal(skep_twins_from(t).seq, 1);
    skep_twins_free(t);
}

static void test_process(void **state)
{
    struct skep_twins *t = skep_twins_new();
    (void)state;
    assert_int_equal(at(t, A, 0, 7, 1900, 1), 0);
    assert_int_equal(at(t, B, 0, 7, 3800, 2), 1); /* 1.9 s, of two windows */
    assert_int_equal(at(t, C, 0, 7, 4000, 3), 0); /* 2.1 s */
    assert_int_equal(at(t, A, 0, 8, 4000, 4), 0); /* another process */
    assert_int_equal(at(t, B, 0, 8, 2000, 5), 4); /* before it */
    assert_int_equal(at(t, A, 0, 0, 4000, 6), 0); /* nothing to go by */
    assert_int_equal(at(t, B, 0, 0, 4000, 7), 0);
    assert_int_equal(at(t, B, 0, 9, -500, 8), 0); /* before 1970 */
    assert_int_equal(at(t, A, 0, 9, 500, 9), 8);
    assert_int_equal(at(t, A, 0, 10, INT64_MIN / ms, 10), 0); /* hostile times */
    assert_int_equal(at(t, B, 0, 10, INT64_MAX / ms, 11), 0);
    skep_twins_free(t);
}

/* One names its trace, the other does not; two traces are never one. */
static void test_trace_and_process(void **state)
{
    struct skep_twins *t = skep_twins_new();
    (void)state;
    assert_int_equal(at(t, B, 0, 7, 1000, 1), 0);
    assert_int_equal(at(t, A, 1, 7, 1100, 2), 1);
    assert_int_equal(at(t, C, 1, 0, 9000, 3), 1); /* by the trace it learned of the second */
    assert_int_equal(at(t, A, 2, 7, 1200, 4), 0);
    assert_int_equal(at(t, B, 3, 7, 1200, 5), 0);
    skep_twins_free(t);
}

/* X-Ray's ids are another tracer's: they part what X-Ray tells, and nothing else. */
static void test_two_tracers(void **state)
{
    struct skep_twins *t = skep_twins_new();
    (void)state;
    assert_int_equal(at(t, A, 1, 7, 1000, 1), 0);
    assert_int_equal(at(t, X, 101, 7, 1100, 2), 1); /* of the same process in that second */
    assert_int_equal(at(t, B, 1, 0, 9000, 3), 1);   /* by either of its traces */
    assert_int_equal(at(t, C, 101, 0, 9000, 4), 1);
    assert_int_equal(at(t, X, 102, 7, 1200, 5), 0); /* twice by X-Ray: it happened twice */
    assert_int_equal(at(t, A, 2, 7, 1300, 6), 5);
    assert_int_equal(at(t, A, 3, 7, 1300, 7), 0);   /* three times by A */
    assert_int_equal(at(t, X, 3, 0, 90000, 8), 7);  /* one id for both: no process is needed */
    assert_int_equal(at(t, X, 104, 7, 4400, 9), 0); /* more than 2 s later */
    assert_int_equal(at(t, X, 105, 8, 1000, 10), 0);
    assert_int_equal(at(t, B, 5, 8, 1000, 11), 10); /* X-Ray first */
    assert_int_equal(at(t, A, 6, 8, 1000, 12), 0);  /* B told of trace 5 */
    skep_twins_free(t);
}

static void test_what_else_parts(void **state)
{
    struct skep_twins *t = skep_twins_new();
    struct skep_report a = report(A, 1, 7, 1000, 1), b = report(B, 1, 7, 1000, 2);
    (void)state;
    assert_int_equal(see(t, &a), 0);
    b.loose = SKEP_STR("another class or place");
    assert_int_equal(see(t, &b), 0);
    b = report(B, 1, 7, 1000, 3);
    b.environment = SKEP_STR("other");
    assert_int_equal(see(t, &b), 0);
    b = report(B, 1, 7, 1000, 4);
    b.loose = SKEP_STR_NULL; /* a message */
    assert_int_equal(see(t, &b), 0);
    skep_twins_free(t);
}

/* max(a, b) whatever the order. */
static void test_orders(void **state)
{
    static const char *const orders[] = {"AAABB", "BBAAA", "ABABA", "BAAAB", "AABBA"};
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(orders); i++) {
        struct skep_twins *t = skep_twins_new();
        unsigned counted = 0;
        for (uint64_t k = 0; orders[i][k]; k++)
            counted += at(t, orders[i][k] == 'A' ? A : B, 1, 0, (int64_t)k, k + 1) == 0;
        assert_int_equal(counted, 3);
        skep_twins_free(t);
    }
}

/* Random reports over several generations: what is made anew of the reports since `from` decides
 * as what saw them all. */
static void test_replay(void **state)
{
    enum { N = 200000 };
    struct skep_report *all = malloc(N * sizeof *all);
    skep_row_id *of = calloc(N, sizeof *of);
    struct skep_twins *t = skep_twins_new(), *again = NULL;
    uint64_t x = 88172645463325252ull, twins = 0;
    (void)state;
    for (uint64_t i = 0; i < N; i++) {
        unsigned wire;
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        all[i] = report(x % 3 == 0    ? B
                        : x % 16 == 0 ? X
                                      : A,
                        0, (x >> 8) % 5 ? (int64_t)(1 + (x >> 12) % 40) : 0,
                        (int64_t)i * 2 + (int64_t)((x >> 20) % 3000), i + 1);
        if ((x >> 32) % 4) /* most name their trace, of the last thousand */
            memcpy(&all[i].trace, &(uint64_t[2]){1, i / 1000 * 1000 + (x >> 36) % 1000}, 16);
        if (i == 150000) { /* a restart */
            skep_row_id from = skep_twins_from(t);
            assert_in_range(from.seq, 2, i);
            again = skep_twins_new();
            for (uint64_t k = from.seq - 1; k < i; k++)
                skep_twins_replay(again, &all[k], of[k]);
        }
        bool twin = skep_twins_see(t, &all[i], &of[i], &wire);
        twins += twin;
        if (again) {
            skep_row_id other = {0, 0};
            assert_int_equal(skep_twins_see(again, &all[i], &other, &wire), twin);
            assert_int_equal(other.seq, of[i].seq);
        }
    }
    assert_true(twins > N / 10);
    assert_int_equal(skep_twins_from(t).seq, skep_twins_from(again).seq);
    skep_twins_free(t);
    skep_twins_free(again);
    free(all);
    free(of);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trace),
        cmocka_unit_test(test_process),
        cmocka_unit_test(test_trace_and_process),
        cmocka_unit_test(test_two_tracers),
        cmocka_unit_test(test_what_else_parts),
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_replay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
