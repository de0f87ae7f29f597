// SPDX-License-Identifier: Apache-2.0
/* The arithmetic of service level objectives, over counts of events that were good and all that
 * count.
 *
 *   compliance        = good / total, in percent; 100 without events
 *   budget            = total * (1 - target): so many may be bad
 *   budget remaining  = (budget - bad) / budget, in percent; below 0 when it was overspent
 *
 * Everything here is a function of counts: exact counts give exact answers. */
#pragma once

#include "base/str.h"

struct skep_slo_counts {
    uint64_t total, good; /* good <= total */
};

/* In percent; 100 without events. */
double skep_slo_compliance(struct skep_slo_counts c);
/* target_per_million  0 .. 999,999 */
double skep_slo_budget_remaining(struct skep_slo_counts c, uint32_t target_per_million);
/* How fast the budget is spent: 1 = it lasts exactly the period. */
double skep_slo_burn_rate(struct skep_slo_counts lately, uint32_t target_per_million);
/* Minutes until nothing remains, when it goes on as between two instants `minutes` apart: what
 * remained then and what remains now, in percent.  0 when nothing remains; INFINITY when it does
 * not shrink. */
double skep_slo_exhausted_in(double then, double now, double minutes);
