// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/bridge.h - log records from other logging libraries
 *
 * syslog(3): call these instead, with the same arguments; syslog gets the line, too, if `also`.
 *
 *     waggle_openlog("shop", LOG_PID, LOG_DAEMON, true);
 *     waggle_syslog(LOG_WARNING, "stock of %s is low", name);
 *
 * Libraries that give each finished line to a callback (zlog's record functions, glib's, sqlite's):
 *
 *     int output(zlog_msg_t *msg)                          // zlog: zlog_set_record("waggle",
 * output)
 *     {
 *         waggle_bridge_line(logger, msg->path, msg->buf, msg->len);  // path "$LEVEL"
 *         return 0;
 *     }
 *
 * Libraries that give format, arguments and place (log.c's log_add_callback and the like):
 *
 *     waggle_bridge_vlog(logger, WAGGLE_INFO, e->file, e->line, NULL, e->fmt, e->ap);
 *
 * Records belong to the current span, as all do.
 */
#ifndef WAGGLE_BRIDGE_H
#define WAGGLE_BRIDGE_H

#include <stdarg.h>

#include "waggle/logs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The severity that a level's name means, in any case: "trace", "debug", "info", "notice", "warn",
 * "warning", "err", "error", "crit", "critical", "alert", "emerg", "fatal", "panic". Others give
 * WAGGLE_SEVERITY_UNSET. */
WAGGLE_EXPORT int waggle_severity_of_name(const char *name);

/* Emit a line that is finished: n bytes, newlines at its end left out. level: its name, kept as the
 * severity's text; may be NULL. */
WAGGLE_EXPORT void waggle_bridge_line(struct waggle_logger *logger, const char *level,
                                      const char *line, size_t n);

/* Emit a formatted text, cut at 2 KiB, with the place it was logged at. file, function may be NULL,
 * line 0. */
#if defined(__GNUC__)
__attribute__((format(printf, 6, 0)))
#endif
WAGGLE_EXPORT void
waggle_bridge_vlog(struct waggle_logger *logger, int severity, const char *file, int line,
                   const char *function, const char *format, va_list args);

/* openlog(3): records have the scope "syslog", syslog.appname (ident) and syslog.facility. ident is
 * kept as a pointer, as openlog does. also: lines go to syslog, too. */
WAGGLE_EXPORT void waggle_openlog(const char *ident, int option, int facility, bool also);

/* syslog(3) and vsyslog(3), with %m. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
WAGGLE_EXPORT void
waggle_syslog(int priority, const char *format, ...);
#if defined(__GNUC__)
__attribute__((format(printf, 2, 0)))
#endif
WAGGLE_EXPORT void
waggle_vsyslog(int priority, const char *format, va_list args);

#ifdef __cplusplus
}
#endif

#endif
