// SPDX-License-Identifier: Apache-2.0
/* Runs: questions that were asked, with their answers as they were.
 *
 * What a run has cost and who asked is kept with it; its answer is packed by its maker and opaque
 * here.  Bounded: the oldest make room (SKEP_RUNS_*), those that are starred or named stay until
 * somebody lets go of them.  Everything belongs to an environment and goes with it. */
#pragma once

#include "state/state.h"

enum {
    SKEP_RUNS_MAX = 10000,     /* of an environment */
    SKEP_RUNS_KEPT_MAX = 1000, /* of these starred or named */
    SKEP_RUN_NAME_MAX = 320,
    SKEP_RUN_QUESTION_MAX = 8 << 10, /* what is larger is not kept: a list looks through all */
    SKEP_RUN_PATH_MAX = 8 << 10
};
static const uint64_t SKEP_RUNS_BYTES = 128ull << 20; /* of an environment's answers, packed */
static const int64_t SKEP_RUNS_AGE_NS = 90ll * 86400 * 1000000000; /* of those nobody keeps */

struct skep_run {
    skep_state_id id;
    int64_t number; /* grows: for pages */
    skep_str environment;
    skep_str owner; /* who asked, for machines: "u7", "k3"; "" = anybody */
    skep_str actor; /* and for people */
    skep_str name;
    bool starred;
    skep_str question; /* as it was asked */
    skep_str path;     /* its address in the page */
    uint64_t same;     /* hash of the question: equal = asked again */
    int64_t created_ns, elapsed_ns;
    uint64_t rows_examined;
    uint64_t bytes;    /* of the answer, packed; 0 = it was too large to be kept */
    skep_bytes answer; /* put and get */
    uint64_t times;    /* lists with `once`: how often it was asked */
    bool instead;      /* put: those of the same owner and question that nobody keeps go */
};

/* Keep one; id and number are made.  Returns SKEP_OK | SKEP_EIO | SKEP_ENOSPC. */
SKEP_NODISCARD skep_rc skep_state_run_put(struct skep_state *s, const struct skep_run *r,
                                          skep_state_id *ret, skep_err *err);
/* Let go of what is too old by now, in all environments: a put looks at its own alone.
 * Returns SKEP_OK | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_runs_forget(struct skep_state *s, int64_t now_ns, skep_err *err);
/* With its answer.  Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_EIO | SKEP_ENOMEM. */
SKEP_NODISCARD skep_rc skep_state_run_get(struct skep_state *s, skep_str environment, skep_str id,
                                          struct skep_arena *arena, struct skep_run *ret,
                                          skep_err *err);

struct skep_run_list {
    skep_str environment;
    const skep_str *owner; /* NULL = of all */
    const skep_str *words; /* each in name, question or actor, whatever the case */
    unsigned n_words;
    bool kept;      /* starred or named */
    bool once;      /* of equal questions the newest, and those starred or named */
    int64_t before; /* number; 0 = from the newest */
    unsigned limit;
};
/* Without answers, the newest first. */
SKEP_NODISCARD skep_rc skep_state_runs(struct skep_state *s, const struct skep_run_list *which,
                                       struct skep_arena *arena, struct skep_run **ret,
                                       size_t *ret_n, skep_err *err);
/* Name it and star it.  Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_ELIMIT (too many, or too large
 * answers, are kept so) | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_run_set(struct skep_state *s, skep_str environment, skep_str id,
                                          skep_str name, bool starred, skep_err *err);
/* Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_run_drop(struct skep_state *s, skep_str environment, skep_str id,
                                           skep_err *err);
