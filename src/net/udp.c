// SPDX-License-Identifier: Apache-2.0
/* One UDP socket and its thread.
 *
 *   poll --> recvmmsg: up to 64 datagrams --> fn(d, n) --more are waiting--> recvmmsg ...
 *     ^  `-> wake (eventfd) -> fn(NULL, 0)      `--no more--> fn(NULL, 0)
 *     `--------------- "do not go on": the socket is left alone until the next wake ----'
 *
 * Drops: the kernel counts what it threw away because the receive buffer was full.  It tells that
 * number with each datagram that follows (SO_RXQ_OVFL) and when asked (SO_MEMINFO); the latter also
 * knows of drops behind the last one taken.
 *
 * I1  what was taken from the kernel has gone to fn.
 * Threads: the port's own; stats and wake by any.  Memory: 64 buffers of 64 KiB, of which the
 * system gives only what datagrams touch. */
#include "net/udp.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "net/net_priv.h"

struct skep_udp {
    struct skep_udp_config cfg;
    int fd, wake_fd;
    pthread_t thread;
    bool started;
    _Atomic bool stop;
    char text[SKEP_NET__ADDRESS_BYTES];
    skep_str address;
    uint8_t *buffers;
    struct mmsghdr messages[SKEP_UDP_BURST];
    struct iovec vectors[SKEP_UDP_BURST];
    struct sockaddr_storage peers[SKEP_UDP_BURST];
    union {
        uint8_t bytes[CMSG_SPACE(sizeof(uint32_t))];
        struct cmsghdr align;
    } controls[SKEP_UDP_BURST];
    pthread_mutex_t mu; /* of the next one */
    struct skep_udp_stats stats;
    uint32_t told; /* the kernel's count, modulo 2^32; mu */
};

// --- binding -----------------------------------------------------------------------------------

static skep_rc fail(const struct skep_udp *u, const struct sockaddr_storage *a, skep_err *err)
{
    char buf[96];
    if (errno != EADDRINUSE)
        return skep_fail(err, errno == EADDRNOTAVAIL ? SKEP_EINVAL : SKEP_EIO,
                         "cannot listen on %s/udp: %s", u->cfg.listen, strerrordesc_np(errno));
    skep_str holder = skep_net__holder(a, true, buf, sizeof buf);
    return skep_fail(err, SKEP_EEXISTS,
                     "%s/udp is taken by " SKEP_STRFMT ": stop it, or choose another address with "
                     "%s (none for none)",
                     u->cfg.listen, SKEP_STRARG(holder), u->cfg.flag);
}

/* As much as is asked for where the process may, else what net.core.rmem_max allows. */
static void ask_for_room(struct skep_udp *u)
{
    int want = (int)u->cfg.receive_buffer_bytes, got = 0;
    socklen_t n = sizeof got;
    if (setsockopt(u->fd, SOL_SOCKET, SO_RCVBUFFORCE, &want, sizeof want) != 0)
        (void)setsockopt(u->fd, SOL_SOCKET, SO_RCVBUF, &want, sizeof want); // granted: what it says
    if (getsockopt(u->fd, SOL_SOCKET, SO_RCVBUF, &got, &n) == 0)
        u->stats.receive_buffer_bytes = (unsigned)got;
}

static skep_rc open_socket(struct skep_udp *u, skep_err *err)
{
    struct sockaddr_storage a;
    socklen_t n;
    const int one = 1;
    SKEP_TRY(skep_net__address_parse(skep_str_c(u->cfg.listen), &a, &n, err));
    u->fd = socket(a.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    u->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (u->fd < 0 || u->wake_fd < 0)
        return fail(u, &a, err);
    if (a.ss_family == AF_INET6 &&
        setsockopt(u->fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) != 0)
        return fail(u, &a, err);
    ask_for_room(u);
    (void)setsockopt(u->fd, SOL_SOCKET, SO_RXQ_OVFL, &one, sizeof one); // SO_MEMINFO knows, too
    if (bind(u->fd, (struct sockaddr *)&a, n) != 0)
        return fail(u, &a, err);
    if (getsockname(u->fd, (struct sockaddr *)&a, &n) != 0)
        return fail(u, &a, err);
    u->address = skep_net__address_format(&a, true, u->text);
    return SKEP_OK;
}

skep_rc skep_udp_open(const struct skep_udp_config *cfg, struct skep_udp **ret, skep_err *err)
{
    skep_assert(cfg->fn && cfg->listen && cfg->flag);
    struct skep_udp *u = skep_alloc(struct skep_udp);
    u->cfg = *cfg;
    u->fd = u->wake_fd = -1;
    int rc = pthread_mutex_init(&u->mu, NULL);
    skep_assert(rc == 0);
    skep_rc opened = open_socket(u, err);
    if (opened != SKEP_OK) {
        skep_udp_free(u);
        return opened;
    }
    *ret = u;
    return SKEP_OK;
}

skep_str skep_udp_address(const struct skep_udp *u)
{
    return u->address;
}

// --- reading -----------------------------------------------------------------------------------

static void prepare(struct skep_udp *u)
{
    for (unsigned i = 0; i < SKEP_UDP_BURST; i++) {
        u->vectors[i] =
            (struct iovec){u->buffers + (size_t)i * SKEP_UDP_DATAGRAM_MAX, SKEP_UDP_DATAGRAM_MAX};
        u->messages[i].msg_hdr = (struct msghdr){.msg_name = &u->peers[i],
                                                 .msg_namelen = sizeof u->peers[i],
                                                 .msg_iov = &u->vectors[i],
                                                 .msg_iovlen = 1,
                                                 .msg_control = &u->controls[i],
                                                 .msg_controllen = sizeof u->controls[i]};
    }
}

static void note_drops_locked(struct skep_udp *u, uint32_t count)
{
    u->stats.kernel_drops += (uint32_t)(count - u->told);
    u->told = count;
}

static uint64_t hash_of(const struct sockaddr_storage *a)
{
    const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)(const void *)a;
    const struct sockaddr_in *a4 = (const struct sockaddr_in *)(const void *)a;
    uint8_t key[18] = {0};
    if (a->ss_family == AF_INET6) {
        memcpy(key, &a6->sin6_addr, 16);
        memcpy(key + 16, &a6->sin6_port, 2);
    } else {
        memcpy(key, &a4->sin_addr, 4);
        memcpy(key + 16, &a4->sin_port, 2);
    }
    return skep_hash((skep_bytes){key, sizeof key}) | 1;
}

static int64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t); // fails only for a clock that does not exist
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* A burst's counters: bytes, the time, and what the kernel tells of drops. */
static void count(struct skep_udp *u, const struct skep_datagram *d, unsigned n)
{
    int rc = pthread_mutex_lock(&u->mu);
    skep_assert(rc == 0);
    u->stats.datagrams += n;
    u->stats.last_ns = now_ns();
    for (unsigned i = 0; i < n; i++)
        u->stats.bytes += d[i].bytes.n;
    skep_str peer = skep_net__address_format(d[n - 1].peer, true, u->stats.last_peer);
    u->stats.last_peer[peer.n] = 0;
    struct msghdr *last = &u->messages[n - 1].msg_hdr;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(last); c; c = CMSG_NXTHDR(last, c)) {
        uint32_t drops;
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_RXQ_OVFL)
            continue;
        memcpy(&drops, CMSG_DATA(c), sizeof drops);
        if ((int32_t)(drops - u->told) > 0) // SO_MEMINFO may have been asked behind it
            note_drops_locked(u, drops);
    }
    rc = pthread_mutex_unlock(&u->mu);
    skep_assert(rc == 0);
}

/* One burst.  False: none is waiting. */
static bool receive(struct skep_udp *u, bool *go_on)
{
    struct skep_datagram d[SKEP_UDP_BURST];
    prepare(u);
    int n = recvmmsg(u->fd, u->messages, SKEP_UDP_BURST, MSG_DONTWAIT, NULL);
    if (n <= 0)
        return n < 0 && errno == EINTR;
    for (int i = 0; i < n; i++)
        d[i] = (struct skep_datagram){.bytes = {u->vectors[i].iov_base, u->messages[i].msg_len},
                                      .sender = hash_of(&u->peers[i]),
                                      .peer = &u->peers[i]};
    count(u, d, (unsigned)n);
    *go_on = u->cfg.fn(u->cfg.ctx, d, (unsigned)n);
    return n == SKEP_UDP_BURST;
}

static void *udp_main(void *arg)
{
    struct skep_udp *u = arg;
    bool go_on = true;
    while (!atomic_load(&u->stop)) {
        struct pollfd fds[] = {{.fd = u->wake_fd, .events = POLLIN},
                               {.fd = go_on ? u->fd : -1, .events = POLLIN}};
        if (poll(fds, SKEP_ARRAY_LEN(fds), -1) < 0)
            continue;
        uint64_t wakes;
        if (fds[0].revents && read(u->wake_fd, &wakes, sizeof wakes) < 0)
            skep_assert(errno == EAGAIN || errno == EINTR);
        if (fds[1].revents)
            while (receive(u, &go_on) && go_on && !atomic_load(&u->stop))
                ;
        if (!atomic_load(&u->stop))
            go_on = u->cfg.fn(u->cfg.ctx, NULL, 0);
    }
    return NULL;
}

skep_rc skep_udp_start(struct skep_udp *u, skep_err *err)
{
    skep_assert(!u->started);
    u->buffers = skep_malloc((size_t)SKEP_UDP_BURST * SKEP_UDP_DATAGRAM_MAX);
    int rc = pthread_create(&u->thread, NULL, udp_main, u);
    if (rc != 0)
        return skep_fail(err, SKEP_EIO, "cannot start the thread of %s/udp: errno %d",
                         u->cfg.listen, rc);
    u->started = true;
    return SKEP_OK;
}

void skep_udp_wake(struct skep_udp *u)
{
    const uint64_t one = 1;
    if (write(u->wake_fd, &one, sizeof one) < 0)
        skep_assert(errno == EAGAIN || errno == EINTR); /* full: it is awake anyway */
}

void skep_udp_stop(struct skep_udp *u)
{
    if (!u || !u->started)
        return;
    atomic_store(&u->stop, true);
    skep_udp_wake(u);
    int rc = pthread_join(u->thread, NULL);
    skep_assert(rc == 0);
    u->started = false;
}

void skep_udp_free(struct skep_udp *u)
{
    if (!u)
        return;
    skep_udp_stop(u);
    if (u->fd >= 0)
        (void)close(u->fd); /* nothing to lose but what nobody read */
    if (u->wake_fd >= 0)
        (void)close(u->wake_fd);         /* an eventfd */
    (void)pthread_mutex_destroy(&u->mu); /* nobody is left to hold it */
    skep_free(u->buffers);
    skep_free(u);
}

void skep_udp_stats(struct skep_udp *u, struct skep_udp_stats *ret)
{
    uint32_t memory[SK_MEMINFO_VARS] = {0};
    socklen_t n = sizeof memory;
    int rc = pthread_mutex_lock(&u->mu);
    skep_assert(rc == 0);
    if (getsockopt(u->fd, SOL_SOCKET, SO_MEMINFO, memory, &n) == 0 &&
        n > SK_MEMINFO_DROPS * sizeof *memory)
        note_drops_locked(u, memory[SK_MEMINFO_DROPS]);
    *ret = u->stats;
    rc = pthread_mutex_unlock(&u->mu);
    skep_assert(rc == 0);
}
