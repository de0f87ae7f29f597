// SPDX-License-Identifier: Apache-2.0
/* What the segment tests share: random batches as parts, and rows as text to compare. */
#pragma once

#include "event/batch.h"
#include "store/column/rowset.h"

/* xorshift; the seed is printed by the tests that fail. */
struct rng {
    uint64_t s;
};
uint64_t rng_next(struct rng *r);
uint32_t rng_below(struct rng *r, uint32_t n);

struct batch_shape {
    uint32_t rows;
    uint32_t traces;      /* rows choose among so many */
    uint64_t trace_base;  /* traces of equal number are equal across batches with one base */
    uint32_t fields;      /* names attr.0 .. attr.<fields - 1> */
    uint32_t per_row;     /* fields a row has at most */
    uint32_t first_field; /* names begin at attr.<first_field> */
    int64_t start_ns;     /* times lie from here on, after a fixed one; 2 s of them */
    bool hostile;         /* extremes of time, repeated span ids, cycles, no traces */
};

/* One part with random rows of every type. */
struct skep_rowset *random_part(struct rng *r, const struct batch_shape *shape, uint64_t seq);

/* Every visible row as text with all its values, sorted by (seq, ordinal). */
struct row_text {
    uint64_t seq;
    uint32_t ordinal;
    char *text;
};
struct row_texts {
    uint32_t n;
    struct row_text *rows;
};
/* Reads in pieces of at most `step` rows.  Returns the first error. */
skep_rc read_rows(struct skep_rowset *rs, const struct skep_live *live, unsigned step,
                  struct row_texts *add_to, skep_err *err);
void sort_rows(struct row_texts *t);
void free_rows(struct row_texts *t);
/* Fails the test at the first difference. */
void same_rows(const struct row_texts *a, const struct row_texts *b);

/* Values of an integer column, whole rowset. */
int64_t *int_column(struct skep_rowset *rs, enum skep_column col);
skep_trace_id *trace_column(struct skep_rowset *rs);
