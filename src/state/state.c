// SPDX-License-Identifier: Apache-2.0
/* One SQLite connection in WAL mode behind one lock.
 *
 *   query    (id, dataset, spec)                  immutable, unique by (dataset, spec)
 *   result   (seq, id, query_id, status, data)    bounded: the oldest finished ones go first
 *   dataset  (slug, name, description)            first sight wins
 *   column   (id, dataset, name)
 *   ledger   (key, n)                             counts that no row carries
 *   environment, api_key                          keys.c
 *   user, session, link                           users.c
 *   audit                                         audit.c
 *   xray_item, xray_tag, xray_window              xray.c
 *   log_group, log_stream, log_item, log_tag      logs.c
 *
 * A statement is compiled when it is first used: all of them took a third of a start, and
 * megabytes.
 *
 * I1  a statement is reset before the lock is let go
 * I2  count and bytes of finished results stay within the limits
 * I3  whoever uses a statement gets one.  Where it cannot be compiled (a damaged schema, no memory)
 *     it is one that takes all bindings and fails with the reason when it is stepped.  What ends a
 *     transaction is compiled at open.
 *
 * I4  without waiting for the disk (skep_state__sync) nothing runs but what asked for that.
 *
 * Threads: any; calls are short (a few ms with the fsync of a write), the lock is held throughout.
 * Memory: SQLite's cache is bounded to 8 MiB. */
#include "state/artifacts.h"
#include "state/items.h"
#include "state/items_priv.h"
#include "state/runs.h"
#include "state/state_priv.h"

#include "base/assert.h"
#include "base/mem.h"

#include <stdio.h>

static const char *const sql_of[] = {
#define X(id, sql) [SKEP_STATE__##id] = (sql),
#include "state/sql/all.def"
#undef X
};

static bool prepare(struct skep_state *s, const char *sql, sqlite3_stmt **ret)
{
    return sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) == SQLITE_OK;
}

/* The function of the statement that fails (I3). */
static void say_why(sqlite3_context *ctx, int n, sqlite3_value **args)
{
    (void)n;
    (void)args;
    const struct skep_state *s = sqlite3_user_data(ctx);
    sqlite3_result_error(ctx, s->broken_why, -1);
}

static skep_rc prepare_some(struct skep_state *s, skep_err *err)
{
    static const enum skep_state__stmt always[] = {SKEP_STATE__BEGIN, SKEP_STATE__COMMIT,
                                                   SKEP_STATE__ROLLBACK};
    bool ok = sqlite3_create_function_v2(s->db, "skep_why", -1, SQLITE_UTF8, s, say_why, NULL, NULL,
                                         NULL) == SQLITE_OK;
    ok = ok && prepare(s, "SELECT skep_why(?1, ?32)", &s->broken); /* ?32: room for as many */
    for (unsigned i = 0; i < sizeof always / sizeof always[0] && ok; i++)
        ok = prepare(s, sql_of[always[i]], &s->stmt[always[i]]);
    return ok ? SKEP_OK
              : skep_fail(err, SKEP_ECORRUPT, "state database: %s", sqlite3_errmsg(s->db));
}

skep_rc skep_state_open(const struct skep_state_config *cfg, struct skep_state **ret, skep_err *err)
{
    skep_assert(cfg->os != NULL);
    skep_assert(cfg->path != NULL);
    struct skep_state *s = skep_alloc(struct skep_state);
    s->os = cfg->os;
    s->queries_limit = cfg->queries_limit ? cfg->queries_limit : 20000;
    s->results_limit = cfg->results_limit ? cfg->results_limit : 10000;
    s->results_limit_bytes = cfg->results_limit_bytes ? cfg->results_limit_bytes : 256ull << 20;
    s->runs_limit = cfg->runs_limit ? cfg->runs_limit : SKEP_RUNS_MAX;
    s->runs_limit_bytes = cfg->runs_limit_bytes ? cfg->runs_limit_bytes : SKEP_RUNS_BYTES;
    s->items_limit = cfg->items_limit ? cfg->items_limit : SKEP_ITEMS_MAX;
    s->artifacts_limit_bytes =
        cfg->artifacts_limit_bytes ? cfg->artifacts_limit_bytes : SKEP_ARTIFACTS_BYTES_MAX;
    skep_mutex_init(&s->lock, "state");
    skep_state__logs_init(&s->logs);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    skep_rc rc = SKEP_OK;
    if (sqlite3_open_v2(cfg->path, &s->db, flags, NULL) != SQLITE_OK)
        rc = skep_fail(err, SKEP_EIO, "%s: %s", cfg->path,
                       s->db ? sqlite3_errmsg(s->db) : "out of memory");
    if (rc == SKEP_OK && !skep_state__items_open(s->db))
        rc = skep_fail(err, SKEP_ENOMEM, "state database: no memory");
    if (rc == SKEP_OK) {
        (void)sqlite3_busy_timeout(s->db, 5000);
        rc = skep_state__migrate(s->db, err);
    }
    if (rc == SKEP_OK && !cfg->beside_owner)
        rc = skep_state__end_results(s->db, err);
    if (rc == SKEP_OK)
        rc = prepare_some(s, err);
    if (rc == SKEP_OK && !cfg->beside_owner)
        rc = skep_state__logs_load(s, err);
    if (rc != SKEP_OK) {
        skep_state_close(s);
        return rc;
    }
    *ret = s;
    return SKEP_OK;
}

void skep_state_close(struct skep_state *s)
{
    if (!s)
        return;
    for (int i = 0; i < SKEP_STATE__COUNT; i++)
        (void)sqlite3_finalize(s->stmt[i]);
    (void)sqlite3_finalize(s->broken);
    int rc = sqlite3_close(s->db);
    skep_assert(rc == SQLITE_OK); /* a busy close would mean a statement leaked */
    skep_state__logs_done(&s->logs);
    skep_mutex_done(&s->lock);
    skep_free(s);
}

sqlite3_stmt *skep_state__use(struct skep_state *s, enum skep_state__stmt id)
{
    skep_assert_held(&s->lock);
    if (s->unsynced) /* I4 */
        skep_state__sync(s, true);
    if (!s->unsynced && (s->stmt[id] || prepare(s, sql_of[id], &s->stmt[id])))
        return s->stmt[id];
    (void)snprintf(s->broken_why, sizeof s->broken_why, "%s", sqlite3_errmsg(s->db));
    return s->broken;
}

void skep_state__reset(sqlite3_stmt *st)
{
    (void)sqlite3_reset(st); /* repeats the error of the step, which was reported */
    (void)sqlite3_clear_bindings(st);
}

/* Statements run before the caller's slices go away, so nothing is copied. */
void skep_state__bind_str(sqlite3_stmt *st, int i, skep_str v)
{
    int rc = sqlite3_bind_text64(st, i, v.p ? v.p : "", v.n, SQLITE_STATIC, SQLITE_UTF8);
    skep_assert(rc == SQLITE_OK || rc == SQLITE_TOOBIG);
}

void skep_state__bind_i64(sqlite3_stmt *st, int i, int64_t v)
{
    int rc = sqlite3_bind_int64(st, i, v);
    skep_assert(rc == SQLITE_OK);
}

void skep_state__bind_bytes(sqlite3_stmt *st, int i, skep_bytes b)
{
    int rc = sqlite3_bind_blob64(st, i, b.n ? (const void *)b.p : "", b.n, SQLITE_STATIC);
    skep_assert(rc == SQLITE_OK);
}

skep_rc skep_state__begin(struct skep_state *s, skep_err *err)
{
    return skep_state__run(s, skep_state__use(s, SKEP_STATE__BEGIN), err);
}

/* SQLite applies it where it compiles it: a prepared statement would do nothing.  It reads the
 * schema for that, which may be damaged. */
void skep_state__sync(struct skep_state *s, bool wait)
{
    skep_assert_held(&s->lock);
    skep_assert(sqlite3_get_autocommit(s->db));
    bool ok =
        sqlite3_exec(s->db, wait ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL",
                     NULL, NULL, NULL) == SQLITE_OK;
    s->unsynced = !ok && (wait || s->unsynced);
}

skep_rc skep_state__end(struct skep_state *s, skep_rc work, skep_err *err)
{
    if (work == SKEP_OK)
        work = skep_state__run(s, skep_state__use(s, SKEP_STATE__COMMIT), err);
    if (work != SKEP_OK) /* the first error is the one to report */
        (void)skep_state__run(s, skep_state__use(s, SKEP_STATE__ROLLBACK), NULL);
    return work;
}

skep_rc skep_state__step(struct skep_state *s, sqlite3_stmt *st, bool *ret_row, skep_err *err)
{
    int rc = sqlite3_step(st);
    *ret_row = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW || rc == SQLITE_DONE)
        return SKEP_OK;
    skep_rc code = rc == SQLITE_CORRUPT ? SKEP_ECORRUPT
                   : rc == SQLITE_FULL  ? SKEP_ENOSPC
                                        : SKEP_EIO;
    return skep_fail(err, code, "state database: %s", sqlite3_errmsg(s->db));
}

skep_rc skep_state__run(struct skep_state *s, sqlite3_stmt *st, skep_err *err)
{
    bool row = false;
    skep_rc rc = skep_state__step(s, st, &row, err);
    skep_assert(!row);
    skep_state__reset(st);
    return rc;
}

skep_rc skep_state__number(struct skep_state *s, sqlite3_stmt *st, uint64_t *ret, skep_err *err)
{
    bool row = false;
    skep_rc rc = skep_state__step(s, st, &row, err);
    if (rc == SKEP_OK && row)
        *ret = (uint64_t)sqlite3_column_int64(st, 0);
    skep_state__reset(st);
    return rc;
}

skep_str skep_state__text(struct skep_arena *arena, sqlite3_stmt *st, int column)
{
    const void *text = sqlite3_column_blob(st, column);
    size_t n = (size_t)sqlite3_column_bytes(st, column);
    return skep_arena_str(arena, (skep_str){text, text ? n : 0});
}

skep_state_id skep_state__id(sqlite3_stmt *st, int column)
{
    skep_state_id id = {{0}};
    const void *text = sqlite3_column_blob(st, column);
    size_t n = (size_t)sqlite3_column_bytes(st, column);
    if (text)
        memcpy(id.text, text, SKEP_MIN(n, sizeof id.text - 1));
    return id;
}

int skep_state__one_of(sqlite3_stmt *st, int column, int low, int high)
{
    int v = sqlite3_column_int(st, column);
    return v < low || v > high ? low : v;
}

skep_state_id skep_state__new_id(struct skep_state *s)
{
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    skep_state_id id = {{0}};
    uint64_t r = 0;
    _Static_assert(sizeof letters == 63, "62 letters: 11 of them are 65 bits");
    s->os->random(s->os, &r, sizeof r);
    for (size_t i = 0; i < sizeof id.text - 1; i++) {
        id.text[i] = letters[r % 62];
        r /= 62;
    }
    return id;
}
