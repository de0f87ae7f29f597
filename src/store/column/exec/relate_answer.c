// SPDX-License-Identifier: Apache-2.0
/* Answers of the cut: relations, and fields of relatives, of traces that stand in several places.
 *
 *   answers   each relation's kid is run over the gathered rows, block by block of their rowsets,
 *             then the relation over the graph
 *   values    of the first relatives whose fields are asked for, each different one once
 *
 * I1  a kid's own relations have lower numbers: their answers are in the cut already.
 *
 * Threads: one, which owns the context.  Memory: from the query's budget. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/exec/relate.h"

/* ---- answers ---------------------------------------------------------------------------- */

/* Called for the places [from, to) of one block that are in `nodes`; the block is selected. */
typedef skep_rc block_fn(struct skep_x_ctx *c, uint32_t from, uint32_t to, const uint64_t *nodes,
                         void *arg, skep_err *err);

static skep_rc each_block_of(struct skep_x_ctx *c, uint32_t set, const uint64_t *nodes,
                             block_fn *fn, void *arg, skep_err *err)
{
    const struct skep_x_cut *cut = c->cut;
    SKEP_TRY(skep_x__bind(c, set, err));
    for (uint32_t p = cut->set_first[set], to; p < cut->set_end[set]; p = to) {
        uint64_t block = cut->rows[p] / SKEP_BLOCK_ROWS;
        bool some = false;
        for (to = p; to < cut->set_end[set] && cut->rows[to] / SKEP_BLOCK_ROWS == block; to++)
            some = some || skep_relate_has(nodes, cut->node_of[to]);
        if (!some)
            continue;
        SKEP_TRY(skep_x__cut_canceled(c->q, err));
        skep_x__block(c, block);
        SKEP_TRY(fn(c, p, to, nodes, arg, err));
    }
    return SKEP_OK;
}

static skep_rc each_block(struct skep_x_ctx *c, const uint64_t *nodes, block_fn *fn, void *arg,
                          skep_err *err)
{
    for (uint32_t s = 0; s < c->q->snap->n; s++) {
        skep_err why;
        if (c->cut->set_first[s] == c->cut->set_end[s])
            continue;
        skep_rc rc = each_block_of(c, s, nodes, fn, arg, &why);
        SKEP_TRY(skep_x__cut_damaged(c->q, rc, &why, err));
    }
    return SKEP_OK;
}

static void block_bits(const struct skep_x_ctx *c, uint32_t from, uint32_t to,
                       const uint64_t *nodes, struct skep_x_bits *ret)
{
    memset(ret, 0, sizeof *ret);
    for (uint32_t p = from; p < to; p++) {
        unsigned r = (unsigned)(c->cut->rows[p] - c->row0);
        if (skep_relate_has(nodes, c->cut->node_of[p]))
            ret->w[r / 64] |= 1ull << (r % 64);
    }
}

struct kid {
    uint32_t rel;
    uint64_t *set; /* nodes that pass */
};

static skep_rc run_kid(struct skep_x_ctx *c, uint32_t from, uint32_t to, const uint64_t *nodes,
                       void *arg, skep_err *err)
{
    const struct kid *k = arg;
    const struct skep_x_rel *rel = &c->q->rels[k->rel];
    struct skep_x_bits bits;
    block_bits(c, from, to, nodes, &bits);
    if (rel->nested) {
        uint64_t block = c->block;
        SKEP_TRY(skep_x__window(c, block, block + 1, err));
        for (uint32_t i = 0; i < k->rel; i++)
            skep_x__window_cut(c, i);
    }
    SKEP_TRY(skep_x__filter(c, rel->kid, &bits, err));
    for (uint32_t p = from; p < to; p++)
        if (skep_x__has(&bits, (unsigned)(c->cut->rows[p] - c->row0)))
            skep_relate_add(k->set, c->cut->node_of[p]);
    return SKEP_OK;
}

struct ids {
    uint32_t rel;
    uint32_t *of; /* by node */
};

static skep_rc run_ids(struct skep_x_ctx *c, uint32_t from, uint32_t to, const uint64_t *nodes,
                       void *arg, skep_err *err)
{
    const struct ids *ids = arg;
    struct skep_x_bits bits;
    SKEP_UNINIT struct skep_ids got;
    block_bits(c, from, to, nodes, &bits);
    SKEP_TRY(skep_x__same_ids(c, ids->rel, &bits, &got, err));
    for (uint32_t p = from; p < to; p++)
        ids->of[c->cut->node_of[p]] = got.constant ? got.value : got.v[c->cut->rows[p] - c->row0];
    return SKEP_OK;
}

static skep_rc answer_same(struct skep_x_ctx *c, uint32_t i, skep_err *err)
{
    struct skep_x_cut *cut = c->cut;
    const struct skep_x_rel *rel = &c->q->rels[i];
    size_t words = skep_relate_words(cut->n);
    uint64_t bytes = words * 8 + cut->n * sizeof(uint32_t);
    cut->bits[i] = skep_x__cut_keep(c->q, cut, words * 8);
    if (!cut->bits[i] || skep_x__take(c->q, bytes) != SKEP_OK)
        return skep_x__cut_too_many(err);
    uint64_t *all = skep_alloc_n(uint64_t, words);
    struct ids ids = {i, skep_alloc_n(uint32_t, cut->n + 1)};
    memset(all, 0xff, words * 8);
    skep_rc rc = each_block(c, all, run_ids, &ids, err);
    for (uint32_t r = 0; rc == SKEP_OK && r < cut->graph.n_runs; r++) {
        const struct skep_relate_run *run = &cut->graph.runs[r];
        for (uint32_t k = run->first; k < run->end; k++) {
            uint32_t p = rel->how == SKEP_REL_ROOT ? run->root : cut->graph.parent[k];
            if (p < cut->n && ids.of[p] == ids.of[k])
                skep_relate_add(cut->bits[i], k);
        }
    }
    skep_free(all);
    skep_free(ids.of);
    skep_x__give(c->q, bytes);
    return rc;
}

struct lasting {
    struct skep_x_lasting *of; /* by trace */
    const uint32_t *run_of;    /* by node */
};

static skep_rc run_lasting(struct skep_x_ctx *c, uint32_t from, uint32_t to, const uint64_t *nodes,
                           void *arg, skep_err *err)
{
    const struct lasting *l = arg;
    const int64_t *time = NULL, *duration = NULL;
    SKEP_TRY(skep_x__ints(c, SKEP_COL_TIME, c->ints[0], &time, err));
    SKEP_TRY(skep_x__ints(c, SKEP_COL_DURATION, c->ints[1], &duration, err));
    for (uint32_t p = from; p < to; p++) {
        uint32_t node = c->cut->node_of[p], r = (uint32_t)(c->cut->rows[p] - c->row0);
        if (skep_relate_has(nodes, node))
            skep_x__lasting_add(&l->of[l->run_of[node]], time[r], duration[r]);
    }
    return SKEP_OK;
}

static skep_rc answer_lasts(struct skep_x_ctx *c, uint32_t i, skep_err *err)
{
    struct skep_x_cut *cut = c->cut;
    const struct skep_relate_graph *g = &cut->graph;
    uint64_t bytes = g->n_runs * sizeof(struct skep_x_lasting) + cut->n * sizeof(uint32_t);
    cut->bits[i] = skep_x__cut_keep(c->q, cut, skep_relate_words(cut->n) * 8);
    if (!cut->bits[i] || skep_x__take(c->q, bytes) != SKEP_OK)
        return skep_x__cut_too_many(err);
    uint32_t *run_of = skep_alloc_n(uint32_t, cut->n + 1);
    struct lasting l = {skep_alloc_n(struct skep_x_lasting, g->n_runs + 1), run_of};
    for (uint32_t r = 0; r < g->n_runs; r++)
        for (uint32_t k = g->runs[r].first; k < g->runs[r].end; k++)
            run_of[k] = r;
    skep_rc rc = each_block(c, cut->spans, run_lasting, &l, err);
    for (uint32_t r = 0; rc == SKEP_OK && r < g->n_runs; r++) {
        if (!skep_x__lasts(c->q, i, &l.of[r]))
            continue;
        for (uint32_t k = g->runs[r].first; k < g->runs[r].end; k++)
            skep_relate_add(cut->bits[i], k);
    }
    skep_free(l.of);
    skep_free(run_of);
    skep_x__give(c->q, bytes);
    return rc;
}

static skep_rc answer(struct skep_x_ctx *c, uint32_t i, skep_err *err)
{
    struct skep_x_cut *cut = c->cut;
    const struct skep_x_rel *rel = &c->q->rels[i];
    if (rel->lasts)
        return answer_lasts(c, i, err);
    if (rel->same)
        return answer_same(c, i, err);
    uint64_t bytes = skep_relate_words(cut->n) * 8;
    if (rel->first)
        cut->first[i] = skep_x__cut_keep(c->q, c->cut, cut->n * sizeof(uint32_t));
    else
        cut->bits[i] = skep_x__cut_keep(c->q, c->cut, bytes);
    if ((!cut->first[i] && !cut->bits[i]) || skep_x__take(c->q, 2 * bytes) != SKEP_OK)
        return skep_x__cut_too_many(err);
    uint64_t *domain = skep_calloc(1, bytes), *set = skep_calloc(1, bytes);
    memcpy(domain, cut->spans, bytes);
    if (rel->how == SKEP_REL_ROOT) {
        memset(domain, 0, bytes);
        for (uint32_t r = 0; r < cut->graph.n_runs; r++)
            if (cut->graph.runs[r].root != SKEP_RELATE_NONE)
                skep_relate_add(domain, cut->graph.runs[r].root);
    }
    skep_rc rc = SKEP_OK;
    if (rel->kid)
        rc = each_block(c, domain, run_kid, &(struct kid){i, set}, err);
    const uint64_t *members = rel->kid ? set : domain;
    if (rc == SKEP_OK && rel->first)
        skep_relate_first(&cut->graph, rel->how, members, cut->first[i]);
    else if (rc == SKEP_OK)
        skep_relate_some(&cut->graph, rel->how, members, &cut->scratch, cut->bits[i]);
    skep_free(domain);
    skep_free(set);
    skep_x__give(c->q, 2 * bytes);
    return rc;
}

/* ---- values ----------------------------------------------------------------------------- */

static bool same_value(const struct skep_x_cut_value *a, const struct skep_x_cut_value *b)
{
    if (a->hash != b->hash || a->v.type != b->v.type || a->number.number != b->number.number ||
        a->number.bits != b->number.bits)
        return false;
    bool text = a->v.type == SKEP_TYPE_STRING || a->v.type == SKEP_TYPE_BYTES ||
                a->v.type == SKEP_TYPE_ARRAY;
    return text ? skep_str_eq(a->v.s, b->v.s)
                : a->v.type == SKEP_TYPE_EMPTY || memcmp(&a->v.i, &b->v.i, 8) == 0;
}

static skep_rc intern(struct skep_x_ctx *c, struct skep_x_cut_value x, uint32_t *ret, skep_err *err)
{
    struct skep_x_cut *cut = c->cut;
    struct skep_index_it it = skep_index_begin(&cut->table_index, x.hash);
    uint32_t i;
    while ((i = skep_index_next(&cut->table_index, &it)) != SKEP_INDEX_NONE)
        if (same_value(&cut->table[i], &x))
            break;
    if (i != SKEP_INDEX_NONE) {
        *ret = i;
        return SKEP_OK;
    }
    if (cut->n_table == cut->cap_table) {
        uint32_t cap = cut->cap_table ? cut->cap_table * 2 : 64;
        uint64_t bytes = (cap - cut->cap_table) * (sizeof x + 32ull);
        if (skep_x__take(c->q, bytes) != SKEP_OK)
            return skep_x__cut_too_many(err);
        cut->bytes += bytes;
        cut->table = skep_realloc(cut->table, cap * sizeof x);
        cut->cap_table = cap;
    }
    if (x.v.type == SKEP_TYPE_STRING || x.v.type == SKEP_TYPE_BYTES ||
        x.v.type == SKEP_TYPE_ARRAY) {
        char *copy = skep_arena_try_alloc(&c->cut->arena, x.v.s.n + 1);
        if (!copy)
            return skep_x__cut_too_many(err);
        memcpy(copy, x.v.s.p, x.v.s.n);
        x.v.s.p = copy;
    }
    i = cut->n_table++;
    cut->table[i] = x;
    skep_index_add(&cut->table_index, x.hash, i);
    *ret = i;
    return SKEP_OK;
}

struct field {
    uint32_t name;
    uint32_t *values;                    /* by node */
    const struct skep_x_group_of *group; /* NULL: an aggregate's */
};

static skep_rc run_field(struct skep_x_ctx *c, uint32_t from, uint32_t to, const uint64_t *nodes,
                         void *arg, skep_err *err)
{
    const struct field *f = arg;
    struct skep_x_bits rest;
    block_bits(c, from, to, nodes, &rest);
    const struct skep_x_bound *b = skep_x__sources(c, f->name);
    for (unsigned i = 0; i < b->n && skep_x__any(&rest); i++) {
        struct skep_x_vals v;
        SKEP_TRY(skep_x__load(c, &b->sources[i], &rest, &v, err));
        for (uint32_t p = from; p < to; p++) {
            unsigned r = (unsigned)(c->cut->rows[p] - c->row0);
            char text[40];
            uint32_t value = 0;
            if (!skep_x__has(&v.present, r))
                continue;
            struct skep_x_cut_value x = {.v = skep_x__value(&v, r, text),
                                         .number = skep_x__number(&v, r)};
            x.hash = skep_agg_hash_value(&x.v);
            SKEP_TRY(intern(c, x, &value, err));
            f->values[c->cut->node_of[p]] = value + 1;
        }
        skep_x__andnot(&rest, &v.present);
    }
    return SKEP_OK;
}

/* The number of the case that a row of a group's relatives is. */
static skep_rc run_cases(struct skep_x_ctx *c, uint32_t from, uint32_t to, const uint64_t *nodes,
                         void *arg, skep_err *err)
{
    const struct field *f = arg;
    struct skep_x_bits rest;
    uint64_t block = c->block;
    block_bits(c, from, to, nodes, &rest);
    SKEP_TRY(skep_x__window(c, block, block + 1, err));
    for (uint32_t i = 0; i < c->q->n_rels; i++)
        skep_x__window_cut(c, i);
    for (unsigned k = 0; k < f->group->n_cases; k++) {
        struct skep_x_bits some = rest;
        struct skep_x_cut_value x = {.v = {.type = SKEP_TYPE_INT, .i = k}};
        uint32_t value = 0;
        SKEP_TRY(skep_x__filter(c, f->group->cases[k], &some, err));
        x.hash = skep_agg_hash_value(&x.v);
        SKEP_TRY(intern(c, x, &value, err));
        for (uint32_t p = from; p < to; p++)
            if (skep_x__has(&some, (unsigned)(c->cut->rows[p] - c->row0)))
                f->values[c->cut->node_of[p]] = value + 1;
        skep_x__andnot(&rest, &some);
    }
    return SKEP_OK;
}

/* Values of a field, or a group's cases, of all nodes that are first relatives by `rel`. */
static skep_rc field_values(struct skep_x_ctx *c, const struct skep_field_ref *ref,
                            const struct skep_x_group_of *group, skep_err *err)
{
    struct skep_x_cut *cut = c->cut;
    uint32_t rel = skep_x__rel_field(c->q, ref);
    if (rel == SKEP_X_NO_REL)
        return SKEP_OK;
    struct field f = {.name = group ? group->name : skep_x__name(c->q, ref->name), .group = group};
    if (!cut->values[f.name])
        cut->values[f.name] = skep_x__cut_keep(c->q, c->cut, cut->n * sizeof(uint32_t));
    f.values = cut->values[f.name];
    uint64_t bytes = skep_relate_words(cut->n) * 8;
    if (!f.values || skep_x__take(c->q, bytes) != SKEP_OK)
        return skep_x__cut_too_many(err);
    uint64_t *nodes = skep_calloc(1, bytes);
    for (uint32_t node = 0; node < cut->n; node++) {
        uint32_t first = cut->first[rel][node];
        if (first < cut->n && f.values[first] == 0)
            skep_relate_add(nodes, first);
    }
    bool cases = group && group->n_cases > 0;
    skep_rc rc = each_block(c, nodes, cases ? run_cases : run_field, &f, err);
    skep_free(nodes);
    skep_x__give(c->q, bytes);
    return rc;
}

skep_rc skep_x__cut_answer(struct skep_x_ctx *c, skep_err *err)
{
    const struct skep_plan *plan = c->q->plan;
    for (uint32_t i = 0; i < c->q->n_rels; i++)
        SKEP_TRY(answer(c, i, err));
    for (unsigned i = 0; plan->kind == SKEP_PLAN_AGGREGATE && i < plan->n_groups; i++)
        SKEP_TRY(
            field_values(c, &plan->groups[i], c->q->group_of ? &c->q->group_of[i] : NULL, err));
    for (unsigned i = 0; plan->kind == SKEP_PLAN_AGGREGATE && i < plan->n_aggs; i++)
        SKEP_TRY(field_values(c, &plan->aggs[i].field, NULL, err));
    return SKEP_OK;
}
