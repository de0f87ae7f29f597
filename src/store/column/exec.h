// SPDX-License-Identifier: Apache-2.0
/* The executor: answers a plan over one snapshot of rowsets (src/query/README.md). */
#pragma once

#include "os/thread.h"
#include "store/column/exec/partials.h"
#include "store/column/rowset.h"
#include "store/store.h"

/* Answer `plan` over what the snapshot shows.
 *
 * snap   borrowed for the call
 * pool   workers that help the calling thread; NULL = the calling thread alone
 * plan   checked here; must outlive ret->partial
 * opts   budget may be NULL (unbounded); answers are made in opts->arena, the partial on the heap
 * Returns SKEP_OK | EINVAL | ENOMEM (err says what to narrow) | ELIMIT (plan->max_cells) |
 * ECANCELED | ENOTFOUND (ROW, TRACE).  What cannot be read is left out and named in ret->missing.
 * Owns   ret->partial: skep_partial_free
 * Threads any; blocks */
SKEP_NODISCARD skep_rc skep_exec_run(struct skep_snapshot *snap, struct skep_pool *pool,
                                     const struct skep_plan *plan, const struct skep_run_opts *opts,
                                     struct skep_answer *ret, skep_err *err);

/* The same with partial answers of segments and pieces of them kept for later (partials.h); NULL =
 * none. */
SKEP_NODISCARD skep_rc skep_exec_run_kept(struct skep_snapshot *snap, struct skep_pool *pool,
                                          struct skep_partials *partials,
                                          const struct skep_plan *plan,
                                          const struct skep_run_opts *opts, struct skep_answer *ret,
                                          skep_err *err);

struct skep_mask;
/* The rows that a ROWS plan's range, dataset and filter select, as one mask for each set.
 *
 * masks  [snap->n], initialised here; the caller's with skep_mask_done, also after a failure; their
 *        skep_mask_bytes are charged to opts->budget for the caller to give back
 * opts   arena unused
 * Returns SKEP_OK | EINVAL | ENOMEM | ECANCELED | ECORRUPT, EIO (something cannot be read) */
SKEP_NODISCARD skep_rc skep_exec_mask(struct skep_snapshot *snap, struct skep_pool *pool,
                                      const struct skep_plan *plan,
                                      const struct skep_run_opts *opts, struct skep_mask *masks,
                                      skep_err *err);
