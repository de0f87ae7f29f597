// SPDX-License-Identifier: Apache-2.0
/* Files of the log: begun, made ready ahead, left.
 *
 *   prepare ---> zeros all over it, durable ---> taken when the active one is full
 *   begin   ---> preallocated, with its head durable, where none was made ready in time
 *
 * The file after the active one is made ready by a background thread once the active one is half
 * full: zeros are written over it, so that a group changes data alone and its fdatasync waits for
 * no journal, where the file system would first write out what others have written.
 *
 * Invariants: wal.c (I2, I4, I5).
 * Threads: the committer's, and one that prepares. */
#include "store/column/wal_priv.h"

#include "base/mem.h"

enum { CUT_BYTES = 1 << 20 /* an unused rest from here on is cut off */ };

struct plan {
    uint64_t epoch, size;
    uint32_t nonce;
    bool headless;
};

static skep_rc prepare_file(struct skep_wal *w, int fd, const struct plan *p, skep_err *err)
{
    const struct skep_os *os = w->os;
    uint8_t head[SKEP_WAL_HEAD_BYTES];
    skep_wal__put_file_head(head, &(struct skep_wal_file_head){p->epoch, w->last_seq, p->nonce});
    SKEP_TRY(os->preallocate(os, fd, p->size, err));
    if (!p->headless)
        SKEP_TRY(os->pwrite(os, fd, head, sizeof head, 0, err));
    SKEP_TRY(os->fsync(os, fd, err));
    return skep_os_sync_dir(w->os, w->dir, err);
}

/* Lets the active file go. */
void skep_wal__leave(struct skep_wal *w, bool clean)
{
    if (w->fd < 0)
        return;
    skep_mutex_lock(&w->mu);
    bool doomed = clean && w->started && w->files[w->n - 1].max_seq <= w->checkpoint;
    skep_mutex_unlock(&w->mu);
    if (!doomed && (!clean || w->size - w->at >= CUT_BYTES) &&
        w->os->truncate(w->os, w->fd, w->at, NULL) == SKEP_OK && clean) {
        skep_mutex_lock(&w->mu);
        w->files[w->n - 1].disk_bytes = w->at;
        skep_mutex_unlock(&w->mu);
    }
    w->os->close(w->os, w->fd);
    w->fd = -1;
}

/* The file is the active one from here on. */
static void take_file(struct skep_wal *w, int fd, const struct plan *p)
{
    skep_wal__leave(w, true);
    skep_mutex_lock(&w->mu);
    SKEP_GROW(w->files, w->n, w->cap);
    w->files[w->n++] =
        (struct skep_wal_file){.epoch = p->epoch, .max_seq = w->last_seq, .disk_bytes = p->size};
    w->syncs++;
    w->next_bytes = SKEP_MIN(w->next_bytes * 2, w->file_bytes_max);
    skep_mutex_unlock(&w->mu);
    w->fd = fd;
    w->epoch = p->epoch;
    w->nonce = p->nonce;
    w->at = SKEP_WAL_HEAD_BYTES;
    w->size = p->size;
    w->synced = false;
}

/* Takes the file made ready, if it has room for `need` bytes of frames.  Its head becomes durable
 * with the first group. */
static skep_rc take_next(struct skep_wal *w, uint64_t need, bool *ret_taken, skep_err *err)
{
    const struct skep_os *os = w->os;
    skep_mutex_lock(&w->mu);
    w->rolling = true;
    while (w->preparing)
        skep_cond_wait(&w->prepared, &w->mu);
    int fd = w->next.fd;
    struct plan p = {.epoch = w->next.epoch, .size = w->next.disk_bytes};
    w->next.fd = -1;
    w->next.disk_bytes = 0;
    skep_mutex_unlock(&w->mu);
    *ret_taken = false;
    if (fd < 0)
        return SKEP_OK;
    if (p.size < SKEP_WAL_HEAD_BYTES + need) {
        os->close(os, fd);
        return os->unlink(os, skep_wal__path(w, p.epoch).s, err);
    }
    p.nonce = skep_wal__new_nonce(w);
    take_file(w, fd, &p);
    *ret_taken = true;
    uint8_t head[SKEP_WAL_HEAD_BYTES];
    skep_wal__put_file_head(head, &(struct skep_wal_file_head){p.epoch, w->last_seq, p.nonce});
    return os->pwrite(os, fd, head, sizeof head, 0, err);
}

/* The number of a file behind all others. */
static uint64_t next_epoch_locked(struct skep_wal *w)
{
    skep_assert_held(&w->mu);
    return w->n ? w->files[w->n - 1].epoch + 1 : 1;
}

static skep_rc make_file(struct skep_wal *w, uint64_t need, bool headless, skep_err *err)
{
    const struct skep_os *os = w->os;
    skep_mutex_lock(&w->mu);
    struct plan p = {.epoch = next_epoch_locked(w),
                     .size = SKEP_MAX(w->next_bytes, SKEP_WAL_HEAD_BYTES + need),
                     .nonce = skep_wal__new_nonce(w),
                     .headless = headless};
    skep_mutex_unlock(&w->mu);
    skep_path path = skep_wal__path(w, p.epoch);
    int fd;
    unsigned flags = SKEP_OPEN_READ | SKEP_OPEN_WRITE | SKEP_OPEN_CREATE | SKEP_OPEN_TRUNC;
    SKEP_TRY(os->open(os, path.s, flags, &fd, err));
    skep_rc rc = prepare_file(w, fd, &p, err);
    while (rc == SKEP_ENOSPC &&
           p.size > SKEP_WAL_HEAD_BYTES + need) { /* what room there is will do */
        p.size = SKEP_MAX(p.size / 4, SKEP_WAL_HEAD_BYTES + need);
        rc = prepare_file(w, fd, &p, err);
    }
    if (rc != SKEP_OK) {
        os->close(os, fd);
        (void)os->unlink(os, path.s, NULL); /* an empty file is harmless */
        return rc;
    }
    take_file(w, fd, &p);
    return SKEP_OK;
}

/* Begins a file with room for `need` bytes of frames. */
skep_rc skep_wal__roll(struct skep_wal *w, uint64_t need, skep_err *err)
{
    bool taken;
    skep_rc rc = take_next(w, need, &taken, err);
    if (rc == SKEP_OK && !taken)
        rc = make_file(w, need, false, err);
    skep_mutex_lock(&w->mu);
    w->rolling = false;
    skep_mutex_unlock(&w->mu);
    return rc;
}

skep_rc skep_wal__begin_headless(struct skep_wal *w, uint64_t need, skep_err *err)
{
    skep_assert(w->fd < 0 && !w->started);
    return make_file(w, need, true, err);
}

static bool wants_next_locked(const struct skep_wal *w)
{
    const struct skep_wal_file *active = w->n ? &w->files[w->n - 1] : NULL;
    return w->started && !w->failed && !w->preparing && !w->rolling && w->next.fd < 0 && active &&
           active->used_bytes > active->disk_bytes / 2 && w->not_prepared != active->epoch + 1;
}

bool skep_wal_wants_next(struct skep_wal *w)
{
    skep_mutex_lock(&w->mu);
    bool wants = wants_next_locked(w) || w->drop_due;
    skep_mutex_unlock(&w->mu);
    return wants;
}

static skep_rc make_next(struct skep_wal *w, uint64_t epoch, uint64_t size, int *ret_fd)
{
    const struct skep_os *os = w->os;
    skep_path path = skep_wal__path(w, epoch);
    unsigned flags = SKEP_OPEN_READ | SKEP_OPEN_WRITE | SKEP_OPEN_CREATE | SKEP_OPEN_TRUNC;
    SKEP_TRY(os->open(os, path.s, flags, ret_fd, NULL));
    skep_rc rc = os->zero(os, *ret_fd, size, NULL);
    if (rc == SKEP_OK)
        rc = os->fsync(os, *ret_fd, NULL);
    if (rc == SKEP_OK)
        rc = skep_os_sync_dir(w->os, w->dir, NULL);
    if (rc != SKEP_OK) {
        os->close(os, *ret_fd);
        (void)os->unlink(os, path.s, NULL); /* an empty file is harmless */
    }
    return rc;
}

void skep_wal_prepare(struct skep_wal *w)
{
    skep_mutex_lock(&w->mu);
    bool drop = w->drop_due;
    skep_mutex_unlock(&w->mu);
    if (drop)
        skep_wal_drop(w, 0);
    skep_mutex_lock(&w->mu);
    bool wants = wants_next_locked(w);
    uint64_t size = w->next_bytes, epoch = next_epoch_locked(w);
    if (wants) {
        w->preparing = true;
        w->next.disk_bytes = size;
    }
    skep_mutex_unlock(&w->mu);
    if (!wants)
        return;
    int fd = -1;
    skep_rc rc = make_next(w, epoch, size, &fd);
    skep_mutex_lock(&w->mu);
    w->preparing = false;
    w->next.epoch = epoch;
    w->next.fd = rc == SKEP_OK ? fd : -1;
    if (rc != SKEP_OK) { /* the committer will find out why, if it still is so */
        w->next.disk_bytes = 0;
        w->not_prepared = epoch;
    }
    skep_cond_broadcast(&w->prepared);
    skep_mutex_unlock(&w->mu);
}

skep_rc skep_wal_start(struct skep_wal *w, uint64_t last_seq, skep_err *err)
{
    skep_assert(w->fd < 0);
    SKEP_TRY(skep_wal__settle(w, last_seq, err));
    w->last_seq = last_seq;
    if (w->fd < 0)
        SKEP_TRY(skep_wal__roll(w, 0, err));
    skep_mutex_lock(&w->mu);
    w->started = true;
    skep_mutex_unlock(&w->mu);
    skep_wal_drop(w, 0); /* what was flushed while replaying */
    return SKEP_OK;
}
