// SPDX-License-Identifier: Apache-2.0
/* The trace index of a segment being written: each trace's first row, by the hash of its id.
 *
 *   rows encoded anew        entries in memory, 16 bytes a trace, sorted at the end
 *   row groups taken over    nothing in memory: their source has an index, ascending by hash as
 *                            well, which is read once more at the end, rows given their new numbers
 *
 *   source 0   12 -> row 7   31 -> 2   40 -> 70,000   ...   row groups 1 and 2 taken over as 5 and
 * 6 memory     25 -> row 0   33 -> 300,010 index      25 -> 0       33 -> 300,010   40 -> 332,144
 *
 * The first run of rows of a row group may be the rest of a trace that began in the one before: it
 * stands in the source's index or not, and is in memory in any case, if it begins a trace here.
 *
 * I1  hashes ascend.
 * I2  the sources' indexes have as many traces inside row groups as those were found to have, or
 *     they are damaged.
 * Threads: one.  Memory: 16 bytes a trace encoded anew, 17 KiB a source (asked for when the first
 * of its row groups is taken over, for at the end it is too late to be refused). */
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "store/column/segment.h"
#include "store/column/segment_write.h"

struct index_entry {
    uint64_t hash, row;
};

/* Entries in ascending order: of a source, or (seg NULL) those in memory. */
struct feed {
    struct skep_segment *seg;
    const uint32_t *group_to;
    const struct index_entry *own;
    size_t n_own;
    uint32_t page;
    size_t at, n;
    struct index_entry head; /* of its hash the bits that are kept */
    bool ended;
    int64_t hashes[SKEP_SEGMENT_INDEX_PAGE], rows[SKEP_SEGMENT_INDEX_PAGE];
};
_Static_assert(sizeof(struct feed) <= SKEP_SEGMENT_FEED_BYTES, "what is asked for a feed");

static bool same_id(const skep_trace_id *a, const skep_trace_id *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static bool is_none(const skep_trace_id *id)
{
    static const skep_trace_id none;
    return same_id(id, &none);
}

void skep_segment__index_add(struct skep_segment_writer *w, const skep_trace_id *id, uint64_t row)
{
    bool logs = w->job->layout == SKEP_LAYOUT_LOGS;
    if (is_none(id) || (!logs && row > 0 && same_id(id, &w->last_trace)))
        return;
    if (logs)
        row -= row % SKEP_BLOCK_ROWS;
    uint64_t hash = skep_hash((skep_bytes){id->b, sizeof id->b});
    skep_buf_u64(&w->index_entries, hash);
    skep_buf_u64(&w->index_entries, row);
    w->traces++;
}

void skep_segment__index_group(struct skep_segment_writer *w, const uint8_t *ids, uint32_t runs)
{
    for (uint32_t k = 0; k < runs; k++) {
        skep_trace_id id;
        memcpy(&id, ids + (size_t)k * sizeof id, sizeof id);
        if (k == 0)
            skep_segment__index_add(w, &id, (uint64_t)w->n_groups * SKEP_ROW_GROUP_ROWS);
        else
            w->traces += !is_none(&id);
        w->last_trace = id;
    }
}

static bool before(const struct index_entry *a, const struct index_entry *b)
{
    return a->hash != b->hash ? a->hash < b->hash : a->row < b->row;
}

static int by_hash(const void *a, const void *b)
{
    return before(a, b) ? -1 : before(b, a);
}

/* A trace once a block. */
void skep_segment__thin_index(struct skep_segment_writer *w, size_t from)
{
    struct index_entry *e = (void *)(w->index_entries.p + from);
    size_t n = (w->index_entries.n - from) / sizeof *e, kept = 0;
    if (w->index_entries.bad || n == 0)
        return;
    qsort(e, n, sizeof *e, by_hash);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || by_hash(&e[i], &e[kept - 1]) != 0)
            e[kept++] = e[i];
    w->index_entries.n = from + kept * sizeof *e;
    w->traces -= n - kept;
}

/* --- the index at the end --- */

/* By hash, 11 bits of it after the other; entries of one hash keep their order, which is that of
 * their rows.  Without memory for a copy they are sorted where they are. */
static void sort_entries(struct skep_segment_writer *w, struct index_entry *e, size_t n)
{
    enum { DIGIT = 11, DIGITS = 1 << DIGIT };
    const uint64_t held = (uint64_t)n * sizeof *e;
    if (n > UINT32_MAX || skep_budget_take(w->job->budget, held, NULL) != SKEP_OK) {
        qsort(e, n, sizeof *e, by_hash);
        return;
    }
    struct index_entry *other = skep_malloc(held), *from = e, *to = other;
    for (unsigned shift = 0; shift < 64; shift += DIGIT) {
        uint32_t at[DIGITS] = {0}, sum = 0;
        for (size_t i = 0; i < n; i++)
            at[from[i].hash >> shift & (DIGITS - 1)]++;
        for (unsigned d = 0; d < DIGITS; d++) {
            uint32_t of = at[d];
            at[d] = sum;
            sum += of;
        }
        for (size_t i = 0; i < n; i++)
            to[at[from[i].hash >> shift & (DIGITS - 1)]++] = from[i];
        struct index_entry *swap = from;
        from = to;
        to = swap;
    }
    skep_assert(from == e); /* after six digits */
    skep_free(other);
    skep_budget_give(w->job->budget, held);
}

static skep_rc next(struct feed *f, skep_err *err)
{
    if (!f->seg) {
        f->ended = f->at == f->n_own;
        if (f->ended)
            return SKEP_OK;
        f->head = f->own[f->at++];
        f->head.hash >>= SKEP_SEGMENT_INDEX_SHIFT;
        return SKEP_OK;
    }
    for (;;) {
        if (f->at == f->n) {
            f->ended = f->page == f->seg->n_index_pages;
            if (f->ended)
                return SKEP_OK;
            const struct skep_segment_index_page *page = &f->seg->index_pages[f->page++];
            SKEP_TRY(skep_segment__read_index_page(f->seg, page, f->hashes, f->rows, err));
            f->n = page->n;
            f->at = 0;
        }
        uint64_t row = (uint64_t)f->rows[f->at], hash = (uint64_t)f->hashes[f->at];
        uint32_t to = f->group_to[row / SKEP_ROW_GROUP_ROWS];
        f->at++;
        if (to == 0 || row % SKEP_ROW_GROUP_ROWS == 0)
            continue;
        f->head = (struct index_entry){hash, (uint64_t)(to - 1) * SKEP_ROW_GROUP_ROWS +
                                                 row % SKEP_ROW_GROUP_ROWS};
        return SKEP_OK;
    }
}

static skep_rc open_feeds(struct skep_segment_writer *w, struct feed *feeds, unsigned *ret_n,
                          skep_err *err)
{
    struct index_entry *own = (void *)w->index_entries.p;
    size_t n_own = w->index_entries.n / sizeof *own;
    unsigned n = 1;
    if (n_own > 0)
        sort_entries(w, own, n_own);
    feeds[0].own = own;
    feeds[0].n_own = n_own;
    SKEP_TRY(next(&feeds[0], err));
    for (unsigned s = 0; s < w->job->n_sources; s++) {
        if (!w->copies[s].group_to)
            continue;
        feeds[n].seg = skep_segment__of(w->job->sources[s].rowset);
        feeds[n].group_to = w->copies[s].group_to;
        SKEP_TRY(next(&feeds[n++], err));
    }
    *ret_n = n;
    return SKEP_OK;
}

static skep_rc write_page(struct skep_segment_writer *w, const struct index_entry *e, uint32_t n,
                          struct skep_buf *footer, skep_err *err)
{
    skep_assert(n > 0 && n <= SKEP_SEGMENT_INDEX_PAGE);
    struct skep_buf *b = &w->chunk;
    skep_buf_reset(b);
    skep_buf_u32(b, 0);
    for (uint32_t i = 0; i < n; i++)
        w->tmp[i] = (int64_t)e[i].hash;
    skep_codec_delta.encode(&(struct skep_codec_in){.n = n, .ints = w->tmp}, b);
    if (!b->bad)
        skep_store_le32(b->p, (uint32_t)(b->n - 4));
    for (uint32_t i = 0; i < n; i++)
        w->tmp[i] = (int64_t)e[i].row;
    skep_codec__for_put(w->tmp, n, b);
    struct skep_chunk_ref ref;
    SKEP_TRY(skep_segment__put_chunk(w, skep_buf_bytes(b), &ref, err));
    skep_segment__put_ref(footer, &ref);
    skep_buf_u64(footer, e[0].hash);
    skep_buf_u32(footer, n);
    return SKEP_OK;
}

/* All feeds as one, page by page; room for a page. */
static skep_rc write_pages(struct skep_segment_writer *w, struct feed *feeds, unsigned n_feeds,
                           struct index_entry *page, struct skep_buf *footer, skep_err *err)
{
    uint64_t done = 0;
    uint32_t n = 0;
    for (;;) {
        struct feed *best = NULL;
        for (unsigned i = 0; i < n_feeds; i++)
            if (!feeds[i].ended && (!best || before(&feeds[i].head, &best->head)))
                best = &feeds[i];
        if (n == SKEP_SEGMENT_INDEX_PAGE || (!best && n > 0)) {
            SKEP_TRY(write_page(w, page, n, footer, err));
            done += n;
            n = 0;
        }
        if (!best)
            break;
        page[n++] = best->head;
        SKEP_TRY(next(best, err));
    }
    if (done != w->traces) /* I2 */
        return skep_fail(err, SKEP_ECORRUPT,
                         "the trace indexes of what is merged have %llu traces, its rows %llu",
                         (unsigned long long)done, (unsigned long long)w->traces);
    return SKEP_OK;
}

skep_rc skep_segment__write_index(struct skep_segment_writer *w, struct skep_buf *footer,
                                  skep_err *err)
{
    if (w->index_entries.bad)
        return skep_fail(err, SKEP_ENOMEM, "segment: trace index over its limit");
    struct feed *feeds = skep_alloc_n(struct feed, w->job->n_sources + 1);
    struct index_entry *page = skep_alloc_n(struct index_entry, SKEP_SEGMENT_INDEX_PAGE);
    unsigned n = 0;
    skep_buf_u32(footer,
                 (uint32_t)((w->traces + SKEP_SEGMENT_INDEX_PAGE - 1) / SKEP_SEGMENT_INDEX_PAGE));
    skep_rc rc = open_feeds(w, feeds, &n, err);
    if (rc == SKEP_OK)
        rc = write_pages(w, feeds, n, page, footer, err);
    skep_free(page);
    skep_free(feeds);
    return rc;
}
