// SPDX-License-Identifier: Apache-2.0
/* Places that messages go to (a webhook, a Slack channel, mailboxes), and the messages on their
 * way: a queue a place, kept over restarts.
 *
 * Everything belongs to an environment and goes with it.  Every call may wait for the disk.
 * Threads: any. */
#pragma once

#include "state/state.h"

/* Numbers are on disk; never reuse. */
enum skep_state_place_kind {
    SKEP_STATE_PLACE_WEBHOOK = 1,
    SKEP_STATE_PLACE_SLACK = 2,
    SKEP_STATE_PLACE_MAIL = 3
};

enum {
    SKEP_STATE_PLACES_MAX = 500,           /* of all environments */
    SKEP_STATE_PLACE_WAITING_MAX = 10000,  /* messages that wait for one place */
    SKEP_STATE_MESSAGES_BYTES = 128 << 20, /* bodies of all that wait or are dead */
    SKEP_STATE_MESSAGE_BYTES = 1 << 20,    /* one body */
    SKEP_STATE_PLACE_ENDED_MAX = 200       /* delivered ones, and dead ones, kept to be looked at */
};

struct skep_state_place {
    skep_str id, environment;
    skep_str name; /* unique in the environment */
    enum skep_state_place_kind kind;
    skep_str target;     /* an address (http...), or mail addresses with commas between */
    uint32_t per_minute; /* messages at most; > 0 */
    int64_t created_ns;
    bool disabled;     /* messages wait */
    uint32_t failures; /* of attempts, since the last that succeeded */
    int64_t retry_ns;  /* not before; 0 = at once */
    uint64_t delivered, dead, refused;
    int64_t last_ns;     /* of the last attempt; 0 = none yet */
    skep_str last_error; /* "" = it succeeded */
};

/* Numbers are on disk; never reuse. */
enum skep_state_message_state {
    SKEP_STATE_MESSAGE_WAITING = 0,
    SKEP_STATE_MESSAGE_DELIVERED = 1, /* without its body */
    SKEP_STATE_MESSAGE_DEAD = 2
};

struct skep_state_message {
    uint64_t number; /* grows: the order of delivery within a place */
    skep_str id;     /* "msg_..." */
    skep_str place, environment, kind, key, title, text, url;
    skep_str content_type, content_encoding;
    skep_str headers; /* lines "name: value" beside the kind's own */
    skep_bytes body;
    int64_t created_ns;
    int64_t due_from_ns; /* its age counts from here */
    uint32_t attempts;
    enum skep_state_message_state state;
    int64_t ended_ns;
    int status; /* of the last attempt; 0 = it had none */
    skep_str error;
};

/* All places, or those of one environment (NULL = all); texts in the arena.
 * Returns SKEP_OK | SKEP_EIO | SKEP_ECORRUPT. */
SKEP_NODISCARD skep_rc skep_state_places(struct skep_state *s, const skep_str *environment,
                                         struct skep_arena *arena, struct skep_state_place **ret,
                                         size_t *ret_n, skep_err *err);
/* Make a place; its counters are taken as zero.
 * Returns SKEP_OK | SKEP_EEXISTS (the name) | SKEP_ELIMIT | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_put_place(struct skep_state *s, const struct skep_state_place *p,
                                            skep_err *err);
/* Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_disable_place(struct skep_state *s, skep_str environment,
                                                skep_str id, bool disabled, skep_err *err);
/* Another name, kind and target of p->id; its messages stay.  Returns as above; the name must be
 * one that no other place of the environment has. */
SKEP_NODISCARD skep_rc skep_state_set_place(struct skep_state *s, const struct skep_state_place *p,
                                            skep_err *err);
/* With its messages.  Returns as above. */
SKEP_NODISCARD skep_rc skep_state_drop_place(struct skep_state *s, skep_str environment,
                                             skep_str id, skep_err *err);

/* Append to the queue of m->place: id, place, kind, key, texts, body and created_ns are taken.  Of
 * a key that the place has seen and still remembers nothing is stored: *ret_new is false.
 *
 * Returns SKEP_OK (it is on disk) | SKEP_ENOTFOUND (no such place in m->environment) | SKEP_ELIMIT
 *         (too many wait: counted at the place) | SKEP_EIO | SKEP_ENOSPC */
SKEP_NODISCARD skep_rc skep_state_put_message(struct skep_state *s,
                                              const struct skep_state_message *m, bool *ret_new,
                                              skep_err *err);
/* The oldest that waits for a place, in the arena.  Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_next_message(struct skep_state *s, skep_str place,
                                               struct skep_arena *arena,
                                               struct skep_state_message *ret, skep_err *err);

/* What became of an attempt. */
struct skep_state_attempt {
    enum skep_state_message_state state; /* WAITING: it will be tried again */
    int status;
    skep_str error; /* "" = it succeeded */
    int64_t at_ns;
    /* Of the place, from now on: */
    uint32_t failures;
    int64_t retry_ns;
};
/* One transaction.  Returns SKEP_OK | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_note_attempt(struct skep_state *s,
                                               const struct skep_state_message *m,
                                               const struct skep_state_attempt *a, skep_err *err);

/* Messages without their bodies, newest first, of numbers below `before`; state -1 = any.
 * ret[n]  room for `n`; *ret_n <= n.  Returns SKEP_OK | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_messages(struct skep_state *s, skep_str environment, int state,
                                           uint64_t before, struct skep_arena *arena,
                                           struct skep_state_message *ret, size_t n, size_t *ret_n,
                                           skep_err *err);
/* A dead one waits again, in its old place of the order.  Returns SKEP_OK | SKEP_ENOTFOUND (or it
 * is not dead) | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_revive_message(struct skep_state *s, skep_str environment,
                                                 skep_str id, skep_err *err);
/* Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_drop_message(struct skep_state *s, skep_str environment,
                                               skep_str id, skep_err *err);
