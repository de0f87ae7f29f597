// SPDX-License-Identifier: Apache-2.0
/* FACETS: from the counts of a field to its answer: values that differ most, how much and how
 * surely the two sides differ, a histogram where values are numbers.
 *
 * I1  The same counts give the same bits, in whatever order keys have their ids.
 *
 * Threads: the caller's.  Memory: answers in opts->arena, the rest from the query's budget. */
#include "store/column/exec/facets.h"

#include "agg/differ.h"
#include "base/assert.h"
#include "base/mem.h"
#include "plan/compare.h"

#include <math.h>
#include <stdlib.h>

enum { BINS = 30, NUMBERS_MIN = 20 };

struct scored {
    skep_u128 score; /* |selected * R - rest * S| */
    struct skep_facet_value v;
};

/* < 0 when a stands before b. */
static int by_score(const void *x, const void *y)
{
    const struct scored *a = x, *b = y;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return skep_value_order(&a->v.value, &b->v.value);
}

/* Keep the best `cap`; best[*n] is ordered. */
static void offer(struct scored *best, size_t *n, size_t cap, struct scored s)
{
    if (*n == cap && by_score(&s, &best[cap - 1]) >= 0)
        return;
    size_t at = *n < cap ? (*n)++ : cap - 1;
    for (; at > 0 && by_score(&s, &best[at - 1]) < 0; at--)
        best[at] = best[at - 1];
    best[at] = s;
}

static struct scored score(const struct skep_x_facets *k, const struct skep_value *v,
                           struct skep_x_sides x)
{
    uint64_t selected = k->rows.selected, rest = k->rows.all - k->rows.selected;
    struct scored s = {.v = {*v, x.selected, x.all - x.selected}};
    skep_u128 a = (skep_u128)s.v.selected * SKEP_MAX(rest, 1u);
    skep_u128 b = (skep_u128)s.v.rest * SKEP_MAX(selected, 1u);
    s.score = a > b ? a - b : b - a;
    return s;
}

/* A number with its rows. */
struct point {
    double number;
    struct skep_x_sides rows;
};

static int by_number(const void *x, const void *y)
{
    double a = ((const struct point *)x)->number, b = ((const struct point *)y)->number;
    return a < b ? -1 : a > b;
}

/* The borders of bins over some numbers: equal steps, of the logarithm where they spread far. */
static void make_edges(double lo, double hi, double *edges)
{
    bool wide = lo > 0 && hi / lo >= 50;
    for (unsigned i = 0; i <= BINS; i++) {
        double at = (double)i / BINS;
        edges[i] = wide ? lo * pow(hi / lo, at) : lo + (hi - lo) * at;
    }
    edges[BINS] = hi;
}

/* The smallest that covers so much of all rows. */
static double quantile(const struct point *points, size_t n, double share)
{
    double all = 0, seen = 0;
    for (size_t i = 0; i < n; i++)
        all += (double)points[i].rows.all;
    for (size_t i = 0; i < n; i++) {
        seen += (double)points[i].rows.all;
        if (seen >= share * all)
            return points[i].number;
    }
    return points[n - 1].number;
}

/* Between the first and last half percent; what lies beyond is in the outer bins. */
static skep_rc histogram(struct skep_x_ctx *c, unsigned f, const struct point *points, size_t n,
                         struct skep_facet *ret, skep_err *err)
{
    struct skep_arena *arena = c->q->opts->arena;
    double lo = quantile(points, n, 0.005), hi = quantile(points, n, 0.995);
    if (!(hi > lo) || !isfinite(lo) || !isfinite(hi))
        return SKEP_OK;
    ret->edges = skep_arena_try_alloc(arena, (BINS + 1) * sizeof *ret->edges);
    ret->bins = skep_arena_try_alloc(arena, BINS * sizeof *ret->bins);
    if (!ret->edges || !ret->bins)
        return skep_x__facet_memory(c, f, err);
    make_edges(lo, hi, ret->edges);
    ret->n_bins = BINS;
    for (size_t i = 0, b = 0; i < n; i++) {
        while (b + 1 < BINS && points[i].number >= ret->edges[b + 1])
            b++;
        ret->bins[b].selected += points[i].rows.selected;
        ret->bins[b].rest += points[i].rows.all - points[i].rows.selected;
    }
    return SKEP_OK;
}

static void begin(const struct skep_x_facets *k, struct skep_differ *d)
{
    skep_differ_begin(d, k->rows.selected, k->rows.all - k->rows.selected, k->selected_squares,
                      k->all_squares - k->selected_squares);
}

/* Absent ones stand below all numbers, others above. */
static struct skep_difference of_numbers(const struct skep_x_facets *k, struct skep_x_sides absent,
                                         const struct point *points, size_t n)
{
    struct skep_differ d;
    begin(k, &d);
    skep_differ_number(&d, absent.selected, absent.all - absent.selected);
    for (size_t i = 0; i < n; i++)
        skep_differ_number(&d, points[i].rows.selected,
                           points[i].rows.all - points[i].rows.selected);
    return skep_differ_numbers(&d);
}

static void put_difference(struct skep_facet *ret, struct skep_difference d)
{
    ret->difference = d.difference;
    ret->effect = d.effect;
    ret->p = d.p;
}

/* An integer and a double may be one number (I1). */
static size_t join_equal(struct point *points, size_t n)
{
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        if (m > 0 && points[m - 1].number == points[i].number) {
            points[m - 1].rows.all += points[i].rows.all;
            points[m - 1].rows.selected += points[i].rows.selected;
        } else {
            points[m++] = points[i];
        }
    }
    return m;
}

/* The keys that are numbers, ascending, with what rows they have; the caller frees with
 * skep_agg_free. */
static struct point *numbers_of(struct skep_x_ctx *c, unsigned f, size_t *ret_n, uint64_t *ret_rows)
{
    const struct skep_x_facet *x = &((const struct skep_x_facets *)c->extra)->fields[f];
    const struct skep_keys *keys = &c->partial->keys[f];
    struct point *points = skep_agg_alloc(&c->partial->mem, (keys->n + 1) * sizeof *points);
    size_t n = 0;
    for (uint32_t i = 1; points && i < x->cap && i < keys->n; i++) {
        const skep_value *v = &keys->values[i];
        double number = v->type == SKEP_TYPE_INT ? (double)v->i : v->f;
        bool is = v->type == SKEP_TYPE_INT || v->type == SKEP_TYPE_DOUBLE;
        if (!is || !isfinite(number) || x->by_id[i].all == 0)
            continue;
        points[n++] = (struct point){number, x->by_id[i]};
        *ret_rows += x->by_id[i].all;
    }
    if (n > 1)
        qsort(points, n, sizeof *points, by_number);
    *ret_n = join_equal(points, n);
    return points;
}

/* Are nearly all present rows numbers, and many different ones? */
static skep_rc as_numbers(struct skep_x_ctx *c, unsigned f, struct skep_facet *ret, skep_err *err)
{
    const struct skep_x_facets *k = c->extra;
    struct skep_x_sides absent =
        k->fields[f].cap > 0 ? k->fields[f].by_id[0] : (struct skep_x_sides){0};
    uint64_t rows = 0;
    size_t n = 0;
    if (ret->n_values <= NUMBERS_MIN)
        return SKEP_OK;
    struct point *points = numbers_of(c, f, &n, &rows);
    if (!points)
        return skep_x__facet_memory(c, f, err);
    skep_rc rc = SKEP_OK;
    if (n > NUMBERS_MIN && (double)rows >= 0.9 * (double)(k->rows.all - absent.all)) {
        ret->kind = SKEP_FACET_NUMBERS;
        put_difference(ret, of_numbers(k, absent, points, n));
        rc = histogram(c, f, points, n, ret, err);
    }
    skep_agg_free(&c->partial->mem, points, (c->partial->keys[f].n + 1) * sizeof *points);
    return rc;
}

/* Copy the best values. */
static skep_rc put_values(struct skep_x_ctx *c, unsigned f, const struct scored *best, size_t n,
                          struct skep_facet *ret, skep_err *err)
{
    struct skep_arena *arena = c->q->opts->arena;
    ret->values = skep_arena_try_alloc(arena, (n + 1) * sizeof *ret->values);
    if (!ret->values)
        return skep_x__facet_memory(c, f, err);
    for (; ret->n < n; ret->n++) {
        struct skep_facet_value *v = &ret->values[ret->n];
        *v = best[ret->n].v;
        if (v->value.type == SKEP_TYPE_STRING || v->value.type == SKEP_TYPE_BYTES ||
            v->value.type == SKEP_TYPE_ARRAY)
            v->value.s = skep_arena_str(arena, v->value.s);
    }
    return SKEP_OK;
}

/* By the counts of its values. */
static skep_rc of_values(struct skep_x_ctx *c, unsigned f, size_t limit, struct scored *best,
                         struct skep_facet *ret, skep_err *err)
{
    const struct skep_x_facets *k = c->extra;
    const struct skep_x_facet *x = &k->fields[f];
    const struct skep_keys *keys = &c->partial->keys[f];
    static const skep_value absent = {.type = SKEP_TYPE_NULL};
    struct skep_differ d;
    size_t n = 0;
    begin(k, &d);
    for (uint32_t i = 0; i < x->cap && i < SKEP_MAX(keys->n, 1u); i++) {
        if (x->by_id[i].all == 0)
            continue;
        skep_differ_value(&d, x->by_id[i].selected, x->by_id[i].all - x->by_id[i].selected);
        ret->n_values += i > 0;
        offer(best, &n, limit, score(k, i ? &keys->values[i] : &absent, x->by_id[i]));
    }
    put_difference(ret, skep_differ_values(&d));
    SKEP_TRY(put_values(c, f, best, n, ret, err));
    return as_numbers(c, f, ret, err);
}

/* Cells with rows, as numbers. */
static struct point *cells_of(struct skep_x_ctx *c, const struct skep_x_numbers *x, size_t *ret_n,
                              size_t *ret_bytes, uint64_t *ret_rows)
{
    size_t n = 0, pages = 0;
    for (unsigned p = 0; p < SKEP_X_PAGES; p++)
        pages += x->pages[p] != NULL;
    *ret_bytes = (pages * SKEP_X_CELLS + 1) * sizeof(struct point);
    struct point *points = skep_agg_alloc(&c->partial->mem, *ret_bytes);
    for (unsigned p = 0; points && p < SKEP_X_PAGES; p++)
        for (unsigned i = 0; x->pages[p] && i < SKEP_X_CELLS; i++) {
            if (x->pages[p][i].all == 0)
                continue;
            points[n++] = (struct point){skep_x__measure_least(p, i), x->pages[p][i]};
            *ret_rows += x->pages[p][i].all;
        }
    *ret_n = n;
    return points;
}

/* Too many values: by number where they are numbers, else whether there is one. */
static skep_rc of_cells(struct skep_x_ctx *c, unsigned f, struct scored *best,
                        struct skep_facet *ret, skep_err *err)
{
    const struct skep_x_facets *k = c->extra;
    const struct skep_x_numbers *x = k->fields[f].numbers;
    static const skep_value none = {.type = SKEP_TYPE_NULL};
    size_t n = 0, bytes = 0;
    uint64_t rows = 0;
    if (!x)
        return SKEP_OK;
    struct point *points = cells_of(c, x, &n, &bytes, &rows);
    if (!points)
        return skep_x__facet_memory(c, f, err);
    skep_rc rc = SKEP_OK;
    if (n > 0 && rows >= 9 * x->others.all) {
        ret->kind = SKEP_FACET_NUMBERS;
        put_difference(ret, of_numbers(k, x->absent, points, n));
        rc = histogram(c, f, points, n, ret, err);
    } else {
        struct skep_differ d;
        uint64_t present = k->rows.selected - x->absent.selected;
        begin(k, &d);
        skep_differ_value(&d, x->absent.selected, x->absent.all - x->absent.selected);
        skep_differ_value(&d, present, k->rows.all - x->absent.all - present);
        ret->kind = SKEP_FACET_PRESENCE;
        put_difference(ret, skep_differ_values(&d));
    }
    skep_agg_free(&c->partial->mem, points, bytes);
    SKEP_TRY(rc);
    best[0] = score(k, &none, x->absent);
    return put_values(c, f, best, x->absent.all > 0 ? 1 : 0, ret, err);
}

skep_rc skep_x__facet_answer(struct skep_x_ctx *c, unsigned f, size_t limit, struct skep_facet *ret,
                             skep_err *err)
{
    uint64_t bytes = (limit + 1) * sizeof(struct scored);
    if (skep_x__take(c->q, bytes) != SKEP_OK)
        return skep_fail(err, SKEP_ENOMEM, "ask for less values: no memory for so many");
    struct scored *best = skep_calloc(limit + 1, sizeof *best);
    skep_rc rc =
        ret->too_many ? of_cells(c, f, best, ret, err) : of_values(c, f, limit, best, ret, err);
    skep_free(best);
    skep_x__give(c->q, bytes);
    return rc;
}
