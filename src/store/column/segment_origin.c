// SPDX-License-Identifier: Apache-2.0
/* Origins: row groups that a merge took over from another file as they were.
 *
 * Such a row group keeps the numbers of the file it was written for: keys of fields, numbers of
 * resources and instrumentation scopes, codes into segment dictionaries.  Its origin says what they
 * are here.
 *
 *   row group 0, 1   own           key 65 = field 1, resource 3 = list 3, dictionaries of the
 * footer row group 2, 3   origin 1      key 65 = field 4, resource 3 = list 0, dictionaries of
 * origin 1
 *
 * In the footer (with required feature 0), after everything else:
 *
 *   u32  origins, own ones not counted (0..255); each:
 *     u32  fields; each: u32 key there, u32 key here, both >= 64 and ascending; a key here that no
 *          field of this file has: no row has a value
 *     u32  resources; each: u32 list of this file
 *     u32  instrumentation scopes; each: u32 list of this file
 *     u32  dictionaries; each as the file's own: u32 key, u32 values, u32 codec, reference
 *
 * I1  lists that an origin names exist in this file.
 * I2  fields ascend on both sides: the order by (name, scope, type) is every file's. */
#include "store/column/segment.h"

static skep_rc bad(struct skep_segment *seg, const skep_rd *r, const char *what, skep_err *err)
{
    return skep_segment__corrupt(seg, err, seg->data_end + skep_rd_offset(r), what);
}

static skep_rc parse_fields(struct skep_segment *seg, skep_rd *r, struct skep_segment_origin *o,
                            skep_err *err)
{
    uint32_t n = skep_rd_u32(r), f = 0, at = 0;
    int64_t last_there = SKEP_SEGMENT_FIELD_KEY - 1, last_here = SKEP_SEGMENT_FIELD_KEY - 1;
    if (r->bad || n > skep_rd_left(r) / 8)
        return bad(seg, r, "an origin has too many fields", err);
    uint32_t *keys = skep_new_n(&seg->arena, uint32_t, n + 1);
    uint32_t *fields = skep_new_n(&seg->arena, uint32_t, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t there = skep_rd_u32(r), here = skep_rd_u32(r);
        if (r->bad || there <= last_there || here <= last_here)
            return bad(seg, r, "a field of an origin is malformed", err);
        last_there = there;
        last_here = here;
        while (f < seg->base.n_fields && seg->keys[f] < here)
            f++;
        if (f == seg->base.n_fields || seg->keys[f] != here)
            continue;
        keys[at] = there;
        fields[at++] = f;
    }
    o->n_fields = at;
    o->keys = keys;
    o->fields = fields;
    return SKEP_OK;
}

static skep_rc parse_lists(struct skep_segment *seg, skep_rd *r, uint32_t n_lists,
                           struct skep_segment_numbers *ret, skep_err *err)
{
    uint32_t n = skep_rd_u32(r);
    if (r->bad || n > skep_rd_left(r) / 4)
        return bad(seg, r, "an origin has too many lists", err);
    uint32_t *to = skep_new_n(&seg->arena, uint32_t, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        to[i] = skep_rd_u32(r);
        if (r->bad || to[i] >= n_lists)
            return bad(seg, r, "a list of an origin does not exist", err);
    }
    *ret = (struct skep_segment_numbers){n, to};
    return SKEP_OK;
}

skep_rc skep_segment__parse_dicts(struct skep_segment *seg, skep_rd *r,
                                  struct skep_segment_origin *o, skep_err *err)
{
    uint32_t n = skep_rd_u32(r);
    if (r->bad || n > skep_rd_left(r) / 28)
        return bad(seg, r, "too many dictionaries", err);
    o->dicts = skep_new_n(&seg->arena, struct skep_segment_dict, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        struct skep_segment_dict *d = &o->dicts[i];
        d->key = skep_rd_u32(r);
        d->n = skep_rd_u32(r);
        d->codec = (uint8_t)skep_rd_u32(r);
        d->ref.offset = skep_rd_u64(r);
        d->ref.length = skep_rd_u32(r);
        d->ref.crc = skep_rd_u32(r);
        if (r->bad || !skep_segment__ref_ok(seg, &d->ref) || d->n == 0 ||
            d->n > SKEP_CODEC_MAX_VALUES || (i > 0 && d->key <= d[-1].key))
            return bad(seg, r, "a dictionary is malformed", err);
        o->n_dicts = i + 1;
    }
    return SKEP_OK;
}

skep_rc skep_segment__parse_origins(struct skep_segment *seg, skep_rd *r, skep_err *err)
{
    uint32_t n = skep_rd_u32(r);
    if (r->bad || n >= SKEP_SEGMENT_MAX_ORIGINS || n > skep_rd_left(r) / 16)
        return bad(seg, r, "too many origins", err);
    struct skep_segment_origin own = seg->origins[0];
    seg->origins = skep_new_n(&seg->arena, struct skep_segment_origin, n + 1);
    seg->origins[0] = own;
    for (uint32_t i = 1; i <= n; i++) {
        struct skep_segment_origin *o = &seg->origins[i];
        SKEP_TRY(parse_fields(seg, r, o, err));
        SKEP_TRY(parse_lists(seg, r, seg->base.resources.n, &o->resources, err));
        SKEP_TRY(parse_lists(seg, r, seg->base.scopes.n, &o->scopes, err));
        SKEP_TRY(skep_segment__parse_dicts(seg, r, o, err));
        seg->n_origins = i + 1;
    }
    for (uint32_t g = 0; g < seg->n_groups; g++)
        if (seg->group_origins[g] > n)
            return bad(seg, r, "a row group of no origin", err);
    return SKEP_OK;
}

void skep_segment__own_origin(struct skep_segment *seg, struct skep_segment_origin *ret)
{
    const struct skep_rowset *b = &seg->base;
    uint32_t *fields = skep_new_n(&seg->arena, uint32_t, b->n_fields + 1);
    for (uint32_t i = 0; i < b->n_fields; i++)
        fields[i] = i;
    *ret = (struct skep_segment_origin){.n_fields = b->n_fields,
                                        .keys = seg->keys,
                                        .fields = fields,
                                        .resources = {b->resources.n, NULL},
                                        .scopes = {b->scopes.n, NULL}};
}

uint32_t skep_segment__key_in(const struct skep_segment_origin *o, uint32_t field)
{
    uint32_t low = 0, high = o->n_fields;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (o->fields[mid] == field)
            return o->keys[mid];
        if (o->fields[mid] < field)
            low = mid + 1;
        else
            high = mid;
    }
    return UINT32_MAX;
}

uint32_t skep_segment__field_of(const struct skep_segment_origin *o, uint32_t key)
{
    uint32_t low = 0, high = o->n_fields;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (o->keys[mid] == key)
            return o->fields[mid];
        if (o->keys[mid] < key)
            low = mid + 1;
        else
            high = mid;
    }
    return UINT32_MAX;
}

struct skep_segment_dict *skep_segment__find_dict(const struct skep_segment_origin *o, uint32_t key)
{
    uint32_t low = 0, high = o->n_dicts;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (o->dicts[mid].key == key)
            return &o->dicts[mid];
        if (o->dicts[mid].key < key)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

struct skep_segment_numbers skep_segment__numbers(const struct skep_segment_origin *o, uint32_t key)
{
    return key == SKEP_COL_RESOURCE ? o->resources
           : key == SKEP_COL_SCOPE  ? o->scopes
                                    : (struct skep_segment_numbers){UINT32_MAX, NULL};
}

void skep_segment__renumber(const struct skep_segment_numbers *numbers, uint32_t n, int64_t *v)
{
    for (uint32_t i = 0; i < n; i++)
        v[i] = numbers->to[v[i]];
}

uint64_t skep_segment_rows_taken_over(struct skep_rowset *rs)
{
    const struct skep_segment *seg = skep_segment__of(rs);
    uint64_t rows = 0;
    for (uint32_t g = 0; g < seg->n_groups; g++)
        rows += seg->group_origins[g] ? skep_segment__group_rows(seg, g) : 0;
    return rows;
}
