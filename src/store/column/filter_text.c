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
 * Threads: any.  Memory: the caller's; 3 KiB of stack. */
#include "store/column/filter_text.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/compiler.h"

enum {
    PIECE = 512, /* grams, or windows of them, looked at together */
    PAD = 32     /* bytes behind a piece that may be read */
};

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

/* n bytes of a piece in lower case; `to` has room for PAD more. */
SKEP_CLONES static void lower_piece(const char *p, size_t n, uint8_t *to)
{
    memcpy(to, p, n);
    memset(to + n, 0, PAD);
    for (size_t at = 0; at < n; at += PAD) /* a vector, whole also at the end */
        for (size_t i = at; i < at + PAD; i++)
            to[i] = (uint8_t)(to[i] + ((uint8_t)(to[i] - 'A') < 26) * 32);
}

void skep_trigrams_add(uint64_t *map, skep_str s)
{
    SKEP_UNINIT uint8_t low[PIECE + SKEP_TRIGRAM_BYTES - 1 + PAD];
    for (size_t at = 0; at + SKEP_TRIGRAM_BYTES <= s.n; at += PIECE) {
        size_t n = SKEP_MIN(s.n - at - SKEP_TRIGRAM_BYTES + 1, (size_t)PIECE);
        lower_piece(s.p + at, n + SKEP_TRIGRAM_BYTES - 1, low);
        for (size_t i = 0; i < n; i++) {
            uint32_t bit = trigram_bit(SKEP_BSWAP32(skep_load_le32(low + i)) >> 8);
            map[bit / 64] |= 1ull << bit % 64;
        }
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

/* Of the n grams that begin at the bytes of a piece. */
static SKEP_WRAPS void gram_hashes(const uint8_t *low, size_t n, uint32_t *hashes)
{
    for (size_t i = 0; i < n; i++)
        hashes[i] = gram_hash(SKEP_BSWAP64(skep_load_le64(low + i)) >> 16);
}

/* Of v[n] each with the one `step` behind it: the lower one.  Leaves n - step. */
SKEP_CLONES static void lower_of_two(uint32_t *v, size_t n, size_t step)
{
    for (size_t i = 0; i + step < n; i++)
        v[i] = v[i + step] < v[i] ? v[i + step] : v[i];
}

/* v[i] becomes the lowest of the window that begins there, by windows that double. */
static void window_lows(uint32_t *v, size_t n, unsigned window)
{
    unsigned size = 1;
    for (; size * 2 <= window; size *= 2) {
        lower_of_two(v, n, size);
        n -= size;
    }
    if (size < window)
        lower_of_two(v, n, window - size);
}

bool skep_grams_each(skep_str s, unsigned window, skep_gram_fn *fn, void *ctx)
{
    skep_assert(window >= 1 && window <= SKEP_GRAM_WINDOW_MAX);
    SKEP_UNINIT uint8_t low[PIECE + SKEP_GRAM_WINDOW_MAX + SKEP_GRAM_BYTES + PAD];
    SKEP_UNINIT uint32_t lows[PIECE + SKEP_GRAM_WINDOW_MAX];
    if (!skep_grams_any(s, window))
        return true;
    const size_t n = s.n - SKEP_GRAM_BYTES - window + 2; /* windows */
    uint32_t last = 0;
    for (size_t at = 0; at < n; at += PIECE) {
        size_t windows = SKEP_MIN(n - at, (size_t)PIECE), grams = windows + window - 1;
        lower_piece(s.p + at, grams + SKEP_GRAM_BYTES - 1, low);
        gram_hashes(low, grams, lows);
        window_lows(lows, grams, window);
        for (size_t i = 0; i < windows; i++) {
            if (lows[i] == last && at + i > 0)
                continue;
            last = lows[i];
            if (!fn(ctx, last))
                return false;
        }
    }
    return true;
}
