// SPDX-License-Identifier: Apache-2.0
/* Column readers of a segment.
 *
 * A reader stands in one row group at a time and holds pins on what it needs of it: the directory,
 * the column's chunk (or chunks, for long strings), its validity bitmap.  A read decodes the
 * present values of the rows asked for and spreads them to their rows.  A field that has no dense
 * column in the group is looked for in the group's sparse pages, once on entering the group.
 *
 * I1  dictionaries handed out stay pinned until close; those of a `brief` reader until it enters
 *     another row group.
 * I2  codes are checked against the dictionary, list numbers against the lists: hostile bytes
 *     cannot make a caller read outside.
 *
 * Threads: a reader belongs to one.
 * Memory: about 28 KiB a reader, 16 more for strings; scratch for decoded strings is bounded by
 * eight times the encoded bytes of a block. */
#include <float.h>
#include <math.h>

#include "base/assert.h"
#include "base/mem.h"
#include "store/column/segment_reader.h"

enum { FEW_ROWS = 64 };

skep_rc skep_reader__corrupt(struct skep_segment_reader *r, const char *what, skep_err *err)
{
    return skep_fail(err, SKEP_ECORRUPT, "%s: row group %u, column %u at %llu: %s", r->seg->path,
                     r->group, r->key, (unsigned long long)(r->entry ? r->entry->data.offset : 0),
                     what);
}

static void drop_parts(struct skep_segment_reader *r)
{
    for (uint32_t i = 0; i < r->n_parts; i++)
        skep_segment__unpin(r->seg, r->parts[i].pin);
    skep_free(r->parts);
    r->parts = NULL;
    r->n_parts = 0;
}

static void drop_dicts(struct skep_segment_reader *r)
{
    while (r->n_dicts > 0)
        skep_segment__unpin(r->seg, r->dicts[--r->n_dicts]);
}

static void leave_group(struct skep_segment_reader *r)
{
    struct skep_segment *seg = r->seg;
    r->base.spoiled = true;
    drop_parts(r);
    if (r->base.brief)
        drop_dicts(r);
    skep_sparse_clear(seg, &r->sparse);
    skep_mapped_close(seg, r->mapped);
    r->mapped = NULL;
    skep_lag_close(seg, r->lag);
    r->lag = NULL;
    skep_codec_scratch_forget(&r->scratch);
    skep_segment__unpin(seg, r->data);
    skep_segment__unpin(seg, r->dict_chunk);
    skep_segment__unpin(seg, r->presence.pin);
    skep_segment__unpin(seg, r->span_data);
    skep_segment__unpin(seg, r->span_presence.pin);
    skep_segment__unpin(seg, r->dir);
    r->data = r->span_data = r->dict_chunk = NULL;
    r->dict = NULL;
    r->presence.pin = r->span_presence.pin = NULL;
    r->dir = NULL;
    r->entry = r->span_entry = NULL;
    r->opened = false;
    r->codec = NULL;
    r->group = SKEP_NO_GROUP;
}

/* --- entering a row group --- */

static skep_rc open_parts(struct skep_segment_reader *r, skep_err *err)
{
    const struct skep_chunk_data *d = r->data;
    uint32_t n = d->length >= 4 ? skep_load_le32(d->bytes) : 0;
    if (n == 0 || d->length != 4 + (uint64_t)n * 24 || n > r->entry->n_present)
        return skep_reader__corrupt(r, "list of parts", err);
    r->parts = skep_alloc_n(struct skep_segment_part, n);
    r->n_parts = n;
    skep_rd rd = skep_rd_make((skep_bytes){d->bytes + 4, d->length - 4});
    for (uint32_t i = 0; i < n; i++) {
        struct skep_segment_part *p = &r->parts[i];
        p->first_value = skep_rd_u32(&rd);
        p->codec = (uint8_t)skep_rd_u32(&rd);
        p->ref.offset = skep_rd_u64(&rd);
        p->ref.length = skep_rd_u32(&rd);
        p->ref.crc = skep_rd_u32(&rd);
        if ((i == 0) != (p->first_value == 0) || (i > 0 && p->first_value <= p[-1].first_value) ||
            p->first_value >= r->entry->n_present)
            return skep_reader__corrupt(r, "parts are not in order", err);
        if (i > 0)
            p[-1].n_values = p->first_value - p[-1].first_value;
        p->n_values = r->entry->n_present - p->first_value;
    }
    return SKEP_OK;
}

skep_rc skep_reader__dict(struct skep_segment_reader *r, skep_err *err)
{
    const struct skep_column_entry *e = r->entry;
    const struct skep_dict_data *d;
    if (e->flags & SKEP_ENTRY_DICT_SEGMENT)
        SKEP_TRY(skep_segment__pin_shared(r->seg, r->origin, r->key_here, &d, err));
    else
        SKEP_TRY(skep_segment__pin_dict(r->seg, &e->dict, e->dict_codec, e->dict_n, &d, err));
    SKEP_GROW(r->dicts, r->n_dicts, r->cap_dicts);
    r->dicts[r->n_dicts++] = d;
    r->dict = &d->dict;
    return SKEP_OK;
}

static skep_rc open_spans(struct skep_segment_reader *r, skep_err *err)
{
    r->span_entry = skep_segment__find_entry(r->dir, SKEP_COL_SPAN_ID);
    const struct skep_column_entry *e = r->span_entry;
    if (!e || e->presence == SKEP_PRESENCE_NONE)
        return SKEP_OK;
    SKEP_TRY(skep_segment__pin_chunk(r->seg, &e->data, &r->span_data, err));
    if (e->codec != SKEP_CODEC_RAW64 || r->span_data->length != (uint64_t)e->n_present * 8)
        return skep_reader__corrupt(r, "span ids", err);
    return skep_segment__open_presence(r->seg, r->group, r->dir, e, &r->span_presence, err);
}

static bool layout_ok(const struct skep_segment_reader *r)
{
    const struct skep_column_entry *e = r->entry;
    bool dict = e->flags & (SKEP_ENTRY_DICT_SEGMENT | SKEP_ENTRY_DICT_LOCAL);
    switch (r->form) {
    case SKEP_FORM_ID16: return e->codec == SKEP_CODEC_TRACE_RUNS;
    case SKEP_FORM_STR:
        if (e->flags & SKEP_ENTRY_PARTS)
            return !dict;
        if (e->codec == SKEP_CODEC_MAP)
            return dict;
        return r->codec && r->codec->kind == (dict ? SKEP_CODEC_INTS : SKEP_CODEC_STRINGS);
    case SKEP_FORM_INT:
    case SKEP_FORM_F64:
    case SKEP_FORM_EMPTY:
        if (r->key == SKEP_COL_PARENT_ID)
            return e->codec == SKEP_CODEC_PARENT_REFS;
        if (dict || (e->flags & SKEP_ENTRY_PARTS))
            return false;
        if (e->codec == SKEP_CODEC_MAP)
            return r->key != SKEP_COL_SPAN_ID;
        if (e->codec == SKEP_CODEC_LAG)
            return r->key == SKEP_COL_ORDINAL;
        return r->codec && r->codec->kind == SKEP_CODEC_INTS;
    }
    return false;
}

static skep_rc open_dense(struct skep_segment_reader *r, skep_err *err)
{
    const struct skep_column_entry *e = r->entry;
    if (e->presence == SKEP_PRESENCE_NONE)
        return SKEP_OK;
    r->codec = skep_codec_find(e->codec);
    if (!layout_ok(r))
        return skep_reader__corrupt(r, "a column's codec does not fit its type", err);
    if ((r->key == SKEP_COL_TRACE_ID || r->key == SKEP_COL_PARENT_ID) &&
        e->presence != SKEP_PRESENCE_ALL)
        return skep_reader__corrupt(r, "an id column has holes", err);
    SKEP_TRY(skep_segment__pin_chunk(r->seg, &e->data, &r->data, err));
    SKEP_TRY(skep_segment__codec_chunk(r->seg, r->group, e, r->data, &r->chunk, err));
    SKEP_TRY(skep_segment__open_presence(r->seg, r->group, r->dir, e, &r->presence, err));
    if (e->flags & SKEP_ENTRY_PARTS)
        SKEP_TRY(open_parts(r, err));
    if (e->codec == SKEP_CODEC_MAP)
        SKEP_TRY(skep_mapped_open(r->seg, r->group, r->dir, &r->chunk, &r->mapped, err));
    if (e->codec == SKEP_CODEC_LAG)
        SKEP_TRY(skep_lag_open(r->seg, r->group, r->dir, &r->chunk, &r->lag, err));
    return r->key == SKEP_COL_PARENT_ID ? open_spans(r, err) : SKEP_OK;
}

static skep_rc open_sparse(struct skep_segment_reader *r, skep_err *err)
{
    if (r->key < SKEP_SEGMENT_FIELD_KEY || r->key_here == UINT32_MAX)
        return SKEP_OK;
    return skep_sparse_load(r->seg, r->dir, r->key_here, &r->sparse, err);
}

/* What numbers mean in the row group. */
static void set_origin(struct skep_segment_reader *r)
{
    const struct skep_segment_origin *o = skep_segment__origin(r->seg, r->group);
    if (o == r->origin)
        return;
    r->origin = o;
    r->key_here = r->field == UINT32_MAX ? r->key : skep_segment__key_in(o, r->field);
    r->lists = skep_segment__numbers(o, r->key);
}

/* What the directory says of the column; its chunks stay where they are. */
skep_rc skep_reader__look_at(struct skep_segment_reader *r, uint32_t group, skep_err *err)
{
    if (r->group == group)
        return SKEP_OK;
    leave_group(r);
    SKEP_TRY(skep_segment__pin_dir(r->seg, group, &r->dir, err));
    r->group = group;
    set_origin(r);
    r->entry = skep_segment__find_entry(r->dir, r->key_here);
    return SKEP_OK;
}

skep_rc skep_reader__enter(struct skep_segment_reader *r, uint32_t group, skep_err *err)
{
    if (r->group == group && r->opened)
        return SKEP_OK;
    skep_rc rc = skep_reader__look_at(r, group, err);
    if (rc == SKEP_OK)
        rc = r->entry ? open_dense(r, err) : open_sparse(r, err);
    if (rc != SKEP_OK)
        leave_group(r);
    else
        r->opened = true;
    return rc;
}

/* --- reading --- */

/* A column may have codes in one row group and strings in the next: room for the widest. */
void *skep_reader__wide(struct skep_segment_reader *r, size_t size)
{
    skep_assert(size <= sizeof(skep_str));
    if (!r->wide)
        r->wide = skep_malloc(SKEP_BLOCK_ROWS * sizeof(skep_str));
    return r->wide;
}

/* Bits [first, first + n) of the map, moved to bit 0 of ret[ceil(n / 64)]. */
void skep_reader__valid(const struct skep_segment_reader *r, uint32_t first, uint32_t n,
                        uint64_t *ret)
{
    const uint8_t *bits = r->presence.bits;
    uint32_t words = (n + 63) / 64, shift = first % 64;
    size_t at = first / 64 * 8;
    for (uint32_t k = 0; k < words; k++) {
        uint64_t w = skep_load_le64(bits + at + (size_t)k * 8) >> shift;
        /* The word behind the last one is the chunk's padding at worst. */
        if (shift)
            w |= skep_load_le64(bits + at + (size_t)(k + 1) * 8) << (64 - shift);
        ret[k] = w;
    }
    if (n % 64)
        ret[words - 1] &= (1ull << (n % 64)) - 1;
}

/* Present values in[count] to their rows; an absent row gets some value that is there.  in[count]
 * must be readable. */
static void spread_ints(const uint64_t *valid, const int64_t *in, uint32_t n, int64_t *out)
{
    uint32_t k = 0;
    for (uint32_t row = 0; row < n; row += 64) {
        uint32_t m = SKEP_MIN(n - row, 64u);
        uint64_t word = valid[row / 64];
        if (word == 0) {
            int64_t v = in[k];
            for (uint32_t i = 0; i < m; i++)
                out[row + i] = v;
            continue;
        }
        for (uint32_t i = 0; i < m; i++) {
            out[row + i] = in[k];
            k += (uint32_t)(word >> i & 1);
        }
    }
}

static void spread_codes(const uint64_t *valid, const uint32_t *in, uint32_t n, uint32_t *out)
{
    uint32_t k = 0;
    for (uint32_t row = 0; row < n; row += 64) {
        uint32_t m = SKEP_MIN(n - row, 64u);
        uint64_t word = valid[row / 64];
        if (word == UINT64_MAX) {
            memcpy(out + row, in + k, 64 * sizeof *out);
            k += 64;
            continue;
        }
        for (uint32_t i = 0; i < m; i++) {
            out[row + i] = in[k];
            k += (uint32_t)(word >> i & 1);
        }
    }
}

/* As spread_ints, but an absent row is 0: that is what a span id says. */
static void spread_zero(const uint64_t *valid, const int64_t *in, uint32_t n, int64_t *out)
{
    uint32_t k = 0;
    for (uint32_t row = 0; row < n; row++) {
        uint64_t has = valid[row / 64] >> (row % 64) & 1;
        out[row] = in[k] & -(int64_t)has;
        k += (uint32_t)has;
    }
}

/* In place, from the end. */
static void spread_strs(const uint64_t *valid, skep_str *a, uint32_t n, uint32_t count)
{
    for (uint32_t row = n, k = count; row-- > 0;) {
        for (; row % 64 == 63 && valid[row / 64] == 0; row -= 64) {
            for (uint32_t i = row - 63; i <= row; i++)
                a[i] = SKEP_STR_NULL;
            if (row == 63)
                return;
        }
        a[row] = (valid[row / 64] >> (row % 64) & 1) ? a[--k] : SKEP_STR_NULL;
    }
}

/* The values: in r->ints when every row has one, or each is known by row, else in r->packed, to be
 * spread. */
static skep_rc decode_ints(struct skep_segment_reader *r, uint32_t first, uint32_t *count,
                           struct skep_vec *v, const int64_t **ret, skep_err *err)
{
    if (r->mapped) {
        *count = v->n;
        *ret = r->ints;
        return skep_mapped_ints(r->mapped, r->row, v->n, r->ints) == SKEP_OK
                   ? SKEP_OK
                   : skep_reader__corrupt(r, "a column that follows another", err);
    }
    if (r->lag) {
        *ret = r->ints;
        return skep_lag_read(r->lag, r->row, v->n, r->ints) == SKEP_OK
                   ? SKEP_OK
                   : skep_reader__corrupt(r, "a column of steps", err);
    }
    if (r->codec == &skep_codec_constant) {
        v->constant = true;
        first = 0;
        *count = 1;
    }
    int64_t *to = v->valid && !v->constant ? r->packed : r->ints;
    if (r->codec->decode(&r->chunk, first, *count, to) != SKEP_OK)
        return skep_reader__corrupt(r, "values", err);
    if (to == r->packed)
        r->packed[*count] = 0;
    *ret = to;
    return SKEP_OK;
}

/* Is any of v[n] at or over the limit (as unsigned)? */
static bool any_over(const int64_t *v, uint32_t n, uint64_t limit)
{
    uint64_t over = 0;
    for (uint32_t i = 0; i < n; i++)
        over |= (uint64_t)v[i] >= limit;
    return over != 0;
}

/* Few rows (one trace) of a column with a dictionary of the row group: only their strings are
 * decoded, for building the whole dictionary would cost more than the rest of the look-up. */
static skep_rc read_few(struct skep_segment_reader *r, const int64_t *codes, uint32_t count,
                        struct skep_vec *v, skep_err *err)
{
    const struct skep_column_entry *e = r->entry;
    const struct skep_codec_ops *codec = skep_codec_find(e->dict_codec);
    if (!codec || codec->kind != SKEP_CODEC_STRINGS)
        return skep_reader__corrupt(r, "dictionary of unknown codec", err);
    if (!r->dict_chunk)
        SKEP_TRY(skep_segment__pin_chunk(r->seg, &e->dict, &r->dict_chunk, err));
    if (any_over(codes, count, e->dict_n))
        return skep_reader__corrupt(r, "a code lies outside its dictionary", err);
    struct skep_codec_chunk c = {r->dict_chunk->bytes, r->dict_chunk->length, e->dict_n};
    skep_str *strs = skep_reader__wide(r, sizeof(skep_str));
    skep_codec_scratch_reset(&r->scratch);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && codes[i] == codes[i - 1])
            strs[i] = strs[i - 1];
        else if (codec->decode_str(&c, (uint32_t)codes[i], 1, &strs[i], &r->scratch) != SKEP_OK)
            return skep_reader__corrupt(r, "strings of a dictionary", err);
    }
    if (codes == r->packed)
        spread_strs(v->valid, strs, v->n, count);
    v->form = SKEP_VEC_STR;
    v->str = strs;
    return SKEP_OK;
}

SKEP_CLONES static uint32_t highest(const uint32_t *v, uint32_t n)
{
    uint32_t top = 0;
    for (uint32_t i = 0; i < n; i++)
        top = SKEP_MAX(top, v[i]);
    return top;
}

static skep_rc read_codes(struct skep_segment_reader *r, uint32_t first, uint32_t count,
                          struct skep_vec *v, skep_err *err)
{
    if (!r->dict && (r->entry->flags & SKEP_ENTRY_DICT_LOCAL) && v->n <= FEW_ROWS) {
        const int64_t *in;
        SKEP_TRY(decode_ints(r, first, &count, v, &in, err));
        return read_few(r, in, count, v, err);
    }
    if (!r->dict)
        SKEP_TRY(skep_reader__dict(r, err));
    if (r->codec == &skep_codec_constant) {
        v->constant = true;
        first = 0;
        count = 1;
    }
    uint32_t *codes = skep_reader__wide(r, sizeof(uint32_t));
    uint32_t *to = v->valid && !v->constant && !r->mapped ? (uint32_t *)r->packed : codes;
    if (r->mapped) {
        if (skep_mapped_codes(r->mapped, r->row, v->n, r->dict->n, codes) != SKEP_OK)
            return skep_reader__corrupt(r, "a column that follows another", err);
    } else if (skep_codec_decode32(r->codec, &r->chunk, first, count, to) != SKEP_OK)
        return skep_reader__corrupt(r, "values", err);
    if (!r->mapped && highest(to, count) >= r->dict->n)
        return skep_reader__corrupt(r, "a code lies outside its dictionary", err);
    if (to != codes) {
        to[count] = 0;
        spread_codes(v->valid, to, v->n, codes);
    }
    v->form = SKEP_VEC_DICT;
    v->codes = codes;
    v->dict = r->dict;
    return SKEP_OK;
}

/* Values that stand in one part. */
struct stretch {
    const struct skep_codec_ops *codec;
    struct skep_codec_chunk chunk;
    uint32_t first, n; /* of the chunk */
    uint32_t at;       /* places behind the first value asked for */
};

/* What values [first, first + count) are in a part: [*ret_from, *ret_to), 0 = the column's first.
 * False: none; then it is let go. */
static bool part_range(struct skep_segment_reader *r, struct skep_segment_part *p, uint32_t first,
                       uint32_t count, uint32_t *ret_from, uint32_t *ret_to)
{
    *ret_from = SKEP_MAX(first, p->first_value);
    *ret_to = SKEP_MIN(first + count, p->first_value + p->n_values);
    if (*ret_from < *ret_to)
        return true;
    if (p->pin)
        skep_codec_scratch_forget(&r->scratch);
    skep_segment__unpin(r->seg, p->pin);
    p->pin = NULL;
    return false;
}

static skep_rc open_part(struct skep_segment_reader *r, struct skep_segment_part *p,
                         struct stretch *ret, skep_err *err)
{
    ret->codec = skep_codec_find(p->codec);
    if (!ret->codec || ret->codec->kind != SKEP_CODEC_STRINGS)
        return skep_reader__corrupt(r, "codec of a part", err);
    if (!p->pin)
        SKEP_TRY(skep_segment__pin_chunk(r->seg, &p->ref, &p->pin, err));
    ret->chunk = (struct skep_codec_chunk){p->pin->bytes, p->pin->length, p->n_values};
    return SKEP_OK;
}

/* Values [first, first + count) from part *part on: the next stretch of them, and *part behind it;
 * n == 0: there is none. */
static skep_rc next_stretch(struct skep_segment_reader *r, uint32_t *part, uint32_t first,
                            uint32_t count, struct stretch *ret, skep_err *err)
{
    *ret = (struct stretch){.n = 0};
    while (*part < r->n_parts) {
        struct skep_segment_part *p = &r->parts[(*part)++];
        uint32_t from, to;
        if (!part_range(r, p, first, count, &from, &to))
            continue;
        SKEP_TRY(open_part(r, p, ret, err));
        ret->first = from - p->first_value;
        ret->n = to - from;
        ret->at = from - first;
        return SKEP_OK;
    }
    return SKEP_OK;
}

static skep_rc read_parts(struct skep_segment_reader *r, uint32_t first, uint32_t count,
                          skep_str *out, skep_err *err)
{
    struct stretch s;
    for (uint32_t part = 0;;) {
        SKEP_TRY(next_stretch(r, &part, first, count, &s, err));
        if (s.n == 0)
            return SKEP_OK;
        if (s.codec->decode_str(&s.chunk, s.first, s.n, out + s.at, &r->scratch) != SKEP_OK)
            return skep_reader__corrupt(r, "strings of a part", err);
    }
}

skep_rc skep_reader__parts_contain(struct skep_segment_reader *r, uint32_t first, uint32_t count,
                                   skep_str needle, uint64_t *packed)
{
    struct stretch s;
    for (uint32_t part = 0;;) {
        uint64_t some[SKEP_BLOCK_ROWS / 64 + 1] = {0};
        SKEP_TRY(next_stretch(r, &part, first, count, &s, NULL));
        if (s.n == 0)
            return SKEP_OK;
        SKEP_TRY(skep_codec_contains(s.codec, &s.chunk, s.first, s.n, needle, some, &r->scratch));
        uint32_t shift = s.at % 64, at = s.at / 64;
        for (uint32_t w = 0; w < (s.n + 63) / 64; w++) {
            packed[at + w] |= some[w] << shift;
            if (shift && some[w] >> (64 - shift)) /* then there is a next word */
                packed[at + w + 1] |= some[w] >> (64 - shift);
        }
    }
}

skep_rc skep_reader__parts_some(struct skep_segment_reader *r, uint32_t first, uint32_t count,
                                const uint8_t *wanted, skep_str *ret)
{
    struct stretch s;
    for (uint32_t part = 0;;) {
        SKEP_TRY(next_stretch(r, &part, first, count, &s, NULL));
        if (s.n == 0)
            return SKEP_OK;
        skep_str *to = ret + s.at;
        SKEP_TRY(s.codec->some
                     ? s.codec->some(&s.chunk, s.first, s.n, wanted + s.at, to, &r->scratch)
                     : s.codec->decode_str(&s.chunk, s.first, s.n, to, &r->scratch));
    }
}

/* Texts of one part's chunk go when the next is opened: they are kept in the scratch. */
static void keep_texts(const uint8_t *known, skep_value *v, uint32_t n,
                       struct skep_codec_scratch *scratch)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < n; i++)
        bytes += known[i] && v[i].type == SKEP_TYPE_STRING ? v[i].s.n : 0;
    char *to = (char *)skep_codec_scratch_take(scratch, bytes + 1);
    for (uint32_t i = 0; i < n; i++) {
        if (!known[i] || v[i].type != SKEP_TYPE_STRING || v[i].s.n == 0)
            continue;
        memcpy(to, v[i].s.p, v[i].s.n);
        v[i].s.p = to;
        to += v[i].s.n;
    }
}

skep_rc skep_reader__parts_members(struct skep_segment_reader *r, uint32_t first, uint32_t count,
                                   const struct skep_codec_path *path, const uint8_t *wanted,
                                   uint8_t *known, skep_value *ret)
{
    struct stretch s;
    for (uint32_t part = 0;;) {
        SKEP_TRY(next_stretch(r, &part, first, count, &s, NULL));
        if (s.n == 0)
            return SKEP_OK;
        if (!s.codec->members)
            continue;
        SKEP_TRY(s.codec->members(&s.chunk, s.first, s.n, path, wanted + s.at, known + s.at,
                                  ret + s.at, &r->scratch));
        if (s.at + s.n < count)
            keep_texts(known + s.at, ret + s.at, s.n, &r->scratch);
    }
}

static skep_rc read_strs(struct skep_segment_reader *r, uint32_t first, uint32_t count,
                         struct skep_vec *v, skep_err *err)
{
    skep_str *strs = skep_reader__wide(r, sizeof(skep_str));
    skep_codec_scratch_reset(&r->scratch);
    if (r->n_parts)
        SKEP_TRY(read_parts(r, first, count, strs, err));
    else if (r->codec->decode_str(&r->chunk, first, count, strs, &r->scratch) != SKEP_OK)
        return skep_reader__corrupt(r, "strings", err);
    if (v->valid)
        spread_strs(v->valid, strs, v->n, count);
    v->form = SKEP_VEC_STR;
    v->str = strs;
    return SKEP_OK;
}

static skep_rc read_ints(struct skep_segment_reader *r, uint32_t first, uint32_t count,
                         struct skep_vec *v, skep_err *err)
{
    const int64_t *in;
    SKEP_TRY(decode_ints(r, first, &count, v, &in, err));
    if (r->lists.n != UINT32_MAX && any_over(in, count, r->lists.n))
        return skep_reader__corrupt(r, "a row's list number is out of range", err);
    if (r->lists.to)
        skep_segment__renumber(&r->lists, count, in == r->packed ? r->packed : r->ints);
    if (in == r->packed)
        (r->key == SKEP_COL_SPAN_ID ? spread_zero : spread_ints)(v->valid, in, v->n, r->ints);
    if (r->form == SKEP_FORM_F64) {
        v->form = SKEP_VEC_F64;
        v->f64 = (const double *)r->ints;
    } else {
        v->form = SKEP_VEC_I64;
        v->i64 = r->ints;
    }
    return SKEP_OK;
}

/* Parents: references to rows become the span ids there. */
static skep_rc read_parents(struct skep_segment_reader *r, uint32_t first, uint32_t n,
                            struct skep_vec *v, skep_err *err)
{
    uint64_t *exceptions = skep_reader__wide(r, sizeof(uint64_t));
    SKEP_TRY(skep_segment__read_parent_refs(r->seg, &r->chunk, first, n, r->ints, exceptions, err));
    for (uint32_t i = 0; i < n; i++) {
        uint64_t code = (uint64_t)r->ints[i];
        if (code < 2) {
            r->ints[i] = code ? (int64_t)exceptions[i] : 0;
            continue;
        }
        uint64_t z = code - 2;
        int64_t d = (int64_t)(z >> 1) ^ -(int64_t)(z & 1);
        int64_t at = (int64_t)first + i - d;
        if (d > SKEP_ROW_GROUP_ROWS || d < -SKEP_ROW_GROUP_ROWS || at < 0 ||
            at >= (int64_t)r->dir->n_rows || !r->span_data ||
            !skep_presence__has(&r->span_presence, (uint32_t)at))
            return skep_reader__corrupt(r, "a parent reference points nowhere", err);
        uint32_t k = skep_presence__rank(&r->span_presence, (uint32_t)at);
        r->ints[i] = (int64_t)skep_load_le64(r->span_data->bytes + (size_t)k * 8);
    }
    v->form = SKEP_VEC_I64;
    v->i64 = r->ints;
    return SKEP_OK;
}

static skep_rc read_dense(struct skep_segment_reader *r, uint32_t first, uint32_t n,
                          struct skep_vec *v, skep_err *err)
{
    const struct skep_column_entry *e = r->entry;
    if (e->presence == SKEP_PRESENCE_NONE) {
        v->none = true;
        return SKEP_OK;
    }
    if (r->key == SKEP_COL_TRACE_ID) {
        skep_trace_id *ids = skep_reader__wide(r, sizeof(skep_trace_id));
        v->form = SKEP_VEC_ID16;
        v->id16 = ids;
        return skep_segment__read_trace_ids(r->seg, &r->chunk, first, n, ids, err);
    }
    if (r->key == SKEP_COL_PARENT_ID)
        return read_parents(r, first, n, v, err);
    uint32_t rank = first, count = n;
    r->row = first;
    if (r->presence.bits) {
        rank = skep_presence__rank(&r->presence, first);
        count = skep_presence__rank(&r->presence, first + n) - rank;
        if (count == 0) {
            v->none = true;
            return SKEP_OK;
        }
        if (count < n) {
            skep_reader__valid(r, first, n, r->valid);
            v->valid = r->valid;
        }
    }
    if (r->form != SKEP_FORM_STR)
        return read_ints(r, rank, count, v, err);
    bool dict = e->flags & (SKEP_ENTRY_DICT_SEGMENT | SKEP_ENTRY_DICT_LOCAL);
    return dict ? read_codes(r, rank, count, v, err) : read_strs(r, rank, count, v, err);
}

static void read_sparse(struct skep_segment_reader *r, uint32_t first, uint32_t n,
                        struct skep_vec *v)
{
    bool str = r->form == SKEP_FORM_STR;
    skep_str *strs = str ? skep_reader__wide(r, sizeof(skep_str)) : NULL;
    if (!skep_sparse_spread(&r->sparse, first, n, r->valid, r->ints, strs)) {
        v->none = true;
        return;
    }
    v->valid = r->valid;
    v->form = str ? SKEP_VEC_STR : r->form == SKEP_FORM_F64 ? SKEP_VEC_F64 : SKEP_VEC_I64;
    v->str = strs;
    v->i64 = r->ints;
    v->f64 = (const double *)r->ints;
}

static skep_rc read(struct skep_colreader *base, uint64_t row0, unsigned n, struct skep_vec *ret,
                    skep_err *err)
{
    struct skep_segment_reader *r = (struct skep_segment_reader *)base;
    skep_assert(n > 0 && row0 % SKEP_BLOCK_ROWS + n <=
                             skep_rowset_block_rows(&r->seg->base, row0 / SKEP_BLOCK_ROWS));
    SKEP_TRY(skep_reader__enter(r, (uint32_t)(row0 / SKEP_ROW_GROUP_ROWS), err));
    uint32_t first = (uint32_t)(row0 % SKEP_ROW_GROUP_ROWS);
    struct skep_vec v = {.form = SKEP_VEC_I64, .n = n};
    if (r->entry)
        SKEP_TRY(read_dense(r, first, n, &v, err));
    else if (r->sparse.n)
        read_sparse(r, first, n, &v);
    else
        v.none = true;
    if (r->key == SKEP_COL_SPAN_ID) { /* 0 is a value of this column */
        if (v.none) {
            r->ints[0] = 0;
            v = (struct skep_vec){.form = SKEP_VEC_I64, .n = n, .constant = true, .i64 = r->ints};
        }
        v.valid = NULL;
    }
    r->base.spoiled = false;
    *ret = v;
    return SKEP_OK;
}

static void close_reader(struct skep_colreader *base)
{
    struct skep_segment_reader *r = (struct skep_segment_reader *)base;
    leave_group(r);
    drop_dicts(r);
    skep_free(r->dicts);
    skep_free(r->found);
    skep_sparse_done(r->seg, &r->sparse);
    skep_codec_scratch_done(&r->scratch);
    skep_free(r->wide);
    skep_rowset_unref(&r->seg->base);
    skep_free(r);
}

static const struct skep_colreader_ops reader_ops = {
    .read = read,
    .close = close_reader,
    .zone = skep_reader__zone,
    .maybe = skep_reader__maybe,
    .lacks = skep_reader__lacks,
    .equal = skep_reader__equal,
    .contains = skep_reader__contains,
    .members = skep_reader__members,
    .some = skep_reader__some,
    .between = skep_reader__between,
    .same = skep_reader__same,
    .present = skep_reader__present,
    .coded = skep_reader__coded,
    .tally = skep_reader__tally,
};

static struct skep_colreader *new_reader(struct skep_rowset *rs, uint32_t key, uint32_t field,
                                         enum skep_segment_form form)
{
    /* A trace reads a few rows of fifty columns: what they are decoded into is not zeroed. */
    struct skep_segment_reader *r = skep_malloc(sizeof *r);
    memset(r, 0, offsetof(struct skep_segment_reader, valid));
    r->base.ops = &reader_ops;
    r->base.rowset = skep_rowset_ref(rs);
    r->seg = skep_segment__of(rs);
    r->key = key;
    r->field = field;
    r->form = r->sparse.form = form;
    r->group = r->asked_group = SKEP_NO_GROUP;
    return &r->base;
}

skep_rc skep_segment__open_column(struct skep_rowset *rs, enum skep_column col,
                                  struct skep_colreader **ret, skep_err *err)
{
    (void)err;
    skep_assert((unsigned)col < SKEP_COL_COUNT);
    *ret = new_reader(rs, col, UINT32_MAX, skep_segment__column_form(col));
    return SKEP_OK;
}

skep_rc skep_segment__open_field(struct skep_rowset *rs, uint32_t field,
                                 struct skep_colreader **ret, skep_err *err)
{
    (void)err;
    skep_assert(field < rs->n_fields);
    *ret = new_reader(rs, skep_segment__of(rs)->keys[field], field,
                      skep_segment__type_form(rs->fields[field].type));
    return SKEP_OK;
}
