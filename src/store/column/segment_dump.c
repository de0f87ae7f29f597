// SPDX-License-Identifier: Apache-2.0
/* Print a segment: schema, and where its bytes go (skep dump).
 *
 *   column            type    present  bytes     B/row  codecs
 *   http.route        string  451220   214511    0.21   dict/for*7
 *
 * Threads: one. */
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "store/column/dump.h"
#include "store/column/segment_filter.h"

enum { N_CODECS = 48 };

struct sum {
    uint64_t data, bitmap, dict, filter, present;
    uint32_t codecs[N_CODECS];
    uint32_t dict_local, dict_segment, filters[3]; /* by part: values, trigrams, grams */
};

static const char *codec_name(unsigned id)
{
    const struct skep_codec_ops *c = skep_codec_find((uint8_t)id);
    if (c)
        return c->name;
    return id == SKEP_CODEC_TRACE_RUNS    ? "trace-runs"
           : id == SKEP_CODEC_PARENT_REFS ? "parent-refs"
           : id == SKEP_CODEC_MAP         ? "map"
           : id == SKEP_CODEC_LAG         ? "lag"
                                          : "unknown";
}

/* Add the entries of one row group; sums by position: columns, then fields. */
static uint32_t position(const struct skep_segment_origin *o, uint32_t key)
{
    if (key < SKEP_SEGMENT_FIELD_KEY)
        return key < SKEP_COL_COUNT ? key : UINT32_MAX;
    uint32_t f = skep_segment__field_of(o, key);
    return f == UINT32_MAX ? f : SKEP_COL_COUNT + f;
}

static skep_rc part_bytes(struct skep_segment *seg, const struct skep_column_entry *e,
                          uint64_t *add_to, skep_err *err)
{
    const struct skep_chunk_data *d;
    SKEP_TRY(skep_segment__pin_chunk(seg, &e->data, &d, err));
    for (size_t at = 4; at + 24 <= d->length; at += 24)
        *add_to += skep_load_le32(d->bytes + at + 16);
    skep_segment__unpin(seg, d);
    return SKEP_OK;
}

static skep_rc add_filter(struct skep_segment *seg, const struct skep_column_entry *e,
                          struct sum *s, skep_err *err)
{
    struct skep_chunk_ref ref = skep_filter_ref(seg, e);
    const struct skep_chunk_data *d;
    struct skep_filter f;
    if (ref.length == 0)
        return SKEP_OK;
    SKEP_TRY(skep_segment__pin_chunk(seg, &ref, &d, err));
    s->filter += ref.length;
    if (skep_filter_open((skep_bytes){d->bytes, d->length}, &f)) {
        s->filter += f.grams.length;
        for (unsigned k = 0; k < SKEP_ARRAY_LEN(s->filters); k++)
            s->filters[k] += f.has >> k & 1;
    }
    skep_segment__unpin(seg, d);
    return SKEP_OK;
}

static skep_rc add_entries(struct skep_segment *seg, uint32_t group,
                           const struct skep_group_dir *dir, struct sum *sums, skep_err *err)
{
    uint64_t seen[64] = {0}; /* bitmaps already counted in this group */
    unsigned n_seen = 0;
    for (uint32_t i = 0; i < dir->n_entries; i++) {
        const struct skep_column_entry *e = &dir->entries[i];
        uint32_t at = position(skep_segment__origin(seg, group), e->key);
        if (at == UINT32_MAX || e->presence == SKEP_PRESENCE_NONE)
            continue;
        struct sum *s = &sums[at];
        s->present += e->n_present;
        s->data += e->data.length;
        if (e->flags & SKEP_ENTRY_PARTS)
            SKEP_TRY(part_bytes(seg, e, &s->data, err));
        unsigned k = 0;
        while (k < n_seen && seen[k] != e->bitmap.offset)
            k++;
        if (e->presence >= SKEP_PRESENCE_BITMAP && k == n_seen) {
            s->bitmap += e->bitmap.length;
            if (n_seen < SKEP_ARRAY_LEN(seen))
                seen[n_seen++] = e->bitmap.offset;
        }
        if (e->flags & SKEP_ENTRY_DICT_LOCAL) {
            s->dict += e->dict.length;
            s->dict_local++;
        }
        SKEP_TRY(add_filter(seg, e, s, err));
        s->dict_segment += (e->flags & SKEP_ENTRY_DICT_SEGMENT) != 0;
        s->codecs[e->codec % N_CODECS]++;
    }
    return SKEP_OK;
}

static void print_sum(const struct skep_segment *seg, skep_str name, const char *type,
                      const struct sum *s, struct skep_buf *out)
{
    uint64_t bytes = s->data + s->bitmap + s->dict + s->filter;
    skep_buf_printf(out, "%-34.*s %-12s %10llu %11llu %7.3f ", SKEP_STRARG(name), type,
                    (unsigned long long)s->present, (unsigned long long)bytes,
                    (double)bytes / (double)seg->base.n_rows);
    if (s->bitmap || s->dict)
        skep_buf_printf(out, " (bitmap %llu, dict %llu)", (unsigned long long)s->bitmap,
                        (unsigned long long)s->dict);
    if (s->filter)
        skep_buf_printf(out, " (filter %llu: values*%u trigrams*%u grams*%u)",
                        (unsigned long long)s->filter, s->filters[0], s->filters[1], s->filters[2]);
    for (unsigned c = 0; c < N_CODECS; c++)
        if (s->codecs[c])
            skep_buf_printf(out, " %s*%u", codec_name(c), s->codecs[c]);
    if (s->dict_segment || s->dict_local)
        skep_buf_printf(out, " of dictionary: segment*%u local*%u", s->dict_segment, s->dict_local);
    skep_buf_u8(out, '\n');
}

static void print_columns(const struct skep_segment *seg, const struct sum *sums,
                          struct skep_buf *out)
{
    static const char *const names[] = {
#define X(id, number, vec, text) [number] = #id,
        SKEP_COLUMNS(X)
#undef X
    };
    for (uint32_t c = 0; c < SKEP_COL_COUNT; c++)
        print_sum(seg, skep_str_c(names[c]), "intrinsic", &sums[c], out);
    for (uint32_t f = 0; f < seg->base.n_fields; f++) {
        const struct skep_rowset_field *x = &seg->base.fields[f];
        const struct sum *s = &sums[SKEP_COL_COUNT + f];
        if (s->present == 0)
            continue; /* sparse everywhere: counted with the pages */
        char type[40];
        snprintf(type, sizeof type, "%.*s%s", SKEP_STRARG(skep_type_name((enum skep_type)x->type)),
                 x->scope == SKEP_SCOPE_ATTRIBUTE ? "" : "*");
        print_sum(seg, x->name, type, s, out);
    }
}

/* Bytes that are no column's. */
struct rest {
    uint64_t pages, page_bytes, raw, dirs, index;
};

static skep_rc add_group(struct skep_segment *seg, uint32_t group, struct sum *sums,
                         struct rest *rest, skep_err *err)
{
    const struct skep_group_dir *dir;
    SKEP_TRY(skep_segment__pin_dir(seg, group, &dir, err));
    rest->dirs += seg->groups[group].length;
    skep_rc rc = add_entries(seg, group, dir, sums, err);
    for (uint32_t i = 0; i < dir->n_pages; i++) {
        rest->pages++;
        rest->page_bytes += dir->pages[i].ref.length;
        rest->raw += dir->pages[i].raw_bytes;
    }
    skep_segment__unpin(seg, dir);
    return rc;
}

static void add_rest(const struct skep_segment *seg, struct sum *sums, struct rest *rest)
{
    for (uint32_t i = 0; i < seg->n_index_pages; i++)
        rest->index += seg->index_pages[i].ref.length;
    for (uint32_t k = 0; k < seg->n_origins; k++) {
        const struct skep_segment_origin *o = &seg->origins[k];
        for (uint32_t i = 0; i < o->n_dicts; i++) {
            uint32_t at = position(o, o->dicts[i].key);
            if (at != UINT32_MAX)
                sums[at].dict += o->dicts[i].ref.length;
        }
    }
}

static skep_rc dump(struct skep_segment *seg, struct skep_buf *out, skep_err *err)
{
    struct skep_rowset *rs = &seg->base;
    struct sum *sums = skep_alloc_n(struct sum, SKEP_COL_COUNT + rs->n_fields);
    struct rest rest = {0};
    skep_rc rc = SKEP_OK;
    for (uint32_t g = 0; g < seg->n_groups && rc == SKEP_OK; g++)
        rc = add_group(seg, g, sums, &rest, err);
    add_rest(seg, sums, &rest);
    double rows = (double)rs->n_rows;
    skep_buf_printf(
        out, "%s: %llu rows, %llu bytes (%.2f a row), %llu traces, %u row groups, %u origins\n",
        seg->path, (unsigned long long)rs->n_rows, (unsigned long long)seg->file_bytes,
        (double)seg->file_bytes / rows, (unsigned long long)seg->n_traces, seg->n_groups,
        seg->n_origins);
    skep_buf_printf(out,
                    "commits %llu..%llu, start %lld..%lld, fields %u, resources %u, scopes %u\n",
                    (unsigned long long)rs->min_seq, (unsigned long long)rs->max_seq,
                    (long long)rs->bounds.min_start_ns, (long long)rs->bounds.max_start_ns,
                    rs->n_fields, rs->resources.n, rs->scopes.n);
    skep_buf_printf(out, "sparse: %llu pages, %llu bytes (%.3f a row) of %llu\n",
                    (unsigned long long)rest.pages, (unsigned long long)rest.page_bytes,
                    (double)rest.page_bytes / rows, (unsigned long long)rest.raw);
    skep_buf_printf(out, "directories %.3f, trace index %.3f, footer %.3f bytes a row\n\n",
                    (double)rest.dirs / rows, (double)rest.index / rows,
                    (double)seg->footer_bytes / rows);
    skep_buf_printf(out, "%-34s %-12s %10s %11s %7s  codecs by row group\n", "column", "type",
                    "present", "bytes", "B/row");
    if (rc == SKEP_OK)
        print_columns(seg, sums, out);
    skep_free(sums);
    return rc;
}

/* --- the same as items (dump.h) --- */

static void tell_head(const struct skep_dump *d, const struct skep_segment *seg,
                      const struct rest *rest)
{
    const struct skep_rowset *rs = &seg->base;
    const struct skep_dump_value v[] = {skep_dump_hex("required", seg->required),
                                        skep_dump_hex("optional", seg->optional),
                                        skep_dump_u64("rows", rs->n_rows),
                                        skep_dump_u64("bytes", seg->file_bytes),
                                        skep_dump_u64("traces", seg->n_traces),
                                        skep_dump_u64("row_groups", seg->n_groups),
                                        skep_dump_u64("first_commit", rs->min_seq),
                                        skep_dump_u64("last_commit", rs->max_seq),
                                        skep_dump_time("first_start", rs->bounds.min_start_ns),
                                        skep_dump_time("last_start", rs->bounds.max_start_ns),
                                        skep_dump_u64("fields", rs->n_fields),
                                        skep_dump_u64("resources", rs->resources.n),
                                        skep_dump_u64("scopes", rs->scopes.n),
                                        skep_dump_u64("sparse_bytes", rest->page_bytes),
                                        skep_dump_u64("directory_bytes", rest->dirs),
                                        skep_dump_u64("trace_index_bytes", rest->index),
                                        skep_dump_u64("footer_bytes", seg->footer_bytes)};
    d->fn(d->ctx, "segment", v, SKEP_ARRAY_LEN(v));
}

static void tell_column(const struct skep_dump *d, skep_str name, skep_str type, skep_str scope,
                        const struct sum *s)
{
    struct skep_buf codecs;
    skep_buf_init(&codecs, 4096);
    for (unsigned c = 0; c < N_CODECS; c++)
        if (s->codecs[c])
            skep_buf_printf(&codecs, "%s%s*%u", codecs.n ? " " : "", codec_name(c), s->codecs[c]);
    if (s->dict_segment || s->dict_local)
        skep_buf_printf(&codecs, " of dictionary: segment*%u local*%u", s->dict_segment,
                        s->dict_local);
    const struct skep_dump_value v[] = {
        skep_dump_text("name", name),
        skep_dump_text("scope", scope),
        skep_dump_text("type", type),
        skep_dump_u64("present", s->present),
        skep_dump_u64("bytes", s->data + s->bitmap + s->dict + s->filter),
        skep_dump_u64("bitmap_bytes", s->bitmap),
        skep_dump_u64("dictionary_bytes", s->dict),
        skep_dump_u64("filter_bytes", s->filter),
        skep_dump_text("codecs", skep_buf_text(&codecs))};
    d->fn(d->ctx, "column", v, SKEP_ARRAY_LEN(v));
    skep_buf_done(&codecs);
}

static void tell_columns(const struct skep_dump *d, const struct skep_segment *seg,
                         const struct sum *sums)
{
    static const char *const names[] = {
#define X(id, number, vec, text) [number] = #id,
        SKEP_COLUMNS(X)
#undef X
    };
    for (uint32_t c = 0; c < SKEP_COL_COUNT; c++)
        tell_column(d, skep_str_c(names[c]), SKEP_STR("column"), SKEP_STR("intrinsic"), &sums[c]);
    for (uint32_t f = 0; f < seg->base.n_fields; f++) {
        const struct skep_rowset_field *x = &seg->base.fields[f];
        struct sum s = sums[SKEP_COL_COUNT + f];
        s.present = x->n_present; /* sparse values, too; their bytes are the pages' */
        tell_column(d, x->name, skep_type_name((enum skep_type)x->type),
                    skep_scope_name((enum skep_scope)x->scope), &s);
    }
}

skep_rc skep_dump__segment(const struct skep_dump *d, struct skep_rowset *rs, skep_err *err)
{
    struct skep_segment *seg = skep_segment__of(rs);
    struct sum *sums = skep_alloc_n(struct sum, SKEP_COL_COUNT + rs->n_fields);
    struct rest rest = {0};
    skep_rc rc = SKEP_OK;
    for (uint32_t g = 0; g < seg->n_groups && rc == SKEP_OK; g++) {
        skep_err why;
        rc = add_group(seg, g, sums, &rest, &why);
        if (rc == SKEP_ECORRUPT || rc == SKEP_EIO) {
            const struct skep_dump_value v[] = {skep_dump_u64("offset", seg->groups[g].offset),
                                                skep_dump_u64("row_group", g),
                                                skep_dump_text("text", skep_str_c(why.text))};
            d->fn(d->ctx, "damage", v, SKEP_ARRAY_LEN(v));
            rc = SKEP_OK;
        } else if (rc != SKEP_OK && err) {
            *err = why;
        }
    }
    add_rest(seg, sums, &rest);
    tell_head(d, seg, &rest);
    tell_columns(d, seg, sums);
    skep_free(sums);
    return rc;
}

skep_rc skep_segment_dump(const struct skep_os *os, const char *path, struct skep_buf *out,
                          skep_err *err)
{
    struct skep_cache *cache = skep_cache_new(NULL, 16ull << 20);
    struct skep_rowset *rs = NULL;
    skep_rc rc = skep_segment_open(os, path, cache, &rs, err);
    if (rc == SKEP_OK)
        rc = dump(skep_segment__of(rs), out, err);
    skep_rowset_unref(rs);
    skep_cache_free(cache);
    return rc;
}
