// SPDX-License-Identifier: Apache-2.0
/* What the page's and Honeycomb's endpoints for keys and environments share. */
#pragma once

#include "api/api_priv.h"
#include "auth/auth.h"

/* What the caller of a job may administer: all environments (slug ""), or its key's own. */
struct skep_api__scope_of_keys {
    skep_str environment; /* "" = all */
    unsigned rights;      /* what it may give to others */
};
struct skep_api__scope_of_keys skep_api__keys_scope(struct skep_api__job *job);
/* True if the caller may see and change what belongs to an environment ("" = to all). */
static inline bool skep_api__keys_may(const struct skep_api__scope_of_keys *scope,
                                      skep_str environment)
{
    return scope->environment.n == 0 || skep_str_eq(scope->environment, environment);
}
/* The key with an id, if it is there and the caller may see it.
 * Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_api__keys_find(struct skep_api__job *job, skep_str id,
                                           struct skep_state_key *ret, skep_err *err);
/* Make a key within the caller's scope, and have it known before the answer.
 * Returns as skep_auth_issue, and SKEP_EFORBIDDEN. */
SKEP_NODISCARD skep_rc skep_api__keys_issue(struct skep_api__job *job,
                                            const struct skep_issue *what, struct skep_issued *ret,
                                            skep_err *err);
/* Make a change known to the gate; a failure to read is logged by the auth's own thread. */
void skep_api__keys_changed(struct skep_api__job *job);

/* A handler that does its work on a worker. */
#define SKEP_API__HANDLER(name, work)                                                              \
    static void name(void *ctx, struct skep_request *req)                                          \
    {                                                                                              \
        skep_api__run(ctx, req, work);                                                             \
    }
