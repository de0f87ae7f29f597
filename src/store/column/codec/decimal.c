// SPDX-License-Identifier: Apache-2.0
/* Decimal: doubles that are an integer divided by a power of ten, as those integers.
 *
 *   0  u8  k, 0..6
 *   1  integers i in a frame of reference (for.c); the value is (double)i / 10^k
 *
 * Used only where that division gives back every value bit for bit (so never with -0.0, NaN,
 * infinities or more digits).  Threads: any. */
#include <math.h>

#include "base/assert.h"
#include "base/mem.h"
#include "store/column/codec/codec.h"

enum { MAX_K = 6 };
static const double powers[MAX_K + 1] = {1, 10, 100, 1000, 1e4, 1e5, 1e6};

static inline double as_f64(int64_t bits)
{
    double v;
    memcpy(&v, &bits, 8);
    return v;
}

static inline int64_t as_bits(double v)
{
    int64_t bits;
    memcpy(&bits, &v, 8);
    return bits;
}

/* The integer of one value, or false. */
static bool scale(int64_t bits, unsigned k, int64_t *ret)
{
    double scaled = as_f64(bits) * powers[k];
    if (!(fabs(scaled) < 4503599627370496.0))
        return false;
    *ret = (int64_t)(scaled + (scaled < 0 ? -0.5 : 0.5));
    return as_bits((double)*ret / powers[k]) == bits;
}

static bool scale_all(const struct skep_codec_in *in, unsigned *ret_k, int64_t *out)
{
    unsigned k = 0;
    for (uint32_t i = 0; i < in->n; i++) {
        while (!scale(in->ints[i], k, &out[i])) {
            if (++k > MAX_K)
                return false;
            i = 0; /* all over again with one more digit */
        }
    }
    *ret_k = k;
    return true;
}

static size_t score(const struct skep_codec_in *in)
{
    if (!in->f64)
        return SIZE_MAX;
    int64_t *v = skep_malloc((size_t)in->n * 8);
    unsigned k;
    size_t bytes = SIZE_MAX;
    if (scale_all(in, &k, v))
        bytes = 1 + skep_codec__for_size(v, in->n);
    skep_free(v);
    return bytes;
}

static void encode(const struct skep_codec_in *in, struct skep_buf *out)
{
    skep_assert(in->f64);
    int64_t *v = skep_malloc((size_t)in->n * 8);
    unsigned k = 0;
    bool exact = scale_all(in, &k, v);
    skep_assert(exact);
    skep_buf_u8(out, (uint8_t)k);
    skep_codec__for_put(v, in->n, out);
    skep_free(v);
}

static skep_rc decode(const struct skep_codec_chunk *c, uint32_t first, uint32_t n, int64_t *out)
{
    if (c->n < 1 || c->p[0] > MAX_K || (uint64_t)first + n > c->n_values)
        return SKEP_ECORRUPT;
    double div = powers[c->p[0]];
    struct skep_codec_chunk inner = {c->p + 1, c->n - 1, c->n_values};
    SKEP_TRY(skep_codec__for_get(&inner, first, n, out));
    for (uint32_t i = 0; i < n; i++)
        out[i] = as_bits((double)out[i] / div);
    return SKEP_OK;
}

const struct skep_codec_ops skep_codec_decimal = {
    .name = "decimal",
    .id = SKEP_CODEC_DECIMAL,
    .kind = SKEP_CODEC_INTS,
    .score = score,
    .encode = encode,
    .decode = decode,
};
