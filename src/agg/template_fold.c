// SPDX-License-Identifier: Apache-2.0
/* Folding: entries that differ in words of which there are many become one.
 *
 *   user alice logged in   3        \
 *   user bob logged in     2         > user <Token> logged in   9
 *   ... four more names    4        /
 *   worker started ok      5           stays: one of two words is no value
 *   worker stopped ok      5           stays
 *
 * 1. Entries of one shape (as many tokens, the same punctuation) are gathered into clusters around
 *    the entry with the highest count: six of ten words have to be the same.
 * 2. A place of a cluster is a value when it has MANY different words, or values of several kinds.
 * 3. Entries of a cluster that agree in all other places are one.
 *
 * The result depends on the set of entries alone: they come ordered by count, then by text.
 *
 * Threads: any.  Memory: working arrays from the heap, bounded by the table's size. */
#include "agg/template_priv.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"

#include <stdlib.h>

enum { MANY = 6, SAME_OF_TEN = 6, CLUSTERS_TRIED = 256, NOBODY = UINT32_MAX };

/* Literals by the hash of their text, values by their kind. */
struct place {
    uint64_t id;
    bool literal, word;
};

struct member {
    uint32_t entry;
    uint32_t cluster;     /* the member it is gathered around */
    uint64_t shape, rest; /* rest: hash of the places that are no values */
    unsigned n;
    struct place *places; /* [n] */
};

struct work {
    struct skep_template__entry *entries;
    unsigned n_bins;
    struct skep_arena *arena; /* of what stays */
    struct skep_arena scratch;
    struct member *members; /* [n] */
    size_t n;
};

static void read_member(struct work *w, struct member *m, uint32_t entry)
{
    struct skep_template__token tokens[SKEP_TEMPLATE_TOKENS + 1];
    m->entry = entry;
    m->n = skep_template__parse(w->entries[entry].signature, tokens);
    m->shape = skep_template__shape(tokens, m->n);
    m->cluster = NOBODY;
    m->places = skep_new_n(&w->scratch, struct place, (size_t)m->n + 1);
    for (unsigned i = 0; i < m->n; i++) {
        bool literal = tokens[i].kind == SKEP_TEMPLATE_LITERAL;
        m->places[i] = (struct place){.id = literal ? skep_hash(skep_str_bytes(tokens[i].text))
                                                    : tokens[i].kind,
                                      .literal = literal,
                                      .word = tokens[i].word};
    }
}

static bool alike(const struct member *a, const struct member *b)
{
    unsigned words = 0, same = 0;
    if (a->n != b->n)
        return false;
    for (unsigned i = 0; i < a->n; i++) {
        if (!b->places[i].word || !b->places[i].literal)
            continue;
        words++;
        same += a->places[i].literal && a->places[i].id == b->places[i].id;
    }
    return words == 0 || same * 10 >= words * SAME_OF_TEN;
}

/* By shape; within one as they came. */
static int by_shape(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    if (x->shape != y->shape)
        return x->shape < y->shape ? -1 : 1;
    return x->entry < y->entry ? -1 : x->entry > y->entry;
}

/* Members [from, to) of one shape: each around the first it is like. */
static void gather(struct work *w, size_t from, size_t to)
{
    uint32_t heads[CLUSTERS_TRIED];
    unsigned n = 0;
    for (size_t i = from; i < to; i++) {
        struct member *m = &w->members[i];
        for (unsigned h = 0; h < n && m->cluster == NOBODY; h++)
            if (alike(&w->members[heads[h]], m))
                m->cluster = heads[h];
        if (m->cluster != NOBODY)
            continue;
        m->cluster = (uint32_t)i;
        if (n < CLUSTERS_TRIED)
            heads[n++] = (uint32_t)i;
    }
}

static int by_id(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Is place p of the cluster [from, to) a value? */
static bool is_value(const struct work *w, size_t from, size_t to, unsigned p, uint64_t *ids)
{
    size_t n = to - from, distinct = 0;
    bool literals = false, tokens = false;
    for (size_t i = 0; i < n; i++) {
        const struct place *at = &w->members[from + i].places[p];
        ids[i] = at->id;
        literals |= at->literal;
        tokens |= !at->literal && at->id == SKEP_TEMPLATE_TOKEN;
    }
    qsort(ids, n, sizeof *ids, by_id);
    for (size_t i = 0; i < n; i++)
        distinct += i == 0 || ids[i] != ids[i - 1];
    return distinct >= MANY || (distinct > 1 && (!literals || tokens));
}

/* By cluster, then by what else they have in common, then as they came. */
static int by_rest(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    if (x->cluster != y->cluster)
        return x->cluster < y->cluster ? -1 : 1;
    if (x->rest != y->rest)
        return x->rest < y->rest ? -1 : 1;
    return x->entry < y->entry ? -1 : x->entry > y->entry;
}

static void add_values(struct skep_template__values *to, skep_str text,
                       const struct skep_template__values *from)
{
    for (unsigned i = 0; i < (from ? from->n : 1); i++) {
        skep_str v = from ? from->v[i] : text;
        v.n = SKEP_MIN(v.n, (size_t)SKEP_TEMPLATE__VALUE_BYTES);
        bool known = false;
        for (unsigned k = 0; k < to->n; k++)
            known |= skep_str_eq(to->v[k], v);
        if (!known && to->n < SKEP_TEMPLATE_VALUES)
            to->v[to->n++] = v;
    }
}

/* The values of one member at the places that are dynamic in the common signature. */
static void take_values(const struct skep_template__entry *e, const bool *dynamic,
                        struct skep_template__values *values)
{
    struct skep_template__token tokens[SKEP_TEMPLATE_TOKENS + 1];
    unsigned n = skep_template__parse(e->signature, tokens), own = 0, d = 0;
    for (unsigned i = 0; i < n; i++) {
        bool literal = tokens[i].kind == SKEP_TEMPLATE_LITERAL;
        if (dynamic[i])
            add_values(&values[d++], tokens[i].text, literal ? NULL : &e->values[own]);
        own += !literal;
    }
}

/* Members [from, to) are one: the first becomes it. */
static void unite(struct work *w, size_t from, size_t to)
{
    struct skep_template__token tokens[SKEP_TEMPLATE_TOKENS + 1];
    bool dynamic[SKEP_TEMPLATE_TOKENS + 1];
    struct skep_template__entry *e = &w->entries[w->members[from].entry];
    unsigned n = skep_template__parse(e->signature, tokens), n_dynamic = 0;
    for (unsigned p = 0; p < n; p++) {
        for (size_t i = from + 1; i < to; i++)
            if (w->members[i].places[p].id != w->members[from].places[p].id)
                tokens[p].kind = SKEP_TEMPLATE_TOKEN;
        dynamic[p] = tokens[p].kind != SKEP_TEMPLATE_LITERAL;
        n_dynamic += dynamic[p];
    }
    struct skep_template__values *values =
        skep_new_n(w->arena, struct skep_template__values, (size_t)n_dynamic + 1);
    for (size_t i = from; i < to; i++) {
        struct skep_template__entry *other = &w->entries[w->members[i].entry];
        take_values(other, dynamic, values);
        if (i > from) {
            skep_template__merge(e, other, w->n_bins);
            other->gone = true;
        }
    }
    struct skep_buf b;
    skep_buf_init(&b, SKEP_TEMPLATE__SIGNATURE_BYTES);
    skep_template__write(&b, tokens, n);
    skep_assert(!b.bad);
    e->signature = skep_arena_str(w->arena, skep_buf_text(&b));
    skep_buf_done(&b);
    e->values = values;
    e->n_dynamic = n_dynamic;
    e->folded = true;
}

/* A cluster: members [from, to). */
static SKEP_WRAPS void settle(struct work *w, size_t from, size_t to, uint64_t *ids)
{
    unsigned n = w->members[from].n;
    for (unsigned p = 0; p < n; p++) {
        if (is_value(w, from, to, p, ids))
            continue;
        for (size_t i = from; i < to; i++)
            w->members[i].rest =
                skep_hash_u64(w->members[i].rest * 31 + w->members[i].places[p].id + p);
    }
    qsort(w->members + from, to - from, sizeof *w->members, by_rest);
    for (size_t i = from, end; i < to; i = end) {
        for (end = i + 1; end < to && w->members[end].rest == w->members[i].rest;)
            end++;
        if (end - i > 1)
            unite(w, i, end);
    }
}

void skep_template__fold(struct skep_template__entry *entries, size_t n, unsigned n_bins,
                         struct skep_arena *arena)
{
    struct work w = {.entries = entries, .n_bins = n_bins, .arena = arena, .n = n};
    if (n < 2)
        return;
    skep_arena_init(&w.scratch, "folding templates", NULL);
    w.members = skep_alloc_n(struct member, n);
    uint64_t *ids = skep_alloc_n(uint64_t, n);
    for (uint32_t i = 0; i < n; i++)
        read_member(&w, &w.members[i], i);
    qsort(w.members, n, sizeof *w.members, by_shape);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && w.members[end].shape == w.members[i].shape;)
            end++;
        gather(&w, i, end);
    }
    qsort(w.members, n, sizeof *w.members, by_rest);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && w.members[end].cluster == w.members[i].cluster;)
            end++;
        if (end - i > 1)
            settle(&w, i, end, ids);
    }
    skep_free(ids);
    skep_free(w.members);
    skep_arena_done(&w.scratch);
}
