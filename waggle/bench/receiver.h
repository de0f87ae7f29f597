// SPDX-License-Identifier: Apache-2.0
/* receiver.h - a receiver of OTLP/HTTP in a process of its own, which reads and says 200; for the
 * benchmarks in C and in C++ */
#ifndef WAGGLE_BENCH_RECEIVER_H
#define WAGGLE_BENCH_RECEIVER_H

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static bool read_all(int fd, char *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t r = recv(fd, p + at, n - at, 0);
        if (r <= 0)
            return false;
        at += (size_t)r;
    }
    return true;
}

/* The head's Content-Length, in any case; 0 if there is none. */
static size_t content_length(const char *head)
{
    static const char name[] = "\ncontent-length:";
    for (const char *p = strchr(head, '\n'); p != NULL; p = strchr(p + 1, '\n'))
        if (strncasecmp(p, name, sizeof name - 1) == 0)
            return strtoul(p + sizeof name - 1, NULL, 10);
    return 0;
}

static void serve(int fd)
{
    static char body[16 << 20];
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    for (;;) {
        char head[4096];
        size_t n = 0;
        char *end = NULL;
        while (end == NULL) {
            ssize_t r = n + 1 < sizeof head ? recv(fd, head + n, sizeof head - 1 - n, 0) : 0;
            if (r <= 0)
                return;
            n += (size_t)r;
            head[n] = '\0';
            end = strstr(head, "\r\n\r\n");
        }
        size_t body_n = content_length(head);
        size_t have = n - (size_t)(end + 4 - head);
        if (strstr(head, "100-continue") != NULL && have == 0)
            (void)!send(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL);
        if (body_n > sizeof body || have > body_n || !read_all(fd, body, body_n - have) ||
            send(fd, ok, sizeof ok - 1, MSG_NOSIGNAL) < 0)
            return;
    }
}

/* Starts it; gives its port. It serves one connection after the other until it is killed. */
static int start_receiver(pid_t *ret_pid)
{
    struct sockaddr_in address;
    socklen_t n = sizeof address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 8) != 0 || getsockname(listener, (struct sockaddr *)&address, &n) != 0)
        exit(2);
    *ret_pid = fork();
    if (*ret_pid == 0) {
        for (int fd = accept(listener, NULL, NULL); fd >= 0; fd = accept(listener, NULL, NULL)) {
            serve(fd);
            close(fd);
        }
        _exit(0);
    }
    close(listener);
    return ntohs(address.sin_port);
}

#endif
