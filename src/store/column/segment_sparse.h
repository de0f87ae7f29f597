// SPDX-License-Identifier: Apache-2.0
/* Sparse values of one field in one row group, read.  Internal to store/column/segment_*.c. */
#pragma once

#include "store/column/segment.h"
#include "store/column/segment_write.h"

/* Values by row; reused from row group to row group. */
struct skep_sparse {
    enum skep_segment_form form; /* never changes */
    uint32_t n, cap;
    uint32_t *rows; /* of the group, ascending */
    union {
        int64_t *ints;
        skep_str *strs;
    };
    const struct skep_chunk_data **pins; /* the strings lie in */
    uint32_t n_pins, cap_pins;
};

/* Read all values of the key, a field, in the row group; s is empty before.
 * Returns SKEP_OK | ECORRUPT | EIO | ENOMEM. */
SKEP_NODISCARD skep_rc skep_sparse_load(struct skep_segment *seg, const struct skep_group_dir *dir,
                                        uint32_t key, struct skep_sparse *s, skep_err *err);
/* Values of the rows [first, first + n), inside one block, with the bits of those that have one:
 * into ints[n], or strs[n] where the values are strings.  False: none of them has. */
bool skep_sparse_spread(const struct skep_sparse *s, uint32_t first, uint32_t n, uint64_t *valid,
                        int64_t *ints, skep_str *strs);
/* Empty it, keep the memory. */
void skep_sparse_clear(struct skep_segment *seg, struct skep_sparse *s);
void skep_sparse_done(struct skep_segment *seg, struct skep_sparse *s);
