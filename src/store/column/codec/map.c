// SPDX-License-Identifier: Apache-2.0
/* A column as a function of another one in the same row: the route of a span follows from its name,
 * the service from the resource, the port from the peer; what disagrees stands in a list.
 *
 *   0   u32  key of the base column
 *   4   u32  m, entries of the table, 1..65,536; entry 0 is for rows where the base has no value
 *   8   u32  bytes of the table
 *   12  u32  exceptions e
 *   16  table: m values, frame of reference (for.c)
 *   where e > 0:
 *   ..  u32  exceptions before each block of 1,024 rows, ceil(rows / 1024) of them
 *   ..  u32  bytes of the places
 *   ..  places of the exceptions: row modulo 1,024, ascending in a block; frame of reference
 *   ..  values of the exceptions, frame of reference
 *
 * The table is found by one pass where no value disagrees, else by a majority vote an x (Boyer and
 * Moore).  A look at the first rows keeps columns that have nothing to do with each other cheap.
 *
 * I1  table[x] of an x that no present row has is some value that occurs (codes stay in range).
 * Threads: any. */
#include "store/column/codec/map.h"

#include "base/assert.h"
#include "base/mem.h"

enum {
    HEADER_BYTES = 16,
    SAMPLE = 256,
    SAMPLE_MISSES = SAMPLE / 8,
    EXCEPTIONS_SHARE = 16,
    STEP = 256
};

struct vote {
    int64_t value;
    int32_t lead; /* -1 = nothing seen */
};

/* Rows of a bitmap word after word: `row` is the next present one, `k` counts them. */
#define EACH_ROW(in, row, k)                                                                       \
    for (uint32_t word_ = 0, k = 0; word_ < ((in)->n_rows + 63) / 64; word_++)                     \
        for (uint64_t m_ = (in)->bitmap[word_]; m_; m_ &= m_ - 1, k++)                             \
            for (uint32_t row = word_ * 64 + SKEP_CTZ64(m_), once_ = 1; once_; once_ = 0)

static bool sample_agrees(const struct skep_map_in *in, struct vote *votes)
{
    uint32_t misses = 0, seen = 0;
    bool ok = true;
    for (uint32_t word = 0; word < (in->n_rows + 63) / 64 && seen < SAMPLE && ok; word++) {
        for (uint64_t m = in->bitmap[word]; m; m &= m - 1, seen++) {
            struct vote *v = &votes[in->x[word * 64 + SKEP_CTZ64(m)]];
            misses += v->lead >= 0 && v->value != in->v[seen];
            *v = (struct vote){in->v[seen], 0};
        }
        ok = misses <= SAMPLE_MISSES;
    }
    return ok;
}

/* One pass that takes the first value of each x for its value; returns how many others there are,
 * or more than `most` as soon as there are. */
static uint32_t take_first(const struct skep_map_in *in, struct vote *votes, uint32_t most)
{
    uint32_t misses = 0, k = 0;
    for (uint32_t row = 0; row < in->n_rows && misses <= most; row += 64) {
        uint64_t m = in->bitmap[row / 64];
        const uint16_t *x = in->x + row;
        bool full = m == UINT64_MAX;
        for (uint32_t i = 0; full ? i < 64 : m != 0; i++, m &= m - 1, k++) {
            struct vote *v = &votes[x[full ? i : SKEP_CTZ64(m)]];
            if (SKEP_UNLIKELY(v->lead < 0))
                *v = (struct vote){in->v[k], 0};
            misses += v->value != in->v[k];
        }
    }
    return misses;
}

static void forget(const struct skep_map_in *in, struct vote *votes)
{
    for (uint32_t i = 0; i < in->m; i++)
        votes[i].lead = -1;
}

static void elect(const struct skep_map_in *in, struct vote *votes)
{
    forget(in, votes);
    EACH_ROW(in, row, k)
    {
        struct vote *v = &votes[in->x[row]];
        if (v->lead <= 0)
            *v = (struct vote){in->v[k], 1};
        else
            v->lead += v->value == in->v[k] ? 1 : -1;
    }
}

static void make_table(const struct skep_map_in *in, const struct vote *votes, int64_t *table)
{
    for (uint32_t i = 0; i < in->m; i++)
        table[i] = votes[i].lead < 0 ? in->v[0] : votes[i].value;
}

static uint32_t count_exceptions(const struct skep_map_in *in, const int64_t *table)
{
    uint32_t n = 0;
    EACH_ROW(in, row, k)
    n += table[in->x[row]] != in->v[k];
    return n;
}

bool skep_map_try(const struct skep_map_in *in, struct skep_map_fit *ret, bool *ret_looked)
{
    skep_assert(in->n > 0 && in->m > 0 && in->m <= SKEP_CODEC_MAX_VALUES);
    struct vote *votes = skep_malloc(in->m * sizeof *votes);
    forget(in, votes);
    bool ok = sample_agrees(in, votes);
    *ret_looked = ok;
    int64_t *table = NULL;
    uint32_t n = 0;
    if (ok) {
        forget(in, votes);
        n = take_first(in, votes, in->n / 4);
        ok = n <= in->n / 4;
    }
    if (ok) {
        table = skep_malloc(in->m * sizeof *table);
        if (n > 0) { /* the first of an x may be its odd one */
            elect(in, votes);
            make_table(in, votes, table);
            n = count_exceptions(in, table);
        } else {
            make_table(in, votes, table);
        }
        ok = n <= in->n / EXCEPTIONS_SHARE;
    }
    skep_free(votes);
    if (!ok) {
        skep_free(table);
        return false;
    }
    size_t bytes =
        HEADER_BYTES + skep_codec__for_size(table, in->m) + (n ? 300 + (size_t)n * 3 : 0);
    *ret = (struct skep_map_fit){table, in->m, n, bytes};
    return true;
}

void skep_map_fit_done(struct skep_map_fit *fit)
{
    skep_free(fit->table);
    *fit = (struct skep_map_fit){0};
}

static void put_exceptions(const struct skep_map_in *in, const struct skep_map_fit *fit,
                           struct skep_buf *out)
{
    int64_t *rows = skep_malloc((size_t)fit->n_exceptions * 16);
    int64_t *values = rows + fit->n_exceptions;
    uint32_t n = 0, blocks = 0;
    EACH_ROW(in, row, k)
    {
        if (fit->table[in->x[row]] == in->v[k])
            continue;
        for (; blocks <= row / SKEP_CODEC_BLOCK; blocks++)
            skep_buf_u32(out, n);
        rows[n] = row % SKEP_CODEC_BLOCK;
        values[n++] = in->v[k];
    }
    skep_assert(n == fit->n_exceptions);
    for (; blocks < (in->n_rows + SKEP_CODEC_BLOCK - 1) / SKEP_CODEC_BLOCK; blocks++)
        skep_buf_u32(out, n);
    size_t at = out->n;
    skep_buf_u32(out, 0);
    skep_codec__for_put(rows, n, out);
    if (!out->bad)
        skep_store_le32(out->p + at, (uint32_t)(out->n - at - 4));
    skep_codec__for_put(values, n, out);
    skep_free(rows);
}

void skep_map_put(const struct skep_map_in *in, const struct skep_map_fit *fit, uint32_t base_key,
                  struct skep_buf *out)
{
    skep_buf_u32(out, base_key);
    skep_buf_u32(out, fit->m);
    size_t at = out->n;
    skep_buf_u32(out, 0);
    skep_buf_u32(out, fit->n_exceptions);
    skep_codec__for_put(fit->table, fit->m, out);
    if (!out->bad)
        skep_store_le32(out->p + at, (uint32_t)(out->n - at - 8));
    if (fit->n_exceptions)
        put_exceptions(in, fit, out);
}

/* All rows of an x have a value or none of them.  Where few have one it is enough to count these by
 * x, and to hold that against how many rows of it there are. */
static bool counts_agree(const struct skep_map_in *in, uint8_t *bits)
{
    uint32_t *has = skep_alloc_n(uint32_t, in->m);
    bool ok = true;
    EACH_ROW(in, row, k)
    has[in->x[row]]++;
    for (uint32_t i = 0; i < in->m && ok; i++) {
        ok = has[i] == 0 || has[i] == in->n_of[i];
        bits[i / 8] |= (uint8_t)((has[i] > 0) << (i % 8));
    }
    skep_free(has);
    return ok;
}

/* The first row that disagrees ends it, which in a dense column comes soon. */
static bool rows_agree(const struct skep_map_in *in, uint8_t *bits)
{
    /* 0 not seen, 1 absent, 2 present. */
    uint8_t *seen = skep_calloc(in->m, 1);
    bool ok = true;
    for (uint32_t row = 0; row < in->n_rows && ok; row += 64) {
        uint64_t word = in->bitmap[row / 64];
        unsigned both = 0;
        for (uint32_t i = row; i < SKEP_MIN(row + 64, in->n_rows); i++) {
            seen[in->x[i]] |= (uint8_t)(1u << (word >> (i % 64) & 1));
            both |= seen[in->x[i]] == 3;
        }
        ok = !both;
    }
    for (uint32_t i = 0; i < in->m; i++)
        bits[i / 8] |= (uint8_t)((seen[i] == 2) << (i % 8));
    skep_free(seen);
    return ok;
}

bool skep_map_try_presence(const struct skep_map_in *in, uint8_t *bits)
{
    enum { FEW = 16 }; /* one row in so many */
    memset(bits, 0, (in->m + 7) / 8);
    return (in->n <= in->n_rows / FEW ? counts_agree : rows_agree)(in, bits);
}

/* --- reading --- */

skep_rc skep_map_open(const uint8_t *p, size_t n, uint32_t n_rows, struct skep_map *ret)
{
    if (n < HEADER_BYTES)
        return SKEP_ECORRUPT;
    uint32_t m = skep_load_le32(p + 4), len = skep_load_le32(p + 8), e = skep_load_le32(p + 12);
    size_t left = n - HEADER_BYTES;
    if (m == 0 || m > SKEP_CODEC_MAX_VALUES || len > left || e > n_rows)
        return SKEP_ECORRUPT;
    struct skep_map map = {.base_key = skep_load_le32(p),
                           .m = m,
                           .n_rows = n_rows,
                           .n_exceptions = e,
                           .table = {p + HEADER_BYTES, len, m}};
    if (e > 0) {
        size_t index = ((size_t)n_rows + SKEP_CODEC_BLOCK - 1) / SKEP_CODEC_BLOCK * 4 + 4;
        map.index = p + HEADER_BYTES + len;
        left -= len;
        if (left < index)
            return SKEP_ECORRUPT;
        uint32_t rows = skep_load_le32(map.index + index - 4);
        if (rows > left - index)
            return SKEP_ECORRUPT;
        map.rows = (struct skep_codec_chunk){map.index + index, rows, e};
        map.values = (struct skep_codec_chunk){map.index + index + rows, left - index - rows, e};
    }
    *ret = map;
    return SKEP_OK;
}

skep_rc skep_map_table(const struct skep_map *map, int64_t *out)
{
    return skep_codec__for_get(&map->table, 0, map->m, out);
}

/* Where exceptions go: their values, or (bits) whether they lie in [lo, hi]. */
struct patched {
    int64_t *out;
    uint64_t *bits;
    int64_t lo, hi;
};

static void patch_one(const struct patched *p, uint32_t at, int64_t value)
{
    uint64_t bit = 1ull << (at % 64);
    if (p->out)
        p->out[at] = value;
    else if (value >= p->lo && value <= p->hi)
        p->bits[at / 64] |= bit;
    else
        p->bits[at / 64] &= ~bit;
}

static skep_rc patch(const struct skep_map *map, uint32_t first, uint32_t n,
                     const struct patched *p)
{
    skep_assert(n > 0 && first / SKEP_CODEC_BLOCK == (first + n - 1) / SKEP_CODEC_BLOCK);
    if (map->n_exceptions == 0)
        return SKEP_OK;
    uint32_t block = first / SKEP_CODEC_BLOCK, in = first % SKEP_CODEC_BLOCK;
    bool last = (block + 1) * (uint64_t)SKEP_CODEC_BLOCK >= map->n_rows;
    uint32_t from = skep_load_le32(map->index + (size_t)block * 4);
    uint32_t to = last ? map->n_exceptions : skep_load_le32(map->index + (size_t)block * 4 + 4);
    if (from > to || to > map->n_exceptions || to - from > SKEP_CODEC_BLOCK)
        return SKEP_ECORRUPT;
    int64_t rows[STEP], values[STEP];
    while (from < to) {
        uint32_t take = SKEP_MIN(to - from, (uint32_t)STEP);
        SKEP_TRY(skep_codec__for_get(&map->rows, from, take, rows));
        SKEP_TRY(skep_codec__for_get(&map->values, from, take, values));
        for (uint32_t i = 0; i < take; i++)
            if (rows[i] >= in && rows[i] < (int64_t)in + n)
                patch_one(p, (uint32_t)(rows[i] - in), values[i]);
        from += take;
    }
    return SKEP_OK;
}

skep_rc skep_map_patch(const struct skep_map *map, uint32_t first, uint32_t n, int64_t *out)
{
    return patch(map, first, n, &(struct patched){.out = out});
}

skep_rc skep_map_patch_between(const struct skep_map *map, uint32_t first, uint32_t n, int64_t lo,
                               int64_t hi, uint64_t *bits)
{
    return patch(map, first, n, &(struct patched){.bits = bits, .lo = lo, .hi = hi});
}
