// SPDX-License-Identifier: Apache-2.0
/* Another process, for work that must not endanger this one. */
#pragma once

#include "base/buf.h"

/* Run a program with `in` as its standard input and collect what it writes.  It inherits nothing
 * else: no open files but standard error, no environment, no blocked signals.
 *
 * argv      ends with NULL; argv[0] is the program's path
 * out       its limit bounds the answer: more ends the program
 * wait_ms   longer than that ends it, too
 * Returns   SKEP_OK (it ended with 0) | SKEP_EINVAL (with something else) | SKEP_ETIMEOUT |
 *           SKEP_ETOOLARGE | SKEP_EIO (it could not be started)
 * Threads   any that may wait */
SKEP_NODISCARD skep_rc skep_os_run(const char *const *argv, skep_bytes in, struct skep_buf *out,
                                   int64_t wait_ms, skep_err *err);

/* Bound this process before it reads what may be hostile: memory, processor time; of system calls
 * those alone that read and write what is open, and take memory without code in it.  Others fail as
 * if they were not permitted.  It has one thread. */
void skep_os_confine(uint64_t memory_bytes, unsigned cpu_s);
