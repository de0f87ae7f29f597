// SPDX-License-Identifier: Apache-2.0
/* Groups of a partial: their values, which of them stay, in what order.
 *
 * A group's value is finished from the merged states of its cells, one state at a time, so that
 * only one merged state exists at once.  Order: as the plan says, then by the group keys, so that
 * it is total and the same on every run (I1); groups without a value stand last in both directions.
 *
 * Threads: the caller's.  Memory: from the query's budget. */

#include "query/query_priv.h"

#include "base/assert.h"
#include "base/mem.h"
#include "plan/compare.h"

#include <math.h>
#include <stdlib.h>

enum { STATE_BYTES = 256, DEFAULT_LIMIT = 1000 };

skep_rc skep_query__no_memory(skep_err *err)
{
    return skep_fail(err, SKEP_ENOMEM,
                     "the query needs more memory than it may use: group by less, take a coarser "
                     "granularity, a smaller limit or a shorter time range");
}

skep_rc skep_query__cells(struct skep_query_job *j, struct skep_partial *p,
                          struct skep_query_cells *ret, skep_err *err)
{
    *ret = (struct skep_query_cells){.p = p, .n_tuples = skep_partial_n_tuples(p)};
    ret->first = skep_agg_alloc(&j->mem, (ret->n_tuples + 2) * sizeof *ret->first);
    ret->cells = skep_agg_alloc(&j->mem, (p->cells.n + 1) * sizeof *ret->cells);
    if (!ret->first || !ret->cells)
        return skep_query__no_memory(err);
    uint32_t *at = ret->first + 1; /* shifted: after the pass first[t] is the begin of t */
    for (uint32_t c = 0; c < p->cells.n; c++)
        if (p->cells.left[c] + 1 < ret->n_tuples)
            at[p->cells.left[c] + 1]++;
    for (uint32_t t = 1; t < ret->n_tuples; t++)
        at[t] += at[t - 1];
    for (uint32_t c = 0; c < p->cells.n; c++)
        ret->cells[at[p->cells.left[c]]++] = c;
    return SKEP_OK;
}

void skep_query__cells_done(struct skep_query_job *j, struct skep_query_cells *c)
{
    if (c->p) {
        skep_agg_free(&j->mem, c->first, (c->n_tuples + 2) * sizeof *c->first);
        skep_agg_free(&j->mem, c->cells, (c->p->cells.n + 1) * sizeof *c->cells);
        skep_partial_free(c->p);
        skep_partial_free(c->whole);
    }
    *c = (struct skep_query_cells){0};
}

static skep_rc finish_state(struct skep_query_job *j, const struct skep_partial *p, unsigned state,
                            void *data, int64_t span_ns, struct skep_agg_value *values)
{
    for (unsigned a = 0; a < j->plan.n_aggs; a++) {
        const struct skep_agg_ops *ops = skep_agg_ops(j->plan.aggs[a].op);
        if (p->state_of[a] != state || ops->rate)
            continue;
        ops->finish(&j->plan.aggs[a], data, span_ns, &values[a]);
    }
    return SKEP_OK;
}

skep_rc skep_query__values(struct skep_query_job *j, const struct skep_query_cells *c,
                           const uint32_t *cells, uint32_t n, int64_t span_ns,
                           struct skep_agg_value *values, skep_err *err)
{
    const struct skep_partial *p = c->p;
    memset(values, 0, j->plan.n_aggs * sizeof *values);
    for (unsigned s = 0; s < p->n_states; s++) {
        const struct skep_state_ops *ops = p->states[s].ops;
        if (n == 1) {
            SKEP_TRY(finish_state(j, p, s, skep_partial_state(p, s, cells[0]), span_ns, values));
            continue;
        }
        SKEP_ALIGNED(16) uint8_t merged[STATE_BYTES] = {0};
        skep_assert(ops->size <= sizeof merged);
        skep_rc rc = SKEP_OK;
        for (uint32_t i = 0; i < n && rc == SKEP_OK; i++)
            rc = ops->merge(merged, skep_partial_state(p, s, cells[i]), p->states[s].agg, &j->mem);
        if (rc == SKEP_OK)
            rc = finish_state(j, p, s, merged, span_ns, values);
        if (ops->done)
            ops->done(merged, &j->mem);
        if (rc != SKEP_OK)
            return skep_query__no_memory(err);
    }
    return SKEP_OK;
}

skep_rc skep_query__rates(struct skep_query_job *j, const struct skep_query_cells *c,
                          const uint32_t *cells, uint32_t n, struct skep_agg_value *values,
                          skep_err *err)
{
    const struct skep_partial *p = c->p;
    size_t bytes = (p->n_buckets + 1) * sizeof(struct skep_cell);
    struct skep_cell *series = NULL;
    for (unsigned a = 0; a < j->plan.n_aggs; a++) {
        const struct skep_agg_ops *ops = skep_agg_ops(j->plan.aggs[a].op);
        if (!ops->rate)
            continue;
        if (!series)
            series = skep_agg_alloc(&j->mem, bytes);
        if (!series)
            return skep_query__no_memory(err);
        memset(series, 0, bytes);
        for (uint32_t i = 0; i < n; i++) {
            struct skep_agg_value v;
            ops->finish(&j->plan.aggs[a], skep_partial_state(p, p->state_of[a], cells[i]), 1, &v);
            skep_query__to_cell(&v, &series[p->cells.right[cells[i]]]);
        }
        skep_query__to_rates(series, p->n_buckets, (double)j->plan.granularity_ns / 1e9);
        skep_query__mean(series, p->n_buckets, &values[a]);
    }
    skep_agg_free(&j->mem, series, bytes);
    return SKEP_OK;
}

static int cmp_values(const struct skep_agg_value *a, const struct skep_agg_value *b)
{
    if (a->kind == SKEP_AGG_INT && b->kind == SKEP_AGG_INT)
        return a->i < b->i ? -1 : a->i > b->i;
    if (a->kind == SKEP_AGG_INT)
        return skep_cmp_int_double(a->i, b->f);
    if (b->kind == SKEP_AGG_INT)
        return -skep_cmp_int_double(b->i, a->f);
    return a->f < b->f ? -1 : a->f > b->f;
}

static bool passes(const struct skep_having *h, const struct skep_agg_value *values)
{
    const struct skep_agg_value *v = &values[h->agg];
    if (v->kind != SKEP_AGG_INT && v->kind != SKEP_AGG_DOUBLE)
        return false;
    struct skep_agg_value x = {.kind = SKEP_AGG_DOUBLE, .f = h->value};
    int c = cmp_values(v, &x);
    return h->op == SKEP_CMP_EQ   ? c == 0
           : h->op == SKEP_CMP_NE ? c != 0
           : h->op == SKEP_CMP_LT ? c < 0
           : h->op == SKEP_CMP_LE ? c <= 0
           : h->op == SKEP_CMP_GT ? c > 0
                                  : c >= 0;
}

void skep_query__keys(const struct skep_partial *p, uint32_t tuple, skep_value *ret)
{
    uint32_t ids[SKEP_LIMIT_PLAN_GROUPS];
    skep_partial_tuple_keys(p, tuple, ids);
    for (unsigned g = 0; g < p->n_groups; g++) /* id 0 may be asked for before any key came */
        ret[g] = ids[g] == 0 ? (skep_value){.type = SKEP_TYPE_NULL} : p->keys[g].values[ids[g]];
}

static int order_by_agg(const struct skep_agg_value *a, const struct skep_agg_value *b, bool desc)
{
    bool a_null = a->kind == SKEP_AGG_NULL, b_null = b->kind == SKEP_AGG_NULL;
    if (a_null || b_null)
        return a_null && b_null ? 0 : a_null ? 1 : -1;
    if (a->kind == SKEP_AGG_STATE || b->kind == SKEP_AGG_STATE)
        return 0;
    int c = cmp_values(a, b);
    return desc ? -c : c;
}

struct order_ctx {
    const struct skep_plan *plan;
    const struct skep_partial *p;
};

/* Key value g of a tuple. */
static const skep_value *key_at(const struct skep_partial *p, uint32_t tuple, unsigned g)
{
    static const skep_value absent = {.type = SKEP_TYPE_NULL};
    for (unsigned c = p->n_groups - 1; c > g; c--)
        tuple = p->tuples[c - 1].left[tuple];
    uint32_t id = g == 0 ? tuple : p->tuples[g - 1].right[tuple];
    return id == 0 ? &absent : &p->keys[g].values[id];
}

static int group_order(const void *x, const void *y, void *arg)
{
    const struct order_ctx *o = arg;
    const struct skep_query_group *a = x, *b = y;
    const struct skep_plan *plan = o->plan;
    for (unsigned i = 0; i < plan->n_orders; i++) {
        const struct skep_order *by = &plan->orders[i];
        int c = 0;
        if (by->by_agg) {
            c = order_by_agg(&a->values[by->index], &b->values[by->index], by->descending);
        } else {
            c = skep_value_order(key_at(o->p, a->tuple, by->index),
                                 key_at(o->p, b->tuple, by->index));
            c = by->descending ? -c : c;
        }
        if (c != 0)
            return c;
    }
    if (plan->n_orders == 0) {
        unsigned first = skep_plan_first_value(plan);
        int c = order_by_agg(&a->values[first], &b->values[first], true);
        if (c != 0)
            return c;
    }
    for (unsigned g = 0; g < plan->n_groups; g++) {
        int c = skep_value_order(key_at(o->p, a->tuple, g), key_at(o->p, b->tuple, g));
        if (c != 0)
            return c;
    }
    return 0;
}

static void sift_down(struct skep_query_group *h, size_t n, size_t at, struct order_ctx *o)
{
    for (;;) {
        size_t worst = at, kid = 2 * at + 1;
        if (kid < n && group_order(&h[kid], &h[worst], o) > 0)
            worst = kid;
        if (kid + 1 < n && group_order(&h[kid + 1], &h[worst], o) > 0)
            worst = kid + 1;
        if (worst == at)
            return;
        struct skep_query_group t = h[at];
        h[at] = h[worst];
        h[worst] = t;
        at = worst;
    }
}

/* Move the first `k` groups of the order to the front; they are a heap with the worst on top. */
static void select_first(struct skep_query_group *g, size_t n, size_t k, struct order_ctx *o)
{
    for (size_t i = k / 2 + 1; i-- > 0;)
        sift_down(g, k, i, o);
    for (size_t i = k; i < n; i++) {
        if (group_order(&g[i], &g[0], o) >= 0)
            continue;
        struct skep_query_group t = g[0];
        g[0] = g[i];
        g[i] = t;
        sift_down(g, k, 0, o);
    }
}

static uint32_t count_groups(const struct skep_query_cells *c)
{
    uint32_t n = 0;
    for (uint32_t t = 0; t < c->n_tuples; t++)
        n += c->first[t + 1] > c->first[t];
    return n;
}

skep_rc skep_query__order(struct skep_query_job *j, const struct skep_query_cells *c, skep_err *err)
{
    const struct skep_plan *plan = &j->plan;
    size_t limit = plan->limit ? plan->limit : DEFAULT_LIMIT;
    /* Never more than some way over the limit at once, however many groups there are. */
    j->cap_groups = SKEP_MIN((size_t)count_groups(c) + 1, 2 * limit + 64);
    unsigned n_values = skep_plan_n_values(plan);
    j->values_bytes = j->cap_groups * n_values * sizeof(struct skep_agg_value);
    j->groups = skep_agg_alloc(&j->mem, j->cap_groups * sizeof *j->groups);
    j->values_block = skep_agg_alloc(&j->mem, j->values_bytes);
    if (!j->groups || !j->values_block)
        return skep_query__no_memory(err);
    for (size_t g = 0; g < j->cap_groups; g++)
        j->groups[g].values = j->values_block + g * n_values;
    skep_ts_ns start = 0;
    (void)skep_agg_buckets(plan, &start); /* only the start is of interest */
    struct skep_plan whole = *plan;
    whole.granularity_ns = 0;
    int64_t span_ns = skep_agg_bucket_span(&whole, start, 0);
    struct order_ctx o = {plan, c->p};
    bool heap = false; /* groups[0 .. limit) are one, with the worst on top */
    for (uint32_t t = 0; t < c->n_tuples; t++) {
        uint32_t n = c->first[t + 1] - c->first[t];
        const uint32_t *cells = c->cells + c->first[t];
        if (n == 0)
            continue;
        struct skep_query_group *g = &j->groups[j->n_groups];
        g->tuple = t;
        SKEP_TRY(skep_query__values(j, c, cells, n, span_ns, g->values, err));
        if (plan->granularity_ns > 0)
            SKEP_TRY(skep_query__rates(j, c, cells, n, g->values, err));
        skep_query__formulas(j, g->values);
        bool stays = true;
        for (unsigned h = 0; h < plan->n_havings && stays; h++)
            stays = passes(&plan->havings[h], g->values);
        j->n_groups_total += stays;
        if (!stays || (heap && group_order(g, &j->groups[0], &o) >= 0))
            continue;
        if (++j->n_groups == j->cap_groups && j->n_groups > limit) {
            select_first(j->groups, j->n_groups, limit, &o);
            j->n_groups = limit;
            heap = limit > 0;
        }
    }
    if (j->n_groups > 2 * limit) {
        select_first(j->groups, j->n_groups, limit, &o);
        j->n_groups = limit;
    }
    if (plan->n_groups > 0 && j->n_groups > 0)
        qsort_r(j->groups, j->n_groups, sizeof *j->groups, group_order, &o);
    j->n_groups = SKEP_MIN(j->n_groups, limit);
    if (c->whole)
        j->n_groups_total = c->n_groups;
    return SKEP_OK;
}

size_t skep_query__most(const struct skep_plan *plan)
{
    struct skep_order first = {true, skep_plan_first_value(plan), true};
    if (plan->n_orders > 0)
        first = plan->orders[0];
    bool by_count = first.by_agg && first.descending && first.index < plan->n_aggs &&
                    plan->aggs[first.index].op == SKEP_AGG_COUNT;
    if (!by_count || plan->n_havings > 0)
        return 0;
    return plan->limit ? plan->limit : DEFAULT_LIMIT;
}

skep_rc skep_query__select(const struct skep_run_opts *opts, struct skep_partial *p, uint32_t **ret,
                           size_t *ret_n, uint64_t *ret_all, skep_err *err)
{
    struct skep_query_job j = {.opts = opts, .plan = *p->plan, .mem.budget = opts->budget};
    struct skep_query_cells c = {0};
    skep_arena_init(&j.scratch, "formulas", opts->budget);
    skep_rc rc = skep_query__cells(&j, p, &c, err);
    if (rc == SKEP_OK)
        rc = skep_query__order(&j, &c, err);
    if (rc == SKEP_OK) {
        *ret_n = j.n_groups;
        *ret_all = j.n_groups_total;
        *ret = skep_alloc_n(uint32_t, j.n_groups + 1);
        for (size_t g = 0; g < j.n_groups; g++)
            (*ret)[g] = j.groups[g].tuple;
    }
    skep_arena_done(&j.scratch);
    skep_agg_free(&j.mem, j.groups, j.cap_groups * sizeof *j.groups);
    skep_agg_free(&j.mem, j.values_block, j.values_bytes);
    skep_agg_free(&j.mem, c.first, (c.n_tuples + 2) * sizeof *c.first);
    skep_agg_free(&j.mem, c.cells, (p->cells.n + 1) * sizeof *c.cells);
    if (j.mem.budget && j.mem.taken > 0)
        skep_budget_give(j.mem.budget, j.mem.taken);
    return rc;
}
