// SPDX-License-Identifier: Apache-2.0
/* Exact sums: a fixed-point accumulator as wide as the doubles.
 *
 *   value = sum over k of chunk[k] * 2^(32 k - 1088),  k = 0..69
 *
 * Covers 2^-1088 .. 2^1152: every double (2^-1074 .. 2^1024), a weight of 32 bits and 2^63 rows.
 * Chunks are signed 64-bit, so 2^30 pieces of 32 bits can be added before carries are moved.
 *
 * I1  Nothing is ever rounded while adding: the value depends on the multiset of inputs alone.
 * I2  After a carry pass every chunk but the last is in [0, 2^32); the last holds the sign.
 *
 * Threads: one at a time. */
#include "agg/agg_priv.h"

#include "base/assert.h"

#include <math.h>

enum { ADDS_MAX = 1 << 28 };

static void carry(struct skep_fsum *s)
{
    int64_t c = 0;
    for (int k = 0; k < SKEP_FSUM_CHUNKS - 1; k++) {
        int64_t v = s->chunk[k] + c;
        c = v >> 32;
        s->chunk[k] = v & 0xffffffff;
    }
    s->chunk[SKEP_FSUM_CHUNKS - 1] += c;
    s->adds = 0;
}

static void add_u64(struct skep_fsum *s, uint64_t m, int pos, bool minus)
{
    skep_assert(pos >= 0);
    skep_u128 v = (skep_u128)m << (pos & 31);
    for (int k = pos >> 5; v != 0; k++, v >>= 32) {
        skep_assert(k < SKEP_FSUM_CHUNKS);
        int64_t piece = (int64_t)(v & 0xffffffff);
        s->chunk[k] += minus ? -piece : piece;
    }
}

void skep_fsum__add(struct skep_fsum *s, skep_i128 v, int exp)
{
    bool minus = v < 0;
    skep_u128 m = minus ? -(skep_u128)v : (skep_u128)v;
    int pos = exp + SKEP_FSUM_BASE;
    add_u64(s, (uint64_t)m, pos, minus);
    add_u64(s, (uint64_t)(m >> 64), pos + 64, minus);
    if (++s->adds >= ADDS_MAX)
        carry(s);
}

void skep_fsum__add_double(struct skep_fsum *s, double v, uint64_t weight)
{
    int exp = 0;
    double m = frexp(v, &exp); /* 0.5 <= |m| < 1 */
    int64_t mant = (int64_t)ldexp(m, 53);
    exp -= 53;
    if (exp < -1074) { /* subnormal: the lowest bits of mant are zero */
        mant >>= -1074 - exp;
        exp = -1074;
    }
    skep_fsum__add(s, (skep_i128)mant * (skep_i128)weight, exp);
}

void skep_fsum__merge(struct skep_fsum *s, const struct skep_fsum *t)
{
    struct skep_fsum u = *t;
    carry(&u);
    carry(s);
    for (int k = 0; k < SKEP_FSUM_CHUNKS; k++)
        s->chunk[k] += u.chunk[k];
    carry(s);
}

/* Carry and make positive; returns whether it was negative. */
static bool magnitude(struct skep_fsum *s, struct skep_fsum *ret)
{
    carry(s);
    *ret = *s;
    if (s->chunk[SKEP_FSUM_CHUNKS - 1] >= 0)
        return false;
    for (int k = 0; k < SKEP_FSUM_CHUNKS; k++)
        ret->chunk[k] = -ret->chunk[k];
    carry(ret);
    return true;
}

double skep_fsum__round(struct skep_fsum *s)
{
    struct skep_fsum u;
    bool minus = magnitude(s, &u);
    int top = SKEP_FSUM_CHUNKS - 1;
    while (top >= 0 && u.chunk[top] == 0)
        top--;
    if (top < 0)
        return 0;
    if (u.chunk[top] >> 32)
        return minus ? (double)-INFINITY : (double)INFINITY;
    /* The highest three chunks as one number of at least 65 bits, the rest as "sticky". */
    skep_u128 m = 0;
    for (int k = top; k > top - 3; k--)
        m = (m << 32) | (k >= 0 ? (uint64_t)u.chunk[k] : 0);
    bool sticky = false;
    for (int k = top - 3; k >= 0 && !sticky; k--)
        sticky = u.chunk[k] != 0;
    int exp = 32 * (top - 2) - SKEP_FSUM_BASE; /* of m's lowest bit */
    int bits = 128 - (int)((uint64_t)(m >> 64) ? SKEP_CLZ64((uint64_t)(m >> 64))
                                               : 64 + SKEP_CLZ64((uint64_t)m));
    int drop = bits - 53;
    uint64_t mant = (uint64_t)(m >> drop);
    skep_u128 rest = m & (((skep_u128)1 << drop) - 1), half = (skep_u128)1 << (drop - 1);
    if (rest > half || (rest == half && (sticky || (mant & 1))))
        mant++;
    double v = ldexp((double)mant, exp + drop); /* subnormal sums have no bit below 2^-1074 */
    return minus ? -v : v;
}

bool skep_fsum__int(struct skep_fsum *s, int64_t *ret)
{
    enum { ONE = SKEP_FSUM_BASE / 32 };
    struct skep_fsum u;
    bool minus = magnitude(s, &u);
    for (int k = 0; k < SKEP_FSUM_CHUNKS; k++)
        if (u.chunk[k] != 0 && (k < ONE || k > ONE + 1))
            return false;
    uint64_t m = (uint64_t)u.chunk[ONE] | (uint64_t)u.chunk[ONE + 1] << 32;
    if (m > (uint64_t)INT64_MAX + (minus ? 1 : 0))
        return false;
    *ret = minus ? (int64_t)-m : (int64_t)m;
    return true;
}
