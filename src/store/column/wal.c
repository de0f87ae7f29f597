// SPDX-License-Identifier: Apache-2.0
/* The write-ahead log.
 *
 *   wal/<epoch, 16 hex digits>.log
 *     +------+---------------+---------------+----- - - -
 *     | head | frame 1       | frame 2       |  zeros
 *     +------+---------------+---------------+----- - - -
 *     frame = magic, seq, prev_seq, synced_seq, length, crc of payload, crc of header | payload |
 * pad
 *
 * A group of frames is written with one pwrite (large payloads have one of their own) and made
 * durable with one fdatasync.  The header's checksum is salted with the file's epoch, so that no
 * byte of an older file can pass for a frame; files are never reused.  Each frame names the commit
 * before it (prev_seq): a missing frame shows wherever the next good one stands, in this file or a
 * later one.  It also names the newest commit known durable when it was written (synced_seq): what
 * is missing above that was never acknowledged, so a half-written group is told from damage.
 *
 * I1  seq ascends through all files and is never used twice, not even after a failed commit; what a
 *     failed commit left behind is passed over when a later frame has overwritten part of it.
 * The file after the active one is made ready by a background thread once the active one is half
 * full: zeros are written over it, so that a group changes data alone and its fdatasync waits for
 * no journal, where the file system would first write out what others have written.
 *
 * I2  file, head and directory are synced before the first frame of a file is acknowledged.
 * I3  after a failed write or sync nothing more is written to that file: the kernel may have
 * dropped its dirty pages.  Its frames are written again to a new file; the second failure ends
 * writing. I4  there is always at least one file once the log was started; its head names the last
 * commit before it, so that a lost manifest record shows as a gap.
 * I5  one thread at a time makes a file: while the committer begins one (`rolling`) none is made
 * ready, for it would have the same number and the other's frames would be written over.
 *
 * Threads: commit, start, replay by one thread; prepare by another one; drop and the counters by
 * any (list under mu). Memory: one group buffer; while replaying one frame. */
#include "store/column/wal.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "os/thread.h"
#include "store/column/frame.h"
#include "store/column/path.h"

enum {
    FRAME_MAGIC = 0x46574b53, /* "SKWF" */
    VERSION = 1,
    GROUP_BYTES = 1 << 20,    /* of the group buffer */
    DIRECT_BYTES = 128 << 10, /* payloads from here on are not copied */
    PEEK_BYTES = 4 << 10,
    WINDOW_BYTES = 64 << 10,
    LEAVE_BYTES = 4 << 20, /* an active file this full is left when all of it is flushed */
    CUT_BYTES = 1 << 20    /* an unused rest from here on is cut off */
};
static const char FILE_MAGIC[8] = "SKEPWAL1";

struct wal_file {
    uint64_t epoch, max_seq;
    uint64_t disk_bytes, used_bytes;
};

struct skep_wal {
    const struct skep_os *os;
    char *dir;
    uint64_t file_bytes_max;

    struct skep_mutex mu;   /* guards the list, `checkpoint` and the counters */
    struct wal_file *files; /* by epoch */
    unsigned n, cap;
    uint64_t checkpoint;
    uint64_t syncs;
    struct skep_histogram sync_times;
    bool failed, started;
    uint64_t next_bytes; /* size of the next file; the committer's alone to change */
    /* A file made ready for when the active one is full; fd -1 = none.  disk_bytes counts while it
     * is being made, too. */
    struct {
        int fd;
        uint64_t epoch, disk_bytes;
    } next;
    bool preparing;
    bool rolling;          /* a file is being begun: its number is taken (I5) */
    uint64_t not_prepared; /* epoch that could not be made ready: not tried again */
    struct skep_cond prepared;

    /* The active file; the committer's alone. */
    int fd; /* -1 = none */
    uint64_t epoch, at, size;
    uint64_t last_seq; /* durable */
    bool synced;       /* something was committed to the active file */
    uint8_t *buf;
    size_t buf_n;
};

static skep_path file_path(const struct skep_wal *w, uint64_t epoch)
{
    return skep_path_of("%s/%016" PRIx64 ".log", w->dir, epoch);
}

static size_t padded(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

static uint32_t salted_crc(uint64_t epoch, const uint8_t *p, size_t n)
{
    uint8_t salt[8];
    skep_store_le64(salt, epoch);
    return skep_crc32c(skep_crc32c(0, (skep_bytes){salt, sizeof salt}), (skep_bytes){p, n});
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
    w->files[w->n++] = (struct wal_file){.epoch = epoch};
    return true;
}

static int by_epoch(const void *a, const void *b)
{
    uint64_t x = ((const struct wal_file *)a)->epoch, y = ((const struct wal_file *)b)->epoch;
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
    w->buf = skep_malloc(GROUP_BYTES);
    skep_mutex_init(&w->mu, "wal");
    skep_cond_init(&w->prepared);
    struct listing l = {w};
    skep_rc rc = os->list(os, dir, note_file, &l, err);
    if (w->n > 1)
        qsort(w->files, w->n, sizeof *w->files, by_epoch);
    for (unsigned i = 0; i < w->n && rc == SKEP_OK; i++) {
        struct skep_os_stat st;
        rc = os->stat(os, file_path(w, w->files[i].epoch).s, &st, err);
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
        (void)w->os->unlink(w->os, file_path(w, w->next.epoch).s, NULL); /* it is empty */
    }
    skep_cond_done(&w->prepared);
    skep_mutex_done(&w->mu);
    skep_free(w->files);
    skep_free(w->buf);
    skep_free(w->dir);
    skep_free(w);
}

/* --- replay ----------------------------------------------------------------------------------- */

struct replay {
    struct skep_wal *w;
    struct wal_file *file;
    int fd;
    uint64_t size;
    uint64_t last; /* newest commit seen, at least the checkpoint */
    uint64_t checkpoint;
    bool any; /* a head or frame was seen */
    struct skep_wal_damage *damage;
    uint8_t *window;
    uint64_t window_at, window_n;
    skep_err *err;
};

static bool in_window(const struct replay *r, uint64_t at, uint64_t n)
{
    return at >= r->window_at && at + n <= r->window_at + r->window_n;
}

/* n <= PEEK_BYTES bytes at `at`, or NULL with *ret_rc set; the caller knows they are in the file.
 * Little is read where a header is expected, more and more where one is searched for. */
static const uint8_t *peek(struct replay *r, uint64_t at, size_t n, skep_rc *ret_rc)
{
    if (!in_window(r, at, n)) {
        bool onward = in_window(r, at, 0);
        uint64_t want = onward ? SKEP_MIN(r->window_n * 4, (uint64_t)WINDOW_BYTES) : 0;
        r->window_at = at;
        r->window_n = SKEP_MIN(SKEP_MAX(want, (uint64_t)PEEK_BYTES), r->size - at);
        *ret_rc = r->w->os->pread(r->w->os, r->fd, r->window, r->window_n, at, r->err);
        if (*ret_rc != SKEP_OK) {
            r->window_n = 0;
            return NULL;
        }
    }
    skep_assert(n <= r->window_n);
    return r->window + (at - r->window_at);
}

bool skep_wal__frame_head(const uint8_t *p, uint64_t epoch, uint64_t room,
                          struct skep_wal_frame_head *h)
{
    if (room < SKEP_WAL_FRAME_BYTES || skep_load_le32(p) != FRAME_MAGIC ||
        skep_load_le32(p + 44) != salted_crc(epoch, p, 44))
        return false;
    *h = (struct skep_wal_frame_head){.seq = skep_load_le64(p + 8),
                                      .prev_seq = skep_load_le64(p + 16),
                                      .synced_seq = skep_load_le64(p + 24),
                                      .length = skep_load_le64(p + 32),
                                      .crc = skep_load_le32(p + 40)};
    return h->length <= SKEP_FRAME_MAX_BYTES && h->length <= room - SKEP_WAL_FRAME_BYTES &&
           h->prev_seq < h->seq && h->synced_seq <= h->prev_seq && h->seq <= INT64_MAX;
}

static bool load_head(const struct replay *r, const uint8_t *p, uint64_t at,
                      struct skep_wal_frame_head *h)
{
    return skep_wal__frame_head(p, r->file->epoch, r->size - at, h);
}

bool skep_wal__file_head(const uint8_t *p, uint64_t *ret_epoch, uint64_t *ret_last_seq)
{
    if (memcmp(p, FILE_MAGIC, 8) != 0 ||
        skep_load_le32(p + 60) != skep_crc32c(0, (skep_bytes){p, 60}))
        return false;
    *ret_epoch = skep_load_le64(p + 16);
    *ret_last_seq = skep_load_le64(p + 24);
    return true;
}

static void SKEP_PRINTF(2, 3) note_damage(struct replay *r, const char *fmt, ...)
{
    if (r->damage->text[0])
        return;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(r->damage->text, sizeof r->damage->text, fmt, ap);
    va_end(ap);
}

static void note_gap(struct skep_wal_damage *d, uint64_t first, uint64_t last, uint64_t epoch)
{
    if (d->n_gaps == SKEP_WAL_GAPS_MAX)
        d->gaps[SKEP_WAL_GAPS_MAX - 1].last = last;
    else
        d->gaps[d->n_gaps++] = (struct skep_wal_gap){first, last, epoch};
}

/* Something names `prev` as the commit before it: are commits missing between? */
static void check_chain(struct replay *r, uint64_t prev)
{
    if (prev > r->last) {
        if (r->damage->lost_first == 0)
            r->damage->lost_first = r->last + 1;
        r->damage->lost_last = prev;
        note_gap(r->damage, r->last + 1, prev, r->file->epoch);
        if (!r->any)
            r->damage->gap_at_start = true;
        note_damage(r, "commits %" PRIu64 " to %" PRIu64 " are missing before %016" PRIx64 ".log",
                    r->last + 1, prev, r->file->epoch);
        r->last = prev;
    }
    r->any = true;
}

static void check_file_head(struct replay *r)
{
    skep_rc rc = SKEP_OK;
    if (r->size < SKEP_WAL_HEAD_BYTES)
        return; /* created, never synced */
    const uint8_t *p = peek(r, 0, SKEP_WAL_HEAD_BYTES, &rc);
    uint64_t epoch, last_seq;
    if (p && skep_wal__file_head(p, &epoch, &last_seq) && epoch == r->file->epoch) {
        check_chain(r, last_seq);
    } else if (p && skep_load_le64(p) != 0) { /* else created, never synced */
        r->damage->torn++;
        note_damage(r, "the head of %016" PRIx64 ".log is unfinished or damaged", r->file->epoch);
    }
}

/* Words of zeros from p on that stand in the window with a whole header behind them, but for the
 * last: the unused rest of a file is mostly what is looked at. */
static uint64_t zeros_at(const struct replay *r, const uint8_t *p)
{
    const uint8_t *end = r->window + r->window_n - SKEP_WAL_FRAME_BYTES, *from = p;
    while (p + 8 <= end && skep_load_le64(p) == 0)
        p += 8;
    return p > from ? (uint64_t)(p - from) - 8 : 0;
}

/* The next good frame at or behind *at; false at the end of the file.  Takes its payload. */
static skep_rc next_frame(struct replay *r, uint64_t *at, bool *ret_found,
                          struct skep_wal_frame_head *h, uint8_t **ret_payload)
{
    const struct skep_os *os = r->w->os;
    *ret_found = false;
    for (; *at + SKEP_WAL_FRAME_BYTES <= r->size; *at += 8) {
        skep_rc rc = SKEP_OK;
        const uint8_t *p = peek(r, *at, SKEP_WAL_FRAME_BYTES, &rc);
        if (!p)
            return rc;
        *at += zeros_at(r, p);
        if (p[0] == 0 || SKEP_LIKELY(skep_load_le32(p) != FRAME_MAGIC) || !load_head(r, p, *at, h))
            continue;
        uint8_t *payload = skep_malloc(h->length);
        uint64_t from = *at + SKEP_WAL_FRAME_BYTES;
        if (in_window(r, from, h->length))
            memcpy(payload, r->window + (from - r->window_at), h->length);
        else
            rc = os->pread(os, r->fd, payload, h->length, from, r->err);
        if (rc == SKEP_OK && skep_crc32c(0, (skep_bytes){payload, h->length}) == h->crc) {
            *ret_found = true;
            *ret_payload = payload;
            return SKEP_OK;
        }
        skep_free(payload);
        if (rc != SKEP_OK)
            return rc;
    }
    return SKEP_OK;
}

/* Calls next_frame until the end of the file; the newest commit its frames know to be durable. */
static skep_rc synced_by_rest(struct replay *r, uint64_t at, bool first_only, uint64_t *ret_seq)
{
    for (;;) {
        struct skep_wal_frame_head h;
        uint8_t *payload = NULL;
        bool found;
        SKEP_TRY(next_frame(r, &at, &found, &h, &payload));
        if (!found)
            return SKEP_OK;
        skep_free(payload);
        *ret_seq = SKEP_MAX(*ret_seq, h.synced_seq);
        r->any = true;
        if (first_only)
            return SKEP_OK;
        at += SKEP_WAL_FRAME_BYTES + padded(h.length);
    }
}

/* The newest commit known to be durable when the file of `r` was left: by what stands behind `at`
 * in it, or by what the next file began with.  (Later ones prove nothing: they chain to the next.)
 */
static skep_rc acked_behind(const struct replay *r, uint64_t at, uint64_t *ret_seq)
{
    const struct skep_os *os = r->w->os;
    struct skep_wal_damage ignored = {0};
    struct replay ahead = *r;
    ahead.window = skep_malloc(WINDOW_BYTES);
    ahead.window_n = 0;
    ahead.damage = &ignored;
    skep_rc rc = synced_by_rest(&ahead, at, false, ret_seq);
    ahead.any = false;
    while (rc == SKEP_OK && !ahead.any && ++ahead.file < r->w->files + r->w->n) {
        rc = os->open(os, file_path(r->w, ahead.file->epoch).s, SKEP_OPEN_READ, &ahead.fd, r->err);
        if (rc != SKEP_OK)
            break;
        ahead.size = ahead.file->disk_bytes;
        ahead.window_n = 0;
        ahead.last = 0;
        check_file_head(&ahead);
        *ret_seq = SKEP_MAX(*ret_seq, ahead.last);
        if (!ahead.any)
            rc = synced_by_rest(&ahead, SKEP_WAL_HEAD_BYTES, true, ret_seq);
        os->close(os, ahead.fd);
    }
    skep_free(ahead.window);
    return rc;
}

/* Nothing good follows at `at`: is it the unused rest, or a write that was cut? */
static skep_rc end_of_file(struct replay *r, uint64_t at)
{
    static const uint8_t zeros[SKEP_WAL_FRAME_BYTES];
    uint64_t n = SKEP_MIN((uint64_t)SKEP_WAL_FRAME_BYTES, r->size > at ? r->size - at : 0);
    if (n == 0)
        return SKEP_OK;
    skep_rc rc = SKEP_OK;
    const uint8_t *p = peek(r, at, n, &rc);
    if (p && memcmp(p, zeros, n) != 0) {
        r->damage->torn++;
        note_damage(r, "%016" PRIx64 ".log ends in an unfinished write at byte %" PRIu64,
                    r->file->epoch, at);
    }
    return rc;
}

/* A frame at `at` says that commits before it are missing.  Either they were lost, or the power
 * went while they and this frame were written in one group, none of which was acknowledged. */
static skep_rc missing_before(struct replay *r, const struct skep_wal_frame_head *h, uint64_t from,
                              uint64_t at, bool *ret_torn)
{
    uint64_t acked = h->synced_seq;
    *ret_torn = false;
    if (acked <= r->last && r->any)
        SKEP_TRY(acked_behind(r, at, &acked));
    if (acked <= r->last && r->any) {
        *ret_torn = true;
        r->damage->torn++;
        note_damage(r, "%016" PRIx64 ".log ends in an unfinished write at byte %" PRIu64,
                    r->file->epoch, from);
    } else if (at > from) {
        r->damage->regions++;
        note_damage(r,
                    "%016" PRIx64 ".log is damaged at byte %" PRIu64 " (%" PRIu64
                    " bytes): commits %" PRIu64 " to %" PRIu64 " are lost",
                    r->file->epoch, from, at - from, r->last + 1, h->prev_seq);
    }
    return SKEP_OK;
}

static skep_rc replay_frames(struct replay *r, skep_wal_frame_fn *fn, void *ctx)
{
    uint64_t at = SKEP_WAL_HEAD_BYTES;
    for (;;) {
        struct skep_wal_frame_head h;
        uint8_t *payload = NULL;
        bool found;
        uint64_t from = at;
        SKEP_TRY(next_frame(r, &at, &found, &h, &payload));
        if (!found)
            return end_of_file(r, from);
        uint64_t bytes = SKEP_WAL_FRAME_BYTES + padded(h.length);
        if (h.seq <=
            r->last) { /* flushed, written twice after a failed sync, or left behind (I1) */
            r->file->max_seq = SKEP_MAX(r->file->max_seq, h.seq);
            r->any = true;
            skep_free(payload);
            at += bytes;
            r->file->used_bytes += bytes;
            continue;
        }
        bool torn = false;
        skep_rc rc = SKEP_OK;
        if (h.prev_seq > r->last)
            rc = missing_before(r, &h, from, at, &torn);
        if (rc != SKEP_OK || torn) {
            skep_free(payload);
            return rc;
        }
        check_chain(r, h.prev_seq);
        r->last = h.seq;
        r->file->max_seq = h.seq;
        r->file->used_bytes += bytes;
        at += bytes;
        SKEP_TRY(fn(ctx, h.seq, payload, h.length, r->err));
    }
}

skep_rc skep_wal_replay(struct skep_wal *w, uint64_t checkpoint, skep_wal_frame_fn *fn, void *ctx,
                        struct skep_wal_damage *damage, uint64_t *ret_last, skep_err *err)
{
    skep_assert(w->fd < 0 && fn && damage && ret_last);
    *damage = (struct skep_wal_damage){0};
    struct replay r = {.w = w,
                       .last = checkpoint,
                       .checkpoint = checkpoint,
                       .damage = damage,
                       .window = skep_malloc(WINDOW_BYTES),
                       .err = err};
    skep_rc rc = SKEP_OK;
    for (unsigned i = 0; i < w->n && rc == SKEP_OK; i++) {
        r.file = &w->files[i];
        r.window_n = 0;
        rc = w->os->open(w->os, file_path(w, r.file->epoch).s, SKEP_OPEN_READ, &r.fd, err);
        if (rc != SKEP_OK)
            break;
        r.size = r.file->disk_bytes;
        check_file_head(&r);
        rc = replay_frames(&r, fn, ctx);
        w->os->close(w->os, r.fd);
    }
    if (w->n == 0 && checkpoint > 0) /* I4 */
        note_damage(&r, "the log is missing: commits after %" PRIu64 " are lost, if there were any",
                    checkpoint);
    skep_free(r.window);
    *ret_last = r.last;
    return rc;
}

/* --- writing ---------------------------------------------------------------------------------- */

static void file_head(uint8_t *p, uint64_t epoch, uint64_t last_seq)
{
    memset(p, 0, SKEP_WAL_HEAD_BYTES);
    memcpy(p, FILE_MAGIC, 8);
    skep_store_le32(p + 8, VERSION);
    skep_store_le64(p + 16, epoch);
    skep_store_le64(p + 24, last_seq);
    skep_store_le32(p + 60, skep_crc32c(0, (skep_bytes){p, 60}));
}

static skep_rc prepare_file(struct skep_wal *w, int fd, uint64_t epoch, uint64_t size,
                            skep_err *err)
{
    const struct skep_os *os = w->os;
    uint8_t head[SKEP_WAL_HEAD_BYTES];
    file_head(head, epoch, w->last_seq);
    SKEP_TRY(os->preallocate(os, fd, size, err));
    SKEP_TRY(os->pwrite(os, fd, head, sizeof head, 0, err));
    SKEP_TRY(os->fsync(os, fd, err));
    return skep_os_sync_dir(w->os, w->dir, err);
}

/* Lets the active file go. */
static void leave_file(struct skep_wal *w, bool clean)
{
    if (w->fd < 0)
        return;
    if ((!clean || w->size - w->at >= CUT_BYTES) &&
        w->os->truncate(w->os, w->fd, w->at, NULL) == SKEP_OK && clean) {
        skep_mutex_lock(&w->mu);
        w->files[w->n - 1].disk_bytes = w->at;
        skep_mutex_unlock(&w->mu);
    }
    w->os->close(w->os, w->fd);
    w->fd = -1;
}

/* The file is the active one from here on. */
static void take_file(struct skep_wal *w, int fd, uint64_t epoch, uint64_t size)
{
    leave_file(w, true);
    skep_mutex_lock(&w->mu);
    SKEP_GROW(w->files, w->n, w->cap);
    w->files[w->n++] =
        (struct wal_file){.epoch = epoch, .max_seq = w->last_seq, .disk_bytes = size};
    w->syncs++;
    w->next_bytes = SKEP_MIN(w->next_bytes * 2, w->file_bytes_max);
    skep_mutex_unlock(&w->mu);
    w->fd = fd;
    w->epoch = epoch;
    w->at = SKEP_WAL_HEAD_BYTES;
    w->size = size;
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
    uint64_t epoch = w->next.epoch, size = w->next.disk_bytes;
    w->next.fd = -1;
    w->next.disk_bytes = 0;
    skep_mutex_unlock(&w->mu);
    *ret_taken = false;
    if (fd < 0)
        return SKEP_OK;
    if (size < SKEP_WAL_HEAD_BYTES + need) {
        os->close(os, fd);
        return os->unlink(os, file_path(w, epoch).s, err);
    }
    take_file(w, fd, epoch, size);
    *ret_taken = true;
    uint8_t head[SKEP_WAL_HEAD_BYTES];
    file_head(head, epoch, w->last_seq);
    return os->pwrite(os, fd, head, sizeof head, 0, err);
}

static skep_rc make_file(struct skep_wal *w, uint64_t need, skep_err *err)
{
    const struct skep_os *os = w->os;
    uint64_t epoch = w->n ? w->files[w->n - 1].epoch + 1 : 1;
    uint64_t size = SKEP_MAX(w->next_bytes, SKEP_WAL_HEAD_BYTES + need);
    skep_path path = file_path(w, epoch);
    int fd;
    unsigned flags = SKEP_OPEN_READ | SKEP_OPEN_WRITE | SKEP_OPEN_CREATE | SKEP_OPEN_TRUNC;
    SKEP_TRY(os->open(os, path.s, flags, &fd, err));
    skep_rc rc = prepare_file(w, fd, epoch, size, err);
    while (rc == SKEP_ENOSPC &&
           size > SKEP_WAL_HEAD_BYTES + need) { /* what room there is will do */
        size = SKEP_MAX(size / 4, SKEP_WAL_HEAD_BYTES + need);
        rc = prepare_file(w, fd, epoch, size, err);
    }
    if (rc != SKEP_OK) {
        os->close(os, fd);
        (void)os->unlink(os, path.s, NULL); /* an empty file is harmless */
        return rc;
    }
    take_file(w, fd, epoch, size);
    return SKEP_OK;
}

/* Begins a file with room for `need` bytes of frames. */
static skep_rc roll(struct skep_wal *w, uint64_t need, skep_err *err)
{
    bool taken;
    skep_rc rc = take_next(w, need, &taken, err);
    if (rc == SKEP_OK && !taken)
        rc = make_file(w, need, err);
    skep_mutex_lock(&w->mu);
    w->rolling = false;
    skep_mutex_unlock(&w->mu);
    return rc;
}

static bool wants_next_locked(const struct skep_wal *w)
{
    const struct wal_file *active = w->n ? &w->files[w->n - 1] : NULL;
    return w->started && !w->failed && !w->preparing && !w->rolling && w->next.fd < 0 && active &&
           active->used_bytes > active->disk_bytes / 2 && w->not_prepared != active->epoch + 1;
}

bool skep_wal_wants_next(struct skep_wal *w)
{
    skep_mutex_lock(&w->mu);
    bool wants = wants_next_locked(w);
    skep_mutex_unlock(&w->mu);
    return wants;
}

static skep_rc make_next(struct skep_wal *w, uint64_t epoch, uint64_t size, int *ret_fd)
{
    const struct skep_os *os = w->os;
    skep_path path = file_path(w, epoch);
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
    bool wants = wants_next_locked(w);
    uint64_t size = w->next_bytes, epoch = w->n ? w->files[w->n - 1].epoch + 1 : 1;
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

/* What replay has seen stays so: a process that was killed may have left frames that are not on the
 * disk yet, a failed commit an end that was cut off and not yet so on the disk. */
static skep_rc settle_files(struct skep_wal *w, skep_err *err)
{
    for (unsigned i = 0; i < w->n; i++) {
        int fd;
        SKEP_TRY(w->os->open(w->os, file_path(w, w->files[i].epoch).s, SKEP_OPEN_WRITE, &fd, err));
        skep_rc rc = w->os->fsync(w->os, fd, err);
        w->os->close(w->os, fd);
        SKEP_TRY(rc);
    }
    return SKEP_OK;
}

skep_rc skep_wal_start(struct skep_wal *w, uint64_t last_seq, skep_err *err)
{
    skep_assert(w->fd < 0);
    w->last_seq = last_seq;
    SKEP_TRY(settle_files(w, err));
    SKEP_TRY(roll(w, 0, err));
    skep_mutex_lock(&w->mu);
    w->started = true;
    skep_mutex_unlock(&w->mu);
    skep_wal_drop(w, 0); /* what was flushed while replaying */
    return SKEP_OK;
}

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
    skep_store_le32(p, FRAME_MAGIC);
    skep_store_le32(p + 4, VERSION);
    skep_store_le64(p + 8, it->seq);
    skep_store_le64(p + 16, prev_seq);
    skep_store_le64(p + 24, w->last_seq);
    skep_store_le64(p + 32, it->n);
    skep_store_le32(p + 40, it->crc);
    skep_store_le32(p + 44, salted_crc(w->epoch, p, 44));
    w->buf_n += SKEP_WAL_FRAME_BYTES;
}

/* Writes the group at w->at without moving it; *ret_end behind the last byte. */
static skep_rc write_group(struct skep_wal *w, const struct skep_wal_item *items, unsigned n,
                           uint64_t *ret_end, skep_err *err)
{
    uint64_t at = w->at, prev = w->last_seq;
    w->buf_n = 0;
    for (unsigned i = 0; i < n; i++) {
        const struct skep_wal_item *it = &items[i];
        size_t pad = padded(it->n) - it->n;
        bool direct = it->n >= DIRECT_BYTES;
        size_t room = SKEP_WAL_FRAME_BYTES + (direct ? 0 : it->n) + 8;
        if (w->buf_n + room > GROUP_BYTES)
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
    SKEP_TRY(flush_buf(w, &at, err));
    *ret_end = at;
    return SKEP_OK;
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
        SKEP_TRY(roll(w, bytes, err));
        if (leave)
            skep_wal_drop(w, 0);
    }
    uint64_t end = w->at;
    SKEP_TRY(write_group(w, items, n, &end, err));
    int64_t begun = w->os->mono_ns(w->os);
    SKEP_TRY(w->os->fdatasync(w->os, w->fd, err));
    skep_histogram_add(&w->sync_times, w->os->mono_ns(w->os) - begun);
    skep_assert(end == w->at + bytes && end <= w->size);
    w->at = end;
    w->last_seq = items[n - 1].seq;
    w->synced = true;
    skep_mutex_lock(&w->mu);
    struct wal_file *f = &w->files[w->n - 1];
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
        bytes += SKEP_WAL_FRAME_BYTES + padded(items[i].n);
    }
    skep_rc rc = try_group(w, items, n, bytes, err);
    if (rc == SKEP_OK)
        return rc;
    if (rc == SKEP_ENOSPC) {
        unmake(w);
        return rc;
    }
    leave_file(w, false); /* I3 */
    rc = try_group(w, items, n, bytes, err);
    if (rc == SKEP_OK || rc == SKEP_ENOSPC)
        return rc;
    leave_file(w, false);
    skep_mutex_lock(&w->mu);
    w->failed = true;
    skep_mutex_unlock(&w->mu);
    return rc == SKEP_EIO ? rc : skep_fail(err, SKEP_EIO, "the log cannot be written");
}

void skep_wal_drop(struct skep_wal *w, uint64_t checkpoint)
{
    skep_mutex_lock(&w->mu);
    w->checkpoint = SKEP_MAX(w->checkpoint, checkpoint);
    unsigned kept = 0;
    for (unsigned i = 0; i < w->n; i++) {
        struct wal_file f = w->files[i];
        bool gone = w->started && i + 1 < w->n && f.max_seq <= w->checkpoint &&
                    w->os->unlink(w->os, file_path(w, f.epoch).s, NULL) == SKEP_OK;
        if (!gone) /* also when it could not be deleted: the next call tries again */
            w->files[kept++] = f;
    }
    w->n = kept;
    skep_mutex_unlock(&w->mu);
}

uint64_t skep_wal_disk_bytes(struct skep_wal *w)
{
    skep_mutex_lock(&w->mu);
    uint64_t sum = w->next.disk_bytes;
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
