// SPDX-License-Identifier: Apache-2.0
/* outgoing.h - requests this program makes itself */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "xray.h"

enum { OUTGOING_ANSWER_BYTES_MAX = 1 << 20 };

struct outgoing_answer {
    long status; /* 0: there was none */
    char *body;  /* owned by the caller (free); NULL: empty, or longer than the limit */
    size_t body_n;
    char error[160]; /* why there was none */
};

/* Once, before there are threads. */
void outgoing_init(void);

/* How a request is told of. */
struct outgoing_trace {
    bool otel;                 /* with a client span, and the trace's headers on the request */
    struct xray_segment *xray; /* with a remote subsegment of this one, and its header; NULL: no */
    const char *name;          /* of that: the other program's */
};

/* POST a JSON text and wait for the answer, at most timeout_ms. Redirects are not followed.
 *
 * trace     NULL: of nothing
 * Returns   true if an answer came, whatever its status */
bool outgoing_post(const char *url, const char *json, long timeout_ms,
                   const struct outgoing_trace *trace, struct outgoing_answer *ret_answer);
