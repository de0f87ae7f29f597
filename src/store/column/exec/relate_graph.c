// SPDX-License-Identifier: Apache-2.0
/* Relations over the runs of a graph; each is one pass over the nodes.
 *
 * ANCESTOR and DESCENDANT carry what is above down, what is below up.  Where every parent stands
 * before its children, which the order by start nearly always gives, that is one loop forwards or
 * backwards.  Else:
 *
 *   ANCESTOR    from each unknown node up until something known, then back down the path.  Meeting
 *               the path again closes a cycle: its nodes have all of it but themselves above them
 *   DESCENDANT  from each member up, marking, until a marked node.  A cycle is marked whole by who
 *               enters it from outside, without itself by who stands on it
 *
 * I1  every node has at most one parent, so a component has at most one cycle.
 * I2  work is linear in the nodes: a cycle is walked around at most three times.
 *
 * Threads: a graph belongs to one.  Memory: the caller's; scratch for the longest run. */
#include "store/column/exec/relate_graph.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/column/rowset.h"

enum { SMALL_RUN = 8 };

static uint32_t slots_for(uint32_t longest)
{
    uint32_t cap = 16;
    while (cap < 2 * (uint64_t)longest && cap < 1u << 31)
        cap *= 2;
    return cap;
}

uint64_t skep_relate_scratch_bytes(uint32_t longest)
{
    return (uint64_t)slots_for(longest) * sizeof(uint32_t) + longest;
}

void skep_relate_scratch_init(struct skep_relate_scratch *s, uint32_t longest)
{
    s->longest = longest;
    s->slots = skep_malloc((size_t)slots_for(longest) * sizeof *s->slots);
    s->states = skep_malloc(longest);
}

void skep_relate_scratch_done(struct skep_relate_scratch *s)
{
    skep_free(s->slots);
    skep_free(s->states);
    *s = (struct skep_relate_scratch){0};
}

uint32_t skep_relate_longest(const struct skep_relate_graph *g)
{
    uint32_t longest = 0;
    for (uint32_t i = 0; i < g->n_runs; i++)
        longest = SKEP_MAX(longest, g->runs[i].end - g->runs[i].first);
    return longest;
}

uint32_t skep_relate_root(const struct skep_relate_run *run, const uint64_t *spans,
                          const int64_t *parent_ids)
{
    for (uint32_t i = run->first; i < run->end; i++)
        if (parent_ids[i] == 0 && skep_relate_has(spans, i))
            return i;
    return SKEP_RELATE_NONE;
}

/* The first of few nodes with the id; `none` if there is none. */
static uint32_t find_few(const struct skep_relate_run *run, const uint64_t *spans,
                         const int64_t *span_ids, int64_t id, uint32_t none)
{
    for (uint32_t i = run->first; i < run->end; i++)
        if (span_ids[i] == id && skep_relate_has(spans, i))
            return i;
    return none;
}

static void parents_of_few(struct skep_relate_graph *g, const struct skep_relate_run *run,
                           const uint64_t *spans, const int64_t *span_ids,
                           const int64_t *parent_ids)
{
    for (uint32_t i = run->first; i < run->end; i++) {
        uint32_t p = parent_ids[i] ? find_few(run, spans, span_ids, parent_ids[i], g->n) : g->n;
        g->parent[i] = p == i ? g->n : p;
    }
}

static void parents_of_many(struct skep_relate_graph *g, const struct skep_relate_run *run,
                            const uint64_t *spans, const int64_t *span_ids,
                            const int64_t *parent_ids, struct skep_relate_scratch *s)
{
    uint32_t mask = slots_for(run->end - run->first) - 1;
    memset(s->slots, 0, ((size_t)mask + 1) * sizeof *s->slots);
    for (uint32_t i = run->first; i < run->end; i++) {
        if (span_ids[i] == 0 || !skep_relate_has(spans, i))
            continue;
        uint32_t at = (uint32_t)skep_hash_u64((uint64_t)span_ids[i]) & mask;
        while (s->slots[at] && span_ids[s->slots[at] - 1] != span_ids[i])
            at = (at + 1) & mask;
        if (!s->slots[at]) /* of several the first */
            s->slots[at] = i + 1;
    }
    int64_t last_id = 0;
    uint32_t last = g->n;
    for (uint32_t i = run->first; i < run->end; i++) {
        int64_t id = parent_ids[i];
        if (id != last_id) {
            uint32_t at = (uint32_t)skep_hash_u64((uint64_t)id) & mask;
            while (s->slots[at] && span_ids[s->slots[at] - 1] != id)
                at = (at + 1) & mask;
            last = s->slots[at] && id ? s->slots[at] - 1 : g->n;
            last_id = id;
        }
        g->parent[i] = last == i ? g->n : last;
    }
}

void skep_relate_parents_run(struct skep_relate_graph *g, const struct skep_relate_run *run,
                             const uint64_t *spans, const int64_t *span_ids,
                             const int64_t *parent_ids, struct skep_relate_scratch *s)
{
    if (run->end - run->first <= SMALL_RUN)
        parents_of_few(g, run, spans, span_ids, parent_ids);
    else
        parents_of_many(g, run, spans, span_ids, parent_ids, s);
}

bool skep_relate_parents_back(struct skep_relate_graph *g, const struct skep_relate_run *run,
                              const uint64_t *spans, const int32_t *back)
{
    uint32_t first = run->first, len = run->end - first, unsure = 0;
    for (uint32_t i = first; i < run->end; i++) {
        uint32_t p = i - (uint32_t)back[i]; /* not in the run, when there is none */
        bool named = back[i] != SKEP_BACK_NONE && back[i] != SKEP_BACK_ELSEWHERE;
        bool in = p - first < len;
        bool there = in && skep_relate_has(spans, in ? p : first);
        unsure |= (uint32_t)(there != named);
        g->parent[i] = there && p != i ? p : g->n;
    }
    return !unsure;
}

void skep_relate_parents(struct skep_relate_graph *g, const uint64_t *spans,
                         const int64_t *span_ids, const int64_t *parent_ids,
                         struct skep_relate_scratch *s)
{
    uint32_t at = 0;
    for (uint32_t r = 0; r < g->n_runs; r++) {
        const struct skep_relate_run *run = &g->runs[r];
        skep_assert(run->first >= at && run->end > run->first && run->end <= g->n);
        skep_assert(run->end - run->first <= s->longest);
        while (at < run->first)
            g->parent[at++] = g->n;
        skep_relate_parents_run(g, run, spans, span_ids, parent_ids, s);
        at = run->end;
    }
    while (at < g->n)
        g->parent[at++] = g->n;
}

bool skep_relate_needs_parents(enum skep_relation how)
{
    return how != SKEP_REL_ROOT && how != SKEP_REL_ANY;
}

/* ---- some ------------------------------------------------------------------------------- */

static void add_range(uint64_t *set, uint32_t first, uint32_t end)
{
    for (uint32_t w = first / 64; first < end; w++, first = w * 64) {
        uint64_t bits = UINT64_MAX << (first % 64);
        if (end - w * 64 < 64)
            bits &= (1ull << (end % 64)) - 1;
        set[w] |= bits;
    }
}

static bool any_in(const uint64_t *set, uint32_t first, uint32_t end)
{
    for (uint32_t w = first / 64; first < end; w++, first = w * 64) {
        uint64_t bits = set[w] & UINT64_MAX << (first % 64);
        if (end - w * 64 < 64)
            bits &= (1ull << (end % 64)) - 1;
        if (bits)
            return true;
    }
    return false;
}

static void some_siblings(const struct skep_relate_graph *g, const struct skep_relate_run *run,
                          const uint64_t *set, struct skep_relate_scratch *s, uint64_t *ret)
{
    uint32_t *kids = s->slots; /* in the set, by parent */
    memset(kids, 0, (size_t)(run->end - run->first) * sizeof *kids);
    for (uint32_t i = run->first; i < run->end; i++)
        if (g->parent[i] != g->n && skep_relate_has(set, i))
            kids[g->parent[i] - run->first]++;
    for (uint32_t i = run->first; i < run->end; i++)
        if (g->parent[i] != g->n &&
            kids[g->parent[i] - run->first] > (uint32_t)skep_relate_has(set, i))
            skep_relate_add(ret, i);
}

/* Does every parent stand before its children? */
static bool parents_first(const struct skep_relate_graph *g, const struct skep_relate_run *run)
{
    uint32_t later = 0;
    for (uint32_t i = run->first; i < run->end; i++)
        later |= (uint32_t)(g->parent[i] > i) & (uint32_t)(g->parent[i] != g->n);
    return !later;
}

enum { UNKNOWN, ON_PATH, KNOWN };

/* Nodes path[from..n) are a cycle. */
static void close_cycle(const struct skep_relate_run *run, const uint32_t *path, uint32_t from,
                        uint32_t n, const uint64_t *set, uint8_t *states, uint64_t *ret)
{
    uint32_t members = 0;
    for (uint32_t k = from; k < n; k++)
        members += skep_relate_has(set, path[k]);
    for (uint32_t k = from; k < n; k++) {
        states[path[k] - run->first] = KNOWN;
        if (members > (uint32_t)skep_relate_has(set, path[k]))
            skep_relate_add(ret, path[k]);
    }
}

static void ancestors_anyhow(const struct skep_relate_graph *g, const struct skep_relate_run *run,
                             const uint64_t *set, struct skep_relate_scratch *s, uint64_t *ret)
{
    uint32_t *path = s->slots;
    memset(s->states, UNKNOWN, run->end - run->first);
    for (uint32_t i = run->first; i < run->end; i++) {
        uint32_t n = 0, at = i;
        while (at != g->n && s->states[at - run->first] == UNKNOWN) {
            s->states[at - run->first] = ON_PATH;
            path[n++] = at;
            at = g->parent[at];
        }
        if (at != g->n && s->states[at - run->first] == ON_PATH) {
            uint32_t from = n;
            while (path[from - 1] != at)
                from--;
            close_cycle(run, path, from - 1, n, set, s->states, ret);
            n = from - 1;
        }
        while (n-- > 0) {
            uint32_t p = g->parent[path[n]];
            if (skep_relate_has(set, p) || skep_relate_has(ret, p))
                skep_relate_add(ret, path[n]);
            s->states[path[n] - run->first] = KNOWN;
        }
    }
}

static void some_ancestors(const struct skep_relate_graph *g, const struct skep_relate_run *run,
                           const uint64_t *set, struct skep_relate_scratch *s, uint64_t *ret)
{
    if (!parents_first(g, run)) {
        ancestors_anyhow(g, run, set, s, ret);
        return;
    }
    for (uint32_t i = run->first; i < run->end; i++) {
        uint32_t p = g->parent[i];
        if (skep_relate_has(set, p) || skep_relate_has(ret, p))
            skep_relate_add(ret, i);
    }
}

enum { OFF_CYCLE, SEEN, ON_CYCLE, WHOLE_CYCLE };

/* states: which nodes are on a cycle. */
static void find_cycles(const struct skep_relate_graph *g, const struct skep_relate_run *run,
                        struct skep_relate_scratch *s)
{
    /* A node's visit is numbered by the walk that came there first. */
    uint32_t *walk = s->slots;
    memset(walk, 0, (size_t)(run->end - run->first) * sizeof *walk);
    memset(s->states, OFF_CYCLE, run->end - run->first);
    for (uint32_t i = run->first; i < run->end; i++) {
        uint32_t number = i - run->first + 1, at = i;
        while (at != g->n && walk[at - run->first] == 0) {
            walk[at - run->first] = number;
            at = g->parent[at];
        }
        if (at == g->n || walk[at - run->first] != number)
            continue;
        for (uint32_t k = at; s->states[k - run->first] != ON_CYCLE; k = g->parent[k])
            s->states[k - run->first] = ON_CYCLE;
    }
}

/* Mark the cycle `at` stands on, but for the node `not`; the second time nothing is left out. */
static void mark_cycle(const struct skep_relate_graph *g, const struct skep_relate_run *run,
                       uint32_t at, uint32_t not, uint8_t *states, uint64_t *ret)
{
    if (states[at - run->first] == WHOLE_CYCLE)
        return;
    bool whole = not == g->n || skep_relate_has(ret, not );
    uint32_t k = at;
    do {
        if (k != not )
            skep_relate_add(ret, k);
        if (whole)
            states[k - run->first] = WHOLE_CYCLE;
        k = g->parent[k];
    } while (k != at);
}

static void descendants_anyhow(const struct skep_relate_graph *g, const struct skep_relate_run *run,
                               const uint64_t *set, struct skep_relate_scratch *s, uint64_t *ret)
{
    find_cycles(g, run, s);
    for (uint32_t i = run->first; i < run->end; i++) {
        if (!skep_relate_has(set, i))
            continue;
        uint32_t at = i;
        if (s->states[i - run->first] < ON_CYCLE) {
            at = g->parent[i];
            while (at != g->n && s->states[at - run->first] < ON_CYCLE &&
                   !skep_relate_has(ret, at)) {
                skep_relate_add(ret, at);
                at = g->parent[at];
            }
            if (at != g->n && s->states[at - run->first] >= ON_CYCLE)
                mark_cycle(g, run, at, g->n, s->states, ret);
        } else {
            mark_cycle(g, run, at, i, s->states, ret);
        }
    }
}

static void some_descendants(const struct skep_relate_graph *g, const struct skep_relate_run *run,
                             const uint64_t *set, struct skep_relate_scratch *s, uint64_t *ret)
{
    if (!parents_first(g, run)) {
        descendants_anyhow(g, run, set, s, ret);
        return;
    }
    for (uint32_t i = run->end; i-- > run->first;)
        if (g->parent[i] != g->n && (skep_relate_has(set, i) || skep_relate_has(ret, i)))
            skep_relate_add(ret, g->parent[i]);
}

/* Nodes outside the runs have no parents. */
static void some_parents(const struct skep_relate_graph *g, const uint64_t *set, uint64_t *ret)
{
    for (uint32_t i = 0; i < g->n; i++)
        ret[i / 64] |= (uint64_t)skep_relate_has(set, g->parent[i]) << (i % 64);
}

static void some_children(const struct skep_relate_graph *g, const uint64_t *set, uint64_t *ret)
{
    for (size_t w = 0; w < skep_relate_words(g->n); w++)
        for (uint64_t rest = set[w]; rest; rest &= rest - 1)
            skep_relate_add(ret, g->parent[w * 64 + SKEP_CTZ64(rest)]);
    ret[g->n / 64] &= ~(1ull << (g->n % 64)); /* of those without a parent */
}

void skep_relate_some(const struct skep_relate_graph *g, enum skep_relation how,
                      const uint64_t *set, struct skep_relate_scratch *s, uint64_t *ret)
{
    skep_assert(!skep_relate_needs_parents(how) || g->parent != NULL);
    if (how == SKEP_REL_PARENT)
        some_parents(g, set, ret);
    else if (how == SKEP_REL_CHILD)
        some_children(g, set, ret);
    if (how == SKEP_REL_PARENT || how == SKEP_REL_CHILD)
        return;
    for (uint32_t r = 0; r < g->n_runs; r++) {
        const struct skep_relate_run *run = &g->runs[r];
        bool whole = false;
        switch (how) {
        case SKEP_REL_ROOT:
            whole = run->root != SKEP_RELATE_NONE && skep_relate_has(set, run->root);
            break;
        case SKEP_REL_ANY: whole = any_in(set, run->first, run->end); break;
        case SKEP_REL_ANCESTOR: some_ancestors(g, run, set, s, ret); break;
        case SKEP_REL_DESCENDANT: some_descendants(g, run, set, s, ret); break;
        case SKEP_REL_SIBLING: some_siblings(g, run, set, s, ret); break;
        case SKEP_REL_PARENT:
        case SKEP_REL_CHILD:
        case SKEP_REL_SELF:
        case SKEP_REL_COUNT:
        default: skep_unreachable("not a relation to others");
        }
        if (whole)
            add_range(ret, run->first, run->end);
    }
}

/* ---- first ------------------------------------------------------------------------------ */

static uint32_t first_in(const uint64_t *set, uint32_t first, uint32_t end, uint32_t none)
{
    for (uint32_t i = first; i < end; i++)
        if (skep_relate_has(set, i))
            return i;
    return none;
}

void skep_relate_first(const struct skep_relate_graph *g, enum skep_relation how,
                       const uint64_t *set, uint32_t *ret)
{
    skep_assert(!skep_relate_needs_parents(how) || g->parent != NULL);
    for (uint32_t i = 0; i < g->n; i++)
        ret[i] = g->n;
    if (how == SKEP_REL_PARENT) {
        for (uint32_t i = 0; i < g->n; i++)
            ret[i] = skep_relate_has(set, g->parent[i]) ? g->parent[i] : g->n;
        return;
    }
    for (uint32_t r = 0; r < g->n_runs; r++) {
        const struct skep_relate_run *run = &g->runs[r];
        if (how == SKEP_REL_CHILD) {
            for (uint32_t i = run->first; i < run->end; i++)
                if (skep_relate_has(set, i) && g->parent[i] != g->n && ret[g->parent[i]] == g->n)
                    ret[g->parent[i]] = i;
            continue;
        }
        uint32_t same = g->n;
        skep_assert(how == SKEP_REL_ROOT || how == SKEP_REL_ANY);
        if (how == SKEP_REL_ANY)
            same = first_in(set, run->first, run->end, g->n);
        else if (run->root != SKEP_RELATE_NONE && skep_relate_has(set, run->root))
            same = run->root;
        for (uint32_t i = run->first; i < run->end; i++)
            ret[i] = same;
    }
}
