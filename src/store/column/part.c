// SPDX-License-Identifier: Apache-2.0
/* Opening a frame payload as a rowset.
 *
 *   head -> directory -> dictionaries -> lists -> columns, fields (part_column.c) -> commit, ledger
 *        -> bounds of blocks
 *
 * Opening checks everything once: every offset, count, code and row number, so that readers
 * (part_read.c) afterwards trust what they find.  Nothing is decoded: columns stay where they lie
 * in the payload; what is made beside it are the directories (fields, dictionaries, lists), the
 * bounds of each block of 1,024 rows and, for columns with a bitmap, the number of values before
 * each block.
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
#include "store/column/part_priv.h"

#include "base/assert.h"
#include "base/mem.h"

skep_rc skep_part__bad(const struct skep_part_opening *o, uint64_t offset, const char *what)
{
    return skep_fail(o->err, SKEP_ECORRUPT, "frame: %s at byte %llu of %zu", what,
                     (unsigned long long)offset, o->n);
}

bool skep_part__inside(const struct skep_part_opening *o, uint64_t at, uint64_t count,
                       uint64_t size)
{
    return at % 8 == 0 && at >= SKEP_FRAME_HEAD_BYTES && at <= o->n &&
           count <= (o->n - at) / (size ? size : 1);
}

static uint64_t align8(uint64_t n)
{
    return (n + 7) & ~(uint64_t)7;
}

static skep_rc open_dict(struct skep_part_opening *o, const uint8_t *entry, struct skep_dict *d)
{
    static _Atomic uint64_t serials;
    uint32_t n = skep_load_le32(entry), bytes_n = skep_load_le32(entry + 4);
    uint64_t at = skep_load_le64(entry + 8);
    if (n == UINT32_MAX || !skep_part__inside(o, at, (uint64_t)n + 1, 4))
        return skep_part__bad(o, at, "a dictionary's offsets lie outside");
    uint64_t hashes_at = align8(at + ((uint64_t)n + 1) * 4);
    if (!skep_part__inside(o, hashes_at, n, 8))
        return skep_part__bad(o, hashes_at, "a dictionary's hashes lie outside");
    uint64_t bytes_at = hashes_at + (uint64_t)n * 8;
    if (!skep_part__inside(o, bytes_at, bytes_n, 1))
        return skep_part__bad(o, bytes_at, "a dictionary's bytes lie outside");
    const uint32_t *offsets = (const void *)(o->p + at);
    bool ok = offsets[0] == 0 && offsets[n] == bytes_n;
    for (uint32_t i = 0; i < n; i++)
        ok &= offsets[i] <= offsets[i + 1];
    if (!ok)
        return skep_part__bad(o, at, "a dictionary's offsets do not ascend");
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

static skep_rc open_entry(struct skep_part_opening *o, const uint8_t *p,
                          struct skep_rowset_entry *e)
{
    const struct skep_dict *d = &o->part->dicts[0];
    uint32_t name = skep_load_le32(p), type = skep_load_le32(p + 4);
    uint64_t val = skep_load_le64(p + 8);
    if (name >= d->n || type == SKEP_TYPE_NULL || type >= SKEP_TYPE_COUNT)
        return skep_part__bad(o, (uint64_t)(p - o->p), "a list entry without name or type");
    e->name = skep_dict_str(d, name);
    e->value.type = (enum skep_type)type;
    switch ((enum skep_type)type) {
    case SKEP_TYPE_STRING:
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_ARRAY:
        if (val >= d->n)
            return skep_part__bad(o, (uint64_t)(p - o->p), "a list entry with an unknown string");
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

static skep_rc open_lists(struct skep_part_opening *o, uint64_t at, uint32_t n,
                          struct skep_rowset_lists *l)
{
    if (n == 0 || n == UINT32_MAX || !skep_part__inside(o, at, (uint64_t)n + 1, 4))
        return skep_part__bad(o, at, "interned lists lie outside");
    const uint32_t *first = (const void *)(o->p + at);
    uint64_t hashes_at = align8(at + ((uint64_t)n + 1) * 4);
    bool ok = first[0] == 0;
    for (uint32_t i = 0; i < n; i++)
        ok &= first[i] <= first[i + 1];
    uint32_t n_entries = first[n];
    if (!ok || !skep_part__inside(o, hashes_at, n, 8) ||
        !skep_part__inside(o, hashes_at + (uint64_t)n * 8, n_entries, SKEP_FRAME_ENTRY_BYTES))
        return skep_part__bad(o, at, "interned lists are malformed");
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
static skep_rc make_commit(struct skep_part_opening *o, uint64_t seq)
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
        return skep_part__bad(o, SKEP_FRAME_AT_ROWS, "a folded frame without rows");
    int64_t min, max;
    skep_part__range(&part->cols[SKEP_COL_SEQ], &min, &max);
    part->base.min_seq = (uint64_t)min;
    part->base.max_seq = (uint64_t)max;
    skep_part__range(&part->cols[SKEP_COL_RECEIVED], &part->received_min_ns,
                     &part->received_max_ns);
    return SKEP_OK;
}

/* The receipt of a plain frame. */
static skep_rc open_receipt(const struct skep_part_opening *o, struct skep_receipt *r)
{
    *r = (struct skep_receipt){.source = o->p[SKEP_FRAME_AT_SOURCE],
                               .signal = o->p[SKEP_FRAME_AT_SIGNAL],
                               .received = skep_load_le32(o->p + SKEP_FRAME_AT_WIRE)};
    uint16_t n = skep_load_le16(o->p + SKEP_FRAME_AT_REASONS);
    uint64_t at = skep_load_le64(o->p + SKEP_FRAME_AT_REJECTED_AT);
    if (r->source >= SKEP_SOURCE_COUNT || r->signal >= SKEP_SIGNAL_COUNT)
        return skep_part__bad(o, SKEP_FRAME_AT_SOURCE, "a receipt of an unknown source or signal");
    if (r->source == 0 && (r->signal | r->received | n | at) != 0)
        return skep_part__bad(o, SKEP_FRAME_AT_SOURCE, "a receipt without a source");
    if (n == 0)
        return at == 0 ? SKEP_OK
                       : skep_part__bad(o, SKEP_FRAME_AT_REJECTED_AT, "rejections of no reason");
    if (!skep_part__inside(o, at, n, SKEP_FRAME_REASON_BYTES))
        return skep_part__bad(o, at, "rejections lie outside");
    for (uint16_t i = 0; i < n; i++) {
        const uint8_t *p = o->p + at + (size_t)i * SKEP_FRAME_REASON_BYTES;
        uint32_t reason = skep_load_le32(p);
        if (reason >= SKEP_REJECTION_COUNT)
            return skep_part__bad(o, at, "a rejection of an unknown reason");
        r->rejected[reason] = skep_load_le32(p + 4);
    }
    return SKEP_OK;
}

/* Plain frames: what the wire said and what the rows are; folding sums them up. */
static skep_rc make_ledger(struct skep_part_opening *o)
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

static skep_rc open_head(struct skep_part_opening *o)
{
    if (o->n < SKEP_FRAME_HEAD_BYTES)
        return skep_part__bad(o, 0, "too short for a header");
    if (skep_load_le32(o->p) != SKEP_FRAME_MAGIC)
        return skep_part__bad(o, 0, "no magic");
    if (skep_load_le16(o->p + SKEP_FRAME_AT_VERSION) != SKEP_FRAME_VERSION)
        return skep_fail(o->err, SKEP_EUNSUPPORTED, "frame of version %u",
                         skep_load_le16(o->p + SKEP_FRAME_AT_VERSION));
    uint16_t flags = skep_load_le16(o->p + SKEP_FRAME_AT_FLAGS);
    if (flags & ~(unsigned)SKEP_FRAME_FLAG_FOLDED)
        return skep_part__bad(o, SKEP_FRAME_AT_FLAGS, "unknown flags");
    o->part->folded = flags & SKEP_FRAME_FLAG_FOLDED;
    if (skep_load_le64(o->p + SKEP_FRAME_AT_BYTES) != o->n)
        return skep_part__bad(o, SKEP_FRAME_AT_BYTES, "another length than it says");
    o->n_rows = skep_load_le32(o->p + SKEP_FRAME_AT_ROWS);
    o->part->n_dicts = skep_load_le32(o->p + SKEP_FRAME_AT_DICTS);
    o->n_columns = skep_load_le32(o->p + SKEP_FRAME_AT_COLUMNS);
    o->n_fields = skep_load_le32(o->p + SKEP_FRAME_AT_FIELDS);
    uint64_t left = o->n - SKEP_FRAME_HEAD_BYTES;
    if (o->part->n_dicts == 0 || o->part->n_dicts > left / SKEP_FRAME_DICT_BYTES)
        return skep_part__bad(o, SKEP_FRAME_AT_DICTS, "too many dictionaries");
    left -= (uint64_t)o->part->n_dicts * SKEP_FRAME_DICT_BYTES;
    if (o->n_columns > SKEP_COL_COUNT ||
        o->n_fields > SKEP_LIMIT_FIELDS_PER_BATCH * (o->part->folded ? 64u : 1u) ||
        (uint64_t)o->n_columns + o->n_fields > left / SKEP_FRAME_COL_BYTES)
        return skep_part__bad(o, SKEP_FRAME_AT_FIELDS, "too many columns");
    /* Constant columns hold any number of rows in no bytes; a time and an ordinal a row are little
     * enough to ask for, but rows that cost nothing are never written in such numbers. */
    if (o->n_rows > SKEP_LIMIT_BATCH_ROWS && !o->part->folded)
        return skep_part__bad(o, SKEP_FRAME_AT_ROWS, "too many rows");
    if (o->part->folded && o->n_rows / 64 > o->n)
        return skep_part__bad(o, SKEP_FRAME_AT_ROWS, "more rows than fit");
    o->part->base.n_rows = o->part->base.row_end = o->n_rows;
    return SKEP_OK;
}

/* Reads the directory and makes room for what opening leaves beside the payload. */
static skep_rc load_directory(struct skep_part_opening *o)
{
    struct skep_part *part = o->part;
    const uint8_t *p = o->p + SKEP_FRAME_HEAD_BYTES + (size_t)part->n_dicts * SKEP_FRAME_DICT_BYTES;
    size_t n = (size_t)o->n_columns + o->n_fields;
    o->dir = skep_malloc(n * sizeof *o->dir);
    size_t n_bitmaps = 0;
    for (size_t i = 0; i < n; i++) {
        load_col(p + i * SKEP_FRAME_COL_BYTES, &o->dir[i]);
        /* A bitmap that lies outside is refused later; it must not make a large table first. */
        n_bitmaps +=
            o->dir[i].presence == SKEP_FRAME_BITMAP &&
            skep_part__inside(o, o->dir[i].presence_at, ((uint64_t)o->n_rows + 63) / 64, 8);
    }
    uint64_t blocks = skep_rowset_blocks(&part->base);
    if (n_bitmaps * (((uint64_t)o->n_rows + 63) / 64) > o->n / 8)
        return skep_part__bad(o, SKEP_FRAME_AT_FIELDS, "bitmaps that lie in each other");
    part->ranks = skep_malloc(n_bitmaps * blocks * sizeof *part->ranks);
    part->dicts = skep_alloc_n(struct skep_dict, part->n_dicts);
    part->charged_bytes =
        sizeof *part + o->n + n_bitmaps * blocks * 4 + part->n_dicts * sizeof *part->dicts +
        o->n_fields * (sizeof(struct skep_part_col) + sizeof(struct skep_rowset_field)) +
        blocks * sizeof(struct skep_block_bounds);
    return SKEP_OK;
}

static skep_rc open_all(struct skep_part_opening *o, uint64_t seq)
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
    SKEP_TRY(skep_part__open_columns(o));
    SKEP_TRY(skep_part__open_fields(o));
    SKEP_TRY(make_commit(o, seq));
    SKEP_TRY(make_ledger(o));
    make_bounds(part);
    return SKEP_OK;
}

void skep_part__destroy(struct skep_rowset *rs)
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
    struct skep_part_opening o = {.part = part, .p = payload, .n = n, .err = err};
    skep_rc rc = open_all(&o, seq);
    skep_free(o.dir);
    if (rc != SKEP_OK) {
        skep_part__destroy(&part->base);
        return rc;
    }
    part->base.bytes = part->charged_bytes;
    part->budget = part->base.lives = budget;
    if (budget)
        skep_budget_force(budget, part->charged_bytes);
    *ret = &part->base;
    return SKEP_OK;
}
