// SPDX-License-Identifier: Apache-2.0
/*
 * json.c - writing JSON into a buffer
 *
 * Texts are UTF-8 already; numbers are written the same in every locale.
 *
 * Threads: no state.
 */
#include "json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void waggle__json_text(struct waggle__buf *out, waggle_str s)
{
    waggle__buf_put(out, "\"", 1);
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        waggle__buf_put(out, s.p + from, i - from);
        from = i + 1;
        waggle__buf_printf(out, c < 0x20 ? "\\u%04x" : "\\%c", c);
    }
    waggle__buf_put(out, s.p + from, s.n - from);
    waggle__buf_put(out, "\"", 1);
}

void waggle__json_base64(struct waggle__buf *out, waggle_str s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    waggle__buf_put(out, "\"", 1);
    for (size_t i = 0; i < s.n; i += 3) {
        uint32_t v = 0;
        size_t have = WAGGLE__MIN(s.n - i, (size_t)3);
        for (size_t k = 0; k < 3; k++)
            v = v << 8 | (k < have ? (unsigned char)s.p[i + k] : 0u);
        char four[4] = {digits[v >> 18], digits[v >> 12 & 63], digits[v >> 6 & 63], digits[v & 63]};
        for (size_t k = have + 1; k < 4; k++)
            four[k] = '=';
        waggle__buf_put(out, four, 4);
    }
    waggle__buf_put(out, "\"", 1);
}

const char *waggle__shortest_double(double v, char ret_text[40])
{
    enum { EXACT = 17 };
    for (int digits = EXACT - 2; digits <= EXACT; digits++) {
        (void)snprintf(ret_text, 40, "%.*g", digits, v); // fits
        if (strtod(ret_text, NULL) == v)
            break;
    }
    char *comma = strchr(ret_text, ','); // another locale's decimal point
    if (comma != NULL)
        *comma = '.';
    return ret_text;
}

void waggle__json_double(struct waggle__buf *out, double v)
{
    char text[40];
    if (isnan(v) || isinf(v)) {
        waggle__buf_str(out, isnan(v) ? "\"NaN\"" : v > 0 ? "\"Infinity\"" : "\"-Infinity\"");
        return;
    }
    waggle__buf_str(out, waggle__shortest_double(v, text));
}

enum { DEPTH_MAX = 64 };

static void json_at(struct waggle__buf *out, const waggle_value_data *v, unsigned depth);

static void json_list(struct waggle__buf *out, waggle_str encoded, unsigned depth)
{
    waggle_value_data element;
    bool first = true;
    waggle__buf_put(out, "[", 1);
    for (waggle_cursor c = {0}; waggle_value_next(encoded, &c, &element); first = false) {
        waggle__buf_str(out, first ? "" : ",");
        json_at(out, &element, depth + 1);
    }
    waggle__buf_put(out, "]", 1);
}

static void json_object(struct waggle__buf *out, waggle_str encoded, unsigned depth)
{
    waggle_attr_data attr;
    bool first = true;
    waggle__buf_put(out, "{", 1);
    for (waggle_cursor c = {0}; waggle_attr_next(encoded, &c, &attr); first = false) {
        waggle__buf_str(out, first ? "" : ",");
        waggle__json_text(out, attr.key);
        waggle__buf_put(out, ":", 1);
        json_at(out, &attr.value, depth + 1);
    }
    waggle__buf_put(out, "}", 1);
}

static void json_at(struct waggle__buf *out, const waggle_value_data *v, unsigned depth)
{
    switch (depth < DEPTH_MAX ? v->type : WAGGLE_EMPTY) {
    case WAGGLE_STR: waggle__json_text(out, v->str); break;
    case WAGGLE_BOOL: waggle__buf_str(out, v->boolean ? "true" : "false"); break;
    case WAGGLE_I64: waggle__buf_printf(out, "%lld", (long long)v->i64); break;
    case WAGGLE_F64: waggle__json_double(out, v->f64); break;
    case WAGGLE_BYTES: waggle__json_base64(out, v->str); break;
    case WAGGLE_LIST:
    case WAGGLE_STRS:
    case WAGGLE_BOOLS:
    case WAGGLE_I64S:
    case WAGGLE_F64S: json_list(out, v->encoded, depth); break;
    case WAGGLE_MAP: json_object(out, v->encoded, depth); break;
    case WAGGLE_EMPTY:
    default: waggle__buf_str(out, "null"); break;
    }
}

void waggle__json_value(struct waggle__buf *out, const waggle_value_data *v)
{
    json_at(out, v, 0);
}

/* --- objects ------------------------------------------------------------------------------- */

struct waggle__obj waggle__obj_begin(struct waggle__buf *out)
{
    waggle__buf_put(out, "{", 1);
    return (struct waggle__obj){out, false};
}

void waggle__obj_end(struct waggle__obj *o)
{
    waggle__buf_put(o->out, "}", 1);
}

void waggle__obj_key(struct waggle__obj *o, waggle_str key)
{
    waggle__buf_str(o->out, o->any ? "," : "");
    waggle__json_text(o->out, key);
    waggle__buf_put(o->out, ":", 1);
    o->any = true;
}

void waggle__obj_text(struct waggle__obj *o, const char *key, waggle_str value, size_t max)
{
    if (value.n == 0)
        return;
    waggle__obj_key(o, waggle__str(key));
    waggle__json_text(o->out, waggle__str_cut(value, max));
}

waggle_str waggle__str_cut(waggle_str s, size_t max)
{
    if (s.n <= max)
        return s;
    while (max > 0 && ((unsigned char)s.p[max] & 0xc0) == 0x80)
        max--;
    return (waggle_str){s.p, max};
}
