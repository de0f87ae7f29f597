// SPDX-License-Identifier: Apache-2.0
/* Sparse values, written: fields that few rows of a row group have, in pages of (field, row,
 * value).
 *
 *   page = runs, one after the other:
 *     varint  key (64 + field)
 *     varint  n values, 1..65,536
 *     varint  bytes of what follows
 *     n times: varint row of the group minus the one before (the first: the row itself), value
 *   value: string, bytes, array: varint length, bytes; int, bool: zigzag varint; double: 8 bytes;
 *          empty: nothing
 *
 * Keys ascend in a row group; a run that would make its page too long goes on in the next page.  A
 * page is compressed with zstd when that makes it smaller.  Directory entry of a page, 32 bytes:
 * chunk, u32 bytes before compression, u32 key of its first run, u32 zstd (1) or not (0), u32
 * unused.
 *
 * Threads: one. */
#include <zstd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "store/column/segment_write.h"

void skep_segment__put_page(struct skep_segment_writer *w, const struct skep_chunk_ref *ref,
                            uint32_t raw_bytes, uint32_t first_key, bool zstd)
{
    skep_segment__put_ref(&w->pages, ref);
    skep_buf_u32(&w->pages, raw_bytes);
    skep_buf_u32(&w->pages, first_key);
    skep_buf_u32(&w->pages, zstd);
    skep_buf_u32(&w->pages, 0);
    w->n_pages++;
}

static skep_rc flush_page(struct skep_segment_writer *w, skep_err *err)
{
    struct skep_buf *page = &w->sparse;
    if (page->n == 0)
        return SKEP_OK;
    if (page->bad)
        return skep_fail(err, SKEP_ENOMEM, "a sparse page went over its limit");
    skep_buf_reset(&w->chunk);
    size_t bound = ZSTD_compressBound(page->n);
    size_t packed = page->n;
    if (skep_buf_reserve(&w->chunk, bound)) {
        packed = ZSTD_compress(w->chunk.p, bound, page->p, page->n, 1);
        if (ZSTD_isError(packed))
            packed = page->n;
    }
    bool zstd = packed < page->n;
    skep_bytes b = zstd ? (skep_bytes){w->chunk.p, packed} : skep_buf_bytes(page);
    struct skep_chunk_ref ref;
    SKEP_TRY(skep_segment__put_chunk(w, b, &ref, err));
    skep_segment__put_page(w, &ref, (uint32_t)page->n, w->page_key, zstd);
    skep_buf_reset(page);
    return SKEP_OK;
}

static void put_value(struct skep_buf *b, const struct skep_wcolumn *c, uint32_t i,
                      enum skep_segment_form form)
{
    switch (form) {
    case SKEP_FORM_STR:
        skep_buf_varint(b, c->strs[i].n);
        skep_buf_put(b, c->strs[i].p, c->strs[i].n);
        return;
    case SKEP_FORM_INT:
        skep_buf_varint(b, ((uint64_t)c->ints[i] << 1) ^ (uint64_t)(c->ints[i] >> 63));
        return;
    case SKEP_FORM_F64: skep_buf_u64(b, (uint64_t)c->ints[i]); return;
    case SKEP_FORM_EMPTY:
    case SKEP_FORM_ID16: return;
    }
}

static skep_rc put_run(struct skep_segment_writer *w, uint32_t key, uint32_t n,
                       const struct skep_buf *body, skep_err *err)
{
    if (w->sparse.n > 0 && w->sparse.n + body->n > SKEP_SEGMENT_PAGE_BYTES)
        SKEP_TRY(flush_page(w, err));
    if (w->sparse.n == 0)
        w->page_key = key;
    skep_buf_varint(&w->sparse, key);
    skep_buf_varint(&w->sparse, n);
    skep_buf_varint(&w->sparse, body->n);
    skep_buf_put(&w->sparse, body->p, body->n);
    return SKEP_OK;
}

skep_rc skep_segment__sparse_add(struct skep_segment_writer *w, uint32_t key, skep_err *err)
{
    skep_assert(key >= SKEP_SEGMENT_FIELD_KEY);
    const struct skep_wcolumn *c = &w->col;
    enum skep_segment_form form =
        skep_segment__type_form(w->fields[key - SKEP_SEGMENT_FIELD_KEY].type);
    struct skep_buf body;
    if (form == SKEP_FORM_STR)
        skep_segment__spell(w);
    skep_buf_init(&body, SKEP_SEGMENT_CHUNK_MAX / 2);
    skep_rc rc = SKEP_OK;
    uint32_t i = 0, in_run = 0, last = 0;
    for (uint32_t word = 0; word < (w->n_rows + 63) / 64 && rc == SKEP_OK; word++) {
        for (uint64_t m = c->bitmap[word]; m && rc == SKEP_OK; m &= m - 1) {
            uint32_t row = word * 64 + SKEP_CTZ64(m);
            skep_buf_varint(&body, row - (in_run ? last : 0));
            put_value(&body, c, i++, form);
            last = row;
            in_run++;
            if (body.n >= SKEP_SEGMENT_PAGE_BYTES) {
                rc = put_run(w, key, in_run, &body, err);
                skep_buf_reset(&body);
                in_run = 0;
            }
        }
    }
    if (rc == SKEP_OK && in_run)
        rc = put_run(w, key, in_run, &body, err);
    skep_assert(rc != SKEP_OK || i == c->n);
    skep_buf_done(&body);
    return rc;
}

skep_rc skep_segment__sparse_end(struct skep_segment_writer *w, skep_err *err)
{
    return flush_page(w, err);
}
