// SPDX-License-Identifier: Apache-2.0
/* Readers that are slow on purpose: bytes wait for them, and they take next to none.
 *
 * Looked at about once a second.  While something is unsent, a reader lives on credit: what it
 * would take in a span of time at SKEP_NET__BODY_BYTES_PER_S_MIN, spent at that rate, earned back
 * by what it takes, never more than was there at first.  So a reader may pause for a span, and one
 * that is fast enough on average lives on; one that is not ends a span after it last was. (Averages
 * of spans in a row let it live for two: what the buffers between the two swallow in the first
 * moment, 128 KiB and up to megabytes, was the reading of the whole first span.)
 *
 * The kernel knows what a peer acknowledged, so this holds for every protocol and with TLS.  Unsent
 * are bytes that the peer's window holds back; what is under way does not count, or a trickle of
 * rows to a far reader would look like one that does not read.
 *
 *   unsent = 0          -> full credit: whoever waits for us is no slow reader
 *   unsent > 0          -> credit + taken - time; below 0: too slow
 *
 * Threads: the caller's, one a struct.  Memory: none. */
#include "net/net_priv.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <sys/ioctl.h>

bool skep_net__drains(struct skep_net__drain *d, bool waits, uint64_t taken, uint64_t now_ms,
                      uint64_t span_ms)
{
    uint64_t full = span_ms * SKEP_NET__BODY_BYTES_PER_S_MIN / 1000;
    if (!waits) {
        d->looked_ms = 0;
        return true;
    }
    if (d->looked_ms == 0) {
        d->looked_ms = now_ms;
        d->taken = taken;
        d->credit = full;
        return true;
    }
    uint64_t due = (now_ms - d->looked_ms) * SKEP_NET__BODY_BYTES_PER_S_MIN / 1000;
    d->credit = SKEP_MIN(full, d->credit + (taken - d->taken));
    d->looked_ms = now_ms;
    d->taken = taken;
    bool enough = d->credit >= due;
    d->credit -= SKEP_MIN(d->credit, due);
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

void skep_net__reset_at_close(int fd)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now); /* refused: it only ends later */
}
