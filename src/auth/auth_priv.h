// SPDX-License-Identifier: Apache-2.0
/* Shared by the files of src/auth: the table of keys, the forms, meters, the seal. */
#pragma once

#include "auth/auth.h"
#include "base/hash.h"
#include "os/thread.h"
#include "state/users.h"

enum {
    SKEP_AUTH__TOKEN_MAX_BYTES = 512, /* longer ones are no key, and not hashed */
    SKEP_AUTH__AWS_SECRET_BYTES = 40,
    SKEP_AUTH__SEAL_KEY_BYTES = 32,
};

/* --- seal.c: the key file, hashes ----------------------------------------------------------------
 */

struct skep_auth__seal; /* the key, in memory that is neither swapped nor dumped */

/* The key of a file; make = write a new one if there is none.
 * Returns SKEP_OK (*ret NULL: there is no file and none was to be made) | SKEP_EIO | SKEP_ECORRUPT.
 */
SKEP_NODISCARD skep_rc skep_auth__seal_open(const struct skep_os *os, const char *path, bool make,
                                            struct skep_auth__seal **ret, skep_err *err);
void skep_auth__seal_free(struct skep_auth__seal *s); /* NULL is fine */
/* Seal a secret into out (room for SKEP_STATE_SEALED_MAX_BYTES); returns the length. */
size_t skep_auth__seal(const struct skep_os *os, const struct skep_auth__seal *s, skep_str secret,
                       uint8_t *out);
/* The inverse; false when it was sealed under another key.  Wipe ret afterwards. */
SKEP_NODISCARD bool skep_auth__unseal(const struct skep_auth__seal *s, skep_bytes sealed,
                                      char ret[SKEP_AUTH__AWS_SECRET_BYTES]);

enum skep_auth__kind { SKEP_AUTH__TOKEN, SKEP_AUTH__ROLLBAR, SKEP_AUTH__SESSION, SKEP_AUTH__LINK };
/* What is kept of a token: BLAKE2b under a label, so that kinds cannot stand in for each other. */
void skep_auth__hash(enum skep_auth__kind kind, skep_str token, uint8_t ret[SKEP_STATE_HASH_BYTES]);

/* --- meter.c: what keys were used for ------------------------------------------------------------
 */

/* Lives as long as the auth; tables point to it. */
struct skep_auth__meter {
    uint64_t number;
    struct skep_mutex mu; /* of what follows */
    struct skep_key_use use;
    int64_t minute; /* minutes since 1970 of the two below */
    uint64_t minute_events, minute_bytes;
    bool dirty; /* not yet written */
};

struct skep_auth__meter *skep_auth__meter_new(uint64_t number, const struct skep_key_use *use);
void skep_auth__meter_free(struct skep_auth__meter *m);
/* Note a use.  Returns 0, or the seconds until the limit that is used up ends; *ret_limit names it.
 */
int skep_auth__meter_pass(struct skep_auth__meter *m, const struct skep_key_limits *limits,
                          int64_t now_ns, const char **ret_limit);
void skep_auth__meter_add(struct skep_auth__meter *m, int64_t now_ns, uint64_t events,
                          uint64_t bytes);
/* When it was last used; 0 = never. */
int64_t skep_auth__meter_last(struct skep_auth__meter *m);
/* What to write, if anything is new. */
bool skep_auth__meter_take(struct skep_auth__meter *m, struct skep_key_use *ret);

/* --- table.c: the keys, as one version of the database had them ----------------------------------
 */

struct skep_auth__key {
    struct skep_state_key k; /* texts in the table's arena */
    struct skep_auth__meter *meter;
};

struct skep_auth__table {
    unsigned refs; /* under auth->mu */
    struct skep_arena arena;
    struct skep_auth__key *keys;
    size_t n_keys;
    struct skep_index by_token, by_rollbar, by_access_key; /* -> keys */
    struct skep_state_environment *environments;
    size_t n_environments;
};

/* A table of what the state holds, its meters set.  Returns SKEP_OK | SKEP_EIO | SKEP_ECORRUPT. */
SKEP_NODISCARD skep_rc skep_auth__table_load(struct skep_auth *a, struct skep_auth__table **ret,
                                             skep_err *err);
void skep_auth__table_free(struct skep_auth__table *t);
/* NULL when there is none.  The comparison's time says nothing of the key. */
const struct skep_auth__key *skep_auth__by_token(const struct skep_auth__table *t, skep_str token);
const struct skep_auth__key *skep_auth__by_rollbar(const struct skep_auth__table *t,
                                                   skep_str token);
const struct skep_auth__key *skep_auth__by_access_key(const struct skep_auth__table *t,
                                                      skep_str access_key);
bool skep_auth__environment_is(const struct skep_auth__table *t, skep_str slug);

/* --- issue.c -------------------------------------------------------------------------------------
 */

/* n letters of an alphabet of at most 64, each equally likely; ends in a NUL. */
void skep_auth__draw(const struct skep_os *os, skep_str alphabet, char *out, size_t n);

/* --- guess.c -------------------------------------------------------------------------------------
 */

enum skep_auth__guess_kind { SKEP_AUTH__BY_USER, SKEP_AUTH__BY_ADDRESS, SKEP_AUTH__GUESS_KINDS };
enum { SKEP_AUTH__GUESS_WAYS = 8, SKEP_AUTH__GUESS_SETS = 256 };

struct skep_auth__guess {
    uint64_t tag; /* 0 = free */
    int64_t last_ns, until_ns;
    uint32_t failures;
};

struct skep_auth__guesses {
    struct skep_mutex mu; /* of the slots */
    uint64_t seed;
    struct skep_auth__guess slots[SKEP_AUTH__GUESS_KINDS][SKEP_AUTH__GUESS_SETS]
                                 [SKEP_AUTH__GUESS_WAYS];
};

void skep_auth__guesses_init(struct skep_auth__guesses *g, const struct skep_os *os);
void skep_auth__guesses_done(struct skep_auth__guesses *g);
/* Seconds to wait; 0 = go on, it is counted as a failure until it is called good. */
int skep_auth__guess_begin(struct skep_auth__guesses *g, skep_str name, skep_str peer,
                           int64_t now_ns);
void skep_auth__guess_undo(struct skep_auth__guesses *g, skep_str name, skep_str peer,
                           int64_t now_ns);
void skep_auth__guess_good(struct skep_auth__guesses *g, skep_str name, skep_str peer,
                           int64_t now_ns);

/* --- login.c ---------------------------------------------------------------------------------
 */

/* The hash of a password that nobody has. */
extern const char skep_auth__nobody[];
/* 1 to SKEP_USER_NAME_MAX_BYTES of letters, digits and . _ - @ + */
bool skep_auth__is_user_name(skep_str s);
/* Begin a session of a user that ends after max_s at the latest, and end the one of the token `old`
 * (may be empty).
 * Returns SKEP_OK | SKEP_ENOTFOUND (the user is gone or disabled) | SKEP_EIO. */
struct skep_people;
struct skep_logged_in;
SKEP_NODISCARD skep_rc skep_auth__begin_session(const struct skep_people *p,
                                                const struct skep_state_user *u, skep_str old,
                                                int64_t max_s, struct skep_logged_in *ret,
                                                skep_err *err);

/* --- sessions.c ----------------------------------------------------------------------------------
 */

struct skep_auth__session_list;
struct skep_auth__sessions {
    struct skep_mutex mu; /* of the list's pointer and what was seen; a list lives under load_mu */
    struct skep_auth__session_list *list;
};

void skep_auth__sessions_init(struct skep_auth__sessions *s);
void skep_auth__sessions_done(struct skep_auth__sessions *s);
/* The database's.  load_mu held.  Returns SKEP_OK | SKEP_EIO | SKEP_ECORRUPT. */
SKEP_NODISCARD skep_rc skep_auth__sessions_load(struct skep_auth *a, skep_err *err);
/* Keep when they were last seen.  load_mu held.  Returns SKEP_OK | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_auth__sessions_write(struct skep_auth *a, skep_err *err);
/* The session of a cookie's token, if it goes on; its name in the arena. */
bool skep_auth__session_find(struct skep_auth *a, skep_str token, int64_t now_ns,
                             struct skep_arena *arena, struct skep_state_session *ret);

/* The session of a user whose hash begins with these bytes, if it goes on; *ret_until_ns: when it
 * ends at the latest. */
bool skep_auth__session_goes_on(struct skep_auth *a, uint64_t session, uint64_t user,
                                int64_t *ret_until_ns);

/* --- auth.c --------------------------------------------------------------------------------------
 */

struct skep_auth {
    struct skep_auth_config cfg;
    struct skep_mutex mu; /* held for a few instructions: table and its refs, seal */
    struct skep_auth__table *table;
    struct skep_auth__seal *seal;
    struct skep_mutex load_mu; /* held while loading: the meters, the version */
    struct skep_auth__meter **meters;
    size_t n_meters, cap_meters;
    struct skep_index meter_ix; /* by number */
    uint64_t version;
    _Atomic uint64_t generation; /* of what was loaded last, keys or sessions; from 1 on */
    skep_thread thread;
    struct skep_auth__sessions sessions;
    struct skep_auth__guesses guesses;
    struct skep_auth__turn { /* of computing a password's hash: login.c */
        struct skep_mutex mu;
        struct skep_cond free;
        bool busy;
        unsigned waiting;
    } turn;
    struct skep_mutex hear_mu; /* held over a call of it */
    void (*heard)(void *ctx);
    void *heard_ctx;
    struct skep_mutex stop_mu;
    struct skep_cond stop_cond;
    bool stop;
    _Atomic uint64_t denied[SKEP_DENIED_COUNT];
};

/* --- forms: one file each ------------------------------------------------------------------------
 */

/* A question of the gate to a form. */
struct skep_auth__question {
    struct skep_auth *a;
    const struct skep_auth__table *table;
    struct skep_request *req;
    enum skep_gate_moment moment;
    skep_bytes wire;
    int64_t now_ns;
    bool open; /* find the key, check nothing */
};

enum skep_auth__found {
    SKEP_AUTH__NONE,       /* nothing of this form came */
    SKEP_AUTH__CLAIM,      /* key, or why not */
    SKEP_AUTH__LATER_WIRE, /* ask again */
    SKEP_AUTH__LATER_BODY
};

struct skep_auth__claim {
    const struct skep_auth__key *key;
    enum skep_denied why; /* key NULL and no user */
    skep_str message;     /* in place of the usual one; may be empty */
    uint64_t user;        /* who is logged in, instead of a key; 0 = nobody */
    skep_str user_name;
    unsigned user_rights;
    uint64_t session; /* of the user */
};

struct skep_auth__form {
    unsigned form;    /* SKEP_FORM_* */
    skep_str missing; /* what to say when nothing came */
    enum skep_auth__found (*find)(const struct skep_auth__question *q,
                                  struct skep_auth__claim *ret);
};
extern const struct skep_auth__form skep_auth__honeycomb, skep_auth__sigv4, skep_auth__rollbar,
    skep_auth__bearer, skep_auth__session;

/* The value of a cookie; empty when there is none (form_session.c). */
skep_str skep_auth__cookie_named(const struct skep_request *req, skep_str name);

/* A claim of a token that was looked up. */
static inline enum skep_auth__found skep_auth__claimed(const struct skep_auth__key *key,
                                                       struct skep_auth__claim *ret)
{
    *ret = (struct skep_auth__claim){.key = key, .why = key ? SKEP_DENIED_NO : SKEP_DENIED_UNKNOWN};
    return SKEP_AUTH__CLAIM;
}
