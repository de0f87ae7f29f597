// SPDX-License-Identifier: Apache-2.0
/* Source maps, revision 3.
 *
 *   {"version":3, "sources":[...], "sourcesContent":[...], "names":[...], "mappings":"AAAA;SAASA"}
 *   {"version":3, "sections":[{"offset":{"line":0,"column":0}, "map":{...}}, ...]}
 *
 *   mappings   lines of the bundle between ';', mappings of a line between ',', each 1, 4 or 5
 *              numbers in base 64 of 6 bits, the lowest first, bit 5 = more follow, the lowest bit
 *              of the whole its sign; all but the first column of a line count from the one before:
 *              column, source, original line, original column, name
 *
 * I1  segments are ordered by (line, column), whatever order they came in.
 * I2  a number outside of what it counts is a data error with its place.
 *
 * Threads: any.  Memory: the parsed JSON (its texts are pointed into) and 24 bytes a mapping, from
 * the budget. */
#include "symbols/sourcemap.h"

#include <stdlib.h>
#include <yyjson.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/mem.h"
#include "wire/json_in.h"

enum { SEGMENTS_MAX = 8 << 20, SOURCES_MAX = 100000, NAMES_MAX = 4 << 20, NONE = -1 };

struct segment {
    uint32_t line, column; /* from 0, of the bundle */
    int32_t source, name;  /* NONE = none */
    uint32_t to_line, to_column;
};

struct source {
    skep_str file, text;
};

struct skep_sourcemap {
    struct skep_arena arena;
    struct skep_budget *budget;
    yyjson_doc *doc;
    struct source *sources;
    skep_str *names;
    struct segment *segments;
    uint32_t n_sources, n_names, n_segments, cap_segments;
};

static skep_str text_of(yyjson_val *v)
{
    return yyjson_is_str(v) ? (skep_str){unsafe_yyjson_get_str(v), unsafe_yyjson_get_len(v)}
                            : SKEP_STR_NULL;
}

// --- names of files ----------------------------------------------------------------------------

static skep_str without(skep_str s, skep_str prefix)
{
    return skep_str_starts(s, prefix) ? skep_str_skip(s, prefix.n) : s;
}

/* "webpack://shop/./src/cart.ts?1a2b" -> "src/cart.ts" */
static skep_str tidy_path(skep_str s)
{
    size_t before;
    if (skep_str_starts(s, SKEP_STR("webpack://"))) {
        s = skep_str_skip(s, 10);
        size_t slash = skep_str_chr(s, '/'), query = skep_str_chr(s, '?');
        s = slash == SIZE_MAX ? s : skep_str_skip(s, slash + 1);
        query = skep_str_chr(s, '?');
        s.n = query == SIZE_MAX ? s.n : query;
    }
    do {
        before = s.n;
        s = without(without(s, SKEP_STR("./")), SKEP_STR("../"));
    } while (s.n < before);
    return s;
}

static skep_str path_of(struct skep_sourcemap *m, skep_str root, skep_str source)
{
    if (root.n == 0 || skep_str_starts(source, SKEP_STR("/")) ||
        skep_str_find(source, SKEP_STR("://")) != SIZE_MAX)
        return tidy_path(source);
    while (root.n > 0 && root.p[root.n - 1] == '/')
        root.n--;
    char *joined = skep_arena_try_alloc(&m->arena, root.n + 1 + source.n + 1);
    if (!joined)
        return tidy_path(source);
    memcpy(joined, root.p ? root.p : "", root.n);
    joined[root.n] = '/';
    memcpy(joined + root.n + 1, source.p ? source.p : "", source.n);
    return tidy_path((skep_str){joined, root.n + 1 + source.n});
}

// --- mappings ----------------------------------------------------------------------------------

/* One number; false: no number, or one that does not fit. */
static bool number(skep_str *s, int64_t *ret)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 35 && s->n > 0; shift += 5) {
        const char *at = s->p[0] ? strchr(digits, s->p[0]) : NULL;
        if (!at)
            return false;
        uint64_t digit = (uint64_t)(at - digits);
        *s = skep_str_skip(*s, 1);
        v |= (digit & 31) << shift;
        if (!(digit & 32)) {
            *ret = v & 1 ? -(int64_t)(v >> 1) : (int64_t)(v >> 1);
            return true;
        }
    }
    return false;
}

/* What the numbers count from. */
struct reader {
    struct skep_sourcemap *m;
    skep_str left, all;
    uint32_t line, first_line, first_column; /* of the bundle; of the section */
    int64_t column, source, to_line, to_column, name;
    uint32_t first_source, n_sources, first_name, n_names; /* of the section */
};

static bool add(int64_t *v, int64_t by, int64_t end)
{
    *v += by;
    return *v >= 0 && *v < end;
}

/* A mapping; false: malformed. */
static bool segment(struct reader *r, struct segment *ret)
{
    int64_t v[5];
    unsigned n = 0;
    while (n < 5 && r->left.n > 0 && r->left.p[0] != ',' && r->left.p[0] != ';') {
        if (!number(&r->left, &v[n++]))
            return false;
    }
    bool ended = r->left.n == 0 || r->left.p[0] == ',' || r->left.p[0] == ';';
    if (!ended || (n != 1 && n != 4 && n != 5) || !add(&r->column, v[0], INT32_MAX))
        return false;
    if (n >= 4 && (!add(&r->source, v[1], r->n_sources) || !add(&r->to_line, v[2], INT32_MAX) ||
                   !add(&r->to_column, v[3], INT32_MAX)))
        return false;
    if (n == 5 && !add(&r->name, v[4], r->n_names))
        return false;
    *ret = (struct segment){
        .line = r->first_line + r->line,
        .column = (uint32_t)r->column + (r->line == 0 ? r->first_column : 0),
        .source = n >= 4 ? (int32_t)(r->first_source + r->source) : NONE,
        .name = n == 5 ? (int32_t)(r->first_name + r->name) : NONE,
        .to_line = (uint32_t)r->to_line,
        .to_column = (uint32_t)r->to_column,
    };
    return true;
}

static skep_rc read_mappings(struct reader *r, skep_err *err)
{
    struct skep_sourcemap *m = r->m;
    while (r->left.n > 0) {
        char c = r->left.p[0];
        if (c == ';' || c == ',') {
            r->left = skep_str_skip(r->left, 1);
            r->line += c == ';';
            r->column = c == ';' ? 0 : r->column;
            continue;
        }
        skep_assert(m->n_segments < m->cap_segments);
        if (!segment(r, &m->segments[m->n_segments]))
            return skep_fail(err, SKEP_EMALFORMED, "source map: mappings, byte %zu",
                             r->all.n - r->left.n);
        m->n_segments++;
    }
    return SKEP_OK;
}

static int by_place(const void *a, const void *b)
{
    const struct segment *x = a, *y = b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return x->column < y->column ? -1 : x->column > y->column;
}

static void order(struct skep_sourcemap *m)
{
    for (uint32_t i = 1; i < m->n_segments; i++) {
        if (by_place(&m->segments[i - 1], &m->segments[i]) > 0) {
            qsort(m->segments, m->n_segments, sizeof *m->segments, by_place);
            return;
        }
    }
}

// --- the object --------------------------------------------------------------------------------

/* Mappings that a text may hold. */
static uint64_t most_segments(skep_str mappings)
{
    uint64_t n = 1;
    for (size_t i = 0; i < mappings.n; i++)
        n += mappings.p[i] == ',' || mappings.p[i] == ';';
    return n;
}

struct sizes {
    uint64_t sources, names, segments;
};

static skep_rc measure(yyjson_val *map, struct sizes *ret, skep_err *err)
{
    yyjson_val *version = yyjson_obj_get(map, "version");
    if (!yyjson_is_obj(map) || yyjson_get_uint(version) != 3)
        return skep_fail(err, SKEP_EMALFORMED, "source map: version 3 is needed");
    if (!yyjson_is_str(yyjson_obj_get(map, "mappings")))
        return skep_fail(err, SKEP_EMALFORMED, "source map: mappings are needed");
    ret->sources += yyjson_arr_size(yyjson_obj_get(map, "sources"));
    ret->names += yyjson_arr_size(yyjson_obj_get(map, "names"));
    ret->segments += most_segments(text_of(yyjson_obj_get(map, "mappings")));
    if (ret->sources > SOURCES_MAX || ret->names > NAMES_MAX || ret->segments > SEGMENTS_MAX)
        return skep_fail(err, SKEP_ELIMIT, "source map: too many sources, names or mappings");
    return SKEP_OK;
}

static skep_rc reserve(struct skep_sourcemap *m, const struct sizes *n, skep_err *err)
{
    m->sources = skep_arena_try_alloc(&m->arena, (n->sources + 1) * sizeof *m->sources);
    m->names = skep_arena_try_alloc(&m->arena, (n->names + 1) * sizeof *m->names);
    m->segments = skep_arena_try_alloc(&m->arena, (n->segments + 1) * sizeof *m->segments);
    m->cap_segments = (uint32_t)n->segments;
    if (m->sources && m->names && m->segments)
        return SKEP_OK;
    return skep_fail(err, SKEP_ENOMEM, "source map: no memory left for it");
}

static skep_rc take(struct skep_sourcemap *m, yyjson_val *map, uint32_t line, uint32_t column,
                    skep_err *err)
{
    yyjson_val *contents = yyjson_obj_get(map, "sourcesContent"), *v;
    skep_str root = text_of(yyjson_obj_get(map, "sourceRoot"));
    skep_str mappings = text_of(yyjson_obj_get(map, "mappings"));
    struct reader r = {.m = m,
                       .left = mappings,
                       .all = mappings,
                       .first_line = line,
                       .first_column = column,
                       .first_source = m->n_sources,
                       .first_name = m->n_names};
    size_t i, max;
    yyjson_val *text = yyjson_arr_get_first(contents);
    size_t n_texts = yyjson_arr_size(contents);
    yyjson_arr_foreach(yyjson_obj_get(map, "sources"), i, max, v)
    {
        m->sources[m->n_sources++] = (struct source){path_of(m, root, text_of(v)),
                                                     i < n_texts ? text_of(text) : SKEP_STR_NULL};
        text = i + 1 < n_texts ? unsafe_yyjson_get_next(text) : text;
    }
    yyjson_arr_foreach(yyjson_obj_get(map, "names"), i, max, v)
    {
        m->names[m->n_names++] = text_of(v);
    }
    r.n_sources = m->n_sources - r.first_source;
    r.n_names = m->n_names - r.first_name;
    return read_mappings(&r, err);
}

/* A section's map and where it begins; false: malformed. */
static bool section_of(yyjson_val *s, yyjson_val **ret_map, uint32_t *ret_line,
                       uint32_t *ret_column)
{
    yyjson_val *offset = yyjson_obj_get(s, "offset");
    uint64_t line = yyjson_get_uint(yyjson_obj_get(offset, "line"));
    uint64_t column = yyjson_get_uint(yyjson_obj_get(offset, "column"));
    *ret_map = yyjson_obj_get(s, "map");
    *ret_line = (uint32_t)line;
    *ret_column = (uint32_t)column;
    return yyjson_is_obj(offset) && yyjson_is_obj(*ret_map) && line < INT32_MAX &&
           column < INT32_MAX;
}

static skep_rc read_all(struct skep_sourcemap *m, yyjson_val *root, skep_err *err)
{
    yyjson_val *sections = yyjson_obj_get(root, "sections"), *s, *map;
    struct sizes n = {0};
    uint32_t line, column;
    size_t i, max;
    if (!sections) {
        SKEP_TRY(measure(root, &n, err));
        SKEP_TRY(reserve(m, &n, err));
        return take(m, root, 0, 0, err);
    }
    yyjson_arr_foreach(sections, i, max, s)
    {
        if (!section_of(s, &map, &line, &column))
            return skep_fail(err, SKEP_EMALFORMED, "source map: sections[%zu]", i);
        SKEP_TRY(measure(map, &n, err));
    }
    SKEP_TRY(reserve(m, &n, err));
    yyjson_arr_foreach(sections, i, max, s)
    {
        bool known = section_of(s, &map, &line, &column);
        skep_assert(known);
        SKEP_TRY(take(m, map, line, column, err));
    }
    return SKEP_OK;
}

skep_rc skep_sourcemap_read(skep_str json, struct skep_budget *budget, struct skep_sourcemap **ret,
                            skep_err *err)
{
    yyjson_read_err fault = {0};
    yyjson_alc alc = skep_json_alc(budget);
    skep_assert(ret != NULL);
    if (skep_str_starts(json, SKEP_STR(")]}'")))
        (void)skep_str_cut(&json, '\n');
    struct skep_sourcemap *m = skep_alloc(struct skep_sourcemap);
    skep_arena_init(&m->arena, "source map", budget);
    m->budget = budget;
    m->doc = yyjson_read_opts((char *)(uintptr_t)json.p, json.n, 0, &alc, &fault);
    skep_rc rc = SKEP_OK;
    if (!m->doc && fault.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        rc = skep_fail(err, SKEP_ENOMEM, "source map: no memory left for it");
    else if (!m->doc)
        rc = skep_fail(err, SKEP_EMALFORMED, "source map: %s, at byte %zu", fault.msg, fault.pos);
    else
        rc = read_all(m, yyjson_doc_get_root(m->doc), err);
    if (rc != SKEP_OK) {
        skep_sourcemap_free(m);
        return rc;
    }
    order(m);
    *ret = m;
    return SKEP_OK;
}

void skep_sourcemap_free(struct skep_sourcemap *m)
{
    if (!m)
        return;
    yyjson_doc_free(m->doc);
    skep_arena_done(&m->arena);
    skep_free(m);
}

// --- questions ---------------------------------------------------------------------------------

bool skep_sourcemap_find(const struct skep_sourcemap *m, uint32_t line, uint32_t column,
                         struct skep_sourcemap_place *ret)
{
    uint32_t lo = 0, hi = m->n_segments;
    if (line == 0 || column == 0)
        return false;
    const struct segment want = {.line = line - 1, .column = column - 1};
    while (lo < hi) { /* the first behind it */
        uint32_t mid = lo + (hi - lo) / 2;
        if (by_place(&m->segments[mid], &want) > 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    if (lo == 0 || m->segments[lo - 1].line != want.line || m->segments[lo - 1].source == NONE)
        return false;
    const struct segment *s = &m->segments[lo - 1];
    skep_assert((uint32_t)s->source < m->n_sources);
    *ret =
        (struct skep_sourcemap_place){.file = m->sources[s->source].file,
                                      .name = s->name == NONE ? SKEP_STR_NULL : m->names[s->name],
                                      .source = (uint32_t)s->source,
                                      .line = s->to_line + 1,
                                      .column = s->to_column + 1};
    return true;
}

bool skep_sourcemap_line(const struct skep_sourcemap *m, uint32_t source, uint32_t line,
                         skep_str *ret)
{
    skep_assert(source < m->n_sources);
    skep_str left = m->sources[source].text, one = SKEP_STR_NULL;
    if (left.n == 0 || line == 0)
        return false;
    for (uint32_t i = 0; i < line; i++) {
        if (left.p == NULL || left.n == 0)
            return false;
        one = skep_str_cut(&left, '\n');
    }
    if (one.n > 0 && one.p[one.n - 1] == '\r')
        one.n--;
    *ret = one;
    return true;
}

skep_str skep_sourcemap_text(const struct skep_sourcemap *m, uint32_t source)
{
    skep_assert(source < m->n_sources);
    return m->sources[source].text;
}

uint32_t skep_sourcemap_sources(const struct skep_sourcemap *m)
{
    return m->n_sources;
}

uint64_t skep_sourcemap_bytes(const struct skep_sourcemap *m)
{
    return m->arena.total_bytes + yyjson_doc_get_read_size(m->doc) +
           yyjson_doc_get_val_count(m->doc) * 16;
}
