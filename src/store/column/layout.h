// SPDX-License-Identifier: Apache-2.0
/* Which rows go into which layout.  Internal to store/column. */
#pragma once

#include "store/column/live.h"

/* Spans, span events and links lie by trace; logs and errors by dataset and time. */
static inline enum skep_layout skep_layout_of(int64_t kind)
{
    return kind == SKEP_KIND_LOG || kind == SKEP_KIND_ERROR ? SKEP_LAYOUT_LOGS : SKEP_LAYOUT_SPANS;
}

/* The live rows of a set that belong to the layout.  *ret NULL: all.  Owns *ret by the caller.
 * Returns SKEP_OK | ECORRUPT | EIO. */
SKEP_NODISCARD skep_rc skep_layout_rows(const struct skep_snapshot_set *set,
                                        enum skep_layout layout, struct skep_live **ret,
                                        skep_err *err);
