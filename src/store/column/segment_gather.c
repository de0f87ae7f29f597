// SPDX-License-Identifier: Apache-2.0
/* Gather: the values of one column for the rows of a row group, out of the sources.
 *
 * The group's rows are sorted once by (source, source row); each column is then read block by block
 * in that order and scattered to the rows' new places, which works alike for parts (arrival order)
 * and segments (runs).  Strings of a dictionary stay where they are; others are copied to the
 * writer's arena.
 *
 * I1  after gather, w->col holds n values in row order, n = bits set in w->col.bitmap.
 * I2  readers stay open until the next gather: their dictionaries hold the strings.
 * Threads: one. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "store/column/segment_write.h"

static int by_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void skep_segment__slot_rows(struct skep_segment_writer *w)
{
    unsigned n_sources = w->job->n_sources;
    uint32_t *first = w->source_first;
    memset(first, 0, (n_sources + 1) * sizeof *first);
    for (uint32_t i = 0; i < w->n_rows; i++)
        first[w->rows[i].source + 1]++;
    for (unsigned s = 0; s < n_sources; s++)
        first[s + 1] += first[s];
    for (uint32_t i = w->n_rows; i-- > 0;) {
        uint32_t at = --first[w->rows[i].source + 1];
        w->slots[at] = (uint64_t)w->rows[i].row << 16 | i;
    }
    /* Each first[s + 1] now is where s begins. */
    for (unsigned s = 0; s < n_sources; s++)
        first[s] = first[s + 1];
    first[n_sources] = w->n_rows;
    for (unsigned s = 0; s < n_sources; s++)
        qsort(w->slots + first[s], first[s + 1] - first[s], sizeof *w->slots, by_u64);
}

/* Where values go, by row of the group. */
struct target {
    struct skep_segment_writer *w;
    enum skep_segment_form form;
    const uint32_t *map; /* list numbers of the source -> of the segment; NULL = as they are */
    uint32_t map_size;
};

static skep_rc copy_string(struct target *t, uint32_t row, skep_str s, skep_err *err)
{
    struct skep_segment_writer *w = t->w;
    w->col.hashes[row] = skep_hash(skep_str_bytes(s));
    if (s.n > 0) {
        char *p = skep_arena_try_alloc(&w->arena, s.n);
        if (!p)
            return skep_fail(err, SKEP_ENOMEM, "no budget for the strings of a row group");
        memcpy(p, s.p, s.n);
        s.p = p;
    }
    w->col.strs[row] = s;
    return SKEP_OK;
}

static inline bool has_value(const struct skep_vec *v, unsigned i)
{
    return !v->valid || (v->valid[i / 64] >> (i % 64) & 1);
}

static skep_rc map_lists(struct target *t, const uint64_t *slots, uint32_t n, skep_err *err)
{
    int64_t *out = t->w->row_ints;
    for (uint32_t k = 0; t->map && k < n; k++) {
        uint32_t row = slots[k] & 0xffff;
        if (!(t->w->col.bitmap[row / 64] >> (row % 64) & 1))
            continue;
        if ((uint64_t)out[row] >= t->map_size)
            return skep_fail(err, SKEP_ECORRUPT, "a row's list number is out of range");
        out[row] = t->map[out[row]];
    }
    return SKEP_OK;
}

/* slots[0..n) are rows of v, which begins at row0 of the source.  One loop a form: this is where a
 * flush spends its time. */
static skep_rc take_values(struct target *t, const struct skep_vec *v, uint64_t row0,
                           const uint64_t *slots, uint32_t n, skep_err *err)
{
    struct skep_segment_writer *w = t->w;
    uint64_t *bitmap = w->col.bitmap;
    /* A constant vector holds one value, at index 0. */
    unsigned step = v->constant ? 0 : UINT32_MAX;
#define EACH_PRESENT(body)                                                                         \
    for (uint32_t k = 0; k < n; k++) {                                                             \
        unsigned i = (unsigned)((slots[k] >> 16) - row0);                                          \
        uint32_t row = slots[k] & 0xffff;                                                          \
        if (!has_value(v, i))                                                                      \
            continue;                                                                              \
        bitmap[row / 64] |= 1ull << (row % 64);                                                    \
        i &= step;                                                                                 \
        body                                                                                       \
    }
    switch (v->form) {
    case SKEP_VEC_I64:
    case SKEP_VEC_F64: {
        const int64_t *in = v->form == SKEP_VEC_I64 ? v->i64 : (const int64_t *)v->f64;
        EACH_PRESENT(w->row_ints[row] = in[i];)
        return map_lists(t, slots, n, err);
    }
    case SKEP_VEC_DICT:
        EACH_PRESENT(w->col.strs[row] = skep_dict_str(v->dict, v->codes[i]);
                     w->col.hashes[row] = v->dict->hashes[v->codes[i]];)
        return SKEP_OK;
    case SKEP_VEC_STR: EACH_PRESENT(SKEP_TRY(copy_string(t, row, v->str[i], err));) return SKEP_OK;
    case SKEP_VEC_ID16: EACH_PRESENT(w->col.ids[row] = v->id16[i];) return SKEP_OK;
    }
#undef EACH_PRESENT
    skep_unreachable("vector form");
}

/* slots[0..n) lie in one block of the source. */
static skep_rc take_block(struct target *t, struct skep_colreader *r, const uint64_t *slots,
                          uint32_t n, skep_err *err)
{
    uint64_t row0 = slots[0] >> 16;
    unsigned span = (unsigned)((slots[n - 1] >> 16) - row0 + 1);
    struct skep_vec v;
    SKEP_TRY(r->ops->read(r, row0, span, &v, err));
    return v.none ? SKEP_OK : take_values(t, &v, row0, slots, n, err);
}

static skep_rc take_source(struct target *t, struct skep_colreader *r, unsigned source,
                           skep_err *err)
{
    struct skep_segment_writer *w = t->w;
    uint32_t at = w->source_first[source], end = w->source_first[source + 1];
    while (at < end) {
        uint64_t block = (w->slots[at] >> 16) / SKEP_BLOCK_ROWS;
        uint32_t to = at + 1;
        while (to < end && (w->slots[to] >> 16) / SKEP_BLOCK_ROWS == block)
            to++;
        SKEP_TRY(take_block(t, r, w->slots + at, to - at, err));
        at = to;
    }
    return SKEP_OK;
}

/* Push the present values together, in row order. */
static void compact(struct skep_segment_writer *w, enum skep_segment_form form)
{
    struct skep_wcolumn *c = &w->col;
    uint32_t n = 0;
    for (uint32_t word = 0; word < (w->n_rows + 63) / 64; word++) {
        for (uint64_t m = c->bitmap[word]; m; m &= m - 1) {
            uint32_t row = word * 64 + SKEP_CTZ64(m);
            switch (form) {
            case SKEP_FORM_INT:
            case SKEP_FORM_F64: c->ints[n] = w->row_ints[row]; break;
            case SKEP_FORM_EMPTY: c->ints[n] = 0; break;
            case SKEP_FORM_STR:
                c->strs[n] = c->strs[row];
                c->hashes[n] = c->hashes[row];
                break;
            case SKEP_FORM_ID16: break; /* kept by row */
            }
            n++;
        }
    }
    c->n = n;
}

static void set_map(struct target *t, uint32_t key, unsigned s)
{
    const struct skep_wlists *l = key == SKEP_COL_RESOURCE ? &t->w->resources
                                  : key == SKEP_COL_SCOPE  ? &t->w->scopes
                                                           : NULL;
    t->map = l ? l->maps[s] : NULL;
    t->map_size = l ? l->map_sizes[s] : 0;
}

/* Open the key in a source; *ret is NULL when the source does not have it. */
static skep_rc open_key(struct skep_segment_writer *w, uint32_t key, unsigned s,
                        struct skep_colreader **ret, skep_err *err)
{
    struct skep_rowset *rs = w->job->sources[s].rowset;
    *ret = NULL;
    if (key < SKEP_SEGMENT_FIELD_KEY)
        return rs->ops->open_column(rs, (enum skep_column)key, ret, err);
    uint32_t field = w->field_maps[s][key - SKEP_SEGMENT_FIELD_KEY];
    return field == UINT32_MAX ? SKEP_OK : rs->ops->open_field(rs, field, ret, err);
}

void skep_segment__close_readers(struct skep_segment_writer *w)
{
    for (unsigned s = 0; s < w->job->n_sources; s++) {
        if (w->readers[s])
            w->readers[s]->ops->close(w->readers[s]);
        w->readers[s] = NULL;
    }
}

skep_rc skep_segment__gather(struct skep_segment_writer *w, uint32_t key, skep_err *err)
{
    struct target t = {
        .w = w,
        .form = key < SKEP_SEGMENT_FIELD_KEY
                    ? skep_segment__column_form(key)
                    : skep_segment__type_form(w->fields[key - SKEP_SEGMENT_FIELD_KEY].type)};
    memset(w->col.bitmap, 0, SKEP_ROW_GROUP_ROWS / 8);
    if (t.form == SKEP_FORM_ID16)
        memset(w->col.ids, 0, w->n_rows * sizeof *w->col.ids);
    skep_segment__close_readers(w);
    skep_arena_reset(&w->arena);
    for (unsigned s = 0; s < w->job->n_sources; s++) {
        if (w->source_first[s] == w->source_first[s + 1])
            continue;
        struct skep_colreader *r;
        SKEP_TRY(open_key(w, key, s, &r, err));
        if (!r)
            continue;
        w->readers[s] = r;
        set_map(&t, key, s);
        SKEP_TRY(take_source(&t, r, s, err));
    }
    compact(w, t.form);
    skep_assert(w->col.n <= w->n_rows);
    return SKEP_OK;
}
