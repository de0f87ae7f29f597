// SPDX-License-Identifier: Apache-2.0
/* The logs layout: rows by dataset, time and id; datasets as runs; traces found where they are
 * scattered; a merge gives the bytes that one write would; dead rows, short row groups. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/os.h"
#include "store/column/live.h"
#include "store/column/part.h"
#include "support/instrumented.h"
#include "support/rowdump.h"

enum { PARTS = 6 };

struct fixture {
    char dir[32];
    struct skep_cache *cache;
    struct skep_budget budget;
    unsigned n;
};

static int setup(void **state)
{
    struct fixture *f = skep_alloc(struct fixture);
    memcpy(f->dir, "/tmp/skep-logs-XXXXXX", 22);
    assert_non_null(mkdtemp(f->dir));
    f->cache = skep_cache_new(NULL, 32 << 20);
    skep_budget_init(&f->budget, "test", 256 << 20, NULL);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char path[64];
    for (unsigned i = 1; i <= f->n; i++) {
        (void)snprintf(path, sizeof path, "%s/%u", f->dir, i);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(f->dir), 0);
    assert_int_equal(skep_budget_used(&f->budget), 0);
    skep_cache_free(f->cache);
    skep_free(f);
    return 0;
}

static struct skep_rowset *part_of(struct rnd *r, uint32_t rows, uint64_t seq)
{
    struct skep_batch *b = random_batch(r, rows, 1700000000000000000, (int64_t)seq * 100000);
    struct skep_buf buf;
    skep_buf_init(&buf, 64 << 20);
    assert_int_equal(skep_frame_encode(b, &buf, NULL), SKEP_OK);
    size_t n;
    uint8_t *payload = skep_buf_take(&buf, &n);
    struct skep_rowset *rs;
    assert_int_equal(skep_part_open(payload, n, seq, NULL, &rs, NULL), SKEP_OK);
    skep_batch_free(b);
    return rs;
}

/* Write, check, open. */
static struct skep_rowset *write_logs(struct fixture *f, const struct skep_segment_source *src,
                                      unsigned n, uint32_t group_rows)
{
    char path[64];
    (void)snprintf(path, sizeof path, "%s/%u", f->dir, ++f->n);
    struct skep_segment_job job = {.os = skep_os_real(),
                                   .path = path,
                                   .sources = src,
                                   .n_sources = n,
                                   .layout = SKEP_LAYOUT_LOGS,
                                   .group_rows = group_rows,
                                   .budget = &f->budget};
    skep_err err;
    uint64_t rows;
    struct skep_segment_info info;
    struct skep_rowset *rs = NULL;
    if (skep_segment_write(&job, &info, &err) != SKEP_OK)
        fail_msg("write: %s", err.text);
    if (skep_segment_verify(job.os, path, &rows, &err) != SKEP_OK)
        fail_msg("verify: %s", err.text);
    assert_int_equal(rows, info.n_rows);
    if (skep_segment_open(job.os, path, f->cache, &rs, &err) != SKEP_OK)
        fail_msg("open: %s", err.text);
    assert_int_equal(rs->layout, SKEP_LAYOUT_LOGS);
    assert_false(rs->trace_clustered);
    return rs;
}

static void expect_equal(struct skep_rowset *a, struct skep_rowset *b)
{
    assert_int_equal(a->n_rows, b->n_rows);
    char **x = dump_rowset(a), **y = dump_rowset(b);
    for (uint64_t i = 0; i < a->n_rows; i++)
        assert_string_equal(x[i], y[i]);
    dump_free(x, a->n_rows);
    dump_free(y, b->n_rows);
    assert_int_equal(a->n_runs, b->n_runs);
    for (uint32_t i = 0; i < a->n_runs; i++)
        assert_true(skep_str_eq(a->runs[i].dataset, b->runs[i].dataset));
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All live rows of the sources, and no other. */
static void expect_rows(struct skep_rowset *rs, const struct skep_segment_source *src, unsigned n)
{
    char **want = NULL;
    size_t n_want = 0, cap = 0;
    for (unsigned s = 0; s < n; s++) {
        char **rows = dump_rowset(src[s].rowset);
        for (uint64_t i = 0; i < src[s].rowset->n_rows; i++) {
            if (!skep_live_has(src[s].live, i)) {
                skep_free(rows[i]);
                continue;
            }
            SKEP_GROW(want, n_want, cap);
            want[n_want++] = rows[i];
        }
        skep_free(rows);
    }
    assert_int_equal(rs->n_rows, n_want);
    char **got = dump_rowset(rs);
    qsort(want, n_want, sizeof *want, by_text);
    qsort(got, n_want, sizeof *got, by_text);
    for (size_t i = 0; i < n_want; i++)
        assert_string_equal(got[i], want[i]);
    dump_free(got, n_want);
    for (size_t i = 0; i < n_want; i++)
        skep_free(want[i]);
    skep_free(want);
}

static struct skep_live *live_of(struct skep_rowset *rs, uint32_t every)
{
    struct skep_mask m;
    uint64_t killed;
    skep_mask_init(&m, rs);
    for (uint64_t row = 0; row < rs->n_rows; row += every)
        skep_mask_add(&m, row);
    struct skep_live *l = skep_live_kill(NULL, &m, SKEP_DEATH_DELETED, &killed);
    skep_mask_done(&m);
    return l;
}

static void test_write_and_merge(void **state)
{
    struct fixture *f = *state;
    struct rnd r = {31};
    for (uint32_t round = 0; round < skep_tries(6); round++) {
        struct skep_segment_source src[PARTS];
        for (unsigned i = 0; i < PARTS; i++) {
            src[i].rowset = part_of(&r, 1 + rnd_below(&r, 4000), 1 + i);
            src[i].live = i % 2 ? live_of(src[i].rowset, 2 + rnd_below(&r, 9)) : NULL;
        }
        uint32_t group = round % 2 ? 2048 + 700 * round : 0;
        struct skep_rowset *whole = write_logs(f, src, PARTS, group);
        expect_rows(whole, src, PARTS);
        assert_int_equal(whole->runs[0].first, 0);
        /* Two halves, then one: the same rows in the same order. */
        struct skep_segment_source half[2] = {{write_logs(f, src, 3, 0), NULL},
                                              {write_logs(f, src + 3, 3, 1500), NULL}};
        struct skep_rowset *merged = write_logs(f, half, 2, group);
        expect_equal(whole, merged);
        /* Rows that die between. */
        struct skep_live *live = NULL;
        half[0].live = live = live_of(half[0].rowset, 3);
        struct skep_rowset *fewer = write_logs(f, half, 2, 0);
        assert_int_equal(fewer->n_rows, live->n_live + half[1].rowset->n_rows);
        struct skep_rowset *all[] = {whole, half[0].rowset, half[1].rowset, merged, fewer};
        for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++)
            skep_rowset_unref(all[i]);
        skep_live_unref(live);
        for (unsigned i = 0; i < PARTS; i++) {
            skep_live_unref((struct skep_live *)(uintptr_t)src[i].live);
            skep_rowset_unref(src[i].rowset);
        }
    }
}

/* Every row of a trace lies in a range that find_trace names, however few ranges there may be. */
static void test_scattered_traces(void **state)
{
    struct fixture *f = *state;
    struct rnd r = {77};
    struct skep_segment_source src = {part_of(&r, 20000, 3), NULL};
    struct skep_rowset *rs = write_logs(f, &src, 1, 5000);
    struct skep_colreader *ids;
    assert_int_equal(rs->ops->open_column(rs, SKEP_COL_TRACE_ID, &ids, NULL), SKEP_OK);
    static const unsigned caps[] = {1, 2, 7, 256};
    unsigned found = 0;
    for (uint64_t b = 0; b < skep_rowset_blocks(rs); b++) {
        unsigned n = skep_rowset_block_rows(rs, b);
        struct skep_vec v;
        if (n == 0)
            continue;
        assert_int_equal(ids->ops->read(ids, b * SKEP_BLOCK_ROWS, n, &v, NULL), SKEP_OK);
        for (unsigned i = 0; i < n && !v.none; i += 97) {
            skep_trace_id id = v.id16[v.constant ? 0 : i];
            static const skep_trace_id none;
            if (memcmp(&id, &none, sizeof id) == 0)
                continue;
            for (size_t c = 0; c < SKEP_ARRAY_LEN(caps); c++) {
                struct skep_row_range ranges[256];
                unsigned k;
                bool in = false;
                assert_int_equal(rs->ops->find_trace(rs, &id, ranges, caps[c], &k, NULL), SKEP_OK);
                assert_true(k >= 1 && k <= caps[c]);
                for (unsigned j = 0; j < k; j++) {
                    assert_true(j == 0 || ranges[j].first > ranges[j - 1].end);
                    in |= b * SKEP_BLOCK_ROWS + i >= ranges[j].first &&
                          b * SKEP_BLOCK_ROWS + i < ranges[j].end;
                }
                assert_true(in);
                found++;
            }
        }
    }
    assert_true(found > 100);
    ids->ops->close(ids);
    skep_trace_id unknown = {{1, 2, 3}};
    struct skep_row_range range;
    unsigned k;
    assert_int_equal(rs->ops->find_trace(rs, &unknown, &range, 1, &k, NULL), SKEP_OK);
    assert_int_equal(k, 0);
    skep_rowset_unref(rs);
    skep_rowset_unref(src.rowset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_write_and_merge, setup, teardown),
        cmocka_unit_test_setup_teardown(test_scattered_traces, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
