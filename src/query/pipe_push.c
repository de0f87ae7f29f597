// SPDX-License-Identifier: Apache-2.0
/* What of a pipeline the store does itself.
 *
 *   filters at the beginning  -> the plan's filter, as far as the types of the fields make both
 *                                mean the same; what is left stays row by row
 *   stats behind them         -> an AGGREGATE plan; what stages before it compute, and the filters
 *                                that were left, are computed fields of it (pipe_compute.c)
 *
 * A plan's tests know types (a text never equals a number); expressions are loose about them.  So a
 * comparison goes down only where the field has one type in the range asked, which the store is
 * asked for.
 *
 * I1  With and without, the answer is the same; but percentiles, which the store gives to within
 *     1 %, and counts of distinct values, exact up to SKEP_AGG_EXACT of them there.
 *
 * Threads: the caller's.  Memory: opts->arena. */
#include <limits.h>
#include <math.h>

#include "base/assert.h"
#include "calc/dates.h"
#include "event/view.h"
#include "plan/match.h"
#include "query/pipe_compute.h"

struct push {
    const struct skep_pipe *p;
    struct skep_arena *a;
    struct skep_fields types;
    unsigned n_tests;
    struct skep_pipe__compute compute;
    bool computed; /* a group is */
};

// --- types -------------------------------------------------------------------------------------

static const struct skep_pipe_field *source(const struct push *x, const struct skep_calc *e)
{
    if (e->op != SKEP_CALC_FIELD)
        return NULL;
    for (unsigned i = 0; i < x->p->n_fields; i++)
        if (x->p->fields[i].slot == e->field)
            return &x->p->fields[i];
    return NULL;
}

/* A computed field may be of any type, whatever a stored one of its name is. */
static bool is_computed(const struct push *x, skep_str name)
{
    for (unsigned i = 0; i < x->p->n_computed; i++)
        if (skep_str_eq(x->p->computed[i].name, name))
            return true;
    return false;
}

/* Bits of the types a field has; 0 = none in the range, UINT32_MAX = not known. */
static uint32_t types_of(const struct push *x, const struct skep_pipe_field *f)
{
    if (f->what == SKEP_PIPE_DATASET)
        return 1u << SKEP_TYPE_STRING;
    if (f->what != SKEP_PIPE_FIELD || is_computed(x, f->name))
        return UINT32_MAX;
    if (skep_str_eq(f->name, SKEP_MESSAGE_FIELD))
        return 1u << SKEP_TYPE_STRING;
    const struct skep_view *view = skep_view_find(f->name);
    if (view && (view->how == SKEP_VIEW_TIMESTAMP || view->how == SKEP_VIEW_ROW_ID))
        return UINT32_MAX; /* compare as one type and read as another */
    for (size_t i = 0; i < x->types.n; i++)
        if (skep_str_eq(x->types.fields[i].name, f->name))
            return x->types.fields[i].types;
    return 0;
}

static bool only(uint32_t types, uint32_t of)
{
    return (types & ~of) == 0;
}

static const uint32_t numbers = 1u << SKEP_TYPE_INT | 1u << SKEP_TYPE_DOUBLE;
static const uint32_t strings = 1u << SKEP_TYPE_STRING;

static skep_str plan_name(const struct skep_pipe_field *f)
{
    return f->what == SKEP_PIPE_DATASET ? SKEP_STR("dataset") : f->name;
}

// --- filters -----------------------------------------------------------------------------------

static struct skep_expr *new_test(struct push *x, skep_str field, enum skep_cmp op, skep_value v)
{
    struct skep_expr *e = skep_new(x->a, struct skep_expr);
    skep_value *values = skep_new(x->a, skep_value);
    *values = v;
    *e = (struct skep_expr){.op = SKEP_EXPR_TEST,
                            .test = {.field.name = field,
                                     .op = op,
                                     .values = values,
                                     .n_values = op == SKEP_CMP_EXISTS ? 0 : 1}};
    x->n_tests++;
    return e;
}

static struct skep_expr *joined(struct push *x, enum skep_expr_op op, struct skep_expr **kids,
                                unsigned n)
{
    struct skep_expr *e = skep_new(x->a, struct skep_expr);
    *e = (struct skep_expr){.op = op, .kids = kids, .n_kids = n};
    return n == 1 && op != SKEP_EXPR_NOT ? kids[0] : e;
}

static struct skep_expr *negated(struct push *x, struct skep_expr *e)
{
    struct skep_expr **kids = skep_new_n(x->a, struct skep_expr *, 1);
    kids[0] = e;
    return joined(x, SKEP_EXPR_NOT, kids, 1);
}

static bool is(const struct skep_calc *e, const char *name)
{
    return e->op == SKEP_CALC_CALL && skep_str_eq(skep_str_c(e->fn->name), skep_str_c(name));
}

static const struct {
    const char *name, *mirrored;
    enum skep_cmp op;
} comparisons[] = {{"eq", "eq", SKEP_CMP_EQ}, {"ne", "ne", SKEP_CMP_NE}, {"lt", "gt", SKEP_CMP_LT},
                   {"le", "ge", SKEP_CMP_LE}, {"gt", "lt", SKEP_CMP_GT}, {"ge", "le", SKEP_CMP_GE}};

/* field op constant, where both say the same of the field's types; NULL otherwise. */
static struct skep_expr *compared(struct push *x, const struct skep_pipe_field *f, enum skep_cmp op,
                                  const skep_value *v)
{
    static const struct skep_calc_ctx loose = {.loose = true};
    uint32_t types = types_of(x, f);
    double number;
    bool is_number =
        skep_calc_number(x->p->loose ? &loose : &(struct skep_calc_ctx){0}, v, &number);
    bool equality = op == SKEP_CMP_EQ || op == SKEP_CMP_NE;
    skep_value literal = *v;
    if (types == UINT32_MAX || v->type == SKEP_TYPE_BOOL || v->type == SKEP_TYPE_NULL)
        return NULL;
    if (is_number) {
        if (!only(types, numbers))
            return NULL;
        if (v->type == SKEP_TYPE_STRING)
            literal = (skep_value){.type = SKEP_TYPE_DOUBLE, .f = number};
    } else if (v->type != SKEP_TYPE_STRING || !only(types, strings | (equality ? numbers : 0))) {
        return NULL; /* a text never equals a number's text unless it is one */
    }
    return new_test(x, plan_name(f), op, literal);
}

static struct skep_expr *comparison(struct push *x, const struct skep_calc *e)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(comparisons); i++) {
        const struct skep_pipe_field *f;
        if (is(e, comparisons[i].name) && e->args[1]->op == SKEP_CALC_CONST &&
            (f = source(x, e->args[0])) != NULL)
            return compared(x, f, comparisons[i].op, &e->args[1]->value);
        if (is(e, comparisons[i].mirrored) && e->args[0]->op == SKEP_CALC_CONST &&
            (f = source(x, e->args[1])) != NULL)
            return compared(x, f, comparisons[i].op, &e->args[0]->value);
    }
    return NULL;
}

static struct skep_expr *text_test(struct push *x, const struct skep_calc *e)
{
    const struct skep_pipe_field *f = source(x, e->args[0]);
    if (!f || !only(types_of(x, f), strings))
        return NULL;
    x->n_tests++;
    if (is(e, "matches"))
        return skep_expr_regex(plan_name(f), e->prepared, false, x->a);
    const skep_value *v = &e->args[1]->value;
    if (e->args[1]->op != SKEP_CALC_CONST || v->type != SKEP_TYPE_STRING ||
        (is(e, "strcontains") && e->n_args > 2))
        return NULL;
    enum skep_cmp op = is(e, "startsWith") ? SKEP_CMP_STARTS
                       : is(e, "endsWith") ? SKEP_CMP_ENDS
                                           : SKEP_CMP_CONTAINS;
    return new_test(x, plan_name(f), op, *v);
}

static struct skep_expr *one_of(struct push *x, const struct skep_calc *e)
{
    const struct skep_pipe_field *f = source(x, e->args[0]);
    struct skep_expr **kids = skep_new_n(x->a, struct skep_expr *, e->n_args);
    for (unsigned i = 1; i < e->n_args; i++) {
        if (!f || e->args[i]->op != SKEP_CALC_CONST)
            return NULL;
        if ((kids[i - 1] = compared(x, f, SKEP_CMP_EQ, &e->args[i]->value)) == NULL)
            return NULL;
    }
    return joined(x, SKEP_EXPR_OR, kids, e->n_args - 1);
}

/* --- conditions on the first of several fields that is there --- */

static struct skep_expr *constant(struct push *x, bool yes)
{
    struct skep_expr *e = skep_new(x->a, struct skep_expr);
    e->op = SKEP_EXPR_TRUE;
    return yes ? e : negated(x, e);
}

/* The condition with another argument in place k. */
static struct skep_calc *with_arg(struct push *x, const struct skep_calc *e, unsigned k,
                                  struct skep_calc *arg)
{
    struct skep_calc *copy = skep_new(x->a, struct skep_calc);
    *copy = *e;
    copy->args = skep_new_n(x->a, struct skep_calc *, e->n_args);
    memcpy(copy->args, e->args, e->n_args * sizeof *e->args);
    copy->args[k] = arg;
    return copy;
}

/* What a condition of constants is. */
static struct skep_expr *decided(struct push *x, const struct skep_calc *e)
{
    struct skep_calc_ctx ctx = {.scratch = x->a, .loose = x->p->loose};
    skep_value v;
    for (unsigned i = 0; i < e->n_args; i++)
        if (e->args[i]->op != SKEP_CALC_CONST)
            return NULL;
    skep_calc_eval(e, &(struct skep_calc_batch){.n = 1}, &ctx, &v);
    return constant(x, skep_calc_true(&v));
}

static struct skep_expr *pushed(struct push *x, const struct skep_calc *e);

/* A condition on coalesce(a, b, ...): (a is there and passes) or (it is not, and b ...). */
static struct skep_expr *over_coalesce(struct push *x, const struct skep_calc *e, unsigned k)
{
    const struct skep_calc *of = e->args[k];
    struct skep_expr *tail =
        decided(x, with_arg(x, e, k, skep_calc_const(x->a, (skep_value){.type = SKEP_TYPE_NULL})));
    for (unsigned i = of->n_args; tail && i-- > 0;) {
        struct skep_calc *arg = of->args[i];
        bool null = arg->op == SKEP_CALC_CONST && arg->value.type == SKEP_TYPE_NULL;
        if (null)
            continue;
        if (arg->op == SKEP_CALC_CONST) {
            tail = decided(x, with_arg(x, e, k, arg));
            continue;
        }
        struct skep_calc there = {.op = SKEP_CALC_CALL,
                                  .fn = skep_calc_find(SKEP_STR("ispresent")),
                                  .args = &arg,
                                  .n_args = 1};
        struct skep_expr *exists = source(x, arg) ? pushed(x, &there) : NULL;
        struct skep_expr *passes = exists ? pushed(x, with_arg(x, e, k, arg)) : NULL;
        if (!passes)
            return NULL;
        struct skep_expr **kids = skep_new_n(x->a, struct skep_expr *, 6);
        kids[0] = exists;
        kids[1] = passes;
        kids[2] = negated(x, exists);
        kids[3] = tail;
        kids[4] = joined(x, SKEP_EXPR_AND, kids, 2);
        kids[5] = joined(x, SKEP_EXPR_AND, kids + 2, 2);
        tail = joined(x, SKEP_EXPR_OR, kids + 4, 2);
    }
    return tail;
}

/* Which argument of a comparison or test of texts is a coalesce(); UINT_MAX: none. */
static unsigned coalesced(const struct skep_calc *e)
{
    static const char *const leaves[] = {"eq",      "ne",         "lt",       "le",
                                         "gt",      "ge",         "in",       "contains",
                                         "matches", "startsWith", "endsWith", "strcontains"};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(leaves); i++) {
        if (!is(e, leaves[i]))
            continue;
        for (unsigned k = 0; k < 2 && k < e->n_args; k++)
            if (is(e->args[k], "coalesce"))
                return k;
    }
    return UINT_MAX;
}

/* The same condition as a plan's filter; NULL where there is none.  Recursion is bounded by
 * SKEP_LIMIT_CALC_DEPTH. */
static struct skep_expr *pushed(struct push *x, const struct skep_calc *e)
{
    if (e->op != SKEP_CALC_CALL || x->n_tests > SKEP_LIMIT_PLAN_TESTS / 2)
        return NULL;
    unsigned k = coalesced(e);
    if (k != UINT_MAX)
        return over_coalesce(x, e, k);
    if (is(e, "and") || is(e, "or")) {
        struct skep_expr **kids = skep_new_n(x->a, struct skep_expr *, e->n_args);
        for (unsigned i = 0; i < e->n_args; i++)
            if ((kids[i] = pushed(x, e->args[i])) == NULL)
                return NULL;
        return joined(x, is(e, "and") ? SKEP_EXPR_AND : SKEP_EXPR_OR, kids, e->n_args);
    }
    if (is(e, "not")) {
        struct skep_expr *kid = pushed(x, e->args[0]);
        return kid ? negated(x, kid) : NULL;
    }
    if (is(e, "contains") || is(e, "matches") || is(e, "startsWith") || is(e, "endsWith") ||
        is(e, "strcontains"))
        return text_test(x, e);
    if (is(e, "in"))
        return one_of(x, e);
    if (is(e, "ispresent")) {
        const struct skep_pipe_field *f = source(x, e->args[0]);
        uint32_t odd = 1u << SKEP_TYPE_EMPTY | 1u << SKEP_TYPE_BYTES;
        if (!f || (types_of(x, f) & odd))
            return NULL;
        return new_test(x, plan_name(f), SKEP_CMP_EXISTS, (skep_value){.type = SKEP_TYPE_NULL});
    }
    return comparison(x, e);
}

/* Parts of a conjunction that go down are added to kids; what is left is *ret_rest. */
static void split(struct push *x, const struct skep_calc *e, struct skep_expr **kids, unsigned *n,
                  const struct skep_calc **ret_rest)
{
    *ret_rest = NULL;
    if (!is(e, "and")) {
        struct skep_expr *k = pushed(x, e);
        if (k)
            kids[(*n)++] = k;
        else
            *ret_rest = e;
        return;
    }
    struct skep_calc *left = skep_new(x->a, struct skep_calc);
    *left = *e;
    left->args = skep_new_n(x->a, struct skep_calc *, e->n_args);
    left->n_args = 0;
    for (unsigned i = 0; i < e->n_args; i++) {
        struct skep_expr *k = pushed(x, e->args[i]);
        if (k)
            kids[(*n)++] = k;
        else
            left->args[left->n_args++] = e->args[i];
    }
    if (left->n_args > 0)
        *ret_rest = left;
}

// --- stats -------------------------------------------------------------------------------------

/* The plan's buckets as a group. */
static bool push_bucket(struct push *x, const struct skep_calc *e, struct skep_plan *plan)
{
    const struct skep_pipe_field *f;
    if (!is(e, "datefloor") || (f = source(x, e->args[0])) == NULL || f->what != SKEP_PIPE_TIME)
        return false;
    const struct skep_period *p = e->prepared;
    uint64_t span = (uint64_t)(plan->range.end_ns - plan->range.start_ns);
    if (plan->granularity_ns || p->unit != SKEP_PERIOD_MS || p->n > 86400000 ||
        span / 1000000 / (uint64_t)p->n > SKEP_LIMIT_PLAN_BUCKETS - 2)
        return false;
    plan->granularity_ns = p->n * 1000000;
    return true;
}

static bool push_group(struct push *x, const struct skep_calc *e, struct skep_plan *plan,
                       struct skep_field_ref *ret, bool *ret_bucket)
{
    const struct skep_pipe_field *f = source(x, e);
    uint32_t types = f ? types_of(x, f) : 0;
    bool one = types != 0 && (types & (types - 1)) == 0;
    uint32_t printable = strings | numbers | 1u << SKEP_TYPE_BOOL;
    *ret_bucket = !f && push_bucket(x, e, plan);
    if (*ret_bucket)
        return true;
    if (f && types != UINT32_MAX && one && only(types, printable)) {
        ret->name = plan_name(f);
        return true;
    }
    x->computed = true;
    return skep_pipe__compute_field(&x->compute, e, SKEP_PIPE__AS_IT_IS, &ret->name);
}

/* Does the store measure a field of such types as rows are? */
static bool measured(enum skep_pipe_agg_op op, uint32_t types)
{
    if (types == UINT32_MAX)
        return false;
    if (op == SKEP_PIPE_COUNT)
        return !(types & (1u << SKEP_TYPE_EMPTY | 1u << SKEP_TYPE_BYTES));
    if (op == SKEP_PIPE_COUNT_DISTINCT)
        return types == strings || types == 1u << SKEP_TYPE_INT;
    return only(types, numbers);
}

static bool push_agg(struct push *x, const struct skep_pipe_agg *a, struct skep_agg *ret)
{
    static const struct {
        enum skep_pipe_agg_op op;
        enum skep_agg_op plan;
    } same[] = {
        {SKEP_PIPE_COUNT, SKEP_AGG_COUNT},   {SKEP_PIPE_COUNT_DISTINCT, SKEP_AGG_COUNT_DISTINCT},
        {SKEP_PIPE_SUM, SKEP_AGG_SUM},       {SKEP_PIPE_AVG, SKEP_AGG_AVG},
        {SKEP_PIPE_MIN, SKEP_AGG_MIN},       {SKEP_PIPE_MAX, SKEP_AGG_MAX},
        {SKEP_PIPE_PCT, SKEP_AGG_PERCENTILE}};
    size_t i = 0;
    while (i < SKEP_ARRAY_LEN(same) && same[i].op != a->op)
        i++;
    if (i == SKEP_ARRAY_LEN(same))
        return false;
    *ret = (struct skep_agg){.op = same[i].plan, .param = a->param};
    if (!a->expr)
        return a->op == SKEP_PIPE_COUNT;
    const struct skep_pipe_field *f = source(x, a->expr);
    if (f && measured(a->op, types_of(x, f))) {
        ret->field.name = plan_name(f);
        return true;
    }
    if (a->op == SKEP_PIPE_PCT) /* of what is computed they are exact */
        return false;
    if (a->op == SKEP_PIPE_COUNT_DISTINCT && !skep_pipe__compute_is_text(&x->compute, a->expr))
        return false;
    bool text = a->op == SKEP_PIPE_COUNT_DISTINCT || a->op == SKEP_PIPE_COUNT;
    return skep_pipe__compute_field(
        &x->compute, a->expr, text ? SKEP_PIPE__AS_IT_IS : SKEP_PIPE__AS_NUMBER, &ret->field.name);
}

/* The stage as an AGGREGATE; false when it does not go down. */
static bool push_stats(struct push *x, const struct skep_pipe_stage *s,
                       struct skep_pipe__pushed *ret)
{
    struct skep_plan *plan = &ret->plan;
    struct skep_field_ref *groups = skep_new_n(x->a, struct skep_field_ref, s->n_assigns + 1);
    struct skep_agg *aggs = skep_new_n(x->a, struct skep_agg, s->n_aggs + 1);
    unsigned n_groups = 0;
    bool ok = s->n_aggs < SKEP_LIMIT_PLAN_AGGS && s->n_assigns <= SKEP_LIMIT_PLAN_GROUPS;
    for (unsigned i = 0; ok && i < s->n_assigns; i++) {
        bool bucket;
        ok = push_group(x, s->assigns[i].expr, plan, &groups[n_groups], &bucket);
        if (ok && bucket) {
            ret->bucket_group = skep_new(x->a, unsigned);
            *ret->bucket_group = i;
        } else {
            n_groups++;
        }
    }
    for (unsigned i = 0; ok && i < s->n_aggs; i++)
        ok = push_agg(x, &s->aggs[i], &aggs[i]);
    if (!ok) {
        plan->granularity_ns = 0;
        ret->bucket_group = NULL;
        return false;
    }
    aggs[s->n_aggs] = (struct skep_agg){.op = SKEP_AGG_COUNT}; /* are there rows? */
    for (unsigned i = 0; i <= s->n_aggs; i++)
        aggs[i].key = skep_arena_printf(x->a, "a%u", i);
    plan->kind = SKEP_PLAN_AGGREGATE;
    plan->groups = groups;
    plan->n_groups = n_groups;
    plan->aggs = aggs;
    plan->n_aggs = s->n_aggs + 1;
    plan->limit = SKEP_LIMIT_PLAN_RESULT_GROUPS;
    plan->ignore_sample_rate = true;
    plan->n_columns = 0;
    return true;
}

// --- plans -------------------------------------------------------------------------------------

static bool asks_types(const struct skep_pipe *p)
{
    for (unsigned i = 0; i < p->n_stages; i++)
        if (p->stages[i].op == SKEP_PIPE_FILTER || p->stages[i].op == SKEP_PIPE_STATS)
            return true;
    return false;
}

static void narrow_datasets(struct push *x, struct skep_expr **kids, unsigned *n,
                            struct skep_plan *plan)
{
    const struct skep_pipe *p = x->p;
    static const skep_value log = {.type = SKEP_TYPE_STRING, .s = {"log", 3}};
    kids[(*n)++] = p->rows ? p->rows : new_test(x, SKEP_STR("meta.kind"), SKEP_CMP_EQ, log);
    if (p->n_datasets == 1 && p->n_prefixes == 0)
        plan->dataset = p->datasets[0]; /* whatever its case; below, exactly */
    unsigned total = p->n_datasets + p->n_prefixes;
    if (total == 0)
        return;
    struct skep_expr **any = skep_new_n(x->a, struct skep_expr *, total);
    for (unsigned i = 0; i < total; i++) {
        bool whole = i < p->n_datasets;
        skep_str name = whole ? p->datasets[i] : p->prefixes[i - p->n_datasets];
        any[i] = new_test(x, SKEP_STR("dataset"), whole ? SKEP_CMP_EQ : SKEP_CMP_STARTS,
                          (skep_value){.type = SKEP_TYPE_STRING, .s = name});
    }
    kids[(*n)++] = joined(x, SKEP_EXPR_OR, any, total);
}

/* A sort by the time of the rows is the order they are read in. */
static bool by_time(const struct skep_pipe *p, const struct skep_pipe_stage *s)
{
    if (s->op != SKEP_PIPE_SORT || s->n_sorts != 1)
        return false;
    for (unsigned i = 0; i < p->n_fields; i++)
        if (p->fields[i].slot == s->sorts[0].slot)
            return p->fields[i].what == SKEP_PIPE_TIME;
    return false;
}

/* What is left of the filters among the stages that are run, as tests of computed fields. */
static bool push_rest(struct push *x, const struct skep_pipe__pushed *of, unsigned n_stages,
                      struct skep_expr **kids, unsigned *n)
{
    static const skep_value yes = {.type = SKEP_TYPE_BOOL, .b = true};
    for (unsigned i = 0; i < n_stages; i++) {
        skep_str name;
        if (of->stages[i].op != SKEP_PIPE_FILTER)
            continue;
        /* Parts of a conjunction are fields of their own: each may look at less than all do. */
        const struct skep_calc *cond = of->stages[i].cond;
        unsigned n_parts = is(cond, "and") ? cond->n_args : 1;
        for (unsigned k = 0; k < n_parts; k++) {
            const struct skep_calc *part = is(cond, "and") ? cond->args[k] : cond;
            if (!skep_pipe__compute_field(&x->compute, part, SKEP_PIPE__AS_TRUE, &name))
                return false;
            kids[(*n)++] = new_test(x, name, SKEP_CMP_EQ, yes);
        }
    }
    return true;
}

/* A filter that looks at the store's fields alone may stand before what only computes others, so
 * filters go down over such stages; what they leave stays where it is.  Then stats. */
static void push_stages(struct push *x, struct skep_expr **kids, unsigned *n,
                        struct skep_pipe__pushed *ret)
{
    const struct skep_pipe *p = x->p;
    bool ordered = false;
    unsigned i = 0;
    ret->stages = skep_new_n(x->a, struct skep_pipe_stage, p->n_stages + 1);
    ret->how = skep_new_n(x->a, uint8_t, p->n_stages + 1);
    for (; i < p->n_stages && skep_pipe__keeps_rows(&p->stages[i]); i++) {
        const struct skep_pipe_stage *s = &p->stages[i];
        const struct skep_calc *rest = s->cond;
        if (s->op == SKEP_PIPE_FILTER) {
            split(x, s->cond, kids, n, &rest);
            ret->how[i] = !rest             ? SKEP_PIPE__STORE
                          : rest != s->cond ? SKEP_PIPE__PART
                                            : SKEP_PIPE__ROWS;
        }
        if (s->op == SKEP_PIPE_FILTER && !rest)
            continue;
        ret->stages[ret->n_stages] = *s;
        ret->stages[ret->n_stages++].cond = rest;
    }
    if (i < p->n_stages && by_time(p, &p->stages[i])) {
        ret->plan.oldest_first = !p->stages[i].sorts[0].descending;
        ret->how[i++] = SKEP_PIPE__STORE;
        ordered = true; /* stats behind it see its order: earliest of equal times */
    }
    unsigned front = ret->n_stages;
    for (unsigned k = i; k < p->n_stages; k++)
        ret->stages[ret->n_stages++] = p->stages[k];
    struct skep_expr **row_kids = skep_new_n(x->a, struct skep_expr *, *n + 1);
    unsigned n_rows = *n;
    memcpy(row_kids, kids, *n * sizeof *row_kids);
    ret->row_filter = joined(x, SKEP_EXPR_AND, row_kids, n_rows);
    if (i == p->n_stages || p->stages[i].op != SKEP_PIPE_STATS || ordered)
        return;
    if (!push_rest(x, ret, front, kids, n) || !push_stats(x, &p->stages[i], ret)) {
        *n = n_rows;
        return;
    }
    ret->aggregate = true;
    ret->computed = x->computed;
    ret->plan.computed = x->compute.computed;
    ret->plan.n_computed = x->compute.n_computed;
    ret->stats = &p->stages[i];
    memset(ret->how, SKEP_PIPE__STORE, i + 1); /* what stood before computes what nobody sees */
    ret->row_stages = ret->stages;
    ret->n_row_stages = ret->n_stages;
    ret->stages += front + 1;
    ret->n_stages -= front + 1;
}

skep_rc skep_pipe__pushdown(struct skep_store *store, const struct skep_pipe *p,
                            const struct skep_run_opts *opts, struct skep_pipe__pushed *ret,
                            skep_err *err)
{
    struct push x = {.p = p, .a = opts->arena};
    unsigned n = 0;
    skep_pipe__compute_begin(&x.compute, p, opts->arena);
    *ret = (struct skep_pipe__pushed){.plan = {.kind = SKEP_PLAN_ROWS,
                                               .range = p->range,
                                               .computed = p->computed,
                                               .n_computed = p->n_computed,
                                               .bare = true}};
    if (asks_types(p)) {
        struct skep_plan fields = {.kind = SKEP_PLAN_FIELDS, .range = p->range};
        fields.range.start_ns -= p->earlier_ns; /* whatever types rows of either period have */
        struct skep_answer a = {0};
        struct skep_run_opts o = *opts;
        o.progress = NULL;
        o.also = NULL;
        SKEP_TRY(skep_query_run(store, &fields, &o, &a, err));
        x.types = a.fields;
    }
    skep_pipe__columns(p, opts->arena, &ret->plan);
    struct skep_expr **kids = skep_new_n(opts->arena, struct skep_expr *,
                                         SKEP_LIMIT_PIPE_STAGES * (SKEP_LIMIT_CALC_ARGS + 2) + 3);
    narrow_datasets(&x, kids, &n, &ret->plan);
    struct skep_expr **scope = skep_new_n(opts->arena, struct skep_expr *, n);
    memcpy(scope, kids, n * sizeof *scope);
    ret->scope = joined(&x, SKEP_EXPR_AND, scope, n);
    push_stages(&x, kids, &n, ret);
    ret->plan.filter = joined(&x, SKEP_EXPR_AND, kids, n);
    if (ret->aggregate && skep_plan_check(&ret->plan, NULL) != SKEP_OK)
        skep_pipe__no_aggregate(p, opts->arena, ret); /* very many tests or groups */
    return SKEP_OK;
}

void skep_pipe__no_aggregate(const struct skep_pipe *p, struct skep_arena *a,
                             struct skep_pipe__pushed *pushed)
{
    skep_assert(pushed->aggregate);
    pushed->aggregate = false;
    pushed->stages = pushed->row_stages;
    pushed->n_stages = pushed->n_row_stages;
    pushed->plan = (struct skep_plan){.kind = SKEP_PLAN_ROWS,
                                      .bare = true,
                                      .range = pushed->plan.range,
                                      .dataset = pushed->plan.dataset,
                                      .computed = p->computed,
                                      .n_computed = p->n_computed,
                                      .filter = pushed->row_filter};
    skep_pipe__columns(p, a, &pushed->plan);
}
