// SPDX-License-Identifier: Apache-2.0
/* Endpoints: the page's own API (docs/api/page.md), Honeycomb's API, the embedded page.
 *
 * Handlers run on I/O threads and only start work; questions run on the api's own workers. */
#pragma once

#include "net/net.h"
#include "os/os.h"
#include "state/state.h"
#include "store/store.h"
#include "wire/json_out.h"

struct skep_api;

struct skep_api_config {
    const struct skep_os *os;
    struct skep_store *store;
    struct skep_state *state;
    struct skep_net *net;        /* for the list of listeners and its counters */
    unsigned n_listeners;        /* addresses of net to show */
    struct skep_budget *memory;  /* the process's root, shown in the status */
    struct skep_budget *queries; /* parent of each query's budget */
    skep_str version;
    unsigned n_workers; /* 0 = cores, at least 4 */
    /* Writes the members "ledger" and "last" of the status (docs/api/page.md); may be NULL. */
    void (*ingest_status)(void *ctx, struct skep_json *json);
    void *ingest_ctx;
};

/* cfg      copied; what it points to outlives the api.  Starts the workers. */
struct skep_api *skep_api_new(const struct skep_api_config *cfg);
/* Register all routes; before skep_net_start.  Returns as skep_net_routes. */
SKEP_NODISCARD skep_rc skep_api_routes(struct skep_api *api, struct skep_net *net, skep_err *err);
/* Cancel running questions and live tails; later requests get 503.  Does not wait. */
void skep_api_begin_stop(struct skep_api *api);
/* Waits for what is running.  After skep_net_stop (no handler runs any more).  NULL is fine. */
void skep_api_free(struct skep_api *api);

enum {
    SKEP_LIMIT_API_BODY_BYTES = 1 << 20, /* a question */
    SKEP_LIMIT_API_PENDING = 256,        /* questions waiting for a worker: more get 503 */
    SKEP_LIMIT_API_TAILS = 32
};
