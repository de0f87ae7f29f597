// SPDX-License-Identifier: Apache-2.0
/* log.c - the program's log; see log.h
 *
 * The logger is called `app`, as Flask's is in the course.
 *
 * Threads: any. Memory: a line on the stack. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>

enum { LINE_BYTES = 2048 };

void log_line(enum waggle_severity severity, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    fprintf(stderr, "%s\n", line);
    waggle_log(waggle_logger_get("app", NULL), severity, line, WAGGLE_NO_ATTRS);
}
