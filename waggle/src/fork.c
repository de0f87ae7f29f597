// SPDX-License-Identifier: Apache-2.0
/*
 * fork.c - after fork() the child records and sends on its own
 *
 * Before the fork all locks are taken, so that none is held by a thread the child does not have.
 * In the child: what was queued is the parent's to send; open spans are the parent's, too, but can
 * be parents of the child's own; ids come from a new seed; connections and pipes are new; the
 * worker is started by the first record; process.pid and service.instance.id are those of the
 * child.
 *
 * Locks, in this order: providers, processors (of readers: that of collecting), queues,
 * callbacks, binding, streams, instruments, tracers, threads, errors.
 */
#include "metrics_priv.h"

#include <stdlib.h>

typedef void on_processor_fn(struct waggle_processor *p, bool child);

static void before_one(struct waggle_processor *p, bool child)
{
    (void)child;
    if (p->ops->before_fork != NULL)
        p->ops->before_fork(p);
}

static void after_one(struct waggle_processor *p, bool child)
{
    if (p->ops->after_fork != NULL)
        p->ops->after_fork(p, child);
}

static void each_processor(on_processor_fn *fn, bool child)
{
    for (struct waggle_provider *p = waggle__providers_first(); p != NULL; p = p->next) {
        if (!p->is_forking)
            continue;
        for (size_t s = 0; s < WAGGLE__SIGNALS; s++)
            for (uint32_t i = 0, n = waggle__processors_n(&p->processors[s]); i < n; i++)
                fn(waggle__processor_at(&p->processors[s], i), child);
    }
}

static void lock_all(void)
{
    waggle__providers_lock();
    for (struct waggle_provider *p = waggle__providers_first(); p != NULL; p = p->next)
        p->is_forking = !atomic_load_explicit(&p->is_shut, memory_order_relaxed);
    each_processor(before_one, false);
    waggle__queues_lock();
    waggle__callbacks_lock();
    waggle__binding_lock();
    for (struct waggle_provider *p = waggle__providers_first(); p != NULL; p = p->next)
        if (p->is_forking)
            waggle__streams_before_fork(p);
    waggle__instruments_lock();
    waggle__registry_lock();
    waggle__threads_lock();
    waggle__error_lock();
}

static void unlock_all(bool child)
{
    waggle__error_unlock();
    waggle__threads_unlock();
    waggle__registry_unlock();
    waggle__instruments_unlock();
    for (struct waggle_provider *p = waggle__providers_first(); p != NULL; p = p->next)
        if (p->is_forking)
            waggle__streams_after_fork(p, child);
    waggle__binding_after_fork(child);
    waggle__callbacks_after_fork(child);
    waggle__queues_unlock();
}

static void in_parent(void)
{
    unlock_all(false);
    each_processor(after_one, false);
    waggle__providers_unlock();
}

static void renew_resource(struct waggle_provider *p)
{
    waggle__resource_renew(p->resource);
    p->resource_info = waggle_resource_get_info(p->resource); // processors point at this one
}

static void in_child(void)
{
    waggle__threads_after_fork();
    waggle__slots_after_fork(waggle__self);
    unlock_all(true);
    for (struct waggle_provider *p = waggle__providers_first(); p != NULL; p = p->next) {
        renew_resource(p);
        waggle__sampler_after_fork(p->sampler);
    }
    each_processor(after_one, true);
    waggle__providers_unlock();
}

static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void watch(void)
{
    if (pthread_atfork(lock_all, in_parent, in_child) != 0)
        waggle__error(WAGGLE_LEVEL_WARN, "no memory to watch for fork(): children must not trace");
}

void waggle__fork_init(void)
{
    (void)pthread_once(&fork_once, watch); // fails only for a control that is none
}
