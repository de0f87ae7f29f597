// SPDX-License-Identifier: Apache-2.0
/* What the ledger gives the adapters. */
#pragma once

#include "ingest/ingest.h"
#include "os/thread.h"

struct skep_xray_bind;
struct skep_xray_port;

struct skep_ingest {
    struct skep_ingest_config cfg;
    struct skep_mutex ledger_lock;  /* of the four below: ledger.c */
    struct skep_ledger book;        /* all that was received, by minute */
    struct skep_ledger unsaved;     /* of it, what no row carries and state has not yet */
    struct skep_ledger totals;      /* since the start, under minute 0 */
    uint32_t book_hour, saved_hour; /* in which they were folded */
    struct skep_mutex lock;         /* of the two below */
    struct skep_ingest_event last[SKEP_INGEST_LAST];
    _Atomic uint64_t bytes;
    struct skep_histogram ack_times;
    struct {
        struct skep_xray_bind *bind;
        struct skep_xray_port *port;      /* NULL = none */
        struct skep_xray_daemons daemons; /* lock */
    } xray;
    struct skep_pool *mappers; /* items whose frames have originals; NULL = nobody has symbols */
    struct skep_ingest__rules *rules;   /* lock; about grouping; NULL = there are none */
    struct skep_ingest__depths *depths; /* lock; events_datasets.c; NULL = there are none */
    uint64_t n_last; /* ever noted; the newest is last[(n_last - 1) % SKEP_INGEST_LAST] */
};

/* Where a request is counted; `what` is not used. */
struct skep_ledger_key skep_ingest__at(enum skep_source source, enum skep_signal signal,
                                       skep_ts_ns received_ns);
/* Count what came in; then, once, what became of it.  carried: its rows are in the store, and their
 * receipt with them; otherwise the counts are for state to keep. */
void skep_ingest__received(struct skep_ingest *in, struct skep_ledger_key at, uint64_t n);
struct skep_ingest__outcome {
    uint64_t received, accepted, duplicate;
    uint64_t rejected[SKEP_REJECTION_COUNT];
    bool carried;
};
void skep_ingest__settled(struct skep_ingest *in, struct skep_ledger_key at,
                          const struct skep_ingest__outcome *o);

/* Things of each source and signal among the rows of a batch that no receipt goes with (import):
 * the store counts the same rows as received. */
struct skep_ingest__mixture {
    skep_ts_ns received_ns;
    uint32_t n[SKEP_SOURCE_COUNT][SKEP_SIGNAL_COUNT];
};
void skep_ingest__mixture_of(const struct skep_batch *b, struct skep_ingest__mixture *ret);
/* Count them as received; then, once, as the store answered. */
void skep_ingest__received_mixture(struct skep_ingest *in, const struct skep_ingest__mixture *m);
void skep_ingest__settled_mixture(struct skep_ingest *in, const struct skep_ingest__mixture *m,
                                  skep_rc rc, bool duplicate);

/* Find the occurrences of errors among a batch's rows, and group them by the environment's rules:
 * when the rows stand, before they are appended.
 * symbols  what Rollbar's frames were decoded with; NULL = nothing */
void skep_ingest__occurrences(struct skep_ingest *in, struct skep_batch *b,
                              struct skep_symbols *symbols);
/* The same, then into the store: at once, or, where stacks have originals that may have to be read
 * from the disk, on the mappers' threads.  Takes the batch.  Threads: any. */
void skep_ingest__append(struct skep_ingest *in, struct skep_batch *b, skep_append_done_fn *done,
                         void *ctx);
void skep_ingest__rules_done(struct skep_ingest *in);
void skep_ingest__datasets_done(struct skep_ingest *in);

/* The sums of the book, for the snapshot. */
void skep_ingest__rows(struct skep_ingest *in, struct skep_ingest_snapshot *ret);

/* The rejection a failed request is counted under. */
enum skep_rejection skep_ingest__rejection(skep_rc rc);

/* Note a request in the ring of the last ones. */
void skep_ingest__note(struct skep_ingest *in, const struct skep_request *req, int status,
                       skep_str error);
/* The same of what is no request: datagrams. */
void skep_ingest__note_text(struct skep_ingest *in, skep_str listener, skep_str what,
                            uint64_t bytes, skep_str error);
