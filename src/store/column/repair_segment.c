// SPDX-License-Identifier: Apache-2.0
/* skep repair: one segment.
 *
 *   every chunk good, every promise kept   it stays
 *   some row groups damaged                the others are written to a new segment (slice.c), the
 *                                          damaged ones are lost; the old file is set aside
 *   only the trace index damaged           the same, and nothing is lost
 *   anything else                          it is set aside whole
 *
 *
 * Which of its rows are dead stands in a file beside it (live.c).  When that cannot be read the
 * segment stays, and the rows that were deleted or superseded are back: losing them all would be
 * worse, and it is said how many they are.
 *
 * I1  what is served afterwards are exactly the live rows of undamaged row groups.
 *
 * Threads: one.  Memory: the order of the saved rows, from the budget given; without enough of it
 * the segment is set aside whole, and the message says how much it takes. */
#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "store/column/engine.h"
#include "store/column/kill.h"
#include "store/column/path.h"
#include "store/column/repair.h"
#include "store/column/segment.h"
#include "store/column/segment_check.h"
#include "store/column/slice.h"

enum { CACHE_BYTES = 64 << 20 };

struct patient {
    struct skep_repair *p;
    unsigned i; /* in p->s.segments */
    struct skep_rowset *rs;
    struct skep_segment_health h;
    struct skep_live *live; /* NULL = all rows live */
    char name[32];
};

static const struct skep_manifest_segment *said(const struct patient *x)
{
    return &x->p->s.segments[x->i];
}

static void drop(struct skep_manifest_state *s, unsigned i)
{
    memmove(s->segments + i, s->segments + i + 1, (s->n - i - 1) * sizeof s->segments[0]);
    s->n--;
}

/* Dead rows go with the old file: they are counted as gone, not as lost. */
static void count_dead(struct patient *x)
{
    struct skep_manifest_totals *t = &x->p->s.totals;
    t->deleted_rows += said(x)->live.deleted;
    t->superseded_rows += said(x)->live.superseded;
    x->p->s.segments[x->i].live = (struct skep_manifest_live){0};
}

static void lose_all(struct patient *x, const char *why)
{
    const struct skep_manifest_segment *m = said(x);
    uint64_t rows = m->n_rows - m->live.deleted - m->live.superseded;
    count_dead(x);
    const struct skep_missing lost = {.kind = SKEP_MISSING_SEGMENT,
                                      .number = m->number,
                                      .min_seq = m->min_seq,
                                      .max_seq = m->max_seq,
                                      .rows = rows,
                                      .min_start_ns = m->bounds.min_start_ns,
                                      .max_start_ns = m->bounds.max_start_ns,
                                      .found_ns = x->p->now_ns};
    skep_repair__tell(x->p, SKEP_FINDING_NOTE, skep_str_c(x->name), "set aside: %s", why);
    if (rows > 0)
        skep_repair__lose(x->p, &lost);
    skep_repair__set_aside(x->p, m->number);
    x->p->r.segments_aside++;
    x->p->r.lost_rows += rows;
    drop(&x->p->s, x->i);
}

/* Live rows of the damaged groups. */
static uint64_t rows_lost(const struct patient *x)
{
    uint64_t rows = x->h.bad_rows;
    for (uint64_t row = 0; x->live && row < x->rs->row_end; row++) {
        uint64_t block = row / SKEP_BLOCK_ROWS;
        if (x->h.bad_group[row / SKEP_ROW_GROUP_ROWS] &&
            row % SKEP_BLOCK_ROWS < skep_rowset_block_rows(x->rs, block))
            rows -= !skep_live_has(x->live, row);
    }
    return rows;
}

/* Times of the damaged groups. */
static void lose_groups(struct patient *x)
{
    enum { BLOCKS = SKEP_ROW_GROUP_ROWS / SKEP_BLOCK_ROWS };
    const struct skep_manifest_segment *m = said(x);
    struct skep_missing lost = {.kind = SKEP_MISSING_SEGMENT,
                                .number = m->number,
                                .min_seq = m->min_seq,
                                .max_seq = m->max_seq,
                                .rows = rows_lost(x),
                                .min_start_ns = INT64_MAX,
                                .max_start_ns = INT64_MIN,
                                .found_ns = x->p->now_ns};
    for (uint64_t b = 0; b < skep_rowset_blocks(x->rs); b++) {
        if (!x->h.bad_group[b / BLOCKS] || skep_rowset_block_rows(x->rs, b) == 0)
            continue;
        lost.min_start_ns = SKEP_MIN(lost.min_start_ns, x->rs->blocks[b].min_start_ns);
        lost.max_start_ns = SKEP_MAX(lost.max_start_ns, x->rs->blocks[b].max_start_ns);
    }
    if (lost.rows == 0)
        return;
    skep_repair__lose(x->p, &lost);
    x->p->r.lost_rows += lost.rows;
}

/* The live rows of the part that is good: rows keep their ids, not their numbers. */
static skep_rc live_of(struct patient *x, struct skep_rowset *good, struct skep_live **ret,
                       skep_err *err)
{
    struct skep_mask dead, still;
    struct skep_row_keys keys = {0};
    uint64_t killed;
    *ret = NULL;
    if (!x->live)
        return SKEP_OK;
    skep_live_diff(NULL, x->live, x->rs, &dead);
    skep_mask_init(&still, good);
    skep_rc rc = SKEP_OK;
    for (uint32_t g = 0; g < x->h.n_groups && rc == SKEP_OK; g++)
        if (!x->h.bad_group[g])
            rc = skep_row_keys_of(x->rs, &dead, g, &keys, err);
    skep_row_keys_sort(&keys);
    if (rc == SKEP_OK && keys.n > 0)
        rc = skep_row_keys_find(good, &keys, &still, err);
    if (rc == SKEP_OK)
        *ret = skep_live_kill(NULL, &still, SKEP_DEATH_DELETED, &killed);
    skep_row_keys_done(&keys);
    skep_mask_done(&still);
    skep_mask_done(&dead);
    return rc;
}

static skep_rc write_anew(struct patient *x, struct skep_rowset *good, struct skep_live *live,
                          uint64_t number, struct skep_segment_info *info, skep_err *err)
{
    struct skep_repair *p = x->p;
    const struct skep_os *os = p->t->os;
    const struct skep_segment_source source = {.rowset = good, .live = live};
    skep_path tmp = skep_path_of("%s/seg/%016" PRIx64 ".tmp", p->dir, number);
    skep_path path = skep_path_of("%s/seg/%016" PRIx64 ".seg", p->dir, number);
    const struct skep_segment_job job = {.os = os,
                                         .path = tmp.s,
                                         .sources = &source,
                                         .n_sources = 1,
                                         .layout = (enum skep_layout)good->layout,
                                         .budget = p->memory};
    skep_rc rc = skep_segment_write(&job, info, err);
    if (rc == SKEP_OK)
        rc = os->rename(os, tmp.s, path.s, err);
    if (rc == SKEP_OK)
        rc = skep_segment_verify(os, path.s, NULL, err);
    if (rc != SKEP_OK) {
        (void)os->unlink(os, tmp.s, NULL);
        (void)os->unlink(os, path.s, NULL);
    }
    return rc;
}

/* The good row groups as a new segment in place of the old one. */
static skep_rc save(struct patient *x, bool *ret_dropped, skep_err *err)
{
    struct skep_repair *p = x->p;
    uint32_t *groups = skep_alloc_n(uint32_t, x->h.n_groups);
    uint32_t n = 0;
    for (uint32_t g = 0; g < x->h.n_groups; g++)
        if (!x->h.bad_group[g])
            groups[n++] = g;
    struct skep_rowset *good = skep_slice_new(x->rs, groups, n);
    skep_free(groups);
    struct skep_segment_info info = {.n_rows = good->n_rows};
    uint64_t number = p->s.next_segment++; /* not used when all of it is dead */
    struct skep_live *live = NULL;
    skep_rc rc = live_of(x, good, &live, err);
    if (rc == SKEP_OK && live)
        info.n_rows = live->n_live;
    if (rc == SKEP_OK && !p->opts->dry_run && info.n_rows > 0)
        rc = write_anew(x, good, live, number, &info, err);
    skep_live_unref(live);
    skep_rowset_unref(good);
    if (rc != SKEP_OK)
        return rc;
    lose_groups(x);
    skep_repair__set_aside(p, said(x)->number);
    count_dead(x);
    if (info.n_rows == 0) {
        skep_repair__tell(p, SKEP_FINDING_NOTE, skep_str_c(x->name),
                          "set aside: %u of %u row groups are damaged, and all rows of the others "
                          "are dead",
                          x->h.n_bad_groups, x->h.n_groups);
        p->r.segments_aside++;
        drop(&p->s, x->i);
        *ret_dropped = true;
        return SKEP_OK;
    }
    skep_repair__tell(p, SKEP_FINDING_NOTE, skep_str_c(x->name),
                      "%u of %u row groups are damaged; the other %" PRIu64
                      " rows were saved to segment %016" PRIx64,
                      x->h.n_bad_groups, x->h.n_groups, info.n_rows, number);
    p->r.segments_saved++;
    struct skep_manifest_segment *m = &p->s.segments[x->i];
    m->number = number;
    m->n_rows = info.n_rows;
    if (!p->opts->dry_run) {
        m->file_bytes = info.file_bytes;
        m->min_seq = info.min_seq;
        m->max_seq = info.max_seq;
        m->bounds = info.bounds;
    }
    return SKEP_OK;
}

/* Which rows are dead; damage of that file is told, and all of them live. */
static skep_rc load_live(struct patient *x, skep_err *err)
{
    struct skep_manifest_segment *m = &x->p->s.segments[x->i];
    skep_err why;
    char name[32];
    skep_rc rc = skep_live_load(x->p->t->os, x->p->dir, m, x->rs, &x->live, &why);
    if (rc == SKEP_OK)
        return rc;
    if (rc != SKEP_ECORRUPT && rc != SKEP_EIO && rc != SKEP_ENOTFOUND) {
        if (err)
            *err = why;
        return rc;
    }
    (void)snprintf(name, sizeof name, "seg/%016" PRIx64 ".live", m->live.number);
    skep_repair__tell(x->p, SKEP_FINDING_DAMAGE, skep_str_c(name),
                      "it cannot be read: %" PRIu64 " deleted and %" PRIu64
                      " superseded rows of segment %016" PRIx64
                      " are back; what must not be there has to be deleted again",
                      m->live.deleted, m->live.superseded, m->number);
    x->p->r.undeleted_rows += m->live.deleted + m->live.superseded;
    x->p->r.changed = true;
    skep_repair__set_aside(x->p, m->live.number);
    m->live = (struct skep_manifest_live){0};
    return SKEP_OK;
}

static skep_rc opened(struct patient *x, bool *ret_dropped, skep_err *err)
{
    const struct skep_manifest_segment *m = said(x);
    skep_err why;
    SKEP_TRY(skep_segment__health(x->rs, NULL, NULL, &x->h, err));
    skep_rc rc = SKEP_OK;
    if (x->rs->n_rows != m->n_rows || x->rs->min_seq != m->min_seq ||
        x->rs->max_seq != m->max_seq) {
        lose_all(x, "it is not the segment that the manifest names");
        *ret_dropped = true;
    } else if ((rc = load_live(x, &why)) != SKEP_OK) {
        skep_assert(why.text[0]);
    } else if (x->h.n_bad == 0) {
        rc = skep_segment__verify(x->rs, &why);
        if (rc == SKEP_ECORRUPT || rc == SKEP_EIO) {
            lose_all(x, why.text);
            *ret_dropped = true;
            rc = SKEP_OK;
        }
    } else if (x->h.n_bad_groups < x->h.n_groups) {
        rc = save(x, ret_dropped, &why);
        if (rc == SKEP_ENOMEM || rc == SKEP_ECORRUPT || rc == SKEP_EIO) {
            lose_all(x, why.text);
            *ret_dropped = true;
            rc = SKEP_OK;
        }
    } else {
        lose_all(x, "all of its row groups are damaged");
        *ret_dropped = true;
    }
    if (rc != SKEP_OK && err)
        *err = why;
    skep_free(x->h.bad_group);
    skep_live_unref(x->live);
    x->live = NULL;
    return rc;
}

skep_rc skep_repair__segment(struct skep_repair *p, unsigned i, bool *ret_dropped, skep_err *err)
{
    struct patient x = {.p = p, .i = i};
    struct skep_cache *cache = skep_cache_new(NULL, CACHE_BYTES);
    skep_err why;
    (void)snprintf(x.name, sizeof x.name, "seg/%016" PRIx64 ".seg", said(&x)->number);
    *ret_dropped = false;
    skep_rc rc =
        skep_segment_open(p->t->os, skep_path_of("%s/%s", p->dir, x.name).s, cache, &x.rs, &why);
    if (rc == SKEP_ECORRUPT || rc == SKEP_EIO || rc == SKEP_ENOTFOUND) {
        lose_all(&x, rc == SKEP_ENOTFOUND ? "the file is not there" : why.text);
        *ret_dropped = true;
        rc = SKEP_OK;
    } else if (rc == SKEP_OK) {
        rc = opened(&x, ret_dropped, err);
    } else if (err) {
        *err = why;
    }
    skep_rowset_unref(x.rs);
    skep_cache_free(cache);
    return rc;
}
