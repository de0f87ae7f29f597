// SPDX-License-Identifier: Apache-2.0
/* The table of aggregates: which state each is made from and how it is finished.
 *
 * A new aggregate is one file with its state (or an existing state) and one row here; see
 * docs/how-to/add-an-aggregate.md.  The conformance suite in tests/unit/agg runs over this table.
 */
#include "agg/agg.h"

#include "base/assert.h"

static const struct skep_agg_ops table[SKEP_AGG_OP_COUNT] = {
    [SKEP_AGG_COUNT] = {&skep_state_count, skep_agg_finish_count, .zero = true},
    [SKEP_AGG_SUM] = {&skep_state_sum, skep_agg_finish_sum},
    [SKEP_AGG_AVG] = {&skep_state_sum, skep_agg_finish_avg},
    [SKEP_AGG_MIN] = {&skep_state_minmax, skep_agg_finish_min},
    [SKEP_AGG_MAX] = {&skep_state_minmax, skep_agg_finish_max},
    [SKEP_AGG_COUNT_DISTINCT] = {&skep_state_distinct, skep_agg_finish_distinct, .zero = true},
    [SKEP_AGG_PERCENTILE] = {&skep_state_hist, skep_agg_finish_percentile},
    [SKEP_AGG_HEATMAP] = {&skep_state_hist, skep_agg_finish_heat},
    [SKEP_AGG_RATE_AVG] = {&skep_state_sum, skep_agg_finish_avg, .rate = true},
    [SKEP_AGG_RATE_SUM] = {&skep_state_sum, skep_agg_finish_sum, .rate = true},
    [SKEP_AGG_RATE_MAX] = {&skep_state_minmax, skep_agg_finish_max, .rate = true},
    [SKEP_AGG_CONCURRENCY] = {&skep_state_concurrency, skep_agg_finish_concurrency, .zero = true},
};

const struct skep_agg_ops *skep_agg_ops(enum skep_agg_op op)
{
    skep_assert((unsigned)op < SKEP_AGG_OP_COUNT);
    return &table[op];
}
