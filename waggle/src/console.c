// SPDX-License-Identifier: Apache-2.0
/*
 * console.c - spans, log records and metrics as readable lines
 *
 *   SERVER "GET /users" 12.345 ms trace=... span=... parent=... scope=lib/1.0 status=ERROR "why"
 *       http.route="/users" http.response.status_code=500
 *       event "exception" +1.2 ms exception.type="EIO"
 *
 * Texts are quoted with control characters escaped, so that a value cannot forge a line.
 *
 * Threads: one at a time; stdio locks the file.
 */
#include "sdk_priv.h"

#include <stdio.h>
#include <stdlib.h>

struct console {
    struct waggle_exporter base;
    FILE *out;
};

static void put_text(FILE *out, waggle_str s)
{
    (void)fputc('"', out); // output errors are seen by the flush at the end
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            (void)fprintf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            (void)fprintf(out, "\\x%02x", c);
        else
            (void)fputc(c, out);
    }
    (void)fputc('"', out);
}

static void put_value(FILE *out, const waggle_value_data *v, unsigned depth);

static void put_map(FILE *out, waggle_str encoded, unsigned depth)
{
    waggle_cursor c = {0};
    waggle_attr_data attr;
    (void)fputc('{', out);
    for (bool first = true; waggle_attr_next(encoded, &c, &attr); first = false) {
        (void)fputs(first ? "" : ", ", out);
        put_text(out, attr.key);
        (void)fputs(": ", out);
        put_value(out, &attr.value, depth + 1);
    }
    (void)fputc('}', out);
}

static void put_list(FILE *out, waggle_str encoded, unsigned depth)
{
    waggle_cursor c = {0};
    waggle_value_data value;
    (void)fputc('[', out);
    for (bool first = true; waggle_value_next(encoded, &c, &value); first = false) {
        (void)fputs(first ? "" : ", ", out);
        put_value(out, &value, depth + 1);
    }
    (void)fputc(']', out);
}

static void put_value(FILE *out, const waggle_value_data *v, unsigned depth)
{
    enum { DEPTH_MAX = 64 };
    switch (depth < DEPTH_MAX ? v->type : WAGGLE_EMPTY) {
    case WAGGLE_STR: put_text(out, v->str); break;
    case WAGGLE_BOOL: (void)fputs(v->boolean ? "true" : "false", out); break;
    case WAGGLE_I64: (void)fprintf(out, "%lld", (long long)v->i64); break;
    case WAGGLE_F64: (void)fprintf(out, "%.17g", v->f64); break;
    case WAGGLE_BYTES: (void)fprintf(out, "<%zu bytes>", v->str.n); break;
    case WAGGLE_LIST:
    case WAGGLE_STRS:
    case WAGGLE_BOOLS:
    case WAGGLE_I64S:
    case WAGGLE_F64S: put_list(out, v->encoded, depth); break;
    case WAGGLE_MAP: put_map(out, v->encoded, depth); break;
    case WAGGLE_EMPTY:
    default: (void)fputs("empty", out); break;
    }
}

static void put_attr(FILE *out, const waggle_attr_data *attr)
{
    (void)fprintf(out, " %.*s=", (int)WAGGLE__MIN(attr->key.n, (size_t)256), attr->key.p);
    put_value(out, &attr->value, 0);
}

static void put_span(FILE *out, const waggle_span_data *s, const waggle_scope_info *scope)
{
    static const char *const kinds[] = {"UNSET",  "INTERNAL", "SERVER",
                                        "CLIENT", "PRODUCER", "CONSUMER"};
    static const char *const states[] = {"UNSET", "OK", "ERROR"};
    char trace[33];
    char span[17];
    char parent[17];
    waggle_trace_id_hex(s->trace_id, trace);
    waggle_span_id_hex(s->span_id, span);
    waggle_span_id_hex(s->parent_span_id, parent);
    (void)fprintf(out, "%s ", kinds[s->kind]);
    put_text(out, s->name);
    (void)fprintf(out, " %.3f ms trace=%s span=%s parent=%s scope=%.*s/%.*s status=%s ",
                  (double)(int64_t)(s->end_ns - s->start_ns) / 1e6, trace, span, parent,
                  (int)scope->name.n, scope->name.p, (int)scope->version.n, scope->version.p,
                  states[s->status]);
    put_text(out, s->status_message);
    (void)fputc('\n', out);
    waggle_cursor c = {0};
    waggle_attr_data attr;
    bool any = false;
    for (; waggle_span_data_attr(s, &c, &attr); any = true) {
        (void)fputs(any ? "" : "   ", out);
        put_attr(out, &attr);
    }
    (void)fputs(any ? "\n" : "", out);
    waggle_event_data event;
    for (c = (waggle_cursor){0}; waggle_span_data_event(s, &c, &event);) {
        (void)fputs("    event ", out);
        put_text(out, event.name);
        (void)fprintf(out, " %+.3f ms", (double)(int64_t)(event.time_ns - s->start_ns) / 1e6);
        for (waggle_cursor e = {0}; waggle_event_data_attr(&event, &e, &attr);)
            put_attr(out, &attr);
        (void)fputc('\n', out);
    }
    waggle_link_data link;
    for (c = (waggle_cursor){0}; waggle_span_data_link(s, &c, &link);) {
        waggle_trace_id_hex(link.trace_id, trace);
        waggle_span_id_hex(link.span_id, span);
        (void)fprintf(out, "    link trace=%s span=%s", trace, span);
        for (waggle_cursor e = {0}; waggle_link_data_attr(&link, &e, &attr);)
            put_attr(out, &attr);
        (void)fputc('\n', out);
    }
}

static void put_log(FILE *out, const waggle_log_data *log, const waggle_scope_info *scope)
{
    static const char *const names[] = {"UNSET", "TRACE", "DEBUG", "INFO",
                                        "WARN",  "ERROR", "FATAL"};
    static const uint8_t none[16];
    char trace[33] = "";
    char span[17] = "";
    if (memcmp(log->trace_id, none, 16) != 0) {
        waggle_trace_id_hex(log->trace_id, trace);
        waggle_span_id_hex(log->span_id, span);
    }
    (void)fprintf(out, "%s ", names[log->severity > 0 ? (log->severity - 1) / 4 + 1 : 0]);
    if (log->event_name.n > 0) {
        (void)fputs("event=", out);
        put_text(out, log->event_name);
        (void)fputc(' ', out);
    }
    put_value(out, &log->body, 0);
    (void)fprintf(out, " trace=%s span=%s scope=%.*s/%.*s", trace, span, (int)scope->name.n,
                  scope->name.p, (int)scope->version.n, scope->version.p);
    waggle_attr_data attr;
    for (waggle_cursor c = {0}; waggle_log_data_attr(log, &c, &attr);)
        put_attr(out, &attr);
    (void)fputc('\n', out);
}

static void put_number(FILE *out, const waggle_point_data *p)
{
    if (p->is_double)
        (void)fprintf(out, "%.17g", p->f64);
    else
        (void)fprintf(out, "%lld", (long long)p->i64);
}

static void put_counts(FILE *out, const char *name, int offset, waggle_str counts)
{
    uint64_t n = 0;
    if (counts.n == 0)
        return;
    (void)fprintf(out, " %s=%d:[", name, offset);
    bool first = true;
    for (waggle_cursor c = {0}; waggle_count_next(counts, &c, &n); first = false)
        (void)fprintf(out, first ? "%llu" : " %llu", (unsigned long long)n);
    (void)fputc(']', out);
}

static void put_histogram(FILE *out, const waggle_point_data *p)
{
    uint64_t n = 0;
    double upper = 0;
    (void)fprintf(out, "count=%llu", (unsigned long long)p->count);
    if (p->has_sum)
        (void)fprintf(out, " sum=%.17g", p->sum);
    if (p->has_min_max)
        (void)fprintf(out, " min=%.17g max=%.17g", p->min, p->max);
    for (waggle_cursor c = {0}; waggle_bucket_next(p, &c, &n, &upper);)
        if (n > 0)
            (void)fprintf(out, " <=%g:%llu", upper, (unsigned long long)n);
    if (p->type == WAGGLE_METRIC_EXPONENTIAL)
        (void)fprintf(out, " scale=%d zero=%llu", p->scale, (unsigned long long)p->zero_count);
    put_counts(out, "positive", p->positive_offset, p->positive);
    put_counts(out, "negative", p->negative_offset, p->negative);
}

static void put_metric(FILE *out, const waggle_metric_data *m, const waggle_scope_info *scope)
{
    static const char *const types[] = {
        [WAGGLE_METRIC_GAUGE] = "GAUGE",
        [WAGGLE_METRIC_SUM] = "SUM",
        [WAGGLE_METRIC_HISTOGRAM] = "HISTOGRAM",
        [WAGGLE_METRIC_EXPONENTIAL] = "EXPONENTIAL",
    };
    static const char *const temporalities[] = {"", " delta", " cumulative"};
    waggle_point_data p;
    waggle_attr_data attr;
    (void)fprintf(out, "%s ", types[m->type]);
    put_text(out, m->name);
    (void)fprintf(out, "%s unit=", temporalities[m->temporality]);
    put_text(out, m->unit);
    (void)fprintf(out, " scope=%.*s/%.*s\n", (int)scope->name.n, scope->name.p,
                  (int)scope->version.n, scope->version.p);
    for (waggle_cursor c = {0}; waggle_metric_data_point(m, &c, &p);) {
        (void)fputs("    ", out);
        if (m->type == WAGGLE_METRIC_GAUGE || m->type == WAGGLE_METRIC_SUM)
            put_number(out, &p);
        else
            put_histogram(out, &p);
        for (waggle_cursor a = {0}; waggle_point_data_attr(&p, &a, &attr);)
            put_attr(out, &attr);
        (void)fputc('\n', out);
    }
}

static enum waggle_export console_export(struct waggle_exporter *e, const waggle_batch *batch,
                                         const waggle_deadline *deadline)
{
    struct console *c = (struct console *)e;
    (void)deadline;
    for (size_t i = 0; i < batch->n_records; i++) {
        waggle_span_data span;
        waggle_log_data log;
        waggle_metric_data metric;
        if (batch->signal == WAGGLE_SIGNAL_METRICS &&
            waggle_record_metric(&batch->records[i], &metric))
            put_metric(c->out, &metric, batch->scopes[batch->records[i].scope]);
        if (batch->signal == WAGGLE_SIGNAL_LOGS && waggle_record_log(&batch->records[i], &log))
            put_log(c->out, &log, batch->scopes[batch->records[i].scope]);
        if (batch->signal == WAGGLE_SIGNAL_TRACES && waggle_record_span(&batch->records[i], &span))
            put_span(c->out, &span, batch->scopes[batch->records[i].scope]);
    }
    return fflush(c->out) == 0 ? WAGGLE_EXPORT_OK : WAGGLE_EXPORT_FAILED;
}

static void console_free(struct waggle_exporter *e)
{
    free(e);
}

static const struct waggle_exporter_ops console_ops = {
    .struct_size = sizeof console_ops,
    .name = "console",
    .export_batch = console_export,
    .free = console_free,
};

struct waggle_exporter *waggle_console_exporter_new(void *out)
{
    struct console *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->base.ops = &console_ops;
    c->out = out ? out : stdout;
    return &c->base;
}
