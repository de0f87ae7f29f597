// SPDX-License-Identifier: Apache-2.0
/* Frame payload: a batch in its lightly encoded form, on disk in the log and in memory as a part.
 *
 *   head | directory of dictionaries | directory of columns and fields | data sections, 8-aligned
 *
 * A column of integers is stored as (base, width): the smallest of 0, 1, 2, 4, 8 bytes that holds
 * value - base; width 0 stores nothing at all.  Base is 0 whenever that costs no width, so that
 * values of full width can be read where they lie.  String columns hold codes into a dictionary,
 * doubles their bits.  Sparse fields carry which rows have a value as all / bitmap / row list,
 * whatever is smaller, and their values packed.  Fields of the same few rows, as those of one
 * operation among many, share their row list.  Byte by byte: docs/formats/frame.md.
 *
 * I1  every section begins at a multiple of 8 from the payload's start, gaps are zero.
 * I2  the same batch gives the same bytes.
 * I3  fields are in order of (name bytes, scope, type), none is empty.
 * I4  only begin and reserve can fail: they make room by an upper bound of what follows.
 *
 * Threads: any; touches only its arguments.  Memory: one scratch column. */
#include "store/column/frame.h"

#include "base/assert.h"
#include "base/mem.h"
#include "store/column/rowset.h"

_Static_assert(sizeof(struct skep_batch_entry) == SKEP_FRAME_ENTRY_BYTES, "entries are copied");
_Static_assert(SKEP_FRAME_HEAD_BYTES % 8 == 0 && SKEP_FRAME_COL_BYTES % 8 == 0, "alignment");

static size_t align8(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

size_t skep_frame__bound_dict(size_t n, size_t bytes_n)
{
    return align8((n + 1) * 4) + n * 8 + align8(bytes_n);
}

size_t skep_frame__bound_lists(size_t n, size_t n_entries)
{
    return align8((n + 1) * 4) + n * 8 + n_entries * SKEP_FRAME_ENTRY_BYTES;
}

size_t skep_frame__bound_receipt(void)
{
    return (size_t)SKEP_REJECTION_COUNT * SKEP_FRAME_REASON_BYTES;
}

size_t skep_frame__bound_head(size_t n_dicts, size_t n_columns, size_t n_fields)
{
    return SKEP_FRAME_HEAD_BYTES + n_dicts * SKEP_FRAME_DICT_BYTES +
           (n_columns + n_fields) * SKEP_FRAME_COL_BYTES;
}

size_t skep_frame__bound_column(size_t n_rows)
{
    return align8(n_rows * 8);
}

size_t skep_frame__bound_field(size_t n_rows, size_t n_present)
{
    return align8(n_rows / 8 + 8) + align8(n_present * 8);
}

/* n bytes at the end of the payload, 8-aligned, padded with zeros; content as found. */
static uint8_t *room(struct skep_frame_writer *w, size_t n)
{
    struct skep_buf *b = w->out;
    size_t padded = align8(n);
    skep_assert(b->cap - b->n >= padded); /* I4 */
    uint8_t *p = b->p + b->n;
    skep_assert(((b->n - w->start) & 7) == 0); /* I1 */
    if (padded > n)
        memset(p + n, 0, padded - n);
    b->n += padded;
    return p;
}

static uint64_t here(const struct skep_frame_writer *w)
{
    return w->out->n - w->start;
}

/* What the wire says of the request; the room was reserved. */
static void put_receipt(struct skep_frame_writer *w, const struct skep_receipt *r)
{
    size_t n = 0;
    uint8_t *head = w->out->p + w->start;
    for (unsigned i = 0; i < SKEP_REJECTION_COUNT; i++)
        n += r->rejected[i] > 0;
    head[SKEP_FRAME_AT_SOURCE] = r->source;
    head[SKEP_FRAME_AT_SIGNAL] = r->signal;
    skep_store_le16(head + SKEP_FRAME_AT_REASONS, (uint16_t)n);
    skep_store_le32(head + SKEP_FRAME_AT_WIRE, r->received);
    if (n == 0)
        return;
    skep_store_le64(head + SKEP_FRAME_AT_REJECTED_AT, here(w));
    uint8_t *p = room(w, n * SKEP_FRAME_REASON_BYTES);
    for (uint32_t i = 0; i < SKEP_REJECTION_COUNT; i++) {
        if (r->rejected[i] == 0)
            continue;
        skep_store_le32(p, i);
        skep_store_le32(p + 4, r->rejected[i]);
        p += SKEP_FRAME_REASON_BYTES;
    }
}

skep_rc skep_frame__begin(struct skep_frame_writer *w, struct skep_buf *out,
                          const struct skep_frame_head *head, size_t bound_bytes, skep_err *err)
{
    skep_assert(w && out && head && head->n_dicts >= 1);
    if (!skep_buf_reserve(out, bound_bytes + 8))
        return skep_fail(err, SKEP_ETOOLARGE, "a frame of up to %zu bytes is over the limit",
                         bound_bytes);
    skep_buf_align(out, 8);
    *w = (struct skep_frame_writer){.out = out,
                                    .start = out->n,
                                    .n_rows = head->n_rows,
                                    .n_dicts = head->n_dicts,
                                    .n_columns = head->n_columns,
                                    .n_fields = head->n_fields};
    size_t n = skep_frame__bound_head(head->n_dicts, head->n_columns, head->n_fields);
    uint8_t *p = room(w, n);
    memset(p, 0, SKEP_FRAME_HEAD_BYTES); /* the entries are written one by one, all bytes of them */
    skep_store_le32(p + SKEP_FRAME_AT_MAGIC, SKEP_FRAME_MAGIC);
    skep_store_le16(p + SKEP_FRAME_AT_VERSION, SKEP_FRAME_VERSION);
    skep_store_le16(p + SKEP_FRAME_AT_FLAGS, head->flags);
    skep_store_le32(p + SKEP_FRAME_AT_ROWS, head->n_rows);
    skep_store_le32(p + SKEP_FRAME_AT_DICTS, head->n_dicts);
    skep_store_le32(p + SKEP_FRAME_AT_COLUMNS, head->n_columns);
    skep_store_le32(p + SKEP_FRAME_AT_FIELDS, head->n_fields);
    skep_store_le32(p + SKEP_FRAME_AT_RESOURCES, head->n_resources);
    skep_store_le32(p + SKEP_FRAME_AT_SCOPES, head->n_scopes);
    skep_store_le64(p + SKEP_FRAME_AT_RECEIVED, (uint64_t)head->received_ns);
    memcpy(p + SKEP_FRAME_AT_IDENTITY, head->identity, sizeof head->identity);
    if (head->receipt && head->receipt->source != 0)
        put_receipt(w, head->receipt);
    return SKEP_OK;
}

skep_rc skep_frame__reserve(struct skep_frame_writer *w, size_t bound_bytes, skep_err *err)
{
    if (!skep_buf_reserve(w->out, bound_bytes))
        return skep_fail(err, SKEP_ETOOLARGE, "%zu more bytes make the frame too large",
                         bound_bytes);
    return SKEP_OK;
}

struct skep_frame_dict_room skep_frame__dict(struct skep_frame_writer *w, uint32_t n,
                                             uint32_t bytes_n)
{
    skep_assert(w->next_dict < w->n_dicts);
    uint8_t *dir = w->out->p + w->start + SKEP_FRAME_HEAD_BYTES +
                   (size_t)w->next_dict++ * SKEP_FRAME_DICT_BYTES;
    skep_store_le32(dir, n);
    skep_store_le32(dir + 4, bytes_n);
    skep_store_le64(dir + 8, here(w));
    struct skep_frame_dict_room r;
    r.offsets = (void *)room(w, ((size_t)n + 1) * 4);
    r.hashes = (void *)room(w, (size_t)n * 8);
    r.bytes = room(w, bytes_n);
    return r;
}

struct skep_frame_lists_room skep_frame__lists(struct skep_frame_writer *w, bool scopes, uint32_t n,
                                               uint32_t n_entries)
{
    uint8_t *head = w->out->p + w->start;
    skep_store_le64(head + (scopes ? SKEP_FRAME_AT_SCOPES_AT : SKEP_FRAME_AT_RESOURCES_AT),
                    here(w));
    struct skep_frame_lists_room r;
    r.first = (void *)room(w, ((size_t)n + 1) * 4);
    r.hashes = (void *)room(w, (size_t)n * 8);
    r.entries = (void *)room(w, (size_t)n_entries * SKEP_FRAME_ENTRY_BYTES);
    return r;
}

static void put_col(struct skep_frame_writer *w, uint32_t index, const struct skep_frame_col *c)
{
    uint8_t *p = w->out->p + w->start + SKEP_FRAME_HEAD_BYTES +
                 (size_t)w->n_dicts * SKEP_FRAME_DICT_BYTES + (size_t)index * SKEP_FRAME_COL_BYTES;
    p[0] = c->id;
    p[1] = c->type;
    p[2] = c->presence;
    p[3] = c->width;
    skep_store_le32(p + 4, c->name);
    skep_store_le32(p + 8, c->n_present);
    skep_store_le32(p + 12, c->dict);
    skep_store_le64(p + 16, (uint64_t)c->base);
    skep_store_le64(p + 24, c->presence_at);
    skep_store_le64(p + 32, c->values_at);
}

static unsigned width_of(uint64_t range)
{
    if (range == 0)
        return 0;
    return range <= UINT8_MAX ? 1 : range <= UINT16_MAX ? 2 : range <= UINT32_MAX ? 4 : 8;
}

/* Of n values, n > 0. */
SKEP_CLONES static void range_of(const int64_t *vals, uint32_t n, int64_t *ret_min,
                                 int64_t *ret_max)
{
    int64_t min = vals[0], max = vals[0];
    for (uint32_t i = 1; i < n; i++) {
        min = vals[i] < min ? vals[i] : min;
        max = vals[i] > max ? vals[i] : max;
    }
    *ret_min = min;
    *ret_max = max;
}

SKEP_CLONES static void store_values(uint8_t *to, const int64_t *vals, uint32_t n, unsigned width,
                                     int64_t base)
{
    uint64_t b = (uint64_t)base;
    if (width == 1) {
        for (uint32_t i = 0; i < n; i++)
            to[i] = (uint8_t)((uint64_t)vals[i] - b);
    } else if (width == 2) {
        uint16_t *p = (void *)to;
        for (uint32_t i = 0; i < n; i++)
            p[i] = (uint16_t)((uint64_t)vals[i] - b);
    } else if (width == 4) {
        uint32_t *p = (void *)to;
        for (uint32_t i = 0; i < n; i++)
            p[i] = (uint32_t)((uint64_t)vals[i] - b);
    } else {
        skep_assert(width == 8 && base == 0);
        memcpy(to, vals, (size_t)n * 8);
    }
}

/* Chooses base and width, makes room for n values, n > 0. */
static struct skep_frame_room values_room(struct skep_frame_writer *w, struct skep_frame_col *c,
                                          uint32_t n, int64_t min, int64_t max)
{
    skep_assert(n > 0 && min <= max);
    unsigned width = width_of((uint64_t)max - (uint64_t)min);
    bool zero_base = width == 8 || (width > 0 && min >= 0 && width_of((uint64_t)max) == width);
    struct skep_frame_room r = {.width = width, .base = zero_base ? 0 : min};
    c->width = (uint8_t)width;
    c->base = r.base;
    c->values_at = 0;
    if (width > 0) {
        c->values_at = here(w);
        r.to = room(w, (size_t)n * width);
    }
    return r;
}

struct skep_frame_room skep_frame__column_room(struct skep_frame_writer *w, enum skep_column id,
                                               int64_t min, int64_t max, uint32_t dict)
{
    skep_assert(w->next_column < w->n_columns && dict < w->n_dicts && w->n_rows > 0);
    struct skep_frame_col c = {.id = (uint8_t)id, .n_present = w->n_rows, .dict = dict};
    struct skep_frame_room r = values_room(w, &c, w->n_rows, min, max);
    put_col(w, w->next_column++, &c);
    return r;
}

void skep_frame__column(struct skep_frame_writer *w, enum skep_column id, const int64_t *vals,
                        uint32_t dict)
{
    int64_t min, max;
    if (w->n_rows == 0) {
        struct skep_frame_col c = {.id = (uint8_t)id, .dict = dict};
        skep_assert(w->next_column < w->n_columns && dict < w->n_dicts);
        put_col(w, w->next_column++, &c);
        return;
    }
    range_of(vals, w->n_rows, &min, &max);
    struct skep_frame_room r = skep_frame__column_room(w, id, min, max, dict);
    if (r.to)
        store_values(r.to, vals, w->n_rows, r.width, r.base);
}

skep_trace_id *skep_frame__trace_ids_room(struct skep_frame_writer *w, bool any)
{
    skep_assert(w->next_column < w->n_columns);
    struct skep_frame_col c = {.id = SKEP_COL_TRACE_ID, .n_present = w->n_rows};
    skep_trace_id *ids = NULL;
    if (any) {
        c.width = 16;
        c.values_at = here(w);
        ids = (void *)room(w, (size_t)w->n_rows * sizeof *ids);
    }
    put_col(w, w->next_column++, &c);
    return ids;
}

void skep_frame__trace_ids(struct skep_frame_writer *w, const skep_trace_id *ids)
{
    static const skep_trace_id none;
    bool any = false;
    for (uint32_t i = 0; i < w->n_rows && !any; i++)
        any = memcmp(&ids[i], &none, sizeof none) != 0;
    skep_trace_id *to = skep_frame__trace_ids_room(w, any);
    if (to)
        memcpy(to, ids, (size_t)w->n_rows * sizeof *to);
}

static struct skep_frame_presence_room presence_room(struct skep_frame_writer *w,
                                                     struct skep_frame_col *c, uint32_t n)
{
    size_t words = ((size_t)w->n_rows + 63) / 64;
    struct skep_frame_presence_room r = {NULL, NULL};
    c->presence = SKEP_FRAME_ALL;
    c->presence_at = 0;
    if (n == w->n_rows)
        return r;
    c->presence_at = here(w);
    if ((size_t)n * 4 < words * 8) {
        c->presence = SKEP_FRAME_LIST;
        r.rows = (void *)room(w, (size_t)n * 4);
    } else {
        c->presence = SKEP_FRAME_BITMAP;
        r.bitmap = (void *)room(w, words * 8);
        memset(r.bitmap, 0, words * 8);
    }
    return r;
}

struct skep_frame_room skep_frame__field_room(struct skep_frame_writer *w,
                                              const struct skep_frame_col *col, uint32_t n,
                                              int64_t min, int64_t max,
                                              struct skep_frame_presence_room *ret_presence)
{
    skep_assert(w->next_column == w->n_columns && w->next_field < w->n_fields);
    skep_assert(n > 0 && n <= w->n_rows && col->dict < w->n_dicts);
    struct skep_frame_col c = *col;
    c.n_present = n;
    *ret_presence = presence_room(w, &c, n);
    struct skep_frame_room r = values_room(w, &c, n, min, max);
    put_col(w, w->n_columns + w->next_field++, &c);
    return r;
}

/* Which rows, as it was written for a field before or anew. */
static void put_presence(struct skep_frame_writer *w, struct skep_frame_col *c, uint32_t n,
                         const uint32_t *rows)
{
    struct skep_frame_list *last = &w->lists[rows[0] % SKEP_FRAME_LISTS];
    const uint8_t *payload = w->out->p + w->start;
    if (last->n == n && memcmp(payload + last->at, rows, (size_t)n * sizeof *rows) == 0) {
        c->presence = SKEP_FRAME_LIST;
        c->presence_at = last->at;
        return;
    }
    struct skep_frame_presence_room p = presence_room(w, c, n);
    for (uint32_t i = 0; p.bitmap && i < n; i++)
        p.bitmap[rows[i] / 64] |= 1ull << (rows[i] % 64);
    if (!p.rows)
        return;
    memcpy(p.rows, rows, (size_t)n * sizeof *rows);
    *last = (struct skep_frame_list){n, c->presence_at};
}

void skep_frame__field(struct skep_frame_writer *w, const struct skep_frame_col *col, uint32_t n,
                       const uint32_t *rows, const int64_t *vals)
{
    int64_t min, max;
    skep_assert(w->next_column == w->n_columns && w->next_field < w->n_fields);
    skep_assert(n > 0 && n <= w->n_rows && col->dict < w->n_dicts);
    struct skep_frame_col c = *col;
    c.n_present = n;
    range_of(vals, n, &min, &max);
    put_presence(w, &c, n, rows);
    struct skep_frame_room r = values_room(w, &c, n, min, max);
    put_col(w, w->n_columns + w->next_field++, &c);
    if (r.to)
        store_values(r.to, vals, n, r.width, r.base);
}

void skep_frame__end(struct skep_frame_writer *w)
{
    skep_assert(w->next_dict == w->n_dicts && w->next_column == w->n_columns);
    skep_assert(w->next_field == w->n_fields);
    skep_store_le64(w->out->p + w->start + SKEP_FRAME_AT_BYTES, here(w));
}

/* --- a batch ---------------------------------------------------------------------------------- */

/* Columns of a plain frame: all but those the commit itself says. */
enum { PLAIN_COLUMNS = SKEP_COL_COUNT - 3 };

static void encode_strings(struct skep_frame_writer *w, const struct skep_batch_strings *s,
                           uint32_t bytes_n)
{
    struct skep_frame_dict_room r = skep_frame__dict(w, s->n, bytes_n);
    uint32_t at = 0;
    bool packed = true; /* the table's bytes lie in order without gaps */
    for (uint32_t i = 0; i < s->n; i++) {
        packed = packed && s->items[i].offset == at;
        r.offsets[i] = at;
        r.hashes[i] = s->items[i].hash;
        at += s->items[i].len;
    }
    r.offsets[s->n] = at;
    skep_assert(at == bytes_n);
    if (packed && at > 0)
        memcpy(r.bytes, s->data, at);
    for (uint32_t i = 0; !packed && i < s->n; i++)
        if (s->items[i].len > 0)
            memcpy(r.bytes + r.offsets[i], s->data + s->items[i].offset, s->items[i].len);
}

static void encode_lists(struct skep_frame_writer *w, bool scopes, const struct skep_batch_lists *l)
{
    skep_assert(l->n >= 1 && l->first[l->n] == l->entries_n);
    struct skep_frame_lists_room r = skep_frame__lists(w, scopes, l->n, l->entries_n);
    memcpy(r.first, l->first, ((size_t)l->n + 1) * 4);
    memcpy(r.hashes, l->hashes, (size_t)l->n * 8);
    if (l->entries_n > 0)
        memcpy(r.entries, l->entries, (size_t)l->entries_n * SKEP_FRAME_ENTRY_BYTES);
}

#define WIDEN(array)                                                                               \
    do {                                                                                           \
        for (uint32_t i = 0; i < n; i++)                                                           \
            tmp[i] = (int64_t)(array)[i];                                                          \
    } while (0)

/* One intrinsic column of the batch as int64. */
static const int64_t *widen(const struct skep_batch *b, enum skep_column col, int64_t *tmp)
{
    uint32_t n = b->n_rows;
    switch (col) {
    case SKEP_COL_TIME: return b->time_ns;
    case SKEP_COL_DURATION: return b->duration_ns;
    case SKEP_COL_KIND: WIDEN(b->kind); break;
    case SKEP_COL_SPAN_ID: WIDEN(b->span_id); break;
    case SKEP_COL_PARENT_ID: WIDEN(b->parent_id); break;
    case SKEP_COL_NAME: WIDEN(b->name); break;
    case SKEP_COL_DATASET: WIDEN(b->dataset); break;
    case SKEP_COL_RESOURCE: WIDEN(b->resource); break;
    case SKEP_COL_SCOPE: WIDEN(b->scope); break;
    case SKEP_COL_STATUS: WIDEN(b->status); break;
    case SKEP_COL_SPAN_KIND: WIDEN(b->span_kind); break;
    case SKEP_COL_SEVERITY: WIDEN(b->severity); break;
    case SKEP_COL_FLAGS: WIDEN(b->flags); break;
    case SKEP_COL_SAMPLE_RATE:
        for (uint32_t i = 0; i < n; i++) /* a weight below 1 would make the row vanish in sums */
            tmp[i] = b->sample_rate[i] ? (int64_t)b->sample_rate[i] : 1;
        break;
    case SKEP_COL_SOURCE: WIDEN(b->source); break;
    case SKEP_COL_TRACE_ID:
    case SKEP_COL_RECEIVED:
    case SKEP_COL_SEQ:
    case SKEP_COL_ORDINAL:
    case SKEP_COL_COUNT:
    default: skep_unreachable("not a stored integer column");
    }
    return tmp;
}

static size_t batch_bound(const struct skep_batch *b, size_t strings_n, uint32_t n_fields)
{
    size_t n = skep_frame__bound_head(1, PLAIN_COLUMNS, n_fields) + skep_frame__bound_receipt();
    n += skep_frame__bound_dict(b->strings.n, strings_n);
    n += skep_frame__bound_lists(b->resources.n, b->resources.entries_n);
    n += skep_frame__bound_lists(b->scopes.n, b->scopes.entries_n);
    n += PLAIN_COLUMNS * skep_frame__bound_column(b->n_rows) + (size_t)b->n_rows * 8;
    for (uint32_t f = 0; f < b->n_fields; f++)
        n += skep_frame__bound_field(b->n_rows, b->fields[f].n);
    return n;
}

static void encode_columns(struct skep_frame_writer *w, const struct skep_batch *b)
{
    int64_t *tmp = skep_malloc((size_t)b->n_rows * sizeof *tmp);
    for (unsigned c = 0; c < SKEP_COL_COUNT; c++) {
        enum skep_column col = (enum skep_column)c;
        if (col == SKEP_COL_RECEIVED || col == SKEP_COL_SEQ || col == SKEP_COL_ORDINAL)
            continue;
        if (col == SKEP_COL_TRACE_ID)
            skep_frame__trace_ids(w, b->trace_id);
        else
            skep_frame__column(w, col, widen(b, col, tmp), 0);
    }
    skep_free(tmp);
}

skep_rc skep_frame_encode(const struct skep_batch *b, struct skep_buf *out, skep_err *err)
{
    skep_assert(b && out && !b->over_budget);
    if (b->n_rows > SKEP_LIMIT_BATCH_ROWS)
        return skep_fail(err, SKEP_ETOOLARGE, "%u rows in one request, at most %d", b->n_rows,
                         SKEP_LIMIT_BATCH_ROWS);
    size_t strings_n = 0;
    for (uint32_t i = 0; i < b->strings.n; i++)
        strings_n += b->strings.items[i].len;
    if (strings_n > SKEP_FRAME_MAX_BYTES)
        return skep_fail(err, SKEP_ETOOLARGE, "%zu bytes of strings in one request", strings_n);
    uint32_t *order = skep_malloc(((size_t)b->n_fields + 1) * sizeof *order);
    uint32_t n_fields = skep_batch_order(b, order);
    struct skep_frame_head head = {.n_rows = b->n_rows,
                                   .n_dicts = 1,
                                   .n_columns = PLAIN_COLUMNS,
                                   .n_fields = n_fields,
                                   .n_resources = b->resources.n,
                                   .n_scopes = b->scopes.n,
                                   .received_ns = b->received_ns,
                                   .receipt = &b->receipt};
    memcpy(head.identity, b->identity, sizeof head.identity);
    struct skep_frame_writer w;
    skep_rc rc = skep_frame__begin(&w, out, &head, batch_bound(b, strings_n, n_fields), err);
    if (rc != SKEP_OK) {
        skep_free(order);
        return rc;
    }
    encode_strings(&w, &b->strings, (uint32_t)strings_n);
    encode_lists(&w, false, &b->resources);
    encode_lists(&w, true, &b->scopes);
    encode_columns(&w, b);
    for (uint32_t i = 0; i < n_fields; i++) {
        const struct skep_batch_field *f = &b->fields[order[i]];
        struct skep_frame_col c = {.id = f->scope, .type = f->type, .name = f->name};
        skep_frame__field(&w, &c, f->n, f->rows, (const int64_t *)f->vals);
    }
    skep_frame__end(&w);
    skep_free(order);
    if (out->n - w.start > SKEP_FRAME_MAX_BYTES) {
        size_t n = out->n - w.start;
        out->n = w.start;
        return skep_fail(err, SKEP_ETOOLARGE, "a frame of %zu bytes, at most %d", n,
                         SKEP_FRAME_MAX_BYTES);
    }
    return SKEP_OK;
}
