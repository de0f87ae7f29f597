// SPDX-License-Identifier: Apache-2.0
/* Heatmap states to display bins.
 *
 * The fine bins of a log histogram are numbered on one signed axis: positive values by the upper
 * bits of the double, negative ones mirrored, zero between them. */
#pragma once

#include "agg/agg.h"

/* What a set of states covers. */
struct skep_heat_range {
    bool has_neg, has_zero, has_pos;
    uint32_t neg_lo, neg_hi; /* fine bins of -value, inclusive */
    uint32_t pos_lo, pos_hi;
};
void skep_heat_cover(const struct skep_agg *agg, void *state, struct skep_heat_range *r);

/* Display bins: groups of whole fine bins (LOG) or equal widths (LINEAR). */
struct skep_heat_axis {
    bool linear;
    struct skep_heat_range range;
    uint32_t neg_step, pos_step; /* fine bins a display bin */
    unsigned n_neg, n_zero, n_pos;
    unsigned n;    /* bins */
    double *edges; /* [n + 1], ascending; bin b holds edges[b] <= v < edges[b + 1], the last one
                      also its upper edge */
};
/* About `wanted` bins (0 = 40).  n = 0 when nothing is covered. */
void skep_heat_axis_make(const struct skep_agg *agg, const struct skep_heat_range *r,
                         struct skep_arena *arena, struct skep_heat_axis *ret);
/* Add the counts of a state to counts[axis->n]. */
void skep_heat_count(const struct skep_agg *agg, void *state, const struct skep_heat_axis *axis,
                     uint64_t *counts);
