// SPDX-License-Identifier: Apache-2.0
/* Bit packing kernels.
 *
 * Eight values of w bits end on a byte boundary, so the fast unpacker works in groups of eight: all
 * shifts and offsets of a group are constants of w, and one body a width is made by a macro.  A
 * value of up to 57 bits lies in one unaligned 64-bit load.
 *
 * I1  width <= 64.
 * I2  src is readable 16 bytes past the packed array (chunks in memory are padded).
 * Threads: any; touches only its arguments. */
#include "store/column/codec/bits.h"

#include "base/assert.h"

static inline uint64_t width_mask(unsigned width)
{
    return width >= 64 ? UINT64_MAX : (1ull << width) - 1;
}

void skep_bits_pack(uint8_t *dst, const uint64_t *v, size_t n, unsigned width)
{
    skep_assert(width <= 64);
    if (width == 0)
        return;
    uint64_t mask = width_mask(width);
    skep_u128 acc = 0;
    unsigned have = 0;
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        acc |= (skep_u128)(v[i] & mask) << have;
        have += width;
        if (have >= 64) {
            skep_store_le64(dst + at, (uint64_t)acc);
            at += 8;
            acc >>= 64;
            have -= 64;
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

SKEP_CLONES static void unpack_groups(const uint8_t *p, size_t groups, unsigned width,
                                      uint64_t base, int64_t *out)
{
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
