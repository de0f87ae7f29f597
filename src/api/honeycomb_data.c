// SPDX-License-Identifier: Apache-2.0
/* A result as the `data` member of a query result:
 *
 *   series                     [{"time", "data": {group..., calc...}}]   one a bucket and group
 * with rows results                    [{"data": {group..., calc...}}]           one a group, in
 * order total_by_aggregate         {"data": {calc...}}                       over all groups
 *   total_by_aggregate_series  [{"time", "data"}]
 *   other_by_aggregate         {"data": {calc...}}                       groups beyond the limit
 *
 * Numbers are plain JSON numbers here; arrays and bytes are strings, as in Honeycomb.  A heatmap
 * cell is {counts[], min_value, max_value, step_size}.  Of what lies beyond the limit only additive
 * calculations are known (COUNT, SUM): the others are null.  Formulas stand instead of the
 * calculations they are made of.
 * Threads: none of its own. */
#include "api/honeycomb_priv.h"

#include "base/assert.h"
#include "wire/base64.h"
#include "wire/rfc3339.h"

static void plain_value(struct skep_json *json, const skep_value *v)
{
    struct skep_buf b;
    switch (v->type) {
    case SKEP_TYPE_INT: skep_json_i64(json, v->i); break;
    case SKEP_TYPE_DOUBLE: skep_json_f64(json, v->f); break;
    case SKEP_TYPE_STRING:
    case SKEP_TYPE_ARRAY: skep_json_str(json, v->s); break;
    case SKEP_TYPE_BYTES:
        skep_buf_init(&b, 2 * v->s.n + 16);
        skep_base64_encode(&b, skep_str_bytes(v->s));
        skep_json_str(json, skep_buf_text(&b));
        skep_buf_done(&b);
        break;
    case SKEP_TYPE_BOOL: skep_json_bool(json, v->b); break;
    case SKEP_TYPE_NULL:
    case SKEP_TYPE_EMPTY:
    case SKEP_TYPE_COUNT: skep_json_null(json); break;
    }
}

static void heat_cell(struct skep_json *json, const struct skep_cell *c,
                      const struct skep_heat_edges *edges)
{
    uint32_t k = 0;
    skep_json_object(json);
    skep_json_key(json, SKEP_STR("counts"));
    skep_json_array(json);
    for (unsigned i = 0; i < edges->n; i++) {
        bool is = k < c->n_heat && c->heat[k].bin == i;
        skep_json_u64(json, is ? c->heat[k].count : 0);
        k += is;
    }
    skep_json_end(json);
    if (edges->n) {
        skep_json_put_f64(json, SKEP_STR("min_value"), edges->edges[0]);
        skep_json_put_f64(json, SKEP_STR("max_value"), edges->edges[edges->n]);
        skep_json_put_f64(json, SKEP_STR("step_size"),
                          (edges->edges[edges->n] - edges->edges[0]) / (double)edges->n);
    }
    skep_json_end(json);
}

static void cell(struct skep_json *json, const struct skep_result *r, unsigned agg,
                 const struct skep_cell *c)
{
    switch (c->kind) {
    case SKEP_CELL_NULL: skep_json_null(json); break;
    case SKEP_CELL_INT: skep_json_i64(json, c->i); break;
    case SKEP_CELL_DOUBLE: skep_json_f64(json, c->f); break;
    case SKEP_CELL_HEAT: heat_cell(json, c, &r->heat[agg]); break;
    }
}

/* "data": the group's names and one cell a calculation, `stride` apart. */
static void data_member(struct skep_json *json, const struct skep_result *r,
                        const struct skep_result_group *g, const struct skep_cell *cells,
                        size_t stride)
{
    skep_json_key(json, SKEP_STR("data"));
    skep_json_object(json);
    for (unsigned i = 0; g->key && i < r->plan->n_groups; i++) {
        skep_json_key(json, skep_field_label(&r->plan->groups[i]));
        plain_value(json, &g->key[i]);
    }
    for (unsigned i = skep_plan_first_value(r->plan); i < skep_plan_n_values(r->plan); i++) {
        skep_json_key(json, skep_plan_value_key(r->plan, i));
        cell(json, r, i, &cells[i * stride]);
    }
    skep_json_end(json);
}

static bool has_rows(const struct skep_result *r, const struct skep_result_group *g, unsigned b)
{
    for (unsigned i = skep_plan_first_value(r->plan); i < skep_plan_n_values(r->plan); i++)
        if (g->series[(size_t)i * r->n_buckets + b].kind != SKEP_CELL_NULL)
            return true;
    return false;
}

static void series_point(struct skep_json *json, const struct skep_result *r,
                         const struct skep_result_group *g, unsigned b)
{
    if (!g->series || !has_rows(r, g, b))
        return;
    skep_json_object(json);
    skep_api__put_time(json, SKEP_STR("time"), r->bucket_starts[b]);
    data_member(json, r, g, g->series + b, r->n_buckets);
    skep_json_end(json);
}

static void series(struct skep_json *json, const struct skep_result *r)
{
    skep_json_key(json, SKEP_STR("series"));
    skep_json_array(json);
    for (unsigned b = 0; b < r->n_buckets; b++)
        for (size_t i = 0; i < r->n_groups; i++)
            series_point(json, r, &r->groups[i], b);
    skep_json_end(json);
}

static void totals(struct skep_json *json, const struct skep_result *r, bool with_series)
{
    skep_json_key(json, SKEP_STR("total_by_aggregate"));
    skep_json_object(json);
    data_member(json, r, &r->totals, r->totals.values, 1);
    skep_json_end(json);
    if (!with_series)
        return;
    skep_json_key(json, SKEP_STR("total_by_aggregate_series"));
    skep_json_array(json);
    for (unsigned b = 0; b < r->n_buckets; b++)
        series_point(json, r, &r->totals, b);
    skep_json_end(json);
}

static double number(const struct skep_cell *c)
{
    return c->kind == SKEP_CELL_INT ? (double)c->i : c->kind == SKEP_CELL_DOUBLE ? c->f : 0;
}

static void other(struct skep_json *json, const struct skep_result *r)
{
    skep_json_key(json, SKEP_STR("other_by_aggregate"));
    skep_json_object(json);
    skep_json_key(json, SKEP_STR("data"));
    skep_json_object(json);
    for (unsigned i = skep_plan_first_value(r->plan); i < r->plan->n_aggs; i++) {
        const struct skep_agg *a = &r->plan->aggs[i];
        const struct skep_cell *total = &r->totals.values[i];
        skep_json_key(json, a->key);
        if (a->op == SKEP_AGG_COUNT && total->kind == SKEP_CELL_INT) {
            int64_t left = total->i;
            for (size_t g = 0; g < r->n_groups; g++)
                left -= r->groups[g].values[i].kind == SKEP_CELL_INT ? r->groups[g].values[i].i : 0;
            skep_json_i64(json, left);
        } else if (a->op == SKEP_AGG_SUM) {
            double left = number(total);
            for (size_t g = 0; g < r->n_groups; g++)
                left -= number(&r->groups[g].values[i]);
            skep_json_f64(json, left);
        } else {
            skep_json_null(json);
        }
    }
    for (unsigned i = 0; i < r->plan->n_formulas; i++) {
        skep_json_key(json, r->plan->formulas[i].key);
        skep_json_null(json);
    }
    skep_json_end(json);
    skep_json_end(json);
}

void skep_api__hny_data(struct skep_json *json, const struct skep_result *r,
                        const struct skep_api__result_opts *opts)
{
    skep_assert(r->plan->n_aggs > 0);
    skep_json_object(json);
    if (opts->series)
        series(json, r);
    skep_json_key(json, SKEP_STR("results"));
    skep_json_array(json);
    for (size_t i = 0; i < r->n_groups; i++) {
        skep_json_object(json);
        data_member(json, r, &r->groups[i], r->groups[i].values, 1);
        skep_json_end(json);
    }
    skep_json_end(json);
    if (opts->totals)
        totals(json, r, opts->series);
    if (opts->others && r->n_groups_total > r->n_groups)
        other(json, r);
    skep_json_put_u64(json, SKEP_STR("rows_examined"), r->rows_examined);
    skep_json_end(json);
}
