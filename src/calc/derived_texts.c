// SPDX-License-Identifier: Apache-2.0
/* Functions of derived columns: texts, regular expressions, instants (seconds since 1970).
 * Threads: any.  Memory: results in the context's scratch. */
#include <math.h>

#include "base/assert.h"
#include "base/hash.h"
#include "calc/calc_priv.h"
#include "wire/regex.h"

enum { LIST = SKEP_LIMIT_CALC_LIST };

static bool is_text(const skep_value *v)
{
    return v->type == SKEP_TYPE_STRING;
}

/* The text of a value; bools as words, null as nothing. */
static skep_str text_of(const skep_value *v, char buf[64])
{
    if (v->type == SKEP_TYPE_BOOL)
        return v->b ? SKEP_STR("true") : SKEP_STR("false");
    return skep_calc_text(v, buf);
}

static skep_value string(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    char buf[64];
    (void)e;
    return is_text(&a[0]) ? a[0] : skep_calc__copy(ctx, text_of(&a[0], buf));
}

static skep_value concat(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    char buf[64];
    size_t n = 0, at = 0;
    for (unsigned i = 0; i < e->n_args; i++)
        n += text_of(&a[i], buf).n;
    char *out = skep_calc__room(ctx, n);
    if (!out)
        return SKEP_CALC__NULL;
    for (unsigned i = 0; i < e->n_args; i++) {
        skep_str s = text_of(&a[i], buf);
        if (s.n > 0)
            memcpy(out + at, s.p, s.n);
        at += s.n;
    }
    return skep_calc__str((skep_str){out, n});
}

static skep_value starts(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    (void)ctx;
    (void)e;
    return skep_calc__bool(is_text(&a[0]) && is_text(&a[1]) && skep_str_starts(a[0].s, a[1].s));
}

static skep_value ends(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    (void)ctx;
    (void)e;
    return skep_calc__bool(is_text(&a[0]) && is_text(&a[1]) && skep_str_ends(a[0].s, a[1].s));
}

static skep_value contains(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                           const skep_value *a)
{
    (void)ctx;
    (void)e;
    return skep_calc__bool(is_text(&a[0]) && is_text(&a[1]) &&
                           skep_str_find(a[0].s, a[1].s) != SIZE_MAX);
}

static skep_value to_lower(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                           const skep_value *a)
{
    (void)e;
    char *out = is_text(&a[0]) ? skep_calc__room(ctx, a[0].s.n) : NULL;
    if (!out)
        return SKEP_CALC__NULL;
    for (size_t i = 0; i < a[0].s.n; i++) {
        char c = a[0].s.p[i];
        out[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    return skep_calc__str((skep_str){out, a[0].s.n});
}

static skep_rc prepare_length(struct skep_calc *call, struct skep_arena *a, unsigned *ret_arg,
                              skep_err *err)
{
    skep_str unit = SKEP_STR("bytes");
    static bool chars = true;
    (void)a;
    if (call->n_args > 1)
        SKEP_TRY(skep_calc__const_text(call, 1, &unit, ret_arg, err));
    bool in_chars = skep_str_eq(unit, SKEP_STR("chars"));
    if (!in_chars && !skep_str_eq(unit, SKEP_STR("bytes")))
        return skep_fail(err, SKEP_EINVAL, "a length is in \"bytes\" or \"chars\"");
    call->prepared = in_chars ? &chars : NULL;
    return SKEP_OK;
}

static skep_value length(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    int64_t n = 0;
    (void)ctx;
    if (!is_text(&a[0]))
        return SKEP_CALC__NULL;
    if (!e->prepared)
        return skep_calc__int((int64_t)a[0].s.n);
    for (size_t i = 0; i < a[0].s.n; i++)
        n += ((unsigned char)a[0].s.p[i] & 0xc0) != 0x80;
    return skep_calc__int(n);
}

// --- regular expressions -----------------------------------------------------------------------

static skep_rc prepare_regex(struct skep_calc *call, struct skep_arena *a, unsigned *ret_arg,
                             skep_err *err)
{
    return skep_calc__prepare_regex(call, 1, a, ret_arg, err);
}

static skep_value reg_match(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                            const skep_value *a)
{
    return skep_calc__bool(is_text(&a[0]) && skep_calc__matches(ctx, e, a[0].s));
}

/* The first group, or all of an expression without groups. */
static skep_value reg_value(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                            const skep_value *a)
{
    size_t spans[2 * (SKEP_LIMIT_REGEX_GROUPS + 1)];
    unsigned n_groups = 0;
    bool found = false;
    if (!is_text(&a[0]))
        return SKEP_CALC__NULL;
    if (skep_regex_find(e->prepared, a[0].s, 0, 0, spans, &found) != SKEP_OK)
        ctx->too_slow = true;
    (void)skep_regex_groups(e->prepared, &n_groups); /* their number alone */
    unsigned g = n_groups > 0 ? 1 : 0;
    if (!found || spans[2 * g] == SIZE_MAX)
        return SKEP_CALC__NULL;
    return skep_calc__str((skep_str){a[0].s.p + spans[2 * g], spans[2 * g + 1] - spans[2 * g]});
}

static skep_value reg_count(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                            const skep_value *a)
{
    size_t spans[2 * (SKEP_LIMIT_REGEX_GROUPS + 1)], at = 0;
    int64_t n = 0;
    bool found = is_text(&a[0]);
    while (found && at <= a[0].s.n) {
        if (skep_regex_find(e->prepared, a[0].s, at, (size_t)n, spans, &found) != SKEP_OK) {
            ctx->too_slow = true;
            return SKEP_CALC__NULL;
        }
        n += found;
        if (!found)
            break;
        at = spans[1];
        if (spans[1] == spans[0]) /* nothing was matched: one letter on */
            do
                at++;
            while (at < a[0].s.n && ((unsigned char)a[0].s.p[at] & 0xc0) == 0x80);
    }
    return skep_calc__int(n);
}

// --- instants ----------------------------------------------------------------------------------

static skep_value unix_timestamp(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                                 const skep_value *a)
{
    double seconds;
    (void)ctx;
    (void)e;
    return is_text(&a[0]) && skep_calc__rfc3339(a[0].s, &seconds) ? skep_calc__double(seconds)
                                                                  : SKEP_CALC__NULL;
}

static skep_rc prepare_format(struct skep_calc *call, struct skep_arena *a, unsigned *ret_arg,
                              skep_err *err)
{
    skep_str *format = skep_new(a, skep_str);
    SKEP_TRY(skep_calc__const_text(call, 0, format, ret_arg, err));
    call->prepared = format;
    return SKEP_OK;
}

static skep_value format_time(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                              const skep_value *a)
{
    const skep_str *format = e->prepared;
    static const struct skep_calc_ctx strict;
    struct skep_buf b;
    double seconds;
    if (!skep_calc_number(&strict, &a[1], &seconds) || !(fabs(seconds) < 9e15))
        return SKEP_CALC__NULL;
    skep_buf_init(&b, 4096);
    skep_calc__put_instant(&b, *format, (int64_t)floor(seconds * 1000 + 1e-4), 0);
    skep_value v = b.bad ? SKEP_CALC__NULL : skep_calc__copy(ctx, skep_buf_text(&b));
    skep_buf_done(&b);
    return v;
}

/* The same number for the same text, everywhere and always; not negative. */
static skep_value hash(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    char buf[64];
    (void)ctx;
    (void)e;
    if (a[0].type == SKEP_TYPE_NULL)
        return SKEP_CALC__NULL;
    return skep_calc__int((int64_t)(skep_hash(skep_str_bytes(text_of(&a[0], buf))) >> 1));
}

#define S "string"
#define R "regex"
#define T "time"
const struct skep_calc_fn skep_calc__derived_texts[] = {
    {"STRING", "STRING(a)", "As a text; nothing is \"\".", "cast", 1, 1, string, NULL, 0},
    {"CONCAT", "CONCAT(a, ...)", "The texts behind each other; empty ones are skipped.", S, 1, LIST,
     concat, NULL, 0},
    {"STARTS_WITH", "STARTS_WITH(text, part)", "Does it begin with it?", S, 2, 2, starts, NULL, 0},
    {"ENDS_WITH", "ENDS_WITH(text, part)", "Does it end with it?", S, 2, 2, ends, NULL, 0},
    {"CONTAINS", "CONTAINS(text, part)", "Does it hold it?", S, 2, 2, contains, NULL, 0},
    {"TO_LOWER", "TO_LOWER(text)", "In lower case (ASCII).", S, 1, 1, to_lower, NULL, 0},
    {"LENGTH", "LENGTH(text[, \"bytes\"|\"chars\"])", "Its length, in bytes if not said.", S, 1, 2,
     length, prepare_length, 0},
    {"REG_MATCH", "REG_MATCH(text, `expression`)", "Does the expression match?", R, 2, 2, reg_match,
     prepare_regex, 0},
    {"REG_VALUE", "REG_VALUE(text, `expression`)", "The first group of the first match.", R, 2, 2,
     reg_value, prepare_regex, 0},
    {"REG_COUNT", "REG_COUNT(text, `expression`)", "How often it matches.", R, 2, 2, reg_count,
     prepare_regex, 0},
    {"UNIX_TIMESTAMP", "UNIX_TIMESTAMP(text)", "The seconds since 1970 of an RFC 3339 text.", T, 1,
     1, unix_timestamp, NULL, 0},
    {"FORMAT_TIME", "FORMAT_TIME(\"%Y-%m-%d\", seconds)", "The time as text, in UTC.", T, 2, 2,
     format_time, prepare_format, 0},
    {"METRO_HASH", "METRO_HASH(a)", "A number that belongs to the text.", S, 1, 1, hash, NULL, 0},
    {.name = NULL},
};
