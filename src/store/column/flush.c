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
 * unref, or, if the process ends before, as an orphan by the next start. I3  after a manifest edit
 * of unknown outcome the new file stays; the next start decides.
 *
 * Threads: the flusher and callers of flush(), one at a time under flush_mu.  Locks: flush_mu ->
 * manifest_mu; flush_mu -> snap_mu. */
#include "store/column/engine.h"

#include "base/log.h"
#include "base/mem.h"
#include "store/column/exec.h"
#include "store/column/part.h"

enum {
    FLUSH_BYTES = 32 << 20, /* quiet parts of this size are worth a segment */
    FLUSH_AGES = 10,        /* so many times flush_quiet_ns old they go anyway */
    NAP_MS = 250,
    REST_NS = 2 * 1000000000 /* after a failure */
};

static skep_path segment_path(const struct skep_engine *e, uint64_t number, const char *suffix)
{
    return skep_path_of("%s/seg/%016" PRIx64 "%s", e->dir, number, suffix);
}

struct skep_engine_segment *skep_engine__segment(struct skep_rowset *rs)
{
    return skep_part_of(rs) ? NULL : rs->on_last_unref_ctx;
}

static void last_unref(void *ctx, struct skep_rowset *rs)
{
    struct skep_engine_segment *seg = ctx;
    struct skep_engine *e = seg->engine;
    skep_partials_drop(e->partials, rs->serial);
    if (seg->doomed) { /* I2; if it fails the next start finds an orphan */
        (void)e->os->unlink(e->os, segment_path(e, seg->m.number, ".seg").s, NULL);
        atomic_fetch_sub(&e->segment_bytes, seg->m.file_bytes);
    }
    skep_free(seg);
}

skep_rc skep_engine__open_segment(struct skep_engine *e, const struct skep_manifest_segment *m,
                                  struct skep_rowset **ret, skep_err *err)
{
    struct skep_rowset *rs = NULL;
    SKEP_TRY(skep_segment_open(e->os, segment_path(e, m->number, ".seg").s, e->cache, &rs, err));
    if (rs->n_rows != m->n_rows || rs->min_seq != m->min_seq || rs->max_seq != m->max_seq) {
        skep_rowset_unref(rs);
        return skep_fail(err, SKEP_ECORRUPT,
                         "segment %016" PRIx64 " is not the one the manifest names", m->number);
    }
    struct skep_engine_segment *seg = skep_alloc(struct skep_engine_segment);
    *seg = (struct skep_engine_segment){.engine = e, .m = *m};
    rs->on_last_unref = last_unref;
    rs->on_last_unref_ctx = seg;
    atomic_fetch_add(&e->segment_bytes, m->file_bytes);
    *ret = rs;
    return SKEP_OK;
}

uint64_t skep_engine__disk_bytes(struct skep_engine *e)
{
    return skep_wal_disk_bytes(e->wal) + atomic_load(&e->segment_bytes);
}

static bool closing(void *ctx)
{
    struct skep_engine *e = ctx;
    return atomic_load_explicit(&e->cancel, memory_order_relaxed);
}

static bool closing_or_full(void *ctx)
{
    struct skep_engine *e = ctx;
    return atomic_load_explicit(&e->cancel, memory_order_relaxed) ||
           atomic_load_explicit(&e->want_space, memory_order_relaxed);
}

static skep_ts_ns received_max(struct skep_rowset *rs)
{
    const struct skep_part *part = skep_part_of(rs);
    return part ? part->received_max_ns : skep_engine__segment(rs)->m.received_max_ns;
}

static skep_rc put_in_place(struct skep_engine *e, uint64_t number, skep_err *err)
{
    const struct skep_os *os = e->os;
    SKEP_TRY(
        os->rename(os, segment_path(e, number, ".tmp").s, segment_path(e, number, ".seg").s, err));
    skep_path dir = skep_path_of("%s/seg", e->dir);
    int fd;
    SKEP_TRY(os->open(os, dir.s, SKEP_OPEN_DIR, &fd, err));
    skep_rc rc = os->fsync(os, fd, err);
    os->close(os, fd);
    return rc;
}

skep_rc skep_engine__write_segment(struct skep_engine *e, const struct skep_segment_source *sources,
                                   unsigned n, bool gives_way, struct skep_rowset **ret,
                                   skep_err *err)
{
    skep_assert(n > 0);
    uint64_t number = atomic_fetch_add(&e->next_segment, 1);
    skep_path tmp = segment_path(e, number, ".tmp");
    struct skep_segment_job job = {.os = e->os,
                                   .path = tmp.s,
                                   .sources = sources,
                                   .n_sources = n,
                                   .budget = &e->work,
                                   .canceled = gives_way ? closing_or_full : closing,
                                   .ctx = e};
    struct skep_segment_info info;
    skep_rc rc = skep_segment_write(&job, &info, err);
    if (rc == SKEP_OK)
        rc = put_in_place(e, number, err);
    struct skep_manifest_segment m = {.number = number, .received_max_ns = INT64_MIN};
    if (rc == SKEP_OK) {
        m.n_rows = info.n_rows;
        m.file_bytes = info.file_bytes;
        m.min_seq = info.min_seq;
        m.max_seq = info.max_seq;
        m.bounds = info.bounds;
        for (unsigned i = 0; i < n; i++)
            m.received_max_ns = SKEP_MAX(m.received_max_ns, received_max(sources[i].rowset));
        rc = skep_engine__open_segment(e, &m, ret, err);
    }
    if (rc != SKEP_OK) { /* no manifest knows it */
        (void)e->os->unlink(e->os, tmp.s, NULL);
        (void)e->os->unlink(e->os, segment_path(e, number, ".seg").s, NULL);
    }
    return rc;
}

/* Makes a flushed segment part of the store. */
static skep_rc record_flush(struct skep_engine *e, struct skep_rowset *rs, uint64_t checkpoint,
                            skep_err *err)
{
    struct skep_engine_segment *seg = skep_engine__segment(rs);
    skep_ts_ns now = e->os->now_ns(e->os);
    skep_mutex_lock(&e->manifest_mu);
    struct skep_manifest_edit edit = {.add = &seg->m,
                                      .checkpoint = checkpoint,
                                      .next_segment = atomic_load(&e->next_segment),
                                      .totals = e->totals,
                                      .now_ns = now};
    edit.totals.stored_rows += rs->n_rows;
    struct skep_identity_entry *ids =
        skep_identity_list(e->identity, skep_manifest_state(e->manifest)->checkpoint, checkpoint,
                           now - SKEP_IDENTITY_NS, &edit.n_identities);
    edit.identities = ids;
    skep_rc rc = skep_manifest_edit(e->manifest, &edit, err);
    if (rc == SKEP_OK)
        e->totals = edit.totals;
    skep_mutex_unlock(&e->manifest_mu);
    skep_free(ids);
    if (rc == SKEP_ENOSPC) {
        skep_mutex_lock(&e->snap_mu);
        seg->doomed = true; /* certainly not recorded; anything else: I3 */
        skep_mutex_unlock(&e->snap_mu);
    }
    return rc;
}

static skep_rc flush_parts(struct skep_engine *e, struct skep_rowset *const *parts, unsigned n,
                           skep_err *err)
{
    struct skep_segment_source *sources = skep_alloc_n(struct skep_segment_source, n);
    for (unsigned i = 0; i < n; i++)
        sources[i].rowset = parts[i];
    struct skep_rowset *rs = NULL;
    skep_rc rc = skep_engine__write_segment(e, sources, n, false, &rs, err);
    skep_free(sources);
    if (rc != SKEP_OK)
        return rc;
    uint64_t checkpoint = parts[n - 1]->max_seq;
    rc = record_flush(e, rs, checkpoint, err);
    if (rc == SKEP_OK) {
        skep_engine__replace(e, parts, n, rs);
        skep_wal_drop(e->wal, checkpoint); /* I1 */
    }
    skep_rowset_unref(rs);
    return rc;
}

/* References of all parts up to `last`, once no fold touches them; sets flush_last. */
static struct skep_rowset **take_parts(struct skep_engine *e, uint64_t last, unsigned *ret_n)
{
    skep_mutex_lock(&e->snap_mu);
    e->flush_last = last; /* from here on no fold begins with these */
    while (e->fold_last != 0 && e->fold_first <= last)
        skep_cond_wait(&e->changed, &e->snap_mu);
    struct skep_rowset **parts = skep_alloc_n(struct skep_rowset *, e->snap->n);
    unsigned n = 0;
    for (unsigned i = 0; i < e->snap->n; i++) {
        struct skep_rowset *rs = e->snap->sets[i].rowset;
        if (skep_part_of(rs) && rs->max_seq <= last)
            parts[n++] = skep_rowset_ref(rs);
    }
    skep_mutex_unlock(&e->snap_mu);
    *ret_n = n;
    return parts;
}

skep_rc skep_engine__flush_to(struct skep_engine *e, uint64_t last, skep_err *err)
{
    skep_rc rc = SKEP_OK;
    skep_mutex_lock(&e->flush_mu);
    for (bool more = true; more && rc == SKEP_OK;) {
        unsigned n, take;
        struct skep_rowset **parts = take_parts(e, last, &n);
        take = n;
        if (n > 0)
            rc = flush_parts(e, parts, take, err);
        while (rc == SKEP_ENOMEM && take > 1) { /* the memory for ordering them is not there */
            take = (take + 1) / 2;
            rc = flush_parts(e, parts, take, err);
        }
        for (unsigned i = 0; i < n; i++)
            skep_rowset_unref(parts[i]);
        skep_free(parts);
        more = take < n;
    }
    skep_mutex_lock(&e->snap_mu);
    e->flush_last = 0;
    skep_cond_broadcast(&e->changed);
    skep_mutex_unlock(&e->snap_mu);
    skep_mutex_unlock(&e->flush_mu);
    return rc;
}

/* The commit up to which parts are due; 0 = none. */
static uint64_t due(struct skep_engine *e)
{
    skep_ts_ns now = e->os->now_ns(e->os);
    bool pressed = atomic_load(&e->want_flush) ||
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
        oldest = SKEP_MIN(oldest, part->received_min_ns);
    }
    skep_snapshot_unref(s);
    bool worth = pressed || bytes >= FLUSH_BYTES || now - oldest > FLUSH_AGES * e->flush_quiet_ns;
    return last > 0 && worth ? last : 0;
}

void skep_engine__flusher(void *engine)
{
    struct skep_engine *e = engine;
    int64_t rest_until = 0;
    while (!skep_engine__nap(e, NAP_MS)) {
        if (e->os->mono_ns(e->os) < rest_until)
            continue;
        uint64_t last = due(e);
        if (last == 0) {
            atomic_store(&e->want_flush, false);
            continue;
        }
        skep_err err;
        skep_rc rc = skep_engine__flush_to(e, last, &err);
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
