// SPDX-License-Identifier: Apache-2.0
/*
 * twin.h - two copies of something: many threads look into the one that holds, without a lock,
 * while one thread writes the other and switches
 *
 * Who looks says so in the number of readers of the copy. The writer takes the other one, which has
 * none once wait_for is done, writes, switches.
 */
#ifndef WAGGLE_TWIN_H
#define WAGGLE_TWIN_H

#include "priv.h"

#include <sched.h>

struct waggle__twin {
    _Atomic uint32_t current;
    _Atomic uint32_t readers[2];
};

/* The copy to look into, until waggle__twin_leave. */
static inline uint32_t waggle__twin_enter(struct waggle__twin *t)
{
    for (;;) {
        uint32_t i = atomic_load(&t->current);
        atomic_fetch_add(&t->readers[i], 1);
        if (atomic_load(&t->current) == i)
            return i;
        atomic_fetch_sub(&t->readers[i], 1);
    }
}

static inline void waggle__twin_leave(struct waggle__twin *t, uint32_t i)
{
    atomic_fetch_sub_explicit(&t->readers[i], 1, memory_order_release);
}

/* Nobody looks into it any more. */
static inline void waggle__twin_wait(struct waggle__twin *t, uint32_t i)
{
    while (atomic_load(&t->readers[i]) != 0)
        (void)sched_yield(); // they are in the middle of a few comparisons
}

/* In the child of a fork: who looked is not here. */
static inline void waggle__twin_after_fork(struct waggle__twin *t)
{
    atomic_store(&t->readers[0], 0);
    atomic_store(&t->readers[1], 0);
}

#endif
