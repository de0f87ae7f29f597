// SPDX-License-Identifier: Apache-2.0
/* Which protocol a connection speaks, by its first bytes.
 *
 * HTTP/2 with prior knowledge (what gRPC uses) begins with a fixed preface of 24 bytes, TLS with a
 * handshake record (22, then the version's 3); everything else is left to the HTTP/1.1 parser,
 * which also knows how to refuse it.
 *
 * Threads: any.  Memory: none. */
#include "net/net_priv.h"

enum skep_net__sniffed skep_net__sniff(skep_bytes first)
{
    _Static_assert(SKEP_NET__SNIFF_BYTES == 24, "the preface");
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    size_t n = SKEP_MIN(first.n, sizeof preface - 1);
    if (n == 0)
        return SKEP_NET__SNIFF_MORE;
    if (first.p[0] == 22)
        return first.n < 2       ? SKEP_NET__SNIFF_MORE
               : first.p[1] == 3 ? SKEP_NET__SNIFF_TLS
                                 : SKEP_NET__SNIFF_HTTP1;
    if (memcmp(first.p, preface, n) != 0)
        return SKEP_NET__SNIFF_HTTP1;
    return n == sizeof preface - 1 ? SKEP_NET__SNIFF_HTTP2 : SKEP_NET__SNIFF_MORE;
}
