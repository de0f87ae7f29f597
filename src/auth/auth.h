// SPDX-License-Identifier: Apache-2.0
/* Who may do what: keys of every wire, looked up without waiting, and the making of them.
 *
 *   state.db --(loaded when it changed)--> table in memory --(the gate asks, on I/O threads)-->
 * caller
 *
 * A key is made once and has three forms (docs/api/auth.md): a token for Honeycomb's header and for
 * bearers, an AWS access key with its secret, a Rollbar token.  Kept are hashes, and the AWS secret
 * sealed under the key file, because a signature can only be checked with it.
 *
 * Two modes.  Open: anybody may do anything; a key that is known selects its environment.  Keys:
 * each route's right is asked for, in one of the forms that the route takes. */
#pragma once

#include <stdatomic.h>

#include "net/net.h"
#include "os/os.h"
#include "state/keys.h"

struct skep_auth;

struct skep_auth_config {
    const struct skep_os *os;
    struct skep_state *state;
    const char *key_file; /* DIR/key: under which AWS secrets are sealed; need not exist yet */
    bool keys;            /* the mode: false = open */
};

/* Load the keys and start the thread that looks for changes once a second.
 * Returns SKEP_OK | SKEP_EIO | SKEP_ECORRUPT.  Threads: the owner. */
SKEP_NODISCARD skep_rc skep_auth_new(const struct skep_auth_config *cfg, struct skep_auth **ret,
                                     skep_err *err);
/* Ends the thread and keeps what keys were used for.  No request may ask any more.  NULL is fine.
 */
void skep_auth_free(struct skep_auth *a);
/* Call `heard` when keys or environments were changed by somebody else: by another process, once it
 * is noticed.  On auth's own thread, without locks that others wait for long; NULL for no more,
 * behind a call that runs.  Who changes them in this process says so himself. */
void skep_auth_hear(struct skep_auth *a, void (*heard)(void *ctx), void *ctx);
/* The gate for skep_net_config; valid until free. */
struct skep_gate skep_auth_gate(struct skep_auth *a);
/* Load the keys now, after changing them in this process.  Waits for the disk.
 * Returns SKEP_OK | SKEP_EIO | SKEP_ECORRUPT (the keys loaded before stay in force). */
SKEP_NODISCARD skep_rc skep_auth_refresh(struct skep_auth *a, skep_err *err);

/* What a request was let in with, kept while its work goes on.  The caller's memory. */
struct skep_auth_hold {
    uint64_t key, user, session;
    _Atomic uint64_t generation;
    _Atomic int64_t until_ns;
    _Atomic bool over;
};
void skep_auth_hold(struct skep_auth *a, const struct skep_caller *caller,
                    struct skep_auth_hold *ret);
/* False once the key was revoked or has expired, the session has ended, the user was disabled: the
 * work must end.  Cheap enough to ask once a millisecond.  Threads: any. */
bool skep_auth_holds(struct skep_auth *a, struct skep_auth_hold *h);

/* The mode.  Threads: any. */
bool skep_auth_is_open(const struct skep_auth *a);
/* The key of a caller (req->caller.key), texts copied into the arena; false for 0 or when it is
 * gone.  Threads: any. */
SKEP_NODISCARD bool skep_auth_key(struct skep_auth *a, uint64_t number, struct skep_arena *arena,
                                  struct skep_state_key *ret);

/* Of keys[n], ordered by number, say when each was last used by now: the database learns it once a
 * minute.  Threads: any. */
void skep_auth_last_used(struct skep_auth *a, struct skep_state_key *keys, size_t n);

struct skep_auth_stats {
    uint64_t denied[SKEP_DENIED_COUNT];
    uint64_t keys;         /* that may be used now */
    uint64_t environments; /* known */
    bool open;
};
/* A consistent enough copy.  Threads: any. */
void skep_auth_stats(struct skep_auth *a, struct skep_auth_stats *ret);

/* Names of rights: "ingest", "query", "admin", joined by ','.  Static or in the arena. */
skep_str skep_rights_text(struct skep_arena *arena, unsigned rights);
/* The inverse, blanks around names are fine; false on an unknown name or none. */
SKEP_NODISCARD bool skep_rights_parse(skep_str s, unsigned *ret);
/* "missing" "unknown" "revoked" ...: for counters. */
const char *skep_denied_name(enum skep_denied why);

/* --- making keys (issue.c) ------------------------------------------------------------------- */

struct skep_issue {
    skep_str name;
    skep_str environment; /* slug; "" = all, for keys that administer */
    unsigned rights;      /* at least one */
    int64_t expires_ns;   /* 0 = never */
    struct skep_key_limits limits;
};

/* A key as it is shown once.  All texts end in a NUL. */
struct skep_issued {
    char id[33];         /* what lists show: "hcxik_" and 26 letters and digits */
    char token[65];      /* the id and 32 more */
    char access_key[21]; /* AWS */
    char aws_secret[41];
    char rollbar[33];
};

/* Make a key and keep what must be kept.  Makes the key file at first need, mode 0600.
 *
 * ret      wipe it with skep_issued_wipe when it has been shown
 * Returns  SKEP_OK | SKEP_EINVAL | SKEP_ENOTFOUND (environment) | SKEP_ELIMIT | SKEP_EIO |
 *          SKEP_ECORRUPT (the key file is no key)
 * Threads: any. */
SKEP_NODISCARD skep_rc skep_auth_issue(const struct skep_os *os, struct skep_state *state,
                                       const char *key_file, const struct skep_issue *what,
                                       struct skep_issued *ret, skep_err *err);
/* The first line of a file, in memory that is neither swapped nor dumped; free it with sodium_free.
 * Returns SKEP_OK | SKEP_EINVAL (empty, or more than 4 KiB) | SKEP_EIO.  Threads: any. */
SKEP_NODISCARD skep_rc skep_auth_secret_file(const struct skep_os *os, const char *path, char **ret,
                                             skep_err *err);
/* 32 bytes that only who has the key file can tell: the same for a label each time.  Makes the key
 * file at first need.  Wipe them afterwards.
 * Returns SKEP_OK | SKEP_EIO | SKEP_ECORRUPT.  Threads: any. */
SKEP_NODISCARD skep_rc skep_auth_derive(const struct skep_os *os, const char *key_file,
                                        skep_str label, uint8_t ret[static 32], skep_err *err);
/* Forget the secrets. */
void skep_issued_wipe(struct skep_issued *i);
/* Text that terminals, headers and pages may show: 1 to 100 bytes of UTF-8 without control
 * characters.  Returns SKEP_OK | SKEP_EINVAL. */
SKEP_NODISCARD skep_rc skep_auth_check_name(skep_str s, skep_err *err);
/* Make an environment of a name; its slug is the name in lower case with '-' for what is neither
 * letter, digit, '_', '-' nor '.'.  ret: texts in the arena.
 * Returns SKEP_OK | SKEP_EINVAL (name) | SKEP_EEXISTS | SKEP_ELIMIT | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_auth_environment(const struct skep_os *os, struct skep_state *state,
                                             skep_str name, skep_str description, skep_str color,
                                             struct skep_arena *arena,
                                             struct skep_state_environment *ret, skep_err *err);
