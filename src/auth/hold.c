// SPDX-License-Identifier: Apache-2.0
/* Whether what was let in may still go on (skep_auth_holds).
 *
 *   passed at generation G -> asked about once a millisecond -> generation changed? look again
 *
 * The generation counts loads of keys and sessions: while nothing changed, an answer is one atomic
 * read and a look at the clock.
 *
 * I1  a key that was revoked, disabled or has expired, and a session that has ended, do not hold
 *     from the load on that shows it; what ran with them ends at its next look.
 * I2  over is for good.
 * Threads: any, also several for one hold.  Memory: the caller's. */
#include "auth/auth_priv.h"
#include "base/assert.h"

void skep_auth_hold(struct skep_auth *a, const struct skep_caller *caller,
                    struct skep_auth_hold *ret)
{
    skep_assert(a != NULL);
    ret->key = caller->key;
    ret->user = caller->user;
    ret->session = caller->session;
    atomic_store(&ret->over, false);
    /* None yet: what changed since the gate let it pass is seen at the first look. */
    atomic_store(&ret->generation, 0);
    atomic_store(&ret->until_ns, 0);
}

/* True with when it ends at the latest (0 = never). */
static bool key_goes_on(struct skep_auth *a, uint64_t number, int64_t *ret_until_ns)
{
    struct skep_state_key k;
    struct skep_arena arena;
    skep_arena_init(&arena, "hold", NULL);
    bool found = skep_auth_key(a, number, &arena, &k);
    skep_arena_done(&arena);
    *ret_until_ns = found ? k.expires_ns : 0;
    return found && !k.revoked_ns && !k.disabled;
}

static bool goes_on(struct skep_auth *a, const struct skep_auth_hold *h, int64_t *ret_until_ns)
{
    *ret_until_ns = 0;
    if (h->key)
        return key_goes_on(a, h->key, ret_until_ns);
    if (h->user)
        return skep_auth__session_goes_on(a, h->session, h->user, ret_until_ns);
    return true;
}

bool skep_auth_holds(struct skep_auth *a, struct skep_auth_hold *h)
{
    int64_t until_ns = 0;
    if (!a->cfg.keys || (h->key == 0 && h->user == 0))
        return true;
    if (atomic_load_explicit(&h->over, memory_order_relaxed)) /* I2 */
        return false;
    uint64_t now = atomic_load_explicit(&a->generation, memory_order_acquire);
    if (now != atomic_load_explicit(&h->generation, memory_order_relaxed)) {
        bool on = goes_on(a, h, &until_ns);
        atomic_store_explicit(&h->until_ns, until_ns, memory_order_relaxed);
        atomic_store_explicit(&h->generation, now, memory_order_relaxed);
        if (!on)
            atomic_store_explicit(&h->over, true, memory_order_relaxed);
    }
    until_ns = atomic_load_explicit(&h->until_ns, memory_order_relaxed);
    if (until_ns && a->cfg.os->now_ns(a->cfg.os) >= until_ns)
        atomic_store_explicit(&h->over, true, memory_order_relaxed);
    return !atomic_load_explicit(&h->over, memory_order_relaxed);
}
