// SPDX-License-Identifier: Apache-2.0
/* Partial results: cells of (group tuple, time bucket), each with the states of all aggregates.
 *
 *   row -> key ids (skep_keys) -> tuple id (skep_pairs, folded) -> cell (skep_pairs with bucket)
 *   states[s].data[cell * size]
 *
 * I1  cap_cells >= cells.n whenever a caller adds to states.
 * I2  a group exists in the answer exactly if one of its cells does.
 * I3  merging maps src's ids to dst's level by level, so it never compares a tuple's text twice.
 * I4  in a packed partial nothing can be looked up: it is only merged from, and freed.
 *
 * Threads: one at a time; each worker of a query has its own and they are merged at the end.
 * Memory: from the budget given; all given back by skep_partial_free. */
#include "agg/agg_priv.h"

#include "base/assert.h"
#include "base/mem.h"

enum { MAP_STEP = 32, PACK_BYTES = 8 << 20 };

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return q * b > a ? q - 1 : q;
}

unsigned skep_agg_buckets(const struct skep_plan *plan, skep_ts_ns *ret_bucket0_ns)
{
    int64_t g = plan->granularity_ns;
    if (g == 0) {
        *ret_bucket0_ns = plan->range.start_ns;
        return 1;
    }
    int64_t first = floor_div(plan->range.start_ns, g);
    int64_t last = floor_div(plan->range.end_ns - 1, g);
    skep_i128 start = (skep_i128)first * g; /* may fall below the first instant there is */
    *ret_bucket0_ns = start < INT64_MIN ? INT64_MIN : (skep_ts_ns)start;
    skep_assert(last - first < SKEP_LIMIT_PLAN_BUCKETS);
    return (unsigned)(last - first + 1);
}

int64_t skep_agg_bucket_span(const struct skep_plan *plan, skep_ts_ns bucket0_ns, unsigned b)
{
    skep_i128 start = plan->range.start_ns, end = plan->range.end_ns;
    if (plan->granularity_ns > 0) {
        skep_i128 bs = (skep_i128)bucket0_ns + (skep_i128)b * plan->granularity_ns;
        skep_i128 be = bs + plan->granularity_ns;
        start = SKEP_MAX(start, bs);
        end = SKEP_MIN(end, be);
    }
    skep_i128 n = end - start;
    return n < 1 ? 1 : n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

static bool same_field(const struct skep_agg *a, const struct skep_agg *b)
{
    return skep_field_same(&a->field, &b->field) && a->filter == b->filter;
}

static bool same_params(const struct skep_agg *a, const struct skep_agg *b)
{
    return a->heat_bins == b->heat_bins && memcmp(&a->heat_min, &b->heat_min, 8) == 0 &&
           memcmp(&a->heat_max, &b->heat_max, 8) == 0;
}

static const struct skep_state_ops *state_ops(const struct skep_agg *a)
{
    if (a->op == SKEP_AGG_HEATMAP && a->heat_scale == SKEP_HEAT_LINEAR)
        return &skep_state_linear;
    return skep_agg_ops(a->op)->state;
}

static void choose_states(struct skep_partial *p)
{
    for (unsigned i = 0; i < p->plan->n_aggs; i++) {
        const struct skep_agg *a = &p->plan->aggs[i];
        const struct skep_state_ops *ops = state_ops(a);
        unsigned s = 0;
        for (; s < p->n_states; s++)
            if (p->states[s].ops == ops && same_field(p->states[s].agg, a) &&
                (!ops->params || same_params(p->states[s].agg, a)))
                break;
        if (s == p->n_states)
            p->states[p->n_states++] = (struct skep_partial_state){.ops = ops, .agg = a};
        p->state_of[i] = s;
    }
}

/* Keep only the groups that the plan names: fill the tables with them and freeze those.  (The
 * absent key of a single column always passes: it has an id from the start.) */
static skep_rc restrict_groups(struct skep_partial *p)
{
    const struct skep_plan *plan = p->plan;
    if (plan->n_only_groups == 0 || p->n_groups == 0)
        return SKEP_OK;
    for (size_t g = 0; g < plan->n_only_groups; g++) {
        uint32_t tuple = 0;
        for (unsigned c = 0; c < p->n_groups; c++) {
            const skep_value *v = &plan->only_groups[g * p->n_groups + c];
            uint32_t id = 0;
            SKEP_TRY(skep_keys_get(&p->keys[c], v, skep_agg_hash_value(v), &id));
            if (c == 0)
                tuple = id;
            else
                SKEP_TRY(skep_pairs_get(&p->tuples[c - 1], tuple, id, &tuple));
        }
    }
    p->restricted = true;
    for (unsigned c = 0; c < p->n_groups; c++)
        p->keys[c].frozen = true;
    for (unsigned c = 0; c + 1 < p->n_groups; c++)
        p->tuples[c].frozen = true;
    return SKEP_OK;
}

skep_rc skep_partial_new(const struct skep_plan *plan, struct skep_budget *budget,
                         struct skep_partial **ret)
{
    skep_assert(plan->kind == SKEP_PLAN_AGGREGATE);
    struct skep_partial *p = skep_alloc(struct skep_partial);
    p->plan = plan;
    p->mem.budget = budget;
    p->pack_at = PACK_BYTES;
    p->n_buckets = skep_agg_buckets(plan, &p->bucket0_ns);
    p->n_groups = plan->n_groups;
    p->keys = skep_alloc_n(struct skep_keys, p->n_groups + 1);
    p->tuples = skep_alloc_n(struct skep_pairs, p->n_groups + 1);
    p->states = skep_alloc_n(struct skep_partial_state, plan->n_aggs + 1);
    p->state_of = skep_alloc_n(unsigned, plan->n_aggs + 1);
    for (unsigned i = 0; i < p->n_groups; i++)
        skep_keys_init(&p->keys[i], &p->mem);
    for (unsigned i = 0; i + 1 < p->n_groups; i++)
        skep_pairs_init(&p->tuples[i], &p->mem);
    skep_pairs_init(&p->cells, &p->mem);
    if (plan->max_cells > 0)
        p->cells.max = plan->max_cells;
    choose_states(p);
    skep_rc rc = restrict_groups(p);
    if (rc != SKEP_OK) {
        skep_partial_free(p);
        return rc;
    }
    *ret = p;
    return SKEP_OK;
}

void skep_partial_free(struct skep_partial *p)
{
    if (!p)
        return;
    for (unsigned s = 0; s < p->n_states; s++) {
        struct skep_partial_state *st = &p->states[s];
        if (st->ops->done)
            for (uint32_t c = 0; c < p->cells.n && c < p->cap_cells; c++)
                st->ops->done(skep_partial_state(p, s, c), &p->mem);
        skep_agg_free(&p->mem, st->data, (size_t)p->cap_cells * st->ops->size);
    }
    for (unsigned i = 0; i < p->n_groups; i++)
        skep_keys_done(&p->keys[i]);
    for (unsigned i = 0; i + 1 < p->n_groups; i++)
        skep_pairs_done(&p->tuples[i]);
    skep_pairs_done(&p->cells);
    skep_assert(p->mem.used == 0);
    if (p->mem.budget && p->mem.taken > 0)
        skep_budget_give(p->mem.budget, p->mem.taken);
    skep_free(p->keys);
    skep_free(p->tuples);
    skep_free(p->states);
    skep_free(p->state_of);
    skep_free(p);
}

skep_rc skep_partial_tuples(struct skep_partial *p, struct skep_sel sel, struct skep_ids *keys,
                            struct skep_ids *ret)
{
    if (p->n_groups == 0) {
        ret->constant = true;
        ret->value = 0;
        return SKEP_OK;
    }
    struct skep_ids *left = &keys[0];
    for (unsigned c = 1; c < p->n_groups; c++)
        SKEP_TRY(skep_pairs_map(&p->tuples[c - 1], sel, left, &keys[c], left));
    if (left->constant) {
        ret->constant = true;
        ret->value = left->value;
    } else {
        *ret = *left;
    }
    return SKEP_OK;
}

static skep_rc room_for_cells(struct skep_partial *p)
{
    if (p->cells.n <= p->cap_cells)
        return SKEP_OK;
    uint32_t cap = SKEP_MAX(p->cap_cells, 16u);
    while (cap < p->cells.n)
        cap = skep_agg__more(cap);
    uint64_t added = 0;
    for (unsigned s = 0; s < p->n_states; s++) {
        size_t size = p->states[s].ops->size;
        uint8_t *data = skep_agg_realloc(&p->mem, p->states[s].data, (size_t)p->cap_cells * size,
                                         (size_t)cap * size);
        if (!data) { /* account for the old capacity, which is what will be given back */
            skep_agg_mem_give(&p->mem, added);
            p->cells.n = SKEP_MIN(p->cells.n, p->cap_cells);
            return SKEP_ENOMEM;
        }
        p->states[s].data = data;
        added += (uint64_t)(cap - p->cap_cells) * size;
    }
    p->cap_cells = cap;
    return SKEP_OK;
}

skep_rc skep_partial_cells(struct skep_partial *p, struct skep_sel sel,
                           const struct skep_ids *tuples, const struct skep_ids *buckets,
                           struct skep_ids *ret)
{
    SKEP_TRY(skep_pairs_map(&p->cells, sel, tuples, buckets, ret));
    return room_for_cells(p);
}

skep_rc skep_partial_cell(struct skep_partial *p, uint32_t tuple, uint32_t bucket, uint32_t *ret)
{
    SKEP_TRY(skep_pairs_get(&p->cells, tuple, bucket, ret));
    return room_for_cells(p);
}

/* Map src ids of one level to dst ids. */
static skep_rc map_keys(struct skep_keys *dst, const struct skep_keys *src, uint32_t *map)
{
    for (uint32_t i = 0; i < src->n; i++) {
        if (i % MAP_STEP == 0)
            skep_keys_prefetch(dst, src->hashes + i, SKEP_MIN(src->n - i, (uint32_t)MAP_STEP));
        SKEP_TRY(skep_keys_get(dst, &src->values[i], src->hashes[i], &map[i]));
    }
    return SKEP_OK;
}

uint32_t skep_partial__shift(const struct skep_partial *dst, const struct skep_partial *src)
{
    int64_t g = dst->plan->granularity_ns;
    if (g == 0 || src->bucket0_ns == dst->bucket0_ns)
        return 0;
    /* A kept partial is of another question's range, which may begin earlier or later: both are
     * multiples of g, and its rows lie in the range of dst, so bucket + shift does, modulo 2^32. */
    skep_i128 d = (skep_i128)src->bucket0_ns - (skep_i128)dst->bucket0_ns;
    skep_assert(d % g == 0);
    return (uint32_t)(int64_t)(d / g);
}

static skep_rc merge_cells(struct skep_partial *dst, const struct skep_partial *src,
                           const uint32_t *tuple_map)
{
    uint32_t shift = skep_partial__shift(dst, src);
    for (uint32_t c = 0; c < src->cells.n; c++) {
        uint32_t tuple = tuple_map ? tuple_map[src->cells.left[c]] : src->cells.left[c];
        uint32_t cell = 0;
        SKEP_TRY(skep_partial_cell(dst, tuple, src->cells.right[c] + shift, &cell));
        if (cell == SKEP_ID_NONE)
            continue;
        for (unsigned s = 0; s < dst->n_states; s++)
            SKEP_TRY(dst->states[s].ops->merge(skep_partial_state(dst, s, cell),
                                               skep_partial_state(src, s, c), dst->states[s].agg,
                                               &dst->mem));
        skep_partial__ease(dst);
    }
    return SKEP_OK;
}

void skep_partial__ease(struct skep_partial *dst)
{
    if (SKEP_LIKELY(dst->mem.used < dst->pack_at))
        return;
    skep_partial_pack_states(dst);
    dst->pack_at = SKEP_MAX(2 * dst->mem.used, (uint64_t)PACK_BYTES);
}

void skep_partial_pack_states(struct skep_partial *p)
{
    for (unsigned s = 0; s < p->n_states; s++)
        for (uint32_t c = 0; p->states[s].ops->pack && c < p->cells.n; c++)
            p->states[s].ops->pack(skep_partial_state(p, s, c), &p->mem);
}

void skep_partial_pack(struct skep_partial *p)
{
    uint32_t n = p->cells.n;
    if (p->packed)
        return;
    p->packed = true;
    skep_partial_pack_states(p);
    for (unsigned s = 0; s < p->n_states && n > 0; s++) {
        size_t size = p->states[s].ops->size;
        p->states[s].data =
            skep_agg_shrink(&p->mem, p->states[s].data, p->cap_cells * size, n * size);
    }
    p->cap_cells = n > 0 ? n : p->cap_cells;
    for (unsigned g = 0; g < p->n_groups; g++)
        skep_keys_pack(&p->keys[g]);
    for (unsigned g = 0; g + 1 < p->n_groups; g++)
        skep_pairs_pack(&p->tuples[g]);
    skep_pairs_pack(&p->cells);
}

uint64_t skep_partial_packed_bytes(const struct skep_partial *p)
{
    uint64_t loose = skep_pairs_loose(&p->cells);
    for (unsigned s = 0; s < p->n_states; s++)
        loose += (uint64_t)(p->cap_cells - p->cells.n) * p->states[s].ops->size;
    for (unsigned g = 0; g < p->n_groups; g++)
        loose += skep_keys_loose(&p->keys[g]);
    for (unsigned g = 0; g + 1 < p->n_groups; g++)
        loose += skep_pairs_loose(&p->tuples[g]);
    return skep_partial_bytes(p) - loose;
}

uint64_t skep_partial_bytes(const struct skep_partial *p)
{
    return p->mem.used + sizeof *p;
}

void skep_partial_detach(struct skep_partial *p)
{
    if (p->mem.budget && p->mem.taken > 0)
        skep_budget_give(p->mem.budget, p->mem.taken);
    p->mem.budget = NULL;
    p->plan = NULL;
}

skep_rc skep_partial_merge(struct skep_partial *dst, const struct skep_partial *src)
{
    skep_assert((dst->plan == src->plan || !src->plan) && !dst->packed);
    dst->estimated = dst->estimated || src->estimated;
    if (src->n_groups == 0)
        return merge_cells(dst, src, NULL);
    uint32_t *left = NULL, *right = NULL;
    size_t left_n = 0, right_n = 0;
    skep_rc rc = SKEP_OK;
    for (unsigned c = 0; c < src->n_groups && rc == SKEP_OK; c++) {
        const struct skep_keys *k = &src->keys[c];
        right_n = k->n + 1;
        right = skep_agg_alloc(&dst->mem, right_n * sizeof *right);
        rc = right ? map_keys(&dst->keys[c], k, right) : SKEP_ENOMEM;
        if (c == 0) {
            left = right;
            left_n = right_n;
            right = NULL;
            continue;
        }
        const struct skep_pairs *t = &src->tuples[c - 1];
        size_t n = t->n + 1;
        uint32_t *map = rc == SKEP_OK ? skep_agg_alloc(&dst->mem, n * sizeof *map) : NULL;
        if (!map)
            rc = SKEP_ENOMEM;
        for (uint32_t i = 0; i < t->n && rc == SKEP_OK; i++)
            rc = skep_pairs_get(&dst->tuples[c - 1], left[t->left[i]], right[t->right[i]], &map[i]);
        skep_agg_free(&dst->mem, left, left_n * sizeof *left);
        skep_agg_free(&dst->mem, right, right_n * sizeof *right);
        right = NULL;
        left = map;
        left_n = map ? n : 0;
    }
    if (rc == SKEP_OK)
        rc = merge_cells(dst, src, left);
    skep_agg_free(&dst->mem, left, left_n * sizeof *left);
    skep_agg_free(&dst->mem, right, right_n * sizeof *right);
    return rc;
}

void skep_partial_tuple_keys(const struct skep_partial *p, uint32_t tuple, uint32_t *ids)
{
    for (unsigned c = p->n_groups; c > 1; c--) {
        const struct skep_pairs *t = &p->tuples[c - 2];
        skep_assert(tuple < t->n);
        ids[c - 1] = t->right[tuple];
        tuple = t->left[tuple];
    }
    if (p->n_groups > 0)
        ids[0] = tuple;
}

uint32_t skep_partial_n_tuples(const struct skep_partial *p)
{
    if (p->n_groups == 0)
        return 1;
    return p->n_groups == 1 ? SKEP_MAX(p->keys[0].n, 1u) /* id 0 is always known */
                            : p->tuples[p->n_groups - 2].n;
}
