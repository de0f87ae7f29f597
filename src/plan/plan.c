// SPDX-License-Identifier: Apache-2.0
/* Checks of a plan against its own rules, and the names of aggregates.
 *
 * A plan is built by a language out of what a client sent, so everything wrong in it is a data
 * error (SKEP_EINVAL with the place), never an assertion.  The engines rely on what is checked
 * here:
 *
 * I1  every index (orders, havings) is in range;
 * I2  a filter is at most SKEP_LIMIT_PLAN_DEPTH deep and holds at most SKEP_LIMIT_PLAN_TESTS tests
 *     together with the aggregates' own filters, so recursion over it is bounded;
 * I3  a test has the number of values that its operator takes;
 * I4  a plan has at most SKEP_LIMIT_PLAN_RELATIONS relations; a test is of the row, its root or its
 *     parent, a group or aggregate of one of those, a child or any span;
 * I5  the range is not empty and, with a granularity, has at most SKEP_LIMIT_PLAN_BUCKETS buckets.
 * I6  a computed field takes stored ones and such that stand before it, at most
 *     SKEP_LIMIT_PLAN_NESTED deep; a formula takes aggregates that are a number.
 *
 * Threads: any.  Memory: none. */
#include "plan/plan.h"

#include "base/assert.h"

#include <math.h>

bool skep_field_same(const struct skep_field_ref *a, const struct skep_field_ref *b)
{
    return a->relation == b->relation && a->on == b->on && skep_str_eq(a->name, b->name) &&
           a->cases == b->cases && a->n_cases == b->n_cases;
}

bool skep_cmp_negative(enum skep_cmp op)
{
    return op == SKEP_CMP_NE || op == SKEP_CMP_NOT_STARTS || op == SKEP_CMP_NOT_ENDS ||
           op == SKEP_CMP_NOT_CONTAINS || op == SKEP_CMP_NOT_EXISTS || op == SKEP_CMP_NOT_MATCHES;
}

enum skep_cmp skep_cmp_positive(enum skep_cmp op)
{
    switch (op) {
    case SKEP_CMP_NE: return SKEP_CMP_EQ;
    case SKEP_CMP_NOT_STARTS: return SKEP_CMP_STARTS;
    case SKEP_CMP_NOT_ENDS: return SKEP_CMP_ENDS;
    case SKEP_CMP_NOT_CONTAINS: return SKEP_CMP_CONTAINS;
    case SKEP_CMP_NOT_EXISTS: return SKEP_CMP_EXISTS;
    case SKEP_CMP_NOT_MATCHES: return SKEP_CMP_MATCHES;
    case SKEP_CMP_MATCHES:
    case SKEP_CMP_EQ:
    case SKEP_CMP_LT:
    case SKEP_CMP_LE:
    case SKEP_CMP_GT:
    case SKEP_CMP_GE:
    case SKEP_CMP_STARTS:
    case SKEP_CMP_ENDS:
    case SKEP_CMP_CONTAINS:
    case SKEP_CMP_EXISTS:
    case SKEP_CMP_COUNT:
    default: return op;
    }
}

static bool order_cmp(enum skep_cmp op)
{
    return op == SKEP_CMP_LT || op == SKEP_CMP_LE || op == SKEP_CMP_GT || op == SKEP_CMP_GE;
}

enum {
    WALKED_MAX = 20 * SKEP_LIMIT_PLAN_TESTS, /* work on shared expressions */
    SEEN_MAX = 512
};

/* What is counted while walking a plan. */
struct counts {
    unsigned tests, relations, walked, n_seen;
    const struct skep_expr *seen[SEEN_MAX];    /* which do not count again; some of them */
    const void *of[SKEP_LIMIT_PLAN_RELATIONS]; /* whose relations were counted */
};

/* The relation of a test, an expression or a field, which counts once wherever it stands. */
static skep_rc add_relation(struct counts *n, const void *of, skep_err *err)
{
    for (unsigned i = 0; i < n->relations; i++)
        if (n->of[i] == of)
            return SKEP_OK;
    if (n->relations == SKEP_LIMIT_PLAN_RELATIONS)
        return skep_fail(err, SKEP_EINVAL, "more than %d relations to other spans",
                         SKEP_LIMIT_PLAN_RELATIONS);
    n->of[n->relations++] = of;
    return SKEP_OK;
}

static skep_rc check_test(const struct skep_test *t, struct counts *n, skep_err *err)
{
    if (t->field.relation != SKEP_REL_SELF) {
        if (t->field.relation != SKEP_REL_ROOT && t->field.relation != SKEP_REL_PARENT)
            return skep_fail(err, SKEP_EINVAL,
                             "filter: a test of neither the row, root nor parent");
        SKEP_TRY(add_relation(n, t, err));
    }
    if ((unsigned)t->op >= SKEP_CMP_COUNT)
        return skep_fail(err, SKEP_EINVAL, "filter: unknown operator %d", (int)t->op);
    if (t->field.name.n == 0)
        return skep_fail(err, SKEP_EINVAL, "filter: a test without a field");
    bool contains = t->op == SKEP_CMP_CONTAINS || t->op == SKEP_CMP_NOT_CONTAINS;
    if (skep_str_eq(t->field.name, SKEP_STR("*")) && !contains)
        return skep_fail(err, SKEP_EINVAL, "filter: field * takes contains only");
    if (t->op == SKEP_CMP_EXISTS || t->op == SKEP_CMP_NOT_EXISTS)
        return SKEP_OK;
    bool matches = t->op == SKEP_CMP_MATCHES || t->op == SKEP_CMP_NOT_MATCHES;
    if (matches && (t->n_values != 1 || !t->matcher || !t->matcher->passes))
        return skep_fail(err, SKEP_EINVAL, "filter on " SKEP_STRFMT ": a match is of one text",
                         SKEP_STRARG(t->field.name));
    if (t->n_values == 0 || !t->values)
        return skep_fail(err, SKEP_EINVAL, "filter on " SKEP_STRFMT ": no value",
                         SKEP_STRARG(t->field.name));
    if (t->n_values > SKEP_LIMIT_PLAN_VALUES)
        return skep_fail(err, SKEP_EINVAL, "filter on " SKEP_STRFMT ": more than %d values",
                         SKEP_STRARG(t->field.name), SKEP_LIMIT_PLAN_VALUES);
    if (order_cmp(t->op) && t->n_values != 1)
        return skep_fail(err, SKEP_EINVAL, "filter on " SKEP_STRFMT ": < <= > >= take one value",
                         SKEP_STRARG(t->field.name));
    for (unsigned i = 0; i < t->n_values; i++) {
        if ((unsigned)t->values[i].type >= SKEP_TYPE_COUNT)
            return skep_fail(err, SKEP_EINVAL, "filter on " SKEP_STRFMT ": unknown type of value",
                             SKEP_STRARG(t->field.name));
        bool string_op = !order_cmp(t->op) && t->op != SKEP_CMP_EQ && t->op != SKEP_CMP_NE;
        if (string_op && t->values[i].type != SKEP_TYPE_STRING)
            return skep_fail(err, SKEP_EINVAL, "filter on " SKEP_STRFMT ": operator takes strings",
                             SKEP_STRARG(t->field.name));
    }
    return SKEP_OK;
}

static bool seen(struct counts *n, const struct skep_expr *e)
{
    for (unsigned i = 0; i < n->n_seen; i++)
        if (n->seen[i] == e)
            return true;
    if (n->n_seen < SEEN_MAX)
        n->seen[n->n_seen++] = e;
    return false;
}

/* Recursion ends at SKEP_LIMIT_PLAN_DEPTH (I2); whoever walks over expressions as they stand has
 * WALKED_MAX steps at most. */
static skep_rc check_expr(const struct skep_expr *e, unsigned depth, struct counts *n,
                          skep_err *err)
{
    if (!e)
        return skep_fail(err, SKEP_EINVAL, "filter: a missing operand");
    if (depth > SKEP_LIMIT_PLAN_DEPTH)
        return skep_fail(err, SKEP_EINVAL, "filter: deeper than %d", SKEP_LIMIT_PLAN_DEPTH);
    n->tests += !seen(n, e);
    if (n->tests > SKEP_LIMIT_PLAN_TESTS * 2 || ++n->walked > WALKED_MAX)
        return skep_fail(err, SKEP_EINVAL, "filter: more than %d tests", SKEP_LIMIT_PLAN_TESTS);
    switch (e->op) {
    case SKEP_EXPR_TRUE: return SKEP_OK;
    case SKEP_EXPR_TEST: return check_test(&e->test, n, err);
    case SKEP_EXPR_RELATED:
        if (e->relation <= SKEP_REL_SELF || (unsigned)e->relation >= SKEP_REL_COUNT)
            return skep_fail(err, SKEP_EINVAL, "filter: unknown relation %d", (int)e->relation);
        SKEP_TRY(add_relation(n, e, err));
        if (e->n_kids != 1)
            return skep_fail(err, SKEP_EINVAL, "filter: a relation takes one operand");
        break;
    case SKEP_EXPR_LASTS:
        if ((e->test.op != SKEP_CMP_EQ && !order_cmp(e->test.op)) || e->test.n_values != 1 ||
            !e->test.values ||
            (e->test.values[0].type != SKEP_TYPE_INT && e->test.values[0].type != SKEP_TYPE_DOUBLE))
            return skep_fail(err, SKEP_EINVAL, "filter: a trace lasts = < <= > >= one number");
        return add_relation(n, e, err);
    case SKEP_EXPR_SAME:
        if (e->same.relation != SKEP_REL_ROOT && e->same.relation != SKEP_REL_PARENT)
            return skep_fail(err, SKEP_EINVAL, "filter: the same as neither root nor parent");
        if (e->same.name.n == 0 || e->same.on || e->same.n_cases > 0)
            return skep_fail(err, SKEP_EINVAL, "filter: the same of no field");
        return add_relation(n, e, err);
    case SKEP_EXPR_NOT:
        if (e->n_kids != 1)
            return skep_fail(err, SKEP_EINVAL, "filter: NOT takes one operand");
        break;
    case SKEP_EXPR_AND:
    case SKEP_EXPR_OR:
        if (e->n_kids == 0)
            return skep_fail(err, SKEP_EINVAL, "filter: AND, OR take operands");
        break;
    default: return skep_fail(err, SKEP_EINVAL, "filter: unknown node %d", (int)e->op);
    }
    for (unsigned i = 0; i < e->n_kids; i++)
        SKEP_TRY(check_expr(e->kids[i], depth + 1, n, err));
    return SKEP_OK;
}

/* A field of a group or aggregate. */
static skep_rc check_field(const struct skep_field_ref *f, struct counts *n, skep_err *err)
{
    bool many = f->relation == SKEP_REL_CHILD || f->relation == SKEP_REL_ANY;
    bool one = f->relation == SKEP_REL_ROOT || f->relation == SKEP_REL_PARENT;
    if (f->relation != SKEP_REL_SELF) {
        if (!many && !one)
            return skep_fail(err, SKEP_EINVAL,
                             "a field of neither root, parent, child nor any span");
        if (f->on && !many)
            return skep_fail(err, SKEP_EINVAL, "a root or parent takes no condition");
        SKEP_TRY(add_relation(n, f, err));
    }
    return f->on ? check_expr(f->on, 1, n, err) : SKEP_OK;
}

static skep_rc check_group(const struct skep_field_ref *f, struct counts *n, skep_err *err)
{
    if (f->n_cases > SKEP_LIMIT_PLAN_CASES)
        return skep_fail(err, SKEP_EINVAL, "a group of more than %d cases", SKEP_LIMIT_PLAN_CASES);
    for (unsigned i = 0; i < f->n_cases; i++)
        SKEP_TRY(check_expr(f->cases[i], 1, n, err));
    return check_field(f, n, err);
}

static skep_rc check_agg(const struct skep_agg *a, struct counts *n, skep_err *err)
{
    if ((unsigned)a->op >= SKEP_AGG_OP_COUNT)
        return skep_fail(err, SKEP_EINVAL, "unknown aggregate %d", (int)a->op);
    skep_str name = skep_agg_op_name(a->op, a->param);
    bool has_field = a->field.name.n > 0;
    if (a->op == SKEP_AGG_CONCURRENCY && has_field)
        return skep_fail(err, SKEP_EINVAL, "CONCURRENCY takes no field");
    if (a->op != SKEP_AGG_COUNT && a->op != SKEP_AGG_CONCURRENCY && !has_field)
        return skep_fail(err, SKEP_EINVAL, SKEP_STRFMT " needs a field", SKEP_STRARG(name));
    if (a->op == SKEP_AGG_PERCENTILE && !(a->param >= 0 && a->param <= 100))
        return skep_fail(err, SKEP_EINVAL, "percentile outside 0..100");
    if (a->op == SKEP_AGG_HEATMAP && a->heat_bins > SKEP_LIMIT_PLAN_HEAT_BINS)
        return skep_fail(err, SKEP_EINVAL, "heatmap of more than %d bins",
                         SKEP_LIMIT_PLAN_HEAT_BINS);
    if (a->field.n_cases > 0 || (a->field.relation == SKEP_REL_SELF && a->field.on))
        return skep_fail(err, SKEP_EINVAL, "an aggregate takes a field as it is");
    SKEP_TRY(check_field(&a->field, n, err));
    return a->filter ? check_expr(a->filter, 1, n, err) : SKEP_OK;
}

static skep_rc check_range(const struct skep_plan *p, skep_err *err)
{
    if (p->range.end_ns <= p->range.start_ns)
        return skep_fail(err, SKEP_EINVAL, "empty time range");
    if (p->granularity_ns < 0)
        return skep_fail(err, SKEP_EINVAL, "negative granularity");
    if (p->granularity_ns > 0) {
        uint64_t span = (uint64_t)p->range.end_ns - (uint64_t)p->range.start_ns;
        if (span / (uint64_t)p->granularity_ns > SKEP_LIMIT_PLAN_BUCKETS - 2)
            return skep_fail(err, SKEP_EINVAL, "more than %d time buckets: coarser granularity",
                             SKEP_LIMIT_PLAN_BUCKETS);
    }
    return SKEP_OK;
}

static skep_rc check_results(const struct skep_plan *p, skep_err *err)
{
    for (unsigned i = 0; i < p->n_orders; i++) {
        const struct skep_order *o = &p->orders[i];
        if (o->index >= (o->by_agg ? p->n_aggs + p->n_formulas : p->n_groups))
            return skep_fail(err, SKEP_EINVAL, "order %u names no column of the result", i);
        if (o->by_agg && o->index < p->n_aggs && p->aggs[o->index].op == SKEP_AGG_HEATMAP)
            return skep_fail(err, SKEP_EINVAL, "a HEATMAP gives no order");
    }
    for (unsigned i = 0; i < p->n_havings; i++) {
        const struct skep_having *h = &p->havings[i];
        if (h->agg >= p->n_aggs + p->n_formulas)
            return skep_fail(err, SKEP_EINVAL, "having %u names no aggregate", i);
        if (h->agg < p->n_aggs && p->aggs[h->agg].op == SKEP_AGG_HEATMAP)
            return skep_fail(err, SKEP_EINVAL, "having: a HEATMAP has no value");
        if (!order_cmp(h->op) && h->op != SKEP_CMP_EQ && h->op != SKEP_CMP_NE)
            return skep_fail(err, SKEP_EINVAL, "having takes = != < <= > >=");
        if (!isfinite(h->value))
            return skep_fail(err, SKEP_EINVAL, "having takes a finite number");
    }
    if (p->limit > SKEP_LIMIT_PLAN_RESULT_GROUPS)
        return skep_fail(err, SKEP_EINVAL, "more than %d groups", SKEP_LIMIT_PLAN_RESULT_GROUPS);
    return SKEP_OK;
}

static skep_rc check_formulas(const struct skep_plan *p, skep_err *err)
{
    if (p->n_formulas > SKEP_LIMIT_PLAN_AGGS)
        return skep_fail(err, SKEP_EINVAL, "more than %d formulas", SKEP_LIMIT_PLAN_AGGS);
    for (unsigned i = 0; i < p->n_formulas; i++) {
        const struct skep_formula *f = &p->formulas[i];
        if (!f->calc || f->n_aggs > SKEP_LIMIT_PLAN_AGGS)
            return skep_fail(err, SKEP_EINVAL, "formula %u is none", i);
        for (unsigned k = 0; k < f->n_aggs; k++)
            if (f->aggs[k] >= p->n_aggs || p->aggs[f->aggs[k]].op == SKEP_AGG_HEATMAP)
                return skep_fail(err, SKEP_EINVAL, "formula %u takes what is no number", i);
    }
    return SKEP_OK;
}

static skep_rc check_aggregate(const struct skep_plan *p, struct counts *n, skep_err *err)
{
    if (p->n_aggs == 0 || p->n_aggs > SKEP_LIMIT_PLAN_AGGS)
        return skep_fail(err, SKEP_EINVAL, "1 to %d aggregates", SKEP_LIMIT_PLAN_AGGS);
    if (p->n_groups > SKEP_LIMIT_PLAN_GROUPS)
        return skep_fail(err, SKEP_EINVAL, "more than %d groups", SKEP_LIMIT_PLAN_GROUPS);
    if (p->n_orders > SKEP_LIMIT_PLAN_AGGS || p->n_havings > SKEP_LIMIT_PLAN_AGGS)
        return skep_fail(err, SKEP_EINVAL, "more than %d orders or havings", SKEP_LIMIT_PLAN_AGGS);
    for (unsigned i = 0; i < p->n_groups; i++) {
        if (p->groups[i].name.n == 0)
            return skep_fail(err, SKEP_EINVAL, "group %u names no field", i);
        SKEP_TRY(check_group(&p->groups[i], n, err));
    }
    for (unsigned i = 0; i < p->n_aggs; i++)
        SKEP_TRY(check_agg(&p->aggs[i], n, err));
    SKEP_TRY(check_formulas(p, err));
    return check_results(p, err);
}

static skep_rc check_facets(const struct skep_plan *p, struct counts *n, skep_err *err)
{
    if (!p->selection)
        return skep_fail(err, SKEP_EINVAL, "no selection to compare by");
    if (p->n_groups == 0 || p->n_groups > SKEP_LIMIT_PLAN_GROUPS)
        return skep_fail(err, SKEP_EINVAL, "1 to %d fields are compared", SKEP_LIMIT_PLAN_GROUPS);
    if (p->limit > SKEP_LIMIT_PLAN_RESULT_GROUPS)
        return skep_fail(err, SKEP_EINVAL, "limit over %d", SKEP_LIMIT_PLAN_RESULT_GROUPS);
    for (unsigned i = 0; i < p->n_groups; i++)
        if (p->groups[i].name.n == 0 || p->groups[i].relation != SKEP_REL_SELF || p->groups[i].on ||
            p->groups[i].n_cases > 0)
            return skep_fail(err, SKEP_EINVAL, "field %u is none of the row's own", i);
    return check_expr(p->selection, 1, n, err);
}

const struct skep_computed *skep_plan_computed(const struct skep_plan *p, skep_str name)
{
    for (unsigned i = 0; i < p->n_computed; i++)
        if (skep_str_eq(p->computed[i].name, name))
            return &p->computed[i];
    return NULL;
}

static skep_rc check_inputs(const struct skep_plan *p, unsigned at, unsigned *levels, skep_err *err)
{
    const struct skep_computed *c = &p->computed[at];
    for (unsigned k = 0; k < c->n_inputs; k++) {
        if (c->inputs[k].what != SKEP_COMPUTED_FIELD)
            continue;
        if (c->inputs[k].name.n == 0)
            return skep_fail(err, SKEP_EINVAL, "computed field %u takes a field without a name",
                             at);
        const struct skep_computed *of = skep_plan_computed(p, c->inputs[k].name);
        if (of && of >= c)
            return skep_fail(err, SKEP_EINVAL, SKEP_STRFMT " is computed of what stands behind it",
                             SKEP_STRARG(c->name));
        if (of)
            levels[at] = SKEP_MAX(levels[at], 1 + levels[of - p->computed]);
    }
    if (levels[at] > SKEP_LIMIT_PLAN_NESTED)
        return skep_fail(err, SKEP_EINVAL, SKEP_STRFMT " is computed of fields nested over %d deep",
                         SKEP_STRARG(c->name), SKEP_LIMIT_PLAN_NESTED);
    return SKEP_OK;
}

static skep_rc check_computed(const struct skep_plan *p, skep_err *err)
{
    unsigned levels[SKEP_LIMIT_PLAN_COMPUTED] = {0};
    if (p->n_computed > SKEP_LIMIT_PLAN_COMPUTED)
        return skep_fail(err, SKEP_EINVAL, "more than %d computed fields",
                         SKEP_LIMIT_PLAN_COMPUTED);
    for (unsigned i = 0; i < p->n_computed; i++) {
        const struct skep_computed *c = &p->computed[i];
        if (c->name.n == 0 || !c->calc || c->n_inputs > SKEP_LIMIT_PLAN_INPUTS)
            return skep_fail(err, SKEP_EINVAL, "computed field %u is none", i);
        if (skep_plan_computed(p, c->name) != c)
            return skep_fail(err, SKEP_EINVAL, SKEP_STRFMT " is computed twice",
                             SKEP_STRARG(c->name));
        SKEP_TRY(check_inputs(p, i, levels, err));
    }
    return SKEP_OK;
}

bool skep_plan_shows_own(const struct skep_plan *p)
{
    skep_str begin = SKEP_STR("_skep");
    if (p->kind == SKEP_PLAN_TRACE || p->kind == SKEP_PLAN_ROW)
        return true;
    return p->dataset.n >= begin.n && skep_str_ieq((skep_str){p->dataset.p, begin.n}, begin);
}

skep_rc skep_plan_check(const struct skep_plan *p, skep_err *err)
{
    skep_assert(p != NULL);
    if ((unsigned)p->kind > SKEP_PLAN_FACETS)
        return skep_fail(err, SKEP_EINVAL, "unknown kind of plan %d", (int)p->kind);
    if (p->kind != SKEP_PLAN_TRACE && p->kind != SKEP_PLAN_ROW)
        SKEP_TRY(check_range(p, err));
    SKEP_TRY(check_computed(p, err));
    struct counts n = {0};
    if (p->filter)
        SKEP_TRY(check_expr(p->filter, 1, &n, err));
    if (p->kind == SKEP_PLAN_AGGREGATE)
        return check_aggregate(p, &n, err);
    if (p->kind == SKEP_PLAN_FACETS)
        SKEP_TRY(check_facets(p, &n, err));
    if (p->limit > SKEP_LIMIT_PLAN_ROWS)
        return skep_fail(err, SKEP_EINVAL, "limit over %d", SKEP_LIMIT_PLAN_ROWS);
    if (p->only_present && p->n_columns > SKEP_LIMIT_PLAN_PRESENT)
        return skep_fail(err, SKEP_EINVAL, "more than %d columns with only_present",
                         SKEP_LIMIT_PLAN_PRESENT);
    for (unsigned i = 0; i < p->n_columns; i++)
        if (p->columns[i].name.n == 0)
            return skep_fail(err, SKEP_EINVAL, "column %u names no field", i);
    for (unsigned i = 0; i < p->n_columns; i++)
        if (p->columns[i].relation != SKEP_REL_SELF)
            return skep_fail(err, SKEP_EINVAL, "column %u: rows list their own fields alone", i);
    return SKEP_OK;
}

static const struct percentile {
    skep_str name;
    double param;
} percentiles[] = {
    {{"P001", 4}, 0.1}, {{"P01", 3}, 1},  {{"P05", 3}, 5},     {{"P10", 3}, 10}, {{"P20", 3}, 20},
    {{"P25", 3}, 25},   {{"P50", 3}, 50}, {{"P75", 3}, 75},    {{"P80", 3}, 80}, {{"P90", 3}, 90},
    {{"P95", 3}, 95},   {{"P99", 3}, 99}, {{"P999", 4}, 99.9},
};

static const skep_str op_names[SKEP_AGG_OP_COUNT] = {
    [SKEP_AGG_COUNT] = {"COUNT", 5},
    [SKEP_AGG_SUM] = {"SUM", 3},
    [SKEP_AGG_AVG] = {"AVG", 3},
    [SKEP_AGG_MIN] = {"MIN", 3},
    [SKEP_AGG_MAX] = {"MAX", 3},
    [SKEP_AGG_COUNT_DISTINCT] = {"COUNT_DISTINCT", 14},
    [SKEP_AGG_PERCENTILE] = {"PERCENTILE", 10},
    [SKEP_AGG_HEATMAP] = {"HEATMAP", 7},
    [SKEP_AGG_RATE_AVG] = {"RATE_AVG", 8},
    [SKEP_AGG_RATE_SUM] = {"RATE_SUM", 8},
    [SKEP_AGG_RATE_MAX] = {"RATE_MAX", 8},
    [SKEP_AGG_CONCURRENCY] = {"CONCURRENCY", 11},
};

skep_str skep_agg_op_name(enum skep_agg_op op, double param)
{
    skep_assert((unsigned)op < SKEP_AGG_OP_COUNT);
    if (op == SKEP_AGG_PERCENTILE) {
        for (size_t i = 0; i < SKEP_ARRAY_LEN(percentiles); i++)
            if (fabs(percentiles[i].param - param) < 1e-9)
                return percentiles[i].name;
    }
    return op_names[op];
}

bool skep_agg_op_parse(skep_str name, enum skep_agg_op *ret_op, double *ret_param)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(percentiles); i++) {
        if (skep_str_eq(percentiles[i].name, name)) {
            *ret_op = SKEP_AGG_PERCENTILE;
            *ret_param = percentiles[i].param;
            return true;
        }
    }
    for (unsigned op = 0; op < SKEP_AGG_OP_COUNT; op++) {
        if (op != SKEP_AGG_PERCENTILE && skep_str_eq(op_names[op], name)) {
            *ret_op = (enum skep_agg_op)op;
            *ret_param = 0;
            return true;
        }
    }
    return false;
}
