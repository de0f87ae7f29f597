// SPDX-License-Identifier: Apache-2.0
/* Folding several parts into one with the same rows in the same order.
 *
 * The result is a payload like any other, with three more columns (SEQ, ORDINAL, RECEIVED) because
 * its rows come from several commits, and with a dictionary for each string column instead of one
 * for all: a question asked once per distinct value then looks only at values of its own field.
 *
 *   part 0: code --map--.
 *   part 1: code --map---+--> union dictionary (by stored hash, then bytes) --> new codes
 *   part 2: code --map--'
 *
 * Fields that have a few values a part go another way, part by part (fold_few.c).
 *
 * I1  no value is hashed again: unions use the hashes stored with the dictionaries.
 * I2  a value keeps its row; row ids (seq, ordinal) are kept as columns.
 * I3  equal interned lists become one.
 *
 * Threads: any one; reads immutable parts.  Memory: scratch of one column, and of fold_few.c, given
 * back at the end. */
#include "store/column/fold.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/hash_inline.h"
#include "base/mem.h"

struct fold {
    struct skep_part **parts;
    unsigned n_parts;
    uint32_t n_rows;
    struct skep_buf out;
    struct skep_frame_writer w;
    struct skep_fold_union names; /* dictionary 0 */
    struct skep_fold_union values;
    uint32_t n_dicts;   /* written so far */
    uint32_t *row_base; /* of each part */
    /* Scratch: the codes of one column over all rows, and the map of one part's codes, where an
     * element counts only with the right stamp. */
    uint32_t *codes;
    struct mapped {
        uint32_t stamp, to;
    } * map;
    size_t map_cap;
    uint32_t stamp;
    struct skep_fold_few few;
    uint32_t *list_maps[2]; /* resources, scopes: out index of each list of each part, in order */
    skep_err *err;
};

static skep_rc write_dict(struct fold *f, struct skep_fold_union *u)
{
    if (u->bytes.bad)
        return skep_fail(f->err, SKEP_ETOOLARGE, "a dictionary over 4 GiB");
    SKEP_TRY(skep_frame__reserve(&f->w, skep_frame__bound_dict(u->n, u->bytes.n), f->err));
    struct skep_frame_dict_room r = skep_frame__dict(&f->w, u->n, (uint32_t)u->bytes.n);
    r.offsets[0] = 0;
    if (u->n > 0) {
        memcpy(r.offsets, u->offsets, ((size_t)u->n + 1) * sizeof *r.offsets);
        memcpy(r.hashes, u->hashes, (size_t)u->n * sizeof *r.hashes);
    }
    if (u->bytes.n > 0)
        memcpy(r.bytes, u->bytes.p, u->bytes.n);
    f->n_dicts++;
    return SKEP_OK;
}

/* --- fields of all parts ---------------------------------------------------------------------- */

/* One field of one part; sorted, equal fields are neighbours in order of parts. */
struct source {
    const struct skep_rowset_field *field;
    unsigned part;
    uint32_t index;
};

static int same_field(const struct skep_rowset_field *a, const struct skep_rowset_field *b)
{
    int c = skep_str_cmp(a->name, b->name);
    if (c == 0)
        c = (int)a->scope - (int)b->scope;
    return c != 0 ? c : (int)a->type - (int)b->type;
}

/* Groups in the order they are met.  Parts have about the same fields in the same order: each is
 * first held against the one that stood behind its neighbour in the part before. */
struct grouping {
    struct skep_index index;
    struct skep_fold_group *groups;
    uint32_t n, cap;
    uint32_t *behind; /* [fields of all parts + 1] by group + 1; 0: the first of a part */
};

/* All sources; those of groups[g] end at groups[g].at. */
struct sources {
    struct source *all;
    struct skep_fold_group *groups;
    uint32_t n_groups;
    uint32_t *of; /* the group of each field of each part, in order */
};

static int by_field(const void *pa, const void *pb)
{
    return same_field(((const struct skep_fold_group *)pa)->field,
                      ((const struct skep_fold_group *)pb)->field);
}

static bool is_string_type(unsigned type)
{
    return skep_fold__is_string(type);
}

/* --- lists ------------------------------------------------------------------------------------ */

struct list_union {
    struct skep_index index;
    uint32_t n, n_entries;
    uint32_t *first;
    uint64_t *hashes;
    struct skep_batch_entry *entries;
};

static bool value_eq(const skep_value *a, const skep_value *b)
{
    if (a->type != b->type)
        return false;
    if (is_string_type(a->type))
        return skep_str_eq(a->s, b->s);
    switch (a->type) {
    case SKEP_TYPE_INT: return a->i == b->i;
    case SKEP_TYPE_DOUBLE: return memcmp(&a->f, &b->f, sizeof a->f) == 0;
    case SKEP_TYPE_BOOL: return a->b == b->b;
    case SKEP_TYPE_NULL:
    case SKEP_TYPE_STRING:
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_ARRAY:
    case SKEP_TYPE_EMPTY:
    case SKEP_TYPE_COUNT:
    default: return true;
    }
}

static bool lists_eq(const struct skep_rowset_lists *a, uint32_t i,
                     const struct skep_rowset_lists *b, uint32_t k)
{
    uint32_t n = a->first[i + 1] - a->first[i];
    if (n != b->first[k + 1] - b->first[k])
        return false;
    const struct skep_rowset_entry *x = a->entries + a->first[i], *y = b->entries + b->first[k];
    for (uint32_t e = 0; e < n; e++)
        if (!skep_str_eq(x[e].name, y[e].name) || !value_eq(&x[e].value, &y[e].value))
            return false;
    return true;
}

static uint64_t value_bits(struct fold *f, const skep_value *v)
{
    uint64_t bits = 0;
    switch (v->type) {
    case SKEP_TYPE_STRING:
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_ARRAY:
        return skep_fold__union_add(&f->names, v->s, skep_hash(skep_str_bytes(v->s)));
    case SKEP_TYPE_INT: return (uint64_t)v->i;
    case SKEP_TYPE_DOUBLE: memcpy(&bits, &v->f, sizeof bits); return bits;
    case SKEP_TYPE_BOOL: return v->b;
    case SKEP_TYPE_NULL:
    case SKEP_TYPE_EMPTY:
    case SKEP_TYPE_COUNT:
    default: return 0;
    }
}

static const struct skep_rowset_lists *lists_of(const struct skep_part *p, bool scopes)
{
    return scopes ? &p->base.scopes : &p->base.resources;
}

/* Where list `at` of the union was first seen. */
struct origin {
    const struct skep_rowset_lists *lists;
    uint32_t index;
};

/* Builds u and the map; few strings are hashed again here: those of distinct lists alone. */
static void union_lists(struct fold *f, bool scopes, struct list_union *u, uint32_t *map)
{
    size_t total = 0, entries = 0;
    for (unsigned p = 0; p < f->n_parts; p++) {
        const struct skep_rowset_lists *l = lists_of(f->parts[p], scopes);
        total += l->n;
        entries += l->first[l->n];
    }
    *u = (struct list_union){0};
    u->first = skep_alloc_n(uint32_t, total + 1);
    u->hashes = skep_alloc_n(uint64_t, total);
    u->entries = skep_alloc_n(struct skep_batch_entry, entries);
    struct origin *origins = skep_alloc_n(struct origin, total);
    for (unsigned p = 0; p < f->n_parts; p++) {
        const struct skep_rowset_lists *l = lists_of(f->parts[p], scopes);
        for (uint32_t i = 0; i < l->n; i++) {
            uint32_t at, hit = SKEP_INDEX_NONE;
            struct skep_index_it it = skep_index_begin(&u->index, l->hashes[i]);
            while ((at = skep_index_next(&u->index, &it)) != SKEP_INDEX_NONE)
                if (u->hashes[at] == l->hashes[i] &&
                    lists_eq(origins[at].lists, origins[at].index, l, i)) {
                    hit = at;
                    break;
                }
            if (hit == SKEP_INDEX_NONE) {
                hit = u->n++;
                origins[hit] = (struct origin){l, i};
                u->hashes[hit] = l->hashes[i];
                skep_index_add(&u->index, l->hashes[i], hit);
                for (uint32_t e = l->first[i]; e < l->first[i + 1]; e++) {
                    skep_str name = l->entries[e].name;
                    u->entries[u->n_entries++] = (struct skep_batch_entry){
                        .name =
                            skep_fold__union_add(&f->names, name, skep_hash(skep_str_bytes(name))),
                        .type = l->entries[e].value.type,
                        .val = value_bits(f, &l->entries[e].value)};
                }
                u->first[u->n] = u->n_entries;
            }
            *map++ = hit;
        }
    }
    skep_free(origins);
}

static skep_rc write_lists(struct fold *f, bool scopes, const struct list_union *u)
{
    SKEP_TRY(skep_frame__reserve(&f->w, skep_frame__bound_lists(u->n, u->n_entries), f->err));
    struct skep_frame_lists_room r = skep_frame__lists(&f->w, scopes, u->n, u->n_entries);
    memcpy(r.first, u->first, ((size_t)u->n + 1) * sizeof *r.first);
    memcpy(r.hashes, u->hashes, (size_t)u->n * sizeof *r.hashes);
    if (u->n_entries)
        memcpy(r.entries, u->entries, (size_t)u->n_entries * sizeof *r.entries);
    return SKEP_OK;
}

static void list_union_done(struct list_union *u)
{
    skep_index_done(&u->index);
    skep_free(u->first);
    skep_free(u->hashes);
    skep_free(u->entries);
}

/* --- columns ---------------------------------------------------------------------------------- */

/* An empty map of n codes. */
static void reset_map(struct fold *f, uint32_t n)
{
    if (n > f->map_cap || f->stamp == UINT32_MAX) {
        skep_free(f->map);
        f->map_cap = SKEP_MAX((size_t)n + n / 2, f->map_cap);
        f->map = skep_alloc_n(struct mapped, f->map_cap);
        f->stamp = 0;
    }
    f->stamp++;
}

/* codes[n] of a part's dictionary, as codes of the union. */
static void remap(struct fold *f, const struct skep_dict *d, uint32_t *codes, size_t n)
{
    enum { FEW = 16 };
    bool few = n < FEW;
    uint32_t last = UINT32_MAX, to = 0;
    if (!few)
        reset_map(f, d->n);
    for (size_t i = 0; i < n; i++) {
        uint32_t code = codes[i];
        skep_dassert(code < d->n);
        if (few && code != last) {
            to = skep_fold__union_add_code(&f->values, d, code);
        } else if (!few) {
            struct mapped *m = &f->map[code];
            if (SKEP_UNLIKELY(m->stamp != f->stamp))
                *m = (struct mapped){f->stamp, skep_fold__union_add_code(&f->values, d, code)};
            to = m->to;
        }
        last = code;
        codes[i] = to;
    }
}

/* --- columns ---------------------------------------------------------------------------------- */

/* Room for a column of codes or list numbers, all below n. */
static skep_rc store_codes(struct fold *f, enum skep_column id, int64_t min, int64_t max,
                           uint32_t dict)
{
    SKEP_TRY(skep_frame__reserve(&f->w, skep_frame__bound_column(f->n_rows), f->err));
    struct skep_frame_room r = skep_frame__column_room(&f->w, id, min, max, dict);
    skep_fold__store_u32(&r, 0, f->codes, f->n_rows);
    return SKEP_OK;
}

static skep_rc fold_list_column(struct fold *f, enum skep_column id)
{
    const uint32_t *map = f->list_maps[id == SKEP_COL_SCOPE];
    uint32_t min = UINT32_MAX, max = 0;
    for (unsigned p = 0; p < f->n_parts; p++) {
        const struct skep_part *part = f->parts[p];
        uint32_t *codes = f->codes + f->row_base[p];
        skep_fold__load_u32(&part->cols[id], codes);
        for (size_t i = 0; i < part->base.n_rows; i++) {
            codes[i] = map[codes[i]];
            min = SKEP_MIN(min, codes[i]);
            max = SKEP_MAX(max, codes[i]);
        }
        map += lists_of(part, id == SKEP_COL_SCOPE)->n;
    }
    return store_codes(f, id, min, max, 0);
}

/* Ordinals of a part that is one commit are its row numbers. */
static bool counts_rows(const struct skep_part *part, enum skep_column id)
{
    return id == SKEP_COL_ORDINAL && !part->folded;
}

static skep_rc fold_int_column(struct fold *f, enum skep_column id)
{
    int64_t min = INT64_MAX, max = INT64_MIN;
    for (unsigned p = 0; p < f->n_parts; p++) {
        const struct skep_part *part = f->parts[p];
        int64_t low = 0, high = (int64_t)part->base.n_rows - 1;
        if (part->base.n_rows == 0)
            continue;
        if (!counts_rows(part, id))
            skep_part__range(&part->cols[id], &low, &high);
        min = SKEP_MIN(min, low);
        max = SKEP_MAX(max, high);
    }
    SKEP_TRY(skep_frame__reserve(&f->w, skep_frame__bound_column(f->n_rows), f->err));
    struct skep_frame_room r = skep_frame__column_room(&f->w, id, min, max, 0);
    for (unsigned p = 0; p < f->n_parts; p++) {
        const struct skep_part *part = f->parts[p];
        if (!counts_rows(part, id)) {
            skep_fold__store(&r, f->row_base[p], &part->cols[id]);
            continue;
        }
        for (uint32_t i = 0; i < part->base.n_rows; i++)
            f->codes[i] = i;
        skep_fold__store_u32(&r, f->row_base[p], f->codes, part->base.n_rows);
    }
    return SKEP_OK;
}

static skep_rc fold_string_column(struct fold *f, enum skep_column id)
{
    skep_fold__union_clear(&f->values);
    for (unsigned p = 0; p < f->n_parts; p++)
        if (f->parts[p]->base.n_rows > 0) {
            const struct skep_part_col *c = &f->parts[p]->cols[id];
            skep_fold__load_u32(c, f->codes + f->row_base[p]);
            remap(f, c->dict, f->codes + f->row_base[p], c->n_present);
        }
    SKEP_TRY(write_dict(f, &f->values));
    /* Each entry of the union was made for a value: the codes are 0 .. n - 1. */
    return store_codes(f, id, 0, (int64_t)f->values.n - 1, f->n_dicts - 1);
}

static skep_rc fold_trace_ids(struct fold *f)
{
    bool any = false;
    for (unsigned p = 0; p < f->n_parts; p++)
        any |= f->parts[p]->cols[SKEP_COL_TRACE_ID].width && f->parts[p]->base.n_rows > 0;
    SKEP_TRY(skep_frame__reserve(&f->w, (size_t)f->n_rows * sizeof(skep_trace_id), f->err));
    skep_trace_id *ids = skep_frame__trace_ids_room(&f->w, any);
    for (unsigned p = 0; ids && p < f->n_parts; p++) {
        const struct skep_part_col *c = &f->parts[p]->cols[SKEP_COL_TRACE_ID];
        size_t n = f->parts[p]->base.n_rows * sizeof *ids;
        if (c->width && n)
            memcpy(ids + f->row_base[p], c->values, n);
        else
            memset(ids + f->row_base[p], 0, n);
    }
    return SKEP_OK;
}

static const struct skep_part_col *col_of(const struct fold *f, const struct source *s)
{
    return &f->parts[s->part]->fields[s->index];
}

/* The parts together are larger than the cache, and of one that has many fields each has a few
 * values: most of the time goes into waiting for them, so what comes next is asked for early. */
static void fetch_column(const struct fold *f, const struct source *s, size_t n, size_t i)
{
    enum { COLUMN = 8, VALUES = 4 };
    if (i + COLUMN < n) {
        const struct skep_part_col *c = col_of(f, &s[i + COLUMN]);
        SKEP_PREFETCH(c);
        SKEP_PREFETCH((const char *)(c + 1) - 1);
    }
    if (i + VALUES < n) {
        const struct skep_part_col *c = col_of(f, &s[i + VALUES]);
        SKEP_PREFETCH(c->values);
        SKEP_PREFETCH(c->rows);
    }
}

/* The strings of a source whose turn is soon, first where they lie, then they themselves. */
static void fetch_strings(const struct skep_part_col *c, const uint32_t *codes, bool themselves)
{
    enum { MOST = 16 };
    const struct skep_dict *d = c->dict;
    uint32_t n = SKEP_MIN(c->n_present, (uint32_t)MOST);
    for (uint32_t k = 0; k < n; k++) {
        if (themselves) {
            SKEP_PREFETCH(d->bytes + d->offsets[codes[k]]);
        } else {
            SKEP_PREFETCH(&d->offsets[codes[k]]);
            SKEP_PREFETCH(&d->hashes[codes[k]]);
        }
    }
}

/* The sources' codes in f->codes, one after the other; returns how many. */
static uint32_t union_codes(struct fold *f, const struct source *s, size_t n_sources)
{
    uint32_t n = 0, at = 0;
    skep_fold__union_clear(&f->values);
    for (size_t i = 0; i < n_sources; i++) {
        const struct skep_part_col *c = col_of(f, &s[i]);
        fetch_column(f, s, n_sources, i);
        skep_fold__load_u32(c, f->codes + n);
        n += c->n_present;
    }
    for (size_t i = 0; i < n_sources; i++) {
        const struct skep_part_col *c = col_of(f, &s[i]);
        uint32_t next = at + c->n_present;
        if (i + 1 < n_sources) {
            const struct skep_part_col *one = col_of(f, &s[i + 1]);
            fetch_strings(one, f->codes + next, true);
            if (i + 2 < n_sources)
                fetch_strings(col_of(f, &s[i + 2]), f->codes + next + one->n_present, false);
        }
        remap(f, c->dict, f->codes + at, c->n_present);
        at = next;
    }
    return n;
}

/* The range of numbers; returns how many. */
static uint32_t union_range(struct fold *f, const struct source *s, size_t n_sources,
                            int64_t *ret_min, int64_t *ret_max)
{
    uint32_t n = 0;
    *ret_min = INT64_MAX;
    *ret_max = INT64_MIN;
    for (size_t i = 0; i < n_sources; i++) {
        const struct skep_part_col *c = col_of(f, &s[i]);
        int64_t low, high;
        fetch_column(f, s, n_sources, i);
        skep_part__range(c, &low, &high);
        *ret_min = SKEP_MIN(*ret_min, low);
        *ret_max = SKEP_MAX(*ret_max, high);
        n += c->n_present;
    }
    return n;
}

/* One field of the result that has few values, which were taken before. */
static skep_rc put_few(struct fold *f, const struct skep_fold_group *g, uint32_t dict)
{
    struct skep_frame_col col = {.id = g->field->scope, .type = g->field->type};
    col.name =
        skep_fold__union_add(&f->names, g->field->name, skep_hash(skep_str_bytes(g->field->name)));
    col.dict = is_string_type(col.type) ? dict : 0;
    SKEP_TRY(skep_frame__reserve(&f->w, skep_frame__bound_field(f->n_rows, g->n_values), f->err));
    size_t first = g->to - g->n_values;
    skep_frame__field(&f->w, &col, (uint32_t)g->n_values, f->few.rows + first, f->few.vals + first);
    return SKEP_OK;
}

/* One field of the result from its sources in the parts. */
static skep_rc fold_field(struct fold *f, const struct skep_fold_group *g, const struct source *s)
{
    size_t n_sources = g->n;
    skep_assert(!g->few);
    struct skep_frame_col col = {.id = s->field->scope, .type = s->field->type};
    col.name =
        skep_fold__union_add(&f->names, s->field->name, skep_hash(skep_str_bytes(s->field->name)));
    bool strings = is_string_type(col.type);
    int64_t min = 0, max = 0;
    uint32_t n;
    if (strings) {
        n = union_codes(f, s, n_sources);
        SKEP_TRY(write_dict(f, &f->values));
        col.dict = f->n_dicts - 1;
        max = (int64_t)f->values.n - 1;
    } else {
        n = union_range(f, s, n_sources, &min, &max);
    }
    SKEP_TRY(skep_frame__reserve(&f->w, skep_frame__bound_field(f->n_rows, n), f->err));
    struct skep_frame_presence_room presence;
    struct skep_frame_room r = skep_frame__field_room(&f->w, &col, n, min, max, &presence);
    if (strings)
        skep_fold__store_u32(&r, 0, f->codes, n);
    for (size_t i = 0, at = 0; i < n_sources; i++) {
        const struct skep_part *part = f->parts[s[i].part];
        const struct skep_part_col *c = &part->fields[s[i].index];
        if (!strings)
            skep_fold__store(&r, at, c);
        skep_fold__presence(&presence, at, c, f->row_base[s[i].part], (uint32_t)part->base.n_rows);
        at += c->n_present;
    }
    return SKEP_OK;
}

static bool is_field(const struct skep_rowset_field *a, const struct skep_rowset_field *b)
{
    return a->type == b->type && a->scope == b->scope && skep_str_eq_short(a->name, b->name);
}

/* The group of a field, made if there is none; last: the one before it in its part + 1, or 0. */
static uint32_t group_of(struct grouping *to, const struct skep_rowset_field *field, uint32_t last)
{
    uint32_t guess = to->behind[last];
    if (guess < to->n && is_field(to->groups[guess].field, field))
        return guess;
    uint64_t hash = skep_hash_inline(skep_str_bytes(field->name)) + field->scope * 8u + field->type;
    struct skep_index_it it = skep_index_begin(&to->index, hash);
    uint32_t g;
    while ((g = skep_index_next(&to->index, &it)) != SKEP_INDEX_NONE &&
           !is_field(to->groups[g].field, field)) {
    }
    if (g == SKEP_INDEX_NONE) {
        SKEP_GROW(to->groups, to->n, to->cap);
        to->groups[to->n] = (struct skep_fold_group){.field = field, .first = to->n};
        skep_index_add(&to->index, hash, to->n);
        g = to->n++;
    }
    to->behind[last] = g;
    return g;
}

/* The fields of all parts, sorted, and equal ones by part: they are counted in groups, so that only
 * the groups need be sorted. */
static void collect_sources(struct fold *f, struct sources *ret)
{
    struct grouping to = {0};
    size_t n = 0, k = 0;
    skep_index_init(&to.index, 64);
    for (unsigned p = 0; p < f->n_parts; p++)
        n += f->parts[p]->base.n_fields;
    uint32_t *of = skep_alloc_n(uint32_t, n);
    to.behind = skep_alloc_n(uint32_t, n + 1);
    for (unsigned p = 0; p < f->n_parts; p++)
        for (uint32_t i = 0, last = 0; i < f->parts[p]->base.n_fields; i++, k++) {
            of[k] = group_of(&to, &f->parts[p]->base.fields[i], last);
            to.groups[of[k]].n++;
            to.groups[of[k]].n_values += f->parts[p]->base.fields[i].n_present;
            last = of[k] + 1;
        }
    if (to.n > 1)
        qsort(to.groups, to.n, sizeof *to.groups, by_field);
    uint32_t *place = skep_alloc_n(uint32_t, to.n); /* of each group in the order it was met */
    uint32_t at = 0;
    for (uint32_t g = 0; g < to.n; g++) {
        to.groups[g].at = at;
        at += to.groups[g].n;
        place[to.groups[g].first] = g;
    }
    struct source *s = skep_alloc_n(struct source, n);
    k = 0;
    for (unsigned p = 0; p < f->n_parts; p++)
        for (uint32_t i = 0; i < f->parts[p]->base.n_fields; i++) {
            of[k] = place[of[k]];
            s[to.groups[of[k++]].at++] = (struct source){&f->parts[p]->base.fields[i], p, i};
        }
    skep_index_done(&to.index);
    skep_free(to.behind);
    skep_free(place);
    *ret = (struct sources){s, to.groups, to.n, of};
}

static skep_rc fold_columns(struct fold *f)
{
    for (unsigned c = 0; c < SKEP_COL_COUNT; c++) {
        enum skep_column id = (enum skep_column)c;
        if (id == SKEP_COL_TRACE_ID)
            SKEP_TRY(fold_trace_ids(f));
        else if (id == SKEP_COL_NAME || id == SKEP_COL_DATASET)
            SKEP_TRY(fold_string_column(f, id));
        else if (id == SKEP_COL_RESOURCE || id == SKEP_COL_SCOPE)
            SKEP_TRY(fold_list_column(f, id));
        else
            SKEP_TRY(fold_int_column(f, id));
    }
    return SKEP_OK;
}

static skep_rc fold_payload(struct fold *f, const struct sources *s,
                            const struct list_union lists[2])
{
    struct skep_frame_head head = {.flags = SKEP_FRAME_FLAG_FOLDED,
                                   .n_rows = f->n_rows,
                                   .n_dicts = 3, /* names; NAME, DATASET */
                                   .n_columns = SKEP_COL_COUNT,
                                   .n_resources = lists[0].n,
                                   .n_scopes = lists[1].n};
    bool shared = false;
    skep_fold__few_choose(s->groups, s->n_groups);
    for (uint32_t g = 0; g < s->n_groups; g++) {
        head.n_fields++;
        bool strings = is_string_type(s->groups[g].field->type);
        if (s->groups[g].few)
            shared = shared || strings;
        else
            head.n_dicts += strings;
        /* Names come first: dictionary 0 must be whole before it is written. */
        skep_str name = s->groups[g].field->name;
        (void)skep_fold__union_add(&f->names, name, skep_hash(skep_str_bytes(name)));
    }
    head.n_dicts += shared;
    size_t bound = skep_frame__bound_head(head.n_dicts, head.n_columns, head.n_fields);
    SKEP_TRY(skep_frame__begin(&f->w, &f->out, &head, bound, f->err));
    SKEP_TRY(write_dict(f, &f->names));
    SKEP_TRY(write_lists(f, false, &lists[0]));
    SKEP_TRY(write_lists(f, true, &lists[1]));
    SKEP_TRY(fold_columns(f));
    skep_fold__few_take(&f->few, f->parts, f->n_parts, f->row_base, s->groups, s->n_groups, s->of);
    if (shared)
        SKEP_TRY(write_dict(f, &f->few.strings));
    uint32_t dict = f->n_dicts - 1;
    skep_rc rc = SKEP_OK;
    for (uint32_t g = 0; g < s->n_groups && rc == SKEP_OK; g++)
        rc = s->groups[g].few
                 ? put_few(f, &s->groups[g], dict)
                 : fold_field(f, &s->groups[g], s->all + (s->groups[g].at - s->groups[g].n));
    if (rc == SKEP_OK)
        skep_frame__end(&f->w);
    return rc;
}

static skep_rc fold_all(struct fold *f)
{
    struct list_union lists[2];
    for (int k = 0; k < 2; k++) {
        size_t n = 0;
        for (unsigned p = 0; p < f->n_parts; p++)
            n += lists_of(f->parts[p], k == 1)->n;
        f->list_maps[k] = skep_alloc_n(uint32_t, n);
        union_lists(f, k == 1, &lists[k], f->list_maps[k]);
    }
    struct sources s;
    collect_sources(f, &s);
    skep_rc rc = fold_payload(f, &s, lists);
    skep_free(s.all);
    skep_free(s.groups);
    skep_free(s.of);
    for (int k = 0; k < 2; k++) {
        list_union_done(&lists[k]);
        skep_free(f->list_maps[k]);
    }
    return rc;
}

/* What the parts counted, summed. */
static void fold_ledgers(struct skep_part *to, struct skep_rowset *const *parts, unsigned n)
{
    for (unsigned p = 0; p < n; p++)
        skep_ledger_merge(&to->ledger, &skep_part_must(parts[p])->ledger);
    uint64_t bytes = to->ledger.cap * sizeof *to->ledger.items;
    to->charged_bytes += bytes;
    if (to->budget)
        skep_budget_force(to->budget, bytes);
}

skep_rc skep_part_fold(struct skep_rowset *const *parts, unsigned n, struct skep_budget *budget,
                       struct skep_rowset **ret, skep_err *err)
{
    skep_assert(parts && n > 0 && ret);
    struct fold f = {.n_parts = n, .err = err};
    uint64_t n_rows = 0;
    size_t bytes = 0;
    f.parts = skep_alloc_n(struct skep_part *, n);
    f.row_base = skep_alloc_n(uint32_t, n);
    for (unsigned p = 0; p < n; p++) {
        f.parts[p] = skep_part_must(parts[p]);
        f.row_base[p] = (uint32_t)n_rows;
        n_rows += parts[p]->n_rows;
        bytes += f.parts[p]->payload_bytes;
    }
    skep_rc rc;
    if (n_rows == 0 || n_rows > UINT32_MAX / 2) {
        skep_free(f.parts);
        skep_free(f.row_base);
        return skep_fail(err, SKEP_ETOOLARGE, "%llu rows in one part", (unsigned long long)n_rows);
    }
    f.n_rows = (uint32_t)n_rows;
    skep_buf_init(&f.out, (size_t)4 << 30);
    (void)skep_buf_reserve(&f.out, bytes); /* about as much as is needed; not enough: it grows */
    skep_fold__union_init(&f.names);
    skep_fold__union_init(&f.values);
    skep_fold__few_init(&f.few);
    f.codes = skep_malloc(f.n_rows * sizeof *f.codes);
    rc = fold_all(&f);
    skep_free(f.codes);
    skep_free(f.map);
    skep_free(f.row_base);
    skep_fold__union_done(&f.names);
    skep_fold__union_done(&f.values);
    skep_fold__few_done(&f.few);
    skep_free(f.parts);
    if (rc != SKEP_OK) {
        skep_buf_done(&f.out);
        return rc;
    }
    uint8_t *payload = skep_buf_take(&f.out, &bytes);
    payload = skep_realloc(payload, bytes);
    SKEP_TRY(skep_part_open(payload, bytes, 0, budget, ret, err));
    fold_ledgers(skep_part_must(*ret), parts, n);
    return SKEP_OK;
}
