// SPDX-License-Identifier: Apache-2.0
/*
 * request.h - one request and its reply, as middleware and views see them
 *
 * A request is handled by one thread from its first byte to its last; everything of it is freed
 * when the reply has gone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <waggle/waggle.h>

#include "config.h"
#include "people.h"
#include "xray.h"

struct MHD_Connection;
struct backend_ops;
struct route;
struct store;

enum { REQUEST_BODY_BYTES_MAX = 64 << 10, REQUEST_PARAM_BYTES = 256, REPLY_HEADERS_MAX = 16 };

/* What the whole program has once. */
struct service {
    const struct config *config;
    const struct backend_ops *backend; /* whose answers: the store's or the course's */
    struct store *store;               /* NULL with --bootcamp */
    struct xray *xray;                 /* NULL: X-Ray is off */
    uint16_t port, page_port;          /* really listened on; 0: no page */
};

struct reply_header {
    const char *name;
    char *value; /* owned */
};

/* Filled by the view (reply.h), added to by middleware on the way out. */
struct reply {
    unsigned status; /* 0: none yet */
    const char *type;
    char *body; /* owned; ends with NUL */
    size_t body_n;
    struct reply_header headers[REPLY_HEADERS_MAX];
    size_t n_headers;
};

/* Why a request failed, for the traces, the log and Rollbar; see fault.h. */
struct fault_place {
    const char *file, *function;
    int line;
};

struct fault {
    const char *type; /* NULL: none */
    struct fault_place place;
    char message[256];
};

struct request {
    const struct service *service;
    struct MHD_Connection *connection;
    const char *method; /* "GET"; of libmicrohttpd, valid to the end */
    char *target;       /* as it was sent: path and query; owned */
    char *path;         /* decoded; owned */
    char peer[64];      /* the caller's address */

    char *body; /* ends with NUL; owned; NULL: none */
    size_t body_n;
    bool too_large; /* the body was, and is not kept */

    const struct route *route;       /* NULL: no such path or method */
    char param[REQUEST_PARAM_BYTES]; /* what stands for the route's {name} */
    const struct person *user;       /* who is asking */
    bool says_user;                  /* and said so */
    bool slow, failing;              /* is to be: see --trouble */
    struct fault fault;
    struct reply reply;

    int64_t began_us;             /* since 1970 UTC */
    waggle_span span;             /* OpenTelemetry's server span */
    waggle_scope scope;           /* which is current while the view runs */
    struct xray_segment *segment; /* X-Ray's; NULL: off or not sampled */
};

/* The value of a header; NULL: not there. */
const char *request_header(const struct request *request, const char *name);

/* The value of a parameter of the query, decoded; NULL: not there. */
const char *request_query(const struct request *request, const char *name);
