// SPDX-License-Identifier: Apache-2.0
/* TLS inside the module: certificates that can be changed while the server runs (tls.c), and
 * records over a socket for HTTP/2 (tls_link.c).  HTTP/1.1 has its records made by libmicrohttpd,
 * on sessions that tls.c prepares. */
#pragma once

#include "net/net_priv.h"

#include <gnutls/gnutls.h>

enum { SKEP_NET__SUBJECT_BYTES = 256 };

/* One reading of the certificate files.  Immutable; sessions made from it hold a reference. */
struct skep_net__tls_ctx;

/* The current one, with a reference.  Threads: any. */
struct skep_net__tls_ctx *skep_net__tls_take(struct skep_net__tls *t);
void skep_net__tls_give(struct skep_net__tls_ctx *ctx);
/* Certificates, versions, ALPN, tickets for a server session that has not begun its handshake.
 * ctx must be held until the session is gone.  False: out of memory. */
SKEP_NODISCARD bool skep_net__tls_prepare(struct skep_net__tls_ctx *ctx, gnutls_session_t session,
                                          bool h2);
/* Subject of the verified client certificate ("CN=agent,O=Hive"); empty when none was shown or it
 * does not verify.  After the handshake. */
skep_str skep_net__tls_subject(const struct skep_net__tls_ctx *ctx, gnutls_session_t session,
                               char buf[SKEP_NET__SUBJECT_BYTES]);

/* --- tls_link.c: records over a non-blocking socket --- */

struct skep_net__link;

enum skep_net__shaken { SKEP_NET__SHAKEN, SKEP_NET__SHAKE_AGAIN, SKEP_NET__SHAKE_FAILED };

/* A session that speaks h2 over fd; takes over the reference of ctx.  NULL: out of memory. */
struct skep_net__link *skep_net__link_new(struct skep_net__tls_ctx *ctx, int fd);
/* Say good-bye, free all but the socket. */
void skep_net__link_free(struct skep_net__link *l);
/* Go on with the handshake.  *ret_write: it waits for the socket to take bytes. */
enum skep_net__shaken skep_net__link_shake(struct skep_net__link *l, bool *ret_write);
/* As recv and send on a non-blocking socket: -1 with errno, 0 = the peer has ended.  After a send
 * that would block the same bytes must be given again. */
ssize_t skep_net__link_recv(struct skep_net__link *l, uint8_t *p, size_t n);
ssize_t skep_net__link_send(struct skep_net__link *l, const uint8_t *p, size_t n);
/* Bytes that the socket will not announce again. */
bool skep_net__link_pending(const struct skep_net__link *l);
skep_str skep_net__link_subject(struct skep_net__link *l);
