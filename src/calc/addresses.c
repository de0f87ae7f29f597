// SPDX-License-Identifier: Apache-2.0
/* IP addresses and networks, read as getaddrinfo would read a number.
 * Threads: any.  Memory: none. */
#include <arpa/inet.h>

#include "base/assert.h"
#include "calc/calc_priv.h"

/* An address of either family; IPv4 stands in the last four octets. */
struct address {
    bool v4;
    uint8_t b[16];
};

static bool parse(skep_str s, struct address *ret)
{
    char text[INET6_ADDRSTRLEN + 1];
    if (s.n == 0 || s.n >= sizeof text)
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    *ret = (struct address){.v4 = false};
    ret->v4 = inet_pton(AF_INET, text, ret->b + 12) == 1;
    return ret->v4 || inet_pton(AF_INET6, text, ret->b) == 1;
}

static bool parse_value(const skep_value *v, struct address *ret)
{
    return v->type == SKEP_TYPE_STRING && parse(v->s, ret);
}

static bool in_net(const struct address *a, skep_str net)
{
    struct address n;
    uint64_t bits;
    skep_str addr = skep_str_cut(&net, '/');
    if (!parse(addr, &n) || n.v4 != a->v4 || !skep_str_u64(net, &bits) ||
        bits > (n.v4 ? 32u : 128u))
        return false;
    if (n.v4)
        bits += 96;
    for (unsigned i = 0; i < 16 && bits > 0; i++) {
        unsigned here = bits >= 8 ? 8 : (unsigned)bits;
        uint8_t mask = (uint8_t)(0xff00 >> here);
        if ((a->b[i] ^ n.b[i]) & mask)
            return false;
        bits -= here;
    }
    return true;
}

static bool in_any(const struct address *a, const char *const *nets, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (in_net(a, skep_str_c(nets[i])))
            return true;
    return false;
}

static bool is_private(const struct address *a)
{
    static const char *const nets[] = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"};
    return in_any(a, nets, SKEP_ARRAY_LEN(nets));
}

static bool is_reserved(const struct address *a)
{
    static const char *const nets[] = {
        "0.0.0.0/8",    "100.64.0.0/10",  "127.0.0.0/8",   "169.254.0.0/16",  "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4",  "240.0.0.0/4",    "::1/128",       "::/128",          "64:ff9b::/96",
        "100::/64",     "2001:db8::/32",  "fe80::/10",     "ff00::/8"};
    return in_any(a, nets, SKEP_ARRAY_LEN(nets));
}

static skep_value valid(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *v)
{
    struct address a;
    (void)ctx;
    (void)e;
    return skep_calc__bool(parse_value(v, &a));
}

static skep_value valid4(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *v)
{
    struct address a;
    (void)ctx;
    (void)e;
    return skep_calc__bool(parse_value(v, &a) && a.v4);
}

static skep_value valid6(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *v)
{
    struct address a;
    (void)ctx;
    (void)e;
    return skep_calc__bool(parse_value(v, &a) && !a.v4);
}

static skep_value in_subnet(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                            const skep_value *v)
{
    struct address a;
    (void)ctx;
    (void)e;
    return skep_calc__bool(parse_value(v, &a) && v[1].type == SKEP_TYPE_STRING &&
                           in_net(&a, v[1].s));
}

static skep_value in_subnet4(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                             const skep_value *v)
{
    return skep_calc__bool(valid4(ctx, e, v).b && in_subnet(ctx, e, v).b);
}

static skep_value in_subnet6(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                             const skep_value *v)
{
    return skep_calc__bool(valid6(ctx, e, v).b && in_subnet(ctx, e, v).b);
}

static skep_value to_number(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                            const skep_value *v)
{
    struct address a;
    (void)ctx;
    (void)e;
    if (!parse_value(v, &a) || !a.v4)
        return SKEP_CALC__NULL;
    return skep_calc__int((int64_t)a.b[12] << 24 | a.b[13] << 16 | a.b[14] << 8 | a.b[15]);
}

static skep_value private_(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                           const skep_value *v)
{
    struct address a;
    (void)ctx;
    (void)e;
    return parse_value(v, &a) ? skep_calc__bool(is_private(&a)) : SKEP_CALC__NULL;
}

static skep_value reserved(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                           const skep_value *v)
{
    struct address a;
    (void)ctx;
    (void)e;
    return parse_value(v, &a) ? skep_calc__bool(is_reserved(&a)) : SKEP_CALC__NULL;
}

static skep_value public_(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *v)
{
    struct address a;
    (void)ctx;
    (void)e;
    return parse_value(v, &a) ? skep_calc__bool(!is_private(&a) && !is_reserved(&a))
                              : SKEP_CALC__NULL;
}

#define I "ip"
const struct skep_calc_fn skep_calc__addresses[] = {
    {"isValidIp", "isValidIp(text)", "Is it an IP address?", I, 1, 1, valid, NULL, 0},
    {"isValidIpV4", "isValidIpV4(text)", "Is it an IPv4 address?", I, 1, 1, valid4, NULL, 0},
    {"isValidIpV6", "isValidIpV6(text)", "Is it an IPv6 address?", I, 1, 1, valid6, NULL, 0},
    {"isIpInSubnet", "isIpInSubnet(text, network)", "Is the address in the network (a.b.c.d/n)?", I,
     2, 2, in_subnet, NULL, 0},
    {"isIpv4InSubnet", "isIpv4InSubnet(text, network)", "The same of IPv4.", I, 2, 2, in_subnet4,
     NULL, 0},
    {"isIpv6InSubnet", "isIpv6InSubnet(text, network)", "The same of IPv6.", I, 2, 2, in_subnet6,
     NULL, 0},
    {"ipv4ToNumber", "ipv4ToNumber(text)", "The address as a number.", I, 1, 1, to_number, NULL, 0},
    {"isPrivateIP", "isPrivateIP(text)", "Is it of a private network?", I, 1, 1, private_, NULL, 0},
    {"isPublicIP", "isPublicIP(text)", "Is it neither private nor reserved?", I, 1, 1, public_,
     NULL, 0},
    {"isReservedIP", "isReservedIP(text)", "Is it set aside (loopback, multicast, examples)?", I, 1,
     1, reserved, NULL, 0},
    {.name = NULL},
};
