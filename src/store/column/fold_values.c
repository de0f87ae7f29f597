// SPDX-License-Identifier: Apache-2.0
/* Moving columns of parts into a larger payload.
 *
 *   value = base + stored           in the part:    width 0, 1, 2, 4, 8
 *                                   in the payload: width 0, 1, 2, 4, 8, base'
 *   stored' = stored + (base - base')     modulo 2^64, cut to the width
 *
 * Most often both are of one width and one base: then values are copied.  Row numbers of a sparse
 * column become bits or a list, whatever the payload has.
 *
 * I1  nothing is written outside [at, at + n_present) of the room.
 * Threads, memory: none of its own. */
#include "store/column/fold.h"

#include "base/assert.h"

#define CONVERT(in, out)                                                                           \
    do {                                                                                           \
        const in *v = (const void *)from;                                                          \
        out *t = (void *)to;                                                                       \
        for (size_t i = 0; i < n; i++)                                                             \
            t[i] = (out)(v[i] + delta);                                                            \
    } while (0)

#define CONVERT_TO(in)                                                                             \
    do {                                                                                           \
        switch (to_width) {                                                                        \
        case 1: CONVERT(in, uint8_t); break;                                                       \
        case 2: CONVERT(in, uint16_t); break;                                                      \
        case 4: CONVERT(in, uint32_t); break;                                                      \
        default: CONVERT(in, uint64_t); break;                                                     \
        }                                                                                          \
    } while (0)

// NOLINTNEXTLINE(readability-function-size): sixteen loops
SKEP_WRAPS SKEP_CLONES static void convert(uint8_t *to, unsigned to_width, const uint8_t *from,
                                           unsigned width, size_t n, uint64_t delta)
{
    switch (width) {
    case 1: CONVERT_TO(uint8_t); break;
    case 2: CONVERT_TO(uint16_t); break;
    case 4: CONVERT_TO(uint32_t); break;
    default: CONVERT_TO(uint64_t); break;
    }
}

SKEP_CLONES static void fill(uint8_t *to, unsigned width, size_t n, uint64_t v)
{
    uint16_t *t2 = (void *)to;
    uint32_t *t4 = (void *)to;
    uint64_t *t8 = (void *)to;
    switch (width) {
    case 1: memset(to, (int)(uint8_t)v, n); break;
    case 2:
        for (size_t i = 0; i < n; i++)
            t2[i] = (uint16_t)v;
        break;
    case 4:
        for (size_t i = 0; i < n; i++)
            t4[i] = (uint32_t)v;
        break;
    default:
        for (size_t i = 0; i < n; i++)
            t8[i] = v;
        break;
    }
}

SKEP_WRAPS void skep_fold__store(const struct skep_frame_room *to, size_t at,
                                 const struct skep_part_col *c)
{
    uint64_t delta = (uint64_t)c->base - (uint64_t)to->base;
    if (!to->to)
        return;
    uint8_t *t = to->to + at * to->width;
    if (c->width == 0)
        fill(t, to->width, c->n_present, delta);
    else if (c->width == to->width && delta == 0)
        memcpy(t, c->values, (size_t)c->n_present * c->width);
    else
        convert(t, to->width, c->values, c->width, c->n_present, delta);
}

SKEP_WRAPS void skep_fold__store_u32(const struct skep_frame_room *to, size_t at, const uint32_t *v,
                                     size_t n)
{
    if (to->to)
        convert(to->to + at * to->width, to->width, (const uint8_t *)v, 4, n,
                0 - (uint64_t)to->base);
}

void skep_fold__load_u32(const struct skep_part_col *c, uint32_t *to)
{
    if (c->width == 0)
        fill((uint8_t *)to, 4, c->n_present, (uint64_t)c->base);
    else
        convert((uint8_t *)to, 4, c->values, c->width, c->n_present, (uint64_t)c->base);
}

/* --- presence --------------------------------------------------------------------------------- */

static void set_range(uint64_t *bits, uint32_t first, uint32_t n)
{
    for (uint32_t end = first + n; first < end;) {
        uint32_t shift = first % 64, k = SKEP_MIN(64 - shift, end - first);
        uint64_t ones = k == 64 ? ~0ull : (1ull << k) - 1;
        bits[first / 64] |= ones << shift;
        first += k;
    }
}

static void or_bitmap(uint64_t *bits, const uint64_t *from, uint32_t first, uint32_t n_rows)
{
    uint32_t shift = first % 64;
    bits += first / 64;
    for (uint32_t w = 0; w < (n_rows + 63) / 64; w++) {
        bits[w] |= from[w] << shift;
        /* No bit stands behind the last row, so what is shifted out has its word. */
        if (shift && from[w] >> (64 - shift))
            bits[w + 1] |= from[w] >> (64 - shift);
    }
}

void skep_fold__rows(uint32_t *rows, const struct skep_part_col *c, uint32_t first, uint32_t n_rows)
{
    uint32_t n = 0;
    switch (c->presence) {
    case SKEP_FRAME_ALL:
        for (; n < c->n_present; n++)
            rows[n] = first + n;
        break;
    case SKEP_FRAME_LIST:
        for (; n < c->n_present; n++)
            rows[n] = first + c->rows[n];
        break;
    default:
        for (uint32_t w = 0; w < (n_rows + 63) / 64; w++)
            for (uint64_t bits = c->bitmap[w]; bits; bits &= bits - 1)
                rows[n++] = first + w * 64 + SKEP_CTZ64(bits);
        break;
    }
    skep_assert(n == c->n_present);
}

void skep_fold__presence(const struct skep_frame_presence_room *to, size_t at,
                         const struct skep_part_col *c, uint32_t first, uint32_t n_rows)
{
    if (to->rows) {
        skep_fold__rows(to->rows + at, c, first, n_rows);
        return;
    }
    if (!to->bitmap)
        return;
    switch (c->presence) {
    case SKEP_FRAME_ALL: set_range(to->bitmap, first, n_rows); break;
    case SKEP_FRAME_LIST:
        for (uint32_t i = 0; i < c->n_present; i++) {
            uint32_t row = first + c->rows[i];
            to->bitmap[row / 64] |= 1ull << (row % 64);
        }
        break;
    default: or_bitmap(to->bitmap, c->bitmap, first, n_rows); break;
    }
}
