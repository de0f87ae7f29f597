// SPDX-License-Identifier: Apache-2.0
/* Readers that are slow on purpose: bytes wait for them, and they take next to none.
 *
 * Looked at about once a second.  While something is unsent, a span of time runs; at its end the
 * reader must have taken SKEP_NET__BODY_BYTES_PER_S_MIN on average, or it is cut.  The kernel knows
 * what a peer acknowledged, so this holds for every protocol and with TLS.  Unsent are bytes that
 * the peer's window holds back; what is under way does not count, or a trickle of rows to a far
 * reader would look like one that does not read.
 *
 *   unsent = 0          -> no span
 *   unsent > 0          -> a span begins; at its end: enough taken -> the next one, else too slow
 *
 * Threads: the caller's, one a struct.  Memory: none. */
#include "net/net_priv.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <sys/ioctl.h>

bool skep_net__drains(struct skep_net__drain *d, bool waits, uint64_t taken, uint64_t now_ms,
                      uint64_t span_ms)
{
    if (!waits) {
        d->since_ms = 0;
        return true;
    }
    if (d->since_ms == 0) {
        d->since_ms = now_ms;
        d->taken = taken;
        return true;
    }
    uint64_t ms = now_ms - d->since_ms;
    if (ms <= span_ms)
        return true;
    bool enough = (taken - d->taken) * 1000 / ms >= SKEP_NET__BODY_BYTES_PER_S_MIN;
    d->since_ms = now_ms;
    d->taken = taken;
    return enough;
}

bool skep_net__socket_drains(struct skep_net__drain *d, int fd, uint64_t now_ms, uint64_t span_ms)
{
    struct tcp_info info = {0};
    socklen_t n = sizeof info;
    int unsent = 0;
    if (ioctl(fd, SIOCOUTQNSD, &unsent) != 0 || unsent <= 0 ||
        getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) != 0)
        return skep_net__drains(d, false, 0, now_ms, span_ms);
    return skep_net__drains(d, true, info.tcpi_bytes_acked, now_ms, span_ms);
}
