// SPDX-License-Identifier: Apache-2.0
/* skep verify: one segment.
 *
 *   head, footer, trailer       one finding: without them nothing of it can be read
 *   every chunk                 a finding for each bad one, with the rows it concerns
 *   what the chunks hold        when all are good: values, order, bounds, index (segment_verify.c)
 *   what the manifest says      rows, bytes, commits, times, the file of its live rows
 *
 * Threads: one.  Memory: a cache of 64 MiB, and the segment's footer. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/engine.h"
#include "store/column/segment.h"
#include "store/column/segment_check.h"
#include "store/column/tool.h"

struct seen {
    struct skep_verify *v;
    struct skep_rowset *rs;
    skep_str name;
    const char *path; /* DIR/seg/<number>.seg */
};

static void on_bad(void *ctx, const struct skep_segment_bad *b)
{
    struct seen *s = ctx;
    struct skep_finding f = {.level = SKEP_FINDING_DAMAGE,
                             .file = s->name,
                             .offset = b->offset,
                             .bytes = b->bytes,
                             .min_seq = s->rs->min_seq,
                             .max_seq = s->rs->max_seq,
                             .rows = b->n_rows};
    if (b->n_rows == 0)
        skep_verify__found(s->v, f, "%s: its checksum does not hold; no row is lost by it",
                           b->what);
    else
        skep_verify__found(
            s->v, f,
            "%s%s" SKEP_STRFMT ": the checksum does not hold; rows %llu to %llu are concerned",
            b->what, b->column.n ? " of " : "", SKEP_STRARG(b->column),
            (unsigned long long)b->first_row, (unsigned long long)(b->first_row + b->n_rows - 1));
}

static void against_manifest(struct seen *s, const struct skep_manifest_segment *m)
{
    const struct skep_rowset *rs = s->rs;
    if (rs->n_rows == m->n_rows && rs->min_seq == m->min_seq && rs->max_seq == m->max_seq &&
        rs->bytes == m->file_bytes && rs->bounds.min_start_ns == m->bounds.min_start_ns &&
        rs->bounds.max_start_ns == m->bounds.max_start_ns &&
        rs->bounds.max_end_ns == m->bounds.max_end_ns)
        return;
    skep_verify__found(s->v,
                       (struct skep_finding){.level = SKEP_FINDING_DAMAGE,
                                             .file = s->name,
                                             .min_seq = m->min_seq,
                                             .max_seq = m->max_seq,
                                             .rows = m->n_rows},
                       "it is not the segment that the manifest names");
}

/* The file of its live rows, beside it.  SKEP_ENOTFOUND: gone, or replaced a moment ago. */
static skep_rc live_rows(struct seen *s, const struct skep_manifest_segment *m, skep_err *err)
{
    skep_path dir = skep_path_of("%s", s->path);
    for (int k = 0; k < 2; k++) /* without "/seg/<number>.seg" */
        *strrchr(dir.s, '/') = 0;
    struct skep_live *live = NULL;
    skep_err why;
    char name[32];
    (void)snprintf(name, sizeof name, "seg/%016" PRIx64 ".live", m->live.number);
    skep_rc rc = skep_live_load(s->v->t->os, dir.s, m, s->rs, &live, &why);
    skep_live_unref(live);
    s->v->r.bytes += rc == SKEP_OK ? m->live.bytes : 0;
    if (rc == SKEP_ECORRUPT || rc == SKEP_EIO) {
        skep_verify__found(s->v,
                           (struct skep_finding){.level = SKEP_FINDING_DAMAGE,
                                                 .file = skep_str_c(name),
                                                 .min_seq = m->min_seq,
                                                 .max_seq = m->max_seq,
                                                 .rows = m->live.deleted + m->live.superseded},
                           "%s", why.text);
        return SKEP_OK;
    }
    if (rc != SKEP_OK && err)
        *err = why;
    return rc;
}

static skep_rc opened(struct seen *s, const struct skep_manifest_segment *m, skep_err *err)
{
    struct skep_segment_health h;
    SKEP_TRY(skep_segment__health(s->rs, on_bad, s, &h, err));
    skep_free(h.bad_group);
    if (m) {
        against_manifest(s, m);
        SKEP_TRY(live_rows(s, m, err));
    }
    if (h.n_bad > 0)
        return SKEP_OK;
    skep_err why;
    skep_rc rc = skep_segment__verify(s->rs, &why);
    if (rc == SKEP_ECORRUPT || rc == SKEP_EIO) {
        skep_verify__found(s->v,
                           (struct skep_finding){.level = SKEP_FINDING_DAMAGE,
                                                 .file = s->name,
                                                 .min_seq = s->rs->min_seq,
                                                 .max_seq = s->rs->max_seq,
                                                 .rows = s->rs->n_rows},
                           "%s", why.text);
        return SKEP_OK;
    }
    if (rc != SKEP_OK && err)
        *err = why;
    return rc;
}

skep_rc skep_verify__segment(struct skep_verify *v, const char *path, skep_str name,
                             const struct skep_manifest_segment *m, skep_err *err)
{
    struct skep_cache *cache = skep_cache_new(NULL, 64ull << 20);
    struct seen s = {.v = v, .name = name, .path = path};
    skep_err why;
    skep_rc rc = skep_segment_open(v->t->os, path, cache, &s.rs, &why);
    if (rc == SKEP_ECORRUPT || rc == SKEP_EIO) {
        struct skep_finding f = {.level = SKEP_FINDING_DAMAGE, .file = name};
        if (m) {
            f.min_seq = m->min_seq;
            f.max_seq = m->max_seq;
            f.rows = m->n_rows;
        }
        skep_verify__found(v, f, "it cannot be opened: %s", why.text);
        v->r.bytes += m ? m->file_bytes : 0;
        rc = SKEP_OK;
    } else if (rc == SKEP_OK) {
        v->r.rows += s.rs->n_rows;
        v->r.bytes += s.rs->bytes;
        rc = opened(&s, m, err);
    } else if (err) {
        *err = why;
    }
    skep_rowset_unref(s.rs);
    skep_cache_free(cache);
    if (rc == SKEP_OK)
        v->r.files++;
    if (rc == SKEP_OK && v->t->progress)
        v->t->progress(v->t->ctx, v->r.bytes, v->total_bytes);
    return rc;
}
