// SPDX-License-Identifier: Apache-2.0
/* Mutex, condition variable and thread over pthreads.
 *
 * A mutex knows its owner, so that a function that needs it held can assert that.  Threads carry
 * small numbers of their own (from 1, never reused) because pthread_t is not a number.
 *
 * I1  owner == number of the holder while locked, 0 while free; written by the holder alone.
 * I2  a thread that takes a mutex it already holds aborts instead of hanging.
 * I3  condition variables wait on CLOCK_MONOTONIC: a stepped wall clock wakes nobody.
 *
 * Threads: any. */
#include "os/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/assert.h"
#include "base/mem.h"

static uint64_t thread_number(void)
{
    static _Atomic uint64_t last;
    static _Thread_local uint64_t mine;
    if (SKEP_UNLIKELY(mine == 0))
        mine = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
    return mine;
}

void skep_mutex_init(struct skep_mutex *m, const char *name)
{
    skep_assert(m && name);
    int rc = pthread_mutex_init(&m->m, NULL);
    skep_assert(rc == 0);
    atomic_init(&m->owner, 0);
    m->name = name;
}

void skep_mutex_done(struct skep_mutex *m)
{
    skep_assert(atomic_load_explicit(&m->owner, memory_order_relaxed) == 0);
    int rc = pthread_mutex_destroy(&m->m);
    skep_assert(rc == 0);
}

void skep_mutex_lock(struct skep_mutex *m)
{
    uint64_t me = thread_number();
    /* Relaxed is enough: only this thread can have written its own number. */
    skep_assert(atomic_load_explicit(&m->owner, memory_order_relaxed) != me);
    int rc = pthread_mutex_lock(&m->m);
    skep_assert(rc == 0);
    atomic_store_explicit(&m->owner, me, memory_order_relaxed);
}

void skep_mutex_unlock(struct skep_mutex *m)
{
    skep_assert_held(m);
    atomic_store_explicit(&m->owner, 0, memory_order_relaxed);
    int rc = pthread_mutex_unlock(&m->m);
    skep_assert(rc == 0);
}

void skep_assert_held(struct skep_mutex *m)
{
    skep_assert(atomic_load_explicit(&m->owner, memory_order_relaxed) == thread_number());
}

void skep_cond_init(struct skep_cond *c)
{
    pthread_condattr_t attr;
    int rc = pthread_condattr_init(&attr);
    skep_assert(rc == 0);
    rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    skep_assert(rc == 0);
    rc = pthread_cond_init(&c->c, &attr);
    skep_assert(rc == 0);
    (void)pthread_condattr_destroy(&attr); /* cannot fail on an initialised attribute */
}

void skep_cond_done(struct skep_cond *c)
{
    int rc = pthread_cond_destroy(&c->c);
    skep_assert(rc == 0);
}

void skep_cond_wait(struct skep_cond *c, struct skep_mutex *m)
{
    skep_assert_held(m);
    atomic_store_explicit(&m->owner, 0, memory_order_relaxed);
    int rc = pthread_cond_wait(&c->c, &m->m);
    skep_assert(rc == 0);
    atomic_store_explicit(&m->owner, thread_number(), memory_order_relaxed);
}

bool skep_cond_wait_ms(struct skep_cond *c, struct skep_mutex *m, int64_t timeout_ms)
{
    skep_assert_held(m);
    if (timeout_ms < 0)
        timeout_ms = 0;
    struct timespec ts;
    int rc = clock_gettime(CLOCK_MONOTONIC, &ts);
    skep_assert(rc == 0);
    ts.tv_sec += (time_t)(timeout_ms / 1000);
    ts.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (ts.tv_nsec >= 1000000000) {
        ts.tv_nsec -= 1000000000;
        ts.tv_sec++;
    }
    atomic_store_explicit(&m->owner, 0, memory_order_relaxed);
    rc = pthread_cond_timedwait(&c->c, &m->m, &ts);
    skep_assert(rc == 0 || rc == ETIMEDOUT);
    atomic_store_explicit(&m->owner, thread_number(), memory_order_relaxed);
    return rc == 0;
}

void skep_cond_signal(struct skep_cond *c)
{
    int rc = pthread_cond_signal(&c->c);
    skep_assert(rc == 0);
}

void skep_cond_broadcast(struct skep_cond *c)
{
    int rc = pthread_cond_broadcast(&c->c);
    skep_assert(rc == 0);
}

struct start {
    void (*fn)(void *);
    void *arg;
    char name[16]; /* the kernel's limit */
};

static void *run(void *p)
{
    struct start s = *(struct start *)p;
    skep_free(p);
    (void)pthread_setname_np(pthread_self(), s.name); /* a name is a courtesy */
    s.fn(s.arg);
    return NULL;
}

void skep_thread_start(skep_thread *t, const char *name, void (*fn)(void *), void *arg)
{
    skep_assert(t && name && fn);
    struct start *s = skep_alloc(struct start);
    s->fn = fn;
    s->arg = arg;
    (void)snprintf(s->name, sizeof s->name, "%s", name);
    sigset_t all, old;
    (void)sigfillset(&all); /* signals belong to the main thread; the mask is inherited */
    int rc = pthread_sigmask(SIG_SETMASK, &all, &old);
    skep_assert(rc == 0);
    rc = pthread_create(&t->t, NULL, run, s);
    skep_assert(rc == 0);
    rc = pthread_sigmask(SIG_SETMASK, &old, NULL);
    skep_assert(rc == 0);
}

void skep_thread_join(skep_thread *t)
{
    int rc = pthread_join(t->t, NULL);
    skep_assert(rc == 0);
}

void skep_sleep_ms(int64_t ms)
{
    skep_assert(ms >= 0);
    struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

void skep_thread_background(void)
{
    (void)setpriority(PRIO_PROCESS, 0,
                      10); /* on Linux: of this thread; a refusal costs speed only */
}

unsigned skep_n_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int n = CPU_COUNT(&set);
    return n > 0 ? (unsigned)n : 1;
}
