// SPDX-License-Identifier: Apache-2.0
/* Export tasks: lines of a log group to files on the server's disk. */
#pragma once

#include "base/arena.h"
#include "plan/plan.h"

struct skep_api;
struct skep_logs_exports;

/* What a task writes; texts are copied. */
struct skep_logs_export {
    skep_str environment, id, group;
    skep_str dir; /* relative to the server's folder of exports */
    const skep_str *streams;
    size_t n_streams;
    struct skep_time_range range;
};

/* No task runs yet. */
struct skep_logs_exports *skep_logs_exports_new(struct skep_api *api);
/* NULL is fine; no task runs any more (skep_api__tails_wait). */
void skep_logs_exports_free(struct skep_logs_exports *x);

/* Begin a task on a thread of its own.  Returns SKEP_OK | ELIMIT (one is running). */
SKEP_NODISCARD skep_rc skep_logs_export_start(struct skep_logs_exports *x,
                                              const struct skep_logs_export *task, skep_err *err);
/* Is it running?  With cancel: it ends soon, as CANCELLED. */
bool skep_logs_export_running(struct skep_logs_exports *x, skep_str environment, skep_str id,
                              bool cancel);
