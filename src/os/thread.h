// SPDX-License-Identifier: Apache-2.0
/* Threads: mutex with an owner to assert on, condition variable, thread, worker pool. */
#pragma once

#include "base/compiler.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct skep_mutex {
    pthread_mutex_t m;
    _Atomic uint64_t owner; /* thread number, 0 = free */
    const char *name;
};
/* name is static.  lock asserts that the caller does not hold it yet, unlock that it does. */
void skep_mutex_init(struct skep_mutex *m, const char *name);
void skep_mutex_done(struct skep_mutex *m);
void skep_mutex_lock(struct skep_mutex *m);
void skep_mutex_unlock(struct skep_mutex *m);
void skep_assert_held(struct skep_mutex *m);

struct skep_cond {
    pthread_cond_t c; /* CLOCK_MONOTONIC */
};
/* wait gives the mutex up and takes it again; spurious wake-ups happen: loop on the condition. */
void skep_cond_init(struct skep_cond *c);
void skep_cond_done(struct skep_cond *c);
void skep_cond_wait(struct skep_cond *c, struct skep_mutex *m);
/* False when timeout_ms went by first. */
bool skep_cond_wait_ms(struct skep_cond *c, struct skep_mutex *m, int64_t timeout_ms);
void skep_cond_signal(struct skep_cond *c);
void skep_cond_broadcast(struct skep_cond *c);

/* A named thread with all signals blocked.  Aborts when the system has no thread left. */
typedef struct skep_thread {
    pthread_t t;
} skep_thread;
void skep_thread_start(skep_thread *t, const char *name, void (*fn)(void *), void *arg);
void skep_thread_join(skep_thread *t);

/* Sleep; for tools and retries, never in the engine's paths. */
void skep_sleep_ms(int64_t ms);

/* Lower the calling thread's priority for good: background work gives way to everything else. */
void skep_thread_background(void);

/* Number of cores this process may run on. */
unsigned skep_n_cores(void);

/* Worker pool: unordered jobs.  Queries run here, never on I/O threads. */
struct skep_pool;
struct skep_pool *skep_pool_new(const char *name, unsigned n_threads);
/* Waits for the queued jobs. */
void skep_pool_free(struct skep_pool *p);
void skep_pool_submit(struct skep_pool *p, void (*fn)(void *), void *arg);
unsigned skep_pool_threads(const struct skep_pool *p);
/* Run fn(arg, i) for i in [0, n) on the calling thread and idle workers; returns when all are done.
 * May be called from a job of the pool. */
void skep_pool_each(struct skep_pool *p, unsigned n, void (*fn)(void *arg, unsigned i), void *arg);

/* Something that must not wait is under way (requests that wait for their acknowledgement): until
 * the matching end, one each() has at most half of the cores.  Nests; costs one atomic add.
 * Threads: any. */
void skep_pool_urgent_begin(struct skep_pool *p, unsigned n);
void skep_pool_urgent_end(struct skep_pool *p, unsigned n);
/* For long calls of each()'s fn, about once a millisecond: a thread that only helps rests up to
 * two milliseconds while something urgent is under way.  p may be NULL. */
void skep_pool_give_way(struct skep_pool *p);
