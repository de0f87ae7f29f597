// SPDX-License-Identifier: Apache-2.0
/* A message without its data, as Rollbar cuts it (its documents give "testing aobg98wrwe" the hash
 * of "testing aobgwrwe").
 *
 *   timestamps           2026-11-29T10:00:00.000Z   10:00:00   29 Nov 2026
 *   decimals             1.25, and what has more of them: 10.0.0.1, 1.2.3
 *   hex numbers          7ffe12ab   0x7f is kept, its digits are fewer than four
 *   integers             98, also inside of a word
 *
 * I1  a hex number has a digit and is no part of a longer word: "facade" and "record12a" are words.
 * I2  cleaning what was cleaned changes nothing that matters: fingerprints hash one pass. */
#include "base/assert.h"
#include "stack/fingerprint.h"

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool hex(char c)
{
    return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static size_t digits(skep_str s, size_t at)
{
    size_t n = 0;
    while (at + n < s.n && digit(s.p[at + n]))
        n++;
    return n;
}

/* A pattern of 'd' for a digit and other characters as they are: its length, or 0. */
static size_t like(skep_str s, size_t at, const char *pattern)
{
    size_t n = 0;
    for (; pattern[n]; n++) {
        if (at + n >= s.n || (pattern[n] == 'd' ? !digit(s.p[at + n]) : s.p[at + n] != pattern[n]))
            return 0;
    }
    return n;
}

static size_t time_of_day(skep_str s, size_t at)
{
    size_t n = like(s, at, "dd:dd");
    if (n == 0)
        return 0;
    n += like(s, at + n, ":dd");
    if (at + n + 1 < s.n && (s.p[at + n] == '.' || s.p[at + n] == ',') && digit(s.p[at + n + 1]))
        n += 1 + digits(s, at + n + 1);
    if (at + n < s.n && s.p[at + n] == 'Z')
        return n + 1;
    if (at + n < s.n && (s.p[at + n] == '+' || s.p[at + n] == '-')) {
        size_t zone = like(s, at + n + 1, "dd:dd");
        zone = zone ? zone : like(s, at + n + 1, "dddd");
        n += zone ? zone + 1 : 0;
    }
    return n;
}

static size_t date(skep_str s, size_t at)
{
    size_t n = like(s, at, "dddd-dd-dd");
    n = n ? n : like(s, at, "dddd/dd/dd");
    n = n ? n : like(s, at, "dd/dd/dddd");
    if (n > 0 && at + n < s.n && (s.p[at + n] == 'T' || s.p[at + n] == ' ')) {
        size_t time = time_of_day(s, at + n + 1);
        n += time ? time + 1 : 0;
    }
    return n;
}

/* "Nov" before or behind a number: "29 Nov 2026", "Nov 29", "29/Nov/2026". */
static size_t month(skep_str s, size_t at)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (!(s.p[at] >= 'A' && s.p[at] <= 'Z') || at + 3 > s.n || (at > 0 && alpha(s.p[at - 1])) ||
        (at + 3 < s.n && alpha(s.p[at + 3])))
        return 0;
    for (size_t i = 0; i + 3 < sizeof names; i += 3) {
        if (memcmp(s.p + at, names + i, 3) != 0)
            continue;
        bool before = at > 1 && digit(s.p[at - 2]);
        bool behind = at + 4 < s.n && digit(s.p[at + 4]);
        return before || behind ? 3 : 0;
    }
    return 0;
}

static size_t decimal(skep_str s, size_t at)
{
    size_t whole = digits(s, at);
    if (whole == 0 || at + whole + 1 >= s.n || s.p[at + whole] != '.')
        return 0;
    size_t n = whole, part;
    while (at + n + 1 < s.n && s.p[at + n] == '.' && (part = digits(s, at + n + 1)) > 0)
        n += 1 + part;
    return n > whole ? n : 0;
}

static size_t hex_number(skep_str s, size_t at)
{
    size_t n = 0, numbers = 0;
    bool x = at > 1 && s.p[at - 1] == 'x' && s.p[at - 2] == '0';
    if (at > 0 && !x && (alpha(s.p[at - 1]) || digit(s.p[at - 1])))
        return 0;
    while (at + n < s.n && hex(s.p[at + n]))
        numbers += digit(s.p[at + n++]);
    if (n < 4 || numbers == 0 || (at + n < s.n && alpha(s.p[at + n])))
        return 0;
    return n;
}

/* What begins at this character decides what it may be. */
static size_t data(skep_str s, size_t at)
{
    size_t n;
    if (!digit(s.p[at])) {
        if (!hex(s.p[at]) && !alpha(s.p[at]))
            return 0;
        n = month(s, at);
        return n > 0 ? n : hex_number(s, at);
    }
    if ((n = date(s, at)) > 0 || (n = time_of_day(s, at)) > 0 || (n = decimal(s, at)) > 0 ||
        (n = hex_number(s, at)) > 0)
        return n;
    n = digits(s, at);
    return n >= 2 ? n : 0;
}

void skep_fingerprint_clean(skep_str text, struct skep_buf *out)
{
    size_t kept = 0;
    skep_assert(out);
    for (size_t i = 0; i < text.n;) {
        size_t n = data(text, i);
        if (n == 0) {
            i++;
            continue;
        }
        skep_buf_put(out, text.p + kept, i - kept);
        i += n;
        kept = i;
    }
    skep_buf_put(out, text.p + kept, text.n - kept);
}
