// SPDX-License-Identifier: Apache-2.0
/* The ledger: how many things were counted, by minute of receipt, source, signal and what became of
 * them.  Both sides of the account are kept in this form, each counted by code of its own: the
 * wire's by src/ingest, the store's by the engine (docs/formats/ledger.md).
 *
 *   received = accepted + duplicate + sampled + rejected(reason) + in flight     the wire's words
 *   stored   = live + expired + deleted + superseded                             the store's count
 *   accepted = stored                                                            what is checked
 *
 * A ledger is a sorted list of (key, number).  Old minutes are folded into hours, those into days.
 */
#pragma once

#include "event/event.h"

/* What is counted: spans, log records, data points.  A request that could not be read counts as
 * one.  On disk: never reuse a number. */
enum skep_signal {
    SKEP_SIGNAL_TRACES = 0,
    SKEP_SIGNAL_LOGS = 1,
    SKEP_SIGNAL_METRICS = 2,
    SKEP_SIGNAL_COUNT
};
/* "traces" "logs" "metrics"; out of range gives "unknown". */
skep_str skep_signal_name(enum skep_signal s);

/* Why something received was not stored.  On disk: never reuse a number.  X(id, number, name) */
#define SKEP_REJECTIONS(X)                                                                         \
    X(BAD_TRACE_ID, 0, "bad_trace_id")                                                             \
    X(BAD_SPAN_ID, 1, "bad_span_id")                                                               \
    X(BAD_PARENT_ID, 2, "bad_parent_id")                                                           \
    X(TOO_MANY_ROWS, 3, "too_many_rows")                                                           \
    X(VALUE_TOO_LARGE, 4, "value_too_large")                                                       \
    X(METRICS_NOT_STORED, 5, "metrics_not_stored")                                                 \
    X(MALFORMED, 6, "malformed")                                                                   \
    X(UNSUPPORTED, 7, "unsupported")                                                               \
    X(TOO_LARGE, 8, "too_large")                                                                   \
    X(NO_MEMORY, 9, "no_memory")                                                                   \
    X(NO_SPACE, 10, "no_space")                                                                    \
    X(IO_ERROR, 11, "io_error")                                                                    \
    X(CLOSED, 12, "closed")                                                                        \
    X(OTHER, 13, "other")                                                                          \
    X(NO_RIGHT, 14, "no_right")                                                                    \
    X(OVER_LIMIT, 15, "over_limit")                                                                \
    X(MISSING_TIME, 16, "missing_time")                                                            \
    X(BAD_HEADER, 17, "bad_header")                                                                \
    X(NOT_ALLOWED, 18, "not_allowed")                                                              \
    X(TOO_OLD, 19, "too_old")                                                                      \
    X(TOO_NEW, 20, "too_new")                                                                      \
    X(PAST_RETENTION, 21, "past_retention")                                                        \
    X(NO_STREAM, 22, "no_stream")                                                                  \
    X(UNORDERED, 23, "unordered")

enum skep_rejection {
#define X(id, number, name) SKEP_REJECTION_##id = (number),
    SKEP_REJECTIONS(X)
#undef X
        SKEP_REJECTION_COUNT
};
/* "bad_trace_id" ...  Static text. */
skep_str skep_rejection_name(enum skep_rejection r);

/* What became of it.  The _ROWS twins count rows, of which a span makes one more for each of its
 * events and links; the others count what the wire counts.  LIVE is made anew for each answer and
 * never kept.  On disk: never reuse a number.  X(id, number) */
#define SKEP_LEDGER_COUNTS(X)                                                                      \
    X(RECEIVED, 1)                                                                                 \
    X(ACCEPTED, 2) /* acknowledged as stored */                                                    \
    X(DUPLICATE, 3)                                                                                \
    X(SAMPLED, 4)                                                                                  \
    X(STORED, 16)                                                                                  \
    X(STORED_ROWS, 17)                                                                             \
    X(EXPIRED, 18)                                                                                 \
    X(EXPIRED_ROWS, 19)                                                                            \
    X(DELETED, 20)                                                                                 \
    X(DELETED_ROWS, 21)                                                                            \
    X(SUPERSEDED, 22)                                                                              \
    X(SUPERSEDED_ROWS, 23)                                                                         \
    X(LIVE, 32)                                                                                    \
    X(LIVE_ROWS, 33)                                                                               \
    X(REJECTED, 64) /* + enum skep_rejection */

enum skep_ledger_what {
#define X(id, number) SKEP_LEDGER_##id = (number),
    SKEP_LEDGER_COUNTS(X)
#undef X
        SKEP_LEDGER_WHAT_END = SKEP_LEDGER_REJECTED + SKEP_REJECTION_COUNT
};

/* On disk: never reuse a number. */
enum skep_ledger_width { SKEP_LEDGER_MINUTE = 0, SKEP_LEDGER_HOUR = 1, SKEP_LEDGER_DAY = 2 };

enum {
    SKEP_LEDGER_MINUTE_HOURS = 24, /* minutes are kept for so long after their hour, */
    SKEP_LEDGER_HOUR_DAYS = 31,    /* hours for so long after their day, */
    SKEP_LEDGER_DAY_DAYS = 3660,   /* days for so long */
    SKEP_LEDGER_ENTRIES_MAX = 1 << 20
};

struct skep_ledger_key {
    uint32_t minute; /* start, in minutes since 1970 */
    enum skep_ledger_width width;
    uint8_t source, signal; /* enum skep_source, enum skep_signal */
    uint8_t what;           /* enum skep_ledger_what, or REJECTED + enum skep_rejection */
};

/* minute << 32 | width << 24 | source << 16 | signal << 8 | what: entries sort by it. */
uint64_t skep_ledger_pack(struct skep_ledger_key k);
/* Returns false for what no ledger of this version holds. */
SKEP_NODISCARD bool skep_ledger_unpack(uint64_t packed, struct skep_ledger_key *ret);
/* The minute of a time; 0 before 1970. */
uint32_t skep_ledger_minute(skep_ts_ns ns);
/* 1, 60 or 1440. */
uint32_t skep_ledger_minutes(enum skep_ledger_width w);

struct skep_ledger_entry {
    uint64_t key, n;
};

/* Zero-initialised is empty.  One owner or its lock. */
struct skep_ledger {
    struct skep_ledger_entry *items; /* ascending by key */
    size_t n, cap;
    size_t hint; /* of the last add */
};

void skep_ledger_done(struct skep_ledger *l); /* frees; empty afterwards */
/* Add n, modulo 2^64, so that what was added can be taken back; n == 0 adds nothing. */
void skep_ledger_add(struct skep_ledger *l, struct skep_ledger_key k, uint64_t n);
/* Add all of `from`, times +1 or -1. */
void skep_ledger_merge(struct skep_ledger *l, const struct skep_ledger *from);
void skep_ledger_unmerge(struct skep_ledger *l, const struct skep_ledger *from);
/* A copy of the entries from `minute` on: those whose time reaches beyond it. */
void skep_ledger_copy(struct skep_ledger *to, const struct skep_ledger *from, uint32_t minute);
/* The number under a key, 0 when there is none. */
uint64_t skep_ledger_get(const struct skep_ledger *l, struct skep_ledger_key k);
/* Minutes to hours, hours to days, old days away, as of now.  Returns whether anything changed. */
bool skep_ledger_fold(struct skep_ledger *l, skep_ts_ns now_ns);
/* Entries in order, numbers not 0: what a file must hold to be taken. */
SKEP_NODISCARD bool skep_ledger_check(const struct skep_ledger *l);

/* What the wire says of one request whose rows go to the store: travels with them, so that its
 * counts are as durable as they are.  source 0 = it says nothing. */
struct skep_receipt {
    uint8_t source, signal;
    uint32_t received;
    uint32_t rejected[SKEP_REJECTION_COUNT];
};
/* Enter a receipt: RECEIVED and REJECTED. */
void skep_ledger_add_receipt(struct skep_ledger *l, const struct skep_receipt *r, uint32_t minute);
