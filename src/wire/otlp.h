// SPDX-License-Identifier: Apache-2.0
/* OTLP as bytes: the tags of its messages, and the answers a receiver writes.
 *
 * Tags are SKEP_PB_TAG values, so that a field of the wrong wire type is an unknown field. Decoding
 * into rows is src/ingest's business. */
#pragma once

#include "wire/pb.h"

enum skep_otlp_signal {
    SKEP_OTLP_TRACES,
    SKEP_OTLP_LOGS,
    SKEP_OTLP_METRICS,
    SKEP_OTLP_SIGNAL_COUNT
};

/* "traces" "logs" "metrics". */
skep_str skep_otlp_signal_name(enum skep_otlp_signal s);

enum skep_otlp_tag {
    /* AnyValue */
    SKEP_OTLP_ANY_STRING = SKEP_PB_TAG(1, LEN),
    SKEP_OTLP_ANY_BOOL = SKEP_PB_TAG(2, VARINT),
    SKEP_OTLP_ANY_INT = SKEP_PB_TAG(3, VARINT),
    SKEP_OTLP_ANY_DOUBLE = SKEP_PB_TAG(4, I64),
    SKEP_OTLP_ANY_ARRAY = SKEP_PB_TAG(5, LEN),
    SKEP_OTLP_ANY_KVLIST = SKEP_PB_TAG(6, LEN),
    SKEP_OTLP_ANY_BYTES = SKEP_PB_TAG(7, LEN),
    /* ArrayValue, KeyValueList */
    SKEP_OTLP_LIST_VALUES = SKEP_PB_TAG(1, LEN),
    /* KeyValue */
    SKEP_OTLP_KV_KEY = SKEP_PB_TAG(1, LEN),
    SKEP_OTLP_KV_VALUE = SKEP_PB_TAG(2, LEN),
    /* Resource */
    SKEP_OTLP_RESOURCE_ATTRIBUTES = SKEP_PB_TAG(1, LEN),
    SKEP_OTLP_RESOURCE_DROPPED = SKEP_PB_TAG(2, VARINT),
    /* InstrumentationScope */
    SKEP_OTLP_SCOPE_NAME = SKEP_PB_TAG(1, LEN),
    SKEP_OTLP_SCOPE_VERSION = SKEP_PB_TAG(2, LEN),
    SKEP_OTLP_SCOPE_ATTRIBUTES = SKEP_PB_TAG(3, LEN),
    SKEP_OTLP_SCOPE_DROPPED = SKEP_PB_TAG(4, VARINT),
    /* Export*ServiceRequest; Resource{Spans,Logs,Metrics}; Scope{Spans,Logs,Metrics}: alike */
    SKEP_OTLP_REQUEST_RESOURCES = SKEP_PB_TAG(1, LEN),
    SKEP_OTLP_GROUP_RESOURCE = SKEP_PB_TAG(1, LEN),
    SKEP_OTLP_GROUP_SCOPES = SKEP_PB_TAG(2, LEN),
    SKEP_OTLP_GROUP_SCHEMA_URL = SKEP_PB_TAG(3, LEN),
    SKEP_OTLP_ITEMS_SCOPE = SKEP_PB_TAG(1, LEN),
    SKEP_OTLP_ITEMS = SKEP_PB_TAG(2, LEN),
    SKEP_OTLP_ITEMS_SCHEMA_URL = SKEP_PB_TAG(3, LEN),
    /* Span */
    SKEP_OTLP_SPAN_TRACE_ID = SKEP_PB_TAG(1, LEN),
    SKEP_OTLP_SPAN_SPAN_ID = SKEP_PB_TAG(2, LEN),
    SKEP_OTLP_SPAN_TRACE_STATE = SKEP_PB_TAG(3, LEN),
    SKEP_OTLP_SPAN_PARENT_ID = SKEP_PB_TAG(4, LEN),
    SKEP_OTLP_SPAN_NAME = SKEP_PB_TAG(5, LEN),
    SKEP_OTLP_SPAN_KIND = SKEP_PB_TAG(6, VARINT),
    SKEP_OTLP_SPAN_START = SKEP_PB_TAG(7, I64),
    SKEP_OTLP_SPAN_END = SKEP_PB_TAG(8, I64),
    SKEP_OTLP_SPAN_ATTRIBUTES = SKEP_PB_TAG(9, LEN),
    SKEP_OTLP_SPAN_DROPPED_ATTRIBUTES = SKEP_PB_TAG(10, VARINT),
    SKEP_OTLP_SPAN_EVENTS = SKEP_PB_TAG(11, LEN),
    SKEP_OTLP_SPAN_DROPPED_EVENTS = SKEP_PB_TAG(12, VARINT),
    SKEP_OTLP_SPAN_LINKS = SKEP_PB_TAG(13, LEN),
    SKEP_OTLP_SPAN_DROPPED_LINKS = SKEP_PB_TAG(14, VARINT),
    SKEP_OTLP_SPAN_STATUS = SKEP_PB_TAG(15, LEN),
    SKEP_OTLP_SPAN_FLAGS = SKEP_PB_TAG(16, I32),
    /* Span.Event */
    SKEP_OTLP_EVENT_TIME = SKEP_PB_TAG(1, I64),
    SKEP_OTLP_EVENT_NAME = SKEP_PB_TAG(2, LEN),
    SKEP_OTLP_EVENT_ATTRIBUTES = SKEP_PB_TAG(3, LEN),
    SKEP_OTLP_EVENT_DROPPED = SKEP_PB_TAG(4, VARINT),
    /* Span.Link */
    SKEP_OTLP_LINK_TRACE_ID = SKEP_PB_TAG(1, LEN),
    SKEP_OTLP_LINK_SPAN_ID = SKEP_PB_TAG(2, LEN),
    SKEP_OTLP_LINK_TRACE_STATE = SKEP_PB_TAG(3, LEN),
    SKEP_OTLP_LINK_ATTRIBUTES = SKEP_PB_TAG(4, LEN),
    SKEP_OTLP_LINK_DROPPED = SKEP_PB_TAG(5, VARINT),
    SKEP_OTLP_LINK_FLAGS = SKEP_PB_TAG(6, I32),
    /* Status */
    SKEP_OTLP_STATUS_MESSAGE = SKEP_PB_TAG(2, LEN),
    SKEP_OTLP_STATUS_CODE = SKEP_PB_TAG(3, VARINT),
    /* LogRecord */
    SKEP_OTLP_LOG_TIME = SKEP_PB_TAG(1, I64),
    SKEP_OTLP_LOG_SEVERITY = SKEP_PB_TAG(2, VARINT),
    SKEP_OTLP_LOG_SEVERITY_TEXT = SKEP_PB_TAG(3, LEN),
    SKEP_OTLP_LOG_BODY = SKEP_PB_TAG(5, LEN),
    SKEP_OTLP_LOG_ATTRIBUTES = SKEP_PB_TAG(6, LEN),
    SKEP_OTLP_LOG_DROPPED = SKEP_PB_TAG(7, VARINT),
    SKEP_OTLP_LOG_FLAGS = SKEP_PB_TAG(8, I32),
    SKEP_OTLP_LOG_TRACE_ID = SKEP_PB_TAG(9, LEN),
    SKEP_OTLP_LOG_SPAN_ID = SKEP_PB_TAG(10, LEN),
    SKEP_OTLP_LOG_OBSERVED_TIME = SKEP_PB_TAG(11, I64),
    SKEP_OTLP_LOG_EVENT_NAME = SKEP_PB_TAG(12, LEN),
    /* Metric, and what its data hold */
    SKEP_OTLP_METRIC_GAUGE = SKEP_PB_TAG(5, LEN),
    SKEP_OTLP_METRIC_SUM = SKEP_PB_TAG(7, LEN),
    SKEP_OTLP_METRIC_HISTOGRAM = SKEP_PB_TAG(9, LEN),
    SKEP_OTLP_METRIC_EXPONENTIAL = SKEP_PB_TAG(10, LEN),
    SKEP_OTLP_METRIC_SUMMARY = SKEP_PB_TAG(11, LEN),
    SKEP_OTLP_DATA_POINTS = SKEP_PB_TAG(1, LEN)
};

/* Append an Export*ServiceResponse.  rejected == 0 with a message is a warning; 0 and no message is
 * the empty message ("{}" in JSON). */
void skep_otlp_response_pb(struct skep_buf *b, uint64_t rejected, skep_str message);
void skep_otlp_response_json(struct skep_buf *b, enum skep_otlp_signal signal, uint64_t rejected,
                             skep_str message);

struct skep_otlp_status {
    int code; /* gRPC */
    skep_str message;
    skep_str bad_field; /* n > 0: a BadRequest detail naming it */
    int retry_after_s;  /* > 0: a RetryInfo detail */
};
/* Append a google.rpc.Status. */
void skep_otlp_status_pb(struct skep_buf *b, const struct skep_otlp_status *s);
/* {"code":3,"message":"..."} */
void skep_otlp_status_json(struct skep_buf *b, const struct skep_otlp_status *s);
