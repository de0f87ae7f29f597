// SPDX-License-Identifier: Apache-2.0
/* JSON values -> fields of the newest row.
 *
 *   text, bool      as they are
 *   integers        int64; above its range double
 *   arrays          compact JSON text, type array
 *   objects         compact JSON text, type string
 *   null, numbers that are none (NaN): as absent, null inside JSON text
 *
 * A value that would be over SKEP_LIMIT_VALUE_BYTES as text is left out and the row marked with
 * meta.dropped_attributes; the document itself has it.
 * Threads, memory: as the decoder. */
#include "ingest/xray_priv.h"

#include <stdlib.h>

#include "base/assert.h"
#include "ingest/json_fields.h"
#include "wire/json_in.h"

static const skep_str dropped = SKEP_STR_INIT("meta.dropped_attributes");

void skep_xray__put_text(struct skep_xray__dec *d, enum skep_scope scope, skep_str name,
                         skep_str text)
{
    if (text.n > SKEP_LIMIT_VALUE_BYTES) {
        skep_xray__put_int(d, SKEP_SCOPE_INTRINSIC, dropped, 1);
        return;
    }
    skep_batch_put(d->b, scope, name, (skep_value){.type = SKEP_TYPE_STRING, .s = text});
}

void skep_xray__put_int(struct skep_xray__dec *d, enum skep_scope scope, skep_str name, int64_t v)
{
    skep_batch_put(d->b, scope, name, (skep_value){.type = SKEP_TYPE_INT, .i = v});
}

void skep_xray__put_true(struct skep_xray__dec *d, enum skep_scope scope, skep_str name)
{
    skep_batch_put(d->b, scope, name, (skep_value){.type = SKEP_TYPE_BOOL, .b = true});
}

skep_str skep_xray__json(struct skep_xray__dec *d, yyjson_val *v)
{
    const yyjson_alc alc = skep_json_alc(d->b->budget);
    yyjson_write_err fault = {.code = YYJSON_WRITE_SUCCESS};
    size_t n = 0;
    char *text = yyjson_val_write_opts(v, YYJSON_WRITE_INF_AND_NAN_AS_NULL, &alc, &n, &fault);
    skep_buf_reset(&d->text);
    if (text)
        skep_buf_put(&d->text, text, n);
    else
        d->no_memory |= fault.code == YYJSON_WRITE_ERROR_MEMORY_ALLOCATION;
    if (text)
        alc.free(alc.ctx, text);
    return d->text.bad ? SKEP_STR_NULL : skep_buf_text(&d->text);
}

static void put_json(struct skep_xray__dec *d, skep_str name, yyjson_val *v, enum skep_type type)
{
    skep_str text = skep_xray__json(d, v);
    if (text.n == 0)
        skep_xray__put_int(d, SKEP_SCOPE_INTRINSIC, dropped, 1);
    else
        skep_batch_put(d->b, SKEP_SCOPE_ATTRIBUTE, name, (skep_value){.type = type, .s = text});
}

void skep_xray__put(struct skep_xray__dec *d, skep_str name, yyjson_val *v)
{
    skep_value number;
    switch (yyjson_get_type(v)) {
    case YYJSON_TYPE_STR:
        skep_xray__put_text(d, SKEP_SCOPE_ATTRIBUTE, name,
                            (skep_str){yyjson_get_str(v), yyjson_get_len(v)});
        return;
    case YYJSON_TYPE_BOOL:
        skep_batch_put(d->b, SKEP_SCOPE_ATTRIBUTE, name,
                       (skep_value){.type = SKEP_TYPE_BOOL, .b = yyjson_get_bool(v)});
        return;
    case YYJSON_TYPE_NUM:
        if (skep_json_number(v, &number))
            skep_batch_put(d->b, SKEP_SCOPE_ATTRIBUTE, name, number);
        return;
    case YYJSON_TYPE_ARR: put_json(d, name, v, SKEP_TYPE_ARRAY); return;
    case YYJSON_TYPE_OBJ: put_json(d, name, v, SKEP_TYPE_STRING); return;
    default: return; // null
    }
}

/* prefix and key as one name, cut at a character. */
static skep_str join(char path[static SKEP_LIMIT_NAME_BYTES], skep_str prefix, yyjson_val *key)
{
    size_t room = SKEP_LIMIT_NAME_BYTES - prefix.n, n = SKEP_MIN(yyjson_get_len(key), room);
    if (prefix.n)
        memmove(path, prefix.p, prefix.n);
    memcpy(path + prefix.n, yyjson_get_str(key), n);
    skep_str name = {path, prefix.n + n};
    while (n == room && name.n && !skep_utf8_valid(name))
        name.n--;
    return name;
}

static void put_nested(struct skep_xray__dec *d, skep_str name, yyjson_val *obj)
{
    char path[SKEP_LIMIT_NAME_BYTES], prefix[SKEP_LIMIT_NAME_BYTES + 1];
    yyjson_val *key, *val;
    size_t i, n;
    memcpy(prefix, name.p, name.n);
    prefix[name.n] = '.';
    if (name.n == SKEP_LIMIT_NAME_BYTES)
        return; // no room for a member's name: the document itself has it
    yyjson_obj_foreach(obj, i, n, key, val)
    {
        skep_xray__put(d, join(path, (skep_str){prefix, name.n + 1}, key), val);
    }
}

void skep_xray__put_members(struct skep_xray__dec *d, const char *prefix, yyjson_val *obj)
{
    char path[SKEP_LIMIT_NAME_BYTES];
    yyjson_val *key, *val;
    size_t i, n;
    yyjson_obj_foreach(obj, i, n, key, val)
    {
        skep_str name = join(path, skep_str_c(prefix), key);
        if (yyjson_is_obj(val))
            put_nested(d, name, val);
        else
            skep_xray__put(d, name, val);
    }
}
