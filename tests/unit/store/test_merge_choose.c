// SPDX-License-Identifier: Apache-2.0
/* Which segments merges choose, over days of flushes of one size or another: segments stay few,
 * rows are in few merges, and what is made keeps its limits. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "store/column/merge_choose.h"
#include "store/column/segment.h"

enum { CROWDED = 48, MAX = 128 };

struct world {
    struct skep_merge_piece p[MAX];
    unsigned n, most; /* segments, and the most there were after merging */
    uint64_t rows, merged, merges;
    uint64_t anew; /* rows of merges in which origins ran out */
    skep_ts_ns span_ns, now_ns;
};

static void merge(struct world *w, const struct skep_merge_run *run)
{
    struct skep_merge_piece one = w->p[run->at];
    skep_ts_ns oldest = one.newest_ns;
    uint32_t origins = 1;
    one.rows = 0;
    assert_true(run->n >= 2 && run->at + run->n <= w->n);
    for (unsigned i = run->at; i < run->at + run->n; i++) {
        assert_int_equal(w->p[i].layout, one.layout);
        assert_false(w->p[i].dead);
        one.rows += w->p[i].rows;
        origins += w->p[i].origins;
        one.newest_ns = SKEP_MAX(one.newest_ns, w->p[i].newest_ns);
        oldest = SKEP_MIN(oldest, w->p[i].newest_ns);
    }
    assert_int_equal(one.rows, run->rows);
    w->anew += origins > SKEP_SEGMENT_MAX_ORIGINS ? one.rows : 0; /* in part */
    one.origins = SKEP_MIN(origins, (uint32_t)SKEP_SEGMENT_MAX_ORIGINS);
    assert_true(one.rows <= SKEP_MERGE_ROWS);
    assert_true(one.newest_ns - oldest <= w->span_ns);
    w->p[run->at] = one;
    memmove(w->p + run->at + 1, w->p + run->at + run->n, (w->n - run->at - run->n) * sizeof *w->p);
    w->n -= run->n - 1;
    w->merged += one.rows;
    w->merges++;
}

static void flush(struct world *w, uint64_t rows)
{
    struct skep_merge_run run;
    assert_true(w->n < MAX);
    w->p[w->n++] = (struct skep_merge_piece){.rows = rows, .newest_ns = w->now_ns, .origins = 1};
    w->rows += rows;
    for (unsigned tries = 0; skep_merge_choose(w->p, w->n, w->span_ns, CROWDED, &run); tries++) {
        assert_true(tries < 10);
        assert_true(w->n > CROWDED || skep_merge_behind(w->p, w->n, w->span_ns) >= run.rows);
        merge(w, &run);
    }
    if (w->n <= CROWDED)
        assert_int_equal(skep_merge_behind(w->p, w->n, w->span_ns), 0);
    w->most = SKEP_MAX(w->most, w->n);
}

/* Flushes of `rows`, more or less, until there are `total`; one each `every_ns`. */
static struct world run(uint64_t rows, uint64_t total, skep_ts_ns every_ns, skep_ts_ns span_ns)
{
    struct world w = {.span_ns = span_ns};
    uint64_t seed = 20261130 + rows;
    while (w.rows < total) {
        seed = (seed * 6364136223846793005u + 1442695040888963407u) % UINT64_MAX;
        flush(&w, SKEP_MAX(rows - rows / 8 + (seed >> 40) % (rows / 4 + 1), 1u));
        w.now_ns += every_ns;
    }
    return w;
}

/* Besides the large ones, which nothing is joined with. */
static void expect(const struct world *w, unsigned segments, double times)
{
    if (w->most > segments + w->rows / (SKEP_MERGE_ROWS / 2) ||
        (double)w->merged > times * (double)w->rows)
        fail_msg("%u segments at most, each row in %.1f merges (%" PRIu64 ")", w->most,
                 (double)w->merged / (double)w->rows, w->merges);
}

/* As they are at 128 MB to 4 GB. */
static void test_flushes_of_one_size(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {80000, 104000, 150000, 330000, 700000, 1500000};
    for (unsigned i = 0; i < SKEP_ARRAY_LEN(sizes); i++) {
        struct world w = run(sizes[i], 100000000, 1000000000, INT64_MAX);
        expect(&w, 40, 2.2);
        assert_int_equal(w.anew, 0);
        w = run(sizes[i], 1000000000, 1000000000, INT64_MAX);
        expect(&w, 40, 2.2);
    }
}

/* Of little that comes: their row groups are short, so they are merged early. */
static void test_small_flushes(void **state)
{
    (void)state;
    struct world w = run(1000, 5000000, 300ll * 1000000000, INT64_MAX);
    expect(&w, 40, 6);
}

/* A merged segment spans an eighth of the retention at most, however few rows come in that time. */
static void test_retention(void **state)
{
    (void)state;
    const skep_ts_ns hour = 3600ll * 1000000000;
    for (uint64_t rows = 20000; rows <= 2000000; rows *= 10) {
        struct world w = run(rows, 600 * rows, hour / 20, 3 * hour);
        expect(&w, CROWDED + 1, 3);
    }
}

/* Logs, and what is dropped anyhow, are not joined with others. */
static void test_apart(void **state)
{
    (void)state;
    struct skep_merge_piece p[60];
    struct skep_merge_run r;
    for (unsigned i = 0; i < 60; i++)
        p[i] = (struct skep_merge_piece){.rows = 100000, .layout = i >= 23, .dead = i == 40};
    assert_false(skep_merge_choose(p, 46, INT64_MAX, CROWDED, &r));
    assert_int_equal(skep_merge_behind(p, 46, INT64_MAX), 0);
    p[40].dead = false;
    assert_false(skep_merge_choose(p, 46, INT64_MAX, CROWDED, &r));
    assert_true(skep_merge_choose(p, 60, INT64_MAX, CROWDED, &r));
    assert_int_equal(r.at, 23);
    assert_int_equal(r.n, 32);
    p[24].dead = true;
    assert_true(skep_merge_choose(p, 60, INT64_MAX, CROWDED, &r));
    assert_int_equal(r.at, 25);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flushes_of_one_size),
        cmocka_unit_test(test_small_flushes),
        cmocka_unit_test(test_retention),
        cmocka_unit_test(test_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
