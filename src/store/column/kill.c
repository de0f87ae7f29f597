// SPDX-License-Identifier: Apache-2.0
/* Rows by their stable ids.
 *
 * A delete is decided once, over the rows its predicate sees, and logged as the ids of the rows it
 * kills: replay clears the same bits whatever was folded, flushed or merged in between, and runs no
 * predicate.  A frame of the log whose payload is a delete:
 *
 *    0  "SKPK"    4  u16 version, 1    6  u16 why: 0 deleted, 1 superseded    8  i64 received
 *   16  u64 rows  24  u32 commits      28  u32 0
 *   32  for each commit, ascending: varint seq - the one before, varint runs; for each run: varint
 *       ordinals left out since the last one, varint ordinals - 1
 *
 * I1  seqs ascend strictly; runs are not empty, in order, not touching; the sum of all is `rows`.
 *
 * Finding: a row's id stands in the columns SEQ and ORDINAL.  Blocks that lie outside the seqs
 * asked for are passed over by their zones; in the others a small filter answers for most rows.
 *
 * Threads: any. */
#include "store/column/kill.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/column/part.h"

enum { MAGIC = 0x4b504b53 /* "SKPK" */, VERSION = 1, HEAD_BYTES = 32, FILTER_BITS = 1 << 16 };

void skep_row_keys_done(struct skep_row_keys *k)
{
    skep_free(k->keys);
    *k = (struct skep_row_keys){0};
}

static int by_key(const void *a, const void *b)
{
    const struct skep_row_key *x = a, *y = b;
    if (x->seq != y->seq)
        return x->seq < y->seq ? -1 : 1;
    return (x->ordinal > y->ordinal) - (x->ordinal < y->ordinal);
}

void skep_row_keys_sort(struct skep_row_keys *k)
{
    if (k->n > 1)
        qsort(k->keys, k->n, sizeof *k->keys, by_key);
}

static void add(struct skep_row_keys *k, uint64_t seq, uint32_t ordinal)
{
    SKEP_GROW(k->keys, k->n, k->cap);
    k->keys[k->n++] = (struct skep_row_key){seq, ordinal};
}

/* --- the frame --- */

bool skep_kill_is(skep_bytes payload)
{
    return payload.n >= 4 && skep_load_le32(payload.p) == MAGIC;
}

/* End of the run that begins at i; of the commit. */
static size_t run_end(const struct skep_row_keys *k, size_t i)
{
    while (i + 1 < k->n && k->keys[i + 1].seq == k->keys[i].seq &&
           k->keys[i + 1].ordinal == k->keys[i].ordinal + 1)
        i++;
    return i + 1;
}

static size_t commit_end(const struct skep_row_keys *k, size_t i)
{
    uint64_t seq = k->keys[i].seq;
    while (i < k->n && k->keys[i].seq == seq)
        i++;
    return i;
}

void skep_kill_encode(const struct skep_row_keys *k, enum skep_death why, skep_ts_ns received_ns,
                      struct skep_buf *out)
{
    skep_assert(k->n > 0 && out->n == 0);
    uint32_t commits = 0;
    for (size_t i = 0; i < k->n; i = commit_end(k, i))
        commits++;
    skep_buf_u32(out, MAGIC);
    skep_buf_u32(out, VERSION | (uint32_t)why << 16);
    skep_buf_u64(out, (uint64_t)received_ns);
    skep_buf_u64(out, k->n);
    skep_buf_u32(out, commits);
    skep_buf_u32(out, 0);
    uint64_t last = 0;
    for (size_t i = 0, end; i < k->n; i = end) {
        uint64_t runs = 0;
        uint32_t next = 0;
        end = commit_end(k, i);
        for (size_t r = i; r < end; r = run_end(k, r))
            runs++;
        skep_buf_varint(out, k->keys[i].seq - last);
        skep_buf_varint(out, runs);
        last = k->keys[i].seq;
        for (size_t r = i, stop; r < end; r = stop) {
            stop = run_end(k, r);
            skep_buf_varint(out, k->keys[r].ordinal - next);
            skep_buf_varint(out, stop - r - 1);
            next = k->keys[stop - 1].ordinal + 1;
        }
    }
}

/* One commit's runs; false when malformed. */
static bool get_commit(skep_rd *r, uint64_t seq, uint64_t rows, struct skep_row_keys *k)
{
    uint64_t runs = skep_rd_varint(r), next = 0;
    for (uint64_t i = 0; i < runs; i++) {
        uint64_t gap = skep_rd_varint(r), n = skep_rd_varint(r);
        if (r->bad || (i > 0 && gap == 0) || gap > UINT32_MAX - next || n >= rows - k->n ||
            n > UINT32_MAX - 1 - next - gap)
            return false;
        next += gap;
        for (uint64_t j = 0; j <= n; j++)
            add(k, seq, (uint32_t)next++);
    }
    return !r->bad && runs > 0;
}

skep_rc skep_kill_decode(skep_bytes payload, struct skep_row_keys *ret, enum skep_death *ret_why,
                         skep_err *err)
{
    skep_assert(ret->n == 0);
    skep_rd r = skep_rd_make(payload);
    uint32_t magic = skep_rd_u32(&r), version = skep_rd_u16(&r), why = skep_rd_u16(&r);
    (void)skep_rd_u64(&r); /* received: for who reads the log */
    uint64_t rows = skep_rd_u64(&r);
    uint32_t commits = skep_rd_u32(&r), zero = skep_rd_u32(&r);
    if (r.bad || magic != MAGIC || zero != 0 || why >= SKEP_DEATH_COUNT)
        return skep_fail(err, SKEP_ECORRUPT, "delete: malformed head");
    if (version != VERSION)
        return skep_fail(err, SKEP_EUNSUPPORTED, "delete of version %u: by a newer skep", version);
    *ret_why = (enum skep_death)why;
    uint64_t seq = 0;
    bool ok = rows <= SKEP_KILL_ROWS_MAX;
    for (uint32_t c = 0; c < commits && ok; c++) {
        uint64_t step = skep_rd_varint(&r);
        ok = step > 0 && step <= UINT64_MAX - seq;
        seq += ok ? step : 0;
        ok = ok && get_commit(&r, seq, rows, ret);
    }
    if (ok && !r.bad && ret->n == rows && rows > 0 && skep_rd_left(&r) == 0)
        return SKEP_OK;
    skep_row_keys_done(ret);
    return skep_fail(err, SKEP_ECORRUPT, "delete: malformed at byte %zu of %zu", skep_rd_offset(&r),
                     payload.n);
}

/* --- rows <-> keys --- */

struct readers {
    struct skep_colreader *seq, *ordinal;
};

static void close_readers(struct readers *r)
{
    if (r->seq)
        r->seq->ops->close(r->seq);
    if (r->ordinal)
        r->ordinal->ops->close(r->ordinal);
}

static skep_rc open_readers(struct skep_rowset *rs, struct readers *r, skep_err *err)
{
    *r = (struct readers){0};
    skep_rc rc = rs->ops->open_column(rs, SKEP_COL_SEQ, &r->seq, err);
    if (rc == SKEP_OK)
        rc = rs->ops->open_column(rs, SKEP_COL_ORDINAL, &r->ordinal, err);
    if (rc != SKEP_OK)
        close_readers(r);
    return rc;
}

static inline uint64_t int_at(const struct skep_vec *v, unsigned i)
{
    return v->none ? 0 : (uint64_t)v->i64[v->constant ? 0 : i];
}

static skep_rc keys_of_block(struct readers *r, const struct skep_rowset *rs,
                             const struct skep_mask *mask, uint64_t row0, struct skep_row_keys *ret,
                             skep_err *err)
{
    unsigned n = skep_rowset_block_rows(rs, row0 / SKEP_BLOCK_ROWS);
    bool any = false;
    for (unsigned i = 0; i < n && !any; i++)
        any = skep_mask_has(mask, row0 + i);
    if (!any)
        return SKEP_OK;
    struct skep_vec seq, ordinal;
    SKEP_TRY(r->seq->ops->read(r->seq, row0, n, &seq, err));
    SKEP_TRY(r->ordinal->ops->read(r->ordinal, row0, n, &ordinal, err));
    for (unsigned i = 0; i < n; i++)
        if (skep_mask_has(mask, row0 + i))
            add(ret, int_at(&seq, i), (uint32_t)int_at(&ordinal, i));
    return SKEP_OK;
}

skep_rc skep_row_keys_of(struct skep_rowset *rs, const struct skep_mask *mask, uint64_t group,
                         struct skep_row_keys *ret, skep_err *err)
{
    skep_assert(mask->n_rows == rs->n_rows);
    if (!mask->chunks || !mask->chunks[group])
        return SKEP_OK;
    struct readers r;
    SKEP_TRY(open_readers(rs, &r, err));
    skep_rc rc = SKEP_OK;
    uint64_t row = group * SKEP_ROW_GROUP_ROWS;
    uint64_t end = SKEP_MIN(rs->row_end, row + SKEP_ROW_GROUP_ROWS);
    for (; row < end && rc == SKEP_OK; row += SKEP_BLOCK_ROWS)
        rc = keys_of_block(&r, rs, mask, row, ret, err);
    close_readers(&r);
    return rc;
}

/* First key not below (seq, 0). */
static size_t lower(const struct skep_row_keys *k, uint64_t seq)
{
    size_t low = 0, high = k->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (k->keys[mid].seq < seq)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct finder {
    const struct skep_row_keys *keys;
    uint64_t filter[FILTER_BITS / 64];
};

static inline SKEP_WRAPS uint32_t slot(uint64_t seq, uint32_t ordinal)
{
    return (uint32_t)(skep_hash_u64(seq * 1048583 + ordinal) % FILTER_BITS);
}

static inline bool has_key(const struct finder *f, uint64_t seq, uint32_t ordinal)
{
    uint32_t at = slot(seq, ordinal);
    if (!(f->filter[at / 64] >> (at % 64) & 1))
        return false;
    struct skep_row_key want = {seq, ordinal};
    return bsearch(&want, f->keys->keys, f->keys->n, sizeof want, by_key) != NULL;
}

/* A plain part is one commit: the row is the ordinal. */
static void find_in_plain(const struct skep_part *part, const struct skep_row_keys *k,
                          struct skep_mask *mask)
{
    for (size_t i = lower(k, part->base.min_seq); i < k->n && k->keys[i].seq == part->base.min_seq;
         i++)
        if (k->keys[i].ordinal < part->base.n_rows)
            skep_mask_add(mask, k->keys[i].ordinal);
}

static skep_rc find_in_block(const struct finder *f, struct readers *r,
                             const struct skep_rowset *rs, uint64_t block, struct skep_mask *mask,
                             skep_err *err)
{
    const struct skep_row_keys *k = f->keys;
    uint64_t row0 = block * SKEP_BLOCK_ROWS;
    unsigned n = skep_rowset_block_rows(rs, block);
    double lo, hi;
    if (n == 0)
        return SKEP_OK;
    if (r->seq->ops->zone && r->seq->ops->zone(r->seq, row0, n, &lo, &hi) &&
        (hi < (double)k->keys[0].seq || lo > (double)k->keys[k->n - 1].seq))
        return SKEP_OK;
    struct skep_vec seq, ordinal;
    SKEP_TRY(r->seq->ops->read(r->seq, row0, n, &seq, err));
    SKEP_TRY(r->ordinal->ops->read(r->ordinal, row0, n, &ordinal, err));
    for (unsigned i = 0; i < n; i++)
        if (has_key(f, int_at(&seq, i), (uint32_t)int_at(&ordinal, i)))
            skep_mask_add(mask, row0 + i);
    return SKEP_OK;
}

skep_rc skep_row_keys_find(struct skep_rowset *rs, const struct skep_row_keys *keys,
                           struct skep_mask *mask, skep_err *err)
{
    skep_assert(mask->n_rows == rs->n_rows);
    size_t first = lower(keys, rs->min_seq), end = lower(keys, rs->max_seq + 1);
    if (first == end)
        return SKEP_OK;
    const struct skep_part *part = skep_part_of(rs);
    if (part && !part->folded) {
        find_in_plain(part, keys, mask);
        return SKEP_OK;
    }
    struct skep_row_keys in = {.keys = keys->keys + first, .n = end - first};
    struct finder *f = skep_alloc(struct finder);
    f->keys = &in;
    for (size_t i = 0; i < in.n; i++) {
        uint32_t at = slot(in.keys[i].seq, in.keys[i].ordinal);
        f->filter[at / 64] |= 1ull << (at % 64);
    }
    struct readers r;
    skep_rc rc = open_readers(rs, &r, err);
    if (rc == SKEP_OK) {
        uint64_t before = mask->n; /* ids are unique: when all were found the rest is not read */
        for (uint64_t b = 0; rc == SKEP_OK && b < skep_rowset_blocks(rs) && mask->n - before < in.n;
             b++)
            rc = find_in_block(f, &r, rs, b, mask, err);
        close_readers(&r);
    }
    skep_free(f);
    return rc;
}
