// SPDX-License-Identifier: Apache-2.0
/* Twins: rows that tell of an occurrence that another wire told of already (inbox/twins.h).  They
 * stay rows; an item does not count them, and what counts rows takes them off. */
#pragma once

#include "state/items.h"

enum { SKEP_ITEM_TWINS_MAX = 1000000 }; /* beyond, the oldest are forgotten: they count again */

struct skep_item_twin {
    skep_row_id row, of;                      /* of: the report that counts */
    unsigned wire, of_wire;                   /* inbox/twins.h; kept for people */
    skep_str environment, stage, fingerprint; /* of the twin itself */
    skep_ts_ns time_ns;
};

/* From where on rows are remembered, as the last look said; {0, 0}: nothing is. */
SKEP_NODISCARD skep_rc skep_state_twins_from(struct skep_state *s, skep_row_id *ret, skep_err *err);
/* The report whose twin a row is; {0, 0}: of none. */
SKEP_NODISCARD skep_rc skep_state_twin_of(struct skep_state *s, skep_row_id row, skep_row_id *ret,
                                          skep_err *err);

/* Which twins, and into how many steps of how long they are counted. */
struct skep_item_twins_query {
    skep_str environment, stage, fingerprint;
    skep_ts_ns start_ns, end_ns;
    int64_t step_ns;
    unsigned steps; /* what lies behind the last one is in it */
};
/* A twin is counted where a question's bucket would count its row: buckets begin at multiples of
 * step_ns since 1970, and a bucket's rows are of the step in which it begins. */
/* ret[0 .. steps - 1] become the numbers of twins. */
SKEP_NODISCARD skep_rc skep_state_twins_count(struct skep_state *s,
                                              const struct skep_item_twins_query *q, uint64_t *ret,
                                              skep_err *err);

/* The same over all fingerprints and stages of the environment; `stage` and `fingerprint` are not
 * looked at.  n_stages 0 = of all stages, else of these. */
SKEP_NODISCARD skep_rc skep_state_twins_count_all(struct skep_state *s,
                                                  const struct skep_item_twins_query *q,
                                                  const skep_str *stages, size_t n_stages,
                                                  uint64_t *ret, skep_err *err);

struct skep_item_twin_pair {
    skep_row_id row, of;
    unsigned wire, of_wire;
};
/* All twins of an environment, in the order of the rows whose twins they are.  The lock is not held
 * for long.  Owns: the arena.  Returns SKEP_OK | SKEP_ENOMEM (the arena's budget) | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_twins_list(struct skep_state *s, skep_str environment,
                                             struct skep_arena *arena,
                                             struct skep_item_twin_pair **ret, size_t *ret_n,
                                             skep_err *err);

enum { SKEP_ITEM_OTHERS_MAX = 16 };
struct skep_item_other {
    skep_row_id row;
    unsigned wire;
};
/* The other reports of a row's occurrence, in the order in which they came. */
SKEP_NODISCARD skep_rc skep_state_twins_others(struct skep_state *s, skep_row_id row,
                                               struct skep_item_other ret[SKEP_ITEM_OTHERS_MAX],
                                               size_t *ret_n, skep_err *err);
