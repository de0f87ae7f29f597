// SPDX-License-Identifier: Apache-2.0
/* skep backup: one moment of a store, while its owner works on.
 *
 *   1. read MANIFEST; open its segments; list and open the log files; read MANIFEST again: another
 *      checkpoint means that log files may have gone meanwhile: begin again
 *   2. from here on the descriptors hold the moment: what the owner deletes is still there
 *   3. copy each file that no earlier backup has, to objects/
 *   4. read back what was copied, and compare
 *   5. write the listing, put it in place
 *
 * The last log file may be written to while it is copied.  It is cut behind the last frame that is
 * whole and has nothing missing before it: everything acknowledged before step 1 is.  A hole that
 * stays when it is copied again is damage of the log itself, and then the file is kept as it is.
 *
 * I1  everything acknowledged before the call is in the backup.
 * I2  an earlier backup is never changed; objects that one names are never written.
 * I3  a log file is copied before the older ones: what stands in it was written after all of
 * theirs. The other way round the file made ready for later would be copied with commits that
 * follow ones the copy of the older file does not have yet.
 *
 * Threads: one.  Memory: the manifest, listings, a MiB; a payload. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "os/thread.h"
#include "store/column/backup_list.h"
#include "store/column/kill.h"
#include "store/column/part.h"
#include "store/column/segment_check.h"
#include "store/column/tool.h"
#include "store/column/wal_scan.h"

enum { ATTEMPTS = 100, PAUSE_MS = 10, COPIES = 5, CACHE_BYTES = 64 << 20 };
static const char MARK[] = "This folder holds backups of skep (skep restore --from).\n";

/* An open file of the moment. */
struct held {
    int fd;
    char name[48];  /* in the listing */
    uint64_t bytes; /* to copy */
    uint64_t epoch; /* of a log file */
    bool last_log;
};

struct backup {
    const struct skep_tool *t;
    const struct skep_os *os;
    const char *rows, *to;
    const struct skep_backup_opts *opts;
    struct skep_manifest *manifest;
    struct held *held;
    unsigned n, cap;
    struct skep_arena arena;
    struct skep_backup_list old, list; /* old: the newest there is */
    struct skep_backup_result r;
    struct skep_budget budget;
    uint64_t done_bytes, total_bytes;
};

/* --- the moment --------------------------------------------------------------------------------
 */

static void let_go(struct backup *b)
{
    for (unsigned i = 0; i < b->n; i++)
        b->os->close(b->os, b->held[i].fd);
    b->n = 0;
    skep_manifest_close(b->manifest);
    b->manifest = NULL;
}

static skep_rc hold(struct backup *b, const char *path, const char *name, struct held **ret,
                    skep_err *err)
{
    struct skep_os_stat st;
    struct held h = {.fd = -1};
    SKEP_TRY(b->os->open(b->os, path, SKEP_OPEN_READ, &h.fd, err));
    skep_rc rc = b->os->fstat(b->os, h.fd, &st, err);
    if (rc != SKEP_OK) {
        b->os->close(b->os, h.fd);
        return rc;
    }
    h.bytes = st.size_bytes;
    (void)snprintf(h.name, sizeof h.name, "rows/%s", name);
    SKEP_GROW(b->held, b->n, b->cap);
    b->held[b->n] = h;
    *ret = &b->held[b->n++];
    return SKEP_OK;
}

static skep_rc hold_named(struct backup *b, const char *fmt, uint64_t number, skep_err *err)
{
    char name[40];
    struct held *h;
    (void)snprintf(name, sizeof name, "seg/%016" PRIx64 "%s", number, fmt);
    return hold(b, skep_path_of("%s/%s", b->rows, name).s, name, &h, err);
}

static skep_rc hold_segments(struct backup *b, skep_err *err)
{
    const struct skep_manifest_state *s = skep_manifest_state(b->manifest);
    for (unsigned i = 0; i < s->n; i++) {
        SKEP_TRY(hold_named(b, ".seg", s->segments[i].number, err));
        if (s->segments[i].live.number)
            SKEP_TRY(hold_named(b, ".live", s->segments[i].live.number, err));
    }
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

static skep_rc hold_log(struct backup *b, skep_err *err)
{
    struct epochs e = {0};
    skep_rc rc = b->os->list(b->os, skep_path_of("%s/wal", b->rows).s, note_epoch, &e, err);
    if (e.n > 1)
        qsort(e.v, e.n, sizeof *e.v, by_number);
    for (size_t i = 0; i < e.n && rc == SKEP_OK; i++) {
        char name[40];
        struct held *h;
        (void)snprintf(name, sizeof name, "wal/%016" PRIx64 ".log", e.v[i]);
        rc = hold(b, skep_path_of("%s/%s", b->rows, name).s, name, &h, err);
        if (rc == SKEP_OK) {
            h->epoch = e.v[i];
            h->last_log = i + 1 == e.n;
        }
    }
    skep_free(e.v);
    return rc;
}

static skep_rc hold_all(struct backup *b, bool *ret_moved, skep_err *err)
{
    struct skep_manifest *again;
    *ret_moved = false;
    SKEP_TRY(skep_manifest_load(b->os, b->rows, &b->manifest, err));
    skep_rc rc = hold_segments(b, err);
    if (rc == SKEP_OK)
        rc = hold_log(b, err);
    *ret_moved = rc == SKEP_ENOTFOUND;
    SKEP_TRY(rc);
    SKEP_TRY(skep_manifest_load(b->os, b->rows, &again, err));
    *ret_moved =
        skep_manifest_state(again)->checkpoint != skep_manifest_state(b->manifest)->checkpoint;
    skep_manifest_close(again);
    return SKEP_OK;
}

static skep_rc take_moment(struct backup *b, skep_err *err)
{
    struct skep_os_stat st;
    skep_rc rc = SKEP_OK;
    if (b->os->stat(b->os, skep_path_of("%s/MANIFEST", b->rows).s, &st, NULL) != SKEP_OK)
        return skep_fail(err, SKEP_ENOTFOUND, "%s holds no rows of skep", b->rows);
    for (unsigned i = 0; i < ATTEMPTS; i++) {
        bool moved;
        rc = hold_all(b, &moved, err);
        if (!moved)
            return rc;
        let_go(b);
        skep_sleep_ms(PAUSE_MS);
    }
    return rc == SKEP_OK ? skep_fail(err, SKEP_EAGAIN, "the server flushes without a pause") : rc;
}

/* --- objects -----------------------------------------------------------------------------------
 */

static skep_path object_path(const struct backup *b, const struct skep_backup_digest *d)
{
    return skep_path_of("%s/objects/%016" PRIx64 "-%" PRIu64, b->to, d->hash, d->bytes);
}

static bool is_there(const struct backup *b, const struct skep_backup_digest *d)
{
    struct skep_os_stat st;
    return b->os->stat(b->os, object_path(b, d).s, &st, NULL) == SKEP_OK &&
           st.size_bytes == d->bytes;
}

static void step(void *ctx, uint64_t bytes)
{
    struct backup *b = ctx;
    b->done_bytes += bytes;
    if (b->t->progress)
        b->t->progress(b->t->ctx, b->done_bytes / 2, b->total_bytes); /* written and read back */
}

static skep_rc read_back(struct backup *b, const char *path, const struct skep_backup_digest *want,
                         skep_err *err)
{
    struct skep_backup_digest got = {0};
    int fd;
    SKEP_TRY(b->os->open(b->os, path, SKEP_OPEN_READ, &fd, err));
    skep_rc rc = skep_backup__digest(b->os, fd, want->bytes, -1, step, b, &got, err);
    b->os->close(b->os, fd);
    SKEP_TRY(rc);
    return got.hash == want->hash
               ? SKEP_OK
               : skep_fail(err, SKEP_ECORRUPT, "%s: what was read back is not what was written",
                           path);
}

/* Content of an open file -> object, read back; *ret what it is known by. */
static skep_rc put_object(struct backup *b, int fd, uint64_t bytes, struct skep_backup_digest *ret,
                          skep_err *err)
{
    int out;
    skep_path tmp = skep_path_of("%s/objects/new.tmp", b->to);
    unsigned flags = SKEP_OPEN_READ | SKEP_OPEN_WRITE | SKEP_OPEN_CREATE | SKEP_OPEN_TRUNC;
    SKEP_TRY(b->os->open(b->os, tmp.s, flags, &out, err));
    skep_rc rc = skep_backup__digest(b->os, fd, bytes, out, step, b, ret, err);
    if (rc == SKEP_OK)
        rc = b->os->fsync(b->os, out, err);
    b->os->close(b->os, out);
    if (rc == SKEP_OK)
        rc = read_back(b, tmp.s, ret, err);
    if (rc == SKEP_OK && !is_there(b, ret)) {
        rc = b->os->rename(b->os, tmp.s, object_path(b, ret).s, err);
        b->r.new_files++;
        b->r.new_bytes += bytes;
    } else {
        (void)b->os->unlink(b->os, tmp.s, NULL); /* the same content is there (I2), or it failed */
    }
    return rc;
}

static void add_file(struct backup *b, skep_str name, const struct skep_backup_digest *d,
                     uint64_t quick)
{
    const struct skep_backup_file f = {
        .name = skep_arena_str(&b->arena, name), .digest = *d, .quick = quick};
    skep_backup_list__add(&b->list, &f);
    b->r.files++;
    b->r.bytes += d->bytes;
}

/* The same file in the newest earlier backup, with its object still there. */
static const struct skep_backup_file *known(const struct backup *b, skep_str name, uint64_t bytes,
                                            uint64_t quick)
{
    for (unsigned i = 0; i < b->old.n; i++) {
        const struct skep_backup_file *f = &b->old.files[i];
        if (f->digest.bytes == bytes && f->quick == quick && skep_str_eq(f->name, name) &&
            is_there(b, &f->digest))
            return f;
    }
    return NULL;
}

/* --- files -------------------------------------------------------------------------------------
 */

static void on_bad(void *ctx, const struct skep_segment_bad *bad)
{
    (void)bad;
    ++*(uint64_t *)ctx;
}

/* A copy of a damaged segment is a copy of damage: say so. */
static skep_rc check_segment(struct backup *b, const struct held *h,
                             const struct skep_backup_digest *d, skep_err *err)
{
    struct skep_cache *cache = skep_cache_new(NULL, CACHE_BYTES);
    struct skep_rowset *rs = NULL;
    uint64_t n_bad = 0;
    skep_rc rc = skep_segment_open(b->os, object_path(b, d).s, cache, &rs, err);
    if (rc == SKEP_OK) {
        struct skep_segment_health health;
        rc = skep_segment__health(rs, on_bad, &n_bad, &health, err);
        if (rc == SKEP_OK)
            skep_free(health.bad_group);
    }
    if (rc == SKEP_ECORRUPT || n_bad > 0) {
        const struct skep_finding f = {
            .level = SKEP_FINDING_DAMAGE,
            .file = skep_str_skip(skep_str_c(h->name), 5),
            .text = SKEP_STR("it was damaged before it was copied; the backup holds it as it is")};
        b->t->found(b->t->ctx, &f);
        b->r.damages++;
        rc = SKEP_OK;
    }
    skep_rowset_unref(rs);
    skep_cache_free(cache);
    return rc;
}

static skep_rc take_segment(struct backup *b, const struct held *h, skep_err *err)
{
    struct skep_backup_digest d;
    skep_str name = skep_str_c(h->name);
    uint64_t quick;
    SKEP_TRY(skep_backup__quick(b->os, h->fd, h->bytes, &quick, err));
    const struct skep_backup_file *f = known(b, name, h->bytes, quick);
    if (f) {
        add_file(b, name, &f->digest, quick);
        step(b, 2 * h->bytes);
        return SKEP_OK;
    }
    SKEP_TRY(put_object(b, h->fd, h->bytes, &d, err));
    add_file(b, name, &d, quick);
    return skep_str_ends(name, SKEP_STR(".seg")) ? check_segment(b, h, &d, err) : SKEP_OK;
}

/* What a look at a copied log file says. */
struct log_look {
    struct backup *b;
    uint64_t checkpoint;
    uint64_t good_end; /* behind the last frame before the first hole */
    uint64_t last, rows;
    bool hole, behind; /* something that is no frame; a frame behind it */
};

static bool on_piece(void *ctx, const struct skep_wal_piece *p)
{
    struct log_look *l = ctx;
    if (p->kind == SKEP_WAL_HEAD || (p->bytes < 8 && p->kind == SKEP_WAL_REST)) {
        if (!l->hole)
            l->good_end = p->offset + p->bytes;
        return true;
    }
    if (p->kind != SKEP_WAL_FRAME) {
        l->hole = true;
        return true;
    }
    l->behind |= l->hole;
    if (l->hole)
        return true;
    l->good_end = (p->offset + p->bytes + 7) & ~7ull;
    l->last = SKEP_MAX(l->last, p->frame.seq);
    if (p->frame.seq > l->checkpoint && !skep_kill_is((skep_bytes){p->payload, p->frame.length})) {
        struct skep_rowset *rs = NULL;
        uint8_t *payload = skep_malloc(p->frame.length);
        memcpy(payload, p->payload, p->frame.length);
        if (skep_part_open(payload, p->frame.length, p->frame.seq, &l->b->budget, &rs, NULL) ==
            SKEP_OK)
            l->rows += rs->n_rows;
        skep_rowset_unref(rs);
    }
    return true;
}

/* A log file, copied aside; looked at; cut. */
static skep_rc copy_log(struct backup *b, struct held *h, const char *tmp, struct log_look *l,
                        skep_err *err)
{
    struct skep_backup_digest d;
    struct skep_os_stat st;
    int out;
    unsigned flags = SKEP_OPEN_READ | SKEP_OPEN_WRITE | SKEP_OPEN_CREATE | SKEP_OPEN_TRUNC;
    SKEP_TRY(b->os->fstat(b->os, h->fd, &st, err)); /* its owner cuts it when it leaves it */
    h->bytes = SKEP_MIN(h->bytes, st.size_bytes);
    SKEP_TRY(b->os->open(b->os, tmp, flags, &out, err));
    skep_rc rc = skep_backup__digest(b->os, h->fd, h->bytes, out, NULL, NULL, &d, err);
    if (rc == SKEP_OK)
        rc = skep_wal_scan(b->os, tmp, h->epoch, on_piece, l, err);
    if (rc == SKEP_OK && !l->behind && l->good_end < h->bytes)
        rc = b->os->truncate(b->os, out, l->good_end, err);
    b->os->close(b->os, out);
    return rc;
}

static skep_rc put_log(struct backup *b, const char *tmp, const struct held *h, skep_err *err)
{
    struct skep_os_stat st;
    struct skep_backup_digest d;
    int fd;
    SKEP_TRY(b->os->open(b->os, tmp, SKEP_OPEN_READ, &fd, err));
    skep_rc rc = b->os->fstat(b->os, fd, &st, err);
    if (rc == SKEP_OK)
        rc = put_object(b, fd, st.size_bytes, &d, err);
    b->os->close(b->os, fd);
    if (rc == SKEP_OK)
        add_file(b, skep_str_c(h->name), &d, 0);
    return rc;
}

static skep_rc cut(struct backup *b, const char *path, uint64_t bytes, skep_err *err)
{
    int fd;
    SKEP_TRY(b->os->open(b->os, path, SKEP_OPEN_READ | SKEP_OPEN_WRITE, &fd, err));
    skep_rc rc = b->os->truncate(b->os, fd, bytes, err);
    b->os->close(b->os, fd);
    return rc;
}

/* A hole with frames behind it is where the copying met the writing, if it is filled when the file
 * is copied again: then the new copy is cut where its own hole is.  What was acknowledged before
 * the first copy stands before the first hole. */
static skep_rc take_log(struct backup *b, struct held *h, skep_err *err)
{
    skep_path tmp = skep_path_of("%s/objects/log.tmp", b->to);
    struct log_look l = {0};
    skep_rc rc = SKEP_OK;
    for (unsigned i = 0; i < COPIES; i++) {
        uint64_t hole_before = l.behind ? l.good_end : UINT64_MAX;
        l = (struct log_look){.b = b, .checkpoint = skep_manifest_state(b->manifest)->checkpoint};
        rc = copy_log(b, h, tmp.s, &l, err);
        if (rc == SKEP_OK && l.behind && l.good_end > hole_before) {
            rc = cut(b, tmp.s, l.good_end, err);
            l.behind = false;
        }
        if (rc != SKEP_ECORRUPT && (rc != SKEP_OK || !l.behind))
            break;
        skep_sleep_ms(PAUSE_MS); /* it was cut, or written to, while it was copied */
    }
    if (rc == SKEP_OK && l.behind) {
        const struct skep_finding f = {
            .level = SKEP_FINDING_DAMAGE,
            .file = skep_str_skip(skep_str_c(h->name), 5),
            .text = SKEP_STR("it was damaged before it was copied; the backup holds it as it is")};
        b->t->found(b->t->ctx, &f);
        b->r.damages++;
    }
    if (rc == SKEP_OK)
        rc = put_log(b, tmp.s, h, err);
    (void)b->os->unlink(b->os, tmp.s, NULL);
    b->list.commit = SKEP_MAX(b->list.commit, l.last);
    b->list.rows += l.rows;
    return rc;
}

static skep_rc take_path(struct backup *b, const char *path, skep_str name, skep_err *err)
{
    struct skep_os_stat st;
    struct skep_backup_digest d;
    int fd;
    SKEP_TRY(b->os->open(b->os, path, SKEP_OPEN_READ, &fd, err));
    skep_rc rc = b->os->fstat(b->os, fd, &st, err);
    if (rc == SKEP_OK)
        rc = put_object(b, fd, st.size_bytes, &d, err);
    b->os->close(b->os, fd);
    if (rc == SKEP_OK)
        add_file(b, name, &d, 0);
    return rc;
}

/* The state of the manifest that was read, not the file, which goes on. */
static skep_rc take_manifest(struct backup *b, skep_err *err)
{
    skep_path dir = skep_path_of("%s/objects", b->to), path = skep_path_of("%s/MANIFEST", dir.s);
    const struct skep_manifest_state *s = skep_manifest_state(b->manifest);
    SKEP_TRY(skep_manifest__write(b->os, dir.s, s, err));
    skep_rc rc = take_path(b, path.s, SKEP_STR("rows/MANIFEST"), err);
    (void)b->os->unlink(b->os, path.s, NULL);
    b->list.commit = SKEP_MAX(b->list.commit, s->checkpoint);
    for (unsigned i = 0; i < s->n; i++)
        b->list.rows +=
            s->segments[i].n_rows - s->segments[i].live.deleted - s->segments[i].live.superseded;
    return rc;
}

/* --- the folder --------------------------------------------------------------------------------
 */

static bool name_ok(skep_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_')
            return false;
    }
    return name.n > 0 && name.n <= 64;
}

static bool note_any(void *ctx, skep_str name)
{
    (void)name;
    *(bool *)ctx = true;
    return false;
}

/* A folder of backups: marked, or new, or empty. */
static skep_rc prepare(struct backup *b, skep_err *err)
{
    const struct skep_os *os = b->os;
    struct skep_os_stat st;
    bool any = false;
    int fd;
    skep_path mark = skep_path_of("%s/SKEP-BACKUP", b->to);
    SKEP_TRY(os->mkdir(os, b->to, err));
    if (os->stat(os, mark.s, &st, NULL) != SKEP_OK) {
        SKEP_TRY(os->list(os, b->to, note_any, &any, err));
        if (any)
            return skep_fail(err, SKEP_EEXISTS, "%s holds other things than backups", b->to);
        SKEP_TRY(os->open(os, mark.s, SKEP_OPEN_WRITE | SKEP_OPEN_CREATE, &fd, err));
        skep_rc rc = os->pwrite(os, fd, MARK, sizeof MARK - 1, 0, err);
        if (rc == SKEP_OK)
            rc = os->fsync(os, fd, err);
        os->close(os, fd);
        SKEP_TRY(rc);
    }
    /* The mark before all else: without it the folder is another's. */
    SKEP_TRY(skep_os_sync_dir(os, b->to, err));
    skep_rc rc = skep_os_sync_parent(os, b->to, err);
    if (rc != SKEP_OK && rc != SKEP_EFORBIDDEN)
        return rc;
    SKEP_TRY(os->mkdir(os, skep_path_of("%s/objects", b->to).s, err));
    if (os->stat(os, skep_path_of("%s/%s.backup", b->to, b->opts->name).s, &st, NULL) == SKEP_OK)
        return skep_fail(err, SKEP_EEXISTS, "a backup of the name %s is there", b->opts->name);
    return SKEP_OK;
}

static void load_newest(struct backup *b)
{
    skep_str *names;
    unsigned n;
    if (skep_backup_list__names(b->os, b->to, &b->arena, &names, &n, NULL) != SKEP_OK)
        return;
    while (n-- > 0) /* one that is damaged only costs copying again */
        if (skep_backup_list__load(b->os, b->to, names[n], &b->arena, &b->old, NULL) == SKEP_OK)
            return;
}

/* --- dropping old ones -------------------------------------------------------------------------
 */

struct objects {
    struct skep_backup_digest *used;
    size_t n, cap;
    struct backup *b;
};

static int by_digest(const void *a, const void *b)
{
    const struct skep_backup_digest *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static bool drop_unused(void *ctx, skep_str name)
{
    struct objects *o = ctx;
    struct skep_backup_digest d = {0};
    skep_str rest = name, hash = skep_str_cut(&rest, '-');
    uint8_t bytes[8];
    if (hash.n != 16 || !skep_hex_decode(hash, bytes, sizeof bytes) ||
        !skep_str_u64(rest, &d.bytes))
        return true;
    for (int i = 0; i < 8; i++)
        d.hash = d.hash << 8 | bytes[i];
    if (!o->n || !bsearch(&d, o->used, o->n, sizeof d, by_digest))
        (void)o->b->os->unlink(o->b->os, object_path(o->b, &d).s, NULL);
    return true;
}

/* Listings beyond `keep` go first, then what no other one names.  A listing that cannot be read
 * keeps every object. */
static skep_rc drop_old(struct backup *b, skep_err *err)
{
    skep_str *names;
    unsigned n;
    if (b->opts->keep == 0)
        return SKEP_OK;
    SKEP_TRY(skep_backup_list__names(b->os, b->to, &b->arena, &names, &n, err));
    if (n <= b->opts->keep)
        return SKEP_OK;
    struct objects o = {.b = b};
    skep_rc rc = SKEP_OK;
    for (unsigned i = 0; i < n && rc == SKEP_OK; i++) {
        struct skep_backup_list l;
        if (i < n - b->opts->keep) {
            rc = b->os->unlink(
                b->os, skep_path_of("%s/" SKEP_STRFMT ".backup", b->to, SKEP_STRARG(names[i])).s,
                err);
            b->r.dropped += rc == SKEP_OK;
            continue;
        }
        rc = skep_backup_list__load(b->os, b->to, names[i], &b->arena, &l, err);
        for (unsigned k = 0; rc == SKEP_OK && k < l.n; k++) {
            SKEP_GROW(o.used, o.n, o.cap);
            o.used[o.n++] = l.files[k].digest;
        }
        if (rc == SKEP_OK)
            skep_backup_list__done(&l);
    }
    if (o.n > 1)
        qsort(o.used, o.n, sizeof *o.used, by_digest);
    if (rc == SKEP_OK)
        rc = skep_os_sync_dir(b->os, b->to, err);
    if (rc == SKEP_OK)
        rc = b->os->list(b->os, skep_path_of("%s/objects", b->to).s, drop_unused, &o, err);
    skep_free(o.used);
    return rc;
}

/* --- all of it ---------------------------------------------------------------------------------
 */

static skep_rc copy_all(struct backup *b, skep_err *err)
{
    for (unsigned i = 0; i < b->n; i++)
        b->total_bytes += b->held[i].bytes;
    for (unsigned i = b->n; i-- > 0;) { /* I3: log files, by number, were held last */
        struct held *h = &b->held[i];
        SKEP_TRY(h->epoch ? take_log(b, h, err) : take_segment(b, h, err));
    }
    SKEP_TRY(take_manifest(b, err));
    if (b->opts->state)
        SKEP_TRY(take_path(b, b->opts->state, SKEP_STR("state.db"), err));
    if (b->opts->key)
        SKEP_TRY(take_path(b, b->opts->key, SKEP_STR("key"), err));
    SKEP_TRY(skep_os_sync_dir(b->os, skep_path_of("%s/objects", b->to).s, err));
    SKEP_TRY(skep_backup_list__store(b->os, b->to, &b->list, err));
    b->r.commit = b->list.commit;
    b->r.rows = b->list.rows;
    return drop_old(b, err);
}

skep_rc skep_tool_backup(const struct skep_tool *t, const char *rows, const char *to,
                         const struct skep_backup_opts *opts, struct skep_backup_result *ret,
                         skep_err *err)
{
    skep_assert(t && t->os && t->found && rows && to && opts && ret);
    struct backup b = {.t = t, .os = t->os, .rows = rows, .to = to, .opts = opts};
    if (skep_str_c(rows).n > 900 || skep_str_c(to).n > 900)
        return skep_fail(err, SKEP_EINVAL, "the folder's name is too long");
    if (!name_ok(skep_str_c(opts->name)))
        return skep_fail(err, SKEP_EINVAL, "a backup's name is of letters, digits, '-' and '_'");
    skep_budget_init(&b.budget, "backup", UINT64_MAX, NULL);
    skep_arena_init(&b.arena, "backup", NULL);
    b.list.name = skep_str_c(opts->name);
    b.list.made_ns = t->os->now_ns(t->os);
    skep_rc rc = prepare(&b, err);
    if (rc == SKEP_OK)
        load_newest(&b);
    if (rc == SKEP_OK)
        rc = take_moment(&b, err);
    if (rc == SKEP_OK)
        rc = copy_all(&b, err);
    let_go(&b);
    skep_free(b.held);
    skep_backup_list__done(&b.old);
    skep_backup_list__done(&b.list);
    skep_arena_done(&b.arena);
    *ret = b.r;
    return rc;
}
