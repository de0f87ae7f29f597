// SPDX-License-Identifier: Apache-2.0
/* Shorter ways to an answer than reading a column: from bounds, dictionaries, codes and templates.
 *
 *   zone       bounds of blocks, or of the row group from its directory
 *   maybe      is the string in the filter, in the dictionary, and its code in the block?
 *   lacks      is a text in the filter, or in a string of the dictionary?
 *   equal      rows whose code is that of the string
 *   between    rows of an integer in an interval, compared packed
 *   contains   the dictionary searched once, templates judged once, else strings back to back
 *   some       strings of templates alone are made that are wanted
 *   members    of documents, by what templates say of them
 *   present    rows with a value, by the presence alone
 *   coded      which dictionary, or small integers, a row group has
 *   tally      how often each of its codes: of a column that follows another, by counting that one
 *
 * I1  each gives what reading would give, or says that it cannot (rowset.h); damage is reported by
 *     the read that follows.
 * I2  nothing of the column's data is loaded where the directory or the index of a dictionary
 *     decides.
 *
 * Threads: a reader belongs to one.  Memory: a bit a dictionary entry for contains(). */
#include <float.h>
#include <math.h>

#include "base/assert.h"
#include "base/mem.h"
#include "store/column/segment_filter.h"
#include "store/column/segment_reader.h"

/* A double that is not below v (up) or not above it: beyond 2^53 the conversion may round either
 * way. */
static double int_bound(int64_t v, bool up)
{
    double d = (double)v;
    double slack = fabs(d) < 9007199254740992.0 ? 0 : fabs(d) * DBL_EPSILON;
    return up ? d + slack : d - slack;
}

/* Zones of the blocks that hold rows [first, first + n) of the group. */
static bool zone_bits(struct skep_segment_reader *r, uint32_t first, unsigned n, int64_t *ret_lo,
                      int64_t *ret_hi)
{
    bool f64 = r->form == SKEP_FORM_F64;
    uint32_t from = first / SKEP_BLOCK_ROWS, end = (first + n - 1) / SKEP_BLOCK_ROWS;
    uint32_t blocks = (r->dir->n_rows + SKEP_BLOCK_ROWS - 1) / SKEP_BLOCK_ROWS;
    for (uint32_t k = from; k <= end; k++) {
        int64_t lo, hi;
        if (!skep_segment__zone(r->entry, r->data, blocks, k, &lo, &hi))
            return false;
        double a, b, c, d;
        memcpy(&a, &lo, 8);
        memcpy(&b, ret_lo, 8);
        memcpy(&c, &hi, 8);
        memcpy(&d, ret_hi, 8);
        if (k == from || (f64 ? !(a >= b) : lo < *ret_lo))
            *ret_lo = lo;
        if (k == from || (f64 ? !(c <= d) : hi > *ret_hi))
            *ret_hi = hi;
    }
    return true;
}

bool skep_reader__zone(struct skep_colreader *base, uint64_t row0, unsigned n, double *ret_min,
                       double *ret_max)
{
    struct skep_segment_reader *r = (struct skep_segment_reader *)base;
    skep_assert(n > 0 && row0 + n <= r->seg->base.row_end);
    if (r->form != SKEP_FORM_INT && r->form != SKEP_FORM_F64)
        return false;
    if (skep_reader__look_at(r, (uint32_t)(row0 / SKEP_ROW_GROUP_ROWS), NULL) != SKEP_OK)
        return false;
    const struct skep_column_entry *e = r->entry;
    if (!e || e->presence == SKEP_PRESENCE_NONE ||
        !(e->flags & (SKEP_ENTRY_ZONES | SKEP_ENTRY_ZONES_PACKED)))
        return false;
    int64_t lo = (int64_t)e->min, hi = (int64_t)e->max;
    if (n < r->dir->n_rows) {
        if (skep_reader__enter(r, r->group, NULL) != SKEP_OK ||
            !zone_bits(r, (uint32_t)(row0 % SKEP_ROW_GROUP_ROWS), n, &lo, &hi))
            return false;
    }
    if (r->form == SKEP_FORM_F64) {
        memcpy(ret_min, &lo, 8);
        memcpy(ret_max, &hi, 8);
        return !isnan(*ret_min) && !isnan(*ret_max);
    }
    if (lo > hi) { /* nothing in the block */
        *ret_min = HUGE_VAL;
        *ret_max = -HUGE_VAL;
        return true;
    }
    *ret_min = int_bound(lo, false);
    *ret_max = int_bound(hi, true);
    return true;
}

/* Codes or integers of a column that is dense in the group, without a layout of its own. */
static bool plain_ints(const struct skep_segment_reader *r)
{
    return (r->mapped || (r->codec && r->codec->kind == SKEP_CODEC_INTS)) &&
           (r->form == SKEP_FORM_INT || r->form == SKEP_FORM_STR) && r->n_parts == 0 &&
           r->key != SKEP_COL_SPAN_ID && r->key != SKEP_COL_PARENT_ID;
}

/* Bits of present values to the bits of their rows. */
static uint64_t deposit(uint64_t valid, uint64_t bits)
{
    uint64_t out = 0;
    for (; valid && bits; valid &= valid - 1, bits >>= 1)
        out |= (bits & 1) * (valid & (0 - valid));
    return out;
}

static void spread_bits(const uint64_t *valid, uint32_t n, const uint64_t *packed, uint64_t *bits)
{
    uint32_t k = 0; /* bits taken */
    for (uint32_t w = 0; w < (n + 63) / 64; w++) {
        uint64_t some = packed[k / 64] >> k % 64;
        if (k % 64)
            some |= packed[k / 64 + 1] << (64 - k % 64);
        bits[w] = valid[w] == UINT64_MAX ? some : deposit(valid[w], some);
        k += SKEP_POPCOUNT64(valid[w]);
    }
}

static bool mapped_between(struct skep_segment_reader *r, uint32_t first, unsigned n, int64_t lo,
                           int64_t hi, uint64_t *bits)
{
    if (skep_mapped_between(r->mapped, first, n, lo, hi, bits) != SKEP_OK)
        return false;
    if (r->presence.bits) {
        uint64_t valid[SKEP_BLOCK_ROWS / 64];
        skep_reader__valid(r, first, n, valid);
        for (uint32_t w = 0; w < (n + 63) / 64; w++)
            bits[w] &= valid[w];
    }
    return true;
}

/* Rows of one block whose value (or code) lies in [lo, hi]. */
static bool rows_between(struct skep_segment_reader *r, uint32_t first, unsigned n, int64_t lo,
                         int64_t hi, uint64_t *bits)
{
    if (r->mapped)
        return mapped_between(r, first, n, lo, hi, bits);
    uint32_t rank = skep_presence__rank(&r->presence, first);
    uint32_t count = skep_presence__rank(&r->presence, first + n) - rank;
    uint64_t packed[SKEP_BLOCK_ROWS / 64 + 2] = {0};
    if (count == n)
        return skep_codec_between(r->codec, &r->chunk, rank, n, lo, hi, bits) == SKEP_OK;
    memset(bits, 0, (n + 63) / 64 * sizeof *bits);
    if (count == 0)
        return true;
    if (skep_codec_between(r->codec, &r->chunk, rank, count, lo, hi, packed) != SKEP_OK)
        return false;
    uint64_t valid[SKEP_BLOCK_ROWS / 64];
    skep_reader__valid(r, first, n, valid);
    spread_bits(valid, n, packed, bits);
    return true;
}

bool skep_reader__between(struct skep_colreader *base, uint64_t row0, unsigned n, int64_t lo,
                          int64_t hi, uint64_t *bits)
{
    struct skep_segment_reader *r = (struct skep_segment_reader *)base;
    skep_assert(n > 0 && n <= SKEP_BLOCK_ROWS && row0 + n <= r->seg->base.row_end);
    if (r->form != SKEP_FORM_INT ||
        skep_reader__enter(r, (uint32_t)(row0 / SKEP_ROW_GROUP_ROWS), NULL) != SKEP_OK ||
        r->lists.to)
        return false;
    if (!r->entry || r->entry->presence == SKEP_PRESENCE_NONE) {
        memset(bits, 0, (n + 63) / 64 * sizeof *bits);
        return r->sparse.n == 0 && r->key != SKEP_COL_SPAN_ID;
    }
    return plain_ints(r) &&
           rows_between(r, (uint32_t)(row0 % SKEP_ROW_GROUP_ROWS), n, lo, hi, bits);
}

bool skep_reader__present(struct skep_colreader *base, uint64_t row0, unsigned n, uint64_t *bits)
{
    struct skep_segment_reader *r = (struct skep_segment_reader *)base;
    skep_assert(n > 0 && n <= SKEP_BLOCK_ROWS && row0 + n <= r->seg->base.row_end);
    if (r->key == SKEP_COL_SPAN_ID ||
        skep_reader__enter(r, (uint32_t)(row0 / SKEP_ROW_GROUP_ROWS), NULL) != SKEP_OK ||
        (!r->entry && r->sparse.n > 0))
        return false;
    memset(bits, 0, (n + 63) / 64 * sizeof *bits);
    if (!r->entry || r->entry->presence == SKEP_PRESENCE_NONE)
        return true;
    if (r->presence.bits)
        skep_reader__valid(r, (uint32_t)(row0 % SKEP_ROW_GROUP_ROWS), n, bits);
    else
        skep_codec__set_bits(bits, 0, n);
    return true;
}

/* Integers that lie close together are codes from the lowest one on. */
static bool int_codes(struct skep_segment_reader *r, struct skep_coded *ret)
{
    int64_t lo = (int64_t)r->entry->min, hi = (int64_t)r->entry->max;
    if (r->lists.n != UINT32_MAX) {
        ret->n = r->key == SKEP_COL_RESOURCE ? r->seg->base.resources.n : r->seg->base.scopes.n;
        return true;
    }
    if (!(r->entry->flags & (SKEP_ENTRY_ZONES | SKEP_ENTRY_ZONES_PACKED)) || lo > hi ||
        (uint64_t)hi - (uint64_t)lo >= SKEP_ROW_GROUP_ROWS)
        return false;
    ret->low = lo;
    ret->n = (uint32_t)(hi - lo) + 1;
    return true;
}

bool skep_reader__coded(struct skep_colreader *base, uint64_t row0, struct skep_coded *ret)
{
    struct skep_segment_reader *r = (struct skep_segment_reader *)base;
    *ret = (struct skep_coded){0};
    if (skep_reader__enter(r, (uint32_t)(row0 / SKEP_ROW_GROUP_ROWS), NULL) != SKEP_OK)
        return false;
    if (!r->entry || r->entry->presence == SKEP_PRESENCE_NONE)
        return r->sparse.n == 0 && r->key != SKEP_COL_SPAN_ID;
    if (!plain_ints(r))
        return false;
    if (r->form == SKEP_FORM_INT)
        return int_codes(r, ret);
    if (!r->dict && skep_reader__dict(r, NULL) != SKEP_OK)
        return false;
    ret->dict = r->dict;
    ret->n = r->dict->n;
    return true;
}

/* Of rows inside one block. */
static SKEP_WRAPS bool block_codes(struct skep_segment_reader *r, uint32_t first, uint32_t n,
                                   const struct skep_coded *coded, uint32_t *codes)
{
    if (coded->low == 0)
        return skep_mapped_codes(r->mapped, first, n, coded->n, codes) == SKEP_OK;
    if (skep_mapped_ints(r->mapped, first, n, r->ints) != SKEP_OK)
        return false;
    uint64_t top = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t x = (uint64_t)r->ints[i] - (uint64_t)coded->low;
        top = SKEP_MAX(top, x);
        codes[i] = (uint32_t)x;
    }
    return top < coded->n;
}

/* Row by row. */
static skep_rc tally_rows(struct skep_segment_reader *r, uint32_t first, unsigned n,
                          const struct skep_coded *coded, uint32_t *counts)
{
    uint32_t *codes = skep_reader__wide(r, sizeof(uint32_t));
    uint64_t valid[SKEP_BLOCK_ROWS / 64];
    r->base.spoiled = true;
    for (uint32_t end = first + n; first < end;) {
        uint32_t take = SKEP_MIN(end - first, SKEP_BLOCK_ROWS - first % SKEP_BLOCK_ROWS);
        if (!block_codes(r, first, take, coded, codes))
            return SKEP_ECORRUPT;
        if (r->presence.bits)
            skep_reader__valid(r, first, take, valid);
        for (uint32_t i = 0; i < take && !r->presence.bits; i++)
            counts[codes[i]]++;
        for (uint32_t w = 0; w < (take + 63) / 64 && r->presence.bits; w++)
            for (uint64_t m = valid[w]; m; m &= m - 1)
                counts[codes[w * 64 + SKEP_CTZ64(m)]]++;
        first += take;
    }
    return SKEP_OK;
}

/* A whole row group by how often each code of the base stands there, where these decide which rows
 * have a value; else row by row. */
static skep_rc mapped_tally(struct skep_segment_reader *r, uint32_t first, unsigned n,
                            const struct skep_coded *coded, uint32_t *counts, skep_err *err)
{
    struct skep_base_shown shown = {.known = false};
    const struct skep_base_counts *base = NULL;
    skep_rc rc = SKEP_OK;
    if (first == 0 && n == r->dir->n_rows && r->mapped->map.n_exceptions == 0)
        SKEP_TRY(skep_base_shows(r->seg, &r->mapped->base, r->entry, &shown, err));
    if (shown.known) {
        rc = skep_segment__pin_counts(r->seg, &r->mapped->base, n, &base, err);
        if (rc == SKEP_OK)
            rc = skep_mapped_tally(r->mapped, base, &shown, coded, r->entry->n_present, counts);
        skep_segment__unpin(r->seg, base);
        skep_segment__unpin(r->seg, shown.pin);
    } else {
        rc = tally_rows(r, first, n, coded, counts);
    }
    return rc == SKEP_ECORRUPT ? skep_reader__corrupt(r, "a column that follows another", err) : rc;
}

skep_rc skep_reader__tally(struct skep_colreader *base, uint64_t row0, unsigned n, uint32_t *counts,
                           uint32_t *ret_present, skep_err *err)
{
    struct skep_segment_reader *r = (struct skep_segment_reader *)base;
    uint32_t first = (uint32_t)(row0 % SKEP_ROW_GROUP_ROWS);
    struct skep_coded coded;
    skep_assert(n > 0 && row0 + n <= r->seg->base.row_end && first + n <= SKEP_ROW_GROUP_ROWS);
    SKEP_TRY(skep_reader__enter(r, (uint32_t)(row0 / SKEP_ROW_GROUP_ROWS), err));
    *ret_present = 0;
    if (!r->entry || r->entry->presence == SKEP_PRESENCE_NONE)
        return SKEP_OK;
    if (!skep_reader__coded(base, row0, &coded))
        return skep_reader__corrupt(r, "codes", err);
    uint32_t rank = skep_presence__rank(&r->presence, first);
    uint32_t count = skep_presence__rank(&r->presence, first + n) - rank;
    if (r->form == SKEP_FORM_INT && r->lists.n != UINT32_MAX)
        coded.n = r->lists.n;
    uint32_t *here = r->lists.to ? skep_alloc_n(uint32_t, coded.n) : counts;
    skep_rc rc = SKEP_OK;
    if (count > 0 && r->mapped)
        rc = mapped_tally(r, first, n, &coded, here, err);
    else if (count > 0 && skep_codec_tally(r->codec, &r->chunk, rank, count, coded.low, here,
                                           coded.n) != SKEP_OK)
        rc = skep_reader__corrupt(r, "codes", err);
    for (uint32_t i = 0; r->lists.to && i < coded.n; i++) /* numbers of another file */
        counts[r->lists.to[i]] += here[i];
    if (r->lists.to)
        skep_free(here);
    *ret_present = count;
    return rc;
}

/* Code of the string in the group's dictionary. */
static skep_rc find_code(struct skep_segment_reader *r, uint64_t hash, uint32_t *ret)
{
    const struct skep_column_entry *e = r->entry;
    if (r->asked == hash && r->asked_group == r->group) {
        *ret = r->asked_code;
        return SKEP_OK;
    }
    if (e->flags & SKEP_ENTRY_DICT_LOCAL) {
        SKEP_TRY(
            skep_segment__find_code(r->seg, &e->dict, e->dict_codec, e->dict_n, hash, ret, NULL));
    } else {
        const struct skep_dict_data *d = NULL;
        SKEP_TRY(skep_segment__pin_shared(r->seg, r->origin, r->key_here, &d, NULL));
        *ret = SKEP_NO_CODE;
        for (uint32_t i = 0; i < d->dict.n && *ret == SKEP_NO_CODE; i++)
            if (d->dict.hashes[i] == hash)
                *ret = i;
        skep_segment__unpin(r->seg, d);
    }
    r->asked = hash;
    r->asked_group = r->group;
    r->asked_code = *ret;
    return SKEP_OK;
}

bool skep_reader__same(struct skep_colreader *base, uint64_t row0, unsigned n, int64_t *ret)
{
    struct skep_segment_reader *r = (struct skep_segment_reader *)base;
    (void)n; /* what is constant is so in the whole group */
    return r->form == SKEP_FORM_INT &&
           skep_reader__enter(r, (uint32_t)(row0 / SKEP_ROW_GROUP_ROWS), NULL) == SKEP_OK &&
           !r->lists.to && r->entry && r->entry->presence == SKEP_PRESENCE_ALL &&
           r->codec == &skep_codec_constant && r->codec->decode(&r->chunk, 0, 1, ret) == SKEP_OK;
}

bool skep_reader__equal(struct skep_colreader *base, uint64_t row0, unsigned n, skep_str s,
                        uint64_t hash, uint64_t *bits)
{
    struct skep_segment_reader *r = (struct skep_segment_reader *)base;
    uint32_t code = 0;
    skep_assert(n > 0 && n <= SKEP_BLOCK_ROWS && row0 + n <= r->seg->base.row_end);
    if (r->form != SKEP_FORM_STR ||
        skep_reader__look_at(r, (uint32_t)(row0 / SKEP_ROW_GROUP_ROWS), NULL) != SKEP_OK ||
        !r->entry)
        return false;
    memset(bits, 0, (n + 63) / 64 * sizeof *bits);
    if (r->entry->presence == SKEP_PRESENCE_NONE)
        return true;
    if (!(r->entry->flags & (SKEP_ENTRY_DICT_SEGMENT | SKEP_ENTRY_DICT_LOCAL)) ||
        find_code(r, hash, &code) != SKEP_OK)
        return false;
    if (code == SKEP_NO_CODE)
        return true;
    if (skep_reader__enter(r, r->group, NULL) != SKEP_OK || !plain_ints(r) ||
        (!r->dict && skep_reader__dict(r, NULL) != SKEP_OK))
        return false;
    /* Two strings of one hash: read() compares them. */
    if (code >= r->dict->n || !skep_str_eq(skep_dict_str(r->dict, code), s))
        return false;
    return rows_between(r, (uint32_t)(row0 % SKEP_ROW_GROUP_ROWS), n, code, code, bits);
}

/* The filter's answer for a value of that hash, or for a text of that hash: asked once a group. */
static bool filter_rules_out(struct skep_segment_reader *r, uint64_t hash, const skep_str *text)
{
    unsigned k = text != NULL;
    if (!(r->entry->flags & SKEP_ENTRY_FILTER))
        return false;
    if (r->filtered[k] != hash || r->filtered_group[k] != r->group + 1) {
        r->filtered_out[k] = text ? skep_filter_lacks_text(r->seg, r->entry, *text)
                                  : skep_filter_lacks_value(r->seg, r->entry, hash);
        r->filtered[k] = hash;
        r->filtered_group[k] = r->group + 1; /* 0: not asked yet */
    }
    return r->filtered_out[k];
}

bool skep_reader__maybe(struct skep_colreader *base, uint64_t row0, unsigned n, uint64_t hash)
{
    struct skep_segment_reader *r = (struct skep_segment_reader *)base;
    uint32_t code = 0;
    skep_assert(n > 0 && row0 + n <= r->seg->base.row_end);
    if (r->form != SKEP_FORM_STR ||
        skep_reader__look_at(r, (uint32_t)(row0 / SKEP_ROW_GROUP_ROWS), NULL) != SKEP_OK)
        return true;
    if (!r->entry)
        return skep_reader__enter(r, r->group, NULL) != SKEP_OK || r->sparse.n > 0;
    if (r->entry->presence == SKEP_PRESENCE_NONE)
        return false;
    if (filter_rules_out(r, hash, NULL))
        return false;
    if (!(r->entry->flags & (SKEP_ENTRY_DICT_SEGMENT | SKEP_ENTRY_DICT_LOCAL)) ||
        find_code(r, hash, &code) != SKEP_OK)
        return true;
    if (code == SKEP_NO_CODE)
        return false;
    uint64_t bits[SKEP_BLOCK_ROWS / 64] = {0}, any = 0;
    if (n > SKEP_BLOCK_ROWS || skep_reader__enter(r, r->group, NULL) != SKEP_OK || !plain_ints(r) ||
        r->mapped)
        return true;
    uint32_t first = (uint32_t)(row0 % SKEP_ROW_GROUP_ROWS);
    uint32_t rank = skep_presence__rank(&r->presence, first);
    uint32_t count = skep_presence__rank(&r->presence, first + n) - rank;
    if (count > 0 && skep_codec_between(r->codec, &r->chunk, rank, count, code, code, bits))
        return true;
    for (unsigned w = 0; w < SKEP_BLOCK_ROWS / 64; w++)
        any |= bits[w];
    return any != 0;
}

/* Which values of the row group's dictionary contain the needle: found out once. */
static bool search_dict(struct skep_segment_reader *r, skep_str needle)
{
    uint64_t hash = skep_hash(skep_str_bytes(needle)) | 1;
    if (r->sought == hash && r->sought_dict == r->dict->serial)
        return true;
    uint32_t n = r->dict->n;
    if (n > r->cap_found) {
        skep_free(r->found);
        r->found = skep_alloc_n(uint64_t, (size_t)n / 64 + 1);
        r->cap_found = n;
    }
    r->found_any = false;
    for (uint32_t at = 0; at < n; at += SKEP_BLOCK_ROWS) {
        SKEP_UNINIT skep_str s[SKEP_BLOCK_ROWS / 2];
        for (uint32_t half = 0; half < 2; half++) {
            uint32_t from = at + half * (SKEP_BLOCK_ROWS / 2);
            uint32_t take = from < n ? SKEP_MIN(n - from, (uint32_t)SKEP_BLOCK_ROWS / 2) : 0;
            for (uint32_t i = 0; i < take; i++)
                s[i] = skep_dict_str(r->dict, from + i);
            if (take > 0)
                skep_codec_search(s, take, needle, r->found + from / 64);
            for (uint32_t w = from / 64; take > 0 && w <= (from + take - 1) / 64; w++)
                r->found_any = r->found_any || r->found[w];
        }
    }
    r->sought = hash;
    r->sought_dict = r->dict->serial;
    return true;
}

bool skep_reader__lacks(struct skep_colreader *base, uint64_t row0, unsigned n, skep_str needle,
                        bool only_filters)
{
    struct skep_segment_reader *r = (struct skep_segment_reader *)base;
    skep_assert(n > 0 && row0 + n <= r->seg->base.row_end);
    (void)n; /* filters and dictionaries are those of the row group */
    if (r->form != SKEP_FORM_STR || needle.n == 0 ||
        skep_reader__look_at(r, (uint32_t)(row0 / SKEP_ROW_GROUP_ROWS), NULL) != SKEP_OK)
        return false;
    if (!r->entry)
        return skep_reader__enter(r, r->group, NULL) == SKEP_OK && r->sparse.n == 0;
    if (r->entry->presence == SKEP_PRESENCE_NONE ||
        filter_rules_out(r, skep_hash(skep_str_bytes(needle)), &needle))
        return true;
    if (only_filters || !(r->entry->flags & (SKEP_ENTRY_DICT_SEGMENT | SKEP_ENTRY_DICT_LOCAL)) ||
        (!r->dict && skep_reader__dict(r, NULL) != SKEP_OK))
        return false;
    return search_dict(r, needle) && !r->found_any;
}

static bool dict_contains(struct skep_segment_reader *r, uint64_t row0, unsigned n, skep_str needle,
                          uint64_t *bits)
{
    struct skep_vec v;
    if ((!r->dict && skep_reader__dict(r, NULL) != SKEP_OK) || !search_dict(r, needle))
        return false;
    if (!r->found_any)
        return true;
    skep_rc rc = r->base.ops->read(&r->base, row0, n, &v, NULL);
    r->base.spoiled = true; /* what the last read gave, perhaps of another block, is overwritten */
    if (rc != SKEP_OK)
        return false;
    if (v.none)
        return true;
    if (v.form != SKEP_VEC_DICT)
        return false;
    for (unsigned i = 0; i < n; i++) {
        uint32_t code = v.codes[v.constant ? 0 : i];
        bits[i / 64] |= (r->found[code / 64] >> code % 64 & 1) << i % 64;
    }
    for (unsigned w = 0; v.valid && w < (n + 63) / 64; w++)
        bits[w] &= v.valid[w];
    return true;
}

bool skep_reader__contains(struct skep_colreader *base, uint64_t row0, unsigned n, skep_str needle,
                           uint64_t *bits)
{
    struct skep_segment_reader *r = (struct skep_segment_reader *)base;
    skep_assert(n > 0 && n <= SKEP_BLOCK_ROWS && needle.n > 0);
    if (r->form != SKEP_FORM_STR ||
        skep_reader__enter(r, (uint32_t)(row0 / SKEP_ROW_GROUP_ROWS), NULL) != SKEP_OK)
        return false;
    memset(bits, 0, (n + 63) / 64 * sizeof *bits);
    if (!r->entry || r->entry->presence == SKEP_PRESENCE_NONE)
        return r->sparse.n == 0;
    if (r->entry->flags & (SKEP_ENTRY_DICT_SEGMENT | SKEP_ENTRY_DICT_LOCAL))
        return dict_contains(r, row0, n, needle, bits);
    if (r->n_parts == 0 && (r->mapped || !r->codec || r->codec->kind != SKEP_CODEC_STRINGS))
        return false;
    uint32_t first = (uint32_t)(row0 % SKEP_ROW_GROUP_ROWS);
    uint32_t rank = skep_presence__rank(&r->presence, first);
    uint32_t count = skep_presence__rank(&r->presence, first + n) - rank;
    uint64_t packed[SKEP_BLOCK_ROWS / 64 + 2] = {0};
    if (count == 0)
        return true;
    r->base.spoiled = true; /* the strings of the last read may stand in the scratch */
    skep_rc rc = r->n_parts ? skep_reader__parts_contain(r, rank, count, needle, packed)
                            : skep_codec_contains(r->codec, &r->chunk, rank, count, needle, packed,
                                                  &r->scratch);
    if (rc != SKEP_OK)
        return false;
    if (count == n) {
        memcpy(bits, packed, (n + 63) / 64 * sizeof *bits);
        return true;
    }
    uint64_t valid[SKEP_BLOCK_ROWS / 64];
    skep_reader__valid(r, first, n, valid);
    spread_bits(valid, n, packed, bits);
    return true;
}

/* From value to row; a row without a text has no member. */
static void spread_members(const uint64_t *valid, unsigned n, uint32_t count, uint8_t *known,
                           skep_value *ret)
{
    for (unsigned i = n; count < n && i-- > 0;) {
        bool has = valid[i / 64] >> i % 64 & 1;
        count -= has;
        known[i] = has ? known[count] : 1;
        ret[i] = has ? ret[count] : (skep_value){.type = SKEP_TYPE_NULL};
    }
}

/* Are the rows' values, as many as *ret_count from *ret_rank on, strings in chunks? */
static bool strings_of(struct skep_segment_reader *r, uint64_t row0, unsigned n, uint64_t *valid,
                       uint32_t *ret_rank, uint32_t *ret_count)
{
    skep_assert(n > 0 && n <= SKEP_BLOCK_ROWS);
    if (r->form != SKEP_FORM_STR ||
        skep_reader__enter(r, (uint32_t)(row0 / SKEP_ROW_GROUP_ROWS), NULL) != SKEP_OK)
        return false;
    if (!r->entry || r->entry->presence == SKEP_PRESENCE_NONE || r->mapped || r->sparse.n > 0 ||
        (r->entry->flags & (SKEP_ENTRY_DICT_SEGMENT | SKEP_ENTRY_DICT_LOCAL)) ||
        (r->n_parts == 0 && !r->codec))
        return false;
    uint32_t first = (uint32_t)(row0 % SKEP_ROW_GROUP_ROWS);
    *ret_rank = skep_presence__rank(&r->presence, first);
    *ret_count = skep_presence__rank(&r->presence, first + n) - *ret_rank;
    if (*ret_count < n)
        skep_reader__valid(r, first, n, valid);
    return true;
}

/* What is wanted of rows, of their values. */
static const uint8_t *by_rank(const uint64_t *valid, unsigned n, uint32_t count,
                              const uint8_t *wanted, uint8_t *room)
{
    for (uint32_t i = 0, at = 0; count < n && i < n; i++)
        if (valid[i / 64] >> i % 64 & 1)
            room[at++] = wanted[i];
    return count < n ? room : wanted;
}

static void begin_strings(struct skep_segment_reader *r)
{
    r->base.spoiled = true; /* the strings of the last read may stand in the scratch */
    skep_codec_scratch_reset(&r->scratch);
}

bool skep_reader__some(struct skep_colreader *base, uint64_t row0, unsigned n,
                       const uint8_t *wanted, skep_str *ret)
{
    struct skep_segment_reader *r = (struct skep_segment_reader *)base;
    SKEP_UNINIT uint8_t room[SKEP_BLOCK_ROWS];
    uint64_t valid[SKEP_BLOCK_ROWS / 64];
    uint32_t rank, count;
    if (!strings_of(r, row0, n, valid, &rank, &count) || (r->n_parts == 0 && !r->codec->some))
        return false;
    wanted = by_rank(valid, n, count, wanted, room);
    begin_strings(r);
    if (count > 0 &&
        (r->n_parts ? skep_reader__parts_some(r, rank, count, wanted, ret)
                    : r->codec->some(&r->chunk, rank, count, wanted, ret, &r->scratch)) != SKEP_OK)
        return false;
    for (unsigned i = n; count < n && i-- > 0;) {
        bool has = valid[i / 64] >> i % 64 & 1;
        count -= has;
        ret[i] = has ? ret[count] : SKEP_STR_NULL;
    }
    return true;
}

bool skep_reader__members(struct skep_colreader *base, uint64_t row0, unsigned n,
                          const struct skep_codec_path *path, const uint8_t *wanted, uint8_t *known,
                          skep_value *ret)
{
    struct skep_segment_reader *r = (struct skep_segment_reader *)base;
    SKEP_UNINIT uint8_t room[SKEP_BLOCK_ROWS];
    uint64_t valid[SKEP_BLOCK_ROWS / 64];
    uint32_t rank, count;
    if (!strings_of(r, row0, n, valid, &rank, &count) || (r->n_parts == 0 && !r->codec->members))
        return false;
    wanted = by_rank(valid, n, count, wanted, room);
    memset(known, 0, n);
    begin_strings(r);
    if (count > 0 &&
        (r->n_parts ? skep_reader__parts_members(r, rank, count, path, wanted, known, ret)
                    : r->codec->members(&r->chunk, rank, count, path, wanted, known, ret,
                                        &r->scratch)) != SKEP_OK)
        return false;
    spread_members(valid, n, count, known, ret);
    return true;
}
