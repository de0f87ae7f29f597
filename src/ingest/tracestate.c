// SPDX-License-Identifier: Apache-2.0
/* The sampling threshold in a W3C tracestate.
 *
 *   tracestate: member , member ...       member: key = value
 *   the member `ot`: sub ; sub ...        sub: th : 1..14 hex digits
 *
 * th is the rejection threshold T, its digits left-justified in 56 bits: a trace is kept when its
 * random value is >= T, so one kept stands for 2^56 / (2^56 - T).  That count is rounded to the
 * nearest integer and never drawn at random: the same bytes must give the same rows on a retry.  An
 * older form wrote th=<hex> as a member of its own. Threads: any.  Memory: none. */
#include "ingest/otlp.h"

#include "base/assert.h"

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static uint32_t rate_of_threshold(skep_str th)
{
    enum { DIGITS = 14 };
    const uint64_t all = 1ull << 56;
    uint64_t t = 0;
    if (th.n == 0 || th.n > DIGITS)
        return 0;
    for (size_t i = 0; i < DIGITS; i++) {
        int v = i < th.n ? digit(th.p[i]) : 0;
        if (v < 0)
            return 0;
        t = t << 4 | (uint64_t)v;
    }
    skep_assert(t < all);
    uint64_t kept = all - t, rate = (all + kept / 2) / kept;
    return rate > INT32_MAX ? INT32_MAX : (uint32_t)rate;
}

uint32_t skep_tracestate_rate(skep_str tracestate)
{
    while (tracestate.p) {
        skep_str value = skep_str_trim(skep_str_cut(&tracestate, ','));
        skep_str key = skep_str_cut(&value, '=');
        if (!value.p)
            continue;
        if (skep_str_eq(key, SKEP_STR("th")))
            return rate_of_threshold(value);
        if (!skep_str_eq(key, SKEP_STR("ot")))
            continue;
        while (value.p) {
            skep_str sub = skep_str_cut(&value, ';');
            skep_str name = skep_str_cut(&sub, ':');
            if (sub.p && skep_str_eq(name, SKEP_STR("th")))
                return rate_of_threshold(sub);
        }
    }
    return 0;
}
