// SPDX-License-Identifier: Apache-2.0
/* What is known of questions that are asked again and again and compared with a threshold: when
 * each is asked next, whether it is triggered, and what its last evaluations gave.
 *
 * Everything belongs to an environment and goes with it.  Every call may wait for the disk.
 * Threads: any. */
#pragma once

#include "state/state.h"

enum {
    SKEP_WATCH_EVALUATIONS_MAX = 500,    /* kept of a watch; the oldest go */
    SKEP_WATCH_DETAIL_BYTES = 256 << 10, /* of an evaluation */
};

struct skep_watch_state {
    skep_str environment, id;
    int64_t slot_ns;      /* of the last evaluation; 0 = none yet */
    bool triggered;       /* crossed and not resolved */
    unsigned streak;      /* evaluations in a row that met the condition */
    int64_t triggered_ns; /* since when */
};

/* What an evaluation made of its watch.  Numbers are on disk; never reuse. */
enum skep_watch_event {
    SKEP_WATCH_NOTHING = 0,
    SKEP_WATCH_FIRED = 1,
    SKEP_WATCH_RESOLVED = 2,
    SKEP_WATCH_AGAIN = 3 /* still met, and told each time */
};

struct skep_evaluation {
    int64_t number;  /* grows */
    int64_t slot_ns; /* the instant it is about */
    int64_t took_ns; /* how long the question took */
    bool has_value;
    double value; /* what decided */
    bool met, triggered;
    enum skep_watch_event event;
    bool told;       /* nothing is left to be told of it */
    skep_str error;  /* "" = it could be asked */
    skep_str detail; /* JSON: what its message says */
    skep_str environment, watch;
};

/* All that have one; texts in the arena.  environment NULL = all.  Returns SKEP_OK | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_watches(struct skep_state *s, const skep_str *environment,
                                          struct skep_arena *arena, struct skep_watch_state **ret,
                                          size_t *ret_n, skep_err *err);
/* Keep an evaluation together with what its watch is now, or neither; e->number is set.
 * Returns SKEP_OK | SKEP_EIO | SKEP_ENOSPC. */
SKEP_NODISCARD skep_rc skep_state_note_evaluation(struct skep_state *s,
                                                  const struct skep_watch_state *w,
                                                  struct skep_evaluation *e, skep_err *err);
/* Nothing is left to be told of it. */
SKEP_NODISCARD skep_rc skep_state_evaluation_told(struct skep_state *s, int64_t number,
                                                  skep_err *err);
/* Of a watch, newest first, numbers below `before` (0 = all): ret[n]; *ret_n <= n. */
SKEP_NODISCARD skep_rc skep_state_evaluations(struct skep_state *s, skep_str environment,
                                              skep_str watch, int64_t before,
                                              struct skep_arena *arena, struct skep_evaluation *ret,
                                              size_t n, size_t *ret_n, skep_err *err);
/* The newest of a watch without its detail, which may be large; *ret_found: there is one. */
SKEP_NODISCARD skep_rc skep_state_evaluation_last(struct skep_state *s, skep_str environment,
                                                  skep_str watch, struct skep_arena *arena,
                                                  struct skep_evaluation *ret, bool *ret_found,
                                                  skep_err *err);
/* Those of all watches of which something is left to be told, oldest first, at most n. */
SKEP_NODISCARD skep_rc skep_state_evaluations_untold(struct skep_state *s, struct skep_arena *arena,
                                                     struct skep_evaluation *ret, size_t n,
                                                     size_t *ret_n, skep_err *err);
/* Forget a watch and its evaluations; none is fine. */
SKEP_NODISCARD skep_rc skep_state_drop_watch(struct skep_state *s, skep_str environment,
                                             skep_str id, skep_err *err);
