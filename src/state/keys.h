// SPDX-License-Identifier: Apache-2.0
/* Environments and API keys as they are kept: ids, rights, limits, hashes and sealed secrets; never
 * a secret as it is.  What they mean is src/auth's business.
 *
 * Every call may wait for the disk.  Threads: any.  Another process may write, too (`skep key`
 * beside a running server): skep_state_keys_version tells. */
#pragma once

#include "state/state.h"

enum {
    SKEP_STATE_HASH_BYTES = 32,
    SKEP_STATE_SEALED_MAX_BYTES = 128,
    SKEP_STATE_KEYS_MAX =
        10000, /* for one more the key revoked longest ago goes, or it is refused */
    SKEP_STATE_ENVIRONMENTS_MAX = 1000
};

struct skep_state_environment {
    skep_str id;   /* "hcxen_..." */
    skep_str slug; /* what rows and keys carry; unique */
    skep_str name, description, color;
    int64_t created_ns;
    bool delete_protected;
};

/* How much a key may send; 0 = as much as it likes. */
struct skep_key_limits {
    uint64_t events_per_minute, bytes_per_minute, events_per_day, bytes_per_day;
};

/* What a key was used for, so that a day's quota holds over a restart. */
struct skep_key_use {
    int64_t last_used_ns; /* 0 = never */
    int64_t day;          /* days since 1970 of the two below */
    uint64_t day_events, day_bytes;
};

struct skep_state_key {
    uint64_t number; /* given by the database, never again */
    skep_str id;     /* "hcxik_..." */
    skep_str name;
    skep_str environment; /* slug; "" = all */
    unsigned rights;
    skep_bytes token_hash;   /* of the token that Honeycomb's header and bearers carry */
    skep_bytes rollbar_hash; /* of the Rollbar token */
    skep_str access_key;     /* AWS access key id */
    skep_bytes sealed;       /* the AWS secret under the key file */
    int64_t created_ns;
    int64_t expires_ns; /* 0 = never */
    int64_t revoked_ns; /* 0 = it was not */
    bool disabled;      /* for the time being */
    struct skep_key_limits limits;
    struct skep_key_use use;
};

/* All, ordered by slug; texts in the arena.  Returns SKEP_OK | SKEP_EIO | SKEP_ECORRUPT. */
SKEP_NODISCARD skep_rc skep_state_list_environments(struct skep_state *s, struct skep_arena *arena,
                                                    struct skep_state_environment **ret,
                                                    size_t *ret_n, skep_err *err);
/* Returns SKEP_OK | SKEP_EEXISTS (the slug) | SKEP_ELIMIT | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_put_environment(struct skep_state *s,
                                                  const struct skep_state_environment *e,
                                                  skep_err *err);
/* Change description, color and delete_protected of the one with e->slug.
 * Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_set_environment(struct skep_state *s,
                                                  const struct skep_state_environment *e,
                                                  skep_err *err);
/* Drop an environment with what was set up in it (X-Ray's groups, rules, policies), and revoke its
 * keys; its rows stay where they are.
 * Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_EINVAL ("default", or protected) | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_drop_environment(struct skep_state *s, skep_str slug,
                                                   skep_err *err);

/* All, also revoked ones, ordered by number; texts and bytes in the arena.
 * Returns SKEP_OK | SKEP_EIO | SKEP_ECORRUPT. */
SKEP_NODISCARD skep_rc skep_state_list_keys(struct skep_state *s, struct skep_arena *arena,
                                            struct skep_state_key **ret, size_t *ret_n,
                                            skep_err *err);
/* Keep a new key; number and use of k are not read.  At SKEP_STATE_KEYS_MAX the one revoked longest
 * ago is forgotten for it.
 * Returns SKEP_OK | SKEP_ENOTFOUND (its environment) | SKEP_ELIMIT | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_put_key(struct skep_state *s, const struct skep_state_key *k,
                                          skep_err *err);
/* Revoke for good; one that is revoked stays as it was.  Returns SKEP_OK | SKEP_ENOTFOUND |
 * SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_revoke_key(struct skep_state *s, skep_str id, skep_err *err);
/* Change name and `disabled`.  Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_set_key(struct skep_state *s, skep_str id, skep_str name,
                                          bool disabled, skep_err *err);
/* Write what numbers[n] were used for, in one transaction; does not count as a change.
 * Returns SKEP_OK | SKEP_EIO | SKEP_ENOSPC. */
SKEP_NODISCARD skep_rc skep_state_use_keys(struct skep_state *s, const uint64_t *numbers,
                                           const struct skep_key_use *uses, size_t n,
                                           skep_err *err);
/* A number that differs from the last one when keys or environments may have changed, whoever
 * changed them.  Reads no page of the database when nothing did. */
uint64_t skep_state_keys_version(struct skep_state *s);
