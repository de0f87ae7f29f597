// SPDX-License-Identifier: Apache-2.0
/* Making snapshots.  Internal to store/column. */
#pragma once

#include "store/column/rowset.h"

/* Each returns a new snapshot with one reference; the inputs stay as they are. */
struct skep_snapshot *skep_snapshot__empty(uint64_t visible_seq);
/* s and n more rowsets behind it. */
struct skep_snapshot *skep_snapshot__append(const struct skep_snapshot *s,
                                            struct skep_rowset *const *more, unsigned n,
                                            uint64_t visible_seq);
/* s without `gone` (all of them must be there) and with `by` (may be NULL) in its place by seq. */
struct skep_snapshot *skep_snapshot__replace(const struct skep_snapshot *s,
                                             struct skep_rowset *const *gone, unsigned n_gone,
                                             struct skep_rowset *by);
