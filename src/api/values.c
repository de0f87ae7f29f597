// SPDX-License-Identifier: Apache-2.0
/* Rows and values as JSON (docs/api/page.md).
 *
 * Names resolve as event/view.h says: attribute > computed and intrinsic > instrumentation >
 * resource. A row's object lists each name once, with the value that the name resolves to.
 *
 * Threads: none of its own.  Memory: texts in the request's arena. */
#include <math.h>
#include <stdio.h>
#include <yyjson.h>

#include "api/api_priv.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "event/view.h"
#include "wire/base64.h"
#include "wire/rfc3339.h"

/* Whole numbers that every JSON reader keeps exact. */
static const int64_t exact_max = 9007199254740992;

static void tagged(struct skep_json *json, skep_str key, skep_str text)
{
    skep_json_object(json);
    skep_json_put_str(json, key, text);
    skep_json_end(json);
}

static void put_bytes(struct skep_json *json, skep_str s)
{
    struct skep_buf b;
    skep_buf_init(&b, 2 * s.n + 16);
    skep_base64_encode(&b, skep_str_bytes(s));
    tagged(json, SKEP_STR("bytes"), skep_buf_text(&b));
    skep_buf_done(&b);
}

static void put_double(struct skep_json *json, double f)
{
    if (isfinite(f))
        skep_json_f64(json, f);
    else
        tagged(json, SKEP_STR("double"),
               isnan(f) ? SKEP_STR("NaN") : (f > 0 ? SKEP_STR("Infinity") : SKEP_STR("-Infinity")));
}

static void put_int(struct skep_json *json, int64_t i)
{
    if (i >= -exact_max && i <= exact_max) {
        skep_json_i64(json, i);
        return;
    }
    skep_json_object(json);
    skep_json_put_i64_str(json, SKEP_STR("int"), i);
    skep_json_end(json);
}

/* The stored text of an array is JSON; were it not (damage), it is shown as a string. */
static void put_array(struct skep_json *json, skep_str s)
{
    yyjson_doc *doc = s.n && s.p[0] == '[' ? yyjson_read(s.p, s.n, 0) : NULL;
    if (doc)
        skep_json_raw(json, s);
    else
        skep_json_str(json, s);
    yyjson_doc_free(doc);
}

void skep_api__value(struct skep_json *json, const skep_value *v)
{
    switch (v->type) {
    case SKEP_TYPE_STRING: skep_json_str(json, v->s); break;
    case SKEP_TYPE_INT: put_int(json, v->i); break;
    case SKEP_TYPE_DOUBLE: put_double(json, v->f); break;
    case SKEP_TYPE_BOOL: skep_json_bool(json, v->b); break;
    case SKEP_TYPE_BYTES: put_bytes(json, v->s); break;
    case SKEP_TYPE_ARRAY: put_array(json, v->s); break;
    case SKEP_TYPE_NULL:
    case SKEP_TYPE_EMPTY:
    case SKEP_TYPE_COUNT: skep_json_null(json); break;
    }
}

void skep_api__cell(struct skep_json *json, const struct skep_cell *c)
{
    switch (c->kind) {
    case SKEP_CELL_NULL: skep_json_null(json); break;
    case SKEP_CELL_INT: put_int(json, c->i); break;
    case SKEP_CELL_DOUBLE: put_double(json, c->f); break;
    case SKEP_CELL_HEAT:
        skep_json_array(json);
        for (uint32_t i = 0; i < c->n_heat; i++) {
            skep_json_array(json);
            skep_json_u64(json, c->heat[i].bin);
            skep_json_u64(json, c->heat[i].count);
            skep_json_end(json);
        }
        skep_json_end(json);
        break;
    }
}

skep_str skep_api__row_id(struct skep_arena *arena, skep_row_id id)
{
    return skep_arena_printf(arena, "%llu-%u", (unsigned long long)id.seq, id.ordinal);
}

void skep_api__put_row_id(struct skep_json *json, skep_str key, skep_row_id id)
{
    char text[40];
    int n = snprintf(text, sizeof text, "%llu-%u", (unsigned long long)id.seq, id.ordinal);
    skep_assert(n > 0 && (size_t)n < sizeof text);
    skep_json_put_str(json, key, (skep_str){text, (size_t)n});
}

void skep_api__put_trace_id(struct skep_json *json, skep_str key, const skep_trace_id *id)
{
    char text[32];
    skep_hex_encode((skep_bytes){id->b, sizeof id->b}, text);
    skep_json_put_str(json, key, (skep_str){text, sizeof text});
}

skep_str skep_api__span_id(char out[16], uint64_t id)
{
    uint8_t wire[8];
    skep_store_le64(wire, id);
    skep_hex_encode((skep_bytes){wire, sizeof wire}, out);
    return (skep_str){out, id ? 16u : 0u};
}

/* An integer column of a row. */
static int64_t int_column(const struct skep_row *row, enum skep_column c)
{
    switch ((int)c) {
    case SKEP_COL_TIME: return row->time_ns;
    case SKEP_COL_DURATION: return row->duration_ns;
    case SKEP_COL_KIND: return (int64_t)row->kind;
    case SKEP_COL_STATUS: return row->status;
    case SKEP_COL_SPAN_KIND: return row->span_kind;
    case SKEP_COL_SEVERITY: return row->severity;
    case SKEP_COL_FLAGS: return row->flags;
    case SKEP_COL_SAMPLE_RATE: return row->sample_rate;
    case SKEP_COL_RECEIVED: return row->received_ns;
    case SKEP_COL_SOURCE: return (int64_t)row->source;
    default: return 0;
    }
}

static skep_value text_value(skep_str s)
{
    return (skep_value){.type = s.n ? SKEP_TYPE_STRING : SKEP_TYPE_NULL, .s = s};
}

static skep_value trace_value(struct skep_arena *arena, const skep_trace_id *id)
{
    static const uint8_t zero[16];
    if (memcmp(id->b, zero, sizeof zero) == 0)
        return (skep_value){.type = SKEP_TYPE_NULL};
    bool half = memcmp(id->b, zero, 8) == 0;
    char *text = skep_arena_alloc(arena, 32);
    skep_hex_encode((skep_bytes){id->b + (half ? 8 : 0), half ? 8u : 16u}, text);
    return text_value((skep_str){text, half ? 16u : 32u});
}

static skep_value time_value(struct skep_arena *arena, int64_t ns)
{
    char *text = skep_arena_alloc(arena, SKEP_RFC3339_BYTES);
    return text_value((skep_str){text, skep_rfc3339(ns, 9, text)});
}

static skep_value enum_value(const struct skep_view *view, int64_t i)
{
    bool known = i >= 0 && i < (int64_t)view->n_table;
    return text_value(known ? view->table[i] : SKEP_STR_NULL);
}

skep_value skep_api__view(struct skep_arena *arena, const struct skep_row *row,
                          const struct skep_view *view)
{
    skep_value none = {.type = SKEP_TYPE_NULL};
    if (!(view->kinds & 1u << row->kind))
        return none;
    int64_t i = int_column(row, view->column);
    switch (view->how) {
    case SKEP_VIEW_HEX16: return trace_value(arena, &row->trace_id);
    case SKEP_VIEW_HEX8: {
        bool own = view->column == SKEP_COL_SPAN_ID;
        char *text = skep_arena_alloc(arena, 16);
        return text_value(skep_api__span_id(text, own ? row->span_id : row->parent_id));
    }
    case SKEP_VIEW_STRING:
        return text_value(view->column == SKEP_COL_DATASET ? row->dataset : row->name);
    case SKEP_VIEW_INT:
        if (view->column == SKEP_COL_DURATION && i < 0)
            return none;
        return (skep_value){.type = SKEP_TYPE_INT, .i = i};
    case SKEP_VIEW_MS:
        return i < 0 ? none : (skep_value){.type = SKEP_TYPE_DOUBLE, .f = (double)i / 1e6};
    case SKEP_VIEW_ENUM: return enum_value(view, i);
    case SKEP_VIEW_BOOL_EQ:
        return i == view->arg ? (skep_value){.type = SKEP_TYPE_BOOL, .b = true} : none;
    case SKEP_VIEW_IS_ROOT: return (skep_value){.type = SKEP_TYPE_BOOL, .b = row->parent_id == 0};
    case SKEP_VIEW_TIMESTAMP: return time_value(arena, row->time_ns);
    case SKEP_VIEW_ROW_ID: return text_value(skep_api__row_id(arena, row->id));
    }
    return none;
}

/* Rank of a stored field's scope in name resolution; computed columns rank with INTRINSIC. */
static unsigned rank(enum skep_scope scope)
{
    static const uint8_t ranks[SKEP_SCOPE_COUNT] = {[SKEP_SCOPE_ATTRIBUTE] = 0,
                                                    [SKEP_SCOPE_INTRINSIC] = 1,
                                                    [SKEP_SCOPE_INSTRUMENTATION] = 2,
                                                    [SKEP_SCOPE_RESOURCE] = 3};
    skep_assert((unsigned)scope < SKEP_SCOPE_COUNT);
    return ranks[scope];
}

skep_value skep_api__field(struct skep_arena *arena, const struct skep_row *row, skep_str name)
{
    const struct skep_row_field *best = NULL;
    const struct skep_view *view = skep_view_find(name);
    for (unsigned i = 0; i < row->n_fields; i++) {
        const struct skep_row_field *f = &row->fields[i];
        if (f->value.type != SKEP_TYPE_NULL && skep_str_eq(f->name, name) &&
            (!best || rank(f->scope) < rank(best->scope)))
            best = f;
    }
    if (view && (!best || best->scope != SKEP_SCOPE_ATTRIBUTE)) {
        skep_value v = skep_api__view(arena, row, view);
        if (v.type != SKEP_TYPE_NULL)
            return v;
    }
    return best ? best->value : (skep_value){.type = SKEP_TYPE_NULL};
}

/* Fields of a row in name resolution's order, each name once. */
struct names {
    struct skep_index index;
    const skep_str **at; /* [n] */
    uint32_t n;
};

static bool first_time(struct names *names, const skep_str *name)
{
    uint64_t h = skep_hash(skep_str_bytes(*name));
    struct skep_index_it it = skep_index_begin(&names->index, h);
    for (uint32_t i; (i = skep_index_next(&names->index, &it)) != SKEP_INDEX_NONE;)
        if (skep_str_eq(*names->at[i], *name))
            return false;
    skep_index_add(&names->index, h, names->n);
    names->at[names->n++] = name;
    return true;
}

static void scope_fields(struct skep_json *json, const struct skep_row *row, unsigned want,
                         struct names *names)
{
    for (unsigned i = 0; i < row->n_fields; i++) {
        const struct skep_row_field *f = &row->fields[i];
        if (f->value.type == SKEP_TYPE_NULL || rank(f->scope) != want)
            continue;
        if (!first_time(names, &f->name))
            continue;
        skep_json_key(json, f->name);
        skep_api__value(json, &f->value);
    }
}

static void computed_fields(struct skep_json *json, struct skep_arena *arena,
                            const struct skep_row *row, struct names *names)
{
    size_t n;
    const struct skep_view *views = skep_view_all(&n);
    for (size_t i = 0; i < n; i++) {
        skep_value v = skep_api__view(arena, row, &views[i]);
        if (v.type == SKEP_TYPE_NULL || !first_time(names, &views[i].name))
            continue;
        skep_json_key(json, views[i].name);
        skep_api__value(json, &v);
    }
}

static void all_fields_of(struct skep_json *json, struct skep_arena *arena,
                          const struct skep_row *row)
{
    size_t n_views;
    struct names names = {.n = 0};
    (void)skep_view_all(&n_views);
    skep_index_init(&names.index, row->n_fields + n_views);
    names.at = skep_new_n(arena, const skep_str *, row->n_fields + n_views);
    scope_fields(json, row, 0, &names);
    computed_fields(json, arena, row, &names);
    for (unsigned r = 1; r <= 3; r++)
        scope_fields(json, row, r, &names);
    skep_index_done(&names.index);
}

void skep_api__row(struct skep_json *json, struct skep_arena *arena, const struct skep_row *row,
                   bool all_fields)
{
    skep_json_object(json);
    skep_api__put_row_id(json, SKEP_STR("id"), row->id);
    skep_json_put_i64_str(json, SKEP_STR("time_ns"), row->time_ns);
    skep_json_put_str(json, SKEP_STR("kind"), skep_kind_name(row->kind));
    skep_json_put_str(json, SKEP_STR("dataset"), row->dataset);
    skep_json_key(json, SKEP_STR("fields"));
    skep_json_object(json);
    if (all_fields)
        all_fields_of(json, arena, row);
    else
        for (unsigned i = 0; i < row->n_fields; i++) {
            skep_json_key(json, row->fields[i].name);
            skep_api__value(json, &row->fields[i].value);
        }
    skep_json_end(json);
    skep_json_end(json);
}
