// SPDX-License-Identifier: Apache-2.0
/* Logs Insights queries that were started through CloudWatch Logs' API: at work, and their answers
 * for a while. */
#pragma once

#include "api/api_priv.h"
#include "query/pipe.h"

enum {
    SKEP_LIMIT_LOGS_QUERIES = 1000,            /* remembered, of all environments */
    SKEP_LIMIT_LOGS_QUERY_BYTES = 64 << 20,    /* of one answer */
    SKEP_LIMIT_LOGS_ANSWERS_BYTES = 256 << 20, /* of all that are kept; and an eighth of memory */
    SKEP_LOGS_QUERY_KEPT_S = 3600              /* after it has ended */
};

enum skep_logs_query_status {
    SKEP_LOGS_QUERY_SCHEDULED,
    SKEP_LOGS_QUERY_RUNNING,
    SKEP_LOGS_QUERY_COMPLETE,
    SKEP_LOGS_QUERY_FAILED,
    SKEP_LOGS_QUERY_CANCELLED
};

/* What is known of a query; a copy in the caller's arena. */
struct skep_logs_query {
    char id[36];
    skep_str environment, text, groups; /* groups: names, each ended by '\n' */
    enum skep_logs_query_status status;
    skep_ts_ns created_ns;
    int64_t elapsed_ns;
    uint64_t scanned, matched, bytes, n_groups, n_rows;
};

struct skep_logs_queries;
/* What is kept of answers is charged to a child of `budget`.  Owns: skep_logs_queries_free. */
struct skep_logs_queries *skep_logs_queries_new(struct skep_budget *budget);
/* No query runs any more. */
void skep_logs_queries_free(struct skep_logs_queries *s);

/* Enter a query (id, environment, text, groups, n_groups, created_ns are copied): Running from now
 * on.  The oldest that have ended make room.
 * Returns SKEP_OK | ELIMIT (all of them run) | ENOMEM. */
SKEP_NODISCARD skep_rc skep_logs_queries_begin(struct skep_logs_queries *s,
                                               const struct skep_logs_query *q);
/* Was it told to stop?  Threads: any. */
bool skep_logs_queries_stopped(struct skep_logs_queries *s, const char id[36]);
/* It has ended, with rows as JSON: rows[n_rows], one text behind the other in `json`, each ended by
 * ','; ends[i] is where row i ends.  Copies. */
void skep_logs_queries_end(struct skep_logs_queries *s, const struct skep_logs_query *q,
                           skep_str json, const uint32_t *ends);
/* False: there is no such query in the environment (any more). */
SKEP_NODISCARD bool skep_logs_queries_get(struct skep_logs_queries *s, skep_str environment,
                                          skep_str id, struct skep_arena *a,
                                          struct skep_logs_query *ret);
/* Rows [from, from + n) of its answer, with commas between; *ret_n of them. */
void skep_logs_queries_rows(struct skep_logs_queries *s, skep_str id, size_t from, size_t n,
                            struct skep_arena *a, skep_str *ret, size_t *ret_n);
/* Tell it to stop; false: it does not run. */
bool skep_logs_queries_stop(struct skep_logs_queries *s, skep_str environment, skep_str id);
/* All of an environment, newest first. */
void skep_logs_queries_list(struct skep_logs_queries *s, skep_str environment, struct skep_arena *a,
                            struct skep_logs_query **ret, size_t *ret_n);
/* Forget what ended so long ago. */
void skep_logs_queries_age(struct skep_logs_queries *s, skep_ts_ns now_ns);
