// SPDX-License-Identifier: Apache-2.0
/* Computed fields: what computed.c and computed_vectors.c share. */
#pragma once

#include "store/column/exec/exec_priv.h"

enum skep_x_how { SKEP_X_BY_ROW, SKEP_X_BY_CODE, SKEP_X_BY_VALUE, SKEP_X_BY_VECTOR };

struct skep_x_values;

struct skep_x_computed {
    /* the rows that values are of */
    uint32_t set;
    uint64_t row0;
    unsigned n;
    struct skep_x_bits done, coded, of_type[SKEP_TYPE_COUNT];
    struct skep_arena texts; /* of the block */
    int64_t i64[SKEP_BLOCK_ROWS];
    double f64[SKEP_BLOCK_ROWS];
    skep_str str[SKEP_BLOCK_ROWS];
    /* by code; the last one is of rows without a value */
    int64_t codes[SKEP_BLOCK_ROWS];
    uint64_t serial;           /* 0 = nothing */
    enum skep_x_how coded_how; /* of the rows in `coded` */
    bool has_null;             /* of the values by code */
    uint32_t n_list, cap_list;
    skep_value *list;
    uint8_t *known;
    struct skep_arena list_texts;
    struct skep_x_values *values; /* NULL = not by value so far */
    uint64_t n_values_made;
    bool many_values; /* too many of them: row by row */
};

/* Room for a list of n values, of which none is known yet; nothing to do where it is that list
 * already. */
SKEP_NODISCARD skep_rc skep_x__computed_list(struct skep_x_ctx *c, struct skep_x_computed *k,
                                             uint64_t serial, uint32_t n, skep_err *err);
SKEP_NODISCARD skep_rc skep_x__computed_no_memory(skep_err *err);
/* Compute the rows of `in` a column at a time; *ret_done false: that cannot be done. */
SKEP_NODISCARD skep_rc skep_x__compute_vectors(struct skep_x_ctx *c, struct skep_x_computed *k,
                                               const struct skep_x_name *name,
                                               const struct skep_x_bits *in, bool *ret_done,
                                               skep_err *err);
/* An expression that stands for the field's, of columns that may be written. */
SKEP_NODISCARD skep_rc skep_x__evaluate(struct skep_x_ctx *c, const struct skep_computed *of,
                                        const struct skep_calc *calc, unsigned n_columns,
                                        skep_value **columns, unsigned n,
                                        struct skep_arena *scratch, skep_value *ret, skep_err *err);
bool skep_x__has_text(const skep_value *v);
SKEP_NODISCARD skep_rc skep_x__keep_text(struct skep_arena *a, skep_value *v, skep_err *err);
/* The row's value. */
void skep_x__put_value(struct skep_x_computed *k, unsigned r, const skep_value *v);

/* computed_member.c.  NULL: the field looks at no member of one text alone. */
const struct skep_x_member *skep_x__compile_member(struct skep_arena *a,
                                                   const struct skep_computed *k);
/* Compute rows of `in` by members; they are taken from it. */
SKEP_NODISCARD skep_rc skep_x__compute_members(struct skep_x_ctx *c, struct skep_x_computed *k,
                                               const struct skep_x_name *name,
                                               struct skep_x_bits *in, skep_err *err);
