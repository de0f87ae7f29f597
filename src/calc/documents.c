// SPDX-License-Identifier: Apache-2.0
/* JSON documents: lists and maps, as compact JSON text.
 * Threads: any; a context belongs to one.  Memory: a document is read for a call, or kept in the
 * context's docs until they are cleared; results in the context's scratch. */
#include <yyjson.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "calc/calc_priv.h"
#include "wire/json_out.h"

enum {
    DOCS_SLOTS = 4096, /* a power of two */
    DOCS_MAX = 2048,   /* kept: a batch's, and texts made of them */
    DOCS_TEXT = 8192,  /* bytes of the longest text whose document is kept */
    DOCS_BYTES = 4 << 20
};

/* By the place of the text: the same text at another place is read again. */
struct skep_calc_docs {
    struct skep_arena arena;
    size_t bytes;
    unsigned n;
    struct kept {
        skep_str text;
        yyjson_doc *doc;
    } slots[DOCS_SLOTS];
};

struct skep_calc_docs *skep_calc_docs_new(struct skep_budget *budget)
{
    struct skep_calc_docs *d = skep_alloc(struct skep_calc_docs);
    skep_arena_init(&d->arena, "documents", budget);
    return d;
}

void skep_calc_docs_clear(struct skep_calc_docs *d)
{
    if (!d || d->n == 0)
        return;
    memset(d->slots, 0, sizeof d->slots);
    d->n = 0;
    d->bytes = 0;
    skep_arena_reset(&d->arena);
}

void skep_calc_docs_free(struct skep_calc_docs *d)
{
    if (!d)
        return;
    skep_arena_done(&d->arena);
    skep_free(d);
}

static struct kept *place_of(struct skep_calc_docs *d, skep_str text)
{
    uint32_t at = (uint32_t)skep_hash_u64((uint64_t)(uintptr_t)text.p + text.n) % DOCS_SLOTS;
    while (d->slots[at].doc && (d->slots[at].text.p != text.p || d->slots[at].text.n != text.n))
        at = (at + 1) % DOCS_SLOTS;
    return &d->slots[at];
}

static void *docs_malloc(void *ctx, size_t n)
{
    struct skep_calc_docs *d = ctx;
    d->bytes += n;
    return skep_arena_try_alloc(&d->arena, n);
}

static void *docs_realloc(void *ctx, void *p, size_t before, size_t n)
{
    if (n <= before)
        return p;
    void *to = docs_malloc(ctx, n);
    if (to)
        memcpy(to, p, before);
    return to;
}

static void docs_nothing(void *ctx, void *p)
{
    (void)ctx;
    (void)p;
}

/* A document for the time of a call. */
struct open {
    yyjson_doc *doc;
    bool kept;
};

/* The document of a text, kept for the next; *ret_read false: there is no room, or it is too long.
 */
static yyjson_doc *kept_doc(struct skep_calc_docs *d, skep_str text, bool *ret_read)
{
    struct kept *k = place_of(d, text);
    yyjson_alc alc = {docs_malloc, docs_realloc, docs_nothing, d};
    yyjson_read_err err = {0};
    *ret_read = true;
    if (k->doc)
        return k->doc;
    *ret_read = text.n <= DOCS_TEXT && d->n < DOCS_MAX && d->bytes < DOCS_BYTES;
    if (!*ret_read)
        return NULL;
    /* Not inserted into: the text is copied by the parser. */
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)text.p, text.n, 0, &alc, &err);
    *ret_read = doc || err.code != YYJSON_READ_ERROR_MEMORY_ALLOCATION;
    if (doc) {
        *k = (struct kept){text, doc};
        d->n++;
    }
    return doc;
}

static struct open parse(struct skep_calc_ctx *ctx, const skep_value *v)
{
    struct open o = {.doc = NULL};
    bool text = v->type == SKEP_TYPE_STRING || v->type == SKEP_TYPE_ARRAY;
    if (!text || v->s.n == 0 || v->s.n > SKEP_LIMIT_CALC_TEXT)
        return o;
    if (ctx->docs)
        o.doc = kept_doc(ctx->docs, v->s, &o.kept);
    if (!o.kept)
        o.doc = yyjson_read(v->s.p, v->s.n, 0);
    return o;
}

static void close_doc(struct open o)
{
    if (!o.kept)
        yyjson_doc_free(o.doc);
}

/* The text was made of the document, so it need not be read. */
static void also_kept(struct skep_calc_ctx *ctx, skep_str text, struct open o)
{
    if (!o.kept || text.n > DOCS_TEXT || ctx->docs->n == DOCS_MAX)
        return;
    struct kept *k = place_of(ctx->docs, text);
    ctx->docs->n += k->doc == NULL;
    *k = (struct kept){text, o.doc};
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
    struct open o = parse(ctx, &a[0]);
    skep_value v = o.doc ? of_json(ctx, yyjson_doc_get_root(o.doc)) : SKEP_CALC__NULL;
    if (v.type == SKEP_TYPE_ARRAY)
        also_kept(ctx, v.s, o);
    close_doc(o);
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
    (void)e;
    struct open o = parse(ctx, &a[0]);
    yyjson_val *root = yyjson_doc_get_root(o.doc);
    skep_value v = SKEP_CALC__NULL;
    if (yyjson_is_arr(root))
        v = skep_calc__int((int64_t)yyjson_arr_size(root));
    close_doc(o);
    return v;
}

static skep_value array_contains(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                                 const skep_value *a)
{
    size_t i, n;
    yyjson_val *item;
    int c;
    (void)e;
    struct open o = parse(ctx, &a[0]);
    yyjson_val *root = yyjson_doc_get_root(o.doc);
    skep_value v = yyjson_is_arr(root) ? skep_calc__bool(false) : SKEP_CALC__NULL;
    yyjson_arr_foreach(root, i, n, item)
    {
        skep_value x = of_json(ctx, item);
        if (skep_calc_compare(ctx, &x, &a[1], &c) && c == 0)
            v = skep_calc__bool(true);
    }
    close_doc(o);
    return v;
}

/* One step after the other: a key, or an index of a list. */
static yyjson_val *walk(yyjson_val *v, const skep_value *steps, unsigned n)
{
    for (unsigned i = 0; v && i < n; i++) {
        uint64_t index;
        if (steps[i].type == SKEP_TYPE_INT && yyjson_is_arr(v))
            v = steps[i].i >= 0 ? yyjson_arr_get(v, (size_t)steps[i].i) : NULL;
        else if (steps[i].type != SKEP_TYPE_STRING)
            v = NULL;
        else if (yyjson_is_arr(v))
            v = skep_str_u64(steps[i].s, &index) ? yyjson_arr_get(v, (size_t)index) : NULL;
        else
            v = yyjson_obj_getn(v, steps[i].s.p, steps[i].s.n);
    }
    return v;
}

/* path(document, "key" or index, ...) */
static skep_value path(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    struct open o = parse(ctx, &a[0]);
    yyjson_val *v = walk(yyjson_doc_get_root(o.doc), a + 1, e->n_args - 1);
    skep_value r = v ? of_json(ctx, v) : SKEP_CALC__NULL;
    close_doc(o);
    return r;
}

/* path(jsonParse(text), ...).  Of a text that is short enough for the document's text not to be too
 * long, and a list or map, that text need not be made. */
skep_value skep_calc__member(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                             const skep_value *a)
{
    struct open o = parse(ctx, &a[0]);
    yyjson_val *root = yyjson_doc_get_root(o.doc);
    skep_value r = SKEP_CALC__NULL;
    bool direct = yyjson_is_ctn(root) && a[0].s.n <= SKEP_LIMIT_CALC_TEXT / 8;
    if (direct) {
        yyjson_val *v = walk(root, a + 1, e->n_args - 1);
        r = v ? of_json(ctx, v) : r;
    } else if (root) { /* a text may write a document again */
        skep_value *again = skep_arena_try_alloc(ctx->scratch, e->n_args * sizeof *again);
        if (again) {
            memcpy(again, a, e->n_args * sizeof *again);
            again[0] = of_json(ctx, root);
            r = path(ctx, e, again);
        }
        ctx->short_of_memory = ctx->short_of_memory || !again;
    }
    close_doc(o);
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
