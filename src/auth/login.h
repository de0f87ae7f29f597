// SPDX-License-Identifier: Apache-2.0
/* People: users with passwords, sessions in a cookie, one-time links.
 *
 *   one-time link --(name, password)--> user --(login)--> session --(cookie, the gate)--> caller
 *
 * A role gives rights in all environments: viewer may query, admin may do everything.  Passwords
 * are kept as argon2id hashes (9 MiB, four passes: some 40 ms), one being computed at a time, its
 * memory taken from a budget; two more may wait, others are told to try again. */
#pragma once

#include "auth/auth.h"
#include "state/users.h"

enum {
    SKEP_PASSWORD_MIN_BYTES = 10,
    SKEP_PASSWORD_MAX_BYTES = 256,
    SKEP_USER_NAME_MAX_BYTES = 64,
    SKEP_PASSWORD_MEMORY_BYTES = 9216 * 1024, /* while a hash is computed */
    SKEP_SESSION_IDLE_S = 7 * 86400,
    SKEP_SESSION_MAX_S = 30 * 86400,
    SKEP_LINK_MAX_S = 3600,
    SKEP_LOGIN_TOKEN_BYTES = 53 /* 52 letters, 260 random bits; NUL */
};

struct skep_people {
    const struct skep_os *os;
    struct skep_state *state;
    struct skep_auth *auth;     /* NULL in a tool */
    struct skep_budget *budget; /* memory of a hash; NULL in a tool */
};

/* What a person typed.  Texts are borrowed for the call. */
struct skep_login {
    skep_str name, password;
    skep_str peer; /* "127.0.0.1:40312": guesses are slowed by address, too */
    skep_str old;  /* token of a session that ends with this login; may be empty */
};

struct skep_logged_in {
    skep_str name; /* as it is kept, in the arena */
    enum skep_role role;
    char token[SKEP_LOGIN_TOKEN_BYTES];
    int retry_after_s; /* with SKEP_ELIMIT */
};

/* Check a password and begin a session.  An unknown name takes as long as a wrong password.
 *
 * Returns SKEP_OK | SKEP_EUNAUTHENTICATED | SKEP_ELIMIT (too many guesses, or too many at once:
 *         ret->retry_after_s) | SKEP_ENOMEM | SKEP_EIO
 * Threads: workers; takes some 40 ms of one. */
SKEP_NODISCARD skep_rc skep_auth_login(const struct skep_people *p, const struct skep_login *what,
                                       struct skep_arena *arena, struct skep_logged_in *ret,
                                       skep_err *err);
/* Make a user of a one-time link and begin a session.
 * Returns as skep_auth_login, and SKEP_EINVAL (name, password) | SKEP_EEXISTS | SKEP_EFORBIDDEN
 * (the link was used or has expired). */
SKEP_NODISCARD skep_rc skep_auth_welcome(const struct skep_people *p, skep_str link,
                                         const struct skep_login *what, struct skep_arena *arena,
                                         struct skep_logged_in *ret, skep_err *err);
/* End the session of a token, if there is one.  Returns SKEP_OK | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_auth_logout(const struct skep_people *p, skep_str token, skep_err *err);

/* Make a user.  Returns SKEP_OK | SKEP_EINVAL | SKEP_EEXISTS | SKEP_ELIMIT | SKEP_ENOMEM |
 * SKEP_EIO.
 */
SKEP_NODISCARD skep_rc skep_auth_create_user(const struct skep_people *p, skep_str name,
                                             enum skep_role role, skep_str password, skep_err *err);
/* Make a user without a password, who logs in through the identity provider: the first one it
 * vouches for under this name (oidc.h).  Returns as skep_auth_create_user. */
SKEP_NODISCARD skep_rc skep_auth_expect_user(const struct skep_people *p, skep_str name,
                                             enum skep_role role, skep_err *err);
/* Change role and disabled; with disabled all sessions of the user end.
 * Returns as skep_state_set_user. */
SKEP_NODISCARD skep_rc skep_auth_set_user(const struct skep_people *p, skep_str name,
                                          enum skep_role role, bool disabled, skep_err *err);
/* Give a user a new password; all sessions of the user end.
 * Returns as skep_auth_create_user, and SKEP_ENOTFOUND. */
SKEP_NODISCARD skep_rc skep_auth_set_password(const struct skep_people *p, skep_str name,
                                              skep_str password, skep_err *err);
/* A link for one new user of a role, good for an hour: goes behind "/ui/welcome#".
 * Returns SKEP_OK | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_auth_link(const struct skep_people *p, enum skep_role role,
                                      char ret[SKEP_LOGIN_TOKEN_BYTES], skep_err *err);

/* How a user comes in: "password", "oidc" (through the identity provider), "waiting" (so, but has
 * not yet); of both "password". */
skep_str skep_auth_way_in(const struct skep_state_user *u);
/* "viewer", "admin". */
skep_str skep_role_name(enum skep_role role);
SKEP_NODISCARD bool skep_role_parse(skep_str s, enum skep_role *ret);
/* SKEP_RIGHT_* of a role. */
unsigned skep_role_rights(enum skep_role role);

/* The session's token that a request carries; empty when there is none.  Threads: any. */
skep_str skep_auth_cookie(const struct skep_request *req);
/* Value of Set-Cookie that keeps a token, or with an empty one forgets it. */
skep_str skep_auth_set_cookie(struct skep_arena *arena, bool tls, skep_str token);
