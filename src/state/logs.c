// SPDX-License-Identifier: Apache-2.0
/* Log groups and streams: on disk first, then in memory (logs.h, logs_index.h).
 *
 *   create:  is there none? -> row in SQLite, fsynced -> index                  both locks in turn
 *   delete:  DROPPING (no put finds it) -> puts under way end -> the caller deletes rows
 *            -> rows in SQLite go -> index
 *
 * A crash while rows are being deleted leaves a group with fewer rows, which can be deleted again.
 *
 * I1  what stands in the index stands on disk, but for what create or drop_end is about to do under
 *     s->lock.
 * I2  s->lock is taken before logs.mu, never after.
 * Threads: any.  Memory: the index; texts in the caller's arena. */
#include "state/logs.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "state/state_priv.h"

static struct skep_state__logs *lock(struct skep_state *s)
{
    skep_mutex_lock(&s->logs.mu);
    return &s->logs;
}

static void unlock(struct skep_state *s)
{
    skep_mutex_unlock(&s->logs.mu);
}

// --- start -------------------------------------------------------------------------------------

static skep_rc load_groups(struct skep_state *s, struct skep_arena *arena, skep_err *err)
{
    bool row = false;
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__LOG_GROUP_LIST);
    skep_rc rc = skep_state__step(s, st, &row, err);
    for (; rc == SKEP_OK && row; rc = skep_state__step(s, st, &row, err)) {
        const struct skep_state_log_group g = {.name = skep_state__text(arena, st, 1),
                                               .created_ns = sqlite3_column_int64(st, 2),
                                               .retention_days =
                                                   (unsigned)sqlite3_column_int(st, 3),
                                               .group_class = (unsigned)sqlite3_column_int(st, 4),
                                               .protected_ = sqlite3_column_int(st, 5) != 0};
        skep_str environment = skep_state__text(arena, st, 0);
        if (!skep_state__logs_group(&s->logs, environment,
                                    g.name)) /* a damaged file has it twice */
            skep_state__logs_add_group(&s->logs, environment, &g);
    }
    skep_state__reset(st);
    return rc;
}

static skep_rc load_streams(struct skep_state *s, struct skep_arena *arena, skep_err *err)
{
    bool row = false;
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__LOG_STREAM_LIST);
    skep_rc rc = skep_state__step(s, st, &row, err);
    for (; rc == SKEP_OK && row; rc = skep_state__step(s, st, &row, err)) {
        skep_arena_reset(arena);
        struct skep_state__log_group *g = skep_state__logs_group(
            &s->logs, skep_state__text(arena, st, 0), skep_state__text(arena, st, 1));
        skep_str name = skep_state__text(arena, st, 2);
        /* One without a group, or twice, is what a damaged file left over. */
        if (g && !skep_state__logs_stream(&s->logs, g, name))
            skep_state__logs_add_stream(&s->logs, g, name, sqlite3_column_int64(st, 3));
    }
    skep_state__reset(st);
    return rc;
}

skep_rc skep_state__logs_load(struct skep_state *s, skep_err *err)
{
    struct skep_arena arena;
    skep_arena_init(&arena, "log groups", NULL);
    skep_mutex_lock(&s->lock);
    (void)lock(s);
    skep_rc rc = load_groups(s, &arena, err);
    if (rc == SKEP_OK)
        rc = load_streams(s, &arena, err);
    unlock(s);
    skep_mutex_unlock(&s->lock);
    skep_arena_done(&arena);
    return rc;
}

// --- groups ------------------------------------------------------------------------------------

static skep_rc full(skep_err *err, const char *what, int max)
{
    return skep_fail(err, SKEP_ELIMIT, "there may be no more than %d %s", max, what);
}

/* May there be another group of the name? */
static skep_rc may_create(struct skep_state *s, skep_str environment, skep_str name, skep_err *err)
{
    struct skep_state__logs *l = lock(s);
    skep_state__logs_tidy(l);
    const struct skep_state__log_group *g = skep_state__logs_group(l, environment, name);
    skep_rc rc = SKEP_OK;
    if (g && g->life == SKEP_STATE__LOG_DROPPING)
        rc = skep_fail(err, SKEP_EAGAIN, "the log group is being deleted");
    else if (g)
        rc = skep_fail(err, SKEP_EEXISTS, "the log group exists");
    else if (!skep_state__logs_room(l, environment.n + name.n, false))
        rc = full(err, "log groups", SKEP_STATE_LOG_GROUPS_MAX);
    unlock(s);
    return rc;
}

static skep_rc insert_group(struct skep_state *s, skep_str environment,
                            const struct skep_state_log_group *g,
                            const struct skep_state_log_tag *tags, size_t n_tags, skep_err *err)
{
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__LOG_GROUP_PUT);
    skep_state__bind_str(st, 1, environment);
    skep_state__bind_str(st, 2, g->name);
    skep_state__bind_i64(st, 3, g->created_ns);
    skep_state__bind_i64(st, 4, g->retention_days);
    skep_state__bind_i64(st, 5, g->group_class);
    skep_state__bind_i64(st, 6, g->protected_);
    SKEP_TRY(skep_state__run(s, st, err));
    return n_tags ? skep_state__log_tag_locked(s, environment, g->name, tags, n_tags, err)
                  : SKEP_OK;
}

skep_rc skep_state_log_group_create(struct skep_state *s, skep_str environment,
                                    const struct skep_state_log_group *given,
                                    const struct skep_state_log_tag *tags, size_t n_tags,
                                    skep_err *err)
{
    struct skep_state_log_group g = *given;
    if (g.created_ns == 0)
        g.created_ns = s->os->now_ns(s->os);
    skep_mutex_lock(&s->lock);
    skep_rc rc = may_create(s, environment, g.name, err);
    if (rc == SKEP_OK)
        rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, insert_group(s, environment, &g, tags, n_tags, err), err);
    if (rc == SKEP_OK) {
        skep_state__logs_add_group(lock(s), environment, &g);
        unlock(s);
    }
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state_log_group_set(struct skep_state *s, skep_str environment,
                                 const struct skep_state_log_group *g, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__LOG_GROUP_SET);
    skep_state__bind_str(st, 1, environment);
    skep_state__bind_str(st, 2, g->name);
    skep_state__bind_i64(st, 3, g->retention_days);
    skep_state__bind_i64(st, 4, g->protected_);
    skep_rc rc = skep_state__run(s, st, err);
    if (rc == SKEP_OK) {
        struct skep_state__log_group *known = skep_state__logs_group(lock(s), environment, g->name);
        if (known) {
            known->g.retention_days = g->retention_days;
            known->g.protected_ = g->protected_;
        } else {
            rc = skep_fail(err, SKEP_ENOTFOUND, "there is no such log group");
        }
        unlock(s);
    }
    skep_mutex_unlock(&s->lock);
    return rc;
}

bool skep_state_log_group_get(struct skep_state *s, skep_str environment, skep_str name,
                              struct skep_state_log_group *ret)
{
    const struct skep_state__log_group *g = skep_state__logs_group(lock(s), environment, name);
    bool live = g && g->life == SKEP_STATE__LOG_LIVE;
    if (live) {
        *ret = g->g;
        ret->name = name;
    }
    unlock(s);
    return live;
}

static int by_group_name(const void *a, const void *b)
{
    return skep_str_cmp(((const struct skep_state_log_group *)a)->name,
                        ((const struct skep_state_log_group *)b)->name);
}

void skep_state_log_groups(struct skep_state *s, skep_str environment, struct skep_arena *arena,
                           struct skep_state_log_group **ret, size_t *ret_n)
{
    size_t n = 0;
    struct skep_state__logs *l = lock(s);
    struct skep_state_log_group *list = skep_new_n(arena, struct skep_state_log_group, l->n_groups);
    for (uint32_t i = 0; i < l->n_groups; i++) {
        const struct skep_state__log_group *g = &l->groups[i];
        if (g->life != SKEP_STATE__LOG_LIVE || !skep_str_eq(g->environment, environment))
            continue;
        list[n] = g->g;
        list[n++].name = skep_arena_str(arena, g->g.name);
    }
    unlock(s);
    if (n)
        qsort(list, n, sizeof *list, by_group_name);
    *ret = list;
    *ret_n = n;
}

// --- streams -----------------------------------------------------------------------------------

static skep_rc may_create_stream(struct skep_state *s, skep_str environment, skep_str group,
                                 skep_str name, skep_err *err)
{
    struct skep_state__logs *l = lock(s);
    skep_state__logs_tidy(l);
    const struct skep_state__log_group *g = skep_state__logs_group(l, environment, group);
    const struct skep_state__log_stream *st = g ? skep_state__logs_stream(l, g, name) : NULL;
    skep_rc rc = SKEP_OK;
    if (!g || g->life != SKEP_STATE__LOG_LIVE)
        rc = skep_fail(err, SKEP_ENOTFOUND, "there is no such log group");
    else if (st && st->life == SKEP_STATE__LOG_DROPPING)
        rc = skep_fail(err, SKEP_EAGAIN, "the log stream is being deleted");
    else if (st)
        rc = skep_fail(err, SKEP_EEXISTS, "the log stream exists");
    else if (!skep_state__logs_room(l, name.n, true))
        rc = full(err, "log streams", SKEP_STATE_LOG_STREAMS_MAX);
    unlock(s);
    return rc;
}

skep_rc skep_state_log_stream_create(struct skep_state *s, skep_str environment, skep_str group,
                                     skep_str name, skep_err *err)
{
    skep_ts_ns now = s->os->now_ns(s->os);
    skep_mutex_lock(&s->lock);
    skep_rc rc = may_create_stream(s, environment, group, name, err);
    if (rc == SKEP_OK) {
        sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__LOG_STREAM_PUT);
        skep_state__bind_str(st, 1, environment);
        skep_state__bind_str(st, 2, group);
        skep_state__bind_str(st, 3, name);
        skep_state__bind_i64(st, 4, now);
        rc = skep_state__run(s, st, err);
    }
    if (rc == SKEP_OK) { /* a group goes under s->lock alone: it is still there */
        struct skep_state__logs *l = lock(s);
        struct skep_state__log_group *g = skep_state__logs_group(l, environment, group);
        skep_assert(g != NULL);
        skep_state__logs_add_stream(l, g, name, now);
        unlock(s);
    }
    skep_mutex_unlock(&s->lock);
    return rc;
}

bool skep_state_log_stream_there(struct skep_state *s, skep_str environment, skep_str group,
                                 skep_str name)
{
    struct skep_state__logs *l = lock(s);
    const struct skep_state__log_group *g = skep_state__logs_group(l, environment, group);
    const struct skep_state__log_stream *st = g ? skep_state__logs_stream(l, g, name) : NULL;
    bool there = st && g->life == SKEP_STATE__LOG_LIVE && st->life == SKEP_STATE__LOG_LIVE;
    unlock(s);
    return there;
}

static int by_stream_name(const void *a, const void *b)
{
    return skep_str_cmp(((const struct skep_state_log_stream *)a)->name,
                        ((const struct skep_state_log_stream *)b)->name);
}

void skep_state_log_streams(struct skep_state *s, skep_str environment, skep_str group,
                            skep_str prefix, struct skep_arena *arena,
                            struct skep_state_log_stream **ret, size_t *ret_n)
{
    size_t n = 0, cap = 0;
    struct skep_state__logs *l = lock(s);
    const struct skep_state__log_group *g = skep_state__logs_group(l, environment, group);
    bool live = g && g->life == SKEP_STATE__LOG_LIVE;
    for (uint32_t i = live ? g->first_stream : SKEP_INDEX_NONE; i != SKEP_INDEX_NONE;
         i = l->streams[i].next)
        cap++;
    struct skep_state_log_stream *list = skep_new_n(arena, struct skep_state_log_stream, cap);
    for (uint32_t i = live ? g->first_stream : SKEP_INDEX_NONE; i != SKEP_INDEX_NONE;
         i = l->streams[i].next) {
        const struct skep_state__log_stream *st = &l->streams[i];
        if (st->life == SKEP_STATE__LOG_LIVE && skep_str_starts(st->name, prefix))
            list[n++] =
                (struct skep_state_log_stream){skep_arena_str(arena, st->name), st->created_ns};
    }
    unlock(s);
    if (n)
        qsort(list, n, sizeof *list, by_stream_name);
    *ret = list;
    *ret_n = n;
}

// --- deleting ----------------------------------------------------------------------------------

skep_rc skep_state_log_drop_begin(struct skep_state *s, skep_str environment, skep_str group,
                                  skep_str stream)
{
    struct skep_state__logs *l = lock(s);
    struct skep_state__log_group *g = skep_state__logs_group(l, environment, group);
    struct skep_state__log_stream *st =
        g && stream.n ? skep_state__logs_stream(l, g, stream) : NULL;
    enum skep_state__log_life *life = stream.n == 0 ? (g ? &g->life : NULL) : st ? &st->life : NULL;
    skep_rc rc = !life                               ? SKEP_ENOTFOUND
                 : g->life != SKEP_STATE__LOG_LIVE   ? SKEP_EAGAIN
                 : *life == SKEP_STATE__LOG_DROPPING ? SKEP_EAGAIN
                                                     : SKEP_OK;
    if (rc == SKEP_OK)
        *life = SKEP_STATE__LOG_DROPPING;
    /* Places move while it waits, so it looks anew; nobody else can take the group away. */
    while (rc == SKEP_OK) {
        g = skep_state__logs_group(l, environment, group);
        if (!g || g->puts == 0)
            break;
        skep_cond_wait(&l->ended, &l->mu);
    }
    unlock(s);
    return rc;
}

static skep_rc forget(struct skep_state *s, skep_str environment, skep_str group, skep_str stream,
                      skep_err *err)
{
    static const enum skep_state__stmt of_group[] = {
        SKEP_STATE__LOG_GROUP_DROP, SKEP_STATE__LOG_STREAM_DROP_ALL, SKEP_STATE__LOG_ITEM_DROP_OF,
        SKEP_STATE__LOG_TAG_DROP_ALL};
    if (stream.n) {
        sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__LOG_STREAM_DROP);
        skep_state__bind_str(st, 1, environment);
        skep_state__bind_str(st, 2, group);
        skep_state__bind_str(st, 3, stream);
        return skep_state__run(s, st, err);
    }
    for (size_t i = 0; i < SKEP_ARRAY_LEN(of_group); i++) {
        sqlite3_stmt *st = skep_state__use(s, of_group[i]);
        skep_state__bind_str(st, 1, environment);
        skep_state__bind_str(st, 2, group);
        SKEP_TRY(skep_state__run(s, st, err));
    }
    return SKEP_OK;
}

skep_rc skep_state_log_drop_end(struct skep_state *s, skep_str environment, skep_str group,
                                skep_str stream, bool dropped, skep_err *err)
{
    skep_rc rc = SKEP_OK;
    skep_mutex_lock(&s->lock);
    if (dropped)
        rc = skep_state__begin(s, err);
    if (dropped && rc == SKEP_OK)
        rc = skep_state__end(s, forget(s, environment, group, stream, err), err);
    struct skep_state__logs *l = lock(s);
    struct skep_state__log_group *g = skep_state__logs_group(l, environment, group);
    struct skep_state__log_stream *st =
        g && stream.n ? skep_state__logs_stream(l, g, stream) : NULL;
    if (!g || (stream.n && !st))
        rc = SKEP_OK; /* its environment went meanwhile, with all that was in it */
    else if (!dropped || rc != SKEP_OK)
        *(st ? &st->life : &g->life) = SKEP_STATE__LOG_LIVE;
    else if (st)
        skep_state__logs_forget_stream(l, st);
    else
        skep_state__logs_forget_group(l, g);
    l->items_version++;
    unlock(s);
    skep_mutex_unlock(&s->lock);
    return rc;
}

void skep_state__logs_drop_environment(struct skep_state *s, skep_str environment)
{
    struct skep_state__logs *l = lock(s);
    skep_assert_held(&s->lock); /* nobody makes or forgets a group meanwhile */
    for (uint32_t i = 0; i < l->n_groups; i++) {
        if (l->groups[i].life == SKEP_STATE__LOG_GONE ||
            !skep_str_eq(l->groups[i].environment, environment))
            continue;
        while (l->groups[i].puts > 0)
            skep_cond_wait(&l->ended, &l->mu);
        skep_state__logs_forget_group(l, &l->groups[i]);
    }
    l->items_version++;
    unlock(s);
}

// --- puts --------------------------------------------------------------------------------------

enum skep_state_log_place skep_state_log_put_begin(struct skep_state *s, skep_str environment,
                                                   skep_str group, skep_str stream,
                                                   struct skep_state_log_hold *ret)
{
    enum skep_state_log_place place = SKEP_STATE_LOG_NO_GROUP;
    struct skep_state__logs *l = lock(s);
    struct skep_state__log_group *g = skep_state__logs_group(l, environment, group);
    if (g && g->life == SKEP_STATE__LOG_LIVE) {
        const struct skep_state__log_stream *st = skep_state__logs_stream(l, g, stream);
        place = SKEP_STATE_LOG_NO_STREAM;
        if (st && st->life == SKEP_STATE__LOG_LIVE) {
            place = SKEP_STATE_LOG_FOUND;
            g->puts++;
            *ret = (struct skep_state_log_hold){.retention_days = g->g.retention_days,
                                                .group = (uint32_t)(g - l->groups)};
        }
    }
    unlock(s);
    return place;
}

void skep_state_log_put_end(struct skep_state *s, const struct skep_state_log_hold *hold)
{
    struct skep_state__logs *l = lock(s);
    skep_assert(hold->group < l->n_groups && l->groups[hold->group].puts > 0);
    if (--l->groups[hold->group].puts == 0)
        skep_cond_broadcast(&l->ended);
    unlock(s);
}

void skep_state_log_retentions(struct skep_state *s, struct skep_arena *arena,
                               struct skep_state_log_retention **ret, size_t *ret_n)
{
    size_t n = 0;
    struct skep_state__logs *l = lock(s);
    struct skep_state_log_retention *list =
        skep_new_n(arena, struct skep_state_log_retention, l->n_groups);
    for (uint32_t i = 0; i < l->n_groups; i++) {
        const struct skep_state__log_group *g = &l->groups[i];
        if (g->life == SKEP_STATE__LOG_LIVE && g->g.retention_days)
            list[n++] = (struct skep_state_log_retention){skep_arena_str(arena, g->environment),
                                                          skep_arena_str(arena, g->g.name),
                                                          g->g.retention_days};
    }
    unlock(s);
    *ret = list;
    *ret_n = n;
}
