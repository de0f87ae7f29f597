// SPDX-License-Identifier: Apache-2.0
/* Outgoing HTTP (libcurl): one request and its whole answer, bounded in time, size and redirects.
 *
 * For what the server asks of others: an identity provider, webhooks.  A call waits for the
 * network, so workers make it, never an I/O thread.  Proxies of the environment (https_proxy ...)
 * are used. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

struct sockaddr;

enum { SKEP_FETCH_HEADERS_MAX = 16 };

/* Texts are borrowed for the call. */
struct skep_fetch {
    const char *method;                          /* "GET" or "POST" */
    const char *url;                             /* http or https */
    const char *headers[SKEP_FETCH_HEADERS_MAX]; /* "Name: value"; NULL behind the last */
    skep_bytes body;                             /* of POST */
    const char *user, *password; /* HTTP Basic, as they are to be sent; NULL = none */
    const char *ca_file;         /* PEM of authorities in place of the system's; NULL = those */
    unsigned timeout_ms;         /* for all of it, redirects too; > 0 */
    unsigned redirects_max;      /* followed, of GET alone; 0 = an answer like others */
    /* Asked of each address before it is connected to, a proxy's too: false makes the call
     * SKEP_EFORBIDDEN.  NULL = all may be. */
    bool (*may_connect)(void *ctx, const struct sockaddr *to, size_t to_bytes);
    void *may_connect_ctx;
    unsigned
        *ret_retry_after_s; /* what the answer's Retry-After says, 0 = nothing; NULL = unwanted */
    /* Asked now and then: true ends the call.  NULL = never. */
    bool (*stop)(void *ctx);
    void *stop_ctx;
};

/* Ask, and take the answer whatever its status.  From https no redirect leads to http.
 *
 * body     filled up to its limit; more is SKEP_ETOOLARGE
 * err      what went wrong, with the host and without query, credentials or body
 * Returns  SKEP_OK | SKEP_ETOOLARGE | SKEP_ETIMEOUT | SKEP_ECANCELED | SKEP_EFORBIDDEN | SKEP_EIO |
 *          SKEP_EUNSUPPORTED (no libcurl on this machine)
 * Threads: any but I/O threads. */
SKEP_NODISCARD skep_rc skep_fetch(const struct skep_fetch *f, struct skep_buf *body,
                                  int *ret_status, skep_err *err);

/* True for https, and for http to a loopback name or address: where a secret may be sent.  Threads:
 * any. */
bool skep_fetch_is_safe(const char *url);
