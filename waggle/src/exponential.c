// SPDX-License-Identifier: Apache-2.0
/*
 * exponential.c - a histogram whose buckets fit themselves to the values
 *
 * At scale s the bounds are powers of 2^(2^-s), bucket i holds (bound^i, bound^(i+1)]. It begins at
 * the finest scale; when what was measured does not fit into max_size buckets any more, pairs of
 * neighbours become one and the scale goes down by one, as often as it takes. Values on either side
 * of zero have buckets of their own at the same scale.
 *
 * A value's bucket needs no logarithm (libm is no part of what waggle asks for): the exponent is in
 * the double, and each squaring of the mantissa gives one more binary digit of its logarithm. After
 * 20 squarings the last digit may be wrong for a value within 2^-30 of a bound. Powers of two, and
 * all scales up to 0, are exact.
 *
 * Threads: who holds the stripe's lock.
 */
#include "metrics_priv.h"

enum { SIDE_MAX = 160 };

/* One side of zero: counts[0..n-1] are of the buckets from `offset` on. */
struct side {
    int32_t offset;
    uint32_t n;
    uint64_t counts[SIDE_MAX];
};

struct exponential {
    struct waggle__summary all;
    uint64_t zero_count;
    int32_t scale;
    struct side positive, negative;
};

static size_t exponential_size(const struct waggle__stream *s)
{
    (void)s;
    return sizeof(struct exponential);
}

static void exponential_reset(const struct waggle__stream *s, void *state)
{
    struct exponential *e = state;
    e->all = (struct waggle__summary){0};
    e->zero_count = 0;
    e->scale = s->max_scale;
    e->positive.n = e->negative.n = 0;
}

/* --- buckets ------------------------------------------------------------------------------- */

/* The bucket of v > 0. */
static int32_t bucket_index(double v, int32_t scale)
{
    enum { BIAS = 1023, SUBNORMAL_SHIFT = 54 };
    uint64_t bits;
    int32_t exponent = 0;
    memcpy(&bits, &v, sizeof bits);
    if (bits >> 52 == 0) {
        v *= 18014398509481984.0; // 2^54: makes it normal
        memcpy(&bits, &v, sizeof bits);
        exponent = -SUBNORMAL_SHIFT;
    }
    exponent += (int32_t)(bits >> 52 & 0x7ff) - BIAS;
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    if (scale <= 0)
        return (exponent - (fraction == 0)) >> -scale;
    int32_t index = exponent;
    if (fraction == 0)
        return (int32_t)((uint32_t)index << scale) - 1;
    bits = (bits & ((UINT64_C(1) << 52) - 1)) | (uint64_t)BIAS << 52;
    double mantissa; // from 1 to 2
    memcpy(&mantissa, &bits, sizeof mantissa);
    for (int32_t i = 0; i < scale; i++) {
        mantissa *= mantissa;
        int32_t digit = mantissa >= 2;
        mantissa = digit ? mantissa * 0.5 : mantissa;
        index = index * 2 + digit;
    }
    return index;
}

/* Half as many buckets. */
static void halve(struct side *side)
{
    if (side->n == 0)
        return;
    int32_t last = side->offset + (int32_t)side->n - 1;
    int32_t offset = side->offset >> 1;
    uint32_t n = (uint32_t)((last >> 1) - offset) + 1;
    for (uint32_t i = 0; i < side->n; i++) {
        uint32_t to = (uint32_t)(((side->offset + (int32_t)i) >> 1) - offset);
        uint64_t count = side->counts[i];
        side->counts[i] = 0;
        side->counts[to] += count;
    }
    side->offset = offset;
    side->n = n;
}

static void scale_down(struct exponential *e, int32_t by)
{
    for (; by > 0; by--) {
        halve(&e->positive);
        halve(&e->negative);
        e->scale--;
    }
}

/* By how much the scale must go down so that buckets low to high fit. */
static int32_t too_many(int32_t low, int32_t high, uint32_t max_size)
{
    int32_t by = 0;
    while ((int64_t)high - low >= (int64_t)max_size) {
        low >>= 1;
        high >>= 1;
        by++;
    }
    return by;
}

static int32_t low_of(const struct side *side, int32_t index)
{
    return side->n > 0 && side->offset < index ? side->offset : index;
}

static int32_t high_of(const struct side *side, int32_t index)
{
    int32_t last = side->offset + (int32_t)side->n - 1;
    return side->n > 0 && last > index ? last : index;
}

/* Add to a bucket there is room for. */
static void add_to(struct side *side, int32_t index, uint64_t count)
{
    if (side->n == 0) {
        side->offset = index;
        side->n = 1;
        side->counts[0] = count;
        return;
    }
    if (index < side->offset) {
        uint32_t more = (uint32_t)(side->offset - index);
        memmove(side->counts + more, side->counts, side->n * sizeof side->counts[0]);
        memset(side->counts, 0, more * sizeof side->counts[0]);
        side->offset = index;
        side->n += more;
    }
    uint32_t at = (uint32_t)(index - side->offset);
    while (side->n <= at)
        side->counts[side->n++] = 0;
    side->counts[at] += count;
}

static void exponential_update(const struct waggle__stream *s, void *state,
                               struct waggle__number value)
{
    struct exponential *e = state;
    double v = waggle__as_double(value);
    waggle__summary_add(&e->all, v);
    if (!(v < 0) && !(v > 0)) {
        e->zero_count++;
        return;
    }
    struct side *side = v > 0 ? &e->positive : &e->negative;
    int32_t index = bucket_index(v > 0 ? v : -v, e->scale);
    int32_t by = too_many(low_of(side, index), high_of(side, index), s->max_size);
    scale_down(e, by);
    add_to(side, index >> by, 1);
}

/* --- merging ------------------------------------------------------------------------------- */

static int32_t merged_too_many(const struct side *a, const struct side *b, uint32_t max_size)
{
    if (b->n == 0)
        return 0;
    int32_t last = b->offset + (int32_t)b->n - 1;
    return too_many(low_of(a, b->offset), high_of(a, last), max_size);
}

static void merge_side(struct side *into, const struct side *from, int32_t shift)
{
    for (uint32_t i = 0; i < from->n; i++)
        if (from->counts[i] > 0)
            add_to(into, (from->offset + (int32_t)i) >> shift, from->counts[i]);
}

/* `from` as if at the coarser scale of both. */
static struct side bounds_at(const struct side *from, int32_t shift)
{
    struct side b;
    b.n = 0;
    b.offset = 0;
    if (from->n == 0)
        return b;
    b.offset = from->offset >> shift;
    b.n = (uint32_t)(((from->offset + (int32_t)from->n - 1) >> shift) - b.offset) + 1;
    return b;
}

static void exponential_merge(const struct waggle__stream *s, void *into, const void *from)
{
    struct exponential *a = into;
    const struct exponential *b = from;
    if (!waggle__summary_merge(&a->all, &b->all))
        return;
    a->zero_count += b->zero_count;
    scale_down(a, a->scale > b->scale ? a->scale - b->scale : 0);
    int32_t shift = b->scale - a->scale;
    struct side positive = bounds_at(&b->positive, shift);
    struct side negative = bounds_at(&b->negative, shift);
    int32_t by = merged_too_many(&a->positive, &positive, s->max_size);
    int32_t by_negative = merged_too_many(&a->negative, &negative, s->max_size);
    by = by > by_negative ? by : by_negative;
    scale_down(a, by);
    merge_side(&a->positive, &b->positive, shift + by);
    merge_side(&a->negative, &b->negative, shift + by);
}

/* --- encoding ------------------------------------------------------------------------------ */

static uint32_t zigzag(int32_t v)
{
    return (uint32_t)v << 1 ^ (uint32_t)(v >> 31);
}

static void encode_side(const struct side *side, uint8_t tag, struct waggle__buf *out)
{
    size_t packed = 0;
    for (uint32_t i = 0; i < side->n; i++)
        packed += waggle__varint_n(side->counts[i]);
    if (side->n == 0)
        return;
    size_t offset_n = waggle__varint_n(zigzag(side->offset));
    waggle__buf_varint(out, tag);
    waggle__buf_varint(out, 1 + offset_n + 1 + waggle__varint_n(packed) + packed);
    waggle__buf_varint(out, 0x08);
    waggle__buf_varint(out, zigzag(side->offset));
    waggle__buf_varint(out, 0x12);
    waggle__buf_varint(out, packed);
    for (uint32_t i = 0; i < side->n; i++)
        waggle__buf_varint(out, side->counts[i]);
}

static void exponential_encode(const struct waggle__stream *s, const void *state,
                               struct waggle__buf *out)
{
    const struct exponential *e = state;
    waggle__summary_encode(s, &e->all, out);
    waggle__buf_varint(out, 0x30);
    waggle__buf_varint(out, zigzag(e->scale));
    waggle__buf_fixed(out, 0x39, e->zero_count);
    encode_side(&e->positive, 0x42, out);
    encode_side(&e->negative, 0x4a, out);
    waggle__summary_encode_range(s, &e->all, 0x61, out);
}

const struct waggle__aggregator waggle__aggregate_exponential = {
    .name = "exponential buckets",
    .size = exponential_size,
    .reset = exponential_reset,
    .update = exponential_update,
    .merge = exponential_merge,
    .encode = exponential_encode,
    .data_tag = 0x52,
    .attributes_tag = 0x0a,
    .exemplar_tag = 0x5a,
};
