// SPDX-License-Identifier: Apache-2.0
/* OTLP requests -> rows of a batch.
 *
 * The protobuf form is decoded by a zero-copy cursor straight into the batch's columns; the JSON
 * form is rewritten as protobuf first (otlp_json.c), so that there is one mapping. */
#pragma once

#include "event/batch.h"
#include "wire/otlp.h"

/* Why a span or log record was refused; the names go to the ledger and to clients. */
#define SKEP_OTLP_REJECTS(X)                                                                       \
    X(BAD_TRACE_ID, "bad_trace_id", "trace_id must be 16 bytes and not all zero")                  \
    X(BAD_SPAN_ID, "bad_span_id", "span_id must be 8 bytes and not all zero")                      \
    X(BAD_PARENT_ID, "bad_parent_id", "parent_span_id must be 8 bytes or absent")                  \
    X(TOO_MANY_ROWS, "too_many_rows", "a request may hold 1048576 spans, events, links and logs")  \
    X(VALUE_TOO_LARGE, "value_too_large", "a value may be 4 MiB long")                             \
    X(NOT_STORED, "metrics_not_stored", "metrics are accepted and counted, but not stored yet")

enum skep_otlp_reject {
#define X(id, name, text) SKEP_OTLP_REJECT_##id,
    SKEP_OTLP_REJECTS(X)
#undef X
        SKEP_OTLP_REJECT_COUNT
};

/* "bad_trace_id" ... */
skep_str skep_otlp_reject_name(enum skep_otlp_reject r);

struct skep_otlp_opts {
    skep_str dataset;  /* x-honeycomb-dataset: for logs without a service.name; may be empty */
    bool hide_offsets; /* byte offsets mean nothing to the sender (JSON) */
};

struct skep_otlp_report {
    uint64_t received; /* spans, log records or data points in the request */
    uint64_t accepted; /* of these, turned into rows */
    uint64_t rejected[SKEP_OTLP_REJECT_COUNT];
    bool logs_have_time; /* each log record carries its own timestamp */
    char message[232];   /* place and reason of the first rejection; "" = none */
};

/* Decode one Export{Trace,Logs,Metrics}ServiceRequest and append its rows to `b`.
 *
 * in      whole message; borrowed for the call
 * b       on failure it holds some of the rows and must be thrown away
 * ret     what was received, accepted and rejected; untouched on failure
 * Returns SKEP_OK | EMALFORMED (err: what and at which byte) | ENOMEM (the batch's budget) |
 *         ETOOLARGE (over a limit of the batch)
 * Owns    nothing keeps a pointer into `in`
 * Threads any; touches only its arguments
 * Metrics are only counted. */
SKEP_NODISCARD skep_rc skep_otlp_traces_pb(skep_bytes in, struct skep_batch *b,
                                           const struct skep_otlp_opts *opts,
                                           struct skep_otlp_report *ret, skep_err *err);
SKEP_NODISCARD skep_rc skep_otlp_logs_pb(skep_bytes in, struct skep_batch *b,
                                         const struct skep_otlp_opts *opts,
                                         struct skep_otlp_report *ret, skep_err *err);
SKEP_NODISCARD skep_rc skep_otlp_metrics_pb(skep_bytes in, struct skep_otlp_report *ret,
                                            skep_err *err);

/* The same for a signal known at run time. */
SKEP_NODISCARD skep_rc skep_otlp_decode_pb(enum skep_otlp_signal signal, skep_bytes in,
                                           struct skep_batch *b, const struct skep_otlp_opts *opts,
                                           struct skep_otlp_report *ret, skep_err *err);

/* Rewrite the JSON form of a request as protobuf.
 *
 * in      JSON text; tolerant of what clients send (docs/formats/otlp.md)
 * budget  for yyjson's values; NULL = none
 * out     the message is appended
 * Returns SKEP_OK | EMALFORMED (err: what and where: a byte offset or a path) | ENOMEM | ETOOLARGE
 * Threads any */
SKEP_NODISCARD skep_rc skep_otlp_json_to_pb(enum skep_otlp_signal signal, skep_bytes in,
                                            struct skep_budget *budget, struct skep_buf *out,
                                            skep_err *err);

/* Both steps: JSON -> rows.  Returns as above. */
SKEP_NODISCARD skep_rc skep_otlp_decode_json(enum skep_otlp_signal signal, skep_bytes in,
                                             struct skep_batch *b,
                                             const struct skep_otlp_opts *opts,
                                             struct skep_otlp_report *ret, skep_err *err);

/* Adjusted count in a W3C tracestate ("ot=th:c;rv:1,x=y"), rounded to the nearest integer: >= 1, or
 * 0 when it names none. */
uint32_t skep_tracestate_rate(skep_str tracestate);
