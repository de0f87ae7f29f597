// SPDX-License-Identifier: Apache-2.0
/* Row groups taken over: the bytes of one row group of a source segment, copied.
 *
 *   chunk --checked--> chunk elsewhere, with the checksum of its new place
 *   directory: the same entries with new references
 *   time bounds, range of commits: read from the row group; the trace index: segment_index.c
 *
 * Nothing is decoded but trace ids and commit numbers, nothing is encoded.  Numbers in the bytes
 * (keys of fields, lists, codes into segment dictionaries) keep their meaning through an origin
 * (segment_origin.c), made at the first row group of a source's origin, its dictionaries copied
 * with it.
 *
 * I1  every row of the row group lives, and its rows follow each other in the new file: the order
 *     says so (trace_merge.c).
 * I2  a chunk is checked before it is copied: damage is found, not spread.
 *
 * Threads: one.  Memory: one chunk at a time, through the source's cache. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/segment_filter.h"
#include "store/column/segment_write.h"

/* Chunks that several entries of a row group may share. */
enum { SHARED = 64 };
struct copy {
    struct skep_segment_writer *w;
    struct skep_segment *seg;
    struct skep_chunk_ref from[SHARED], to[SHARED];
    unsigned n_shared;
};

static skep_rc copy_chunk(struct copy *c, struct skep_chunk_ref *ref, skep_err *err)
{
    const struct skep_chunk_data *d;
    SKEP_TRY(skep_segment__pin_chunk(c->seg, ref, &d, err));
    skep_rc rc = skep_segment__put_chunk(c->w, (skep_bytes){d->bytes, d->length}, ref, err);
    skep_segment__unpin(c->seg, d);
    return rc;
}

static skep_rc copy_shared(struct copy *c, struct skep_chunk_ref *ref, skep_err *err)
{
    for (unsigned i = 0; i < SKEP_MIN(c->n_shared, (unsigned)SHARED); i++) {
        if (memcmp(&c->from[i], ref, sizeof *ref) == 0) {
            *ref = c->to[i];
            return SKEP_OK;
        }
    }
    unsigned slot = c->n_shared++ % SHARED;
    c->from[slot] = *ref;
    SKEP_TRY(copy_chunk(c, ref, err));
    c->to[slot] = *ref;
    return SKEP_OK;
}

/* A list of parts and the parts. */
static skep_rc copy_parts(struct copy *c, struct skep_chunk_ref *ref, skep_err *err)
{
    const struct skep_chunk_data *d;
    struct skep_buf list;
    SKEP_TRY(skep_segment__pin_chunk(c->seg, ref, &d, err));
    skep_buf_init(&list, d->length);
    skep_rd r = skep_rd_make((skep_bytes){d->bytes, d->length});
    uint32_t n = skep_rd_u32(&r);
    skep_rc rc = SKEP_OK;
    skep_buf_u32(&list, n);
    for (uint32_t i = 0; i < n && rc == SKEP_OK; i++) {
        uint32_t first = skep_rd_u32(&r), codec = skep_rd_u32(&r);
        struct skep_chunk_ref part;
        part.offset = skep_rd_u64(&r);
        part.length = skep_rd_u32(&r);
        part.crc = skep_rd_u32(&r);
        if (r.bad)
            rc = skep_segment__corrupt(c->seg, err, ref->offset, "list of parts");
        else
            rc = copy_chunk(c, &part, err);
        skep_buf_u32(&list, first);
        skep_buf_u32(&list, codec);
        skep_segment__put_ref(&list, &part);
    }
    skep_segment__unpin(c->seg, d);
    if (rc == SKEP_OK)
        rc = skep_segment__put_chunk(c->w, skep_buf_bytes(&list), ref, err);
    skep_buf_done(&list);
    return rc;
}

/* The filter of a column and its grams. */
static skep_rc copy_filter(struct copy *c, struct skep_column_entry *e, skep_err *err)
{
    struct skep_chunk_ref ref = skep_filter_ref(c->seg, e);
    const struct skep_chunk_data *d;
    struct skep_filter f;
    if (ref.length == 0) { /* whoever wrote the file did not mean it */
        e->flags &= (uint8_t)~SKEP_ENTRY_FILTER;
        e->min = e->max = 0;
        return SKEP_OK;
    }
    SKEP_TRY(skep_segment__pin_chunk(c->seg, &ref, &d, err));
    struct skep_buf *b = &c->w->chunk;
    skep_rc rc = SKEP_OK;
    if (!skep_filter_open((skep_bytes){d->bytes, d->length}, &f))
        rc = skep_segment__corrupt(c->seg, err, ref.offset, "filter");
    if (rc == SKEP_OK && f.has & SKEP_FILTER_GRAMS)
        rc = copy_chunk(c, &f.grams, err);
    skep_buf_reset(b);
    skep_buf_put(b, d->bytes, d->length);
    if (rc == SKEP_OK && f.has & SKEP_FILTER_GRAMS) {
        b->n = f.grams_at;
        skep_segment__put_ref(b, &f.grams);
    }
    skep_segment__unpin(c->seg, d);
    SKEP_TRY(rc);
    SKEP_TRY(skep_segment__put_chunk(c->w, skep_buf_bytes(b), &ref, err));
    skep_filter_set_ref(e, &ref);
    c->w->optional |= SKEP_SEGMENT_FILTERS;
    return SKEP_OK;
}

static skep_rc copy_entry(struct copy *c, const struct skep_column_entry *from, skep_err *err)
{
    struct skep_column_entry e = *from;
    if (e.presence != SKEP_PRESENCE_NONE) {
        SKEP_TRY((e.flags & SKEP_ENTRY_PARTS ? copy_parts : copy_chunk)(c, &e.data, err));
        if (e.presence != SKEP_PRESENCE_ALL)
            SKEP_TRY(copy_shared(c, &e.bitmap, err));
        if (e.flags & SKEP_ENTRY_DICT_LOCAL)
            SKEP_TRY(copy_shared(c, &e.dict, err));
        if (e.flags & SKEP_ENTRY_FILTER)
            SKEP_TRY(copy_filter(c, &e, err));
    }
    skep_segment__put_entry(c->w, &e);
    return SKEP_OK;
}

static skep_rc copy_page(struct copy *c, const struct skep_group_page *page, skep_err *err)
{
    struct skep_chunk_ref ref = page->ref;
    SKEP_TRY(copy_chunk(c, &ref, err));
    skep_segment__put_page(c->w, &ref, page->raw_bytes, page->first_key, page->zstd);
    return SKEP_OK;
}

/* --- what the footer must know --- */

/* All values of a column of small integers or ids that has no holes, as bytes of its codec. */
static skep_rc full_column(struct copy *c, uint32_t group, const struct skep_group_dir *dir,
                           enum skep_column col, const struct skep_chunk_data **ret_pin,
                           struct skep_codec_chunk *ret, uint8_t *ret_codec, skep_err *err)
{
    const struct skep_column_entry *e = skep_segment__find_entry(dir, col);
    if (!e || e->presence != SKEP_PRESENCE_ALL)
        return skep_segment__corrupt(c->seg, err, c->seg->groups[group].offset,
                                     "a row group without trace ids or commits");
    SKEP_TRY(skep_segment__pin_chunk(c->seg, &e->data, ret_pin, err));
    *ret = (struct skep_codec_chunk){(*ret_pin)->bytes, (*ret_pin)->length, e->n_present};
    *ret_codec = e->codec;
    return SKEP_OK;
}

static skep_rc note_traces(struct copy *c, uint32_t group, const struct skep_group_dir *dir,
                           skep_err *err)
{
    const struct skep_chunk_data *pin;
    struct skep_codec_chunk chunk;
    uint8_t codec;
    const uint8_t *ids;
    uint32_t n;
    /* The source's row group may have more rows than the arrays of the writer. */
    uint64_t bytes = dir->n_rows * sizeof(int64_t);
    SKEP_TRY(skep_budget_take(c->w->job->budget, bytes, err));
    int64_t *lengths = skep_malloc(bytes);
    skep_rc rc = full_column(c, group, dir, SKEP_COL_TRACE_ID, &pin, &chunk, &codec, err);
    if (rc == SKEP_OK) {
        rc = codec == SKEP_CODEC_TRACE_RUNS
                 ? skep_segment__all_runs(c->seg, &chunk, lengths, &ids, &n, err)
                 : skep_segment__corrupt(c->seg, err, 0, "trace ids of another codec");
        if (rc == SKEP_OK)
            skep_segment__index_group(c->w, ids, n);
        skep_segment__unpin(c->seg, pin);
    }
    skep_free(lengths);
    skep_budget_give(c->w->job->budget, bytes);
    return rc;
}

static skep_rc note_commits(struct copy *c, uint32_t group, skep_err *err)
{
    struct skep_rowset *rs = &c->seg->base;
    struct skep_segment_writer *w = c->w;
    struct skep_colreader *r = NULL;
    skep_rc rc = rs->ops->open_column(rs, SKEP_COL_SEQ, &r, err);
    uint64_t row0 = (uint64_t)group * SKEP_ROW_GROUP_ROWS;
    for (uint32_t at = 0; rc == SKEP_OK && at < w->n_rows; at += SKEP_BLOCK_ROWS) {
        struct skep_vec v;
        rc = r->ops->read(r, row0 + at, SKEP_MIN(w->n_rows - at, (uint32_t)SKEP_BLOCK_ROWS), &v,
                          err);
        for (unsigned i = 0; rc == SKEP_OK && !v.none && i < (v.constant ? 1 : v.n); i++) {
            w->min_seq = SKEP_MIN(w->min_seq, (uint64_t)v.i64[i]);
            w->max_seq = SKEP_MAX(w->max_seq, (uint64_t)v.i64[i]);
        }
    }
    if (r)
        r->ops->close(r);
    return rc;
}

static void note_bounds(struct copy *c, uint32_t group)
{
    struct skep_segment_writer *w = c->w;
    const struct skep_block_bounds *b =
        c->seg->base.blocks + (size_t)group * (SKEP_ROW_GROUP_ROWS / SKEP_BLOCK_ROWS);
    for (uint32_t k = 0; k < (w->n_rows + SKEP_BLOCK_ROWS - 1) / SKEP_BLOCK_ROWS; k++)
        skep_segment__put_bounds(w, &b[k]);
}

/* Present values of each field: dense ones stand in the directory, sparse ones are counted. */
static skep_rc count_page(struct copy *c, const struct skep_segment_origin *o,
                          const uint32_t *field_to, const struct skep_group_page *page,
                          skep_err *err)
{
    const struct skep_chunk_data *d;
    SKEP_TRY(skep_segment__pin_page(c->seg, page, &d, err));
    skep_rd rd = skep_rd_make((skep_bytes){d->bytes, d->length});
    while (!rd.bad && skep_rd_left(&rd) > 0) {
        uint64_t key = skep_rd_varint(&rd), n = skep_rd_varint(&rd), len = skep_rd_varint(&rd);
        uint32_t f = key <= UINT32_MAX ? skep_segment__field_of(o, (uint32_t)key) : UINT32_MAX;
        if (rd.bad || len > skep_rd_left(&rd) || n > c->w->n_rows || f == UINT32_MAX) {
            rd.bad = true;
            break;
        }
        skep_rd_take(&rd, (size_t)len);
        c->w->fields[field_to[f]].n_present += n;
    }
    skep_segment__unpin(c->seg, d);
    return rd.bad ? skep_segment__corrupt(c->seg, err, page->ref.offset, "sparse page") : SKEP_OK;
}

static skep_rc count_fields(struct copy *c, unsigned source, uint32_t group,
                            const struct skep_group_dir *dir, skep_err *err)
{
    struct skep_segment_writer *w = c->w;
    const struct skep_segment_origin *o = skep_segment__origin(c->seg, group);
    const uint32_t *field_to = w->copies[source].field_to;
    for (uint32_t i = 0; i < dir->n_entries; i++) {
        const struct skep_column_entry *e = &dir->entries[i];
        uint32_t f = skep_segment__field_of(o, e->key);
        if (e->key < SKEP_SEGMENT_FIELD_KEY)
            continue;
        if (f == UINT32_MAX)
            return skep_segment__corrupt(c->seg, err, c->seg->groups[group].offset,
                                         "a column of no field");
        w->fields[field_to[f]].n_present += e->n_present;
        w->n_dense += !w->dense[field_to[f]];
        w->dense[field_to[f]] = true;
    }
    for (uint32_t i = 0; i < dir->n_pages; i++)
        SKEP_TRY(count_page(c, o, field_to, &dir->pages[i], err));
    return SKEP_OK;
}

/* --- origins --- */

static void put_numbers(struct skep_buf *b, const struct skep_segment_numbers *l,
                        const uint32_t *map)
{
    skep_buf_u32(b, l->n);
    for (uint32_t i = 0; i < l->n; i++)
        skep_buf_u32(b, map[l->to ? l->to[i] : i]);
}

static skep_rc put_origin(struct copy *c, unsigned source, const struct skep_segment_origin *o,
                          skep_err *err)
{
    struct skep_segment_writer *w = c->w;
    struct skep_buf *b = &w->origins;
    size_t held = b->n;
    skep_buf_u32(b, o->n_fields);
    for (uint32_t i = 0; i < o->n_fields; i++) {
        skep_buf_u32(b, o->keys[i]);
        skep_buf_u32(b, SKEP_SEGMENT_FIELD_KEY + w->copies[source].field_to[o->fields[i]]);
    }
    put_numbers(b, &o->resources, w->resources.maps[source]);
    put_numbers(b, &o->scopes, w->scopes.maps[source]);
    skep_buf_u32(b, o->n_dicts);
    for (uint32_t i = 0; i < o->n_dicts; i++) {
        struct skep_chunk_ref ref = o->dicts[i].ref;
        SKEP_TRY(copy_chunk(c, &ref, err));
        skep_buf_u32(b, o->dicts[i].key);
        skep_buf_u32(b, o->dicts[i].n);
        skep_buf_u32(b, o->dicts[i].codec);
        skep_segment__put_ref(b, &ref);
    }
    return skep_segment__charge(w, b->n - held, err);
}

/* Where the source's fields are in the new file. */
static skep_rc map_fields(struct copy *c, unsigned source, skep_err *err)
{
    struct skep_segment_writer *w = c->w;
    struct skep_wcopy *from = &w->copies[source];
    uint32_t n = c->seg->base.n_fields;
    uint64_t bytes = ((uint64_t)n + c->seg->n_groups) * 4 + c->seg->n_origins;
    SKEP_TRY(skep_segment__charge(w, bytes + SKEP_SEGMENT_FEED_BYTES, err));
    from->origins = skep_alloc_n(uint8_t, c->seg->n_origins);
    from->field_to = skep_alloc_n(uint32_t, n + 1);
    from->group_to = skep_alloc_n(uint32_t, c->seg->n_groups);
    for (uint32_t f = 0; f < w->n_fields; f++)
        if (w->field_maps[source][f] != UINT32_MAX)
            from->field_to[w->field_maps[source][f]] = f;
    return SKEP_OK;
}

/* The number in the new file of a source's origin. */
static skep_rc origin_of(struct copy *c, unsigned source, uint32_t group, uint8_t *ret,
                         skep_err *err)
{
    struct skep_segment_writer *w = c->w;
    struct skep_wcopy *from = &w->copies[source];
    uint8_t k = c->seg->group_origins[group];
    if (!from->origins)
        SKEP_TRY(map_fields(c, source, err));
    if (from->origins[k] == 0) {
        skep_assert(w->n_origins < SKEP_SEGMENT_MAX_ORIGINS);
        SKEP_TRY(put_origin(c, source, &c->seg->origins[k], err));
        from->origins[k] = (uint8_t)w->n_origins++;
    }
    *ret = from->origins[k];
    return SKEP_OK;
}

/* Would the new file have too many dense columns with those of this row group?  Mostly a bound
 * tells; near the limit, as with a thousand attributes, each is looked at. */
static bool too_many_dense(struct skep_segment_writer *w, unsigned source, uint32_t group)
{
    struct copy c = {.w = w, .seg = skep_segment__of(w->job->sources[source].rowset)};
    const struct skep_segment_origin *o = skep_segment__origin(c.seg, group);
    const struct skep_group_dir *dir;
    if (w->n_dense + c.seg->base.n_fields <= SKEP_SEGMENT_MAX_DENSE)
        return false;
    if (!w->copies[source].origins && map_fields(&c, source, NULL) != SKEP_OK)
        return true; /* no memory: its rows are gathered */
    if (skep_segment__pin_dir(c.seg, group, &dir, NULL) != SKEP_OK)
        return true; /* reading its rows will say why */
    uint32_t n = w->n_dense;
    for (uint32_t i = 0; i < dir->n_entries; i++) {
        uint32_t f = skep_segment__field_of(o, dir->entries[i].key);
        n += f != UINT32_MAX && !w->dense[w->copies[source].field_to[f]];
    }
    skep_segment__unpin(c.seg, dir);
    return n > SKEP_SEGMENT_MAX_DENSE;
}

bool skep_segment__may_copy(struct skep_segment_writer *w, unsigned source, uint32_t group)
{
    const struct skep_segment *seg = skep_segment__of(w->job->sources[source].rowset);
    const uint8_t *origins = w->copies[source].origins;
    bool known = origins && origins[seg->group_origins[group]] != 0;
    return (known || w->n_origins < SKEP_SEGMENT_MAX_ORIGINS) && !too_many_dense(w, source, group);
}

skep_rc skep_segment__copy_group(struct skep_segment_writer *w, unsigned source, uint32_t group,
                                 skep_err *err)
{
    struct copy c = {.w = w, .seg = skep_segment__of(w->job->sources[source].rowset)};
    const struct skep_group_dir *dir;
    uint8_t origin;
    SKEP_TRY(origin_of(&c, source, group, &origin, err));
    SKEP_TRY(skep_segment__pin_dir(c.seg, group, &dir, err));
    w->n_rows = dir->n_rows;
    w->required |= c.seg->required | SKEP_SEGMENT_TAKEN_OVER;
    skep_rc rc = note_traces(&c, group, dir, err);
    if (rc == SKEP_OK)
        rc = note_commits(&c, group, err);
    if (rc == SKEP_OK)
        rc = count_fields(&c, source, group, dir, err);
    for (uint32_t i = 0; i < dir->n_entries && rc == SKEP_OK; i++)
        rc = copy_entry(&c, &dir->entries[i], err);
    for (uint32_t i = 0; i < dir->n_pages && rc == SKEP_OK; i++)
        rc = copy_page(&c, &dir->pages[i], err);
    note_bounds(&c, group);
    w->copies[source].group_to[group] = w->n_groups + 1;
    skep_segment__unpin(c.seg, dir);
    return rc == SKEP_OK ? skep_segment__end_group(w, origin, err) : rc;
}
