// SPDX-License-Identifier: Apache-2.0
/* Tests of texts by regular expressions, as plans carry them. */
#pragma once

#include "plan/plan.h"
#include "wire/regex.h"

/* For passes(): it cannot decide. */
void skep_matcher_give_up(const struct skep_matcher *m);

/* Fill the test: op (MATCHES or NOT_MATCHES), value and matcher of a compiled expression that
 * lives in `a`; its field is left alone. */
void skep_test_regex(struct skep_test *t, enum skep_cmp op, const struct skep_regex *re,
                     bool fold_case, struct skep_arena *a);

/* A test of a field by an expression, with a test of the literal it holds before it, which the
 * engine's text filters answer. */
struct skep_expr *skep_expr_regex(skep_str field, const struct skep_regex *re, bool fold_case,
                                  struct skep_arena *a);
