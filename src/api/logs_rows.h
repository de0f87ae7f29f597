// SPDX-License-Identifier: Apache-2.0
/* Filters that select lines; all in the arena given. */
#pragma once

#include "plan/plan.h"

/* y NULL = x. */
struct skep_expr *skep_logs_rows_and(struct skep_arena *a, const struct skep_expr *x,
                                     const struct skep_expr *y);
/* Log lines. */
struct skep_expr *skep_logs_rows_lines(struct skep_arena *a);
/* Those of a group, beside the plan's dataset. */
struct skep_expr *skep_logs_rows_of_group(struct skep_arena *a, skep_str group);
struct skep_expr *skep_logs_rows_of_groups(struct skep_arena *a, const skep_str *groups, size_t n);
/* Lines of any of the streams, by whole name or by prefix. */
struct skep_expr *skep_logs_rows_of_streams(struct skep_arena *a, const skep_str *names, size_t n,
                                            bool prefix);
