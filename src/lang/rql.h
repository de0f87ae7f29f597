// SPDX-License-Identifier: Apache-2.0
/* RQL, Rollbar's SELECT: a text -> a pipeline (query/pipe.h).
 *
 *   SELECT a, count(*) [AS n], ... | *  FROM item_occurrence | deploy
 *   [WHERE cond] [GROUP BY a | 1, ...] [ORDER BY a | 1 [ASC|DESC], ...] [LIMIT [off,] n]
 *
 * What Rollbar's grammar does not have (joins, HAVING, DISTINCT, subqueries) is refused by name. */
#pragma once

#include "lang/honeycomb.h"
#include "query/pipe.h"

enum { SKEP_LIMIT_RQL_BYTES = 10000, SKEP_RQL_ROWS = 1000 /* of an answer */ };

struct skep_rql_opts {
    skep_ts_ns now_ns;
    /* Columns that are not in a row.  They return the value, in the arena; NULL: no such column.
     * item  "item.NAME" of the row's fingerprint and of where it runs
     * id    the occurrence's number, of its row id as a text ("time_ns.12-7") */
    struct skep_calc *(*item)(void *ctx, struct skep_arena *a, skep_str name,
                              struct skep_calc *fingerprint, struct skep_calc *stage);
    struct skep_calc *(*id)(void *ctx, struct skep_arena *a, struct skep_calc *row_id);
    /* Some occurrences have several reports (inbox/twins.h): the value is whether the row is the
     * one that stands for its occurrence.  NULL: every row does. */
    struct skep_calc *(*stands)(void *ctx, struct skep_arena *a, struct skep_calc *row_id);
    /* The rows of the table `deploy`, and which columns they have. */
    bool (*deploy_column)(void *ctx, skep_str name);
    const struct skep_pipe_source *deploys;
    void *ctx;
};

struct skep_rql {
    struct skep_pipe *pipe; /* its limit counts the rows of `offset`, too */
    uint64_t offset;        /* rows of the answer to leave out */
};

/* Read a query.  All of the result lives in the arena.
 * Returns SKEP_OK | EINVAL (issue.at, issue.end: the bytes it is about). */
SKEP_NODISCARD skep_rc skep_lang_rql(skep_str text, const struct skep_rql_opts *opts,
                                     struct skep_arena *a, struct skep_rql *ret,
                                     struct skep_lang_issue *issue);
