// SPDX-License-Identifier: Apache-2.0
/* Interned attribute lists of a batch: resources and instrumentation scopes.
 *
 * A list is collected in a scratch array, sorted by name with the last of equal names kept, and
 * then looked up by its content hash, so that a thousand ResourceSpans of one process give one
 * list.
 *
 *   first:    [0, 0, 3, ...]          entries: [a b c | ...]
 *              `list 0 is empty
 *
 * I1  entries of a list ascend strictly by name bytes (one type a name).
 * I2  no two lists of one table have the same entries.
 * Threads: as the batch. */
#include "event/batch_priv.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"

struct skep_batch_list *skep_batch_list_begin(struct skep_batch *b)
{
    struct skep_batch_list *l = &b->scratch->list;
    skep_assert(!l->open);
    l->open = true;
    l->n = 0;
    return l;
}

void skep_batch_list_put(struct skep_batch_list *l, skep_str name, skep_value v)
{
    struct skep_batch *b = l->batch;
    skep_assert(l->open);
    if (name.n == 0 || v.type == SKEP_TYPE_NULL || b->over_budget || b->over_limit)
        return;
    uint32_t name_index = skep_batch_intern(b, skep_batch__name(name));
    uint64_t val = skep_batch__payload(b, v);
    void *entries = l->entries;
    if (b->over_budget || b->over_limit ||
        !skep_batch__grow(b, &entries, &l->cap, l->n + 1, sizeof *l->entries))
        return;
    l->entries = entries;
    l->entries[l->n++] = (struct skep_batch_entry){name_index, v.type, val};
}

static int by_name(const void *pa, const void *pb, void *ctx)
{
    const struct skep_batch_entry *x = pa, *y = pb;
    const struct skep_batch *b = ctx;
    if (x->name == y->name)
        return 0;
    return skep_str_cmp(skep_batch_str(b, x->name), skep_batch_str(b, y->name));
}

/* Of entries with one name only the last stays. */
static void drop_earlier(struct skep_batch_list *l)
{
    struct skep_batch_entry *e = l->entries;
    struct skep_index seen;
    skep_index_init(&seen, l->n);
    uint32_t kept = l->n;
    for (uint32_t i = l->n; i-- > 0;) {
        uint64_t hash = skep_hash_u64(e[i].name);
        struct skep_index_it it = skep_index_begin(&seen, hash);
        uint32_t name;
        do
            name = skep_index_next(&seen, &it);
        while (name != SKEP_INDEX_NONE && name != e[i].name);
        if (name != SKEP_INDEX_NONE)
            continue;
        skep_index_add(&seen, hash, e[i].name);
        e[--kept] = e[i];
    }
    skep_index_done(&seen);
    l->n -= kept;
    memmove(e, e + kept, l->n * sizeof *e);
}

/* Sorted by name, each name once.  Lists come short, or else go through an index of names first. */
static void sort_unique(struct skep_batch *b, struct skep_batch_list *l)
{
    enum { INSERTION_MAX = 64 };
    struct skep_batch_entry *e = l->entries;
    if (l->n > INSERTION_MAX) {
        drop_earlier(l);
        qsort_r(e, l->n, sizeof *e, by_name, b);
        return;
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        struct skep_batch_entry entry = e[i];
        uint32_t at = n;
        while (at > 0 && by_name(&e[at - 1], &entry, b) > 0)
            at--;
        if (at > 0 && e[at - 1].name == entry.name) {
            e[at - 1] = entry;
            continue;
        }
        memmove(e + at + 1, e + at, (n - at) * sizeof *e);
        e[at] = entry;
        n++;
    }
    l->n = n;
}

static SKEP_WRAPS uint64_t content_hash(const struct skep_batch *b, const struct skep_batch_list *l)
{
    uint64_t h = l->n;
    for (uint32_t i = 0; i < l->n; i++) {
        const struct skep_batch_entry *e = &l->entries[i];
        h = skep_hash_u64(h * 31 + b->strings.items[e->name].hash);
        h = skep_hash_u64(h * 31 + skep_batch__payload_hash(b, e->type, e->val));
    }
    return h;
}

static uint32_t find_list(const struct skep_batch_lists *t, const struct skep_batch_list *l,
                          uint64_t hash)
{
    struct skep_index_it it = skep_index_begin(&t->index, hash);
    for (uint32_t k; (k = skep_index_next(&t->index, &it)) != SKEP_INDEX_NONE;) {
        uint32_t n = t->first[k + 1] - t->first[k];
        if (t->hashes[k] == hash && n == l->n &&
            memcmp(t->entries + t->first[k], l->entries, n * sizeof *l->entries) == 0)
            return k;
    }
    return SKEP_INDEX_NONE;
}

uint32_t skep_batch_list_end(struct skep_batch_list *l, struct skep_batch_lists *into)
{
    struct skep_batch *b = l->batch;
    skep_assert(l->open && (into == &b->resources || into == &b->scopes));
    l->open = false;
    if (l->n == 0 || b->over_budget || b->over_limit)
        return 0;
    sort_unique(b, l);
    uint64_t hash = content_hash(b, l);
    uint32_t k = find_list(into, l, hash);
    if (k != SKEP_INDEX_NONE)
        return k;
    if (into->n == into->cap) {
        uint32_t cap = into->cap * 2;
        if (!skep_batch__charge(b, into->cap * (sizeof *into->first + sizeof *into->hashes)))
            return 0;
        into->first = skep_realloc(into->first, ((size_t)cap + 1) * sizeof *into->first);
        into->hashes = skep_realloc(into->hashes, cap * sizeof *into->hashes);
        into->cap = cap;
    }
    void *entries = into->entries;
    if (!skep_batch__grow(b, &entries, &into->entries_cap, into->entries_n + l->n,
                          sizeof *into->entries))
        return 0;
    into->entries = entries;
    k = into->n++;
    memcpy(into->entries + into->entries_n, l->entries, l->n * sizeof *l->entries);
    into->entries_n += l->n;
    into->first[k + 1] = into->entries_n;
    into->hashes[k] = hash;
    skep_batch__index_add(b, &into->index, hash, k);
    return k;
}
