// SPDX-License-Identifier: Apache-2.0
/* Append: from a batch to an acknowledged commit.
 *
 *   caller's thread                      | committer's thread
 *   -------------------------------------+---------------------------------------------
 *   identity? -> duplicate, wait, or go  |
 *   room? -> or ENOSPC, or wait for it   |
 *   encode the frame, open it as a part  | (those that wait: here)
 *   queue ------------------------------>| take all that wait: one group
 *                                        | number, write, fdatasync
 *                                        | publish in a new snapshot
 *                                        | remember identities, call `done` of each
 *
 * No timer: what arrives while an fsync runs forms the next group; an idle store commits at once.
 *
 * I1  done(OK) is called after the frame is durable and after a snapshot with it is visible.
 * I2  done is called exactly once for each append, also when the engine closes.
 * I3  a twin in flight gets the outcome of the first; a duplicate stores nothing.
 * I4  memory is bounded (admission.c), the queue in number.
 *
 * Threads: append any; one committer.  Locks: q_mu, then nothing; snap_mu, then nothing. */
#include "store/column/engine.h"

#include "base/hash.h"
#include "base/mem.h"
#include "store/column/part.h"
#include "store/column/supersede.h"

/* --- the caller's side ------------------------------------------------------------------------ */

static void answer(struct skep_pending *p, skep_rc rc, uint64_t seq, const skep_err *err)
{
    struct skep_append_result res = {.seq = seq, .rows = rc == SKEP_OK ? p->n_rows : 0};
    p->done(p->ctx, rc, &res, rc == SKEP_OK ? NULL : err);
}

/* The twin that waited for the outcome of the first one. */
static void answer_waiter(struct skep_engine *e, struct skep_identity_waiter *w, skep_rc rc,
                          uint64_t seq, const skep_err *err)
{
    struct skep_pending *p =
        (struct skep_pending *)(void *)((char *)w - offsetof(struct skep_pending, waiter));
    struct skep_append_result res = {.seq = seq, .duplicate = rc == SKEP_OK};
    if (rc == SKEP_OK)
        atomic_fetch_add_explicit(&e->duplicates, 1, memory_order_relaxed);
    p->done(p->ctx, rc, &res, rc == SKEP_OK ? NULL : err);
    skep_free(p);
}

void skep_engine__finish(struct skep_engine *e, struct skep_pending *p, skep_rc rc, uint64_t seq,
                         const skep_err *err)
{
    struct skep_identity_waiter *w = NULL;
    if (p->has_identity)
        w = skep_identity_settle(e->identity, &p->flight, rc == SKEP_OK ? seq : 0, p->received_ns);
    if (p->urgent)
        skep_pool_urgent_end(e->pool, 1);
    if (p->batch)
        skep_engine__stop_waiting(e, p);
    answer(p, rc, seq, err);
    while (w) {
        struct skep_identity_waiter *next = w->next;
        answer_waiter(e, w, rc, seq, err);
        w = next;
    }
    skep_rowset_unref(p->part);
    skep_free(p);
}

skep_rc skep_engine__push(struct skep_engine *e, struct skep_pending *p, skep_err *err)
{
    skep_rc rc = SKEP_OK;
    bool wake = false;
    skep_mutex_lock(&e->q_mu);
    if (e->closing) {
        rc = skep_fail(err, SKEP_ECLOSED, "the store is closing");
    } else if (e->q_n >= SKEP_PENDING_MAX) {
        rc = skep_fail(err, SKEP_ENOMEM, "%d requests are waiting for the log", SKEP_PENDING_MAX);
    } else {
        p->next = NULL;
        *e->q_tail = p;
        e->q_tail = &p->next;
        e->q_n++;
        e->q_pushed++;
        p->urgent = e->pool != NULL; /* questions have half the machine until it is answered */
        if (p->urgent)
            skep_pool_urgent_begin(e->pool, 1);
        wake = e->q_n == 1;
    }
    skep_mutex_unlock(&e->q_mu);
    if (wake) /* not under the lock: whoever signals may have to wait for a thread to run */
        skep_cond_signal(&e->q_wake);
    return rc;
}

static bool has_identity(const struct skep_batch *b)
{
    static const uint8_t none[16];
    return memcmp(b->identity, none, sizeof none) != 0;
}

void skep_engine__append(struct skep_store *s, struct skep_batch *batch, skep_append_done_fn *done,
                         void *ctx)
{
    struct skep_engine *e = skep_engine_of(s);
    skep_assert(batch && done);
    struct skep_pending *p = skep_alloc(struct skep_pending);
    *p = (struct skep_pending){.done = done,
                               .ctx = ctx,
                               .n_rows = batch->n_rows,
                               .received_ns = batch->received_ns,
                               .has_identity = has_identity(batch)};
    skep_err err = {0};
    uint64_t seq = 0;
    if (e->read_only) {
        skep_batch_free(batch);
        p->has_identity = false;
        skep_rc no = skep_fail(&err, SKEP_EFORBIDDEN, "the store is open read-only");
        skep_engine__finish(e, p, no, 0, &err);
        return;
    }
    if (p->has_identity) {
        memcpy(p->flight.id, batch->identity, sizeof p->flight.id);
        enum skep_identity_verdict v =
            skep_identity_begin(e->identity, &p->flight, &p->waiter, e->os->now_ns(e->os), &seq);
        if (v != SKEP_IDENTITY_NEW)
            skep_batch_free(batch);
        if (v == SKEP_IDENTITY_DUPLICATE)
            answer_waiter(e, &p->waiter, SKEP_OK, seq, NULL);
        if (v != SKEP_IDENTITY_NEW)
            return; /* a waiter belongs to the first one now */
    }
    skep_rc rc = SKEP_OK;
    if (batch->over_budget)
        rc = skep_fail(&err, SKEP_ENOMEM, "the request does not fit the memory budget");
    else if (batch->n_rows > 0)
        rc = skep_engine__take_in(e, p, &batch, &err);
    skep_batch_free(batch);
    if (rc == SKEP_OK)
        rc = skep_engine__push(e, p, &err);
    if (rc != SKEP_OK)
        skep_engine__finish(e, p, rc, 0, &err);
}

/* --- the committer ---------------------------------------------------------------------------- */

void skep_engine__push_back(struct skep_engine *e, struct skep_pending **group, unsigned n)
{
    skep_mutex_lock(&e->q_mu);
    if (!e->q_head)
        e->q_tail = &group[n - 1]->next;
    for (unsigned i = n; i-- > 0;) {
        group[i]->next = e->q_head;
        e->q_head = group[i];
    }
    e->q_n += n;
    skep_mutex_unlock(&e->q_mu);
}

/* Takes what waits, in order, up to a group; 0 when the engine closes and nothing waits. */
static unsigned take_group(struct skep_engine *e, struct skep_pending **group)
{
    unsigned n = 0;
    uint64_t bytes = 0;
    skep_mutex_lock(&e->q_mu);
    while (!e->q_head && !e->closing)
        skep_cond_wait(&e->q_wake, &e->q_mu);
    while (e->q_head && n < SKEP_GROUP_MAX && bytes < SKEP_GROUP_BYTES) {
        struct skep_pending *p = e->q_head;
        if (n > 0 && (p->kill || group[0]->kill))
            break; /* a delete is a group of its own */
        e->q_head = p->next;
        if (!e->q_head)
            e->q_tail = &e->q_head;
        e->q_n--;
        bytes += p->part ? p->part->bytes : p->waiting_bytes;
        group[n++] = p;
    }
    skep_mutex_unlock(&e->q_mu);
    return n;
}

/* The parts of a group, and what their commit changes. */
struct group {
    struct skep_wal_item items[SKEP_GROUP_MAX + 1];
    struct skep_rowset *parts[SKEP_GROUP_MAX];
    unsigned n;
    uint64_t rows;
    bool revises; /* rows take the place of others: change_mu is held */
    struct skep_changes changes;
    struct skep_buf arrived_dead; /* a frame of their ids; empty = none */
};

static void number_parts(struct skep_engine *e, struct skep_pending **group, unsigned n,
                         struct group *g)
{
    for (unsigned i = 0; i < n; i++) {
        struct skep_pending *p = group[i];
        if (!p->part)
            continue; /* a request without rows: nothing to store, but answered in order */
        uint64_t seq = e->next_seq++;
        skep_part__set_seq(p->part, seq);
        const struct skep_part *part = skep_part_must(p->part);
        g->items[g->n] = (struct skep_wal_item){
            .seq = seq, .payload = part->payload, .n = part->payload_bytes, .crc = p->crc};
        g->parts[g->n++] = p->part;
        g->rows += p->n_rows;
        g->revises |= skep_supersede__any(p->part);
    }
}

/* Who dies by these parts. */
static void revise(struct skep_engine *e, struct group *g)
{
    struct skep_snapshot *now = skep_engine__snapshot(e);
    struct skep_snapshot_set *sets = skep_alloc_n(struct skep_snapshot_set, now->n + g->n);
    struct skep_row_keys dead = {0};
    memcpy(sets, now->sets, now->n * sizeof *sets);
    for (unsigned i = 0; i < g->n; i++) {
        skep_supersede(sets, now->n + i, g->parts[i], &g->changes, &dead);
        sets[now->n + i] = (struct skep_snapshot_set){.rowset = g->parts[i]};
    }
    if (dead.n > 0) {
        skep_row_keys_sort(&dead);
        skep_kill_encode(&dead, SKEP_DEATH_SUPERSEDED, e->os->now_ns(e->os), &g->arrived_dead);
        g->items[g->n] =
            (struct skep_wal_item){.seq = e->next_seq++,
                                   .payload = g->arrived_dead.p,
                                   .n = g->arrived_dead.n,
                                   .crc = skep_crc32c(0, skep_buf_bytes(&g->arrived_dead))};
    }
    skep_row_keys_done(&dead);
    skep_free(sets);
    skep_snapshot_unref(now);
}

static skep_rc write_group(struct skep_engine *e, struct group *g, skep_err *err)
{
    if (g->revises)
        revise(e, g);
    SKEP_TRY(skep_wal_commit(e->wal, g->items, g->n + (g->arrived_dead.n > 0), err));
    atomic_fetch_add_explicit(&e->commits, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&e->commit_rows, g->rows, memory_order_relaxed);
    skep_engine__publish_counted(e, g->parts, g->n, e->next_seq - 1, &g->changes); /* I1 */
    return SKEP_OK;
}

static skep_rc commit_group(struct skep_engine *e, struct skep_pending **group, unsigned n,
                            skep_err *err)
{
    struct group *g = skep_alloc(struct group);
    skep_buf_init(&g->arrived_dead, SKEP_GROUP_BYTES);
    number_parts(e, group, n, g);
    skep_rc rc = SKEP_OK;
    if (g->revises)
        skep_mutex_lock(&e->change_mu);
    if (g->n > 0)
        rc = write_group(e, g, err);
    if (g->revises)
        skep_mutex_unlock(&e->change_mu);
    skep_changes__done(&g->changes);
    skep_buf_done(&g->arrived_dead);
    skep_free(g);
    return rc;
}

static void commit_rows(struct skep_engine *e, struct skep_pending **group, unsigned n)
{
    skep_err err = {0};
    skep_rc rc = commit_group(e, group, n, &err);
    for (unsigned i = 0; i < n; i++) {
        uint64_t seq = group[i]->part ? group[i]->part->min_seq : e->next_seq - 1;
        skep_engine__finish(e, group[i], rc, seq, &err);
    }
}

void skep_engine__committer(void *engine)
{
    struct skep_engine *e = engine;
    struct skep_pending *group[SKEP_GROUP_MAX];
    for (unsigned n; (n = take_group(e, group)) > 0;) {
        skep_engine__back_pressure(e);
        unsigned done = 0; /* refused */
        if (group[0]->kill)
            skep_engine__commit_kill(e, group[0]);
        else if ((n = skep_engine__take_in_waiting(e, group, n, &done)) > 0)
            commit_rows(e, group, n);
        skep_mutex_lock(&e->q_mu);
        e->q_finished += n + done;
        skep_cond_broadcast(&e->q_done);
        skep_mutex_unlock(&e->q_mu);
    }
}

void skep_engine__drain(struct skep_engine *e)
{
    skep_mutex_lock(&e->q_mu);
    uint64_t until = e->q_pushed;
    while (e->q_finished < until)
        skep_cond_wait(&e->q_done, &e->q_mu);
    skep_mutex_unlock(&e->q_mu);
}
