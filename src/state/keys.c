// SPDX-License-Identifier: Apache-2.0
/* Environments and API keys (keys.h).
 *
 *   environment (id, slug, name ...)            slug unique; "default" is always there
 *   api_key     (number, id, environment, rights, hashes, sealed ...)
 *
 * The version is the sum of two counters: own changes, and SQLite's data_version, which grows when
 * another connection commits.
 *
 * I1  a key's environment exists when it is made, or is "" (all).
 * I2  a revoked key stays revoked, a number is never used again.
 * Threads: any.  Memory: texts in the caller's arena. */
#include "state/keys.h"

#include "base/assert.h"
#include "base/mem.h"
#include "state/state_priv.h"

static skep_bytes bytes_of(struct skep_arena *arena, sqlite3_stmt *st, int column)
{
    return skep_str_bytes(skep_state__text(arena, st, column));
}

static bool exists_locked(struct skep_state *s, skep_str slug, skep_rc *ret_rc, skep_err *err)
{
    bool row = false;
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ENVIRONMENT_FIND);
    skep_state__bind_str(st, 1, slug);
    *ret_rc = skep_state__step(s, st, &row, err);
    skep_state__reset(st);
    return row;
}

static skep_rc changed(struct skep_state *s, skep_rc rc)
{
    if (rc == SKEP_OK)
        s->keys_changes++;
    return rc;
}

/* --- environments --------------------------------------------------------------------------------
 */

static struct skep_state_environment read_environment(struct skep_arena *arena, sqlite3_stmt *st)
{
    return (struct skep_state_environment){.id = skep_state__text(arena, st, 0),
                                           .slug = skep_state__text(arena, st, 1),
                                           .name = skep_state__text(arena, st, 2),
                                           .description = skep_state__text(arena, st, 3),
                                           .color = skep_state__text(arena, st, 4),
                                           .created_ns = sqlite3_column_int64(st, 5),
                                           .delete_protected = sqlite3_column_int(st, 6) != 0};
}

skep_rc skep_state_list_environments(struct skep_state *s, struct skep_arena *arena,
                                     struct skep_state_environment **ret, size_t *ret_n,
                                     skep_err *err)
{
    struct skep_state_environment *list =
        skep_new_n(arena, struct skep_state_environment, SKEP_STATE_ENVIRONMENTS_MAX + 1);
    size_t n = 0;
    bool row = false;
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ENVIRONMENT_LIST);
    skep_rc rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row && n <= SKEP_STATE_ENVIRONMENTS_MAX) {
        list[n++] = read_environment(arena, st);
        rc = skep_state__step(s, st, &row, err);
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    *ret = list;
    *ret_n = n;
    return rc;
}

static skep_rc put_environment_locked(struct skep_state *s, const struct skep_state_environment *e,
                                      skep_err *err)
{
    uint64_t n = 0;
    skep_rc rc;
    if (exists_locked(s, e->slug, &rc, err))
        return skep_fail(err, SKEP_EEXISTS, "there is an environment \"" SKEP_STRFMT "\" already",
                         SKEP_STRARG(e->slug));
    if (rc == SKEP_OK)
        rc = skep_state__number(s, skep_state__use(s, SKEP_STATE__ENVIRONMENT_COUNT), &n, err);
    if (rc != SKEP_OK)
        return rc;
    if (n >= SKEP_STATE_ENVIRONMENTS_MAX)
        return skep_fail(err, SKEP_ELIMIT, "there are %d environments, and no more may be",
                         SKEP_STATE_ENVIRONMENTS_MAX);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ENVIRONMENT_PUT);
    skep_state__bind_str(st, 1, e->id);
    skep_state__bind_str(st, 2, e->slug);
    skep_state__bind_str(st, 3, e->name);
    skep_state__bind_str(st, 4, e->description);
    skep_state__bind_str(st, 5, e->color);
    skep_state__bind_i64(st, 6, e->created_ns);
    skep_state__bind_i64(st, 7, e->delete_protected);
    return changed(s, skep_state__run(s, st, err));
}

skep_rc skep_state_put_environment(struct skep_state *s, const struct skep_state_environment *e,
                                   skep_err *err)
{
    skep_assert(e->slug.n > 0 && e->id.n > 0);
    skep_mutex_lock(&s->lock);
    skep_rc rc = put_environment_locked(s, e, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state_set_environment(struct skep_state *s, const struct skep_state_environment *e,
                                   skep_err *err)
{
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ENVIRONMENT_SET);
    skep_state__bind_str(st, 1, e->slug);
    skep_state__bind_str(st, 2, e->description);
    skep_state__bind_str(st, 3, e->color);
    skep_state__bind_i64(st, 4, e->delete_protected);
    skep_rc rc = changed(s, skep_state__run(s, st, err));
    bool found = sqlite3_changes(s->db) > 0;
    skep_mutex_unlock(&s->lock);
    if (rc == SKEP_OK && !found)
        return skep_fail(err, SKEP_ENOTFOUND, "no such environment");
    return rc;
}

/* What goes with an environment: DELETE ... WHERE environment = ?1. */
static const enum skep_state__stmt of_environment[] = {
#define X(id, sql)
#define GONE(id, sql) SKEP_STATE__##id,
#include "state/sql/all.def"
#undef X
};

static skep_rc drop_environment_locked(struct skep_state *s, skep_str slug, skep_err *err)
{
    bool row = false;
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ENVIRONMENT_FIND);
    skep_state__bind_str(st, 1, slug);
    skep_rc rc = skep_state__step(s, st, &row, err);
    bool held = rc == SKEP_OK && row && sqlite3_column_int(st, 0) != 0;
    skep_state__reset(st);
    if (rc != SKEP_OK)
        return rc;
    if (!row)
        return skep_fail(err, SKEP_ENOTFOUND, "no such environment");
    if (held || skep_str_eq(slug, SKEP_STR("default")))
        return skep_fail(err, SKEP_EINVAL, "the environment is protected from being deleted");
    st = skep_state__use(s, SKEP_STATE__KEY_REVOKE_ALL);
    skep_state__bind_str(st, 1, slug);
    skep_state__bind_i64(st, 2, s->os->now_ns(s->os));
    SKEP_TRY(skep_state__run(s, st, err));
    for (size_t i = 0; i < SKEP_ARRAY_LEN(of_environment); i++) {
        st = skep_state__use(s, of_environment[i]);
        skep_state__bind_str(st, 1, slug);
        SKEP_TRY(skep_state__run(s, st, err));
    }
    st = skep_state__use(s, SKEP_STATE__ENVIRONMENT_DROP);
    skep_state__bind_str(st, 1, slug);
    return skep_state__run(s, st, err);
}

skep_rc skep_state_drop_environment(struct skep_state *s, skep_str slug, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, drop_environment_locked(s, slug, err), err);
    (void)changed(s, rc);
    if (rc == SKEP_OK)
        skep_state__logs_drop_environment(s, slug);
    skep_mutex_unlock(&s->lock);
    return rc;
}

/* --- keys ----------------------------------------------------------------------------------------
 */

static uint64_t count_at(sqlite3_stmt *st, int column)
{
    int64_t v = sqlite3_column_int64(st, column);
    return v > 0 ? (uint64_t)v : 0;
}

static struct skep_state_key read_key(struct skep_arena *arena, sqlite3_stmt *st)
{
    return (struct skep_state_key){.number = (uint64_t)sqlite3_column_int64(st, 0),
                                   .id = skep_state__text(arena, st, 1),
                                   .name = skep_state__text(arena, st, 2),
                                   .environment = skep_state__text(arena, st, 3),
                                   .rights = (unsigned)sqlite3_column_int(st, 4),
                                   .token_hash = bytes_of(arena, st, 5),
                                   .rollbar_hash = bytes_of(arena, st, 6),
                                   .access_key = skep_state__text(arena, st, 7),
                                   .sealed = bytes_of(arena, st, 8),
                                   .created_ns = sqlite3_column_int64(st, 9),
                                   .expires_ns = sqlite3_column_int64(st, 10),
                                   .revoked_ns = sqlite3_column_int64(st, 11),
                                   .disabled = sqlite3_column_int(st, 12) != 0,
                                   .limits = {.events_per_minute = count_at(st, 13),
                                              .bytes_per_minute = count_at(st, 14),
                                              .events_per_day = count_at(st, 15),
                                              .bytes_per_day = count_at(st, 16)},
                                   .use = {.last_used_ns = sqlite3_column_int64(st, 17),
                                           .day = sqlite3_column_int64(st, 18),
                                           .day_events = count_at(st, 19),
                                           .day_bytes = count_at(st, 20)}};
}

static bool is_sound(const struct skep_state_key *k)
{
    return k->token_hash.n == SKEP_STATE_HASH_BYTES && k->rollbar_hash.n == SKEP_STATE_HASH_BYTES &&
           k->sealed.n <= SKEP_STATE_SEALED_MAX_BYTES;
}

skep_rc skep_state_list_keys(struct skep_state *s, struct skep_arena *arena,
                             struct skep_state_key **ret, size_t *ret_n, skep_err *err)
{
    struct skep_state_key *list = NULL;
    size_t n = 0, cap = 0;
    bool row = false;
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__KEY_LIST);
    skep_rc rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row) {
        SKEP_GROW(list, n, cap);
        list[n] = read_key(arena, st);
        if (!is_sound(&list[n]))
            rc = skep_fail(err, SKEP_ECORRUPT, "state database: a key without its hashes");
        else
            rc = skep_state__step(s, st, &row, err);
        n++;
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    if (rc == SKEP_OK) {
        *ret = skep_new_n(arena, struct skep_state_key, n ? n : 1);
        if (n)
            memcpy(*ret, list, n * sizeof *list);
        *ret_n = n;
    }
    skep_free(list);
    return rc;
}

static void bind_key(sqlite3_stmt *st, const struct skep_state_key *k)
{
    skep_state__bind_str(st, 1, k->id);
    skep_state__bind_str(st, 2, k->name);
    skep_state__bind_str(st, 3, k->environment);
    skep_state__bind_i64(st, 4, k->rights);
    skep_state__bind_bytes(st, 5, k->token_hash);
    skep_state__bind_bytes(st, 6, k->rollbar_hash);
    skep_state__bind_str(st, 7, k->access_key);
    skep_state__bind_bytes(st, 8, k->sealed);
    skep_state__bind_i64(st, 9, k->created_ns);
    skep_state__bind_i64(st, 10, k->expires_ns);
    skep_state__bind_i64(st, 11, (int64_t)k->limits.events_per_minute);
    skep_state__bind_i64(st, 12, (int64_t)k->limits.bytes_per_minute);
    skep_state__bind_i64(st, 13, (int64_t)k->limits.events_per_day);
    skep_state__bind_i64(st, 14, (int64_t)k->limits.bytes_per_day);
}

static skep_rc put_key_locked(struct skep_state *s, const struct skep_state_key *k, skep_err *err)
{
    uint64_t n = 0;
    skep_rc rc = SKEP_OK;
    if (k->environment.n && !exists_locked(s, k->environment, &rc, err) && rc == SKEP_OK)
        return skep_fail(err, SKEP_ENOTFOUND,
                         "there is no environment \"" SKEP_STRFMT "\": make it first",
                         SKEP_STRARG(k->environment));
    if (rc == SKEP_OK)
        rc = skep_state__number(s, skep_state__use(s, SKEP_STATE__KEY_COUNT), &n, err);
    if (rc != SKEP_OK)
        return rc;
    if (n >= SKEP_STATE_KEYS_MAX)
        SKEP_TRY(skep_state__run(s, skep_state__use(s, SKEP_STATE__KEY_FORGET), err));
    if (n >= SKEP_STATE_KEYS_MAX && sqlite3_changes(s->db) == 0)
        return skep_fail(err, SKEP_ELIMIT, "there are %d keys, and no more may be",
                         SKEP_STATE_KEYS_MAX);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__KEY_PUT);
    bind_key(st, k);
    return changed(s, skep_state__run(s, st, err));
}

skep_rc skep_state_put_key(struct skep_state *s, const struct skep_state_key *k, skep_err *err)
{
    skep_assert(is_sound(k) && k->id.n > 0);
    skep_mutex_lock(&s->lock);
    skep_rc rc = put_key_locked(s, k, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

/* Run a statement whose ?1 is an id; ENOTFOUND when it changed nothing. */
static skep_rc run_on_key_locked(struct skep_state *s, sqlite3_stmt *st, skep_str id, skep_err *err)
{
    skep_state__bind_str(st, 1, id);
    SKEP_TRY(skep_state__run(s, st, err));
    if (sqlite3_changes(s->db) == 0)
        return skep_fail(err, SKEP_ENOTFOUND, "no such key");
    return changed(s, SKEP_OK);
}

skep_rc skep_state_revoke_key(struct skep_state *s, skep_str id, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__KEY_REVOKE);
    skep_state__bind_i64(st, 2, s->os->now_ns(s->os));
    skep_rc rc = run_on_key_locked(s, st, id, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state_set_key(struct skep_state *s, skep_str id, skep_str name, bool disabled,
                           skep_err *err)
{
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__KEY_SET);
    skep_state__bind_str(st, 2, name);
    skep_state__bind_i64(st, 3, disabled);
    skep_rc rc = run_on_key_locked(s, st, id, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

static skep_rc use_locked(struct skep_state *s, uint64_t number, const struct skep_key_use *use,
                          skep_err *err)
{
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__KEY_USE);
    skep_state__bind_i64(st, 1, (int64_t)number);
    skep_state__bind_i64(st, 2, use->last_used_ns);
    skep_state__bind_i64(st, 3, use->day);
    skep_state__bind_i64(st, 4, (int64_t)use->day_events);
    skep_state__bind_i64(st, 5, (int64_t)use->day_bytes);
    return skep_state__run(s, st, err);
}

skep_rc skep_state_use_keys(struct skep_state *s, const uint64_t *numbers,
                            const struct skep_key_use *uses, size_t n, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    bool begun = rc == SKEP_OK;
    for (size_t i = 0; i < n && rc == SKEP_OK; i++)
        rc = use_locked(s, numbers[i], &uses[i], err);
    if (begun)
        rc = skep_state__end(s, rc, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

uint64_t skep_state_keys_version(struct skep_state *s)
{
    bool row = false;
    uint64_t version = 0;
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__DATA_VERSION);
    /* A failure reads as no change; the next statement that matters reports it. */
    if (skep_state__step(s, st, &row, NULL) == SKEP_OK && row)
        s->data_version = (uint64_t)sqlite3_column_int64(st, 0);
    skep_state__reset(st);
    version = s->data_version + (s->keys_changes << 32);
    skep_mutex_unlock(&s->lock);
    return version;
}
