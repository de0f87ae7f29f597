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
    uint32_t key, m; /* x is below m */
};

/* Open the column `key` of the row group as a base with x below m.  May it be one whose presence
 * follows a column itself?  Only for values (deep), not for presence: so nothing goes in circles.
 * Returns SKEP_OK | ECORRUPT (not a column that can be a base) | EIO | ENOMEM. */
SKEP_NODISCARD skep_rc skep_base_open(struct skep_segment *seg, uint32_t group,
                                      const struct skep_group_dir *dir, uint32_t key, uint32_t m,
                                      bool deep, struct skep_base *ret, skep_err *err);
void skep_base_close(struct skep_segment *seg, struct skep_base *b);
/* Does the base have a value in every row? */
static inline bool skep_base_full(const struct skep_base *b)
{
    return !b->presence.bits;
}
/* x - 1 of the rows, not yet held against m; only of a full base. */
SKEP_NODISCARD skep_rc skep_base_codes(const struct skep_base *b, uint32_t first, uint32_t n,
                                       int64_t *codes);
SKEP_NODISCARD skep_rc skep_base_codes32(const struct skep_base *b, uint32_t first, uint32_t n,
                                         uint32_t *codes);
/* x of the rows [first, first + n), inside one block. */
SKEP_NODISCARD skep_rc skep_base_read(const struct skep_base *b, uint32_t first, uint32_t n,
                                      int64_t *x);

/* Which x have a value in a column that follows the base: all from `from` on whose bit is set. */
struct skep_base_shown {
    bool known;
    uint32_t from;
    const uint8_t *bits; /* of at least m x; NULL = all */
    const struct skep_chunk_data *pin;
};
/* Does x decide whether a row has a value of e?  The caller unpins ret->pin. */
SKEP_NODISCARD skep_rc skep_base_shows(struct skep_segment *seg, const struct skep_base *b,
                                       const struct skep_column_entry *e,
                                       struct skep_base_shown *ret, skep_err *err);

/* How many rows of the row group have which x; made once, cached. */
struct skep_base_counts {
    struct skep_cache_data head;
    uint32_t n_rows, n; /* rows; no x at or over n has one */
    uint32_t rows[];
};
/* segment_load.c.  Returns SKEP_OK | ECORRUPT | ENOMEM. */
SKEP_NODISCARD skep_rc skep_segment__pin_counts(struct skep_segment *seg, const struct skep_base *b,
                                                uint32_t n_rows,
                                                const struct skep_base_counts **ret, skep_err *err);

/* Which rows of the row group have which x, ascending; made once, cached: two bytes a row. */
struct skep_base_rows {
    struct skep_cache_data head;
    uint32_t n_rows, m;
    const uint16_t *rows;
    uint32_t first[]; /* m + 1, into rows */
};
/* segment_load.c.  Returns as above, and EIO. */
SKEP_NODISCARD skep_rc skep_segment__pin_rows(struct skep_segment *seg, const struct skep_base *b,
                                              uint32_t n_rows, const struct skep_base_rows **ret,
                                              skep_err *err);
