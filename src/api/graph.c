// SPDX-License-Identifier: Apache-2.0
/* A service graph while it grows: nodes and edges by hash, numbers that add up.
 *
 * I1  nodes and edges stand in the order they were met, which is the order of the answer's groups:
 *     the same question over the same rows gives the same graph.
 *
 * Threads: one.  Memory: the graph's arena; the index is the heap's. */
#include "api/graph.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"

void skep_graph_init(struct skep_graph *g, struct skep_arena *arena)
{
    *g = (struct skep_graph){.arena = arena, .complete = true};
    skep_index_init(&g->index, 64);
}

void skep_graph_done(struct skep_graph *g)
{
    skep_index_done(&g->index);
}

/* Room for one more in an array of the arena. */
static void *grow(struct skep_graph *g, void *items, uint32_t n, uint32_t *cap, size_t size)
{
    if (n < *cap)
        return items;
    uint32_t more = *cap ? *cap * 2 : 16;
    void *fresh = skep_arena_alloc(g->arena, more * size);
    if (n)
        memcpy(fresh, items, n * size);
    *cap = more;
    return fresh;
}

static uint64_t node_hash(const struct skep_xray_node *n)
{
    uint64_t h = skep_hash((skep_bytes){(const uint8_t *)n->name.p, n->name.n});
    h = skep_hash_u64(h ^ skep_hash((skep_bytes){(const uint8_t *)n->type.p, n->type.n}));
    h = skep_hash_u64(h ^ skep_hash((skep_bytes){(const uint8_t *)n->account.p, n->account.n}));
    return h ^ n->client;
}

uint32_t skep_graph__find(const struct skep_graph *g, const struct skep_xray_node *like)
{
    struct skep_index_it it = skep_index_begin(&g->index, node_hash(like));
    for (uint32_t i; (i = skep_index_next(&g->index, &it)) != SKEP_INDEX_NONE;) {
        const struct skep_graph_node *n = i & 1 ? NULL : &g->nodes[i / 2];
        if (n && n->client == like->client && skep_str_eq(n->name, like->name) &&
            skep_str_eq(n->type, like->type) && skep_str_eq(n->account, like->account))
            return i / 2;
    }
    return SKEP_INDEX_NONE;
}

uint32_t skep_graph__node(struct skep_graph *g, const struct skep_xray_node *like)
{
    uint32_t at = skep_graph__find(g, like);
    if (at != SKEP_INDEX_NONE) {
        g->nodes[at].inferred = g->nodes[at].inferred && like->inferred;
        return at;
    }
    g->nodes = grow(g, g->nodes, g->n_nodes, &g->cap_nodes, sizeof *g->nodes);
    g->nodes[g->n_nodes] = (struct skep_graph_node){.name = like->name,
                                                    .other_name = like->other_name,
                                                    .type = like->type,
                                                    .account = like->account,
                                                    .client = like->client,
                                                    .inferred = like->inferred};
    skep_index_add(&g->index, node_hash(like), g->n_nodes * 2);
    return g->n_nodes++;
}

uint32_t skep_graph__busiest(const struct skep_graph *g, skep_str name, uint32_t n)
{
    uint32_t best = SKEP_INDEX_NONE;
    for (uint32_t i = 0; i < n; i++) {
        const struct skep_graph_node *x = &g->nodes[i];
        if (x->client || x->inferred || !skep_str_eq(x->name, name))
            continue;
        if (best == SKEP_INDEX_NONE || x->stats.total > g->nodes[best].stats.total)
            best = i;
    }
    return best;
}

static uint32_t edge(struct skep_graph *g, uint32_t from, uint32_t to, bool link)
{
    uint64_t h = skep_hash_u64(((uint64_t)from << 32 | to) ^ (link ? UINT64_MAX : 0));
    struct skep_index_it it = skep_index_begin(&g->index, h);
    for (uint32_t i; (i = skep_index_next(&g->index, &it)) != SKEP_INDEX_NONE;) {
        const struct skep_graph_edge *e = i & 1 ? &g->edges[i / 2] : NULL;
        if (e && e->from == from && e->to == to && e->link == link)
            return i / 2;
    }
    g->edges = grow(g, g->edges, g->n_edges, &g->cap_edges, sizeof *g->edges);
    g->edges[g->n_edges] = (struct skep_graph_edge){.from = from, .to = to, .link = link};
    skep_index_add(&g->index, h, g->n_edges * 2 + 1);
    return g->n_edges++;
}

uint32_t skep_graph__edge(struct skep_graph *g, uint32_t from, uint32_t to)
{
    return edge(g, from, to, false);
}

uint32_t skep_graph__link_edge(struct skep_graph *g, uint32_t from, uint32_t to)
{
    return edge(g, from, to, true);
}

void skep_graph__keep_link(struct skep_graph *g, struct skep_graph_link link)
{
    if (g->n_links >= SKEP_GRAPH_LINKS)
        return;
    g->links = grow(g, g->links, g->n_links, &g->cap_links, sizeof *g->links);
    g->links[g->n_links++] = link;
}

void skep_graph__bin(struct skep_graph *g, struct skep_graph_stats *s, struct skep_graph_bin bin)
{
    uint32_t at = s->n_bins;
    while (at > 0 && s->bins[at - 1].lo >= bin.lo)
        at--;
    for (uint32_t i = at; i < s->n_bins && s->bins[i].lo == bin.lo; i++)
        if (s->bins[i].hi == bin.hi) {
            s->bins[i].count += bin.count;
            return;
        }
    s->bins = grow(g, s->bins, s->n_bins, &s->cap_bins, sizeof *s->bins);
    memmove(&s->bins[at + 1], &s->bins[at], (s->n_bins - at) * sizeof *s->bins);
    s->bins[at] = bin;
    s->n_bins++;
}

void skep_graph_coarsen(struct skep_graph_stats *s, uint32_t most)
{
    skep_assert(most > 0);
    while (s->n_bins > most) {
        uint32_t n = 0;
        for (uint32_t i = 0; i < s->n_bins; i += 2) {
            struct skep_graph_bin b = s->bins[i];
            if (i + 1 < s->n_bins) {
                b.hi = SKEP_MAX(b.hi, s->bins[i + 1].hi);
                b.count += s->bins[i + 1].count;
            }
            s->bins[n++] = b;
        }
        s->n_bins = n;
    }
}

void skep_graph__add(struct skep_graph *g, struct skep_graph_stats *to,
                     const struct skep_graph_stats *from)
{
    to->total += from->total;
    to->fault += from->fault;
    to->throttle += from->throttle;
    to->error += from->error;
    to->sum_ms += from->sum_ms;
    for (uint32_t i = 0; i < from->n_bins; i++)
        skep_graph__bin(g, to, from->bins[i]);
}

void skep_graph__add_series(struct skep_graph *g, struct skep_graph_stats **to,
                            const struct skep_graph_stats *from)
{
    if (!from || g->n_buckets == 0)
        return;
    if (!*to)
        *to = skep_new_n(g->arena, struct skep_graph_stats, g->n_buckets);
    for (unsigned i = 0; i < g->n_buckets; i++)
        skep_graph__add(g, &(*to)[i], &from[i]);
}
