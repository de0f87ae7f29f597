// SPDX-License-Identifier: Apache-2.0
/* One exception that several wires report is one occurrence: which reports are of the same one.
 * Internal to src/inbox.
 *
 * Two reports are, when they come by two wires, have the same class and innermost own frame (the
 * loose fingerprint), and are of the same trace, or, where not both name a trace of one tracer, of
 * the same process of the same host within 2 s (X-Ray's traces are another tracer's than all
 * others').  The first to arrive counts, the others are its twins.  Of a
 * trace that one wire reports a times and another b times, max(a, b) count, whichever come first.
 *
 * A report is remembered until SKEP_TWINS_REMEMBERED others that could have twins have come, twice
 * that at most.  Threads: one owner.  Memory: 16 MiB at most. */
#pragma once

#include "event/event.h"

enum { SKEP_TWINS_REMEMBERED = 32768 };

/* A wire is a source and whether it told of it by a log line: OpenTelemetry's exception events and
 * log records are two. */
static inline unsigned skep_twins_wire(enum skep_source source, enum skep_kind kind)
{
    return (unsigned)source * SKEP_KIND_COUNT + (unsigned)kind;
}

static inline unsigned skep_twins_source(unsigned wire)
{
    return wire / SKEP_KIND_COUNT;
}

struct skep_report {
    skep_str environment, loose;
    skep_trace_id trace; /* zero = none */
    skep_str host;       /* empty = not said */
    int64_t pid;         /* 0 = not said */
    skep_ts_ns time_ns;
    unsigned wire;
    skep_row_id row; /* increases from report to report */
};

struct skep_twins;
/* Owns: caller. */
struct skep_twins *skep_twins_new(void);
void skep_twins_free(struct skep_twins *t); /* NULL is fine */

/* Take in a report.  true: it is a twin, of the report in *ret_of; false: it counts. */
bool skep_twins_see(struct skep_twins *t, const struct skep_report *r, skep_row_id *ret_of,
                    unsigned *ret_of_wire);
/* Take in what was decided before: a twin of `of`, or (of.seq 0) one that counts.  With all reports
 * from skep_twins_from on, everything is as it was. */
void skep_twins_replay(struct skep_twins *t, const struct skep_report *r, skep_row_id of);
/* The first report that is remembered; seq 0 = none. */
skep_row_id skep_twins_from(const struct skep_twins *t);
