// SPDX-License-Identifier: Apache-2.0
/* What RQL asks that is not in a row: of its item, of its occurrence's other reports, of deploys.
 */
#pragma once

#include "api/items.h"
#include "lang/rql.h"

/* Values of columns that are not in a row; what is empty, or never was, is null. */
static inline skep_value skep_api__rql_whole(int64_t i)
{
    return (skep_value){.type = SKEP_TYPE_INT, .i = i};
}

static inline skep_value skep_api__rql_text(skep_str s)
{
    return s.n ? (skep_value){.type = SKEP_TYPE_STRING, .s = s}
               : (skep_value){.type = SKEP_TYPE_NULL};
}

static inline skep_value skep_api__rql_seconds(skep_ts_ns ns)
{
    return ns ? skep_api__rql_whole(ns / 1000000000) : (skep_value){.type = SKEP_TYPE_NULL};
}

struct skep_api__rql_items;
/* What a question knows; ctx of the functions below.  In the job's arena. */
struct skep_api__rql {
    struct skep_api__job *job;
    skep_str environment;
    struct skep_api__rql_items *items;
    const uint64_t *left_out; /* reports of occurrences that another one stands for; ascending */
    size_t n_left_out;
    struct skep_pipe_source deploys;
    unsigned n_deploys; /* that were read */
};

/* Make it ready.  Returns SKEP_OK | SKEP_ENOMEM | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_api__rql_begin(struct skep_api__job *job, struct skep_api__rql *x,
                                           struct skep_rql_opts *ret, skep_err *err);

/* --- rollbar_rql_items.c --- */
struct skep_api__rql_items *skep_api__rql_items(struct skep_api__job *job);
struct skep_calc *skep_api__rql_item(void *ctx, struct skep_arena *a, skep_str name,
                                     struct skep_calc *fingerprint, struct skep_calc *stage);
struct skep_calc *skep_api__rql_id(void *ctx, struct skep_arena *a, struct skep_calc *row_id);
/* A function that is no language's: of x and, where it is not NULL, y. */
struct skep_calc *skep_api__rql_call(struct skep_arena *a, const struct skep_calc_fn *fn,
                                     struct skep_calc *x, struct skep_calc *y);
/* The occurrence's number, of its row id as a text ("time_ns.12-7"); false: it is none. */
bool skep_api__rql_number(skep_str row_id, int64_t *ret);
