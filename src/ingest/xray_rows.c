// SPDX-License-Identifier: Apache-2.0
/* A document -> rows: of each segment or subsegment its exceptions, its links, then itself.
 *
 *   kind       segment SERVER; subsegment with namespace aws or remote CLIENT, else INTERNAL
 *   status     ERROR for a fault, a cause, or an error of a CLIENT; else unset
 *   revision   1 open, 3 complete; 1 more once its segment is known: what is complete is never
 *              replaced by what is open, what is placed never by a guess
 *   raw        the document's own text, on the row of the document itself alone
 *
 * I1  recursion is bounded by SKEP_XRAY_DEPTH_MAX.
 * I2  rows of a span stand before it, one behind the other: who supersedes it finds them so.
 * I3  a subsegment without an id leaves its place to its children: their parent is its parent.
 * Threads, memory: as the decoder. */
#include "base/assert.h"
#include "ingest/xray_priv.h"

struct place {
    uint64_t parent;
    skep_ts_ns start_ns; /* of the parent: for who says none */
    unsigned depth;
};

static void put_node(struct skep_xray__dec *d, yyjson_val *node, struct place at);

uint32_t skep_xray__row(struct skep_xray__dec *d, enum skep_kind kind, skep_ts_ns time_ns,
                        const struct skep_xray__span *s)
{
    struct skep_batch *b = d->b;
    if (b->n_rows >= SKEP_LIMIT_BATCH_ROWS) {
        d->too_many = true;
        return UINT32_MAX;
    }
    uint32_t r = skep_batch_row(b, kind, time_ns, SKEP_SOURCE_XRAY);
    b->trace_id[r] = d->doc->trace;
    b->parent_id[r] = s->id;
    b->status[r] = s->status;
    b->dataset[r] = d->dataset;
    b->resource[r] = d->resource;
    skep_batch_revision(b, s->revision);
    return r;
}

static uint8_t span_kind_of(yyjson_val *node, bool segment)
{
    enum { INTERNAL = 1, SERVER = 2, CLIENT = 3 };
    skep_str ns = skep_xray__str(node, "namespace");
    if (segment)
        return SERVER;
    return skep_str_eq(ns, SKEP_STR("aws")) || skep_str_eq(ns, SKEP_STR("remote")) ? CLIENT
                                                                                   : INTERNAL;
}

static struct skep_xray__span span_of(struct skep_xray__dec *d, yyjson_val *node, uint8_t kind,
                                      skep_ts_ns default_start_ns)
{
    struct skep_xray__span s = {.name = skep_xray__str(node, "name")};
    double t;
    bool open = skep_xray__open(node);
    (void)skep_xray_span_id(skep_xray__str(node, "id"), &s.id); // odd ids are kept, by hash
    s.start_ns = skep_xray__number(yyjson_obj_get(node, "start_time"), &t) ? skep_xray__ns(t)
                                                                           : default_start_ns;
    s.end_ns =
        skep_xray__number(yyjson_obj_get(node, "end_time"), &t) ? skep_xray__ns(t) : s.start_ns;
    bool bad = skep_xray__bool(node, "fault") || skep_xray__has_cause(node) ||
               (kind == 3 && skep_xray__bool(node, "error"));
    s.status = bad ? SKEP_STATUS_ERROR : SKEP_STATUS_UNSET;
    s.revision = (open ? 1 : 3) + (d->doc->bound ? 1 : 0);
    return s;
}

static void put_ids(struct skep_xray__dec *d, yyjson_val *node, bool top)
{
    uint64_t id;
    skep_trace_id trace;
    skep_str text = skep_xray__str(node, "id");
    if (!skep_xray_span_id(text, &id))
        skep_xray__put_text(d, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("aws.xray.id"), text);
    if (top && !skep_xray_trace_id(d->doc->trace_text, &trace))
        skep_xray__put_text(d, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("aws.xray.trace_id"),
                            d->doc->trace_text);
}

static void put_intrinsics(struct skep_xray__dec *d, const struct skep_xray__span *s,
                           unsigned n_events, unsigned n_links,
                           const struct skep_xray__exception *x)
{
    skep_xray__put_int(d, SKEP_SCOPE_INTRINSIC, SKEP_STR("span.num_events"), n_events);
    skep_xray__put_int(d, SKEP_SCOPE_INTRINSIC, SKEP_STR("span.num_links"), n_links);
    if (s->end_ns < s->start_ns)
        skep_xray__put_true(d, SKEP_SCOPE_INTRINSIC, SKEP_STR("meta.invalid_duration"));
    if (n_events == 0)
        return;
    skep_xray__put_text(d, SKEP_SCOPE_INTRINSIC, SKEP_STR("exception.type"), x->type);
    skep_xray__put_text(d, SKEP_SCOPE_INTRINSIC, SKEP_STR("exception.message"), x->message);
    if (x->stack.n)
        skep_xray__put_text(d, SKEP_SCOPE_INTRINSIC, SKEP_STR("exception.stacktrace"), x->stack);
}

static int64_t duration_of(const struct skep_xray__span *s)
{
    if (s->end_ns <= s->start_ns)
        return 0;
    uint64_t ns = (uint64_t)s->end_ns - (uint64_t)s->start_ns;
    return ns > INT64_MAX ? INT64_MAX : (int64_t)ns;
}

/* True when the batch had room for it. */
static bool put_span(struct skep_xray__dec *d, yyjson_val *node, struct place at,
                     struct skep_xray__span *s)
{
    bool top = at.depth == 0, segment = top && d->doc->segment;
    uint8_t kind = span_kind_of(node, segment);
    struct skep_xray__exception first = {0};
    uint32_t before = d->b->n_rows;
    *s = span_of(d, node, kind, at.start_ns);
    unsigned n_events = skep_xray__put_exceptions(d, node, s, &first);
    unsigned n_links = skep_xray__put_links(d, node, s);
    uint32_t r = skep_xray__row(d, SKEP_KIND_SPAN, s->start_ns, s);
    if (d->too_many) {
        skep_batch_truncate(d->b, before);
        return false;
    }
    struct skep_batch *b = d->b;
    b->span_id[r] = s->id;
    b->parent_id[r] = at.parent;
    b->duration_ns[r] = duration_of(s);
    b->span_kind[r] = kind;
    b->name[r] = skep_batch_intern(b, s->name);
    put_intrinsics(d, s, n_events, n_links, &first);
    if (skep_xray__open(node))
        skep_xray__put_true(d, SKEP_SCOPE_INTRINSIC, SKEP_STR("meta.in_progress"));
    skep_xray__put_fields(d, node, segment);
    put_ids(d, node, top);
    if (top)
        skep_xray__put_text(d, SKEP_SCOPE_INTRINSIC, SKEP_RAW_FIELD, d->doc->raw);
    return true;
}

static void put_children(struct skep_xray__dec *d, yyjson_val *node, struct place at)
{
    yyjson_val *list = yyjson_obj_get(node, "subsegments"), *child;
    size_t i, n;
    at.depth++;
    yyjson_arr_foreach(list, i, n, child)
    {
        if (d->b->over_budget || d->b->over_limit || d->no_memory)
            return;
        put_node(d, child, at);
    }
}

static void put_node(struct skep_xray__dec *d, yyjson_val *node, struct place at)
{
    struct skep_xray__span s;
    skep_str id = skep_xray__str(node, "id");
    bool sub = at.depth > 0 || !d->doc->segment;
    if (at.depth > SKEP_XRAY_DEPTH_MAX) {
        skep_xray__reject(d, SKEP_REJECTION_OVER_LIMIT, "InvalidSegment", id, true,
                          "nested deeper than 128 subsegments");
        return;
    }
    if (id.n == 0) {
        skep_xray__reject(d, SKEP_REJECTION_BAD_SPAN_ID, "MissingId", id, true, "it has no id");
    } else if (put_span(d, node, at, &s)) {
        d->rep.received++;
        d->rep.accepted++;
        at.parent = s.id;
        at.start_ns = s.start_ns;
    } else {
        d->too_many = false;
        skep_xray__reject(d, SKEP_REJECTION_TOO_MANY_ROWS, "InvalidSegment", id, sub,
                          "a request may hold 1048576 rows");
        return;
    }
    put_children(d, node, at);
}

void skep_xray__rows(struct skep_xray__dec *d, const struct skep_xray__doc *doc)
{
    skep_assert(doc->owner != NULL && doc->json != NULL);
    d->doc = doc;
    skep_xray__enter(d, doc->owner);
    put_node(d, doc->root, (struct place){.parent = doc->parent});
}
