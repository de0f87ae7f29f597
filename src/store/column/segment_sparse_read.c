// SPDX-License-Identifier: Apache-2.0
/* Sparse values, read (segment_sparse.c has the bytes): the pages that may have the field are gone
 * through once on entering a row group.
 *
 * I1  rows ascend and lie in the row group.
 * Threads: one. */
#include "store/column/segment_sparse.h"

#include "base/assert.h"
#include "base/mem.h"

static void grow(struct skep_sparse *s)
{
    if (s->n < s->cap)
        return;
    s->cap = s->cap ? s->cap * 2 : 256;
    s->rows = skep_realloc(s->rows, s->cap * sizeof *s->rows);
    if (s->form == SKEP_FORM_STR)
        s->strs = skep_realloc(s->strs, s->cap * sizeof *s->strs);
    else
        s->ints = skep_realloc(s->ints, s->cap * sizeof *s->ints);
}

/* One run of this key. */
static bool read_run(struct skep_sparse *s, uint32_t n_rows, skep_rd *rd, uint64_t n)
{
    uint64_t row = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t step = skep_rd_varint(rd);
        if (rd->bad || step > SKEP_ROW_GROUP_ROWS || (i > 0 && step == 0))
            return false;
        row += step;
        if (row >= n_rows || (s->n > 0 && row <= s->rows[s->n - 1]))
            return false;
        grow(s);
        s->rows[s->n] = (uint32_t)row;
        if (s->form == SKEP_FORM_STR) {
            uint64_t len = skep_rd_varint(rd);
            if (len > skep_rd_left(rd))
                return false;
            s->strs[s->n] = skep_bytes_str(skep_rd_take(rd, (size_t)len));
        } else if (s->form == SKEP_FORM_F64) {
            s->ints[s->n] = (int64_t)skep_rd_u64(rd);
        } else if (s->form == SKEP_FORM_INT) {
            uint64_t z = skep_rd_varint(rd);
            s->ints[s->n] = (int64_t)((z >> 1) ^ (0 - (z & 1)));
        } else {
            s->ints[s->n] = 0;
        }
        s->n++;
    }
    return !rd->bad && skep_rd_left(rd) == 0;
}

static skep_rc read_page(struct skep_segment *seg, const struct skep_group_page *page,
                         uint32_t n_rows, uint32_t wanted, struct skep_sparse *s, skep_err *err)
{
    const struct skep_chunk_data *d;
    SKEP_TRY(skep_segment__pin_page(seg, page, &d, err));
    SKEP_GROW(s->pins, s->n_pins, s->cap_pins);
    s->pins[s->n_pins++] = d;
    skep_rd rd = skep_rd_make((skep_bytes){d->bytes, d->length});
    while (skep_rd_left(&rd) > 0) {
        uint64_t key = skep_rd_varint(&rd), n = skep_rd_varint(&rd), len = skep_rd_varint(&rd);
        if (rd.bad || len > skep_rd_left(&rd) || n > SKEP_ROW_GROUP_ROWS)
            return skep_segment__corrupt(seg, err, page->ref.offset, "sparse page");
        skep_rd run = skep_rd_make(skep_rd_take(&rd, (size_t)len));
        if (key > wanted)
            break;
        if (key == wanted && !read_run(s, n_rows, &run, n))
            return skep_segment__corrupt(seg, err, page->ref.offset, "sparse values");
    }
    return SKEP_OK;
}

skep_rc skep_sparse_load(struct skep_segment *seg, const struct skep_group_dir *dir, uint32_t key,
                         struct skep_sparse *s, skep_err *err)
{
    skep_assert(key >= SKEP_SEGMENT_FIELD_KEY && s->n == 0);
    uint32_t i = 0;
    while (i + 1 < dir->n_pages && dir->pages[i + 1].first_key < key)
        i++;
    for (; i < dir->n_pages && dir->pages[i].first_key <= key; i++)
        SKEP_TRY(read_page(seg, &dir->pages[i], dir->n_rows, key, s, err));
    return SKEP_OK;
}

void skep_sparse_clear(struct skep_segment *seg, struct skep_sparse *s)
{
    for (uint32_t i = 0; i < s->n_pins; i++)
        skep_segment__unpin(seg, s->pins[i]);
    s->n_pins = s->n = 0;
}

void skep_sparse_done(struct skep_segment *seg, struct skep_sparse *s)
{
    skep_sparse_clear(seg, s);
    skep_free(s->rows);
    skep_free(s->ints);
    skep_free(s->pins);
}

bool skep_sparse_spread(const struct skep_sparse *s, uint32_t first, uint32_t n, uint64_t *valid,
                        int64_t *ints, skep_str *strs)
{
    uint32_t low = 0, high = s->n;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (s->rows[mid] < first)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == s->n || s->rows[low] >= first + n)
        return false;
    memset(valid, 0, SKEP_BLOCK_ROWS / 8);
    if (strs)
        memset(strs, 0, n * sizeof *strs);
    else
        memset(ints, 0, n * sizeof *ints);
    for (; low < s->n && s->rows[low] < first + n; low++) {
        uint32_t i = s->rows[low] - first;
        valid[i / 64] |= 1ull << (i % 64);
        if (strs)
            strs[i] = s->strs[low];
        else
            ints[i] = s->ints[low];
    }
    return true;
}
