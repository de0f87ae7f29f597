// SPDX-License-Identifier: Apache-2.0
/* An HTTP/2 client on nghttp2: several requests on one blocking connection. */
#pragma once

#include <nghttp2/nghttp2.h>

#include "raw_client.h"

struct h2_reply {
    int32_t id;
    int status;
    char headers[4096]; /* "name: value\n" */
    char trailers[4096];
    char *body;
    size_t n;
    bool closed;
    uint32_t error; /* of RST_STREAM or the stream's close */
    const char *send;
    size_t send_n, sent;
};

struct h2_client {
    int fd;
    nghttp2_session *session;
    struct h2_reply replies[256];
    unsigned n;
    bool goaway;
    uint32_t goaway_error;
    bool ended;
    bool hold; /* read no bodies: give no window back */
};

static inline struct h2_reply *h2_find(struct h2_client *c, int32_t id)
{
    for (unsigned i = 0; i < c->n; i++)
        if (c->replies[i].id == id)
            return &c->replies[i];
    return NULL;
}

static inline ssize_t h2_cb_send(nghttp2_session *s, const uint8_t *p, size_t n, int flags,
                                 void *user)
{
    struct h2_client *c = user;
    (void)s;
    (void)flags;
    ssize_t k = send(c->fd, p, n, MSG_NOSIGNAL);
    return k < 0 ? NGHTTP2_ERR_CALLBACK_FAILURE : k;
}

static inline int h2_cb_header(nghttp2_session *s, const nghttp2_frame *f, const uint8_t *name,
                               size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags,
                               void *user)
{
    struct h2_reply *r = h2_find(user, f->hd.stream_id);
    (void)s;
    (void)flags;
    if (!r)
        return 0;
    if (name_n == 7 && memcmp(name, ":status", 7) == 0) {
        r->status = (int)strtol((const char *)value, NULL, 10);
        return 0;
    }
    bool trailer = f->headers.cat == NGHTTP2_HCAT_HEADERS && r->status != 100;
    char *out = trailer ? r->trailers : r->headers;
    size_t at = strlen(out);
    snprintf(out + at, sizeof r->headers - at, "%.*s: %.*s\n", (int)name_n, (const char *)name,
             (int)value_n, (const char *)value);
    return 0;
}

static inline int h2_cb_data(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *p,
                             size_t n, void *user)
{
    struct h2_reply *r = h2_find(user, id);
    (void)s;
    (void)flags;
    if (!r)
        return 0;
    r->body = realloc(r->body, r->n + n + 1);
    memcpy(r->body + r->n, p, n);
    r->n += n;
    r->body[r->n] = '\0';
    return 0;
}

static inline int h2_cb_close(nghttp2_session *s, int32_t id, uint32_t code, void *user)
{
    struct h2_reply *r = h2_find(user, id);
    (void)s;
    if (r) {
        r->closed = true;
        r->error = code;
    }
    return 0;
}

static inline int h2_cb_frame(nghttp2_session *s, const nghttp2_frame *f, void *user)
{
    struct h2_client *c = user;
    (void)s;
    if (f->hd.type == NGHTTP2_GOAWAY) {
        c->goaway = true;
        c->goaway_error = f->goaway.error_code;
    }
    return 0;
}

static inline ssize_t h2_cb_read(nghttp2_session *s, int32_t id, uint8_t *buf, size_t max,
                                 uint32_t *flags, nghttp2_data_source *src, void *user)
{
    struct h2_reply *r = src->ptr;
    size_t n = r->send_n - r->sent;
    (void)s;
    (void)id;
    (void)user;
    n = n > max ? max : n;
    if (n)
        memcpy(buf, r->send + r->sent, n);
    r->sent += n;
    if (r->sent == r->send_n)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static inline void h2_open(struct h2_client *c, unsigned port, bool hold)
{
    nghttp2_session_callbacks *cb;
    nghttp2_option *opt;
    memset(c, 0, sizeof *c);
    c->fd = raw_connect(port);
    c->hold = hold;
    nghttp2_session_callbacks_new(&cb);
    nghttp2_option_new(&opt);
    nghttp2_session_callbacks_set_send_callback(cb, h2_cb_send);
    nghttp2_session_callbacks_set_on_header_callback(cb, h2_cb_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, h2_cb_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, h2_cb_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, h2_cb_frame);
    nghttp2_option_set_no_auto_window_update(opt, hold);
    nghttp2_session_client_new2(&c->session, cb, c, opt);
    nghttp2_option_del(opt);
    nghttp2_session_callbacks_del(cb);
    nghttp2_settings_entry small = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 65535};
    nghttp2_submit_settings(c->session, 0, &small, 1);
}

static inline void h2_close(struct h2_client *c)
{
    for (unsigned i = 0; i < c->n; i++)
        free(c->replies[i].body);
    nghttp2_session_del(c->session);
    close(c->fd);
}

static inline nghttp2_nv h2_nv(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value),
                        NGHTTP2_NV_FLAG_NONE};
}

/* extra: name, value, ..., NULL */
static inline struct h2_reply *h2_request(struct h2_client *c, const char *method, const char *path,
                                          const char *body, size_t n, const char *const *extra)
{
    nghttp2_nv nva[300];
    size_t k = 0;
    struct h2_reply *r = &c->replies[c->n++];
    nva[k++] = h2_nv(":method", method);
    nva[k++] = h2_nv(":scheme", "http");
    nva[k++] = h2_nv(":path", path);
    bool host = false;
    for (const char *const *x = extra; x && *x; x += 2)
        host = host || strcmp(x[0], ":authority") == 0;
    if (!host)
        nva[k++] = h2_nv(":authority", "localhost:4317");
    for (const char *const *x = extra; x && *x; x += 2)
        nva[k++] = h2_nv(x[0], x[1]);
    r->send = body;
    r->send_n = n;
    nghttp2_data_provider p = {.source.ptr = r, .read_callback = h2_cb_read};
    r->id = nghttp2_submit_request(c->session, NULL, nva, k, body ? &p : NULL, NULL);
    return r;
}

/* One step; false at the end of the connection or after ms of silence. */
static inline bool h2_step(struct h2_client *c, int ms)
{
    static __thread uint8_t in[65536];
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    (void)nghttp2_session_send(c->session); /* fails when the server has closed: read on */
    if (poll(&p, 1, ms) <= 0)
        return false;
    ssize_t n = recv(c->fd, in, sizeof in, 0);
    if (n <= 0) {
        c->ended = true;
        return false;
    }
    return nghttp2_session_mem_recv(c->session, in, (size_t)n) >= 0;
}

/* Run until the reply is complete. */
static inline bool h2_wait(struct h2_client *c, struct h2_reply *r)
{
    while (!r->closed && h2_step(c, 120000)) {
    }
    (void)nghttp2_session_send(c->session);
    return r->closed;
}
