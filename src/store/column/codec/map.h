// SPDX-License-Identifier: Apache-2.0
/* A column as a function of another one in the same row, with exceptions (map.c).
 *
 * x is what the other column, the base, has in a row: 0 nothing, else its code + 1, below m. */
#pragma once

#include "store/column/codec/codec.h"

/* The values of a column beside their base. */
struct skep_map_in {
    const uint16_t *x;    /* [n_rows] */
    const uint32_t *n_of; /* [m] rows that have an x; for skep_map_try_presence */
    uint32_t m, n_rows;
    const uint64_t *bitmap; /* rows that have a value */
    const int64_t *v;       /* theirs, in row order; n of them, n > 0 */
    uint32_t n;
};

/* How well the base tells the values. */
struct skep_map_fit {
    int64_t *table; /* [m] the value most often seen with x; owned, skep_map_fit_done */
    uint32_t m, n_exceptions;
    size_t bytes; /* of the encoding, about */
};

/* Look for the function.  Returns false (nothing to free) when too many values disagree with it;
 * *ret_looked: it took more than a look at the first rows to see.
 * Threads: any. */
bool skep_map_try(const struct skep_map_in *in, struct skep_map_fit *ret, bool *ret_looked);
void skep_map_fit_done(struct skep_map_fit *fit);
/* Append the encoding. */
void skep_map_put(const struct skep_map_in *in, const struct skep_map_fit *fit, uint32_t base_key,
                  struct skep_buf *out);
/* Are the rows that have a value those with certain x?  Fills bits[x / 8] where so; bits has
 * (m + 7) / 8 bytes. */
bool skep_map_try_presence(const struct skep_map_in *in, uint8_t *bits);

/* An encoding, opened. */
struct skep_map {
    uint32_t base_key, m, n_rows, n_exceptions;
    const uint8_t *index; /* u32 exceptions before each block */
    struct skep_codec_chunk table, rows, values;
};
/* Returns SKEP_OK | SKEP_ECORRUPT: lengths do not agree.  Borrows p. */
SKEP_NODISCARD skep_rc skep_map_open(const uint8_t *p, size_t n, uint32_t n_rows,
                                     struct skep_map *ret);
/* All of the table; room for m. */
SKEP_NODISCARD skep_rc skep_map_table(const struct skep_map *map, int64_t *out);
/* Put the exceptions of the rows [first, first + n), inside one block, into out[n]. */
SKEP_NODISCARD skep_rc skep_map_patch(const struct skep_map *map, uint32_t first, uint32_t n,
                                      int64_t *out);
/* The same for bits of which bit i says whether the value of row first + i lies in [lo, hi]. */
SKEP_NODISCARD skep_rc skep_map_patch_between(const struct skep_map *map, uint32_t first,
                                              uint32_t n, int64_t lo, int64_t hi, uint64_t *bits);
