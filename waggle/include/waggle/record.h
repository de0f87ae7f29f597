// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/record.h - ended spans (and log records) as processors and exporters see them
 *
 * A record is encoded once, when it ends, in the form OTLP has: an exporter of OTLP sends the bytes
 * as they are, every other one decodes what it needs with the readers here, without memory of its
 * own. Everything is borrowed and valid until the call it was given to returns.
 */
#ifndef WAGGLE_RECORD_H
#define WAGGLE_RECORD_H

#include "waggle/api.h"

#ifdef __cplusplus
extern "C" {
#endif

enum waggle_signal { WAGGLE_SIGNAL_TRACES = 0, WAGGLE_SIGNAL_LOGS = 1, WAGGLE_SIGNAL_METRICS = 2 };

/* Borrowed text or bytes, without a NUL. */
typedef struct waggle_str {
    const char *p;
    size_t n;
} waggle_str;

/* Who made a record. Lives as long as the process. */
typedef struct waggle_scope_info {
    waggle_str name, version, schema_url;
    waggle_str attributes; /* encoded, for waggle_attr_next */
    waggle_str encoded;    /* OTLP InstrumentationScope message */
} waggle_scope_info;

/* What a provider describes itself with. Lives as long as its provider. */
typedef struct waggle_resource_info {
    waggle_str attributes; /* encoded, for waggle_attr_next */
    waggle_str schema_url;
    waggle_str encoded; /* OTLP Resource message */
} waggle_resource_info;

/* One encoded record: a whole field 2 of ScopeSpans, ScopeLogs or ScopeMetrics (tag, length,
 * message). */
typedef struct waggle_record {
    const uint8_t *p;
    uint32_t n;
    uint32_t scope; /* index into waggle_batch.scopes */
} waggle_record;

/* What an exporter gets: records of one signal, in the order they ended in each thread. */
typedef struct waggle_batch {
    size_t struct_size;
    enum waggle_signal signal;
    const waggle_resource_info *resource;
    const waggle_scope_info *const *scopes;
    size_t n_scopes;
    const waggle_record *records;
    size_t n_records;
} waggle_batch;

/* --- reading ------------------------------------------------------------------------------- */

/* A decoded span. Events, links and attributes are walked with the functions below. */
typedef struct waggle_span_data {
    uint8_t trace_id[16];
    uint8_t span_id[8];
    uint8_t parent_span_id[8]; /* zero: a root */
    uint32_t flags; /* OTLP: W3C flags, 0x100 = is_remote is known, 0x200 = it is remote */
    waggle_str tracestate;
    waggle_str name;
    enum waggle_kind kind;
    uint64_t start_ns, end_ns; /* since 1970 UTC */
    enum waggle_status status;
    waggle_str status_message;
    uint32_t dropped_attributes, dropped_events, dropped_links;
    waggle_str encoded; /* the OTLP Span message */
} waggle_span_data;

typedef struct waggle_event_data {
    waggle_str name;
    uint64_t time_ns;
    uint32_t dropped_attributes;
    waggle_str encoded; /* the OTLP Event message */
} waggle_event_data;

typedef struct waggle_link_data {
    uint8_t trace_id[16];
    uint8_t span_id[8];
    uint32_t flags;
    waggle_str tracestate;
    uint32_t dropped_attributes;
    waggle_str encoded; /* the OTLP Link message */
} waggle_link_data;

/* A decoded value: the scalar itself, or what encodes the elements. */
typedef struct waggle_value_data {
    enum waggle_type type; /* EMPTY STR BOOL I64 F64 BYTES LIST MAP; arrays are lists */
    waggle_str str;        /* STR, BYTES */
    bool boolean;
    int64_t i64;
    double f64;
    waggle_str encoded; /* LIST: for waggle_value_next; MAP: for waggle_attr_next */
} waggle_value_data;

typedef struct waggle_attr_data {
    waggle_str key;
    waggle_value_data value;
} waggle_attr_data;

/* A decoded log record. */
typedef struct waggle_log_data {
    uint64_t time_ns, observed_ns; /* since 1970 UTC; 0 = not known */
    int severity;                  /* OpenTelemetry's number; 0 = unset */
    waggle_str severity_text;
    waggle_str event_name;
    waggle_value_data body;
    uint8_t trace_id[16]; /* zero: none */
    uint8_t span_id[8];
    uint32_t flags;
    uint32_t dropped_attributes;
    waggle_str encoded; /* the OTLP LogRecord message */
} waggle_log_data;

enum waggle_metric_type {
    WAGGLE_METRIC_NONE = 0,
    WAGGLE_METRIC_GAUGE = 5, /* the numbers of OTLP's fields */
    WAGGLE_METRIC_SUM = 7,
    WAGGLE_METRIC_HISTOGRAM = 9,
    WAGGLE_METRIC_EXPONENTIAL = 10
};

/* A decoded metric; its data points are walked with waggle_metric_data_point. */
typedef struct waggle_metric_data {
    waggle_str name, description, unit;
    enum waggle_metric_type type;
    int temporality; /* 1: delta, 2: cumulative; 0: a gauge has none */
    bool is_monotonic;
    waggle_str encoded; /* the OTLP message of the type */
} waggle_metric_data;

/* A decoded data point; what its type does not have is zero. */
typedef struct waggle_point_data {
    enum waggle_metric_type type;
    uint64_t start_ns, time_ns; /* since 1970 UTC */
    bool is_double;             /* the value of a gauge or a sum is f64, else i64 */
    int64_t i64;
    double f64;
    uint64_t count; /* of histograms, as all below */
    bool has_sum, has_min_max;
    double sum, min, max;
    int scale; /* exponential: bounds are powers of 2^(2^-scale) */
    uint64_t zero_count;
    int positive_offset, negative_offset; /* the powers where their buckets begin */
    waggle_str counts, bounds;            /* explicit: little-endian 64-bit integers, doubles */
    waggle_str positive, negative;        /* exponential: for waggle_count_next */
    waggle_str encoded;                   /* the OTLP message */
} waggle_point_data;

/* A decoded exemplar. */
typedef struct waggle_exemplar_data {
    uint64_t time_ns;
    bool is_double;
    int64_t i64;
    double f64;
    uint8_t trace_id[16]; /* zero: none */
    uint8_t span_id[8];
    waggle_str encoded; /* the OTLP message; its attributes: waggle_exemplar_data_attr */
} waggle_exemplar_data;

/* Where a walk stands: begins all zero. */
typedef struct waggle_cursor {
    size_t at;
} waggle_cursor;

/* Decode a record of traces. False if its bytes are no span (which waggle never makes). */
WAGGLE_EXPORT bool waggle_record_span(const waggle_record *record, waggle_span_data *ret_span);

/* Decode a record of logs. */
WAGGLE_EXPORT bool waggle_record_log(const waggle_record *record, waggle_log_data *ret_log);

/* Decode a record of metrics. */
WAGGLE_EXPORT bool waggle_record_metric(const waggle_record *record,
                                        waggle_metric_data *ret_metric);

/* The next data point of a metric; its attributes; its exemplars; false at the end. */
WAGGLE_EXPORT bool waggle_metric_data_point(const waggle_metric_data *metric, waggle_cursor *cursor,
                                            waggle_point_data *ret_point);
WAGGLE_EXPORT bool waggle_point_data_attr(const waggle_point_data *point, waggle_cursor *cursor,
                                          waggle_attr_data *ret_attr);
WAGGLE_EXPORT bool waggle_point_data_exemplar(const waggle_point_data *point, waggle_cursor *cursor,
                                              waggle_exemplar_data *ret_exemplar);
WAGGLE_EXPORT bool waggle_exemplar_data_attr(const waggle_exemplar_data *exemplar,
                                             waggle_cursor *cursor, waggle_attr_data *ret_attr);

/* The next bucket of an explicit histogram: how many, up to which value (infinity: the last). */
WAGGLE_EXPORT bool waggle_bucket_next(const waggle_point_data *point, waggle_cursor *cursor,
                                      uint64_t *ret_count, double *ret_upper);

/* The next count of the buckets of an exponential one, from their offset on. */
WAGGLE_EXPORT bool waggle_count_next(waggle_str counts, waggle_cursor *cursor, uint64_t *ret_count);

/* The next attribute of a log record; false at the end. */
WAGGLE_EXPORT bool waggle_log_data_attr(const waggle_log_data *log, waggle_cursor *cursor,
                                        waggle_attr_data *ret_attr);

/* The next attribute, event or link of a span; false at the end. */
WAGGLE_EXPORT bool waggle_span_data_attr(const waggle_span_data *span, waggle_cursor *cursor,
                                         waggle_attr_data *ret_attr);
WAGGLE_EXPORT bool waggle_span_data_event(const waggle_span_data *span, waggle_cursor *cursor,
                                          waggle_event_data *ret_event);
WAGGLE_EXPORT bool waggle_span_data_link(const waggle_span_data *span, waggle_cursor *cursor,
                                         waggle_link_data *ret_link);

/* The next attribute of an event or link; false at the end. */
WAGGLE_EXPORT bool waggle_event_data_attr(const waggle_event_data *event, waggle_cursor *cursor,
                                          waggle_attr_data *ret_attr);
WAGGLE_EXPORT bool waggle_link_data_attr(const waggle_link_data *link, waggle_cursor *cursor,
                                         waggle_attr_data *ret_attr);

/* The next of encoded attributes: of a resource, a scope, or a map. */
WAGGLE_EXPORT bool waggle_attr_next(waggle_str encoded, waggle_cursor *cursor,
                                    waggle_attr_data *ret_attr);

/* The next element of a list. */
WAGGLE_EXPORT bool waggle_value_next(waggle_str encoded, waggle_cursor *cursor,
                                     waggle_value_data *ret_value);

#ifdef __cplusplus
}
#endif

#endif
