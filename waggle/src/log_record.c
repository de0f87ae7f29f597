// SPDX-License-Identifier: Apache-2.0
/*
 * log_record.c - a log record, encoded as OTLP and handed to the processors of logs
 *
 *   09 time | 59 observed | 10 severity | 1A its text | 2A body | 32 attribute ... | 38 left out |
 *   45 flags | 4A trace id | 52 span id | 62 event name
 *
 * Unlike a span it is complete when it is emitted: it is encoded into the thread's scratch block
 * and copied into the queue from there. The block is taken at the thread's first record.
 *
 * Threads: any.
 */
#include "sdk_priv.h"

#include <stdlib.h>

enum { FIXED_BYTES = 256, TEXT_CHARS_MAX = 256, EVENT_CHARS_MAX = 1024 };

/* Where the record is being written. */
struct writer {
    uint8_t *w, *end;
};

static size_t room_of(const struct writer *out)
{
    return (size_t)(out->end - out->w);
}

static void write_fixed64(struct writer *out, uint8_t tag, uint64_t v)
{
    if (v == 0)
        return;
    *out->w++ = tag;
    out->w = waggle__put_le64(out->w, v);
}

static void write_str(struct writer *out, uint8_t tag, const char *s, uint32_t chars_max)
{
    if (s == NULL || s[0] == '\0')
        return;
    struct waggle__text text = waggle__text_of(s, strlen(s), chars_max);
    if (text.out_n + 6 > room_of(out))
        return;
    *out->w++ = tag;
    out->w = waggle__put_varint(out->w, text.out_n);
    out->w = waggle__text_write(out->w, &text);
}

/* A string that is too long is cut: its beginning is of more use than nothing. */
static bool write_body(struct writer *out, const waggle_value *body)
{
    struct waggle__value_limits limits = waggle__no_value_limits;
    bool is_str = body->type == WAGGLE_STR || body->type == WAGGLE_BYTES;
    if (body->type == WAGGLE_EMPTY)
        return true;
    if (is_str && body->n > room_of(out) / 4)
        limits.length = (uint32_t)(room_of(out) / 4); // as many characters always fit
    size_t n = waggle__value_size(body, &limits, 0);
    if (n + 12 > room_of(out))
        return false;
    *out->w++ = 0x2a;
    out->w = waggle__put_varint(out->w, n);
    out->w = waggle__value_write(out->w, body, &limits, 0);
    return !is_str || limits.length == WAGGLE_NO_LIMIT;
}

static bool is_last_of_key(waggle_attrs attributes, size_t i)
{
    const waggle_kv *kv = &attributes.p[i];
    for (size_t k = i + 1; k < attributes.n; k++)
        if (attributes.p[k].key_n == kv->key_n && attributes.p[k].key != NULL &&
            memcmp(attributes.p[k].key, kv->key, kv->key_n) == 0)
            return false;
    return true;
}

/* Returns how many were left out. */
static uint32_t write_attributes(struct writer *out, const waggle_log_limits *l, waggle_attrs attrs)
{
    const struct waggle__value_limits limits = {l->value_length, waggle__no_value_limits.depth};
    uint32_t kept = 0;
    uint32_t dropped = 0;
    for (size_t i = 0; i < attrs.n; i++) {
        const waggle_kv *kv = &attrs.p[i];
        if (kv->key == NULL || kv->key_n == 0 || !is_last_of_key(attrs, i))
            continue;
        size_t n = kept < l->attributes ? waggle__kv_size(kv, &limits, 0) : SIZE_MAX / 2;
        if (n + 12 > room_of(out)) {
            dropped++;
            continue;
        }
        kept++;
        *out->w++ = 0x32;
        out->w = waggle__put_varint(out->w, n);
        out->w = waggle__kv_write(out->w, kv, &limits, 0);
    }
    return dropped;
}

/* Whose record it is: the span, else the context's, else the thread's current one. */
static bool find_span(const waggle_log_record *record, struct waggle__thread *t)
{
    const waggle_context *context = record->context ? record->context : waggle__context_top();
    if (record->span.generation != 0)
        return waggle__span_context(record->span, &t->parent);
    if (context == NULL)
        return false;
    if (context->span.generation != 0)
        return waggle__span_context(context->span, &t->parent);
    if (!waggle_span_context_is_valid(&context->remote))
        return false;
    memcpy(&t->parent, &context->remote, offsetof(waggle_span_context, tracestate));
    return true;
}

static void write_span(struct writer *out, const waggle_span_context *c)
{
    *out->w++ = 0x45;
    out->w = waggle__put_le32(out->w, c->flags);
    *out->w++ = 0x4a;
    *out->w++ = 16;
    memcpy(out->w, c->trace_id, 16);
    out->w += 16;
    *out->w++ = 0x52;
    *out->w++ = 8;
    memcpy(out->w, c->span_id, 8);
    out->w += 8;
}

/* The whole record into the thread's scratch block; its tag and length in front. */
static waggle_record encode(struct waggle__thread *t, const struct waggle_provider *provider,
                            const waggle_log_record *record)
{
    struct writer out = {t->scratch + WAGGLE__HEADROOM,
                         t->scratch + WAGGLE__BLOCK_BYTES -
                             FIXED_BYTES}; // ids and counts fit behind
    uint64_t monotonic = waggle__monotonic();
    uint64_t observed =
        record->observed_ns ? record->observed_ns : monotonic + waggle__utc_offset(monotonic);
    write_fixed64(&out, 0x09, record->time_ns);
    write_fixed64(&out, 0x59, observed);
    if (record->severity > 0 && record->severity <= 24) {
        *out.w++ = 0x10;
        *out.w++ = (uint8_t)record->severity;
    }
    write_str(&out, 0x1a, record->severity_text, TEXT_CHARS_MAX);
    write_str(&out, 0x62, record->event_name, EVENT_CHARS_MAX);
    bool whole = write_body(&out, &record->body);
    uint32_t dropped = write_attributes(&out, &provider->log_limits, record->attributes);
    if (dropped > 0) {
        *out.w++ = 0x38;
        out.w = waggle__put_varint(out.w, dropped);
    }
    if (dropped > 0 || !whole)
        waggle__count(t, WAGGLE__VALUES, dropped + !whole);
    if (find_span(record, t))
        write_span(&out, &t->parent);
    size_t n = (size_t)(out.w - t->scratch) - WAGGLE__HEADROOM;
    uint8_t *head = t->scratch + WAGGLE__HEADROOM - 1 - waggle__varint_n(n);
    *head = 0x12;
    (void)waggle__put_varint(head + 1, n); // ends where the record begins
    return (waggle_record){head, (uint32_t)(out.w - head), 0};
}

static void hand_on(struct waggle__thread *t, struct waggle_provider *provider,
                    const waggle_record *record)
{
    const struct waggle__processors *list = &provider->processors[WAGGLE_SIGNAL_LOGS];
    const waggle_scope_info *scope =
        atomic_load_explicit(&waggle__scopes[record->scope], memory_order_acquire);
    uint32_t n = waggle__processors_n(list);
    t->suppressed++;
    for (uint32_t i = 0; i < n; i++) {
        struct waggle_processor *p = waggle__processor_at(list, i);
        if (p->ops->on_end != NULL)
            p->ops->on_end(p, WAGGLE_SIGNAL_LOGS, record, scope, true);
    }
    t->suppressed--;
}

/* The provider a record of it goes to; NULL: nowhere. */
static struct waggle_provider *open_provider(const struct waggle_tracer *scope)
{
    struct waggle_provider *p = atomic_load_explicit(&scope->provider, memory_order_acquire);
    bool is_open = p != NULL && !atomic_load_explicit(&p->is_shut, memory_order_relaxed) &&
                   waggle__processors_n(&p->processors[WAGGLE_SIGNAL_LOGS]) > 0;
    return is_open ? p : NULL;
}

bool waggle__log_op_enabled(const struct waggle_tracer *scope, int severity, const char *event_name)
{
    const struct waggle_provider *p = open_provider(scope);
    const struct waggle__processors *list = p != NULL ? &p->processors[WAGGLE_SIGNAL_LOGS] : NULL;
    const waggle_scope_info *info =
        atomic_load_explicit(&waggle__scopes[scope->scope], memory_order_acquire);
    bool any = false;
    for (uint32_t i = 0, n = list != NULL ? waggle__processors_n(list) : 0; i < n && !any; i++) {
        struct waggle_processor *one = waggle__processor_at(list, i);
        bool asks = one->ops->struct_size > offsetof(struct waggle_processor_ops, enabled) &&
                    one->ops->enabled != NULL;
        any = !asks || one->ops->enabled(one, info, severity, event_name);
    }
    return any;
}

void waggle__log_op_emit(struct waggle_tracer *scope, const waggle_log_record *given)
{
    waggle_log_record record = {0};
    memcpy(&record, given,
           given->struct_size ? WAGGLE__MIN(given->struct_size, sizeof record) : sizeof record);
    struct waggle__thread *t = waggle__thread();
    if (t == NULL || t->suppressed > 0 || open_provider(scope) == NULL)
        return;
    if (t->scratch == NULL)
        t->scratch = malloc(WAGGLE__BLOCK_BYTES);
    if (t->scratch == NULL)
        return;
    struct waggle_provider *provider = atomic_load_explicit(&scope->provider, memory_order_acquire);
    if (provider == NULL)
        return;
    waggle__count(t, WAGGLE__LOGGED, 1);
    waggle_record encoded = encode(t, provider, &record);
    encoded.scope = scope->scope;
    hand_on(t, provider, &encoded);
}
