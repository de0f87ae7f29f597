// SPDX-License-Identifier: Apache-2.0
/* A plan as one line of text, for comparing with what a test expects. */
#pragma once

#include "base/buf.h"
#include "plan/plan.h"
#include "wire/json_out.h"

static void text_value(struct skep_buf *b, const skep_value *v)
{
    char f[SKEP_JSON_NUMBER_BYTES];
    switch (v->type) {
    case SKEP_TYPE_STRING: skep_buf_printf(b, "'" SKEP_STRFMT "'", SKEP_STRARG(v->s)); break;
    case SKEP_TYPE_INT: skep_buf_printf(b, "%lldi", (long long)v->i); break;
    case SKEP_TYPE_DOUBLE: {
        size_t n = skep_json_f64_text(v->f, f);
        if (n)
            skep_buf_put(b, f, n);
        else
            skep_buf_str(b, SKEP_STR("not-finite"));
        skep_buf_u8(b, 'd');
        break;
    }
    case SKEP_TYPE_BOOL: skep_buf_printf(b, "%s", v->b ? "true" : "false"); break;
    case SKEP_TYPE_BYTES: skep_buf_printf(b, "bytes'" SKEP_STRFMT "'", SKEP_STRARG(v->s)); break;
    default: skep_buf_printf(b, "type%d", (int)v->type); break;
    }
}

static const char *const relations[SKEP_REL_COUNT] = {"self", "root",     "parent",     "child",
                                                      "any",  "ancestor", "descendant", "sibling"};

static void text_expr(struct skep_buf *b, const struct skep_expr *e);

static void text_field(struct skep_buf *b, const struct skep_field_ref *f)
{
    if (f->relation != SKEP_REL_SELF)
        skep_buf_printf(b, "%s:", relations[f->relation]);
    skep_buf_printf(b, SKEP_STRFMT, SKEP_STRARG(f->name));
    if (f->on) {
        skep_buf_str(b, SKEP_STR("{"));
        text_expr(b, f->on);
        skep_buf_str(b, SKEP_STR("}"));
    }
}

static void text_expr(struct skep_buf *b, const struct skep_expr *e)
{
    static const char *const ops[SKEP_CMP_COUNT] = {
        "EQ",   "NE",    "LT",       "LE",        "GT",     "GE",      "STARTS",  "NSTARTS",
        "ENDS", "NENDS", "CONTAINS", "NCONTAINS", "EXISTS", "NEXISTS", "MATCHES", "NMATCHES"};
    if (e->op == SKEP_EXPR_TEST) {
        text_field(b, &e->test.field);
        skep_buf_printf(b, " %s%s", ops[e->test.op], e->test.fold_case ? "~" : "");
        for (unsigned i = 0; i < e->test.n_values; i++) {
            skep_buf_u8(b, i ? ',' : ' ');
            text_value(b, &e->test.values[i]);
        }
        return;
    }
    if (e->op == SKEP_EXPR_LASTS) {
        skep_buf_printf(b, "LASTS %s ", ops[e->test.op]);
        text_value(b, &e->test.values[0]);
        return;
    }
    if (e->op == SKEP_EXPR_RELATED)
        skep_buf_printf(b, "%s(", relations[e->relation]);
    else
        skep_buf_str(b, e->op == SKEP_EXPR_AND   ? SKEP_STR("AND(")
                        : e->op == SKEP_EXPR_NOT ? SKEP_STR("NOT(")
                                                 : SKEP_STR("OR("));
    for (unsigned i = 0; i < e->n_kids; i++) {
        if (i)
            skep_buf_str(b, SKEP_STR("; "));
        text_expr(b, e->kids[i]);
    }
    skep_buf_u8(b, ')');
}

static void text_agg(struct skep_buf *b, const struct skep_agg *a)
{
    skep_str op = skep_agg_op_name(a->op, a->param);
    skep_buf_printf(b, " " SKEP_STRFMT "=" SKEP_STRFMT, SKEP_STRARG(a->key), SKEP_STRARG(op));
    if (a->field.name.n) {
        skep_buf_u8(b, ':');
        text_field(b, &a->field);
    }
    if (a->op == SKEP_AGG_HEATMAP)
        skep_buf_printf(b, "/%s%u", a->heat_scale == SKEP_HEAT_LOG ? "log" : "linear",
                        a->heat_bins);
    if (a->filter) {
        skep_buf_u8(b, '[');
        text_expr(b, a->filter);
        skep_buf_u8(b, ']');
    }
}

/* Times in ms relative to `now_ns`. */
static void plan_text(struct skep_buf *b, const struct skep_plan *p, skep_ts_ns now_ns)
{
    skep_buf_printf(b, "%+lld%+lld", (long long)(p->range.start_ns - now_ns) / 1000000,
                    (long long)(p->range.end_ns - now_ns) / 1000000);
    if (p->granularity_ns)
        skep_buf_printf(b, " gran=%lld", (long long)p->granularity_ns / 1000000);
    skep_buf_printf(b, " limit=%u", p->limit);
    if (p->dataset.n)
        skep_buf_printf(b, " ds=" SKEP_STRFMT, SKEP_STRARG(p->dataset));
    if (p->ignore_sample_rate)
        skep_buf_str(b, SKEP_STR(" usage"));
    if (p->n_aggs)
        skep_buf_str(b, SKEP_STR(" |"));
    for (unsigned i = 0; i < p->n_aggs; i++)
        text_agg(b, &p->aggs[i]);
    for (unsigned i = 0; i < p->n_groups; i++) {
        skep_buf_str(b, SKEP_STR(" by "));
        text_field(b, &p->groups[i]);
    }
    if (p->filter) {
        skep_buf_str(b, SKEP_STR(" | "));
        text_expr(b, p->filter);
    }
    for (unsigned i = 0; i < p->n_orders; i++)
        skep_buf_printf(b, " order %s%u%s", p->orders[i].by_agg ? "agg" : "group",
                        p->orders[i].index, p->orders[i].descending ? "-" : "+");
    for (unsigned i = 0; i < p->n_havings; i++)
        skep_buf_printf(b, " having agg%u op%d %g", p->havings[i].agg, (int)p->havings[i].op,
                        p->havings[i].value);
    for (unsigned i = 0; i < p->n_columns; i++)
        skep_buf_printf(b, " col " SKEP_STRFMT, SKEP_STRARG(p->columns[i].name));
    if (p->oldest_first)
        skep_buf_str(b, SKEP_STR(" asc"));
    if (p->has_cursor)
        skep_buf_printf(b, " after %lld.%llu-%u", (long long)p->cursor_time_ns,
                        (unsigned long long)p->cursor_id.seq, p->cursor_id.ordinal);
    if (p->kind == SKEP_PLAN_TRACES)
        skep_buf_printf(b, " sort%d", (int)p->sort);
}
