// SPDX-License-Identifier: Apache-2.0
/* The end of the road for programmer errors: say what and where, print a backtrace, abort.
 * The write-ahead log makes this safe at any instant (design.md, promise 1).
 * Threads: any; uses only async-signal-safe output. */
#include "base/assert.h"

#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void skep_assert_failed(const char *cond, const char *file, int line)
{
    void *frames[48];
    char msg[512];
    int n = snprintf(msg, sizeof msg, "skep: assertion failed: %s at %s:%d\n", cond, file, line);

    if (n > 0)
        (void)!write(STDERR_FILENO, msg, SKEP_MIN((size_t)n, sizeof msg - 1));
    n = backtrace(frames, (int)SKEP_ARRAY_LEN(frames));
    backtrace_symbols_fd(frames, n, STDERR_FILENO);
    abort();
}
