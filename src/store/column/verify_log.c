// SPDX-License-Identifier: Apache-2.0
/* skep verify: the log.
 *
 *   file by file, piece by piece (wal_scan.c); frames are opened as parts; the chain
 *   prev_seq -> seq is followed through all files, from the checkpoint on
 *
 * A bad stretch is told once the next good frame says which commits it held.  At the end of the
 * last file nobody can say: it looks the same as a write that was cut by a power failure.  At the
 * end of an earlier one the head of the next says whether commits are missing.  So it is with the
 * head of a file without frames: one that was begun and never synced.
 *
 * Commits that are missing before a frame may be the beginning of a group that was cut by a power
 * failure, of which this frame is the rest: then no frame behind, and not the head of the next
 * file, knows them to be durable.  A head that does not says that a start has dropped the whole
 * group; at the end of the log nobody can say.
 *
 * A server may be writing: findings are kept back, the log is read again, and only what was found
 * twice alike in a row is told.
 *
 * I1  a stretch is told even when all of its commits are in segments: the file is not what was
 *     written.
 *
 * Threads: one.  Memory: one payload and its part. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "os/thread.h"
#include "store/column/kill.h"
#include "store/column/part.h"
#include "store/column/tool.h"
#include "store/column/wal_scan.h"

enum { ATTEMPTS = 5, PAUSE_MS = 20, FINDINGS_MAX = 1000 };

struct kept {
    struct skep_finding f;
    char file[256], text[240];
};

struct chain {
    struct skep_verify *v;
    const char *name; /* of the file at hand */
    struct kept *found;
    size_t n, cap;
    uint64_t checkpoint, last; /* newest commit seen, at least the checkpoint */
    bool any;                  /* a head or frame was seen */
    bool known;                /* the checkpoint is */
    struct skep_wal_piece bad; /* a stretch that waits for the next frame; bytes 0 = none */
    size_t end; /* 1 + index of the first finding about the unfinished end of the file before */
    /* 1 + index of the finding about commits of which nothing says yet that they were acknowledged;
     * the newest commit before them, and rows behind them. */
    size_t group;
    uint64_t group_after, group_rows;
    uint64_t rows, bytes, files;
    struct skep_budget budget;
};

static void SKEP_PRINTF(3, 4) keep(struct chain *c, struct skep_finding f, const char *fmt, ...)
{
    if (c->n == FINDINGS_MAX)
        return;
    SKEP_GROW(c->found, c->n, c->cap);
    struct kept *k = &c->found[c->n++];
    memset(k, 0, sizeof *k);
    k->f = f;
    k->f.level = SKEP_FINDING_DAMAGE;
    (void)snprintf(k->file, sizeof k->file, "%s", c->name);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(k->text, sizeof k->text, fmt, ap);
    va_end(ap);
}

static void SKEP_PRINTF(3, 4)
    retell(struct chain *c, enum skep_finding_level level, const char *fmt, ...)
{
    struct kept *k = &c->found[c->group - 1];
    va_list ap;
    k->f.level = level;
    va_start(ap, fmt);
    (void)vsnprintf(k->text, sizeof k->text, fmt, ap);
    va_end(ap);
}

/* Something behind the group knows this commit to be durable. */
static void group_known(struct chain *c, uint64_t synced_seq)
{
    if (c->group == 0 || synced_seq <= c->group_after)
        return;
    c->rows += c->group_rows; /* it was acknowledged: what was said stands */
    c->group = 0;
}

/* The next file was begun without it. */
static void group_dropped(struct chain *c)
{
    const struct skep_finding *f = &c->found[c->group - 1].f;
    retell(c, SKEP_FINDING_NOTE,
           "an unfinished group from commit %" PRIu64
           " on, which was never acknowledged and was passed over by a later start",
           f->min_seq);
    c->last = c->group_after;
    c->group = 0;
}

static void group_at_end(struct chain *c)
{
    const struct skep_finding *f = &c->found[c->group - 1].f;
    retell(c, SKEP_FINDING_DAMAGE,
           "commits %" PRIu64 " to %" PRIu64
           " are missing and nothing behind knows them: an unfinished group, which was never "
           "acknowledged, or damage of the last one",
           f->min_seq, f->max_seq);
    c->group = 0;
}

/* Commits (c->last, prev] are not there; the stretch that held them, if there is one. */
static void missing(struct chain *c, uint64_t prev, uint64_t at)
{
    struct skep_finding f = {.offset = at};
    if (c->bad.bytes) {
        f.offset = c->bad.offset;
        f.bytes = c->bad.bytes;
    }
    if (prev > c->last && (c->any || c->known)) {
        f.min_seq = c->last + 1;
        f.max_seq = prev;
        keep(c, f, "%s%scommits %" PRIu64 " to %" PRIu64 " are missing",
             c->bad.bytes ? c->bad.why : "", c->bad.bytes ? ": " : "", f.min_seq, f.max_seq);
    } else if (c->bad.bytes) {
        keep(c, f, "%s; its commits are in segments or were never acknowledged", c->bad.why);
    }
    c->last = SKEP_MAX(c->last, prev);
    c->bad.bytes = 0;
    c->any = true;
}

/* A frame: what is missing before it, and whether it was acknowledged. */
static void on_gap(struct chain *c, const struct skep_wal_piece *p)
{
    uint64_t prev = p->frame.seq > c->last ? p->frame.prev_seq : c->last, before = c->last;
    size_t n = c->n;
    bool any = c->any;
    missing(c, prev, p->offset);
    if (c->group == 0 && any && prev > before && p->frame.synced_seq <= before && c->n > n) {
        c->group = c->n;
        c->group_after = before;
        c->group_rows = 0;
    }
}

/* A delete: its rows are ids. */
static skep_rc open_kill(const struct skep_wal_piece *p, skep_err *err)
{
    struct skep_row_keys keys = {0};
    enum skep_death why;
    skep_rc rc = skep_kill_decode((skep_bytes){p->payload, p->frame.length}, &keys, &why, err);
    skep_row_keys_done(&keys);
    return rc;
}

static skep_rc open_rows(struct chain *c, const struct skep_wal_piece *p, struct skep_rowset **ret,
                         skep_err *err)
{
    uint8_t *payload = skep_malloc(p->frame.length);
    memcpy(payload, p->payload, p->frame.length);
    return skep_part_open(payload, p->frame.length, p->frame.seq, &c->budget, ret, err);
}

/* again: its commit was seen before, it was written anew. */
static void open_frame(struct chain *c, const struct skep_wal_piece *p, bool again)
{
    struct skep_rowset *rs = NULL;
    skep_err why;
    skep_rc rc;
    if (skep_kill_is((skep_bytes){p->payload, p->frame.length})) {
        rc = open_kill(p, &why);
    } else {
        rc = open_rows(c, p, &rs, &why);
    }
    if (rc != SKEP_OK) {
        struct skep_finding f = {.offset = p->offset,
                                 .bytes = p->bytes,
                                 .min_seq = p->frame.seq,
                                 .max_seq = p->frame.seq};
        keep(c, f, "commit %" PRIu64 ": %.150s", p->frame.seq, why.text);
        return;
    }
    if (rs && p->frame.seq > c->checkpoint && !again)
        *(c->group ? &c->group_rows : &c->rows) += rs->n_rows;
    skep_rowset_unref(rs);
}

static void on_bad(struct chain *c, const struct skep_wal_piece *p)
{
    struct skep_finding f = {.offset = p->offset, .bytes = p->bytes};
    if (p->offset == 0)
        c->end = c->n + 1;
    if (p->offset == 0 || p->padding) {
        keep(c, f, "%s", p->why);
        return;
    }
    if (!p->last) {
        c->bad = *p;
        return;
    }
    if (p->has_frame)
        f.min_seq = f.max_seq = p->frame.seq;
    if (c->end == 0)
        c->end = c->n + 1;
    keep(c, f,
         "nothing good follows: an unfinished write, which was never acknowledged, or damage of "
         "the last commit");
}

/* The head of the next file names the newest commit before it.  If that is there, a start has been
 * over the end of the file before, and nothing acknowledged stood in it. */
static void on_head(struct chain *c, uint64_t last_seq)
{
    bool told = (c->any || c->known) && last_seq <= c->last;
    for (size_t i = c->end; i > 0 && i <= c->n && told; i++) {
        struct kept *k = &c->found[i - 1];
        k->f.level = SKEP_FINDING_NOTE;
        (void)snprintf(k->text, sizeof k->text,
                       "it ends in an unfinished write, which was never acknowledged and "
                       "was passed over by a later start");
    }
    c->end = 0;
}

static void on_frame(struct chain *c, const struct skep_wal_piece *p)
{
    bool again = c->any && p->frame.seq <= c->last;
    c->end = 0; /* a file that was written to */
    group_known(c, p->frame.synced_seq);
    on_gap(c, p);
    open_frame(c, p, again);
    c->last = SKEP_MAX(c->last, p->frame.seq);
}

static bool on_piece(void *ctx, const struct skep_wal_piece *p)
{
    struct chain *c = ctx;
    switch (p->kind) {
    case SKEP_WAL_HEAD:
        on_head(c, p->last_seq);
        group_known(c, p->last_seq);
        if (c->group)
            group_dropped(c);
        missing(c, p->last_seq, p->offset);
        break;
    case SKEP_WAL_FRAME: on_frame(c, p); break;
    case SKEP_WAL_BAD: on_bad(c, p); break;
    case SKEP_WAL_REST:
    default: break;
    }
    return true;
}

static skep_rc scan(struct chain *c, const char *path, const char *name, uint64_t epoch,
                    skep_err *err)
{
    struct skep_os_stat st;
    c->name = name;
    c->bad.bytes = 0;
    SKEP_TRY(c->v->t->os->stat(c->v->t->os, path, &st, err));
    SKEP_TRY(skep_wal_scan(c->v->t->os, path, epoch, on_piece, c, err));
    c->bytes += st.size_bytes;
    c->files++;
    return SKEP_OK;
}

struct epochs {
    uint64_t *v;
    size_t n, cap;
};

static bool note_epoch(void *ctx, skep_str name)
{
    struct epochs *e = ctx;
    uint64_t epoch;
    if (skep_path_number(name, SKEP_STR(".log"), &epoch)) {
        SKEP_GROW(e->v, e->n, e->cap);
        e->v[e->n++] = epoch;
    }
    return true;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static skep_rc scan_all(struct chain *c, const char *dir, skep_err *err)
{
    struct epochs e = {0};
    const struct skep_os *os = c->v->t->os;
    c->name = "wal";
    skep_rc rc = os->list(os, skep_path_of("%s/wal", dir).s, note_epoch, &e, err);
    if (rc == SKEP_ENOTFOUND) {
        keep(c, (struct skep_finding){0}, "the folder of the log is not there");
        rc = SKEP_OK;
    } else if (rc == SKEP_OK && e.n == 0 && c->known && c->checkpoint > 0) {
        keep(c, (struct skep_finding){.min_seq = c->checkpoint + 1},
             "the log is not there: commits after %" PRIu64 " are lost, if there were any",
             c->checkpoint);
    }
    if (e.n > 1)
        qsort(e.v, e.n, sizeof *e.v, by_number);
    for (size_t i = 0; i < e.n && rc == SKEP_OK; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "wal/%016" PRIx64 ".log", e.v[i]);
        rc = scan(c, skep_path_of("%s/%s", dir, name).s, name, e.v[i], err);
        if (rc == SKEP_ENOTFOUND && i + 1 < e.n)
            rc = SKEP_OK; /* flushed and deleted since it was listed */
    }
    skep_free(e.v);
    return rc;
}

static bool alike(const struct chain *a, const struct chain *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (a->found[i].f.offset != b->found[i].f.offset ||
            memcmp(a->found[i].file, b->found[i].file, sizeof a->found[i].file) != 0)
            return false;
    return true;
}

static void tell(struct chain *c)
{
    struct skep_verify *v = c->v;
    for (size_t i = 0; i < c->n; i++) {
        struct kept *k = &c->found[i];
        k->f.file = skep_str_c(k->file);
        skep_verify__found(v, k->f, "%s", k->text);
    }
    v->r.rows += c->rows;
    v->r.bytes += c->bytes;
    v->r.files += c->files;
    if (v->t->progress)
        v->t->progress(v->t->ctx, SKEP_MAX(v->r.bytes, v->total_bytes), v->total_bytes);
}

/* The checkpoint as it is now: the log moves with it. */
static void begin(struct chain *c, struct skep_verify *v, const char *dir)
{
    struct skep_manifest *m = NULL;
    *c = (struct chain){.v = v};
    skep_budget_init(&c->budget, "verify", UINT64_MAX, NULL);
    c->known = dir && skep_manifest_load(v->t->os, dir, &m, NULL) == SKEP_OK;
    if (c->known)
        c->checkpoint = c->last = skep_manifest_state(m)->checkpoint;
    skep_manifest_close(m);
}

skep_rc skep_verify__log(struct skep_verify *v, const char *dir, const char *file, skep_err *err)
{
    struct chain before = {0};
    skep_rc rc = SKEP_OK;
    skep_assert((dir != NULL) != (file != NULL));
    for (unsigned i = 0; i < ATTEMPTS; i++) {
        struct chain c;
        begin(&c, v, dir);
        rc = file ? scan(&c, file, file, skep_tool__epoch_of(file), err) : scan_all(&c, dir, err);
        if (c.group)
            group_at_end(&c);
        bool settled = rc == SKEP_OK && (c.n == 0 || (i > 0 && alike(&c, &before)));
        skep_free(before.found);
        before = c;
        if (settled)
            break;
        skep_sleep_ms(PAUSE_MS);
    }
    if (rc == SKEP_OK)
        tell(&before);
    skep_free(before.found);
    return rc;
}
