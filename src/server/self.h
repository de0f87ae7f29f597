// SPDX-License-Identifier: Apache-2.0
/* What the server does for itself while it runs. */
#pragma once

#include "api/api.h"
#include "ingest/ingest.h"

struct skep_self;

struct skep_self_config {
    const struct skep_os *os;
    struct skep_ingest *ingest;
    struct skep_store *store;
    struct skep_budget *queries; /* of the question that reads the probe back */
    int64_t probe_interval_ns;   /* 0 = no probe */
};

/* cfg is copied; what it points to outlives it.  Owns: caller, skep_self_free. */
struct skep_self *skep_self_new(const struct skep_self_config *cfg);
/* Start the thread. */
void skep_self_start(struct skep_self *s);
/* No probe begins any more, none is under way when it returns: before the store closes.  NULL is
 * fine. */
void skep_self_quiesce(struct skep_self *s);
/* End the thread: after the last request was answered, so that all counts are kept.  NULL is fine.
 */
void skep_self_free(struct skep_self *s);
/* What the probe found so far; ctx is the skep_self.  Threads: any. */
void skep_self_stats(void *ctx, struct skep_api_self *ret);
