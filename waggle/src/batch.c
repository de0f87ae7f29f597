// SPDX-License-Identifier: Apache-2.0
/*
 * batch.c - the batch processor: ended records gather in a queue, a thread of its own sends them
 *
 *   on_end (any thread) -> queue -> [wake pipe, once a batch] -> worker -> exporter
 *
 * The worker sleeps in poll(2) on a pipe: its timeout is monotonic, and the writer needs no lock.
 * It sends when max_batch records have gathered (then chunks that are complete), when
 * schedule_delay has passed since the last export, at a flush and at the end (then everything).
 * Exports follow each other, each with its own time limit; retries are the exporter's.
 *
 * It is started by the first record, also after a fork: the child has an empty queue, pipes of its
 * own, and no worker until it has something to send.
 *
 * Shutdown writes to a second pipe, which an exporter that waits between retries sees, and waits
 * for the worker until its time is over; a worker that does not come back is left alone, and then
 * so is its memory.
 *
 * Threads: `lock` guards what flush, shutdown and the worker tell each other; it is never held
 * while exporting. Everything below "the worker's" is touched by the worker alone.
 */
#include "worker.h"

#include <stdlib.h>

enum { BYTES_A_RECORD = 1024, BATCH_BYTES_MIN = 2 * WAGGLE__BLOCK_BYTES };

struct batch {
    struct waggle_processor base;
    struct waggle_exporter *exporter;
    struct waggle__queue *queue;
    waggle_batch_options options;
    const waggle_resource_info *resource;
    _Atomic bool is_shut;
    struct waggle__worker worker;

    /* the worker's */
    waggle_record *records;
    uint8_t *bytes;
    size_t bytes_cap;
    struct waggle__report report;
    uint64_t reported_at; /* monotonic */
    const waggle_scope_info *scopes[WAGGLE__SCOPES_MAX];
};

/* --- exporting (the worker) ---------------------------------------------------------------- */

static void count_export(struct batch *b, struct waggle__thread *t, enum waggle_export result,
                         uint64_t n)
{
    uint64_t rejected = 0;
    switch (result) {
    case WAGGLE_EXPORT_PARTIAL:
        rejected = WAGGLE__MIN(b->exporter->rejected, n);
        waggle__count(t, WAGGLE__REJECTED, rejected);
        waggle__count(t, WAGGLE__EXPORTED, n - rejected);
        break;
    case WAGGLE_EXPORT_OK: waggle__count(t, WAGGLE__EXPORTED, n); break;
    case WAGGLE_EXPORT_TIMEOUT: waggle__count(t, WAGGLE__TIMEOUT, n); break;
    case WAGGLE_EXPORT_FAILED:
    default: waggle__count(t, WAGGLE__FAILED, n); break;
    }
}

/* Put a report of drops behind the records, at most once in the schedule's delay. */
static size_t add_report(struct batch *b, size_t n, uint8_t *bytes, bool last)
{
    uint64_t now = waggle__monotonic();
    uint64_t delay = (uint64_t)b->options.schedule_delay_ms * 1000000u;
    bool spans = b->options.signal == WAGGLE_SIGNAL_TRACES;
    if (b->options.no_drop_report || !spans || (!last && now - b->reported_at < delay))
        return n;
    waggle_record record;
    if (!waggle__report_make(&b->report, bytes, &record))
        return n;
    b->reported_at = now;
    b->records[n] = record;
    return n + 1;
}

/* Send one batch; false if there was nothing. */
static bool export_one(struct batch *b, struct waggle__thread *t, bool all,
                       const waggle_deadline *limit)
{
    uint8_t report[WAGGLE__REPORT_BYTES];
    size_t n =
        waggle__queue_take(b->queue, all, b->records, b->options.max_batch, b->bytes, b->bytes_cap);
    size_t with_report = add_report(b, n, report, all && n < b->options.max_batch);
    if (with_report == 0)
        return false;
    waggle_batch batch = {
        .struct_size = sizeof batch,
        .signal = b->options.signal,
        .resource = b->resource,
        .scopes = b->scopes,
        .n_scopes = waggle__scopes_now(b->scopes),
        .records = b->records,
        .n_records = with_report,
    };
    waggle_deadline deadline = waggle__deadline_in(b->options.export_timeout_ms);
    deadline.cancel_fd = b->worker.cancel[0];
    if (limit != NULL) {
        deadline.cancel_fd = -1; // it was cancelled; what is left of the time may be used
        deadline.monotonic_ns = WAGGLE__MIN(deadline.monotonic_ns, limit->monotonic_ns);
    }
    b->exporter->rejected = 0;
    enum waggle_export result = b->exporter->ops->export_batch(b->exporter, &batch, &deadline);
    count_export(b, t, result, n);
    return true;
}

static void export_all(struct batch *b, struct waggle__thread *t, const waggle_deadline *limit)
{
    // Bounded by what fits into the queue: producers may go on while this runs.
    size_t times = b->options.max_queue / b->options.max_batch + 2;
    while (times-- > 0 && export_one(b, t, true, limit)) {
    }
}

/* --- the worker ---------------------------------------------------------------------------- */

static bool is_ready(struct waggle__worker *w)
{
    struct batch *b = w->owner;
    return waggle__queue_ready(b->queue) >= b->options.max_batch;
}

static bool work(struct waggle__worker *w, bool all)
{
    struct batch *b = w->owner;
    struct waggle__thread *t = waggle__self;
    if (all)
        export_all(b, t, NULL);
    else if (is_ready(w))
        (void)export_one(b, t, false, NULL);   // it is taken again as long as there is enough
    else if (waggle__queue_is_short(b->queue)) // many threads with a little each
        (void)export_one(b, t, true, NULL);
    else
        return false;
    return true;
}

static bool finish(struct waggle__worker *w, const waggle_deadline *limit)
{
    struct batch *b = w->owner;
    const struct waggle_exporter_ops *ops = b->exporter->ops;
    export_all(b, waggle__self, limit);
    return ops->shutdown == NULL || ops->shutdown(b->exporter, limit);
}

static const struct waggle__worker_ops worker_ops = {
    .is_ready = is_ready, .work = work, .finish = finish};

/* --- the processor ------------------------------------------------------------------------- */

static void on_end(struct waggle_processor *p, enum waggle_signal signal,
                   const waggle_record *record, const waggle_scope_info *scope, bool sampled)
{
    struct batch *b = (struct batch *)p;
    struct waggle__thread *t = waggle__self;
    (void)signal;
    (void)scope;
    if (!sampled)
        return;
    if (atomic_load_explicit(&b->is_shut, memory_order_relaxed)) {
        waggle__count(t, WAGGLE__SHUTDOWN, 1);
        return;
    }
    bool wake = false;
    (void)waggle__queue_put(b->queue, t, record, &wake); // a refusal is counted there
    if (WAGGLE__UNLIKELY(!waggle__worker_is_running(&b->worker)))
        waggle__worker_start(&b->worker);
    if (WAGGLE__UNLIKELY(wake))
        waggle__worker_wake(&b->worker);
}

static bool batch_flush(struct waggle_processor *p, const waggle_deadline *deadline)
{
    return waggle__worker_flush(&((struct batch *)p)->worker, deadline);
}

static bool batch_shutdown(struct waggle_processor *p, const waggle_deadline *deadline)
{
    struct batch *b = (struct batch *)p;
    const struct waggle_exporter_ops *ops = b->exporter->ops;
    if (atomic_exchange_explicit(&b->is_shut, true, memory_order_acq_rel))
        return false;
    bool was_running = false;
    bool ok = waggle__worker_stop(&b->worker, deadline, &was_running);
    if (!b->worker.abandoned)
        waggle__queue_retire(b->queue);
    if (!was_running)
        return ops->shutdown == NULL || ops->shutdown(b->exporter, deadline);
    return ok;
}

static void before_fork(struct waggle_processor *p)
{
    waggle__worker_before_fork(&((struct batch *)p)->worker);
}

static void after_fork(struct waggle_processor *p, bool child)
{
    struct batch *b = (struct batch *)p;
    if (child) {
        waggle__queue_after_fork(b->queue);
        if (b->exporter->ops->after_fork != NULL)
            b->exporter->ops->after_fork(b->exporter);
    }
    waggle__worker_after_fork(&b->worker, child);
}

static void set_resource(struct waggle_processor *p, const waggle_resource_info *resource)
{
    ((struct batch *)p)->resource = resource;
}

static void batch_free(struct waggle_processor *p)
{
    struct batch *b = (struct batch *)p;
    if (b->worker.abandoned)
        return; // its worker may still be in an export
    if (b->exporter != NULL && b->exporter->ops->free != NULL)
        b->exporter->ops->free(b->exporter);
    waggle__queue_free(b->queue);
    waggle__worker_done(&b->worker);
    free(b->records);
    free(b->bytes);
    free(b);
}

static const struct waggle_processor_ops batch_ops = {
    .struct_size = sizeof batch_ops,
    .name = "batch",
    .on_end = on_end,
    .flush = batch_flush,
    .shutdown = batch_shutdown,
    .before_fork = before_fork,
    .after_fork = after_fork,
    .set_resource = set_resource,
    .free = batch_free,
};

static waggle_batch_options with_defaults(const waggle_batch_options *given)
{
    enum { QUEUE = 2048, BATCH = 512, DELAY_MS = 5000, TIMEOUT_MS = 30000, QUEUE_MAX = 1 << 20 };
    enum { LOGS_DELAY_MS = 1000 };
    waggle_batch_options o = {0};
    if (given != NULL)
        memcpy(&o, given,
               given->struct_size ? WAGGLE__MIN(given->struct_size, sizeof o) : sizeof o);
    o.max_queue = o.max_queue ? WAGGLE__MIN(o.max_queue, (uint32_t)QUEUE_MAX) : QUEUE;
    o.max_batch = WAGGLE__MIN(o.max_batch ? o.max_batch : BATCH, o.max_queue);
    uint32_t delay_ms = o.signal == WAGGLE_SIGNAL_LOGS ? LOGS_DELAY_MS : DELAY_MS;
    o.schedule_delay_ms = o.schedule_delay_ms ? o.schedule_delay_ms : delay_ms;
    o.export_timeout_ms = o.export_timeout_ms ? o.export_timeout_ms : TIMEOUT_MS;
    return o;
}

struct waggle_processor *waggle_batch_processor_new(struct waggle_exporter *exporter,
                                                    const waggle_batch_options *options)
{
    struct batch *b = exporter ? calloc(1, sizeof *b) : NULL;
    if (b == NULL) {
        if (exporter != NULL && exporter->ops->free != NULL)
            exporter->ops->free(exporter);
        return NULL;
    }
    b->base.ops = &batch_ops;
    b->exporter = exporter;
    b->options = with_defaults(options);
    b->bytes_cap = (size_t)b->options.max_batch * BYTES_A_RECORD;
    if (b->bytes_cap < BATCH_BYTES_MIN)
        b->bytes_cap = BATCH_BYTES_MIN;
    b->records = calloc(b->options.max_batch + 1u, sizeof *b->records);
    b->bytes = malloc(b->bytes_cap);
    b->queue = waggle__queue_new(b->options.max_queue, b->options.max_batch);
    waggle__worker_init(&b->worker, &worker_ops, b, b->options.schedule_delay_ms);
    waggle__report_init(&b->report);
    if (b->records == NULL || b->bytes == NULL || b->queue == NULL) {
        batch_free(&b->base);
        return NULL;
    }
    return &b->base;
}
