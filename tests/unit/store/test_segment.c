// SPDX-License-Identifier: Apache-2.0
/* Segments: what is written is read back, row by row and value by value, from any split of the
 * sources; the order holds; merges of merges equal the direct one; damage is found; memory is
 * refused, not exceeded. */
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "os/os.h"
#include "segment_support.h"
#include "store/column/live.h"
#include "support/fault_os.h"

enum { MAX_PARTS = 8 };

struct fixture {
    uint32_t group_rows; /* of what is written; 0 = as usual */
    struct mem_os *mem;
    const struct skep_os *os;
    struct skep_budget budget, work; /* of the cache, of writes */
    struct skep_cache *cache;
};

static int setup(void **state)
{
    struct fixture *f = skep_alloc(struct fixture);
    f->mem = mem_os_new(1);
    f->os = mem_os_ops(f->mem);
    skep_budget_init(&f->budget, "test", 1ull << 30, NULL);
    skep_budget_init(&f->work, "work", 1ull << 30, NULL);
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
    struct skep_segment_job job = {.os = f->os,
                                   .path = path,
                                   .sources = sources,
                                   .n_sources = n,
                                   .budget = &f->work,
                                   .group_rows = f->group_rows};
    return skep_segment_write(&job, info, err);
}

static struct skep_rowset *must_write(struct fixture *f, const char *path,
                                      const struct skep_segment_source *sources, unsigned n)
{
    struct skep_segment_info info;
    skep_err err;
    if (write_segment(f, path, sources, n, &info, &err) != SKEP_OK)
        fail_msg("write: %s", err.text);
    assert_int_equal(skep_budget_used(&f->work), 0);
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

/* The numbers of the rows, ascending. */
static uint64_t *numbers_of(struct skep_rowset *rs)
{
    uint64_t *out = skep_alloc_n(uint64_t, rs->n_rows), n = 0;
    for (uint64_t block = 0; block < skep_rowset_blocks(rs); block++)
        for (unsigned i = 0; i < skep_rowset_block_rows(rs, block); i++)
            out[n++] = block * SKEP_BLOCK_ROWS + i;
    assert_int_equal(n, rs->n_rows);
    assert_int_equal(out[n - 1] + 1, rs->row_end);
    return out;
}

static bool vec_has(const struct skep_vec *v, unsigned row)
{
    return !v->none && (!v->valid || (v->valid[row / 64] >> (row % 64) & 1));
}

/* Integers compared packed, against integers read. */
static void check_between(struct skep_colreader *rd, uint64_t row0, const struct skep_vec *v)
{
    uint64_t bits[SKEP_BLOCK_ROWS / 64];
    for (int k = 0; k < 3; k++) {
        int64_t a = v->none ? 7 : v->i64[v->constant ? 0 : k * (v->n - 1) / 3];
        int64_t lo = k == 1 ? INT64_MIN : a, hi = k == 2 ? INT64_MAX : a;
        if (!rd->ops->between(rd, row0, v->n, lo, hi, bits))
            return;
        for (unsigned i = 0; i < v->n; i++) {
            bool in = vec_has(v, i) && v->i64[v->constant ? 0 : i] >= lo &&
                      v->i64[v->constant ? 0 : i] <= hi;
            assert_int_equal(bits[i / 64] >> (i % 64) & 1, in);
        }
    }
}

/* What is read is never refused, and bounds hold. */
static void check_bounds(struct skep_colreader *rd, uint64_t row0, const struct skep_vec *v)
{
    double min, max;
    if (v->none)
        return;
    bool zone = rd->ops->zone(rd, row0, v->n, &min, &max);
    for (unsigned i = 0; i < v->n; i++) {
        unsigned at = v->constant ? 0 : i;
        if (!vec_has(v, i))
            continue;
        if (v->form == SKEP_VEC_DICT || v->form == SKEP_VEC_STR) {
            skep_str s =
                v->form == SKEP_VEC_STR ? v->str[at] : skep_dict_str(v->dict, v->codes[at]);
            assert_true(rd->ops->maybe(rd, row0, v->n, skep_hash(skep_str_bytes(s))));
            assert_true(rd->ops->maybe(rd, row0 + i, 1, skep_hash(skep_str_bytes(s))));
        }
        if (zone && v->form == SKEP_VEC_I64)
            assert_true((double)v->i64[at] >= min && (double)v->i64[at] <= max);
        if (zone && v->form == SKEP_VEC_F64)
            assert_true(v->f64[at] >= min && v->f64[at] <= max);
    }
}

/* Rows whose string contains a text, against strings read. */
static void check_contains(struct skep_colreader *rd, uint64_t row0, const struct skep_vec *v)
{
    uint64_t bits[SKEP_BLOCK_ROWS / 64];
    char text[16];
    for (unsigned k = 0; k < 4; k++) {
        unsigned row = k * (v->n - 1) / 4, at = v->constant ? 0 : row;
        skep_str s = v->form == SKEP_VEC_STR ? v->str[at] : skep_dict_str(v->dict, v->codes[at]);
        if (!vec_has(v, row) || s.n == 0)
            continue;
        skep_str needle = {text, SKEP_MIN(s.n, 1 + (size_t)k * 3)};
        memcpy(text, s.p + (s.n - needle.n) / 2, needle.n);
        skep_str copies[SKEP_BLOCK_ROWS]; /* the question may use the reader's memory */
        for (unsigned i = 0; i < v->n; i++) {
            unsigned from = v->constant ? 0 : i;
            skep_str x =
                v->form == SKEP_VEC_STR ? v->str[from] : skep_dict_str(v->dict, v->codes[from]);
            copies[i] = vec_has(v, i) ? ((skep_str){skep_strndup(x.p, x.n), x.n}) : SKEP_STR_NULL;
        }
        bool has[SKEP_BLOCK_ROWS];
        for (unsigned i = 0; i < v->n; i++)
            has[i] = vec_has(v, i);
        unsigned n = v->n;
        bool done = rd->ops->contains(rd, row0, n, needle, bits);
        for (unsigned i = 0; i < n; i++) {
            if (done)
                assert_int_equal(bits[i / 64] >> (i % 64) & 1,
                                 has[i] && skep_str_find_portable(copies[i], needle) != SIZE_MAX);
            skep_free((void *)(uintptr_t)copies[i].p);
        }
        return; /* the vector is gone */
    }
}

/* Codes counted at once, from row `from` to the end of its row group, against codes read block by
 * block.  Returns whether there were some. */
static bool check_tally(struct skep_rowset *rs, struct skep_colreader *rd, uint64_t group,
                        uint64_t from)
{
    struct skep_coded coded;
    uint32_t present = 0, seen = 0;
    uint64_t end = from;
    for (uint64_t b = from / SKEP_BLOCK_ROWS; b < skep_rowset_blocks(rs); b++)
        if (b * SKEP_BLOCK_ROWS / SKEP_ROW_GROUP_ROWS == group)
            end += skep_rowset_block_rows(rs, b);
    if (!rd->ops->coded(rd, from, &coded))
        return false;
    uint32_t *counts = skep_alloc_n(uint32_t, coded.n + 1);
    assert_int_equal(rd->ops->tally(rd, from, (unsigned)(end - from), counts, &present, NULL),
                     SKEP_OK);
    for (uint64_t row = from; row < end; row += SKEP_BLOCK_ROWS) {
        struct skep_vec v;
        assert_int_equal(rd->ops->read(rd, row, (unsigned)SKEP_MIN(end - row, 1024ul), &v, NULL),
                         SKEP_OK);
        assert_true(v.none || v.n <= 64 ||
                    (coded.dict ? v.dict == coded.dict : v.form == SKEP_VEC_I64));
        for (unsigned i = 0; i < v.n; i++) {
            unsigned at = v.constant ? 0 : i;
            if (!vec_has(&v, i))
                continue;
            seen++;
            if (v.form == SKEP_VEC_STR) /* few rows come as strings */
                continue;
            uint64_t code = coded.dict ? v.codes[at] : (uint64_t)(v.i64[at] - coded.low);
            assert_true(code < coded.n);
            counts[code]--;
        }
    }
    assert_int_equal(present, seen);
    for (uint32_t i = 0; i < coded.n && (end - from) % SKEP_BLOCK_ROWS > 64; i++)
        assert_int_equal(counts[i], 0);
    skep_free(counts);
    return coded.n > 0;
}

/* Presence alone, against what was read. */
static void check_present(struct skep_colreader *rd, uint64_t row0, const struct skep_vec *v)
{
    uint64_t bits[SKEP_BLOCK_ROWS / 64];
    if (!rd->ops->present(rd, row0, v->n, bits))
        return;
    for (unsigned i = 0; i < v->n; i++)
        assert_int_equal(bits[i / 64] >> (i % 64) & 1, vec_has(v, i));
    assert_true(v->n % 64 == 0 || bits[v->n / 64] >> (v->n % 64) == 0);
}

/* All optional ways of a reader give what read() gives. */
static void check_ways(struct skep_rowset *rs)
{
    for (uint32_t f = 0; f < rs->n_fields + SKEP_COL_COUNT; f++) {
        struct skep_colreader *rd;
        if (f < rs->n_fields)
            assert_int_equal(rs->ops->open_field(rs, f, &rd, NULL), SKEP_OK);
        else
            assert_int_equal(
                rs->ops->open_column(rs, (enum skep_column)(f - rs->n_fields), &rd, NULL), SKEP_OK);
        for (uint64_t row = 0; row < rs->row_end; row += SKEP_BLOCK_ROWS) {
            struct skep_vec v;
            unsigned n = skep_rowset_block_rows(rs, row / SKEP_BLOCK_ROWS);
            if (n == 0)
                continue;
            assert_int_equal(rd->ops->read(rd, row, n, &v, NULL), SKEP_OK);
            if (v.none || v.form == SKEP_VEC_I64)
                check_between(rd, row, &v);
            check_bounds(rd, row, &v);
            check_present(rd, row, &v);
            if (!v.none && (v.form == SKEP_VEC_STR || v.form == SKEP_VEC_DICT))
                check_contains(rd, row, &v);
            if (row % (SKEP_ROW_GROUP_ROWS / 2) == 0)
                check_tally(rs, rd, row / SKEP_ROW_GROUP_ROWS, row);
        }
        rd->ops->close(rd);
    }
}

/* Anchors ascend, a trace stands once, its rows are ordered. */
static void check_order(struct skep_rowset *rs)
{
    uint64_t *number = numbers_of(rs);
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
        const struct skep_block_bounds *b = &rs->blocks[number[i] / SKEP_BLOCK_ROWS];
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
            assert_int_equal(r.first, number[i]);
            assert_int_equal(r.end, number[end - 1] + 1);
        }
        i = end;
    }
    skep_free(time);
    skep_free(seq);
    skep_free(ordinal);
    skep_free(id);
    skep_free(number);
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
    check_ways(seg);
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
    skep_err err;
    skep_rowset_unref(seg);
    if (skep_segment_verify(f->os, "/seg", &rows, &err) != SKEP_OK)
        fail_msg("verify: %s", err.text);
    assert_int_equal(rows, want.n);
    for (unsigned i = 0; i < n_parts; i++)
        skep_rowset_unref(src[i].rowset);
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

/* Row groups of less than 65,536 rows: gaps in the row numbers. */
static void test_short_groups(void **state)
{
    struct fixture *f = *state;
    f->group_rows = 700;
    test_many_fields(state);
    struct batch_shape s = {
        .rows = 4000, .traces = 40, .fields = 12, .per_row = 6, .hostile = true};
    round_trip(f, 31, &s, 2);
    f->group_rows = 1024;
    round_trip(f, 32, &s, 1);
    f->group_rows = 1; /* of a reader, too much to ask: gaps cost memory */
    struct rng r = {5};
    struct skep_segment_source src = {random_part(&r, &s, 1), NULL};
    struct skep_rowset *rs;
    skep_err err;
    assert_int_equal(write_segment(f, "/tiny", &src, 1, NULL, &err), SKEP_OK);
    assert_int_equal(skep_segment_open(f->os, "/tiny", f->cache, &rs, &err), SKEP_ECORRUPT);
    skep_rowset_unref(src.rowset);
}

/* Rows whose number leaves 0 modulo n are dead. */
static struct skep_live *some_live(struct skep_rowset *rs, unsigned n)
{
    struct skep_mask m;
    uint64_t killed, *number = numbers_of(rs);
    skep_mask_init(&m, rs);
    for (uint64_t i = 0; i < rs->n_rows; i++)
        if (number[i] % n == 0)
            skep_mask_add(&m, number[i]);
    struct skep_live *l = skep_live_kill(NULL, &m, SKEP_DEATH_DELETED, &killed);
    skep_mask_done(&m);
    skep_free(number);
    return l;
}

static void test_live_rows(void **state)
{
    struct fixture *f = *state;
    struct rng r = {99};
    struct batch_shape s = {.rows = 5000, .traces = 600, .fields = 20, .per_row = 6};
    struct skep_segment_source src[3];
    struct row_texts want = {0};
    for (unsigned i = 0; i < 3; i++) {
        src[i].rowset = random_part(&r, &s, 1 + i);
        src[i].live = some_live(src[i].rowset, 2 + i);
        assert_int_equal(read_rows(src[i].rowset, src[i].live, 1024, &want, NULL), SKEP_OK);
    }
    sort_rows(&want);
    struct skep_rowset *seg = must_write(f, "/a", src, 3);
    check_order(seg);
    check_ways(seg);
    struct row_texts got = texts_of(seg, NULL, 1024);
    sort_rows(&got);
    same_rows(&want, &got);
    free_rows(&got);
    free_rows(&want);
    /* And dead rows of a segment. */
    struct skep_live *live = some_live(seg, 3);
    want = texts_of(seg, live, 1024);
    struct skep_segment_source again = {seg, live};
    struct skep_rowset *b = must_write(f, "/b", &again, 1);
    check_order(b);
    got = texts_of(b, NULL, 1024);
    sort_rows(&got);
    sort_rows(&want);
    same_rows(&want, &got);
    free_rows(&got);
    free_rows(&want);
    skep_rowset_unref(b);
    skep_rowset_unref(seg);
    skep_live_unref(live);
    for (unsigned i = 0; i < 3; i++) {
        skep_rowset_unref(src[i].rowset);
        skep_live_unref((struct skep_live *)(uintptr_t)src[i].live);
    }
}

static struct skep_buf file_of(struct fixture *f, const char *path)
{
    struct skep_buf b;
    struct skep_os_stat st;
    int fd;
    assert_int_equal(f->os->stat(f->os, path, &st, NULL), SKEP_OK);
    skep_buf_init(&b, 1u << 30);
    skep_buf_zero(&b, st.size_bytes);
    assert_int_equal(f->os->open(f->os, path, SKEP_OPEN_READ, &fd, NULL), SKEP_OK);
    assert_int_equal(f->os->pread(f->os, fd, b.p, b.n, 0, NULL), SKEP_OK);
    f->os->close(f->os, fd);
    return b;
}

static void put_file(struct fixture *f, const char *path, const uint8_t *p, size_t n)
{
    int fd;
    assert_int_equal(
        f->os->open(f->os, path, SKEP_OPEN_WRITE | SKEP_OPEN_CREATE | SKEP_OPEN_TRUNC, &fd, NULL),
        SKEP_OK);
    assert_int_equal(f->os->pwrite(f->os, fd, p, n, 0, NULL), SKEP_OK);
    f->os->close(f->os, fd);
}

/* Segments of parts, merged by twos and threes: the same file as from the parts at once. */
static void test_merge_of_merges(void **state)
{
    struct fixture *f = *state;
    for (unsigned round = 0; round < 3; round++) {
        struct rng r = {1234 + round};
        struct batch_shape s = {.rows = round == 2 ? 20000 : 3000,
                                .traces = 900,
                                .fields = 30,
                                .per_row = 6,
                                .hostile = round == 1};
        struct skep_segment_source part[6], seg[6], two[2];
        char path[16];
        for (unsigned i = 0; i < 6; i++) {
            part[i] = (struct skep_segment_source){random_part(&r, &s, 1 + i), NULL};
            snprintf(path, sizeof path, "/s%u", i);
            seg[i] = (struct skep_segment_source){must_write(f, path, &part[i], 1), NULL};
        }
        two[0] = (struct skep_segment_source){must_write(f, "/m1", seg, 4), NULL};
        two[1] = (struct skep_segment_source){must_write(f, "/m2", seg + 4, 2), NULL};
        skep_rowset_unref(must_write(f, "/all", two, 2));
        skep_rowset_unref(must_write(f, "/direct", part, 6));
        skep_rowset_unref(must_write(f, "/once", seg, 6));
        struct skep_buf a = file_of(f, "/all"), b = file_of(f, "/direct"), c = file_of(f, "/once");
        assert_int_equal(a.n, b.n);
        assert_memory_equal(a.p, b.p, a.n);
        assert_int_equal(c.n, b.n);
        assert_memory_equal(c.p, b.p, c.n);
        skep_buf_done(&a);
        skep_buf_done(&b);
        skep_buf_done(&c);
        for (unsigned i = 0; i < 6; i++) {
            skep_rowset_unref(part[i].rowset);
            skep_rowset_unref(seg[i].rowset);
        }
        skep_rowset_unref(two[0].rowset);
        skep_rowset_unref(two[1].rowset);
    }
}

/* Segments with dead rows and cut traces, merged: the live rows, in order. */
static void test_merge_live(void **state)
{
    struct fixture *f = *state;
    for (unsigned round = 0; round < 4; round++) {
        struct rng r = {77 + round};
        struct batch_shape s = {.rows = 2500,
                                .traces = round % 2 ? 4000 : 300,
                                .fields = 9,
                                .per_row = 3,
                                .hostile = round >= 2};
        struct skep_segment_source seg[3];
        struct row_texts want = {0};
        char path[16];
        for (unsigned i = 0; i < 3; i++) {
            struct skep_segment_source part = {random_part(&r, &s, 1 + i), NULL};
            snprintf(path, sizeof path, "/l%u", i);
            seg[i].rowset = must_write(f, path, &part, 1);
            seg[i].live = i == 1 ? NULL : some_live(seg[i].rowset, 2 + round);
            assert_int_equal(read_rows(seg[i].rowset, seg[i].live, 1024, &want, NULL), SKEP_OK);
            skep_rowset_unref(part.rowset);
        }
        struct skep_rowset *all = must_write(f, "/merged", seg, 3);
        check_order(all);
        struct row_texts got = texts_of(all, NULL, 1024);
        sort_rows(&want);
        sort_rows(&got);
        same_rows(&want, &got);
        free_rows(&want);
        free_rows(&got);
        skep_rowset_unref(all);
        assert_int_equal(skep_segment_verify(f->os, "/merged", NULL, NULL), SKEP_OK);
        for (unsigned i = 0; i < 3; i++) {
            skep_rowset_unref(seg[i].rowset);
            skep_live_unref((struct skep_live *)(uintptr_t)seg[i].live);
        }
    }
}

static void test_merge_short_groups(void **state)
{
    struct fixture *f = *state;
    f->group_rows = 600;
    test_live_rows(state);
    test_merge_live(state);
    f->group_rows = 3000;
    test_merge_of_merges(state);
}

static struct skep_buf small_segment(struct fixture *f, uint64_t seed)
{
    struct rng r = {seed};
    struct batch_shape s = {.rows = 1500, .traces = 200, .fields = 60, .per_row = 6};
    struct skep_segment_source src = {random_part(&r, &s, 3), NULL};
    skep_rowset_unref(must_write(f, "/x", &src, 1));
    skep_rowset_unref(src.rowset);
    return file_of(f, "/x");
}

/* Every byte is under a checksum or a comparison: no flip passes, none crashes. */
static void test_bit_flips(void **state)
{
    struct fixture *f = *state;
    struct skep_buf b = small_segment(f, 11);
    struct rng r = {5};
    for (unsigned i = 0; i < 700; i++) {
        size_t at = i < 64 ? i : i < 128 ? b.n - 1 - (i - 64) : rng_next(&r) % b.n;
        uint8_t bit = (uint8_t)(1u << rng_below(&r, 8));
        b.p[at] ^= bit;
        put_file(f, "/y", b.p, b.n);
        skep_err err;
        skep_rc rc = skep_segment_verify(f->os, "/y", NULL, &err);
        if (rc != SKEP_ECORRUPT && rc != SKEP_EUNSUPPORTED)
            fail_msg("flip at %zu of %zu passed: %d", at, b.n, rc);
        assert_true(err.text[0] != 0);
        b.p[at] ^= bit;
    }
    put_file(f, "/y", b.p, b.n);
    assert_int_equal(skep_segment_verify(f->os, "/y", NULL, NULL), SKEP_OK);
    skep_buf_done(&b);
}

static void test_truncations(void **state)
{
    struct fixture *f = *state;
    struct skep_buf b = small_segment(f, 12);
    for (size_t n = 0; n < b.n; n += n < 200 || b.n - n < 200 ? 1 : b.n / 97) {
        put_file(f, "/y", b.p, n);
        struct skep_rowset *rs = NULL;
        assert_int_equal(skep_segment_open(f->os, "/y", f->cache, &rs, NULL), SKEP_ECORRUPT);
        assert_null(rs);
    }
    skep_buf_u8(&b, 0);
    put_file(f, "/y", b.p, b.n);
    assert_int_equal(skep_segment_verify(f->os, "/y", NULL, NULL), SKEP_ECORRUPT);
    skep_buf_done(&b);
}

/* With each budget the write succeeds or says ENOMEM and leaves nothing behind. */
static void test_budget(void **state)
{
    struct fixture *f = *state;
    struct rng r = {8};
    struct batch_shape s = {.rows = 20000, .traces = 3000, .fields = 30, .per_row = 6};
    struct skep_segment_source src = {random_part(&r, &s, 3), NULL};
    bool refused = false, done = false;
    for (uint64_t limit = 1 << 20; limit < 64 << 20 && !done; limit += 777777) {
        struct skep_budget tight;
        skep_budget_init(&tight, "tight", limit, NULL);
        struct skep_segment_job job = {
            .os = f->os, .path = "/t", .sources = &src, .n_sources = 1, .budget = &tight};
        skep_rc rc = skep_segment_write(&job, NULL, NULL);
        assert_int_equal(skep_budget_used(&tight), 0);
        struct skep_os_stat st;
        skep_rc there = f->os->stat(f->os, "/t", &st, NULL);
        if (rc == SKEP_OK) {
            done = true;
            assert_int_equal(there, SKEP_OK);
        } else {
            refused = true;
            assert_int_equal(rc, SKEP_ENOMEM);
            assert_int_equal(there, SKEP_ENOTFOUND);
        }
    }
    assert_true(refused && done);
    skep_rowset_unref(src.rowset);
}

/* The cache may be tiny or its parent nearly full: answers stay right or say ENOMEM. */
static void test_cache_pressure(void **state)
{
    struct fixture *f = *state;
    struct skep_buf b = small_segment(f, 13);
    struct skep_rowset *rs;
    assert_int_equal(skep_segment_open(f->os, "/x", f->cache, &rs, NULL), SKEP_OK);
    struct row_texts want = texts_of(rs, NULL, 1024);
    skep_rowset_unref(rs);
    bool refused = false, done = false;
    for (uint64_t limit = 4096; limit < 8 << 20; limit *= 2) {
        struct skep_budget tight;
        skep_budget_init(&tight, "tight", limit, NULL);
        struct skep_cache *c = skep_cache_new(&tight, limit / 2);
        skep_rc rc = skep_segment_open(f->os, "/x", c, &rs, NULL);
        assert_int_equal(rc, SKEP_OK);
        struct row_texts got = {0};
        rc = read_rows(rs, NULL, 100, &got, NULL);
        if (rc == SKEP_OK) {
            done = true;
            same_rows(&want, &got);
            assert_true(skep_cache_bytes(c) <= limit);
        } else {
            refused = true;
            assert_int_equal(rc, SKEP_ENOMEM);
        }
        free_rows(&got);
        skep_rowset_unref(rs);
        assert_int_equal(skep_cache_bytes(c), 0);
        skep_cache_free(c);
    }
    assert_true(refused && done);
    free_rows(&want);
    skep_buf_done(&b);
}

/* Disk errors come out as they are and leave no file. */
static void test_disk_faults(void **state)
{
    struct fixture *f = *state;
    struct rng r = {8};
    struct batch_shape s = {.rows = 20000, .traces = 3000, .fields = 30, .per_row = 6};
    struct skep_segment_source src = {random_part(&r, &s, 3), NULL};
    struct fault_os fault;
    fault_os_init(&fault, f->os);
    struct skep_segment_job job = {
        .os = &fault.os, .path = "/f", .sources = &src, .n_sources = 1, .budget = &f->work};
    for (int64_t skip = 0; skip < 3; skip++) {
        fault_os_arm(&fault, FAULT_PWRITE, skip, 1, SKEP_ENOSPC);
        skep_rc rc = skep_segment_write(&job, NULL, NULL);
        struct skep_os_stat st;
        if (fault.failed) {
            assert_int_equal(rc, SKEP_ENOSPC);
            assert_int_equal(f->os->stat(f->os, "/f", &st, NULL), SKEP_ENOTFOUND);
        }
        assert_true(skip > 0 || fault.failed);
    }
    fault_os_arm(&fault, FAULT_SYNC, 0, 1, SKEP_EIO);
    assert_int_equal(skep_segment_write(&job, NULL, NULL), SKEP_EIO);
    fault_os_arm(&fault, 0, 0, 0, SKEP_EIO);
    assert_int_equal(skep_segment_write(&job, NULL, NULL), SKEP_OK);
    for (int64_t skip = 0; skip < 40; skip++) {
        struct skep_rowset *rs = NULL;
        struct skep_cache *c = skep_cache_new(NULL, 1 << 20);
        fault_os_arm(&fault, FAULT_PREAD, skip, 1, SKEP_EIO);
        skep_rc rc = skep_segment_open(&fault.os, "/f", c, &rs, NULL);
        struct row_texts got = {0};
        if (rc == SKEP_OK)
            rc = read_rows(rs, NULL, 1024, &got, NULL);
        assert_int_equal(rc, SKEP_EIO);
        free_rows(&got);
        skep_rowset_unref(rs);
        skep_cache_free(c);
    }
    skep_rowset_unref(src.rowset);
}

static bool cancel_now(void *ctx)
{
    return --*(int *)ctx < 0;
}

static void test_cancel(void **state)
{
    struct fixture *f = *state;
    struct rng r = {8};
    struct batch_shape s = {.rows = 3000, .traces = 3000, .fields = 3, .per_row = 3};
    struct skep_segment_source src = {random_part(&r, &s, 3), NULL};
    for (int n = 0; n < 4; n++) {
        int left = n;
        struct skep_segment_job job = {.os = f->os,
                                       .path = "/c",
                                       .sources = &src,
                                       .n_sources = 1,
                                       .budget = &f->work,
                                       .canceled = cancel_now,
                                       .ctx = &left};
        assert_int_equal(skep_segment_write(&job, NULL, NULL), SKEP_ECANCELED);
        struct skep_os_stat st;
        assert_int_equal(f->os->stat(f->os, "/c", &st, NULL), SKEP_ENOTFOUND);
    }
    skep_rowset_unref(src.rowset);
}

/* A trace longer than a row group, long strings in many chunks, zones that bound their block. */
static void test_giants(void **state)
{
    struct fixture *f = *state;
    struct rng r = {21};
    struct skep_batch *b = skep_batch_new(NULL, 1);
    char *text = skep_malloc(300000);
    for (uint32_t i = 0; i < 70000; i++) {
        uint32_t row = skep_batch_row(b, SKEP_KIND_SPAN, 1000000 - (int64_t)i, SKEP_SOURCE_OTLP);
        memset(b->trace_id[row].b, 7, 16);
        b->span_id[row] = i + 1;
        b->parent_id[row] = i % 3 ? rng_below(&r, 70000) : 0;
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("n"),
                       (skep_value){.type = SKEP_TYPE_INT, .i = (int64_t)i * 1000});
        if (i % 500 == 0) {
            memset(text, 'a' + (int)(i / 500 % 26), 300000);
            memcpy(text, &i, 4);
            skep_batch_put(b, SKEP_SCOPE_INTRINSIC, SKEP_STR("rare"),
                           (skep_value){.type = SKEP_TYPE_STRING, .s = {text, 200000}});
        }
        if (i % 40 == 0) {
            for (uint32_t k = 0; k < 4000; k++)
                text[k] = (char)('a' + rng_below(&r, 26));
            skep_batch_put(b, SKEP_SCOPE_INTRINSIC, SKEP_STR("body"),
                           (skep_value){.type = SKEP_TYPE_STRING, .s = {text, 4000}});
        }
    }
    struct skep_buf buf;
    skep_buf_init(&buf, 1u << 30);
    assert_int_equal(skep_frame_encode(b, &buf, NULL), SKEP_OK);
    skep_batch_free(b);
    skep_free(text);
    size_t n;
    uint8_t *payload = skep_buf_take(&buf, &n);
    struct skep_segment_source src = {0};
    assert_int_equal(skep_part_open(payload, n, 1, NULL, &src.rowset, NULL), SKEP_OK);
    struct row_texts want = texts_of(src.rowset, NULL, 1024);
    struct skep_rowset *seg = must_write(f, "/g", &src, 1);
    struct row_texts got = texts_of(seg, NULL, 1024);
    sort_rows(&want);
    sort_rows(&got);
    same_rows(&want, &got);
    free_rows(&want);
    free_rows(&got);
    check_order(seg);
    check_ways(seg);
    uint32_t field =
        skep_rowset_find_field(seg, SKEP_STR("n"), SKEP_SCOPE_ATTRIBUTE, SKEP_TYPE_INT);
    struct skep_colreader *rd;
    assert_int_equal(seg->ops->open_field(seg, field, &rd, NULL), SKEP_OK);
    for (uint64_t block = 0; block < skep_rowset_blocks(seg); block++) {
        double min, max;
        struct skep_vec v;
        unsigned rows = skep_rowset_block_rows(seg, block);
        assert_true(rd->ops->zone(rd, block * 1024, rows, &min, &max));
        assert_int_equal(rd->ops->read(rd, block * 1024, rows, &v, NULL), SKEP_OK);
        double lo = 1e300, hi = -1e300;
        for (unsigned i = 0; i < v.n; i++) {
            double x = (double)v.i64[v.constant ? 0 : i];
            lo = x < lo ? x : lo;
            hi = x > hi ? x : hi;
        }
        assert_true(min == lo && max == hi);
    }
    rd->ops->close(rd);
    skep_rowset_unref(seg);
    skep_rowset_unref(src.rowset);
}

/* Operations with names of their own: who has a value follows from the span's name, in hundreds of
 * columns of few rows each. */
static void test_names_of_operations(void **state)
{
    struct fixture *f = *state;
    enum { ROWS = 6000, OPERATIONS = 60, NAMES = 5 };
    struct rng r = {15};
    struct skep_batch *b = skep_batch_new(NULL, 1000000);
    for (uint32_t i = 0; i < ROWS; i++) {
        char text[32], name[32];
        unsigned op = rng_below(&r, OPERATIONS);
        uint32_t row = skep_batch_row(b, SKEP_KIND_SPAN, 1000 + i, SKEP_SOURCE_OTLP);
        b->name[row] = skep_batch_intern(
            b, (skep_str){text, (size_t)snprintf(text, sizeof text, "op-%u", op)});
        for (unsigned k = 0; k < NAMES; k++) {
            size_t n = (size_t)snprintf(name, sizeof name, "op%u.attr%u", op, k);
            size_t m = (size_t)snprintf(text, sizeof text, "v-%u", rng_below(&r, 7));
            skep_value v = {.type = SKEP_TYPE_STRING, .s = {text, m}};
            if (k % 2)
                v = (skep_value){.type = SKEP_TYPE_INT, .i = (int64_t)rng_below(&r, 50) - 20};
            skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, (skep_str){name, n}, v);
        }
    }
    struct skep_buf buf;
    skep_buf_init(&buf, 1u << 30);
    assert_int_equal(skep_frame_encode(b, &buf, NULL), SKEP_OK);
    skep_batch_free(b);
    size_t n;
    uint8_t *payload = skep_buf_take(&buf, &n);
    struct skep_segment_source src = {0};
    assert_int_equal(skep_part_open(payload, n, 1, NULL, &src.rowset, NULL), SKEP_OK);
    struct skep_rowset *seg = must_write(f, "/names", &src, 1);
    struct row_texts want = texts_of(src.rowset, NULL, 1024), got = texts_of(seg, NULL, 1024);
    sort_rows(&want);
    sort_rows(&got);
    same_rows(&want, &got);
    free_rows(&want);
    free_rows(&got);
    check_ways(seg);
    skep_rowset_unref(seg);
    skep_rowset_unref(src.rowset);
}

/* A long value of one letter, which hardly takes room: what was written is read. */
static void test_one_letter(void **state)
{
    struct fixture *f = *state;
    struct skep_batch *b = skep_batch_new(NULL, 1);
    const size_t sizes[] = {100, 200 << 10, 1 << 20, 3 << 20, 4000000};
    char *text = skep_malloc(sizes[4]);
    memset(text, '<', sizes[4]);
    for (uint32_t i = 0; i < 3000; i++) {
        (void)skep_batch_row(b, SKEP_KIND_ERROR, 1000000 + (int64_t)i, SKEP_SOURCE_ROLLBAR);
        if (i % 600 == 0)
            skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("rare"),
                           (skep_value){.type = SKEP_TYPE_STRING, .s = {text, sizes[i / 600]}});
    }
    struct skep_buf buf;
    skep_buf_init(&buf, 1u << 30);
    assert_int_equal(skep_frame_encode(b, &buf, NULL), SKEP_OK);
    skep_batch_free(b);
    skep_free(text);
    size_t n;
    uint8_t *payload = skep_buf_take(&buf, &n);
    struct skep_segment_source src = {0};
    assert_int_equal(skep_part_open(payload, n, 1, NULL, &src.rowset, NULL), SKEP_OK);
    struct row_texts want = texts_of(src.rowset, NULL, 1024);
    struct skep_rowset *seg = must_write(f, "/o", &src, 1);
    struct row_texts got = texts_of(seg, NULL, 1024);
    sort_rows(&want);
    sort_rows(&got);
    same_rows(&want, &got);
    free_rows(&want);
    free_rows(&got);
    skep_rowset_unref(seg);
    skep_rowset_unref(src.rowset);
}

static void check_sample(struct fixture *f, const char *path, uint64_t want_rows, uint64_t want)
{
    uint64_t rows, hash = 0;
    skep_err err;
    if (skep_segment_verify(skep_os_real(), path, &rows, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    assert_int_equal(rows, want_rows);
    struct skep_rowset *rs;
    assert_int_equal(skep_segment_open(skep_os_real(), path, f->cache, &rs, NULL), SKEP_OK);
    struct row_texts t = texts_of(rs, NULL, 1024);
    for (uint32_t i = 0; i < t.n; i++)
        hash = skep_hash_seed(skep_str_bytes(skep_str_c(t.rows[i].text)), hash);
    if (hash != want)
        fail_msg("%s: the rows read differently: %016llx", path, (unsigned long long)hash);
    free_rows(&t);
    skep_rowset_unref(rs);
}

/* Files written once read as they did then: the first of version 1, and one with what feature bit 1
 * brought (maps, templates, classes, lag, packed zones and presence). */
static void test_museum(void **state)
{
    check_sample(*state, "tests/golden/formats/v1/segment", 1500, 0x7a5c8aeae915946dull);
    check_sample(*state, "tests/golden/formats/v1/segment-codecs", 2000, 0xe25bd5e693c2390aull);
}

static void test_dump(void **state)
{
    struct fixture *f = *state;
    struct skep_buf b = small_segment(f, 14), text;
    skep_buf_init(&text, 1 << 20);
    assert_int_equal(skep_segment_dump(f->os, "/x", &text, NULL), SKEP_OK);
    skep_str t = skep_buf_text(&text);
    assert_true(skep_str_find(t, SKEP_STR("1500 rows")) != SIZE_MAX);
    assert_true(skep_str_find(t, SKEP_STR("TRACE_ID")) != SIZE_MAX);
    assert_true(skep_str_find(t, SKEP_STR("attr.0")) != SIZE_MAX);
    skep_buf_done(&text);
    skep_buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip_small, setup, teardown),
        cmocka_unit_test_setup_teardown(test_round_trip_groups, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(test_short_groups, setup, teardown),
        cmocka_unit_test_setup_teardown(test_live_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_merge_of_merges, setup, teardown),
        cmocka_unit_test_setup_teardown(test_merge_live, setup, teardown),
        cmocka_unit_test_setup_teardown(test_merge_short_groups, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bit_flips, setup, teardown),
        cmocka_unit_test_setup_teardown(test_truncations, setup, teardown),
        cmocka_unit_test_setup_teardown(test_budget, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cache_pressure, setup, teardown),
        cmocka_unit_test_setup_teardown(test_disk_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
        cmocka_unit_test_setup_teardown(test_giants, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_letter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_of_operations, setup, teardown),
        cmocka_unit_test_setup_teardown(test_museum, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dump, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
