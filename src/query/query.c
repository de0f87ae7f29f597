// SPDX-License-Identifier: Apache-2.0
/* Answering AGGREGATE plans: how many passes, and what each asks.
 *
 *   one pass     (group, bucket) cells; values and totals are merged from the buckets
 *   two passes   when there are more than CELLS_MAX cells: first totals of all groups, which gives
 *                the order and the groups to keep; then buckets of those groups alone, and buckets
 * of everything for the totals before them  min and max for linear heatmaps that do not say their
 * range
 *
 * I1  Both ways give the same bits: every value is a function of the multiset of rows (agg/agg.h).
 *     (Rows that arrive between the passes are in the later ones only.)
 *
 * A plan that orders or filters by a rate needs the buckets of every group, so it is never cut in
 * two; the budget alone decides.  Threads: the caller's; blocks.  Memory: the budget; answers in
 * opts->arena. */
#include "query/query.h"

#include "base/assert.h"
#include "base/mem.h"
#include "os/os.h"
#include "query/query_priv.h"

#include <math.h>

enum { CELLS_MAX = 250000, EXACT_ALONE = 262144 };

static skep_rc run(struct skep_query_job *j, const struct skep_plan *plan,
                   struct skep_query_cells *ret, skep_err *err)
{
    struct skep_answer answer = {0};
    j->run_opts = *j->opts;
    /* The groups that are asked for by name all stay. */
    j->run_opts.select = plan->n_only_groups == 0 ? skep_query__select : NULL;
    j->run_opts.most = j->run_opts.select ? skep_query__most(plan) : 0;
    SKEP_TRY(skep_store_run(j->store, plan, &j->run_opts, &answer, err));
    skep_assert(answer.partial != NULL);
    j->rows_examined += answer.rows_examined;
    j->estimated = j->estimated || answer.partial->estimated;
    if (!answer.complete && j->complete) {
        j->complete = false;
        j->missing = answer.missing;
    }
    skep_rc rc = skep_query__cells(j, answer.partial, ret, err);
    ret->whole = answer.whole;
    ret->n_groups = answer.n_groups;
    return rc;
}

static bool linear_without_range(const struct skep_agg *a)
{
    return a->op == SKEP_AGG_HEATMAP && a->heat_scale == SKEP_HEAT_LINEAR &&
           !(a->heat_max > a->heat_min);
}

static double number_of(const struct skep_agg_value *v)
{
    return v->kind == SKEP_AGG_INT ? (double)v->i : v->kind == SKEP_AGG_DOUBLE ? v->f : 0;
}

static void set_range(struct skep_agg *a, const struct skep_agg_value *min,
                      const struct skep_agg_value *max)
{
    double lo = number_of(min), hi = number_of(max);
    lo = isfinite(lo) ? lo : -1e308;
    hi = isfinite(hi) ? hi : 1e308;
    if (!(hi > lo)) { /* one value, or none: a range around it */
        double width = SKEP_MAX(fabs(lo) * 0x1p-20, 1.0);
        hi = lo + width;
    }
    a->heat_min = lo;
    a->heat_max = hi;
}

/* Find min and max of the fields of linear heatmaps. */
static skep_rc linear_ranges(struct skep_query_job *j, skep_err *err)
{
    unsigned n = 0;
    struct skep_agg *aggs = skep_new_n(j->opts->arena, struct skep_agg, 2 * (size_t)j->plan.n_aggs);
    struct skep_plan *p = skep_new(j->opts->arena, struct skep_plan);
    for (unsigned a = 0; a < j->plan.n_aggs; a++) {
        if (!linear_without_range(&j->aggs[a]))
            continue;
        aggs[n] = (struct skep_agg){
            .op = SKEP_AGG_MIN, .field = j->aggs[a].field, .filter = j->aggs[a].filter};
        aggs[n + 1] = aggs[n];
        aggs[n + 1].op = SKEP_AGG_MAX;
        n += 2;
    }
    if (n == 0)
        return SKEP_OK;
    *p = j->plan;
    p->n_groups = 0;
    p->granularity_ns = 0;
    p->n_orders = 0;
    p->n_havings = 0;
    p->n_formulas = 0; /* of aggregates that are not asked for here */
    p->n_aggs = SKEP_MIN(n, (unsigned)SKEP_LIMIT_PLAN_AGGS);
    struct skep_agg_value values[2 * SKEP_LIMIT_PLAN_AGGS] = {{0}};
    for (unsigned from = 0; from < n; from += SKEP_LIMIT_PLAN_AGGS) {
        struct skep_query_cells cells = {0};
        p->aggs = aggs + from;
        p->n_aggs = SKEP_MIN(n - from, (unsigned)SKEP_LIMIT_PLAN_AGGS);
        skep_rc rc = run(j, p, &cells, err);
        for (unsigned a = 0; rc == SKEP_OK && cells.p->cells.n > 0 && a < p->n_aggs; a++)
            skep_agg_ops(p->aggs[a].op)
                ->finish(&p->aggs[a], skep_partial_state(cells.p, cells.p->state_of[a], 0), 1,
                         &values[from + a]);
        skep_query__cells_done(j, &cells);
        SKEP_TRY(rc);
    }
    n = 0;
    for (unsigned a = 0; a < j->plan.n_aggs; a++) {
        if (!linear_without_range(&j->aggs[a]))
            continue;
        set_range(&j->aggs[a], &values[n], &values[n + 1]);
        n += 2;
    }
    return SKEP_OK;
}

/* Is the value a rate, or made of one? */
static bool is_rate(const struct skep_plan *p, unsigned value)
{
    if (value < p->n_aggs)
        return skep_agg_ops(p->aggs[value].op)->rate;
    const struct skep_formula *f = &p->formulas[value - p->n_aggs];
    for (unsigned i = 0; i < f->n_aggs; i++)
        if (is_rate(p, f->aggs[i]))
            return true;
    return false;
}

static bool may_cut(const struct skep_plan *p)
{
    if (p->n_groups == 0 || p->granularity_ns == 0)
        return false;
    for (unsigned i = 0; i < p->n_orders; i++)
        if (p->orders[i].by_agg && is_rate(p, p->orders[i].index))
            return false;
    for (unsigned i = 0; i < p->n_havings; i++)
        if (is_rate(p, p->havings[i].agg))
            return false;
    return p->n_orders > 0 || !is_rate(p, skep_plan_first_value(p));
}

static skep_rc two_passes(struct skep_query_job *j, skep_err *err)
{
    struct skep_plan *totals = &j->pass_plans[0], *series = &j->pass_plans[1];
    struct skep_plan *all = &j->pass_plans[2];
    *totals = j->plan;
    totals->granularity_ns = 0;
    totals->max_cells = 0;
    SKEP_TRY(run(j, totals, &j->totals_only, err));
    int64_t granularity_ns = j->plan.granularity_ns;
    j->plan.granularity_ns = 0; /* no buckets to take rates from yet */
    skep_rc rc = skep_query__order(j, &j->totals_only, err);
    j->plan.granularity_ns = granularity_ns;
    SKEP_TRY(rc);
    *series = j->plan;
    series->max_cells = 0;
    size_t n_keys = (j->n_groups + 1) * j->plan.n_groups;
    skep_value *keys = skep_arena_try_alloc(j->opts->arena, n_keys * sizeof *keys);
    if (!keys)
        return skep_query__no_memory(err);
    for (size_t g = 0; g < j->n_groups; g++)
        skep_query__keys(j->totals_only.p, j->groups[g].tuple, keys + g * j->plan.n_groups);
    series->only_groups = keys;
    series->n_only_groups = SKEP_MAX(j->n_groups, 1u); /* keys[0] is "absent" when none is kept */
    SKEP_TRY(run(j, series, &j->series, err));
    *all = j->plan;
    all->max_cells = 0;
    all->n_groups = 0;
    all->n_orders = 0;
    all->n_havings = 0;
    return run(j, all, &j->all_series, err);
}

static skep_rc answer(struct skep_query_job *j, struct skep_result **ret, skep_err *err)
{
    SKEP_TRY(linear_ranges(j, err));
    bool rates = false;
    for (unsigned a = 0; a < j->plan.n_aggs; a++)
        rates = rates || is_rate(&j->plan, a);
    if (rates && j->plan.granularity_ns == 0) {
        j->plan.granularity_ns = skep_query_auto_granularity(j->plan.range);
        j->hidden_series = true;
    }
    /* One cell alone may hold a larger set than each of many. */
    if (j->plan.n_groups == 0 && j->plan.granularity_ns == 0)
        for (unsigned a = 0; a < j->plan.n_aggs; a++)
            if (j->aggs[a].op == SKEP_AGG_COUNT_DISTINCT && j->aggs[a].exact == 0)
                j->aggs[a].exact = EXACT_ALONE;
    if (j->plan.max_cells == 0 && may_cut(&j->plan))
        j->plan.max_cells = CELLS_MAX;
    skep_rc rc = run(j, &j->plan, &j->series, err);
    if (rc == SKEP_OK) {
        SKEP_TRY(skep_query__order(j, &j->series, err));
    } else if (rc == SKEP_ELIMIT && may_cut(&j->plan)) {
        SKEP_TRY(two_passes(j, err));
    } else {
        return rc;
    }
    return skep_query__finish(j, ret, err);
}

skep_rc skep_query_aggregate(struct skep_store *store, const struct skep_plan *plan,
                             const struct skep_run_opts *opts, struct skep_result **ret,
                             skep_err *err)
{
    skep_assert(store && plan && opts && opts->arena && ret);
    if (plan->kind != SKEP_PLAN_AGGREGATE)
        return skep_fail(err, SKEP_EINVAL, "not an aggregate plan");
    SKEP_TRY(skep_plan_check(plan, err));
    const struct skep_os *os = skep_os_real();
    int64_t start_ns = os->mono_ns(os);
    struct skep_query_job j = {
        .store = store, .asked = plan, .opts = opts, .plan = *plan, .complete = true};
    j.mem.budget = opts->budget;
    skep_arena_init(&j.scratch, "formulas", opts->budget);
    j.aggs = skep_new_n(opts->arena, struct skep_agg, plan->n_aggs);
    memcpy(j.aggs, plan->aggs, plan->n_aggs * sizeof *j.aggs);
    j.plan.aggs = j.aggs;
    skep_rc rc = skep_query__once(store, &j.plan, opts, err);
    if (rc == SKEP_OK)
        rc = answer(&j, ret, err);
    if (rc == SKEP_OK)
        (*ret)->elapsed_ns = os->mono_ns(os) - start_ns;
    skep_arena_done(&j.scratch);
    skep_agg_free(&j.mem, j.groups, j.cap_groups * sizeof *j.groups);
    skep_agg_free(&j.mem, j.values_block, j.values_bytes);
    skep_query__cells_done(&j, &j.totals_only);
    skep_query__cells_done(&j, &j.series);
    skep_query__cells_done(&j, &j.all_series);
    skep_assert(j.mem.used == 0);
    if (j.mem.budget && j.mem.taken > 0)
        skep_budget_give(j.mem.budget, j.mem.taken);
    return rc;
}

skep_rc skep_query_run(struct skep_store *store, const struct skep_plan *plan,
                       const struct skep_run_opts *opts, struct skep_answer *ret, skep_err *err)
{
    skep_assert(store && plan && opts && ret);
    if (plan->kind == SKEP_PLAN_AGGREGATE)
        return skep_fail(err, SKEP_EINVAL, "aggregate plans have their own call");
    struct skep_plan once = *plan;
    SKEP_TRY(skep_query__once(store, &once, opts, err));
    SKEP_TRY(skep_store_run(store, &once, opts, ret, err));
    if (plan->kind == SKEP_PLAN_FACETS)
        skep_query_judge(&ret->facets);
    return SKEP_OK;
}
