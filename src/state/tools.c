// SPDX-License-Identifier: Apache-2.0
/* The state database from outside the server: checked, and copied while it is in use.
 *
 * SQLite's backup API reads pages under its own locks and begins again when the owner writes, so
 * the copy is one moment of the database, write-ahead log included.
 *
 * Threads: one call, one connection.  Memory: SQLite's cache. */
#include "state/state_priv.h"

#include "base/assert.h"

enum { BUSY_MS = 5000, STEP_PAGES = 1024, TRIES = 2000 };

static skep_rc open_db(const char *path, int flags, sqlite3 **ret, skep_err *err)
{
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        skep_rc rc =
            skep_fail(err, SKEP_EIO, "%s: %s", path, db ? sqlite3_errmsg(db) : "out of memory");
        (void)sqlite3_close(db);
        return rc;
    }
    (void)sqlite3_busy_timeout(db, BUSY_MS);
    *ret = db;
    return SKEP_OK;
}

skep_rc skep_state_check(const char *path, skep_err *err)
{
    sqlite3 *db;
    sqlite3_stmt *st = NULL;
    SKEP_TRY(open_db(path, SQLITE_OPEN_READONLY, &db, err));
    skep_rc rc = SKEP_OK;
    int step = sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &st, NULL);
    if (step == SQLITE_OK)
        step = sqlite3_step(st);
    if (step != SQLITE_ROW)
        rc = skep_fail(err, step == SQLITE_BUSY ? SKEP_EIO : SKEP_ECORRUPT, "%s: %s", path,
                       sqlite3_errmsg(db));
    else if (!skep_str_eq(skep_str_c((const char *)sqlite3_column_text(st, 0)), SKEP_STR("ok")))
        rc = skep_fail(err, SKEP_ECORRUPT, "%s: %.150s", path,
                       (const char *)sqlite3_column_text(st, 0));
    (void)sqlite3_finalize(st);
    int closed = sqlite3_close(db);
    skep_assert(closed == SQLITE_OK);
    return rc;
}

static int copy_pages(sqlite3_backup *b)
{
    int rc = SQLITE_OK;
    /* Steps between which the owner may write; then it begins again: at last all in one. */
    for (int i = 0; i < TRIES && (rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_LOCKED);
         i++) {
        rc = sqlite3_backup_step(b, i < TRIES / 2 ? STEP_PAGES : -1);
        if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
            (void)sqlite3_sleep(5);
    }
    return rc;
}

skep_rc skep_state_copy(const char *from, const char *to, skep_err *err)
{
    sqlite3 *source = NULL, *target = NULL;
    SKEP_TRY(open_db(from, SQLITE_OPEN_READONLY, &source, err));
    skep_rc rc = open_db(to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &target, err);
    sqlite3_backup *b = rc == SKEP_OK ? sqlite3_backup_init(target, "main", source, "main") : NULL;
    int done = b ? copy_pages(b) : SQLITE_ERROR;
    int finished = b ? sqlite3_backup_finish(b) : SQLITE_ERROR;
    if (rc == SKEP_OK && (done != SQLITE_DONE || finished != SQLITE_OK))
        rc = skep_fail(err, done == SQLITE_FULL ? SKEP_ENOSPC : SKEP_EIO, "%s: %s", to,
                       sqlite3_errmsg(target));
    /* One file alone, without a log beside it. */
    if (rc == SKEP_OK &&
        sqlite3_exec(target, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL) != SQLITE_OK)
        rc = skep_fail(err, SKEP_EIO, "%s: %s", to, sqlite3_errmsg(target));
    (void)sqlite3_close(target);
    (void)sqlite3_close(source);
    return rc;
}
