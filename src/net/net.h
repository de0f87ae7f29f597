// SPDX-License-Identifier: Apache-2.0
/* Listeners: HTTP/1.1, HTTP/2 and gRPC on every port, one route table.
 *
 * One accept loop looks at a connection's first bytes: the HTTP/2 preface, or a TLS hello that
 * offers h2, goes to an nghttp2 session, anything else to libmicrohttpd.  A handler is called on an
 * I/O thread when the whole body stands in one buffer, decompressed.  It must not block: it answers
 * at once, or keeps the request and answers later from any thread, exactly once. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "net/caller.h"

struct skep_net;
struct skep_stream;

enum skep_proto { SKEP_PROTO_HTTP1, SKEP_PROTO_HTTP2, SKEP_PROTO_GRPC };

/* One request.  The handler may read it until it answers; everything is borrowed from the request.
 */
struct skep_request {
    enum skep_proto proto;
    skep_str method;       /* "POST" */
    skep_str path;         /* percent-decoded, without the query string */
    skep_str query;        /* raw, behind the '?' */
    skep_str content_type; /* media type, lower case, without parameters; may be empty */
    skep_bytes body;       /* decompressed; for gRPC the one message without its prefix */
    size_t wire_bytes;     /* size of the body as received */
    skep_str peer;         /* "127.0.0.1:40312" */
    skep_str listener;     /* "127.0.0.1:4318" */
    skep_str target;       /* path and query as they came; what a signature covers */
    skep_str host;         /* Host or :authority as it came; may be empty */
    struct skep_caller caller;
    struct skep_denial denial; /* for `refuse`: why the gate refused, if it did */
    bool tls;
    skep_str client_subject; /* of a verified client certificate, "CN=agent,O=Hive"; else empty */
    const struct skep_route *route;
    void *route_ctx;
    struct skep_arena *arena; /* dies with the request */
    uint64_t watched;         /* what the watch made of it; 0 = nothing */
};

/* A header's value (name in any case), or an empty slice.  gRPC metadata are headers too. */
skep_str skep_request_header(const struct skep_request *req, skep_str name);
/* The i-th value of a header that may come more than once (name in any case); false behind the
 * last. */
SKEP_NODISCARD bool skep_request_header_at(const struct skep_request *req, skep_str name,
                                           unsigned i, skep_str *ret);
/* Value of a query-string parameter, percent-decoded ('+' is a blank); false when absent. */
SKEP_NODISCARD bool skep_request_param(struct skep_request *req, skep_str name, skep_str *ret);
/* The i-th of a parameter that may come more than once; false behind the last. */
SKEP_NODISCARD bool skep_request_param_at(struct skep_request *req, skep_str name, unsigned i,
                                          skep_str *ret);
/* The first, of a body of type application/x-www-form-urlencoded. */
SKEP_NODISCARD bool skep_request_form(struct skep_request *req, skep_str name, skep_str *ret);
/* What the i-th ":name" or "*" of the route's path matched; i < number of captures. */
skep_str skep_request_capture(const struct skep_request *req, unsigned i);
/* Tell the gate that the request carries n rows; once, when they have been counted, before the
 * answer.  Threads: any. */
void skep_request_rows(const struct skep_request *req, uint64_t n);
/* The handler has taken what it needs of the body, which is given back before the answer stands:
 * who waits for the disk need not hold it.  In handle() alone. */
void skep_request_body_done(struct skep_request *req);
/* True once the client has gone: long work should stop.  Threads: any, until answered. */
bool skep_request_gone(const struct skep_request *req);

struct skep_header {
    skep_str name, value;
};

#define SKEP_RESPONSE_HEADERS_MAX 12
struct skep_response {
    int status; /* HTTP status; for gRPC always 200 on the wire */
    skep_str content_type;
    skep_bytes body; /* copied */
    struct skep_header headers[SKEP_RESPONSE_HEADERS_MAX];
    unsigned n_headers;
    int retry_after_s;       /* > 0: Retry-After, or RetryInfo detail on gRPC */
    bool compressible;       /* gzip when the client accepts it and it is worth it */
    int grpc_status;         /* gRPC only */
    skep_str grpc_message;   /* gRPC only; text, encoded by net */
    skep_bytes grpc_details; /* gRPC only: google.rpc.Status, base64 is net's; empty = made from
                              * grpc_status, grpc_message and retry_after_s */
};

/* Answer.  Threads: any.  The request is gone afterwards. */
void skep_respond(struct skep_request *req, const struct skep_response *resp);
/* The same with a body taken out of `body` (left empty) instead of resp->body. */
void skep_respond_buf(struct skep_request *req, const struct skep_response *resp,
                      struct skep_buf *body);

/* Begin an answer of unknown length (chunked; DATA frames on HTTP/2).  The request is gone
 * afterwards; the stream lives until skep_stream_end.  Threads: any one at a time. */
struct skep_stream *skep_respond_stream(struct skep_request *req, const struct skep_response *resp);
/* Asked about four times a second while a write waits for a slow reader, without locks; once `over`
 * is true, this write and all further ones return SKEP_ECLOSED.  Before the first write, by its
 * thread; NULL = never. */
void skep_stream_until(struct skep_stream *s, bool (*over)(void *ctx), void *ctx);
/* Append; waits while more than 1 MiB is unsent, so never call it from a handler.
 * Returns SKEP_OK | SKEP_ECLOSED when the client has gone or the wait is over (end the stream
 * then). */
SKEP_NODISCARD skep_rc skep_stream_write(struct skep_stream *s, skep_bytes b);
/* True once the client has gone. */
bool skep_stream_closed(const struct skep_stream *s);
void skep_stream_end(struct skep_stream *s);

/* Called on an I/O thread.  ctx = the route table's ctx. */
typedef void skep_handler_fn(void *ctx, struct skep_request *req);
/* Write a refusal that net itself decides on (bad encoding, too large, no budget, no right), in the
 * protocol's own form.  Must answer the request before it returns. */
typedef void skep_refuse_fn(void *ctx, struct skep_request *req, int http_status, skep_rc rc,
                            skep_str message);

enum {
    SKEP_ROUTE_CORS = 1u << 0, /* ingest: open to browsers of any origin, OPTIONS answered by net */
    SKEP_ROUTE_GRPC = 1u << 1, /* path is /package.Service/Method */
    SKEP_ROUTE_RAW_BODY = 1u << 2,     /* do not undo Content-Encoding */
    SKEP_ROUTE_PREFIX_SLASH = 1u << 3, /* also match with one trailing slash */
    SKEP_ROUTE_NAVIGATE =
        1u << 4,               /* a page: a link on another site may open it (a top-level GET) */
    SKEP_ROUTE_WHOLE = 1u << 5 /* tells of all environments: not for keys of one */
};

/* path: literal segments, ":name" matches one non-empty segment, a last "*" matches the rest (also
 * empty, but "/ui/" + "*" does not match "/ui").  Segment by segment from the left, literal beats
 * ":name" beats "*".  Matching is case-sensitive, method first.  A "%2F" in a request is part of
 * its segment.
 * Routes of one path may be told apart by a header: those whose header has their value are tried
 * before the one that names none. */
struct skep_route {
    const char *method; /* "GET" also answers HEAD */
    const char *path;
    const char *header, *header_value; /* "x-amz-target" and its whole value; NULL = any request */
    skep_handler_fn *handle;
    skep_refuse_fn *refuse; /* NULL = plain text */
    unsigned flags;
    size_t body_limit_bytes; /* 0 = the listener's; also the limit after decompression */
    unsigned right; /* SKEP_RIGHT_*: what it takes to use it; a gate refuses a route without one */
    unsigned form;  /* SKEP_FORM_*: where its wire may carry a key */
    void (*work)(void); /* for a handler of several routes: which of its jobs this one is */
};

/* Which routes take only clients that show a certificate of the clients' authority. */
enum skep_client_cert {
    SKEP_CLIENT_CERT_OFF, /* nobody is asked */
    SKEP_CLIENT_CERT_INGEST,
    SKEP_CLIENT_CERT_ALL
};

struct skep_net_tls_config {
    const char *cert, *key; /* PEM files: the chain, its key; NULL = no TLS */
    const char *client_ca;  /* PEM file; NULL = none */
    enum skep_client_cert client_cert;
    bool allow_plain; /* the same ports take connections without TLS, too */
};

/* Who hears of requests, to trace them: when the handler is about to be called, and when the answer
 * is known (of a stream: its beginning).  Must not block, and may keep nothing of the request. */
struct skep_net_watch {
    uint64_t (*begun)(void *ctx, struct skep_request *req); /* an I/O thread; NULL = nobody */
    void (*answered)(void *ctx, const struct skep_request *req, int http_status); /* any thread */
    void *ctx;
};

struct skep_net_config {
    const char *const *listen; /* "host:port"; port 0 = chosen by the kernel */
    unsigned n_listen;
    /* [n_listen], static: the flag to name when listen[i] is taken; NULL = "--listen" for all */
    const char *const *listen_flags;
    /* [n_listen]: listeners that take connections without TLS whatever tls says; borrowed; NULL =
     * none */
    const bool *listen_plain;
    const char *const *allow_hosts; /* NAME or *.suffix, beside loopback names */
    unsigned n_allow_hosts;
    unsigned n_threads;             /* 0 = number of cores */
    size_t body_limit_bytes;        /* 0 = 64 MiB */
    struct skep_budget *budget;     /* request bodies are taken from it; NULL = none */
    unsigned idle_timeout_s;        /* 0 = 120 */
    unsigned connections_max;       /* 0 = 4096; more are told 503 and closed */
    struct skep_net_tls_config tls; /* texts borrowed until the net is freed */
    /* Of one address (of IPv6: the /64); 0 = any number.  More are told 429. */
    unsigned address_connections, address_requests; /* at a time; a second, twice that at once */
    bool address_loopback; /* these hold for loopback, too: a proxy there speaks for everybody */
    struct skep_gate gate; /* who may use a route; ask NULL = anybody may use any */
    struct skep_net_watch watch;
};

/* Routes are registered before start; tables are borrowed for the life of the net. */
struct skep_net *skep_net_new(const struct skep_net_config *cfg);
/* Returns SKEP_OK | SKEP_EEXISTS (method and path overlap with another route). */
SKEP_NODISCARD skep_rc skep_net_routes(struct skep_net *net, const struct skep_route *routes,
                                       size_t n, void *ctx, skep_err *err);
/* The i-th route, in the order they were registered; NULL behind the last.  Threads: any, after
 * start. */
const struct skep_route *skep_net_route(const struct skep_net *net, size_t i);
/* Read the certificates, bind all listeners and start the threads.
 * Returns SKEP_OK | SKEP_EEXISTS (address in use; err names its holder where /proc tells) |
 * SKEP_EINVAL (certificates that cannot be used) | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_net_start(struct skep_net *net, skep_err *err);
/* Address really bound for listen[i], "127.0.0.1:4318".  Valid until free.  Empty for a [::1] that
 * stands beside other listeners on a machine without IPv6. */
skep_str skep_net_address(const struct skep_net *net, unsigned i);
/* Stop accepting; wait up to grace_ms for requests in flight; close the rest. */
void skep_net_stop(struct skep_net *net, unsigned grace_ms);
/* Stops first if needed.  Requests still kept by their handlers stay valid until they are answered;
 * the budget must outlive those.  NULL is fine. */
void skep_net_free(struct skep_net *net);

/* The certificate in use. */
struct skep_net_tls_info {
    char subject[256];   /* may be empty */
    int64_t not_after_s; /* unix time */
};
/* Look whether the certificate files changed (when two looks saw the same change) or, with force,
 * read them in any case.  New connections get the new ones.  Needs a started net with TLS.
 * Returns SKEP_OK | SKEP_EINVAL | SKEP_ENOMEM: then the current ones stay, and the same files are
 * not tried again.  Threads: one at a time. */
SKEP_NODISCARD skep_rc skep_net_tls_reload(struct skep_net *net, bool force, bool *ret_changed,
                                           skep_err *err);
/* Threads: any. */
void skep_net_tls_info(const struct skep_net *net, struct skep_net_tls_info *ret);

/* Counters for the status page; a consistent enough copy. */
struct skep_net_stats {
    uint64_t connections, connections_open, requests, bytes_in, bytes_out;
    uint64_t refused_host, refused_origin, refused_limit, refused_encoding, refused_budget;
    uint64_t refused_key;
    uint64_t refused_address; /* over what one address may have */
    uint64_t refused_plain;   /* spoke without TLS where it is required, or with where it is off */
    uint64_t refused_client;  /* a route that needs a client certificate */
    uint64_t cut_slow; /* connections and HTTP/2 streams whose peer sent or read too slowly */
    uint64_t tls_connections;
    uint64_t h2_resets;
    uint64_t answers[6]; /* [2] = 2xx ...; of gRPC by the status HTTP would have had */
};
void skep_net_stats(const struct skep_net *net, struct skep_net_stats *ret);

/* Where senders found nothing: the newest distinct "POST /path", newest first; returns how many.
 * Threads: any. */
enum { SKEP_NET_STRAYS = 8 };
struct skep_net_stray {
    char what[112];
    uint64_t times;
};
unsigned skep_net_strays(struct skep_net *net, struct skep_net_stray ret[SKEP_NET_STRAYS]);
