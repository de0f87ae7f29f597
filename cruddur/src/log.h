// SPDX-License-Identifier: Apache-2.0
/* log.h - the program's log: to standard error, and to CloudWatch Logs where it is set up */
#pragma once

#include <waggle/waggle.h>

/* Leave standard error alone. Once, before there are threads. */
void log_be_quiet(void);

/* Write a line. The current span's ids go with it. Cut at 2 KiB. */
void log_line(enum waggle_severity severity, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Write a text with attributes. event_name (NULL: none) tells kinds of records apart. */
void log_record(enum waggle_severity severity, const char *text, const char *event_name,
                waggle_attrs attributes);

/* Tell Rollbar a message that is no failure. */
void log_report(enum waggle_severity severity, const char *text, waggle_attrs attributes);
