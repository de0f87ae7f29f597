// SPDX-License-Identifier: Apache-2.0
/*
 * sqlite.c - a span for each statement of SQLite, through sqlite3_trace_v2
 *
 *   STMT      a statement takes its first step: a span begins, kept in a row of the table
 *   PROFILE   it is done or reset: the span ends. The connection's code is not yet the statement's:
 *             what waggle_sqlite_step steps ends there, with what it returned
 *   CLOSE     the table goes
 *
 * A trigger's statements are told by STMT with the same pointer and a comment for a text: they
 * belong to the statement that fired it. More statements open at once than the table has rows go
 * untraced.
 *
 * Threads: SQLite calls with the connection's mutex held; so one at a time.
 */
#include "waggle/instrument/sqlite.h"

#include <stdlib.h>
#include <string.h>

enum { OPEN_MAX = 32 };

struct traced {
    struct waggle_tracer *tracer;
    const char *file; /* of the main database; borrowed from the connection */
    sqlite3 *db;
    struct {
        const void *statement; /* NULL: free */
        waggle_span span;
    } open[OPEN_MAX];
};

static int find_open(const struct traced *t, const void *statement)
{
    for (int i = 0; i < OPEN_MAX; i++)
        if (t->open[i].statement == statement)
            return i;
    return -1;
}

static void statement_begins(struct traced *t, void *statement, const char *text)
{
    int i = find_open(t, statement);
    if (i >= 0 && text != NULL && text[0] == '-' && text[1] == '-')
        return; // a trigger's
    if (i < 0)
        i = find_open(t, NULL);
    if (i < 0 || !waggle_tracer_enabled(t->tracer))
        return;
    waggle_span_end(t->open[i].span); // of a statement whose end was not told; does not happen
    t->open[i].statement = statement;
    t->open[i].span =
        waggle_db_start(t->tracer, &(waggle_db_call){.struct_size = sizeof(waggle_db_call),
                                                     .system = "sqlite",
                                                     .query = sqlite3_sql(statement),
                                                     .name_space = t->file});
}

/* The statement that this thread steps by waggle_sqlite_step: its span is ended there. */
struct stepping {
    const void *statement;
    waggle_span span;
};

static _Thread_local struct stepping *stepping;

static void statement_ends(struct traced *t, const void *statement)
{
    int i = find_open(t, statement);
    if (i < 0)
        return;
    if (stepping != NULL && stepping->statement == statement)
        stepping->span = t->open[i].span;
    else
        waggle_db_end(t->open[i].span, NULL, NULL);
    t->open[i].statement = NULL;
    t->open[i].span = WAGGLE_SPAN_NONE;
}

int waggle_sqlite_step(sqlite3_stmt *statement)
{
    struct stepping *outer = stepping;
    struct stepping mine = {.statement = statement};
    stepping = &mine;
    int code = sqlite3_step(statement);
    stepping = outer;
    bool good = code == SQLITE_ROW || code == SQLITE_DONE;
    char number[16];
    (void)sqlite3_snprintf(sizeof number, number, "%d", code);
    waggle_db_end(mine.span, good ? NULL : number,
                  good ? NULL : sqlite3_errmsg(sqlite3_db_handle(statement)));
    return code;
}

int waggle_sqlite_exec(sqlite3 *db, const char *sql)
{
    int code = SQLITE_OK;
    while (code == SQLITE_OK && sql[0] != '\0') {
        sqlite3_stmt *statement = NULL;
        code = sqlite3_prepare_v2(db, sql, -1, &statement, &sql);
        if (statement == NULL)
            continue; // a comment, or an error
        do
            code = waggle_sqlite_step(statement);
        while (code == SQLITE_ROW);
        int end = sqlite3_finalize(statement);
        code = code == SQLITE_DONE ? end : code;
    }
    return code;
}

static int on_trace(unsigned what, void *self, void *p, void *x)
{
    struct traced *t = self;
    switch (what) {
    case SQLITE_TRACE_STMT: statement_begins(t, p, x); break;
    case SQLITE_TRACE_PROFILE: statement_ends(t, p); break;
    case SQLITE_TRACE_CLOSE: free(t); break;
    default: break;
    }
    return 0;
}

int waggle_sqlite_trace(sqlite3 *db, struct waggle_tracer *tracer)
{
    struct traced *t = calloc(1, sizeof *t);
    if (t == NULL)
        return SQLITE_NOMEM;
    t->tracer = tracer;
    t->db = db;
    t->file = sqlite3_db_filename(db, "main");
    if (t->file != NULL && t->file[0] == '\0')
        t->file = ":memory:";
    return sqlite3_trace_v2(db, SQLITE_TRACE_STMT | SQLITE_TRACE_PROFILE | SQLITE_TRACE_CLOSE,
                            on_trace, t);
}
