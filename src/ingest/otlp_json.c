// SPDX-License-Identifier: Apache-2.0
/* OTLP/JSON -> OTLP protobuf, by tables.
 *
 * There is one mapping from OTLP to rows, and it reads protobuf; JSON is rewritten as such.  A
 * message is a table of fields: JSON name, protobuf name, number, type.  What a table does not name
 * is ignored.
 *
 *   yyjson values --(message table)--> protobuf bytes --(otlp_trace.c ...)--> rows
 *
 * Accepted beyond the letter of the specification, as senders and the Collector do:
 *   keys       lowerCamelCase and snake_case
 *   ids        hex in either case, else base64 of the right length; anything else is passed on as a
 *              wrong id, for the row to be refused rather than the request
 *   integers   numbers or strings, exact to 64 bits; 1e3 and 2.0 where they are integers
 *   doubles    numbers or strings, "NaN" "Infinity" "-Infinity"
 *   bytes      base64, both alphabets, padded or not
 *   enums      numbers or names
 *   null       as if the key were not there
 *
 * I1  recursion is bounded by ANY_DEPTH_MAX; the path has room for it.
 * I2  the message takes at most twice the bytes of the text.
 * Threads: any.  Memory: yyjson's values from the budget given, the message in the buffer given. */
#include "ingest/otlp_priv.h"

#include <math.h>
#include <stdio.h>
#include <yyjson.h>

#include "base/assert.h"
#include "wire/base64.h"
#include "wire/json_in.h"

enum { ANY_DEPTH_MAX = 40, PATH_MAX_LEVELS = 3 * ANY_DEPTH_MAX + 16 };

enum type { STR, BYTES, ID16, ID8, BOOL, INT64, UINT32, FIXED64, FIXED32, DOUBLE, ENUM, MSG, LIST };

struct message;

struct field {
    skep_str camel, snake;
    uint32_t number;
    enum type type;
    const struct message *message; /* MSG, LIST (repeated messages) */
    const struct constant *names;  /* ENUM */
};

struct constant {
    skep_str name; /* n == 0 ends the table */
    unsigned value;
};

struct message {
    const struct field *fields;
    size_t n;
    bool any; /* AnyValue: counts towards ANY_DEPTH_MAX */
};

// --- tables ------------------------------------------------------------------------------------

#define S(lit)                                                                                     \
    {                                                                                              \
        "" lit, sizeof(lit) - 1                                                                    \
    }
#define F(camel, snake, number, typ)                                                               \
    {                                                                                              \
        S(camel), S(snake), (number), (typ), NULL, NULL                                            \
    }
#define M(camel, snake, number, typ, msg)                                                          \
    {                                                                                              \
        S(camel), S(snake), (number), (typ), &(msg), NULL                                          \
    }
#define E(camel, snake, number, table)                                                             \
    {                                                                                              \
        S(camel), S(snake), (number), ENUM, NULL, (table)                                          \
    }
#define MESSAGE(name)                                                                              \
    static const struct message name = {name##_fields, SKEP_ARRAY_LEN(name##_fields), false}

static const struct message any_value, array_value, key_value_list;

enum { ANY_VALUE_DOUBLE = 4 };

static const struct field key_value_fields[] = {
    F("key", "key", 1, STR),
    M("value", "value", 2, MSG, any_value),
};
MESSAGE(key_value);

static const struct field any_value_fields[] = {
    F("stringValue", "string_value", 1, STR),
    F("intValue", "int_value", 3, INT64),
    F("boolValue", "bool_value", 2, BOOL),
    F("doubleValue", "double_value", ANY_VALUE_DOUBLE, DOUBLE),
    M("arrayValue", "array_value", 5, MSG, array_value),
    M("kvlistValue", "kvlist_value", 6, MSG, key_value_list),
    F("bytesValue", "bytes_value", 7, BYTES),
};
static const struct message any_value = {any_value_fields, SKEP_ARRAY_LEN(any_value_fields), true};

static const struct field array_value_fields[] = {M("values", "values", 1, LIST, any_value)};
MESSAGE(array_value);

static const struct field key_value_list_fields[] = {M("values", "values", 1, LIST, key_value)};
MESSAGE(key_value_list);

static const struct field resource_fields[] = {
    M("attributes", "attributes", 1, LIST, key_value),
    F("droppedAttributesCount", "dropped_attributes_count", 2, UINT32),
};
MESSAGE(resource);

static const struct field scope_fields[] = {
    F("name", "name", 1, STR),
    F("version", "version", 2, STR),
    M("attributes", "attributes", 3, LIST, key_value),
    F("droppedAttributesCount", "dropped_attributes_count", 4, UINT32),
};
MESSAGE(scope);

static const struct constant span_kinds[] = {
    {S("SPAN_KIND_UNSPECIFIED"), 0},
    {S("SPAN_KIND_INTERNAL"), 1},
    {S("SPAN_KIND_SERVER"), 2},
    {S("SPAN_KIND_CLIENT"), 3},
    {S("SPAN_KIND_PRODUCER"), 4},
    {S("SPAN_KIND_CONSUMER"), 5},
    {{NULL, 0}, 0},
};

static const struct constant status_codes[] = {
    {S("STATUS_CODE_UNSET"), 0},
    {S("STATUS_CODE_OK"), 1},
    {S("STATUS_CODE_ERROR"), 2},
    {{NULL, 0}, 0},
};

#define SEVERITY(name, from)                                                                       \
    {S("SEVERITY_NUMBER_" name), (from)}, {S("SEVERITY_NUMBER_" name "2"), (from) + 1},            \
        {S("SEVERITY_NUMBER_" name "3"), (from) + 2},                                              \
    {                                                                                              \
        S("SEVERITY_NUMBER_" name "4"), (from) + 3                                                 \
    }
static const struct constant severities[] = {
    {S("SEVERITY_NUMBER_UNSPECIFIED"), 0},
    SEVERITY("TRACE", 1),
    SEVERITY("DEBUG", 5),
    SEVERITY("INFO", 9),
    SEVERITY("WARN", 13),
    SEVERITY("ERROR", 17),
    SEVERITY("FATAL", 21),
    {{NULL, 0}, 0},
};

static const struct field event_fields[] = {
    F("timeUnixNano", "time_unix_nano", 1, FIXED64),
    F("name", "name", 2, STR),
    M("attributes", "attributes", 3, LIST, key_value),
    F("droppedAttributesCount", "dropped_attributes_count", 4, UINT32),
};
MESSAGE(event);

static const struct field link_fields[] = {
    F("traceId", "trace_id", 1, ID16),
    F("spanId", "span_id", 2, ID8),
    F("traceState", "trace_state", 3, STR),
    M("attributes", "attributes", 4, LIST, key_value),
    F("droppedAttributesCount", "dropped_attributes_count", 5, UINT32),
    F("flags", "flags", 6, FIXED32),
};
MESSAGE(link);

static const struct field status_fields[] = {
    F("message", "message", 2, STR),
    E("code", "code", 3, status_codes),
};
MESSAGE(status);

static const struct field span_fields[] = {
    F("traceId", "trace_id", 1, ID16),
    F("spanId", "span_id", 2, ID8),
    F("traceState", "trace_state", 3, STR),
    F("parentSpanId", "parent_span_id", 4, ID8),
    F("name", "name", 5, STR),
    E("kind", "kind", 6, span_kinds),
    F("startTimeUnixNano", "start_time_unix_nano", 7, FIXED64),
    F("endTimeUnixNano", "end_time_unix_nano", 8, FIXED64),
    M("attributes", "attributes", 9, LIST, key_value),
    F("droppedAttributesCount", "dropped_attributes_count", 10, UINT32),
    M("events", "events", 11, LIST, event),
    F("droppedEventsCount", "dropped_events_count", 12, UINT32),
    M("links", "links", 13, LIST, link),
    F("droppedLinksCount", "dropped_links_count", 14, UINT32),
    M("status", "status", 15, MSG, status),
    F("flags", "flags", 16, FIXED32),
};
MESSAGE(span);

static const struct field record_fields[] = {
    F("timeUnixNano", "time_unix_nano", 1, FIXED64),
    F("observedTimeUnixNano", "observed_time_unix_nano", 11, FIXED64),
    E("severityNumber", "severity_number", 2, severities),
    F("severityText", "severity_text", 3, STR),
    M("body", "body", 5, MSG, any_value),
    M("attributes", "attributes", 6, LIST, key_value),
    F("droppedAttributesCount", "dropped_attributes_count", 7, UINT32),
    F("flags", "flags", 8, FIXED32),
    F("traceId", "trace_id", 9, ID16),
    F("spanId", "span_id", 10, ID8),
    F("eventName", "event_name", 12, STR),
};
MESSAGE(record);

/* Data points are only counted: their fields are all unknown. */
static const struct message data_point = {NULL, 0, false};

static const struct field data_fields[] = {M("dataPoints", "data_points", 1, LIST, data_point)};
MESSAGE(data);

static const struct field metric_fields[] = {
    F("name", "name", 1, STR),
    M("gauge", "gauge", 5, MSG, data),
    M("sum", "sum", 7, MSG, data),
    M("histogram", "histogram", 9, MSG, data),
    M("exponentialHistogram", "exponential_histogram", 10, MSG, data),
    M("summary", "summary", 11, MSG, data),
};
MESSAGE(metric);

/* The three signals' envelopes: request, resource group, scope group. */
#define SIGNAL(signal, camel_res, snake_res, camel_scope, snake_scope, camel_item, snake_item,     \
               item)                                                                               \
    static const struct field signal##_items_fields[] = {                                          \
        M("scope", "scope", 1, MSG, scope),                                                        \
        M(camel_item, snake_item, 2, LIST, item),                                                  \
        F("schemaUrl", "schema_url", 3, STR),                                                      \
    };                                                                                             \
    MESSAGE(signal##_items);                                                                       \
    static const struct field signal##_group_fields[] = {                                          \
        M("resource", "resource", 1, MSG, resource),                                               \
        M(camel_scope, snake_scope, 2, LIST, signal##_items),                                      \
        F("schemaUrl", "schema_url", 3, STR),                                                      \
    };                                                                                             \
    MESSAGE(signal##_group);                                                                       \
    static const struct field signal##_request_fields[] = {                                        \
        M(camel_res, snake_res, 1, LIST, signal##_group),                                          \
    };                                                                                             \
    MESSAGE(signal##_request)

SIGNAL(traces, "resourceSpans", "resource_spans", "scopeSpans", "scope_spans", "spans", "spans",
       span);
SIGNAL(logs, "resourceLogs", "resource_logs", "scopeLogs", "scope_logs", "logRecords",
       "log_records", record);
SIGNAL(metrics, "resourceMetrics", "resource_metrics", "scopeMetrics", "scope_metrics", "metrics",
       "metrics", metric);

static const struct message *const requests[SKEP_OTLP_SIGNAL_COUNT] = {
    [SKEP_OTLP_TRACES] = &traces_request,
    [SKEP_OTLP_LOGS] = &logs_request,
    [SKEP_OTLP_METRICS] = &metrics_request,
};

// --- the walk ----------------------------------------------------------------------------------

struct walk {
    struct skep_buf *out;
    skep_err *err;
    unsigned any_depth;
    unsigned levels;
    struct level {
        skep_str key;
        size_t index; /* SIZE_MAX: no list */
    } path[PATH_MAX_LEVELS];
};

SKEP_COLD static skep_rc bad(struct walk *w, const char *what)
{
    char path[160];
    size_t n = 0;
    path[0] = 0;
    for (unsigned i = 0; i < w->levels && n < sizeof path - 48; i++) {
        const struct level *l = &w->path[i];
        n += (size_t)snprintf(path + n, sizeof path - n, "%s%.30s", i ? "." : "", l->key.p);
        if (l->index != SIZE_MAX)
            n += (size_t)snprintf(path + n, sizeof path - n, "[%zu]", l->index);
    }
    return skep_fail(w->err, SKEP_EMALFORMED, "%s: %s", path, what);
}

static skep_str text_of(yyjson_val *v)
{
    return (skep_str){unsafe_yyjson_get_str(v), unsafe_yyjson_get_len(v)};
}

static bool integral(double x, bool is_signed, uint64_t *ret)
{
    if (!(x == floor(x)) || (!is_signed && x < 0))
        return false;
    if (is_signed) {
        if (x < -0x1p63 || x >= 0x1p63)
            return false;
        *ret = (uint64_t)(int64_t)x;
        return true;
    }
    if (x >= 0x1p64)
        return false;
    *ret = (uint64_t)x;
    return true;
}

/* An integer, however it is written, as its 64 bits. */
static bool read_int(yyjson_val *v, bool is_signed, uint64_t *ret)
{
    double x;
    int64_t i;
    if (yyjson_is_uint(v)) {
        *ret = unsafe_yyjson_get_uint(v);
        return !is_signed || *ret <= INT64_MAX;
    }
    if (yyjson_is_sint(v)) {
        i = unsafe_yyjson_get_sint(v);
        *ret = (uint64_t)i;
        return is_signed || i >= 0;
    }
    if (yyjson_is_real(v))
        return integral(unsafe_yyjson_get_real(v), is_signed, ret);
    if (!yyjson_is_str(v))
        return false;
    skep_str s = text_of(v);
    if (is_signed && skep_str_i64(s, &i)) {
        *ret = (uint64_t)i;
        return true;
    }
    if (!is_signed && skep_str_u64(s, ret))
        return true;
    // From 2^53 on a double may stand for its neighbour: such text is refused, not rounded.
    return skep_str_f64(s, &x) && fabs(x) < 0x1p53 && integral(x, is_signed, ret);
}

static bool read_double(yyjson_val *v, double *ret)
{
    if (yyjson_is_num(v)) {
        *ret = yyjson_get_num(v);
        // "-0" is an integer to yyjson; as a double it has a sign.
        if (yyjson_is_sint(v) && unsafe_yyjson_get_sint(v) == 0)
            *ret = -0.0;
        return true;
    }
    if (yyjson_is_raw(v))
        return skep_str_f64((skep_str){yyjson_get_raw(v), yyjson_get_len(v)}, ret);
    if (!yyjson_is_str(v))
        return false;
    skep_str s = text_of(v);
    if (skep_str_eq(s, SKEP_STR("NaN")))
        *ret = (double)NAN;
    else if (skep_str_eq(s, SKEP_STR("Infinity")))
        *ret = (double)INFINITY;
    else if (skep_str_eq(s, SKEP_STR("-Infinity")))
        *ret = -(double)INFINITY;
    else
        return skep_str_f64(s, ret);
    return true;
}

static bool read_bool(yyjson_val *v, bool *ret)
{
    if (yyjson_is_bool(v)) {
        *ret = unsafe_yyjson_get_bool(v);
        return true;
    }
    if (!yyjson_is_str(v))
        return false;
    *ret = skep_str_eq(text_of(v), SKEP_STR("true"));
    return *ret || skep_str_eq(text_of(v), SKEP_STR("false"));
}

static bool read_enum(yyjson_val *v, const struct constant *names, uint64_t *ret)
{
    if (read_int(v, true, ret))
        return true;
    if (!yyjson_is_str(v))
        return false;
    for (; names->name.n; names++) {
        if (skep_str_eq(names->name, text_of(v))) {
            *ret = names->value;
            return true;
        }
    }
    return false;
}

/* An id of n octets, or one octet when the text is none: a wrong id on the wire as well. */
static void put_id(struct skep_buf *out, uint32_t number, skep_str s, size_t n)
{
    uint8_t id[16] = {0};
    size_t got = 0;
    skep_assert(n <= sizeof id);
    if (s.n == 0)
        return;
    if (!(s.n == 2 * n && skep_hex_decode(s, id, n)) &&
        !(skep_base64_decode(s, id, n, &got) && got == n)) {
        n = 1;
        id[0] = 0;
    }
    skep_pb_put_bytes(out, number, (skep_bytes){id, n});
}

static skep_rc put_base64(struct walk *w, uint32_t number, yyjson_val *v)
{
    if (!yyjson_is_str(v))
        return bad(w, "expected base64 in a string");
    skep_str s = text_of(v);
    size_t cap = s.n / 4 * 3 + 3, n = 0;
    size_t mark = skep_pb_begin(w->out, number);
    if (!skep_buf_reserve(w->out, cap))
        return SKEP_OK; // the caller sees the buffer's flag
    if (!skep_base64_decode(s, w->out->p + w->out->n, cap, &n))
        return bad(w, "not base64");
    w->out->n += n;
    skep_pb_end(w->out, mark);
    return SKEP_OK;
}

static skep_rc put_message(struct walk *w, const struct message *m, yyjson_val *v);

static skep_rc put_child(struct walk *w, const struct field *f, yyjson_val *v)
{
    size_t mark = skep_pb_begin(w->out, f->number);
    SKEP_TRY(put_message(w, f->message, v));
    skep_pb_end(w->out, mark);
    return SKEP_OK;
}

static skep_rc put_list(struct walk *w, const struct field *f, yyjson_val *v)
{
    size_t i, n;
    yyjson_val *item;
    if (!yyjson_is_arr(v))
        return bad(w, "expected an array");
    yyjson_arr_foreach(v, i, n, item)
    {
        w->path[w->levels - 1].index = i;
        if (!yyjson_is_null(item))
            SKEP_TRY(put_child(w, f, item));
    }
    return SKEP_OK;
}

static skep_rc put_u32(struct walk *w, const struct field *f, yyjson_val *v)
{
    uint64_t u = 0;
    if (!read_int(v, false, &u) || u > UINT32_MAX)
        return bad(w, "expected an unsigned integer of 32 bits");
    if (f->type == UINT32)
        skep_pb_put_varint(w->out, f->number, u);
    else
        skep_pb_put_i32(w->out, f->number, (uint32_t)u);
    return SKEP_OK;
}

/* A whole number, not text, beyond 64 bits. */
static bool beyond_int64(yyjson_val *v, double *ret)
{
    if (yyjson_is_uint(v) && unsafe_yyjson_get_uint(v) <= INT64_MAX)
        return false;
    if (yyjson_is_raw(v)) { // more digits than 64 bits hold
        if (!skep_str_f64((skep_str){unsafe_yyjson_get_raw(v), unsafe_yyjson_get_len(v)}, ret))
            return false;
    } else if (yyjson_is_uint(v) || yyjson_is_real(v)) {
        *ret = yyjson_get_num(v);
    } else {
        return false;
    }
    return *ret == floor(*ret) && fabs(*ret) >= 0x1p63 && isfinite(*ret);
}

static skep_rc put_u64(struct walk *w, const struct field *f, yyjson_val *v)
{
    uint64_t u = 0;
    double x = 0;
    // JavaScript has one type of number: its SDK calls 1e300 an intValue. What no integer holds is
    // the double it was, not a reason to refuse the spans around it.
    if (f->type == INT64 && beyond_int64(v, &x)) {
        skep_pb_put_double(w->out, ANY_VALUE_DOUBLE, x);
        return SKEP_OK;
    }
    if (f->type == ENUM && !read_enum(v, f->names, &u))
        return bad(w, "expected a number or a name of the enumeration");
    if (f->type == INT64 && !read_int(v, true, &u))
        return bad(w, "expected an integer of 64 bits");
    if (f->type == FIXED64 && !read_int(v, false, &u))
        return bad(w, "expected an unsigned integer of 64 bits");
    if (f->type == FIXED64)
        skep_pb_put_i64(w->out, f->number, u);
    else
        skep_pb_put_varint(w->out, f->number, u);
    return SKEP_OK;
}

static skep_rc put_double(struct walk *w, const struct field *f, yyjson_val *v)
{
    double x = 0;
    if (!read_double(v, &x))
        return bad(w, "expected a number");
    skep_pb_put_double(w->out, f->number, x);
    return SKEP_OK;
}

static skep_rc put_bool(struct walk *w, const struct field *f, yyjson_val *v)
{
    bool b = false;
    if (!read_bool(v, &b))
        return bad(w, "expected true or false");
    skep_pb_put_varint(w->out, f->number, b);
    return SKEP_OK;
}

static skep_rc put_string(struct walk *w, const struct field *f, yyjson_val *v)
{
    if (!yyjson_is_str(v))
        return bad(w, "expected a string");
    if (f->type == STR)
        skep_pb_put_str(w->out, f->number, text_of(v));
    else
        put_id(w->out, f->number, text_of(v), f->type == ID16 ? 16 : 8);
    return SKEP_OK;
}

static skep_rc put_field(struct walk *w, const struct field *f, yyjson_val *v)
{
    switch (f->type) {
    case STR:
    case ID16:
    case ID8: return put_string(w, f, v);
    case BYTES: return put_base64(w, f->number, v);
    case BOOL: return put_bool(w, f, v);
    case UINT32:
    case FIXED32: return put_u32(w, f, v);
    case INT64:
    case FIXED64:
    case ENUM: return put_u64(w, f, v);
    case DOUBLE: return put_double(w, f, v);
    case MSG: return put_child(w, f, v);
    case LIST: return put_list(w, f, v);
    }
    skep_unreachable("types of fields");
}

/* Keys mostly come in the table's order: look behind the last one first. */
static const struct field *find_field(const struct message *m, skep_str key, size_t *hint)
{
    for (size_t i = 0; i < m->n; i++) {
        size_t at = *hint + i < m->n ? *hint + i : *hint + i - m->n;
        const struct field *f = &m->fields[at];
        if (skep_str_eq(f->camel, key) || skep_str_eq(f->snake, key)) {
            *hint = at + 1 < m->n ? at + 1 : 0;
            return f;
        }
    }
    return NULL;
}

static skep_rc put_message(struct walk *w, const struct message *m, yyjson_val *v)
{
    size_t i, n, hint = 0;
    yyjson_val *key, *val;
    if (!yyjson_is_obj(v))
        return bad(w, "expected an object");
    if (w->any_depth + m->any > ANY_DEPTH_MAX) // I1
        return bad(w, "a value is nested too deep");
    skep_assert(w->levels < PATH_MAX_LEVELS);
    w->any_depth += m->any;
    struct level *level = &w->path[w->levels++];
    yyjson_obj_foreach(v, i, n, key, val)
    {
        const struct field *f = find_field(m, text_of(key), &hint);
        if (!f || yyjson_is_null(val))
            continue;
        *level = (struct level){f->camel, SIZE_MAX};
        SKEP_TRY(put_field(w, f, val));
    }
    w->levels--;
    w->any_depth -= m->any;
    return SKEP_OK;
}

// --- public ------------------------------------------------------------------------------------

skep_rc skep_otlp_json_to_pb(enum skep_otlp_signal signal, skep_bytes in,
                             struct skep_budget *budget, struct skep_buf *out, skep_err *err)
{
    skep_assert(signal < SKEP_OTLP_SIGNAL_COUNT && out != NULL);
    const yyjson_alc alc = skep_json_alc(budget);
    const yyjson_read_flag flags = YYJSON_READ_BIGNUM_AS_RAW | YYJSON_READ_ALLOW_INVALID_UNICODE;
    yyjson_read_err fault;
    size_t bom = skep_str_starts(skep_bytes_str(in), SKEP_STR("\xef\xbb\xbf")) ? 3 : 0;
    if (in.n == bom)
        return skep_fail(err, SKEP_EMALFORMED, "the body is empty, a JSON object was expected");
    // Not YYJSON_READ_INSITU: the input is only read.
    const uint8_t *from = in.p + bom;
    char *text;
    memcpy(&text, &from, sizeof text);
    yyjson_doc *doc = yyjson_read_opts(text, in.n - bom, flags, &alc, &fault);
    if (!doc && fault.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return skep_fail(err, SKEP_ENOMEM, "no memory left for this request, try again later");
    if (!doc)
        return skep_fail(err, SKEP_EMALFORMED, "JSON: %s, at byte %zu", fault.msg, fault.pos + bom);
    struct walk w = {.out = out, .err = err};
    skep_rc rc = yyjson_is_obj(yyjson_doc_get_root(doc))
                     ? put_message(&w, requests[signal], yyjson_doc_get_root(doc))
                     : skep_fail(err, SKEP_EMALFORMED, "the body is not a JSON object");
    yyjson_doc_free(doc);
    if (rc == SKEP_OK && out->bad)
        rc = skep_fail(err, SKEP_ETOOLARGE, "the request is too large");
    return rc;
}

skep_rc skep_otlp_decode_json(enum skep_otlp_signal signal, skep_bytes in, struct skep_batch *b,
                              const struct skep_otlp_opts *opts, struct skep_otlp_report *ret,
                              skep_err *err)
{
    struct skep_budget *budget = b ? b->budget : NULL;
    struct skep_otlp_opts shown = opts ? *opts : (struct skep_otlp_opts){0};
    const uint64_t limit = 2 * (uint64_t)in.n + 64; // I2
    struct skep_buf pb;
    if (budget)
        SKEP_TRY(skep_budget_take(budget, limit, err));
    shown.hide_offsets = true;
    skep_buf_init(&pb, (size_t)limit);
    skep_rc rc = skep_otlp_json_to_pb(signal, in, budget, &pb, err);
    if (rc == SKEP_OK) {
        rc = skep_otlp_decode_pb(signal, skep_buf_bytes(&pb), b, &shown, ret, err);
        if (rc == SKEP_EMALFORMED) // all else about the message is this file's work
            rc = skep_fail(err, SKEP_EMALFORMED, "a value is nested too deep");
    }
    skep_buf_done(&pb);
    if (budget)
        skep_budget_give(budget, limit);
    return rc;
}
