// SPDX-License-Identifier: Apache-2.0
/* Worker pool: a queue of unordered jobs and a fixed number of threads.
 *
 *   submit --> [job][job][job] --> worker, worker, ...
 *   each(n): the caller claims indexes 0..n-1 one by one; idle workers help through "helper" jobs
 *            that claim from the same counter
 *
 * I1  the queue is a ring of cap jobs, n <= cap, under `mu`.
 * I2  each() returns when all n calls have returned; it waits only for indexes some thread has
 *     already claimed, never for a queued job, so calling it from a job cannot deadlock.
 * I3  a helper that starts after the work is gone finds the counter exhausted; the group lives
 * until the last helper has let it go (refcount).
 *
 * Threads: any.  Memory: one group per each(); the ring grows and stays. */
#include "os/thread.h"

#include "base/assert.h"
#include "base/mem.h"

struct job {
    void (*fn)(void *);
    void *arg;
};

struct skep_pool {
    struct skep_mutex mu;
    struct skep_cond wake;
    struct job *ring; /* under mu */
    size_t at, n, cap;
    bool stopping;
    unsigned n_threads;
    skep_thread threads[];
};

static void push_locked(struct skep_pool *p, struct job j)
{
    skep_assert_held(&p->mu);
    if (p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 64;
        struct job *ring = skep_alloc_n(struct job, cap);
        for (size_t i = 0; i < p->n; i++)
            ring[i] = p->ring[(p->at + i) % p->cap];
        skep_free(p->ring);
        p->ring = ring;
        p->cap = cap;
        p->at = 0;
    }
    p->ring[(p->at + p->n++) % p->cap] = j;
}

static void work(void *arg)
{
    struct skep_pool *p = arg;
    skep_mutex_lock(&p->mu);
    for (;;) {
        while (p->n == 0 && !p->stopping)
            skep_cond_wait(&p->wake, &p->mu);
        if (p->n == 0)
            break;
        struct job j = p->ring[p->at];
        p->at = (p->at + 1) % p->cap;
        p->n--;
        skep_mutex_unlock(&p->mu);
        j.fn(j.arg);
        skep_mutex_lock(&p->mu);
    }
    skep_mutex_unlock(&p->mu);
}

struct skep_pool *skep_pool_new(const char *name, unsigned n_threads)
{
    skep_assert(name && n_threads > 0);
    struct skep_pool *p = skep_calloc(1, sizeof *p + n_threads * sizeof p->threads[0]);
    skep_mutex_init(&p->mu, "pool");
    skep_cond_init(&p->wake);
    p->n_threads = n_threads;
    for (unsigned i = 0; i < n_threads; i++)
        skep_thread_start(&p->threads[i], name, work, p);
    return p;
}

void skep_pool_free(struct skep_pool *p)
{
    if (!p)
        return;
    skep_mutex_lock(&p->mu);
    p->stopping = true;
    skep_cond_broadcast(&p->wake);
    skep_mutex_unlock(&p->mu);
    for (unsigned i = 0; i < p->n_threads; i++)
        skep_thread_join(&p->threads[i]);
    skep_assert(p->n == 0);
    skep_cond_done(&p->wake);
    skep_mutex_done(&p->mu);
    skep_free(p->ring);
    skep_free(p);
}

void skep_pool_submit(struct skep_pool *p, void (*fn)(void *), void *arg)
{
    skep_assert(p && fn);
    skep_mutex_lock(&p->mu);
    push_locked(p, (struct job){fn, arg});
    skep_cond_signal(&p->wake);
    skep_mutex_unlock(&p->mu);
}

unsigned skep_pool_threads(const struct skep_pool *p)
{
    return p->n_threads;
}

/* One each() call. */
struct group {
    _Atomic uint32_t refs; /* caller and helpers */
    _Atomic unsigned next; /* first unclaimed index */
    unsigned n;
    void (*fn)(void *, unsigned);
    void *arg;
    struct skep_mutex mu;
    struct skep_cond all_done;
    unsigned n_done; /* under mu */
};

static void group_unref(struct group *g)
{
    /* acq_rel: the last one must see what the others wrote before it frees. */
    if (atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel) != 1)
        return;
    skep_cond_done(&g->all_done);
    skep_mutex_done(&g->mu);
    skep_free(g);
}

static void group_work(struct group *g)
{
    unsigned done = 0;
    for (;;) {
        /* Relaxed: the index alone is claimed; results are ordered by `mu` below. */
        unsigned i = atomic_fetch_add_explicit(&g->next, 1, memory_order_relaxed);
        if (i >= g->n)
            break;
        g->fn(g->arg, i);
        done++;
    }
    if (done == 0)
        return;
    skep_mutex_lock(&g->mu);
    g->n_done += done;
    skep_assert(g->n_done <= g->n);
    if (g->n_done == g->n)
        skep_cond_broadcast(&g->all_done);
    skep_mutex_unlock(&g->mu);
}

static void help(void *arg)
{
    struct group *g = arg;
    group_work(g);
    group_unref(g);
}

void skep_pool_each(struct skep_pool *p, unsigned n, void (*fn)(void *arg, unsigned i), void *arg)
{
    skep_assert(p && fn);
    skep_assert(n < UINT32_MAX / 2); /* the claim counter overshoots by one per thread */
    if (n <= 1) {
        if (n == 1)
            fn(arg, 0);
        return;
    }
    struct group *g = skep_alloc(struct group);
    unsigned helpers = SKEP_MIN(p->n_threads, n - 1);
    atomic_init(&g->refs, helpers + 1);
    g->n = n;
    g->fn = fn;
    g->arg = arg;
    skep_mutex_init(&g->mu, "pool_each");
    skep_cond_init(&g->all_done);
    skep_mutex_lock(&p->mu);
    for (unsigned i = 0; i < helpers; i++)
        push_locked(p, (struct job){help, g});
    skep_cond_broadcast(&p->wake);
    skep_mutex_unlock(&p->mu);

    group_work(g);
    skep_mutex_lock(&g->mu);
    while (g->n_done < g->n)
        skep_cond_wait(&g->all_done, &g->mu);
    skep_mutex_unlock(&g->mu);
    group_unref(g);
}
