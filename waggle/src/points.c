// SPDX-License-Identifier: Apache-2.0
/*
 * points.c - from a set of attributes to the point that keeps its measurements
 *
 *   hash of the attributes -> slot of an open table -> point -> one of its stripes, locked
 *
 * The way there takes no lock but the stripe's, with one compare-and-swap: a stripe that is taken
 * is passed over for the next one, so that nobody waits for a thread that was put to sleep. Under
 * the stripe's lock the attributes are compared, because a point may have become another's since
 * its hash was read: points, once made, stay where they are and are used again.
 *
 * The first measurement of a set makes its point, under the stream's lock. At the limit, what is
 * beyond goes to one point that says so (otel.metric.overflow).
 *
 * A table that is half full is replaced by one of twice the size; the older ones stay for those who
 * are looking into them, and are as large as the newest together. A retired point leaves a
 * tombstone; they go with the next table, or where the chain behind them ends.
 *
 * Threads: finding and making, any; retiring, the collector.
 */
#include "metrics_priv.h"

#include <sched.h>
#include <stdlib.h>

enum { TABLE_MIN = 32, OVERFLOW_HASH = 1 };

static struct waggle__point tomb;

/* --- attributes ---------------------------------------------------------------------------- */

static uint64_t mixed(uint64_t h, uint64_t v)
{
    h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

static uint64_t mix_bytes(uint64_t h, const char *p, size_t n)
{
    uint64_t v;
    for (; n >= 8; p += 8, n -= 8) {
        memcpy(&v, p, 8);
        h = mixed(h, v);
    }
    v = n;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | (unsigned char)p[i];
    return mixed(h, v);
}

static uint64_t mix_value(uint64_t h, const waggle_value *v)
{
    h = mixed(h, v->type);
    switch (v->type) {
    case WAGGLE_STR:
    case WAGGLE_BYTES:
    case WAGGLE__ENCODED: return mix_bytes(h, v->as.str, v->n);
    case WAGGLE_BOOL: return mixed(h, v->as.boolean);
    case WAGGLE_I64:
    case WAGGLE_F64: return mixed(h, (uint64_t)v->as.i64);
    default: return h;
    }
}

uint64_t waggle__attrs_hash(const waggle_kv *attrs, size_t n, bool *ret_twice)
{
    uint64_t sum = 0;
    uint64_t seen = 0;
    *ret_twice = false;
    for (size_t i = 0; i < n; i++) {
        uint64_t key = mix_bytes(7, attrs[i].key, attrs[i].key_n);
        uint64_t bit = UINT64_C(1) << (key >> 58);
        *ret_twice |= (seen & bit) != 0;
        seen |= bit;
        sum += mixed(mix_value(key, &attrs[i].value), n);
    }
    return sum > OVERFLOW_HASH ? sum : sum + 2;
}

static bool same_value(const waggle_kv *a, const waggle_kv *b)
{
    if (a->value.type != b->value.type || a->value.n != b->value.n)
        return false;
    switch (a->value.type) {
    case WAGGLE_STR:
    case WAGGLE_BYTES:
    case WAGGLE__ENCODED:
        return a->value.n == 0 || memcmp(a->value.as.str, b->value.as.str, a->value.n) == 0;
    case WAGGLE_BOOL: return a->value.as.boolean == b->value.as.boolean;
    case WAGGLE_I64:
    case WAGGLE_F64: return a->value.as.i64 == b->value.as.i64;
    default: return true;
    }
}

static bool same_key(const waggle_kv *a, const waggle_kv *b)
{
    return a->key_n == b->key_n && memcmp(a->key, b->key, a->key_n) == 0;
}

/* The attributes of a point whose stripe is locked; in the order they first came they are quick. */
static bool has_attrs(const struct waggle__point *p, const waggle_kv *attrs, size_t n)
{
    if (p->n_attrs != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        size_t k = i;
        for (size_t tries = 0; !same_key(&attrs[i], &p->attrs[k]); k = k + 1 < n ? k + 1 : 0)
            if (++tries == n)
                return false;
        if (!same_value(&attrs[i], &p->attrs[k]))
            return false;
    }
    return true;
}

/* --- stripes ------------------------------------------------------------------------------- */

static bool try_lock(struct waggle__stripe *stripe)
{
    uint32_t open = 0;
    return atomic_load_explicit(&stripe->lock, memory_order_relaxed) == 0 &&
           atomic_compare_exchange_strong_explicit(&stripe->lock, &open, 1, memory_order_acquire,
                                                   memory_order_relaxed);
}

/* Any stripe, beginning with the thread's own; NULL if all stay taken. */
static struct waggle__stripe *lock_any(const struct waggle__stream *s, struct waggle__point *p,
                                       struct waggle__thread *t)
{
    enum { ROUNDS = 200, BUSY_ROUNDS = 8 };
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < s->n_stripes; i++) {
            uint32_t k = (t->number + i) & (s->n_stripes - 1);
            struct waggle__stripe *stripe = (struct waggle__stripe *)waggle__point_stripe(s, p, k);
            if (WAGGLE__LIKELY(try_lock(stripe)))
                return stripe;
        }
        if (round >= BUSY_ROUNDS)
            (void)sched_yield(); // cannot fail
    }
    return NULL;
}

struct waggle__stripe *waggle__stripe_wait(const struct waggle__stream *s, struct waggle__point *p,
                                           size_t i)
{
    struct waggle__stripe *stripe = (struct waggle__stripe *)waggle__point_stripe(s, p, i);
    while (!try_lock(stripe))
        (void)sched_yield(); // its holder is in the middle of a few instructions
    return stripe;
}

static void lock_all_stripes(const struct waggle__stream *s, struct waggle__point *p)
{
    for (size_t i = 0; i < s->n_stripes; i++)
        (void)waggle__stripe_wait(s, p, i); // opened again by unlock_all_stripes
}

static void unlock_all_stripes(const struct waggle__stream *s, struct waggle__point *p)
{
    for (size_t i = 0; i < s->n_stripes; i++)
        waggle__stripe_unlock((struct waggle__stripe *)waggle__point_stripe(s, p, i));
}

static void empty_stripe(const struct waggle__stream *s, struct waggle__stripe *stripe)
{
    stripe->used = 0;
    s->aggregator->reset(s, stripe->state);
}

/* --- finding ------------------------------------------------------------------------------- */

enum look_up { FOUND, NOT_THERE, BUSY };

static enum look_up look_up(struct waggle__stream *s, struct waggle__thread *t,
                            const waggle_kv *attrs, size_t n, uint64_t hash,
                            struct waggle__point **ret_point, struct waggle__stripe **ret_stripe)
{
    const struct waggle__points *table = atomic_load_explicit(&s->table, memory_order_acquire);
    if (table == NULL)
        return NOT_THERE;
    for (size_t i = hash >> 7 & table->mask;; i = (i + 1) & table->mask) {
        struct waggle__point *p = atomic_load_explicit(&table->slots[i], memory_order_acquire);
        if (p == NULL)
            return NOT_THERE;
        if (p == &tomb || atomic_load_explicit(&p->hash, memory_order_relaxed) != hash)
            continue;
        struct waggle__stripe *stripe = lock_any(s, p, t);
        if (stripe == NULL)
            return BUSY;
        if (WAGGLE__LIKELY(atomic_load_explicit(&p->hash, memory_order_relaxed) == hash &&
                           has_attrs(p, attrs, n))) {
            *ret_point = p;
            *ret_stripe = stripe;
            return FOUND;
        }
        waggle__stripe_unlock(stripe);
    }
}

/* --- making -------------------------------------------------------------------------------- */

static void put_in(struct waggle__points *table, struct waggle__point *p, uint64_t hash)
{
    size_t i = hash >> 7 & table->mask;
    for (;; i = (i + 1) & table->mask) {
        struct waggle__point *there = atomic_load_explicit(&table->slots[i], memory_order_relaxed);
        if (there == &tomb)
            table->n_tombs--;
        if (there == NULL || there == &tomb)
            break;
    }
    atomic_store_explicit(&table->slots[i], p, memory_order_release);
}

static void put_all_in(const struct waggle__stream *s, struct waggle__points *table)
{
    struct waggle__point *p = atomic_load_explicit(&s->points, memory_order_relaxed);
    for (; p != NULL; p = atomic_load_explicit(&p->next, memory_order_relaxed)) {
        uint64_t hash = atomic_load_explicit(&p->hash, memory_order_relaxed);
        if (hash > OVERFLOW_HASH)
            put_in(table, p, hash);
    }
}

/* The table with room for one more point; NULL without memory. Called with the lock held. One that
 * is full of tombstones is made anew where it stands: who looks into it meanwhile and does not find
 * a point comes here, and waits. */
static struct waggle__points *table_with_room(struct waggle__stream *s)
{
    struct waggle__points *old = atomic_load_explicit(&s->table, memory_order_relaxed);
    size_t n_points = atomic_load_explicit(&s->n_points, memory_order_relaxed);
    size_t n = old == NULL ? TABLE_MIN : old->mask + 1;
    if (old != NULL && 4 * (n_points + old->n_tombs + 1) <= 3 * n)
        return old;
    while (n < 2 * (n_points + 1))
        n *= 2;
    if (old != NULL && n == old->mask + 1) {
        for (size_t i = 0; i < n; i++)
            atomic_store_explicit(&old->slots[i], NULL, memory_order_relaxed);
        old->n_tombs = 0;
        put_all_in(s, old);
        return old;
    }
    struct waggle__points *made = calloc(1, sizeof *made + n * sizeof made->slots[0]);
    if (made == NULL)
        return NULL;
    made->mask = n - 1;
    made->older = old;
    put_all_in(s, made);
    atomic_store_explicit(&s->table, made, memory_order_release);
    return made;
}

static struct waggle__point *new_point(struct waggle__stream *s)
{
    struct waggle__point *p = s->free_points;
    if (p != NULL) {
        s->free_points = p->next_free;
        return p;
    }
    p = calloc(1, sizeof *p);
    // Stripes begin on cache lines of their own.
    uint8_t *stripes =
        p != NULL ? aligned_alloc(WAGGLE__CACHE_LINE, s->n_stripes * s->stripe_size) : NULL;
    if (stripes == NULL) {
        free(p);
        return NULL;
    }
    memset(stripes, 0, s->n_stripes * s->stripe_size);
    p->stripes = stripes;
    if (s->exemplar_filter != WAGGLE_EXEMPLARS_ALWAYS_OFF && !s->is_async)
        p->exemplars = waggle__exemplars_new(s); // without memory: none are kept
    for (size_t i = 0; i < s->n_stripes; i++)
        empty_stripe(s, (struct waggle__stripe *)waggle__point_stripe(s, p, i));
    atomic_store_explicit(s->last != NULL ? &s->last->next : &s->points, p, memory_order_release);
    s->last = p;
    return p;
}

static bool has_bytes(const waggle_value *v)
{
    return v->type == WAGGLE_STR || v->type == WAGGLE_BYTES || v->type == WAGGLE__ENCODED;
}

static size_t attr_size(const waggle_kv *kv)
{
    if (kv->value.type != WAGGLE__ENCODED)
        return waggle__kv_size(kv, &waggle__no_value_limits, 0);
    size_t key_n = waggle__text_of(kv->key, kv->key_n, WAGGLE_NO_LIMIT).out_n;
    return 2 + waggle__varint_n(key_n) + key_n + waggle__varint_n(kv->value.n) + kv->value.n;
}

static uint8_t *attr_write(uint8_t *w, const waggle_kv *kv)
{
    if (kv->value.type != WAGGLE__ENCODED)
        return waggle__kv_write(w, kv, &waggle__no_value_limits, 0);
    struct waggle__text key = waggle__text_of(kv->key, kv->key_n, WAGGLE_NO_LIMIT);
    *w++ = 0x0a;
    w = waggle__put_varint(w, key.out_n);
    w = waggle__text_write(w, &key);
    *w++ = 0x12;
    w = waggle__put_varint(w, kv->value.n);
    memcpy(w, kv->value.as.bytes, kv->value.n);
    return w + kv->value.n;
}

static char *copy_kv(waggle_kv *to, const waggle_kv *from, char *at)
{
    *to = *from;
    memcpy(at, from->key, from->key_n);
    to->key = at;
    at += from->key_n;
    if (has_bytes(&from->value)) {
        if (from->value.n > 0)
            memcpy(at, from->value.as.str, from->value.n);
        to->value.as.str = at;
        at += from->value.n;
    }
    return at;
}

/* Give the point its attributes, in one block: copies, their bytes, their encoding. */
static bool set_attrs(const struct waggle__stream *s, struct waggle__point *p,
                      const waggle_kv *attrs, size_t n)
{
    size_t bytes = 0;
    size_t encoded = 0;
    for (size_t i = 0; i < n; i++) {
        size_t kv_n = attr_size(&attrs[i]);
        bytes += attrs[i].key_n + (has_bytes(&attrs[i].value) ? attrs[i].value.n : 0);
        encoded += 1 + waggle__varint_n(kv_n) + kv_n;
    }
    if (n == 0)
        return true;
    waggle_kv *block = malloc(n * sizeof *block + bytes + encoded);
    if (block == NULL)
        return false;
    char *at = (char *)(block + n);
    for (size_t i = 0; i < n; i++)
        at = copy_kv(&block[i], &attrs[i], at);
    uint8_t *w = (uint8_t *)at;
    p->encoded = w;
    for (size_t i = 0; i < n; i++) {
        *w++ = s->aggregator->attributes_tag;
        w = waggle__put_varint(w, attr_size(&block[i]));
        w = attr_write(w, &block[i]);
    }
    p->encoded_n = (size_t)(w - p->encoded);
    p->attrs = block;
    p->n_attrs = n;
    return true;
}

static bool is_full(const struct waggle__stream *s)
{
    return atomic_load_explicit(&s->n_points, memory_order_relaxed) + 1 >= s->limit;
}

static struct waggle__point *make_overflow_locked(struct waggle__stream *s)
{
    const waggle_kv kv = waggle_kv_bool("otel.metric.overflow", true);
    struct waggle__point *p = atomic_load_explicit(&s->overflow, memory_order_relaxed);
    if (p == NULL) {
        p = new_point(s);
        if (p == NULL)
            return NULL;
        lock_all_stripes(s, p);
        bool ok = set_attrs(s, p, &kv, 1);
        atomic_store_explicit(&p->hash, OVERFLOW_HASH, memory_order_relaxed);
        unlock_all_stripes(s, p);
        if (!ok)
            return NULL;
        atomic_store_explicit(&s->overflow, p, memory_order_release);
    }
    return p;
}

static struct waggle__point *make_locked(struct waggle__stream *s, const waggle_kv *attrs, size_t n,
                                         uint64_t hash)
{
    if (is_full(s))
        return make_overflow_locked(s);
    struct waggle__points *table = table_with_room(s);
    struct waggle__point *p = table != NULL ? new_point(s) : NULL;
    if (p == NULL)
        return NULL;
    lock_all_stripes(s, p);
    bool ok = set_attrs(s, p, attrs, n);
    if (ok)
        atomic_store_explicit(&p->hash, hash, memory_order_relaxed);
    unlock_all_stripes(s, p);
    if (!ok) {
        p->next_free = s->free_points;
        s->free_points = p;
        return NULL;
    }
    put_in(table, p, hash);
    atomic_fetch_add_explicit(&s->n_points, 1, memory_order_relaxed);
    return p;
}

WAGGLE__COLD static struct waggle__stripe *
make_point(struct waggle__stream *s, struct waggle__thread *t, const waggle_kv *attrs, size_t n,
           uint64_t hash, struct waggle__point **ret_point)
{
    struct waggle__stripe *stripe = NULL;
    (void)pthread_mutex_lock(&s->lock); // fails only for a mutex that is none
    bool had_room = !is_full(s);
    if (look_up(s, t, attrs, n, hash, ret_point, &stripe) == NOT_THERE) {
        *ret_point = make_locked(s, attrs, n, hash);
        if (*ret_point != NULL) // nobody retires it while the stream is locked
            stripe = lock_any(s, *ret_point, t);
    }
    bool has_room = !is_full(s);
    (void)pthread_mutex_unlock(&s->lock);
    if (had_room && !has_room &&
        !atomic_exchange_explicit(&s->is_told_full, true, memory_order_relaxed))
        waggle__error(WAGGLE_LEVEL_WARN,
                      "metric %s has %u sets of attributes: others are counted as one", s->name,
                      (unsigned)s->limit - 1);
    return stripe;
}

struct waggle__stripe *waggle__point_lock(struct waggle__stream *s, struct waggle__thread *t,
                                          const waggle_kv *attrs, size_t n, uint64_t hash,
                                          struct waggle__point **ret_point)
{
    struct waggle__stripe *stripe = NULL;
    enum look_up found = look_up(s, t, attrs, n, hash, ret_point, &stripe);
    if (WAGGLE__UNLIKELY(found == NOT_THERE)) {
        *ret_point = is_full(s) ? atomic_load_explicit(&s->overflow, memory_order_acquire) : NULL;
        stripe = *ret_point != NULL ? lock_any(s, *ret_point, t)
                                    : make_point(s, t, attrs, n, hash, ret_point);
    }
    // A last value that another thread is setting all the while was set before that one's.
    if (WAGGLE__UNLIKELY(stripe == NULL) &&
        !(found == BUSY && s->aggregator == &waggle__aggregate_last))
        waggle__count(t, WAGGLE__UNMEASURED, 1);
    return stripe;
}

/* --- the end of a point -------------------------------------------------------------------- */

static void take_out_locked(struct waggle__stream *s, struct waggle__point *p, uint64_t hash)
{
    struct waggle__points *table = atomic_load_explicit(&s->table, memory_order_relaxed);
    size_t i = hash >> 7 & table->mask;
    while (atomic_load_explicit(&table->slots[i], memory_order_relaxed) != p)
        i = (i + 1) & table->mask;
    atomic_store_explicit(&table->slots[i], &tomb, memory_order_release);
    table->n_tombs++;
    size_t next = (i + 1) & table->mask;
    if (atomic_load_explicit(&table->slots[next], memory_order_relaxed) != NULL)
        return;
    while (atomic_load_explicit(&table->slots[i], memory_order_relaxed) == &tomb) {
        atomic_store_explicit(&table->slots[i], NULL, memory_order_release); // its chain ends here
        table->n_tombs--;
        i = (i - 1) & table->mask;
    }
}

void waggle__point_retire(struct waggle__stream *s, struct waggle__point *p)
{
    (void)pthread_mutex_lock(&s->lock); // fails only for a mutex that is none
    lock_all_stripes(s, p);
    bool used = false;
    for (size_t i = 0; i < s->n_stripes; i++)
        used |= ((struct waggle__stripe *)waggle__point_stripe(s, p, i))->used != 0;
    if (used) { // measured meanwhile
        unlock_all_stripes(s, p);
    } else {
        take_out_locked(s, p, atomic_load_explicit(&p->hash, memory_order_relaxed));
        atomic_store_explicit(&p->hash, 0, memory_order_relaxed);
        free(p->attrs);
        p->attrs = NULL;
        p->encoded = NULL;
        p->n_attrs = p->encoded_n = 0;
        p->previous = (struct waggle__number){0};
        unlock_all_stripes(s, p);
        p->next_free = s->free_points;
        s->free_points = p;
        atomic_fetch_sub_explicit(&s->n_points, 1, memory_order_relaxed);
    }
    (void)pthread_mutex_unlock(&s->lock);
}

void waggle__points_after_fork(struct waggle__stream *s)
{
    struct waggle__point *p = atomic_load_explicit(&s->points, memory_order_relaxed);
    for (; p != NULL; p = atomic_load_explicit(&p->next, memory_order_relaxed)) {
        for (size_t i = 0; i < s->n_stripes; i++) {
            struct waggle__stripe *stripe = (struct waggle__stripe *)waggle__point_stripe(s, p, i);
            empty_stripe(s, stripe);
            waggle__stripe_unlock(stripe);
        }
        waggle__exemplars_after_fork(p->exemplars);
        p->previous = (struct waggle__number){0};
    }
}

void waggle__points_free(struct waggle__stream *s)
{
    struct waggle__point *p = atomic_load_explicit(&s->points, memory_order_relaxed);
    while (p != NULL) {
        struct waggle__point *next = atomic_load_explicit(&p->next, memory_order_relaxed);
        free(p->attrs);
        free(p->exemplars);
        free(p->stripes);
        free(p);
        p = next;
    }
    struct waggle__points *table = atomic_load_explicit(&s->table, memory_order_relaxed);
    while (table != NULL) {
        struct waggle__points *older = table->older;
        free(table);
        table = older;
    }
}
