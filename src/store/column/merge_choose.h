// SPDX-License-Identifier: Apache-2.0
/* Which neighbours a merge should join.  Internal to store/column. */
#pragma once

#include "event/event.h"

enum { SKEP_MERGE_RUN_MAX = 32 };     /* segments in one merge */
#define SKEP_MERGE_ROWS (32ull << 20) /* of what it makes, at most */

/* A segment, as far as it counts here; they stand in order of their commits. */
struct skep_merge_piece {
    uint64_t rows;
    skep_ts_ns newest_ns; /* as retention counts */
    uint32_t origins;     /* files that its row groups were written for */
    uint8_t layout;
    bool dead; /* no row lives: it is dropped, not merged */
};

/* Neighbours [at, at + n). */
struct skep_merge_run {
    unsigned at, n;
    uint64_t rows;
};

/* What to merge next of n segments that are at most span_ns apart in a merged one; false = nothing.
 * More than `crowded`, the large ones not counted, are too many: then it need not be worth its
 * price. */
bool skep_merge_choose(const struct skep_merge_piece *p, unsigned n, skep_ts_ns span_ns,
                       unsigned crowded, struct skep_merge_run *ret);
/* Rows of all runs that are to be merged. */
uint64_t skep_merge_behind(const struct skep_merge_piece *p, unsigned n, skep_ts_ns span_ns);
