// SPDX-License-Identifier: Apache-2.0
/*
 * http.c - the built-in transport: HTTP/1.1 over a plain connection that is kept
 *
 * Sockets do not block; every wait is a poll(2) until the deadline. When the deadline's cancel_fd
 * says so, what is under way has one more second. A kept connection that the receiver closed
 * meanwhile is noticed before a request goes out, or, if that races, by a failure before the first
 * byte of an answer: then the request goes out once more on a new one.
 *
 * Threads: one at a time, the exporter's. Name look-ups block that thread alone.
 */
#include "http_parse.h"
#include "sdk_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { GRACE_MS = 1000, IOV_AT_ONCE = 64, HEAD_BYTES = 8192 };

struct http {
    struct waggle_transport base;
    int fd;               /* -1 = none */
    char peer[272];       /* authority the connection is for */
    waggle_piece *pieces; /* the head and those of the request; kept from request to request */
    size_t cap_pieces;
};

static void hang_up(struct http *h)
{
    if (h->fd >= 0)
        (void)close(h->fd); // what was not answered is sent again or counted
    h->fd = -1;
}

/* Wait for events; false at the deadline, which a cancellation brings near. */
static bool wait_fd(int fd, short events, waggle_deadline *deadline)
{
    for (;;) {
        struct pollfd fds[2] = {{fd, events, 0}, {deadline->cancel_fd, POLLIN, 0}};
        int left = waggle_deadline_left_ms(deadline);
        if (left == 0)
            return false;
        int n = poll(fds, deadline->cancel_fd >= 0 ? 2 : 1, left);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0 && fds[0].revents != 0)
            return true;
        if (n > 0) {
            waggle_deadline soon = waggle__deadline_in(GRACE_MS);
            deadline->monotonic_ns = WAGGLE__MIN(deadline->monotonic_ns, soon.monotonic_ns);
            deadline->cancel_fd = -1;
        }
    }
}

/* --- connecting ---------------------------------------------------------------------------- */

static int open_socket(const struct addrinfo *a)
{
    int fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
    if (fd < 0)
        return -1;
    int on = 1;
    // Without these the exporter is slower or a child keeps a descriptor: no reason to give up.
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static bool connect_one(struct http *h, const struct addrinfo *a, waggle_deadline *deadline)
{
    int fd = open_socket(a);
    if (fd < 0)
        return false;
    int rc = connect(fd, a->ai_addr, a->ai_addrlen);
    int failure = rc == 0 ? 0 : errno;
    if (failure == EINPROGRESS || failure == EINTR) {
        socklen_t n = sizeof failure;
        if (!wait_fd(fd, POLLOUT, deadline))
            failure = ETIMEDOUT;
        else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &n) != 0)
            failure = errno;
    }
    if (failure != 0) {
        (void)close(fd);
        errno = failure;
        return false;
    }
    h->fd = fd;
    return true;
}

static bool connect_any(struct http *h, const struct waggle__url *url, waggle_response *response,
                        waggle_deadline *deadline)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(url->host, url->port, &hints, &list);
    if (rc != 0) {
        (void)snprintf(response->error, sizeof response->error, "%.80s: %.70s", url->host,
                       gai_strerror(rc));
        return false;
    }
    int failure = 0;
    for (const struct addrinfo *a = list; a != NULL && h->fd < 0; a = a->ai_next)
        if (!connect_one(h, a, deadline))
            failure = errno;
    freeaddrinfo(list);
    if (h->fd >= 0)
        return true;
    (void)snprintf(response->error, sizeof response->error, "cannot connect to %.100s (errno %d)",
                   url->authority, failure);
    return false;
}

/* --- sending ------------------------------------------------------------------------------- */

/* What is still to be sent. */
struct outgoing {
    const waggle_piece *pieces; /* the first one is the head */
    size_t n, at, offset;
};

static size_t fill_iov(const struct outgoing *o, struct iovec iov[IOV_AT_ONCE])
{
    size_t n = 0;
    for (size_t i = o->at; i < o->n && n < IOV_AT_ONCE; i++) {
        size_t skip = i == o->at ? o->offset : 0;
        iov[n].iov_base = (char *)(uintptr_t)o->pieces[i].p + skip;
        iov[n].iov_len = o->pieces[i].n - skip;
        n++;
    }
    return n;
}

static void advance(struct outgoing *o, size_t sent)
{
    while (o->at < o->n && sent >= o->pieces[o->at].n - o->offset) {
        sent -= o->pieces[o->at].n - o->offset;
        o->at++;
        o->offset = 0;
    }
    o->offset += sent;
}

static bool send_all(struct http *h, struct outgoing o, waggle_deadline *deadline)
{
    while (o.at < o.n) {
        struct iovec iov[IOV_AT_ONCE];
        struct msghdr message = {.msg_iov = iov, .msg_iovlen = fill_iov(&o, iov)};
        ssize_t n = sendmsg(h->fd, &message, MSG_NOSIGNAL);
        if (n >= 0) {
            advance(&o, (size_t)n);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!wait_fd(h->fd, POLLOUT, deadline))
                return false;
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

/* --- receiving ----------------------------------------------------------------------------- */

enum got { GOT_ALL, GOT_NOTHING, GOT_TROUBLE };

static enum got receive(struct http *h, struct waggle__http *parser, waggle_deadline *deadline)
{
    char bytes[4096];
    bool any = false;
    for (;;) {
        ssize_t n = recv(h->fd, bytes, sizeof bytes, 0);
        if (n > 0) {
            any = true;
            size_t used = waggle__http_feed(parser, bytes, (size_t)n);
            if (parser->state == WAGGLE__HTTP_BAD)
                return GOT_TROUBLE;
            if (parser->state == WAGGLE__HTTP_DONE) {
                if (used < (size_t)n)
                    parser->keep_alive = false; // more than was asked for
                return GOT_ALL;
            }
        } else if (n == 0) {
            if (waggle__http_eof(parser))
                return GOT_ALL;
            return any ? GOT_TROUBLE : GOT_NOTHING;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!wait_fd(h->fd, POLLIN, deadline))
                return GOT_TROUBLE;
        } else if (errno != EINTR) {
            return any ? GOT_TROUBLE : GOT_NOTHING;
        }
    }
}

/* True if a kept connection still looks good: nothing to read, nobody hung up. */
static bool is_fresh(const struct http *h, const struct waggle__url *url)
{
    struct pollfd fd = {h->fd, POLLIN, 0};
    return h->fd >= 0 && strcmp(h->peer, url->authority) == 0 && poll(&fd, 1, 0) == 0;
}

/* One request over the connection there is; GOT_NOTHING: it may be sent again on a new one. */
static enum got converse(struct http *h, const struct outgoing *out, waggle_response *response,
                         waggle_deadline *deadline)
{
    struct waggle__http parser;
    waggle__http_init(&parser, response->body, WAGGLE_RESPONSE_BODY_MAX,
                      waggle__os.realtime_ns() / 1000000000u);
    // A receiver may answer and close before it has read all: its answer is worth reading.
    bool sent = send_all(h, *out, deadline);
    enum got got = receive(h, &parser, deadline);
    response->connected = true;
    if (got == GOT_ALL) {
        response->status = parser.status;
        response->retry_after_ms = parser.retry_after_ms;
        response->rate_limit_ms = parser.rate_limit_ms;
        response->body_n = parser.body_n;
        if (!parser.keep_alive || !sent)
            hang_up(h);
        return got;
    }
    hang_up(h);
    (void)snprintf(response->error, sizeof response->error, "%s",
                   parser.state == WAGGLE__HTTP_BAD         ? "the answer is no HTTP"
                   : waggle_deadline_left_ms(deadline) == 0 ? "no answer in time"
                                                            : "the connection was lost");
    return got;
}

static size_t make_head(const waggle_request *request, const struct waggle__url *url,
                        char head[HEAD_BYTES])
{
    char length[48] = "";
    if (!request->is_get)
        (void)snprintf(length, sizeof length, "Content-Length: %zu\r\n", request->body_n); // fits
    int n = snprintf(head, HEAD_BYTES, "%s %s%.*s HTTP/1.1\r\nHost: %s\r\n%s%s\r\n",
                     request->is_get ? "GET" : "POST",
                     url->path_n == 0 || url->path[0] != '/' ? "/" : "", (int)url->path_n,
                     url->path, url->authority, length, request->headers ? request->headers : "");
    return n > 0 && n < HEAD_BYTES ? (size_t)n : 0;
}

static bool make_room(struct http *h, size_t n)
{
    if (n <= h->cap_pieces)
        return true;
    waggle_piece *more = realloc(h->pieces, n * sizeof *more);
    if (more == NULL)
        return false;
    h->pieces = more;
    h->cap_pieces = n;
    return true;
}

static void http_post(struct waggle_transport *t, const waggle_request *request,
                      waggle_response *ret_response, const waggle_deadline *given)
{
    struct http *h = (struct http *)t;
    waggle_deadline deadline = *given;
    struct waggle__url url;
    char head[HEAD_BYTES];
    size_t head_n = waggle__url_parse(request->url, &url) ? make_head(request, &url, head) : 0;
    if (head_n == 0 || !make_room(h, request->n_pieces + 1)) {
        (void)snprintf(ret_response->error, sizeof ret_response->error,
                       "the URL or the headers are too long");
        return;
    }
    h->pieces[0] = (waggle_piece){head, head_n};
    if (request->n_pieces > 0)
        memcpy(&h->pieces[1], request->pieces, request->n_pieces * sizeof *h->pieces);
    struct outgoing out = {h->pieces, request->n_pieces + 1, 0, 0};
    bool kept = is_fresh(h, &url);
    if (!kept)
        hang_up(h);
    (void)snprintf(h->peer, sizeof h->peer, "%s", url.authority); // as long as the other
    if (kept && converse(h, &out, ret_response, &deadline) != GOT_NOTHING)
        return;
    ret_response->connected = false;
    if (connect_any(h, &url, ret_response, &deadline))
        (void)converse(h, &out, ret_response, &deadline); // says what happened in ret_response
}

static bool http_accepts(struct waggle_transport *t, const char *url, char ret_why[160])
{
    struct waggle__url parsed;
    (void)t;
    if (!waggle__url_parse(url, &parsed)) {
        (void)snprintf(ret_why, 160, "is no http:// URL of use");
        return false;
    }
    if (parsed.is_tls)
        (void)snprintf(ret_why, 160, "needs TLS, which the built-in transport does not have");
    return !parsed.is_tls;
}

static void http_after_fork(struct waggle_transport *t)
{
    hang_up((struct http *)t); // the child's copy alone: the parent goes on with its own
}

static void http_free(struct waggle_transport *t)
{
    hang_up((struct http *)t);
    free(((struct http *)t)->pieces);
    free(t);
}

static const struct waggle_transport_ops http_ops = {
    .struct_size = sizeof http_ops,
    .name = "http",
    .accepts = http_accepts,
    .post = http_post,
    .after_fork = http_after_fork,
    .free = http_free,
};

struct waggle_transport *waggle_http_transport_new(void)
{
    struct http *h = calloc(1, sizeof *h);
    if (h == NULL)
        return NULL;
    h->base.ops = &http_ops;
    h->fd = -1;
    return &h->base;
}

int64_t waggle_retry_after_ms(const char *value, size_t n)
{
    return waggle__retry_after(value, n, waggle__os.realtime_ns() / 1000000000u);
}
