// SPDX-License-Identifier: Apache-2.0
/* Derived columns' expressions, by precedence from loose to tight:
 *
 *   OR | AND | = != | < <= > >= | + | - | * / % | ! - | value
 *   value = 12, .5e3, "text", `raw`, true, false, null, $column, $"odd column", NAME(a, ...), (a)
 *
 * `-` binds tighter than `+`, as in Honeycomb's grammar.  A column's name goes on as long as there
 * are letters, digits and _ . / : = + ? - so `$a-b` is one column and `$a - b` a difference.
 * What has constants alone for arguments is computed while it is read.
 *
 * I1  Recursion is bounded by SKEP_LANG__NESTED.
 * Threads: none of its own.  Memory: the request's arena. */
#include "lang/expression.h"

#include <limits.h>
#include <math.h>

#include "base/assert.h"
#include "base/buf.h"

typedef struct skep_lang__x X;

static skep_rc any(X *x, struct skep_calc **ret);

skep_rc skep_lang__x_wrong(X *x, size_t at, size_t end, const char *fmt, ...)
{
    char text[160];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    skep_rc rc = skep_lang__refuse(x->q, SKEP_LANG_INVALID, "at byte %zu: %s", at, text);
    x->q->issue->has_at = true;
    x->q->issue->at = SKEP_MIN(at, x->text.n);
    x->q->issue->end = SKEP_MAX(x->q->issue->at, SKEP_MIN(end, x->text.n));
    return rc;
}

// --- tokens ------------------------------------------------------------------------------------

static char peek(X *x)
{
    while (x->at < x->text.n && (x->text.p[x->at] == ' ' || x->text.p[x->at] == '\t' ||
                                 x->text.p[x->at] == '\n' || x->text.p[x->at] == '\r'))
        x->at++;
    return x->at < x->text.n ? x->text.p[x->at] : '\0';
}

static size_t here(X *x)
{
    (void)peek(x); /* to what comes next */
    return x->at;
}

static bool take(X *x, const char *sign)
{
    (void)peek(x); /* to what comes next */
    skep_str s = skep_str_c(sign);
    if (!skep_str_starts(skep_str_skip(x->text, x->at), s))
        return false;
    x->at = x->prev_end = x->at + s.n;
    return true;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The word that comes next, not taken. */
static skep_str word(X *x)
{
    size_t n = 0;
    (void)peek(x); /* to what comes next */
    skep_str rest = skep_str_skip(x->text, x->at);
    while (n < rest.n && (is_letter(rest.p[n]) || (n > 0 && is_digit(rest.p[n]))))
        n++;
    return (skep_str){rest.p, n};
}

static bool take_word(X *x, const char *w)
{
    skep_str next = word(x);
    if (!skep_str_ieq(next, skep_str_c(w)))
        return false;
    x->at = x->prev_end = x->at + next.n;
    return true;
}

static void put_utf8(struct skep_buf *b, uint32_t c)
{
    if (c < 0x80) {
        skep_buf_u8(b, (uint8_t)c);
    } else if (c < 0x800) {
        skep_buf_u8(b, (uint8_t)(0xc0 | c >> 6));
        skep_buf_u8(b, (uint8_t)(0x80 | (c & 0x3f)));
    } else {
        skep_buf_u8(b, (uint8_t)(0xe0 | c >> 12));
        skep_buf_u8(b, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
        skep_buf_u8(b, (uint8_t)(0x80 | (c & 0x3f)));
    }
}

/* Behind a backslash. */
static bool escape(X *x, struct skep_buf *b)
{
    static const char from[] = "\"\\'`nrtbf/0", to[] = "\"\\'`\n\r\t\b\f/\0";
    char c = x->at < x->text.n ? x->text.p[x->at] : '\0';
    unsigned digits = c == 'u' ? 4 : c == 'x' ? 2 : 0;
    x->at++;
    for (size_t i = 0; digits == 0 && i + 1 < sizeof from; i++)
        if (from[i] == c) {
            skep_buf_u8(b, (uint8_t)to[i]);
            return true;
        }
    uint8_t bytes[2] = {0};
    if (digits == 0 || x->at + digits > x->text.n ||
        !skep_hex_decode((skep_str){x->text.p + x->at, digits}, bytes + 2 - digits / 2, digits / 2))
        return false;
    x->at += digits;
    put_utf8(b, (uint32_t)bytes[0] << 8 | bytes[1]);
    return true;
}

/* A text at its opening quote: escapes in "", none in ``. */
static skep_rc quoted(X *x, skep_str *ret)
{
    size_t from = x->at;
    char quote = x->text.p[x->at++];
    struct skep_buf b;
    skep_buf_init(&b, SKEP_LANG__EXPRESSION_BYTES * 2);
    bool ok = true;
    while (ok && x->at < x->text.n && x->text.p[x->at] != quote) {
        char c = x->text.p[x->at++];
        if (c == '\\' && quote == '"')
            ok = escape(x, &b);
        else
            skep_buf_u8(&b, (uint8_t)c);
    }
    *ret = skep_arena_str(x->q->arena, skep_buf_text(&b));
    skep_buf_done(&b);
    if (!ok)
        return skep_lang__x_wrong(x, x->at - 2, x->at, "no escape: use \\\" \\\\ \\n \\t \\u1234");
    if (x->at >= x->text.n)
        return skep_lang__x_wrong(x, from, x->text.n, "a text without its closing %c", quote);
    x->prev_end = ++x->at;
    return SKEP_OK;
}

static skep_rc number(X *x, struct skep_calc **ret)
{
    skep_str rest = skep_str_skip(x->text, x->at);
    size_t n = 0, from = x->at;
    while (n < rest.n && (is_digit(rest.p[n]) || rest.p[n] == '.'))
        n++;
    if (n < rest.n && (rest.p[n] == 'e' || rest.p[n] == 'E')) {
        size_t k = n + 1;
        k += k < rest.n && (rest.p[k] == '+' || rest.p[k] == '-');
        size_t digits = k;
        while (k < rest.n && is_digit(rest.p[k]))
            k++;
        n = k > digits ? k : n;
    }
    char text[64] = "0"; /* ".5" is written with its zero */
    skep_value v = {.type = SKEP_TYPE_INT};
    x->at = x->prev_end = from + n;
    bool ok = n < sizeof text - 2;
    if (ok)
        memcpy(text + 1, rest.p, n);
    skep_str s = {rest.p[0] == '.' ? text : text + 1, rest.p[0] == '.' ? n + 1 : n};
    if (ok && !skep_str_i64(s, &v.i)) {
        v.type = SKEP_TYPE_DOUBLE;
        if (s.n > 0 && s.p[s.n - 1] == '.')
            s.n--;
        ok = skep_str_f64(s, &v.f) && isfinite(v.f);
    }
    if (!ok)
        return skep_lang__x_wrong(x, from, x->at, "no number");
    *ret = skep_calc_const(x->q->arena, v);
    return SKEP_OK;
}

// --- calls -------------------------------------------------------------------------------------

/* A call of constants is a constant. */
static skep_rc folded(X *x, struct skep_calc **e, size_t at)
{
    struct skep_calc_ctx ctx = {.scratch = x->q->arena};
    const struct skep_calc_batch one = {.n = 1};
    skep_value v;
    for (unsigned i = 0; i < (*e)->n_args; i++)
        if ((*e)->args[i]->op != SKEP_CALC_CONST)
            return SKEP_OK;
    skep_calc_eval(*e, &one, &ctx, &v);
    if (ctx.short_of_memory || ctx.too_slow)
        return skep_lang__x_wrong(x, at, x->prev_end, "this takes too long to compute");
    *e = skep_calc_const(x->q->arena, v);
    return SKEP_OK;
}

static skep_rc call(X *x, const struct skep_calc_fn *fn, struct skep_calc **args, unsigned n,
                    size_t at, struct skep_calc **ret)
{
    unsigned arg;
    skep_err err;
    if (skep_calc_call(x->q->arena, fn, args, n, ret, &arg, &err) != SKEP_OK)
        return skep_lang__x_wrong(x, at, x->prev_end, "%s", err.text);
    return folded(x, ret, at);
}

static skep_rc named(X *x, const char *fn, struct skep_calc **args, unsigned n, size_t at,
                     struct skep_calc **ret)
{
    const struct skep_calc_fn *f = skep_calc_find_derived(skep_str_c(fn));
    skep_assert(f != NULL);
    return call(x, f, args, n, at, ret);
}

static skep_rc binary(X *x, const char *fn, struct skep_calc *a, struct skep_calc *b, size_t at,
                      struct skep_calc **ret)
{
    struct skep_calc **args = skep_new_n(x->q->arena, struct skep_calc *, 2);
    args[0] = a;
    args[1] = b;
    return named(x, fn, args, 2, at, ret);
}

/* A growing list of arguments. */
struct list {
    struct skep_calc **args;
    unsigned n, cap;
};

static skep_rc push(X *x, struct list *l, struct skep_calc *e, size_t at)
{
    if (l->n == SKEP_LIMIT_CALC_LIST)
        return skep_lang__x_wrong(x, at, x->prev_end, "more than %d arguments",
                                  SKEP_LIMIT_CALC_LIST);
    if (l->n == l->cap) {
        unsigned cap = l->cap ? 2 * l->cap : 4;
        struct skep_calc **more = skep_new_n(x->q->arena, struct skep_calc *, cap);
        if (l->n > 0)
            memcpy(more, l->args, l->n * sizeof *more);
        l->args = more;
        l->cap = cap;
    }
    l->args[l->n++] = e;
    return SKEP_OK;
}

static skep_rc arguments(X *x, size_t at, struct list *l)
{
    while (!take(x, ")")) {
        struct skep_calc *e = NULL;
        SKEP_TRY(any(x, &e));
        SKEP_TRY(push(x, l, e, at));
        if (!take(x, ",") && peek(x) != ')')
            return skep_lang__x_wrong(x, x->at, x->at + 1, "a comma or ) is expected here");
    }
    return SKEP_OK;
}

/* What is of the row as such. */
static const struct {
    const char *name;
    enum skep_computed_what what;
} of_row[] = {{"EVENT_TIMESTAMP", SKEP_COMPUTED_TIME},
              {"INGEST_TIMESTAMP", SKEP_COMPUTED_RECEIVED},
              {"RAND", SKEP_COMPUTED_RANDOM}};
static const char *const of_metrics[] = {"LAST", "SUMMARIZE", "INCREASE", "RATE", "RAW_METRIC"};

static skep_rc unknown(X *x, skep_str name, size_t at)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(of_metrics); i++)
        if (skep_str_ieq(name, skep_str_c(of_metrics[i])))
            return skep_lang__x_wrong(x, at, at + name.n, "%s is for metrics", of_metrics[i]);
    return skep_lang__x_wrong(
        x, at, at + name.n, SKEP_STRFMT " is no function; a column is written $" SKEP_STRFMT,
        (int)SKEP_MIN(name.n, 40u), name.p, (int)SKEP_MIN(name.n, 40u), name.p);
}

static skep_rc function(X *x, skep_str name, size_t at, struct skep_calc **ret)
{
    struct list l = {0};
    const struct skep_calc_fn *f = skep_calc_find_derived(name);
    const char *family = f ? f->family : "";
    SKEP_TRY(arguments(x, at, &l));
    for (size_t i = 0; i < SKEP_ARRAY_LEN(of_row); i++) {
        size_t n = 0;
        if (!skep_str_ieq(name, skep_str_c(of_row[i].name)))
            continue;
        if (l.n > 0)
            return skep_lang__x_wrong(x, at, x->prev_end, "%s() takes nothing", of_row[i].name);
        x->name_at = at;
        x->name_end = x->prev_end;
        return x->resolve(x, of_row[i].what, SKEP_STR_NULL, &n, ret);
    }
    if (!f || skep_str_eq(skep_str_c(family), SKEP_STR("operator")))
        return unknown(x, name, at);
    return call(x, f, l.args, l.n, at, ret);
}

// --- values ------------------------------------------------------------------------------------

static bool is_column(char c)
{
    return is_letter(c) || is_digit(c) || (unsigned char)c >= 0x80 ||
           (c && skep_str_chr(SKEP_STR("./:=+?-"), c) != SIZE_MAX);
}

static skep_rc column(X *x, struct skep_calc **ret)
{
    size_t at = x->at++, n = 0;
    skep_str name, rest = skep_str_skip(x->text, x->at);
    bool odd = rest.n > 0 && (rest.p[0] == '"' || rest.p[0] == '`');
    x->name_at = at;
    if (odd) {
        SKEP_TRY(quoted(x, &name));
        n = name.n;
    } else {
        while (n < rest.n && is_column(rest.p[n]))
            n++;
        name = skep_arena_str(x->q->arena, (skep_str){rest.p, n});
    }
    if (n == 0)
        return skep_lang__x_wrong(x, at, at + 1, "a column's name is expected behind $");
    x->name_end = odd ? x->at : x->at + n;
    SKEP_TRY(x->resolve(x, SKEP_COMPUTED_FIELD, name, odd ? NULL : &n, ret));
    if (!odd)
        x->at += n;
    x->prev_end = x->at;
    return SKEP_OK;
}

static skep_rc constant(X *x, skep_value v, struct skep_calc **ret)
{
    *ret = skep_calc_const(x->q->arena, v);
    return SKEP_OK;
}

static skep_rc word_value(X *x, skep_str name, size_t at, struct skep_calc **ret)
{
    x->at = x->prev_end = at + name.n;
    if (take(x, "(")) {
        SKEP_TRY(function(x, name, at, ret));
        return SKEP_OK;
    }
    if (skep_str_ieq(name, SKEP_STR("true")) || skep_str_ieq(name, SKEP_STR("false")))
        return constant(
            x, (skep_value){.type = SKEP_TYPE_BOOL, .b = skep_str_ieq(name, SKEP_STR("true"))},
            ret);
    if (skep_str_ieq(name, SKEP_STR("null")))
        return constant(x, (skep_value){.type = SKEP_TYPE_NULL}, ret);
    return unknown(x, name, at);
}

static skep_rc value(X *x, struct skep_calc **ret)
{
    char c = peek(x);
    size_t at = x->at;
    if (c == '"' || c == '`') {
        skep_value v = {.type = SKEP_TYPE_STRING};
        SKEP_TRY(quoted(x, &v.s));
        return constant(x, v, ret);
    }
    if (c == '$')
        return column(x, ret);
    if (is_digit(c) || (c == '.' && at + 1 < x->text.n && is_digit(x->text.p[at + 1])))
        return number(x, ret);
    if (take(x, "(")) {
        SKEP_TRY(any(x, ret));
        if (take(x, ")"))
            return SKEP_OK;
        return skep_lang__x_wrong(x, here(x), x->at + 1, "a ) is expected here");
    }
    skep_str name = word(x);
    if (name.n > 0)
        return word_value(x, name, at, ret);
    if (c == '\'')
        return skep_lang__x_wrong(x, at, at + 1, "texts stand in \" or `");
    return skep_lang__x_wrong(x, at, at + 1,
                              "a column ($name), value or function is expected here");
}

static skep_rc unary(X *x, struct skep_calc **ret)
{
    size_t at = here(x);
    bool bang = peek(x) == '!' && take(x, "!");
    if (!bang && !take(x, "-"))
        return value(x, ret);
    struct skep_calc *e = NULL;
    if (++x->depth > SKEP_LANG__NESTED)
        return skep_lang__x_wrong(x, at, x->at, "an expression that is too deep");
    SKEP_TRY(unary(x, &e));
    x->depth--;
    if (bang) {
        struct skep_calc **args = skep_new_n(x->q->arena, struct skep_calc *, 1);
        args[0] = e;
        return named(x, "NOT", args, 1, at, ret);
    }
    struct skep_calc *zero = skep_calc_const(x->q->arena, (skep_value){.type = SKEP_TYPE_INT});
    return binary(x, "SUB", zero, e, at, ret);
}

// --- operators ---------------------------------------------------------------------------------

/* The operators of one level; from the left. */
struct level {
    struct {
        const char *sign, *fn;
    } ops[5];
    bool words; /* AND, OR */
    bool flat;  /* a + b + c is one call */
};

enum { LEVELS = 7 };
static const struct level levels[LEVELS] = {
    {.ops = {{"OR", "OR"}}, .words = true, .flat = true},
    {.ops = {{"AND", "AND"}}, .words = true, .flat = true},
    {.ops = {{"!=", "NOT_EQUALS"}, {"=", "EQUALS"}}},
    {.ops = {{"<=", "LTE"}, {">=", "GTE"}, {"<", "LT"}, {">", "GT"}}},
    {.ops = {{"+", "SUM"}}, .flat = true},
    {.ops = {{"-", "SUB"}}, .flat = true},
    {.ops = {{"*", "MUL"}, {"/", "DIV"}, {"%", "MOD"}}},
};

static const char *operator_of(X *x, const struct level *l)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(l->ops) && l->ops[i].sign; i++)
        if (l->words ? take_word(x, l->ops[i].sign) : take(x, l->ops[i].sign))
            return l->ops[i].fn;
    return NULL;
}

static skep_rc at_level(X *x, unsigned level, struct skep_calc **ret)
{
    if (level == LEVELS)
        return unary(x, ret);
    const struct level *l = &levels[level];
    size_t at = here(x);
    struct list operands = {0};
    const char *fn, *flat = NULL;
    SKEP_TRY(at_level(x, level + 1, ret));
    while ((fn = operator_of(x, l)) != NULL) {
        struct skep_calc *next = NULL;
        if (operands.n == 0)
            SKEP_TRY(push(x, &operands, *ret, at));
        SKEP_TRY(at_level(x, level + 1, &next));
        SKEP_TRY(push(x, &operands, next, at));
        flat = fn;
        if (l->flat)
            continue;
        SKEP_TRY(named(x, fn, operands.args, 2, at, ret));
        operands = (struct list){0};
        flat = NULL;
    }
    return flat ? named(x, flat, operands.args, operands.n, at, ret) : SKEP_OK;
}

static skep_rc any(X *x, struct skep_calc **ret)
{
    size_t at = here(x);
    if (++x->depth > SKEP_LANG__NESTED)
        return skep_lang__x_wrong(x, at, at + 1, "an expression that is too deep");
    SKEP_TRY(at_level(x, 0, ret));
    x->depth--;
    return SKEP_OK;
}

skep_rc skep_lang__expression(X *x, struct skep_calc **ret)
{
    if (x->text.n > SKEP_LANG__EXPRESSION_BYTES)
        return skep_lang__refuse(x->q, SKEP_LANG_INVALID, "an expression has at most %d bytes",
                                 SKEP_LANG__EXPRESSION_BYTES);
    if (here(x) == x->text.n)
        return skep_lang__refuse(x->q, SKEP_LANG_MISSING, "write an expression");
    SKEP_TRY(any(x, ret));
    if (here(x) < x->text.n)
        return skep_lang__x_wrong(x, x->at, x->text.n, "an operator or the end is expected here");
    return SKEP_OK;
}
