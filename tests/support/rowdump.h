// SPDX-License-Identifier: Apache-2.0
/* Rows as text, from a batch and from a rowset alike, so that tests compare what went in with what
 * comes out; and batches of random rows.  The text does not depend on codes, parts or order of
 * fields. */
#pragma once

#include "store/column/rowset.h"

/* All columns and fields of a row, resource and scope included; seq and ordinal as given.
 * Caller frees with skep_free. */
char *dump_batch_row(const struct skep_batch *b, uint32_t row, uint64_t seq);
/* All rows of a rowset in storage order; aborts the test on any error. ret[n_rows], freed by
 * dump_free. */
char **dump_rowset(struct skep_rowset *rs);
void dump_free(char **rows, uint64_t n);

/* xorshift: the seed is the test's business, and printed. */
struct rnd {
    uint64_t s;
};
uint64_t rnd_u64(struct rnd *r);
/* 0 .. n-1 */
static inline uint32_t rnd_below(struct rnd *r, uint32_t n)
{
    return (uint32_t)(rnd_u64(r) % n);
}

/* Rows of all kinds with fields of all types, some dense, some rare; `tag` goes into each row as
 * the int attribute "tag" = tag + row, so that a row can be known again. n_rows >= 1. */
struct skep_batch *random_batch(struct rnd *r, uint32_t n_rows, skep_ts_ns received_ns,
                                int64_t tag);
