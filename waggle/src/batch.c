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
#include "sdk_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { BYTES_A_RECORD = 1024, BATCH_BYTES_MIN = 2 * WAGGLE__BLOCK_BYTES };

struct batch {
    struct waggle_processor base;
    struct waggle_exporter *exporter;
    struct waggle__queue *queue;
    waggle_batch_options options;
    const waggle_resource_info *resource;
    _Atomic bool is_running; /* the worker was started */
    _Atomic bool is_shut;
    int wake[2];   /* read end, write end; -1 = none */
    int cancel[2]; /* the same */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t worker;
    uint64_t flush_wanted, flush_done; /* numbers of flushes */
    bool stop, stopped, stop_ok, abandoned;
    waggle_deadline stop_deadline;

    /* the worker's */
    waggle_record *records;
    uint8_t *bytes;
    size_t bytes_cap;
    struct waggle__report report;
    uint64_t reported_at; /* monotonic */
    const waggle_scope_info *scopes[WAGGLE__SCOPES_MAX];
};

/* --- pipes --------------------------------------------------------------------------------- */

static void open_pipe(int ends[2])
{
    if (pipe(ends) != 0) {
        ends[0] = ends[1] = -1; // the worker then looks every second
        return;
    }
    for (int i = 0; i < 2; i++) {
        // Fresh descriptors: these do not fail, and if they did a wake-up would be late.
        (void)fcntl(ends[i], F_SETFD, FD_CLOEXEC);
        (void)fcntl(ends[i], F_SETFL, O_NONBLOCK);
    }
}

static void close_pipe(int ends[2])
{
    for (int i = 0; i < 2; i++) {
        if (ends[i] >= 0)
            (void)close(ends[i]); // a pipe holds nothing that could be lost
        ends[i] = -1;
    }
}

static void poke(int fd)
{
    ssize_t n;
    do
        n = write(fd, "", 1);
    while (n < 0 && errno == EINTR);
    // A full pipe wakes as well as one more byte would.
}

static void drain(int fd)
{
    char bytes[64];
    while (fd >= 0 && read(fd, bytes, sizeof bytes) > 0) {
    }
}

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

static size_t snapshot_scopes(struct batch *b)
{
    size_t n = 0;
    while (n < WAGGLE__SCOPES_MAX) {
        b->scopes[n] = atomic_load_explicit(&waggle__scopes[n], memory_order_acquire);
        if (b->scopes[n] == NULL)
            break;
        n++;
    }
    return n;
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
        .n_scopes = snapshot_scopes(b),
        .records = b->records,
        .n_records = with_report,
    };
    waggle_deadline deadline = waggle__deadline_in(b->options.export_timeout_ms);
    deadline.cancel_fd = b->cancel[0];
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

static void wait_for_work(struct batch *b, uint64_t until_ns)
{
    waggle_deadline until = {until_ns, -1};
    int ms = waggle_deadline_left_ms(&until);
    struct pollfd fd = {b->wake[0], POLLIN, 0};
    if (b->wake[0] < 0 && ms > 1000)
        ms = 1000;
    if (waggle__queue_ready(b->queue) >= b->options.max_batch)
        ms = 0;
    (void)poll(&fd, b->wake[0] >= 0 ? 1 : 0, ms); // whatever it says, the worker looks around
    drain(b->wake[0]);
}

static void finish_work(struct batch *b, struct waggle__thread *t, waggle_deadline limit)
{
    const struct waggle_exporter_ops *ops = b->exporter->ops;
    export_all(b, t, &limit);
    bool ok = ops->shutdown == NULL || ops->shutdown(b->exporter, &limit);
    (void)pthread_mutex_lock(&b->lock); // fails only for a mutex that is none
    b->stopped = true;
    b->stop_ok = ok && waggle_deadline_left_ms(&limit) > 0;
    b->flush_done = b->flush_wanted;
    (void)pthread_cond_broadcast(&b->changed); // cannot fail
    (void)pthread_mutex_unlock(&b->lock);
}

static void tell_flushed(struct batch *b, uint64_t wanted)
{
    (void)pthread_mutex_lock(&b->lock); // fails only for a mutex that is none
    b->flush_done = wanted;
    (void)pthread_cond_broadcast(&b->changed); // cannot fail
    (void)pthread_mutex_unlock(&b->lock);
}

static void *work(void *self)
{
    struct batch *b = self;
    struct waggle__thread *t = waggle__thread();
    if (t == NULL)
        return NULL; // records then wait, and are counted as dropped when the queue is full
    t->suppressed++;
    uint64_t delay_ns = (uint64_t)b->options.schedule_delay_ms * 1000000u;
    uint64_t next = waggle__deadline_in(b->options.schedule_delay_ms).monotonic_ns;
    for (;;) {
        wait_for_work(b, next);
        (void)pthread_mutex_lock(&b->lock); // fails only for a mutex that is none
        bool stop = b->stop;
        uint64_t wanted = b->flush_wanted;
        bool flush = wanted != b->flush_done;
        waggle_deadline limit = b->stop_deadline;
        (void)pthread_mutex_unlock(&b->lock);
        if (stop) {
            finish_work(b, t, limit);
            return NULL;
        }
        waggle_deadline timer = {next, -1};
        bool due = waggle_deadline_left_ms(&timer) == 0;
        if (flush || due)
            export_all(b, t, NULL);
        else if (waggle__queue_ready(b->queue) >= b->options.max_batch)
            (void)export_one(b, t, false, NULL);   // it is taken again as long as there is enough
        else if (waggle__queue_is_short(b->queue)) // many threads with a little each
            (void)export_one(b, t, true, NULL);
        else
            continue;
        next = waggle__deadline_in(0).monotonic_ns + delay_ns;
        if (flush)
            tell_flushed(b, wanted);
    }
}

/* Signals of the program are for its own threads. */
static int start_thread(pthread_t *ret_thread, struct batch *b)
{
    sigset_t all;
    sigset_t old;
    (void)sigfillset(&all); // cannot fail
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(ret_thread, NULL, work, b);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

WAGGLE__COLD static void start_worker(struct batch *b)
{
    (void)pthread_mutex_lock(&b->lock); // fails only for a mutex that is none
    if (!atomic_load_explicit(&b->is_running, memory_order_relaxed) && !b->stop) {
        if (start_thread(&b->worker, b) == 0)
            atomic_store_explicit(&b->is_running, true, memory_order_release);
    }
    (void)pthread_mutex_unlock(&b->lock);
}

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
    if (WAGGLE__UNLIKELY(!atomic_load_explicit(&b->is_running, memory_order_relaxed)))
        start_worker(b);
    if (WAGGLE__UNLIKELY(wake) && b->wake[1] >= 0)
        poke(b->wake[1]);
}

/* Wait until `*done`, with the lock held; false if the deadline comes first. */
static bool wait_locked(struct batch *b, const waggle_deadline *deadline, const bool *stopped,
                        uint64_t flush)
{
    struct timespec until;
    waggle__timespec(deadline->monotonic_ns, &until);
    while (!*stopped && (flush == 0 || b->flush_done < flush))
        if (pthread_cond_timedwait(&b->changed, &b->lock, &until) == ETIMEDOUT)
            return *stopped || (flush != 0 && b->flush_done >= flush);
    return true;
}

static bool batch_flush(struct waggle_processor *p, const waggle_deadline *deadline)
{
    struct batch *b = (struct batch *)p;
    if (!atomic_load_explicit(&b->is_running, memory_order_acquire))
        return true;
    (void)pthread_mutex_lock(&b->lock); // fails only for a mutex that is none
    uint64_t mine = ++b->flush_wanted;
    if (b->wake[1] >= 0)
        poke(b->wake[1]);
    bool done = wait_locked(b, deadline, &b->stopped, mine);
    (void)pthread_mutex_unlock(&b->lock);
    return done;
}

static bool shutdown_without_worker(struct batch *b, const waggle_deadline *deadline)
{
    const struct waggle_exporter_ops *ops = b->exporter->ops;
    return ops->shutdown == NULL || ops->shutdown(b->exporter, deadline);
}

static bool batch_shutdown(struct waggle_processor *p, const waggle_deadline *deadline)
{
    struct batch *b = (struct batch *)p;
    if (atomic_exchange_explicit(&b->is_shut, true, memory_order_acq_rel))
        return false;
    (void)pthread_mutex_lock(&b->lock); // fails only for a mutex that is none
    b->stop = true;
    b->stop_deadline = *deadline;
    bool running = atomic_load_explicit(&b->is_running, memory_order_acquire);
    bool done = true;
    if (running) {
        if (b->cancel[1] >= 0)
            poke(b->cancel[1]);
        if (b->wake[1] >= 0)
            poke(b->wake[1]);
        // A little more than the worker has: it wants to say that it is done.
        waggle_deadline mine = {deadline->monotonic_ns + 100000000u, -1};
        done = wait_locked(b, &mine, &b->stopped, 0);
    }
    bool ok = done && (!running || b->stop_ok);
    b->abandoned = !done;
    pthread_t worker = b->worker;
    (void)pthread_mutex_unlock(&b->lock);
    if (!running) {
        waggle__queue_retire(b->queue);
        return shutdown_without_worker(b, deadline);
    }
    // A thread that has said it is done ends at once.
    (void)(done ? pthread_join(worker, NULL) : pthread_detach(worker));
    if (done)
        waggle__queue_retire(b->queue);
    return ok;
}

static void before_fork(struct waggle_processor *p)
{
    (void)pthread_mutex_lock(&((struct batch *)p)->lock); // fails only for a mutex that is none
}

static void after_fork(struct waggle_processor *p, bool child)
{
    struct batch *b = (struct batch *)p;
    if (child) {
        waggle__queue_after_fork(b->queue);
        close_pipe(b->wake);
        close_pipe(b->cancel);
        open_pipe(b->wake);
        open_pipe(b->cancel);
        atomic_store_explicit(&b->is_running, false, memory_order_relaxed);
        b->flush_done = b->flush_wanted;
        b->stopped = false;
        waggle__cond_init(&b->changed);
        if (b->exporter->ops->after_fork != NULL)
            b->exporter->ops->after_fork(b->exporter);
    }
    (void)pthread_mutex_unlock(&b->lock); // this thread locked it
}

static void set_resource(struct waggle_processor *p, const waggle_resource_info *resource)
{
    ((struct batch *)p)->resource = resource;
}

static void batch_free(struct waggle_processor *p)
{
    struct batch *b = (struct batch *)p;
    if (b->abandoned)
        return; // its worker may still be in an export
    if (b->exporter != NULL && b->exporter->ops->free != NULL)
        b->exporter->ops->free(b->exporter);
    waggle__queue_free(b->queue);
    close_pipe(b->wake);
    close_pipe(b->cancel);
    (void)pthread_mutex_destroy(&b->lock); // nobody holds it
    (void)pthread_cond_destroy(&b->changed);
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
    (void)pthread_mutex_init(&b->lock, NULL); // cannot fail on Linux
    waggle__cond_init(&b->changed);
    waggle__report_init(&b->report);
    open_pipe(b->wake);
    open_pipe(b->cancel);
    if (b->records == NULL || b->bytes == NULL || b->queue == NULL) {
        batch_free(&b->base);
        return NULL;
    }
    return &b->base;
}
