// SPDX-License-Identifier: Apache-2.0
/* A question as a pipeline over rows: what languages of steps (Logs Insights) narrow to where one
 * plan does not carry them.  Pure data in an arena; skep_pipe_run answers it.
 *
 *   source: rows of a ROWS plan, newest first, as values in slots
 *   stages: each takes rows and hands rows on; some wait for all of theirs (stats, sort, patterns)
 *   outs:   slots that are answered, under their names
 *
 * A slot is a column of the row: a field that is read, or what a stage computes.  The runner moves
 * what it can into the plan (filters; stats at the beginning become an AGGREGATE plan); the answer
 * is the same. */
#pragma once

#include "calc/calc.h"
#include "store/store.h"
#include "wire/regex.h"

enum {
    SKEP_LIMIT_PIPE_SLOTS = 400,
    SKEP_LIMIT_PIPE_STAGES = 200,
    SKEP_LIMIT_PIPE_ROWS = 100000 /* of an answer */
};

struct skep_pipe;

/* A slot that is filled from the store. */
struct skep_pipe_field {
    unsigned slot;
    skep_str name; /* canonical; or what a row is: */
    enum {
        SKEP_PIPE_FIELD,
        SKEP_PIPE_TIME,     /* ms since 1970 */
        SKEP_PIPE_RECEIVED, /* likewise */
        SKEP_PIPE_DATASET,
        SKEP_PIPE_ROW_ID, /* "time_ns.12-7", as cursors are */
    } what;
};

struct skep_pipe_assign {
    unsigned slot;
    const struct skep_calc *expr;
};

/* Counting and measuring. */
enum skep_pipe_agg_op {
    SKEP_PIPE_COUNT, /* rows, or with an expression rows where it is not null */
    SKEP_PIPE_COUNT_DISTINCT,
    SKEP_PIPE_SUM,
    SKEP_PIPE_AVG,
    SKEP_PIPE_MIN,
    SKEP_PIPE_MAX,
    SKEP_PIPE_STDDEV,   /* of a sample */
    SKEP_PIPE_PCT,      /* param 0..100 */
    SKEP_PIPE_EARLIEST, /* the value of the row with the least time (of `by`) */
    SKEP_PIPE_LATEST,
    SKEP_PIPE_FIRST, /* the least value, as sorting has it */
    SKEP_PIPE_LAST
};
struct skep_pipe_agg {
    enum skep_pipe_agg_op op;
    const struct skep_calc *expr; /* NULL: COUNT of rows */
    const struct skep_calc *by;   /* EARLIEST, LATEST */
    double param;
    unsigned slot;
};

struct skep_pipe_sort {
    unsigned slot;
    bool descending;
};

enum skep_pipe_op {
    SKEP_PIPE_FILTER, /* rows for which `cond` is true go on */
    SKEP_PIPE_ASSIGN,
    SKEP_PIPE_PARSE_GLOB,   /* texts between `pieces` into `slots` */
    SKEP_PIPE_PARSE_REGEX,  /* groups into `slots` */
    SKEP_PIPE_PARSE_LOGFMT, /* slots[0] becomes a map */
    SKEP_PIPE_PARSE_CSV,
    SKEP_PIPE_STATS,
    SKEP_PIPE_SORT,
    SKEP_PIPE_LIMIT,
    SKEP_PIPE_DEDUP,  /* the first row of each combination of `slots`; rows without go on */
    SKEP_PIPE_UNNEST, /* a row for each element of a list */
    /* lines folded: slots[0..2] = template, count, ratio; with an earlier period [3..6] = count in
     * it, difference, that in percent of it, the difference in a word */
    SKEP_PIPE_PATTERNS
};

struct skep_pipe_stage {
    enum skep_pipe_op op;
    const struct skep_calc *cond;     /* FILTER; PARSE_*, UNNEST, PATTERNS: of what */
    struct skep_pipe_assign *assigns; /* ASSIGN; STATS: the groups */
    unsigned n_assigns;
    struct skep_pipe_agg *aggs;
    unsigned n_aggs;
    struct skep_pipe_sort *sorts;
    unsigned n_sorts;
    unsigned *slots;
    unsigned n_slots;
    skep_str *pieces; /* PARSE_GLOB: n_slots + 1 */
    const struct skep_regex *regex;
    unsigned *groups; /* PARSE_REGEX: [n_slots] */
    bool many;        /* PARSE_REGEX: a row for each match */
    uint64_t limit;
};

struct skep_pipe_out {
    skep_str name;
    unsigned slot;
    bool time; /* an instant */
};

/* Rows that are not the store's, a few at a time: ret[row * n_fields + field], in the arena.  At
 * most SKEP_CALC_ROWS; *ret_n 0 = there are no more. */
struct skep_pipe_source {
    skep_rc (*next)(void *ctx, const struct skep_pipe *p, struct skep_arena *arena,
                    const skep_value **ret, unsigned *ret_n, skep_err *err);
    void *ctx;
};

struct skep_pipe {
    unsigned n_slots;
    struct skep_pipe_field *fields;
    unsigned n_fields;
    const struct skep_computed *computed; /* fields that the plan computes (plan/plan.h) */
    unsigned n_computed;
    const struct skep_pipe_source *source; /* NULL = the store; else the next five are nothing */
    struct skep_expr *rows;                /* of the store that are read; NULL = log lines */
    const struct skep_str *datasets;       /* none: all */
    unsigned n_datasets;
    const struct skep_str *prefixes; /* likewise, of their names */
    unsigned n_prefixes;
    struct skep_pipe_stage *stages;
    unsigned n_stages;
    struct skep_pipe_out *outs;
    unsigned n_outs;
    unsigned id_slot; /* with `raw`: of ROW_ID */
    bool raw;         /* rows of the answer are rows of the store */
    unsigned limit;   /* rows answered at most; <= SKEP_LIMIT_PIPE_ROWS */
    struct skep_time_range range;
    /* > 0: rows of that much earlier are read, too, for PATTERNS to compare with.  No stage before
     * it keeps rows (STATS, SORT, LIMIT, DEDUP). */
    int64_t earlier_ns;
    bool loose; /* skep_calc_ctx */
    skep_ts_ns now_ns;
};

/* A row of the store. */
struct skep_pipe_id {
    skep_ts_ns time_ns;
    skep_row_id id;
};

struct skep_pipe_result {
    skep_value *values;       /* [n_rows * n_outs], in opts->arena */
    struct skep_pipe_id *ids; /* [n_rows], with `raw` */
    size_t n_rows;
    uint64_t rows_scanned, rows_matched, bytes_scanned;
    bool truncated; /* the limit cut it */
    bool complete;
    skep_str missing;
};

/* Answer.  Blocks; call from a worker.  Memory beyond the answer comes from opts->budget and is
 * given back.
 * Returns as skep_store_run; ELIMIT: a regular expression took too long. */
SKEP_NODISCARD skep_rc skep_pipe_run(struct skep_store *store, const struct skep_pipe *p,
                                     const struct skep_run_opts *opts, struct skep_pipe_result *ret,
                                     skep_err *err);

/* How each stage would be answered, "by the store" or "row by row"; the store is asked for the
 * types of fields.  Returns as skep_store_run. */
SKEP_NODISCARD skep_rc skep_pipe_explain(struct skep_store *store, const struct skep_pipe *p,
                                         const struct skep_run_opts *opts, skep_str **ret,
                                         unsigned *ret_n, skep_err *err);

enum { SKEP_PIPE_TEXT_BYTES = 64 };
/* A value of a column as text; in out[SKEP_PIPE_TEXT_BYTES] or the value itself.  `time`: the
 * column's.  Null has none (p == NULL). */
skep_str skep_pipe_text(const skep_value *v, bool time, char out[SKEP_PIPE_TEXT_BYTES]);
