// SPDX-License-Identifier: Apache-2.0
/* Places as numbers of 56 digits and back (logs_ids.h).
 *
 * A number of 192 bits lies in six limbs of 32, the lowest first; its decimal digits come of
 * dividing by 10^9.  The check, 28 bits of a hash, tells a number that was made up or cut.
 *
 * Pure.  Threads: any. */
#include "api/logs_ids.h"

#include "base/assert.h"
#include "base/hash.h"

enum { LIMBS = 6, DIGITS = 56, DIGITS_MAX = 58, CHECK_BITS = 28 };

static uint32_t check_of(const struct skep_logs_place *p)
{
    uint64_t h = skep_hash_u64((uint64_t)p->time_ns);
    h = skep_hash_u64(h ^ p->id.seq);
    h = skep_hash_u64(h ^ p->id.ordinal);
    return (uint32_t)(h & ((1u << CHECK_BITS) - 1));
}

/* Add v << shift. */
static void put_bits(uint32_t n[LIMBS], uint64_t v, unsigned shift)
{
    for (unsigned bit = 0; bit < 64; bit++)
        if (v >> bit & 1 && (shift + bit) / 32 < LIMBS)
            n[(shift + bit) / 32] |= 1u << ((shift + bit) % 32);
}

static uint64_t take_bits(const uint32_t n[LIMBS], unsigned shift, unsigned bits)
{
    uint64_t v = 0;
    for (unsigned bit = 0; bit < bits; bit++) {
        unsigned at = shift + bit;
        if (at / 32 < LIMBS && n[at / 32] >> (at % 32) & 1)
            v |= 1ull << bit;
    }
    return v;
}

skep_str skep_logs_id(const struct skep_logs_place *p, char out[SKEP_LOGS_ID_BYTES])
{
    uint32_t n[LIMBS] = {0};
    struct skep_logs_place q = *p;
    char digits[SKEP_LOGS_ID_BYTES];
    size_t count = 0;
    if (q.time_ns < 0)
        q.time_ns = 0;
    put_bits(n, (uint64_t)q.time_ns / 1000000, 144);
    put_bits(n, (uint64_t)q.time_ns % 1000000, 124);
    put_bits(n, q.id.seq, 60);
    put_bits(n, q.id.ordinal, CHECK_BITS);
    put_bits(n, check_of(&q), 0);
    while (count < DIGITS_MAX) {
        uint64_t rest = 0;
        bool more = false;
        for (unsigned i = LIMBS; i-- > 0;) {
            uint64_t v = rest << 32 | n[i];
            n[i] = (uint32_t)(v / 10);
            rest = v % 10;
            more = more || n[i];
        }
        digits[count++] = (char)('0' + rest);
        if (!more && count >= DIGITS)
            break;
    }
    for (size_t i = 0; i < count; i++)
        out[i] = digits[count - 1 - i];
    return (skep_str){out, count};
}

/* n = n * 10 + digit; false when it does not fit. */
static bool push_digit(uint32_t n[LIMBS], unsigned digit)
{
    uint64_t carry = digit;
    for (unsigned i = 0; i < LIMBS; i++) {
        uint64_t v = (uint64_t)n[i] * 10 + carry;
        n[i] = (uint32_t)v;
        carry = v >> 32;
    }
    return carry == 0;
}

bool skep_logs_id_read(skep_str s, struct skep_logs_place *ret)
{
    uint32_t n[LIMBS] = {0};
    struct skep_logs_place p;
    if (s.n < DIGITS || s.n > DIGITS_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9' || !push_digit(n, (unsigned)(s.p[i] - '0')))
            return false;
    }
    uint64_t ms = take_bits(n, 144, 48), rest = take_bits(n, 124, 20);
    if (ms > (uint64_t)INT64_MAX / 1000000 - 1 || rest >= 1000000)
        return false;
    p.time_ns = (int64_t)(ms * 1000000 + rest);
    p.id.seq = take_bits(n, 60, 64);
    p.id.ordinal = (uint32_t)take_bits(n, CHECK_BITS, 32);
    if (check_of(&p) != take_bits(n, 0, CHECK_BITS))
        return false;
    *ret = p;
    return true;
}
