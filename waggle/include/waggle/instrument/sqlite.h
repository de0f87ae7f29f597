// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/instrument/sqlite.h - a span for each statement of SQLite: the add-on library
 * waggle-sqlite
 *
 *     sqlite3_open("shop.db", &db);
 *     waggle_sqlite_trace(db, waggle_tracer_get("shop", "1.0"));
 *
 * A span lasts from a statement's first step to its last one or its reset, and is a child of the
 * span that was current at the first. It has the statement with '?' for its literals; bound values
 * are never seen. It takes the place of sqlite3_trace_v2 on this connection.
 *
 * SQLite does not tell a tracer how a statement failed. Statements that are stepped by
 * waggle_sqlite_step (or run by waggle_sqlite_exec) have their error; others end without one.
 */
#ifndef WAGGLE_INSTRUMENT_SQLITE_H
#define WAGGLE_INSTRUMENT_SQLITE_H

#include <sqlite3.h>

#include "waggle/db.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Trace the statements of a connection from now on, once for each; ends with sqlite3_close.
 * Returns  SQLite's code: SQLITE_OK, SQLITE_NOMEM */
WAGGLE_EXPORT int waggle_sqlite_trace(sqlite3 *db, struct waggle_tracer *tracer);

/* sqlite3_step, and the span has what it returned. */
WAGGLE_EXPORT int waggle_sqlite_step(sqlite3_stmt *statement);

/* Run statements that give no rows of use, as sqlite3_exec without a callback. Returns the first
 * code that is an error; sqlite3_errmsg says why. */
WAGGLE_EXPORT int waggle_sqlite_exec(sqlite3 *db, const char *sql);

#ifdef __cplusplus
}
#endif

#endif
