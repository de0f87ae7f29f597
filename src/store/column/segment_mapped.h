// SPDX-License-Identifier: Apache-2.0
/* Columns that follow another one (codec/map.h), read.  Internal to store/column/segment_*.c.
 *
 * Everything is by row: rows without a value get one that occurs. */
#pragma once

#include "store/column/codec/map.h"
#include "store/column/segment_base.h"

enum { SKEP_MAPPED_RUNS = 4 };

struct skep_mapped {
    struct skep_map map;
    struct skep_base base;
    /* For any x: table[x & mask], one more than that, and 0 from map.m on.  Where the base has a
     * value in every row, its codes (x - 1) are looked up in table + 1. */
    uint32_t mask;
    int64_t *table;
    uint32_t *codes; /* the same, for codes; NULL until asked for */
    /* For between(): is the value of x in the range?  And the same as runs of codes (x - 1), when
     * they are few; which blocks' codes were held against m. */
    uint8_t *chosen;
    int64_t lo, hi;  /* that range */
    unsigned n_runs; /* UINT_MAX: too many */
    struct skep_mapped_run {
        int64_t first, last;
    } runs[SKEP_MAPPED_RUNS];
    uint64_t sound;
    int64_t scratch[SKEP_BLOCK_ROWS]; /* not set when it is made */
};

/* Open the chunk of a mapped column of the row group.  *ret is NULL on failure. */
SKEP_NODISCARD skep_rc skep_mapped_open(struct skep_segment *seg, uint32_t group,
                                        const struct skep_group_dir *dir,
                                        const struct skep_codec_chunk *c, struct skep_mapped **ret,
                                        skep_err *err);
void skep_mapped_close(struct skep_segment *seg, struct skep_mapped *m); /* NULL is fine */

/* Values of the rows [first, first + n), inside one block.  Returns SKEP_OK | ECORRUPT. */
SKEP_NODISCARD skep_rc skep_mapped_ints(struct skep_mapped *m, uint32_t first, uint32_t n,
                                        int64_t *out);
/* The same as codes, all of them below n_codes. */
SKEP_NODISCARD skep_rc skep_mapped_codes(struct skep_mapped *m, uint32_t first, uint32_t n,
                                         uint32_t n_codes, uint32_t *out);
/* counts[code] += rows of the row group that have it, by those of each x; n_present rows have a
 * value.  Only without exceptions.  Returns SKEP_OK | ECORRUPT. */
SKEP_NODISCARD skep_rc skep_mapped_tally(const struct skep_mapped *m,
                                         const struct skep_base_counts *base,
                                         const struct skep_base_shown *shown,
                                         const struct skep_coded *coded, uint32_t n_present,
                                         uint32_t *counts);
/* Bit i of bits: is the value of row first + i, if it has one, in [lo, hi]?  ceil(n / 64) words. */
SKEP_NODISCARD skep_rc skep_mapped_between(struct skep_mapped *m, uint32_t first, uint32_t n,
                                           int64_t lo, int64_t hi, uint64_t *bits);
