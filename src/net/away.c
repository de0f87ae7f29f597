// SPDX-License-Identifier: Apache-2.0
/* What a connection is told that is turned away at the door, before anybody parses it.
 *
 *   too many connections, HTTP            503 with Retry-After
 *   too many of one address, HTTP         429 with Retry-After
 *   plain HTTP/1 on a port of TLS         400, in words
 *   plain HTTP/2 on a port of TLS         SETTINGS, GOAWAY(INADEQUATE_SECURITY), in words
 *   TLS on a port without                 alert handshake_failure
 *
 * One send that may not block into an empty socket buffer: it fits, or the client gets nothing.
 * Afterwards the socket lingers, so that unread bytes do not turn the answer into a reset.
 *
 * Threads: the door's.  Memory: none. */
#include "net/net_priv.h"

#include <sys/socket.h>
#include <unistd.h>

#define WORDS_TLS          "this port speaks TLS: use https://"
#define WORDS_MANY         "too many connections are open: try again"
#define WORDS_MANY_ADDRESS "too many connections of your address are open: try again"
/* The text's length must agree; a test reads these answers with a parser. */
#define HTTP(status, extra, length, words)                                                         \
    "HTTP/1.1 " status "\r\nContent-Type: text/plain; charset=utf-8\r\n"                           \
    "X-Content-Type-Options: nosniff\r\n" extra "Connection: close\r\nContent-Length: " length     \
    "\r\n\r\n" words "\n"

static const char many[] = HTTP("503 Service Unavailable", "Retry-After: 1\r\n", "41", WORDS_MANY);
static const char many_of_address[] =
    HTTP("429 Too Many Requests", "Retry-After: 1\r\n", "57", WORDS_MANY_ADDRESS);
static const char plain_http1[] = HTTP("400 Bad Request", "", "35", WORDS_TLS);
_Static_assert(sizeof WORDS_MANY == 41 && sizeof WORDS_MANY_ADDRESS == 57 && sizeof WORDS_TLS == 35,
               "Content-Length: the words and a line feed");
/* Frame: length u24, type, flags, stream u32.  SETTINGS, empty; GOAWAY: stream 0, error 12. */
static const char plain_http2[] = "\0\0\0\4\0\0\0\0\0"
                                  "\0\0\x2a\7\0\0\0\0\0"
                                  "\0\0\0\0\0\0\0\x0c" WORDS_TLS;
_Static_assert(sizeof WORDS_TLS - 1 + 8 == 0x2a, "the GOAWAY frame's length");
/* Record: alert (21), TLS 1.2, two bytes: fatal, handshake_failure. */
static const char tls_to_plain[] = "\x15\3\3\0\2\2\x28";

static skep_str text_of(enum skep_net__away why, enum skep_net__sniffed spoken)
{
    bool http1 = spoken == SKEP_NET__SNIFF_HTTP1;
#define TEXT(s) ((skep_str){(s), sizeof(s) - 1})
    switch (why) {
    case SKEP_NET__AWAY_MANY: return http1 ? TEXT(many) : SKEP_STR("");
    case SKEP_NET__AWAY_MANY_OF_ADDRESS: return http1 ? TEXT(many_of_address) : SKEP_STR("");
    case SKEP_NET__AWAY_PLAIN: return http1 ? TEXT(plain_http1) : TEXT(plain_http2);
    case SKEP_NET__AWAY_TLS: return TEXT(tls_to_plain);
    default: skep_unreachable("reason to turn away");
    }
#undef TEXT
}

void skep_net__turn_away(int fd, enum skep_net__away why, enum skep_net__sniffed spoken)
{
    skep_str text = text_of(why, spoken);
    if (text.n && send(fd, text.p, text.n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return; /* the client has gone */
    (void)shutdown(fd, SHUT_WR);
}
