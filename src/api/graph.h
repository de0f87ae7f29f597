// SPDX-License-Identifier: Apache-2.0
/* The service graph: who calls whom, how often, how slow, how it ends.
 *
 *   spans of every wire --- one aggregate over the rows ------> graph     (graph_ask.c)
 *   assembled traces ------ one by one -----------------------> the same  (graph_traces.c)
 *
 * A node is a service (its numbers are those of its segments: where a request comes in), a client
 * (whoever calls a service that nothing called) or, inferred, what is called and reports nothing
 * (numbers of the calls).  An edge has the caller's numbers where the caller measured the call
 * (client and producer spans, X-Ray's subsegments), else the called segment's.
 *
 * A request is in one of four buckets: fault before throttle before error before ok.
 *
 * Memory: the arena given; all of it is bounded by the groups of an answer
 * (SKEP_LIMIT_PLAN_RESULT_GROUPS). */
#pragma once

#include "api/api_priv.h"
#include "api/xray_model.h"

/* Requests of lo <= milliseconds <= hi.  Lists are ascending and do not overlap. */
struct skep_graph_bin {
    double lo, hi;
    uint64_t count;
};

struct skep_graph_stats {
    uint64_t total, fault, throttle, error; /* error: without throttles; ok is the rest */
    double sum_ms;
    struct skep_graph_bin *bins;
    uint32_t n_bins, cap_bins;
};

enum { SKEP_GRAPH_SAYS = 3 };

struct skep_graph_node {
    skep_str name, other_name; /* other: as its calls say it, "" = the same */
    skep_str type, account;    /* "" = unknown */
    bool client, inferred, root;
    /* Fields of the calls to an inferred node that say it is this one; of graphs from rows. */
    struct skep_row_field says[SKEP_GRAPH_SAYS];
    unsigned n_says;
    struct skep_graph_stats stats;   /* of a client: none */
    struct skep_graph_stats *series; /* [n_buckets]; NULL = none */
};

struct skep_graph_edge {
    uint32_t from, to; /* nodes */
    bool link; /* not a call: what `to` does goes on from what `from` did; the bins are ages */
    struct skep_graph_stats stats;
    struct skep_graph_stats *series;
};

/* A link that is to become an edge. */
struct skep_graph_link {
    uint32_t to; /* the consumer's node */
    skep_ts_ns start_ns;
    skep_trace_id in;       /* the consumer's trace */
    skep_trace_id trace_id; /* the producer's */
    uint64_t span_id;
};

struct skep_graph {
    struct skep_arena *arena;
    struct skep_graph_node *nodes;
    uint32_t n_nodes, cap_nodes;
    struct skep_graph_edge *edges;
    uint32_t n_edges, cap_edges;
    struct skep_graph_link
        *links; /* of traces that were added; graph_links.c makes edges of them */
    uint32_t n_links, cap_links;
    struct skep_index index; /* nodes by name, type, account; edges by their ends */
    unsigned n_buckets;
    const skep_ts_ns *bucket_starts;
    uint64_t rows_examined;
    bool complete, estimated, cut; /* cut: more groups than an answer has */
    skep_str missing;
};

struct skep_graph_ask {
    struct skep_time_range range;        /* of the segments and of the calls */
    const struct skep_expr *filter;      /* of the rows; NULL = all */
    const struct skep_xray_twice *twice; /* none in it: no row is X-Ray's */
    bool once;                           /* opts->also leaves out what was reported twice */
    bool weighted;                       /* by sample rates */
    int64_t granularity_ns;              /* 0 = no series */
};

/* An empty graph in the arena.  Owns: skep_graph_done frees the index.  Threads: one owner. */
void skep_graph_init(struct skep_graph *g, struct skep_arena *arena);
/* See skep_graph_init. */
void skep_graph_done(struct skep_graph *g);

/* --- graph.c --- */

/* The node, made if it is new.  `like` lends its texts, which must live in the arena. */
uint32_t skep_graph__node(struct skep_graph *g, const struct skep_xray_node *like);
uint32_t skep_graph__edge(struct skep_graph *g, uint32_t from, uint32_t to);
/* The same of links, which are edges of their own. */
uint32_t skep_graph__link_edge(struct skep_graph *g, uint32_t from, uint32_t to);
/* The node that is like it, SKEP_INDEX_NONE: there is none. */
uint32_t skep_graph__find(const struct skep_graph *g, const struct skep_xray_node *like);
/* The busiest service of that name, SKEP_INDEX_NONE: none; of the first n nodes. */
uint32_t skep_graph__busiest(const struct skep_graph *g, skep_str name, uint32_t n);
/* Keep a link for later, no more than SKEP_GRAPH_LINKS of them. */
void skep_graph__keep_link(struct skep_graph *g, struct skep_graph_link link);
enum { SKEP_GRAPH_LINKS = 500 };
void skep_graph__add(struct skep_graph *g, struct skep_graph_stats *to,
                     const struct skep_graph_stats *from);
/* Add to a node's or an edge's series, made when it is not there. */
void skep_graph__add_series(struct skep_graph *g, struct skep_graph_stats **to,
                            const struct skep_graph_stats *from);
void skep_graph__bin(struct skep_graph *g, struct skep_graph_stats *s, struct skep_graph_bin bin);
/* Neighbours joined until there are at most `most`. */
void skep_graph_coarsen(struct skep_graph_stats *s, uint32_t most);
static inline uint64_t skep_graph_ok(const struct skep_graph_stats *s)
{
    return s->total - s->fault - s->throttle - s->error;
}

/* The services that report by X-Ray in the range: what they report by other wires as well is not
 * looked at (design, "One request, two tracers").  Blocks; names in opts->arena. */
SKEP_NODISCARD skep_rc skep_graph_twice(struct skep_store *store, const struct skep_run_opts *opts,
                                        struct skep_time_range range, struct skep_xray_twice *ret,
                                        skep_err *err);
/* Draw the graph of a range.  Blocks.
 * Returns as skep_query_aggregate. */
SKEP_NODISCARD skep_rc skep_graph_run(struct skep_store *store, const struct skep_run_opts *opts,
                                      const struct skep_graph_ask *ask, struct skep_graph *g,
                                      skep_err *err);
/* Make edges of links to spans of an assembled trace whose nodes are in the graph. */
void skep_graph_add_links(struct skep_graph *g, const struct skep_xray_trace *t,
                          const struct skep_graph_link *links, uint32_t n);
/* Add an assembled trace: the segments and calls that began in the range. */
void skep_graph_add_trace(struct skep_graph *g, const struct skep_xray_trace *t,
                          struct skep_time_range range);
