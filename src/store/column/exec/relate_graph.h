// SPDX-License-Identifier: Apache-2.0
/* Relations between rows as array look-ups: who is whose parent, and what follows from it.
 *
 * Nodes are rows, the nodes of one trace stand together in the order (start, row id): a run.  Nodes
 * outside all runs have no relatives.  Sets of nodes are bitmaps of skep_relate_words(n) words with
 * zeros behind the last node. */
#pragma once

#include "event/event.h"
#include "plan/plan.h"

#define SKEP_RELATE_NONE UINT32_MAX

struct skep_relate_run {
    uint32_t first, end; /* nodes */
    uint32_t root;       /* node, or SKEP_RELATE_NONE */
};

struct skep_relate_graph {
    uint32_t n; /* nodes */
    struct skep_relate_run *runs;
    uint32_t n_runs;
    uint32_t *parent; /* [n]: node, or n where there is none; NULL = not made */
};

/* Room for node n, which is never in a set: "none" needs no test of its own. */
static inline size_t skep_relate_words(uint32_t n)
{
    return (size_t)n / 64 + 1;
}
static inline bool skep_relate_has(const uint64_t *set, uint32_t node)
{
    return set[node / 64] >> (node % 64) & 1;
}
static inline void skep_relate_add(uint64_t *set, uint32_t node)
{
    set[node / 64] |= 1ull << (node % 64);
}

/* Working memory of a graph's longest run: skep_relate_scratch_bytes(longest run). */
struct skep_relate_scratch {
    uint32_t longest;
    uint32_t *slots; /* span id -> node, then stacks and counters */
    uint8_t *states;
};
uint64_t skep_relate_scratch_bytes(uint32_t longest);
void skep_relate_scratch_init(struct skep_relate_scratch *s, uint32_t longest);
void skep_relate_scratch_done(struct skep_relate_scratch *s);
uint32_t skep_relate_longest(const struct skep_relate_graph *g);

/* The run's root: first node of `spans` whose parent id is 0. */
uint32_t skep_relate_root(const struct skep_relate_run *run, const uint64_t *spans,
                          const int64_t *parent_ids);
/* Fill g->parent.  spans: nodes that can be relatives. */
void skep_relate_parents(struct skep_relate_graph *g, const uint64_t *spans,
                         const int64_t *span_ids, const int64_t *parent_ids,
                         struct skep_relate_scratch *s);
/* The same of one run. */
void skep_relate_parents_run(struct skep_relate_graph *g, const struct skep_relate_run *run,
                             const uint64_t *spans, const int64_t *span_ids,
                             const int64_t *parent_ids, struct skep_relate_scratch *s);
/* The same by how far back each parent stands (rowset.h); false when a parent is not among the
 * run's spans: then it takes the ids to be sure. */
bool skep_relate_parents_back(struct skep_relate_graph *g, const struct skep_relate_run *run,
                              const uint64_t *spans, const int32_t *back);
/* Does the relation look at g->parent? */
bool skep_relate_needs_parents(enum skep_relation how);
/* Put into ret, which is empty, the nodes of which some relative is in `set`, a subset of the
 * spans. */
void skep_relate_some(const struct skep_relate_graph *g, enum skep_relation how,
                      const uint64_t *set, struct skep_relate_scratch *s, uint64_t *ret);
/* The first relative in `set` of each node, ret[n], or n: ROOT PARENT CHILD ANY. */
void skep_relate_first(const struct skep_relate_graph *g, enum skep_relation how,
                       const uint64_t *set, uint32_t *ret);
