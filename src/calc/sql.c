// SPDX-License-Identifier: Apache-2.0
/* Functions of SQL that no other family has: positions from 1, LIKE, whole division.  They stand
 * apart, as derived columns' do.
 * Threads: any.  Memory: results in the context's scratch. */
#include <math.h>

#include "base/assert.h"
#include "calc/calc_priv.h"
#include "wire/regex.h"

#define TEXT(i, name)                                                                              \
    char buf_##name[64];                                                                           \
    skep_str name;                                                                                 \
    if (!skep_calc__text_of(ctx, &a[i], buf_##name, &name))                                        \
    return SKEP_CALC__NULL

static bool continues(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Bytes of the first n letters. */
static size_t letters(skep_str s, int64_t n)
{
    size_t at = 0;
    for (; at < s.n && (n > 0 || continues(s.p[at])); at++)
        n -= at + 1 == s.n || !continues(s.p[at + 1]);
    return at;
}

static int64_t count(skep_str s)
{
    int64_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += !continues(s.p[i]);
    return n;
}

static skep_value left(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    TEXT(0, s);
    int64_t n;
    (void)e;
    if (!skep_calc__int_of(ctx, &a[1], &n))
        return SKEP_CALC__NULL;
    s.n = n > 0 ? letters(s, n) : 0;
    return skep_calc__copy(ctx, s);
}

static skep_value right(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    TEXT(0, s);
    int64_t n;
    (void)e;
    if (!skep_calc__int_of(ctx, &a[1], &n))
        return SKEP_CALC__NULL;
    int64_t all = count(s), from = n <= 0 ? all : n >= all ? 0 : all - n;
    return skep_calc__copy(ctx, skep_str_skip(s, from ? letters(s, from) : 0));
}

/* From letter p on, of the end where p is negative; letter 0 is none. */
static skep_value substring(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                            const skep_value *a)
{
    TEXT(0, s);
    int64_t p, n = INT64_MAX;
    if (!skep_calc__int_of(ctx, &a[1], &p) || (e->n_args > 2 && !skep_calc__int_of(ctx, &a[2], &n)))
        return SKEP_CALC__NULL;
    int64_t all = count(s), from = p > 0 ? p - 1 : p < 0 && p >= -all ? all + p : all;
    if (from >= all || n <= 0)
        return skep_calc__copy(ctx, SKEP_STR(""));
    s = skep_str_skip(s, from ? letters(s, from) : 0);
    s.n = letters(s, n);
    return skep_calc__copy(ctx, s);
}

static skep_value locate(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    TEXT(0, part);
    TEXT(1, s);
    (void)e;
    size_t at = skep_str_find(s, part);
    return skep_calc__int(at == SIZE_MAX ? 0 : count((skep_str){s.p, at}) + 1);
}

static skep_value char_length(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                              const skep_value *a)
{
    TEXT(0, s);
    (void)e;
    return skep_calc__int(count(s));
}

static skep_value length(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    TEXT(0, s);
    (void)e;
    return skep_calc__int((int64_t)s.n);
}

/* Null arguments are left out. */
static skep_value concat_ws(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                            const skep_value *a)
{
    TEXT(0, by);
    struct skep_buf b;
    char buf[64];
    bool first = true;
    skep_str s;
    skep_buf_init(&b, SKEP_LIMIT_CALC_TEXT);
    for (unsigned i = 1; i < e->n_args; i++) {
        if (!skep_calc__text_of(ctx, &a[i], buf, &s))
            continue;
        if (!first)
            skep_buf_str(&b, by);
        skep_buf_str(&b, s);
        first = false;
    }
    skep_value ret = b.bad ? SKEP_CALC__NULL : skep_calc__copy(ctx, skep_buf_text(&b));
    skep_buf_done(&b);
    return ret;
}

static skep_value div_whole(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                            const skep_value *a)
{
    double x, y;
    (void)e;
    if (!skep_calc_number(ctx, &a[0], &x) || !skep_calc_number(ctx, &a[1], &y) || y == 0)
        return SKEP_CALC__NULL;
    return skep_calc__whole(trunc(x / y));
}

/* '%' any letters, '_' one, '\' takes the next as it is; case does not matter. */
static skep_rc prepare_like(struct skep_calc *call, struct skep_arena *arena, unsigned *ret_arg,
                            skep_err *err)
{
    skep_str pattern;
    struct skep_buf b;
    const struct skep_regex *re = NULL;
    SKEP_TRY(skep_calc__const_text(call, 1, &pattern, ret_arg, err));
    skep_buf_init(&b, SKEP_LIMIT_REGEX_BYTES);
    skep_buf_str(&b, SKEP_STR("(?s)\\A"));
    for (size_t i = 0; i < pattern.n; i++) {
        char c = pattern.p[i];
        bool taken = c == '\\' && i + 1 < pattern.n;
        c = taken ? pattern.p[++i] : c;
        if (!taken && (c == '%' || c == '_')) {
            skep_buf_str(&b, c == '%' ? SKEP_STR(".*") : SKEP_STR("."));
            continue;
        }
        if (c != '\0' && strchr("\\.+*?()|[]{}^$", c))
            skep_buf_u8(&b, '\\');
        skep_buf_u8(&b, (uint8_t)c);
    }
    skep_buf_str(&b, SKEP_STR("\\z"));
    skep_rc rc =
        b.bad ? SKEP_EINVAL : skep_regex_compile(skep_buf_text(&b), true, arena, &re, NULL);
    skep_buf_done(&b);
    *ret_arg = 1;
    if (rc != SKEP_OK)
        return skep_fail(err, SKEP_EINVAL, "a pattern of LIKE that is too long or no text");
    call->prepared = (void *)(uintptr_t)re;
    return SKEP_OK;
}

static skep_value like(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    TEXT(0, s);
    return skep_calc__bool(skep_calc__matches(ctx, e, s));
}

#define Q "sql"
const struct skep_calc_fn skep_calc__sql[] = {
    {"like", "a LIKE 'b%'", "Does the text look like it?", Q, 2, 2, like, prepare_like, 0},
    {"div", "a DIV b", "The quotient without its fraction.", Q, 2, 2, div_whole, NULL, 0},
    {"concat_ws", "concat_ws(by, a, ...)", "The texts with `by` between them.", Q, 2,
     SKEP_LIMIT_CALC_ARGS, concat_ws, NULL, 0},
    {"left", "left(text, n)", "The first n letters.", Q, 2, 2, left, NULL, 0},
    {"right", "right(text, n)", "The last n letters.", Q, 2, 2, right, NULL, 0},
    {"substring", "substring(text, from[, n])", "A part of it; the first letter is 1.", Q, 2, 3,
     substring, NULL, 0},
    {"locate", "locate(part, text)", "Where the part begins, from 1; 0 = nowhere.", Q, 2, 2, locate,
     NULL, 0},
    {"char_length", "char_length(text)", "The number of letters.", Q, 1, 1, char_length, NULL, 0},
    {"length", "length(text)", "The number of bytes.", Q, 1, 1, length, NULL, 0},
    {.name = NULL},
};
