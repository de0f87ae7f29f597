// SPDX-License-Identifier: Apache-2.0
/* Which rows of a batch are occurrences of an error, whatever wire brought them. */
#pragma once

#include "base/arena.h"
#include "event/batch.h"

/* Rows are occurrences by exception fields (exception.type, .message, .stacktrace) of an event or a
 * log line, or by a stack trace in a log line's body; never by a severity alone.  A span is none:
 * its events are.  They get intrinsic text fields:
 *
 *   error.fingerprint, error.fingerprint.loose   stack/fingerprint.h
 *   error.culprit                                "FILE in FUNCTION" of the innermost own frame
 *   exception.type, exception.message            of a trace in a body
 *
 * The last two are put into batches of logs alone: spans have fields of that name from their
 * events. Call when the rows stand, before they are appended.  Rows that have a fingerprint already
 * (Rollbar's) keep it: a batch holds rows of one wire.  Threads: the batch's.  Memory: what a row's
 * trace takes, a row at a time. */
struct skep_symbols;
struct skep_faults_opts {
    struct skep_symbols *symbols; /* originals of frames; NULL = as they came */
    skep_str environment;
    bool may_wait; /* for the disk, which symbols may take */
};
/* opts  NULL: no symbols
 * Returns true; false: some stack has originals, and the caller may not wait.  Then nothing was
 * marked: again where one may. */
bool skep_faults_mark(struct skep_batch *b, const struct skep_faults_opts *opts);

/* "FILE in FUNCTION"; either alone without the other; empty without both. */
struct skep_frame;
skep_str skep_fault_culprit(const struct skep_frame *f, struct skep_arena *arena);
