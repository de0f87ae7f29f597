// SPDX-License-Identifier: Apache-2.0
/* The columns of a frame payload: each is checked where it lies, and what its readers need is put
 * beside it.
 *
 *   presence   all rows, a bitmap (with the number of values before each block) or a row list
 *   values     base + a number of 0, 1, 2, 4 or 8 bytes; codes into a dictionary; trace ids
 *   limits     an enum has a known value, a code and a list's number are inside their table
 *
 * I1  what is accepted here is never looked at again with doubt (part.c, I1).
 *
 * Threads: the one that opens; values and range any.  Format: docs/formats/frame.md. */
#include "store/column/part_priv.h"

#include "base/assert.h"
#include "base/mem.h"

static skep_rc open_bitmap(struct skep_part_opening *o, const struct skep_frame_col *c,
                           struct skep_part_col *col)
{
    uint64_t words = ((uint64_t)o->n_rows + 63) / 64;
    if (!skep_part__inside(o, c->presence_at, words, 8))
        return skep_part__bad(o, c->presence_at, "a bitmap lies outside");
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
        return skep_part__bad(o, c->presence_at, "a bitmap does not hold as many rows as it says");
    col->ranks = ranks;
    o->ranks_used += skep_rowset_blocks(&o->part->base);
    return SKEP_OK;
}

static skep_rc open_list(struct skep_part_opening *o, const struct skep_frame_col *c,
                         struct skep_part_col *col)
{
    if (!skep_part__inside(o, c->presence_at, c->n_present, 4))
        return skep_part__bad(o, c->presence_at, "a row list lies outside");
    col->rows = (const void *)(o->p + c->presence_at);
    bool ok = col->rows[c->n_present - 1] < o->n_rows;
    for (uint32_t i = 1; i < c->n_present; i++)
        ok &= col->rows[i - 1] < col->rows[i];
    return ok ? SKEP_OK : skep_part__bad(o, c->presence_at, "a row list does not ascend");
}

static skep_rc open_presence(struct skep_part_opening *o, const struct skep_frame_col *c,
                             struct skep_part_col *col)
{
    col->presence = c->presence;
    col->n_present = c->n_present;
    switch (c->presence) {
    case SKEP_FRAME_ALL:
        return c->n_present == o->n_rows ? SKEP_OK
                                         : skep_part__bad(o, c->presence_at, "rows lack values");
    case SKEP_FRAME_BITMAP: return open_bitmap(o, c, col);
    case SKEP_FRAME_LIST: return open_list(o, c, col);
    default: return skep_part__bad(o, c->presence_at, "an unknown kind of presence");
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
static skep_rc open_values(struct skep_part_opening *o, const struct skep_frame_col *c, int64_t low,
                           int64_t high, struct skep_part_col *col)
{
    col->width = c->width;
    col->base = c->base;
    col->values = NULL;
    if (c->n_present == 0)
        return c->width == 0 ? SKEP_OK : skep_part__bad(o, c->values_at, "values of no row");
    if (c->width != 0) {
        if (c->width != 1 && c->width != 2 && c->width != 4 && c->width != 8)
            return skep_part__bad(o, c->values_at, "an unknown width");
        if (!skep_part__inside(o, c->values_at, c->n_present, c->width))
            return skep_part__bad(o, c->values_at, "values lie outside");
        col->values = o->p + c->values_at;
    }
    if (low == INT64_MIN && high == INT64_MAX)
        return SKEP_OK;
    int64_t min, max;
    skep_part__range(col, &min, &max);
    return min >= low && max <= high ? SKEP_OK
                                     : skep_part__bad(o, c->values_at, "a value out of range");
}

static skep_rc open_trace_ids(struct skep_part_opening *o, const struct skep_frame_col *c,
                              struct skep_part_col *col)
{
    col->form = SKEP_VEC_ID16;
    col->n_present = o->n_rows;
    col->width = c->width;
    if (c->presence != SKEP_FRAME_ALL || c->n_present != o->n_rows || (c->width | 16) != 16)
        return skep_part__bad(o, c->values_at, "a malformed trace id column");
    if (c->width == 0)
        return SKEP_OK;
    if (!skep_part__inside(o, c->values_at, o->n_rows, 16))
        return skep_part__bad(o, c->values_at, "trace ids lie outside");
    col->values = o->p + c->values_at;
    return SKEP_OK;
}

/* Allowed values of an intrinsic column. */
static void limits_of(const struct skep_part_opening *o, enum skep_column id, int64_t *low,
                      int64_t *high)
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

static skep_rc open_code_column(struct skep_part_opening *o, const struct skep_frame_col *c,
                                struct skep_part_col *col)
{
    if (c->dict >= o->part->n_dicts)
        return skep_part__bad(o, c->values_at, "an unknown dictionary");
    col->form = SKEP_VEC_DICT;
    col->dict = &o->part->dicts[c->dict];
    return open_values(o, c, 0, (int64_t)col->dict->n - 1, col);
}

skep_rc skep_part__open_columns(struct skep_part_opening *o)
{
    uint32_t seen = 0;
    for (uint32_t i = 0; i < o->n_columns; i++) {
        const struct skep_frame_col *c = &o->dir[i];
        if (c->id >= SKEP_COL_COUNT || (seen >> c->id & 1))
            return skep_part__bad(o, SKEP_FRAME_AT_COLUMNS, "an unknown or repeated column");
        seen |= 1u << c->id;
        struct skep_part_col *col = &o->part->cols[c->id];
        col->form = SKEP_VEC_I64;
        if (c->id == SKEP_COL_TRACE_ID) {
            SKEP_TRY(open_trace_ids(o, c, col));
            continue;
        }
        if (c->presence != SKEP_FRAME_ALL)
            return skep_part__bad(o, c->presence_at, "an intrinsic column with gaps");
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
        return skep_part__bad(o, SKEP_FRAME_AT_COLUMNS, "not the columns a frame has");
    return SKEP_OK;
}

static skep_rc open_field(struct skep_part_opening *o, const struct skep_frame_col *c,
                          struct skep_rowset_field *f, struct skep_part_col *col)
{
    const struct skep_part *part = o->part;
    if (c->id > SKEP_SCOPE_ATTRIBUTE || c->type == SKEP_TYPE_NULL || c->type >= SKEP_TYPE_COUNT)
        return skep_part__bad(o, c->values_at, "a field of an unknown scope or type");
    if (c->name >= part->dicts[0].n || c->n_present == 0 || c->n_present > o->n_rows)
        return skep_part__bad(o, c->values_at, "a field without name or rows");
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

skep_rc skep_part__open_fields(struct skep_part_opening *o)
{
    struct skep_part *part = o->part;
    /* Each is set as it is opened: a thousand of them are a pass over the cache. */
    struct skep_rowset_field *fields = skep_malloc((size_t)o->n_fields * sizeof *fields);
    part->base.fields = fields;
    part->base.n_fields = o->n_fields;
    part->fields = skep_malloc((size_t)o->n_fields * sizeof *part->fields);
    for (uint32_t i = 0; i < o->n_fields; i++) {
        part->fields[i] = (struct skep_part_col){.form = SKEP_VEC_I64};
        SKEP_TRY(open_field(o, &o->dir[o->n_columns + i], &fields[i], &part->fields[i]));
        if (i > 0 && field_cmp(&fields[i - 1], &fields[i]) >= 0)
            return skep_part__bad(o, SKEP_FRAME_AT_FIELDS, "fields are not in order");
    }
    return SKEP_OK;
}
