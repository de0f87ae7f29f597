// SPDX-License-Identifier: Apache-2.0
/* Constant: all values are the same int64.
 *
 *   0  i64 value
 *
 * Threads: any. */
#include "base/assert.h"
#include "store/column/codec/codec.h"

static size_t score(const struct skep_codec_in *in)
{
    for (uint32_t i = 1; i < in->n; i++)
        if (in->ints[i] != in->ints[0])
            return SIZE_MAX;
    return 8;
}

static void encode(const struct skep_codec_in *in, struct skep_buf *out)
{
    skep_assert(in->n > 0);
    skep_buf_u64(out, (uint64_t)in->ints[0]);
}

static skep_rc decode(const struct skep_codec_chunk *c, uint32_t first, uint32_t n, int64_t *out)
{
    if (c->n < 8 || (uint64_t)first + n > c->n_values)
        return SKEP_ECORRUPT;
    int64_t v = (int64_t)skep_load_le64(c->p);
    for (uint32_t i = 0; i < n; i++)
        out[i] = v;
    return SKEP_OK;
}

static SKEP_WRAPS skep_rc tally(const struct skep_codec_chunk *c, uint32_t first, uint32_t n,
                                int64_t low, uint32_t *counts, uint32_t n_counts)
{
    if (c->n < 8 || (uint64_t)first + n > c->n_values)
        return SKEP_ECORRUPT;
    uint64_t at = skep_load_le64(c->p) - (uint64_t)low;
    if (at >= n_counts)
        return SKEP_ECORRUPT;
    counts[at] += n;
    return SKEP_OK;
}

static skep_rc between(const struct skep_codec_chunk *c, uint32_t first, uint32_t n, int64_t lo,
                       int64_t hi, uint64_t *bits)
{
    if (c->n < 8 || (uint64_t)first + n > c->n_values)
        return SKEP_ECORRUPT;
    int64_t v = (int64_t)skep_load_le64(c->p);
    memset(bits, 0, ((size_t)n + 63) / 64 * 8);
    if (v >= lo && v <= hi)
        skep_codec__set_bits(bits, 0, n);
    return SKEP_OK;
}

const struct skep_codec_ops skep_codec_constant = {
    .name = "constant",
    .id = SKEP_CODEC_CONSTANT,
    .kind = SKEP_CODEC_INTS,
    .score = score,
    .encode = encode,
    .decode = decode,
    .tally = tally,
    .between = between,
};
