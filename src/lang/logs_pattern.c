// SPDX-License-Identifier: Apache-2.0
/* Filter patterns against messages, and as filters of plans.
 *
 * Terms become tests of texts that the engine answers with its text filters.  What a JSON or fields
 * pattern says is decided message by message, by the pattern as the plan's matcher; before it stand
 * tests of texts that every message that matches must hold (needle()), so that most are not looked
 * at.
 *
 * I1  A filter passes exactly the messages that match: skep_logs_pattern_matches().
 * I2  A needle of a JSON pattern is made of characters that JSON text may write in one other way
 *     only, as \u00XX; a message with such an escape passes the needle's test, too.
 *
 * Threads: any.  Memory: filters in the arena given. */
#include "lang/logs_pattern.h"

#include "base/assert.h"
#include "lang/logs_pattern_priv.h"
#include "plan/match.h"

enum { NEEDLE_MIN = 3 };

// --- values ------------------------------------------------------------------------------------

static bool glob_passes(const struct skep_logs__value *v, skep_str s)
{
    skep_str first = v->pieces[0], last = v->pieces[v->n_pieces - 1];
    if (s.n < first.n + last.n || !skep_str_starts(s, first) || !skep_str_ends(s, last))
        return false;
    s = (skep_str){s.p + first.n, s.n - first.n - last.n};
    for (unsigned i = 1; i + 1 < v->n_pieces; i++) {
        size_t at = skep_str_find(s, v->pieces[i]);
        if (at == SIZE_MAX)
            return false;
        s = skep_str_skip(s, at + v->pieces[i].n);
    }
    return true;
}

/* What takes too long does not match; the regex remembers (skep_regex_gave_up). */
static bool matches(const struct skep_regex *re, skep_str s)
{
    bool yes;
    return skep_regex_test(re, s, &yes) == SKEP_OK && yes;
}

static bool equals(const struct skep_logs__value *v, skep_str s)
{
    if (v->how == SKEP_LOGS__ANY)
        return true;
    if (v->how == SKEP_LOGS__REGEX)
        return matches(v->regex, s);
    return v->glob ? glob_passes(v, s) : skep_str_eq(v->text, s);
}

static bool in_order(enum skep_logs__op op, double a, double b)
{
    switch (op) {
    case SKEP_LOGS__EQ: return a == b;
    case SKEP_LOGS__NE: return a != b;
    case SKEP_LOGS__LT: return a < b;
    case SKEP_LOGS__LE: return a <= b;
    case SKEP_LOGS__GT: return a > b;
    case SKEP_LOGS__GE: return a >= b;
    case SKEP_LOGS__IS_NULL:
    case SKEP_LOGS__IS_TRUE:
    case SKEP_LOGS__IS_FALSE:
    case SKEP_LOGS__NOT_EXISTS:
    default: return false;
    }
}

bool skep_logs__number_passes(enum skep_logs__op op, const struct skep_logs__value *v, skep_str s)
{
    double f;
    if (v->how == SKEP_LOGS__NUMBER && skep_str_f64(s, &f))
        return in_order(op, f, v->number);
    bool same = v->how != SKEP_LOGS__QUOTED && v->how != SKEP_LOGS__NUMBER && equals(v, s);
    return op == SKEP_LOGS__EQ ? same : op == SKEP_LOGS__NE && !same;
}

bool skep_logs__text_passes(enum skep_logs__op op, const struct skep_logs__value *v, skep_str s)
{
    bool same = v->how != SKEP_LOGS__NUMBER && equals(v, s);
    return op == SKEP_LOGS__EQ ? same : op == SKEP_LOGS__NE && !same;
}

// --- messages ----------------------------------------------------------------------------------

static bool term_found(const struct skep_logs__term *t, skep_str message)
{
    return t->regex ? matches(t->regex, message) : skep_str_find(message, t->text) != SIZE_MAX;
}

static bool terms_match(const struct skep_logs_pattern *p, skep_str message)
{
    for (unsigned i = 0; i < p->n_terms; i++) {
        const struct skep_logs__term *t = &p->terms[i];
        if (t->optional && !p->only_optional)
            continue;
        bool found = term_found(t, message);
        if (p->only_optional && found)
            return true;
        if (!p->only_optional && found == t->exclude)
            return false;
    }
    return !p->only_optional;
}

bool skep_logs_pattern_matches(const struct skep_logs_pattern *p, skep_str message)
{
    switch (p->kind) {
    case SKEP_LOGS_TERMS: return terms_match(p, message);
    case SKEP_LOGS_JSON: return skep_logs__json_matches(p, message);
    case SKEP_LOGS_FIELDS: return skep_logs__fields_match(p, message);
    case SKEP_LOGS_ALL:
    default: return true;
    }
}

skep_rc skep_logs_pattern_narrow(skep_str text, struct skep_arena *a,
                                 const struct skep_expr **filter, struct skep_lang_issue *issue)
{
    const struct skep_logs_pattern *p = NULL;
    skep_rc rc = skep_logs_pattern_parse(text, a, &p, issue);
    if (rc != SKEP_OK) {
        memcpy(issue->field, "pattern", sizeof "pattern");
        return rc;
    }
    const struct skep_expr *more = skep_logs_pattern_filter(p, a);
    if (!more || !*filter) {
        *filter = more ? more : *filter;
        return SKEP_OK;
    }
    struct skep_expr *copies = skep_new_n(a, struct skep_expr, 3);
    struct skep_expr **kids = skep_new_n(a, struct skep_expr *, 2);
    copies[0] = *more; /* the more selective one, mostly */
    copies[1] = **filter;
    kids[0] = &copies[0];
    kids[1] = &copies[1];
    copies[2] = (struct skep_expr){.op = SKEP_EXPR_AND, .kids = kids, .n_kids = 2};
    *filter = &copies[2];
    return SKEP_OK;
}

/* The member `pattern` of the page's requests. */
skep_rc skep_lang__pattern(struct skep_lang__q *q, yyjson_val *obj, const struct skep_expr **filter)
{
    skep_str text;
    SKEP_TRY(skep_lang__str(q, obj, "pattern", &text));
    return text.n ? skep_logs_pattern_narrow(text, q->arena, filter, q->issue) : SKEP_OK;
}

static void put_value(struct skep_logs_value *values, size_t *n, skep_str name, skep_str value)
{
    values[*n].name = name;
    values[(*n)++].value = value;
}

void skep_logs_pattern_extract(const struct skep_logs_pattern *p, skep_str message,
                               struct skep_arena *a, struct skep_logs_value **ret, size_t *ret_n)
{
    skep_str v;
    struct skep_logs_value *values =
        skep_new_n(a, struct skep_logs_value, p->n_selectors + p->n_fields + 1);
    *ret = values;
    *ret_n = 0;
    for (unsigned i = 0; i < p->n_selectors; i++)
        if (skep_logs__json_value(p->selectors[i], message, a, &v))
            put_value(values, ret_n, p->selectors[i]->text, v);
    for (unsigned i = 0; i < p->n_fields; i++)
        if (!p->fields[i].rest && skep_logs__field_value(p, i, message, &v))
            put_value(values, ret_n,
                      skep_arena_printf(a, "$" SKEP_STRFMT, SKEP_STRARG(p->fields[i].name)),
                      skep_arena_str(a, v));
}

void skep_logs_pattern_names(const struct skep_logs_pattern *p, struct skep_arena *a,
                             skep_str **ret, size_t *ret_n)
{
    *ret = skep_new_n(a, skep_str, p->n_fields + 1);
    *ret_n = p->n_fields;
    for (unsigned i = 0; i < p->n_fields; i++)
        (*ret)[i] = p->fields[i].name;
}

bool skep_logs_pattern_value(const struct skep_logs_pattern *p, skep_str selector, skep_str message,
                             struct skep_arena *a, skep_str *ret)
{
    struct skep_logs__selector sel;
    if (selector.n < 2 || selector.p[0] != '$')
        return false;
    if (p->kind == SKEP_LOGS_FIELDS) {
        skep_str name = skep_str_skip(selector, 1), v;
        for (unsigned i = 0; i < p->n_fields; i++) {
            if (p->fields[i].rest || !skep_str_eq(p->fields[i].name, name))
                continue;
            if (!skep_logs__field_value(p, i, message, &v))
                return false;
            *ret = skep_arena_str(a, v);
            return true;
        }
        return false;
    }
    return skep_logs__selector(selector, a, &sel) && skep_logs__json_value(&sel, message, a, ret);
}

// --- filters -----------------------------------------------------------------------------------

static struct skep_expr *node(struct skep_arena *a, enum skep_expr_op op, struct skep_expr **kids,
                              unsigned n)
{
    struct skep_expr *e = skep_new(a, struct skep_expr);
    *e = (struct skep_expr){.op = op, .kids = kids, .n_kids = n};
    return n == 1 && op != SKEP_EXPR_NOT ? kids[0] : e;
}

static struct skep_expr *test(struct skep_arena *a, enum skep_cmp op, const skep_str *texts,
                              unsigned n)
{
    struct skep_expr *e = skep_new(a, struct skep_expr);
    skep_value *values = skep_new_n(a, skep_value, n + 1);
    for (unsigned i = 0; i < n; i++)
        values[i] = (skep_value){.type = SKEP_TYPE_STRING, .s = texts[i]};
    *e = (struct skep_expr){
        .op = SKEP_EXPR_TEST,
        .test = {.field.name = SKEP_MESSAGE_FIELD, .op = op, .values = values, .n_values = n}};
    return e;
}

/* A term as it stands, without its sign. */
static struct skep_expr *term_expr(struct skep_arena *a, const struct skep_logs__term *t)
{
    return t->regex ? skep_expr_regex(SKEP_MESSAGE_FIELD, t->regex, false, a)
                    : test(a, SKEP_CMP_CONTAINS, &t->text, 1);
}

static const struct skep_expr *optional_terms(const struct skep_logs_pattern *p,
                                              struct skep_arena *a)
{
    struct skep_expr **kids = skep_new_n(a, struct skep_expr *, p->n_terms + 1);
    skep_str *texts = skep_new_n(a, skep_str, p->n_terms);
    unsigned n = 0, n_texts = 0;
    for (unsigned i = 0; i < p->n_terms; i++) {
        if (p->terms[i].regex)
            kids[n++] = term_expr(a, &p->terms[i]);
        else
            texts[n_texts++] = p->terms[i].text;
    }
    if (n_texts > 0)
        kids[n++] = test(a, SKEP_CMP_CONTAINS, texts, n_texts);
    return node(a, SKEP_EXPR_OR, kids, n);
}

static const struct skep_expr *plain_terms(const struct skep_logs_pattern *p, struct skep_arena *a)
{
    struct skep_expr **kids = skep_new_n(a, struct skep_expr *, p->n_terms + 1);
    unsigned n = 0;
    for (unsigned i = 0; i < p->n_terms; i++)
        if (!p->terms[i].optional && !p->terms[i].exclude)
            kids[n++] = term_expr(a, &p->terms[i]);
    if (n == 0) /* exclusions alone: of rows that have a message */
        kids[n++] = test(a, SKEP_CMP_EXISTS, NULL, 0);
    for (unsigned i = 0; i < p->n_terms; i++) {
        if (p->terms[i].optional || !p->terms[i].exclude)
            continue;
        struct skep_expr **kid = skep_new_n(a, struct skep_expr *, 1);
        kid[0] = term_expr(a, &p->terms[i]);
        kids[n++] = node(a, SKEP_EXPR_NOT, kid, 1);
    }
    return node(a, SKEP_EXPR_AND, kids, n);
}

static bool plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == ':' || c == '-' || c == ' ' || c == '@';
}

/* The longest stretch of a text that JSON writes as itself (I2), or all of it outside JSON. */
static skep_str plain_part(skep_str s, bool json)
{
    skep_str best = {s.p, 0};
    for (size_t i = 0; json && i < s.n; i++) {
        size_t from = i;
        while (i < s.n && plain(s.p[i]))
            i++;
        if (i - from > best.n)
            best = (skep_str){s.p + from, i - from};
    }
    return json ? best : s;
}

/* What a message must hold for the test to pass; empty = nothing that is known. */
static skep_str test_needle(const struct skep_logs__node *t)
{
    bool json = t->selector != NULL;
    skep_str best = SKEP_STR_NULL;
    bool same = t->op == SKEP_LOGS__EQ;
    if (t->op == SKEP_LOGS__NOT_EXISTS ||
        (t->op == SKEP_LOGS__NE && t->value.how == SKEP_LOGS__ANY))
        return best;
    if (same && t->value.how == SKEP_LOGS__REGEX)
        best = plain_part(skep_regex_literal(t->value.regex), json);
    if (same && (t->value.how == SKEP_LOGS__WORD || t->value.how == SKEP_LOGS__QUOTED)) {
        unsigned n = t->value.glob ? t->value.n_pieces : 1;
        for (unsigned i = 0; i < n; i++) {
            skep_str part = plain_part(t->value.glob ? t->value.pieces[i] : t->value.text, json);
            best = part.n > best.n ? part : best;
        }
    }
    for (unsigned i = 0; json && best.n < NEEDLE_MIN && i < t->selector->n; i++)
        if (t->selector->steps[i].how == SKEP_LOGS__KEY)
            best = plain_part(t->selector->steps[i].key, true);
    return best;
}

/* A filter that each message that passes the node passes, too; NULL = all. */
static struct skep_expr *needles(struct skep_arena *a, const struct skep_logs__node *t)
{
    if (t->how == SKEP_LOGS__TEST) {
        skep_str texts[2] = {test_needle(t), SKEP_STR("\\u00")};
        if (texts[0].n < NEEDLE_MIN)
            return NULL;
        return test(a, SKEP_CMP_CONTAINS, texts, t->selector ? 2 : 1);
    }
    struct skep_expr **kids = skep_new_n(a, struct skep_expr *, t->n);
    unsigned n = 0;
    for (unsigned i = 0; i < t->n; i++) {
        struct skep_expr *kid = needles(a, t->kids[i]);
        if (kid)
            kids[n++] = kid;
        else if (t->how == SKEP_LOGS__OR)
            return NULL;
    }
    if (n == 0)
        return NULL;
    return node(a, t->how == SKEP_LOGS__AND ? SKEP_EXPR_AND : SKEP_EXPR_OR, kids, n);
}

static const struct skep_expr *matched(const struct skep_logs_pattern *p, struct skep_arena *a)
{
    struct skep_expr **kids = skep_new_n(a, struct skep_expr *, p->n_fields + 2);
    unsigned n = 0;
    struct skep_expr *some = p->json ? needles(a, p->json) : NULL;
    if (some)
        kids[n++] = some;
    for (unsigned i = 0; i < p->n_fields; i++)
        if (p->fields[i].test && (some = needles(a, p->fields[i].test)) != NULL)
            kids[n++] = some;
    kids[n] = test(a, SKEP_CMP_MATCHES, &p->text, 1);
    kids[n++]->test.matcher = &p->base;
    return node(a, SKEP_EXPR_AND, kids, n);
}

const struct skep_expr *skep_logs_pattern_filter(const struct skep_logs_pattern *p,
                                                 struct skep_arena *a)
{
    if (p->kind == SKEP_LOGS_ALL)
        return NULL;
    if (p->kind != SKEP_LOGS_TERMS)
        return matched(p, a);
    return p->only_optional ? optional_terms(p, a) : plain_terms(p, a);
}
