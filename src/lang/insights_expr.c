// SPDX-License-Identifier: Apache-2.0
/* Expressions of Logs Insights, by precedence from loose to tight:
 *
 *   or | and | not | = != < <= > >= in like =~ | + - | * / % | ^ | - | .key [i] | value
 *
 * I1  Recursion is bounded by SKEP_INSIGHTS__DEPTH.
 * Threads: none of its own.  Memory: the query's arena. */
#include <limits.h>
#include <math.h>

#include "base/assert.h"
#include "lang/insights_priv.h"

typedef struct skep_insights__q Q;

struct skep_calc **skep_insights__args(Q *q, struct skep_calc *x, struct skep_calc *y)
{
    struct skep_calc **args = skep_new_n(q->a, struct skep_calc *, 2);
    args[0] = x;
    args[1] = y;
    return args;
}

skep_rc skep_insights__call(Q *q, const char *fn, struct skep_calc **args, unsigned n, size_t at,
                            struct skep_calc **ret)
{
    unsigned arg;
    skep_err err;
    const struct skep_calc_fn *f = skep_calc_find(skep_str_c(fn));
    skep_assert(f != NULL);
    if (skep_calc_call(q->a, f, args, n, ret, &arg, &err) == SKEP_OK)
        return SKEP_OK;
    return skep_insights__wrong(q, at, q->prev_end, "%s", err.text);
}

static struct skep_calc *text_const(Q *q, skep_str s)
{
    return skep_calc_const(q->a, (skep_value){.type = SKEP_TYPE_STRING, .s = s});
}

static skep_rc binary(Q *q, const char *fn, struct skep_calc *x, struct skep_calc *y, size_t at,
                      struct skep_calc **ret)
{
    return skep_insights__call(q, fn, skep_insights__args(q, x, y), 2, at, ret);
}

// --- values ------------------------------------------------------------------------------------

static skep_rc number(Q *q, struct skep_calc **ret)
{
    size_t from = q->at, n = 0;
    skep_str rest = skep_str_skip(q->text, q->at);
    while (n < rest.n && ((rest.p[n] >= '0' && rest.p[n] <= '9') || rest.p[n] == '.'))
        n++;
    if (n < rest.n && (rest.p[n] == 'e' || rest.p[n] == 'E')) {
        size_t k = n + 1;
        k += k < rest.n && (rest.p[k] == '+' || rest.p[k] == '-');
        size_t digits = k;
        while (k < rest.n && rest.p[k] >= '0' && rest.p[k] <= '9')
            k++;
        n = k > digits ? k : n;
    }
    skep_str s = {rest.p, n};
    skep_value v = {.type = SKEP_TYPE_INT};
    q->at = q->prev_end = from + n;
    if (!skep_str_i64(s, &v.i)) {
        v.type = SKEP_TYPE_DOUBLE;
        if (!skep_str_f64(s, &v.f) || !isfinite(v.f))
            return skep_insights__wrong(q, from, q->at, "no number");
    }
    *ret = skep_calc_const(q->a, v);
    return SKEP_OK;
}

/* 5m, 1 hour: the scan stands at the digits. */
static skep_rc period(Q *q, struct skep_calc **ret)
{
    skep_insights__blanks(q);
    size_t from = q->at;
    while (q->at < q->text.n && q->text.p[q->at] >= '0' && q->text.p[q->at] <= '9')
        q->at++;
    if (q->at == from)
        return skep_insights__wrong(q, from, from + 1,
                                    "a period like 5m, 1h or 1d is expected here");
    skep_insights__blanks(q);
    while (q->at < q->text.n && ((q->text.p[q->at] >= 'a' && q->text.p[q->at] <= 'z') ||
                                 (q->text.p[q->at] >= 'A' && q->text.p[q->at] <= 'Z')))
        q->at++;
    q->prev_end = q->at;
    *ret = text_const(q, (skep_str){q->text.p + from, q->at - from});
    return SKEP_OK;
}

/* Arguments up to the closing ")". */
static skep_rc arguments(Q *q, skep_str name, struct skep_calc **args, unsigned *n)
{
    bool dates =
        skep_str_ieq(name, SKEP_STR("datefloor")) || skep_str_ieq(name, SKEP_STR("dateceil"));
    *n = 0;
    if (skep_insights__take(q, SKEP_STR(")")))
        return SKEP_OK;
    do {
        size_t at = skep_insights__here(q);
        if (*n == SKEP_LIMIT_CALC_ARGS)
            return skep_insights__wrong(q, at, at + 1, "more than %d arguments",
                                        SKEP_LIMIT_CALC_ARGS);
        if (dates && *n == 1 && skep_insights__peek(q) != '"' && skep_insights__peek(q) != '\'') {
            SKEP_TRY(period(q, &args[*n]));
        } else if (skep_insights__peek(q) == '/') {
            skep_str re;
            SKEP_TRY(skep_insights__slashed(q, &re));
            args[*n] = text_const(q, re);
        } else {
            SKEP_TRY(skep_insights__expr(q, &args[*n]));
        }
        ++*n;
    } while (skep_insights__take(q, SKEP_STR(",")));
    return skep_insights__expect(q, SKEP_STR(")"));
}

/* bin(5m): of @timestamp. */
static skep_rc bin(Q *q, size_t at, struct skep_calc **ret)
{
    struct skep_calc *time = NULL, *p = NULL;
    SKEP_TRY(skep_insights__resolve(q, SKEP_STR("@timestamp"), at, &time));
    SKEP_TRY(period(q, &p));
    SKEP_TRY(skep_insights__expect(q, SKEP_STR(")")));
    return binary(q, "datefloor", time, p, at, ret);
}

static const struct skep_calc_fn *offered(skep_str name)
{
    const struct skep_calc_fn *f = skep_calc_find(name);
    bool hidden = f && (skep_str_eq(skep_str_c(f->family), SKEP_STR("operator")) ||
                        skep_str_eq(skep_str_c(f->name), SKEP_STR("size")));
    return hidden ? NULL : f;
}

static skep_rc call_of(Q *q, skep_str name, size_t at, struct skep_calc **ret)
{
    struct skep_calc **args = skep_new_n(q->a, struct skep_calc *, SKEP_LIMIT_CALC_ARGS);
    unsigned n;
    skep_rc rc = skep_insights__aggregate(q, name, at, ret);
    if (rc != SKEP_ENOTFOUND)
        return rc;
    SKEP_TRY(skep_insights__expect(q, SKEP_STR("(")));
    if (skep_str_ieq(name, SKEP_STR("bin")))
        return bin(q, at, ret);
    if (skep_str_ieq(name, SKEP_STR("messageSize"))) {
        SKEP_TRY(skep_insights__expect(q, SKEP_STR(")")));
        SKEP_TRY(skep_insights__resolve(q, SKEP_STR("@message"), at, &args[0]));
        return skep_insights__call(q, "size", args, 1, at, ret);
    }
    const struct skep_calc_fn *f = offered(name);
    if (!f)
        return skep_insights__wrong(q, at, at + name.n, SKEP_STRFMT " is no function",
                                    SKEP_STRARG(name));
    SKEP_TRY(arguments(q, name, args, &n));
    return skep_insights__call(q, f->name, args, n, at, ret);
}

/* Is it no plain name? */
static bool is_odd(skep_str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!skep_insights__is_name(name.p[i]) && name.p[i] != '.')
            return true;
    return false;
}

/* Behind stats its own spelling names a column: sort count(*), bin(5m).  The longest one counts. */
static bool column_ahead(Q *q, struct skep_calc **ret)
{
    const struct skep_insights__name *best = NULL;
    skep_str rest = skep_str_skip(q->text, q->at);
    for (unsigned i = 0; i < q->n_names; i++) {
        const struct skep_insights__name *n = &q->names[i];
        if (is_odd(n->name) && skep_str_starts(rest, n->name) &&
            (!best || n->name.n > best->name.n))
            best = n;
    }
    if (!best)
        return false;
    q->at = q->prev_end = q->at + best->name.n;
    *ret = skep_calc_field(q->a, best->slot, best->time);
    return true;
}

static skep_rc value(Q *q, struct skep_calc **ret)
{
    skep_str s;
    char c = skep_insights__peek(q);
    size_t at = q->at;
    if (!q->stats && column_ahead(q, ret))
        return SKEP_OK;
    if (c == '"' || c == '\'') {
        SKEP_TRY(skep_insights__quoted(q, &s));
        *ret = text_const(q, s);
        return SKEP_OK;
    }
    if (c >= '0' && c <= '9')
        return number(q, ret);
    if (skep_insights__take(q, SKEP_STR("("))) {
        SKEP_TRY(skep_insights__expr(q, ret));
        return skep_insights__expect(q, SKEP_STR(")"));
    }
    skep_rc rc = skep_insights__field_name(q, &s);
    if (rc == SKEP_ENOTFOUND)
        return skep_insights__wrong(q, at, at + 1, "a field, value or function is expected here");
    SKEP_TRY(rc);
    if (skep_insights__peek(q) == '(')
        return call_of(q, s, at, ret);
    bool plain = q->text.p[at] != '`';
    if (plain && (skep_str_ieq(s, SKEP_STR("true")) || skep_str_ieq(s, SKEP_STR("false")))) {
        *ret = skep_calc_const(
            q->a, (skep_value){.type = SKEP_TYPE_BOOL, .b = skep_str_ieq(s, SKEP_STR("true"))});
        return SKEP_OK;
    }
    if (plain && skep_str_ieq(s, SKEP_STR("null"))) {
        *ret = skep_calc_const(q->a, (skep_value){.type = SKEP_TYPE_NULL});
        return SKEP_OK;
    }
    return skep_insights__resolve(q, s, at, ret);
}

/* a.key, a.`odd key`, a[0], a["key"]. */
static skep_rc postfix(Q *q, struct skep_calc **ret)
{
    size_t from = skep_insights__here(q);
    SKEP_TRY(value(q, ret));
    while (q->at < q->text.n) {
        struct skep_calc *key = NULL;
        skep_str s;
        if (q->text.p[q->at] == '[') {
            q->at++;
            char c = skep_insights__peek(q);
            if (c == '"' || c == '\'') {
                SKEP_TRY(skep_insights__quoted(q, &s));
                key = text_const(q, s);
            } else {
                if (!(c >= '0' && c <= '9'))
                    return skep_insights__wrong(q, q->at, q->at + 1,
                                                "an index or quoted key is expected here");
                SKEP_TRY(number(q, &key));
            }
            SKEP_TRY(skep_insights__expect(q, SKEP_STR("]")));
        } else if (q->text.p[q->at] == '.' && q->at + 1 < q->text.n) {
            q->at++;
            if (!skep_insights__key(q, &s))
                return skep_insights__wrong(q, q->at, q->at + 1,
                                            "a key is expected behind the dot");
            key = text_const(q, s);
        } else {
            break;
        }
        SKEP_TRY(binary(q, "path", *ret, key, from, ret));
    }
    return SKEP_OK;
}

static skep_rc power(Q *q, struct skep_calc **ret);

static skep_rc negative(Q *q, struct skep_calc **ret)
{
    size_t from = skep_insights__here(q);
    if (!skep_insights__take(q, SKEP_STR("-")))
        return postfix(q, ret);
    if (++q->depth > SKEP_INSIGHTS__DEPTH)
        return skep_insights__wrong(q, from, q->at, "an expression that is too deep");
    SKEP_TRY(power(q, ret));
    q->depth--;
    if ((*ret)->op == SKEP_CALC_CONST && (*ret)->value.type == SKEP_TYPE_INT) {
        (*ret)->value.i = -(*ret)->value.i; /* literals are not negative before */
        return SKEP_OK;
    }
    return skep_insights__call(q, "neg", skep_insights__args(q, *ret, NULL), 1, from, ret);
}

static skep_rc power(Q *q, struct skep_calc **ret)
{
    struct skep_calc *y = NULL;
    size_t from = skep_insights__here(q);
    SKEP_TRY(negative(q, ret));
    if (!skep_insights__take(q, SKEP_STR("^")))
        return SKEP_OK;
    if (++q->depth > SKEP_INSIGHTS__DEPTH)
        return skep_insights__wrong(q, from, q->at, "an expression that is too deep");
    SKEP_TRY(power(q, &y)); /* from the right */
    q->depth--;
    return binary(q, "pow", *ret, y, from, ret);
}

static skep_rc product(Q *q, struct skep_calc **ret)
{
    size_t from = skep_insights__here(q);
    SKEP_TRY(power(q, ret));
    for (;;) {
        struct skep_calc *y = NULL;
        const char *fn = skep_insights__take(q, SKEP_STR("*"))   ? "mul"
                         : skep_insights__take(q, SKEP_STR("/")) ? "div"
                         : skep_insights__take(q, SKEP_STR("%")) ? "mod"
                                                                 : NULL;
        if (!fn)
            return SKEP_OK;
        SKEP_TRY(power(q, &y));
        SKEP_TRY(binary(q, fn, *ret, y, from, ret));
    }
}

static skep_rc sum(Q *q, struct skep_calc **ret)
{
    size_t from = skep_insights__here(q);
    SKEP_TRY(product(q, ret));
    for (;;) {
        struct skep_calc *y = NULL;
        const char *fn = skep_insights__take(q, SKEP_STR("+"))   ? "add"
                         : skep_insights__take(q, SKEP_STR("-")) ? "sub"
                                                                 : NULL;
        if (!fn)
            return SKEP_OK;
        SKEP_TRY(product(q, &y));
        SKEP_TRY(binary(q, fn, *ret, y, from, ret));
    }
}

// --- conditions --------------------------------------------------------------------------------

static skep_rc like(Q *q, struct skep_calc *x, size_t from, struct skep_calc **ret)
{
    skep_str s;
    char c = skep_insights__peek(q);
    if (c == '/') {
        size_t at = q->at;
        struct skep_calc **args;
        unsigned arg;
        skep_err err;
        SKEP_TRY(skep_insights__slashed(q, &s));
        args = skep_insights__args(q, x, text_const(q, s));
        const struct skep_calc_fn *f = skep_calc_find(SKEP_STR("matches"));
        if (skep_calc_call(q->a, f, args, 2, ret, &arg, &err) != SKEP_OK)
            return skep_insights__wrong(q, at, q->prev_end, "%s", err.text);
        return SKEP_OK;
    }
    if (c != '"' && c != '\'')
        return skep_insights__wrong(q, q->at, q->at + 1,
                                    "\"text\" or /expression/ is expected here");
    SKEP_TRY(skep_insights__quoted(q, &s));
    return binary(q, "contains", x, text_const(q, s), from, ret);
}

static skep_rc in_list(Q *q, struct skep_calc *x, size_t from, struct skep_calc **ret)
{
    struct skep_calc **args = skep_new_n(q->a, struct skep_calc *, SKEP_LIMIT_CALC_ARGS);
    unsigned n = 1;
    args[0] = x;
    SKEP_TRY(skep_insights__expect(q, SKEP_STR("[")));
    do {
        if (n == SKEP_LIMIT_CALC_ARGS)
            return skep_insights__wrong(q, q->at, q->at + 1, "more than %d values",
                                        SKEP_LIMIT_CALC_ARGS - 1);
        SKEP_TRY(sum(q, &args[n++]));
    } while (skep_insights__take(q, SKEP_STR(",")));
    SKEP_TRY(skep_insights__expect(q, SKEP_STR("]")));
    return skep_insights__call(q, "in", args, n, from, ret);
}

static skep_rc not_of(Q *q, struct skep_calc *x, size_t from, struct skep_calc **ret)
{
    return skep_insights__call(q, "not", skep_insights__args(q, x, NULL), 1, from, ret);
}

/* "not" behind a value: not like, not in. */
static skep_rc not_something(Q *q, struct skep_calc *x, size_t from, struct skep_calc **ret)
{
    if (skep_insights__take_word(q, SKEP_STR("like")))
        SKEP_TRY(like(q, x, from, ret));
    else if (skep_insights__take_word(q, SKEP_STR("in")))
        SKEP_TRY(in_list(q, x, from, ret));
    else
        return skep_insights__wrong(q, q->at, q->at + 1, "like or in is expected behind not");
    return not_of(q, *ret, from, ret);
}

static skep_rc comparison(Q *q, struct skep_calc **ret)
{
    static const struct {
        skep_str sign;
        const char *fn;
    } ops[] = {{{"!=", 2}, "ne"}, {{"<=", 2}, "le"}, {{">=", 2}, "ge"}, {{"=~", 2}, NULL},
               {{"==", 2}, "eq"}, {{"=", 1}, "eq"},  {{"<", 1}, "lt"},  {{">", 1}, "gt"}};
    size_t from = skep_insights__here(q);
    struct skep_calc *x = NULL, *y = NULL;
    SKEP_TRY(sum(q, &x));
    *ret = x;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(ops); i++) {
        if (!skep_insights__take(q, ops[i].sign))
            continue;
        if (!ops[i].fn)
            return like(q, x, from, ret);
        SKEP_TRY(sum(q, &y));
        return binary(q, ops[i].fn, x, y, from, ret);
    }
    if (skep_insights__take_word(q, SKEP_STR("like")))
        return like(q, x, from, ret);
    if (skep_insights__take_word(q, SKEP_STR("in")))
        return in_list(q, x, from, ret);
    if (skep_insights__take_word(q, SKEP_STR("not")))
        return not_something(q, x, from, ret);
    return SKEP_OK;
}

static skep_rc negation(Q *q, struct skep_calc **ret)
{
    size_t from = skep_insights__here(q);
    if (!skep_insights__take_word(q, SKEP_STR("not")))
        return comparison(q, ret);
    if (++q->depth > SKEP_INSIGHTS__DEPTH)
        return skep_insights__wrong(q, from, q->at, "an expression that is too deep");
    SKEP_TRY(negation(q, ret));
    q->depth--;
    return not_of(q, *ret, from, ret);
}

/* Operands of one word, flat. */
static skep_rc all_of(Q *q, bool any, struct skep_calc **ret)
{
    size_t from = skep_insights__here(q);
    struct skep_calc **args = NULL;
    unsigned n = 0;
    do {
        struct skep_calc *x = NULL;
        SKEP_TRY(any ? all_of(q, false, &x) : negation(q, &x));
        if (n == 0) {
            *ret = x;
        } else if (n == 1) {
            args = skep_new_n(q->a, struct skep_calc *, SKEP_LIMIT_CALC_ARGS);
            args[0] = *ret;
        }
        if (n == SKEP_LIMIT_CALC_ARGS)
            return skep_insights__wrong(q, from, q->at, "more than %d conditions",
                                        SKEP_LIMIT_CALC_ARGS);
        if (n > 0)
            args[n] = x;
        n++;
    } while (skep_insights__take_word(q, any ? SKEP_STR("or") : SKEP_STR("and")));
    return n > 1 ? skep_insights__call(q, any ? "or" : "and", args, n, from, ret) : SKEP_OK;
}

skep_rc skep_insights__expr(Q *q, struct skep_calc **ret)
{
    size_t from = skep_insights__here(q);
    if (++q->depth > SKEP_INSIGHTS__DEPTH)
        return skep_insights__wrong(q, from, from + 1, "an expression that is too deep");
    SKEP_TRY(all_of(q, true, ret));
    q->depth--;
    return SKEP_OK;
}
