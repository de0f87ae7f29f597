// SPDX-License-Identifier: Apache-2.0
/* What the files of src/net share.  Nothing outside the module includes this. */
#pragma once

#include "net/net.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/assert.h"
#include "base/budget.h"
#include "base/hash.h"
#include "base/mem.h"

enum {
    SKEP_NET__BODY_LIMIT_BYTES = 64 << 20,
    SKEP_NET__IDLE_TIMEOUT_S = 120,
    SKEP_NET__SNIFF_TIMEOUT_MS = 10000, /* these two: or the idle timeout, if that is shorter */
    SKEP_NET__SLOW_TIMEOUT_MS = 30000,  /* for the headers; then a body must have come at ... */
    SKEP_NET__BODY_BYTES_PER_S_MIN = 1024,
    SKEP_NET__CONNECTIONS_MAX = 4096,
    SKEP_NET__TLS_BYTES = 48 << 10, /* taken from the budget for a TLS connection */
    SKEP_NET__HELLO_MAX = 12 << 10, /* of a TLS client's first message, with its records' heads */
    SKEP_NET__THREADS_MAX = 64,
    SKEP_NET__LISTEN_MAX = 16,
    SKEP_NET__HEADERS_MAX = 128,
    SKEP_NET__HEADER_LIST_BYTES = 32 << 10,
    SKEP_NET__SEGMENTS_MAX = 32, /* of a request's path; the last one holds the rest */
    SKEP_NET__CAPTURES_MAX = 8,
    SKEP_NET__DISCARD_BYTES = 1 << 20, /* a refused body up to this is read, the connection kept */
    SKEP_NET__STREAM_BYTES = 1 << 20,
    SKEP_NET__GRPC_PREFIX_BYTES = 5,
    SKEP_NET__ADDRESS_BYTES = 64, /* "[ipv6]:port" and its NUL */
};

/* --- uri.c: request targets -------------------------------------- */

/* A request target taken apart; slices into the arena, or into the target for `query`. */
struct skep_net__uri {
    skep_str path;                         /* decoded */
    skep_str query;                        /* raw */
    skep_str segs[SKEP_NET__SEGMENTS_MAX]; /* decoded, slices of `path`; the last may hold '/' */
    unsigned n_segs;
};

/* Take a target ("/a%20b?x=1", "http://host/a", "*") apart.
 * Returns SKEP_OK | SKEP_EMALFORMED (bad escape, NUL, control byte, not starting with '/'). */
SKEP_NODISCARD skep_rc skep_net__uri_parse(struct skep_arena *arena, skep_str target,
                                           struct skep_net__uri *ret, skep_err *err);
/* Decode %xx (and '+' when plus); false on a bad escape or a NUL. */
SKEP_NODISCARD bool skep_net__percent_decode(struct skep_arena *arena, skep_str in, bool plus,
                                             skep_str *ret);
/* Value of the i-th parameter `name` of a raw query. */
SKEP_NODISCARD bool skep_net__query_param(struct skep_arena *arena, skep_str query, skep_str name,
                                          unsigned i, skep_str *ret);
/* True if s is a non-empty token of RFC 9110. */
bool skep_net__is_token(skep_str s);

/* --- route.c: the route table ------------------------------------ */

struct skep_net__routes;

struct skep_net__match {
    const struct skep_route *route;
    void *ctx;
    skep_str captures[SKEP_NET__CAPTURES_MAX];
    unsigned n_captures;
};

struct skep_net__routes *skep_net__routes_new(void);
void skep_net__routes_free(struct skep_net__routes *t);
/* Returns SKEP_OK | SKEP_EEXISTS (overlap). */
SKEP_NODISCARD skep_rc skep_net__routes_add(struct skep_net__routes *t,
                                            const struct skep_route *route, void *ctx,
                                            skep_err *err);
/* The i-th route added, or NULL. */
const struct skep_route *skep_net__routes_at(const struct skep_net__routes *t, size_t i);
/* Best route for method, path and what `req` says in its headers; HEAD falls back to GET.
 * req NULL = no headers. */
SKEP_NODISCARD bool skep_net__routes_find(const struct skep_net__routes *t, skep_str method,
                                          const struct skep_net__uri *uri,
                                          const struct skep_request *req,
                                          struct skep_net__match *ret);
/* "GET, HEAD, POST": methods that the path has a route for; empty = none.  In the arena. */
skep_str skep_net__routes_allow(const struct skep_net__routes *t, struct skep_arena *arena,
                                const struct skep_net__uri *uri);

/* --- doors.c: who may come in ------------------------------------ */

/* True if a Host (or :authority) value names this server.  local_ip = the connection's own address
 * without port and brackets, "" = unknown. */
bool skep_net__host_allowed(skep_str host, skep_str local_ip, const char *const *allow,
                            unsigned n_allow);
/* True if Origin is absent or names the same host and port as Host does. */
bool skep_net__origin_same(skep_str origin, skep_str host);

/* --- body.c: bodies as they arrive, and undoing their encoding --- */

/* A growing block whose capacity is taken from a budget (may be NULL). */
struct skep_net__intake {
    uint8_t *p;
    size_t n, cap;
    struct skep_budget *budget;
};

/* Make room for n more bytes.  expect = the total known beforehand, 0 = unknown.
 * Returns SKEP_OK | SKEP_ETOOLARGE (n + in->n over limit) | SKEP_ENOMEM (budget). */
SKEP_NODISCARD skep_rc skep_net__intake_reserve(struct skep_net__intake *in, size_t n,
                                                size_t expect, size_t limit, skep_err *err);
SKEP_NODISCARD skep_rc skep_net__intake_put(struct skep_net__intake *in, skep_bytes b,
                                            size_t expect, size_t limit, skep_err *err);
/* Free the block, give its bytes back; usable again. */
void skep_net__intake_done(struct skep_net__intake *in);

enum skep_net__coding {
    SKEP_NET__IDENTITY,
    SKEP_NET__GZIP,
    SKEP_NET__DEFLATE,
    SKEP_NET__ZSTD,
    SKEP_NET__UNKNOWN_CODING
};

/* A Content-Encoding or grpc-encoding value; empty = identity; a list is unknown. */
enum skep_net__coding skep_net__coding_parse(skep_str value);

/* Decoders, made when first used.  One owner at a time. */
struct skep_net__inflater {
    struct libdeflate_decompressor *deflate;
    struct ZSTD_DCtx_s *zstd;
};
void skep_net__inflater_done(struct skep_net__inflater *inf);
/* Decode all of `in` into `out` (empty, with its budget set).  Concatenated gzip members and zstd
 * frames count as one body.
 * Returns SKEP_OK | SKEP_EMALFORMED | SKEP_ETOOLARGE (over limit) | SKEP_ENOMEM (budget);
 * on failure `out` is empty. */
SKEP_NODISCARD skep_rc skep_net__inflate(struct skep_net__inflater *inf, enum skep_net__coding c,
                                         skep_bytes in, size_t limit, struct skep_net__intake *out,
                                         skep_err *err);

/* --- peers.c, client.c: what one client may ---------------------- */

/* An address: IPv6, or IPv4 mapped into it. */
struct skep_net__who {
    uint8_t address[16];
};

struct skep_net__peers;
struct skep_net__req;

struct skep_net__peers *skep_net__peers_new(const struct skep_net_config *cfg);
void skep_net__peers_free(struct skep_net__peers *t);
/* A connection comes; false when its address has as many as it may.  Threads: these three: any. */
SKEP_NODISCARD bool skep_net__peers_enter(struct skep_net__peers *t,
                                          const struct skep_net__who *from);
/* A connection that entered has ended. */
void skep_net__peers_leave(struct skep_net__peers *t, const struct skep_net__who *from);
/* A request comes: 0 = fine, else the seconds to wait. */
SKEP_NODISCARD unsigned skep_net__peers_request(struct skep_net__peers *t,
                                                const struct skep_net__who *from, uint64_t now_ms);
/* Refuse r when its address asks too often, or its route needs a client certificate.  r has its
 * route.  False: refused. */
SKEP_NODISCARD bool skep_net__admit_client(struct skep_net__req *r);

/* --- requests ---------------------------------------------------- */

/* Where a request stands between its handler and its connection's thread. */
enum skep_net__phase {
    SKEP_NET__IN_HANDLER, /* not answered, the I/O thread still runs its handler */
    SKEP_NET__PARKED,     /* kept by the handler: the answer must wake the I/O thread */
    SKEP_NET__ANSWERED,
    SKEP_NET__ABANDONED /* the connection is gone; an answer is thrown away */
};

enum skep_net__action {
    SKEP_NET__HANDLE,
    SKEP_NET__REFUSE,
    SKEP_NET__PREFLIGHT,
    SKEP_NET__OPTIONS
};

#define SKEP_NET__ANSWER_HEADERS_MAX (SKEP_RESPONSE_HEADERS_MAX + 12)

/* An answer ready for the wire.  Texts live in the request's arena and end in a NUL. */
struct skep_net__answer {
    int status;
    struct skep_header headers[SKEP_NET__ANSWER_HEADERS_MAX];
    unsigned n_headers;
    uint8_t *body; /* owned until a transport takes it */
    size_t body_n;
    struct skep_stream *stream;     /* instead of body */
    struct skep_header trailers[4]; /* gRPC */
    unsigned n_trailers;
    bool trailers_only; /* gRPC failure: trailers go with the headers, no body */
};

struct skep_net__req;

struct skep_net__transport {
    /* The answer of a parked request stands: make its I/O thread send it.  Threads: any. */
    void (*wake)(struct skep_net__req *r);
    /* Has the client gone?  Called while the request is unanswered.  Threads: any. */
    bool (*gone)(struct skep_net__req *r);
    /* Prepare `s` for this connection: s->wake and s->fd. */
    void (*stream)(struct skep_net__req *r, struct skep_stream *s);
};

#define SKEP_NET__REQ_MAGIC 0x534b5251u

struct skep_net__req {
    struct skep_request pub; /* first: handlers hold a pointer to it */
    uint32_t magic;
    _Atomic unsigned refs; /* the transport's and the handler's */
    _Atomic int phase;     /* enum skep_net__phase */
    _Atomic bool gone;
    _Atomic uint64_t looked_ms; /* last look at the socket */
    struct skep_net *net;
    const struct skep_net__transport *transport;
    struct skep_arena arena;

    struct skep_header *headers; /* in arena, names in lower case */
    unsigned n_headers, cap_headers;
    size_t header_bytes;
    struct skep_net__match match;
    skep_str cors_origin; /* CORS route and Origin sent: to be echoed */
    bool head;
    bool http10;
    enum skep_gate_answer gate; /* what it last said */

    size_t expect_bytes; /* Content-Length; SIZE_MAX = not told */
    size_t limit_bytes;  /* of the body as received */
    enum skep_net__coding coding;
    struct skep_net__intake wire; /* as received */
    struct skep_net__intake body; /* decoded */

    enum skep_net__action action;
    int refuse_status;
    skep_rc refuse_rc;
    skep_str refuse_message;
    bool close;     /* the connection must not be used again */
    skep_str allow; /* 405 and OPTIONS */
    struct skep_net__who from;

    struct skep_net__answer answer;

    void *conn;                 /* h1: struct MHD_Connection; h2: struct worker */
    void *owner;                /* h1: struct h1_conn; h2: struct h2_stream, I/O thread only */
    int fd;                     /* valid until answered */
    struct skep_net__req *next; /* h2: queue of answers */
};

/* What a transport knows when the headers are complete. */
struct skep_net__head {
    skep_str method, target, host;
    skep_str peer, listener, local_ip;
    struct skep_net__who from;
    skep_str client_subject; /* of the verified certificate */
    bool tls;
    enum skep_proto proto;
    bool has_host;
    bool h2;
};

/* A request with one reference (the transport's) and an empty header list. */
struct skep_net__req *skep_net__req_new(struct skep_net *net,
                                        const struct skep_net__transport *transport);
void skep_net__req_ref(struct skep_net__req *r);
void skep_net__req_unref(struct skep_net__req *r);
/* Copy one header; SKEP_ELIMIT when there are too many or too long ones. */
SKEP_NODISCARD skep_rc skep_net__req_header(struct skep_net__req *r, skep_str name, skep_str value);
/* The headers are complete: doors, route, limits.  Sets r->action, and what a refusal says. */
void skep_net__req_open(struct skep_net__req *r, const struct skep_net__head *h);
/* Some of the body.  False once the request is to be refused (then nothing is kept). */
SKEP_NODISCARD bool skep_net__req_body(struct skep_net__req *r, skep_bytes b);
/* Note a refusal; the first one counts. */
void skep_net__req_refuse(struct skep_net__req *r, int status, skep_rc rc, skep_str message);
/* The body is complete (or refused): call the handler, on this I/O thread.
 * Returns true when r->answer stands; otherwise the transport must call skep_net__req_park. */
SKEP_NODISCARD bool skep_net__req_run(struct skep_net__req *r, struct skep_net__inflater *inf);
/* From here on the answer calls wake.  Returns false when the answer came first: then it stands. */
SKEP_NODISCARD bool skep_net__req_park(struct skep_net__req *r);
/* The transport lost the connection of a request that is not ANSWERED yet.
 * Returns false when an answer came first. */
SKEP_NODISCARD bool skep_net__req_abandon(struct skep_net__req *r);
/* The transport is through with the request, sent or not. */
void skep_net__req_close(struct skep_net__req *r);

/* p without its const: for libraries that promise not to write but do not say so, and for the
 * atomics of an object that the contract shows as const. */
static inline void *skep_net__unconst(const void *p)
{
    union {
        const void *in;
        void *out;
    } u = {.in = p};
    return u.out;
}

static inline struct skep_net__req *skep_net__req_of(struct skep_request *req)
{
    struct skep_net__req *r = (struct skep_net__req *)(void *)req;
    skep_assert(r && r->magic == SKEP_NET__REQ_MAGIC);
    return r;
}

static inline enum skep_net__phase skep_net__req_phase(struct skep_net__req *r)
{
    return (enum skep_net__phase)atomic_load_explicit(&r->phase, memory_order_acquire);
}

/* --- gate.c: who may use a route --------------------------------- */

/* Ask the gate at a moment, if it wants to be asked then; a refusal is noted. */
void skep_net__gate_ask(struct skep_net__req *r, enum skep_gate_moment moment);

/* --- cors.c ------------------------------------------------------ */

void skep_net__answer_add(struct skep_net__req *r, skep_str name, skep_str value);
/* Answer an OPTIONS request: preflight on a CORS route, or plain. */
void skep_net__answer_options(struct skep_net__req *r);
/* Headers that every answer to a CORS route carries. */
void skep_net__answer_cors(struct skep_net__req *r);

/* --- grpc.c ------------------------------------------------------ */

bool skep_net__is_grpc(skep_str content_type);
/* The one message of a unary call: `ret` borrows from body, *ret_compressed is its flag.
 * Returns SKEP_OK | SKEP_EMALFORMED. */
SKEP_NODISCARD skep_rc skep_net__grpc_unframe(skep_bytes body, skep_bytes *ret,
                                              bool *ret_compressed, skep_err *err);
/* Undo framing and compression of r->wire; on failure a refusal is noted. */
void skep_net__grpc_receive(struct skep_net__req *r, struct skep_net__inflater *inf);
/* Frame resp's body and write status, message and details into r->answer. */
void skep_net__grpc_answer(struct skep_net__req *r, const struct skep_response *resp,
                           skep_bytes body);
/* Percent-encode as grpc-message wants it; base64 with padding. */
skep_str skep_net__grpc_message(struct skep_arena *arena, skep_str s);
skep_str skep_net__base64(struct skep_arena *arena, skep_bytes b);
/* Handler of /grpc.health.v1.Health/Check. */
skep_handler_fn skep_net__grpc_health;

/* --- stream.c ---------------------------------------------------- */

struct skep_stream {
    pthread_mutex_t mu;
    pthread_cond_t room;
    _Atomic unsigned refs; /* the writer's and the transport's */
    struct skep_buf buf;   /* unsent bytes are [head, buf.n) */
    size_t head;
    bool ended;   /* by the writer */
    bool closed;  /* by the transport: nobody reads any more */
    bool waiting; /* the transport found nothing and waits for wake */
    /* Called under mu (lock order: the transport's list, mu, libmicrohttpd), only while `waiting`
     * and not `closed`. */
    void (*wake)(struct skep_stream *s);
    void *conn; /* h1: struct MHD_Connection; h2: struct h2_stream; valid while not closed */
    int fd;     /* -1 or valid while not closed: looked at for a client that has gone */
    uint64_t looked_ms;
    bool (*over)(void *ctx); /* the writer's, as the two below: asked while it waits */
    void *over_ctx;
    bool given_up;            /* it was told that its wait is over: maybe in the middle of a line */
    struct skep_stream *next; /* h2: queue of streams to resume */
    bool queued;              /* in that queue */
};

struct skep_stream *skep_net__stream_new(void);
void skep_net__stream_unref(struct skep_stream *s);
/* Up to `max` bytes; 0 = none now.  *ret_end: the writer has ended and all is read.
 * With park, an empty stream is marked `waiting` and `parked` is called under its lock. */
size_t skep_net__stream_read(struct skep_stream *s, uint8_t *p, size_t max, bool *ret_end,
                             void (*parked)(struct skep_stream *s));
/* End it early: the writer is told and the transport woken, which reads what is left. */
void skep_net__stream_cut(struct skep_stream *s);
/* The transport reads no more; the writer is woken. */
void skep_net__stream_detach(struct skep_stream *s);

/* --- http1.c, http2.c -------------------------------------------- */

struct skep_net__h1;
struct skep_net__h2;
struct skep_net__tls;

/* n daemons of one thread each, and n for TLS, as the configuration has it.
 * Returns SKEP_OK | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_net__h1_start(struct skep_net *net, unsigned n,
                                          struct skep_net__h1 **ret, skep_err *err);
/* Take over a connected, non-blocking socket. */
void skep_net__h1_adopt(struct skep_net__h1 *h, int fd, const struct sockaddr_storage *peer,
                        bool tls);
/* Cut connections that are too slow.  Called about once a second. */
void skep_net__h1_sweep(struct skep_net__h1 *h, uint64_t now_ms);
/* End open requests and connections, free all.  Nothing is adopted any more. */
void skep_net__h1_stop(struct skep_net__h1 *h);

SKEP_NODISCARD skep_rc skep_net__h2_start(struct skep_net *net, unsigned n,
                                          struct skep_net__h2 **ret, skep_err *err);
void skep_net__h2_adopt(struct skep_net__h2 *h, int fd, const struct sockaddr_storage *peer,
                        bool tls);
/* Send GOAWAY everywhere; open streams may end. */
void skep_net__h2_drain(struct skep_net__h2 *h);
void skep_net__h2_stop(struct skep_net__h2 *h);

/* --- drain.c: readers that take nothing --------------------------- */

struct skep_net__drain {
    uint64_t looked_ms, taken, credit; /* looked_ms 0: nothing waits; credit in bytes */
};

/* waits: something is unsent.  taken: what the reader has taken so far, ever.  Call about once a
 * second; false: since it last took SKEP_NET__BODY_BYTES_PER_S_MIN on average span_ms went by. */
SKEP_NODISCARD bool skep_net__drains(struct skep_net__drain *d, bool waits, uint64_t taken,
                                     uint64_t now_ms, uint64_t span_ms);
/* The same of what the kernel holds for a socket's peer. */
SKEP_NODISCARD bool skep_net__socket_drains(struct skep_net__drain *d, int fd, uint64_t now_ms,
                                            uint64_t span_ms);
/* At the last look something was unsent. */
static inline bool skep_net__has_unsent(const struct skep_net__drain *d)
{
    return d->looked_ms != 0;
}
/* Closing fd will reset it: the kernel drops what is unsent.  Otherwise it would keep up to
 * megabytes for minutes (FIN-WAIT-1, probing), on nobody's budget, for a peer that does not read.
 * The peer still reads what its own kernel has, before it sees the end. */
void skep_net__reset_at_close(int fd);

/* --- tls.c: see also tls_priv.h ---------------------------------- */

/* Read the files.  Returns SKEP_OK | SKEP_EINVAL | SKEP_ENOMEM | SKEP_EINTERNAL. */
SKEP_NODISCARD skep_rc skep_net__tls_new(const struct skep_net_tls_config *cfg,
                                         struct skep_net__tls **ret, skep_err *err);
/* All sessions have ended. */
void skep_net__tls_free(struct skep_net__tls *t);
SKEP_NODISCARD skep_rc skep_net__tls_reload(struct skep_net__tls *t, bool force, bool *ret_changed,
                                            skep_err *err);
void skep_net__tls_info(struct skep_net__tls *t, struct skep_net_tls_info *ret);

/* --- listen.c, sniff.c, tls_hello.c, away.c, holder.c ------------- */

enum skep_net__sniffed {
    SKEP_NET__SNIFF_MORE,
    SKEP_NET__SNIFF_HTTP1,
    SKEP_NET__SNIFF_HTTP2,
    SKEP_NET__SNIFF_TLS,   /* HTTP/1.1 inside, or no hello: the handshake finds out */
    SKEP_NET__SNIFF_TLS_H2 /* offers h2 by ALPN */
};
enum { SKEP_NET__SNIFF_BYTES = 24 };
/* Decide by a connection's first bytes.  TLS only means that hello should look at more. */
enum skep_net__sniffed skep_net__sniff(skep_bytes first);
/* Decide by a TLS client's first bytes, at most SKEP_NET__HELLO_MAX: MORE, TLS or TLS_H2. */
enum skep_net__sniffed skep_net__hello(skep_bytes seen);

enum skep_net__away {
    SKEP_NET__AWAY_MANY,
    SKEP_NET__AWAY_MANY_OF_ADDRESS,
    SKEP_NET__AWAY_PLAIN, /* without TLS where it is required */
    SKEP_NET__AWAY_TLS    /* with TLS where there is none */
};
/* Tell the client why, end our side.  The socket should linger. */
void skep_net__turn_away(int fd, enum skep_net__away why, enum skep_net__sniffed spoken);

struct skep_net__door;
/* Bind all of cfg.listen.  Returns SKEP_OK | SKEP_EINVAL | SKEP_EEXISTS | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_net__door_open(struct skep_net *net, struct skep_net__door **ret,
                                           skep_err *err);
SKEP_NODISCARD skep_rc skep_net__door_start(struct skep_net__door *d, skep_err *err);
skep_str skep_net__door_address(const struct skep_net__door *d, unsigned i);
/* Stop accepting and end the thread; lingering sockets are closed. */
void skep_net__door_stop(struct skep_net__door *d);
void skep_net__door_free(struct skep_net__door *d);
/* Keep reading (and forgetting) a duplicate of fd for a while, so that closing a connection whose
 * client still sends does not take our answer away with a reset.  Threads: any. */
void skep_net__door_linger(struct skep_net__door *d, int fd);

/* "host:port" or "[ipv6]:port" to an address.  Returns SKEP_OK | SKEP_EINVAL. */
SKEP_NODISCARD skep_rc skep_net__address_parse(skep_str s, struct sockaddr_storage *ret,
                                               socklen_t *ret_n, skep_err *err);
/* The inverse, numeric; buf is NUL-terminated.  without port: no brackets either. */
skep_str skep_net__address_format(const struct sockaddr_storage *a, bool with_port,
                                  char buf[SKEP_NET__ADDRESS_BYTES]);
struct skep_net__who skep_net__who_of(const struct sockaddr_storage *a);
/* "nginx (pid 812)" for the process that listens on the address, or "another program". */
skep_str skep_net__holder(const struct sockaddr_storage *a, bool udp, char *buf, size_t cap);

/* --- net.c ------------------------------------------------------- */

struct skep_net__counters {
    _Atomic uint64_t connections, connections_open, requests, bytes_in, bytes_out;
    _Atomic uint64_t refused_host, refused_origin, refused_limit, refused_encoding, refused_budget;
    _Atomic uint64_t refused_key;
    _Atomic uint64_t refused_address, refused_plain, refused_client, tls_connections;
    _Atomic uint64_t cut_slow;
    _Atomic uint64_t h2_resets;
    _Atomic uint64_t answers[6]; /* by class of their status */
};

struct skep_net {
    _Atomic unsigned refs; /* the owner's and one for each request */
    struct skep_net_config cfg;
    char **listen; /* copies */
    char **allow_hosts;
    struct skep_net__routes *routes;
    struct skep_net__door *door;
    struct skep_net__tls *tls; /* NULL = off */
    struct skep_budget tls_memory;
    struct skep_net__peers *peers;
    struct skep_net__h1 *h1;
    struct skep_net__h2 *h2;
    bool running;
    _Atomic bool draining;      /* answers close their connection */
    _Atomic bool stopping;      /* nothing is parked any more */
    _Atomic uint64_t in_flight; /* requests between open and close */
    struct skep_net__counters count;
    pthread_mutex_t strays_mu; /* guards the two below */
    struct skep_net_stray strays[SKEP_NET_STRAYS];
    unsigned n_strays;
};

/* strays.c: a request that no route takes. */
void skep_net__stray(struct skep_net *net, skep_str method, skep_str path);
void skep_net__unref(struct skep_net *net);
/* A connection has ended: its place, and what it held of the budget, are free. */
void skep_net__conn_over(struct skep_net *net, const struct skep_net__who *from, bool tls);
/* The shorter of `ms` and the idle timeout. */
static inline uint64_t skep_net__timeout_ms(const struct skep_net *net, uint64_t ms)
{
    uint64_t idle_ms = (uint64_t)net->cfg.idle_timeout_s * 1000;
    return SKEP_MIN(idle_ms, ms);
}
uint64_t skep_net__now_ms(void);
/* True when the peer of fd has closed its side or the connection broke. */
bool skep_net__peer_gone(int fd);

#define skep_net__count(net, member, n)                                                            \
    atomic_fetch_add_explicit(&(net)->count.member, (n), memory_order_relaxed)
