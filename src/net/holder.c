// SPDX-License-Identifier: Apache-2.0
/* Who holds a port: /proc/net/{tcp,udp}{,6} name the socket's inode, /proc/PID/fd its owner.
 *
 * Best effort, for an error message: other users' processes are not readable, and a process of
 * another network namespace is not listed.
 *
 * Threads: any.  Memory: none kept. */
#include "net/net_priv.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { TCP_LISTEN_STATE = 0x0a, UDP_BOUND_STATE = 0x07, LINE_BYTES = 512 };

static unsigned port_of(const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)a)->sin6_port);
    return ntohs(((const struct sockaddr_in *)(const void *)a)->sin_port);
}

static bool hex_u64(skep_str s, uint64_t *ret)
{
    uint8_t b[8] = {0};
    char text[16];
    if (s.n == 0 || s.n > sizeof text)
        return false;
    memset(text, '0', sizeof text);
    memcpy(text + sizeof text - s.n, s.p, s.n);
    if (!skep_hex_decode((skep_str){text, sizeof text}, b, sizeof b))
        return false;
    *ret = 0;
    for (size_t i = 0; i < sizeof b; i++)
        *ret = *ret << 8 | b[i];
    return true;
}

static skep_str next_word(skep_str *line)
{
    *line = skep_str_trim(*line);
    skep_str word = skep_str_cut(line, ' ');
    return word;
}

/* "  0: 0100007F:10DE 00000000:0000 0A ... inode ..." */
static bool parse_line(skep_str line, unsigned port, bool udp, uint64_t *ret_inode)
{
    uint64_t local_port = 0;
    uint64_t state = 0;
    (void)next_word(&line); /* the number of the line */
    skep_str local = next_word(&line);
    (void)next_word(&line); /* remote */
    if (!hex_u64(next_word(&line), &state) || state != (udp ? UDP_BOUND_STATE : TCP_LISTEN_STATE))
        return false;
    size_t colon = skep_str_chr(local, ':');
    if (colon == SIZE_MAX || !hex_u64(skep_str_skip(local, colon + 1), &local_port))
        return false;
    for (int skip = 0; skip < 5; skip++)
        (void)next_word(&line); /* queues, timer, retransmits, uid, timeout */
    return local_port == port && skep_str_u64(next_word(&line), ret_inode);
}

static bool find_inode(const char *path, unsigned port, bool udp, uint64_t *ret_inode)
{
    char line[LINE_BYTES];
    bool found = false;
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    while (!found && fgets(line, sizeof line, f))
        found = parse_line(skep_str_c(line), port, udp, ret_inode);
    (void)fclose(f); /* read only: nothing to lose */
    return found;
}

static bool has_socket(const char *pid, const char *wanted)
{
    char dir[64];
    (void)snprintf(dir, sizeof dir, "/proc/%.16s/fd", pid);
    bool found = false;
    DIR *d = opendir(dir);
    if (!d)
        return false;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this function's own
    for (struct dirent *e; !found && (e = readdir(d)) != NULL;) {
        char path[128];
        char target[64];
        (void)snprintf(path, sizeof path, "%s/%.16s", dir, e->d_name);
        ssize_t n = readlink(path, target, sizeof target - 1);
        if (n <= 0)
            continue;
        target[n] = '\0';
        found = skep_str_eq(skep_str_c(target), skep_str_c(wanted));
    }
    (void)closedir(d); /* read only */
    return found;
}

static void command_of(const char *pid, char *out, size_t cap)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%.16s/comm", pid);
    out[0] = '\0';
    FILE *f = fopen(path, "re");
    if (!f)
        return;
    if (!fgets(out, (int)cap, f))
        out[0] = '\0';
    (void)fclose(f); /* read only */
    for (char *c = out; *c; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7f)
            *c = c[1] ? '?' : '\0';
}

skep_str skep_net__holder(const struct sockaddr_storage *a, bool udp, char *buf, size_t cap)
{
    uint64_t inode = 0;
    unsigned port = port_of(a);
    bool found = find_inode(udp ? "/proc/net/udp" : "/proc/net/tcp", port, udp, &inode);
    found = found || find_inode(udp ? "/proc/net/udp6" : "/proc/net/tcp6", port, udp, &inode);
    DIR *d = found ? opendir("/proc") : NULL;
    if (!d)
        return SKEP_STR("another program");
    char wanted[64];
    (void)snprintf(wanted, sizeof wanted, "socket:[%" PRIu64 "]", inode);
    skep_str holder = SKEP_STR("another program");
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this function's own
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char command[64];
        if (e->d_name[0] < '0' || e->d_name[0] > '9' || !has_socket(e->d_name, wanted))
            continue;
        command_of(e->d_name, command, sizeof command);
        int n = snprintf(buf, cap, "%s (pid %.16s)", command[0] ? command : "a process", e->d_name);
        if (n > 0 && (size_t)n < cap)
            holder = (skep_str){buf, (size_t)n};
        break;
    }
    (void)closedir(d); /* read only */
    return holder;
}
