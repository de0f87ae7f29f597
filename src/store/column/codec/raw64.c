// SPDX-License-Identifier: Apache-2.0
/* Raw: eight bytes a value, for what has no pattern (span ids, random doubles).
 *
 *   0  i64 value[n]
 *
 * Threads: any. */
#include "base/assert.h"
#include "store/column/codec/codec.h"

static size_t score(const struct skep_codec_in *in)
{
    return (size_t)in->n * 8;
}

static void encode(const struct skep_codec_in *in, struct skep_buf *out)
{
    skep_assert(in->n > 0);
    skep_buf_put(out, in->ints, (size_t)in->n * 8);
}

static skep_rc decode(const struct skep_codec_chunk *c, uint32_t first, uint32_t n, int64_t *out)
{
    if (c->n < (size_t)c->n_values * 8 || (uint64_t)first + n > c->n_values)
        return SKEP_ECORRUPT;
    if (n > 0)
        memcpy(out, c->p + (size_t)first * 8, (size_t)n * 8);
    return SKEP_OK;
}

const struct skep_codec_ops skep_codec_raw64 = {
    .name = "raw64",
    .id = SKEP_CODEC_RAW64,
    .kind = SKEP_CODEC_INTS,
    .score = score,
    .encode = encode,
    .decode = decode,
};
