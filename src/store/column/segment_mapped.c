// SPDX-License-Identifier: Apache-2.0
/* Columns that follow another one, read: the base's codes are unpacked and looked up in a small
 * table; what a filter asks is asked of the table first.
 *
 * I1  x is held against the table's size before it is used; codes against the dictionary's.
 * Threads: one. */
#include "store/column/segment_mapped.h"

#include "base/assert.h"
#include "base/mem.h"

#include <limits.h>

enum { PACKED_ROWS = 128 }; /* fewer are looked up */

skep_rc skep_mapped_open(struct skep_segment *seg, uint32_t group, const struct skep_group_dir *dir,
                         const struct skep_codec_chunk *c, struct skep_mapped **ret, skep_err *err)
{
    struct skep_mapped *m = skep_malloc(sizeof *m);
    memset(m, 0, offsetof(struct skep_mapped, scratch));
    skep_rc rc = skep_map_open(c->p, c->n, dir->n_rows, &m->map);
    *ret = NULL;
    if (rc == SKEP_OK) {
        for (m->mask = 1; m->mask < m->map.m; m->mask *= 2)
            ;
        m->table = skep_alloc_n(int64_t, m->mask + 1);
        m->mask--;
        rc = skep_map_table(&m->map, m->table);
    }
    if (rc != SKEP_OK)
        rc = skep_segment__corrupt(seg, err, seg->groups[group].offset, "a mapped column");
    else
        rc = skep_base_open(seg, group, dir, m->map.base_key, m->map.m, true, &m->base, err);
    if (rc != SKEP_OK) {
        skep_free(m->table);
        skep_free(m);
        return rc;
    }
    *ret = m;
    return SKEP_OK;
}

void skep_mapped_close(struct skep_segment *seg, struct skep_mapped *m)
{
    if (!m)
        return;
    skep_base_close(seg, &m->base);
    skep_free(m->table);
    skep_free(m->codes);
    skep_free(m->chosen);
    skep_free(m);
}

/* What is to be looked up, into m->scratch; *ret_shift is 1 when it is x - 1. */
static skep_rc read_base(struct skep_mapped *m, uint32_t first, uint32_t n, uint32_t *ret_shift)
{
    *ret_shift = skep_base_full(&m->base);
    return *ret_shift ? skep_base_codes(&m->base, first, n, m->scratch)
                      : skep_base_read(&m->base, first, n, m->scratch);
}

/* table[x] of each, where x may be anything; returns whether all are below the limit. */
SKEP_CLONES static bool look_up(const int64_t *x, uint32_t n, const int64_t *table, uint32_t mask,
                                uint64_t limit, int64_t *out)
{
    uint64_t over = 0;
    for (uint32_t i = 0; i < n; i++) {
        over |= (uint64_t)x[i] >= limit;
        out[i] = table[(uint64_t)x[i] & mask];
    }
    return over == 0;
}

SKEP_CLONES static bool look_up_codes(const int64_t *x, uint32_t n, const uint32_t *table,
                                      uint32_t mask, uint64_t limit, uint32_t *out)
{
    uint64_t over = 0;
    for (uint32_t i = 0; i < n; i++) {
        over |= (uint64_t)x[i] >= limit;
        out[i] = table[(uint64_t)x[i] & mask];
    }
    return over == 0;
}

/* The same in place. */
SKEP_CLONES static bool replace_codes(uint32_t *x, uint32_t n, const uint32_t *restrict table,
                                      uint32_t mask, uint64_t limit)
{
    uint32_t top = 0;
    for (uint32_t i = 0; i < n; i++) {
        top = SKEP_MAX(top, x[i]);
        x[i] = table[x[i] & mask];
    }
    return n == 0 || top < limit;
}

skep_rc skep_mapped_ints(struct skep_mapped *m, uint32_t first, uint32_t n, int64_t *out)
{
    uint32_t shift;
    SKEP_TRY(read_base(m, first, n, &shift));
    if (!look_up(m->scratch, n, m->table + shift, m->mask, m->map.m - shift, out))
        return SKEP_ECORRUPT;
    return skep_map_patch(&m->map, first, n, out);
}

/* Is any of v[n], as unsigned, at or over the limit? */
static bool any_over(const int64_t *v, uint32_t n, uint64_t limit)
{
    uint64_t over = 0;
    for (uint32_t i = 0; i < n; i++)
        over |= (uint64_t)v[i] >= limit;
    return over != 0;
}

static skep_rc make_codes(struct skep_mapped *m, uint32_t n_codes)
{
    if (any_over(m->table, m->map.m, n_codes))
        return SKEP_ECORRUPT;
    m->codes = skep_alloc_n(uint32_t, m->mask + 2);
    for (uint32_t i = 0; i < m->map.m; i++)
        m->codes[i] = (uint32_t)m->table[i];
    return SKEP_OK;
}

skep_rc skep_mapped_codes(struct skep_mapped *m, uint32_t first, uint32_t n, uint32_t n_codes,
                          uint32_t *out)
{
    if (m->map.n_exceptions > 0) {
        int64_t v[SKEP_BLOCK_ROWS];
        SKEP_TRY(skep_mapped_ints(m, first, n, v));
        if (any_over(v, n, n_codes))
            return SKEP_ECORRUPT;
        for (uint32_t i = 0; i < n; i++)
            out[i] = (uint32_t)v[i];
        return SKEP_OK;
    }
    if (!m->codes)
        SKEP_TRY(make_codes(m, n_codes));
    if (skep_base_full(&m->base)) {
        SKEP_TRY(skep_base_codes32(&m->base, first, n, out));
        bool all = replace_codes(out, n, m->codes + 1, m->mask, m->map.m - 1);
        return all ? SKEP_OK : SKEP_ECORRUPT;
    }
    SKEP_TRY(skep_base_read(&m->base, first, n, m->scratch));
    bool ok = look_up_codes(m->scratch, n, m->codes, m->mask, m->map.m, out);
    return ok ? SKEP_OK : SKEP_ECORRUPT;
}

SKEP_WRAPS skep_rc skep_mapped_tally(const struct skep_mapped *m,
                                     const struct skep_base_counts *base,
                                     const struct skep_base_shown *shown,
                                     const struct skep_coded *coded, uint32_t n_present,
                                     uint32_t *counts)
{
    uint64_t sum = 0;
    skep_assert(m->map.n_exceptions == 0);
    if (base->n > m->map.m || m->map.m > m->base.m)
        return SKEP_ECORRUPT;
    for (uint32_t x = shown->from; x < base->n; x++) {
        if (base->rows[x] == 0 || (shown->bits && !(shown->bits[x / 8] >> (x % 8) & 1)))
            continue;
        uint64_t code = (uint64_t)m->table[x] - (uint64_t)coded->low;
        if (code >= coded->n)
            return SKEP_ECORRUPT;
        counts[code] += base->rows[x];
        sum += base->rows[x];
    }
    return sum == n_present ? SKEP_OK : SKEP_ECORRUPT;
}

/* Which codes (x - 1) have a value in the range, as runs; not for x = 0. */
static void find_runs(struct skep_mapped *m)
{
    m->n_runs = 0;
    for (uint32_t x = 1; x < m->map.m; x++) {
        if (!m->chosen[x])
            continue;
        if (x > 1 && m->chosen[x - 1]) {
            m->runs[m->n_runs - 1].last = x - 1;
            continue;
        }
        if (m->n_runs == SKEP_MAPPED_RUNS) {
            m->n_runs = UINT_MAX;
            return;
        }
        m->runs[m->n_runs++] = (struct skep_mapped_run){x - 1, x - 1};
    }
}

/* Which x have a value in the range. */
static void choose(struct skep_mapped *m, int64_t lo, int64_t hi)
{
    if (m->chosen && m->lo == lo && m->hi == hi)
        return;
    if (!m->chosen)
        m->chosen = skep_alloc_n(uint8_t, m->mask + 2);
    for (uint32_t i = 0; i < m->map.m; i++)
        m->chosen[i] = m->table[i] >= lo && m->table[i] <= hi;
    m->lo = lo;
    m->hi = hi;
    find_runs(m);
}

static skep_rc base_between(const struct skep_base *b, uint32_t first, uint32_t n, int64_t lo,
                            int64_t hi, uint64_t *bits)
{
    return skep_codec_between(b->codec, &b->chunk, first, n, lo, hi, bits);
}

/* I1: once a block. */
static skep_rc check_codes(struct skep_mapped *m, uint32_t first, uint32_t n)
{
    uint64_t in[SKEP_BLOCK_ROWS / 64] = {0};
    uint32_t start = first / SKEP_BLOCK_ROWS * SKEP_BLOCK_ROWS, good = 0;
    if (first + n > m->base.chunk.n_values)
        return SKEP_ECORRUPT;
    uint32_t rows = SKEP_MIN(m->base.chunk.n_values - start, (uint32_t)SKEP_BLOCK_ROWS);
    if (m->sound >> (start / SKEP_BLOCK_ROWS) & 1)
        return SKEP_OK;
    SKEP_TRY(base_between(&m->base, start, rows, 0, (int64_t)m->map.m - 2, in));
    for (uint32_t w = 0; w < (rows + 63) / 64; w++)
        good += SKEP_POPCOUNT64(in[w]);
    if (good < rows)
        return SKEP_ECORRUPT;
    m->sound |= 1ull << (start / SKEP_BLOCK_ROWS);
    return SKEP_OK;
}

/* Where the base has a code in every row, packed codes are compared with each run. */
static skep_rc runs_between(struct skep_mapped *m, uint32_t first, uint32_t n, uint64_t *bits)
{
    SKEP_TRY(check_codes(m, first, n));
    memset(bits, 0, (n + 63) / 64 * sizeof *bits);
    for (unsigned i = 0; i < m->n_runs; i++) {
        uint64_t some[SKEP_BLOCK_ROWS / 64];
        SKEP_TRY(base_between(&m->base, first, n, m->runs[i].first, m->runs[i].last, some));
        for (uint32_t w = 0; w < (n + 63) / 64; w++)
            bits[w] |= some[w];
    }
    return SKEP_OK;
}

static skep_rc looked_up(struct skep_mapped *m, uint32_t first, uint32_t n, uint64_t *bits)
{
    uint32_t shift;
    SKEP_TRY(read_base(m, first, n, &shift));
    const uint8_t *chosen = m->chosen + shift;
    const int64_t *x = m->scratch;
    uint64_t over = 0, limit = m->map.m - shift;
    for (uint32_t at = 0; at < n; at += 64) {
        uint64_t word = 0;
        for (uint32_t i = 0; i < SKEP_MIN(n - at, 64u); i++) {
            over |= (uint64_t)x[at + i] >= limit;
            word |= (uint64_t)chosen[(uint64_t)x[at + i] & m->mask] << i;
        }
        bits[at / 64] = word;
    }
    return over ? SKEP_ECORRUPT : SKEP_OK;
}

skep_rc skep_mapped_between(struct skep_mapped *m, uint32_t first, uint32_t n, int64_t lo,
                            int64_t hi, uint64_t *bits)
{
    choose(m, lo, hi);
    bool packed = n >= PACKED_ROWS && skep_base_full(&m->base) && m->n_runs <= SKEP_MAPPED_RUNS;
    SKEP_TRY((packed ? runs_between : looked_up)(m, first, n, bits));
    return skep_map_patch_between(&m->map, first, n, lo, hi, bits);
}
