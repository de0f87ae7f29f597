// SPDX-License-Identifier: Apache-2.0
/* Worker pool: a queue of unordered jobs and a fixed number of threads.
 *
 *   submit --> [job][job][job] --> worker, worker, ...
 *   each(n): the caller claims indexes 0..n-1 one by one; idle workers help through "helper" jobs
 *            that claim from the same counter
 *
 * Helpers stand in a queue of their own, behind all jobs.  While something urgent is under way only
 * so many help that they and the caller have half of the cores; who is one too many puts his help
 * back into the queue between two indexes and is free for jobs.
 *
 * I1  each queue is a ring of cap jobs, n <= cap, under `mu`.
 * I2  each() returns when all n calls have returned; it waits only for indexes some thread has
 *     already claimed, never for a queued job, so calling it from a job cannot deadlock.
 * I3  a helper that starts after the work is gone finds the counter exhausted; the group lives
 * until the last helper has let it go (refcount).  each() takes back helpers nobody has begun.
 *
 * Threads: any.  Memory: one group per each(); the ring grows and stays. */
#include "os/thread.h"

#include "base/assert.h"
#include "base/mem.h"

struct job {
    void (*fn)(void *);
    void *arg;
};

struct queue {
    struct job *ring;
    size_t at, n, cap;
};

struct skep_pool {
    struct skep_mutex mu;
    struct skep_cond wake;
    struct skep_cond rest;      /* of helpers that give way; never signalled */
    struct queue jobs, helpers; /* under mu */
    unsigned helping;           /* threads that run a helper; under mu */
    unsigned half;              /* so many may help while something is urgent */
    _Atomic unsigned urgent;
    bool stopping;
    unsigned n_threads;
    skep_thread threads[];
};

enum { REST_MS = 2 };

/* Does this thread run a helper? */
static _Thread_local bool helper;

static void push(struct queue *q, struct job j)
{
    if (q->n == q->cap) {
        size_t cap = q->cap ? q->cap * 2 : 64;
        struct job *ring = skep_alloc_n(struct job, cap);
        for (size_t i = 0; i < q->n; i++)
            ring[i] = q->ring[(q->at + i) % q->cap];
        skep_free(q->ring);
        q->ring = ring;
        q->cap = cap;
        q->at = 0;
    }
    q->ring[(q->at + q->n++) % q->cap] = j;
}

static struct job pop(struct queue *q)
{
    struct job j = q->ring[q->at];
    q->at = (q->at + 1) % q->cap;
    q->n--;
    return j;
}

/* Relaxed: a late answer costs a millisecond, nothing is ordered by it. */
static bool is_urgent(struct skep_pool *p)
{
    return atomic_load_explicit(&p->urgent, memory_order_relaxed) > 0;
}

void skep_pool_urgent_begin(struct skep_pool *p, unsigned n)
{
    atomic_fetch_add_explicit(&p->urgent, n, memory_order_relaxed);
}

/* Nobody is woken: who rests looks again after REST_MS. */
void skep_pool_urgent_end(struct skep_pool *p, unsigned n)
{
    unsigned before = atomic_fetch_sub_explicit(&p->urgent, n, memory_order_relaxed);
    skep_assert(before >= n);
}

void skep_pool_give_way(struct skep_pool *p)
{
    if (!p || !helper || !is_urgent(p))
        return;
    skep_mutex_lock(&p->mu);
    if (p->helping > p->half && !p->stopping)
        (void)skep_cond_wait_ms(&p->wake, &p->mu,
                                REST_MS); /* a wake-up meant for another is rare */
    skep_mutex_unlock(&p->mu);
}

/* What there is to do now; false = nothing. */
static bool take_locked(struct skep_pool *p, struct job *ret, bool *ret_helper)
{
    skep_assert_held(&p->mu);
    *ret_helper = p->jobs.n == 0;
    if (p->jobs.n > 0) {
        *ret = pop(&p->jobs);
        return true;
    }
    if (p->helpers.n == 0 || (is_urgent(p) && p->helping >= p->half && !p->stopping))
        return false;
    *ret = pop(&p->helpers);
    return true;
}

static void work(void *arg)
{
    struct skep_pool *p = arg;
    struct job j;
    skep_mutex_lock(&p->mu);
    for (;;) {
        bool help = false;
        while (!take_locked(p, &j, &help)) {
            if (p->stopping) {
                skep_mutex_unlock(&p->mu);
                return;
            }
            if (p->helpers.n > 0)
                (void)skep_cond_wait_ms(&p->wake, &p->mu, REST_MS);
            else
                skep_cond_wait(&p->wake, &p->mu);
        }
        p->helping += help;
        skep_mutex_unlock(&p->mu);
        helper = help;
        j.fn(j.arg);
        helper = false;
        skep_mutex_lock(&p->mu);
        p->helping -= help;
    }
}

struct skep_pool *skep_pool_new(const char *name, unsigned n_threads)
{
    skep_assert(name && n_threads > 0);
    struct skep_pool *p = skep_calloc(1, sizeof *p + n_threads * sizeof p->threads[0]);
    skep_mutex_init(&p->mu, "pool");
    skep_cond_init(&p->wake);
    skep_cond_init(&p->rest);
    p->n_threads = n_threads;
    p->half = SKEP_MAX(skep_n_cores() / 2, 1u) - 1; /* the caller is one of the half */
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
    skep_assert(p->jobs.n == 0 && p->helpers.n == 0);
    skep_cond_done(&p->wake);
    skep_cond_done(&p->rest);
    skep_mutex_done(&p->mu);
    skep_free(p->jobs.ring);
    skep_free(p->helpers.ring);
    skep_free(p);
}

void skep_pool_submit(struct skep_pool *p, void (*fn)(void *), void *arg)
{
    skep_assert(p && fn);
    skep_mutex_lock(&p->mu);
    push(&p->jobs, (struct job){fn, arg});
    skep_cond_signal(&p->wake);
    skep_mutex_unlock(&p->mu);
}

unsigned skep_pool_threads(const struct skep_pool *p)
{
    return p->n_threads;
}

/* One each() call. */
struct group {
    struct skep_pool *pool;
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

/* Is this helper one too many now? */
static bool must_leave(struct skep_pool *p)
{
    if (!is_urgent(p))
        return false;
    skep_mutex_lock(&p->mu);
    bool leave = p->helping > p->half && !p->stopping;
    skep_mutex_unlock(&p->mu);
    return leave;
}

/* True when it left with work to do. */
static bool group_work(struct group *g, bool may_leave)
{
    unsigned done = 0;
    bool left = false;
    while (!left) {
        /* Relaxed: the index alone is claimed; results are ordered by `mu` below. */
        unsigned i = atomic_fetch_add_explicit(&g->next, 1, memory_order_relaxed);
        if (i >= g->n)
            break;
        g->fn(g->arg, i);
        done++;
        left = may_leave && must_leave(g->pool);
    }
    if (done == 0)
        return left;
    skep_mutex_lock(&g->mu);
    g->n_done += done;
    skep_assert(g->n_done <= g->n);
    if (g->n_done == g->n)
        skep_cond_broadcast(&g->all_done);
    skep_mutex_unlock(&g->mu);
    return left;
}

static void help(void *arg)
{
    struct group *g = arg;
    struct skep_pool *p = g->pool;
    if (!group_work(g, true)) {
        group_unref(g);
        return;
    }
    skep_mutex_lock(&p->mu); /* its reference goes with it */
    push(&p->helpers, (struct job){help, g});
    skep_mutex_unlock(&p->mu);
}

/* Helpers of the group that nobody has begun; the queue holds a reference for each. */
static unsigned take_back(struct skep_pool *p, const struct group *g)
{
    unsigned n = 0;
    skep_mutex_lock(&p->mu);
    for (size_t left = p->helpers.n; left > 0; left--) {
        struct job j = pop(&p->helpers);
        if (j.arg == g)
            n++;
        else
            push(&p->helpers, j);
    }
    skep_mutex_unlock(&p->mu);
    return n;
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
    g->pool = p;
    g->n = n;
    g->fn = fn;
    g->arg = arg;
    skep_mutex_init(&g->mu, "pool_each");
    skep_cond_init(&g->all_done);
    skep_mutex_lock(&p->mu);
    for (unsigned i = 0; i < helpers; i++)
        push(&p->helpers, (struct job){help, g});
    skep_cond_broadcast(&p->wake);
    skep_mutex_unlock(&p->mu);

    (void)group_work(g, false);
    skep_mutex_lock(&g->mu);
    while (g->n_done < g->n)
        skep_cond_wait(&g->all_done, &g->mu);
    skep_mutex_unlock(&g->mu);
    for (unsigned k = take_back(p, g); k > 0; k--)
        group_unref(g);
    group_unref(g);
}
