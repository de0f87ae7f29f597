// SPDX-License-Identifier: Apache-2.0
/* Shared by the files of src/state: the connection, its statements, small SQLite wrappers. */
#pragma once

#include <sqlite3.h>

#include "os/thread.h"
#include "state/logs_index.h"
#include "state/state.h"

enum skep_state__stmt {
#define X(id, sql) SKEP_STATE__##id,
#include "state/sql/all.def"
#undef X
    SKEP_STATE__COUNT
};

struct skep_state {
    const struct skep_os *os;
    uint64_t results_limit, results_limit_bytes, artifacts_limit_bytes, queries_limit;
    unsigned queries_put;                  /* since old ones were last looked for */
    uint64_t runs_limit, runs_limit_bytes; /* of an environment */
    struct skep_mutex lock;                /* guards all below */
    sqlite3 *db;
    sqlite3_stmt *stmt[SKEP_STATE__COUNT]; /* NULL: not used yet */
    sqlite3_stmt *broken;                  /* what could not be compiled (state.c, I3) */
    char broken_why[128];
    bool unsynced;                       /* what came back from not waiting failed (state.c, I4) */
    uint64_t keys_changes, data_version; /* keys.c */
    uint64_t items_limit;                /* of an environment */
    skep_ts_ns items_room_ns;            /* when room was last made */
    struct skep_state__logs logs;        /* has a lock of its own */
};

/* A statement ready for binding.  Lock held. */
sqlite3_stmt *skep_state__use(struct skep_state *s, enum skep_state__stmt id);
void skep_state__bind_str(sqlite3_stmt *st, int i, skep_str v);
void skep_state__bind_i64(sqlite3_stmt *st, int i, int64_t v);
void skep_state__bind_bytes(sqlite3_stmt *st, int i, skep_bytes b);
/* One row, or none: *ret_row.  Returns SKEP_OK | SKEP_EIO | SKEP_ECORRUPT | SKEP_ENOSPC. */
skep_rc skep_state__step(struct skep_state *s, sqlite3_stmt *st, bool *ret_row, skep_err *err);
/* A transaction: begin, and after a begin that went well end it with what became of its work: kept
 * if that is SKEP_OK, undone otherwise.  end returns the first error. */
skep_rc skep_state__begin(struct skep_state *s, skep_err *err);
skep_rc skep_state__end(struct skep_state *s, skep_rc work, skep_err *err);
/* Does a transaction wait until it is on disk?  It does, but for those that begin and end between
 * false and true: what they leave is lost with the machine's power until the next one that waits.
 * Outside of transactions.  Never fails for who calls: where it cannot be waited again, no
 * statement runs until it can. */
void skep_state__sync(struct skep_state *s, bool wait);
/* A statement that gives one row with one number. */
skep_rc skep_state__number(struct skep_state *s, sqlite3_stmt *st, uint64_t *ret, skep_err *err);
/* A statement without rows, then reset. */
skep_rc skep_state__run(struct skep_state *s, sqlite3_stmt *st, skep_err *err);
void skep_state__reset(sqlite3_stmt *st);
skep_str skep_state__text(struct skep_arena *arena, sqlite3_stmt *st, int column);
skep_state_id skep_state__id(sqlite3_stmt *st, int column);
/* One of [low, high], for an enum; `low` for what only a damaged file holds. */
int skep_state__one_of(sqlite3_stmt *st, int column, int low, int high);
/* A fresh random id. */
skep_state_id skep_state__new_id(struct skep_state *s);
/* The schema at its newest version. */
skep_rc skep_state__migrate(sqlite3 *db, skep_err *err);
/* All log groups and streams into memory. */
skep_rc skep_state__logs_load(struct skep_state *s, skep_err *err);
/* Forget those of an environment that went; lock held. */
void skep_state__logs_drop_environment(struct skep_state *s, skep_str environment);
/* Tags in the transaction at hand; lock held. */
skep_rc skep_state__log_tag_locked(struct skep_state *s, skep_str environment, skep_str resource,
                                   const struct skep_state_log_tag *tags, size_t n, skep_err *err);
/* Results that ran when the last owner ended will never finish. */
skep_rc skep_state__end_results(sqlite3 *db, skep_err *err);
