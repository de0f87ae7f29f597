// SPDX-License-Identifier: Apache-2.0
/*
 * backtrace.h - return addresses, the modules they lie in, and both as text
 */
#ifndef WAGGLE_BACKTRACE_H
#define WAGGLE_BACKTRACE_H

#include "frames.h"

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

enum {
    WAGGLE__PCS_MAX = 128, /* of a stack: more are cut from its middle */
    WAGGLE__MODULES_BYTES = 64 << 10,
    WAGGLE__BUILD_ID_MAX = 64
};

/* A loaded file. Texts point into the encoded table. */
struct waggle__module {
    uint64_t low, high, bias; /* addresses it covers; what is added to those in the file */
    waggle_str path;
    waggle_str build_id; /* bytes */
};

/* The return addresses of the calling thread, innermost first, this function's own among them. Of
 * more than there is room for the middle ones are left out. Safe in a signal handler after the
 * first call. */
size_t waggle__backtrace(uint64_t ret_pcs[WAGGLE__PCS_MAX]);

/* Encode what is loaded: u64 low, high, bias, u16 path_n, u8 id_n, path, id for each module, all
 * little endian. */
void waggle__modules_encode(struct waggle__buf *out);

/* The next module of such a table; false at the end and when it is bad. */
bool waggle__module_next(waggle_str table, waggle_cursor *cursor, struct waggle__module *ret);

/* Write a stack as text. `table`: the modules of the process it is of. `own`: it is this process,
 * else addresses are taken to modules of this process with the same build id to be named there.
 * `exact`: how many of the first addresses are no return addresses (1 for a crash). */
void waggle__stack_text(struct waggle__buf *out, const uint64_t *pcs, size_t n, size_t exact,
                        waggle_str table, bool own);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif
