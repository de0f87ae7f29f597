// SPDX-License-Identifier: Apache-2.0
/* Segments held against what was written (segment_checks.h): whatever a reader answers in a way of
 * its own - packed comparisons, bounds, contained texts, tallies, presence - is compared with the
 * rows that its plain read gives. */
#include "segment_checks.h"

#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "os/os.h"
#include "support/fault_os.h"

int segment_setup(void **state)
{
    struct segment_fixture *f = skep_alloc(struct segment_fixture);
    f->mem = mem_os_new(1);
    f->os = mem_os_ops(f->mem);
    skep_budget_init(&f->budget, "test", 1ull << 30, NULL);
    skep_budget_init(&f->work, "work", 1ull << 30, NULL);
    f->cache = skep_cache_new(&f->budget, 64 << 20);
    *state = f;
    return 0;
}

int segment_teardown(void **state)
{
    struct segment_fixture *f = *state;
    skep_cache_free(f->cache);
    assert_int_equal(skep_budget_used(&f->budget), 0);
    mem_os_free(f->mem);
    skep_free(f);
    return 0;
}

skep_rc write_segment(struct segment_fixture *f, const char *path,
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

struct skep_rowset *must_write(struct segment_fixture *f, const char *path,
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

struct row_texts texts_of(struct skep_rowset *rs, const struct skep_live *live, unsigned step)
{
    struct row_texts t = {0};
    skep_err err;
    if (read_rows(rs, live, step, &t, &err) != SKEP_OK)
        fail_msg("read: %s", err.text);
    return t;
}

uint64_t *numbers_of(struct skep_rowset *rs)
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

/* Strings of some of the rows, against all of them read. */
static void check_some(struct skep_colreader *rd, uint64_t row0, unsigned n, const skep_str *want,
                       const bool *has)
{
    uint8_t wanted[SKEP_BLOCK_ROWS];
    skep_str got[SKEP_BLOCK_ROWS];
    for (unsigned k = 1; k <= 64; k *= 8) { /* all, an eighth, few */
        for (unsigned i = 0; i < n; i++)
            wanted[i] = (i + row0) % k == 0;
        if (!rd->ops->some || !rd->ops->some(rd, row0, n, wanted, got))
            return;
        for (unsigned i = 0; i < n; i++) {
            if (wanted[i] && has[i])
                assert_true(skep_str_eq(got[i], want[i]));
            if (!has[i])
                assert_null(got[i].p);
        }
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
        check_some(rd, row0, n, copies, has);
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

void check_ways(struct skep_rowset *rs)
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

void check_order(struct skep_rowset *rs)
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

struct skep_live *some_live(struct skep_rowset *rs, unsigned n)
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

struct skep_buf file_of(struct segment_fixture *f, const char *path)
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
