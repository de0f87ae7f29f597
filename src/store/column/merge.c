// SPDX-License-Identifier: Apache-2.0
/* Merging and dropping segments.
 *
 * Merging: segments stand in order of their commits; neighbours become one, chosen by
 * merge_choose.c.
 *
 * A segment of which a quarter is dead is written anew alone.
 *
 * Dropping: whole segments, when no row of them lives; when the newest row is older than retain_ns;
 * oldest first, when the disk limit is near.  A row whose timestamp is out of all proportion
 * (before the retention or a day in the future when it came) is filed under its arrival: the
 * segment's age is then that of its newest arrival.
 *
 * I1  the manifest is durable before any source is doomed.
 * I2  merges give way: to shutdown, and to expiry when the disk is nearly full.
 * I3  a merge needs room for its result beside its sources, or it is not begun.
 * I4  rows that die while a merge runs are dead in its result (carry.c).
 * I5  a merge reads past the chunk cache: what queries have there stays.
 * I6  parts, the flush and reading have memory of their own: a merge takes its reserve and what is
 *     left over.  It begins when it knows what it needs (segment_plan.c): for a whole run with row
 *     groups as long as there is memory for; where that is too little even for short ones, of fewer
 *     segments.  If others took the memory meanwhile it joins fewer, then waits, which is worth a
 *     word only when it has for a while.
 * I7  where a merge cannot take a whole run it takes the neighbours with the fewest rows: the large
 *     one at the run's end would else be written anew with each few small ones.
 *
 * Threads: the merger and callers of flush() in tests, one at a time under merge_mu.  Locks:
 * merge_mu -> change_mu -> manifest_mu; change_mu -> snap_mu. */
#include "store/column/engine.h"

#include "base/log.h"
#include "base/mem.h"
#include "store/column/merge_choose.h"
#include "store/column/part.h"
#include "store/column/segment.h"
#include <stdlib.h>

enum {
    RUN_MAX = SKEP_MERGE_RUN_MAX,
    NAP_MS = 500,
    DEAD_PERCENT = 25,
    ASIDE_BYTES = 8 << 20,
    SHORT_ROWS = 8192, /* of a row group; below, a merge of fewer segments is better */
    NO_MEMORY_MAX = 5, /* tries, over 75 s */
    SHORT_MERGES = 16  /* until more segments are tried again */
};
#define REST_NS (5ll * 1000000000)

/* Age of the newest row that counts. */
static skep_ts_ns newest_of(const struct skep_engine *e, const struct skep_manifest_segment *m)
{
    return skep_filed_segment(e, m).max_ns;
}

static unsigned n_segments(const struct skep_snapshot *s)
{
    unsigned n = 0;
    while (n < s->n && !skep_part_of(s->sets[n].rowset))
        n++;
    return n;
}

/* The segments of the snapshot as merge_choose.c sees them, n_segments(s) and to be freed. */
static struct skep_merge_piece *pieces_of(const struct skep_engine *e,
                                          const struct skep_snapshot *s)
{
    unsigned n = n_segments(s);
    struct skep_merge_piece *p = skep_alloc_n(struct skep_merge_piece, n + 1);
    for (unsigned i = 0; i < n; i++) {
        struct skep_rowset *rs = s->sets[i].rowset;
        p[i] =
            (struct skep_merge_piece){.rows = rs->n_rows,
                                      .newest_ns = newest_of(e, &skep_engine__segment_must(rs)->m),
                                      .origins = skep_segment__of(rs)->n_origins,
                                      .layout = rs->layout,
                                      .dead = skep_live_rows(s->sets[i].live, rs) == 0};
    }
    return p;
}

/* Between the newest rows of what becomes one. */
static skep_ts_ns span_of(const struct skep_engine *e)
{
    return e->retain_ns == 0 ? INT64_MAX : e->retain_ns / 8;
}

/* The segment with the largest share of dead rows, if that is worth writing it anew. */
static bool mostly_dead(const struct skep_snapshot *s, unsigned n, unsigned *ret_at)
{
    uint64_t best = DEAD_PERCENT - 1;
    for (unsigned i = 0; i < n; i++) {
        const struct skep_live *live = s->sets[i].live;
        uint64_t percent = live ? 100 - live->n_live * 100 / live->n_rows : 0;
        if (percent <= best || live->n_live == 0)
            continue; /* those without a live row are dropped, not merged */
        best = percent;
        *ret_at = i;
    }
    return best >= DEAD_PERCENT;
}

/* Of the segments [at, at + k) the `most` neighbours with the fewest rows (I7). */
static unsigned smallest(const struct skep_snapshot *s, unsigned at, unsigned k, unsigned most)
{
    uint64_t rows = 0, fewest = UINT64_MAX;
    unsigned best = at;
    for (unsigned i = 0; i < k; i++) {
        rows += s->sets[at + i].rowset->n_rows;
        if (i + 1 < most)
            continue;
        if (rows < fewest) {
            fewest = rows;
            best = at + i + 1 - most;
        }
        rows -= s->sets[at + i + 1 - most].rowset->n_rows;
    }
    return best;
}

/* Of the cache with which a merge reads. */
static uint64_t aside_bytes(const struct skep_engine *e)
{
    return SKEP_MIN((uint64_t)ASIDE_BYTES, e->merge.reserve_bytes / 8);
}

/* Rows of the row groups for which there is memory; 0 = none. */
static uint32_t rows_for(const struct skep_engine *e, const struct skep_snapshot_set *sets,
                         unsigned n)
{
    struct skep_segment_source src[RUN_MAX];
    uint64_t left = skep_budget_left(&e->merge), cache = aside_bytes(e);
    for (unsigned i = 0; i < n; i++)
        src[i] = (struct skep_segment_source){sets[i].rowset, sets[i].live};
    return skep_segment_rows_for(src, n, left > cache ? left - cache : 0);
}

/* Of the run of k segments from `at` as many as there is memory for, I6. */
static unsigned fitting(const struct skep_engine *e, const struct skep_snapshot *s, unsigned at,
                        unsigned k, unsigned *ret_n)
{
    unsigned most = e->merge_most > 0 ? SKEP_MIN(k, e->merge_most) : k, from;
    for (;; most -= SKEP_MAX(most / 8, 1u)) {
        from = smallest(s, at, k, most);
        if (most <= 2 || rows_for(e, s->sets + from, most) >= SHORT_ROWS)
            break;
    }
    *ret_n = most;
    return from;
}

static void note_backlog(struct skep_engine *e, uint64_t rows)
{
    atomic_store(&e->backlog_rows, rows);
    if (rows == 0)
        atomic_store(&e->backlog_since_ns, 0);
    else if (atomic_load(&e->backlog_since_ns) == 0)
        atomic_store(&e->backlog_since_ns, e->os->now_ns(e->os));
}

/* What to merge: *ret_n segments from the returned index; 0 = nothing.  Notes the rows of all that
 * is to be merged, for who watches. */
static unsigned choose(struct skep_engine *e, const struct skep_snapshot *s, unsigned *ret_n)
{
    unsigned n = n_segments(s), best = 0;
    struct skep_merge_piece *p = pieces_of(e, s);
    struct skep_merge_run run;
    note_backlog(e, skep_merge_behind(p, n, span_of(e)));
    *ret_n = 0;
    if (mostly_dead(s, n, &best))
        *ret_n = 1;
    else if (skep_merge_choose(p, n, span_of(e), SKEP_SEGMENTS_MAX * 3 / 4, &run))
        best = fitting(e, s, run.at, run.n, ret_n);
    skep_free(p);
    return best;
}

/* One record: segments go, with their dead rows counted as gone; one may come, with its bitmap. */
static skep_rc record(struct skep_engine *e, const struct skep_snapshot_set *gone, unsigned n,
                      const struct skep_snapshot_set *add, const struct skep_saved *saved,
                      bool expired, const struct skep_ledger *ledger, skep_err *err)
{
    uint64_t numbers[SKEP_SEGMENTS_MAX];
    skep_assert(n <= SKEP_ARRAY_LEN(numbers));
    struct skep_manifest_segment m;
    skep_mutex_lock(&e->manifest_mu);
    struct skep_manifest_edit edit = {.remove = numbers,
                                      .n_remove = n,
                                      .lives = saved ? saved->lives : NULL,
                                      .n_lives = saved ? saved->n : 0,
                                      .next_segment = atomic_load(&e->next_segment),
                                      .totals = e->totals,
                                      .ledger = ledger,
                                      .now_ns = e->os->now_ns(e->os)};
    for (unsigned i = 0; i < n; i++) {
        const struct skep_live *live = gone[i].live;
        numbers[i] = skep_engine__segment_must(gone[i].rowset)->m.number;
        edit.totals.expired_rows += expired ? skep_live_rows(live, gone[i].rowset) : 0;
        edit.totals.deleted_rows += live ? live->n_deleted : 0;
        edit.totals.superseded_rows += live ? live->n_superseded : 0;
    }
    if (add) {
        m = skep_engine__segment_must(add->rowset)->m;
        edit.add = &m;
        edit.n_add = 1;
        edit.totals.merges++;
        edit.totals.merge_rows += add->rowset->n_rows;
    }
    skep_rc rc = skep_manifest_edit(e->manifest, &edit, err);
    if (rc == SKEP_OK)
        e->totals = edit.totals;
    skep_mutex_unlock(&e->manifest_mu);
    return rc;
}

static skep_rc put_merged(struct skep_engine *e, const struct skep_snapshot_set *sets, unsigned n,
                          struct skep_snapshot_set *by, skep_err *err)
{
    struct skep_rowset *gone[RUN_MAX];
    struct skep_saved saved;
    for (unsigned i = 0; i < n; i++)
        gone[i] = sets[i].rowset;
    skep_rc rc = skep_engine__carry(e, sets, n, by, 1, &e->merge, err);
    if (rc == SKEP_OK)
        rc = skep_engine__save(e, by, 1, &saved, err);
    if (rc != SKEP_OK) {
        skep_engine__doom(e, by->rowset);
        return rc;
    }
    struct skep_ledger ended = {0}; /* dead rows, which are left out */
    skep_engine__count_dead(e, sets, n, &ended);
    rc = record(e, sets, n, by, &saved, false, &ended, err);
    if (rc == SKEP_OK || rc == SKEP_ENOSPC) /* anything else: the manifest may name them */
        skep_engine__settle_saved(e, &saved, rc == SKEP_OK);
    skep_saved__done(&saved);
    if (rc == SKEP_OK) {
        skep_engine__look_at_own(e, by);
        skep_engine__replace_counted(e, gone, n, by, 1, &ended); /* I1 */
    } else if (rc == SKEP_ENOSPC) {
        skep_engine__doom(e, by->rowset);
    }
    skep_ledger_done(&ended);
    return rc;
}

/* I5: the sources opened once more, with a small cache of their own. */
struct aside {
    struct skep_cache *cache;
    struct skep_segment_source sources[RUN_MAX];
    unsigned n;
};

static skep_rc open_aside(struct skep_engine *e, const struct skep_snapshot_set *sets, unsigned n,
                          struct aside *a, skep_err *err)
{
    a->cache = skep_cache_new(&e->merge, aside_bytes(e));
    for (; a->n < n; a->n++) {
        struct skep_rowset *of = sets[a->n].rowset, *rs = NULL;
        SKEP_TRY(skep_segment_twin(of, a->cache, &rs, err));
        rs->on_last_unref_ctx = of->on_last_unref_ctx; /* so it is known which one; not its end */
        a->sources[a->n] = (struct skep_segment_source){rs, sets[a->n].live};
    }
    return SKEP_OK;
}

static void close_aside(struct aside *a)
{
    for (unsigned i = 0; i < a->n; i++)
        skep_rowset_unref(a->sources[i].rowset);
    skep_cache_free(a->cache);
}

static skep_rc merge_run(struct skep_engine *e, const struct skep_snapshot_set *sets, unsigned n,
                         skep_err *err)
{
    struct skep_snapshot_set by = {0};
    struct aside aside = {0};
    skep_assert(n >= 1 && n <= RUN_MAX);
    int64_t begun = e->os->mono_ns(e->os);
    skep_rc rc = open_aside(e, sets, n, &aside, err);
    if (rc == SKEP_OK)
        rc = skep_engine__write_segment(
            e,
            &(struct skep_engine_write){.sources = aside.sources,
                                        .n = n,
                                        .layout = (enum skep_layout)sets[0].rowset->layout,
                                        .is_merge = true,
                                        .group_rows = rows_for(e, sets, n),
                                        .budget = &e->merge,
                                        .cache = aside.cache},
            &by.rowset, err);
    skep_engine__worked(e, &e->merge_work, begun, rc, by.rowset);
    close_aside(&aside);
    SKEP_TRY(rc);
    atomic_fetch_add(&e->taken_over_rows, skep_segment_rows_taken_over(by.rowset));
    skep_mutex_lock(&e->change_mu);
    rc = put_merged(e, sets, n, &by, err);
    skep_mutex_unlock(&e->change_mu);
    skep_live_unref(by.live);
    skep_rowset_unref(by.rowset);
    return rc;
}

/* Bytes its live rows take, about. */
static uint64_t live_bytes(const struct skep_snapshot_set *set)
{
    const struct skep_rowset *rs = set->rowset;
    return (uint64_t)((double)rs->bytes * (double)skep_live_rows(set->live, rs) /
                      (double)SKEP_MAX(rs->n_rows, (uint64_t)1));
}

/* Under a small --memory merges are smaller, not absent.  What had to be made less of comes back by
 * and by: the memory may have been others' for a moment. */
static skep_rc merge_some(struct skep_engine *e, const struct skep_snapshot_set *sets, unsigned n,
                          skep_err *err)
{
    skep_rc rc = merge_run(e, sets, n, err);
    if (rc == SKEP_OK) {
        if (e->merge_most > 0 && ++e->merges_small >= SHORT_MERGES) {
            e->merges_small = 0;
            e->merge_most = 2 * e->merge_most < RUN_MAX ? 2 * e->merge_most : 0;
        }
        return rc;
    }
    e->merges_small = 0;
    while (rc == SKEP_ENOMEM && n > 2) {
        n = (n + 1) / 2;
        e->merge_most = n;
        rc = merge_run(e, sets, n, err);
    }
    return rc;
}

skep_rc skep_engine__merge(struct skep_engine *e, bool *ret_more, skep_err *err)
{
    skep_rc rc = SKEP_OK;
    *ret_more = false;
    skep_mutex_lock(&e->merge_mu);
    struct skep_snapshot *s = skep_engine__snapshot(e);
    struct skep_snapshot_set sets[RUN_MAX];
    unsigned n, at = choose(e, s, &n);
    uint64_t bytes = 0;
    for (unsigned i = 0; i < n; i++) {
        sets[i] = (struct skep_snapshot_set){skep_rowset_ref(s->sets[at + i].rowset),
                                             skep_live_ref(s->sets[at + i].live)};
        bytes += live_bytes(&sets[i]);
    }
    skep_snapshot_unref(s); /* its parts are flushed while this goes on: their memory is wanted */
    bool fits = e->disk_limit_bytes == 0 ||
                skep_engine__disk_bytes(e) + bytes <= e->disk_limit_bytes / 16 * 15; /* I3 */
    if (n > 0 && fits) {
        rc = merge_some(e, sets, n, err);
        *ret_more = rc == SKEP_OK;
    }
    for (unsigned i = 0; i < n; i++) {
        skep_live_unref(sets[i].live);
        skep_rowset_unref(sets[i].rowset);
    }
    skep_mutex_unlock(&e->merge_mu);
    return rc;
}

/* A whole segment goes: its live rows expire, or there are none. */
static skep_rc drop(struct skep_engine *e, struct skep_rowset *rs, skep_err *err)
{
    skep_mutex_lock(&e->change_mu);
    struct skep_snapshot *now = skep_engine__snapshot(e);
    const struct skep_snapshot_set *set = skep_snapshot__find(now, rs);
    skep_assert(set != NULL); /* under merge_mu */
    struct skep_ledger ended = {0};
    skep_engine__count_expired(e, set, &ended);
    skep_rc rc = record(e, set, 1, NULL, NULL, true, &ended, err);
    if (rc == SKEP_OK)
        skep_engine__replace_counted(e, &rs, 1, NULL, 0, &ended);
    skep_mutex_unlock(&e->change_mu);
    skep_ledger_done(&ended);
    skep_snapshot_unref(now);
    return rc;
}

/* Segments of which no row lives. */
static skep_rc drop_dead(struct skep_engine *e, skep_err *err)
{
    struct skep_snapshot *s = skep_engine__snapshot(e);
    skep_rc rc = SKEP_OK;
    for (unsigned i = 0; i < n_segments(s) && rc == SKEP_OK; i++)
        if (s->sets[i].live && s->sets[i].live->n_live == 0)
            rc = drop(e, s->sets[i].rowset, err);
    skep_snapshot_unref(s);
    return rc;
}

static struct skep_rowset *oldest(const struct skep_engine *e, const struct skep_snapshot *s)
{
    struct skep_rowset *found = NULL;
    skep_ts_ns age = INT64_MAX;
    for (unsigned i = 0; i < n_segments(s); i++) {
        skep_ts_ns t = newest_of(e, &skep_engine__segment_must(s->sets[i].rowset)->m);
        if (!found || t < age) {
            found = s->sets[i].rowset;
            age = t;
        }
    }
    return found;
}

static skep_rc expire_by_age(struct skep_engine *e, skep_err *err)
{
    if (e->retain_ns == 0)
        return SKEP_OK;
    skep_ts_ns limit = e->os->now_ns(e->os) - e->retain_ns;
    struct skep_snapshot *s = skep_engine__snapshot(e);
    skep_rc rc = SKEP_OK;
    for (unsigned i = 0; i < n_segments(s) && rc == SKEP_OK; i++) {
        struct skep_rowset *rs = s->sets[i].rowset;
        if (newest_of(e, &skep_engine__segment_must(rs)->m) < limit)
            rc = drop(e, rs, err);
    }
    skep_snapshot_unref(s);
    return rc;
}

static skep_rc expire_for_space(struct skep_engine *e, skep_err *err)
{
    uint64_t limit = e->disk_limit_bytes;
    if (limit == 0 || skep_engine__disk_bytes(e) <= limit / 16 * 14)
        return SKEP_OK;
    uint64_t gone = 0, disk = skep_engine__disk_bytes(e);
    skep_rc rc = SKEP_OK;
    /* Files that readers still hold free their room later: count what was doomed here. */
    while (rc == SKEP_OK && disk > gone && disk - gone > limit / 16 * 12) {
        struct skep_snapshot *s = skep_engine__snapshot(e);
        struct skep_rowset *rs = oldest(e, s);
        if (rs) {
            gone += skep_engine__segment_must(rs)->m.file_bytes;
            rc = drop(e, rs, err);
        }
        skep_snapshot_unref(s);
        if (!rs) {
            atomic_store(&e->want_flush, true); /* the log is all there is */
            break;
        }
    }
    return rc;
}

skep_rc skep_engine__expire(struct skep_engine *e, skep_err *err)
{
    skep_mutex_lock(&e->merge_mu);
    skep_rc rc = drop_dead(e, err);
    if (rc == SKEP_OK)
        rc = expire_by_age(e, err);
    if (rc == SKEP_OK && e->retain_ns > 0)
        rc = skep_engine__settle_losses(e, e->os->now_ns(e->os) - e->retain_ns, err);
    if (rc == SKEP_OK)
        rc = expire_for_space(e, err);
    atomic_store(&e->want_space, false);
    skep_mutex_unlock(&e->merge_mu);
    return rc;
}

void skep_engine__merger(void *engine)
{
    struct skep_engine *e = engine;
    int64_t rest_until = 0;
    unsigned failures = 0; /* in a row: each rest is twice the last, a damaged source stays one */
    bool more = false;
    skep_thread_background();
    while (!skep_engine__nap(e, &e->merge_bell, more ? 0 : NAP_MS)) {
        more = false;
        if (e->os->mono_ns(e->os) < rest_until)
            continue;
        skep_err err;
        skep_rc rc = skep_engine__expire(e, &err);
        if (rc == SKEP_OK)
            rc = skep_engine__merge(e, &more, &err);
        if (rc == SKEP_OK || rc == SKEP_ECANCELED) {
            failures = rc == SKEP_OK ? 0 : failures;
            continue;
        }
        rest_until = e->os->mono_ns(e->os) + (REST_NS << SKEP_MIN(failures, 7u));
        failures++;
        if (rc == SKEP_ENOMEM && failures < NO_MEMORY_MAX) /* I6 */
            continue;
        skep_log(WARN, "merge failed, trying again; segments stay as they are", SKEP_K_RC(rc),
                 SKEP_K_CSTR("error", err.text));
    }
}
