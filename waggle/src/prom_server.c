// SPDX-License-Identifier: Apache-2.0
/*
 * prom_server.c - the reader that Prometheus asks: a small HTTP server for GET /metrics
 *
 * One thread, that of a worker (worker.c), waits for the listening socket and for the connections
 * it has in one poll(2): a request is read until its empty line, answered, and the connection
 * closed. While all places are taken nobody is accepted, and for a moment where the program has no
 * descriptor left; who takes longer than 10 s for a request or for its answer loses the place. The
 * metrics are collected when a request is complete, so that what is answered is of that moment.
 *
 * Threads: the sockets are the worker's. A fork's child closes the listening socket, its parent
 * keeps it.
 */
#include "gzip.h"
#include "metrics_priv.h"
#include "prom.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    VISITORS_MAX = 16,
    VISIT_MS = 10000,
    PROM_HEAD_MAX = 8192,
    PROM_BODY_MAX = 64 << 20,
    GZIP_FROM = 1024,
    PROM_PORT = 9464
};

struct visitor {
    int fd; /* -1: nobody */
    waggle_deadline deadline;
    char head[PROM_HEAD_MAX];
    size_t head_n;
    struct waggle__buf answer; /* empty until the request is complete */
    size_t sent;
};

struct prom {
    struct waggle_reader base;
    struct waggle__worker worker;
    waggle_prometheus_options o;
    int listener; /* -1: closed */
    int port;
    bool is_crowded;      /* nobody could be accepted: no descriptor, or no memory for it */
    _Atomic bool is_told; /* of metrics that were left out */
    _Atomic bool is_shut;
    struct waggle__buf text, packed;
    struct visitor visitors[VISITORS_MAX];
};

/* --- requests ------------------------------------------------------------------------------ */

static bool word_is(waggle_str s, const char *word)
{
    return s.n == strlen(word) && strncasecmp(s.p, word, s.n) == 0;
}

static waggle_str stripped(const char *p, size_t n)
{
    while (n > 0 && (*p == ' ' || *p == '\t')) {
        p++;
        n--;
    }
    while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == '\t' || p[n - 1] == '\r'))
        n--;
    return (waggle_str){p, n};
}

/* What stands before the separator, stripped; the rest goes on behind it. */
static waggle_str next_piece(waggle_str *rest, char separator)
{
    const char *end = rest->n > 0 ? memchr(rest->p, separator, rest->n) : NULL;
    size_t n = end != NULL ? (size_t)(end - rest->p) : rest->n;
    waggle_str part = stripped(rest->p, n);
    size_t used = end != NULL ? n + 1 : n;
    *rest = (waggle_str){rest->p + used, rest->n - used};
    return part;
}

/* 0.75 is 750. */
static unsigned weight_of(waggle_str q)
{
    unsigned v = q.n > 0 && q.p[0] == '1' ? 1000 : 0;
    unsigned unit = 100;
    for (size_t i = 2; i < q.n && i < 5 && v < 1000; i++, unit /= 10)
        if (q.p[i] >= '0' && q.p[i] <= '9')
            v += unit * (unsigned)(q.p[i] - '0');
    return v;
}

/* One of an Accept header's media types; its weight, 0 if we do not have it. */
static unsigned read_media_type(waggle_str part, bool *ret_openmetrics, bool *ret_utf8)
{
    unsigned weight = 1000;
    waggle_str type = next_piece(&part, ';');
    bool openmetrics = word_is(type, "application/openmetrics-text");
    bool known = openmetrics || word_is(type, "text/plain") || word_is(type, "text/*") ||
                 word_is(type, "*/*");
    *ret_utf8 = false;
    while (part.n > 0) {
        waggle_str value = next_piece(&part, ';');
        waggle_str name = next_piece(&value, '=');
        if (word_is(name, "q"))
            weight = weight_of(value);
        else if (word_is(name, "escaping"))
            *ret_utf8 = word_is(value, "allow-utf-8");
        else if (word_is(name, "version") && openmetrics)
            known = word_is(value, "1.0.0");
    }
    *ret_openmetrics = openmetrics;
    return known ? weight : 0;
}

static void read_accept(waggle_str value, struct waggle__prom_request *r)
{
    unsigned best = 0;
    while (value.n > 0) {
        bool openmetrics = false;
        bool utf8 = false;
        unsigned weight = read_media_type(next_piece(&value, ','), &openmetrics, &utf8);
        if (weight <= best)
            continue;
        best = weight;
        r->openmetrics = openmetrics;
        r->utf8 = utf8;
    }
}

static void read_encodings(waggle_str value, struct waggle__prom_request *r)
{
    while (value.n > 0) {
        waggle_str part = next_piece(&value, ',');
        waggle_str name = next_piece(&part, ';');
        if (word_is(name, "gzip"))
            r->gzip = !word_is(part, "q=0");
    }
}

static int read_request_line(waggle_str line, struct waggle__prom_request *r)
{
    waggle_str method = next_piece(&line, ' ');
    waggle_str target = next_piece(&line, ' ');
    bool is_http = line.n >= 7 && memcmp(line.p, "HTTP/1.", 7) == 0;
    const char *query = target.n > 0 ? memchr(target.p, '?', target.n) : NULL;
    if (query != NULL)
        target.n = (size_t)(query - target.p);
    r->is_head = word_is(method, "HEAD");
    if (!is_http)
        return 400;
    if (!r->is_head && !word_is(method, "GET"))
        return 405;
    return word_is(target, "/metrics") || word_is(target, "/") ? 200 : 404;
}

struct waggle__prom_request waggle__prom_request_parse(waggle_str head)
{
    struct waggle__prom_request r = {0};
    r.status = read_request_line(next_piece(&head, '\n'), &r);
    while (head.n > 0) {
        waggle_str value = next_piece(&head, '\n');
        waggle_str name = next_piece(&value, ':');
        if (word_is(name, "accept"))
            read_accept(value, &r);
        else if (word_is(name, "accept-encoding"))
            read_encodings(value, &r);
    }
    return r;
}

/* --- answers ------------------------------------------------------------------------------- */

static void make_text(struct prom *p, const struct waggle__prom_request *request)
{
    waggle_batch batch;
    const struct waggle_provider *provider =
        atomic_load_explicit(&p->base.provider, memory_order_acquire);
    p->text.n = 0;
    (void)pthread_mutex_lock(&p->base.collecting); // fails only for a mutex that is none
    bool any = waggle__collect(&p->base, &batch);
    bool complete =
        waggle__prom_text(any ? &batch : NULL, &provider->resource_info, &p->o, request, &p->text);
    (void)pthread_mutex_unlock(&p->base.collecting);
    waggle__count(waggle__self, WAGGLE__POINTS_EXPORTED, p->base.n_points);
    if (!complete && !atomic_exchange_explicit(&p->is_told, true, memory_order_relaxed))
        waggle__error(WAGGLE_LEVEL_WARN,
                      "Prometheus: metrics of one name and different types, or too "
                      "many of them; some are left out");
}

static const char *content_type(const struct waggle__prom_request *r)
{
    if (r->openmetrics)
        return r->utf8 ? "application/openmetrics-text; version=1.0.0; charset=utf-8; "
                         "escaping=allow-utf-8"
                       : "application/openmetrics-text; version=1.0.0; charset=utf-8";
    return r->utf8 ? "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8"
                   : "text/plain; version=0.0.4; charset=utf-8";
}

static const char *status_text(int status)
{
    return status == 404   ? "404 Not Found"
           : status == 405 ? "405 Method Not Allowed\r\nAllow: GET, HEAD"
           : status == 500 ? "500 Internal Server Error"
                           : "400 Bad Request";
}

static void put_error(struct visitor *v, int status)
{
    v->answer.n = 0;
    waggle__buf_printf(&v->answer, "HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                       status_text(status));
}

static void answer(struct prom *p, struct visitor *v)
{
    struct waggle__prom_request r = waggle__prom_request_parse((waggle_str){v->head, v->head_n});
    if (r.status != 200) {
        put_error(v, r.status);
        return;
    }
    make_text(p, &r);
    const struct waggle__buf *body = &p->text;
    const waggle_piece whole = {p->text.p, p->text.n};
    if (r.gzip && p->text.n >= GZIP_FROM && waggle__gzip(&whole, 1, &p->packed))
        body = &p->packed;
    waggle__buf_printf(&v->answer,
                       "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%sVary: "
                       "Accept, Accept-Encoding\r\nConnection: close\r\n\r\n",
                       content_type(&r), body->n,
                       body == &p->packed ? "Content-Encoding: gzip\r\n" : "");
    if (!r.is_head)
        waggle__buf_put(&v->answer, body->p, body->n);
    if (p->text.bad || v->answer.bad) {
        p->text.bad = v->answer.bad = false;
        put_error(v, 500);
    }
}

/* --- visitors ------------------------------------------------------------------------------ */

static void see_out(struct visitor *v)
{
    if (v->fd >= 0)
        (void)close(v->fd); // it has its answer, or will not get one
    v->fd = -1;
    v->head_n = v->sent = 0;
    waggle__buf_done(&v->answer);
    waggle__buf_init(&v->answer, PROM_BODY_MAX + PROM_HEAD_MAX);
}

static bool go_on_later(ssize_t n)
{
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

static void send_answer(struct visitor *v)
{
    ssize_t n = send(v->fd, v->answer.p + v->sent, v->answer.n - v->sent, MSG_NOSIGNAL);
    v->sent += n > 0 ? (size_t)n : 0;
    if ((n < 0 && !go_on_later(n)) || v->sent == v->answer.n)
        see_out(v);
}

static bool is_complete(const struct visitor *v)
{
    for (size_t i = 0; i + 1 < v->head_n; i++)
        if (v->head[i] == '\n' &&
            (v->head[i + 1] == '\n' ||
             (i + 2 < v->head_n && v->head[i + 1] == '\r' && v->head[i + 2] == '\n')))
            return true;
    return false;
}

static void hear_request(struct prom *p, struct visitor *v)
{
    ssize_t n = recv(v->fd, v->head + v->head_n, sizeof v->head - v->head_n, 0);
    if (go_on_later(n))
        return;
    if (n <= 0) {
        see_out(v);
        return;
    }
    v->head_n += (size_t)n;
    if (is_complete(v))
        answer(p, v);
    else if (v->head_n == sizeof v->head)
        put_error(v, 400);
    if (v->answer.n > 0)
        send_answer(v);
}

static struct visitor *free_place(struct prom *p)
{
    for (size_t i = 0; i < VISITORS_MAX; i++)
        if (p->visitors[i].fd < 0)
            return &p->visitors[i];
    return NULL;
}

static void let_in(struct prom *p)
{
    struct visitor *v = free_place(p);
    int fd = v != NULL ? accept(p->listener, NULL, NULL) : -1;
    if (fd < 0) {
        p->is_crowded = v != NULL && !go_on_later(fd) && errno != ECONNABORTED;
        return;
    }
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        (void)close(fd);
        return;
    }
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC); // without it a child keeps a descriptor
    v->fd = fd;
    v->deadline = waggle__deadline_in(VISIT_MS);
}

/* Milliseconds until the first visitor is late, who then goes; -1: there is none. */
static int next_late(struct prom *p)
{
    int ms = -1;
    for (size_t i = 0; i < VISITORS_MAX; i++) {
        struct visitor *v = &p->visitors[i];
        int left = v->fd >= 0 ? waggle_deadline_left_ms(&v->deadline) : -1;
        if (v->fd >= 0 && left == 0)
            see_out(v);
        else if (v->fd >= 0 && (ms < 0 || left < ms))
            ms = left;
    }
    return ms;
}

/* --- the worker ---------------------------------------------------------------------------- */

static bool prom_is_ready(struct waggle__worker *w)
{
    (void)w;
    return true; // it waits in prom_work
}

static bool prom_work(struct waggle__worker *w, bool all)
{
    enum { LISTENER = VISITORS_MAX, WAKE, N, CROWDED_MS = 100 };
    struct prom *p = w->owner;
    struct pollfd fds[N];
    int ms = next_late(p);
    for (size_t i = 0; i < VISITORS_MAX; i++)
        fds[i] =
            (struct pollfd){p->visitors[i].fd, p->visitors[i].answer.n > 0 ? POLLOUT : POLLIN, 0};
    bool crowded = p->is_crowded; // who waits would wake the thread again at once
    p->is_crowded = false;
    fds[LISTENER] =
        (struct pollfd){!crowded && free_place(p) != NULL ? p->listener : -1, POLLIN, 0};
    if (crowded && (ms < 0 || ms > CROWDED_MS))
        ms = CROWDED_MS;
    fds[WAKE] = (struct pollfd){w->wake[0], POLLIN, 0};
    if (w->wake[0] < 0 && (ms < 0 || ms > 1000))
        ms = 1000;
    if (poll(fds, N, all ? 0 : ms) <= 0)
        return true;
    for (size_t i = 0; i < VISITORS_MAX; i++) {
        struct visitor *v = &p->visitors[i];
        if (v->fd < 0 || fds[i].revents == 0)
            continue;
        if (v->answer.n > 0)
            send_answer(v);
        else
            hear_request(p, v);
    }
    if (fds[LISTENER].revents != 0)
        let_in(p);
    return true;
}

static void close_all(struct prom *p)
{
    for (size_t i = 0; i < VISITORS_MAX; i++)
        see_out(&p->visitors[i]);
    if (p->listener >= 0)
        (void)close(p->listener); // nobody waits for what it says
    p->listener = -1;
}

static bool prom_finish(struct waggle__worker *w, const waggle_deadline *limit)
{
    (void)limit;
    close_all(w->owner);
    return true;
}

static const struct waggle__worker_ops prom_worker = {
    .is_ready = prom_is_ready, .work = prom_work, .finish = prom_finish};

/* --- the reader ---------------------------------------------------------------------------- */

static void prom_added(struct waggle_reader *r)
{
    waggle__worker_start(&((struct prom *)r)->worker);
}

static bool prom_shutdown(struct waggle_processor *processor, const waggle_deadline *deadline)
{
    struct prom *p = (struct prom *)processor;
    bool was_running = false;
    if (atomic_exchange_explicit(&p->is_shut, true, memory_order_acq_rel))
        return false;
    bool ok = waggle__worker_stop(&p->worker, deadline, &was_running);
    if (!was_running)
        close_all(p);
    return ok;
}

static void prom_before_fork(struct waggle_processor *processor)
{
    waggle__reader_before_fork(processor);
    waggle__worker_before_fork(&((struct prom *)processor)->worker);
}

static void prom_after_fork(struct waggle_processor *processor, bool child)
{
    struct prom *p = (struct prom *)processor;
    waggle__worker_after_fork(&p->worker, child);
    waggle__reader_after_fork(processor, child);
    if (child)
        close_all(p); // the child's copies alone
}

static void prom_free(struct waggle_processor *processor)
{
    struct prom *p = (struct prom *)processor;
    if (p->worker.abandoned)
        return; // it may still be collecting
    close_all(p);
    for (size_t i = 0; i < VISITORS_MAX; i++)
        waggle__buf_done(&p->visitors[i].answer);
    waggle__buf_done(&p->text);
    waggle__buf_done(&p->packed);
    waggle__worker_done(&p->worker);
    waggle__reader_done(&p->base);
    free((void *)(uintptr_t)p->o.resource_labels);
    free((void *)(uintptr_t)p->o.no_resource_labels);
    free(p);
}

static const struct waggle_processor_ops prom_ops = {
    .struct_size = sizeof prom_ops,
    .name = "prometheus reader",
    .shutdown = prom_shutdown,
    .before_fork = prom_before_fork,
    .after_fork = prom_after_fork,
    .free = prom_free,
};

/* --- making -------------------------------------------------------------------------------- */

/* The list and its texts in one block. False without memory. */
static bool own_texts(const char *const **list, size_t n)
{
    size_t bytes = (n + 1) * sizeof **list;
    for (size_t i = 0; i < n; i++)
        bytes += strlen((*list)[i]) + 1;
    const char **copy = n > 0 ? malloc(bytes) : NULL;
    char *w = copy != NULL ? (char *)(copy + n + 1) : NULL;
    for (size_t i = 0; copy != NULL && i < n; i++) {
        size_t one = strlen((*list)[i]) + 1;
        memcpy(w, (*list)[i], one);
        copy[i] = w;
        w += one;
    }
    *list = copy;
    return n == 0 || copy != NULL;
}

static int listen_on(const struct addrinfo *a)
{
    enum { BACKLOG = 64 };
    int on = 1;
    int fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
    if (fd < 0)
        return -1;
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC); // without it a child keeps a descriptor
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on); // bind says what is wrong
    if (fcntl(fd, F_SETFL, O_NONBLOCK) == 0 && bind(fd, a->ai_addr, a->ai_addrlen) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    int failure = errno;
    (void)close(fd);
    errno = failure;
    return -1;
}

static int port_of(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t n = sizeof address;
    char port[16] = "0";
    int v = 0;
    if (getsockname(fd, (struct sockaddr *)&address, &n) != 0 ||
        getnameinfo((struct sockaddr *)&address, n, NULL, 0, port, sizeof port, NI_NUMERICSERV) !=
            0)
        return 0;
    for (const char *s = port; *s >= '0' && *s <= '9'; s++)
        v = v * 10 + (*s - '0');
    return v;
}

static bool open_listener(struct prom *p, const char *host, unsigned port)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list = NULL;
    char service[16];
    (void)snprintf(service, sizeof service, "%u", port); // fits
    // "localhost" may be ::1 first; who says 127.0.0.1 to Prometheus would find nobody there.
    const char *name = strcasecmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    int rc = getaddrinfo(name, service, &hints, &list);
    int failure = 0;
    for (const struct addrinfo *a = list; rc == 0 && a != NULL && p->listener < 0; a = a->ai_next) {
        p->listener = listen_on(a);
        failure = errno;
    }
    if (rc == 0)
        freeaddrinfo(list);
    if (rc != 0)
        waggle__error(WAGGLE_LEVEL_ERROR, "Prometheus cannot be served on %.80s: %s", host,
                      gai_strerror(rc));
    else if (p->listener < 0)
        waggle__error(WAGGLE_LEVEL_ERROR, "Prometheus cannot be served on %.80s:%u (errno %d)",
                      host, port, failure);
    else
        p->port = port_of(p->listener);
    return p->listener >= 0;
}

static bool open_server(struct prom *p)
{
    waggle_prometheus_options *o = &p->o;
    const char *host = o->host;
    uint32_t port = o->port > 0 ? (uint32_t)o->port : 0;
    if (host == NULL && !o->no_environment)
        host = waggle__env("OTEL_EXPORTER_PROMETHEUS_HOST");
    if (o->port == 0)
        port = o->no_environment ? PROM_PORT
                                 : waggle__env_u32("OTEL_EXPORTER_PROMETHEUS_PORT", PROM_PORT);
    if (port > 65535) {
        waggle__error(WAGGLE_LEVEL_ERROR, "Prometheus cannot be served on port %u", (unsigned)port);
        return false;
    }
    return open_listener(p, host != NULL ? host : "localhost", port);
}

struct waggle_reader *waggle_prometheus_reader_new(const waggle_prometheus_options *options)
{
    struct prom *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    if (options != NULL)
        memcpy(&p->o, options,
               options->struct_size ? WAGGLE__MIN(options->struct_size, sizeof p->o) : sizeof p->o);
    waggle_reader_options reader = {0};
    const waggle_reader_options *given = p->o.reader;
    if (given != NULL)
        memcpy(&reader, given,
               given->struct_size ? WAGGLE__MIN(given->struct_size, sizeof reader) : sizeof reader);
    reader.struct_size = sizeof reader;
    reader.preference = WAGGLE_PREFER_CUMULATIVE;
    memset(reader.temporality, 0, sizeof reader.temporality);
    waggle__reader_init(&p->base, &prom_ops, &reader);
    p->base.added = prom_added;
    p->listener = -1;
    for (size_t i = 0; i < VISITORS_MAX; i++) {
        p->visitors[i].fd = -1;
        see_out(&p->visitors[i]);
    }
    waggle__buf_init(&p->text, PROM_BODY_MAX);
    waggle__buf_init(&p->packed, PROM_BODY_MAX);
    waggle__worker_init(&p->worker, &prom_worker, p, UINT32_MAX);
    bool ok = own_texts(&p->o.resource_labels, p->o.n_resource_labels);
    ok = own_texts(&p->o.no_resource_labels, p->o.n_no_resource_labels) && ok;
    if (ok && open_server(p))
        return &p->base;
    prom_free(&p->base.base);
    return NULL;
}

int waggle_prometheus_port(const struct waggle_reader *reader)
{
    return ((const struct prom *)reader)->port;
}
