// SPDX-License-Identifier: Apache-2.0
/* What writing a segment needs, and the row groups that there is memory for.
 *
 *   fixed      arrays by row of a row group, buffers, the new file's dictionaries
 *   a part     keys of the order; the same of what is no whole segment (slice.c)
 *   a segment  a cursor (trace_merge.c), a feed (segment_index.c), maps of fields and lists
 *   traces     16 bytes each that is encoded anew (segment_index.c)
 *   strings    of one column of one row group
 *
 * Which row groups of segments are taken over is not known before they are merged.  Those are taken
 * not to be that overlap in time with one of another source, are short, or have dead rows: row
 * groups go by the start of their traces, so that fewer interleave than overlap.
 *
 * I1  what is asked for late is small: where the estimate is wrong a merge of segments finds out
 *     early, or writes shorter row groups (segment_cut.c).
 * Threads: any. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "store/column/part.h"
#include "store/column/segment.h"
#include "store/column/segment_write.h"

enum {
    FIXED_BYTES = 5 << 20,
    SMALL_ROWS = 16384,
    FIXED_SMALL_BYTES = 3 << 20, /* chunks are shorter */
    ROW_BYTES = 160 + 2 * SKEP_WBASES,
    ORDER_ROW_BYTES = 50,
    VARIABLE_BYTES = 1 << 20,
    CURSOR_BYTES = 56 << 10,
    LOG_CURSOR_BYTES = 256 << 10, /* with readers, log_order.c */
    OPEN_BYTES = 4 * (144 << 10), /* readers of the cursors that have them open */
    FIELD_BYTES = 64,
    LIST_BYTES = 64,
    TRACE_BYTES = 16,
    STRING_BYTES = 100
};

extern const struct skep_rowset_ops skep_segment_ops;

/* A row group of a segment, in time. */
struct span {
    int64_t from_ns, to_ns; /* starts of its rows */
    uint32_t source, rows;
    bool anew; /* it is encoded */
};

static int by_time(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    return (x->from_ns > y->from_ns) - (x->from_ns < y->from_ns);
}

static struct span span_of(const struct skep_segment_source *src, uint32_t source, uint32_t group)
{
    enum { BLOCKS = SKEP_ROW_GROUP_ROWS / SKEP_BLOCK_ROWS };
    const struct skep_segment *seg = skep_segment__of(src->rowset);
    struct span s = {INT64_MAX, INT64_MIN, source, skep_segment__group_rows(seg, group), false};
    const struct skep_block_bounds *b = seg->base.blocks + (size_t)group * BLOCKS;
    for (uint32_t k = 0; k < (s.rows + SKEP_BLOCK_ROWS - 1) / SKEP_BLOCK_ROWS; k++) {
        s.from_ns = SKEP_MIN(s.from_ns, b[k].min_start_ns);
        s.to_ns = SKEP_MAX(s.to_ns, b[k].max_start_ns);
    }
    s.anew = src->live && src->live->chunks[group];
    return s;
}

/* Marks those that overlap with one of another source: going up, one that began before and is not
 * over yet; of those the two that last longest, of different sources, are remembered. */
static void mark_overlaps(struct span *v, size_t n)
{
    struct span *longest = NULL, *other = NULL;
    for (size_t i = 0; i < n; i++) {
        struct span *before = longest && longest->source != v[i].source ? longest : other;
        if (before && before->to_ns >= v[i].from_ns)
            v[i].anew = before->anew = true;
        for (size_t k = i + 1; k < n && v[k].from_ns <= v[i].to_ns && !v[i].anew; k++)
            v[i].anew = v[k].source != v[i].source;
        if (!longest || v[i].to_ns > longest->to_ns) {
            if (longest && longest->source != v[i].source)
                other = longest;
            longest = &v[i];
        } else if (v[i].source != longest->source && (!other || v[i].to_ns > other->to_ns)) {
            other = &v[i];
        }
    }
}

/* Traces that are encoded anew, in row groups of which shorter ones than `least` are. */
static uint64_t traces_anew(const struct skep_segment_source *src, unsigned n, uint32_t least)
{
    uint64_t traces = 0;
    size_t n_spans = 0, at = 0;
    for (unsigned s = 0; s < n; s++)
        n_spans += skep_segment__of(src[s].rowset)->n_groups;
    struct span *v = skep_alloc_n(struct span, n_spans + 1);
    for (unsigned s = 0; s < n; s++)
        for (uint32_t g = 0; g < skep_segment__of(src[s].rowset)->n_groups; g++)
            v[at++] = span_of(&src[s], s, g);
    qsort(v, n_spans, sizeof *v, by_time);
    mark_overlaps(v, n_spans);
    for (size_t i = 0; i < n_spans; i++) {
        const struct skep_segment *seg = skep_segment__of(src[v[i].source].rowset);
        if (v[i].anew || v[i].rows < least || seg->base.layout == SKEP_LAYOUT_LOGS)
            traces += (uint64_t)((double)seg->n_traces * v[i].rows / (double)seg->base.n_rows) + 1;
    }
    skep_free(v);
    return traces;
}

static uint64_t fixed_bytes(uint32_t group_rows)
{
    return (group_rows > SMALL_ROWS ? FIXED_BYTES : FIXED_SMALL_BYTES) +
           (uint64_t)group_rows * ROW_BYTES;
}

static uint64_t source_bytes(const struct skep_rowset *rs, unsigned n_sources)
{
    uint64_t cursor = rs->layout == SKEP_LAYOUT_LOGS ? LOG_CURSOR_BYTES : CURSOR_BYTES;
    return cursor + SKEP_SEGMENT_FEED_BYTES +
           (uint64_t)rs->n_fields * (FIELD_BYTES + 4 * n_sources) +
           ((uint64_t)rs->resources.n + rs->scopes.n) * LIST_BYTES;
}

/* Text of a row's longest column, about.  Log lines take an eighth of their text in the file. */
static uint64_t string_bytes(const struct skep_segment_source *src, unsigned n)
{
    uint64_t most = STRING_BYTES;
    for (unsigned s = 0; s < n; s++)
        if (src[s].rowset->layout == SKEP_LAYOUT_LOGS)
            most = SKEP_MAX(most, 8 * src[s].rowset->bytes / src[s].rowset->n_rows);
    return most;
}

/* Beside the fixed memory, of segments alone. */
static uint64_t merge_bytes(const struct skep_segment_source *src, unsigned n, uint32_t group_rows)
{
    uint64_t bytes = VARIABLE_BYTES + OPEN_BYTES + (uint64_t)group_rows * string_bytes(src, n);
    for (unsigned s = 0; s < n; s++)
        bytes += source_bytes(src[s].rowset, n);
    return bytes + traces_anew(src, n, group_rows / 2) * TRACE_BYTES;
}

/* The same where there are others.  Parts have dictionaries of their strings. */
static uint64_t flush_bytes(const struct skep_segment_job *job, uint32_t group_rows)
{
    uint64_t bytes = VARIABLE_BYTES, strings = 0;
    for (unsigned s = 0; s < job->n_sources; s++) {
        struct skep_rowset *rs = job->sources[s].rowset;
        bytes += rs->n_rows * ORDER_ROW_BYTES;
        strings = skep_part_of(rs) ? strings : (uint64_t)group_rows * STRING_BYTES;
    }
    return bytes + strings;
}

/* Rows to make room for: a row group, or less when the sources together have less.  A power of two,
 * for the hash table of rows; at least an index page. */
static uint32_t most_rows(const struct skep_segment_source *src, unsigned n, uint32_t limit)
{
    uint64_t all = 0;
    for (unsigned s = 0; s < n; s++)
        all += src[s].rowset->n_rows;
    uint32_t rows = SKEP_SEGMENT_INDEX_PAGE;
    while (rows < all && rows < limit)
        rows *= 2;
    return rows;
}

uint32_t skep_segment_rows_for(const struct skep_segment_source *sources, unsigned n,
                               uint64_t bytes)
{
    const uint32_t most = most_rows(sources, n, SKEP_ROW_GROUP_ROWS);
    for (uint32_t rows = most; rows >= SKEP_SEGMENT_INDEX_PAGE; rows /= 2)
        if (fixed_bytes(rows) + merge_bytes(sources, n, rows) <= bytes)
            return rows == most ? SKEP_ROW_GROUP_ROWS : rows;
    return 0;
}

/* Nothing of parts, nor of slices (slice.c), whose order is made as that of parts. */
static bool all_segments(const struct skep_segment_job *job)
{
    for (unsigned s = 0; s < job->n_sources; s++)
        if (job->sources[s].rowset->ops != &skep_segment_ops)
            return false;
    return true;
}

/* Row groups of fewer rows where that leaves too little for the rest (a small --memory must be able
 * to flush). */
skep_rc skep_segment__take_fixed(const struct skep_segment_job *job, uint32_t *ret_rows,
                                 uint64_t *ret_bytes, skep_err *err)
{
    uint32_t rows = most_rows(job->sources, job->n_sources,
                              job->group_rows ? job->group_rows : SKEP_ROW_GROUP_ROWS);
    bool merge = all_segments(job);
    for (;; rows /= 2) {
        bool least = rows <= SKEP_SEGMENT_INDEX_PAGE;
        uint64_t fixed = fixed_bytes(rows), more = 0;
        if (!least)
            more = merge ? merge_bytes(job->sources, job->n_sources, rows) : flush_bytes(job, rows);
        skep_rc rc = skep_budget_take(job->budget, fixed + more, err);
        if (rc == SKEP_OK) {
            skep_budget_give(job->budget, more);
            *ret_rows = rows;
            *ret_bytes = fixed;
        }
        if (rc == SKEP_OK || least)
            return rc;
    }
}
