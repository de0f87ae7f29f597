// SPDX-License-Identifier: Apache-2.0
/* How much one address may have: connections at a time, requests a second.
 *
 *   address (IPv4, or the /64 of IPv6) -> entry { connections, tokens }
 *
 * The table has a fixed number of entries, twice as many as connections may be open.  An entry
 * with connections stays; the others wait in a queue, and a new address takes the one that has
 * been without connections for longest.  So a flood of addresses can only make us forget addresses
 * that are not connected.
 *
 * I1  connections of an entry > 0 <=> it is not in the queue.
 * I2  a hash is seeded at start: nobody can choose addresses that collide.
 * Threads: any; mu guards all.  Memory: 64 bytes an entry, at start. */
#include "net/net_priv.h"

#include <gnutls/crypto.h>

enum { ENTRIES_MIN = 1024, BURST_SECONDS = 2 };

struct peer {
    uint8_t address[16];
    uint32_t connections;
    uint32_t chain;      /* next of the same hash, or NONE */
    uint32_t next, prev; /* in the queue of those without connections */
    uint64_t tokens_milli, filled_ms;
    bool used;
};

struct skep_net__peers {
    pthread_mutex_t mu;
    struct peer *all;
    uint32_t *heads;      /* by hash */
    uint32_t n;           /* a power of two */
    uint32_t first, last; /* of the queue; first has waited for longest */
    uint64_t seed;
    uint32_t connections_max, per_s;
    bool loopback;
};

#define NONE UINT32_MAX

static void lock(struct skep_net__peers *t)
{
    int rc = pthread_mutex_lock(&t->mu);
    skep_assert(rc == 0);
}

static void unlock(struct skep_net__peers *t)
{
    int rc = pthread_mutex_unlock(&t->mu);
    skep_assert(rc == 0);
}

/* --- the queue --- */

static void queue_put(struct skep_net__peers *t, uint32_t i)
{
    struct peer *p = &t->all[i];
    p->next = NONE;
    p->prev = t->last;
    if (t->last != NONE)
        t->all[t->last].next = i;
    else
        t->first = i;
    t->last = i;
}

static void queue_drop(struct skep_net__peers *t, uint32_t i)
{
    struct peer *p = &t->all[i];
    if (p->prev != NONE)
        t->all[p->prev].next = p->next;
    else
        t->first = p->next;
    if (p->next != NONE)
        t->all[p->next].prev = p->prev;
    else
        t->last = p->prev;
}

/* --- addresses --- */

static struct skep_net__who cut(struct skep_net__who who)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (memcmp(who.address, mapped, sizeof mapped) != 0)
        memset(who.address + 8, 0, 8); /* whoever has one IPv6 address has 2^64 */
    return who;
}

static uint32_t *head_of(struct skep_net__peers *t, const struct skep_net__who *who)
{
    uint64_t h = skep_hash_seed((skep_bytes){who->address, sizeof who->address}, t->seed);
    return &t->heads[h & (t->n - 1)];
}

static uint32_t find(struct skep_net__peers *t, const struct skep_net__who *who)
{
    uint32_t i = *head_of(t, who);
    while (i != NONE && memcmp(t->all[i].address, who->address, 16) != 0)
        i = t->all[i].chain;
    return i;
}

static void forget(struct skep_net__peers *t, uint32_t i)
{
    struct skep_net__who who;
    memcpy(who.address, t->all[i].address, sizeof who.address);
    uint32_t *at = head_of(t, &who);
    while (*at != i) {
        skep_assert(*at != NONE);
        at = &t->all[*at].chain;
    }
    *at = t->all[i].chain;
    t->all[i].used = false;
}

/* The entry of an address, made if need be; NONE: every entry has connections. */
static uint32_t reach(struct skep_net__peers *t, const struct skep_net__who *who)
{
    uint32_t i = find(t, who);
    if (i != NONE)
        return i;
    i = t->first;
    if (i == NONE)
        return NONE;
    struct peer *p = &t->all[i];
    if (p->used)
        forget(t, i);
    uint32_t *head = head_of(t, who);
    memcpy(p->address, who->address, sizeof p->address);
    p->used = true;
    p->tokens_milli = (uint64_t)t->per_s * BURST_SECONDS * 1000;
    p->filled_ms = skep_net__now_ms();
    p->chain = *head;
    *head = i;
    return i;
}

static bool is_exempt(const struct skep_net__peers *t, const struct skep_net__who *who)
{
    static const uint8_t v4[13] = {[10] = 0xff, [11] = 0xff, [12] = 127};
    static const uint8_t v6[16] = {[15] = 1};
    return !t->loopback &&
           (memcmp(who->address, v4, sizeof v4) == 0 || memcmp(who->address, v6, sizeof v6) == 0);
}

/* --- what the others call --- */

struct skep_net__peers *skep_net__peers_new(const struct skep_net_config *cfg)
{
    struct skep_net__peers *t = skep_alloc(struct skep_net__peers);
    uint64_t want = SKEP_MAX((uint64_t)cfg->connections_max * 2, (uint64_t)ENTRIES_MIN);
    t->n = 1;
    while (t->n < want)
        t->n *= 2;
    t->all = skep_alloc_n(struct peer, t->n);
    t->heads = skep_alloc_n(uint32_t, t->n);
    t->first = t->last = NONE;
    t->connections_max = cfg->address_connections;
    t->per_s = cfg->address_requests;
    t->loopback = cfg->address_loopback;
    if (gnutls_rnd(GNUTLS_RND_NONCE, &t->seed, sizeof t->seed) != 0)
        t->seed = skep_net__now_ms(); /* chains may grow, nothing else */
    for (uint32_t i = 0; i < t->n; i++) {
        t->heads[i] = NONE;
        queue_put(t, i);
    }
    int rc = pthread_mutex_init(&t->mu, NULL);
    skep_assert(rc == 0);
    return t;
}

void skep_net__peers_free(struct skep_net__peers *t)
{
    if (!t)
        return;
    (void)pthread_mutex_destroy(&t->mu); /* nobody is left to hold it */
    skep_free(t->all);
    skep_free(t->heads);
    skep_free(t);
}

bool skep_net__peers_enter(struct skep_net__peers *t, const struct skep_net__who *from)
{
    struct skep_net__who who = cut(*from);
    if (t->connections_max == 0 || is_exempt(t, from))
        return true;
    lock(t);
    uint32_t i = reach(t, &who);
    bool ok = i != NONE && t->all[i].connections < t->connections_max;
    if (ok && t->all[i].connections++ == 0)
        queue_drop(t, i);
    unlock(t);
    return ok;
}

void skep_net__peers_leave(struct skep_net__peers *t, const struct skep_net__who *from)
{
    struct skep_net__who who = cut(*from);
    if (t->connections_max == 0 || is_exempt(t, from))
        return;
    lock(t);
    uint32_t i = find(t, &who);
    skep_assert(i != NONE && t->all[i].connections > 0);
    if (--t->all[i].connections == 0)
        queue_put(t, i);
    unlock(t);
}

unsigned skep_net__peers_request(struct skep_net__peers *t, const struct skep_net__who *from,
                                 uint64_t now_ms)
{
    struct skep_net__who who = cut(*from);
    unsigned wait_s = 0;
    if (t->per_s == 0 || is_exempt(t, from))
        return 0;
    lock(t);
    uint32_t i = reach(t, &who);
    if (i == NONE) {
        wait_s = 1;
    } else {
        struct peer *p = &t->all[i];
        uint64_t full = (uint64_t)t->per_s * BURST_SECONDS * 1000;
        uint64_t ms = now_ms > p->filled_ms ? now_ms - p->filled_ms : 0;
        p->tokens_milli = ms >= (uint64_t)BURST_SECONDS * 1000
                              ? full
                              : SKEP_MIN(full, p->tokens_milli + ms * t->per_s);
        p->filled_ms = SKEP_MAX(p->filled_ms, now_ms);
        if (p->tokens_milli >= 1000)
            p->tokens_milli -= 1000;
        else
            wait_s = 1; /* a token comes within a second: per_s >= 1 */
    }
    unlock(t);
    return wait_s;
}
