// SPDX-License-Identifier: Apache-2.0
/* Write a segment: several rowsets merged into one file (docs/formats/segment.md).
 *
 *   schema   union of the sources' fields and interned lists
 *   order    trace_order.c decides the sequence of all live rows
 *   groups   65,536 rows at a time (job->group_rows): each column is gathered, encoded, appended;
 *            then the group's directory
 *   tail     segment dictionaries, trace index, footer, trailer; fsync
 *
 * I1  chunks stand back to back from the header to the footer: every byte of the file is covered
 *     by a checksum.
 * I2  working memory is asked from job->budget (segment_plan.c: how much).
 *
 * Threads: one.  The file is removed when the write fails. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "os/os.h"
#include "store/column/part.h"
#include "store/column/segment_filter.h"
#include "store/column/segment_write.h"

enum { OUT_BYTES = 1 << 20 };

skep_rc skep_segment__charge(struct skep_segment_writer *w, uint64_t bytes, skep_err *err)
{
    SKEP_TRY(skep_budget_take(w->job->budget, bytes, err));
    w->charged_bytes += bytes;
    return SKEP_OK;
}

static skep_rc flush_out(struct skep_segment_writer *w, skep_err *err)
{
    const struct skep_os *os = w->job->os;
    if (w->out.bad)
        return skep_fail(err, SKEP_ENOMEM, "segment: a chunk went over its limit");
    SKEP_TRY(os->pwrite(os, w->fd, w->out.p, w->out.n, w->flushed, err));
    w->flushed += w->out.n;
    skep_buf_reset(&w->out);
    return SKEP_OK;
}

skep_rc skep_segment__put_chunk(struct skep_segment_writer *w, skep_bytes b,
                                struct skep_chunk_ref *ret, skep_err *err)
{
    if (w->chunk.bad || b.n > SKEP_SEGMENT_CHUNK_MAX)
        return skep_fail(err, SKEP_ENOMEM, "segment: a chunk of %zu bytes is over the limit", b.n);
    skep_assert(b.n > 0);
    ret->offset = w->flushed + w->out.n;
    ret->length = (uint32_t)b.n;
    ret->crc = skep_chunk_crc(ret->offset, b);
    skep_buf_put(&w->out, b.p, b.n);
    return w->out.n >= OUT_BYTES ? flush_out(w, err) : SKEP_OK;
}

void skep_segment__put_ref(struct skep_buf *b, const struct skep_chunk_ref *ref)
{
    skep_buf_u64(b, ref->offset);
    skep_buf_u32(b, ref->length);
    skep_buf_u32(b, ref->crc);
}

/* --- schema --- */

static int by_identity(const void *a, const void *b)
{
    const struct skep_wfield *x = a, *y = b;
    int c = skep_str_cmp(x->name, y->name);
    if (c == 0)
        c = (int)x->scope - (int)y->scope;
    return c != 0 ? c : (int)x->type - (int)y->type;
}

static skep_rc collect_fields(struct skep_segment_writer *w, skep_err *err)
{
    const struct skep_segment_job *job = w->job;
    uint64_t all = 0;
    for (unsigned s = 0; s < job->n_sources; s++)
        all += job->sources[s].rowset->n_fields;
    SKEP_TRY(skep_segment__charge(w, all * (sizeof *w->fields + 4 * job->n_sources), err));
    w->fields = skep_alloc_n(struct skep_wfield, all + 1);
    uint32_t n = 0;
    for (unsigned s = 0; s < job->n_sources; s++) {
        const struct skep_rowset *rs = job->sources[s].rowset;
        for (uint32_t f = 0; f < rs->n_fields; f++)
            w->fields[n++] = (struct skep_wfield){rs->fields[f].name, rs->fields[f].scope,
                                                  rs->fields[f].type, 0};
    }
    qsort(w->fields, n, sizeof *w->fields, by_identity);
    for (uint32_t i = 0; i < n; i++)
        if (i == 0 || by_identity(&w->fields[i], &w->fields[w->n_fields - 1]) != 0)
            w->fields[w->n_fields++] = w->fields[i];
    for (unsigned s = 0; s < job->n_sources; s++) {
        w->field_maps[s] = skep_alloc_n(uint32_t, w->n_fields + 1);
        for (uint32_t f = 0; f < w->n_fields; f++)
            w->field_maps[s][f] = skep_rowset_find_field(job->sources[s].rowset, w->fields[f].name,
                                                         w->fields[f].scope, w->fields[f].type);
    }
    return SKEP_OK;
}

static bool same_value(const skep_value *a, const skep_value *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case SKEP_TYPE_STRING:
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_ARRAY: return skep_str_eq(a->s, b->s);
    case SKEP_TYPE_INT: return a->i == b->i;
    case SKEP_TYPE_DOUBLE: return memcmp(&a->f, &b->f, 8) == 0;
    case SKEP_TYPE_BOOL: return a->b == b->b;
    case SKEP_TYPE_NULL:
    case SKEP_TYPE_EMPTY:
    case SKEP_TYPE_COUNT:
    default: return true;
    }
}

static bool same_list(const struct skep_rowset_lists *a, uint32_t i,
                      const struct skep_rowset_lists *b, uint32_t j)
{
    uint32_t n = a->first[i + 1] - a->first[i];
    if (n != b->first[j + 1] - b->first[j])
        return false;
    for (uint32_t k = 0; k < n; k++) {
        const struct skep_rowset_entry *x = &a->entries[a->first[i] + k];
        const struct skep_rowset_entry *y = &b->entries[b->first[j] + k];
        if (!skep_str_eq(x->name, y->name) || !same_value(&x->value, &y->value))
            return false;
    }
    return true;
}

static uint32_t add_list(struct skep_wlists *l, const struct skep_rowset_lists *from, uint32_t i)
{
    uint64_t hash = from->hashes[i];
    struct skep_index_it it = skep_index_begin(&l->index, hash);
    for (uint32_t k; (k = skep_index_next(&l->index, &it)) != SKEP_INDEX_NONE;)
        if (l->items[k].hash == hash && same_list(l->items[k].lists, l->items[k].index, from, i))
            return k;
    SKEP_GROW(l->items, l->n, l->cap);
    l->items[l->n] = (struct skep_wlist){hash, from, i};
    skep_index_add(&l->index, hash, l->n);
    return l->n++;
}

static skep_rc collect_lists(struct skep_segment_writer *w, struct skep_wlists *l, bool resources,
                             skep_err *err)
{
    for (unsigned s = 0; s < w->job->n_sources; s++) {
        const struct skep_rowset *rs = w->job->sources[s].rowset;
        const struct skep_rowset_lists *from = resources ? &rs->resources : &rs->scopes;
        SKEP_TRY(skep_segment__charge(w, (uint64_t)from->n * 64, err));
        l->maps[s] = skep_alloc_n(uint32_t, from->n + 1);
        l->map_sizes[s] = from->n;
        for (uint32_t i = 0; i < from->n; i++)
            l->maps[s][i] = add_list(l, from, i);
    }
    return SKEP_OK;
}

/* --- a row group --- */

void skep_segment__put_bounds(struct skep_segment_writer *w, const struct skep_block_bounds *b)
{
    skep_buf_u64(&w->blocks, (uint64_t)b->min_start_ns);
    skep_buf_u64(&w->blocks, (uint64_t)b->max_start_ns);
    skep_buf_u64(&w->blocks, (uint64_t)b->max_end_ns);
    if (w->blocks.n == 24)
        w->bounds = *b;
    w->bounds.min_start_ns = SKEP_MIN(w->bounds.min_start_ns, b->min_start_ns);
    w->bounds.max_start_ns = SKEP_MAX(w->bounds.max_start_ns, b->max_start_ns);
    w->bounds.max_end_ns = SKEP_MAX(w->bounds.max_end_ns, b->max_end_ns);
}

/* Time bounds of the group's blocks; w->span_ids holds TIME by row, w->col has DURATION. */
static void put_bounds(struct skep_segment_writer *w)
{
    const int64_t *time = (const int64_t *)w->span_ids;
    struct skep_block_bounds b = {0};
    for (uint32_t row = 0; row < w->n_rows; row++) {
        bool has = w->col.bitmap[row / 64] >> (row % 64) & 1;
        int64_t duration = has ? SKEP_MAX(w->row_ints[row], 0) : 0;
        int64_t end;
        if (SKEP_ADD_OVERFLOW(time[row], duration, &end))
            end = INT64_MAX;
        if (row % SKEP_BLOCK_ROWS == 0)
            b = (struct skep_block_bounds){time[row], time[row], end};
        b.min_start_ns = SKEP_MIN(b.min_start_ns, time[row]);
        b.max_start_ns = SKEP_MAX(b.max_start_ns, time[row]);
        b.max_end_ns = SKEP_MAX(b.max_end_ns, end);
        if ((row + 1) % SKEP_BLOCK_ROWS != 0 && row + 1 < w->n_rows)
            continue;
        skep_segment__put_bounds(w, &b);
    }
}

static void note_seqs(struct skep_segment_writer *w)
{
    for (uint32_t i = 0; i < w->col.n; i++) {
        uint64_t seq = (uint64_t)w->col.ints[i];
        w->min_seq = SKEP_MIN(w->min_seq, seq);
        w->max_seq = SKEP_MAX(w->max_seq, seq);
    }
}

/* Where datasets begin, when the rows are in that order; the group's DATASET is in w->col. */
static void note_runs(struct skep_segment_writer *w)
{
    uint32_t at = 0;
    skep_segment__spell(w);
    for (uint32_t row = 0; row < w->n_rows; row++) {
        bool has = w->col.bitmap[row / 64] >> (row % 64) & 1;
        skep_str dataset = has ? w->col.strs[at++] : SKEP_STR("");
        skep_str last = {(const char *)w->runs.p + w->last_run_at, w->last_run_n};
        if (w->n_runs > 0 && skep_str_eq(dataset, last))
            continue;
        skep_buf_u64(&w->runs, (uint64_t)w->n_groups * SKEP_ROW_GROUP_ROWS + row);
        skep_buf_varint(&w->runs, dataset.n);
        w->last_run_at = w->runs.n;
        w->last_run_n = dataset.n;
        skep_buf_str(&w->runs, dataset);
        w->n_runs++;
        if (w->runs.bad)
            return; /* seen with the footer */
    }
}

static skep_rc write_columns(struct skep_segment_writer *w, skep_err *err)
{
    /* What others follow comes before them. */
    static const uint8_t first[] = {SKEP_COL_RESOURCE, SKEP_COL_NAME};
    enum { N_FIRST = SKEP_ARRAY_LEN(first) };
    for (uint32_t i = 0; i < SKEP_COL_COUNT + N_FIRST; i++) {
        uint32_t col = i < N_FIRST ? first[i] : i - N_FIRST;
        if (i >= N_FIRST && (col == SKEP_COL_RESOURCE || col == SKEP_COL_NAME))
            continue; /* done */
        if (col == SKEP_COL_SPAN_ID || col == SKEP_COL_PARENT_ID)
            continue; /* with the trace ids */
        if (col == SKEP_COL_TRACE_ID) {
            SKEP_TRY(skep_segment__write_ids(w, err));
            continue;
        }
        SKEP_TRY(skep_segment__gather(w, col, err));
        if (col == SKEP_COL_TIME)
            memcpy(w->span_ids, w->row_ints, w->n_rows * sizeof *w->row_ints);
        if (col == SKEP_COL_DURATION)
            put_bounds(w);
        if (col == SKEP_COL_SEQ)
            note_seqs(w);
        if (col == SKEP_COL_DATASET && w->job->layout == SKEP_LAYOUT_LOGS)
            note_runs(w);
        SKEP_TRY(skep_segment__encode(w, col, err));
    }
    return SKEP_OK;
}

static skep_rc write_fields(struct skep_segment_writer *w, skep_err *err)
{
    for (uint32_t f = 0; f < w->n_fields; f++) {
        uint32_t key = SKEP_SEGMENT_FIELD_KEY + f;
        SKEP_TRY(skep_segment__gather(w, key, err));
        uint32_t n = w->col.n;
        w->present_here[f] = n;
        if (n == 0)
            continue;
        bool may = w->dense[f] || w->n_dense < SKEP_SEGMENT_MAX_DENSE;
        if (may && (uint64_t)n * SKEP_SEGMENT_DENSE_SHARE >= w->n_rows) {
            w->n_dense += !w->dense[f];
            w->dense[f] = true;
            SKEP_TRY(skep_segment__encode(w, key, err));
        } else {
            SKEP_TRY(skep_segment__sparse_add(w, key, err));
        }
    }
    return skep_segment__sparse_end(w, err);
}

static skep_rc write_directory(struct skep_segment_writer *w, uint8_t origin, skep_err *err)
{
    struct skep_buf *b = &w->chunk;
    skep_buf_reset(b);
    skep_buf_u32(b, w->n_rows);
    skep_buf_u32(b, w->n_entries);
    skep_buf_u32(b, w->n_pages);
    skep_buf_put(b, w->entries.p, w->entries.n);
    skep_buf_put(b, w->pages.p, w->pages.n);
    if (w->entries.bad || w->pages.bad)
        return skep_fail(err, SKEP_ENOMEM, "segment: directory of a row group over its limit");
    struct skep_chunk_ref ref;
    SKEP_TRY(skep_segment__put_chunk(w, skep_buf_bytes(b), &ref, err));
    skep_segment__put_ref(&w->groups, &ref);
    skep_buf_u32(&w->group_sizes, w->n_rows | (uint32_t)origin << 24);
    w->n_groups++;
    return SKEP_OK;
}

skep_rc skep_segment__begin_group(struct skep_segment_writer *w, skep_err *err)
{
    const struct skep_segment_job *job = w->job;
    if (job->canceled && job->canceled(job->ctx))
        return skep_fail(err, SKEP_ECANCELED, "segment write canceled");
    if (w->n_rows < SKEP_ROW_GROUP_ROWS && w->n_groups > 0) /* the one before is short */
        w->required |= SKEP_SEGMENT_TAKEN_OVER;
    skep_buf_reset(&w->entries);
    skep_buf_reset(&w->pages);
    w->n_entries = w->n_pages = 0;
    w->n_bitmaps = 0;
    w->n_bases = 0;
    w->group_held = w->runs.n + w->blocks.n + w->index_entries.n;
    return SKEP_OK;
}

skep_rc skep_segment__end_group(struct skep_segment_writer *w, uint8_t origin, skep_err *err)
{
    const struct skep_segment_job *job = w->job;
    SKEP_TRY(write_directory(w, origin, err));
    SKEP_TRY(
        skep_segment__charge(w, w->runs.n + w->blocks.n + w->index_entries.n - w->group_held, err));
    w->rows_done += w->n_rows;
    if (job->progress)
        job->progress(job->ctx, w->rows_done, w->flushed + w->out.n);
    return SKEP_OK;
}

skep_rc skep_segment__write_group(struct skep_segment_writer *w, uint32_t n_rows, skep_err *err)
{
    SKEP_TRY(skep_segment__begin_group(w, err));
    w->n_rows = n_rows;
    skep_segment__slot_rows(w);
    SKEP_TRY(write_columns(w, err));
    SKEP_TRY(write_fields(w, err));
    SKEP_TRY(skep_segment__end_group(w, 0, err));
    for (uint32_t f = 0; f < w->n_fields; f++)
        w->fields[f].n_present += w->present_here[f];
    return SKEP_OK;
}

/* --- head and tail --- */

static void make_header(uint64_t required, uint64_t optional, uint8_t *h)
{
    memset(h, 0, SKEP_SEGMENT_HEADER_BYTES);
    memcpy(h, SKEP_SEGMENT_MAGIC, 8);
    skep_store_le32(h + 8, SKEP_SEGMENT_VERSION);
    skep_store_le64(h + 16, required);
    skep_store_le64(h + 24, optional);
    skep_store_le32(h + 12, skep_crc32c(0, (skep_bytes){h, SKEP_SEGMENT_HEADER_BYTES}));
}

/* Which features a file needs is known when it is written: its header is put right at the end. */
static skep_rc finish_header(struct skep_segment_writer *w, skep_err *err)
{
    const struct skep_os *os = w->job->os;
    uint8_t h[SKEP_SEGMENT_HEADER_BYTES];
    if (w->required == 0 && w->optional == 0)
        return SKEP_OK;
    make_header(w->required, w->optional, h);
    return os->pwrite(os, w->fd, h, sizeof h, 0, err);
}

static void put_list_value(struct skep_buf *f, const skep_value *v)
{
    uint64_t bits = 0;
    switch (v->type) {
    case SKEP_TYPE_STRING:
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_ARRAY:
        skep_buf_varint(f, v->s.n);
        skep_buf_str(f, v->s);
        return;
    case SKEP_TYPE_DOUBLE: memcpy(&bits, &v->f, 8); break;
    case SKEP_TYPE_INT: bits = (uint64_t)v->i; break;
    case SKEP_TYPE_BOOL: bits = v->b; break;
    case SKEP_TYPE_NULL:
    case SKEP_TYPE_EMPTY:
    case SKEP_TYPE_COUNT:
    default: return;
    }
    skep_buf_u64(f, bits);
}

static void put_lists(struct skep_buf *f, const struct skep_wlists *l)
{
    skep_buf_u32(f, l->n);
    for (uint32_t i = 0; i < l->n; i++) {
        const struct skep_rowset_lists *from = l->items[i].lists;
        uint32_t first = from->first[l->items[i].index], end = from->first[l->items[i].index + 1];
        skep_buf_u64(f, l->items[i].hash);
        skep_buf_varint(f, end - first);
        for (uint32_t k = first; k < end; k++) {
            const struct skep_rowset_entry *e = &from->entries[k];
            skep_buf_varint(f, e->name.n);
            skep_buf_str(f, e->name);
            skep_buf_u8(f, (uint8_t)e->value.type);
            put_list_value(f, &e->value);
        }
    }
}

static skep_rc put_dicts(struct skep_segment_writer *w, struct skep_buf *f, skep_err *err)
{
    uint32_t n = 0, slots = SKEP_COL_COUNT + w->n_fields;
    for (uint32_t i = 0; i < slots; i++)
        n += w->dicts[i].n > 0;
    skep_buf_u32(f, n);
    for (uint32_t i = 0; i < slots; i++) {
        if (w->dicts[i].n == 0)
            continue;
        struct skep_chunk_ref ref;
        uint8_t codec;
        SKEP_TRY(skep_segment__put_dict(w, &w->dicts[i], &ref, &codec, err));
        skep_buf_u32(f, i < SKEP_COL_COUNT ? i : SKEP_SEGMENT_FIELD_KEY + i - SKEP_COL_COUNT);
        skep_buf_u32(f, w->dicts[i].n);
        skep_buf_u32(f, codec);
        skep_segment__put_ref(f, &ref);
    }
    return SKEP_OK;
}

static void put_fields(struct skep_segment_writer *w, struct skep_buf *f)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->n_fields; i++)
        n += w->fields[i].n_present > 0;
    skep_buf_u32(f, n);
    for (uint32_t i = 0; i < w->n_fields; i++) {
        const struct skep_wfield *x = &w->fields[i];
        if (x->n_present == 0)
            continue;
        skep_buf_u32(f, SKEP_SEGMENT_FIELD_KEY + i);
        skep_buf_u8(f, x->scope);
        skep_buf_u8(f, x->type);
        skep_buf_u64(f, x->n_present);
        skep_buf_varint(f, x->name.n);
        skep_buf_str(f, x->name);
    }
}

static skep_rc put_footer(struct skep_segment_writer *w, struct skep_buf *f, skep_err *err)
{
    skep_buf_u64(f, w->rows_done);
    skep_buf_u64(f, w->min_seq);
    skep_buf_u64(f, w->max_seq);
    skep_buf_u64(f, w->traces);
    skep_buf_u32(f, w->n_groups);
    skep_buf_put(f, w->groups.p, w->groups.n);
    if (w->required & SKEP_SEGMENT_TAKEN_OVER)
        skep_buf_put(f, w->group_sizes.p, w->group_sizes.n);
    skep_buf_put(f, w->blocks.p, w->blocks.n);
    put_fields(w, f);
    put_lists(f, &w->resources);
    put_lists(f, &w->scopes);
    SKEP_TRY(put_dicts(w, f, err));
    SKEP_TRY(skep_segment__write_index(w, f, err));
    if (w->required & SKEP_SEGMENT_LOGS) {
        skep_buf_u32(f, w->n_runs);
        skep_buf_put(f, w->runs.p, w->runs.n);
    }
    if (w->required & SKEP_SEGMENT_TAKEN_OVER) {
        skep_buf_u32(f, w->n_origins - 1);
        skep_buf_put(f, w->origins.p, w->origins.n);
    }
    if (f->bad || w->runs.bad || w->groups.bad || w->group_sizes.bad || w->origins.bad ||
        w->blocks.bad || w->index_entries.bad)
        return skep_fail(err, SKEP_ENOMEM, "segment: footer over its limit");
    struct skep_chunk_ref ref;
    SKEP_TRY(skep_segment__put_chunk(w, skep_buf_bytes(f), &ref, err));
    skep_segment__put_ref(&w->out, &ref);
    skep_buf_u64(&w->out, w->flushed + w->out.n + 16);
    skep_buf_put(&w->out, SKEP_SEGMENT_END_MAGIC, 8);
    return flush_out(w, err);
}

static skep_rc write_all(struct skep_segment_writer *w, skep_err *err)
{
    const struct skep_os *os = w->job->os;
    uint8_t header[SKEP_SEGMENT_HEADER_BYTES];
    if (w->job->layout == SKEP_LAYOUT_LOGS)
        w->required |= SKEP_SEGMENT_LOGS;
    make_header(0, 0, header);
    skep_buf_put(&w->out, header, sizeof header);
    SKEP_TRY(skep_segment__write_groups(w, err));
    if (w->rows_done == 0)
        return skep_fail(err, SKEP_EINVAL, "no live row to write a segment of");
    struct skep_buf footer;
    skep_buf_init(&footer, SKEP_SEGMENT_FOOTER_MAX);
    skep_rc rc = put_footer(w, &footer, err);
    skep_buf_done(&footer);
    SKEP_TRY(rc);
    SKEP_TRY(finish_header(w, err));
    if (w->undone_end > w->flushed) /* of a row group that was begun anew, shorter */
        SKEP_TRY(os->truncate(os, w->fd, w->flushed, err));
    return os->fsync(os, w->fd, err);
}

static void alloc_scratch(struct skep_segment_writer *w)
{
    const size_t rows = w->group_rows;
    unsigned n_sources = w->job->n_sources;
    w->rows = skep_alloc_n(struct skep_order_row, rows);
    w->slots = skep_alloc_n(uint64_t, rows);
    w->source_first = skep_alloc_n(uint32_t, n_sources + 2);
    w->col.bitmap = skep_alloc_n(uint64_t, SKEP_ROW_GROUP_ROWS / 64);
    w->packed_ints = skep_alloc_n(int64_t, rows);
    w->present = skep_alloc_n(uint8_t, rows + 64);
    w->tokens = skep_alloc_n(uint32_t, rows);
    w->col.strs = skep_alloc_n(skep_str, rows);
    w->col.ids = skep_alloc_n(skep_trace_id, rows);
    w->row_ints = skep_alloc_n(int64_t, rows);
    w->tmp = skep_alloc_n(int64_t, rows);
    w->span_ids = skep_alloc_n(uint64_t, rows);
    w->run_starts = skep_alloc_n(uint32_t, rows + 1);
    w->row_slots = skep_alloc_n(uint32_t, 2 * rows);
    w->bitmap_copies = skep_calloc(SKEP_ARRAY_LEN(w->bitmaps), sizeof *w->bitmap_copies);
    w->readers = skep_alloc_n(struct skep_colreader *, n_sources);
    w->field_maps = skep_alloc_n(uint32_t *, n_sources);
    w->copies = skep_alloc_n(struct skep_wcopy, n_sources);
    struct skep_wlists *lists[] = {&w->resources, &w->scopes};
    for (unsigned i = 0; i < 2; i++) {
        lists[i]->maps = skep_alloc_n(uint32_t *, n_sources);
        lists[i]->map_sizes = skep_alloc_n(uint32_t, n_sources);
    }
    skep_buf_init(&w->out, SKEP_SEGMENT_CHUNK_MAX + 2 * (size_t)OUT_BYTES);
    skep_buf_init(&w->chunk, SKEP_SEGMENT_CHUNK_MAX);
    skep_buf_init(&w->sparse, SKEP_SEGMENT_CHUNK_MAX);
    struct skep_buf *meta[] = {&w->entries,     &w->runs,   &w->pages,         &w->groups,
                               &w->group_sizes, &w->blocks, &w->index_entries, &w->origins};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(meta); i++)
        skep_buf_init(meta[i], SKEP_SEGMENT_CHUNK_MAX);
    skep_arena_init(&w->arena, "segment write", w->job->budget);
}

static skep_rc prepare(struct skep_segment_writer *w, skep_err *err)
{
    SKEP_TRY(collect_fields(w, err));
    SKEP_TRY(collect_lists(w, &w->resources, true, err));
    SKEP_TRY(collect_lists(w, &w->scopes, false, err));
    SKEP_TRY(skep_segment__charge(
        w, (uint64_t)w->n_fields * (sizeof *w->dicts + sizeof *w->habits + 7), err));
    w->dicts = skep_alloc_n(struct skep_wdict, SKEP_COL_COUNT + w->n_fields);
    w->dict_off = skep_alloc_n(bool, SKEP_COL_COUNT + w->n_fields);
    w->local_rest = skep_alloc_n(uint8_t, SKEP_COL_COUNT + w->n_fields);
    w->habits = skep_alloc_n(struct skep_whabits, SKEP_COL_COUNT + w->n_fields);
    w->dense = skep_alloc_n(bool, w->n_fields + 1);
    w->present_here = skep_alloc_n(uint32_t, w->n_fields + 1);
    return skep_order_new(w->job, &w->order, err);
}

static void free_lists(struct skep_wlists *l, unsigned n_sources)
{
    for (unsigned s = 0; s < n_sources && l->maps; s++)
        skep_free(l->maps[s]);
    skep_free(l->maps);
    skep_free(l->map_sizes);
    skep_free(l->items);
    skep_index_done(&l->index);
}

static void free_writer(struct skep_segment_writer *w)
{
    unsigned n_sources = w->job->n_sources;
    if (w->readers)
        skep_segment__close_readers(w);
    for (unsigned s = 0; s < n_sources && w->field_maps; s++)
        skep_free(w->field_maps[s]);
    for (unsigned s = 0; s < n_sources && w->copies; s++) {
        skep_free(w->copies[s].origins);
        skep_free(w->copies[s].field_to);
        skep_free(w->copies[s].group_to);
    }
    skep_free(w->copies);
    free_lists(&w->resources, n_sources);
    free_lists(&w->scopes, n_sources);
    for (uint32_t i = 0; w->dicts && i < SKEP_COL_COUNT + w->n_fields; i++)
        skep_wdict__done(&w->dicts[i]);
    skep_wdict__done(&w->local);
    skep_segment__free_filters(w);
    void *blocks[] = {
        w->rows,         w->slots,    w->source_first,  w->col.bitmap,  w->packed_ints, w->col.strs,
        w->col.ids,      w->present,  w->tokens,        w->token_codes, w->domains,     w->row_ints,
        w->tmp,          w->span_ids, w->run_starts,    w->row_slots,   w->dicts,       w->dict_off,
        w->local_rest,   w->dense,    w->bitmap_copies, w->readers,     w->field_maps,  w->fields,
        w->present_here, w->habits};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(blocks); i++)
        skep_free(blocks[i]);
    for (unsigned i = 0; i < SKEP_WBASES; i++) {
        skep_free(w->bases[i].x);
        skep_free(w->bases[i].n_of);
    }
    struct skep_buf *bufs[] = {&w->out,    &w->chunk,         &w->sparse, &w->entries,
                               &w->pages,  &w->runs,          &w->groups, &w->group_sizes,
                               &w->blocks, &w->index_entries, &w->origins};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(bufs); i++)
        skep_buf_done(bufs[i]);
    skep_arena_done(&w->arena);
    skep_order_free(w->order);
    skep_budget_give(w->job->budget, w->charged_bytes);
    skep_free(w);
}

static skep_rc run_job(struct skep_segment_writer *w, skep_err *err)
{
    SKEP_TRY(prepare(w, err));
    const struct skep_os *os = w->job->os;
    SKEP_TRY(os->open(os, w->job->path, SKEP_OPEN_WRITE | SKEP_OPEN_CREATE | SKEP_OPEN_TRUNC,
                      &w->fd, err));
    skep_rc rc = write_all(w, err);
    os->close(os, w->fd);
    if (rc != SKEP_OK)
        (void)os->unlink(os, w->job->path, NULL); /* the first error is the one to report */
    return rc;
}

skep_rc skep_segment_write(const struct skep_segment_job *job, struct skep_segment_info *ret,
                           skep_err *err)
{
    skep_assert(job->os && job->path && job->budget);
    skep_assert(job->n_sources > 0 && job->sources);
    uint32_t group_rows;
    uint64_t fixed = 0;
    SKEP_TRY(skep_segment__take_fixed(job, &group_rows, &fixed, err));
    struct skep_segment_writer *w = skep_alloc(struct skep_segment_writer);
    w->job = job;
    w->charged_bytes = fixed;
    w->group_rows = group_rows;
    w->min_seq = UINT64_MAX;
    w->n_origins = 1;
    alloc_scratch(w);
    skep_rc rc = run_job(w, err);
    if (rc == SKEP_OK && ret)
        *ret = (struct skep_segment_info){.n_rows = w->rows_done,
                                          .file_bytes = w->flushed,
                                          .min_seq = w->min_seq,
                                          .max_seq = w->max_seq,
                                          .traces = w->traces,
                                          .bounds = w->bounds};
    free_writer(w);
    return rc;
}
