// SPDX-License-Identifier: Apache-2.0
/* Expressions of derived columns: text -> struct skep_calc.  Who reads one says what its names mean
 * (calculated.c: fields of a row; formulas.c: calculations of a query). */
#pragma once

#include "calc/calc.h"
#include "lang/lang_priv.h"

enum {
    SKEP_LANG__EXPRESSION_BYTES = 4095, /* Honeycomb's limit */
    SKEP_LANG__NESTED = 100             /* parentheses and calls in each other */
};

struct skep_lang__x;

/* What `$name`, or a function that is of the row (what != FIELD, no name), stands for.
 * longest    `$name` may be longer than meant: *ret_n is how much of it was taken
 * Returns SKEP_OK | EINVAL (the issue is filled, by skep_lang__x_wrong or otherwise) */
typedef skep_rc skep_lang__resolve_fn(struct skep_lang__x *x, enum skep_computed_what what,
                                      skep_str name, size_t *ret_n, struct skep_calc **ret);

struct skep_lang__x {
    struct skep_lang__q *q; /* arena, path, issue */
    skep_str text;
    size_t at, prev_end;
    size_t name_at, name_end; /* of the name that is resolved */
    unsigned depth;
    skep_lang__resolve_fn *resolve;
    void *arg;
};

/* Read all of x->text. */
SKEP_NODISCARD skep_rc skep_lang__expression(struct skep_lang__x *x, struct skep_calc **ret);
/* The bytes [at, end) of the text are wrong: fills the issue; returns EINVAL. */
SKEP_NODISCARD skep_rc skep_lang__x_wrong(struct skep_lang__x *x, size_t at, size_t end,
                                          const char *fmt, ...) SKEP_COLD SKEP_PRINTF(4, 5);
