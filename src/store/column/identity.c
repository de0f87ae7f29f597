// SPDX-License-Identifier: Apache-2.0
/* The identity table: a repeated request gets the first answer again.
 *
 * Acknowledged identities stand in two generations, each an array with an index.  When the newer
 * one is full or ten minutes old it becomes the older one and the older one is forgotten: nothing
 * is ever deleted one by one, memory is bounded, and what is younger than ten minutes is remembered
 * unless more than SKEP_IDENTITY_MAX came since.
 *
 * Requests on their way stand in a small chained table; a twin that arrives meanwhile waits in a
 * list of the first and gets its outcome.
 *
 * I1  an identity is in flight at most once.
 * I2  settle moves it into the newer generation (or forgets it) and hands out its waiters, both
 * under the same lock: no twin can slip between.
 *
 * Threads: any; one mutex, never held over anything slow. */
#include "store/column/identity.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "os/thread.h"

enum { BUCKETS = 1024 };

struct generation {
    struct skep_identity_entry *e;
    uint32_t n, cap;
    skep_ts_ns begun_ns;
    struct skep_index index;
};

struct skep_identity {
    struct skep_mutex mu;
    struct generation gen[2]; /* newer, older */
    struct skep_identity_flight *flights[BUCKETS];
};

/* Identities are hashes already. */
static uint64_t hash_of(const uint8_t id[16])
{
    return skep_hash_u64(skep_load_le64(id) ^ skep_load_le64(id + 8));
}

struct skep_identity *skep_identity_new(void)
{
    struct skep_identity *t = skep_alloc(struct skep_identity);
    skep_mutex_init(&t->mu, "identity");
    return t;
}

static void generation_done(struct generation *g)
{
    skep_free(g->e);
    skep_index_done(&g->index);
    *g = (struct generation){0};
}

void skep_identity_free(struct skep_identity *t)
{
    if (!t)
        return;
    for (int b = 0; b < BUCKETS; b++)
        skep_assert(t->flights[b] == NULL); /* every append was settled */
    generation_done(&t->gen[0]);
    generation_done(&t->gen[1]);
    skep_mutex_done(&t->mu);
    skep_free(t);
}

static const struct skep_identity_entry *find_locked(struct skep_identity *t, const uint8_t id[16],
                                                     uint64_t hash, skep_ts_ns now_ns)
{
    for (int g = 0; g < 2; g++) {
        struct skep_index_it it = skep_index_begin(&t->gen[g].index, hash);
        for (uint32_t i; (i = skep_index_next(&t->gen[g].index, &it)) != SKEP_INDEX_NONE;) {
            const struct skep_identity_entry *e = &t->gen[g].e[i];
            if (memcmp(e->id, id, 16) == 0 && now_ns - e->received_ns <= SKEP_IDENTITY_NS)
                return e;
        }
    }
    return NULL;
}

static void remember_locked(struct skep_identity *t, const struct skep_identity_entry *e)
{
    struct generation *g = &t->gen[0];
    if (g->n == SKEP_IDENTITY_MAX || (g->n && e->received_ns - g->begun_ns > SKEP_IDENTITY_NS)) {
        generation_done(&t->gen[1]);
        t->gen[1] = *g;
        *g = (struct generation){0};
    }
    if (g->n == 0)
        g->begun_ns = e->received_ns;
    SKEP_GROW(g->e, g->n, g->cap);
    g->e[g->n] = *e;
    skep_index_add(&g->index, hash_of(e->id), g->n);
    g->n++;
}

void skep_identity_remember(struct skep_identity *t, const struct skep_identity_entry *e)
{
    skep_mutex_lock(&t->mu);
    remember_locked(t, e);
    skep_mutex_unlock(&t->mu);
}

enum skep_identity_verdict skep_identity_begin(struct skep_identity *t,
                                               struct skep_identity_flight *f,
                                               struct skep_identity_waiter *w, skep_ts_ns now_ns,
                                               uint64_t *ret_seq)
{
    uint64_t hash = hash_of(f->id);
    enum skep_identity_verdict v = SKEP_IDENTITY_NEW;
    skep_mutex_lock(&t->mu);
    const struct skep_identity_entry *e = find_locked(t, f->id, hash, now_ns);
    struct skep_identity_flight **bucket = &t->flights[hash % BUCKETS];
    struct skep_identity_flight *first = *bucket;
    while (first && memcmp(first->id, f->id, 16) != 0)
        first = first->next;
    if (e) {
        *ret_seq = e->seq;
        v = SKEP_IDENTITY_DUPLICATE;
    } else if (first) {
        w->next = first->waiters;
        first->waiters = w;
        v = SKEP_IDENTITY_WAIT;
    } else {
        f->waiters = NULL;
        f->next = *bucket;
        *bucket = f;
    }
    skep_mutex_unlock(&t->mu);
    return v;
}

struct skep_identity_waiter *skep_identity_settle(struct skep_identity *t,
                                                  struct skep_identity_flight *f, uint64_t seq,
                                                  skep_ts_ns received_ns)
{
    skep_mutex_lock(&t->mu);
    struct skep_identity_flight **at = &t->flights[hash_of(f->id) % BUCKETS];
    while (*at && *at != f)
        at = &(*at)->next;
    skep_assert(*at == f);
    *at = f->next;
    if (seq > 0) {
        struct skep_identity_entry e = {.seq = seq, .received_ns = received_ns};
        memcpy(e.id, f->id, 16);
        remember_locked(t, &e);
    }
    struct skep_identity_waiter *waiters = f->waiters;
    f->waiters = NULL;
    skep_mutex_unlock(&t->mu);
    return waiters;
}

struct skep_identity_entry *skep_identity_list(struct skep_identity *t, uint64_t above,
                                               uint64_t up_to, skep_ts_ns since_ns, size_t *ret_n)
{
    skep_mutex_lock(&t->mu);
    size_t n = 0;
    struct skep_identity_entry *list =
        skep_alloc_n(struct skep_identity_entry, (size_t)t->gen[0].n + t->gen[1].n);
    for (int g = 1; g >= 0; g--)
        for (uint32_t i = 0; i < t->gen[g].n; i++) {
            const struct skep_identity_entry *e = &t->gen[g].e[i];
            if (e->seq > above && e->seq <= up_to && e->received_ns >= since_ns)
                list[n++] = *e;
        }
    skep_mutex_unlock(&t->mu);
    *ret_n = n;
    return list;
}
