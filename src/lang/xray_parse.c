// SPDX-License-Identifier: Apache-2.0
/* X-Ray's filter expressions: recursive descent over the text (grammar: xray.h).
 *
 * I1  Recursion is bounded by SKEP_LIMIT_XRAY_DEPTH, the tree by SKEP_LIMIT_XRAY_TESTS, over all
 *     groups that are pulled in.
 * I2  A group that is met inside itself is an error, so that a tree is finite.
 * I3  What stands in the tree is meant for where it stands: `coverage` outside a root cause, a text
 *     compared by "<", a service() in braces are errors, not tests that are always false.
 *
 * Threads: none of its own.  Memory: the arena given. */
#include "lang/xray.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <yyjson.h>

#include "base/assert.h"
#include "lang/lang_priv.h"
#include "wire/json_out.h"

/* Where a keyword may stand. */
enum {
    TRACE = 1u << 0,
    SERVICE = 1u << 1,
    EDGE = 1u << 2,
    CAUSE_SERVICE = 1u << 3,
    CAUSE_ENTITY = 1u << 4,
    CAUSE_EXCEPTION = 1u << 5
};

enum type { BOOL, NUMBER, TEXT, ANY };

static const struct keyword {
    skep_str text;
    enum type type;
    unsigned where;
} keywords[SKEP_XRAY_KW_COUNT] = {
#define X(id, text, type, where) [SKEP_XRAY_KW_##id] = {SKEP_STR_INIT(text), type, (where)},
    SKEP_XRAY_KEYWORDS(X)
#undef X
};

struct scan {
    skep_str text;
    size_t at;
    struct skep_arena *arena;
    struct skep_lang_issue *issue;
    const struct skep_xray_groups *groups;
    unsigned where; /* one bit: what the keywords at hand are about */
    unsigned depth;
    unsigned *n_tests; /* of the whole tree */
    /* The groups being read, from the outside in. */
    const struct scan *outer;
    skep_str group;
};

skep_str skep_xray_keyword_text(enum skep_xray_keyword k)
{
    return keywords[k].text;
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

// --- letters -----------------------------------------------------------------------------------

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool ends_word(char c)
{
    return is_blank(c) || c == '"' || c == '(' || c == ')' || c == '{' || c == '}' || c == ',';
}

static void skip_blanks(struct scan *s)
{
    while (s->at < s->text.n && is_blank(s->text.p[s->at]))
        s->at++;
}

static char peek(struct scan *s)
{
    skip_blanks(s);
    return s->at < s->text.n ? s->text.p[s->at] : '\0';
}

static bool take(struct scan *s, char c)
{
    if (peek(s) != c || s->at == s->text.n)
        return false;
    s->at++;
    return true;
}

static skep_rc expect(struct scan *s, char c)
{
    if (take(s, c))
        return SKEP_OK;
    return wrong(s, s->at, "%c is expected here", c);
}

/* The name at hand, letters, digits and "_" with dots between; not taken. */
static skep_str name_ahead(struct scan *s)
{
    skip_blanks(s);
    size_t n = s->at;
    while (n < s->text.n &&
           (is_name(s->text.p[n]) ||
            (s->text.p[n] == '.' && n > s->at && n + 1 < s->text.n && is_name(s->text.p[n + 1]))))
        n++;
    return (skep_str){s->text.p + s->at, n - s->at};
}

static bool take_word(struct scan *s, skep_str word)
{
    skep_str ahead = name_ahead(s);
    if (!skep_str_ieq(ahead, word))
        return false;
    s->at += ahead.n;
    return true;
}

/* "text": the scan stands at the quote. */
static skep_rc string(struct scan *s, skep_str *ret)
{
    if (peek(s) != '"')
        return wrong(s, s->at, "a text in \" is expected here");
    size_t from = s->at++, n = 0;
    char *out = skep_arena_alloc(s->arena, s->text.n - from);
    while (s->at < s->text.n && s->text.p[s->at] != '"') {
        if (s->text.p[s->at] == '\\' && s->at + 1 < s->text.n)
            s->at++;
        out[n++] = s->text.p[s->at++];
    }
    if (s->at == s->text.n)
        return wrong(s, from, "a text that does not end: \" is missing");
    s->at++;
    *ret = (skep_str){out, n};
    return SKEP_OK;
}

static struct skep_xray_expr *new_expr(struct scan *s, enum skep_xray_op op)
{
    struct skep_xray_expr *e = skep_new(s->arena, struct skep_xray_expr);
    e->op = op;
    return e;
}

// --- tests -------------------------------------------------------------------------------------

static skep_rc expr(struct scan *s, struct skep_xray_expr **ret);

static bool compare_op(struct scan *s, enum skep_xray_cmp *ret)
{
    static const struct {
        skep_str text;
        enum skep_xray_cmp cmp;
    } signs[] = {{SKEP_STR_INIT("!="), SKEP_XRAY_NE}, {SKEP_STR_INIT(">="), SKEP_XRAY_GE},
                 {SKEP_STR_INIT("<="), SKEP_XRAY_LE}, {SKEP_STR_INIT("="), SKEP_XRAY_EQ},
                 {SKEP_STR_INIT(">"), SKEP_XRAY_GT},  {SKEP_STR_INIT("<"), SKEP_XRAY_LT}},
      words[] = {{SKEP_STR_INIT("CONTAINS"), SKEP_XRAY_CONTAINS},
                 {SKEP_STR_INIT("BEGINSWITH"), SKEP_XRAY_BEGINS},
                 {SKEP_STR_INIT("ENDSWITH"), SKEP_XRAY_ENDS}};
    skip_blanks(s);
    skep_str rest = skep_str_skip(s->text, s->at);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(signs); i++) {
        if (skep_str_starts(rest, signs[i].text)) {
            s->at += signs[i].text.n;
            *ret = signs[i].cmp;
            return true;
        }
    }
    for (size_t i = 0; i < SKEP_ARRAY_LEN(words); i++) {
        if (take_word(s, words[i].text)) {
            *ret = words[i].cmp;
            return true;
        }
    }
    return false;
}

/* A text, a number, true, false; another word is a text. */
static skep_rc value(struct scan *s, skep_value *ret)
{
    double f;
    if (peek(s) == '"') {
        *ret = (skep_value){.type = SKEP_TYPE_STRING};
        return string(s, &ret->s);
    }
    size_t from = s->at;
    while (s->at < s->text.n && !ends_word(s->text.p[s->at]))
        s->at++;
    skep_str word = {s->text.p + from, s->at - from};
    if (word.n == 0)
        return wrong(s, from, "a value is expected here: \"text\", a number, true or false");
    if (skep_str_ieq(word, SKEP_STR("true")) || skep_str_ieq(word, SKEP_STR("false")))
        *ret = (skep_value){.type = SKEP_TYPE_BOOL, .b = word.n == 4};
    else if (skep_str_f64(word, &f) && isfinite(f))
        *ret = (skep_value){.type = SKEP_TYPE_DOUBLE, .f = f};
    else
        *ret = (skep_value){.type = SKEP_TYPE_STRING, .s = skep_arena_str(s->arena, word)};
    return SKEP_OK;
}

/* A number written as a text, a text written as a number. */
static skep_rc as_type(struct scan *s, size_t at, enum type type, skep_value *v)
{
    double f;
    if (type == BOOL && v->type != SKEP_TYPE_BOOL)
        return wrong(s, at, "true or false is expected here");
    if (type == NUMBER && v->type == SKEP_TYPE_STRING && skep_str_f64(v->s, &f) && isfinite(f))
        *v = (skep_value){.type = SKEP_TYPE_DOUBLE, .f = f};
    if (type == NUMBER && v->type != SKEP_TYPE_DOUBLE)
        return wrong(s, at, "a number is expected here");
    if (type == TEXT && v->type != SKEP_TYPE_STRING) {
        size_t end = s->at; /* an unquoted 200 or true: as it stands */
        *v = (skep_value){.type = SKEP_TYPE_STRING,
                          .s = skep_arena_str(s->arena, (skep_str){s->text.p + at, end - at})};
    }
    return SKEP_OK;
}

/* What an annotation's value may be stored as: every type it converts to without loss. */
static void fill_forms(struct scan *s, struct skep_xray_expr *e)
{
    double f;
    skep_value v = e->value;
    e->forms[e->n_forms++] = v;
    if (v.type == SKEP_TYPE_DOUBLE) {
        char *text = skep_arena_alloc(s->arena, SKEP_JSON_NUMBER_BYTES);
        size_t n = skep_json_f64_text(v.f, text);
        if (n > 2 && memcmp(text + n - 2, ".0", 2) == 0)
            n -= 2;
        e->forms[e->n_forms++] = (skep_value){.type = SKEP_TYPE_STRING, .s = {text, n}};
    } else if (v.type == SKEP_TYPE_BOOL) {
        e->forms[e->n_forms++] =
            (skep_value){.type = SKEP_TYPE_STRING, .s = v.b ? SKEP_STR("true") : SKEP_STR("false")};
    } else if (skep_str_eq(v.s, SKEP_STR("true")) || skep_str_eq(v.s, SKEP_STR("false"))) {
        e->forms[e->n_forms++] = (skep_value){.type = SKEP_TYPE_BOOL, .b = v.s.n == 4};
    } else if (skep_str_f64(v.s, &f) && isfinite(f)) {
        char text[SKEP_JSON_NUMBER_BYTES];
        size_t n = skep_json_f64_text(f, text);
        bool whole = n > 2 && memcmp(text + n - 2, ".0", 2) == 0;
        if (skep_str_eq((skep_str){text, whole ? n - 2 : n}, v.s)) /* not of "007" */
            e->forms[e->n_forms++] = (skep_value){.type = SKEP_TYPE_DOUBLE, .f = f};
    }
}

static skep_rc check_op(const struct scan *s, size_t at, enum type type, enum skep_xray_cmp cmp,
                        skep_str word)
{
    bool order = cmp >= SKEP_XRAY_LT && cmp <= SKEP_XRAY_GE, part = cmp >= SKEP_XRAY_CONTAINS;
    if (type == BOOL && (order || part))
        return wrong(s, at, SKEP_STRFMT " is true or false: use = or !=", SKEP_STRARG(word));
    if (type == NUMBER && part)
        return wrong(s, at, SKEP_STRFMT " is a number: use = != < <= > >=", SKEP_STRARG(word));
    if (type == TEXT && order)
        return wrong(s, at, SKEP_STRFMT " is a text: use = != CONTAINS BEGINSWITH ENDSWITH",
                     SKEP_STRARG(word));
    return SKEP_OK;
}

static bool in_stack(const struct scan *s, skep_str name)
{
    for (; s; s = s->outer)
        if (s->group.n && skep_str_eq(s->group, name))
            return true;
    return false;
}

/* group.name = "G": the group's expression takes the test's place. */
static skep_rc group(struct scan *s, size_t at, struct skep_xray_expr *e)
{
    skep_str text;
    unsigned depth = 0;
    bool arn = e->keyword == SKEP_XRAY_KW_GROUP_ARN;
    if (e->cmp != SKEP_XRAY_EQ && e->cmp != SKEP_XRAY_NE)
        return wrong(s, at, "a group is given with = or !=");
    skep_str name = e->value.s;
    if (!s->groups || !s->groups->find(s->groups->ctx, name, arn, s->arena, &text))
        return wrong(s, at, "there is no group \"%.*s\"", (int)SKEP_MIN(name.n, (size_t)100),
                     name.p ? name.p : "");
    for (const struct scan *o = s; o; o = o->outer)
        depth++;
    if (in_stack(s, name) || depth > SKEP_LIMIT_XRAY_GROUPS)
        return wrong(s, at, "group \"%.*s\" leads back to itself",
                     (int)SKEP_MIN(name.n, (size_t)100), name.p ? name.p : "");
    struct scan inner = {.text = text,
                         .arena = s->arena,
                         .issue = s->issue,
                         .groups = s->groups,
                         .where = TRACE,
                         .depth = s->depth,
                         .n_tests = s->n_tests,
                         .outer = s,
                         .group = name};
    e->op = SKEP_XRAY_GROUP;
    if (skep_str_trim(text).n == 0) {
        e->kids[0] = new_expr(s, SKEP_XRAY_ALL);
        return SKEP_OK;
    }
    skep_rc rc = expr(&inner, &e->kids[0]);
    if (rc == SKEP_OK && (peek(&inner) != '\0' || inner.at < text.n))
        rc = wrong(&inner, inner.at, "AND, OR or the end is expected here");
    if (rc != SKEP_OK) { /* the place is in another text */
        char why[128];
        (void)snprintf(why, sizeof why, "%.127s", s->issue->text);
        return wrong(s, at, "the expression of group \"%.*s\" at byte %zu: %s",
                     (int)SKEP_MIN(name.n, (size_t)40), name.p ? name.p : "", s->issue->at, why);
    }
    return SKEP_OK;
}

/* annotation.key or annotation[key]: the scan stands behind "annotation". */
static skep_rc annotation_key(struct scan *s, skep_str *ret)
{
    if (s->at < s->text.n && s->text.p[s->at] == '[') {
        skep_str rest = skep_str_skip(s->text, s->at + 1);
        size_t n = skep_str_chr(rest, ']');
        if (n == SIZE_MAX)
            return wrong(s, s->at, "a key that does not end: ] is missing");
        *ret = skep_arena_str(s->arena, skep_str_trim((skep_str){rest.p, n}));
        s->at += n + 2;
    } else if (s->at < s->text.n && s->text.p[s->at] == '.') {
        s->at++;
        skep_str name = name_ahead(s);
        *ret = skep_arena_str(s->arena, name);
        s->at += name.n;
    } else {
        return wrong(s, s->at, ".key or [key] is expected here");
    }
    return ret->n ? SKEP_OK : wrong(s, s->at, "a key is expected here");
}

static skep_rc find_keyword(struct scan *s, struct skep_xray_expr *e)
{
    size_t at = s->at;
    skep_str word = name_ahead(s);
    at = s->at;
    skep_str rest = word;
    if (skep_str_ieq(skep_str_cut(&rest, '.'), SKEP_STR("annotation"))) {
        e->keyword = SKEP_XRAY_KW_ANNOTATION;
        s->at += SKEP_STR("annotation").n;
        SKEP_TRY(annotation_key(s, &e->key));
    } else {
        unsigned k = 0;
        while (k < SKEP_XRAY_KW_COUNT && !skep_str_ieq(word, keywords[k].text))
            k++;
        if (word.n == 0)
            return wrong(s, at, "a keyword, service(), edge(), rootcause, ! or ( is expected here");
        if (k == SKEP_XRAY_KW_COUNT)
            return wrong(s, at, "\"%.*s\" is no keyword", (int)SKEP_MIN(word.n, (size_t)60),
                         word.p);
        e->keyword = (enum skep_xray_keyword)k;
        s->at += word.n;
    }
    if (!(keywords[e->keyword].where & s->where))
        return wrong(s, at, "\"" SKEP_STRFMT "\" does not belong here: %s",
                     SKEP_STRARG(keywords[e->keyword].text),
                     s->where == TRACE
                         ? (e->keyword == SKEP_XRAY_KW_ROOT ? "it is for service() { }"
                                                            : "it is for rootcause... { }")
                         : "it does not say anything of what the braces are about");
    return SKEP_OK;
}

static skep_rc test(struct scan *s, struct skep_xray_expr **ret)
{
    struct skep_xray_expr *e = new_expr(s, SKEP_XRAY_TEST);
    (void)peek(s);
    size_t at = s->at;
    if (++*s->n_tests > SKEP_LIMIT_XRAY_TESTS)
        return wrong(s, at, "more than %d tests", SKEP_LIMIT_XRAY_TESTS);
    SKEP_TRY(find_keyword(s, e));
    enum type type = keywords[e->keyword].type;
    (void)peek(s);
    size_t op_at = s->at;
    if (compare_op(s, &e->cmp)) {
        SKEP_TRY(check_op(s, op_at, type, e->cmp, keywords[e->keyword].text));
        (void)peek(s);
        size_t value_at = s->at;
        SKEP_TRY(value(s, &e->value));
        if (e->keyword == SKEP_XRAY_KW_ANNOTATION) {
            bool order = e->cmp >= SKEP_XRAY_LT && e->cmp <= SKEP_XRAY_GE;
            type = order ? NUMBER : e->cmp >= SKEP_XRAY_CONTAINS ? TEXT : ANY;
        }
        SKEP_TRY(as_type(s, value_at, type, &e->value));
        if (type == ANY)
            fill_forms(s, e);
    }
    *ret = e;
    if (e->keyword == SKEP_XRAY_KW_GROUP_NAME || e->keyword == SKEP_XRAY_KW_GROUP_ARN)
        return group(s, at, e);
    return SKEP_OK;
}

// --- functions ---------------------------------------------------------------------------------

static skep_rc id_part(struct scan *s, struct skep_xray_ref *ref)
{
    size_t at = s->at;
    skep_str name = name_ahead(s);
    s->at += name.n;
    bool *has;
    skep_str *text;
    if (skep_str_ieq(name, SKEP_STR("name"))) {
        has = &ref->has_name;
        text = &ref->name;
    } else if (skep_str_ieq(name, SKEP_STR("type"))) {
        has = &ref->has_type;
        text = &ref->type;
    } else if (skep_str_ieq(name, SKEP_STR("account.id"))) {
        has = &ref->has_account;
        text = &ref->account;
    } else {
        return wrong(s, at, "name:, type: or account.id: is expected here");
    }
    if (*has)
        return wrong(s, at, "\"" SKEP_STRFMT "\" is said twice", SKEP_STRARG(name));
    *has = true;
    SKEP_TRY(expect(s, ':'));
    return string(s, text);
}

/* "name", id(...), or nothing before `end`. */
static skep_rc reference(struct scan *s, char end, struct skep_xray_ref *ref)
{
    if (peek(s) == end)
        return SKEP_OK;
    if (peek(s) == '"') {
        ref->has_name = true;
        return string(s, &ref->name);
    }
    if (!take_word(s, SKEP_STR("id")))
        return wrong(s, s->at, "a name in \", id(...) or %c is expected here", end);
    SKEP_TRY(expect(s, '('));
    do
        SKEP_TRY(id_part(s, ref));
    while (take(s, ','));
    return expect(s, ')');
}

/* { expr }, which may be left out. */
static skep_rc braces(struct scan *s, unsigned where, struct skep_xray_expr **ret)
{
    if (peek(s) != '{')
        return SKEP_OK;
    s->at++;
    unsigned outer = s->where;
    s->where = where;
    SKEP_TRY(expr(s, ret));
    s->where = outer;
    return expect(s, '}');
}

static skep_rc service(struct scan *s, struct skep_xray_expr *e)
{
    SKEP_TRY(expect(s, '('));
    SKEP_TRY(reference(s, e->op == SKEP_XRAY_EDGE ? ',' : ')', &e->refs[0]));
    if (e->op == SKEP_XRAY_EDGE) {
        SKEP_TRY(expect(s, ','));
        SKEP_TRY(reference(s, ')', &e->refs[1]));
    }
    SKEP_TRY(expect(s, ')'));
    return braces(s, e->op == SKEP_XRAY_EDGE ? EDGE : SERVICE, &e->kids[0]);
}

/* = #[...]: JSON as long as it goes. */
static skep_rc cause_json(struct scan *s, struct skep_xray_expr *e)
{
    yyjson_read_err err;
    SKEP_TRY(expect(s, '='));
    SKEP_TRY(expect(s, '#'));
    (void)peek(s);
    size_t n = s->text.n - s->at;
    char *copy = skep_cstr(s->arena, skep_str_skip(s->text, s->at));
    yyjson_doc *doc = yyjson_read_opts(copy, n, YYJSON_READ_STOP_WHEN_DONE, NULL, &err);
    if (!doc)
        return wrong(s, s->at + SKEP_MIN(err.pos, n), "JSON is expected here: %s", err.msg);
    yyjson_val *root = yyjson_doc_get_root(doc);
    bool list = yyjson_is_arr(root) || yyjson_is_obj(root);
    e->json =
        skep_arena_str(s->arena, skep_str_trim((skep_str){copy, yyjson_doc_get_read_size(doc)}));
    size_t at = s->at;
    s->at += yyjson_doc_get_read_size(doc);
    yyjson_doc_free(doc);
    return list ? SKEP_OK : wrong(s, at, "a list of root causes is expected here");
}

/* rootcause.X.Y: the scan stands at it; the name is whole. */
static skep_rc cause(struct scan *s, skep_str word, struct skep_xray_expr *e)
{
    static const skep_str causes[] = {SKEP_STR_INIT("fault"), SKEP_STR_INIT("error"),
                                      SKEP_STR_INIT("responsetime")},
                          levels[] = {SKEP_STR_INIT("service"), SKEP_STR_INIT("entity"),
                                      SKEP_STR_INIT("exception")};
    static const unsigned where[] = {CAUSE_SERVICE, CAUSE_ENTITY, CAUSE_EXCEPTION};
    size_t at = s->at;
    unsigned c = 0, l = 0;
    skep_str rest = word;
    (void)skep_str_cut(&rest, '.');
    skep_str part = skep_str_cut(&rest, '.');
    while (c < SKEP_ARRAY_LEN(causes) && !skep_str_ieq(part, causes[c]))
        c++;
    e->cause = (enum skep_xray_cause)c;
    if (c < SKEP_XRAY_CAUSE_ANY)
        part = rest;
    s->at += word.n;
    if (skep_str_ieq(part, SKEP_STR("json")) && (c < SKEP_XRAY_CAUSE_ANY || rest.n == 0)) {
        e->op = SKEP_XRAY_CAUSE_JSON;
        return cause_json(s, e);
    }
    while (l < SKEP_ARRAY_LEN(levels) && !skep_str_ieq(part, levels[l]))
        l++;
    bool times = e->cause == SKEP_XRAY_CAUSE_TIME && l == SKEP_XRAY_LEVEL_EXCEPTION;
    if (c == SKEP_XRAY_CAUSE_ANY || l == SKEP_ARRAY_LEN(levels) || times)
        return wrong(s, at,
                     "rootcause.fault, .error or .responsetime, then .service, .entity, .exception "
                     "(of faults and errors) or .json is expected here");
    e->op = SKEP_XRAY_CAUSE;
    e->level = (enum skep_xray_level)l;
    return braces(s, where[l], &e->kids[0]);
}

// --- structure ---------------------------------------------------------------------------------

static skep_rc primary(struct scan *s, struct skep_xray_expr **ret)
{
    if (take(s, '(')) {
        SKEP_TRY(expr(s, ret));
        return expect(s, ')');
    }
    skep_str word = name_ahead(s), rest = word;
    bool cause_like = skep_str_ieq(skep_str_cut(&rest, '.'), SKEP_STR("rootcause"));
    bool edge = skep_str_ieq(word, SKEP_STR("edge"));
    if (!cause_like && !edge && !skep_str_ieq(word, SKEP_STR("service")))
        return test(s, ret);
    if (s->where != TRACE)
        return wrong(s, s->at, "service(), edge() and rootcause are not for braces");
    if (++*s->n_tests > SKEP_LIMIT_XRAY_TESTS)
        return wrong(s, s->at, "more than %d tests", SKEP_LIMIT_XRAY_TESTS);
    struct skep_xray_expr *e = new_expr(s, edge ? SKEP_XRAY_EDGE : SKEP_XRAY_SERVICE);
    *ret = e;
    if (cause_like)
        return cause(s, word, e);
    s->at += word.n;
    return service(s, e);
}

static skep_rc negation(struct scan *s, struct skep_xray_expr **ret)
{
    unsigned n = 0;
    while (peek(s) == '!') {
        s->at++;
        n++;
    }
    SKEP_TRY(primary(s, ret));
    if (n % 2) {
        struct skep_xray_expr *e = new_expr(s, SKEP_XRAY_NOT);
        e->kids[0] = *ret;
        *ret = e;
    }
    return SKEP_OK;
}

static struct skep_xray_expr *joined(struct scan *s, enum skep_xray_op op, struct skep_xray_expr *a,
                                     struct skep_xray_expr *b)
{
    struct skep_xray_expr *e = new_expr(s, op);
    e->kids[0] = a;
    e->kids[1] = b;
    return e;
}

/* Does what follows begin another operand, so that AND is meant? */
static bool operand_ahead(struct scan *s)
{
    char c = peek(s);
    if (c == '(' || c == '!')
        return true;
    return is_name(c) && !skep_str_ieq(name_ahead(s), SKEP_STR("OR"));
}

static skep_rc conjunction(struct scan *s, struct skep_xray_expr **ret)
{
    struct skep_xray_expr *b = NULL;
    SKEP_TRY(negation(s, ret));
    while (take_word(s, SKEP_STR("AND")) || operand_ahead(s)) {
        SKEP_TRY(negation(s, &b));
        *ret = joined(s, SKEP_XRAY_AND, *ret, b);
    }
    return SKEP_OK;
}

static skep_rc expr(struct scan *s, struct skep_xray_expr **ret)
{
    struct skep_xray_expr *b = NULL;
    if (++s->depth > SKEP_LIMIT_XRAY_DEPTH)
        return wrong(s, s->at, "more than %d levels of parentheses and braces",
                     SKEP_LIMIT_XRAY_DEPTH);
    SKEP_TRY(conjunction(s, ret));
    while (take_word(s, SKEP_STR("OR"))) {
        SKEP_TRY(conjunction(s, &b));
        *ret = joined(s, SKEP_XRAY_OR, *ret, b);
    }
    s->depth--;
    return SKEP_OK;
}

skep_rc skep_xray_parse(skep_str text, const struct skep_xray_groups *groups,
                        struct skep_arena *arena, const struct skep_xray_expr **ret,
                        struct skep_lang_issue *issue)
{
    unsigned n_tests = 0;
    struct skep_xray_expr *e = NULL;
    struct scan s = {.text = text,
                     .arena = arena,
                     .issue = issue,
                     .groups = groups,
                     .where = TRACE,
                     .n_tests = &n_tests};
    if (text.n > SKEP_LIMIT_XRAY_TEXT)
        return wrong(&s, SKEP_LIMIT_XRAY_TEXT, "an expression has at most %d bytes",
                     SKEP_LIMIT_XRAY_TEXT);
    if (peek(&s) == '\0' && s.at == text.n) {
        *ret = new_expr(&s, SKEP_XRAY_ALL);
        return SKEP_OK;
    }
    SKEP_TRY(expr(&s, &e));
    if (peek(&s) != '\0' || s.at < text.n)
        return wrong(&s, s.at, "AND, OR or the end is expected here");
    *ret = e;
    return SKEP_OK;
}
