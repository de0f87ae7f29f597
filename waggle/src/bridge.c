// SPDX-License-Identifier: Apache-2.0
/*
 * bridge.c - log records from other logging libraries, and in the place of syslog(3)
 *
 * Threads: any; waggle_openlog while there is one, as openlog.
 */
#include "priv.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include <syslog.h>

#include "waggle/bridge.h"

enum { BRIDGE_TEXT_MAX = 2048 };

int waggle_severity_of_name(const char *name)
{
    static const struct {
        const char *name;
        int severity;
    } names[] = {
        {"trace", WAGGLE_TRACE}, {"debug", WAGGLE_DEBUG}, {"info", WAGGLE_INFO},
        {"notice", 10},          {"warn", WAGGLE_WARN},   {"warning", WAGGLE_WARN},
        {"err", WAGGLE_ERROR},   {"error", WAGGLE_ERROR}, {"crit", 18},
        {"critical", 18},        {"alert", 19},           {"emerg", WAGGLE_FATAL},
        {"fatal", WAGGLE_FATAL}, {"panic", WAGGLE_FATAL},
    };
    for (size_t i = 0; name != NULL && i < WAGGLE__COUNT(names); i++)
        if (strcasecmp(names[i].name, name) == 0)
            return names[i].severity;
    return WAGGLE_SEVERITY_UNSET;
}

void waggle_bridge_line(struct waggle_logger *logger, const char *level, const char *line, size_t n)
{
    while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
        n--;
    if (n == 0 || !waggle_logger_enabled(logger))
        return;
    waggle_log_emit(logger, &(waggle_log_record){.struct_size = sizeof(waggle_log_record),
                                                 .severity = waggle_severity_of_name(level),
                                                 .severity_text = level,
                                                 .body = waggle_value_strn(line, n)});
}

void waggle_bridge_vlog(struct waggle_logger *logger, int severity, const char *file, int line,
                        const char *function, const char *format, va_list args)
{
    char text[BRIDGE_TEXT_MAX];
    waggle_kv kv[3];
    size_t n = 0;
    if (!waggle_logger_enabled(logger) || vsnprintf(text, sizeof text, format, args) < 0)
        return;
    if (file != NULL)
        kv[n++] = waggle_kv_str("code.file.path", file);
    if (line > 0)
        kv[n++] = waggle_kv_i64("code.line.number", line);
    if (function != NULL)
        kv[n++] = waggle_kv_str("code.function.name", function);
    waggle_log_emit(logger, &(waggle_log_record){.struct_size = sizeof(waggle_log_record),
                                                 .severity = severity,
                                                 .body = waggle_value_str(text),
                                                 .attributes = waggle_attrs_of(kv, n)});
}

/* --- syslog -------------------------------------------------------------------------------- */

static const char *syslog_ident;
static int syslog_facility = LOG_USER;
static bool syslog_also;
static struct waggle_logger *_Atomic syslog_logger;

void waggle_openlog(const char *ident, int option, int facility, bool also)
{
    syslog_ident = ident;
    syslog_facility = facility != 0 ? facility : LOG_USER;
    syslog_also = also;
    if (also)
        openlog(ident, option, facility);
}

static void emit_syslog(struct waggle_logger *logger, int priority, const char *text)
{
    static const char *const levels[] = {"emerg",   "alert",  "crit", "err",
                                         "warning", "notice", "info", "debug"};
    int facility = (priority & LOG_FACMASK) != 0 ? priority & LOG_FACMASK : syslog_facility;
    waggle_kv kv[2] = {waggle_kv_i64("syslog.facility.code", facility >> 3),
                       waggle_kv_str("syslog.appname", syslog_ident)};
    waggle_log_emit(logger, &(waggle_log_record){
                                .struct_size = sizeof(waggle_log_record),
                                .severity = waggle_severity_of_syslog(priority),
                                .severity_text = levels[priority & LOG_PRIMASK],
                                .body = waggle_value_str(text),
                                .attributes = waggle_attrs_of(kv, syslog_ident != NULL ? 2 : 1),
                            });
}

/* The format with what %m means in its place; what finds no room is cut. */
static void put_errno(const char *format, int error, char *ret, size_t cap)
{
    size_t w = 0;
    for (const char *p = format; *p != '\0' && w + 2 < cap; p++) {
        if (p[0] != '%' || p[1] != 'm') {
            ret[w++] = *p;
            if (*p == '%' && p[1] == '%') // stands for itself
                ret[w++] = *++p;
            continue;
        }
        p++;
        char reason[128];
#if defined(__GLIBC__) // with _GNU_SOURCE it gives the text
        const char *text = strerror_r(error, reason, sizeof reason);
#else
        const char *text = strerror_r(error, reason, sizeof reason) == 0 ? reason : "an error";
#endif
        for (; *text != '\0' && w + 3 < cap; text++) {
            if (*text == '%')
                ret[w++] = '%';
            ret[w++] = *text;
        }
    }
    ret[w] = '\0';
}

void waggle_vsyslog(int priority, const char *format, va_list args)
{
    char text[BRIDGE_TEXT_MAX];
    char whole[BRIDGE_TEXT_MAX];
    int saved = errno;
    struct waggle_logger *logger = atomic_load_explicit(&syslog_logger, memory_order_acquire);
    if (logger == NULL) {
        logger = waggle_logger_get("syslog", NULL); // the same one for each that asks
        atomic_store_explicit(&syslog_logger, logger, memory_order_release);
    }
    if (!waggle_logger_enabled(logger) && !syslog_also)
        return;
    put_errno(format, saved, whole, sizeof whole);
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" // the caller's, with %m replaced
#endif
    int n = vsnprintf(text, sizeof text, whole, args);
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
    if (n < 0)
        return;
    if (waggle_logger_enabled(logger))
        emit_syslog(logger, priority, text);
    if (syslog_also)
        syslog(priority, "%s", text);
    errno = saved;
}

void waggle_syslog(int priority, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    waggle_vsyslog(priority, format, args);
    va_end(args);
}
