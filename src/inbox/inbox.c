// SPDX-License-Identifier: Apache-2.0
/* Follows new occurrences (inbox.h).
 *
 *   wait for a commit -> rows behind the cursor that have error.fingerprint, ROUND_ROWS at a time,
 *   in arrival order -> sightings, until AT_ONCE items or ROUNDS times as many rows came together
 *   -> one transaction: counts and cursor -> changed()
 *
 * Between two looks it pauses: a look costs the same whether it sees one row or a thousand.  Who
 * waits for it (skep_inbox_wait) ends the pause.
 *
 * What two wires told of is one occurrence (twins.h).  What is remembered for that is made anew at
 * a start, of the rows since the first that is remembered and of what was decided of them.
 *
 * Commits without errors move the cursor in memory alone: an idle or healthy server writes nothing.
 * After a restart they are read again, which counts nothing twice.
 *
 * I1  a row is counted once: the cursor is kept in the transaction that counts it.
 * I2  `looked` never passes a row that was not counted, but for I3.
 * I3  rows that cannot be read are asked for again; what is still unreadable at the TRIES-th time
 * (a damaged file stays one) is passed over, said and counted: an inbox that stands still is worse.
 *
 * Threads: one, named skep-inbox.  Locks: lock, a leaf.  Memory: an arena of a round's rows. */
#include "inbox/inbox.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "inbox/sightings.h"
#include "os/thread.h"
#include "query/query.h"

enum { ROUND_ROWS = 2000, ROUNDS = 32, AT_ONCE = 2000 };
enum { WAIT_MS = 200, RETRY_MS = 2000, PAUSE_MS = 500, TRIES = 8 };

struct skep_inbox {
    struct skep_inbox_config cfg;
    struct skep_arena arena;               /* of a round; the thread's */
    struct skep_inbox__gathering gathered; /* the thread's */
    skep_row_id cursor;                    /* the thread's */
    bool loaded;                           /* the cursor is state's */
    struct skep_twins *twins;              /* the thread's */
    bool failing;                          /* said once */
    unsigned incomplete;                   /* answers in a row that lacked rows; the thread's */
    uint64_t passed_over;   /* hash of what they lacked, once accepted; the thread's */
    struct skep_mutex lock; /* of all below */
    struct skep_cond wake;  /* to stop; looked moved */
    bool stopping;
    uint64_t wanted; /* somebody waits until this commit is looked at */
    uint64_t looked; /* every row of this commit and before has been looked at */
    struct skep_inbox_stats stats;
    bool runs;
    skep_thread thread;
};

struct skep_inbox *skep_inbox_new(const struct skep_inbox_config *cfg)
{
    struct skep_inbox *in = skep_alloc(struct skep_inbox);
    in->cfg = *cfg;
    in->twins = skep_twins_new();
    skep_arena_init(&in->arena, "inbox", NULL);
    skep_inbox__gathering_init(&in->gathered);
    skep_mutex_init(&in->lock, "inbox");
    skep_cond_init(&in->wake);
    return in;
}

static bool stopping(void *ctx)
{
    struct skep_inbox *in = ctx;
    skep_mutex_lock(&in->lock);
    bool stop = in->stopping;
    skep_mutex_unlock(&in->lock);
    return stop;
}

/* EAGAIN: rows are missing, try again (I3).  What was passed over once delays nothing later. */
static skep_rc whole(struct skep_inbox *in, const struct skep_answer *a, skep_err *err)
{
    uint64_t what = skep_hash((skep_bytes){(const uint8_t *)a->missing.p, a->missing.n});
    if (a->complete || what == in->passed_over) {
        in->incomplete = 0;
        return SKEP_OK;
    }
    if (++in->incomplete < TRIES)
        return skep_fail(err, SKEP_EAGAIN, "not all rows can be read: " SKEP_STRFMT,
                         SKEP_STRARG(a->missing));
    skep_log(WARN, "errors inbox: errors in rows that cannot be read are not counted",
             SKEP_K_STR("missing", a->missing));
    in->incomplete = 0;
    in->passed_over = what;
    skep_mutex_lock(&in->lock);
    in->stats.incomplete++;
    skep_mutex_unlock(&in->lock);
    return SKEP_OK;
}

/* Rows behind `cursor`. */
static skep_rc fetch(struct skep_inbox *in, skep_row_id cursor, struct skep_rows *ret,
                     skep_err *err)
{
    static const struct skep_expr has_fingerprint = {
        .op = SKEP_EXPR_TEST,
        .test = {.field = {.name = SKEP_STR_INIT("error.fingerprint")}, .op = SKEP_CMP_EXISTS}};
    struct skep_plan plan = {.kind = SKEP_PLAN_ROWS,
                             .range = {INT64_MIN, INT64_MAX},
                             .filter = &has_fingerprint,
                             .limit = ROUND_ROWS,
                             .arrival_order = true,
                             .oldest_first = true,
                             .has_cursor = true,
                             .cursor_id = cursor};
    const struct skep_run_opts opts = {
        .budget = in->cfg.queries, .canceled = stopping, .ctx = in, .arena = &in->arena};
    struct skep_answer a = {0};
    plan.columns = skep_inbox__columns(&plan.n_columns);
    SKEP_TRY(skep_query_run(in->cfg.store, &plan, &opts, &a, err));
    SKEP_TRY(whole(in, &a, err));
    *ret = a.rows;
    return SKEP_OK;
}

/* Look at rows behind the cursor until there are enough for a transaction.  *ret_more: there may
 * be more.  What was gathered before a failure stays gathered. */
static skep_rc gather(struct skep_inbox *in, bool *ret_more, skep_err *err)
{
    struct skep_inbox__gathering *g = &in->gathered;
    skep_inbox__gathering_clear(g);
    *ret_more = true;
    for (int i = 0; i < ROUNDS && *ret_more && g->n + g->n_twins < AT_ONCE; i++) {
        struct skep_rows rows;
        skep_arena_reset(&in->arena);
        SKEP_TRY(fetch(in, g->rows ? g->at : in->cursor, &rows, err));
        skep_inbox__gather(g, &rows, in->twins, &in->arena);
        *ret_more = rows.more;
    }
    return SKEP_OK;
}

/* Count what was gathered. */
static skep_rc enter(struct skep_inbox *in, skep_err *err)
{
    const struct skep_os *os = in->cfg.os;
    const struct skep_items_look look = skep_inbox__look_of(&in->gathered, in->twins);
    skep_arena_reset(&in->arena);
    struct skep_item_change *changes = skep_new_n(&in->arena, struct skep_item_change, look.n + 1);
    skep_rc rc = skep_state_items_see(in->cfg.state, &look, os->now_ns(os), changes, err); /* I1 */
    if (rc != SKEP_OK) {
        in->loaded = false; /* what was remembered of these rows was not kept */
        return rc;
    }
    in->cursor = look.at;
    skep_mutex_lock(&in->lock);
    in->stats.rows += in->gathered.rows;
    skep_mutex_unlock(&in->lock);
    if (in->cfg.changed)
        in->cfg.changed(in->cfg.ctx, changes, look.sightings, look.n);
    return SKEP_OK;
}

/* *ret_more: there may be more behind the cursor. */
static skep_rc one_round(struct skep_inbox *in, bool *ret_more, skep_err *err)
{
    skep_rc rc = gather(in, ret_more, err);
    if (in->gathered.rows > 0)
        SKEP_TRY(enter(in, err));
    return rc;
}

/* Is row a behind row b? */
static bool behind(skep_row_id a, skep_row_id b)
{
    return a.seq != b.seq ? a.seq > b.seq : a.ordinal > b.ordinal;
}

static skep_rc remember(struct skep_inbox *in, const struct skep_rows *rows, skep_err *err)
{
    for (size_t i = 0; i < rows->n; i++) {
        const struct skep_row *r = &rows->rows[i];
        skep_row_id of = {0, 0};
        if (!skep_inbox__is_occurrence(r) || behind(r->id, in->cursor))
            continue;
        struct skep_report report = skep_inbox__report(r);
        SKEP_TRY(skep_state_twin_of(in->cfg.state, r->id, &of, err));
        skep_twins_replay(in->twins, &report, of);
    }
    return SKEP_OK;
}

/* The cursor, and what is remembered of rows before it. */
static skep_rc load(struct skep_inbox *in, skep_err *err)
{
    skep_row_id at;
    struct skep_rows rows = {.more = true};
    SKEP_TRY(skep_state_items_cursor(in->cfg.state, &in->cursor, err));
    SKEP_TRY(skep_state_twins_from(in->cfg.state, &at, err));
    skep_twins_free(in->twins);
    in->twins = skep_twins_new();
    if (at.seq == 0)
        return SKEP_OK;
    at = at.ordinal ? (skep_row_id){at.seq, at.ordinal - 1} : (skep_row_id){at.seq - 1, UINT32_MAX};
    while (rows.more && behind(in->cursor, at)) {
        skep_arena_reset(&in->arena);
        SKEP_TRY(fetch(in, at, &rows, err));
        SKEP_TRY(remember(in, &rows, err));
        if (rows.n > 0)
            at = rows.rows[rows.n - 1].id;
    }
    return SKEP_OK;
}

skep_rc skep_inbox_look(struct skep_inbox *in, skep_err *err)
{
    bool more = true;
    if (!in->loaded) {
        SKEP_TRY(load(in, err));
        in->loaded = true;
    }
    uint64_t visible = in->cfg.store->ops->visible(in->cfg.store);
    while (more)
        SKEP_TRY(one_round(in, &more, err));
    if (in->cursor.seq < visible)
        in->cursor = (skep_row_id){visible, UINT32_MAX};
    skep_mutex_lock(&in->lock);
    in->looked = SKEP_MAX(in->looked, visible); /* I2 */
    in->stats.looks++;
    skep_cond_broadcast(&in->wake);
    skep_mutex_unlock(&in->lock);
    return SKEP_OK;
}

/* Many small commits make one look, unless somebody waits for it. */
static void pause_ms(struct skep_inbox *in, int64_t ms, bool unless_wanted)
{
    const struct skep_os *os = in->cfg.os;
    int64_t end = os->mono_ns(os) + ms * 1000000, left_ms = ms;
    skep_mutex_lock(&in->lock);
    while (!in->stopping && left_ms > 0 && !(unless_wanted && in->wanted > in->looked)) {
        (void)skep_cond_wait_ms(&in->wake, &in->lock, left_ms);
        left_ms = (end - os->mono_ns(os)) / 1000000;
    }
    skep_mutex_unlock(&in->lock);
}

static void follow(void *arg)
{
    struct skep_inbox *in = arg;
    struct skep_store *store = in->cfg.store;
    uint64_t seq = 0;
    bool first = true;
    skep_thread_background();
    while (!stopping(in)) {
        uint64_t now = store->ops->wait_visible(store, seq, WAIT_MS);
        skep_err err = {.text = ""};
        if (now <= seq && !first)
            continue;
        skep_rc rc = skep_inbox_look(in, &err);
        first = rc != SKEP_OK;
        if (rc == SKEP_OK) {
            in->failing = false;
            seq = now;
            pause_ms(in, PAUSE_MS, true);
            continue;
        }
        if (rc == SKEP_ECANCELED)
            break;
        if (!in->failing)
            skep_log(WARN, "errors inbox: new rows could not be looked at, trying again",
                     SKEP_K_RC(rc), SKEP_K_CSTR("error", err.text));
        in->failing = true;
        skep_mutex_lock(&in->lock);
        in->stats.failed++;
        skep_mutex_unlock(&in->lock);
        pause_ms(in, RETRY_MS, false);
    }
}

void skep_inbox_start(struct skep_inbox *in)
{
    skep_assert(!in->runs);
    in->runs = true;
    skep_thread_start(&in->thread, "skep-inbox", follow, in);
}

void skep_inbox_free(struct skep_inbox *in)
{
    if (!in)
        return;
    skep_mutex_lock(&in->lock);
    in->stopping = true;
    skep_cond_broadcast(&in->wake);
    skep_mutex_unlock(&in->lock);
    if (in->runs)
        skep_thread_join(&in->thread);
    skep_twins_free(in->twins);
    skep_arena_done(&in->arena);
    skep_inbox__gathering_done(&in->gathered);
    skep_cond_done(&in->wake);
    skep_mutex_done(&in->lock);
    skep_free(in);
}

bool skep_inbox_wait(struct skep_inbox *in, int64_t timeout_ms)
{
    uint64_t visible = in->cfg.store->ops->visible(in->cfg.store);
    const struct skep_os *os = in->cfg.os;
    int64_t end = os->mono_ns(os) + timeout_ms * 1000000;
    skep_mutex_lock(&in->lock);
    if (in->wanted < visible && in->looked < visible) {
        in->wanted = visible;
        skep_cond_broadcast(&in->wake);
    }
    while (in->looked < visible && !in->stopping) {
        int64_t left_ms = (end - os->mono_ns(os)) / 1000000;
        if (left_ms <= 0)
            break;
        (void)skep_cond_wait_ms(&in->wake, &in->lock, left_ms);
    }
    bool done = in->looked >= visible;
    skep_mutex_unlock(&in->lock);
    return done;
}

void skep_inbox_stats(struct skep_inbox *in, struct skep_inbox_stats *ret)
{
    skep_mutex_lock(&in->lock);
    *ret = in->stats;
    skep_mutex_unlock(&in->lock);
}
