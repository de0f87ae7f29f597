// SPDX-License-Identifier: Apache-2.0
/* Listen addresses as text: "127.0.0.1:4318", "[::1]:4318", "localhost:0", "*:4318" (all of IPv4).
 *
 * Names are not resolved: a listener must be where it was told to be.  "localhost" means 127.0.0.1.
 *
 * Threads: any.  Memory: none. */
#include "net/net_priv.h"

#include <arpa/inet.h>
#include <stdio.h>

skep_rc skep_net__address_parse(skep_str s, struct sockaddr_storage *ret, socklen_t *ret_n,
                                skep_err *err)
{
    char host[INET6_ADDRSTRLEN];
    uint64_t port = 0;
    bool v6 = s.n > 0 && s.p[0] == '[';
    size_t close = v6 ? skep_str_chr(s, ']') : 0;
    if (close == SIZE_MAX)
        return skep_fail(err, SKEP_EINVAL, "listen address \"" SKEP_STRFMT "\": no ']'",
                         SKEP_STRARG(s));
    size_t colon = skep_str_chr(skep_str_skip(s, close), ':');
    colon = colon == SIZE_MAX ? colon : colon + close;
    if (colon == SIZE_MAX || !skep_str_u64(skep_str_skip(s, colon + 1), &port) || port > 65535)
        return skep_fail(err, SKEP_EINVAL, "listen address \"" SKEP_STRFMT "\": use HOST:PORT",
                         SKEP_STRARG(s));
    skep_str name = v6 ? (skep_str){s.p + 1, close - 1} : (skep_str){s.p, colon};
    if (skep_str_eq(name, SKEP_STR("localhost")))
        name = SKEP_STR("127.0.0.1");
    else if (skep_str_eq(name, SKEP_STR("*")))
        name = SKEP_STR("0.0.0.0");
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    bool ok = name.n > 0 && name.n < sizeof host && memchr(name.p, '\0', name.n) == NULL;
    if (ok) {
        memcpy(host, name.p, name.n);
        host[name.n] = '\0';
        ok = v6 ? inet_pton(AF_INET6, host, &a6.sin6_addr) == 1
                : inet_pton(AF_INET, host, &a4.sin_addr) == 1;
    }
    if (!ok)
        return skep_fail(err, SKEP_EINVAL,
                         "listen address \"" SKEP_STRFMT "\": the host must be an IPv4 address, an "
                         "IPv6 address in brackets, or localhost",
                         SKEP_STRARG(s));
    memset(ret, 0, sizeof *ret);
    if (v6)
        memcpy(ret, &a6, sizeof a6);
    else
        memcpy(ret, &a4, sizeof a4);
    *ret_n = v6 ? sizeof a6 : sizeof a4;
    return SKEP_OK;
}

skep_str skep_net__address_format(const struct sockaddr_storage *a, bool with_port,
                                  char buf[SKEP_NET__ADDRESS_BYTES])
{
    char host[INET6_ADDRSTRLEN] = "";
    const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)(const void *)a;
    const struct sockaddr_in *a4 = (const struct sockaddr_in *)(const void *)a;
    bool v6 = a->ss_family == AF_INET6;
    const void *ip = v6 ? (const void *)&a6->sin6_addr : (const void *)&a4->sin_addr;
    unsigned port = ntohs(v6 ? a6->sin6_port : a4->sin_port);
    if (!inet_ntop(a->ss_family, ip, host, sizeof host))
        host[0] = '\0'; /* no internet address */
    int n = with_port ? snprintf(buf, SKEP_NET__ADDRESS_BYTES, v6 ? "[%s]:%u" : "%s:%u", host, port)
                      : snprintf(buf, SKEP_NET__ADDRESS_BYTES, "%s", host);
    skep_assert(n >= 0 && n < SKEP_NET__ADDRESS_BYTES);
    return (skep_str){buf, (size_t)n};
}

struct skep_net__who skep_net__who_of(const struct sockaddr_storage *a)
{
    const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)(const void *)a;
    const struct sockaddr_in *a4 = (const struct sockaddr_in *)(const void *)a;
    struct skep_net__who who = {{[10] = 0xff, [11] = 0xff}};
    if (a->ss_family == AF_INET6)
        memcpy(who.address, &a6->sin6_addr, sizeof who.address);
    else
        memcpy(who.address + 12, &a4->sin_addr, 4);
    return who;
}
