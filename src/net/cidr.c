// SPDX-License-Identifier: Apache-2.0
/* Address ranges.  Everything is compared as 128 bits; IPv4 stands in ::ffff:0:0/96, so that
 * 0.0.0.0/0 is all of IPv4 and ::/0 all of both.
 * Threads: any.  Memory: none. */
#include "net/cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* Of "1.2.3.4" or "fd00::1"; *ret_base = the bits before the family's own. */
static bool read_address(skep_str s, uint8_t ret[16], unsigned *ret_base)
{
    char text[INET6_ADDRSTRLEN];
    if (s.n == 0 || s.n >= sizeof text || memchr(s.p, '\0', s.n))
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    *ret_base = 0;
    if (inet_pton(AF_INET6, text, ret) == 1)
        return true;
    memcpy(ret, mapped, sizeof mapped);
    *ret_base = 96;
    return inet_pton(AF_INET, text, ret + sizeof mapped) == 1;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned bytes = bits / 8, rest = bits % 8;
    if (memcmp(a, b, bytes) != 0)
        return false;
    return rest == 0 || ((a[bytes] ^ b[bytes]) >> (8 - rest)) == 0;
}

skep_rc skep_cidr_parse(skep_str s, struct skep_cidr *ret, skep_err *err)
{
    struct skep_cidr c = {.bits = 128};
    unsigned base = 0;
    uint64_t n = 0;
    skep_str bits = s;
    skep_str address = skep_str_cut(&bits, '/');
    if (skep_str_eq(s, SKEP_STR("any"))) {
        *ret = (struct skep_cidr){.bits = 0};
        return SKEP_OK;
    }
    if (!read_address(address, c.address, &base))
        return skep_fail(err, SKEP_EINVAL, "\"%.*s\" is no address, range (10.0.0.0/8) or any",
                         (int)SKEP_MIN(s.n, (size_t)60), s.p);
    if (bits.p && (!skep_str_u64(bits, &n) || n > 128 - base))
        return skep_fail(err, SKEP_EINVAL, "\"%.*s\": the prefix has 0 to %u bits",
                         (int)SKEP_MIN(s.n, (size_t)60), s.p, 128 - base);
    if (bits.p)
        c.bits = base + (unsigned)n;
    for (unsigned i = c.bits; i < 128; i++)
        if (c.address[i / 8] & (0x80u >> i % 8))
            return skep_fail(err, SKEP_EINVAL, "\"%.*s\": bits are set behind the prefix",
                             (int)SKEP_MIN(s.n, (size_t)60), s.p);
    *ret = c;
    return SKEP_OK;
}

static bool in_any(const struct skep_cidr *ranges, size_t n, const uint8_t *bytes)
{
    for (size_t i = 0; i < n; i++)
        if (same_bits(ranges[i].address, bytes, ranges[i].bits))
            return true;
    return false;
}

bool skep_cidr_contains(const struct skep_cidr *ranges, size_t n,
                        const struct sockaddr_storage *address)
{
    uint8_t bytes[16];
    const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)(const void *)address;
    const struct sockaddr_in *a4 = (const struct sockaddr_in *)(const void *)address;
    if (address->ss_family == AF_INET6) {
        memcpy(bytes, &a6->sin6_addr, sizeof bytes);
    } else if (address->ss_family == AF_INET) {
        memcpy(bytes, mapped, sizeof mapped);
        memcpy(bytes + sizeof mapped, &a4->sin_addr, 4);
    } else {
        return false;
    }
    return in_any(ranges, n, bytes);
}

bool skep_cidr_contains_peer(const struct skep_cidr *ranges, size_t n, skep_str peer)
{
    uint8_t bytes[16];
    unsigned base;
    size_t colon = peer.n;
    while (colon > 0 && peer.p[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return false;
    skep_str host = {peer.p, colon - 1};
    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = (skep_str){host.p + 1, host.n - 2};
    return read_address(host, bytes, &base) && in_any(ranges, n, bytes);
}
