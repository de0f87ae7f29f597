// SPDX-License-Identifier: Apache-2.0
/* Filter patterns: recursive descent over the text (grammar: logs_pattern.h).
 *
 * I1  Recursion is bounded by SKEP_LOGS__DEPTH, the text by SKEP_LIMIT_LOGS_PATTERN characters, so
 *     everything made of it is small.
 * I2  A mistake names the bytes it is about: issue.at <= issue.end <= text.n.
 *
 * Threads: none of its own.  Memory: the arena given. */
#include <math.h>
#include <stdarg.h>

#include "base/assert.h"
#include "lang/logs_pattern_priv.h"
#include "plan/match.h"

struct scan {
    skep_str text;
    size_t at;
    struct skep_arena *arena;
    struct skep_lang_issue *issue;
    struct skep_logs_pattern *p;
    unsigned depth, n_regexes, n_wildcards;
    bool json;      /* in braces, else in brackets */
    skep_str field; /* of the fields entry at hand */
};

static skep_rc wrong(struct scan *s, size_t at, size_t end, const char *fmt, ...) SKEP_PRINTF(4, 5);
static skep_rc wrong(struct scan *s, size_t at, size_t end, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    skep_rc rc = skep_lang__mistake(s->issue, SKEP_MIN(at, s->text.n), fmt, ap);
    va_end(ap);
    s->issue->end = SKEP_MAX(s->issue->at, SKEP_MIN(end, s->text.n));
    return rc;
}

// --- letters -----------------------------------------------------------------------------------

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static char at(const struct scan *s, size_t ahead)
{
    return s->at + ahead < s->text.n ? s->text.p[s->at + ahead] : '\0';
}

static char peek(struct scan *s)
{
    while (s->at < s->text.n && is_blank(s->text.p[s->at]))
        s->at++;
    return at(s, 0);
}

/* Where the next token begins. */
static size_t here(struct scan *s)
{
    (void)peek(s); /* steps over blanks */
    return s->at;
}

static bool take(struct scan *s, skep_str sign)
{
    (void)peek(s); /* steps over blanks */
    if (!skep_str_starts(skep_str_skip(s->text, s->at), sign))
        return false;
    s->at += sign.n;
    return true;
}

static skep_str slice(const struct scan *s, size_t from)
{
    return (skep_str){s->text.p + from, s->at - from};
}

/* "...": \" and \\ are escapes; the scan stands at the quote. */
static skep_rc quoted(struct scan *s, skep_str *ret)
{
    size_t from = s->at++, n = 0, end = s->at;
    while (end < s->text.n && s->text.p[end] != '"')
        end += s->text.p[end] == '\\' ? 2 : 1;
    char *out = skep_arena_alloc(s->arena, SKEP_MIN(end, s->text.n) - from);
    while (s->at < s->text.n && at(s, 0) != '"') {
        if (at(s, 0) == '\\' && (at(s, 1) == '"' || at(s, 1) == '\\'))
            s->at++;
        out[n++] = s->text.p[s->at++];
    }
    if (s->at == s->text.n)
        return wrong(s, from, s->text.n, "a quote that is not closed");
    s->at++;
    *ret = (skep_str){out, n};
    return SKEP_OK;
}

/* CloudWatch's subset, said before the expression is compiled. */
static skep_rc check_regex(struct scan *s, size_t from, size_t end)
{
    static const char signs[] = ":_#=@/;,-^$?[]{}|\\*+. ";
    for (size_t i = from; i < end; i++) {
        unsigned char c = (unsigned char)s->text.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (c == '\\' && i + 1 < end) {
            i++; /* any escaped sign */
            continue;
        }
        if (c == '(' || c == ')')
            return wrong(s, i, i + 1, "no parentheses in the regular expressions of patterns");
        if (!word && (c >= 0x80 || !memchr(signs, c, sizeof signs - 1)))
            return wrong(s, i, i + 1, "not allowed in the regular expressions of patterns");
    }
    return SKEP_OK;
}

/* {,n} is {0,n}. */
static skep_str with_lower_bounds(struct skep_arena *a, skep_str re)
{
    char *out = skep_arena_alloc(a, 2 * re.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < re.n; i++) {
        out[n++] = re.p[i];
        if (re.p[i] == '\\' && i + 1 < re.n)
            out[n++] = re.p[++i];
        else if (re.p[i] == '{' && i + 1 < re.n && re.p[i + 1] == ',')
            out[n++] = '0';
    }
    return (skep_str){out, n};
}

/* %...%: the scan stands at the sign. */
static skep_rc regex(struct scan *s, const struct skep_regex **ret)
{
    struct skep_regex_issue why;
    size_t from = ++s->at;
    while (s->at < s->text.n && at(s, 0) != '%')
        s->at += at(s, 0) == '\\' && s->at + 1 < s->text.n ? 2 : 1;
    if (s->at == s->text.n)
        return wrong(s, from - 1, s->text.n, "a %% that is not closed");
    SKEP_TRY(check_regex(s, from, s->at));
    skep_str text = with_lower_bounds(s->arena, slice(s, from));
    if (text.n == 0)
        return wrong(s, from - 1, from + 1, "an empty regular expression");
    if (skep_regex_compile(text, false, s->arena, ret, &why) != SKEP_OK)
        return wrong(s, SKEP_MIN(from + why.at, s->at), s->at, "%s", why.text);
    struct skep_logs_pattern *p = s->p;
    if (!p->regexes) /* each has three characters at least */
        p->regexes = skep_new_n(s->arena, const struct skep_regex *, s->text.n / 3 + 1);
    p->regexes[p->n_regexes++] = *ret;
    s->at++;
    return SKEP_OK;
}

// --- terms -------------------------------------------------------------------------------------

static skep_rc term(struct scan *s, struct skep_logs__term *t)
{
    size_t from = s->at;
    t->exclude = at(s, 0) == '-';
    t->optional = at(s, 0) == '?';
    if (t->exclude || t->optional)
        s->at++;
    if (at(s, 0) == '%')
        return regex(s, &t->regex);
    if (at(s, 0) == '"')
        return quoted(s, &t->text);
    size_t word = s->at;
    while (s->at < s->text.n && !is_blank(at(s, 0)) && at(s, 0) != '"')
        s->at++;
    t->text = slice(s, word);
    if (t->text.n == 0)
        return wrong(s, from, s->at + 1, "a word is expected behind %c", s->text.p[from]);
    return SKEP_OK;
}

static skep_rc terms(struct scan *s)
{
    struct skep_logs_pattern *p = s->p;
    unsigned n_optional = 0;
    p->kind = SKEP_LOGS_TERMS;
    p->terms = skep_new_n(s->arena, struct skep_logs__term, s->text.n / 2 + 1);
    while (peek(s) != '\0' || s->at < s->text.n) {
        SKEP_TRY(term(s, &p->terms[p->n_terms]));
        n_optional += p->terms[p->n_terms++].optional;
    }
    p->only_optional = n_optional == p->n_terms;
    return SKEP_OK;
}

// --- selectors ---------------------------------------------------------------------------------

static skep_rc bracket(struct scan *s, struct skep_logs__step *step)
{
    size_t from = s->at++;
    if (peek(s) == '*') {
        s->at++;
        step->how = SKEP_LOGS__EVERY;
    } else if (at(s, 0) == '\'' || at(s, 0) == '"') {
        char quote = at(s, 0);
        size_t key = ++s->at;
        while (s->at < s->text.n && at(s, 0) != quote)
            s->at++;
        step->how = SKEP_LOGS__KEY;
        step->key = slice(s, key);
        s->at += s->at < s->text.n;
    } else {
        size_t digits = s->at;
        uint64_t index = 0;
        while (at(s, 0) >= '0' && at(s, 0) <= '9')
            s->at++;
        if (!skep_str_u64(slice(s, digits), &index))
            return wrong(s, digits, s->at + 1, "a number, * or a quoted name is expected here");
        step->how = SKEP_LOGS__INDEX;
        step->index = (size_t)index;
    }
    if (!take(s, SKEP_STR("]")))
        return wrong(s, from, s->at + 1, "a [ that is not closed");
    return SKEP_OK;
}

static skep_rc dotted(struct scan *s, struct skep_logs__step *step)
{
    s->at++;
    if (at(s, 0) == '[')
        return bracket(s, step);
    if (at(s, 0) == '*') {
        s->at++;
        step->how = SKEP_LOGS__EVERY;
        return SKEP_OK;
    }
    size_t from = s->at;
    while (is_name(at(s, 0)) || (unsigned char)at(s, 0) >= 0x80 || at(s, 0) == '@')
        s->at++;
    step->how = SKEP_LOGS__KEY;
    step->key = slice(s, from);
    if (step->key.n == 0)
        return wrong(s, from, from + 1, "a name is expected behind the dot");
    return SKEP_OK;
}

/* The scan stands at the $. */
static skep_rc selector(struct scan *s, struct skep_logs__selector *ret)
{
    unsigned every = 0;
    size_t from = s->at++;
    struct skep_logs__step steps[SKEP_LOGS__STEPS] = {{.index = 0}};
    while (at(s, 0) == '.' || at(s, 0) == '[') {
        if (ret->n == SKEP_LOGS__STEPS)
            return wrong(s, from, s->at, "a selector of more than %d steps", SKEP_LOGS__STEPS);
        struct skep_logs__step *step = &steps[ret->n];
        SKEP_TRY(at(s, 0) == '.' ? dotted(s, step) : bracket(s, step));
        every += step->how == SKEP_LOGS__EVERY;
        ret->n++;
    }
    ret->steps = skep_new_n(s->arena, struct skep_logs__step, ret->n + 1);
    memcpy(ret->steps, steps, ret->n * sizeof *steps);
    ret->text = slice(s, from);
    if (ret->n == 0)
        return wrong(s, from, s->at + 1, "a selector goes on: $.name or $[0]");
    if (every > 1)
        return wrong(s, from, s->at, "one wildcard a selector");
    s->n_wildcards += every;
    if (s->n_wildcards > SKEP_LIMIT_LOGS_WILDCARDS)
        return wrong(s, from, s->at, "more than %d selectors with a wildcard",
                     SKEP_LIMIT_LOGS_WILDCARDS);
    return SKEP_OK;
}

bool skep_logs__selector(skep_str text, struct skep_arena *a, struct skep_logs__selector *ret)
{
    struct skep_lang_issue issue;
    struct skep_logs_pattern none = {.kind = SKEP_LOGS_ALL};
    struct scan s = {.text = text, .arena = a, .issue = &issue, .p = &none};
    if (text.n == 0 || text.p[0] != '$')
        return false;
    *ret = (struct skep_logs__selector){.n = 0};
    return selector(&s, ret) == SKEP_OK && s.at == text.n;
}

// --- tests -------------------------------------------------------------------------------------

static skep_rc operator_of(struct scan *s, enum skep_logs__op *ret)
{
    static const struct {
        skep_str sign;
        enum skep_logs__op op;
    } ops[] = {{{"!=", 2}, SKEP_LOGS__NE}, {{"<=", 2}, SKEP_LOGS__LE}, {{">=", 2}, SKEP_LOGS__GE},
               {{"==", 2}, SKEP_LOGS__EQ}, {{"=", 1}, SKEP_LOGS__EQ},  {{"<", 1}, SKEP_LOGS__LT},
               {{">", 1}, SKEP_LOGS__GT}};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(ops); i++) {
        if (take(s, ops[i].sign)) {
            *ret = ops[i].op;
            return SKEP_OK;
        }
    }
    return wrong(s, s->at, s->at + 1, "an operator is expected here: = != < <= > >=%s",
                 s->json ? ", IS or NOT EXISTS" : "");
}

/* Texts between the stars. */
static void globs(struct scan *s, struct skep_logs__value *v)
{
    skep_str rest = v->text;
    v->glob = skep_str_chr(rest, '*') != SIZE_MAX;
    if (!v->glob)
        return;
    v->pieces = skep_new_n(s->arena, skep_str, rest.n + 2);
    while (rest.p)
        v->pieces[v->n_pieces++] = skep_str_cut(&rest, '*');
    skep_assert(v->n_pieces >= 2);
}

static bool ends_word(const struct scan *s)
{
    char c = at(s, 0);
    skep_str rest = skep_str_skip(s->text, s->at);
    return s->at == s->text.n || is_blank(c) || c == ')' || c == '(' || c == '"' ||
           (s->json ? c == '}' : c == ',' || c == ']') || skep_str_starts(rest, SKEP_STR("&&")) ||
           skep_str_starts(rest, SKEP_STR("||"));
}

static skep_rc word(struct scan *s, struct skep_logs__value *v)
{
    size_t from = s->at;
    while (!ends_word(s))
        s->at++;
    v->text = slice(s, from);
    if (v->text.n == 0)
        return wrong(s, from, from + 1, "a value is expected here");
    v->how = SKEP_LOGS__WORD;
    if (skep_str_eq(v->text, SKEP_STR("*")))
        v->how = SKEP_LOGS__ANY;
    else if (skep_str_f64(v->text, &v->number) && isfinite(v->number))
        v->how = SKEP_LOGS__NUMBER;
    else
        globs(s, v);
    return SKEP_OK;
}

static skep_rc value(struct scan *s, enum skep_logs__op op, struct skep_logs__value *v)
{
    char c = peek(s);
    size_t from = s->at;
    if (c == '"') {
        v->how = SKEP_LOGS__QUOTED;
        SKEP_TRY(quoted(s, &v->text));
        globs(s, v);
    } else if (c == '%') {
        if (++s->n_regexes > SKEP_LIMIT_LOGS_REGEXES)
            return wrong(s, from, from + 1, "more than %d regular expressions",
                         SKEP_LIMIT_LOGS_REGEXES);
        v->how = SKEP_LOGS__REGEX;
        SKEP_TRY(regex(s, &v->regex));
    } else {
        SKEP_TRY(word(s, v));
    }
    if (op != SKEP_LOGS__EQ && op != SKEP_LOGS__NE && v->how != SKEP_LOGS__NUMBER)
        return wrong(s, from, s->at, "< <= > >= compare with a number");
    return SKEP_OK;
}

static bool take_word(struct scan *s, skep_str w)
{
    (void)peek(s); /* steps over blanks */
    size_t n = 0;
    while (is_name(at(s, n)))
        n++;
    if (!skep_str_ieq((skep_str){s->text.p + s->at, n}, w))
        return false;
    s->at += n;
    return true;
}

static skep_rc is_what(struct scan *s, enum skep_logs__op *ret)
{
    size_t from = here(s);
    if (take_word(s, SKEP_STR("NULL")))
        *ret = SKEP_LOGS__IS_NULL;
    else if (take_word(s, SKEP_STR("TRUE")))
        *ret = SKEP_LOGS__IS_TRUE;
    else if (take_word(s, SKEP_STR("FALSE")))
        *ret = SKEP_LOGS__IS_FALSE;
    else if (take_word(s, SKEP_STR("NOT")))
        return wrong(s, from, s->at, "IS NOT is not supported: use != or NOT EXISTS");
    else
        return wrong(s, s->at, s->at + 1, "NULL, TRUE or FALSE is expected here");
    return SKEP_OK;
}

static void remember(struct scan *s, const struct skep_logs__selector *sel)
{
    for (unsigned i = 0; i < s->p->n_selectors; i++)
        if (skep_str_eq(s->p->selectors[i]->text, sel->text))
            return;
    s->p->selectors[s->p->n_selectors++] = sel;
}

static skep_rc json_test(struct scan *s, struct skep_logs__node *n)
{
    if (peek(s) != '$')
        return wrong(s, s->at, s->at + 1, "a selector like $.name is expected here");
    struct skep_logs__selector *sel = skep_new(s->arena, struct skep_logs__selector);
    SKEP_TRY(selector(s, sel));
    remember(s, sel);
    n->selector = sel;
    if (take_word(s, SKEP_STR("IS")))
        return is_what(s, &n->op);
    if (take_word(s, SKEP_STR("NOT"))) {
        n->op = SKEP_LOGS__NOT_EXISTS;
        if (take_word(s, SKEP_STR("EXISTS")))
            return SKEP_OK;
        return wrong(s, s->at, s->at + 1, "EXISTS is expected here");
    }
    if (take_word(s, SKEP_STR("EXISTS")))
        return wrong(s, s->at - 6, s->at, "EXISTS is not supported: use = *");
    SKEP_TRY(operator_of(s, &n->op));
    return value(s, n->op, &n->value);
}

static skep_rc field_test(struct scan *s, struct skep_logs__node *n)
{
    (void)peek(s); /* steps over blanks */
    size_t from = s->at;
    while (is_name(at(s, 0)))
        s->at++;
    skep_str name = slice(s, from);
    if (name.n == 0)
        return wrong(s, from, from + 1, "the name of a field is expected here");
    if (s->field.n > 0 && !skep_str_ieq(name, s->field))
        return wrong(s, from, s->at, "one entry tests one field: " SKEP_STRFMT,
                     SKEP_STRARG(s->field));
    s->field = name;
    SKEP_TRY(operator_of(s, &n->op));
    return value(s, n->op, &n->value);
}

static skep_rc any_of(struct scan *s, struct skep_logs__node **ret);

static skep_rc prim(struct scan *s, struct skep_logs__node **ret)
{
    size_t from = s->at;
    if (take(s, SKEP_STR("("))) {
        if (++s->depth > SKEP_LOGS__DEPTH)
            return wrong(s, from, s->at, "too many parentheses in each other");
        SKEP_TRY(any_of(s, ret));
        s->depth--;
        if (!take(s, SKEP_STR(")")))
            return wrong(s, s->at, s->at + 1, "a ) is expected here");
        return SKEP_OK;
    }
    *ret = skep_new(s->arena, struct skep_logs__node);
    (*ret)->how = SKEP_LOGS__TEST;
    return s->json ? json_test(s, *ret) : field_test(s, *ret);
}

/* kids joined by a sign; one alone is itself. */
static skep_rc joined(struct scan *s, bool all, struct skep_logs__node **ret)
{
    unsigned n = 0, cap = 2;
    struct skep_logs__node **kids = skep_new_n(s->arena, struct skep_logs__node *, cap);
    do {
        if (n == cap) {
            struct skep_logs__node **more = skep_new_n(s->arena, struct skep_logs__node *, 2 * cap);
            memcpy(more, kids, n * sizeof *kids);
            kids = more;
            cap *= 2;
        }
        SKEP_TRY(all ? prim(s, &kids[n]) : joined(s, true, &kids[n]));
        n++;
    } while (take(s, all ? SKEP_STR("&&") : SKEP_STR("||")));
    *ret = kids[0];
    if (n > 1) {
        *ret = skep_new(s->arena, struct skep_logs__node);
        **ret = (struct skep_logs__node){
            .how = all ? SKEP_LOGS__AND : SKEP_LOGS__OR, .kids = kids, .n = n};
    }
    return SKEP_OK;
}

static skep_rc any_of(struct scan *s, struct skep_logs__node **ret)
{
    return joined(s, false, ret);
}

// --- patterns ----------------------------------------------------------------------------------

static skep_rc json(struct scan *s)
{
    struct skep_logs__node *root = NULL;
    s->p->kind = SKEP_LOGS_JSON;
    s->json = true;
    s->at++;
    s->p->selectors = skep_new_n(s->arena, const struct skep_logs__selector *, s->text.n / 2 + 1);
    SKEP_TRY(any_of(s, &root));
    s->p->json = root;
    if (!take(s, SKEP_STR("}")))
        return wrong(s, s->at, s->at + 1, "&&, || or the closing } is expected here");
    return SKEP_OK;
}

/* name, or tests of one name. */
static skep_rc field(struct scan *s, struct skep_logs__field *f)
{
    struct skep_logs__node *test = NULL;
    if (take(s, SKEP_STR("..."))) {
        f->rest = true;
        return SKEP_OK;
    }
    size_t from = here(s);
    while (is_name(at(s, 0)))
        s->at++;
    f->name = slice(s, from);
    if (f->name.n > 0 && (peek(s) == ',' || at(s, 0) == ']'))
        return SKEP_OK;
    s->at = from;
    s->field = SKEP_STR_NULL;
    SKEP_TRY(any_of(s, &test));
    f->name = s->field;
    f->test = test;
    return SKEP_OK;
}

static skep_rc fields(struct scan *s)
{
    struct skep_logs_pattern *p = s->p;
    bool rest = false;
    p->kind = SKEP_LOGS_FIELDS;
    s->at++;
    p->fields = skep_new_n(s->arena, struct skep_logs__field, s->text.n / 2 + 1);
    do {
        size_t from = here(s);
        struct skep_logs__field *f = &p->fields[p->n_fields++];
        SKEP_TRY(field(s, f));
        if (rest && f->rest)
            return wrong(s, from, s->at, "... stands once at most");
        rest = rest || f->rest;
    } while (take(s, SKEP_STR(",")));
    if (!take(s, SKEP_STR("]")))
        return wrong(s, s->at, s->at + 1, "a comma or the closing ] is expected here");
    return SKEP_OK;
}

static size_t characters(skep_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static bool passes(const struct skep_matcher *m, skep_str s)
{
    const struct skep_logs_pattern *p = (const struct skep_logs_pattern *)(const void *)m;
    bool yes = skep_logs_pattern_matches(p, s);
    for (unsigned i = 0; i < p->n_regexes; i++)
        if (skep_regex_gave_up(p->regexes[i]) || skep_regex_tired(p->regexes[i]))
            skep_matcher_give_up(m);
    return yes;
}

skep_rc skep_logs_pattern_parse(skep_str text, struct skep_arena *a,
                                const struct skep_logs_pattern **ret, struct skep_lang_issue *issue)
{
    struct skep_logs_pattern *p = skep_new(a, struct skep_logs_pattern);
    struct scan s = {.text = skep_arena_str(a, text), .arena = a, .issue = issue, .p = p};
    *p = (struct skep_logs_pattern){.base = {.kind = SKEP_STR("logs-pattern"), .passes = passes},
                                    .text = s.text};
    if (characters(text) > SKEP_LIMIT_LOGS_PATTERN || text.n > 4 * SKEP_LIMIT_LOGS_PATTERN)
        return wrong(&s, 0, text.n, "a pattern of more than %d characters",
                     SKEP_LIMIT_LOGS_PATTERN);
    char c = peek(&s);
    *ret = p;
    if (s.at == s.text.n)
        return SKEP_OK;
    if (c != '{' && c != '[')
        return terms(&s);
    SKEP_TRY(c == '{' ? json(&s) : fields(&s));
    (void)peek(&s); /* steps over blanks */
    if (s.at < s.text.n)
        return wrong(&s, s.at, s.text.n, "nothing may stand behind the closing %c",
                     c == '{' ? '}' : ']');
    return SKEP_OK;
}

enum skep_logs_kind skep_logs_pattern_kind(const struct skep_logs_pattern *p)
{
    return p->kind;
}
