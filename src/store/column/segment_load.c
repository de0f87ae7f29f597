// SPDX-License-Identifier: Apache-2.0
/* Chunks of a segment through the cache: read, check, pin.
 *
 *   chunk       the bytes, checksum compared
 *   directory   of a row group, unpacked to structs
 *   dictionary  strings decoded, with offsets and hashes; and an index of it by hash
 *   page        sparse values, decompressed
 *   bits        a presence, of any form, as a bitmap with counts
 *   counts      of a base, how many rows have each code;  rows  which
 *
 * I1  nothing of a chunk is looked at before its checksum held.
 * I2  sizes asked from the cache are bounded by the file's size, and for decoded forms by
 *     DICT_BYTES_MAX and PAGE_BYTES_MAX.
 * Threads: any; the results are immutable. */
#include <zstd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "store/column/segment_base.h"
#include "store/column/segment_filter.h"

enum {
    FORM_CHUNK = 0,
    FORM_DIR = 1,
    FORM_DICT = 2,
    FORM_PAGE = 3,
    FORM_DICT_INDEX = 4,
    FORM_BITS = 5,
    FORM_COUNTS = 6,
    FORM_ROWS = 7
};
enum {
    DICT_BYTES_MAX = 256 << 20,
    PAGE_BYTES_MAX = SKEP_SEGMENT_CHUNK_MAX,
    /* zstd does not compress better than a block of 128 KiB of one byte: 4 bytes.  A page that
     * claims more is damaged. */
    PAGE_RATIO_MAX = (128 << 10) / 4
};

struct load {
    struct skep_segment *seg;
    const struct skep_chunk_ref *ref;
    const struct skep_group_page *page;
    uint32_t group, n;
    uint8_t codec;
    const struct skep_group_dir *dir;
    const struct skep_column_entry *entry;
    const struct skep_base *base;
};

static skep_rc read_chunk(const struct load *l, uint8_t *to, skep_err *err)
{
    struct skep_segment *seg = l->seg;
    SKEP_TRY(seg->os->pread(seg->os, seg->fd, to, l->ref->length, l->ref->offset, err));
    if (skep_chunk_crc(l->ref->offset, (skep_bytes){to, l->ref->length}) != l->ref->crc)
        return skep_segment__corrupt(seg, err, l->ref->offset, "chunk checksum");
    return SKEP_OK;
}

static struct skep_chunk_data *new_chunk(uint32_t length)
{
    size_t bytes = sizeof(struct skep_chunk_data) + length + SKEP_BITS_PAD;
    struct skep_chunk_data *d = skep_malloc(bytes);
    d->head = (struct skep_cache_data){.bytes = bytes};
    d->length = length;
    memset(d->bytes + length, 0, SKEP_BITS_PAD);
    return d;
}

static skep_rc make_chunk(void *ctx, struct skep_cache_data **ret, skep_err *err)
{
    const struct load *l = ctx;
    struct skep_chunk_data *d = new_chunk(l->ref->length);
    skep_rc rc = read_chunk(l, d->bytes, err);
    if (rc != SKEP_OK) {
        skep_free(d);
        return rc;
    }
    *ret = &d->head;
    return SKEP_OK;
}

static skep_rc pin(struct skep_segment *seg, uint32_t form, uint64_t reserve,
                   skep_cache_make_fn *make, struct load *l, const void **ret, skep_err *err)
{
    if (!skep_segment__ref_ok(seg, l->ref))
        return skep_segment__corrupt(seg, err, l->ref->offset, "a chunk reference lies outside");
    struct skep_cache_key key = {seg->serial, l->ref->offset, form};
    struct skep_cache_data *d;
    SKEP_TRY(skep_cache_pin(seg->cache, &key, reserve, make, l, &d, err));
    *ret = d;
    return SKEP_OK;
}

skep_rc skep_segment__pin_chunk(struct skep_segment *seg, const struct skep_chunk_ref *ref,
                                const struct skep_chunk_data **ret, skep_err *err)
{
    struct load l = {.seg = seg, .ref = ref};
    const void *d;
    SKEP_TRY(pin(seg, FORM_CHUNK, sizeof(struct skep_chunk_data) + ref->length + SKEP_BITS_PAD,
                 make_chunk, &l, &d, err));
    *ret = d;
    if ((*ret)->length != ref->length) { /* two references to one place that disagree */
        skep_segment__unpin(seg, d);
        return skep_segment__corrupt(seg, err, ref->offset, "chunk length");
    }
    return SKEP_OK;
}

void skep_segment__unpin(struct skep_segment *seg, const void *data)
{
    skep_cache_unpin(seg->cache, data);
}

/* --- directory --- */

static struct skep_chunk_ref rd_ref(skep_rd *r)
{
    struct skep_chunk_ref ref;
    ref.offset = skep_rd_u64(r);
    ref.length = skep_rd_u32(r);
    ref.crc = skep_rd_u32(r);
    return ref;
}

static bool entry_ok(const struct skep_segment *seg, const struct skep_column_entry *e,
                     uint32_t n_rows)
{
    if (e->n_present > n_rows || e->presence > SKEP_PRESENCE_CODES)
        return false;
    if (e->presence == SKEP_PRESENCE_NONE)
        return e->n_present == 0;
    if (e->n_present == 0 || !skep_segment__ref_ok(seg, &e->data))
        return false;
    if (e->presence == SKEP_PRESENCE_ALL && e->n_present != n_rows)
        return false;
    if (e->presence == SKEP_PRESENCE_BITMAP &&
        (!skep_segment__ref_ok(seg, &e->bitmap) || e->bitmap.length != (n_rows + 63) / 64 * 8))
        return false;
    if (e->presence > SKEP_PRESENCE_BITMAP && !skep_segment__ref_ok(seg, &e->bitmap))
        return false;
    if ((e->flags & SKEP_ENTRY_DICT_LOCAL) && (!skep_segment__ref_ok(seg, &e->dict) ||
                                               e->dict_n == 0 || e->dict_n > SKEP_CODEC_MAX_VALUES))
        return false;
    if ((e->flags & SKEP_ENTRY_FILTER) && (seg->optional & SKEP_SEGMENT_FILTERS)) {
        struct skep_chunk_ref ref = skep_filter_ref(seg, e);
        if ((e->flags & (SKEP_ENTRY_ZONES | SKEP_ENTRY_ZONES_PACKED)) ||
            !skep_segment__ref_ok(seg, &ref))
            return false;
    }
    return true;
}

static skep_rc parse_dir(const struct load *l, skep_rd *r, struct skep_group_dir *d, skep_err *err)
{
    struct skep_segment *seg = l->seg;
    for (uint32_t i = 0; i < d->n_entries; i++) {
        struct skep_column_entry *e = &d->entries[i];
        e->key = skep_rd_u32(r);
        e->codec = skep_rd_u8(r);
        e->presence = skep_rd_u8(r);
        e->flags = skep_rd_u8(r);
        e->dict_codec = skep_rd_u8(r);
        e->n_present = skep_rd_u32(r);
        e->dict_n = skep_rd_u32(r);
        e->data = rd_ref(r);
        e->bitmap = rd_ref(r);
        e->dict = rd_ref(r);
        e->min = skep_rd_u64(r);
        e->max = skep_rd_u64(r);
        if (r->bad || !entry_ok(seg, e, d->n_rows) || (i > 0 && e->key <= e[-1].key))
            return skep_segment__corrupt(seg, err, l->ref->offset + skep_rd_offset(r),
                                         "a directory entry is malformed");
    }
    for (uint32_t i = 0; i < d->n_pages; i++) {
        struct skep_group_page *p = &d->pages[i];
        p->ref = rd_ref(r);
        p->raw_bytes = skep_rd_u32(r);
        p->first_key = skep_rd_u32(r);
        p->zstd = skep_rd_u32(r);
        skep_rd_u32(r);
        if (r->bad || !skep_segment__ref_ok(seg, &p->ref) || p->zstd > 1 ||
            p->raw_bytes > PAGE_BYTES_MAX ||
            p->raw_bytes > (uint64_t)p->ref.length * (p->zstd ? PAGE_RATIO_MAX : 1) ||
            (i > 0 && p->first_key < p[-1].first_key))
            return skep_segment__corrupt(seg, err, l->ref->offset + skep_rd_offset(r),
                                         "a sparse page is malformed");
    }
    return SKEP_OK;
}

static skep_rc unpack_dir(const struct load *l, const uint8_t *bytes, struct skep_cache_data **ret,
                          skep_err *err)
{
    skep_rd r = skep_rd_make((skep_bytes){bytes, l->ref->length});
    uint32_t n_rows = skep_rd_u32(&r), n_entries = skep_rd_u32(&r), n_pages = skep_rd_u32(&r);
    if (r.bad || n_rows != skep_segment__group_rows(l->seg, l->group) ||
        (uint64_t)n_entries * SKEP_SEGMENT_ENTRY_BYTES + (uint64_t)n_pages * 32 != skep_rd_left(&r))
        return skep_segment__corrupt(l->seg, err, l->ref->offset, "directory of a row group");
    size_t entries_bytes = n_entries * sizeof(struct skep_column_entry);
    size_t total =
        sizeof(struct skep_group_dir) + entries_bytes + n_pages * sizeof(struct skep_group_page);
    struct skep_group_dir *d = skep_calloc(1, total);
    d->head.bytes = total;
    d->n_rows = n_rows;
    d->n_entries = n_entries;
    d->n_pages = n_pages;
    d->pages = (struct skep_group_page *)(d->entries + n_entries);
    skep_rc rc = parse_dir(l, &r, d, err);
    if (rc != SKEP_OK) {
        skep_free(d);
        return rc;
    }
    *ret = &d->head;
    return SKEP_OK;
}

static skep_rc make_dir(void *ctx, struct skep_cache_data **ret, skep_err *err)
{
    const struct load *l = ctx;
    uint8_t *bytes = skep_malloc(l->ref->length);
    skep_rc rc = read_chunk(l, bytes, err);
    if (rc == SKEP_OK)
        rc = unpack_dir(l, bytes, ret, err);
    skep_free(bytes);
    return rc;
}

skep_rc skep_segment__pin_dir(struct skep_segment *seg, uint32_t group,
                              const struct skep_group_dir **ret, skep_err *err)
{
    skep_assert(group < seg->n_groups);
    struct load l = {.seg = seg, .ref = &seg->groups[group], .group = group};
    const void *d;
    SKEP_TRY(pin(seg, FORM_DIR, (uint64_t)l.ref->length * 3, make_dir, &l, &d, err));
    *ret = d;
    return SKEP_OK;
}

const struct skep_column_entry *skep_segment__find_entry(const struct skep_group_dir *dir,
                                                         uint32_t key)
{
    uint32_t low = 0, high = dir->n_entries;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (dir->entries[mid].key == key)
            return &dir->entries[mid];
        if (dir->entries[mid].key < key)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

/* --- dictionaries --- */

static skep_rc build_dict(const struct load *l, const skep_str *strs, struct skep_cache_data **ret,
                          skep_err *err)
{
    static _Atomic uint64_t serials;
    uint64_t text = 0;
    for (uint32_t i = 0; i < l->n; i++)
        text += strs[i].n;
    if (text > DICT_BYTES_MAX)
        return skep_segment__corrupt(l->seg, err, l->ref->offset, "dictionary over the limit");
    size_t total =
        sizeof(struct skep_dict_data) + (size_t)l->n * 8 + ((size_t)l->n + 1) * 4 + (size_t)text;
    struct skep_dict_data *d = skep_malloc(total);
    d->head = (struct skep_cache_data){.bytes = total};
    uint64_t *hashes = (uint64_t *)(d + 1);
    uint32_t *offsets = (uint32_t *)(hashes + l->n);
    uint8_t *bytes = (uint8_t *)(offsets + l->n + 1);
    uint32_t at = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        offsets[i] = at;
        if (strs[i].n)
            memcpy(bytes + at, strs[i].p, strs[i].n);
        hashes[i] = skep_hash(skep_str_bytes(strs[i]));
        at += (uint32_t)strs[i].n;
    }
    offsets[l->n] = at;
    /* The upper half of the numbers is the segments', the lower the parts' (part.c). */
    uint64_t serial = atomic_fetch_add_explicit(&serials, 1, memory_order_relaxed);
    d->dict = (struct skep_dict){serial | 1ull << 63, l->n, offsets, bytes, hashes};
    *ret = &d->head;
    return SKEP_OK;
}

static skep_rc make_dict(void *ctx, struct skep_cache_data **ret, skep_err *err)
{
    const struct load *l = ctx;
    const struct skep_codec_ops *codec = skep_codec_find(l->codec);
    if (!codec || codec->kind != SKEP_CODEC_STRINGS)
        return skep_segment__corrupt(l->seg, err, l->ref->offset, "dictionary of unknown codec");
    uint8_t *bytes = skep_malloc((size_t)l->ref->length + SKEP_BITS_PAD);
    memset(bytes + l->ref->length, 0, SKEP_BITS_PAD);
    skep_str *strs = skep_malloc((size_t)l->n * sizeof *strs);
    struct skep_codec_scratch scratch = {0};
    skep_rc rc = read_chunk(l, bytes, err);
    if (rc == SKEP_OK) {
        struct skep_codec_chunk c = {bytes, l->ref->length, l->n};
        rc = codec->decode_str(&c, 0, l->n, strs, &scratch);
        if (rc != SKEP_OK)
            rc = skep_segment__corrupt(l->seg, err, l->ref->offset, "dictionary is malformed");
        else
            rc = build_dict(l, strs, ret, err);
    }
    skep_codec_scratch_done(&scratch);
    skep_free(strs);
    skep_free(bytes);
    return rc;
}

skep_rc skep_segment__pin_dict(struct skep_segment *seg, const struct skep_chunk_ref *ref,
                               uint8_t codec, uint32_t n, const struct skep_dict_data **ret,
                               skep_err *err)
{
    skep_assert(n > 0 && n <= SKEP_CODEC_MAX_VALUES);
    struct load l = {.seg = seg, .ref = ref, .codec = codec, .n = n};
    const void *d;
    uint64_t reserve = (uint64_t)ref->length * 3 + (uint64_t)n * 12;
    SKEP_TRY(pin(seg, FORM_DICT, reserve, make_dict, &l, &d, err));
    *ret = d;
    if ((*ret)->dict.n != n) {
        skep_segment__unpin(seg, d);
        return skep_segment__corrupt(seg, err, ref->offset, "dictionary size");
    }
    return SKEP_OK;
}

static uint32_t slot_tag(uint64_t hash, uint32_t code)
{
    return 1u << 31 | (uint32_t)(hash >> 49) << 16 | code;
}

static uint32_t index_slots(uint32_t n)
{
    uint32_t slots = 16;
    while (slots < 2 * n)
        slots *= 2;
    return slots;
}

static skep_rc make_index(void *ctx, struct skep_cache_data **ret, skep_err *err)
{
    const struct load *l = ctx;
    const struct skep_dict_data *d;
    _Static_assert(SKEP_CODEC_MAX_VALUES <= 1 << 16, "a code has 16 bits");
    SKEP_TRY(skep_segment__pin_dict(l->seg, l->ref, l->codec, l->n, &d, err));
    uint32_t slots = index_slots(l->n);
    size_t bytes = sizeof(struct skep_dict_index) + slots * sizeof(uint32_t);
    struct skep_dict_index *ix = skep_calloc(1, bytes);
    ix->head.bytes = bytes;
    ix->mask = slots - 1;
    for (uint32_t i = 0; i < l->n; i++) {
        uint32_t at = (uint32_t)d->dict.hashes[i] & ix->mask;
        while (ix->slots[at])
            at = (at + 1) & ix->mask;
        ix->slots[at] = slot_tag(d->dict.hashes[i], i);
    }
    skep_segment__unpin(l->seg, d);
    *ret = &ix->head;
    return SKEP_OK;
}

skep_rc skep_segment__find_code(struct skep_segment *seg, const struct skep_chunk_ref *ref,
                                uint8_t codec, uint32_t n, uint64_t hash, uint32_t *ret,
                                skep_err *err)
{
    struct load l = {.seg = seg, .ref = ref, .codec = codec, .n = n};
    const void *pinned;
    *ret = SKEP_NO_CODE;
    SKEP_TRY(pin(seg, FORM_DICT_INDEX, index_slots(n) * sizeof(uint32_t) + 64, make_index, &l,
                 &pinned, err));
    const struct skep_dict_index *ix = pinned;
    const struct skep_dict_data *d = NULL;
    uint32_t tag = slot_tag(hash, 0) >> 16;
    skep_rc rc = SKEP_OK;
    for (uint32_t at = (uint32_t)hash & ix->mask; ix->slots[at] && *ret == SKEP_NO_CODE;
         at = (at + 1) & ix->mask) {
        uint32_t code = ix->slots[at] & 0xffff;
        if (ix->slots[at] >> 16 != tag || code >= n)
            continue;
        if (!d)
            rc = skep_segment__pin_dict(seg, ref, codec, n, &d, err);
        if (rc != SKEP_OK)
            break;
        if (d->dict.hashes[code] == hash)
            *ret = code;
    }
    skep_segment__unpin(seg, d);
    skep_segment__unpin(seg, ix);
    return rc;
}

skep_rc skep_segment__pin_shared(struct skep_segment *seg, const struct skep_segment_origin *o,
                                 uint32_t key, const struct skep_dict_data **ret, skep_err *err)
{
    const struct skep_segment_dict *d = skep_segment__find_dict(o, key);
    if (!d)
        return skep_segment__corrupt(seg, err, seg->data_end, "a column's dictionary is missing");
    return skep_segment__pin_dict(seg, &d->ref, d->codec, d->n, ret, err);
}

/* --- sparse pages --- */

static skep_rc make_page(void *ctx, struct skep_cache_data **ret, skep_err *err)
{
    const struct load *l = ctx;
    struct skep_chunk_data *d = new_chunk(l->page->raw_bytes);
    uint8_t *packed = skep_malloc(l->ref->length);
    skep_rc rc = read_chunk(l, packed, err);
    if (rc == SKEP_OK && l->page->zstd) {
        size_t n = ZSTD_decompress(d->bytes, d->length, packed, l->ref->length);
        if (ZSTD_isError(n) || n != d->length)
            rc = skep_segment__corrupt(l->seg, err, l->ref->offset, "sparse page compression");
    } else if (rc == SKEP_OK) {
        if (d->length != l->ref->length)
            rc = skep_segment__corrupt(l->seg, err, l->ref->offset, "sparse page length");
        else
            memcpy(d->bytes, packed, d->length);
    }
    skep_free(packed);
    if (rc != SKEP_OK) {
        skep_free(d);
        return rc;
    }
    *ret = &d->head;
    return SKEP_OK;
}

skep_rc skep_segment__pin_page(struct skep_segment *seg, const struct skep_group_page *page,
                               const struct skep_chunk_data **ret, skep_err *err)
{
    struct load l = {.seg = seg, .ref = &page->ref, .page = page};
    const void *d;
    uint64_t reserve = (uint64_t)page->raw_bytes + page->ref.length + 64;
    SKEP_TRY(pin(seg, FORM_PAGE, reserve, make_page, &l, &d, err));
    *ret = d;
    return SKEP_OK;
}

/* --- views of chunks --- */

/* Bytes that the zones of an entry take at the end of its chunk; SIZE_MAX when they do not fit. */
static size_t zones_bytes(const struct skep_column_entry *e, const struct skep_chunk_data *data,
                          uint32_t blocks)
{
    if (e->flags & SKEP_ENTRY_ZONES_PACKED) {
        if (data->length < 4)
            return SIZE_MAX;
        uint32_t mins = skep_load_le16(data->bytes + data->length - 4);
        uint32_t all = skep_load_le16(data->bytes + data->length - 2);
        return all <= data->length && mins + 4 <= all ? all : SIZE_MAX;
    }
    size_t n = e->flags & SKEP_ENTRY_ZONES ? (size_t)blocks * SKEP_SEGMENT_ZONE_BYTES : 0;
    return n <= data->length ? n : SIZE_MAX;
}

skep_rc skep_segment__codec_chunk(struct skep_segment *seg, uint32_t group,
                                  const struct skep_column_entry *e,
                                  const struct skep_chunk_data *data, struct skep_codec_chunk *ret,
                                  skep_err *err)
{
    uint32_t rows = skep_segment__group_rows(seg, group);
    size_t zones = zones_bytes(e, data, (rows + SKEP_BLOCK_ROWS - 1) / SKEP_BLOCK_ROWS);
    if (zones == SIZE_MAX)
        return skep_segment__corrupt(seg, err, e->data.offset, "a chunk is too short");
    *ret = (struct skep_codec_chunk){data->bytes, data->length - zones, e->n_present};
    return SKEP_OK;
}

bool skep_segment__zone(const struct skep_column_entry *e, const struct skep_chunk_data *data,
                        uint32_t blocks, uint32_t block, int64_t *ret_min, int64_t *ret_max)
{
    size_t zones = zones_bytes(e, data, blocks);
    if (zones == SIZE_MAX || zones == 0 || block >= blocks)
        return false;
    const uint8_t *p = data->bytes + data->length - zones;
    if (e->flags & SKEP_ENTRY_ZONES_PACKED) {
        uint32_t mins = skep_load_le16(data->bytes + data->length - 4);
        struct skep_codec_chunk lo = {p, mins, blocks}, hi = {p + mins, zones - 4 - mins, blocks};
        return skep_codec__for_get(&lo, block, 1, ret_min) == SKEP_OK &&
               skep_codec__for_get(&hi, block, 1, ret_max) == SKEP_OK;
    }
    *ret_min = (int64_t)skep_load_le64(p + (size_t)block * SKEP_SEGMENT_ZONE_BYTES);
    *ret_max = (int64_t)skep_load_le64(p + (size_t)block * SKEP_SEGMENT_ZONE_BYTES + 8);
    return true;
}

/* The bitmap of a presence into words, which are zero. */
static skep_rc fill_bits(const struct load *l, uint64_t *words, uint32_t n_words, skep_err *err)
{
    if (l->entry->presence != SKEP_PRESENCE_BITMAP)
        return skep_segment__expand_presence(l->seg, l->group, l->dir, l->entry, words, err);
    const struct skep_chunk_data *d;
    SKEP_TRY(skep_segment__pin_chunk(l->seg, &l->entry->bitmap, &d, err));
    bool fits = d->length == n_words * 8;
    for (uint32_t k = 0; fits && k < n_words; k++)
        words[k] = skep_load_le64(d->bytes + (size_t)k * 8);
    skep_segment__unpin(l->seg, d);
    return fits ? SKEP_OK
                : skep_segment__corrupt(l->seg, err, l->entry->bitmap.offset, "length of a bitmap");
}

/* Present rows before each word; returns those in all. */
SKEP_CLONES static uint32_t count_ranks(const uint64_t *words, uint32_t n, uint16_t *ranks)
{
    uint32_t count = 0;
    for (uint32_t k = 0; k < n; k++) {
        ranks[k] = (uint16_t)count; /* before the last word at most 65,472 */
        count += SKEP_POPCOUNT64(words[k]);
    }
    return count;
}

static skep_rc make_bits(void *ctx, struct skep_cache_data **ret, skep_err *err)
{
    const struct load *l = ctx;
    uint32_t n_words = (l->dir->n_rows + 63) / 64, tail = l->dir->n_rows % 64;
    uint64_t words[SKEP_ROW_GROUP_ROWS / 64] = {0};
    SKEP_TRY(fill_bits(l, words, n_words, err));
    /* Bits behind the last row must be clear, or counts would not be what they say. */
    if (tail && words[n_words - 1] >> tail)
        return skep_segment__corrupt(l->seg, err, l->entry->bitmap.offset,
                                     "a validity bitmap disagrees");
    size_t bytes = sizeof(struct skep_presence_data) + n_words * 8 + SKEP_BITS_PAD;
    struct skep_presence_data *d = skep_malloc(bytes);
    d->head = (struct skep_cache_data){.bytes = bytes};
    d->n_words = n_words;
    d->count = count_ranks(words, n_words, d->ranks);
    for (uint32_t k = 0; k < n_words; k++)
        skep_store_le64(d->bits + (size_t)k * 8, words[k]);
    memset(d->bits + (size_t)n_words * 8, 0, SKEP_BITS_PAD);
    *ret = &d->head;
    return SKEP_OK;
}

skep_rc skep_segment__open_presence(struct skep_segment *seg, uint32_t group,
                                    const struct skep_group_dir *dir,
                                    const struct skep_column_entry *e,
                                    struct skep_presence_map *ret, skep_err *err)
{
    *ret = (struct skep_presence_map){0};
    if (e->presence < SKEP_PRESENCE_BITMAP)
        return SKEP_OK;
    struct load l = {.seg = seg, .ref = &e->bitmap, .group = group, .dir = dir, .entry = e};
    const void *p;
    uint64_t reserve = sizeof(struct skep_presence_data) + SKEP_ROW_GROUP_ROWS / 8 + SKEP_BITS_PAD;
    SKEP_TRY(pin(seg, FORM_BITS, reserve, make_bits, &l, &p, err));
    const struct skep_presence_data *d = p;
    /* A place that two row groups refer to is damage, too. */
    if (d->n_words != (dir->n_rows + 63) / 64 || d->count != e->n_present) {
        skep_segment__unpin(seg, d);
        return skep_segment__corrupt(seg, err, e->bitmap.offset, "a validity bitmap disagrees");
    }
    *ret = (struct skep_presence_map){d, d->bits};
    return SKEP_OK;
}

static skep_rc make_counts(void *ctx, struct skep_cache_data **ret, skep_err *err)
{
    const struct load *l = ctx;
    const struct skep_base *b = l->base;
    uint32_t *rows = skep_alloc_n(uint32_t, SKEP_CODEC_MAX_VALUES + 1),
             n = SKEP_CODEC_MAX_VALUES + 1;
    skep_rc rc = b->chunk.n_values <= l->n
                     ? skep_codec_tally(b->codec, &b->chunk, 0, b->chunk.n_values, 0, rows + 1,
                                        SKEP_CODEC_MAX_VALUES)
                     : SKEP_ECORRUPT;
    if (rc != SKEP_OK) {
        skep_free(rows);
        return skep_segment__corrupt(l->seg, err, l->ref->offset, "codes of a base");
    }
    rows[0] = l->n - b->chunk.n_values;
    while (n > 0 && rows[n - 1] == 0)
        n--;
    size_t bytes = sizeof(struct skep_base_counts) + n * sizeof *rows;
    struct skep_base_counts *d = skep_malloc(bytes);
    *d = (struct skep_base_counts){.head = {.bytes = bytes}, .n_rows = l->n, .n = n};
    memcpy(d->rows, rows, n * sizeof *rows);
    skep_free(rows);
    *ret = &d->head;
    return SKEP_OK;
}

skep_rc skep_segment__pin_counts(struct skep_segment *seg, const struct skep_base *b,
                                 uint32_t n_rows, const struct skep_base_counts **ret,
                                 skep_err *err)
{
    struct load l = {.seg = seg, .ref = &b->entry->data, .n = n_rows, .base = b};
    const void *p;
    uint64_t reserve = sizeof(struct skep_base_counts) + (uint64_t)b->m * sizeof(uint32_t);
    SKEP_TRY(pin(seg, FORM_COUNTS, reserve, make_counts, &l, &p, err));
    const struct skep_base_counts *d = p;
    if (d->n_rows != n_rows) { /* two row groups refer to one place */
        skep_segment__unpin(seg, d);
        return skep_segment__corrupt(seg, err, b->entry->data.offset, "codes of a base");
    }
    *ret = d;
    return SKEP_OK;
}

static skep_rc make_rows(void *ctx, struct skep_cache_data **ret, skep_err *err)
{
    const struct load *l = ctx;
    uint32_t m = l->base->m, n = l->n;
    size_t head = sizeof(struct skep_base_rows) + ((size_t)m + 1) * sizeof(uint32_t);
    struct skep_base_rows *d = skep_calloc(1, head + n * sizeof(uint16_t));
    uint16_t *rows = (void *)((uint8_t *)d + head), *x = skep_alloc_n(uint16_t, n);
    int64_t block[SKEP_BLOCK_ROWS];
    skep_rc rc = SKEP_OK;
    _Static_assert(SKEP_CODEC_MAX_VALUES <= 1 << 16 && SKEP_ROW_GROUP_ROWS <= 1 << 16, "16 bits");
    for (uint32_t row = 0; row < n && rc == SKEP_OK; row += SKEP_BLOCK_ROWS) {
        uint32_t take = SKEP_MIN(n - row, (uint32_t)SKEP_BLOCK_ROWS);
        rc = skep_base_read(l->base, row, take, block);
        for (uint32_t i = 0; i < take && rc == SKEP_OK; i++) {
            x[row + i] = (uint16_t)block[i];
            d->first[block[i] + 1]++; /* below m: skep_base_read() */
        }
    }
    if (rc == SKEP_OK) {
        for (uint32_t i = 0; i < m; i++)
            d->first[i + 1] += d->first[i];
        for (uint32_t row = n; row-- > 0;) /* from the end of each list */
            rows[--d->first[x[row] + 1]] = (uint16_t)row;
        /* first[i + 1] is where the list of i begins now. */
        memmove(d->first, d->first + 1, m * sizeof *d->first);
        d->first[m] = n;
    }
    skep_free(x);
    if (rc != SKEP_OK) {
        skep_free(d);
        return skep_segment__corrupt(l->seg, err, l->ref->offset, "codes of a base");
    }
    d->head.bytes = head + n * sizeof(uint16_t);
    d->n_rows = n;
    d->m = m;
    d->rows = rows;
    *ret = &d->head;
    return SKEP_OK;
}

skep_rc skep_segment__pin_rows(struct skep_segment *seg, const struct skep_base *b, uint32_t n_rows,
                               const struct skep_base_rows **ret, skep_err *err)
{
    struct load l = {.seg = seg, .ref = &b->entry->data, .n = n_rows, .base = b};
    const void *p;
    uint64_t reserve = sizeof(struct skep_base_rows) + ((uint64_t)b->m + 1) * sizeof(uint32_t) +
                       n_rows * sizeof(uint16_t);
    SKEP_TRY(pin(seg, FORM_ROWS, reserve, make_rows, &l, &p, err));
    const struct skep_base_rows *d = p;
    if (d->n_rows != n_rows || d->m != b->m) {
        skep_segment__unpin(seg, d);
        return skep_segment__corrupt(seg, err, b->entry->data.offset, "codes of a base");
    }
    *ret = d;
    return SKEP_OK;
}
