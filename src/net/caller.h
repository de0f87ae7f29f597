// SPDX-License-Identifier: Apache-2.0
/* Who sends a request: what a route asks for, what the gate found, what a refusal says.
 *
 *   route.right, route.form --.
 *   headers, later the body ---+--> gate (not net's: src/auth) --> req->caller | req->denial
 *
 * net knows nothing of keys.  It asks the gate at up to four moments and carries the answer:
 *
 *   HEAD   the headers are complete; no byte of the body was taken
 *   BEGUN  the first SKEP_GATE_BEGUN_BYTES of a body that may hold a token, not encoded
 *   WIRE   the body stands as it was received (a signature covers it so)
 *   BODY   the body stands decoded in req->body (a token may lie in it)
 *
 * I1  a handler runs only after the gate let the request pass; without a gate every request passes
 *     with all rights in the environment "default".
 * I2  caller and denial do not change once a handler or a refusal has the request.
 * I3  of a body whose token is not known yet at most SKEP_GATE_UNKNOWN_BYTES are taken, received or
 *     decoded, whatever the route takes of others. */
#pragma once

#include "base/err.h"
#include "base/str.h"

struct skep_request;

/* What a key lets its bearer do.  Of a route: what it takes to use it, exactly one of them. */
enum {
    SKEP_RIGHT_INGEST = 1u << 0, /* write rows */
    SKEP_RIGHT_QUERY = 1u << 1,  /* read rows and what is made of them */
    SKEP_RIGHT_ADMIN = 1u << 2,  /* keys, environments, deletes, settings */
    SKEP_RIGHT_ALL = SKEP_RIGHT_INGEST | SKEP_RIGHT_QUERY | SKEP_RIGHT_ADMIN,
    SKEP_RIGHT_PUBLIC = 1u << 3, /* of a route only: nobody is asked who they are */
    SKEP_RIGHT_ANY = 1u << 4     /* of a route only: whoever has a key, whatever it may do */
};

/* Where a wire carries its key.  Of a route: any of them; of several that came, the first counts.
 */
enum {
    SKEP_FORM_HONEYCOMB = 1u << 0, /* X-Honeycomb-Team, also as gRPC metadata */
    SKEP_FORM_SIGV4 = 1u << 1,     /* AWS Signature Version 4: a header or a presigned query */
    SKEP_FORM_ROLLBAR = 1u << 2,   /* X-Rollbar-Access-Token; access_token in query or body */
    SKEP_FORM_BEARER = 1u << 3,    /* Authorization: Bearer or Basic */
    SKEP_FORM_SESSION = 1u << 4,   /* the cookie of who is logged in; on /skep/v1/... alone */
    SKEP_FORM_PAGE = SKEP_FORM_BEARER | SKEP_FORM_SESSION /* every route of the page's API */
};

/* Who a request comes from.  Texts are borrowed from the request's arena or static. */
struct skep_caller {
    skep_str environment; /* where its rows go and what its questions see; never empty */
    unsigned rights;      /* SKEP_RIGHT_* */
    skep_str actor;       /* who did it, for the audit log: a key's or user's name; "" = anybody */
    uint64_t key;         /* number of the key; 0 = none */
    uint64_t user;        /* number of the user who is logged in; 0 = none */
    uint64_t session;     /* which of the user's */
    bool whole;           /* may see what is of all environments; a key of one may not */
};

/* Why a gate refused; each API has its own words and status for it. */
enum skep_denied {
    SKEP_DENIED_NO,        /* it did not: net's own refusal (too large, bad encoding ...) */
    SKEP_DENIED_MISSING,   /* no key came in any form that the route takes */
    SKEP_DENIED_MALFORMED, /* what came is no key of its form */
    SKEP_DENIED_UNKNOWN,   /* no such key */
    SKEP_DENIED_REVOKED,
    SKEP_DENIED_EXPIRED,
    SKEP_DENIED_SIGNATURE,      /* the signature is not that of this request */
    SKEP_DENIED_CLOCK,          /* signed at another time than now */
    SKEP_DENIED_RIGHT,          /* the key has not the route's right */
    SKEP_DENIED_ENVIRONMENT,    /* the key is of another environment than the one asked for */
    SKEP_DENIED_NO_ENVIRONMENT, /* there is no such environment */
    SKEP_DENIED_RATE,           /* over the key's rate or quota */
    SKEP_DENIED_COUNT
};

struct skep_denial {
    enum skep_denied why;
    int retry_after_s; /* RATE: seconds until it may be tried again; net adds the header */
};

enum skep_gate_moment {
    SKEP_GATE_HEAD,
    SKEP_GATE_BEGUN,
    SKEP_GATE_WIRE,
    SKEP_GATE_BODY,
    SKEP_GATE_MOMENTS
};
enum { SKEP_GATE_BEGUN_BYTES = 64 << 10, SKEP_GATE_UNKNOWN_BYTES = 4 << 20 };
enum skep_gate_answer {
    SKEP_GATE_PASS,     /* req->caller is filled */
    SKEP_GATE_REFUSE,   /* req->denial.why is set, *ret_message says it */
    SKEP_GATE_ASK_WIRE, /* not before the body stands: ask again at WIRE */
    SKEP_GATE_ASK_BODY  /* ask again at BEGUN, if the body is that long, and at BODY */
};

struct skep_gate {
    void *ctx;
    /* Called on an I/O thread: must not block.  req->route is set.  It may fill caller and denial
     * of the request and nothing else.
     *
     * wire         the body as received, at BEGUN (so far) and WIRE only
     * ret_message  for people, in req->arena or static; must not hold a secret */
    enum skep_gate_answer (*ask)(void *ctx, struct skep_request *req, enum skep_gate_moment moment,
                                 skep_bytes wire, skep_str *ret_message);
    /* A handler found n rows in the request (skep_request_rows).  NULL = not asked for.
     * Threads: any. */
    void (*rows)(void *ctx, const struct skep_request *req, uint64_t n);
};

/* The status a denial usually has, and its code: APIs that differ decide in their `refuse`.
 * Threads: any. */
int skep_denied_http(enum skep_denied why);
SKEP_NODISCARD skep_rc skep_denied_rc(enum skep_denied why);
