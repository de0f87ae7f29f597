// SPDX-License-Identifier: Apache-2.0
/* Who may come in: the Host and Origin headers.
 *
 * A browser sends every page's requests to us if a name under the page's control resolves to our
 * address (DNS rebinding).  Such a request carries that name as its Host, so only names that cannot
 * be rebound are served: loopback literals, localhost, the connection's own address, and what
 * --allow-host names.  SDKs put "stream-" or "streaming-" before the name for live tails.
 *
 *   host = name [":" port] | "[" ipv6 "]" [":" port]
 *
 * I1  anything that does not parse is refused.
 * Threads: any.  Memory: none. */
#include "net/net_priv.h"

#include <arpa/inet.h>

struct authority {
    skep_str name; /* without brackets and without one trailing dot */
    skep_str port; /* may be empty */
    bool v6;
};

static bool all_digits(skep_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return true;
}

static bool name_byte(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == '_';
}

static bool parse_authority(skep_str s, struct authority *ret)
{
    struct authority a = {.port = SKEP_STR("")};
    size_t end = 0;
    if (s.n > 0 && s.p[0] == '[') {
        end = skep_str_chr(s, ']');
        if (end == SIZE_MAX)
            return false;
        a.v6 = true;
        a.name = (skep_str){s.p + 1, end - 1};
        end++;
    } else {
        while (end < s.n && name_byte(s.p[end]))
            end++;
        a.name = (skep_str){s.p, end};
        if (a.name.n > 1 && a.name.p[a.name.n - 1] == '.')
            a.name.n--;
    }
    if (end < s.n) {
        if (s.p[end] != ':')
            return false;
        a.port = skep_str_skip(s, end + 1);
    }
    if (a.name.n == 0 || a.name.n > 253 || a.port.n > 5 || !all_digits(a.port))
        return false;
    *ret = a;
    return true;
}

/* A numeric address as 16 bytes (IPv4 mapped); false if it is none. */
static bool literal(skep_str s, bool v6, uint8_t out[16])
{
    char text[INET6_ADDRSTRLEN];
    if (s.n >= sizeof text || memchr(s.p, '\0', s.n) != NULL)
        return false; /* inet_pton would stop at a NUL */
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    if (v6)
        return inet_pton(AF_INET6, text, out) == 1;
    memset(out, 0, 10);
    out[10] = out[11] = 0xff;
    return inet_pton(AF_INET, text, out + 12) == 1;
}

static bool is_loopback(const uint8_t a[16])
{
    static const uint8_t mapped[13] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127};
    static const uint8_t one[16] = {[15] = 1};
    return memcmp(a, mapped, sizeof mapped) == 0 || memcmp(a, one, sizeof one) == 0;
}

static bool iends(skep_str s, skep_str suffix)
{
    return s.n >= suffix.n && skep_str_ieq(skep_str_skip(s, s.n - suffix.n), suffix);
}

static bool in_list(skep_str name, const char *const *allow, unsigned n_allow)
{
    for (unsigned i = 0; i < n_allow; i++) {
        skep_str a = skep_str_c(allow[i]);
        if (a.n > 2 && a.p[0] == '*' && a.p[1] == '.') {
            if (name.n > a.n - 1 && iends(name, skep_str_skip(a, 1)))
                return true;
        } else if (skep_str_ieq(name, a)) {
            return true;
        }
    }
    return false;
}

static bool name_allowed(skep_str name, const char *const *allow, unsigned n_allow)
{
    uint8_t address[16];
    if (literal(name, false, address))
        return is_loopback(address) || in_list(name, allow, n_allow);
    if (skep_str_ieq(name, SKEP_STR("localhost")))
        return true;
    if (name.n > 10 && iends(name, SKEP_STR(".localhost")))
        return true;
    return in_list(name, allow, n_allow);
}

bool skep_net__host_allowed(skep_str host, skep_str local_ip, const char *const *allow,
                            unsigned n_allow)
{
    static const skep_str prefixes[] = {{"stream-", 7}, {"streaming-", 10}};
    struct authority a;
    uint8_t named[16];
    uint8_t own[16];
    if (!parse_authority(host, &a))
        return false;
    if (literal(a.name, a.v6, named)) {
        bool own_v6 = skep_str_chr(local_ip, ':') != SIZE_MAX;
        if (is_loopback(named))
            return true;
        if (local_ip.n > 0 && literal(local_ip, own_v6, own) && memcmp(named, own, 16) == 0)
            return true;
    }
    if (a.v6) /* brackets hold an address, never a name */
        return literal(a.name, true, named) && in_list(a.name, allow, n_allow);
    if (name_allowed(a.name, allow, n_allow))
        return true;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(prefixes); i++) {
        skep_str p = prefixes[i];
        if (a.name.n > p.n && skep_str_ieq((skep_str){a.name.p, p.n}, p) &&
            name_allowed(skep_str_skip(a.name, p.n), allow, n_allow))
            return true;
    }
    return false;
}

bool skep_net__origin_same(skep_str origin, skep_str host)
{
    struct authority o;
    struct authority h;
    skep_str default_port;
    if (origin.n == 0)
        return true;
    if (skep_str_starts(origin, SKEP_STR("http://"))) {
        origin = skep_str_skip(origin, 7);
        default_port = SKEP_STR("80");
    } else if (skep_str_starts(origin, SKEP_STR("https://"))) {
        origin = skep_str_skip(origin, 8);
        default_port = SKEP_STR("443");
    } else {
        return false;
    }
    if (!parse_authority(origin, &o) || !parse_authority(host, &h))
        return false;
    skep_str o_port = o.port.n ? o.port : default_port;
    skep_str h_port = h.port.n ? h.port : default_port;
    return o.v6 == h.v6 && skep_str_ieq(o.name, h.name) && skep_str_eq(o_port, h_port);
}
