// SPDX-License-Identifier: Apache-2.0
/* Admission: room for rows in memory and on disk, before anything of them is kept.
 *
 *   append:     room? --yes--> encode the frame, open it as a part --> queue
 *                 |  \--the disk is full, the log is broken, rows that can never fit--> refused
 *                 `--not yet--> the batch itself goes to the queue
 *   committer:  parts well over their limit? wait for the flusher
 *               a batch that waits: room? --> a part; else wait for the flusher until its time is
 *               up, and only then refuse it
 *
 * A sender that waits for its answers is slowed down to what the flusher makes, not refused.  What
 * a waiting batch holds is in the budget it was decoded in, the requests': when that is full, no
 * more requests are read.
 *
 * I1  what is pending and what is in parts is at most three times the part limit, and has a reserve
 *     of that, or of most of it where memory is small.  The flusher begins at the limit; from twice
 *     the limit on commits wait for it.
 * I2  who waits is served in order: nobody who comes later takes the room.
 * I3  waiting is bounded, from the arrival on, and ends at once when flushing fails or the store
 *     closes: then it is no use.
 * I4  of a group only the first waits: those behind it have been given their room, or go back to
 *     the queue.  So what is waited for never depends on what the waiter itself holds.
 *
 * Threads: take_in any; the rest the committer's.  Locks: snap_mu or q_mu, then nothing. */
#include "store/column/engine.h"

#include "base/hash.h"
#include "base/mem.h"
#include "store/column/part.h"

/* No shorter than a flush takes on a busy machine. */
#define WAIT_NS (8ll * 1000000000)

/* Is there room?  Takes its bytes from the pending budget. */
static skep_rc admit(struct skep_engine *e, uint64_t bytes, skep_err *err)
{
    if (skep_wal_failed(e->wal))
        return skep_fail(err, SKEP_EIO, "the log cannot be written: the store is read-only");
    uint64_t held = skep_budget_used(&e->ingest);
    if (held + bytes > 3 * e->part_limit_bytes) {
        atomic_store(&e->want_flush, true);
        return skep_fail(err, SKEP_ENOMEM,
                         "%llu bytes are waiting to be written out, at most %llu may",
                         (unsigned long long)held, (unsigned long long)(3 * e->part_limit_bytes));
    }
    if (e->disk_limit_bytes) {
        uint64_t disk = skep_engine__disk_bytes(e) + skep_budget_used(&e->pending) + bytes;
        /* The last sixteenth is for a new log file and for flushing. */
        if (disk > e->disk_limit_bytes / 16 * 14)
            atomic_store(&e->want_space, true);
        if (disk > e->disk_limit_bytes / 16 * 15)
            return skep_fail(err, SKEP_ENOSPC, "the disk limit of %llu bytes is reached",
                             (unsigned long long)e->disk_limit_bytes);
    }
    skep_rc rc = skep_budget_take(&e->pending, bytes, err);
    if (rc != SKEP_OK)
        atomic_store(&e->want_flush, true);
    return rc;
}

static skep_rc encode_part(struct skep_engine *e, const struct skep_batch *b,
                           struct skep_pending *p, skep_err *err)
{
    struct skep_buf buf;
    skep_buf_init(&buf, (size_t)2 << 30);
    skep_rc rc = skep_frame_encode(b, &buf, err);
    if (rc != SKEP_OK) {
        skep_buf_done(&buf);
        return rc;
    }
    size_t n;
    uint8_t *payload = skep_buf_take(&buf, &n);
    payload = skep_realloc(payload, n); /* encoding reserves by an upper bound */
    p->crc = skep_crc32c(0, (skep_bytes){payload, n});
    rc = skep_part_open(payload, n, 0, &e->parts, &p->part, err);
    /* A batch that its own frame cannot hold is the adapter's mistake, not the disk's. */
    return rc == SKEP_ECORRUPT ? skep_fail(err, SKEP_EINTERNAL, "a malformed batch") : rc;
}

/* Rows with their room, or nothing. */
static skep_rc make_part(struct skep_engine *e, struct skep_batch *b, struct skep_pending *p,
                         skep_err *err)
{
    uint64_t bytes = skep_batch_content_bytes(b);
    SKEP_TRY(admit(e, bytes, err));
    skep_engine__mark_misdated(e, b);
    skep_rc rc = encode_part(e, b, p, err);
    skep_budget_give(&e->pending, bytes); /* the part has charged its own */
    return rc;
}

/* Can waiting help?  Somebody must flush, it must fit an empty store, and what it holds meanwhile
 * must be bounded by somebody. */
static bool may_wait(const struct skep_engine *e, const struct skep_batch *b)
{
    return e->background && b->budget && !atomic_load(&e->flush_failed) &&
           skep_batch_content_bytes(b) <= e->part_limit_bytes;
}

skep_rc skep_engine__take_in(struct skep_engine *e, struct skep_pending *p,
                             struct skep_batch **batch, skep_err *err)
{
    skep_rc rc = SKEP_OK;
    if (atomic_load(&e->q_waiting) == 0 || !may_wait(e, *batch)) { /* I2 */
        rc = make_part(e, *batch, p, err);
        if (rc != SKEP_ENOMEM || !may_wait(e, *batch))
            return rc;
    }
    p->waiting_bytes = skep_batch_content_bytes(*batch);
    p->wait_until_ns = e->os->mono_ns(e->os) + WAIT_NS;
    p->batch = *batch;
    *batch = NULL;
    atomic_fetch_add(&e->q_waiting, 1);
    return SKEP_OK;
}

/* --- the committer's side --------------------------------------------------------------------- */

/* Waits for something to become free; false = that is no use any more (I3). */
static bool wait_for_room(struct skep_engine *e, const struct skep_pending *p)
{
    skep_mutex_lock(&e->q_mu);
    bool closing = e->closing;
    skep_mutex_unlock(&e->q_mu);
    if (closing || atomic_load(&e->flush_failed) || e->os->mono_ns(e->os) >= p->wait_until_ns)
        return false;
    skep_mutex_lock(&e->snap_mu);
    atomic_store(&e->want_flush, true);
    skep_engine__ring_locked(e, &e->flush_bell);
    /* Short: readers give parts back, and queries memory, without a word. */
    (void)skep_cond_wait_ms(&e->changed, &e->snap_mu, 10);
    skep_mutex_unlock(&e->snap_mu);
    return true;
}

void skep_engine__stop_waiting(struct skep_engine *e, struct skep_pending *p)
{
    skep_batch_free(p->batch);
    p->batch = NULL;
    atomic_fetch_sub(&e->q_waiting, 1);
}

unsigned skep_engine__take_in_waiting(struct skep_engine *e, struct skep_pending **group,
                                      unsigned n, unsigned *ret_refused)
{
    unsigned ready = 0;
    *ret_refused = 0;
    for (unsigned i = 0; i < n; i++) {
        struct skep_pending *p = group[i];
        skep_err err = {0};
        skep_rc rc = p->batch ? make_part(e, p->batch, p, &err) : SKEP_OK;
        while (rc == SKEP_ENOMEM && ready == 0 && wait_for_room(e, p))
            rc = make_part(e, p->batch, p, &err);
        if (rc == SKEP_ENOMEM && ready > 0) { /* I4 */
            skep_engine__push_back(e, group + i, n - i);
            break;
        }
        if (rc == SKEP_OK) {
            if (p->batch)
                skep_engine__stop_waiting(e, p);
            group[ready++] = p;
        } else {
            skep_engine__finish(e, p, rc, 0, &err);
            ++*ret_refused;
        }
    }
    return ready;
}

/* Bytes of the parts that are visible: what flushing can free. */
static uint64_t part_bytes_locked(const struct skep_engine *e)
{
    uint64_t bytes = 0;
    skep_assert(e->snap != NULL);
    for (unsigned i = 0; i < e->snap->n; i++) {
        const struct skep_part *part = skep_part_of(e->snap->sets[i].rowset);
        bytes += part ? part->base.bytes : 0;
    }
    return bytes;
}

/* Parts well over their limit.  How full the memory is does not count: parts have a reserve. */
static bool flush_is_behind_locked(const struct skep_engine *e)
{
    return part_bytes_locked(e) > 2 * e->part_limit_bytes;
}

/* Too many live parts: the folder is behind.  Too large ones: the flusher is.  The committer waits
 * a little; the senders, who wait for their answers, slow down, and nobody need be refused.
 * Without background threads the committer folds by itself. */
void skep_engine__back_pressure(struct skep_engine *e)
{
    if (!e->background) {
        while (skep_engine__fold(e)) {
        }
        return;
    }
    skep_mutex_lock(&e->snap_mu);
    /* Bounded: where folding cannot help (parts are large, it fails) memory is the limit that
     * counts. */
    for (int k = 0; k < 10 && skep_engine__parts_locked(e) >= SKEP_PARTS_HARD &&
                    skep_engine__foldable_locked(e);
         k++)
        (void)skep_cond_wait_ms(&e->changed, &e->snap_mu, 100);
    /* Bounded as well; when flushing fails (a full disk) waiting is no use, and admission refuses.
     */
    int64_t until = e->os->mono_ns(e->os) + WAIT_NS;
    while (flush_is_behind_locked(e) && !atomic_load(&e->flush_failed) &&
           e->os->mono_ns(e->os) < until) {
        atomic_store(&e->want_flush, true);
        skep_engine__ring_locked(e, &e->flush_bell);
        (void)skep_cond_wait_ms(&e->changed, &e->snap_mu, 100);
    }
    skep_mutex_unlock(&e->snap_mu);
}
