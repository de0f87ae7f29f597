// SPDX-License-Identifier: Apache-2.0
/*
 * otlp_json.c - a batch as OTLP/JSON, made from the encoded records by tables
 *
 * proto3's JSON with OTLP's deviations: ids in hex, enums as numbers, lowerCamelCase keys; 64-bit
 * integers are strings, bytes are base64, NaN and infinities are strings. A field that is in the
 * bytes is in the JSON; the tables are in the order fields are written.
 *
 * Threads: no state.
 */
#include "otlp_json.h"

#include "json.h"

enum form {
    NUMBER,
    SIGNED, /* zigzag */
    U64,
    I64,
    F64,
    BOOLEAN,
    TEXT,
    HEX,
    BASE64,
    MESSAGE,
    COUNTS, /* packed: fixed64 */
    BOUNDS, /* doubles */
    VARINTS
};

struct message;

struct member {
    uint32_t number;
    const char *key;
    enum form form;
    bool repeated;
    const struct message *message;
};

struct message {
    const struct member *members;
    size_t n;
};

static const struct message any_value;

static const struct member key_value_members[] = {{1, "key", TEXT, false, NULL},
                                                  {2, "value", MESSAGE, false, &any_value}};
static const struct message key_value = {key_value_members, WAGGLE__COUNT(key_value_members)};

static const struct member array_members[] = {{1, "values", MESSAGE, true, &any_value}};
static const struct message array_value = {array_members, WAGGLE__COUNT(array_members)};

static const struct member list_members[] = {{1, "values", MESSAGE, true, &key_value}};
static const struct message list_value = {list_members, WAGGLE__COUNT(list_members)};

static const struct member any_members[] = {
    {1, "stringValue", TEXT, false, NULL},
    {2, "boolValue", BOOLEAN, false, NULL},
    {3, "intValue", I64, false, NULL},
    {4, "doubleValue", F64, false, NULL},
    {5, "arrayValue", MESSAGE, false, &array_value},
    {6, "kvlistValue", MESSAGE, false, &list_value},
    {7, "bytesValue", BASE64, false, NULL},
};
static const struct message any_value = {any_members, WAGGLE__COUNT(any_members)};

static const struct member event_members[] = {
    {1, "timeUnixNano", U64, false, NULL},
    {2, "name", TEXT, false, NULL},
    {3, "attributes", MESSAGE, true, &key_value},
    {4, "droppedAttributesCount", NUMBER, false, NULL},
};
static const struct message event_message = {event_members, WAGGLE__COUNT(event_members)};

static const struct member link_members[] = {
    {1, "traceId", HEX, false, NULL},
    {2, "spanId", HEX, false, NULL},
    {3, "traceState", TEXT, false, NULL},
    {4, "attributes", MESSAGE, true, &key_value},
    {5, "droppedAttributesCount", NUMBER, false, NULL},
    {6, "flags", NUMBER, false, NULL},
};
static const struct message link_message = {link_members, WAGGLE__COUNT(link_members)};

static const struct member status_members[] = {{2, "message", TEXT, false, NULL},
                                               {3, "code", NUMBER, false, NULL}};
static const struct message status_message = {status_members, WAGGLE__COUNT(status_members)};

static const struct member span_members[] = {
    {1, "traceId", HEX, false, NULL},
    {2, "spanId", HEX, false, NULL},
    {3, "traceState", TEXT, false, NULL},
    {4, "parentSpanId", HEX, false, NULL},
    {16, "flags", NUMBER, false, NULL},
    {5, "name", TEXT, false, NULL},
    {6, "kind", NUMBER, false, NULL},
    {7, "startTimeUnixNano", U64, false, NULL},
    {8, "endTimeUnixNano", U64, false, NULL},
    {9, "attributes", MESSAGE, true, &key_value},
    {10, "droppedAttributesCount", NUMBER, false, NULL},
    {11, "events", MESSAGE, true, &event_message},
    {12, "droppedEventsCount", NUMBER, false, NULL},
    {13, "links", MESSAGE, true, &link_message},
    {14, "droppedLinksCount", NUMBER, false, NULL},
    {15, "status", MESSAGE, false, &status_message},
};
static const struct message span_message = {span_members, WAGGLE__COUNT(span_members)};

static const struct member log_members[] = {
    {1, "timeUnixNano", U64, false, NULL},
    {11, "observedTimeUnixNano", U64, false, NULL},
    {2, "severityNumber", NUMBER, false, NULL},
    {3, "severityText", TEXT, false, NULL},
    {5, "body", MESSAGE, false, &any_value},
    {6, "attributes", MESSAGE, true, &key_value},
    {7, "droppedAttributesCount", NUMBER, false, NULL},
    {8, "flags", NUMBER, false, NULL},
    {9, "traceId", HEX, false, NULL},
    {10, "spanId", HEX, false, NULL},
    {12, "eventName", TEXT, false, NULL},
};
static const struct message log_message = {log_members, WAGGLE__COUNT(log_members)};

static const struct member exemplar_members[] = {
    {2, "timeUnixNano", U64, false, NULL}, {3, "asDouble", F64, false, NULL},
    {6, "asInt", I64, false, NULL},        {4, "spanId", HEX, false, NULL},
    {5, "traceId", HEX, false, NULL},      {7, "filteredAttributes", MESSAGE, true, &key_value},
};
static const struct message exemplar_message = {exemplar_members, WAGGLE__COUNT(exemplar_members)};

static const struct member number_members[] = {
    {7, "attributes", MESSAGE, true, &key_value},
    {2, "startTimeUnixNano", U64, false, NULL},
    {3, "timeUnixNano", U64, false, NULL},
    {4, "asDouble", F64, false, NULL},
    {6, "asInt", I64, false, NULL},
    {5, "exemplars", MESSAGE, true, &exemplar_message},
};
static const struct message number_point = {number_members, WAGGLE__COUNT(number_members)};

static const struct member histogram_members[] = {
    {9, "attributes", MESSAGE, true, &key_value},
    {2, "startTimeUnixNano", U64, false, NULL},
    {3, "timeUnixNano", U64, false, NULL},
    {4, "count", U64, false, NULL},
    {5, "sum", F64, false, NULL},
    {6, "bucketCounts", COUNTS, false, NULL},
    {7, "explicitBounds", BOUNDS, false, NULL},
    {8, "exemplars", MESSAGE, true, &exemplar_message},
    {11, "min", F64, false, NULL},
    {12, "max", F64, false, NULL},
};
static const struct message histogram_point = {histogram_members, WAGGLE__COUNT(histogram_members)};

static const struct member bucket_members[] = {{1, "offset", SIGNED, false, NULL},
                                               {2, "bucketCounts", VARINTS, false, NULL}};
static const struct message buckets_message = {bucket_members, WAGGLE__COUNT(bucket_members)};

static const struct member exponential_members[] = {
    {1, "attributes", MESSAGE, true, &key_value},
    {2, "startTimeUnixNano", U64, false, NULL},
    {3, "timeUnixNano", U64, false, NULL},
    {4, "count", U64, false, NULL},
    {5, "sum", F64, false, NULL},
    {6, "scale", SIGNED, false, NULL},
    {7, "zeroCount", U64, false, NULL},
    {8, "positive", MESSAGE, false, &buckets_message},
    {9, "negative", MESSAGE, false, &buckets_message},
    {11, "exemplars", MESSAGE, true, &exemplar_message},
    {12, "min", F64, false, NULL},
    {13, "max", F64, false, NULL},
};
static const struct message exponential_point = {exponential_members,
                                                 WAGGLE__COUNT(exponential_members)};

static const struct member gauge_members[] = {{1, "dataPoints", MESSAGE, true, &number_point}};
static const struct message gauge_data = {gauge_members, WAGGLE__COUNT(gauge_members)};

static const struct member sum_members[] = {
    {1, "dataPoints", MESSAGE, true, &number_point},
    {2, "aggregationTemporality", NUMBER, false, NULL},
    {3, "isMonotonic", BOOLEAN, false, NULL},
};
static const struct message sum_data = {sum_members, WAGGLE__COUNT(sum_members)};

static const struct member histogram_data_members[] = {
    {1, "dataPoints", MESSAGE, true, &histogram_point},
    {2, "aggregationTemporality", NUMBER, false, NULL},
};
static const struct message histogram_data = {histogram_data_members,
                                              WAGGLE__COUNT(histogram_data_members)};

static const struct member exponential_data_members[] = {
    {1, "dataPoints", MESSAGE, true, &exponential_point},
    {2, "aggregationTemporality", NUMBER, false, NULL},
};
static const struct message exponential_data = {exponential_data_members,
                                                WAGGLE__COUNT(exponential_data_members)};

static const struct member metric_members[] = {
    {1, "name", TEXT, false, NULL},
    {2, "description", TEXT, false, NULL},
    {3, "unit", TEXT, false, NULL},
    {5, "gauge", MESSAGE, false, &gauge_data},
    {7, "sum", MESSAGE, false, &sum_data},
    {9, "histogram", MESSAGE, false, &histogram_data},
    {10, "exponentialHistogram", MESSAGE, false, &exponential_data},
};
static const struct message metric_message = {metric_members, WAGGLE__COUNT(metric_members)};

static const struct member resource_members[] = {{1, "attributes", MESSAGE, true, &key_value}};
static const struct message resource_message = {resource_members, WAGGLE__COUNT(resource_members)};

static const struct member scope_members[] = {
    {1, "name", TEXT, false, NULL},
    {2, "version", TEXT, false, NULL},
    {3, "attributes", MESSAGE, true, &key_value},
};
static const struct message scope_message = {scope_members, WAGGLE__COUNT(scope_members)};

/* --- values -------------------------------------------------------------------------------- */

static void json_hex(struct waggle__buf *out, waggle_str s)
{
    waggle__buf_put(out, "\"", 1);
    for (size_t i = 0; i < s.n; i++)
        waggle__buf_printf(out, "%02x", (unsigned char)s.p[i]);
    waggle__buf_put(out, "\"", 1);
}

/* Packed numbers of eight bytes; what is left over is none. */
static void json_packed(struct waggle__buf *out, waggle_str s, bool doubles)
{
    waggle__buf_put(out, "[", 1);
    for (size_t at = 0; s.n - at >= 8; at += 8) {
        uint64_t v = 0;
        double d;
        for (unsigned i = 0; i < 8; i++)
            v |= (uint64_t)(unsigned char)s.p[at + i] << (8 * i);
        memcpy(&d, &v, sizeof d);
        waggle__buf_str(out, at > 0 ? "," : "");
        if (doubles)
            waggle__json_double(out, d);
        else
            waggle__buf_printf(out, "\"%llu\"", (unsigned long long)v);
    }
    waggle__buf_put(out, "]", 1);
}

static void json_varints(struct waggle__buf *out, waggle_str s)
{
    uint64_t v = 0;
    bool first = true;
    waggle__buf_put(out, "[", 1);
    for (waggle_cursor c = {0}; waggle_count_next(s, &c, &v); first = false)
        waggle__buf_printf(out, first ? "\"%llu\"" : ",\"%llu\"", (unsigned long long)v);
    waggle__buf_put(out, "]", 1);
}

static long zigzag_of(uint64_t v)
{
    uint32_t n = (uint32_t)v;
    return (long)(int32_t)(n >> 1 ^ (0u - (n & 1)));
}

static void json_message(struct waggle__buf *out, waggle_str bytes, const struct message *message,
                         unsigned depth);

static void json_value(struct waggle__buf *out, const struct waggle__field *f,
                       const struct member *m, unsigned depth)
{
    switch (m->form) {
    case NUMBER: waggle__buf_printf(out, "%llu", (unsigned long long)f->value); break;
    case SIGNED: waggle__buf_printf(out, "%ld", zigzag_of(f->value)); break;
    case COUNTS:
    case BOUNDS: json_packed(out, f->bytes, m->form == BOUNDS); break;
    case VARINTS: json_varints(out, f->bytes); break;
    case U64: waggle__buf_printf(out, "\"%llu\"", (unsigned long long)f->value); break;
    case I64: waggle__buf_printf(out, "\"%lld\"", (long long)(int64_t)f->value); break;
    case F64: {
        double v;
        memcpy(&v, &f->value, 8);
        waggle__json_double(out, v);
        break;
    }
    case BOOLEAN: waggle__buf_str(out, f->value ? "true" : "false"); break;
    case TEXT: waggle__json_text(out, f->bytes); break;
    case HEX: json_hex(out, f->bytes); break;
    case BASE64: waggle__json_base64(out, f->bytes); break;
    case MESSAGE:
    default: json_message(out, f->bytes, m->message, depth + 1); break;
    }
}

/* One member: the last occurrence, or all of them as an array. Returns whether there was one. */
static bool json_member(struct waggle__buf *out, waggle_str bytes, const struct member *m,
                        bool first, unsigned depth)
{
    struct waggle__reader r = {(const uint8_t *)bytes.p, bytes.n, 0, false};
    struct waggle__field f;
    struct waggle__field last = {0};
    size_t n = 0;
    while (waggle__field_next(&r, &f)) {
        if (f.number != m->number)
            continue;
        if (n == 0) {
            waggle__buf_str(out, first ? "\"" : ",\"");
            waggle__buf_str(out, m->key);
            waggle__buf_str(out, m->repeated ? "\":[" : "\":");
        } else if (m->repeated) {
            waggle__buf_put(out, ",", 1);
        }
        if (m->repeated)
            json_value(out, &f, m, depth);
        last = f;
        n++;
    }
    if (n > 0 && m->repeated)
        waggle__buf_put(out, "]", 1);
    else if (n > 0)
        json_value(out, &last, m, depth);
    return n > 0;
}

static void json_message(struct waggle__buf *out, waggle_str bytes, const struct message *message,
                         unsigned depth)
{
    enum { DEPTH_MAX = 140 }; // values are at most 64 deep, of two messages each
    bool any = false;
    waggle__buf_put(out, "{", 1);
    for (size_t i = 0; depth < DEPTH_MAX && i < message->n; i++)
        any = json_member(out, bytes, &message->members[i], !any, depth) || any;
    waggle__buf_put(out, "}", 1);
}

/* --- the batch ----------------------------------------------------------------------------- */

static void json_schema_url(struct waggle__buf *out, waggle_str url)
{
    if (url.n == 0)
        return;
    waggle__buf_str(out, ",\"schemaUrl\":");
    waggle__json_text(out, url);
}

/* How a signal's messages are named. */
static const struct signal_names {
    const char *request, *scopes, *records;
    const struct message *record;
} names_of[] = {
    [WAGGLE_SIGNAL_TRACES] = {"resourceSpans", "scopeSpans", "spans", &span_message},
    [WAGGLE_SIGNAL_LOGS] = {"resourceLogs", "scopeLogs", "logRecords", &log_message},
    [WAGGLE_SIGNAL_METRICS] = {"resourceMetrics", "scopeMetrics", "metrics", &metric_message},
};

static void json_scope(struct waggle__buf *out, const waggle_batch *batch, uint32_t scope)
{
    const struct signal_names *names = &names_of[batch->signal];
    bool first = true;
    waggle__buf_str(out, "{\"scope\":");
    json_message(out, batch->scopes[scope]->encoded, &scope_message, 0);
    waggle__buf_printf(out, ",\"%s\":[", names->records);
    for (size_t i = 0; i < batch->n_records; i++) {
        struct waggle__reader r = {batch->records[i].p, batch->records[i].n, 0, false};
        struct waggle__field f;
        if (batch->records[i].scope != scope || !waggle__field_next(&r, &f))
            continue;
        waggle__buf_str(out, first ? "" : ",");
        json_message(out, f.bytes, names->record, 0);
        first = false;
    }
    waggle__buf_put(out, "]", 1);
    json_schema_url(out, batch->scopes[scope]->schema_url);
    waggle__buf_put(out, "}", 1);
}

static bool is_first_of_scope(const waggle_batch *batch, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (batch->records[k].scope == batch->records[i].scope)
            return false;
    return batch->records[i].scope < batch->n_scopes;
}

bool waggle__otlp_json(const waggle_batch *batch, struct waggle__buf *out)
{
    const struct signal_names *names = &names_of[batch->signal];
    bool first = true;
    out->n = 0;
    out->bad = false;
    waggle__buf_printf(out, "{\"%s\":[{\"resource\":", names->request);
    json_message(out, batch->resource->encoded, &resource_message, 0);
    waggle__buf_printf(out, ",\"%s\":[", names->scopes);
    for (size_t i = 0; i < batch->n_records; i++) {
        if (!is_first_of_scope(batch, i))
            continue;
        waggle__buf_str(out, first ? "" : ",");
        json_scope(out, batch, batch->records[i].scope);
        first = false;
    }
    waggle__buf_put(out, "]", 1);
    json_schema_url(out, batch->resource->schema_url);
    waggle__buf_str(out, "}]}");
    return !out->bad;
}
