// SPDX-License-Identifier: Apache-2.0
/* Filters of string columns: sets that never lose a key, texts that never lose a needle, row groups
 * ruled out without reading data, and filters through merges, damage and verification. */
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "segment_support.h"
#include "store/column/exec.h"
#include "store/column/filter_text.h"
#include "store/column/live.h"
#include "store/column/part.h"
#include "store/column/segment_check.h"
#include "store/column/segment_filter.h"
#include "support/fault_os.h"

/* --- sets --- */

static void test_fuse(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 2, 3, 10, 63, 64, 65, 1000, 5000, 65536};
    for (size_t k = 0; k < SKEP_ARRAY_LEN(sizes) * 2; k++) {
        uint32_t n = sizes[k / 2];
        unsigned bits = k % 2 ? 4 : 8;
        struct rng r = {k + 1};
        uint64_t *keys = skep_alloc_n(uint64_t, n);
        for (uint32_t i = 0; i < n; i++)
            keys[i] = k % 3 ? rng_next(&r) : i; /* also small ones */
        struct skep_buf b;
        skep_buf_init(&b, 1 << 20);
        assert_true(skep_fuse_put(keys, n, bits, &b));
        assert_int_equal(b.n, skep_fuse_bytes(n, bits));
        struct skep_fuse f;
        skep_rd rd = skep_rd_make(skep_buf_bytes(&b));
        assert_true(skep_fuse_open(&rd, &f));
        assert_int_equal(skep_rd_left(&rd), 0);
        for (uint32_t i = 0; i < n; i++)
            assert_true(skep_fuse_has(&f, keys[i]));
        unsigned wrong = 0;
        for (uint32_t i = 0; i < 100000; i++)
            wrong += skep_fuse_has(&f, rng_next(&r));
        /* 1 of 256 or of 16 by chance: 391 and 6,250. */
        assert_in_range(wrong, 0, bits == 8 ? 600 : 7500);
        if (n >= 5000)
            assert_true(b.n * 8 <= (uint64_t)n * bits * 14 / 10 + 100);
        skep_buf_done(&b);
        skep_free(keys);
    }
}

/* Whatever the bytes say, nothing outside them is read (the sanitizers see it). */
static void test_fuse_hostile(void **state)
{
    (void)state;
    struct rng r = {7};
    uint64_t keys[200];
    struct skep_buf b;
    for (unsigned i = 0; i < 200; i++)
        keys[i] = rng_next(&r);
    skep_buf_init(&b, 1 << 20);
    assert_true(skep_fuse_put(keys, 200, 4, &b));
    unsigned opened = 0;
    for (unsigned k = 0; k < 20000; k++) {
        size_t n = rng_below(&r, 4) ? b.n : rng_below(&r, (uint32_t)b.n + 1);
        uint8_t *copy = skep_malloc(n + 1);
        memcpy(copy, b.p, n);
        for (unsigned i = 0; n > 0 && i < 1 + k % 3; i++)
            copy[rng_below(&r, SKEP_MIN((uint32_t)n, 16u))] = (uint8_t)rng_next(&r);
        struct skep_fuse f;
        skep_rd rd = skep_rd_make((skep_bytes){copy, n});
        if (skep_fuse_open(&rd, &f)) {
            opened++;
            for (unsigned i = 0; i < 20; i++)
                (void)skep_fuse_has(&f, rng_next(&r));
        }
        skep_free(copy);
    }
    assert_in_range(opened, 1, 19999);
    uint64_t same[3] = {5, 5, 6}; /* not distinct: no set, and nothing left behind */
    size_t before = b.n;
    assert_false(skep_fuse_put(same, 3, 8, &b));
    assert_int_equal(b.n, before);
    skep_buf_done(&b);
}

/* --- texts --- */

static size_t random_text(struct rng *r, char *out, size_t cap)
{
    size_t n = rng_below(r, (uint32_t)cap + 1);
    for (size_t i = 0; i < n; i++)
        out[i] = rng_below(r, 4) ? "aAbB01 /"[rng_below(r, 8)] : (char)rng_next(r);
    return n;
}

struct grams {
    uint32_t v[512];
    unsigned n;
};
static bool keep_gram(void *ctx, uint32_t gram)
{
    struct grams *g = ctx;
    g->v[g->n++] = gram;
    return true;
}

/* Any piece of a text, in any case, has trigrams and grams that the text has. */
static void test_text_pieces(void **state)
{
    (void)state;
    static uint64_t map[1 << (SKEP_TRIGRAM_LOG_MAX - 6)];
    struct rng r = {11};
    for (unsigned k = 0; k < 3000; k++) {
        char text[200], piece[200];
        size_t n = random_text(&r, text, sizeof text);
        unsigned window = 1 + rng_below(&r, SKEP_GRAM_WINDOW_MAX);
        memset(map, 0, sizeof map);
        skep_trigrams_add(map, (skep_str){text, n});
        unsigned log = skep_trigrams_fold(map);
        struct grams all = {.n = 0}, some = {.n = 0};
        assert_true(skep_grams_each((skep_str){text, n}, window, keep_gram, &all));
        size_t from = rng_below(&r, (uint32_t)n + 1), len = rng_below(&r, (uint32_t)(n - from) + 1);
        for (size_t i = 0; i < len; i++) {
            char c = text[from + i];
            bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
            piece[i] = letter && rng_below(&r, 2) ? (char)(c ^ 32) : c;
        }
        skep_str p = {piece, len};
        assert_true(skep_trigrams_have((const uint8_t *)map, log, p));
        assert_true(skep_grams_each(p, window, keep_gram, &some));
        assert_int_equal(some.n > 0, skep_grams_any(p, window));
        for (unsigned i = 0; i < some.n; i++) {
            bool found = false;
            for (unsigned j = 0; j < all.n; j++)
                found |= some.v[i] == all.v[j];
            assert_true(found);
        }
    }
}

/* --- row groups --- */

/* An os that remembers where was read; all else is mem_os. */
struct watch {
    struct skep_os os;
    const struct skep_os *inner;
    uint64_t at[4096];
    unsigned n;
};
static skep_rc watch_open(const struct skep_os *os, const char *path, unsigned flags, int *ret,
                          skep_err *err)
{
    const struct skep_os *in = ((const struct watch *)os)->inner;
    return in->open(in, path, flags, ret, err);
}
static void watch_close(const struct skep_os *os, int fd)
{
    const struct skep_os *in = ((const struct watch *)os)->inner;
    in->close(in, fd);
}
static skep_rc watch_pread(const struct skep_os *os, int fd, void *buf, size_t n, uint64_t offset,
                           skep_err *err)
{
    struct watch *w = (struct watch *)(uintptr_t)os;
    assert_in_range(w->n, 0, 4095);
    w->at[w->n++] = offset;
    return w->inner->pread(w->inner, fd, buf, n, offset, err);
}
static skep_rc watch_fstat(const struct skep_os *os, int fd, struct skep_os_stat *ret,
                           skep_err *err)
{
    const struct skep_os *in = ((const struct watch *)os)->inner;
    return in->fstat(in, fd, ret, err);
}

struct fixture {
    struct mem_os *mem;
    const struct skep_os *os;
    struct watch watch;
    struct skep_budget work;
    struct skep_cache *cache;
};

static int setup(void **state)
{
    struct fixture *f = skep_alloc(struct fixture);
    f->mem = mem_os_new(1);
    f->os = mem_os_ops(f->mem);
    f->watch = (struct watch){.os = {.name = "watch",
                                     .open = watch_open,
                                     .close = watch_close,
                                     .pread = watch_pread,
                                     .fstat = watch_fstat},
                              .inner = f->os};
    skep_budget_init(&f->work, "work", 1u << 30, NULL);
    f->cache = skep_cache_new(NULL, 64 << 20);
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

static void put_text(struct skep_batch *b, const char *name, const char *text)
{
    skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, skep_str_c(name),
                   (skep_value){.type = SKEP_TYPE_STRING, .s = skep_str_c(text)});
}

static struct skep_rowset *part_of(struct skep_batch *b, uint64_t seq)
{
    struct skep_buf buf;
    skep_buf_init(&buf, 1u << 28);
    assert_int_equal(skep_frame_encode(b, &buf, NULL), SKEP_OK);
    skep_batch_free(b);
    size_t n;
    uint8_t *payload = skep_buf_take(&buf, &n);
    struct skep_rowset *rs = NULL;
    assert_int_equal(skep_part_open(payload, n, seq, NULL, &rs, NULL), SKEP_OK);
    return rs;
}

/* A part with texts of all kinds; odd trace ids.  Its rows have ids of their own by seq. */
static struct skep_rowset *text_part(uint32_t rows, uint64_t seq)
{
    struct skep_batch *b = skep_batch_new(NULL, 1795132800000000000);
    struct rng r = {seq * 77 + 5};
    char text[256];
    for (uint32_t i = 0; i < rows; i++) {
        uint32_t row =
            skep_batch_row(b, SKEP_KIND_SPAN,
                           1795132800000000000 + (int64_t)(seq * 1000000000) + (int64_t)i * 1000,
                           SKEP_SOURCE_OTLP);
        uint64_t id[2] = {seq << 32 | i, 1};
        memcpy(b->trace_id[row].b, id, 16);
        snprintf(text, sizeof text, "%016llx%016llx", (unsigned long long)rng_next(&r),
                 (unsigned long long)rng_next(&r));
        put_text(b, "session.id", text);
        snprintf(text, sizeof text,
                 "%s request %016llx of user %u took %u ms in module %c%u, %u retries left",
                 i % 3 ? "INFO" : "Warning:", (unsigned long long)rng_next(&r),
                 rng_below(&r, 100000), rng_below(&r, 900), 'a' + (char)rng_below(&r, 20),
                 rng_below(&r, 50), rng_below(&r, 9));
        put_text(b, "body", text);
        put_text(b, "level", i % 3 ? "info" : "warning");
    }
    return part_of(b, seq);
}

static void write_segment(struct fixture *f, const struct skep_segment_source *src, unsigned n,
                          const char *path, uint32_t group_rows)
{
    skep_err err;
    struct skep_segment_job job = {.os = f->os,
                                   .path = path,
                                   .sources = src,
                                   .n_sources = n,
                                   .budget = &f->work,
                                   .group_rows = group_rows};
    if (skep_segment_write(&job, NULL, &err) != SKEP_OK)
        fail_msg("write: %s", err.text);
    assert_int_equal(skep_budget_used(&f->work), 0);
    if (skep_segment_verify(f->os, path, NULL, &err) != SKEP_OK)
        fail_msg("verify: %s", err.text);
}

static struct skep_rowset *open_segment(struct fixture *f, const struct skep_os *os,
                                        const char *path)
{
    struct skep_rowset *rs = NULL;
    assert_int_equal(skep_segment_open(os, path, f->cache, &rs, NULL), SKEP_OK);
    return rs;
}

static struct skep_rowset *from_parts(struct fixture *f, const struct skep_os *os, unsigned n,
                                      uint64_t seq, uint32_t rows, const char *path)
{
    struct skep_segment_source src[4] = {0};
    for (unsigned i = 0; i < n; i++)
        src[i].rowset = text_part(rows, seq + i);
    write_segment(f, src, n, path, 8192);
    for (unsigned i = 0; i < n; i++)
        skep_rowset_unref(src[i].rowset);
    return open_segment(f, os, path);
}

/* Rows that pass, by the executor. */
static uint64_t count(struct skep_rowset *rs, const struct skep_expr *filter)
{
    struct skep_snapshot *snap = skep_calloc(1, sizeof *snap + sizeof snap->sets[0]);
    atomic_store(&snap->refs, 1);
    snap->n = 1;
    snap->sets[0].rowset = skep_rowset_ref(rs);
    struct skep_plan plan = {
        .kind = SKEP_PLAN_ROWS, .range = {INT64_MIN, INT64_MAX}, .filter = filter, .limit = 10};
    struct skep_mask mask;
    skep_err err;
    if (skep_exec_mask(snap, NULL, &plan, &(struct skep_run_opts){0}, &mask, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    uint64_t n = mask.n;
    skep_mask_done(&mask);
    skep_snapshot_unref(snap);
    return n;
}

static struct skep_expr test_of(const char *field, enum skep_cmp op, skep_value *v, unsigned n,
                                bool fold)
{
    return (struct skep_expr){.op = SKEP_EXPR_TEST,
                              .test = {.field = {.name = skep_str_c(field)},
                                       .op = op,
                                       .values = v,
                                       .n_values = n,
                                       .fold_case = fold}};
}

static skep_value text_value(const char *s)
{
    return (skep_value){.type = SKEP_TYPE_STRING, .s = skep_str_c(s)};
}

/* A data chunk or a dictionary of a dense column was read since n. */
static bool read_data(const struct fixture *f, struct skep_rowset *rs, unsigned n)
{
    struct skep_segment *seg = skep_segment__of(rs);
    bool hit = false;
    for (uint32_t g = 0; g < seg->n_groups; g++) {
        const struct skep_group_dir *dir;
        assert_int_equal(skep_segment__pin_dir(seg, g, &dir, NULL), SKEP_OK);
        for (uint32_t i = 0; i < dir->n_entries; i++)
            for (unsigned k = n; k < f->watch.n; k++)
                hit |=
                    f->watch.at[k] == dir->entries[i].data.offset ||
                    (dir->entries[i].dict.length && f->watch.at[k] == dir->entries[i].dict.offset);
        skep_segment__unpin(seg, dir);
    }
    return hit;
}

static unsigned filters_of(struct skep_rowset *rs, unsigned part)
{
    struct skep_segment *seg = skep_segment__of(rs);
    unsigned n = 0;
    for (uint32_t g = 0; g < seg->n_groups; g++) {
        const struct skep_group_dir *dir;
        assert_int_equal(skep_segment__pin_dir(seg, g, &dir, NULL), SKEP_OK);
        for (uint32_t i = 0; i < dir->n_entries; i++) {
            struct skep_chunk_ref ref = skep_filter_ref(seg, &dir->entries[i]);
            const struct skep_chunk_data *d;
            struct skep_filter x;
            if (ref.length == 0)
                continue;
            assert_int_equal(skep_segment__pin_chunk(seg, &ref, &d, NULL), SKEP_OK);
            assert_true(skep_filter_open((skep_bytes){d->bytes, d->length}, &x));
            n += (x.has & part) != 0;
            skep_segment__unpin(seg, d);
        }
        skep_segment__unpin(seg, dir);
    }
    return n;
}

static void test_negative_reads_no_data(void **state)
{
    struct fixture *f = *state;
    struct skep_rowset *rs = from_parts(f, &f->watch.os, 2, 1, 20000, "/a");
    assert_true(skep_segment__of(rs)->n_groups >= 4);
    assert_true(filters_of(rs, SKEP_FILTER_VALUES) >= 4);   /* session.id */
    assert_true(filters_of(rs, SKEP_FILTER_TRIGRAMS) >= 4); /* body */
    assert_true(filters_of(rs, SKEP_FILTER_GRAMS) >= 4);
    skep_value no[] = {text_value("00112233445566778899aabbccddeeff"),
                       text_value("no such session")};
    skep_value word = text_value("OutOfMemory"), id = text_value("request 0011223344556677 of"),
               upper = text_value("OUTOFMEMORY"), level = text_value("fatal");
    struct skep_expr t[] = {test_of("session.id", SKEP_CMP_EQ, no, 2, false),
                            test_of("body", SKEP_CMP_CONTAINS, &word, 1, false),
                            test_of("body", SKEP_CMP_CONTAINS, &id, 1, false),
                            test_of("body", SKEP_CMP_STARTS, &word, 1, false),
                            test_of("body", SKEP_CMP_ENDS, &id, 1, false),
                            test_of("body", SKEP_CMP_EQ, &id, 1, false),
                            test_of("body", SKEP_CMP_CONTAINS, &upper, 1, true),
                            test_of("level", SKEP_CMP_EQ, &level, 1, false),
                            test_of("*", SKEP_CMP_CONTAINS, &word, 1, false)};
    skep_value info = text_value("info");
    struct skep_expr common = test_of("level", SKEP_CMP_EQ, &info, 1, false);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(t); i++) {
        struct skep_expr *pair[] = {&common, &t[i]}, *either[] = {&t[(i + 1) % 8], &t[i]};
        struct skep_expr both = {.op = SKEP_EXPR_AND, .kids = pair, .n_kids = 2};
        struct skep_expr one = {.op = SKEP_EXPR_OR, .kids = either, .n_kids = 2};
        bool any_field = i == 8; /* looks into dictionaries, too, and at other columns */
        unsigned before = f->watch.n;
        assert_int_equal(count(rs, &t[i]), 0);
        assert_int_equal(count(rs, &both), 0);
        assert_int_equal(count(rs, &one), 0);
        if (!any_field && read_data(f, rs, before))
            fail_msg("test %zu read data", i);
    }
    /* What is there is found, and a negative operator passes all. */
    unsigned before = f->watch.n;
    skep_value retries = text_value("retries LEFT");
    struct skep_expr there = test_of("body", SKEP_CMP_CONTAINS, &retries, 1, true);
    struct skep_expr not_there = test_of("body", SKEP_CMP_NOT_CONTAINS, &word, 1, false);
    assert_int_equal(count(rs, &there), rs->n_rows);
    assert_true(read_data(f, rs, before));
    assert_int_equal(count(rs, &not_there), rs->n_rows);
    skep_rowset_unref(rs);
}

/* Every value, and pieces of every text, through the filters of the row groups. */
static void expect_found(struct skep_rowset *rs, const char *field)
{
    uint32_t f =
        skep_rowset_find_field(rs, skep_str_c(field), SKEP_SCOPE_ATTRIBUTE, SKEP_TYPE_STRING);
    struct skep_colreader *r, *asked;
    struct rng rnd = {3};
    assert_int_equal(rs->ops->open_field(rs, f, &r, NULL), SKEP_OK);
    assert_int_equal(rs->ops->open_field(rs, f, &asked, NULL), SKEP_OK);
    for (uint64_t b = 0; b < skep_rowset_blocks(rs); b++) {
        unsigned n = skep_rowset_block_rows(rs, b);
        uint64_t row0 = b / 64 * SKEP_ROW_GROUP_ROWS;
        struct skep_vec v;
        if (n == 0)
            continue;
        assert_int_equal(r->ops->read(r, b * SKEP_BLOCK_ROWS, n, &v, NULL), SKEP_OK);
        for (unsigned i = 0; i < n; i++) {
            skep_str s = v.form == SKEP_VEC_DICT ? skep_dict_str(v.dict, v.codes[i]) : v.str[i];
            size_t from = rng_below(&rnd, (uint32_t)s.n);
            skep_str piece = {s.p + from, 1 + rng_below(&rnd, (uint32_t)(s.n - from))};
            unsigned rows = rs->group_rows[b / 64];
            assert_true(asked->ops->maybe(asked, row0, rows, skep_hash(skep_str_bytes(s))));
            assert_false(asked->ops->lacks(asked, row0, rows, s, true));
            assert_false(asked->ops->lacks(asked, row0, rows, piece, true));
        }
    }
    r->ops->close(r);
    asked->ops->close(asked);
}

static void test_merge_copies(void **state)
{
    struct fixture *f = *state;
    struct skep_segment_source src[2] = {{from_parts(f, f->os, 2, 1, 12000, "/a"), NULL},
                                         {from_parts(f, f->os, 2, 10, 12000, "/b"), NULL}};
    unsigned want =
        filters_of(src[0].rowset, SKEP_FILTER_KNOWN) + filters_of(src[1].rowset, SKEP_FILTER_KNOWN);
    write_segment(f, src, 2, "/c", 8192);
    struct skep_rowset *rs = open_segment(f, f->os, "/c");
    const struct skep_segment *seg = skep_segment__of(rs);
    unsigned copied = 0;
    for (uint32_t g = 0; g < seg->n_groups; g++)
        copied += seg->group_origins[g] != 0;
    assert_int_equal(copied, seg->n_groups); /* the sources lie one behind the other */
    assert_int_equal(filters_of(rs, SKEP_FILTER_KNOWN), want);
    assert_int_equal(seg->optional, SKEP_SEGMENT_FILTERS);
    expect_found(rs, "session.id");
    expect_found(rs, "body");
    expect_found(rs, "level");
    skep_rowset_unref(rs);
    for (unsigned i = 0; i < 2; i++)
        skep_rowset_unref(src[i].rowset);
}

/* A few rows need none. */
static void test_without(void **state)
{
    struct fixture *f = *state;
    struct skep_rowset *small = from_parts(f, f->os, 1, 1, 40, "/small");
    assert_int_equal(filters_of(small, SKEP_FILTER_KNOWN), 0);
    assert_int_equal(skep_segment__of(small)->optional, 0);
    expect_found(small, "session.id");
    skep_rowset_unref(small);
}

/* Texts so long that a column is in several chunks: which contain a needle, against reading them.
 */
static void test_contains_in_parts(void **state)
{
    struct fixture *f = *state;
    struct skep_batch *b = skep_batch_new(NULL, 1795132800000000000);
    struct rng r = {21};
    char text[4096];
    for (uint32_t i = 0; i < 2500; i++) {
        uint32_t row = skep_batch_row(b, SKEP_KIND_LOG, 1795132800000000000 + i, SKEP_SOURCE_OTLP);
        size_t n = 1500 + rng_below(&r, 2000);
        if (rng_below(&r, 9) == 0)
            continue; /* a row without */
        for (size_t k = 0; k < n; k++)
            text[k] = (char)('a' + rng_below(&r, 26));
        if (rng_below(&r, 5) == 0)
            memcpy(text + rng_below(&r, (uint32_t)n - 10), "-Needle-", 8);
        b->severity[row] = 9;
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("long"),
                       (skep_value){.type = SKEP_TYPE_STRING, .s = {text, n}});
    }
    struct skep_segment_source src = {part_of(b, 1), NULL};
    write_segment(f, &src, 1, "/long", 0);
    skep_rowset_unref(src.rowset);
    struct skep_rowset *rs = open_segment(f, f->os, "/long");
    uint32_t field =
        skep_rowset_find_field(rs, SKEP_STR("long"), SKEP_SCOPE_ATTRIBUTE, SKEP_TYPE_STRING);
    struct skep_colreader *asked, *read;
    assert_int_equal(rs->ops->open_field(rs, field, &asked, NULL), SKEP_OK);
    assert_int_equal(rs->ops->open_field(rs, field, &read, NULL), SKEP_OK);
    unsigned hits = 0;
    for (uint64_t row = 0; row < rs->n_rows;) {
        unsigned n = SKEP_MIN((unsigned)(rs->n_rows - row), 1 + rng_below(&r, 900));
        n = SKEP_MIN(n, SKEP_BLOCK_ROWS - (unsigned)(row % SKEP_BLOCK_ROWS));
        uint64_t bits[SKEP_BLOCK_ROWS / 64];
        struct skep_vec v;
        assert_true(asked->ops->contains(asked, row, n, SKEP_STR("-Needle-"), bits));
        assert_int_equal(read->ops->read(read, row, n, &v, NULL), SKEP_OK);
        for (unsigned i = 0; i < n; i++) {
            bool has = !v.valid || (v.valid[i / 64] >> (i % 64) & 1);
            bool want = has && skep_str_find(v.str[i], SKEP_STR("-Needle-")) != SIZE_MAX;
            assert_int_equal(bits[i / 64] >> (i % 64) & 1, want);
            hits += want;
        }
        row += n;
    }
    assert_true(hits > 300);
    asked->ops->close(asked);
    read->ops->close(read);
    const struct skep_group_dir *dir;
    assert_int_equal(skep_segment__pin_dir(skep_segment__of(rs), 0, &dir, NULL), SKEP_OK);
    bool parts = false;
    for (uint32_t i = 0; i < dir->n_entries; i++)
        parts |= (dir->entries[i].flags & SKEP_ENTRY_PARTS) != 0;
    assert_true(parts);
    skep_segment__unpin(skep_segment__of(rs), dir);
    skep_rowset_unref(rs);
}

static void note_bad(void *ctx, const struct skep_segment_bad *bad)
{
    const char **what = ctx;
    *what = bad->what;
    assert_int_equal(bad->n_rows, 0);
}

static void test_damage(void **state)
{
    struct fixture *f = *state;
    struct skep_rowset *rs = from_parts(f, f->os, 1, 1, 8000, "/a");
    struct skep_segment *seg = skep_segment__of(rs);
    const struct skep_group_dir *dir;
    assert_int_equal(skep_segment__pin_dir(seg, 0, &dir, NULL), SKEP_OK);
    struct skep_chunk_ref ref[8];
    unsigned n = 0;
    for (uint32_t i = 0; i < dir->n_entries; i++) {
        ref[n] = skep_filter_ref(seg, &dir->entries[i]);
        n += ref[n].length > 0;
    }
    skep_segment__unpin(seg, dir);
    assert_in_range(n, 2, 7);
    skep_rowset_unref(rs);
    skep_value no = text_value("00112233445566778899aabbccddeeff");
    struct skep_expr t = test_of("session.id", SKEP_CMP_EQ, &no, 1, false);
    for (unsigned k = 0; k < n; k++) {
        struct skep_segment_health h;
        const char *what = NULL;
        uint64_t bit = (ref[k].offset + ref[k].length / 2) * 8;
        assert_true(mem_os_flip(f->mem, "/a", bit));
        rs = open_segment(f, f->os, "/a");
        assert_int_equal(skep_segment__health(rs, note_bad, &what, &h, NULL), SKEP_OK);
        assert_int_equal(h.n_bad, 1);
        assert_int_equal(h.n_bad_groups, 0);
        assert_string_equal(what, "filter");
        skep_free(h.bad_group);
        assert_int_equal(skep_segment_verify(f->os, "/a", NULL, NULL), SKEP_ECORRUPT);
        assert_int_equal(count(rs, &t), 0); /* the data say it, too */
        expect_found(rs, "body");
        skep_rowset_unref(rs);
        assert_true(mem_os_flip(f->mem, "/a", bit));
    }
    assert_int_equal(skep_segment_verify(f->os, "/a", NULL, NULL), SKEP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fuse),
        cmocka_unit_test(test_fuse_hostile),
        cmocka_unit_test(test_text_pieces),
        cmocka_unit_test_setup_teardown(test_negative_reads_no_data, setup, teardown),
        cmocka_unit_test_setup_teardown(test_merge_copies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without, setup, teardown),
        cmocka_unit_test_setup_teardown(test_contains_in_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
