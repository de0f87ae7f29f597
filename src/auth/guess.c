// SPDX-License-Identifier: Apache-2.0
/* Guessing passwords takes longer and longer: by user and by address.
 *
 *   begin  counts a failure before the password is looked at, or says how long to wait
 *   good   takes it back, and forgets the user's others
 *   undo   takes it back alone: the password was not looked at
 *
 *            free    then a wait of            at most
 *   user     5       1, 2, 4 ... s             1 minute     (somebody else's guesses must not lock
 *                                                            a user out for long)
 *   address  20      1, 2, 4 ... s             15 minutes   (of IPv6: the /64; not loopback, where
 *                                                            a proxy speaks for everybody)
 *
 * Names that no user has are counted alike, so that a wait says nothing.  What had no failure for
 * an hour is forgotten.
 *
 * I1  bounded: sets of eight slots, the one that failed longest ago gives way; slots are found by a
 *     hash under a random seed, so that nobody can aim at one.
 * I2  counted first: many guesses at once get no more tries than one after the other.
 * Threads: any, one lock held for a few comparisons. */
#include <arpa/inet.h>

#include "auth/auth_priv.h"
#include "auth/login.h"
#include "base/assert.h"

enum { WAYS = SKEP_AUTH__GUESS_WAYS, SETS = SKEP_AUTH__GUESS_SETS };
static const int64_t ns_per_s = 1000000000;
static const int64_t forget_ns = 3600 * ns_per_s;

static const struct rule {
    uint32_t free;
    int64_t max_s;
} rules[SKEP_AUTH__GUESS_KINDS] = {
    [SKEP_AUTH__BY_USER] = {5, 60}, [SKEP_AUTH__BY_ADDRESS] = {20, 900}};

void skep_auth__guesses_init(struct skep_auth__guesses *g, const struct skep_os *os)
{
    skep_mutex_init(&g->mu, "guesses");
    os->random(os, &g->seed, sizeof g->seed);
}

void skep_auth__guesses_done(struct skep_auth__guesses *g)
{
    skep_mutex_done(&g->mu);
}

/* "1.2.3.4:5" or "[2001:db8::1]:5" -> what counts of it; false: not counted. */
static bool address_of(skep_str peer, uint8_t out[16])
{
    char text[INET6_ADDRSTRLEN];
    size_t colon = peer.n;
    while (colon > 0 && peer.p[colon - 1] != ':')
        colon--;
    skep_str host = {peer.p, colon ? colon - 1 : 0};
    if (host.n >= 2 && host.p[0] == '[')
        host = (skep_str){host.p + 1, host.n - 2};
    if (host.n == 0 || host.n >= sizeof text)
        return false;
    memcpy(text, host.p, host.n);
    text[host.n] = '\0';
    memset(out, 0, 16);
    if (inet_pton(AF_INET, text, out) == 1)
        return out[0] != 127;
    struct in6_addr a;
    if (inet_pton(AF_INET6, text, &a) != 1 || IN6_IS_ADDR_LOOPBACK(&a))
        return false;
    if (IN6_IS_ADDR_V4MAPPED(&a)) {
        memcpy(out, a.s6_addr + 12, 4);
        return out[0] != 127;
    }
    memcpy(out, a.s6_addr, 8);
    return true;
}

static uint64_t tag_of(const struct skep_auth__guesses *g, skep_bytes what)
{
    uint64_t tag = skep_hash_seed(what, g->seed);
    return tag ? tag : 1;
}

static struct skep_auth__guess *slot_locked(struct skep_auth__guesses *g,
                                            enum skep_auth__guess_kind kind, uint64_t tag,
                                            int64_t now_ns)
{
    skep_assert_held(&g->mu);
    struct skep_auth__guess *set = g->slots[kind][tag % SETS], *use = &set[0];
    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].tag == tag) {
            if (now_ns - set[i].last_ns > forget_ns)
                set[i].failures = 0;
            return &set[i];
        }
        if (set[i].last_ns < use->last_ns)
            use = &set[i];
    }
    *use = (struct skep_auth__guess){.tag = tag};
    return use;
}

static int wait_of(const struct skep_auth__guess *s, int64_t now_ns)
{
    return s && s->until_ns > now_ns ? (int)((s->until_ns - now_ns + ns_per_s - 1) / ns_per_s) : 0;
}

static void charge(struct skep_auth__guess *s, const struct rule *rule, int64_t now_ns)
{
    s->last_ns = now_ns;
    s->failures += s->failures < UINT32_MAX;
    uint32_t over = s->failures > rule->free ? s->failures - rule->free : 0;
    int64_t wait_s = over == 0 ? 0 : over > 20 ? rule->max_s : (int64_t)1 << (over - 1);
    s->until_ns = now_ns + SKEP_MIN(wait_s, rule->max_s) * ns_per_s;
}

struct slots {
    struct skep_auth__guess *user, *address; /* address NULL: not counted */
};

static struct slots find_locked(struct skep_auth__guesses *g, skep_str name, skep_str peer,
                                int64_t now_ns)
{
    uint8_t address[16], folded[SKEP_USER_NAME_MAX_BYTES];
    struct slots s = {NULL, NULL};
    size_t n = SKEP_MIN(name.n, sizeof folded);
    for (size_t i = 0; i < n; i++)
        folded[i] = (uint8_t)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] + 32 : name.p[i]);
    s.user = slot_locked(g, SKEP_AUTH__BY_USER, tag_of(g, (skep_bytes){folded, n}), now_ns);
    if (address_of(peer, address))
        s.address = slot_locked(g, SKEP_AUTH__BY_ADDRESS,
                                tag_of(g, (skep_bytes){address, sizeof address}), now_ns);
    return s;
}

int skep_auth__guess_begin(struct skep_auth__guesses *g, skep_str name, skep_str peer,
                           int64_t now_ns)
{
    skep_mutex_lock(&g->mu);
    struct slots s = find_locked(g, name, peer, now_ns);
    int wait = SKEP_MAX(wait_of(s.user, now_ns), wait_of(s.address, now_ns));
    if (wait == 0) {
        charge(s.user, &rules[SKEP_AUTH__BY_USER], now_ns); /* I2 */
        if (s.address)
            charge(s.address, &rules[SKEP_AUTH__BY_ADDRESS], now_ns);
    }
    skep_mutex_unlock(&g->mu);
    return wait;
}

static void take_back(struct skep_auth__guess *s)
{
    s->failures -= s->failures > 0;
    s->until_ns = 0;
}

void skep_auth__guess_undo(struct skep_auth__guesses *g, skep_str name, skep_str peer,
                           int64_t now_ns)
{
    skep_mutex_lock(&g->mu);
    struct slots s = find_locked(g, name, peer, now_ns);
    take_back(s.user);
    if (s.address)
        take_back(s.address);
    skep_mutex_unlock(&g->mu);
}

void skep_auth__guess_good(struct skep_auth__guesses *g, skep_str name, skep_str peer,
                           int64_t now_ns)
{
    skep_mutex_lock(&g->mu);
    struct slots s = find_locked(g, name, peer, now_ns);
    s.user->failures = 0;
    s.user->until_ns = 0;
    if (s.address) /* its own alone: who has an account may not guess at others for it */
        take_back(s.address);
    skep_mutex_unlock(&g->mu);
}
