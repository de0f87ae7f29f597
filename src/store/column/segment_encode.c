// SPDX-License-Identifier: Apache-2.0
/* Encode: the values of one column of a row group to chunks and a directory entry.
 *
 *   integers, doubles   the codec with the smallest measured size, then min and max of each block
 *   strings             codes into the segment's dictionary while that stays small (64 KiB a
 * column, 2 MiB in all), else codes into a dictionary of the row group, else the strings
 * themselves; the two last by measured size
 *
 * What was smallest for a column is taken for its next row groups as well, while their values take
 * about as much room (struct skep_whabit): trying everything costs several times the encoding.
 *
 * Validity bitmaps that are equal within a row group are written once (all http fields of a span
 * are there or not there together).
 *
 * I1  an entry's n_present equals the bits of its bitmap.
 * Threads: one. */
#include <math.h>

#include "base/assert.h"
#include "base/mem.h"
#include "store/column/segment_filter.h"
#include "store/column/segment_lag.h"
#include "store/column/segment_write.h"

enum {
    SEGMENT_DICT_BYTES = 64 << 10,
    SEGMENT_DICT_VALUES = 8192,
    SEGMENT_DICT_FEW = 128, /* new strings of a column of few values, a quarter of these at most */
    SEGMENT_DICTS_BYTES = 2 << 20,
    LOCAL_DICT_BYTES = 1 << 20,
    LOCAL_REST = 7,        /* row groups */
    HABIT_SLACK = 64,      /* bytes */
    USUAL_LEAST = 4 << 10, /* bytes of strings for which a habit holds */
    USUAL_MOST = 8 << 20
};

void skep_segment__put_entry(struct skep_segment_writer *w, const struct skep_column_entry *e)
{
    struct skep_buf *b = &w->entries;
    size_t start = b->n, at = start;
    skep_buf_u32(b, e->key);
    skep_buf_u8(b, e->codec);
    skep_buf_u8(b, e->presence);
    skep_buf_u8(b, e->flags);
    skep_buf_u8(b, e->dict_codec);
    skep_buf_u32(b, e->n_present);
    skep_buf_u32(b, e->dict_n);
    skep_segment__put_ref(b, &e->data);
    skep_segment__put_ref(b, &e->bitmap);
    skep_segment__put_ref(b, &e->dict);
    skep_buf_u64(b, e->min);
    skep_buf_u64(b, e->max);
    w->n_entries++;
    if (b->bad)
        return;
    skep_assert(b->n - start == SKEP_SEGMENT_ENTRY_BYTES);
    /* A directory is sorted by key; columns are not written quite in that order. */
    while (at > 0 && skep_load_le32(b->p + at - SKEP_SEGMENT_ENTRY_BYTES) > e->key)
        at -= SKEP_SEGMENT_ENTRY_BYTES;
    if (at == start)
        return;
    uint8_t entry[SKEP_SEGMENT_ENTRY_BYTES];
    memcpy(entry, b->p + start, sizeof entry);
    memmove(b->p + at + sizeof entry, b->p + at, start - at);
    memcpy(b->p + at, entry, sizeof entry);
}

skep_rc skep_segment__put_bitmap(struct skep_segment_writer *w, struct skep_column_entry *e,
                                 skep_err *err)
{
    e->n_present = w->col.n;
    if (w->col.n == w->n_rows || w->col.n == 0) {
        e->presence = w->col.n ? SKEP_PRESENCE_ALL : SKEP_PRESENCE_NONE;
        return SKEP_OK;
    }
    skep_bytes b = {(const uint8_t *)w->col.bitmap, (w->n_rows + 63) / 64 * 8};
    uint64_t hash = skep_hash(b);
    unsigned known = (unsigned)SKEP_MIN((size_t)w->n_bitmaps, SKEP_ARRAY_LEN(w->bitmaps));
    for (unsigned i = 0; i < known; i++) {
        if (w->bitmap_hashes[i] == hash && memcmp(w->bitmap_copies[i], b.p, b.n) == 0) {
            e->bitmap = w->bitmaps[i];
            e->presence = w->bitmap_kinds[i];
            return SKEP_OK;
        }
    }
    e->presence = skep_segment__pack_presence(w);
    skep_bytes packed = e->presence == SKEP_PRESENCE_BITMAP ? b : skep_buf_bytes(&w->chunk);
    SKEP_TRY(skep_segment__put_chunk(w, packed, &e->bitmap, err));
    unsigned slot = w->n_bitmaps++ % SKEP_ARRAY_LEN(w->bitmaps);
    w->bitmaps[slot] = e->bitmap;
    w->bitmap_hashes[slot] = hash;
    w->bitmap_kinds[slot] = e->presence;
    memcpy(w->bitmap_copies[slot], b.p, b.n);
    return SKEP_OK;
}

static inline double f64_of(int64_t bits)
{
    double v;
    memcpy(&v, &bits, 8);
    return v;
}

/* Bounds of doubles as the reader returns them: NaN makes a block unbounded. */
static void f64_bounds(const int64_t *v, uint32_t n, uint64_t *ret_min, uint64_t *ret_max)
{
    double min = HUGE_VAL, max = -HUGE_VAL;
    for (uint32_t i = 0; i < n; i++) {
        double x = f64_of(v[i]);
        if (isnan(x)) {
            min = -HUGE_VAL;
            max = HUGE_VAL;
            break;
        }
        min = x < min ? x : min;
        max = x > max ? x : max;
    }
    memcpy(ret_min, &min, 8);
    memcpy(ret_max, &max, 8);
}

static void int_bounds(const int64_t *v, uint32_t n, uint64_t *ret_min, uint64_t *ret_max)
{
    int64_t min = INT64_MAX, max = INT64_MIN;
    if (n > 0)
        skep_codec__bounds(v, n, &min, &max);
    *ret_min = (uint64_t)min;
    *ret_max = (uint64_t)max;
}

/* Append min and max of the present values of each block of rows; an empty block has min > max. */
static void put_zones(struct skep_segment_writer *w, bool f64, struct skep_column_entry *e)
{
    const struct skep_wcolumn *c = &w->col;
    int64_t min[SKEP_ROW_GROUP_ROWS / SKEP_BLOCK_ROWS], max[SKEP_ROW_GROUP_ROWS / SKEP_BLOCK_ROWS];
    uint32_t at = 0, n = 0;
    for (uint32_t row = 0; row < w->n_rows; row += SKEP_BLOCK_ROWS) {
        uint32_t count = 0;
        for (uint32_t k = row / 64; k < (row + SKEP_BLOCK_ROWS) / 64; k++)
            count += skep_bits_count(c->bitmap[k]);
        uint64_t lo, hi;
        (f64 ? f64_bounds : int_bounds)(c->ints + at, count, &lo, &hi);
        min[n] = (int64_t)lo;
        max[n++] = (int64_t)hi;
        at += count;
    }
    skep_assert(at == c->n);
    size_t start = w->chunk.n;
    skep_codec__for_put(min, n, &w->chunk);
    size_t mins = w->chunk.n - start;
    skep_codec__for_put(max, n, &w->chunk);
    skep_buf_u16(&w->chunk, (uint16_t)mins);
    skep_buf_u16(&w->chunk, (uint16_t)(w->chunk.n + 2 - start));
    (f64 ? f64_bounds : int_bounds)(c->ints, c->n, &e->min, &e->max);
    e->flags |= SKEP_ENTRY_ZONES_PACKED;
    w->required |= SKEP_SEGMENT_NEEDS_CODECS;
}

static uint32_t slot_of(uint32_t key)
{
    return key < SKEP_SEGMENT_FIELD_KEY ? key : SKEP_COL_COUNT + key - SKEP_SEGMENT_FIELD_KEY;
}

/* Is ORDINAL, of all rows, to be held against the first base? */
static bool may_lag(const struct skep_segment_writer *w, uint32_t key)
{
    return key == SKEP_COL_ORDINAL && w->n_bases > 0 && w->col.n == w->n_rows;
}

static void put_by(struct skep_segment_writer *w, const struct skep_codec_ops *codec,
                   const struct skep_codec_in *in)
{
    skep_buf_reset(&w->chunk);
    codec->encode(in, &w->chunk);
}

/* `plain`: bytes without any codec.  What hardly got smaller says nothing: others would look the
 * same. */
static void begin_habit(struct skep_whabit *h, uint8_t codec, size_t bytes, size_t plain, size_t n)
{
    h->codec = codec;
    h->rest = bytes <= plain - plain / 4 ? SKEP_WHABIT_REST : 0;
    h->share = (size_t)((uint64_t)bytes * SKEP_WHABIT_PER / n);
}

/* Are so many bytes, for n values, what the habit is from?  Values that take more or less have
 * changed: something else may be best now. */
static bool is_usual(const struct skep_whabit *h, size_t bytes, size_t n)
{
    size_t usual = (size_t)((uint64_t)h->share * n / SKEP_WHABIT_PER);
    return bytes <= usual + usual / 4 + HABIT_SLACK && bytes + HABIT_SLACK >= usual - usual / 4;
}

/* As the row groups before.  False: it does not fit any more, w->chunk is anything. */
static bool put_by_habit(struct skep_segment_writer *w, uint32_t key, struct skep_whabit *h,
                         const struct skep_codec_in *in)
{
    if (h->rest == 0)
        return false;
    h->rest--;
    if (h->codec == SKEP_CODEC_MAP)
        return skep_segment__derive_from(w, in->ints, h->base) && is_usual(h, w->chunk.n, in->n);
    if (h->codec == SKEP_CODEC_LAG)
        return may_lag(w, key) && skep_lag_put(w, &w->bases[0], in->ints, SIZE_MAX) &&
               is_usual(h, w->chunk.n, in->n);
    const struct skep_codec_ops *codec = skep_codec_find(h->codec);
    if (!is_usual(h, codec->score(in), in->n))
        return false;
    put_by(w, codec, in);
    return true;
}

/* The smallest encoding of all into w->chunk. */
static void put_smallest(struct skep_segment_writer *w, uint32_t key, struct skep_whabit *h,
                         const struct skep_codec_in *in)
{
    if (skep_segment__derive(w, in->ints, &h->base)) {
        h->codec = SKEP_CODEC_MAP;
    } else {
        size_t bytes;
        const struct skep_codec_ops *codec = skep_codec_choose(in, &bytes);
        h->codec = codec->id;
        if (may_lag(w, key) && skep_lag_put(w, &w->bases[0], in->ints, bytes))
            h->codec = SKEP_CODEC_LAG;
        else
            put_by(w, codec, in);
    }
    begin_habit(h, h->codec, w->chunk.n, in->n * sizeof *in->ints, in->n);
}

/* Encode integers, or codes, of w->col. */
static skep_rc put_ints(struct skep_segment_writer *w, const int64_t *v, bool f64, bool zones,
                        struct skep_column_entry *e, skep_err *err)
{
    bool codes = (e->flags & (SKEP_ENTRY_DICT_SEGMENT | SKEP_ENTRY_DICT_LOCAL)) != 0 ||
                 e->key == SKEP_COL_RESOURCE || e->key == SKEP_COL_SCOPE;
    struct skep_codec_in in = {.n = w->col.n, .f64 = f64, .codes = codes, .ints = v};
    struct skep_whabit *h = &w->habits[slot_of(e->key)].ints;
    if (skep_codec_constant.score(&in) != SIZE_MAX) { /* read as one: nothing is faster */
        e->codec = SKEP_CODEC_CONSTANT;
        put_by(w, &skep_codec_constant, &in);
    } else {
        if (!put_by_habit(w, e->key, h, &in))
            put_smallest(w, e->key, h, &in);
        e->codec = h->codec;
        if (e->codec == SKEP_CODEC_LAG || e->codec == SKEP_CODEC_CLASSES ||
            e->codec == SKEP_CODEC_DCLASSES)
            w->required |= SKEP_SEGMENT_NEEDS_CODECS;
    }
    if (zones)
        put_zones(w, f64, e);
    if (e->codec != SKEP_CODEC_MAP && codes)
        skep_segment__add_base(w, e->key, e->presence, v);
    return skep_segment__put_chunk(w, skep_buf_bytes(&w->chunk), &e->data, err);
}

/* Into w->chunk. */
static const struct skep_codec_ops *smallest_strings(struct skep_segment_writer *w,
                                                     const struct skep_codec_in *in, size_t plain)
{
    const struct skep_codec_ops *codec = skep_codec_choose(in, NULL);
    put_by(w, codec, in);
    /* Scores of string codecs are estimates: look at what came out. */
    if (codec != &skep_codec_str && w->chunk.n > plain) {
        codec = &skep_codec_str;
        put_by(w, codec, in);
    }
    return codec;
}

skep_rc skep_segment__put_strings(struct skep_segment_writer *w, const skep_str *strs, uint32_t n,
                                  struct skep_whabit *habit, struct skep_chunk_ref *ret,
                                  uint8_t *ret_codec, skep_err *err)
{
    struct skep_codec_in in = {.n = n, .strs = strs};
    size_t plain = skep_codec_str.score(&in);
    if (plain < USUAL_LEAST || plain > USUAL_MOST) /* looked at in any case */
        habit = NULL;
    const struct skep_codec_ops *codec = NULL;
    if (habit && habit->rest > 0) {
        codec = skep_codec_find(habit->codec);
        habit->rest--;
        put_by(w, codec, &in);
        codec = is_usual(habit, w->chunk.n, plain) ? codec : NULL;
    }
    if (!codec) {
        codec = smallest_strings(w, &in, plain);
        if (habit)
            begin_habit(habit, codec->id, w->chunk.n, plain, plain);
    }
    *ret_codec = codec->id;
    if (codec == &skep_codec_tmpl)
        w->required |= SKEP_SEGMENT_NEEDS_REPEATS;
    return skep_segment__put_chunk(w, skep_buf_bytes(&w->chunk), ret, err);
}

skep_rc skep_segment__put_dict(struct skep_segment_writer *w, const struct skep_wdict *d,
                               struct skep_chunk_ref *ret, uint8_t *ret_codec, skep_err *err)
{
    skep_assert(d->n > 0 && d->n <= SKEP_CODEC_MAX_VALUES);
    skep_str *strs = skep_malloc(d->n * sizeof *strs);
    for (uint32_t i = 0; i < d->n; i++)
        strs[i] = skep_wdict__str(d, i);
    skep_rc rc = skep_segment__put_strings(w, strs, d->n, NULL, ret, ret_codec, err);
    skep_free(strs);
    return rc;
}

/* Texts get a filter, other strings (bytes, arrays) are not asked for by what they hold. */
static skep_rc put_filter(struct skep_segment_writer *w, struct skep_column_entry *e,
                          const skep_str *strs, uint32_t n, uint64_t read_bytes, skep_err *err)
{
    bool field = e->key >= SKEP_SEGMENT_FIELD_KEY;
    uint32_t f = e->key - SKEP_SEGMENT_FIELD_KEY;
    if (field && w->fields[f].type != SKEP_TYPE_STRING)
        return SKEP_OK;
    return skep_segment__put_filter(w, e, field ? SKEP_COL_COUNT + f : e->key, strs, n, read_bytes,
                                    err);
}

/* The dictionary of the row group, and its filter. */
static skep_rc put_local(struct skep_segment_writer *w, struct skep_column_entry *e, skep_err *err)
{
    const struct skep_wdict *d = &w->local;
    skep_str *strs = skep_malloc(d->n * sizeof *strs);
    for (uint32_t i = 0; i < d->n; i++)
        strs[i] = skep_wdict__str(d, i);
    skep_rc rc = skep_segment__put_strings(w, strs, d->n, &w->habits[slot_of(e->key)].strs,
                                           &e->dict, &e->dict_codec, err);
    if (rc == SKEP_OK)
        rc = put_filter(w, e, strs, d->n, e->dict.length, err);
    skep_free(strs);
    return rc;
}

/* Strings themselves, in as many chunks as it takes to keep each near the part size. */
static skep_rc put_direct(struct skep_segment_writer *w, struct skep_column_entry *e, skep_err *err)
{
    const struct skep_wcolumn *c = &w->col;
    struct skep_buf list;
    skep_segment__spell(w);
    skep_buf_init(&list, 4 << 20);
    uint32_t parts = 0;
    uint64_t all = 0;
    skep_rc rc = SKEP_OK;
    skep_buf_u32(&list, 0);
    for (uint32_t at = 0; at < c->n && rc == SKEP_OK;) {
        size_t bytes = 0;
        uint32_t to = at;
        do
            bytes += c->strs[to++].n;
        while (to < c->n && bytes + c->strs[to].n <= SKEP_SEGMENT_PART_BYTES);
        rc = skep_segment__put_strings(w, c->strs + at, to - at, &w->habits[slot_of(e->key)].strs,
                                       &e->data, &e->codec, err);
        skep_buf_u32(&list, at);
        skep_buf_u32(&list, e->codec);
        skep_segment__put_ref(&list, &e->data);
        all += e->data.length;
        parts++;
        at = to;
    }
    if (rc == SKEP_OK && parts > 1) {
        skep_store_le32(list.p, parts);
        e->flags |= SKEP_ENTRY_PARTS;
        rc = skep_segment__put_chunk(w, skep_buf_bytes(&list), &e->data, err);
    }
    skep_buf_done(&list);
    return rc == SKEP_OK ? put_filter(w, e, c->strs, c->n, all, err) : rc;
}

/* Bytes of n strings with the best codec. */
static size_t strings_size(const skep_str *strs, uint32_t n)
{
    struct skep_codec_in in = {.n = n, .strs = strs};
    size_t bytes;
    skep_codec_choose(&in, &bytes);
    return bytes;
}

/* Is a dictionary of the row group (w->local, codes in w->tmp) smaller than the strings? */
static bool local_dict_pays(struct skep_segment_writer *w, struct skep_whabits *h)
{
    const struct skep_wdict *d = &w->local;
    if (d->n <= w->col.n / 8)
        return true;
    if (h->local.rest > 0 && is_usual(&h->local, d->n, w->col.n)) { /* it did lately */
        h->local.rest--;
        return true;
    }
    struct skep_codec_in in = {.n = w->col.n, .codes = true, .ints = w->tmp};
    size_t codes;
    skep_codec_choose(&in, &codes);
    skep_str *strs = skep_malloc(d->n * sizeof *strs);
    for (uint32_t i = 0; i < d->n; i++)
        strs[i] = skep_wdict__str(d, i);
    size_t with = codes + strings_size(strs, d->n);
    skep_free(strs);
    skep_segment__spell(w);
    bool pays = with <= strings_size(w->col.strs, w->col.n);
    if (pays)
        begin_habit(&h->local, 0, d->n, w->col.n, w->col.n);
    else
        h->local.rest = 0;
    return pays;
}

/* Strings that a column of n values may bring to the segment's dictionary.  Few values bring a
 * greater share of them in the first row group, and the next ones none: among many attributes, of
 * some hundred values in a row group each, the row group's own encoding costs as many bytes again
 * and, as templates, ten times the work. */
static uint32_t most_new(uint32_t n)
{
    uint32_t few = SKEP_MIN(n / 4, (uint32_t)SEGMENT_DICT_FEW);
    return SKEP_MAX(SKEP_MAX(n / 8, few), 64u);
}

static skep_rc put_str_column(struct skep_segment_writer *w, uint32_t key,
                              struct skep_column_entry *e, skep_err *err)
{
    uint32_t slot = slot_of(key);
    struct skep_wdict *d = &w->dicts[slot];
    if (!w->dict_off[slot]) {
        size_t before = d->bytes_n;
        uint32_t max_n = d->n + most_new(w->col.n);
        size_t left = SEGMENT_DICTS_BYTES - SKEP_MIN(w->dict_bytes, (size_t)SEGMENT_DICTS_BYTES);
        if (skep_wdict__map(w, d, SKEP_MIN(max_n, (uint32_t)SEGMENT_DICT_VALUES),
                            SKEP_MIN((size_t)SEGMENT_DICT_BYTES, before + left))) {
            w->dict_bytes += d->bytes_n - before;
            e->flags |= SKEP_ENTRY_DICT_SEGMENT;
            return put_ints(w, w->tmp, false, false, e, err);
        }
        w->dict_off[slot] = true;
    }
    skep_wdict__truncate(&w->local, 0);
    uint32_t max_n = SKEP_MAX(w->col.n / 2, 16u);
    if (w->local_rest[slot] > 0) { /* it did not pay lately: not tried for a while */
        w->local_rest[slot]--;
        return put_direct(w, e, err);
    }
    if (skep_wdict__map(w, &w->local, max_n, LOCAL_DICT_BYTES) &&
        local_dict_pays(w, &w->habits[slot])) {
        e->flags |= SKEP_ENTRY_DICT_LOCAL;
        e->dict_n = w->local.n;
        SKEP_TRY(put_ints(w, w->tmp, false, false, e, err));
        return put_local(w, e, err);
    }
    w->local_rest[slot] = LOCAL_REST;
    return put_direct(w, e, err);
}

skep_rc skep_segment__encode(struct skep_segment_writer *w, uint32_t key, skep_err *err)
{
    struct skep_column_entry e = {.key = key};
    bool field = key >= SKEP_SEGMENT_FIELD_KEY;
    enum skep_segment_form form =
        field ? skep_segment__type_form(w->fields[key - SKEP_SEGMENT_FIELD_KEY].type)
              : skep_segment__column_form(key);
    SKEP_TRY(skep_segment__put_bitmap(w, &e, err));
    if (e.presence != SKEP_PRESENCE_NONE) {
        bool zones = field || key == SKEP_COL_DURATION || key == SKEP_COL_SEVERITY;
        switch (form) {
        case SKEP_FORM_STR: SKEP_TRY(put_str_column(w, key, &e, err)); break;
        case SKEP_FORM_F64: SKEP_TRY(put_ints(w, w->col.ints, true, true, &e, err)); break;
        case SKEP_FORM_INT:
        case SKEP_FORM_EMPTY:
            SKEP_TRY(put_ints(w, w->col.ints, false, zones && form == SKEP_FORM_INT, &e, err));
            break;
        case SKEP_FORM_ID16: skep_unreachable("ids have their own file");
        }
    }
    skep_segment__put_entry(w, &e);
    return SKEP_OK;
}
