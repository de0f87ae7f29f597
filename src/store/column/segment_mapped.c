// SPDX-License-Identifier: Apache-2.0
/* Columns that follow another one, read: the base's codes are unpacked and looked up in a small
 * table; what a filter asks is asked of the table first.
 *
 * I1  x is held against the table's size before it is used; codes against the dictionary's.
 * Threads: one. */
#include "store/column/segment_mapped.h"

#include "base/assert.h"
#include "base/mem.h"

skep_rc skep_mapped_open(struct skep_segment *seg, uint32_t group, const struct skep_group_dir *dir,
                         const struct skep_codec_chunk *c, struct skep_mapped **ret, skep_err *err)
{
    struct skep_mapped *m = skep_alloc(struct skep_mapped);
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
    uint32_t shift;
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
    SKEP_TRY(read_base(m, first, n, &shift));
    bool ok = look_up_codes(m->scratch, n, m->codes + shift, m->mask, m->map.m - shift, out);
    return ok ? SKEP_OK : SKEP_ECORRUPT;
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
}

skep_rc skep_mapped_between(struct skep_mapped *m, uint32_t first, uint32_t n, int64_t lo,
                            int64_t hi, uint64_t *bits)
{
    uint32_t shift;
    if (m->map.n_exceptions > 0) {
        int64_t v[SKEP_BLOCK_ROWS];
        SKEP_TRY(skep_mapped_ints(m, first, n, v));
        skep_codec__bits_between(v, n, lo, hi, bits);
        return SKEP_OK;
    }
    choose(m, lo, hi);
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
