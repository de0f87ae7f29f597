// SPDX-License-Identifier: Apache-2.0
/* What follows from what, found while a row group is written: columns whose values or presence are
 * a function of another column's value in the same row.
 *
 * A few columns with few codes are remembered by row as bases: the name and the resource of the
 * rows first, then the latest dictionary columns.  A column is held against each of them
 * (codec/map.c); a span's route, method and port follow from its name or its peer, its service from
 * its resource, and all that server spans alone have from the name.  Bytes on disk: map.c,
 * segment_base.c.
 *
 * I1  a base stands in the row group with codes of its own (never mapped).
 * I2  x[row] < m of every base; n_of[x] rows have it, the rows without a value counted as x 0.
 * Threads: one. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/codec/map.h"
#include "store/column/segment_write.h"

enum {
    BASE_CODES = SKEP_WBASE_CODES, /* a base has fewer */
    KEPT_BASES = 2,                /* the first ones stay, the others go in turn */
    LISTED_SHARE = 16,             /* a list of rows is tried when at most so many are listed */
    MAX_LOOKS = 2,                 /* bases that a column is held against in full */
    TINY_SHARE = 64 /* bytes a value; an encoding that small is taken without looking further */
};

void skep_segment__add_base(struct skep_segment_writer *w, uint32_t key, uint8_t presence,
                            const int64_t *codes)
{
    int64_t top = 0;
    for (uint32_t k = 0; k < w->col.n; k++) {
        if ((uint64_t)codes[k] >= BASE_CODES)
            return;
        top = SKEP_MAX(top, codes[k]);
    }
    /* One code says nothing; many codes say too much. */
    if (w->col.n < w->n_rows / 16 || top == 0 || (uint64_t)top > w->n_rows / 8)
        return;
    unsigned at = w->n_bases++;
    if (at >= SKEP_WBASES)
        at = KEPT_BASES + at % (SKEP_WBASES - KEPT_BASES);
    struct skep_wbase *b = &w->bases[at];
    if (!b->x) {
        b->x = skep_alloc_n(uint16_t, w->group_rows);
        b->n_of = skep_alloc_n(uint32_t, BASE_CODES + 1);
    }
    b->key = key;
    b->m = (uint32_t)top + 2;
    b->presence = presence;
    if (w->col.n < w->n_rows)
        memset(b->x, 0, w->n_rows * sizeof *b->x);
    memset(b->n_of, 0, b->m * sizeof *b->n_of);
    b->n_of[0] = w->n_rows - w->col.n;
    uint32_t k = 0;
    for (uint32_t word = 0; word < (w->n_rows + 63) / 64; word++)
        for (uint64_t m = w->col.bitmap[word]; m; m &= m - 1) {
            b->n_of[codes[k] + 1]++;
            b->x[word * 64 + SKEP_CTZ64(m)] = (uint16_t)(codes[k++] + 1);
        }
    skep_assert(k == w->col.n);
}

static struct skep_map_in map_input(const struct skep_segment_writer *w, const struct skep_wbase *b,
                                    const int64_t *v)
{
    return (struct skep_map_in){.x = b->x,
                                .n_of = b->n_of,
                                .m = b->m,
                                .n_rows = w->n_rows,
                                .bitmap = w->col.bitmap,
                                .v = v,
                                .n = w->col.n};
}

static void put_map(struct skep_segment_writer *w, const struct skep_map_in *in,
                    const struct skep_map_fit *fit, uint32_t key)
{
    skep_buf_reset(&w->chunk);
    skep_map_put(in, fit, key, &w->chunk);
    w->required |= SKEP_SEGMENT_NEEDS_CODECS;
}

bool skep_segment__derive_from(struct skep_segment_writer *w, const int64_t *v, uint32_t base)
{
    unsigned n = SKEP_MIN(w->n_bases, (unsigned)SKEP_WBASES), i = 0;
    while (i < n && w->bases[i].key != base)
        i++;
    if (i == n)
        return false;
    struct skep_map_in in = map_input(w, &w->bases[i], v);
    struct skep_map_fit fit;
    bool looked;
    if (!skep_map_try(&in, &fit, &looked))
        return false;
    put_map(w, &in, &fit, base);
    skep_map_fit_done(&fit);
    return true;
}

bool skep_segment__derive(struct skep_segment_writer *w, const int64_t *v, uint32_t *ret_base)
{
    struct skep_map_fit best = {.bytes = SIZE_MAX};
    unsigned best_at = 0, n = SKEP_MIN(w->n_bases, (unsigned)SKEP_WBASES);
    /* What nearly fits one base does so often, being nearly constant: others are no better. */
    unsigned looks = 0;
    for (unsigned i = 0; i < n && looks < MAX_LOOKS; i++) {
        struct skep_map_in in = map_input(w, &w->bases[i], v);
        struct skep_map_fit fit;
        bool looked = false, fits = skep_map_try(&in, &fit, &looked);
        looks += looked;
        if (!fits)
            continue;
        if (fit.bytes <= w->col.n / TINY_SHARE)
            looks = MAX_LOOKS;
        if (fit.bytes < best.bytes) {
            skep_map_fit_done(&best);
            best = fit;
            best_at = i;
        } else {
            skep_map_fit_done(&fit);
        }
    }
    if (best.bytes == SIZE_MAX)
        return false;
    struct skep_codec_in plain = {.n = w->col.n, .ints = v};
    size_t other = SIZE_MAX;
    if (best.bytes > w->col.n / TINY_SHARE)
        skep_codec_choose(&plain, &other);
    bool pays = best.bytes < other;
    if (pays) {
        struct skep_map_in in = map_input(w, &w->bases[best_at], v);
        *ret_base = w->bases[best_at].key;
        put_map(w, &in, &best, *ret_base);
    }
    skep_map_fit_done(&best);
    return pays;
}

/* The rows that have a value, or those that have not, as a list in w->chunk. */
static void put_rows(struct skep_segment_writer *w, uint32_t n, bool absent)
{
    int64_t *steps = skep_malloc((size_t)n * 8);
    uint32_t k = 0, next = 0;
    for (uint32_t row = 0; row < w->n_rows; row += 64) {
        uint64_t m = w->col.bitmap[row / 64];
        if (absent)
            m = ~m & (w->n_rows - row < 64 ? (1ull << (w->n_rows - row)) - 1 : UINT64_MAX);
        for (; m; m &= m - 1) {
            uint32_t at = row + SKEP_CTZ64(m);
            steps[k++] = at - next;
            next = at + 1;
        }
    }
    skep_assert(k == n);
    skep_buf_u32(&w->chunk, n);
    skep_buf_u32(&w->chunk, absent);
    skep_codec__for_put(steps, n, &w->chunk);
    skep_free(steps);
}

static bool put_codes(struct skep_segment_writer *w)
{
    uint8_t bits[(BASE_CODES + 2 + 7) / 8];
    for (unsigned i = 0; i < SKEP_MIN(w->n_bases, (unsigned)SKEP_WBASES); i++) {
        const struct skep_wbase *b = &w->bases[i];
        struct skep_map_in in = map_input(w, b, NULL);
        if (b->presence == SKEP_PRESENCE_CODES || !skep_map_try_presence(&in, bits))
            continue;
        skep_buf_u32(&w->chunk, b->key);
        skep_buf_u32(&w->chunk, b->m);
        skep_buf_put(&w->chunk, bits, (b->m + 7) / 8);
        return true;
    }
    return false;
}

uint8_t skep_segment__pack_presence(struct skep_segment_writer *w)
{
    uint32_t absent = w->n_rows - w->col.n, listed = SKEP_MIN(absent, w->col.n);
    skep_buf_reset(&w->chunk);
    uint8_t presence = SKEP_PRESENCE_BITMAP;
    if (put_codes(w)) {
        presence = SKEP_PRESENCE_CODES;
    } else if (listed <= w->n_rows / LISTED_SHARE) {
        put_rows(w, listed, absent == listed);
        presence = SKEP_PRESENCE_ROWS;
    }
    if (w->chunk.n >= w->n_rows / 8)
        presence = SKEP_PRESENCE_BITMAP;
    if (presence != SKEP_PRESENCE_BITMAP)
        w->required |= SKEP_SEGMENT_NEEDS_CODECS;
    return presence;
}
