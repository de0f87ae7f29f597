// SPDX-License-Identifier: Apache-2.0
/* Endpoints: the page's own API (docs/api/page.md), Honeycomb's API, the embedded page.
 *
 * Handlers run on I/O threads and only start work; questions run on the api's own workers. */
#pragma once

#include "lang/honeycomb.h"
#include "net/net.h"
#include "os/os.h"
#include "state/state.h"
#include "store/store.h"
#include "wire/json_out.h"

struct skep_api;
struct skep_auth;
struct skep_ingest;
struct skep_notify;
struct skep_oidc;
struct skep_symbols;
struct skep_tell_form;

/* What the server finds when it writes to itself and reads it back (src/server/self.c). */
struct skep_api_self {
    int64_t interval_ns; /* 0 = it does not */
    uint64_t attempts, failures;
    skep_ts_ns last_ns;      /* of the last attempt; 0 = none yet */
    skep_ts_ns last_good_ns; /* of the last that succeeded; 0 = none yet */
    int64_t ack_ns;          /* last good one: until it was acknowledged, */
    int64_t visible_ns;      /* then until a question had it, */
    unsigned queries;        /* the how manyeth */
    char error[168];         /* of the last attempt; "" = it succeeded */
};

/* Who hears of the work of requests that go to the workers, to trace it.  Threads: the workers'. */
struct skep_api_watch {
    /* request: skep_request.watched.  Returns what `ended` is given; 0 = not to be told. */
    uint64_t (*begun)(void *ctx, uint64_t request); /* NULL = nobody */
    /* kind, outcome: static texts; environment: borrowed. */
    void (*ended)(void *ctx, uint64_t work, skep_str kind, skep_str environment, skep_str outcome,
                  uint64_t rows_scanned);
    void *ctx;
};

struct skep_api_config {
    const struct skep_os *os;
    struct skep_store *store;
    struct skep_state *state;
    struct skep_auth *auth;
    struct skep_oidc *oidc;         /* NULL = nobody logs in through an identity provider */
    const char *key_file;           /* as auth has it */
    const char *export_dir;         /* where export tasks of log groups write; made when needed */
    struct skep_net *net;           /* for the list of listeners and its counters */
    unsigned n_listeners;           /* addresses of net to show */
    struct skep_budget *memory;     /* the process's root, shown in the status */
    struct skep_budget *queries;    /* parent of each query's budget */
    struct skep_budget *budgets[8]; /* shown in /metrics, by their names */
    unsigned n_budgets;
    skep_str version;
    unsigned n_workers;                                 /* 0 = cores, at least 4 */
    void (*self)(void *ctx, struct skep_api_self *ret); /* NULL = there is none */
    void *self_ctx;
    struct skep_ingest *ingest;   /* for the ledger and the last requests */
    struct skep_symbols *symbols; /* originals of frames of errors; NULL = none */
    struct skep_notify *notify;
    bool mail;                /* the notifier has a mail server */
    const char *public_url;   /* put before addresses of the page in messages; NULL = nothing */
    const char *pagerduty;    /* where its events go; NULL = its usual address */
    struct skep_inbox *inbox; /* of errors: keeps the items */
    struct skep_api_watch watch;
};

/* What webhooks can be sent of items in place of skep's own message; for the inbox's rules. */
const struct skep_tell_form *skep_api_item_forms(size_t *ret_n);

/* cfg      copied; what it points to outlives the api.  Starts the workers. */
struct skep_api *skep_api_new(const struct skep_api_config *cfg);
/* Register all routes; before skep_net_start.  Returns as skep_net_routes. */
SKEP_NODISCARD skep_rc skep_api_routes(struct skep_api *api, struct skep_net *net, skep_err *err);
/* Cancel running questions and live tails; later requests get 503.  Does not wait. */
void skep_api_begin_stop(struct skep_api *api);
/* Waits for what is running.  After skep_net_stop (no handler runs any more).  NULL is fine. */
void skep_api_free(struct skep_api *api);

/* Let texts name the derived columns of an environment: fills lang's, in the arena.  Every question
 * gets to know them here, whoever reads it.  Waits for the disk.  Returns SKEP_OK | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_api_derived(struct skep_state *state, skep_str environment,
                                        struct skep_arena *arena, struct skep_lang_opts *lang,
                                        skep_err *err);

enum {
    SKEP_LIMIT_API_BODY_BYTES = 1 << 20, /* a question */
    SKEP_LIMIT_API_PENDING = 256,        /* questions waiting for a worker: more get 503 */
    SKEP_LIMIT_API_TAILS = 32,
    SKEP_LIMIT_API_LOGINS = 32 /* that wait for the identity provider */
};
