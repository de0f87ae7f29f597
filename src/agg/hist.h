// SPDX-License-Identifier: Apache-2.0
/* The log histogram behind PERCENTILE and HEATMAP (hist.c). */
#pragma once

#include "agg/agg_priv.h"

enum {
    SKEP_HIST_SUB_BITS =
        6, /* 64 bins a power of two: a bin's middle is within 0.79% of its values */
    SKEP_HIST_EXACT = 512, /* so many values are kept as they are */
    SKEP_HIST_BINS = 2048 << SKEP_HIST_SUB_BITS
};

/* Counts of a contiguous run of bins. */
struct skep_hist_window {
    uint32_t base, n; /* bins base .. base + n - 1 */
    bool wide;        /* counts are u64, else u32 */
    void *counts;
};

struct skep_hist {
    struct skep_hist_window pos, neg;
    uint64_t zero;
    double min, max;
    uint32_t n_exact, cap_exact; /* values kept; SKEP_HIST_EXACT + 1 = turned into bins */
    double *values;
    uint32_t *weights; /* of the values; NULL = all 1 */
};

struct skep_hist_state {
    struct skep_hist *h; /* NULL = empty */
    /* What adding a positive number to a histogram of bins looks at, and nothing else: counters of
     * the bins mid_base .. mid_base + mid_n - 1, which are those between the bins of min and max,
     * as far as the window goes; none while values are kept or counters are wide. */
    uint32_t *mid;
    uint32_t mid_base, mid_n;
};

static inline bool skep_hist__empty(const struct skep_hist_state *s)
{
    return !s->h || s->h->n_exact == 0;
}

/* Bin of v > 0, and its lower edge. */
static inline uint32_t skep_hist__bin(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return (uint32_t)(bits >> (52 - SKEP_HIST_SUB_BITS));
}
static inline double skep_hist__edge(uint32_t bin)
{
    uint64_t bits = (uint64_t)bin << (52 - SKEP_HIST_SUB_BITS);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}
static inline uint64_t skep_hist__count(const struct skep_hist_window *w, uint32_t i)
{
    return w->wide ? ((const uint64_t *)w->counts)[i] : ((const uint32_t *)w->counts)[i];
}
