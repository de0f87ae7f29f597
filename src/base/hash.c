// SPDX-License-Identifier: Apache-2.0
/* Hashes and the index table.
 *
 * The table stores 8 bytes a slot: the hash folded to 32 bits and an index into the caller's keys.
 * I1  n <= cap / 2, so probing ends at a free slot.
 * I2  the tag alone places a slot, so growing needs no keys.
 * Threads: one owner. */
#include "base/hash.h"

#include <xxhash.h>

#include "base/assert.h"
#include "base/mem.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

uint64_t skep_hash(skep_bytes b)
{
    return XXH3_64bits(b.n ? b.p : (const uint8_t *)"", b.n);
}

uint64_t skep_hash_seed(skep_bytes b, uint64_t seed)
{
    return XXH3_64bits_withSeed(b.n ? b.p : (const uint8_t *)"", b.n, seed);
}

static uint32_t crc_byte(uint32_t crc, uint8_t c)
{
    crc ^= c;
    for (int k = 0; k < 8; k++)
        crc = (crc >> 1) ^ (0x82f63b78u & (0u - (crc & 1u)));
    return crc;
}

static uint32_t crc_portable(uint32_t crc, skep_bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        crc = crc_byte(crc, b.p[i]);
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_sse42(uint32_t crc, skep_bytes b)
{
    size_t i = 0;
    uint64_t c = crc;
    for (; i + 8 <= b.n; i += 8) {
        uint64_t w;
        memcpy(&w, b.p + i, 8);
        c = _mm_crc32_u64(c, w);
    }
    crc = (uint32_t)c;
    for (; i < b.n; i++)
        crc = _mm_crc32_u8(crc, b.p[i]);
    return crc;
}
#endif

uint32_t skep_crc32c(uint32_t crc, skep_bytes b)
{
    crc = ~crc;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2"))
        return ~crc_sse42(crc, b);
#endif
    return ~crc_portable(crc, b);
}

void skep_index_init(struct skep_index *ix, size_t expected)
{
    *ix = (struct skep_index){0};
    if (expected == 0)
        return;
    size_t cap = 16;
    while (cap < expected * 2)
        cap *= 2;
    ix->cap = cap;
    ix->slots = skep_malloc(cap * sizeof *ix->slots);
    memset(ix->slots, 0xff, cap * sizeof *ix->slots);
}

void skep_index_done(struct skep_index *ix)
{
    if (!ix)
        return;
    skep_free(ix->slots);
    *ix = (struct skep_index){0};
}

void skep_index_clear(struct skep_index *ix)
{
    ix->n = 0;
    if (ix->cap)
        memset(ix->slots, 0xff, ix->cap * sizeof *ix->slots);
}

static void place(struct skep_index *ix, uint32_t tag, uint32_t idx)
{
    size_t at = tag & (ix->cap - 1);
    while (ix->slots[at].idx != SKEP_INDEX_NONE)
        at = (at + 1) & (ix->cap - 1);
    ix->slots[at] = (struct skep_index__slot){tag, idx};
}

void skep_index_add(struct skep_index *ix, uint64_t hash, uint32_t idx)
{
    skep_assert(idx != SKEP_INDEX_NONE);
    if ((ix->n + 1) * 2 > ix->cap) {
        struct skep_index old = *ix;
        skep_index_init(ix, ix->cap ? ix->cap : 8);
        skep_assert(ix->cap >= (old.n + 1) * 2);
        for (size_t i = 0; i < old.cap; i++)
            if (old.slots[i].idx != SKEP_INDEX_NONE)
                place(ix, old.slots[i].tag, old.slots[i].idx);
        ix->n = old.n;
        skep_free(old.slots);
    }
    place(ix, (uint32_t)(hash ^ (hash >> 32)), idx);
    ix->n++;
    skep_assert(ix->n * 2 <= ix->cap);
}
