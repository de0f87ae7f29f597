// SPDX-License-Identifier: Apache-2.0
/* The ingest adapters, their ledger and what the status page tells of them. */
#pragma once

#include "base/histogram.h"
#include "event/ledger.h"
#include "net/net.h"
#include "net/udp.h"
#include "os/os.h"
#include "store/store.h"

struct skep_json;
struct skep_state;
struct skep_symbols;

struct skep_ingest_config {
    struct skep_store *store;   /* outlives the ingest */
    struct skep_budget *budget; /* of requests being decoded and committed; NULL = none */
    const struct skep_os *os;   /* clock */
    struct skep_state *state;   /* keeps the counts that no row carries; NULL = nobody does */
    size_t xray_document_bytes; /* of an X-Ray document; 0 = as large as a value may be */
    const char *const
        *rollbar_scrub; /* more names of secrets in Rollbar items; outlive the ingest */
    unsigned n_rollbar_scrub;
    struct skep_symbols *symbols; /* originals of frames of errors; NULL = none; outlives it */
    size_t xray_bind_bytes; /* for X-Ray subsegments that wait for their segment; 0 = little */
};

struct skep_ingest;

/* Empty ledger, no requests.  Owns: caller, skep_ingest_free. */
struct skep_ingest *skep_ingest_new(const struct skep_ingest_config *cfg);
/* All requests must have been answered: stop net and close the store first.  NULL is fine. */
void skep_ingest_free(struct skep_ingest *in);

/* Take over what earlier processes counted: what rows carry from the store, the rest from state.
 * Before the first request. */
SKEP_NODISCARD skep_rc skep_ingest_load(struct skep_ingest *in, skep_err *err);
/* Make the counts that no row carries durable; does nothing when there are none.  Waits for the
 * disk.  A crash loses what was counted since the last call.  Threads: one at a time. */
SKEP_NODISCARD skep_rc skep_ingest_save(struct skep_ingest *in, skep_err *err);

/* Take over the rules about grouping as state has them now.  Batches from now on are grouped by
 * them.  Waits for the disk. */
SKEP_NODISCARD skep_rc skep_ingest_grouping_load(struct skep_ingest *in, skep_err *err);

/* The same of what state has of datasets (expand_json_depth). */
SKEP_NODISCARD skep_rc skep_ingest_datasets_load(struct skep_ingest *in, skep_err *err);

/* The routes of the i-th wire; NULL behind the last.  Route context: the struct skep_ingest. */
const struct skep_route *skep_ingest_routes(unsigned i, size_t *ret_n);

/* OTLP over HTTP (protobuf and JSON) and gRPC.  The same context. */
const struct skep_route *skep_ingest_otlp_routes(size_t *ret_n);
/* Rows as JSON lines, in bulk: POST /skep/v1/import.  The same context. */
const struct skep_route *skep_ingest_import_routes(size_t *ret_n);

/* X-Ray: PutTraceSegments and PutTelemetryRecords.  The same context. */
const struct skep_route *skep_ingest_xray_routes(size_t *ret_n);

/* CloudWatch Logs: PutLogEvents; needs the state, which knows groups and streams.  The same
 * context.
 */
const struct skep_route *skep_ingest_logs_routes(size_t *ret_n);
/* Rollbar: items of its notifiers (docs/api/rollbar.md).  The same context. */
const struct skep_route *skep_ingest_rollbar_routes(size_t *ret_n);

/* Waits for items that are at work.  When no handler runs any more, before the store is closed. */
void skep_ingest_map_stop(struct skep_ingest *in);

/* Honeycomb's events (docs/api/honeycomb.md).  The same context. */
const struct skep_route *skep_ingest_events_routes(size_t *ret_n);

/* --- the X-Ray daemon's UDP port (docs/api/xray.md) --- */

struct skep_xray_port_config {
    const char *listen;       /* "127.0.0.1:2000" */
    const char *environment;  /* of the rows; copied */
    const char *const *allow; /* ranges of senders (net/cidr.h); borrowed for the call */
    unsigned n_allow;
};
/* Bind the port, once.  Returns as skep_udp_open, and SKEP_EINVAL for a bad range. */
SKEP_NODISCARD skep_rc skep_ingest_xray_open(struct skep_ingest *in,
                                             const struct skep_xray_port_config *cfg,
                                             skep_err *err);
/* Begin to read it; without a port nothing. */
SKEP_NODISCARD skep_rc skep_ingest_xray_start(struct skep_ingest *in, skep_err *err);
skep_str skep_ingest_xray_address(const struct skep_ingest *in); /* empty: no port */
/* Stop reading; what was taken goes to the store.  Before the store is closed. */
void skep_ingest_xray_stop(struct skep_ingest *in);

/* What AWS's own daemons report of themselves. */
struct skep_xray_daemons {
    uint64_t records, received, sent, spilled, rejected, backend_errors;
    skep_ts_ns last_ns; /* 0 = none yet */
    char last_host[64];
};
struct skep_xray_stats {
    bool listening;
    struct skep_udp_stats udp;
    struct skep_xray_daemons daemons;
};
/* Counters since the start.  Threads: any. */
void skep_ingest_xray_stats(struct skep_ingest *in, struct skep_xray_stats *ret);

/* The outcome of skep_ingest_own; err when rc is not SKEP_OK.  Must not block. */
typedef void skep_ingest_own_done_fn(void *ctx, skep_rc rc, const skep_err *err);
/* Store spans of the server's own: `body` is an OTLP ExportTraceServiceRequest, borrowed for the
 * call.  The rows get the source `skep`; datasets should begin with "_skep". */
void skep_ingest_own(struct skep_ingest *in, skep_bytes body, skep_ingest_own_done_fn *done,
                     void *ctx);

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
    int status; /* 0 = nothing was answered: datagrams */
    uint64_t bytes;
};

enum { SKEP_INGEST_LAST = 16 };

struct skep_ingest_snapshot {
    /* Those with something received since the ledger was begun, without the server's own. */
    struct skep_ledger_row ledger[SKEP_SOURCE_COUNT * SKEP_SIGNAL_COUNT];
    unsigned n_ledger;
    struct skep_ingest_event last[SKEP_INGEST_LAST]; /* newest first */
    unsigned n_last;
};

/* A consistent enough copy.  Threads: any. */
void skep_ingest_snapshot(struct skep_ingest *in, struct skep_ingest_snapshot *ret);

/* Counters since the start. */
struct skep_ingest_stats {
    uint64_t requests, bytes;      /* answered; their bodies as they came */
    struct skep_histogram_sum ack; /* from the last byte to the answer, when rows were stored */
};
void skep_ingest_stats(struct skep_ingest *in, struct skep_ingest_stats *ret);

/* The same as the members "ledger" and "last" of the object at hand (docs/api/page.md, status);
 * answers from counters.  Threads: any. */
void skep_ingest_status(struct skep_ingest *in, struct skep_json *json);

/* --- the ledger, both sides beside each other (docs/api/page.md, ledger) --- */

/* One stretch of time of one source and signal.
 *
 *   received = stored + pending + duplicate + superseded + sampled + sum of rejected + difference
 *   stored   = live + expired + deleted + store_difference
 *
 * pending are at most those whose answer is on its way; with none, difference is exact.
 * store_difference is 0 in a report with unread rows: what was not read is not called lost. */
struct skep_ledger_line {
    skep_ts_ns start_ns;
    uint8_t source, signal;
    uint64_t received, duplicate, sampled, pending; /* the wire's side */
    uint64_t rejected[SKEP_REJECTION_COUNT];
    uint64_t stored, live, expired, deleted, superseded; /* the store's side */
    uint64_t stored_rows, live_rows;
    int64_t difference, store_difference;
};

struct skep_ledger_report {
    struct skep_ledger_line *lines; /* by source, signal, start; those with anything in them */
    size_t n;
    uint32_t step_minutes;
    uint64_t unread_rows; /* stored rows that could not be read: `live` lacks them */
    skep_str why;
};

enum skep_ledger_sources { SKEP_LEDGER_NOT_SELF = 0, SKEP_LEDGER_ALL = SKEP_SOURCE_COUNT };

/* Compare both sides over [start, end).  The step is the finest that both kept and that gives no
 * more than 400 stretches; start and end are widened to it.
 *
 * source   enum skep_source, or enum skep_ledger_sources
 * Threads: any that may wait: rows may be read.  Owns: all of it lives in the arena. */
void skep_ingest_ledger(struct skep_ingest *in, skep_ts_ns start_ns, skep_ts_ns end_ns, int source,
                        struct skep_arena *arena, struct skep_ledger_report *ret);
/* Sums of what was counted since the process started, under minute 0.  The caller's. */
void skep_ingest_totals(struct skep_ingest *in, struct skep_ledger *ret);
