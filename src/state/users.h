// SPDX-License-Identifier: Apache-2.0
/* People as they are kept: users, their sessions, one-time links.  Passwords and tokens are kept as
 * hashes; what makes them is src/auth's business.
 *
 * Every call may wait for the disk.  Threads: any.  Another process may write, too (`skep user`
 * beside a running server): skep_state_keys_version tells. */
#pragma once

#include "state/keys.h"

enum skep_role {
    SKEP_ROLE_VIEWER = 1, /* asks questions */
    SKEP_ROLE_ADMIN = 2   /* keys, environments, users, deletes, too */
};

enum {
    SKEP_STATE_USERS_MAX = 10000,
    SKEP_STATE_SESSIONS_MAX = 10000,     /* of all users: the one not used for longest goes first */
    SKEP_STATE_LINKS_MAX = 100,          /* the oldest goes first */
    SKEP_STATE_PASSWORD_MAX_BYTES = 128, /* of its hash as text */
    SKEP_STATE_SUBJECT_MAX_BYTES = 1024
};

struct skep_state_user {
    uint64_t number; /* given by the database, never again */
    skep_str name;   /* unique, whatever the case of its ASCII letters */
    enum skep_role role;
    skep_str password; /* argon2id's text, with its parameters; empty = none: see subject */
    /* Who this is for an identity provider (src/auth/oidc.h), unique.  Empty and no password: one
     * who has yet to log in through a provider for the first time. */
    skep_str subject;
    int64_t created_ns;
    int64_t disabled_ns;   /* 0 = it is not */
    int64_t last_login_ns; /* 0 = never */
};

/* All, ordered by name, texts in the arena.  Returns SKEP_OK | SKEP_EIO | SKEP_ECORRUPT. */
SKEP_NODISCARD skep_rc skep_state_list_users(struct skep_state *s, struct skep_arena *arena,
                                             struct skep_state_user **ret, size_t *ret_n,
                                             skep_err *err);
/* One of any case.  Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_EIO | SKEP_ECORRUPT. */
SKEP_NODISCARD skep_rc skep_state_find_user(struct skep_state *s, skep_str name,
                                            struct skep_arena *arena, struct skep_state_user *ret,
                                            skep_err *err);
/* The one with a subject, which is not empty.
 * Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_EIO | SKEP_ECORRUPT. */
SKEP_NODISCARD skep_rc skep_state_find_subject(struct skep_state *s, skep_str subject,
                                               struct skep_arena *arena,
                                               struct skep_state_user *ret, skep_err *err);
/* Give a subject to the user of a name who has neither password nor subject.
 * Returns SKEP_OK | SKEP_ENOTFOUND (no such user, or has one of them) | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_bind_subject(struct skep_state *s, skep_str name,
                                               skep_str subject, skep_err *err);
/* How many there are, disabled ones too.  Returns SKEP_OK | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_count_users(struct skep_state *s, uint64_t *ret, skep_err *err);
/* Add one; number and dates of login and end are ignored.
 *
 * link     hash of a one-time link that is used up with it and gives the role, or empty
 * Returns  SKEP_OK | SKEP_EEXISTS (the name) | SKEP_ENOTFOUND (no such link, or it was used or has
 *          expired) | SKEP_ELIMIT | SKEP_EIO */
SKEP_NODISCARD skep_rc skep_state_put_user(struct skep_state *s, const struct skep_state_user *u,
                                           skep_bytes link, skep_err *err);
/* Change role and disabled; a user who is disabled has no sessions any more.
 * Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_EINVAL (no administrator would be left) | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_set_user(struct skep_state *s, skep_str name, enum skep_role role,
                                           bool disabled, skep_err *err);
/* Change the password's hash; ends all sessions of the user.
 * Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_set_password(struct skep_state *s, skep_str name,
                                               skep_str password, skep_err *err);

/* --- sessions --- */

struct skep_state_session {
    uint8_t hash[SKEP_STATE_HASH_BYTES]; /* of the token in the cookie */
    uint64_t user;
    skep_str name; /* the user's */
    enum skep_role role;
    int64_t created_ns, seen_ns, expires_ns;
};

/* Those of users who are not disabled, names in the arena.
 * Returns SKEP_OK | SKEP_EIO | SKEP_ECORRUPT. */
SKEP_NODISCARD skep_rc skep_state_list_sessions(struct skep_state *s, struct skep_arena *arena,
                                                struct skep_state_session **ret, size_t *ret_n,
                                                skep_err *err);
/* Begin one (user, hash, created and expires are taken), drop those that ended, note the login.
 * Returns SKEP_OK | SKEP_ENOTFOUND (the user is gone or disabled) | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_put_session(struct skep_state *s,
                                              const struct skep_state_session *session,
                                              skep_err *err);
/* End the one with a hash; one that is not there is fine.  Returns SKEP_OK | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_drop_session(struct skep_state *s, skep_bytes hash,
                                               skep_err *err);
/* Write when sessions[n] were seen, in one transaction.  Returns SKEP_OK | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_see_sessions(struct skep_state *s,
                                               const struct skep_state_session *sessions, size_t n,
                                               skep_err *err);

/* --- one-time links --- */

/* Keep the hash of a link that makes one user.  Returns SKEP_OK | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_put_link(struct skep_state *s, skep_bytes hash,
                                           enum skep_role role, int64_t expires_ns, skep_err *err);
/* Returns SKEP_OK | SKEP_ENOTFOUND (none, used, or expired) | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_find_link(struct skep_state *s, skep_bytes hash,
                                            enum skep_role *ret, skep_err *err);
