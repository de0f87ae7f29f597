// SPDX-License-Identifier: Apache-2.0
/* Opening a data directory that another process may own, without changing a byte of it.
 *
 * No lock is taken: files are immutable (segments), appended to (log) or replaced whole (manifest),
 * and an open descriptor keeps its file when the owner deletes it.  So a consistent view is:
 *
 *   1. read MANIFEST                  segments S, checkpoint C
 *   2. open the segments of S         one is gone: a merge was faster, begin again
 *   3. replay the log above C         it begins behind C: a flush was faster, begin again
 *
 * The owner deletes log files from the oldest on, and only after the manifest says that a later C
 * makes them superfluous: a log that begins at or below C + 1 is whole.  Its end may be in the
 * middle of being written; what looks damaged is looked at again a little later, and only damage
 * that stays is told.
 *
 * I1  everything acknowledged before the call is in the view.
 * I2  nothing is written: not the lock, not leftovers, not the log.
 *
 * Memory: the log above the checkpoint, which its owner holds in memory too.  Threads: the one that
 * opens. */
#include "store/column/engine.h"

enum { ATTEMPTS = 5, PAUSE_MS = 20 };

static void forget(struct skep_engine *e)
{
    skep_wal_close(e->wal);
    e->wal = NULL;
    skep_manifest_close(e->manifest);
    e->manifest = NULL;
    skep_snapshot_unref(e->snap);
    e->snap = skep_snapshot__empty(0);
    skep_identity_free(e->identity);
    e->identity = skep_identity_new();
    e->damage = (struct skep_wal_damage){0};
    skep_ledger_done(&e->book);
}

static skep_rc view(struct skep_engine *e, skep_err *err)
{
    const struct skep_os *os = e->os;
    struct skep_os_stat st;
    skep_path wal = skep_path_of("%s/wal", e->dir);
    skep_rc rc = skep_manifest_load(os, e->dir, &e->manifest, err);
    if (rc == SKEP_ENOTFOUND)
        return skep_fail(err, rc, "%s holds no rows (there is no MANIFEST in it)", e->dir);
    SKEP_TRY(rc);
    e->totals = skep_manifest_state(e->manifest)->totals;
    SKEP_TRY(skep_engine__open_segments(e, err));
    SKEP_TRY(skep_engine__found_book(e, err));
    SKEP_TRY(os->stat(os, wal.s, &st, err));
    SKEP_TRY(skep_wal_open(os, wal.s, 0, &e->wal, err));
    uint64_t last;
    SKEP_TRY(skep_engine__replay(e, false, &last, err));
    skep_engine__publish(e, NULL, 0, last, NULL);
    return SKEP_OK;
}

/* A file of the view vanished under us: the owner was at work. */
static bool moved(skep_rc rc)
{
    return rc == SKEP_ENOTFOUND || rc == SKEP_ECORRUPT;
}

/* The log begins too late, or seems cut. */
static bool looks_damaged(const struct skep_engine *e)
{
    return e->damage.regions > 0 || e->damage.torn > 0 || e->damage.n_gaps > 0;
}

skep_rc skep_engine__open_read_only(struct skep_engine *e, skep_err *err)
{
    skep_assert(e->read_only && !e->manifest);
    skep_rc rc = SKEP_OK;
    struct skep_os_stat st;
    SKEP_TRY(e->os->stat(e->os, e->dir, &st, err));
    for (unsigned i = 0; i < ATTEMPTS; i++) {
        if (i > 0) {
            (void)skep_engine__nap(e, &e->flush_bell, PAUSE_MS);
            forget(e);
        }
        rc = view(e, err);
        bool again = rc == SKEP_OK ? looks_damaged(e) : e->manifest && moved(rc);
        if (!again)
            break;
    }
    if (rc == SKEP_OK)
        skep_engine__record_losses(e);
    return rc;
}
