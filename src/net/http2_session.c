// SPDX-License-Identifier: Apache-2.0
/* HTTP/2 frames and streams over nghttp2: what arrives becomes requests, answers become frames.
 *
 *   HEADERS -> begin_headers, header* -> open (doors, route) -> DATA -> body -> END_STREAM -> run
 *   answer  -> HEADERS [-> DATA ...] [-> trailers (gRPC)]
 *
 * A refusal is answered as soon as it is known.  What the client still sends is thrown away up to
 * a measure, then the stream is reset with NO_ERROR: the RFC's way to say "stop, but keep the
 * answer", which some clients (curl 7.88) take for a failure, so it is not the first resort.
 *
 * Floods: resets (a client may open and cancel streams faster than handlers can be stopped, or make
 * us reset them by breaking rules), PING and SETTINGS (each wants an ACK), PRIORITY,
 * WINDOW_UPDATE, empty DATA frames, header lists that decode to far more than their bytes.
 * Each has a token bucket or a limit; a connection over it gets GOAWAY(ENHANCE_YOUR_CALM).
 *
 * I1  st->req is set from begin_headers until the stream closes.
 * I2  an answer is submitted at most once.
 * Threads: the connection's I/O thread alone.  Memory: one h2_stream and one request a stream. */
#include "net/http2_priv.h"

enum {
    WINDOW_STREAM = 4 << 20,
    WINDOW_CONNECTION = 16 << 20,
    STREAMS_MAX = 128,
    FRAME_BYTES = 64 << 10,
    HEADER_TABLE_BYTES = 4096,
    DISCARD_BYTES = 16 << 20,
    HEADERS_SEEN_MAX = 8 * SKEP_NET__HEADER_LIST_BYTES, /* a list over the limit is only decoded */
};

static bool spend(struct skep_net__bucket *b)
{
    uint64_t now = skep_net__now_ms();
    uint64_t earned = (now - b->filled_ms) * b->per_s / 1000;
    if (earned > 0) {
        b->tokens = (uint32_t)SKEP_MIN((uint64_t)b->burst, b->tokens + earned);
        b->filled_ms = now;
    }
    if (b->tokens == 0)
        return false;
    b->tokens--;
    return true;
}

static struct skep_net__bucket bucket(uint32_t burst, uint32_t per_s)
{
    return (struct skep_net__bucket){burst, burst, per_s, skep_net__now_ms()};
}

static int calm_down(struct skep_net__h2_conn *c)
{
    if (c->calmed)
        return 0;
    c->calmed = true;
    int rc = nghttp2_session_terminate_session(c->session, NGHTTP2_ENHANCE_YOUR_CALM);
    return rc == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* --- transport --------------------------------------------------- */

static void prepare_stream(struct skep_net__req *r, struct skep_stream *s)
{
    (void)r; /* s->conn is set by its own thread, when the answer is submitted */
    s->wake = skep_net__h2_stream_wake;
}

static const struct skep_net__transport transport = {skep_net__h2_wake, NULL, prepare_stream};

/* --- answers ----------------------------------------------------- */

static nghttp2_nv nv(skep_str name, skep_str value)
{
    return (nghttp2_nv){skep_net__unconst(name.p), skep_net__unconst(value.p), name.n, value.n,
                        NGHTTP2_NV_FLAG_NONE};
}

static size_t put_trailers(const struct skep_net__answer *a, nghttp2_nv *out)
{
    for (unsigned i = 0; i < a->n_trailers; i++)
        out[i] = nv(a->trailers[i].name, a->trailers[i].value);
    return a->n_trailers;
}

static void stream_parked(struct skep_stream *s)
{
    struct skep_net__h2_stream *st = s->conn;
    st->idle = true;
}

static ssize_t read_stream(struct skep_net__h2_stream *st, uint8_t *buf, size_t max,
                           uint32_t *flags)
{
    bool end = false;
    size_t n = skep_net__stream_read(st->stream, buf, max, &end, stream_parked);
    st->read += n;
    skep_net__count(st->conn->worker->net, bytes_out, n);
    if (end)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    else if (n == 0)
        return NGHTTP2_ERR_DEFERRED;
    return (ssize_t)n;
}

// NOLINTNEXTLINE(readability-function-size): the parameters are nghttp2's
static ssize_t read_answer(nghttp2_session *session, int32_t id, uint8_t *buf, size_t max,
                           uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct skep_net__h2_stream *st = source->ptr;
    struct skep_net__answer *a = &st->req->answer;
    (void)user;
    if (st->stream)
        return read_stream(st, buf, max, flags);
    size_t n = SKEP_MIN(max, a->body_n - st->sent);
    if (n)
        memcpy(buf, a->body + st->sent, n);
    st->sent += n;
    st->read += n;
    if (st->sent < a->body_n)
        return (ssize_t)n;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (a->n_trailers) {
        nghttp2_nv trailers[SKEP_ARRAY_LEN(a->trailers)];
        size_t n_trailers = put_trailers(a, trailers);
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        if (nghttp2_submit_trailer(session, id, trailers, n_trailers) != 0)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    return (ssize_t)n;
}

/* Hand the answer's stream over to this thread. */
static void attach_stream(struct skep_net__h2_stream *st)
{
    struct skep_net__answer *a = &st->req->answer;
    st->stream = a->stream;
    a->stream = NULL;
    int rc = pthread_mutex_lock(&st->stream->mu);
    skep_assert(rc == 0);
    st->stream->conn = st;
    rc = pthread_mutex_unlock(&st->stream->mu);
    skep_assert(rc == 0);
}

void skep_net__h2_submit(struct skep_net__h2_stream *st)
{
    struct skep_net__req *r = st->req;
    struct skep_net__answer *a = &r->answer;
    nghttp2_nv nva[SKEP_NET__ANSWER_HEADERS_MAX + SKEP_ARRAY_LEN(a->trailers) + 2];
    nghttp2_data_provider provider = {.source.ptr = st, .read_callback = read_answer};
    size_t n = 0;
    skep_assert(!st->submitted && skep_net__req_phase(r) == SKEP_NET__ANSWERED);
    st->submitted = true;
    skep_str status = skep_arena_printf(&r->arena, "%d", a->status);
    nva[n++] = nv(SKEP_STR(":status"), status);
    for (unsigned i = 0; i < a->n_headers; i++)
        nva[n++] = nv(a->headers[i].name, a->headers[i].value);
    if (a->stream)
        attach_stream(st);
    else if (r->pub.proto != SKEP_PROTO_GRPC && a->status != 204 && a->status != 304)
        nva[n++] = nv(SKEP_STR("content-length"), skep_arena_printf(&r->arena, "%zu", a->body_n));
    if (a->trailers_only)
        n += put_trailers(a, nva + n);
    skep_net__count(r->net, bytes_out, a->body_n);
    bool body = !r->head && !a->trailers_only && (st->stream || a->body_n);
    if (nghttp2_submit_response(st->conn->session, st->id, nva, n, body ? &provider : NULL) != 0)
        st->conn->dead = true;
}

static void run(struct skep_net__h2_stream *st)
{
    struct skep_net__req *r = st->req;
    struct skep_net__worker *w = st->conn->worker;
    skep_assert(!st->run);
    st->run = true;
    if (!skep_net__req_run(r, &w->inflater)) {
        if (skep_net__req_park(r)) {
            st->parked = true;
            w->n_parked++;
            return;
        }
    }
    skep_net__h2_submit(st);
}

/* --- streams ----------------------------------------------------- */

static struct skep_net__h2_stream *stream_new(struct skep_net__h2_conn *c, int32_t id)
{
    struct skep_net__h2_stream *st = skep_alloc(struct skep_net__h2_stream);
    st->conn = c;
    st->id = id;
    st->req = skep_net__req_new(c->worker->net, &transport);
    st->req->conn = c->worker;
    st->req->owner = st;
    st->since_ms = skep_net__now_ms();
    st->next = c->streams;
    if (st->next)
        st->next->prev = st;
    c->streams = st;
    return st;
}

static void close_request(struct skep_net__h2_stream *st)
{
    struct skep_net__req *r = st->req;
    st->req = NULL;
    if (!st->parked || skep_net__req_abandon(r)) {
        if (st->parked)
            st->conn->worker->n_parked--;
        skep_net__req_close(r);
    } else {
        r->owner = NULL; /* answered: it is in the queue, or about to be; closed there */
    }
}

void skep_net__h2_stream_free(struct skep_net__h2_stream *st)
{
    struct skep_net__h2_conn *c = st->conn;
    if (st->stream) {
        skep_net__stream_detach(st->stream);
        st->stream->conn = NULL;
        skep_net__stream_unref(st->stream);
    }
    close_request(st);
    if (st->prev)
        st->prev->next = st->next;
    else
        c->streams = st->next;
    if (st->next)
        st->next->prev = st->prev;
    skep_free(st);
}

static void open_request(struct skep_net__h2_stream *st)
{
    struct skep_net__h2_conn *c = st->conn;
    struct skep_net__req *r = st->req;
    uint64_t length = 0;
    skep_str told = skep_request_header(&r->pub, SKEP_STR("content-length"));
    skep_str host = skep_request_header(&r->pub, SKEP_STR("host"));
    st->opened = true;
    if (skep_str_u64(told, &length) && length < SIZE_MAX)
        r->expect_bytes = (size_t)length;
    if (st->too_big)
        skep_net__req_refuse(r, 431, SKEP_ETOOLARGE, SKEP_STR("too many or too long headers"));
    struct skep_net__head head = {
        .method = st->method,
        .target = st->path,
        .host = st->authority.n ? st->authority : host,
        .has_host = true,
        .peer = c->peer_s,
        .listener = c->listener_s,
        .local_ip = c->local_ip_s,
        .from = c->from,
        .client_subject = c->subject_s,
        .tls = c->tls,
        .proto = SKEP_PROTO_HTTP2,
        .h2 = true,
    };
    skep_net__req_open(r, &head);
}

static void headers_done(struct skep_net__h2_stream *st, bool end)
{
    open_request(st);
    if (end || st->req->action == SKEP_NET__REFUSE) {
        run(st);
        return;
    }
    if (skep_request_header(&st->req->pub, SKEP_STR("expect")).n) {
        nghttp2_nv go_on = nv(SKEP_STR(":status"), SKEP_STR("100"));
        if (nghttp2_submit_headers(st->conn->session, NGHTTP2_FLAG_NONE, st->id, NULL, &go_on, 1,
                                   NULL) != 0)
            st->conn->dead = true;
    }
}

/* --- nghttp2's callbacks ----------------------------------------- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct skep_net__h2_conn *c = user;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct skep_net__h2_stream *st = stream_new(c, frame->hd.stream_id);
    if (nghttp2_session_set_stream_user_data(session, st->id, st) != 0)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    return 0;
}

// NOLINTNEXTLINE(readability-function-size): the parameters are nghttp2's
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags, void *user)
{
    struct skep_net__h2_stream *st =
        nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    skep_str n = {(const char *)name, name_n};
    skep_str v = {(const char *)value, value_n};
    (void)flags;
    if (!st)
        return 0;
    st->seen += n.n + v.n;
    if (st->seen > HEADERS_SEEN_MAX)
        return calm_down(user);
    if (st->opened || st->too_big)
        return 0; /* trailers of a request say nothing to us */
    if (n.n > 0 && n.p[0] == ':') {
        struct skep_net__req *r = st->req;
        r->header_bytes += n.n + v.n + 32;
        st->too_big = r->header_bytes > SKEP_NET__HEADER_LIST_BYTES;
        skep_str copy = skep_arena_str(&r->arena, v);
        if (skep_str_eq(n, SKEP_STR(":method")))
            st->method = copy;
        else if (skep_str_eq(n, SKEP_STR(":path")))
            st->path = copy;
        else if (skep_str_eq(n, SKEP_STR(":authority")))
            st->authority = copy;
        return 0;
    }
    if (skep_net__req_header(st->req, n, v) != SKEP_OK)
        st->too_big = true;
    return 0;
}

/* Frames that nghttp2 only keeps its books with.  Unknown ones it skips without a word to us. */
static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *user)
{
    struct skep_net__h2_conn *c = user;
    (void)session;
    if (hd->type == NGHTTP2_WINDOW_UPDATE)
        return spend(&c->windows) ? 0 : calm_down(c);
    if (hd->type == NGHTTP2_PRIORITY)
        return spend(&c->controls) ? 0 : calm_down(c);
    return 0;
}

static int on_control(struct skep_net__h2_conn *c, const nghttp2_frame *frame)
{
    bool ack = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
    if (frame->hd.type == NGHTTP2_RST_STREAM) {
        skep_net__count(c->worker->net, h2_resets, 1);
        return spend(&c->resets) ? 0 : calm_down(c);
    }
    if (!ack && (frame->hd.type == NGHTTP2_PING || frame->hd.type == NGHTTP2_SETTINGS))
        return spend(&c->controls) ? 0 : calm_down(c);
    if (frame->hd.type == NGHTTP2_DATA && frame->hd.length == 0)
        return spend(&c->empties) ? 0 : calm_down(c);
    return 0;
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct skep_net__h2_conn *c = user;
    bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    int rc = on_control(c, frame);
    if (rc != 0 || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
        return rc;
    struct skep_net__h2_stream *st =
        nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (!st)
        return 0;
    if (!st->opened)
        headers_done(st, end);
    else if (end && !st->run)
        run(st);
    return 0;
}

/* The answer is out and the client still sends: it may stop. */
static int reset(nghttp2_session *session, int32_t id)
{
    if (nghttp2_session_get_stream_remote_close(session, id) != 0)
        return 0;
    int rc = nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
    return rc == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t n, void *user)
{
    struct skep_net__h2_stream *st = nghttp2_session_get_stream_user_data(session, id);
    (void)flags;
    (void)user;
    if (st && st->run) {
        st->discarded += n;
        if (st->sent_end && st->discarded > DISCARD_BYTES)
            return reset(session, id);
    }
    if (!st || st->run)
        return 0;
    st->received += n;
    if (!skep_net__req_body(st->req, (skep_bytes){data, n}))
        run(st);
    return 0;
}

/* A reset that the client brought about. */
static bool is_forced(uint32_t code)
{
    return code != NGHTTP2_NO_ERROR && code != NGHTTP2_CANCEL && code != NGHTTP2_ENHANCE_YOUR_CALM;
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->hd.type == NGHTTP2_RST_STREAM && is_forced(frame->rst_stream.error_code)) {
        struct skep_net__h2_conn *c = user;
        return spend(&c->resets) ? 0 : calm_down(c);
    }
    if (!end || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
        return 0;
    struct skep_net__h2_stream *st =
        nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (!st)
        return 0;
    st->sent_end = true;
    st->since_ms = skep_net__now_ms();
    return st->discarded > DISCARD_BYTES ? reset(session, st->id) : 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct skep_net__h2_stream *st = nghttp2_session_get_stream_user_data(session, id);
    (void)code;
    (void)user;
    if (st)
        skep_net__h2_stream_free(st);
    return 0;
}

/* --- opening a session
 * ---------------------------------------------------------------------- */

static nghttp2_session *session_new(struct skep_net__h2_conn *c)
{
    nghttp2_session_callbacks *cb = NULL;
    nghttp2_option *option = NULL;
    nghttp2_session *session = NULL;
    if (nghttp2_session_callbacks_new(&cb) != 0 || nghttp2_option_new(&option) != 0) {
        nghttp2_session_callbacks_del(cb);
        return NULL;
    }
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_send);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_outbound_ack(option, 256);
    if (nghttp2_session_server_new2(&session, cb, c, option) != 0)
        session = NULL;
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(cb);
    return session;
}

bool skep_net__h2_session_open(struct skep_net__h2_conn *c)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS_MAX},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_STREAM},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, FRAME_BYTES},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, SKEP_NET__HEADER_LIST_BYTES},
        {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, HEADER_TABLE_BYTES},
    };
    c->resets = bucket(500, 50);
    c->controls = bucket(1000, 200);
    c->empties = bucket(100, 10);
    c->windows = bucket(20000, 10000);
    c->session = session_new(c);
    if (!c->session)
        return false;
    return nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings,
                                   SKEP_ARRAY_LEN(settings)) == 0 &&
           nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0,
                                                 WINDOW_CONNECTION) == 0;
}
