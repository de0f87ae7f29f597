// SPDX-License-Identifier: Apache-2.0
/* The engine interface: append(batch) and run(plan).  No caller sees a row number, a segment or a
 * file.  Two engines: store/column (embedded) and, later, store/clickhouse. */
#pragma once

#include "agg/partial.h"
#include "base/histogram.h"
#include "event/batch.h"
#include "os/os.h"
#include "plan/plan.h"
#include "plan/rows.h"

struct skep_store;
struct skep_pool;

struct skep_append_result {
    uint64_t seq;   /* commit sequence; of the first append when duplicate */
    uint32_t rows;  /* rows stored; 0 when duplicate */
    bool duplicate; /* this identity was acknowledged before; nothing was stored */
};

/* Called exactly once, on the committer's thread or, when the answer is known at once (duplicate,
 * refused), on the caller's before append returns: must not block.  rc == SKEP_OK: the rows are on
 * disk (fsynced) and visible to the next query.  Otherwise nothing of the batch was stored:
 * SKEP_ENOMEM, SKEP_ENOSPC, SKEP_EIO, SKEP_ECLOSED (retry later), SKEP_ETOOLARGE. */
typedef void skep_append_done_fn(void *ctx, skep_rc rc, const struct skep_append_result *res,
                                 const skep_err *err);

/* Services that reported through X-Ray, too, and whose rows of X-Ray an answer leaves out. */
struct skep_also {
    const skep_str *services; /* in the arena of the question */
    size_t n;
};

struct skep_run_opts {
    /* Who asks sees rows of this environment alone, whatever the plan, its relations too
     * (meta.environment; "default": those that name none); empty = all.  The server's own rows
     * belong to none: see skep_plan_shows_own.  Borrowed for the call. */
    skep_str environment;
    /* Not NULL: skep_query_aggregate and skep_query_run count what a service reported through two
     * tracers once (query/tracers.c), and say of which.  An engine does not look at it. */
    struct skep_also *also;
    struct skep_budget *budget;  /* of this query; NULL = the store's query budget */
    bool (*canceled)(void *ctx); /* polled about once a millisecond; NULL = never */
    /* Rows scanned so far of all that might be; from any worker, not concurrently.  NULL = none. */
    void (*progress)(void *ctx, uint64_t scanned, uint64_t total);
    void *ctx;
    struct skep_arena *arena; /* answers are made in it */
    /* AGGREGATE: which groups of p can be in the answer, which has them all otherwise: *ret[*ret_n]
     * (skep_free) of its tuples, of *ret_all that pass the plan's havings.  It lets an engine
     * finish groups some at a time.  NULL: all of them.  From any worker, of different partials at
     * once. Returns SKEP_OK | SKEP_ENOMEM. */
    skep_rc (*select)(const struct skep_run_opts *opts, struct skep_partial *p, uint32_t **ret,
                      size_t *ret_n, uint64_t *ret_all, skep_err *err);
    /* > 0: select() chooses among the groups of the `most` greatest COUNTs, with those that come as
     * often as the least of them, and any other group passes the havings. */
    size_t most;
};

/* One answer, by plan kind.  In opts->arena, but for the partials (skep_partial_free). */
struct skep_answer {
    struct skep_partial *partial; /* AGGREGATE */
    /* AGGREGATE, not NULL: the partial has only groups that were selected (opts->select), of
     * n_groups; this is all of them together, by bucket.  Refers to opts->arena */
    struct skep_partial *whole;
    uint64_t n_groups;
    struct skep_rows rows;         /* ROWS, TRACE, ROW */
    struct skep_traces traces;     /* TRACES */
    struct skep_fields fields;     /* FIELDS */
    struct skep_datasets datasets; /* DATASETS */
    struct skep_facets facets;     /* FACETS */
    uint64_t rows_examined;
    bool complete; /* false: something could not be read; `missing` says what */
    skep_str missing;
};

/* Background work of one kind, since the process started. */
struct skep_store_work {
    uint64_t n, rows, bytes; /* done; rows and bytes written */
    uint64_t failed;         /* attempts that did not, and will be made again */
    int64_t ns;              /* time it took */
};

/* A segment being written. */
struct skep_store_writing {
    bool running; /* false: the rest is 0 */
    uint64_t rows, rows_done, bytes_written;
    skep_ts_ns since_ns;
};

struct skep_store_stats {
    uint64_t rows_live;              /* visible rows, and the server's own: */
    uint64_t hidden_rows;            /* only shown when asked for */
    skep_ts_ns oldest_ns, newest_ns; /* of the visible ones; 0 while empty */
    uint64_t parts, part_rows, part_bytes;
    uint64_t segments, segment_rows, segment_bytes;
    uint64_t wal_bytes, disk_bytes, disk_limit_bytes;
    uint64_t memory_bytes, memory_limit_bytes, cache_bytes;
    uint64_t commits, commit_rows, duplicates, fsyncs;
    uint64_t merges, merge_rows, expired_rows;
    uint64_t deleted_rows, superseded_rows; /* since the store was made, wherever they are */
    uint64_t dead_rows;                     /* of those, still in parts and segments */
    /* Since the store was made: rows_live + expired + deleted + superseded when nothing lies. */
    uint64_t stored_rows;
    struct skep_store_writing writing_flush, writing_merge; /* now */
    uint64_t merge_backlog_rows;       /* in segments that are to be merged, now or next */
    skep_ts_ns merge_backlog_since_ns; /* when the first of them came to be; 0 = there is none */
    uint64_t losses,
        lost_rows; /* records of what is known to be lost; rows of those that count them */
    uint64_t damaged_regions; /* found by recovery: stretches of the log that lost commits */
    uint64_t torn_writes;     /* found by recovery: unfinished, unacknowledged ends */
    skep_str damage;          /* names the first of either; empty = none; lives with the store */
    bool recovering, read_only;
    struct skep_store_work fold, flush, merge;
    uint64_t
        merge_rows_taken_over; /* of merge.rows: copied in whole row groups, not encoded anew */
    struct skep_histogram_sum fsync; /* how long the log took to become durable */
    uint64_t cache_hits, cache_misses;
};

/* Which rows a delete may kill, and whether it does. */
struct skep_delete_opts {
    struct skep_run_opts run; /* arena unused */
    bool dry_run;             /* only count them */
    bool has_expected;        /* kill only if exactly so many match: what a dry run said */
    uint64_t expected;
};

typedef void skep_store_loss_fn(void *ctx, skep_str text);

/* The store's side of the ledger (event/ledger.h): RECEIVED and REJECTED as the receipts of its
 * commits say, STORED, EXPIRED, DELETED and SUPERSEDED since the ledger was begun, LIVE as of now.
 */
struct skep_store_ledger {
    struct skep_ledger counts; /* the caller's: skep_ledger_done */
    uint64_t unread_rows;      /* live rows that could not be read: LIVE lacks them */
    char why[232];             /* the first of them */
};

struct skep_store_ops {
    const char *name;
    void (*close)(struct skep_store *s);
    void (*append)(struct skep_store *s, struct skep_batch *batch, skep_append_done_fn *done,
                   void *ctx);
    skep_rc (*run)(struct skep_store *s, const struct skep_plan *plan,
                   const struct skep_run_opts *opts, struct skep_answer *ret, skep_err *err);
    /* See skep_store_delete. */
    skep_rc (*delete_rows)(struct skep_store *s, const struct skep_plan *plan,
                           const struct skep_delete_opts *opts, uint64_t *ret_rows, skep_err *err);
    void (*stats)(struct skep_store *s, struct skep_store_stats *ret);
    /* Entries of `from_ns` and later.  live: with LIVE, for which rows may be read: never on an I/O
     * thread.  Threads: any. */
    void (*ledger)(struct skep_store *s, skep_ts_ns from_ns, bool live,
                   struct skep_store_ledger *ret);
    /* Everything appended so far goes to its final place on disk (tests, shutdown, tools). */
    skep_rc (*flush)(struct skep_store *s, skep_err *err);
    /* Sequence of the newest visible commit; wait_visible returns when it is > seq or after
     * timeout_ms (live tail). */
    uint64_t (*visible)(struct skep_store *s);
    uint64_t (*wait_visible)(struct skep_store *s, uint64_t seq, int64_t timeout_ms);
    /* Each thing that is known to be lost, as a text; NULL = the engine keeps no such list. */
    void (*each_loss)(struct skep_store *s, skep_store_loss_fn *fn, void *ctx);
};

struct skep_store {
    const struct skep_store_ops *ops;
};

/* Commit a batch: takes it (frees it in every case).  Does not block on the disk. Threads: any. */
static inline void skep_store_append(struct skep_store *s, struct skep_batch *batch,
                                     skep_append_done_fn *done, void *ctx)
{
    s->ops->append(s, batch, done, ctx);
}

/* Answer a plan over one snapshot.  Blocks; uses the store's worker pool.  Threads: any.
 * Returns SKEP_OK | EINVAL | ENOMEM (over the query's budget; err says what to narrow) | ECANCELED
 * | ENOTFOUND (ROW, TRACE) | ECORRUPT | EIO. */
SKEP_NODISCARD static inline skep_rc skep_store_run(struct skep_store *s,
                                                    const struct skep_plan *plan,
                                                    const struct skep_run_opts *opts,
                                                    struct skep_answer *ret, skep_err *err)
{
    return s->ops->run(s, plan, opts, ret, err);
}

/* Delete the rows that a plan's range, dataset and filter select (its kind is ROWS, the rest of it
 * does not matter) among those that are visible when it begins.  Durable and effective for the next
 * query when it returns.  *ret_rows: rows deleted; in a dry run, or when they are not as many as
 * expected, rows that match.  Blocks.  Threads: any.
 * Returns SKEP_OK | EINVAL | EEXISTS (not as many as expected) | ENOMEM | ECANCELED | ECORRUPT |
 * EIO (a part of the rows cannot be read: nothing was deleted) | ENOSPC | EAGAIN | ECLOSED |
 * EUNSUPPORTED (an engine that cannot). */
SKEP_NODISCARD static inline skep_rc skep_store_delete(struct skep_store *s,
                                                       const struct skep_plan *plan,
                                                       const struct skep_delete_opts *opts,
                                                       uint64_t *ret_rows, skep_err *err)
{
    if (!s->ops->delete_rows)
        return SKEP_EUNSUPPORTED;
    return s->ops->delete_rows(s, plan, opts, ret_rows, err);
}

/* Configuration of the embedded engine. */
struct skep_column_config {
    const struct skep_os *os;
    const char *dir;
    struct skep_pool *pool;     /* workers for queries and merges */
    struct skep_budget *memory; /* parent of all the engine takes */
    uint64_t disk_limit_bytes;  /* 0 = no limit but the disk's */
    int64_t retain_ns;          /* 0 = for ever */
    int64_t flush_quiet_ns;     /* 0 = 30 s: parts flush when their traces were quiet for so long */
    uint64_t part_limit_bytes;  /* 0 = a sixth or less of the memory: flush earlier above this */
    uint64_t wal_file_bytes;    /* 0 = by the disk limit: size of the largest log file */
    bool keep_no_answers;       /* partial answers over whole segments: every question does all */
    bool no_background;         /* tests: no merge or flush threads; flush() does it */
    /* Look at a directory that another process may own; nothing is written, appends are refused,
     * what comes later is not seen (column/read_only.c). */
    bool read_only;
};

/* Open (and recover) a data directory; creates it if it is empty or missing.
 * Returns SKEP_OK | SKEP_EEXISTS (another process owns it) | SKEP_ECORRUPT (skep repair mends it)
 * | SKEP_EIO | SKEP_EUNSUPPORTED (written by a newer version) | SKEP_ENOTFOUND (read_only: there
 * is nothing). */
SKEP_NODISCARD skep_rc skep_column_open(const struct skep_column_config *cfg,
                                        struct skep_store **ret, skep_err *err);
