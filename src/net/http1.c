// SPDX-License-Identifier: Apache-2.0
/* HTTP/1.1 over libmicrohttpd: n daemons of one epoll thread each, without listen sockets; for TLS
 * as many again, whose sessions are prepared by tls.c when a connection starts.
 *
 *   adopt -> [notify STARTED] -> request line [uri_log] -> headers [handle: begin]
 *         -> body pieces [handle: more] -> end [handle: finish] -> (suspend ... wake -> resume)
 *         -> [handle: finish again] -> queue response -> [completed] -> next request or CLOSED
 *
 * libmicrohttpd's ways that shape this file:
 *   - a response queued in `begin` closes the connection, so answers are queued at the end; only a
 *     refusal whose body we do not want to read is queued at once (and then the socket lingers);
 *   - its timeout counts from its own last send, and it sends when a third of the socket's buffer
 * is free: an honest reader of 4 MiB at 10 KiB/s looks dead to it for two minutes.  So it is off
 *     from an answer to the next request, where the sweep looks after readers and idle connections;
 *   - it decodes the target in place, so the raw one is copied in uri_log;
 *   - stopping a daemon with a suspended connection is fatal: stop first ends everything parked.
 *
 * I1  a connection is suspended only while its request is PARKED or its stream `waiting`.
 * I2  once net->stopping is set, nothing is suspended that stop does not find (it looks again
 *     until none is left).
 * Threads: callbacks run on the daemon's thread; wake, sweep, stop come from others.  Lock order:
 * daemon->mu, then a stream's mu, then libmicrohttpd's own.
 * Memory: one h1_conn a connection, one request at a time in it. */
#include "net/tls_priv.h"

#include <gnutls/abstract.h>
#include <microhttpd.h>
#include <time.h>

enum {
    POOL_BYTES = 48 << 10,
    DISCARD_CHUNKED_BYTES = 64 << 20, /* of a refused chunked body; then the connection is cut */
    STREAM_BLOCK_BYTES = 32 << 10,
};

enum state { FRESH, IDLE, HEADERS, BODY, BUSY };

struct daemon;

struct h1_conn {
    struct h1_conn *next, *prev; /* daemon->mu */
    struct daemon *daemon;
    struct MHD_Connection *mhd;
    int fd;
    struct skep_buf target;       /* of the current request, raw */
    struct skep_net__req *parked; /* daemon->mu */
    struct skep_stream *stream;   /* daemon->mu */
    bool suspended;               /* I/O thread */
    bool lingers;                 /* I/O thread */
    size_t discarded;
    _Atomic int state;
    _Atomic uint64_t since_ms, body_bytes;
    struct skep_net__drain drain; /* the sweep's */
    bool cut;                     /* the sweep's: counted */
    char peer[SKEP_NET__ADDRESS_BYTES], listener[SKEP_NET__ADDRESS_BYTES];
    char local_ip[SKEP_NET__ADDRESS_BYTES];
    skep_str peer_s, listener_s, local_ip_s;
    struct skep_net__who from;
    struct skep_net__tls_ctx *ctx; /* of the TLS session; NULL = plain, or over */
    char *subject;                 /* SKEP_NET__SUBJECT_BYTES; NULL = not asked yet */
    skep_str subject_s;
};

struct daemon {
    struct MHD_Daemon *mhd;
    bool tls;
    struct skep_net *net;
    struct skep_net__inflater inflater; /* I/O thread */
    pthread_mutex_t mu;
    struct h1_conn *conns;
    _Atomic unsigned n_suspended, n_waking, n_conns;
};

struct skep_net__h1 {
    struct skep_net *net;
    struct daemon *daemons;
    unsigned n;
};

static void lock(struct daemon *d)
{
    int rc = pthread_mutex_lock(&d->mu);
    skep_assert(rc == 0);
}

static void unlock(struct daemon *d)
{
    int rc = pthread_mutex_unlock(&d->mu);
    skep_assert(rc == 0);
}

static void set_state(struct h1_conn *c, enum state state)
{
    atomic_store_explicit(&c->since_ms, skep_net__now_ms(), memory_order_relaxed);
    atomic_store_explicit(&c->state, state, memory_order_relaxed);
}

/* --- connections ------------------------------------------------- */

static struct h1_conn *conn_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    skep_assert(info && info->socket_context);
    return info->socket_context;
}

static socklen_t address_bytes(sa_family_t family)
{
    return family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static gnutls_session_t session_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    skep_assert(info && info->tls_session);
    return info->tls_session;
}

static bool prepare_tls(struct h1_conn *c)
{
    c->ctx = skep_net__tls_take(c->daemon->net->tls);
    return skep_net__tls_prepare(c->ctx, session_of(c->mhd), false);
}

/* Of the verified client certificate; looked up once. */
static skep_str client_subject(struct h1_conn *c)
{
    if (c->ctx && !c->subject) {
        c->subject = skep_malloc(SKEP_NET__SUBJECT_BYTES);
        c->subject_s = skep_net__tls_subject(c->ctx, session_of(c->mhd), c->subject);
    }
    return c->subject_s;
}

static struct h1_conn *conn_new(struct daemon *d, struct MHD_Connection *mhd)
{
    struct sockaddr_storage a = {0};
    socklen_t n = sizeof a;
    struct h1_conn *c = skep_alloc(struct h1_conn);
    c->daemon = d;
    c->mhd = mhd;
    c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    skep_buf_init(&c->target, POOL_BYTES);
    if (getsockname(c->fd, (struct sockaddr *)&a, &n) == 0) {
        c->listener_s = skep_net__address_format(&a, true, c->listener);
        c->local_ip_s = skep_net__address_format(&a, false, c->local_ip);
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    skep_assert(info && info->client_addr); /* what adopt gave */
    memset(&a, 0, sizeof a);
    memcpy(&a, info->client_addr, address_bytes(info->client_addr->sa_family));
    c->peer_s = skep_net__address_format(&a, true, c->peer);
    c->from = skep_net__who_of(&a);
    set_state(c, FRESH);
    if (d->tls && !prepare_tls(c))
        (void)shutdown(c->fd, SHUT_RDWR); /* out of memory: the handshake ends */
    return c;
}

static void conn_free(struct h1_conn *c)
{
    struct daemon *d = c->daemon;
    struct skep_net__who from = c->from;
    if (c->ctx)
        skep_net__tls_give(c->ctx); /* the session ends right behind this: tls.c, I2 */
    skep_buf_done(&c->target);
    skep_free(c->subject);
    skep_free(c);
    atomic_fetch_sub_explicit(&d->n_conns, 1, memory_order_relaxed);
    skep_net__conn_over(d->net, &from, d->tls);
}

static void notify_connection(void *cls, struct MHD_Connection *mhd, void **socket_context,
                              enum MHD_ConnectionNotificationCode code)
{
    struct daemon *d = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        struct h1_conn *c = conn_new(d, mhd);
        *socket_context = c;
        lock(d);
        c->next = d->conns;
        if (c->next)
            c->next->prev = c;
        d->conns = c;
        unlock(d);
        return;
    }
    struct h1_conn *c = *socket_context;
    skep_assert(c && !c->parked && !c->stream);
    if (c->lingers) /* the door has a duplicate: closing ours alone would say nothing */
        (void)shutdown(c->fd, SHUT_WR);
    lock(d);
    if (c->prev)
        c->prev->next = c->next;
    else
        d->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    unlock(d);
    conn_free(c);
    *socket_context = NULL;
}

/* libmicrohttpd's own, against requests that stop in the middle; 0 = none.  I/O thread. */
static void set_timeout(struct h1_conn *c, unsigned s)
{
    if (MHD_set_connection_option(c->mhd, MHD_CONNECTION_OPTION_TIMEOUT, s) != MHD_YES)
        skep_unreachable("MHD_CONNECTION_OPTION_TIMEOUT");
}

static void *uri_log(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    struct h1_conn *c = conn_of(mhd);
    (void)cls;
    set_state(c, HEADERS);
    set_timeout(c, c->daemon->net->cfg.idle_timeout_s);
    skep_buf_reset(&c->target);
    skep_buf_str(&c->target, skep_str_c(uri));
    return NULL;
}

static void note_resumed(struct h1_conn *c)
{
    if (c->suspended) {
        c->suspended = false;
        atomic_fetch_sub(&c->daemon->n_suspended, 1);
    }
}

static void suspend(struct h1_conn *c)
{
    skep_assert(!c->suspended);
    c->suspended = true;
    atomic_fetch_add(&c->daemon->n_suspended, 1);
    MHD_suspend_connection(c->mhd);
}

static void completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
                      enum MHD_RequestTerminationCode code)
{
    struct skep_net__req *r = *con_cls;
    struct h1_conn *c = conn_of(mhd);
    struct daemon *d = c->daemon;
    (void)cls;
    (void)code;
    note_resumed(c);
    lock(d);
    struct skep_stream *s = c->stream;
    c->stream = NULL;
    c->parked = NULL;
    unlock(d);
    if (s) {
        skep_net__stream_detach(s);
        skep_net__stream_unref(s);
    }
    if (r) {
        *con_cls = NULL;
        if (!skep_net__req_abandon(r)) /* the usual way: it was answered, and that was sent */
            skep_assert(skep_net__req_phase(r) != SKEP_NET__PARKED);
        skep_net__req_close(r);
    }
    set_state(c, IDLE);
}

/* --- transport
 * ------------------------------------------------------------------------------ */

/* The daemon outlives the call: stop waits for n_waking, which begins while c is suspended. */
static void resume(struct h1_conn *c)
{
    struct daemon *d = c->daemon;
    atomic_fetch_add(&d->n_waking, 1);
    MHD_resume_connection(c->mhd); /* c may be gone now */
    atomic_fetch_sub(&d->n_waking, 1);
}

static void wake(struct skep_net__req *r)
{
    resume(r->owner);
}

static bool gone(struct skep_net__req *r)
{
    return skep_net__peer_gone(r->fd);
}

static void stream_wake(struct skep_stream *s)
{
    resume(conn_of(s->conn));
}

static void stream_prepare(struct skep_net__req *r, struct skep_stream *s)
{
    s->wake = stream_wake;
    s->conn = r->conn;
    s->fd = r->fd;
}

static const struct skep_net__transport transport = {wake, gone, stream_prepare};

/* --- answers
 * -------------------------------------------------------------------------------- */

static void stream_parked(struct skep_stream *s)
{
    suspend(conn_of(s->conn));
}

static ssize_t stream_reader(void *cls, uint64_t pos, char *buf, size_t max)
{
    struct skep_stream *s = cls;
    struct h1_conn *c = conn_of(s->conn);
    bool end = false;
    (void)pos;
    note_resumed(c);
    if (atomic_load(&c->daemon->net->stopping))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t n = skep_net__stream_read(s, (uint8_t *)buf, max, &end, stream_parked);
    skep_net__count(c->daemon->net, bytes_out, n);
    if (n)
        return (ssize_t)n;
    return end ? MHD_CONTENT_READER_END_OF_STREAM : 0;
}

static struct MHD_Response *make_response(struct h1_conn *c, struct skep_net__req *r)
{
    struct skep_net__answer *a = &r->answer;
    struct MHD_Response *resp;
    if (a->stream) {
        lock(c->daemon);
        c->stream = a->stream; /* the transport's reference goes along */
        unlock(c->daemon);
        a->stream = NULL;
        resp = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES,
                                                 stream_reader, c->stream, NULL);
    } else if (a->body_n) {
        skep_net__count(r->net, bytes_out, a->body_n);
        resp = MHD_create_response_from_buffer_with_free_callback(a->body_n, a->body, skep_free);
        if (resp)
            a->body = NULL;
    } else {
        resp = MHD_create_response_from_buffer_with_free_callback(0, NULL, NULL);
    }
    return resp;
}

static enum MHD_Result send_answer(struct h1_conn *c, struct skep_net__req *r)
{
    struct skep_net__answer *a = &r->answer;
    struct MHD_Response *resp = make_response(c, r);
    if (!resp)
        return MHD_NO;
    set_state(c, BUSY);
    set_timeout(c, 0);
    enum MHD_Result ok = MHD_YES;
    for (unsigned i = 0; i < a->n_headers && ok == MHD_YES; i++)
        if (a->headers[i].value.n) /* libmicrohttpd takes no empty value */
            ok = MHD_add_response_header(resp, a->headers[i].name.p, a->headers[i].value.p);
    if (r->close || atomic_load_explicit(&r->net->draining, memory_order_relaxed))
        ok = ok == MHD_YES ? MHD_add_response_header(resp, "Connection", "close") : ok;
    if (ok == MHD_YES)
        ok = MHD_queue_response(c->mhd, (unsigned)a->status, resp);
    MHD_destroy_response(resp);
    return ok;
}

/* Run the handler; answer now or suspend until it does. */
static enum MHD_Result run(struct h1_conn *c, struct skep_net__req *r)
{
    struct daemon *d = c->daemon;
    set_state(c, BUSY);
    if (skep_net__req_run(r, &d->inflater))
        return send_answer(c, r);
    if (atomic_load(&d->net->stopping)) {
        if (skep_net__req_abandon(r))
            return MHD_NO;
        return send_answer(c, r);
    }
    lock(d);
    c->parked = r;
    unlock(d);
    suspend(c);
    if (!skep_net__req_park(r))
        MHD_resume_connection(c->mhd);
    return MHD_YES;
}

/* The end of the body, and again after each resume. */
static enum MHD_Result finish(struct h1_conn *c, struct skep_net__req *r)
{
    if (!c->suspended)
        return run(c, r);
    note_resumed(c);
    lock(c->daemon);
    c->parked = NULL;
    unlock(c->daemon);
    switch (skep_net__req_phase(r)) {
    case SKEP_NET__ANSWERED: return send_answer(c, r);
    case SKEP_NET__ABANDONED: return MHD_NO;
    case SKEP_NET__IN_HANDLER:
    case SKEP_NET__PARKED:
    default: skep_unreachable("resumed without an answer");
    }
}

/* --- requests
 * ------------------------------------------------------------------------------- */

struct scan {
    struct skep_net__req *r;
    unsigned n_length, n_encoding, n_host;
    bool chunked, bad_name, too_many, expect;
    skep_str length, host;
};

static enum MHD_Result scan_header(void *cls, enum MHD_ValueKind kind, const char *key,
                                   size_t key_n, const char *value, size_t value_n)
{
    struct scan *scan = cls;
    skep_str name = {key, key_n};
    skep_str v = skep_str_trim((skep_str){value ? value : "", value ? value_n : 0});
    (void)kind;
    if (!skep_net__is_token(name))
        scan->bad_name = true;
    if (skep_net__req_header(scan->r, name, v) != SKEP_OK) {
        scan->too_many = true;
        return MHD_NO;
    }
    if (skep_str_ieq(name, SKEP_STR("content-length"))) {
        scan->n_length++;
        scan->length = v;
    } else if (skep_str_ieq(name, SKEP_STR("transfer-encoding"))) {
        scan->n_encoding++;
        scan->chunked = skep_str_ieq(v, SKEP_STR("chunked"));
    } else if (skep_str_ieq(name, SKEP_STR("host"))) {
        scan->n_host++;
        scan->host = v;
    } else if (skep_str_ieq(name, SKEP_STR("expect"))) {
        scan->expect = true;
    }
    return MHD_YES;
}

/* Shapes that two parsers may read differently: the connection must not go on. */
static const char *smuggling(const struct scan *s, struct skep_net__req *r)
{
    uint64_t length = 0;
    if (s->bad_name)
        return "a header's name holds a byte that no name may";
    if (s->n_encoding && (s->n_length || s->n_encoding > 1 || !s->chunked))
        return "Transfer-Encoding must be chunked, once, and without Content-Length";
    if (s->n_encoding && r->http10)
        return "HTTP/1.0 knows no Transfer-Encoding";
    if (s->n_length > 1)
        return "more than one Content-Length";
    if (s->n_length && (!skep_str_u64(s->length, &length) || length >= SIZE_MAX))
        return "Content-Length is no number";
    if (s->n_host > 1)
        return "more than one Host";
    if (s->n_length)
        r->expect_bytes = (size_t)length;
    else if (!s->n_encoding)
        r->expect_bytes = 0;
    return NULL;
}

static void read_head(struct h1_conn *c, struct skep_net__req *r, struct scan *scan,
                      skep_str version)
{
    r->http10 = skep_str_eq(version, SKEP_STR("HTTP/1.0"));
    (void)MHD_get_connection_values_n(c->mhd, MHD_HEADER_KIND, scan_header, scan); /* a count */
    const char *bad = smuggling(scan, r);
    if (scan->too_many) {
        r->close = true;
        skep_net__req_refuse(r, 431, SKEP_ETOOLARGE, SKEP_STR("too many or too long headers"));
    } else if (bad) {
        r->close = true;
        skep_net__req_refuse(r, 400, SKEP_EMALFORMED, skep_str_c(bad));
    } else if (!r->http10 && !skep_str_eq(version, SKEP_STR("HTTP/1.1"))) {
        r->close = true;
        skep_net__req_refuse(r, 505, SKEP_EUNSUPPORTED, SKEP_STR("use HTTP/1.1 or HTTP/2"));
    }
}

/* The headers are complete. */
static enum MHD_Result begin(struct h1_conn *c, skep_str method, skep_str version, void **con_cls)
{
    struct skep_net__req *r = skep_net__req_new(c->daemon->net, &transport);
    struct scan scan = {.r = r};
    *con_cls = r;
    r->conn = c->mhd;
    r->owner = c;
    r->fd = c->fd;
    c->discarded = 0;
    atomic_store_explicit(&c->body_bytes, 0, memory_order_relaxed);
    set_state(c, BODY);
    read_head(c, r, &scan, version);
    struct skep_net__head head = {
        .method = method,
        .target = skep_buf_text(&c->target),
        .host = scan.host,
        .has_host = scan.n_host > 0,
        .peer = c->peer_s,
        .listener = c->listener_s,
        .local_ip = c->local_ip_s,
        .from = c->from,
        .client_subject = client_subject(c),
        .tls = c->daemon->tls,
        .proto = SKEP_PROTO_HTTP1,
    };
    skep_net__req_open(r, &head);
    if (r->action != SKEP_NET__REFUSE)
        return MHD_YES;
    bool body = r->expect_bytes > 0;
    bool large = r->expect_bytes != SIZE_MAX && r->expect_bytes > SKEP_NET__DISCARD_BYTES;
    if (!body || !(r->close || scan.expect || large))
        return MHD_YES; /* read it away: the connection stays usable */
    r->close = true;
    c->lingers = true;
    skep_net__door_linger(c->daemon->net->door, c->fd);
    return run(c, r);
}

static enum MHD_Result more(struct h1_conn *c, struct skep_net__req *r, const char *p, size_t n)
{
    atomic_fetch_add_explicit(&c->body_bytes, n, memory_order_relaxed);
    if (skep_net__req_body(r, (skep_bytes){(const uint8_t *)p, n}))
        return MHD_YES;
    c->discarded += n;
    return c->discarded > DISCARD_CHUNKED_BYTES ? MHD_NO : MHD_YES;
}

// NOLINTNEXTLINE(readability-function-size): the parameters are libmicrohttpd's
static enum MHD_Result handle(void *cls, struct MHD_Connection *mhd, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_n, void **con_cls)
{
    struct h1_conn *c = conn_of(mhd);
    struct skep_net__req *r = *con_cls;
    (void)cls;
    (void)url; /* decoded already: the raw one stands in c->target */
    if (!r)
        return begin(c, skep_str_c(method), skep_str_c(version), con_cls);
    if (*upload_n == 0)
        return finish(c, r);
    size_t n = *upload_n;
    *upload_n = 0;
    return more(c, r, upload, n);
}

/* --- lifecycle
 * ------------------------------------------------------------------------------ */

/* Never asked: each session has credentials of its own by the time it wants a certificate. */
static int no_certificate(gnutls_session_t session, const gnutls_datum_t *authorities, int n,
                          const gnutls_pk_algorithm_t *algorithms, int n_algorithms,
                          gnutls_pcert_st **ret, unsigned *ret_n, gnutls_privkey_t *ret_key)
{
    (void)session, (void)authorities, (void)n, (void)algorithms, (void)n_algorithms;
    (void)ret, (void)ret_n, (void)ret_key;
    return -1;
}

static skep_rc start_daemon(struct skep_net *net, struct daemon *d, bool tls, skep_err *err)
{
    unsigned flags = (unsigned)MHD_USE_NO_LISTEN_SOCKET | (unsigned)MHD_USE_EPOLL_INTERNAL_THREAD |
                     (unsigned)MHD_ALLOW_SUSPEND_RESUME | (unsigned)MHD_USE_ITC |
                     (unsigned)(tls ? MHD_USE_TLS : MHD_USE_TURBO);
    d->net = net;
    d->tls = tls;
    int rc = pthread_mutex_init(&d->mu, NULL);
    skep_assert(rc == 0);
    d->mhd = MHD_start_daemon(
        flags, 0, NULL, NULL, handle, d, MHD_OPTION_NOTIFY_COMPLETED, completed, d,
        MHD_OPTION_NOTIFY_CONNECTION, notify_connection, d, MHD_OPTION_URI_LOG_CALLBACK, uri_log,
        NULL, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES, MHD_OPTION_CONNECTION_LIMIT,
        net->cfg.connections_max, MHD_OPTION_CONNECTION_TIMEOUT, net->cfg.idle_timeout_s,
        MHD_OPTION_STRICT_FOR_CLIENT, 1,
        /* The list ends here without TLS. */
        tls ? MHD_OPTION_HTTPS_CERT_CALLBACK : MHD_OPTION_END, no_certificate,
        MHD_OPTION_TLS_NO_ALPN, 1, MHD_OPTION_END);
    if (!d->mhd)
        return skep_fail(err, SKEP_EIO, "cannot start the HTTP/1.1 threads");
    return SKEP_OK;
}

skep_rc skep_net__h1_start(struct skep_net *net, unsigned n, struct skep_net__h1 **ret,
                           skep_err *err)
{
    struct skep_net__h1 *h = skep_alloc(struct skep_net__h1);
    unsigned n_plain = !net->tls || net->cfg.tls.allow_plain ? n : 0;
    for (unsigned i = 0; n_plain == 0 && net->cfg.listen_plain && i < net->cfg.n_listen; i++)
        n_plain = net->cfg.listen_plain[i]; /* a port for few */
    unsigned n_all = n_plain + (net->tls ? n : 0);
    h->net = net;
    h->daemons = skep_alloc_n(struct daemon, n_all);
    for (h->n = 0; h->n < n_all; h->n++) {
        skep_rc rc = start_daemon(net, &h->daemons[h->n], h->n >= n_plain, err);
        if (rc != SKEP_OK) {
            atomic_store(&net->stopping, true);
            skep_net__h1_stop(h);
            return rc;
        }
    }
    *ret = h;
    return SKEP_OK;
}

/* The daemon with the fewest connections. */
static struct daemon *idlest(struct skep_net__h1 *h, bool tls)
{
    struct daemon *best = NULL;
    for (unsigned i = 0; i < h->n; i++) {
        struct daemon *d = &h->daemons[i];
        if (d->tls == tls &&
            (!best || atomic_load_explicit(&d->n_conns, memory_order_relaxed) <
                          atomic_load_explicit(&best->n_conns, memory_order_relaxed)))
            best = d;
    }
    skep_assert(best != NULL);
    return best;
}

void skep_net__h1_adopt(struct skep_net__h1 *h, int fd, const struct sockaddr_storage *peer,
                        bool tls)
{
    struct daemon *best = idlest(h, tls);
    struct sockaddr_storage copy = *peer;
    atomic_fetch_add_explicit(&best->n_conns, 1, memory_order_relaxed);
    if (MHD_add_connection(best->mhd, fd, (struct sockaddr *)&copy,
                           address_bytes(peer->ss_family)) != MHD_YES) {
        struct skep_net__who from = skep_net__who_of(peer);
        atomic_fetch_sub_explicit(&best->n_conns, 1, memory_order_relaxed);
        skep_net__conn_over(h->net, &from, tls);
    }
}

enum verdict { STAYS, IDLE_TOO_LONG, SENDS_TOO_SLOWLY, READS_TOO_SLOWLY };

static enum verdict judge(struct h1_conn *c, uint64_t now)
{
    const struct skep_net *net = c->daemon->net;
    uint64_t idle_ms = (uint64_t)net->cfg.idle_timeout_s * 1000;
    uint64_t slow_ms = skep_net__timeout_ms(net, SKEP_NET__SLOW_TIMEOUT_MS);
    uint64_t since = atomic_load_explicit(&c->since_ms, memory_order_relaxed);
    uint64_t bytes = atomic_load_explicit(&c->body_bytes, memory_order_relaxed);
    uint64_t ms = now > since ? now - since : 0;
    bool slow = false;
    if (!skep_net__socket_drains(&c->drain, c->fd, now, idle_ms))
        return READS_TOO_SLOWLY;
    switch ((enum state)atomic_load_explicit(&c->state, memory_order_relaxed)) {
    case IDLE:
        if (skep_net__has_unsent(&c->drain)) /* it is idle from when it has read its answer */
            atomic_store_explicit(&c->since_ms, now, memory_order_relaxed);
        else if (ms > idle_ms)
            return IDLE_TOO_LONG;
        return STAYS;
    case FRESH: /* no request line yet, of TLS perhaps not even a handshake */
    case HEADERS: slow = ms > slow_ms; break;
    case BODY: slow = ms > slow_ms && bytes * 1000 / ms < SKEP_NET__BODY_BYTES_PER_S_MIN; break;
    case BUSY:
    default: break;
    }
    return slow ? SENDS_TOO_SLOWLY : STAYS;
}

static void cut(struct h1_conn *c, enum verdict why)
{
    if (!c->cut && why != IDLE_TOO_LONG) /* waiting for its next request is not slow */
        skep_net__count(c->daemon->net, cut_slow, 1);
    c->cut = true;
    if (why == READS_TOO_SLOWLY)
        skep_net__reset_at_close(c->fd);
    (void)shutdown(c->fd, SHUT_RDWR); /* its thread sees the end and closes */
}

void skep_net__h1_sweep(struct skep_net__h1 *h, uint64_t now_ms)
{
    for (unsigned i = 0; i < h->n; i++) {
        struct daemon *d = &h->daemons[i];
        lock(d);
        for (struct h1_conn *c = d->conns; c; c = c->next) {
            enum verdict v = judge(c, now_ms);
            if (v != STAYS)
                cut(c, v);
        }
        unlock(d);
    }
}

/* Wake whatever is suspended so that its thread can end it. */
static void end_suspended(struct daemon *d)
{
    lock(d);
    for (struct h1_conn *c = d->conns; c; c = c->next) {
        struct skep_net__req *r = c->parked;
        if (r && skep_net__req_phase(r) == SKEP_NET__PARKED && skep_net__req_abandon(r))
            MHD_resume_connection(c->mhd);
        if (c->stream)
            skep_net__stream_cut(c->stream);
    }
    unlock(d);
}

static void stop_daemon(struct daemon *d)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    skep_assert(atomic_load(&d->net->stopping));
    for (end_suspended(d); atomic_load(&d->n_suspended) > 0; end_suspended(d))
        (void)nanosleep(&pause, NULL); /* cut short: looked at again sooner */
    while (atomic_load(&d->n_waking) > 0)
        (void)nanosleep(&pause, NULL);
    MHD_stop_daemon(d->mhd);
    skep_assert(!d->conns);
    skep_net__inflater_done(&d->inflater);
    (void)pthread_mutex_destroy(&d->mu); /* nobody is left to hold it */
}

void skep_net__h1_stop(struct skep_net__h1 *h)
{
    if (!h)
        return;
    for (unsigned i = 0; i < h->n; i++)
        stop_daemon(&h->daemons[i]);
    skep_free(h->daemons);
    skep_free(h);
}
