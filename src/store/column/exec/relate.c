// SPDX-License-Identifier: Apache-2.0
/* Relations of a morsel's rows, answered before the morsel is looked at.
 *
 * In a clustered rowset the rows of a trace are neighbours in the order (start, row id), so that a
 * morsel, widened to whole traces, is all there is to know about its rows:
 *
 *   window   blocks [block, end): the morsel's, and those into which its first and last trace reach
 *   graph    runs of rows with one trace id; roots; parents by span id, when they are asked for
 *   answers  one relation after the other: the spans that pass its kid (filter.c, block by block),
 *            then one pass over the graph: a bitmap of rows, or the first relative of each row
 *
 * A kid's own relations have lower numbers and are answered already.  Filters then only look a
 * block's words up.  Rows of traces that stand in several places, and all rows of rowsets that are
 * not clustered, are answered by the cut (relate_cut.c) instead.
 *
 * A trace that covers whole row groups widens the window of each of their morsels alike, so the
 * next morsel inside finds its answers in the window that is there (covers): such a trace is read
 * about once by each worker.
 *
 * I1  answers of rows of the window that are outside the morsel may be wrong: their traces may
 *     reach beyond.
 * I2  only live spans are relatives.
 *
 * Threads: a window belongs to its context; q->cut is only read while workers run.
 * Memory: about 20 bytes a row of the window and relation, from the query's budget, kept from
 * morsel to morsel. */
#include "store/column/exec/relate.h"

#include "base/assert.h"
#include "base/mem.h"

uint32_t skep_x__rel(struct skep_x_query *q, enum skep_relation how, struct skep_x_expr *kid,
                     bool first)
{
    unsigned n_before = q->n_rels;
    SKEP_GROW(q->rels, q->n_rels, q->cap_rels);
    /* A kid with relations was compiled just before: they have the numbers below. */
    q->rels[q->n_rels] =
        (struct skep_x_rel){.how = how, .kid = kid, .first = first, .nested = kid && n_before > 0};
    return q->n_rels++;
}

uint32_t skep_x__rel_field(struct skep_x_query *q, const struct skep_field_ref *f)
{
    if (f->relation == SKEP_REL_SELF)
        return SKEP_X_NO_REL;
    for (unsigned i = 0; i < q->n_fields_of; i++)
        if (q->fields_of[i].relation == f->relation && q->fields_of[i].on == f->on)
            return q->fields_of[i].rel;
    struct skep_x_expr *kid = f->on ? skep_x__compile(q, f->on) : NULL;
    uint32_t rel = skep_x__rel(q, f->relation, kid, true);
    SKEP_GROW(q->fields_of, q->n_fields_of, q->cap_fields_of);
    q->fields_of[q->n_fields_of++] = (struct skep_x_field_of){f->relation, f->on, rel};
    return rel;
}

skep_rc skep_x__room(struct skep_x_query *q, struct skep_x_room *r, uint64_t bytes, skep_err *err)
{
    if (bytes <= r->bytes)
        return SKEP_OK;
    bytes += bytes / 4;
    if (skep_x__take(q, bytes - r->bytes) != SKEP_OK)
        return skep_fail(err, SKEP_ENOMEM,
                         "the query needs more memory than it may use to relate spans: a trace is "
                         "too large; take a shorter time range");
    r->p = skep_realloc(r->p, bytes);
    r->bytes = bytes;
    return SKEP_OK;
}

static void drop_scratch(struct skep_x_query *q, struct skep_x_window *w)
{
    skep_relate_scratch_done(&w->scratch);
    skep_x__give(q, w->scratch_bytes);
    w->scratch_bytes = 0;
}

static unsigned states_of(const struct skep_x_query *q)
{
    return q->plan->kind == SKEP_PLAN_AGGREGATE ? q->plan->n_aggs : 0;
}

static struct skep_x_window *window_new(struct skep_x_query *q)
{
    unsigned n_groups = q->plan->n_groups, n_states = states_of(q);
    struct skep_x_window *w = skep_alloc(struct skep_x_window);
    w->n_rooms = SKEP_X_ROOMS + q->n_rels + n_groups + n_states;
    w->rooms = skep_alloc_n(struct skep_x_room, w->n_rooms);
    w->bits = skep_alloc_n(uint64_t *, q->n_rels);
    w->first = skep_alloc_n(uint32_t *, q->n_rels);
    w->keys = skep_alloc_n(uint32_t *, n_groups + 1);
    w->parts = skep_alloc_n(struct skep_x_part *, n_states + 1);
    w->cut_keys = skep_alloc_n(struct skep_x_room, n_groups + 1);
    return w;
}

void skep_x__relate_ctx_done(struct skep_x_ctx *c)
{
    struct skep_x_window *w = c->window;
    if (!w)
        return;
    drop_scratch(c->q, w);
    for (unsigned i = 0; i < w->n_rooms; i++) {
        skep_x__give(c->q, w->rooms[i].bytes);
        skep_free(w->rooms[i].p);
    }
    for (unsigned i = 0; i < c->q->plan->n_groups; i++) {
        skep_x__give(c->q, w->cut_keys[i].bytes);
        skep_free(w->cut_keys[i].p);
    }
    skep_free(w->rooms);
    skep_free(w->bits);
    skep_free(w->first);
    skep_free(w->keys);
    skep_free(w->parts);
    skep_free(w->cut_keys);
    skep_free(w);
    c->window = NULL;
}

void skep_x__relate_done(struct skep_x_query *q)
{
    skep_x__cut_free(q);
    skep_free(q->rels);
    skep_free(q->fields_of);
}

void skep_x__cut_range(const struct skep_x_cut *cut, uint32_t set, uint64_t first, uint64_t end,
                       uint32_t *ret_from, uint32_t *ret_to)
{
    uint32_t at[2];
    for (int i = 0; i < 2; i++) {
        uint32_t lo = cut ? cut->set_first[set] : 0, hi = cut ? cut->set_end[set] : 0;
        while (lo < hi) {
            uint32_t mid = lo + (hi - lo) / 2;
            if (cut->rows[mid] < (i ? end : first))
                lo = mid + 1;
            else
                hi = mid;
        }
        at[i] = lo;
    }
    *ret_from = at[0];
    *ret_to = at[1];
}

skep_rc skep_x__window(struct skep_x_ctx *c, uint64_t block, uint64_t end, skep_err *err)
{
    struct skep_x_query *q = c->q;
    if (!c->window)
        c->window = window_new(q);
    struct skep_x_window *w = c->window;
    uint64_t row0 = block * SKEP_BLOCK_ROWS;
    uint64_t rows = SKEP_MIN(end * SKEP_BLOCK_ROWS, c->rs->row_end) - row0; /* gaps too */
    if (rows >= UINT32_MAX - SKEP_BLOCK_ROWS)
        return skep_fail(err, SKEP_ENOMEM, "a trace of more than 2^32 rows");
    w->answered = w->valued = false;
    w->set = c->set;
    w->block = block;
    w->end = end;
    w->row0 = row0;
    w->n = (uint32_t)rows;
    w->graph.n = w->n;
    w->graph.n_runs = 0;
    w->graph.parent = NULL;
    size_t words = (size_t)(end - block) * SKEP_X_WORDS + 1;
    for (uint32_t i = 0; i < q->n_rels; i++) {
        struct skep_x_room *r = &w->rooms[SKEP_X_ROOMS + i];
        bool first = q->rels[i].first;
        SKEP_TRY(skep_x__room(q, r, first ? rows * sizeof(uint32_t) : words * 8, err));
        w->first[i] = first ? r->p : NULL;
        w->bits[i] = first ? NULL : r->p;
        memset(r->p, first ? 0xff : 0, first ? rows * sizeof(uint32_t) : words * 8);
    }
    skep_x__cut_range(q->cut, c->set, row0, row0 + rows, &w->cut0, &w->cut1);
    return SKEP_OK;
}

void skep_x__window_cut(struct skep_x_ctx *c, uint32_t rel)
{
    const struct skep_x_window *w = c->window;
    const struct skep_x_cut *cut = c->q->cut;
    uint64_t *bits = w->bits[rel];
    for (uint32_t p = w->cut0; bits && p < w->cut1; p++)
        if (skep_relate_has(cut->bits[rel], cut->node_of[p]))
            skep_relate_add(bits, (uint32_t)(cut->rows[p] - w->row0));
}

/* ---- the graph -------------------------------------------------------------------------- */

static bool no_id(const skep_trace_id *id)
{
    static const skep_trace_id none;
    return memcmp(id, &none, sizeof none) == 0;
}

static bool same_id(const skep_trace_id *a, const skep_trace_id *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static skep_rc block_ids(struct skep_x_ctx *c, const skep_trace_id **ret, bool *ret_same,
                         skep_err *err)
{
    static const skep_trace_id none;
    const struct skep_vec *v = NULL;
    SKEP_TRY(skep_x__column(c, SKEP_COL_TRACE_ID, &v, err));
    if (!v->none && v->form != SKEP_VEC_ID16)
        return skep_fail(err, SKEP_ECORRUPT, "trace ids have another form");
    *ret = v->none ? &none : v->id16;
    *ret_same = v->none || v->constant;
    return SKEP_OK;
}

/* First and last trace id of a block. */
static skep_rc edge_ids(struct skep_x_ctx *c, uint64_t block, skep_trace_id *ret_first,
                        skep_trace_id *ret_last, skep_err *err)
{
    const skep_trace_id *ids = NULL;
    bool same = false;
    skep_x__block(c, block);
    SKEP_TRY(block_ids(c, &ids, &same, err));
    *ret_first = ids[0];
    *ret_last = ids[same ? 0 : c->n - 1];
    return SKEP_OK;
}

/* The nearest block with rows before or behind; UINT64_MAX when there is none. */
static uint64_t block_before(const struct skep_rowset *rs, uint64_t block)
{
    while (block-- > 0)
        if (skep_rowset_block_rows(rs, block) > 0)
            return block;
    return UINT64_MAX;
}

static uint64_t block_behind(const struct skep_rowset *rs, uint64_t block)
{
    for (uint64_t end = skep_rowset_blocks(rs); ++block < end;)
        if (skep_rowset_block_rows(rs, block) > 0)
            return block;
    return UINT64_MAX;
}

/* Widen [*first, *last] until no trace reaches over its edges. */
static skep_rc widen(struct skep_x_ctx *c, uint64_t *first, uint64_t *last, skep_err *err)
{
    skep_trace_id head, tail, edge;
    uint64_t b;
    SKEP_TRY(edge_ids(c, *first, &edge, &tail, err));
    while (!no_id(&edge) && (b = block_before(c->rs, *first)) != UINT64_MAX) {
        SKEP_TRY(edge_ids(c, b, &head, &tail, err));
        if (!same_id(&tail, &edge))
            break;
        *first = b;
        if (!same_id(&head, &edge))
            break;
    }
    SKEP_TRY(edge_ids(c, *last, &head, &edge, err));
    while (!no_id(&edge) && (b = block_behind(c->rs, *last)) != UINT64_MAX) {
        SKEP_TRY(edge_ids(c, b, &head, &tail, err));
        if (!same_id(&head, &edge))
            break;
        *last = b;
        if (!same_id(&tail, &edge))
            break;
    }
    return SKEP_OK;
}

/* Live spans of the block. */
static skep_rc block_spans(struct skep_x_ctx *c, struct skep_x_bits *ret, skep_err *err)
{
    const struct skep_vec *v = NULL;
    skep_x__live(c, ret);
    SKEP_TRY(skep_x__column(c, SKEP_COL_KIND, &v, err));
    if (!v->none && v->form != SKEP_VEC_I64)
        return skep_fail(err, SKEP_ECORRUPT, "kinds are no integers");
    if (v->none || v->constant) {
        if (v->none || v->i64[0] != SKEP_KIND_SPAN)
            memset(ret, 0, sizeof *ret);
        return SKEP_OK;
    }
    uint8_t pass[SKEP_BLOCK_ROWS];
    for (unsigned r = 0; r < c->n; r++)
        pass[r] = v->i64[r] == SKEP_KIND_SPAN;
    memset(pass + c->n, 0, SKEP_BLOCK_ROWS - c->n);
    struct skep_x_bits spans;
    skep_x__pack(pass, &spans);
    skep_x__and(ret, &spans);
    return SKEP_OK;
}

/* Finding the runs while ids go by. */
struct runs {
    struct skep_x_ctx *c;
    struct skep_trace_id id; /* of the open run */
    uint32_t first;          /* of the open run; n_runs counts closed ones */
    bool open;
    uint32_t cut; /* next place of the cut */
};

static skep_rc close_run(struct runs *u, uint32_t end, skep_err *err)
{
    struct skep_x_window *w = u->c->window;
    const struct skep_x_cut *cut = u->c->q->cut;
    if (!u->open)
        return SKEP_OK;
    u->open = false;
    while (u->cut < w->cut1 && cut->rows[u->cut] < w->row0 + u->first)
        u->cut++;
    if (u->cut < w->cut1 && cut->rows[u->cut] < w->row0 + end)
        return SKEP_OK; /* the cut answers for it */
    struct skep_relate_graph *g = &w->graph;
    SKEP_TRY(skep_x__room(u->c->q, &w->rooms[SKEP_X_ROOM_RUNS],
                          (g->n_runs + 1ull) * sizeof *g->runs, err));
    g->runs = w->rooms[SKEP_X_ROOM_RUNS].p;
    g->runs[g->n_runs++] =
        (struct skep_relate_run){.first = u->first, .end = end, .root = SKEP_RELATE_NONE};
    return SKEP_OK;
}

static skep_rc block_runs(struct runs *u, uint32_t at, skep_err *err)
{
    const skep_trace_id *ids = NULL;
    bool same = false;
    SKEP_TRY(block_ids(u->c, &ids, &same, err));
    unsigned n = same ? 1 : u->c->n;
    for (unsigned r = 0; r < n; r++) {
        if (u->open && same_id(&u->id, &ids[r]))
            continue;
        SKEP_TRY(close_run(u, at + r, err));
        u->open = !no_id(&ids[r]);
        u->id = ids[r];
        u->first = at + r;
    }
    return SKEP_OK;
}

static skep_rc load_graph(struct skep_x_ctx *c, skep_err *err)
{
    struct skep_x_window *w = c->window;
    struct skep_x_query *q = c->q;
    size_t words = (size_t)(w->end - w->block) * SKEP_X_WORDS + 1;
    SKEP_TRY(skep_x__room(q, &w->rooms[SKEP_X_ROOM_SPANS], words * 8, err));
    SKEP_TRY(skep_x__room(q, &w->rooms[SKEP_X_ROOM_SET], words * 8, err));
    SKEP_TRY(skep_x__room(q, &w->rooms[SKEP_X_ROOM_PARENT_IDS], w->n * sizeof(int64_t), err));
    w->spans = w->rooms[SKEP_X_ROOM_SPANS].p;
    w->parent_ids = w->rooms[SKEP_X_ROOM_PARENT_IDS].p;
    w->spans[words - 1] = 0;
    if (c->rs->group_rows) /* rows in gaps are read, not used */
        memset(w->parent_ids, 0, w->n * sizeof(int64_t));
    struct runs u = {.c = c, .cut = w->cut0};
    for (uint64_t b = w->block; b < w->end; b++) {
        struct skep_x_bits spans;
        const int64_t *parents = NULL;
        uint32_t at = (uint32_t)((b - w->block) * SKEP_BLOCK_ROWS);
        if (skep_rowset_block_rows(c->rs, b) == 0) {
            memset(w->spans + at / 64, 0, sizeof spans.w);
            continue;
        }
        skep_x__block(c, b);
        SKEP_TRY(block_spans(c, &spans, err));
        memcpy(w->spans + at / 64, spans.w, sizeof spans.w);
        SKEP_TRY(skep_x__ints(c, SKEP_COL_PARENT_ID, c->ints[0], &parents, err));
        memcpy(w->parent_ids + at, parents, c->n * sizeof *parents);
        SKEP_TRY(block_runs(&u, at, err));
    }
    SKEP_TRY(close_run(&u, w->n, err));
    for (uint32_t r = 0; r < w->graph.n_runs; r++)
        w->graph.runs[r].root = skep_relate_root(&w->graph.runs[r], w->spans, w->parent_ids);
    return SKEP_OK;
}

static skep_rc load_parents(struct skep_x_ctx *c, skep_err *err)
{
    struct skep_x_window *w = c->window;
    struct skep_x_query *q = c->q;
    SKEP_TRY(skep_x__room(q, &w->rooms[SKEP_X_ROOM_SPAN_IDS], w->n * sizeof(int64_t), err));
    SKEP_TRY(
        skep_x__room(q, &w->rooms[SKEP_X_ROOM_PARENTS], (w->n + 1ull) * sizeof(uint32_t), err));
    uint32_t longest = skep_relate_longest(&w->graph);
    if (longest > w->scratch.longest) {
        drop_scratch(q, w);
        if (skep_x__take(q, skep_relate_scratch_bytes(longest)) != SKEP_OK)
            return skep_fail(err, SKEP_ENOMEM,
                             "the query needs more memory than it may use: a trace of %u rows",
                             longest);
        w->scratch_bytes = skep_relate_scratch_bytes(longest);
        skep_relate_scratch_init(&w->scratch, longest);
    }
    int64_t *ids = w->rooms[SKEP_X_ROOM_SPAN_IDS].p;
    if (c->rs->group_rows)
        memset(ids, 0, w->n * sizeof *ids);
    for (uint64_t b = w->block; b < w->end; b++) {
        const int64_t *v = NULL;
        if (skep_rowset_block_rows(c->rs, b) == 0)
            continue;
        skep_x__block(c, b);
        SKEP_TRY(skep_x__ints(c, SKEP_COL_SPAN_ID, c->ints[0], &v, err));
        memcpy(ids + (b - w->block) * SKEP_BLOCK_ROWS, v, c->n * sizeof *v);
    }
    w->graph.parent = w->rooms[SKEP_X_ROOM_PARENTS].p;
    skep_relate_parents(&w->graph, w->spans, ids, w->parent_ids, &w->scratch);
    return SKEP_OK;
}

/* ---- answers ---------------------------------------------------------------------------- */

/* The spans that can matter to the relation and pass its kid. */
static skep_rc members(struct skep_x_ctx *c, const struct skep_x_rel *rel, uint64_t *set,
                       bool *ret_any, skep_err *err)
{
    const struct skep_x_window *w = c->window;
    size_t words = (size_t)(w->end - w->block) * SKEP_X_WORDS + 1;
    if (rel->how == SKEP_REL_ROOT) {
        memset(set, 0, words * 8);
        for (uint32_t r = 0; r < w->graph.n_runs; r++)
            if (w->graph.runs[r].root != SKEP_RELATE_NONE)
                skep_relate_add(set, w->graph.runs[r].root);
    } else {
        memcpy(set, w->spans, words * 8);
    }
    *ret_any = false;
    for (uint64_t b = w->block; b < w->end; b++) {
        struct skep_x_bits bits;
        uint64_t *at = set + (b - w->block) * SKEP_X_WORDS;
        memcpy(bits.w, at, sizeof bits.w);
        if (!skep_x__any(&bits))
            continue;
        if (rel->kid) {
            skep_x__block(c, b);
            if (skep_x__none(c, rel->kid, c->row0, c->n))
                memset(&bits, 0, sizeof bits);
            else
                SKEP_TRY(skep_x__filter(c, rel->kid, &bits, err));
            memcpy(at, bits.w, sizeof bits.w);
        }
        *ret_any = *ret_any || skep_x__any(&bits);
    }
    return SKEP_OK;
}

static skep_rc answer(struct skep_x_ctx *c, uint32_t i, skep_err *err)
{
    struct skep_x_window *w = c->window;
    const struct skep_x_rel *rel = &c->q->rels[i];
    bool any = false;
    uint64_t *set = w->rooms[SKEP_X_ROOM_SET].p;
    if (w->graph.n_runs > 0)
        SKEP_TRY(members(c, rel, set, &any, err));
    if (any && !w->graph.parent && skep_relate_needs_parents(rel->how))
        SKEP_TRY(load_parents(c, err));
    if (any && rel->first)
        skep_relate_first(&w->graph, rel->how, set, w->first[i]);
    else if (any)
        skep_relate_some(&w->graph, rel->how, set, &w->scratch, w->bits[i]);
    skep_x__window_cut(c, i);
    return SKEP_OK;
}

/* Is the morsel inside the window, where no trace reaches over the edges? */
static bool covers(const struct skep_x_ctx *c, const struct skep_x_morsel *m)
{
    const struct skep_x_window *w = c->window;
    return w->answered && w->set == m->set && w->block < m->block && m->end < w->end;
}

skep_rc skep_x__relate_morsel(struct skep_x_ctx *c, const struct skep_x_morsel *m, skep_err *err)
{
    uint64_t first = m->block, last = m->end - 1;
    if (c->window && covers(c, m))
        return SKEP_OK;
    if (c->rs->trace_clustered)
        SKEP_TRY(widen(c, &first, &last, err));
    SKEP_TRY(skep_x__window(c, first, last + 1, err));
    if (c->rs->trace_clustered)
        SKEP_TRY(load_graph(c, err));
    for (uint32_t i = 0; i < c->q->n_rels; i++)
        SKEP_TRY(answer(c, i, err));
    c->window->answered = true;
    return SKEP_OK;
}

void skep_x__related(const struct skep_x_ctx *c, uint32_t rel, struct skep_x_bits *bits)
{
    const struct skep_x_window *w = c->window;
    skep_assert(w && w->set == c->set && c->block >= w->block && c->block < w->end);
    skep_assert(w->bits[rel] != NULL);
    const uint64_t *words = w->bits[rel] + (c->block - w->block) * SKEP_X_WORDS;
    for (int i = 0; i < SKEP_X_WORDS; i++)
        bits->w[i] &= words[i];
}

skep_rc skep_x__relate(struct skep_x_query *q, skep_err *err)
{
    return q->n_morsels > 0 ? skep_x__cut_new(q, err) : SKEP_OK;
}
