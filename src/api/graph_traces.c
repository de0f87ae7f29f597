// SPDX-License-Identifier: Apache-2.0
/* Assembled traces added to a service graph.
 *
 * Threads: one.  Memory: the graph's arena, which keeps no text of the trace's. */
#include "api/graph.h"

#include <math.h>

enum { KIND_CLIENT = 3, KIND_PRODUCER };
enum { EXACT = 100 };

/* What one request adds.  The first hundred durations are kept as they are, the rest in sixteenths
 * of a power of two. */
static void one(struct skep_graph *g, struct skep_graph_stats *to, const struct skep_xray_seg *s)
{
    double ms = (double)(s->end_ns - s->start_ns) / 1e6;
    struct skep_graph_bin bin = {ms, ms, 1};
    to->total++;
    to->fault += s->fault;
    to->throttle += !s->fault && s->throttle;
    to->error += !s->fault && !s->throttle && s->error;
    to->sum_ms += ms;
    if (to->n_bins >= EXACT) {
        int power;
        (void)frexp(ms, &power);
        double unit = ldexp(1, power - 5);
        bin.lo = floor(ms / unit) * unit;
        bin.hi = bin.lo + unit;
    }
    skep_graph__bin(g, to, bin);
}

/* The same for the time step that the request began in. */
static void put(struct skep_graph *g, struct skep_graph_stats *to, struct skep_graph_stats **series,
                const struct skep_xray_seg *s, skep_ts_ns at)
{
    unsigned step = g->n_buckets;
    one(g, to, s);
    while (step > 0 && g->bucket_starts[step - 1] > at)
        step--;
    if (step == 0)
        return;
    if (!*series)
        *series = skep_new_n(g->arena, struct skep_graph_stats, g->n_buckets);
    one(g, &(*series)[step - 1], s);
}

static uint32_t node_of(struct skep_graph *g, const struct skep_xray_node *n)
{
    struct skep_xray_node kept = *n;
    kept.name = skep_arena_str(g->arena, n->name);
    kept.other_name = skep_arena_str(g->arena, n->other_name);
    kept.type = skep_arena_str(g->arena, n->type);
    kept.account = skep_arena_str(g->arena, n->account);
    return skep_graph__node(g, &kept);
}

/* Whose numbers an edge has: a span inside a service measures more than the call. */
static const struct skep_xray_seg *numbers(const struct skep_xray_trace *t,
                                           const struct skep_xray_edge *e)
{
    const struct skep_xray_seg *call = &t->segs[e->call];
    uint8_t kind = call->row->span_kind;
    bool measured =
        call->row->source == SKEP_SOURCE_XRAY || kind == KIND_CLIENT || kind == KIND_PRODUCER;
    return measured ? call : &t->segs[e->target];
}

/* The span a link goes on from: its segment, or who it calls where that is inferred. */
static int32_t producer(const struct skep_xray_trace *t, uint64_t span_id)
{
    for (int32_t i = 0; i < t->n; i++) {
        const struct skep_xray_seg *s = &t->segs[i];
        if (s->part == SKEP_XRAY_INFERRED || s->made || s->row->span_id != span_id)
            continue;
        for (int32_t c = s->first_child; c >= 0; c = t->segs[c].next)
            if (t->segs[c].part == SKEP_XRAY_INFERRED)
                return c;
        return i;
    }
    return -1;
}

void skep_graph_add_links(struct skep_graph *g, const struct skep_xray_trace *t,
                          const struct skep_graph_link *links, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        int32_t at = producer(t, links[i].span_id);
        int32_t node = at < 0 || t->segs[at].owner < 0 ? -1 : t->segs[t->segs[at].owner].node;
        uint32_t from = node < 0 ? SKEP_INDEX_NONE : skep_graph__find(g, &t->nodes[node]);
        if (from == SKEP_INDEX_NONE) /* not in this graph */
            continue;
        int64_t age_ns = SKEP_MAX(links[i].start_ns - t->segs[at].end_ns, INT64_C(0));
        double ms = (double)age_ns / 1e6;
        struct skep_graph_stats *s = &g->edges[skep_graph__link_edge(g, from, links[i].to)].stats;
        s->total++;
        skep_graph__bin(g, s, (struct skep_graph_bin){ms, ms, 1});
    }
}

void skep_graph_add_trace(struct skep_graph *g, const struct skep_xray_trace *t,
                          struct skep_time_range range)
{
    for (int32_t i = 0; i < t->n; i++) {
        const struct skep_xray_seg *s = &t->segs[i];
        if (s->node < 0 || s->in_progress || s->start_ns < range.start_ns ||
            s->start_ns >= range.end_ns)
            continue;
        uint32_t at = node_of(g, &t->nodes[s->node]); /* may move the nodes */
        struct skep_graph_node *n = &g->nodes[at];
        put(g, &n->stats, &n->series, s, s->start_ns);
    }
    for (int32_t i = 0; i < t->n_edges; i++) {
        const struct skep_xray_edge *e = &t->edges[i];
        const struct skep_xray_seg *target = &t->segs[e->target];
        if (target->in_progress || target->start_ns < range.start_ns ||
            target->start_ns >= range.end_ns)
            continue;
        uint32_t to = node_of(g, &t->nodes[e->to]), from = node_of(g, &t->nodes[e->from]);
        if (g->nodes[from].client)
            g->nodes[to].root = true;
        uint32_t at = skep_graph__edge(g, from, to);
        struct skep_graph_edge *edge = &g->edges[at];
        put(g, &edge->stats, &edge->series, numbers(t, e), target->start_ns);
    }
    for (int32_t i = 0; i < t->n_links; i++) {
        const struct skep_xray_link *l = &t->links[i];
        const struct skep_xray_seg *s = &t->segs[l->seg];
        if (s->owner < 0 || s->start_ns < range.start_ns || s->start_ns >= range.end_ns)
            continue;
        uint32_t at = node_of(g, &t->nodes[t->segs[s->owner].node]);
        skep_graph__keep_link(
            g, (struct skep_graph_link){at, s->start_ns, t->id, l->trace_id, l->span_id});
    }
}
