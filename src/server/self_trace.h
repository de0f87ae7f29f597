// SPDX-License-Identifier: Apache-2.0
/* --self-trace: the server's requests and questions as spans of its own. */
#pragma once

#include "api/api.h"
#include "ingest/ingest.h"
#include "net/net.h"

struct skep_self_trace;

/* Traces from now on; spans are stored through `ingest`, which outlives it.  NULL without memory.
 */
struct skep_self_trace *skep_self_trace_new(struct skep_ingest *ingest);
/* Who hears of requests, and of the work on them; both do nothing for NULL. */
struct skep_net_watch skep_self_trace_requests(struct skep_self_trace *t);
struct skep_api_watch skep_self_trace_work(struct skep_self_trace *t);
/* Store what has ended, then no more: before the store closes.  NULL is fine. */
void skep_self_trace_stop(struct skep_self_trace *t);
/* After the last request was answered.  NULL is fine. */
void skep_self_trace_free(struct skep_self_trace *t);
