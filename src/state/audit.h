// SPDX-License-Identifier: Apache-2.0
/* The audit log: who changed what, and who logged in or failed to.
 *
 * Bounded: the newest SKEP_STATE_AUDIT_MAX entries, of failed logins the newest
 * SKEP_STATE_AUDIT_FAILURES_MAX among them, so that guessing passwords does not wash out the rest.
 * Threads: any; every call may wait for the disk. */
#pragma once

#include "state/state.h"

enum {
    SKEP_STATE_AUDIT_MAX = 100000,
    SKEP_STATE_AUDIT_FAILURES_MAX = 10000,
    SKEP_STATE_AUDIT_TEXT_MAX_BYTES = 300 /* of each text: longer ones are cut */
};

#define SKEP_AUDIT_LOGIN_FAILED "login.failed"

struct skep_state_audit {
    uint64_t number; /* set when it is read */
    int64_t at_ns;   /* 0 = now */
    skep_str who;    /* "user ann", "key ci", "terminal, uid 0", "anybody" */
    skep_str what;   /* "key.create", "login" ... */
    skep_str on;     /* what it was done to */
    skep_str from;   /* the other side's address; "" = this machine's terminal */
};

/* Returns SKEP_OK | SKEP_EIO | SKEP_ENOSPC. */
SKEP_NODISCARD skep_rc skep_state_put_audit(struct skep_state *s, const struct skep_state_audit *e,
                                            skep_err *err);
/* The newest `limit` entries with a number below `before` (0 = no bound), newest first; texts in
 * the arena.  Returns SKEP_OK | SKEP_EIO | SKEP_ECORRUPT. */
SKEP_NODISCARD skep_rc skep_state_list_audit(struct skep_state *s, uint64_t before, size_t limit,
                                             struct skep_arena *arena,
                                             struct skep_state_audit **ret, size_t *ret_n,
                                             skep_err *err);
