// SPDX-License-Identifier: Apache-2.0
/* Expressions over numbers, evaluated a column at a time (vectors.c). */
#pragma once

#include "calc/calc.h"

/* A column of a batch of SKEP_CALC_ROWS rows at most, by row.  Where a row has no value its place
 * may hold anything. */
struct skep_calc_vec {
    /* NULL: no row has a value; INT, BOOL, DOUBLE, STRING (one of the expression's own texts);
     * COUNT: of other types, whose presence alone is known */
    enum skep_type type;
    const uint8_t *present; /* 1 or 0; NULL = every row has one */
    const int64_t *ints;
    const double *doubles;
    const uint8_t *bools;
    const uint32_t *texts; /* numbers of texts */
};

struct skep_calc_vectors;

/* The expression made ready, in the arena: constant, for any number of threads.  NULL when some
 * function in it works row by row alone. */
const struct skep_calc_vectors *skep_calc_vectors_new(struct skep_arena *a,
                                                      const struct skep_calc *e);
/* The texts its values can be; *ret_n = 0: it makes none. */
const skep_str *skep_calc_vectors_texts(const struct skep_calc_vectors *v, unsigned *ret_n);
/* What skep_calc_eval() gives by strict rules, of all n rows.  False: not with columns of these
 * types or values (results would be of several types, an integer overflows), or no memory; then
 * row by row.  The result is in the scratch or the columns. */
bool skep_calc_vectors_eval(const struct skep_calc_vectors *v, const struct skep_calc_vec *columns,
                            unsigned n, struct skep_arena *scratch, struct skep_calc_vec *ret);
