// SPDX-License-Identifier: Apache-2.0
/* How often each of very many values came: the groups of one column where a number is all that is
 * asked of them.
 *
 * What a partial keeps of a group - key, hash, places in two indexes, cell, state - stands on five
 * cache lines; here it is a slot of eight bytes, and the value with its number. */
#pragma once

#include "agg/agg.h"

struct skep_counts {
    struct skep_agg_mem *mem;
    uint32_t n, cap; /* values, slots */
    struct skep_counts__slot {
        uint32_t tag; /* lower half of the hash; also places the slot */
        uint32_t at;  /* of the value's record; 0 = free */
    } * slots;
    struct skep_counts__block {
        uint8_t *p;
        uint32_t used, bytes;
    } * blocks;
    uint32_t n_blocks, cap_blocks;
};

/* An empty table; memory comes from mem, and done() gives it back.  done: also of a zeroed one. */
void skep_counts_init(struct skep_counts *t, struct skep_agg_mem *mem);
void skep_counts_done(struct skep_counts *t);
/* The value came n more times, n > 0; hash = skep_agg_hash_value(v).  Returns SKEP_OK | ENOMEM. */
SKEP_NODISCARD skep_rc skep_counts_add(struct skep_counts *t, const skep_value *v, uint64_t hash,
                                       uint64_t n);
/* Fetch what adding values of these hashes will read, so that it waits once for all. */
void skep_counts_prefetch(const struct skep_counts *t, const uint64_t *hashes, unsigned n);
/* *ret: so often came the k-th most frequent value, or one that comes no more often; 0 when there
 * are not more than k, k > 0.  Returns SKEP_OK | ENOMEM. */
SKEP_NODISCARD skep_rc skep_counts_least(struct skep_counts *t, size_t k, uint64_t *ret);
/* The next value (ret may be NULL), which belongs to the table, and how often it came; *it is zeros
 * at first.  False: that were all. */
struct skep_counts_it {
    uint32_t block, at;
};
bool skep_counts_next(const struct skep_counts *t, struct skep_counts_it *it, skep_value *ret,
                      uint64_t *ret_n);
