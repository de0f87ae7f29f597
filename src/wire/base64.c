// SPDX-License-Identifier: Apache-2.0
/* Base64: three octets are four characters of six bits.
 *
 * Reading is tolerant where clients differ (both alphabets, padding or none) and strict where data
 * would be lost: unused bits of the last character must be zero.
 * Threads: none of its own.  Memory: none. */
#include "wire/base64.h"

#include "base/assert.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void skep_base64_encode(struct skep_buf *out, skep_bytes in)
{
    skep_assert(in.n <= SIZE_MAX / 4 * 3 - 3);
    if (!skep_buf_reserve(out, (in.n + 2) / 3 * 4))
        return;
    for (size_t i = 0; i < in.n; i += 3) {
        uint32_t v = (uint32_t)in.p[i] << 16;
        if (i + 1 < in.n)
            v |= (uint32_t)in.p[i + 1] << 8;
        if (i + 2 < in.n)
            v |= in.p[i + 2];
        skep_buf_u8(out, (uint8_t)digits[v >> 18]);
        skep_buf_u8(out, (uint8_t)digits[(v >> 12) & 63]);
        skep_buf_u8(out, i + 1 < in.n ? (uint8_t)digits[(v >> 6) & 63] : '=');
        skep_buf_u8(out, i + 2 < in.n ? (uint8_t)digits[v & 63] : '=');
    }
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

bool skep_base64_decode(skep_str s, uint8_t *out, size_t cap, size_t *ret_n)
{
    skep_assert(ret_n != NULL && (out != NULL || cap == 0));
    size_t n = s.n;
    for (unsigned pad = 0; pad < 2 && n > 0 && s.p[n - 1] == '='; pad++)
        n--;
    // Padding, where there is any, fills up the last group of four.
    if (n % 4 == 1 || (n != s.n && s.n % 4 != 0) || n / 4 * 3 + (n % 4 ? n % 4 - 1 : 0) > cap)
        return false;
    uint32_t bits = 0;
    unsigned n_bits = 0;
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        int v = value_of(s.p[i]);
        if (v < 0)
            return false;
        bits = (bits << 6 | (uint32_t)v) & 0xffffff;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            out[at++] = (uint8_t)(bits >> n_bits);
        }
    }
    if (bits & ((1u << n_bits) - 1))
        return false;
    *ret_n = at;
    return true;
}
