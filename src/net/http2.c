// SPDX-License-Identifier: Apache-2.0
/* HTTP/2: n threads, each with an epoll set, its connections and two queues.
 *
 *   adopt ----fresh----.
 *   wake ----answered---+--> eventfd --> worker thread --> nghttp2 session --> socket
 *   stream wake --ready'
 *
 * A connection belongs to one thread for life.  Other threads only append to the queues.  Output
 * is gathered to 64 KiB before it is written; while the socket takes nothing, nothing more is made.
 *
 * I1  only the worker's thread touches its connections, streams and sessions.
 * I2  a parked request that was answered is in `answered` exactly once; the thread ends only when
 *     none is outstanding (n_parked == 0).
 * Threads: see above; `mu` guards the queues.  Lock order: a stream's mu, then mu.
 * Memory: one block a connection, one a stream. */
#include "net/http2_priv.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    EVENTS = 64,
    TICK_MS = 1000,
    IN_BYTES = 64 << 10,
    OUT_BYTES = 64 << 10,
    OUT_LIMIT_BYTES = 1 << 20, /* one frame beyond OUT_BYTES always fits */
    FLUSH_ROUNDS = 64,         /* then the other connections have their turn */
    RECORDS = 3,               /* of TLS, in a row */
};

struct skep_net__h2 {
    struct skep_net__worker *workers;
    unsigned n;
};

static void lock(struct skep_net__worker *w)
{
    int rc = pthread_mutex_lock(&w->mu);
    skep_assert(rc == 0);
}

static void unlock(struct skep_net__worker *w)
{
    int rc = pthread_mutex_unlock(&w->mu);
    skep_assert(rc == 0);
}

/* Called under mu, so that the worker cannot be gone yet. */
static void poke_locked(struct skep_net__worker *w)
{
    const uint64_t one = 1;
    if (write(w->evfd, &one, sizeof one) < 0)
        skep_assert(errno == EAGAIN || errno == EINTR); /* full: it is awake anyway */
}

void skep_net__h2_wake(struct skep_net__req *r)
{
    struct skep_net__worker *w = r->conn;
    lock(w);
    r->next = w->answered;
    w->answered = r;
    if (!r->next)
        poke_locked(w);
    unlock(w);
}

void skep_net__h2_stream_wake(struct skep_stream *s)
{
    struct skep_net__h2_stream *st = s->conn;
    struct skep_net__worker *w = st->conn->worker;
    lock(w);
    if (!s->queued) {
        s->queued = true;
        atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
        s->next = w->ready;
        w->ready = s;
        if (!s->next)
            poke_locked(w);
    }
    unlock(w);
}

/* --- connections
 * ---------------------------------------------------------------------------- */

static void conn_free(struct skep_net__h2_conn *c)
{
    struct skep_net__worker *w = c->worker;
    while (c->streams)
        skep_net__h2_stream_free(c->streams);
    nghttp2_session_del(c->session);
    skep_buf_done(&c->out);
    /* By hand: a duplicate that lingers would keep the registration, and its pointer to c, alive.
     */
    (void)epoll_ctl(w->epfd, EPOLL_CTL_DEL, c->fd, NULL);
    skep_net__link_free(c->link);
    if (c->calmed) { /* it is still sending: let it see the GOAWAY rather than a reset */
        skep_net__door_linger(w->net->door, c->fd);
        (void)shutdown(c->fd, SHUT_WR);
    }
    (void)close(c->fd); /* what the client did not take it will not get */
    if (c->prev)
        c->prev->next = c->next;
    else
        w->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    atomic_fetch_sub_explicit(&w->n_conns, 1, memory_order_relaxed);
    skep_net__conn_over(w->net, &c->from, c->tls);
    skep_free(c);
}

static void watch_output(struct skep_net__h2_conn *c, bool blocked)
{
    if (c->blocked == blocked)
        return;
    c->blocked = blocked;
    struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = c};
    if (blocked)
        e.events |= EPOLLOUT;
    if (epoll_ctl(c->worker->epfd, EPOLL_CTL_MOD, c->fd, &e) != 0)
        c->dead = true;
}

/* Gather frames. */
static void fill(struct skep_net__h2_conn *c)
{
    skep_buf_reset(&c->out);
    c->out_head = 0;
    while (c->out.n < OUT_BYTES) {
        const uint8_t *p = NULL;
        ssize_t n = nghttp2_session_mem_send(c->session, &p);
        if (n < 0)
            c->dead = true;
        if (n <= 0)
            break;
        skep_buf_put(&c->out, p, (size_t)n);
        skep_assert(!c->out.bad);
    }
}

static ssize_t put(struct skep_net__h2_conn *c, const uint8_t *p, size_t n)
{
    return c->link ? skep_net__link_send(c->link, p, n) : send(c->fd, p, n, MSG_NOSIGNAL);
}

static ssize_t get(struct skep_net__h2_conn *c, uint8_t *p, size_t n)
{
    return c->link ? skep_net__link_recv(c->link, p, n) : recv(c->fd, p, n, MSG_DONTWAIT);
}

static void flush(struct skep_net__h2_conn *c)
{
    if (c->shaking)
        return;
    for (unsigned round = 0; !c->dead; round++) {
        if (round == FLUSH_ROUNDS) {
            watch_output(c, true);
            return;
        }
        if (c->out_head == c->out.n)
            fill(c);
        if (c->out.n == 0)
            break;
        ssize_t n = put(c, c->out.p + c->out_head, c->out.n - c->out_head);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            if (errno != EAGAIN)
                c->dead = true;
            else
                watch_output(c, true);
            return;
        }
        c->out_head += (size_t)n;
        c->progress_ms = skep_net__now_ms();
    }
    watch_output(c, false);
    if (!nghttp2_session_want_read(c->session) && !nghttp2_session_want_write(c->session))
        c->dead = true;
}

static bool receive_once(struct skep_net__h2_conn *c)
{
    uint8_t *in = c->worker->in;
    ssize_t n = get(c, in, IN_BYTES);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) {
        c->dead = true;
        return false;
    }
    c->progress_ms = skep_net__now_ms();
    if (nghttp2_session_mem_recv(c->session, in, (size_t)n) < 0) {
        flush(c); /* the GOAWAY that says why */
        c->dead = true;
    }
    return !c->dead;
}

/* Records are smaller than what recv brings: take several, and all that gnutls holds. */
static void receive(struct skep_net__h2_conn *c)
{
    for (unsigned i = 0; receive_once(c) && c->link; i++)
        if (i >= RECORDS && !skep_net__link_pending(c->link))
            return;
}

static void shake(struct skep_net__h2_conn *c)
{
    bool write = false;
    switch (skep_net__link_shake(c->link, &write)) {
    case SKEP_NET__SHAKEN:
        c->shaking = false;
        c->subject_s = skep_net__link_subject(c->link);
        receive(c);
        break;
    case SKEP_NET__SHAKE_AGAIN: watch_output(c, write); break;
    case SKEP_NET__SHAKE_FAILED:
    default: c->dead = true; break;
    }
}

static void name_ends(struct skep_net__h2_conn *c, const struct sockaddr_storage *peer)
{
    struct sockaddr_storage a = {0};
    socklen_t n = sizeof a;
    if (getsockname(c->fd, (struct sockaddr *)&a, &n) == 0) {
        c->listener_s = skep_net__address_format(&a, true, c->listener);
        c->local_ip_s = skep_net__address_format(&a, false, c->local_ip);
    }
    c->peer_s = skep_net__address_format(peer, true, c->peer);
}

static void advance(struct skep_net__h2_conn *c)
{
    if (c->shaking)
        shake(c);
    else
        receive(c);
}

static void conn_new(struct skep_net__worker *w, const struct skep_net__h2_new *fresh)
{
    struct skep_net__h2_conn *c = skep_alloc(struct skep_net__h2_conn);
    struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = c};
    c->worker = w;
    c->fd = fresh->fd;
    c->tls = c->shaking = fresh->tls;
    c->from = skep_net__who_of(&fresh->peer);
    c->progress_ms = skep_net__now_ms();
    skep_buf_init(&c->out, OUT_LIMIT_BYTES);
    name_ends(c, &fresh->peer);
    c->next = w->conns;
    if (c->next)
        c->next->prev = c;
    w->conns = c;
    if (c->tls)
        c->link = skep_net__link_new(skep_net__tls_take(w->net->tls), c->fd);
    if ((c->tls && !c->link) || !skep_net__h2_session_open(c) ||
        epoll_ctl(w->epfd, EPOLL_CTL_ADD, c->fd, &e) != 0) {
        conn_free(c);
        return;
    }
    advance(c);
    flush(c);
    if (c->dead)
        conn_free(c);
}

void skep_net__h2_adopt(struct skep_net__h2 *h, int fd, const struct sockaddr_storage *peer,
                        bool tls)
{
    struct skep_net__worker *best = &h->workers[0];
    for (unsigned i = 1; i < h->n; i++)
        if (atomic_load_explicit(&h->workers[i].n_conns, memory_order_relaxed) <
            atomic_load_explicit(&best->n_conns, memory_order_relaxed))
            best = &h->workers[i];
    atomic_fetch_add_explicit(&best->n_conns, 1, memory_order_relaxed);
    lock(best);
    SKEP_GROW(best->fresh, best->n_fresh, best->cap_fresh);
    best->fresh[best->n_fresh++] = (struct skep_net__h2_new){fd, tls, *peer};
    poke_locked(best);
    unlock(best);
}

/* --- queues
 * --------------------------------------------------------------------------------- */

/* To be flushed once the queues are empty. */
static void touch(struct skep_net__h2_conn *c)
{
    if (c->touched)
        return;
    c->touched = true;
    c->touch_next = c->worker->touched;
    c->worker->touched = c;
}

static void flush_touched(struct skep_net__worker *w)
{
    while (w->touched) {
        struct skep_net__h2_conn *c = w->touched;
        w->touched = c->touch_next;
        c->touched = false;
        flush(c);
        if (c->dead)
            conn_free(c);
    }
}

static void take_fresh(struct skep_net__worker *w)
{
    for (;;) {
        struct skep_net__h2_new fresh = {.fd = -1};
        lock(w);
        if (w->n_fresh > 0)
            fresh = w->fresh[--w->n_fresh];
        unlock(w);
        if (fresh.fd < 0)
            return;
        conn_new(w, &fresh);
    }
}

static void take_answered(struct skep_net__worker *w)
{
    lock(w);
    struct skep_net__req *r = w->answered;
    w->answered = NULL;
    unlock(w);
    while (r) {
        struct skep_net__req *next = r->next;
        struct skep_net__h2_stream *st = r->owner;
        skep_assert(w->n_parked > 0);
        w->n_parked--;
        if (st) {
            st->parked = false;
            skep_net__h2_submit(st);
            touch(st->conn);
        } else {
            skep_net__req_close(r); /* its stream went away first */
        }
        r = next;
    }
}

static void take_ready(struct skep_net__worker *w)
{
    lock(w);
    struct skep_stream *s = w->ready;
    w->ready = NULL;
    for (struct skep_stream *i = s; i; i = i->next)
        i->queued = false;
    struct skep_stream *all[EVENTS];
    size_t n = 0;
    while (s && n < EVENTS) {
        all[n++] = s;
        s = s->next;
    }
    for (struct skep_stream *i = s; i;) { /* the rest goes back */
        struct skep_stream *next = i->next;
        i->queued = true;
        i->next = w->ready;
        w->ready = i;
        i = next;
    }
    if (w->ready)
        poke_locked(w);
    unlock(w);
    for (size_t i = 0; i < n; i++) {
        struct skep_net__h2_stream *st = all[i]->conn;
        if (st) {
            st->idle = false;
            touch(st->conn);
            if (nghttp2_session_resume_data(st->conn->session, st->id) == NGHTTP2_ERR_NOMEM)
                st->conn->dead = true; /* other codes: not deferred, so on its way anyway */
        }
        skep_net__stream_unref(all[i]);
    }
}

static void on_wake(struct skep_net__worker *w)
{
    uint64_t count;
    if (read(w->evfd, &count, sizeof count) < 0)
        skep_assert(errno == EAGAIN || errno == EINTR);
    take_fresh(w);
    take_answered(w);
    take_ready(w);
    if (atomic_exchange(&w->drain, false)) {
        for (struct skep_net__h2_conn *c = w->conns; c; c = c->next) {
            int32_t last = nghttp2_session_get_last_proc_stream_id(c->session);
            if (nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL,
                                      0) != 0)
                c->dead = true;
            touch(c);
        }
    }
    flush_touched(w);
}

/* --- slow clients
 * --------------------------------------------------------------------------- */

/* The client gives no window for an answer that stands.  With a window the socket is what waits,
 * and the socket is asked how it drains. */
static bool is_left_waiting(struct skep_net__h2_stream *st, uint64_t now)
{
    nghttp2_session *session = st->conn->session;
    uint64_t idle_ms = (uint64_t)st->conn->worker->net->cfg.idle_timeout_s * 1000;
    bool shut = nghttp2_session_get_remote_window_size(session) <= 0 ||
                nghttp2_session_get_stream_remote_window_size(session, st->id) <= 0;
    bool waits = st->submitted && !st->sent_end && !st->idle && shut;
    return !skep_net__drains(&st->drain, waits, st->read, now, idle_ms);
}

/* Cut uploads that crawl and answers that nobody takes; true if some stream waits for us. */
static bool sweep_streams(struct skep_net__h2_conn *c, uint64_t now)
{
    bool ours = false;
    uint64_t slow_ms = skep_net__timeout_ms(c->worker->net, SKEP_NET__SLOW_TIMEOUT_MS);
    for (struct skep_net__h2_stream *st = c->streams; st; st = st->next) {
        uint64_t ms = now - st->since_ms;
        bool left_open = st->sent_end && ms > slow_ms;
        ours = ours || st->parked || st->idle;
        if (left_open &&
            nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_NO_ERROR) != 0)
            c->dead = true;
        if (left_open)
            touch(c);
        if (is_left_waiting(st, now)) {
            skep_net__count(c->worker->net, cut_slow, 1);
            if (nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, st->id,
                                          NGHTTP2_ENHANCE_YOUR_CALM) != 0)
                c->dead = true;
            touch(c);
        }
        ours = ours || skep_net__has_unsent(&st->drain); /* cut for that, and counted, in time */
        if (st->run || ms <= slow_ms || st->received * 1000 / ms >= SKEP_NET__BODY_BYTES_PER_S_MIN)
            continue;
        skep_net__count(c->worker->net, cut_slow, 1);
        if (nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_CANCEL) != 0)
            c->dead = true;
        touch(c);
    }
    return ours;
}

static void sweep(struct skep_net__worker *w, uint64_t now)
{
    uint64_t idle_ms = (uint64_t)w->net->cfg.idle_timeout_s * 1000;
    for (struct skep_net__h2_conn *c = w->conns; c; c = c->next) {
        bool ours = sweep_streams(c, now);
        if (!skep_net__socket_drains(&c->drain, c->fd, now, idle_ms)) {
            skep_net__count(w->net, cut_slow, 1);
            skep_net__reset_at_close(c->fd);
            c->dead = true;
            touch(c);
            continue;
        }
        /* A reader that is slow enough lets us send nothing for longer than that. */
        ours = ours || skep_net__has_unsent(&c->drain);
        uint64_t limit_ms =
            c->shaking ? skep_net__timeout_ms(w->net, SKEP_NET__SNIFF_TIMEOUT_MS) : idle_ms;
        if (ours || now - c->progress_ms <= limit_ms)
            continue;
        if (nghttp2_session_terminate_session(c->session, NGHTTP2_NO_ERROR) == 0)
            flush(c);
        c->dead = true;
        touch(c);
    }
    flush_touched(w);
}

/* --- the thread
 * ----------------------------------------------------------------------------- */

static void on_event(const struct epoll_event *e)
{
    struct skep_net__h2_conn *c = e->data.ptr;
    if (c->shaking)
        shake(c);
    else if (e->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        receive(c);
    if (!c->dead)
        flush(c);
    if (c->dead)
        conn_free(c);
}

/* End everything, then wait for answers that are on their way into the queue. */
static void end_all(struct skep_net__worker *w)
{
    take_fresh(w);
    while (w->conns) {
        struct skep_net__h2_conn *c = w->conns;
        if (!c->dead && nghttp2_session_terminate_session(c->session, NGHTTP2_NO_ERROR) == 0)
            flush(c);
        conn_free(c);
    }
    while (w->n_parked > 0) {
        struct epoll_event e;
        (void)epoll_wait(w->epfd, &e, 1, 10); /* the eventfd or the time: look again */
        on_wake(w);
    }
    take_ready(w);
}

static void *worker_main(void *arg)
{
    struct skep_net__worker *w = arg;
    struct epoll_event events[EVENTS];
    uint64_t swept_ms = skep_net__now_ms();
    while (!atomic_load(&w->stop)) {
        bool wake = false;
        int n = epoll_wait(w->epfd, events, EVENTS, w->conns ? TICK_MS : -1);
        for (int i = 0; i < n; i++) {
            /* The queues last: they may end connections that still have an event here. */
            if (events[i].data.ptr)
                on_event(&events[i]);
            else
                wake = true;
        }
        if (wake)
            on_wake(w);
        uint64_t now = skep_net__now_ms();
        if (now - swept_ms >= TICK_MS) {
            swept_ms = now;
            sweep(w, now);
        }
    }
    end_all(w);
    return NULL;
}

static skep_rc start_worker(struct skep_net__worker *w, struct skep_net *net, skep_err *err)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    w->net = net;
    w->in = skep_malloc(IN_BYTES);
    int rc = pthread_mutex_init(&w->mu, NULL);
    skep_assert(rc == 0);
    w->epfd = epoll_create1(EPOLL_CLOEXEC);
    w->evfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (w->epfd < 0 || w->evfd < 0 || epoll_ctl(w->epfd, EPOLL_CTL_ADD, w->evfd, &e) != 0)
        return skep_fail(err, SKEP_EIO, "cannot make an HTTP/2 loop: errno %d", errno);
    rc = pthread_create(&w->thread, NULL, worker_main, w);
    if (rc != 0)
        return skep_fail(err, SKEP_EIO, "cannot start an HTTP/2 thread: errno %d", rc);
    w->started = true;
    return SKEP_OK;
}

skep_rc skep_net__h2_start(struct skep_net *net, unsigned n, struct skep_net__h2 **ret,
                           skep_err *err)
{
    struct skep_net__h2 *h = skep_alloc(struct skep_net__h2);
    h->workers = skep_alloc_n(struct skep_net__worker, n);
    while (h->n < n) {
        skep_rc rc = start_worker(&h->workers[h->n++], net, err);
        if (rc != SKEP_OK) {
            skep_net__h2_stop(h);
            return rc;
        }
    }
    *ret = h;
    return SKEP_OK;
}

void skep_net__h2_drain(struct skep_net__h2 *h)
{
    for (unsigned i = 0; i < h->n; i++) {
        struct skep_net__worker *w = &h->workers[i];
        lock(w);
        atomic_store(&w->drain, true);
        poke_locked(w);
        unlock(w);
    }
}

static void stop_worker(struct skep_net__worker *w)
{
    if (w->started) {
        lock(w);
        atomic_store(&w->stop, true);
        poke_locked(w);
        unlock(w);
        int rc = pthread_join(w->thread, NULL);
        skep_assert(rc == 0);
    }
    skep_assert(!w->conns && !w->answered && !w->ready);
    if (w->epfd >= 0)
        (void)close(w->epfd); /* an epoll set */
    if (w->evfd >= 0)
        (void)close(w->evfd); /* an eventfd */
    skep_net__inflater_done(&w->inflater);
    skep_free(w->fresh);
    skep_free(w->in);
    (void)pthread_mutex_destroy(&w->mu); /* nobody is left to hold it */
}

void skep_net__h2_stop(struct skep_net__h2 *h)
{
    if (!h)
        return;
    for (unsigned i = 0; i < h->n; i++)
        stop_worker(&h->workers[i]);
    skep_free(h->workers);
    skep_free(h);
}
