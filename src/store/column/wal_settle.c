// SPDX-License-Identifier: Apache-2.0
/* What replay has seen stays so, whatever the disk has of it.
 *
 *   a process was killed behind writes it had not synced     files that are needed are synced
 *   ... behind a sync that failed                            nothing knows: reading shows frames
 *                                                            that the kernel has given up, and the
 *                                                            next sync says that all is well
 *
 * So where the owner before did not say that its log was sound, frames of which nothing says that
 * they are durable - no later frame, no head - are written again, to a file of their own.  They are
 * the last group, or two.  They are not written over where they stand: they may be good, and a
 * write that is cut by a power failure may spoil what was there.
 *
 *   old file   ... 8 | 9 | 10 11 12          nothing knows of 10 to 12
 *   new file   zeros | 10 11 12              1. frames, synced
 *              head(9) | 10 11 12            2. the head, synced: from here on 10 to 12 of the old
 *                                               file are passed over
 *
 * I1  the head comes behind the frames: at no moment is a commit in neither file.
 * I2  without room for it what was read is believed, as it would be of an owner that was sound: a
 *     full disk must not keep the store from opening.
 *
 * Threads: the one that opens.  Memory: frames of 1 MiB together, or one. */
#include "store/column/wal_priv.h"

#include "base/mem.h"

enum { BATCH = 256 };

/* Frames read again, to be written as one group. */
struct batch {
    struct skep_wal_item items[BATCH];
    uint8_t *payloads[BATCH];
    unsigned n;
    size_t bytes;
};

static void drop_batch(struct batch *b)
{
    for (unsigned i = 0; i < b->n; i++)
        skep_free(b->payloads[i]);
    b->n = 0;
    b->bytes = 0;
}

/* A file of which everything is in segments is not needed any more. */
static skep_rc sync_files(struct skep_wal *w, skep_err *err)
{
    for (unsigned i = 0; i < w->n; i++) {
        int fd;
        if (w->files[i].max_seq <= w->checkpoint) /* no other thread runs yet */
            continue;
        SKEP_TRY(
            w->os->open(w->os, skep_wal__path(w, w->files[i].epoch).s, SKEP_OPEN_WRITE, &fd, err));
        skep_rc rc = w->os->fsync(w->os, fd, err);
        w->os->close(w->os, fd);
        SKEP_TRY(rc);
    }
    return SKEP_OK;
}

/* The frame of a doubt, as replay found it. */
static skep_rc read_head(struct skep_wal *w, int fd, const struct skep_wal_doubt *d,
                         struct skep_wal_frame_head *h, skep_err *err)
{
    uint8_t head[SKEP_WAL_FRAME_BYTES];
    SKEP_TRY(w->os->pread(w->os, fd, head, sizeof head, d->offset, err));
    if (!skep_wal__frame_head(head, d->epoch, SKEP_WAL_NONCE_UNKNOWN, UINT64_MAX, h) ||
        h->seq != d->seq)
        return skep_fail(err, SKEP_EIO, "%016" PRIx64 ".log: commit %" PRIu64 " reads differently",
                         d->epoch, d->seq);
    return SKEP_OK;
}

static skep_rc read_frame(struct skep_wal *w, const struct skep_wal_doubt *d, struct batch *b,
                          skep_err *err)
{
    struct skep_wal_frame_head h;
    int fd;
    SKEP_TRY(w->os->open(w->os, skep_wal__path(w, d->epoch).s, SKEP_OPEN_READ, &fd, err));
    skep_rc rc = read_head(w, fd, d, &h, err);
    if (rc == SKEP_OK) {
        uint8_t *payload = skep_malloc(h.length);
        b->payloads[b->n] = payload;
        b->items[b->n++] = (struct skep_wal_item){h.seq, payload, h.length, h.crc};
        b->bytes += SKEP_WAL_FRAME_BYTES + skep_wal__padded(h.length);
        rc = w->os->pread(w->os, fd, payload, h.length, d->offset + SKEP_WAL_FRAME_BYTES, err);
        if (rc == SKEP_OK && skep_crc32c(0, (skep_bytes){payload, h.length}) != h.crc)
            rc =
                skep_fail(err, SKEP_EIO, "%016" PRIx64 ".log: commit %" PRIu64 " reads differently",
                          d->epoch, d->seq);
    }
    w->os->close(w->os, fd);
    return rc;
}

static skep_rc write_batch(struct skep_wal *w, const struct batch *b, skep_err *err)
{
    uint64_t end = w->at;
    SKEP_TRY(skep_wal__write_group(w, b->items, b->n, &end, err));
    SKEP_TRY(w->os->fdatasync(w->os, w->fd, err));
    skep_assert(end == w->at + b->bytes && end <= w->size);
    struct skep_wal_file *f = &w->files[w->n - 1]; /* no other thread runs yet */
    w->at = end;
    w->last_seq = f->max_seq = b->items[b->n - 1].seq;
    f->used_bytes += b->bytes;
    w->synced = true;
    return SKEP_OK;
}

static skep_rc write_frames(struct skep_wal *w, skep_err *err)
{
    struct batch *b = skep_alloc(struct batch);
    skep_rc rc = SKEP_OK;
    for (size_t i = 0; i < w->n_doubts && rc == SKEP_OK; i++) {
        rc = read_frame(w, &w->doubts[i], b, err);
        bool full = b->n == BATCH || b->bytes >= SKEP_WAL_GROUP_BYTES || i + 1 == w->n_doubts;
        if (rc == SKEP_OK && full) {
            rc = write_batch(w, b, err);
            drop_batch(b);
        }
    }
    drop_batch(b);
    skep_free(b);
    return rc;
}

static skep_rc write_head(struct skep_wal *w, skep_err *err)
{
    uint8_t head[SKEP_WAL_HEAD_BYTES];
    skep_wal__put_file_head(head, &(struct skep_wal_file_head){w->epoch, w->synced_seq, w->nonce});
    SKEP_TRY(w->os->pwrite(w->os, w->fd, head, sizeof head, 0, err));
    return w->os->fdatasync(w->os, w->fd, err);
}

/* The new file as if it had not been begun. */
static void undo(struct skep_wal *w)
{
    w->os->close(w->os, w->fd);
    w->fd = -1;
    (void)w->os->unlink(w->os, skep_wal__path(w, w->epoch).s, NULL); /* it says nothing new */
    w->n--;
}

/* Those that a later one of them knew, or the checkpoint, are none any more. */
static void drop_known(struct skep_wal *w)
{
    size_t known = 0;
    while (known < w->n_doubts && w->doubts[known].seq <= w->synced_seq)
        known++;
    w->n_doubts -= known;
    if (known > 0)
        memmove(w->doubts, w->doubts + known, w->n_doubts * sizeof *w->doubts);
}

static uint64_t bytes_of_doubts(const struct skep_wal *w)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < w->n_doubts; i++)
        bytes += SKEP_WAL_FRAME_BYTES + skep_wal__padded(w->doubts[i].length);
    return bytes;
}

static skep_rc write_anew(struct skep_wal *w, skep_err *err)
{
    w->last_seq = w->synced_seq;
    SKEP_TRY(skep_wal__begin_headless(w, bytes_of_doubts(w), err));
    skep_rc rc = write_frames(w, err);
    if (rc == SKEP_OK)
        rc = write_head(w, err);
    if (rc != SKEP_OK)
        undo(w);
    return rc;
}

skep_rc skep_wal__settle(struct skep_wal *w, uint64_t last_seq, skep_err *err)
{
    SKEP_TRY(sync_files(w, err));
    drop_known(w);
    if (w->doubtful && w->n_doubts > 0) {
        skep_assert(w->doubts[w->n_doubts - 1].seq <= last_seq);
        skep_rc rc = write_anew(w, err);
        if (rc != SKEP_OK && rc != SKEP_ENOSPC) /* I2 */
            return rc;
    }
    skep_free(w->doubts);
    w->doubts = NULL;
    w->n_doubts = w->cap_doubts = 0;
    return SKEP_OK;
}
