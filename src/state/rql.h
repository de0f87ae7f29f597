// SPDX-License-Identifier: Apache-2.0
/* RQL jobs: a question of Rollbar's language, and its answer until it is too old. */
#pragma once

#include "state/state.h"

enum skep_rql_status { /* in the database; never reuse */
                       SKEP_RQL_RUNNING = 1,
                       SKEP_RQL_SUCCESS = 2,
                       SKEP_RQL_FAILED = 3,
                       SKEP_RQL_CANCELLED = 4
};

struct skep_rql_job {
    int64_t id;
    skep_str environment, query;
    enum skep_rql_status status;
    int64_t created_ns, modified_ns;
    skep_str result; /* SUCCESS: JSON; FAILED: text for people */
};

enum { /* of an environment: beyond it the oldest go */
       SKEP_RQL_JOBS_MAX = 200,
       SKEP_RQL_RESULT_MAX = 2 << 20
};

/* A new one, running.  Returns SKEP_OK | SKEP_EIO | SKEP_ENOSPC. */
SKEP_NODISCARD skep_rc skep_state_rql_begin(struct skep_state *s, skep_str environment,
                                            skep_str query, skep_ts_ns now_ns, int64_t *ret_id,
                                            skep_err *err);
/* Its end, if it runs: one that was cancelled stays so.  Returns as begin. */
SKEP_NODISCARD skep_rc skep_state_rql_end(struct skep_state *s, skep_str environment, int64_t id,
                                          enum skep_rql_status status, skep_str result,
                                          skep_ts_ns now_ns, skep_err *err);
/* Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_rql_get(struct skep_state *s, skep_str environment, int64_t id,
                                          struct skep_arena *arena, struct skep_rql_job *ret,
                                          skep_err *err);
/* Without results, the newest first. */
SKEP_NODISCARD skep_rc skep_state_rql_list(struct skep_state *s, skep_str environment,
                                           struct skep_arena *arena, struct skep_rql_job **ret,
                                           size_t *ret_n, skep_err *err);
