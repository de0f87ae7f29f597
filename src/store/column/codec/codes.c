// SPDX-License-Identifier: Apache-2.0
/* Small integers out of any integer codec: narrow, counted, compared.
 *
 * What a codec does not do by itself is done here block by block over decode(): so the executor may
 * ask every column the same questions, and a codec gives a faster answer where its layout has one
 * (a run is counted at once, a block whose bounds decide is not unpacked).
 *
 *   decode32   values as uint32_t
 *   tally      how often each value from a lowest one on stands there
 *   between    which values lie in an interval, as bits
 *
 * I1  a codec's own member gives what the function here would give, also for hostile bytes: values
 *     out of range are ECORRUPT.
 *
 * Threads: any; 16 KiB of stack. */
#include "base/assert.h"
#include "store/column/codec/codec.h"

#ifdef SKEP_AVX2
#include <immintrin.h>
#endif

enum { FEW = 512, LANES = 4 };

/* v - low; OR of the upper halves: nonzero when one does not fit. */
SKEP_CLONES SKEP_WRAPS static uint64_t narrow(const int64_t *v, uint32_t n, int64_t low,
                                              uint32_t *out)
{
    uint64_t high = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t x = (uint64_t)v[i] - (uint64_t)low;
        high |= x >> 32;
        out[i] = (uint32_t)x;
    }
    return high;
}

/* Values less `low`, as 32-bit numbers. */
static skep_rc decode_from(const struct skep_codec_ops *o, const struct skep_codec_chunk *c,
                           uint32_t first, uint32_t n, int64_t low, uint32_t *out)
{
    skep_assert(o->kind == SKEP_CODEC_INTS);
    if (o->decode32 && low == 0)
        return o->decode32(c, first, n, out);
    SKEP_UNINIT int64_t wide[SKEP_CODEC_BLOCK];
    while (n > 0) {
        uint32_t take = SKEP_MIN(n, SKEP_CODEC_BLOCK - first % SKEP_CODEC_BLOCK);
        SKEP_TRY(o->decode(c, first, take, wide));
        if (narrow(wide, take, low, out) != 0)
            return SKEP_ECORRUPT;
        first += take;
        out += take;
        n -= take;
    }
    return SKEP_OK;
}

skep_rc skep_codec_decode32(const struct skep_codec_ops *o, const struct skep_codec_chunk *c,
                            uint32_t first, uint32_t n, uint32_t *out)
{
    return decode_from(o, c, first, n, 0, out);
}

SKEP_CLONES static bool all_below(const uint32_t *v, uint32_t n, uint32_t limit)
{
    uint32_t over = 0;
    for (uint32_t i = 0; i < n; i++)
        over |= (uint32_t)(v[i] >= limit);
    return over == 0;
}

/* Neighbours are often equal, and adding to a number just written has to wait for it: four counters
 * take turns. */
static void count_few(const uint32_t *v, uint32_t n, uint32_t (*lanes)[FEW])
{
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        lanes[0][v[i]]++;
        lanes[1][v[i + 1]]++;
        lanes[2][v[i + 2]]++;
        lanes[3][v[i + 3]]++;
    }
    for (; i < n; i++)
        lanes[0][v[i]]++;
}

skep_rc skep_codec_tally(const struct skep_codec_ops *o, const struct skep_codec_chunk *c,
                         uint32_t first, uint32_t n, int64_t low, uint32_t *counts,
                         uint32_t n_counts)
{
    if (o->tally)
        return o->tally(c, first, n, low, counts, n_counts);
    SKEP_UNINIT uint32_t v[SKEP_CODEC_BLOCK];
    SKEP_UNINIT uint32_t lanes[LANES][FEW];
    bool few = n_counts <= FEW;
    if (few)
        memset(lanes, 0, sizeof lanes);
    while (n > 0) {
        uint32_t take = SKEP_MIN(n, SKEP_CODEC_BLOCK - first % SKEP_CODEC_BLOCK);
        SKEP_TRY(decode_from(o, c, first, take, low, v));
        if (!all_below(v, take, n_counts))
            return SKEP_ECORRUPT;
        if (few)
            count_few(v, take, lanes);
        else
            for (uint32_t i = 0; i < take; i++)
                counts[v[i]]++;
        first += take;
        n -= take;
    }
    for (uint32_t k = 0; few && k < n_counts; k++)
        counts[k] += lanes[0][k] + lanes[1][k] + lanes[2][k] + lanes[3][k];
    return SKEP_OK;
}

void skep_codec__set_bits(uint64_t *bits, uint32_t first, uint32_t n)
{
    while (n > 0) {
        uint32_t at = first % 64, take = SKEP_MIN(n, 64 - at);
        bits[first / 64] |= (take == 64 ? UINT64_MAX : (1ull << take) - 1) << at;
        first += take;
        n -= take;
    }
}

/* Bytes of 0 or 1 to bits, 64 of them. */
static uint64_t pack64(const uint8_t *pass)
{
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++) {
        uint64_t eight;
        memcpy(&eight, pass + i * 8, 8);
        bits |= (eight * 0x0102040810204080ull >> 56) << (i * 8);
    }
    return bits;
}

static void pass64(const int64_t *v, int64_t lo, int64_t hi, uint8_t *pass)
{
    for (uint32_t i = 0; i < 64; i++)
        pass[i] = (uint8_t)((v[i] >= lo) & (v[i] <= hi));
}

SKEP_CLONES SKEP_WRAPS static void pass32(const uint32_t *v, uint32_t lo, uint32_t width,
                                          uint8_t *pass)
{
    for (uint32_t i = 0; i < 64; i++)
        pass[i] = (uint8_t)(v[i] - lo <= width);
}

#ifdef SKEP_AVX2
/* Four at a time, without the bytes between: a comparison leaves its answer in the sign. */
SKEP_AVX2 static uint64_t bits64(const int64_t *v, int64_t lo, int64_t hi)
{
    __m256i low = _mm256_set1_epi64x(lo), high = _mm256_set1_epi64x(hi);
    uint64_t out = 0;
    for (unsigned i = 0; i < 64; i += 4) {
        __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(v + i));
        __m256i beyond = _mm256_or_si256(_mm256_cmpgt_epi64(low, x), _mm256_cmpgt_epi64(x, high));
        out |= (uint64_t)(uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(beyond)) << i;
    }
    return ~out;
}
#endif

void skep_codec__bits_between(const int64_t *v, uint32_t n, int64_t lo, int64_t hi, uint64_t *bits)
{
    SKEP_UNINIT uint8_t pass[64];
#ifdef SKEP_AVX2
    for (bool has = SKEP_HAS_AVX2(); has && n >= 64; n -= 64, v += 64)
        *bits++ = bits64(v, lo, hi);
#endif
    for (; n >= 64; n -= 64, v += 64) {
        pass64(v, lo, hi, pass);
        *bits++ = pack64(pass);
    }
    if (n == 0)
        return;
    *bits = 0;
    for (uint32_t i = 0; i < n; i++)
        *bits |= (uint64_t)(v[i] >= lo && v[i] <= hi) << i;
}

void skep_codec__bits_between32(const uint32_t *v, uint32_t n, uint32_t lo, uint32_t hi,
                                uint64_t *bits)
{
    skep_assert(lo <= hi);
    SKEP_UNINIT uint8_t pass[64];
    for (; n >= 64; n -= 64, v += 64) {
        pass32(v, lo, hi - lo, pass);
        *bits++ = pack64(pass);
    }
    if (n == 0)
        return;
    *bits = 0;
    for (uint32_t i = 0; i < n; i++)
        *bits |= (uint64_t)(v[i] >= lo && v[i] <= hi) << i;
}

skep_rc skep_codec_between(const struct skep_codec_ops *o, const struct skep_codec_chunk *c,
                           uint32_t first, uint32_t n, int64_t lo, int64_t hi, uint64_t *bits)
{
    skep_assert(n <= SKEP_CODEC_BLOCK);
    if (lo > hi) {
        memset(bits, 0, ((size_t)n + 63) / 64 * 8);
        return SKEP_OK;
    }
    if (o->between)
        return o->between(c, first, n, lo, hi, bits);
    SKEP_UNINIT int64_t v[SKEP_CODEC_BLOCK];
    SKEP_TRY(o->decode(c, first, n, v));
    skep_codec__bits_between(v, n, lo, hi, bits);
    return SKEP_OK;
}
