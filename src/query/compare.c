// SPDX-License-Identifier: Apache-2.0
/* The same question of an earlier time.
 *
 *   then, of now's groups    values and series, in now's order; a group without rows then: nulls
 *   then, its own answer     by its own order, havings and limit: the totals of that time, and
 *                            candidates: groups that now does not list
 *   now, of the candidates   where now lists not all it has (its limit, its havings): those with
 *                            rows now are no candidates.  What is left is gone
 *
 * Threads: the caller's; blocks.  Memory: opts->arena, and the budget of each question. */
#include "query/query.h"

#include "base/assert.h"
#include "plan/compare.h"
#include "query/query_priv.h"

#include <stdlib.h>

/* A group to be found by its keys. */
struct keyed {
    const skep_value *key;
    unsigned n_keys;
    size_t at;
};

static int by_key(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    int order = 0;
    for (unsigned k = 0; k < x->n_keys && order == 0; k++)
        order = skep_value_order(&x->key[k], &y->key[k]);
    return order;
}

/* The groups of an answer, sorted; NULL: no memory. */
static struct keyed *keyed_of(const struct skep_result *r, struct skep_arena *a)
{
    struct keyed *list = skep_arena_try_alloc(a, (r->n_groups + 1) * sizeof *list);
    for (size_t g = 0; list && g < r->n_groups; g++)
        list[g] = (struct keyed){r->groups[g].key, r->plan->n_groups, g};
    if (list)
        qsort(list, r->n_groups, sizeof *list, by_key);
    return list;
}

/* Which of n sorted groups has that key; NULL: none. */
static const struct keyed *find(const struct keyed *list, size_t n, const skep_value *key,
                                unsigned n_keys)
{
    const struct keyed sought = {key, n_keys, 0};
    return bsearch(&sought, list, n, sizeof *list, by_key);
}

/* Ask `plan` of these groups alone. */
static skep_rc only(struct skep_plan *plan, const struct skep_result_group *groups, size_t n,
                    struct skep_arena *a, skep_err *err)
{
    size_t n_keys = plan->n_groups;
    skep_value *keys = skep_arena_try_alloc(a, n * n_keys * sizeof *keys);
    if (!keys)
        return skep_query__no_memory(err);
    for (size_t g = 0; g < n; g++)
        memcpy(keys + g * n_keys, groups[g].key, n_keys * sizeof *keys);
    plan->only_groups = keys;
    plan->n_only_groups = n;
    plan->limit = (unsigned)n;
    plan->n_havings = 0;
    return SKEP_OK;
}

/* Put the groups of `then` where now has them. */
static skep_rc line_up(const struct skep_result *now, const struct keyed *list,
                       struct skep_arena *a, struct skep_result *then, skep_err *err)
{
    size_t cells = (size_t)skep_plan_n_values(now->plan) * SKEP_MAX(then->n_buckets, 1u);
    struct skep_result_group *groups =
        skep_arena_try_alloc(a, (now->n_groups + 1) * sizeof *groups);
    struct skep_cell *none = skep_arena_try_alloc(a, cells * sizeof *none); /* zeroed: NULL */
    if (!groups || !none)
        return skep_query__no_memory(err);
    for (size_t g = 0; g < now->n_groups; g++)
        groups[g] = (struct skep_result_group){
            .key = now->groups[g].key, .values = none, .series = then->n_buckets > 0 ? none : NULL};
    for (size_t g = 0; g < then->n_groups; g++) {
        const struct keyed *k = find(list, now->n_groups, then->groups[g].key, now->plan->n_groups);
        if (k)
            groups[k->at] = then->groups[g];
    }
    then->groups = groups;
    then->n_groups = then->n_groups_total = now->n_groups;
    return SKEP_OK;
}

static void take_state(struct skep_result *to, const struct skep_result *from)
{
    to->rows_examined += from->rows_examined;
    if (from->complete)
        return;
    to->complete = false;
    to->missing = from->missing;
}

/* Of the candidates in then->gone those that now has are not gone. */
static skep_rc leave_out_present(struct skep_store *store, const struct skep_plan *asked,
                                 const struct skep_run_opts *opts, struct skep_result *then,
                                 skep_err *err)
{
    struct skep_plan *plan = skep_new(opts->arena, struct skep_plan);
    struct skep_result *present = NULL;
    *plan = *asked;
    plan->granularity_ns = 0;
    plan->n_orders = 0;
    SKEP_TRY(only(plan, then->gone, then->n_gone, opts->arena, err));
    SKEP_TRY(skep_query_aggregate(store, plan, opts, &present, err));
    take_state(then, present);
    const struct keyed *list = keyed_of(present, opts->arena);
    if (!list)
        return skep_query__no_memory(err);
    size_t n = 0;
    for (size_t g = 0; g < then->n_gone; g++)
        if (!find(list, present->n_groups, then->gone[g].key, plan->n_groups))
            then->gone[n++] = then->gone[g];
    then->n_gone = n;
    return SKEP_OK;
}

/* Then's own answer: totals of all its rows, and which of its groups now has not. */
static skep_rc own_answer(struct skep_store *store, const struct skep_result *now,
                          const struct keyed *list, const struct skep_plan *earlier,
                          const struct skep_run_opts *opts, struct skep_result *then, skep_err *err)
{
    const struct skep_plan *asked = now->plan;
    struct skep_plan *plan = skep_new(opts->arena, struct skep_plan);
    struct skep_result *own = NULL;
    *plan = *earlier;
    plan->granularity_ns = 0;
    SKEP_TRY(skep_query_aggregate(store, plan, opts, &own, err));
    then->totals = own->totals;
    take_state(then, own);
    then->gone = skep_arena_try_alloc(opts->arena, (own->n_groups + 1) * sizeof *then->gone);
    if (!then->gone)
        return skep_query__no_memory(err);
    for (size_t g = 0; g < own->n_groups; g++)
        if (!find(list, now->n_groups, own->groups[g].key, asked->n_groups))
            then->gone[then->n_gone++] = (struct skep_result_group){
                .key = own->groups[g].key, .values = own->groups[g].values};
    if (then->n_gone > 0 && (now->n_groups_total > now->n_groups || asked->n_havings > 0))
        return leave_out_present(store, asked, opts, then, err);
    return SKEP_OK;
}

skep_rc skep_query_compare(struct skep_store *store, const struct skep_result *now,
                           const struct skep_run_opts *opts, struct skep_result **ret,
                           skep_err *err)
{
    const struct skep_plan *asked = now->plan;
    struct skep_plan *plan = skep_new(opts->arena, struct skep_plan), earlier = *asked;
    if (asked->compare_offset_ns <= 0)
        return skep_fail(err, SKEP_EINVAL, "no earlier time to compare with");
    earlier.range.start_ns -= asked->compare_offset_ns;
    earlier.range.end_ns -= asked->compare_offset_ns;
    *plan = earlier;
    plan->n_havings = 0; /* said of now */
    if (asked->n_groups > 0 && now->n_groups > 0)
        SKEP_TRY(only(plan, now->groups, now->n_groups, opts->arena, err));
    SKEP_TRY(skep_query_aggregate(store, plan, opts, ret, err));
    const struct keyed *list = keyed_of(now, opts->arena);
    if (!list)
        return skep_query__no_memory(err);
    if (asked->n_groups > 0)
        SKEP_TRY(own_answer(store, now, list, &earlier, opts, *ret, err));
    return line_up(now, list, opts->arena, *ret, err);
}
