// SPDX-License-Identifier: Apache-2.0
/* Comparing values: exact between integers and doubles, never between texts and numbers, inside
 * arrays.
 *
 * An array's payload is compact JSON text (event.h).  It is walked here by a small scanner that
 * understands just enough: strings with escapes, numbers, true and false; nested arrays and objects
 * are stepped over and null is no value.  The text was checked when it came in, but it may also
 * have been read from a damaged file: anything unexpected ends the walk (I1: no input makes it read
 * past its end or recurse).
 *
 * Threads: any.  Memory: none; escaped strings are decoded into a buffer on the stack, those that
 * do not fit are compared up to its size. */
#include "plan/compare.h"

#include "base/assert.h"

#include <math.h>

enum { UNESCAPED_BYTES = 4096 };

int skep_cmp_int_double(int64_t i, double f)
{
    if (f >= 9223372036854775808.0)
        return -1;
    if (f < -9223372036854775808.0)
        return 1;
    int64_t whole = (int64_t)f; /* towards zero; exact */
    if (i != whole)
        return i < whole ? -1 : 1;
    double rest = f - (double)whole; /* exact: same binade or zero */
    return rest > 0 ? -1 : rest < 0 ? 1 : 0;
}

static int type_rank(enum skep_type t)
{
    static const int rank[SKEP_TYPE_COUNT] = {
        [SKEP_TYPE_NULL] = 0,  [SKEP_TYPE_EMPTY] = 1,  [SKEP_TYPE_BOOL] = 2,
        [SKEP_TYPE_INT] = 3,   [SKEP_TYPE_DOUBLE] = 3, [SKEP_TYPE_STRING] = 4,
        [SKEP_TYPE_BYTES] = 5, [SKEP_TYPE_ARRAY] = 6,
    };
    skep_assert((unsigned)t < SKEP_TYPE_COUNT);
    return rank[t];
}

static int order_numbers(const skep_value *a, const skep_value *b)
{
    bool a_int = a->type == SKEP_TYPE_INT, b_int = b->type == SKEP_TYPE_INT;
    if (a_int && b_int)
        return a->i < b->i ? -1 : a->i > b->i;
    bool a_nan = !a_int && isnan(a->f), b_nan = !b_int && isnan(b->f);
    if (a_nan || b_nan)
        return a_nan && b_nan ? 0 : a_nan ? -1 : 1;
    int c = 0;
    if (a_int)
        c = skep_cmp_int_double(a->i, b->f);
    else if (b_int)
        c = -skep_cmp_int_double(b->i, a->f);
    else
        return a->f < b->f ? -1 : a->f > b->f;
    return c != 0 ? c : a_int ? -1 : 1;
}

int skep_value_order(const skep_value *a, const skep_value *b)
{
    int ra = type_rank(a->type), rb = type_rank(b->type);
    if (ra != rb)
        return ra < rb ? -1 : 1;
    switch (ra) {
    case 2: return (int)a->b - (int)b->b;
    case 3: return order_numbers(a, b);
    case 4:
    case 5:
    case 6: return skep_str_cmp(a->s, b->s);
    default: return 0;
    }
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static int fold_cmp(skep_str a, skep_str b)
{
    size_t n = SKEP_MIN(a.n, b.n);
    for (size_t i = 0; i < n; i++) {
        unsigned char x = (unsigned char)lower(a.p[i]), y = (unsigned char)lower(b.p[i]);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return a.n < b.n ? -1 : a.n > b.n;
}

static bool fold_contains(skep_str s, skep_str needle)
{
    if (needle.n == 0)
        return true;
    for (size_t i = 0; i + needle.n <= s.n; i++)
        if (lower(s.p[i]) == lower(needle.p[0]) &&
            skep_str_ieq((skep_str){s.p + i, needle.n}, needle))
            return true;
    return false;
}

static enum skep_cmp positive(enum skep_cmp op)
{
    switch (op) {
    case SKEP_CMP_NE: return SKEP_CMP_EQ;
    case SKEP_CMP_NOT_STARTS: return SKEP_CMP_STARTS;
    case SKEP_CMP_NOT_ENDS: return SKEP_CMP_ENDS;
    case SKEP_CMP_NOT_CONTAINS: return SKEP_CMP_CONTAINS;
    case SKEP_CMP_NOT_EXISTS: return SKEP_CMP_EXISTS;
    case SKEP_CMP_NOT_MATCHES: return SKEP_CMP_MATCHES;
    case SKEP_CMP_MATCHES:
    case SKEP_CMP_EQ:
    case SKEP_CMP_LT:
    case SKEP_CMP_LE:
    case SKEP_CMP_GT:
    case SKEP_CMP_GE:
    case SKEP_CMP_STARTS:
    case SKEP_CMP_ENDS:
    case SKEP_CMP_CONTAINS:
    case SKEP_CMP_EXISTS:
    case SKEP_CMP_COUNT:
    default: return op;
    }
}

static bool in_order(enum skep_cmp op, int c)
{
    return op == SKEP_CMP_LT   ? c < 0
           : op == SKEP_CMP_LE ? c <= 0
           : op == SKEP_CMP_GT ? c > 0
                               : c >= 0;
}

static bool is_order(enum skep_cmp op)
{
    return op == SKEP_CMP_LT || op == SKEP_CMP_LE || op == SKEP_CMP_GT || op == SKEP_CMP_GE;
}

static bool text_passes(const struct skep_test *t, enum skep_cmp op, skep_str s, skep_str x)
{
    bool fold = t->fold_case;
    switch (op) {
    case SKEP_CMP_MATCHES: return t->matcher->passes(t->matcher, s);
    case SKEP_CMP_EQ: return fold ? skep_str_ieq(s, x) : skep_str_eq(s, x);
    case SKEP_CMP_STARTS:
        return s.n >= x.n && (fold ? skep_str_ieq((skep_str){s.p, x.n}, x) : skep_str_starts(s, x));
    case SKEP_CMP_ENDS:
        return s.n >= x.n &&
               (fold ? skep_str_ieq(skep_str_skip(s, s.n - x.n), x) : skep_str_ends(s, x));
    case SKEP_CMP_CONTAINS: return fold ? fold_contains(s, x) : skep_str_find(s, x) != SIZE_MAX;
    case SKEP_CMP_LT:
    case SKEP_CMP_LE:
    case SKEP_CMP_GT:
    case SKEP_CMP_GE: return in_order(op, fold ? fold_cmp(s, x) : skep_str_cmp(s, x));
    case SKEP_CMP_NE:
    case SKEP_CMP_NOT_STARTS:
    case SKEP_CMP_NOT_ENDS:
    case SKEP_CMP_NOT_CONTAINS:
    case SKEP_CMP_EXISTS:
    case SKEP_CMP_NOT_EXISTS:
    case SKEP_CMP_NOT_MATCHES:
    case SKEP_CMP_COUNT:
    default: return false;
    }
}

static bool is_number(const skep_value *v)
{
    return v->type == SKEP_TYPE_INT || v->type == SKEP_TYPE_DOUBLE;
}

static bool number_passes(enum skep_cmp op, const skep_value *v, const skep_value *x)
{
    if ((v->type == SKEP_TYPE_DOUBLE && isnan(v->f)) ||
        (x->type == SKEP_TYPE_DOUBLE && isnan(x->f)))
        return false;
    int c = 0;
    if (v->type == SKEP_TYPE_INT && x->type == SKEP_TYPE_INT)
        c = v->i < x->i ? -1 : v->i > x->i;
    else if (v->type == SKEP_TYPE_INT)
        c = skep_cmp_int_double(v->i, x->f);
    else if (x->type == SKEP_TYPE_INT)
        c = -skep_cmp_int_double(x->i, v->f);
    else
        c = v->f < x->f ? -1 : v->f > x->f;
    return op == SKEP_CMP_EQ ? c == 0 : is_order(op) && in_order(op, c);
}

/* One stored scalar against one literal. */
static bool scalar_passes(const struct skep_test *t, enum skep_cmp op, const skep_value *v,
                          const skep_value *x)
{
    if (is_number(v))
        return is_number(x) && number_passes(op, v, x);
    if (v->type != x->type)
        return false;
    switch (v->type) {
    case SKEP_TYPE_STRING: return text_passes(t, op, v->s, x->s);
    case SKEP_TYPE_BOOL: return op == SKEP_CMP_EQ && v->b == x->b;
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_ARRAY: return op == SKEP_CMP_EQ && skep_str_eq(v->s, x->s);
    case SKEP_TYPE_EMPTY: return op == SKEP_CMP_EQ;
    case SKEP_TYPE_NULL:
    case SKEP_TYPE_INT:
    case SKEP_TYPE_DOUBLE:
    case SKEP_TYPE_COUNT:
    default: return false;
    }
}

struct walk {
    const char *p, *end;
    char text[UNESCAPED_BYTES];
};

static unsigned hex4(const char *p)
{
    uint8_t b[2];
    return skep_hex_decode((skep_str){p, 4}, b, sizeof b) ? (unsigned)(b[0] << 8 | b[1]) : 0xfffd;
}

static size_t put_utf8(char *out, unsigned c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* Decode the string [p, end) without its quotes. */
static skep_str unescape(struct walk *w, const char *p, const char *end)
{
    size_t n = 0;
    while (p < end && n + 4 <= sizeof w->text) {
        if (*p != '\\' || end - p < 2) {
            w->text[n++] = *p++;
            continue;
        }
        char c = p[1];
        p += 2;
        if (c == 'u' && end - p >= 4) {
            unsigned code = hex4(p);
            p += 4;
            if (code >= 0xd800 && code < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
                code = 0x10000 + ((code - 0xd800) << 10) + ((hex4(p + 2) - 0xdc00) & 0x3ff);
                p += 6;
            }
            n += put_utf8(w->text + n, code);
            continue;
        }
        w->text[n++] = c == 'n'   ? '\n'
                       : c == 't' ? '\t'
                       : c == 'r' ? '\r'
                       : c == 'b' ? '\b'
                       : c == 'f' ? '\f'
                                  : c;
    }
    return (skep_str){w->text, n};
}

/* At a quote: steps behind the closing one. */
static skep_str take_string(struct walk *w)
{
    const char *start = ++w->p;
    bool escaped = false;
    while (w->p < w->end && *w->p != '"') {
        if (*w->p == '\\') {
            escaped = true;
            w->p++;
        }
        w->p++;
    }
    const char *end = SKEP_MIN(w->p, w->end);
    w->p = end < w->end ? end + 1 : w->end;
    return escaped ? unescape(w, start, end) : (skep_str){start, (size_t)(end - start)};
}

static void skip_nested(struct walk *w)
{
    unsigned depth = 0;
    while (w->p < w->end) {
        char c = *w->p;
        if (c == '"') {
            (void)take_string(w); /* only stepped over */
            continue;
        }
        w->p++;
        if (c == '[' || c == '{')
            depth++;
        else if ((c == ']' || c == '}') && --depth == 0)
            return;
    }
}

static void take_word(struct walk *w, skep_value *ret)
{
    const char *start = w->p;
    while (w->p < w->end && *w->p != ',' && *w->p != ']')
        w->p++;
    skep_str s = skep_str_trim((skep_str){start, (size_t)(w->p - start)});
    if (skep_str_i64(s, &ret->i))
        ret->type = SKEP_TYPE_INT;
    else if (skep_str_f64(s, &ret->f))
        ret->type = SKEP_TYPE_DOUBLE;
    else if (skep_str_eq(s, SKEP_STR("true")) || skep_str_eq(s, SKEP_STR("false")))
        *ret = (skep_value){.type = SKEP_TYPE_BOOL, .b = s.p[0] == 't'};
}

/* The next element; type NULL for one that is no scalar.  False at the end. */
static bool next_element(struct walk *w, skep_value *ret)
{
    *ret = (skep_value){.type = SKEP_TYPE_NULL};
    while (w->p < w->end && (*w->p == ',' || *w->p == ' '))
        w->p++;
    if (w->p >= w->end || *w->p == ']')
        return false;
    if (*w->p == '"')
        *ret = (skep_value){.type = SKEP_TYPE_STRING, .s = take_string(w)};
    else if (*w->p == '[' || *w->p == '{')
        skip_nested(w);
    else
        take_word(w, ret);
    return true;
}

static bool array_passes(enum skep_cmp op, const struct skep_test *t, skep_str json)
{
    struct walk w;
    w.p = json.p;
    w.end = json.p + json.n;
    if (json.n == 0 || *w.p != '[')
        return false;
    w.p++;
    skep_value e;
    while (next_element(&w, &e)) {
        if (e.type == SKEP_TYPE_NULL)
            continue;
        for (unsigned i = 0; i < t->n_values; i++)
            if (scalar_passes(t, op, &e, &t->values[i]))
                return true;
    }
    return false;
}

bool skep_value_passes(const struct skep_test *t, const skep_value *v)
{
    enum skep_cmp op = positive(t->op);
    if (v->type == SKEP_TYPE_NULL)
        return false;
    if (op == SKEP_CMP_EXISTS)
        return true;
    for (unsigned i = 0; i < t->n_values; i++)
        if (scalar_passes(t, op, v, &t->values[i]))
            return true;
    return v->type == SKEP_TYPE_ARRAY && !is_order(op) && array_passes(op, t, v->s);
}
