// SPDX-License-Identifier: Apache-2.0
/* OTLP/HTTP load: sends the bodies of a file made by gen over N keep-alive connections, no encoding
 * work, each body once.  Prints one JSON line of what it measured.
 *
 *   blast HOST PORT FILE [--requests N] [--connections N] [--rate SPANS_PER_S]
 *                        [--path /v1/traces] [--acks FILE]
 *
 * Without --rate each connection sends its next body when the last one is answered.  With it every
 * body has a time at which it is due, and its latency is counted from there, also when no
 * connection was free to send it: a server that stalls is charged for all that would have come
 * meanwhile.
 *
 * --acks appends the index of each acknowledged body (u32le) as it is acknowledged: the crash
 * test's memory of what must have survived.  A connection that breaks ends its thread; the bodies
 * it had not got an answer for count as unanswered. Threads: one a connection; they share the next
 * index and the counters. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/str.h"

enum { CONNECTIONS_MAX = 64, HEAD_BYTES = 512, ANSWER_BYTES = 16384 };

static struct {
    const char *host, *path;
    uint16_t port;
    int acks_fd;
    uint64_t rate; /* spans a second; 0 = as fast as they are answered */
    double begin_s;
    struct body {
        const uint8_t *p;
        uint32_t bytes, spans;
        double due_s; /* after begin_s */
    } * bodies;
    uint32_t n_bodies, cap_bodies;
    double *latency_s;
    _Atomic uint32_t next, answered, refused, broken;
    _Atomic uint64_t spans, bytes;
    uint64_t warm;
} run = {.path = "/v1/traces", .acks_fd = -1};

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int dial(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(run.port)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || inet_pton(AF_INET, run.host, &a.sin_addr) != 1)
        return -1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (struct sockaddr *)&a, sizeof a)) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool send_body(int fd, const struct body *b)
{
    char head[HEAD_BYTES];
    int n = snprintf(head, sizeof head,
                     "POST %s HTTP/1.1\r\nHost: %s:%u\r\nContent-Type: application/x-protobuf\r\n"
                     "Content-Length: %u\r\n\r\n",
                     run.path, run.host, run.port, b->bytes);
    struct iovec v[2] = {{head, (size_t)n}, {(void *)(uintptr_t)b->p, b->bytes}};
    for (int k = 0; k < 2;) {
        ssize_t w = writev(fd, v + k, 2 - k);
        if (w < 0)
            return false;
        while (k < 2 && (size_t)w >= v[k].iov_len)
            w -= (ssize_t)v[k++].iov_len;
        if (k < 2) {
            v[k].iov_base = (char *)v[k].iov_base + w;
            v[k].iov_len -= (size_t)w;
        }
    }
    return true;
}

/* Read one answer; returns its status, or 0 when the connection broke. */
static int read_answer(int fd)
{
    char buf[ANSWER_BYTES];
    size_t n = 0, body_at = SIZE_MAX, body = 0;
    for (;;) {
        if (body_at == SIZE_MAX) {
            size_t end = skep_str_find((skep_str){buf, n}, SKEP_STR("\r\n\r\n"));
            if (end != SIZE_MAX) {
                char *length = NULL;
                buf[n] = '\0';
                length = strcasestr(buf, "content-length:");
                body = length && length < buf + end ? strtoul(length + 15, NULL, 10) : 0;
                body_at = end + 4;
            }
        }
        if (body_at != SIZE_MAX && n >= body_at + body)
            return (int)strtoul(buf + 9, NULL, 10);
        ssize_t got = n < sizeof buf - 1 ? read(fd, buf + n, sizeof buf - 1 - n) : 0;
        if (got <= 0)
            return 0;
        n += (size_t)got;
    }
}

/* Sleeps until body b is due; returns the time its latency counts from. */
static double wait_due(const struct body *b)
{
    if (run.rate == 0)
        return now_s();
    double due = run.begin_s + b->due_s;
    struct timespec t = {.tv_sec = (time_t)due};
    t.tv_nsec = (long)((due - (double)t.tv_sec) * 1e9);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {
    }
    return due;
}

static void *connection(void *arg)
{
    int fd = dial();
    (void)arg;
    while (fd >= 0) {
        uint32_t i = atomic_fetch_add(&run.next, 1);
        if (i >= run.n_bodies)
            break;
        double t0 = wait_due(&run.bodies[i]);
        int status = send_body(fd, &run.bodies[i]) ? read_answer(fd) : 0;
        run.latency_s[i] = now_s() - t0;
        if (status == 0) {
            atomic_fetch_add(&run.broken, 1);
            break;
        }
        if (status / 100 != 2) {
            atomic_fetch_add(&run.refused, 1);
            continue;
        }
        atomic_fetch_add(&run.answered, 1);
        atomic_fetch_add(&run.spans, run.bodies[i].spans);
        atomic_fetch_add(&run.bytes, run.bodies[i].bytes);
        if (run.acks_fd >= 0 && write(run.acks_fd, &i, sizeof i) != sizeof i)
            break;
    }
    if (fd >= 0)
        close(fd);
    else
        atomic_fetch_add(&run.broken, 1);
    return NULL;
}

static bool load(const char *path, uint32_t limit)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st))
        return false;
    const uint8_t *m = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (m == MAP_FAILED)
        return false;
    skep_rd r = skep_rd_make((skep_bytes){m, (size_t)st.st_size});
    uint64_t spans_before = 0;
    while (skep_rd_left(&r) && run.n_bodies < limit) {
        uint32_t bytes = skep_rd_u32(&r), spans = skep_rd_u32(&r);
        skep_bytes b = skep_rd_take(&r, bytes);
        if (r.bad)
            return false;
        SKEP_GROW(run.bodies, run.n_bodies, run.cap_bodies);
        double due_s = run.rate ? (double)spans_before / (double)run.rate : 0;
        run.bodies[run.n_bodies++] = (struct body){b.p, bytes, spans, due_s};
        spans_before += spans;
        for (size_t at = 0; at < b.n; at += 4096) /* in memory before the clock runs */
            run.warm += b.p[at];
    }
    run.latency_s = skep_alloc_n(double, run.n_bodies);
    return true;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Of the sorted latencies. */
static double quantile_ms(double q)
{
    uint32_t n = run.n_bodies;
    return n ? run.latency_s[SKEP_MIN((uint32_t)((double)n * q), n - 1)] * 1e3 : 0;
}

static void report(double wall_s, unsigned connections)
{
    struct rusage ru;
    getrusage(RUSAGE_SELF, &ru);
    uint32_t n = run.n_bodies;
    qsort(run.latency_s, n, sizeof *run.latency_s, by_value);
    double cpu = (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
                 (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) * 1e-6;
    (void)printf("{\"spans\":%llu,\"bytes\":%llu,\"requests\":%u,\"answered\":%u,\"refused\":%u,"
                 "\"broken\":%u,\"wall_s\":%.3f,\"spans_per_s\":%.0f,\"mb_per_s\":%.1f,"
                 "\"client_cpu_s\":%.3f,\"p50_ms\":%.2f,\"p90_ms\":%.2f,\"p99_ms\":%.2f,"
                 "\"p999_ms\":%.2f,\"max_ms\":%.2f,\"rate\":%llu,\"connections\":%u}\n",
                 (unsigned long long)run.spans, (unsigned long long)run.bytes, n, run.answered,
                 run.refused, run.broken, wall_s, (double)run.spans / wall_s,
                 (double)run.bytes / wall_s / 1e6, cpu, quantile_ms(0.5), quantile_ms(0.9),
                 quantile_ms(0.99), quantile_ms(0.999), quantile_ms(1),
                 (unsigned long long)run.rate, connections);
}

int main(int argc, char **argv)
{
    uint64_t port = 0, requests = UINT32_MAX, connections = 8;
    bool ok =
        argc >= 4 && argc % 2 == 0 && skep_str_u64(skep_str_c(argv[2]), &port) && port < 65536;
    for (int i = 4; ok && i < argc; i += 2) {
        skep_str flag = skep_str_c(argv[i]), value = skep_str_c(argv[i + 1]);
        if (skep_str_eq(flag, SKEP_STR("--requests")))
            ok = skep_str_u64(value, &requests) && requests <= UINT32_MAX;
        else if (skep_str_eq(flag, SKEP_STR("--connections")))
            ok = skep_str_u64(value, &connections) && connections - 1 < CONNECTIONS_MAX;
        else if (skep_str_eq(flag, SKEP_STR("--rate")))
            ok = skep_str_u64(value, &run.rate) && run.rate > 0;
        else if (skep_str_eq(flag, SKEP_STR("--path")))
            run.path = argv[i + 1];
        else if (skep_str_eq(flag, SKEP_STR("--acks")))
            ok = (run.acks_fd =
                      open(argv[i + 1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) >= 0;
        else
            ok = false;
    }
    if (!ok) {
        (void)fprintf(stderr, "usage: blast HOST PORT FILE [--requests N] [--connections N] "
                              "[--rate SPANS_PER_S] [--path P] [--acks FILE]\n");
        return 2;
    }
    run.host = argv[1];
    run.port = (uint16_t)port;
    (void)signal(SIGPIPE, SIG_IGN);
    if (!load(argv[3], (uint32_t)requests)) {
        (void)fprintf(stderr, "blast: %s: not a file made by gen\n", argv[3]);
        return 1;
    }
    pthread_t threads[CONNECTIONS_MAX];
    double t0 = run.begin_s = now_s();
    for (uint64_t i = 0; i < connections; i++)
        if (pthread_create(&threads[i], NULL, connection, NULL))
            return 1;
    for (uint64_t i = 0; i < connections; i++)
        (void)pthread_join(threads[i], NULL);
    report(now_s() - t0, (unsigned)connections);
    return run.refused || run.broken ? 1 : 0;
}
