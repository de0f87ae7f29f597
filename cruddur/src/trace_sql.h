// SPDX-License-Identifier: Apache-2.0
/* trace_sql.h - a client span around each SQL statement */
#pragma once

#include <stdint.h>

#include <waggle/waggle.h>

struct trace_sql {
    waggle_span span;
    int64_t n_rows; /* counted by the caller */
};

/* Begin a span for the statement, as a child of the current one. */
struct trace_sql trace_sql_begin(const char *sql);

/* End it. `why` is the database's message if it failed, else NULL. */
void trace_sql_end(struct trace_sql *trace, const char *why);
