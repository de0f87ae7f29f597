// SPDX-License-Identifier: Apache-2.0
/* middleware.h - what is done for every request, before and after its view
 *
 * The table in middleware.c is gone through downwards on the way in and upwards on the way out.
 * Every function may be missing. */
#pragma once

#include "request.h"

struct middleware {
    const char *name;
    void (*before)(struct request *request); /* the body has not come yet */
    void (*after)(struct request *request);  /* the reply is made and may be changed */
    void (*gone)(struct request *request);   /* the reply was sent, or the caller has left */
};

extern const struct middleware middleware_otel;  /* trace_otel.c: the server span */
extern const struct middleware middleware_xray;  /* xray_requests.c: the segment and its header */
extern const struct middleware middleware_log;   /* access_log.c: a line for each request */
extern const struct middleware middleware_user;  /* user.c: who is asking */
extern const struct middleware middleware_cors;  /* cors.c: who may call from a page */
extern const struct middleware middleware_fault; /* fault.c: what becomes of failures */

void middleware_before(struct request *request);
void middleware_after(struct request *request);
void middleware_gone(struct request *request);
