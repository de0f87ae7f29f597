// SPDX-License-Identifier: Apache-2.0
/* Making snapshots.  Internal to store/column. */
#pragma once

#include "store/column/rowset.h"

/* Each returns a new snapshot with one reference; the inputs stay as they are. */
struct skep_snapshot *skep_snapshot__empty(uint64_t visible_seq);
/* s and n more parts behind it; sets of either that `changed` names get the live rows it says. */
struct skep_snapshot *skep_snapshot__append(const struct skep_snapshot *s,
                                            struct skep_rowset *const *more, unsigned n,
                                            uint64_t visible_seq,
                                            const struct skep_snapshot_set *changed,
                                            unsigned n_changed);
/* s without `gone` (all of them must be there) and with `by`, each in its place. */
struct skep_snapshot *skep_snapshot__replace(const struct skep_snapshot *s,
                                             struct skep_rowset *const *gone, unsigned n_gone,
                                             const struct skep_snapshot_set *by, unsigned n_by);
/* The set of a rowset, NULL when it is not there. */
const struct skep_snapshot_set *skep_snapshot__find(const struct skep_snapshot *s,
                                                    const struct skep_rowset *rs);
/* The same rowsets with other live rows, lives[i] for the ith (NULL = all); those without any are
 * left out. */
struct skep_snapshot *skep_snapshot__relive(const struct skep_snapshot *s,
                                            struct skep_live *const *lives);
