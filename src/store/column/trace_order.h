// SPDX-License-Identifier: Apache-2.0
/* The row order of a segment: (anchor, trace id, start, row id).  Internal to store/column. */
#pragma once

#include "store/column/rowset.h"

/* A row of a source. */
struct skep_order_row {
    uint32_t source, row;
};

/* A row group of a source, all of whose rows come next. */
struct skep_order_group {
    uint32_t source, group, n_rows;
};

struct skep_order;

/* Decide the order of all live rows of the sources.
 *
 * Returns  SKEP_OK | ENOMEM (job->budget refuses the keys) | ECORRUPT | EIO | ECANCELED
 * Owns     *ret by the caller, skep_order_free; borrows job until then */
SKEP_NODISCARD skep_rc skep_order_new(const struct skep_segment_job *job, struct skep_order **ret,
                                      skep_err *err);
/* The next rows, at most `max` > 0; *ret_n == 0 at the end.  Ends early before a whole row group
 * (below), then perhaps with none; called again it gives the row group's rows. */
SKEP_NODISCARD skep_rc skep_order_next(struct skep_order *o, struct skep_order_row *rows,
                                       uint32_t max, uint32_t *ret_n, skep_err *err);
/* Do the rows that come next make up a row group of a source, all live and at least half a row
 * group (job->group_rows, 65,536)?  Then skep_order_take goes on behind it.  Not when job->recode.
 */
bool skep_order_whole(const struct skep_order *o, struct skep_order_group *ret);
SKEP_NODISCARD skep_rc skep_order_take(struct skep_order *o, skep_err *err);
/* How many rows there are; 0 = not known beforehand. */
uint64_t skep_order_rows(const struct skep_order *o);
void skep_order_free(struct skep_order *o);
