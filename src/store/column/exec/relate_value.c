// SPDX-License-Identifier: Apache-2.0
/* Fields of relatives: group keys and what aggregates are fed with.
 *
 * For each row the window knows the first relative (relate.c).  The fields of those relatives alone
 * are read, once each, block by block of the window; rows then take what stands at their relative:
 *
 *   keys[group][row of the window]    key ids, made by the ordinary code of group.c
 *   parts[state][row of the window]   a number or a hash
 *
 * Rows of cut traces take theirs from the cut's table of values; each context remembers the key ids
 * it gave them.
 *
 * I1  numbers stay what they are stored as: durations are summed as nanoseconds, wherever the
 *     relative stands.
 *
 * Threads: a context belongs to one.  Memory: rooms of the window, from the query's budget. */
#include "store/column/exec/relate.h"

#include "base/assert.h"
#include "base/mem.h"

struct skep_x_part skep_x__number(const struct skep_x_vals *v, unsigned row)
{
    struct skep_x_part p = {.present = true};
    unsigned at = v->constant ? 0 : row;
    switch (v->form) {
    case SKEP_X_F64:
        p.number = SKEP_X_NUM_F64;
        memcpy(&p.bits, &v->f64[at], 8);
        return p;
    case SKEP_X_NS:
    case SKEP_X_TIME:
        p.number = v->form == SKEP_X_NS ? SKEP_X_NUM_NS : SKEP_X_NUM_I64;
        p.bits = (uint64_t)v->i64[at];
        return p;
    case SKEP_X_I64:
        if (v->type == SKEP_TYPE_INT) {
            p.number = SKEP_X_NUM_I64;
            p.bits = (uint64_t)v->i64[at];
        }
        return p;
    case SKEP_X_CODES: {
        const skep_value *x = &v->list[v->i64[at]];
        if (x->type == SKEP_TYPE_INT || x->type == SKEP_TYPE_DOUBLE) {
            p.number = x->type == SKEP_TYPE_INT ? SKEP_X_NUM_I64 : SKEP_X_NUM_F64;
            memcpy(&p.bits, &x->i, 8);
        }
        return p;
    }
    case SKEP_X_DICT:
    case SKEP_X_STR:
    case SKEP_X_ID16:
    case SKEP_X_ID8:
    default: return p; /* texts are no numbers */
    }
}

/* Values of `name` for the rows in bits, into parts[row of the block]. */
static skep_rc block_parts(struct skep_x_ctx *c, uint32_t name, enum skep_agg_want want,
                           const struct skep_x_bits *bits, struct skep_x_part *parts, skep_err *err)
{
    const struct skep_x_bound *b = skep_x__sources(c, name);
    struct skep_x_bits rest = *bits;
    for (unsigned i = 0; i < b->n && skep_x__any(&rest); i++) {
        struct skep_x_vals v;
        SKEP_TRY(skep_x__load(c, &b->sources[i], &rest, &v, err));
        uint16_t rows[SKEP_BLOCK_ROWS];
        struct skep_sel sel = skep_x__rows(&v.present, c->n, rows);
        for (unsigned k = 0; k < sel.n; k++) {
            unsigned r = sel.rows ? sel.rows[k] : k;
            if (want == SKEP_AGG_WANT_NUMBERS) {
                parts[r] = skep_x__number(&v, r);
            } else {
                char text[40];
                skep_value x = {.type = SKEP_TYPE_NULL};
                if (want == SKEP_AGG_WANT_HASHES)
                    x = skep_x__value(&v, r, text);
                parts[r] = (struct skep_x_part){.present = true, .bits = skep_agg_hash_value(&x)};
            }
        }
        skep_x__andnot(&rest, &v.present);
    }
    return SKEP_OK;
}

/* Rows of the window that are somebody's first relative, as a bitmap in the set's room. */
static skep_rc wanted(struct skep_x_ctx *c, uint32_t rel, const uint64_t **ret, skep_err *err)
{
    struct skep_x_window *w = c->window;
    size_t words = (size_t)(w->end - w->block) * SKEP_X_WORDS + 1;
    SKEP_TRY(skep_x__room(c->q, &w->rooms[SKEP_X_ROOM_SET], words * 8, err));
    uint64_t *set = w->rooms[SKEP_X_ROOM_SET].p;
    const uint32_t *first = w->first[rel];
    enum skep_relation how = c->q->rels[rel].how;
    memset(set, 0, words * 8);
    if (how == SKEP_REL_ROOT || how == SKEP_REL_ANY) { /* one for a run */
        for (uint32_t r = 0; r < w->graph.n_runs; r++)
            skep_relate_add(set, first[w->graph.runs[r].first]);
    } else {
        for (uint32_t r = 0; r < w->n; r++)
            skep_relate_add(set, first[r]);
    }
    set[w->n / 64] &= ~(1ull << (w->n % 64)); /* none */
    *ret = set;
    return SKEP_OK;
}

static skep_rc window_keys(struct skep_x_ctx *c, unsigned group, const uint64_t *set, skep_err *err)
{
    struct skep_x_window *w = c->window;
    struct skep_x_room *room = &w->rooms[SKEP_X_ROOMS + c->q->n_rels + group];
    SKEP_TRY(skep_x__room(c->q, room, (w->n + 1ull) * sizeof(uint32_t), err));
    uint32_t *keys = w->keys[group] = room->p;
    keys[w->n] = 0; /* absent */
    struct skep_ids ids;
    for (uint64_t b = w->block; b < w->end; b++) {
        struct skep_x_bits bits;
        memcpy(bits.w, set + (b - w->block) * SKEP_X_WORDS, sizeof bits.w);
        if (!skep_x__any(&bits))
            continue;
        skep_x__block(c, b);
        SKEP_TRY(skep_x__own_keys(c, group, &bits, &ids, err));
        uint32_t *to = keys + (b - w->block) * SKEP_BLOCK_ROWS;
        if (skep_x__count(&bits) == c->n && !ids.constant) {
            memcpy(to, ids.v, c->n * sizeof *to);
            continue;
        }
        uint16_t rows[SKEP_BLOCK_ROWS];
        struct skep_sel sel = skep_x__rows(&bits, c->n, rows);
        for (unsigned i = 0; i < sel.n; i++) {
            unsigned r = sel.rows ? sel.rows[i] : i;
            to[r] = ids.constant ? ids.value : ids.v[r];
        }
    }
    return SKEP_OK;
}

static skep_rc window_parts(struct skep_x_ctx *c, unsigned state, const uint64_t *set,
                            skep_err *err)
{
    struct skep_x_window *w = c->window;
    const struct skep_partial_state *s = &c->partial->states[state];
    unsigned n_groups = c->q->plan->n_groups;
    struct skep_x_room *room = &w->rooms[SKEP_X_ROOMS + c->q->n_rels + n_groups + state];
    SKEP_TRY(skep_x__room(c->q, room, (w->n + 1ull) * sizeof(struct skep_x_part), err));
    struct skep_x_part *parts = w->parts[state] = room->p;
    parts[w->n] = (struct skep_x_part){.present = false};
    uint32_t name = skep_x__name(c->q, s->agg->field.name);
    for (uint64_t b = w->block; b < w->end; b++) {
        struct skep_x_bits bits;
        memcpy(bits.w, set + (b - w->block) * SKEP_X_WORDS, sizeof bits.w);
        if (!skep_x__any(&bits))
            continue;
        skep_x__block(c, b);
        struct skep_x_part *to = parts + (b - w->block) * SKEP_BLOCK_ROWS;
        memset(to, 0, c->n * sizeof *to);
        SKEP_TRY(block_parts(c, name, s->ops->want, &bits, to, err));
    }
    return SKEP_OK;
}

/* A state before it that is fed the same, or n. */
static unsigned fed_alike(const struct skep_x_ctx *c, unsigned n)
{
    const struct skep_partial_state *s = c->partial->states;
    for (unsigned i = 0; i < n; i++)
        if (s[i].ops->want == s[n].ops->want && skep_field_same(&s[i].agg->field, &s[n].agg->field))
            return i;
    return n;
}

skep_rc skep_x__relate_values(struct skep_x_ctx *c, skep_err *err)
{
    const uint64_t *set = NULL;
    if (c->q->n_fields_of == 0 || c->window->valued)
        return SKEP_OK;
    for (unsigned f = 0; f < c->q->n_fields_of; f++) {
        uint32_t rel = c->q->fields_of[f].rel;
        SKEP_TRY(wanted(c, rel, &set, err));
        /* Most spans are somebody's parent: all of them are no more work. */
        bool all = c->q->rels[rel].how == SKEP_REL_PARENT && c->window->graph.n_runs > 0;
        for (unsigned g = 0; g < c->q->plan->n_groups; g++)
            if (c->groups[g].rel == rel)
                SKEP_TRY(window_keys(c, g, all ? c->window->spans : set, err));
        for (unsigned s = 0; s < c->partial->n_states; s++)
            if (skep_x__rel_field(c->q, &c->partial->states[s].agg->field) != rel)
                continue;
            else if (fed_alike(c, s) < s)
                c->window->parts[s] = c->window->parts[fed_alike(c, s)];
            else
                SKEP_TRY(window_parts(c, s, set, err));
    }
    c->window->valued = true;
    return SKEP_OK;
}

/* ---- rows ------------------------------------------------------------------------------- */

static skep_rc cut_key(struct skep_x_ctx *c, unsigned group, uint32_t value, uint32_t *ret,
                       skep_err *err)
{
    const struct skep_x_cut *cut = c->cut;
    struct skep_x_room *room = &c->window->cut_keys[group];
    if (room->bytes == 0) {
        SKEP_TRY(skep_x__room(c->q, room, (cut->n_table + 1ull) * sizeof(uint32_t), err));
        memset(room->p, 0, room->bytes);
    }
    uint32_t *known = (uint32_t *)room->p + value;
    if (*known == 0) {
        uint32_t id = 0;
        const skep_value *v = &cut->table[value].v;
        SKEP_TRY(skep_x__key(c, group, v, skep_agg_hash_value(v), &id, err));
        *known = id == SKEP_ID_NONE ? SKEP_ID_NONE : id + 1;
    }
    *ret = *known == SKEP_ID_NONE ? SKEP_ID_NONE : *known - 1;
    return SKEP_OK;
}

/* The value of the first relative of a place, or UINT32_MAX. */
static uint32_t cut_value(const struct skep_x_cut *cut, uint32_t place, uint32_t rel, uint32_t name)
{
    uint32_t first = cut->first[rel][cut->node_of[place]];
    return first == cut->n ? UINT32_MAX : cut->values[name][first] - 1;
}

skep_rc skep_x__related_keys(struct skep_x_ctx *c, unsigned group, const struct skep_x_bits *bits,
                             struct skep_ids *ret, skep_err *err)
{
    const struct skep_x_window *w = c->window;
    const struct skep_x_group *g = &c->groups[group];
    const uint32_t *first = w->first[g->rel] + (c->row0 - w->row0), *keys = w->keys[group];
    uint16_t rows[SKEP_BLOCK_ROWS];
    struct skep_sel sel = skep_x__rows(bits, c->n, rows);
    ret->constant = false;
    for (unsigned i = 0; i < sel.n; i++) {
        unsigned r = sel.rows ? sel.rows[i] : i;
        ret->v[r] = keys[first[r]];
    }
    uint32_t p, end;
    skep_x__cut_range(c->cut, c->set, c->row0, c->row0 + c->n, &p, &end);
    for (; p < end; p++) {
        unsigned r = (unsigned)(c->cut->rows[p] - c->row0);
        uint32_t value = cut_value(c->cut, p, g->rel, g->name);
        if (skep_x__has(bits, r) && value != UINT32_MAX)
            SKEP_TRY(cut_key(c, group, value, &ret->v[r], err));
    }
    return SKEP_OK;
}

/* What the rows' relatives have, by row of the block. */
struct fed {
    uint8_t present[SKEP_BLOCK_ROWS]; /* 0, or 1 + enum skep_x_number */
    uint64_t bits[SKEP_BLOCK_ROWS];
};

static void feed(struct skep_x_ctx *c, unsigned state, const struct skep_x_bits *bits,
                 struct fed *ret)
{
    const struct skep_x_window *w = c->window;
    const struct skep_partial_state *s = &c->partial->states[state];
    uint32_t rel = skep_x__rel_field(c->q, &s->agg->field);
    const uint32_t *first = w->first[rel] + (c->row0 - w->row0);
    const struct skep_x_part *parts = w->parts[state];
    SKEP_UNINIT uint16_t rows[SKEP_BLOCK_ROWS];
    struct skep_sel sel = skep_x__rows(bits, c->n, rows);
    memset(ret->present, 0, sizeof ret->present);
    for (unsigned i = 0; i < sel.n; i++) {
        unsigned r = sel.rows ? sel.rows[i] : i;
        const struct skep_x_part *p = &parts[first[r]];
        ret->present[r] = p->present ? (uint8_t)(1 + p->number) : 0;
        ret->bits[r] = p->bits;
    }
    uint32_t p, end, name = skep_x__name(c->q, s->agg->field.name);
    skep_x__cut_range(c->cut, c->set, c->row0, c->row0 + c->n, &p, &end);
    for (; p < end; p++) {
        unsigned r = (unsigned)(c->cut->rows[p] - c->row0);
        uint32_t value = cut_value(c->cut, p, rel, name);
        if (!skep_x__has(bits, r) || value == UINT32_MAX)
            continue;
        const struct skep_x_cut_value *x = &c->cut->table[value];
        bool hash = s->ops->want == SKEP_AGG_WANT_HASHES;
        ret->present[r] = (uint8_t)(1 + (hash ? SKEP_X_NO_NUMBER : x->number.number));
        ret->bits[r] = hash ? x->hash : x->number.bits;
    }
}

skep_rc skep_x__related_add(struct skep_x_ctx *c, unsigned state, const struct skep_x_bits *bits,
                            struct skep_agg_in *in, skep_err *err)
{
    static const enum skep_agg_form forms[] = {
        [SKEP_X_NUM_I64] = SKEP_AGG_I64,
        [SKEP_X_NUM_F64] = SKEP_AGG_F64,
        [SKEP_X_NUM_NS] = SKEP_AGG_NS,
    };
    enum skep_agg_want want = c->partial->states[state].ops->want;
    struct fed fed;
    feed(c, state, bits, &fed);
    bool numbers = want == SKEP_AGG_WANT_NUMBERS;
    for (unsigned n = numbers; n < (numbers ? SKEP_ARRAY_LEN(forms) : 1); n++) {
        uint16_t rows[SKEP_BLOCK_ROWS];
        unsigned n_rows = 0;
        for (unsigned r = 0; r < c->n; r++)
            if (numbers ? fed.present[r] == 1 + n : fed.present[r] > 0)
                rows[n_rows++] = (uint16_t)r;
        if (n_rows == 0)
            continue;
        in->sel = (struct skep_sel){n_rows, rows};
        in->form = numbers                        ? forms[n]
                   : want == SKEP_AGG_WANT_HASHES ? SKEP_AGG_HASH
                                                  : SKEP_AGG_ROWS;
        in->constant = false;
        in->i64 = (const int64_t *)fed.bits;
        in->f64 = (const double *)fed.bits;
        in->hashes = fed.bits;
        SKEP_TRY(skep_x__add(c, state, in, err));
    }
    return SKEP_OK;
}
