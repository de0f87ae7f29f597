// SPDX-License-Identifier: Apache-2.0
/*
 * cloudwatch_event.c - a log record as the message of an event, in the form the OpenTelemetry
 * collector's exporter writes
 *
 * Of the resource only service.name is told with each event: the rest is the same in each of them.
 *
 * Threads: no state.
 */
#include "cloudwatch_event.h"

#include "json.h"

waggle_str waggle__resource_text(const waggle_resource_info *resource, const char *key)
{
    waggle_attr_data a;
    for (waggle_cursor c = {0}; waggle_attr_next(resource->attributes, &c, &a);)
        if (a.key.n == strlen(key) && memcmp(a.key.p, key, a.key.n) == 0 &&
            a.value.type == WAGGLE_STR)
            return a.value.str;
    return (waggle_str){"", 0};
}

static const char *severity_name(int severity)
{
    static const char *const names[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};
    return severity >= 1 && severity <= 24 ? names[(severity - 1) / 4] : "";
}

static void put_attributes(struct waggle__obj *o, const waggle_log_data *log)
{
    waggle_attr_data a;
    struct waggle__obj attributes = {o->out, false};
    for (waggle_cursor c = {0}; waggle_log_data_attr(log, &c, &a);) {
        if (!attributes.any) {
            waggle__obj_key(o, waggle__str("attributes"));
            waggle__buf_put(o->out, "{", 1);
        }
        waggle__obj_key(&attributes, a.key);
        waggle__json_value(o->out, &a.value);
    }
    if (attributes.any)
        waggle__obj_end(&attributes);
}

static void put_ids_of(struct waggle__obj *o, const waggle_log_data *log)
{
    static const uint8_t none[16];
    char hex[33];
    if (memcmp(log->trace_id, none, 16) == 0)
        return;
    waggle__obj_key(o, waggle__str("flags"));
    waggle__buf_printf(o->out, "%u", log->flags);
    waggle_trace_id_hex(log->trace_id, hex);
    waggle__obj_text(o, "trace_id", waggle__str(hex), 32);
    waggle_span_id_hex(log->span_id, hex);
    waggle__obj_text(o, "span_id", waggle__str(hex), 16);
}

static void put_nested(struct waggle__obj *o, const char *key, const char *inner, waggle_str value)
{
    if (value.n == 0)
        return;
    waggle__obj_key(o, waggle__str(key));
    struct waggle__obj nested = waggle__obj_begin(o->out);
    waggle__obj_text(&nested, inner, value, SIZE_MAX);
    waggle__obj_end(&nested);
}

static void put_raw(struct waggle__buf *out, const waggle_log_data *log)
{
    if (log->body.type == WAGGLE_STR)
        waggle__buf_put(out, log->body.str.p, log->body.str.n);
    else if (log->body.type != WAGGLE_EMPTY)
        waggle__json_value(out, &log->body);
    else
        waggle__buf_put(out, log->event_name.p, log->event_name.n);
    if (out->n == 0)
        waggle__buf_put(out, " ", 1); // the service takes no empty message
}

void waggle__cloudwatch_message(struct waggle__buf *out, const waggle_log_data *log,
                                const waggle_scope_info *scope,
                                const waggle_resource_info *resource, bool raw)
{
    out->n = 0;
    out->bad = false;
    if (raw) {
        put_raw(out, log);
        return;
    }
    struct waggle__obj o = waggle__obj_begin(out);
    waggle__obj_text(&o, "name", log->event_name, SIZE_MAX);
    if (log->body.type != WAGGLE_EMPTY) {
        waggle__obj_key(&o, waggle__str("body"));
        waggle__json_value(out, &log->body);
    }
    if (log->severity > 0) {
        waggle__obj_key(&o, waggle__str("severity_number"));
        waggle__buf_printf(out, "%d", log->severity);
    }
    waggle__obj_text(&o, "severity_text",
                     log->severity_text.n > 0 ? log->severity_text
                                              : waggle__str(severity_name(log->severity)),
                     SIZE_MAX);
    put_attributes(&o, log);
    put_ids_of(&o, log);
    put_nested(&o, "scope", "name", scope->name);
    put_nested(&o, "resource", "service.name", waggle__resource_text(resource, "service.name"));
    waggle__obj_end(&o);
}
