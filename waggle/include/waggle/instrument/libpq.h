// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/instrument/libpq.h - a span for each query of PostgreSQL's libpq: the add-on library
 * waggle-libpq
 *
 *     PGresult *r = waggle_pq_exec(tracer, conn, "SELECT name FROM users WHERE id = 7");
 *
 * Each is libpq's function of that name with a tracer in front. Spans have the query with '?' for
 * its literals; parameters are never recorded. For queries that are sent and waited for apart
 * (PQsendQuery): waggle_pq_begin before, waggle_pq_end with the result.
 */
#ifndef WAGGLE_INSTRUMENT_LIBPQ_H
#define WAGGLE_INSTRUMENT_LIBPQ_H

#include <libpq-fe.h>

#include "waggle/db.h"

#ifdef __cplusplus
extern "C" {
#endif

WAGGLE_EXPORT PGresult *waggle_pq_exec(struct waggle_tracer *tracer, PGconn *conn,
                                       const char *query);

WAGGLE_EXPORT PGresult *waggle_pq_exec_params(struct waggle_tracer *tracer, PGconn *conn,
                                              const char *query, int n_params, const Oid *types,
                                              const char *const *values, const int *lengths,
                                              const int *formats, int result_format);

/* The span is named "EXECUTE name": libpq does not tell the statement's text. */
WAGGLE_EXPORT PGresult *waggle_pq_exec_prepared(struct waggle_tracer *tracer, PGconn *conn,
                                                const char *name, int n_params,
                                                const char *const *values, const int *lengths,
                                                const int *formats, int result_format);

/* Begin the span of a query, a child of the thread's current one. */
WAGGLE_EXPORT waggle_span waggle_pq_begin(struct waggle_tracer *tracer, const PGconn *conn,
                                          const char *query);

/* End it as the result says (NULL: as the connection says). The result stays the caller's. */
WAGGLE_EXPORT void waggle_pq_end(waggle_span span, const PGconn *conn, const PGresult *result);

#ifdef __cplusplus
}
#endif

#endif
