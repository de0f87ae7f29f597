// SPDX-License-Identifier: Apache-2.0
/* Moving columns of parts into a larger payload, without widening them: for fold.c. */
#pragma once

#include "store/column/part.h"

/* The values of c into places at, at + 1 ... of `to`, which holds their range. */
void skep_fold__store(const struct skep_frame_room *to, size_t at, const struct skep_part_col *c);
/* The same for n numbers. */
void skep_fold__store_u32(const struct skep_frame_room *to, size_t at, const uint32_t *v, size_t n);
/* The values of c as numbers below 2^32, which they must be. */
void skep_fold__load_u32(const struct skep_part_col *c, uint32_t *to);
/* The rows of c, of a part of n_rows that begins at row `first`; its values begin at `at`. */
void skep_fold__presence(const struct skep_frame_presence_room *to, size_t at,
                         const struct skep_part_col *c, uint32_t first, uint32_t n_rows);
