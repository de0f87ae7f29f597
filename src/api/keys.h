// SPDX-License-Identifier: Apache-2.0
/* What the page's and Honeycomb's endpoints for keys and environments share. */
#pragma once

#include <yyjson.h>

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
/* What follows of it for the rest; alone, when `skep key` or `skep env` changed something beside
 * the server.  Fits skep_auth_hear. */
void skep_api__environments_changed(void *api);

/* Refuses with 403 and returns false unless the caller is of all environments: what belongs to no
 * single one is not for the keys of one. */
bool skep_api__may_all(struct skep_api__job *job);

/* --- bodies and answers --- */

/* The body's object; NULL after a refusal.  Free it. */
yyjson_doc *skep_api__body_object(struct skep_api__job *job);
/* A text of an object, in the job's arena; empty when it is absent or no text. */
skep_str skep_api__member(struct skep_api__job *job, yyjson_val *obj, const char *member);
/* 400 about a member of the body. */
void skep_api__fail_field(struct skep_api__job *job, const char *field, const char *text);
/* An instant as a decimal text, or null for 0. */
void skep_api__put_ns(struct skep_json *json, skep_str key, int64_t ns);
void skep_api__put_rights(struct skep_json *json, unsigned rights);
/* {"ok":true}, or what went wrong. */
void skep_api__end_ok(struct skep_api__job *job, skep_rc rc, const skep_err *err);
/* The same once the gate knows of a change. */
void skep_api__end_change(struct skep_api__job *job, skep_rc rc, const skep_err *err);

/* --- the audit log (page_audit.c) --- */

/* Note that the caller did something to something.  A failure is logged and changes nothing. */
void skep_api__audit(struct skep_api__job *job, const char *what, skep_str on);
/* The same with a name instead of the caller's: "user ann". */
void skep_api__audit_by(struct skep_api__job *job, skep_str who, const char *what, skep_str on);
void skep_api__audit_key(struct skep_api__job *job, const char *what,
                         const struct skep_state_key *k);

/* A handler that does its work on a worker. */
#define SKEP_API__HANDLER(name, work)                                                              \
    static void name(void *ctx, struct skep_request *req)                                          \
    {                                                                                              \
        skep_api__run(ctx, req, work);                                                             \
    }
