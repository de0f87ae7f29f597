// SPDX-License-Identifier: Apache-2.0
/* What stages of a pipeline compute, as computed fields of a plan. */
#pragma once

#include "query/pipe_priv.h"

struct skep_pipe__compute {
    const struct skep_pipe *p;
    struct skep_arena *a;
    struct skep_calc_ctx ctx;
    struct skep_computed_input *inputs; /* that expressions' columns are */
    unsigned n_inputs;
    struct skep_computed *computed; /* the pipeline's own first */
    unsigned n_computed;
    struct skep_calc **known; /* [n_slots] */
};

enum skep_pipe__computed_as { SKEP_PIPE__AS_IT_IS, SKEP_PIPE__AS_NUMBER, SKEP_PIPE__AS_TRUE };

void skep_pipe__compute_begin(struct skep_pipe__compute *x, const struct skep_pipe *p,
                              struct skep_arena *a);
/* The name of a computed field that has the value of an expression over slots, in rows that passed
 * the stages before it.  False: there is none. */
bool skep_pipe__compute_field(struct skep_pipe__compute *x, const struct skep_calc *e,
                              enum skep_pipe__computed_as as, skep_str *ret);
/* Is the value a text in all rows that have one? */
bool skep_pipe__compute_is_text(struct skep_pipe__compute *x, const struct skep_calc *e);
