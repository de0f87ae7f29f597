// SPDX-License-Identifier: Apache-2.0
/*
 * aggregate.c - what a point keeps of its measurements: a sum, the last value, a histogram of given
 * buckets
 *
 * States are plain memory under a stripe's lock; those of several stripes are merged by the
 * collector. A bucket's upper bound belongs to it: (lower, upper].
 *
 * Threads: who holds the lock.
 */
#include "metrics_priv.h"

double waggle__as_double(struct waggle__number v)
{
    return v.is_double ? v.as.f64 : (double)v.as.i64;
}

/* --- scalars ------------------------------------------------------------------------------- */

/* A sum, or the last value: as the stream's values are, an integer or a double. */
struct scalar {
    union {
        int64_t i64;
        double f64;
    } as;
};

static size_t scalar_size(const struct waggle__stream *s)
{
    (void)s;
    return sizeof(struct scalar);
}

static void scalar_reset(const struct waggle__stream *s, void *state)
{
    (void)s;
    memset(state, 0, sizeof(struct scalar)); // zero of both types
}

struct waggle__number waggle__scalar_of(const struct waggle__stream *s, const void *state)
{
    const struct scalar *v = state;
    struct waggle__number n = {.is_double = s->is_double};
    if (s->is_double)
        n.as.f64 = v->as.f64;
    else
        n.as.i64 = v->as.i64;
    return n;
}

void waggle__scalar_encode(struct waggle__number value, struct waggle__buf *out)
{
    if (value.is_double)
        waggle__buf_double(out, 0x21, value.as.f64);
    else
        waggle__buf_fixed(out, 0x31, (uint64_t)value.as.i64);
}

static void scalar_encode(const struct waggle__stream *s, const void *state,
                          struct waggle__buf *out)
{
    waggle__scalar_encode(waggle__scalar_of(s, state), out);
}

/* Integers wrap, as hardware does: nothing is undefined for a program that counts too far. */
static void sum_add(const struct waggle__stream *s, struct scalar *to, const void *v)
{
    const struct scalar *from = v;
    if (s->is_double)
        to->as.f64 += from->as.f64;
    else
        to->as.i64 = (int64_t)((uint64_t)to->as.i64 + (uint64_t)from->as.i64);
}

static struct scalar scalar_from(const struct waggle__stream *s, struct waggle__number value)
{
    struct scalar v;
    if (s->is_double)
        v.as.f64 = value.as.f64;
    else
        v.as.i64 = value.as.i64;
    return v;
}

static void sum_update(const struct waggle__stream *s, void *state, struct waggle__number value)
{
    struct scalar v = scalar_from(s, value);
    sum_add(s, state, &v);
}

static void sum_merge(const struct waggle__stream *s, void *into, const void *from)
{
    sum_add(s, into, from);
}

const struct waggle__aggregator waggle__aggregate_sum = {
    .name = "sum",
    .size = scalar_size,
    .reset = scalar_reset,
    .update = sum_update,
    .merge = sum_merge,
    .encode = scalar_encode,
    .data_tag = 0x3a,
    .attributes_tag = 0x3a,
    .exemplar_tag = 0x2a,
};

static void last_update(const struct waggle__stream *s, void *state, struct waggle__number value)
{
    *(struct scalar *)state = scalar_from(s, value);
}

/* There is one stripe: what is set from two threads at once has no other order than its lock's. */
static void last_merge(const struct waggle__stream *s, void *into, const void *from)
{
    (void)s;
    memcpy(into, from, sizeof(struct scalar));
}

const struct waggle__aggregator waggle__aggregate_last = {
    .name = "last value",
    .size = scalar_size,
    .reset = scalar_reset,
    .update = last_update,
    .merge = last_merge,
    .encode = scalar_encode,
    .data_tag = 0x2a,
    .attributes_tag = 0x3a,
    .exemplar_tag = 0x2a,
};

/* --- histograms ---------------------------------------------------------------------------- */

void waggle__summary_encode(const struct waggle__stream *s, const struct waggle__summary *h,
                            struct waggle__buf *out)
{
    waggle__buf_fixed(out, 0x21, h->count);
    if (!s->no_sum)
        waggle__buf_double(out, 0x29, h->sum);
}

void waggle__summary_encode_range(const struct waggle__stream *s, const struct waggle__summary *h,
                                  uint8_t min_tag, struct waggle__buf *out)
{
    if (s->no_min_max)
        return;
    waggle__buf_double(out, min_tag, h->min);
    waggle__buf_double(out, (uint8_t)(min_tag + 8), h->max); // the next field
}

struct explicit_histogram {
    struct waggle__summary all;
    uint64_t buckets[];
};

static size_t explicit_size(const struct waggle__stream *s)
{
    return sizeof(struct explicit_histogram) + (s->n_boundaries + 1) * sizeof(uint64_t);
}

static void explicit_reset(const struct waggle__stream *s, void *state)
{
    memset(state, 0, explicit_size(s));
}

size_t waggle__bucket_of(const struct waggle__stream *s, double value)
{
    size_t low = 0;
    size_t high = s->n_boundaries;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (value <= s->boundaries[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void explicit_update(const struct waggle__stream *s, void *state,
                            struct waggle__number value)
{
    struct explicit_histogram *h = state;
    double v = waggle__as_double(value);
    waggle__summary_add(&h->all, v);
    h->buckets[waggle__bucket_of(s, v)]++;
}

static void explicit_merge(const struct waggle__stream *s, void *into, const void *from)
{
    struct explicit_histogram *a = into;
    const struct explicit_histogram *b = from;
    if (!waggle__summary_merge(&a->all, &b->all))
        return;
    for (size_t i = 0; i <= s->n_boundaries; i++)
        a->buckets[i] += b->buckets[i];
}

static void explicit_encode(const struct waggle__stream *s, const void *state,
                            struct waggle__buf *out)
{
    const struct explicit_histogram *h = state;
    waggle__summary_encode(s, &h->all, out);
    waggle__buf_varint(out, 0x32);
    waggle__buf_varint(out, (s->n_boundaries + 1) * 8);
    for (size_t i = 0; i <= s->n_boundaries; i++) {
        uint8_t bytes[8];
        (void)waggle__put_le64(bytes, h->buckets[i]); // fills them
        waggle__buf_put(out, bytes, sizeof bytes);
    }
    if (s->n_boundaries > 0) {
        waggle__buf_varint(out, 0x3a);
        waggle__buf_varint(out, s->n_boundaries * 8);
    }
    for (size_t i = 0; i < s->n_boundaries; i++) {
        uint8_t bytes[8];
        uint64_t bits;
        memcpy(&bits, &s->boundaries[i], sizeof bits);
        (void)waggle__put_le64(bytes, bits); // fills them
        waggle__buf_put(out, bytes, sizeof bytes);
    }
    waggle__summary_encode_range(s, &h->all, 0x59, out);
}

const struct waggle__aggregator waggle__aggregate_explicit = {
    .name = "explicit buckets",
    .size = explicit_size,
    .reset = explicit_reset,
    .update = explicit_update,
    .merge = explicit_merge,
    .encode = explicit_encode,
    .data_tag = 0x4a,
    .attributes_tag = 0x4a,
    .exemplar_tag = 0x42,
};
