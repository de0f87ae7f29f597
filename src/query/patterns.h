// SPDX-License-Identifier: Apache-2.0
/* Similar log lines of a plan folded to templates, with exact counts over all its rows. */
#pragma once

#include "agg/template.h"
#include "store/store.h"

struct skep_patterns_answer {
    struct skep_template_list list;
    uint64_t without; /* that do not: nothing to fold; of both periods */
    uint64_t rows_examined;
    bool complete;
    skep_str missing;
};

struct skep_patterns_ask {
    skep_str field;     /* whose text is folded, as results show it ("body") */
    unsigned n_bins;    /* steps over the plan's range that are counted; 0 = none */
    int64_t earlier_ns; /* > 0: beside the counts of that much earlier */
};

/* plan     ROWS: range, dataset and filter; the rest does not matter
 * ret      in opts->arena; progress is told in rows
 * Returns  as skep_store_run
 * Threads  blocks; call from a worker */
SKEP_NODISCARD skep_rc skep_query_patterns(struct skep_store *store, const struct skep_plan *plan,
                                           const struct skep_patterns_ask *ask,
                                           const struct skep_run_opts *opts,
                                           struct skep_patterns_answer *ret, skep_err *err);
