// SPDX-License-Identifier: Apache-2.0
/* trace_sql.c - SQL spans: named "SELECT activities", with the statement; see trace_sql.h
 *
 * Statements hold parameters and no values of users: they may be seen as they are.
 *
 * Threads: any. Memory: none. */
#include "trace_sql.h"

#include <stdio.h>
#include <string.h>

/* The word behind `before` in the statement, as the table's name. */
static int word_after(const char *sql, const char *before, const char **ret_word)
{
    const char *at = strstr(sql, before);
    *ret_word = at != NULL ? at + strlen(before) : "";
    return (int)strspn(*ret_word, "abcdefghijklmnopqrstuvwxyz_");
}

struct trace_sql trace_sql_begin(const char *sql)
{
    char name[64];
    const char *table;
    int operation_n = (int)strcspn(sql, " ");
    int table_n = word_after(sql, strncmp(sql, "INSERT", 6) == 0 ? "INTO " : "FROM ", &table);
    if (table_n == 0 && table[0] == '(') // of a subquery
        table_n = word_after(table, "FROM ", &table);
    snprintf(name, sizeof name, "%.*s %.*s", operation_n, sql, table_n, table);
    return (struct trace_sql){
        .span = waggle_span_start(
            waggle_tracer_get("cruddur.sql", CRUDDUR_VERSION), name,
            &(waggle_span_opts){
                .kind = WAGGLE_KIND_CLIENT,
                .attributes = WAGGLE_ATTRS(
                    waggle_kv_str("db.system.name", "sqlite"), waggle_kv_str("db.query.text", sql),
                    waggle_kv_strn("db.operation.name", sql, (size_t)operation_n),
                    waggle_kv_strn("db.collection.name", table, (size_t)table_n))})};
}

void trace_sql_end(struct trace_sql *trace, const char *why)
{
    waggle_span_set_kv(trace->span, waggle_kv_i64("db.response.returned_rows", trace->n_rows));
    if (why != NULL)
        waggle_span_set_status(trace->span, WAGGLE_STATUS_ERROR, why);
    waggle_span_end(trace->span);
}
