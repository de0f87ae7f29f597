// SPDX-License-Identifier: Apache-2.0
/* What the ledger gives the adapters. */
#pragma once

#include "ingest/ingest.h"
#include "os/thread.h"

struct skep_ledger__counters {
    _Atomic uint64_t received, stored, duplicate, rejected[SKEP_REJECTION_COUNT];
};

struct skep_ingest {
    struct skep_ingest_config cfg;
    struct skep_ledger__counters otlp[SKEP_SIGNAL_COUNT];
    struct skep_mutex lock; /* of the two below */
    struct skep_ingest_event last[SKEP_INGEST_LAST];
    uint64_t n_last; /* ever noted; the newest is last[(n_last - 1) % SKEP_INGEST_LAST] */
};

/* The rejection a failed request is counted under. */
enum skep_rejection skep_ingest__rejection(skep_rc rc);

/* Note a request in the ring of the last ones. */
void skep_ingest__note(struct skep_ingest *in, const struct skep_request *req, int status,
                       skep_str error);

static inline void skep_ledger__add(_Atomic uint64_t *counter, uint64_t n)
{
    /* Counters are independent; a snapshot need not be a moment in time. */
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}
