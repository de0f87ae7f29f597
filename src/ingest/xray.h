// SPDX-License-Identifier: Apache-2.0
/* X-Ray segment documents -> rows of a batch (docs/api/xray.md has the mapping).
 *
 * A text holds one document, an array of them, or several one behind the other; each document is a
 * segment or an independent subsegment, with its subsegments inside.  Each of them is one span row;
 * causes are span events, links are links.  What AWS would refuse for its form is stored all the
 * same: only what cannot be read, or has no id, trace or start, is not. */
#pragma once

#include "event/batch.h"

/* One text as it came. */
struct skep_xray_text {
    skep_str text;   /* borrowed for the call */
    uint64_t sender; /* tells processes apart (a hash of the peer's address); 0 = unknown */
};

/* A document, or a subsegment inside one, that was not stored as sent. */
struct skep_xray_unprocessed {
    skep_str id;      /* as sent; empty = it has none */
    const char *code; /* X-Ray's word: "MissingTraceId" ... */
    bool subsegment;
};

struct skep_xray_report {
    uint64_t received; /* segments and subsegments; what cannot be read counts as one; subsegments
                        * that are stored anew because their segment came count again */
    uint64_t accepted; /* of these, turned into span rows */
    uint32_t rejected[SKEP_REJECTION_COUNT];
    struct skep_xray_unprocessed *unprocessed; /* in order, at most SKEP_XRAY_UNPROCESSED_MAX */
    size_t n_unprocessed;
    char message[168]; /* the first rejection: what and where; "" = none */
};
enum {
    SKEP_XRAY_UNPROCESSED_MAX = 1000,
    SKEP_XRAY_DEPTH_MAX = 128, /* subsegments in subsegments; what lies deeper is refused */
    SKEP_XRAY_DOCUMENT_MAX = SKEP_LIMIT_VALUE_BYTES
};

/* Which segment a streamed subsegment belongs to, whichever came first: the trace's last documents,
 * for minutes and within bytes.  Threads: any. */
struct skep_xray_bind;
/* bytes_max    of what is remembered, about; at least 64 KiB
 * keep_ns      for at least half of this long, if the bytes last */
struct skep_xray_bind *skep_xray_bind_new(size_t bytes_max, int64_t keep_ns);
void skep_xray_bind_free(struct skep_xray_bind *bind); /* NULL is fine */

struct skep_xray_opts {
    struct skep_xray_bind *bind; /* NULL = subsegments find their segment in the same call only */
    skep_str environment;        /* of the rows; empty = the default */
    size_t document_bytes_max;   /* 1..SKEP_XRAY_DOCUMENT_MAX; 0 = that */
    struct skep_arena *arena;    /* the report and scratch live there */
};

/* Decode texts and append their rows to `b`, which is empty and gets its environment.
 *
 * Returns SKEP_OK (also when all was rejected) | SKEP_ENOMEM (a budget) | SKEP_ETOOLARGE (a limit
 *         of the batch); b must be thrown away on failure, and ret is untouched
 * Owns    nothing keeps a pointer into the texts
 * Threads any; touches only its arguments (bind has a lock) */
SKEP_NODISCARD skep_rc skep_xray_decode(const struct skep_xray_text *texts, size_t n,
                                        const struct skep_xray_opts *opts, struct skep_batch *b,
                                        struct skep_xray_report *ret, skep_err *err);

/* "1-8hex-24hex", or 32 hex digits, as the trace id it shares with W3C.  False: it is neither (or
 * zero), and *ret is a hash of the text, never zero. */
bool skep_xray_trace_id(skep_str text, skep_trace_id *ret);
/* 16 hex digits as the batch keeps span ids.  False as above. */
bool skep_xray_span_id(skep_str text, uint64_t *ret);

/* The header line of a datagram, {"format":"json","version":1}, and what stands behind it.
 * Returns false when there is none, or another format. */
SKEP_NODISCARD bool skep_xray_datagram(skep_str datagram, skep_str *ret_body);
