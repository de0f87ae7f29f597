// SPDX-License-Identifier: Apache-2.0
/* Bit packing: n values of `width` bits each, back to back from the lowest bit of the first byte.
 */
#pragma once

#include "base/bytes.h"

/* Bytes taken by n values. */
static inline size_t skep_bits_bytes(size_t n, unsigned width)
{
    return (n * width + 7) / 8;
}

/* Bits needed to hold v; 0 for 0. */
static inline unsigned skep_bits_width(uint64_t v)
{
    return v ? 64 - SKEP_CLZ64(v) : 0;
}

/* Pack v[n] into dst[skep_bits_bytes(n, width)]; bits of a value above `width` are cut off.
 * width <= 64. */
void skep_bits_pack(uint8_t *dst, const uint64_t *v, size_t n, unsigned width);

/* out[i] = base + value[first + i] (wrapping) for i < n.  `src` is the start of the packed array
 * and must be readable SKEP_BITS_PAD bytes past its end.  width <= 64. */
void skep_bits_unpack(const uint8_t *src, size_t first, size_t n, unsigned width, uint64_t base,
                      int64_t *out);
/* The same, one value at a time: what the fast one is tested against. */
void skep_bits_unpack_portable(const uint8_t *src, size_t first, size_t n, unsigned width,
                               uint64_t base, int64_t *out);

/* out[i] = base + value[first + i], wrapping at 2^32.  width <= 32; src as above. */
void skep_bits_unpack32(const uint8_t *src, size_t first, size_t n, unsigned width, uint32_t base,
                        uint32_t *out);
void skep_bits_unpack32_portable(const uint8_t *src, size_t first, size_t n, unsigned width,
                                 uint32_t base, uint32_t *out);

enum { SKEP_BITS_PAD = 16 };

/* Bits set.  The builtin is a call into the compiler's library where the CPU need not have the
 * instruction; this is inlined, and becomes that instruction where it may be used. */
static inline SKEP_WRAPS unsigned skep_bits_count(uint64_t x)
{
    x -= x >> 1 & 0x5555555555555555ull;
    x = (x & 0x3333333333333333ull) + (x >> 2 & 0x3333333333333333ull);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0full;
    return (unsigned)(x * 0x0101010101010101ull >> 56);
}
