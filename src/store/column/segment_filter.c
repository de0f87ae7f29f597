// SPDX-License-Identifier: Apache-2.0
/* Make filters: which parts pay is measured for each column of each row group.
 *
 *   trigrams   counted in a map of 64 KiB, folded until a quarter of its bits is set
 *   grams      distinct ones in a table; how far they are thinned out is decided by a sample, or as
 *              in the row groups before
 *   values     distinct hashes; not of texts that have trigrams
 *
 * A part is written when it is small beside what a look-up without it would read: the data chunk,
 * or the dictionary of the row group.  Grams of a text that is encoded very well are measured by
 * the text, which has to be made again to be searched.  A column whose dictionary belongs to the
 * segment has none: that is in memory anyway.  What did not pay is not tried for some row groups.
 *
 * I1  every value of the column passes its filter.
 * I2  a filter is never why a segment is not written: without memory for it there is none.
 *
 * Threads: one.  Memory: 64 KiB kept; up to 24 MiB while one is made, from the job's budget. */
#include "store/column/segment_filter.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/column/filter_text.h"

enum {
    LEAST_BYTES = 4096, /* to be read: below it no filter */
    TRIGRAMS_SHARE = 16,
    GRAMS_SHARE = 6,
    VALUES_SHARE = 8,
    GRAM_KEYS_MAX = SKEP_FUSE_KEYS_MAX,
    GRAM_BITS = 4,
    VALUE_BITS = 8,
    TEXT_WORK = 8,   /* looking through so many bytes of text costs what reading one does */
    TEXT_BYTES = 40, /* a value on average: below it is an id, asked for as a whole */
    SAMPLE = 1024,
    SAMPLE_RUNS = 8,
    REST = 7 /* row groups */
};
/* A needle of 10, 15, 25 or 32 bytes has a gram for certain: the last is a trace id in hex. */
static const uint8_t windows[] = {5, 10, 20, 27};

struct skep_wfilter {
    uint64_t map[1 << (SKEP_TRIGRAM_LOG_MAX - 6)];
    uint8_t *rest, *grams_rest; /* [columns and fields] row groups to go before the next try */
    struct usual_window {
        uint8_t at, rest; /* in windows; row groups for which it is taken to pay again */
    } * usual;            /* [columns and fields] */
    /* Distinct grams: */
    uint32_t *set; /* 0 = free */
    uint32_t mask, n, most;
};

void skep_segment__free_filters(struct skep_segment_writer *w)
{
    if (!w->filters)
        return;
    skep_free(w->filters->rest);
    skep_free(w->filters->grams_rest);
    skep_free(w->filters->usual);
    skep_free(w->filters);
    w->filters = NULL;
}

static bool ready(struct skep_segment_writer *w)
{
    uint32_t slots = SKEP_COL_COUNT + w->n_fields;
    if (w->filters)
        return true;
    if (skep_segment__charge(w, sizeof *w->filters + 4 * (uint64_t)slots, NULL) != SKEP_OK)
        return false;
    w->filters = skep_alloc(struct skep_wfilter);
    w->filters->rest = skep_alloc_n(uint8_t, slots);
    w->filters->grams_rest = skep_alloc_n(uint8_t, slots);
    w->filters->usual = skep_alloc_n(struct usual_window, slots);
    return true;
}

/* The same string as the one before, which equal tokens give? */
static bool again(const skep_str *s, const skep_str *before)
{
    return s->p == before->p && s->n == before->n;
}

/* --- grams --- */

static SKEP_WRAPS bool add_gram(void *ctx, uint32_t gram)
{
    struct skep_wfilter *f = ctx;
    uint32_t key = gram ? gram : 1, at = (key * 0x85ebca6bu) >> 8 & f->mask;
    for (; f->set[at]; at = (at + 1) & f->mask)
        if (f->set[at] == key)
            return true;
    if (f->n == f->most)
        return false;
    f->set[at] = key;
    f->n++;
    return true;
}

static bool add_grams(struct skep_wfilter *f, const skep_str *strs, uint32_t n, unsigned window)
{
    for (uint32_t i = 0; i < n; i++)
        if ((i == 0 || !again(&strs[i], &strs[i - 1])) &&
            !skep_grams_each(strs[i], window, add_gram, f))
            return false;
    return true;
}

static void clear_set(struct skep_wfilter *f, uint32_t most)
{
    memset(f->set, 0, ((size_t)f->mask + 1) * sizeof *f->set);
    f->n = 0;
    f->most = most;
}

/* How many distinct grams there will be: as many more a value as in the second half of a sample. It
 * is runs of values, since what repeats (a request's id) mostly does so nearby. */
static uint64_t estimate(struct skep_wfilter *f, const skep_str *strs, uint32_t n, unsigned window)
{
    clear_set(f, f->mask / 2);
    if (n <= 2 * SAMPLE)
        return add_grams(f, strs, n, window) ? f->n : UINT64_MAX;
    uint64_t before = 0;
    for (uint32_t k = 0; k < SAMPLE_RUNS; k++) {
        before = k == SAMPLE_RUNS / 2 ? f->n : before;
        if (!add_grams(f, strs + (size_t)k * (n / SAMPLE_RUNS), SAMPLE / SAMPLE_RUNS, window))
            return UINT64_MAX;
    }
    return f->n + (f->n - before) * (n - SAMPLE) / (SAMPLE / 2);
}

/* The grams found, as a chunk.  False: no set of them can be made. */
static skep_rc put_set(struct skep_segment_writer *w, struct skep_chunk_ref *ret, bool *ret_made,
                       skep_err *err)
{
    struct skep_wfilter *f = w->filters;
    uint64_t *keys = skep_alloc_n(uint64_t, f->n);
    uint32_t n = 0;
    for (uint32_t at = 0; at <= f->mask; at++)
        if (f->set[at])
            keys[n++] = f->set[at];
    skep_assert(n == f->n);
    skep_buf_reset(&w->chunk);
    *ret_made = skep_fuse_put(keys, n, GRAM_BITS, &w->chunk);
    skep_free(keys);
    return *ret_made ? skep_segment__put_chunk(w, skep_buf_bytes(&w->chunk), ret, err) : SKEP_OK;
}

/* *ret_window = 0: they do not pay. */
static skep_rc put_grams(struct skep_segment_writer *w, uint32_t slot, const skep_str *strs,
                         uint32_t n, uint64_t read_bytes, struct skep_chunk_ref *ret,
                         uint8_t *ret_window, skep_err *err)
{
    struct skep_wfilter *f = w->filters;
    uint64_t may = read_bytes / GRAMS_SHARE * 8 / (GRAM_BITS + 1);
    uint32_t most = (uint32_t)SKEP_MIN(may, (uint64_t)GRAM_KEYS_MAX), slots = 1024;
    *ret_window = 0;
    while (slots < 2 * most)
        slots *= 2;
    uint64_t held = slots * sizeof *f->set + most * sizeof(uint64_t) + skep_fuse_work_bytes(most);
    if (most < 64 || skep_budget_take(w->job->budget, held, NULL) != SKEP_OK)
        return SKEP_OK; /* I2 */
    f->set = skep_malloc(slots * sizeof *f->set);
    f->mask = slots - 1;
    skep_rc rc = SKEP_OK;
    struct usual_window *usual = &f->usual[slot];
    const bool again = usual->rest > 0;
    for (size_t k = again ? usual->at : 0; k < sizeof windows && *ret_window == 0 && rc == SKEP_OK;
         k++) {
        bool known = again && k == usual->at;
        if (!known && estimate(f, strs, n, windows[k]) > most)
            continue;
        clear_set(f, most);
        if (!add_grams(f, strs, n, windows[k]) || f->n == 0)
            continue;
        bool made;
        rc = put_set(w, ret, &made, err);
        if (rc != SKEP_OK || !made)
            continue;
        *ret_window = windows[k];
        *usual = (struct usual_window){(uint8_t)k, known ? usual->rest - 1 : REST};
    }
    if (*ret_window == 0)
        usual->rest = 0;
    skep_free(f->set);
    f->set = NULL;
    skep_budget_give(w->job->budget, held);
    return rc;
}

/* --- the other parts --- */

/* *ret_text: their bytes. */
static unsigned count_trigrams(struct skep_wfilter *f, const skep_str *strs, uint32_t n,
                               uint64_t *ret_text)
{
    *ret_text = 0;
    memset(f->map, 0, sizeof f->map);
    for (uint32_t i = 0; i < n; i++) {
        *ret_text += strs[i].n;
        if (i == 0 || !again(&strs[i], &strs[i - 1]))
            skep_trigrams_add(f->map, strs[i]);
    }
    return skep_trigrams_fold(f->map);
}

static int by_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Append the set of values to w->chunk. */
static bool put_values(struct skep_segment_writer *w, const skep_str *strs, uint32_t n,
                       uint64_t read_bytes)
{
    uint64_t held = n * sizeof(uint64_t) + skep_fuse_work_bytes(n);
    if (skep_fuse_bytes(n, VALUE_BITS) * VALUES_SHARE > read_bytes ||
        skep_budget_take(w->job->budget, held, NULL) != SKEP_OK)
        return false;
    uint64_t *keys = skep_alloc_n(uint64_t, n);
    uint32_t distinct = 0;
    for (uint32_t i = 0; i < n; i++)
        keys[i] = skep_hash(skep_str_bytes(strs[i]));
    qsort(keys, n, sizeof *keys, by_u64);
    for (uint32_t i = 0; i < n; i++)
        if (i == 0 || keys[i] != keys[distinct - 1])
            keys[distinct++] = keys[i];
    bool made = skep_fuse_put(keys, distinct, VALUE_BITS, &w->chunk);
    skep_free(keys);
    skep_budget_give(w->job->budget, held);
    return made;
}

skep_rc skep_segment__put_filter(struct skep_segment_writer *w, struct skep_column_entry *e,
                                 uint32_t slot, const skep_str *strs, uint32_t n,
                                 uint64_t read_bytes, skep_err *err)
{
    struct skep_chunk_ref grams = {0}, ref;
    uint8_t window = 0, has = 0;
    skep_assert(n > 0 && n <= SKEP_ROW_GROUP_ROWS);
    if (read_bytes < LEAST_BYTES || !ready(w))
        return SKEP_OK;
    struct skep_wfilter *f = w->filters;
    if (f->rest[slot] > 0) {
        f->rest[slot]--;
        return SKEP_OK;
    }
    uint64_t text;
    unsigned log = count_trigrams(f, strs, n, &text);
    size_t map_bytes = (size_t)1 << (log - 3);
    if (map_bytes * TRIGRAMS_SHARE <= read_bytes)
        has |= SKEP_FILTER_TRIGRAMS;
    if (f->grams_rest[slot] > 0)
        f->grams_rest[slot]--;
    else if (has && text >= (uint64_t)n * TEXT_BYTES)
        SKEP_TRY(put_grams(w, slot, strs, n, SKEP_MAX(read_bytes, text / TEXT_WORK), &grams,
                           &window, err));
    if (window)
        has |= SKEP_FILTER_GRAMS;
    else if (f->grams_rest[slot] == 0)
        f->grams_rest[slot] = REST;
    skep_buf_reset(&w->chunk);
    skep_buf_u32(&w->chunk, 0);
    if (!(has & SKEP_FILTER_TRIGRAMS && text >= (uint64_t)n * TEXT_BYTES) &&
        put_values(w, strs, n, read_bytes))
        has |= SKEP_FILTER_VALUES;
    if (!has) {
        f->rest[slot] = REST;
        return SKEP_OK;
    }
    w->chunk.p[0] = has;
    w->chunk.p[1] = (uint8_t)(has & SKEP_FILTER_TRIGRAMS ? log : 0);
    w->chunk.p[2] = window;
    for (size_t i = 0; has & SKEP_FILTER_TRIGRAMS && i < map_bytes / 8; i++)
        skep_buf_u64(&w->chunk, f->map[i]);
    if (window)
        skep_segment__put_ref(&w->chunk, &grams);
    SKEP_TRY(skep_segment__put_chunk(w, skep_buf_bytes(&w->chunk), &ref, err));
    skep_filter_set_ref(e, &ref);
    w->optional |= SKEP_SEGMENT_FILTERS;
    return SKEP_OK;
}
