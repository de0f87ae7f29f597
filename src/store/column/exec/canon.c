// SPDX-License-Identifier: Apache-2.0
/* The question of an AGGREGATE plan as bytes.
 *
 *   u64 granularity, u8 ignore_sample_rate, dataset, computed, filter, groups, aggregates,
 *   only_groups
 *   text    u32 length, bytes
 *   value   u8 type, payload
 *   expr    u8 op + 1 (0 = none); TEST, LASTS: field, u8 op, u8 fold, values, the
 *           matcher's kind; SAME: field; else u8 relation, u32 kids, each;
 *           one that stood before: u8 255, u32 which of those with operands
 *   computed u32 number, each: name, text, u32 inputs, each: u8 what, name
 *   group   field, on, u32 cases, each
 *   agg     u8 op, group, u32 first aggregate with the same filter, filter, parameters
 *
 * Of ROWS what its filter asks is written in the same way, and what its rows show:
 *
 *   u64 -1, dataset, computed, filter
 *   u64 -2, u8 raw, u8 bare, u8 only_present, computed, u32 columns, each: name
 *
 * What only matters to the answer (orders, havings, limit, names, max_cells) and the range stay
 * out.  Which aggregates share one filter stands in it, because that decides which states there
 * are (agg/partial.c).
 *
 * I1  different bytes for plans whose partials could differ: every variable part has its length.
 * I2  the three kinds begin differently: granularities are not negative.
 *
 * Threads: any. */
#include "store/column/exec/partials.h"

static void put_text(struct skep_buf *b, skep_str s)
{
    skep_buf_u32(b, (uint32_t)s.n);
    skep_buf_str(b, s);
}

static void put_value(struct skep_buf *b, const skep_value *v)
{
    skep_buf_u8(b, (uint8_t)v->type);
    switch (v->type) {
    case SKEP_TYPE_STRING:
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_ARRAY: put_text(b, v->s); return;
    case SKEP_TYPE_INT: skep_buf_u64(b, (uint64_t)v->i); return;
    case SKEP_TYPE_DOUBLE: skep_buf_put(b, &v->f, sizeof v->f); return;
    case SKEP_TYPE_BOOL: skep_buf_u8(b, v->b); return;
    case SKEP_TYPE_NULL:
    case SKEP_TYPE_EMPTY:
    case SKEP_TYPE_COUNT:
    default: return;
    }
}

static void put_field(struct skep_buf *b, const struct skep_field_ref *f)
{
    skep_buf_u8(b, (uint8_t)f->relation);
    put_text(b, f->name);
}

/* Expressions with operands that stand in the question already. */
enum { SHARED_MAX = 256, AGAIN = 255 };
struct shared {
    const struct skep_expr *of[SHARED_MAX];
    unsigned n;
};

static bool put_again(struct skep_buf *b, struct shared *s, const struct skep_expr *e)
{
    for (unsigned i = 0; i < s->n; i++) {
        if (s->of[i] != e)
            continue;
        skep_buf_u8(b, AGAIN);
        skep_buf_u32(b, i);
        return true;
    }
    if (s->n < SHARED_MAX)
        s->of[s->n++] = e;
    return false;
}

/* Recursion is bounded by SKEP_LIMIT_PLAN_DEPTH. */
static void put_expr(struct skep_buf *b, struct shared *s, const struct skep_expr *e)
{
    if (e && e->op != SKEP_EXPR_TEST && put_again(b, s, e))
        return;
    skep_buf_u8(b, (uint8_t)(e ? e->op + 1 : 0));
    if (!e || b->bad)
        return;
    if (e->op == SKEP_EXPR_TEST || e->op == SKEP_EXPR_LASTS) {
        put_field(b, &e->test.field);
        skep_buf_u8(b, (uint8_t)e->test.op);
        skep_buf_u8(b, e->test.fold_case);
        skep_buf_u32(b, e->test.n_values);
        for (unsigned i = 0; i < e->test.n_values; i++)
            put_value(b, &e->test.values[i]);
        if (e->test.matcher)
            put_text(b, e->test.matcher->kind);
        return;
    }
    if (e->op == SKEP_EXPR_SAME) {
        put_field(b, &e->same);
        return;
    }
    skep_buf_u8(b, (uint8_t)e->relation);
    skep_buf_u32(b, e->n_kids);
    for (unsigned i = 0; i < e->n_kids; i++)
        put_expr(b, s, e->kids[i]);
}

static void put_group(struct skep_buf *b, struct shared *s, const struct skep_field_ref *f)
{
    put_field(b, f);
    put_expr(b, s, f->on);
    skep_buf_u32(b, f->n_cases);
    for (unsigned i = 0; i < f->n_cases; i++)
        put_expr(b, s, f->cases[i]);
}

static void put_agg(struct skep_buf *b, struct shared *s, const struct skep_plan *plan, unsigned at)
{
    const struct skep_agg *a = &plan->aggs[at];
    unsigned same = 0;
    while (plan->aggs[same].filter != a->filter)
        same++;
    skep_buf_u8(b, (uint8_t)a->op);
    put_group(b, s, &a->field);
    skep_buf_u32(b, same);
    put_expr(b, s, same == at ? a->filter : NULL);
    skep_buf_put(b, &a->param, sizeof a->param);
    skep_buf_u32(b, a->exact);
    skep_buf_u8(b, (uint8_t)a->heat_scale);
    skep_buf_u32(b, a->heat_bins);
    skep_buf_put(b, &a->heat_min, sizeof a->heat_min);
    skep_buf_put(b, &a->heat_max, sizeof a->heat_max);
}

static void put_computed(struct skep_buf *b, const struct skep_plan *plan)
{
    skep_buf_u32(b, plan->n_computed);
    for (unsigned i = 0; i < plan->n_computed; i++) {
        const struct skep_computed *c = &plan->computed[i];
        put_text(b, c->name);
        put_text(b, c->text);
        skep_buf_u32(b, c->n_inputs);
        for (unsigned k = 0; k < c->n_inputs; k++) {
            skep_buf_u8(b, (uint8_t)c->inputs[k].what);
            put_text(b, c->inputs[k].name);
        }
    }
}

bool skep_partials_question(const struct skep_plan *plan, struct skep_buf *out)
{
    struct shared s = {.n = 0};
    skep_buf_u64(out, (uint64_t)plan->granularity_ns);
    skep_buf_u8(out, plan->ignore_sample_rate);
    put_text(out, plan->dataset);
    put_computed(out, plan);
    put_expr(out, &s, plan->filter);
    skep_buf_u32(out, plan->n_groups);
    for (unsigned g = 0; g < plan->n_groups; g++)
        put_group(out, &s, &plan->groups[g]);
    skep_buf_u32(out, plan->n_aggs);
    for (unsigned a = 0; a < plan->n_aggs; a++)
        put_agg(out, &s, plan, a);
    skep_buf_u64(out, plan->n_only_groups);
    for (size_t i = 0; i < plan->n_only_groups * plan->n_groups && !out->bad; i++)
        put_value(out, &plan->only_groups[i]);
    return !out->bad;
}

enum { FILTER = -1, COLUMNS = -2 }; /* I2 */

bool skep_partials_filter(const struct skep_plan *plan, struct skep_buf *out)
{
    struct shared s = {.n = 0};
    skep_buf_u64(out, (uint64_t)(int64_t)FILTER);
    put_text(out, plan->dataset);
    put_computed(out, plan);
    put_expr(out, &s, plan->filter);
    return !out->bad;
}

bool skep_partials_columns(const struct skep_plan *plan, struct skep_buf *out)
{
    skep_buf_u64(out, (uint64_t)(int64_t)COLUMNS);
    skep_buf_u8(out, plan->raw);
    skep_buf_u8(out, plan->bare);
    skep_buf_u8(out, plan->only_present);
    put_computed(out, plan);
    skep_buf_u32(out, plan->n_columns);
    for (unsigned i = 0; i < plan->n_columns; i++)
        put_text(out, plan->columns[i].name);
    return !out->bad;
}
