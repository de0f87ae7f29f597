// SPDX-License-Identifier: Apache-2.0
/* Run-length: each run of equal values once, with its length; both arrays in a frame of reference.
 *
 *   0   u32  number of runs
 *   4   u32  bytes of the encoded lengths
 *   8   index, one entry a block of 1,024 values: u32 run that holds its first value,
 *            u32 how many values of that run stand before the block
 *   ..  lengths, frame of reference (for.c)
 *   ..  values, frame of reference
 *
 * Threads: any. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/codec/codec.h"

enum { HEADER_BYTES = 8, INDEX_BYTES = 8, STEP = 256 };

static uint32_t count_runs(const int64_t *v, uint32_t n)
{
    uint32_t runs = 1;
    for (uint32_t i = 1; i < n; i++)
        runs += v[i] != v[i - 1];
    return runs;
}

/* Fill lengths and values; returns the number of runs. */
static uint32_t split(const int64_t *v, uint32_t n, int64_t *lengths, int64_t *values)
{
    uint32_t runs = 0;
    for (uint32_t i = 0; i < n;) {
        uint32_t j = i + 1;
        while (j < n && v[j] == v[i])
            j++;
        lengths[runs] = j - i;
        values[runs++] = v[i];
        i = j;
    }
    return runs;
}

static size_t score(const struct skep_codec_in *in)
{
    uint32_t runs = count_runs(in->ints, in->n);
    if (runs > in->n / 2)
        return SIZE_MAX;
    int64_t *lengths = skep_malloc((size_t)runs * 16);
    split(in->ints, in->n, lengths, lengths + runs);
    size_t blocks = (in->n + SKEP_CODEC_BLOCK - 1) / SKEP_CODEC_BLOCK;
    size_t bytes = HEADER_BYTES + blocks * INDEX_BYTES + skep_codec__for_size(lengths, runs) +
                   skep_codec__for_size(lengths + runs, runs);
    skep_free(lengths);
    return bytes;
}

static void put_index(const int64_t *lengths, uint32_t runs, uint32_t n, struct skep_buf *out)
{
    uint32_t run = 0;
    uint64_t run_start = 0;
    for (uint32_t at = 0; at < n; at += SKEP_CODEC_BLOCK) {
        while (run_start + (uint64_t)lengths[run] <= at) {
            run_start += (uint64_t)lengths[run++];
            skep_assert(run < runs);
        }
        skep_buf_u32(out, run);
        skep_buf_u32(out, (uint32_t)(at - run_start));
    }
}

static void encode(const struct skep_codec_in *in, struct skep_buf *out)
{
    skep_assert(in->n > 0 && in->n <= SKEP_CODEC_MAX_VALUES);
    uint32_t runs = count_runs(in->ints, in->n);
    int64_t *lengths = skep_malloc((size_t)runs * 16);
    int64_t *values = lengths + runs;
    split(in->ints, in->n, lengths, values);
    size_t start = out->n;
    skep_buf_u32(out, runs);
    skep_buf_u32(out, 0);
    put_index(lengths, runs, in->n, out);
    size_t lengths_at = out->n;
    skep_codec__for_put(lengths, runs, out);
    if (!out->bad)
        skep_store_le32(out->p + start + 4, (uint32_t)(out->n - lengths_at));
    skep_codec__for_put(values, runs, out);
    skep_free(lengths);
}

struct cursor {
    struct skep_codec_chunk lengths, values;
    uint32_t runs;
};

static skep_rc open_cursor(const struct skep_codec_chunk *c, struct cursor *ret)
{
    size_t blocks = ((size_t)c->n_values + SKEP_CODEC_BLOCK - 1) / SKEP_CODEC_BLOCK;
    size_t head = HEADER_BYTES + blocks * INDEX_BYTES;
    if (c->n < head)
        return SKEP_ECORRUPT;
    uint32_t runs = skep_load_le32(c->p), len = skep_load_le32(c->p + 4);
    if (runs == 0 || runs > c->n_values || len > c->n - head)
        return SKEP_ECORRUPT;
    ret->runs = runs;
    ret->lengths = (struct skep_codec_chunk){c->p + head, len, runs};
    ret->values = (struct skep_codec_chunk){c->p + head + len, c->n - head - len, runs};
    return SKEP_OK;
}

/* Runs from the one that holds value `first` on, STEP of them at a time. */
struct walk {
    struct cursor cur;
    uint32_t run;     /* next to be fetched */
    uint32_t max_len; /* no run is longer */
    uint64_t skip;    /* values of the first run that stand before `first` */
    uint32_t n, k;    /* fetched, and taken of them */
    uint32_t lengths[STEP];
    int64_t values[STEP];
};

static skep_rc walk_from(const struct skep_codec_chunk *c, uint32_t first, uint32_t n,
                         struct walk *w)
{
    if ((uint64_t)first + n > c->n_values)
        return SKEP_ECORRUPT;
    SKEP_TRY(open_cursor(c, &w->cur));
    const uint8_t *ix = c->p + HEADER_BYTES + (size_t)(first / SKEP_CODEC_BLOCK) * INDEX_BYTES;
    w->run = skep_load_le32(ix);
    w->max_len = c->n_values;
    w->skip = (uint64_t)skep_load_le32(ix + 4) + first % SKEP_CODEC_BLOCK;
    w->n = w->k = 0;
    return SKEP_OK;
}

static skep_rc fetch(struct walk *w, uint32_t wanted)
{
    if (w->run >= w->cur.runs)
        return SKEP_ECORRUPT;
    uint32_t take = SKEP_MIN(w->cur.runs - w->run, SKEP_MIN((uint32_t)STEP, wanted));
    SKEP_TRY(skep_codec__for_get32(&w->cur.lengths, w->run, take, w->lengths));
    SKEP_TRY(skep_codec__for_get(&w->cur.values, w->run, take, w->values));
    w->run += take;
    w->n = take;
    w->k = 0;
    return SKEP_OK;
}

/* The next run, cut to at most `left` > 0 values: at least one, with its value. */
static inline skep_rc next_run(struct walk *w, uint32_t left, uint32_t *ret_len, int64_t *ret_value)
{
    for (;;) {
        if (w->k == w->n)
            SKEP_TRY(fetch(w, SKEP_MAX(left / 4, 16u)));
        uint32_t len = w->lengths[w->k];
        int64_t value = w->values[w->k++];
        if (len == 0 || len > w->max_len)
            return SKEP_ECORRUPT;
        if (w->skip >= len) {
            w->skip -= len;
            continue;
        }
        len -= (uint32_t)w->skip;
        w->skip = 0;
        *ret_len = SKEP_MIN(len, left);
        *ret_value = value;
        return SKEP_OK;
    }
}

static skep_rc decode(const struct skep_codec_chunk *c, uint32_t first, uint32_t n, int64_t *out)
{
    SKEP_UNINIT struct walk w;
    SKEP_TRY(walk_from(c, first, n, &w));
    while (n > 0) {
        uint32_t len = 0;
        int64_t value = 0;
        SKEP_TRY(next_run(&w, n, &len, &value));
        for (uint32_t i = 0; i < len; i++)
            out[i] = value;
        out += len;
        n -= len;
    }
    return SKEP_OK;
}

static skep_rc decode32(const struct skep_codec_chunk *c, uint32_t first, uint32_t n, uint32_t *out)
{
    SKEP_UNINIT struct walk w;
    SKEP_TRY(walk_from(c, first, n, &w));
    while (n > 0) {
        uint32_t len = 0;
        int64_t value = 0;
        SKEP_TRY(next_run(&w, n, &len, &value));
        if ((uint64_t)value > UINT32_MAX)
            return SKEP_ECORRUPT;
        for (uint32_t i = 0; i < len; i++)
            out[i] = (uint32_t)value;
        out += len;
        n -= len;
    }
    return SKEP_OK;
}

static SKEP_WRAPS skep_rc tally(const struct skep_codec_chunk *c, uint32_t first, uint32_t n,
                                int64_t low, uint32_t *counts, uint32_t n_counts)
{
    SKEP_UNINIT struct walk w;
    SKEP_TRY(walk_from(c, first, n, &w));
    while (n > 0) {
        uint32_t len = 0;
        int64_t value = 0;
        SKEP_TRY(next_run(&w, n, &len, &value));
        uint64_t at = (uint64_t)value - (uint64_t)low;
        if (at >= n_counts)
            return SKEP_ECORRUPT;
        counts[at] += len;
        n -= len;
    }
    return SKEP_OK;
}

/* Has none of the runs that [first, first + n) lies in a value in [lo, hi]?  Looks at the values
 * alone; false also when it cannot say. */
static bool runs_miss(const struct skep_codec_chunk *c, const struct cursor *cur, uint32_t first,
                      uint32_t n, int64_t lo, int64_t hi)
{
    SKEP_UNINIT uint32_t values[STEP];
    uint32_t last = (first + n - 1) / SKEP_CODEC_BLOCK + 1;
    const uint8_t *ix = c->p + HEADER_BYTES;
    uint32_t run = skep_load_le32(ix + (size_t)(first / SKEP_CODEC_BLOCK) * INDEX_BYTES);
    uint32_t end = (uint64_t)last * SKEP_CODEC_BLOCK < c->n_values
                       ? skep_load_le32(ix + (size_t)last * INDEX_BYTES)
                       : cur->runs - 1;
    if (lo < 0 || lo > UINT32_MAX || end >= cur->runs || run > end)
        return false;
    uint32_t top = (uint32_t)SKEP_MIN(hi, (int64_t)UINT32_MAX);
    for (; run <= end; run += STEP) {
        uint64_t in[STEP / 64], any = 0;
        uint32_t take = SKEP_MIN(end + 1 - run, (uint32_t)STEP);
        if (skep_codec__for_get32(&cur->values, run, take, values) != SKEP_OK)
            return false;
        skep_codec__bits_between32(values, take, (uint32_t)lo, top, in);
        for (uint32_t w = 0; w < (take + 63) / 64; w++)
            any |= in[w];
        if (any)
            return false;
    }
    return true;
}

static skep_rc between(const struct skep_codec_chunk *c, uint32_t first, uint32_t n, int64_t lo,
                       int64_t hi, uint64_t *bits)
{
    SKEP_UNINIT struct walk w;
    SKEP_TRY(walk_from(c, first, n, &w));
    memset(bits, 0, ((size_t)n + 63) / 64 * 8);
    if (n > 0 && runs_miss(c, &w.cur, first, n, lo, hi))
        return SKEP_OK;
    for (uint32_t at = 0; at < n;) {
        uint32_t len = 0;
        int64_t value = 0;
        SKEP_TRY(next_run(&w, n - at, &len, &value));
        if (value >= lo && value <= hi)
            skep_codec__set_bits(bits, at, len);
        at += len;
    }
    return SKEP_OK;
}

const struct skep_codec_ops skep_codec_rle = {
    .name = "rle",
    .id = SKEP_CODEC_RLE,
    .kind = SKEP_CODEC_INTS,
    .score = score,
    .encode = encode,
    .decode = decode,
    .decode32 = decode32,
    .tally = tally,
    .between = between,
};
