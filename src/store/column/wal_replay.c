// SPDX-License-Identifier: Apache-2.0
/* Replay: the frames of all files in order, and what is missing between them.
 *
 *   files by epoch, frames by position, each once; where one is expected and none is, the rest of
 *   the file is searched; docs/formats/wal.md says what each finding means
 *
 * I1  nothing is written.
 *
 * Threads: the one that opens.  Memory: a window of 64 KiB, one frame. */
#include "store/column/wal_priv.h"

#include <stdio.h>

#include "base/mem.h"
#include "store/column/frame.h"

enum { PEEK_BYTES = 4 << 10, WINDOW_BYTES = 64 << 10 };

struct replay {
    struct skep_wal *w;
    struct skep_wal_file *file;
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

static bool load_head(const struct replay *r, const uint8_t *p, uint64_t at,
                      struct skep_wal_frame_head *h)
{
    return skep_wal__frame_head(p, r->file->epoch, r->file->nonce, r->size - at, h);
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
    struct skep_wal_file_head h;
    if (p && skep_wal__file_head(p, &h) && h.epoch == r->file->epoch) {
        check_chain(r, h.last_seq);
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
        if (p[0] == 0 || SKEP_LIKELY(skep_load_le32(p) != SKEP_WAL_FRAME_MAGIC) ||
            !load_head(r, p, *at, h))
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
            r->file->nonce = h->nonce; /* where the head does not say it */
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
        at += SKEP_WAL_FRAME_BYTES + skep_wal__padded(h.length);
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
        rc = os->open(os, skep_wal__path(r->w, ahead.file->epoch).s, SKEP_OPEN_READ, &ahead.fd,
                      r->err);
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

/* From `at` on the file holds what was never acknowledged. */
static void note_torn(struct replay *r, uint64_t at)
{
    r->damage->torn++;
    note_damage(r, "%016" PRIx64 ".log ends in an unfinished write at byte %" PRIu64,
                r->file->epoch, at);
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
    if (p && memcmp(p, zeros, n) != 0)
        note_torn(r, at);
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
        note_torn(r, from);
    } else if (at > from) {
        r->damage->regions++;
        note_damage(r,
                    "%016" PRIx64 ".log is damaged at byte %" PRIu64 " (%" PRIu64
                    " bytes): commits %" PRIu64 " to %" PRIu64 " are lost",
                    r->file->epoch, from, at - from, r->last + 1, h->prev_seq);
    }
    return SKEP_OK;
}

/* What nothing says to be durable so far (wal_settle.c). */
static void note_doubt(const struct replay *r, const struct skep_wal_frame_head *h, uint64_t at)
{
    struct skep_wal *w = r->w;
    w->synced_seq = SKEP_MAX(w->synced_seq, h->synced_seq);
    if (w->n_doubts > 0 && w->doubts[w->n_doubts - 1].seq <= w->synced_seq)
        w->n_doubts = 0;
    if (h->seq <= r->last || h->seq <= w->synced_seq)
        return;
    SKEP_GROW(w->doubts, w->n_doubts, w->cap_doubts);
    w->doubts[w->n_doubts++] = (struct skep_wal_doubt){
        .epoch = r->file->epoch, .offset = at, .seq = h->seq, .length = h->length};
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
        uint64_t bytes = SKEP_WAL_FRAME_BYTES + skep_wal__padded(h.length);
        if (h.seq <=
            r->last) { /* flushed, written twice after a failed sync, or left behind (I1) */
            r->file->max_seq = SKEP_MAX(r->file->max_seq, h.seq);
            r->any = true;
            note_doubt(r, &h, at);
            skep_free(payload);
            at += bytes;
            r->file->used_bytes += bytes;
            continue;
        }
        bool above = h.seq > r->file->limit, torn = above && at > from;
        skep_rc rc = SKEP_OK;
        if (torn)
            note_torn(r, from);
        else if (!above && h.prev_seq > r->last)
            rc = missing_before(r, &h, from, at, &torn);
        if (rc != SKEP_OK || torn) {
            skep_free(payload);
            return rc;
        }
        if (above) { /* refused, or written again */
            skep_free(payload);
            at += bytes;
            continue;
        }
        check_chain(r, h.prev_seq);
        note_doubt(r, &h, at);
        r->last = h.seq;
        r->file->max_seq = h.seq;
        r->file->used_bytes += bytes;
        at += bytes;
        SKEP_TRY(fn(ctx, h.seq, payload, h.length, r->err));
    }
}

/* What the heads say: the nonces; and what stands in a file above the head of a later one was not
 * durable when that was begun, so it was refused or written again. */
static skep_rc read_heads(struct skep_wal *w, skep_err *err)
{
    const struct skep_os *os = w->os;
    uint64_t limit = UINT64_MAX;
    for (unsigned i = w->n; i-- > 0;) {
        struct skep_wal_file *f = &w->files[i];
        uint8_t head[SKEP_WAL_HEAD_BYTES];
        struct skep_wal_file_head h;
        int fd;
        f->limit = limit;
        f->nonce = SKEP_WAL_NONCE_UNKNOWN;
        if (f->disk_bytes < sizeof head)
            continue;
        SKEP_TRY(os->open(os, skep_wal__path(w, f->epoch).s, SKEP_OPEN_READ, &fd, err));
        skep_rc rc = os->pread(os, fd, head, sizeof head, 0, err);
        os->close(os, fd);
        SKEP_TRY(rc);
        if (!skep_wal__file_head(head, &h) || h.epoch != f->epoch)
            continue;
        f->nonce = h.nonce;
        limit = SKEP_MIN(limit, h.last_seq);
        w->synced_seq = SKEP_MAX(w->synced_seq, h.last_seq);
    }
    return SKEP_OK;
}

skep_rc skep_wal_replay(struct skep_wal *w, uint64_t checkpoint, skep_wal_frame_fn *fn, void *ctx,
                        struct skep_wal_damage *damage, uint64_t *ret_last, skep_err *err)
{
    skep_assert(w->fd < 0 && fn && damage && ret_last);
    *damage = (struct skep_wal_damage){0};
    w->synced_seq = w->checkpoint = checkpoint; /* no other thread runs yet */
    w->n_doubts = 0;
    SKEP_TRY(read_heads(w, err));
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
        rc = w->os->open(w->os, skep_wal__path(w, r.file->epoch).s, SKEP_OPEN_READ, &r.fd, err);
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
