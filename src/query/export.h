// SPDX-License-Identifier: Apache-2.0
/* All rows of a ROWS plan, page by page: any number of them in bounded memory. */
#pragma once

#include "store/store.h"

struct skep_export_result {
    uint64_t rows, rows_examined;
    bool complete;
    char missing[1024]; /* what could not be read, or is known to be lost; "" = nothing */
};

/* Called for each row in order, on the calling thread; borrowed.  False ends it with ECANCELED. */
typedef bool skep_export_fn(void *ctx, const struct skep_row *row);

/* The plan's rows with the plan's columns, by time, oldest first, ties by id; from its cursor on.
 * Each page is a snapshot of its own, as below; so are Returns and Threads.
 *
 * plan     ROWS; its limit, order and opts->arena are not looked at
 * page     rows asked for at once, > 0; fewer when the budget is short */
SKEP_NODISCARD skep_rc skep_query_each(struct skep_store *store, const struct skep_plan *plan,
                                       unsigned page, const struct skep_run_opts *opts,
                                       skep_export_fn *fn, void *ctx,
                                       struct skep_export_result *ret, skep_err *err);

/* Rows without loss, by time, oldest first, ties by id; from the plan's cursor on.  Each page is a
 * snapshot of its own: rows that arrive meanwhile are in it when their time lies ahead.
 *
 * plan     ROWS; its limit, order and opts->arena are not looked at
 * Returns  as skep_store_run; after a failure ret tells how far it came
 * Threads  blocks; call from a worker */
SKEP_NODISCARD skep_rc skep_query_export(struct skep_store *store, const struct skep_plan *plan,
                                         const struct skep_run_opts *opts, skep_export_fn *fn,
                                         void *ctx, struct skep_export_result *ret, skep_err *err);
