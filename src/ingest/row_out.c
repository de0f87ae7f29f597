// SPDX-License-Identifier: Apache-2.0
/* A row as a JSON object (docs/formats/rows.md).
 *
 *   {"id":"12-7","time_ns":"...","kind":"span",...,"attributes":{...},"resource":{...}}
 *
 * Columns at their neutral value are left out, so are scopes without fields.  Values are those of
 * docs/api/page.md: what JSON cannot carry is an object with one member.
 *
 * Threads: none of its own.  Memory: the writer's buffer. */
#include <math.h>
#include <stdio.h>
#include <yyjson.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "ingest/row_text.h"
#include "wire/base64.h"

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

static void put_double(struct skep_json *json, double f)
{
    if (isfinite(f))
        skep_json_f64(json, f);
    else
        tagged(json, SKEP_STR("double"),
               isnan(f) ? SKEP_STR("NaN") : (f > 0 ? SKEP_STR("Infinity") : SKEP_STR("-Infinity")));
}

/* The stored text is JSON; were it not (damage), it stays readable as a string. */
static void put_array(struct skep_json *json, skep_str s)
{
    yyjson_doc *doc = s.n && s.p[0] == '[' ? yyjson_read(s.p, s.n, 0) : NULL;
    if (doc)
        skep_json_raw(json, s);
    else
        skep_json_str(json, s);
    yyjson_doc_free(doc);
}

static void put_value(struct skep_json *json, const skep_value *v)
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

static void put_hex(struct skep_json *json, skep_str key, const uint8_t *p, size_t n)
{
    char text[32];
    skep_assert(2 * n <= sizeof text);
    skep_hex_encode((skep_bytes){p, n}, text);
    skep_json_put_str(json, key, (skep_str){text, 2 * n});
}

static void put_span_id(struct skep_json *json, skep_str key, uint64_t id)
{
    uint8_t wire[8];
    skep_store_le64(wire, id);
    if (id)
        put_hex(json, key, wire, sizeof wire);
}

static void put_number(struct skep_json *json, skep_str key, uint64_t v, uint64_t neutral)
{
    if (v != neutral)
        skep_json_put_u64(json, key, v);
}

static void put_columns(struct skep_json *json, const struct skep_row *r)
{
    static const skep_trace_id none;
    char id[40];
    int n = snprintf(id, sizeof id, "%llu-%u", (unsigned long long)r->id.seq, r->id.ordinal);
    skep_assert(n > 0 && (size_t)n < sizeof id);
    skep_json_put_str(json, SKEP_STR("id"), (skep_str){id, (size_t)n});
    skep_json_put_i64_str(json, SKEP_STR("time_ns"), r->time_ns);
    skep_json_put_i64_str(json, SKEP_STR("received_ns"), r->received_ns);
    skep_json_put_str(json, SKEP_STR("kind"), skep_kind_name(r->kind));
    skep_json_put_str(json, SKEP_STR("source"), skep_source_name(r->source));
    skep_json_put_str(json, SKEP_STR("dataset"), r->dataset);
    if (r->name.n)
        skep_json_put_str(json, SKEP_STR("name"), r->name);
    if (r->duration_ns >= 0)
        skep_json_put_i64_str(json, SKEP_STR("duration_ns"), r->duration_ns);
    if (memcmp(&r->trace_id, &none, sizeof none) != 0)
        put_hex(json, SKEP_STR("trace_id"), r->trace_id.b, sizeof r->trace_id.b);
    put_span_id(json, SKEP_STR("span_id"), r->span_id);
    put_span_id(json, SKEP_STR("parent_id"), r->parent_id);
    put_number(json, SKEP_STR("status"), r->status, 0);
    put_number(json, SKEP_STR("span_kind"), r->span_kind, 0);
    put_number(json, SKEP_STR("severity"), r->severity, 0);
    put_number(json, SKEP_STR("flags"), r->flags, 0);
    put_number(json, SKEP_STR("sample_rate"), r->sample_rate, 1);
}

void skep_row_write(struct skep_json *json, const struct skep_row *row)
{
    static const skep_str scopes[SKEP_SCOPE_COUNT] = {
        [SKEP_SCOPE_INTRINSIC] = SKEP_STR_INIT("intrinsic"),
        [SKEP_SCOPE_ATTRIBUTE] = SKEP_STR_INIT("attributes"),
        [SKEP_SCOPE_INSTRUMENTATION] = SKEP_STR_INIT("scope"),
        [SKEP_SCOPE_RESOURCE] = SKEP_STR_INIT("resource")};
    skep_json_object(json);
    put_columns(json, row);
    for (unsigned s = 0; s < SKEP_SCOPE_COUNT; s++) {
        bool any = false;
        for (unsigned i = 0; i < row->n_fields; i++) {
            const struct skep_row_field *f = &row->fields[i];
            if ((unsigned)f->scope != s || f->value.type == SKEP_TYPE_NULL)
                continue;
            if (!any) {
                skep_json_key(json, scopes[s]);
                skep_json_object(json);
                any = true;
            }
            skep_json_key(json, f->name);
            put_value(json, &f->value);
        }
        if (any)
            skep_json_end(json);
    }
    skep_json_end(json);
}
