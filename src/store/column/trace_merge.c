// SPDX-License-Identifier: Apache-2.0
/* The row order of a merge of segments, streamed.
 *
 * Each segment is in order already, so the merge takes the trace with the smallest (anchor, trace
 * id) from the heads of the sources, again and again.  Two kinds of traces do not stand where they
 * belong: those that stand in several sources (cut by a flush), and those whose first row is dead.
 * They are found beforehand (the first by merging the sources' trace indexes, which are sorted by
 * hash), kept as a sorted list of pieces that acts as one more source, and skipped where they
 * stand.
 *
 *   source 0   t1 t4 t5 [t7] ...
 *   source 1   t2 t3 [t7] t8 ...      -> t1 t2 t3 t4 t5 t7 t8
 *   strays     t7 = rows of source 0 + rows of source 1
 *
 * Where a row group begins at a head, and its last trace still stands before all other heads and
 * strays, the row group is offered whole: it can be copied instead of being read row by row.
 *
 * I1  the order is that of trace_order.c, row for row.
 * I2  memory: 48 KiB a source, 40 bytes a piece, 32 bytes a row of the stray being given out; all
 *     asked from job->budget.
 * I3  a reader holds the chunks of the row group it stands in.  Of all sources those that read last
 *     have theirs open, four at most: most heads stand far from what comes next, and wait.
 * Threads: one. */
#include "store/column/trace_merge.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "store/column/segment.h"

extern const struct skep_rowset_ops skep_segment_ops;

enum {
    CURSOR_BYTES = 48 << 10,
    READERS = 4, /* of a cursor: TIME, TRACE_ID, SEQ, ORDINAL */
    READERS_BYTES = 144 << 10,
    OPEN_MAX = 4 /* cursors that have theirs open */
};

/* A source, block by block. */
struct cursor {
    struct skep_trace_merge *merge;
    struct skep_segment *seg;
    const struct skep_live *live;
    struct skep_colreader *readers[READERS]; /* NULL = closed */
    uint64_t used;                           /* when a block was read last */
    uint64_t row;                            /* the head */
    uint64_t block0;                         /* rows [block0, block_end) are in the arrays */
    uint64_t block_end;
    const uint32_t *skips; /* first rows of strays, ascending, then UINT32_MAX */
    bool *touched;         /* [n_groups] the row group has rows of a stray */
    int64_t time[SKEP_BLOCK_ROWS], seq[SKEP_BLOCK_ROWS], ordinal[SKEP_BLOCK_ROWS];
    skep_trace_id id[SKEP_BLOCK_ROWS];
};

/* Rows of a stray trace in one source. */
struct piece {
    skep_trace_id id;
    int64_t anchor_ns;
    uint32_t source, first, n; /* row numbers [first, first + n), gaps included */
};

struct stray_row {
    int64_t time_ns;
    uint64_t seq;
    uint32_t ordinal, source, row;
};

struct skep_trace_merge {
    const struct skep_segment_job *job;
    uint64_t charged_bytes;
    struct cursor **cursors;
    unsigned n_open;      /* of them have readers */
    uint64_t blocks;      /* read so far */
    struct piece *pieces; /* by (anchor, id, source, first) */
    size_t n_pieces, cap_pieces, at_piece;
    uint32_t *skips; /* of all sources, one list after the other */
    struct stray_row *stray;
    size_t n_stray, at_stray, cap_stray;
    struct cursor *giving; /* gives rows of its head trace */
    skep_trace_id giving_id;
    uint32_t giving_source;
    bool whole; /* the next rows are a whole row group */
    struct skep_order_group group;
    skep_trace_id group_id; /* its last trace */
    uint64_t refused_row;   /* its first row, of group.source, once its rows were asked for */
    uint32_t least;         /* rows of what is offered whole */
};

static skep_rc charge(struct skep_trace_merge *m, uint64_t bytes, skep_err *err)
{
    SKEP_TRY(skep_budget_take(m->job->budget, bytes, err));
    m->charged_bytes += bytes;
    return SKEP_OK;
}

static bool is_none(const skep_trace_id *id)
{
    static const skep_trace_id none;
    return memcmp(id, &none, sizeof none) == 0;
}

static bool same_id(const skep_trace_id *a, const skep_trace_id *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

bool skep_trace_merge_fits(const struct skep_segment_job *job)
{
    for (unsigned s = 0; s < job->n_sources; s++)
        if (job->sources[s].rowset->ops != &skep_segment_ops ||
            !job->sources[s].rowset->trace_clustered)
            return false;
    return true;
}

/* --- cursors --- */

static skep_rc read_ints(struct cursor *c, unsigned k, unsigned n, int64_t *out, skep_err *err)
{
    struct skep_vec v;
    SKEP_TRY(c->readers[k]->ops->read(c->readers[k], c->block0, n, &v, err));
    for (unsigned i = 0; i < n; i++)
        out[i] = v.none ? 0 : v.i64[v.constant ? 0 : i];
    return SKEP_OK;
}

static void close_readers(struct cursor *c)
{
    for (unsigned k = 0; k < READERS; k++) {
        if (c->readers[k])
            c->readers[k]->ops->close(c->readers[k]);
        c->readers[k] = NULL;
    }
}

/* I3 */
static void close_oldest(struct skep_trace_merge *m)
{
    struct cursor *oldest = NULL;
    for (unsigned s = 0; s < m->job->n_sources; s++) {
        struct cursor *c = m->cursors[s];
        if (c && c->readers[0] && (!oldest || c->used < oldest->used))
            oldest = c;
    }
    skep_assert(oldest != NULL);
    close_readers(oldest);
    m->n_open--;
}

static skep_rc open_readers(struct cursor *c, skep_err *err)
{
    static const enum skep_column columns[READERS] = {SKEP_COL_TIME, SKEP_COL_TRACE_ID,
                                                      SKEP_COL_SEQ, SKEP_COL_ORDINAL};
    struct skep_trace_merge *m = c->merge;
    struct skep_rowset *rs = &c->seg->base;
    c->used = ++m->blocks;
    if (c->readers[0])
        return SKEP_OK;
    if (m->n_open == OPEN_MAX)
        close_oldest(m);
    SKEP_TRY(rs->ops->open_column(rs, columns[0], &c->readers[0], err));
    m->n_open++;
    for (unsigned k = 1; k < READERS; k++)
        SKEP_TRY(rs->ops->open_column(rs, columns[k], &c->readers[k], err));
    return SKEP_OK;
}

static skep_rc load_block(struct cursor *c, uint64_t row, skep_err *err)
{
    SKEP_TRY(open_readers(c, err));
    c->block0 = row / SKEP_BLOCK_ROWS * SKEP_BLOCK_ROWS;
    unsigned n = skep_rowset_block_rows(&c->seg->base, c->block0 / SKEP_BLOCK_ROWS);
    c->block_end = c->block0; /* nothing, should a read fail */
    struct skep_vec v;
    SKEP_TRY(read_ints(c, 0, n, c->time, err));
    SKEP_TRY(c->readers[1]->ops->read(c->readers[1], c->block0, n, &v, err));
    if (v.none)
        memset(c->id, 0, sizeof c->id);
    for (unsigned i = 0; i < n && !v.none; i++)
        c->id[i] = v.id16[v.constant ? 0 : i];
    SKEP_TRY(read_ints(c, 2, n, c->seq, err));
    SKEP_TRY(read_ints(c, 3, n, c->ordinal, err));
    c->block_end = c->block0 + n;
    return SKEP_OK;
}

/* Move the head to a row, or, when it would be in a gap, to the first one behind. */
static skep_rc at_row(struct cursor *c, uint64_t row, skep_err *err)
{
    if (row < c->seg->base.row_end && !skep_segment__row_ok(c->seg, row))
        row = (row / SKEP_ROW_GROUP_ROWS + 1) * SKEP_ROW_GROUP_ROWS;
    c->row = row;
    if (row >= c->seg->base.row_end || (row >= c->block0 && row < c->block_end))
        return SKEP_OK;
    return load_block(c, row, err);
}

static bool at_end(const struct cursor *c)
{
    return c->row >= c->seg->base.row_end;
}

static bool is_live(const struct cursor *c, uint64_t row)
{
    return skep_live_has(c->live, row);
}

static const skep_trace_id *head_id(const struct cursor *c)
{
    return &c->id[c->row - c->block0];
}

/* Over the trace at the head; *ret_live counts its live rows, *ret_first is the first of them. */
static skep_rc pass_trace(struct cursor *c, uint32_t *ret_live, uint64_t *ret_first,
                          int64_t *ret_anchor, skep_err *err)
{
    skep_trace_id id = *head_id(c);
    bool single = is_none(&id);
    *ret_live = 0;
    do {
        if (is_live(c, c->row)) {
            if (*ret_live == 0) {
                *ret_first = c->row;
                *ret_anchor = c->time[c->row - c->block0];
            }
            ++*ret_live;
        }
        SKEP_TRY(at_row(c, c->row + 1, err));
    } while (!single && !at_end(c) && same_id(head_id(c), &id));
    return SKEP_OK;
}

/* Move the head to the next trace that is given out from here: live, and no stray. */
static skep_rc settle(struct cursor *c, skep_err *err)
{
    while (!at_end(c)) {
        bool skip = *c->skips == c->row;
        if (*c->skips < c->row)
            return skep_segment__corrupt(c->seg, err, c->seg->data_end,
                                         "the trace index names a row inside a trace");
        if (!skip && is_live(c, c->row))
            return SKEP_OK;
        c->skips += skip;
        /* A trace whose first row is dead is a stray or dead altogether. */
        uint32_t live;
        uint64_t first;
        int64_t anchor;
        SKEP_TRY(pass_trace(c, &live, &first, &anchor, err));
    }
    return SKEP_OK;
}

static skep_rc open_cursor(struct skep_trace_merge *m, unsigned s, skep_err *err)
{
    SKEP_TRY(charge(m, CURSOR_BYTES + (s < OPEN_MAX ? READERS_BYTES : 0), err));
    struct cursor *c = skep_alloc(struct cursor);
    struct skep_rowset *rs = m->job->sources[s].rowset;
    m->cursors[s] = c;
    c->merge = m;
    c->seg = skep_segment__of(rs);
    c->live = m->job->sources[s].live;
    c->touched = skep_alloc_n(bool, c->seg->n_groups);
    return at_row(c, 0, err);
}

/* --- strays --- */

static skep_rc add_piece(struct skep_trace_merge *m, const struct piece *p, skep_err *err)
{
    if (m->n_pieces == m->cap_pieces) {
        size_t cap = m->cap_pieces ? m->cap_pieces * 2 : 256;
        SKEP_TRY(charge(m, (cap - m->cap_pieces) * (sizeof *p + sizeof(uint32_t)), err));
        m->pieces = skep_realloc(m->pieces, cap * sizeof *p);
        m->cap_pieces = cap;
    }
    m->pieces[m->n_pieces++] = *p;
    return SKEP_OK;
}

/* Traces whose first row is dead. */
static skep_rc find_beheaded(struct skep_trace_merge *m, unsigned s, skep_err *err)
{
    struct cursor *c = m->cursors[s];
    if (!c->live || c->live->n_live == c->live->n_rows)
        return SKEP_OK;
    while (!at_end(c)) {
        uint64_t row = c->row, first = 0;
        skep_trace_id id = *head_id(c);
        uint32_t live;
        struct piece p = {.id = id, .source = s, .first = (uint32_t)row};
        SKEP_TRY(pass_trace(c, &live, &first, &p.anchor_ns, err));
        p.n = (uint32_t)(c->row - row);
        if (live > 0 && first != row && !is_none(&id))
            SKEP_TRY(add_piece(m, &p, err));
    }
    return SKEP_OK;
}

/* A trace index, page by page. */
struct index_cursor {
    uint32_t page, at, n;
    int64_t hashes[SKEP_SEGMENT_INDEX_PAGE], rows[SKEP_SEGMENT_INDEX_PAGE];
};

static skep_rc index_fill(struct skep_segment *seg, struct index_cursor *ix, skep_err *err)
{
    if (ix->at < ix->n || ix->page == seg->n_index_pages)
        return SKEP_OK;
    ix->at = 0;
    ix->n = seg->index_pages[ix->page].n;
    return skep_segment__read_index_page(seg, &seg->index_pages[ix->page++], ix->hashes, ix->rows,
                                         err);
}

/* The smallest hash at the heads and how many sources have it; false at the end. */
static bool smallest(const struct index_cursor *ix, unsigned n, int64_t *ret_hash,
                     unsigned *ret_count)
{
    *ret_count = 0;
    for (unsigned s = 0; s < n; s++) {
        if (ix[s].at == ix[s].n)
            continue;
        int64_t h = ix[s].hashes[ix[s].at];
        if (*ret_count == 0 || h < *ret_hash) {
            *ret_hash = h;
            *ret_count = 1;
        } else if (h == *ret_hash) {
            ++*ret_count;
        }
    }
    return *ret_count > 0;
}

static skep_rc find_cut(struct skep_trace_merge *m, struct index_cursor *ix, skep_err *err)
{
    unsigned n = m->job->n_sources;
    int64_t hash = 0;
    unsigned count;
    for (unsigned s = 0; s < n; s++)
        SKEP_TRY(index_fill(m->cursors[s]->seg, &ix[s], err));
    while (smallest(ix, n, &hash, &count)) {
        for (unsigned s = 0; s < n; s++) {
            while (ix[s].at < ix[s].n && ix[s].hashes[ix[s].at] == hash) {
                /* Unequal ids of one hash become strays as well; that costs little. */
                struct piece p = {.source = s, .first = (uint32_t)ix[s].rows[ix[s].at]};
                if (count > 1)
                    SKEP_TRY(add_piece(m, &p, err));
                ix[s].at++;
                SKEP_TRY(index_fill(m->cursors[s]->seg, &ix[s], err));
            }
        }
    }
    return SKEP_OK;
}

static int by_place(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;
    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

/* Id, anchor (that of the live rows) and length of a piece of which only the place is known. */
static skep_rc read_piece(struct skep_trace_merge *m, struct piece *p, skep_err *err)
{
    struct cursor *c = m->cursors[p->source];
    uint32_t live;
    uint64_t first;
    SKEP_TRY(at_row(c, p->first, err));
    p->id = *head_id(c);
    p->anchor_ns = INT64_MAX; /* all dead: no rows, whatever the place */
    SKEP_TRY(pass_trace(c, &live, &first, &p->anchor_ns, err));
    p->n = (uint32_t)(c->row - p->first);
    return SKEP_OK;
}

/* Gives back what doubling took too much: encoding wants it. */
static void fit_pieces(struct skep_trace_merge *m)
{
    uint64_t bytes = (m->cap_pieces - m->n_pieces) * (sizeof *m->pieces + sizeof(uint32_t));
    if (m->n_pieces == 0)
        return;
    m->pieces = skep_realloc(m->pieces, m->n_pieces * sizeof *m->pieces);
    m->cap_pieces = m->n_pieces;
    skep_budget_give(m->job->budget, bytes);
    m->charged_bytes -= bytes;
}

/* In order of their places, without doubles (cut and beheaded), and read: the indexes are sorted by
 * hash, and looking each up as it comes would read a block, if not a chunk, for each. */
static skep_rc read_pieces(struct skep_trace_merge *m, skep_err *err)
{
    struct piece *p = m->pieces;
    size_t n = 0;
    if (m->n_pieces)
        qsort(p, m->n_pieces, sizeof *p, by_place);
    for (size_t i = 0; i < m->n_pieces; i++) {
        if (n == 0 || by_place(&p[i], &p[n - 1]) != 0)
            p[n++] = p[i];
        else if (p[n - 1].n == 0)
            p[n - 1] = p[i];
    }
    m->n_pieces = n;
    fit_pieces(m);
    p = m->pieces;
    for (size_t i = 0; i < n; i++)
        if (p[i].n == 0)
            SKEP_TRY(read_piece(m, &p[i], err));
    return SKEP_OK;
}

static int by_id(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;
    int c = memcmp(&x->id, &y->id, sizeof x->id);
    if (c != 0)
        return c;
    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

static int by_anchor(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;
    if (x->anchor_ns != y->anchor_ns)
        return x->anchor_ns < y->anchor_ns ? -1 : 1;
    return by_id(a, b);
}

static void touch(const struct piece *p, bool *touched)
{
    if (p->n == 0)
        return;
    uint64_t last = (p->first + (uint64_t)p->n - 1) / SKEP_ROW_GROUP_ROWS;
    for (uint64_t g = p->first / SKEP_ROW_GROUP_ROWS; g <= last; g++)
        touched[g] = true;
}

/* Give each trace's pieces one anchor, list what to skip. */
static void order_strays(struct skep_trace_merge *m)
{
    struct piece *p = m->pieces;
    size_t n = m->n_pieces;
    m->skips = skep_malloc((n + m->job->n_sources) * sizeof *m->skips);
    size_t at = 0, out = 0;
    for (unsigned s = 0; s < m->job->n_sources; s++) {
        m->cursors[s]->skips = m->skips + out;
        for (; at < n && p[at].source == s; at++) {
            touch(&p[at], m->cursors[s]->touched);
            m->skips[out++] = p[at].first;
        }
        m->skips[out++] = UINT32_MAX;
    }
    if (n)
        qsort(p, n, sizeof *p, by_id);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && same_id(&p[end].id, &p[i].id); end++)
            p[i].anchor_ns = SKEP_MIN(p[i].anchor_ns, p[end].anchor_ns);
        for (size_t k = i; k < end; k++)
            p[k].anchor_ns = p[i].anchor_ns;
    }
    if (n)
        qsort(p, n, sizeof *p, by_anchor);
}

/* --- giving out --- */

static int by_row(const void *a, const void *b)
{
    const struct stray_row *x = a, *y = b;
    if (x->time_ns != y->time_ns)
        return x->time_ns < y->time_ns ? -1 : 1;
    if (x->seq != y->seq)
        return x->seq < y->seq ? -1 : 1;
    return (x->ordinal > y->ordinal) - (x->ordinal < y->ordinal);
}

static skep_rc add_stray_rows(struct skep_trace_merge *m, const struct piece *p, skep_err *err)
{
    if (m->cap_stray - m->n_stray < p->n) {
        size_t cap = SKEP_MAX(m->cap_stray * 2, m->n_stray + p->n);
        SKEP_TRY(charge(m, (cap - m->cap_stray) * sizeof *m->stray, err));
        m->stray = skep_realloc(m->stray, cap * sizeof *m->stray);
        m->cap_stray = cap;
    }
    struct cursor *c = m->cursors[p->source];
    uint64_t back = c->row;
    for (uint64_t row = p->first; row < (uint64_t)p->first + p->n; row++) {
        if (!skep_segment__row_ok(c->seg, row) || !is_live(c, row))
            continue;
        SKEP_TRY(at_row(c, row, err));
        size_t i = row - c->block0;
        m->stray[m->n_stray++] = (struct stray_row){.time_ns = c->time[i],
                                                    .seq = (uint64_t)c->seq[i],
                                                    .ordinal = (uint32_t)c->ordinal[i],
                                                    .source = p->source,
                                                    .row = (uint32_t)row};
    }
    return at_row(c, back, err);
}

/* The next stray trace's rows, sorted, into m->stray. */
static skep_rc open_stray(struct skep_trace_merge *m, skep_err *err)
{
    m->n_stray = m->at_stray = 0;
    size_t first = m->at_piece;
    while (m->at_piece < m->n_pieces && same_id(&m->pieces[m->at_piece].id, &m->pieces[first].id))
        SKEP_TRY(add_stray_rows(m, &m->pieces[m->at_piece++], err));
    if (m->n_stray)
        qsort(m->stray, m->n_stray, sizeof *m->stray, by_row);
    return SKEP_OK;
}

/* Where a trace stands: by its first row.  Traceless rows of one time go by row id. */
struct place {
    int64_t time_ns;
    skep_trace_id id;
    uint64_t seq;
    int64_t ordinal;
};

static struct place head_place(const struct cursor *c)
{
    size_t i = c->row - c->block0;
    return (struct place){c->time[i], c->id[i], (uint64_t)c->seq[i], c->ordinal[i]};
}

static bool before(const struct place *a, const struct place *b)
{
    if (a->time_ns != b->time_ns)
        return a->time_ns < b->time_ns;
    int c = memcmp(&a->id, &b->id, sizeof a->id);
    if (c != 0)
        return c < 0;
    return a->seq != b->seq ? a->seq < b->seq : a->ordinal < b->ordinal;
}

static bool head_before(const struct cursor *a, const struct cursor *b)
{
    struct place x = head_place(a), y = head_place(b);
    return before(&x, &y);
}

/* --- whole row groups --- */

/* Where the last trace of the row group stands, whose first row of this group is *ret_first. */
static skep_rc last_place(struct cursor *c, uint32_t group, struct place *ret, uint64_t *ret_first,
                          skep_err *err)
{
    uint64_t first = (uint64_t)group * SKEP_ROW_GROUP_ROWS;
    uint64_t row = first + skep_segment__group_rows(c->seg, group) - 1;
    SKEP_TRY(at_row(c, row, err));
    *ret = head_place(c);
    while (row > first && !is_none(&ret->id)) {
        SKEP_TRY(at_row(c, row - 1, err));
        if (!same_id(head_id(c), &ret->id))
            break;
        *ret = head_place(c);
        row--;
    }
    *ret_first = row;
    return SKEP_OK;
}

/* Does the row group stand before what all others give? */
static bool is_next(const struct skep_trace_merge *m, const struct cursor *c,
                    const struct place *last)
{
    for (unsigned s = 0; s < m->job->n_sources; s++) {
        const struct cursor *other = m->cursors[s];
        struct place head;
        if (other == c || at_end(other))
            continue;
        head = head_place(other);
        if (!before(last, &head))
            return false;
    }
    if (m->at_piece == m->n_pieces)
        return true;
    const struct piece *p = &m->pieces[m->at_piece];
    return last->time_ns < p->anchor_ns ||
           (last->time_ns == p->anchor_ns && memcmp(&last->id, &p->id, sizeof p->id) < 0);
}

/* Offer the row group that begins at the head of source s, if it can be. */
static skep_rc try_whole(struct skep_trace_merge *m, unsigned s, skep_err *err)
{
    struct cursor *c = m->cursors[s];
    uint64_t row = c->row, first;
    uint32_t group = (uint32_t)(row / SKEP_ROW_GROUP_ROWS);
    uint32_t n = skep_segment__group_rows(c->seg, group);
    if (n < m->least || c->touched[group] || (c->live && c->live->chunks[group]) ||
        (m->group.source == s && m->refused_row == row))
        return SKEP_OK;
    struct place last;
    SKEP_TRY(last_place(c, group, &last, &first, err));
    SKEP_TRY(at_row(c, row, err));
    /* A trace that goes on from the row group before is being given: it comes next anyhow. */
    bool goes_on = m->giving == c && first == row && same_id(&last.id, &m->giving_id);
    if (!goes_on && !is_next(m, c, &last))
        return SKEP_OK;
    m->whole = true;
    m->group = (struct skep_order_group){s, group, n};
    m->group_id = last.id;
    return SKEP_OK;
}

static bool at_group(const struct cursor *c)
{
    return !at_end(c) && c->row % SKEP_ROW_GROUP_ROWS == 0;
}

bool skep_trace_merge_whole(const struct skep_trace_merge *m, struct skep_order_group *ret)
{
    *ret = m->group;
    return m->whole;
}

skep_rc skep_trace_merge_take(struct skep_trace_merge *m, skep_err *err)
{
    struct cursor *c = m->cursors[m->group.source];
    skep_assert(m->whole && at_group(c));
    m->whole = false;
    m->giving = NULL;
    SKEP_TRY(at_row(c, c->row + SKEP_ROW_GROUP_ROWS, err));
    if (!at_end(c) && !is_none(&m->group_id) && same_id(head_id(c), &m->group_id)) {
        m->giving = c; /* its last trace goes on */
        m->giving_id = m->group_id;
        m->giving_source = m->group.source;
    }
    return SKEP_OK;
}

/* Choose what comes next: m->giving, or m->stray; neither at the end. */
static skep_rc choose(struct skep_trace_merge *m, skep_err *err)
{
    struct cursor *best = NULL;
    for (unsigned s = 0; s < m->job->n_sources; s++) {
        struct cursor *c = m->cursors[s];
        SKEP_TRY(settle(c, err));
        if (!at_end(c) && (!best || head_before(c, best))) {
            best = c;
            m->giving_source = s;
        }
    }
    if (m->at_piece < m->n_pieces) {
        const struct piece *p = &m->pieces[m->at_piece];
        int64_t head = best ? best->time[best->row - best->block0] : 0;
        if (!best || p->anchor_ns < head ||
            (p->anchor_ns == head && memcmp(&p->id, head_id(best), sizeof p->id) < 0))
            return open_stray(m, err);
    }
    if (best && at_group(best))
        SKEP_TRY(try_whole(m, m->giving_source, err));
    if (best && !m->whole) {
        m->giving = best;
        m->giving_id = *head_id(best);
    }
    return SKEP_OK;
}

/* Rows of the trace at the head of m->giving. */
static skep_rc give(struct skep_trace_merge *m, struct skep_order_row *rows, uint32_t max,
                    uint32_t *n, skep_err *err)
{
    struct cursor *c = m->giving;
    bool single = is_none(&m->giving_id);
    while (*n < max) {
        if (at_group(c)) {
            SKEP_TRY(try_whole(m, m->giving_source, err));
            if (m->whole)
                break;
        }
        if (is_live(c, c->row))
            rows[(*n)++] = (struct skep_order_row){m->giving_source, (uint32_t)c->row};
        SKEP_TRY(at_row(c, c->row + 1, err));
        if (single || at_end(c) || !same_id(head_id(c), &m->giving_id)) {
            m->giving = NULL;
            break;
        }
    }
    return SKEP_OK;
}

skep_rc skep_trace_merge_next(struct skep_trace_merge *m, struct skep_order_row *rows, uint32_t max,
                              uint32_t *ret_n, skep_err *err)
{
    *ret_n = 0;
    skep_assert(max > 0);
    if (m->whole) {
        m->whole = false;
        m->refused_row = m->cursors[m->group.source]->row;
    }
    while (*ret_n < max && !m->whole) {
        if (m->giving) {
            SKEP_TRY(give(m, rows, max, ret_n, err));
        } else if (m->at_stray < m->n_stray) {
            const struct stray_row *r = &m->stray[m->at_stray++];
            rows[(*ret_n)++] = (struct skep_order_row){r->source, r->row};
        } else {
            size_t piece = m->at_piece;
            SKEP_TRY(choose(m, err));
            if (!m->giving && !m->whole && m->at_piece == piece)
                return SKEP_OK; /* the end */
        }
    }
    return SKEP_OK;
}

static skep_rc prepare(struct skep_trace_merge *m, skep_err *err)
{
    unsigned n = m->job->n_sources;
    for (unsigned s = 0; s < n; s++) {
        SKEP_TRY(open_cursor(m, s, err));
        SKEP_TRY(find_beheaded(m, s, err));
    }
    if (n > 1) {
        SKEP_TRY(charge(m, n * sizeof(struct index_cursor), err));
        struct index_cursor *ix = skep_alloc_n(struct index_cursor, n);
        skep_rc rc = find_cut(m, ix, err);
        skep_free(ix);
        SKEP_TRY(rc);
    }
    SKEP_TRY(read_pieces(m, err));
    order_strays(m);
    for (unsigned s = 0; s < n; s++)
        SKEP_TRY(at_row(m->cursors[s], 0, err));
    return SKEP_OK;
}

skep_rc skep_trace_merge_new(const struct skep_segment_job *job, struct skep_trace_merge **ret,
                             skep_err *err)
{
    skep_assert(skep_trace_merge_fits(job));
    struct skep_trace_merge *m = skep_alloc(struct skep_trace_merge);
    m->job = job;
    m->refused_row = UINT64_MAX;
    m->least = (job->group_rows ? job->group_rows : SKEP_ROW_GROUP_ROWS) / 2;
    if (job->recode)
        m->least = UINT32_MAX;
    m->cursors = skep_alloc_n(struct cursor *, job->n_sources);
    skep_rc rc = prepare(m, err);
    if (rc != SKEP_OK) {
        skep_trace_merge_free(m);
        return rc;
    }
    *ret = m;
    return SKEP_OK;
}

void skep_trace_merge_free(struct skep_trace_merge *m)
{
    if (!m)
        return;
    for (unsigned s = 0; s < m->job->n_sources; s++) {
        struct cursor *c = m->cursors[s];
        if (!c)
            continue;
        close_readers(c);
        skep_free(c->touched);
        skep_free(c);
    }
    skep_budget_give(m->job->budget, m->charged_bytes);
    skep_free(m->cursors);
    skep_free(m->pieces);
    skep_free(m->skips);
    skep_free(m->stray);
    skep_free(m);
}
