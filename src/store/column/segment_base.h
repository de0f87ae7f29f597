// SPDX-License-Identifier: Apache-2.0
/* Base columns of a row group, read: what map.h's columns and packed presence follow.  Internal to
 * store/column/segment_*.c. */
#pragma once

#include "store/column/segment.h"

/* An opened base.  About 4 KiB. */
struct skep_base {
    const struct skep_column_entry *entry;
    const struct skep_codec_ops *codec;
    const struct skep_chunk_data *data;
    struct skep_codec_chunk chunk;
    struct skep_presence_map presence;
    uint32_t m; /* x is below */
};

/* Open the column `key` of the row group as a base with x below m.  May it be one whose presence
 * follows a column itself?  Only for values (deep), not for presence: so nothing goes in circles.
 * Returns SKEP_OK | ECORRUPT (not a column that can be a base) | EIO | ENOMEM. */
SKEP_NODISCARD skep_rc skep_base_open(struct skep_segment *seg, uint32_t group,
                                      const struct skep_group_dir *dir, uint32_t key, uint32_t m,
                                      bool deep, struct skep_base *ret, skep_err *err);
void skep_base_close(struct skep_segment *seg, struct skep_base *b);
/* Does the base have a value in every row?  Then skep_base_codes gives them: x - 1 of the rows, not
 * yet held against m. */
static inline bool skep_base_full(const struct skep_base *b)
{
    return !b->presence.bits;
}
SKEP_NODISCARD skep_rc skep_base_codes(const struct skep_base *b, uint32_t first, uint32_t n,
                                       int64_t *codes);
/* x of the rows [first, first + n), inside one block. */
SKEP_NODISCARD skep_rc skep_base_read(const struct skep_base *b, uint32_t first, uint32_t n,
                                      int64_t *x);
