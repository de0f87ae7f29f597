// SPDX-License-Identifier: Apache-2.0
/* Address ranges, for senders that can show no key: UDP, and the X-Ray daemon's unsigned port.
 *
 *   "10.0.0.0/8"  "fd00::/8"  "192.0.2.7" (one address)  "any"
 *
 * An IPv4 address that came through an IPv6 socket (::ffff:a.b.c.d) counts as IPv4; ::/0 holds
 * both. */
#pragma once

#include "base/err.h"
#include "base/str.h"

struct sockaddr_storage;

struct skep_cidr {
    uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
    unsigned bits;       /* of the 128 that count */
};

/* Returns SKEP_OK | SKEP_EINVAL (no address, too many bits, or bits set behind the prefix).
 * Threads: any. */
SKEP_NODISCARD skep_rc skep_cidr_parse(skep_str s, struct skep_cidr *ret, skep_err *err);
/* True if the address is in one of the n ranges; other families than IPv4 and IPv6 are in none. */
bool skep_cidr_contains(const struct skep_cidr *ranges, size_t n,
                        const struct sockaddr_storage *address);
/* The same of "127.0.0.1:40312" or "[::1]:40312", as req->peer has it. */
bool skep_cidr_contains_peer(const struct skep_cidr *ranges, size_t n, skep_str peer);
