// SPDX-License-Identifier: Apache-2.0
/* Evaluating expressions: batch by batch, a call after its arguments.
 *
 * I1  Evaluation recurses as deep as the expression, which skep_calc_call bounds
 *     (SKEP_LIMIT_CALC_DEPTH).
 * I2  Nothing fails: what cannot be computed is null.
 *
 * Threads: a context belongs to one.  Memory: the context's scratch. */
#include "calc/calc.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>

#include "base/assert.h"
#include "calc/calc_priv.h"
#include "wire/json_out.h"
#include "wire/regex.h"

static const struct skep_calc_fn *const families[] = {
    skep_calc__compare, skep_calc__numbers, skep_calc__general,   skep_calc__texts,
    skep_calc__codes,   skep_calc__dates,   skep_calc__documents, skep_calc__addresses};

const struct skep_calc_fn *const *skep_calc_families(unsigned *ret_n)
{
    *ret_n = SKEP_ARRAY_LEN(families);
    return families;
}

const struct skep_calc_fn *skep_calc_find(skep_str name)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(families); i++)
        for (const struct skep_calc_fn *f = families[i]; f->name; f++)
            if (skep_str_ieq(skep_str_c(f->name), name))
                return f;
    return NULL;
}

static const struct skep_calc_fn *const derived[] = {skep_calc__derived, skep_calc__derived_texts};

const struct skep_calc_fn *const *skep_calc_derived(unsigned *ret_n)
{
    *ret_n = SKEP_ARRAY_LEN(derived);
    return derived;
}

const struct skep_calc_fn *skep_calc_find_sql(skep_str name)
{
    for (const struct skep_calc_fn *f = skep_calc__sql; f->name; f++)
        if (skep_str_ieq(skep_str_c(f->name), name))
            return f;
    return NULL;
}

const struct skep_calc_fn *skep_calc_find_derived(skep_str name)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(derived); i++)
        for (const struct skep_calc_fn *f = derived[i]; f->name; f++)
            if (skep_str_ieq(skep_str_c(f->name), name))
                return f;
    return NULL;
}

static bool in_table(const struct skep_calc_fn *fn, const struct skep_calc_fn *table)
{
    for (const struct skep_calc_fn *f = table; f->name; f++)
        if (f == fn)
            return true;
    return false;
}

bool skep_calc_own(const struct skep_calc_fn *fn)
{
    bool own = in_table(fn, skep_calc__sql);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(families); i++)
        own = own || in_table(fn, families[i]);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(derived); i++)
        own = own || in_table(fn, derived[i]);
    return own;
}

// --- nodes -------------------------------------------------------------------------------------

struct skep_calc *skep_calc_const(struct skep_arena *a, skep_value v)
{
    struct skep_calc *e = skep_new(a, struct skep_calc);
    *e = (struct skep_calc){.op = SKEP_CALC_CONST, .value = v};
    return e;
}

struct skep_calc *skep_calc_field(struct skep_arena *a, unsigned field, bool time)
{
    struct skep_calc *e = skep_new(a, struct skep_calc);
    *e = (struct skep_calc){.op = SKEP_CALC_FIELD, .field = field, .time = time};
    return e;
}

skep_rc skep_calc_call(struct skep_arena *a, const struct skep_calc_fn *fn, struct skep_calc **args,
                       unsigned n_args, struct skep_calc **ret, unsigned *ret_arg, skep_err *err)
{
    *ret_arg = UINT_MAX;
    if (n_args < fn->min_args || n_args > fn->max_args)
        return skep_fail(err, SKEP_EINVAL, "%s takes %s arguments than %u", fn->signature,
                         n_args < fn->min_args ? "more" : "fewer", n_args);
    unsigned depth = 0;
    for (unsigned i = 0; i < n_args; i++)
        depth = SKEP_MAX(depth, args[i]->depth);
    if (depth >= SKEP_LIMIT_CALC_DEPTH) /* I1 */
        return skep_fail(err, SKEP_EINVAL, "an expression that is too deep");
    struct skep_calc *e = skep_new(a, struct skep_calc);
    *e = (struct skep_calc){.op = SKEP_CALC_CALL,
                            .depth = depth + 1,
                            .fn = fn,
                            .args = args,
                            .n_args = n_args,
                            .time = fn->time == SKEP_CALC_TIME};
    for (unsigned i = 0; fn->time == SKEP_CALC_TIME_AS_ARGS && i < n_args; i++)
        e->time = e->time || args[i]->time;
    if (fn->prepare)
        SKEP_TRY(fn->prepare(e, a, ret_arg, err));
    *ret = e;
    return SKEP_OK;
}

// --- evaluation --------------------------------------------------------------------------------

static void fill(skep_value *ret, unsigned n, skep_value v)
{
    for (unsigned r = 0; r < n; r++)
        ret[r] = v;
}

/* Where an argument's values stand: what needs no work is not copied. */
struct column {
    const skep_value *values;
    bool constant; /* one for all rows */
};

static bool column_of(const struct skep_calc *e, const struct skep_calc_batch *batch,
                      struct skep_calc_ctx *ctx, struct column *ret)
{
    *ret = (struct column){.values = &e->value, .constant = true};
    if (e->op == SKEP_CALC_CONST)
        return true;
    *ret = (struct column){.values = e->op == SKEP_CALC_FIELD ? batch->columns[e->field] : NULL};
    if (ret->values)
        return true;
    skep_value *room = skep_arena_try_alloc(ctx->scratch, sizeof(skep_value) * (batch->n + 1));
    ret->values = room;
    if (room)
        skep_calc_eval(e, batch, ctx, room);
    return room != NULL;
}

static void call(const struct skep_calc *e, const struct skep_calc_batch *batch,
                 struct skep_calc_ctx *ctx, skep_value *ret)
{
    skep_assert(e->n_args <= SKEP_LIMIT_CALC_LIST);
    size_t n = (size_t)e->n_args + 1;
    skep_value *args = skep_arena_try_alloc(ctx->scratch, n * sizeof *args);
    struct column *columns = skep_arena_try_alloc(ctx->scratch, n * sizeof *columns);
    bool room = args && columns;
    for (unsigned i = 0; room && i < e->n_args; i++) {
        room = column_of(e->args[i], batch, ctx, &columns[i]);
        if (room && columns[i].constant)
            args[i] = columns[i].values[0];
    }
    if (!room) {
        ctx->short_of_memory = true;
        fill(ret, batch->n, SKEP_CALC__NULL);
        return;
    }
    unsigned n_varying = 0;
    for (unsigned i = 0; i < e->n_args; i++)
        n_varying = columns[i].constant ? n_varying : i + 1;
    for (unsigned r = 0; r < batch->n; r++) {
        for (unsigned i = 0; i < n_varying; i++)
            if (!columns[i].constant)
                args[i] = columns[i].values[r];
        ret[r] = e->fn->eval(ctx, e, args);
    }
}

void skep_calc_eval(const struct skep_calc *e, const struct skep_calc_batch *batch,
                    struct skep_calc_ctx *ctx, skep_value *ret)
{
    skep_assert(batch->n <= SKEP_CALC_ROWS);
    switch (e->op) {
    case SKEP_CALC_CONST: fill(ret, batch->n, e->value); return;
    case SKEP_CALC_FIELD: memcpy(ret, batch->columns[e->field], batch->n * sizeof *ret); return;
    case SKEP_CALC_CALL: call(e, batch, ctx, ret); return;
    default: skep_unreachable("a node of an expression");
    }
}

// --- values ------------------------------------------------------------------------------------

bool skep_calc_true(const skep_value *v)
{
    return (v->type == SKEP_TYPE_BOOL && v->b) || (v->type == SKEP_TYPE_INT && v->i != 0) ||
           (v->type == SKEP_TYPE_DOUBLE && v->f != 0);
}

skep_value skep_calc__double(double f)
{
    return isfinite(f) ? (skep_value){.type = SKEP_TYPE_DOUBLE, .f = f} : SKEP_CALC__NULL;
}

skep_value skep_calc__whole(double f)
{
    if (f == floor(f) && fabs(f) < 9007199254740992.0)
        return skep_calc__int((int64_t)f);
    return skep_calc__double(f);
}

bool skep_calc_number(const struct skep_calc_ctx *ctx, const skep_value *v, double *ret)
{
    switch (v->type) {
    case SKEP_TYPE_INT: *ret = (double)v->i; return true;
    case SKEP_TYPE_DOUBLE: *ret = v->f; return isfinite(v->f);
    case SKEP_TYPE_BOOL: *ret = v->b; return ctx->loose;
    case SKEP_TYPE_STRING:
        return ctx->loose && skep_str_f64(skep_str_trim(v->s), ret) && isfinite(*ret);
    case SKEP_TYPE_NULL:
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_ARRAY:
    case SKEP_TYPE_EMPTY:
    case SKEP_TYPE_COUNT:
    default: return false;
    }
}

skep_str skep_calc_text(const skep_value *v, char out[64])
{
    switch (v->type) {
    case SKEP_TYPE_STRING:
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_ARRAY: return v->s;
    case SKEP_TYPE_BOOL: out[0] = v->b ? '1' : '0'; return (skep_str){out, 1};
    case SKEP_TYPE_INT: {
        int n = snprintf(out, 64, "%lld", (long long)v->i);
        return (skep_str){out, (size_t)n};
    }
    case SKEP_TYPE_DOUBLE: {
        size_t n = skep_json_f64_text(v->f, out);
        if (n > 2 && out[n - 2] == '.' && out[n - 1] == '0')
            n -= 2;
        return (skep_str){out, n};
    }
    case SKEP_TYPE_NULL:
    case SKEP_TYPE_EMPTY:
    case SKEP_TYPE_COUNT:
    default: return SKEP_STR_NULL;
    }
}

bool skep_calc__text_of(const struct skep_calc_ctx *ctx, const skep_value *v, char buf[64],
                        skep_str *ret)
{
    bool scalar =
        v->type == SKEP_TYPE_INT || v->type == SKEP_TYPE_DOUBLE || v->type == SKEP_TYPE_BOOL;
    if (v->type != SKEP_TYPE_STRING && !(ctx->loose && scalar))
        return false;
    *ret = skep_calc_text(v, buf);
    return true;
}

bool skep_calc__int_of(const struct skep_calc_ctx *ctx, const skep_value *v, int64_t *ret)
{
    double f;
    if (v->type == SKEP_TYPE_INT) {
        *ret = v->i;
        return true;
    }
    if (ctx->loose && v->type == SKEP_TYPE_STRING && skep_str_i64(skep_str_trim(v->s), ret))
        return true;
    if (!skep_calc_number(ctx, v, &f) || !(fabs(f) < 9.2e18))
        return false;
    *ret = (int64_t)f;
    return true;
}

bool skep_calc_compare(const struct skep_calc_ctx *ctx, const skep_value *a, const skep_value *b,
                       int *ret)
{
    double x, y;
    char abuf[64], bbuf[64];
    skep_str s, t;
    if (a->type == SKEP_TYPE_INT && b->type == SKEP_TYPE_INT) {
        *ret = a->i < b->i ? -1 : a->i > b->i;
        return true;
    }
    if (skep_calc_number(ctx, a, &x) && skep_calc_number(ctx, b, &y)) {
        *ret = x < y ? -1 : x > y;
        return true;
    }
    if (a->type == SKEP_TYPE_BOOL && b->type == SKEP_TYPE_BOOL) {
        *ret = (int)a->b - (int)b->b;
        return true;
    }
    if (!skep_calc__text_of(ctx, a, abuf, &s) || !skep_calc__text_of(ctx, b, bbuf, &t))
        return false;
    int c = skep_str_cmp(s, t);
    *ret = c < 0 ? -1 : c > 0;
    return true;
}

char *skep_calc__room(struct skep_calc_ctx *ctx, size_t n)
{
    if (n > SKEP_LIMIT_CALC_TEXT)
        return NULL;
    char *p = skep_arena_try_alloc(ctx->scratch, n + 1);
    ctx->short_of_memory = ctx->short_of_memory || !p;
    return p;
}

skep_value skep_calc__copy(struct skep_calc_ctx *ctx, skep_str s)
{
    char *p = skep_calc__room(ctx, s.n);
    if (!p)
        return SKEP_CALC__NULL;
    if (s.n)
        memcpy(p, s.p, s.n);
    return skep_calc__str((skep_str){p, s.n});
}

skep_rc skep_calc__const_text(const struct skep_calc *call, unsigned arg, skep_str *ret,
                              unsigned *ret_arg, skep_err *err)
{
    const struct skep_calc *e = call->args[arg];
    *ret_arg = arg;
    if (e->op != SKEP_CALC_CONST || e->value.type != SKEP_TYPE_STRING)
        return skep_fail(err, SKEP_EINVAL, "a text is expected here: %s", call->fn->signature);
    *ret = e->value.s;
    return SKEP_OK;
}

skep_rc skep_calc__prepare_regex(struct skep_calc *call, unsigned arg, struct skep_arena *a,
                                 unsigned *ret_arg, skep_err *err)
{
    skep_str text;
    const struct skep_regex *re = NULL;
    struct skep_regex_issue issue = {0};
    SKEP_TRY(skep_calc__const_text(call, arg, &text, ret_arg, err));
    if (skep_regex_compile(text, false, a, &re, &issue) != SKEP_OK)
        return skep_fail(err, SKEP_EINVAL, "%s", issue.text);
    call->prepared = (void *)(uintptr_t)re;
    return SKEP_OK;
}

bool skep_calc__matches(struct skep_calc_ctx *ctx, const struct skep_calc *call, skep_str s)
{
    bool yes = false;
    if (ctx->too_slow || skep_regex_tired(call->prepared) ||
        skep_regex_test(call->prepared, s, &yes) != SKEP_OK)
        ctx->too_slow = true;
    return yes;
}
