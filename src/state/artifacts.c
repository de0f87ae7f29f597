// SPDX-License-Identifier: Apache-2.0
/* Source maps and tables of debug files (artifacts.h).
 *
 *   artifact (id, environment, kind, version, name, title, bytes, kept_bytes, created_ns, actor,
 * body)
 *
 * A body is read whole, under the lock: once each time its reader has forgotten it.
 * Threads: any.  Memory: the caller's arena. */
#include "state/artifacts.h"

#include "base/assert.h"
#include "state/state_priv.h"

enum { BODY = 10 };

static struct skep_artifact read_row(struct skep_arena *arena, sqlite3_stmt *st)
{
    return (struct skep_artifact){.id = sqlite3_column_int64(st, 0),
                                  .environment = skep_state__text(arena, st, 1),
                                  .kind = (enum skep_artifact_kind)sqlite3_column_int(st, 2),
                                  .version = skep_state__text(arena, st, 3),
                                  .name = skep_state__text(arena, st, 4),
                                  .title = skep_state__text(arena, st, 5),
                                  .bytes = (uint64_t)sqlite3_column_int64(st, 6),
                                  .kept_bytes = (uint64_t)sqlite3_column_int64(st, 7),
                                  .created_ns = sqlite3_column_int64(st, 8),
                                  .actor = skep_state__text(arena, st, 9)};
}

/* A number of an environment's. */
static skep_rc number_of(struct skep_state *s, enum skep_state__stmt id, skep_str environment,
                         uint64_t *ret, skep_err *err)
{
    sqlite3_stmt *st = skep_state__use(s, id);
    skep_state__bind_str(st, 1, environment);
    return skep_state__number(s, st, ret, err);
}

static skep_rc make_room_locked(struct skep_state *s, skep_str environment, skep_err *err)
{
    for (;;) {
        uint64_t n = 0, bytes = 0;
        SKEP_TRY(number_of(s, SKEP_STATE__ARTIFACT_COUNT, environment, &n, err));
        SKEP_TRY(number_of(s, SKEP_STATE__ARTIFACT_SUM, environment, &bytes, err));
        if (n <= SKEP_ARTIFACTS_MAX && bytes <= s->artifacts_limit_bytes)
            return SKEP_OK;
        sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ARTIFACT_OLDEST);
        skep_state__bind_str(st, 1, environment);
        SKEP_TRY(skep_state__run(s, st, err));
    }
}

static skep_rc put_locked(struct skep_state *s, const struct skep_artifact *a, int64_t *ret_id,
                          skep_err *err)
{
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ARTIFACT_PUT);
    skep_state__bind_str(st, 1, a->environment);
    skep_state__bind_i64(st, 2, (int64_t)a->kind);
    skep_state__bind_str(st, 3, a->version);
    skep_state__bind_str(st, 4, a->name);
    skep_state__bind_str(st, 5, a->title);
    skep_state__bind_i64(st, 6, (int64_t)a->bytes);
    skep_state__bind_i64(st, 7, (int64_t)a->body.n);
    skep_state__bind_i64(st, 8, a->created_ns);
    skep_state__bind_str(st, 9, a->actor);
    skep_state__bind_bytes(st, 10, a->body);
    SKEP_TRY(skep_state__run(s, st, err));
    *ret_id = sqlite3_last_insert_rowid(s->db);
    return make_room_locked(s, a->environment, err);
}

skep_rc skep_state_artifact_put(struct skep_state *s, const struct skep_artifact *a,
                                int64_t *ret_id, skep_err *err)
{
    skep_assert(a->kind == SKEP_ARTIFACT_MAP || a->kind == SKEP_ARTIFACT_NATIVE);
    *ret_id = 0;
    if (a->body.n > s->artifacts_limit_bytes)
        return skep_fail(err, SKEP_ELIMIT, "larger than all of an environment may be together");
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, put_locked(s, a, ret_id, err), err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

static skep_rc copy_body(sqlite3_stmt *st, struct skep_arena *arena, skep_bytes *ret, skep_err *err)
{
    const void *p = sqlite3_column_blob(st, BODY);
    size_t n = (size_t)sqlite3_column_bytes(st, BODY);
    uint8_t *copy = skep_arena_try_alloc(arena, n + 1);
    if (!copy)
        return skep_fail(err, SKEP_ENOMEM, "no memory left for a map of %zu bytes", n);
    if (n)
        memcpy(copy, p, n);
    *ret = (skep_bytes){copy, n};
    return SKEP_OK;
}

skep_rc skep_state_artifact_get(struct skep_state *s, skep_str environment,
                                enum skep_artifact_kind kind, skep_str version, skep_str name,
                                struct skep_arena *arena, struct skep_artifact *ret, skep_err *err)
{
    bool row = false;
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ARTIFACT_GET);
    skep_state__bind_str(st, 1, environment);
    skep_state__bind_i64(st, 2, (int64_t)kind);
    skep_state__bind_str(st, 3, version);
    skep_state__bind_str(st, 4, name);
    skep_rc rc = skep_state__step(s, st, &row, err);
    if (rc == SKEP_OK && !row)
        rc = skep_fail(err, SKEP_ENOTFOUND, "no such map or debug file");
    if (rc == SKEP_OK) {
        *ret = read_row(arena, st);
        rc = copy_body(st, arena, &ret->body, err);
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state_artifacts(struct skep_state *s, const skep_str *environment,
                             struct skep_arena *arena, struct skep_artifact **ret, size_t *ret_n,
                             skep_err *err)
{
    size_t n = 0, cap = 16;
    bool row = false;
    struct skep_artifact *list = skep_new_n(arena, struct skep_artifact, cap);
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ARTIFACT_LIST);
    skep_state__bind_str(st, 1, environment ? *environment : SKEP_STR_NULL);
    skep_state__bind_i64(st, 2, environment == NULL);
    skep_rc rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row) {
        if (n == cap) {
            struct skep_artifact *more = skep_new_n(arena, struct skep_artifact, 2 * cap);
            memcpy(more, list, n * sizeof *list);
            list = more;
            cap *= 2;
        }
        list[n++] = read_row(arena, st);
        rc = skep_state__step(s, st, &row, err);
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    *ret = list;
    *ret_n = n;
    return rc;
}

skep_rc skep_state_artifact_drop(struct skep_state *s, skep_str environment, int64_t id,
                                 skep_err *err)
{
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ARTIFACT_DROP);
    skep_state__bind_str(st, 1, environment);
    skep_state__bind_i64(st, 2, id);
    skep_rc rc = skep_state__run(s, st, err);
    if (rc == SKEP_OK && sqlite3_changes(s->db) == 0)
        rc = skep_fail(err, SKEP_ENOTFOUND, "no such map or debug file");
    skep_mutex_unlock(&s->lock);
    return rc;
}
