// SPDX-License-Identifier: Apache-2.0
/* Ask the filters of a row group's string columns.
 *
 *   entry --reference--> filter chunk: values, trigrams, --reference--> chunk of grams
 *
 * I1  a filter rules out or says nothing: one that is damaged says nothing, `skep verify` names it.
 * I2  no data chunk is read here.
 *
 * Threads: any.  Memory: chunks through the segment's cache. */
#include "store/column/segment_filter.h"

#include "base/assert.h"
#include "store/column/filter_text.h"

struct skep_chunk_ref skep_filter_ref(const struct skep_segment *seg,
                                      const struct skep_column_entry *e)
{
    struct skep_chunk_ref ref = {0};
    if ((seg->optional & SKEP_SEGMENT_FILTERS) && (e->flags & SKEP_ENTRY_FILTER))
        ref = (struct skep_chunk_ref){e->min, (uint32_t)e->max, (uint32_t)(e->max >> 32)};
    return ref;
}

void skep_filter_set_ref(struct skep_column_entry *e, const struct skep_chunk_ref *ref)
{
    skep_assert(!(e->flags & (SKEP_ENTRY_ZONES | SKEP_ENTRY_ZONES_PACKED)));
    e->flags |= SKEP_ENTRY_FILTER;
    e->min = ref->offset;
    e->max = (uint64_t)ref->crc << 32 | ref->length;
}

bool skep_filter_open(skep_bytes b, struct skep_filter *ret)
{
    skep_rd r = skep_rd_make(b);
    *ret = (struct skep_filter){.has = skep_rd_u8(&r)};
    ret->trigram_log = skep_rd_u8(&r);
    ret->window = skep_rd_u8(&r);
    uint8_t zero = skep_rd_u8(&r);
    bool trigrams = ret->has & SKEP_FILTER_TRIGRAMS, grams = ret->has & SKEP_FILTER_GRAMS;
    if (r.bad || zero != 0 || ret->has == 0 || ret->has & ~SKEP_FILTER_KNOWN ||
        (trigrams
             ? ret->trigram_log < SKEP_TRIGRAM_LOG_MIN || ret->trigram_log > SKEP_TRIGRAM_LOG_MAX
             : ret->trigram_log != 0) ||
        (grams ? ret->window == 0 || ret->window > SKEP_GRAM_WINDOW_MAX : ret->window != 0))
        return false;
    if (ret->has & SKEP_FILTER_VALUES && !skep_fuse_open(&r, &ret->values))
        return false;
    if (trigrams)
        ret->trigrams = skep_rd_take(&r, (size_t)1 << (ret->trigram_log - 3)).p;
    if (grams) {
        ret->grams_at = skep_rd_offset(&r);
        ret->grams.offset = skep_rd_u64(&r);
        ret->grams.length = skep_rd_u32(&r);
        ret->grams.crc = skep_rd_u32(&r);
    }
    return !r.bad && skep_rd_left(&r) == 0;
}

/* The filter of an entry, pinned; false: none, or damage. */
static bool pin_filter(struct skep_segment *seg, const struct skep_column_entry *e,
                       const struct skep_chunk_data **ret_pin, struct skep_filter *ret)
{
    struct skep_chunk_ref ref = skep_filter_ref(seg, e);
    if (ref.length == 0 || skep_segment__pin_chunk(seg, &ref, ret_pin, NULL) != SKEP_OK)
        return false;
    if (skep_filter_open((skep_bytes){(*ret_pin)->bytes, (*ret_pin)->length}, ret))
        return true;
    skep_segment__unpin(seg, *ret_pin);
    return false;
}

bool skep_filter_lacks_value(struct skep_segment *seg, const struct skep_column_entry *e,
                             uint64_t hash)
{
    const struct skep_chunk_data *pin;
    struct skep_filter f;
    if (!pin_filter(seg, e, &pin, &f))
        return false;
    bool lacks = f.has & SKEP_FILTER_VALUES && !skep_fuse_has(&f.values, hash);
    skep_segment__unpin(seg, pin);
    return lacks;
}

static bool has_gram(void *ctx, uint32_t gram)
{
    return skep_fuse_has(ctx, gram ? gram : 1);
}

static bool grams_lack(struct skep_segment *seg, const struct skep_filter *f, skep_str needle)
{
    const struct skep_chunk_data *pin;
    struct skep_fuse set;
    if (!skep_grams_any(needle, f->window) ||
        skep_segment__pin_chunk(seg, &f->grams, &pin, NULL) != SKEP_OK)
        return false;
    skep_rd r = skep_rd_make((skep_bytes){pin->bytes, pin->length});
    bool lacks = skep_fuse_open(&r, &set) && !skep_grams_each(needle, f->window, has_gram, &set);
    skep_segment__unpin(seg, pin);
    return lacks;
}

bool skep_filter_lacks_text(struct skep_segment *seg, const struct skep_column_entry *e,
                            skep_str needle)
{
    const struct skep_chunk_data *pin;
    struct skep_filter f;
    if (needle.n < SKEP_TRIGRAM_BYTES || !pin_filter(seg, e, &pin, &f))
        return false;
    bool lacks =
        f.has & SKEP_FILTER_TRIGRAMS && !skep_trigrams_have(f.trigrams, f.trigram_log, needle);
    if (!lacks && f.has & SKEP_FILTER_GRAMS)
        lacks = grams_lack(seg, &f, needle);
    skep_segment__unpin(seg, pin);
    return lacks;
}
