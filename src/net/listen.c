// SPDX-License-Identifier: Apache-2.0
/* The accept loop: one thread for all listeners.
 *
 *   listener --accept--> pending --first bytes--> http1 | http2, plain or TLS
 *      |                    |                        |
 *      | too many           `--10 s silent--> close  `--refused early--.
 *      `---- away.c: told why ---------------------------------> lingering --EOF--> close
 *
 * A new connection is looked at with MSG_PEEK until its protocol is known; nothing of it but this
 * little record exists until then, so a silent client holds nothing.  Lingering sockets are
 * duplicates of connections that were answered before their body was read: closing those with
 * unread bytes would send a reset, which can take the answer away from the client.
 *
 * I1  a record is in exactly one of the lists (pending, lingering) and in the epoll set.
 * I2  at most cfg.connections_max connections are open, and at most cfg.address_connections of one
 *     address; more are told so and closed.
 * Threads: everything on the door's thread, except linger (through a locked queue) and stop.
 * Memory: a record a pending or lingering socket. */
#include "net/net_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    BACKLOG = 1024,
    EVENTS = 64,
    TICK_MS = 1000,
    ACCEPT_BURST = 64,
    LINGER_MS = 5000,
    LINGER_MAX = 64,
    LINGER_BYTES_MAX = 256 << 20,
    LINGER_STEP_BYTES = 1 << 20,
    NO_FDS_PAUSE_MS = 100,
};

enum kind { LISTENER, WAKER, PENDING, LINGERING };

struct source {
    enum kind kind;
    int fd;
    struct source *next, *prev;
    uint64_t until_ms;
    size_t bytes; /* lingering: read so far */
    bool plain;   /* pending: comes by a listener that takes it without TLS */
    struct sockaddr_storage peer;
};

struct listener {
    struct source source; /* first */
    struct sockaddr_storage addr;
    socklen_t addr_n;
    char text[SKEP_NET__ADDRESS_BYTES];
    skep_str address;
    bool plain; /* takes connections without TLS, too */
};

struct skep_net__door {
    struct skep_net *net;
    struct listener listeners[SKEP_NET__LISTEN_MAX];
    unsigned n_listeners;
    struct source waker;
    int epfd;
    pthread_t thread;
    bool started;
    _Atomic bool stop;
    uint8_t *peek;           /* SKEP_NET__HELLO_MAX */
    struct source *lists[2]; /* pending, lingering */
    unsigned n_lingering;
    uint64_t paused_until_ms; /* out of descriptors: listeners rest */
    pthread_mutex_t mu;
    int queue[LINGER_MAX]; /* mu: sockets to linger */
    unsigned n_queue;      /* mu */
};

static struct source **list_of(struct skep_net__door *d, const struct source *s)
{
    skep_assert(s->kind == PENDING || s->kind == LINGERING);
    return &d->lists[s->kind == LINGERING];
}

static void link_source(struct skep_net__door *d, struct source *s)
{
    struct source **list = list_of(d, s);
    s->next = *list;
    if (s->next)
        s->next->prev = s;
    *list = s;
}

/* Forget a record; its socket lives on. */
static void drop(struct skep_net__door *d, struct source *s)
{
    if (s->prev)
        s->prev->next = s->next;
    else
        *list_of(d, s) = s->next;
    if (s->next)
        s->next->prev = s->prev;
    (void)epoll_ctl(d->epfd, EPOLL_CTL_DEL, s->fd, NULL); /* it is in the set */
    d->n_lingering -= s->kind == LINGERING;
    skep_free(s);
}

static void close_source(struct skep_net__door *d, struct source *s)
{
    int fd = s->fd;
    if (s->kind == PENDING) {
        struct skep_net__who who = skep_net__who_of(&s->peer);
        skep_net__conn_over(d->net, &who, false);
    }
    drop(d, s);
    (void)close(fd); /* nothing was written */
}

/* --- binding
 * -------------------------------------------------------------------------------- */

static skep_rc fail_bind(const struct skep_net__door *d, const struct listener *l, skep_str text,
                         skep_err *err)
{
    char buf[96];
    if (errno != EADDRINUSE)
        return skep_fail(err, errno == EADDRNOTAVAIL ? SKEP_EINVAL : SKEP_EIO,
                         "cannot listen on " SKEP_STRFMT ": %s", SKEP_STRARG(text),
                         strerrordesc_np(errno));
    const char *const *flags = d->net->cfg.listen_flags;
    const char *flag = flags ? flags[l - d->listeners] : "--listen";
    skep_str holder = skep_net__holder(&l->addr, false, buf, sizeof buf);
    return skep_fail(err, SKEP_EEXISTS,
                     SKEP_STRFMT " is taken by " SKEP_STRFMT
                                 ": stop it, or choose another address with %s",
                     SKEP_STRARG(text), SKEP_STRARG(holder), flag);
}

/* The default is to listen on both loopbacks; a machine without IPv6 has only one. */
static bool no_ipv6(const struct skep_net__door *d, const struct listener *l)
{
    const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)(const void *)&l->addr;
    return l->addr.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&a6->sin6_addr) &&
           d->net->cfg.n_listen > 1 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL);
}

static skep_rc bind_listener(struct skep_net__door *d, struct listener *l, skep_str text,
                             skep_err *err)
{
    const int one = 1;
    SKEP_TRY(skep_net__address_parse(text, &l->addr, &l->addr_n, err));
    int fd = socket(l->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    l->source = (struct source){.kind = LISTENER, .fd = fd};
    d->n_listeners++; /* from here on free closes it */
    if (fd < 0)
        return no_ipv6(d, l) ? SKEP_OK : fail_bind(d, l, text, err);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0)
        return fail_bind(d, l, text, err);
    if (l->addr.ss_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) != 0)
        return fail_bind(d, l, text, err);
    if (bind(fd, (struct sockaddr *)&l->addr, l->addr_n) != 0) {
        if (!no_ipv6(d, l))
            return fail_bind(d, l, text, err);
        (void)close(fd); /* never used */
        l->source.fd = -1;
        return SKEP_OK;
    }
    if (listen(fd, BACKLOG) != 0)
        return fail_bind(d, l, text, err);
    if (getsockname(fd, (struct sockaddr *)&l->addr, &l->addr_n) != 0)
        return fail_bind(d, l, text, err);
    l->address = skep_net__address_format(&l->addr, true, l->text);
    return SKEP_OK;
}

skep_rc skep_net__door_open(struct skep_net *net, struct skep_net__door **ret, skep_err *err)
{
    struct skep_net__door *d = skep_alloc(struct skep_net__door);
    skep_assert(net->cfg.n_listen <= SKEP_NET__LISTEN_MAX);
    d->net = net;
    d->waker = (struct source){.kind = WAKER, .fd = -1};
    d->epfd = -1;
    d->peek = skep_malloc(SKEP_NET__HELLO_MAX);
    int rc = pthread_mutex_init(&d->mu, NULL);
    skep_assert(rc == 0);
    for (unsigned i = 0; i < net->cfg.n_listen; i++) {
        d->listeners[i].plain =
            net->cfg.tls.allow_plain || (net->cfg.listen_plain && net->cfg.listen_plain[i]);
        skep_rc bound = bind_listener(d, &d->listeners[i], skep_str_c(net->cfg.listen[i]), err);
        if (bound != SKEP_OK) {
            skep_net__door_free(d);
            return bound;
        }
    }
    *ret = d;
    return SKEP_OK;
}

skep_str skep_net__door_address(const struct skep_net__door *d, unsigned i)
{
    skep_assert(i < d->n_listeners);
    return d->listeners[i].address;
}

/* --- accepting
 * ------------------------------------------------------------------------------ */

static bool watch(struct skep_net__door *d, struct source *s, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = s};
    return epoll_ctl(d->epfd, EPOLL_CTL_ADD, s->fd, &e) == 0;
}

/* Read and forget what comes on fd, which is ours, until the client ends or has had its time. */
static void linger(struct skep_net__door *d, int fd)
{
    if (d->n_lingering >= LINGER_MAX) {
        (void)close(fd); /* the client may see a reset instead of the answer */
        return;
    }
    struct source *s = skep_alloc(struct source);
    *s = (struct source){.kind = LINGERING, .fd = fd};
    s->until_ms = skep_net__now_ms() + LINGER_MS;
    d->n_lingering++;
    link_source(d, s);
    if (!watch(d, s, EPOLLIN | EPOLLRDHUP))
        close_source(d, s);
}

static void turn_away(struct skep_net__door *d, int fd, enum skep_net__away why,
                      enum skep_net__sniffed spoken)
{
    skep_net__turn_away(fd, why, spoken);
    linger(d, fd);
}

/* TLS connections are paid for out of the budget. */
static bool pay_for_tls(struct skep_net__door *d, bool tls)
{
    if (!tls)
        return true;
    skep_net__count(d->net, tls_connections, 1);
    if (skep_budget_take(&d->net->tls_memory, SKEP_NET__TLS_BYTES, NULL) == SKEP_OK)
        return true;
    skep_net__count(d->net, refused_budget, 1);
    return false;
}

static void hand_over(struct skep_net__door *d, int fd, const struct sockaddr_storage *peer,
                      bool plain, enum skep_net__sniffed spoken)
{
    const int one = 1;
    const struct skep_net *net = d->net;
    bool tls = spoken == SKEP_NET__SNIFF_TLS || spoken == SKEP_NET__SNIFF_TLS_H2;
    bool h2 = spoken == SKEP_NET__SNIFF_HTTP2 || spoken == SKEP_NET__SNIFF_TLS_H2;
    bool fits = tls ? net->tls != NULL : !net->tls || plain;
    if (!fits || !pay_for_tls(d, tls)) {
        struct skep_net__who who = skep_net__who_of(peer);
        skep_net__conn_over(d->net, &who, false);
        if (!fits)
            skep_net__count(d->net, refused_plain, 1);
        if (fits)
            (void)close(fd); /* TLS, and no memory: there is no short answer */
        else
            turn_away(d, fd, tls ? SKEP_NET__AWAY_TLS : SKEP_NET__AWAY_PLAIN, spoken);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* only slower without */
    if (h2)
        skep_net__h2_adopt(net->h2, fd, peer, tls);
    else
        skep_net__h1_adopt(net->h1, fd, peer, tls);
}

/* What is spoken on fd; *ret_end: the client has ended without saying it. */
static enum skep_net__sniffed peek(struct skep_net__door *d, int fd, bool *ret_end)
{
    ssize_t n = recv(fd, d->peek, SKEP_NET__SNIFF_BYTES, MSG_PEEK | MSG_DONTWAIT);
    *ret_end = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
    if (n <= 0)
        return SKEP_NET__SNIFF_MORE;
    enum skep_net__sniffed found = skep_net__sniff((skep_bytes){d->peek, (size_t)n});
    if (found != SKEP_NET__SNIFF_TLS || !d->net->tls)
        return found;
    n = recv(fd, d->peek, SKEP_NET__HELLO_MAX, MSG_PEEK | MSG_DONTWAIT);
    return n <= 0 ? SKEP_NET__SNIFF_MORE : skep_net__hello((skep_bytes){d->peek, (size_t)n});
}

static void welcome(struct skep_net__door *d, int fd, const struct sockaddr_storage *peer,
                    bool plain)
{
    bool end = false;
    struct skep_net__who who = skep_net__who_of(peer);
    skep_net__count(d->net, connections, 1);
    if (!skep_net__peers_enter(d->net->peers, &who)) {
        skep_net__count(d->net, refused_address, 1);
        turn_away(d, fd, SKEP_NET__AWAY_MANY_OF_ADDRESS,
                  d->net->tls ? SKEP_NET__SNIFF_TLS : SKEP_NET__SNIFF_HTTP1);
        return;
    }
    uint64_t open = skep_net__count(d->net, connections_open, 1);
    if (open >= d->net->cfg.connections_max) {
        skep_net__conn_over(d->net, &who, false);
        turn_away(d, fd, SKEP_NET__AWAY_MANY,
                  d->net->tls ? SKEP_NET__SNIFF_TLS : SKEP_NET__SNIFF_HTTP1);
        return;
    }
    enum skep_net__sniffed spoken = peek(d, fd, &end);
    if (spoken != SKEP_NET__SNIFF_MORE) {
        hand_over(d, fd, peer, plain, spoken);
        return;
    }
    struct source *s = skep_alloc(struct source);
    *s = (struct source){.kind = PENDING, .fd = fd, .peer = *peer, .plain = plain};
    s->until_ms = skep_net__now_ms() + skep_net__timeout_ms(d->net, SKEP_NET__SNIFF_TIMEOUT_MS);
    link_source(d, s);
    if (end || !watch(d, s, EPOLLIN | EPOLLRDHUP | EPOLLET))
        close_source(d, s);
}

static void accept_some(struct skep_net__door *d, struct listener *l)
{
    for (int i = 0; i < ACCEPT_BURST; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t n = sizeof peer;
        int fd = accept4(l->source.fd, (struct sockaddr *)&peer, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            welcome(d, fd, &peer, l->plain);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            d->paused_until_ms = skep_net__now_ms() + NO_FDS_PAUSE_MS;
        if (errno != EINTR && errno != ECONNABORTED)
            return;
    }
}

/* Level-triggered listeners would spin while no descriptor is left. */
static void pause_listeners(struct skep_net__door *d, bool pause)
{
    for (unsigned i = 0; i < d->n_listeners; i++) {
        struct source *s = &d->listeners[i].source;
        struct epoll_event e = {.events = pause ? 0 : EPOLLIN, .data.ptr = s};
        (void)epoll_ctl(d->epfd, EPOLL_CTL_MOD, s->fd, &e); /* it is in the set */
    }
}

/* --- lingering
 * ------------------------------------------------------------------------------ */

static void poke(struct skep_net__door *d)
{
    const uint64_t one = 1;
    if (write(d->waker.fd, &one, sizeof one) < 0)
        skep_assert(errno == EAGAIN || errno == EINTR); /* full: it is awake anyway */
}

void skep_net__door_linger(struct skep_net__door *d, int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return; /* the client may see a reset instead of the answer */
    int rc = pthread_mutex_lock(&d->mu);
    skep_assert(rc == 0);
    bool room = d->n_queue < LINGER_MAX && !atomic_load(&d->stop);
    if (room)
        d->queue[d->n_queue++] = copy;
    rc = pthread_mutex_unlock(&d->mu);
    skep_assert(rc == 0);
    if (room)
        poke(d);
    else
        (void)close(copy); /* the connection itself is still open */
}

static void take_queue(struct skep_net__door *d)
{
    uint64_t count;
    int fds[LINGER_MAX];
    if (read(d->waker.fd, &count, sizeof count) < 0)
        skep_assert(errno == EAGAIN || errno == EINTR);
    int rc = pthread_mutex_lock(&d->mu);
    skep_assert(rc == 0);
    unsigned n = d->n_queue;
    memcpy(fds, d->queue, n * sizeof *fds);
    d->n_queue = 0;
    rc = pthread_mutex_unlock(&d->mu);
    skep_assert(rc == 0);
    for (unsigned i = 0; i < n; i++)
        linger(d, fds[i]);
}

static void drain(struct skep_net__door *d, struct source *s)
{
    ssize_t n = recv(s->fd, NULL, LINGER_STEP_BYTES, MSG_DONTWAIT | MSG_TRUNC); /* thrown away */
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    s->bytes += n > 0 ? (size_t)n : 0;
    if (n <= 0 || s->bytes > LINGER_BYTES_MAX)
        close_source(d, s);
}

/* --- the thread
 * ----------------------------------------------------------------------------- */

static void on_pending(struct skep_net__door *d, struct source *s)
{
    bool end = false;
    int fd = s->fd;
    struct sockaddr_storage peer = s->peer;
    bool plain = s->plain;
    enum skep_net__sniffed spoken = peek(d, fd, &end);
    if (spoken == SKEP_NET__SNIFF_MORE) {
        if (end || skep_net__peer_gone(fd)) /* no more will come */
            close_source(d, s);
        return;
    }
    drop(d, s);
    hand_over(d, fd, &peer, plain, spoken);
}

static void expire(struct skep_net__door *d, uint64_t now)
{
    for (unsigned i = 0; i < SKEP_ARRAY_LEN(d->lists); i++) {
        for (struct source *s = d->lists[i]; s;) {
            struct source *next = s->next;
            if (now >= s->until_ms && s->kind == PENDING)
                skep_net__count(d->net, cut_slow, 1);
            if (now >= s->until_ms)
                close_source(d, s);
            s = next;
        }
    }
}

static void on_event(struct skep_net__door *d, struct source *s)
{
    switch (s->kind) {
    case LISTENER: accept_some(d, (struct listener *)(void *)s); break;
    case WAKER: take_queue(d); break;
    case PENDING: on_pending(d, s); break;
    case LINGERING: drain(d, s); break;
    default: skep_unreachable("source kind");
    }
}

/* Without connections there is nothing to sweep: sleep until somebody comes. */
static int tick_ms(struct skep_net__door *d)
{
    uint64_t open = atomic_load_explicit(&d->net->count.connections_open, memory_order_relaxed);
    return open > 0 || d->n_lingering > 0 ? TICK_MS : -1;
}

static void *door_main(void *arg)
{
    struct skep_net__door *d = arg;
    struct epoll_event events[EVENTS];
    uint64_t swept_ms = skep_net__now_ms();
    bool paused = false;
    while (!atomic_load(&d->stop)) {
        int n = epoll_wait(d->epfd, events, EVENTS, paused ? NO_FDS_PAUSE_MS : tick_ms(d));
        for (int i = 0; i < n; i++)
            on_event(d, events[i].data.ptr);
        uint64_t now = skep_net__now_ms();
        bool pause = now < d->paused_until_ms;
        if (pause != paused)
            pause_listeners(d, pause);
        paused = pause;
        if (now - swept_ms >= TICK_MS) {
            swept_ms = now;
            expire(d, now);
            skep_net__h1_sweep(d->net->h1, now);
        }
    }
    return NULL;
}

skep_rc skep_net__door_start(struct skep_net__door *d, skep_err *err)
{
    d->epfd = epoll_create1(EPOLL_CLOEXEC);
    d->waker.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (d->epfd < 0 || d->waker.fd < 0 || !watch(d, &d->waker, EPOLLIN))
        return skep_fail(err, SKEP_EIO, "cannot make the accept loop: errno %d", errno);
    for (unsigned i = 0; i < d->n_listeners; i++)
        if (d->listeners[i].source.fd >= 0 && !watch(d, &d->listeners[i].source, EPOLLIN))
            return skep_fail(err, SKEP_EIO, "cannot watch a listener: errno %d", errno);
    int rc = pthread_create(&d->thread, NULL, door_main, d);
    if (rc != 0)
        return skep_fail(err, SKEP_EIO, "cannot start the accept thread: errno %d", rc);
    d->started = true;
    return SKEP_OK;
}

void skep_net__door_stop(struct skep_net__door *d)
{
    if (!d || !d->started)
        return;
    atomic_store(&d->stop, true);
    poke(d);
    int rc = pthread_join(d->thread, NULL);
    skep_assert(rc == 0);
    d->started = false;
    take_queue(d);
    for (unsigned i = 0; i < SKEP_ARRAY_LEN(d->lists); i++)
        while (d->lists[i])
            close_source(d, d->lists[i]);
    for (unsigned i = 0; i < d->n_listeners; i++) {
        if (d->listeners[i].source.fd >= 0)
            (void)close(d->listeners[i].source.fd); /* a listener: nothing to lose */
        d->listeners[i].source.fd = -1;
    }
}

void skep_net__door_free(struct skep_net__door *d)
{
    if (!d)
        return;
    skep_net__door_stop(d);
    for (unsigned i = 0; i < d->n_listeners; i++)
        if (d->listeners[i].source.fd >= 0)
            (void)close(d->listeners[i].source.fd); /* never used */
    if (d->waker.fd >= 0)
        (void)close(d->waker.fd); /* an eventfd */
    if (d->epfd >= 0)
        (void)close(d->epfd);            /* an epoll set */
    (void)pthread_mutex_destroy(&d->mu); /* nobody is left to hold it */
    skep_free(d->peek);
    skep_free(d);
}
