// SPDX-License-Identifier: Apache-2.0
/* Questions to answers: runs a plan on a store, merges and finishes partial aggregates, orders,
 * cuts,
 * fills series. */
#pragma once

#include "store/store.h"

enum skep_cell_kind { SKEP_CELL_NULL, SKEP_CELL_INT, SKEP_CELL_DOUBLE, SKEP_CELL_HEAT };

struct skep_heat_bin {
    uint32_t bin;
    uint64_t count;
};

struct skep_cell {
    enum skep_cell_kind kind;
    uint32_t n_heat;
    union {
        int64_t i;
        double f;
        const struct skep_heat_bin *heat; /* ascending bins, counts > 0 */
    };
};

struct skep_result_group {
    const skep_value *key;          /* [plan->n_groups]; type NULL = absent */
    const struct skep_cell *values; /* [skep_plan_n_values] */
    /* [skep_plan_n_values * n_buckets], value-major; NULL without series */
    const struct skep_cell *series;
};

/* The answer to an AGGREGATE plan.  All of it lives in the arena given. */
struct skep_result {
    const struct skep_plan *plan;
    struct skep_result_group *groups; /* in order, cut to the limit */
    size_t n_groups;
    size_t n_groups_total;          /* before the limit, after havings */
    struct skep_result_group *gone; /* skep_query_compare's: groups of then that now has not */
    size_t n_gone;
    struct skep_result_group totals; /* over all groups, before havings and limit; key = NULL */
    const skep_ts_ns *bucket_starts; /* [n_buckets] */
    unsigned n_buckets;
    struct skep_heat_edges {
        const double *edges; /* n + 1 */
        unsigned n;
    } * heat; /* [plan->n_aggs]; n = 0 for other aggregates */
    uint64_t rows_examined;
    int64_t elapsed_ns;
    bool estimated; /* some rows had sample rate > 1 */
    bool complete;
    skep_str missing;
};

/* Answer an AGGREGATE plan.  Blocks; call from a worker.  Result in opts->arena.
 * Bucket starts are multiples of granularity since 1970 (UTC); the first and last may be cut by
 * the range.
 * Orders: as the plan says, then by the group key (absent < bool < number < string, bytewise);
 * without
 * orders: first aggregate descending.  Limit 0 = 1000.
 * Returns as skep_store_run. */
SKEP_NODISCARD skep_rc skep_query_aggregate(struct skep_store *store, const struct skep_plan *plan,
                                            const struct skep_run_opts *opts,
                                            struct skep_result **ret, skep_err *err);
/* The same question of the range `plan->compare_offset_ns` earlier, of the groups of `now` alone:
 * ret->groups[i] is now's group i, its values null where it had no rows; the totals are of all rows
 * of that time (without a series where there are groups).  Bucket starts are the earlier ones.
 * ret->gone: groups without rows now that the question lists when it is asked of that time (by its
 * orders, havings and limit), without a series.
 * Returns as skep_query_aggregate; EINVAL without an offset. */
SKEP_NODISCARD skep_rc skep_query_compare(struct skep_store *store, const struct skep_result *now,
                                          const struct skep_run_opts *opts,
                                          struct skep_result **ret, skep_err *err);
/* Answer a plan of any other kind. */
SKEP_NODISCARD skep_rc skep_query_run(struct skep_store *store, const struct skep_plan *plan,
                                      const struct skep_run_opts *opts, struct skep_answer *ret,
                                      skep_err *err);

/* Say which facets chance does not explain, over all of them, and order them: after answers of
 * several plans about the same rows were put together.  skep_query_run has done it for its own. */
void skep_query_judge(struct skep_facets *f);

/* Most frequent values of a field: an AGGREGATE of COUNT by it with an optional prefix; helper
 * that builds
 * the plan in the arena. */
const struct skep_plan *skep_query_values_plan(struct skep_arena *a, const struct skep_plan *base,
                                               skep_str field, skep_str prefix, unsigned limit);

/* Automatic granularity for a range: about 120 buckets from the ladder 1 2 5 10 20 50 100 200 500
 * ms, 1 2 5
 * 10 15 30 s, 1 2 5 10 15 30 min, 1 2 3 4 6 12 h, 1 2 7 d. */
int64_t skep_query_auto_granularity(struct skep_time_range range);

/* A trace as a tree: rows of one trace in tree order (parents before children, siblings by start,
 * then
 * id; spans of a missing parent and of cycles become roots).  Iterative: any depth. */
struct skep_trace_node {
    const struct skep_row *row;
    int32_t parent; /* index of the node, -1 = root */
    uint32_t depth;
    bool missing_parent;
};
struct skep_trace_tree {
    struct skep_trace_node *nodes;
    size_t n;
    size_t missing_parents;
    skep_ts_ns start_ns, end_ns;
};
void skep_query_trace_tree(const struct skep_rows *rows, struct skep_arena *arena,
                           struct skep_trace_tree *ret);
