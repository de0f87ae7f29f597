// SPDX-License-Identifier: Apache-2.0
/*
 * simple.c - the simple processor: each sampled record is exported when it ends, by who ends it
 *
 * Threads: exports follow each other under a lock. For tests and debugging.
 */
#include "sdk_priv.h"

#include <stdlib.h>

enum { EXPORT_TIMEOUT_MS = 30000 };

struct simple {
    struct waggle_processor base;
    struct waggle_exporter *exporter;
    const waggle_resource_info *resource;
    pthread_mutex_t lock;
    bool is_shut;
};

static void count_simple(enum waggle_export result, const struct waggle_exporter *exporter)
{
    static const enum waggle__counter counters[] = {
        [WAGGLE_EXPORT_OK] = WAGGLE__EXPORTED,
        [WAGGLE_EXPORT_FAILED] = WAGGLE__FAILED,
        [WAGGLE_EXPORT_TIMEOUT] = WAGGLE__TIMEOUT,
        [WAGGLE_EXPORT_PARTIAL] = WAGGLE__REJECTED,
    };
    enum waggle__counter c =
        (unsigned)result < WAGGLE__COUNT(counters) ? counters[result] : WAGGLE__FAILED;
    if (result == WAGGLE_EXPORT_PARTIAL && exporter->rejected == 0)
        c = WAGGLE__EXPORTED;
    waggle__count(waggle__self, c, 1);
}

static void simple_on_end(struct waggle_processor *p, enum waggle_signal signal,
                          const waggle_record *record, const waggle_scope_info *scope, bool sampled)
{
    struct simple *s = (struct simple *)p;
    if (!sampled)
        return;
    waggle_record own = *record;
    own.scope = 0;
    waggle_batch batch = {
        .struct_size = sizeof batch,
        .signal = signal,
        .resource = s->resource,
        .scopes = &scope,
        .n_scopes = 1,
        .records = &own,
        .n_records = 1,
    };
    (void)pthread_mutex_lock(&s->lock); // fails only for a mutex that is none
    if (s->is_shut) {
        waggle__count(waggle__self, WAGGLE__SHUTDOWN, 1);
    } else {
        waggle_deadline deadline = waggle__deadline_in(EXPORT_TIMEOUT_MS);
        s->exporter->rejected = 0;
        count_simple(s->exporter->ops->export_batch(s->exporter, &batch, &deadline), s->exporter);
    }
    (void)pthread_mutex_unlock(&s->lock);
}

static bool simple_flush(struct waggle_processor *p, const waggle_deadline *deadline)
{
    struct simple *s = (struct simple *)p;
    return s->exporter->ops->flush == NULL || s->exporter->ops->flush(s->exporter, deadline);
}

static bool simple_shutdown(struct waggle_processor *p, const waggle_deadline *deadline)
{
    struct simple *s = (struct simple *)p;
    (void)pthread_mutex_lock(&s->lock); // fails only for a mutex that is none
    bool first = !s->is_shut;
    s->is_shut = true;
    (void)pthread_mutex_unlock(&s->lock);
    return first && (s->exporter->ops->shutdown == NULL ||
                     s->exporter->ops->shutdown(s->exporter, deadline));
}

static void simple_before_fork(struct waggle_processor *p)
{
    (void)pthread_mutex_lock(&((struct simple *)p)->lock); // fails only for a mutex that is none
}

static void simple_after_fork(struct waggle_processor *p, bool child)
{
    struct simple *s = (struct simple *)p;
    if (child && s->exporter->ops->after_fork != NULL)
        s->exporter->ops->after_fork(s->exporter);
    (void)pthread_mutex_unlock(&s->lock); // this thread locked it
}

static void simple_set_resource(struct waggle_processor *p, const waggle_resource_info *resource)
{
    ((struct simple *)p)->resource = resource;
}

static void simple_free(struct waggle_processor *p)
{
    struct simple *s = (struct simple *)p;
    if (s->exporter->ops->free != NULL)
        s->exporter->ops->free(s->exporter);
    (void)pthread_mutex_destroy(&s->lock); // nobody holds it
    free(s);
}

static const struct waggle_processor_ops simple_ops = {
    .struct_size = sizeof simple_ops,
    .name = "simple",
    .on_end = simple_on_end,
    .flush = simple_flush,
    .shutdown = simple_shutdown,
    .before_fork = simple_before_fork,
    .after_fork = simple_after_fork,
    .set_resource = simple_set_resource,
    .free = simple_free,
};

struct waggle_processor *waggle_simple_processor_new(struct waggle_exporter *exporter)
{
    struct simple *s = exporter ? calloc(1, sizeof *s) : NULL;
    if (s == NULL) {
        if (exporter != NULL && exporter->ops->free != NULL)
            exporter->ops->free(exporter);
        return NULL;
    }
    s->base.ops = &simple_ops;
    s->exporter = exporter;
    (void)pthread_mutex_init(&s->lock, NULL); // cannot fail on Linux
    return &s->base;
}
