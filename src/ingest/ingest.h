// SPDX-License-Identifier: Apache-2.0
/* The ingest adapters, their ledger and what the status page tells of them. */
#pragma once

#include "net/net.h"
#include "os/os.h"
#include "store/store.h"

struct skep_json;

struct skep_ingest_config {
    struct skep_store *store;   /* outlives the ingest */
    struct skep_budget *budget; /* of requests being decoded and committed; NULL = none */
    const struct skep_os *os;   /* clock */
};

struct skep_ingest;

/* Empty ledger, no requests.  Owns: caller, skep_ingest_free. */
struct skep_ingest *skep_ingest_new(const struct skep_ingest_config *cfg);
/* All requests must have been answered: stop net and close the store first.  NULL is fine. */
void skep_ingest_free(struct skep_ingest *in);

/* OTLP over HTTP (protobuf and JSON) and gRPC.  Route context: the struct skep_ingest. */
const struct skep_route *skep_ingest_otlp_routes(size_t *ret_n);
/* Rows as JSON lines, in bulk: POST /skep/v1/import.  The same context. */
const struct skep_route *skep_ingest_import_routes(size_t *ret_n);

/* What is counted: spans, log records, data points.  A request that could not be read counts as
 * one. */
enum skep_signal { SKEP_SIGNAL_TRACES, SKEP_SIGNAL_LOGS, SKEP_SIGNAL_METRICS, SKEP_SIGNAL_COUNT };

/* Why something received was not stored.  X(id, name) */
#define SKEP_REJECTIONS(X)                                                                         \
    X(BAD_TRACE_ID, "bad_trace_id")                                                                \
    X(BAD_SPAN_ID, "bad_span_id")                                                                  \
    X(BAD_PARENT_ID, "bad_parent_id")                                                              \
    X(TOO_MANY_ROWS, "too_many_rows")                                                              \
    X(VALUE_TOO_LARGE, "value_too_large")                                                          \
    X(METRICS_NOT_STORED, "metrics_not_stored")                                                    \
    X(MALFORMED, "malformed")                                                                      \
    X(UNSUPPORTED, "unsupported")                                                                  \
    X(TOO_LARGE, "too_large")                                                                      \
    X(NO_MEMORY, "no_memory")                                                                      \
    X(NO_SPACE, "no_space")                                                                        \
    X(IO_ERROR, "io_error")                                                                        \
    X(CLOSED, "closed")                                                                            \
    X(OTHER, "other")

enum skep_rejection {
#define X(id, name) SKEP_REJECTION_##id,
    SKEP_REJECTIONS(X)
#undef X
        SKEP_REJECTION_COUNT
};
/* "bad_trace_id" ...  Static text. */
skep_str skep_rejection_name(enum skep_rejection r);

/* received = stored + duplicate + sum of rejected + pending (being committed). */
struct skep_ledger_row {
    enum skep_source source;
    enum skep_signal signal;
    uint64_t received, stored, duplicate, pending;
    uint64_t rejected[SKEP_REJECTION_COUNT];
};

/* One request, as the waiting state shows it.  Text is cut to fit; "" = none. */
struct skep_ingest_event {
    skep_ts_ns at_ns;
    char listener[48];
    char what[80]; /* "POST /v1/traces" */
    char error[168];
    int status;
    uint64_t bytes;
};

enum { SKEP_INGEST_LAST = 16 };

struct skep_ingest_snapshot {
    struct skep_ledger_row ledger[SKEP_SIGNAL_COUNT]; /* those with something received */
    unsigned n_ledger;
    struct skep_ingest_event last[SKEP_INGEST_LAST]; /* newest first */
    unsigned n_last;
};

/* A consistent enough copy.  Threads: any. */
void skep_ingest_snapshot(struct skep_ingest *in, struct skep_ingest_snapshot *ret);

/* The same as the members "ledger" and "last" of the object at hand (docs/api/page.md, status);
 * fits skep_api_config.ingest_status.  Threads: any. */
void skep_ingest_status(void *ingest, struct skep_json *json);
