// SPDX-License-Identifier: Apache-2.0
/* Frame of reference with exceptions: each block of 1,024 values as bit-packed distances from its
 * minimum; the few distances that need more bits keep their upper part in a list.
 *
 *   block headers, 16 bytes each, ceil(n / 1024) of them:
 *     0   i64  base, the minimum
 *     8   u32  offset of the block's data from the start of this encoding
 *     12  u16  number of exceptions
 *     14  u8   width of the packed part, 0..64
 *     15  u8   bytes of an exception's upper part, 0..8
 *   data of a block:
 *     packed distances, ceil(count * width / 8) bytes
 *     u16 position in the block of each exception, ascending
 *     upper part (distance >> width) of each exception, that many bytes little-endian
 *
 * The width is the one that makes the block smallest, found from a histogram of bit widths.
 * I1  decode reads inside [p, p + n) plus the pad, whatever the bytes are.
 * Threads: any. */
#include "base/assert.h"
#include "store/column/codec/codec.h"

enum { HEADER_BYTES = 16 };

struct plan {
    int64_t base;
    unsigned width, n_exceptions, upper_bytes;
    size_t bytes;
};

SKEP_CLONES void skep_codec__bounds(const int64_t *v, uint32_t n, int64_t *ret_min,
                                    int64_t *ret_max)
{
    /* Two halves side by side: in one chain each step would wait for the one before. */
    const int64_t *b = v + n / 2;
    int64_t lo = v[n - 1], hi = lo, lo2 = lo, hi2 = lo;
    for (uint32_t i = 0; i < n / 2; i++) {
        lo = v[i] < lo ? v[i] : lo;
        hi = v[i] > hi ? v[i] : hi;
        lo2 = b[i] < lo2 ? b[i] : lo2;
        hi2 = b[i] > hi2 ? b[i] : hi2;
    }
    *ret_min = SKEP_MIN(lo, lo2);
    *ret_max = SKEP_MAX(hi, hi2);
}

/* How many distances from min need more than w < 64 bits. */
SKEP_CLONES SKEP_WRAPS static uint32_t count_over(const int64_t *v, uint32_t n, uint64_t min,
                                                  unsigned w)
{
    uint64_t over = 0;
    for (uint32_t i = 0; i < n; i++)
        over += ((uint64_t)v[i] - min) >> w != 0;
    return (uint32_t)over;
}

/* The cheapest width for a block.  Of most blocks an eighth of the values, or more, need nearly the
 * full width: a few counts, each a fast loop, say so; only else all widths are counted. */
SKEP_WRAPS static struct plan plan_block(const int64_t *v, uint32_t n)
{
    enum { COUNTS = 3 };
    int64_t min, max;
    skep_codec__bounds(v, n, &min, &max);
    unsigned top = skep_bits_width((uint64_t)max - (uint64_t)min);
    struct plan best = {min, top, 0, 0, skep_bits_bytes(n, top)};
    if (top <= 1)
        return best;
    for (unsigned w = top; w-- > 0 && top - w <= COUNTS;) {
        uint32_t over = count_over(v, n, (uint64_t)min, w);
        if (over > n / 8)
            return best;
        size_t bytes = skep_bits_bytes(n, w) + (size_t)over * 3;
        if (bytes < best.bytes)
            best = (struct plan){min, w, over, 1, bytes};
    }
    /* Four counts side by side: equal widths one after the other would wait for each other. */
    uint16_t hist[66][4] = {{0}};
    uint32_t i = 0;
    for (; i + 4 <= n; i += 4) {
        hist[skep_bits_width((uint64_t)v[i] - (uint64_t)min)][0]++;
        hist[skep_bits_width((uint64_t)v[i + 1] - (uint64_t)min)][1]++;
        hist[skep_bits_width((uint64_t)v[i + 2] - (uint64_t)min)][2]++;
        hist[skep_bits_width((uint64_t)v[i + 3] - (uint64_t)min)][3]++;
    }
    for (; i < n; i++)
        hist[skep_bits_width((uint64_t)v[i] - (uint64_t)min)][0]++;
    uint32_t over = 0;
    for (unsigned w = top; w-- > 0;) {
        const uint16_t *h = hist[w + 1];
        over += (uint32_t)h[0] + h[1] + h[2] + h[3];
        if (over > n / 8)
            break;
        unsigned upper = (top - w + 7) / 8;
        size_t bytes = skep_bits_bytes(n, w) + (size_t)over * (2 + upper);
        if (bytes < best.bytes)
            best = (struct plan){min, w, over, upper, bytes};
    }
    return best;
}

size_t skep_codec__for_size(const int64_t *v, uint32_t n)
{
    skep_assert(n > 0);
    size_t bytes = 0;
    for (uint32_t at = 0; at < n; at += SKEP_CODEC_BLOCK) {
        uint32_t count = SKEP_MIN(n - at, (uint32_t)SKEP_CODEC_BLOCK);
        bytes += HEADER_BYTES + plan_block(v + at, count).bytes;
    }
    return bytes;
}

SKEP_WRAPS static void put_block(const int64_t *v, uint32_t n, const struct plan *p,
                                 struct skep_buf *out)
{
    SKEP_UNINIT uint64_t d[SKEP_CODEC_BLOCK];
    for (uint32_t i = 0; i < n; i++)
        d[i] = (uint64_t)v[i] - (uint64_t)p->base;
    size_t packed = skep_bits_bytes(n, p->width);
    if (!skep_buf_reserve(out, packed))
        return;
    skep_bits_pack(out->p + out->n, d, n, p->width);
    out->n += packed;
    if (p->n_exceptions == 0)
        return;
    unsigned seen = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (p->width < 64 && d[i] >> p->width) {
            skep_buf_u16(out, (uint16_t)i);
            seen++;
        }
    }
    skep_assert(seen == p->n_exceptions);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t upper = p->width < 64 ? d[i] >> p->width : 0;
        if (upper)
            skep_buf_put(out, &upper, p->upper_bytes); /* little-endian, its lower bytes */
    }
}

void skep_codec__for_put(const int64_t *v, uint32_t n, struct skep_buf *out)
{
    skep_assert(n > 0 && n <= SKEP_CODEC_MAX_VALUES);
    uint32_t blocks = (n + SKEP_CODEC_BLOCK - 1) / SKEP_CODEC_BLOCK;
    size_t start = out->n;
    skep_buf_zero(out, (size_t)blocks * HEADER_BYTES);
    for (uint32_t b = 0; b < blocks && !out->bad; b++) {
        uint32_t at = b * SKEP_CODEC_BLOCK;
        uint32_t count = SKEP_MIN(n - at, (uint32_t)SKEP_CODEC_BLOCK);
        struct plan p = plan_block(v + at, count);
        uint8_t *h = out->p + start + (size_t)b * HEADER_BYTES;
        skep_store_le64(h, (uint64_t)p.base);
        skep_store_le32(h + 8, (uint32_t)(out->n - start));
        skep_store_le16(h + 12, (uint16_t)p.n_exceptions);
        h[14] = (uint8_t)p.width;
        h[15] = (uint8_t)p.upper_bytes;
        put_block(v + at, count, &p, out);
    }
}

/* Upper part of exception k; the eight bytes read may reach into the chunk's pad. */
static inline uint64_t upper_part(const uint8_t *upper, unsigned k, const struct plan *p)
{
    uint64_t u = skep_load_le64(upper + (size_t)k * p->upper_bytes);
    return p->upper_bytes >= 8 ? u : u & ((1ull << p->upper_bytes * 8) - 1);
}

/* Add the upper parts of the exceptions in [first, first + n) of the block. */
SKEP_WRAPS static skep_rc patch(const uint8_t *e, unsigned n_exc, const struct plan *p,
                                uint32_t first, uint32_t n, int64_t *out)
{
    const uint8_t *upper = e + (size_t)n_exc * 2;
    for (unsigned k = 0; k < n_exc; k++) {
        uint32_t pos = skep_load_le16(e + (size_t)k * 2);
        if (pos < first || pos - first >= n)
            continue;
        uint64_t u = upper_part(upper, k, p);
        out[pos - first] = (int64_t)((uint64_t)out[pos - first] + (u << p->width));
    }
    return SKEP_OK;
}

/* A block as its header describes it; all of it lies inside the chunk. */
struct block {
    struct plan plan;
    const uint8_t *data, *exceptions;
};

static skep_rc open_block(const struct skep_codec_chunk *c, uint32_t b, struct block *ret)
{
    uint32_t count = SKEP_MIN(c->n_values - b * SKEP_CODEC_BLOCK, (uint32_t)SKEP_CODEC_BLOCK);
    const uint8_t *h = c->p + (size_t)b * HEADER_BYTES;
    struct plan p = {.base = (int64_t)skep_load_le64(h),
                     .width = h[14],
                     .n_exceptions = skep_load_le16(h + 12),
                     .upper_bytes = h[15]};
    uint32_t offset = skep_load_le32(h + 8);
    if (p.width > 64 || p.upper_bytes > 8 || (p.width == 64 && p.n_exceptions > 0))
        return SKEP_ECORRUPT;
    size_t packed = skep_bits_bytes(count, p.width);
    size_t need = packed + (size_t)p.n_exceptions * (2 + p.upper_bytes);
    if (offset > c->n || need > c->n - offset)
        return SKEP_ECORRUPT;
    *ret = (struct block){p, c->p + offset, c->p + offset + packed};
    return SKEP_OK;
}

/* [first, first + n) of block b, inside it. */
static skep_rc get_block(const struct skep_codec_chunk *c, uint32_t b, uint32_t first, uint32_t n,
                         int64_t *out)
{
    struct block k;
    SKEP_TRY(open_block(c, b, &k));
    const struct plan *p = &k.plan;
    skep_bits_unpack(k.data, first, n, p->width, (uint64_t)p->base, out);
    return p->n_exceptions ? patch(k.exceptions, p->n_exceptions, p, first, n, out) : SKEP_OK;
}

skep_rc skep_codec__for_get(const struct skep_codec_chunk *c, uint32_t first, uint32_t n,
                            int64_t *out)
{
    uint32_t blocks = (uint32_t)(((uint64_t)c->n_values + SKEP_CODEC_BLOCK - 1) / SKEP_CODEC_BLOCK);
    if ((uint64_t)first + n > c->n_values || c->n < (size_t)blocks * HEADER_BYTES)
        return SKEP_ECORRUPT;
    while (n > 0) {
        uint32_t b = first / SKEP_CODEC_BLOCK;
        uint32_t in = first % SKEP_CODEC_BLOCK;
        uint32_t take = SKEP_MIN(n, SKEP_CODEC_BLOCK - in);
        SKEP_TRY(get_block(c, b, in, take, out));
        out += take;
        first += take;
        n -= take;
    }
    return SKEP_OK;
}

/* The distance of exception k, with what the packed part holds of it. */
SKEP_WRAPS static uint64_t exception(const struct block *k, unsigned i, uint32_t pos)
{
    const struct plan *p = &k->plan;
    const uint8_t *upper = k->exceptions + (size_t)p->n_exceptions * 2;
    int64_t low = 0;
    skep_bits_unpack_portable(k->data, pos, 1, p->width, 0, &low);
    uint64_t u = upper_part(upper, i, p);
    return (uint64_t)low + (p->width < 64 ? u << p->width : 0);
}

static skep_rc narrow_block(const struct skep_codec_chunk *c, uint32_t b, uint32_t first,
                            uint32_t n, uint32_t *out)
{
    SKEP_UNINIT int64_t wide[SKEP_CODEC_BLOCK];
    SKEP_TRY(get_block(c, b, first, n, wide));
    for (uint32_t i = 0; i < n; i++) {
        if ((uint64_t)wide[i] > UINT32_MAX)
            return SKEP_ECORRUPT;
        out[i] = (uint32_t)wide[i];
    }
    return SKEP_OK;
}

static skep_rc get_block32(const struct skep_codec_chunk *c, uint32_t b, uint32_t first, uint32_t n,
                           uint32_t *out)
{
    struct block k;
    SKEP_TRY(open_block(c, b, &k));
    const struct plan *p = &k.plan;
    /* No sum of a base and a packed distance leaves 32 bits. */
    if (p->base < 0 || p->base > INT32_MAX || p->width > 25)
        return narrow_block(c, b, first, n, out);
    skep_bits_unpack32(k.data, first, n, p->width, (uint32_t)p->base, out);
    for (unsigned i = 0; i < p->n_exceptions; i++) {
        uint32_t pos = skep_load_le16(k.exceptions + (size_t)i * 2);
        if (pos < first || pos - first >= n)
            continue;
        uint64_t v = exception(&k, i, pos);
        if (v > UINT32_MAX - (uint64_t)p->base)
            return SKEP_ECORRUPT;
        out[pos - first] = (uint32_t)(v + (uint64_t)p->base);
    }
    return SKEP_OK;
}

skep_rc skep_codec__for_get32(const struct skep_codec_chunk *c, uint32_t first, uint32_t n,
                              uint32_t *out)
{
    uint32_t blocks = (uint32_t)(((uint64_t)c->n_values + SKEP_CODEC_BLOCK - 1) / SKEP_CODEC_BLOCK);
    if ((uint64_t)first + n > c->n_values || c->n < (size_t)blocks * HEADER_BYTES)
        return SKEP_ECORRUPT;
    while (n > 0) {
        uint32_t in = first % SKEP_CODEC_BLOCK;
        uint32_t take = SKEP_MIN(n, SKEP_CODEC_BLOCK - in);
        SKEP_TRY(get_block32(c, first / SKEP_CODEC_BLOCK, in, take, out));
        out += take;
        first += take;
        n -= take;
    }
    return SKEP_OK;
}

/* Does exception i lie in [lo, hi]?  Mostly its upper part decides. */
SKEP_WRAPS static bool exception_in(const struct block *k, unsigned i, uint32_t pos, int64_t lo,
                                    int64_t hi)
{
    const struct plan *p = &k->plan;
    uint64_t u = upper_part(k->exceptions + (size_t)p->n_exceptions * 2, i, p);
    int64_t least = 0, most = 0;
    if (p->width < 62 && u >> (62 - p->width) == 0 &&
        !SKEP_ADD_OVERFLOW(p->base, (int64_t)(u << p->width), &least) &&
        !SKEP_ADD_OVERFLOW(least, ((int64_t)1 << p->width) - 1, &most)) {
        if (most < lo || least > hi)
            return false;
        if (least >= lo && most <= hi)
            return true;
    }
    int64_t v = (int64_t)((uint64_t)p->base + exception(k, i, pos));
    return v >= lo && v <= hi;
}

SKEP_WRAPS static skep_rc between(const struct skep_codec_chunk *c, uint32_t first, uint32_t n,
                                  int64_t lo, int64_t hi, uint64_t *bits)
{
    SKEP_UNINIT int64_t wide[SKEP_CODEC_BLOCK];
    SKEP_UNINIT uint32_t narrow[SKEP_CODEC_BLOCK];
    uint32_t blocks = (uint32_t)(((uint64_t)c->n_values + SKEP_CODEC_BLOCK - 1) / SKEP_CODEC_BLOCK);
    uint32_t in = first % SKEP_CODEC_BLOCK;
    struct block k;
    if ((uint64_t)first + n > c->n_values || c->n < (size_t)blocks * HEADER_BYTES)
        return SKEP_ECORRUPT;
    if (n > SKEP_CODEC_BLOCK - in || n == 0) { /* not inside one block */
        SKEP_TRY(skep_codec__for_get(c, first, n, wide));
        skep_codec__bits_between(wide, n, lo, hi, bits);
        return SKEP_OK;
    }
    SKEP_TRY(open_block(c, first / SKEP_CODEC_BLOCK, &k));
    const struct plan *p = &k.plan;
    int64_t top;
    if (p->width > 57 || SKEP_ADD_OVERFLOW(p->base, (int64_t)1 << p->width, &top)) {
        SKEP_TRY(get_block(c, first / SKEP_CODEC_BLOCK, in, n, wide));
        skep_codec__bits_between(wide, n, lo, hi, bits);
        return SKEP_OK;
    }
    memset(bits, 0, ((size_t)n + 63) / 64 * 8);
    if (lo <= p->base && hi >= top) {
        skep_codec__set_bits(bits, 0, n);
    } else if (hi >= p->base && lo < top && p->width > 25) {
        skep_bits_unpack(k.data, in, n, p->width, (uint64_t)p->base, wide);
        skep_codec__bits_between(wide, n, lo, hi, bits);
    } else if (hi >= p->base && lo < top) { /* else no packed value is inside */
        uint64_t from = lo <= p->base ? 0 : (uint64_t)lo - (uint64_t)p->base;
        uint64_t to = hi >= top ? UINT32_MAX : (uint64_t)hi - (uint64_t)p->base;
        skep_bits_unpack32(k.data, in, n, p->width, 0, narrow);
        skep_codec__bits_between32(narrow, n, (uint32_t)from, (uint32_t)to, bits);
    }
    for (unsigned i = 0; i < p->n_exceptions; i++) {
        uint32_t pos = skep_load_le16(k.exceptions + (size_t)i * 2) - in;
        if (pos >= n)
            continue;
        bits[pos / 64] &= ~(1ull << pos % 64);
        bits[pos / 64] |= (uint64_t)exception_in(&k, i, pos + in, lo, hi) << pos % 64;
    }
    return SKEP_OK;
}

static size_t score(const struct skep_codec_in *in)
{
    return skep_codec__for_size(in->ints, in->n);
}

static void encode(const struct skep_codec_in *in, struct skep_buf *out)
{
    skep_codec__for_put(in->ints, in->n, out);
}

const struct skep_codec_ops skep_codec_for = {
    .name = "for",
    .id = SKEP_CODEC_FOR,
    .kind = SKEP_CODEC_INTS,
    .score = score,
    .encode = encode,
    .decode = skep_codec__for_get,
    .decode32 = skep_codec__for_get32,
    .between = between,
};
