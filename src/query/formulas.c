// SPDX-License-Identifier: Apache-2.0
/* Formulas: numbers of a group's aggregates.  What is no number - a text, a division by zero - is
 * no value; a condition counts as 1 or 0.
 * Threads: the caller's.  Memory: the job's scratch, given back after each. */
#include "base/assert.h"
#include "calc/calc.h"
#include "query/query_priv.h"

static skep_value compute(struct skep_query_job *j, const struct skep_formula *f,
                          const skep_value *inputs)
{
    skep_value *columns[SKEP_LIMIT_PLAN_AGGS], in[SKEP_LIMIT_PLAN_AGGS], out;
    const struct skep_time_range *t = &j->plan.range;
    struct skep_calc_ctx ctx = {
        .scratch = &j->scratch, .start_ms = t->start_ns / 1000000, .end_ms = t->end_ns / 1000000};
    const struct skep_calc_batch one = {.n = 1, .columns = columns};
    skep_assert(f->n_aggs <= SKEP_LIMIT_PLAN_AGGS);
    for (unsigned i = 0; i < f->n_aggs; i++) {
        in[i] = inputs[f->aggs[i]];
        columns[i] = &in[i];
    }
    skep_calc_eval(f->calc, &one, &ctx, &out);
    if (out.type == SKEP_TYPE_BOOL)
        out = (skep_value){.type = SKEP_TYPE_INT, .i = out.b};
    if (out.type != SKEP_TYPE_INT && out.type != SKEP_TYPE_DOUBLE)
        out = (skep_value){.type = SKEP_TYPE_NULL};
    skep_arena_reset(&j->scratch); /* a number needs none of it */
    return out;
}

static skep_value of_agg(const struct skep_agg_value *v)
{
    struct skep_cell c;
    skep_query__to_cell(v, &c);
    return c.kind == SKEP_CELL_INT      ? (skep_value){.type = SKEP_TYPE_INT, .i = c.i}
           : c.kind == SKEP_CELL_DOUBLE ? (skep_value){.type = SKEP_TYPE_DOUBLE, .f = c.f}
                                        : (skep_value){.type = SKEP_TYPE_NULL};
}

void skep_query__formulas(struct skep_query_job *j, struct skep_agg_value *values)
{
    const struct skep_plan *plan = &j->plan;
    if (plan->n_formulas == 0)
        return;
    SKEP_UNINIT skep_value inputs[SKEP_LIMIT_PLAN_AGGS]; /* clearing it costs as much as a group */
    for (unsigned a = 0; a < plan->n_aggs; a++)
        inputs[a] = of_agg(&values[a]);
    for (unsigned f = 0; f < plan->n_formulas; f++) {
        skep_value v = compute(j, &plan->formulas[f], inputs);
        struct skep_agg_value *to = &values[plan->n_aggs + f];
        *to = v.type == SKEP_TYPE_INT ? (struct skep_agg_value){.kind = SKEP_AGG_INT, .i = v.i}
              : v.type == SKEP_TYPE_DOUBLE
                  ? (struct skep_agg_value){.kind = SKEP_AGG_DOUBLE, .f = v.f}
                  : (struct skep_agg_value){.kind = SKEP_AGG_NULL};
    }
}

void skep_query__formula_cells(struct skep_query_job *j, struct skep_cell *cells, size_t stride)
{
    const struct skep_plan *plan = &j->plan;
    if (plan->n_formulas == 0)
        return;
    SKEP_UNINIT skep_value inputs[SKEP_LIMIT_PLAN_AGGS]; /* clearing it costs as much as a group */
    for (unsigned a = 0; a < plan->n_aggs; a++) {
        const struct skep_cell *c = &cells[a * stride];
        inputs[a] = c->kind == SKEP_CELL_INT ? (skep_value){.type = SKEP_TYPE_INT, .i = c->i}
                    : c->kind == SKEP_CELL_DOUBLE
                        ? (skep_value){.type = SKEP_TYPE_DOUBLE, .f = c->f}
                        : (skep_value){.type = SKEP_TYPE_NULL};
    }
    for (unsigned f = 0; f < plan->n_formulas; f++) {
        skep_value v = compute(j, &plan->formulas[f], inputs);
        struct skep_cell *to = &cells[(plan->n_aggs + f) * stride];
        *to = (struct skep_cell){.kind = SKEP_CELL_NULL};
        if (v.type == SKEP_TYPE_INT)
            *to = (struct skep_cell){.kind = SKEP_CELL_INT, .i = v.i};
        else if (v.type == SKEP_TYPE_DOUBLE)
            *to = (struct skep_cell){.kind = SKEP_CELL_DOUBLE, .f = v.f};
    }
}
