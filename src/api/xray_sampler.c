// SPDX-License-Identifier: Apache-2.0
/* Quotas: a rule's reservoir in whole numbers for the clients that use the rule.
 *
 *   reservoir 5; clients a b c d report 60 32 8 0.1 requests a second
 *     share     3.00 1.60 0.40 0.00      reservoir * own / all
 *     whole     3    1    0    0     (2.9997 is 2 whole and the first of the rests)
 *     rest 1      -> to the largest remainder; who holds one already counts 1/4 more, so that
 *                    clients alike do not pass it around
 *     quota     3    2    0    0
 *
 * A quota is good for three intervals.  One that was given cannot be taken back before its client
 * reports again, so a client gets what it deserves or what is left, whichever is less:
 *
 * I1  At any moment the quotas that are good add up to at most the reservoir.
 * I2  Clients that report every interval reach their shares within two, and the sum then is the
 *     reservoir.
 *
 * A client without a good quota borrows one request a second by itself: a newcomer until its first
 * report, and one that was silent for three intervals.  A quota of 0 tells it not to.
 *
 * Demand is the mean of the last report's rate and what was known before.  A client that finds no
 * room (CLIENTS_MAX, RULES_SEEN_MAX) gets 0 and is counted in the windows only while its rule is.
 *
 * Windows: what a rule's clients reported within the same ten seconds of our clock.
 *
 * Threads: any; one lock, held for a pass over the rule's clients. */
#include "api/xray_sampler.h"

#include "base/assert.h"
#include "base/mem.h"
#include "os/thread.h"

static const int64_t second_ns = 1000000000;
static const int64_t boost_ns = 60000000000;
static const double holds = 0.25;

struct client {
    char id[SKEP_XRAY_CLIENT_BYTES];
    skep_ts_ns seen_ns;
    double rate; /* requests a second */
    uint32_t quota;
};

struct rule {
    char *key; /* environment, NUL, rule */
    size_t key_n, environment_n;
    struct client *clients;
    unsigned n, cap;
    uint64_t requests, borrowed, sampled; /* of the window */
    skep_ts_ns window_ns;                 /* its begin */
    skep_ts_ns seen_ns;
    skep_ts_ns boost_until_ns, boost_next_ns;
};

struct skep_xray_sampler {
    struct skep_mutex lock; /* of all below */
    struct rule *rules;
    unsigned n_rules, cap_rules;
    unsigned n_clients;
    skep_ts_ns swept_ns; /* window in which windows were taken last */
};

struct skep_xray_sampler *skep_xray_sampler_new(void)
{
    struct skep_xray_sampler *s = skep_alloc(struct skep_xray_sampler);
    skep_mutex_init(&s->lock, "xray sampler");
    return s;
}

static void rule_done(struct skep_xray_sampler *s, struct rule *r)
{
    s->n_clients -= r->n;
    skep_free(r->key);
    skep_free(r->clients);
}

void skep_xray_sampler_free(struct skep_xray_sampler *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < s->n_rules; i++)
        rule_done(s, &s->rules[i]);
    skep_assert(s->n_clients == 0);
    skep_free(s->rules);
    skep_mutex_done(&s->lock);
    skep_free(s);
}

static bool is_of(const struct rule *r, skep_str environment, skep_str name)
{
    return r->environment_n == environment.n && r->key_n == environment.n + 1 + name.n &&
           memcmp(r->key, environment.p, environment.n) == 0 &&
           memcmp(r->key + environment.n + 1, name.p, name.n) == 0;
}

static struct rule *find(struct skep_xray_sampler *s, skep_str environment, skep_str name)
{
    for (unsigned i = 0; i < s->n_rules; i++)
        if (is_of(&s->rules[i], environment, name))
            return &s->rules[i];
    return NULL;
}

/* Clients that were silent too long. */
static void drop_silent(struct skep_xray_sampler *s, struct rule *r, skep_ts_ns now_ns)
{
    for (unsigned i = 0; i < r->n;) {
        if (now_ns - r->clients[i].seen_ns < SKEP_XRAY_QUOTA_NS) {
            i++;
            continue;
        }
        r->clients[i] = r->clients[--r->n];
        s->n_clients--;
    }
}

/* Rules that nobody reports and of which nothing is left to keep. */
static void drop_idle(struct skep_xray_sampler *s, skep_ts_ns now_ns)
{
    for (unsigned i = 0; i < s->n_rules;) {
        struct rule *r = &s->rules[i];
        drop_silent(s, r, now_ns);
        if (r->n > 0 || r->requests > 0 || now_ns < r->boost_next_ns ||
            now_ns - r->seen_ns < SKEP_XRAY_QUOTA_NS) {
            i++;
            continue;
        }
        rule_done(s, r);
        *r = s->rules[--s->n_rules];
    }
}

/* NULL when there is no room. */
static struct rule *find_or_add(struct skep_xray_sampler *s, skep_str environment, skep_str name,
                                skep_ts_ns now_ns)
{
    struct rule *r = find(s, environment, name);
    if (!r && s->n_rules >= SKEP_XRAY_RULES_SEEN_MAX)
        drop_idle(s, now_ns);
    if (!r && s->n_rules < SKEP_XRAY_RULES_SEEN_MAX) {
        SKEP_GROW(s->rules, s->n_rules, s->cap_rules);
        r = &s->rules[s->n_rules++];
        *r = (struct rule){.key_n = environment.n + 1 + name.n, .environment_n = environment.n};
        r->key = skep_malloc(r->key_n);
        memcpy(r->key, environment.p, environment.n);
        r->key[environment.n] = '\0';
        memcpy(r->key + environment.n + 1, name.p, name.n);
    }
    if (r)
        r->seen_ns = now_ns;
    return r;
}

static struct client *find_client(struct rule *r, skep_str id)
{
    for (unsigned i = 0; i < r->n; i++)
        if (memcmp(r->clients[i].id, id.p, sizeof r->clients[i].id) == 0)
            return &r->clients[i];
    return NULL;
}

static struct client *find_or_add_client(struct skep_xray_sampler *s, struct rule *r, skep_str id,
                                         double rate, skep_ts_ns now_ns)
{
    struct client *c = find_client(r, id);
    if (c) {
        c->rate = (c->rate + rate) / 2;
        c->seen_ns = SKEP_MAX(c->seen_ns, now_ns);
        return c;
    }
    if (s->n_clients >= SKEP_XRAY_CLIENTS_MAX) {
        for (unsigned i = 0; i < s->n_rules; i++)
            drop_silent(s, &s->rules[i], now_ns);
        if (s->n_clients >= SKEP_XRAY_CLIENTS_MAX)
            return NULL;
    }
    SKEP_GROW(r->clients, r->n, r->cap);
    c = &r->clients[r->n++];
    s->n_clients++;
    *c = (struct client){.seen_ns = now_ns, .rate = rate};
    memcpy(c->id, id.p, sizeof c->id);
    return c;
}

/* A client's share: the whole part, and what stands behind the point. */
static uint32_t share(const struct client *c, double all, uint32_t reservoir, double *ret_score)
{
    double f = all > 0 ? (double)reservoir * c->rate / all : 0;
    uint32_t whole = f >= reservoir ? reservoir : (uint32_t)f;
    *ret_score = f - whole + (c->quota > whole ? holds : 0);
    return whole;
}

/* Does a come before b where the rest is given away?  Total: ids differ. */
static bool before(const struct client *a, double score_a, const struct client *b, double score_b)
{
    if (score_a > score_b || score_a < score_b)
        return score_a > score_b;
    if (a->rate > b->rate || a->rate < b->rate)
        return a->rate > b->rate;
    return memcmp(a->id, b->id, sizeof a->id) < 0;
}

static uint32_t quota_of(const struct rule *r, const struct client *c, uint32_t reservoir)
{
    double all = 0, own, score;
    uint64_t whole = 0, held = 0, ahead = 0;
    for (unsigned i = 0; i < r->n; i++)
        all += r->clients[i].rate;
    uint32_t want = share(c, all, reservoir, &own);
    for (unsigned i = 0; i < r->n; i++) {
        const struct client *other = &r->clients[i];
        whole += share(other, all, reservoir, &score);
        ahead += other != c && before(other, score, c, own);
        held += other != c ? other->quota : 0;
    }
    if (whole + ahead < reservoir)
        want++;
    uint64_t left = held < reservoir ? reservoir - held : 0; /* I1 */
    return (uint32_t)SKEP_MIN((uint64_t)want, left);
}

uint32_t skep_xray_sampler_report(struct skep_xray_sampler *s, const struct skep_xray_report *p,
                                  uint32_t reservoir, skep_ts_ns now_ns)
{
    uint32_t quota = 0;
    skep_assert(p->client.n == SKEP_XRAY_CLIENT_BYTES);
    skep_mutex_lock(&s->lock);
    struct rule *r = find_or_add(s, p->environment, p->rule, now_ns);
    if (r) {
        drop_silent(s, r, now_ns);
        const struct client *known = find_client(r, p->client);
        int64_t since_ns = known ? now_ns - known->seen_ns : SKEP_XRAY_INTERVAL_S * second_ns;
        double rate =
            (double)p->requests * (double)second_ns / (double)SKEP_MAX(since_ns, second_ns);
        struct client *c = find_or_add_client(s, r, p->client, rate, now_ns);
        if (c)
            quota = c->quota = quota_of(r, c, reservoir);
        if (r->requests + r->borrowed + r->sampled == 0)
            r->window_ns = now_ns - now_ns % SKEP_STATE_XRAY_WINDOW_NS;
        r->requests += p->requests;
        r->borrowed += p->borrowed;
        r->sampled += p->sampled;
    }
    skep_mutex_unlock(&s->lock);
    return quota;
}

bool skep_xray_sampler_boost(struct skep_xray_sampler *s, skep_str environment, skep_str rule,
                             uint64_t anomalies, int64_t cooldown_ns, skep_ts_ns now_ns,
                             skep_ts_ns *ret_until_ns)
{
    skep_mutex_lock(&s->lock);
    struct rule *r =
        anomalies > 0 ? find_or_add(s, environment, rule, now_ns) : find(s, environment, rule);
    if (r && anomalies > 0 && now_ns >= r->boost_next_ns) {
        r->boost_until_ns = now_ns + boost_ns;
        r->boost_next_ns = now_ns + SKEP_MAX(cooldown_ns, boost_ns);
    }
    bool boosted = r && now_ns < r->boost_until_ns;
    if (boosted)
        *ret_until_ns = r->boost_until_ns;
    skep_mutex_unlock(&s->lock);
    return boosted;
}

void skep_xray_sampler_clients(struct skep_xray_sampler *s, skep_str environment, skep_str rule,
                               skep_ts_ns now_ns, unsigned *ret_n, uint64_t *ret_quota)
{
    *ret_n = 0;
    *ret_quota = 0;
    skep_mutex_lock(&s->lock);
    struct rule *r = find(s, environment, rule);
    if (r) {
        drop_silent(s, r, now_ns);
        *ret_n = r->n;
        for (unsigned i = 0; i < r->n; i++)
            *ret_quota += r->clients[i].quota;
    }
    skep_mutex_unlock(&s->lock);
}

static size_t take_locked(struct skep_xray_sampler *s, skep_ts_ns window_ns, bool all,
                          struct skep_arena *arena, struct skep_state_xray_window **ret)
{
    size_t n = 0;
    *ret = skep_new_n(arena, struct skep_state_xray_window, s->n_rules + 1);
    for (unsigned i = 0; i < s->n_rules; i++) {
        struct rule *r = &s->rules[i];
        if (r->requests + r->borrowed + r->sampled == 0 || (!all && r->window_ns == window_ns))
            continue;
        (*ret)[n++] = (struct skep_state_xray_window){
            .environment = skep_arena_str(arena, (skep_str){r->key, r->environment_n}),
            .rule = skep_arena_str(
                arena, (skep_str){r->key + r->environment_n + 1, r->key_n - r->environment_n - 1}),
            .start_ns = r->window_ns,
            .requests = r->requests,
            .borrowed = r->borrowed,
            .sampled = r->sampled};
        r->requests = r->borrowed = r->sampled = 0;
    }
    return n;
}

size_t skep_xray_sampler_take(struct skep_xray_sampler *s, skep_ts_ns now_ns, bool all,
                              struct skep_arena *arena, struct skep_state_xray_window **ret)
{
    size_t n = 0;
    skep_ts_ns window_ns = now_ns - now_ns % SKEP_STATE_XRAY_WINDOW_NS;
    skep_mutex_lock(&s->lock);
    if (all || window_ns != s->swept_ns) {
        s->swept_ns = window_ns;
        n = take_locked(s, window_ns, all, arena, ret);
        drop_idle(s, now_ns);
    }
    skep_mutex_unlock(&s->lock);
    return n;
}
