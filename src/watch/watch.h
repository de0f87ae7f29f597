// SPDX-License-Identifier: Apache-2.0
/* Questions that are asked again and again: when each is due, what its answers make of it, and that
 * what is to be told is told once.
 *
 *   rule (the caller's) -> slots: multiples of `every` since 1970, inside the window
 *   slot -> ask (the caller's) -> step: fired, resolved, again or nothing -> state, one transaction
 *        -> tell (the caller's) -> told
 *
 * Nothing here knows what is asked, or who is told. */
#pragma once

#include "base/budget.h"
#include "os/os.h"
#include "state/watches.h"

/* When slots count: `days` has bit 0 for Sunday; minutes of the day in UTC.  An end at or before
 * the start is one of the next day. */
struct skep_watch_window {
    unsigned days; /* 0 = always */
    int start_min, end_min;
};

struct skep_watch_rule {
    skep_str environment, id;
    int64_t every_ns; /* at least a second */
    struct skep_watch_window window;
    unsigned limit;     /* evaluations in a row that must meet the condition; at least 1 */
    bool each_time;     /* told at each evaluation that meets it, not at the first alone */
    int64_t created_ns; /* no slot before it is asked */
    int kind;           /* the caller's, as is: */
    skep_str body;
};

struct skep_watch_answer {
    bool has_value, met;
    double value;
    skep_str detail; /* JSON for `tell`, at most SKEP_WATCH_DETAIL_BYTES */
};

struct skep_watch_ask {
    const struct skep_watch_rule *rule;
    int64_t slot_ns; /* as of when */
    struct skep_arena *arena;
    struct skep_budget *budget;
    bool (*canceled)(void *ctx);
    void *ctx;
};

struct skep_watch_config {
    const struct skep_os *os;
    struct skep_state *state;
    struct skep_budget *budget; /* of an evaluation; may be NULL */
    void *ctx;
    /* All rules there are now, in the arena. */
    skep_rc (*rules)(void *ctx, struct skep_arena *arena, struct skep_watch_rule **ret,
                     size_t *ret_n, skep_err *err);
    /* Ask a rule's question.  A failure is kept as an evaluation that decides nothing. */
    skep_rc (*ask)(void *ctx, const struct skep_watch_ask *q, struct skep_watch_answer *ret,
                   skep_err *err);
    /* Tell who is to hear of it.  Called again with the same evaluation until it returns SKEP_OK,
     * also after a restart: each thing it says must be recognisable by e->number. */
    skep_rc (*tell)(void *ctx, const struct skep_evaluation *e, struct skep_arena *arena,
                    skep_err *err);
};

struct skep_watch;

/* cfg is copied, what it points to outlives it.  Nothing runs before skep_watch_start. */
struct skep_watch *skep_watch_new(const struct skep_watch_config *cfg);
/* Start the thread: what was not told yet is told, what is due is asked. */
void skep_watch_start(struct skep_watch *w);
/* Ends a running question and the thread; who asks later is told that it was canceled.  Twice is
 * fine. */
void skep_watch_stop(struct skep_watch *w);
/* After the last call of others.  NULL is fine. */
void skep_watch_free(struct skep_watch *w);
/* Rules were made, changed or dropped.  Threads: any. */
void skep_watch_changed(struct skep_watch *w);
/* The same of one whose object is gone: what was known of it goes, too, and what an evaluation that
 * runs will have found.  Does not wait for it (but behind 64 others that were dropped meanwhile).
 * Returns as skep_state_drop_watch.  Threads: any but I/O threads. */
SKEP_NODISCARD skep_rc skep_watch_drop(struct skep_watch *w, skep_str environment, skep_str id,
                                       skep_err *err);
/* What the thread does when it wakes: ask all that is due, tell all that is not told.  For it, and
 * for tests without it.  Returns the instant of the next slot, or of what is to be tried again;
 * INT64_MAX without rules. */
int64_t skep_watch_look(struct skep_watch *w);
/* Evaluate one rule as of now, whatever its slots and window, and keep what came of it like every
 * evaluation.
 *
 * Returns SKEP_OK | SKEP_ENOTFOUND (no such rule) | as state.  Threads: any but I/O threads. */
SKEP_NODISCARD skep_rc skep_watch_evaluate(struct skep_watch *w, skep_str environment, skep_str id,
                                           struct skep_arena *arena, struct skep_evaluation *ret,
                                           skep_err *err);

/* --- the pure parts --- */

/* Does the window hold this instant? */
bool skep_watch_in_window(const struct skep_watch_window *w, int64_t at_ns);
/* The first slot after an instant. */
int64_t skep_watch_next(const struct skep_watch_rule *r, int64_t after_ns);
/* The last slot in (after_ns, now_ns]; 0 = none: earlier ones that were missed are not made up.  An
 * after_ns more than an interval ahead of now is of a clock that was set back, and stops nothing.
 */
int64_t skep_watch_due(const struct skep_watch_rule *r, int64_t after_ns, int64_t now_ns);
/* What an answer makes of a watch: *s is changed, e's met, triggered, event and told are set. */
void skep_watch_step(const struct skep_watch_rule *r, bool met, int64_t slot_ns,
                     struct skep_watch_state *s, struct skep_evaluation *e);
