// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/transport.h - how an exporter's request reaches its receiver
 *
 * Plain HTTP/1.1 is built in. TLS comes from an add-on (waggle-tls, over libcurl) or from the
 * program's own: anything that can send a body and bring back a status.
 */
#ifndef WAGGLE_TRANSPORT_H
#define WAGGLE_TRANSPORT_H

#include "waggle/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WAGGLE_RESPONSE_BODY_MAX = 65536 };

/* A piece of a body. */
typedef struct waggle_piece {
    const void *p;
    size_t n;
} waggle_piece;

typedef struct waggle_request {
    size_t struct_size;
    const char *url;
    const char *headers; /* "Name: value\r\n" lines: Content-Type, User-Agent, the user's own */
    const waggle_piece *pieces;
    size_t n_pieces;
    size_t body_n; /* sum of the pieces */
    bool is_get;   /* a GET, without a body */
} waggle_request;

typedef struct waggle_response {
    int status;             /* 0: no answer */
    bool connected;         /* the request may have reached the receiver */
    int64_t retry_after_ms; /* -1: not said */
    int64_t rate_limit_ms;  /* X-Rate-Limit-Remaining-Seconds, Rollbar's; -1: not said */
    char *body;             /* room of WAGGLE_RESPONSE_BODY_MAX bytes, given by the caller */
    size_t body_n;          /* bytes kept; what is longer is read and left out */
    char error[160];        /* why there was no answer */
} waggle_response;

struct waggle_transport {
    const struct waggle_transport_ops *ops;
};

struct waggle_transport_ops {
    size_t struct_size;
    const char *name;
    /* Could it send to this URL? Says why not. */
    bool (*accepts)(struct waggle_transport *transport, const char *url, char ret_why[160]);
    /* Send one POST, or GET. Never called from two threads at once; ends at the deadline. */
    void (*post)(struct waggle_transport *transport, const waggle_request *request,
                 waggle_response *ret_response, const waggle_deadline *deadline);
    void (*after_fork)(struct waggle_transport *transport);
    void (*free)(struct waggle_transport *transport);
};

/* Milliseconds from now that a Retry-After header's value asks for; -1 if it is malformed. */
WAGGLE_EXPORT int64_t waggle_retry_after_ms(const char *value, size_t n);

/* How a transport proves who it is and whom it believes. Zero members take the environment's value:
 * OTEL_EXPORTER_OTLP_CERTIFICATE, _CLIENT_CERTIFICATE and _CLIENT_KEY (PEM files), else the
 * transport's own authorities and no client certificate. */
typedef struct waggle_tls_options {
    size_t struct_size;
    const char *ca_file;
    const char *client_certificate_file;
    const char *client_key_file;
    bool no_environment; /* leave the variables alone */
} waggle_tls_options;

/* What makes transports for https:// URLs (waggle/tls.h sets it); NULL: there are none. Call it
 * while the program has one thread. The options are borrowed for the call; NULL: all zero. */
typedef struct waggle_transport *waggle_transport_make_fn(const waggle_tls_options *options);
WAGGLE_EXPORT void waggle_transport_for_https(waggle_transport_make_fn *make);

/* What makes transports for OTLP over gRPC (waggle/tls.h sets it); NULL: there are none. Such a
 * transport is given the method as the URL's path and the message as the body, sends it framed, and
 * answers as HTTP would: 200 with the message, 503 or 429 for what may be sent again, 4xx and 5xx
 * with the status's text for what may not. Call it while the program has one thread. */
WAGGLE_EXPORT void waggle_transport_for_grpc(waggle_transport_make_fn *make);

/* Milliseconds that a grpc-status-details-bin trailer (base64 of a google.rpc.Status) asks to wait
 * before the next attempt; -1: it does not say. */
WAGGLE_EXPORT int64_t waggle_grpc_retry_ms(const char *details, size_t n);

/* The built-in one. NULL without memory. */
WAGGLE_EXPORT struct waggle_transport *waggle_http_transport_new(void);

#ifdef __cplusplus
}
#endif

#endif
