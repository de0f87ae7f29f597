// SPDX-License-Identifier: Apache-2.0
/* A rowset that leaves row groups of another one out: what is still good of a damaged segment, as a
 * source for writing it anew.
 *
 *   of      | 0 | 1 | x | 3 | x | 5 |
 *   slice   | 0 | 1 |     2 |     3 |        group k of the slice is groups[k] of the other
 *
 * Row numbers are group * 65,536 + place (rowset.h), so only the group of a number changes.
 *
 * I1  no chunk of a group that is left out is ever read.
 *
 * Threads: as of the other rowset.  Memory: a few words a group and a block. */
#include "store/column/slice.h"

#include "base/assert.h"
#include "base/mem.h"

enum { GROUP_BLOCKS = SKEP_ROW_GROUP_ROWS / SKEP_BLOCK_ROWS };

struct slice {
    struct skep_rowset base;
    struct skep_rowset *of;
    uint32_t *groups, *group_rows;
    struct skep_block_bounds *blocks;
    struct skep_rowset_field *fields;
};

struct reader {
    struct skep_colreader base;
    struct skep_colreader *inner;
};

static uint64_t inner_row(const struct skep_colreader *r, uint64_t row)
{
    const struct slice *s = (const struct slice *)r->rowset;
    return (uint64_t)s->groups[row / SKEP_ROW_GROUP_ROWS] * SKEP_ROW_GROUP_ROWS +
           row % SKEP_ROW_GROUP_ROWS;
}

static skep_rc read(struct skep_colreader *base, uint64_t row0, unsigned n, struct skep_vec *ret,
                    skep_err *err)
{
    struct skep_colreader *inner = ((struct reader *)base)->inner;
    return inner->ops->read(inner, inner_row(base, row0), n, ret, err);
}

static void close(struct skep_colreader *base)
{
    struct reader *r = (struct reader *)base;
    r->inner->ops->close(r->inner);
    skep_free(r);
}

static const struct skep_colreader_ops reader_ops = {.read = read, .close = close};

static void wrap(struct skep_rowset *rs, struct skep_colreader *inner, struct skep_colreader **ret)
{
    struct reader *r = skep_alloc(struct reader);
    *r = (struct reader){.base = {.ops = &reader_ops, .rowset = rs}, .inner = inner};
    *ret = &r->base;
}

static skep_rc open_column(struct skep_rowset *rs, enum skep_column col,
                           struct skep_colreader **ret, skep_err *err)
{
    struct skep_rowset *of = ((struct slice *)rs)->of;
    struct skep_colreader *inner;
    SKEP_TRY(of->ops->open_column(of, col, &inner, err));
    wrap(rs, inner, ret);
    return SKEP_OK;
}

static skep_rc open_field(struct skep_rowset *rs, uint32_t field, struct skep_colreader **ret,
                          skep_err *err)
{
    struct skep_rowset *of = ((struct slice *)rs)->of;
    struct skep_colreader *inner;
    SKEP_TRY(of->ops->open_field(of, field, &inner, err));
    wrap(rs, inner, ret);
    return SKEP_OK;
}

static skep_rc find_trace(struct skep_rowset *rs, const skep_trace_id *id,
                          struct skep_row_range *ranges, unsigned cap, unsigned *ret_n,
                          skep_err *err)
{
    (void)id;
    (void)err;
    skep_assert(cap > 0);
    ranges[0] = (struct skep_row_range){0, rs->row_end}; /* anywhere */
    *ret_n = 1;
    return SKEP_OK;
}

static void destroy(struct skep_rowset *rs)
{
    struct slice *s = (struct slice *)rs;
    skep_rowset_unref(s->of);
    skep_free(s->groups);
    skep_free(s->group_rows);
    skep_free(s->blocks);
    skep_free(s->fields);
    skep_free(s);
}

static const struct skep_rowset_ops slice_ops = {
    .name = "slice",
    .destroy = destroy,
    .open_column = open_column,
    .open_field = open_field,
    .find_trace = find_trace,
};

static uint32_t rows_of(const struct skep_rowset *of, uint32_t group)
{
    uint32_t rows = 0;
    for (uint64_t b = (uint64_t)group * GROUP_BLOCKS;
         b < skep_rowset_blocks(of) && b < (uint64_t)(group + 1) * GROUP_BLOCKS; b++)
        rows += skep_rowset_block_rows(of, b);
    return rows;
}

static void take_group(struct slice *s, uint32_t k, uint32_t group)
{
    static const struct skep_block_bounds never = {INT64_MAX, INT64_MIN, INT64_MIN};
    struct skep_block_bounds *all = &s->base.bounds;
    s->groups[k] = group;
    s->group_rows[k] = rows_of(s->of, group);
    s->base.n_rows += s->group_rows[k];
    for (uint32_t b = 0; b < GROUP_BLOCKS; b++) {
        uint64_t from = (uint64_t)group * GROUP_BLOCKS + b;
        struct skep_block_bounds *to = &s->blocks[(uint64_t)k * GROUP_BLOCKS + b];
        *to = from < skep_rowset_blocks(s->of) ? s->of->blocks[from] : never;
        all->min_start_ns = SKEP_MIN(all->min_start_ns, to->min_start_ns);
        all->max_start_ns = SKEP_MAX(all->max_start_ns, to->max_start_ns);
        all->max_end_ns = SKEP_MAX(all->max_end_ns, to->max_end_ns);
    }
}

struct skep_rowset *skep_slice_new(struct skep_rowset *of, const uint32_t *groups, uint32_t n)
{
    skep_assert(of && n > 0);
    struct slice *s = skep_alloc(struct slice);
    s->base = (struct skep_rowset){.ops = &slice_ops,
                                   .bytes = of->bytes,
                                   .bounds = {INT64_MAX, INT64_MIN, INT64_MIN},
                                   .min_seq = of->min_seq,
                                   .max_seq = of->max_seq,
                                   .n_fields = of->n_fields,
                                   .resources = of->resources,
                                   .scopes = of->scopes,
                                   .layout = of->layout,
                                   .trace_clustered = of->trace_clustered};
    atomic_init(&s->base.refs, 1);
    s->of = skep_rowset_ref(of);
    s->groups = skep_alloc_n(uint32_t, n);
    s->group_rows = skep_alloc_n(uint32_t, n);
    s->blocks = skep_alloc_n(struct skep_block_bounds, (size_t)n * GROUP_BLOCKS);
    s->fields = skep_alloc_n(struct skep_rowset_field, of->n_fields + 1);
    for (uint32_t k = 0; k < n; k++)
        take_group(s, k, groups[k]);
    for (uint32_t f = 0; f < of->n_fields; f++) {
        s->fields[f] = of->fields[f];
        s->fields[f].n_present = SKEP_MIN(s->fields[f].n_present, s->base.n_rows);
    }
    s->base.fields = s->fields;
    s->base.blocks = s->blocks;
    s->base.group_rows = s->group_rows;
    s->base.row_end = (uint64_t)(n - 1) * SKEP_ROW_GROUP_ROWS + s->group_rows[n - 1];
    return &s->base;
}
