// SPDX-License-Identifier: Apache-2.0
/* The sessions in memory: the gate waits for no disk.
 *
 *   cookie's token --BLAKE2b--> 32 bytes --first 8--> index -> session -> all 32 compared
 *
 * The list is that of the database, loaded when a session begins or ends and when another process
 * changed something; when one was last seen is noted here and written once a minute.
 *
 * I1  a session that is not in the database, or whose user is disabled, is not in a list that was
 *     loaded afterwards.
 * Threads: loaded by one at a time (load_mu); looked up by all, under mu for a few comparisons. */
#include <sodium.h>

#include "auth/auth_priv.h"
#include "auth/login.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"

static const int64_t ns_per_s = 1000000000;
/* Seen again within this time is not noted: nothing depends on it more finely. */
static const int64_t grain_ns = 60 * ns_per_s;

struct skep_auth__session_list {
    struct skep_arena arena;
    struct skep_state_session *sessions;
    bool *dirty; /* seen since it was written */
    size_t n;
    struct skep_index by_hash;
};

static void list_free(struct skep_auth__session_list *l)
{
    if (!l)
        return;
    skep_index_done(&l->by_hash);
    skep_arena_done(&l->arena);
    skep_free(l);
}

void skep_auth__sessions_init(struct skep_auth__sessions *s)
{
    skep_mutex_init(&s->mu, "sessions");
}

void skep_auth__sessions_done(struct skep_auth__sessions *s)
{
    list_free(s->list);
    skep_mutex_done(&s->mu);
}

static size_t find(const struct skep_auth__session_list *l, const uint8_t *hash)
{
    if (!l)
        return SIZE_MAX;
    struct skep_index_it it = skep_index_begin(&l->by_hash, skep_load_le64(hash));
    for (uint32_t i; (i = skep_index_next(&l->by_hash, &it)) != SKEP_INDEX_NONE;)
        if (sodium_memcmp(l->sessions[i].hash, hash, SKEP_STATE_HASH_BYTES) == 0)
            return i;
    return SIZE_MAX;
}

/* What was seen since it was written is not in the database yet. */
static void keep_seen_locked(const struct skep_auth__session_list *old,
                             struct skep_auth__session_list *fresh)
{
    for (size_t i = 0; i < fresh->n; i++) {
        size_t k = find(old, fresh->sessions[i].hash);
        if (k == SIZE_MAX || !old->dirty[k])
            continue;
        fresh->sessions[i].seen_ns = old->sessions[k].seen_ns;
        fresh->dirty[i] = true;
    }
}

skep_rc skep_auth__sessions_load(struct skep_auth *a, skep_err *err)
{
    skep_assert_held(&a->load_mu);
    struct skep_auth__session_list *fresh = skep_alloc(struct skep_auth__session_list);
    skep_arena_init(&fresh->arena, "sessions", NULL);
    skep_rc rc =
        skep_state_list_sessions(a->cfg.state, &fresh->arena, &fresh->sessions, &fresh->n, err);
    skep_index_init(&fresh->by_hash, fresh->n);
    if (rc != SKEP_OK) {
        list_free(fresh);
        return rc;
    }
    fresh->dirty = skep_new_n(&fresh->arena, bool, fresh->n + 1);
    for (uint32_t i = 0; i < fresh->n; i++)
        skep_index_add(&fresh->by_hash, skep_load_le64(fresh->sessions[i].hash), i);
    skep_mutex_lock(&a->sessions.mu);
    struct skep_auth__session_list *old = a->sessions.list;
    keep_seen_locked(old, fresh);
    a->sessions.list = fresh;
    skep_mutex_unlock(&a->sessions.mu);
    atomic_fetch_add_explicit(&a->generation, 1, memory_order_release);
    list_free(old);
    return SKEP_OK;
}

bool skep_auth__session_goes_on(struct skep_auth *a, uint64_t session, uint64_t user,
                                int64_t *ret_until_ns)
{
    bool found = false;
    skep_mutex_lock(&a->sessions.mu);
    const struct skep_auth__session_list *l = a->sessions.list;
    struct skep_index_it it = skep_index_begin(&l->by_hash, session);
    for (uint32_t i; (i = skep_index_next(&l->by_hash, &it)) != SKEP_INDEX_NONE;) {
        const struct skep_state_session *s = &l->sessions[i];
        if (skep_load_le64(s->hash) != session || s->user != user)
            continue;
        *ret_until_ns = s->expires_ns;
        found = true;
    }
    skep_mutex_unlock(&a->sessions.mu);
    return found;
}

bool skep_auth__session_find(struct skep_auth *a, skep_str token, int64_t now_ns,
                             struct skep_arena *arena, struct skep_state_session *ret)
{
    uint8_t hash[SKEP_STATE_HASH_BYTES];
    bool good = false;
    if (token.n != SKEP_LOGIN_TOKEN_BYTES - 1)
        return false;
    skep_auth__hash(SKEP_AUTH__SESSION, token, hash);
    skep_mutex_lock(&a->sessions.mu);
    struct skep_auth__session_list *l = a->sessions.list;
    size_t i = find(l, hash);
    if (i != SIZE_MAX) {
        struct skep_state_session *s = &l->sessions[i];
        good = now_ns < s->expires_ns && now_ns - s->seen_ns < SKEP_SESSION_IDLE_S * ns_per_s;
        if (good && now_ns - s->seen_ns >= grain_ns) {
            s->seen_ns = now_ns;
            l->dirty[i] = true;
        }
        *ret = *s;
        ret->name = skep_arena_str(arena, s->name);
    }
    skep_mutex_unlock(&a->sessions.mu);
    return good;
}

skep_rc skep_auth__sessions_write(struct skep_auth *a, skep_err *err)
{
    enum { BATCH = 128 };
    struct skep_state_session some[BATCH];
    skep_assert_held(&a->load_mu); /* so that the list stays */
    for (size_t i = 0, n = 0;; n = 0) {
        skep_mutex_lock(&a->sessions.mu);
        struct skep_auth__session_list *l = a->sessions.list;
        for (; l && i < l->n && n < BATCH; i++) {
            if (l->dirty[i])
                some[n++] = l->sessions[i];
            l->dirty[i] = false;
        }
        skep_mutex_unlock(&a->sessions.mu);
        if (n == 0)
            return SKEP_OK;
        SKEP_TRY(skep_state_see_sessions(a->cfg.state, some, n, err));
    }
}
