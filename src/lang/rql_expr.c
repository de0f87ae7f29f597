// SPDX-License-Identifier: Apache-2.0
/* Expressions of RQL, by precedence from loose to tight:
 *
 *   OR | AND | NOT | = != <> < <= > >= [NOT] IN BETWEEN LIKE, IS [NOT] NULL | + - | * / DIV MOD % |
 *   - | value
 *
 * What is made of constants alone is computed at once: timestamp > unix_timestamp() - 60 * 60.
 *
 * I1  Recursion is bounded by SKEP_RQL__DEPTH.
 * Threads: none of its own.  Memory: the query's arena. */
#include <limits.h>
#include <math.h>

#include "base/assert.h"
#include "base/buf.h"
#include "lang/rql_priv.h"

typedef struct skep_rql__q Q;
typedef struct skep_calc Calc;

static Calc *constant(Q *q, skep_value v)
{
    return skep_calc_const(q->a, v);
}

/* A call of constants is its value. */
static void fold(Q *q, Calc **e)
{
    struct skep_calc_ctx ctx = {.scratch = q->a, .now_ms = q->opts->now_ns / 1000000};
    const struct skep_calc_batch one = {.n = 1};
    skep_value v;
    for (unsigned i = 0; i < (*e)->n_args; i++) {
        if ((*e)->args[i]->op != SKEP_CALC_CONST)
            return;
    }
    skep_calc_eval(*e, &one, &ctx, &v);
    *e = constant(q, v);
}

skep_rc skep_rql__call(Q *q, const struct skep_calc_fn *fn, Calc **args, unsigned n, size_t at,
                       Calc **ret)
{
    unsigned arg;
    skep_err err;
    skep_assert(fn != NULL);
    if (skep_calc_call(q->a, fn, args, n, ret, &arg, &err) != SKEP_OK)
        return skep_rql__wrong(q, at, q->prev_end, "%s", err.text);
    fold(q, ret);
    return SKEP_OK;
}

static skep_rc call_by(Q *q, const char *name, Calc *x, Calc *y, size_t at, Calc **ret)
{
    Calc **args = skep_new_n(q->a, Calc *, 2);
    const struct skep_calc_fn *fn = skep_calc_find(skep_str_c(name));
    args[0] = x;
    args[1] = y;
    return skep_rql__call(q, fn ? fn : skep_calc_find_sql(skep_str_c(name)), args, y ? 2 : 1, at,
                          ret);
}

// --- values ------------------------------------------------------------------------------------

static skep_rc quoted(Q *q, Calc **ret)
{
    char quote = q->text.p[q->at];
    size_t from = q->at++;
    struct skep_buf b;
    bool ended = false;
    skep_buf_init(&b, SKEP_LIMIT_RQL_BYTES);
    while (!ended && q->at < q->text.n) {
        char c = q->text.p[q->at++];
        bool more = q->at < q->text.n;
        if (c == quote && more && q->text.p[q->at] == quote) {
            skep_buf_u8(&b, (uint8_t)q->text.p[q->at++]);
        } else if (c == quote) {
            ended = true;
        } else if (c == '\\' && more) {
            c = q->text.p[q->at++];
            if (c == '%' || c == '_') /* LIKE's own */
                skep_buf_u8(&b, '\\');
            skep_buf_u8(&b, (uint8_t)(c == 'n' ? '\n' : c == 't' ? '\t' : c));
        } else {
            skep_buf_u8(&b, (uint8_t)c);
        }
    }
    q->prev_end = q->at;
    *ret = constant(
        q, (skep_value){.type = SKEP_TYPE_STRING, .s = skep_arena_str(q->a, skep_buf_text(&b))});
    skep_buf_done(&b);
    return ended ? SKEP_OK : skep_rql__wrong(q, from, q->at, "a text without an end");
}

static skep_rc number(Q *q, Calc **ret)
{
    size_t from = q->at;
    while (q->at < q->text.n && ((q->text.p[q->at] >= '0' && q->text.p[q->at] <= '9') ||
                                 q->text.p[q->at] == '.' || q->text.p[q->at] == 'e'))
        q->at++;
    skep_str s = {q->text.p + from, q->at - from};
    skep_value v = {.type = SKEP_TYPE_INT};
    q->prev_end = q->at;
    if (!skep_str_i64(s, &v.i)) {
        v.type = SKEP_TYPE_DOUBLE;
        if (!skep_str_f64(s, &v.f) || !isfinite(v.f))
            return skep_rql__wrong(q, from, q->at, "no number");
    }
    *ret = constant(q, v);
    return SKEP_OK;
}

static const struct {
    const char *name;
    enum skep_pipe_agg_op op;
} aggs[] = {
    {"count", SKEP_PIPE_COUNT}, {"count_distinct", SKEP_PIPE_COUNT_DISTINCT},
    {"sum", SKEP_PIPE_SUM},     {"avg", SKEP_PIPE_AVG},
    {"min", SKEP_PIPE_MIN},     {"max", SKEP_PIPE_MAX},
};

/* Behind "count(" and its like. */
static skep_rc aggregate(Q *q, enum skep_pipe_agg_op op, size_t at, Calc **ret)
{
    if (!q->aggregates)
        return skep_rql__wrong(q, at, q->prev_end, "an aggregate cannot stand here");
    if (q->n_aggs == SKEP_RQL__COLUMNS)
        return skep_rql__wrong(q, at, q->prev_end, "more than %d aggregates", SKEP_RQL__COLUMNS);
    struct skep_pipe_agg g = {.op = op};
    if (!(op == SKEP_PIPE_COUNT && skep_rql__take(q, "*"))) {
        Calc *e = NULL;
        bool looked = q->looks;
        q->aggregates = false;
        if (op == SKEP_PIPE_COUNT && skep_rql__word(q, "distinct"))
            g.op = SKEP_PIPE_COUNT_DISTINCT;
        SKEP_TRY(skep_rql__expr(q, &e));
        q->looks = looked; /* of the aggregate, not of the column */
        q->aggregates = true;
        bool all = g.op == SKEP_PIPE_COUNT && e->op == SKEP_CALC_CONST; /* count(1) */
        g.expr = all ? NULL : e;
    }
    SKEP_TRY(skep_rql__expect(q, ")"));
    SKEP_TRY(skep_rql__slot(q, &g.slot));
    q->aggs[q->n_aggs++] = g;
    q->measures = true;
    *ret = skep_calc_field(q->a, g.slot, false);
    return SKEP_OK;
}

/* What RQL calls functions that have another name here. */
static const struct {
    const char *name, *fn;
} renamed[] = {{"lower", "tolower"},
               {"upper", "toupper"},
               {"substr", "substring"},
               {"mid", "substring"},
               {"ifnull", "coalesce"}};

static const struct skep_calc_fn *function(skep_str name)
{
    static const char *const offered[] = {"concat", "abs",      "ceil", "floor",    "round",
                                          "if",     "coalesce", "trim", "greatest", "least"};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(renamed); i++) {
        if (skep_str_ieq(name, skep_str_c(renamed[i].name)))
            name = skep_str_c(renamed[i].fn);
    }
    const struct skep_calc_fn *fn = skep_calc_find_sql(name);
    if (fn || skep_str_eq(name, SKEP_STR("tolower")) || skep_str_eq(name, SKEP_STR("toupper")))
        return fn ? fn : skep_calc_find(name);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(offered); i++) {
        if (skep_str_ieq(name, skep_str_c(offered[i])))
            return skep_calc_find(skep_str_c(offered[i]));
    }
    return NULL;
}

/* "(" has been taken. */
static skep_rc call_of(Q *q, skep_str name, size_t at, Calc **ret)
{
    Calc **args = skep_new_n(q->a, Calc *, SKEP_LIMIT_CALC_ARGS);
    unsigned n = 0;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(aggs); i++) {
        if (skep_str_ieq(name, skep_str_c(aggs[i].name)))
            return aggregate(q, aggs[i].op, at, ret);
    }
    if (skep_str_ieq(name, SKEP_STR("unix_timestamp")) && skep_rql__take(q, ")")) {
        *ret = constant(q, (skep_value){.type = SKEP_TYPE_INT, .i = q->opts->now_ns / 1000000000});
        return SKEP_OK;
    }
    const struct skep_calc_fn *fn = function(name);
    if (!fn)
        return skep_rql__wrong(q, at, at + name.n, SKEP_STRFMT " is no function here",
                               SKEP_STRARG(name));
    if (skep_rql__take(q, ")"))
        return skep_rql__call(q, fn, args, 0, at, ret);
    do {
        if (n == SKEP_LIMIT_CALC_ARGS)
            return skep_rql__wrong(q, at, q->prev_end, "too many arguments");
        SKEP_TRY(skep_rql__expr(q, &args[n++]));
    } while (skep_rql__take(q, ","));
    SKEP_TRY(skep_rql__expect(q, ")"));
    return skep_rql__call(q, fn, args, n, at, ret);
}

/* What a selected column was called by AS. */
static bool alias(Q *q, skep_str name, Calc **ret)
{
    for (unsigned i = 0; i < q->n_named; i++) {
        const struct skep_rql__column *c = &q->named[i];
        if (!skep_str_ieq(name, c->name))
            continue;
        *ret = c->expr;
        q->measures |= c->measured;
        q->looks |= !c->measured && c->expr->op != SKEP_CALC_CONST;
        return true;
    }
    return false;
}

static skep_rc value(Q *q, Calc **ret)
{
    size_t at = skep_rql__here(q);
    char c = at < q->text.n ? q->text.p[at] : '\0';
    skep_str name;
    bool in_ticks;
    if (c == '\'' || c == '"')
        return quoted(q, ret);
    if (c >= '0' && c <= '9')
        return number(q, ret);
    if (skep_rql__take(q, "(")) {
        if (skep_rql__word(q, "select"))
            return skep_rql__wrong(q, at, q->prev_end, "subqueries are not supported");
        SKEP_TRY(skep_rql__expr(q, ret));
        return skep_rql__expect(q, ")");
    }
    if (!skep_rql__name(q, &name, &in_ticks))
        return skep_rql__wrong(q, at, at + 1, "a column, value or function is expected here");
    if (!in_ticks && skep_rql__take(q, "("))
        return call_of(q, name, at, ret);
    if (!in_ticks &&
        (skep_str_ieq(name, SKEP_STR("true")) || skep_str_ieq(name, SKEP_STR("false"))))
        *ret = constant(
            q, (skep_value){.type = SKEP_TYPE_BOOL, .b = skep_str_ieq(name, SKEP_STR("true"))});
    else if (!in_ticks && skep_str_ieq(name, SKEP_STR("null")))
        *ret = constant(q, (skep_value){.type = SKEP_TYPE_NULL});
    else if (!alias(q, name, ret))
        return q->table->column(q, name, at, ret);
    return SKEP_OK;
}

static skep_rc negative(Q *q, Calc **ret)
{
    size_t from = skep_rql__here(q);
    if (!skep_rql__take(q, "-"))
        return value(q, ret);
    if (++q->depth > SKEP_RQL__DEPTH)
        return skep_rql__wrong(q, from, q->at, "an expression that is too deep");
    SKEP_TRY(negative(q, ret));
    q->depth--;
    return call_by(q, "neg", *ret, NULL, from, ret);
}

static skep_rc product(Q *q, Calc **ret)
{
    size_t from = skep_rql__here(q);
    SKEP_TRY(negative(q, ret));
    for (;;) {
        Calc *y = NULL;
        const char *fn = skep_rql__take(q, "*")                               ? "mul"
                         : skep_rql__word(q, "div")                           ? "DIV"
                         : skep_rql__take(q, "/")                             ? "div"
                         : skep_rql__take(q, "%") || skep_rql__word(q, "mod") ? "mod"
                                                                              : NULL;
        if (!fn)
            return SKEP_OK;
        SKEP_TRY(negative(q, &y));
        if (skep_str_eq(skep_str_c(fn), SKEP_STR("DIV"))) {
            Calc **args = skep_new_n(q->a, Calc *, 2);
            args[0] = *ret;
            args[1] = y;
            SKEP_TRY(skep_rql__call(q, skep_calc_find_sql(SKEP_STR("div")), args, 2, from, ret));
        } else {
            SKEP_TRY(call_by(q, fn, *ret, y, from, ret));
        }
    }
}

static skep_rc sum(Q *q, Calc **ret)
{
    size_t from = skep_rql__here(q);
    SKEP_TRY(product(q, ret));
    for (;;) {
        Calc *y = NULL;
        const char *fn = skep_rql__take(q, "+") ? "add" : skep_rql__take(q, "-") ? "sub" : NULL;
        if (!fn)
            return SKEP_OK;
        SKEP_TRY(product(q, &y));
        SKEP_TRY(call_by(q, fn, *ret, y, from, ret));
    }
}

// --- conditions --------------------------------------------------------------------------------

static skep_rc in_list(Q *q, Calc *x, size_t from, Calc **ret)
{
    Calc **args = skep_new_n(q->a, Calc *, SKEP_LIMIT_CALC_ARGS);
    unsigned n = 1;
    args[0] = x;
    SKEP_TRY(skep_rql__expect(q, "("));
    do {
        size_t at = skep_rql__here(q);
        if (n == SKEP_LIMIT_CALC_ARGS)
            return skep_rql__wrong(q, at, at + 1, "more than %d values", SKEP_LIMIT_CALC_ARGS - 1);
        if (skep_rql__word(q, "select"))
            return skep_rql__wrong(q, at, q->prev_end, "subqueries are not supported");
        SKEP_TRY(sum(q, &args[n++]));
    } while (skep_rql__take(q, ","));
    SKEP_TRY(skep_rql__expect(q, ")"));
    return skep_rql__call(q, skep_calc_find(SKEP_STR("in")), args, n, from, ret);
}

static skep_rc between(Q *q, Calc *x, size_t from, Calc **ret)
{
    Calc *low = NULL, *high = NULL, *least = NULL, *most = NULL;
    SKEP_TRY(sum(q, &low));
    if (!skep_rql__word(q, "and"))
        return skep_rql__wrong(q, q->at, q->at + 1, "AND of BETWEEN is expected here");
    SKEP_TRY(sum(q, &high));
    SKEP_TRY(call_by(q, "ge", x, low, from, &least));
    SKEP_TRY(call_by(q, "le", x, high, from, &most));
    return call_by(q, "and", least, most, from, ret);
}

/* A negated one is not true of null either: SQL's three values. */
static skep_rc negated(Q *q, Calc *x, Calc *cond, size_t from, Calc **ret)
{
    Calc *not = NULL, *there = NULL;
    SKEP_TRY(call_by(q, "not", cond, NULL, from, &not ));
    SKEP_TRY(call_by(q, "ispresent", x, NULL, from, &there));
    return call_by(q, "and", there, not, from, ret);
}

static skep_rc is_null(Q *q, Calc *x, size_t from, Calc **ret)
{
    bool not = skep_rql__word(q, "not");
    if (!skep_rql__word(q, "null"))
        return skep_rql__wrong(q, q->at, q->at + 1, "NULL is expected behind IS");
    SKEP_TRY(call_by(q, "ispresent", x, NULL, from, ret));
    return not ? SKEP_OK : call_by(q, "not", *ret, NULL, from, ret);
}

static skep_rc comparison(Q *q, Calc **ret)
{
    static const struct {
        const char *sign, *fn;
    } signs[] = {{"<=", "le"}, {">=", "ge"}, {"<>", "ne"}, {"!=", "ne"},
                 {"==", "eq"}, {"=", "eq"},  {"<", "lt"},  {">", "gt"}};
    size_t from = skep_rql__here(q);
    Calc *x = NULL, *y = NULL;
    SKEP_TRY(sum(q, &x));
    *ret = x;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(signs); i++) {
        if (!skep_rql__take(q, signs[i].sign))
            continue;
        SKEP_TRY(sum(q, &y));
        SKEP_TRY(call_by(q, signs[i].fn, x, y, from, ret));
        if (skep_str_eq(skep_str_c(signs[i].fn), SKEP_STR("ne"))) { /* not true of null */
            Calc *there = NULL;
            SKEP_TRY(call_by(q, "ispresent", x, NULL, from, &there));
            return call_by(q, "and", there, *ret, from, ret);
        }
        return SKEP_OK;
    }
    if (skep_rql__word(q, "is"))
        return is_null(q, x, from, ret);
    bool not = skep_rql__word(q, "not");
    if (skep_rql__word(q, "in")) {
        SKEP_TRY(in_list(q, x, from, ret));
    } else if (skep_rql__word(q, "between")) {
        SKEP_TRY(between(q, x, from, ret));
    } else if (skep_rql__word(q, "like")) {
        SKEP_TRY(sum(q, &y));
        SKEP_TRY(call_by(q, "like", x, y, from, ret));
    } else if (not ) {
        return skep_rql__wrong(q, from, q->prev_end, "IN, BETWEEN or LIKE is expected behind NOT");
    }
    return not ? negated(q, x, *ret, from, ret) : SKEP_OK;
}

static skep_rc negation(Q *q, Calc **ret)
{
    size_t from = skep_rql__here(q);
    bool not = skep_rql__word(q, "not") || skep_rql__take(q, "!");
    if (!not )
        return comparison(q, ret);
    if (++q->depth > SKEP_RQL__DEPTH)
        return skep_rql__wrong(q, from, q->at, "an expression that is too deep");
    SKEP_TRY(negation(q, ret));
    q->depth--;
    return call_by(q, "not", *ret, NULL, from, ret);
}

static skep_rc joined(Q *q, const char *word, const char *sign, skep_rc (*kid)(Q *q, Calc **ret),
                      Calc **ret)
{
    size_t from = skep_rql__here(q);
    SKEP_TRY(kid(q, ret));
    while (skep_rql__word(q, word) || skep_rql__take(q, sign)) {
        Calc *y = NULL;
        SKEP_TRY(kid(q, &y));
        SKEP_TRY(call_by(q, word, *ret, y, from, ret));
    }
    return SKEP_OK;
}

static skep_rc all_of(Q *q, Calc **ret)
{
    return joined(q, "and", "&&", negation, ret);
}

skep_rc skep_rql__expr(Q *q, Calc **ret)
{
    size_t from = skep_rql__here(q);
    if (++q->depth > SKEP_RQL__DEPTH)
        return skep_rql__wrong(q, from, from + 1, "an expression that is too deep");
    SKEP_TRY(joined(q, "or", "||", all_of, ret));
    q->depth--;
    return SKEP_OK;
}
