// SPDX-License-Identifier: Apache-2.0
/* Merges that take row groups over, against the same merges encoding every row: equal rows in equal
 * order, equal look-ups, a file that verifies; and damage in what is copied. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "segment_support.h"
#include "store/column/live.h"
#include "store/column/segment.h"
#include "support/fault_os.h"
#include "support/instrumented.h"

enum { MAX_SOURCES = 6, GROUP_ROWS = 300 };

struct fixture {
    struct mem_os *mem;
    const struct skep_os *os;
    struct skep_budget work;
    struct skep_cache *cache;
    unsigned files, taken_over; /* row groups, in all */
    uint32_t group_rows;        /* of what is written; 0 = GROUP_ROWS */
};

static int setup(void **state)
{
    struct fixture *f = skep_alloc(struct fixture);
    f->mem = mem_os_new(1);
    f->os = mem_os_ops(f->mem);
    skep_budget_init(&f->work, "work", 1u << 30, NULL);
    f->cache = skep_cache_new(NULL, 256 << 20);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    skep_cache_free(f->cache);
    mem_os_free(f->mem);
    skep_free(f);
    return 0;
}

static struct skep_rowset *write(struct fixture *f, const struct skep_segment_source *src,
                                 unsigned n, bool recode)
{
    char path[32];
    skep_err err;
    uint64_t rows;
    struct skep_rowset *rs = NULL;
    struct skep_segment_info info;
    snprintf(path, sizeof path, "/%u", f->files++);
    struct skep_segment_job job = {.os = f->os,
                                   .path = path,
                                   .sources = src,
                                   .n_sources = n,
                                   .budget = &f->work,
                                   .group_rows = f->group_rows ? f->group_rows : GROUP_ROWS,
                                   .recode = recode};
    if (skep_segment_write(&job, &info, &err) != SKEP_OK)
        fail_msg("write: %s", err.text);
    assert_int_equal(skep_budget_used(&f->work), 0);
    if (skep_segment_verify(f->os, path, &rows, &err) != SKEP_OK)
        fail_msg("verify: %s", err.text);
    assert_int_equal(rows, info.n_rows);
    if (skep_segment_open(f->os, path, f->cache, &rs, &err) != SKEP_OK)
        fail_msg("open: %s", err.text);
    assert_true(rs->min_seq == info.min_seq && rs->max_seq == info.max_seq);
    return rs;
}

static unsigned taken_over(struct skep_rowset *rs)
{
    const struct skep_segment *seg = skep_segment__of(rs);
    unsigned n = 0;
    for (uint32_t g = 0; g < seg->n_groups; g++)
        n += seg->group_origins[g] != 0;
    return n;
}

/* Every trace is found where it stands, whole. */
static void expect_traces(struct skep_rowset *rs)
{
    skep_trace_id *id = trace_column(rs), none = {{0}};
    uint64_t *number = skep_alloc_n(uint64_t, rs->n_rows), n = 0;
    for (uint64_t b = 0; b < skep_rowset_blocks(rs); b++)
        for (unsigned i = 0; i < skep_rowset_block_rows(rs, b); i++)
            number[n++] = b * SKEP_BLOCK_ROWS + i;
    for (uint64_t i = 0, end; i < rs->n_rows; i = end) {
        struct skep_row_range r;
        unsigned found;
        for (end = i + 1; end < rs->n_rows && memcmp(&id[end], &id[i], 16) == 0;)
            end++;
        if (memcmp(&id[i], &none, 16) == 0)
            continue;
        assert_int_equal(rs->ops->find_trace(rs, &id[i], &r, 1, &found, NULL), SKEP_OK);
        assert_int_equal(found, 1);
        assert_int_equal(r.first, number[i]);
        assert_int_equal(r.end, number[end - 1] + 1);
    }
    skep_free(number);
    skep_free(id);
}

static void expect_fields(struct skep_rowset *a, struct skep_rowset *b)
{
    assert_int_equal(a->n_fields, b->n_fields);
    for (uint32_t i = 0; i < a->n_fields; i++) {
        assert_true(skep_str_eq(a->fields[i].name, b->fields[i].name));
        assert_int_equal(a->fields[i].scope, b->fields[i].scope);
        assert_int_equal(a->fields[i].type, b->fields[i].type);
        assert_int_equal(a->fields[i].n_present, b->fields[i].n_present);
    }
}

/* The merge both ways; returns the one with copies. */
static struct skep_rowset *merge(struct fixture *f, const struct skep_segment_source *src,
                                 unsigned n)
{
    struct row_texts want = {0}, got = {0};
    struct skep_rowset *copied = write(f, src, n, false), *recoded = write(f, src, n, true);
    assert_int_equal(taken_over(recoded), 0);
    f->taken_over += taken_over(copied);
    assert_int_equal(read_rows(recoded, NULL, 1024, &want, NULL), SKEP_OK);
    assert_int_equal(read_rows(copied, NULL, 1024, &got, NULL), SKEP_OK);
    same_rows(&want, &got);
    expect_fields(copied, recoded);
    expect_traces(copied);
    assert_memory_equal(&copied->bounds, &recoded->bounds, sizeof copied->bounds);
    assert_true(copied->min_seq == recoded->min_seq && copied->max_seq == recoded->max_seq);
    /* Row groups do not become many small ones; the first and the last may be. */
    uint32_t most = f->group_rows ? f->group_rows : GROUP_ROWS;
    uint32_t groups = skep_segment__of(copied)->n_groups;
    assert_true(groups < 3 || copied->n_rows / (groups - 1) >= most / 2);
    free_rows(&want);
    free_rows(&got);
    skep_rowset_unref(recoded);
    return copied;
}

static struct skep_live *some_live(struct rng *r, struct skep_rowset *rs)
{
    struct skep_mask m;
    uint64_t killed;
    skep_mask_init(&m, rs);
    for (unsigned k = 0; k < 20; k++) {
        uint64_t block = rng_below(r, (uint32_t)skep_rowset_blocks(rs));
        unsigned rows = skep_rowset_block_rows(rs, block);
        if (rows > 0 && block < 64 * (1 + rng_below(r, 20)))
            skep_mask_add(&m, block * SKEP_BLOCK_ROWS + rng_below(r, rows));
    }
    struct skep_live *l = skep_live_kill(NULL, &m, SKEP_DEATH_DELETED, &killed);
    skep_mask_done(&m);
    return l;
}

static struct skep_rowset *segment(struct fixture *f, struct rng *r, const struct batch_shape *s,
                                   uint64_t seq)
{
    struct skep_segment_source part = {random_part(r, s, seq), NULL};
    struct skep_rowset *rs = write(f, &part, 1, false);
    skep_rowset_unref(part.rowset);
    return rs;
}

static void test_random(void **state)
{
    struct fixture *f = *state;
    const unsigned rounds = skep_tries(30);
    for (unsigned round = 0; round < rounds; round++) {
        struct rng r = {20260701 + round};
        struct skep_segment_source src[MAX_SOURCES];
        unsigned n = 1 + rng_below(&r, MAX_SOURCES);
        bool same_fields = rng_below(&r, 2), giants = round % 8 == 3;
        for (unsigned i = 0; i < n; i++) {
            struct batch_shape s = {
                .rows = 1 + rng_below(&r, 2500),
                .traces = giants ? 3 : 1 + rng_below(&r, 600),
                .trace_base = round % 3 ? 100000 * i : 0, /* or the same traces everywhere */
                .fields = 1 + rng_below(&r, 60),
                .first_field = same_fields ? 0 : rng_below(&r, 40),
                .per_row = rng_below(&r, 9),
                .start_ns = (int64_t)i * (rng_below(&r, 4) ? 1990000000 : 300000000),
                .hostile = rng_below(&r, 4) == 0};
            src[i].rowset = segment(f, &r, &s, 1 + i);
            src[i].live = rng_below(&r, 3) ? NULL : some_live(&r, src[i].rowset);
        }
        struct skep_rowset *one = merge(f, src, n);
        /* And again, with a newer one: origins of origins. */
        struct batch_shape s = {.rows = 2000,
                                .traces = 300,
                                .trace_base = 1000000,
                                .fields = 50,
                                .first_field = 5,
                                .per_row = 5,
                                .start_ns = (int64_t)n * 1990000000};
        struct skep_segment_source two[2] = {{one, NULL}, {segment(f, &r, &s, 10), NULL}};
        skep_rowset_unref(merge(f, two, 2));
        skep_rowset_unref(one);
        skep_rowset_unref(two[1].rowset);
        for (unsigned i = 0; i < n; i++) {
            skep_rowset_unref(src[i].rowset);
            skep_live_unref((struct skep_live *)(uintptr_t)src[i].live);
        }
    }
    assert_true(f->taken_over > 6 * rounds);
}

/* Sources with longer row groups than memory is there for now: what is encoded anew is cut into as
 * many as it takes. */
static void test_longer_sources(void **state)
{
    struct fixture *f = *state;
    unsigned cut = 0;
    for (unsigned round = 0; round < 8; round++) {
        struct rng r = {20261130 + round};
        struct skep_segment_source src[3];
        for (unsigned i = 0; i < 3; i++) {
            struct batch_shape s = {/* a few rows first: too few for a row group of their own */
                                    .rows = 1 + rng_below(&r, i == 0 ? 49 : 900),
                                    .traces = 1 + rng_below(&r, 200),
                                    .trace_base = 100000 * i,
                                    .fields = 1 + rng_below(&r, 10),
                                    .per_row = rng_below(&r, 5),
                                    .start_ns = (int64_t)i * 2100000000};
            src[i] = (struct skep_segment_source){segment(f, &r, &s, 1 + i), NULL};
        }
        f->group_rows = 100;
        struct skep_rowset *rs = merge(f, src, 3);
        const struct skep_segment *seg = skep_segment__of(rs);
        for (uint32_t g = 0; g < seg->n_groups; g++)
            if (seg->group_origins[g] == 0) {
                assert_true(skep_segment__group_rows(seg, g) <= f->group_rows);
                cut++;
            }
        f->group_rows = 0;
        skep_rowset_unref(rs);
        for (unsigned i = 0; i < 3; i++)
            skep_rowset_unref(src[i].rowset);
    }
    if (cut < 8 || f->taken_over < 8)
        fail_msg("%u cut, %u taken over", cut, f->taken_over);
}

/* The same where memory is so short that the writer's arrays have fewer rows than the source's row
 * groups have traces. */
static void test_short_of_memory(void **state)
{
    struct fixture *f = *state;
    struct rng r = {20261201};
    struct skep_segment_source src[2];
    f->group_rows = 20000;
    for (unsigned i = 0; i < 2; i++) {
        struct batch_shape s = {.rows = 12000,
                                .traces = 60000, /* mostly of one row */
                                .trace_base = 100000 * i,
                                .fields = 3,
                                .per_row = 1,
                                .start_ns = (int64_t)i * 2100000000};
        src[i] = (struct skep_segment_source){segment(f, &r, &s, 1 + i), NULL};
        assert_true(skep_segment__of(src[i].rowset)->n_traces > 2 * SKEP_SEGMENT_INDEX_PAGE);
    }
    f->work.limit_bytes = 6 << 20;
    skep_rowset_unref(merge(f, src, 2));
    assert_int_equal(f->taken_over, 2);
    for (unsigned i = 0; i < 2; i++)
        skep_rowset_unref(src[i].rowset);
}

/* A flush of several row groups' rows, with memory for the smallest. */
static void test_flush_short_of_memory(void **state)
{
    struct fixture *f = *state;
    struct rng r = {20261202};
    struct skep_segment_source src[3];
    struct skep_segment_info info;
    skep_err err;
    for (unsigned i = 0; i < 3; i++) {
        struct batch_shape s = {.rows = 66000, .traces = 5000, .fields = 1, .per_row = 1};
        src[i] = (struct skep_segment_source){random_part(&r, &s, 1 + i), NULL};
    }
    f->work.limit_bytes = 14 << 20;
    struct skep_segment_job job = {
        .os = f->os, .path = "/flush", .sources = src, .n_sources = 3, .budget = &f->work};
    if (skep_segment_write(&job, &info, &err) != SKEP_OK)
        fail_msg("write: %s", err.text);
    assert_int_equal(info.n_rows, 3 * 66000);
    for (unsigned i = 0; i < 3; i++)
        skep_rowset_unref(src[i].rowset);
}

/* Flushes that overlap their neighbours in time, as those of one stream do: only their ends are
 * encoded anew, though each is little more than a row group. */
static void test_flushes_overlap(void **state)
{
    struct fixture *f = *state;
    struct rng r = {20261203};
    struct skep_segment_source src[3];
    uint64_t rows = 0;
    f->group_rows = SKEP_ROW_GROUP_ROWS;
    for (unsigned i = 0; i < 3; i++) {
        struct batch_shape s = {.rows = 75000 + 10000 * i,
                                .traces = 1000000, /* mostly of one row, all over the time */
                                .trace_base = 1000000 * i,
                                .fields = 1,
                                .per_row = 1,
                                .start_ns = (int64_t)i * 1950000000};
        struct skep_segment_source part = {random_part(&r, &s, 1 + i), NULL};
        const char *path = (const char *[]){"/flush0", "/flush1", "/flush2"}[i];
        struct skep_segment_job job = {
            .os = f->os, .path = path, .sources = &part, .n_sources = 1, .budget = &f->work};
        assert_int_equal(skep_segment_write(&job, NULL, NULL), SKEP_OK);
        assert_int_equal(skep_segment_open(f->os, path, f->cache, &src[i].rowset, NULL), SKEP_OK);
        src[i].live = NULL;
        rows += s.rows;
        skep_rowset_unref(part.rowset);
    }
    struct skep_rowset *rs = write(f, src, 3, false);
    uint64_t taken = skep_segment_rows_taken_over(rs);
    assert_int_equal(rs->n_rows, rows);
    if (taken < rows / 4 * 3 || taken == rows)
        fail_msg("%" PRIu64 " of %" PRIu64 " rows taken over", taken, rows);
    skep_rowset_unref(rs);
    for (unsigned i = 0; i < 3; i++)
        skep_rowset_unref(src[i].rowset);
}

/* Near the limit of dense columns: what the sources have in common counts once, and what would go
 * over it is encoded anew. */
static void test_many_fields(void **state)
{
    struct fixture *f = *state;
    for (unsigned apart = 0; apart < 2; apart++) {
        struct rng r = {4711};
        struct skep_segment_source src[2] = {{NULL, NULL}, {NULL, NULL}};
        unsigned groups = 0;
        for (unsigned i = 0; i < 2; i++) {
            const struct batch_shape s = {.rows = 900,
                                          .traces = 200,
                                          .trace_base = 100000 * i,
                                          .fields = 700,
                                          .first_field = i * apart * 700,
                                          .per_row = 40,
                                          .start_ns = (int64_t)i * 1990000000};
            src[i].rowset = segment(f, &r, &s, 1 + i);
            groups += skep_segment__of(src[i].rowset)->n_groups;
        }
        struct skep_rowset *rs = merge(f, src, 2);
        assert_true(rs->n_fields > (apart ? 1400u : 700u));
        assert_true(apart ? taken_over(rs) < groups : taken_over(rs) == groups);
        assert_true(taken_over(rs) > 0);
        skep_rowset_unref(rs);
        for (unsigned i = 0; i < 2; i++)
            skep_rowset_unref(src[i].rowset);
    }
}

/* Whatever byte of a source is damaged: the merge says so, or what it wrote can be read as far as
 * it was right; never a crash. */
static void test_damage(void **state)
{
    struct fixture *f = *state;
    struct rng r = {99};
    struct skep_segment_source src[2];
    for (unsigned i = 0; i < 2; i++) {
        struct batch_shape s = {.rows = 1500,
                                .traces = 100,
                                .trace_base = 1000 * i,
                                .fields = 40,
                                .per_row = 5,
                                .start_ns = (int64_t)i * 3000000000};
        src[i].rowset = segment(f, &r, &s, 1 + i);
        src[i].live = NULL;
    }
    struct skep_rowset *good = merge(f, src, 2);
    assert_true(taken_over(good) > 4);
    skep_rowset_unref(good);
    const unsigned flips = skep_tries(300);
    unsigned refused = 0;
    for (unsigned i = 0; i < flips; i++) {
        struct skep_segment *seg = skep_segment__of(src[0].rowset);
        uint64_t at = 32 + rng_next(&r) % (seg->data_end - 32);
        uint8_t byte, flip;
        skep_err err;
        int fd;
        assert_int_equal(f->os->open(f->os, seg->path, SKEP_OPEN_WRITE, &fd, NULL), SKEP_OK);
        assert_int_equal(f->os->pread(f->os, fd, &byte, 1, at, NULL), SKEP_OK);
        flip = byte ^ (uint8_t)(1u << rng_below(&r, 8));
        assert_int_equal(f->os->pwrite(f->os, fd, &flip, 1, at, NULL), SKEP_OK);
        struct skep_cache *cache = skep_cache_new(NULL, 1 << 20);
        struct skep_segment_source bad[2] = {{NULL, NULL}, src[1]};
        assert_int_equal(skep_segment_open(f->os, seg->path, cache, &bad[0].rowset, &err), SKEP_OK);
        struct skep_segment_job job = {.os = f->os,
                                       .path = "/bad",
                                       .sources = bad,
                                       .n_sources = 2,
                                       .budget = &f->work,
                                       .group_rows = GROUP_ROWS};
        skep_rc rc = skep_segment_write(&job, NULL, &err);
        refused += rc == SKEP_ECORRUPT;
        assert_int_equal(rc, SKEP_ECORRUPT);
        assert_int_equal(skep_budget_used(&f->work), 0);
        skep_rowset_unref(bad[0].rowset);
        skep_cache_free(cache);
        assert_int_equal(f->os->pwrite(f->os, fd, &byte, 1, at, NULL), SKEP_OK);
        f->os->close(f->os, fd);
    }
    assert_int_equal(refused, flips);
    for (unsigned i = 0; i < 2; i++)
        skep_rowset_unref(src[i].rowset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random, setup, teardown),
        cmocka_unit_test_setup_teardown(test_longer_sources, setup, teardown),
        cmocka_unit_test_setup_teardown(test_short_of_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flush_short_of_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flushes_overlap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
