// SPDX-License-Identifier: Apache-2.0
/* Traces that stand in several rowsets: where.  Internal to store/column. */
#pragma once

#include "base/budget.h"
#include "store/column/rowset.h"

/* Where a trace begins in a clustered rowset. */
struct skep_cut_place {
    uint32_t set;   /* of the snapshot */
    uint32_t group; /* places of one fingerprint have the same */
    uint64_t row;
};
#define SKEP_CUT_LOOSE UINT32_MAX /* group of all places skep_cuts_of finds */

struct skep_cut_places {
    struct skep_cut_place *p;
    size_t n, cap;
    uint32_t n_groups;
    struct skep_budget *budget; /* NULL = unbounded */
};

/* What skep_cuts_among found for one list of segments, when it is not much: kept from question to
 * question.  Threads: any. */
struct skep_cut_cache *skep_cut_cache_new(void);
struct skep_cut_cache *skep_cut_cache_ref(struct skep_cut_cache *c);
void skep_cut_cache_unref(struct skep_cut_cache *c); /* NULL is fine */

/* Into empty places: those of all traces whose fingerprint stands in more than one clustered rowset
 * of the snapshot: a few may be of whole traces (fingerprints collide), none is missing. Returns
 * SKEP_OK | ENOMEM | ECORRUPT | EIO (of an index). */
SKEP_NODISCARD skep_rc skep_cuts_among(const struct skep_snapshot *snap,
                                       struct skep_cut_places *places, skep_err *err);
/* Places in one clustered rowset of traces with one of the fingerprints (ascending). */
SKEP_NODISCARD skep_rc skep_cuts_of(const struct skep_snapshot *snap, uint32_t set,
                                    const uint64_t *fingerprints, size_t n,
                                    struct skep_cut_places *places, skep_err *err);
/* In the order of (set, row); a place found by both ways stands twice. */
void skep_cuts_sort(struct skep_cut_places *places);
void skep_cuts_done(struct skep_cut_places *places);
