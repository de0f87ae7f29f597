// SPDX-License-Identifier: Apache-2.0
/* Assertions: for programmer errors only, on in release.  Hostile bytes are data errors. */
#pragma once

#include "base/compiler.h"

/* Print the condition, place and a backtrace to stderr, then abort. */
void skep_assert_failed(const char *cond, const char *file, int line) SKEP_COLD SKEP_NORETURN;

#define skep_assert(c)                                                                             \
    do {                                                                                           \
        if (SKEP_UNLIKELY(!(c)))                                                                   \
            skep_assert_failed(#c, __FILE__, __LINE__);                                            \
    } while (0)

/* For O(n) checks and per-row loops: only in debug and sanitizer builds (-DSKEP_DEBUG). */
#if defined(SKEP_DEBUG)
#define skep_dassert(c) skep_assert(c)
#else
#define skep_dassert(c)                                                                            \
    do {                                                                                           \
        (void)sizeof(!(c));                                                                        \
    } while (0)
#endif

#define skep_unreachable(why) skep_assert_failed("unreachable: " why, __FILE__, __LINE__)
