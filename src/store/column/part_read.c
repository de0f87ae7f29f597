// SPDX-License-Identifier: Apache-2.0
/* Reading the columns of a part: blocks of rows, widened, spread over the rows that have a value.
 *
 * I1  nothing is checked here: opening has done it (part.c, I1).
 *
 * Threads: a reader by one thread at a time, the part under any number of them.  Memory: buffers of
 * one block with the reader, made when the first one is read. */
#include "store/column/part_priv.h"

#include "base/assert.h"
#include "base/mem.h"

/* Of one block. */
struct buffers {
    uint64_t valid[SKEP_BLOCK_ROWS / 64];
    int64_t vals[SKEP_BLOCK_ROWS];
    union {
        uint32_t codes[SKEP_BLOCK_ROWS];
        int64_t spread[SKEP_BLOCK_ROWS];
    };
};

struct part_reader {
    struct skep_colreader base;
    const struct skep_part_col *col;
    bool is_ordinal;     /* of a plain part: the row number */
    struct buffers *buf; /* NULL until a block is read: who asks for a few values needs none */
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
        r->buf->valid[i] = word;
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
    memset(r->buf->valid, 0, sizeof r->buf->valid);
    size_t k = 0;
    for (; low + k < c->n_present && c->rows[low + k] < row0 + n; k++) {
        uint64_t at = c->rows[low + k] - row0;
        r->buf->valid[at / 64] |= 1ull << (at % 64);
    }
    *ret_k = k;
    return low;
}

/* Moves k packed values to their rows; others become 0. */
static void spread(struct part_reader *r, unsigned n, size_t k)
{
    memset(r->buf->spread, 0, n * sizeof r->buf->spread[0]);
    size_t from = 0;
    for (unsigned i = 0; i * 64 < n; i++)
        for (uint64_t word = r->buf->valid[i]; word; word &= word - 1)
            r->buf->spread[i * 64 + SKEP_CTZ64(word)] = r->buf->vals[from++];
    skep_assert(from == k);
    memcpy(r->buf->vals, r->buf->spread, n * sizeof r->buf->vals[0]);
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
    if (!r->buf)
        r->buf = skep_malloc(sizeof *r->buf);
    *ret = (struct skep_vec){.form = (enum skep_vec_form)c->form, .n = n, .dict = c->dict};
    if (r->is_ordinal) {
        for (unsigned i = 0; i < n; i++)
            r->buf->vals[i] = (int64_t)(row0 + i);
        ret->i64 = r->buf->vals;
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
    ret->valid = k == n ? NULL : r->buf->valid;
    ret->constant = c->width == 0;
    bool in_place = k == n && c->base == 0 && c->width == (c->form == SKEP_VEC_DICT ? 4 : 8);
    const void *vals = r->buf->vals;
    if (in_place) {
        vals = c->values + rank * c->width;
    } else if (ret->constant || k == n) {
        skep_part__values(c, rank, n, r->buf->vals); /* a constant is readable at absent rows too */
    } else {
        skep_part__values(c, rank, k, r->buf->vals);
        spread(r, n, k);
    }
    if (c->form == SKEP_VEC_DICT && !in_place) {
        for (unsigned i = 0; i < n; i++)
            r->buf->codes[i] = (uint32_t)r->buf->vals[i];
        vals = r->buf->codes;
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

static void part_reader_close(struct skep_colreader *reader)
{
    struct part_reader *r = (struct part_reader *)reader;
    skep_free(r->buf);
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
    r->buf = NULL;
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
                                              .destroy = skep_part__destroy,
                                              .open_column = part_open_column,
                                              .open_field = part_open_field,
                                              .find_trace = part_find_trace};
