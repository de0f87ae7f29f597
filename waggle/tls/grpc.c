// SPDX-License-Identifier: Apache-2.0
/*
 * grpc.c - unary gRPC calls over libcurl's HTTP/2: with prior knowledge to http://, by ALPN to
 * https://
 *
 *   request   POST /package.Service/Method   00|01 length(4, big-endian) message
 *   response  headers, the same framing, trailers: grpc-status, grpc-message,
 *             grpc-status-details-bin
 *
 * The exporter sees an answer of HTTP: 0 is 200; codes that the protocol lets a client send again
 * are 503, and RESOURCE_EXHAUSTED is 429 if the details say when; any other is 400, with the text.
 *
 * Threads: one at a time, the exporter's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "curl_priv.h"

enum { OK = 0, RESOURCE_EXHAUSTED = 8, HEADERS_MAX = 8192, PREFIX = 5 };

struct status {
    int code; /* -1: not said */
    char message[256];
    char details[4096];
    size_t details_n;
};

/* --- the request --------------------------------------------------------------------------- */

/* HTTP's headers as gRPC's: its own type, the encoding of the message instead of that of the body.
 * Returns false if there is no room. */
static bool make_headers(const char *lines, const waggle_deadline *deadline,
                         char ret_headers[HEADERS_MAX], bool *ret_gzip)
{
    int n = snprintf(ret_headers, HEADERS_MAX,
                     "Content-Type: application/grpc\r\nTE: trailers\r\ngrpc-timeout: %dm\r\n",
                     waggle_deadline_left_ms(deadline) % 100000000);
    size_t at = n > 0 ? (size_t)n : 0;
    *ret_gzip = false;
    while (lines != NULL && *lines != '\0') {
        size_t line = strcspn(lines, "\n");
        line += lines[line] == '\n';
        bool encoding = strncasecmp(lines, "content-encoding:", 17) == 0;
        *ret_gzip |= encoding;
        if (!encoding && strncasecmp(lines, "content-type:", 13) != 0) {
            if (at + line >= HEADERS_MAX)
                return false;
            memcpy(ret_headers + at, lines, line);
            at += line;
        }
        lines += line;
    }
    static const char gzip[] = "grpc-encoding: gzip\r\n";
    if (at + sizeof gzip > HEADERS_MAX)
        return false;
    memcpy(ret_headers + at, gzip, *ret_gzip ? sizeof gzip - 1 : 0);
    ret_headers[at + (*ret_gzip ? sizeof gzip - 1 : 0)] = '\0';
    return true;
}

/* --- the answer ---------------------------------------------------------------------------- */

/* Is the line of that header? Gives its value. */
static bool is_header(const char *line, size_t n, const char *name, const char **ret_value,
                      size_t *ret_n)
{
    size_t k = strlen(name);
    if (n <= k || strncasecmp(line, name, k) != 0 || line[k] != ':')
        return false;
    const char *p = line + k + 1;
    const char *end = line + n;
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    while (end > p && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' '))
        end--;
    *ret_value = p;
    *ret_n = (size_t)(end - p);
    return true;
}

static int code_of(const char *p, size_t n)
{
    int code = 0;
    if (n == 0 || n > 3)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return -1;
        code = code * 10 + (p[i] - '0');
    }
    return code;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The text of a grpc-message, whose bytes may stand as %XX. */
static void keep_text(char *to, size_t cap, const char *p, size_t n)
{
    size_t out = 0;
    for (size_t i = 0; i < n && out + 1 < cap; i++) {
        int high = p[i] == '%' && n - i > 2 ? hex_value(p[i + 1]) : -1;
        int low = high >= 0 ? hex_value(p[i + 2]) : -1;
        to[out++] = (char)(low >= 0 ? high << 4 | low : p[i]);
        i += low >= 0 ? 2 : 0;
    }
    to[out] = '\0';
}

static void hear_header(void *self, const char *line, size_t n)
{
    struct status *s = self;
    const char *value;
    size_t value_n;
    if (is_header(line, n, "grpc-status", &value, &value_n)) {
        s->code = code_of(value, value_n);
    } else if (is_header(line, n, "grpc-message", &value, &value_n)) {
        keep_text(s->message, sizeof s->message, value, value_n);
    } else if (is_header(line, n, "grpc-status-details-bin", &value, &value_n) &&
               value_n < sizeof s->details) {
        memcpy(s->details, value, value_n);
        s->details_n = value_n;
    }
}

static bool may_be_sent_again(int code)
{
    static const int codes[] = {1, 4, 10, 11, 14, 15}; // cancelled, deadline, aborted, range,
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) // unavailable, data loss
        if (codes[i] == code)
            return true;
    return false;
}

/* Take the message out of its frame. */
static void unframe(waggle_response *r)
{
    size_t n = 0;
    if (r->body_n >= PREFIX && r->body[0] == 0) {
        for (int i = 1; i < PREFIX; i++)
            n = n << 8 | (unsigned char)r->body[i];
        n = n < r->body_n - PREFIX ? n : r->body_n - PREFIX;
        memmove(r->body, r->body + PREFIX, n);
    }
    r->body_n = n;
}

static void conclude_call(waggle_response *r, const struct status *s)
{
    if (r->status != 200)
        return; // what is between answered for HTTP
    if (s->code == OK) {
        unframe(r);
        return;
    }
    int64_t delay_ms = waggle_grpc_retry_ms(s->details, s->details_n);
    if (may_be_sent_again(s->code))
        r->status = 503;
    else
        r->status = s->code == RESOURCE_EXHAUSTED && delay_ms >= 0 ? 429 : 400;
    if (delay_ms >= 0)
        r->retry_after_ms = delay_ms;
    int n = snprintf(r->body, WAGGLE_RESPONSE_BODY_MAX, "gRPC status %d %s", s->code, s->message);
    r->body_n = n > 0 ? (size_t)n : 0;
}

/* --- the transport ------------------------------------------------------------------------- */

static void grpc_post(struct waggle_transport *transport, const waggle_request *request,
                      waggle_response *response, const waggle_deadline *deadline)
{
    struct curl_transport *t = (struct curl_transport *)transport;
    struct status status = {.code = -1};
    char headers[HEADERS_MAX];
    bool gzip = false;
    waggle_piece *pieces = malloc((request->n_pieces + 1) * sizeof *pieces);
    if (pieces == NULL || request->body_n > UINT32_MAX ||
        !make_headers(request->headers, deadline, headers, &gzip)) {
        snprintf(response->error, sizeof response->error, "no room for a request");
        free(pieces);
        return;
    }
    uint32_t n = (uint32_t)request->body_n;
    const uint8_t prefix[PREFIX] = {gzip, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
                                    (uint8_t)n};
    pieces[0] = (waggle_piece){prefix, sizeof prefix};
    memcpy(pieces + 1, request->pieces, request->n_pieces * sizeof *pieces);
    waggle_request framed = *request;
    framed.headers = headers;
    framed.pieces = pieces;
    framed.n_pieces = request->n_pieces + 1;
    framed.body_n = request->body_n + PREFIX;
    t->http_version = strncasecmp(request->url, "https://", 8) == 0
                          ? (long)CURL_HTTP_VERSION_2TLS
                          : (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
    waggle__curl_exchange(t, &framed, response, deadline, hear_header, &status);
    free(pieces);
    conclude_call(response, &status);
}

static const struct waggle_transport_ops grpc_ops = {
    .struct_size = sizeof grpc_ops,
    .name = "grpc",
    .accepts = waggle__curl_accepts,
    .post = grpc_post,
    .after_fork = waggle__curl_after_fork,
    .free = waggle__curl_free,
};

struct waggle_transport *waggle__grpc_transport_new(const waggle_tls_options *options)
{
    struct waggle_transport *t = waggle_curl_transport_new(options);
    if (t != NULL)
        t->ops = &grpc_ops;
    return t;
}
