// SPDX-License-Identifier: Apache-2.0
/* support.c - see support.h */
#include "support.h"

#include <arpa/inet.h>
#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- the exporter -------------------------------------------------------------------------- */

static enum waggle_export capture_export(struct waggle_exporter *e, const waggle_batch *b,
                                         const waggle_deadline *deadline)
{
    struct capture *c = (struct capture *)e;
    (void)deadline;
    pthread_mutex_lock(&c->lock);
    c->overlapped |= c->in_export;
    c->in_export = true;
    pthread_cond_broadcast(&c->changed);
    while (c->closed)
        pthread_cond_wait(&c->changed, &c->lock);
    c->n_batches++;
    c->resource = *b->resource;
    if (b->n_records > c->largest_batch)
        c->largest_batch = b->n_records;
    for (size_t i = 0; i < b->n_records && c->n < CAPTURE_MAX; i++) {
        uint8_t *copy = malloc(b->records[i].n);
        memcpy(copy, b->records[i].p, b->records[i].n);
        c->records[c->n] = (waggle_record){copy, b->records[i].n, 0};
        const waggle_scope_info *scope = b->scopes[b->records[i].scope];
        snprintf(c->scopes[c->n], sizeof c->scopes[0], "%.*s", (int)scope->name.n, scope->name.p);
        c->n++;
    }
    c->in_export = false;
    enum waggle_export result = c->result;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    return result;
}

static bool capture_shutdown(struct waggle_exporter *e, const waggle_deadline *deadline)
{
    (void)deadline;
    ((struct capture *)e)->n_shutdowns++;
    return true;
}

static const struct waggle_exporter_ops capture_ops = {
    .struct_size = sizeof capture_ops,
    .name = "capture",
    .export_batch = capture_export,
    .shutdown = capture_shutdown,
};

struct capture *capture_new(void)
{
    struct capture *c = calloc(1, sizeof *c);
    assert_non_null(c);
    c->base.ops = &capture_ops;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    return c;
}

void capture_clear(struct capture *c)
{
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->n; i++)
        free((void *)(uintptr_t)c->records[i].p);
    c->n = c->n_batches = c->largest_batch = 0;
    pthread_mutex_unlock(&c->lock);
}

void capture_free(struct capture *c)
{
    capture_clear(c);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->changed);
    free(c);
}

void capture_close(struct capture *c, bool closed)
{
    pthread_mutex_lock(&c->lock);
    c->closed = closed;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

void capture_wait_in_export(struct capture *c)
{
    pthread_mutex_lock(&c->lock);
    while (!c->in_export)
        pthread_cond_wait(&c->changed, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

size_t capture_count(struct capture *c)
{
    pthread_mutex_lock(&c->lock);
    size_t n = c->n;
    pthread_mutex_unlock(&c->lock);
    return n;
}

waggle_span_data capture_span(struct capture *c, size_t i)
{
    waggle_span_data span;
    assert_true(i < c->n);
    assert_true(waggle_record_span(&c->records[i], &span));
    return span;
}

bool capture_has(struct capture *c, const char *name)
{
    bool found = false;
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->n; i++)
        found |= str_is(capture_span(c, i).name, name);
    pthread_mutex_unlock(&c->lock);
    return found;
}

waggle_span_data capture_named(struct capture *c, const char *name)
{
    waggle_span_data found = {0};
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++) {
        waggle_span_data span = capture_span(c, i);
        if (!str_is(span.name, name))
            continue;
        found = span;
        n++;
    }
    assert_int_equal(n, 1);
    return found;
}

struct waggle_provider *provider_with(struct capture *c, const waggle_provider_options *options)
{
    struct waggle_provider *p = waggle_provider_new(options);
    assert_non_null(p);
    assert_true(waggle_provider_add(p, waggle_simple_processor_new(&c->base)));
    waggle_provider_set_global(p);
    return p;
}

bool str_is(waggle_str s, const char *text)
{
    return s.n == strlen(text) && (s.n == 0 || memcmp(s.p, text, s.n) == 0);
}

waggle_attr_data attr_of(const waggle_span_data *span, const char *key)
{
    waggle_attr_data attr;
    for (waggle_cursor c = {0}; waggle_span_data_attr(span, &c, &attr);)
        if (str_is(attr.key, key))
            return attr;
    return (waggle_attr_data){0};
}

size_t attr_count(const waggle_span_data *span)
{
    size_t n = 0;
    waggle_attr_data attr;
    for (waggle_cursor c = {0}; waggle_span_data_attr(span, &c, &attr); n++) {
    }
    return n;
}

const char *attr_text(const waggle_span_data *span, const char *key)
{
    static char text[8][512];
    static int n;
    char *ret = text[n++ % 8];
    waggle_attr_data a = attr_of(span, key);
    ret[0] = '\0';
    if (a.value.type == WAGGLE_STR)
        snprintf(ret, 512, "%.*s", (int)a.value.str.n, a.value.str.p);
    else if (a.value.type == WAGGLE_I64)
        snprintf(ret, 512, "%lld", (long long)a.value.i64);
    return ret;
}

/* --- the receiver -------------------------------------------------------------------------- */

enum { REQUESTS_MAX = 4096 };

struct sink {
    int listener, port;
    int stop[2];
    char url[64];
    pthread_t thread;
    pthread_mutex_t lock;
    sink_answer_fn *answer;
    void *self;
    size_t n, n_connections, n_spans;
    struct sink_request *requests[REQUESTS_MAX];
};

/* Spans in an uncompressed OTLP request: ResourceSpans(1) -> ScopeSpans(2) -> spans(2). */
static uint64_t varint(const uint8_t *p, size_t n, size_t *at)
{
    uint64_t v = 0;
    for (unsigned shift = 0; *at < n; shift += 7) {
        uint8_t c = p[(*at)++];
        v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80)
            break;
    }
    return v;
}

static size_t count_spans(const uint8_t *p, size_t n, unsigned depth)
{
    size_t spans = 0;
    for (size_t at = 0; at < n;) {
        uint64_t tag = varint(p, n, &at);
        if ((tag & 7) != 2)
            return spans;
        size_t len = varint(p, n, &at);
        if (len > n - at)
            return spans;
        if (depth == 2)
            spans += tag == (2 << 3 | 2);
        else if (tag == (depth == 0 ? 0x0a : 0x12))
            spans += count_spans(p + at, len, depth + 1);
        at += len;
    }
    return spans;
}

/* Readable before the sink stops? */
static bool readable(struct sink *s, int fd)
{
    struct pollfd fds[2] = {{fd, POLLIN, 0}, {s->stop[0], POLLIN, 0}};
    return poll(fds, 2, -1) > 0 && fds[1].revents == 0;
}

static bool read_request(struct sink *s, int fd, struct sink_request *r)
{
    size_t have = 0;
    while (have + 1 < sizeof r->head && strstr(r->head, "\r\n\r\n") == NULL) {
        if (!readable(s, fd) || recv(fd, r->head + have, 1, 0) != 1)
            return false;
        r->head[++have] = '\0';
    }
    const char *length = strstr(r->head, "Content-Length: ");
    r->body_n = length ? strtoul(length + 16, NULL, 10) : 0;
    r->body = malloc(r->body_n + 1);
    for (size_t at = 0; at < r->body_n;) {
        ssize_t n = readable(s, fd) ? recv(fd, r->body + at, r->body_n - at, 0) : 0;
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

static bool serve_one(struct sink *s, int fd)
{
    char answer[4096];
    struct sink_request *r = calloc(1, sizeof *r);
    if (!read_request(s, fd, r)) {
        free(r->body);
        free(r);
        return false;
    }
    pthread_mutex_lock(&s->lock);
    size_t n = s->n;
    pthread_mutex_unlock(&s->lock);
    if (n == REQUESTS_MAX)
        abort();
    size_t answer_n = s->answer(s->self, n, r, answer, sizeof answer);
    pthread_mutex_lock(&s->lock);
    s->requests[s->n++] = r;
    if (answer_n != SIZE_MAX && answer_n > 12 && strncmp(answer, "HTTP/1.1 200", 12) == 0)
        s->n_spans += count_spans(r->body, r->body_n, 0);
    pthread_mutex_unlock(&s->lock);
    if (answer_n == SIZE_MAX) {
        (void)readable(s, s->stop[0]);
        return false;
    }
    bool sent = answer_n > 0 && send(fd, answer, answer_n, MSG_NOSIGNAL) == (ssize_t)answer_n;
    return sent && memmem(answer, answer_n, "Connection: close", 17) == NULL;
}

struct connection {
    struct sink *s;
    int fd;
};

static void *serve(void *self)
{
    struct connection c = *(struct connection *)self;
    free(self);
    while (serve_one(c.s, c.fd)) {
    }
    close(c.fd);
    return NULL;
}

/* Connections are served one after the other but for those that stay open: a thread each. */
static void *listen_loop(void *self)
{
    struct sink *s = self;
    pthread_t threads[256];
    size_t n = 0;
    while (readable(s, s->listener)) {
        struct connection *c = malloc(sizeof *c);
        *c = (struct connection){s, accept(s->listener, NULL, NULL)};
        if (c->fd < 0 || n == 256) {
            free(c);
            continue;
        }
        pthread_mutex_lock(&s->lock);
        s->n_connections++;
        pthread_mutex_unlock(&s->lock);
        pthread_create(&threads[n++], NULL, serve, c);
    }
    for (size_t i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    return NULL;
}

struct sink *sink_start(int port, sink_answer_fn *answer, void *self)
{
    struct sink *s = calloc(1, sizeof *s);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t n = sizeof address;
    int on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(s->listener, 64), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&address, &n), 0);
    assert_int_equal(pipe(s->stop), 0);
    s->port = ntohs(address.sin_port);
    s->answer = answer;
    s->self = self;
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d", s->port);
    pthread_mutex_init(&s->lock, NULL);
    assert_int_equal(pthread_create(&s->thread, NULL, listen_loop, s), 0);
    return s;
}

int sink_port(const struct sink *s)
{
    return s->port;
}

const char *sink_url(const struct sink *s)
{
    return s->url;
}

static size_t locked(struct sink *s, const size_t *what)
{
    pthread_mutex_lock(&s->lock);
    size_t n = *what;
    pthread_mutex_unlock(&s->lock);
    return n;
}

size_t sink_requests(struct sink *s)
{
    return locked(s, &s->n);
}

size_t sink_connections(struct sink *s)
{
    return locked(s, &s->n_connections);
}

size_t sink_spans(struct sink *s)
{
    return locked(s, &s->n_spans);
}

const struct sink_request *sink_request_at(struct sink *s, size_t n)
{
    pthread_mutex_lock(&s->lock);
    const struct sink_request *r = n < s->n ? s->requests[n] : NULL;
    pthread_mutex_unlock(&s->lock);
    assert_non_null(r);
    return r;
}

void sink_stop(struct sink *s)
{
    assert_int_equal(write(s->stop[1], "", 1), 1);
    pthread_join(s->thread, NULL);
    close(s->listener);
    close(s->stop[0]);
    close(s->stop[1]);
    for (size_t i = 0; i < s->n; i++) {
        free(s->requests[i]->body);
        free(s->requests[i]);
    }
    pthread_mutex_destroy(&s->lock);
    free(s);
}

size_t sink_ok(void *self, size_t n, const struct sink_request *request, char *ret, size_t cap)
{
    (void)self;
    (void)n;
    (void)request;
    return (size_t)snprintf(ret, cap, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}
