// SPDX-License-Identifier: Apache-2.0
/* The log histogram behind PERCENTILE and HEATMAP (hist.c, its windows: hist_window.c). */
#pragma once

#include "agg/agg_priv.h"
#include "base/assert.h"

enum {
    SKEP_HIST_SUB_BITS =
        6, /* 64 bins a power of two: a bin's middle is within 0.79% of its values */
    SKEP_HIST_EXACT = 512, /* so many values are kept as they are */
    SKEP_HIST_BINS = 2048 << SKEP_HIST_SUB_BITS
};

/* Counts of a contiguous run of bins. */
enum skep_hist_form { SKEP_HIST_U32, SKEP_HIST_U64, SKEP_HIST_PACKED };
struct skep_hist_window {
    uint32_t base, n; /* bins base .. base + n - 1 */
    uint8_t form;
    uint8_t width;     /* packed: bytes of a count */
    uint32_t n_counts; /* packed: bins that have one */
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
     * as far as the window goes; none while values are kept or counters are wide
     * or packed. */
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
/* Of an open window. */
static inline uint64_t skep_hist__count(const struct skep_hist_window *w, uint32_t i)
{
    skep_dassert(w->form != SKEP_HIST_PACKED);
    return w->form == SKEP_HIST_U64 ? ((const uint64_t *)w->counts)[i]
                                    : ((const uint32_t *)w->counts)[i];
}
/* The next bin that has a count, ascending, of either form; *it is zeros at first. */
struct skep_hist_it {
    uint32_t at, k;
    uint64_t left;
};
SKEP_NODISCARD bool skep_hist__next_packed(const struct skep_hist_window *w,
                                           struct skep_hist_it *it, uint32_t *ret_bin,
                                           uint64_t *ret);
SKEP_NODISCARD static inline bool skep_hist__next(const struct skep_hist_window *w,
                                                  struct skep_hist_it *it, uint32_t *ret_bin,
                                                  uint64_t *ret)
{
    if (w->form == SKEP_HIST_PACKED)
        return skep_hist__next_packed(w, it, ret_bin, ret);
    while (it->at < w->n && skep_hist__count(w, it->at) == 0)
        it->at++;
    if (it->at >= w->n)
        return false;
    *ret_bin = w->base + it->at;
    *ret = skep_hist__count(w, it->at++);
    return true;
}
/* All counts together; the bin of the rank-th value from 1, ascending, false: there are fewer. */
uint64_t skep_hist__total(const struct skep_hist_window *w);
SKEP_NODISCARD bool skep_hist__find(const struct skep_hist_window *w, uint64_t rank, uint32_t *ret);

/* Add to a bin; add all of s, of either form.  Both open d.  Return SKEP_OK | SKEP_ENOMEM. */
SKEP_NODISCARD skep_rc skep_hist__bump(struct skep_hist_window *w, uint32_t bin, uint64_t by,
                                       struct skep_agg_mem *mem);
SKEP_NODISCARD skep_rc skep_hist__merge(struct skep_hist_window *d,
                                        const struct skep_hist_window *s, struct skep_agg_mem *mem);
/* Pack it, where that is smaller and there is memory for it. */
void skep_hist__pack(struct skep_hist_window *w, struct skep_agg_mem *mem);
void skep_hist__free(struct skep_hist_window *w, struct skep_agg_mem *mem);
