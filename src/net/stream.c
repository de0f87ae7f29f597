// SPDX-License-Identifier: Apache-2.0
/* Answers of unknown length: a bounded pipe from a writer's thread to a connection's I/O thread.
 *
 *   writer --skep_stream_write--> [ head ... buf.n ) --stream_read--> transport
 *
 * The transport reads when the socket takes more.  When it finds nothing it says `waiting`, and the
 * next write calls wake.  The writer waits on `room` while 1 MiB is unsent, and asks now and then
 * whether it still should (a key may be revoked, a question cancelled meanwhile).
 *
 * I1  wake is called under mu, while waiting and not closed: the connection it names still lives,
 *     because the transport detaches (under mu) before it frees the connection.
 * I2  after `closed` nothing is appended.
 * Threads: one writer, one reader.  Lock order: a transport's connection list, mu, libmicrohttpd.
 * Memory: at most SKEP_NET__STREAM_BYTES plus one piece; freed by the last of writer and reader. */
#include "net/net_priv.h"

#include <errno.h>
#include <time.h>

enum { PIECE_BYTES = 256 << 10, LOOK_MS = 10, WAIT_MS = 250 };

struct skep_stream *skep_net__stream_new(void)
{
    struct skep_stream *s = skep_alloc(struct skep_stream);
    pthread_condattr_t attr;
    int rc = pthread_condattr_init(&attr);
    rc |= pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    rc |= pthread_cond_init(&s->room, &attr);
    rc |= pthread_mutex_init(&s->mu, NULL);
    skep_assert(rc == 0);
    (void)pthread_condattr_destroy(&attr); /* cannot fail on an initialised object */
    atomic_init(&s->refs, 2);
    skep_buf_init(&s->buf, SKEP_NET__STREAM_BYTES + PIECE_BYTES);
    s->fd = -1;
    return s;
}

void skep_net__stream_unref(struct skep_stream *s)
{
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    skep_buf_done(&s->buf);
    (void)pthread_cond_destroy(&s->room); /* nobody waits: this was the last reference */
    (void)pthread_mutex_destroy(&s->mu);
    skep_free(s);
}

static void lock(struct skep_stream *s)
{
    int rc = pthread_mutex_lock(&s->mu);
    skep_assert(rc == 0);
}

static void unlock(struct skep_stream *s)
{
    int rc = pthread_mutex_unlock(&s->mu);
    skep_assert(rc == 0);
}

static void wake_locked(struct skep_stream *s)
{
    if (s->waiting && !s->closed) {
        s->waiting = false;
        s->wake(s);
    }
}

/* Notice a client that left while there was nothing to send. */
static void look_locked(struct skep_stream *s)
{
    uint64_t now = skep_net__now_ms();
    if (s->closed || s->fd < 0 || now - s->looked_ms < LOOK_MS)
        return;
    s->looked_ms = now;
    if (skep_net__peer_gone(s->fd)) {
        wake_locked(s); /* the transport will find out by itself */
        s->closed = true;
    }
}

void skep_net__stream_cut(struct skep_stream *s)
{
    lock(s);
    wake_locked(s);
    s->closed = true;
    if (pthread_cond_signal(&s->room) != 0)
        skep_unreachable("pthread_cond_signal");
    unlock(s);
}

static void wait_locked(struct skep_stream *s)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until); /* the clock exists on every Linux */
    until.tv_nsec += WAIT_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    int rc = pthread_cond_timedwait(&s->room, &s->mu, &until);
    skep_assert(rc == 0 || rc == ETIMEDOUT);
}

void skep_stream_until(struct skep_stream *s, bool (*over)(void *ctx), void *ctx)
{
    s->over = over;
    s->over_ctx = ctx;
}

/* The writer's own question, which may take locks of its own. */
static bool is_over(struct skep_stream *s)
{
    unlock(s);
    bool over = s->over && s->over(s->over_ctx);
    lock(s);
    return over;
}

static bool is_full(const struct skep_stream *s)
{
    return !s->closed && s->buf.n - s->head > SKEP_NET__STREAM_BYTES;
}

/* Until there is room; false: nobody reads any more, or the wait is over.  In that case what stands
 * in the pipe is still sent. */
static bool wait_for_room(struct skep_stream *s)
{
    look_locked(s);
    while (is_full(s) && !s->given_up) {
        wait_locked(s);
        look_locked(s);
        s->given_up = is_full(s) && is_over(s);
    }
    return !s->closed && !s->given_up;
}

skep_rc skep_stream_write(struct skep_stream *s, skep_bytes b)
{
    skep_rc rc = SKEP_OK;
    lock(s);
    skep_assert(!s->ended);
    do {
        if (!wait_for_room(s)) {
            rc = SKEP_ECLOSED;
            break;
        }
        size_t n = SKEP_MIN(b.n, (size_t)PIECE_BYTES);
        if (s->head > 0) {
            memmove(s->buf.p, s->buf.p + s->head, s->buf.n - s->head);
            s->buf.n -= s->head;
            s->head = 0;
        }
        skep_buf_put(&s->buf, b.p, n);
        skep_assert(!s->buf.bad);
        b.p = b.n ? b.p + n : b.p;
        b.n -= n;
        if (n)
            wake_locked(s);
    } while (b.n > 0);
    unlock(s);
    return rc;
}

bool skep_stream_closed(const struct skep_stream *s)
{
    struct skep_stream *w = skep_net__unconst(s);
    lock(w);
    look_locked(w);
    bool closed = w->closed;
    unlock(w);
    return closed;
}

void skep_stream_end(struct skep_stream *s)
{
    lock(s);
    skep_assert(!s->ended);
    s->ended = true;
    wake_locked(s);
    unlock(s);
    skep_net__stream_unref(s);
}

size_t skep_net__stream_read(struct skep_stream *s, uint8_t *p, size_t max, bool *ret_end,
                             void (*parked)(struct skep_stream *s))
{
    lock(s);
    size_t n = SKEP_MIN(max, s->buf.n - s->head);
    if (n)
        memcpy(p, s->buf.p + s->head, n);
    s->head += n;
    *ret_end = (s->ended || s->closed) && s->head == s->buf.n;
    if (n == 0 && !*ret_end) {
        s->waiting = true;
        parked(s);
    }
    if (n && pthread_cond_signal(&s->room) != 0)
        skep_unreachable("pthread_cond_signal");
    unlock(s);
    return n;
}

void skep_net__stream_detach(struct skep_stream *s)
{
    lock(s);
    s->closed = true;
    s->waiting = false;
    s->fd = -1;
    if (pthread_cond_signal(&s->room) != 0)
        skep_unreachable("pthread_cond_signal");
    unlock(s);
}
