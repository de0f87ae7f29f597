// SPDX-License-Identifier: Apache-2.0
/*
 * aws_answer.c - what an AWS service says in its JSON
 *
 * Three members are looked for, by their names and wherever they stand: no tree is built. Foreign
 * bytes: whatever they are, the result is a piece of them, or a number within its bounds.
 *
 * Threads: no state.
 */
#include "aws_answer.h"

/* Behind `"key" :` and blanks; false if it does not stand there. */
static bool member(waggle_str body, const char *key, waggle_str *ret)
{
    size_t n = strlen(key);
    for (size_t i = 0; i + n + 2 < body.n; i++) {
        if (body.p[i] != '"' || memcmp(body.p + i + 1, key, n) != 0 || body.p[i + 1 + n] != '"')
            continue;
        size_t at = i + n + 2;
        while (at < body.n && (body.p[at] == ' ' || body.p[at] == ':'))
            at++;
        *ret = (waggle_str){body.p + at, body.n - at};
        return true;
    }
    return false;
}

static waggle_str text_member(waggle_str body, const char *key)
{
    waggle_str v;
    size_t n = 1;
    if (!member(body, key, &v) || v.n < 2 || v.p[0] != '"')
        return (waggle_str){"", 0};
    while (n < v.n && v.p[n] != '"')
        n += v.p[n] == '\\' ? 2 : 1;
    return (waggle_str){v.p + 1, WAGGLE__MIN(n, v.n) - 1};
}

waggle_str waggle__aws_exception(waggle_str body)
{
    waggle_str type = text_member(body, "__type");
    for (size_t i = 0; i < type.n; i++)
        if (type.p[i] == '#') {
            type = (waggle_str){type.p + i + 1, type.n - i - 1};
            break;
        }
    const char *colon = type.n > 0 ? memchr(type.p, ':', type.n) : NULL;
    return colon != NULL ? (waggle_str){type.p, (size_t)(colon - type.p)} : type;
}

bool waggle__aws_is(waggle_str body, const char *exception)
{
    waggle_str type = waggle__aws_exception(body);
    return type.n == strlen(exception) && memcmp(type.p, exception, type.n) == 0;
}

waggle_str waggle__aws_message(waggle_str body)
{
    waggle_str text = text_member(body, "message");
    return text.n > 0 ? text : text_member(body, "Message");
}

/* A number up to n; `otherwise` if there is none. */
static size_t index_member(waggle_str body, const char *key, size_t n, size_t otherwise)
{
    waggle_str v;
    size_t number = 0;
    if (!member(body, key, &v) || v.n == 0 || v.p[0] < '0' || v.p[0] > '9')
        return otherwise;
    for (size_t i = 0; i < v.n && v.p[i] >= '0' && v.p[i] <= '9' && number <= n; i++)
        number = number * 10 + (size_t)(v.p[i] - '0');
    return WAGGLE__MIN(number, n);
}

size_t waggle__aws_rejected(waggle_str body, size_t n)
{
    size_t old = index_member(body, "tooOldLogEventEndIndex", n, 0);
    size_t expired = index_member(body, "expiredLogEventEndIndex", n, 0);
    size_t first = old > expired ? old : expired; /* that is neither */
    size_t end = index_member(body, "tooNewLogEventStartIndex", n, n);
    return end > first ? n - (end - first) : n;
}
