// SPDX-License-Identifier: Apache-2.0
/* RQL jobs (rql.h).
 *
 *   rql_job (id, environment, query, status, created_ns, modified_ns, result)
 *
 * Threads: any.  Memory: texts in the caller's arena. */
#include "state/rql.h"

#include "base/assert.h"
#include "state/state_priv.h"

static skep_rc begin_locked(struct skep_state *s, skep_str environment, skep_str query,
                            skep_ts_ns now_ns, int64_t *ret_id, skep_err *err)
{
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__RQL_PUT);
    skep_state__bind_str(st, 1, environment);
    skep_state__bind_str(st, 2, query);
    skep_state__bind_i64(st, 3, now_ns);
    SKEP_TRY(skep_state__run(s, st, err));
    *ret_id = sqlite3_last_insert_rowid(s->db);
    st = skep_state__use(s, SKEP_STATE__RQL_OLD);
    skep_state__bind_str(st, 1, environment);
    skep_state__bind_i64(st, 2, SKEP_RQL_JOBS_MAX);
    return skep_state__run(s, st, err);
}

skep_rc skep_state_rql_begin(struct skep_state *s, skep_str environment, skep_str query,
                             skep_ts_ns now_ns, int64_t *ret_id, skep_err *err)
{
    *ret_id = 0;
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, begin_locked(s, environment, query, now_ns, ret_id, err), err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state_rql_end(struct skep_state *s, skep_str environment, int64_t id,
                           enum skep_rql_status status, skep_str result, skep_ts_ns now_ns,
                           skep_err *err)
{
    skep_assert(status != SKEP_RQL_RUNNING && result.n <= SKEP_RQL_RESULT_MAX);
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__RQL_END);
    skep_state__bind_str(st, 1, environment);
    skep_state__bind_i64(st, 2, id);
    skep_state__bind_i64(st, 3, (int64_t)status);
    skep_state__bind_str(st, 4, result);
    skep_state__bind_i64(st, 5, now_ns);
    skep_rc rc = skep_state__run(s, st, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

static struct skep_rql_job read_row(struct skep_arena *arena, sqlite3_stmt *st,
                                    skep_str environment)
{
    return (struct skep_rql_job){.id = sqlite3_column_int64(st, 0),
                                 .environment = environment,
                                 .query = skep_state__text(arena, st, 1),
                                 .status = (enum skep_rql_status)skep_state__one_of(
                                     st, 2, SKEP_RQL_RUNNING, SKEP_RQL_CANCELLED),
                                 .created_ns = sqlite3_column_int64(st, 3),
                                 .modified_ns = sqlite3_column_int64(st, 4),
                                 .result = skep_state__text(arena, st, 5)};
}

skep_rc skep_state_rql_get(struct skep_state *s, skep_str environment, int64_t id,
                           struct skep_arena *arena, struct skep_rql_job *ret, skep_err *err)
{
    bool row = false;
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__RQL_GET);
    skep_state__bind_str(st, 1, environment);
    skep_state__bind_i64(st, 2, id);
    skep_rc rc = skep_state__step(s, st, &row, err);
    if (rc == SKEP_OK && !row)
        rc = skep_fail(err, SKEP_ENOTFOUND, "no such job");
    if (rc == SKEP_OK)
        *ret = read_row(arena, st, environment);
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state_rql_list(struct skep_state *s, skep_str environment, struct skep_arena *arena,
                            struct skep_rql_job **ret, size_t *ret_n, skep_err *err)
{
    bool row = false;
    size_t n = 0;
    struct skep_rql_job *list = skep_new_n(arena, struct skep_rql_job, SKEP_RQL_JOBS_MAX);
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__RQL_LIST);
    skep_state__bind_str(st, 1, environment);
    skep_rc rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row && n < SKEP_RQL_JOBS_MAX) {
        list[n++] = read_row(arena, st, environment);
        rc = skep_state__step(s, st, &row, err);
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    *ret = list;
    *ret_n = n;
    return rc;
}
