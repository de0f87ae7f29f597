// SPDX-License-Identifier: Apache-2.0
/*
 * libpq.c - a span for each query of PostgreSQL's libpq
 *
 * An error is told by its SQLSTATE and its primary message; the detail, which quotes values of
 * rows, is not.
 *
 * Threads: a connection is one thread's at a time, as libpq's.
 */
#include "waggle/instrument/libpq.h"

#include <stdlib.h>

static waggle_span begin(struct waggle_tracer *tracer, const PGconn *conn, waggle_db_call call)
{
    const char *port = PQport(conn);
    call.struct_size = sizeof call;
    call.system = "postgresql";
    call.name_space = PQdb(conn);
    call.server_address = PQhost(conn);
    call.server_port = port != NULL ? (int)strtol(port, NULL, 10) : 0;
    return waggle_db_start(tracer, &call);
}

waggle_span waggle_pq_begin(struct waggle_tracer *tracer, const PGconn *conn, const char *query)
{
    return begin(tracer, conn, (waggle_db_call){.query = query});
}

void waggle_pq_end(waggle_span span, const PGconn *conn, const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result); // of NULL: a fatal error
    bool failed = status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE;
    const char *state = result != NULL ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *message =
        result != NULL ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    if (failed)
        waggle_db_end(span, state != NULL ? state : "connection_error",
                      message != NULL ? message : PQerrorMessage(conn));
    else
        waggle_db_end(span, NULL, NULL);
}

PGresult *waggle_pq_exec(struct waggle_tracer *tracer, PGconn *conn, const char *query)
{
    waggle_span span = waggle_pq_begin(tracer, conn, query);
    PGresult *result = PQexec(conn, query);
    waggle_pq_end(span, conn, result);
    return result;
}

PGresult *waggle_pq_exec_params(struct waggle_tracer *tracer, PGconn *conn, const char *query,
                                int n_params, const Oid *types, const char *const *values,
                                const int *lengths, const int *formats, int result_format)
{
    waggle_span span = waggle_pq_begin(tracer, conn, query);
    PGresult *result =
        PQexecParams(conn, query, n_params, types, values, lengths, formats, result_format);
    waggle_pq_end(span, conn, result);
    return result;
}

PGresult *waggle_pq_exec_prepared(struct waggle_tracer *tracer, PGconn *conn, const char *name,
                                  int n_params, const char *const *values, const int *lengths,
                                  const int *formats, int result_format)
{
    waggle_span span =
        begin(tracer, conn, (waggle_db_call){.operation = "EXECUTE", .collection = name});
    PGresult *result =
        PQexecPrepared(conn, name, n_params, values, lengths, formats, result_format);
    waggle_pq_end(span, conn, result);
    return result;
}
