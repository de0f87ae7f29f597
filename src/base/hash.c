// SPDX-License-Identifier: Apache-2.0
/* Hashes and the index table.
 *
 * The table stores 8 bytes a slot: the hash folded to 32 bits and an index into the caller's keys.
 * I1  n <= cap / 2, so probing ends at a free slot.
 * I2  the tag alone places a slot, so growing needs no keys.
 * Threads: one owner. */
#include "base/hash.h"

#include <pthread.h>
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
/* The instruction takes three cycles but can begin each cycle: three stretches of a block are
 * summed at a time.  The sum of the first is moved over the next (as if that many zeros came behind
 * it), which is linear: four tables, one a byte. */
enum { STRETCH_BYTES = 1024, STRETCH_WORDS = STRETCH_BYTES / 8 };
static uint32_t over_stretch[4][256];

__attribute__((target("sse4.2"))) static void make_over_stretch(void)
{
    for (unsigned byte = 0; byte < 4; byte++)
        for (unsigned v = 0; v < 256; v++) {
            uint64_t c = (uint64_t)v << (8 * byte);
            for (unsigned i = 0; i < STRETCH_WORDS; i++)
                c = _mm_crc32_u64(c, 0);
            over_stretch[byte][v] = (uint32_t)c;
        }
}

static uint64_t move_over(uint64_t c)
{
    return over_stretch[0][c & 0xff] ^ over_stretch[1][c >> 8 & 0xff] ^
           over_stretch[2][c >> 16 & 0xff] ^ over_stretch[3][c >> 24 & 0xff];
}

__attribute__((target("sse4.2"))) static uint32_t crc_sse42(uint32_t crc, skep_bytes b)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    size_t i = 0;
    uint64_t c = crc, w[3];
    if (b.n >= 3 * STRETCH_BYTES)
        (void)pthread_once(&once, make_over_stretch); /* cannot fail */
    for (; i + 3 * STRETCH_BYTES <= b.n; i += 3 * STRETCH_BYTES) {
        uint64_t c1 = 0, c2 = 0;
        for (const uint8_t *p = b.p + i, *end = p + STRETCH_BYTES; p < end; p += 8) {
            memcpy(&w[0], p, 8);
            memcpy(&w[1], p + STRETCH_BYTES, 8);
            memcpy(&w[2], p + 2 * STRETCH_BYTES, 8);
            c = _mm_crc32_u64(c, w[0]);
            c1 = _mm_crc32_u64(c1, w[1]);
            c2 = _mm_crc32_u64(c2, w[2]);
        }
        c = move_over(move_over(c) ^ c1) ^ c2;
    }
    for (; i + 8 <= b.n; i += 8) {
        memcpy(&w[0], b.p + i, 8);
        c = _mm_crc32_u64(c, w[0]);
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
