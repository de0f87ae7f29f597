// SPDX-License-Identifier: Apache-2.0
/* Opening a frame payload as a rowset.
 *
 * Opening checks everything once: every offset, count, code and row number, so that readers
 * afterwards trust what they find.  Nothing is decoded: columns stay where they lie in the payload;
 * what is made beside it are the directories (fields, dictionaries, lists), the bounds of each
 * block of 1,024 rows and, for columns with a bitmap, the number of values before each block.
 *
 * I1  after skep_part_open every code is < its dictionary's n, every row number ascends and is
 *     < n_rows, every section lies inside the payload at a multiple of 8.
 * I2  the payload is never written again; a part is immutable but for its number, which is set
 *     before anyone else can see it.
 * I3  all memory is charged to the budget while the part lives.
 *
 * Not checked: that stored string hashes are those of the strings.  A wrong hash cannot make a
 * reader leave the payload, and re-hashing would cost as much as decoding the request did.
 *
 * Threads: open and destroy by one thread, readers any.  Format: docs/formats/frame.md. */
#include "store/column/part.h"

#include "base/assert.h"
#include "base/mem.h"

/* --- opening ---------------------------------------------------------------------------------- */

struct opening {
    struct skep_part *part;
    const uint8_t *p;
    size_t n;
    skep_err *err;
    uint32_t n_rows, n_columns, n_fields;
    struct skep_frame_col *dir; /* columns, then fields */
    size_t ranks_used;
};

static skep_rc bad(const struct opening *o, uint64_t offset, const char *what)
{
    return skep_fail(o->err, SKEP_ECORRUPT, "frame: %s at byte %llu of %zu", what,
                     (unsigned long long)offset, o->n);
}

/* Is [at, at + count * size) inside the payload and aligned? */
static bool inside(const struct opening *o, uint64_t at, uint64_t count, uint64_t size)
{
    return at % 8 == 0 && at >= SKEP_FRAME_HEAD_BYTES && at <= o->n &&
           count <= (o->n - at) / (size ? size : 1);
}

static uint64_t align8(uint64_t n)
{
    return (n + 7) & ~(uint64_t)7;
}

static skep_rc open_dict(struct opening *o, const uint8_t *entry, struct skep_dict *d)
{
    static _Atomic uint64_t serials;
    uint32_t n = skep_load_le32(entry), bytes_n = skep_load_le32(entry + 4);
    uint64_t at = skep_load_le64(entry + 8);
    if (n == UINT32_MAX || !inside(o, at, (uint64_t)n + 1, 4))
        return bad(o, at, "a dictionary's offsets lie outside");
    uint64_t hashes_at = align8(at + ((uint64_t)n + 1) * 4);
    if (!inside(o, hashes_at, n, 8))
        return bad(o, hashes_at, "a dictionary's hashes lie outside");
    uint64_t bytes_at = hashes_at + (uint64_t)n * 8;
    if (!inside(o, bytes_at, bytes_n, 1))
        return bad(o, bytes_at, "a dictionary's bytes lie outside");
    const uint32_t *offsets = (const void *)(o->p + at);
    bool ok = offsets[0] == 0 && offsets[n] == bytes_n;
    for (uint32_t i = 0; i < n; i++)
        ok &= offsets[i] <= offsets[i + 1];
    if (!ok)
        return bad(o, at, "a dictionary's offsets do not ascend");
    *d = (struct skep_dict){.serial =
                                atomic_fetch_add_explicit(&serials, 1, memory_order_relaxed) + 1,
                            .n = n,
                            .offsets = offsets,
                            .bytes = o->p + bytes_at,
                            .hashes = (const void *)(o->p + hashes_at)};
    return SKEP_OK;
}

static void load_col(const uint8_t *p, struct skep_frame_col *c)
{
    *c = (struct skep_frame_col){.id = p[0],
                                 .type = p[1],
                                 .presence = p[2],
                                 .width = p[3],
                                 .name = skep_load_le32(p + 4),
                                 .n_present = skep_load_le32(p + 8),
                                 .dict = skep_load_le32(p + 12),
                                 .base = (int64_t)skep_load_le64(p + 16),
                                 .presence_at = skep_load_le64(p + 24),
                                 .values_at = skep_load_le64(p + 32)};
}

static skep_rc open_bitmap(struct opening *o, const struct skep_frame_col *c,
                           struct skep_part_col *col)
{
    uint64_t words = ((uint64_t)o->n_rows + 63) / 64;
    if (!inside(o, c->presence_at, words, 8))
        return bad(o, c->presence_at, "a bitmap lies outside");
    col->bitmap = (const void *)(o->p + c->presence_at);
    uint32_t *ranks = o->part->ranks + o->ranks_used;
    uint32_t seen = 0;
    for (uint64_t i = 0; i < words; i++) {
        if (i % (SKEP_BLOCK_ROWS / 64) == 0)
            ranks[i / (SKEP_BLOCK_ROWS / 64)] = seen;
        seen += SKEP_POPCOUNT64(col->bitmap[i]);
    }
    unsigned tail = o->n_rows % 64;
    bool over = tail != 0 && (col->bitmap[words - 1] >> tail) != 0;
    if (seen != c->n_present || over)
        return bad(o, c->presence_at, "a bitmap does not hold as many rows as it says");
    col->ranks = ranks;
    o->ranks_used += skep_rowset_blocks(&o->part->base);
    return SKEP_OK;
}

static skep_rc open_list(struct opening *o, const struct skep_frame_col *c,
                         struct skep_part_col *col)
{
    if (!inside(o, c->presence_at, c->n_present, 4))
        return bad(o, c->presence_at, "a row list lies outside");
    col->rows = (const void *)(o->p + c->presence_at);
    bool ok = col->rows[c->n_present - 1] < o->n_rows;
    for (uint32_t i = 1; i < c->n_present; i++)
        ok &= col->rows[i - 1] < col->rows[i];
    return ok ? SKEP_OK : bad(o, c->presence_at, "a row list does not ascend");
}

static skep_rc open_presence(struct opening *o, const struct skep_frame_col *c,
                             struct skep_part_col *col)
{
    col->presence = c->presence;
    col->n_present = c->n_present;
    switch (c->presence) {
    case SKEP_FRAME_ALL:
        return c->n_present == o->n_rows ? SKEP_OK : bad(o, c->presence_at, "rows lack values");
    case SKEP_FRAME_BITMAP: return open_bitmap(o, c, col);
    case SKEP_FRAME_LIST: return open_list(o, c, col);
    default: return bad(o, c->presence_at, "an unknown kind of presence");
    }
}

void skep_part__values(const struct skep_part_col *c, size_t first, size_t n, int64_t *to)
{
    uint64_t base = (uint64_t)c->base;
    if (c->width == 0) {
        for (size_t i = 0; i < n; i++)
            to[i] = c->base;
    } else if (c->width == 1) {
        const uint8_t *v = c->values + first;
        for (size_t i = 0; i < n; i++)
            to[i] = (int64_t)(base + v[i]);
    } else if (c->width == 2) {
        const uint16_t *v = (const void *)(c->values + 2 * first);
        for (size_t i = 0; i < n; i++)
            to[i] = (int64_t)(base + v[i]);
    } else if (c->width == 4) {
        const uint32_t *v = (const void *)(c->values + 4 * first);
        for (size_t i = 0; i < n; i++)
            to[i] = (int64_t)(base + v[i]);
    } else if (base == 0) {
        memcpy(to, c->values + 8 * first, n * 8);
    } else {
        const uint64_t *v = (const void *)(c->values + 8 * first);
        for (size_t i = 0; i < n; i++)
            to[i] = (int64_t)(base + v[i]);
    }
}

#define RANGE(type)                                                                                \
    do {                                                                                           \
        const type *v = (const void *)c->values;                                                   \
        type low = v[0], high = v[0];                                                              \
        for (size_t i = 1; i < n; i++) {                                                           \
            low = v[i] < low ? v[i] : low;                                                         \
            high = v[i] > high ? v[i] : high;                                                      \
        }                                                                                          \
        min = low;                                                                                 \
        max = high;                                                                                \
    } while (0)

/* Of the numbers as stored; width > 0. */
SKEP_CLONES static void stored_range(const struct skep_part_col *c, uint64_t *ret_min,
                                     uint64_t *ret_max)
{
    uint64_t min, max;
    size_t n = c->n_present;
    switch (c->width) {
    case 1: RANGE(uint8_t); break;
    case 2: RANGE(uint16_t); break;
    case 4: RANGE(uint32_t); break;
    default: RANGE(uint64_t); break;
    }
    *ret_min = min;
    *ret_max = max;
}

/* Of numbers that wrap around, or take all 64 bits. */
SKEP_WRAPS SKEP_CLONES static void wrapped_range(const struct skep_part_col *c, int64_t *ret_min,
                                                 int64_t *ret_max)
{
    int64_t min = INT64_MAX, max = INT64_MIN;
    for (size_t i = 0; i < c->n_present; i++) {
        int64_t v = skep_part__value(c, i);
        min = v < min ? v : min;
        max = v > max ? v : max;
    }
    *ret_min = min;
    *ret_max = max;
}

void skep_part__range(const struct skep_part_col *c, int64_t *ret_min, int64_t *ret_max)
{
    skep_assert(c->n_present > 0);
    *ret_min = *ret_max = c->base;
    if (c->width == 0)
        return;
    uint64_t min, max;
    if (c->width < 8) {
        stored_range(c, &min, &max);
        if (!SKEP_ADD_OVERFLOW(c->base, min, ret_min) && !SKEP_ADD_OVERFLOW(c->base, max, ret_max))
            return;
    }
    wrapped_range(c, ret_min, ret_max);
}

/* Values of the column; the limits are inclusive. */
static skep_rc open_values(struct opening *o, const struct skep_frame_col *c, int64_t low,
                           int64_t high, struct skep_part_col *col)
{
    col->width = c->width;
    col->base = c->base;
    col->values = NULL;
    if (c->n_present == 0)
        return c->width == 0 ? SKEP_OK : bad(o, c->values_at, "values of no row");
    if (c->width != 0) {
        if (c->width != 1 && c->width != 2 && c->width != 4 && c->width != 8)
            return bad(o, c->values_at, "an unknown width");
        if (!inside(o, c->values_at, c->n_present, c->width))
            return bad(o, c->values_at, "values lie outside");
        col->values = o->p + c->values_at;
    }
    if (low == INT64_MIN && high == INT64_MAX)
        return SKEP_OK;
    int64_t min, max;
    skep_part__range(col, &min, &max);
    return min >= low && max <= high ? SKEP_OK : bad(o, c->values_at, "a value out of range");
}

static skep_rc open_trace_ids(struct opening *o, const struct skep_frame_col *c,
                              struct skep_part_col *col)
{
    col->form = SKEP_VEC_ID16;
    col->n_present = o->n_rows;
    col->width = c->width;
    if (c->presence != SKEP_FRAME_ALL || c->n_present != o->n_rows || (c->width | 16) != 16)
        return bad(o, c->values_at, "a malformed trace id column");
    if (c->width == 0)
        return SKEP_OK;
    if (!inside(o, c->values_at, o->n_rows, 16))
        return bad(o, c->values_at, "trace ids lie outside");
    col->values = o->p + c->values_at;
    return SKEP_OK;
}

/* Allowed values of an intrinsic column. */
static void limits_of(const struct opening *o, enum skep_column id, int64_t *low, int64_t *high)
{
    const struct skep_rowset *rs = &o->part->base;
    *low = 0;
    switch (id) {
    case SKEP_COL_KIND:
        *low = SKEP_KIND_SPAN;
        *high = SKEP_KIND_COUNT - 1;
        break;
    case SKEP_COL_NAME:
    case SKEP_COL_DATASET: *high = INT64_MAX; break; /* checked against the dictionary */
    case SKEP_COL_RESOURCE: *high = (int64_t)rs->resources.n - 1; break;
    case SKEP_COL_SCOPE: *high = (int64_t)rs->scopes.n - 1; break;
    case SKEP_COL_STATUS:
    case SKEP_COL_SPAN_KIND:
    case SKEP_COL_SEVERITY:
    case SKEP_COL_SOURCE: *high = UINT8_MAX; break;
    case SKEP_COL_SAMPLE_RATE:
        *low = 1;
        *high = UINT32_MAX;
        break;
    case SKEP_COL_FLAGS:
    case SKEP_COL_ORDINAL: *high = UINT32_MAX; break;
    case SKEP_COL_SEQ:
        *low = 1;
        *high = INT64_MAX;
        break;
    case SKEP_COL_TIME:
    case SKEP_COL_DURATION:
    case SKEP_COL_TRACE_ID:
    case SKEP_COL_SPAN_ID:
    case SKEP_COL_PARENT_ID:
    case SKEP_COL_RECEIVED:
    case SKEP_COL_COUNT:
    default:
        *low = INT64_MIN;
        *high = INT64_MAX;
        break;
    }
}

static skep_rc open_code_column(struct opening *o, const struct skep_frame_col *c,
                                struct skep_part_col *col)
{
    if (c->dict >= o->part->n_dicts)
        return bad(o, c->values_at, "an unknown dictionary");
    col->form = SKEP_VEC_DICT;
    col->dict = &o->part->dicts[c->dict];
    return open_values(o, c, 0, (int64_t)col->dict->n - 1, col);
}

static skep_rc open_columns(struct opening *o)
{
    uint32_t seen = 0;
    for (uint32_t i = 0; i < o->n_columns; i++) {
        const struct skep_frame_col *c = &o->dir[i];
        if (c->id >= SKEP_COL_COUNT || (seen >> c->id & 1))
            return bad(o, SKEP_FRAME_AT_COLUMNS, "an unknown or repeated column");
        seen |= 1u << c->id;
        struct skep_part_col *col = &o->part->cols[c->id];
        col->form = SKEP_VEC_I64;
        if (c->id == SKEP_COL_TRACE_ID) {
            SKEP_TRY(open_trace_ids(o, c, col));
            continue;
        }
        if (c->presence != SKEP_FRAME_ALL)
            return bad(o, c->presence_at, "an intrinsic column with gaps");
        SKEP_TRY(open_presence(o, c, col));
        if (c->id == SKEP_COL_NAME || c->id == SKEP_COL_DATASET) {
            SKEP_TRY(open_code_column(o, c, col));
            continue;
        }
        int64_t low, high;
        limits_of(o, (enum skep_column)c->id, &low, &high);
        SKEP_TRY(open_values(o, c, low, high, col));
    }
    uint32_t commit = 1u << SKEP_COL_SEQ | 1u << SKEP_COL_ORDINAL | 1u << SKEP_COL_RECEIVED;
    uint32_t all = (1u << SKEP_COL_COUNT) - 1;
    if (seen != (o->part->folded ? all : all & ~commit))
        return bad(o, SKEP_FRAME_AT_COLUMNS, "not the columns a frame has");
    return SKEP_OK;
}

static skep_rc open_field(struct opening *o, const struct skep_frame_col *c,
                          struct skep_rowset_field *f, struct skep_part_col *col)
{
    const struct skep_part *part = o->part;
    if (c->id > SKEP_SCOPE_ATTRIBUTE || c->type == SKEP_TYPE_NULL || c->type >= SKEP_TYPE_COUNT)
        return bad(o, c->values_at, "a field of an unknown scope or type");
    if (c->name >= part->dicts[0].n || c->n_present == 0 || c->n_present > o->n_rows)
        return bad(o, c->values_at, "a field without name or rows");
    *f = (struct skep_rowset_field){.name = skep_dict_str(&part->dicts[0], c->name),
                                    .scope = c->id,
                                    .type = c->type,
                                    .n_present = c->n_present};
    SKEP_TRY(open_presence(o, c, col));
    switch ((enum skep_type)c->type) {
    case SKEP_TYPE_STRING:
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_ARRAY: return open_code_column(o, c, col);
    case SKEP_TYPE_DOUBLE: col->form = SKEP_VEC_F64; break;
    case SKEP_TYPE_BOOL: return open_values(o, c, 0, 1, col);
    case SKEP_TYPE_EMPTY: return open_values(o, c, 0, 0, col);
    case SKEP_TYPE_INT:
    case SKEP_TYPE_NULL:
    case SKEP_TYPE_COUNT:
    default: break;
    }
    return open_values(o, c, INT64_MIN, INT64_MAX, col);
}

static int field_cmp(const struct skep_rowset_field *a, const struct skep_rowset_field *b)
{
    int c = skep_str_cmp(a->name, b->name);
    if (c == 0)
        c = (int)a->scope - (int)b->scope;
    return c != 0 ? c : (int)a->type - (int)b->type;
}

static skep_rc open_fields(struct opening *o)
{
    struct skep_part *part = o->part;
    struct skep_rowset_field *fields = skep_alloc_n(struct skep_rowset_field, o->n_fields);
    part->base.fields = fields;
    part->base.n_fields = o->n_fields;
    part->fields = skep_alloc_n(struct skep_part_col, o->n_fields);
    for (uint32_t i = 0; i < o->n_fields; i++) {
        part->fields[i].form = SKEP_VEC_I64;
        SKEP_TRY(open_field(o, &o->dir[o->n_columns + i], &fields[i], &part->fields[i]));
        if (i > 0 && field_cmp(&fields[i - 1], &fields[i]) >= 0)
            return bad(o, SKEP_FRAME_AT_FIELDS, "fields are not in order");
    }
    return SKEP_OK;
}

static skep_rc open_entry(struct opening *o, const uint8_t *p, struct skep_rowset_entry *e)
{
    const struct skep_dict *d = &o->part->dicts[0];
    uint32_t name = skep_load_le32(p), type = skep_load_le32(p + 4);
    uint64_t val = skep_load_le64(p + 8);
    if (name >= d->n || type == SKEP_TYPE_NULL || type >= SKEP_TYPE_COUNT)
        return bad(o, (uint64_t)(p - o->p), "a list entry without name or type");
    e->name = skep_dict_str(d, name);
    e->value.type = (enum skep_type)type;
    switch ((enum skep_type)type) {
    case SKEP_TYPE_STRING:
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_ARRAY:
        if (val >= d->n)
            return bad(o, (uint64_t)(p - o->p), "a list entry with an unknown string");
        e->value.s = skep_dict_str(d, (uint32_t)val);
        break;
    case SKEP_TYPE_INT: e->value.i = (int64_t)val; break;
    case SKEP_TYPE_DOUBLE: memcpy(&e->value.f, &val, sizeof val); break;
    case SKEP_TYPE_BOOL: e->value.b = val != 0; break;
    case SKEP_TYPE_EMPTY:
    case SKEP_TYPE_NULL:
    case SKEP_TYPE_COUNT:
    default: break;
    }
    return SKEP_OK;
}

static skep_rc open_lists(struct opening *o, uint64_t at, uint32_t n, struct skep_rowset_lists *l)
{
    if (n == 0 || n == UINT32_MAX || !inside(o, at, (uint64_t)n + 1, 4))
        return bad(o, at, "interned lists lie outside");
    const uint32_t *first = (const void *)(o->p + at);
    uint64_t hashes_at = align8(at + ((uint64_t)n + 1) * 4);
    bool ok = first[0] == 0;
    for (uint32_t i = 0; i < n; i++)
        ok &= first[i] <= first[i + 1];
    uint32_t n_entries = first[n];
    if (!ok || !inside(o, hashes_at, n, 8) ||
        !inside(o, hashes_at + (uint64_t)n * 8, n_entries, SKEP_FRAME_ENTRY_BYTES))
        return bad(o, at, "interned lists are malformed");
    const uint8_t *p = o->p + hashes_at + (uint64_t)n * 8;
    struct skep_rowset_entry *entries = skep_alloc_n(struct skep_rowset_entry, n_entries);
    *l = (struct skep_rowset_lists){
        .n = n, .first = first, .entries = entries, .hashes = (const void *)(o->p + hashes_at)};
    for (uint32_t i = 0; i < n_entries; i++)
        SKEP_TRY(open_entry(o, p + (size_t)i * SKEP_FRAME_ENTRY_BYTES, &entries[i]));
    return SKEP_OK;
}

static void widen_bounds(struct skep_block_bounds *b, const struct skep_block_bounds *more)
{
    b->min_start_ns = SKEP_MIN(b->min_start_ns, more->min_start_ns);
    b->max_start_ns = SKEP_MAX(b->max_start_ns, more->max_start_ns);
    b->max_end_ns = SKEP_MAX(b->max_end_ns, more->max_end_ns);
}

static struct skep_block_bounds bounds_of(const int64_t *time, const int64_t *duration, size_t n)
{
    struct skep_block_bounds b = {INT64_MAX, INT64_MIN, INT64_MIN};
    for (size_t i = 0; i < n; i++) {
        int64_t end;
        if (SKEP_ADD_OVERFLOW(time[i], duration[i] > 0 ? duration[i] : 0, &end))
            end = INT64_MAX;
        b.min_start_ns = SKEP_MIN(b.min_start_ns, time[i]);
        b.max_start_ns = SKEP_MAX(b.max_start_ns, time[i]);
        b.max_end_ns = SKEP_MAX(b.max_end_ns, end);
    }
    return b;
}

static void make_bounds(struct skep_part *part)
{
    uint64_t n_blocks = skep_rowset_blocks(&part->base);
    struct skep_block_bounds *blocks = skep_alloc_n(struct skep_block_bounds, n_blocks);
    int64_t(*buf)[SKEP_BLOCK_ROWS] = skep_malloc(2 * sizeof *buf);
    part->base.bounds = n_blocks ? (struct skep_block_bounds){INT64_MAX, INT64_MIN, INT64_MIN}
                                 : (struct skep_block_bounds){0, 0, 0};
    for (uint64_t k = 0; k < n_blocks; k++) {
        size_t row = k * SKEP_BLOCK_ROWS;
        size_t n = SKEP_MIN((size_t)SKEP_BLOCK_ROWS, part->base.n_rows - row);
        skep_part__values(&part->cols[SKEP_COL_TIME], row, n, buf[0]);
        skep_part__values(&part->cols[SKEP_COL_DURATION], row, n, buf[1]);
        blocks[k] = bounds_of(buf[0], buf[1], n);
        widen_bounds(&part->base.bounds, &blocks[k]);
    }
    skep_free(buf);
    part->base.blocks = blocks;
}

/* SEQ, ORDINAL and RECEIVED of a plain frame; bounds of the commits inside. */
static skep_rc make_commit(struct opening *o, uint64_t seq)
{
    struct skep_part *part = o->part;
    int64_t received = (int64_t)skep_load_le64(o->p + SKEP_FRAME_AT_RECEIVED);
    if (!part->folded) {
        part->cols[SKEP_COL_RECEIVED] =
            (struct skep_part_col){.form = SKEP_VEC_I64, .n_present = o->n_rows, .base = received};
        part->received_min_ns = part->received_max_ns = received;
        memcpy(part->identity, o->p + SKEP_FRAME_AT_IDENTITY, sizeof part->identity);
        skep_part__set_seq(&part->base, seq);
        return SKEP_OK;
    }
    if (o->n_rows == 0)
        return bad(o, SKEP_FRAME_AT_ROWS, "a folded frame without rows");
    int64_t min, max;
    skep_part__range(&part->cols[SKEP_COL_SEQ], &min, &max);
    part->base.min_seq = (uint64_t)min;
    part->base.max_seq = (uint64_t)max;
    skep_part__range(&part->cols[SKEP_COL_RECEIVED], &part->received_min_ns,
                     &part->received_max_ns);
    return SKEP_OK;
}

/* The receipt of a plain frame. */
static skep_rc open_receipt(const struct opening *o, struct skep_receipt *r)
{
    *r = (struct skep_receipt){.source = o->p[SKEP_FRAME_AT_SOURCE],
                               .signal = o->p[SKEP_FRAME_AT_SIGNAL],
                               .received = skep_load_le32(o->p + SKEP_FRAME_AT_WIRE)};
    uint16_t n = skep_load_le16(o->p + SKEP_FRAME_AT_REASONS);
    uint64_t at = skep_load_le64(o->p + SKEP_FRAME_AT_REJECTED_AT);
    if (r->source >= SKEP_SOURCE_COUNT || r->signal >= SKEP_SIGNAL_COUNT)
        return bad(o, SKEP_FRAME_AT_SOURCE, "a receipt of an unknown source or signal");
    if (r->source == 0 && (r->signal | r->received | n | at) != 0)
        return bad(o, SKEP_FRAME_AT_SOURCE, "a receipt without a source");
    if (n == 0)
        return at == 0 ? SKEP_OK : bad(o, SKEP_FRAME_AT_REJECTED_AT, "rejections of no reason");
    if (!inside(o, at, n, SKEP_FRAME_REASON_BYTES))
        return bad(o, at, "rejections lie outside");
    for (uint16_t i = 0; i < n; i++) {
        const uint8_t *p = o->p + at + (size_t)i * SKEP_FRAME_REASON_BYTES;
        uint32_t reason = skep_load_le32(p);
        if (reason >= SKEP_REJECTION_COUNT)
            return bad(o, at, "a rejection of an unknown reason");
        r->rejected[reason] = skep_load_le32(p + 4);
    }
    return SKEP_OK;
}

/* Plain frames: what the wire said and what the rows are; folding sums them up. */
static skep_rc make_ledger(struct opening *o)
{
    struct skep_part *part = o->part;
    struct skep_receipt receipt;
    if (part->folded)
        return SKEP_OK;
    SKEP_TRY(open_receipt(o, &receipt));
    skep_part__count(part, &receipt);
    part->charged_bytes += part->ledger.cap * sizeof *part->ledger.items;
    return SKEP_OK;
}

struct skep_part *skep_part_must(struct skep_rowset *rs)
{
    skep_assert(rs && rs->ops == &skep_part_ops);
    return (struct skep_part *)rs;
}

void skep_part__set_seq(struct skep_rowset *rs, uint64_t seq)
{
    struct skep_part *part = skep_part_must(rs);
    skep_assert(!part->folded && seq <= INT64_MAX);
    rs->min_seq = rs->max_seq = seq;
    part->cols[SKEP_COL_SEQ] = (struct skep_part_col){
        .form = SKEP_VEC_I64, .n_present = (uint32_t)rs->n_rows, .base = (int64_t)seq};
}

static skep_rc open_head(struct opening *o)
{
    if (o->n < SKEP_FRAME_HEAD_BYTES)
        return bad(o, 0, "too short for a header");
    if (skep_load_le32(o->p) != SKEP_FRAME_MAGIC)
        return bad(o, 0, "no magic");
    if (skep_load_le16(o->p + SKEP_FRAME_AT_VERSION) != SKEP_FRAME_VERSION)
        return skep_fail(o->err, SKEP_EUNSUPPORTED, "frame of version %u",
                         skep_load_le16(o->p + SKEP_FRAME_AT_VERSION));
    uint16_t flags = skep_load_le16(o->p + SKEP_FRAME_AT_FLAGS);
    if (flags & ~(unsigned)SKEP_FRAME_FLAG_FOLDED)
        return bad(o, SKEP_FRAME_AT_FLAGS, "unknown flags");
    o->part->folded = flags & SKEP_FRAME_FLAG_FOLDED;
    if (skep_load_le64(o->p + SKEP_FRAME_AT_BYTES) != o->n)
        return bad(o, SKEP_FRAME_AT_BYTES, "another length than it says");
    o->n_rows = skep_load_le32(o->p + SKEP_FRAME_AT_ROWS);
    o->part->n_dicts = skep_load_le32(o->p + SKEP_FRAME_AT_DICTS);
    o->n_columns = skep_load_le32(o->p + SKEP_FRAME_AT_COLUMNS);
    o->n_fields = skep_load_le32(o->p + SKEP_FRAME_AT_FIELDS);
    uint64_t left = o->n - SKEP_FRAME_HEAD_BYTES;
    if (o->part->n_dicts == 0 || o->part->n_dicts > left / SKEP_FRAME_DICT_BYTES)
        return bad(o, SKEP_FRAME_AT_DICTS, "too many dictionaries");
    left -= (uint64_t)o->part->n_dicts * SKEP_FRAME_DICT_BYTES;
    if (o->n_columns > SKEP_COL_COUNT ||
        o->n_fields > SKEP_LIMIT_FIELDS_PER_BATCH * (o->part->folded ? 64u : 1u) ||
        (uint64_t)o->n_columns + o->n_fields > left / SKEP_FRAME_COL_BYTES)
        return bad(o, SKEP_FRAME_AT_FIELDS, "too many columns");
    /* Constant columns hold any number of rows in no bytes; a time and an ordinal a row are little
     * enough to ask for, but rows that cost nothing are never written in such numbers. */
    if (o->n_rows > SKEP_LIMIT_BATCH_ROWS && !o->part->folded)
        return bad(o, SKEP_FRAME_AT_ROWS, "too many rows");
    if (o->part->folded && o->n_rows / 64 > o->n)
        return bad(o, SKEP_FRAME_AT_ROWS, "more rows than fit");
    o->part->base.n_rows = o->part->base.row_end = o->n_rows;
    return SKEP_OK;
}

/* Reads the directory and makes room for what opening leaves beside the payload. */
static skep_rc load_directory(struct opening *o)
{
    struct skep_part *part = o->part;
    const uint8_t *p = o->p + SKEP_FRAME_HEAD_BYTES + (size_t)part->n_dicts * SKEP_FRAME_DICT_BYTES;
    size_t n = (size_t)o->n_columns + o->n_fields;
    o->dir = skep_alloc_n(struct skep_frame_col, n);
    size_t n_bitmaps = 0;
    for (size_t i = 0; i < n; i++) {
        load_col(p + i * SKEP_FRAME_COL_BYTES, &o->dir[i]);
        /* A bitmap that lies outside is refused later; it must not make a large table first. */
        n_bitmaps += o->dir[i].presence == SKEP_FRAME_BITMAP &&
                     inside(o, o->dir[i].presence_at, ((uint64_t)o->n_rows + 63) / 64, 8);
    }
    uint64_t blocks = skep_rowset_blocks(&part->base);
    if (n_bitmaps * (((uint64_t)o->n_rows + 63) / 64) > o->n / 8)
        return bad(o, SKEP_FRAME_AT_FIELDS, "bitmaps that lie in each other");
    part->ranks = skep_malloc(n_bitmaps * blocks * sizeof *part->ranks);
    part->dicts = skep_alloc_n(struct skep_dict, part->n_dicts);
    part->charged_bytes =
        sizeof *part + o->n + n_bitmaps * blocks * 4 + part->n_dicts * sizeof *part->dicts +
        o->n_fields * (sizeof(struct skep_part_col) + sizeof(struct skep_rowset_field)) +
        blocks * sizeof(struct skep_block_bounds);
    return SKEP_OK;
}

static skep_rc open_all(struct opening *o, uint64_t seq)
{
    struct skep_part *part = o->part;
    SKEP_TRY(open_head(o));
    SKEP_TRY(load_directory(o));
    for (uint32_t i = 0; i < part->n_dicts; i++)
        SKEP_TRY(open_dict(o, o->p + SKEP_FRAME_HEAD_BYTES + (size_t)i * SKEP_FRAME_DICT_BYTES,
                           &part->dicts[i]));
    SKEP_TRY(open_lists(o, skep_load_le64(o->p + SKEP_FRAME_AT_RESOURCES_AT),
                        skep_load_le32(o->p + SKEP_FRAME_AT_RESOURCES), &part->base.resources));
    SKEP_TRY(open_lists(o, skep_load_le64(o->p + SKEP_FRAME_AT_SCOPES_AT),
                        skep_load_le32(o->p + SKEP_FRAME_AT_SCOPES), &part->base.scopes));
    part->charged_bytes += (part->base.resources.first[part->base.resources.n] +
                            (uint64_t)part->base.scopes.first[part->base.scopes.n]) *
                           sizeof(struct skep_rowset_entry);
    SKEP_TRY(open_columns(o));
    SKEP_TRY(open_fields(o));
    SKEP_TRY(make_commit(o, seq));
    SKEP_TRY(make_ledger(o));
    make_bounds(part);
    return SKEP_OK;
}

static void part_destroy(struct skep_rowset *rs)
{
    struct skep_part *part = (struct skep_part *)rs;
    if (part->budget)
        skep_budget_give(part->budget, part->charged_bytes);
    skep_free((void *)(uintptr_t)rs->blocks);
    skep_free((void *)(uintptr_t)rs->fields);
    skep_free((void *)(uintptr_t)rs->resources.entries);
    skep_free((void *)(uintptr_t)rs->scopes.entries);
    skep_free(part->fields);
    skep_free(part->dicts);
    skep_free(part->ranks);
    skep_ledger_done(&part->ledger);
    skep_free(part->payload);
    skep_free(part);
}

skep_rc skep_part_open(uint8_t *payload, size_t n, uint64_t seq, struct skep_budget *budget,
                       struct skep_rowset **ret, skep_err *err)
{
    skep_assert(payload && ret && ((uintptr_t)payload & 7) == 0);
    struct skep_part *part = skep_alloc(struct skep_part);
    part->base.ops = &skep_part_ops;
    atomic_init(&part->base.refs, 1);
    part->payload = payload;
    part->payload_bytes = n;
    struct opening o = {.part = part, .p = payload, .n = n, .err = err};
    skep_rc rc = open_all(&o, seq);
    skep_free(o.dir);
    if (rc != SKEP_OK) {
        part_destroy(&part->base);
        return rc;
    }
    part->base.bytes = part->charged_bytes;
    part->budget = part->base.lives = budget;
    if (budget)
        skep_budget_force(budget, part->charged_bytes);
    *ret = &part->base;
    return SKEP_OK;
}

/* --- reading ---------------------------------------------------------------------------------- */

struct part_reader {
    struct skep_colreader base;
    const struct skep_part_col *col;
    bool is_ordinal; /* of a plain part: the row number */
    uint64_t valid[SKEP_BLOCK_ROWS / 64];
    int64_t vals[SKEP_BLOCK_ROWS];
    union {
        uint32_t codes[SKEP_BLOCK_ROWS];
        int64_t spread[SKEP_BLOCK_ROWS];
    };
};

/* Values in rows [row0, row0 + n): sets `valid`, returns the rank of the first one; *ret_k of them.
 */
static size_t read_bitmap(struct part_reader *r, uint64_t row0, unsigned n, size_t *ret_k)
{
    const struct skep_part_col *c = r->col;
    uint64_t block = row0 / SKEP_BLOCK_ROWS, w0 = row0 / 64;
    unsigned shift = row0 % 64;
    size_t rank = c->ranks[block];
    for (uint64_t w = block * (SKEP_BLOCK_ROWS / 64); w < w0; w++)
        rank += SKEP_POPCOUNT64(c->bitmap[w]);
    if (shift)
        rank += SKEP_POPCOUNT64(c->bitmap[w0] & ((1ull << shift) - 1));
    uint64_t last = (row0 + n - 1) / 64;
    size_t k = 0;
    for (unsigned i = 0; i * 64 < n; i++) {
        uint64_t word = c->bitmap[w0 + i] >> shift;
        if (shift && w0 + i < last)
            word |= c->bitmap[w0 + i + 1] << (64 - shift);
        if (n - i * 64 < 64)
            word &= (1ull << (n - i * 64)) - 1;
        r->valid[i] = word;
        k += SKEP_POPCOUNT64(word);
    }
    *ret_k = k;
    return rank;
}

/* The first of the listed rows at or behind `row`. */
static size_t list_from(const struct skep_part_col *c, uint64_t row)
{
    size_t low = 0, high = c->n_present;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (c->rows[mid] < row)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static size_t read_list(struct part_reader *r, uint64_t row0, unsigned n, size_t *ret_k)
{
    const struct skep_part_col *c = r->col;
    size_t low = list_from(c, row0);
    memset(r->valid, 0, sizeof r->valid);
    size_t k = 0;
    for (; low + k < c->n_present && c->rows[low + k] < row0 + n; k++) {
        uint64_t at = c->rows[low + k] - row0;
        r->valid[at / 64] |= 1ull << (at % 64);
    }
    *ret_k = k;
    return low;
}

/* Moves k packed values to their rows; others become 0. */
static void spread(struct part_reader *r, unsigned n, size_t k)
{
    memset(r->spread, 0, n * sizeof r->spread[0]);
    size_t from = 0;
    for (unsigned i = 0; i * 64 < n; i++)
        for (uint64_t word = r->valid[i]; word; word &= word - 1)
            r->spread[i * 64 + SKEP_CTZ64(word)] = r->vals[from++];
    skep_assert(from == k);
    memcpy(r->vals, r->spread, n * sizeof r->vals[0]);
}

static void read_trace_ids(const struct skep_part_col *c, uint64_t row0, unsigned n,
                           struct skep_vec *ret)
{
    static const skep_trace_id none[SKEP_BLOCK_ROWS];
    *ret = (struct skep_vec){.form = SKEP_VEC_ID16, .n = n, .constant = c->width == 0};
    ret->id16 = c->width ? (const skep_trace_id *)(c->values + row0 * 16) : none;
}

static skep_rc part_read(struct skep_colreader *reader, uint64_t row0, unsigned n,
                         struct skep_vec *ret, skep_err *err)
{
    (void)err;
    struct part_reader *r = (struct part_reader *)reader;
    const struct skep_part_col *c = r->col;
    skep_assert(n > 0 && row0 + n <= reader->rowset->n_rows);
    skep_assert(row0 / SKEP_BLOCK_ROWS == (row0 + n - 1) / SKEP_BLOCK_ROWS);
    if (c->form == SKEP_VEC_ID16) {
        read_trace_ids(c, row0, n, ret);
        return SKEP_OK;
    }
    *ret = (struct skep_vec){.form = (enum skep_vec_form)c->form, .n = n, .dict = c->dict};
    if (r->is_ordinal) {
        for (unsigned i = 0; i < n; i++)
            r->vals[i] = (int64_t)(row0 + i);
        ret->i64 = r->vals;
        return SKEP_OK;
    }
    size_t rank = row0, k = n;
    if (c->presence == SKEP_FRAME_BITMAP)
        rank = read_bitmap(r, row0, n, &k);
    else if (c->presence == SKEP_FRAME_LIST)
        rank = read_list(r, row0, n, &k);
    ret->none = k == 0;
    if (k == 0)
        return SKEP_OK;
    ret->valid = k == n ? NULL : r->valid;
    ret->constant = c->width == 0;
    bool in_place = k == n && c->base == 0 && c->width == (c->form == SKEP_VEC_DICT ? 4 : 8);
    const void *vals = r->vals;
    if (in_place) {
        vals = c->values + rank * c->width;
    } else if (ret->constant || k == n) {
        skep_part__values(c, rank, n, r->vals); /* a constant is readable at absent rows too */
    } else {
        skep_part__values(c, rank, k, r->vals);
        spread(r, n, k);
    }
    if (c->form == SKEP_VEC_DICT && !in_place) {
        for (unsigned i = 0; i < n; i++)
            r->codes[i] = (uint32_t)r->vals[i];
        vals = r->codes;
    }
    if (c->form == SKEP_VEC_DICT)
        ret->codes = vals;
    else if (c->form == SKEP_VEC_F64)
        ret->f64 = vals;
    else
        ret->i64 = vals;
    return SKEP_OK;
}

static bool part_few(struct skep_colreader *reader, uint64_t row0, uint64_t n, uint32_t cap,
                     uint32_t *rows, int64_t *values, uint32_t *ret_n,
                     const struct skep_dict **ret_dict)
{
    enum { FEW = 8 }; /* one row in so many */
    const struct skep_part_col *c = ((struct part_reader *)reader)->col;
    uint64_t end = row0 + n;
    skep_assert(end <= reader->rowset->n_rows);
    if (c->presence == SKEP_FRAME_ALL || c->form == SKEP_VEC_ID16 || c->n_present > cap ||
        c->n_present > reader->rowset->n_rows / FEW)
        return false;
    uint32_t k = 0;
    size_t rank;
    if (c->presence == SKEP_FRAME_LIST) {
        for (rank = list_from(c, row0); rank + k < c->n_present && c->rows[rank + k] < end; k++)
            rows[k] = c->rows[rank + k];
    } else {
        rank = c->ranks[row0 / SKEP_BLOCK_ROWS];
        for (uint64_t w = row0 / SKEP_BLOCK_ROWS * (SKEP_BLOCK_ROWS / 64); w * 64 < end; w++)
            for (uint64_t word = c->bitmap[w]; word; word &= word - 1) {
                uint64_t row = w * 64 + SKEP_CTZ64(word);
                rank += row < row0;
                if (row >= row0 && row < end)
                    rows[k++] = (uint32_t)row;
            }
    }
    skep_part__values(c, rank, k, values);
    *ret_n = k;
    *ret_dict = c->dict;
    return true;
}

static void part_reader_close(struct skep_colreader *r)
{
    skep_free(r);
}

static const struct skep_colreader_ops reader_ops = {
    .read = part_read, .few = part_few, .close = part_reader_close};

static struct skep_colreader *new_reader(struct skep_rowset *rs, const struct skep_part_col *col)
{
    struct part_reader *r = skep_malloc(sizeof *r);
    r->base = (struct skep_colreader){.ops = &reader_ops, .rowset = rs};
    r->col = col;
    r->is_ordinal = false;
    return &r->base;
}

static skep_rc part_open_column(struct skep_rowset *rs, enum skep_column col,
                                struct skep_colreader **ret, skep_err *err)
{
    (void)err;
    skep_assert(col < SKEP_COL_COUNT);
    struct skep_part *part = skep_part_must(rs);
    *ret = new_reader(rs, &part->cols[col]);
    ((struct part_reader *)*ret)->is_ordinal = col == SKEP_COL_ORDINAL && !part->folded;
    return SKEP_OK;
}

static skep_rc part_open_field(struct skep_rowset *rs, uint32_t field, struct skep_colreader **ret,
                               skep_err *err)
{
    (void)err;
    skep_assert(field < rs->n_fields);
    *ret = new_reader(rs, &skep_part_must(rs)->fields[field]);
    return SKEP_OK;
}

static skep_rc part_find_trace(struct skep_rowset *rs, const skep_trace_id *id,
                               struct skep_row_range *ranges, unsigned cap, unsigned *ret_n,
                               skep_err *err)
{
    (void)err;
    skep_assert(cap > 0);
    const struct skep_part_col *c = &skep_part_must(rs)->cols[SKEP_COL_TRACE_ID];
    static const skep_trace_id none;
    unsigned n = 0;
    if (c->width == 0) {
        if (rs->n_rows > 0 && memcmp(id, &none, sizeof none) == 0)
            ranges[n++] = (struct skep_row_range){0, rs->n_rows};
        *ret_n = n;
        return SKEP_OK;
    }
    uint64_t a = skep_load_le64(id->b), b = skep_load_le64(id->b + 8);
    const uint64_t *ids = (const void *)c->values;
    for (uint64_t row = 0; row < rs->n_rows; row++) {
        if (ids[2 * row] != a || ids[2 * row + 1] != b)
            continue;
        if (n > 0 && (ranges[n - 1].end == row || n == cap))
            ranges[n - 1].end = row + 1;
        else
            ranges[n++] = (struct skep_row_range){row, row + 1};
    }
    *ret_n = n;
    return SKEP_OK;
}

const struct skep_rowset_ops skep_part_ops = {.name = "part",
                                              .destroy = part_destroy,
                                              .open_column = part_open_column,
                                              .open_field = part_open_field,
                                              .find_trace = part_find_trace};
