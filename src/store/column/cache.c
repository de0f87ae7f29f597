// SPDX-License-Identifier: Apache-2.0
/* The chunk cache: one table, one mutex, random replacement with a second chance, pins.
 *
 *   key (file, offset, form) -> entry -> data
 *   some entry, by lot: pinned: another; used since the last draw: clear the mark, another; else
 *   evict
 *
 * By lot, because questions read a column from its first row group to its last and then again: what
 * is a little larger than the cache would, with any order by age, always have just gone.
 *
 * The limit is soft for what is pinned: a query whose working set is larger than the cache still
 * runs, as long as the parent budget allows it; what is over goes as soon as it is unpinned.
 * Loading happens outside the lock.
 *
 * A guest (the kept answers, exec/partials.c) lives on the same memory: what it takes counts
 * towards the limit, so that chunks leave for it; and where all chunks are pinned, it leaves for
 * them.
 *
 * I1  an entry with pins > 0 is neither evicted nor dropped.
 * I2  bytes of all entries and of the guest == used of c->budget, while nobody is loading.
 * Threads: any; c->mutex guards everything but the data, which is immutable.
 * Memory: entries and table by skep_malloc, uncharged (about 100 bytes an object of kilobytes). */
#include "store/column/cache.h"

#include <stdatomic.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "os/thread.h"
#include "store/column/rowset.h"

enum { DRAWS = 64 };

struct entry {
    struct skep_cache_key key;
    struct skep_cache_data *data;
    struct entry *next; /* in the bucket */
    size_t at;          /* in all[] */
    uint32_t pins;
    bool used;
};

struct skep_cache {
    struct skep_mutex mutex;
    struct skep_budget budget;   /* of the entries; the ceiling is the parent's */
    struct skep_budget resident; /* of open segments */
    uint64_t limit_bytes;
    struct entry **buckets;
    size_t n_buckets;
    struct entry **all;
    size_t n_entries, cap_entries;
    uint64_t lot;
    uint64_t hits, misses;
    skep_cache_yield_fn *yield; /* the guest's; NULL = there is none */
    void *guest;
};

uint64_t skep_cache_serial(void)
{
    static _Atomic uint64_t next = 1;
    return atomic_fetch_add_explicit(&next, 1, memory_order_relaxed);
}

struct skep_cache *skep_cache_new(struct skep_budget *parent, uint64_t limit_bytes)
{
    struct skep_cache *c = skep_alloc(struct skep_cache);
    skep_mutex_init(&c->mutex, "chunk cache");
    skep_budget_init(&c->budget, "chunk cache", UINT64_MAX, parent);
    skep_budget_init(&c->resident, "open segments", UINT64_MAX, parent);
    c->limit_bytes = limit_bytes;
    c->n_buckets = 1024;
    c->lot = 1;
    c->buckets = skep_alloc_n(struct entry *, c->n_buckets);
    return c;
}

void skep_cache_reserve(struct skep_cache *c, uint64_t bytes)
{
    skep_assert(bytes <= c->limit_bytes);
    skep_budget_reserve(&c->budget, bytes);
}

struct skep_budget *skep_cache_budget(struct skep_cache *c)
{
    return &c->budget;
}

void skep_cache_invite(struct skep_cache *c, skep_cache_yield_fn *yield, void *guest)
{
    skep_mutex_lock(&c->mutex);
    c->yield = yield;
    c->guest = guest;
    skep_mutex_unlock(&c->mutex);
}

static SKEP_WRAPS size_t bucket_of(const struct skep_cache *c, const struct skep_cache_key *k)
{
    uint64_t h = skep_hash_u64(k->offset * 0x9e3779b97f4a7c15ull + k->file * 64 + k->form);
    return (size_t)(h & (c->n_buckets - 1));
}

static bool same_key(const struct skep_cache_key *a, const struct skep_cache_key *b)
{
    return a->file == b->file && a->offset == b->offset && a->form == b->form;
}

static struct entry *find_locked(struct skep_cache *c, const struct skep_cache_key *key)
{
    skep_assert_held(&c->mutex);
    struct entry *e = c->buckets[bucket_of(c, key)];
    while (e && !same_key(&e->key, key))
        e = e->next;
    return e;
}

static void unlink_locked(struct skep_cache *c, struct entry *e)
{
    skep_assert_held(&c->mutex);
    skep_assert(e->pins == 0);
    struct entry **at = &c->buckets[bucket_of(c, &e->key)];
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    struct entry *last = c->all[--c->n_entries];
    skep_assert(c->all[e->at] == e);
    c->all[e->at] = last;
    last->at = e->at;
}

/* Out of the table and gone.  Freeing takes no time worth unlocking for. */
static void evict_locked(struct skep_cache *c, struct entry *e)
{
    unlink_locked(c, e);
    skep_budget_give(&c->budget, e->data->bytes);
    skep_free(e->data);
    skep_free(e);
}

/* The same numbers in every process: what is evicted shows in no answer. */
static SKEP_WRAPS struct entry *draw_locked(struct skep_cache *c)
{
    c->lot = c->lot * 6364136223846793005ull + 1442695040888963407ull;
    return c->all[(c->lot >> 33) % c->n_entries];
}

/* One eviction; false when all entries are pinned. */
static bool evict_one_locked(struct skep_cache *c)
{
    skep_assert_held(&c->mutex);
    for (unsigned draws = 0; c->n_entries > 0 && draws < DRAWS; draws++) {
        struct entry *e = draw_locked(c);
        if (e->pins == 0 && !e->used) {
            evict_locked(c, e);
            return true;
        }
        e->used = e->used && e->pins > 0;
    }
    for (size_t i = 0; i < c->n_entries; i++)
        if (c->all[i]->pins == 0) {
            evict_locked(c, c->all[i]);
            return true;
        }
    return false;
}

static void shrink_locked(struct skep_cache *c, uint64_t to_bytes)
{
    while (skep_budget_used(&c->budget) > to_bytes)
        if (!evict_one_locked(c))
            break;
}

static void grow_locked(struct skep_cache *c)
{
    if (c->n_entries < c->n_buckets * 2)
        return;
    struct entry **old = c->buckets;
    size_t n_old = c->n_buckets;
    c->n_buckets *= 4;
    c->buckets = skep_alloc_n(struct entry *, c->n_buckets);
    for (size_t b = 0; b < n_old; b++) {
        for (struct entry *e = old[b], *next; e; e = next) {
            next = e->next;
            size_t to = bucket_of(c, &e->key);
            e->next = c->buckets[to];
            c->buckets[to] = e;
        }
    }
    skep_free(old);
}

static struct entry *insert_locked(struct skep_cache *c, const struct skep_cache_key *key,
                                   struct skep_cache_data *data)
{
    skep_assert_held(&c->mutex);
    grow_locked(c);
    struct entry *e = skep_alloc(struct entry);
    e->key = *key;
    e->data = data;
    data->entry = e;
    size_t b = bucket_of(c, key);
    e->next = c->buckets[b];
    c->buckets[b] = e;
    SKEP_GROW(c->all, c->n_entries, c->cap_entries);
    e->at = c->n_entries;
    c->all[c->n_entries++] = e;
    return e;
}

/* Ask for memory, evicting what nobody holds. */
static skep_rc take(struct skep_cache *c, uint64_t n, skep_err *err)
{
    skep_mutex_lock(&c->mutex);
    shrink_locked(c, n < c->limit_bytes ? c->limit_bytes - n : 0);
    skep_rc rc;
    while ((rc = skep_budget_take(&c->budget, n, err)) == SKEP_ENOMEM &&
           (evict_one_locked(c) || (c->yield && c->yield(c->guest, n))))
        ;
    skep_mutex_unlock(&c->mutex);
    return rc;
}

static struct skep_cache_data *pin_if_there(struct skep_cache *c, const struct skep_cache_key *key)
{
    struct skep_cache_data *data = NULL;
    skep_mutex_lock(&c->mutex);
    struct entry *e = find_locked(c, key);
    if (e) {
        e->pins++;
        e->used = true;
        data = e->data;
    }
    *(e ? &c->hits : &c->misses) += 1;
    skep_mutex_unlock(&c->mutex);
    return data;
}

skep_rc skep_cache_pin(struct skep_cache *c, const struct skep_cache_key *key, uint64_t reserve,
                       skep_cache_make_fn *make, void *ctx, struct skep_cache_data **ret,
                       skep_err *err)
{
    skep_assert(c && key && make && ret);
    struct skep_cache_data *data = pin_if_there(c, key);
    if (data) {
        *ret = data;
        return SKEP_OK;
    }
    SKEP_TRY(take(c, reserve, err));
    skep_rc rc = make(ctx, &data, err);
    if (rc != SKEP_OK) {
        skep_budget_give(&c->budget, reserve);
        return rc;
    }
    skep_assert(data);
    skep_mutex_lock(&c->mutex);
    struct entry *e = find_locked(c, key);
    if (e) { /* another thread was faster */
        skep_free(data);
        skep_budget_give(&c->budget, reserve);
    } else {
        e = insert_locked(c, key, data);
        if (data->bytes > reserve)
            skep_budget_force(&c->budget, data->bytes - reserve);
        else
            skep_budget_give(&c->budget, reserve - data->bytes);
    }
    e->pins++;
    e->used = true;
    *ret = e->data;
    skep_mutex_unlock(&c->mutex);
    return SKEP_OK;
}

void skep_cache_unpin(struct skep_cache *c, const struct skep_cache_data *data)
{
    if (!data)
        return;
    struct entry *e = data->entry;
    skep_mutex_lock(&c->mutex);
    skep_assert(e->data == data);
    skep_assert(e->pins > 0);
    e->pins--;
    if (e->pins == 0)
        shrink_locked(c, c->limit_bytes);
    skep_mutex_unlock(&c->mutex);
}

void skep_cache_drop(struct skep_cache *c, uint64_t file)
{
    skep_mutex_lock(&c->mutex);
    for (size_t b = 0; b < c->n_buckets; b++) {
        for (struct entry *e = c->buckets[b], *next; e; e = next) {
            next = e->next;
            if (e->key.file == file)
                evict_locked(c, e);
        }
    }
    skep_mutex_unlock(&c->mutex);
}

void skep_cache_shrink(struct skep_cache *c)
{
    skep_mutex_lock(&c->mutex);
    shrink_locked(c, 0);
    skep_mutex_unlock(&c->mutex);
}

void skep_cache_give_way(struct skep_cache *c, uint64_t bytes)
{
    skep_mutex_lock(&c->mutex);
    uint64_t used = skep_budget_used(&c->budget);
    shrink_locked(c, used > bytes ? used - bytes : 0);
    skep_mutex_unlock(&c->mutex);
}

void skep_cache_resident(struct skep_cache *c, int64_t delta_bytes)
{
    if (delta_bytes >= 0)
        skep_budget_force(&c->resident, (uint64_t)delta_bytes);
    else
        skep_budget_give(&c->resident, (uint64_t)-delta_bytes);
}

void skep_cache_free(struct skep_cache *c)
{
    if (!c)
        return;
    skep_mutex_lock(&c->mutex);
    while (c->n_entries > 0) {
        skep_assert(c->all[0]->pins == 0);
        evict_locked(c, c->all[0]);
    }
    skep_mutex_unlock(&c->mutex);
    skep_assert(skep_budget_used(&c->budget) == 0);
    skep_assert(skep_budget_used(&c->resident) == 0);
    skep_budget_done(&c->budget);
    skep_mutex_done(&c->mutex);
    skep_free(c->buckets);
    skep_free(c->all);
    skep_free(c);
}

uint64_t skep_cache_bytes(const struct skep_cache *c)
{
    return atomic_load_explicit(&c->budget.used_bytes, memory_order_relaxed);
}

void skep_cache_lookups(struct skep_cache *c, uint64_t *ret_hits, uint64_t *ret_misses)
{
    skep_mutex_lock(&c->mutex);
    *ret_hits = c->hits;
    *ret_misses = c->misses;
    skep_mutex_unlock(&c->mutex);
}
