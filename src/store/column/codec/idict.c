// SPDX-License-Identifier: Apache-2.0
/* Integer dictionary: few distinct values far apart (arrival times, doubles of a small set).
 *
 *   0  u32  number of distinct values, 1..4096
 *   4  i64  distinct values, ascending
 *   .. codes, frame of reference (for.c)
 *
 * Threads: any. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/column/codec/codec.h"

enum { MAX_DISTINCT = 4096, SAMPLE = 512 };

struct table {
    uint32_t n, mask; /* slots - 1 */
    int64_t values[MAX_DISTINCT];
    uint16_t
        slot[4 * MAX_DISTINCT]; /* index into values + 1; 0 = free; mask + 1 of them are used */
};

/* For at most `max` values: a table for few is small, as most columns of many are short. */
static struct table *new_table(uint32_t max)
{
    struct table *t = skep_malloc(sizeof *t);
    t->n = 0;
    t->mask = 63;
    while (t->mask + 1 < 4 * max)
        t->mask = t->mask * 2 + 1;
    skep_assert(t->mask < SKEP_ARRAY_LEN(t->slot));
    memset(t->slot, 0, ((size_t)t->mask + 1) * sizeof t->slot[0]);
    return t;
}

static unsigned find_slot(const struct table *t, int64_t v)
{
    unsigned at = (unsigned)skep_hash_u64((uint64_t)v) & t->mask;
    while (t->slot[at] && t->values[t->slot[at] - 1] != v)
        at = (at + 1) & t->mask;
    return at;
}

/* False when there are more than max distinct values. */
static bool collect(struct table *t, const int64_t *v, uint32_t n, uint32_t max)
{
    for (uint32_t i = 0; i < n; i++) {
        if (i > 0 && v[i] == v[i - 1])
            continue;
        unsigned at = find_slot(t, v[i]);
        if (t->slot[at])
            continue;
        if (t->n >= max)
            return false;
        t->values[t->n++] = v[i];
        t->slot[at] = (uint16_t)t->n;
    }
    return true;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The codes of v, with the table sorted. */
static int64_t *make_codes(struct table *t, const int64_t *v, uint32_t n)
{
    qsort(t->values, t->n, sizeof t->values[0], by_value);
    memset(t->slot, 0, ((size_t)t->mask + 1) * sizeof t->slot[0]);
    for (uint32_t k = 0; k < t->n; k++)
        t->slot[find_slot(t, t->values[k])] = (uint16_t)(k + 1);
    int64_t *codes = skep_malloc((size_t)n * 8);
    for (uint32_t i = 0; i < n; i++)
        codes[i] = i > 0 && v[i] == v[i - 1] ? codes[i - 1] : t->slot[find_slot(t, v[i])] - 1;
    return codes;
}

/* So many different values may a sample have that codes are at least two bits narrower. */
static SKEP_WRAPS uint32_t most_of_sample(const int64_t *v, uint32_t n)
{
    int64_t min, max;
    skep_codec__bounds(v, n, &min, &max);
    unsigned width = skep_bits_width((uint64_t)max - (uint64_t)min);
    if (width < 3)
        return 0;
    uint32_t most = width > 16 ? UINT16_MAX : (1u << (width - 2)) - 1;
    return SKEP_MIN(most, n / 4);
}

static size_t score(const struct skep_codec_in *in)
{
    /* Of no use where the sample is spread, and never for few values. */
    if (in->n < 64)
        return SIZE_MAX;
    uint32_t sample = SKEP_MIN(in->n, (uint32_t)SAMPLE), few = most_of_sample(in->ints, sample);
    if (few == 0)
        return SIZE_MAX;
    uint32_t most = SKEP_MAX(SKEP_MIN(in->n / 16, (uint32_t)MAX_DISTINCT), few);
    struct table *t = new_table(most);
    size_t bytes = SIZE_MAX;
    if (collect(t, in->ints, sample, few) && collect(t, in->ints, in->n, most)) {
        int64_t *codes = make_codes(t, in->ints, in->n);
        bytes = 4 + (size_t)t->n * 8 + skep_codec__for_size(codes, in->n);
        skep_free(codes);
    }
    skep_free(t);
    return bytes;
}

static void encode(const struct skep_codec_in *in, struct skep_buf *out)
{
    struct table *t = new_table(MAX_DISTINCT);
    bool fits = collect(t, in->ints, in->n, MAX_DISTINCT);
    skep_assert(fits);
    int64_t *codes = make_codes(t, in->ints, in->n);
    skep_buf_u32(out, t->n);
    skep_buf_put(out, t->values, (size_t)t->n * 8);
    skep_codec__for_put(codes, in->n, out);
    skep_free(codes);
    skep_free(t);
}

static skep_rc decode(const struct skep_codec_chunk *c, uint32_t first, uint32_t n, int64_t *out)
{
    if (c->n < 4 || (uint64_t)first + n > c->n_values)
        return SKEP_ECORRUPT;
    uint32_t distinct = skep_load_le32(c->p);
    if (distinct == 0 || distinct > MAX_DISTINCT || (size_t)distinct * 8 > c->n - 4)
        return SKEP_ECORRUPT;
    size_t head = 4 + (size_t)distinct * 8;
    struct skep_codec_chunk codes = {c->p + head, c->n - head, c->n_values};
    SKEP_TRY(skep_codec__for_get(&codes, first, n, out));
    for (uint32_t i = 0; i < n; i++) {
        if ((uint64_t)out[i] >= distinct)
            return SKEP_ECORRUPT;
        out[i] = (int64_t)skep_load_le64(c->p + 4 + (size_t)out[i] * 8);
    }
    return SKEP_OK;
}

const struct skep_codec_ops skep_codec_idict = {
    .name = "idict",
    .id = SKEP_CODEC_IDICT,
    .kind = SKEP_CODEC_INTS,
    .score = score,
    .encode = encode,
    .decode = decode,
};
