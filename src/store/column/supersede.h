// SPDX-License-Identifier: Apache-2.0
/* Rows that take the place of earlier ones.  Internal to store/column. */
#pragma once

#include "store/column/engine.h"
#include "store/column/kill.h"

/* Has the rowset rows that may supersede others, or be superseded? */
bool skep_supersede__any(const struct skep_rowset *rs);
/* The part, numbered and not yet visible, comes behind sets[n]: who dies, in `changes`, which has
 * the deaths so far.  arrived_dead: rows of the part that a row before it, in sets, has killed. */
void skep_supersede(const struct skep_snapshot_set *sets, unsigned n, struct skep_rowset *part,
                    struct skep_changes *changes, struct skep_row_keys *arrived_dead);
