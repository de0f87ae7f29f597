// SPDX-License-Identifier: Apache-2.0
/* Base columns and packed presence, read (segment_derive.c writes them).
 *
 * A base is a column with codes or small integers of its own; x of a row is its code + 1, or 0
 * where the base has no value.
 *
 *   presence ROWS: chunk of        u32 n, u32 1 = the rows listed are the absent ones,
 *                                  frame of reference of n: row minus the row listed before minus 1
 *                                  (the first: the row)
 *   presence CODES: chunk of       u32 key of the base, u32 m, (m + 7) / 8 bytes: bit x says
 * whether rows with that x have a value
 *
 * Either is expanded once to a bitmap, which the cache keeps.
 *
 * I1  every x is below the table's size, or the file is damaged.
 * I2  presence of a base for presence is not CODES; values of a base are not mapped: depth is at
 *     most three.
 * I3  the way a presence is expanded changes nothing but the time it takes.
 * Threads: any. */
#include "store/column/segment_base.h"

#include "base/assert.h"
#include "base/mem.h"
#include "store/column/segment_write.h"

static bool can_be_base(uint32_t key, const struct skep_column_entry *e, bool deep)
{
    if (key == SKEP_COL_TRACE_ID || key == SKEP_COL_SPAN_ID || key == SKEP_COL_PARENT_ID)
        return false;
    return e->presence != SKEP_PRESENCE_NONE && (deep || e->presence != SKEP_PRESENCE_CODES) &&
           !(e->flags & (SKEP_ENTRY_PARTS | SKEP_ENTRY_ZONES | SKEP_ENTRY_ZONES_PACKED));
}

skep_rc skep_base_open(struct skep_segment *seg, uint32_t group, const struct skep_group_dir *dir,
                       uint32_t key, uint32_t m, bool deep, struct skep_base *ret, skep_err *err)
{
    const struct skep_column_entry *e = skep_segment__find_entry(dir, key);
    if (!e || !can_be_base(key, e, deep))
        return skep_segment__corrupt(seg, err, seg->groups[group].offset, "a column's base");
    *ret = (struct skep_base){.entry = e, .codec = skep_codec_find(e->codec), .key = key, .m = m};
    if (!ret->codec || ret->codec->kind != SKEP_CODEC_INTS)
        return skep_segment__corrupt(seg, err, e->data.offset, "codec of a column's base");
    SKEP_TRY(skep_segment__pin_chunk(seg, &e->data, &ret->data, err));
    ret->chunk = (struct skep_codec_chunk){ret->data->bytes, ret->data->length, e->n_present};
    skep_rc rc = skep_segment__open_presence(seg, group, dir, e, &ret->presence, err);
    if (rc != SKEP_OK)
        skep_base_close(seg, ret);
    return rc;
}

void skep_base_close(struct skep_segment *seg, struct skep_base *b)
{
    skep_segment__unpin(seg, b->data);
    skep_segment__unpin(seg, b->presence.pin);
    b->data = NULL;
    b->presence.pin = NULL;
}

/* Presence of 64 rows from `row` on; those behind the last word have none. */
static uint64_t present_word(const struct skep_presence_map *presence, uint32_t row)
{
    const uint8_t *at = presence->bits + (size_t)(row / 64) * 8; /* padded */
    uint64_t word = skep_load_le64(at) >> (row % 64);
    return row % 64 ? word | skep_load_le64(at + 8) << (64 - row % 64) : word;
}

/* packed[present rows] is readable. */
static void spread(const struct skep_presence_map *presence, const int64_t *packed, uint32_t first,
                   uint32_t n, int64_t *x)
{
    uint32_t k = 0;
    for (uint32_t row = 0; row < n; row += 64) {
        uint64_t word = present_word(presence, first + row);
        for (uint32_t i = 0; i < SKEP_MIN(n - row, 64u); i++) {
            uint32_t has = (uint32_t)(word >> i & 1);
            x[row + i] = (packed[k] + 1) & -(int64_t)has;
            k += has;
        }
    }
}

/* Is any of v[n], as unsigned, at or over the limit? */
SKEP_CLONES static bool any_over(const int64_t *v, uint32_t n, uint64_t limit)
{
    uint64_t over = 0;
    for (uint32_t i = 0; i < n; i++)
        over |= (uint64_t)v[i] >= limit;
    return over != 0;
}

skep_rc skep_base_codes(const struct skep_base *b, uint32_t first, uint32_t n, int64_t *codes)
{
    skep_assert(skep_base_full(b));
    return b->codec->decode(&b->chunk, first, n, codes);
}

skep_rc skep_base_codes32(const struct skep_base *b, uint32_t first, uint32_t n, uint32_t *codes)
{
    skep_assert(skep_base_full(b));
    return skep_codec_decode32(b->codec, &b->chunk, first, n, codes);
}

skep_rc skep_base_read(const struct skep_base *b, uint32_t first, uint32_t n, int64_t *x)
{
    skep_assert(n > 0 && n <= SKEP_BLOCK_ROWS);
    if (!b->presence.bits) {
        SKEP_TRY(b->codec->decode(&b->chunk, first, n, x));
        if (any_over(x, n, b->m - 1))
            return SKEP_ECORRUPT;
        for (uint32_t i = 0; i < n; i++)
            x[i]++;
        return SKEP_OK;
    }
    int64_t packed[SKEP_BLOCK_ROWS + 1];
    uint32_t from = skep_presence__rank(&b->presence, first);
    uint32_t count = skep_presence__rank(&b->presence, first + n) - from;
    if (count > 0)
        SKEP_TRY(b->codec->decode(&b->chunk, from, count, packed));
    if (any_over(packed, count, b->m - 1))
        return SKEP_ECORRUPT;
    packed[count] = 0;
    spread(&b->presence, packed, first, n, x);
    return SKEP_OK;
}

skep_rc skep_base_shows(struct skep_segment *seg, const struct skep_base *b,
                        const struct skep_column_entry *e, struct skep_base_shown *ret,
                        skep_err *err)
{
    const struct skep_column_entry *own = b->entry;
    *ret = (struct skep_base_shown){.known = e->presence == SKEP_PRESENCE_ALL};
    if (e->presence >= SKEP_PRESENCE_BITMAP && e->presence == own->presence &&
        e->bitmap.offset == own->bitmap.offset) {
        ret->known = true; /* the rows that the base has */
        ret->from = 1;
    } else if (e->presence == SKEP_PRESENCE_CODES) {
        const struct skep_chunk_data *d;
        SKEP_TRY(skep_segment__pin_chunk(seg, &e->bitmap, &d, err));
        uint32_t m = d->length >= 8 ? skep_load_le32(d->bytes + 4) : 0;
        ret->known = m >= b->m && d->length == 8 + ((uint64_t)m + 7) / 8 &&
                     skep_load_le32(d->bytes) == b->key;
        ret->bits = d->bytes + 8;
        ret->pin = d;
        if (!ret->known) {
            skep_segment__unpin(seg, d);
            *ret = (struct skep_base_shown){.known = false};
        }
    }
    return SKEP_OK;
}

/* --- packed presence --- */

/* Where so many columns may want it, a list of rows for each code pays (I3). */
enum { MANY_COLUMNS = 256, FEW_SHARE = 16 };

struct expand {
    struct skep_segment *seg;
    const struct skep_group_dir *dir;
    const struct skep_column_entry *e;
    uint32_t group, n_rows;
};

static skep_rc expand_rows(const struct expand *x, const struct skep_chunk_data *d, uint64_t *words)
{
    if (d->length < 8)
        return SKEP_ECORRUPT;
    uint32_t n = skep_load_le32(d->bytes), absent = skep_load_le32(d->bytes + 4);
    if (n == 0 || n > x->n_rows || absent > 1)
        return SKEP_ECORRUPT;
    struct skep_codec_chunk c = {d->bytes + 8, d->length - 8, n};
    int64_t steps[SKEP_CODEC_BLOCK];
    uint64_t row = UINT64_MAX; /* one before 0 */
    for (uint32_t at = 0; at < n; at += SKEP_CODEC_BLOCK) {
        uint32_t take = SKEP_MIN(n - at, (uint32_t)SKEP_CODEC_BLOCK);
        SKEP_TRY(skep_codec__for_get(&c, at, take, steps));
        for (uint32_t i = 0; i < take; i++) {
            if ((uint64_t)steps[i] >= x->n_rows)
                return SKEP_ECORRUPT;
            row = row + 1 + (uint64_t)steps[i];
            if (row >= x->n_rows)
                return SKEP_ECORRUPT;
            words[row / 64] |= 1ull << (row % 64);
        }
    }
    for (uint32_t k = 0; absent && k < (x->n_rows + 63) / 64; k++)
        words[k] = ~words[k];
    if (absent && x->n_rows % 64)
        words[x->n_rows / 64] &= (1ull << (x->n_rows % 64)) - 1;
    return SKEP_OK;
}

/* Bit i of the words says has[x[i]]. */
static void gather_bits(const uint8_t *has, const int64_t *x, uint32_t n, uint64_t *words)
{
    for (uint32_t at = 0; at < n; at += 64) {
        uint64_t word = 0;
        for (uint32_t i = 0; i < SKEP_MIN(n - at, 64u); i++)
            word |= (uint64_t)has[x[at + i]] << i;
        words[at / 64] = word;
    }
}

/* Bit i says whether has[codes[i]] is not 0, 64 of them; codes are below 2^16. */
SKEP_CLONES static uint64_t look_up64(const uint32_t *has, const uint32_t *codes)
{
    uint32_t low = 0, high = 0;
    for (uint32_t i = 0; i < 32; i++)
        low |= has[codes[i]] << i;
    for (uint32_t i = 0; i < 32; i++)
        high |= has[codes[32 + i]] << i;
    return (uint64_t)high << 32 | low;
}

SKEP_CLONES static uint32_t highest(const uint32_t *v, uint32_t n)
{
    uint32_t top = 0;
    for (uint32_t i = 0; i < n; i++)
        top = SKEP_MAX(top, v[i]);
    return top;
}

/* A block of a base with a code in every row; has[code]. */
static skep_rc gather_codes(const struct skep_base *base, const uint32_t *has, uint32_t row,
                            uint32_t n, uint64_t *words)
{
    SKEP_UNINIT uint32_t codes[SKEP_BLOCK_ROWS];
    SKEP_TRY(skep_base_codes32(base, row, n, codes));
    if (highest(codes, n) + 1 >= base->m)
        return SKEP_ECORRUPT;
    memset(codes + n, 0, (SKEP_BLOCK_ROWS - n) * sizeof *codes);
    for (uint32_t at = 0; at < n; at += 64)
        words[at / 64] = look_up64(has, codes + at);
    if (n % 64)
        words[n / 64] &= (1ull << (n % 64)) - 1;
    return SKEP_OK;
}

/* Of few rows: the lists of their x. */
static skep_rc expand_lists(const struct expand *x, const struct skep_base *base,
                            const uint8_t *bits, uint64_t *words, skep_err *err)
{
    const struct skep_base_rows *lists;
    SKEP_TRY(skep_segment__pin_rows(x->seg, base, x->n_rows, &lists, err));
    for (uint32_t i = 0; i < lists->m; i++) {
        if (!(bits[i / 8] >> (i % 8) & 1))
            continue;
        for (uint32_t k = lists->first[i]; k < lists->first[i + 1]; k++)
            words[lists->rows[k] / 64] |= 1ull << (lists->rows[k] % 64);
    }
    skep_segment__unpin(x->seg, lists);
    return SKEP_OK;
}

/* Of many rows: x of each. */
static skep_rc expand_each(const struct expand *x, const struct skep_base *base,
                           const uint8_t *bits, uint64_t *words)
{
    int64_t codes[SKEP_BLOCK_ROWS];
    skep_rc rc = SKEP_OK;
    uint8_t *has = skep_malloc(base->m);
    uint32_t *has32 = skep_alloc_n(uint32_t, base->m);
    for (uint32_t i = 0; i < base->m; i++)
        has[i] = bits[i / 8] >> (i % 8) & 1;
    for (uint32_t i = 1; i < base->m; i++)
        has32[i - 1] = has[i];
    for (uint32_t row = 0; row < x->n_rows && rc == SKEP_OK; row += SKEP_BLOCK_ROWS) {
        uint32_t n = SKEP_MIN(x->n_rows - row, (uint32_t)SKEP_BLOCK_ROWS);
        if (skep_base_full(base)) {
            rc = gather_codes(base, has32, row, n, words + row / 64);
            continue;
        }
        rc = skep_base_read(base, row, n, codes);
        if (rc == SKEP_OK)
            gather_bits(has, codes, n, words + row / 64);
    }
    skep_free(has32);
    skep_free(has);
    return rc;
}

static skep_rc expand_codes(const struct expand *x, const struct skep_chunk_data *d,
                            uint64_t *words, skep_err *err)
{
    uint32_t m = d->length >= 8 ? skep_load_le32(d->bytes + 4) : 0;
    if (m == 0 || m > SKEP_CODEC_MAX_VALUES || d->length != 8 + ((uint64_t)m + 7) / 8)
        return skep_segment__corrupt(x->seg, err, x->e->bitmap.offset, "presence by codes");
    struct skep_base base;
    SKEP_TRY(
        skep_base_open(x->seg, x->group, x->dir, skep_load_le32(d->bytes), m, false, &base, err));
    skep_rc rc;
    if (x->dir->n_entries >= MANY_COLUMNS && x->e->n_present <= x->n_rows / FEW_SHARE)
        rc = expand_lists(x, &base, d->bytes + 8, words, err);
    else if ((rc = expand_each(x, &base, d->bytes + 8, words)) != SKEP_OK)
        rc = skep_segment__corrupt(x->seg, err, base.entry->data.offset, "codes of a base");
    skep_base_close(x->seg, &base);
    return rc;
}

skep_rc skep_segment__expand_presence(struct skep_segment *seg, uint32_t group,
                                      const struct skep_group_dir *dir,
                                      const struct skep_column_entry *e, uint64_t *words,
                                      skep_err *err)
{
    struct expand x = {seg, dir, e, group, dir->n_rows};
    const struct skep_chunk_data *d;
    SKEP_TRY(skep_segment__pin_chunk(seg, &e->bitmap, &d, err));
    skep_rc rc;
    if (e->presence == SKEP_PRESENCE_CODES)
        rc = expand_codes(&x, d, words, err);
    else if ((rc = expand_rows(&x, d, words)) != SKEP_OK)
        rc = skep_segment__corrupt(seg, err, e->bitmap.offset, "presence by rows");
    skep_segment__unpin(seg, d);
    return rc;
}
