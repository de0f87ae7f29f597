// SPDX-License-Identifier: Apache-2.0
/* A pipeline at work: rows in batches from stage to stage. */
#pragma once

#include "agg/agg.h"
#include "base/buf.h"
#include "query/pipe.h"
#include "query/query.h"

/* Rows by column. */
struct skep_pipe__batch {
    unsigned n;
    skep_value **columns; /* [n_slots][SKEP_CALC_ROWS] */
};

struct skep_pipe__run;

/* A stage at work. */
struct skep_pipe__node {
    const struct skep_pipe_stage *stage;
    struct skep_pipe__node *next; /* NULL: the answer */
    uint64_t n_passed;            /* LIMIT: rows that went on */
    bool counts;                  /* FILTER: its rows are rows of the source */
    struct skep_arena arena;      /* what is kept: STATS, SORT, DEDUP, PATTERNS */
    bool has_arena;
    void *state;
    struct skep_pipe__batch out; /* of stages that make rows */
};

struct skep_pipe__run {
    const struct skep_pipe *p;
    const struct skep_run_opts *opts;
    struct skep_calc_ctx calc;
    struct skep_arena scratch; /* of one batch of the source */
    struct skep_pipe__node *nodes;
    unsigned n_nodes;
    bool earlier; /* the rows that come are of the earlier period */
    bool full;    /* no row more is wanted */
    bool stopped; /* the source was not read to its end */
    /* the answer */
    skep_value *rows; /* [cap_rows * n_outs] */
    struct skep_pipe_id *ids;
    size_t n_rows, cap_rows, limit;
    bool truncated;
    skep_err *err;
    uint64_t matched;
};

/* Rows on to a stage, or into the answer.  May change the batch.  Texts of the batch must live
 * until the call returns.
 * Returns SKEP_OK | ENOMEM | ELIMIT | ECANCELED. */
SKEP_NODISCARD skep_rc skep_pipe__push(struct skep_pipe__run *r, struct skep_pipe__node *node,
                                       struct skep_pipe__batch *b);
/* No row more comes: what was kept goes on. */
SKEP_NODISCARD skep_rc skep_pipe__end(struct skep_pipe__run *r, struct skep_pipe__node *node);

/* The scratch is empty again, and what was read of texts in it and in the page is forgotten. */
void skep_pipe__next_batch(struct skep_pipe__run *r);
SKEP_NODISCARD skep_rc skep_pipe__batch_new(struct skep_pipe__run *r, struct skep_arena *a,
                                            struct skep_pipe__batch *b);
/* A value whose text lives in the arena.  False over budget. */
SKEP_NODISCARD bool skep_pipe__keep(struct skep_arena *a, const skep_value *v, skep_value *ret);
SKEP_NODISCARD skep_rc skep_pipe__no_memory(struct skep_pipe__run *r);
/* Order of values: null, then numbers (texts that are numbers, too), then texts. */
int skep_pipe__order(const struct skep_calc_ctx *ctx, const skep_value *a, const skep_value *b);
/* Evaluate over a batch into a scratch column, NULL over budget. */
skep_value *skep_pipe__eval(struct skep_pipe__run *r, const struct skep_calc *e,
                            const struct skep_pipe__batch *b);

/* pipe_stats.c, pipe_sort.c, pipe_parse.c: one pair a stage. */
skep_rc skep_pipe__stats_push(struct skep_pipe__run *r, struct skep_pipe__node *n,
                              struct skep_pipe__batch *b);
skep_rc skep_pipe__stats_end(struct skep_pipe__run *r, struct skep_pipe__node *n);
skep_rc skep_pipe__sort_push(struct skep_pipe__run *r, struct skep_pipe__node *n,
                             struct skep_pipe__batch *b);
skep_rc skep_pipe__sort_end(struct skep_pipe__run *r, struct skep_pipe__node *n);
void skep_pipe__sort_done(struct skep_pipe__node *n);
void skep_pipe__stats_done(struct skep_pipe__node *n);
skep_rc skep_pipe__dedup_push(struct skep_pipe__run *r, struct skep_pipe__node *n,
                              struct skep_pipe__batch *b);
void skep_pipe__dedup_done(struct skep_pipe__node *n);
/* Combinations it has let pass. */
size_t skep_pipe__dedup_seen(const struct skep_pipe__node *n);
skep_rc skep_pipe__patterns_push(struct skep_pipe__run *r, struct skep_pipe__node *n,
                                 struct skep_pipe__batch *b);
skep_rc skep_pipe__patterns_end(struct skep_pipe__run *r, struct skep_pipe__node *n);
void skep_pipe__patterns_done(struct skep_pipe__node *n);
skep_rc skep_pipe__parse_push(struct skep_pipe__run *r, struct skep_pipe__node *n,
                              struct skep_pipe__batch *b);
skep_rc skep_pipe__unnest_push(struct skep_pipe__run *r, struct skep_pipe__node *n,
                               struct skep_pipe__batch *b);

/* pipe_source.c: rows that are not the store's, through all stages. */
SKEP_NODISCARD skep_rc skep_pipe__read_source(struct skep_pipe__run *r,
                                              struct skep_pipe_result *ret);

/* pipe_push.c: what the store does of a pipeline, and what is left. */
enum { SKEP_PIPE__ROWS, SKEP_PIPE__PART, SKEP_PIPE__STORE };
struct skep_pipe__pushed {
    struct skep_plan plan;         /* ROWS, or AGGREGATE */
    const struct skep_expr *scope; /* of its filter: which rows are asked about at all */
    struct skep_pipe_stage *stages;
    unsigned n_stages; /* that are run */
    uint8_t *how;      /* [p->n_stages] */
    /* AGGREGATE: */
    bool aggregate;
    const struct skep_pipe_stage *stats;
    unsigned *bucket_group; /* which group of it is the time bucket */
    bool computed;          /* groups are computed: values of several types may have one spelling */
    struct skep_pipe_stage *row_stages;
    unsigned n_row_stages;              /* that would be run without it */
    const struct skep_expr *row_filter; /* and the plan's filter */
};
/* Is a row behind the stage a row before it, if it passed? */
static inline bool skep_pipe__keeps_rows(const struct skep_pipe_stage *s)
{
    return s->op == SKEP_PIPE_FILTER || s->op == SKEP_PIPE_ASSIGN ||
           (s->op >= SKEP_PIPE_PARSE_GLOB && s->op <= SKEP_PIPE_PARSE_CSV && !s->many);
}
SKEP_NODISCARD skep_rc skep_pipe__pushdown(struct skep_store *store, const struct skep_pipe *p,
                                           const struct skep_run_opts *opts,
                                           struct skep_pipe__pushed *ret, skep_err *err);
/* The source's fields as columns of a ROWS plan, in the arena. */
void skep_pipe__columns(const struct skep_pipe *p, struct skep_arena *a, struct skep_plan *plan);
/* pipe_groups.c: answer an AGGREGATE that pushdown made: its groups as rows, on to the stage
 * behind. *ret_again: there are more groups than such a plan answers, or groups that are one in a
 * pipeline; no row has gone on. */
SKEP_NODISCARD skep_rc skep_pipe__aggregate(struct skep_store *store, struct skep_pipe__run *r,
                                            const struct skep_pipe__pushed *pushed,
                                            struct skep_pipe_result *ret, bool *ret_again);
/* Take the AGGREGATE back: the stage is answered row by row. */
void skep_pipe__no_aggregate(const struct skep_pipe *p, struct skep_arena *a,
                             struct skep_pipe__pushed *pushed);

/* A page of the store's rows, through the stages. */
SKEP_NODISCARD skep_rc skep_pipe__feed(struct skep_pipe__run *r, const struct skep_rows *rows);
/* pipe_pages.c: all rows of a plan in a range, fed. */
SKEP_NODISCARD skep_rc skep_pipe__pages(struct skep_store *store, struct skep_pipe__run *r,
                                        const struct skep_plan *of, struct skep_time_range range,
                                        struct skep_pipe_result *ret);

/* pipe_newest.c: the rows that a dedup lets pass, from the store.  The first dedup, when nothing
 * before it drops rows or sets what it looks at; NULL: there is none. */
const struct skep_pipe__node *skep_pipe__first_dedup(const struct skep_pipe__run *r);
enum { SKEP_PIPE__NEWEST_MAX = 100 /* combinations */ };
struct skep_pipe__newest {
    bool known;
    struct skep_rows rows; /* in the plan's order, in the arena */
    uint64_t matched;      /* rows of the plan */
};
/* Of a ROWS plan, all rows that may pass.  Not known: they must be read. */
SKEP_NODISCARD skep_rc skep_pipe__newest(struct skep_store *store, struct skep_pipe__run *r,
                                         const struct skep_pipe__node *dedup,
                                         const struct skep_plan *rows, struct skep_arena *a,
                                         struct skep_pipe__newest *ret);
