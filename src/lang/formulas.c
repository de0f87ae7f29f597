// SPDX-License-Identifier: Apache-2.0
/* formulas: expressions over the calculations of a query.
 *
 *   {"name":"error rate","expression":"DIV($errors, $total)"}
 *
 * A name is a calculation's name, or its key ($"P95(duration_ms)").  Behind `$` the longest one
 * that fits is meant, so `$errors/$total` needs no blanks.
 * Threads: none of its own.  Memory: the request's arena. */
#include <limits.h>

#include "base/assert.h"
#include "lang/expression.h"

struct reading {
    const struct skep_plan *plan;
    unsigned *aggs;
    unsigned n_aggs;
};

/* The calculation that `name` begins with, the longest; whole: that it is. */
static unsigned calculation_of(const struct skep_plan *plan, skep_str name, bool whole)
{
    unsigned best = UINT_MAX;
    for (unsigned i = 0; i < plan->n_aggs; i++) {
        skep_str key = plan->aggs[i].key;
        bool fits = whole ? skep_str_eq(name, key) : skep_str_starts(name, key);
        if (fits && (best == UINT_MAX || key.n > plan->aggs[best].key.n))
            best = i;
    }
    return best;
}

static skep_rc calculation(struct skep_lang__x *x, enum skep_computed_what what, skep_str name,
                           size_t *ret_n, struct skep_calc **ret)
{
    struct reading *r = x->arg;
    unsigned i = 0;
    if (what != SKEP_COMPUTED_FIELD)
        return skep_lang__x_wrong(x, x->name_at, x->name_end,
                                  "this is of an event; a formula computes with calculations");
    unsigned agg = calculation_of(r->plan, name, !ret_n);
    if (agg == UINT_MAX)
        return skep_lang__x_wrong(x, x->name_at, x->name_end,
                                  "no calculation of this query is called " SKEP_STRFMT
                                  ": give it this name",
                                  (int)SKEP_MIN(name.n, 60u), name.p);
    if (r->plan->aggs[agg].op == SKEP_AGG_HEATMAP)
        return skep_lang__x_wrong(x, x->name_at, x->name_end, "a HEATMAP is no number");
    if (ret_n)
        *ret_n = r->plan->aggs[agg].key.n;
    while (i < r->n_aggs && r->aggs[i] != agg)
        i++;
    if (i == r->n_aggs)
        r->aggs[r->n_aggs++] = agg;
    *ret = skep_calc_field(x->q->arena, i, false);
    return SKEP_OK;
}

static skep_rc formula(struct skep_lang__q *q, yyjson_val *v, const struct skep_plan *plan,
                       struct skep_formula *ret)
{
    static const char *const keys[] = {"name", "expression"};
    struct reading r = {.plan = plan, .aggs = skep_new_n(q->arena, unsigned, plan->n_aggs)};
    struct skep_lang__x x = {.q = q, .resolve = calculation, .arg = &r};
    struct skep_calc *calc = NULL;
    if (!yyjson_is_obj(v))
        return skep_lang__refuse(q, SKEP_LANG_INCORRECT_TYPE,
                                 "a formula is an object {name, expression}");
    SKEP_TRY(skep_lang__known(q, v, keys, SKEP_ARRAY_LEN(keys)));
    SKEP_TRY(skep_lang__str(q, v, "name", &ret->key));
    SKEP_TRY(skep_lang__str(q, v, "expression", &x.text));
    if (ret->key.n == 0) {
        (void)skep_lang__enter(q, "name");
        return skep_lang__refuse(q, SKEP_LANG_MISSING, "a formula needs a name");
    }
    size_t mark = skep_lang__enter(q, "expression");
    SKEP_TRY(skep_lang__expression(&x, &calc));
    skep_lang__leave(q, mark);
    ret->calc = calc;
    ret->aggs = r.aggs;
    ret->n_aggs = r.n_aggs;
    return SKEP_OK;
}

/* Results are keyed by name. */
static skep_rc unique(struct skep_lang__q *q, const struct skep_plan *plan,
                      const struct skep_formula *formulas, size_t at)
{
    skep_str key = formulas[at].key;
    bool same = calculation_of(plan, key, true) != UINT_MAX;
    for (size_t i = 0; i < at && !same; i++)
        same = skep_str_eq(formulas[i].key, key);
    if (!same)
        return SKEP_OK;
    (void)skep_lang__enter(q, "name");
    return skep_lang__refuse(q, SKEP_LANG_INVALID, "the name of another calculation or formula");
}

skep_rc skep_lang__formulas(struct skep_lang__q *q, yyjson_val *obj, struct skep_plan *plan)
{
    yyjson_val *arr, *item;
    size_t i, max;
    SKEP_TRY(skep_lang__list(q, obj, "formulas", SKEP_LIMIT_PLAN_AGGS, &arr));
    size_t n = yyjson_arr_size(arr);
    if (n == 0)
        return SKEP_OK;
    struct skep_formula *formulas = skep_new_n(q->arena, struct skep_formula, n);
    size_t mark = skep_lang__enter(q, "formulas");
    yyjson_arr_foreach(arr, i, max, item)
    {
        size_t at = skep_lang__enter_index(q, i);
        SKEP_TRY(formula(q, item, plan, &formulas[i]));
        SKEP_TRY(unique(q, plan, formulas, i));
        skep_lang__leave(q, at);
    }
    skep_lang__leave(q, mark);
    plan->formulas = formulas;
    plan->n_formulas = (unsigned)n;
    return SKEP_OK;
}
