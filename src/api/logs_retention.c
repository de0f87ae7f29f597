// SPDX-License-Identifier: Apache-2.0
/* What goes by the clock: lines older than their log group keeps them, and questions of the history
 * that are too old (state/runs.h).
 *
 *   each ten minutes of the clock, at the start, and when a setting changed:
 *     for each group with a retention: delete its lines before now - days
 *     let go of old questions, also where nobody asks new ones
 *
 * It is the store's delete (docs/decisions/0008-deaths.md): gone from every answer at once, counted
 * as deleted, off the disk with the next merge.  A group whose delete fails is tried again the next
 * time.
 *
 * I1  lines are never deleted before their time; at most ten minutes and one round after it.
 * Threads: one of its own, which also does all that it asks the store for.  Memory: an arena a
 * round. */
#include "api/logs_retention.h"

#include "api/api_priv.h"
#include "api/logs_rows.h"
#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "state/logs.h"
#include "state/runs.h"

static const int64_t day_ns = 86400ll * 1000000000, step_ns = 600ll * 1000000000;
enum { LOOK_MS = 1000 };

struct skep_logs_retention {
    struct skep_api *api;
    skep_thread thread;
    struct skep_mutex mu; /* of wake */
    struct skep_cond cond;
    bool wake;
};

static bool canceled(void *ctx)
{
    const struct skep_api *api = ctx;
    return atomic_load_explicit(&api->stopping, memory_order_relaxed);
}

static void clean_group(struct skep_logs_retention *r, const struct skep_state_log_retention *g,
                        skep_ts_ns now_ns, struct skep_arena *arena)
{
    skep_err err = {.text = ""};
    uint64_t rows = 0;
    skep_ts_ns end = now_ns - (int64_t)g->days * day_ns;
    const struct skep_plan plan = {.kind = SKEP_PLAN_ROWS,
                                   .range = {INT64_MIN, end},
                                   .dataset = g->group,
                                   .filter = skep_logs_rows_of_group(arena, g->group)};
    const struct skep_delete_opts opts = {.run = {.environment = g->environment,
                                                  .budget = r->api->cfg.queries,
                                                  .canceled = canceled,
                                                  .ctx = r->api,
                                                  .arena = arena}};
    skep_rc rc = skep_store_delete(r->api->cfg.store, &plan, &opts, &rows, &err);
    if (rc != SKEP_OK && rc != SKEP_ECANCELED)
        skep_log(WARN, "lines past their group's retention stay, trying again in ten minutes",
                 SKEP_K_STR("group", g->group), SKEP_K_RC(rc), SKEP_K_CSTR("error", err.text));
    else if (rows)
        skep_log(INFO, "lines past their group's retention deleted", SKEP_K_STR("group", g->group),
                 SKEP_K_U64("rows", rows));
}

static void clean_runs(struct skep_logs_retention *r, skep_ts_ns now_ns)
{
    skep_err err = {.text = ""};
    skep_rc rc = skep_state_runs_forget(r->api->cfg.state, now_ns, &err);
    if (rc != SKEP_OK)
        skep_log(WARN, "old questions stay in the history, trying again in ten minutes",
                 SKEP_K_RC(rc), SKEP_K_CSTR("error", err.text));
}

static void round_of(struct skep_logs_retention *r, skep_ts_ns now_ns)
{
    struct skep_arena arena;
    struct skep_state_log_retention *list;
    size_t n;
    skep_arena_init(&arena, "log retention", NULL);
    skep_state_log_retentions(r->api->cfg.state, &arena, &list, &n);
    for (size_t i = 0; i < n && !canceled(r->api); i++)
        clean_group(r, &list[i], now_ns, &arena);
    skep_arena_done(&arena);
    clean_runs(r, now_ns);
}

/* Waits for a wake-up, at most a moment; true = there was one. */
static bool waited(struct skep_logs_retention *r)
{
    skep_mutex_lock(&r->mu);
    if (!r->wake)
        (void)skep_cond_wait_ms(&r->cond, &r->mu, LOOK_MS);
    bool woken = r->wake;
    r->wake = false;
    skep_mutex_unlock(&r->mu);
    return woken;
}

static void work(void *arg)
{
    struct skep_logs_retention *r = arg;
    int64_t done = INT64_MIN;
    while (!canceled(r->api)) {
        bool woken = waited(r);
        skep_ts_ns now = skep_api__now(r->api);
        if (canceled(r->api) || (!woken && now / step_ns == done))
            continue;
        /* Whole steps, so that a line a second is not a delete a second. */
        round_of(r, woken ? now : now / step_ns * step_ns);
        done = now / step_ns;
    }
}

struct skep_logs_retention *skep_logs_retention_new(struct skep_api *api)
{
    struct skep_logs_retention *r = skep_alloc(struct skep_logs_retention);
    r->api = api;
    skep_mutex_init(&r->mu, "log retention");
    skep_cond_init(&r->cond);
    skep_thread_start(&r->thread, "log-retention", work, r);
    return r;
}

void skep_logs_retention_wake(struct skep_logs_retention *r)
{
    skep_mutex_lock(&r->mu);
    r->wake = true;
    skep_cond_signal(&r->cond);
    skep_mutex_unlock(&r->mu);
}

void skep_logs_retention_free(struct skep_logs_retention *r)
{
    if (!r)
        return;
    skep_assert(canceled(r->api));
    skep_logs_retention_wake(r);
    skep_thread_join(&r->thread);
    skep_cond_done(&r->cond);
    skep_mutex_done(&r->mu);
    skep_free(r);
}
