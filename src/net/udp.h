// SPDX-License-Identifier: Apache-2.0
/* A UDP port with a thread of its own.  Datagrams have no answer: what the kernel dropped, because
 * nobody took it in time, is counted. */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "net/cidr.h"

struct skep_udp;

struct skep_datagram {
    skep_bytes bytes;                    /* borrowed for the call */
    uint64_t sender;                     /* a hash of address and port; never 0 */
    const struct sockaddr_storage *peer; /* borrowed for the call */
};

enum {
    SKEP_UDP_BURST = 64,          /* datagrams a call, at most */
    SKEP_UDP_DATAGRAM_MAX = 65536 /* more than any can have */
};

/* Called on the port's thread: n datagrams that arrived together, or n = 0 when no more are waiting
 * or skep_udp_wake was called.  Must not block.
 * Returns whether to go on reading; if not, they stay with the kernel until the next wake. */
typedef bool skep_udp_fn(void *ctx, const struct skep_datagram *d, unsigned n);

struct skep_udp_config {
    const char *listen; /* "host:port"; port 0 = chosen by the kernel */
    const char *flag;   /* named when the address is taken: "--xray" */
    skep_udp_fn *fn;
    void *ctx;
    unsigned receive_buffer_bytes; /* asked of the kernel; it may grant less */
};

/* Bind; nothing is read yet.
 * Returns SKEP_OK | SKEP_EEXISTS (address in use; err names its holder where /proc tells) |
 *         SKEP_EINVAL | SKEP_EIO */
SKEP_NODISCARD skep_rc skep_udp_open(const struct skep_udp_config *cfg, struct skep_udp **ret,
                                     skep_err *err);
/* Start the thread. */
SKEP_NODISCARD skep_rc skep_udp_start(struct skep_udp *u, skep_err *err);
/* Address really bound.  Valid until free. */
skep_str skep_udp_address(const struct skep_udp *u);
/* Call fn with n = 0 soon.  Threads: any. */
void skep_udp_wake(struct skep_udp *u);
/* Stop reading: fn runs no more.  The address and the counters stay. */
void skep_udp_stop(struct skep_udp *u);
/* Stops first if needed.  NULL is fine. */
void skep_udp_free(struct skep_udp *u);

struct skep_udp_stats {
    uint64_t datagrams, bytes;     /* taken */
    uint64_t kernel_drops;         /* of those that reached the port */
    int64_t last_ns;               /* of the last one taken, by the wall clock; 0 = none yet */
    unsigned receive_buffer_bytes; /* granted */
    char last_peer[64];            /* "127.0.0.1:40312"; "" = none yet */
};
/* Threads: any. */
void skep_udp_stats(struct skep_udp *u, struct skep_udp_stats *ret);
