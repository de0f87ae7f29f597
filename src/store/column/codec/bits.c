// SPDX-License-Identifier: Apache-2.0
/* Bit packing kernels.
 *
 * Eight values of w bits end on a byte boundary, so the fast unpackers work in groups of eight: all
 * shifts and offsets of a group are constants of w.  A value of up to 57 bits lies in one unaligned
 * 64-bit load, one of up to 25 bits in 32 bits.  With AVX2 one shuffle brings the bytes of four (or
 * eight) values into their lanes and one shift with a count for each lane aligns them; without, one
 * body a width is made by a macro.
 *
 * I1  width <= 64.
 * I2  src is readable 16 bytes past the packed array (chunks in memory are padded).
 * Threads: any; touches only its arguments. */
#include "store/column/codec/bits.h"

#include "base/assert.h"

#ifdef SKEP_AVX2
#include <immintrin.h>
#endif

static inline uint64_t width_mask(unsigned width)
{
    return width >= 64 ? UINT64_MAX : (1ull << width) - 1;
}

void skep_bits_pack(uint8_t *dst, const uint64_t *v, size_t n, unsigned width)
{
    skep_assert(width <= 64);
    if (width == 0)
        return;
    uint64_t mask = width_mask(width), acc = 0;
    unsigned have = 0; /* below 64 */
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t x = v[i] & mask;
        acc |= x << have;
        have += width;
        if (have >= 64) {
            skep_store_le64(dst + at, acc);
            at += 8;
            have -= 64;
            acc = have ? x >> (width - have) : 0;
        }
    }
    for (; have > 0; have -= SKEP_MIN(have, 8u)) {
        dst[at++] = (uint8_t)acc;
        acc >>= 8;
    }
    skep_assert(at == skep_bits_bytes(n, width));
}

static inline uint64_t get_one(const uint8_t *src, size_t i, unsigned width, uint64_t mask)
{
    size_t bit = i * width;
    unsigned shift = bit & 7;
    const uint8_t *p = src + (bit >> 3);
    uint64_t v = skep_load_le64(p) >> shift;
    if (shift + width > 64)
        v |= (uint64_t)p[8] << (64 - shift);
    return v & mask;
}

SKEP_WRAPS void skep_bits_unpack_portable(const uint8_t *src, size_t first, size_t n,
                                          unsigned width, uint64_t base, int64_t *out)
{
    skep_assert(width <= 64);
    uint64_t mask = width_mask(width);
    for (size_t i = 0; i < n; i++)
        out[i] = (int64_t)(base + (width ? get_one(src, first + i, width, mask) : 0));
}

SKEP_WRAPS void skep_bits_unpack32_portable(const uint8_t *src, size_t first, size_t n,
                                            unsigned width, uint32_t base, uint32_t *out)
{
    skep_assert(width <= 32);
    uint64_t mask = width_mask(width);
    for (size_t i = 0; i < n; i++)
        out[i] = base + (uint32_t)(width ? get_one(src, first + i, width, mask) : 0);
}

#ifdef SKEP_AVX2
/* Where byte j of value k of a group begins: the values of a lane lie within 16 bytes of `at`, the
 * byte in which the lane's first value begins. */
struct lane {
    unsigned at, rest; /* byte, and bits to leave out in it */
};

static inline struct lane lane_of(unsigned first_value, unsigned width)
{
    return (struct lane){first_value * width >> 3, first_value * width & 7};
}

SKEP_AVX2 static inline __m256i load_lanes(const uint8_t *low, const uint8_t *high)
{
    return _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)low)),
        _mm_loadu_si128((const __m128i *)(const void *)high), 1);
}

/* Groups of eight values of up to 25 bits: four to a lane, each in the four bytes it begins in. */
SKEP_AVX2 static void groups32(const uint8_t *p, size_t groups, unsigned width, uint32_t base,
                               uint32_t *out)
{
    SKEP_ALIGNED(32) uint8_t bytes[32];
    SKEP_ALIGNED(32) uint32_t shifts[8];
    struct lane high = lane_of(4, width);
    for (unsigned k = 0; k < 8; k++) {
        unsigned bit = k % 4 * width + (k < 4 ? 0 : high.rest);
        for (unsigned j = 0; j < 4; j++)
            bytes[k * 4 + j] = (uint8_t)((bit >> 3) + j);
        shifts[k] = bit & 7;
    }
    __m256i order = _mm256_load_si256((const __m256i *)(const void *)bytes);
    __m256i shift = _mm256_load_si256((const __m256i *)(const void *)shifts);
    __m256i mask = _mm256_set1_epi32((int)width_mask(width));
    __m256i add = _mm256_set1_epi32((int)base);
    for (size_t g = 0; g < groups; g++, p += width, out += 8) {
        __m256i v = _mm256_shuffle_epi8(load_lanes(p, p + high.at), order);
        v = _mm256_and_si256(_mm256_srlv_epi32(v, shift), mask);
        _mm256_storeu_si256((__m256i *)(void *)out, _mm256_add_epi32(v, add));
    }
}

struct order64 {
    __m256i bytes, shift;
    unsigned low, high; /* offsets of the two lanes */
};

/* Values first .. first + 3 of a group of eight, two to a lane, each in the eight bytes it begins
 * in. */
SKEP_AVX2 static struct order64 order64(unsigned first, unsigned width)
{
    SKEP_ALIGNED(32) uint8_t bytes[32];
    SKEP_ALIGNED(32) uint64_t shifts[4];
    struct lane lanes[2] = {lane_of(first, width), lane_of(first + 2, width)};
    for (unsigned k = 0; k < 4; k++) {
        unsigned bit = k % 2 * width + lanes[k / 2].rest;
        for (unsigned j = 0; j < 8; j++)
            bytes[k * 8 + j] = (uint8_t)((bit >> 3) + j);
        shifts[k] = bit & 7;
    }
    return (struct order64){_mm256_load_si256((const __m256i *)(const void *)bytes),
                            _mm256_load_si256((const __m256i *)(const void *)shifts), lanes[0].at,
                            lanes[1].at};
}

SKEP_AVX2 static inline __m256i four64(const uint8_t *p, const struct order64 *o, __m256i mask)
{
    __m256i v = _mm256_shuffle_epi8(load_lanes(p + o->low, p + o->high), o->bytes);
    return _mm256_and_si256(_mm256_srlv_epi64(v, o->shift), mask);
}

/* Groups of eight values of up to 57 bits. */
SKEP_AVX2 static void groups64(const uint8_t *p, size_t groups, unsigned width, uint64_t base,
                               int64_t *out)
{
    struct order64 a = order64(0, width), b = order64(4, width);
    __m256i mask = _mm256_set1_epi64x((long long)width_mask(width));
    __m256i add = _mm256_set1_epi64x((long long)base);
    for (size_t g = 0; g < groups; g++, p += width, out += 8) {
        __m256i *to = (__m256i *)(void *)out;
        _mm256_storeu_si256(to, _mm256_add_epi64(four64(p, &a, mask), add));
        _mm256_storeu_si256(to + 1, _mm256_add_epi64(four64(p, &b, mask), add));
    }
}
#endif

/* One group of eight at p; w is a constant where this is inlined. */
SKEP_WRAPS SKEP_INLINE void unpack8(const uint8_t *p, unsigned w, uint64_t base, int64_t *out)
{
    uint64_t mask = (1ull << w) - 1;
    for (unsigned k = 0; k < 8; k++)
        out[k] = (int64_t)(base + ((skep_load_le64(p + (k * w >> 3)) >> (k * w & 7)) & mask));
}

/* clang-format never comes to rest on this list. */
// clang-format off
#define WIDTHS(X)                                                                                  \
    X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)                                 \
    X(13) X(14) X(15) X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24)                        \
    X(25) X(26) X(27) X(28) X(29) X(30) X(31) X(32) X(33) X(34) X(35) X(36)                        \
    X(37) X(38) X(39) X(40) X(41) X(42) X(43) X(44) X(45) X(46) X(47) X(48)                        \
    X(49) X(50) X(51) X(52) X(53) X(54) X(55) X(56) X(57)
// clang-format on

static void unpack_groups(const uint8_t *p, size_t groups, unsigned width, uint64_t base,
                          int64_t *out)
{
#ifdef SKEP_AVX2
    if (SKEP_HAS_AVX2()) {
        groups64(p, groups, width, base, out);
        return;
    }
#endif
    switch (width) {
#define X(w)                                                                                       \
    case w:                                                                                        \
        for (size_t g = 0; g < groups; g++)                                                        \
            unpack8(p + g * w, w, base, out + g * 8);                                              \
        return;
        WIDTHS(X)
#undef X
    default: skep_unreachable("width over 57");
    }
}

SKEP_WRAPS void skep_bits_unpack(const uint8_t *src, size_t first, size_t n, unsigned width,
                                 uint64_t base, int64_t *out)
{
    skep_assert(width <= 64);
    if (width == 0 || width > 57 || n < 16) {
        skep_bits_unpack_portable(src, first, n, width, base, out);
        return;
    }
    size_t head = SKEP_MIN(n, (8 - (first & 7)) & 7);
    skep_bits_unpack_portable(src, first, head, width, base, out);
    size_t groups = (n - head) / 8;
    size_t at = first + head;
    unpack_groups(src + at / 8 * width, groups, width, base, out + head);
    size_t done = head + groups * 8;
    skep_bits_unpack_portable(src, first + done, n - done, width, base, out + done);
}

SKEP_WRAPS void skep_bits_unpack32(const uint8_t *src, size_t first, size_t n, unsigned width,
                                   uint32_t base, uint32_t *out)
{
    skep_assert(width <= 32);
#ifdef SKEP_AVX2
    if (width > 0 && width <= 25 && n >= 16 && SKEP_HAS_AVX2()) {
        size_t head = SKEP_MIN(n, (8 - (first & 7)) & 7);
        skep_bits_unpack32_portable(src, first, head, width, base, out);
        size_t groups = (n - head) / 8;
        groups32(src + (first + head) / 8 * width, groups, width, base, out + head);
        size_t done = head + groups * 8;
        first += done;
        n -= done;
        out += done;
    }
#endif
    skep_bits_unpack32_portable(src, first, n, width, base, out);
}
