// SPDX-License-Identifier: Apache-2.0
/* Logging in and out, making users (login.h).
 *
 *   name, password -> guesses: wait? -> user, or nobody's hash -> argon2id -> session -> cookie
 *
 * I1  an unknown or disabled user costs the same hash as a wrong password, and gets its words.
 * I2  one hash is computed at a time; with those that wait at most three workers are busy with it.
 * I3  the token of a session and of a link is drawn for it alone, shown once, kept hashed.
 * Threads: workers (login, welcome and what sets a password wait for their turn).  Memory: of a
 * hash from the budget given. */
#include "auth/login.h"

#include <sodium.h>

#include "auth/auth_priv.h"
#include "base/assert.h"

enum { OPSLIMIT = 4, WAITING_MAX = 2 };
_Static_assert(crypto_pwhash_STRBYTES <= SKEP_STATE_PASSWORD_MAX_BYTES, "kept whole");
static const int64_t ns_per_s = 1000000000;

/* Of a password that nobody has: what an unknown user's is compared with (I1). */
const char skep_auth__nobody[] = "$argon2id$v=19$m=9216,t=4,p=1$+LV/Q4JsA/sei23QNFEz/A"
                                 "$XhH3Htxf+xYaUzmIbAxkrPtZ7UN8ucnGwRPnt0W4kgE";

/* --- one at a time
 * --------------------------------------------------------------------------------- */

static skep_rc turn_take(const struct skep_people *p, skep_err *err)
{
    if (!p->auth)
        return SKEP_OK;
    struct skep_auth__turn *t = &p->auth->turn;
    skep_mutex_lock(&t->mu);
    bool full = t->waiting >= WAITING_MAX;
    if (!full) {
        t->waiting++;
        while (t->busy)
            skep_cond_wait(&t->free, &t->mu);
        t->waiting--;
        t->busy = true;
    }
    skep_mutex_unlock(&t->mu);
    if (full)
        return skep_fail(err, SKEP_ELIMIT, "too many logins at once: try again");
    return SKEP_OK;
}

static void turn_give(const struct skep_people *p)
{
    if (!p->auth)
        return;
    struct skep_auth__turn *t = &p->auth->turn;
    skep_mutex_lock(&t->mu);
    t->busy = false;
    skep_cond_signal(&t->free);
    skep_mutex_unlock(&t->mu);
}

static skep_rc begin_hash(const struct skep_people *p, skep_err *err)
{
    if (sodium_init() < 0)
        return skep_fail(err, SKEP_EIO, "libsodium finds no randomness");
    SKEP_TRY(turn_take(p, err));
    skep_rc rc = p->budget ? skep_budget_take(p->budget, SKEP_PASSWORD_MEMORY_BYTES, err) : SKEP_OK;
    if (rc != SKEP_OK)
        turn_give(p);
    return rc;
}

static void end_hash(const struct skep_people *p)
{
    if (p->budget)
        skep_budget_give(p->budget, SKEP_PASSWORD_MEMORY_BYTES);
    turn_give(p);
}

static skep_rc hash_password(const struct skep_people *p, skep_str password,
                             char ret[crypto_pwhash_STRBYTES], skep_err *err)
{
    SKEP_TRY(begin_hash(p, err));
    int rc = crypto_pwhash_str(ret, password.p, password.n, OPSLIMIT, SKEP_PASSWORD_MEMORY_BYTES);
    end_hash(p);
    return rc == 0 ? SKEP_OK : skep_fail(err, SKEP_ENOMEM, "no memory for the password's hash");
}

/* Says by *ret whether the password is that of a kept hash. */
static skep_rc verify(const struct skep_people *p, skep_str kept, skep_str password, bool *ret,
                      skep_err *err)
{
    char text[crypto_pwhash_STRBYTES] = "";
    memcpy(text, kept.p, SKEP_MIN(kept.n, sizeof text - 1));
    SKEP_TRY(begin_hash(p, err));
    *ret = crypto_pwhash_str_verify(text, password.p, password.n) == 0;
    end_hash(p);
    return SKEP_OK;
}

/* --- what people may be called, and their passwords
 * ------------------------------------------------ */

bool skep_auth__is_user_name(skep_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && c != '.' && c != '_' && c != '-' && c != '@' && c != '+')
            return false;
    }
    return s.n > 0 && s.n <= SKEP_USER_NAME_MAX_BYTES;
}

static skep_rc check_password(skep_str s, skep_err *err)
{
    if (s.n < SKEP_PASSWORD_MIN_BYTES || s.n > SKEP_PASSWORD_MAX_BYTES || !skep_utf8_valid(s))
        return skep_fail(err, SKEP_EINVAL, "a password has %d to %d characters",
                         SKEP_PASSWORD_MIN_BYTES, SKEP_PASSWORD_MAX_BYTES);
    return SKEP_OK;
}

static skep_rc check_name(skep_str name, skep_err *err)
{
    if (!skep_auth__is_user_name(name))
        return skep_fail(err, SKEP_EINVAL,
                         "a user's name has 1 to %d of: letters, digits, . _ - @ +",
                         SKEP_USER_NAME_MAX_BYTES);
    return SKEP_OK;
}

static skep_rc check_user(skep_str name, skep_str password, skep_err *err)
{
    SKEP_TRY(check_name(name, err));
    SKEP_TRY(check_password(password, err));
    if (skep_str_ieq(name, password))
        return skep_fail(err, SKEP_EINVAL, "the password must not be the name");
    return SKEP_OK;
}

/* --- sessions
 * -------------------------------------------------------------------------------------- */

static void draw_token(const struct skep_os *os, char ret[SKEP_LOGIN_TOKEN_BYTES])
{
    skep_auth__draw(os, SKEP_STR("0123456789abcdefghjkmnpqrstvwxyz"), ret,
                    SKEP_LOGIN_TOKEN_BYTES - 1);
}

/* The lists that the gate asks, as they are now. */
static skep_rc reload(const struct skep_people *p, skep_err *err)
{
    if (!p->auth)
        return SKEP_OK; /* a server beside us notices by itself */
    skep_mutex_lock(&p->auth->load_mu);
    skep_rc rc = skep_auth__sessions_load(p->auth, err);
    skep_mutex_unlock(&p->auth->load_mu);
    return rc;
}

skep_rc skep_auth__begin_session(const struct skep_people *p, const struct skep_state_user *u,
                                 skep_str old, int64_t max_s, struct skep_logged_in *ret,
                                 skep_err *err)
{
    uint8_t old_hash[SKEP_STATE_HASH_BYTES];
    int64_t now_ns = p->os->now_ns(p->os);
    struct skep_state_session s = {
        .user = u->number, .created_ns = now_ns, .expires_ns = now_ns + max_s * ns_per_s};
    if (old.n && old.n <= SKEP_AUTH__TOKEN_MAX_BYTES) {
        skep_auth__hash(SKEP_AUTH__SESSION, old, old_hash);
        SKEP_TRY(skep_state_drop_session(p->state, (skep_bytes){old_hash, sizeof old_hash}, err));
    }
    draw_token(p->os, ret->token);
    skep_auth__hash(SKEP_AUTH__SESSION, skep_str_c(ret->token), s.hash);
    SKEP_TRY(skep_state_put_session(p->state, &s, err));
    ret->name = u->name;
    ret->role = u->role;
    return reload(p, err);
}

static skep_rc wrong(skep_err *err)
{
    return skep_fail(err, SKEP_EUNAUTHENTICATED, "wrong name or password");
}

/* The password's check; *ret is filled when it is right. */
static skep_rc check_login(const struct skep_people *p, const struct skep_login *what,
                           struct skep_arena *arena, struct skep_state_user *ret, skep_err *err)
{
    bool right = false;
    if (what->password.n == 0 || what->password.n > SKEP_PASSWORD_MAX_BYTES ||
        !skep_auth__is_user_name(what->name))
        return wrong(err);
    skep_rc rc = skep_state_find_user(p->state, what->name, arena, ret, err);
    bool known = rc == SKEP_OK && !ret->disabled_ns && ret->password.n > 0;
    if (rc != SKEP_OK && rc != SKEP_ENOTFOUND)
        return rc;
    SKEP_TRY(verify(p, known ? ret->password : skep_str_c(skep_auth__nobody), what->password,
                    &right, err));
    return known && right ? SKEP_OK : wrong(err);
}

skep_rc skep_auth_login(const struct skep_people *p, const struct skep_login *what,
                        struct skep_arena *arena, struct skep_logged_in *ret, skep_err *err)
{
    struct skep_state_user u;
    skep_assert(p->auth != NULL);
    *ret = (struct skep_logged_in){.retry_after_s = 1};
    int64_t now_ns = p->os->now_ns(p->os);
    int wait = skep_auth__guess_begin(&p->auth->guesses, what->name, what->peer, now_ns);
    if (wait) {
        ret->retry_after_s = wait;
        return skep_fail(err, SKEP_ELIMIT, "too many wrong passwords: try again in %d second%s",
                         wait, wait == 1 ? "" : "s");
    }
    skep_rc rc = check_login(p, what, arena, &u, err);
    if (rc != SKEP_OK && rc != SKEP_EUNAUTHENTICATED)
        skep_auth__guess_undo(&p->auth->guesses, what->name, what->peer, now_ns);
    if (rc != SKEP_OK)
        return rc;
    skep_auth__guess_good(&p->auth->guesses, what->name, what->peer, now_ns);
    rc = skep_auth__begin_session(p, &u, what->old, SKEP_SESSION_MAX_S, ret, err);
    return rc == SKEP_ENOTFOUND ? wrong(err) : rc; /* disabled since */
}

skep_rc skep_auth_welcome(const struct skep_people *p, skep_str link, const struct skep_login *what,
                          struct skep_arena *arena, struct skep_logged_in *ret, skep_err *err)
{
    uint8_t hash[SKEP_STATE_HASH_BYTES];
    char password[crypto_pwhash_STRBYTES];
    struct skep_state_user u = {.name = what->name};
    *ret = (struct skep_logged_in){.retry_after_s = 1};
    if (link.n != SKEP_LOGIN_TOKEN_BYTES - 1)
        return skep_fail(err, SKEP_EFORBIDDEN, "this is no one-time link");
    skep_auth__hash(SKEP_AUTH__LINK, link, hash);
    const skep_bytes of = {hash, sizeof hash};
    skep_rc rc = skep_state_find_link(p->state, of, &u.role, err);
    if (rc == SKEP_ENOTFOUND)
        return skep_fail(err, SKEP_EFORBIDDEN,
                         "this link was used already, or has expired: skep user link makes a new "
                         "one");
    if (rc != SKEP_OK)
        return rc;
    SKEP_TRY(check_user(what->name, what->password, err));
    SKEP_TRY(hash_password(p, what->password, password, err));
    u.password = skep_str_c(password);
    rc = skep_state_put_user(p->state, &u, of, err);
    if (rc == SKEP_ENOTFOUND)
        return skep_fail(err, SKEP_EFORBIDDEN, "this link was used already");
    if (rc == SKEP_OK)
        rc = skep_state_find_user(p->state, what->name, arena, &u, err);
    return rc == SKEP_OK ? skep_auth__begin_session(p, &u, what->old, SKEP_SESSION_MAX_S, ret, err)
                         : rc;
}

skep_rc skep_auth_logout(const struct skep_people *p, skep_str token, skep_err *err)
{
    uint8_t hash[SKEP_STATE_HASH_BYTES];
    if (token.n == 0 || token.n > SKEP_AUTH__TOKEN_MAX_BYTES)
        return SKEP_OK;
    skep_auth__hash(SKEP_AUTH__SESSION, token, hash);
    SKEP_TRY(skep_state_drop_session(p->state, (skep_bytes){hash, sizeof hash}, err));
    return reload(p, err);
}

/* --- users
 * ----------------------------------------------------------------------------------------- */

skep_rc skep_auth_create_user(const struct skep_people *p, skep_str name, enum skep_role role,
                              skep_str password, skep_err *err)
{
    char hash[crypto_pwhash_STRBYTES];
    SKEP_TRY(check_user(name, password, err));
    SKEP_TRY(hash_password(p, password, hash, err));
    const struct skep_state_user u = {.name = name, .role = role, .password = skep_str_c(hash)};
    return skep_state_put_user(p->state, &u, (skep_bytes){0}, err);
}

skep_rc skep_auth_expect_user(const struct skep_people *p, skep_str name, enum skep_role role,
                              skep_err *err)
{
    const struct skep_state_user u = {.name = name, .role = role};
    SKEP_TRY(check_name(name, err));
    return skep_state_put_user(p->state, &u, (skep_bytes){0}, err);
}

skep_rc skep_auth_set_user(const struct skep_people *p, skep_str name, enum skep_role role,
                           bool disabled, skep_err *err)
{
    SKEP_TRY(skep_state_set_user(p->state, name, role, disabled, err));
    return reload(p, err);
}

skep_rc skep_auth_set_password(const struct skep_people *p, skep_str name, skep_str password,
                               skep_err *err)
{
    char hash[crypto_pwhash_STRBYTES];
    SKEP_TRY(check_user(name, password, err));
    SKEP_TRY(hash_password(p, password, hash, err));
    SKEP_TRY(skep_state_set_password(p->state, name, skep_str_c(hash), err));
    return reload(p, err);
}

skep_rc skep_auth_link(const struct skep_people *p, enum skep_role role,
                       char ret[SKEP_LOGIN_TOKEN_BYTES], skep_err *err)
{
    uint8_t hash[SKEP_STATE_HASH_BYTES];
    if (sodium_init() < 0)
        return skep_fail(err, SKEP_EIO, "libsodium finds no randomness");
    draw_token(p->os, ret);
    skep_auth__hash(SKEP_AUTH__LINK, skep_str_c(ret), hash);
    return skep_state_put_link(p->state, (skep_bytes){hash, sizeof hash}, role,
                               p->os->now_ns(p->os) + SKEP_LINK_MAX_S * ns_per_s, err);
}

skep_str skep_auth_way_in(const struct skep_state_user *u)
{
    if (u->password.n)
        return SKEP_STR("password");
    return u->subject.n ? SKEP_STR("oidc") : SKEP_STR("waiting");
}

skep_str skep_role_name(enum skep_role role)
{
    return role == SKEP_ROLE_ADMIN ? SKEP_STR("admin") : SKEP_STR("viewer");
}

bool skep_role_parse(skep_str s, enum skep_role *ret)
{
    *ret = skep_str_eq(s, SKEP_STR("admin")) ? SKEP_ROLE_ADMIN : SKEP_ROLE_VIEWER;
    return *ret == SKEP_ROLE_ADMIN || skep_str_eq(s, SKEP_STR("viewer"));
}

unsigned skep_role_rights(enum skep_role role)
{
    return role == SKEP_ROLE_ADMIN ? SKEP_RIGHT_ALL : SKEP_RIGHT_QUERY;
}
