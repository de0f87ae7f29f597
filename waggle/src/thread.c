// SPDX-License-Identifier: Apache-2.0
/*
 * thread.c - what each thread has of its own, so that spans of two threads touch no common line
 *
 * A block is made at a thread's first span and given back when the thread ends: its free slots go
 * back to the table, its chunks to their queues, its counters into the sum of the dead. Ids come
 * from xoshiro256** seeded from the kernel; after a fork the child seeds anew, or parent and child
 * would make the same ids.
 *
 * Threads: a block is its thread's; counters are read by anyone. The list has a lock.
 */
#include "sdk_priv.h"

#include <stdlib.h>

_Thread_local struct waggle__thread *waggle__self;

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct waggle__thread *threads;
static _Atomic uint64_t of_the_dead[WAGGLE__N_COUNTERS]; /* and of those without a block */
static pthread_key_t key;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static bool key_ok;
static _Atomic uint32_t n_threads; /* that ever were */

void waggle__threads_lock(void)
{
    (void)pthread_mutex_lock(&list_lock); // fails only for a mutex that is none
}

void waggle__threads_unlock(void)
{
    (void)pthread_mutex_unlock(&list_lock); // as above
}

/* --- chance -------------------------------------------------------------------------------- */

static uint64_t rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

uint64_t waggle__random64(struct waggle__thread *t)
{
    uint64_t *s = t->rng;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotl(s[3], 45);
    return result;
}

/* splitmix64: spreads what little differs between threads when the kernel gives nothing. */
static uint64_t spread(uint64_t *x)
{
    uint64_t z = *x += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void waggle__reseed(struct waggle__thread *t)
{
    if (waggle__os.random(t->rng, sizeof t->rng) && (t->rng[0] | t->rng[1] | t->rng[2]) != 0)
        return;
    uint64_t x = waggle__os.realtime_ns() ^ (uint64_t)(uintptr_t)t ^ waggle__monotonic() << 20;
    for (size_t i = 0; i < WAGGLE__COUNT(t->rng); i++)
        t->rng[i] = spread(&x);
}

/* --- life ---------------------------------------------------------------------------------- */

static void unlink_locked(struct waggle__thread *t)
{
    if (t->previous != NULL)
        t->previous->next = t->next;
    else
        threads = t->next;
    if (t->next != NULL)
        t->next->previous = t->previous;
}

static void thread_end(void *block)
{
    struct waggle__thread *t = block;
    waggle__queue_thread_exit(t);
    waggle__slots_give_cache(t);
    waggle__threads_lock();
    unlink_locked(t);
    for (size_t i = 0; i < WAGGLE__N_COUNTERS; i++)
        atomic_fetch_add_explicit(&of_the_dead[i],
                                  atomic_load_explicit(&t->counters[i], memory_order_relaxed),
                                  memory_order_relaxed);
    waggle__threads_unlock();
    waggle__self = NULL;
    free(t->scratch);
    free(t);
}

static void make_thread_key(void)
{
    key_ok = pthread_key_create(&key, thread_end) == 0;
}

WAGGLE__COLD struct waggle__thread *waggle__thread_new(void)
{
    (void)pthread_once(&key_once, make_thread_key); // fails only for a control that is none
    struct waggle__thread *t = key_ok ? calloc(1, sizeof *t) : NULL;
    if (t == NULL)
        return NULL;
    if (pthread_setspecific(key, t) != 0) {
        free(t);
        return NULL;
    }
    waggle__reseed(t);
    t->number = atomic_fetch_add_explicit(&n_threads, 1, memory_order_relaxed);
    waggle__threads_lock();
    t->next = threads;
    if (threads != NULL)
        threads->previous = t;
    threads = t;
    waggle__threads_unlock();
    waggle__self = t;
    return t;
}

/* The child of a fork has one thread; the others' blocks are memory of nobody. Counts begin anew.
 */
void waggle__threads_after_fork(void)
{
    struct waggle__thread *t = threads;
    while (t != NULL) {
        struct waggle__thread *next = t->next;
        if (t != waggle__self) {
            free(t->scratch);
            free(t);
        }
        t = next;
    }
    threads = waggle__self;
    for (size_t i = 0; i < WAGGLE__N_COUNTERS; i++)
        atomic_store_explicit(&of_the_dead[i], 0, memory_order_relaxed);
    if (waggle__self == NULL)
        return;
    waggle__self->next = NULL;
    waggle__self->previous = NULL;
    for (size_t i = 0; i < WAGGLE__N_COUNTERS; i++)
        atomic_store_explicit(&waggle__self->counters[i], 0, memory_order_relaxed);
    waggle__reseed(waggle__self);
}

/* --- counters ------------------------------------------------------------------------------ */

void waggle__count_any(enum waggle__counter c, uint64_t n)
{
    atomic_fetch_add_explicit(&of_the_dead[c], n, memory_order_relaxed);
}

static uint64_t counted_locked(enum waggle__counter c)
{
    uint64_t sum = atomic_load_explicit(&of_the_dead[c], memory_order_relaxed);
    for (struct waggle__thread *t = threads; t != NULL; t = t->next)
        sum += atomic_load_explicit(&t->counters[c], memory_order_relaxed);
    return sum;
}

uint64_t waggle__counted(enum waggle__counter c)
{
    waggle__threads_lock();
    uint64_t sum = counted_locked(c);
    waggle__threads_unlock();
    return sum;
}

void waggle_get_stats(waggle_stats *ret_stats, size_t struct_size)
{
    uint64_t v[WAGGLE__N_COUNTERS];
    waggle__threads_lock();
    for (size_t i = 0; i < WAGGLE__N_COUNTERS; i++)
        v[i] = counted_locked((enum waggle__counter)i);
    waggle__threads_unlock();
    waggle_stats stats = {
        .started = v[WAGGLE__STARTED],
        .ended = v[WAGGLE__ENDED],
        .exported = v[WAGGLE__EXPORTED],
        .dropped_no_slot = v[WAGGLE__NO_SLOT],
        .dropped_queue_full = v[WAGGLE__QUEUE_FULL],
        .dropped_too_large = v[WAGGLE__TOO_LARGE],
        .dropped_shutdown = v[WAGGLE__SHUTDOWN],
        .dropped_failed = v[WAGGLE__FAILED],
        .dropped_timeout = v[WAGGLE__TIMEOUT],
        .dropped_rejected = v[WAGGLE__REJECTED],
        .dropped_busy = v[WAGGLE__BUSY],
        .dropped_values = v[WAGGLE__VALUES],
        .stale_calls = v[WAGGLE__STALE],
        .logged = v[WAGGLE__LOGGED],
        .dropped_measurements = v[WAGGLE__UNMEASURED],
        .points_exported = v[WAGGLE__POINTS_EXPORTED],
        .points_failed = v[WAGGLE__POINTS_FAILED],
    };
    memset(ret_stats, 0, struct_size);
    memcpy(ret_stats, &stats, WAGGLE__MIN(struct_size, sizeof stats));
}
