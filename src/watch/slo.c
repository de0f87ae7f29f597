// SPDX-License-Identifier: Apache-2.0
/* Service level objectives (slo.h).  Threads: any; no state. */
#include "watch/slo.h"

#include <math.h>

#include "base/assert.h"

double skep_slo_compliance(struct skep_slo_counts c)
{
    skep_assert(c.good <= c.total);
    return c.total ? 100.0 * (double)c.good / (double)c.total : 100.0;
}

double skep_slo_budget_remaining(struct skep_slo_counts c, uint32_t target_per_million)
{
    skep_assert(target_per_million < 1000000);
    if (c.total == 0)
        return 100.0;
    /* Whole numbers as long as they are whole: bad * 10^6 / (total * (10^6 - target)). */
    double bad = (double)(c.total - c.good) * 1e6;
    double may = (double)c.total * (1e6 - (double)target_per_million);
    return 100.0 * (may - bad) / may;
}

double skep_slo_burn_rate(struct skep_slo_counts c, uint32_t target_per_million)
{
    skep_assert(target_per_million < 1000000);
    if (c.total == 0)
        return 0;
    return (double)(c.total - c.good) * 1e6 /
           ((double)c.total * (1e6 - (double)target_per_million));
}

double skep_slo_exhausted_in(double then, double now, double minutes)
{
    skep_assert(minutes > 0);
    if (now <= 0)
        return 0;
    return then > now ? now * minutes / (then - now) : (double)INFINITY;
}
