// SPDX-License-Identifier: Apache-2.0
/* From parts to segments.
 *
 *   parts with max_seq <= N --> seg/<number>.tmp --fsync--> seg/<number>.seg --fsync dir-->
 *   manifest: add segment, checkpoint N, identities --> snapshot --> log files up to N are deleted
 *
 * Parts are flushed from the oldest on, so that one number (the checkpoint) says what is in
 * segments. When: all their commits are quiet for flush_quiet_ns and they are many or ten times as
 * old; or parts take more than part_limit_bytes; or the log is over its share; or an append was
 * refused.
 *
 * I1  a log file is deleted after the manifest that makes it superfluous is durable.
 * I2  a segment's file is deleted when it is in no manifest and no reader holds it: by the last
 * unref, or, if the process ends before, as an orphan by the next start.
 * I3  after a manifest edit of unknown outcome the new file stays; the next start decides.
 * I4  a flush never fails for want of memory: it has a reserve; with less than it likes it takes
 * fewer parts, and a single one (a request, or a fold of at most fold_bytes) beyond its budget.
 * I5  no part that stays holds a commit up to the checkpoint: its rows would be in no segment and
 * no log file.
 *
 * Threads: the flusher and callers of flush(), one at a time under flush_mu.  Locks: flush_mu ->
 * manifest_mu; flush_mu -> snap_mu. */
#include "store/column/engine.h"

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/column/exec.h"
#include "store/column/layout.h"
#include "store/column/live.h"
#include "store/column/part.h"

enum {
    FLUSH_BYTES = 32 << 20, /* quiet parts of this size are worth a segment */
    FLUSH_AGES = 10,        /* so many times flush_quiet_ns old they go anyway */
    OWN_AGES = 720,         /* and those with nothing but the server's own rows so much later */
    NAP_MS = 250,
    REST_NS = 2 * 1000000000, /* after a failure */
    SLICE_NS = 2000000        /* of a merge between two looks at who waits */
};
#define PATIENCE_NS (10ll * 1000000000) /* of segments that wait for a merge */

skep_path skep_engine__segment_path(const struct skep_engine *e, uint64_t number,
                                    const char *suffix)
{
    return skep_path_of("%s/seg/%016" PRIx64 "%s", e->dir, number, suffix);
}

struct skep_engine_segment *skep_engine__segment(struct skep_rowset *rs)
{
    return skep_part_of(rs) ? NULL : rs->on_last_unref_ctx;
}

struct skep_engine_segment *skep_engine__segment_must(struct skep_rowset *rs)
{
    struct skep_engine_segment *seg = skep_engine__segment(rs);
    skep_assert(seg != NULL);
    return seg;
}

static void last_unref(void *ctx, struct skep_rowset *rs)
{
    struct skep_engine_segment *seg = ctx;
    struct skep_engine *e = seg->engine;
    skep_partials_drop(e->partials, rs->serial);
    if (seg->doomed) { /* I2; if it fails the next start finds an orphan */
        (void)e->os->unlink(e->os, skep_engine__segment_path(e, seg->m.number, ".seg").s, NULL);
        if (seg->m.live.number)
            (void)e->os->unlink(e->os, skep_engine__segment_path(e, seg->m.live.number, ".live").s,
                                NULL);
        atomic_fetch_sub(&e->segment_bytes, seg->m.file_bytes + seg->m.live.bytes);
    }
    skep_live_unref(seg->saved);
    skep_ledger_done(&seg->counted.ledger);
    skep_free(seg);
}

skep_rc skep_engine__open_segment(struct skep_engine *e, const struct skep_manifest_segment *m,
                                  struct skep_rowset **ret, skep_err *err)
{
    struct skep_rowset *rs = NULL;
    SKEP_TRY(skep_segment_open(e->os, skep_engine__segment_path(e, m->number, ".seg").s, e->cache,
                               &rs, err));
    if (rs->layout != m->layout || rs->n_rows != m->n_rows || rs->min_seq != m->min_seq ||
        rs->max_seq != m->max_seq) {
        skep_rowset_unref(rs);
        return skep_fail(err, SKEP_ECORRUPT,
                         "segment %016" PRIx64 " is not the one the manifest names", m->number);
    }
    struct skep_engine_segment *seg = skep_alloc(struct skep_engine_segment);
    *seg = (struct skep_engine_segment){.engine = e, .m = *m};
    rs->lives = &e->lives;
    rs->on_last_unref = last_unref;
    rs->on_last_unref_ctx = seg;
    atomic_fetch_add(&e->segment_bytes, m->file_bytes + m->live.bytes);
    *ret = rs;
    return SKEP_OK;
}

uint64_t skep_engine__disk_bytes(struct skep_engine *e)
{
    return skep_wal_disk_bytes(e->wal) + atomic_load(&e->segment_bytes);
}

/* What a flush made. */
struct skep_flushed {
    struct skep_snapshot_set sets[SKEP_LAYOUT_COUNT];
    unsigned n;
    bool unknown; /* the manifest may name them */
    struct skep_budget *budget;
};

void skep_engine__doom(struct skep_engine *e, struct skep_rowset *rs)
{
    skep_mutex_lock(&e->snap_mu);
    skep_engine__segment_must(rs)->doomed = true;
    skep_mutex_unlock(&e->snap_mu);
}

/* A segment being written, for the writer's callbacks. */
struct writing {
    struct skep_engine *e;
    struct skep_engine_writing *work;
    bool gives_way;
    int64_t slice_ns; /* when it began to work */
};

/* A merge rests after each slice while appends wait or questions are answered.  Not when the slice
 * took much longer than it should, for then the scheduler made it wait already; nor when segments
 * have been waiting for it for long. */
static void give_way(struct writing *w)
{
    struct skep_engine *e = w->e;
    int64_t took = e->os->mono_ns(e->os) - w->slice_ns;
    if (took < SLICE_NS)
        return;
    int64_t since = atomic_load(&e->backlog_since_ns);
    bool late = since > 0 && e->os->now_ns(e->os) - since > PATIENCE_NS;
    if (took < 2 * SLICE_NS && !late) {
        skep_mutex_lock(&e->q_mu);
        bool wanted = e->q_pushed != e->q_finished;
        skep_mutex_unlock(&e->q_mu);
        if (wanted || atomic_load_explicit(&e->questions, memory_order_relaxed) > 0)
            (void)skep_engine__nap(e, &e->merge_bell, SLICE_NS / 1000000);
    }
    w->slice_ns = e->os->mono_ns(e->os);
}

static bool canceled(void *ctx)
{
    struct writing *w = ctx;
    if (w->gives_way && w->e->background)
        give_way(w);
    return atomic_load_explicit(&w->e->cancel, memory_order_relaxed) ||
           (w->gives_way && atomic_load_explicit(&w->e->want_space, memory_order_relaxed));
}

static void progress(void *ctx, uint64_t rows_done, uint64_t bytes)
{
    struct skep_engine_writing *work = ((struct writing *)ctx)->work;
    atomic_store(&work->rows_done, rows_done);
    atomic_store(&work->bytes, bytes);
}

static void begin_work(struct skep_engine *e, struct skep_engine_writing *work,
                       const struct skep_segment_source *sources, unsigned n)
{
    uint64_t rows = 0;
    for (unsigned i = 0; i < n; i++)
        rows += skep_live_rows(sources[i].live, sources[i].rowset);
    atomic_store(&work->rows_done, 0);
    atomic_store(&work->bytes, 0);
    atomic_store(&work->since_ns, e->os->now_ns(e->os));
    atomic_store(&work->rows, rows);
}

static skep_ts_ns received_max(struct skep_rowset *rs)
{
    const struct skep_part *part = skep_part_of(rs);
    return part ? part->received_max_ns : skep_engine__segment_must(rs)->m.received_max_ns;
}

static skep_rc put_in_place(struct skep_engine *e, uint64_t number, skep_err *err)
{
    const struct skep_os *os = e->os;
    SKEP_TRY(os->rename(os, skep_engine__segment_path(e, number, ".tmp").s,
                        skep_engine__segment_path(e, number, ".seg").s, err));
    skep_path dir = skep_path_of("%s/seg", e->dir);
    int fd;
    SKEP_TRY(os->open(os, dir.s, SKEP_OPEN_DIR, &fd, err));
    skep_rc rc = os->fsync(os, fd, err);
    os->close(os, fd);
    return rc;
}

/* Arrival and filing of what went into a segment. */
static skep_rc note_times(struct skep_engine *e, const struct skep_segment_source *sources,
                          unsigned n, struct skep_manifest_segment *m, skep_err *err)
{
    for (unsigned i = 0; i < n; i++) {
        struct skep_rowset *rs = sources[i].rowset;
        struct skep_filed f;
        m->received_max_ns = SKEP_MAX(m->received_max_ns, received_max(rs));
        if (skep_part_of(rs))
            SKEP_TRY(skep_engine__filed(e, rs, sources[i].live, &f, err));
        else
            f = skep_filed_segment(e, &skep_engine__segment_must(rs)->m);
        m->filed_min_ns = SKEP_MIN(m->filed_min_ns, f.min_ns);
        m->filed_max_ns = SKEP_MAX(m->filed_max_ns, f.max_ns);
    }
    return SKEP_OK;
}

skep_rc skep_engine__write_segment(struct skep_engine *e, const struct skep_engine_write *what,
                                   struct skep_rowset **ret, skep_err *err)
{
    skep_assert(what->n > 0);
    uint64_t number = atomic_fetch_add(&e->next_segment, 1);
    skep_path tmp = skep_engine__segment_path(e, number, ".tmp");
    struct writing writing = {.e = e,
                              .work = what->is_merge ? &e->merging : &e->flushing,
                              .gives_way = what->is_merge,
                              .slice_ns = e->os->mono_ns(e->os)};
    struct skep_segment_job job = {.os = e->os,
                                   .path = tmp.s,
                                   .sources = what->sources,
                                   .n_sources = what->n,
                                   .layout = what->layout,
                                   .group_rows = what->group_rows,
                                   .budget = what->budget,
                                   .cache = what->cache,
                                   .canceled = canceled,
                                   .progress = progress,
                                   .ctx = &writing};
    struct skep_segment_info info;
    begin_work(e, writing.work, what->sources, what->n);
    skep_rc rc = skep_segment_write(&job, &info, err);
    atomic_store(&writing.work->rows, 0);
    if (rc == SKEP_OK)
        rc = put_in_place(e, number, err);
    struct skep_manifest_segment m = {.number = number,
                                      .layout = what->layout,
                                      .received_max_ns = INT64_MIN,
                                      .filed_min_ns = INT64_MAX,
                                      .filed_max_ns = INT64_MIN};
    if (rc == SKEP_OK) {
        m.n_rows = info.n_rows;
        m.file_bytes = info.file_bytes;
        m.min_seq = info.min_seq;
        m.max_seq = info.max_seq;
        m.bounds = info.bounds;
        rc = note_times(e, what->sources, what->n, &m, err);
    }
    if (rc == SKEP_OK) {
        rc = skep_engine__open_segment(e, &m, ret, err);
    }
    if (rc != SKEP_OK) { /* no manifest knows it */
        (void)e->os->unlink(e->os, tmp.s, NULL);
        (void)e->os->unlink(e->os, skep_engine__segment_path(e, number, ".seg").s, NULL);
    }
    return rc;
}

/* Counts of a flush: all rows of the parts are stored; those that were dead by `sets` are gone. */
static void count_flushed(const struct skep_snapshot_set *sets, unsigned n,
                          struct skep_manifest_totals *t)
{
    for (unsigned i = 0; i < n; i++) {
        const struct skep_live *live = sets[i].live;
        t->stored_rows += sets[i].rowset->n_rows;
        t->deleted_rows += live ? live->n_deleted : 0;
        t->superseded_rows += live ? live->n_superseded : 0;
    }
}

/* One record: the new segments, all bitmaps that are not on disk, the checkpoint. */
static skep_rc record_flush(struct skep_engine *e, const struct skep_snapshot_set *sets, unsigned n,
                            const struct skep_saved *saved, const struct skep_flushed *out,
                            const struct skep_ledger *ledger, uint64_t checkpoint, skep_err *err)
{
    skep_ts_ns now = e->os->now_ns(e->os);
    struct skep_manifest_segment add[SKEP_LAYOUT_COUNT];
    for (unsigned i = 0; i < out->n; i++)
        add[i] = skep_engine__segment_must(out->sets[i].rowset)->m;
    skep_mutex_lock(&e->manifest_mu);
    struct skep_manifest_edit edit = {.add = add,
                                      .n_add = out->n,
                                      .lives = saved->lives,
                                      .n_lives = saved->n,
                                      .checkpoint = checkpoint,
                                      .next_segment = atomic_load(&e->next_segment),
                                      .totals = e->totals,
                                      .ledger = ledger,
                                      .now_ns = now};
    count_flushed(sets, n, &edit.totals);
    struct skep_identity_entry *ids =
        skep_identity_list(e->identity, skep_manifest_state(e->manifest)->checkpoint, checkpoint,
                           now - SKEP_IDENTITY_NS, &edit.n_identities);
    edit.identities = ids;
    skep_rc rc = skep_manifest_edit(e->manifest, &edit, err);
    if (rc == SKEP_OK)
        e->totals = edit.totals;
    skep_mutex_unlock(&e->manifest_mu);
    skep_free(ids);
    return rc;
}

/* I5 */
static void check_passed(const struct skep_snapshot *now, const struct skep_snapshot_set *sets,
                         unsigned n, uint64_t checkpoint)
{
    for (unsigned i = 0; i < now->n; i++) {
        struct skep_rowset *rs = now->sets[i].rowset;
        bool flushed = false;
        for (unsigned k = 0; k < n && !flushed; k++)
            flushed = sets[k].rowset == rs;
        skep_assert(flushed || !skep_part_of(rs) || rs->min_seq > checkpoint);
    }
}

/* Makes what was written part of the store. */
static skep_rc publish_flush(struct skep_engine *e, const struct skep_snapshot_set *sets,
                             unsigned n, struct skep_flushed *out, uint64_t checkpoint,
                             skep_err *err)
{
    skep_assert_held(&e->change_mu);
    SKEP_TRY(skep_engine__carry(e, sets, n, out->sets, out->n, out->budget, err));
    struct skep_snapshot *now = skep_engine__snapshot(e);
    check_passed(now, sets, n, checkpoint);
    unsigned n_all = now->n + out->n;
    struct skep_snapshot_set *all = skep_alloc_n(struct skep_snapshot_set, n_all);
    memcpy(all, now->sets, now->n * sizeof *all);
    memcpy(all + now->n, out->sets, out->n * sizeof *all);
    struct skep_saved saved;
    struct skep_ledger ended = {0}; /* dead rows, which are left out */
    skep_rc rc = skep_engine__save(e, all, n_all, &saved, err);
    if (rc == SKEP_OK) {
        struct skep_ledger stored = {0};
        skep_engine__count_dead(e, sets, n, &ended);
        skep_ledger_merge(&stored, &ended);
        skep_engine__parts_ledger(sets, n, &stored);
        rc = record_flush(e, sets, n, &saved, out, &stored, checkpoint, err);
        skep_ledger_done(&stored);
        if (rc == SKEP_OK || rc == SKEP_ENOSPC) /* anything else: I3 */
            skep_engine__settle_saved(e, &saved, rc == SKEP_OK);
        skep_saved__done(&saved);
        out->unknown = rc != SKEP_OK && rc != SKEP_ENOSPC;
    }
    if (rc == SKEP_OK) {
        struct skep_rowset **gone = skep_alloc_n(struct skep_rowset *, n);
        for (unsigned i = 0; i < n; i++)
            gone[i] = sets[i].rowset;
        for (unsigned i = 0; i < out->n; i++)
            skep_engine__look_at_own(e, &out->sets[i]);
        skep_engine__replace_counted(e, gone, n, out->sets, out->n, &ended);
        skep_free(gone);
    }
    skep_ledger_done(&ended);
    skep_free(all);
    skep_snapshot_unref(now);
    return rc;
}

/* A segment for each layout that has live rows. */
static skep_rc write_segments(struct skep_engine *e, const struct skep_snapshot_set *sets,
                              unsigned n, struct skep_flushed *out, skep_err *err)
{
    struct skep_segment_source *sources = skep_alloc_n(struct skep_segment_source, n);
    skep_rc rc = SKEP_OK;
    for (unsigned layout = 0; layout < SKEP_LAYOUT_COUNT && rc == SKEP_OK; layout++) {
        unsigned k = 0;
        for (unsigned i = 0; i < n && rc == SKEP_OK; i++) {
            struct skep_live *live = NULL;
            rc = skep_layout_rows(&sets[i], (enum skep_layout)layout, &live, err);
            if (rc == SKEP_OK && skep_live_rows(live, sets[i].rowset) > 0)
                sources[k++] = (struct skep_segment_source){sets[i].rowset, live};
            else
                skep_live_unref(live);
        }
        int64_t begun = e->os->mono_ns(e->os);
        if (rc == SKEP_OK && k > 0) {
            rc = skep_engine__write_segment(
                e,
                &(struct skep_engine_write){.sources = sources,
                                            .n = k,
                                            .layout = (enum skep_layout)layout,
                                            .budget = out->budget},
                &out->sets[out->n].rowset, err);
            skep_engine__worked(e, &e->flush_work, begun, rc, out->sets[out->n].rowset);
        }
        out->n += rc == SKEP_OK && k > 0;
        for (unsigned i = 0; i < k; i++)
            skep_live_unref((struct skep_live *)(uintptr_t)sources[i].live);
    }
    skep_free(sources);
    return rc;
}

static void let_go(struct skep_snapshot_set *sets, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        skep_live_unref(sets[i].live);
        skep_rowset_unref(sets[i].rowset);
        sets[i] = (struct skep_snapshot_set){0};
    }
}

/* On success the sets are let go of: before the log is cut, for commits count their memory. */
static skep_rc flush_parts(struct skep_engine *e, struct skep_snapshot_set *sets, unsigned n,
                           uint64_t checkpoint, struct skep_budget *budget, skep_err *err)
{
    struct skep_flushed out = {.budget = budget};
    skep_rc rc = write_segments(e, sets, n, &out, err);
    if (rc == SKEP_OK) {
        skep_mutex_lock(&e->change_mu);
        rc = publish_flush(e, sets, n, &out, checkpoint, err);
        skep_mutex_unlock(&e->change_mu);
    }
    for (unsigned i = 0; i < out.n; i++) {
        if (rc != SKEP_OK && !out.unknown)
            skep_engine__doom(e, out.sets[i].rowset);
        skep_live_unref(out.sets[i].live);
        skep_rowset_unref(out.sets[i].rowset);
    }
    if (rc != SKEP_OK)
        return rc;
    let_go(sets, n);
    skep_wal_drop(e->wal, checkpoint); /* I1 */
    return SKEP_OK;
}

/* The end of the part that holds `last` and later commits; `last` when none does. */
static uint64_t whole_parts_locked(const struct skep_engine *e, uint64_t last)
{
    for (unsigned i = 0; i < e->snap->n; i++) {
        struct skep_rowset *rs = e->snap->sets[i].rowset;
        if (skep_part_of(rs) && rs->min_seq <= last && rs->max_seq > last)
            return rs->max_seq;
    }
    return last;
}

/* The sets of all parts up to *last, with references, once no fold touches them; sets flush_last.
 * A fold that was under way, or ended since `last` was chosen, may have put commits up to *last and
 * later ones into one part: then *last becomes that part's (I5). */
static struct skep_snapshot_set *take_parts(struct skep_engine *e, uint64_t *last, unsigned *ret_n)
{
    uint64_t end = *last;
    skep_mutex_lock(&e->snap_mu);
    do {
        *last = end;
        e->flush_last = end; /* from here on no fold begins with these */
        while (e->fold_last != 0 && e->fold_first <= end)
            skep_cond_wait(&e->changed, &e->snap_mu);
        end = whole_parts_locked(e, end);
    } while (end > *last);
    struct skep_snapshot_set *sets = skep_alloc_n(struct skep_snapshot_set, e->snap->n);
    unsigned n = 0;
    for (unsigned i = 0; i < e->snap->n; i++) {
        struct skep_rowset *rs = e->snap->sets[i].rowset;
        if (skep_part_of(rs) && rs->max_seq <= *last)
            sets[n++] = (struct skep_snapshot_set){skep_rowset_ref(rs),
                                                   skep_live_ref(e->snap->sets[i].live)};
    }
    skep_mutex_unlock(&e->snap_mu);
    *ret_n = n;
    return sets;
}

uint64_t skep_engine__checkpoint(struct skep_engine *e)
{
    skep_mutex_lock(&e->manifest_mu);
    uint64_t seq = skep_manifest_state(e->manifest)->checkpoint;
    skep_mutex_unlock(&e->manifest_mu);
    return seq;
}

/* Are there deletes in the log that the checkpoint has not passed? */
static bool has_unsaved(struct skep_engine *e)
{
    struct skep_snapshot *s = skep_engine__snapshot(e);
    bool any = false;
    skep_mutex_lock(&e->change_mu);
    for (unsigned i = 0; i < s->n; i++) {
        const struct skep_engine_segment *seg = skep_engine__segment(s->sets[i].rowset);
        any |= seg && s->sets[i].live != seg->saved;
    }
    skep_mutex_unlock(&e->change_mu);
    skep_snapshot_unref(s);
    return any;
}

/* I4: one part, whatever it takes. */
static skep_rc flush_one(struct skep_engine *e, struct skep_snapshot_set *set, uint64_t checkpoint,
                         skep_err *err)
{
    struct skep_budget beyond;
    skep_budget_init(&beyond, "flush of one part", UINT64_MAX, NULL);
    return flush_parts(e, set, 1, checkpoint, &beyond, err);
}

skep_rc skep_engine__flush_to(struct skep_engine *e, uint64_t last, skep_err *err)
{
    skep_rc rc = SKEP_OK;
    skep_mutex_lock(&e->flush_mu);
    for (bool more = true; more && rc == SKEP_OK;) {
        unsigned n, take;
        struct skep_snapshot_set *sets = take_parts(e, &last, &n);
        take = n;
        uint64_t reached = skep_engine__checkpoint(e);
        if (n > 0 || last > reached || has_unsaved(e))
            rc = flush_parts(e, sets, take, SKEP_MAX(last, reached), &e->flush, err);
        while (rc == SKEP_ENOMEM && take > 1) { /* the memory for ordering them is not there */
            take = (take + 1) / 2;
            rc = flush_parts(e, sets, take, sets[take - 1].rowset->max_seq, &e->flush, err);
        }
        if (rc == SKEP_ENOMEM && take == 1)
            rc = flush_one(e, sets, n > 1 ? sets[0].rowset->max_seq : SKEP_MAX(last, reached), err);
        let_go(sets, n);
        skep_free(sets);
        more = take < n;
    }
    skep_mutex_lock(&e->snap_mu);
    e->flush_last = 0;
    skep_cond_broadcast(&e->changed);
    skep_engine__ring_locked(e, &e->fold_bell);
    skep_mutex_unlock(&e->snap_mu);
    skep_mutex_unlock(&e->flush_mu);
    return rc;
}

/* The commit up to which parts are due; 0 = none. */
static uint64_t due(struct skep_engine *e)
{
    skep_ts_ns now = e->os->now_ns(e->os);
    bool wanted = atomic_load(&e->want_flush);
    bool pressed = (wanted && skep_budget_used(&e->parts) > e->part_limit_bytes / 4) ||
                   skep_budget_used(&e->parts) > e->part_limit_bytes ||
                   skep_wal_used_bytes(e->wal) > e->wal_flush_bytes;
    struct skep_snapshot *s = skep_engine__snapshot(e);
    uint64_t last = 0, bytes = 0;
    skep_ts_ns oldest = INT64_MAX;
    for (unsigned i = 0; i < s->n; i++) {
        const struct skep_part *part = skep_part_of(s->sets[i].rowset);
        if (!part)
            continue;
        if (!pressed && now - part->received_max_ns < e->flush_quiet_ns)
            break;
        last = part->base.max_seq;
        bytes += part->base.bytes;
        skep_ts_ns age = part->received_min_ns;
        if (skep_part__only_own(part))
            age += OWN_AGES * e->flush_quiet_ns; /* an idle disk is left alone */
        oldest = SKEP_MIN(oldest, age);
    }
    skep_snapshot_unref(s);
    if (last == 0 && skep_wal_used_bytes(e->wal) > e->wal_flush_bytes && has_unsaved(e))
        return e->base.ops->visible(&e->base); /* deletes alone have filled it */
    bool worth = pressed || bytes >= FLUSH_BYTES || now - oldest > FLUSH_AGES * e->flush_quiet_ns;
    return last > 0 && worth ? last : 0;
}

void skep_engine__flusher(void *engine)
{
    struct skep_engine *e = engine;
    int64_t rest_until = 0;
    struct skep_snapshot *found = skep_engine__snapshot(e);
    for (unsigned i = 0; i < found->n; i++)
        skep_engine__look_at_own(e, &found->sets[i]);
    skep_snapshot_unref(found);
    while (!skep_engine__nap(e, &e->flush_bell, NAP_MS)) {
        if (e->os->mono_ns(e->os) < rest_until)
            continue;
        uint64_t last = due(e);
        if (last == 0) {
            atomic_store(&e->want_flush, false);
            continue;
        }
        skep_err err;
        skep_rc rc = skep_engine__flush_to(e, last, &err);
        atomic_store(&e->flush_failed, rc != SKEP_OK);
        if (rc == SKEP_OK) {
            atomic_store(&e->want_flush, false);
            continue;
        }
        if (rc == SKEP_ECANCELED)
            continue;
        if (rc == SKEP_ENOSPC)
            atomic_store(&e->want_space, true);
        rest_until = e->os->mono_ns(e->os) + REST_NS;
        skep_log(WARN, "flush failed, trying again; the log keeps the rows", SKEP_K_RC(rc),
                 SKEP_K_CSTR("error", err.text));
    }
}
