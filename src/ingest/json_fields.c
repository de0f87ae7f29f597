// SPDX-License-Identifier: Apache-2.0
/* JSON members -> fields (json_fields.h has the mapping).
 *
 * I1  recursion goes no deeper than f->depth.
 * Threads, memory: the caller's; a text at a time. */
#include "ingest/json_fields.h"

#include <math.h>

#include "base/assert.h"

static void put(struct skep_json_fields *f, skep_value v)
{
    if (f->left == 0 || f->name->bad || f->name->n == 0)
        return;
    f->left--;
    f->put(f->ctx, skep_buf_text(f->name), v);
}

static void put_text_of(struct skep_json_fields *f, yyjson_val *v, enum skep_type type)
{
    size_t n = 0;
    yyjson_write_err fault = {.code = YYJSON_WRITE_SUCCESS};
    char *text = yyjson_val_write_opts(v, YYJSON_WRITE_INF_AND_NAN_AS_NULL, f->alc, &n, &fault);
    f->no_memory |= fault.code == YYJSON_WRITE_ERROR_MEMORY_ALLOCATION;
    if (!text)
        return;
    put(f, (skep_value){.type = type, .s = {text, n}});
    f->alc->free(f->alc->ctx, text);
}

bool skep_json_number(yyjson_val *v, skep_value *ret)
{
    double d = yyjson_get_num(v);
    if (yyjson_is_sint(v) || (yyjson_is_uint(v) && yyjson_get_uint(v) <= INT64_MAX))
        *ret = (skep_value){.type = SKEP_TYPE_INT, .i = yyjson_get_sint(v)};
    else if (!isnan(d))
        *ret = (skep_value){.type = SKEP_TYPE_DOUBLE, .f = d};
    else
        return false;
    return true;
}

static void put_members(struct skep_json_fields *f, yyjson_val *obj, unsigned depth);

static void put_value(struct skep_json_fields *f, yyjson_val *v, unsigned depth)
{
    skep_value number;
    switch (yyjson_get_type(v)) {
    case YYJSON_TYPE_STR:
        put(f, (skep_value){.type = SKEP_TYPE_STRING, .s = {yyjson_get_str(v), yyjson_get_len(v)}});
        return;
    case YYJSON_TYPE_BOOL:
        put(f, (skep_value){.type = SKEP_TYPE_BOOL, .b = yyjson_get_bool(v)});
        return;
    case YYJSON_TYPE_NUM:
        if (skep_json_number(v, &number))
            put(f, number);
        return;
    case YYJSON_TYPE_ARR: put_text_of(f, v, SKEP_TYPE_ARRAY); return;
    case YYJSON_TYPE_OBJ:
        if (depth >= f->depth) {
            put_text_of(f, v, SKEP_TYPE_STRING);
            return;
        }
        skep_buf_u8(f->name, '.');
        put_members(f, v, depth + 1);
        return;
    default: return; // null
    }
}

static void put_members(struct skep_json_fields *f, yyjson_val *obj, unsigned depth)
{
    size_t i, max, mark = f->name->n;
    bool bad = f->name->bad;
    yyjson_val *key, *v;
    yyjson_obj_foreach(obj, i, max, key, v)
    {
        if (f->left == 0)
            return;
        skep_buf_put(f->name, yyjson_get_str(key), yyjson_get_len(key));
        put_value(f, v, depth);
        f->name->n = mark;
        f->name->bad = bad; // too long a name is left out, and no other
    }
}

void skep_json_fields_put(struct skep_json_fields *f, skep_str prefix, yyjson_val *obj)
{
    skep_assert(f->depth > 0 && f->alc && f->name);
    skep_buf_reset(f->name);
    skep_buf_str(f->name, prefix);
    put_members(f, obj, 1);
}

void skep_json_fields_value(struct skep_json_fields *f, skep_str name, yyjson_val *v)
{
    skep_assert(f->depth > 0 && f->alc && f->name);
    skep_buf_reset(f->name);
    skep_buf_str(f->name, name);
    put_value(f, v, 1);
}
