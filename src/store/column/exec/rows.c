// SPDX-License-Identifier: Apache-2.0
/* ROWS, TRACE, ROW: which rows, in what order.  Their fields are read afterwards (fill.c), for the
 * rows of the answer alone.
 *
 * ROWS keeps the best limit + 1 rows in one heap of all workers: with one each, each would have to
 * find as many.  Morsels are taken from the end of time asked for; as soon as the heap is full its
 * worst row is a bound, and blocks that lie behind it are not looked at.  Before a row group is
 * opened, the rows that are known to pass (known.c) are offered.
 *
 * I1  The order is total (ties by row id), so the answer does not depend on the order of work.
 * I2  The bound only ever gets tighter, and a row equal to it in time is still looked at.
 *
 * Threads: a context belongs to one thread, but for the one that holds the heap, under `mu`; the
 * bound is an atomic that may be read late. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/codec/codec.h"
#include "store/column/exec/exec_priv.h"

#include <stdlib.h>

enum { DEFAULT_ROWS = 100 };

struct bound {
    _Atomic int64_t time_ns; /* worst time that can still come in */
    _Atomic uint64_t seq;    /* the same in arrival order */
    struct skep_mutex mu;
    struct skep_x_ctx *best; /* whose hits are the heap; no worker's */
};

int skep_x__id_order(skep_row_id a, skep_row_id b)
{
    if (a.seq != b.seq)
        return a.seq < b.seq ? -1 : 1;
    return a.ordinal < b.ordinal ? -1 : a.ordinal > b.ordinal;
}

/* < 0 when a stands before b in the answer. */
static int hit_order(const struct skep_plan *p, const struct skep_x_hit *a,
                     const struct skep_x_hit *b)
{
    int c = 0;
    if (!p->arrival_order)
        c = a->time_ns < b->time_ns ? -1 : a->time_ns > b->time_ns;
    if (c == 0)
        c = skep_x__id_order(a->id, b->id);
    return p->oldest_first ? c : -c;
}

static int hit_cmp(const void *a, const void *b, void *plan)
{
    return hit_order(plan, a, b);
}

skep_rc skep_x__push_hit(struct skep_x_ctx *c, struct skep_x_hit h, skep_err *err)
{
    if (c->n_hits == c->cap_hits) {
        size_t cap = c->cap_hits ? c->cap_hits * 2 : 64;
        if (skep_x__take(c->q, (cap - c->cap_hits) * sizeof *c->hits) != SKEP_OK)
            return skep_fail(
                err, SKEP_ENOMEM,
                "the answer needs more memory than the query may use: ask for less rows");
        c->hits = skep_realloc(c->hits, cap * sizeof *c->hits);
        c->cap_hits = cap;
    }
    c->hits[c->n_hits++] = h;
    return SKEP_OK;
}

static size_t wanted(const struct skep_plan *p)
{
    return (p->limit ? p->limit : DEFAULT_ROWS) + (size_t)1;
}

/* Restore the heap (worst on top) below `at`. */
static void sift_down(const struct skep_plan *p, struct skep_x_hit *h, size_t n, size_t at)
{
    for (;;) {
        size_t worst = at, kid = 2 * at + 1;
        if (kid < n && hit_order(p, &h[kid], &h[worst]) > 0)
            worst = kid;
        if (kid + 1 < n && hit_order(p, &h[kid + 1], &h[worst]) > 0)
            worst = kid + 1;
        if (worst == at)
            return;
        struct skep_x_hit t = h[at];
        h[at] = h[worst];
        h[worst] = t;
        at = worst;
    }
}

/* The heap is full: what is worse than its top cannot come in. */
static void tighten(struct bound *b)
{
    skep_assert_held(&b->mu);
    atomic_store_explicit(&b->time_ns, b->best->hits[0].time_ns, memory_order_relaxed);
    atomic_store_explicit(&b->seq, b->best->hits[0].id.seq, memory_order_relaxed);
}

/* I2. */
static bool too_late(const struct skep_x_ctx *c, const struct skep_x_hit *h)
{
    const struct skep_plan *p = c->q->plan;
    struct bound *b = c->q->shared;
    int64_t t = atomic_load_explicit(&b->time_ns, memory_order_relaxed);
    uint64_t s = atomic_load_explicit(&b->seq, memory_order_relaxed);
    if (p->arrival_order)
        return p->oldest_first ? h->id.seq > s : h->id.seq < s;
    return p->oldest_first ? h->time_ns > t : h->time_ns < t;
}

static skep_rc offer_locked(struct bound *b, struct skep_x_hit h, skep_err *err)
{
    skep_assert_held(&b->mu);
    struct skep_x_ctx *best = b->best;
    const struct skep_plan *p = best->q->plan;
    size_t cap = wanted(p);
    if (best->n_hits < cap) {
        SKEP_TRY(skep_x__push_hit(best, h, err));
        if (best->n_hits < cap)
            return SKEP_OK;
        for (size_t i = cap / 2 + 1; i-- > 0;)
            sift_down(p, best->hits, cap, i);
    } else if (hit_order(p, &h, &best->hits[0]) < 0) {
        best->hits[0] = h;
        sift_down(p, best->hits, cap, 0);
    }
    tighten(b);
    return SKEP_OK;
}

static skep_rc offer(struct skep_x_ctx *c, struct skep_x_hit h, skep_err *err)
{
    struct bound *b = c->q->shared;
    if (too_late(c, &h))
        return SKEP_OK;
    skep_mutex_lock(&b->mu);
    skep_rc rc = offer_locked(b, h, err);
    skep_mutex_unlock(&b->mu);
    return rc;
}

/* Could rows of this block stand in the answer? */
static bool block_useful(const struct skep_x_query *q, const struct skep_rowset *rs, uint64_t block)
{
    const struct skep_plan *p = q->plan;
    struct bound *b = q->shared;
    const struct skep_block_bounds *bb = &rs->blocks[block];
    if (bb->max_start_ns < p->range.start_ns || bb->min_start_ns >= p->range.end_ns)
        return false;
    int64_t t = atomic_load_explicit(&b->time_ns, memory_order_relaxed);
    uint64_t s = atomic_load_explicit(&b->seq, memory_order_relaxed);
    if (p->arrival_order) {
        if (p->has_cursor &&
            (p->oldest_first ? rs->max_seq < p->cursor_id.seq : rs->min_seq > p->cursor_id.seq))
            return false;
        return p->oldest_first ? rs->min_seq <= s : rs->max_seq >= s;
    }
    if (p->has_cursor && (p->oldest_first ? bb->max_start_ns < p->cursor_time_ns
                                          : bb->min_start_ns > p->cursor_time_ns))
        return false;
    return p->oldest_first ? bb->min_start_ns <= t : bb->max_start_ns >= t;
}

/* Take away rows that cannot come in, by time alone. */
static void keep_useful(const struct skep_x_ctx *c, const int64_t *time, struct skep_x_bits *bits)
{
    const struct skep_plan *p = c->q->plan;
    struct bound *b = c->q->shared;
    if (p->arrival_order)
        return;
    int64_t t = atomic_load_explicit(&b->time_ns, memory_order_relaxed);
    int64_t lo = p->oldest_first ? INT64_MIN : t, hi = p->oldest_first ? t : INT64_MAX;
    if (p->has_cursor && p->oldest_first)
        lo = SKEP_MAX(lo, p->cursor_time_ns);
    else if (p->has_cursor)
        hi = SKEP_MIN(hi, p->cursor_time_ns);
    uint64_t in[SKEP_X_WORDS];
    skep_codec__bits_between(time, c->n, lo, hi, in);
    for (unsigned w = 0; w < (c->n + 63) / 64; w++)
        bits->w[w] &= in[w];
}

/* A row that passes; continue behind the cursor. */
static skep_rc offer_behind(struct skep_x_ctx *c, struct skep_x_hit h, skep_err *err)
{
    const struct skep_plan *p = c->q->plan;
    struct skep_x_hit cursor = {.time_ns = p->cursor_time_ns, .id = p->cursor_id};
    if (p->has_cursor && hit_order(p, &h, &cursor) <= 0)
        return SKEP_OK;
    return offer(c, h, err);
}

/* Rows that pass are offered where they are useful, and listed where `list` says so. */
static skep_rc rows_found(struct skep_x_ctx *c, const struct skep_x_bits *pass, bool list,
                          skep_err *err)
{
    bool oldest = c->q->plan->oldest_first;
    const int64_t *time = NULL, *seq = NULL, *ordinal = NULL;
    struct skep_x_bits useful = *pass;
    SKEP_TRY(skep_x__ints(c, SKEP_COL_TIME, c->ints[0], &time, err));
    keep_useful(c, time, &useful);
    if (!list && !skep_x__any(&useful))
        return SKEP_OK;
    SKEP_TRY(skep_x__ints(c, SKEP_COL_SEQ, c->ints[1], &seq, err));
    SKEP_TRY(skep_x__ints(c, SKEP_COL_ORDINAL, c->ints[2], &ordinal, err));
    SKEP_UNINIT uint16_t rows[SKEP_BLOCK_ROWS];
    struct skep_sel sel = skep_x__rows(list ? pass : &useful, c->n, rows);
    for (unsigned i = 0; i < sel.n; i++) {
        /* Newest first within the block too: the heap settles sooner. */
        unsigned k = oldest ? i : sel.n - 1 - i;
        unsigned r = sel.rows ? sel.rows[k] : k;
        struct skep_x_hit h = {.time_ns = time[r],
                               .id = {(uint64_t)seq[r], (uint32_t)ordinal[r]},
                               .set = c->set,
                               .row = c->row0 + r};
        if (list)
            skep_x__known_add(c, &h);
        if (skep_x__has(&useful, r))
            SKEP_TRY(offer_behind(c, h, err));
    }
    return SKEP_OK;
}

static skep_rc rows_block(struct skep_x_ctx *c, skep_err *err)
{
    struct skep_x_bits bits;
    skep_x__live(c, &bits);
    SKEP_TRY(skep_x__in_range(c, &bits, err));
    SKEP_TRY(skep_x__filter_block(c, &bits, err));
    return skep_x__any(&bits) ? rows_found(c, &bits, skep_x__known_wants(c), err) : SKEP_OK;
}

static skep_rc rows_morsel(struct skep_x_ctx *c, const struct skep_x_morsel *m, skep_err *err)
{
    bool oldest = c->q->plan->oldest_first;
    for (uint64_t i = m->block; i < m->end; i++) {
        uint64_t b = oldest ? i : m->block + m->end - 1 - i;
        if (!block_useful(c->q, c->rs, b) || skep_x__known_named(c, b))
            continue;
        SKEP_TRY(skep_x__tick(c, err));
        skep_x__block(c, b);
        c->rows_examined += c->n;
        SKEP_TRY(rows_block(c, err));
    }
    return SKEP_OK;
}

/* Does the whole morsel lie behind the bound? */
static bool behind(const struct skep_x_query *q, const struct skep_x_morsel *m)
{
    struct bound *b = q->shared;
    int64_t t = atomic_load_explicit(&b->time_ns, memory_order_relaxed);
    if (q->plan->arrival_order)
        return false;
    return q->plan->oldest_first ? m->edge_ns > t : m->edge_ns < t;
}

/* What is known of the row group comes first: it may be all there is to know. */
static skep_rc rows_known(struct skep_x_ctx *c, const struct skep_x_morsel *m, bool *ret_done,
                          skep_err *err)
{
    const struct skep_x_query *q = c->q;
    const struct skep_rowset *rs = q->snap->sets[m->set].rowset;
    const struct skep_time_range *t = &q->plan->range;
    struct skep_x_hit h;
    unsigned at = 0;
    *ret_done = behind(q, m);
    if (*ret_done)
        return SKEP_OK;
    skep_x__known_enter(c, m);
    bool ruled_out = skep_x__known_ruled_out(c, m);
    while (skep_x__known_hit(c, m, &at, &h))
        if (h.time_ns >= t->start_ns && h.time_ns < t->end_ns)
            SKEP_TRY(offer_behind(c, h, err));
    *ret_done = true;
    for (uint64_t b = m->block; b < m->end && !ruled_out; b++) {
        if (!block_useful(q, rs, b))
            continue;
        if (skep_x__known_named(c, b))
            c->rows_examined += skep_rowset_block_rows(rs, b);
        else
            *ret_done = false;
    }
    return SKEP_OK;
}

/* Where each morsel ends, at the end of time that is asked for. */
static void find_edges(struct skep_x_query *q)
{
    bool oldest = q->plan->oldest_first;
    for (size_t i = 0; i < q->n_morsels; i++) {
        struct skep_x_morsel *m = &q->morsels[i];
        const struct skep_block_bounds *blocks = q->snap->sets[m->set].rowset->blocks;
        m->edge_ns = oldest ? INT64_MAX : INT64_MIN;
        for (uint64_t b = m->block; b < m->end; b++)
            m->edge_ns = oldest ? SKEP_MIN(m->edge_ns, blocks[b].min_start_ns)
                                : SKEP_MAX(m->edge_ns, blocks[b].max_start_ns);
    }
}

static int by_edge(const void *a, const void *b, void *arg)
{
    const struct skep_x_query *q = arg;
    const struct skep_x_morsel *x = a, *y = b;
    const struct skep_rowset *rx = q->snap->sets[x->set].rowset;
    const struct skep_rowset *ry = q->snap->sets[y->set].rowset;
    bool oldest = q->plan->oldest_first;
    if (q->plan->arrival_order) {
        uint64_t sx = oldest ? rx->min_seq : rx->max_seq, sy = oldest ? ry->min_seq : ry->max_seq;
        if (sx != sy)
            return (sx < sy) == oldest ? -1 : 1;
    } else {
        if (x->edge_ns != y->edge_ns)
            return (x->edge_ns < y->edge_ns) == oldest ? -1 : 1;
    }
    if (x->set != y->set)
        return x->set < y->set ? -1 : 1;
    return x->block < y->block ? -1 : x->block > y->block;
}

/* All workers' hits in one array, in order; taken from the contexts. */
static skep_rc gather(struct skep_x_query *q, struct skep_x_ctx **ret, skep_err *err)
{
    struct skep_x_ctx *all = NULL;
    for (struct skep_x_ctx *c = q->all; c; c = c->next_all) {
        if (!all) {
            all = c;
            continue;
        }
        for (size_t i = 0; i < c->n_hits; i++)
            SKEP_TRY(skep_x__push_hit(all, c->hits[i], err));
        c->n_hits = 0;
    }
    if (!all)
        all = skep_x__ctx_new(q);
    struct skep_plan *plan = (struct skep_plan *)(uintptr_t)q->plan;
    if (all->n_hits > 1)
        qsort_r(all->hits, all->n_hits, sizeof *all->hits, hit_cmp, plan);
    *ret = all;
    return SKEP_OK;
}

static void name_columns(struct skep_x_query *q)
{
    for (unsigned i = 0; i < q->plan->n_columns; i++)
        skep_x__name(q, q->plan->columns[i].name);
}

static skep_rc plan_rows(struct skep_x_query *q, struct skep_answer *ret, skep_err *err)
{
    struct skep_x_ctx *all = NULL;
    SKEP_TRY(skep_x__plan_morsels(q, err));
    find_edges(q);
    if (q->n_morsels > 1)
        qsort_r(q->morsels, q->n_morsels, sizeof *q->morsels, by_edge, q);
    SKEP_TRY(skep_x__run(q, rows_morsel, err));
    SKEP_TRY(gather(q, &all, err));
    size_t limit = wanted(q->plan) - 1;
    ret->rows.more = all->n_hits > limit;
    return skep_x__fill(q, all->hits, SKEP_MIN(all->n_hits, limit), &ret->rows, err);
}

skep_rc skep_x__plan_rows(struct skep_x_query *q, struct skep_answer *ret, skep_err *err)
{
    bool oldest = q->plan->oldest_first;
    struct bound bound = {.best = skep_x__ctx_new(q)};
    atomic_init(&bound.time_ns, oldest ? INT64_MAX : INT64_MIN);
    atomic_init(&bound.seq, oldest ? UINT64_MAX : 0);
    skep_mutex_init(&bound.mu, "rows");
    q->shared = &bound;
    q->early = rows_known;
    name_columns(q);
    skep_x__known_plan(q);
    skep_rc rc = plan_rows(q, ret, err);
    skep_mutex_done(&bound.mu);
    return rc;
}

static skep_rc trace_morsel(struct skep_x_ctx *c, const struct skep_x_morsel *m, skep_err *err)
{
    for (uint64_t b = m->block; b < m->end; b++) {
        struct skep_x_bits live;
        const struct skep_vec *ids = NULL;
        const int64_t *time = NULL, *seq = NULL, *ordinal = NULL;
        skep_x__block(c, b);
        skep_x__live(c, &live);
        c->rows_examined += c->n;
        SKEP_TRY(skep_x__column(c, SKEP_COL_TRACE_ID, &ids, err));
        if (ids->none || ids->form != SKEP_VEC_ID16)
            continue;
        SKEP_TRY(skep_x__ints(c, SKEP_COL_TIME, c->ints[0], &time, err));
        SKEP_TRY(skep_x__ints(c, SKEP_COL_SEQ, c->ints[1], &seq, err));
        SKEP_TRY(skep_x__ints(c, SKEP_COL_ORDINAL, c->ints[2], &ordinal, err));
        for (unsigned r = 0; r < c->n; r++) {
            const skep_trace_id *id = &ids->id16[ids->constant ? 0 : r];
            if (!skep_x__has(&live, r) || memcmp(id, &c->q->plan->trace_id, sizeof *id) != 0)
                continue;
            struct skep_x_hit h = {.time_ns = time[r],
                                   .id = {(uint64_t)seq[r], (uint32_t)ordinal[r]},
                                   .set = c->set,
                                   .row = c->row0 + r};
            SKEP_TRY(skep_x__push_hit(c, h, err));
        }
    }
    return SKEP_OK;
}

skep_rc skep_x__plan_trace(struct skep_x_query *q, struct skep_answer *ret, skep_err *err)
{
    struct skep_plan by_time = *q->plan; /* oldest first, whatever the caller left there */
    by_time.oldest_first = true;
    by_time.arrival_order = false;
    q->plan = &by_time;
    name_columns(q);
    for (uint32_t set = 0; set < q->snap->n; set++) {
        struct skep_row_range *ranges = NULL;
        size_t n = 0;
        skep_err why;
        skep_rc rc = skep_x__trace_ranges(q, set, &by_time.trace_id, 1, &ranges, &n, &why);
        if (skep_x__is_damage(rc)) {
            skep_x__damaged(q, 0, &why);
            continue;
        }
        uint64_t done = 0;
        for (size_t i = 0; i < n && rc == SKEP_OK; i++) {
            uint64_t first = SKEP_MAX(ranges[i].first / SKEP_BLOCK_ROWS, done);
            done = (ranges[i].end + SKEP_BLOCK_ROWS - 1) / SKEP_BLOCK_ROWS;
            done = SKEP_MIN(done, skep_rowset_blocks(q->snap->sets[set].rowset));
            if (first < done)
                rc = skep_x__cut(q, set, first, done, false, &why);
        }
        skep_free(ranges);
        if (rc != SKEP_OK) {
            if (err)
                *err = why;
            return rc;
        }
    }
    SKEP_TRY(skep_x__run(q, trace_morsel, err));
    struct skep_x_ctx *all = NULL;
    SKEP_TRY(gather(q, &all, err));
    if (all->n_hits == 0 && !q->damaged)
        return skep_fail(err, SKEP_ENOTFOUND, "no such trace");
    return skep_x__fill(q, all->hits, all->n_hits, &ret->rows, err);
}

static skep_rc row_morsel(struct skep_x_ctx *c, const struct skep_x_morsel *m, skep_err *err)
{
    skep_row_id want = c->q->plan->row_id;
    for (uint64_t b = m->block; b < m->end; b++) {
        struct skep_x_bits live;
        const int64_t *seq = NULL, *ordinal = NULL;
        double lo = 0, hi = 0;
        skep_x__block(c, b);
        const struct skep_x_col *col = c->cols[SKEP_COL_SEQ];
        if (col && col->reader->ops->zone &&
            col->reader->ops->zone(col->reader, c->row0, c->n, &lo, &hi) &&
            ((double)want.seq < lo || (double)want.seq > hi))
            continue;
        skep_x__live(c, &live);
        c->rows_examined += c->n;
        SKEP_TRY(skep_x__ints(c, SKEP_COL_SEQ, c->ints[1], &seq, err));
        SKEP_TRY(skep_x__ints(c, SKEP_COL_ORDINAL, c->ints[2], &ordinal, err));
        for (unsigned r = 0; r < c->n; r++) {
            if ((uint64_t)seq[r] != want.seq || (uint64_t)ordinal[r] != want.ordinal ||
                !skep_x__has(&live, r))
                continue;
            struct skep_x_hit h = {.id = want, .set = c->set, .row = c->row0 + r};
            SKEP_TRY(skep_x__push_hit(c, h, err));
        }
    }
    return SKEP_OK;
}

skep_rc skep_x__plan_row(struct skep_x_query *q, struct skep_answer *ret, skep_err *err)
{
    name_columns(q);
    for (uint32_t set = 0; set < q->snap->n; set++) {
        const struct skep_rowset *rs = q->snap->sets[set].rowset;
        if (q->plan->row_id.seq >= rs->min_seq && q->plan->row_id.seq <= rs->max_seq)
            SKEP_TRY(skep_x__cut(q, set, 0, skep_rowset_blocks(rs), false, err));
    }
    SKEP_TRY(skep_x__run(q, row_morsel, err));
    struct skep_x_ctx *all = NULL;
    SKEP_TRY(gather(q, &all, err));
    if (all->n_hits == 0 && !q->damaged)
        return skep_fail(err, SKEP_ENOTFOUND, "no such row");
    return skep_x__fill(q, all->hits, SKEP_MIN(all->n_hits, 1u), &ret->rows, err);
}
