// SPDX-License-Identifier: Apache-2.0
/* What the server remembers beside rows, in SQLite: queries, their results, and the ids and
 * descriptions of datasets and columns.  Rows never depend on it.
 *
 * Every call may wait for the disk: workers call it, never I/O threads.  Threads: any; calls are
 * serialised by one lock. */
#pragma once

#include "base/arena.h"
#include "event/ledger.h"
#include "os/os.h"

struct skep_state;

enum { SKEP_STATE_ID_BYTES = 12 }; /* 11 letters and digits, NUL */

typedef struct skep_state_id {
    char text[SKEP_STATE_ID_BYTES];
} skep_state_id;

static inline skep_str skep_state_id_str(const skep_state_id *id)
{
    return skep_str_c(id->text);
}

struct skep_state_config {
    const struct skep_os *os;
    const char *path;             /* database file; created if missing */
    uint64_t results_limit;       /* results kept; 0 = 10,000 */
    uint64_t results_limit_bytes; /* of their texts; 0 = 256 MiB */
    uint64_t
        artifacts_limit_bytes; /* of source maps and debug files, an environment; 0 = 512 MiB */
    uint64_t queries_limit; /* stored queries of an environment that no object names; 0 = 20,000 */
    uint64_t runs_limit;    /* of an environment; 0 = SKEP_RUNS_MAX */
    uint64_t runs_limit_bytes; /* of their answers; 0 = SKEP_RUNS_BYTES */
    uint64_t items_limit;      /* of an environment; 0 = SKEP_ITEMS_MAX */
    bool beside_owner;         /* a tool: a server may have it open, whose results go on */
};

/* Open and bring the schema up to date.
 * Returns SKEP_OK | SKEP_EIO | SKEP_ECORRUPT | SKEP_EUNSUPPORTED (written by a newer version). */
SKEP_NODISCARD skep_rc skep_state_open(const struct skep_state_config *cfg, struct skep_state **ret,
                                       skep_err *err);
void skep_state_close(struct skep_state *s); /* NULL is fine */

/* --- queries: immutable; the same text for the same dataset of an environment is the same query;
 * another environment's are not found --- */

struct skep_state_query {
    skep_state_id id;
    skep_str dataset; /* as in the URL */
    skep_str spec;    /* canonical JSON */
    int64_t created_ns;
};

/* Of queries that no object (annotation, board, trigger) names the newest are kept, about as many
 * as the limit.  Returns SKEP_OK | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_put_query(struct skep_state *s, skep_str environment,
                                            skep_str dataset, skep_str spec, skep_state_id *ret,
                                            skep_err *err);
/* Texts are made in the arena.  Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_get_query(struct skep_state *s, skep_str environment, skep_str id,
                                            struct skep_arena *arena, struct skep_state_query *ret,
                                            skep_err *err);

/* --- query results --- */

enum skep_state_result_status {
    SKEP_RESULT_RUNNING = 0,
    SKEP_RESULT_DONE = 1,
    SKEP_RESULT_FAILED = 2
};

struct skep_state_result {
    skep_state_id id, query_id;
    enum skep_state_result_status status;
    skep_str options; /* JSON of the request that made it */
    skep_str data;    /* DONE: JSON; FAILED: text for people */
    int64_t created_ns, finished_ns;
};

/* Returns SKEP_OK | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_new_result(struct skep_state *s, skep_str query_id,
                                             skep_str options, skep_state_id *ret, skep_err *err);
/* Give a result its end; drops the oldest results beyond the limits.  Returns SKEP_OK | SKEP_EIO.
 */
SKEP_NODISCARD skep_rc skep_state_finish_result(struct skep_state *s, skep_str id,
                                                enum skep_state_result_status status, skep_str data,
                                                skep_err *err);
/* Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_EIO.  A result that ran when the server stopped is
 * FAILED. */
SKEP_NODISCARD skep_rc skep_state_get_result(struct skep_state *s, skep_str id,
                                             struct skep_arena *arena,
                                             struct skep_state_result *ret, skep_err *err);

/* --- datasets (of an environment) and columns: ids, descriptions, first sight --- */

struct skep_state_dataset {
    skep_str slug, name, description;
    int64_t created_ns;
};

/* Slug of a dataset's name: lower case, all but letters, digits, '_', '-' and '.' become '-'. */
skep_str skep_state_slug(struct skep_arena *arena, skep_str name);
/* Remember a dataset under its slug; an existing one is left as it is.  created_ns 0 = now.
 * Returns SKEP_OK | SKEP_EEXISTS (known already; *ret is the known one) | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_put_dataset(struct skep_state *s, skep_str environment,
                                              const struct skep_state_dataset *d,
                                              struct skep_arena *arena,
                                              struct skep_state_dataset *ret, skep_err *err);
/* Forget it; one that is not known is fine. */
SKEP_NODISCARD skep_rc skep_state_drop_dataset(struct skep_state *s, skep_str environment,
                                               skep_str slug, skep_err *err);
/* All, ordered by slug. */
SKEP_NODISCARD skep_rc skep_state_list_datasets(struct skep_state *s, skep_str environment,
                                                struct skep_arena *arena,
                                                struct skep_state_dataset **ret, size_t *ret_n,
                                                skep_err *err);

struct skep_state_column {
    skep_state_id id;
    skep_str name;
    int64_t created_ns;
};

/* Ids of columns[n] of a dataset, made for those that have none; fills id and created_ns.
 * Returns SKEP_OK | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_columns(struct skep_state *s, skep_str dataset,
                                          struct skep_state_column *columns, size_t n,
                                          skep_err *err);

/* --- tools: on a database that a server may have open --- */

/* SQLite's own check of all pages and indexes.  Returns SKEP_OK | SKEP_ECORRUPT | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_check(const char *path, skep_err *err);
/* One moment of the database as a new file.  Returns SKEP_OK | SKEP_ENOSPC | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_copy(const char *from, const char *to, skep_err *err);

/* --- the ledger's counts that no row carries (event/ledger.h) --- */

/* Add all entries to ret.  Returns SKEP_OK | SKEP_EIO | SKEP_ECORRUPT. */
SKEP_NODISCARD skep_rc skep_state_ledger_load(struct skep_state *s, struct skep_ledger *ret,
                                              skep_err *err);
/* Add the numbers to those kept, in one transaction: all of them or none.
 *
 * fold_ns  not 0: also fold what is old, as of then
 * Returns  SKEP_OK | SKEP_EIO | SKEP_ENOSPC */
SKEP_NODISCARD skep_rc skep_state_ledger_add(struct skep_state *s, const struct skep_ledger *more,
                                             skep_ts_ns fold_ns, skep_err *err);
