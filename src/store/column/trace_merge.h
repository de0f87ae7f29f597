// SPDX-License-Identifier: Apache-2.0
/* The row order of a merge of segments, streamed.  Internal to store/column; see trace_order.h. */
#pragma once

#include "store/column/trace_order.h"

struct skep_trace_merge;

/* May this job be streamed?  True when every source is a segment. */
bool skep_trace_merge_fits(const struct skep_segment_job *job);
/* Find the traces that stand in several sources.  Returns SKEP_OK | ENOMEM | ECORRUPT | EIO |
 * ECANCELED. Owns *ret by the caller. */
SKEP_NODISCARD skep_rc skep_trace_merge_new(const struct skep_segment_job *job,
                                            struct skep_trace_merge **ret, skep_err *err);
SKEP_NODISCARD skep_rc skep_trace_merge_next(struct skep_trace_merge *m,
                                             struct skep_order_row *rows, uint32_t max,
                                             uint32_t *ret_n, skep_err *err);
/* See skep_order_whole, skep_order_take. */
bool skep_trace_merge_whole(const struct skep_trace_merge *m, struct skep_order_group *ret);
SKEP_NODISCARD skep_rc skep_trace_merge_take(struct skep_trace_merge *m, skep_err *err);
void skep_trace_merge_free(struct skep_trace_merge *m);
