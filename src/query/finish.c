// SPDX-License-Identifier: Apache-2.0
/* From ordered groups to the answer: keys, values, series, heatmap axes, totals.
 *
 * Heatmaps of one aggregate share one axis over all groups and buckets, made from everything the
 * aggregate saw; so the axis does not depend on the limit, and bins of different cells can be
 * added.
 *
 * I1  series[a * n_buckets + b]: a bucket without rows is NULL, but 0 where nothing means zero
 *     (COUNT, COUNT_DISTINCT, CONCURRENCY).
 * I2  a rate is NULL in the first bucket and wherever one of its two buckets has no value.
 *
 * Threads: the caller's.  Memory: the answer in opts->arena, asked for, not forced. */
#include "base/assert.h"
#include "base/mem.h"
#include "query/query_priv.h"

#include <math.h>

static void *try_array(struct skep_query_job *j, size_t n, size_t size, skep_err *err)
{
    size_t bytes = 0;
    void *p =
        SKEP_MUL_OVERFLOW(n + 1, size, &bytes) ? NULL : skep_arena_try_alloc(j->opts->arena, bytes);
    if (!p && skep_query__no_memory(err) != SKEP_ENOMEM)
        skep_unreachable("running out of memory has one code");
    return p;
}

void skep_query__to_cell(const struct skep_agg_value *v, struct skep_cell *ret)
{
    *ret = (struct skep_cell){.kind = SKEP_CELL_NULL};
    if (v->kind == SKEP_AGG_INT) {
        ret->kind = SKEP_CELL_INT;
        ret->i = v->i;
    } else if (v->kind == SKEP_AGG_DOUBLE && !isnan(v->f)) {
        ret->kind = SKEP_CELL_DOUBLE;
        ret->f = v->f;
    }
}

/* Bins of a heatmap over some cells. */
static skep_rc heat_cell(struct skep_query_job *j, const struct skep_query_cells *c, unsigned agg,
                         const uint32_t *cells, uint32_t n, struct skep_cell *ret, skep_err *err)
{
    const struct skep_heat_axis *axis = &j->axes[agg];
    const struct skep_partial *p = c->p;
    *ret = (struct skep_cell){.kind = SKEP_CELL_NULL};
    if (axis->n == 0)
        return SKEP_OK;
    uint64_t *counts = skep_agg_alloc(&j->mem, axis->n * sizeof *counts);
    if (!counts)
        return skep_query__no_memory(err);
    for (uint32_t i = 0; i < n; i++)
        skep_heat_count(&j->plan.aggs[agg], skep_partial_state(p, p->state_of[agg], cells[i]), axis,
                        counts);
    unsigned used = 0;
    for (unsigned b = 0; b < axis->n; b++)
        used += counts[b] > 0;
    struct skep_heat_bin *bins = used ? try_array(j, used, sizeof *bins, err) : NULL;
    if (bins) {
        *ret = (struct skep_cell){.kind = SKEP_CELL_HEAT, .n_heat = used, .heat = bins};
        for (unsigned b = 0; b < axis->n; b++)
            if (counts[b] > 0)
                *bins++ = (struct skep_heat_bin){b, counts[b]};
    }
    skep_agg_free(&j->mem, counts, axis->n * sizeof *counts);
    return used && !bins ? SKEP_ENOMEM : SKEP_OK;
}

static skep_rc make_axes(struct skep_query_job *j, const struct skep_query_cells *c,
                         struct skep_result *r, skep_err *err)
{
    j->axes = try_array(j, j->plan.n_aggs, sizeof *j->axes, err);
    r->heat = try_array(j, j->plan.n_aggs, sizeof *r->heat, err);
    if (!j->axes || !r->heat)
        return SKEP_ENOMEM;
    for (unsigned a = 0; a < j->plan.n_aggs; a++) {
        if (j->plan.aggs[a].op != SKEP_AGG_HEATMAP)
            continue;
        struct skep_heat_range range = {0};
        const struct skep_partial *all = c->whole ? c->whole : c->p;
        for (uint32_t cell = 0; cell < all->cells.n; cell++)
            skep_heat_cover(&j->plan.aggs[a], skep_partial_state(all, all->state_of[a], cell),
                            &range);
        skep_heat_axis_make(&j->plan.aggs[a], &range, j->opts->arena, &j->axes[a]);
        r->heat[a].edges = j->axes[a].edges;
        r->heat[a].n = j->axes[a].n;
    }
    return SKEP_OK;
}

static skep_rc group_values(struct skep_query_job *j, const struct skep_query_cells *c,
                            const uint32_t *cells, uint32_t n, const struct skep_agg_value *values,
                            const struct skep_cell **ret, skep_err *err)
{
    struct skep_cell *out = try_array(j, skep_plan_n_values(&j->plan), sizeof *out, err);
    if (!out)
        return SKEP_ENOMEM;
    for (unsigned a = 0; a < j->plan.n_aggs; a++) {
        if (j->plan.aggs[a].op == SKEP_AGG_HEATMAP)
            SKEP_TRY(heat_cell(j, c, a, cells, n, &out[a], err));
        else
            skep_query__to_cell(&values[a], &out[a]);
    }
    skep_query__formula_cells(j, out, 1);
    *ret = out;
    return SKEP_OK;
}

void skep_query__to_rates(struct skep_cell *s, unsigned n, double seconds)
{
    for (unsigned b = n; b-- > 0;) {
        struct skep_cell before = {.kind = SKEP_CELL_NULL};
        if (b > 0)
            before = s[b - 1];
        if (before.kind == SKEP_CELL_NULL || s[b].kind == SKEP_CELL_NULL) {
            s[b] = (struct skep_cell){.kind = SKEP_CELL_NULL};
            continue;
        }
        double x = s[b].kind == SKEP_CELL_INT ? (double)s[b].i : s[b].f;
        double y = before.kind == SKEP_CELL_INT ? (double)before.i : before.f;
        double rate = (x - y) / seconds; /* infinity - infinity is none */
        s[b] =
            (struct skep_cell){.kind = isnan(rate) ? SKEP_CELL_NULL : SKEP_CELL_DOUBLE, .f = rate};
    }
}

void skep_query__mean(const struct skep_cell *series, unsigned n, struct skep_agg_value *ret)
{
    double sum = 0;
    unsigned m = 0;
    for (unsigned b = 0; b < n; b++) {
        if (series[b].kind == SKEP_CELL_DOUBLE) {
            sum += series[b].f;
            m++;
        }
    }
    *ret = (struct skep_agg_value){.kind = SKEP_AGG_NULL};
    if (m > 0 && !isnan(sum))
        *ret = (struct skep_agg_value){.kind = SKEP_AGG_DOUBLE, .f = sum / m};
}

static skep_rc one_bucket(struct skep_query_job *j, const struct skep_query_cells *c,
                          const uint32_t *cells, uint32_t n, unsigned bucket, unsigned n_buckets,
                          struct skep_cell *out, skep_err *err)
{
    struct skep_agg_value values[SKEP_LIMIT_PLAN_AGGS];
    int64_t span_ns = skep_agg_bucket_span(c->p->plan, c->p->bucket0_ns, bucket);
    SKEP_TRY(skep_query__values(j, c, cells, n, span_ns, values, err));
    for (unsigned a = 0; a < j->plan.n_aggs; a++) {
        const struct skep_agg_ops *ops = skep_agg_ops(j->plan.aggs[a].op);
        struct skep_cell *cell = &out[(size_t)a * n_buckets + bucket];
        if (j->plan.aggs[a].op == SKEP_AGG_HEATMAP) {
            SKEP_TRY(heat_cell(j, c, a, cells, n, cell, err));
            continue;
        }
        if (ops->rate) { /* left out by skep_query__values; n is 1 but in totals */
            unsigned s = c->p->state_of[a];
            SKEP_ALIGNED(16) uint8_t merged[256] = {0};
            const struct skep_state_ops *so = c->p->states[s].ops;
            skep_assert(so->size <= sizeof merged);
            skep_rc rc = SKEP_OK;
            for (uint32_t i = 0; i < n && rc == SKEP_OK; i++)
                rc = so->merge(merged, skep_partial_state(c->p, s, cells[i]), &j->plan.aggs[a],
                               &j->mem);
            if (rc == SKEP_OK)
                ops->finish(&j->plan.aggs[a], merged, span_ns, &values[a]);
            if (so->done)
                so->done(merged, &j->mem);
            if (rc != SKEP_OK)
                return skep_query__no_memory(err);
        }
        skep_query__to_cell(&values[a], cell);
    }
    return SKEP_OK;
}

/* Series over cells given in order of their buckets. */
static skep_rc make_series(struct skep_query_job *j, const struct skep_query_cells *c,
                           const uint32_t *cells, uint32_t n, unsigned n_buckets,
                           const struct skep_cell **ret, skep_err *err)
{
    size_t n_cells = (size_t)skep_plan_n_values(&j->plan) * n_buckets;
    struct skep_cell *out = try_array(j, n_cells, sizeof *out, err);
    if (!out)
        return SKEP_ENOMEM;
    for (unsigned a = 0; a < j->plan.n_aggs; a++) {
        const struct skep_agg_ops *ops = skep_agg_ops(j->plan.aggs[a].op);
        bool concurrency = j->plan.aggs[a].op == SKEP_AGG_CONCURRENCY;
        for (unsigned b = 0; ops->zero && b < n_buckets; b++)
            out[(size_t)a * n_buckets + b].kind = concurrency ? SKEP_CELL_DOUBLE : SKEP_CELL_INT;
    }
    for (uint32_t i = 0; i < n;) {
        uint32_t b = c->p->cells.right[cells[i]], m = 1;
        while (i + m < n && c->p->cells.right[cells[i + m]] == b)
            m++;
        SKEP_TRY(one_bucket(j, c, cells + i, m, b, n_buckets, out, err));
        i += m;
    }
    for (unsigned a = 0; a < j->plan.n_aggs; a++)
        if (skep_agg_ops(j->plan.aggs[a].op)->rate)
            skep_query__to_rates(out + (size_t)a * n_buckets, n_buckets,
                                 (double)j->plan.granularity_ns / 1e9);
    for (unsigned b = 0; b < n_buckets; b++)
        skep_query__formula_cells(j, out + b, n_buckets);
    *ret = out;
    return SKEP_OK;
}

static bool text_type(enum skep_type t)
{
    return t == SKEP_TYPE_STRING || t == SKEP_TYPE_BYTES || t == SKEP_TYPE_ARRAY;
}

static skep_rc copy_keys(struct skep_query_job *j, const struct skep_partial *p, uint32_t tuple,
                         const skep_value **ret, skep_err *err)
{
    skep_value *keys = try_array(j, p->n_groups, sizeof *keys, err);
    if (!keys)
        return SKEP_ENOMEM;
    skep_query__keys(p, tuple, keys);
    for (unsigned g = 0; g < p->n_groups; g++)
        if (text_type(keys[g].type))
            keys[g].s = skep_arena_str(j->opts->arena, keys[g].s);
    *ret = keys;
    return SKEP_OK;
}

/* Tuple of the same keys in another partial; SKEP_ID_NONE when it has none. */
static uint32_t same_tuple(struct skep_partial *p, const skep_value *keys)
{
    uint32_t tuple = 0;
    for (unsigned g = 0; g < p->n_groups; g++) {
        uint32_t id = 0;
        p->keys[g].frozen = true;
        if (skep_keys_get(&p->keys[g], &keys[g], skep_agg_hash_value(&keys[g]), &id) != SKEP_OK)
            return SKEP_ID_NONE;
        if (id == SKEP_ID_NONE)
            return SKEP_ID_NONE;
        tuple = g == 0 ? id : skep_pairs_find(&p->tuples[g - 1], tuple, id);
        if (tuple == SKEP_ID_NONE)
            return SKEP_ID_NONE;
    }
    return tuple;
}

static skep_rc one_group(struct skep_query_job *j, struct skep_query_group *g, unsigned n_buckets,
                         struct skep_result_group *ret, skep_err *err)
{
    const struct skep_query_cells *c = j->totals_only.p ? &j->totals_only : &j->series;
    const uint32_t *cells = c->cells + c->first[g->tuple];
    uint32_t n = c->first[g->tuple + 1] - c->first[g->tuple];
    SKEP_TRY(copy_keys(j, c->p, g->tuple, &ret->key, err));
    const uint32_t *series = cells;
    uint32_t n_series = n;
    if (j->totals_only.p) {
        uint32_t tuple = same_tuple(j->series.p, ret->key);
        n_series = 0;
        if (tuple != SKEP_ID_NONE && tuple < j->series.n_tuples) {
            series = j->series.cells + j->series.first[tuple];
            n_series = j->series.first[tuple + 1] - j->series.first[tuple];
        }
        SKEP_TRY(skep_query__rates(j, &j->series, series, n_series, g->values, err));
    }
    SKEP_TRY(group_values(j, c, cells, n, g->values, &ret->values, err));
    if (n_buckets > 0)
        return make_series(j, &j->series, series, n_series, n_buckets, &ret->series, err);
    return SKEP_OK;
}

static int64_t whole_span(const struct skep_plan *plan)
{
    struct skep_plan whole = *plan;
    whole.granularity_ns = 0;
    return skep_agg_bucket_span(&whole, plan->range.start_ns, 0);
}

/* All cells of a partial, ordered by bucket. */
static skep_rc by_bucket(struct skep_query_job *j, const struct skep_partial *p, uint32_t **ret,
                         skep_err *err)
{
    uint32_t *at = skep_agg_alloc(&j->mem, (p->n_buckets + 2) * sizeof *at);
    uint32_t *cells = skep_agg_alloc(&j->mem, (p->cells.n + 1) * sizeof *cells);
    if (at && cells) {
        for (uint32_t c = 0; c < p->cells.n; c++)
            at[p->cells.right[c] + 1]++;
        for (unsigned b = 1; b <= p->n_buckets; b++)
            at[b] += at[b - 1];
        for (uint32_t c = 0; c < p->cells.n; c++)
            cells[at[p->cells.right[c]]++] = c;
    } else {
        skep_agg_free(&j->mem, cells, (p->cells.n + 1) * sizeof *cells);
        cells = NULL;
    }
    skep_agg_free(&j->mem, at, (p->n_buckets + 2) * sizeof *at);
    *ret = cells;
    return cells ? SKEP_OK : skep_query__no_memory(err);
}

static skep_rc make_totals(struct skep_query_job *j, unsigned n_buckets,
                           struct skep_result_group *ret, skep_err *err)
{
    struct skep_query_cells of = j->totals_only.p ? j->totals_only : j->series;
    struct skep_query_cells over = j->all_series.p ? j->all_series : of;
    of.p = of.whole ? of.whole : of.p;
    over.p = over.whole ? over.whole : over.p;
    const struct skep_query_cells *c = &of, *s = &over;
    struct skep_agg_value values[SKEP_LIMIT_PLAN_AGGS];
    uint32_t *cells = NULL, *series = NULL;
    SKEP_TRY(by_bucket(j, c->p, &cells, err));
    skep_rc rc = by_bucket(j, s->p, &series, err);
    if (rc == SKEP_OK)
        rc = skep_query__values(j, c, cells, c->p->cells.n, whole_span(&j->plan), values, err);
    const struct skep_cell *out = NULL;
    bool rates = false;
    for (unsigned a = 0; a < j->plan.n_aggs; a++)
        rates = rates || skep_agg_ops(j->plan.aggs[a].op)->rate;
    unsigned wanted = n_buckets > 0 ? n_buckets : rates ? s->p->n_buckets : 0;
    if (rc == SKEP_OK && wanted > 0)
        rc = make_series(j, s, series, s->p->cells.n, wanted, &out, err);
    for (unsigned a = 0; out && a < j->plan.n_aggs; a++)
        if (skep_agg_ops(j->plan.aggs[a].op)->rate)
            skep_query__mean(out + (size_t)a * wanted, wanted, &values[a]);
    if (rc == SKEP_OK)
        rc = group_values(j, c, cells, c->p->cells.n, values, &ret->values, err);
    ret->series = n_buckets > 0 ? out : NULL;
    skep_agg_free(&j->mem, cells, (c->p->cells.n + 1) * sizeof *cells);
    skep_agg_free(&j->mem, series, (s->p->cells.n + 1) * sizeof *series);
    return rc;
}

static skep_rc bucket_starts(struct skep_query_job *j, struct skep_result *r, skep_err *err)
{
    if (j->plan.granularity_ns == 0 || j->hidden_series)
        return SKEP_OK;
    skep_ts_ns start = 0;
    r->n_buckets = skep_agg_buckets(&j->plan, &start);
    skep_ts_ns *starts = try_array(j, r->n_buckets, sizeof *starts, err);
    if (!starts)
        return SKEP_ENOMEM;
    for (unsigned b = 0; b < r->n_buckets; b++)
        starts[b] = start + (int64_t)b * j->plan.granularity_ns;
    r->bucket_starts = starts;
    return SKEP_OK;
}

skep_rc skep_query__finish(struct skep_query_job *j, struct skep_result **ret, skep_err *err)
{
    const struct skep_query_cells *c = j->totals_only.p ? &j->totals_only : &j->series;
    struct skep_result *r = skep_new(j->opts->arena, struct skep_result);
    r->plan = j->asked;
    SKEP_TRY(bucket_starts(j, r, err));
    SKEP_TRY(make_axes(j, c, r, err));
    r->groups = try_array(j, j->n_groups, sizeof *r->groups, err);
    if (!r->groups)
        return SKEP_ENOMEM;
    for (size_t g = 0; g < j->n_groups; g++)
        SKEP_TRY(one_group(j, &j->groups[g], r->n_buckets, &r->groups[g], err));
    r->n_groups = j->n_groups;
    r->n_groups_total = j->n_groups_total;
    if (j->plan.n_groups == 0 && r->n_groups == 1) { /* which is all there is */
        r->totals.values = r->groups[0].values;
        r->totals.series = r->groups[0].series;
    } else {
        SKEP_TRY(make_totals(j, r->n_buckets, &r->totals, err));
    }
    r->rows_examined = j->rows_examined;
    r->estimated = j->estimated;
    r->complete = j->complete;
    r->missing = j->missing;
    *ret = r;
    return SKEP_OK;
}
