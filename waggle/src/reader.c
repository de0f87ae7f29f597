// SPDX-License-Identifier: Apache-2.0
/*
 * reader.c - when metrics are collected: once an interval, or when somebody asks
 *
 * To its provider a reader is a processor that no record ever comes to: it is flushed, forked and
 * ended like one. The periodic reader's worker begins with the first instrument, so that a program
 * that measures nothing has no thread and sends nothing.
 *
 * After a fork the child's sums begin at zero: what was measured before is the parent's to tell.
 *
 * Threads: collections of a reader follow each other under a lock, which is held while callbacks
 * run and not while an exporter is at work.
 */
#include "metrics_priv.h"
#include "worker.h"

#include <stdlib.h>

enum { INTERVAL_MS = 60000, METRICS_TIMEOUT_MS = 30000, RECORDS_BYTES_MAX = 64 << 20 };

struct periodic {
    struct waggle_reader base;
    struct waggle_exporter *exporter;
    struct waggle__worker worker;
    _Atomic bool is_shut;
};

/* --- what both have ------------------------------------------------------------------------ */

void waggle__reader_init(struct waggle_reader *r, const struct waggle_processor_ops *ops,
                         const waggle_reader_options *options)
{
    r->base.ops = ops;
    if (options != NULL)
        memcpy(&r->options, options,
               options->struct_size ? WAGGLE__MIN(options->struct_size, sizeof r->options)
                                    : sizeof r->options);
    waggle__mutex_init_recursive(&r->collecting);
    waggle__buf_init(&r->records, RECORDS_BYTES_MAX);
    waggle__buf_init(&r->points, RECORDS_BYTES_MAX);
    waggle__buf_init(&r->point, RECORDS_BYTES_MAX);
}

void waggle__reader_done(struct waggle_reader *r)
{
    struct waggle__stream *s = atomic_load_explicit(&r->streams, memory_order_relaxed);
    while (s != NULL) {
        struct waggle__stream *next = atomic_load_explicit(&s->next, memory_order_relaxed);
        waggle__stream_free(s);
        s = next;
    }
    waggle__buf_done(&r->records);
    waggle__buf_done(&r->points);
    waggle__buf_done(&r->point);
    free(r->list);
    (void)pthread_mutex_destroy(&r->collecting); // nobody holds it
}

void waggle__reader_before_fork(struct waggle_processor *p)
{
    struct waggle_reader *r = (struct waggle_reader *)p;
    (void)pthread_mutex_lock(&r->collecting); // fails only for a mutex that is none
}

void waggle__reader_after_fork(struct waggle_processor *p, bool child)
{
    struct waggle_reader *r = (struct waggle_reader *)p;
    if (child) // a recursive lock knows its owner by a number that is another now
        waggle__mutex_init_recursive(&r->collecting);
    else
        (void)pthread_mutex_unlock(&r->collecting); // this thread locked it
}

bool waggle_provider_add_reader(struct waggle_provider *provider, struct waggle_reader *reader)
{
    if (reader != NULL)
        atomic_store_explicit(&reader->provider, provider, memory_order_release);
    if (!waggle__provider_add(provider, reader != NULL ? &reader->base : NULL,
                              WAGGLE_SIGNAL_METRICS))
        return false;
    atomic_fetch_add_explicit(&provider->metrics_epoch, 1, memory_order_release);
    waggle__metrics_bind_all();
    if (reader->added != NULL)
        reader->added(reader);
    return true;
}

/* --- manual -------------------------------------------------------------------------------- */

static void manual_free(struct waggle_processor *p)
{
    waggle__reader_done((struct waggle_reader *)p);
    free(p);
}

static bool manual_shutdown(struct waggle_processor *p, const waggle_deadline *deadline)
{
    (void)p;
    (void)deadline;
    return true;
}

static const struct waggle_processor_ops manual_ops = {
    .struct_size = sizeof manual_ops,
    .name = "manual reader",
    .shutdown = manual_shutdown,
    .before_fork = waggle__reader_before_fork,
    .after_fork = waggle__reader_after_fork,
    .free = manual_free,
};

struct waggle_reader *waggle_manual_reader_new(const waggle_reader_options *options)
{
    struct waggle_reader *r = calloc(1, sizeof *r);
    if (r != NULL)
        waggle__reader_init(r, &manual_ops, options);
    return r;
}

bool waggle_reader_collect(struct waggle_reader *reader, waggle_collected_fn *fn, void *self)
{
    const struct waggle_provider *provider =
        reader != NULL ? atomic_load_explicit(&reader->provider, memory_order_acquire) : NULL;
    waggle_batch batch;
    if (provider == NULL || atomic_load_explicit(&provider->is_shut, memory_order_acquire))
        return false;
    (void)pthread_mutex_lock(&reader->collecting); // fails only for a mutex that is none
    if (waggle__collect(reader, &batch))
        fn(self, &batch);
    (void)pthread_mutex_unlock(&reader->collecting);
    return true;
}

/* --- periodic ------------------------------------------------------------------------------ */

static void count_points(const struct periodic *p, enum waggle_export result)
{
    uint64_t n = p->base.n_points;
    uint64_t lost = n;
    if (result == WAGGLE_EXPORT_OK)
        lost = 0;
    else if (result == WAGGLE_EXPORT_PARTIAL)
        lost = WAGGLE__MIN(p->exporter->rejected, n);
    waggle__count(waggle__self, WAGGLE__POINTS_EXPORTED, n - lost);
    waggle__count(waggle__self, WAGGLE__POINTS_FAILED, lost);
}

/* Collect and send; false if the exporter did not take it. The batch is this thread's alone, so the
 * lock is not held while it is sent. */
static bool export_metrics(struct periodic *p, const waggle_deadline *limit)
{
    waggle_batch batch;
    (void)pthread_mutex_lock(&p->base.collecting); // fails only for a mutex that is none
    bool any = waggle__collect(&p->base, &batch);
    (void)pthread_mutex_unlock(&p->base.collecting);
    if (!any)
        return true;
    waggle_deadline deadline = waggle__deadline_in(p->base.options.timeout_ms);
    deadline.cancel_fd = p->worker.cancel[0];
    if (limit != NULL) {
        deadline.cancel_fd = -1; // it was cancelled; what is left of the time may be used
        deadline.monotonic_ns = WAGGLE__MIN(deadline.monotonic_ns, limit->monotonic_ns);
    }
    p->exporter->rejected = 0;
    enum waggle_export result = p->exporter->ops->export_batch(p->exporter, &batch, &deadline);
    count_points(p, result);
    return result == WAGGLE_EXPORT_OK || result == WAGGLE_EXPORT_PARTIAL;
}

static bool periodic_work(struct waggle__worker *w, bool all)
{
    if (all)
        (void)export_metrics(w->owner, NULL); // what failed is counted
    return all;
}

static bool periodic_finish(struct waggle__worker *w, const waggle_deadline *limit)
{
    struct periodic *p = w->owner;
    bool ok = export_metrics(p, limit);
    return (p->exporter->ops->shutdown == NULL || p->exporter->ops->shutdown(p->exporter, limit)) &&
           ok;
}

static const struct waggle__worker_ops periodic_worker = {.work = periodic_work,
                                                          .finish = periodic_finish};

static bool periodic_begin(struct waggle_reader *r)
{
    struct waggle__worker *w = &((struct periodic *)r)->worker;
    if (!waggle__worker_is_running(w))
        waggle__worker_start(w);
    return true;
}

static bool periodic_flush(struct waggle_processor *p, const waggle_deadline *deadline)
{
    struct periodic *r = (struct periodic *)p;
    const struct waggle_exporter_ops *ops = r->exporter->ops;
    return waggle__worker_flush(&r->worker, deadline) &&
           (ops->flush == NULL || ops->flush(r->exporter, deadline));
}

static bool periodic_shutdown(struct waggle_processor *p, const waggle_deadline *deadline)
{
    struct periodic *r = (struct periodic *)p;
    const struct waggle_exporter_ops *ops = r->exporter->ops;
    bool was_running = false;
    if (atomic_exchange_explicit(&r->is_shut, true, memory_order_acq_rel))
        return false;
    bool ok = waggle__worker_stop(&r->worker, deadline, &was_running);
    if (!was_running)
        return ops->shutdown == NULL || ops->shutdown(r->exporter, deadline);
    return ok;
}

static void periodic_before_fork(struct waggle_processor *p)
{
    waggle__reader_before_fork(p);
    waggle__worker_before_fork(&((struct periodic *)p)->worker);
}

static void periodic_after_fork(struct waggle_processor *p, bool child)
{
    struct periodic *r = (struct periodic *)p;
    if (child && r->exporter->ops->after_fork != NULL)
        r->exporter->ops->after_fork(r->exporter);
    waggle__worker_after_fork(&r->worker, child);
    waggle__reader_after_fork(p, child);
    if (child && atomic_load_explicit(&r->base.streams, memory_order_relaxed) != NULL)
        atomic_fetch_add_explicit(
            &atomic_load_explicit(&r->base.provider, memory_order_relaxed)->metrics_epoch, 1,
            memory_order_release); // the next measurement begins the worker
}

static void periodic_free(struct waggle_processor *p)
{
    struct periodic *r = (struct periodic *)p;
    if (r->worker.abandoned)
        return; // it may still be in an export
    if (r->exporter->ops->free != NULL)
        r->exporter->ops->free(r->exporter);
    waggle__worker_done(&r->worker);
    waggle__reader_done(&r->base);
    free(r);
}

static const struct waggle_processor_ops periodic_ops = {
    .struct_size = sizeof periodic_ops,
    .name = "periodic reader",
    .flush = periodic_flush,
    .shutdown = periodic_shutdown,
    .before_fork = periodic_before_fork,
    .after_fork = periodic_after_fork,
    .free = periodic_free,
};

struct waggle_reader *waggle_periodic_reader_new(struct waggle_exporter *exporter,
                                                 const waggle_reader_options *options)
{
    struct periodic *p = exporter ? calloc(1, sizeof *p) : NULL;
    if (p == NULL) {
        if (exporter != NULL && exporter->ops->free != NULL)
            exporter->ops->free(exporter);
        return NULL;
    }
    waggle__reader_init(&p->base, &periodic_ops, options);
    waggle_reader_options *o = &p->base.options;
    o->interval_ms = o->interval_ms ? o->interval_ms : INTERVAL_MS;
    o->timeout_ms = o->timeout_ms ? o->timeout_ms : METRICS_TIMEOUT_MS;
    p->base.begin = periodic_begin;
    p->exporter = exporter;
    waggle__worker_init(&p->worker, &periodic_worker, p, o->interval_ms);
    return &p->base;
}
