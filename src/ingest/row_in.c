// SPDX-License-Identifier: Apache-2.0
/* JSON lines -> rows of a batch (docs/formats/rows.md), the inverse of row_out.c.
 *
 * Unknown members are refused: a line that another version wrote must not lose what it says.  What
 * lines leave out is neutral.  "id" and "received_ns" are read over: a row that is imported arrives
 * anew.
 *
 * I1  a line yields one row or an error; nothing in it is an assertion.
 *
 * Threads: one a reader.  Memory: yyjson's values of one line, taken from the budget before. */
#include <math.h>
#include <yyjson.h>

#include "base/assert.h"
#include "base/mem.h"
#include "ingest/row_text.h"
#include "wire/base64.h"

enum { DEPTH_MAX = 24, COPY_MAX = 4096 };

struct skep_row_reader {
    struct skep_budget *budget;
    struct skep_buf text; /* an array's text, a value's octets */
    /* The last list of each: lines that follow each other mostly have the same. */
    struct {
        struct skep_buf json; /* empty = none of this batch */
        uint32_t index;
    } last[2];
};

struct skep_row_reader *skep_row_reader_new(struct skep_budget *budget)
{
    struct skep_row_reader *r = skep_alloc(struct skep_row_reader);
    r->budget = budget;
    skep_buf_init(&r->text, 2 * (size_t)SKEP_LIMIT_ROW_LINE_BYTES);
    for (unsigned i = 0; i < SKEP_ARRAY_LEN(r->last); i++)
        skep_buf_init(&r->last[i].json, COPY_MAX);
    return r;
}

void skep_row_reader_free(struct skep_row_reader *r)
{
    if (!r)
        return;
    skep_buf_done(&r->text);
    for (unsigned i = 0; i < SKEP_ARRAY_LEN(r->last); i++)
        skep_buf_done(&r->last[i].json);
    skep_free(r);
}

static skep_str text_of(yyjson_val *v)
{
    return (skep_str){yyjson_get_str(v), yyjson_get_len(v)};
}

static skep_rc bad(skep_err *err, skep_str key, const char *what)
{
    return skep_fail(err, SKEP_EMALFORMED, "\"" SKEP_STRFMT "\": %s", (int)SKEP_MIN(key.n, 60u),
                     key.p ? key.p : "", what);
}

/* --- values ----------------------------------------------------------------------------------- */

static skep_rc write_any(struct skep_json *j, yyjson_val *v, unsigned depth, skep_err *err)
{
    size_t i, max;
    yyjson_val *key, *item;
    if (depth > DEPTH_MAX)
        return skep_fail(err, SKEP_EMALFORMED, "arrays are nested more than %d deep", DEPTH_MAX);
    if (yyjson_is_arr(v)) {
        skep_json_array(j);
        yyjson_arr_foreach(v, i, max, item)
        {
            SKEP_TRY(write_any(j, item, depth + 1, err));
        }
        skep_json_end(j);
    } else if (yyjson_is_obj(v)) {
        skep_json_object(j);
        yyjson_obj_foreach(v, i, max, key, item)
        {
            skep_json_key(j, text_of(key));
            SKEP_TRY(write_any(j, item, depth + 1, err));
        }
        skep_json_end(j);
    } else if (yyjson_is_str(v)) {
        skep_json_str(j, text_of(v));
    } else if (yyjson_is_bool(v)) {
        skep_json_bool(j, yyjson_get_bool(v));
    } else if (yyjson_is_sint(v)) {
        skep_json_i64(j, yyjson_get_sint(v));
    } else if (yyjson_is_uint(v)) {
        skep_json_u64(j, yyjson_get_uint(v));
    } else if (yyjson_is_real(v)) {
        skep_json_f64(j, yyjson_get_real(v));
    } else {
        skep_json_null(j);
    }
    return SKEP_OK;
}

static skep_rc array_value(struct skep_row_reader *r, yyjson_val *v, skep_value *ret, skep_err *err)
{
    struct skep_json j;
    skep_buf_reset(&r->text);
    skep_json_init(&j, &r->text);
    SKEP_TRY(write_any(&j, v, 0, err));
    if (r->text.bad)
        return skep_fail(err, SKEP_ETOOLARGE, "an array is too large");
    *ret = (skep_value){.type = SKEP_TYPE_ARRAY, .s = skep_buf_text(&r->text)};
    return SKEP_OK;
}

/* {"int":"..."} {"double":"NaN"} {"bytes":"..."} */
static skep_rc tagged_value(struct skep_row_reader *r, yyjson_val *v, skep_value *ret,
                            skep_err *err)
{
    yyjson_obj_iter it = yyjson_obj_iter_with(v);
    yyjson_val *key = yyjson_obj_iter_next(&it);
    skep_str name = text_of(key), s = text_of(yyjson_obj_iter_get_val(key));
    size_t n;
    *ret = (skep_value){.type = SKEP_TYPE_NULL};
    if (yyjson_obj_size(v) != 1 || !s.p)
        return skep_fail(err, SKEP_EMALFORMED, "an object that is no value");
    if (skep_str_eq(name, SKEP_STR("int")) && skep_str_i64(s, &ret->i)) {
        ret->type = SKEP_TYPE_INT;
    } else if (skep_str_eq(name, SKEP_STR("double"))) {
        ret->type = SKEP_TYPE_DOUBLE;
        if (skep_str_eq(s, SKEP_STR("NaN")))
            ret->f = (double)NAN;
        else if (skep_str_eq(s, SKEP_STR("Infinity")))
            ret->f = (double)INFINITY;
        else if (skep_str_eq(s, SKEP_STR("-Infinity")))
            ret->f = -(double)INFINITY;
        else
            ret->type = SKEP_TYPE_NULL;
    } else if (skep_str_eq(name, SKEP_STR("bytes"))) {
        size_t cap = 3 * s.n / 4 + 3;
        skep_buf_reset(&r->text);
        if (skep_buf_reserve(&r->text, cap) && skep_base64_decode(s, r->text.p, cap, &n))
            *ret = (skep_value){.type = SKEP_TYPE_BYTES, .s = {(const char *)r->text.p, n}};
    }
    return ret->type == SKEP_TYPE_NULL
               ? skep_fail(err, SKEP_EMALFORMED, "an object that is no value")
               : SKEP_OK;
}

static skep_rc value_of(struct skep_row_reader *r, yyjson_val *v, skep_value *ret, skep_err *err)
{
    *ret = (skep_value){.type = SKEP_TYPE_EMPTY};
    if (yyjson_is_arr(v))
        return array_value(r, v, ret, err);
    if (yyjson_is_obj(v))
        return tagged_value(r, v, ret, err);
    if (yyjson_is_str(v))
        *ret = (skep_value){.type = SKEP_TYPE_STRING, .s = text_of(v)};
    else if (yyjson_is_bool(v))
        *ret = (skep_value){.type = SKEP_TYPE_BOOL, .b = yyjson_get_bool(v)};
    else if (yyjson_is_sint(v) || (yyjson_is_uint(v) && yyjson_get_uint(v) <= INT64_MAX))
        *ret = (skep_value){.type = SKEP_TYPE_INT, .i = yyjson_get_sint(v)};
    else if (yyjson_is_num(v))
        *ret = (skep_value){.type = SKEP_TYPE_DOUBLE, .f = yyjson_get_num(v)};
    if (ret->s.n > SKEP_LIMIT_VALUE_BYTES &&
        (ret->type == SKEP_TYPE_STRING || ret->type == SKEP_TYPE_BYTES))
        return skep_fail(err, SKEP_ETOOLARGE, "a value is longer than %d bytes",
                         SKEP_LIMIT_VALUE_BYTES);
    return SKEP_OK;
}

/* --- columns ---------------------------------------------------------------------------------- */

static bool int_of(yyjson_val *v, int64_t *ret)
{
    if (yyjson_is_str(v))
        return skep_str_i64(text_of(v), ret);
    if (!yyjson_is_int(v) || (yyjson_is_uint(v) && yyjson_get_uint(v) > INT64_MAX))
        return false;
    *ret = yyjson_get_sint(v);
    return true;
}

static bool id_of(yyjson_val *v, uint8_t *out, size_t n)
{
    skep_str s = text_of(v);
    return s.p && s.n == 2 * n && skep_hex_decode(s, out, n);
}

static bool small_of(yyjson_val *v, int64_t max, int64_t *ret)
{
    return int_of(v, ret) && *ret >= 0 && *ret <= max;
}

static bool named(yyjson_val *v, skep_str (*name)(unsigned), unsigned count, unsigned *ret)
{
    for (unsigned i = 1; i < count; i++)
        if (yyjson_is_str(v) && skep_str_eq(text_of(v), name(i))) {
            *ret = i;
            return true;
        }
    return false;
}

static skep_str kind_name(unsigned i)
{
    return skep_kind_name((enum skep_kind)i);
}

static skep_str source_name(unsigned i)
{
    return skep_source_name((enum skep_source)i);
}

/* One member that is a column: false when its value is none. */
static bool set_column(struct skep_batch *b, uint32_t row, skep_str key, yyjson_val *v,
                       bool *ret_known)
{
    int64_t i = 0;
    uint8_t id[16];
    bool ok = true;
    *ret_known = true;
    if (skep_str_eq(key, SKEP_STR("dataset")) && (ok = yyjson_is_str(v)))
        b->dataset[row] = skep_batch_intern(b, text_of(v));
    else if (skep_str_eq(key, SKEP_STR("name")) && (ok = yyjson_is_str(v)))
        b->name[row] = skep_batch_intern(b, text_of(v));
    else if (skep_str_eq(key, SKEP_STR("duration_ns")) && (ok = int_of(v, &i)))
        b->duration_ns[row] = i;
    else if (skep_str_eq(key, SKEP_STR("trace_id")) && (ok = id_of(v, id, 16)))
        memcpy(b->trace_id[row].b, id, 16);
    else if (skep_str_eq(key, SKEP_STR("span_id")) && (ok = id_of(v, id, 8)))
        memcpy(&b->span_id[row], id, 8);
    else if (skep_str_eq(key, SKEP_STR("parent_id")) && (ok = id_of(v, id, 8)))
        memcpy(&b->parent_id[row], id, 8);
    else if (skep_str_eq(key, SKEP_STR("status")) && (ok = small_of(v, UINT8_MAX, &i)))
        b->status[row] = (uint8_t)i;
    else if (skep_str_eq(key, SKEP_STR("span_kind")) && (ok = small_of(v, UINT8_MAX, &i)))
        b->span_kind[row] = (uint8_t)i;
    else if (skep_str_eq(key, SKEP_STR("severity")) && (ok = small_of(v, UINT8_MAX, &i)))
        b->severity[row] = (uint8_t)i;
    else if (skep_str_eq(key, SKEP_STR("flags")) && (ok = small_of(v, UINT32_MAX, &i)))
        b->flags[row] = (uint32_t)i;
    else if (skep_str_eq(key, SKEP_STR("sample_rate")) && (ok = small_of(v, UINT32_MAX, &i)))
        b->sample_rate[row] = (uint32_t)(i ? i : 1);
    else if (ok)
        *ret_known = false;
    return ok;
}

/* --- lists ------------------------------------------------------------------------------------ */

static skep_rc put_fields(struct skep_row_reader *r, struct skep_batch *b, enum skep_scope scope,
                          yyjson_val *v, skep_err *err)
{
    size_t i, max;
    yyjson_val *key, *item;
    skep_value value;
    yyjson_obj_foreach(v, i, max, key, item)
    {
        SKEP_TRY(value_of(r, item, &value, err));
        skep_batch_put(b, scope, text_of(key), value);
    }
    return SKEP_OK;
}

static skep_rc put_list(struct skep_row_reader *r, struct skep_batch *b, bool resource,
                        yyjson_val *v, uint32_t *ret, skep_err *err)
{
    size_t i, max, n;
    yyjson_val *key, *item;
    skep_value value;
    char *text = yyjson_val_write(v, 0, &n);
    skep_assert(text != NULL);
    skep_str json = {text, n};
    bool same =
        r->last[resource].json.n > 0 && skep_str_eq(skep_buf_text(&r->last[resource].json), json);
    if (same) {
        *ret = r->last[resource].index;
        skep_free(text);
        return SKEP_OK;
    }
    skep_rc rc = SKEP_OK;
    struct skep_batch_list *l = skep_batch_list_begin(b);
    yyjson_obj_foreach(v, i, max, key, item)
    {
        rc = rc == SKEP_OK ? value_of(r, item, &value, err) : rc;
        if (rc == SKEP_OK)
            skep_batch_list_put(l, text_of(key), value);
    }
    *ret = skep_batch_list_end(l, resource ? &b->resources : &b->scopes);
    r->last[resource].index = *ret;
    skep_buf_reset(&r->last[resource].json);
    if (rc == SKEP_OK && n <= COPY_MAX)
        skep_buf_str(&r->last[resource].json, json);
    skep_free(text);
    return rc;
}

/* --- the line ----------------------------------------------------------------------------------
 */

static bool is_ignored(skep_str key)
{
    static const skep_str names[] = {SKEP_STR_INIT("id"), SKEP_STR_INIT("time_ns"),
                                     SKEP_STR_INIT("received_ns"), SKEP_STR_INIT("kind"),
                                     SKEP_STR_INIT("source")};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(names); i++)
        if (skep_str_eq(key, names[i]))
            return true; /* read before, or none of our business */
    return false;
}

static skep_rc member(struct skep_row_reader *r, struct skep_batch *b, uint32_t row, skep_str key,
                      yyjson_val *v, skep_err *err)
{
    bool known;
    if (is_ignored(key))
        return SKEP_OK;
    if (!set_column(b, row, key, v, &known))
        return bad(err, key, "not a value that it can have");
    if (known)
        return SKEP_OK;
    bool intrinsic = skep_str_eq(key, SKEP_STR("intrinsic"));
    bool attributes = skep_str_eq(key, SKEP_STR("attributes"));
    bool resource = skep_str_eq(key, SKEP_STR("resource"));
    if (!intrinsic && !attributes && !resource && !skep_str_eq(key, SKEP_STR("scope")))
        return bad(err, key, "not a member that a row has");
    if (!yyjson_is_obj(v))
        return bad(err, key, "not an object");
    if (intrinsic || attributes)
        return put_fields(r, b, intrinsic ? SKEP_SCOPE_INTRINSIC : SKEP_SCOPE_ATTRIBUTE, v, err);
    uint32_t index;
    SKEP_TRY(put_list(r, b, resource, v, &index, err));
    if (resource)
        b->resource[row] = index;
    else
        b->scope[row] = index;
    return SKEP_OK;
}

static skep_rc row_of(struct skep_row_reader *r, yyjson_val *root, struct skep_batch *b,
                      skep_err *err)
{
    int64_t time_ns;
    unsigned kind, source;
    size_t i, max;
    yyjson_val *key, *v;
    if (!yyjson_is_obj(root))
        return skep_fail(err, SKEP_EMALFORMED, "a line is not an object");
    if (!int_of(yyjson_obj_get(root, "time_ns"), &time_ns))
        return bad(err, SKEP_STR("time_ns"), "not a time in ns since 1970");
    if (!named(yyjson_obj_get(root, "kind"), kind_name, SKEP_KIND_COUNT, &kind))
        return bad(err, SKEP_STR("kind"), "not the name of a kind");
    if (!named(yyjson_obj_get(root, "source"), source_name, SKEP_SOURCE_COUNT, &source))
        return bad(err, SKEP_STR("source"), "not the name of a source");
    if (b->n_rows >= SKEP_LIMIT_BATCH_ROWS)
        return skep_fail(err, SKEP_ETOOLARGE, "more than %d rows", SKEP_LIMIT_BATCH_ROWS);
    uint32_t row = skep_batch_row(b, (enum skep_kind)kind, time_ns, (enum skep_source)source);
    yyjson_obj_foreach(root, i, max, key, v)
    {
        if (b->over_budget || b->over_limit)
            break;
        SKEP_TRY(member(r, b, row, text_of(key), v, err));
    }
    if (b->over_budget)
        return skep_fail(err, SKEP_ENOMEM, "the rows do not fit the memory budget");
    return b->over_limit ? skep_fail(err, SKEP_ETOOLARGE, "over a limit of one request") : SKEP_OK;
}

skep_rc skep_row_read(struct skep_row_reader *r, skep_str line, struct skep_batch *b, skep_err *err)
{
    skep_assert(r && b);
    if (b->n_rows == 0) /* a new batch, which may lie where the last one did */
        for (unsigned i = 0; i < SKEP_ARRAY_LEN(r->last); i++)
            skep_buf_reset(&r->last[i].json);
    if (line.n == 0 || line.n > SKEP_LIMIT_ROW_LINE_BYTES)
        return skep_fail(err, line.n ? SKEP_ETOOLARGE : SKEP_EMALFORMED, "a line of %zu bytes",
                         line.n);
    uint64_t memory = yyjson_read_max_memory_usage(line.n, 0);
    if (r->budget)
        SKEP_TRY(skep_budget_take(r->budget, memory, err));
    yyjson_read_err why;
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)line.p, line.n, 0, NULL, &why);
    skep_rc rc =
        doc ? row_of(r, yyjson_doc_get_root(doc), b, err)
            : skep_fail(err, SKEP_EMALFORMED, "not JSON at byte %zu: %s", why.pos, why.msg);
    yyjson_doc_free(doc);
    if (r->budget)
        skep_budget_give(r->budget, memory);
    return rc;
}
