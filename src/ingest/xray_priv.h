// SPDX-License-Identifier: Apache-2.0
/* What the X-Ray decoder's files share. */
#pragma once

#include <yyjson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "ingest/xray.h"

/* What rows take from the segment they belong to.  In one arena, with all its texts. */
struct skep_xray__owner {
    skep_str service;     /* the segment's name; empty = no segment is known */
    bool outermost_first; /* its stacks are (the SDK for Python) */
    bool compiled;        /* its stacks are of a compiled program */
    unsigned n_fields;
    struct skep_xray__field {
        skep_str name;
        skep_value value;
    } * fields; /* of the resource */
};

enum skep_xray__state { SKEP_XRAY__OPEN, SKEP_XRAY__COMPLETE };

/* A document that is to become rows. */
struct skep_xray__doc {
    skep_str raw;
    yyjson_doc *json;
    yyjson_val *root;
    skep_str trace_text;
    skep_trace_id trace;
    uint64_t id, parent; /* parent 0 = none */
    uint64_t sender;
    bool segment;
    bool again; /* stored before: made anew because its segment has come */
    bool bound; /* owner is the segment it belongs to, not a guess */
    enum skep_xray__state state;
    struct skep_xray__owner *owner; /* never NULL behind skep_xray__bind */
};

/* One decoding. */
struct skep_xray__dec {
    struct skep_batch *b;
    const struct skep_xray_opts *opts;
    struct skep_arena *arena;
    struct skep_xray_report rep;
    struct skep_xray__doc *docs;
    size_t n_docs, cap_docs;
    struct skep_buf text; /* a value as JSON, a stack */
    bool no_memory;
    /* Of the document at hand. */
    const struct skep_xray__doc *doc;
    uint32_t resource, dataset;
    bool too_many;
};

/* --- xray.c --- */

/* Count a rejection.  id may be empty. */
void skep_xray__reject(struct skep_xray__dec *d, enum skep_rejection why, const char *code,
                       skep_str id, bool subsegment, const char *text);
/* A text member; empty when it is absent or something else. */
skep_str skep_xray__str(yyjson_val *obj, const char *key);
bool skep_xray__bool(yyjson_val *obj, const char *key);
/* A number, or a text that is one. */
bool skep_xray__number(yyjson_val *v, double *ret);
/* Seconds since 1970 as ns, exactly as the decimal digits say; out of range: the nearest. */
skep_ts_ns skep_xray__ns(double seconds);
bool skep_xray__open(yyjson_val *root);
/* Fill what a document says of itself, from doc->json. */
void skep_xray__ids(struct skep_xray__doc *doc);

/* --- xray_value.c: JSON -> fields of the newest row --- */

/* Compact JSON text in d->text; empty when it has no room. */
skep_str skep_xray__json(struct skep_xray__dec *d, yyjson_val *v);
/* A value of any type under a name: objects become JSON text.  null and what is too large put
 * nothing. */
void skep_xray__put(struct skep_xray__dec *d, skep_str name, yyjson_val *v);
/* The same for each member, names behind `prefix`; objects one level deep are taken apart. */
void skep_xray__put_members(struct skep_xray__dec *d, const char *prefix, yyjson_val *obj);
void skep_xray__put_text(struct skep_xray__dec *d, enum skep_scope scope, skep_str name,
                         skep_str text);
void skep_xray__put_int(struct skep_xray__dec *d, enum skep_scope scope, skep_str name, int64_t v);
void skep_xray__put_true(struct skep_xray__dec *d, enum skep_scope scope, skep_str name);

/* A table of renamed members: path is "member" or "object/member". */
struct skep_xray__rename {
    const char *path;
    skep_str name;
};

/* --- xray_segment.c: what the segment says of itself and its surroundings --- */

/* Of a segment's document; in d->arena, texts borrowed from the document. */
struct skep_xray__owner *skep_xray__owner_of(struct skep_xray__dec *d, yyjson_val *root);
/* Intern it: sets d->resource and d->dataset. */
void skep_xray__enter(struct skep_xray__dec *d, const struct skep_xray__owner *owner);
/* A copy with all texts.  Room in `a` is forced. */
struct skep_xray__owner *skep_xray__owner_copy(struct skep_arena *a,
                                               const struct skep_xray__owner *from);

/* --- xray_rows.c: a document -> rows --- */
void skep_xray__rows(struct skep_xray__dec *d, const struct skep_xray__doc *doc);

/* --- xray_fields.c: what a segment or subsegment says -> fields of the newest row --- */
void skep_xray__put_fields(struct skep_xray__dec *d, yyjson_val *node, bool segment);

/* --- xray_cause.c: causes and links -> rows --- */

/* What all rows of a span have in common. */
struct skep_xray__span {
    uint64_t id;
    skep_ts_ns start_ns, end_ns; /* end = start while it is open */
    uint8_t status;
    int64_t revision;
    skep_str name;
};
struct skep_xray__exception { /* the first one; in d->arena */
    skep_str type, message, stack;
};
/* Is there any cause at all? */
bool skep_xray__has_cause(yyjson_val *node);
/* Rows of exceptions; returns how many, the first one in *ret_first. */
unsigned skep_xray__put_exceptions(struct skep_xray__dec *d, yyjson_val *node,
                                   const struct skep_xray__span *s,
                                   struct skep_xray__exception *ret_first);
unsigned skep_xray__put_links(struct skep_xray__dec *d, yyjson_val *node,
                              const struct skep_xray__span *s);
/* A row of the span at hand; UINT32_MAX when the batch is full. */
uint32_t skep_xray__row(struct skep_xray__dec *d, enum skep_kind kind, skep_ts_ns time_ns,
                        const struct skep_xray__span *s);

/* --- xray_bind.c --- */

/* Find the owner of each independent subsegment among docs[0, n) and what is remembered, remember
 * them all, and append subsegments to d->docs that were waiting for one of the segments. */
void skep_xray__bind(struct skep_xray__dec *d);
