// SPDX-License-Identifier: Apache-2.0
/* Check a whole segment: every byte, every value, every promise of the layout.
 *
 *   1. all chunk references, sorted, tile the file from header to footer: so every byte has a
 * checksum
 *   2. every chunk is read, its checksum compared
 *   3. every column is read through the ordinary readers; presence counts match the footer, and
 *      no filter rules out a value that is there
 *   4. parent references name the first row of the trace with the parent's id (spans)
 *   5. time bounds hold; rows are in order of the layout; each trace is found where it stands
 *
 * Threads: one.  Memory: a private cache of 64 MiB. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "store/column/segment_filter.h"
#include "store/column/segment_reader.h"

struct refs {
    struct skep_chunk_ref *v;
    size_t n, cap;
};

static void add_ref(struct refs *r, const struct skep_chunk_ref *ref)
{
    SKEP_GROW(r->v, r->n, r->cap);
    r->v[r->n++] = *ref;
}

static skep_rc add_part_refs(struct skep_segment *seg, const struct skep_column_entry *e,
                             struct refs *refs, skep_err *err)
{
    const struct skep_chunk_data *d;
    SKEP_TRY(skep_segment__pin_chunk(seg, &e->data, &d, err));
    skep_rd r = skep_rd_make((skep_bytes){d->bytes, d->length});
    uint32_t n = skep_rd_u32(&r);
    for (uint32_t i = 0; i < n && !r.bad; i++) {
        skep_rd_u64(&r); /* first value, codec: the reader checks them */
        struct skep_chunk_ref ref;
        ref.offset = skep_rd_u64(&r);
        ref.length = skep_rd_u32(&r);
        ref.crc = skep_rd_u32(&r);
        add_ref(refs, &ref);
    }
    skep_segment__unpin(seg, d);
    return r.bad ? skep_segment__corrupt(seg, err, e->data.offset, "list of parts") : SKEP_OK;
}

/* The filter of an entry and its grams. */
static skep_rc add_filter_refs(struct skep_segment *seg, const struct skep_column_entry *e,
                               struct refs *refs, skep_err *err)
{
    struct skep_chunk_ref ref = skep_filter_ref(seg, e);
    const struct skep_chunk_data *d;
    struct skep_filter f;
    if (ref.length == 0)
        return SKEP_OK;
    add_ref(refs, &ref);
    SKEP_TRY(skep_segment__pin_chunk(seg, &ref, &d, err));
    bool ok = skep_filter_open((skep_bytes){d->bytes, d->length}, &f);
    skep_segment__unpin(seg, d);
    if (!ok)
        return skep_segment__corrupt(seg, err, ref.offset, "a filter is malformed");
    if (f.has & SKEP_FILTER_GRAMS) {
        if (!skep_segment__ref_ok(seg, &f.grams))
            return skep_segment__corrupt(seg, err, ref.offset, "a filter refers outside");
        add_ref(refs, &f.grams);
    }
    return SKEP_OK;
}

static skep_rc add_group_refs(struct skep_segment *seg, uint32_t group, struct refs *refs,
                              skep_err *err)
{
    const struct skep_group_dir *dir;
    SKEP_TRY(skep_segment__pin_dir(seg, group, &dir, err));
    add_ref(refs, &seg->groups[group]);
    skep_rc rc = SKEP_OK;
    for (uint32_t i = 0; i < dir->n_entries && rc == SKEP_OK; i++) {
        const struct skep_column_entry *e = &dir->entries[i];
        if (e->presence == SKEP_PRESENCE_NONE)
            continue;
        add_ref(refs, &e->data);
        if (e->presence >= SKEP_PRESENCE_BITMAP)
            add_ref(refs, &e->bitmap);
        if (e->flags & SKEP_ENTRY_DICT_LOCAL)
            add_ref(refs, &e->dict);
        if (e->flags & SKEP_ENTRY_PARTS)
            rc = add_part_refs(seg, e, refs, err);
        if (rc == SKEP_OK && e->flags & SKEP_ENTRY_FILTER)
            rc = add_filter_refs(seg, e, refs, err);
    }
    for (uint32_t i = 0; i < dir->n_pages; i++)
        add_ref(refs, &dir->pages[i].ref);
    skep_segment__unpin(seg, dir);
    return rc;
}

static int by_offset(const void *a, const void *b)
{
    const struct skep_chunk_ref *x = a, *y = b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return (x->length > y->length) - (x->length < y->length);
}

static skep_rc check_tiling(struct skep_segment *seg, struct refs *refs, skep_err *err)
{
    qsort(refs->v, refs->n, sizeof *refs->v, by_offset);
    uint64_t at = SKEP_SEGMENT_HEADER_BYTES;
    /* Of an optional feature that is not known there may be chunks that nothing known refers to. */
    bool gaps = seg->optional & ~SKEP_SEGMENT_OPTIONAL_KNOWN;
    for (size_t i = 0; i < refs->n; i++) {
        const struct skep_chunk_ref *ref = &refs->v[i];
        if (i > 0 && memcmp(ref, &refs->v[i - 1], sizeof *ref) == 0)
            continue; /* shared bitmap */
        if (ref->offset != at && !(gaps && ref->offset > at))
            return skep_segment__corrupt(seg, err, at, "bytes that belong to no chunk, or to two");
        const struct skep_chunk_data *d;
        SKEP_TRY(skep_segment__pin_chunk(seg, ref, &d, err));
        skep_segment__unpin(seg, d);
        at = ref->offset + ref->length;
    }
    if (at != seg->data_end && !gaps)
        return skep_segment__corrupt(seg, err, at, "bytes before the footer");
    return SKEP_OK;
}

static skep_rc check_chunks(struct skep_segment *seg, skep_err *err)
{
    struct refs refs = {0};
    skep_rc rc = SKEP_OK;
    for (uint32_t g = 0; g < seg->n_groups && rc == SKEP_OK; g++)
        rc = add_group_refs(seg, g, &refs, err);
    for (uint32_t k = 0; k < seg->n_origins; k++)
        for (uint32_t i = 0; i < seg->origins[k].n_dicts; i++)
            add_ref(&refs, &seg->origins[k].dicts[i].ref);
    for (uint32_t i = 0; i < seg->n_index_pages; i++)
        add_ref(&refs, &seg->index_pages[i].ref);
    if (rc == SKEP_OK)
        rc = check_tiling(seg, &refs, err);
    skep_free(refs.v);
    return rc;
}

static uint64_t count_present(const struct skep_vec *v)
{
    if (v->none)
        return 0;
    if (!v->valid)
        return v->n;
    uint64_t n = 0;
    for (unsigned k = 0; k < (v->n + 63) / 64; k++)
        n += SKEP_POPCOUNT64(v->valid[k]);
    return n;
}

/* A filter must pass all that is there. */
static skep_rc check_filter(struct skep_segment *seg, const struct skep_segment_reader *r,
                            const struct skep_vec *v, skep_err *err)
{
    const struct skep_column_entry *e = r->entry;
    bool dict = v->form == SKEP_VEC_DICT;
    if (!e || v->none || !(e->flags & SKEP_ENTRY_FILTER) || (!dict && v->form != SKEP_VEC_STR))
        return SKEP_OK;
    for (unsigned i = 0; i < (v->constant ? 1 : v->n); i++) {
        if (!v->constant && v->valid && !(v->valid[i / 64] >> (i % 64) & 1))
            continue;
        if (dict && i > 0 && v->codes[i] == v->codes[i - 1])
            continue;
        skep_str s = dict ? skep_dict_str(v->dict, v->codes[i]) : v->str[i];
        if (skep_filter_lacks_value(seg, e, skep_hash(skep_str_bytes(s))) ||
            skep_filter_lacks_text(seg, e, s))
            return skep_segment__corrupt(seg, err, skep_filter_ref(seg, e).offset,
                                         "a filter rules out what is there");
    }
    return SKEP_OK;
}

/* Read a whole column; *ret_present rows have a value. */
static skep_rc read_column(struct skep_segment *seg, struct skep_colreader *r,
                           uint64_t *ret_present, skep_err *err)
{
    skep_rc rc = SKEP_OK;
    *ret_present = 0;
    for (uint64_t row = 0; row < seg->base.row_end && rc == SKEP_OK; row += SKEP_BLOCK_ROWS) {
        unsigned n = skep_rowset_block_rows(&seg->base, row / SKEP_BLOCK_ROWS);
        if (n == 0)
            continue;
        struct skep_vec v;
        rc = r->ops->read(r, row, n, &v, err);
        if (rc == SKEP_OK)
            rc = check_filter(seg, (const struct skep_segment_reader *)r, &v, err);
        if (rc == SKEP_OK)
            *ret_present += count_present(&v);
    }
    r->ops->close(r);
    return rc;
}

static skep_rc check_columns(struct skep_segment *seg, skep_err *err)
{
    struct skep_rowset *rs = &seg->base;
    struct skep_colreader *r;
    uint64_t present;
    for (unsigned c = 0; c < SKEP_COL_COUNT; c++) {
        SKEP_TRY(rs->ops->open_column(rs, (enum skep_column)c, &r, err));
        SKEP_TRY(read_column(seg, r, &present, err));
    }
    for (uint32_t f = 0; f < rs->n_fields; f++) {
        SKEP_TRY(rs->ops->open_field(rs, f, &r, err));
        SKEP_TRY(read_column(seg, r, &present, err));
        if (present != rs->fields[f].n_present)
            return skep_segment__corrupt(seg, err, seg->data_end, "a field's presence count");
    }
    return SKEP_OK;
}

/* What check_rows() carries from row to row. */
struct order {
    skep_trace_id id;
    int64_t time_ns, anchor_ns;
    uint64_t traces;
    bool any;
};

static bool is_none(const skep_trace_id *id)
{
    static const skep_trace_id none;
    return memcmp(id, &none, sizeof none) == 0;
}

static skep_rc check_trace(struct skep_segment *seg, const skep_trace_id *id, uint64_t row,
                           skep_err *err)
{
    struct skep_row_range range;
    unsigned n;
    SKEP_TRY(skep_segment__find_trace(&seg->base, id, &range, 1, &n, err));
    if (n != 1 || range.first != row)
        return skep_segment__corrupt(seg, err, seg->data_end,
                                     "a trace is not where its index says");
    return SKEP_OK;
}

/* --- rows by dataset and time --- */

/* What check_log_rows() carries from row to row. */
struct log_order {
    uint32_t run;
    int64_t time_ns;
    uint64_t seq, ordinal, entries;
};

struct log_readers {
    struct skep_colreader *time, *seq, *ordinal, *dataset, *trace;
};

struct log_block {
    struct skep_vec time, seq, ordinal, dataset, trace;
};

static int by_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Each trace of the block is found in it; they are counted as the index does. */
static skep_rc check_log_traces(struct skep_segment *seg, const struct skep_vec *trace,
                                uint64_t row0, struct log_order *o, skep_err *err)
{
    uint64_t hashes[SKEP_BLOCK_ROWS];
    unsigned n = 0, distinct = 0;
    for (unsigned i = 0; i < trace->n && !trace->none; i++) {
        const skep_trace_id *id = &trace->id16[trace->constant ? 0 : i];
        if (is_none(id))
            continue;
        hashes[n++] = skep_hash((skep_bytes){id->b, sizeof id->b});
        struct skep_row_range ranges[64];
        unsigned k;
        SKEP_TRY(skep_segment__find_trace(&seg->base, id, ranges, 64, &k, err));
        bool found = false;
        for (unsigned r = 0; r < k; r++)
            found |= row0 + i >= ranges[r].first && row0 + i < ranges[r].end;
        if (!found)
            return skep_segment__corrupt(seg, err, seg->data_end,
                                         "a trace is not where its index says");
    }
    qsort(hashes, n, sizeof hashes[0], by_u64);
    for (unsigned i = 0; i < n; i++)
        distinct += i == 0 || hashes[i] != hashes[i - 1];
    o->entries += distinct;
    return SKEP_OK;
}

static skep_str dataset_at(const struct skep_vec *v, unsigned i)
{
    if (v->none || (v->valid && !(v->valid[i / 64] >> (i % 64) & 1)))
        return SKEP_STR("");
    unsigned k = v->constant ? 0 : i;
    return v->form == SKEP_VEC_DICT ? skep_dict_str(v->dict, v->codes[k]) : v->str[k];
}

static int64_t int_at(const struct skep_vec *v, unsigned i)
{
    return v->none ? 0 : v->i64[v->constant ? 0 : i];
}

static skep_rc check_log_row(struct skep_segment *seg, const struct log_block *b, unsigned i,
                             uint64_t row, struct log_order *o, skep_err *err)
{
    const struct skep_rowset *rs = &seg->base;
    int64_t time = int_at(&b->time, i);
    uint64_t seq = (uint64_t)int_at(&b->seq, i), ordinal = (uint64_t)int_at(&b->ordinal, i);
    bool begins = row == 0;
    if (o->run + 1 < rs->n_runs && rs->runs[o->run + 1].first == row) {
        o->run++;
        begins = true;
    }
    if (!skep_str_eq(dataset_at(&b->dataset, i), rs->runs[o->run].dataset))
        return skep_segment__corrupt(seg, err, seg->data_end, "a row outside its dataset");
    bool after = time > o->time_ns ||
                 (time == o->time_ns && (seq > o->seq || (seq == o->seq && ordinal > o->ordinal)));
    if (!begins && !after)
        return skep_segment__corrupt(seg, err, 0, "rows of a dataset are not in order");
    o->time_ns = time;
    o->seq = seq;
    o->ordinal = ordinal;
    const struct skep_block_bounds *x = &rs->blocks[row / SKEP_BLOCK_ROWS];
    if (time < x->min_start_ns || time > x->max_start_ns || x->max_end_ns < x->max_start_ns)
        return skep_segment__corrupt(seg, err, seg->data_end, "time bounds of a block");
    return SKEP_OK;
}

static skep_rc check_log_block(struct skep_segment *seg, struct log_readers *r, uint64_t block,
                               struct log_order *o, skep_err *err)
{
    unsigned n = skep_rowset_block_rows(&seg->base, block);
    uint64_t row0 = block * SKEP_BLOCK_ROWS;
    struct log_block b;
    if (n == 0)
        return SKEP_OK;
    SKEP_TRY(r->time->ops->read(r->time, row0, n, &b.time, err));
    SKEP_TRY(r->seq->ops->read(r->seq, row0, n, &b.seq, err));
    SKEP_TRY(r->ordinal->ops->read(r->ordinal, row0, n, &b.ordinal, err));
    SKEP_TRY(r->dataset->ops->read(r->dataset, row0, n, &b.dataset, err));
    SKEP_TRY(r->trace->ops->read(r->trace, row0, n, &b.trace, err));
    for (unsigned i = 0; i < n; i++)
        SKEP_TRY(check_log_row(seg, &b, i, row0 + i, o, err));
    return check_log_traces(seg, &b.trace, row0, o, err);
}

static skep_rc check_log_rows(struct skep_segment *seg, skep_err *err)
{
    struct skep_rowset *rs = &seg->base;
    struct log_readers r = {0};
    struct skep_colreader **all[] = {&r.time, &r.seq, &r.ordinal, &r.dataset, &r.trace};
    static const enum skep_column columns[] = {SKEP_COL_TIME, SKEP_COL_SEQ, SKEP_COL_ORDINAL,
                                               SKEP_COL_DATASET, SKEP_COL_TRACE_ID};
    struct log_order o = {0};
    skep_rc rc = SKEP_OK;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all) && rc == SKEP_OK; i++)
        rc = rs->ops->open_column(rs, columns[i], all[i], err);
    for (uint64_t b = 0; b < skep_rowset_blocks(rs) && rc == SKEP_OK; b++)
        rc = check_log_block(seg, &r, b, &o, err);
    if (rc == SKEP_OK && (o.entries != seg->n_traces || o.run + 1 != rs->n_runs))
        rc = skep_segment__corrupt(seg, err, seg->data_end, "number of traces or datasets");
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++)
        if (*all[i])
            (*all[i])->ops->close(*all[i]);
    return rc;
}

/* --- rows by trace --- */

static skep_rc check_row(struct skep_segment *seg, struct order *o, const skep_trace_id *id,
                         int64_t time_ns, uint64_t row, skep_err *err)
{
    bool same = o->any && memcmp(&o->id, id, sizeof *id) == 0;
    if (same && !is_none(id)) {
        if (time_ns < o->time_ns)
            return skep_segment__corrupt(seg, err, 0, "rows of a trace are not in order");
    } else {
        if (o->any && time_ns < o->anchor_ns)
            return skep_segment__corrupt(seg, err, 0, "traces are not in order");
        o->anchor_ns = time_ns;
        if (!is_none(id)) {
            o->traces++;
            SKEP_TRY(check_trace(seg, id, row, err));
        }
    }
    *o = (struct order){*id, time_ns, o->anchor_ns, o->traces, true};
    const struct skep_block_bounds *b = &seg->base.blocks[row / SKEP_BLOCK_ROWS];
    if (time_ns < b->min_start_ns || time_ns > b->max_start_ns || b->max_end_ns < b->max_start_ns)
        return skep_segment__corrupt(seg, err, seg->data_end, "time bounds of a block");
    return SKEP_OK;
}

static skep_rc check_rows(struct skep_segment *seg, skep_err *err)
{
    struct skep_rowset *rs = &seg->base;
    struct skep_colreader *time = NULL, *trace = NULL;
    struct order o = {0};
    skep_rc rc = rs->ops->open_column(rs, SKEP_COL_TIME, &time, err);
    if (rc == SKEP_OK)
        rc = rs->ops->open_column(rs, SKEP_COL_TRACE_ID, &trace, err);
    for (uint64_t row = 0; row < rs->row_end && rc == SKEP_OK; row += SKEP_BLOCK_ROWS) {
        unsigned n = skep_rowset_block_rows(rs, row / SKEP_BLOCK_ROWS);
        if (n == 0)
            continue;
        struct skep_vec t, id;
        rc = time->ops->read(time, row, n, &t, err);
        if (rc == SKEP_OK)
            rc = trace->ops->read(trace, row, n, &id, err);
        for (unsigned i = 0; i < n && rc == SKEP_OK; i++)
            rc = check_row(seg, &o, &id.id16[i], t.i64[t.constant ? 0 : i], row + i, err);
    }
    if (rc == SKEP_OK && o.traces != seg->n_traces)
        rc = skep_segment__corrupt(seg, err, seg->data_end, "number of traces");
    if (time)
        time->ops->close(time);
    if (trace)
        trace->ops->close(trace);
    return rc;
}

skep_rc skep_segment__verify(struct skep_rowset *rs, skep_err *err)
{
    struct skep_segment *seg = skep_segment__of(rs);
    SKEP_TRY(check_chunks(seg, err));
    SKEP_TRY(check_columns(seg, err));
    if (rs->layout == SKEP_LAYOUT_LOGS)
        return check_log_rows(seg, err);
    for (uint32_t g = 0; g < seg->n_groups; g++)
        SKEP_TRY(skep_segment__check_parents(seg, g, err));
    return check_rows(seg, err);
}

skep_rc skep_segment_verify(const struct skep_os *os, const char *path, uint64_t *ret_rows,
                            skep_err *err)
{
    struct skep_cache *cache = skep_cache_new(NULL, 64ull << 20);
    struct skep_rowset *rs = NULL;
    skep_rc rc = skep_segment_open(os, path, cache, &rs, err);
    if (rc == SKEP_OK)
        rc = skep_segment__verify(rs, err);
    if (rc == SKEP_OK && ret_rows)
        *ret_rows = rs->n_rows;
    skep_rowset_unref(rs);
    skep_cache_free(cache);
    return rc;
}
