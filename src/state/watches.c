// SPDX-License-Identifier: Apache-2.0
/* Watches and their evaluations (watches.h).
 *
 *   watch      (environment, id, slot_ns, triggered, streak, triggered_ns)
 *   evaluation (number, environment, watch, slot_ns, took_ns, value, met, triggered, event, told,
 *               error, detail)
 *
 * I1  what a watch is and the evaluation that made it so are written in one transaction, `told`
 *     false where somebody is to hear of it: a crash between writing and telling loses nothing.
 * I2  an evaluation that is not told is not trimmed.
 * Threads: any.  Memory: texts in the caller's arena. */
#include "state/watches.h"

#include "base/assert.h"
#include "state/state_priv.h"

skep_rc skep_state_watches(struct skep_state *s, const skep_str *environment,
                           struct skep_arena *arena, struct skep_watch_state **ret, size_t *ret_n,
                           skep_err *err)
{
    size_t n = 0, cap = 16;
    bool row = false;
    struct skep_watch_state *list = skep_new_n(arena, struct skep_watch_state, cap);
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__WATCH_LIST);
    skep_state__bind_i64(st, 1, environment != NULL);
    skep_state__bind_str(st, 2, environment ? *environment : SKEP_STR_NULL);
    skep_rc rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row) {
        if (n == cap) {
            struct skep_watch_state *more = skep_new_n(arena, struct skep_watch_state, 2 * cap);
            memcpy(more, list, n * sizeof *list);
            list = more;
            cap *= 2;
        }
        list[n++] = (struct skep_watch_state){.environment = skep_state__text(arena, st, 0),
                                              .id = skep_state__text(arena, st, 1),
                                              .slot_ns = sqlite3_column_int64(st, 2),
                                              .triggered = sqlite3_column_int(st, 3) != 0,
                                              .streak = (unsigned)sqlite3_column_int(st, 4),
                                              .triggered_ns = sqlite3_column_int64(st, 5)};
        rc = skep_state__step(s, st, &row, err);
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    *ret = list;
    *ret_n = n;
    return rc;
}

static skep_rc put_evaluation_locked(struct skep_state *s, const struct skep_watch_state *w,
                                     const struct skep_evaluation *e, skep_err *err)
{
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__EVALUATION_PUT);
    skep_state__bind_str(st, 1, w->environment);
    skep_state__bind_str(st, 2, w->id);
    skep_state__bind_i64(st, 3, e->slot_ns);
    skep_state__bind_i64(st, 4, e->took_ns);
    int rc = e->has_value ? sqlite3_bind_double(st, 5, e->value) : sqlite3_bind_null(st, 5);
    skep_assert(rc == SQLITE_OK);
    skep_state__bind_i64(st, 6, e->met);
    skep_state__bind_i64(st, 7, e->triggered);
    skep_state__bind_i64(st, 8, (int64_t)e->event);
    skep_state__bind_i64(st, 9, e->told);
    skep_state__bind_str(st, 10, e->error);
    skep_state__bind_str(st, 11, e->detail);
    return skep_state__run(s, st, err);
}

static skep_rc note_locked(struct skep_state *s, const struct skep_watch_state *w,
                           struct skep_evaluation *e, skep_err *err)
{
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__WATCH_PUT);
    skep_state__bind_str(st, 1, w->environment);
    skep_state__bind_str(st, 2, w->id);
    skep_state__bind_i64(st, 3, w->slot_ns);
    skep_state__bind_i64(st, 4, w->triggered);
    skep_state__bind_i64(st, 5, w->streak);
    skep_state__bind_i64(st, 6, w->triggered_ns);
    SKEP_TRY(skep_state__run(s, st, err));
    SKEP_TRY(put_evaluation_locked(s, w, e, err));
    e->number = sqlite3_last_insert_rowid(s->db);
    st = skep_state__use(s, SKEP_STATE__EVALUATION_TRIM);
    skep_state__bind_str(st, 1, w->environment);
    skep_state__bind_str(st, 2, w->id);
    skep_state__bind_i64(st, 3, SKEP_WATCH_EVALUATIONS_MAX);
    return skep_state__run(s, st, err);
}

skep_rc skep_state_note_evaluation(struct skep_state *s, const struct skep_watch_state *w,
                                   struct skep_evaluation *e, skep_err *err)
{
    skep_assert(e->detail.n <= SKEP_WATCH_DETAIL_BYTES);
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, note_locked(s, w, e, err), err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state_evaluation_told(struct skep_state *s, int64_t number, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__EVALUATION_TOLD);
    skep_state__bind_i64(st, 1, number);
    skep_rc rc = skep_state__run(s, st, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

static struct skep_evaluation read_evaluation(struct skep_arena *arena, sqlite3_stmt *st)
{
    return (struct skep_evaluation){
        .number = sqlite3_column_int64(st, 0),
        .slot_ns = sqlite3_column_int64(st, 1),
        .took_ns = sqlite3_column_int64(st, 2),
        .has_value = sqlite3_column_type(st, 3) != SQLITE_NULL,
        .value = sqlite3_column_double(st, 3),
        .met = sqlite3_column_int(st, 4) != 0,
        .triggered = sqlite3_column_int(st, 5) != 0,
        .event = (enum skep_watch_event)sqlite3_column_int(st, 6),
        .told = sqlite3_column_int(st, 7) != 0,
        .error = skep_state__text(arena, st, 8),
        .detail = skep_state__text(arena, st, 9),
        .environment = skep_state__text(arena, st, 10),
        .watch = skep_state__text(arena, st, 11),
    };
}

/* All rows of a bound statement, at most n. */
static skep_rc read_locked(struct skep_state *s, sqlite3_stmt *st, struct skep_arena *arena,
                           struct skep_evaluation *ret, size_t n, size_t *ret_n, skep_err *err)
{
    bool row = false;
    size_t k = 0;
    skep_rc rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row && k < n) {
        ret[k++] = read_evaluation(arena, st);
        rc = skep_state__step(s, st, &row, err);
    }
    skep_state__reset(st);
    *ret_n = k;
    return rc;
}

skep_rc skep_state_evaluations(struct skep_state *s, skep_str environment, skep_str watch,
                               int64_t before, struct skep_arena *arena,
                               struct skep_evaluation *ret, size_t n, size_t *ret_n, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__EVALUATION_LIST);
    skep_state__bind_str(st, 1, environment);
    skep_state__bind_str(st, 2, watch);
    skep_state__bind_i64(st, 3, before);
    skep_state__bind_i64(st, 4, (int64_t)n);
    skep_rc rc = read_locked(s, st, arena, ret, n, ret_n, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state_evaluation_last(struct skep_state *s, skep_str environment, skep_str watch,
                                   struct skep_arena *arena, struct skep_evaluation *ret,
                                   bool *ret_found, skep_err *err)
{
    size_t n = 0;
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__EVALUATION_LAST);
    skep_state__bind_str(st, 1, environment);
    skep_state__bind_str(st, 2, watch);
    skep_rc rc = read_locked(s, st, arena, ret, 1, &n, err);
    skep_mutex_unlock(&s->lock);
    *ret_found = n > 0;
    return rc;
}

skep_rc skep_state_evaluations_untold(struct skep_state *s, struct skep_arena *arena,
                                      struct skep_evaluation *ret, size_t n, size_t *ret_n,
                                      skep_err *err)
{
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__EVALUATION_UNTOLD);
    skep_state__bind_i64(st, 1, (int64_t)n);
    skep_rc rc = read_locked(s, st, arena, ret, n, ret_n, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

static skep_rc drop_locked(struct skep_state *s, skep_str environment, skep_str id, skep_err *err)
{
    static const enum skep_state__stmt all[] = {SKEP_STATE__WATCH_DROP,
                                                SKEP_STATE__EVALUATION_DROP};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++) {
        sqlite3_stmt *st = skep_state__use(s, all[i]);
        skep_state__bind_str(st, 1, environment);
        skep_state__bind_str(st, 2, id);
        SKEP_TRY(skep_state__run(s, st, err));
    }
    return SKEP_OK;
}

skep_rc skep_state_drop_watch(struct skep_state *s, skep_str environment, skep_str id,
                              skep_err *err)
{
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, drop_locked(s, environment, id, err), err);
    skep_mutex_unlock(&s->lock);
    return rc;
}
