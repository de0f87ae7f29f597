// SPDX-License-Identifier: Apache-2.0
/* Slices: comparison, search, and numbers without the locale.
 *
 * Threads: any; pure functions of their arguments. */
#include "base/str.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>

#include "base/assert.h"

#ifdef SKEP_AVX2
#include <immintrin.h>
#endif

int skep_str_cmp(skep_str a, skep_str b)
{
    size_t n = SKEP_MIN(a.n, b.n);
    int c = n ? memcmp(a.p, b.p, n) : 0;
    if (c)
        return c;
    return a.n < b.n ? -1 : a.n > b.n;
}

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

bool skep_str_ieq(skep_str a, skep_str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

bool skep_str_starts(skep_str s, skep_str prefix)
{
    return s.n >= prefix.n &&
           (prefix.n == 0 || (s.p[0] == prefix.p[0] && memcmp(s.p, prefix.p, prefix.n) == 0));
}

bool skep_str_ends(skep_str s, skep_str suffix)
{
    return s.n >= suffix.n &&
           (suffix.n == 0 || (s.p[s.n - 1] == suffix.p[suffix.n - 1] &&
                              memcmp(s.p + (s.n - suffix.n), suffix.p, suffix.n) == 0));
}

#ifdef SKEP_AVX2
enum { WIDTH = 32 };

SKEP_AVX2 static inline __m256i load32(const char *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

/* Places where the first and the last byte of the needle stand at their distance are compared in
 * full, 32 places at a time.  Texts in which that is often in vain are left to memmem, which is
 * linear whatever they hold: *ret_from is where to go on. */
SKEP_AVX2 static size_t find_pairs(skep_str s, skep_str needle, size_t *ret_from)
{
    __m256i first = _mm256_set1_epi8(needle.p[0]);
    __m256i last = _mm256_set1_epi8(needle.p[needle.n - 1]);
    size_t at = 0, vain = 0;
    for (; at + needle.n + WIDTH - 1 <= s.n && vain <= at / 8 + 64; at += WIDTH) {
        __m256i a = _mm256_cmpeq_epi8(load32(s.p + at), first);
        __m256i b = _mm256_cmpeq_epi8(load32(s.p + at + needle.n - 1), last);
        uint32_t both = (uint32_t)_mm256_movemask_epi8(_mm256_and_si256(a, b));
        for (; both; both &= both - 1, vain++) {
            size_t k = at + SKEP_CTZ64(both);
            if (memcmp(s.p + k, needle.p, needle.n) == 0)
                return k;
        }
    }
    *ret_from = at;
    return SIZE_MAX;
}
#endif

size_t skep_str_find_portable(skep_str s, skep_str needle)
{
    if (needle.n == 0)
        return 0;
    if (needle.n > s.n)
        return SIZE_MAX;
    const char *at = memmem(s.p, s.n, needle.p, needle.n);
    return at ? (size_t)(at - s.p) : SIZE_MAX;
}

size_t skep_str_find(skep_str s, skep_str needle)
{
#ifdef SKEP_AVX2
    if (needle.n >= 2 && s.n >= needle.n + WIDTH && SKEP_HAS_AVX2()) {
        size_t from = 0, at = find_pairs(s, needle, &from);
        if (at != SIZE_MAX)
            return at;
        at = skep_str_find_portable(skep_str_skip(s, from), needle);
        return at == SIZE_MAX ? at : at + from;
    }
#endif
    return skep_str_find_portable(s, needle);
}

size_t skep_str_chr(skep_str s, char c)
{
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
    return at ? (size_t)(at - s.p) : SIZE_MAX;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

skep_str skep_str_trim(skep_str s)
{
    while (s.n && blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

skep_str skep_str_cut(skep_str *s, char sep)
{
    skep_assert(s != NULL);
    size_t at = skep_str_chr(*s, sep);
    skep_str head = *s;
    if (at == SIZE_MAX) {
        *s = SKEP_STR_NULL;
        return head;
    }
    head.n = at;
    *s = skep_str_skip(*s, at + 1);
    return head;
}

bool skep_str_u64(skep_str s, uint64_t *ret)
{
    uint64_t v = 0;
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        if (SKEP_MUL_OVERFLOW(v, (uint64_t)10, &v) ||
            SKEP_ADD_OVERFLOW(v, (uint64_t)(s.p[i] - '0'), &v))
            return false;
    }
    *ret = v;
    return true;
}

bool skep_str_i64(skep_str s, int64_t *ret)
{
    uint64_t v;
    bool neg = s.n && s.p[0] == '-';
    if (s.n && (s.p[0] == '-' || s.p[0] == '+'))
        s = skep_str_skip(s, 1);
    if (!skep_str_u64(s, &v))
        return false;
    if (neg) {
        if (v > (uint64_t)INT64_MAX + 1)
            return false;
        *ret = v == (uint64_t)INT64_MAX + 1 ? INT64_MIN : -(int64_t)v;
        return true;
    }
    if (v > INT64_MAX)
        return false;
    *ret = (int64_t)v;
    return true;
}

bool skep_str_f64(skep_str s, double *ret)
{
    /* strtod_l in the "C" locale: correctly rounded, and the caller's locale cannot turn the
     * decimal point into a comma.  The text is copied because a slice has no NUL. */
    static _Thread_local locale_t c_locale;
    char buf[512];
    char *end;

    if (s.n == 0 || s.n >= sizeof buf)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!strchr("+-.0123456789eE", s.p[i]) || s.p[i] == '\0')
            return false;
    memcpy(buf, s.p, s.n);
    buf[s.n] = '\0';
    if (!c_locale)
        c_locale = newlocale(LC_ALL_MASK, "C", NULL);
    skep_assert(c_locale != NULL);
    double v = strtod_l(buf, &end, c_locale);
    if (end != buf + s.n)
        return false;
    *ret = v;
    return true;
}

void skep_hex_encode(skep_bytes in, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < in.n; i++) {
        out[2 * i] = digits[in.p[i] >> 4];
        out[2 * i + 1] = digits[in.p[i] & 15];
    }
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool skep_hex_decode(skep_str s, uint8_t *out, size_t cap)
{
    if (s.n % 2 || s.n / 2 > cap)
        return false;
    for (size_t i = 0; i < s.n / 2; i++) {
        int hi = hex_value(s.p[2 * i]);
        int lo = hex_value(s.p[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

/* Length of the well-formed sequence at p (1..4), or 0. */
static size_t utf8_sequence(const unsigned char *p, size_t n)
{
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || n < 2 || (p[1] & 0xc0) != 0x80)
        return 0;
    if (p[0] < 0xe0)
        return 2;
    if (n < 3 || (p[2] & 0xc0) != 0x80)
        return 0;
    if (p[0] < 0xf0) {
        if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f))
            return 0;
        return 3;
    }
    if (n < 4 || (p[3] & 0xc0) != 0x80 || p[0] > 0xf4)
        return 0;
    if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return 4;
}

bool skep_utf8_valid(skep_str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t i = 0;
    while (i < s.n) {
        /* Eight ASCII bytes at a time: most telemetry is ASCII. */
        uint64_t w;
        if (s.n - i >= 8) {
            memcpy(&w, p + i, 8);
            if (!(w & 0x8080808080808080ull)) {
                i += 8;
                continue;
            }
        }
        size_t k = utf8_sequence(p + i, s.n - i);
        if (!k)
            return false;
        i += k;
    }
    return true;
}
