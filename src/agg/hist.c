// SPDX-License-Identifier: Apache-2.0
/* PERCENTILE: a histogram with bins at the upper bits of the double itself.
 *
 *   bin(v) = sign | exponent (11 bits) | upper 6 bits of the mantissa
 *
 * so 64 bins a power of two, taken from the bits without a logarithm.  A bin is at most 1/64 of its
 * lower edge wide; its middle is within 0.79% of every value in it (I1; subnormal numbers
 * excepted). Counts are integers: merging adds them, in any order (I2).  Up to 512 values are kept
 * as they are and then give the exact nearest-rank value; whether they are kept depends only on
 * their number (I3).
 *
 * Negative values have a window of their own, mirrored; zero has a counter; NaN is left out;
 * infinities fall into the last bin.  The answer is clamped to [min, max].
 *
 * The counts are hist_window.c's; what is packed there is open again with the next value added.
 *
 * Threads: one at a time.  Memory: from the partial's; a window of latencies over six powers of ten
 * has 20 * 64 counters of 4 bytes. */
#include "agg/hist.h"

#include "base/assert.h"

#include <math.h>
#include <stdlib.h>

static struct skep_hist *need_hist(struct skep_hist_state *s, struct skep_agg_mem *mem)
{
    if (!s->h)
        s->h = skep_agg_alloc(mem, sizeof *s->h);
    return s->h;
}

static skep_rc to_bin(struct skep_hist *h, double v, uint64_t weight, struct skep_agg_mem *mem)
{
    if (v > 0)
        return skep_hist__bump(&h->pos, skep_hist__bin(v), weight, mem);
    if (v < 0)
        return skep_hist__bump(&h->neg, skep_hist__bin(-v), weight, mem);
    h->zero = skep_agg__add_sat(h->zero, weight);
    return SKEP_OK;
}

static void free_exact(struct skep_hist *h, struct skep_agg_mem *mem)
{
    skep_agg_free(mem, h->values, h->cap_exact * sizeof *h->values);
    skep_agg_free(mem, h->weights, h->cap_exact * sizeof *h->weights);
    h->values = NULL;
    h->weights = NULL;
    h->cap_exact = 0;
}

static skep_rc drop_exact(struct skep_hist *h, struct skep_agg_mem *mem)
{
    for (uint32_t i = 0; i < h->n_exact; i++)
        SKEP_TRY(to_bin(h, h->values[i], h->weights ? h->weights[i] : 1, mem));
    free_exact(h, mem);
    h->n_exact = SKEP_HIST_EXACT + 1;
    return SKEP_OK;
}

static skep_rc keep(struct skep_hist *h, double v, uint64_t weight, struct skep_agg_mem *mem)
{
    if (h->n_exact == h->cap_exact) {
        uint32_t cap = h->cap_exact ? h->cap_exact * 4 : 8;
        double *values =
            skep_agg_realloc(mem, h->values, h->cap_exact * sizeof *values, cap * sizeof *values);
        if (!values)
            return SKEP_ENOMEM;
        h->values = values;
        if (h->weights) {
            uint32_t *weights = skep_agg_realloc(mem, h->weights, h->cap_exact * sizeof *weights,
                                                 cap * sizeof *weights);
            if (!weights) {
                skep_agg_mem_give(mem, (cap - h->cap_exact) * sizeof *values);
                return SKEP_ENOMEM;
            }
            h->weights = weights;
        }
        h->cap_exact = cap;
    }
    if (weight != 1 && !h->weights) {
        h->weights = skep_agg_alloc(mem, h->cap_exact * sizeof *h->weights);
        if (!h->weights)
            return SKEP_ENOMEM;
        for (uint32_t i = 0; i < h->n_exact; i++)
            h->weights[i] = 1;
    }
    h->values[h->n_exact] = v;
    if (h->weights)
        h->weights[h->n_exact] = (uint32_t)SKEP_MIN(weight, (uint64_t)UINT32_MAX);
    h->n_exact++;
    return SKEP_OK;
}

/* Before anything is added. */
static void widen(struct skep_hist *h, double lo, double hi)
{
    bool first = h->n_exact == 0;
    h->min = first || lo < h->min ? lo : h->min;
    h->max = first || hi > h->max ? hi : h->max;
}

/* After anything but a counter of `mid` changed. */
static void set_mid(struct skep_hist_state *s)
{
    const struct skep_hist *h = s->h;
    s->mid_n = 0;
    if (h->n_exact <= SKEP_HIST_EXACT || h->pos.form != SKEP_HIST_U32 || h->pos.n == 0 ||
        !(h->max > 0))
        return;
    uint32_t from = h->min > 0 ? skep_hist__bin(h->min) + 1 : h->pos.base;
    uint32_t to = skep_hist__bin(h->max);
    from = SKEP_MAX(from, h->pos.base);
    to = SKEP_MIN(to, h->pos.base + h->pos.n);
    if (from >= to)
        return;
    s->mid = (uint32_t *)h->pos.counts + (from - h->pos.base);
    s->mid_base = from;
    s->mid_n = to - from;
}

static skep_rc add_value(struct skep_hist_state *s, double v, uint64_t weight,
                         struct skep_agg_mem *mem)
{
    if (isnan(v))
        return SKEP_OK;
    struct skep_hist *h = need_hist(s, mem);
    if (!h)
        return SKEP_ENOMEM;
    v += 0.0;
    weight = SKEP_MIN(weight, (uint64_t)UINT32_MAX);
    widen(h, v, v);
    if (h->n_exact < SKEP_HIST_EXACT)
        return keep(h, v, weight, mem);
    s->mid_n = 0; /* counters may move */
    if (h->n_exact == SKEP_HIST_EXACT)
        SKEP_TRY(drop_exact(h, mem));
    SKEP_TRY(to_bin(h, v, weight, mem));
    set_mid(s);
    return SKEP_OK;
}

enum { SHIFT = 52 - SKEP_HIST_SUB_BITS };

/* Where a value goes the long way: no bin. */
#define LONG_WAY UINT32_MAX

/* Bins of durations in nanoseconds, read as milliseconds.  A product with 1e-6 is within three
 * units in the last place of the quotient by 1e6, so it has the quotient's bin unless it lies that
 * close to an edge: then it returns false.  What is not in 1..2^51 has no bin here. */
SKEP_CLONES SKEP_WRAPS static bool ns_bins(const int64_t *restrict ns, unsigned n,
                                           uint32_t *restrict bins)
{
    uint64_t near = 0;
    for (unsigned i = 0; i < n; i++) {
        uint64_t x = (uint64_t)ns[i], b = x | 0x4330000000000000ull; /* 2^52 + x, as a double */
        uint64_t odd = 0 - (uint64_t)((x - 1) >> 51 != 0);
        double d;
        memcpy(&d, &b, sizeof d);
        d = (d - 0x1p52) * 1e-6;
        memcpy(&b, &d, sizeof b);
        bins[i] = (uint32_t)(b >> SHIFT | odd);
        near |= (uint64_t)(((b + 4) & ((1ull << SHIFT) - 1)) < 8) & ~odd;
    }
    return near == 0;
}

static uint32_t ns_bin(int64_t ns)
{
    return ((uint64_t)ns - 1) >> 51 ? LONG_WAY : skep_hist__bin((double)ns / 1e6);
}

static uint32_t double_bin(double v)
{
    return v > 0 && isfinite(v) ? skep_hist__bin(v) : LONG_WAY;
}

SKEP_CLONES SKEP_WRAPS static void double_bins(const double *restrict v, unsigned n,
                                               uint32_t *restrict bins)
{
    for (unsigned i = 0; i < n; i++) {
        uint64_t b;
        memcpy(&b, &v[i], sizeof b);
        uint64_t odd = 0 - (uint64_t)(b - 1 >= 0x7ff0000000000000ull - 1);
        bins[i] = (uint32_t)(b >> SHIFT | odd);
    }
}

enum { FEW_ROWS = SKEP_IDS_ROWS / 4 };

/* Bins of the selected values, by row; false: there are none for such values.  Those of the rows
 * between are cheaper to make than to leave out, where they are not most. */
static bool plain_bins(const struct skep_agg_in *in, uint32_t *bins)
{
    unsigned end = in->sel.rows ? in->sel.rows[in->sel.n - 1] + 1u : in->sel.n;
    bool ns = in->form == SKEP_AGG_NS;
    if (!ns && in->form != SKEP_AGG_F64)
        return false;
    bool each = in->sel.n < FEW_ROWS;
    if (!each && !ns)
        double_bins(in->f64, end, bins);
    else if (!each)
        each = !ns_bins(in->i64, end, bins);
    for (unsigned i = 0; each && i < in->sel.n; i++) {
        unsigned r = skep_agg__row(in, i);
        bins[r] = ns ? ns_bin(in->i64[r]) : double_bin(in->f64[r]);
    }
    return true;
}

static double value_at(const struct skep_agg_in *in, unsigned at)
{
    return in->form == SKEP_AGG_F64  ? in->f64[at]
           : in->form == SKEP_AGG_NS ? (double)in->i64[at] / 1e6
                                     : (double)in->i64[at];
}

/* Counts a value between minimum and maximum; false: it goes the long way. */
SKEP_WRAPS SKEP_INLINE bool count_quickly(uint32_t *mid, uint32_t at, uint32_t n)
{
    if (SKEP_UNLIKELY(at >= n)) /* as LONG_WAY is */
        return false;
    if (SKEP_LIKELY(++mid[at] != 0))
        return true;
    mid[at] = UINT32_MAX; /* it was full */
    return false;
}

/* Values of weight 1 with known bins.  Whether there are rows is known where it is inlined: the
 * loops are as short as that makes them, and they are most of what a percentile costs. */
SKEP_WRAPS SKEP_INLINE skep_rc add_bins(struct skep_hist_state *st, const struct skep_agg_in *in,
                                        const uint16_t *rows, const uint32_t *bins,
                                        struct skep_agg_mem *mem)
{
    const uint32_t *cells = in->cells->v;
    for (unsigned i = 0, n = in->sel.n; i < n; i++) {
        unsigned r = rows ? rows[i] : i;
        struct skep_hist_state *s = &st[cells[r]];
        if (!count_quickly(s->mid, bins[r] - s->mid_base, s->mid_n))
            SKEP_TRY(add_value(s, value_at(in, r), 1, mem));
    }
    return SKEP_OK;
}

/* The same where all go to one state. */
SKEP_WRAPS SKEP_INLINE skep_rc add_bins_to_one(struct skep_hist_state *s,
                                               const struct skep_agg_in *in, const uint16_t *rows,
                                               const uint32_t *bins, struct skep_agg_mem *mem)
{
    for (unsigned i = 0, n = in->sel.n; i < n; i++) {
        uint32_t *mid = s->mid, base = s->mid_base, mid_n = s->mid_n;
        while (i < n && count_quickly(mid, bins[rows ? rows[i] : i] - base, mid_n))
            i++;
        if (i < n)
            SKEP_TRY(add_value(s, value_at(in, rows ? rows[i] : i), 1, mem));
    }
    return SKEP_OK;
}

static skep_rc add_known(struct skep_hist_state *st, const struct skep_agg_in *in,
                         const uint32_t *bins, struct skep_agg_mem *mem)
{
    const uint16_t *rows = in->sel.rows;
    if (in->cells->constant) {
        struct skep_hist_state *one = &st[in->cells->value];
        return rows ? add_bins_to_one(one, in, rows, bins, mem)
                    : add_bins_to_one(one, in, NULL, bins, mem);
    }
    return rows ? add_bins(st, in, rows, bins, mem) : add_bins(st, in, NULL, bins, mem);
}

static skep_rc hist_add(void *states, const struct skep_agg_in *in, struct skep_agg_mem *mem)
{
    struct skep_hist_state *st = states;
    SKEP_UNINIT uint32_t bins[SKEP_IDS_ROWS];
    if (!in->weights && in->weight <= 1 && !in->constant && in->sel.n > 0 && plain_bins(in, bins))
        return add_known(st, in, bins, mem);
    for (unsigned i = 0; i < in->sel.n; i++) {
        unsigned r = skep_agg__row(in, i);
        SKEP_TRY(add_value(&st[skep_agg__cell(in, r)], value_at(in, in->constant ? 0 : r),
                           skep_agg__weight(in, r), mem));
    }
    return SKEP_OK;
}

/* Of one that keeps its values. */
static skep_rc merge_exact(struct skep_hist *h, const struct skep_hist *s, struct skep_agg_mem *mem)
{
    bool kept = h->n_exact + s->n_exact <= SKEP_HIST_EXACT;
    if (!kept && h->n_exact <= SKEP_HIST_EXACT)
        SKEP_TRY(drop_exact(h, mem));
    for (uint32_t i = 0; i < s->n_exact; i++) {
        uint32_t weight = s->weights ? s->weights[i] : 1;
        SKEP_TRY(kept ? keep(h, s->values[i], weight, mem) : to_bin(h, s->values[i], weight, mem));
    }
    return SKEP_OK;
}

static skep_rc hist_merge(void *dst, const void *src, const struct skep_agg *agg,
                          struct skep_agg_mem *mem)
{
    (void)agg;
    struct skep_hist_state *d = dst;
    if (skep_hist__empty(src))
        return SKEP_OK;
    const struct skep_hist *s = ((const struct skep_hist_state *)src)->h;
    struct skep_hist *h = need_hist(d, mem);
    if (!h)
        return SKEP_ENOMEM;
    d->mid_n = 0;
    widen(h, s->min, s->max);
    if (s->n_exact <= SKEP_HIST_EXACT) {
        SKEP_TRY(merge_exact(h, s, mem));
    } else {
        if (h->n_exact <= SKEP_HIST_EXACT)
            SKEP_TRY(drop_exact(h, mem));
        SKEP_TRY(skep_hist__merge(&h->neg, &s->neg, mem));
        SKEP_TRY(skep_hist__merge(&h->pos, &s->pos, mem));
        h->zero = skep_agg__add_sat(h->zero, s->zero);
    }
    set_mid(d);
    return SKEP_OK;
}

static void hist_done(void *state, struct skep_agg_mem *mem)
{
    struct skep_hist_state *s = state;
    if (!s->h)
        return;
    free_exact(s->h, mem);
    skep_hist__free(&s->h->neg, mem);
    skep_hist__free(&s->h->pos, mem);
    skep_agg_free(mem, s->h, sizeof *s->h);
    *s = (struct skep_hist_state){.h = NULL};
}

static void shrink_exact(struct skep_hist *h, struct skep_agg_mem *mem)
{
    uint32_t cap = h->cap_exact, n = h->n_exact;
    if (n == 0 || n == cap)
        return;
    h->values = skep_agg_shrink(mem, h->values, cap * sizeof *h->values, n * sizeof *h->values);
    if (h->weights)
        h->weights =
            skep_agg_shrink(mem, h->weights, cap * sizeof *h->weights, n * sizeof *h->weights);
    h->cap_exact = n;
}

static void hist_pack(void *state, struct skep_agg_mem *mem)
{
    struct skep_hist_state *s = state;
    if (!s->h)
        return;
    s->mid_n = 0; /* counters go */
    if (s->h->n_exact <= SKEP_HIST_EXACT) {
        shrink_exact(s->h, mem);
        return;
    }
    skep_hist__pack(&s->h->neg, mem);
    skep_hist__pack(&s->h->pos, mem);
}

const struct skep_state_ops skep_state_hist = {
    .name = "hist",
    .size = sizeof(struct skep_hist_state),
    .want = SKEP_AGG_WANT_NUMBERS,
    .weighted = true,
    .add = hist_add,
    .merge = hist_merge,
    .done = hist_done,
    .pack = hist_pack,
};

struct weighted {
    double v;
    uint32_t w;
};

static int by_value(const void *a, const void *b)
{
    double x = ((const struct weighted *)a)->v, y = ((const struct weighted *)b)->v;
    return x < y ? -1 : x > y;
}

/* The value of rank k (from 0) of v[n]; reorders v. */
static double select_rank(double *v, uint32_t n, uint32_t k)
{
    int64_t lo = 0, hi = (int64_t)n - 1;
    while (lo < hi) { /* Hoare's partition: v[lo..j] <= pivot <= v[j + 1..hi], j < hi */
        double pivot = v[lo + (hi - lo) / 2];
        int64_t i = lo - 1, j = hi + 1;
        for (;;) {
            do
                i++;
            while (v[i] < pivot);
            do
                j--;
            while (v[j] > pivot);
            if (i >= j)
                break;
            double t = v[i];
            v[i] = v[j];
            v[j] = t;
        }
        if ((int64_t)k <= j)
            hi = j;
        else
            lo = j + 1;
    }
    return v[lo];
}

static double exact_rank(const struct skep_hist *h, uint64_t rank)
{
    if (!h->weights) {
        double values[SKEP_HIST_EXACT];
        memcpy(values, h->values, h->n_exact * sizeof values[0]);
        return select_rank(values, h->n_exact, (uint32_t)SKEP_MIN(rank, (uint64_t)h->n_exact) - 1);
    }
    struct weighted all[SKEP_HIST_EXACT];
    for (uint32_t i = 0; i < h->n_exact; i++)
        all[i] = (struct weighted){h->values[i], h->weights[i]};
    qsort(all, h->n_exact, sizeof all[0], by_value);
    uint64_t seen = 0;
    for (uint32_t i = 0; i < h->n_exact; i++) {
        seen += all[i].w;
        if (seen >= rank)
            return all[i].v;
    }
    return h->max;
}

static double middle(uint32_t bin)
{
    double lo = skep_hist__edge(bin), hi = skep_hist__edge(bin + 1);
    return isinf(hi) ? lo : lo + (hi - lo) / 2;
}

/* Nearest rank in integers: the param has at most three decimals. */
static uint64_t rank_of(uint64_t total, double percent)
{
    uint64_t milli = (uint64_t)(percent * 1000 + 0.5);
    return SKEP_MAX((uint64_t)(((skep_u128)total * milli + 99999) / 100000), (uint64_t)1);
}

/* How many values, by weight: nobody counts them along. */
static uint64_t exact_total(const struct skep_hist *h)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < h->n_exact; i++)
        total += h->weights ? h->weights[i] : 1;
    return total;
}

/* Negative values lie by their magnitudes: the lowest is the window's last. */
static double bin_rank(const struct skep_hist *h, double percent)
{
    uint64_t neg = skep_hist__total(&h->neg), below = skep_agg__add_sat(neg, h->zero);
    uint64_t total = skep_agg__add_sat(below, skep_hist__total(&h->pos)),
             rank = rank_of(total, percent);
    uint32_t bin = 0;
    if (rank <= 1 || rank >= total) /* the ends are known exactly */
        return rank <= 1 ? h->min : h->max;
    if (rank <= neg && skep_hist__find(&h->neg, neg - rank + 1, &bin))
        return -middle(bin);
    if (rank <= below)
        return 0;
    return skep_hist__find(&h->pos, rank - below, &bin) ? middle(bin) : h->max;
}

void skep_agg_finish_percentile(const struct skep_agg *agg, void *state, int64_t span_ns,
                                struct skep_agg_value *ret)
{
    (void)span_ns;
    const struct skep_hist *h = ((struct skep_hist_state *)state)->h;
    *ret = (struct skep_agg_value){.kind = SKEP_AGG_NULL};
    if (skep_hist__empty(state))
        return;
    double v = h->n_exact <= SKEP_HIST_EXACT ? exact_rank(h, rank_of(exact_total(h), agg->param))
                                             : bin_rank(h, agg->param);
    v = SKEP_MIN(SKEP_MAX(v, h->min), h->max);
    *ret = (struct skep_agg_value){.kind = SKEP_AGG_DOUBLE, .f = v + 0.0};
}
