// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/db.h - spans of database calls by OpenTelemetry's conventions, for any client
 *
 *     waggle_span span = waggle_db_start(tracer, &(waggle_db_call){
 *         .system = "postgresql", .query = "SELECT name FROM users WHERE id = 7"});
 *     ...
 *     waggle_db_end(span, NULL, NULL);
 *
 * The span is named "SELECT users" and has the query with '?' for its literals. Libraries that do
 * it for you: waggle/instrument/sqlite.h, libpq.h, hiredis.h.
 *
 * Attributes have today's names; OTEL_SEMCONV_STABILITY_OPT_IN=database/dup gives the former ones
 * (db.system, db.statement ...) beside them, database/old those alone.
 */
#ifndef WAGGLE_DB_H
#define WAGGLE_DB_H

#include "waggle/context.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is known of a call; NULL and 0 are not known. Borrowed for the call. */
typedef struct waggle_db_call {
    size_t struct_size;
    const char *system;         /* "sqlite", "postgresql", "redis", ... */
    const char *query;          /* SQL; its literals are not recorded */
    const char *text;           /* of other languages: recorded as it is, without secrets then */
    const char *operation;      /* else of the query: "SELECT" */
    const char *collection;     /* else of the query: "users" */
    const char *name_space;     /* the database */
    const char *server_address; /* of another process */
    int server_port;
    const waggle_context *context; /* NULL: the thread's current one */
} waggle_db_call;

WAGGLE_EXPORT waggle_span waggle_db_start(struct waggle_tracer *tracer, const waggle_db_call *call);

/* End it. error: the status the database gave ("42P01", "SQLITE_BUSY"), a class of errors; NULL if
 * it went well. message: what it said, may be NULL. */
WAGGLE_EXPORT void waggle_db_end(waggle_span span, const char *error, const char *message);

/* Write a query with '?' for each literal, comments left out and runs of blanks as one, into ret,
 * always with a NUL. Returns the bytes written. */
WAGGLE_EXPORT size_t waggle_sql_sanitize(const char *query, size_t n, char *ret, size_t cap);

/* Write "SELECT users" of a query: its first word and the table behind FROM, INTO, UPDATE or TABLE,
 * if there is one. Returns the bytes written; 0 if it begins with no word. */
WAGGLE_EXPORT size_t waggle_sql_summary(const char *query, size_t n, char *ret, size_t cap);

#ifdef __cplusplus
}
#endif

#endif
