// SPDX-License-Identifier: Apache-2.0
/* store.c - the queries; see store.h
 *
 * One connection for all threads, held under a lock for the time of a statement: Cruddur's tables
 * are small and SQLite writes one at a time anyway.
 *
 * Threads: any. Memory: the connection's; a statement lives for a call. */
#include "store.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <waggle/instrument/sqlite.h>

#include "store_schema.h"

struct store {
    sqlite3 *db;
    pthread_mutex_t mu; /* of db */
};

/* What is bound to a statement's parameter: a text, or with text NULL and is_null false a number.
 */
struct bound {
    const char *text;
    int64_t number;
    bool is_null;
};

#define TEXT(t)   ((struct bound){.text = (t), .is_null = (t) == NULL})
#define NUMBER(n) ((struct bound){.number = (n)})

typedef void row_fn(void *self, sqlite3_stmt *statement);

static void bind(sqlite3_stmt *statement, const struct bound *values, size_t n)
{
    for (size_t i = 0; i < n; i++) { // a parameter that is not there fails the step, not us
        int at = (int)i + 1;
        if (values[i].is_null)
            (void)sqlite3_bind_null(statement, at);
        else if (values[i].text != NULL)
            (void)sqlite3_bind_text(statement, at, values[i].text, -1, SQLITE_TRANSIENT);
        else
            (void)sqlite3_bind_int64(statement, at, values[i].number);
    }
}

/* Runs a statement to its end; `row` (NULL: there are none) sees each row. */
static bool run(struct store *store, const char *sql, const struct bound *values, size_t n,
                row_fn *row, void *self, char ret_why[STORE_WHY_BYTES])
{
    sqlite3_stmt *statement = NULL;
    (void)pthread_mutex_lock(&store->mu); // a plain mutex that is ours: does not fail
    int code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK) {
        bind(statement, values, n);
        while ((code = waggle_sqlite_step(statement)) == SQLITE_ROW)
            if (row != NULL)
                row(self, statement);
    }
    if (code != SQLITE_DONE)
        snprintf(ret_why, STORE_WHY_BYTES, "%s", sqlite3_errmsg(store->db));
    (void)sqlite3_finalize(statement); // its failure is the step's, which is told already
    (void)pthread_mutex_unlock(&store->mu);
    return code == SQLITE_DONE;
}

/* --- opening -----------------------------------------------------------------------------------
 */

static void has_row(void *self, sqlite3_stmt *statement)
{
    (void)statement;
    *(bool *)self = true;
}

static bool prepare_tables(struct store *store, char ret_why[STORE_WHY_BYTES])
{
    char *error = NULL;
    bool any = false;
    (void)sqlite3_busy_timeout(store->db, 5000); // only fails for a connection that is none
    if (sqlite3_exec(store->db, store_schema, NULL, NULL, &error) != SQLITE_OK) {
        snprintf(ret_why, STORE_WHY_BYTES, "%s", error != NULL ? error : "out of memory");
        sqlite3_free(error);
        return false;
    }
    if (!run(store, "SELECT 1 FROM activities LIMIT 1", NULL, 0, has_row, &any, ret_why) ||
        (!any && !store_seed(store, ret_why)))
        return false;
    // From here on each statement is a span; without memory there are none.
    (void)waggle_sqlite_trace(store->db, waggle_tracer_get("cruddur.sql", CRUDDUR_VERSION));
    return true;
}

struct store *store_open(const char *path, char ret_why[STORE_WHY_BYTES])
{
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL || pthread_mutex_init(&store->mu, NULL) != 0) {
        snprintf(ret_why, STORE_WHY_BYTES, "out of memory");
        free(store);
        return NULL;
    }
    if (sqlite3_open(path, &store->db) != SQLITE_OK)
        snprintf(ret_why, STORE_WHY_BYTES, "%s",
                 store->db != NULL ? sqlite3_errmsg(store->db) : "out of memory");
    else if (prepare_tables(store, ret_why))
        return store;
    store_close(store);
    return NULL;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    (void)sqlite3_close(store->db); // every statement is finalized: it cannot be busy
    (void)pthread_mutex_destroy(&store->mu);
    free(store);
}

/* --- posts -------------------------------------------------------------------------------------
 */

struct activity_rows {
    store_activity_fn *row;
    void *self;
};

static const char *column(sqlite3_stmt *statement, int at)
{
    const unsigned char *text = sqlite3_column_text(statement, at);
    return text != NULL ? (const char *)text : "";
}

/* uuid, display name, message, created, expires, likes, replies, reposts, reply_to */
static void activity_row(void *self, sqlite3_stmt *s)
{
    const struct activity_rows *rows = self;
    rows->row(rows->self, &(struct activity){.uuid = column(s, 0),
                                             .handle = column(s, 1),
                                             .message = column(s, 2),
                                             .created_us = sqlite3_column_int64(s, 3),
                                             .expires_us = sqlite3_column_int64(s, 4),
                                             .likes = sqlite3_column_int64(s, 5),
                                             .replies = sqlite3_column_int64(s, 6),
                                             .reposts = sqlite3_column_int64(s, 7),
                                             .reply_to = column(s, 8)});
}

bool store_posts(struct store *store, const struct store_posts *what, store_activity_fn *row,
                 void *self, char ret_why[STORE_WHY_BYTES])
{
    static const char sql[] =
        "SELECT a.uuid, p.display_name, a.message, a.created_us, a.expires_us, a.likes,"
        " (SELECT count(*) FROM activities r WHERE r.reply_to = a.uuid), a.reposts, a.reply_to"
        " FROM activities a JOIN people p ON p.handle = a.author"
        " WHERE a.reply_to IS NULL AND a.expires_us > ?1"
        " AND (?2 IS NULL OR a.author = ?2) AND (?3 IS NULL OR instr(lower(a.message), lower(?3)))"
        " AND (?4 IS NULL OR a.uuid = ?4)"
        " AND (NOT ?5 OR EXISTS (SELECT 1 FROM activities r WHERE r.reply_to = a.uuid"
        "   AND r.author <> a.author))"
        " ORDER BY a.created_us DESC LIMIT ?6";
    const struct bound values[] = {NUMBER(what->now_us),   TEXT(what->author),
                                   TEXT(what->term),       TEXT(what->uuid),
                                   NUMBER(what->answered), NUMBER(STORE_POSTS_MAX)};
    struct activity_rows rows = {row, self};
    return run(store, sql, values, sizeof values / sizeof *values, activity_row, &rows, ret_why);
}

bool store_replies(struct store *store, const char *uuid, store_activity_fn *row, void *self,
                   char ret_why[STORE_WHY_BYTES])
{
    static const char of_one[] =
        "SELECT a.uuid, p.display_name, a.message, a.created_us, a.expires_us, a.likes, 0,"
        " a.reposts, a.reply_to FROM activities a JOIN people p ON p.handle = a.author"
        " WHERE a.reply_to = ?1 ORDER BY a.created_us DESC LIMIT ?2";
    static const char of_all[] =
        "SELECT a.uuid, p.display_name, a.message, a.created_us, a.expires_us, a.likes, 0,"
        " a.reposts, a.reply_to FROM activities a JOIN people p ON p.handle = a.author"
        " WHERE a.reply_to IN (SELECT uuid FROM activities WHERE reply_to IS NULL"
        "   ORDER BY created_us DESC LIMIT 100)"
        " ORDER BY a.created_us DESC LIMIT ?2";
    const struct bound values[] = {TEXT(uuid), NUMBER(STORE_REPLIES_MAX)};
    struct activity_rows rows = {row, self};
    return run(store, uuid != NULL ? of_one : of_all, values, 2, activity_row, &rows, ret_why);
}

bool store_add_activity(struct store *store, const struct activity *a, const char *author,
                        char ret_why[STORE_WHY_BYTES])
{
    const struct bound values[] = {TEXT(a->uuid),         TEXT(author),          TEXT(a->message),
                                   NUMBER(a->created_us), NUMBER(a->expires_us), NUMBER(a->likes),
                                   NUMBER(a->reposts),    TEXT(a->reply_to)};
    return run(store,
               "INSERT INTO activities (uuid, author, message, created_us, expires_us, likes,"
               " reposts, reply_to) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
               values, sizeof values / sizeof *values, NULL, NULL, ret_why);
}

/* --- messages ----------------------------------------------------------------------------------
 */

struct message_rows {
    store_message_fn *row;
    void *self;
};

/* uuid, display name, handle, message (NULL of a group), created */
static void message_row(void *self, sqlite3_stmt *s)
{
    const struct message_rows *rows = self;
    bool group = sqlite3_column_type(s, 3) == SQLITE_NULL;
    rows->row(rows->self,
              &(struct message){column(s, 0), column(s, 1), column(s, 2),
                                group ? NULL : column(s, 3), sqlite3_column_int64(s, 4)});
}

bool store_message_groups(struct store *store, const char *handle, store_message_fn *row,
                          void *self, char ret_why[STORE_WHY_BYTES])
{
    static const char sql[] =
        "SELECT m.uuid, p.display_name, p.handle, NULL, max(m.created_us) FROM messages m"
        " JOIN people p ON p.handle = CASE m.sender WHEN ?1 THEN m.receiver ELSE m.sender END"
        " WHERE m.sender = ?1 OR m.receiver = ?1 GROUP BY p.handle ORDER BY max(m.created_us) DESC";
    struct message_rows rows = {row, self};
    return run(store, sql, &TEXT(handle), 1, message_row, &rows, ret_why);
}

bool store_messages(struct store *store, const char *one, const char *other, store_message_fn *row,
                    void *self, char ret_why[STORE_WHY_BYTES])
{
    static const char sql[] =
        "SELECT * FROM (SELECT m.uuid, p.display_name, p.handle, m.message, m.created_us"
        " FROM messages m JOIN people p ON p.handle = m.sender"
        " WHERE (m.sender = ?1 AND m.receiver = ?2) OR (m.sender = ?2 AND m.receiver = ?1)"
        " ORDER BY m.created_us DESC LIMIT 100) ORDER BY created_us";
    const struct bound values[] = {TEXT(one), TEXT(other)};
    struct message_rows rows = {row, self};
    return run(store, sql, values, 2, message_row, &rows, ret_why);
}

bool store_add_message(struct store *store, const struct message *m, const char *receiver,
                       char ret_why[STORE_WHY_BYTES])
{
    const struct bound values[] = {TEXT(m->uuid), TEXT(m->handle), TEXT(receiver), TEXT(m->text),
                                   NUMBER(m->created_us)};
    return run(store,
               "INSERT INTO messages (uuid, sender, receiver, message, created_us)"
               " VALUES (?1, ?2, ?3, ?4, ?5)",
               values, sizeof values / sizeof *values, NULL, NULL, ret_why);
}
