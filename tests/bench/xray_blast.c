// SPDX-License-Identifier: Apache-2.0
/* Sends X-Ray segments as datagrams at a rate, to find the one at which the kernel begins to drop.
 *
 *   xray_blast PORT COUNT RATE        RATE in datagrams a second; 0 = as fast as it goes
 *
 * Each is a trace of its own: a segment with two subsegments, 1,000 bytes.  Prints what was sent;
 * what was taken and dropped is in the server's status. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"

enum { DATAGRAM_BYTES = 1000, BURST = 32 };

static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t make(char text[static 2048], uint64_t i, int64_t start_s)
{
    int n = snprintf(
        text, 2048,
        "{\"format\":\"json\",\"version\":1}\n{\"id\":\"%016" PRIx64
        "\",\"trace_id\":\"1-%08" PRIx64 "-%024" PRIx64
        "\",\"name\":\"backend-%u\",\"start_time\":%" PRId64 ".%06u,\"end_time\":%" PRId64
        ".999999,\"http\":{\"request\":{\"method\":\"GET\",\"url\":"
        "\"http://localhost/api/activities/%u\",\"client_ip\":\"127.0.0.1\"},\"response\":{"
        "\"status\":200,\"content_length\":%u}},\"aws\":{\"xray\":{\"sdk\":\"X-Ray for Python\","
        "\"sdk_version\":\"2.15.0\",\"sampling_rule_name\":\"Default\"}},\"subsegments\":[{\"id\":"
        "\"%016" PRIx64 "\",\"name\":\"dynamodb\",\"namespace\":\"aws\",\"start_time\":%" PRId64
        ".5,\"end_time\":%" PRId64 ".6,\"aws\":{\"operation\":\"PutItem\",\"table_name\":\"t\"}},{"
        "\"id\":\"%016" PRIx64
        "\",\"name\":\"mock-data\",\"namespace\":\"local\",\"start_time\":%" PRId64
        ".6,\"end_time\":%" PRId64 ".7,\"annotations\":{\"user\":\"u-%u\"}}],\"user\":\"",
        3 * i + 1, (uint64_t)start_s, i + 1, (unsigned)(i % 7), start_s, (unsigned)(i % 999983),
        start_s, (unsigned)(i % 97), (unsigned)(i % 4099), 3 * i + 2, start_s, start_s, 3 * i + 3,
        start_s, start_s, (unsigned)(i % 1000));
    for (; n < DATAGRAM_BYTES - 2; n++)
        text[n] = (char)('a' + (unsigned)n % 26);
    text[n++] = '"';
    text[n++] = '}';
    return (size_t)n;
}

int main(int argc, char **argv)
{
    uint64_t port = 0, count = 0, rate = 0, failed = 0;
    if (argc != 4 || !skep_str_u64(skep_str_c(argv[1]), &port) ||
        !skep_str_u64(skep_str_c(argv[2]), &count) || !skep_str_u64(skep_str_c(argv[3]), &rate)) {
        (void)fprintf(stderr, "xray_blast PORT COUNT RATE\n");
        return 2;
    }
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) != 0)
        return 1;
    double start = now_s();
    for (uint64_t i = 0; i < count; i++) {
        char text[2048];
        size_t n = make(text, i, (int64_t)time(NULL));
        failed += send(fd, text, n, 0) != (ssize_t)n;
        double ahead = rate ? (double)i / (double)rate - (now_s() - start) : 0;
        if (i % BURST == 0 && ahead > 0)
            (void)usleep((unsigned)(ahead * 1e6));
    }
    double took = now_s() - start;
    (void)printf("sent %" PRIu64 " in %.2f s: %.0f a second, %" PRIu64 " failed\n", count, took,
                 (double)count / took, failed);
    (void)close(fd);
    return 0;
}
