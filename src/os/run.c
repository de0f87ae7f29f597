// SPDX-License-Identifier: Apache-2.0
/* Running another process (run.h).
 *
 *   memfd with the input --0--> child --1--> pipe -> out          both ends closed here when it
 * ends
 *
 * posix_spawn does not copy this process: a child of a program with threads and much memory is made
 * in microseconds.
 * Threads: any.  Memory: the input once more, in the memfd. */
#include "os/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"

static int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static skep_rc fail(skep_err *err, const char *what, int code)
{
    char text[96];
    return skep_fail(err, SKEP_EIO, "%s: %s", what, strerror_r(code, text, sizeof text));
}

static bool write_all(int fd, skep_bytes b)
{
    while (b.n > 0) {
        ssize_t n = write(fd, b.p, b.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        b = (skep_bytes){b.p + n, b.n - (size_t)n};
    }
    return lseek(fd, 0, SEEK_SET) == 0;
}

static int start(const char *const *argv, int in, int out, pid_t *ret)
{
    char *const none[] = {NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t mask, reset;
    (void)sigemptyset(&mask);
    (void)sigemptyset(&reset);
    (void)sigaddset(&reset, SIGPIPE);
    if (posix_spawn_file_actions_init(&files) != 0)
        return ENOMEM;
    if (posix_spawnattr_init(&attr) != 0) {
        (void)posix_spawn_file_actions_destroy(&files);
        return ENOMEM;
    }
    (void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    (void)posix_spawnattr_setsigmask(&attr, &mask);
    (void)posix_spawnattr_setsigdefault(&attr, &reset);
    int rc = posix_spawn_file_actions_adddup2(&files, in, 0);
    rc = rc ? rc : posix_spawn_file_actions_adddup2(&files, out, 1);
    rc = rc ? rc : posix_spawn_file_actions_addclosefrom_np(&files, 3);
    if (rc == 0)
        rc = posix_spawn(ret, argv[0], &files, &attr, (char *const *)(uintptr_t)argv, none);
    (void)posix_spawnattr_destroy(&attr);
    (void)posix_spawn_file_actions_destroy(&files);
    return rc;
}

/* Until the end of the pipe. */
static skep_rc collect(int fd, struct skep_buf *out, int64_t until_ms, skep_err *err)
{
    uint8_t piece[8 << 10];
    for (;;) {
        int64_t left = until_ms - now_ms();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int ready = left > 0 ? poll(&p, 1, (int)SKEP_MIN(left, (int64_t)INT32_MAX)) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return skep_fail(err, SKEP_ETIMEOUT, "it took too long");
        ssize_t n = read(fd, piece, sizeof piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(err, "reading from it", errno);
        if (n == 0)
            return SKEP_OK;
        skep_buf_put(out, piece, (size_t)n);
        if (out->bad)
            return skep_fail(err, SKEP_ETOOLARGE, "it says more than %zu bytes", out->limit);
    }
}

static skep_rc finish(pid_t pid, skep_rc rc, skep_err *err)
{
    int status = 0;
    if (rc != SKEP_OK)
        (void)kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (rc != SKEP_OK || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
        return rc;
    if (WIFSIGNALED(status))
        return skep_fail(err, SKEP_EINVAL, "it was ended by signal %d", WTERMSIG(status));
    return skep_fail(err, SKEP_EINVAL, "it ended with %d", WEXITSTATUS(status));
}

skep_rc skep_os_run(const char *const *argv, skep_bytes in, struct skep_buf *out, int64_t wait_ms,
                    skep_err *err)
{
    int ends[2] = {-1, -1};
    pid_t pid = 0;
    skep_assert(argv && argv[0] && out);
    int fd = memfd_create("skep input", MFD_CLOEXEC);
    if (fd < 0 || !write_all(fd, in) || pipe2(ends, O_CLOEXEC) != 0) {
        int why = errno;
        if (fd >= 0)
            (void)close(fd);
        return fail(err, argv[0], why);
    }
    int failed = start(argv, fd, ends[1], &pid);
    (void)close(fd);
    (void)close(ends[1]);
    skep_rc rc = failed ? fail(err, argv[0], failed)
                        : finish(pid, collect(ends[0], out, now_ms() + wait_ms, err), err);
    (void)close(ends[0]);
    return rc;
}
