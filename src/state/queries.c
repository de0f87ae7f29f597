// SPDX-License-Identifier: Apache-2.0
/* Queries and their results (state.h).  Threads: any.  Memory: texts in the caller's arena. */
#include "state/state_priv.h"

#include "base/assert.h"

enum { QUERIES_EACH = 500 }; /* new ones: old ones are looked for */

static skep_rc find_query(struct skep_state *s, skep_str environment, skep_str dataset,
                          skep_str spec, bool *ret_found, skep_state_id *ret, skep_err *err)
{
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__QUERY_FIND);
    skep_state__bind_str(st, 1, dataset);
    skep_state__bind_str(st, 2, spec);
    skep_state__bind_str(st, 3, environment);
    skep_rc rc = skep_state__step(s, st, ret_found, err);
    if (rc == SKEP_OK && *ret_found)
        *ret = skep_state__id(st, 0);
    skep_state__reset(st);
    return rc;
}

static skep_rc insert_query(struct skep_state *s, skep_str environment, skep_str dataset,
                            skep_str spec, skep_state_id *ret, skep_err *err)
{
    skep_state_id id = skep_state__new_id(s);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__QUERY_PUT);
    skep_state__bind_str(st, 1, skep_state_id_str(&id));
    skep_state__bind_str(st, 2, dataset);
    skep_state__bind_str(st, 3, spec);
    skep_state__bind_i64(st, 4, s->os->now_ns(s->os));
    skep_state__bind_str(st, 5, environment);
    SKEP_TRY(skep_state__run(s, st, err));
    *ret = id;
    return SKEP_OK;
}

/* Clients store a query for each question they ask, and nothing deletes one: the oldest that
 * nothing names go, now and then, of each environment that has too many. */
static skep_rc drop_queries(struct skep_state *s, skep_err *err)
{
    if (++s->queries_put < QUERIES_EACH)
        return SKEP_OK;
    s->queries_put = 0;
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__QUERY_DROP);
    skep_state__bind_i64(st, 1, (int64_t)s->queries_limit);
    return skep_state__run(s, st, err);
}

skep_rc skep_state_put_query(struct skep_state *s, skep_str environment, skep_str dataset,
                             skep_str spec, skep_state_id *ret, skep_err *err)
{
    bool found = false;
    skep_mutex_lock(&s->lock);
    skep_rc rc = find_query(s, environment, dataset, spec, &found, ret, err);
    if (rc == SKEP_OK && !found)
        rc = insert_query(s, environment, dataset, spec, ret, err);
    if (rc == SKEP_OK && !found)
        rc = drop_queries(s, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state_get_query(struct skep_state *s, skep_str environment, skep_str id,
                             struct skep_arena *arena, struct skep_state_query *ret, skep_err *err)
{
    bool found = false;
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__QUERY_GET);
    skep_state__bind_str(st, 1, id);
    skep_state__bind_str(st, 2, environment);
    skep_rc rc = skep_state__step(s, st, &found, err);
    if (rc == SKEP_OK && found)
        *ret = (struct skep_state_query){
            .id = skep_state__id(st, 0),
            .dataset = skep_state__text(arena, st, 1),
            .spec = skep_state__text(arena, st, 2),
            .created_ns = sqlite3_column_int64(st, 3),
        };
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    if (rc == SKEP_OK && !found)
        rc = skep_fail(err, SKEP_ENOTFOUND, "no such query");
    return rc;
}

skep_rc skep_state_new_result(struct skep_state *s, skep_str query_id, skep_str options,
                              skep_state_id *ret, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    skep_state_id id = skep_state__new_id(s);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__RESULT_PUT);
    skep_state__bind_str(st, 1, skep_state_id_str(&id));
    skep_state__bind_str(st, 2, query_id);
    skep_state__bind_str(st, 3, options);
    skep_state__bind_i64(st, 4, s->os->now_ns(s->os));
    skep_rc rc = skep_state__run(s, st, err);
    skep_mutex_unlock(&s->lock);
    if (rc == SKEP_OK)
        *ret = id;
    return rc;
}

/* Whether the results are over a limit (I2). */
static skep_rc over_limit(struct skep_state *s, bool *ret, skep_err *err)
{
    bool row = false;
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__RESULT_SUM);
    skep_rc rc = skep_state__step(s, st, &row, err);
    if (rc == SKEP_OK) {
        skep_assert(row);
        *ret = (uint64_t)sqlite3_column_int64(st, 0) > s->results_limit ||
               (uint64_t)sqlite3_column_int64(st, 1) > s->results_limit_bytes;
    }
    skep_state__reset(st);
    return rc;
}

static skep_rc drop_oldest(struct skep_state *s, skep_err *err)
{
    bool over = false;
    SKEP_TRY(over_limit(s, &over, err));
    while (over) {
        SKEP_TRY(skep_state__run(s, skep_state__use(s, SKEP_STATE__RESULT_DROP), err));
        if (sqlite3_changes(s->db) == 0)
            break; /* only running ones are left */
        SKEP_TRY(over_limit(s, &over, err));
    }
    return SKEP_OK;
}

skep_rc skep_state_finish_result(struct skep_state *s, skep_str id,
                                 enum skep_state_result_status status, skep_str data, skep_err *err)
{
    skep_assert(status != SKEP_RESULT_RUNNING);
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__RESULT_FINISH);
    skep_state__bind_str(st, 1, id);
    skep_state__bind_i64(st, 2, status);
    skep_state__bind_str(st, 3, data);
    skep_state__bind_i64(st, 4, s->os->now_ns(s->os));
    skep_rc rc = skep_state__run(s, st, err);
    if (rc == SKEP_OK)
        rc = drop_oldest(s, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state_get_result(struct skep_state *s, skep_str id, struct skep_arena *arena,
                              struct skep_state_result *ret, skep_err *err)
{
    bool found = false;
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__RESULT_GET);
    skep_state__bind_str(st, 1, id);
    skep_rc rc = skep_state__step(s, st, &found, err);
    if (rc == SKEP_OK && found)
        *ret = (struct skep_state_result){
            .id = skep_state__id(st, 0),
            .query_id = skep_state__id(st, 1),
            .options = skep_state__text(arena, st, 2),
            .status = (enum skep_state_result_status)sqlite3_column_int(st, 3),
            .data = skep_state__text(arena, st, 4),
            .created_ns = sqlite3_column_int64(st, 5),
            .finished_ns = sqlite3_column_int64(st, 6),
        };
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    if (rc == SKEP_OK && !found)
        rc = skep_fail(err, SKEP_ENOTFOUND, "no such query result");
    return rc;
}
