// SPDX-License-Identifier: Apache-2.0
/* Some row groups of a rowset as a rowset of their own.  Internal to store/column. */
#pragma once

#include "store/column/rowset.h"

/* groups   ascending, at least one; copied
 * Returns  a rowset with one reference, which holds one of `of`.  It can be read, not searched. */
struct skep_rowset *skep_slice_new(struct skep_rowset *of, const uint32_t *groups, uint32_t n);
