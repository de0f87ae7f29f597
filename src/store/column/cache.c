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
 * Chunks stand on memory of two kinds:
 *
 *   own    taken from the budget, of which the cache has a reserve; the guest's is there, too
 *   lent   borrowed from reserves of others that lie idle (base/budget.h), to be given back at once
 *
 *   all chunks    |----- own -----|--------- lent ---------|
 *                 |-- pinned --|---- may go at any time ---|
 *
 * Only sums are kept: no chunk is of one kind or the other.  What goes gives back borrowed memory
 * first.  The limit is soft for what is pinned: a query whose working set is larger than the cache
 * still runs, as long as the budget allows it; what is over goes as soon as it is unpinned. Loading
 * happens outside the lock.
 *
 * A guest (the kept answers, exec/partials.c) lives on the same own memory: what it takes counts
 * towards the limit.  Chunks stand aside for it, on borrowed memory or out; and where all own
 * memory is pinned, it leaves for them.
 *
 * I1  an entry with pins > 0 is neither evicted nor dropped.
 * I2  own + lent == bytes of all entries, and of what is being loaded; own and the guest's == used
 * of c->budget. I3  pinned <= own, what is being loaded counts as pinned: so all that is lent can
 * be given back under the lock, whoever asks (on_short), without waiting for a question. I4  under
 * the lock nothing is taken but from c->budget and below, which never asks for memory back
 *     (base/budget.c, I6); and no lock but the guest's.  So the lock stands below all others, and
 *     on_short may take it wherever memory is taken: under a lock of the engine's, or of another
 *     cache (that of a merge).
 * Threads: any; c->mutex guards everything but the data, which is immutable.
 * Memory: entries and table by skep_malloc, uncharged (about 100 bytes an object of kilobytes). */
#include "store/column/cache.h"

#include <inttypes.h>
#include <stdatomic.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "os/thread.h"
#include "store/column/rowset.h"

enum { DRAWS = 64, TRIM_BYTES = 8 << 20 };

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
    struct skep_budget budget; /* own memory; the ceiling is the parent's */
    bool borrows;              /* from the budget's parent */
    uint64_t own_bytes, pinned_bytes;
    _Atomic uint64_t lent_bytes;
    uint64_t given_back;         /* on demand, since the heap was trimmed */
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

static uint64_t on_short(void *cache, uint64_t bytes);

void skep_cache_borrow(struct skep_cache *c)
{
    c->borrows = c->budget.parent && skep_budget_lend_to(c->budget.parent, &c->budget, on_short, c);
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

/* What is counted to the limit. */
static uint64_t held(struct skep_cache *c)
{
    return skep_budget_used(&c->budget) + c->lent_bytes;
}

static bool borrow_locked(struct skep_cache *c, uint64_t n)
{
    if (n > 0 && !(c->borrows && skep_budget_borrow(c->budget.parent, n)))
        return false;
    c->lent_bytes += n;
    return true;
}

static bool take_locked(struct skep_cache *c, uint64_t n)
{
    if (n > 0 && skep_budget_take(&c->budget, n, NULL) != SKEP_OK)
        return false;
    c->own_bytes += n;
    return true;
}

static void repay_locked(struct skep_cache *c, uint64_t n)
{
    c->lent_bytes -= n;
    if (n > 0)
        skep_budget_repay(c->budget.parent, n);
}

static void give_locked(struct skep_cache *c, uint64_t n)
{
    c->own_bytes -= n;
    skep_budget_give(&c->budget, n);
    skep_assert(c->pinned_bytes <= c->own_bytes); /* I3 */
}

enum first { LENT_FIRST, OWN_FIRST };

/* n bytes that were not pinned are gone. */
static void release_locked(struct skep_cache *c, uint64_t n, enum first first)
{
    skep_assert_held(&c->mutex);
    uint64_t spare = c->own_bytes - c->pinned_bytes, lent = c->lent_bytes;
    uint64_t own = first == OWN_FIRST ? SKEP_MIN(n, spare) : n - SKEP_MIN(n, lent);
    repay_locked(c, n - own);
    give_locked(c, own);
}

static skep_rc fail_full(const struct skep_cache *c, uint64_t n, skep_err *err)
{
    return skep_fail(err, SKEP_ENOMEM,
                     "no memory to read with: %" PRIu64 " bytes beside %" PRIu64 " in use", n,
                     c->pinned_bytes);
}

/* n bytes that were not pinned are to be: on own memory. */
static skep_rc hold_locked(struct skep_cache *c, uint64_t n, skep_err *err)
{
    uint64_t need = c->pinned_bytes + n, more = need > c->own_bytes ? need - c->own_bytes : 0;
    while (!take_locked(c, more))
        if (!c->yield || !c->yield(c->guest, more))
            return fail_full(c, n, err);
    repay_locked(c, more);
    c->pinned_bytes = need;
    return SKEP_OK;
}

/* Out of the table and gone.  Freeing takes no time worth unlocking for. */
static void evict_locked(struct skep_cache *c, struct entry *e, enum first first)
{
    unlink_locked(c, e);
    release_locked(c, e->data->bytes, first);
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
static bool evict_one_locked(struct skep_cache *c, enum first first)
{
    skep_assert_held(&c->mutex);
    for (unsigned draws = 0; c->n_entries > 0 && draws < DRAWS; draws++) {
        struct entry *e = draw_locked(c);
        if (e->pins == 0 && !e->used) {
            evict_locked(c, e, first);
            return true;
        }
        e->used = e->used && e->pins > 0;
    }
    for (size_t i = 0; i < c->n_entries; i++)
        if (c->all[i]->pins == 0) {
            evict_locked(c, c->all[i], first);
            return true;
        }
    return false;
}

static void shrink_locked(struct skep_cache *c, uint64_t to_bytes)
{
    while (held(c) > to_bytes)
        if (!evict_one_locked(c, LENT_FIRST))
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

/* n bytes more, pinned, on own memory; where that is full, what is not pinned stands aside. */
static bool add_locked(struct skep_cache *c, uint64_t n)
{
    bool added = take_locked(c, n);
    uint64_t need = c->pinned_bytes + n, more = need > c->own_bytes ? need - c->own_bytes : 0;
    if (!added && borrow_locked(c, n - more)) {
        added = take_locked(c, more);
        if (!added)
            repay_locked(c, n - more);
    }
    c->pinned_bytes += added ? n : 0;
    return added;
}

/* Is there less own memory than n bytes more could be pinned on?  Then it does not help that chunks
 * go that are not pinned. */
static bool lacks_own(const struct skep_cache *c, uint64_t n)
{
    return c->lent_bytes > 0 && c->pinned_bytes + n > c->own_bytes;
}

/* Ask for memory, evicting what nobody holds. */
static skep_rc take(struct skep_cache *c, uint64_t n, skep_err *err)
{
    skep_mutex_lock(&c->mutex);
    shrink_locked(c, n < c->limit_bytes ? c->limit_bytes - n : 0);
    bool taken;
    while (!(taken = add_locked(c, n)) && ((!lacks_own(c, n) && evict_one_locked(c, LENT_FIRST)) ||
                                           (c->yield && c->yield(c->guest, n))))
        ;
    skep_rc rc = taken ? SKEP_OK : fail_full(c, n, err);
    skep_mutex_unlock(&c->mutex);
    return rc;
}

/* n bytes that were taken are not there. */
static void untake_locked(struct skep_cache *c, uint64_t n)
{
    c->pinned_bytes -= n;
    release_locked(c, n, LENT_FIRST);
}

static skep_rc pin_locked(struct skep_cache *c, struct entry *e, skep_err *err)
{
    if (e->pins == 0)
        SKEP_TRY(hold_locked(c, e->data->bytes, err));
    e->pins++;
    e->used = true;
    return SKEP_OK;
}

/* *ret stays NULL when it is not there. */
static skep_rc pin_if_there(struct skep_cache *c, const struct skep_cache_key *key,
                            struct skep_cache_data **ret, skep_err *err)
{
    skep_mutex_lock(&c->mutex);
    struct entry *e = find_locked(c, key);
    *(e ? &c->hits : &c->misses) += 1;
    skep_rc rc = e ? pin_locked(c, e, err) : SKEP_OK;
    if (e && rc == SKEP_OK)
        *ret = e->data;
    skep_mutex_unlock(&c->mutex);
    return rc;
}

/* Into the table, in place of the `taken` bytes, and pinned; another thread may have been faster.
 */
static skep_rc enter_locked(struct skep_cache *c, const struct skep_cache_key *key, uint64_t taken,
                            struct skep_cache_data *data, struct entry **ret, skep_err *err)
{
    struct entry *e = *ret = find_locked(c, key);
    if (e) {
        skep_free(data);
        untake_locked(c, taken);
        return pin_locked(c, e, err);
    }
    e = *ret = insert_locked(c, key, data);
    if (data->bytes > taken) {
        uint64_t more = data->bytes - taken;
        if (!add_locked(c, more)) {
            skep_budget_force(&c->budget, more);
            c->own_bytes += more;
            c->pinned_bytes += more;
        }
    } else {
        untake_locked(c, taken - data->bytes);
    }
    e->pins = 1;
    e->used = true;
    return SKEP_OK;
}

skep_rc skep_cache_pin(struct skep_cache *c, const struct skep_cache_key *key, uint64_t reserve,
                       skep_cache_make_fn *make, void *ctx, struct skep_cache_data **ret,
                       skep_err *err)
{
    skep_assert(c && key && make && ret);
    struct skep_cache_data *data = NULL;
    SKEP_TRY(pin_if_there(c, key, &data, err));
    if (data) {
        *ret = data;
        return SKEP_OK;
    }
    SKEP_TRY(take(c, reserve, err));
    skep_rc rc = make(ctx, &data, err);
    skep_assert(rc != SKEP_OK || data);
    struct entry *e = NULL;
    skep_mutex_lock(&c->mutex);
    if (rc == SKEP_OK)
        rc = enter_locked(c, key, reserve, data, &e, err);
    else
        untake_locked(c, reserve);
    if (rc == SKEP_OK)
        *ret = e->data;
    skep_mutex_unlock(&c->mutex);
    return rc;
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
    if (e->pins == 0) {
        c->pinned_bytes -= data->bytes;
        shrink_locked(c, c->limit_bytes);
    }
    skep_mutex_unlock(&c->mutex);
}

void skep_cache_drop(struct skep_cache *c, uint64_t file)
{
    skep_mutex_lock(&c->mutex);
    for (size_t b = 0; b < c->n_buckets; b++) {
        for (struct entry *e = c->buckets[b], *next; e; e = next) {
            next = e->next;
            if (e->key.file == file)
                evict_locked(c, e, LENT_FIRST);
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

/* Own memory of n bytes for others: what stands there goes to borrowed memory, or out. */
static void vacate_locked(struct skep_cache *c, uint64_t n)
{
    uint64_t until = c->own_bytes > n ? c->own_bytes - n : 0;
    until = SKEP_MAX(until, c->pinned_bytes);
    while (c->own_bytes > until) {
        uint64_t more = c->own_bytes - until;
        if (borrow_locked(c, more))
            give_locked(c, more);
        else if (!evict_one_locked(c, OWN_FIRST))
            return;
    }
}

void skep_cache_give_way(struct skep_cache *c, uint64_t bytes)
{
    skep_mutex_lock(&c->mutex);
    vacate_locked(c, bytes);
    skep_mutex_unlock(&c->mutex);
}

static uint64_t beyond_reserve(struct skep_cache *c)
{
    uint64_t used = skep_budget_used(&c->budget);
    return used > c->budget.reserve_bytes ? used - c->budget.reserve_bytes : 0;
}

/* I3, I4.  Chunks lie between other blocks, in the heap's part of the thread that read them, where
 * the one who needs the memory finds no room: now and then the system gets what they left. */
static uint64_t on_short(void *cache, uint64_t bytes)
{
    struct skep_cache *c = cache;
    skep_mutex_lock(&c->mutex);
    uint64_t before = held(c);
    while (skep_budget_owed(c->budget.parent) > 0 && evict_one_locked(c, LENT_FIRST))
        ;
    uint64_t had = beyond_reserve(c), freed = 0;
    for (bytes = SKEP_MIN(bytes, had); freed < bytes; freed = had - beyond_reserve(c)) {
        uint64_t own = c->own_bytes;
        vacate_locked(c, bytes - freed);
        if (c->own_bytes == own && !(c->yield && c->yield(c->guest, bytes - freed)))
            break;
    }
    c->given_back += before - SKEP_MIN(held(c), before);
    bool trim = c->given_back >= TRIM_BYTES;
    if (trim)
        c->given_back = 0;
    skep_mutex_unlock(&c->mutex);
    if (trim)
        skep_heap_trim();
    return freed;
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
        evict_locked(c, c->all[0], LENT_FIRST);
    }
    skep_mutex_unlock(&c->mutex);
    if (c->borrows)
        skep_budget_forget(c->budget.parent, &c->budget);
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
    return atomic_load_explicit(&c->budget.used_bytes, memory_order_relaxed) +
           atomic_load_explicit(&c->lent_bytes, memory_order_relaxed);
}

void skep_cache_lookups(struct skep_cache *c, uint64_t *ret_hits, uint64_t *ret_misses)
{
    skep_mutex_lock(&c->mutex);
    *ret_hits = c->hits;
    *ret_misses = c->misses;
    skep_mutex_unlock(&c->mutex);
}
