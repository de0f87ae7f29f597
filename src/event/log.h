// SPDX-License-Identifier: Apache-2.0
/* What log lines have beside the row's columns, and what their own fields may be called: for wires
 * that bring them, languages that ask about them, APIs that give them back. */
#pragma once

#include "event/event.h"

/* The log stream of a line that came through CloudWatch Logs: an intrinsic field. */
#define SKEP_LOG_STREAM SKEP_STR("log.stream")
/* Of other lines: the first of these that they have, else SKEP_LOG_STREAM_NONE. */
#define SKEP_LOG_STREAM_ELSE SKEP_STR("service.instance.id")
#define SKEP_LOG_STREAM_NONE SKEP_STR("default")
/* Octets of the line as UTF-8: an intrinsic field. */
#define SKEP_LOG_BYTES SKEP_STR("log.bytes")

/* Before a name that is another thing of every row: SKEP_LOG_RENAMED + "timestamp". */
#define SKEP_LOG_RENAMED SKEP_STR("message.")

/* Is `key`, a field that a line itself has, the name of something that the row of every line has
 * (body, timestamp, severity, dataset, meta.* ...)?  Then its field is called SKEP_LOG_RENAMED +
 * key. */
bool skep_log_renamed(skep_str key);
