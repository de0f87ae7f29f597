// SPDX-License-Identifier: Apache-2.0
/* An RQL query while it is read. */
#pragma once

#include "lang/lang_priv.h"
#include "lang/rql.h"

enum { SKEP_RQL__SLOTS = 200, SKEP_RQL__COLUMNS = 64, SKEP_RQL__DEPTH = 50 };

/* What stands between commas: an expression and the text it was read from. */
struct skep_rql__column {
    struct skep_calc *expr;
    skep_str text, name; /* name: AS, else the text */
    bool measured;       /* made of aggregates */
    unsigned slot;       /* where it is in the answer */
};

struct skep_rql__q;

/* What stands behind FROM: which rows are read, and what their columns are. */
struct skep_rql__table {
    const char *name;
    const char *const *all; /* what * is; ends in NULL */
    skep_rc (*rows)(struct skep_rql__q *q);
    skep_rc (*column)(struct skep_rql__q *q, skep_str name, size_t at, struct skep_calc **ret);
    /* By what the latest row of a group is found. */
    skep_rc (*time)(struct skep_rql__q *q, struct skep_calc **ret);
};
/* NULL: there is none of that name. */
const struct skep_rql__table *skep_rql__table(skep_str name);

struct skep_rql__q {
    skep_str text;
    size_t at, prev_end; /* prev_end: behind the last token that was taken */
    struct skep_arena *a;
    const struct skep_rql_opts *opts;
    struct skep_lang_issue *issue;
    struct skep_pipe *pipe;
    struct skep_pipe_agg *aggs; /* [SKEP_RQL__COLUMNS] */
    unsigned n_aggs, depth;
    bool aggregates; /* may stand here */
    const struct skep_rql__table *table;
    const struct skep_rql__column *named; /* behind WHERE, names of these are expressions, too */
    unsigned n_named;
    bool again; /* FROM named another table than the columns before it were read for */
    /* Of the column that is read: aggregates, fields of rows outside of them.  Noted as they are
     * met: an expression may hold one part many times over, so that walking it could take for ever.
     */
    bool measures, looks;
};

skep_rc skep_rql__wrong(struct skep_rql__q *q, size_t at, size_t end, const char *fmt,
                        ...) SKEP_COLD SKEP_PRINTF(4, 5);
/* The next token begins here. */
size_t skep_rql__here(struct skep_rql__q *q);
/* A sign ("," "<="), a word in any case. */
bool skep_rql__take(struct skep_rql__q *q, const char *sign);
bool skep_rql__word(struct skep_rql__q *q, const char *word);
skep_rc skep_rql__expect(struct skep_rql__q *q, const char *sign);
/* A name, also in backticks, with dots; false: none stands here. */
bool skep_rql__name(struct skep_rql__q *q, skep_str *ret, bool *ret_quoted);
/* A stage more. */
struct skep_pipe_stage *skep_rql__stage(struct skep_rql__q *q, enum skep_pipe_op op);
SKEP_NODISCARD skep_rc skep_rql__slot(struct skep_rql__q *q, unsigned *ret);

/* --- rql_expr.c --- */
SKEP_NODISCARD skep_rc skep_rql__expr(struct skep_rql__q *q, struct skep_calc **ret);
SKEP_NODISCARD skep_rc skep_rql__call(struct skep_rql__q *q, const struct skep_calc_fn *fn,
                                      struct skep_calc **args, unsigned n, size_t at,
                                      struct skep_calc **ret);
/* --- rql_names.c: the value of a column of an occurrence --- */
SKEP_NODISCARD skep_rc skep_rql__resolve(struct skep_rql__q *q, skep_str name, size_t at,
                                         struct skep_calc **ret);
/* A field of the row. */
SKEP_NODISCARD skep_rc skep_rql__field(struct skep_rql__q *q, skep_str name, int what,
                                       struct skep_calc **ret);
