// SPDX-License-Identifier: Apache-2.0
/* The cache of partial answers.
 *
 *   (segment, version of its live rows, question and piece) -> partial over the piece's rows
 *
 * Row groups that lie wholly inside the range asked for contribute the same partial each time
 * (pieces.c); buckets are multiples of the granularity since 1970, so a later range only numbers
 * them otherwise. Parts are never kept: they go in seconds.  A deleted row makes another version, a
 * merge other segments; what belonged to the old ones is never asked for again and leaves as the
 * least recently used, or with its segment.
 *
 * Who has memory beside it (the chunk cache, cache.c) gives way to what is to be kept, and is given
 * way to when it needs the memory.
 *
 * Bytes are kept in the same way: which rows pass a filter (known.c), rows of answers
 * (kept_rows.c).
 *
 * I1  an entry with holders is not freed: it is taken from the table, its last holder frees it.
 * I2  memory of all entries is taken from `budget`, also of those only held.
 * I3  a partial larger than a quarter of the cache is not kept: it would push out too much.
 * I4  for one that is to be kept at most twice its bytes (and the rest of an entry) leave.  Where
 *     the memory around the cache is full, what it gives back others may take at once, and no
 *     number of entries would make room.  What is held does not leave: it would free nothing.
 *
 * Threads: any; `mu` guards all but the partials, which are immutable. */
#include "store/column/exec/partials.h"

#include "base/assert.h"
#include "base/mem.h"
#include "os/thread.h"

enum {
    LARGEST_SHARE = 4,
    ENTRY_BYTES = 256,
    GIVE_UP = 2 /* I4 */
};

struct entry {
    struct skep_partials_entry base; /* first */
    uint64_t rowset, live, hash, bytes;
    uint8_t *question, *kept; /* kept: base.bytes */
    size_t question_n;
    uint32_t refs;               /* holders, and the table */
    struct entry *newer, *older; /* by use */
    struct entry *next;          /* in the bucket */
};

enum { BUCKETS = 1024 }; /* at first */

struct skep_partials {
    struct skep_mutex mu;
    struct skep_budget budget;
    uint64_t limit_bytes;
    struct entry **buckets;
    uint64_t n_buckets; /* a power of two; as many as there were entries, at least */
    struct entry *newest, *oldest;
    struct skep_partials_stats stats;
    skep_partials_host_fn *give_way; /* NULL = there is none */
    void *host;
};

struct skep_partials *skep_partials_new(struct skep_budget *parent, uint64_t limit_bytes)
{
    struct skep_partials *c = skep_alloc(struct skep_partials);
    skep_mutex_init(&c->mu, "partial answers");
    skep_budget_init(&c->budget, "partial answers", limit_bytes, parent);
    c->limit_bytes = limit_bytes;
    c->n_buckets = BUCKETS;
    c->buckets = skep_alloc_n(struct entry *, BUCKETS);
    return c;
}

static void unref_locked(struct skep_partials *c, struct entry *e)
{
    skep_assert_held(&c->mu);
    skep_assert(e->refs > 0);
    if (--e->refs > 0)
        return;
    skep_partial_free(e->base.partial);
    skep_budget_give(&c->budget, e->bytes);
    skep_free(e->question);
    skep_free(e->kept);
    skep_free(e);
}

static void unlink_use(struct skep_partials *c, struct entry *e)
{
    if (e->newer)
        e->newer->older = e->older;
    else
        c->newest = e->older;
    if (e->older)
        e->older->newer = e->newer;
    else
        c->oldest = e->newer;
}

static void link_newest(struct skep_partials *c, struct entry *e)
{
    e->newer = NULL;
    e->older = c->newest;
    if (c->newest)
        c->newest->newer = e;
    else
        c->oldest = e;
    c->newest = e;
}

static struct entry **bucket_of(struct skep_partials *c, uint64_t hash)
{
    return &c->buckets[hash & (c->n_buckets - 1)];
}

static void remove_locked(struct skep_partials *c, struct entry *e)
{
    struct entry **at = bucket_of(c, e->hash);
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    unlink_use(c, e);
    c->stats.entries--;
    unref_locked(c, e);
}

uint64_t skep_partials_largest(const struct skep_partials *c)
{
    return c->limit_bytes / LARGEST_SHARE;
}

void skep_partials_free(struct skep_partials *c)
{
    if (!c)
        return;
    skep_mutex_lock(&c->mu);
    while (c->newest)
        remove_locked(c, c->newest);
    skep_mutex_unlock(&c->mu);
    skep_assert(skep_budget_used(&c->budget) == 0);
    skep_mutex_done(&c->mu);
    skep_free(c->buckets);
    skep_free(c);
}

void skep_partials_drop(struct skep_partials *c, uint64_t rowset)
{
    skep_mutex_lock(&c->mu);
    for (struct entry *e = c->newest, *older; e; e = older) {
        older = e->older;
        if (e->rowset == rowset)
            remove_locked(c, e);
    }
    skep_mutex_unlock(&c->mu);
}

void skep_partials_stats(struct skep_partials *c, struct skep_partials_stats *ret)
{
    skep_mutex_lock(&c->mu);
    *ret = c->stats;
    ret->bytes = skep_budget_used(&c->budget);
    skep_mutex_unlock(&c->mu);
}

static uint64_t key_hash(const struct skep_partials_key *k)
{
    return skep_hash_u64(skep_hash_seed(k->question, k->rowset) ^ k->live);
}

static struct entry *find_locked(struct skep_partials *c, const struct skep_partials_key *k,
                                 uint64_t hash)
{
    struct entry *e = *bucket_of(c, hash);
    while (e && (e->hash != hash || e->rowset != k->rowset || e->live != k->live ||
                 e->question_n != k->question.n ||
                 memcmp(e->question, k->question.p, k->question.n) != 0))
        e = e->next;
    return e;
}

const struct skep_partials_entry *skep_partials_get(struct skep_partials *c,
                                                    const struct skep_partials_key *key)
{
    uint64_t hash = key_hash(key);
    skep_mutex_lock(&c->mu);
    struct entry *e = find_locked(c, key, hash);
    if (e) {
        e->refs++;
        c->stats.hits++;
        unlink_use(c, e);
        link_newest(c, e);
    } else {
        c->stats.misses++;
    }
    skep_mutex_unlock(&c->mu);
    return e ? &e->base : NULL;
}

void skep_partials_let_go(struct skep_partials *c, const struct skep_partials_entry *e)
{
    skep_mutex_lock(&c->mu);
    unref_locked(c, (struct entry *)(uintptr_t)e);
    skep_mutex_unlock(&c->mu);
}

/* The one of those from e on that was not asked for longest and is not held goes, *e is the next;
 * returns its bytes, 0: there is none. */
static uint64_t evict_locked(struct skep_partials *c, struct entry **e)
{
    while (*e && (*e)->refs > 1)
        *e = (*e)->newer;
    if (!*e)
        return 0;
    struct entry *newer = (*e)->newer;
    uint64_t bytes = (*e)->bytes;
    remove_locked(c, *e);
    c->stats.evicted++;
    *e = newer;
    return bytes;
}

/* Room for n bytes: first at the cost of the host, then (I4) of what was not asked for longest. The
 * host has a lock of its own, under which it asks for room here: not under `mu`. */
static bool make_room(struct skep_partials *c, uint64_t n)
{
    if (skep_budget_take(&c->budget, n, NULL) == SKEP_OK)
        return true;
    if (c->give_way && atomic_load(&c->budget.used_bytes) + n <= c->limit_bytes)
        c->give_way(c->host, n);
    uint64_t freed = 0, bytes = 1;
    skep_mutex_lock(&c->mu);
    struct entry *e = c->oldest;
    bool room;
    while (!(room = skep_budget_take(&c->budget, n, NULL) == SKEP_OK) && bytes > 0 &&
           freed < GIVE_UP * n)
        freed += bytes = evict_locked(c, &e);
    skep_mutex_unlock(&c->mu);
    return room;
}

void skep_partials_live_with(struct skep_partials *c, skep_partials_host_fn *give_way, void *host)
{
    c->give_way = give_way;
    c->host = host;
}

bool skep_partials_yield(struct skep_partials *c, uint64_t n)
{
    uint64_t freed = 0, bytes = 1;
    skep_mutex_lock(&c->mu);
    for (struct entry *e = c->oldest; bytes > 0 && freed < n;)
        freed += bytes = evict_locked(c, &e);
    skep_mutex_unlock(&c->mu);
    return freed > 0;
}

/* A list of rows that pass is a few hundred bytes: there may be very many of them. */
static void grow_locked(struct skep_partials *c)
{
    skep_assert_held(&c->mu);
    uint64_t n_old = c->n_buckets;
    if (c->stats.entries < n_old)
        return;
    struct entry **old = c->buckets;
    c->n_buckets = 4 * n_old;
    c->buckets = skep_alloc_n(struct entry *, c->n_buckets);
    for (uint64_t i = 0; i < n_old; i++)
        for (struct entry *e = old[i], *next; e; e = next) {
            next = e->next;
            struct entry **to = bucket_of(c, e->hash);
            e->next = *to;
            *to = e;
        }
    skep_free(old);
}

/* Into the table, with one holder besides it. */
static struct entry *insert_locked(struct skep_partials *c, const struct skep_partials_key *key,
                                   uint64_t hash, uint64_t bytes)
{
    skep_assert_held(&c->mu);
    grow_locked(c);
    struct entry *e = skep_alloc(struct entry), **bucket = bucket_of(c, hash);
    *e = (struct entry){.rowset = key->rowset,
                        .live = key->live,
                        .hash = hash,
                        .bytes = bytes,
                        .question = skep_malloc(key->question.n + 1),
                        .question_n = key->question.n,
                        .refs = 2,
                        .next = *bucket};
    memcpy(e->question, key->question.p, key->question.n);
    *bucket = e;
    link_newest(c, e);
    c->stats.entries++;
    return e;
}

const struct skep_partials_entry *skep_partials_put(struct skep_partials *c,
                                                    const struct skep_partials_key *key,
                                                    struct skep_partial *p, uint64_t rows_examined)
{
    uint64_t bytes = (p ? skep_partial_bytes(p) : 0) + key->question.n + ENTRY_BYTES;
    uint64_t hash = key_hash(key);
    if (bytes > skep_partials_largest(c))
        return NULL;
    if (!make_room(c, bytes))
        return NULL;
    skep_mutex_lock(&c->mu);
    struct entry *e = find_locked(c, key, hash);
    if (e) { /* somebody else was faster: theirs is as good */
        skep_budget_give(&c->budget, bytes);
        skep_mutex_unlock(&c->mu);
        return NULL;
    }
    if (p)
        skep_partial_detach(p);
    e = insert_locked(c, key, hash, bytes);
    e->base = (struct skep_partials_entry){.partial = p, .rows_examined = rows_examined};
    skep_mutex_unlock(&c->mu);
    return &e->base;
}

void skep_partials_put_bytes(struct skep_partials *c, const struct skep_partials_key *key,
                             skep_bytes b)
{
    uint64_t bytes = b.n + key->question.n + ENTRY_BYTES, hash = key_hash(key);
    if (bytes > skep_partials_largest(c) || !make_room(c, bytes))
        return;
    uint8_t *copy = skep_malloc(b.n + 1);
    if (b.n > 0)
        memcpy(copy, b.p, b.n);
    skep_mutex_lock(&c->mu);
    struct entry *e = find_locked(c, key, hash);
    if (e)
        remove_locked(c, e);
    e = insert_locked(c, key, hash, bytes);
    e->kept = copy;
    e->base.bytes = (skep_bytes){copy, b.n};
    unref_locked(c, e);
    skep_mutex_unlock(&c->mu);
}
