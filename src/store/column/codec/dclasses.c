// SPDX-License-Identifier: Apache-2.0
/* Delta in classes: differences between neighbours, where they are of very different size (times of
 * rows in trace order).
 *
 *   i64 first value of each block of 1,024, ceil(n / 1024) of them
 *   classes (classes.c) of n differences; the first of a block repeats the second and is unused
 *
 * Threads: any. */
#include "base/mem.h"
#include "store/column/codec/codec.h"

SKEP_WRAPS static int64_t *differences(const int64_t *v, uint32_t n)
{
    int64_t *d = skep_malloc((size_t)n * 8);
    for (uint32_t i = 1; i < n; i++)
        d[i] = (int64_t)((uint64_t)v[i] - (uint64_t)v[i - 1]);
    for (uint32_t at = 0; at < n; at += SKEP_CODEC_BLOCK)
        d[at] = at + 1 < n ? d[at + 1] : 0;
    return d;
}

static size_t score(const struct skep_codec_in *in)
{
    int64_t sample[SKEP_CODEC_SAMPLE];
    if (in->codes || in->f64 || in->n < 2 * SKEP_CODEC_SAMPLE)
        return SIZE_MAX;
    uint32_t n = skep_codec__sample(in->ints, in->n, true, sample);
    if (!skep_codec__classes_promise(sample, n))
        return SIZE_MAX;
    int64_t *d = differences(in->ints, in->n);
    size_t bytes = skep_codec__classes_size(d, in->n);
    skep_free(d);
    size_t starts = ((size_t)in->n + SKEP_CODEC_BLOCK - 1) / SKEP_CODEC_BLOCK * 8;
    return bytes == SIZE_MAX ? bytes : bytes + starts;
}

static void encode(const struct skep_codec_in *in, struct skep_buf *out)
{
    for (uint32_t at = 0; at < in->n; at += SKEP_CODEC_BLOCK)
        skep_buf_u64(out, (uint64_t)in->ints[at]);
    int64_t *d = differences(in->ints, in->n);
    skep_codec__classes_put(d, in->n, out);
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
    size_t starts = ((size_t)c->n_values + SKEP_CODEC_BLOCK - 1) / SKEP_CODEC_BLOCK * 8;
    if (c->n < starts || (uint64_t)first + n > c->n_values)
        return SKEP_ECORRUPT;
    struct skep_codec_chunk inner = {c->p + starts, c->n - starts, c->n_values};
    int64_t d[SKEP_CODEC_BLOCK];
    while (n > 0) {
        uint32_t b = first / SKEP_CODEC_BLOCK, skip = first % SKEP_CODEC_BLOCK;
        uint32_t take = SKEP_MIN(n, SKEP_CODEC_BLOCK - skip);
        SKEP_TRY(skep_codec__classes_get(&inner, b * SKEP_CODEC_BLOCK, skip + take, d));
        sums((int64_t)skep_load_le64(c->p + (size_t)b * 8), d, skip, take, out);
        out += take;
        first += take;
        n -= take;
    }
    return SKEP_OK;
}

const struct skep_codec_ops skep_codec_dclasses = {
    .name = "delta-classes",
    .id = SKEP_CODEC_DCLASSES,
    .kind = SKEP_CODEC_INTS,
    .score = score,
    .encode = encode,
    .decode = decode,
};
