// SPDX-License-Identifier: Apache-2.0
/* log.c - the program's log; see log.h
 *
 * The logger is called `app`, as Flask's is in the course.
 *
 * Threads: any. Memory: a line on the stack. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

enum { LINE_BYTES = 2048 };

/* By it waggle's Rollbar exporter knows reports from lines. */
static const char report_event[] = "waggle.error";

static bool quiet; /* set before there are threads */

void log_be_quiet(void)
{
    quiet = true;
}

void log_line(enum waggle_severity severity, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    log_record(severity, line, NULL, WAGGLE_NO_ATTRS);
}

void log_record(enum waggle_severity severity, const char *text, const char *event_name,
                waggle_attrs attributes)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now); // this clock is always there
    if (!quiet)
        fprintf(stderr, "%s\n", text);
    waggle_log_emit(
        waggle_logger_get("app", NULL),
        &(waggle_log_record){.time_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
                             .severity = severity,
                             .body = waggle_value_str(text),
                             .attributes = attributes,
                             .event_name = event_name});
}

void log_report(enum waggle_severity severity, const char *text, waggle_attrs attributes)
{
    log_record(severity, text, report_event, attributes);
}
