// SPDX-License-Identifier: Apache-2.0
/* Filters -> expression.
 *
 *   {"column":"http.route","op":"starts-with","value":"/api"}   one test
 *   filter_combination AND | OR                                 how the tests of a list combine
 *   and_filters: [...]                                          hold, too (the page's alone)
 *
 * The operators are a table; matches and does-not-match are the page's own.  Order comparisons take
 * one value in the plan: numbers against numbers, strings against strings, so "200" (a string that
 * also reads as a number) becomes the OR of both.  Negative operators hold for absent fields; the
 * plan's do, too. Threads: none of its own.  Memory: the request's arena. */
#include "base/assert.h"
#include "lang/lang_priv.h"
#include "plan/match.h"

/* What an operator takes as its value. */
enum takes { TAKES_NOTHING, TAKES_ANY, TAKES_ORDERED, TAKES_TEXT, TAKES_REGEX, TAKES_LIST };

struct op {
    skep_str name;
    enum skep_cmp cmp;
    enum takes takes;
};

#define OP(text, cmp, takes)                                                                       \
    {                                                                                              \
        {text, sizeof(text) - 1}, SKEP_CMP_##cmp, TAKES_##takes                                    \
    }
static const struct op ops[] = {
    OP("=", EQ, ANY),
    OP("!=", NE, ANY),
    OP(">", GT, ORDERED),
    OP(">=", GE, ORDERED),
    OP("<", LT, ORDERED),
    OP("<=", LE, ORDERED),
    OP("starts-with", STARTS, TEXT),
    OP("does-not-start-with", NOT_STARTS, TEXT),
    OP("ends-with", ENDS, TEXT),
    OP("does-not-end-with", NOT_ENDS, TEXT),
    OP("exists", EXISTS, NOTHING),
    OP("does-not-exist", NOT_EXISTS, NOTHING),
    OP("contains", CONTAINS, TEXT),
    OP("does-not-contain", NOT_CONTAINS, TEXT),
    OP("matches", MATCHES, REGEX),
    OP("does-not-match", NOT_MATCHES, REGEX),
    OP("in", EQ, LIST),
    OP("not-in", NE, LIST),
};
#undef OP

static const struct op *find_op(skep_str name)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(ops); i++)
        if (skep_str_eq(ops[i].name, name))
            return &ops[i];
    return NULL;
}

/* The field of a test: only root and parent are the test's own business. */
static struct skep_expr *test_expr(struct skep_lang__q *q, const struct skep_field_ref *column,
                                   enum skep_cmp cmp, const skep_value *values, unsigned n)
{
    struct skep_expr *e = skep_new(q->arena, struct skep_expr);
    skep_value *copy = n ? skep_new_n(q->arena, skep_value, n) : NULL;
    if (n)
        memcpy(copy, values, n * sizeof *values);
    e->op = SKEP_EXPR_TEST;
    e->test = (struct skep_test){
        .field = *column,
        .op = cmp,
        .values = copy,
        .n_values = n,
        .fold_case = skep_str_eq(column->name, SKEP_STR("*")), /* a search box */
    };
    return e;
}

static struct skep_expr *both(struct skep_lang__q *q, struct skep_expr *a, struct skep_expr *b)
{
    struct skep_expr *e = skep_new(q->arena, struct skep_expr);
    struct skep_expr **kids = skep_new_n(q->arena, struct skep_expr *, 2);
    kids[0] = a;
    kids[1] = b;
    *e = (struct skep_expr){.op = SKEP_EXPR_OR, .kids = kids, .n_kids = 2};
    return e;
}

static skep_rc ordered(struct skep_lang__q *q, const struct skep_field_ref *column,
                       const struct op *op, yyjson_val *value, struct skep_expr **ret)
{
    skep_value forms[SKEP_LANG__FORMS];
    unsigned n = 0;
    SKEP_TRY(skep_lang__literal(q, value, forms, &n));
    skep_assert(n >= 1);
    if (forms[0].type == SKEP_TYPE_BOOL || forms[0].type == SKEP_TYPE_BYTES)
        return skep_lang__refuse(q, SKEP_LANG_INCORRECT_TYPE,
                                 SKEP_STRFMT " takes a number or a string", SKEP_STRARG(op->name));
    *ret = test_expr(q, column, op->cmp, forms, 1);
    bool also_number = forms[0].type == SKEP_TYPE_STRING && n > 1 &&
                       (forms[1].type == SKEP_TYPE_INT || forms[1].type == SKEP_TYPE_DOUBLE);
    if (also_number)
        *ret = both(q, *ret, test_expr(q, column, op->cmp, forms + 1, 1));
    return SKEP_OK;
}

static skep_rc list(struct skep_lang__q *q, const struct skep_field_ref *column,
                    const struct op *op, yyjson_val *value, struct skep_expr **ret)
{
    size_t n_items = yyjson_arr_size(value), i, max;
    yyjson_val *item;
    unsigned n = 0;
    if (!yyjson_is_arr(value))
        return skep_lang__refuse(q, SKEP_LANG_INCORRECT_TYPE, SKEP_STRFMT " takes an array",
                                 SKEP_STRARG(op->name));
    if (n_items == 0 || n_items > SKEP_LIMIT_LANG_VALUES)
        return skep_lang__refuse(q, SKEP_LANG_INVALID, "give 1 to %d values",
                                 SKEP_LIMIT_LANG_VALUES);
    skep_value *values = skep_new_n(q->arena, skep_value, n_items * SKEP_LANG__FORMS);
    yyjson_arr_foreach(value, i, max, item)
    {
        unsigned forms = 0;
        size_t mark = skep_lang__enter_index(q, i);
        SKEP_TRY(skep_lang__literal(q, item, values + n, &forms));
        skep_lang__leave(q, mark);
        n += forms;
    }
    *ret = test_expr(q, column, op->cmp, values, n);
    return SKEP_OK;
}

/* The literal an expression holds stands before it as a test of its own (plan/match.h). */
static skep_rc regex(struct skep_lang__q *q, const struct skep_field_ref *column,
                     const struct op *op, yyjson_val *value, struct skep_expr **ret)
{
    skep_str text;
    const struct skep_regex *re = NULL;
    struct skep_regex_issue issue = {0};
    SKEP_TRY(skep_lang__literal_text(q, value, &text));
    if (skep_regex_compile(text, false, q->arena, &re, &issue) != SKEP_OK)
        return skep_lang__refuse(q, SKEP_LANG_INVALID, "at byte %zu: %s", issue.at, issue.text);
    bool own = column->relation == SKEP_REL_SELF && op->cmp == SKEP_CMP_MATCHES;
    if (own) {
        *ret = skep_expr_regex(column->name, re, false, q->arena);
        return SKEP_OK;
    }
    *ret = test_expr(q, column, op->cmp, NULL, 0);
    skep_test_regex(&(*ret)->test, op->cmp, re, false, q->arena);
    return SKEP_OK;
}

static skep_rc with_value(struct skep_lang__q *q, const struct skep_field_ref *column,
                          const struct op *op, yyjson_val *value, struct skep_expr **ret)
{
    skep_value forms[SKEP_LANG__FORMS];
    unsigned n = 0;
    switch (op->takes) {
    case TAKES_ORDERED: return ordered(q, column, op, value, ret);
    case TAKES_LIST: return list(q, column, op, value, ret);
    case TAKES_REGEX: return regex(q, column, op, value, ret);
    case TAKES_TEXT:
        forms[0].type = SKEP_TYPE_STRING;
        SKEP_TRY(skep_lang__literal_text(q, value, &forms[0].s));
        n = 1;
        break;
    case TAKES_ANY: SKEP_TRY(skep_lang__literal(q, value, forms, &n)); break;
    case TAKES_NOTHING: skep_unreachable("an operator without a value");
    }
    *ret = test_expr(q, column, op->cmp, forms, n);
    return SKEP_OK;
}

/* exists and does-not-exist: clients send null, "" or nothing. */
static bool is_nothing(yyjson_val *value)
{
    return !value || yyjson_equals_str(value, "");
}

static skep_rc read_column(struct skep_lang__q *q, skep_str text, const struct op *op,
                           struct skep_field_ref *ret, enum skep_lang__prefix *ret_prefix)
{
    size_t mark = skep_lang__enter(q, "column");
    SKEP_TRY(skep_lang__column(q, text, ret, ret_prefix));
    if (skep_str_eq(ret->name, SKEP_STR("*")) && op->cmp != SKEP_CMP_CONTAINS)
        return skep_lang__refuse(q, SKEP_LANG_INVALID,
                                 "\"*\" (any field) works with contains alone");
    if (*ret_prefix > SKEP_LANG__PARENT) /* said around the test */
        ret->relation = SKEP_REL_SELF;
    skep_lang__leave(q, mark);
    return SKEP_OK;
}

skep_rc skep_lang__filter(struct skep_lang__q *q, skep_str column, skep_str name, yyjson_val *value,
                          struct skep_expr **ret, enum skep_lang__prefix *ret_prefix)
{
    struct skep_field_ref field;
    size_t mark = skep_lang__enter(q, "op");
    const struct op *op = find_op(name);
    if (op && op->takes == TAKES_REGEX && q->opts && !q->opts->page)
        op = NULL; /* Honeycomb's specification has none */
    if (name.n == 0)
        return skep_lang__refuse(q, SKEP_LANG_MISSING, "a filter needs an operator");
    if (!op)
        return skep_lang__refuse(q, SKEP_LANG_INVALID,
                                 "unknown operator \"" SKEP_STRFMT
                                 "\": use = != > >= < <= starts-with ends-with contains exists in, "
                                 "or does-not-... and not-in",
                                 (int)SKEP_MIN(name.n, 40u), name.p);
    skep_lang__leave(q, mark);
    SKEP_TRY(read_column(q, column, op, &field, ret_prefix));
    if (++q->n_tests > SKEP_LIMIT_PLAN_TESTS)
        return skep_lang__refuse(q, SKEP_LANG_INVALID, "more than %d filters",
                                 SKEP_LIMIT_PLAN_TESTS);
    mark = skep_lang__enter(q, "value");
    if (op->takes == TAKES_NOTHING) {
        if (!is_nothing(value))
            return skep_lang__refuse(q, SKEP_LANG_INVALID, SKEP_STRFMT " takes no value",
                                     SKEP_STRARG(op->name));
        *ret = test_expr(q, &field, op->cmp, NULL, 0);
    } else if (!value) {
        return skep_lang__refuse(q, SKEP_LANG_MISSING,
                                 SKEP_STRFMT " needs a value (for absent fields use exists or "
                                             "does-not-exist)",
                                 SKEP_STRARG(op->name));
    } else {
        SKEP_TRY(with_value(q, &field, op, value, ret));
    }
    skep_lang__leave(q, mark);
    return SKEP_OK;
}

static skep_rc filter_object(struct skep_lang__q *q, yyjson_val *v, struct skep_expr **ret,
                             enum skep_lang__prefix *ret_prefix)
{
    static const char *const keys[] = {"column", "op", "value"};
    skep_str column, op;
    if (!yyjson_is_obj(v))
        return skep_lang__refuse(q, SKEP_LANG_INCORRECT_TYPE,
                                 "a filter is an object {column, op, value}");
    SKEP_TRY(skep_lang__known(q, v, keys, SKEP_ARRAY_LEN(keys)));
    SKEP_TRY(skep_lang__str(q, v, "column", &column));
    SKEP_TRY(skep_lang__str(q, v, "op", &op));
    return skep_lang__filter(q, column, op, skep_lang__get(v, "value"), ret, ret_prefix);
}

static skep_rc combination(struct skep_lang__q *q, yyjson_val *obj, enum skep_expr_op *ret)
{
    skep_str text;
    SKEP_TRY(skep_lang__str(q, obj, "filter_combination", &text));
    *ret = SKEP_EXPR_AND;
    if (text.n == 0 || skep_str_eq(text, SKEP_STR("AND")))
        return SKEP_OK;
    *ret = SKEP_EXPR_OR;
    if (skep_str_eq(text, SKEP_STR("OR")))
        return SKEP_OK;
    (void)skep_lang__enter(q, "filter_combination");
    return skep_lang__refuse(q, SKEP_LANG_INVALID, "use AND or OR");
}

/* Tests that combine, and of which span each is. */
struct tests {
    struct skep_expr *kids[2 * SKEP_LIMIT_LANG_FILTERS];
    enum skep_lang__prefix prefixes[2 * SKEP_LIMIT_LANG_FILTERS];
    unsigned n;
};

static skep_rc add_list(struct skep_lang__q *q, yyjson_val *obj, const char *key, struct tests *t)
{
    yyjson_val *arr, *item;
    size_t i, max;
    SKEP_TRY(skep_lang__list(q, obj, key, SKEP_LIMIT_LANG_FILTERS, &arr));
    size_t mark = skep_lang__enter(q, key);
    yyjson_arr_foreach(arr, i, max, item)
    {
        size_t at = skep_lang__enter_index(q, i);
        SKEP_TRY(filter_object(q, item, &t->kids[t->n], &t->prefixes[t->n]));
        t->n++;
        skep_lang__leave(q, at);
    }
    skep_lang__leave(q, mark);
    return SKEP_OK;
}

skep_rc skep_lang__filters(struct skep_lang__q *q, yyjson_val *obj, const struct skep_expr **ret)
{
    struct tests *t = skep_new(q->arena, struct tests);
    enum skep_expr_op op;

    *ret = NULL;
    t->n = 0;
    memset(q->found, 0, sizeof q->found);
    SKEP_TRY(combination(q, obj, &op));
    SKEP_TRY(add_list(q, obj, "filters", t));
    if (op == SKEP_EXPR_OR && t->n) { /* one test among those that hold beside it */
        t->kids[0] = skep_lang__combine(q, op, t->kids, t->prefixes, t->n);
        t->prefixes[0] = SKEP_LANG__OWN;
        t->n = 1;
    }
    SKEP_TRY(add_list(q, obj, "and_filters", t));
    if (t->n)
        *ret = skep_lang__combine(q, SKEP_EXPR_AND, t->kids, t->prefixes, t->n);
    return SKEP_OK;
}
