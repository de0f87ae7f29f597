// SPDX-License-Identifier: Apache-2.0
/* A trace as a tree: rows in any order -> nodes, parents before children.
 *
 *   1  spans by id (the first by time wins where an id is repeated)
 *   2  parent of each row; unknown parents and cycles become roots
 *   3  children of each node, by start then id
 *   4  walk, with an explicit stack
 *
 * I1  every row becomes exactly one node, whatever the ids say: a cycle is cut at its earliest row.
 * I2  no recursion: a trace of a million nested spans is as safe as a flat one.
 *
 * Threads: any.  Memory: the arena given. */

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "query/query.h"

#include <stdlib.h>

#define NONE UINT32_MAX

struct tree {
    const struct skep_rows *rows;
    uint32_t *order;              /* row indexes by (time, id) */
    uint32_t *parent;             /* by row; NONE = root */
    bool *missing;                /* by row */
    uint32_t *first_child, *next; /* lists by row, in order */
};

static int by_time(const void *a, const void *b, void *arg)
{
    const struct skep_rows *rows = arg;
    const struct skep_row *x = &rows->rows[*(const uint32_t *)a];
    const struct skep_row *y = &rows->rows[*(const uint32_t *)b];
    if (x->time_ns != y->time_ns)
        return x->time_ns < y->time_ns ? -1 : 1;
    if (x->id.seq != y->id.seq)
        return x->id.seq < y->id.seq ? -1 : 1;
    return x->id.ordinal < y->id.ordinal ? -1 : x->id.ordinal > y->id.ordinal;
}

static uint32_t find_span(const struct skep_rows *rows, const struct skep_index *ix, uint64_t id)
{
    struct skep_index_it it = skep_index_begin(ix, skep_hash_u64(id));
    uint32_t i;
    while ((i = skep_index_next(ix, &it)) != SKEP_INDEX_NONE)
        if (rows->rows[i].span_id == id)
            return i;
    return NONE;
}

static void find_parents(struct tree *t, struct skep_arena *arena)
{
    const struct skep_rows *rows = t->rows;
    struct skep_index ix;
    skep_index_init(&ix, rows->n);
    for (size_t k = 0; k < rows->n; k++) {
        uint32_t i = t->order[k];
        const struct skep_row *r = &rows->rows[i];
        if (r->kind == SKEP_KIND_SPAN && r->span_id != 0 &&
            find_span(rows, &ix, r->span_id) == NONE)
            skep_index_add(&ix, skep_hash_u64(r->span_id), i);
    }
    t->parent = skep_new_n(arena, uint32_t, rows->n + 1);
    t->missing = skep_new_n(arena, bool, rows->n + 1);
    for (size_t i = 0; i < rows->n; i++) {
        uint64_t id = rows->rows[i].parent_id;
        uint32_t p = id ? find_span(rows, &ix, id) : NONE;
        t->missing[i] = id != 0 && p == NONE;
        t->parent[i] = p == (uint32_t)i ? NONE : p;
    }
    skep_index_done(&ix);
}

/* Cut every cycle at the row that comes first in time. */
static void cut_cycles(struct tree *t, struct skep_arena *arena)
{
    size_t n = t->rows->n;
    uint32_t *stamp = skep_new_n(arena, uint32_t, n + 1); /* walk that saw the row; 0 = none */
    for (size_t k = 0; k < n; k++) {
        /* Walks start in order of time, so the first row of a cycle that a walk starts from is its
         * earliest; walks from outside reach a cycle only after its own rows if those are earlier.
         */
        uint32_t walk = (uint32_t)k + 1, at = t->order[k];
        while (at != NONE && stamp[at] == 0) {
            stamp[at] = walk;
            at = t->parent[at];
        }
        if (at == NONE || stamp[at] != walk)
            continue;
        uint32_t first = at;
        for (uint32_t i = t->parent[at]; i != at; i = t->parent[i])
            if (by_time(&i, &first, (void *)(uintptr_t)t->rows) < 0)
                first = i;
        t->parent[first] = NONE;
    }
}

static void link_children(struct tree *t, struct skep_arena *arena)
{
    size_t n = t->rows->n;
    t->first_child = skep_new_n(arena, uint32_t, n + 1);
    t->next = skep_new_n(arena, uint32_t, n + 1);
    memset(t->first_child, 0xff, (n + 1) * sizeof *t->first_child);
    memset(t->next, 0xff, (n + 1) * sizeof *t->next);
    for (size_t k = n; k-- > 0;) { /* from the last one, pushing in front */
        uint32_t i = t->order[k];
        uint32_t p = t->parent[i] == NONE ? (uint32_t)n : t->parent[i];
        t->next[i] = t->first_child[p];
        t->first_child[p] = i;
    }
}

static void walk(const struct tree *t, struct skep_arena *arena, struct skep_trace_tree *ret)
{
    size_t n = t->rows->n;
    int32_t *node_of = skep_new_n(arena, int32_t, n + 1);
    uint32_t at = t->first_child[n];
    while (at != NONE) {
        struct skep_trace_node *node = &ret->nodes[ret->n];
        uint32_t parent = t->parent[at];
        *node = (struct skep_trace_node){.row = &t->rows->rows[at],
                                         .parent = parent == NONE ? -1 : node_of[parent],
                                         .missing_parent = t->missing[at]};
        if (node->parent >= 0)
            node->depth = ret->nodes[node->parent].depth + 1;
        node_of[at] = (int32_t)ret->n++;
        if (t->first_child[at] != NONE) {
            at = t->first_child[at];
            continue;
        }
        while (at != NONE && t->next[at] == NONE)
            at = t->parent[at];
        if (at != NONE)
            at = t->next[at];
    }
    skep_assert(ret->n == n);
}

void skep_query_trace_tree(const struct skep_rows *rows, struct skep_arena *arena,
                           struct skep_trace_tree *ret)
{
    skep_assert(rows->n < INT32_MAX);
    *ret = (struct skep_trace_tree){0};
    if (rows->n == 0)
        return;
    struct tree t = {.rows = rows};
    t.order = skep_new_n(arena, uint32_t, rows->n);
    for (size_t i = 0; i < rows->n; i++)
        t.order[i] = (uint32_t)i;
    qsort_r(t.order, rows->n, sizeof *t.order, by_time, (void *)(uintptr_t)rows);
    find_parents(&t, arena);
    cut_cycles(&t, arena);
    link_children(&t, arena);
    ret->nodes = skep_new_n(arena, struct skep_trace_node, rows->n);
    walk(&t, arena, ret);
    ret->start_ns = rows->rows[t.order[0]].time_ns;
    ret->end_ns = ret->start_ns;
    for (size_t i = 0; i < rows->n; i++) {
        const struct skep_row *r = &rows->rows[i];
        int64_t end = r->time_ns;
        if (r->duration_ns > 0 && SKEP_ADD_OVERFLOW(r->time_ns, r->duration_ns, &end))
            end = INT64_MAX;
        ret->end_ns = SKEP_MAX(ret->end_ns, end);
        ret->missing_parents += t.missing[i];
    }
}
