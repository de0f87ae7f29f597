// SPDX-License-Identifier: Apache-2.0
/* Texts to ids (ids.h).  Threads: any.  Memory: none. */
#include "event/ids.h"

#include <xxhash.h>

#include "base/bytes.h"

skep_trace_id skep_trace_id_of(skep_str s)
{
    skep_trace_id id = {{0}};
    char digits[32];
    size_t n = 0;
    for (size_t i = 0; i < s.n && n <= sizeof digits; i++) {
        if (s.n == 36 && s.p[i] == '-')
            continue;
        if (n < sizeof digits)
            digits[n] = s.p[i];
        n++;
    }
    if ((n == 16 || n == 32) && skep_hex_decode((skep_str){digits, n}, id.b + (16 - n / 2), n / 2))
        return id;
    if (s.n)
        XXH128_canonicalFromHash((XXH128_canonical_t *)id.b, XXH3_128bits(s.p, s.n));
    return id;
}

uint64_t skep_span_id_of(skep_str s)
{
    uint8_t b[8];
    if (s.n == 16 && skep_hex_decode(s, b, sizeof b))
        return skep_load_le64(b);
    return s.n ? XXH3_64bits(s.p, s.n) : 0;
}

static bool plain_hex(skep_str s, size_t n)
{
    if (s.n != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
            return false;
    return true;
}

bool skep_trace_id_plain(skep_str text)
{
    return plain_hex(text, 32) || plain_hex(text, 16);
}

bool skep_span_id_plain(skep_str text)
{
    return plain_hex(text, 16);
}
