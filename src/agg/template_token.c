// SPDX-License-Identifier: Apache-2.0
/* A log line as tokens: words, punctuation, and what is evidently a value.
 *
 *   GET /users/17 took 12.5ms [worker-3]
 *   GET | / | users | / | 17:Number | took | 12.5ms:Number | [ | worker- | 3:Number | ]
 *
 * Times are looked for first, because they hold punctuation; then a word is cut off and classified
 * as a whole (address, UUID, hex, random-looking), else cut where digits begin and end.
 *
 * Threads: any.  Memory: none. */
#include "agg/template_priv.h"

#include "base/assert.h"

enum {
    HEX_MIN = 8,
    HEX_MIXED_MIN = 6,
    RANDOM_CHANGES = 3,
    UNIT_MAX = 3,
    LINE_BYTES = 4096,
    UUID_BYTES = 36
};

/* A cursor over a line. */
struct scan {
    skep_str line;
    size_t at;
    struct skep_template__token *ret;
    unsigned n;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_blank(char c)
{
    return (unsigned char)c <= 0x20 || c == 0x7f;
}

/* Where words are joined of parts. */
static bool is_joint(char c)
{
    return c == '-' || c == '_' || c == '@' || c == '+' || c == '%';
}

/* "'`()[]{}<>,;=|!?*&^~:\/#$ as a bit each: looked at for every byte of every line. */
static bool is_punctuation(char c)
{
    static const uint64_t bits[2] = {0xfc0097de00000000ull, 0x7800000178000000ull};
    return (unsigned char)c < 0x80 && (bits[(unsigned char)c >> 6] >> (c & 63) & 1);
}

bool skep_template__is_word(skep_str text)
{
    return text.n > 0 && text.p[0] != '.' && !is_punctuation(text.p[0]);
}

/* How many digits stand at p, at most max. */
static size_t digits(skep_str s, size_t at, size_t max)
{
    size_t n = 0;
    while (n < max && at + n < s.n && is_digit(s.p[at + n]))
        n++;
    return n;
}

static bool has(skep_str s, size_t at, char c)
{
    return at < s.n && s.p[at] == c;
}

/* hh:mm, hh:mm:ss and its fraction: bytes, or 0. */
static size_t clock_at(skep_str s, size_t at)
{
    size_t begin = at;
    if (digits(s, at, 3) != 2 || !has(s, at + 2, ':') || digits(s, at + 3, 3) != 2)
        return 0;
    at += 5;
    if (has(s, at, ':') && digits(s, at + 1, 3) == 2) {
        at += 3;
        if ((has(s, at, '.') || has(s, at, ',')) && digits(s, at + 1, 9) > 0)
            at += 1 + digits(s, at + 1, 9);
    }
    return at - begin;
}

/* A zone behind a clock: Z, +01:00, +0100, with a blank before the latter two. */
static size_t zone_at(skep_str s, size_t at)
{
    if (has(s, at, 'Z'))
        return 1;
    size_t blank = has(s, at, ' ') ? 1 : 0;
    if (!has(s, at + blank, '+') && !has(s, at + blank, '-'))
        return 0;
    size_t sign = at + blank + 1;
    if (digits(s, sign, 5) == 4)
        return blank + 5;
    return digits(s, sign, 3) == 2 && has(s, sign + 2, ':') && digits(s, sign + 3, 3) == 2
               ? blank + 6
               : 0;
}

/* A month of two digits or three letters. */
static size_t month_at(skep_str s, size_t at)
{
    if (digits(s, at, 3) == 2)
        return 2;
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (size_t m = 0; at + 3 <= s.n && m < 36; m += 3)
        if (memcmp(s.p + at, names + m, 3) == 0)
            return 3;
    return 0;
}

/* 2026-11-29, 2026/11/29, 2026-Nov-29, 29/Nov/2026: bytes, or 0. */
static size_t date_at(skep_str s, size_t at)
{
    bool year_first = digits(s, at, 5) == 4;
    size_t first = year_first ? 4 : 2;
    if (!year_first && digits(s, at, 3) != 2)
        return 0;
    char c = at + first < s.n ? s.p[at + first] : '\0';
    if (c != '-' && c != '/')
        return 0;
    size_t month = month_at(s, at + first + 1);
    if (month == 0 || (!year_first && month == 2) || !has(s, at + first + 1 + month, c))
        return 0;
    size_t day = at + first + month + 2, want = year_first ? 2 : 4;
    return digits(s, day, want + 1) == want ? day + want - at : 0;
}

/* A date, a clock or both at `at`: bytes, or 0. */
static size_t time_at(skep_str s, size_t at)
{
    size_t n = date_at(s, at), clock = 0;
    if (n == 0) {
        clock = clock_at(s, at);
        return clock ? clock + zone_at(s, at + clock) : 0;
    }
    if (has(s, at + n, 'T') || has(s, at + n, ' ') || has(s, at + n, ':'))
        clock = clock_at(s, at + n + 1);
    if (clock == 0)
        return n;
    n += 1 + clock;
    return n + zone_at(s, at + n);
}

/* 10.0.0.7 */
static bool is_ip4(skep_str w)
{
    size_t at = 0;
    for (int group = 0; group < 4; group++) {
        size_t n = digits(w, at, 4);
        if (n == 0 || n > 3)
            return false;
        at += n;
        if (group < 3 && !has(w, at++, '.'))
            return false;
    }
    return at == w.n;
}

/* fe80::1, at least two colons and nothing but hex digits: bytes, or 0. */
static size_t ip6_at(skep_str s, size_t at)
{
    size_t n = 0, colons = 0, hex = 0;
    while (at + n < s.n && (is_hex(s.p[at + n]) || s.p[at + n] == ':')) {
        if (s.p[at + n] == ':')
            colons++;
        else
            hex++;
        n++;
    }
    bool ends = at + n == s.n || is_blank(s.p[at + n]) || is_punctuation(s.p[at + n]);
    return colons >= 2 && hex >= 1 && ends && s.p[at + n - 1] != ':' ? n : 0;
}

static bool is_uuid(skep_str w)
{
    if (w.n != UUID_BYTES)
        return false;
    for (size_t i = 0; i < w.n; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? w.p[i] != '-' : !is_hex(w.p[i]))
            return false;
    }
    return true;
}

/* 0x7f, a8f3c2, 1-5759e988-bd862e3fe1be46a994272793 */
static bool is_hex_id(skep_str w)
{
    size_t n_digits = 0, letters = 0;
    if (w.n > 2 && w.p[0] == '0' && (w.p[1] == 'x' || w.p[1] == 'X')) {
        for (size_t i = 2; i < w.n; i++)
            if (!is_hex(w.p[i]))
                return false;
        return true;
    }
    for (size_t i = 0; i < w.n; i++) {
        if (is_digit(w.p[i]))
            n_digits++;
        else if (is_hex(w.p[i]))
            letters++;
        else if (w.p[i] != '-')
            return false;
    }
    return n_digits > 0 && letters > 0 && w.n >= (n_digits > 1 ? HEX_MIXED_MIN : HEX_MIN);
}

/* Letters and digits that change as in x7Kp2Q: nobody's word. */
static bool is_random(skep_str w)
{
    unsigned changes = 0;
    for (size_t i = 0; i < w.n; i++)
        if (is_joint(w.p[i])) /* its parts are looked at */
            return false;
    for (size_t i = 1; i < w.n; i++)
        if ((is_digit(w.p[i]) && is_letter(w.p[i - 1])) ||
            (is_letter(w.p[i]) && is_digit(w.p[i - 1])))
            changes++;
    return changes >= RANDOM_CHANGES;
}

static enum skep_template_kind kind_of(skep_str w)
{
    if (is_ip4(w))
        return SKEP_TEMPLATE_IP;
    if (is_uuid(w))
        return SKEP_TEMPLATE_UUID;
    if (is_hex_id(w))
        return SKEP_TEMPLATE_HEX;
    return is_random(w) ? SKEP_TEMPLATE_TOKEN : SKEP_TEMPLATE_LITERAL;
}

/* 17, -3.5, 1.2.3, and a unit of up to three letters that ends the word: bytes, or 0. */
static size_t number_at(skep_str w, size_t at)
{
    size_t n = (has(w, at, '-') || has(w, at, '+')) && at == 0 ? 1 : 0;
    size_t first = digits(w, at + n, w.n);
    if (first == 0)
        return 0;
    n += first;
    while (has(w, at + n, '.') && digits(w, at + n + 1, w.n) > 0)
        n += 1 + digits(w, at + n + 1, w.n);
    size_t unit = 0;
    while (at + n + unit < w.n && (is_letter(w.p[at + n + unit]) || w.p[at + n + unit] == '%' ||
                                   (unsigned char)w.p[at + n + unit] >= 0x80))
        unit++;
    return at + n + unit == w.n && unit <= UNIT_MAX ? n + unit : n;
}

static void put(struct scan *s, skep_str text, enum skep_template_kind kind, bool blank)
{
    if (s->n >= SKEP_TEMPLATE_TOKENS || text.n == 0)
        return;
    s->ret[s->n++] = (struct skep_template__token){.text = text,
                                                   .kind = (uint8_t)kind,
                                                   .blank = blank,
                                                   .word = kind != SKEP_TEMPLATE_LITERAL ||
                                                           skep_template__is_word(text)};
}

/* The part of a word at `at` up to a joint, if that is a value as a whole (k-9f3c01a7): bytes, or
 * 0. */
static size_t part_at(skep_str w, size_t at, enum skep_template_kind *ret)
{
    size_t n = 0;
    if (at > 0 && !is_joint(w.p[at - 1]))
        return 0;
    while (at + n < w.n && !is_joint(w.p[at + n]))
        n++;
    *ret = n > 0 ? kind_of((skep_str){w.p + at, n}) : SKEP_TEMPLATE_LITERAL;
    return *ret == SKEP_TEMPLATE_LITERAL ? 0 : n;
}

/* A word that is no value as a whole: cut where values begin and end. */
static void put_pieces(struct scan *s, skep_str w, bool blank)
{
    size_t at = 0, begin = 0;
    while (at < w.n) {
        enum skep_template_kind kind;
        size_t n = part_at(w, at, &kind);
        if (n == 0) {
            kind = SKEP_TEMPLATE_NUMBER;
            n = number_at(w, at);
        }
        if (n == 0) {
            at++;
            continue;
        }
        put(s, (skep_str){w.p + begin, at - begin}, SKEP_TEMPLATE_LITERAL, blank && begin == 0);
        put(s, (skep_str){w.p + at, n}, kind, blank && at == 0);
        at += n;
        begin = at;
    }
    put(s, (skep_str){w.p + begin, at - begin}, SKEP_TEMPLATE_LITERAL, blank && begin == 0);
}

static void put_word(struct scan *s, bool blank)
{
    size_t begin = s->at;
    bool digit = false;
    for (; s->at < s->line.n && !is_blank(s->line.p[s->at]) && !is_punctuation(s->line.p[s->at]);
         s->at++)
        digit = digit || is_digit(s->line.p[s->at]);
    skep_str w = {s->line.p + begin, s->at - begin};
    size_t dots = 0; /* the end of a sentence is no part of its last word */
    while (dots < w.n && w.p[w.n - 1 - dots] == '.')
        dots++;
    skep_str stops = {w.p + w.n - dots, dots};
    w.n -= dots;
    /* No value but a UUID is without digits: most words are not looked at closer. */
    enum skep_template_kind kind = digit || w.n >= UUID_BYTES ? kind_of(w) : SKEP_TEMPLATE_LITERAL;
    if (!digit && w.n < UUID_BYTES)
        put(s, w, SKEP_TEMPLATE_LITERAL, blank);
    else if (kind != SKEP_TEMPLATE_LITERAL)
        put(s, w, kind, blank);
    else
        put_pieces(s, w, blank);
    put(s, stops, SKEP_TEMPLATE_LITERAL, blank && w.n == 0);
}

/* Whether a value may begin here: not in the middle of a word. */
static void put_next(struct scan *s, bool blank)
{
    skep_str line = s->line;
    size_t n = is_digit(line.p[s->at]) ? time_at(line, s->at) : 0;
    enum skep_template_kind kind = SKEP_TEMPLATE_TIME;
    if (n == 0) {
        n = ip6_at(line, s->at);
        kind = SKEP_TEMPLATE_IP;
    }
    if (n > 0) {
        put(s, (skep_str){line.p + s->at, n}, kind, blank);
        s->at += n;
    } else if (is_punctuation(line.p[s->at])) {
        put(s, (skep_str){line.p + s->at, 1}, SKEP_TEMPLATE_LITERAL, blank);
        s->at++;
    } else {
        put_word(s, blank);
    }
}

unsigned skep_template__tokens(skep_str line,
                               struct skep_template__token ret[SKEP_TEMPLATE_TOKENS + 1])
{
    struct scan s = {.line = {line.p, SKEP_MIN(line.n, (size_t)LINE_BYTES)}, .ret = ret};
    bool blank = false;
    while (s.at < s.line.n && s.n < SKEP_TEMPLATE_TOKENS) {
        if (is_blank(s.line.p[s.at])) {
            blank = s.n > 0;
            s.at++;
            continue;
        }
        size_t before = s.at;
        put_next(&s, blank);
        skep_assert(s.at > before);
        blank = false;
    }
    while (s.at < s.line.n && is_blank(s.line.p[s.at])) {
        blank = true;
        s.at++;
    }
    if (s.at < s.line.n || s.at < line.n)
        ret[s.n++] = (struct skep_template__token){.text = skep_str_skip(line, s.at),
                                                   .kind = SKEP_TEMPLATE_REST,
                                                   .blank = blank,
                                                   .word = true};
    return s.n;
}
