// SPDX-License-Identifier: Apache-2.0
/* Trace ids, parent references and the trace index of a segment, read.
 *
 * The index is pages of 1,024 (upper 40 bits of the id's hash, first row), sorted by hash; the
 * first hash of each page is resident.  A look-up reads one page; only where a hash matches does it
 * read the trace ids of the row group to be sure and to find the trace's end.
 *
 * I1  every index taken from the file is checked before it is used.
 * Threads: any. */
#include "base/assert.h"
#include "store/column/segment.h"

enum { HEAD_BYTES = 8, RUN_BYTES = 8, STEP = 256 };

/* An opened TRACE_RUNS chunk (segment_ids.c). */
struct runs {
    const uint8_t *index, *ids;
    struct skep_codec_chunk lengths;
    uint32_t n, n_rows;
};

static bool open_runs(const struct skep_codec_chunk *c, struct runs *ret)
{
    size_t blocks = ((size_t)c->n_values + SKEP_BLOCK_ROWS - 1) / SKEP_BLOCK_ROWS;
    size_t head = HEAD_BYTES + blocks * RUN_BYTES;
    if (c->n < head)
        return false;
    uint32_t n = skep_load_le32(c->p), len = skep_load_le32(c->p + 4);
    if (n == 0 || n > c->n_values || len > c->n - head ||
        c->n - head - len != (uint64_t)n * sizeof(skep_trace_id))
        return false;
    *ret = (struct runs){.index = c->p + HEAD_BYTES,
                         .ids = c->p + head + len,
                         .lengths = {c->p + head, len, n},
                         .n = n,
                         .n_rows = c->n_values};
    return true;
}

/* The run that holds `row`, its first row and length; false when damaged. */
static bool find_run(const struct runs *r, uint32_t row, uint32_t *ret_run, uint32_t *ret_first,
                     uint32_t *ret_length)
{
    const uint8_t *ix = r->index + (size_t)(row / SKEP_BLOCK_ROWS) * RUN_BYTES;
    uint32_t run = skep_load_le32(ix), before = skep_load_le32(ix + 4);
    uint32_t block = row / SKEP_BLOCK_ROWS * SKEP_BLOCK_ROWS;
    if (before > block)
        return false;
    uint32_t first = block - before;
    int64_t lengths[STEP];
    while (run < r->n) {
        uint32_t take = SKEP_MIN(r->n - run, (uint32_t)STEP);
        if (skep_codec__for_get(&r->lengths, run, take, lengths) != SKEP_OK)
            return false;
        for (uint32_t k = 0; k < take; k++) {
            if (lengths[k] <= 0 || lengths[k] > (int64_t)(r->n_rows - first))
                return false;
            if (row < first + (uint32_t)lengths[k]) {
                *ret_run = run + k;
                *ret_first = first;
                *ret_length = (uint32_t)lengths[k];
                return true;
            }
            first += (uint32_t)lengths[k];
        }
        run += take;
    }
    return false;
}

skep_rc skep_segment__read_trace_ids(struct skep_segment *seg, const struct skep_codec_chunk *c,
                                     uint32_t first, uint32_t n, skep_trace_id *out, skep_err *err)
{
    struct runs r;
    uint32_t run, run_first, length;
    if (!open_runs(c, &r) || (uint64_t)first + n > r.n_rows ||
        !find_run(&r, first, &run, &run_first, &length))
        return skep_segment__corrupt(seg, err, 0, "trace ids of a row group");
    uint32_t left = run_first + length - first;
    int64_t lengths[STEP];
    uint32_t have = 0, have_from = 0;
    for (uint32_t i = 0; i < n; run++) {
        skep_trace_id id;
        memcpy(&id, r.ids + (size_t)run * sizeof id, sizeof id);
        for (uint32_t end = i + SKEP_MIN(left, n - i); i < end; i++)
            out[i] = id;
        if (i == n)
            break;
        if (run + 1 >= r.n)
            return skep_segment__corrupt(seg, err, 0, "trace ids end early");
        if (run + 1 - have_from >= have) {
            have_from = run + 1;
            have = SKEP_MIN(r.n - have_from, SKEP_MIN((uint32_t)STEP, n - i));
            if (skep_codec__for_get(&r.lengths, have_from, have, lengths) != SKEP_OK)
                return skep_segment__corrupt(seg, err, 0, "lengths of trace ids");
        }
        int64_t next = lengths[run + 1 - have_from];
        if (next <= 0 || next > SKEP_ROW_GROUP_ROWS)
            return skep_segment__corrupt(seg, err, 0, "length of a trace");
        left = (uint32_t)next;
    }
    return SKEP_OK;
}

skep_rc skep_segment__all_runs(struct skep_segment *seg, const struct skep_codec_chunk *c,
                               int64_t *lengths, const uint8_t **ret_ids, uint32_t *ret_n,
                               skep_err *err)
{
    struct runs r;
    uint64_t sum = 0;
    if (!open_runs(c, &r) || skep_codec__for_get(&r.lengths, 0, r.n, lengths) != SKEP_OK)
        return skep_segment__corrupt(seg, err, 0, "trace ids of a row group");
    for (uint32_t i = 0; i < r.n; i++) {
        if (lengths[i] <= 0 || lengths[i] > SKEP_ROW_GROUP_ROWS)
            return skep_segment__corrupt(seg, err, 0, "length of a trace");
        sum += (uint64_t)lengths[i];
    }
    if (sum != c->n_values)
        return skep_segment__corrupt(seg, err, 0, "trace ids do not cover their rows");
    *ret_ids = r.ids;
    *ret_n = r.n;
    return SKEP_OK;
}

skep_rc skep_segment__read_runs(struct skep_segment *seg, const struct skep_codec_chunk *c,
                                uint32_t first, uint32_t n, struct skep_trace_shape *ret,
                                skep_err *err)
{
    static const skep_trace_id none;
    struct runs r;
    uint32_t run, run_first, length;
    if (!open_runs(c, &r) || (uint64_t)first + n > r.n_rows ||
        !find_run(&r, first, &run, &run_first, &length))
        return skep_segment__corrupt(seg, err, 0, "trace ids of a row group");
    int64_t lengths[STEP];
    uint32_t have = 0, have_from = 0, end = run_first + length - first;
    memcpy(&ret->first, r.ids + (size_t)run * sizeof none, sizeof none);
    for (ret->n_runs = 0;;) {
        const uint8_t *id = r.ids + (size_t)run * sizeof none;
        ret->runs[ret->n_runs++] = (struct skep_trace_run){
            .end = SKEP_MIN(end, n), .named = memcmp(id, &none, sizeof none) != 0};
        if (end >= n) {
            memcpy(&ret->last, id, sizeof none);
            return SKEP_OK;
        }
        if (++run >= r.n)
            return skep_segment__corrupt(seg, err, 0, "trace ids end early");
        if (run - have_from >= have) {
            have_from = run;
            have = SKEP_MIN(r.n - have_from, SKEP_MIN((uint32_t)STEP, n - end));
            if (skep_codec__for_get(&r.lengths, have_from, have, lengths) != SKEP_OK)
                return skep_segment__corrupt(seg, err, 0, "lengths of trace ids");
        }
        int64_t next = lengths[run - have_from];
        if (next <= 0 || next > SKEP_ROW_GROUP_ROWS)
            return skep_segment__corrupt(seg, err, 0, "length of a trace");
        end += (uint32_t)next;
    }
}

/* An opened PARENT_REFS chunk. */
static bool open_refs(const struct skep_codec_chunk *c, struct skep_codec_chunk *ret_refs,
                      const uint8_t **ret_exceptions, uint32_t *ret_n_exceptions)
{
    size_t blocks = ((size_t)c->n_values + SKEP_BLOCK_ROWS - 1) / SKEP_BLOCK_ROWS;
    size_t head = HEAD_BYTES + blocks * 4;
    uint32_t n_exc = c->n >= head ? skep_load_le32(c->p) : 0;
    uint32_t len = c->n >= head ? skep_load_le32(c->p + 4) : 0;
    if (c->n < head || len > c->n - head || c->n - head - len != (uint64_t)n_exc * 8)
        return false;
    *ret_refs = (struct skep_codec_chunk){c->p + head, len, c->n_values};
    *ret_exceptions = c->p + head + len;
    *ret_n_exceptions = n_exc;
    return true;
}

skep_rc skep_segment__parent_codes(struct skep_segment *seg, const struct skep_codec_chunk *c,
                                   uint32_t first, uint32_t n, uint32_t *codes, skep_err *err)
{
    struct skep_codec_chunk refs;
    const uint8_t *list;
    uint32_t n_exc;
    if (!open_refs(c, &refs, &list, &n_exc) || (uint64_t)first + n > c->n_values ||
        skep_codec__for_get32(&refs, first, n, codes) != SKEP_OK)
        return skep_segment__corrupt(seg, err, 0, "parents of a row group");
    return SKEP_OK;
}

skep_rc skep_segment__read_parent_refs(struct skep_segment *seg, const struct skep_codec_chunk *c,
                                       uint32_t first, uint32_t n, int64_t *codes,
                                       uint64_t *exceptions, skep_err *err)
{
    struct skep_codec_chunk refs;
    const uint8_t *list;
    uint32_t n_exc;
    if (!open_refs(c, &refs, &list, &n_exc) || (uint64_t)first + n > c->n_values)
        return skep_segment__corrupt(seg, err, 0, "parents of a row group");
    uint32_t block = first / SKEP_BLOCK_ROWS, skip = first % SKEP_BLOCK_ROWS;
    uint64_t at = skep_load_le32(c->p + HEAD_BYTES + (size_t)block * 4);
    skep_assert(skip + n <= SKEP_BLOCK_ROWS);
    int64_t before[SKEP_BLOCK_ROWS];
    if (skep_codec__for_get(&refs, first - skip, skip, before) != SKEP_OK ||
        skep_codec__for_get(&refs, first, n, codes) != SKEP_OK)
        return skep_segment__corrupt(seg, err, 0, "parent references");
    for (uint32_t i = 0; i < skip; i++)
        at += before[i] == 1;
    for (uint32_t i = 0; i < n; i++) {
        if (codes[i] != 1)
            continue;
        if (at >= n_exc)
            return skep_segment__corrupt(seg, err, 0, "a parent id is missing");
        exceptions[i] = skep_load_le64(list + (size_t)at++ * 8);
    }
    return SKEP_OK;
}

/* --- look-up --- */

/* Length of the trace in the group when it stands at `row` of it, else 0. */
static skep_rc rows_of_trace(struct skep_segment *seg, const skep_trace_id *id, uint64_t row,
                             uint64_t *ret_end, skep_err *err)
{
    uint32_t group = (uint32_t)(row / SKEP_ROW_GROUP_ROWS);
    const struct skep_group_dir *dir;
    *ret_end = row;
    SKEP_TRY(skep_segment__pin_dir(seg, group, &dir, err));
    const struct skep_column_entry *e = skep_segment__find_entry(dir, SKEP_COL_TRACE_ID);
    const struct skep_chunk_data *data = NULL;
    skep_rc rc;
    if (!e || e->codec != SKEP_CODEC_TRACE_RUNS || e->presence != SKEP_PRESENCE_ALL)
        rc = skep_segment__corrupt(seg, err, 0, "a row group without trace ids");
    else
        rc = skep_segment__pin_chunk(seg, &e->data, &data, err);
    if (rc == SKEP_OK) {
        struct skep_codec_chunk c = {data->bytes, data->length, dir->n_rows};
        struct runs r;
        uint32_t run, first, length, in = (uint32_t)(row % SKEP_ROW_GROUP_ROWS);
        if (!open_runs(&c, &r) || !find_run(&r, in, &run, &first, &length))
            rc = skep_segment__corrupt(seg, err, e->data.offset, "trace ids of a row group");
        else if (memcmp(r.ids + (size_t)run * sizeof *id, id, sizeof *id) == 0)
            *ret_end = row - in + first + length;
    }
    skep_segment__unpin(seg, data);
    skep_segment__unpin(seg, dir);
    return rc;
}

/* The whole trace from its first row on, into the following row groups. */
static skep_rc trace_at(struct skep_segment *seg, const skep_trace_id *id, uint64_t row,
                        struct skep_row_range *ret, bool *ret_found, skep_err *err)
{
    if (!skep_segment__row_ok(seg, row))
        return skep_segment__corrupt(seg, err, 0, "the trace index points outside");
    uint64_t end;
    SKEP_TRY(rows_of_trace(seg, id, row, &end, err));
    *ret_found = end > row;
    for (uint64_t group = row / SKEP_ROW_GROUP_ROWS; end > row && group + 1 < seg->n_groups;
         group++) {
        uint64_t group_end =
            group * SKEP_ROW_GROUP_ROWS + skep_segment__group_rows(seg, (uint32_t)group);
        uint64_t next = (group + 1) * SKEP_ROW_GROUP_ROWS, more;
        if (end != group_end)
            break;
        SKEP_TRY(rows_of_trace(seg, id, next, &more, err));
        if (more == next)
            break;
        end = more;
    }
    *ret = (struct skep_row_range){row, end};
    return SKEP_OK;
}

/* Split an index page into its two encoded arrays. */
static bool open_page(const struct skep_chunk_data *d, uint32_t n, struct skep_codec_chunk *hashes,
                      struct skep_codec_chunk *rows)
{
    uint32_t len = d->length >= 4 ? skep_load_le32(d->bytes) : UINT32_MAX;
    if (d->length < 4 || len > d->length - 4)
        return false;
    *hashes = (struct skep_codec_chunk){d->bytes + 4, len, n};
    *rows = (struct skep_codec_chunk){d->bytes + 4 + len, d->length - 4 - len, n};
    return true;
}

skep_rc skep_segment__read_index_page(struct skep_segment *seg,
                                      const struct skep_segment_index_page *page, int64_t *hashes,
                                      int64_t *rows, skep_err *err)
{
    const struct skep_chunk_data *d;
    struct skep_codec_chunk h, r;
    SKEP_TRY(skep_segment__pin_chunk(seg, &page->ref, &d, err));
    bool ok = open_page(d, page->n, &h, &r) &&
              skep_codec_delta.decode(&h, 0, page->n, hashes) == SKEP_OK &&
              skep_codec__for_get(&r, 0, page->n, rows) == SKEP_OK;
    for (uint32_t i = 0; i < page->n && ok; i++)
        ok = skep_segment__row_ok(seg, (uint64_t)rows[i]) && (i == 0 || hashes[i] >= hashes[i - 1]);
    skep_segment__unpin(seg, d);
    return ok ? SKEP_OK
              : skep_segment__corrupt(seg, err, page->ref.offset, "page of the trace index");
}

_Static_assert((int)SKEP_TRACE_PAGE == (int)SKEP_SEGMENT_INDEX_PAGE &&
                   (int)SKEP_TRACE_FINGERPRINT_SHIFT == (int)SKEP_SEGMENT_INDEX_SHIFT,
               "a rowset's index is a segment's");

uint32_t skep_segment__trace_pages(const struct skep_rowset *rs)
{
    return ((const struct skep_segment *)rs)->n_index_pages;
}

uint64_t skep_segment__trace_page_first(const struct skep_rowset *rs, uint32_t page)
{
    const struct skep_segment *seg = (const struct skep_segment *)rs;
    skep_assert(page < seg->n_index_pages);
    return seg->index_pages[page].first_hash;
}

skep_rc skep_segment__trace_page(struct skep_rowset *rs, uint32_t page, int64_t *fingerprints,
                                 int64_t *rows, unsigned *ret_n, skep_err *err)
{
    struct skep_segment *seg = skep_segment__of(rs);
    skep_assert(page < seg->n_index_pages);
    SKEP_TRY(skep_segment__read_index_page(seg, &seg->index_pages[page], fingerprints, rows, err));
    *ret_n = seg->index_pages[page].n;
    return SKEP_OK;
}

/* Candidates in one page: rows whose hash is `hash`. */
SKEP_NOINLINE static skep_rc scan_page(struct skep_segment *seg,
                                       const struct skep_segment_index_page *page, uint64_t hash,
                                       int64_t *rows, uint32_t *ret_n, skep_err *err)
{
    const struct skep_chunk_data *d;
    struct skep_codec_chunk h, r;
    int64_t hashes[SKEP_SEGMENT_INDEX_PAGE];
    SKEP_TRY(skep_segment__pin_chunk(seg, &page->ref, &d, err));
    uint32_t from = 0, to = 0;
    bool ok =
        open_page(d, page->n, &h, &r) && skep_codec_delta.decode(&h, 0, page->n, hashes) == SKEP_OK;
    if (ok) {
        while (from < page->n && (uint64_t)hashes[from] < hash)
            from++;
        to = from;
        while (to < page->n && (uint64_t)hashes[to] == hash)
            to++;
        ok = to == from || skep_codec__for_get(&r, from, to - from, rows) == SKEP_OK;
    }
    *ret_n = to - from;
    skep_segment__unpin(seg, d);
    return ok ? SKEP_OK
              : skep_segment__corrupt(seg, err, page->ref.offset, "page of the trace index");
}

/* LOGS: a block that has, or with another trace of the same hash may have, rows of the trace. */
static void add_block(const struct skep_segment *seg, uint64_t row, struct skep_row_range *ranges,
                      unsigned cap, unsigned *n)
{
    uint64_t first = row - row % SKEP_BLOCK_ROWS;
    uint64_t end = first + skep_rowset_block_rows(&seg->base, row / SKEP_BLOCK_ROWS);
    if (*n > 0 && (ranges[*n - 1].end >= first || *n == cap))
        ranges[*n - 1].end = SKEP_MAX(ranges[*n - 1].end, end);
    else
        ranges[(*n)++] = (struct skep_row_range){first, end};
}

skep_rc skep_segment__find_trace(struct skep_rowset *rs, const skep_trace_id *id,
                                 struct skep_row_range *ranges, unsigned cap, unsigned *ret_n,
                                 skep_err *err)
{
    struct skep_segment *seg = skep_segment__of(rs);
    skep_assert(cap > 0);
    uint64_t hash = skep_hash((skep_bytes){id->b, sizeof id->b}) >> SKEP_SEGMENT_INDEX_SHIFT;
    *ret_n = 0;
    /* The last page that begins below the hash, and all that begin with it. */
    uint32_t low = 0, high = seg->n_index_pages;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (seg->index_pages[mid].first_hash < hash)
            low = mid + 1;
        else
            high = mid;
    }
    for (uint32_t p = low ? low - 1 : 0; p < seg->n_index_pages; p++) {
        if (seg->index_pages[p].first_hash > hash)
            break;
        int64_t rows[SKEP_SEGMENT_INDEX_PAGE];
        uint32_t n;
        SKEP_TRY(scan_page(seg, &seg->index_pages[p], hash, rows, &n, err));
        for (uint32_t i = 0; i < n; i++) {
            bool found = false;
            if ((uint64_t)rows[i] >= seg->base.row_end)
                return skep_segment__corrupt(seg, err, 0, "the trace index points outside");
            if (seg->base.layout == SKEP_LAYOUT_LOGS) {
                add_block(seg, (uint64_t)rows[i], ranges, cap, ret_n);
                continue;
            }
            SKEP_TRY(trace_at(seg, id, (uint64_t)rows[i], &ranges[0], &found, err));
            if (found) {
                *ret_n = 1;
                return SKEP_OK;
            }
        }
    }
    return SKEP_OK;
}
