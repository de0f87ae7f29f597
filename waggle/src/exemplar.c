// SPDX-License-Identifier: Apache-2.0
/*
 * exemplar.c - a few measurements kept beside what they add up to, with the span they were made in
 *
 * A histogram of given buckets keeps the last of each bucket; the others keep a fixed number, each
 * measurement of the interval being as likely as any other. What is kept is forgotten when it is
 * collected.
 *
 * An exemplar is a sample: when another thread is at the point's exemplars, this measurement is
 * none.
 *
 * Threads: a lock that is tried once. Memory: made with the point.
 */
#include "metrics_priv.h"

#include <sched.h>
#include <stdlib.h>

enum { EXPONENTIAL_EXEMPLARS = 20, SCALAR_EXEMPLARS = 1 };

struct exemplar {
    uint64_t time_ns; /* 0: none */
    struct waggle__number value;
    uint8_t trace_id[16], span_id[8];
    bool has_span;
    uint32_t filtered_n;
    uint8_t filtered[]; /* WAGGLE__FILTERED_BYTES where a view takes attributes away */
};

struct waggle__exemplars {
    _Atomic uint32_t lock;
    uint32_t n;
    size_t size; /* of each */
    uint64_t seen;
    uint64_t items[];
};

static bool filters(const struct waggle__stream *s)
{
    return s->keys != NULL || s->n_excluded_keys > 0;
}

static struct exemplar *exemplar_at(struct waggle__exemplars *e, size_t i)
{
    return (struct exemplar *)((char *)e->items + i * e->size);
}

struct waggle__exemplars *waggle__exemplars_new(const struct waggle__stream *s)
{
    size_t n = s->aggregator == &waggle__aggregate_explicit      ? s->n_boundaries + 1
               : s->aggregator == &waggle__aggregate_exponential ? EXPONENTIAL_EXEMPLARS
                                                                 : SCALAR_EXEMPLARS;
    size_t size = sizeof(struct exemplar) + (filters(s) ? WAGGLE__FILTERED_BYTES : 0);
    struct waggle__exemplars *e = calloc(1, sizeof *e + n * size);
    if (e == NULL)
        return NULL;
    e->n = (uint32_t)n;
    e->size = size;
    return e;
}

/* The span the measurement is made in, into t->parent; false if it is none. */
static bool current_span(struct waggle__thread *t)
{
    const waggle_context *context = waggle__context_top();
    if (context == NULL)
        return false;
    if (context->span.generation != 0)
        return waggle__span_context(context->span, &t->parent);
    if (!waggle_span_context_is_valid(&context->remote))
        return false;
    memcpy(&t->parent, &context->remote, offsetof(waggle_span_context, tracestate));
    return true;
}

static bool key_is(const waggle_kv *kv, const char *pattern)
{
    return waggle__wild_match_case(pattern, (waggle_str){kv->key, kv->key_n});
}

bool waggle__keeps(const struct waggle__stream *s, const waggle_kv *kv)
{
    bool kept = s->keys == NULL;
    for (size_t i = 0; !kept && i < s->n_keys; i++)
        kept = key_is(kv, s->keys[i]);
    for (size_t i = 0; kept && i < s->n_excluded_keys; i++)
        kept = !key_is(kv, s->excluded_keys[i]);
    return kept;
}

static uint32_t write_filtered(const struct waggle__stream *s, waggle_attrs all, uint8_t *to)
{
    const struct waggle__value_limits *limits = &waggle__no_value_limits;
    uint8_t *w = to;
    for (size_t i = 0; i < all.n; i++) {
        const waggle_kv *kv = &all.p[i];
        if (kv->key == NULL || kv->key_n == 0 || waggle__keeps(s, kv))
            continue;
        size_t n = waggle__kv_size(kv, limits, 0);
        if (n + 4 > (size_t)(to + WAGGLE__FILTERED_BYTES - w))
            continue;
        *w++ = 0x3a;
        w = waggle__put_varint(w, n);
        w = waggle__kv_write(w, kv, limits, 0);
    }
    return (uint32_t)(w - to);
}

static size_t choose(const struct waggle__stream *s, struct waggle__exemplars *e,
                     struct waggle__thread *t, struct waggle__number value)
{
    if (s->aggregator == &waggle__aggregate_explicit)
        return waggle__bucket_of(s, waggle__as_double(value));
    uint64_t i = e->seen++;
    return (size_t)(i < e->n ? i : waggle__random64(t) % e->seen);
}

void waggle__exemplar_offer(const struct waggle__stream *s, struct waggle__exemplars *e,
                            struct waggle__thread *t, struct waggle__number value, waggle_attrs all)
{
    bool in_span = current_span(t);
    bool sampled = in_span && (t->parent.flags & WAGGLE_FLAG_SAMPLED) != 0;
    uint32_t open = 0;
    if (s->exemplar_filter == WAGGLE_EXEMPLARS_TRACE_BASED && !sampled)
        return;
    if (!atomic_compare_exchange_strong_explicit(&e->lock, &open, 1, memory_order_acquire,
                                                 memory_order_relaxed))
        return;
    size_t i = choose(s, e, t, value);
    if (i < e->n) {
        struct exemplar *x = exemplar_at(e, i);
        uint64_t monotonic = waggle__monotonic();
        x->time_ns = monotonic + waggle__utc_offset(monotonic);
        x->value = value;
        x->has_span = in_span;
        memcpy(x->trace_id, t->parent.trace_id, sizeof x->trace_id);
        memcpy(x->span_id, t->parent.span_id, sizeof x->span_id);
        x->filtered_n = filters(s) ? write_filtered(s, all, x->filtered) : 0;
    }
    atomic_store_explicit(&e->lock, 0, memory_order_release);
}

static void exemplar_encode(const struct exemplar *x, uint8_t tag, struct waggle__buf *out)
{
    waggle__buf_varint(out, tag);
    waggle__buf_varint(out, 9 + 9 + (x->has_span ? 10 + 18 : 0) + x->filtered_n);
    waggle__buf_fixed(out, 0x11, x->time_ns);
    if (x->value.is_double)
        waggle__buf_double(out, 0x19, x->value.as.f64);
    else
        waggle__buf_fixed(out, 0x31, (uint64_t)x->value.as.i64);
    if (x->has_span) {
        waggle__buf_field(out, 4, x->span_id, sizeof x->span_id);
        waggle__buf_field(out, 5, x->trace_id, sizeof x->trace_id);
    }
    waggle__buf_put(out, x->filtered, x->filtered_n);
}

void waggle__exemplars_take(const struct waggle__stream *s, struct waggle__exemplars *e,
                            struct waggle__buf *out)
{
    uint32_t open = 0;
    while (!atomic_compare_exchange_strong_explicit(&e->lock, &open, 1, memory_order_acquire,
                                                    memory_order_relaxed)) {
        open = 0;
        (void)sched_yield(); // its holder is in the middle of a few instructions
    }
    for (size_t i = 0; i < e->n; i++) {
        struct exemplar *x = exemplar_at(e, i);
        if (x->time_ns != 0)
            exemplar_encode(x, s->aggregator->exemplar_tag, out);
        x->time_ns = 0;
    }
    e->seen = 0;
    atomic_store_explicit(&e->lock, 0, memory_order_release);
}

void waggle__exemplars_after_fork(struct waggle__exemplars *e)
{
    if (e == NULL)
        return;
    for (size_t i = 0; i < e->n; i++)
        exemplar_at(e, i)->time_ns = 0;
    e->seen = 0;
    atomic_store_explicit(&e->lock, 0, memory_order_relaxed);
}
