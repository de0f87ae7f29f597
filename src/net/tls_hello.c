// SPDX-License-Identifier: Apache-2.0
/* What a TLS client wants to speak, by its first message.
 *
 *   record  = 22, version u16, length u16, piece of a message      (a message may span records)
 *   message = 1, length u24, version u16, random[32], session<u8>, suites<u16>, methods<u8>,
 *             extensions<u16>
 *   extension = type u16, body<u16>; ALPN is type 16: names<u16> of name<u8>
 *
 * Nothing is decided here but which of two TLS servers goes on with the connection: both read the
 * whole message again and negotiate for themselves, so a lie here only ends in a failed handshake.
 *
 * I1  reads nothing behind `seen`; at most SKEP_NET__HELLO_MAX bytes are looked at.
 * Threads: any.  Memory: the stack. */
#include "net/net_priv.h"

#include "base/bytes.h"

enum { RECORD_HEAD = 5, MESSAGE_HEAD = 4, HANDSHAKE = 22, CLIENT_HELLO = 1, ALPN = 16 };

/* What is left of the message; `bad` once something was asked for that is not there. */
struct cursor {
    skep_bytes rest;
    bool bad;
};

static skep_bytes take(struct cursor *c, size_t n)
{
    if (c->bad || n > c->rest.n) {
        c->bad = true;
        return (skep_bytes){NULL, 0};
    }
    skep_bytes got = {c->rest.p, n};
    c->rest.p = n ? c->rest.p + n : c->rest.p;
    c->rest.n -= n;
    return got;
}

/* A number of 1 or 2 bytes, big-endian. */
static size_t number(struct cursor *c, size_t width)
{
    size_t v = 0;
    skep_bytes b = take(c, width);
    for (size_t i = 0; i < b.n; i++)
        v = v << 8 | b.p[i];
    return v;
}

static struct cursor vector(struct cursor *c, size_t width)
{
    size_t n = number(c, width);
    struct cursor inner = {.rest = take(c, n)};
    inner.bad = c->bad;
    return inner;
}

static bool names_h2(struct cursor alpn)
{
    struct cursor names = vector(&alpn, 2);
    while (!names.bad && names.rest.n > 0) {
        skep_bytes name = vector(&names, 1).rest;
        if (!names.bad && name.n == 2 && memcmp(name.p, "h2", 2) == 0)
            return true;
    }
    return false;
}

static bool offers_h2(skep_bytes body)
{
    struct cursor c = {.rest = body};
    (void)take(&c, 2 + 32); /* version, random */
    (void)vector(&c, 1);    /* session */
    (void)vector(&c, 2);    /* suites */
    (void)vector(&c, 1);    /* methods */
    struct cursor extensions = vector(&c, 2);
    while (!extensions.bad && extensions.rest.n > 0) {
        size_t type = number(&extensions, 2);
        struct cursor one = vector(&extensions, 2);
        if (type == ALPN)
            return !one.bad && names_h2(one);
    }
    return false;
}

enum skep_net__sniffed skep_net__hello(skep_bytes seen)
{
    SKEP_UNINIT uint8_t message[SKEP_NET__HELLO_MAX];
    size_t n = 0;
    size_t at = 0;
    size_t want = MESSAGE_HEAD;
    seen.n = SKEP_MIN(seen.n, (size_t)SKEP_NET__HELLO_MAX);
    while (n < want) {
        bool full = seen.n == SKEP_NET__HELLO_MAX;
        if (seen.n - at < RECORD_HEAD)
            return full ? SKEP_NET__SNIFF_TLS : SKEP_NET__SNIFF_MORE;
        size_t length = (size_t)seen.p[at + 3] << 8 | seen.p[at + 4];
        if (seen.p[at] != HANDSHAKE || length == 0)
            return SKEP_NET__SNIFF_TLS; /* no hello: the handshake will say so */
        at += RECORD_HEAD;
        size_t here = SKEP_MIN(length, seen.n - at);
        memcpy(message + n, seen.p + at, here);
        n += here;
        at += here;
        if (n >= MESSAGE_HEAD)
            want = MESSAGE_HEAD +
                   (((size_t)message[1] << 16) | ((size_t)message[2] << 8) | message[3]);
        if (n >= MESSAGE_HEAD && (message[0] != CLIENT_HELLO || want > SKEP_NET__HELLO_MAX))
            return SKEP_NET__SNIFF_TLS;
        if (here < length && n < want)
            return full ? SKEP_NET__SNIFF_TLS : SKEP_NET__SNIFF_MORE;
    }
    skep_assert(n <= sizeof message && want <= n);
    skep_bytes body = {message + MESSAGE_HEAD, want - MESSAGE_HEAD};
    return offers_h2(body) ? SKEP_NET__SNIFF_TLS_H2 : SKEP_NET__SNIFF_TLS;
}
