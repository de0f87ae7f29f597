// SPDX-License-Identifier: Apache-2.0
/* Tokens of Logs Insights: blanks and comments, signs, words, names, texts, expressions.
 * Threads: none of its own.  Memory: the query's arena. */
#include <stdarg.h>

#include "base/assert.h"
#include "lang/insights_priv.h"

typedef struct skep_insights__q Q;

skep_rc skep_insights__wrong(Q *q, size_t at, size_t end, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    skep_rc rc = skep_lang__mistake(q->issue, SKEP_MIN(at, q->text.n), fmt, ap);
    va_end(ap);
    q->issue->end = SKEP_MAX(q->issue->at, SKEP_MIN(end, q->text.n));
    return rc;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool skep_insights__is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '@' || (unsigned char)c >= 0x80;
}

/* # begins a comment, up to the end of the line. */
void skep_insights__blanks(Q *q)
{
    while (q->at < q->text.n) {
        if (q->text.p[q->at] == '#') {
            while (q->at < q->text.n && q->text.p[q->at] != '\n')
                q->at++;
        } else if (is_blank(q->text.p[q->at])) {
            q->at++;
        } else {
            return;
        }
    }
}

size_t skep_insights__here(Q *q)
{
    skep_insights__blanks(q);
    return q->at;
}

char skep_insights__peek(Q *q)
{
    skep_insights__blanks(q);
    return q->at < q->text.n ? q->text.p[q->at] : '\0';
}

bool skep_insights__take(Q *q, skep_str sign)
{
    skep_insights__blanks(q);
    if (!skep_str_starts(skep_str_skip(q->text, q->at), sign))
        return false;
    q->at += sign.n;
    q->prev_end = q->at;
    return true;
}

bool skep_insights__take_word(Q *q, skep_str word)
{
    skep_insights__blanks(q);
    skep_str rest = skep_str_skip(q->text, q->at);
    if (rest.n < word.n || !skep_str_ieq((skep_str){rest.p, word.n}, word) ||
        (rest.n > word.n && (skep_insights__is_name(rest.p[word.n]) || rest.p[word.n] == '.')))
        return false;
    q->at += word.n;
    q->prev_end = q->at;
    return true;
}

skep_rc skep_insights__expect(Q *q, skep_str sign)
{
    if (skep_insights__take(q, sign))
        return SKEP_OK;
    return skep_insights__wrong(q, q->at, q->at + 1, SKEP_STRFMT " is expected here",
                                SKEP_STRARG(sign));
}

/* A piece of a name: plain, or in backticks. */
static bool name_piece(Q *q, char *out, size_t *n)
{
    size_t from = q->at;
    if (q->at < q->text.n && q->text.p[q->at] == '`') {
        skep_str rest = skep_str_skip(q->text, q->at + 1);
        size_t end = skep_str_chr(rest, '`');
        if (end == SIZE_MAX || end == 0)
            return false;
        memcpy(out + *n, rest.p, end);
        *n += end;
        q->at += end + 2;
        return true;
    }
    while (q->at < q->text.n && skep_insights__is_name(q->text.p[q->at]))
        out[(*n)++] = q->text.p[q->at++];
    return q->at > from;
}

/* Bytes that the name at hand may have: many names of one text do not each take its length. */
static char *name_room(Q *q)
{
    size_t end = q->at;
    while (end < q->text.n) {
        char c = q->text.p[end];
        if (c == '`') {
            size_t n = skep_str_chr(skep_str_skip(q->text, end + 1), '`');
            end = n == SIZE_MAX ? q->text.n : end + n + 2;
        } else if (skep_insights__is_name(c) || c == '.') {
            end++;
        } else {
            break;
        }
    }
    return skep_arena_alloc(q->a, end - q->at + 1);
}

bool skep_insights__key(Q *q, skep_str *ret)
{
    size_t n = 0;
    char *out = name_room(q);
    if (!name_piece(q, out, &n))
        return false;
    q->prev_end = q->at;
    *ret = (skep_str){out, n};
    return true;
}

skep_rc skep_insights__field_name(Q *q, skep_str *ret)
{
    skep_insights__blanks(q);
    size_t from = q->at, n = 0;
    char *out = name_room(q);
    if (q->at < q->text.n && q->text.p[q->at] == '@') { /* @`odd name` */
        out[n++] = '@';
        q->at++;
        if (!name_piece(q, out, &n))
            return skep_insights__wrong(q, from, q->at + 1, "a name is expected behind @");
    } else if (!name_piece(q, out, &n)) {
        if (q->at < q->text.n && q->text.p[q->at] == '`')
            return skep_insights__wrong(q, from, q->text.n, "a ` that is not closed");
        return SKEP_ENOTFOUND;
    }
    while (q->at + 1 < q->text.n && q->text.p[q->at] == '.' &&
           (skep_insights__is_name(q->text.p[q->at + 1]) || q->text.p[q->at + 1] == '`')) {
        q->at++;
        out[n++] = '.';
        if (!name_piece(q, out, &n))
            return skep_insights__wrong(q, from, q->text.n, "a ` that is not closed");
    }
    q->prev_end = q->at;
    *ret = (skep_str){out, n};
    if (n > SKEP_LIMIT_NAME_BYTES)
        return skep_insights__wrong(q, from, q->at, "a name that is too long");
    return SKEP_OK;
}

/* Bytes up to the sign that closes what the one at hand opens. */
static char *closed_room(Q *q, char sign)
{
    size_t end = q->at + 1;
    while (end < q->text.n && q->text.p[end] != sign)
        end += q->text.p[end] == '\\' ? 2 : 1;
    return skep_arena_alloc(q->a, SKEP_MIN(end, q->text.n) - q->at + 1);
}

skep_rc skep_insights__quoted(Q *q, skep_str *ret)
{
    size_t from = q->at, n = 0;
    char quote = q->text.p[q->at];
    char *out = closed_room(q, quote);
    q->at++;
    while (q->at < q->text.n && q->text.p[q->at] != quote) {
        char c = q->text.p[q->at];
        if (c == '\\' && q->at + 1 < q->text.n &&
            (q->text.p[q->at + 1] == quote || q->text.p[q->at + 1] == '\\'))
            q->at++;
        out[n++] = q->text.p[q->at++];
    }
    if (q->at == q->text.n)
        return skep_insights__wrong(q, from, q->text.n, "a quote that is not closed");
    q->prev_end = ++q->at;
    *ret = (skep_str){out, n};
    return SKEP_OK;
}

skep_rc skep_insights__slashed(Q *q, skep_str *ret)
{
    size_t from = q->at, n = 0;
    char *out = closed_room(q, '/');
    q->at++;
    while (q->at < q->text.n && q->text.p[q->at] != '/') {
        if (q->text.p[q->at] == '\\' && q->at + 1 < q->text.n) {
            if (q->text.p[q->at + 1] != '/')
                out[n++] = '\\';
            q->at++;
        }
        out[n++] = q->text.p[q->at++];
    }
    if (q->at == q->text.n)
        return skep_insights__wrong(q, from, q->text.n, "a / that is not closed");
    q->prev_end = ++q->at;
    *ret = (skep_str){out, n};
    return SKEP_OK;
}
