// SPDX-License-Identifier: Apache-2.0
/*
 * os.c - the clock and randomness, behind a table that tests replace
 *
 * A span has one clock reading at each end. Its begin is monotonic time plus an offset to UTC, its
 * end is begin plus monotonic time passed: a step of the wall clock changes no duration. The offset
 * is read again when it is a second old, so that after a step new spans stand right.
 *
 * Threads: the offset is two relaxed atomics; threads that see one of them late are off by what the
 * clock drifted in a second.
 */
#include "sdk_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

enum { NS_MS = 1000000 };
#define NS_S UINT64_C(1000000000)

static uint64_t clock_ns(clockid_t id)
{
    struct timespec ts;
    if (clock_gettime(id, &ts) != 0)
        return 0;
    return (uint64_t)ts.tv_sec * NS_S + (uint64_t)ts.tv_nsec;
}

static uint64_t real_monotonic(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

static uint64_t real_realtime(void)
{
    return clock_ns(CLOCK_REALTIME);
}

static bool real_random(void *ret, size_t n)
{
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    size_t have = 0;
    while (have < n) {
        ssize_t r = read(fd, (char *)ret + have, n - have);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            break;
        have += (size_t)r;
    }
    (void)close(fd); // only read
    return have == n;
}

struct waggle__os waggle__os = {real_monotonic, real_realtime, real_random};

static _Atomic uint64_t offset;
static _Atomic uint64_t offset_at; /* monotonic; 0 = never */

uint64_t waggle__monotonic(void)
{
    return waggle__os.monotonic_ns();
}

uint64_t waggle__utc_offset(uint64_t monotonic_ns)
{
    uint64_t at = atomic_load_explicit(&offset_at, memory_order_relaxed);
    if (WAGGLE__LIKELY(at != 0 && monotonic_ns - at < NS_S))
        return atomic_load_explicit(&offset, memory_order_relaxed);
    uint64_t now = waggle__os.realtime_ns() - monotonic_ns; // wraps if UTC is behind: adds up again
    atomic_store_explicit(&offset, now, memory_order_relaxed);
    atomic_store_explicit(&offset_at, monotonic_ns, memory_order_relaxed);
    return now;
}

/* Deadlines are real time that passes for the kernel's waits, whatever clock a test gave. */
waggle_deadline waggle__deadline_in(uint32_t ms)
{
    return (waggle_deadline){real_monotonic() + (uint64_t)ms * NS_MS, -1};
}

int waggle_deadline_left_ms(const waggle_deadline *deadline)
{
    uint64_t now = real_monotonic();
    if (deadline->monotonic_ns <= now)
        return 0;
    uint64_t ms = (deadline->monotonic_ns - now + NS_MS - 1) / NS_MS;
    return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

void waggle__timespec(uint64_t monotonic_ns, struct timespec *ret)
{
    ret->tv_sec = (time_t)(monotonic_ns / NS_S);
    ret->tv_nsec = (long)(monotonic_ns % NS_S);
}

void waggle__cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    // None of these fails with these arguments.
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(cond, &attr);
    (void)pthread_condattr_destroy(&attr);
}

bool waggle__wait(uint32_t ms, const waggle_deadline *deadline)
{
    waggle_deadline until = waggle__deadline_in(ms);
    for (;;) {
        int left = waggle_deadline_left_ms(&until);
        if (left == 0)
            return true;
        struct pollfd fd = {deadline->cancel_fd, POLLIN, 0};
        int n = poll(&fd, deadline->cancel_fd >= 0 ? 1 : 0, left);
        if (n > 0)
            return false;
        if (n < 0 && errno != EINTR)
            return true;
    }
}
