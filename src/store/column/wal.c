// SPDX-License-Identifier: Apache-2.0
/* The write-ahead log.
 *
 *   wal/<epoch, 16 hex digits>.log
 *     +------+---------------+---------------+----- - - -
 *     | head | frame 1       | frame 2       |  zeros
 *     +------+---------------+---------------+----- - - -
 *     frame = magic, nonce, seq, prev_seq, synced_seq, length, crc of payload, crc of header
 *             | payload | pad
 *
 *   wal.c          the list of files; the two heads
 *   wal_replay.c   what stands in them, and what is missing
 *   wal_settle.c   what was replayed made durable before anything is built on it
 *   wal_file.c     files: begun, made ready ahead, left
 *   wal_commit.c   groups of frames: written, synced
 *
 * The header's checksum is salted with the file's epoch, so that no byte of an older file can pass
 * for a frame; files are never reused.  And each header repeats the nonce of the file's head, a
 * random number: where a frame is searched for because one is missing, what a client has put into
 * a payload must not pass for one (I6).  Each frame names the commit before it (prev_seq): a
 * missing frame shows wherever the next good one stands, in this file or a later one.  It also
 * names the newest commit known durable when it was written (synced_seq): what is missing above
 * that was never acknowledged, so a half-written group is told from damage.
 *
 * I1  seq ascends through all files and is never used twice, not even after a failed commit; what a
 *     failed commit left behind is passed over when a later frame has overwritten part of it.
 *     The head of a later file says what was durable when that was begun: what an older one holds
 *     above it was refused, or written again.
 * I2  file, head and directory are synced before the first frame of a file is acknowledged.
 * I3  after a failed write or sync nothing more is written to that file: the kernel may have
 *     dropped its dirty pages.  Its frames are written again to a new file; the second failure ends
 *     writing.
 * I4  there is always at least one file once the log was started; its head names the last commit
 *     before it, so that a lost manifest record shows as a gap.
 * I5  one thread at a time makes a file: while the committer begins one (`rolling`) none is made
 *     ready, for it would have the same number and the other's frames would be written over.
 * I6  a nonce leaves the process in log files only.  Files of version 1 have none (it is 1); where
 *     a head is damaged the first good frame says it.
 *
 * Threads: commit, start, replay by one thread; prepare by another one; drop and the counters by
 * any (list under mu). Memory: one group buffer; while replaying one frame. */
#include "store/column/wal_priv.h"

#include <stdlib.h>

#include "base/mem.h"
#include "store/column/frame.h"

static const char FILE_MAGIC[8] = "SKEPWAL1";

/* --- heads ------------------------------------------------------------------------------------ */

bool skep_wal__frame_head(const uint8_t *p, uint64_t epoch, uint32_t nonce, uint64_t room,
                          struct skep_wal_frame_head *h)
{
    if (room < SKEP_WAL_FRAME_BYTES || skep_load_le32(p) != SKEP_WAL_FRAME_MAGIC ||
        (nonce != SKEP_WAL_NONCE_UNKNOWN && skep_load_le32(p + 4) != nonce) ||
        skep_load_le32(p + 44) != skep_wal__salted_crc(epoch, p, 44))
        return false;
    *h = (struct skep_wal_frame_head){.seq = skep_load_le64(p + 8),
                                      .prev_seq = skep_load_le64(p + 16),
                                      .synced_seq = skep_load_le64(p + 24),
                                      .length = skep_load_le64(p + 32),
                                      .crc = skep_load_le32(p + 40),
                                      .nonce = skep_load_le32(p + 4)};
    return h->length <= SKEP_FRAME_MAX_BYTES && h->length <= room - SKEP_WAL_FRAME_BYTES &&
           h->prev_seq < h->seq && h->synced_seq <= h->prev_seq && h->seq <= INT64_MAX;
}

bool skep_wal__file_head(const uint8_t *p, struct skep_wal_file_head *ret)
{
    if (memcmp(p, FILE_MAGIC, 8) != 0 ||
        skep_load_le32(p + 60) != skep_crc32c(0, (skep_bytes){p, 60}))
        return false;
    bool has_nonce = skep_load_le32(p + 8) > 1;
    *ret = (struct skep_wal_file_head){.epoch = skep_load_le64(p + 16),
                                       .last_seq = skep_load_le64(p + 24),
                                       .nonce =
                                           has_nonce ? skep_load_le32(p + 12) : SKEP_WAL_NONCE_V1};
    return true;
}

uint32_t skep_wal__new_nonce(const struct skep_wal *w)
{
    uint32_t nonce;
    w->os->random(w->os, &nonce, sizeof nonce);
    return nonce > SKEP_WAL_NONCE_V1 ? nonce : nonce + 2;
}

void skep_wal__put_file_head(uint8_t *p, const struct skep_wal_file_head *head)
{
    memset(p, 0, SKEP_WAL_HEAD_BYTES);
    memcpy(p, FILE_MAGIC, 8);
    skep_store_le32(p + 8, SKEP_WAL_VERSION);
    skep_store_le32(p + 12, head->nonce);
    skep_store_le64(p + 16, head->epoch);
    skep_store_le64(p + 24, head->last_seq);
    skep_store_le32(p + 60, skep_crc32c(0, (skep_bytes){p, 60}));
}

/* --- opening ---------------------------------------------------------------------------------- */

struct listing {
    struct skep_wal *w;
};

static bool note_file(void *ctx, skep_str name)
{
    struct skep_wal *w = ((struct listing *)ctx)->w;
    uint64_t epoch;
    if (!skep_path_number(name, SKEP_STR(".log"), &epoch))
        return true;
    SKEP_GROW(w->files, w->n, w->cap);
    w->files[w->n++] = (struct skep_wal_file){.epoch = epoch};
    return true;
}

static int by_epoch(const void *a, const void *b)
{
    uint64_t x = ((const struct skep_wal_file *)a)->epoch,
             y = ((const struct skep_wal_file *)b)->epoch;
    return (x > y) - (x < y);
}

skep_rc skep_wal_open(const struct skep_os *os, const char *dir, uint64_t file_bytes_max,
                      struct skep_wal **ret, skep_err *err)
{
    skep_assert(os && dir && ret);
    SKEP_TRY(os->mkdir(os, dir, err));
    struct skep_wal *w = skep_alloc(struct skep_wal);
    w->os = os;
    skep_str d = skep_str_c(dir);
    w->dir = skep_strndup(d.p, d.n);
    w->file_bytes_max = file_bytes_max ? file_bytes_max : SKEP_WAL_FILE_BYTES_MAX;
    w->next_bytes = SKEP_MIN(w->file_bytes_max, (uint64_t)SKEP_WAL_FILE_BYTES_MIN);
    w->fd = w->next.fd = -1;
    w->buf = skep_malloc(SKEP_WAL_GROUP_BYTES);
    skep_mutex_init(&w->mu, "wal");
    skep_cond_init(&w->prepared);
    struct listing l = {w};
    skep_rc rc = os->list(os, dir, note_file, &l, err);
    if (w->n > 1)
        qsort(w->files, w->n, sizeof *w->files, by_epoch);
    for (unsigned i = 0; i < w->n && rc == SKEP_OK; i++) {
        struct skep_os_stat st;
        rc = os->stat(os, skep_wal__path(w, w->files[i].epoch).s, &st, err);
        if (rc == SKEP_OK)
            w->files[i].disk_bytes = st.size_bytes;
    }
    if (rc != SKEP_OK) {
        skep_wal_close(w);
        return rc;
    }
    *ret = w;
    return SKEP_OK;
}

void skep_wal_close(struct skep_wal *w)
{
    if (!w)
        return;
    if (w->fd >= 0) {
        if (!w->failed) /* only spares the next start the look at the unused rest */
            (void)w->os->truncate(w->os, w->fd, w->at, NULL);
        w->os->close(w->os, w->fd);
    }
    if (w->next.fd >= 0) {
        w->os->close(w->os, w->next.fd);
        (void)w->os->unlink(w->os, skep_wal__path(w, w->next.epoch).s, NULL); /* it is empty */
    }
    skep_cond_done(&w->prepared);
    skep_mutex_done(&w->mu);
    skep_free(w->doubts);
    skep_free(w->files);
    skep_free(w->buf);
    skep_free(w->dir);
    skep_free(w);
}

/* --- while it runs ---------------------------------------------------------------------------- */

enum { DROP_BATCH = 16 };

/* Takes files that hold nothing above the checkpoint off the list; not the active one (I4). */
static unsigned take_gone(struct skep_wal *w, uint64_t checkpoint, struct skep_wal_file *ret)
{
    unsigned kept = 0, n = 0;
    skep_mutex_lock(&w->mu);
    w->checkpoint = SKEP_MAX(w->checkpoint, checkpoint);
    for (unsigned i = 0; i < w->n; i++) {
        struct skep_wal_file f = w->files[i];
        if (w->started && i + 1 < w->n && f.max_seq <= w->checkpoint && n < DROP_BATCH) {
            w->dropping_bytes += f.disk_bytes;
            ret[n++] = f;
        } else {
            w->files[kept++] = f;
        }
    }
    w->n = kept;
    w->drop_due = false;
    skep_mutex_unlock(&w->mu);
    return n;
}

/* It could not be deleted: the next call tries again. */
static void put_back_locked(struct skep_wal *w, struct skep_wal_file f)
{
    unsigned at = w->n;
    SKEP_GROW(w->files, w->n, w->cap);
    for (; at > 0 && w->files[at - 1].epoch > f.epoch; at--)
        w->files[at] = w->files[at - 1];
    w->files[at] = f;
    w->n++;
}

/* Deleting a large file may wait for the file system's journal: not under the lock that commits
 * take. */
void skep_wal_drop(struct skep_wal *w, uint64_t checkpoint)
{
    struct skep_wal_file gone[DROP_BATCH];
    bool failed = false;
    for (unsigned n = DROP_BATCH; n == DROP_BATCH && !failed;) {
        n = take_gone(w, checkpoint, gone);
        for (unsigned i = 0; i < n; i++) {
            bool kept = w->os->unlink(w->os, skep_wal__path(w, gone[i].epoch).s, NULL) != SKEP_OK;
            skep_mutex_lock(&w->mu);
            w->dropping_bytes -= gone[i].disk_bytes;
            if (kept)
                put_back_locked(w, gone[i]);
            skep_mutex_unlock(&w->mu);
            failed |= kept;
        }
    }
}

uint64_t skep_wal_disk_bytes(struct skep_wal *w)
{
    skep_mutex_lock(&w->mu);
    uint64_t sum = w->next.disk_bytes + w->dropping_bytes;
    for (unsigned i = 0; i < w->n; i++)
        sum += w->files[i].disk_bytes;
    skep_mutex_unlock(&w->mu);
    return sum;
}

uint64_t skep_wal_used_bytes(struct skep_wal *w)
{
    uint64_t sum = 0;
    skep_mutex_lock(&w->mu);
    for (unsigned i = 0; i < w->n; i++)
        sum += w->files[i].used_bytes;
    skep_mutex_unlock(&w->mu);
    return sum;
}

struct skep_histogram *skep_wal_sync_times(struct skep_wal *w)
{
    return &w->sync_times;
}

uint64_t skep_wal_syncs(struct skep_wal *w)
{
    skep_mutex_lock(&w->mu);
    uint64_t n = w->syncs;
    skep_mutex_unlock(&w->mu);
    return n;
}

bool skep_wal_failed(struct skep_wal *w)
{
    skep_mutex_lock(&w->mu);
    bool failed = w->failed;
    skep_mutex_unlock(&w->mu);
    return failed;
}

void skep_wal_doubt(struct skep_wal *w)
{
    skep_assert(!w->started);
    w->doubtful = true;
}

bool skep_wal_sound(struct skep_wal *w)
{
    skep_mutex_lock(&w->mu);
    bool sound = w->started && !w->failed;
    skep_mutex_unlock(&w->mu);
    return sound;
}
