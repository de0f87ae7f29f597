// SPDX-License-Identifier: Apache-2.0
/* Column readers of a segment.
 *
 * A reader stands in one row group at a time and holds pins on what it needs of it: the directory,
 * the column's chunk (or chunks, for long strings), its validity bitmap.  A read decodes the
 * present values of the rows asked for and spreads them to their rows.  A field that has no dense
 * column in the group is looked for in the group's sparse pages, once on entering the group.
 *
 * I1  dictionaries handed out stay pinned until close.
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
#include "store/column/segment_mapped.h"
#include "store/column/segment_sparse.h"

enum { NO_GROUP = UINT32_MAX, FEW_ROWS = 64 };

struct part {
    uint32_t first_value, n_values;
    uint8_t codec;
    struct skep_chunk_ref ref;
    const struct skep_chunk_data *pin;
};

struct reader {
    struct skep_colreader base;
    struct skep_segment *seg;
    uint32_t key;
    enum skep_segment_form form;
    uint32_t n_lists; /* RESOURCE, SCOPE: values must be below; else UINT32_MAX */

    /* The row group. */
    uint32_t group;
    const struct skep_group_dir *dir;
    const struct skep_column_entry *entry; /* NULL = not dense here */
    bool opened;                           /* the rest of the group's members are set */
    const struct skep_codec_ops *codec;
    const struct skep_chunk_data *data;
    struct skep_codec_chunk chunk;
    struct skep_presence_map presence;
    const struct skep_dict *dict;
    const struct skep_chunk_data *dict_chunk; /* read value by value, see read_few() */
    struct part *parts;
    uint32_t n_parts;
    struct skep_sparse sparse;
    struct skep_mapped *mapped; /* codec MAP; else NULL */
    uint32_t row;               /* of the group, the first that is read */
    /* PARENT_ID: the span ids it refers to. */
    const struct skep_column_entry *span_entry;
    const struct skep_chunk_data *span_data;
    struct skep_presence_map span_presence;

    /* The string asked for last, and its code. */
    uint64_t asked;
    uint32_t asked_group, asked_code;

    /* Kept to the end. */
    const struct skep_dict_data **dicts;
    uint32_t n_dicts, cap_dicts;
    struct skep_codec_scratch scratch;

    uint64_t valid[SKEP_BLOCK_ROWS / 64];
    int64_t ints[SKEP_BLOCK_ROWS];
    int64_t packed[SKEP_BLOCK_ROWS + 1];
    void *wide; /* codes, strings or ids: SKEP_BLOCK_ROWS of them */
};

static skep_rc corrupt(struct reader *r, const char *what, skep_err *err)
{
    return skep_fail(err, SKEP_ECORRUPT, "%s: row group %u, column %u at %llu: %s", r->seg->path,
                     r->group, r->key, (unsigned long long)(r->entry ? r->entry->data.offset : 0),
                     what);
}

static void drop_parts(struct reader *r)
{
    for (uint32_t i = 0; i < r->n_parts; i++)
        skep_segment__unpin(r->seg, r->parts[i].pin);
    skep_free(r->parts);
    r->parts = NULL;
    r->n_parts = 0;
}

static void leave_group(struct reader *r)
{
    struct skep_segment *seg = r->seg;
    drop_parts(r);
    skep_sparse_clear(seg, &r->sparse);
    skep_mapped_close(seg, r->mapped);
    r->mapped = NULL;
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
    r->group = NO_GROUP;
}

/* --- entering a row group --- */

static skep_rc open_parts(struct reader *r, skep_err *err)
{
    const struct skep_chunk_data *d = r->data;
    uint32_t n = d->length >= 4 ? skep_load_le32(d->bytes) : 0;
    if (n == 0 || d->length != 4 + (uint64_t)n * 24 || n > r->entry->n_present)
        return corrupt(r, "list of parts", err);
    r->parts = skep_alloc_n(struct part, n);
    r->n_parts = n;
    skep_rd rd = skep_rd_make((skep_bytes){d->bytes + 4, d->length - 4});
    for (uint32_t i = 0; i < n; i++) {
        struct part *p = &r->parts[i];
        p->first_value = skep_rd_u32(&rd);
        p->codec = (uint8_t)skep_rd_u32(&rd);
        p->ref.offset = skep_rd_u64(&rd);
        p->ref.length = skep_rd_u32(&rd);
        p->ref.crc = skep_rd_u32(&rd);
        if ((i == 0) != (p->first_value == 0) || (i > 0 && p->first_value <= p[-1].first_value) ||
            p->first_value >= r->entry->n_present)
            return corrupt(r, "parts are not in order", err);
        if (i > 0)
            p[-1].n_values = p->first_value - p[-1].first_value;
        p->n_values = r->entry->n_present - p->first_value;
    }
    return SKEP_OK;
}

static skep_rc open_dict(struct reader *r, skep_err *err)
{
    const struct skep_column_entry *e = r->entry;
    if (e->flags & SKEP_ENTRY_DICT_SEGMENT)
        return skep_segment__dict(r->seg, r->key, &r->dict, err);
    const struct skep_dict_data *d;
    SKEP_TRY(skep_segment__pin_dict(r->seg, &e->dict, e->dict_codec, e->dict_n, &d, err));
    SKEP_GROW(r->dicts, r->n_dicts, r->cap_dicts);
    r->dicts[r->n_dicts++] = d;
    r->dict = &d->dict;
    return SKEP_OK;
}

static skep_rc open_spans(struct reader *r, skep_err *err)
{
    r->span_entry = skep_segment__find_entry(r->dir, SKEP_COL_SPAN_ID);
    const struct skep_column_entry *e = r->span_entry;
    if (!e || e->presence == SKEP_PRESENCE_NONE)
        return SKEP_OK;
    SKEP_TRY(skep_segment__pin_chunk(r->seg, &e->data, &r->span_data, err));
    if (e->codec != SKEP_CODEC_RAW64 || r->span_data->length != (uint64_t)e->n_present * 8)
        return corrupt(r, "span ids", err);
    return skep_segment__open_presence(r->seg, r->group, r->dir, e, &r->span_presence, err);
}

static bool layout_ok(const struct reader *r)
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
        return r->codec && r->codec->kind == SKEP_CODEC_INTS;
    }
    return false;
}

static skep_rc open_dense(struct reader *r, skep_err *err)
{
    const struct skep_column_entry *e = r->entry;
    if (e->presence == SKEP_PRESENCE_NONE)
        return SKEP_OK;
    r->codec = skep_codec_find(e->codec);
    if (!layout_ok(r))
        return corrupt(r, "a column's codec does not fit its type", err);
    if ((r->key == SKEP_COL_TRACE_ID || r->key == SKEP_COL_PARENT_ID) &&
        e->presence != SKEP_PRESENCE_ALL)
        return corrupt(r, "an id column has holes", err);
    SKEP_TRY(skep_segment__pin_chunk(r->seg, &e->data, &r->data, err));
    SKEP_TRY(skep_segment__codec_chunk(r->seg, r->group, e, r->data, &r->chunk, err));
    SKEP_TRY(skep_segment__open_presence(r->seg, r->group, r->dir, e, &r->presence, err));
    if (e->flags & SKEP_ENTRY_PARTS)
        SKEP_TRY(open_parts(r, err));
    if (e->codec == SKEP_CODEC_MAP)
        SKEP_TRY(skep_mapped_open(r->seg, r->group, r->dir, &r->chunk, &r->mapped, err));
    return r->key == SKEP_COL_PARENT_ID ? open_spans(r, err) : SKEP_OK;
}

static skep_rc open_sparse(struct reader *r, skep_err *err)
{
    if (r->key < SKEP_SEGMENT_FIELD_KEY)
        return SKEP_OK;
    return skep_sparse_load(r->seg, r->dir, r->key, &r->sparse, err);
}

/* What the directory says of the column; its chunks stay where they are. */
static skep_rc look_at_group(struct reader *r, uint32_t group, skep_err *err)
{
    if (r->group == group)
        return SKEP_OK;
    leave_group(r);
    SKEP_TRY(skep_segment__pin_dir(r->seg, group, &r->dir, err));
    r->group = group;
    r->entry = skep_segment__find_entry(r->dir, r->key);
    return SKEP_OK;
}

static skep_rc enter_group(struct reader *r, uint32_t group, skep_err *err)
{
    if (r->group == group && r->opened)
        return SKEP_OK;
    skep_rc rc = look_at_group(r, group, err);
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
static void *wide(struct reader *r, size_t size)
{
    skep_assert(size <= sizeof(skep_str));
    if (!r->wide)
        r->wide = skep_calloc(SKEP_BLOCK_ROWS, sizeof(skep_str));
    return r->wide;
}

/* Bits [first, first + n) of the map, moved to bit 0 of r->valid. */
static void copy_valid(struct reader *r, uint32_t first, uint32_t n)
{
    const uint8_t *bits = r->presence.bits;
    uint32_t words = (n + 63) / 64, shift = first % 64;
    size_t at = first / 64 * 8;
    for (uint32_t k = 0; k < words; k++) {
        uint64_t w = skep_load_le64(bits + at + (size_t)k * 8) >> shift;
        /* The word behind the last one is the chunk's padding at worst. */
        if (shift)
            w |= skep_load_le64(bits + at + (size_t)(k + 1) * 8) << (64 - shift);
        r->valid[k] = w;
    }
    if (n % 64)
        r->valid[words - 1] &= (1ull << (n % 64)) - 1;
}

/* Present values in[count] to their rows; an absent row gets some value that is there.  in[count]
 * must be readable. */
static void spread_ints(const uint64_t *valid, const int64_t *in, uint32_t n, int64_t *out)
{
    uint32_t k = 0;
    for (uint32_t row = 0; row < n; row++) {
        out[row] = in[k];
        k += (uint32_t)(valid[row / 64] >> (row % 64) & 1);
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
    for (uint32_t row = n, k = count; row-- > 0;)
        a[row] = (valid[row / 64] >> (row % 64) & 1) ? a[--k] : SKEP_STR_NULL;
}

/* The values: in r->ints when every row has one, or each is known by row, else in r->packed, to be
 * spread. */
static skep_rc decode_ints(struct reader *r, uint32_t first, uint32_t *count, struct skep_vec *v,
                           const int64_t **ret, skep_err *err)
{
    if (r->mapped) {
        *count = v->n;
        *ret = r->ints;
        return skep_mapped_ints(r->mapped, r->row, v->n, r->ints) == SKEP_OK
                   ? SKEP_OK
                   : corrupt(r, "a column that follows another", err);
    }
    if (r->codec == &skep_codec_constant) {
        v->constant = true;
        first = 0;
        *count = 1;
    }
    int64_t *to = v->valid && !v->constant ? r->packed : r->ints;
    if (r->codec->decode(&r->chunk, first, *count, to) != SKEP_OK)
        return corrupt(r, "values", err);
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
static skep_rc read_few(struct reader *r, const int64_t *codes, uint32_t count, struct skep_vec *v,
                        skep_err *err)
{
    const struct skep_column_entry *e = r->entry;
    const struct skep_codec_ops *codec = skep_codec_find(e->dict_codec);
    if (!codec || codec->kind != SKEP_CODEC_STRINGS)
        return corrupt(r, "dictionary of unknown codec", err);
    if (!r->dict_chunk)
        SKEP_TRY(skep_segment__pin_chunk(r->seg, &e->dict, &r->dict_chunk, err));
    if (any_over(codes, count, e->dict_n))
        return corrupt(r, "a code lies outside its dictionary", err);
    struct skep_codec_chunk c = {r->dict_chunk->bytes, r->dict_chunk->length, e->dict_n};
    skep_str *strs = wide(r, sizeof(skep_str));
    skep_codec_scratch_reset(&r->scratch);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && codes[i] == codes[i - 1])
            strs[i] = strs[i - 1];
        else if (codec->decode_str(&c, (uint32_t)codes[i], 1, &strs[i], &r->scratch) != SKEP_OK)
            return corrupt(r, "strings of a dictionary", err);
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

static skep_rc read_codes(struct reader *r, uint32_t first, uint32_t count, struct skep_vec *v,
                          skep_err *err)
{
    if (!r->dict && (r->entry->flags & SKEP_ENTRY_DICT_LOCAL) && v->n <= FEW_ROWS) {
        const int64_t *in;
        SKEP_TRY(decode_ints(r, first, &count, v, &in, err));
        return read_few(r, in, count, v, err);
    }
    if (!r->dict)
        SKEP_TRY(open_dict(r, err));
    if (r->codec == &skep_codec_constant) {
        v->constant = true;
        first = 0;
        count = 1;
    }
    uint32_t *codes = wide(r, sizeof(uint32_t));
    uint32_t *to = v->valid && !v->constant && !r->mapped ? (uint32_t *)r->packed : codes;
    if (r->mapped) {
        if (skep_mapped_codes(r->mapped, r->row, v->n, r->dict->n, codes) != SKEP_OK)
            return corrupt(r, "a column that follows another", err);
    } else if (skep_codec_decode32(r->codec, &r->chunk, first, count, to) != SKEP_OK)
        return corrupt(r, "values", err);
    if (!r->mapped && highest(to, count) >= r->dict->n)
        return corrupt(r, "a code lies outside its dictionary", err);
    if (to != codes) {
        to[count] = 0;
        spread_codes(v->valid, to, v->n, codes);
    }
    v->form = SKEP_VEC_DICT;
    v->codes = codes;
    v->dict = r->dict;
    return SKEP_OK;
}

static skep_rc read_part(struct reader *r, struct part *p, uint32_t first, uint32_t n,
                         skep_str *out, skep_err *err)
{
    const struct skep_codec_ops *codec = skep_codec_find(p->codec);
    if (!codec || codec->kind != SKEP_CODEC_STRINGS)
        return corrupt(r, "codec of a part", err);
    if (!p->pin)
        SKEP_TRY(skep_segment__pin_chunk(r->seg, &p->ref, &p->pin, err));
    struct skep_codec_chunk c = {p->pin->bytes, p->pin->length, p->n_values};
    if (codec->decode_str(&c, first, n, out, &r->scratch) != SKEP_OK)
        return corrupt(r, "strings of a part", err);
    return SKEP_OK;
}

static skep_rc read_parts(struct reader *r, uint32_t first, uint32_t count, skep_str *out,
                          skep_err *err)
{
    for (uint32_t i = 0; i < r->n_parts; i++) {
        struct part *p = &r->parts[i];
        uint32_t from = SKEP_MAX(first, p->first_value);
        uint32_t to = SKEP_MIN(first + count, p->first_value + p->n_values);
        if (from >= to) {
            if (p->pin)
                skep_codec_scratch_forget(&r->scratch);
            skep_segment__unpin(r->seg, p->pin);
            p->pin = NULL;
            continue;
        }
        SKEP_TRY(read_part(r, p, from - p->first_value, to - from, out + (from - first), err));
    }
    return SKEP_OK;
}

static skep_rc read_strs(struct reader *r, uint32_t first, uint32_t count, struct skep_vec *v,
                         skep_err *err)
{
    skep_str *strs = wide(r, sizeof(skep_str));
    skep_codec_scratch_reset(&r->scratch);
    if (r->n_parts)
        SKEP_TRY(read_parts(r, first, count, strs, err));
    else if (r->codec->decode_str(&r->chunk, first, count, strs, &r->scratch) != SKEP_OK)
        return corrupt(r, "strings", err);
    if (v->valid)
        spread_strs(v->valid, strs, v->n, count);
    v->form = SKEP_VEC_STR;
    v->str = strs;
    return SKEP_OK;
}

static skep_rc read_ints(struct reader *r, uint32_t first, uint32_t count, struct skep_vec *v,
                         skep_err *err)
{
    const int64_t *in;
    SKEP_TRY(decode_ints(r, first, &count, v, &in, err));
    if (r->n_lists != UINT32_MAX && any_over(in, count, r->n_lists))
        return corrupt(r, "a row's list number is out of range", err);
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
static skep_rc read_parents(struct reader *r, uint32_t first, uint32_t n, struct skep_vec *v,
                            skep_err *err)
{
    uint64_t *exceptions = wide(r, sizeof(uint64_t));
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
            return corrupt(r, "a parent reference points nowhere", err);
        uint32_t k = skep_presence__rank(&r->span_presence, (uint32_t)at);
        r->ints[i] = (int64_t)skep_load_le64(r->span_data->bytes + (size_t)k * 8);
    }
    v->form = SKEP_VEC_I64;
    v->i64 = r->ints;
    return SKEP_OK;
}

static skep_rc read_dense(struct reader *r, uint32_t first, uint32_t n, struct skep_vec *v,
                          skep_err *err)
{
    const struct skep_column_entry *e = r->entry;
    if (e->presence == SKEP_PRESENCE_NONE) {
        v->none = true;
        return SKEP_OK;
    }
    if (r->key == SKEP_COL_TRACE_ID) {
        skep_trace_id *ids = wide(r, sizeof(skep_trace_id));
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
            copy_valid(r, first, n);
            v->valid = r->valid;
        }
    }
    if (r->form != SKEP_FORM_STR)
        return read_ints(r, rank, count, v, err);
    bool dict = e->flags & (SKEP_ENTRY_DICT_SEGMENT | SKEP_ENTRY_DICT_LOCAL);
    return dict ? read_codes(r, rank, count, v, err) : read_strs(r, rank, count, v, err);
}

static void read_sparse(struct reader *r, uint32_t first, uint32_t n, struct skep_vec *v)
{
    const struct skep_sparse *s = &r->sparse;
    uint32_t low = 0, high = s->n;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (s->rows[mid] < first)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == s->n || s->rows[low] >= first + n) {
        v->none = true;
        return;
    }
    memset(r->valid, 0, sizeof r->valid);
    v->valid = r->valid;
    bool str = r->form == SKEP_FORM_STR;
    skep_str *strs = str ? wide(r, sizeof(skep_str)) : NULL;
    if (str)
        memset(strs, 0, n * sizeof *strs);
    else
        memset(r->ints, 0, n * sizeof *r->ints);
    for (; low < s->n && s->rows[low] < first + n; low++) {
        uint32_t i = s->rows[low] - first;
        r->valid[i / 64] |= 1ull << (i % 64);
        if (str)
            strs[i] = s->strs[low];
        else
            r->ints[i] = s->ints[low];
    }
    v->form = str ? SKEP_VEC_STR : r->form == SKEP_FORM_F64 ? SKEP_VEC_F64 : SKEP_VEC_I64;
    v->str = strs;
    v->i64 = r->ints;
    v->f64 = (const double *)r->ints;
}

static skep_rc read(struct skep_colreader *base, uint64_t row0, unsigned n, struct skep_vec *ret,
                    skep_err *err)
{
    struct reader *r = (struct reader *)base;
    skep_assert(n > 0 && row0 % SKEP_BLOCK_ROWS + n <=
                             skep_rowset_block_rows(&r->seg->base, row0 / SKEP_BLOCK_ROWS));
    SKEP_TRY(enter_group(r, (uint32_t)(row0 / SKEP_ROW_GROUP_ROWS), err));
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
    *ret = v;
    return SKEP_OK;
}

/* A double that is not below v (up) or not above it: beyond 2^53 the conversion may round either
 * way. */
static double int_bound(int64_t v, bool up)
{
    double d = (double)v;
    double slack = fabs(d) < 9007199254740992.0 ? 0 : fabs(d) * DBL_EPSILON;
    return up ? d + slack : d - slack;
}

/* Zones of the blocks that hold rows [first, first + n) of the group. */
static bool zone_bits(struct reader *r, uint32_t first, unsigned n, int64_t *ret_lo,
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

static bool zone(struct skep_colreader *base, uint64_t row0, unsigned n, double *ret_min,
                 double *ret_max)
{
    struct reader *r = (struct reader *)base;
    skep_assert(n > 0 && row0 + n <= r->seg->base.row_end);
    if (r->form != SKEP_FORM_INT && r->form != SKEP_FORM_F64)
        return false;
    if (look_at_group(r, (uint32_t)(row0 / SKEP_ROW_GROUP_ROWS), NULL) != SKEP_OK)
        return false;
    const struct skep_column_entry *e = r->entry;
    if (!e || e->presence == SKEP_PRESENCE_NONE ||
        !(e->flags & (SKEP_ENTRY_ZONES | SKEP_ENTRY_ZONES_PACKED)))
        return false;
    int64_t lo = (int64_t)e->min, hi = (int64_t)e->max;
    if (n < r->dir->n_rows) {
        if (enter_group(r, r->group, NULL) != SKEP_OK ||
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

/* --- shorter ways --- */

/* Codes or integers of a column that is dense in the group, without a layout of its own. */
static bool plain_ints(const struct reader *r)
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

static bool mapped_between(struct reader *r, uint32_t first, unsigned n, int64_t lo, int64_t hi,
                           uint64_t *bits)
{
    if (skep_mapped_between(r->mapped, first, n, lo, hi, bits) != SKEP_OK)
        return false;
    if (r->presence.bits) {
        copy_valid(r, first, n);
        for (uint32_t w = 0; w < (n + 63) / 64; w++)
            bits[w] &= r->valid[w];
    }
    return true;
}

/* Rows of one block whose value (or code) lies in [lo, hi]. */
static bool rows_between(struct reader *r, uint32_t first, unsigned n, int64_t lo, int64_t hi,
                         uint64_t *bits)
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
    copy_valid(r, first, n);
    spread_bits(r->valid, n, packed, bits);
    return true;
}

static bool between(struct skep_colreader *base, uint64_t row0, unsigned n, int64_t lo, int64_t hi,
                    uint64_t *bits)
{
    struct reader *r = (struct reader *)base;
    skep_assert(n > 0 && n <= SKEP_BLOCK_ROWS && row0 + n <= r->seg->base.row_end);
    if (r->form != SKEP_FORM_INT ||
        enter_group(r, (uint32_t)(row0 / SKEP_ROW_GROUP_ROWS), NULL) != SKEP_OK)
        return false;
    if (!r->entry || r->entry->presence == SKEP_PRESENCE_NONE) {
        memset(bits, 0, (n + 63) / 64 * sizeof *bits);
        return r->sparse.n == 0 && r->key != SKEP_COL_SPAN_ID;
    }
    return plain_ints(r) &&
           rows_between(r, (uint32_t)(row0 % SKEP_ROW_GROUP_ROWS), n, lo, hi, bits);
}

static bool coded(struct skep_colreader *base, uint64_t row0, const struct skep_dict **ret_dict,
                  uint32_t *ret_n)
{
    struct reader *r = (struct reader *)base;
    *ret_dict = NULL;
    *ret_n = 0;
    if (enter_group(r, (uint32_t)(row0 / SKEP_ROW_GROUP_ROWS), NULL) != SKEP_OK)
        return false;
    if (!r->entry || r->entry->presence == SKEP_PRESENCE_NONE)
        return r->sparse.n == 0 && r->key != SKEP_COL_SPAN_ID;
    if (!plain_ints(r))
        return false;
    *ret_n = r->n_lists;
    if (r->form == SKEP_FORM_INT)
        return r->n_lists != UINT32_MAX;
    if (!r->dict && open_dict(r, NULL) != SKEP_OK)
        return false;
    *ret_dict = r->dict;
    *ret_n = r->dict->n;
    return true;
}

static skep_rc mapped_tally(struct reader *r, uint32_t first, unsigned n, uint32_t n_codes,
                            uint32_t *counts, skep_err *err)
{
    uint32_t *codes = wide(r, sizeof(uint32_t));
    for (uint32_t end = first + n; first < end;) {
        uint32_t take = SKEP_MIN(end - first, SKEP_BLOCK_ROWS - first % SKEP_BLOCK_ROWS);
        if (skep_mapped_codes(r->mapped, first, take, n_codes, codes) != SKEP_OK)
            return corrupt(r, "a column that follows another", err);
        if (r->presence.bits)
            copy_valid(r, first, take);
        for (uint32_t i = 0; i < take; i++)
            counts[codes[i]] += !r->presence.bits || (r->valid[i / 64] >> (i % 64) & 1);
        first += take;
    }
    return SKEP_OK;
}

static skep_rc tally(struct skep_colreader *base, uint64_t row0, unsigned n, uint32_t *counts,
                     uint32_t *ret_present, skep_err *err)
{
    struct reader *r = (struct reader *)base;
    uint32_t first = (uint32_t)(row0 % SKEP_ROW_GROUP_ROWS);
    skep_assert(n > 0 && row0 + n <= r->seg->base.row_end && first + n <= SKEP_ROW_GROUP_ROWS);
    SKEP_TRY(enter_group(r, (uint32_t)(row0 / SKEP_ROW_GROUP_ROWS), err));
    *ret_present = 0;
    if (!r->entry || r->entry->presence == SKEP_PRESENCE_NONE)
        return SKEP_OK;
    skep_assert(plain_ints(r));
    uint32_t rank = skep_presence__rank(&r->presence, first);
    uint32_t count = skep_presence__rank(&r->presence, first + n) - rank;
    uint32_t n_codes = r->dict ? r->dict->n : r->n_lists;
    if (count > 0 && r->mapped)
        SKEP_TRY(mapped_tally(r, first, n, n_codes, counts, err));
    else if (count > 0 &&
             skep_codec_tally(r->codec, &r->chunk, rank, count, counts, n_codes) != SKEP_OK)
        return corrupt(r, "codes", err);
    *ret_present = count;
    return SKEP_OK;
}

/* Code of the string in the group's dictionary. */
static skep_rc find_code(struct reader *r, uint64_t hash, uint32_t *ret)
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
        const struct skep_dict *d = NULL;
        SKEP_TRY(skep_segment__dict(r->seg, r->key, &d, NULL));
        *ret = SKEP_NO_CODE;
        for (uint32_t i = 0; i < d->n && *ret == SKEP_NO_CODE; i++)
            if (d->hashes[i] == hash)
                *ret = i;
    }
    r->asked = hash;
    r->asked_group = r->group;
    r->asked_code = *ret;
    return SKEP_OK;
}

static bool same(struct skep_colreader *base, uint64_t row0, unsigned n, int64_t *ret)
{
    struct reader *r = (struct reader *)base;
    (void)n; /* what is constant is so in the whole group */
    return r->form == SKEP_FORM_INT &&
           enter_group(r, (uint32_t)(row0 / SKEP_ROW_GROUP_ROWS), NULL) == SKEP_OK && r->entry &&
           r->entry->presence == SKEP_PRESENCE_ALL && r->codec == &skep_codec_constant &&
           r->codec->decode(&r->chunk, 0, 1, ret) == SKEP_OK;
}

static bool equal(struct skep_colreader *base, uint64_t row0, unsigned n, skep_str s, uint64_t hash,
                  uint64_t *bits)
{
    struct reader *r = (struct reader *)base;
    uint32_t code = 0;
    skep_assert(n > 0 && n <= SKEP_BLOCK_ROWS && row0 + n <= r->seg->base.row_end);
    if (r->form != SKEP_FORM_STR ||
        look_at_group(r, (uint32_t)(row0 / SKEP_ROW_GROUP_ROWS), NULL) != SKEP_OK || !r->entry)
        return false;
    memset(bits, 0, (n + 63) / 64 * sizeof *bits);
    if (r->entry->presence == SKEP_PRESENCE_NONE)
        return true;
    if (!(r->entry->flags & (SKEP_ENTRY_DICT_SEGMENT | SKEP_ENTRY_DICT_LOCAL)) ||
        find_code(r, hash, &code) != SKEP_OK)
        return false;
    if (code == SKEP_NO_CODE)
        return true;
    if (enter_group(r, r->group, NULL) != SKEP_OK || !plain_ints(r) ||
        (!r->dict && open_dict(r, NULL) != SKEP_OK))
        return false;
    /* Two strings of one hash: read() compares them. */
    if (code >= r->dict->n || !skep_str_eq(skep_dict_str(r->dict, code), s))
        return false;
    return rows_between(r, (uint32_t)(row0 % SKEP_ROW_GROUP_ROWS), n, code, code, bits);
}

static bool maybe(struct skep_colreader *base, uint64_t row0, unsigned n, uint64_t hash)
{
    struct reader *r = (struct reader *)base;
    uint32_t code = 0;
    skep_assert(n > 0 && row0 + n <= r->seg->base.row_end);
    if (r->form != SKEP_FORM_STR ||
        look_at_group(r, (uint32_t)(row0 / SKEP_ROW_GROUP_ROWS), NULL) != SKEP_OK)
        return true;
    if (!r->entry)
        return enter_group(r, r->group, NULL) != SKEP_OK || r->sparse.n > 0;
    if (r->entry->presence == SKEP_PRESENCE_NONE)
        return false;
    if (!(r->entry->flags & (SKEP_ENTRY_DICT_SEGMENT | SKEP_ENTRY_DICT_LOCAL)) ||
        find_code(r, hash, &code) != SKEP_OK)
        return true;
    if (code == SKEP_NO_CODE)
        return false;
    uint64_t bits[SKEP_BLOCK_ROWS / 64] = {0}, any = 0;
    if (n > SKEP_BLOCK_ROWS || enter_group(r, r->group, NULL) != SKEP_OK || !plain_ints(r) ||
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

static void close_reader(struct skep_colreader *base)
{
    struct reader *r = (struct reader *)base;
    leave_group(r);
    for (uint32_t i = 0; i < r->n_dicts; i++)
        skep_segment__unpin(r->seg, r->dicts[i]);
    skep_free(r->dicts);
    skep_sparse_done(r->seg, &r->sparse);
    skep_codec_scratch_done(&r->scratch);
    skep_free(r->wide);
    skep_rowset_unref(&r->seg->base);
    skep_free(r);
}

static const struct skep_colreader_ops reader_ops = {
    .read = read,
    .close = close_reader,
    .zone = zone,
    .maybe = maybe,
    .equal = equal,
    .between = between,
    .same = same,
    .coded = coded,
    .tally = tally,
};

static struct skep_colreader *new_reader(struct skep_rowset *rs, uint32_t key,
                                         enum skep_segment_form form)
{
    struct reader *r = skep_alloc(struct reader);
    r->base.ops = &reader_ops;
    r->base.rowset = skep_rowset_ref(rs);
    r->seg = skep_segment__of(rs);
    r->key = key;
    r->form = r->sparse.form = form;
    r->group = r->asked_group = NO_GROUP;
    r->n_lists = key == SKEP_COL_RESOURCE ? rs->resources.n
                 : key == SKEP_COL_SCOPE  ? rs->scopes.n
                                          : UINT32_MAX;
    return &r->base;
}

skep_rc skep_segment__open_column(struct skep_rowset *rs, enum skep_column col,
                                  struct skep_colreader **ret, skep_err *err)
{
    (void)err;
    skep_assert((unsigned)col < SKEP_COL_COUNT);
    *ret = new_reader(rs, col, skep_segment__column_form(col));
    return SKEP_OK;
}

skep_rc skep_segment__open_field(struct skep_rowset *rs, uint32_t field,
                                 struct skep_colreader **ret, skep_err *err)
{
    (void)err;
    skep_assert(field < rs->n_fields);
    *ret = new_reader(rs, skep_segment__of(rs)->keys[field],
                      skep_segment__type_form(rs->fields[field].type));
    return SKEP_OK;
}
