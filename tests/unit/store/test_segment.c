// SPDX-License-Identifier: Apache-2.0
/* Segments: what is written is read back, row by row and value by value, from any split of the
 * sources; the order holds; merges of merges equal the direct one; damage is found; memory is
 * refused, not exceeded. */
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "os/os.h"
#include "segment_support.h"
#include "support/fault_os.h"

enum { MAX_PARTS = 8 };

struct fixture {
    struct mem_os *mem;
    const struct skep_os *os;
    struct skep_budget budget;
    struct skep_cache *cache;
};

static int setup(void **state)
{
    struct fixture *f = skep_alloc(struct fixture);
    f->mem = mem_os_new(1);
    f->os = mem_os_ops(f->mem);
    skep_budget_init(&f->budget, "test", 1ull << 30, NULL);
    f->cache = skep_cache_new(&f->budget, 64 << 20);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    skep_cache_free(f->cache);
    assert_int_equal(skep_budget_used(&f->budget), 0);
    mem_os_free(f->mem);
    skep_free(f);
    return 0;
}

static skep_rc write_segment(struct fixture *f, const char *path,
                             const struct skep_segment_source *sources, unsigned n,
                             struct skep_segment_info *info, skep_err *err)
{
    struct skep_segment_job job = {
        .os = f->os, .path = path, .sources = sources, .n_sources = n, .budget = &f->budget};
    return skep_segment_write(&job, info, err);
}

static struct skep_rowset *must_write(struct fixture *f, const char *path,
                                      const struct skep_segment_source *sources, unsigned n)
{
    struct skep_segment_info info;
    skep_err err;
    uint64_t before = skep_budget_used(&f->budget);
    if (write_segment(f, path, sources, n, &info, &err) != SKEP_OK)
        fail_msg("write: %s", err.text);
    assert_int_equal(skep_budget_used(&f->budget), before);
    struct skep_rowset *rs;
    if (skep_segment_open(f->os, path, f->cache, &rs, &err) != SKEP_OK)
        fail_msg("open: %s", err.text);
    assert_int_equal(rs->n_rows, info.n_rows);
    assert_int_equal(rs->bytes, info.file_bytes);
    assert_true(rs->min_seq == info.min_seq && rs->max_seq == info.max_seq);
    assert_memory_equal(&rs->bounds, &info.bounds, sizeof info.bounds);
    return rs;
}

static struct row_texts texts_of(struct skep_rowset *rs, const struct skep_live *live,
                                 unsigned step)
{
    struct row_texts t = {0};
    skep_err err;
    if (read_rows(rs, live, step, &t, &err) != SKEP_OK)
        fail_msg("read: %s", err.text);
    return t;
}

/* Anchors ascend, a trace stands once, its rows are ordered. */
static void check_order(struct skep_rowset *rs)
{
    int64_t *time = int_column(rs, SKEP_COL_TIME), *seq = int_column(rs, SKEP_COL_SEQ);
    int64_t *ordinal = int_column(rs, SKEP_COL_ORDINAL);
    skep_trace_id *id = trace_column(rs), none = {{0}};
    int64_t anchor = INT64_MIN;
    for (uint64_t i = 0; i < rs->n_rows; i++) {
        bool first =
            i == 0 || memcmp(&id[i], &id[i - 1], 16) != 0 || memcmp(&id[i], &none, 16) == 0;
        if (first) {
            assert_true(time[i] >= anchor);
            if (i > 0 && time[i] == anchor && memcmp(&none, &id[i], 16) != 0)
                assert_true(memcmp(&id[i], &id[i - 1], 16) > 0 || time[i] == time[i - 1]);
            anchor = time[i];
        } else {
            bool after = time[i] != time[i - 1] ? time[i] > time[i - 1]
                         : seq[i] != seq[i - 1] ? seq[i] > seq[i - 1]
                                                : ordinal[i] > ordinal[i - 1];
            assert_true(after);
        }
        const struct skep_block_bounds *b = &rs->blocks[i / SKEP_BLOCK_ROWS];
        assert_true(time[i] >= b->min_start_ns && time[i] <= b->max_start_ns);
    }
    /* Each trace id is found, exactly where it stands; so no id stands twice. */
    for (uint64_t i = 0; i < rs->n_rows;) {
        uint64_t end = i + 1;
        while (end < rs->n_rows && memcmp(&id[end], &id[i], 16) == 0)
            end++;
        if (memcmp(&id[i], &none, 16) != 0) {
            struct skep_row_range r;
            unsigned n;
            assert_int_equal(rs->ops->find_trace(rs, &id[i], &r, 1, &n, NULL), SKEP_OK);
            assert_int_equal(n, 1);
            assert_int_equal(r.first, i);
            assert_int_equal(r.end, end);
        }
        i = end;
    }
    skep_free(time);
    skep_free(seq);
    skep_free(ordinal);
    skep_free(id);
}

static void round_trip(struct fixture *f, uint64_t seed, const struct batch_shape *shape,
                       unsigned n_parts)
{
    struct rng r = {seed * 0x9e3779b97f4a7c15ull + 1};
    struct skep_segment_source src[MAX_PARTS];
    struct row_texts want = {0};
    for (unsigned i = 0; i < n_parts; i++) {
        src[i] = (struct skep_segment_source){random_part(&r, shape, i + 5), NULL};
        assert_int_equal(read_rows(src[i].rowset, NULL, SKEP_BLOCK_ROWS, &want, NULL), SKEP_OK);
    }
    sort_rows(&want);
    struct skep_rowset *seg = must_write(f, "/seg", src, n_parts);
    check_order(seg);
    static const unsigned steps[] = {SKEP_BLOCK_ROWS, 1000, 7};
    for (unsigned k = 0; k < 3; k++) {
        if (steps[k] < 100 && shape->rows > 3000)
            continue;
        struct row_texts got = texts_of(seg, NULL, steps[k]);
        sort_rows(&got);
        same_rows(&want, &got);
        free_rows(&got);
    }
    uint64_t rows;
    skep_rowset_unref(seg);
    for (unsigned i = 0; i < n_parts; i++)
        skep_rowset_unref(src[i].rowset);
    (void)rows;
    free_rows(&want);
}

static void test_round_trip_small(void **state)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct batch_shape s = {.rows = 1 + (uint32_t)seed * 13 % 300,
                                .traces = 1 + (uint32_t)seed % 17,
                                .fields = 1 + (uint32_t)seed * 7 % 60,
                                .per_row = (uint32_t)seed % 12,
                                .hostile = seed % 2};
        round_trip(*state, seed, &s, 1 + (unsigned)(seed % 5));
    }
}

static void test_round_trip_groups(void **state)
{
    struct batch_shape s = {
        .rows = 24000, .traces = 6000, .fields = 40, .per_row = 8, .hostile = false};
    round_trip(*state, 77, &s, 6);
    struct batch_shape h = {
        .rows = 40000, .traces = 40, .fields = 25, .per_row = 5, .hostile = true};
    round_trip(*state, 78, &h, 2);
}

static void test_many_fields(void **state)
{
    struct batch_shape s = {
        .rows = 3000, .traces = 300, .fields = 4000, .per_row = 30, .hostile = false};
    round_trip(*state, 5, &s, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip_small, setup, teardown),
        cmocka_unit_test_setup_teardown(test_round_trip_groups, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_fields, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
