// SPDX-License-Identifier: Apache-2.0
/* A trace's segments as the documents that BatchGetTraces gives.
 *
 *   segment with a raw document, nothing came later      -> the document, byte for byte
 *   segment with a raw document, subsegments came later  -> the document with them in their places;
 *                                                           numbers keep their digits
 *   span of another wire                                 -> a document made from the row
 *   inferred segment                                     -> made from the call it stands for
 *   subsegment whose segment never came                  -> its own document
 *
 * I1  A subsegment stands in a document once: one that is in there already is not added again.
 *
 * Documents are trees of yyjson (any depth, written without recursion) in the trace's arena.
 * Threads: the request's worker. */
#include "api/xray_docs.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/hash.h"
#include "ingest/xray.h"

enum { NONE = -1 };

static void *arena_malloc(void *ctx, size_t n)
{
    return skep_arena_try_alloc(ctx, n);
}

static void *arena_realloc(void *ctx, void *p, size_t old, size_t n)
{
    void *fresh = skep_arena_try_alloc(ctx, n);
    if (fresh)
        memcpy(fresh, p, SKEP_MIN(old, n));
    return fresh;
}

static void arena_free(void *ctx, void *p)
{
    (void)ctx;
    (void)p;
}

struct docs {
    const struct skep_xray_trace *t;
    yyjson_alc alc;
    yyjson_mut_doc *doc; /* owner of all values */
    /* Every segment and subsegment that stands in a document, by id. */
    yyjson_mut_val **vals;
    uint64_t *ids;
    uint32_t n, cap;
    struct skep_index index;
};

static yyjson_mut_val *find(const struct docs *d, uint64_t id)
{
    struct skep_index_it it = skep_index_begin(&d->index, skep_hash_u64(id));
    for (uint32_t i; (i = skep_index_next(&d->index, &it)) != SKEP_INDEX_NONE;)
        if (d->ids[i] == id)
            return d->vals[i];
    return NULL;
}

static void remember(struct docs *d, uint64_t id, yyjson_mut_val *v)
{
    if (d->n == d->cap || find(d, id))
        return;
    d->ids[d->n] = id;
    d->vals[d->n] = v;
    skep_index_add(&d->index, skep_hash_u64(id), d->n++);
}

/* As the row that was made of it has it: odd ids are hashed. */
static bool id_of(yyjson_mut_val *v, uint64_t *ret)
{
    yyjson_mut_val *id = yyjson_mut_obj_get(v, "id");
    skep_str s = {yyjson_mut_get_str(id), yyjson_mut_get_len(id)};
    if (s.n == 0)
        return false;
    (void)skep_xray_span_id(s, ret);
    return true;
}

/* How many objects a document may hold, for the index: those that have an "id". */
static size_t count_in(const skep_str text)
{
    size_t n = 1;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '{';
    return n;
}

/* All segments in a value, the value too: a walk with a stack, whatever the depth. */
static void remember_all(struct docs *d, yyjson_mut_val *v, size_t most)
{
    size_t i, max, n = 0;
    uint64_t id;
    yyjson_mut_val *item;
    yyjson_mut_val **stack = skep_new_n(d->t->arena, yyjson_mut_val *, most + 1);
    stack[n++] = v;
    while (n) {
        yyjson_mut_val *at = stack[--n];
        if (id_of(at, &id))
            remember(d, id, at);
        yyjson_mut_val *list = yyjson_mut_obj_get(at, "subsegments");
        yyjson_mut_arr_foreach(list, i, max, item)
        {
            if (n < most && yyjson_mut_is_obj(item))
                stack[n++] = item;
        }
    }
}

/* The raw document of a row as a value; NULL when it has none.  Numbers keep their digits, and
 * those that are none (Python writes NaN) their words. */
static yyjson_mut_val *read_raw(struct docs *d, const struct skep_row *row)
{
    skep_str raw = skep_xray_text(d->t->arena, row, SKEP_RAW_FIELD);
    if (raw.n == 0)
        return NULL;
    yyjson_doc *doc =
        yyjson_read_opts(skep_cstr(d->t->arena, raw), raw.n,
                         YYJSON_READ_NUMBER_AS_RAW | YYJSON_READ_ALLOW_INF_AND_NAN, &d->alc, NULL);
    yyjson_val *root = yyjson_doc_get_root(doc);
    return yyjson_is_obj(root) ? yyjson_val_mut_copy(d->doc, root) : NULL;
}

static yyjson_mut_val *value_of(struct docs *d, int32_t seg)
{
    const struct skep_xray_seg *s = &d->t->segs[seg];
    yyjson_mut_val *v = s->made ? NULL : read_raw(d, s->row);
    if (!v)
        v = skep_api__xray_made(d->doc, d->t, seg);
    remember_all(d, v, count_in(skep_xray_text(d->t->arena, s->row, SKEP_RAW_FIELD)) + 1);
    return v;
}

/* Into the subsegments of `parent`, as AWS shows embedded ones. */
static void embed(struct docs *d, yyjson_mut_val *parent, yyjson_mut_val *v)
{
    yyjson_mut_val *list = yyjson_mut_obj_get(parent, "subsegments");
    if (!yyjson_mut_is_arr(list)) {
        (void)yyjson_mut_obj_remove_key(parent, "subsegments");
        list = yyjson_mut_arr(d->doc);
        (void)yyjson_mut_obj_add_val(d->doc, parent, "subsegments", list);
    }
    (void)yyjson_mut_obj_remove_key(v, "trace_id");
    (void)yyjson_mut_obj_remove_key(v, "type");
    (void)yyjson_mut_obj_remove_key(v, "parent_id");
    (void)yyjson_mut_arr_append(list, v);
}

/* The subsegments of a segment that its document lacks; returns how many. */
static size_t add_late(struct docs *d, int32_t seg, yyjson_mut_val *root)
{
    size_t n = 0;
    const struct skep_xray_trace *t = d->t;
    for (int32_t i = seg; (i = skep_xray_next(t, seg, i)) != NONE;) { /* parents first */
        const struct skep_xray_seg *s = &t->segs[i];
        if (find(d, s->id))
            continue;
        yyjson_mut_val *parent = find(d, t->segs[s->parent].id);
        embed(d, parent ? parent : root, value_of(d, i));
        n++;
    }
    return n;
}

static void put_segment(struct skep_json *json, uint64_t id, skep_str document)
{
    char text[16];
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("Id"), skep_api__span_id(text, id));
    skep_json_put_str(json, SKEP_STR("Document"), document);
    skep_json_end(json);
}

static skep_str written(struct docs *d, yyjson_mut_val *v)
{
    size_t n = 0;
    char *text = yyjson_mut_val_write_opts(v, 0, &d->alc, &n, NULL);
    return (skep_str){text, text ? n : 0};
}

static void put_own(struct docs *d, struct skep_json *json, int32_t seg)
{
    const struct skep_xray_seg *s = &d->t->segs[seg];
    skep_str raw = s->made ? SKEP_STR_NULL : skep_xray_text(d->t->arena, s->row, SKEP_RAW_FIELD);
    yyjson_mut_val *root = value_of(d, seg);
    bool whole = add_late(d, seg, root) == 0;
    put_segment(json, s->id, raw.n && whole ? raw : written(d, root));
}

/* What the call's document says of the other side goes into the inferred one. */
static void put_inferred(struct docs *d, struct skep_json *json, int32_t seg)
{
    static const char *const taken[] = {"http",  "aws",      "sql",  "error",
                                        "fault", "throttle", "cause"};
    const struct skep_xray_seg *s = &d->t->segs[seg];
    yyjson_mut_val *call = find(d, s->parent_id);
    yyjson_mut_val *v = skep_api__xray_made(d->doc, d->t, seg);
    for (size_t i = 0; call && i < SKEP_ARRAY_LEN(taken); i++) {
        yyjson_mut_val *member = yyjson_mut_obj_get(call, taken[i]);
        if (!member)
            continue;
        (void)yyjson_mut_obj_remove_key(v, taken[i]);
        (void)yyjson_mut_obj_add_val(d->doc, v, taken[i], yyjson_mut_val_mut_copy(d->doc, member));
    }
    put_segment(json, s->id, written(d, v));
}

bool skep_api__xray_documents(struct skep_json *json, const struct skep_xray_trace *t)
{
    struct docs d = {.t = t, .alc = {arena_malloc, arena_realloc, arena_free, t->arena}};
    size_t most = 0;
    for (int32_t i = 0; i < t->n; i++)
        most += count_in(skep_xray_text(t->arena, t->segs[i].row, SKEP_RAW_FIELD)) + 1;
    d.cap = (uint32_t)SKEP_MIN(most, (size_t)INT32_MAX);
    d.vals = skep_arena_try_alloc(t->arena, d.cap * sizeof *d.vals);
    d.ids = skep_arena_try_alloc(t->arena, d.cap * sizeof *d.ids);
    d.doc = yyjson_mut_doc_new(&d.alc);
    if (!d.vals || !d.ids || !d.doc)
        return false;
    skep_index_init(&d.index, 64);
    skep_json_array(json);
    for (int32_t i = 0; i < t->n; i++) {
        const struct skep_xray_seg *s = &t->segs[i];
        bool orphan = s->part == SKEP_XRAY_SUBSEGMENT && s->owner == NONE && !find(&d, s->id);
        if (s->part == SKEP_XRAY_SEGMENT)
            put_own(&d, json, i);
        else if (orphan)
            put_segment(json, s->id, written(&d, value_of(&d, i)));
    }
    for (int32_t i = 0; i < t->n; i++) /* their calls are known now */
        if (t->segs[i].part == SKEP_XRAY_INFERRED)
            put_inferred(&d, json, i);
    skep_json_end(json);
    skep_index_done(&d.index);
    return !t->arena->budget || !skep_budget_refused(t->arena->budget);
}
