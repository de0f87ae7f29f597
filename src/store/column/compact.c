// SPDX-License-Identifier: Apache-2.0
/* What is visible, and keeping the number of parts small.
 *
 * The snapshot is swapped under snap_mu: by the committer (one more part), the folder (several
 * neighbouring parts by one), the flusher (parts by a segment), the merger (segments by one, or
 * none). Building the new list costs one reference a rowset, about a hundred of them.
 *
 * Folding: when more than SKEP_PARTS_MAX parts live, the longest run of neighbours whose sum stays
 * under SKEP_FOLD_ROWS is folded, small ones first, so that a row is folded about twice before it
 * is flushed.
 *
 * I1  parts are neighbours of the snapshot's end: all segments lie before all parts.
 * I2  a part is being folded or flushed, never both: [fold_first, fold_last] and (0, flush_last] do
 *     not overlap.
 *
 * Threads: any for snapshot; one folder.  Locks: change_mu -> snap_mu. */
#include "store/column/engine.h"

#include "base/log.h"
#include "base/mem.h"
#include "store/column/live.h"
#include "store/column/part.h"

struct skep_snapshot *skep_engine__snapshot(struct skep_engine *e)
{
    skep_mutex_lock(&e->snap_mu);
    struct skep_snapshot *s = skep_snapshot_ref(e->snap);
    skep_mutex_unlock(&e->snap_mu);
    return s;
}

static void swap_locked(struct skep_engine *e, struct skep_snapshot *to,
                        struct skep_snapshot **ret_old)
{
    skep_assert_held(&e->snap_mu);
    *ret_old = e->snap;
    e->snap = to;
}

void skep_engine__publish(struct skep_engine *e, struct skep_rowset *const *parts, unsigned n,
                          uint64_t seq, const struct skep_changes *changes)
{
    static const struct skep_changes none;
    struct skep_snapshot *old;
    bool log = skep_wal_wants_next(e->wal);
    const struct skep_changes *c = changes ? changes : &none;
    skep_mutex_lock(&e->snap_mu);
    swap_locked(e, skep_snapshot__append(e->snap, parts, n, seq, c->sets, c->n), &old);
    skep_cond_broadcast(&e->visible);
    if (log || skep_engine__parts_locked(e) > SKEP_PARTS_MAX)
        skep_engine__ring_locked(e, &e->fold_bell);
    if (skep_budget_used(&e->parts) > e->part_limit_bytes)
        skep_engine__ring_locked(e, &e->flush_bell);
    skep_mutex_unlock(&e->snap_mu);
    skep_snapshot_unref(old); /* may destroy rowsets: not under the lock */
}

void skep_engine__replace(struct skep_engine *e, struct skep_rowset *const *gone, unsigned n,
                          const struct skep_snapshot_set *by, unsigned n_by)
{
    struct skep_snapshot *old;
    skep_assert_held(&e->change_mu);
    skep_mutex_lock(&e->snap_mu);
    for (unsigned i = 0; i < n; i++) {
        struct skep_engine_segment *seg = skep_engine__segment(gone[i]);
        if (seg)
            seg->doomed = true;
    }
    swap_locked(e, skep_snapshot__replace(e->snap, gone, n, by, n_by), &old);
    skep_cond_broadcast(&e->changed);
    skep_engine__ring_locked(e, &e->fold_bell);
    skep_engine__ring_locked(e, &e->merge_bell);
    skep_mutex_unlock(&e->snap_mu);
    skep_snapshot_unref(old);
}

/* Index of the first part. */
static unsigned first_part(const struct skep_snapshot *s)
{
    unsigned i = s->n;
    while (i > 0 && skep_part_of(s->sets[i - 1].rowset))
        i--;
    return i;
}

unsigned skep_engine__parts_locked(const struct skep_engine *e)
{
    return e->snap->n - first_part(e->snap);
}

/* The run of neighbours to fold: *ret_n of them from the returned index, 0 = none. */
static unsigned choose_locked(const struct skep_engine *e, unsigned *ret_n)
{
    const struct skep_snapshot *s = e->snap;
    unsigned first = first_part(s), best = 0, best_n = 0;
    *ret_n = 0;
    while (first < s->n && s->sets[first].rowset->min_seq <= e->flush_last)
        first++; /* those on their way to a segment: folding a few others would not help */
    if (s->n - first <= SKEP_PARTS_MAX)
        return 0;
    /* Small parts gather at the end; look for the longest run of like size, smallest size first. */
    for (uint64_t size = e->fold_bytes / 64; size <= e->fold_bytes && best_n < 8; size *= 8) {
        for (unsigned i = first; i < s->n; i++) {
            uint64_t bytes = 0;
            unsigned k = i;
            while (k < s->n && s->sets[k].rowset->min_seq > e->flush_last &&
                   s->sets[k].rowset->bytes <= size &&
                   bytes + s->sets[k].rowset->bytes <= e->fold_bytes)
                bytes += s->sets[k++].rowset->bytes;
            if (k - i > best_n) {
                best = i;
                best_n = k - i;
            }
        }
    }
    *ret_n = best_n >= 2 ? best_n : 0;
    return best;
}

bool skep_engine__foldable_locked(const struct skep_engine *e)
{
    unsigned n;
    (void)choose_locked(e, &n);
    return n > 0 || e->fold_last != 0;
}

/* The folded part takes the place of its sources, and over their dead rows: it has the same rows in
 * the same order, whoever died until now. */
static void put_folded(struct skep_engine *e, struct skep_rowset *const *parts, unsigned n,
                       struct skep_rowset *folded)
{
    struct skep_mask dead;
    struct skep_snapshot_set by = {.rowset = folded};
    uint64_t deleted = 0, superseded = 0, row0 = 0, killed;
    skep_mask_init(&dead, folded);
    skep_mutex_lock(&e->change_mu);
    struct skep_snapshot *s = skep_engine__snapshot(e);
    for (unsigned i = 0; i < n; row0 += parts[i++]->n_rows) {
        const struct skep_live *live = skep_snapshot__find(s, parts[i])->live;
        deleted += live ? live->n_deleted : 0;
        superseded += live ? live->n_superseded : 0;
        for (uint64_t row = 0; live && row < parts[i]->n_rows; row++)
            if (!skep_live_has(live, row))
                skep_mask_add(&dead, row0 + row);
    }
    if (dead.n > 0) {
        struct skep_live *live = skep_live_kill(NULL, &dead, SKEP_DEATH_DELETED, &killed);
        by.live = skep_live_recount(live, deleted, superseded);
        skep_live_unref(live);
    }
    skep_engine__replace(e, parts, n, &by, 1);
    skep_mutex_unlock(&e->change_mu);
    skep_snapshot_unref(s);
    skep_live_unref(by.live);
    skep_mask_done(&dead);
}

bool skep_engine__fold(struct skep_engine *e)
{
    /* Not more at once: what is folded, and what comes of it, should stay in the cache. */
    struct skep_rowset *parts[2 * SKEP_PARTS_MAX];
    unsigned n;
    skep_mutex_lock(&e->snap_mu);
    skep_assert(e->fold_last == 0);
    unsigned at = choose_locked(e, &n);
    n = SKEP_MIN(n, (unsigned)SKEP_ARRAY_LEN(parts));
    for (unsigned i = 0; i < n; i++)
        parts[i] = skep_rowset_ref(e->snap->sets[at + i].rowset);
    if (n > 0) {
        e->fold_first = parts[0]->min_seq;
        e->fold_last = parts[n - 1]->max_seq;
    }
    skep_mutex_unlock(&e->snap_mu);
    if (n == 0)
        return false;
    struct skep_rowset *folded = NULL;
    skep_err err;
    int64_t begun = e->os->mono_ns(e->os);
    skep_rc rc = skep_part_fold(parts, n, &e->parts, &folded, &err);
    skep_engine__worked(e, &e->fold_work, begun, rc, folded);
    if (rc == SKEP_OK)
        put_folded(e, parts, n, folded);
    else
        skep_log(ERROR, "folding failed, parts stay as they are", SKEP_K_RC(rc),
                 SKEP_K_CSTR("error", err.text));
    for (unsigned i = 0; i < n; i++)
        skep_rowset_unref(parts[i]);
    skep_rowset_unref(folded);
    skep_mutex_lock(&e->snap_mu);
    e->fold_first = e->fold_last = 0;
    skep_cond_broadcast(&e->changed);
    skep_mutex_unlock(&e->snap_mu);
    return rc == SKEP_OK;
}

void skep_engine__ring_locked(struct skep_engine *e, struct skep_bell *bell)
{
    skep_assert_held(&e->snap_mu);
    if (bell->rung)
        return;
    bell->rung = true;
    skep_cond_signal(&bell->cond);
}

bool skep_engine__nap(struct skep_engine *e, struct skep_bell *bell, int64_t ms)
{
    skep_mutex_lock(&e->snap_mu);
    if (!e->stopping && !bell->rung)
        (void)skep_cond_wait_ms(&bell->cond, &e->snap_mu, ms); /* woken or not: look again */
    bell->rung = false;
    bool stop = e->stopping;
    skep_mutex_unlock(&e->snap_mu);
    return stop;
}

/* Folds, and has the next log file ready. */
void skep_engine__folder(void *engine)
{
    struct skep_engine *e = engine;
    for (;;) {
        skep_wal_prepare(e->wal);
        while (!atomic_load(&e->cancel) && skep_engine__fold(e)) {
        }
        bool log = skep_wal_wants_next(e->wal);
        skep_mutex_lock(&e->snap_mu);
        unsigned n;
        (void)choose_locked(e, &n);
        /* Nothing to do: sleep until the committer or the flusher changes something. */
        if (n == 0 && !log && !e->stopping && !e->fold_bell.rung)
            skep_cond_wait(&e->fold_bell.cond, &e->snap_mu);
        e->fold_bell.rung = false;
        bool stop = e->stopping;
        skep_mutex_unlock(&e->snap_mu);
        if (stop)
            return;
    }
}
