// SPDX-License-Identifier: Apache-2.0
/* Merges and memory: what is planned is enough; a row group that finds none in its middle is begun
 * anew with fewer rows, and nothing of the attempt is left in the file. */
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "segment_support.h"
#include "store/column/segment.h"
#include "support/fault_os.h"
#include "support/instrumented.h"

enum { CACHE_BYTES = 64 << 10 };

struct fixture {
    struct mem_os *mem;
    const struct skep_os *os;
    struct skep_budget budget;
    struct skep_cache *cache; /* of the budget */
    struct skep_segment_source src[3];
    unsigned n;
    /* The budget refuses from the ask on, for the rest of the row group. */
    unsigned asks, at, groups_begun;
    bool refusing;
};

static const uint64_t ENOUGH = 1u << 30;

static int setup(void **state)
{
    struct fixture *f = skep_alloc(struct fixture);
    f->mem = mem_os_new(1);
    f->os = mem_os_ops(f->mem);
    skep_budget_init(&f->budget, "work", ENOUGH, NULL);
    f->cache = skep_cache_new(&f->budget, CACHE_BYTES);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < f->n; i++)
        skep_rowset_unref(f->src[i].rowset);
    skep_cache_free(f->cache);
    mem_os_free(f->mem);
    skep_free(f);
    return 0;
}

/* A segment of random rows, as a source. */
static void add_source(struct fixture *f, const struct batch_shape *s)
{
    struct rng r = {20261130 + f->n};
    struct skep_segment_source part = {random_part(&r, s, 1 + f->n), NULL};
    char path[32];
    skep_err err;
    snprintf(path, sizeof path, "/source-%u", f->n);
    struct skep_segment_job job = {
        .os = f->os, .path = path, .sources = &part, .n_sources = 1, .budget = &f->budget};
    if (skep_segment_write(&job, NULL, &err) != SKEP_OK ||
        skep_segment_open(f->os, path, f->cache, &f->src[f->n].rowset, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    skep_rowset_unref(part.rowset);
    f->n++;
}

/* Asked at each column and row group. */
static bool refuse_now(void *ctx)
{
    struct fixture *f = ctx;
    if (f->at > 0 && ++f->asks >= f->at && !f->refusing) {
        f->refusing = true;
        f->budget.limit_bytes = skep_budget_used(&f->budget);
        f->at = 0;
        return false;
    }
    if (f->refusing) { /* asked again: the row group was given up */
        f->refusing = false;
        f->budget.limit_bytes = ENOUGH;
        f->groups_begun++;
    }
    return false;
}

static struct skep_rowset *merge(struct fixture *f, uint32_t group_rows, const char *path)
{
    skep_err err;
    struct skep_rowset *rs = NULL;
    struct skep_segment_job job = {.os = f->os,
                                   .path = path,
                                   .sources = f->src,
                                   .n_sources = f->n,
                                   .budget = &f->budget,
                                   .cache = f->cache,
                                   .group_rows = group_rows,
                                   .canceled = refuse_now,
                                   .ctx = f};
    if (skep_segment_write(&job, NULL, &err) != SKEP_OK)
        fail_msg("write: %s", err.text);
    f->budget.limit_bytes = ENOUGH;
    if (skep_segment_verify(f->os, path, NULL, &err) != SKEP_OK)
        fail_msg("verify: %s", err.text);
    if (skep_segment_open(f->os, path, f->cache, &rs, &err) != SKEP_OK)
        fail_msg("open: %s", err.text);
    return rs;
}

/* b is a, whose rows are `want`. */
static void expect_same(struct skep_rowset *a, struct row_texts *want, struct skep_rowset *b)
{
    struct row_texts got = {0};
    assert_int_equal(read_rows(b, NULL, 1024, &got, NULL), SKEP_OK);
    same_rows(want, &got);
    free_rows(&got);
    assert_int_equal(a->n_fields, b->n_fields);
    for (uint32_t i = 0; i < a->n_fields; i++)
        assert_int_equal(a->fields[i].n_present, b->fields[i].n_present);
    assert_int_equal(skep_segment__of(a)->n_traces, skep_segment__of(b)->n_traces);
}

/* Wherever in a row group memory ends. */
static void refuse_each(struct fixture *f, uint32_t group_rows, unsigned first, unsigned step)
{
    struct skep_rowset *whole = merge(f, group_rows, "/whole");
    struct row_texts want = {0};
    unsigned shorter = 0;
    assert_int_equal(read_rows(whole, NULL, 1024, &want, NULL), SKEP_OK);
    for (unsigned at = first; at < 4 * first; at += step) {
        f->at = at;
        f->asks = f->groups_begun = 0;
        struct skep_rowset *rs = merge(f, group_rows, "/cut");
        expect_same(whole, &want, rs);
        shorter += f->groups_begun > 0 &&
                   skep_segment__of(rs)->n_groups > skep_segment__of(whole)->n_groups;
        f->at = 0;
        f->refusing = false;
        skep_rowset_unref(rs);
    }
    assert_true(shorter >= 3);
    free_rows(&want);
    skep_rowset_unref(whole);
}

static void test_refused_in_a_row_group(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 2; i++)
        add_source(
            f,
            &(struct batch_shape){
                .rows = 3000, .traces = 700, .trace_base = 100000 * i, .fields = 20, .per_row = 6});
    refuse_each(f, 2048, 10, 3);
}

/* The file was written to before it was given up. */
static void test_refused_late(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 2; i++)
        add_source(f, &(struct batch_shape){.rows = 12000,
                                            .traces = 3000,
                                            .trace_base = 100000 * i,
                                            .fields = 12,
                                            .per_row = 20});
    struct skep_rowset *one = merge(f, 0, "/one");
    if (skep_segment__of(one)->n_groups != 1 ||
        one->bytes < 5 << 18) /* written in pieces of 1 MiB */
        fail_msg("%u row groups, %llu bytes", skep_segment__of(one)->n_groups,
                 (unsigned long long)one->bytes);
    skep_rowset_unref(one);
    refuse_each(f, 0, 12, 6);
}

static void test_plan_is_enough(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 3; i++)
        add_source(f, &(struct batch_shape){.rows = 15000,
                                            .traces = 4000,
                                            .trace_base = 100000 * i,
                                            .fields = 30,
                                            .per_row = 4,
                                            .start_ns = (int64_t)i * 1500000000});
    uint64_t held = skep_budget_used(&f->budget); /* footers */
    uint32_t last = 0, kinds = 0;
    assert_int_equal(skep_segment_rows_for(f->src, 3, 1 << 20), 0);
    assert_int_equal(skep_segment_rows_for(f->src, 3, ENOUGH), SKEP_ROW_GROUP_ROWS);
    const uint64_t step = SKEP_INSTRUMENTED ? 5 << 20 : 1 << 20;
    for (uint64_t bytes = 4 << 20; bytes < 24 << 20; bytes += step) {
        uint32_t rows = skep_segment_rows_for(f->src, 3, bytes);
        assert_true(rows >= last);
        if (rows == last)
            continue;
        last = rows;
        kinds++;
        f->budget.limit_bytes = bytes + held + CACHE_BYTES;
        struct skep_rowset *rs = merge(f, rows, "/planned");
        const struct skep_segment *seg = skep_segment__of(rs);
        for (uint32_t g = 0; g < seg->n_groups; g++)
            assert_true(seg->group_origins[g] != 0 || skep_segment__group_rows(seg, g) <= rows);
        assert_int_equal(rs->n_rows, 45000);
        skep_rowset_unref(rs);
    }
    assert_true(kinds >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refused_in_a_row_group, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_late, setup, teardown),
        cmocka_unit_test_setup_teardown(test_plan_is_enough, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
