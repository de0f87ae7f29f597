// SPDX-License-Identifier: Apache-2.0
/* Relations of a morsel's rows, answered before the morsel is looked at.
 *
 * In a clustered rowset the rows of a trace are neighbours in the order (start, row id), so that a
 * morsel, widened to whole traces, is all there is to know about its rows:
 *
 *   window   blocks [block, end): the morsel's, and those into which its first and last trace reach
 *   graph    runs of rows with one trace id and how far back each parent stands, as the rowset has
 *            them; roots.  Where a trace lies in several row groups or has dead rows, parents by
 *            span id
 *   answers  one relation after the other: the spans that pass its kid (filter.c, block by block),
 *            then one pass over the graph: a bitmap of rows, or the first relative of each row
 *
 * A kid's own relations have lower numbers and are answered already.  Filters then only look a
 * block's words up.  Rows of traces that stand in several places, and all rows of rowsets that are
 * not clustered, are answered by the cut (relate_cut.c) instead: the query's, for rows of the logs
 * layout their morsel's own.
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

uint32_t skep_x__rel_same(struct skep_x_query *q, enum skep_relation how, skep_str name)
{
    uint32_t rel = skep_x__rel(q, how, NULL, false);
    q->rels[rel].same = true;
    q->rels[rel].same_name = skep_x__name(q, name);
    q->rels[rel].same_at = q->n_sames++;
    return rel;
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
    w->n_rooms = SKEP_X_ROOMS + q->n_rels + n_groups + n_states + q->n_sames;
    w->rooms = skep_alloc_n(struct skep_x_room, w->n_rooms);
    w->bits = skep_alloc_n(uint64_t *, q->n_rels);
    w->first = skep_alloc_n(uint32_t *, q->n_rels);
    w->keys = skep_alloc_n(uint32_t *, n_groups + 1);
    w->parts = skep_alloc_n(struct skep_x_part *, n_states + 1);
    w->cut_keys = skep_alloc_n(struct skep_x_room, n_groups + 1);
    return w;
}

/* Key ids of a cut's values mean nothing for another cut. */
static void forget_keys(struct skep_x_ctx *c)
{
    struct skep_x_window *w = c->window;
    for (unsigned i = 0; w && i < c->q->plan->n_groups; i++) {
        skep_x__give(c->q, w->cut_keys[i].bytes);
        skep_free(w->cut_keys[i].p);
        w->cut_keys[i] = (struct skep_x_room){0};
    }
}

void skep_x__relate_forget(struct skep_x_ctx *c)
{
    forget_keys(c);
    if (c->window)
        c->window->valued = false;
}

/* Back from the cut of a morsel to the query's. */
static void drop_cut(struct skep_x_ctx *c)
{
    if (c->cut && c->cut != c->q->cut) {
        skep_x__cut_free(c->q, c->cut);
        forget_keys(c);
    }
    c->cut = c->q->cut;
}

void skep_x__relate_ctx_done(struct skep_x_ctx *c)
{
    struct skep_x_window *w = c->window;
    drop_cut(c);
    skep_x__same_done(c);
    skep_x__give(c->q, (c->said_blocks - 1) * (c->q->n_shared + 1ull) * sizeof *c->said);
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
    skep_x__cut_free(q, q->cut);
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

enum { SAID_BLOCKS = 256 };

/* Room for what shared expressions say of the window's blocks.  Of a giant trace's window only the
 * first have room of their own; what is said of the others is forgotten at the next block. */
static skep_rc room_to_say(struct skep_x_ctx *c, uint64_t blocks, skep_err *err)
{
    struct skep_x_query *q = c->q;
    size_t n = (size_t)q->n_shared + 1;
    blocks = SKEP_MIN(blocks, (uint64_t)SAID_BLOCKS);
    if (blocks <= c->said_blocks || q->n_shared == 0)
        return SKEP_OK;
    if (skep_x__take(q, (blocks - c->said_blocks) * n * sizeof *c->said) != SKEP_OK)
        return skep_fail(err, SKEP_ENOMEM,
                         "the query needs more memory than it may use to relate spans");
    skep_free(c->said);
    c->said = skep_alloc_n(struct skep_x_said, blocks * n);
    c->said_blocks = blocks;
    return SKEP_OK;
}

uint64_t skep_x__window_at(const struct skep_x_ctx *c)
{
    const struct skep_x_window *w = c->window;
    bool in = w && w->set == c->set && c->block >= w->block && c->block < w->end;
    return in ? c->block - w->block : UINT64_MAX;
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
    SKEP_TRY(room_to_say(c, end - block, err));
    w->answered = w->valued = false;
    c->window_serial++;
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
        w->first[i] = NULL;
        w->bits[i] = NULL;
        if (q->rels[i].first)
            continue;
        SKEP_TRY(skep_x__room(q, r, words * 8, err));
        w->bits[i] = r->p;
        memset(r->p, 0, words * 8);
    }
    skep_x__cut_range(c->cut, c->set, row0, row0 + rows, &w->cut0, &w->cut1);
    return SKEP_OK;
}

void skep_x__window_cut(struct skep_x_ctx *c, uint32_t rel)
{
    const struct skep_x_window *w = c->window;
    const struct skep_x_cut *cut = c->cut;
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

/* First and last trace id of a block. */
static skep_rc edge_ids(struct skep_x_ctx *c, uint64_t block, skep_trace_id *ret_first,
                        skep_trace_id *ret_last, skep_err *err)
{
    const struct skep_vec *v = NULL;
    skep_x__block(c, block);
    SKEP_TRY(skep_x__column(c, SKEP_COL_TRACE_ID, &v, err));
    *ret_first = *ret_last = (skep_trace_id){{0}};
    if (v->none)
        return SKEP_OK;
    if (v->form != SKEP_VEC_ID16 || !v->id16)
        return skep_fail(err, SKEP_ECORRUPT, "trace ids have another form");
    *ret_first = v->id16[0];
    *ret_last = v->id16[v->constant ? 0 : c->n - 1];
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

/* Putting the shapes of row groups together. */
struct shaping {
    struct skep_x_ctx *c;
    uint32_t cut; /* next place of the cut */
    bool open;    /* a run that may go on in the next row group */
    bool odd;     /* it lies in several, or has dead rows */
    uint32_t first, end;
    skep_trace_id id; /* its */
};

static skep_rc close_run(struct shaping *u, skep_err *err)
{
    struct skep_x_window *w = u->c->window;
    struct skep_x_query *q = u->c->q;
    struct skep_relate_graph *g = &w->graph;
    if (!u->open)
        return SKEP_OK;
    u->open = false;
    while (u->cut < w->cut1 && u->c->cut->rows[u->cut] < w->row0 + u->first)
        u->cut++;
    if (u->cut < w->cut1 && u->c->cut->rows[u->cut] < w->row0 + u->end)
        return SKEP_OK; /* the cut answers for it */
    SKEP_TRY(
        skep_x__room(q, &w->rooms[SKEP_X_ROOM_RUNS], (g->n_runs + 1ull) * sizeof *g->runs, err));
    g->runs = w->rooms[SKEP_X_ROOM_RUNS].p;
    if (u->odd) {
        SKEP_TRY(
            skep_x__room(q, &w->rooms[SKEP_X_ROOM_ODD], (w->n_odd + 1ull) * sizeof *w->odd, err));
        w->odd = w->rooms[SKEP_X_ROOM_ODD].p;
        w->odd[w->n_odd++] = g->n_runs;
    }
    g->runs[g->n_runs++] =
        (struct skep_relate_run){.first = u->first, .end = u->end, .root = SKEP_RELATE_NONE};
    return SKEP_OK;
}

/* Are all rows [first, end) of the window alive? */
static bool all_live(const struct skep_x_ctx *c, uint32_t first, uint32_t end)
{
    const struct skep_x_window *w = c->window;
    for (uint32_t i = first; c->live && i < end; i++)
        if (!skep_live_has(c->live, w->row0 + i))
            return false;
    return true;
}

/* Rows [at, at + n) of the window, in one row group. */
static skep_rc add_shape(struct shaping *u, uint32_t at, uint32_t n, bool want_back, skep_err *err)
{
    struct skep_x_ctx *c = u->c;
    struct skep_x_window *w = c->window;
    struct skep_x_room *room = &w->rooms[SKEP_X_ROOM_SHAPE];
    SKEP_TRY(skep_x__room(c->q, room, n * sizeof(struct skep_trace_run), err));
    struct skep_trace_shape s = {.runs = room->p, .back = want_back ? w->back + at : NULL};
    SKEP_TRY(c->rs->ops->shape(c->rs, w->row0 + at, n, want_back, &s, err));
    uint32_t first = 0;
    for (uint32_t k = 0; k < s.n_runs; first = s.runs[k++].end) {
        bool goes_on = k == 0 && u->open && s.runs[0].named && same_id(&u->id, &s.first);
        if (!goes_on) {
            SKEP_TRY(close_run(u, err));
            u->first = at + first;
            u->open = s.runs[k].named;
            u->odd = false;
        }
        u->end = at + s.runs[k].end;
        u->odd = u->odd || goes_on || !all_live(c, at + first, u->end);
    }
    u->id = s.last;
    return SKEP_OK;
}

static skep_rc load_spans(struct skep_x_ctx *c, skep_err *err)
{
    struct skep_x_window *w = c->window;
    size_t words = (size_t)(w->end - w->block) * SKEP_X_WORDS + 1;
    SKEP_TRY(skep_x__room(c->q, &w->rooms[SKEP_X_ROOM_SPANS], words * 8, err));
    SKEP_TRY(skep_x__room(c->q, &w->rooms[SKEP_X_ROOM_SET], words * 8, err));
    w->spans = w->rooms[SKEP_X_ROOM_SPANS].p;
    w->spans[words - 1] = 0;
    for (uint64_t b = w->block; b < w->end; b++) {
        struct skep_x_bits spans = {{0}};
        if (skep_rowset_block_rows(c->rs, b) > 0) {
            skep_x__block(c, b);
            SKEP_TRY(block_spans(c, &spans, err));
        }
        memcpy(w->spans + (b - w->block) * SKEP_X_WORDS, spans.w, sizeof spans.w);
    }
    return SKEP_OK;
}

static uint32_t root_of(const struct skep_x_window *w, const struct skep_relate_run *run)
{
    for (uint32_t i = run->first; i < run->end; i++)
        if (w->back[i] == SKEP_BACK_NONE && skep_relate_has(w->spans, i))
            return i;
    return SKEP_RELATE_NONE;
}

static skep_rc load_graph(struct skep_x_ctx *c, skep_err *err)
{
    struct skep_x_window *w = c->window;
    struct skep_x_query *q = c->q;
    bool want_back = false;
    for (uint32_t i = 0; i < q->n_rels; i++)
        want_back = want_back || q->rels[i].how != SKEP_REL_ANY;
    SKEP_TRY(load_spans(c, err));
    if (want_back)
        SKEP_TRY(skep_x__room(q, &w->rooms[SKEP_X_ROOM_BACK], w->n * sizeof(int32_t), err));
    w->back = want_back ? w->rooms[SKEP_X_ROOM_BACK].p : NULL;
    w->n_odd = 0;
    struct shaping u = {.c = c, .cut = w->cut0};
    uint64_t end = w->row0 + w->n;
    for (uint64_t row = w->row0; row < end;) {
        uint64_t next = (row / SKEP_ROW_GROUP_ROWS + 1) * SKEP_ROW_GROUP_ROWS;
        uint64_t last = (SKEP_MIN(next, end) - 1) / SKEP_BLOCK_ROWS;
        while (skep_rowset_block_rows(c->rs, last) == 0) /* a gap; `row` has a block with rows */
            last--;
        uint64_t stop = last * SKEP_BLOCK_ROWS + skep_rowset_block_rows(c->rs, last);
        skep_assert(stop > row && stop <= end);
        SKEP_TRY(add_shape(&u, (uint32_t)(row - w->row0), (uint32_t)(stop - row), want_back, err));
        for (uint64_t i = stop; want_back && i < SKEP_MIN(next, end); i++)
            w->back[i - w->row0] = SKEP_BACK_NONE;
        row = next;
    }
    SKEP_TRY(close_run(&u, err));
    for (uint32_t r = 0; want_back && r < w->graph.n_runs; r++)
        w->graph.runs[r].root = root_of(w, &w->graph.runs[r]);
    return SKEP_OK;
}

/* Ids of the blocks in which the run stands. */
static skep_rc load_ids(struct skep_x_ctx *c, const struct skep_relate_run *run, int64_t *span_ids,
                        int64_t *parent_ids, skep_err *err)
{
    const struct skep_x_window *w = c->window;
    for (uint64_t b = w->block + run->first / SKEP_BLOCK_ROWS;
         b <= w->block + (run->end - 1) / SKEP_BLOCK_ROWS; b++) {
        const int64_t *spans = NULL, *parents = NULL;
        uint64_t at = (b - w->block) * SKEP_BLOCK_ROWS;
        unsigned n = skep_rowset_block_rows(c->rs, b);
        uint64_t room = SKEP_MIN((uint64_t)SKEP_BLOCK_ROWS, w->n - at);
        memset(span_ids + at + n, 0, (room - n) * sizeof *span_ids);
        memset(parent_ids + at + n, 0, (room - n) * sizeof *parent_ids);
        if (n == 0)
            continue;
        skep_x__block(c, b);
        SKEP_TRY(skep_x__ints(c, SKEP_COL_SPAN_ID, c->ints[0], &spans, err));
        SKEP_TRY(skep_x__ints(c, SKEP_COL_PARENT_ID, c->ints[1], &parents, err));
        memcpy(span_ids + at, spans, n * sizeof *spans);
        memcpy(parent_ids + at, parents, n * sizeof *parents);
    }
    return SKEP_OK;
}

/* Scratch for the longest run. */
static skep_rc scratch(struct skep_x_ctx *c, skep_err *err)
{
    struct skep_x_window *w = c->window;
    uint32_t longest = skep_relate_longest(&w->graph);
    if (longest <= w->scratch.longest)
        return SKEP_OK;
    drop_scratch(c->q, w);
    if (skep_x__take(c->q, skep_relate_scratch_bytes(longest)) != SKEP_OK)
        return skep_fail(err, SKEP_ENOMEM,
                         "the query needs more memory than it may use: a trace of %u rows",
                         longest);
    w->scratch_bytes = skep_relate_scratch_bytes(longest);
    skep_relate_scratch_init(&w->scratch, longest);
    return SKEP_OK;
}

/* Parents of the odd runs, by ids. */
static skep_rc odd_parents(struct skep_x_ctx *c, skep_err *err)
{
    struct skep_x_window *w = c->window;
    struct skep_x_room *spans = &w->rooms[SKEP_X_ROOM_SPAN_IDS];
    struct skep_x_room *parents = &w->rooms[SKEP_X_ROOM_PARENT_IDS];
    SKEP_TRY(skep_x__room(c->q, spans, w->n * sizeof(int64_t), err));
    SKEP_TRY(skep_x__room(c->q, parents, w->n * sizeof(int64_t), err));
    for (uint32_t k = 0; k < w->n_odd; k++) {
        const struct skep_relate_run *run = &w->graph.runs[w->odd[k]];
        SKEP_TRY(load_ids(c, run, spans->p, parents->p, err));
        skep_relate_parents_run(&w->graph, run, w->spans, spans->p, parents->p, &w->scratch);
    }
    return SKEP_OK;
}

static skep_rc load_parents(struct skep_x_ctx *c, skep_err *err)
{
    struct skep_x_window *w = c->window;
    struct skep_relate_graph *g = &w->graph;
    struct skep_x_query *q = c->q;
    SKEP_TRY(
        skep_x__room(q, &w->rooms[SKEP_X_ROOM_PARENTS], (w->n + 1ull) * sizeof(uint32_t), err));
    SKEP_TRY(skep_x__room(q, &w->rooms[SKEP_X_ROOM_ODD], (g->n_runs + 1ull) * sizeof *w->odd, err));
    SKEP_TRY(scratch(c, err));
    w->odd = w->rooms[SKEP_X_ROOM_ODD].p;
    g->parent = w->rooms[SKEP_X_ROOM_PARENTS].p;
    uint32_t at = 0, known = w->n_odd, k = 0;
    for (uint32_t r = 0; r < g->n_runs; r++) {
        while (at < g->runs[r].first) /* rows without a trace, of cut ones, in gaps */
            g->parent[at++] = g->n;
        at = g->runs[r].end;
        if (k < known && w->odd[k] == r)
            k++;
        else if (!skep_relate_parents_back(g, &g->runs[r], w->spans, w->back))
            w->odd[w->n_odd++] = r;
    }
    while (at < g->n)
        g->parent[at++] = g->n;
    return w->n_odd > 0 ? odd_parents(c, err) : SKEP_OK;
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

/* set: spans that pass; NULL = none. */
static skep_rc first_relatives(struct skep_x_ctx *c, uint32_t i, const uint64_t *set, skep_err *err)
{
    struct skep_x_window *w = c->window;
    struct skep_x_room *room = &w->rooms[SKEP_X_ROOMS + i];
    const struct skep_x_rel *rel = &c->q->rels[i];
    if (set && rel->how == SKEP_REL_PARENT && !rel->kid) { /* what the graph says already */
        w->first[i] = w->graph.parent;
        return SKEP_OK;
    }
    SKEP_TRY(skep_x__room(c->q, room, w->n * sizeof(uint32_t), err));
    w->first[i] = room->p;
    if (set)
        skep_relate_first(&w->graph, rel->how, set, w->first[i]);
    for (uint32_t r = 0; !set && r < w->n; r++)
        w->first[i][r] = w->n;
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
    if (any && rel->same)
        SKEP_TRY(skep_x__same_window(c, i, err));
    if (any && rel->lasts)
        SKEP_TRY(skep_x__lasts_window(c, i, err));
    if (rel->same || rel->lasts) {
        skep_x__window_cut(c, i);
        return SKEP_OK;
    }
    if (rel->first)
        return first_relatives(c, i, any ? set : NULL, err);
    if (any)
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

void skep_x__only(const struct skep_x_ctx *c, struct skep_x_bits *bits)
{
    struct skep_x_bits cut = {{0}};
    uint32_t p, end;
    skep_x__cut_range(c->cut, c->set, c->row0, c->row0 + c->n, &p, &end);
    for (; p < end; p++) {
        uint64_t r = c->cut->rows[p] - c->row0;
        cut.w[r / 64] |= 1ull << (r % 64);
    }
    if (c->only == SKEP_X_CUT_ROWS)
        skep_x__and(bits, &cut);
    else
        skep_x__andnot(bits, &cut);
}

skep_rc skep_x__relate_morsel(struct skep_x_ctx *c, const struct skep_x_morsel *m, skep_err *err)
{
    uint64_t first = m->block, last = m->end - 1;
    bool graph = c->rs->trace_clustered && m->only != SKEP_X_CUT_ROWS; /* else the cut answers */
    if (c->window && covers(c, m))
        return SKEP_OK;
    drop_cut(c);
    if (c->rs->layout == SKEP_LAYOUT_LOGS) {
        forget_keys(c);
        SKEP_TRY(skep_x__cut_morsel(c, m, &c->cut, err));
        SKEP_TRY(skep_x__bind(c, m->set, err));
    }
    if (graph)
        SKEP_TRY(widen(c, &first, &last, err));
    SKEP_TRY(skep_x__window(c, first, last + 1, err));
    if (graph)
        SKEP_TRY(load_graph(c, err));
    for (uint32_t i = 0; i < c->q->n_rels; i++)
        SKEP_TRY(answer(c, i, err));
    c->window->answered = m->only != SKEP_X_CUT_ROWS;
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
    return q->n_morsels > 0 ? skep_x__cut_all(q, err) : SKEP_OK;
}
