// SPDX-License-Identifier: Apache-2.0
/* Functions of texts.  Positions and lengths count code points.
 * Threads: any.  Memory: results in the context's scratch. */
#include "base/assert.h"
#include "calc/calc_priv.h"
#include "wire/json_out.h"
#include "wire/regex.h"

/* The text of an argument, or return null. */
#define TEXT(i, name)                                                                              \
    char name##_buf[64];                                                                           \
    skep_str name;                                                                                 \
    if (!skep_calc__text_of(ctx, &a[i], name##_buf, &name))                                        \
    return SKEP_CALC__NULL

static size_t letter_bytes(unsigned char c)
{
    return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* Bytes of the first n letters. */
static size_t letters(skep_str s, int64_t n)
{
    size_t at = 0;
    for (int64_t i = 0; i < n && at < s.n; i++)
        at = SKEP_MIN(at + letter_bytes((unsigned char)s.p[at]), s.n);
    return at;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static skep_value is_empty(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                           const skep_value *a)
{
    (void)ctx;
    (void)e;
    return skep_calc__bool(a[0].type == SKEP_TYPE_NULL ||
                           (a[0].type == SKEP_TYPE_STRING && a[0].s.n == 0));
}

static skep_value is_blank_(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                            const skep_value *a)
{
    if (a[0].type == SKEP_TYPE_STRING)
        for (size_t i = 0; i < a[0].s.n; i++)
            if (!is_blank(a[0].s.p[i]))
                return skep_calc__bool(false);
    return a[0].type == SKEP_TYPE_STRING ? skep_calc__bool(true) : is_empty(ctx, e, a);
}

static skep_value concat(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    char buf[64];
    skep_str s;
    size_t n = 0, at = 0;
    for (unsigned i = 0; i < e->n_args; i++)
        if (skep_calc__text_of(ctx, &a[i], buf, &s))
            n += s.n;
    char *out = skep_calc__room(ctx, n);
    if (!out)
        return SKEP_CALC__NULL;
    for (unsigned i = 0; i < e->n_args; i++) {
        if (!skep_calc__text_of(ctx, &a[i], buf, &s) || s.n == 0)
            continue;
        memcpy(out + at, s.p, s.n);
        at += s.n;
    }
    return skep_calc__str((skep_str){out, n});
}

static bool trimmed(char c, skep_str set, bool has_set)
{
    return has_set ? skep_str_chr(set, c) != SIZE_MAX : is_blank(c);
}

static skep_value trim_ends(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                            const skep_value *a, bool left, bool right)
{
    TEXT(0, s);
    char set_buf[64];
    skep_str set = SKEP_STR_NULL;
    bool has_set = e->n_args > 1;
    if (has_set && !skep_calc__text_of(ctx, &a[1], set_buf, &set))
        return SKEP_CALC__NULL;
    while (left && s.n && trimmed(s.p[0], set, has_set))
        s = skep_str_skip(s, 1);
    while (right && s.n && trimmed(s.p[s.n - 1], set, has_set))
        s.n--;
    return skep_calc__copy(ctx, s);
}

static skep_value trim(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    return trim_ends(ctx, e, a, true, true);
}

static skep_value ltrim(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    return trim_ends(ctx, e, a, true, false);
}

static skep_value rtrim(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    return trim_ends(ctx, e, a, false, true);
}

static skep_value strlen_(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    TEXT(0, s);
    int64_t n = 0;
    (void)e;
    for (size_t i = 0; i < s.n; i += letter_bytes((unsigned char)s.p[i]))
        n++;
    return skep_calc__int(n);
}

static skep_value cased(struct skep_calc_ctx *ctx, const skep_value *a, char first, int by)
{
    TEXT(0, s);
    char *out = skep_calc__room(ctx, s.n);
    if (!out)
        return SKEP_CALC__NULL;
    for (size_t i = 0; i < s.n; i++)
        out[i] = (char)(s.p[i] >= first && s.p[i] < first + 26 ? s.p[i] + by : s.p[i]);
    return skep_calc__str((skep_str){out, s.n});
}

static skep_value toupper_(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                           const skep_value *a)
{
    (void)e;
    return cased(ctx, a, 'a', -32);
}

static skep_value tolower_(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                           const skep_value *a)
{
    (void)e;
    return cased(ctx, a, 'A', 32);
}

static skep_value substr(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    TEXT(0, s);
    int64_t from, n = INT64_MAX;
    if (!skep_calc__int_of(ctx, &a[1], &from) || from < 0 ||
        (e->n_args > 2 && (!skep_calc__int_of(ctx, &a[2], &n) || n < 0)))
        return SKEP_CALC__NULL;
    s = skep_str_skip(s, letters(s, from));
    s.n = letters(s, n);
    return skep_calc__copy(ctx, s);
}

static skep_value replace(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    TEXT(0, s);
    TEXT(1, what);
    TEXT(2, by);
    struct skep_buf b;
    (void)e;
    if (what.n == 0)
        return skep_calc__copy(ctx, s);
    skep_buf_init(&b, SKEP_LIMIT_CALC_TEXT);
    for (size_t at = skep_str_find(s, what); at != SIZE_MAX; at = skep_str_find(s, what)) {
        skep_buf_str(&b, (skep_str){s.p, at});
        skep_buf_str(&b, by);
        s = skep_str_skip(s, at + what.n);
    }
    skep_buf_str(&b, s);
    skep_value v = b.bad ? SKEP_CALC__NULL : skep_calc__copy(ctx, skep_buf_text(&b));
    skep_buf_done(&b);
    return v;
}

static skep_rc prepare_replace(struct skep_calc *call, struct skep_arena *a, unsigned *ret_arg,
                               skep_err *err)
{
    return skep_calc__prepare_regex(call, 1, a, ret_arg, err);
}

/* $1 and \1 are groups. */
static void put_replacement(struct skep_buf *b, skep_str by, skep_str s, const size_t *spans,
                            unsigned n_groups)
{
    for (size_t i = 0; i < by.n; i++) {
        bool sign = (by.p[i] == '$' || by.p[i] == '\\') && i + 1 < by.n;
        unsigned g = sign && by.p[i + 1] >= '0' && by.p[i + 1] <= '9'
                         ? (unsigned)(by.p[i + 1] - '0')
                         : UINT32_MAX;
        if (g > n_groups) {
            skep_buf_u8(b, (uint8_t)by.p[i]);
            continue;
        }
        i++;
        if (spans[2 * g] != SIZE_MAX)
            skep_buf_put(b, s.p + spans[2 * g], spans[2 * g + 1] - spans[2 * g]);
    }
}

static skep_value regex_replace(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                                const skep_value *a)
{
    TEXT(0, s);
    TEXT(2, by);
    size_t spans[2 * (SKEP_LIMIT_REGEX_GROUPS + 1)], at = 0;
    unsigned n_groups;
    bool found = true;
    size_t n_found = 0;
    struct skep_buf b;
    const struct skep_regex *re = e->prepared;
    (void)skep_regex_groups(re, &n_groups); /* their number alone */
    skep_buf_init(&b, SKEP_LIMIT_CALC_TEXT);
    while (found && at <= s.n && !b.bad) {
        if (skep_regex_find(re, s, at, n_found++, spans, &found) != SKEP_OK)
            ctx->too_slow = true;
        found = found && !ctx->too_slow;
        if (!found)
            break;
        skep_buf_put(&b, s.p + at, spans[0] - at);
        put_replacement(&b, by, s, spans, n_groups);
        size_t end = spans[1];
        if (end == spans[0] && end < s.n) { /* nothing was matched: one letter on */
            size_t n = SKEP_MIN(letter_bytes((unsigned char)s.p[end]), s.n - end);
            skep_buf_put(&b, s.p + end, n);
            end += n;
        } else if (end == spans[0]) {
            end++;
        }
        at = end;
    }
    if (at < s.n)
        skep_buf_put(&b, s.p + at, s.n - at);
    skep_value v = b.bad ? SKEP_CALC__NULL : skep_calc__copy(ctx, skep_buf_text(&b));
    skep_buf_done(&b);
    return v;
}

static skep_value str_contains(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                               const skep_value *a)
{
    TEXT(0, s);
    TEXT(1, x);
    if (e->n_args < 3 || !skep_calc_true(&a[2]))
        return skep_calc__bool(skep_str_find(s, x) != SIZE_MAX);
    for (size_t i = 0; i + x.n <= s.n; i++)
        if (skep_str_ieq((skep_str){s.p + i, x.n}, x))
            return skep_calc__bool(true);
    return skep_calc__bool(false);
}

static skep_value starts(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    TEXT(0, s);
    TEXT(1, x);
    (void)e;
    return skep_calc__bool(skep_str_starts(s, x));
}

static skep_value ends(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    TEXT(0, s);
    TEXT(1, x);
    (void)e;
    return skep_calc__bool(skep_str_ends(s, x));
}

/* A list of texts. */
static skep_value split(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    TEXT(0, s);
    TEXT(1, by);
    struct skep_buf b;
    struct skep_json json;
    (void)e;
    if (by.n == 0)
        return SKEP_CALC__NULL;
    skep_buf_init(&b, SKEP_LIMIT_CALC_TEXT);
    skep_json_init(&json, &b);
    skep_json_array(&json);
    for (size_t at = skep_str_find(s, by); at != SIZE_MAX; at = skep_str_find(s, by)) {
        skep_json_str(&json, (skep_str){s.p, at});
        s = skep_str_skip(s, at + by.n);
    }
    skep_json_str(&json, s);
    skep_json_end(&json);
    skep_value v = b.bad ? SKEP_CALC__NULL : skep_calc__copy(ctx, skep_buf_text(&b));
    v.type = v.type == SKEP_TYPE_NULL ? v.type : SKEP_TYPE_ARRAY;
    skep_buf_done(&b);
    return v;
}

#define S "string"
const struct skep_calc_fn skep_calc__texts[] = {
    {"isempty", "isempty(a)", "Is it missing or an empty text?", S, 1, 1, is_empty, NULL, 0},
    {"isblank", "isblank(a)", "Is it missing, or a text of blanks alone?", S, 1, 1, is_blank_, NULL,
     0},
    {"concat", "concat(a, ...)", "The texts behind each other.", S, 1, SKEP_LIMIT_CALC_ARGS, concat,
     NULL, 0},
    {"ltrim", "ltrim(text[, characters])", "Without blanks, or those characters, at the begin.", S,
     1, 2, ltrim, NULL, 0},
    {"rtrim", "rtrim(text[, characters])", "Without them at the end.", S, 1, 2, rtrim, NULL, 0},
    {"trim", "trim(text[, characters])", "Without them at both ends.", S, 1, 2, trim, NULL, 0},
    {"strlen", "strlen(text)", "The number of code points.", S, 1, 1, strlen_, NULL, 0},
    {"toupper", "toupper(text)", "In upper case (ASCII).", S, 1, 1, toupper_, NULL, 0},
    {"tolower", "tolower(text)", "In lower case (ASCII).", S, 1, 1, tolower_, NULL, 0},
    {"substr", "substr(text, start[, length])", "A part of it; the first letter is at 0.", S, 2, 3,
     substr, NULL, 0},
    {"replace", "replace(text, what, by)", "With every `what` replaced.", S, 3, 3, replace, NULL,
     0},
    {"regexReplace", "regexReplace(text, expression, by)",
     "With every match replaced; $1 and \\1 are groups.", S, 3, 3, regex_replace, prepare_replace,
     0},
    {"strcontains", "strcontains(text, part[, ignore_case])", "Does it hold the part?", S, 2, 3,
     str_contains, NULL, 0},
    {"startsWith", "startsWith(text, part)", "Does it begin with it?", S, 2, 2, starts, NULL, 0},
    {"endsWith", "endsWith(text, part)", "Does it end with it?", S, 2, 2, ends, NULL, 0},
    {"split", "split(text, by)", "A list of what stands between.", S, 2, 2, split, NULL, 0},
    {.name = NULL},
};
