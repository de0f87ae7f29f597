// SPDX-License-Identifier: Apache-2.0
/*
 * logs.c - the API's side of log records
 *
 * A logger is a tracer under another name: a scope and a provider, kept in the same registry.
 *
 * Threads: any.
 */
#include "priv.h"

#include <stdarg.h>
#include <stdio.h>

struct waggle_logger *waggle_logger_get(const char *name, const char *version)
{
    return (struct waggle_logger *)waggle_tracer_get(name, version);
}

struct waggle_logger *waggle_logger_get_with(const char *name, const char *version,
                                             const char *schema_url, waggle_attrs attributes)
{
    return (struct waggle_logger *)waggle_tracer_get_with(name, version, schema_url, attributes);
}

bool waggle_logger_enabled_for(const struct waggle_logger *logger, int severity,
                               const char *event_name)
{
    const struct waggle__sdk_ops *ops = atomic_load_explicit(&waggle__sdk, memory_order_acquire);
    return ops != NULL && logger != NULL &&
           ops->log_enabled((const struct waggle_tracer *)logger, severity, event_name);
}

bool waggle_logger_enabled(const struct waggle_logger *logger)
{
    return waggle_logger_enabled_for(logger, 0, NULL);
}

void waggle_log_emit(struct waggle_logger *logger, const waggle_log_record *record)
{
    const struct waggle__sdk_ops *ops = atomic_load_explicit(&waggle__sdk, memory_order_acquire);
    if (ops != NULL && logger != NULL && record != NULL)
        ops->log((struct waggle_tracer *)logger, record);
}

void waggle_log(struct waggle_logger *logger, enum waggle_severity severity, const char *text,
                waggle_attrs attributes)
{
    if (!waggle_logger_enabled_for(logger, (int)severity, NULL))
        return;
    const waggle_log_record record = {
        .severity = (int)severity,
        .body = waggle_value_str(text),
        .attributes = attributes,
    };
    waggle_log_emit(logger, &record);
}

void waggle_logf(struct waggle_logger *logger, enum waggle_severity severity, const char *format,
                 ...)
{
    char text[2048];
    if (!waggle_logger_enabled_for(logger, (int)severity, NULL))
        return;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n >= 0)
        waggle_log(logger, severity, text, WAGGLE_NO_ATTRS);
}

int waggle_severity_of_syslog(int priority)
{
    static const int severities[] = {21,          19, 18,          WAGGLE_ERROR,
                                     WAGGLE_WARN, 10, WAGGLE_INFO, WAGGLE_DEBUG};
    return severities[priority & 7];
}
