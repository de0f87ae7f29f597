// SPDX-License-Identifier: Apache-2.0
/* FACETS: how the values of many fields differ between the rows of a selection and the rest, all in
 * one pass.
 *
 *   rows that pass the filter -> of these, the selected ones
 *   for each field: key ids of the rows (group.c) -> all[id]++, selected[id]++
 *
 * Where the memory does not suffice for all fields, the largest are put off: they are forgotten,
 * and counted in a further pass when the others are answered.
 *
 * Nearly always most rows are not selected, so the two sides are counted apart: all rows by code
 * where the reader can do that for a whole morsel (as tally.c does), the selected ones row by row.
 *
 * A field of too many values is counted by number, and by whether there is a value, in a last pass
 * (facets_measure.c).  What becomes of the counts: facets_answer.c.
 *
 * The difference of a field is the total variation distance of its two distributions, absent being
 * a value like others:
 *
 *   1/2 * sum over values of | selected / S - rest / R |
 *     = sum of | selected * R - rest * S |  /  (2 * S * R)      summed in integers, divided once
 *
 * I1  A field with more than SKEP_LIMIT_PLAN_FACET_VALUES values is dropped by whoever sees that
 *     first.  A worker or a merge that sees so many proves that all rows have so many: which fields
 *     are dropped does not depend on who looked at what.
 * I2  Everything is summed in integers: the answer has the same bits however the rows lie.
 * I3  A field is answered after a pass over all rows in which nobody dropped it or put it off; one
 *     field at least is never put off, so every pass answers some.
 *
 * Threads: a context belongs to one thread; `dropped` is an atomic that may be read late.  Memory:
 * keys and counts from the query's budget. */
#include "store/column/exec/facets.h"

#include "base/assert.h"
#include "base/mem.h"

enum { DEFAULT_VALUES = 20, STEP = 64 };

struct shared {
    struct skep_x_expr *selection;
    _Atomic uint8_t how[SKEP_LIMIT_PLAN_GROUPS];
    unsigned n_counted; /* fields; under the query's mu */
    unsigned passes;    /* done */
};

skep_rc skep_x__facet_memory(struct skep_x_ctx *c, unsigned f, skep_err *err)
{
    return skep_fail(err, SKEP_ENOMEM,
                     "the query needs more memory than it may use: leave out " SKEP_STRFMT
                     ", ask for less fields, or narrow the time range",
                     SKEP_STRARG(c->q->plan->groups[f].name));
}

enum skep_x_facet_how skep_x__facet_how(const struct skep_x_query *q, unsigned f)
{
    struct shared *s = q->shared;
    return (enum skep_x_facet_how)atomic_load_explicit(&s->how[f], memory_order_relaxed);
}

static void set_how(struct skep_x_query *q, unsigned f, enum skep_x_facet_how how)
{
    struct shared *s = q->shared;
    atomic_store_explicit(&s->how[f], (uint8_t)how, memory_order_relaxed);
}

static void free_field(struct skep_x_ctx *c, unsigned f)
{
    struct skep_x_facet *x = &((struct skep_x_facets *)c->extra)->fields[f];
    struct skep_agg_mem *mem = &c->partial->mem;
    skep_agg_free(mem, x->by_id, x->cap * sizeof *x->by_id);
    skep_agg_free(mem, x->counts, x->cap_codes * sizeof *x->counts);
    skep_x__measure_done(c, f);
    *x = (struct skep_x_facet){.dropped = true};
}

/* Its keys go too: nobody asks for them any more. */
static void forget(struct skep_x_ctx *c, unsigned f)
{
    free_field(c, f);
    skep_keys_done(&c->partial->keys[f]);
    skep_keys_init(&c->partial->keys[f], &c->partial->mem);
}

/* I1. */
static void drop(struct skep_x_ctx *c, unsigned f)
{
    set_how(c->q, f, SKEP_X_TOO_MANY);
    forget(c, f);
}

/* The largest field that is counted is put off, unless it is the only one. */
static void put_off_one(struct skep_x_ctx *c)
{
    struct skep_x_query *q = c->q;
    const struct skep_x_facets *k = c->extra;
    struct shared *shared = q->shared;
    uint32_t largest = 0;
    unsigned at = UINT32_MAX;
    for (unsigned f = 0; f < q->plan->n_groups; f++) {
        uint32_t n = SKEP_MAX(c->partial->keys[f].cap, k->fields[f].cap_codes / 4);
        if (k->fields[f].dropped || n <= largest)
            continue;
        largest = n;
        at = f;
    }
    skep_mutex_lock(&q->mu);
    bool may =
        at != UINT32_MAX && skep_x__facet_how(q, at) == SKEP_X_COUNTED && shared->n_counted > 1;
    if (may) {
        shared->n_counted--;
        set_how(q, at, SKEP_X_LATER);
    }
    skep_mutex_unlock(&q->mu);
    if (may)
        forget(c, at);
}

/* Room for the ids there are. */
static skep_rc room(struct skep_x_ctx *c, unsigned f, skep_err *err)
{
    struct skep_x_facet *x = &((struct skep_x_facets *)c->extra)->fields[f];
    uint32_t n = SKEP_MAX(c->partial->keys[f].n, 1u); /* 0, absent, may come before any key */
    if (n <= x->cap)
        return SKEP_OK;
    uint32_t cap = SKEP_MAX(x->cap, 16u);
    while (cap < n)
        cap += cap < 4096 ? cap : cap / 4;
    struct skep_x_sides *by_id =
        skep_agg_realloc(&c->partial->mem, x->by_id, x->cap * sizeof *by_id, cap * sizeof *by_id);
    if (!by_id)
        return skep_x__facet_memory(c, f, err);
    x->by_id = by_id;
    x->cap = cap;
    return SKEP_OK;
}

static bool too_many(const struct skep_keys *k)
{
    return k->n > SKEP_LIMIT_PLAN_FACET_VALUES + 1u; /* id 0 is absent */
}

/* --- all rows of a morsel by code --- */

/* Counts by code to counts by key. */
static skep_rc settle(struct skep_x_ctx *c, unsigned f, const struct skep_x_source *s,
                      const struct skep_coded *coded, uint64_t rows, int64_t weight, skep_err *err)
{
    struct skep_x_facet *x = &((struct skep_x_facets *)c->extra)->fields[f];
    SKEP_UNINIT uint64_t hashes[STEP];
    SKEP_UNINIT uint32_t codes[STEP];
    for (uint32_t code = 0; code < coded->n;) {
        unsigned n = 0;
        for (; code < coded->n && n < STEP; code++) {
            if (x->counts[code] == 0)
                continue;
            skep_value v = skep_x__code_value(s, coded, code);
            if (v.type == SKEP_TYPE_NULL)
                continue;
            hashes[n] = skep_x__code_hash(s, coded, code, &v);
            codes[n++] = code;
        }
        skep_keys_prefetch(&c->partial->keys[f], hashes, n);
        for (unsigned i = 0; i < n; i++) {
            skep_value v = skep_x__code_value(s, coded, codes[i]);
            uint32_t id = 0;
            SKEP_TRY(skep_x__key(c, f, &v, hashes[i], &id, err));
            SKEP_TRY(room(c, f, err));
            x->by_id[id].all += (uint64_t)x->counts[codes[i]] * (uint64_t)weight;
            rows -= x->counts[codes[i]];
        }
    }
    if (coded->n > 0)
        memset(x->counts, 0, coded->n * sizeof *x->counts);
    SKEP_TRY(room(c, f, err));
    x->by_id[0].all += rows * (uint64_t)weight;
    return SKEP_OK;
}

static skep_rc count_codes(struct skep_x_ctx *c, unsigned f, uint64_t row0, unsigned n,
                           int64_t weight, skep_err *err)
{
    struct skep_x_facet *x = &((struct skep_x_facets *)c->extra)->fields[f];
    const struct skep_x_bound *b = skep_x__sources(c, c->groups[f].name);
    const struct skep_x_source *s = b->n == 1 ? &b->sources[0] : NULL;
    struct skep_coded coded;
    if (!s || !skep_x__may_have_codes(s))
        return SKEP_OK;
    struct skep_colreader *r = skep_x__coded(c, s, row0, &coded, err);
    uint32_t present = 0;
    if (!r)
        return SKEP_OK;
    if (coded.n > x->cap_codes) {
        uint32_t *counts = skep_agg_realloc(
            &c->partial->mem, x->counts, x->cap_codes * sizeof *counts, coded.n * sizeof *counts);
        if (!counts)
            return skep_x__facet_memory(c, f, err);
        x->counts = counts;
        x->cap_codes = coded.n;
    }
    if (coded.n > 0)
        SKEP_TRY(r->ops->tally(r, row0, n, x->counts, &present, err));
    SKEP_TRY(settle(c, f, s, &coded, n, weight, err));
    x->counted = true;
    return SKEP_OK;
}

/* Are all rows of the morsel asked about, with one weight? */
static bool whole(struct skep_x_ctx *c, const struct skep_x_morsel *m, unsigned *ret_n,
                  int64_t *ret_weight)
{
    const struct skep_time_range *t = &c->q->plan->range;
    uint64_t row0 = m->block * SKEP_BLOCK_ROWS, last = m->end - 1;
    if (c->q->filter || (c->live && c->live->chunks[row0 / SKEP_ROW_GROUP_ROWS]))
        return false;
    for (uint64_t b = m->block; b < m->end; b++)
        if (c->rs->blocks[b].min_start_ns < t->start_ns ||
            c->rs->blocks[b].max_start_ns >= t->end_ns)
            return false;
    *ret_n = (unsigned)(last * SKEP_BLOCK_ROWS + skep_rowset_block_rows(c->rs, last) - row0);
    return skep_x__one_weight(c, row0, *ret_n, ret_weight);
}

/* --- rows of a block --- */

/* The flags are constants where it is inlined. */
SKEP_INLINE void add_rows(struct skep_x_sides *by_id, const struct skep_x_facet_rows *b,
                          struct skep_sel sel, const uint32_t *ids, bool selected, bool dense)
{
    uint64_t w = skep_x__weight_of(b, 0);
    for (unsigned i = 0; i < sel.n; i++) {
        unsigned r = dense ? i : sel.rows[i];
        struct skep_x_sides *x = &by_id[ids[r]];
        *(selected ? &x->selected : &x->all) += w;
    }
}

static void add(struct skep_x_sides *by_id, const struct skep_x_facet_rows *b, struct skep_sel sel,
                const struct skep_ids *ids, bool selected)
{
    if (!b->weights && ids->constant) {
        struct skep_x_sides *x = &by_id[ids->value];
        *(selected ? &x->selected : &x->all) += skep_x__weight_of(b, 0) * sel.n;
        return;
    }
    if (!b->weights && !ids->constant && !sel.rows && !selected) {
        add_rows(by_id, b, sel, ids->v, false, true);
        return;
    }
    if (!b->weights && !ids->constant && sel.rows && !selected) {
        add_rows(by_id, b, sel, ids->v, false, false);
        return;
    }
    for (unsigned i = 0; i < sel.n; i++) {
        unsigned r = sel.rows ? sel.rows[i] : i;
        struct skep_x_sides *x = &by_id[ids->constant ? ids->value : ids->v[r]];
        *(selected ? &x->selected : &x->all) += skep_x__weight_of(b, r);
    }
}

/* Rows of `in` with a value; false: that is not known without loading them. */
static bool present_rows(struct skep_x_ctx *c, unsigned f, const struct skep_x_bits *in,
                         struct skep_x_bits *ret, skep_err *err)
{
    const struct skep_x_bound *b = skep_x__sources(c, c->groups[f].name);
    memset(ret, 0, sizeof *ret);
    if (c->groups[f].rel != SKEP_X_NO_REL || c->groups[f].of)
        return false;
    for (unsigned i = 0; i < b->n; i++) {
        struct skep_x_bits some;
        if (!skep_x__presence(c, &b->sources[i], in, &some, err))
            return false;
        for (unsigned w = 0; w < SKEP_X_WORDS; w++)
            ret->w[w] |= some.w[w];
    }
    return true;
}

/* The rows of one side by their keys; those of `bits` that are not `present` are absent. */
static void add_side(struct skep_x_ctx *c, struct skep_x_sides *by_id,
                     const struct skep_x_facet_rows *b, const struct skep_x_bits *present,
                     const struct skep_ids *ids, bool selected)
{
    SKEP_UNINIT uint16_t rows[SKEP_BLOCK_ROWS];
    const struct skep_x_bits *bits = selected ? &b->selected : &b->bits;
    struct skep_x_bits some = *bits, absent = *bits;
    skep_x__and(&some, present);
    bool all = skep_x__same(&some, bits);
    struct skep_sel sel = selected ? b->selected_sel : b->sel;
    if (!all)
        sel = skep_x__rows(&some, c->n, rows);
    if (skep_x__any(&some)) /* else there may be no ids */
        add(by_id, b, sel, ids, selected);
    if (all)
        return;
    skep_x__andnot(&absent, &some);
    uint64_t n = skep_x__facet_rows(c, b, &absent);
    *(selected ? &by_id[0].selected : &by_id[0].all) += n;
}

static skep_rc block_field(struct skep_x_ctx *c, const struct skep_x_facet_rows *b, unsigned f,
                           skep_err *err)
{
    struct skep_x_facets *k = c->extra;
    struct skep_ids *ids = &c->scratch->keys[0];
    const struct skep_x_bits *bits = k->fields[f].counted ? &b->selected : &b->bits;
    struct skep_x_bits present;
    if (!skep_x__any(bits))
        return SKEP_OK;
    if (!present_rows(c, f, bits, &present, err))
        present = *bits;
    if (skep_x__any(&present))
        SKEP_TRY(skep_x__group_keys(c, f, &present, ids, err));
    SKEP_TRY(room(c, f, err));
    if (!k->fields[f].counted)
        add_side(c, k->fields[f].by_id, b, &present, ids, false);
    add_side(c, k->fields[f].by_id, b, &present, ids, true);
    if (too_many(&c->partial->keys[f]))
        drop(c, f);
    return SKEP_OK;
}

/* All rows and their squared weights. */
static uint64_t weigh(const struct skep_x_facet_rows *b, struct skep_sel sel, skep_u128 *squares)
{
    uint64_t sum = 0;
    if (!b->weights) {
        sum = skep_x__weight_of(b, 0);
        *squares += (skep_u128)sum * sum * sel.n;
        return sum * sel.n;
    }
    for (unsigned i = 0; i < sel.n; i++) {
        uint64_t w = skep_x__weight_of(b, sel.rows ? sel.rows[i] : i);
        *squares += (skep_u128)w * w;
        sum += w;
    }
    return sum;
}

static skep_rc facets_block(struct skep_x_ctx *c, skep_err *err)
{
    SKEP_UNINIT struct skep_x_facet_rows b;
    struct skep_x_facets *k = c->extra;
    SKEP_TRY(skep_x__select(c, &b.bits, err));
    if (!skep_x__any(&b.bits))
        return SKEP_OK;
    b.selected = b.bits;
    struct shared *shared = c->q->shared;
    SKEP_TRY(skep_x__filter(c, shared->selection, &b.selected, err));
    b.sel = skep_x__rows(&b.bits, c->n, b.rows);
    b.selected_sel = skep_x__rows(&b.selected, c->n, b.selected_rows);
    SKEP_TRY(skep_x__row_weights(c, b.sel, &b.weights, &b.weight, err));
    k->rows.all += weigh(&b, b.sel, &k->all_squares);
    k->rows.selected += weigh(&b, b.selected_sel, &k->selected_squares);
    for (unsigned f = 0; f < c->q->plan->n_groups; f++) {
        enum skep_x_facet_how how = skep_x__facet_how(c->q, f);
        if (how == SKEP_X_MEASURED) {
            SKEP_TRY(skep_x__measure(c, &b, f, err));
            continue;
        }
        if (!k->fields[f].dropped && how != SKEP_X_COUNTED) /* since the morsel began */
            forget(c, f);
        if (!k->fields[f].dropped)
            SKEP_TRY(block_field(c, &b, f, err));
    }
    return SKEP_OK;
}

static skep_rc morsel(struct skep_x_ctx *c, const struct skep_x_morsel *m, skep_err *err)
{
    unsigned n = 0, n_fields = c->q->plan->n_groups;
    int64_t weight = 1;
    SKEP_TRY(skep_x__prepare(c, err));
    if (!c->extra)
        c->extra =
            skep_calloc(1, sizeof(struct skep_x_facets) + n_fields * sizeof(struct skep_x_facet));
    struct skep_x_facets *k = c->extra;
    bool all = whole(c, m, &n, &weight);
    for (unsigned f = 0; f < n_fields; f++) {
        k->fields[f].counted = false;
        if (skep_x__facet_how(c->q, f) == SKEP_X_MEASURED)
            continue;
        if (!k->fields[f].dropped && skep_x__facet_how(c->q, f) != SKEP_X_COUNTED)
            forget(c, f);
        if (all && !k->fields[f].dropped)
            SKEP_TRY(count_codes(c, f, m->block * SKEP_BLOCK_ROWS, n, weight, err));
        if (!k->fields[f].dropped && too_many(&c->partial->keys[f]))
            drop(c, f);
        if (skep_x__short(c->q))
            put_off_one(c);
    }
    for (uint64_t b = m->block; b < m->end; b++) {
        SKEP_TRY(skep_x__tick(c, err));
        skep_x__block(c, b);
        c->rows_examined += c->n;
        SKEP_TRY(facets_block(c, err));
        if (skep_x__short(c->q))
            put_off_one(c);
    }
    return SKEP_OK;
}

/* --- the answer --- */

/* Add what another context counted of the field. */
static skep_rc merge_field(struct skep_x_ctx *to, struct skep_x_ctx *from, unsigned f,
                           skep_err *err)
{
    const struct skep_keys *k = &from->partial->keys[f];
    const struct skep_x_facet *x = &((struct skep_x_facets *)from->extra)->fields[f];
    struct skep_x_facet *y = &((struct skep_x_facets *)to->extra)->fields[f];
    for (uint32_t i = 0; i < k->n || (i == 0 && x->cap > 0); i++) {
        uint32_t id = 0;
        if (i > 0 && i % STEP == 1)
            skep_keys_prefetch(&to->partial->keys[f], k->hashes + i,
                               SKEP_MIN(k->n - i, (uint32_t)STEP));
        if (i > 0)
            SKEP_TRY(skep_x__key(to, f, &k->values[i], k->hashes[i], &id, err));
        if (i >= x->cap)
            continue;
        SKEP_TRY(room(to, f, err));
        y->by_id[id].all += x->by_id[i].all;
        y->by_id[id].selected += x->by_id[i].selected;
        if (too_many(&to->partial->keys[f]))
            return SKEP_OK;
    }
    return SKEP_OK;
}

static skep_rc merge(struct skep_x_query *q, struct skep_x_ctx **ret, skep_err *err)
{
    struct skep_x_ctx *all = NULL;
    for (struct skep_x_ctx *c = q->all; c; c = c->next_all) {
        if (!c->extra)
            continue;
        if (!all) {
            all = c;
            continue;
        }
        struct skep_x_facets *to = all->extra, *from = c->extra;
        to->rows.all += from->rows.all;
        to->rows.selected += from->rows.selected;
        to->all_squares += from->all_squares;
        to->selected_squares += from->selected_squares;
        all->partial->estimated = all->partial->estimated || c->partial->estimated;
        for (unsigned f = 0; f < q->plan->n_groups; f++) {
            if (skep_x__facet_how(q, f) == SKEP_X_COUNTED)
                SKEP_TRY(merge_field(all, c, f, err));
            if (skep_x__facet_how(q, f) == SKEP_X_MEASURED)
                SKEP_TRY(skep_x__measure_merge(all, c, f, err));
            if (too_many(&all->partial->keys[f]))
                drop(all, f);
            forget(c, f);
        }
    }
    *ret = all;
    return SKEP_OK;
}

/* Answer the fields that were counted in this pass; those of too many values wait for the last. */
static skep_rc make_facets(struct skep_x_query *q, struct skep_x_ctx *c, struct skep_facets *ret,
                           skep_err *err)
{
    size_t limit = q->plan->limit ? q->plan->limit : DEFAULT_VALUES;
    for (unsigned f = 0; f < q->plan->n_groups; f++) {
        enum skep_x_facet_how how = skep_x__facet_how(q, f);
        if (how != SKEP_X_COUNTED && how != SKEP_X_MEASURED)
            continue;
        struct skep_facet *x = &ret->facets[ret->n++];
        x->name = skep_arena_str(q->opts->arena, q->plan->groups[f].name);
        x->too_many = how == SKEP_X_MEASURED;
        x->p = x->q = 1;
        if (c)
            SKEP_TRY(skep_x__facet_answer(c, f, limit, x, err));
        set_how(q, f, SKEP_X_ANSWERED);
    }
    if (c) {
        const struct skep_x_facets *k = c->extra;
        ret->selected = k->rows.selected;
        ret->rest = k->rows.all - k->rows.selected;
        ret->estimated = c->partial->estimated;
    }
    return SKEP_OK;
}

/* What the next pass looks at: fields that were put off, then those of too many values. */
static bool choose(struct skep_x_query *q)
{
    struct shared *shared = q->shared;
    bool more = false;
    shared->n_counted = 0;
    for (unsigned f = 0; f < q->plan->n_groups; f++) {
        if (skep_x__facet_how(q, f) != SKEP_X_LATER)
            continue;
        set_how(q, f, SKEP_X_COUNTED);
        shared->n_counted++;
        more = true;
    }
    for (unsigned f = 0; !more && f < q->plan->n_groups; f++)
        if (skep_x__facet_how(q, f) == SKEP_X_TOO_MANY)
            set_how(q, f, SKEP_X_MEASURED);
    for (unsigned f = 0; !more && f < q->plan->n_groups; f++)
        more = skep_x__facet_how(q, f) == SKEP_X_MEASURED;
    return more;
}

/* Contexts as at the beginning; false: no pass is needed. */
static bool next_pass(struct skep_x_query *q)
{
    struct shared *shared = q->shared;
    for (struct skep_x_ctx *c = q->all; c; c = c->next_all) {
        for (unsigned f = 0; c->extra && f < q->plan->n_groups; f++)
            free_field(c, f);
        skep_free(c->extra);
        c->extra = NULL;
        skep_x__aggregate_done(c); /* while the plan is there */
        if (shared->passes > 0)    /* rows are counted once */
            c->rows_examined = c->rows_first;
        c->rows_first = c->rows_examined;
    }
    shared->passes++;
    return choose(q);
}

skep_rc skep_x__plan_facets(struct skep_x_query *q, struct skep_answer *ret, skep_err *err)
{
    static const struct skep_agg count = {.op = SKEP_AGG_COUNT};
    struct skep_plan keys = *q->plan; /* group keys and weights are those of an AGGREGATE */
    struct shared shared = {.selection = skep_x__compile(q, q->plan->selection),
                            .n_counted = keys.n_groups};
    keys.kind = SKEP_PLAN_AGGREGATE;
    keys.aggs = &count;
    keys.n_aggs = 1;
    keys.granularity_ns = 0;
    keys.n_only_groups = 0;
    q->plan = &keys;
    q->shared = &shared;
    for (unsigned f = 0; f < keys.n_groups; f++) {
        atomic_init(&shared.how[f], SKEP_X_COUNTED);
        skep_x__name(q, keys.groups[f].name);
    }
    ret->facets.facets = skep_new_n(q->opts->arena, struct skep_facet, keys.n_groups + 1);
    skep_x__known_plan(q);
    skep_rc rc = skep_x__plan_morsels(q, err);
    uint64_t rows = q->rows_total;
    for (bool again = true; again;) {
        struct skep_x_ctx *all = NULL;
        if (rc == SKEP_OK)
            rc = skep_x__run(q, morsel, err);
        if (rc == SKEP_OK)
            rc = merge(q, &all, err);
        if (rc == SKEP_OK)
            rc = make_facets(q, all, &ret->facets, err);
        again = next_pass(q) && rc == SKEP_OK;
        q->rows_total += again ? rows : 0;
    }
    return rc;
}
