// SPDX-License-Identifier: Apache-2.0
/* A file as a segment: open it, read everything, merge it with itself; twice: as it is, and with
 * every checksum on the way to the data mended, so that the fuzzer gets past them.  Never a crash,
 * never more memory than the file accounts for (the cache's budget is 64 MiB). */
#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "os/os.h"
#include "store/column/codec/codec.h"
#include "store/column/exec.h"
#include "store/column/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* A disk with one read-only file. */
struct one_file {
    struct skep_os os;
    uint8_t *p;
    size_t n;
};

static skep_rc one_open(const struct skep_os *os, const char *path, unsigned flags, int *ret,
                        skep_err *err)
{
    (void)os, (void)path, (void)flags, (void)err;
    *ret = 3;
    return SKEP_OK;
}
static void one_close(const struct skep_os *os, int fd)
{
    (void)os, (void)fd;
}
static skep_rc one_pread(const struct skep_os *os, int fd, void *buf, size_t n, uint64_t offset,
                         skep_err *err)
{
    const struct one_file *f = (const struct one_file *)os;
    (void)fd;
    if (offset > f->n || n > f->n - offset)
        return skep_fail(err, SKEP_ECORRUPT, "end of file");
    memcpy(buf, f->p + offset, n);
    return SKEP_OK;
}
static skep_rc one_fstat(const struct skep_os *os, int fd, struct skep_os_stat *ret, skep_err *err)
{
    (void)fd, (void)err;
    *ret = (struct skep_os_stat){.size_bytes = ((const struct one_file *)os)->n};
    return SKEP_OK;
}

static skep_rc one_pwrite(const struct skep_os *os, int fd, const void *buf, size_t n,
                          uint64_t offset, skep_err *err)
{
    (void)os, (void)fd, (void)buf, (void)n, (void)offset, (void)err;
    return SKEP_OK;
}
static skep_rc one_fsync(const struct skep_os *os, int fd, skep_err *err)
{
    (void)os, (void)fd, (void)err;
    return SKEP_OK;
}
static skep_rc one_unlink(const struct skep_os *os, const char *path, skep_err *err)
{
    (void)os, (void)path, (void)err;
    return SKEP_OK;
}

static bool inside(const struct one_file *f, uint64_t offset, uint64_t n)
{
    return n > 0 && offset <= f->n && n <= f->n - offset;
}

/* Mend the checksum of the reference at p, when it points into the file. */
static void mend_ref(struct one_file *f, uint8_t *p)
{
    uint64_t offset = skep_load_le64(p);
    uint32_t n = skep_load_le32(p + 8);
    if (inside(f, offset, n))
        skep_store_le32(p + 12, skep_chunk_crc(offset, (skep_bytes){f->p + offset, n}));
}

/* A filter, and its grams, whose reference is last. */
static void mend_filter(struct one_file *f, uint8_t *ref)
{
    uint64_t at = skep_load_le64(ref);
    uint32_t n = skep_load_le32(ref + 8);
    if (inside(f, at, n) && n >= 20 && f->p[at] & 4)
        mend_ref(f, f->p + at + n - 16);
    mend_ref(f, ref);
}

static void mend_directory(struct one_file *f, uint64_t offset, uint32_t n)
{
    uint8_t *d = f->p + offset;
    if (n < 12)
        return;
    uint32_t entries = skep_load_le32(d + 4), pages = skep_load_le32(d + 8);
    size_t at = 12;
    for (uint32_t i = 0; i < entries && at + SKEP_SEGMENT_ENTRY_BYTES <= n; i++) {
        for (int k = 0; k < 3; k++)
            mend_ref(f, d + at + 16 + k * 16);
        if (d[at + 6] & SKEP_ENTRY_FILTER)
            mend_filter(f, d + at + 64);
        at += SKEP_SEGMENT_ENTRY_BYTES;
    }
    for (uint32_t i = 0; i < pages && at + 32 <= n; i++, at += 32)
        mend_ref(f, d + at);
}

static void mend(struct one_file *f)
{
    if (f->n < 64)
        return;
    memcpy(f->p, SKEP_SEGMENT_MAGIC, 8);
    skep_store_le32(f->p + 12, 0);
    skep_store_le32(f->p + 12, skep_crc32c(0, (skep_bytes){f->p, 32}));
    uint8_t *t = f->p + f->n - 32;
    uint64_t footer = skep_load_le64(t);
    if (footer < 32 || footer + 36 > f->n - 32)
        return;
    uint32_t groups = skep_load_le32(f->p + footer + 32);
    for (uint32_t g = 0; g < groups && footer + 36 + (g + 1) * 16ull <= f->n - 32; g++) {
        uint8_t *ref = f->p + footer + 36 + g * 16ull;
        uint64_t at = skep_load_le64(ref);
        uint32_t n = skep_load_le32(ref + 8);
        if (inside(f, at, n) && at + n <= footer) {
            mend_directory(f, at, n);
            mend_ref(f, ref);
        }
    }
    skep_store_le32(t + 8, (uint32_t)(f->n - 32 - footer));
    skep_store_le64(t + 16, f->n);
    memcpy(t + 24, SKEP_SEGMENT_END_MAGIC, 8);
    mend_ref(f, t);
}

static uint64_t touch(const struct skep_vec *v)
{
    uint64_t sum = 0;
    if (v->none)
        return 0;
    for (unsigned i = 0; i < (v->constant ? 1 : v->n); i++) {
        switch (v->form) {
        case SKEP_VEC_I64: sum += (uint64_t)v->i64[i]; break;
        case SKEP_VEC_F64: sum += v->f64[i] > 0; break;
        case SKEP_VEC_ID16: sum += v->id16[i].b[15]; break;
        case SKEP_VEC_DICT: {
            skep_str s = skep_dict_str(v->dict, v->codes[i]);
            sum += s.n ? (uint8_t)s.p[s.n - 1] : 0;
            break;
        }
        case SKEP_VEC_STR: sum += v->str[i].n ? (uint8_t)v->str[i].p[v->str[i].n - 1] : 0; break;
        }
    }
    return sum;
}

/* The shorter ways to an answer. */
static uint64_t ask(struct skep_colreader *r, uint64_t row, unsigned n)
{
    uint64_t bits[SKEP_BLOCK_ROWS / 64], sum = 0;
    double min = 0, max = 0;
    struct skep_coded coded;
    uint32_t present = 0;
    skep_str s = SKEP_STR("u-1");
    uint64_t hash = skep_hash(skep_str_bytes(s));
    sum += r->ops->zone(r, row, n, &min, &max) && min > max;
    sum += r->ops->maybe(r, row, n, hash);
    sum += r->ops->lacks(r, row, n, s, false);
    sum +=
        r->ops->lacks(r, row, n, SKEP_STR("Request 0011223344556677 of user 42 took 3 ms"), true);
    if (r->ops->between(r, row, n, -1, 70, bits))
        sum += bits[0];
    if (r->ops->equal(r, row, n, s, hash, bits))
        sum += bits[0];
    if (r->ops->contains(r, row, n, s, bits))
        sum += bits[0];
    if (r->ops->present(r, row, n, bits))
        sum += bits[0];
    uint8_t wanted[SKEP_BLOCK_ROWS], known[SKEP_BLOCK_ROWS];
    skep_value *inside = skep_alloc_n(skep_value, SKEP_BLOCK_ROWS);
    skep_str key = SKEP_STR("level");
    memset(wanted, 1, sizeof wanted);
    if (r->ops->members(r, row, n, &(struct skep_codec_path){&key, 1, 1}, wanted, known, inside))
        for (unsigned i = 0; i < n; i++)
            sum += known[i] && inside[i].type == SKEP_TYPE_STRING && inside[i].s.n > 0
                       ? (uint64_t)inside[i].s.p[inside[i].s.n - 1]
                       : 0;
    skep_free(inside);
    if (!r->ops->coded(r, row, &coded) || coded.n > 1u << 20)
        return sum;
    const struct skep_dict *dict = coded.dict;
    if (dict && dict->n > 0) { /* a string that is there, mostly */
        s = skep_dict_str(dict, dict->n / 2);
        if (r->ops->equal(r, row, n, s, dict->hashes[dict->n / 2], bits))
            sum += bits[0];
    }
    uint32_t *counts = skep_alloc_n(uint32_t, coded.n + (size_t)1);
    sum += r->ops->tally(r, row, n, counts, &present, NULL) == SKEP_OK ? present : 0;
    skep_free(counts);
    return sum;
}

static uint64_t read_all(struct skep_rowset *rs)
{
    uint64_t sum = 0;
    for (uint32_t c = 0; c < SKEP_COL_COUNT + SKEP_MIN(rs->n_fields, 64u); c++) {
        struct skep_colreader *r;
        skep_rc rc = c < SKEP_COL_COUNT ? rs->ops->open_column(rs, (enum skep_column)c, &r, NULL)
                                        : rs->ops->open_field(rs, c - SKEP_COL_COUNT, &r, NULL);
        skep_assert(rc == SKEP_OK);
        uint64_t end = SKEP_MIN(rs->row_end, 400000ull);
        for (uint64_t row = 0; rc == SKEP_OK && row < end; row += SKEP_BLOCK_ROWS) {
            struct skep_vec v;
            unsigned n = skep_rowset_block_rows(rs, row / SKEP_BLOCK_ROWS);
            if (n == 0)
                continue;
            sum += ask(r, row, n);
            rc = r->ops->read(r, row, n, &v, NULL);
            sum += rc == SKEP_OK ? touch(&v) : 0;
        }
        r->ops->close(r);
    }
    for (uint8_t k = 0; k < 4; k++) {
        struct skep_row_range range;
        unsigned n;
        skep_trace_id id = {{k, 1}};
        (void)!rs->ops->find_trace(rs, &id, &range, 1, &n, NULL);
    }
    return sum;
}

/* Relations over the segment alone, and beside itself, where every trace is cut. */
static void relate(struct skep_rowset *rs, unsigned sets)
{
    struct skep_snapshot *snap = skep_calloc(1, sizeof *snap + sets * sizeof snap->sets[0]);
    atomic_store(&snap->refs, 1);
    for (; snap->n < sets; snap->n++)
        snap->sets[snap->n].rowset = skep_rowset_ref(rs);
    struct skep_field_ref by[2] = {{.name = SKEP_STR("name"), .relation = SKEP_REL_ROOT},
                                   {.name = SKEP_STR("duration_ms"), .relation = SKEP_REL_PARENT}};
    struct skep_agg sum = {.op = SKEP_AGG_SUM, .field = by[1]};
    struct skep_expr all = {.op = SKEP_EXPR_TRUE};
    struct skep_expr *kid[1] = {&all};
    struct skep_expr below = {
        .op = SKEP_EXPR_RELATED, .relation = SKEP_REL_DESCENDANT, .kids = kid, .n_kids = 1};
    struct skep_plan plan = {.kind = SKEP_PLAN_AGGREGATE,
                             .range = {INT64_MIN, INT64_MAX},
                             .filter = &below,
                             .groups = by,
                             .n_groups = 2,
                             .aggs = &sum,
                             .n_aggs = 1};
    struct skep_arena arena;
    struct skep_budget budget;
    struct skep_answer answer;
    skep_budget_init(&budget, "query", 16u << 20, NULL);
    skep_arena_init(&arena, "answer", &budget);
    struct skep_run_opts opts = {.arena = &arena, .budget = &budget};
    if (skep_exec_run(snap, NULL, &plan, &opts, &answer, NULL) == SKEP_OK)
        skep_partial_free(answer.partial);
    skep_arena_done(&arena);
    skep_assert(skep_budget_used(&budget) == 0);
    skep_snapshot_unref(snap);
}

/* Small row groups, so that they are taken over; what is written goes nowhere. */
static void merge(struct one_file *f, struct skep_rowset *rs)
{
    struct skep_budget budget;
    skep_budget_init(&budget, "merge", 128u << 20, NULL);
    struct skep_segment_source src[2] = {{rs, NULL}, {rs, NULL}};
    for (unsigned n = 1; n <= 2 && rs->n_rows < 100000; n++) {
        struct skep_segment_job job = {.os = &f->os,
                                       .path = "out",
                                       .sources = src,
                                       .n_sources = n,
                                       .budget = &budget,
                                       .group_rows = 64};
        (void)!skep_segment_write(&job, NULL, NULL);
        skep_assert(skep_budget_used(&budget) == 0);
    }
}

static void open_and_read(struct one_file *f)
{
    struct skep_budget budget;
    skep_budget_init(&budget, "fuzz", 64u << 20, NULL);
    struct skep_cache *cache = skep_cache_new(&budget, 16u << 20);
    struct skep_rowset *rs = NULL;
    if (skep_segment_open(&f->os, "fuzz", cache, &rs, NULL) == SKEP_OK) {
        (void)read_all(rs);
        relate(rs, 1);
        relate(rs, 2);
        merge(f, rs);
    }
    skep_rowset_unref(rs);
    skep_cache_free(cache);
    skep_assert(skep_budget_used(&budget) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n > 65536)
        return 0;
    struct one_file f = {.os = {.name = "one file",
                                .open = one_open,
                                .close = one_close,
                                .pread = one_pread,
                                .fstat = one_fstat,
                                .pwrite = one_pwrite,
                                .fsync = one_fsync,
                                .unlink = one_unlink},
                         .p = skep_malloc(n),
                         .n = n};
    if (n)
        memcpy(f.p, data, n);
    open_and_read(&f);
    mend(&f);
    open_and_read(&f);
    skep_free(f.p);
    return 0;
}
