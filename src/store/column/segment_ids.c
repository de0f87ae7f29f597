// SPDX-License-Identifier: Apache-2.0
/* Ids of a row group: trace ids once a trace, span ids as they are, parents as row references.
 *
 *   TRACE_ID   TRACE_RUNS: runs of rows with one trace id
 *                0  u32 number of runs r, 4 u32 bytes of the encoded lengths
 *                8  index as in rle.c: for each block of 1,024 rows u32 run, u32 rows of it before
 *                .. lengths in a frame of reference, then 16 bytes of id a run
 *   SPAN_ID    RAW64 of the ids that are not 0, with a bitmap
 *   PARENT_ID  PARENT_REFS:
 *                0  u32 number of exceptions, 4 u32 bytes of the encoded references
 *                8  u32 exceptions before each block of 1,024 rows
 *                .. references in a frame of reference, then 8 bytes an exception
 *              reference: 0 no parent; 1 the next exception; else zigzag(row - parent's row) + 2,
 *              the parent's row being one of the same row group whose SPAN_ID is the parent id
 *
 * Of several rows of the trace with the parent's span id the first is referred to.  A parent in
 * another segment or row group is an exception.  The trace index takes each trace's first row; in
 * the logs layout, where traces are scattered, the first row of each block that has rows of it.
 *
 * I1  a reference points to a row of the same row group.
 * Threads: one. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/segment_write.h"

enum { SMALL_TRACE = 48 };

static bool same_id(const skep_trace_id *a, const skep_trace_id *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* Lengths of the runs in w->tmp; returns how many. */
static uint32_t find_runs(struct skep_segment_writer *w)
{
    const skep_trace_id *ids = w->col.ids;
    const size_t from = w->index_entries.n;
    uint32_t runs = 0;
    for (uint32_t row = 0; row < w->n_rows;) {
        uint32_t end = row + 1;
        while (end < w->n_rows && same_id(&ids[end], &ids[row]))
            end++;
        skep_segment__index_add(w, &ids[row], (uint64_t)w->n_groups * SKEP_ROW_GROUP_ROWS + row);
        w->last_trace = ids[row];
        w->tmp[runs++] = end - row;
        /* LOGS: every block that the run reaches into. */
        uint64_t first = (uint64_t)w->n_groups * SKEP_ROW_GROUP_ROWS;
        for (uint32_t block = row / SKEP_BLOCK_ROWS + 1;
             w->job->layout == SKEP_LAYOUT_LOGS && block * SKEP_BLOCK_ROWS < end; block++)
            skep_segment__index_add(w, &ids[row], first + (uint64_t)block * SKEP_BLOCK_ROWS);
        row = end;
    }
    if (w->job->layout == SKEP_LAYOUT_LOGS)
        skep_segment__thin_index(w, from);
    return runs;
}

static skep_rc write_trace_runs(struct skep_segment_writer *w, uint32_t runs, skep_err *err)
{
    struct skep_column_entry e = {.key = SKEP_COL_TRACE_ID,
                                  .codec = SKEP_CODEC_TRACE_RUNS,
                                  .presence = SKEP_PRESENCE_ALL,
                                  .n_present = w->n_rows};
    struct skep_buf *b = &w->chunk;
    skep_buf_reset(b);
    skep_buf_u32(b, runs);
    skep_buf_u32(b, 0);
    uint32_t run = 0, start = 0;
    for (uint32_t row = 0; row < w->n_rows; row += SKEP_BLOCK_ROWS) {
        while (start + w->tmp[run] <= row)
            start += (uint32_t)w->tmp[run++];
        skep_buf_u32(b, run);
        skep_buf_u32(b, row - start);
    }
    size_t lengths_at = b->n;
    skep_codec__for_put(w->tmp, runs, b);
    if (b->bad)
        return skep_fail(err, SKEP_ENOMEM, "trace ids of a row group over the chunk limit");
    skep_store_le32(b->p + 4, (uint32_t)(b->n - lengths_at));
    uint32_t row = 0;
    for (uint32_t k = 0; k < runs; k++) {
        skep_buf_put(b, &w->col.ids[row], sizeof(skep_trace_id));
        row += (uint32_t)w->tmp[k];
    }
    skep_assert(row == w->n_rows);
    SKEP_TRY(skep_segment__put_chunk(w, skep_buf_bytes(b), &e.data, err));
    skep_segment__put_entry(w, &e);
    return SKEP_OK;
}

/* The gathered integers by row, 0 where absent. */
static void by_row(const struct skep_segment_writer *w, uint64_t *out)
{
    for (uint32_t row = 0; row < w->n_rows; row++)
        out[row] = (w->col.bitmap[row / 64] >> (row % 64) & 1) ? (uint64_t)w->row_ints[row] : 0;
}

static skep_rc write_span_ids(struct skep_segment_writer *w, const uint64_t *span, skep_err *err)
{
    struct skep_column_entry e = {.key = SKEP_COL_SPAN_ID, .codec = SKEP_CODEC_RAW64};
    memset(w->col.bitmap, 0, SKEP_ROW_GROUP_ROWS / 8);
    w->col.n = 0;
    for (uint32_t row = 0; row < w->n_rows; row++) {
        if (span[row] == 0)
            continue;
        w->col.bitmap[row / 64] |= 1ull << (row % 64);
        w->col.ints[w->col.n++] = (int64_t)span[row];
    }
    SKEP_TRY(skep_segment__put_bitmap(w, &e, err));
    if (w->col.n > 0) {
        skep_bytes b = {(const uint8_t *)w->col.ints, (size_t)w->col.n * 8};
        SKEP_TRY(skep_segment__put_chunk(w, b, &e.data, err));
    }
    skep_segment__put_entry(w, &e);
    return SKEP_OK;
}

/* Rows of a trace by span id, for long traces. */
struct row_table {
    uint32_t *slots; /* row + 1 */
    size_t cap;
};

static void fill_table(struct row_table *t, const uint64_t *span, uint32_t from, uint32_t to)
{
    t->cap = 64;
    while (t->cap < 2 * (size_t)(to - from))
        t->cap *= 2;
    memset(t->slots, 0, t->cap * sizeof *t->slots);
    for (uint32_t row = from; row < to; row++) {
        if (span[row] == 0)
            continue;
        size_t at = skep_hash_u64(span[row]) & (t->cap - 1);
        while (t->slots[at] && span[t->slots[at] - 1] != span[row])
            at = (at + 1) & (t->cap - 1);
        if (!t->slots[at])
            t->slots[at] = row + 1;
    }
}

/* A row of [from, to) with this span id, or UINT32_MAX. */
static uint32_t find_row(const struct row_table *t, const uint64_t *span, uint64_t id,
                         uint32_t from, uint32_t to)
{
    if (to - from <= SMALL_TRACE) {
        for (uint32_t row = from; row < to; row++)
            if (span[row] == id)
                return row;
        return UINT32_MAX;
    }
    for (size_t at = skep_hash_u64(id) & (t->cap - 1); t->slots[at]; at = (at + 1) & (t->cap - 1))
        if (span[t->slots[at] - 1] == id)
            return t->slots[at] - 1;
    return UINT32_MAX;
}

/* References of the rows [from, to) of one trace, into w->tmp; exceptions appended to list. */
static void refer(struct skep_segment_writer *w, struct row_table *t, const uint64_t *parent,
                  uint32_t from, uint32_t to)
{
    const uint64_t *span = w->span_ids;
    if (to - from > SMALL_TRACE)
        fill_table(t, span, from, to);
    for (uint32_t row = from; row < to; row++) {
        w->tmp[row] = 0;
        if (parent[row] == 0)
            continue;
        uint32_t at = find_row(t, span, parent[row], from, to);
        int64_t d = (int64_t)row - (int64_t)at;
        w->tmp[row] = at == UINT32_MAX ? 1 : (d >= 0 ? 2 * d : -2 * d - 1) + 2;
    }
}

static skep_rc write_parents(struct skep_segment_writer *w, const uint64_t *parent, skep_err *err)
{
    struct skep_column_entry e = {.key = SKEP_COL_PARENT_ID,
                                  .codec = SKEP_CODEC_PARENT_REFS,
                                  .presence = SKEP_PRESENCE_ALL,
                                  .n_present = w->n_rows};
    struct skep_buf *b = &w->chunk;
    skep_buf_reset(b);
    skep_buf_u32(b, 0);
    skep_buf_u32(b, 0);
    uint32_t exceptions = 0;
    for (uint32_t row = 0; row < w->n_rows; row++) {
        if (row % SKEP_BLOCK_ROWS == 0)
            skep_buf_u32(b, exceptions);
        exceptions += w->tmp[row] == 1;
    }
    size_t refs_at = b->n;
    skep_codec__for_put(w->tmp, w->n_rows, b);
    if (b->bad)
        return skep_fail(err, SKEP_ENOMEM, "parents of a row group over the chunk limit");
    skep_store_le32(b->p, exceptions);
    skep_store_le32(b->p + 4, (uint32_t)(b->n - refs_at));
    for (uint32_t row = 0; row < w->n_rows; row++)
        if (w->tmp[row] == 1)
            skep_buf_u64(b, parent[row]);
    SKEP_TRY(skep_segment__put_chunk(w, skep_buf_bytes(b), &e.data, err));
    skep_segment__put_entry(w, &e);
    return SKEP_OK;
}

skep_rc skep_segment__write_ids(struct skep_segment_writer *w, skep_err *err)
{
    SKEP_TRY(skep_segment__gather(w, SKEP_COL_TRACE_ID, err));
    uint32_t runs = find_runs(w);
    SKEP_TRY(write_trace_runs(w, runs, err));
    uint32_t n_runs = 0;
    for (uint32_t row = 0; n_runs < runs; n_runs++) {
        w->run_starts[n_runs] = row;
        row += (uint32_t)w->tmp[n_runs];
    }
    w->run_starts[runs] = w->n_rows;
    SKEP_TRY(skep_segment__gather(w, SKEP_COL_SPAN_ID, err));
    by_row(w, w->span_ids);
    SKEP_TRY(write_span_ids(w, w->span_ids, err));
    SKEP_TRY(skep_segment__gather(w, SKEP_COL_PARENT_ID, err));
    uint64_t *parent = (uint64_t *)w->col.ints;
    by_row(w, parent);
    struct row_table t = {.slots = w->row_slots};
    for (uint32_t k = 0; k < runs; k++)
        refer(w, &t, parent, w->run_starts[k], w->run_starts[k + 1]);
    return write_parents(w, parent, err);
}
