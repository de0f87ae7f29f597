// SPDX-License-Identifier: Apache-2.0
/* Trigrams and winnowed grams of texts.
 *
 *   text     G E T   / c a r t / 4 2
 *   trigram  get et_ t_/ _/c /ca ...      each a bit: (bytes * constant) mod 2^32, upper 19 bits,
 *                                         of which a smaller map keeps the lowest
 *   grams    get_/c et_/ca t_/car ...     hashes 7 3 9 4 8 6 ...
 *   window 4 [7 3 9 4] -> 3  [3 9 4 8] -> 3  [9 4 8 6] -> 4  ...
 *
 * I1  what is chosen in a window depends on nothing outside it: so every window of a needle that
 *     stands in a text gives a gram that the text gave.
 * I2  folding a map never clears what a text set: bit i of 2^b bits is the OR of all with i mod
 * 2^b.
 *
 * Threads: any.  Memory: the caller's; 256 bytes of stack. */
#include "store/column/filter_text.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/compiler.h"

/* As compare.c folds: the letters A to Z and nothing else. */
static uint32_t lower(char c)
{
    uint32_t b = (uint8_t)c;
    return b - 'A' < 26u ? b + 32 : b;
}

static SKEP_WRAPS uint32_t trigram_bit(uint32_t bytes)
{
    return (bytes * 0x9e3779b1u) >> (32 - SKEP_TRIGRAM_LOG_MAX);
}

void skep_trigrams_add(uint64_t *map, skep_str s)
{
    if (s.n < SKEP_TRIGRAM_BYTES)
        return;
    uint32_t g = lower(s.p[0]) << 8 | lower(s.p[1]);
    for (size_t i = 2; i < s.n; i++) {
        g = (g << 8 | lower(s.p[i])) & 0xffffff;
        uint32_t bit = trigram_bit(g);
        map[bit / 64] |= 1ull << bit % 64;
    }
}

/* Bits set when the upper half is laid over the lower one. */
SKEP_CLONES static uint64_t ones_folded(const uint64_t *map, size_t words)
{
    uint64_t n = 0;
    for (size_t i = 0; i < words; i++)
        n += SKEP_POPCOUNT64(map[i] | map[words + i]);
    return n;
}

unsigned skep_trigrams_fold(uint64_t *map)
{
    unsigned log = SKEP_TRIGRAM_LOG_MAX;
    for (; log > SKEP_TRIGRAM_LOG_MIN; log--) {
        size_t words = (size_t)1 << (log - 7);
        if (ones_folded(map, words) * 4 > 1ull << (log - 1))
            break;
        for (size_t i = 0; i < words; i++)
            map[i] |= map[words + i];
    }
    return log;
}

bool skep_trigrams_have(const uint8_t *map, unsigned log, skep_str s)
{
    skep_assert(log >= SKEP_TRIGRAM_LOG_MIN && log <= SKEP_TRIGRAM_LOG_MAX);
    uint32_t mask = (1u << log) - 1;
    if (s.n < SKEP_TRIGRAM_BYTES)
        return true;
    uint32_t g = lower(s.p[0]) << 8 | lower(s.p[1]);
    for (size_t i = 2; i < s.n; i++) {
        g = (g << 8 | lower(s.p[i])) & 0xffffff;
        uint32_t bit = trigram_bit(g) & mask;
        if (!(map[bit / 8] >> bit % 8 & 1))
            return false;
    }
    return true;
}

/* Of the six bytes of a gram, the last in the lowest. */
static SKEP_WRAPS uint32_t gram_hash(uint64_t bytes)
{
    return (uint32_t)((bytes * 0x9e3779b97f4a7c15ull) >> 32);
}

bool skep_grams_each(skep_str s, unsigned window, skep_gram_fn *fn, void *ctx)
{
    skep_assert(window >= 1 && window <= SKEP_GRAM_WINDOW_MAX);
    uint32_t ring[SKEP_GRAM_WINDOW_MAX];
    if (!skep_grams_any(s, window))
        return true;
    uint64_t g = 0;
    for (unsigned i = 0; i + 1 < SKEP_GRAM_BYTES; i++)
        g = g << 8 | lower(s.p[i]);
    const size_t n = s.n - SKEP_GRAM_BYTES + 1; /* grams */
    size_t least_at = 0;
    uint32_t least = UINT32_MAX;
    unsigned slot = 0; /* of gram i in the ring */
    for (size_t i = 0; i < n; i++, slot = slot + 1 == window ? 0 : slot + 1) {
        g = (g << 8 | lower(s.p[i + SKEP_GRAM_BYTES - 1])) & 0xffffffffffff;
        uint32_t h = ring[slot] = gram_hash(g);
        bool fresh = i + 1 == window; /* the first full window */
        if (h <= least) {
            fresh |= h != least;
            least = h;
            least_at = i;
        } else if (i - least_at >= window) { /* it left: the latest of the lowest of those here */
            fresh = true;
            least = UINT32_MAX;
            for (unsigned k = 0; k < window; k++) {
                unsigned at = slot + 1 + k >= window ? slot + 1 + k - window : slot + 1 + k;
                if (ring[at] <= least) {
                    least = ring[at];
                    least_at = i - (window - 1 - k);
                }
            }
        }
        if (fresh && i + 1 >= window && !fn(ctx, least))
            return false;
    }
    return true;
}
