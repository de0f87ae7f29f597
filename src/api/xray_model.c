// SPDX-License-Identifier: Apache-2.0
/* Assembling: rows in tree order -> segs, then inferred segments, nodes, edges.
 *
 * I1  segs[i].parent < i: parents stand before their children, whatever the rows said (cycles and
 *     missing parents are cut by skep_query_trace_tree).
 * I2  owner of a segment is itself; of a subsegment the nearest segment above it, in its service.
 *
 * Threads: none of its own.  Memory: the trace's arena. */
#include "api/xray_model.h"

#include <stdlib.h>

#include "api/api_priv.h"
#include "base/assert.h"
#include "base/hash.h"

enum { KIND_INTERNAL = 1, KIND_SERVER, KIND_CLIENT, KIND_PRODUCER, KIND_CONSUMER };
enum { NONE = -1 };

static bool is_xray(const struct skep_row *row)
{
    return row->source == SKEP_SOURCE_XRAY;
}

static skep_str service_of(struct skep_arena *arena, const struct skep_row *row)
{
    skep_str name = skep_xray_text(arena, row, SKEP_STR("service.name"));
    return name.n ? name : row->dataset;
}

// --- rows --------------------------------------------------------------------------------------

static bool listed(const skep_str *names, size_t n, skep_str name)
{
    for (size_t i = 0; i < n; i++)
        if (skep_str_eq(names[i], name))
            return true;
    return false;
}

/* Rows without those that a service reported a second time by another wire. */
static struct skep_rows once(const struct skep_rows *rows, const struct skep_xray_twice *twice,
                             struct skep_arena *arena)
{
    struct skep_rows ret = *rows;
    skep_str *own = skep_new_n(arena, skep_str, rows->n + 1);
    size_t n_own = 0;
    if (!twice)
        return ret;
    for (size_t i = 0; i < rows->n && twice->in_trace; i++) {
        const struct skep_row *r = &rows->rows[i];
        if (!is_xray(r) || r->kind != SKEP_KIND_SPAN)
            continue;
        skep_str name = service_of(arena, r);
        if (!listed(own, n_own, name))
            own[n_own++] = name;
    }
    if (n_own == 0 && twice->n == 0)
        return ret;
    ret.rows = skep_new_n(arena, struct skep_row, rows->n + 1);
    ret.n = 0;
    for (size_t i = 0; i < rows->n; i++) {
        const struct skep_row *r = &rows->rows[i];
        skep_str name = is_xray(r) ? SKEP_STR_NULL : service_of(arena, r);
        if (is_xray(r) || (!listed(own, n_own, name) && !listed(twice->services, twice->n, name)))
            ret.rows[ret.n++] = *r;
    }
    return ret;
}

static bool flagged(struct skep_arena *arena, const struct skep_row *row, skep_str name)
{
    skep_value v = skep_api__field(arena, row, name);
    return v.type == SKEP_TYPE_BOOL && v.b;
}

/* X-Ray's own flags, or what its exporter makes of a span. */
static void set_flags(struct skep_arena *arena, struct skep_xray_seg *s)
{
    int64_t status = 0;
    const struct skep_row *row = s->row;
    s->in_progress = flagged(arena, row, SKEP_STR("meta.in_progress"));
    if (is_xray(row)) {
        s->fault = flagged(arena, row, SKEP_STR("xray.fault"));
        s->error = flagged(arena, row, SKEP_STR("xray.error"));
        s->throttle = flagged(arena, row, SKEP_STR("xray.throttle"));
        return;
    }
    if (!skep_xray_int(arena, row, SKEP_STR("http.response.status_code"), &status) &&
        !skep_xray_int(arena, row, SKEP_STR("http.status_code"), &status))
        status = 0;
    s->error = status >= 400 && status <= 499;
    s->throttle = status == 429;
    s->fault = (status >= 500 && status <= 599) || (row->status == SKEP_STATUS_ERROR && !s->error);
}

static void set_namespace(struct skep_arena *arena, struct skep_xray_seg *s)
{
    if (is_xray(s->row)) {
        skep_str ns = skep_xray_text(arena, s->row, SKEP_STR("aws.xray.namespace"));
        s->aws = skep_str_eq(ns, SKEP_STR("aws"));
        s->remote = s->aws || skep_str_eq(ns, SKEP_STR("remote")) ||
                    (ns.n == 0 && s->row->span_kind == KIND_CLIENT);
        return;
    }
    s->aws =
        skep_str_eq(skep_xray_text(arena, s->row, SKEP_STR("rpc.system")), SKEP_STR("aws-api")) ||
        skep_xray_text(arena, s->row, SKEP_STR("aws.service")).n > 0;
    s->remote = s->aws || s->row->span_kind == KIND_CLIENT || s->row->span_kind == KIND_PRODUCER;
}

/* Whom a call of another wire's span is to. */
static skep_str remote_name(struct skep_arena *arena, const struct skep_row *row)
{
    static const skep_str names[] = {
        SKEP_STR_INIT("aws.remote.service"), SKEP_STR_INIT("peer.service"),
        SKEP_STR_INIT("aws.service"),        SKEP_STR_INIT("db.name"),
        SKEP_STR_INIT("db.namespace"),       SKEP_STR_INIT("rpc.service"),
        SKEP_STR_INIT("http.host"),          SKEP_STR_INIT("server.address"),
        SKEP_STR_INIT("net.peer.name")};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(names); i++) {
        skep_str name = skep_xray_text(arena, row, names[i]);
        if (name.n)
            return name;
    }
    return row->name;
}

static skep_str seg_name(struct skep_arena *arena, const struct skep_xray_seg *s)
{
    if (is_xray(s->row))
        return s->row->name;
    if (s->part == SKEP_XRAY_SEGMENT) {
        skep_str name = service_of(arena, s->row);
        return name.n ? name : s->row->name;
    }
    return s->remote ? remote_name(arena, s->row) : s->row->name;
}

struct skep_xray_seg skep_xray_alone(struct skep_arena *arena, const struct skep_row *row,
                                     enum skep_xray_part part)
{
    struct skep_xray_seg s = {.part = part, .row = row};
    set_flags(arena, &s);
    set_namespace(arena, &s);
    s.name = seg_name(arena, &s);
    return s;
}

// --- segs --------------------------------------------------------------------------------------

/* An id of our own, made from another; never 0. */
static uint64_t derived_id(uint64_t id, uint64_t salt)
{
    uint64_t h = skep_hash_u64(id ^ salt);
    return h ? h : 1;
}

static int32_t add_seg(struct skep_xray_trace *t, const struct skep_xray_seg *like)
{
    struct skep_xray_seg *s = &t->segs[t->n];
    *s = *like;
    s->first_child = s->next = s->first_event = s->node = NONE;
    s->start_ns = s->row->time_ns;
    if (SKEP_ADD_OVERFLOW(s->start_ns, SKEP_MAX(s->row->duration_ns, 0), &s->end_ns))
        s->end_ns = INT64_MAX;
    set_flags(t->arena, s);
    set_namespace(t->arena, s);
    s->name = seg_name(t->arena, s);
    if (s->part == SKEP_XRAY_SEGMENT)
        s->owner = t->n;
    return t->n++;
}

/* Is a span of another wire where its service begins? */
static bool begins_service(struct skep_xray_trace *t, const struct skep_row *row, int32_t parent)
{
    if (row->span_kind == KIND_SERVER || row->span_kind == KIND_CONSUMER || parent == NONE)
        return true;
    return !skep_str_eq(service_of(t->arena, row), service_of(t->arena, t->segs[parent].row));
}

/* A row's seg; a call that its service begins with gets a segment above it. */
static int32_t add_row(struct skep_xray_trace *t, const struct skep_row *row, int32_t parent)
{
    bool call = row->span_kind == KIND_CLIENT || row->span_kind == KIND_PRODUCER;
    bool first = is_xray(row) ? row->span_kind == KIND_SERVER : begins_service(t, row, parent);
    struct skep_xray_seg s = {.part = first ? SKEP_XRAY_SEGMENT : SKEP_XRAY_SUBSEGMENT,
                              .row = row,
                              .id = row->span_id,
                              .parent_id = row->parent_id,
                              .parent = parent,
                              .owner = parent == NONE ? NONE : t->segs[parent].owner};
    if (!first || is_xray(row) || !call)
        return add_seg(t, &s);
    s.made = true;
    s.id = derived_id(row->span_id, 0x7365676d656e74); /* "segment" */
    int32_t made = add_seg(t, &s);
    s.made = false;
    s.part = SKEP_XRAY_SUBSEGMENT;
    s.id = row->span_id;
    s.parent = s.owner = made;
    s.parent_id = t->segs[made].id;
    return add_seg(t, &s);
}

static void add_event(struct skep_xray_trace *t, const struct skep_row *row, int32_t seg)
{
    if (row->kind != SKEP_KIND_SPAN_EVENT || seg == NONE ||
        !skep_str_eq(row->name, SKEP_STR("exception")))
        return;
    int32_t *at = &t->segs[seg].first_event;
    while (*at != NONE)
        at = &t->events[*at].next;
    t->events[t->n_events] = (struct skep_xray_event){row, NONE};
    *at = t->n_events++;
}

/* Of the ids as links have them: 32 and 16 hex digits, X-Ray's form too.  False: others. */
bool skep_xray_link_ids(skep_str trace, skep_str span, skep_trace_id *ret_trace, uint64_t *ret_span)
{
    uint8_t b[8];
    if (!skep_lang_trace_id(trace, ret_trace) || span.n != 16 || !skep_hex_decode(span, b, 8))
        return false;
    memcpy(ret_span, b, sizeof *ret_span); /* the wire's bytes are the little-endian ones */
    return true;
}

static void add_link(struct skep_xray_trace *t, const struct skep_row *row, int32_t seg)
{
    struct skep_xray_link *l = &t->links[t->n_links];
    if (row->kind != SKEP_KIND_LINK || seg == NONE)
        return;
    l->seg = seg;
    t->n_links += skep_xray_link_ids(skep_xray_text(t->arena, row, SKEP_STR("trace.link.trace_id")),
                                     skep_xray_text(t->arena, row, SKEP_STR("trace.link.span_id")),
                                     &l->trace_id, &l->span_id);
}

/* Rows in the tree's order become segs; what hangs below something that is no span hangs nowhere.
 */
static void add_rows(struct skep_xray_trace *t, const struct skep_trace_tree *tree)
{
    int32_t *seg_of = skep_new_n(t->arena, int32_t, tree->n + 1);
    for (size_t i = 0; i < tree->n; i++) {
        const struct skep_trace_node *node = &tree->nodes[i];
        int32_t parent = node->parent < 0 ? NONE : seg_of[node->parent];
        seg_of[i] = NONE;
        t->revision += node->row->kind == SKEP_KIND_SPAN;
        if (node->row->kind == SKEP_KIND_SPAN)
            seg_of[i] = add_row(t, node->row, parent);
        else
            add_event(t, node->row, parent);
        add_link(t, node->row, parent);
    }
}

static void link_children(struct skep_xray_trace *t)
{
    for (int32_t i = t->n; i-- > 0;) { /* siblings stand in order of time: push in front */
        int32_t p = t->segs[i].parent;
        skep_assert(p < i); /* I1 */
        if (p == NONE)
            continue;
        t->segs[i].next = t->segs[p].first_child;
        t->segs[p].first_child = i;
    }
}

/* The segment that answers a call. */
static int32_t answer_of(const struct skep_xray_trace *t, int32_t call)
{
    for (int32_t c = t->segs[call].first_child; c != NONE; c = t->segs[c].next)
        if (t->segs[c].part == SKEP_XRAY_SEGMENT)
            return c;
    return NONE;
}

/* From c on, the first sibling that belongs to the segment. */
static int32_t first_of(const struct skep_xray_trace *t, int32_t c, int32_t of)
{
    while (c != NONE && t->segs[c].owner != of)
        c = t->segs[c].next;
    return c;
}

int32_t skep_xray_next(const struct skep_xray_trace *t, int32_t of, int32_t at)
{
    int32_t c = first_of(t, t->segs[at].first_child, of);
    while (c == NONE && at != of) {
        c = first_of(t, t->segs[at].next, of);
        at = t->segs[at].parent;
    }
    return c;
}

static void infer(struct skep_xray_trace *t)
{
    int32_t n = t->n;
    for (int32_t i = 0; i < n; i++) {
        const struct skep_xray_seg *s = &t->segs[i];
        bool sql = s->part == SKEP_XRAY_SUBSEGMENT &&
                   skep_xray_text(t->arena, s->row, SKEP_STR("db.system")).n > 0;
        if (s->part != SKEP_XRAY_SUBSEGMENT || s->owner == NONE || s->in_progress ||
            !(s->remote || sql) || answer_of(t, i) != NONE)
            continue;
        struct skep_xray_seg *inferred = &t->segs[t->n];
        *inferred = *s;
        inferred->part = SKEP_XRAY_INFERRED;
        inferred->id = derived_id(s->id, 0x696e666572726564); /* "inferred" */
        inferred->parent_id = s->id;
        inferred->parent = i;
        inferred->owner = t->n;
        inferred->first_child = inferred->next = NONE;
        /* first, so that nobody need look at real children before it */
        inferred->next = t->segs[i].first_child;
        t->segs[i].first_child = t->n++;
    }
}

// --- nodes and edges ---------------------------------------------------------------------------

static int32_t intern(struct skep_xray_trace *t, const struct skep_xray_node *like)
{
    for (int32_t i = 0; i < t->n_nodes; i++) {
        const struct skep_xray_node *n = &t->nodes[i];
        if (n->client == like->client && skep_str_eq(n->name, like->name) &&
            skep_str_eq(n->type, like->type) && skep_str_eq(n->account, like->account)) {
            t->nodes[i].inferred = n->inferred && like->inferred;
            return i;
        }
    }
    t->nodes[t->n_nodes] = *like;
    return t->n_nodes++;
}

static void name_nodes(struct skep_xray_trace *t)
{
    for (int32_t i = 0; i < t->n; i++) {
        struct skep_xray_seg *s = &t->segs[i];
        struct skep_xray_node node = {.name = s->name};
        if (s->part == SKEP_XRAY_SUBSEGMENT)
            continue;
        if (s->part == SKEP_XRAY_INFERRED) {
            node = skep_xray_called(t->arena, s);
        } else {
            node.type = skep_xray_origin(t->arena, s->row);
            node.account = skep_xray_account(t->arena, s->row);
        }
        s->node = intern(t, &node);
    }
}

static void add_edge(struct skep_xray_trace *t, int32_t from, int32_t call, int32_t target)
{
    t->edges[t->n_edges++] = (struct skep_xray_edge){from, t->segs[target].node, call, target};
}

static void draw_edges(struct skep_xray_trace *t)
{
    for (int32_t i = 0; i < t->n; i++) {
        const struct skep_xray_seg *s = &t->segs[i];
        if (s->part == SKEP_XRAY_SUBSEGMENT)
            continue;
        if (s->parent == NONE && s->parent_id == 0) {
            struct skep_xray_node client = {
                .name = s->name, .type = SKEP_STR("client"), .client = true};
            add_edge(t, intern(t, &client), i, i);
        } else if (s->parent != NONE && t->segs[s->parent].owner != NONE) {
            const struct skep_xray_seg *p = &t->segs[s->parent];
            bool call = p->part == SKEP_XRAY_SUBSEGMENT; /* else Lambda's two segments */
            add_edge(t, t->segs[p->owner].node, call ? s->parent : i, i);
        }
    }
}

static bool before(const struct skep_row *a, const struct skep_row *b)
{
    if (a->time_ns != b->time_ns)
        return a->time_ns < b->time_ns;
    return a->id.seq != b->id.seq ? a->id.seq < b->id.seq : a->id.ordinal < b->id.ordinal;
}

/* Where the trace begins, for lists and for its reader. */
static void find_entry(struct skep_xray_trace *t, const struct skep_trace_tree *tree)
{
    const struct skep_row *root = NULL, *orphan = NULL;
    for (size_t i = 0; i < tree->n; i++) {
        const struct skep_trace_node *node = &tree->nodes[i];
        if (node->row->kind != SKEP_KIND_SPAN)
            continue;
        if (node->row->parent_id == 0 && (!root || before(node->row, root)))
            root = node->row;
        if (node->missing_parent && (!orphan || before(node->row, orphan)))
            orphan = node->row;
    }
    t->anchor = root ? root : orphan;
    t->entry = NONE;
    for (int32_t i = 0; i < t->n && t->entry == NONE; i++)
        if (t->segs[i].row == t->anchor && t->segs[i].part == SKEP_XRAY_SEGMENT)
            t->entry = i;
    for (int32_t i = 0; i < t->n && t->entry == NONE; i++) /* below an orphan subsegment */
        if (t->segs[i].part == SKEP_XRAY_SEGMENT)
            t->entry = i;
}

static void measure(struct skep_xray_trace *t)
{
    for (int32_t i = 0; i < t->n; i++) {
        const struct skep_xray_seg *s = &t->segs[i];
        t->start_ns = i ? SKEP_MIN(t->start_ns, s->start_ns) : s->start_ns;
        t->end_ns = i ? SKEP_MAX(t->end_ns, s->end_ns) : s->end_ns;
    }
}

void skep_xray_assemble(const struct skep_rows *rows, const struct skep_xray_twice *twice,
                        struct skep_arena *arena, struct skep_xray_trace *ret)
{
    struct skep_trace_tree tree;
    struct skep_rows shown = once(rows, twice, arena);
    /* A span is at most a made segment, itself and an inferred one; a segment has its own node and
     * a client's, one edge to it. */
    size_t n = shown.n + 1;
    *ret = (struct skep_xray_trace){.arena = arena, .entry = NONE};
    ret->segs = skep_new_n(arena, struct skep_xray_seg, 3 * n);
    ret->nodes = skep_new_n(arena, struct skep_xray_node, 4 * n);
    ret->edges = skep_new_n(arena, struct skep_xray_edge, 3 * n);
    ret->events = skep_new_n(arena, struct skep_xray_event, n);
    ret->links = skep_new_n(arena, struct skep_xray_link, n);
    if (rows->n)
        ret->id = rows->rows[0].trace_id;
    skep_query_trace_tree(&shown, arena, &tree);
    /* The rows' addresses are compared: the tree's are those of `shown`. */
    add_rows(ret, &tree);
    link_children(ret);
    infer(ret);
    name_nodes(ret);
    draw_edges(ret);
    find_entry(ret, &tree);
    measure(ret);
}
