// SPDX-License-Identifier: Apache-2.0
/* TLS records over a non-blocking socket, for HTTP/2.
 *
 *   new -> shake ... shake -> recv, send ... -> free (close_notify)
 *
 * I1  a record that was begun is finished before anything else is sent: after EAGAIN the caller
 *     gives the same bytes again.
 * I2  renegotiation is refused: the connection ends.
 * Threads: the connection's I/O thread.  Memory: one gnutls session a connection. */
#include "net/tls_priv.h"

#include <errno.h>

struct skep_net__link {
    struct skep_net__tls_ctx *ctx;
    gnutls_session_t session;
    char subject[SKEP_NET__SUBJECT_BYTES];
};

struct skep_net__link *skep_net__link_new(struct skep_net__tls_ctx *ctx, int fd)
{
    struct skep_net__link *l = skep_alloc(struct skep_net__link);
    l->ctx = ctx;
    unsigned flags = GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL;
    if (gnutls_init(&l->session, flags) != 0) {
        skep_net__tls_give(ctx);
        skep_free(l);
        return NULL;
    }
    gnutls_transport_set_int(l->session, fd);
    if (!skep_net__tls_prepare(ctx, l->session, true)) {
        skep_net__link_free(l);
        return NULL;
    }
    return l;
}

void skep_net__link_free(struct skep_net__link *l)
{
    if (!l)
        return;
    (void)gnutls_bye(l->session, GNUTLS_SHUT_WR); /* once: the socket is closed in any case */
    gnutls_deinit(l->session);
    skep_net__tls_give(l->ctx);
    skep_free(l);
}

enum skep_net__shaken skep_net__link_shake(struct skep_net__link *l, bool *ret_write)
{
    int rc = gnutls_handshake(l->session);
    *ret_write = gnutls_record_get_direction(l->session) == 1;
    if (rc == GNUTLS_E_SUCCESS)
        return SKEP_NET__SHAKEN;
    if (!gnutls_error_is_fatal(rc))
        return SKEP_NET__SHAKE_AGAIN;
    (void)gnutls_alert_send_appropriate(l->session, rc); /* a courtesy */
    return SKEP_NET__SHAKE_FAILED;
}

/* A result of gnutls as recv and send would say it. */
static ssize_t as_errno(ssize_t n)
{
    if (n >= 0)
        return n;
    bool again = n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED;
    errno = again ? EAGAIN : ECONNRESET;
    return -1;
}

ssize_t skep_net__link_recv(struct skep_net__link *l, uint8_t *p, size_t n)
{
    return as_errno(gnutls_record_recv(l->session, p, n));
}

ssize_t skep_net__link_send(struct skep_net__link *l, const uint8_t *p, size_t n)
{
    skep_assert(n > 0);
    return as_errno(gnutls_record_send(l->session, p, n));
}

bool skep_net__link_pending(const struct skep_net__link *l)
{
    return gnutls_record_check_pending(l->session) > 0;
}

skep_str skep_net__link_subject(struct skep_net__link *l)
{
    return skep_net__tls_subject(l->ctx, l->session, l->subject);
}
