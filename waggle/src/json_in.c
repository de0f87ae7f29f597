// SPDX-License-Identifier: Apache-2.0
/*
 * json_in.c - reading JSON: what stands where, without a tree
 *
 * Foreign bytes: the walk is bounded in depth, texts are cut, numbers are read the same in every
 * locale. Numbers of many digits are as near as a double's arithmetic brings them, which is enough
 * for rates and times.
 *
 * Threads: no state.
 */
#include "json_in.h"

struct walk {
    const char *p;
    size_t n, at;
    waggle__json_fn *fn;
    void *self;
};

static void skip_json_blanks(struct walk *w)
{
    while (w->at < w->n && memchr(" \t\r\n", w->p[w->at], 4) != NULL)
        w->at++;
}

static bool take_char(struct walk *w, char c)
{
    skip_json_blanks(w);
    if (w->at >= w->n || w->p[w->at] != c)
        return false;
    w->at++;
    return true;
}

static size_t put_utf8(uint32_t c, char ret[3])
{
    if (c < 0x80) {
        ret[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        ret[0] = (char)(0xc0 | c >> 6);
        ret[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    ret[0] = (char)(0xe0 | c >> 12);
    ret[1] = (char)(0x80 | (c >> 6 & 63));
    ret[2] = (char)(0x80 | (c & 63));
    return 3;
}

/* Behind a backslash; a surrogate is a question mark. False for what is no escape. */
static bool take_escape(struct walk *w, char ret[3], size_t *ret_n)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    uint32_t code = 0;
    if (w->at >= w->n)
        return false;
    char c = w->p[w->at++];
    const char *known = c != '\0' ? strchr(from, c) : NULL;
    if (known != NULL) {
        ret[0] = to[known - from];
        *ret_n = 1;
        return true;
    }
    if (c != 'u' || w->n - w->at < 4)
        return false;
    for (unsigned i = 0; i < 4; i++) {
        char h = w->p[w->at++];
        char low = (char)(h | 0x20);
        if (h >= '0' && h <= '9')
            code = code << 4 | (uint32_t)(h - '0');
        else if (low >= 'a' && low <= 'f')
            code = code << 4 | (uint32_t)(low - 'a' + 10);
        else
            return false;
    }
    *ret_n = put_utf8(code >= 0xd800 && code < 0xe000 ? '?' : code ? code : '?', ret);
    return true;
}

static bool take_json_text(struct walk *w, char ret[WAGGLE__JSON_TEXT_MAX])
{
    size_t out = 0;
    if (!take_char(w, '"'))
        return false;
    while (w->at < w->n && w->p[w->at] != '"') {
        char bytes[3] = {w->p[w->at++]};
        size_t n = 1;
        if ((unsigned char)bytes[0] < 0x20 || (bytes[0] == '\\' && !take_escape(w, bytes, &n)))
            return false;
        if (out + n < WAGGLE__JSON_TEXT_MAX) {
            memcpy(ret + out, bytes, n);
            out += n;
        }
    }
    ret[out] = '\0';
    return take_char(w, '"');
}

static bool take_digits(struct walk *w, double *value, int *ret_n)
{
    *ret_n = 0;
    for (; w->at < w->n && w->p[w->at] >= '0' && w->p[w->at] <= '9'; w->at++, ++*ret_n)
        *value = *value * 10 + (w->p[w->at] - '0');
    return *ret_n > 0;
}

static bool take_json_number(struct walk *w, double *ret)
{
    enum { EXPONENT_MAX = 400 };
    double value = 0;
    double power = 0;
    int n = 0;
    int decimals = 0;
    bool negative = take_char(w, '-');
    bool down = false;
    if (!take_digits(w, &value, &n))
        return false;
    if (w->at < w->n && w->p[w->at] == '.') {
        w->at++;
        if (!take_digits(w, &value, &decimals))
            return false;
    }
    if (w->at < w->n && (w->p[w->at] | 0x20) == 'e') {
        w->at++;
        if (w->at < w->n && (w->p[w->at] == '-' || w->p[w->at] == '+'))
            down = w->p[w->at++] == '-';
        if (!take_digits(w, &power, &n))
            return false;
    }
    int exponent = (int)(power < EXPONENT_MAX ? power : EXPONENT_MAX) * (down ? -1 : 1) - decimals;
    double scale = 1;
    for (int i = exponent < 0 ? -exponent : exponent; i > 0 && scale < 1e300; i--)
        scale *= 10;
    value = exponent < 0 ? value / scale : value * scale;
    *ret = negative ? -value : value;
    return *ret - *ret == 0; // finite
}

static bool take_word(struct walk *w)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < WAGGLE__COUNT(words); i++) {
        size_t n = strlen(words[i]);
        if (w->n - w->at >= n && memcmp(w->p + w->at, words[i], n) == 0) {
            w->at += n;
            return true;
        }
    }
    return false;
}

static bool take_json_value(struct walk *w, unsigned depth, const char *key);

static bool take_object(struct walk *w, unsigned depth, const char *key)
{
    char name[WAGGLE__JSON_TEXT_MAX];
    w->fn(w->self, WAGGLE__JSON_BEGIN, depth, key, "", 0);
    if (!take_char(w, '}')) {
        do {
            if (!take_json_text(w, name) || !take_char(w, ':') ||
                !take_json_value(w, depth + 1, name))
                return false;
        } while (take_char(w, ','));
        if (!take_char(w, '}'))
            return false;
    }
    w->fn(w->self, WAGGLE__JSON_END, depth, key, "", 0);
    return true;
}

static bool take_array(struct walk *w, unsigned depth, const char *key)
{
    if (take_char(w, ']'))
        return true;
    do {
        if (!take_json_value(w, depth + 1, key))
            return false;
    } while (take_char(w, ','));
    return take_char(w, ']');
}

static bool take_json_value(struct walk *w, unsigned depth, const char *key)
{
    char text[WAGGLE__JSON_TEXT_MAX];
    double number = 0;
    skip_json_blanks(w);
    if (depth > WAGGLE__JSON_DEPTH_MAX || w->at >= w->n)
        return false;
    switch (w->p[w->at]) {
    case '{': w->at++; return take_object(w, depth, key);
    case '[': w->at++; return take_array(w, depth, key);
    case '"':
        if (!take_json_text(w, text))
            return false;
        w->fn(w->self, WAGGLE__JSON_TEXT, depth, key, text, 0);
        return true;
    case 't':
    case 'f':
    case 'n': return take_word(w);
    default:
        if (!take_json_number(w, &number))
            return false;
        w->fn(w->self, WAGGLE__JSON_NUMBER, depth, key, "", number);
        return true;
    }
}

bool waggle__json_walk(waggle_str json, waggle__json_fn *fn, void *self)
{
    struct walk w = {json.p, json.n, 0, fn, self};
    if (!take_json_value(&w, 0, ""))
        return false;
    skip_json_blanks(&w);
    return w.at == w.n;
}
