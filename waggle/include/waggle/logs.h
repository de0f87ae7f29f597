// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/logs.h - log records, with the trace they belong to
 *
 *     static struct waggle_logger *log;
 *     log = waggle_logger_get("shop", "1.0");
 *     waggle_log(log, WAGGLE_INFO, "order placed", WAGGLE_ATTRS(waggle_kv_i64("order.id", 7)));
 *
 * A record carries the ids of the thread's current span, or of the context it is given. Meant to be
 * called by programs and by bridges from logging libraries. Without an SDK it does nothing.
 *
 * Threads: any. Nothing aborts or blocks; what is recorded is copied before the call returns.
 */
#ifndef WAGGLE_LOGS_H
#define WAGGLE_LOGS_H

#include "waggle/context.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The first of each range of four; OpenTelemetry's numbers. */
enum waggle_severity {
    WAGGLE_SEVERITY_UNSET = 0,
    WAGGLE_TRACE = 1,
    WAGGLE_DEBUG = 5,
    WAGGLE_INFO = 9,
    WAGGLE_WARN = 13,
    WAGGLE_ERROR = 17,
    WAGGLE_FATAL = 21
};

/* Makes records in the name of one instrumentation scope. Never freed while the process lives. */
struct waggle_logger;

/* The logger of the global provider for this scope; see waggle_tracer_get. */
WAGGLE_EXPORT struct waggle_logger *waggle_logger_get(const char *name, const char *version);
WAGGLE_EXPORT struct waggle_logger *waggle_logger_get_with(const char *name, const char *version,
                                                           const char *schema_url,
                                                           waggle_attrs attributes);

/* True if a record of this logger could go anywhere: ask before work that serves nothing but it. */
WAGGLE_EXPORT bool waggle_logger_enabled(const struct waggle_logger *logger);

/* The same for a record of that severity (0: not known) and event name (NULL: none). */
WAGGLE_EXPORT bool waggle_logger_enabled_for(const struct waggle_logger *logger, int severity,
                                             const char *event_name);

/* A record. Zero everywhere is legal. Borrowed for the call. */
typedef struct waggle_log_record {
    size_t struct_size;        /* 0, or sizeof(waggle_log_record) */
    uint64_t time_ns;          /* when it happened, since 1970 UTC; 0 = not known */
    uint64_t observed_ns;      /* when it was seen; 0 = now */
    int severity;              /* 1 to 24; enum waggle_severity */
    const char *severity_text; /* as the source names it; may be NULL */
    waggle_value body;
    waggle_attrs attributes;
    const char *event_name;               /* makes it an event; may be NULL */
    waggle_span span;                     /* whose it is; wins over context */
    const struct waggle_context *context; /* NULL: the thread's current one */
} waggle_log_record;

/* Emit a record. A body or attributes beyond 64 KiB are cut or left out, and counted. */
WAGGLE_EXPORT void waggle_log_emit(struct waggle_logger *logger, const waggle_log_record *record);

/* Emit a text that happened now, in the current span. */
WAGGLE_EXPORT void waggle_log(struct waggle_logger *logger, enum waggle_severity severity,
                              const char *text, waggle_attrs attributes);

/* The same with printf's formatting, cut at 2 KiB. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
WAGGLE_EXPORT void
waggle_logf(struct waggle_logger *logger, enum waggle_severity severity, const char *format, ...);

/* syslog's priority (LOG_EMERG 0 to LOG_DEBUG 7) as a severity. */
WAGGLE_EXPORT int waggle_severity_of_syslog(int priority);

#ifdef __cplusplus
}
#endif

#endif
