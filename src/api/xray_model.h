// SPDX-License-Identifier: Apache-2.0
/* A trace as X-Ray sees it: the rows of one trace -> segments, nodes, calls between them.
 *
 *   rows (any wire)         segs, parents before children          nodes           edges
 *   span SERVER  api   ->   segment api                            api             client -> api
 *     span INTERNAL    ->     subsegment                           users@db        api -> users@db
 *       span CLIENT    ->       subsegment
 *                               inferred segment users@db
 *   span SERVER  auth  ->   segment auth (its parent is the call)  auth            api -> auth
 *
 * X-Ray's own rows say what they are.  Of other wires a span is a segment if it is a server's or a
 * consumer's, or the first of its service in the trace; what hangs below it in the same service are
 * its subsegments.  A service that begins with a call gets a segment made for it.
 *
 * A call (namespace aws or remote, or one with SQL) that no segment answers gets an inferred
 * segment, with an id made from the call's, the same every time.
 *
 * Pure: no I/O, no clock.  Memory: the arena given; rows are borrowed. */
#pragma once

#include <yyjson.h>

#include "lang/xray.h"
#include "plan/rows.h"

enum skep_xray_part { SKEP_XRAY_SEGMENT, SKEP_XRAY_SUBSEGMENT, SKEP_XRAY_INFERRED };

struct skep_xray_seg {
    enum skep_xray_part part;
    bool made;                  /* SEGMENT: by us, for a service that begins with a call */
    const struct skep_row *row; /* INFERRED: the call's; made: the first call's */
    uint64_t id, parent_id;     /* as documents have them; parent_id 0 = none */
    int32_t parent;             /* index; -1 = none (or missing) */
    int32_t owner;              /* the segment it belongs to, itself if it is one; -1 = unknown */
    int32_t first_child, next;  /* by start; -1 = none */
    int32_t first_event;        /* exceptions: index into events; -1 = none */
    int32_t node;               /* of segments and inferred ones; -1 */
    skep_str name;
    skep_ts_ns start_ns, end_ns; /* end = start while in progress */
    bool in_progress, fault, error, throttle;
    bool remote; /* namespace aws or remote */
    bool aws;    /* namespace aws */
};

/* A row of kind exception. */
struct skep_xray_event {
    const struct skep_row *row;
    int32_t next;
};

/* A row of kind link: the segment or subsegment goes on from a span, mostly of another trace. */
struct skep_xray_link {
    int32_t seg;
    skep_trace_id trace_id;
    uint64_t span_id;
};

struct skep_xray_node {
    skep_str name, other_name; /* other: as its calls say it, "" = the same */
    skep_str type, account;    /* "" = unknown */
    bool client, inferred;
};

struct skep_xray_edge {
    int32_t from, to; /* nodes */
    int32_t call;     /* the seg whose numbers it carries: the call, or the segment called */
    int32_t target;   /* the segment called, maybe inferred */
};

struct skep_xray_trace {
    struct skep_arena *arena;
    skep_trace_id id;
    struct skep_xray_seg *segs;
    int32_t n;
    struct skep_xray_event *events;
    int32_t n_events;
    struct skep_xray_link *links;
    int32_t n_links;
    struct skep_xray_node *nodes;
    int32_t n_nodes;
    struct skep_xray_edge *edges;
    int32_t n_edges;
    int32_t entry; /* the segment that the trace began with; -1 = none came */
    /* The row by which lists order the trace: the earliest without a parent id, else the earliest
     * whose parent is missing; NULL = neither. */
    const struct skep_row *anchor;
    skep_ts_ns start_ns, end_ns; /* first start, last end of segments and subsegments */
    uint32_t revision;           /* grows as rows come */
};

/* Services whose rows of other wires than X-Ray's are not looked at: they report by both. */
struct skep_xray_twice {
    const skep_str *services;
    size_t n;
    bool in_trace; /* also those that report by both within the trace */
};

/* Ids of a link's fields.  False: they are none. */
bool skep_xray_link_ids(skep_str trace, skep_str span, skep_trace_id *ret_trace,
                        uint64_t *ret_span);

/* rows     all rows of one trace, any order
 * twice    NULL = none */
void skep_xray_assemble(const struct skep_rows *rows, const struct skep_xray_twice *twice,
                        struct skep_arena *arena, struct skep_xray_trace *ret);

/* The segment `of` and its subsegments, parents first: begin with at = of; -1 = the end. */
int32_t skep_xray_next(const struct skep_xray_trace *t, int32_t of, int32_t at);

/* --- what a row says --- */

/* A text field by its canonical name; p is NULL when it is absent or no text. */
skep_str skep_xray_text(struct skep_arena *arena, const struct skep_row *row, skep_str name);
/* A whole number; false when absent or another type. */
SKEP_NODISCARD bool skep_xray_int(struct skep_arena *arena, const struct skep_row *row,
                                  skep_str name, int64_t *ret);

struct skep_xray_http {
    skep_str method, url, user_agent, client_ip; /* p NULL = absent */
    int64_t status, content_length;              /* -1 = absent */
};
/* False when the row says nothing of HTTP. */
bool skep_xray_http(struct skep_arena *arena, const struct skep_row *row,
                    struct skep_xray_http *ret);
/* The value of an annotation; type NULL = the row has none of that key. */
skep_value skep_xray_annotation(struct skep_arena *arena, const struct skep_row *row, skep_str key);
/* "AWS::EC2::Instance" ...; "" = unknown. */
skep_str skep_xray_origin(struct skep_arena *arena, const struct skep_row *row);
skep_str skep_xray_account(struct skep_arena *arena, const struct skep_row *row);
/* A row alone as a seg: its flags, namespace and name; ids and places are not set. */
struct skep_xray_seg skep_xray_alone(struct skep_arena *arena, const struct skep_row *row,
                                     enum skep_xray_part part);
/* The node that an unanswered call leads to. */
struct skep_xray_node skep_xray_called(struct skep_arena *arena, const struct skep_xray_seg *call);

/* --- root causes --- */

struct skep_xray_cause_path {
    int32_t *segs; /* services from the first on: segments, inferred ones at the end */
    int32_t n_segs;
    int32_t *entities; /* of all services: the segment itself, then subsegments */
    int32_t *first;    /* [n_segs + 1]: where each service's begin */
    bool client_impacting;
};
struct skep_xray_causes {
    struct skep_xray_cause_path *paths;
    int32_t n;
};
enum { SKEP_XRAY_CAUSES_MAX = 10 };
/* From the entry (or the outermost that failed) to the innermost that failed; for response times to
 * the innermost that takes at least half of it. */
void skep_xray_find_causes(const struct skep_xray_trace *t, enum skep_xray_cause cause,
                           struct skep_xray_causes *ret);
/* Share of the entry's time, 0..1. */
double skep_xray_coverage(const struct skep_xray_trace *t, int32_t seg);

/* --- filter expressions --- */

/* Does the expression select the trace? */
bool skep_xray_match(const struct skep_xray_trace *t, const struct skep_xray_expr *e);
bool skep_xray_ref_matches(const struct skep_xray_node *n, const struct skep_xray_ref *ref);
