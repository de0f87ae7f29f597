// SPDX-License-Identifier: Apache-2.0
/* What is known to be lost: records of the manifest (tag 11) that make answers say so.  Internal to
 * store/column; format: docs/formats/manifest.md. */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "event/event.h"
#include "plan/plan.h"

/* On disk: never reuse a number. */
enum skep_missing_kind {
    SKEP_MISSING_FORGET = 0,  /* all records before this one are settled */
    SKEP_MISSING_SEGMENT = 1, /* a segment, or some of its row groups, that could not be read */
    SKEP_MISSING_LOG = 2,     /* commits that the log knows of and does not hold */
    SKEP_MISSING_GAP = 3,     /* commits between segments found while the manifest was rebuilt:
                               * expired or lost, nobody knows */
    SKEP_MISSING_KINDS
};

#define SKEP_MISSING_ROWS_UNKNOWN UINT64_MAX

struct skep_missing {
    uint64_t kind, number;     /* of the segment's file, or the epoch of the log file */
    uint64_t min_seq, max_seq; /* the rows are of these commits; 0 .. UINT64_MAX: not known */
    uint64_t rows;
    skep_ts_ns min_start_ns, max_start_ns; /* of the rows; INT64_MIN .. INT64_MAX: not known */
    skep_ts_ns found_ns;                   /* when it was noticed */
};

struct skep_missing_list {
    struct skep_missing *items;
    unsigned n, cap;
};

/* The operation's tag and values. */
void skep_missing__put(struct skep_buf *b, const struct skep_missing *m);
/* Read the values behind the tag and take them over.  Returns SKEP_OK | ECORRUPT. */
SKEP_NODISCARD skep_rc skep_missing__apply(struct skep_missing_list *l, skep_rd *r);
void skep_missing__add(struct skep_missing_list *l, const struct skep_missing *m);
bool skep_missing__has(const struct skep_missing_list *l, const struct skep_missing *m);
void skep_missing__copy(struct skep_missing_list *to, const struct skep_missing_list *from);
void skep_missing__done(struct skep_missing_list *l);
/* Rows that are known to be gone. */
uint64_t skep_missing__rows(const struct skep_missing_list *l);
/* How many rows the ledger may lack for this record: what the log lost it never heard of. */
uint64_t skep_missing__at_most(const struct skep_missing *m);
static inline bool skep_missing__touches(const struct skep_missing *m, skep_ts_ns from_ns,
                                         skep_ts_ns to_ns)
{
    return m->min_start_ns <= to_ns && m->max_start_ns >= from_ns;
}
/* "123 rows of segment 00..2a (commits 5 to 9, 2026-..Z to 2026-..Z)" */
void skep_missing__text(struct skep_buf *out, const struct skep_missing *m);
