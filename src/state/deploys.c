// SPDX-License-Identifier: Apache-2.0
/* Deploys: which revision ran from when on (items.h).
 *
 *   deploy (id, environment, stage, revision, status, comment, user, start_ns, finish_ns)
 *
 * Threads: any.  Memory: texts in the caller's arena. */
#include "base/assert.h"
#include "state/items.h"
#include "state/state_priv.h"

enum { LIST_MAX = 1000 };

skep_rc skep_state_deploy_put(struct skep_state *s, const struct skep_deploy *d, int64_t *ret_id,
                              skep_err *err)
{
    const skep_str texts[] = {d->environment, d->stage,   d->revision,
                              d->status,      d->comment, d->user};
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__DEPLOY_PUT);
    for (int i = 0; i < (int)SKEP_ARRAY_LEN(texts); i++)
        skep_state__bind_str(st, 1 + i, texts[i]);
    skep_state__bind_i64(st, 7, d->start_ns);
    skep_state__bind_i64(st, 8, d->finish_ns);
    skep_rc rc = skep_state__run(s, st, err);
    *ret_id = rc == SKEP_OK ? sqlite3_last_insert_rowid(s->db) : 0;
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state_deploy_set(struct skep_state *s, skep_str environment, int64_t id,
                              skep_str status, skep_str comment, skep_ts_ns now_ns, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__DEPLOY_SET);
    skep_state__bind_str(st, 1, environment);
    skep_state__bind_i64(st, 2, id);
    skep_state__bind_str(st, 3, status);
    skep_state__bind_str(st, 4, comment);
    skep_state__bind_i64(st, 5, now_ns);
    skep_rc rc = skep_state__run(s, st, err);
    if (rc == SKEP_OK && sqlite3_changes(s->db) == 0)
        rc = skep_fail(err, SKEP_ENOTFOUND, "no such deploy");
    skep_mutex_unlock(&s->lock);
    return rc;
}

static struct skep_deploy read_deploy(struct skep_arena *arena, sqlite3_stmt *st)
{
    return (struct skep_deploy){.id = sqlite3_column_int64(st, 0),
                                .environment = skep_state__text(arena, st, 1),
                                .stage = skep_state__text(arena, st, 2),
                                .revision = skep_state__text(arena, st, 3),
                                .status = skep_state__text(arena, st, 4),
                                .comment = skep_state__text(arena, st, 5),
                                .user = skep_state__text(arena, st, 6),
                                .start_ns = sqlite3_column_int64(st, 7),
                                .finish_ns = sqlite3_column_int64(st, 8)};
}

skep_rc skep_state_deploy_before(struct skep_state *s, skep_str environment, skep_str stage,
                                 skep_str version, skep_ts_ns at_ns, struct skep_arena *arena,
                                 struct skep_deploy *ret, bool *ret_by_version, skep_err *err)
{
    bool row = false;
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__DEPLOY_BEFORE);
    skep_state__bind_str(st, 1, environment);
    skep_state__bind_str(st, 2, stage);
    skep_state__bind_i64(st, 3, at_ns);
    skep_state__bind_str(st, 4, version);
    skep_rc rc = skep_state__step(s, st, &row, err);
    if (rc == SKEP_OK && row) {
        *ret = read_deploy(arena, st);
        if (ret_by_version)
            *ret_by_version = sqlite3_column_int(st, 9) != 0;
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    return rc == SKEP_OK && !row ? skep_fail(err, SKEP_ENOTFOUND, "no deploy before it") : rc;
}

skep_rc skep_state_deploy_end(struct skep_state *s, const struct skep_deploy *d, skep_ts_ns *ret,
                              skep_err *err)
{
    uint64_t end = INT64_MAX;
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__DEPLOY_END);
    skep_state__bind_str(st, 1, d->environment);
    skep_state__bind_str(st, 2, d->stage);
    skep_state__bind_i64(st, 3, d->start_ns);
    skep_state__bind_i64(st, 4, d->id);
    skep_rc rc = skep_state__number(s, st, &end, err);
    skep_mutex_unlock(&s->lock);
    *ret = (skep_ts_ns)end;
    return rc;
}

static skep_rc count_with(struct skep_state *s, enum skep_state__stmt id,
                          const struct skep_deploy *d, skep_ts_ns end_ns, uint64_t *ret,
                          skep_err *err)
{
    sqlite3_stmt *st = skep_state__use(s, id);
    *ret = 0;
    skep_state__bind_str(st, 1, d->environment);
    skep_state__bind_str(st, 2, d->stage);
    skep_state__bind_i64(st, 3, d->start_ns);
    skep_state__bind_i64(st, 4, end_ns);
    return skep_state__number(s, st, ret, err);
}

skep_rc skep_state_deploy_counts(struct skep_state *s, const struct skep_deploy *d,
                                 skep_ts_ns end_ns, uint64_t *ret_new, uint64_t *ret_back,
                                 skep_err *err)
{
    skep_mutex_lock(&s->lock);
    skep_rc rc = count_with(s, SKEP_STATE__ITEM_NEW_WITH, d, end_ns, ret_new, err);
    if (rc == SKEP_OK)
        rc = count_with(s, SKEP_STATE__ITEM_BACK_WITH, d, end_ns, ret_back, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state_deploys(struct skep_state *s, skep_str environment, int64_t id, skep_str stage,
                           unsigned limit, unsigned offset, struct skep_arena *arena,
                           struct skep_deploy **ret, size_t *ret_n, skep_err *err)
{
    size_t max = limit == 0 ? 20 : SKEP_MIN(limit, (unsigned)LIST_MAX), n = 0;
    struct skep_deploy *list = skep_new_n(arena, struct skep_deploy, max);
    bool row = false;
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__DEPLOY_LIST);
    skep_state__bind_str(st, 1, environment);
    skep_state__bind_i64(st, 2, id);
    skep_state__bind_str(st, 3, stage);
    skep_state__bind_i64(st, 4, (int64_t)max);
    skep_state__bind_i64(st, 5, (int64_t)offset);
    skep_rc rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row && n < max) {
        list[n++] = read_deploy(arena, st);
        rc = skep_state__step(s, st, &row, err);
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    *ret = list;
    *ret_n = n;
    return rc;
}
