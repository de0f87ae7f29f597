// SPDX-License-Identifier: Apache-2.0
/* The row order of a logs segment: (dataset, time, row id).  Internal to store/column. */
#pragma once

#include "store/column/trace_order.h"

struct skep_log_order;

/* Decide the order of all live rows of the sources; logs segments alone are streamed.
 * Returns  SKEP_OK | ENOMEM (job->budget refuses) | ECORRUPT | EIO | ECANCELED
 * Owns     *ret by the caller, skep_log_order_free; borrows job until then */
SKEP_NODISCARD skep_rc skep_log_order_new(const struct skep_segment_job *job,
                                          struct skep_log_order **ret, skep_err *err);
/* The next rows, at most `max`; *ret_n == 0 at the end. */
SKEP_NODISCARD skep_rc skep_log_order_next(struct skep_log_order *o, struct skep_order_row *rows,
                                           uint32_t max, uint32_t *ret_n, skep_err *err);
void skep_log_order_free(struct skep_log_order *o);
