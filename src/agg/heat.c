// SPDX-License-Identifier: Apache-2.0
/* HEATMAP: display bins over a log histogram (LOG) or bins of equal width (LINEAR).
 *
 * LOG shares the state of PERCENTILE (hist.c).  Its fine bins are grouped by whole ones, so every
 * count falls into exactly one display bin and the edges are exact doubles:
 *
 *   [-hi .. -lo) grouped | [0, lo) zeros | [lo .. hi) grouped
 *
 * LINEAR knows min and max of all values beforehand (a first pass by query) and counts straight
 * into heat_bins bins; a value outside (it arrived between the passes) goes to the first or last
 * bin.
 *
 * I1  edges ascend and cover every value counted; the sum of the bins is the weight of all numbers.
 * I2  the axis depends on what is covered alone, not on how it was split over partials.
 *
 * Threads: one at a time. */
#include "agg/heat.h"

#include "agg/hist.h"
#include "base/assert.h"

#include <math.h>

enum { DEFAULT_BINS = 40 };

static unsigned wanted_bins(const struct skep_agg *agg)
{
    return agg->heat_bins ? agg->heat_bins : DEFAULT_BINS;
}

struct linear_state {
    uint64_t *counts; /* [bins] */
};

static size_t linear_bytes(unsigned bins)
{
    return bins * sizeof(uint64_t);
}

static double linear_edge(const struct skep_agg *agg, unsigned b)
{
    unsigned bins = wanted_bins(agg);
    if (b == bins)
        return agg->heat_max;
    /* Halved, so that a range of more than DBL_MAX does not become infinite. */
    double half = agg->heat_max / 2 - agg->heat_min / 2;
    return agg->heat_min + half * ((double)b / bins) * 2;
}

static unsigned linear_bin(const struct skep_agg *agg, double v)
{
    unsigned bins = wanted_bins(agg);
    if (!(v > agg->heat_min))
        return 0;
    if (v >= agg->heat_max)
        return bins - 1;
    double half = agg->heat_max / 2 - agg->heat_min / 2;
    double at = (v / 2 - agg->heat_min / 2) / half * bins;
    unsigned b = at >= bins ? bins - 1 : (unsigned)at;
    while (b > 0 && v < linear_edge(agg, b))
        b--;
    while (b + 1 < bins && v >= linear_edge(agg, b + 1))
        b++;
    return b;
}

static skep_rc linear_add(void *states, const struct skep_agg_in *in, struct skep_agg_mem *mem)
{
    struct linear_state *st = states;
    size_t bytes = linear_bytes(wanted_bins(in->agg));
    for (unsigned i = 0; i < in->sel.n; i++) {
        unsigned r = skep_agg__row(in, i), at = in->constant ? 0 : r;
        double v = in->form == SKEP_AGG_F64  ? in->f64[at]
                   : in->form == SKEP_AGG_NS ? (double)in->i64[at] / 1e6
                                             : (double)in->i64[at];
        if (isnan(v))
            continue;
        struct linear_state *s = &st[skep_agg__cell(in, r)];
        if (!s->counts) {
            /* The size stands in front, for done(). */
            uint64_t *block = skep_agg_alloc(mem, bytes + sizeof *block);
            if (!block)
                return SKEP_ENOMEM;
            block[0] = bytes + sizeof *block;
            s->counts = block + 1;
        }
        uint64_t *c = &s->counts[linear_bin(in->agg, v)];
        *c = skep_agg__add_sat(*c, skep_agg__weight(in, r));
    }
    return SKEP_OK;
}

static skep_rc linear_merge(void *dst, const void *src, const struct skep_agg *agg,
                            struct skep_agg_mem *mem)
{
    struct linear_state *d = dst;
    const struct linear_state *s = src;
    unsigned bins = wanted_bins(agg);
    if (!s->counts)
        return SKEP_OK;
    if (!d->counts) {
        uint64_t *block = skep_agg_alloc(mem, linear_bytes(bins) + sizeof *block);
        if (!block)
            return SKEP_ENOMEM;
        block[0] = linear_bytes(bins) + sizeof *block;
        d->counts = block + 1;
    }
    for (unsigned b = 0; b < bins; b++)
        d->counts[b] = skep_agg__add_sat(d->counts[b], s->counts[b]);
    return SKEP_OK;
}

static void linear_done(void *state, struct skep_agg_mem *mem)
{
    struct linear_state *s = state;
    if (s->counts) {
        uint64_t *block = s->counts - 1;
        skep_agg_free(mem, block, (size_t)block[0]);
    }
    s->counts = NULL;
}

const struct skep_state_ops skep_state_linear = {
    .name = "linear",
    .size = sizeof(struct linear_state),
    .want = SKEP_AGG_WANT_NUMBERS,
    .weighted = true,
    .params = true,
    .add = linear_add,
    .merge = linear_merge,
    .done = linear_done,
};

void skep_agg_finish_heat(const struct skep_agg *agg, void *state, int64_t span_ns,
                          struct skep_agg_value *ret)
{
    (void)span_ns;
    bool empty = agg->heat_scale == SKEP_HEAT_LINEAR ? !((struct linear_state *)state)->counts
                                                     : skep_hist__empty(state);
    *ret = (struct skep_agg_value){.kind = empty ? SKEP_AGG_NULL : SKEP_AGG_STATE};
}

static void widen(bool *has, uint32_t *lo, uint32_t *hi, uint32_t bin)
{
    *lo = !*has || bin < *lo ? bin : *lo;
    *hi = !*has || bin > *hi ? bin : *hi;
    *has = true;
}

static void cover_value(struct skep_heat_range *r, double v)
{
    if (v > 0)
        widen(&r->has_pos, &r->pos_lo, &r->pos_hi, skep_hist__bin(v));
    else if (v < 0)
        widen(&r->has_neg, &r->neg_lo, &r->neg_hi, skep_hist__bin(-v));
    else
        r->has_zero = true;
}

static void cover_window(bool *has, uint32_t *lo, uint32_t *hi, const struct skep_hist_window *w)
{
    uint32_t bin = 0;
    uint64_t n = 0;
    for (struct skep_hist_it it = {0}; skep_hist__next(w, &it, &bin, &n);)
        widen(has, lo, hi, bin);
}

void skep_heat_cover(const struct skep_agg *agg, void *state, struct skep_heat_range *r)
{
    if (agg->heat_scale == SKEP_HEAT_LINEAR) {
        if (((struct linear_state *)state)->counts)
            r->has_zero = true; /* something is there; the edges are known */
        return;
    }
    const struct skep_hist *h = ((struct skep_hist_state *)state)->h;
    if (!h)
        return;
    if (h->n_exact <= SKEP_HIST_EXACT) {
        for (uint32_t i = 0; i < h->n_exact; i++)
            cover_value(r, h->values[i]);
        return;
    }
    cover_window(&r->has_neg, &r->neg_lo, &r->neg_hi, &h->neg);
    cover_window(&r->has_pos, &r->pos_lo, &r->pos_hi, &h->pos);
    r->has_zero = r->has_zero || h->zero > 0;
}

/* An infinity's bin begins at infinity: as an edge it is the greatest double's successor. */
static double upper_edge(uint32_t bin)
{
    return skep_hist__edge(SKEP_MIN(bin, (uint32_t)2047 << SKEP_HIST_SUB_BITS));
}

static void log_axis(const struct skep_agg *agg, const struct skep_heat_range *r,
                     struct skep_arena *arena, struct skep_heat_axis *ax)
{
    unsigned wanted = wanted_bins(agg);
    uint32_t n_neg = r->has_neg ? r->neg_hi - r->neg_lo + 1 : 0;
    uint32_t n_pos = r->has_pos ? r->pos_hi - r->pos_lo + 1 : 0;
    uint32_t step = (n_neg + n_pos + wanted - 1) / wanted;
    step = SKEP_MAX(step, 1u);
    ax->neg_step = step;
    ax->pos_step = step;
    ax->n_neg = (n_neg + step - 1) / step;
    ax->n_pos = (n_pos + step - 1) / step;
    /* Between the smallest negative and the smallest positive value there must be a bin for the
     * edges to join; it holds the zeros. */
    ax->n_zero = r->has_zero || (n_neg > 0 && n_pos > 0);
    ax->n = ax->n_neg + ax->n_zero + ax->n_pos;
    ax->edges = skep_new_n(arena, double, ax->n + 1);
    unsigned e = 0;
    for (unsigned b = ax->n_neg; b > 0; b--)
        ax->edges[e++] = -upper_edge(r->neg_lo + b * step);
    if (ax->n_neg > 0) /* the upper edge of the negatives is where zeros begin */
        ax->edges[e++] = -skep_hist__edge(r->neg_lo);
    else if (ax->n_zero)
        ax->edges[e++] = 0;
    for (unsigned b = 0; b < ax->n_pos; b++)
        ax->edges[e++] = skep_hist__edge(r->pos_lo + b * step);
    if (ax->n_pos > 0)
        ax->edges[e++] = upper_edge(r->pos_lo + ax->n_pos * step);
    else if (ax->n_zero)
        ax->edges[e++] = 0;
    skep_assert(e == ax->n + 1);
}

void skep_heat_axis_make(const struct skep_agg *agg, const struct skep_heat_range *r,
                         struct skep_arena *arena, struct skep_heat_axis *ret)
{
    *ret = (struct skep_heat_axis){.range = *r, .linear = agg->heat_scale == SKEP_HEAT_LINEAR};
    if (!r->has_neg && !r->has_zero && !r->has_pos)
        return;
    if (!ret->linear) {
        log_axis(agg, r, arena, ret);
        return;
    }
    ret->n = wanted_bins(agg);
    ret->edges = skep_new_n(arena, double, ret->n + 1);
    for (unsigned b = 0; b <= ret->n; b++)
        ret->edges[b] = linear_edge(agg, b);
}

static void count_bin(const struct skep_heat_axis *ax, uint64_t *counts, int sign, uint32_t bin,
                      uint64_t n)
{
    unsigned at = ax->n_neg;
    if (sign < 0)
        at = ax->n_neg - 1 - (bin - ax->range.neg_lo) / ax->neg_step;
    else if (sign > 0)
        at = ax->n_neg + ax->n_zero + (bin - ax->range.pos_lo) / ax->pos_step;
    skep_assert(at < ax->n);
    counts[at] = skep_agg__add_sat(counts[at], n);
}

/* Of a window the bins ascend: those of one display bin are added up without a division each. */
static void count_window(const struct skep_heat_axis *ax, uint64_t *counts, int sign,
                         const struct skep_hist_window *w)
{
    uint32_t lo = sign < 0 ? ax->range.neg_lo : ax->range.pos_lo;
    uint32_t step = sign < 0 ? ax->neg_step : ax->pos_step, bin = 0, first = 0, end = 0;
    uint64_t sum = 0, n = 0;
    for (struct skep_hist_it it = {0}; skep_hist__next(w, &it, &bin, &n);) {
        if (bin >= end) {
            if (sum > 0)
                count_bin(ax, counts, sign, first, sum);
            sum = 0;
            first = bin;
            end = lo + ((bin - lo) / step + 1) * step;
        }
        sum = skep_agg__add_sat(sum, n);
    }
    if (sum > 0)
        count_bin(ax, counts, sign, first, sum);
}

void skep_heat_count(const struct skep_agg *agg, void *state, const struct skep_heat_axis *axis,
                     uint64_t *counts)
{
    skep_assert(axis->linear == (agg->heat_scale == SKEP_HEAT_LINEAR));
    if (axis->linear) {
        const struct linear_state *s = state;
        for (unsigned b = 0; s->counts && b < axis->n; b++)
            counts[b] = skep_agg__add_sat(counts[b], s->counts[b]);
        return;
    }
    const struct skep_hist *h = ((struct skep_hist_state *)state)->h;
    if (!h)
        return;
    if (h->n_exact <= SKEP_HIST_EXACT) {
        for (uint32_t i = 0; i < h->n_exact; i++) {
            double v = h->values[i];
            int sign = v > 0 ? 1 : v < 0 ? -1 : 0;
            count_bin(axis, counts, sign, sign ? skep_hist__bin(fabs(v)) : 0,
                      h->weights ? h->weights[i] : 1);
        }
        return;
    }
    count_window(axis, counts, -1, &h->neg);
    if (h->zero > 0)
        count_bin(axis, counts, 0, 0, h->zero);
    count_window(axis, counts, 1, &h->pos);
}
