// SPDX-License-Identifier: Apache-2.0
/* Groups by the hash of their keys.
 *
 *   group -> hash of its keys -> one of 64 shards
 *
 * Where there are too many groups for one table, or for the memory, each shard is added up and
 * finished for itself: partials are split into the cells of each shard, and only those are merged.
 *
 * I1  The shard of a group is a function of its keys alone; the absent key counts as hash 0.
 * I2  Merging the cells of all shards, in any order, gives what skep_partial_merge() gives.
 *
 * Threads: one at a time for each partial that is changed. */
#include "agg/agg_priv.h"

#include "base/assert.h"

enum { AHEAD = 32 };

static uint64_t key_hash(const struct skep_keys *k, uint32_t id)
{
    return id == 0 ? 0 : k->hashes[id];
}

static unsigned shard_of(const struct skep_partial *p, uint32_t tuple)
{
    if (p->n_groups == 1)
        return skep_agg_shard(key_hash(&p->keys[0], tuple));
    uint32_t ids[SKEP_LIMIT_PLAN_GROUPS];
    uint64_t hash = 0;
    skep_partial_tuple_keys(p, tuple, ids);
    for (unsigned g = 0; g < p->n_groups; g++)
        hash = skep_hash_u64(hash ^ key_hash(&p->keys[g], ids[g]));
    return skep_agg_shard(hash);
}

skep_rc skep_partial_split(const struct skep_partial *src, struct skep_agg_mem *mem, uint32_t **ret,
                           uint32_t first[SKEP_AGG_SHARDS + 1])
{
    uint32_t at[SKEP_AGG_SHARDS], n = src->cells.n;
    uint32_t *cells = skep_agg_alloc(mem, ((size_t)n + 1) * sizeof *cells);
    uint8_t *shards = skep_agg_alloc(mem, (size_t)n + 1);
    if (!cells || !shards) {
        skep_agg_free(mem, cells, ((size_t)n + 1) * sizeof *cells);
        skep_agg_free(mem, shards, (size_t)n + 1);
        return SKEP_ENOMEM;
    }
    memset(first, 0, (SKEP_AGG_SHARDS + 1) * sizeof first[0]);
    for (uint32_t c = 0; c < n; c++) {
        shards[c] = (uint8_t)(src->n_groups > 0 ? shard_of(src, src->cells.left[c]) : 0);
        first[shards[c] + 1]++;
    }
    for (unsigned s = 0; s < SKEP_AGG_SHARDS; s++) {
        at[s] = first[s];
        first[s + 1] += first[s];
    }
    for (uint32_t c = 0; c < n; c++)
        cells[at[shards[c]]++] = c;
    skep_agg_free(mem, shards, (size_t)n + 1);
    *ret = cells;
    return SKEP_OK;
}

/* The tuple of the same keys in dst. */
static skep_rc map_tuple(struct skep_partial *dst, const struct skep_partial *src, uint32_t tuple,
                         uint32_t *ret)
{
    static const skep_value absent = {.type = SKEP_TYPE_NULL};
    uint32_t ids[SKEP_LIMIT_PLAN_GROUPS];
    *ret = 0;
    skep_partial_tuple_keys(src, tuple, ids);
    for (unsigned g = 0; g < src->n_groups; g++) {
        uint32_t id = 0;
        const struct skep_keys *k = &src->keys[g];
        SKEP_TRY(skep_keys_get(&dst->keys[g], ids[g] ? &k->values[ids[g]] : &absent,
                               key_hash(k, ids[g]), &id));
        if (g == 0)
            *ret = id;
        else
            SKEP_TRY(skep_pairs_get(&dst->tuples[g - 1], *ret, id, ret));
    }
    return SKEP_OK;
}

/* What looking up the next cells' keys will read. */
static void look_ahead(const struct skep_partial *dst, const struct skep_partial *src,
                       const uint32_t *cells, uint32_t n)
{
    uint64_t hashes[AHEAD];
    n = SKEP_MIN(n, (uint32_t)AHEAD);
    for (uint32_t i = 0; i < n; i++)
        hashes[i] = key_hash(&src->keys[0], src->cells.left[cells[i]]);
    skep_keys_prefetch(&dst->keys[0], hashes, n);
}

skep_rc skep_partial_merge_cells(struct skep_partial *dst, const struct skep_partial *src,
                                 const uint32_t *cells, uint32_t n)
{
    skep_assert(dst->plan == src->plan || !src->plan);
    uint32_t shift = skep_partial__shift(dst, src), last = SKEP_ID_NONE, tuple = 0;
    dst->estimated = dst->estimated || src->estimated;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t c = cells[i], cell = 0;
        if (src->n_groups == 1 && i % AHEAD == 0)
            look_ahead(dst, src, cells + i, n - i);
        if (src->cells.left[c] != last)
            SKEP_TRY(map_tuple(dst, src, src->cells.left[c], &tuple));
        last = src->cells.left[c];
        SKEP_TRY(skep_partial_cell(dst, tuple, src->cells.right[c] + shift, &cell));
        for (unsigned s = 0; s < dst->n_states && cell != SKEP_ID_NONE; s++)
            SKEP_TRY(dst->states[s].ops->merge(skep_partial_state(dst, s, cell),
                                               skep_partial_state(src, s, c), dst->states[s].agg,
                                               &dst->mem));
        skep_partial__ease(dst);
    }
    return SKEP_OK;
}

skep_rc skep_partial_add_up(struct skep_partial *whole, const struct skep_partial *src)
{
    skep_assert(whole->n_groups == 0 && whole->n_states == src->n_states);
    whole->estimated = whole->estimated || src->estimated;
    uint32_t shift = skep_partial__shift(whole, src);
    for (uint32_t c = 0; c < src->cells.n; c++) {
        uint32_t cell = 0;
        SKEP_TRY(skep_partial_cell(whole, 0, src->cells.right[c] + shift, &cell));
        for (unsigned s = 0; s < whole->n_states; s++)
            SKEP_TRY(whole->states[s].ops->merge(skep_partial_state(whole, s, cell),
                                                 skep_partial_state(src, s, c),
                                                 whole->states[s].agg, &whole->mem));
    }
    return SKEP_OK;
}

void skep_partial_restrict(struct skep_partial *p, uint64_t shards)
{
    skep_assert(p->cells.n == 0);
    if (p->n_groups != 1 || shards == 0)
        return;
    p->keys[0].only = shards;
    p->restricted = true;
}
