// SPDX-License-Identifier: Apache-2.0
/* An Insights query while it is read. */
#pragma once

#include "lang/insights.h"
#include "lang/lang_priv.h"

enum { SKEP_INSIGHTS__DEPTH = 50, SKEP_INSIGHTS__NAMES = 600 };

/* What a name stands for at this place of the text. */
struct skep_insights__name {
    skep_str name;
    unsigned slot;
    bool time;
    bool computed; /* by a stage: a map may stand in it */
};

struct skep_insights__q {
    skep_str text;
    size_t at, prev_end; /* prev_end: behind the last token that was taken */
    struct skep_arena *a;
    struct skep_lang_issue *issue;
    const struct skep_insights_opts *opts;
    struct skep_insights *ret;
    struct skep_pipe *pipe;
    struct skep_lang__q plan; /* what the rows' plan computes: derived columns that were named */
    struct skep_insights__name names[SKEP_INSIGHTS__NAMES];
    unsigned n_names;
    unsigned depth, n_stats;
    bool sealed; /* behind stats or pattern: only their outputs are there */
    bool chosen; /* fields or display said what is answered */
    bool sorted;
    bool dedup;
    /* in a stats command: where aggregates that are met go */
    struct skep_pipe_stage *stats;
    struct skep_insights__name *results; /* groups, then what was measured */
    unsigned n_results;
    size_t command_at, command_end; /* the word of the command at hand */
};

skep_rc skep_insights__wrong(struct skep_insights__q *q, size_t at, size_t end, const char *fmt,
                             ...) SKEP_COLD SKEP_PRINTF(4, 5);

/* --- tokens --- */
void skep_insights__blanks(struct skep_insights__q *q);
char skep_insights__peek(struct skep_insights__q *q);
/* Where the next token begins. */
size_t skep_insights__here(struct skep_insights__q *q);
bool skep_insights__take(struct skep_insights__q *q, skep_str sign);
/* A whole word, whatever its case. */
bool skep_insights__take_word(struct skep_insights__q *q, skep_str word);
skep_rc skep_insights__expect(struct skep_insights__q *q, skep_str sign);
/* A name, with parts in backticks; ENOTFOUND when none stands here. */
SKEP_NODISCARD skep_rc skep_insights__field_name(struct skep_insights__q *q, skep_str *ret);
/* A name without dots, or one in backticks; false when none stands here. */
bool skep_insights__key(struct skep_insights__q *q, skep_str *ret);
/* A text in quotes; the scan stands at them. */
SKEP_NODISCARD skep_rc skep_insights__quoted(struct skep_insights__q *q, skep_str *ret);
/* /.../: the scan stands at the first sign; the expression's text. */
SKEP_NODISCARD skep_rc skep_insights__slashed(struct skep_insights__q *q, skep_str *ret);
bool skep_insights__is_name(char c);

/* --- slots, names, stages (insights.c) --- */
SKEP_NODISCARD skep_rc skep_insights__slot(struct skep_insights__q *q, unsigned *ret);
/* From here on the name stands for the slot. */
SKEP_NODISCARD skep_rc skep_insights__define(struct skep_insights__q *q, skep_str name,
                                             unsigned slot, bool time);
/* The value of a name: a slot, a part of a map, or a field of the rows. */
SKEP_NODISCARD skep_rc skep_insights__resolve(struct skep_insights__q *q, skep_str name, size_t at,
                                              struct skep_calc **ret);
/* A stage more; its step is the text from `at` to what was read last. */
struct skep_pipe_stage *skep_insights__stage(struct skep_insights__q *q, enum skep_pipe_op op);

/* Only the columns given are there from here on. */
SKEP_NODISCARD skep_rc skep_insights__seal(struct skep_insights__q *q,
                                           const struct skep_insights__name *names, unsigned n);

/* --- expressions (insights_expr.c) --- */
SKEP_NODISCARD skep_rc skep_insights__expr(struct skep_insights__q *q, struct skep_calc **ret);
/* A call of a function by its name here. */
SKEP_NODISCARD skep_rc skep_insights__call(struct skep_insights__q *q, const char *fn,
                                           struct skep_calc **args, unsigned n, size_t at,
                                           struct skep_calc **ret);
struct skep_calc **skep_insights__args(struct skep_insights__q *q, struct skep_calc *x,
                                       struct skep_calc *y);

/* --- commands (insights_stats.c, insights_parse.c, insights_pattern.c) --- */
typedef skep_rc skep_insights__command_fn(struct skep_insights__q *q);
skep_insights__command_fn skep_insights__stats, skep_insights__parse, skep_insights__pattern,
    skep_insights__diff, skep_insights__logcompare;
/* An aggregate in a stats command: its name has been read, "(" follows.  ENOTFOUND: it is none. */
SKEP_NODISCARD skep_rc skep_insights__aggregate(struct skep_insights__q *q, skep_str name,
                                                size_t at, struct skep_calc **ret);
