// SPDX-License-Identifier: Apache-2.0
/* What http2.c (threads, sockets) and http2_session.c (frames, streams) share. */
#pragma once

#include "net/tls_priv.h"

#include <nghttp2/nghttp2.h>

/* Tokens for things a client should do rarely. */
struct skep_net__bucket {
    uint32_t tokens, burst, per_s;
    uint64_t filled_ms;
};

struct skep_net__worker {
    struct skep_net *net;
    pthread_t thread;
    bool started;
    int epfd, evfd;
    struct skep_net__inflater inflater;
    uint8_t *in;                       /* I/O thread: what recv fills */
    struct skep_net__h2_conn *conns;   /* I/O thread */
    struct skep_net__h2_conn *touched; /* I/O thread: to be flushed */
    unsigned n_parked;                 /* I/O thread: requests whose answer will call wake */
    _Atomic unsigned n_conns;
    _Atomic bool drain, stop;

    pthread_mutex_t mu; /* the queues */
    struct skep_net__req *answered;
    struct skep_stream *ready;
    struct skep_net__h2_new {
        int fd;
        bool tls;
        struct sockaddr_storage peer;
    } * fresh;
    unsigned n_fresh, cap_fresh;
};

struct skep_net__h2_conn {
    struct skep_net__h2_conn *next, *prev;
    struct skep_net__worker *worker;
    nghttp2_session *session;
    struct skep_net__h2_stream *streams;
    int fd;
    struct skep_net__link *link; /* TLS; NULL = plain */
    bool tls;                    /* also without a link, when there was no memory for one */
    bool shaking;                /* the handshake goes on: no frames yet */
    bool blocked;                /* the socket took no more: EPOLLOUT is on */
    bool dead;                   /* to be closed by its thread */
    bool calmed;                 /* a flood was answered with GOAWAY */
    bool touched;                /* in worker->touched */
    struct skep_net__h2_conn *touch_next;
    struct skep_buf out;
    size_t out_head;
    uint64_t progress_ms; /* last byte in or out */
    struct skep_net__bucket resets, controls, empties, windows;
    struct skep_net__drain drain;
    char peer[SKEP_NET__ADDRESS_BYTES], listener[SKEP_NET__ADDRESS_BYTES];
    char local_ip[SKEP_NET__ADDRESS_BYTES];
    skep_str peer_s, listener_s, local_ip_s, subject_s;
    struct skep_net__who from;
};

struct skep_net__h2_stream {
    struct skep_net__h2_stream *next, *prev;
    struct skep_net__h2_conn *conn;
    struct skep_net__req *req;
    int32_t id;
    bool opened;    /* headers complete */
    bool run;       /* the handler was called */
    bool parked;    /* its answer will call wake */
    bool submitted; /* the answer went to nghttp2 */
    bool idle;      /* waits for the stream's writer */
    bool too_big;   /* header list */
    skep_str method, path, authority;
    size_t sent;                /* of the answer's body */
    struct skep_stream *stream; /* the answer's, with the transport's reference */
    uint64_t since_ms;
    uint64_t read; /* bytes of the answer that nghttp2 took, streamed ones too */
    size_t seen;   /* bytes of headers, as they decode */
    struct skep_net__drain drain;
    size_t received;  /* body bytes that counted */
    size_t discarded; /* body bytes after the answer */
    bool sent_end;    /* the answer is out, all of it */
};

/* A session for a connection, its first SETTINGS queued.  Returns false without memory. */
SKEP_NODISCARD bool skep_net__h2_session_open(struct skep_net__h2_conn *c);
/* The answer of st->req stands: give it to nghttp2. */
void skep_net__h2_submit(struct skep_net__h2_stream *st);
/* Free a stream; its request is abandoned or closed. */
void skep_net__h2_stream_free(struct skep_net__h2_stream *st);
/* Wake for answers and streams, see skep_net__transport. */
void skep_net__h2_wake(struct skep_net__req *r);
void skep_net__h2_stream_wake(struct skep_stream *s);
