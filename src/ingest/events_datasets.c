// SPDX-License-Identifier: Apache-2.0
/* What people said of datasets that their events are taken by: expand_json_depth.
 *
 *   state/objects.h (DATASET) -> skep_ingest_datasets_load: those that say a depth; swapped whole
 *
 * A request looks its dataset up by slug, so that a name in any case and with any signs is the one
 * that was meant.  Usually there is none: then it costs a lock.
 *
 * Threads: any; the table under the ingest's lock.  Memory: its own arena. */
#include "base/assert.h"
#include "base/mem.h"
#include "ingest/events_http.h"
#include "state/objects.h"

struct skep_ingest__depths {
    struct skep_arena arena;
    struct depth {
        skep_str environment, slug;
        unsigned depth;
    } * of;
    size_t n;
};

static void depths_free(struct skep_ingest__depths *t)
{
    if (!t)
        return;
    skep_arena_done(&t->arena);
    skep_free(t);
}

static void replace(struct skep_ingest *in, struct skep_ingest__depths *t)
{
    skep_mutex_lock(&in->lock);
    struct skep_ingest__depths *old = in->depths;
    in->depths = t;
    skep_mutex_unlock(&in->lock);
    depths_free(old);
}

void skep_ingest__datasets_done(struct skep_ingest *in)
{
    replace(in, NULL);
}

static unsigned depth_of(const struct skep_object *o)
{
    yyjson_doc *doc = yyjson_read(o->body.p, o->body.n, 0);
    yyjson_val *v = yyjson_obj_get(yyjson_doc_get_root(doc), "expand_json_depth");
    int64_t depth = yyjson_is_int(v) ? yyjson_get_sint(v) : 0;
    yyjson_doc_free(doc);
    return depth > 0 && depth <= SKEP_EVENTS_DEPTH_MAX ? (unsigned)depth : 0;
}

skep_rc skep_ingest_datasets_load(struct skep_ingest *in, skep_err *err)
{
    struct skep_arena scratch;
    struct skep_object *all = NULL;
    size_t n = 0;
    if (!in->cfg.state)
        return SKEP_OK;
    skep_arena_init(&scratch, "datasets", NULL);
    skep_rc rc =
        skep_state_objects(in->cfg.state, SKEP_OBJECT_DATASET, NULL, NULL, &scratch, &all, &n, err);
    struct skep_ingest__depths *t = NULL;
    for (size_t i = 0; rc == SKEP_OK && i < n; i++) {
        unsigned depth = depth_of(&all[i]);
        if (depth == 0)
            continue;
        if (!t) {
            t = skep_alloc(struct skep_ingest__depths);
            skep_arena_init(&t->arena, "datasets", NULL);
            t->of = skep_new_n(&t->arena, struct depth, n);
        }
        t->of[t->n++] = (struct depth){skep_arena_str(&t->arena, all[i].environment),
                                       skep_arena_str(&t->arena, all[i].scope), depth};
    }
    if (rc == SKEP_OK)
        replace(in, t);
    skep_arena_done(&scratch);
    return rc;
}

unsigned skep_events__depth(struct skep_ingest *in, struct skep_arena *arena, skep_str environment,
                            skep_str dataset)
{
    unsigned depth = 0;
    skep_str slug = skep_state_slug(arena, dataset);
    skep_mutex_lock(&in->lock);
    const struct skep_ingest__depths *t = in->depths;
    for (size_t i = 0; t && i < t->n && depth == 0; i++)
        if (skep_str_eq(t->of[i].slug, slug) && skep_str_eq(t->of[i].environment, environment))
            depth = t->of[i].depth;
    skep_mutex_unlock(&in->lock);
    return depth;
}
