// SPDX-License-Identifier: Apache-2.0
/* Read all chunks of a segment, and go on behind damage.
 *
 *   directory of a row group   its rows
 *   column, bitmap, dictionary its rows
 *   dictionary of the segment  the rows of all groups that use it
 *   page of the trace index    none: the index can be made again; likewise a filter
 *
 * An error of the disk while reading counts as damage of that chunk: the bytes are not to be had.
 *
 * Threads: one.  Memory: chunks through the segment's cache; one byte a row group. */
#include "store/column/segment_check.h"

#include "base/mem.h"
#include "store/column/segment_filter.h"

struct check {
    struct skep_segment *seg;
    const struct skep_segment_origin *origin; /* what keys mean at the moment */
    skep_segment_bad_fn *fn;
    void *ctx;
    struct skep_segment_health *h;
    skep_err *err;
};

static skep_str column_name(const struct check *c, uint32_t key)
{
    static const char *const names[SKEP_COL_COUNT] = {
#define X(id, number, vec, text) [number] = #id,
        SKEP_COLUMNS(X)
#undef X
    };
    if (key < SKEP_COL_COUNT)
        return skep_str_c(names[key]);
    uint32_t field = skep_segment__field_of(c->origin, key);
    return field == UINT32_MAX ? SKEP_STR_NULL : c->seg->base.fields[field].name;
}

static void bad_group(struct check *c, uint32_t group)
{
    if (c->h->bad_group[group])
        return;
    c->h->bad_group[group] = 1;
    c->h->n_bad_groups++;
    c->h->bad_rows += skep_segment__group_rows(c->seg, group);
}

static void tell(struct check *c, const struct skep_chunk_ref *ref, const char *what, uint32_t key,
                 uint64_t first_row, uint64_t n_rows)
{
    c->h->n_bad++;
    if (!c->fn)
        return;
    const struct skep_segment_bad bad = {.offset = ref->offset,
                                         .bytes = ref->length,
                                         .first_row = first_row,
                                         .n_rows = n_rows,
                                         .what = what,
                                         .column = key == UINT32_MAX ? SKEP_STR_NULL
                                                                     : column_name(c, key)};
    c->fn(c->ctx, &bad);
}

/* Is the chunk readable?  *ret_data stays pinned when asked for. */
static skep_rc try_chunk(struct check *c, const struct skep_chunk_ref *ref, bool *ret_ok,
                         const struct skep_chunk_data **ret_data)
{
    const struct skep_chunk_data *d = NULL;
    skep_rc rc = skep_segment__ref_ok(c->seg, ref)
                     ? skep_segment__pin_chunk(c->seg, ref, &d, c->err)
                     : SKEP_ECORRUPT;
    *ret_ok = rc == SKEP_OK;
    if (rc == SKEP_ECORRUPT || rc == SKEP_EIO)
        return SKEP_OK;
    SKEP_TRY(rc);
    if (ret_data)
        *ret_data = d;
    else
        skep_segment__unpin(c->seg, d);
    return SKEP_OK;
}

static skep_rc group_chunk(struct check *c, uint32_t group, const struct skep_chunk_ref *ref,
                           const char *what, uint32_t key)
{
    bool ok;
    SKEP_TRY(try_chunk(c, ref, &ok, NULL));
    if (!ok) {
        bad_group(c, group);
        tell(c, ref, what, key, (uint64_t)group * SKEP_ROW_GROUP_ROWS,
             skep_segment__group_rows(c->seg, group));
    }
    return SKEP_OK;
}

static skep_rc parts(struct check *c, uint32_t group, const struct skep_column_entry *e)
{
    const struct skep_chunk_data *d = NULL;
    bool ok;
    SKEP_TRY(try_chunk(c, &e->data, &ok, &d));
    if (!ok)
        return SKEP_OK; /* told before */
    skep_rd r = skep_rd_make((skep_bytes){d->bytes, d->length});
    uint32_t n = skep_rd_u32(&r);
    skep_rc rc = SKEP_OK;
    for (uint32_t i = 0; i < n && rc == SKEP_OK; i++) {
        struct skep_chunk_ref ref;
        skep_rd_u64(&r); /* first value, codec */
        ref.offset = skep_rd_u64(&r);
        ref.length = skep_rd_u32(&r);
        ref.crc = skep_rd_u32(&r);
        if (r.bad)
            break; /* the structure is verify's business */
        rc = group_chunk(c, group, &ref, "values", e->key);
    }
    skep_segment__unpin(c->seg, d);
    return rc;
}

/* Its rows are there without it. */
static skep_rc filter_chunk(struct check *c, const struct skep_chunk_ref *ref, uint32_t key,
                            const struct skep_chunk_data **ret_data)
{
    bool ok;
    SKEP_TRY(try_chunk(c, ref, &ok, ret_data));
    if (!ok)
        tell(c, ref, "filter", key, 0, 0);
    return SKEP_OK;
}

static skep_rc filter(struct check *c, const struct skep_column_entry *e)
{
    struct skep_chunk_ref ref = skep_filter_ref(c->seg, e);
    const struct skep_chunk_data *d = NULL;
    struct skep_filter f;
    if (ref.length == 0)
        return SKEP_OK;
    skep_rc rc = filter_chunk(c, &ref, e->key, &d);
    if (d && skep_filter_open((skep_bytes){d->bytes, d->length}, &f) &&
        f.has & SKEP_FILTER_GRAMS) /* the structure is verify's business */
        rc = filter_chunk(c, &f.grams, e->key, NULL);
    skep_segment__unpin(c->seg, d);
    return rc;
}

static skep_rc entry(struct check *c, uint32_t group, const struct skep_column_entry *e)
{
    if (e->presence == SKEP_PRESENCE_NONE)
        return SKEP_OK;
    SKEP_TRY(group_chunk(c, group, &e->data, "values", e->key));
    if (e->presence >= SKEP_PRESENCE_BITMAP)
        SKEP_TRY(group_chunk(c, group, &e->bitmap, "bitmap", e->key));
    if (e->flags & SKEP_ENTRY_DICT_LOCAL)
        SKEP_TRY(group_chunk(c, group, &e->dict, "dictionary", e->key));
    if (e->flags & SKEP_ENTRY_FILTER)
        SKEP_TRY(filter(c, e));
    return e->flags & SKEP_ENTRY_PARTS ? parts(c, group, e) : SKEP_OK;
}

/* bad_dict[k][i]: dictionary i of origin k cannot be read. */
static skep_rc group_chunks(struct check *c, uint32_t group, bool *const *bad_dict)
{
    const struct skep_group_dir *dir = NULL;
    const struct skep_segment_origin *o = c->origin = skep_segment__origin(c->seg, group);
    const bool *bad = bad_dict[o - c->seg->origins];
    skep_rc rc = skep_segment__pin_dir(c->seg, group, &dir, c->err);
    if (rc == SKEP_ECORRUPT || rc == SKEP_EIO) {
        bad_group(c, group);
        tell(c, &c->seg->groups[group], "directory of a row group", UINT32_MAX,
             (uint64_t)group * SKEP_ROW_GROUP_ROWS, skep_segment__group_rows(c->seg, group));
        return SKEP_OK;
    }
    SKEP_TRY(rc);
    for (uint32_t i = 0; i < dir->n_entries && rc == SKEP_OK; i++) {
        const struct skep_column_entry *e = &dir->entries[i];
        rc = entry(c, group, e);
        for (uint32_t k = 0; k < o->n_dicts && (e->flags & SKEP_ENTRY_DICT_SEGMENT); k++)
            if (bad[k] && o->dicts[k].key == e->key)
                bad_group(c, group);
    }
    for (uint32_t i = 0; i < dir->n_pages && rc == SKEP_OK; i++)
        rc = group_chunk(c, group, &dir->pages[i].ref, "sparse values", UINT32_MAX);
    skep_segment__unpin(c->seg, dir);
    return rc;
}

static skep_rc dictionaries(struct check *c, uint32_t k, bool *bad_dict)
{
    c->origin = &c->seg->origins[k];
    for (uint32_t i = 0; i < c->origin->n_dicts; i++) {
        const struct skep_segment_dict *d = &c->origin->dicts[i];
        bool ok;
        SKEP_TRY(try_chunk(c, &d->ref, &ok, NULL));
        bad_dict[i] = !ok;
        if (!ok)
            tell(c, &d->ref, "dictionary of the segment", d->key, 0, c->seg->base.n_rows);
    }
    return SKEP_OK;
}

skep_rc skep_segment__health(struct skep_rowset *rs, skep_segment_bad_fn *fn, void *ctx,
                             struct skep_segment_health *ret, skep_err *err)
{
    struct skep_segment *seg = skep_segment__of(rs);
    struct check c = {.seg = seg, .fn = fn, .ctx = ctx, .h = ret, .err = err};
    *ret = (struct skep_segment_health){.n_groups = seg->n_groups};
    ret->bad_group = skep_calloc(seg->n_groups + 1, 1);
    bool **bad_dict = skep_alloc_n(bool *, seg->n_origins);
    skep_rc rc = SKEP_OK;
    for (uint32_t k = 0; k < seg->n_origins && rc == SKEP_OK; k++) {
        bad_dict[k] = skep_alloc_n(bool, seg->origins[k].n_dicts + 1);
        rc = dictionaries(&c, k, bad_dict[k]);
    }
    for (uint32_t g = 0; g < seg->n_groups && rc == SKEP_OK; g++)
        rc = group_chunks(&c, g, bad_dict);
    for (uint32_t i = 0; i < seg->n_index_pages && rc == SKEP_OK; i++) {
        bool ok;
        rc = try_chunk(&c, &seg->index_pages[i].ref, &ok, NULL);
        if (rc == SKEP_OK && !ok)
            tell(&c, &seg->index_pages[i].ref, "page of the trace index", UINT32_MAX, 0, 0);
    }
    for (uint32_t k = 0; k < seg->n_origins; k++)
        skep_free(bad_dict[k]);
    skep_free(bad_dict);
    if (rc != SKEP_OK)
        skep_free(ret->bad_group);
    return rc;
}
