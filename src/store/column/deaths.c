// SPDX-License-Identifier: Apache-2.0
/* Deletes: rows that stop being there, at once and for good.
 *
 *   caller's thread                                   | committer's thread
 *   --------------------------------------------------+--------------------------------------
 *   snapshot; predicate -> a mask for each rowset     |
 *   ids of the masked rows -> frames (kill.c)         |
 *   queue ------------------------------------------->| are the rowsets still the same? else EAGAIN
 *                                                     | number, write, fdatasync
 *   rows deleted <------------------------------------| publish a snapshot with new live rows
 *
 * The predicate is evaluated while everything goes on.  Where a rowset was folded, flushed or
 * merged before the committer came to it the masks say nothing any more: the delete begins again,
 * and the last time it holds change_mu, so that nothing can be replaced.
 *
 * I1  the snapshot with the new live rows is published after the frames are durable, before the
 *     caller is answered.
 * I2  rows committed after the delete began live, whatever they are.
 * I3  replay kills the same rows: ids do not depend on where a row lies.  A row that is not found,
 * or dead already, was counted before. I4  a delete asks for no room on the disk: what it writes is
 * small, and it is how room is made.
 *
 * Memory: a bit a row of the row groups touched and 16 bytes a row of one frame, from the caller's
 * budget; the frames, about 2 bytes a run of rows, charged as pending.
 *
 * Locks: delete_mu, change_mu; q_mu alone. */
#include "store/column/engine.h"

#include "base/hash.h"
#include "base/mem.h"
#include "store/column/exec.h"
#include "store/column/kill.h"

enum { FREE_TRIES = 6, FRAMES_BYTES_MAX = 256 << 20 };

/* A delete on its way through the committer. */
struct skep_kill {
    struct skep_snapshot *snap; /* what the masks are about */
    struct skep_mask *masks;    /* [snap->n] */
    struct skep_buf *frames;
    size_t n_frames, cap_frames;
    uint64_t frames_bytes, charged_bytes;
    bool holds_change; /* the caller holds change_mu */
    uint64_t killed;   /* answer */
    /* The caller waits. */
    struct skep_mutex mu;
    struct skep_cond cond;
    bool done;
    skep_rc rc;
    skep_err err;
};

/* --- changes --- */

void skep_changes__done(struct skep_changes *c)
{
    for (unsigned i = 0; i < c->n; i++)
        skep_live_unref(c->sets[i].live);
    skep_free(c->sets);
    *c = (struct skep_changes){0};
}

struct skep_live *skep_changes__live(const struct skep_changes *c,
                                     const struct skep_snapshot_set *set)
{
    for (unsigned i = 0; i < c->n; i++)
        if (c->sets[i].rowset == set->rowset)
            return c->sets[i].live;
    return set->live;
}

void skep_changes__kill(struct skep_changes *c, const struct skep_snapshot_set *set,
                        const struct skep_mask *mask, enum skep_death why, uint64_t *ret_killed)
{
    *ret_killed = 0;
    if (mask->n == 0)
        return;
    struct skep_live *live = skep_live_kill(skep_changes__live(c, set), mask, why, ret_killed);
    if (*ret_killed == 0) {
        skep_live_unref(live);
        return;
    }
    for (unsigned i = 0; i < c->n; i++) {
        if (c->sets[i].rowset != set->rowset)
            continue;
        skep_live_unref(c->sets[i].live);
        c->sets[i].live = live;
        return;
    }
    SKEP_GROW(c->sets, c->n, c->cap);
    c->sets[c->n++] = (struct skep_snapshot_set){set->rowset, live};
}

/* --- the caller's side --- */

static void kill_done(struct skep_engine *e, struct skep_kill *k, struct skep_budget *budget)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; k->snap && i < k->snap->n; i++) {
        bytes += skep_mask_bytes(&k->masks[i]);
        skep_mask_done(&k->masks[i]);
    }
    skep_budget_give(budget, bytes);
    skep_free(k->masks);
    for (size_t i = 0; i < k->n_frames; i++)
        skep_buf_done(&k->frames[i]);
    skep_free(k->frames);
    skep_budget_give(&e->pending, k->charged_bytes);
    skep_snapshot_unref(k->snap);
    skep_mutex_done(&k->mu);
    skep_cond_done(&k->cond);
}

/* What the predicate selects now. */
static skep_rc evaluate(struct skep_engine *e, const struct skep_plan *plan,
                        const struct skep_run_opts *opts, struct skep_kill *k, uint64_t *ret_rows,
                        skep_err *err)
{
    uint64_t unread;
    skep_err why;
    k->snap =
        skep_engine__shown(e, skep_engine__snapshot(e), opts->environment, true, &unread, &why);
    if (unread > 0)
        return skep_fail(err, why.rc, "the environment of %" PRIu64 " rows cannot be read: %s",
                         unread, why.text);
    k->masks = skep_alloc_n(struct skep_mask, k->snap->n);
    SKEP_TRY(skep_exec_mask(k->snap, e->pool, plan, opts, k->masks, err));
    *ret_rows = 0;
    for (unsigned i = 0; i < k->snap->n; i++)
        *ret_rows += k->masks[i].n;
    return SKEP_OK;
}

/* The first SKEP_KILL_ROWS_MAX keys, or all at the end, as a frame. */
static skep_rc put_frame(struct skep_engine *e, struct skep_kill *k, struct skep_row_keys *keys,
                         skep_err *err)
{
    struct skep_row_keys some = {.keys = keys->keys,
                                 .n = SKEP_MIN(keys->n, (size_t)SKEP_KILL_ROWS_MAX)};
    SKEP_GROW(k->frames, k->n_frames, k->cap_frames);
    struct skep_buf *b = &k->frames[k->n_frames++];
    skep_buf_init(b, FRAMES_BYTES_MAX);
    skep_row_keys_sort(&some);
    skep_kill_encode(&some, SKEP_DEATH_DELETED, e->os->now_ns(e->os), b);
    keys->n -= some.n;
    memmove(keys->keys, keys->keys + some.n, keys->n * sizeof *keys->keys);
    k->frames_bytes += b->n;
    if (b->bad || k->frames_bytes > FRAMES_BYTES_MAX)
        return skep_fail(err, SKEP_ETOOLARGE, "too many rows for one delete: narrow it");
    SKEP_TRY(skep_budget_take(&e->pending, b->cap, err));
    k->charged_bytes += b->cap;
    return SKEP_OK;
}

static skep_rc make_frames(struct skep_engine *e, struct skep_kill *k, struct skep_budget *budget,
                           skep_err *err)
{
    struct skep_row_keys keys = {0};
    const uint64_t room = 2 * (SKEP_KILL_ROWS_MAX + SKEP_ROW_GROUP_ROWS) * sizeof *keys.keys;
    SKEP_TRY(skep_budget_take(budget, room, err));
    skep_rc rc = SKEP_OK;
    for (unsigned i = 0; i < k->snap->n; i++) {
        struct skep_rowset *rs = k->snap->sets[i].rowset;
        for (uint64_t g = 0; g < k->masks[i].n_groups && rc == SKEP_OK; g++) {
            rc = skep_row_keys_of(rs, &k->masks[i], g, &keys, err);
            while (rc == SKEP_OK && keys.n >= SKEP_KILL_ROWS_MAX)
                rc = put_frame(e, k, &keys, err);
        }
    }
    if (rc == SKEP_OK && keys.n > 0)
        rc = put_frame(e, k, &keys, err);
    skep_row_keys_done(&keys);
    skep_budget_give(budget, room);
    return rc;
}

static skep_rc send_and_wait(struct skep_engine *e, struct skep_kill *k, skep_err *err)
{
    struct skep_pending *p = skep_alloc(struct skep_pending);
    p->kill = k;
    skep_rc rc = skep_engine__push(e, p, err);
    if (rc != SKEP_OK) {
        skep_free(p);
        return rc;
    }
    skep_mutex_lock(&k->mu);
    while (!k->done)
        skep_cond_wait(&k->cond, &k->mu);
    skep_mutex_unlock(&k->mu);
    if (k->rc != SKEP_OK && err)
        *err = k->err;
    return k->rc;
}

/* Once; SKEP_EAGAIN: something was replaced meanwhile. */
static skep_rc attempt(struct skep_engine *e, const struct skep_plan *plan,
                       const struct skep_delete_opts *opts, bool holds_change, uint64_t *ret_rows,
                       skep_err *err)
{
    struct skep_run_opts run = opts->run;
    if (!run.budget)
        run.budget = &e->query;
    struct skep_kill k = {.holds_change = holds_change};
    skep_mutex_init(&k.mu, "delete");
    skep_cond_init(&k.cond);
    uint64_t rows = 0;
    skep_rc rc = evaluate(e, plan, &run, &k, &rows, err);
    if (rc == SKEP_OK) {
        *ret_rows = rows;
        if (opts->has_expected && rows != opts->expected)
            rc = skep_fail(err, SKEP_EEXISTS, "%llu rows match now, not %llu",
                           (unsigned long long)rows, (unsigned long long)opts->expected);
    }
    if (rc == SKEP_OK && rows > 0 && !opts->dry_run) {
        rc = make_frames(e, &k, run.budget, err);
        if (rc == SKEP_OK)
            rc = send_and_wait(e, &k, err);
        if (rc == SKEP_OK)
            *ret_rows = k.killed;
    }
    kill_done(e, &k, run.budget);
    return rc;
}

skep_rc skep_engine__delete(struct skep_store *s, const struct skep_plan *plan,
                            const struct skep_delete_opts *opts, uint64_t *ret_rows, skep_err *err)
{
    struct skep_engine *e = skep_engine_of(s);
    skep_assert(plan && opts && ret_rows);
    *ret_rows = 0;
    if (opts->dry_run)
        return attempt(e, plan, opts, false, ret_rows, err);
    skep_mutex_lock(&e->delete_mu);
    skep_rc rc = SKEP_EAGAIN;
    for (int i = 0; i < FREE_TRIES && rc == SKEP_EAGAIN; i++)
        rc = attempt(e, plan, opts, false, ret_rows, err);
    if (rc == SKEP_EAGAIN && e->background) { /* the committer alone folds without: no use */
        skep_mutex_lock(&e->change_mu);
        rc = attempt(e, plan, opts, true, ret_rows, err);
        skep_mutex_unlock(&e->change_mu);
    }
    skep_mutex_unlock(&e->delete_mu);
    return rc;
}

/* --- the committer's side --- */

static skep_rc apply(const struct skep_kill *k, const struct skep_snapshot *now,
                     struct skep_changes *c, uint64_t *ret_killed, skep_err *err)
{
    *ret_killed = 0;
    for (unsigned i = 0; i < k->snap->n; i++) {
        uint64_t killed;
        if (k->masks[i].n == 0)
            continue;
        const struct skep_snapshot_set *set = skep_snapshot__find(now, k->snap->sets[i].rowset);
        if (!set)
            return skep_fail(err, SKEP_EAGAIN, "rows were moved meanwhile");
        skep_changes__kill(c, set, &k->masks[i], SKEP_DEATH_DELETED, &killed);
        *ret_killed += killed;
    }
    return SKEP_OK;
}

static skep_rc log_frames(struct skep_engine *e, const struct skep_kill *k, skep_err *err)
{
    struct skep_wal_item *items = skep_alloc_n(struct skep_wal_item, k->n_frames);
    for (size_t i = 0; i < k->n_frames; i++)
        items[i] = (struct skep_wal_item){.seq = e->next_seq++,
                                          .payload = k->frames[i].p,
                                          .n = k->frames[i].n,
                                          .crc = skep_crc32c(0, skep_buf_bytes(&k->frames[i]))};
    skep_rc rc = skep_wal_commit(e->wal, items, (unsigned)k->n_frames, err);
    skep_free(items);
    return rc;
}

void skep_engine__commit_kill(struct skep_engine *e, struct skep_pending *p)
{
    struct skep_kill *k = p->kill;
    struct skep_changes changes = {0};
    skep_err err = {0};
    if (!k->holds_change)
        skep_mutex_lock(&e->change_mu);
    struct skep_snapshot *now = skep_engine__snapshot(e);
    uint64_t killed = 0;
    skep_rc rc = apply(k, now, &changes, &killed, &err);
    if (rc == SKEP_OK && killed > 0)
        rc = log_frames(e, k, &err);
    if (rc == SKEP_OK && killed > 0)
        skep_engine__publish(e, NULL, 0, e->next_seq - 1, &changes); /* I1 */
    if (!k->holds_change)
        skep_mutex_unlock(&e->change_mu);
    skep_changes__done(&changes);
    skep_snapshot_unref(now);
    skep_free(p);
    skep_mutex_lock(&k->mu);
    k->killed = killed;
    k->rc = rc;
    k->err = err;
    k->done = true;
    skep_cond_signal(&k->cond);
    skep_mutex_unlock(&k->mu); /* k is gone from here on */
}

/* --- replay --- */

skep_rc skep_engine__replay_kill(struct skep_engine *e, uint64_t seq, skep_bytes payload,
                                 skep_err *err)
{
    struct skep_row_keys keys = {0};
    enum skep_death why;
    SKEP_TRY(skep_kill_decode(payload, &keys, &why, err));
    struct skep_changes changes = {0};
    skep_rc rc = SKEP_OK;
    skep_mutex_lock(&e->change_mu);
    struct skep_snapshot *now = skep_engine__snapshot(e);
    for (unsigned i = 0; i < now->n && rc == SKEP_OK; i++) {
        struct skep_mask mask;
        uint64_t killed;
        skep_mask_init(&mask, now->sets[i].rowset);
        rc = skep_row_keys_find(now->sets[i].rowset, &keys, &mask, err);
        if (rc == SKEP_OK)
            skep_changes__kill(&changes, &now->sets[i], &mask, why, &killed);
        skep_mask_done(&mask);
    }
    if (rc == SKEP_OK)
        skep_engine__publish(e, NULL, 0, seq, &changes);
    skep_mutex_unlock(&e->change_mu);
    skep_snapshot_unref(now);
    skep_changes__done(&changes);
    skep_row_keys_done(&keys);
    return rc;
}
