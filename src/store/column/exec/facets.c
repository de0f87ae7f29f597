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
#include "base/assert.h"
#include "base/mem.h"
#include "plan/compare.h"
#include "store/column/exec/exec_priv.h"

#include <stdlib.h>

enum { DEFAULT_VALUES = 20, STEP = 64 };

struct sides {
    uint64_t all, selected;
};

struct field {
    uint32_t cap;
    struct sides *by_id;
    bool counted; /* all rows of the morsel were counted by code */
    bool dropped; /* memory was given back */
    uint32_t cap_codes;
    uint32_t *counts; /* by code, of one morsel */
};

struct facets { /* of one context */
    struct sides rows;
    struct field fields[];
};

enum how {
    COUNTED,
    TOO_MANY, /* values: dropped */
    LATER,    /* in another pass */
    ANSWERED  /* in an earlier pass */
};

struct shared {
    struct skep_x_expr *selection;
    _Atomic uint8_t how[SKEP_LIMIT_PLAN_GROUPS];
    unsigned n_counted; /* fields; under the query's mu */
    unsigned passes;    /* done */
};

static skep_rc no_memory(struct skep_x_ctx *c, unsigned f, skep_err *err)
{
    return skep_fail(err, SKEP_ENOMEM,
                     "the query needs more memory than it may use: leave out " SKEP_STRFMT
                     ", ask for less fields, or narrow the time range",
                     SKEP_STRARG(c->q->plan->groups[f].name));
}

static enum how how_of(const struct skep_x_query *q, unsigned f)
{
    struct shared *s = q->shared;
    return (enum how)atomic_load_explicit(&s->how[f], memory_order_relaxed);
}

static void set_how(struct skep_x_query *q, unsigned f, enum how how)
{
    struct shared *s = q->shared;
    atomic_store_explicit(&s->how[f], (uint8_t)how, memory_order_relaxed);
}

static void free_field(struct skep_x_ctx *c, unsigned f)
{
    struct field *x = &((struct facets *)c->extra)->fields[f];
    struct skep_agg_mem *mem = &c->partial->mem;
    skep_agg_free(mem, x->by_id, x->cap * sizeof *x->by_id);
    skep_agg_free(mem, x->counts, x->cap_codes * sizeof *x->counts);
    *x = (struct field){.dropped = true};
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
    set_how(c->q, f, TOO_MANY);
    forget(c, f);
}

/* The largest field that is counted is put off, unless it is the only one. */
static void put_off_one(struct skep_x_ctx *c)
{
    struct skep_x_query *q = c->q;
    const struct facets *k = c->extra;
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
    bool may = at != UINT32_MAX && how_of(q, at) == COUNTED && shared->n_counted > 1;
    if (may) {
        shared->n_counted--;
        set_how(q, at, LATER);
    }
    skep_mutex_unlock(&q->mu);
    if (may)
        forget(c, at);
}

/* Room for the ids there are. */
static skep_rc room(struct skep_x_ctx *c, unsigned f, skep_err *err)
{
    struct field *x = &((struct facets *)c->extra)->fields[f];
    uint32_t n = SKEP_MAX(c->partial->keys[f].n, 1u); /* 0, absent, may come before any key */
    if (n <= x->cap)
        return SKEP_OK;
    uint32_t cap = SKEP_MAX(x->cap, 16u);
    while (cap < n)
        cap += cap < 4096 ? cap : cap / 4;
    struct sides *by_id =
        skep_agg_realloc(&c->partial->mem, x->by_id, x->cap * sizeof *by_id, cap * sizeof *by_id);
    if (!by_id)
        return no_memory(c, f, err);
    x->by_id = by_id;
    x->cap = cap;
    return SKEP_OK;
}

static bool too_many(const struct skep_keys *k)
{
    return k->n > SKEP_LIMIT_PLAN_FACET_VALUES + 1u; /* id 0 is absent */
}

/* --- all rows of a morsel by code --- */

static struct skep_colreader *only_reader(struct skep_x_ctx *c, unsigned f,
                                          const struct skep_x_source **ret, skep_err *err)
{
    const struct skep_x_bound *b = skep_x__sources(c, c->groups[f].name);
    *ret = b->n == 1 ? &b->sources[0] : NULL;
    if (b->n != 1)
        return NULL;
    if (b->sources[0].kind == SKEP_X_LISTED)
        return skep_x__column_reader(c, b->sources[0].column, err);
    bool text = b->sources[0].kind == SKEP_X_FIELD &&
                (b->sources[0].type == SKEP_TYPE_STRING || b->sources[0].type == SKEP_TYPE_ARRAY ||
                 b->sources[0].type == SKEP_TYPE_BYTES);
    return text ? skep_x__field_reader(c, b->sources[0].field, err) : NULL;
}

static skep_value code_value(const struct skep_x_source *s, const struct skep_dict *dict,
                             uint32_t code)
{
    return dict ? (skep_value){.type = s->type, .s = skep_dict_str(dict, code)} : s->list[code];
}

/* Counts by code to counts by key. */
static skep_rc settle(struct skep_x_ctx *c, unsigned f, const struct skep_x_source *s,
                      const struct skep_dict *dict, uint32_t n_codes, uint64_t rows, int64_t weight,
                      skep_err *err)
{
    struct field *x = &((struct facets *)c->extra)->fields[f];
    SKEP_UNINIT uint64_t hashes[STEP];
    SKEP_UNINIT uint32_t codes[STEP];
    for (uint32_t code = 0; code < n_codes;) {
        unsigned n = 0;
        for (; code < n_codes && n < STEP; code++) {
            skep_value v = code_value(s, dict, code);
            if (x->counts[code] == 0 || v.type == SKEP_TYPE_NULL)
                continue;
            hashes[n] =
                dict ? skep_agg_hash_text(s->type, dict->hashes[code]) : skep_agg_hash_value(&v);
            codes[n++] = code;
        }
        skep_keys_prefetch(&c->partial->keys[f], hashes, n);
        for (unsigned i = 0; i < n; i++) {
            skep_value v = code_value(s, dict, codes[i]);
            uint32_t id = 0;
            SKEP_TRY(skep_x__key(c, f, &v, hashes[i], &id, err));
            SKEP_TRY(room(c, f, err));
            x->by_id[id].all += (uint64_t)x->counts[codes[i]] * (uint64_t)weight;
            rows -= x->counts[codes[i]];
        }
    }
    if (n_codes > 0)
        memset(x->counts, 0, n_codes * sizeof *x->counts);
    SKEP_TRY(room(c, f, err));
    x->by_id[0].all += rows * (uint64_t)weight;
    return SKEP_OK;
}

static skep_rc count_codes(struct skep_x_ctx *c, unsigned f, uint64_t row0, unsigned n,
                           int64_t weight, skep_err *err)
{
    struct field *x = &((struct facets *)c->extra)->fields[f];
    const struct skep_x_source *s = NULL;
    const struct skep_dict *dict = NULL;
    struct skep_colreader *r = only_reader(c, f, &s, err);
    uint32_t n_codes = 0, present = 0;
    if (!r || !r->ops->coded || !r->ops->coded(r, row0, &dict, &n_codes) ||
        (n_codes > 0 && (s->kind == SKEP_X_LISTED) != (dict == NULL)))
        return SKEP_OK;
    if (n_codes > x->cap_codes) {
        uint32_t *counts = skep_agg_realloc(
            &c->partial->mem, x->counts, x->cap_codes * sizeof *counts, n_codes * sizeof *counts);
        if (!counts)
            return no_memory(c, f, err);
        x->counts = counts;
        x->cap_codes = n_codes;
    }
    if (n_codes > 0)
        SKEP_TRY(r->ops->tally(r, row0, n, x->counts, &present, err));
    SKEP_TRY(settle(c, f, s, dict, n_codes, n, weight, err));
    x->counted = true;
    return SKEP_OK;
}

/* Are all rows of the morsel asked about, with one weight? */
static bool whole(struct skep_x_ctx *c, const struct skep_x_morsel *m, unsigned *ret_n,
                  int64_t *ret_weight)
{
    const struct skep_time_range *t = &c->q->plan->range;
    uint64_t row0 = m->block * SKEP_BLOCK_ROWS, last = m->end - 1;
    skep_err err;
    if (c->q->filter || (c->live && c->live->chunks[row0 / SKEP_ROW_GROUP_ROWS]))
        return false;
    for (uint64_t b = m->block; b < m->end; b++)
        if (c->rs->blocks[b].min_start_ns < t->start_ns ||
            c->rs->blocks[b].max_start_ns >= t->end_ns)
            return false;
    *ret_n = (unsigned)(last * SKEP_BLOCK_ROWS + skep_rowset_block_rows(c->rs, last) - row0);
    *ret_weight = 1;
    if (c->q->plan->ignore_sample_rate)
        return true;
    struct skep_colreader *r = skep_x__column_reader(c, SKEP_COL_SAMPLE_RATE, &err);
    if (!r || !r->ops->same || !r->ops->same(r, row0, *ret_n, ret_weight))
        return false;
    *ret_weight = SKEP_MIN(SKEP_MAX(*ret_weight, 1), (int64_t)UINT32_MAX);
    return true;
}

/* --- rows of a block --- */

struct block {
    struct skep_x_bits bits, selected;
    struct skep_sel sel, selected_sel;
    const int64_t *weights;
    int64_t weight;
    uint16_t rows[SKEP_BLOCK_ROWS], selected_rows[SKEP_BLOCK_ROWS];
};

static uint64_t weight_of(const struct block *b, unsigned r)
{
    int64_t w = b->weights ? b->weights[r] : b->weight;
    return w < 1 ? 1 : (uint64_t)w;
}

/* The flags are constants where it is inlined. */
SKEP_INLINE void add_rows(struct sides *by_id, const struct block *b, struct skep_sel sel,
                          const uint32_t *ids, bool selected, bool dense)
{
    uint64_t w = weight_of(b, 0);
    for (unsigned i = 0; i < sel.n; i++) {
        unsigned r = dense ? i : sel.rows[i];
        struct sides *x = &by_id[ids[r]];
        *(selected ? &x->selected : &x->all) += w;
    }
}

static void add(struct sides *by_id, const struct block *b, struct skep_sel sel,
                const struct skep_ids *ids, bool selected)
{
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
        struct sides *x = &by_id[ids->constant ? ids->value : ids->v[r]];
        *(selected ? &x->selected : &x->all) += weight_of(b, r);
    }
}

static skep_rc block_field(struct skep_x_ctx *c, const struct block *b, unsigned f, skep_err *err)
{
    struct facets *k = c->extra;
    struct skep_ids *ids = &c->scratch->keys[0];
    const struct skep_x_bits *bits = k->fields[f].counted ? &b->selected : &b->bits;
    if (!skep_x__any(bits))
        return SKEP_OK;
    SKEP_TRY(skep_x__group_keys(c, f, bits, ids, err));
    SKEP_TRY(room(c, f, err));
    if (!k->fields[f].counted)
        add(k->fields[f].by_id, b, b->sel, ids, false);
    add(k->fields[f].by_id, b, b->selected_sel, ids, true);
    if (too_many(&c->partial->keys[f]))
        drop(c, f);
    return SKEP_OK;
}

static skep_rc facets_block(struct skep_x_ctx *c, skep_err *err)
{
    SKEP_UNINIT struct block b;
    struct facets *k = c->extra;
    SKEP_TRY(skep_x__select(c, &b.bits, err));
    if (!skep_x__any(&b.bits))
        return SKEP_OK;
    b.selected = b.bits;
    struct shared *shared = c->q->shared;
    SKEP_TRY(skep_x__filter(c, shared->selection, &b.selected, err));
    b.sel = skep_x__rows(&b.bits, c->n, b.rows);
    b.selected_sel = skep_x__rows(&b.selected, c->n, b.selected_rows);
    SKEP_TRY(skep_x__row_weights(c, b.sel, &b.weights, &b.weight, err));
    for (unsigned i = 0; i < b.sel.n; i++)
        k->rows.all += weight_of(&b, b.sel.rows ? b.sel.rows[i] : i);
    for (unsigned i = 0; i < b.selected_sel.n; i++)
        k->rows.selected += weight_of(&b, b.selected_sel.rows ? b.selected_sel.rows[i] : i);
    for (unsigned f = 0; f < c->q->plan->n_groups; f++) {
        if (!k->fields[f].dropped && how_of(c->q, f) != COUNTED) /* since the morsel began */
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
        c->extra = skep_calloc(1, sizeof(struct facets) + n_fields * sizeof(struct field));
    struct facets *k = c->extra;
    bool all = whole(c, m, &n, &weight);
    for (unsigned f = 0; f < n_fields; f++) {
        k->fields[f].counted = false;
        if (!k->fields[f].dropped && how_of(c->q, f) != COUNTED)
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
    const struct field *x = &((struct facets *)from->extra)->fields[f];
    struct field *y = &((struct facets *)to->extra)->fields[f];
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
        struct facets *to = all->extra, *from = c->extra;
        to->rows.all += from->rows.all;
        to->rows.selected += from->rows.selected;
        all->partial->estimated = all->partial->estimated || c->partial->estimated;
        for (unsigned f = 0; f < q->plan->n_groups; f++) {
            if (how_of(q, f) == COUNTED)
                SKEP_TRY(merge_field(all, c, f, err));
            if (too_many(&all->partial->keys[f]))
                drop(all, f);
            forget(c, f);
        }
    }
    *ret = all;
    return SKEP_OK;
}

struct scored {
    skep_u128 score; /* |selected * R - rest * S| */
    struct skep_facet_value v;
};

/* < 0 when a stands before b. */
static int by_score(const void *x, const void *y)
{
    const struct scored *a = x, *b = y;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return skep_value_order(&a->v.value, &b->v.value);
}

/* Keep the best `cap`; best[*n] is ordered. */
static void offer(struct scored *best, size_t *n, size_t cap, struct scored s)
{
    if (*n == cap && by_score(&s, &best[cap - 1]) >= 0)
        return;
    size_t at = *n < cap ? (*n)++ : cap - 1;
    for (; at > 0 && by_score(&s, &best[at - 1]) < 0; at--)
        best[at] = best[at - 1];
    best[at] = s;
}

static struct scored score(const struct facets *k, const struct skep_value *v, struct sides x)
{
    uint64_t selected = k->rows.selected, rest = k->rows.all - k->rows.selected;
    struct scored s = {.v = {*v, x.selected, x.all - x.selected}};
    skep_u128 a = (skep_u128)s.v.selected * SKEP_MAX(rest, 1u);
    skep_u128 b = (skep_u128)s.v.rest * SKEP_MAX(selected, 1u);
    s.score = a > b ? a - b : b - a;
    return s;
}

static skep_rc make_facet(struct skep_x_ctx *c, unsigned f, size_t limit, struct scored *best,
                          struct skep_facet *ret, skep_err *err)
{
    struct skep_arena *arena = c->q->opts->arena;
    const struct facets *k = c->extra;
    const struct field *x = &k->fields[f];
    const struct skep_keys *keys = &c->partial->keys[f];
    static const skep_value absent = {.type = SKEP_TYPE_NULL};
    skep_u128 total = 0; /* each score is at most S * R, their sum at most twice that: 2^127 */
    size_t n = 0;
    for (uint32_t i = 0; i < x->cap && i < SKEP_MAX(keys->n, 1u); i++) {
        if (x->by_id[i].all == 0)
            continue;
        struct scored s = score(k, i ? &keys->values[i] : &absent, x->by_id[i]);
        total += s.score;
        ret->n_values += i > 0;
        offer(best, &n, limit, s);
    }
    uint64_t selected = k->rows.selected, rest = k->rows.all - k->rows.selected;
    if (selected > 0 && rest > 0)
        ret->difference = (double)total / ((double)selected * (double)rest * 2);
    ret->values = skep_arena_try_alloc(arena, (n + 1) * sizeof *ret->values);
    if (!ret->values)
        return no_memory(c, f, err);
    for (; ret->n < n; ret->n++) {
        struct skep_facet_value *v = &ret->values[ret->n];
        *v = best[ret->n].v;
        if (v->value.type == SKEP_TYPE_STRING || v->value.type == SKEP_TYPE_BYTES ||
            v->value.type == SKEP_TYPE_ARRAY)
            v->value.s = skep_arena_str(arena, v->value.s);
    }
    return SKEP_OK;
}

static int by_difference(const void *x, const void *y)
{
    const struct skep_facet *a = x, *b = y;
    if (a->too_many != b->too_many)
        return a->too_many ? 1 : -1;
    if (a->difference != b->difference)
        return a->difference > b->difference ? -1 : 1;
    return skep_str_cmp(a->name, b->name);
}

/* Answer the fields that were counted in this pass. */
static skep_rc make_facets(struct skep_x_query *q, struct skep_x_ctx *c, struct skep_facets *ret,
                           skep_err *err)
{
    size_t limit = q->plan->limit ? q->plan->limit : DEFAULT_VALUES;
    uint64_t bytes = (limit + 1) * sizeof(struct scored);
    if (skep_x__take(q, bytes) != SKEP_OK)
        return skep_fail(err, SKEP_ENOMEM, "ask for less values: no memory for so many");
    struct scored *best = skep_calloc(limit + 1, sizeof *best);
    skep_rc rc = SKEP_OK;
    for (unsigned f = 0; f < q->plan->n_groups && rc == SKEP_OK; f++) {
        enum how how = how_of(q, f);
        if (how != COUNTED && how != TOO_MANY)
            continue;
        struct skep_facet *x = &ret->facets[ret->n++];
        x->name = skep_arena_str(q->opts->arena, q->plan->groups[f].name);
        x->too_many = how == TOO_MANY;
        if (c && !x->too_many)
            rc = make_facet(c, f, limit, best, x, err);
        set_how(q, f, ANSWERED);
    }
    if (c) {
        const struct facets *k = c->extra;
        ret->selected = k->rows.selected;
        ret->rest = k->rows.all - k->rows.selected;
        ret->estimated = c->partial->estimated;
    }
    skep_free(best);
    skep_x__give(q, bytes);
    return rc;
}

/* Contexts as at the beginning, for the fields that were put off; false: there are none. */
static bool next_pass(struct skep_x_query *q)
{
    struct shared *shared = q->shared;
    shared->n_counted = 0;
    for (unsigned f = 0; f < q->plan->n_groups; f++) {
        if (how_of(q, f) != LATER)
            continue;
        set_how(q, f, COUNTED);
        shared->n_counted++;
    }
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
    return shared->n_counted > 0;
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
        atomic_init(&shared.how[f], COUNTED);
        skep_x__name(q, keys.groups[f].name);
    }
    ret->facets.facets = skep_new_n(q->opts->arena, struct skep_facet, keys.n_groups + 1);
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
    if (rc == SKEP_OK)
        qsort(ret->facets.facets, ret->facets.n, sizeof *ret->facets.facets, by_difference);
    return rc;
}
