// SPDX-License-Identifier: Apache-2.0
/* The row: what every wire narrows to and every language asks about.
 *
 * A field's identity is (scope, name, type).  A row has a fixed set of intrinsic columns (below)
 * and any number of typed fields.  Resources and instrumentation scopes are interned: a row holds
 * their id, their fields are virtual columns. */
#pragma once

#include "base/err.h"
#include "base/str.h"

typedef int64_t skep_ts_ns; /* ns since 1970-01-01 UTC */

/* On disk: never reuse a number. */
enum skep_kind {
    SKEP_KIND_SPAN = 1,
    SKEP_KIND_SPAN_EVENT = 2,
    SKEP_KIND_LINK = 3,
    SKEP_KIND_LOG = 4,
    SKEP_KIND_ERROR = 5,
    SKEP_KIND_COUNT
};

enum skep_scope {
    SKEP_SCOPE_INTRINSIC = 0, /* what the wire's own structure says: body, status_message ... */
    SKEP_SCOPE_ATTRIBUTE = 1,
    SKEP_SCOPE_INSTRUMENTATION = 2,
    SKEP_SCOPE_RESOURCE = 3,
    SKEP_SCOPE_COUNT
};

enum skep_type {
    SKEP_TYPE_NULL = 0, /* absent; never stored */
    SKEP_TYPE_STRING = 1,
    SKEP_TYPE_INT = 2,
    SKEP_TYPE_DOUBLE = 3,
    SKEP_TYPE_BOOL = 4,
    SKEP_TYPE_BYTES = 5,
    SKEP_TYPE_ARRAY = 6, /* compact JSON text; inside {"bytes":b64} and {"double":"NaN"} */
    SKEP_TYPE_EMPTY = 7, /* an OTLP value that was sent empty ("null"): present, no payload */
    SKEP_TYPE_COUNT
};

/* OTLP numbers: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
enum { SKEP_SPAN_KIND_MAX = 5 };
/* OTLP numbers: 0 unset, 1 ok, 2 error. */
enum { SKEP_STATUS_UNSET = 0, SKEP_STATUS_OK = 1, SKEP_STATUS_ERROR = 2 };

typedef struct skep_value { /* borrowed payload */
    enum skep_type type;
    union {
        int64_t i;
        double f;
        bool b;
        skep_str s; /* STRING, ARRAY; BYTES through skep_str_bytes() */
    };
} skep_value;

typedef struct skep_trace_id { /* big-endian as on the wire; all zero = none */
    uint8_t b[16];
} skep_trace_id;

/* Span ids are kept as the u64 whose little-endian bytes are the wire's 8 bytes; 0 = none. */

/* Stable identity of a row: unchanged by seal, merge, restart.  Order = arrival order. */
typedef struct skep_row_id {
    uint64_t seq;     /* commit sequence, from 1 */
    uint32_t ordinal; /* within the commit */
} skep_row_id;

/* Intrinsic columns.  On disk: never reuse a number.  X(ID, number, type in vectors, meaning) */
#define SKEP_COLUMNS(X)                                                                            \
    X(TIME, 0, I64, "ns since 1970: span start, event or log time")                                \
    X(DURATION, 1, I64, "ns; spans only, -1 elsewhere")                                            \
    X(KIND, 2, I64, "enum skep_kind")                                                              \
    X(TRACE_ID, 3, ID16, "all zero = none")                                                        \
    X(SPAN_ID, 4, I64, "own id of a span; for events, links and logs 0")                           \
    X(PARENT_ID, 5, I64, "span: parent's id; event, link, log: id of the span it belongs to")      \
    X(NAME, 6, STR, "name of a span, an event, an error; links and lines: empty")                  \
    X(DATASET, 7, STR, "as first written")                                                         \
    X(RESOURCE, 8, I64, "index into the rowset's resource table")                                  \
    X(SCOPE, 9, I64, "index into the rowset's instrumentation table")                              \
    X(STATUS, 10, I64, "OTLP status code of the span; events and links: of their span")            \
    X(SPAN_KIND, 11, I64, "OTLP span kind; spans only")                                            \
    X(SEVERITY, 12, I64, "OTLP severity number; logs only")                                        \
    X(FLAGS, 13, I64, "OTLP flags field as sent")                                                  \
    X(SAMPLE_RATE, 14, I64, "weight of the row, >= 1")                                             \
    X(RECEIVED, 15, I64, "ns since 1970: when the commit arrived")                                 \
    X(SEQ, 16, I64, "skep_row_id.seq")                                                             \
    X(ORDINAL, 17, I64, "skep_row_id.ordinal")                                                     \
    X(SOURCE, 18, I64, "enum skep_source")

enum skep_column {
#define X(id, number, vec, text) SKEP_COL_##id = (number),
    SKEP_COLUMNS(X)
#undef X
        SKEP_COL_COUNT
};

/* meta.source.  On disk: never reuse. */
enum skep_source {
    SKEP_SOURCE_OTLP = 1,
    SKEP_SOURCE_EVENTS = 2,
    SKEP_SOURCE_XRAY = 3,
    SKEP_SOURCE_LOGS = 4,
    SKEP_SOURCE_ROLLBAR = 5,
    SKEP_SOURCE_SELF = 6, /* the server's own telemetry: hidden unless asked for */
    SKEP_SOURCE_COUNT
};

/* The intrinsic field that holds a row's document as it came (X-Ray segments ...): no list of
 * fields and no row shows it unless it is asked for by name (plan.h, `raw`). */
#define SKEP_RAW_FIELD SKEP_STR("meta.raw")

/* The text of a log row as it came, whatever its attributes are called: the intrinsic field "body",
 * which an attribute of that name would hide.  A name for plans alone; no list of fields has it. */
#define SKEP_MESSAGE_FIELD SKEP_STR("meta.message")
#define SKEP_BODY_FIELD    SKEP_STR("body")

/* Limits of one request, one table. */
enum {
    SKEP_LIMIT_BATCH_ROWS = 1 << 20,
    SKEP_LIMIT_NAME_BYTES = 1024, /* a field name; longer ones are cut at a character */
    SKEP_LIMIT_FIELDS_PER_BATCH = 65536,
    SKEP_LIMIT_VALUE_BYTES = 4 << 20,
    SKEP_LIMIT_MAP_DEPTH = 5
};

/* The text of enum values, "span", "span_event" ...; out of range gives "unknown". */
skep_str skep_kind_name(enum skep_kind k);
/* "string" "int" "double" "bool" "bytes" "array" "null" */
skep_str skep_type_name(enum skep_type t);
/* "intrinsic" "attribute" "instrumentation" "resource" */
skep_str skep_scope_name(enum skep_scope s);
skep_str skep_source_name(enum skep_source s);
