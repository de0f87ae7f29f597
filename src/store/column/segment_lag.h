// SPDX-License-Identifier: Apache-2.0
/* Numbers as steps from the last one with the same base value.  Internal to
 * store/column/segment_*.c.
 */
#pragma once

#include "store/column/segment_base.h"
#include "store/column/segment_write.h"

/* Encode v, a value a row, as steps beside the base into w->chunk, when that is smaller than `most`
 * bytes; else w->chunk is as before, or empty. */
bool skep_lag_put(struct skep_segment_writer *w, const struct skep_wbase *base, const int64_t *v,
                  size_t most);

/* An encoding, opened. */
struct skep_lag {
    struct skep_base base;
    const struct skep_codec_ops *codec; /* of the steps */
    struct skep_codec_chunk steps;
    int64_t *last;  /* [m] value last seen with x in the block */
    uint8_t *known; /* [m] */
    int64_t x[SKEP_BLOCK_ROWS], step[SKEP_BLOCK_ROWS];
};
/* Open the chunk of such a column.  *ret is NULL on failure. */
SKEP_NODISCARD skep_rc skep_lag_open(struct skep_segment *seg, uint32_t group,
                                     const struct skep_group_dir *dir,
                                     const struct skep_codec_chunk *c, struct skep_lag **ret,
                                     skep_err *err);
void skep_lag_close(struct skep_segment *seg, struct skep_lag *lag); /* NULL is fine */
/* Values of the rows [first, first + n), inside one block.  Returns SKEP_OK | ECORRUPT. */
SKEP_NODISCARD skep_rc skep_lag_read(struct skep_lag *lag, uint32_t first, uint32_t n,
                                     int64_t *out);
