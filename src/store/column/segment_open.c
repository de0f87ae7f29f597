// SPDX-License-Identifier: Apache-2.0
/* Open a segment: header, trailer, footer (docs/formats/segment.md).
 *
 * The footer stays in memory as it is: names and list strings point into it.  What is derived from
 * it (fields, lists, bounds, refs) lives in an arena.  Data chunks are not touched.
 *
 * I1  every count in the footer is checked against the bytes left before memory for it is taken.
 * I2  every chunk reference lies between header and footer.
 * Threads: open one; afterwards everything is immutable.
 * Memory: told to the cache as resident. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/segment.h"

extern const struct skep_rowset_ops skep_segment_ops;

enum { GAP_BLOCKS = 4096 };

static skep_rc bad(struct skep_segment *seg, const skep_rd *r, const char *what, skep_err *err)
{
    return skep_segment__corrupt(seg, err, seg->data_end + skep_rd_offset(r), what);
}

uint32_t skep_segment__group_rows(const struct skep_segment *seg, uint32_t group)
{
    skep_assert(group < seg->n_groups);
    return seg->base.group_rows[group];
}

bool skep_segment__ref_ok(const struct skep_segment *seg, const struct skep_chunk_ref *ref)
{
    return ref->length > 0 && ref->length <= SKEP_SEGMENT_CHUNK_MAX &&
           ref->offset >= SKEP_SEGMENT_HEADER_BYTES && ref->offset <= seg->data_end &&
           ref->length <= seg->data_end - ref->offset;
}

static skep_rc get_ref(struct skep_segment *seg, skep_rd *r, struct skep_chunk_ref *ret,
                       skep_err *err)
{
    ret->offset = skep_rd_u64(r);
    ret->length = skep_rd_u32(r);
    ret->crc = skep_rd_u32(r);
    if (r->bad || !skep_segment__ref_ok(seg, ret))
        return bad(seg, r, "a chunk reference lies outside", err);
    return SKEP_OK;
}

static skep_str get_str(skep_rd *r)
{
    uint64_t n = skep_rd_varint(r);
    if (n > skep_rd_left(r)) {
        r->bad = true;
        return SKEP_STR_NULL;
    }
    return skep_bytes_str(skep_rd_take(r, (size_t)n));
}

/* Rows of each group: listed, or, without the feature, 65,536 and what is left in the last. */
static skep_rc parse_group_rows(struct skep_segment *seg, skep_rd *r, skep_err *err)
{
    struct skep_rowset *b = &seg->base;
    bool listed = seg->required & SKEP_SEGMENT_TAKEN_OVER;
    uint32_t *rows = skep_new_n(&seg->arena, uint32_t, seg->n_groups);
    uint8_t *origins = skep_new_n(&seg->arena, uint8_t, seg->n_groups);
    uint64_t sum = 0;
    for (uint32_t g = 0; g < seg->n_groups; g++) {
        uint32_t packed = listed ? skep_rd_u32(r) : 0;
        rows[g] = listed ? packed & 0xffffff
                         : (uint32_t)SKEP_MIN(b->n_rows - sum, (uint64_t)SKEP_ROW_GROUP_ROWS);
        origins[g] = (uint8_t)(packed >> 24);
        sum += rows[g];
        if (r->bad || rows[g] == 0 || rows[g] > SKEP_ROW_GROUP_ROWS || sum > b->n_rows)
            return bad(seg, r, "rows of a row group", err);
    }
    if (sum != b->n_rows)
        return bad(seg, r, "row counts disagree", err);
    b->group_rows = rows;
    seg->group_origins = origins;
    b->row_end = (uint64_t)(seg->n_groups - 1) * SKEP_ROW_GROUP_ROWS + rows[seg->n_groups - 1];
    return SKEP_OK;
}

static skep_rc parse_blocks(struct skep_segment *seg, skep_rd *r, skep_err *err)
{
    struct skep_rowset *b = &seg->base;
    static const struct skep_block_bounds never = {INT64_MAX, INT64_MIN, INT64_MIN};
    uint64_t n_blocks = skep_rowset_blocks(b), stored = 0;
    for (uint32_t g = 0; g < seg->n_groups; g++)
        stored += (b->group_rows[g] + SKEP_BLOCK_ROWS - 1) / SKEP_BLOCK_ROWS;
    if (stored * 24 > skep_rd_left(r))
        return bad(seg, r, "the footer is too short for its row groups", err);
    if (n_blocks > stored * 4 + GAP_BLOCKS) /* I1: the gaps take memory, too */
        return bad(seg, r, "row groups are too short", err);
    struct skep_block_bounds *blocks = skep_new_n(&seg->arena, struct skep_block_bounds, n_blocks);
    b->bounds = never;
    for (uint64_t i = 0; i < n_blocks; i++) {
        struct skep_block_bounds *x = &blocks[i];
        *x = never;
        if (skep_rowset_block_rows(b, i) == 0)
            continue;
        x->min_start_ns = (int64_t)skep_rd_u64(r);
        x->max_start_ns = (int64_t)skep_rd_u64(r);
        x->max_end_ns = (int64_t)skep_rd_u64(r);
        b->bounds.min_start_ns = SKEP_MIN(b->bounds.min_start_ns, x->min_start_ns);
        b->bounds.max_start_ns = SKEP_MAX(b->bounds.max_start_ns, x->max_start_ns);
        b->bounds.max_end_ns = SKEP_MAX(b->bounds.max_end_ns, x->max_end_ns);
    }
    b->blocks = blocks;
    return SKEP_OK;
}

static skep_rc parse_groups(struct skep_segment *seg, skep_rd *r, skep_err *err)
{
    struct skep_rowset *b = &seg->base;
    b->n_rows = skep_rd_u64(r);
    b->min_seq = skep_rd_u64(r);
    b->max_seq = skep_rd_u64(r);
    seg->n_traces = skep_rd_u64(r);
    seg->n_groups = skep_rd_u32(r);
    if (r->bad || b->n_rows == 0 || b->n_rows >= UINT32_MAX || b->min_seq > b->max_seq ||
        seg->n_traces > b->n_rows ||
        seg->n_groups < (b->n_rows + SKEP_ROW_GROUP_ROWS - 1) / SKEP_ROW_GROUP_ROWS ||
        seg->n_groups > UINT32_MAX / SKEP_ROW_GROUP_ROWS)
        return bad(seg, r, "row counts disagree", err);
    if ((uint64_t)seg->n_groups * SKEP_SEGMENT_REF_BYTES > skep_rd_left(r))
        return bad(seg, r, "the footer is too short for its row groups", err);
    seg->groups = skep_new_n(&seg->arena, struct skep_chunk_ref, seg->n_groups);
    for (uint32_t g = 0; g < seg->n_groups; g++)
        SKEP_TRY(get_ref(seg, r, &seg->groups[g], err));
    SKEP_TRY(parse_group_rows(seg, r, err));
    return parse_blocks(seg, r, err);
}

static skep_rc parse_fields(struct skep_segment *seg, skep_rd *r, skep_err *err)
{
    uint32_t n = skep_rd_u32(r);
    if (r->bad || n > skep_rd_left(r) / 15)
        return bad(seg, r, "too many fields", err);
    struct skep_rowset_field *fields = skep_new_n(&seg->arena, struct skep_rowset_field, n + 1);
    seg->keys = skep_new_n(&seg->arena, uint32_t, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        struct skep_rowset_field *f = &fields[i];
        seg->keys[i] = skep_rd_u32(r);
        f->scope = skep_rd_u8(r);
        f->type = skep_rd_u8(r);
        f->n_present = skep_rd_u64(r);
        f->name = get_str(r);
        if (r->bad || f->type == 0 || f->type >= SKEP_TYPE_COUNT || f->scope >= SKEP_SCOPE_COUNT ||
            f->n_present == 0 || f->n_present > seg->base.n_rows ||
            seg->keys[i] < SKEP_SEGMENT_FIELD_KEY || (i > 0 && seg->keys[i] <= seg->keys[i - 1]))
            return bad(seg, r, "a field is malformed", err);
        if (i == 0)
            continue;
        int c = skep_str_cmp(f[-1].name, f->name);
        c = c ? c : (int)f[-1].scope - (int)f->scope;
        c = c ? c : (int)f[-1].type - (int)f->type;
        if (c >= 0)
            return bad(seg, r, "fields are not in order", err);
    }
    seg->base.fields = fields;
    seg->base.n_fields = n;
    return SKEP_OK;
}

static void get_value(skep_rd *r, skep_value *v)
{
    switch (v->type) {
    case SKEP_TYPE_STRING:
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_ARRAY: v->s = get_str(r); return;
    case SKEP_TYPE_INT: v->i = (int64_t)skep_rd_u64(r); return;
    case SKEP_TYPE_DOUBLE: {
        uint64_t bits = skep_rd_u64(r);
        memcpy(&v->f, &bits, 8);
        return;
    }
    case SKEP_TYPE_BOOL: v->b = skep_rd_u64(r) != 0; return;
    case SKEP_TYPE_NULL:
    case SKEP_TYPE_EMPTY:
    case SKEP_TYPE_COUNT:
    default: return;
    }
}

/* Two passes: the first counts the entries, so that one array holds them. */
static skep_rc parse_lists(struct skep_segment *seg, skep_rd *r, struct skep_rowset_lists *ret,
                           skep_err *err)
{
    uint32_t n = skep_rd_u32(r);
    if (r->bad || n > skep_rd_left(r) / 9)
        return bad(seg, r, "too many lists", err);
    uint32_t *first = skep_new_n(&seg->arena, uint32_t, n + 1);
    uint64_t *hashes = skep_new_n(&seg->arena, uint64_t, n + 1);
    struct skep_rowset_entry *entries = NULL;
    uint32_t total = 0;
    skep_rd start = *r;
    for (int pass = 0; pass < 2; pass++) {
        *r = start;
        if (pass == 1)
            entries = skep_new_n(&seg->arena, struct skep_rowset_entry, total + 1);
        total = 0;
        for (uint32_t i = 0; i < n; i++) {
            first[i] = total;
            hashes[i] = skep_rd_u64(r);
            uint64_t count = skep_rd_varint(r);
            if (r->bad || count > skep_rd_left(r) / 2)
                return bad(seg, r, "a list is longer than the footer", err);
            for (uint64_t k = 0; k < count; k++) {
                struct skep_rowset_entry e = {.name = get_str(r)};
                uint8_t type = skep_rd_u8(r);
                if (type >= SKEP_TYPE_COUNT)
                    return bad(seg, r, "a list value has no known type", err);
                e.value.type = (enum skep_type)type;
                get_value(r, &e.value);
                if (pass == 1)
                    entries[total] = e;
                total++;
            }
        }
        first[n] = total;
        if (r->bad)
            return bad(seg, r, "lists are cut off", err);
    }
    *ret = (struct skep_rowset_lists){n, first, entries, hashes};
    return SKEP_OK;
}

static skep_rc parse_index(struct skep_segment *seg, skep_rd *r, skep_err *err)
{
    uint32_t n = skep_rd_u32(r);
    if (r->bad || n > skep_rd_left(r) / 28)
        return bad(seg, r, "too many pages of the trace index", err);
    seg->index_pages = skep_new_n(&seg->arena, struct skep_segment_index_page, n + 1);
    uint64_t total = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct skep_segment_index_page *p = &seg->index_pages[i];
        SKEP_TRY(get_ref(seg, r, &p->ref, err));
        p->first_hash = skep_rd_u64(r);
        p->n = skep_rd_u32(r);
        total += p->n;
        if (r->bad || p->n == 0 || p->n > SKEP_SEGMENT_INDEX_PAGE ||
            (i > 0 && p->first_hash < seg->index_pages[i - 1].first_hash))
            return bad(seg, r, "a page of the trace index is malformed", err);
    }
    seg->n_index_pages = n;
    if (total != seg->n_traces)
        return bad(seg, r, "the trace index has another number of traces", err);
    return SKEP_OK;
}

/* Where datasets begin; LOGS alone. */
static skep_rc parse_runs(struct skep_segment *seg, skep_rd *r, skep_err *err)
{
    struct skep_rowset *b = &seg->base;
    if (!(seg->required & SKEP_SEGMENT_LOGS))
        return SKEP_OK;
    uint32_t n = skep_rd_u32(r);
    if (r->bad || n == 0 || n > skep_rd_left(r) / 9)
        return bad(seg, r, "too many datasets, or none", err);
    struct skep_dataset_run *runs = skep_new_n(&seg->arena, struct skep_dataset_run, n);
    for (uint32_t i = 0; i < n; i++) {
        runs[i].first = skep_rd_u64(r);
        runs[i].dataset = get_str(r);
        bool begins = i == 0 ? runs[i].first == 0 : runs[i].first > runs[i - 1].first;
        if (r->bad || !begins || !skep_segment__row_ok(seg, runs[i].first) ||
            (i > 0 && skep_str_cmp(runs[i - 1].dataset, runs[i].dataset) >= 0))
            return bad(seg, r, "datasets are not in order", err);
    }
    b->layout = SKEP_LAYOUT_LOGS;
    b->trace_clustered = false;
    b->runs = runs;
    b->n_runs = n;
    return SKEP_OK;
}

static skep_rc parse_footer(struct skep_segment *seg, skep_err *err)
{
    skep_rd r = skep_rd_make((skep_bytes){seg->footer, seg->footer_bytes});
    SKEP_TRY(parse_groups(seg, &r, err));
    SKEP_TRY(parse_fields(seg, &r, err));
    SKEP_TRY(parse_lists(seg, &r, &seg->base.resources, err));
    SKEP_TRY(parse_lists(seg, &r, &seg->base.scopes, err));
    seg->origins = skep_new_n(&seg->arena, struct skep_segment_origin, 1);
    seg->n_origins = 1;
    skep_segment__own_origin(seg, &seg->origins[0]);
    SKEP_TRY(skep_segment__parse_dicts(seg, &r, &seg->origins[0], err));
    SKEP_TRY(parse_index(seg, &r, err));
    SKEP_TRY(parse_runs(seg, &r, err));
    if (seg->required & SKEP_SEGMENT_TAKEN_OVER)
        SKEP_TRY(skep_segment__parse_origins(seg, &r, err));
    if (r.bad || skep_rd_left(&r) != 0)
        return bad(seg, &r, "the footer has bytes left over", err);
    return SKEP_OK;
}

static skep_rc check_header(struct skep_segment *seg, skep_err *err)
{
    uint8_t h[SKEP_SEGMENT_HEADER_BYTES];
    SKEP_TRY(seg->os->pread(seg->os, seg->fd, h, sizeof h, 0, err));
    uint32_t crc = skep_load_le32(h + 12), version = skep_load_le32(h + 8);
    if (memcmp(h, SKEP_SEGMENT_MAGIC, 8) != 0)
        return skep_segment__corrupt(seg, err, 0, "not a segment file");
    skep_store_le32(h + 12, 0);
    if (crc != skep_crc32c(0, (skep_bytes){h, sizeof h}))
        return skep_segment__corrupt(seg, err, 12, "header checksum");
    if (version != SKEP_SEGMENT_VERSION)
        return skep_fail(err, SKEP_EUNSUPPORTED, "%s: segment version %u", seg->path, version);
    seg->required = skep_load_le64(h + 16);
    seg->optional = skep_load_le64(h + 24);
    uint64_t unknown = seg->required & ~SKEP_SEGMENT_REQUIRED_KNOWN;
    if (unknown)
        return skep_fail(err, SKEP_EUNSUPPORTED, "%s: needs features %llx", seg->path,
                         (unsigned long long)unknown);
    return SKEP_OK;
}

static skep_rc read_footer(struct skep_segment *seg, skep_err *err)
{
    uint8_t t[SKEP_SEGMENT_TRAILER_BYTES];
    uint64_t trailer_at = seg->file_bytes - sizeof t;
    SKEP_TRY(seg->os->pread(seg->os, seg->fd, t, sizeof t, trailer_at, err));
    uint64_t offset = skep_load_le64(t);
    uint32_t length = skep_load_le32(t + 8), crc = skep_load_le32(t + 12);
    if (memcmp(t + 24, SKEP_SEGMENT_END_MAGIC, 8) != 0 || skep_load_le64(t + 16) != seg->file_bytes)
        return skep_segment__corrupt(seg, err, trailer_at, "no trailer: cut off or not finished");
    if (offset < SKEP_SEGMENT_HEADER_BYTES || offset > trailer_at ||
        length != trailer_at - offset || length > SKEP_SEGMENT_FOOTER_MAX)
        return skep_segment__corrupt(seg, err, trailer_at, "the footer lies elsewhere");
    seg->data_end = offset;
    seg->footer = skep_malloc(length);
    seg->footer_bytes = length;
    SKEP_TRY(seg->os->pread(seg->os, seg->fd, seg->footer, length, offset, err));
    if (crc != skep_chunk_crc(offset, (skep_bytes){seg->footer, length}))
        return skep_segment__corrupt(seg, err, offset, "footer checksum");
    return SKEP_OK;
}

static skep_rc open_file(struct skep_segment *seg, skep_err *err)
{
    struct skep_os_stat st;
    SKEP_TRY(seg->os->open(seg->os, seg->path, SKEP_OPEN_READ, &seg->fd, err));
    SKEP_TRY(seg->os->fstat(seg->os, seg->fd, &st, err));
    seg->file_bytes = st.size_bytes;
    if (st.size_bytes < SKEP_SEGMENT_HEADER_BYTES + SKEP_SEGMENT_TRAILER_BYTES)
        return skep_segment__corrupt(seg, err, st.size_bytes, "too short for a segment");
    SKEP_TRY(check_header(seg, err));
    SKEP_TRY(read_footer(seg, err));
    return parse_footer(seg, err);
}

static void destroy(struct skep_rowset *rs)
{
    struct skep_segment *seg = skep_segment__of(rs);
    skep_cache_drop(seg->cache, seg->serial);
    skep_cache_resident(seg->cache, -seg->resident_bytes);
    if (seg->fd >= 0)
        seg->os->close(seg->os, seg->fd);
    if (!seg->twin) {
        skep_arena_done(&seg->arena);
        skep_free(seg->footer);
        skep_free(seg->path);
    } else {
        skep_rowset_unref(&seg->twin->base);
    }
    skep_free(seg);
}

skep_rc skep_segment_open(const struct skep_os *os, const char *path, struct skep_cache *cache,
                          struct skep_rowset **ret, skep_err *err)
{
    skep_assert(os && path && cache && ret);
    struct skep_segment *seg = skep_alloc(struct skep_segment);
    skep_str name = skep_str_c(path);
    seg->base.ops = &skep_segment_ops;
    atomic_init(&seg->base.refs, 1);
    seg->base.trace_clustered = true;
    seg->os = os;
    seg->fd = -1;
    seg->serial = seg->base.serial = skep_cache_serial();
    seg->cache = cache;
    seg->path = skep_strndup(name.p, name.n);
    skep_arena_init(&seg->arena, "segment", NULL);
    skep_rc rc = open_file(seg, err);
    if (rc != SKEP_OK) {
        destroy(&seg->base);
        return rc;
    }
    seg->base.bytes = seg->file_bytes;
    seg->resident_bytes = (int64_t)(sizeof *seg + seg->footer_bytes + seg->arena.total_bytes);
    skep_cache_resident(cache, seg->resident_bytes);
    *ret = &seg->base;
    return SKEP_OK;
}

skep_rc skep_segment_twin(struct skep_rowset *rs, struct skep_cache *cache,
                          struct skep_rowset **ret, skep_err *err)
{
    struct skep_segment *of = skep_segment__of(rs);
    int fd;
    skep_assert(rs->ops == &skep_segment_ops && !of->twin);
    SKEP_TRY(of->os->open(of->os, of->path, SKEP_OPEN_READ, &fd, err));
    struct skep_segment *seg = skep_alloc(struct skep_segment);
    uint64_t serial = skep_cache_serial();
    *seg = (struct skep_segment){.base = {.ops = rs->ops,
                                          .serial = serial,
                                          .n_rows = rs->n_rows,
                                          .row_end = rs->row_end,
                                          .group_rows = rs->group_rows,
                                          .bytes = rs->bytes,
                                          .bounds = rs->bounds,
                                          .min_seq = rs->min_seq,
                                          .max_seq = rs->max_seq,
                                          .blocks = rs->blocks,
                                          .fields = rs->fields,
                                          .n_fields = rs->n_fields,
                                          .resources = rs->resources,
                                          .scopes = rs->scopes,
                                          .layout = rs->layout,
                                          .runs = rs->runs,
                                          .n_runs = rs->n_runs,
                                          .trace_clustered = rs->trace_clustered},
                                 .os = of->os,
                                 .fd = fd,
                                 .serial = serial,
                                 .file_bytes = of->file_bytes,
                                 .data_end = of->data_end,
                                 .required = of->required,
                                 .optional = of->optional,
                                 .cache = cache,
                                 .n_traces = of->n_traces,
                                 .n_groups = of->n_groups,
                                 .groups = of->groups,
                                 .keys = of->keys,
                                 .n_origins = of->n_origins,
                                 .origins = of->origins,
                                 .group_origins = of->group_origins,
                                 .n_index_pages = of->n_index_pages,
                                 .index_pages = of->index_pages,
                                 .path = of->path,
                                 .twin = skep_segment__of(skep_rowset_ref(rs))};
    atomic_init(&seg->base.refs, 1);
    *ret = &seg->base;
    return SKEP_OK;
}

const struct skep_rowset_ops skep_segment_ops = {
    .name = "segment",
    .destroy = destroy,
    .open_column = skep_segment__open_column,
    .open_field = skep_segment__open_field,
    .find_trace = skep_segment__find_trace,
    .trace_pages = skep_segment__trace_pages,
    .trace_page_first = skep_segment__trace_page_first,
    .trace_page = skep_segment__trace_page,
    .shape = skep_segment__shape,
};
