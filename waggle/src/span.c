// SPDX-License-Identifier: Apache-2.0
/*
 * span.c - how a span begins and ends
 *
 * The order at the start is the specification's: trace id, sampler, span id (always a new one),
 * then the slot. What OTLP wants of a span is encoded as it becomes known, straight into the slot,
 * so that the end appends a time and hands on finished bytes:
 *
 *   headroom | trace id | span id | tracestate | parent | kind | start | flags | name | attributes,
 *   events, links as they come | end | counts of what was left out
 *
 * The tag and length of the whole go into the headroom: the bytes are field 2 of a ScopeSpans
 * message, ready to be sent.
 *
 * A span that is not sampled has a slot, too, with its identity alone: children inherit that, and
 * it is injected into requests.
 *
 * Threads: any.
 */
#include "metrics_priv.h"

static void put64(uint8_t *p, uint64_t v)
{
    memcpy(p, &v, 8);
}

static uint64_t get64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

/* --- identity ------------------------------------------------------------------------------ */

/* Copies the tracestate under the slot's lock, which ended slots have, too. */
static bool copy_tracestate(struct waggle__slot *slot, waggle_span span, waggle_span_context *c)
{
    enum { TRIES = 300 };
    uint64_t generation = (uint64_t)span.generation << 32;
    for (unsigned n = 0; n < TRIES; n++) {
        uint64_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);
        if ((word & ~UINT64_C(0xffffffff)) != generation)
            return false;
        if ((word & WAGGLE__LOCKED) == 0 &&
            atomic_compare_exchange_weak_explicit(&slot->word, &word, word | WAGGLE__LOCKED,
                                                  memory_order_acquire, memory_order_relaxed)) {
            memcpy(c->tracestate, slot->buf + slot->tracestate_at, slot->tracestate_n);
            c->tracestate_n = (uint16_t)slot->tracestate_n;
            atomic_store_explicit(&slot->word, word, memory_order_release);
            return true;
        }
    }
    return true; // someone holds it for long: the identity without the tracestate is of more use
}

static bool get_context(waggle_span span, waggle_span_context *ret_context)
{
    struct waggle__slot *slot = waggle__slot_at(span.slot);
    if (slot == NULL)
        return false;
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_acquire);
    if ((uint32_t)(word >> 32) != span.generation)
        return false;
    put64(ret_context->trace_id, atomic_load_explicit(&slot->trace_high, memory_order_acquire));
    put64(ret_context->trace_id + 8, atomic_load_explicit(&slot->trace_low, memory_order_acquire));
    put64(ret_context->span_id, atomic_load_explicit(&slot->span_id, memory_order_acquire));
    uint32_t flags = atomic_load_explicit(&slot->flags, memory_order_acquire);
    ret_context->flags = (uint8_t)flags;
    ret_context->is_remote = false;
    ret_context->tracestate_n = 0;
    if ((flags & WAGGLE__HAS_TRACESTATE) && !copy_tracestate(slot, span, ret_context))
        return false;
    word = atomic_load_explicit(&slot->word, memory_order_relaxed);
    return (uint32_t)(word >> 32) == span.generation;
}

static bool is_recording(waggle_span span)
{
    struct waggle__slot *slot = waggle__slot_at(span.slot);
    if (slot == NULL)
        return false;
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);
    return (uint32_t)(word >> 32) == span.generation && (word & WAGGLE__LIVE) != 0 &&
           (atomic_load_explicit(&slot->flags, memory_order_relaxed) & WAGGLE__ORPHAN) == 0;
}

/* --- start --------------------------------------------------------------------------------- */

static const waggle_span_opts no_opts;

/* Fills t->parent; false if the span is a root. */
static bool find_parent(struct waggle__thread *t, const waggle_span_opts *opts)
{
    if (opts->root)
        return false;
    if (opts->parent.generation != 0)
        return get_context(opts->parent, &t->parent);
    const waggle_context *context = opts->context ? opts->context : waggle__context_top();
    if (context == NULL)
        return false;
    if (context->span.generation != 0)
        return get_context(context->span, &t->parent);
    if (!waggle_span_context_is_valid(&context->remote))
        return false;
    memcpy(&t->parent, &context->remote,
           offsetof(waggle_span_context, tracestate) + context->remote.tracestate_n);
    return true;
}

/* A span that is about to begin. */
struct birth {
    struct waggle_provider *provider;
    const waggle_span_opts *opts;
    const char *name;
    const waggle_span_context *parent; /* NULL: a root */
    uint8_t trace_id[16], span_id[8];
    uint8_t flags;
    bool recording, is_random;
    waggle_sampling sampling;
};

static void make_trace_id(struct waggle__thread *t, struct birth *b)
{
    struct waggle_id_generator *g = b->provider->id_generator;
    if (b->parent != NULL) {
        memcpy(b->trace_id, b->parent->trace_id, 16);
        b->flags = b->parent->flags & WAGGLE_FLAG_RANDOM;
        return;
    }
    b->flags = g == NULL || g->ops->is_random ? WAGGLE_FLAG_RANDOM : 0;
    if (g != NULL && g->ops->trace_id != NULL) {
        g->ops->trace_id(g, b->trace_id);
        return;
    }
    put64(b->trace_id, waggle__random64(t));
    put64(b->trace_id + 8, waggle__random64(t) | 1); // never all zero
}

static void make_span_id(struct waggle__thread *t, struct birth *b)
{
    struct waggle_id_generator *g = b->provider->id_generator;
    if (g != NULL && g->ops->span_id != NULL) {
        g->ops->span_id(g, b->span_id);
        return;
    }
    uint64_t id;
    do
        id = waggle__random64(t);
    while (id == 0);
    put64(b->span_id, id);
}

static void ask_sampler(struct waggle__thread *t, struct birth *b)
{
    const waggle_sampling_params params = {
        .parent = b->parent,
        .trace_id = b->trace_id,
        .name = b->name,
        .kind = b->opts->kind,
        .attributes = b->opts->attributes,
        .links = b->opts->links,
        .n_links = b->opts->n_links,
    };
    b->sampling = (waggle_sampling){.decision = WAGGLE_DROP};
    t->suppressed++;
    b->provider->sampler->ops->sample(b->provider->sampler, &params, &b->sampling);
    t->suppressed--;
    bool heard = waggle__processors_n(&b->provider->processors[WAGGLE_SIGNAL_TRACES]) > 0;
    b->recording = heard && b->sampling.decision != WAGGLE_DROP;
    if (b->sampling.decision == WAGGLE_RECORD_AND_SAMPLE && heard)
        b->flags |= WAGGLE_FLAG_SAMPLED;
}

/* The tracestate the span has: the sampler's, else the parent's. */
static void find_tracestate(const struct birth *b, waggle_span_context *scratch, const char **ret,
                            size_t *ret_n)
{
    *ret = NULL;
    *ret_n = 0;
    if (b->sampling.tracestate != NULL) {
        scratch->tracestate_n = 0;
        (void)waggle_tracestate_parse(b->sampling.tracestate, strlen(b->sampling.tracestate),
                                      scratch); // a malformed one is none
        *ret = scratch->tracestate;
        *ret_n = scratch->tracestate_n;
    } else if (b->parent != NULL) {
        *ret = b->parent->tracestate;
        *ret_n = b->parent->tracestate_n;
    }
}

static uint8_t *put_bytes(uint8_t *w, uint8_t tag, const void *p, size_t n)
{
    *w++ = tag;
    w = waggle__put_varint(w, n);
    memcpy(w, p, n);
    return w + n;
}

static void put_tracestate(struct waggle__slot *slot, uint8_t **w, const char *p, size_t n)
{
    *w = put_bytes(*w, 0x1a, p, n);
    slot->tracestate_n = (uint32_t)n;
    slot->tracestate_at = (uint32_t)((size_t)(*w - slot->buf) - n);
}

/* Begin the encoding: everything that is known now and cannot change. */
static void encode_begin(struct waggle__slot *slot, const struct birth *b, const char *tracestate,
                         size_t tracestate_n)
{
    uint8_t *w = slot->buf + WAGGLE__HEADROOM;
    w = put_bytes(w, 0x0a, b->trace_id, 16);
    w = put_bytes(w, 0x12, b->span_id, 8);
    if (tracestate_n > 0)
        put_tracestate(slot, &w, tracestate, tracestate_n);
    uint32_t flags = b->flags | 0x100u;
    if (b->parent != NULL) {
        w = put_bytes(w, 0x22, b->parent->span_id, 8);
        flags |= b->parent->is_remote ? 0x200u : 0;
    }
    enum waggle_kind kind = b->opts->kind;
    *w++ = 0x30;
    *w++ = (uint8_t)(kind >= WAGGLE_KIND_INTERNAL && kind <= WAGGLE_KIND_CONSUMER
                         ? kind
                         : WAGGLE_KIND_INTERNAL);
    *w++ = 0x39;
    w = waggle__put_le64(w, slot->start_ns);
    *w++ = 0x85;
    *w++ = 0x01;
    w = waggle__put_le32(w, flags);
    slot->n = (uint32_t)(w - slot->buf);
}

static void reset(struct waggle__slot *slot, const struct birth *b, uint32_t scope)
{
    slot->provider = b->provider;
    slot->scope = scope;
    slot->block = -1;
    slot->buf = slot->room;
    slot->n = WAGGLE__HEADROOM;
    slot->cap = WAGGLE__SLOT_ROOM;
    slot->name_n = slot->status_n = 0;
    slot->tracestate_at = WAGGLE__HEADROOM;
    slot->tracestate_n = 0;
    slot->n_attributes = slot->dropped_attributes = 0;
    slot->n_events = slot->dropped_events = 0;
    slot->n_links = slot->dropped_links = 0;
    slot->status = WAGGLE_STATUS_UNSET;
    memset(slot->seen, 0, sizeof slot->seen);
}

static void fill_recording(struct waggle__slot *slot, const struct birth *b, const char *tracestate,
                           size_t tracestate_n)
{
    uint64_t monotonic = waggle__monotonic();
    slot->utc_offset = waggle__utc_offset(monotonic);
    slot->start_ns = b->opts->start_ns ? b->opts->start_ns : monotonic + slot->utc_offset;
    encode_begin(slot, b, tracestate, tracestate_n);
    waggle__add_name(slot, b->name);
    if (b->sampling.attributes.n > 0)
        waggle__add_attributes(slot, b->sampling.attributes);
    if (b->opts->attributes.n > 0)
        waggle__add_attributes(slot, b->opts->attributes);
    for (size_t i = 0; i < b->opts->n_links; i++)
        if (b->opts->links[i].context != NULL)
            waggle__add_link(slot, &b->opts->links[i]);
}

/* Write the identity where anyone may read it. Release: behind the word of the new generation. */
static void publish(struct waggle__slot *slot, const struct birth *b)
{
    uint32_t flags = b->flags | (slot->tracestate_n > 0 ? WAGGLE__HAS_TRACESTATE : 0u);
    atomic_store_explicit(&slot->trace_high, get64(b->trace_id), memory_order_release);
    atomic_store_explicit(&slot->trace_low, get64(b->trace_id + 8), memory_order_release);
    atomic_store_explicit(&slot->span_id, get64(b->span_id), memory_order_release);
    atomic_store_explicit(&slot->flags, flags, memory_order_release);
}

static void call_on_start(struct waggle__thread *t, const struct birth *b, waggle_span span)
{
    const struct waggle__processors *list = &b->provider->processors[WAGGLE_SIGNAL_TRACES];
    uint32_t n = waggle__processors_n(list);
    t->suppressed++;
    for (uint32_t i = 0; i < n; i++) {
        struct waggle_processor *p = waggle__processor_at(list, i);
        if (p->ops->on_start != NULL)
            p->ops->on_start(p, span, b->parent);
    }
    t->suppressed--;
}

static waggle_span start(struct waggle_tracer *tracer, const char *name,
                         const waggle_span_opts *opts)
{
    struct birth b = {.provider = atomic_load_explicit(&tracer->provider, memory_order_acquire)};
    struct waggle__thread *t = waggle__thread();
    if (b.provider == NULL || t == NULL || t->suppressed > 0 ||
        atomic_load_explicit(&b.provider->is_shut, memory_order_relaxed))
        return WAGGLE_SPAN_NONE;
    waggle__count(t, WAGGLE__STARTED, 1);
    b.opts = opts ? opts : &no_opts;
    b.name = name ? name : "";
    b.parent = find_parent(t, b.opts) ? &t->parent : NULL;
    make_trace_id(t, &b);
    ask_sampler(t, &b);
    make_span_id(t, &b);
    waggle_span span;
    struct waggle__slot *slot = waggle__slot_take(t, b.recording, &span);
    if (slot == NULL) {
        waggle__count(t, WAGGLE__NO_SLOT, 1);
        return WAGGLE_SPAN_NONE;
    }
    reset(slot, &b, tracer->scope);
    const char *tracestate = NULL;
    size_t tracestate_n = 0;
    waggle_span_context scratch;
    find_tracestate(&b, &scratch, &tracestate, &tracestate_n);
    if (b.recording) {
        fill_recording(slot, &b, tracestate, tracestate_n);
    } else if (tracestate_n > 0) {
        uint8_t *w = slot->buf + WAGGLE__HEADROOM;
        put_tracestate(slot, &w, tracestate, tracestate_n);
    }
    publish(slot, &b);
    waggle__slot_unlock(slot, span, WAGGLE__LIVE);
    if (b.recording && atomic_load_explicit(&b.provider->has_on_start, memory_order_relaxed))
        call_on_start(t, &b, span);
    return span;
}

/* --- end ----------------------------------------------------------------------------------- */

static uint8_t *put_count(uint8_t *w, uint8_t tag, uint32_t n)
{
    if (n == 0)
        return w;
    *w++ = tag;
    return waggle__put_varint(w, n);
}

/* Append what only the end knows, for which WAGGLE__TAIL bytes were kept; the whole as a record. */
static waggle_record encode_end(struct waggle__slot *slot, uint64_t end_ns)
{
    uint8_t *w = slot->buf + slot->n;
    *w++ = 0x41;
    w = waggle__put_le64(w, end_ns);
    w = put_count(w, 0x50, slot->dropped_attributes);
    w = put_count(w, 0x60, slot->dropped_events);
    w = put_count(w, 0x70, slot->dropped_links);
    slot->n = (uint32_t)(w - slot->buf);
    size_t length = slot->n - WAGGLE__HEADROOM;
    uint8_t *head = slot->buf + WAGGLE__HEADROOM - 1 - waggle__varint_n(length);
    *head = 0x12;
    (void)waggle__put_varint(head + 1, length); // ends where the span begins
    return (waggle_record){head, (uint32_t)(slot->buf + slot->n - head), slot->scope};
}

static void call_on_ending(struct waggle__thread *t, struct waggle_provider *provider,
                           waggle_span span)
{
    const struct waggle__processors *list = &provider->processors[WAGGLE_SIGNAL_TRACES];
    uint32_t n = waggle__processors_n(list);
    t->suppressed++;
    for (uint32_t i = 0; i < n; i++) {
        struct waggle_processor *p = waggle__processor_at(list, i);
        if (p->ops->on_ending != NULL)
            p->ops->on_ending(p, span);
    }
    t->suppressed--;
}

static void call_on_end(struct waggle__thread *t, const struct waggle__slot *slot,
                        const waggle_record *record, bool sampled)
{
    struct waggle_provider *provider = slot->provider;
    const waggle_scope_info *scope =
        atomic_load_explicit(&waggle__scopes[slot->scope], memory_order_acquire);
    const struct waggle__processors *list = &provider->processors[WAGGLE_SIGNAL_TRACES];
    uint32_t n = waggle__processors_n(list);
    t->suppressed++;
    for (uint32_t i = 0; i < n; i++) {
        struct waggle_processor *p = waggle__processor_at(list, i);
        if (p->ops->on_end != NULL)
            p->ops->on_end(p, WAGGLE_SIGNAL_TRACES, record, scope, sampled);
    }
    t->suppressed--;
}

static void finish_span(struct waggle__thread *t, struct waggle__slot *slot, waggle_span span,
                        uint64_t end_ns, uint32_t flags)
{
    // Not LIVE any more: whoever calls on it from now on does not wait for the processors.
    atomic_store_explicit(&slot->word, (uint64_t)span.generation << 32 | WAGGLE__LOCKED,
                          memory_order_relaxed);
    waggle__count(t, WAGGLE__ENDED, 1);
    waggle_record record = encode_end(slot, end_ns);
    if (atomic_load_explicit(&slot->provider->is_shut, memory_order_relaxed))
        waggle__count(t, WAGGLE__SHUTDOWN, 1);
    else
        call_on_end(t, slot, &record, (flags & WAGGLE_FLAG_SAMPLED) != 0);
}

static uint64_t end_time(const struct waggle__slot *slot, uint64_t end_ns)
{
    if (end_ns != 0)
        return end_ns;
    uint64_t now = waggle__monotonic() + slot->utc_offset;
    return now > slot->start_ns ? now : slot->start_ns;
}

static void end(waggle_span span, uint64_t end_ns)
{
    struct waggle__slot *slot = waggle__slot_lock(span);
    if (slot == NULL)
        return;
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);
    if (word & WAGGLE__ENDING) {
        waggle__slot_unlock(slot, span, word & (WAGGLE__LIVE | WAGGLE__ENDING));
        return;
    }
    struct waggle__thread *t = waggle__thread();
    uint32_t flags = atomic_load_explicit(&slot->flags, memory_order_relaxed);
    if ((span.generation & 1) != 0 && (flags & WAGGLE__ORPHAN) == 0 && t != NULL) {
        end_ns = end_time(slot, end_ns);
        if (atomic_load_explicit(&slot->provider->has_on_ending, memory_order_relaxed)) {
            struct waggle__slot *locked = slot;
            waggle__slot_unlock(slot, span, WAGGLE__LIVE | WAGGLE__ENDING);
            call_on_ending(t, locked->provider, span);
            do // only calls of a few bytes hold it
                slot = waggle__slot_lock(span);
            while (slot == NULL);
        }
        finish_span(t, slot, span, end_ns, flags);
    }
    waggle__slot_unlock(slot, span, 0);
    waggle__slot_give(t, slot);
}

static bool enabled(const struct waggle_tracer *tracer)
{
    const struct waggle_provider *p = atomic_load_explicit(&tracer->provider, memory_order_acquire);
    return p != NULL && !atomic_load_explicit(&p->is_shut, memory_order_relaxed) &&
           waggle__processors_n(&p->processors[WAGGLE_SIGNAL_TRACES]) > 0;
}

const struct waggle__sdk_ops waggle__sdk_table = {
    .start = start,
    .set = waggle__span_op_set,
    .set_name = waggle__span_op_set_name,
    .set_status = waggle__span_op_set_status,
    .event = waggle__span_op_event,
    .link = waggle__span_op_link,
    .end = end,
    .is_recording = is_recording,
    .get_context = get_context,
    .enabled = enabled,
    .log = waggle__log_op_emit,
    .log_enabled = waggle__log_op_enabled,
    .measure = waggle__measure_op,
    .measures = waggle__measures_op,
    .made = waggle__instrument_op_made,
    .observe = waggle__observe_op,
};
