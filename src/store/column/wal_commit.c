// SPDX-License-Identifier: Apache-2.0
/* Groups of frames: a group is written with one pwrite (large payloads have one of their own) and
 * made durable with one fdatasync.
 *
 *   written and synced          acknowledged
 *   the disk is full            refused; its place is overwritten by the next one
 *   anything else failed        the same frames once more, to a new file; then never again
 *
 * Invariants: wal.c (I1, I3).
 * Threads: the committer's.  Memory: the group buffer. */
#include "store/column/wal_priv.h"

enum {
    PAGE_BYTES = 4096,
    DIRECT_BYTES = 128 << 10, /* payloads from here on are not copied */
    LEAVE_BYTES = 4 << 20     /* an active file this full is left when all of it is flushed */
};

static skep_rc flush_buf(struct skep_wal *w, uint64_t *at, skep_err *err)
{
    if (w->buf_n == 0)
        return SKEP_OK;
    SKEP_TRY(w->os->pwrite(w->os, w->fd, w->buf, w->buf_n, *at, err));
    *at += w->buf_n;
    w->buf_n = 0;
    return SKEP_OK;
}

static void put_head(struct skep_wal *w, const struct skep_wal_item *it, uint64_t prev_seq)
{
    uint8_t *p = w->buf + w->buf_n;
    skep_store_le32(p, SKEP_WAL_FRAME_MAGIC);
    skep_store_le32(p + 4, w->nonce);
    skep_store_le64(p + 8, it->seq);
    skep_store_le64(p + 16, prev_seq);
    skep_store_le64(p + 24, w->last_seq);
    skep_store_le64(p + 32, it->n);
    skep_store_le32(p + 40, it->crc);
    skep_store_le32(p + 44, skep_wal__salted_crc(w->epoch, p, 44));
    w->buf_n += SKEP_WAL_FRAME_BYTES;
}

/* Zeros to the end of the page, which stand there already: of a page that is written in part the
 * kernel reads the rest first, for files made ready are not in its cache (wal_file.c). */
static void fill_page(struct skep_wal *w, uint64_t at)
{
    uint64_t end = at + w->buf_n;
    uint64_t to = SKEP_MIN((end + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES, w->size);
    if (w->buf_n == 0 || to <= end || to - end > SKEP_WAL_GROUP_BYTES - w->buf_n)
        return;
    memset(w->buf + w->buf_n, 0, to - end);
    w->buf_n += to - end;
}

skep_rc skep_wal__write_group(struct skep_wal *w, const struct skep_wal_item *items, unsigned n,
                              uint64_t *ret_end, skep_err *err)
{
    uint64_t at = w->at, prev = w->last_seq;
    w->buf_n = 0;
    for (unsigned i = 0; i < n; i++) {
        const struct skep_wal_item *it = &items[i];
        size_t pad = skep_wal__padded(it->n) - it->n;
        bool direct = it->n >= DIRECT_BYTES;
        size_t room = SKEP_WAL_FRAME_BYTES + (direct ? 0 : it->n) + 8;
        if (w->buf_n + room > SKEP_WAL_GROUP_BYTES)
            SKEP_TRY(flush_buf(w, &at, err));
        put_head(w, it, prev);
        prev = it->seq;
        if (direct) {
            SKEP_TRY(flush_buf(w, &at, err));
            SKEP_TRY(w->os->pwrite(w->os, w->fd, it->payload, it->n, at, err));
            at += it->n;
        } else {
            memcpy(w->buf + w->buf_n, it->payload, it->n);
            w->buf_n += it->n;
        }
        memset(w->buf + w->buf_n, 0, pad);
        w->buf_n += pad;
    }
    *ret_end = at + w->buf_n;
    fill_page(w, at);
    return flush_buf(w, &at, err);
}

/* A refused group must not come back after a crash: unmake its first header (I1 covers the rest
 * once something else is written there). */
static void unmake(struct skep_wal *w)
{
    static const uint8_t zeros[SKEP_WAL_FRAME_BYTES];
    if (w->fd >= 0 && w->os->pwrite(w->os, w->fd, zeros, sizeof zeros, w->at, NULL) == SKEP_OK)
        (void)w->os->fdatasync(w->os, w->fd, NULL);
}

static skep_rc try_group(struct skep_wal *w, const struct skep_wal_item *items, unsigned n,
                         uint64_t bytes, skep_err *err)
{
    skep_mutex_lock(&w->mu);
    bool leave = w->n > 0 && w->files[w->n - 1].max_seq <= w->checkpoint && w->at > LEAVE_BYTES;
    skep_mutex_unlock(&w->mu);
    if (w->fd < 0 || leave || w->at + bytes > w->size) {
        SKEP_TRY(skep_wal__roll(w, bytes, err));
        if (leave) {
            skep_mutex_lock(&w->mu);
            w->drop_due = true; /* by skep_wal_prepare: no commit waits for it */
            skep_mutex_unlock(&w->mu);
        }
    }
    uint64_t end = w->at;
    SKEP_TRY(skep_wal__write_group(w, items, n, &end, err));
    int64_t begun = w->os->mono_ns(w->os);
    SKEP_TRY(w->os->fdatasync(w->os, w->fd, err));
    skep_histogram_add(&w->sync_times, w->os->mono_ns(w->os) - begun);
    skep_assert(end == w->at + bytes && end <= w->size);
    w->at = end;
    w->last_seq = items[n - 1].seq;
    w->synced = true;
    skep_mutex_lock(&w->mu);
    struct skep_wal_file *f = &w->files[w->n - 1];
    f->max_seq = w->last_seq;
    f->used_bytes += bytes;
    w->syncs++;
    skep_mutex_unlock(&w->mu);
    return SKEP_OK;
}

skep_rc skep_wal_commit(struct skep_wal *w, const struct skep_wal_item *items, unsigned n,
                        skep_err *err)
{
    skep_assert(n > 0 && items[0].seq > w->last_seq);
    if (w->failed)
        return skep_fail(err, SKEP_EIO, "the log failed before; the store is read-only");
    uint64_t bytes = 0;
    for (unsigned i = 0; i < n; i++) {
        skep_assert(i == 0 || items[i].seq > items[i - 1].seq);
        bytes += SKEP_WAL_FRAME_BYTES + skep_wal__padded(items[i].n);
    }
    skep_rc rc = try_group(w, items, n, bytes, err);
    if (rc == SKEP_OK)
        return rc;
    if (rc == SKEP_ENOSPC) {
        unmake(w);
        return rc;
    }
    skep_wal__leave(w, false); /* I3 */
    rc = try_group(w, items, n, bytes, err);
    if (rc == SKEP_OK || rc == SKEP_ENOSPC)
        return rc;
    skep_wal__leave(w, false);
    skep_mutex_lock(&w->mu);
    w->failed = true;
    skep_mutex_unlock(&w->mu);
    return rc == SKEP_EIO ? rc : skep_fail(err, SKEP_EIO, "the log cannot be written");
}
