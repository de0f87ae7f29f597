// SPDX-License-Identifier: Apache-2.0
/*
 * http_parse.h - an HTTP/1.1 response, read as its bytes arrive
 */
#ifndef WAGGLE_HTTP_PARSE_H
#define WAGGLE_HTTP_PARSE_H

#include "priv.h"

enum waggle__http_state {
    WAGGLE__HTTP_STATUS_LINE,
    WAGGLE__HTTP_HEADER,
    WAGGLE__HTTP_BODY,       /* `left` bytes of it */
    WAGGLE__HTTP_BODY_CLOSE, /* until the connection ends */
    WAGGLE__HTTP_CHUNK_SIZE,
    WAGGLE__HTTP_CHUNK,
    WAGGLE__HTTP_CHUNK_END,
    WAGGLE__HTTP_TRAILER,
    WAGGLE__HTTP_DONE,
    WAGGLE__HTTP_BAD
};

enum { WAGGLE__HTTP_LINE_MAX = 1024, WAGGLE__HTTP_HEAD_MAX = 65536 };
#define WAGGLE__HTTP_BODY_MAX (UINT64_C(4) << 20) /* what the protocol wants at most */

struct waggle__http {
    enum waggle__http_state state;
    bool is_chunked, keep_alive, has_length;
    int status;
    uint64_t left, body_seen;
    size_t head_seen;
    int64_t retry_after_ms; /* -1: not said */
    int64_t rate_limit_ms;  /* until a rate limit ends, as Rollbar says it; -1: not said */
    uint64_t now_s;         /* UTC, for dates in Retry-After */
    char *body;             /* where the body's beginning goes; cap bytes */
    size_t body_n, body_cap;
    char line[WAGGLE__HTTP_LINE_MAX];
    size_t line_n;
};

/* Begin. `body` may be NULL with cap 0. */
void waggle__http_init(struct waggle__http *h, char *body, size_t cap, uint64_t now_s);

/* Take bytes in; stops at DONE or BAD. Returns how many were used. */
size_t waggle__http_feed(struct waggle__http *h, const char *p, size_t n);

/* The connection ended: true if that completes the response. */
bool waggle__http_eof(struct waggle__http *h);

/* "120" or an HTTP date to milliseconds from now; -1 if it is neither. */
int64_t waggle__retry_after(const char *p, size_t n, uint64_t now_s);

/* --- URLs ---------------------------------------------------------------------------------- */

struct waggle__url {
    bool is_tls;
    char host[256]; /* without brackets */
    char port[8];
    char authority[272]; /* for the Host header */
    const char *path;    /* with the query, begins with '/' or is empty; borrowed */
    size_t path_n;
};

/* Read http:// and https:// URLs. False if it is none; user names and fragments are refused. */
bool waggle__url_parse(const char *url, struct waggle__url *ret_url);

#endif
