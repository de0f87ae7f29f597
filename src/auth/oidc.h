// SPDX-License-Identifier: Apache-2.0
/* Logging in through an identity provider: OpenID Connect's authorization code flow with PKCE.
 *
 *   page --begin--> provider (the person logs in there) --code--> finish --> user --> session
 *
 * Between the two, state, nonce and PKCE verifier lie in a cookie, sealed under a key of this
 * process: nothing is kept for who begins, and a login must end in the browser where it began.
 * The code is exchanged by the server, the ID token's signature and claims are checked
 * (oidc_token.c), and the person is a user by issuer and subject (`sub`), whatever name they have.
 */
#pragma once

#include "auth/login.h"

struct skep_oidc;

/* What becomes of a person whom no user here stands for. */
enum skep_oidc_users {
    SKEP_OIDC_KNOWN, /* refused, unless a user without a password waits under their name */
    SKEP_OIDC_NEW    /* a user is made */
};

struct skep_oidc_list {
    const char *const *items;
    unsigned n;
};

/* Texts are borrowed until skep_oidc_free. */
struct skep_oidc_config {
    const struct skep_os *os;
    const char *issuer; /* as the provider calls itself, to the letter */
    const char *client_id;
    const char *client_secret_file; /* its first line; NULL = a public client */
    const char *ca_file;            /* PEM; NULL = the system's authorities */
    const char *name;               /* for the button; NULL = the issuer's host */
    const char *scopes;             /* "openid profile email" */
    const char *public_url;         /* where browsers reach us; NULL = as the request says */
    enum skep_oidc_users users;
    struct skep_oidc_list domains;         /* of e-mail addresses that are let in; none = all */
    const char *role_claim;                /* whose values give a role; NULL = none */
    struct skep_oidc_list admins, viewers; /* values of it */
    bool has_role;                         /* who has none of these values has `role` ... */
    enum skep_role role;                   /* ... else is refused */
    int64_t session_s;                     /* a login's session ends after this at the latest */
    unsigned timeout_ms;                   /* of one request to the provider; 0 = 10,000 */
};

/* Reads the client's secret; the provider is asked at the first login.
 * Returns SKEP_OK | SKEP_EINVAL (the secret's file) | SKEP_EIO.  Threads: the owner. */
SKEP_NODISCARD skep_rc skep_oidc_new(const struct skep_oidc_config *cfg, struct skep_oidc **ret,
                                     skep_err *err);
/* No call may be under way.  NULL is fine. */
void skep_oidc_free(struct skep_oidc *o);
/* For the button.  Threads: any. */
skep_str skep_oidc_name(const struct skep_oidc *o);

/* The request that asks, as far as it matters. */
struct skep_oidc_visit {
    bool tls;
    skep_str host;           /* checked by net */
    skep_str cookie;         /* of skep_oidc_cookie */
    bool (*stop)(void *ctx); /* the server is stopping */
    void *stop_ctx;
};

/* Where to send the browser, and the cookie to give it.
 *
 * to       a path of the page to come back to, "/ui/..."; anything else is "/ui/home"
 * Returns  SKEP_OK (texts in the arena) | SKEP_EIO and others of the provider's
 * Threads: workers; waits for the provider if what is known of it is too old. */
SKEP_NODISCARD skep_rc skep_oidc_begin(struct skep_oidc *o, const struct skep_oidc_visit *visit,
                                       skep_str to, struct skep_arena *arena,
                                       skep_str *ret_location, skep_str *ret_cookie, skep_err *err);

/* What the provider sent the browser back with; may be empty. */
struct skep_oidc_return {
    skep_str state, code, error, error_description;
    skep_str peer;
    skep_str old; /* token of a session that ends with this login */
};

struct skep_oidc_entered {
    struct skep_logged_in in;
    bool made;         /* a new user */
    bool role_changed; /* by the role claim */
    bool vouched;      /* the visit was ours: a failure is worth the audit log */
};

/* Finish a login.  ret_to is where to go on, also after a failure.
 *
 * Returns  SKEP_OK | SKEP_EUNAUTHENTICATED (what came is no answer to what was asked, or is not
 *          right) | SKEP_EFORBIDDEN (the person may not) | SKEP_EIO, SKEP_ETIMEOUT, SKEP_ETOOLARGE
 *          (the provider)
 * Threads: workers; waits for the provider. */
SKEP_NODISCARD skep_rc skep_oidc_finish(struct skep_oidc *o, const struct skep_people *people,
                                        const struct skep_oidc_visit *visit,
                                        const struct skep_oidc_return *back,
                                        struct skep_arena *arena, struct skep_oidc_entered *ret,
                                        skep_str *ret_to, skep_err *err);

/* A failure's words in a cookie, for the login page to fetch (skep_oidc_said): texts in an address
 * could be written by anybody. */
skep_str skep_oidc_say(struct skep_oidc *o, bool tls, skep_str text, struct skep_arena *arena);
/* The words in a visit's cookie, if there are any and they are fresh. */
skep_str skep_oidc_said(struct skep_oidc *o, const struct skep_oidc_visit *visit,
                        struct skep_arena *arena);

/* The value of the flow's cookie in a request; empty when there is none.  Threads: any. */
skep_str skep_oidc_cookie(const struct skep_request *req);
/* Value of Set-Cookie that forgets it. */
skep_str skep_oidc_forget(struct skep_arena *arena, bool tls);
