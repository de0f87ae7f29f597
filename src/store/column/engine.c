// SPDX-License-Identifier: Apache-2.0
/* The embedded engine: opening, closing and the table of operations.
 *
 * Its parts and how they fit: src/store/README.md.  Files of a data directory:
 *
 *   LOCK  MANIFEST  wal/<epoch>.log  seg/<number>.seg
 *
 * Threads: committer (commit.c), folder (compact.c), flusher (flush.c), merger (merge.c); queries
 * on the callers' threads and the pool.  Locks: docs/locks.md.
 *
 * Closing: appends are refused, the committer answers what waits, background work is told to give
 * up, nothing is flushed: the log has it all. */
#include "store/column/engine.h"

#include "base/mem.h"
#include "store/column/cache.h"
#include "store/column/exec.h"
#include "store/column/part.h"

#define DEFAULT_QUIET_NS     (30ll * 1000000000)
#define DEFAULT_MEMORY_BYTES (1ull << 30)
#define SMALL_BYTES          (160ull << 20) /* --memory 256M gives the store 115 MiB */
#define FLUSH_FIXED_BYTES    (24ull << 20)
#define FOLD_BYTES           (16ull << 20)
/* What a question left of its tables lies between chunks that stay: from so much on the system gets
 * it at once, or others' parts of the heap would grow beside it. */
#define LARGE_BYTES (16ull << 20)

static skep_rc engine_run(struct skep_store *s, const struct skep_plan *plan,
                          const struct skep_run_opts *opts, struct skep_answer *ret, skep_err *err)
{
    struct skep_engine *e = skep_engine_of(s);
    struct skep_run_opts o = *opts;
    if (!o.budget)
        o.budget = &e->query;
    uint64_t unread;
    skep_err why;
    struct skep_snapshot *snap = skep_engine__shown(e, skep_engine__snapshot(e), o.environment,
                                                    skep_plan_shows_own(plan), &unread, &why);
    atomic_fetch_add_explicit(&e->questions, 1, memory_order_relaxed);
    struct skep_partials *kept = e->keep_answers ? e->partials : NULL;
    skep_rc rc = skep_exec_run_kept(snap, e->pool, kept, plan, &o, ret, err);
    if (rc == SKEP_ENOMEM && !skep_budget_refused(o.budget)) /* room in the caches, not its own */
        rc = skep_exec_run_kept(snap, NULL, NULL, plan, &o, ret, err);
    atomic_fetch_sub_explicit(&e->questions, 1, memory_order_relaxed);
    if (atomic_load_explicit(&o.budget->peak_bytes, memory_order_relaxed) > LARGE_BYTES)
        skep_heap_trim();
    skep_snapshot_unref(snap);
    if (rc == SKEP_OK)
        skep_engine__mark_losses(e, plan, &o, ret);
    if (rc == SKEP_OK && unread > 0) {
        ret->complete = false;
        if (ret->missing.n == 0)
            ret->missing =
                skep_arena_printf(o.arena, "the environment of %" PRIu64 " rows cannot be read: %s",
                                  unread, why.text);
    }
    return rc;
}

/* Oldest and newest row as retention counts, so that a wrong clock does not say how old the data
 * is; for a part by its bounds. */
static struct skep_filed times_of(const struct skep_engine *e, struct skep_rowset *rs)
{
    const struct skep_engine_segment *seg = skep_engine__segment(rs);
    const struct skep_part *part = skep_part_of(rs);
    if (seg)
        return skep_filed_segment(e, &seg->m);
    return skep_filed_bounds(e, &rs->bounds, part ? part->received_min_ns : INT64_MIN,
                             part ? part->received_max_ns : INT64_MAX);
}

static void count_rowsets(struct skep_engine *e, const struct skep_snapshot *s,
                          struct skep_store_stats *r)
{
    for (unsigned i = 0; i < s->n; i++) {
        struct skep_rowset *rs = s->sets[i].rowset;
        const struct skep_live *live = s->sets[i].live;
        uint64_t rows = live ? live->n_live : rs->n_rows;
        skep_ts_ns min, max;
        if (rs->ops == &skep_part_ops) /* in memory: looking is cheap */
            skep_engine__look_at_own(e, &s->sets[i]);
        uint64_t hidden = skep_engine__shown_stats(e, &s->sets[i], &min, &max);
        struct skep_filed f = times_of(e, rs);
        min = SKEP_MAX(min, f.min_ns);
        max = SKEP_MIN(max, f.max_ns);
        bool first = r->rows_live == r->hidden_rows;
        if (rows > hidden && (first || min < r->oldest_ns))
            r->oldest_ns = min;
        if (rows > hidden && (first || max > r->newest_ns))
            r->newest_ns = max;
        r->rows_live += rows;
        r->deleted_rows += live ? live->n_deleted : 0;
        r->superseded_rows += live ? live->n_superseded : 0;
        r->hidden_rows += hidden;
        if (rs->ops == &skep_part_ops) {
            r->parts++;
            r->part_rows += rs->n_rows;
            r->part_bytes += rs->bytes;
        } else {
            r->segments++;
            r->segment_rows += rs->n_rows;
        }
    }
}

void skep_engine__worked(struct skep_engine *e, struct skep_engine_work *w, int64_t begun_ns,
                         skep_rc rc, const struct skep_rowset *made)
{
    atomic_fetch_add_explicit(&w->ns, e->os->mono_ns(e->os) - begun_ns, memory_order_relaxed);
    if (rc == SKEP_OK) {
        atomic_fetch_add_explicit(&w->n, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&w->rows, made ? made->n_rows : 0, memory_order_relaxed);
        atomic_fetch_add_explicit(&w->bytes, made ? made->bytes : 0, memory_order_relaxed);
    } else if (rc != SKEP_ECANCELED) {
        atomic_fetch_add_explicit(&w->failed, 1, memory_order_relaxed);
    }
}

static struct skep_store_work work_of(struct skep_engine_work *w)
{
    return (struct skep_store_work){.n = atomic_load(&w->n),
                                    .rows = atomic_load(&w->rows),
                                    .bytes = atomic_load(&w->bytes),
                                    .failed = atomic_load(&w->failed),
                                    .ns = atomic_load(&w->ns)};
}

static struct skep_store_writing writing_of(const struct skep_engine_writing *w)
{
    uint64_t rows = atomic_load(&w->rows);
    if (rows == 0)
        return (struct skep_store_writing){0};
    return (struct skep_store_writing){.running = true,
                                       .rows = rows,
                                       .rows_done = atomic_load(&w->rows_done),
                                       .bytes_written = atomic_load(&w->bytes),
                                       .since_ns = atomic_load(&w->since_ns)};
}

static void engine_stats(struct skep_store *s, struct skep_store_stats *ret)
{
    struct skep_engine *e = skep_engine_of(s);
    struct skep_store_stats r = {0};
    skep_mutex_lock(&e->change_mu); /* snapshot and totals of one moment */
    struct skep_snapshot *snap = skep_engine__snapshot(e);
    skep_mutex_lock(&e->manifest_mu);
    struct skep_manifest_totals totals = e->totals;
    skep_mutex_unlock(&e->manifest_mu);
    skep_mutex_unlock(&e->change_mu);
    count_rowsets(e, snap, &r);
    skep_snapshot_unref(snap);
    r.dead_rows = r.deleted_rows + r.superseded_rows;
    r.deleted_rows += totals.deleted_rows;
    r.superseded_rows += totals.superseded_rows;
    r.segment_bytes = atomic_load(&e->segment_bytes);
    r.wal_bytes = skep_wal_disk_bytes(e->wal);
    r.disk_bytes = r.wal_bytes + r.segment_bytes;
    r.disk_limit_bytes = e->disk_limit_bytes;
    r.memory_bytes = skep_budget_used(e->memory);
    r.memory_limit_bytes = e->memory->limit_bytes;
    struct skep_partials_stats answers;
    skep_partials_stats(e->partials, &answers);
    r.cache_bytes = skep_cache_bytes(e->cache);
    r.cache_bytes -= SKEP_MIN(r.cache_bytes, answers.bytes);
    r.commits = atomic_load(&e->commits);
    r.commit_rows = atomic_load(&e->commit_rows);
    r.duplicates = atomic_load(&e->duplicates);
    r.fsyncs = skep_wal_syncs(e->wal);
    skep_histogram_read(skep_wal_sync_times(e->wal), &r.fsync);
    skep_cache_lookups(e->cache, &r.cache_hits, &r.cache_misses);
    r.fold = work_of(&e->fold_work);
    r.flush = work_of(&e->flush_work);
    r.merge = work_of(&e->merge_work);
    r.merge_rows_taken_over = atomic_load(&e->taken_over_rows);
    r.writing_flush = writing_of(&e->flushing);
    r.writing_merge = writing_of(&e->merging);
    r.merge_backlog_rows = atomic_load(&e->backlog_rows);
    r.merge_backlog_since_ns = atomic_load(&e->backlog_since_ns);
    r.merges = totals.merges;
    r.merge_rows = totals.merge_rows;
    r.expired_rows = totals.expired_rows;
    r.stored_rows = totals.stored_rows + r.part_rows;
    r.read_only = e->read_only || skep_wal_failed(e->wal);
    skep_engine__loss_stats(e, &r);
    r.damaged_regions = SKEP_MAX(e->damage.regions, (uint64_t)(e->damage.lost_first > 0));
    r.torn_writes = e->damage.torn;
    r.damage = skep_str_c(e->damage.text);
    *ret = r;
}

static skep_rc engine_flush(struct skep_store *s, skep_err *err)
{
    struct skep_engine *e = skep_engine_of(s);
    if (e->read_only)
        return skep_fail(err, SKEP_EFORBIDDEN, "the store is open read-only");
    skep_engine__drain(e);
    struct skep_snapshot *snap = skep_engine__snapshot(e);
    uint64_t last = snap->visible_seq;
    skep_snapshot_unref(snap);
    SKEP_TRY(skep_engine__flush_to(e, last, err));
    if (e->background)
        return SKEP_OK;
    SKEP_TRY(skep_engine__expire(e, err));
    for (bool more = true; more;)
        SKEP_TRY(skep_engine__merge(e, &more, err));
    return SKEP_OK;
}

static uint64_t engine_visible(struct skep_store *s)
{
    struct skep_engine *e = skep_engine_of(s);
    skep_mutex_lock(&e->snap_mu);
    uint64_t seq = e->snap->visible_seq;
    skep_mutex_unlock(&e->snap_mu);
    return seq;
}

static uint64_t engine_wait_visible(struct skep_store *s, uint64_t seq, int64_t timeout_ms)
{
    struct skep_engine *e = skep_engine_of(s);
    int64_t until = e->os->mono_ns(e->os) + timeout_ms * 1000000;
    skep_mutex_lock(&e->snap_mu);
    while (e->snap->visible_seq <= seq && !e->stopping) {
        int64_t left = until - e->os->mono_ns(e->os);
        if (left <= 0)
            break;
        (void)skep_cond_wait_ms(&e->visible, &e->snap_mu, left / 1000000 + 1);
    }
    uint64_t now = e->snap->visible_seq;
    skep_mutex_unlock(&e->snap_mu);
    return now;
}

/* --- life ------------------------------------------------------------------------------------- */

static void stop_threads(struct skep_engine *e)
{
    skep_mutex_lock(&e->q_mu);
    e->closing = true;
    skep_cond_broadcast(&e->q_wake);
    skep_mutex_unlock(&e->q_mu);
    if (e->committer_runs)
        skep_thread_join(&e->committer);
    atomic_store(&e->cancel, true);
    skep_mutex_lock(&e->snap_mu);
    e->stopping = true;
    skep_cond_broadcast(&e->changed);
    struct skep_bell *bells[] = {&e->fold_bell, &e->flush_bell, &e->merge_bell};
    for (unsigned i = 0; i < SKEP_ARRAY_LEN(bells); i++)
        skep_cond_broadcast(&bells[i]->cond);
    skep_cond_broadcast(&e->visible);
    skep_mutex_unlock(&e->snap_mu);
    if (!e->background_runs)
        return;
    skep_thread_join(&e->folder);
    skep_thread_join(&e->flusher);
    skep_thread_join(&e->merger);
}

/* LOCK holds a byte while somebody owns the directory, and behind one who died or left a manifest
 * or a log that may not be what is on the disk.  Not synced: after a power cut nothing is seen that
 * is not there. */
static void mark_owned(struct skep_engine *e)
{
    struct skep_os_stat st = {0};
    e->owner_died = e->os->fstat(e->os, e->lock_fd, &st, NULL) != SKEP_OK || st.size_bytes > 0;
    /* Without the mark the next owner believes what it reads, as one without this rule would. */
    if (!e->owner_died)
        (void)e->os->pwrite(e->os, e->lock_fd, "1", 1, 0, NULL);
}

static void release(struct skep_engine *e, bool log_sound)
{
    if (e->lock_fd < 0)
        return;
    if (e->manifest && skep_manifest_sound(e->manifest) && log_sound)
        (void)e->os->truncate(e->os, e->lock_fd, 0, NULL); /* else it is written anew once more */
    e->os->close(e->os, e->lock_fd);
}

static void engine_close(struct skep_store *s)
{
    struct skep_engine *e = skep_engine_of(s);
    stop_threads(e);
    bool log_sound = e->wal && skep_wal_sound(e->wal);
    skep_wal_close(e->wal);
    skep_snapshot_unref(e->snap);
    release(e, log_sound);
    skep_manifest_close(e->manifest);
    skep_cache_invite(e->cache, NULL, NULL);
    skep_partials_free(e->partials);
    skep_cache_free(e->cache);
    skep_budget_done(&e->flush);
    skep_budget_done(&e->merge);
    skep_budget_done(&e->ingest);
    skep_identity_free(e->identity);
    skep_cond_done(&e->q_wake);
    skep_cond_done(&e->q_done);
    skep_cond_done(&e->visible);
    skep_cond_done(&e->changed);
    skep_cond_done(&e->fold_bell.cond);
    skep_cond_done(&e->flush_bell.cond);
    skep_cond_done(&e->merge_bell.cond);
    skep_missing__done(&e->missing);
    skep_mutex_done(&e->q_mu);
    skep_mutex_done(&e->snap_mu);
    skep_mutex_done(&e->flush_mu);
    skep_mutex_done(&e->merge_mu);
    skep_mutex_done(&e->delete_mu);
    skep_mutex_done(&e->change_mu);
    skep_mutex_done(&e->manifest_mu);
    skep_mutex_done(&e->ledger_mu);
    skep_mutex_done(&e->shown_mu);
    skep_ledger_done(&e->book);
    skep_free(e->dir);
    skep_free(e);
}

static const struct skep_store_ops column_ops = {
    .name = "column",
    .close = engine_close,
    .append = skep_engine__append,
    .run = engine_run,
    .delete_rows = skep_engine__delete,
    .stats = engine_stats,
    .flush = engine_flush,
    .ledger = skep_engine__ledger,
    .visible = engine_visible,
    .wait_visible = engine_wait_visible,
    .each_loss = skep_engine__each_loss,
};

/* The reserves: parts at their most, or nearly (admission.c, I1); a flush, which likes 17 MiB for a
 * row group and half of what its parts take for their order, and with less writes shorter row
 * groups; reading; merging, whose debt must not grow.  What is left is for whoever comes first.
 * Together they are less than all there is: else a question would find the memory full before it
 * meets its own limit, and be told to try again instead of what to narrow.  What of them lies idle
 * the chunk cache borrows, and gives back to who uses it (base/budget.h, cache.c). */
static void share_out(struct skep_engine *e, uint64_t all)
{
    bool small = all < SMALL_BYTES;
    uint64_t parts = SKEP_MIN(3 * e->part_limit_bytes, small ? all / 8 * 3 : all / 16 * 7);
    uint64_t flush =
        SKEP_MIN(e->part_limit_bytes + FLUSH_FIXED_BYTES, small ? all / 4 : all / 10 * 3);
    uint64_t cache = small ? all / 6 : all / 8, merge = small ? all / 6 : all / 8;
    skep_assert(parts + flush + cache + merge <= all);
    skep_budget_init(&e->ingest, "ingest", UINT64_MAX, e->memory);
    skep_budget_reserve(&e->ingest, parts);
    skep_budget_init(&e->parts, "parts", UINT64_MAX, &e->ingest);
    skep_budget_init(&e->pending, "pending", UINT64_MAX, &e->ingest);
    skep_budget_init(&e->flush, "flush", UINT64_MAX, e->memory);
    skep_budget_reserve(&e->flush, flush);
    skep_cache_reserve(e->cache, cache);
    skep_budget_reserve(&e->merge, merge);
}

static void chunks_give_way(void *cache, uint64_t bytes)
{
    skep_cache_give_way(cache, bytes);
}

static bool answers_yield(void *partials, uint64_t bytes)
{
    return skep_partials_yield(partials, bytes);
}

/* Chunks and kept answers live on the same memory: up to three eighths of it together, of which
 * a quarter or so is lent by flush, parts and merge while they rest.  Answers take at most a
 * twelfth of all, of little memory a sixteenth (percentiles of 77 routes over ten million spans
 * need as much at 512 MB); chunks that are in use come before answers, answers before other chunks,
 * and these go to borrowed memory before they go. */
static void make_caches(struct skep_engine *e, uint64_t all)
{
    e->cache = skep_cache_new(e->memory, all / 8 * 3);
    skep_cache_borrow(e->cache);
    e->partials =
        skep_partials_new(skep_cache_budget(e->cache), all < SMALL_BYTES ? all / 16 : all / 12);
    skep_partials_live_with(e->partials, chunks_give_way, e->cache);
    skep_cache_invite(e->cache, answers_yield, e->partials);
}

static void init_limits(struct skep_engine *e, const struct skep_column_config *cfg)
{
    if (!cfg->memory)
        skep_budget_init(&e->own_memory, "store", DEFAULT_MEMORY_BYTES, NULL);
    e->memory = cfg->memory ? cfg->memory : &e->own_memory;
    uint64_t all = SKEP_MIN(e->memory->limit_bytes, 16 * DEFAULT_MEMORY_BYTES);
    e->part_limit_bytes = cfg->part_limit_bytes ? cfg->part_limit_bytes
                          : all < SMALL_BYTES   ? all / 6
                                                : all / 7;
    e->fold_bytes = cfg->part_limit_bytes ? SKEP_MAX(e->part_limit_bytes / 16, FOLD_BYTES)
                                          : SKEP_MIN(e->part_limit_bytes / 2, FOLD_BYTES);
    e->disk_limit_bytes = cfg->disk_limit_bytes;
    e->wal_flush_bytes = cfg->disk_limit_bytes ? cfg->disk_limit_bytes / 16 : 1ull << 30;
    e->retain_ns = cfg->retain_ns;
    e->flush_quiet_ns = cfg->flush_quiet_ns ? cfg->flush_quiet_ns : DEFAULT_QUIET_NS;
    skep_budget_init(&e->query, "queries", all / 2, e->memory);
    skep_budget_init(&e->merge, "merges", all / 2, e->memory);
    skep_budget_init(&e->lives, "live rows", UINT64_MAX, e->memory);
    make_caches(e, all);
    e->keep_answers = !cfg->keep_no_answers;
    share_out(e, all);
}

static struct skep_engine *new_engine(const struct skep_column_config *cfg)
{
    struct skep_engine *e = skep_alloc(struct skep_engine);
    e->base.ops = &column_ops;
    e->os = cfg->os;
    skep_str dir = skep_str_c(cfg->dir);
    e->dir = skep_strndup(dir.p, dir.n);
    e->pool = cfg->pool;
    e->read_only = cfg->read_only;
    e->background = !cfg->no_background && !e->read_only;
    e->lock_fd = -1;
    e->q_tail = &e->q_head;
    skep_mutex_init(&e->q_mu, "queue");
    skep_mutex_init(&e->snap_mu, "snapshot");
    skep_mutex_init(&e->flush_mu, "flush");
    skep_mutex_init(&e->merge_mu, "merge");
    skep_mutex_init(&e->delete_mu, "delete");
    skep_mutex_init(&e->change_mu, "change");
    skep_mutex_init(&e->manifest_mu, "manifest");
    skep_mutex_init(&e->ledger_mu, "ledger");
    skep_mutex_init(&e->shown_mu, "own rows");
    skep_cond_init(&e->q_wake);
    skep_cond_init(&e->q_done);
    skep_cond_init(&e->visible);
    skep_cond_init(&e->changed);
    skep_cond_init(&e->fold_bell.cond);
    skep_cond_init(&e->flush_bell.cond);
    skep_cond_init(&e->merge_bell.cond);
    e->identity = skep_identity_new();
    e->snap = skep_snapshot__empty(0);
    init_limits(e, cfg);
    return e;
}

/* A log file is at most a small part of the disk's limit; 0 = as large as it likes. */
static uint64_t log_file_bytes(const struct skep_column_config *cfg)
{
    uint64_t bytes = cfg->wal_file_bytes ? cfg->wal_file_bytes : cfg->disk_limit_bytes / 32;
    if (bytes == 0 || bytes > SKEP_WAL_FILE_BYTES_MAX)
        return 0;
    return SKEP_MAX(bytes, (uint64_t)256 << 10);
}

static skep_rc open_dirs(struct skep_engine *e, const struct skep_column_config *cfg, skep_err *err)
{
    const struct skep_os *os = e->os;
    SKEP_TRY(os->mkdir(os, e->dir, err));
    skep_rc rc = skep_os_sync_parent(os, e->dir, err);
    if (rc != SKEP_OK &&
        rc != SKEP_EFORBIDDEN) /* a parent that may not be opened is another's business */
        return rc;
    unsigned flags = SKEP_OPEN_WRITE | SKEP_OPEN_CREATE;
    SKEP_TRY(os->open(os, skep_path_of("%s/LOCK", e->dir).s, flags, &e->lock_fd, err));
    rc = os->lock(os, e->lock_fd, err);
    if (rc == SKEP_EEXISTS)
        return skep_fail(err, rc, "another process has %s open", e->dir);
    SKEP_TRY(rc);
    mark_owned(e);
    SKEP_TRY(os->mkdir(os, skep_path_of("%s/seg", e->dir).s, err));
    SKEP_TRY(
        skep_wal_open(os, skep_path_of("%s/wal", e->dir).s, log_file_bytes(cfg), &e->wal, err));
    return skep_os_sync_dir(os, e->dir, err); /* seg and wal, whoever made them */
}

skep_rc skep_column_open(const struct skep_column_config *cfg, struct skep_store **ret,
                         skep_err *err)
{
    skep_assert(cfg && cfg->os && cfg->dir && ret);
    if (skep_str_c(cfg->dir).n > 900)
        return skep_fail(err, SKEP_EINVAL, "the data directory's name is too long");
    struct skep_engine *e = new_engine(cfg);
    skep_rc rc = e->read_only ? SKEP_OK : open_dirs(e, cfg, err);
    if (rc == SKEP_OK)
        rc = e->read_only ? skep_engine__open_read_only(e, err) : skep_engine__recover(e, err);
    if (rc != SKEP_OK) {
        engine_close(&e->base);
        return rc;
    }
    *ret = &e->base;
    if (e->read_only)
        return SKEP_OK;
    skep_thread_start(&e->committer, "skep-commit", skep_engine__committer, e);
    e->committer_runs = true;
    if (e->background) {
        skep_thread_start(&e->folder, "skep-fold", skep_engine__folder, e);
        skep_thread_start(&e->flusher, "skep-flush", skep_engine__flusher, e);
        skep_thread_start(&e->merger, "skep-merge", skep_engine__merger, e);
        e->background_runs = true;
    }
    return SKEP_OK;
}
