// SPDX-License-Identifier: Apache-2.0
/* SAME: has the row's root or parent the row's own value of a field?
 *
 * Values get ids from an interner of the context's, block by block of the window (or of a cut), by
 * the code that makes group keys; then each row's id is compared with its relative's.
 *
 * I1  values are the same as group keys are: of one type; no value is the same as no value.
 *
 * Threads: a context belongs to one.  Memory: the query's budget. */
#include "base/mem.h"
#include "store/column/exec/relate.h"

struct skep_x_same {
    struct skep_agg_mem mem;
    struct skep_keys keys;
    struct skep_x_group group;
};

static struct skep_x_same *same_of(struct skep_x_ctx *c, uint32_t rel)
{
    struct skep_x_query *q = c->q;
    if (!c->sames)
        c->sames = skep_alloc_n(struct skep_x_same, q->n_sames);
    struct skep_x_same *s = &c->sames[q->rels[rel].same_at];
    if (!s->group.keys) {
        s->mem.budget = q->opts->budget;
        skep_keys_init(&s->keys, &s->mem);
        s->group.name = q->rels[rel].same_name;
        s->group.rel = SKEP_X_NO_REL;
        s->group.keys = &s->keys;
    }
    return s;
}

void skep_x__same_done(struct skep_x_ctx *c)
{
    for (unsigned i = 0; c->sames && i < c->q->n_sames; i++) {
        struct skep_x_same *s = &c->sames[i];
        if (!s->group.keys)
            continue;
        skep_x__group_done(c, &s->group);
        skep_keys_done(&s->keys);
        skep_x__give(c->q, s->mem.taken);
    }
    skep_free(c->sames);
    c->sames = NULL;
}

skep_rc skep_x__same_ids(struct skep_x_ctx *c, uint32_t rel, const struct skep_x_bits *bits,
                         struct skep_ids *ret, skep_err *err)
{
    return skep_x__keys_of(c, &same_of(c, rel)->group, bits, ret, err);
}

/* ids[row of the window], 0 where nothing lives. */
static skep_rc window_ids(struct skep_x_ctx *c, uint32_t rel, uint32_t *ids, skep_err *err)
{
    const struct skep_x_window *w = c->window;
    SKEP_UNINIT struct skep_ids of;
    memset(ids, 0, w->n * sizeof *ids);
    for (uint64_t b = w->block; b < w->end; b++) {
        struct skep_x_bits bits;
        uint16_t rows[SKEP_BLOCK_ROWS];
        if (skep_rowset_block_rows(c->rs, b) == 0)
            continue;
        skep_x__block(c, b);
        skep_x__live(c, &bits);
        if (!skep_x__any(&bits))
            continue;
        SKEP_TRY(skep_x__same_ids(c, rel, &bits, &of, err));
        struct skep_sel sel = skep_x__rows(&bits, c->n, rows);
        uint32_t *to = ids + (b - w->block) * SKEP_BLOCK_ROWS;
        for (unsigned i = 0; i < sel.n; i++) {
            unsigned r = sel.rows ? sel.rows[i] : i;
            to[r] = of.constant ? of.value : of.v[r];
        }
    }
    return SKEP_OK;
}

skep_rc skep_x__same_window(struct skep_x_ctx *c, uint32_t rel, skep_err *err)
{
    struct skep_x_window *w = c->window;
    const struct skep_x_rel *r = &c->q->rels[rel];
    struct skep_x_room *room = &w->rooms[w->n_rooms - c->q->n_sames + r->same_at];
    SKEP_TRY(skep_x__room(c->q, room, (w->n + 1ull) * sizeof(uint32_t), err));
    uint32_t *ids = room->p;
    uint64_t *bits = w->bits[rel];
    SKEP_TRY(window_ids(c, rel, ids, err));
    for (uint32_t k = 0; k < w->graph.n_runs; k++) {
        const struct skep_relate_run *run = &w->graph.runs[k];
        if (r->how == SKEP_REL_ROOT && run->root == SKEP_RELATE_NONE)
            continue;
        for (uint32_t i = run->first; i < run->end; i++) {
            uint32_t p = r->how == SKEP_REL_ROOT ? run->root : w->graph.parent[i];
            bits[i / 64] |= (uint64_t)(p < w->n && ids[SKEP_MIN(p, w->n - 1)] == ids[i])
                            << (i % 64);
        }
    }
    return SKEP_OK;
}
