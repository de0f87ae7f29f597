// SPDX-License-Identifier: Apache-2.0
/* Relations of traces that stand in more than one place.
 *
 *   1  where      rows of rowsets that are not clustered: all spans, and of the other kinds, which
 * are nobody's relatives, what passes the filter's own part (own_filter); places of traces that
 * stand in several clustered rowsets, or there too (cuts.c) 2  gather     one place a row: time,
 * row id, span and parent id          (about 60 bytes a row) 3  order      traces numbered by id,
 * rows of each by (start, row id): nodes 4  graph      as in a window; of the gathered only (set,
 * row), node and parent stay 5  answers    each relation's kid is run over the gathered rows, block
 * by block of their rowsets, then the relation over the graph 6  values     of the first relatives
 * whose fields are asked for, each different one once
 *
 * The caller's thread does all of it before the workers start, which then only look things up. Rows
 * of the logs layout are nobody's relatives and may be many: each of their morsels has a cut of its
 * own, of its rows and the spans of their traces, made by the worker that looks at it.
 *
 * I1  all places of a trace that is gathered are gathered, so its answers are those it would have
 *     in one place.
 * I2  places of one set ascend by row.
 *
 * Threads: one makes a cut, then any that read.  Memory: from the query's budget; over it the query
 * ends with what to narrow. */
#include "store/column/exec/relate.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "store/column/cuts.h"

struct entry {
    int64_t time_ns, span_id, parent_id;
    uint64_t seq;
    uint32_t ordinal, trace, row;
    bool span;
};

struct gather {
    struct skep_x_query *q;
    struct skep_x_ctx *c;
    struct skep_x_cut *cut;
    bool morsel;     /* of the logs layout: of other rows only spans of traces that are known */
    bool known_only; /* rows of other traces are passed over */
    struct entry *entries;
    uint64_t n, cap;
    skep_trace_id *ids;
    uint32_t n_ids, cap_ids, last;
    struct skep_index index;
    uint64_t index_bytes;
    uint32_t *order; /* node -> place */
    int64_t bufs[6][SKEP_BLOCK_ROWS];
};

skep_rc skep_x__cut_too_many(skep_err *err)
{
    return skep_fail(err, SKEP_ENOMEM,
                     "the query needs more memory than it may use to relate spans that stand in "
                     "several places: ask again when they are merged, or without relations");
}

void *skep_x__cut_keep(struct skep_x_query *q, struct skep_x_cut *cut, uint64_t bytes)
{
    if (skep_x__take(q, bytes) != SKEP_OK)
        return NULL;
    cut->bytes += bytes;
    return skep_calloc(1, bytes ? bytes : 1);
}

static skep_rc number_trace(struct gather *g, const skep_trace_id *id, uint32_t *ret, skep_err *err)
{
    if (g->last < g->n_ids && memcmp(&g->ids[g->last], id, sizeof *id) == 0) {
        *ret = g->last;
        return SKEP_OK;
    }
    uint64_t hash = skep_hash((skep_bytes){id->b, sizeof id->b});
    struct skep_index_it it = skep_index_begin(&g->index, hash);
    uint32_t i;
    while ((i = skep_index_next(&g->index, &it)) != SKEP_INDEX_NONE)
        if (memcmp(&g->ids[i], id, sizeof *id) == 0)
            break;
    if (i == SKEP_INDEX_NONE && g->known_only) {
        *ret = UINT32_MAX;
        return SKEP_OK;
    }
    if (i == SKEP_INDEX_NONE) {
        if (g->n_ids == g->cap_ids) {
            uint32_t cap = g->cap_ids ? g->cap_ids * 2 : 256;
            if (skep_x__take(g->q, (cap - g->cap_ids) * (sizeof *id + 32ull)) != SKEP_OK)
                return skep_x__cut_too_many(err);
            g->ids = skep_realloc(g->ids, cap * sizeof *g->ids);
            g->cap_ids = cap;
        }
        i = g->n_ids++;
        g->ids[i] = *id;
        skep_index_add(&g->index, hash, i);
    }
    *ret = g->last = i;
    return SKEP_OK;
}

static skep_rc push_entry(struct gather *g, struct entry e, skep_err *err)
{
    if (g->n == g->cap) {
        uint64_t cap = g->cap ? g->cap * 2 : 1024;
        if (cap >= UINT32_MAX || skep_x__take(g->q, (cap - g->cap) * sizeof e) != SKEP_OK)
            return skep_x__cut_too_many(err);
        g->entries = skep_realloc(g->entries, cap * sizeof e);
        g->cap = cap;
    }
    g->entries[g->n++] = e;
    return SKEP_OK;
}

/* Rows [from, ...) of the current block that are in `take`: of all traces, or of the one that
 * stands at `from` until another one comes.  *ret_end: the trace ended in this block. */
static skep_rc gather_block(struct gather *g, unsigned from, const struct skep_x_bits *take,
                            const skep_trace_id *only, bool *ret_end, skep_err *err)
{
    static const enum skep_column cols[6] = {SKEP_COL_TIME, SKEP_COL_SEQ,     SKEP_COL_ORDINAL,
                                             SKEP_COL_KIND, SKEP_COL_SPAN_ID, SKEP_COL_PARENT_ID};
    static const skep_trace_id none;
    struct skep_x_ctx *c = g->c;
    const struct skep_vec *ids = NULL;
    const int64_t *v[6];
    *ret_end = false;
    SKEP_TRY(skep_x__column(c, SKEP_COL_TRACE_ID, &ids, err));
    if (ids->none || ids->form != SKEP_VEC_ID16)
        return SKEP_OK;
    for (int i = 0; i < 6; i++)
        SKEP_TRY(skep_x__ints(c, cols[i], g->bufs[i], &v[i], err));
    for (unsigned r = from; r < c->n; r++) {
        const skep_trace_id *id = &ids->id16[ids->constant ? 0 : r];
        if (only && memcmp(id, only, sizeof *id) != 0) {
            *ret_end = true;
            return SKEP_OK;
        }
        if (!skep_x__has(take, r) || memcmp(id, &none, sizeof none) == 0)
            continue;
        struct entry e = {.time_ns = v[0][r],
                          .seq = (uint64_t)v[1][r],
                          .ordinal = (uint32_t)v[2][r],
                          .span = v[3][r] == SKEP_KIND_SPAN,
                          .span_id = v[4][r],
                          .parent_id = v[5][r],
                          .row = (uint32_t)(c->row0 + r)};
        SKEP_TRY(number_trace(g, id, &e.trace, err));
        if (e.trace != UINT32_MAX)
            SKEP_TRY(push_entry(g, e, err));
    }
    return SKEP_OK;
}

skep_rc skep_x__cut_canceled(struct skep_x_query *q, skep_err *err)
{
    if (!q->opts->canceled)
        return SKEP_OK;
    skep_mutex_lock(&q->mu);
    bool yes = q->opts->canceled(q->opts->ctx);
    skep_mutex_unlock(&q->mu);
    return yes ? skep_fail(err, SKEP_ECANCELED, "the query was canceled") : SKEP_OK;
}

/* Has the block certainly no span? */
static bool no_spans(struct skep_x_ctx *c)
{
    double min = 0, max = 0;
    struct skep_colreader *r = skep_x__column_reader(c, SKEP_COL_KIND, NULL);
    return r && r->ops->zone && r->ops->zone(r, c->row0, c->n, &min, &max) &&
           (min > SKEP_KIND_SPAN || max < SKEP_KIND_SPAN);
}

/* Rows of the block that matter: spans, and what may be asked about. */
static skep_rc block_take(struct gather *g, struct skep_x_bits *ret, skep_err *err)
{
    struct skep_x_ctx *c = g->c;
    struct skep_x_bits spans = {{0}};
    skep_x__live(c, ret);
    if (!no_spans(c)) {
        spans = *ret;
        SKEP_TRY(skep_x__keep_kinds(c, 1u << SKEP_KIND_SPAN, &spans, err));
        skep_x__andnot(ret, &spans);
    }
    if (g->known_only) {
        *ret = spans;
        return SKEP_OK;
    }
    SKEP_TRY(skep_x__in_range(c, ret, err));
    SKEP_TRY(skep_x__filter(c, g->q->own_filter, ret, err));
    skep_x__or(ret, &spans);
    return SKEP_OK;
}

/* Blocks [block, end) of a rowset that is not clustered. */
static skep_rc gather_loose(struct gather *g, uint32_t set, uint64_t block, uint64_t end_block,
                            skep_err *err)
{
    bool end;
    struct skep_x_bits take;
    SKEP_TRY(skep_x__bind(g->c, set, err));
    if (g->c->rs->row_end >= UINT32_MAX)
        return skep_x__cut_too_many(err);
    for (uint64_t b = block; b < end_block; b++) {
        if (b % SKEP_X_MORSEL_BLOCKS == 0)
            SKEP_TRY(skep_x__cut_canceled(g->q, err));
        if (skep_rowset_block_rows(g->c->rs, b) == 0)
            continue;
        skep_x__block(g->c, b);
        SKEP_TRY(block_take(g, &take, err));
        if (skep_x__any(&take))
            SKEP_TRY(gather_block(g, 0, &take, NULL, &end, err));
    }
    return SKEP_OK;
}

/* Rows of the block that a cut takes of a clustered rowset. */
static skep_rc clustered_take(struct gather *g, struct skep_x_bits *ret, skep_err *err)
{
    skep_x__live(g->c, ret);
    return g->morsel ? skep_x__keep_kinds(g->c, 1u << SKEP_KIND_SPAN, ret, err) : SKEP_OK;
}

/* The trace that begins at `row`. */
static skep_rc gather_trace(struct gather *g, uint32_t set, uint64_t row, skep_err *err)
{
    skep_trace_id id;
    const struct skep_vec *ids = NULL;
    struct skep_x_bits live;
    bool end = false;
    SKEP_TRY(skep_x__bind(g->c, set, err));
    if (g->c->rs->row_end >= UINT32_MAX)
        return skep_x__cut_too_many(err);
    if (row >= g->c->rs->row_end ||
        skep_rowset_block_rows(g->c->rs, row / SKEP_BLOCK_ROWS) <= row % SKEP_BLOCK_ROWS)
        return skep_fail(err, SKEP_ECORRUPT, "the trace index points outside");
    skep_x__block(g->c, row / SKEP_BLOCK_ROWS);
    SKEP_TRY(skep_x__column(g->c, SKEP_COL_TRACE_ID, &ids, err));
    if (ids->none || ids->form != SKEP_VEC_ID16)
        return SKEP_OK;
    id = ids->id16[ids->constant ? 0 : row % SKEP_BLOCK_ROWS];
    SKEP_TRY(clustered_take(g, &live, err));
    SKEP_TRY(gather_block(g, (unsigned)(row % SKEP_BLOCK_ROWS), &live, &id, &end, err));
    for (uint64_t b = g->c->block + 1; !end && b < skep_rowset_blocks(g->c->rs); b++) {
        if (skep_rowset_block_rows(g->c->rs, b) == 0)
            continue;
        skep_x__block(g->c, b);
        SKEP_TRY(clustered_take(g, &live, err));
        SKEP_TRY(gather_block(g, 0, &live, &id, &end, err));
    }
    return SKEP_OK;
}

skep_rc skep_x__cut_damaged(struct skep_x_query *q, skep_rc rc, const skep_err *why, skep_err *err)
{
    if (skep_x__is_damage(rc)) {
        skep_mutex_lock(&q->mu);
        skep_x__damaged(q, 0, why);
        skep_mutex_unlock(&q->mu);
        return SKEP_OK;
    }
    if (rc != SKEP_OK && err)
        *err = *why;
    return rc;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Where traces of the loose rows stand in clustered rowsets. */
static skep_rc loose_places(struct gather *g, struct skep_cut_places *places, skep_err *err)
{
    const struct skep_snapshot *snap = g->q->snap;
    if (g->n_ids == 0)
        return SKEP_OK;
    if (skep_x__take(g->q, g->n_ids * sizeof(uint64_t)) != SKEP_OK)
        return skep_x__cut_too_many(err);
    uint64_t *fps = skep_alloc_n(uint64_t, g->n_ids);
    for (uint32_t i = 0; i < g->n_ids; i++)
        fps[i] = skep_trace_fingerprint(&g->ids[i]);
    qsort(fps, g->n_ids, sizeof *fps, by_number);
    size_t n = 0;
    for (uint32_t i = 0; i < g->n_ids; i++)
        if (n == 0 || fps[n - 1] != fps[i])
            fps[n++] = fps[i];
    skep_rc rc = SKEP_OK;
    for (uint32_t s = 0; s < snap->n && rc == SKEP_OK; s++) {
        skep_err why;
        rc = skep_cuts_of(snap, s, fps, n, places, &why);
        rc = skep_x__cut_damaged(g->q, rc, &why, err);
    }
    skep_free(fps);
    skep_x__give(g->q, g->n_ids * sizeof(uint64_t));
    return rc;
}

/* Only traces that have rows in some morsel are asked about: those that begin in it, and the last
 * one that begins before it.  Takes places in order, leaves them so. */
static void keep_asked(const struct skep_x_query *q, struct skep_cut_places *places)
{
    uint64_t *asked = skep_alloc_n(uint64_t, places->n_groups / 64 + (size_t)1);
    size_t at = 0;
    for (size_t i = 0; i < q->n_morsels; i++) {
        const struct skep_x_morsel *m = &q->morsels[i];
        uint64_t first = m->block * SKEP_BLOCK_ROWS, end = m->end * SKEP_BLOCK_ROWS;
        skep_assert(i == 0 || m->set > m[-1].set || (m->set == m[-1].set && m->block >= m[-1].end));
        while (at < places->n && (places->p[at].set < m->set ||
                                  (places->p[at].set == m->set && places->p[at].row < first)))
            at++;
        if (at > 0 && places->p[at - 1].set == m->set && places->p[at - 1].group != SKEP_CUT_LOOSE)
            skep_relate_add(asked, places->p[at - 1].group);
        for (; at < places->n && places->p[at].set == m->set && places->p[at].row < end; at++)
            if (places->p[at].group != SKEP_CUT_LOOSE)
                skep_relate_add(asked, places->p[at].group);
    }
    size_t n = 0;
    for (size_t i = 0; i < places->n; i++)
        if (places->p[i].group == SKEP_CUT_LOOSE || skep_relate_has(asked, places->p[i].group))
            places->p[n++] = places->p[i];
    places->n = n;
    skep_free(asked);
}

static skep_rc gather_places(struct gather *g, struct skep_cut_places *places, skep_err *err)
{
    const struct skep_snapshot *snap = g->q->snap;
    skep_err why;
    skep_rc rc = SKEP_OK;
    if (!g->morsel) {
        rc = skep_cuts_among(snap, places, &why);
        SKEP_TRY(skep_x__cut_damaged(g->q, rc, &why, err));
    }
    SKEP_TRY(loose_places(g, places, err));
    skep_cuts_sort(places);
    if (!g->morsel)
        keep_asked(g->q, places);
    size_t at = 0;
    for (uint32_t s = 0; s < snap->n; s++) {
        if (!snap->sets[s].rowset->trace_clustered)
            continue;
        uint32_t first = g->cut->set_first[s] = (uint32_t)g->n;
        for (; at < places->n && places->p[at].set == s; at++) {
            if (at % 1024 == 0)
                SKEP_TRY(skep_x__cut_canceled(g->q, err));
            if (g->n > first && places->p[at].row <= g->entries[g->n - 1].row)
                continue; /* found twice; or, by a damaged index, inside the trace before (I2) */
            rc = gather_trace(g, s, places->p[at].row, &why);
            SKEP_TRY(skep_x__cut_damaged(g->q, rc, &why, err));
        }
        g->cut->set_end[s] = (uint32_t)g->n;
    }
    return SKEP_OK;
}

/* Rows of parts: all, or the spans of traces that are known. */
static skep_rc gather_parts(struct gather *g, skep_err *err)
{
    const struct skep_snapshot *snap = g->q->snap;
    for (uint32_t s = 0; s < snap->n; s++) {
        const struct skep_rowset *rs = snap->sets[s].rowset;
        if (rs->trace_clustered || rs->layout == SKEP_LAYOUT_LOGS)
            continue;
        skep_err why;
        g->cut->set_first[s] = (uint32_t)g->n;
        skep_rc rc = gather_loose(g, s, 0, skep_rowset_blocks(rs), &why);
        SKEP_TRY(skep_x__cut_damaged(g->q, rc, &why, err));
        g->cut->set_end[s] = (uint32_t)g->n;
    }
    return SKEP_OK;
}

static skep_rc gather_rows(struct gather *g, const struct skep_x_morsel *m, skep_err *err)
{
    if (m) {
        g->cut->set_first[m->set] = 0;
        SKEP_TRY(gather_loose(g, m->set, m->block, m->end, err));
        g->cut->set_end[m->set] = (uint32_t)g->n;
        if (g->n == 0)
            return SKEP_OK;
    }
    g->known_only = m != NULL;
    SKEP_TRY(gather_parts(g, err));
    g->known_only = false;
    struct skep_cut_places places = {.budget = g->q->opts->budget};
    skep_rc rc = gather_places(g, &places, err);
    skep_cuts_done(&places);
    return rc;
}

/* ---- order and graph -------------------------------------------------------------------- */

static int by_start(const void *a, const void *b, void *entries)
{
    const struct entry *x = (struct entry *)entries + *(const uint32_t *)a;
    const struct entry *y = (struct entry *)entries + *(const uint32_t *)b;
    if (x->time_ns != y->time_ns)
        return x->time_ns < y->time_ns ? -1 : 1;
    if (x->seq != y->seq)
        return x->seq < y->seq ? -1 : 1;
    return (x->ordinal > y->ordinal) - (x->ordinal < y->ordinal);
}

static void sort_run(struct gather *g, uint32_t first, uint32_t end)
{
    uint32_t *v = g->order;
    if (end - first > 32) {
        qsort_r(v + first, end - first, sizeof *v, by_start, g->entries);
        return;
    }
    for (uint32_t i = first + 1; i < end; i++) {
        uint32_t x = v[i], j = i;
        for (; j > first && by_start(&x, &v[j - 1], g->entries) < 0; j--)
            v[j] = v[j - 1];
        v[j] = x;
    }
}

/* A counting sort by trace, then inside each. */
static skep_rc order_nodes(struct gather *g, skep_err *err)
{
    struct skep_x_cut *cut = g->cut;
    uint32_t n = cut->n = (uint32_t)g->n;
    cut->rows = skep_x__cut_keep(g->q, g->cut, n * sizeof(uint32_t));
    cut->node_of = cut->rows ? skep_x__cut_keep(g->q, g->cut, n * sizeof(uint32_t)) : NULL;
    cut->place_of = cut->node_of ? skep_x__cut_keep(g->q, g->cut, n * sizeof(uint32_t)) : NULL;
    struct skep_relate_run *runs =
        cut->place_of ? skep_x__cut_keep(g->q, g->cut, g->n_ids * sizeof *runs) : NULL;
    cut->graph = (struct skep_relate_graph){.n = n, .runs = runs, .n_runs = runs ? g->n_ids : 0};
    if (!runs)
        return skep_x__cut_too_many(err);
    g->order = cut->place_of;
    for (uint32_t i = 0; i < n; i++) {
        cut->rows[i] = g->entries[i].row;
        runs[g->entries[i].trace].end++;
    }
    uint32_t at = 0;
    for (uint32_t t = 0; t < g->n_ids; t++) {
        runs[t].first = at;
        at += runs[t].end;
        runs[t].end = runs[t].first;
        runs[t].root = SKEP_RELATE_NONE;
    }
    for (uint32_t i = 0; i < n; i++)
        g->order[runs[g->entries[i].trace].end++] = i;
    for (uint32_t t = 0; t < g->n_ids; t++)
        sort_run(g, runs[t].first, runs[t].end);
    for (uint32_t node = 0; node < n; node++)
        cut->node_of[g->order[node]] = node;
    return SKEP_OK;
}

static skep_rc make_graph(struct gather *g, skep_err *err)
{
    struct skep_x_cut *cut = g->cut;
    uint32_t n = cut->n, longest = skep_relate_longest(&cut->graph);
    uint64_t ids_bytes = n * sizeof(int64_t) * 2, scratch = skep_relate_scratch_bytes(longest);
    cut->spans = skep_x__cut_keep(g->q, g->cut, skep_relate_words(n) * 8);
    uint32_t *parent =
        cut->spans ? skep_x__cut_keep(g->q, g->cut, (n + 1ull) * sizeof(uint32_t)) : NULL;
    if (!parent || skep_x__take(g->q, scratch) != SKEP_OK) {
        skep_free(parent);
        return skep_x__cut_too_many(err);
    }
    cut->graph.parent = parent;
    cut->bytes += scratch;
    skep_relate_scratch_init(&cut->scratch, longest);
    if (skep_x__take(g->q, ids_bytes) != SKEP_OK)
        return skep_x__cut_too_many(err);
    int64_t *span_ids = skep_alloc_n(int64_t, n + 1), *parent_ids = skep_alloc_n(int64_t, n + 1);
    for (uint32_t node = 0; node < n; node++) {
        const struct entry *e = &g->entries[g->order[node]];
        span_ids[node] = e->span_id;
        parent_ids[node] = e->parent_id;
        if (e->span)
            skep_relate_add(cut->spans, node);
    }
    for (uint32_t r = 0; r < cut->graph.n_runs; r++)
        cut->graph.runs[r].root = skep_relate_root(&cut->graph.runs[r], cut->spans, parent_ids);
    skep_relate_parents(&cut->graph, cut->spans, span_ids, parent_ids, &cut->scratch);
    skep_free(span_ids);
    skep_free(parent_ids);
    skep_x__give(g->q, ids_bytes);
    return SKEP_OK;
}

static void gather_done(struct gather *g)
{
    skep_x__give(g->q, g->cap * sizeof *g->entries);
    skep_x__give(g->q, g->cap_ids * (sizeof *g->ids + 32ull));
    skep_free(g->entries);
    skep_free(g->ids);
    skep_index_done(&g->index);
    g->entries = NULL;
    g->ids = NULL;
    g->cap = g->cap_ids = 0;
}

/* ---- from outside ----------------------------------------------------------------------- */

void skep_x__cut_free(struct skep_x_query *q, struct skep_x_cut *cut)
{
    if (!cut)
        return;
    for (uint32_t i = 0; i < q->n_rels; i++) {
        skep_free(cut->bits[i]);
        skep_free(cut->first[i]);
    }
    for (unsigned i = 0; i < cut->n_values; i++)
        skep_free(cut->values[i]);
    skep_relate_scratch_done(&cut->scratch);
    skep_index_done(&cut->table_index);
    skep_free(cut->bits);
    skep_free(cut->first);
    skep_free(cut->values);
    skep_free(cut->table);
    skep_free(cut->set_first);
    skep_free(cut->set_end);
    skep_free(cut->rows);
    skep_free(cut->node_of);
    skep_free(cut->place_of);
    skep_free(cut->graph.runs);
    skep_free(cut->graph.parent);
    skep_free(cut->spans);
    skep_arena_done(&cut->arena);
    skep_x__give(q, cut->bytes);
    skep_free(cut);
}

static bool has_relations(const struct skep_x_expr *e)
{
    if (e->op == SKEP_EXPR_RELATED)
        return true;
    for (unsigned i = 0; i < e->n_kids; i++)
        if (has_relations(e->kids[i]))
            return true;
    return false;
}

/* What of e a row has to pass whatever its relatives are; NULL = nothing. */
static const struct skep_x_expr *own_part(struct skep_x_query *q, const struct skep_x_expr *e)
{
    if (!e || !has_relations(e))
        return e;
    if (e->op != SKEP_EXPR_AND)
        return NULL;
    struct skep_x_expr *own = skep_new(&q->arena, struct skep_x_expr);
    *own = (struct skep_x_expr){.op = SKEP_EXPR_AND,
                                .kids = skep_new_n(&q->arena, struct skep_x_expr *, e->n_kids)};
    for (unsigned i = 0; i < e->n_kids; i++) {
        const struct skep_x_expr *kid = own_part(q, e->kids[i]);
        if (kid)
            own->kids[own->n_kids++] = (struct skep_x_expr *)(uintptr_t)kid;
    }
    return own->n_kids > 0 ? own : NULL;
}

static skep_rc build(struct gather *g, const struct skep_x_morsel *m, skep_err *err)
{
    SKEP_TRY(gather_rows(g, m, err));
    if (g->n == 0)
        return SKEP_OK;
    SKEP_TRY(order_nodes(g, err));
    SKEP_TRY(make_graph(g, err));
    gather_done(g);
    return skep_x__cut_answer(g->c, err);
}

/* m: only its rows are asked about; NULL: all that stand in several places. */
static skep_rc cut_new(struct skep_x_ctx *c, const struct skep_x_morsel *m, struct skep_x_cut **ret,
                       skep_err *err)
{
    struct skep_x_query *q = c->q;
    struct skep_x_cut *cut = skep_alloc(struct skep_x_cut);
    cut->set_first = skep_alloc_n(uint32_t, q->snap->n + 1);
    cut->set_end = skep_alloc_n(uint32_t, q->snap->n + 1);
    cut->bits = skep_alloc_n(uint64_t *, q->n_rels);
    cut->first = skep_alloc_n(uint32_t *, q->n_rels);
    cut->n_values = q->n_names;
    cut->values = skep_alloc_n(uint32_t *, q->n_names + 1);
    skep_index_init(&cut->table_index, 0);
    skep_arena_init(&cut->arena, "cut traces", q->opts->budget);
    struct gather *g = skep_alloc(struct gather);
    g->q = q;
    g->c = c;
    g->cut = c->cut = cut;
    g->morsel = m != NULL;
    g->last = UINT32_MAX;
    skep_index_init(&g->index, 0);
    skep_rc rc = build(g, m, err);
    gather_done(g);
    skep_free(g);
    c->cut = NULL;
    if (rc != SKEP_OK || cut->n == 0) {
        skep_x__cut_free(q, cut);
        cut = NULL;
    }
    *ret = cut;
    return rc;
}

skep_rc skep_x__cut_all(struct skep_x_query *q, skep_err *err)
{
    struct skep_x_ctx *c = skep_x__ctx_new(q);
    q->own_filter = own_part(q, q->filter);
    skep_rc rc = cut_new(c, NULL, &q->cut, err);
    c->next = q->free;
    q->free = c;
    return rc;
}

void skep_x__cut_rows(const struct skep_x_query *q, uint32_t set, const uint32_t **ret,
                      uint32_t *ret_n)
{
    const struct skep_x_cut *cut = q->cut;
    *ret = cut ? cut->rows + cut->set_first[set] : NULL;
    *ret_n = cut ? cut->set_end[set] - cut->set_first[set] : 0;
}

skep_rc skep_x__cut_morsel(struct skep_x_ctx *c, const struct skep_x_morsel *m,
                           struct skep_x_cut **ret, skep_err *err)
{
    return cut_new(c, m, ret, err);
}
