// SPDX-License-Identifier: Apache-2.0
/* The keys in memory: one immutable table a version of the database, shared by reference.
 *
 *   token --BLAKE2b--> 32 bytes --first 8--> index -> key -> all 32 compared in constant time
 *
 * I1  a table does not change once it is published; requests hold a reference while they look.
 * I2  a key's meter outlives every table: it belongs to the auth.
 * Threads: loaded by one at a time (load_mu), read by all.  Memory: an arena a table. */
#include <sodium.h>

#include "auth/auth_priv.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"

static uint64_t head_of(const uint8_t hash[SKEP_STATE_HASH_BYTES])
{
    return skep_load_le64(hash);
}

static struct skep_auth__meter *meter_locked(struct skep_auth *a, const struct skep_state_key *k)
{
    uint64_t h = skep_hash_u64(k->number);
    struct skep_index_it it = skep_index_begin(&a->meter_ix, h);
    skep_assert_held(&a->load_mu);
    for (uint32_t i; (i = skep_index_next(&a->meter_ix, &it)) != SKEP_INDEX_NONE;)
        if (a->meters[i]->number == k->number)
            return a->meters[i];
    SKEP_GROW(a->meters, a->n_meters, a->cap_meters);
    a->meters[a->n_meters] = skep_auth__meter_new(k->number, &k->use);
    skep_index_add(&a->meter_ix, h, (uint32_t)a->n_meters);
    return a->meters[a->n_meters++];
}

skep_rc skep_auth__table_load(struct skep_auth *a, struct skep_auth__table **ret, skep_err *err)
{
    struct skep_state_key *keys = NULL;
    struct skep_auth__table *t = skep_alloc(struct skep_auth__table);
    t->refs = 1;
    skep_arena_init(&t->arena, "keys", NULL);
    skep_rc rc = skep_state_list_keys(a->cfg.state, &t->arena, &keys, &t->n_keys, err);
    if (rc == SKEP_OK)
        rc = skep_state_list_environments(a->cfg.state, &t->arena, &t->environments,
                                          &t->n_environments, err);
    skep_index_init(&t->by_token, t->n_keys);
    skep_index_init(&t->by_rollbar, t->n_keys);
    skep_index_init(&t->by_access_key, t->n_keys);
    if (rc != SKEP_OK) {
        skep_auth__table_free(t);
        return rc;
    }
    t->keys = skep_new_n(&t->arena, struct skep_auth__key, t->n_keys + 1);
    for (uint32_t i = 0; i < t->n_keys; i++) {
        const struct skep_state_key *k = &keys[i];
        t->keys[i] = (struct skep_auth__key){.k = *k, .meter = meter_locked(a, k)};
        skep_index_add(&t->by_token, head_of(k->token_hash.p), i);
        skep_index_add(&t->by_rollbar, head_of(k->rollbar_hash.p), i);
        skep_index_add(&t->by_access_key, skep_hash(skep_str_bytes(k->access_key)), i);
    }
    *ret = t;
    return SKEP_OK;
}

void skep_auth__table_free(struct skep_auth__table *t)
{
    if (!t)
        return;
    skep_index_done(&t->by_token);
    skep_index_done(&t->by_rollbar);
    skep_index_done(&t->by_access_key);
    skep_arena_done(&t->arena);
    skep_free(t);
}

static const struct skep_auth__key *by_hash(const struct skep_auth__table *t,
                                            const struct skep_index *ix, enum skep_auth__kind kind,
                                            skep_str token)
{
    uint8_t hash[SKEP_STATE_HASH_BYTES];
    const struct skep_auth__key *found = NULL;
    if (token.n == 0 || token.n > SKEP_AUTH__TOKEN_MAX_BYTES)
        return NULL;
    skep_auth__hash(kind, token, hash);
    struct skep_index_it it = skep_index_begin(ix, head_of(hash));
    for (uint32_t i; (i = skep_index_next(ix, &it)) != SKEP_INDEX_NONE && !found;) {
        const struct skep_state_key *k = &t->keys[i].k;
        const uint8_t *kept = kind == SKEP_AUTH__TOKEN ? k->token_hash.p : k->rollbar_hash.p;
        if (sodium_memcmp(kept, hash, sizeof hash) == 0)
            found = &t->keys[i];
    }
    return found;
}

const struct skep_auth__key *skep_auth__by_token(const struct skep_auth__table *t, skep_str token)
{
    return by_hash(t, &t->by_token, SKEP_AUTH__TOKEN, token);
}

const struct skep_auth__key *skep_auth__by_rollbar(const struct skep_auth__table *t, skep_str token)
{
    return by_hash(t, &t->by_rollbar, SKEP_AUTH__ROLLBAR, token);
}

/* An access key id is no secret: its signature is what counts. */
const struct skep_auth__key *skep_auth__by_access_key(const struct skep_auth__table *t,
                                                      skep_str access_key)
{
    struct skep_index_it it =
        skep_index_begin(&t->by_access_key, skep_hash(skep_str_bytes(access_key)));
    for (uint32_t i; (i = skep_index_next(&t->by_access_key, &it)) != SKEP_INDEX_NONE;)
        if (skep_str_eq(t->keys[i].k.access_key, access_key))
            return &t->keys[i];
    return NULL;
}

bool skep_auth__environment_is(const struct skep_auth__table *t, skep_str slug)
{
    /* The server's own: the demo's rows, and what it writes of itself. */
    if (skep_str_eq(slug, SKEP_STR("demo")) || skep_str_eq(slug, SKEP_STR("_skep")))
        return true;
    for (size_t i = 0; i < t->n_environments; i++)
        if (skep_str_eq(t->environments[i].slug, slug))
            return true;
    return false;
}
