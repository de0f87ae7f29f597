// SPDX-License-Identifier: Apache-2.0
/* Scan a log file.
 *
 *   head | frame | frame | BAD | frame | zeros
 *
 * Where a frame is expected and none is, the next good one is looked for at multiples of 8, as
 * replay does; what lies between is one BAD piece, which ends behind the last byte that is not zero
 * when nothing good follows.  Bytes that pad a payload are in no checksum: they must be zero, or
 * they are a BAD piece of their own (nothing is lost by it).
 *
 * I1  pieces tile the file: every byte is in exactly one.
 * Threads: one.  Memory: a window of 64 KiB and one payload. */
#include "store/column/wal_scan.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"

enum { WINDOW = 64 << 10 };

struct scan {
    const struct skep_os *os;
    int fd;
    uint64_t size, epoch;
    uint32_t nonce; /* 0 = not known yet */
    skep_wal_piece_fn *fn;
    void *ctx;
    uint8_t *window;
    uint64_t window_at, window_n;
    skep_err *err;
};

static skep_rc peek(struct scan *s, uint64_t at, size_t n, const uint8_t **ret)
{
    skep_assert(at + n <= s->size && n <= WINDOW);
    if (at < s->window_at || at + n > s->window_at + s->window_n) {
        s->window_n = 0;
        uint64_t have = SKEP_MIN((uint64_t)WINDOW, s->size - at);
        SKEP_TRY(s->os->pread(s->os, s->fd, s->window, have, at, s->err));
        s->window_at = at;
        s->window_n = have;
    }
    *ret = s->window + (at - s->window_at);
    return SKEP_OK;
}

/* A frame at `at`: *ret_payload when all of it is good; head only: *ret_head. */
static skep_rc frame_at(struct scan *s, uint64_t at, struct skep_wal_frame_head *h, bool *ret_head,
                        uint8_t **ret_payload)
{
    const uint8_t *p;
    *ret_head = false;
    *ret_payload = NULL;
    if (s->size - at < SKEP_WAL_FRAME_BYTES)
        return SKEP_OK;
    SKEP_TRY(peek(s, at, SKEP_WAL_FRAME_BYTES, &p));
    if (!skep_wal__frame_head(p, s->epoch, s->nonce, s->size - at, h))
        return SKEP_OK;
    *ret_head = true;
    uint8_t *payload = skep_malloc(h->length);
    skep_rc rc = s->os->pread(s->os, s->fd, payload, h->length, at + SKEP_WAL_FRAME_BYTES, s->err);
    if (rc == SKEP_OK && skep_crc32c(0, (skep_bytes){payload, h->length}) == h->crc) {
        *ret_payload = payload;
        s->nonce = h->nonce;
        return SKEP_OK;
    }
    skep_free(payload);
    return rc;
}

/* Behind the last byte of [at, end) that is not zero; `at` when all are. */
static skep_rc used_end(struct scan *s, uint64_t at, uint64_t end, uint64_t *ret)
{
    *ret = at;
    while (at < end) {
        const uint8_t *p;
        size_t n = (size_t)SKEP_MIN((uint64_t)WINDOW, end - at);
        SKEP_TRY(peek(s, at, n, &p));
        for (size_t i = n; i > 0; i--)
            if (p[i - 1]) {
                *ret = at + i;
                break;
            }
        at += n;
    }
    return SKEP_OK;
}

/* Tell about [at, to) which holds no good frame; false: stop. */
static skep_rc tell_bad(struct scan *s, uint64_t at, uint64_t to, bool last, bool *ret_go)
{
    uint64_t end;
    struct skep_wal_piece p = {.kind = SKEP_WAL_BAD, .offset = at, .last = last};
    *ret_go = true;
    SKEP_TRY(used_end(s, at, to, &end));
    if (!last)
        end = to; /* zeros where frames should be are as bad as anything else */
    if (end > at) {
        uint8_t *payload;
        bool head;
        SKEP_TRY(frame_at(s, at, &p.frame, &head, &payload));
        skep_free(payload); /* its owner has finished writing it meanwhile */
        p.has_frame = head;
        p.why = head ? "the payload's checksum does not hold" : "no frame: a header is damaged";
        p.bytes = end - at;
        *ret_go = s->fn(s->ctx, &p);
    }
    if (*ret_go && end < to) {
        p = (struct skep_wal_piece){.kind = SKEP_WAL_REST, .offset = end, .bytes = to - end};
        *ret_go = s->fn(s->ctx, &p);
    }
    return SKEP_OK;
}

/* A good frame; *at moves behind it. */
static skep_rc tell_frame(struct scan *s, uint64_t *at, const struct skep_wal_frame_head *h,
                          const uint8_t *payload, bool *ret_go)
{
    uint64_t end = *at + SKEP_WAL_FRAME_BYTES + h->length;
    uint64_t padded = SKEP_MIN((end + 7) & ~7ull, s->size);
    struct skep_wal_piece p = {
        .kind = SKEP_WAL_FRAME, .offset = *at, .bytes = end - *at, .frame = *h, .payload = payload};
    *ret_go = s->fn(s->ctx, &p);
    uint64_t used;
    SKEP_TRY(used_end(s, end, padded, &used));
    if (*ret_go && used > end) {
        p = (struct skep_wal_piece){.kind = SKEP_WAL_BAD,
                                    .offset = end,
                                    .bytes = padded - end,
                                    .padding = true,
                                    .why = "padding is not zero (nothing is lost by it)"};
        *ret_go = s->fn(s->ctx, &p);
    } else if (*ret_go && padded > end) {
        p = (struct skep_wal_piece){.kind = SKEP_WAL_REST, .offset = end, .bytes = padded - end};
        *ret_go = s->fn(s->ctx, &p);
    }
    *at = padded;
    return SKEP_OK;
}

static skep_rc frames(struct scan *s)
{
    uint64_t from = SKEP_WAL_HEAD_BYTES, at = from;
    bool go = true;
    while (go && at < s->size) {
        struct skep_wal_frame_head h;
        uint8_t *payload;
        bool head;
        SKEP_TRY(frame_at(s, at, &h, &head, &payload));
        if (!payload) {
            at = SKEP_MIN(at + 8, s->size);
            continue;
        }
        skep_rc rc = SKEP_OK;
        if (at > from)
            rc = tell_bad(s, from, at, false, &go);
        if (rc == SKEP_OK && go)
            rc = tell_frame(s, &at, &h, payload, &go);
        skep_free(payload);
        SKEP_TRY(rc);
        from = at;
    }
    return go && from < s->size ? tell_bad(s, from, s->size, true, &go) : SKEP_OK;
}

static skep_rc scan_head(struct scan *s, bool *ret_go)
{
    struct skep_wal_piece p = {.kind = SKEP_WAL_BAD, .why = "the file's head is damaged"};
    const uint8_t *b = NULL;
    p.bytes = SKEP_MIN(s->size, (uint64_t)SKEP_WAL_HEAD_BYTES);
    if (s->size >= SKEP_WAL_HEAD_BYTES) {
        SKEP_TRY(peek(s, 0, SKEP_WAL_HEAD_BYTES, &b));
        struct skep_wal_file_head h;
        if (skep_wal__file_head(b, &h) && (s->epoch == 0 || s->epoch == h.epoch)) {
            p.kind = SKEP_WAL_HEAD;
            p.last_seq = h.last_seq;
            p.epoch = s->epoch = h.epoch;
            s->nonce = h.nonce;
        }
    }
    if (s->epoch == 0)
        return skep_fail(s->err, SKEP_ECORRUPT,
                         "the head of the log file is damaged, and its name "
                         "does not tell its epoch");
    uint64_t used;
    SKEP_TRY(used_end(s, 0, s->size, &used));
    if (p.kind == SKEP_WAL_BAD && used == 0)
        p.kind = SKEP_WAL_REST; /* made, and never synced */
    *ret_go = p.bytes == 0 || s->fn(s->ctx, &p);
    return SKEP_OK;
}

skep_rc skep_wal_scan(const struct skep_os *os, const char *path, uint64_t epoch,
                      skep_wal_piece_fn *fn, void *ctx, skep_err *err)
{
    skep_assert(os && path && fn);
    struct skep_os_stat st;
    struct scan s = {.os = os, .epoch = epoch, .fn = fn, .ctx = ctx, .err = err};
    SKEP_TRY(os->open(os, path, SKEP_OPEN_READ, &s.fd, err));
    s.window = skep_malloc(WINDOW);
    bool go = false;
    skep_rc rc = os->fstat(os, s.fd, &st, err);
    s.size = st.size_bytes;
    if (rc == SKEP_OK)
        rc = scan_head(&s, &go);
    if (rc == SKEP_OK && go && s.size > SKEP_WAL_HEAD_BYTES)
        rc = frames(&s);
    skep_free(s.window);
    os->close(os, s.fd);
    return rc;
}
