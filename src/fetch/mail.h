// SPDX-License-Identifier: Apache-2.0
/* Outgoing mail (libcurl): one message to one SMTP server, bounded in time.
 *
 * A call waits for the network, so workers make it, never an I/O thread. */
#pragma once

#include "base/err.h"
#include "base/str.h"

/* Texts are borrowed for the call. */
struct skep_mail {
    const char *server; /* "smtp://host:587" (STARTTLS where it is offered), "smtps://..." */
    const char *user,
        *password;         /* NULL = none; with them a server beyond loopback must speak TLS */
    const char *ca_file;   /* PEM of authorities in place of the system's; NULL = those */
    const char *from;      /* "skep@hive.example" */
    const char *const *to; /* at least one */
    size_t n_to;
    skep_bytes message;  /* RFC 5322, with its headers, lines end in CRLF */
    unsigned timeout_ms; /* for all of it; > 0 */
    /* Asked now and then: true ends the call.  NULL = never. */
    bool (*stop)(void *ctx);
    void *stop_ctx;
};

/* Hand it over; OK means that the server took it for all of them.
 *
 * ret_status  the server's last reply code, 0 when there was none; also set on failure
 * err         what went wrong, without credentials and message
 * Returns     SKEP_OK | SKEP_ETIMEOUT | SKEP_ECANCELED | SKEP_EIO | SKEP_EUNSUPPORTED (no libcurl)
 * Threads:    any but I/O threads. */
SKEP_NODISCARD skep_rc skep_mail_send(const struct skep_mail *m, int *ret_status, skep_err *err);
