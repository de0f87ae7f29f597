// SPDX-License-Identifier: Apache-2.0
/* Strings: lengths in a frame of reference, bytes back to back.
 *
 *   0   u32  bytes of the encoded lengths
 *   4   u32  offset in the heap of the first value of each block of 1,024, ceil(n / 1024) of them
 *   ..  lengths, frame of reference (for.c)
 *   ..  heap: the bytes
 *
 * The same layout with compressed lengths and bytes is the body of fsst.c.
 * I1  heap_get hands out only ranges inside the chunk.
 * Threads: any. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/codec/codec.h"

size_t skep_codec__heap_size(const int64_t *lengths, uint32_t n)
{
    size_t blocks = (n + SKEP_CODEC_BLOCK - 1) / SKEP_CODEC_BLOCK;
    return 4 + blocks * 4 + skep_codec__for_size(lengths, n);
}

void skep_codec__heap_put(const int64_t *lengths, uint32_t n, struct skep_buf *out)
{
    skep_assert(n > 0 && n <= SKEP_CODEC_MAX_VALUES);
    size_t start = out->n;
    skep_buf_u32(out, 0);
    uint64_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (i % SKEP_CODEC_BLOCK == 0)
            skep_buf_u32(out, (uint32_t)at);
        at += (uint64_t)lengths[i];
    }
    skep_assert(at <= UINT32_MAX);
    size_t lengths_at = out->n;
    skep_codec__for_put(lengths, n, out);
    if (!out->bad)
        skep_store_le32(out->p + start, (uint32_t)(out->n - lengths_at));
}

/* Sum of lengths of values [first, first + n), all in one block; SIZE_MAX when they are not
 * lengths. */
static uint64_t sum_lengths(const int64_t *v, uint32_t n, uint64_t limit)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        if ((uint64_t)v[i] > limit)
            return UINT64_MAX;
        sum += (uint64_t)v[i];
    }
    return sum;
}

skep_rc skep_codec__heap_get(const struct skep_codec_chunk *c, uint32_t first, uint32_t n,
                             const uint8_t **ret_p, uint32_t *lengths)
{
    size_t blocks = ((size_t)c->n_values + SKEP_CODEC_BLOCK - 1) / SKEP_CODEC_BLOCK;
    size_t head = 4 + blocks * 4;
    if (c->n < head || (uint64_t)first + n > c->n_values || n == 0)
        return SKEP_ECORRUPT;
    uint32_t len = skep_load_le32(c->p);
    if (len > c->n - head)
        return SKEP_ECORRUPT;
    struct skep_codec_chunk lens = {c->p + head, len, c->n_values};
    const uint8_t *heap = c->p + head + len;
    uint64_t heap_bytes = c->n - head - len;
    int64_t v[SKEP_CODEC_BLOCK];
    uint32_t block = first / SKEP_CODEC_BLOCK, skip = first % SKEP_CODEC_BLOCK;
    SKEP_TRY(skep_codec__for_get(&lens, block * SKEP_CODEC_BLOCK, skip, v));
    uint64_t start = skep_load_le32(c->p + 4 + (size_t)block * 4);
    uint64_t before = sum_lengths(v, skip, heap_bytes);
    if (before > heap_bytes || start > heap_bytes - before)
        return SKEP_ECORRUPT;
    start += before;
    uint64_t left = heap_bytes - start;
    *ret_p = heap + start;
    for (uint32_t at = 0; at < n;) {
        uint32_t take = SKEP_MIN(n - at, (uint32_t)SKEP_CODEC_BLOCK);
        SKEP_TRY(skep_codec__for_get(&lens, first + at, take, v));
        uint64_t sum = sum_lengths(v, take, left);
        if (sum > left)
            return SKEP_ECORRUPT;
        left -= sum;
        for (uint32_t i = 0; i < take; i++)
            lengths[at + i] = (uint32_t)v[i];
        at += take;
    }
    return SKEP_OK;
}

static int64_t *lengths_of(const struct skep_codec_in *in, uint64_t *ret_sum)
{
    int64_t *v = skep_malloc((size_t)in->n * 8);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < in->n; i++) {
        v[i] = (int64_t)in->strs[i].n;
        sum += in->strs[i].n;
    }
    *ret_sum = sum;
    return v;
}

static size_t score(const struct skep_codec_in *in)
{
    uint64_t sum;
    int64_t *v = lengths_of(in, &sum);
    size_t bytes = skep_codec__heap_size(v, in->n) + (size_t)sum;
    skep_free(v);
    return bytes;
}

static void encode(const struct skep_codec_in *in, struct skep_buf *out)
{
    uint64_t sum;
    int64_t *v = lengths_of(in, &sum);
    skep_codec__heap_put(v, in->n, out);
    for (uint32_t i = 0; i < in->n; i++)
        skep_buf_put(out, in->strs[i].p, in->strs[i].n);
    skep_free(v);
}

static skep_rc decode_str(const struct skep_codec_chunk *c, uint32_t first, uint32_t n,
                          skep_str *out, struct skep_codec_scratch *scratch)
{
    (void)scratch;
    uint32_t lengths[SKEP_CODEC_BLOCK];
    for (uint32_t at = 0; at < n;) {
        uint32_t take = SKEP_MIN(n - at, (uint32_t)SKEP_CODEC_BLOCK);
        const uint8_t *p;
        SKEP_TRY(skep_codec__heap_get(c, first + at, take, &p, lengths));
        for (uint32_t i = 0; i < take; i++) {
            out[at + i] = (skep_str){(const char *)p, lengths[i]};
            p += lengths[i];
        }
        at += take;
    }
    return SKEP_OK;
}

const struct skep_codec_ops skep_codec_str = {
    .name = "str",
    .id = SKEP_CODEC_STR,
    .kind = SKEP_CODEC_STRINGS,
    .score = score,
    .encode = encode,
    .decode_str = decode_str,
};
