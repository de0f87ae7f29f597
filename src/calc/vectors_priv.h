// SPDX-License-Identifier: Apache-2.0
/* Expressions over columns, made ready (vectors.c), and their functions (vector_functions.c). */
#pragma once

#include "calc/vectors.h"

struct skep_calc__buckets;
struct skep_calc__node;

struct skep_calc__run { /* over one batch */
    const struct skep_calc_vectors *of;
    const struct skep_calc_vec *columns;
    unsigned n;
    struct skep_arena *scratch;
};

/* The node's value of its arguments'.  False: not to be said by columns, or no memory. */
typedef bool skep_calc__vector_fn(const struct skep_calc__run *r,
                                  const struct skep_calc__node *node,
                                  const struct skep_calc_vec *args, struct skep_calc_vec *ret);

struct skep_calc__node {
    skep_calc__vector_fn *fn; /* NULL: a constant, or a column */
    bool constant;
    unsigned column, n_args;
    struct skep_calc_vec value; /* constant */
    struct skep_calc__node **args;
    const struct skep_calc__buckets *buckets;
    unsigned first_text; /* of the labels */
};

struct skep_calc_vectors {
    struct skep_calc__node *root;
    skep_str *texts;
    unsigned n_texts, n_constants;
    uint8_t all[SKEP_CALC_ROWS], none[SKEP_CALC_ROWS]; /* presence of every row, and of no row */
};

/* NULL: it takes no columns. */
skep_calc__vector_fn *skep_calc__vector_function(const struct skep_calc_fn *fn);
/* BUCKET, whose node knows its labels. */
skep_calc__vector_fn skep_calc__vector_bucket;
