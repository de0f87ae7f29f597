// SPDX-License-Identifier: Apache-2.0
/* What the files of query share: partial results read by group. */
#pragma once

#include "agg/agg.h"
#include "agg/heat.h"
#include "query/query.h"

/* A partial with its cells by tuple: cells of tuple t are cells[first[t] .. first[t + 1]), by
 * bucket. */
struct skep_query_cells {
    struct skep_partial *p;
    struct skep_partial *whole; /* not NULL: p has only the best of n_groups; all together */
    uint64_t n_groups;
    uint32_t n_tuples;
    uint32_t *first; /* [n_tuples + 1] */
    uint32_t *cells;
};

/* A group while it is ordered and cut. */
struct skep_query_group {
    uint32_t tuple;
    struct skep_agg_value *values; /* [n_aggs + n_formulas]; kind STATE: a heatmap */
};

struct skep_query_job {
    struct skep_store *store;
    const struct skep_plan *asked; /* the caller's */
    const struct skep_run_opts *opts;
    struct skep_agg_mem mem;
    struct skep_plan plan;               /* what is run */
    struct skep_agg *aggs;               /* of plan, with heat ranges */
    bool hidden_series;                  /* buckets were made for rates alone */
    struct skep_query_cells totals_only; /* first of two passes: p set when it was needed */
    struct skep_query_cells series;      /* cells by bucket of (kept) groups */
    struct skep_query_cells all_series;  /* two passes: buckets of all groups together */
    struct skep_plan pass_plans[3];
    struct skep_run_opts run_opts; /* opts, with what chooses groups */
    struct skep_query_group *groups;
    size_t n_groups, n_groups_total, cap_groups;
    struct skep_agg_value *values_block;
    size_t values_bytes;
    struct skep_heat_axis *axes; /* [n_aggs] */
    struct skep_arena scratch;   /* of formulas */
    struct skep_answer answer;   /* of the last run; completeness of all */
    uint64_t rows_examined;
    bool complete;
    skep_str missing;
    bool estimated;
};

/* order.c */
SKEP_NODISCARD skep_rc skep_query__cells(struct skep_query_job *j, struct skep_partial *p,
                                         struct skep_query_cells *ret, skep_err *err);
void skep_query__cells_done(struct skep_query_job *j, struct skep_query_cells *c);
/* Values of all aggregates over some cells: values[n_aggs].  Rates are left NULL. */
SKEP_NODISCARD skep_rc skep_query__values(struct skep_query_job *j,
                                          const struct skep_query_cells *c, const uint32_t *cells,
                                          uint32_t n, int64_t span_ns,
                                          struct skep_agg_value *values, skep_err *err);
/* Rates of a group from its buckets, into values[] (only those of rate aggregates): the mean of the
 * rates in its series. */
SKEP_NODISCARD skep_rc skep_query__rates(struct skep_query_job *j, const struct skep_query_cells *c,
                                         const uint32_t *cells, uint32_t n,
                                         struct skep_agg_value *values, skep_err *err);
/* Fill j->groups: all groups of c that pass the havings, ordered, cut to the limit. */
SKEP_NODISCARD skep_rc skep_query__order(struct skep_query_job *j, const struct skep_query_cells *c,
                                         skep_err *err);
/* skep_run_opts.select, by the orders, havings and limit of the partial's plan. */
SKEP_NODISCARD skep_rc skep_query__select(const struct skep_run_opts *opts, struct skep_partial *p,
                                          uint32_t **ret, size_t *ret_n, uint64_t *ret_all,
                                          skep_err *err);
/* skep_run_opts.most: the limit, where groups stand by their COUNT first, and all of them pass. */
size_t skep_query__most(const struct skep_plan *plan);
/* Key values of a tuple: ret[n_groups], borrowed from the partial. */
void skep_query__keys(const struct skep_partial *p, uint32_t tuple, skep_value *ret);
SKEP_NODISCARD skep_rc skep_query__no_memory(skep_err *err);

/* formulas.c: fill in values[n_aggs ...], or cells `stride` apart, of those before them. */
void skep_query__formulas(struct skep_query_job *j, struct skep_agg_value *values);
void skep_query__formula_cells(struct skep_query_job *j, struct skep_cell *cells, size_t stride);

/* finish.c */
void skep_query__to_cell(const struct skep_agg_value *v, struct skep_cell *ret);
/* Turn a series of values into their change per second, in place. */
void skep_query__to_rates(struct skep_cell *series, unsigned n, double seconds);
/* Mean of the cells that have a value. */
void skep_query__mean(const struct skep_cell *series, unsigned n, struct skep_agg_value *ret);
SKEP_NODISCARD skep_rc skep_query__finish(struct skep_query_job *j, struct skep_result **ret,
                                          skep_err *err);

/* Leave out of a plan what was reported through X-Ray, too, and say of whom, if opts->also asks.
 * Returns as skep_store_run. */
SKEP_NODISCARD skep_rc skep_query__once(struct skep_store *store, struct skep_plan *plan,
                                        const struct skep_run_opts *opts, skep_err *err);
