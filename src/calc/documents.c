// SPDX-License-Identifier: Apache-2.0
/* JSON documents: lists and maps, as compact JSON text.
 * Threads: any.  Memory: a document is parsed for a call; results in the context's scratch. */
#include <yyjson.h>

#include "base/assert.h"
#include "calc/calc_priv.h"
#include "wire/json_out.h"

static yyjson_doc *parse(const skep_value *v)
{
    bool text = v->type == SKEP_TYPE_STRING || v->type == SKEP_TYPE_ARRAY;
    return text && v->s.n <= SKEP_LIMIT_CALC_TEXT ? yyjson_read(v->s.p, v->s.n, 0) : NULL;
}

/* A value of a document: scalars as themselves, lists and maps as documents. */
static skep_value of_json(struct skep_calc_ctx *ctx, yyjson_val *v)
{
    if (yyjson_is_str(v))
        return skep_calc__copy(ctx, (skep_str){yyjson_get_str(v), yyjson_get_len(v)});
    if (yyjson_is_bool(v))
        return skep_calc__bool(yyjson_get_bool(v));
    if (yyjson_is_sint(v) || (yyjson_is_uint(v) && yyjson_get_uint(v) <= INT64_MAX))
        return skep_calc__int(yyjson_get_sint(v));
    if (yyjson_is_num(v))
        return skep_calc__double(yyjson_get_num(v));
    if (!yyjson_is_ctn(v))
        return SKEP_CALC__NULL;
    size_t n = 0;
    char *text = yyjson_val_write(v, 0, &n);
    skep_value r = SKEP_CALC__NULL;
    if (text)
        r = skep_calc__copy(ctx, (skep_str){text, n});
    free(text); // tidy: allow banned: yyjson's own allocation
    r.type = r.type == SKEP_TYPE_NULL ? r.type : SKEP_TYPE_ARRAY;
    return r;
}

static skep_value json_parse(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                             const skep_value *a)
{
    (void)e;
    yyjson_doc *doc = parse(&a[0]);
    skep_value v = doc ? of_json(ctx, yyjson_doc_get_root(doc)) : SKEP_CALC__NULL;
    yyjson_doc_free(doc);
    return v;
}

static skep_value json_stringify(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                                 const skep_value *a)
{
    char buf[64];
    struct skep_buf b;
    struct skep_json json;
    (void)e;
    if (a[0].type == SKEP_TYPE_ARRAY)
        return skep_calc__str(a[0].s);
    if (a[0].type == SKEP_TYPE_BOOL)
        return skep_calc__str(a[0].b ? SKEP_STR("true") : SKEP_STR("false"));
    if (a[0].type == SKEP_TYPE_INT || a[0].type == SKEP_TYPE_DOUBLE)
        return skep_calc__copy(ctx, skep_calc_text(&a[0], buf));
    if (a[0].type != SKEP_TYPE_STRING)
        return SKEP_CALC__NULL;
    skep_buf_init(&b, SKEP_LIMIT_CALC_TEXT);
    skep_json_init(&json, &b);
    skep_json_str(&json, a[0].s);
    skep_value v = b.bad ? SKEP_CALC__NULL : skep_calc__copy(ctx, skep_buf_text(&b));
    skep_buf_done(&b);
    return v;
}

static skep_value array_size(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                             const skep_value *a)
{
    (void)ctx;
    (void)e;
    yyjson_doc *doc = parse(&a[0]);
    yyjson_val *root = yyjson_doc_get_root(doc);
    skep_value v = SKEP_CALC__NULL;
    if (yyjson_is_arr(root))
        v = skep_calc__int((int64_t)yyjson_arr_size(root));
    yyjson_doc_free(doc);
    return v;
}

static skep_value array_contains(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                                 const skep_value *a)
{
    size_t i, n;
    yyjson_val *item;
    int c;
    (void)e;
    yyjson_doc *doc = parse(&a[0]);
    yyjson_val *root = yyjson_doc_get_root(doc);
    skep_value v = yyjson_is_arr(root) ? skep_calc__bool(false) : SKEP_CALC__NULL;
    yyjson_arr_foreach(root, i, n, item)
    {
        skep_value x = of_json(ctx, item);
        if (skep_calc_compare(ctx, &x, &a[1], &c) && c == 0)
            v = skep_calc__bool(true);
    }
    yyjson_doc_free(doc);
    return v;
}

/* path(document, "key" or index, ...): one step after the other. */
static skep_value path(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    yyjson_doc *doc = parse(&a[0]);
    yyjson_val *v = yyjson_doc_get_root(doc);
    for (unsigned i = 1; v && i < e->n_args; i++) {
        uint64_t index;
        if (a[i].type == SKEP_TYPE_INT && yyjson_is_arr(v))
            v = a[i].i >= 0 ? yyjson_arr_get(v, (size_t)a[i].i) : NULL;
        else if (a[i].type != SKEP_TYPE_STRING)
            v = NULL;
        else if (yyjson_is_arr(v))
            v = skep_str_u64(a[i].s, &index) ? yyjson_arr_get(v, (size_t)index) : NULL;
        else
            v = yyjson_obj_getn(v, a[i].s.p, a[i].s.n);
    }
    skep_value r = v ? of_json(ctx, v) : SKEP_CALC__NULL;
    yyjson_doc_free(doc);
    return r;
}

#define J "json"
const struct skep_calc_fn skep_calc__documents[] = {
    {"jsonParse", "jsonParse(text)", "The list, map or value that the text writes.", J, 1, 1,
     json_parse, NULL, 0},
    {"jsonStringify", "jsonStringify(a)", "The text that writes it.", J, 1, 1, json_stringify, NULL,
     0},
    {"jsonArraySize", "jsonArraySize(list)", "How many elements it has.", J, 1, 1, array_size, NULL,
     0},
    {"jsonArrayContains", "jsonArrayContains(list, a)", "Is it one of the elements?", J, 2, 2,
     array_contains, NULL, 0},
    {"path", "a.key, a[index]", "A value inside a list or map.", "operator", 2,
     SKEP_LIMIT_CALC_ARGS, path, NULL, 0},
    {.name = NULL},
};
