// SPDX-License-Identifier: Apache-2.0
/* Classes: numbers of very different size, each in the bits that its class takes.
 *
 * A frame of reference gives every value of a block the width of nearly the largest; times between
 * rows, parents' distances and lengths are mostly small and sometimes not.  Here at most 16 classes
 * split the numbers of the chunk into ranges; a value is the number of its class, packed like any
 * frame of reference, and its place in the range, in as many bits as that range needs.
 *
 *   0   u8   classes c, 1..16
 *   1   u8   bits of a class number
 *   2   c times: i64 lowest value, u8 width (0..57)
 *   ..  u32 for each block of 1,024 values: bit at which the places of the block begin
 *   ..  class numbers of all values, in so many bits each, from the lowest bit on
 *   ..  places, back to back
 *
 * The ranges end at powers of two (of the value, or of its distance from the smallest one), found
 * by dynamic programming over a histogram.
 *
 * I1  widths come from a table of 16, whatever the class number: no read goes far.
 * Threads: any. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/codec/codec.h"

enum {
    MAX_CLASSES = 16,
    MAX_BITS = 4,
    MAX_WIDTH = 57, /* read in one go */
    CLASS_BYTES = 9,
    HEAD_BYTES = 2,
    BUCKETS = 130, /* negative ones by size, zero and positive ones by size */
    ZERO = 65,     /* the bucket of 0 */
    SAMPLE_RUNS = 6,
    SAMPLE_RUN = SKEP_CODEC_SAMPLE / SAMPLE_RUNS,
    FOR_HEADER_BYTES = 32, /* of a sample */
    SLOWER_SHARE = 8       /* it must be smaller by that much to be worth its slower decoding */
};

static const uint64_t NEVER = UINT64_MAX / 2;

/* --- ranges --- */

/* Values in a bucket lie in [lowest(b), lowest(b + 1)). */
static inline unsigned bucket_of(int64_t v)
{
    return v >= 0 ? ZERO + skep_bits_width((uint64_t)v) : ZERO - skep_bits_width(0 - (uint64_t)v);
}

struct ranges {
    int64_t origin;
    unsigned n, bits;                              /* classes; bits of a class number */
    uint8_t first[MAX_CLASSES], last[MAX_CLASSES]; /* buckets */
    uint8_t width[MAX_CLASSES];
    uint64_t payload_bits; /* of what the histogram counted */
};

/* Bits that hold any place in the buckets [a, b]; over 57: not to be used. */
static unsigned range_width(unsigned a, unsigned b)
{
    if (a == b)
        return a == ZERO ? 0 : (a > ZERO ? a - ZERO : ZERO - a) - 1;
    unsigned below = a < ZERO ? ZERO - a : 0, above = b > ZERO ? b - ZERO : 0;
    if (below && above)
        return SKEP_MAX(below, above) + 1;
    return SKEP_MAX(below, above);
}

static int64_t lowest(unsigned b)
{
    if (b == ZERO)
        return 0;
    if (b > ZERO)
        return (int64_t)(1ull << (b - ZERO - 1));
    unsigned w = ZERO - b; /* values -(2^w - 1) .. -2^(w-1) */
    return w >= 64 ? INT64_MIN : -(int64_t)((1ull << w) - 1);
}

struct compact {
    unsigned n;
    uint8_t bucket[BUCKETS];
    uint32_t count[BUCKETS];
};

/* One more class: fewest bits for the first j buckets, from those with one class fewer; from[j] is
 * where the last class begins. */
static void add_class(const struct compact *h, const uint64_t *before, uint64_t *cost,
                      uint8_t *from)
{
    cost[0] = NEVER;
    for (unsigned j = 1; j <= h->n; j++) {
        uint64_t sum = 0;
        cost[j] = NEVER;
        for (unsigned i = j; i-- > 0;) {
            sum += h->count[i];
            unsigned w = range_width(h->bucket[i], h->bucket[j - 1]);
            uint64_t c = before[i] + sum * w;
            if (w <= MAX_WIDTH && c < cost[j]) {
                cost[j] = c;
                from[j] = (uint8_t)i;
            }
        }
    }
}

static void plan(const struct compact *h, uint32_t n, struct ranges *ret)
{
    uint64_t cost[2][BUCKETS + 1], best = NEVER;
    uint8_t from[MAX_CLASSES + 1][BUCKETS + 1];
    ret->n = 0;
    for (unsigned j = 0; j <= h->n; j++)
        cost[0][j] = j ? NEVER : 0;
    for (unsigned k = 1; k <= MAX_CLASSES && k <= h->n; k++) {
        uint64_t *now = cost[k % 2];
        add_class(h, cost[(k - 1) % 2], now, from[k]);
        uint64_t all = now[h->n] + (uint64_t)skep_bits_width(k - 1) * n + k * CLASS_BYTES * 8ull;
        if (now[h->n] < NEVER && all < best) {
            best = all;
            ret->n = k;
            ret->bits = skep_bits_width(k - 1);
            ret->payload_bits = now[h->n];
        }
    }
    for (unsigned k = ret->n, j = h->n; k > 0; k--) {
        unsigned i = from[k][j];
        ret->first[k - 1] = h->bucket[i];
        ret->last[k - 1] = h->bucket[j - 1];
        ret->width[k - 1] = (uint8_t)range_width(h->bucket[i], h->bucket[j - 1]);
        j = i;
    }
}

static void squeeze(const uint32_t *hist, struct compact *ret)
{
    ret->n = 0;
    for (unsigned b = 0; b < BUCKETS; b++) {
        if (hist[b] == 0)
            continue;
        ret->bucket[ret->n] = (uint8_t)b;
        ret->count[ret->n++] = hist[b];
    }
}

/* Four counts side by side: equal buckets one after the other would wait for each other. */
static SKEP_WRAPS void count(const int64_t *v, uint32_t n, int64_t origin, uint32_t *hist)
{
    enum { LANES = 4 };
    uint32_t lanes[BUCKETS][LANES] = {{0}}, i = 0;
    for (; i + LANES <= n; i += LANES)
        for (unsigned k = 0; k < LANES; k++)
            lanes[bucket_of((int64_t)((uint64_t)v[i + k] - (uint64_t)origin))][k]++;
    for (; i < n; i++)
        lanes[bucket_of((int64_t)((uint64_t)v[i] - (uint64_t)origin))][0]++;
    for (unsigned b = 0; b < BUCKETS; b++)
        hist[b] = lanes[b][0] + lanes[b][1] + lanes[b][2] + lanes[b][3];
}

/* From where sizes are taken: 0, or the smallest value where all are far from 0. */
static SKEP_WRAPS int64_t choose_origin(const int64_t *v, uint32_t n)
{
    int64_t min, max;
    skep_codec__bounds(v, n, &min, &max);
    bool far =
        min > 0 ? max - min < min : max < 0 && (uint64_t)max - (uint64_t)min < 0 - (uint64_t)max;
    return far ? min : 0;
}

/* The best ranges for all values; n == 0: none. */
static struct ranges find_ranges(const int64_t *v, uint32_t n)
{
    struct ranges r = {.origin = choose_origin(v, n)};
    struct compact h;
    uint32_t hist[BUCKETS];
    count(v, n, r.origin, hist);
    squeeze(hist, &h);
    plan(&h, n, &r);
    return r;
}

bool skep_codec__classes_promise(const int64_t *v, uint32_t n)
{
    struct ranges r = {.origin = choose_origin(v, n)};
    struct compact h;
    uint32_t hist[BUCKETS];
    count(v, n, r.origin, hist);
    squeeze(hist, &h);
    plan(&h, n, &r);
    size_t plain = skep_codec__for_size(v, n) - FOR_HEADER_BYTES;
    size_t bytes = (size_t)((r.payload_bits + (uint64_t)n * r.bits) / 8);
    return r.n > 0 && bytes + bytes / (2 * SLOWER_SHARE) < plain;
}

uint32_t skep_codec__sample(const int64_t *v, uint32_t n, bool differences, int64_t *out)
{
    uint32_t k = 0;
    for (uint32_t run = 0; run < SAMPLE_RUNS; run++) {
        uint32_t at = (uint32_t)((uint64_t)(n - SAMPLE_RUN - 1) * run / (SAMPLE_RUNS - 1)) + 1;
        for (uint32_t i = at; i < at + SAMPLE_RUN; i++)
            out[k++] = differences ? (int64_t)((uint64_t)v[i] - (uint64_t)v[i - 1]) : v[i];
    }
    return k;
}

static size_t head_bytes(unsigned classes, uint32_t n)
{
    return HEAD_BYTES + (size_t)classes * CLASS_BYTES +
           ((size_t)n + SKEP_CODEC_BLOCK - 1) / SKEP_CODEC_BLOCK * 4;
}

size_t skep_codec__classes_size(const int64_t *v, uint32_t n)
{
    struct ranges r = find_ranges(v, n);
    if (r.n == 0)
        return SIZE_MAX;
    size_t bytes =
        head_bytes(r.n, n) + skep_bits_bytes(n, r.bits) + (size_t)(r.payload_bits / 8) + 1;
    return bytes + bytes / SLOWER_SHARE;
}

static size_t score(const struct skep_codec_in *in)
{
    SKEP_UNINIT int64_t sample[SKEP_CODEC_SAMPLE];
    if (in->codes || in->n < SKEP_CODEC_SAMPLE)
        return SIZE_MAX;
    uint32_t n = skep_codec__sample(in->ints, in->n, false, sample);
    return skep_codec__classes_promise(sample, n) ? skep_codec__classes_size(in->ints, in->n)
                                                  : SIZE_MAX;
}

/* --- encoding --- */

struct bits {
    uint8_t *p;
    uint64_t acc;
    unsigned have;
};

static inline void put_bits(struct bits *w, uint64_t v, unsigned width)
{
    w->acc |= v << w->have;
    w->have += width;
    if (w->have >= 64) {
        skep_store_le64(w->p, w->acc);
        w->p += 8;
        w->have -= 64;
        w->acc = w->have ? v >> (width - w->have) : 0;
    }
}

SKEP_WRAPS void skep_codec__classes_put(const int64_t *v, uint32_t n, struct skep_buf *out)
{
    struct ranges r = find_ranges(v, n);
    skep_assert(r.n > 0);
    uint8_t class_of[BUCKETS];
    for (unsigned k = 0; k < r.n; k++)
        memset(class_of + r.first[k], (int)k, r.last[k] - r.first[k] + 1u);
    skep_buf_u8(out, (uint8_t)r.n);
    skep_buf_u8(out, (uint8_t)r.bits);
    uint64_t base[MAX_CLASSES];
    for (unsigned k = 0; k < r.n; k++) {
        base[k] = (uint64_t)lowest(r.first[k]) + (uint64_t)r.origin;
        skep_buf_u64(out, base[k]);
        skep_buf_u8(out, r.width[k]);
    }
    uint64_t *classes = skep_malloc((size_t)n * 8);
    uint64_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (i % SKEP_CODEC_BLOCK == 0)
            skep_buf_u32(out, (uint32_t)at);
        classes[i] = class_of[bucket_of((int64_t)((uint64_t)v[i] - (uint64_t)r.origin))];
        at += r.width[classes[i]];
    }
    size_t packed = skep_bits_bytes(n, r.bits);
    if (skep_buf_reserve(out, packed + at / 8 + 16)) {
        skep_bits_pack(out->p + out->n, classes, n, r.bits);
        out->n += packed;
        struct bits w = {.p = out->p + out->n};
        for (uint32_t i = 0; i < n; i++)
            put_bits(&w, (uint64_t)v[i] - base[classes[i]], r.width[classes[i]]);
        skep_store_le64(w.p, w.acc);
        out->n += (size_t)((at + 7) / 8);
    }
    skep_free(classes);
}

static void encode(const struct skep_codec_in *in, struct skep_buf *out)
{
    skep_codec__classes_put(in->ints, in->n, out);
}

/* --- decoding --- */

struct view {
    unsigned n, bits;
    uint64_t base[MAX_CLASSES], mask[MAX_CLASSES];
    uint8_t width[MAX_CLASSES];
    const uint8_t *index, *classes, *places;
    uint64_t place_bits;
};

static skep_rc open_view(const struct skep_codec_chunk *c, struct view *v)
{
    if (c->n < HEAD_BYTES)
        return SKEP_ECORRUPT;
    v->n = c->p[0];
    v->bits = c->p[1];
    size_t head = head_bytes(v->n, c->n_values), packed = skep_bits_bytes(c->n_values, v->bits);
    if (v->n == 0 || v->n > MAX_CLASSES || v->bits > MAX_BITS || head > c->n ||
        packed > c->n - head)
        return SKEP_ECORRUPT;
    for (unsigned k = 0; k < MAX_CLASSES; k++) {
        const uint8_t *p = c->p + HEAD_BYTES + (size_t)k * CLASS_BYTES;
        v->base[k] = k < v->n ? skep_load_le64(p) : 0;
        v->width[k] = k < v->n ? p[8] : 0;
        if (v->width[k] > MAX_WIDTH)
            return SKEP_ECORRUPT;
        v->mask[k] = (1ull << v->width[k]) - 1;
    }
    v->index = c->p + HEAD_BYTES + (size_t)v->n * CLASS_BYTES;
    v->classes = c->p + head;
    v->places = c->p + head + packed;
    v->place_bits = (uint64_t)(c->n - head - packed) * 8;
    return SKEP_OK;
}

static uint64_t sum_widths(const struct view *v, const int64_t *classes, uint32_t n)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += v->width[classes[i]];
    return sum;
}

/* [first, first + n) inside one block. */
static SKEP_WRAPS skep_rc decode_block(const struct view *v, uint32_t first, uint32_t n,
                                       int64_t *out)
{
    int64_t classes[SKEP_CODEC_BLOCK];
    uint32_t skip = first % SKEP_CODEC_BLOCK;
    skep_bits_unpack(v->classes, first - skip, skip + n, v->bits, 0, classes);
    uint64_t at = skep_load_le32(v->index + (size_t)(first / SKEP_CODEC_BLOCK) * 4);
    at += sum_widths(v, classes, skip);
    /* Whether the last ends in the chunk can mostly be told without adding up. */
    if (at + (uint64_t)n * MAX_WIDTH > v->place_bits &&
        at + sum_widths(v, classes + skip, n) > v->place_bits)
        return SKEP_ECORRUPT;
    const uint8_t *p = v->places;
    for (uint32_t i = 0; i < n; i++) {
        unsigned k = (unsigned)classes[skip + i];
        uint64_t place = skep_load_le64(p + (at >> 3)) >> (at & 7) & v->mask[k];
        at += v->width[k];
        out[i] = (int64_t)(v->base[k] + place);
    }
    return SKEP_OK;
}

skep_rc skep_codec__classes_get(const struct skep_codec_chunk *c, uint32_t first, uint32_t n,
                                int64_t *out)
{
    struct view v;
    if ((uint64_t)first + n > c->n_values)
        return SKEP_ECORRUPT;
    SKEP_TRY(open_view(c, &v));
    while (n > 0) {
        uint32_t take = SKEP_MIN(n, SKEP_CODEC_BLOCK - first % SKEP_CODEC_BLOCK);
        SKEP_TRY(decode_block(&v, first, take, out));
        out += take;
        first += take;
        n -= take;
    }
    return SKEP_OK;
}

const struct skep_codec_ops skep_codec_classes = {
    .name = "classes",
    .id = SKEP_CODEC_CLASSES,
    .kind = SKEP_CODEC_INTS,
    .score = score,
    .encode = encode,
    .decode = skep_codec__classes_get,
};
