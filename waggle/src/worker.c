// SPDX-License-Identifier: Apache-2.0
/*
 * worker.c - the thread of a batch processor or a periodic reader
 *
 * It sleeps in poll(2) on a pipe: its timeout is monotonic, and who wakes it needs no lock. It is
 * started by the first thing there is to send, also after a fork, whose child has pipes of its own
 * and no worker until then.
 *
 * Stopping writes to a second pipe, which an exporter that waits between retries sees, and waits
 * until the time is over; a worker that does not come back is left alone, and then so is its
 * memory.
 *
 * Threads: `lock` guards what flush, shutdown and the worker tell each other; it is never held
 * while sending.
 */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

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
    if (fd < 0)
        return;
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

/* --- life ---------------------------------------------------------------------------------- */

void waggle__worker_init(struct waggle__worker *w, const struct waggle__worker_ops *ops,
                         void *owner, uint32_t delay_ms)
{
    w->ops = ops;
    w->owner = owner;
    w->delay_ms = delay_ms;
    (void)pthread_mutex_init(&w->lock, NULL); // cannot fail on Linux
    waggle__cond_init(&w->changed);
    open_pipe(w->wake);
    open_pipe(w->cancel);
}

void waggle__worker_done(struct waggle__worker *w)
{
    close_pipe(w->wake);
    close_pipe(w->cancel);
    (void)pthread_mutex_destroy(&w->lock); // nobody holds it
    (void)pthread_cond_destroy(&w->changed);
}

/* --- the thread ---------------------------------------------------------------------------- */

static bool is_more(struct waggle__worker *w)
{
    return w->ops->is_ready != NULL && w->ops->is_ready(w);
}

static void wait_for_work(struct waggle__worker *w, uint64_t until_ns)
{
    waggle_deadline until = {until_ns, -1};
    int ms = waggle_deadline_left_ms(&until);
    struct pollfd fd = {w->wake[0], POLLIN, 0};
    if (w->wake[0] < 0 && ms > 1000)
        ms = 1000;
    if (is_more(w))
        ms = 0;
    (void)poll(&fd, w->wake[0] >= 0 ? 1 : 0, ms); // whatever it says, the worker looks around
    drain(w->wake[0]);
}

static void finish_work(struct waggle__worker *w, waggle_deadline limit)
{
    bool ok = w->ops->finish(w, &limit);
    (void)pthread_mutex_lock(&w->lock); // fails only for a mutex that is none
    w->stopped = true;
    w->stop_ok = ok && waggle_deadline_left_ms(&limit) > 0;
    w->flush_done = w->flush_wanted;
    (void)pthread_cond_broadcast(&w->changed); // cannot fail
    (void)pthread_mutex_unlock(&w->lock);
}

static void tell_flushed(struct waggle__worker *w, uint64_t wanted)
{
    (void)pthread_mutex_lock(&w->lock); // fails only for a mutex that is none
    w->flush_done = wanted;
    (void)pthread_cond_broadcast(&w->changed); // cannot fail
    (void)pthread_mutex_unlock(&w->lock);
}

static void *run_worker(void *self)
{
    struct waggle__worker *w = self;
    struct waggle__thread *t = waggle__thread();
    if (t == NULL)
        return NULL; // what waits is counted as dropped when there is no more room
    t->suppressed++;
    uint64_t delay_ns = (uint64_t)w->delay_ms * 1000000u;
    uint64_t next = waggle__deadline_in(w->delay_ms).monotonic_ns;
    for (;;) {
        wait_for_work(w, next);
        (void)pthread_mutex_lock(&w->lock); // fails only for a mutex that is none
        bool stop = w->stop;
        uint64_t wanted = w->flush_wanted;
        bool flush = wanted != w->flush_done;
        waggle_deadline limit = w->stop_deadline;
        (void)pthread_mutex_unlock(&w->lock);
        if (stop) {
            finish_work(w, limit);
            return NULL;
        }
        waggle_deadline timer = {next, -1};
        bool due = waggle_deadline_left_ms(&timer) == 0;
        if (!w->ops->work(w, flush || due))
            continue;
        next = waggle__deadline_in(0).monotonic_ns + delay_ns;
        if (flush)
            tell_flushed(w, wanted);
    }
}

/* Signals of the program are for its own threads. */
static int start_thread(struct waggle__worker *w)
{
    sigset_t all;
    sigset_t old;
    (void)sigfillset(&all); // cannot fail
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&w->thread, NULL, run_worker, w);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

WAGGLE__COLD void waggle__worker_start(struct waggle__worker *w)
{
    (void)pthread_mutex_lock(&w->lock); // fails only for a mutex that is none
    if (!waggle__worker_is_running(w) && !w->stop && start_thread(w) == 0)
        atomic_store_explicit(&w->is_running, true, memory_order_release);
    (void)pthread_mutex_unlock(&w->lock);
}

void waggle__worker_wake(const struct waggle__worker *w)
{
    poke(w->wake[1]);
}

/* --- flush and end ------------------------------------------------------------------------- */

/* Wait until it stopped, or did that flush, with the lock held; false if the deadline comes first.
 */
static bool wait_locked(struct waggle__worker *w, const waggle_deadline *deadline, uint64_t flush)
{
    struct timespec until;
    waggle__timespec(deadline->monotonic_ns, &until);
    while (!w->stopped && (flush == 0 || w->flush_done < flush))
        if (pthread_cond_timedwait(&w->changed, &w->lock, &until) == ETIMEDOUT)
            return w->stopped || (flush != 0 && w->flush_done >= flush);
    return true;
}

bool waggle__worker_flush(struct waggle__worker *w, const waggle_deadline *deadline)
{
    if (!atomic_load_explicit(&w->is_running, memory_order_acquire))
        return true;
    (void)pthread_mutex_lock(&w->lock); // fails only for a mutex that is none
    uint64_t mine = ++w->flush_wanted;
    poke(w->wake[1]);
    bool done = wait_locked(w, deadline, mine);
    (void)pthread_mutex_unlock(&w->lock);
    return done;
}

bool waggle__worker_stop(struct waggle__worker *w, const waggle_deadline *deadline,
                         bool *ret_was_running)
{
    (void)pthread_mutex_lock(&w->lock); // fails only for a mutex that is none
    w->stop = true;
    w->stop_deadline = *deadline;
    bool running = atomic_load_explicit(&w->is_running, memory_order_acquire);
    bool done = true;
    if (running) {
        poke(w->cancel[1]);
        poke(w->wake[1]);
        // A little more than the worker has: it wants to say that it is done.
        waggle_deadline mine = {deadline->monotonic_ns + 100000000u, -1};
        done = wait_locked(w, &mine, 0);
    }
    bool ok = done && (!running || w->stop_ok);
    w->abandoned = !done;
    pthread_t thread = w->thread;
    (void)pthread_mutex_unlock(&w->lock);
    *ret_was_running = running;
    if (running) // a thread that has said it is done ends at once
        (void)(done ? pthread_join(thread, NULL) : pthread_detach(thread));
    return ok;
}

void waggle__worker_before_fork(struct waggle__worker *w)
{
    (void)pthread_mutex_lock(&w->lock); // fails only for a mutex that is none
}

void waggle__worker_after_fork(struct waggle__worker *w, bool child)
{
    if (child) {
        close_pipe(w->wake);
        close_pipe(w->cancel);
        open_pipe(w->wake);
        open_pipe(w->cancel);
        atomic_store_explicit(&w->is_running, false, memory_order_relaxed);
        w->flush_done = w->flush_wanted;
        w->stopped = false;
        waggle__cond_init(&w->changed);
    }
    (void)pthread_mutex_unlock(&w->lock); // this thread locked it
}
