// SPDX-License-Identifier: Apache-2.0
/* Delta: differences between neighbours in a frame of reference, each block with its own start.
 *
 *   i64 first value of each block of 1,024, ceil(n / 1024) of them
 *   frame of reference (for.c) of n differences; the first of a block repeats the second and is
 * unused
 *
 * Threads: any. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/codec/codec.h"

SKEP_WRAPS static void differences(const int64_t *v, uint32_t n, int64_t *d)
{
    for (uint32_t i = 1; i < n; i++)
        d[i] = (int64_t)((uint64_t)v[i] - (uint64_t)v[i - 1]);
    for (uint32_t at = 0; at < n; at += SKEP_CODEC_BLOCK)
        d[at] = at + 1 < n ? d[at + 1] : 0;
}

/* Can differences be smaller than the values?  What a sample says, with room for error. */
static bool promising(const struct skep_codec_in *in)
{
    SKEP_UNINIT int64_t values[SKEP_CODEC_SAMPLE], steps[SKEP_CODEC_SAMPLE];
    if (in->n < 2 * SKEP_CODEC_SAMPLE)
        return true;
    uint32_t n = skep_codec__sample(in->ints, in->n, true, steps);
    (void)skep_codec__sample(in->ints, in->n, false, values);
    size_t plain = skep_codec__for_size(values, n);
    return skep_codec__for_size(steps, n) < plain + plain / 16;
}

static size_t score(const struct skep_codec_in *in)
{
    if (!promising(in))
        return SIZE_MAX;
    SKEP_UNINIT int64_t d[SKEP_CODEC_BLOCK];
    size_t bytes = 0;
    for (uint32_t at = 0; at < in->n; at += SKEP_CODEC_BLOCK) {
        uint32_t count = SKEP_MIN(in->n - at, (uint32_t)SKEP_CODEC_BLOCK);
        differences(in->ints + at, count, d);
        bytes += 8 + skep_codec__for_size(d, count);
    }
    return bytes;
}

static void encode(const struct skep_codec_in *in, struct skep_buf *out)
{
    skep_assert(in->n > 0 && in->n <= SKEP_CODEC_MAX_VALUES);
    int64_t *d = skep_malloc((size_t)in->n * 8);
    for (uint32_t at = 0; at < in->n; at += SKEP_CODEC_BLOCK)
        skep_buf_u64(out, (uint64_t)in->ints[at]);
    differences(in->ints, in->n, d);
    skep_codec__for_put(d, in->n, out);
    skep_free(d);
}

SKEP_WRAPS static void sums(int64_t first, const int64_t *d, uint32_t skip, uint32_t n,
                            int64_t *out)
{
    uint64_t at = (uint64_t)first;
    for (uint32_t i = 1; i <= skip; i++)
        at += (uint64_t)d[i];
    out[0] = (int64_t)at;
    for (uint32_t i = 1; i < n; i++) {
        at += (uint64_t)d[skip + i];
        out[i] = (int64_t)at;
    }
}

static skep_rc decode(const struct skep_codec_chunk *c, uint32_t first, uint32_t n, int64_t *out)
{
    size_t blocks = ((size_t)c->n_values + SKEP_CODEC_BLOCK - 1) / SKEP_CODEC_BLOCK;
    if (c->n < blocks * 8 || (uint64_t)first + n > c->n_values)
        return SKEP_ECORRUPT;
    struct skep_codec_chunk inner = {c->p + blocks * 8, c->n - blocks * 8, c->n_values};
    SKEP_UNINIT int64_t d[SKEP_CODEC_BLOCK];
    while (n > 0) {
        uint32_t b = first / SKEP_CODEC_BLOCK;
        uint32_t skip = first % SKEP_CODEC_BLOCK;
        uint32_t take = SKEP_MIN(n, SKEP_CODEC_BLOCK - skip);
        SKEP_TRY(skep_codec__for_get(&inner, b * SKEP_CODEC_BLOCK, skip + take, d));
        sums((int64_t)skep_load_le64(c->p + (size_t)b * 8), d, skip, take, out);
        out += take;
        first += take;
        n -= take;
    }
    return SKEP_OK;
}

const struct skep_codec_ops skep_codec_delta = {
    .name = "delta",
    .id = SKEP_CODEC_DELTA,
    .kind = SKEP_CODEC_INTS,
    .score = score,
    .encode = encode,
    .decode = decode,
};
