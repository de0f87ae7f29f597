// SPDX-License-Identifier: Apache-2.0
/* What the files of folding share: fold.c, fold_values.c (moving columns of parts into a larger
 * payload, without widening them), fold_few.c, fold_union.c. */
#pragma once

#include "base/hash.h"
#include "store/column/part.h"

static inline bool skep_fold__is_string(unsigned type)
{
    return type == SKEP_TYPE_STRING || type == SKEP_TYPE_BYTES || type == SKEP_TYPE_ARRAY;
}

/* A dictionary in the making. */
struct skep_fold_union {
    struct skep_index index;
    uint32_t n, cap;
    uint32_t *offsets; /* cap + 1 */
    uint64_t *hashes;  /* cap */
    struct skep_buf bytes;
};
void skep_fold__union_init(struct skep_fold_union *u);
void skep_fold__union_clear(struct skep_fold_union *u);
void skep_fold__union_done(struct skep_fold_union *u);
/* Code of s, added when new; over the limit: bytes.bad, seen when the dictionary is written. */
uint32_t skep_fold__union_add(struct skep_fold_union *u, skep_str s, uint64_t hash);
uint32_t skep_fold__union_add_code(struct skep_fold_union *u, const struct skep_dict *d,
                                   uint32_t code);

/* A field of the result. */
struct skep_fold_group {
    const struct skep_rowset_field *field;
    uint32_t n, at; /* sources, place of the next one */
    uint32_t first; /* in the order they were met */
    bool few;       /* fold_few.c */
    uint64_t n_values;
    size_t to; /* few: place of the next value */
};

/* The values of all fields that have few a part (fold_few.c). */
struct skep_fold_few {
    struct skep_fold_union strings;
    uint32_t *dict0; /* [n_parts] first dictionary of the part in `first` */
    size_t *first;   /* [dictionaries of all parts] of its strings in `map` */
    uint32_t *map;   /* code in `strings` + 1; 0: not met yet */
    uint32_t *rows;  /* field after field */
    int64_t *vals;   /* beside rows; strings: codes */
};
void skep_fold__few_init(struct skep_fold_few *x);
void skep_fold__few_done(struct skep_fold_few *x);
/* Which fields go this way: sets `few` of each. */
void skep_fold__few_choose(struct skep_fold_group *groups, uint32_t n);
/* Takes their values; of: the group of each field of each part, in order.  Then those of a group
 * are the n_values before `to`. */
void skep_fold__few_take(struct skep_fold_few *x, struct skep_part *const *parts, unsigned n_parts,
                         const uint32_t *row_base, struct skep_fold_group *groups, uint32_t n,
                         const uint32_t *of);

/* The values of c into places at, at + 1 ... of `to`, which holds their range. */
void skep_fold__store(const struct skep_frame_room *to, size_t at, const struct skep_part_col *c);
/* The same for n numbers. */
void skep_fold__store_u32(const struct skep_frame_room *to, size_t at, const uint32_t *v, size_t n);
/* The values of c as numbers below 2^32, which they must be. */
void skep_fold__load_u32(const struct skep_part_col *c, uint32_t *to);
/* The rows of c, of a part of n_rows that begins at row `first`; its values begin at `at`. */
void skep_fold__presence(const struct skep_frame_presence_room *to, size_t at,
                         const struct skep_part_col *c, uint32_t first, uint32_t n_rows);
/* The rows of c alone. */
void skep_fold__rows(uint32_t *rows, const struct skep_part_col *c, uint32_t first,
                     uint32_t n_rows);
