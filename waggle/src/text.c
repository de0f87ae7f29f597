// SPDX-License-Identifier: Apache-2.0
/*
 * text.c - strings as they may be recorded: valid UTF-8, cut at a number of characters
 *
 * OTLP's strings must be UTF-8: one bad byte would make a receiver refuse the whole request. So
 * each byte that belongs to no valid sequence becomes U+FFFD. Plain ASCII, which nearly all text
 * is, is recognised eight bytes at a time.
 *
 * Threads: no state.
 */
#include "priv.h"

static size_t ascii_n(const char *p, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t word;
        memcpy(&word, p + i, 8);
        if (word & 0x8080808080808080u)
            break;
    }
    while (i < n && (unsigned char)p[i] < 0x80)
        i++;
    return i;
}

static bool follows(const uint8_t *p, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return false;
    return true;
}

size_t waggle__utf8_n(const uint8_t *p, size_t n)
{
    if (n == 0)
        return 0;
    uint8_t c = p[0];
    if (c < 0x80)
        return 1;
    if (c >= 0xc2 && c <= 0xdf)
        return n >= 2 && follows(p, 2) ? 2 : 0;
    if ((c & 0xf0) == 0xe0) {
        if (n < 3 || !follows(p, 3))
            return 0;
        bool overlong = c == 0xe0 && p[1] < 0xa0;
        bool surrogate = c == 0xed && p[1] >= 0xa0;
        return overlong || surrogate ? 0 : 3;
    }
    if (c >= 0xf0 && c <= 0xf4) {
        if (n < 4 || !follows(p, 4))
            return 0;
        bool overlong = c == 0xf0 && p[1] < 0x90;
        bool beyond = c == 0xf4 && p[1] >= 0x90;
        return overlong || beyond ? 0 : 4;
    }
    return 0;
}

struct waggle__text waggle__text_of(const char *p, size_t n, uint32_t limit)
{
    if (limit < n / 4)
        n = (size_t)limit * 4; // no more can be needed: a long text costs no more than a short one
    size_t i = ascii_n(p, n);
    if (WAGGLE__LIKELY(i == n)) {
        size_t cut = n > limit ? limit : n;
        return (struct waggle__text){p, cut, cut};
    }
    if (i > limit)
        return (struct waggle__text){p, limit, limit};
    size_t out = i;
    for (size_t chars = i; i < n && chars < limit; chars++) {
        size_t k = waggle__utf8_n((const uint8_t *)p + i, n - i);
        out += k ? k : 3;
        i += k ? k : 1;
    }
    return (struct waggle__text){p, i, out};
}

uint8_t *waggle__text_write(uint8_t *w, const struct waggle__text *text)
{
    if (WAGGLE__LIKELY(text->n == text->out_n)) {
        // Equal lengths mean no bad byte: each would have added two.
        if (text->n > 0)
            memcpy(w, text->p, text->n);
        return w + text->n;
    }
    const uint8_t *p = (const uint8_t *)text->p;
    for (size_t i = 0; i < text->n;) {
        size_t k = waggle__utf8_n(p + i, text->n - i);
        memcpy(w, k ? p + i : (const uint8_t *)"\xef\xbf\xbd", k ? k : 3);
        w += k ? k : 3;
        i += k ? k : 1;
    }
    return w;
}
