// SPDX-License-Identifier: Apache-2.0
/* Users, sessions, one-time links (users.h).
 *
 *   user    (number, name, role, password, subject)  name unique, ASCII case aside
 *   session (hash, user, created, seen, expires)     of a user who is not disabled
 *   link    (hash, role, expires, used)              makes one user
 *
 * I1  a user who is disabled, or whose password changes, has no session: one transaction.
 * I2  a link makes one user: using it up and making the user are one transaction.
 * I3  once there is an administrator who may log in, there always is one.
 * Threads: any.  Memory: texts in the caller's arena. */
#include "state/users.h"

#include "base/assert.h"
#include "base/mem.h"
#include "state/state_priv.h"

static struct skep_state_user read_user(struct skep_arena *arena, sqlite3_stmt *st)
{
    return (struct skep_state_user){
        .number = (uint64_t)sqlite3_column_int64(st, 0),
        .name = skep_state__text(arena, st, 1),
        .role = sqlite3_column_int(st, 2) == SKEP_ROLE_ADMIN ? SKEP_ROLE_ADMIN : SKEP_ROLE_VIEWER,
        .password = skep_state__text(arena, st, 3),
        .created_ns = sqlite3_column_int64(st, 4),
        .disabled_ns = sqlite3_column_int64(st, 5),
        .last_login_ns = sqlite3_column_int64(st, 6),
        .subject = skep_state__text(arena, st, 7)};
}

static skep_rc count_locked(struct skep_state *s, sqlite3_stmt *st, uint64_t *ret, skep_err *err)
{
    bool row = false;
    skep_rc rc = skep_state__step(s, st, &row, err);
    *ret = rc == SKEP_OK && row ? (uint64_t)sqlite3_column_int64(st, 0) : 0;
    skep_state__reset(st);
    return rc;
}

skep_rc skep_state_list_users(struct skep_state *s, struct skep_arena *arena,
                              struct skep_state_user **ret, size_t *ret_n, skep_err *err)
{
    uint64_t all = 0;
    size_t n = 0;
    bool row = false;
    struct skep_state_user *list = NULL;
    skep_mutex_lock(&s->lock);
    skep_rc rc = count_locked(s, skep_state__use(s, SKEP_STATE__USER_COUNT), &all, err);
    list = skep_new_n(arena, struct skep_state_user, (size_t)all + 1);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__USER_LIST);
    if (rc == SKEP_OK)
        rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row && n < all) {
        list[n++] = read_user(arena, st);
        rc = skep_state__step(s, st, &row, err);
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    *ret = list;
    *ret_n = n;
    return rc;
}

static skep_rc find_locked(struct skep_state *s, skep_str name, struct skep_arena *arena,
                           struct skep_state_user *ret, skep_err *err)
{
    bool row = false;
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__USER_GET);
    skep_state__bind_str(st, 1, name);
    skep_rc rc = skep_state__step(s, st, &row, err);
    if (rc == SKEP_OK && row)
        *ret = read_user(arena, st);
    skep_state__reset(st);
    if (rc == SKEP_OK && !row)
        return skep_fail(err, SKEP_ENOTFOUND, "no such user");
    return rc;
}

skep_rc skep_state_find_user(struct skep_state *s, skep_str name, struct skep_arena *arena,
                             struct skep_state_user *ret, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    skep_rc rc = find_locked(s, name, arena, ret, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state_find_subject(struct skep_state *s, skep_str subject, struct skep_arena *arena,
                                struct skep_state_user *ret, skep_err *err)
{
    bool row = false;
    skep_assert(subject.n > 0);
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__USER_SUBJECT);
    skep_state__bind_str(st, 1, subject);
    skep_rc rc = skep_state__step(s, st, &row, err);
    if (rc == SKEP_OK && row)
        *ret = read_user(arena, st);
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    return rc == SKEP_OK && !row ? skep_fail(err, SKEP_ENOTFOUND, "no such user") : rc;
}

skep_rc skep_state_bind_subject(struct skep_state *s, skep_str name, skep_str subject,
                                skep_err *err)
{
    skep_assert(subject.n > 0 && subject.n <= SKEP_STATE_SUBJECT_MAX_BYTES);
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__USER_BIND);
    skep_state__bind_str(st, 1, name);
    skep_state__bind_str(st, 2, subject);
    skep_rc rc = skep_state__run(s, st, err);
    bool none = rc == SKEP_OK && sqlite3_changes(s->db) == 0;
    skep_mutex_unlock(&s->lock);
    return none ? skep_fail(err, SKEP_ENOTFOUND, "no user waits under that name") : rc;
}

skep_rc skep_state_count_users(struct skep_state *s, uint64_t *ret, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    skep_rc rc = count_locked(s, skep_state__use(s, SKEP_STATE__USER_COUNT), ret, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

static skep_rc link_locked(struct skep_state *s, skep_bytes hash, enum skep_role *ret,
                           skep_err *err)
{
    bool row = false;
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__LINK_GET);
    skep_state__bind_bytes(st, 1, hash);
    skep_state__bind_i64(st, 2, s->os->now_ns(s->os));
    skep_rc rc = skep_state__step(s, st, &row, err);
    if (rc == SKEP_OK && row)
        *ret = sqlite3_column_int(st, 0) == SKEP_ROLE_ADMIN ? SKEP_ROLE_ADMIN : SKEP_ROLE_VIEWER;
    skep_state__reset(st);
    if (rc == SKEP_OK && !row)
        return skep_fail(err, SKEP_ENOTFOUND, "this link was used already, or has expired");
    return rc;
}

static skep_rc put_user_locked(struct skep_state *s, const struct skep_state_user *u,
                               skep_bytes link, skep_err *err)
{
    uint64_t n = 0;
    enum skep_role role = u->role;
    if (link.n)
        SKEP_TRY(link_locked(s, link, &role, err));
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__USER_NAMED);
    skep_state__bind_str(st, 1, u->name);
    SKEP_TRY(count_locked(s, st, &n, err));
    if (n)
        return skep_fail(err, SKEP_EEXISTS, "there is a user \"" SKEP_STRFMT "\" already",
                         SKEP_STRARG(u->name));
    SKEP_TRY(count_locked(s, skep_state__use(s, SKEP_STATE__USER_COUNT), &n, err));
    if (n >= SKEP_STATE_USERS_MAX)
        return skep_fail(err, SKEP_ELIMIT, "there are %d users, and no more may be",
                         SKEP_STATE_USERS_MAX);
    st = skep_state__use(s, SKEP_STATE__USER_PUT);
    skep_state__bind_str(st, 1, u->name);
    skep_state__bind_i64(st, 2, role);
    skep_state__bind_str(st, 3, u->password);
    skep_state__bind_i64(st, 4, u->created_ns ? u->created_ns : s->os->now_ns(s->os));
    skep_state__bind_str(st, 5, u->subject);
    SKEP_TRY(skep_state__run(s, st, err));
    if (!link.n)
        return SKEP_OK;
    st = skep_state__use(s, SKEP_STATE__LINK_USE); /* I2 */
    skep_state__bind_bytes(st, 1, link);
    skep_state__bind_i64(st, 2, s->os->now_ns(s->os));
    return skep_state__run(s, st, err);
}

skep_rc skep_state_put_user(struct skep_state *s, const struct skep_state_user *u, skep_bytes link,
                            skep_err *err)
{
    skep_assert(u->name.n > 0 && u->subject.n <= SKEP_STATE_SUBJECT_MAX_BYTES);
    skep_assert(u->password.n > 0 || link.n == 0); /* a link is for who chooses a password */
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, put_user_locked(s, u, link, err), err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

static skep_rc end_sessions_locked(struct skep_state *s, uint64_t user, skep_err *err)
{
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__SESSION_DROP_OF);
    skep_state__bind_i64(st, 1, (int64_t)user);
    return skep_state__run(s, st, err);
}

static skep_rc set_user_locked(struct skep_state *s, skep_str name, enum skep_role role,
                               bool disabled, struct skep_arena *arena, skep_err *err)
{
    uint64_t admins = 0;
    struct skep_state_user u;
    SKEP_TRY(find_locked(s, name, arena, &u, err));
    SKEP_TRY(count_locked(s, skep_state__use(s, SKEP_STATE__USER_ADMINS), &admins, err));
    bool was = u.role == SKEP_ROLE_ADMIN && !u.disabled_ns;
    if (was && (disabled || role != SKEP_ROLE_ADMIN) && admins <= 1)
        return skep_fail(err, SKEP_EINVAL,
                         "this is the last administrator: make another one first"); /* I3 */
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__USER_SET);
    skep_state__bind_i64(st, 1, (int64_t)u.number);
    skep_state__bind_i64(st, 2, role);
    skep_state__bind_i64(st, 3,
                         !disabled       ? 0
                         : u.disabled_ns ? u.disabled_ns
                                         : s->os->now_ns(s->os));
    SKEP_TRY(skep_state__run(s, st, err));
    return disabled ? end_sessions_locked(s, u.number, err) : SKEP_OK; /* I1 */
}

skep_rc skep_state_set_user(struct skep_state *s, skep_str name, enum skep_role role, bool disabled,
                            skep_err *err)
{
    struct skep_arena arena;
    skep_arena_init(&arena, "user", NULL);
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, set_user_locked(s, name, role, disabled, &arena, err), err);
    skep_mutex_unlock(&s->lock);
    skep_arena_done(&arena);
    return rc;
}

static skep_rc set_password_locked(struct skep_state *s, skep_str name, skep_str password,
                                   struct skep_arena *arena, skep_err *err)
{
    struct skep_state_user u;
    SKEP_TRY(find_locked(s, name, arena, &u, err));
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__USER_PASSWORD);
    skep_state__bind_i64(st, 1, (int64_t)u.number);
    skep_state__bind_str(st, 2, password);
    SKEP_TRY(skep_state__run(s, st, err));
    return end_sessions_locked(s, u.number, err); /* I1 */
}

skep_rc skep_state_set_password(struct skep_state *s, skep_str name, skep_str password,
                                skep_err *err)
{
    struct skep_arena arena;
    skep_assert(password.n > 0);
    skep_arena_init(&arena, "user", NULL);
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, set_password_locked(s, name, password, &arena, err), err);
    skep_mutex_unlock(&s->lock);
    skep_arena_done(&arena);
    return rc;
}

/* --- sessions
 * -------------------------------------------------------------------------------------- */

static bool read_session(struct skep_arena *arena, sqlite3_stmt *st, struct skep_state_session *ret)
{
    *ret = (struct skep_state_session){
        .user = (uint64_t)sqlite3_column_int64(st, 1),
        .name = skep_state__text(arena, st, 2),
        .role = sqlite3_column_int(st, 3) == SKEP_ROLE_ADMIN ? SKEP_ROLE_ADMIN : SKEP_ROLE_VIEWER,
        .created_ns = sqlite3_column_int64(st, 4),
        .seen_ns = sqlite3_column_int64(st, 5),
        .expires_ns = sqlite3_column_int64(st, 6)};
    const void *hash = sqlite3_column_blob(st, 0);
    if (!hash || sqlite3_column_bytes(st, 0) != SKEP_STATE_HASH_BYTES)
        return false;
    memcpy(ret->hash, hash, SKEP_STATE_HASH_BYTES);
    return true;
}

skep_rc skep_state_list_sessions(struct skep_state *s, struct skep_arena *arena,
                                 struct skep_state_session **ret, size_t *ret_n, skep_err *err)
{
    uint64_t all = 0;
    size_t n = 0;
    bool row = false;
    skep_mutex_lock(&s->lock);
    skep_rc rc = count_locked(s, skep_state__use(s, SKEP_STATE__SESSION_COUNT), &all, err);
    struct skep_state_session *list = skep_new_n(arena, struct skep_state_session, (size_t)all + 1);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__SESSION_LIST);
    if (rc == SKEP_OK)
        rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row && n < all) {
        if (!read_session(arena, st, &list[n++]))
            rc = skep_fail(err, SKEP_ECORRUPT, "state database: a session without its hash");
        else
            rc = skep_state__step(s, st, &row, err);
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    *ret = list;
    *ret_n = n;
    return rc;
}

static skep_rc put_session_locked(struct skep_state *s, const struct skep_state_session *session,
                                  skep_err *err)
{
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__SESSION_DROP_OLD);
    skep_state__bind_i64(st, 1, session->created_ns);
    SKEP_TRY(skep_state__run(s, st, err));
    st = skep_state__use(s, SKEP_STATE__SESSION_DROP_MANY);
    skep_state__bind_i64(st, 1, SKEP_STATE_SESSIONS_MAX - 1);
    SKEP_TRY(skep_state__run(s, st, err));
    st = skep_state__use(s, SKEP_STATE__USER_LOGIN);
    skep_state__bind_i64(st, 1, (int64_t)session->user);
    skep_state__bind_i64(st, 2, session->created_ns);
    SKEP_TRY(skep_state__run(s, st, err));
    if (sqlite3_changes(s->db) == 0)
        return skep_fail(err, SKEP_ENOTFOUND, "no such user");
    st = skep_state__use(s, SKEP_STATE__SESSION_PUT);
    skep_state__bind_bytes(st, 1, (skep_bytes){session->hash, sizeof session->hash});
    skep_state__bind_i64(st, 2, (int64_t)session->user);
    skep_state__bind_i64(st, 3, session->created_ns);
    skep_state__bind_i64(st, 4, session->expires_ns);
    return skep_state__run(s, st, err);
}

skep_rc skep_state_put_session(struct skep_state *s, const struct skep_state_session *session,
                               skep_err *err)
{
    skep_assert(session->expires_ns > session->created_ns);
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, put_session_locked(s, session, err), err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state_drop_session(struct skep_state *s, skep_bytes hash, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__SESSION_DROP);
    skep_state__bind_bytes(st, 1, hash);
    skep_rc rc = skep_state__run(s, st, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

static skep_rc see_locked(struct skep_state *s, const struct skep_state_session *sessions, size_t n,
                          skep_err *err)
{
    for (size_t i = 0; i < n; i++) {
        sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__SESSION_SEE);
        skep_state__bind_bytes(st, 1, (skep_bytes){sessions[i].hash, sizeof sessions[i].hash});
        skep_state__bind_i64(st, 2, sessions[i].seen_ns);
        SKEP_TRY(skep_state__run(s, st, err));
    }
    return SKEP_OK;
}

skep_rc skep_state_see_sessions(struct skep_state *s, const struct skep_state_session *sessions,
                                size_t n, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, see_locked(s, sessions, n, err), err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

/* --- links
 * ----------------------------------------------------------------------------------------- */

static skep_rc put_link_locked(struct skep_state *s, skep_bytes hash, enum skep_role role,
                               int64_t expires_ns, skep_err *err)
{
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__LINK_DROP_MANY);
    skep_state__bind_i64(st, 1, SKEP_STATE_LINKS_MAX - 1);
    SKEP_TRY(skep_state__run(s, st, err));
    st = skep_state__use(s, SKEP_STATE__LINK_PUT);
    skep_state__bind_bytes(st, 1, hash);
    skep_state__bind_i64(st, 2, role);
    skep_state__bind_i64(st, 3, s->os->now_ns(s->os));
    skep_state__bind_i64(st, 4, expires_ns);
    return skep_state__run(s, st, err);
}

skep_rc skep_state_put_link(struct skep_state *s, skep_bytes hash, enum skep_role role,
                            int64_t expires_ns, skep_err *err)
{
    skep_assert(hash.n == SKEP_STATE_HASH_BYTES);
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, put_link_locked(s, hash, role, expires_ns, err), err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state_find_link(struct skep_state *s, skep_bytes hash, enum skep_role *ret,
                             skep_err *err)
{
    skep_mutex_lock(&s->lock);
    skep_rc rc = link_locked(s, hash, ret, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}
