// SPDX-License-Identifier: Apache-2.0
/* Ids of log events, and the paging tokens made of them: 56 digits that sort by time.
 *
 *   number: ms since 1970 << 144 | rest of the ns, 20 bits << 124 | seq << 60 | ordinal << 28 |
 * check
 *
 * AWS's are of the same form: the upper bits are the event's milliseconds, which clients read.  An
 * id stays the same for as long as the row is there. */
#pragma once

#include "base/arena.h"
#include "event/event.h"

/* A place in the order of a group's lines: by time, then by arrival. */
struct skep_logs_place {
    skep_ts_ns time_ns; /* before 1970 counts as 1970 */
    skep_row_id id;
};

enum { SKEP_LOGS_ID_BYTES = 64 };
/* Its digits, in out (no NUL). */
skep_str skep_logs_id(const struct skep_logs_place *p, char out[SKEP_LOGS_ID_BYTES]);
/* False: these are not the digits of a place. */
SKEP_NODISCARD bool skep_logs_id_read(skep_str digits, struct skep_logs_place *ret);
