// SPDX-License-Identifier: Apache-2.0
/* A bare TCP client: what goes over the wire is what the test wrote. */
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static inline int raw_connect(unsigned port)
{
    const int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* False when the server closed first. */
static inline bool raw_send(int fd, const void *p, size_t n)
{
    const char *c = p;
    while (n > 0) {
        ssize_t k = send(fd, c, n, MSG_NOSIGNAL);
        if (k <= 0)
            return false;
        c += k;
        n -= (size_t)k;
    }
    return true;
}

static inline bool raw_puts(int fd, const char *s)
{
    return raw_send(fd, s, strlen(s));
}

static inline uint64_t raw_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

struct reply {
    int status;       /* 0 = the connection ended first */
    char head[16384]; /* with the final blank line */
    char *body;       /* NUL-terminated; decoded when chunked */
    size_t n;
};

/* One byte, or -1 after two minutes or at the end. */
static inline int raw_byte(int fd)
{
    unsigned char c;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, 120000) <= 0 || recv(fd, &c, 1, 0) != 1)
        return -1;
    return c;
}

static inline bool raw_line(int fd, char *out, size_t cap)
{
    size_t n = 0;
    for (int c; (c = raw_byte(fd)) >= 0;) {
        if (n + 1 < cap)
            out[n++] = (char)c;
        if (c == '\n') {
            out[n] = '\0';
            return true;
        }
    }
    return false;
}

static inline bool raw_exact(int fd, struct reply *r, size_t n)
{
    r->body = realloc(r->body, r->n + n + 1);
    while (n > 0) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 120000) <= 0)
            return false;
        ssize_t k = recv(fd, r->body + r->n, n, 0);
        if (k <= 0)
            return false;
        r->n += (size_t)k;
        n -= (size_t)k;
    }
    r->body[r->n] = '\0';
    return true;
}

static inline const char *reply_header(const struct reply *r, const char *name)
{
    static __thread char out[1024];
    char key[128];
    snprintf(key, sizeof key, "\n%s:", name);
    const char *at = strcasestr(r->head, key);
    if (!at)
        return "";
    at += strlen(key);
    while (*at == ' ')
        at++;
    snprintf(out, sizeof out, "%.*s", (int)strcspn(at, "\r\n"), at);
    return out;
}

/* Read one answer; free r->body.  no_body: the answer to a HEAD. */
static inline struct reply raw_reply(int fd, bool no_body)
{
    struct reply r = {0};
    size_t n = 0;
    r.body = calloc(1, 1);
    while (raw_line(fd, r.head + n, sizeof r.head - n)) {
        n += strlen(r.head + n);
        if (n >= 4 && strcmp(r.head + n - 4, "\r\n\r\n") == 0) {
            r.status = (int)strtol(r.head + 9, NULL, 10);
            break;
        }
    }
    if (r.status == 0 || no_body || r.status == 204 || r.status == 100)
        return r;
    if (strcasecmp(reply_header(&r, "transfer-encoding"), "chunked") == 0) {
        char line[64];
        while (raw_line(fd, line, sizeof line)) {
            size_t k = strtoul(line, NULL, 16);
            if (k && !raw_exact(fd, &r, k))
                r.status = 0;
            if (!raw_line(fd, line, sizeof line) || k == 0)
                break;
        }
        return r;
    }
    if (!raw_exact(fd, &r, strtoul(reply_header(&r, "content-length"), NULL, 10)))
        r.status = 0;
    return r;
}

/* True when the server ends the connection within ms; reads away what comes before. */
static inline bool raw_closed(int fd, int ms)
{
    uint64_t until = raw_ms() + (uint64_t)ms;
    char sink[4096];
    while (raw_ms() < until) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, (int)(until - raw_ms())) > 0 && recv(fd, sink, sizeof sink, 0) <= 0)
            return true;
    }
    return false;
}
