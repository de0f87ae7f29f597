// SPDX-License-Identifier: Apache-2.0
/* Hashes (XXH3, stable across processes: they are stored) and two open-addressing tables. */
#pragma once

#include "base/str.h"

/* 64-bit XXH3 of the bytes; never changes between versions (dictionaries store it). */
uint64_t skep_hash(skep_bytes b);
uint64_t skep_hash_seed(skep_bytes b, uint64_t seed);
/* CRC-32C (Castagnoli), for files; crc is the running value, 0 to begin. */
uint32_t skep_crc32c(uint32_t crc, skep_bytes b);

/* Finaliser of murmur3: spreads an integer key. */
static inline SKEP_WRAPS uint64_t skep_hash_u64(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdull;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ull;
    x ^= x >> 33;
    return x;
}

/* Hash -> u32 index.  The caller keeps the keys in an array of its own and compares them:
 *   for (it = skep_index_begin(&ix, h); (i = skep_index_next(&ix, &it)) != SKEP_INDEX_NONE; )
 *       if (keys[i] equals) ...
 *   skep_index_add(&ix, h, i);
 * Linear probing, load <= 1/2.  Not thread-safe. */
struct skep_index {
    struct skep_index__slot {
        uint32_t tag; /* the hash folded to 32 bits; also places the slot */
        uint32_t idx; /* SKEP_INDEX_NONE = free */
    } * slots;
    size_t cap; /* power of two or 0 */
    size_t n;
};
#define SKEP_INDEX_NONE UINT32_MAX
struct skep_index_it {
    size_t at;
    uint32_t tag;
};
/* Room for `expected` entries before the first growth; clear keeps the memory; add grows by
 * doubling and keeps equal hashes apart.  Owns: done frees.  Threads: one owner. */
void skep_index_init(struct skep_index *ix, size_t expected);
void skep_index_done(struct skep_index *ix);
void skep_index_clear(struct skep_index *ix);
void skep_index_add(struct skep_index *ix, uint64_t hash, uint32_t idx);
static inline struct skep_index_it skep_index_begin(const struct skep_index *ix, uint64_t hash)
{
    uint32_t tag = (uint32_t)(hash ^ (hash >> 32));
    return (struct skep_index_it){tag & (ix->cap - 1), tag};
}
/* The first index that next() would look at, without comparing: for fetching early what will be
 * compared.  SKEP_INDEX_NONE: none. */
static inline uint32_t skep_index_peek(const struct skep_index *ix, uint64_t hash)
{
    return ix->cap ? ix->slots[skep_index_begin(ix, hash).at].idx : SKEP_INDEX_NONE;
}
static inline void skep_index_prefetch(const struct skep_index *ix, uint64_t hash)
{
    if (ix->cap)
        SKEP_PREFETCH(&ix->slots[skep_index_begin(ix, hash).at]);
}
static inline uint32_t skep_index_next(const struct skep_index *ix, struct skep_index_it *it)
{
    if (SKEP_UNLIKELY(ix->cap == 0))
        return SKEP_INDEX_NONE;
    for (;;) {
        const struct skep_index__slot *s = &ix->slots[it->at];
        if (s->idx == SKEP_INDEX_NONE)
            return SKEP_INDEX_NONE;
        it->at = (it->at + 1) & (ix->cap - 1);
        if (s->tag == it->tag)
            return s->idx;
    }
}
