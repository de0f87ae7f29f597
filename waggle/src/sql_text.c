// SPDX-License-Identifier: Apache-2.0
/*
 * sql_text.c - SQL without its literals, and what it is about in a few words
 *
 *   SELECT * FROM users -- mine      SELECT * FROM users WHERE id = ? AND name = ?
 *     WHERE id = 7 AND name='o''x'   "SELECT users"
 *
 * Literals: 'text' (with '' and, behind E, \'), $tag$text$tag$, numbers, x'ff'. "Names", `names`
 * and [names] stay. A literal without an end goes to the end of the text: nothing of it is told.
 *
 * Foreign bytes; what is written never is longer than what was read. Threads: no state.
 */
#include "priv.h"

#include <strings.h>

/* One piece of the text: from `at`, n bytes. */
struct sql_token {
    enum sql_kind { SQL_END, SQL_WORD, SQL_NAME, SQL_LITERAL, SQL_SIGN } kind;
    size_t at, n;
    bool blank_before;
};

struct sql_reader {
    const char *p;
    size_t n, at;
};

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Behind the closing quote; a doubled one, and with `escapes` one behind '\', does not close. */
static size_t quoted_end(const struct sql_reader *r, size_t at, char quote, bool escapes)
{
    while (at < r->n) {
        if (escapes && r->p[at] == '\\') {
            at += 2;
        } else if (r->p[at] != quote) {
            at++;
        } else if (at + 1 < r->n && r->p[at + 1] == quote) {
            at += 2;
        } else {
            return at + 1;
        }
    }
    return r->n;
}

/* PostgreSQL's $tag$...$tag$; `at` if none begins there. */
static size_t dollar_end(const struct sql_reader *r, size_t at)
{
    size_t tag = at + 1;
    while (tag < r->n && is_word_char(r->p[tag]) && r->p[tag] != '$')
        tag++;
    if (tag >= r->n || r->p[tag] != '$' || is_digit(r->p[at + 1]))
        return at;
    size_t n = tag + 1 - at;
    for (size_t i = tag + 1; i + n <= r->n; i++)
        if (memcmp(r->p + i, r->p + at, n) == 0)
            return i + n;
    return r->n;
}

/* Behind blanks and comments. */
static size_t skip_blanks(const struct sql_reader *r)
{
    size_t at = r->at;
    for (;;) {
        if (at < r->n && (r->p[at] == ' ' || (r->p[at] >= '\t' && r->p[at] <= '\r'))) {
            at++;
        } else if (at + 1 < r->n && r->p[at] == '-' && r->p[at + 1] == '-') {
            const char *end = memchr(r->p + at, '\n', r->n - at);
            at = end != NULL ? (size_t)(end - r->p) : r->n;
        } else if (at + 1 < r->n && r->p[at] == '/' && r->p[at + 1] == '*') {
            for (at += 2; at + 1 < r->n && (r->p[at] != '*' || r->p[at + 1] != '/');)
                at++;
            at = WAGGLE__MIN(at + 2, r->n);
        } else {
            return at;
        }
    }
}

static size_t number_end(const struct sql_reader *r, size_t at)
{
    while (at < r->n && (is_word_char(r->p[at]) || r->p[at] == '.' ||
                         ((r->p[at] == '+' || r->p[at] == '-') && (r->p[at - 1] | 0x20) == 'e')))
        at++;
    return at;
}

static struct sql_token next_token(struct sql_reader *r)
{
    size_t at = skip_blanks(r);
    struct sql_token t = {SQL_END, at, 0, at > r->at};
    size_t end = at + 1;
    if (at >= r->n)
        return t;
    char c = r->p[at];
    char next = at + 1 < r->n ? r->p[at + 1] : '\0';
    if (c == '\'' || ((c == 'E' || c == 'e' || c == 'x' || c == 'X' || c == 'b' || c == 'B' ||
                       c == 'N' || c == 'n') &&
                      next == '\'')) {
        t.kind = SQL_LITERAL;
        end = quoted_end(r, c == '\'' ? at + 1 : at + 2, '\'', c == 'E' || c == 'e');
    } else if (is_digit(c) || (c == '.' && is_digit(next))) {
        t.kind = SQL_LITERAL;
        end = number_end(r, at);
    } else if (c == '"' || c == '`') {
        end = quoted_end(r, at + 1, c, false);
        t.kind = r->p[end - 1] == c && end > at + 1 ? SQL_NAME : SQL_LITERAL; // without an end
    } else if (c == '$' && dollar_end(r, at) > at) {
        t.kind = SQL_LITERAL;
        end = dollar_end(r, at);
    } else if (is_word_char(c)) {
        t.kind = SQL_WORD;
        while (end < r->n && is_word_char(r->p[end]))
            end++;
    } else {
        t.kind = SQL_SIGN;
        while (c == '?' && end < r->n && is_digit(r->p[end]))
            end++; // ?1 is a parameter with a number, SQLite's
    }
    t.n = end - at;
    r->at = end;
    return t;
}

size_t waggle_sql_sanitize(const char *query, size_t n, char *ret, size_t cap)
{
    struct sql_reader r = {query, n, 0};
    size_t w = 0;
    if (cap == 0)
        return 0;
    for (struct sql_token t = next_token(&r); t.kind != SQL_END; t = next_token(&r)) {
        const char *p = t.kind == SQL_LITERAL ? "?" : query + t.at;
        size_t piece = t.kind == SQL_LITERAL ? 1 : t.n;
        bool blank = t.blank_before && w > 0;
        if (w + blank + piece + 1 > cap)
            break; // whole pieces
        if (blank)
            ret[w++] = ' ';
        memcpy(ret + w, p, piece);
        w += piece;
    }
    ret[w] = '\0';
    return w;
}

static bool is_word(const struct sql_reader *r, struct sql_token t, const char *word)
{
    return t.kind == SQL_WORD && t.n == strlen(word) && strncasecmp(r->p + t.at, word, t.n) == 0;
}

static bool is_any_word(const struct sql_reader *r, struct sql_token t, const char *const *words,
                        size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_word(r, t, words[i]))
            return true;
    return false;
}

/* A name, with what stands in front of dots; at most `cap` bytes of it. */
static size_t copy_table(struct sql_reader *r, struct sql_token t, char *ret, size_t cap)
{
    size_t w = 0;
    while (t.kind == SQL_WORD || t.kind == SQL_NAME) {
        size_t quote = t.kind == SQL_NAME && t.n >= 2 ? 1 : 0;
        size_t n = t.n - 2 * quote;
        if (w + n + 2 > cap)
            break;
        memcpy(ret + w, r->p + t.at + quote, n);
        w += n;
        struct sql_reader ahead = *r;
        struct sql_token dot = next_token(&ahead);
        if (dot.kind != SQL_SIGN || r->p[dot.at] != '.' || dot.blank_before)
            break;
        ret[w++] = '.';
        *r = ahead;
        t = next_token(r);
    }
    return w;
}

size_t waggle_sql_summary(const char *query, size_t n, char *ret, size_t cap)
{
    static const char *const before[] = {"from", "into", "update", "table"};
    static const char *const between[] = {"if",      "not",    "exists", "only", "or",
                                          "replace", "ignore", "abort",  "fail", "rollback"};
    struct sql_reader r = {query, n, 0};
    struct sql_token t = next_token(&r);
    size_t w = 0;
    while (t.kind == SQL_SIGN && (query[t.at] == ';' || query[t.at] == '('))
        t = next_token(&r);
    if (cap < 32 || t.kind != SQL_WORD || t.n > 20) {
        if (cap > 0)
            ret[0] = '\0';
        return 0;
    }
    for (; w < t.n; w++)
        ret[w] = (char)(query[t.at + w] >= 'a' && query[t.at + w] <= 'z' ? query[t.at + w] - 32
                                                                         : query[t.at + w]);
    while (t.kind != SQL_END) {
        bool here = is_any_word(&r, t, before, WAGGLE__COUNT(before));
        t = next_token(&r);
        while (here && is_any_word(&r, t, between, WAGGLE__COUNT(between)))
            t = next_token(&r);
        if (!here || (t.kind != SQL_WORD && t.kind != SQL_NAME))
            continue;
        ret[w++] = ' ';
        w += copy_table(&r, t, ret + w, cap - w - 1);
        break;
    }
    ret[w] = '\0';
    return w;
}
