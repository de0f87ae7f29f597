// SPDX-License-Identifier: Apache-2.0
/* Which chunks of a segment are damaged, and which rows that concerns.  Internal to store/column;
 * skep_segment_verify stops at the first thing wrong, this names all of it. */
#pragma once

#include "store/column/rowset.h"

struct skep_segment_bad {
    uint64_t offset;
    uint32_t bytes;
    uint64_t first_row, n_rows; /* concerned, by number; 0 rows: an index, nothing is lost */
    const char *what;           /* static: "directory of a row group" ... */
    skep_str column;            /* empty = none; borrowed */
};

struct skep_segment_health {
    uint64_t n_bad; /* chunks */
    uint32_t n_groups, n_bad_groups;
    uint8_t *bad_group; /* [n_groups] 1 = some of its chunks are damaged; skep_free */
    uint64_t bad_rows;
};

typedef void skep_segment_bad_fn(void *ctx, const struct skep_segment_bad *bad);

/* Read every chunk of an open segment and compare its checksum.  fn may be NULL.
 * Returns SKEP_OK (also when chunks are bad) | ENOMEM | EIO that is no damage of the file. */
SKEP_NODISCARD skep_rc skep_segment__health(struct skep_rowset *rs, skep_segment_bad_fn *fn,
                                            void *ctx, struct skep_segment_health *ret,
                                            skep_err *err);
