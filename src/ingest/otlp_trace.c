// SPDX-License-Identifier: Apache-2.0
/* OTLP spans -> rows: its events, its links, then the span itself.
 *
 *   events       SPAN_EVENT   time = event's, parent_id = the span, status of the span
 *   links        LINK         time = span's start, parent_id = the span
 *   span         SPAN
 *
 * Events and links need the span's ids, start and status, which may stand behind them in the
 * message. So a span is walked twice: first its scalars, and where attributes, events and links
 * stand; then those ranges.  Nothing is collected in between.
 *
 * I1  a rejected span leaves no rows: it is refused before its first row, or taken back whole.
 * I2  what the first event named "exception" says is lifted onto the span as intrinsic fields, so
 * that attributes of the same name win. Threads, memory: as the decoder. */
#include "ingest/otlp_priv.h"

#include "base/assert.h"
#include "event/put.h"

/* Part of a message that holds all fields of one tag, perhaps with others between them. */
struct range {
    const uint8_t *from, *to; /* NULL: no such field */
    uint32_t n;
};

struct span {
    skep_bytes trace_id, span_id, parent_id, trace_state, name, status_message;
    uint64_t start_ns, end_ns, kind, status, flags;
    uint64_t dropped_attributes, dropped_events, dropped_links;
    struct range attributes, events, links;
    skep_trace_id tid;
    uint64_t sid, pid;
};

/* What the first exception event said, once it is seen. */
struct exception {
    bool seen;
    struct skep_otlp__any type, message, stacktrace, escaped;
};

static inline void extend(struct range *r, const uint8_t *from, const uint8_t *to)
{
    if (!r->from)
        r->from = from;
    r->to = to;
    r->n++;
}

static inline skep_pb walk_range(struct skep_otlp__dec *d, const struct range *r)
{
    return skep_pb_sub(&d->pb, (skep_bytes){r->from, (size_t)(r->to - r->from)});
}

static void read_status(struct skep_otlp__dec *d, skep_bytes in, struct span *s)
{
    skep_pb c = skep_pb_sub(&d->pb, in);
    skep_pb_field f;
    while (skep_pb_next(&c, &f)) {
        if (f.tag == SKEP_OTLP_STATUS_MESSAGE)
            s->status_message = f.bytes;
        else if (f.tag == SKEP_OTLP_STATUS_CODE)
            s->status = f.u;
    }
}

/* Attributes one behind the other, with lengths of one byte, are nearly all of a span. */
static inline void skip_attributes(skep_pb *c, struct span *s)
{
    const uint8_t *p = c->p;
    uint32_t n = 0;
    for (; c->end - p >= 2 && p[0] == SKEP_OTLP_SPAN_ATTRIBUTES && p[1] < 0x80 &&
           p[1] <= c->end - p - 2;
         n++)
        p += 2 + p[1];
    if (n == 0)
        return;
    extend(&s->attributes, c->p, p);
    s->attributes.n += n - 1;
    c->p = p;
}

static void read_span(struct skep_otlp__dec *d, skep_bytes in, struct span *s)
{
    skep_pb c = skep_pb_sub(&d->pb, in);
    skep_pb_field f;
    for (;;) {
        skip_attributes(&c, s);
        const uint8_t *at = c.p;
        if (!skep_pb_next_hot(&c, &f))
            return;
        switch (f.tag) {
        case SKEP_OTLP_SPAN_ATTRIBUTES: extend(&s->attributes, at, c.p); break;
        case SKEP_OTLP_SPAN_TRACE_ID: s->trace_id = f.bytes; break;
        case SKEP_OTLP_SPAN_SPAN_ID: s->span_id = f.bytes; break;
        case SKEP_OTLP_SPAN_TRACE_STATE: s->trace_state = f.bytes; break;
        case SKEP_OTLP_SPAN_PARENT_ID: s->parent_id = f.bytes; break;
        case SKEP_OTLP_SPAN_NAME: s->name = f.bytes; break;
        case SKEP_OTLP_SPAN_KIND: s->kind = f.u; break;
        case SKEP_OTLP_SPAN_START: s->start_ns = f.u; break;
        case SKEP_OTLP_SPAN_END: s->end_ns = f.u; break;
        case SKEP_OTLP_SPAN_DROPPED_ATTRIBUTES: s->dropped_attributes = (uint32_t)f.u; break;
        case SKEP_OTLP_SPAN_EVENTS: extend(&s->events, at, c.p); break;
        case SKEP_OTLP_SPAN_DROPPED_EVENTS: s->dropped_events = (uint32_t)f.u; break;
        case SKEP_OTLP_SPAN_LINKS: extend(&s->links, at, c.p); break;
        case SKEP_OTLP_SPAN_DROPPED_LINKS: s->dropped_links = (uint32_t)f.u; break;
        case SKEP_OTLP_SPAN_STATUS: read_status(d, f.bytes, s); break;
        case SKEP_OTLP_SPAN_FLAGS: s->flags = f.u; break;
        default: break;
        }
    }
}

/* The ids as columns hold them; what is wrong with them, or COUNT. */
static enum skep_otlp_reject read_ids(struct span *s)
{
    static const skep_trace_id none;
    if (s->trace_id.n != sizeof s->tid)
        return SKEP_OTLP_REJECT_BAD_TRACE_ID;
    memcpy(&s->tid, s->trace_id.p, sizeof s->tid);
    if (memcmp(&s->tid, &none, sizeof none) == 0)
        return SKEP_OTLP_REJECT_BAD_TRACE_ID;
    s->sid = s->span_id.n == 8 ? skep_load_le64(s->span_id.p) : 0;
    if (s->sid == 0)
        return SKEP_OTLP_REJECT_BAD_SPAN_ID;
    if (s->parent_id.n != 0 && s->parent_id.n != 8)
        return SKEP_OTLP_REJECT_BAD_PARENT_ID;
    s->pid = s->parent_id.n ? skep_load_le64(s->parent_id.p) : 0;
    return SKEP_OTLP_REJECT_COUNT;
}

static int64_t clamp_ns(uint64_t ns)
{
    return ns > INT64_MAX ? INT64_MAX : (int64_t)ns;
}

/* A row of the span at hand, with all that its rows have in common. */
static uint32_t add_row(struct skep_otlp__dec *d, const struct span *s, enum skep_kind kind,
                        int64_t time_ns)
{
    struct skep_batch *b = d->b;
    uint32_t r = skep_batch_row(b, kind, time_ns, SKEP_SOURCE_OTLP);
    b->trace_id[r] = s->tid;
    b->parent_id[r] = s->sid;
    b->status[r] = (uint8_t)s->status;
    b->dataset[r] = d->dataset;
    b->resource[r] = d->resource;
    b->scope[r] = d->scope;
    return r;
}

// --- events ------------------------------------------------------------------------------------

static void note_exception(struct exception *x, const struct skep_otlp__kv *kv)
{
    const skep_str prefix = SKEP_STR("exception.");
    if (!skep_str_starts(kv->key, prefix))
        return;
    skep_str key = skep_str_skip(kv->key, prefix.n);
    if (kv->value.kind == SKEP_ANY_BOOL && skep_str_eq(key, SKEP_STR("escaped")))
        x->escaped = kv->value;
    if (kv->value.kind != SKEP_ANY_STRING)
        return;
    if (skep_str_eq(key, SKEP_STR("message")))
        x->message = kv->value;
    else if (skep_str_eq(key, SKEP_STR("type")))
        x->type = kv->value;
    else if (skep_str_eq(key, SKEP_STR("stacktrace")))
        x->stacktrace = kv->value;
}

static void read_exception(struct skep_otlp__dec *d, skep_bytes event, struct exception *x)
{
    skep_pb c = skep_pb_sub(&d->pb, event);
    skep_pb_field f;
    *x = (struct exception){.seen = true};
    while (skep_pb_next(&c, &f)) {
        struct skep_otlp__kv kv;
        if (f.tag != SKEP_OTLP_EVENT_ATTRIBUTES)
            continue;
        skep_otlp__read_kv(d, f.bytes, &kv);
        note_exception(x, &kv);
    }
}

static void put_event(struct skep_otlp__dec *d, const struct span *s, skep_bytes in,
                      struct exception *x)
{
    skep_pb c = skep_pb_sub(&d->pb, in);
    skep_pb_field f;
    skep_bytes name = {NULL, 0};
    uint64_t time_ns = 0, dropped = 0;
    while (skep_pb_next(&c, &f)) {
        switch (f.tag) {
        case SKEP_OTLP_EVENT_TIME: time_ns = f.u; break;
        case SKEP_OTLP_EVENT_NAME: name = f.bytes; break;
        case SKEP_OTLP_EVENT_DROPPED: dropped = (uint32_t)f.u; break;
        default: break;
        }
    }
    int64_t start = clamp_ns(s->start_ns), time = time_ns ? clamp_ns(time_ns) : start;
    uint32_t r = add_row(d, s, SKEP_KIND_SPAN_EVENT, time);
    d->b->name[r] = skep_otlp__intern(d, name);
    skep_otlp__put_text(d, SKEP_STR("parent_name"), s->name);
    skep_otlp__put_double(d, SKEP_STR("meta.time_since_span_start_ms"),
                          time < start ? 0 : (double)(time - start) / 1e6);
    if (time < start)
        skep_otlp__put_true(d, SKEP_STR("meta.invalid_time_since_span_start"));
    skep_otlp__put_count(d, SKEP_STR("meta.dropped_attributes"), dropped);
    skep_otlp__put_attributes(d, skep_pb_sub(&d->pb, in), SKEP_OTLP_EVENT_ATTRIBUTES, NULL);
    if (!x->seen && skep_str_eq(skep_bytes_str(name), SKEP_STR("exception")))
        read_exception(d, in, x);
}

// --- links -------------------------------------------------------------------------------------

/* Hex as trace.trace_id shows it: 16 digits when the upper half is zero. */
static void put_link_ids(struct skep_otlp__dec *d, skep_bytes trace_id, skep_bytes span_id)
{
    char hex[32];
    if (trace_id.n == 16) {
        bool narrow = skep_load_le64(trace_id.p) == 0;
        skep_bytes id = narrow ? (skep_bytes){trace_id.p + 8, 8} : trace_id;
        skep_hex_encode(id, hex);
        skep_otlp__put_text(d, SKEP_STR("trace.link.trace_id"),
                            (skep_bytes){(const uint8_t *)hex, 2 * id.n});
    }
    if (span_id.n == 8) {
        skep_hex_encode(span_id, hex);
        skep_otlp__put_text(d, SKEP_STR("trace.link.span_id"),
                            (skep_bytes){(const uint8_t *)hex, 16});
    }
}

static void put_link(struct skep_otlp__dec *d, const struct span *s, skep_bytes in)
{
    skep_pb c = skep_pb_sub(&d->pb, in);
    skep_pb_field f;
    skep_bytes trace_id = {NULL, 0}, span_id = {NULL, 0}, trace_state = {NULL, 0};
    uint64_t flags = 0, dropped = 0;
    while (skep_pb_next(&c, &f)) {
        switch (f.tag) {
        case SKEP_OTLP_LINK_TRACE_ID: trace_id = f.bytes; break;
        case SKEP_OTLP_LINK_SPAN_ID: span_id = f.bytes; break;
        case SKEP_OTLP_LINK_TRACE_STATE: trace_state = f.bytes; break;
        case SKEP_OTLP_LINK_DROPPED: dropped = (uint32_t)f.u; break;
        case SKEP_OTLP_LINK_FLAGS: flags = f.u; break;
        default: break;
        }
    }
    uint32_t r = add_row(d, s, SKEP_KIND_LINK, clamp_ns(s->start_ns));
    d->b->flags[r] = (uint32_t)flags;
    put_link_ids(d, trace_id, span_id);
    skep_otlp__put_text(d, SKEP_STR("parent_name"), s->name);
    if (trace_state.n)
        skep_otlp__put_text(d, SKEP_STR("trace.trace_state"), trace_state);
    skep_otlp__put_count(d, SKEP_STR("meta.dropped_attributes"), dropped);
    skep_otlp__put_attributes(d, skep_pb_sub(&d->pb, in), SKEP_OTLP_LINK_ATTRIBUTES, NULL);
}

// --- spans -------------------------------------------------------------------------------------

static void put_exception(struct skep_otlp__dec *d, const struct exception *x)
{
    if (x->type.kind == SKEP_ANY_STRING)
        skep_otlp__put_text(d, SKEP_STR("exception.type"), x->type.bytes);
    if (x->message.kind == SKEP_ANY_STRING)
        skep_otlp__put_text(d, SKEP_STR("exception.message"), x->message.bytes);
    if (x->stacktrace.kind == SKEP_ANY_STRING)
        skep_otlp__put_text(d, SKEP_STR("exception.stacktrace"), x->stacktrace.bytes);
    if (x->escaped.kind == SKEP_ANY_BOOL)
        skep_otlp__put(d, &(const struct skep_otlp__sink){.scope = SKEP_SCOPE_INTRINSIC},
                       SKEP_STR("exception.escaped"), &x->escaped);
}

/* Names put into every span; room behind them for skep_batch_predict. */
static const char num_events[SKEP_EQ_PAD] = "span.num_events";
static const char num_links[SKEP_EQ_PAD] = "span.num_links";

static inline void put_number(struct skep_otlp__dec *d, skep_str padded_name, uint32_t v)
{
    uint32_t f = skep_batch_predict(d->b, SKEP_SCOPE_INTRINSIC, padded_name, SKEP_TYPE_INT);
    if (SKEP_LIKELY(f != SKEP_BATCH_NONE))
        skep_batch_put_bits(d->b, f, v);
    else
        skep_otlp__put_int(d, padded_name, v);
}

static void put_span(struct skep_otlp__dec *d, const struct span *s, const struct exception *x)
{
    struct skep_batch *b = d->b;
    int64_t start = clamp_ns(s->start_ns), end = clamp_ns(s->end_ns);
    uint32_t r = add_row(d, s, SKEP_KIND_SPAN, start);
    b->span_id[r] = s->sid;
    b->parent_id[r] = s->pid;
    b->duration_ns[r] = end < start ? 0 : end - start;
    b->span_kind[r] = s->kind <= SKEP_SPAN_KIND_MAX ? (uint8_t)s->kind : 0;
    b->flags[r] = (uint32_t)s->flags;
    b->name[r] = skep_otlp__intern(d, s->name);
    if (end < start)
        skep_otlp__put_true(d, SKEP_STR("meta.invalid_duration"));
    put_number(d, (skep_str){num_events, 15}, s->events.n);
    put_number(d, (skep_str){num_links, 14}, s->links.n);
    if (s->status_message.n)
        skep_otlp__put_text(d, SKEP_STR("status_message"), s->status_message);
    if (s->trace_state.n)
        skep_otlp__put_text(d, SKEP_STR("trace.trace_state"), s->trace_state);
    skep_otlp__put_count(d, SKEP_STR("meta.dropped_attributes"), s->dropped_attributes);
    skep_otlp__put_count(d, SKEP_STR("meta.dropped_events"), s->dropped_events);
    skep_otlp__put_count(d, SKEP_STR("meta.dropped_links"), s->dropped_links);
    if (x->seen)
        put_exception(d, x);
    if (s->attributes.from)
        skep_otlp__put_attributes(d, walk_range(d, &s->attributes), SKEP_OTLP_SPAN_ATTRIBUTES,
                                  &d->item_rate);
}

/* All rows of a span; it is known to fit. */
static void put_all(struct skep_otlp__dec *d, const struct span *s)
{
    SKEP_UNINIT struct exception x; /* a hundred spans have one exception */
    skep_pb_field f;
    uint32_t first = d->b->n_rows;
    x.seen = false;
    if (s->events.from) {
        skep_pb c = walk_range(d, &s->events);
        while (skep_pb_next(&c, &f)) {
            if (f.tag == SKEP_OTLP_SPAN_EVENTS)
                put_event(d, s, f.bytes, &x);
        }
    }
    if (s->links.from) {
        skep_pb c = walk_range(d, &s->links);
        while (skep_pb_next(&c, &f)) {
            if (f.tag == SKEP_OTLP_SPAN_LINKS)
                put_link(d, s, f.bytes);
        }
    }
    d->item_rate = (struct skep_otlp__rate){0};
    put_span(d, s, &x);
    uint32_t rate = skep_otlp__rate_of(d, s->trace_state);
    for (uint32_t r = first; rate != 1 && r < d->b->n_rows; r++)
        d->b->sample_rate[r] = rate;
}

static void one_span(struct skep_otlp__dec *d, skep_bytes in)
{
    struct span s = {0};
    uint32_t first = d->b->n_rows;
    d->rep.received++;
    read_span(d, in, &s);
    if (d->pb.error)
        return;
    enum skep_otlp_reject why = read_ids(&s);
    if (why == SKEP_OTLP_REJECT_COUNT &&
        (uint64_t)first + s.events.n + s.links.n + 1 > SKEP_LIMIT_BATCH_ROWS)
        why = SKEP_OTLP_REJECT_TOO_MANY_ROWS;
    if (why != SKEP_OTLP_REJECT_COUNT) {
        skep_otlp__reject(d, why, in, first);
        return;
    }
    if (s.status > SKEP_STATUS_ERROR)
        s.status = SKEP_STATUS_UNSET;
    if (s.start_ns == 0) // an instant: where it ended, else when it came
        s.start_ns = s.end_ns ? s.end_ns : (uint64_t)SKEP_MAX(d->b->received_ns, 0);
    put_all(d, &s);
    if (d->too_large) {
        skep_otlp__reject(d, SKEP_OTLP_REJECT_VALUE_TOO_LARGE, in, first);
        return;
    }
    d->rep.accepted++;
}

skep_rc skep_otlp_traces_pb(skep_bytes in, struct skep_batch *b, const struct skep_otlp_opts *opts,
                            struct skep_otlp_report *ret, skep_err *err)
{
    struct skep_otlp__dec d;
    skep_otlp__begin(&d, b, opts);
    skep_otlp__walk(&d, in, false, one_span);
    return skep_otlp__finish(&d, ret, err);
}
