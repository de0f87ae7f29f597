// SPDX-License-Identifier: Apache-2.0
/* Expressions over fields as data, evaluated on batches of rows: what calculated columns of any
 * language are made of.  A language parses a text into struct skep_calc and chooses which functions
 * it offers under which names; nothing here knows a vendor.
 *
 * Values are skep_value: string, int64, double, bool, null (absent), and ARRAY for a JSON document
 * (a list or a map).  What cannot be computed - a text where a number belongs, a division by zero,
 * a result that is too long - is null.  Instants are integers of milliseconds since 1970.
 *
 * An expression is constant, in the arena it was made in; any number of threads may evaluate it,
 * each with a context of its own. */
#pragma once

#include "base/arena.h"
#include "event/event.h"

enum {
    SKEP_LIMIT_CALC_TEXT = 1 << 20, /* bytes of a computed text; longer ones are null */
    SKEP_LIMIT_CALC_ARGS = 64,
    SKEP_LIMIT_CALC_LIST = 1024, /* arguments of a function that takes a list */
    SKEP_LIMIT_CALC_DEPTH = 100, /* of calls in each other; also of a + b + c ... */
    SKEP_CALC_ROWS = 1024        /* of a batch, at most */
};

/* What an evaluation may use. */
struct skep_calc_ctx {
    struct skep_arena *scratch; /* texts are made in it; the caller resets it between batches */
    int64_t now_ms, start_ms, end_ms; /* of the question */
    bool loose;           /* texts that are numbers count as numbers, and all scalars as texts */
    bool short_of_memory; /* set when the scratch's budget refused: results are not to be trusted */
    bool too_slow;        /* set when a regular expression was given up */
    /* Documents read lately, so that each function that looks into one does not read it anew; NULL:
     * they do. */
    struct skep_calc_docs *docs;
};
/* Charged to the budget, a few MiB at most.  Before texts that were evaluated with them go or
 * change, their owner clears them. */
struct skep_calc_docs *skep_calc_docs_new(struct skep_budget *budget);
void skep_calc_docs_clear(struct skep_calc_docs *d);
void skep_calc_docs_free(struct skep_calc_docs *d);

struct skep_calc;

/* One function. */
struct skep_calc_fn {
    const char *name;      /* of the function here; a language may offer it under another one */
    const char *signature; /* "substr(text, start[, length])" */
    const char *text;      /* what it gives, in a sentence */
    const char *family;    /* "string" */
    unsigned min_args, max_args;
    /* value of one row; args[call->n_args] */
    skep_value (*eval)(struct skep_calc_ctx *ctx, const struct skep_calc *call,
                       const skep_value *args);
    /* Looks at arguments that must be constant, before anything is evaluated: fills
     * call->prepared.  *ret_arg names the argument that is wrong.  May be NULL. */
    skep_rc (*prepare)(struct skep_calc *call, struct skep_arena *a, unsigned *ret_arg,
                       skep_err *err);
    /* Is the result an instant: never, always, if its arguments are. */
    enum { SKEP_CALC_NO_TIME, SKEP_CALC_TIME, SKEP_CALC_TIME_AS_ARGS } time;
};

enum skep_calc_op { SKEP_CALC_CONST, SKEP_CALC_FIELD, SKEP_CALC_CALL };

struct skep_calc {
    enum skep_calc_op op;
    bool time;        /* its value is an instant */
    unsigned depth;   /* of calls: 0 without */
    skep_value value; /* CONST */
    unsigned field;   /* FIELD: column of the batch */
    const struct skep_calc_fn *fn;
    struct skep_calc **args;
    unsigned n_args;
    void *prepared;
};

/* Rows by column: columns[field][row]. */
struct skep_calc_batch {
    unsigned n; /* rows, <= SKEP_CALC_ROWS */
    skep_value *const *columns;
};

/* Nodes, in the arena. */
struct skep_calc *skep_calc_const(struct skep_arena *a, skep_value v);
struct skep_calc *skep_calc_field(struct skep_arena *a, unsigned field, bool time);
/* A call.  Returns SKEP_OK | EINVAL (err: too few or many arguments, what one of them must be, or
 * deeper than SKEP_LIMIT_CALC_DEPTH;
 * *ret_arg: which, UINT_MAX = the number of them). */
SKEP_NODISCARD skep_rc skep_calc_call(struct skep_arena *a, const struct skep_calc_fn *fn,
                                      struct skep_calc **args, unsigned n_args,
                                      struct skep_calc **ret, unsigned *ret_arg, skep_err *err);

/* Evaluate for all rows of a batch: ret[batch->n].  Texts are borrowed from the batch, the
 * expression or ctx->scratch. */
void skep_calc_eval(const struct skep_calc *e, const struct skep_calc_batch *batch,
                    struct skep_calc_ctx *ctx, skep_value *ret);

/* Is the value true: a bool that is, a number that is not 0?  Everything else is false. */
bool skep_calc_true(const skep_value *v);

/* A function by its name here, NULL when there is none. */
const struct skep_calc_fn *skep_calc_find(skep_str name);
/* All families: families[n] of tables that end with a NULL name. */
const struct skep_calc_fn *const *skep_calc_families(unsigned *ret_n);

/* Functions of derived columns, families that stand apart: in arithmetic texts are the numbers
 * they write and everything else 0, in comparisons types are kept apart, whatever the context
 * says. */
const struct skep_calc_fn *const *skep_calc_derived(unsigned *ret_n);
const struct skep_calc_fn *skep_calc_find_derived(skep_str name);

/* A function of SQL (positions from 1, LIKE ...) that no family has; NULL when there is none. */
const struct skep_calc_fn *skep_calc_find_sql(skep_str name);

/* Is it a function of this module's tables?  What those give is said by their arguments and the
 * context; a language's own may look at things that change. */
bool skep_calc_own(const struct skep_calc_fn *fn);

/* A number of a value, by the context's rules; false when it is none. */
bool skep_calc_number(const struct skep_calc_ctx *ctx, const skep_value *v, double *ret);
/* A value as text: numbers shortest, whole doubles without a fraction, bools as 1 and 0; in
 * out[64] or the value itself. */
skep_str skep_calc_text(const skep_value *v, char out[64]);
/* How values compare: by number if both are numbers by the context's rules, else as texts; *ret is
 * -1, 0, 1.  False when they do not compare. */
bool skep_calc_compare(const struct skep_calc_ctx *ctx, const skep_value *a, const skep_value *b,
                       int *ret);

/* -- extract.c: stages of a pipeline as expressions ------------------------------------------- */

enum { SKEP_CALC_CAPTURES = 100 };
struct skep_regex;
/* What groups of an expression, or a glob's stars, take of a text, packed into one value; null
 * where it does not match.  Arrays and the regex are borrowed; 0 < n <= SKEP_CALC_CAPTURES. */
struct skep_calc *skep_calc_captures_regex(struct skep_arena *a, struct skep_calc *text,
                                           const struct skep_regex *regex, const unsigned *groups,
                                           unsigned n);
struct skep_calc *skep_calc_captures_glob(struct skep_arena *a, struct skep_calc *text,
                                          const skep_str *pieces, unsigned n);
/* Number i of the n. */
struct skep_calc *skep_calc_capture(struct skep_arena *a, struct skep_calc *all, unsigned i,
                                    unsigned n);
bool skep_calc_is_capture(const struct skep_calc *e);
/* path(jsonParse(text), keys...) */
struct skep_calc *skep_calc_member(struct skep_arena *a, struct skep_calc *text,
                                   struct skep_calc *const *keys, unsigned n);
/* An expression that looks at its one column by one member alone, by names: then `around` has the
 * member for its column.  False: it is none. */
struct skep_calc_member_of {
    skep_str *keys;
    unsigned n_keys;
    const struct skep_calc *around;
};
bool skep_calc_look_inside(const struct skep_calc *e, struct skep_arena *a,
                           struct skep_calc_member_of *ret);
/* Numbers as they are, what the context takes for a number as a double, else null. */
struct skep_calc *skep_calc_as_number(struct skep_arena *a, struct skep_calc *e);
/* skep_calc_true() */
struct skep_calc *skep_calc_as_true(struct skep_arena *a, struct skep_calc *e);

/* Texts between a glob's pieces[n + 1]: each star takes as little as it can, the last one the rest
 * when nothing stands behind it.  ret[n]; false when it does not match. */
bool skep_calc_glob(const skep_str *pieces, unsigned n, skep_str text, skep_str *ret);

/* All that says what an expression computes of its columns, evaluated loosely or not, in the arena:
 * two with the same bytes compute the same in this process.  p == NULL: it is very long. */
skep_str skep_calc_say(const struct skep_calc *e, bool loose, struct skep_arena *a);
