// SPDX-License-Identifier: Apache-2.0
/* skep dump: what stands in a file of ours.
 *
 *   segment    its head, each column with its bytes and codecs           (segment_dump.c)
 *   log        its head, each frame: commit, rows, identity; damage      (here)
 *   manifest   each record and its operations                            (dump_manifest.c)
 *   live       of which segment, how many of its rows are dead            (here)
 *
 * Rows come through the executor, as questions get them: a snapshot of the one rowset, read in
 * pages, oldest first.
 *
 * I1  bytes of any kind end in output or an error.
 *
 * Threads: one.  Memory: a page of rows; one payload; a cache of 64 MiB. */
#include "store/column/dump.h"

#include "base/assert.h"
#include "base/mem.h"
#include "store/column/exec.h"
#include "store/column/kill.h"
#include "store/column/part.h"
#include "store/column/snapshot.h"
#include "store/column/tool.h"
#include "store/column/wal_scan.h"

enum { PAGE_ROWS = 1000, CACHE_BYTES = 64 << 20 };

/* --- the log -----------------------------------------------------------------------------------
 */

struct log {
    const struct skep_dump *d;
    struct skep_budget budget;
};

static struct skep_rowset *part_of(struct log *l, const struct skep_wal_piece *p, skep_err *err)
{
    struct skep_rowset *rs = NULL;
    uint8_t *payload = skep_malloc(p->frame.length);
    memcpy(payload, p->payload, p->frame.length);
    skep_rc rc = skep_part_open(payload, p->frame.length, p->frame.seq, &l->budget, &rs, err);
    return rc == SKEP_OK ? rs : NULL;
}

/* A delete; v has n values and room for four more. */
static void dump_kill(struct log *l, const struct skep_wal_piece *p, struct skep_dump_value *v,
                      unsigned n)
{
    struct skep_row_keys keys = {0};
    enum skep_death death;
    skep_err why;
    if (skep_kill_decode((skep_bytes){p->payload, p->frame.length}, &keys, &death, &why) !=
        SKEP_OK) {
        v[n++] = skep_dump_text("text", skep_str_c(why.text));
        l->d->fn(l->d->ctx, "damage", v, n);
        return;
    }
    v[n++] = skep_dump_u64("rows", keys.n);
    v[n++] = skep_dump_u64("first_commit", keys.keys[0].seq);
    v[n++] = skep_dump_u64("last_commit", keys.keys[keys.n - 1].seq);
    l->d->fn(l->d->ctx, death == SKEP_DEATH_DELETED ? "delete" : "superseded", v, n);
    skep_row_keys_done(&keys);
}

static void dump_frame(struct log *l, const struct skep_wal_piece *p)
{
    struct skep_dump_value v[12] = {
        skep_dump_u64("offset", p->offset), skep_dump_u64("bytes", p->bytes),
        skep_dump_u64("commit", p->frame.seq), skep_dump_u64("previous", p->frame.prev_seq),
        skep_dump_u64("synced", p->frame.synced_seq)};
    unsigned n = 5;
    char identity[32];
    skep_err why;
    if (skep_kill_is((skep_bytes){p->payload, p->frame.length})) {
        dump_kill(l, p, v, n);
        return;
    }
    struct skep_rowset *rs = part_of(l, p, &why);
    if (!rs) {
        v[n++] = skep_dump_text("text", skep_str_c(why.text));
        l->d->fn(l->d->ctx, "damage", v, n);
        return;
    }
    static const uint8_t none[16];
    const struct skep_part *part = skep_part_must(rs);
    v[n++] = skep_dump_u64("rows", rs->n_rows);
    v[n++] = skep_dump_time("received", part->received_max_ns);
    if (rs->n_rows) {
        v[n++] = skep_dump_time("first_start", rs->bounds.min_start_ns);
        v[n++] = skep_dump_time("last_start", rs->bounds.max_start_ns);
    }
    if (memcmp(part->identity, none, sizeof none) != 0) {
        skep_hex_encode((skep_bytes){part->identity, sizeof part->identity}, identity);
        v[n++] = skep_dump_text("identity", (skep_str){identity, sizeof identity});
    }
    l->d->fn(l->d->ctx, "frame", v, n);
    skep_rowset_unref(rs);
}

static bool on_piece(void *ctx, const struct skep_wal_piece *p)
{
    struct log *l = ctx;
    struct skep_dump_value v[4] = {skep_dump_u64("offset", p->offset),
                                   skep_dump_u64("bytes", p->bytes)};
    unsigned n = 2;
    const char *what = "zeros";
    switch (p->kind) {
    case SKEP_WAL_FRAME: dump_frame(l, p); return true;
    case SKEP_WAL_HEAD:
        what = "log";
        v[n++] = skep_dump_hex("epoch", p->epoch);
        v[n++] = skep_dump_u64("commits_before", p->last_seq);
        break;
    case SKEP_WAL_BAD:
        what = "damage";
        v[n++] = skep_dump_text("text", skep_str_c(p->why));
        if (p->has_frame)
            v[n++] = skep_dump_u64("commit", p->frame.seq);
        break;
    case SKEP_WAL_REST:
    default:
        if (p->bytes < 8)
            return true; /* padding */
        break;
    }
    l->d->fn(l->d->ctx, what, v, n);
    return true;
}

/* --- rows --------------------------------------------------------------------------------------
 */

struct rows {
    skep_dump_row_fn *fn;
    void *ctx;
    struct log log;
    bool ended;
    skep_rc rc;
    skep_err *err;
};

static skep_rc rows_of(struct rows *r, struct skep_rowset *rs)
{
    struct skep_snapshot *none = skep_snapshot__empty(0);
    struct skep_snapshot *snap = skep_snapshot__append(none, &rs, 1, rs->max_seq, NULL, 0);
    struct skep_plan plan = {.kind = SKEP_PLAN_ROWS,
                             .range = {INT64_MIN, INT64_MAX},
                             .limit = PAGE_ROWS,
                             .raw = true,
                             .oldest_first = true};
    struct skep_arena arena;
    skep_rc rc = SKEP_OK;
    skep_snapshot_unref(none);
    skep_arena_init(&arena, "dump", NULL);
    for (bool more = true; more && rc == SKEP_OK && !r->ended;) {
        const struct skep_run_opts opts = {.arena = &arena};
        struct skep_answer a = {0};
        rc = skep_exec_run(snap, NULL, &plan, &opts, &a, r->err);
        if (rc == SKEP_OK && !a.complete)
            rc = skep_fail(r->err, SKEP_ECORRUPT, SKEP_STRFMT, SKEP_STRARG(a.missing));
        more = rc == SKEP_OK && a.rows.more && a.rows.n > 0;
        for (size_t i = 0; rc == SKEP_OK && i < a.rows.n && !r->ended; i++)
            r->ended = !r->fn(r->ctx, &a.rows.rows[i]);
        if (more) {
            plan.has_cursor = true;
            plan.cursor_time_ns = a.rows.rows[a.rows.n - 1].time_ns;
            plan.cursor_id = a.rows.rows[a.rows.n - 1].id;
        }
        skep_arena_reset(&arena);
    }
    skep_arena_done(&arena);
    skep_snapshot_unref(snap);
    return rc;
}

static bool rows_of_frame(void *ctx, const struct skep_wal_piece *p)
{
    struct rows *r = ctx;
    skep_err why;
    if (p->kind != SKEP_WAL_FRAME)
        return true; /* damage is the business of dump without --rows, and of verify */
    struct skep_rowset *rs = part_of(&r->log, p, &why);
    if (rs && rs->n_rows)
        r->rc = rows_of(r, rs);
    skep_rowset_unref(rs);
    return r->rc == SKEP_OK && !r->ended;
}

static skep_rc open_segment(const struct skep_os *os, const char *path, struct skep_cache **cache,
                            struct skep_rowset **ret, skep_err *err)
{
    *cache = skep_cache_new(NULL, CACHE_BYTES);
    *ret = NULL;
    skep_rc rc = skep_segment_open(os, path, *cache, ret, err);
    if (rc != SKEP_OK)
        skep_cache_free(*cache);
    return rc;
}

/* Which rows of a segment are dead: their numbers. */
static skep_rc dump_live(const struct skep_dump *d, const char *path, skep_err *err)
{
    struct skep_live_head h;
    SKEP_TRY(skep_tool__live_head(d->os, path, &h, err));
    const struct skep_dump_value v[] = {skep_dump_u64("version", h.version),
                                        skep_dump_u64("bytes", h.bytes),
                                        skep_dump_hex("segment", h.segment),
                                        skep_dump_u64("rows", h.rows),
                                        skep_dump_u64("live", h.live),
                                        skep_dump_u64("deleted", h.deleted),
                                        skep_dump_u64("superseded", h.superseded),
                                        skep_dump_u64("row_groups", h.chunks)};
    d->fn(d->ctx, "live", v, SKEP_ARRAY_LEN(v));
    return SKEP_OK;
}

/* --- any file ----------------------------------------------------------------------------------
 */

skep_rc skep_tool_dump(const struct skep_os *os, const char *path, skep_dump_fn *fn, void *ctx,
                       skep_err *err)
{
    skep_assert(os && path && fn);
    const struct skep_dump d = {os, fn, ctx};
    struct log l = {.d = &d};
    enum skep_file_kind kind;
    struct skep_cache *cache;
    struct skep_rowset *rs;
    skep_budget_init(&l.budget, "dump", UINT64_MAX, NULL);
    SKEP_TRY(skep_tool__kind(os, path, &kind, err));
    switch (kind) {
    case SKEP_FILE_LOG:
        return skep_wal_scan(os, path, skep_tool__epoch_of(path), on_piece, &l, err);
    case SKEP_FILE_MANIFEST: return skep_dump__manifest(&d, path, err);
    case SKEP_FILE_LIVE: return dump_live(&d, path, err);
    case SKEP_FILE_SEGMENT: break;
    case SKEP_FILE_UNKNOWN:
    default: return skep_fail(err, SKEP_EUNSUPPORTED, "%s is no file of skep's store", path);
    }
    SKEP_TRY(open_segment(os, path, &cache, &rs, err));
    skep_rc rc = skep_dump__segment(&d, rs, err);
    skep_rowset_unref(rs);
    skep_cache_free(cache);
    return rc;
}

skep_rc skep_tool_dump_rows(const struct skep_os *os, const char *path, skep_dump_row_fn *fn,
                            void *ctx, skep_err *err)
{
    skep_assert(os && path && fn);
    struct rows r = {.fn = fn, .ctx = ctx, .err = err};
    enum skep_file_kind kind;
    struct skep_cache *cache;
    struct skep_rowset *rs;
    skep_budget_init(&r.log.budget, "dump", UINT64_MAX, NULL);
    SKEP_TRY(skep_tool__kind(os, path, &kind, err));
    switch (kind) {
    case SKEP_FILE_LOG:
        SKEP_TRY(skep_wal_scan(os, path, skep_tool__epoch_of(path), rows_of_frame, &r, err));
        return r.rc;
    case SKEP_FILE_SEGMENT: break;
    case SKEP_FILE_MANIFEST:
    case SKEP_FILE_LIVE:
    case SKEP_FILE_UNKNOWN:
    default: return skep_fail(err, SKEP_EINVAL, "%s holds no rows", path);
    }
    SKEP_TRY(open_segment(os, path, &cache, &rs, err));
    skep_rc rc = rows_of(&r, rs);
    skep_rowset_unref(rs);
    skep_cache_free(cache);
    return rc;
}
