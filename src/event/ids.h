// SPDX-License-Identifier: Apache-2.0
/* Ids of traces and spans that their sender wrote as text of its own. */
#pragma once

#include "event/event.h"

/* 16 or 32 hex digits, and those of a UUID, are the id they write; any other text is hashed to one,
 * the same for the same text.  Empty: none. */
skep_trace_id skep_trace_id_of(skep_str text);
/* Likewise; 16 hex digits. */
uint64_t skep_span_id_of(skep_str text);
/* Is the text just what the id is shown as? */
bool skep_trace_id_plain(skep_str text);
bool skep_span_id_plain(skep_str text);
