// SPDX-License-Identifier: Apache-2.0
/* skep repair: a directory that can be served again, and what is missing from it.
 *
 *   lock -> manifest -> segments -> log -> new MANIFEST -> quarantine/ -> open, flush, close
 *
 * Nothing is changed before all has been looked at.  The new manifest is put in place whole; then
 * bad files are moved to DIR/quarantine, where they stay for whoever wants to look at them.  Log
 * files with damage are copied there, and the store is opened as a server would: recovery passes
 * over the damage, records the holes and flushes, and the damaged files go.
 *
 * I1  no file that holds a row which is not served is deleted: it is in quarantine.
 * I2  what is lost stands in the manifest before the files that held it are moved.
 * I3  a repair that is cut short can be run again.
 *
 * Threads: one, and the engine's while it is open.  Memory: the engine's, opts->memory. */
#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "store/column/engine.h"
#include "store/column/repair.h"
#include "store/column/wal_scan.h"

enum { COPY_BYTES = 1 << 20 };

void skep_repair__tell(struct skep_repair *p, enum skep_finding_level level, skep_str file,
                       const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    const struct skep_finding f = {
        .level = level,
        .file = file,
        .text = {text, n < 0 ? 0 : SKEP_MIN((size_t)n, sizeof text - 1)}};
    p->t->found(p->t->ctx, &f);
}

void skep_repair__lose(struct skep_repair *p, const struct skep_missing *m)
{
    struct skep_buf text;
    if (skep_missing__has(&p->s.missing, m))
        return;
    skep_missing__add(&p->s.missing, m);
    skep_buf_init(&text, 1024);
    skep_missing__text(&text, m);
    skep_repair__tell(p, SKEP_FINDING_DAMAGE, SKEP_STR("lost"), SKEP_STRFMT,
                      SKEP_STRARG(skep_buf_text(&text)));
    skep_buf_done(&text);
}

void skep_repair__set_aside(struct skep_repair *p, uint64_t number)
{
    SKEP_GROW(p->aside, p->aside_n, p->aside_cap);
    p->aside[p->aside_n++] = number;
}

/* --- the log -----------------------------------------------------------------------------------
 */

struct bad_files {
    struct skep_repair *p;
    uint64_t *epochs;
    size_t n, cap;
    bool bad;
};

static bool note_bad(void *ctx, const struct skep_wal_piece *piece)
{
    struct bad_files *b = ctx;
    b->bad |= piece->kind == SKEP_WAL_BAD;
    return !b->bad;
}

static bool note_log(void *ctx, skep_str name)
{
    struct bad_files *b = ctx;
    uint64_t epoch;
    skep_err why;
    if (!skep_path_number(name, SKEP_STR(".log"), &epoch))
        return true;
    b->bad = false;
    skep_path path = skep_path_of("%s/wal/%016" PRIx64 ".log", b->p->dir, epoch);
    if (skep_wal_scan(b->p->t->os, path.s, epoch, note_bad, b, &why) != SKEP_OK)
        b->bad = true;
    if (b->bad) {
        SKEP_GROW(b->epochs, b->n, b->cap);
        b->epochs[b->n++] = epoch;
    }
    return true;
}

/* --- files -------------------------------------------------------------------------------------
 */

static skep_rc copy_bytes(const struct skep_os *os, int from, int to, uint64_t size, skep_err *err)
{
    uint8_t *p = skep_malloc(COPY_BYTES);
    skep_rc rc = SKEP_OK;
    for (uint64_t at = 0; at < size && rc == SKEP_OK; at += COPY_BYTES) {
        size_t n = (size_t)SKEP_MIN((uint64_t)COPY_BYTES, size - at);
        rc = os->pread(os, from, p, n, at, err);
        if (rc == SKEP_OK)
            rc = os->pwrite(os, to, p, n, at, err);
    }
    skep_free(p);
    return rc == SKEP_OK ? os->fsync(os, to, err) : rc;
}

static skep_rc copy_file(const struct skep_os *os, const char *from, const char *to, skep_err *err)
{
    struct skep_os_stat st;
    int in, out;
    SKEP_TRY(os->open(os, from, SKEP_OPEN_READ, &in, err));
    skep_rc rc = os->fstat(os, in, &st, err);
    unsigned flags = SKEP_OPEN_WRITE | SKEP_OPEN_CREATE | SKEP_OPEN_TRUNC;
    if (rc == SKEP_OK)
        rc = os->open(os, to, flags, &out, err);
    if (rc == SKEP_OK) {
        rc = copy_bytes(os, in, out, st.size_bytes, err);
        os->close(os, out);
    }
    os->close(os, in);
    return rc;
}

static skep_rc move_aside(struct skep_repair *p, const struct bad_files *logs, skep_err *err)
{
    const struct skep_os *os = p->t->os;
    struct skep_os_stat st;
    if (p->aside_n + logs->n == 0)
        return SKEP_OK;
    SKEP_TRY(os->mkdir(os, skep_path_of("%s/quarantine", p->dir).s, err));
    for (size_t i = 0; i < logs->n; i++)
        SKEP_TRY(copy_file(
            os, skep_path_of("%s/wal/%016" PRIx64 ".log", p->dir, logs->epochs[i]).s,
            skep_path_of("%s/quarantine/%016" PRIx64 ".log", p->dir, logs->epochs[i]).s, err));
    static const char *const suffixes[] = {".seg", ".live"}; /* of one series of numbers */
    for (size_t i = 0; i < p->aside_n * SKEP_ARRAY_LEN(suffixes); i++) {
        uint64_t number = p->aside[i / 2];
        const char *suffix = suffixes[i % 2];
        skep_path from = skep_path_of("%s/seg/%016" PRIx64 "%s", p->dir, number, suffix);
        skep_path to = skep_path_of("%s/quarantine/%016" PRIx64 "%s", p->dir, number, suffix);
        if (os->stat(os, from.s, &st, NULL) == SKEP_OK)
            SKEP_TRY(os->rename(os, from.s, to.s, err));
    }
    SKEP_TRY(skep_os_sync_dir(os, skep_path_of("%s/quarantine", p->dir).s, err));
    return skep_os_sync_dir(os, skep_path_of("%s/seg", p->dir).s, err);
}

/* --- all of it ---------------------------------------------------------------------------------
 */

static skep_rc segments(struct skep_repair *p, skep_err *err)
{
    uint64_t total = 0, done = 0;
    for (unsigned i = 0; i < p->s.n; i++)
        total += p->s.segments[i].file_bytes;
    for (unsigned i = 0; i < p->s.n;) {
        bool dropped;
        done += p->s.segments[i].file_bytes;
        SKEP_TRY(skep_repair__segment(p, i, &dropped, err));
        if (p->t->progress)
            p->t->progress(p->t->ctx, done, total);
        i += !dropped;
    }
    return SKEP_OK;
}

static void forget(struct skep_repair *p)
{
    if (!p->opts->forget || p->s.missing.n == 0)
        return;
    p->r.forgotten = p->s.missing.n;
    for (unsigned i = 0; i < p->s.missing.n; i++)
        p->forgotten_rows += skep_missing__at_most(&p->s.missing.items[i]);
    p->s.totals.expired_rows += skep_missing__rows(&p->s.missing);
    p->s.missing.n = 0;
    p->r.changed = true;
}

/* As a server would open it: recovery records the holes of the log; a flush lets its files go. */
static skep_rc reopen(struct skep_repair *p, bool flush, skep_err *err)
{
    struct skep_store *s;
    struct skep_store_stats st;
    const struct skep_column_config cfg = {
        .os = p->t->os, .dir = p->dir, .memory = p->opts->memory, .no_background = true};
    SKEP_TRY(skep_column_open(&cfg, &s, err));
    struct skep_engine *e = skep_engine_of(s);
    flush |= e->damage.lost_first > 0; /* the log's files would show the hole for ever */
    skep_rc rc = flush ? s->ops->flush(s, err) : SKEP_OK;
    if (rc == SKEP_OK && flush) /* also those that had nothing to flush */
        skep_wal_drop(e->wal, skep_manifest_state(e->manifest)->checkpoint);
    if (rc == SKEP_OK && p->forgotten_rows > 0)
        rc = skep_engine__expire_lost(e, p->forgotten_rows, err);
    s->ops->stats(s, &st);
    p->r.rows = st.rows_live;
    p->r.log_holes = st.damaged_regions;
    if (st.damaged_regions)
        skep_repair__tell(p, SKEP_FINDING_DAMAGE, SKEP_STR("wal"), SKEP_STRFMT,
                          SKEP_STRARG(st.damage));
    else if (st.torn_writes)
        skep_repair__tell(p, SKEP_FINDING_NOTE, SKEP_STR("wal"), SKEP_STRFMT,
                          SKEP_STRARG(st.damage));
    s->ops->close(s);
    return rc;
}

static skep_rc look(struct skep_repair *p, struct bad_files *logs, skep_err *err)
{
    const struct skep_os *os = p->t->os;
    skep_path wal = skep_path_of("%s/wal", p->dir);
    SKEP_TRY(skep_repair__manifest(p, err));
    forget(p);
    SKEP_TRY(segments(p, err));
    skep_rc rc = os->list(os, wal.s, note_log, logs, err);
    SKEP_TRY(rc == SKEP_ENOTFOUND ? SKEP_OK : rc);
    for (size_t i = 0; i < logs->n; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "wal/%016" PRIx64 ".log", logs->epochs[i]);
        skep_repair__tell(p, SKEP_FINDING_NOTE, skep_str_c(name),
                          "damaged or unfinished: copied to quarantine; what is good of it stays");
    }
    for (unsigned i = 0; i < p->s.n; i++) {
        const struct skep_manifest_segment *m = &p->s.segments[i];
        p->r.rows += m->n_rows - m->live.deleted - m->live.superseded;
    }
    p->r.changed |= p->aside_n + logs->n > 0 || p->r.manifest_rebuilt || p->r.segments_aside > 0;
    return SKEP_OK;
}

static skep_rc locked(struct skep_repair *p, int *lock_fd, skep_err *err)
{
    const struct skep_os *os = p->t->os;
    struct bad_files logs = {.p = p};
    skep_rc rc = look(p, &logs, err);
    if (rc == SKEP_OK && !p->opts->dry_run) {
        if (p->r.changed)
            rc = skep_manifest__write(os, p->dir, &p->s, err); /* I2 */
        if (rc == SKEP_OK)
            rc = move_aside(p, &logs, err);
        os->close(os, *lock_fd); /* the engine takes it */
        *lock_fd = -1;
        if (rc == SKEP_OK)
            rc = reopen(p, logs.n > 0, err);
    }
    skep_free(logs.epochs);
    return rc;
}

skep_rc skep_tool_repair(const struct skep_tool *t, const char *dir,
                         const struct skep_repair_opts *opts, struct skep_repair_result *ret,
                         skep_err *err)
{
    skep_assert(t && t->os && t->found && dir && opts && ret);
    const struct skep_os *os = t->os;
    struct skep_os_stat st;
    struct skep_budget unlimited;
    struct skep_repair p = {.t = t, .dir = dir, .opts = opts, .now_ns = os->now_ns(os)};
    skep_budget_init(&unlimited, "repair", UINT64_MAX, NULL);
    p.memory = opts->memory ? opts->memory : &unlimited;
    int lock_fd;
    if (skep_str_c(dir).n > 900)
        return skep_fail(err, SKEP_EINVAL, "the data directory's name is too long");
    if (os->stat(os, skep_path_of("%s/seg", dir).s, &st, NULL) != SKEP_OK)
        return skep_fail(err, SKEP_ENOTFOUND, "%s holds no rows of skep", dir);
    unsigned flags = SKEP_OPEN_WRITE | SKEP_OPEN_CREATE;
    SKEP_TRY(os->open(os, skep_path_of("%s/LOCK", dir).s, flags, &lock_fd, err));
    skep_rc rc = os->lock(os, lock_fd, err);
    if (rc == SKEP_EEXISTS)
        rc = skep_fail(err, rc, "a server has %s open: stop it first", dir);
    if (rc == SKEP_OK)
        rc = locked(&p, &lock_fd, err);
    if (lock_fd >= 0)
        os->close(os, lock_fd);
    skep_manifest__state_done(&p.s);
    skep_free(p.aside);
    *ret = p.r;
    return rc;
}
