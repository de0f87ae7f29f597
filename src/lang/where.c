// SPDX-License-Identifier: Apache-2.0
/* The terminal's short forms.
 *
 *   where  = test { ("AND" | "OR") test }      one of the two throughout
 *   test   = column op [value | "(" value { "," value } ")"]
 *   column = word | quoted
 *
 * A word ends at blanks, quotes, parentheses, commas and the signs = != < >; a column may hold any
 * of them in quotes.  Keywords are case-insensitive.
 *
 * Threads: none of its own.  Memory: the arena given. */
#include "lang/where.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "lang/lang_priv.h"

struct scan {
    skep_str text;
    size_t at;
    struct skep_arena *arena;
    struct skep_lang_issue *issue;
};

skep_rc skep_lang__mistake(struct skep_lang_issue *issue, size_t at, const char *fmt, va_list ap)
{
    *issue = (struct skep_lang_issue){
        .rc = SKEP_EINVAL, .code = SKEP_LANG_INVALID, .has_at = true, .at = at};
    (void)vsnprintf(issue->text, sizeof issue->text, fmt, ap);
    return SKEP_EINVAL;
}

static skep_rc wrong(const struct scan *s, size_t at, const char *fmt, ...) SKEP_PRINTF(3, 4);
static skep_rc wrong(const struct scan *s, size_t at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    skep_rc rc = skep_lang__mistake(s->issue, at, fmt, ap);
    va_end(ap);
    return rc;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool ends_word(char c)
{
    return is_blank(c) || c == '=' || c == '!' || c == '<' || c == '>' || c == '(' || c == ')' ||
           c == ',' || c == '"' || c == '\'';
}

static void skip_blanks(struct scan *s)
{
    while (s->at < s->text.n && is_blank(s->text.p[s->at]))
        s->at++;
}

static char peek(const struct scan *s)
{
    return s->at < s->text.n ? s->text.p[s->at] : '\0';
}

static skep_str word(struct scan *s)
{
    size_t from = s->at;
    while (s->at < s->text.n && !ends_word(s->text.p[s->at]))
        s->at++;
    return (skep_str){s->text.p + from, s->at - from};
}

/* A quoted text; the scan stands at the quote. */
static skep_rc quoted(struct scan *s, skep_str *ret)
{
    size_t from = s->at, n = 0;
    char quote = s->text.p[s->at++];
    char *out = skep_arena_alloc(s->arena, s->text.n - from);
    while (s->at < s->text.n && s->text.p[s->at] != quote) {
        if (s->text.p[s->at] == '\\' && s->at + 1 < s->text.n)
            s->at++;
        out[n++] = s->text.p[s->at++];
    }
    if (s->at == s->text.n)
        return wrong(s, from, "a quote that does not end");
    s->at++;
    *ret = (skep_str){out, n};
    return SKEP_OK;
}

static skep_rc word_or_quoted(struct scan *s, const char *what, skep_str *ret, bool *ret_quoted)
{
    skip_blanks(s);
    *ret_quoted = peek(s) == '"' || peek(s) == '\'';
    if (*ret_quoted)
        return quoted(s, ret);
    *ret = word(s);
    if (ret->n == 0)
        return wrong(s, s->at, "%s is expected here", what);
    return SKEP_OK;
}

/* The sign or word of an operator, in Honeycomb's spelling. */
static skep_rc operator_of(struct scan *s, skep_str *ret)
{
    static const skep_str signs[] = {SKEP_STR("!="), SKEP_STR(">="), SKEP_STR("<="), SKEP_STR("=="),
                                     SKEP_STR("="),  SKEP_STR(">"),  SKEP_STR("<")};
    static const skep_str words[] = {SKEP_STR("starts-with"), SKEP_STR("does-not-start-with"),
                                     SKEP_STR("ends-with"),   SKEP_STR("does-not-end-with"),
                                     SKEP_STR("contains"),    SKEP_STR("does-not-contain"),
                                     SKEP_STR("exists"),      SKEP_STR("does-not-exist"),
                                     SKEP_STR("matches"),     SKEP_STR("does-not-match"),
                                     SKEP_STR("in"),          SKEP_STR("not-in")};
    skip_blanks(s);
    skep_str rest = skep_str_skip(s->text, s->at);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(signs); i++) {
        if (skep_str_starts(rest, signs[i])) {
            s->at += signs[i].n;
            *ret = i == 3 ? signs[4] : signs[i]; /* == is = */
            return SKEP_OK;
        }
    }
    size_t from = s->at;
    skep_str w = word(s);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(words); i++) {
        if (skep_str_ieq(w, words[i])) {
            *ret = words[i];
            return SKEP_OK;
        }
    }
    return wrong(s, from,
                 "an operator is expected here: = != > >= < <= contains starts-with ends-with "
                 "exists in, or does-not-... and not-in");
}

static skep_rc list_values(struct scan *s, struct skep_where_test *t)
{
    unsigned cap = 0;
    struct skep_where_value *values = NULL;
    skep_rc rc = SKEP_OK;
    skip_blanks(s);
    if (peek(s) != '(')
        return wrong(s, s->at, "a list is expected here: (a, b)");
    do {
        s->at++;
        SKEP_GROW(values, t->n_values, cap);
        struct skep_where_value *v = &values[t->n_values++];
        rc = word_or_quoted(s, "a value", &v->text, &v->quoted);
        skip_blanks(s);
    } while (rc == SKEP_OK && peek(s) == ',');
    if (rc == SKEP_OK && peek(s) != ')')
        rc = wrong(s, s->at, "a comma or ) is expected here");
    if (rc == SKEP_OK) {
        s->at++;
        t->values = skep_new_n(s->arena, struct skep_where_value, t->n_values);
        memcpy(t->values, values, t->n_values * sizeof *values);
    }
    skep_free(values);
    return rc;
}

static skep_rc test(struct scan *s, struct skep_where_test *t)
{
    bool is_quoted;
    SKEP_TRY(word_or_quoted(s, "a column", &t->column, &is_quoted));
    SKEP_TRY(operator_of(s, &t->op));
    if (skep_str_ends(t->op, SKEP_STR("exists")) || skep_str_ends(t->op, SKEP_STR("-exist")))
        return SKEP_OK;
    if (skep_str_eq(t->op, SKEP_STR("in")) || skep_str_eq(t->op, SKEP_STR("not-in")))
        return list_values(s, t);
    t->values = skep_new(s->arena, struct skep_where_value);
    t->n_values = 1;
    return word_or_quoted(s, "a value", &t->values->text, &t->values->quoted);
}

/* AND or OR behind a test; *ret_more is false at the end of the text. */
static skep_rc joint(struct scan *s, struct skep_where *w, bool *ret_more)
{
    skip_blanks(s);
    *ret_more = s->at < s->text.n;
    if (!*ret_more)
        return SKEP_OK;
    size_t from = s->at;
    skep_str joiner = word(s);
    bool any = skep_str_ieq(joiner, SKEP_STR("OR"));
    if (!any && !skep_str_ieq(joiner, SKEP_STR("AND")))
        return wrong(s, from, "AND, OR or the end is expected here");
    if (w->n > 1 && any != w->any)
        return wrong(s, from, "AND and OR cannot be mixed");
    w->any = any;
    return SKEP_OK;
}

skep_rc skep_lang_where(skep_str text, struct skep_arena *arena, struct skep_where *ret,
                        struct skep_lang_issue *issue)
{
    struct scan s = {.text = text, .arena = arena, .issue = issue};
    struct skep_where w = {.tests =
                               skep_new_n(arena, struct skep_where_test, SKEP_LIMIT_LANG_FILTERS)};
    bool more = true;
    while (more) {
        if (w.n == SKEP_LIMIT_LANG_FILTERS)
            return wrong(&s, s.at, "more than %d tests", SKEP_LIMIT_LANG_FILTERS);
        SKEP_TRY(test(&s, &w.tests[w.n]));
        w.n++;
        SKEP_TRY(joint(&s, &w, &more));
    }
    *ret = w;
    return SKEP_OK;
}

/* An unquoted number, true or false is one; everything else is a string. */
static void value_json(const struct skep_where_value *v, struct skep_json *json)
{
    int64_t i;
    double f;
    if (!v->quoted && skep_str_i64(v->text, &i) && v->text.p[0] != '+')
        skep_json_i64(json, i);
    else if (!v->quoted && skep_str_f64(v->text, &f) && isfinite(f))
        skep_json_f64(json, f);
    else if (!v->quoted && skep_str_eq(v->text, SKEP_STR("true")))
        skep_json_bool(json, true);
    else if (!v->quoted && skep_str_eq(v->text, SKEP_STR("false")))
        skep_json_bool(json, false);
    else
        skep_json_str(json, v->text);
}

void skep_lang_where_json(const struct skep_where *where, struct skep_json *json)
{
    for (unsigned i = 0; i < where->n; i++) {
        const struct skep_where_test *t = &where->tests[i];
        bool list = skep_str_eq(t->op, SKEP_STR("in")) || skep_str_eq(t->op, SKEP_STR("not-in"));
        skep_json_object(json);
        skep_json_put_str(json, SKEP_STR("column"), t->column);
        skep_json_put_str(json, SKEP_STR("op"), t->op);
        if (t->n_values)
            skep_json_key(json, SKEP_STR("value"));
        if (list)
            skep_json_array(json);
        for (unsigned k = 0; k < t->n_values; k++)
            value_json(&t->values[k], json);
        if (list)
            skep_json_end(json);
        skep_json_end(json);
    }
}

/* "OP(column)" or "OP" -> its two parts. */
static skep_rc calc_parts(skep_str text, skep_str *ret_op, skep_str *ret_column,
                          struct skep_lang_issue *issue)
{
    const struct scan s = {.text = text, .issue = issue};
    text = skep_str_trim(text);
    size_t open = skep_str_chr(text, '(');
    *ret_column = SKEP_STR_NULL;
    *ret_op = text;
    if (open == SIZE_MAX)
        return text.n ? SKEP_OK : wrong(&s, 0, "a calculation like COUNT or P95(duration_ms)");
    if (text.p[text.n - 1] != ')' || open == 0)
        return wrong(&s, open, "a calculation looks like P95(duration_ms)");
    *ret_op = skep_str_trim((skep_str){text.p, open});
    *ret_column = skep_str_trim((skep_str){text.p + open + 1, text.n - open - 2});
    if (ret_column->n == 0)
        return wrong(&s, open, "name a column in the parentheses, or leave them out");
    return SKEP_OK;
}

skep_rc skep_lang_calc_json(skep_str text, struct skep_json *json, struct skep_lang_issue *issue)
{
    skep_str op, column;
    SKEP_TRY(calc_parts(text, &op, &column, issue));
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("op"), op);
    if (column.n)
        skep_json_put_str(json, SKEP_STR("column"), column);
    skep_json_end(json);
    return SKEP_OK;
}

/* A trailing direction, cut off `*text`; empty when there is none. */
static skep_str direction(skep_str *text)
{
    static const struct {
        skep_str ending, name;
    } endings[] = {{SKEP_STR(" desc"), SKEP_STR("descending")},
                   {SKEP_STR(" asc"), SKEP_STR("ascending")},
                   {SKEP_STR(" descending"), SKEP_STR("descending")},
                   {SKEP_STR(" ascending"), SKEP_STR("ascending")}};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(endings); i++) {
        if (skep_str_ends(*text, endings[i].ending)) {
            text->n -= endings[i].ending.n;
            return endings[i].name;
        }
    }
    return SKEP_STR_NULL;
}

skep_rc skep_lang_order_json(skep_str text, struct skep_json *json, struct skep_lang_issue *issue)
{
    skep_str op, column;
    enum skep_agg_op agg;
    double param;
    text = skep_str_trim(text);
    skep_str order = direction(&text);
    SKEP_TRY(calc_parts(text, &op, &column, issue));
    if (column.n == 0 && !skep_agg_op_parse(op, &agg, &param)) { /* a breakdown */
        column = op;
        op = SKEP_STR_NULL;
    }
    skep_json_object(json);
    if (op.n)
        skep_json_put_str(json, SKEP_STR("op"), op);
    if (column.n)
        skep_json_put_str(json, SKEP_STR("column"), column);
    if (order.n)
        skep_json_put_str(json, SKEP_STR("order"), order);
    skep_json_end(json);
    return SKEP_OK;
}
