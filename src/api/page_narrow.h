// SPDX-License-Identifier: Apache-2.0
/* Lists of traces narrowed by what only a whole trace says: page_narrow.c. */
#pragma once

#include "api/api_priv.h"

/* What an answer says of it. */
struct skep_api__narrowed {
    double *durations_ms; /* of those selected, whatever their duration; NULL = not asked for */
    size_t n_durations;
    uint64_t looked; /* traces looked at */
    bool looked_all; /* no other trace could be in the list */
};

/* Answer a TRACES plan, narrowed.
 *
 * plan     from skep_lang_traces, as is `n`
 * ret      in the request's arena, at most plan->limit traces, in the plan's order
 * Returns  false after an error was sent
 * Threads  the request's worker */
SKEP_NODISCARD bool skep_api__narrow(struct skep_api__job *job, const struct skep_plan *plan,
                                     const struct skep_lang_narrow *n, struct skep_answer *ret,
                                     struct skep_api__narrowed *ret_narrowed);
/* "looked", "looked_all", "durations_ms" into the object at hand. */
void skep_api__put_narrowed(struct skep_api__job *job, const struct skep_api__narrowed *n);
