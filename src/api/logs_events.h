// SPDX-License-Identifier: Apache-2.0
/* Lines as CloudWatch Logs' operations read them. */
#pragma once

#include "api/logs_ids.h"
#include "api/logs_priv.h"

/* Rows of a group in the columns that skep_api__logs_line reads: all times, oldest first. */
struct skep_plan skep_api__logs_plan(skep_str group, const struct skep_expr *filter,
                                     unsigned limit);

struct skep_logs_line {
    struct skep_logs_place place;
    skep_ts_ns received_ns;
    skep_str stream, message;
};
/* Texts are the row's, or the arena's. */
struct skep_logs_line skep_api__logs_line(struct skep_arena *a, const struct skep_row *row);

/* Let *filter demand a filter pattern, too; false after an error was sent. */
SKEP_NODISCARD bool skep_api__logs_narrow(struct skep_api__logs *l, skep_str pattern,
                                          const struct skep_expr **filter);
