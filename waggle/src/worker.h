// SPDX-License-Identifier: Apache-2.0
/*
 * worker.h - a thread that sends what has gathered: once in a while, when it is woken, at a flush
 */
#ifndef WAGGLE_WORKER_H
#define WAGGLE_WORKER_H

#include "sdk_priv.h"

struct waggle__worker;

/* What it does; called on its thread, with spans of that thread suppressed. */
struct waggle__worker_ops {
    /* There is more to do at once: do not sleep. May be NULL. */
    bool (*is_ready)(struct waggle__worker *w);
    /* Send: everything if `all` (its time has come, or a flush), else what is worth it. True if it
     * sent, and the delay begins anew. */
    bool (*work)(struct waggle__worker *w, bool all);
    /* Send what is left, end the exporter; false if that failed. */
    bool (*finish)(struct waggle__worker *w, const waggle_deadline *limit);
};

struct waggle__worker {
    const struct waggle__worker_ops *ops;
    void *owner;
    uint32_t delay_ms;
    _Atomic bool is_running; /* it was started */
    int wake[2];             /* read end, write end; -1 = none */
    int cancel[2];           /* the same: readable once a shutdown wants an export to end */

    pthread_mutex_t lock; /* what flush, shutdown and the worker tell each other */
    pthread_cond_t changed;
    pthread_t thread;
    uint64_t flush_wanted, flush_done; /* numbers of flushes */
    bool stop, stopped, stop_ok;
    bool abandoned; /* it did not end in time: nothing of its owner may be freed */
    waggle_deadline stop_deadline;
};

void waggle__worker_init(struct waggle__worker *w, const struct waggle__worker_ops *ops,
                         void *owner, uint32_t delay_ms);
/* Nothing of it is at work any more. */
void waggle__worker_done(struct waggle__worker *w);
/* Start the thread unless it runs, or was stopped. */
void waggle__worker_start(struct waggle__worker *w);
static inline bool waggle__worker_is_running(struct waggle__worker *w)
{
    return atomic_load_explicit(&w->is_running, memory_order_relaxed);
}
void waggle__worker_wake(const struct waggle__worker *w);
/* Have it send everything; true if that was done in time, or it never ran. */
bool waggle__worker_flush(struct waggle__worker *w, const waggle_deadline *deadline);
/* End it, once. True if it finished in time and well, or never ran. */
bool waggle__worker_stop(struct waggle__worker *w, const waggle_deadline *deadline,
                         bool *ret_was_running);
void waggle__worker_before_fork(struct waggle__worker *w);
void waggle__worker_after_fork(struct waggle__worker *w, bool child);

#endif
