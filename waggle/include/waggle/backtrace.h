// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/backtrace.h - functions, files and lines in stacks, through libbacktrace: the add-on
 * library waggle-backtrace
 *
 *     waggle_backtrace_use();    // before the first report
 *
 * Reads the debug information of the program and its libraries at the first report (some
 * milliseconds to seconds, and memory for it, which is kept); without debug information there are
 * function names from the symbol table. libbacktrace comes with gcc.
 */
#ifndef WAGGLE_BACKTRACE_ADDON_H
#define WAGGLE_BACKTRACE_ADDON_H

#include "waggle/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Let stacks of reports, and of crashes of this same build, have names from now on. Call it while
 * the program has one thread. False without memory. */
WAGGLE_EXPORT bool waggle_backtrace_use(void);

#ifdef __cplusplus
}
#endif

#endif
