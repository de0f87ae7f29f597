// SPDX-License-Identifier: Apache-2.0
/* Unaligned little-endian loads and stores, and skep_rd: a bounded cursor with a sticky flag. */
#pragma once

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/str.h"

static inline uint16_t skep_load_le16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline uint32_t skep_load_le32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline uint64_t skep_load_le64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline void skep_store_le16(void *p, uint16_t v)
{
    memcpy(p, &v, sizeof v);
}
static inline void skep_store_le32(void *p, uint32_t v)
{
    memcpy(p, &v, sizeof v);
}
static inline void skep_store_le64(void *p, uint64_t v)
{
    memcpy(p, &v, sizeof v);
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "big-endian hosts need swapping loads");

/* Bytes that must be readable behind both sides of skep_eq_padded. */
enum { SKEP_EQ_PAD = 32 };

/* Are n bytes equal?  SKEP_EQ_PAD bytes from a and from b must be readable whatever n is: short
 * texts are compared without a loop. */
SKEP_INLINE bool skep_eq_padded(const void *a, const void *b, size_t n)
{
#if defined(__SSE2__)
    const uint8_t *p = a, *q = b;
    if (SKEP_UNLIKELY(n > 32))
        return memcmp(p, q, n) == 0;
    unsigned same = (unsigned)_mm_movemask_epi8(
        _mm_cmpeq_epi8(_mm_loadu_si128((const void *)p), _mm_loadu_si128((const void *)q)));
    if (n <= 16)
        return (~same & ((1u << n) - 1)) == 0;
    unsigned more = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(
        _mm_loadu_si128((const void *)(p + 16)), _mm_loadu_si128((const void *)(q + 16))));
    return same == 0xffff && (~more & ((1u << (n - 16)) - 1)) == 0;
#else
    return memcmp(a, b, n) == 0;
#endif
}

/* skep_str_eq for texts that are mostly short, in inner loops: without a call. */
SKEP_INLINE bool skep_str_eq_short(skep_str a, skep_str b)
{
    if (a.n != b.n)
        return false;
    if (SKEP_UNLIKELY(a.n > 64))
        return memcmp(a.p, b.p, a.n) == 0;
    if (a.n >= 8) {
        for (size_t i = 0; i + 8 < a.n; i += 8) {
            if (skep_load_le64(a.p + i) != skep_load_le64(b.p + i))
                return false;
        }
        return skep_load_le64(a.p + a.n - 8) == skep_load_le64(b.p + a.n - 8);
    }
    if (a.n >= 4)
        return skep_load_le32(a.p) == skep_load_le32(b.p) &&
               skep_load_le32(a.p + a.n - 4) == skep_load_le32(b.p + a.n - 4);
    for (size_t i = 0; i < a.n; i++) {
        if (a.p[i] != b.p[i])
            return false;
    }
    return true;
}

/* A reader over borrowed bytes.  After the first read past the end `bad` is set and every later
 * read yields zero: a decoder checks once per message. */
typedef struct skep_rd {
    const uint8_t *p, *end;
    const uint8_t *start; /* for offsets in messages */
    bool bad;
} skep_rd;

static inline skep_rd skep_rd_make(skep_bytes b)
{
    return (skep_rd){b.p, b.p + b.n, b.p, false};
}
static inline size_t skep_rd_left(const skep_rd *r)
{
    return (size_t)(r->end - r->p);
}
static inline size_t skep_rd_offset(const skep_rd *r)
{
    return (size_t)(r->p - r->start);
}
/* n bytes, or {NULL, 0} and bad. */
static inline skep_bytes skep_rd_take(skep_rd *r, size_t n)
{
    if (SKEP_UNLIKELY(r->bad || skep_rd_left(r) < n)) {
        r->bad = true;
        return (skep_bytes){NULL, 0};
    }
    skep_bytes b = {r->p, n};
    r->p += n;
    return b;
}
static inline uint8_t skep_rd_u8(skep_rd *r)
{
    skep_bytes b = skep_rd_take(r, 1);
    return b.p ? b.p[0] : 0;
}
static inline uint16_t skep_rd_u16(skep_rd *r)
{
    skep_bytes b = skep_rd_take(r, 2);
    return b.p ? skep_load_le16(b.p) : 0;
}
static inline uint32_t skep_rd_u32(skep_rd *r)
{
    skep_bytes b = skep_rd_take(r, 4);
    return b.p ? skep_load_le32(b.p) : 0;
}
static inline uint64_t skep_rd_u64(skep_rd *r)
{
    skep_bytes b = skep_rd_take(r, 8);
    return b.p ? skep_load_le64(b.p) : 0;
}
/* LEB128, at most 10 bytes. */
static inline uint64_t skep_rd_varint(skep_rd *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (SKEP_UNLIKELY(r->bad || r->p == r->end))
            break;
        uint8_t c = *r->p++;
        if (shift == 63 && c > 1)
            break;
        v |= (uint64_t)(c & 0x7f) << shift;
        if (!(c & 0x80))
            return v;
    }
    r->bad = true;
    return 0;
}
