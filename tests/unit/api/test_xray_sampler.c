// SPDX-License-Identifier: Apache-2.0
/* Sampling by a fleet: the clients' algorithm, as the SDKs of Python and Node have it, with the
 * server's quotas over simulated minutes.
 *
 *   each tick (10 ms) and client: requests by a Poisson process
 *     a good quota     takes up to quota a second from the reservoir, then the fixed rate
 *     none (Node: always)  borrows one a second, then the fixed rate
 *     every 10 s and up to 1 s more: reports, and gets quota, its end, rate
 *
 * What must hold:
 *   quotas        that are good at any moment add up to the reservoir at most (Python)
 *   reservoir     after a minute: taken in a minute is at most 60 * reservoir + a tenth, for quotas
 *                 that move within a second; at least 60 * reservoir - a fifth, when there is
 * demand newcomers     borrow at most one a second each until their first report Node borrows at
 * most one a second and client fixed rate    share of what the reservoir left, within five standard
 * deviations */
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/xray_sampler.h"

#define S 1000000000ll
enum { CLIENTS_MAX = 50, MINUTES_MAX = 5, TICK_MS = 10 };

static uint64_t seed;

/* splitmix64 */
static double uniform(void)
{
    uint64_t z = (seed += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

struct sim_client {
    char id[SKEP_XRAY_CLIENT_BYTES + 1];
    bool node;
    double rate; /* requests a second */
    int64_t quota, ttl_ns, second, taken, borrowed, next_report_ns;
    uint64_t requests, samples, borrows; /* since the last report */
};

struct minute {
    uint64_t requests, reservoir, borrowed, fixed;
};

struct sim {
    struct skep_xray_sampler *sampler;
    struct sim_client clients[CLIENTS_MAX];
    unsigned n;
    uint32_t reservoir;
    double fixed_rate;
    struct minute minutes[MINUTES_MAX];
    uint64_t most_quota;
    int64_t now_ns;
};

static void start(struct sim *s, unsigned n, uint32_t reservoir, double fixed_rate, double rate,
                  bool node)
{
    memset(s, 0, sizeof *s);
    s->sampler = skep_xray_sampler_new();
    s->n = n;
    s->reservoir = reservoir;
    s->fixed_rate = fixed_rate;
    s->now_ns = 1800000000 * S;
    for (unsigned i = 0; i < n; i++) {
        struct sim_client *c = &s->clients[i];
        snprintf(c->id, sizeof c->id, "%024x", i + 1);
        c->node = node;
        c->rate = rate;
        c->quota = -1;
        c->next_report_ns = s->now_ns + (int64_t)((10 + uniform()) * S);
    }
}

/* As both SDKs decide. */
static void request(struct sim *s, struct sim_client *c, struct minute *m)
{
    int64_t second = s->now_ns / S;
    if (second != c->second) {
        c->second = second;
        c->taken = c->borrowed = 0;
    }
    c->requests++;
    m->requests++;
    bool good = !c->node && c->quota >= 0 && c->ttl_ns >= s->now_ns;
    if (good && c->taken < c->quota) {
        c->taken++;
        c->samples++;
        m->reservoir++;
    } else if (!good && s->reservoir > 0 && c->borrowed == 0) {
        c->borrowed = 1;
        c->borrows++;
        m->borrowed++;
    } else if (uniform() <= s->fixed_rate) {
        c->samples++;
        m->fixed++;
    }
}

static void report(struct sim *s, struct sim_client *c)
{
    const struct skep_xray_report r = {.environment = SKEP_STR("default"),
                                       .rule = SKEP_STR("Cruddur"),
                                       .client = {c->id, SKEP_XRAY_CLIENT_BYTES},
                                       .requests = c->requests,
                                       .borrowed = c->borrows,
                                       .sampled = c->samples};
    c->next_report_ns = s->now_ns + (int64_t)((10 + uniform()) * S);
    if (c->requests == 0)
        return;
    c->quota = skep_xray_sampler_report(s->sampler, &r, s->reservoir, s->now_ns);
    c->ttl_ns = s->now_ns + SKEP_XRAY_QUOTA_NS - 1;
    c->requests = c->samples = c->borrows = 0;
}

static void check_quotas(struct sim *s)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < s->n; i++) {
        const struct sim_client *c = &s->clients[i];
        sum += c->quota > 0 && c->ttl_ns >= s->now_ns ? (uint64_t)c->quota : 0;
    }
    s->most_quota = SKEP_MAX(s->most_quota, sum);
}

static void run(struct sim *s, unsigned from_minute, unsigned to_minute)
{
    for (int64_t ms = (int64_t)from_minute * 60000; ms < (int64_t)to_minute * 60000;
         ms += TICK_MS) {
        for (unsigned i = 0; i < s->n; i++) {
            struct sim_client *c = &s->clients[i];
            double left = c->rate * TICK_MS / 1000;
            for (double p = exp(-left), u = uniform(), sum = p, k = 0; u > sum && k < 50;
                 k++, p *= left / k, sum += p)
                request(s, c, &s->minutes[ms / 60000]);
            if (s->now_ns >= c->next_report_ns)
                report(s, c);
        }
        check_quotas(s);
        s->now_ns += TICK_MS * 1000000ll;
    }
}

static void check_fixed(const struct sim *s, const struct minute *m)
{
    double n = (double)(m->requests - m->reservoir - m->borrowed);
    double deviation = sqrt(n * s->fixed_rate * (1 - s->fixed_rate));
    assert_true(fabs((double)m->fixed - n * s->fixed_rate) <= 5 * deviation + 1);
}

/* Minute 0: newcomers.  From then on the reservoir is kept to, and used. */
static void check_fleet(struct sim *s, unsigned n_minutes, bool demand)
{
    double all = 60.0 * s->reservoir;
    assert_true(s->most_quota <= s->reservoir);
    assert_true(s->minutes[0].borrowed <= 12ull * s->n); /* eleven seconds and what is begun */
    for (unsigned i = 0; i < n_minutes; i++) {
        const struct minute *m = &s->minutes[i];
        check_fixed(s, m);
        assert_true((double)m->reservoir <= all * 1.1);
        if (i == 0)
            continue;
        assert_int_equal(m->borrowed, 0);
        if (demand)
            assert_true((double)m->reservoir >= all * 0.8);
    }
}

static void test_python(void **unused)
{
    static const struct {
        unsigned n;
        uint32_t reservoir;
        double fixed_rate, rate;
    } cases[] = {{1, 1, 0.05, 20},   {1, 50, 0.1, 100}, {5, 1, 0.05, 20}, {5, 5, 0, 20},
                 {5, 13, 0.1, 40},   {50, 1, 0.05, 10}, {50, 5, 0.1, 10}, {50, 50, 0.01, 20},
                 {50, 120, 0.1, 20}, {50, 0, 0.1, 10},  {50, 5, 1, 4}};
    (void)unused;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(cases); i++) {
        struct sim s;
        seed = 17 + i;
        start(&s, cases[i].n, cases[i].reservoir, cases[i].fixed_rate, cases[i].rate, false);
        run(&s, 0, 3);
        check_fleet(&s, 3, true);
        skep_xray_sampler_free(s.sampler);
    }
}

/* One busy client among many idle ones gets most of the reservoir; when another becomes the busy
 * one, the reservoir follows. */
static void test_uneven(void **unused)
{
    struct sim s;
    (void)unused;
    seed = 5;
    start(&s, 20, 10, 0, 0.5, false);
    s.clients[3].rate = 200;
    run(&s, 0, 2);
    assert_true(s.clients[3].quota >= 9);
    assert_true((double)s.minutes[1].reservoir >= 0.8 * 600);
    s.clients[3].rate = 0.5;
    s.clients[7].rate = 200;
    run(&s, 2, 4);
    assert_true(s.clients[7].quota >= 9);
    assert_true(s.clients[3].quota <= 1);
    assert_true((double)s.minutes[3].reservoir >= 0.8 * 600);
    assert_true(s.most_quota <= 10);
    skep_xray_sampler_free(s.sampler);
}

/* Node takes no quota: it borrows, a client and second one. */
static void test_node(void **unused)
{
    static const unsigned fleets[] = {1, 5, 50};
    (void)unused;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(fleets); i++) {
        struct sim s;
        seed = 71 + i;
        start(&s, fleets[i], 5, 0.05, 20, true);
        run(&s, 0, 2);
        for (unsigned k = 0; k < 2; k++) {
            assert_int_equal(s.minutes[k].reservoir, 0);
            assert_true(s.minutes[k].borrowed <= 61ull * fleets[i]);
            assert_true(s.minutes[k].borrowed >= 55ull * fleets[i]);
            check_fixed(&s, &s.minutes[k]);
        }
        skep_xray_sampler_free(s.sampler);
    }
}

static uint32_t ask(struct skep_xray_sampler *s, const char *client, uint64_t requests,
                    uint32_t reservoir, int64_t at_s)
{
    const struct skep_xray_report r = {.environment = SKEP_STR("default"),
                                       .rule = SKEP_STR("r"),
                                       .client = {client, SKEP_XRAY_CLIENT_BYTES},
                                       .requests = requests,
                                       .sampled = requests / 2,
                                       .borrowed = 1};
    return skep_xray_sampler_report(s, &r, reservoir, at_s * S);
}

/* The picture at the head of xray_sampler.c, and what becomes of the silent. */
static void test_shares(void **unused)
{
    struct skep_xray_sampler *s = skep_xray_sampler_new();
    static const char *const ids[] = {"aaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbb",
                                      "cccccccccccccccccccccccc", "dddddddddddddddddddddddd"};
    static const uint64_t demand[] = {600, 320, 80, 1};
    static const uint32_t want[] = {3, 2, 0, 0};
    uint32_t quota[4] = {0};
    unsigned n;
    uint64_t sum;
    (void)unused;
    assert_int_equal(ask(s, ids[0], demand[0], 5, 1000), 5); /* alone: all */
    for (int round = 1; round <= 3; round++)
        for (int i = 0; i < 4; i++)
            quota[i] = ask(s, ids[i], demand[i], 5, 1000 + 10 * round);
    for (int i = 0; i < 4; i++)
        assert_int_equal(quota[i], want[i]);
    skep_xray_sampler_clients(s, SKEP_STR("default"), SKEP_STR("r"), 1030 * S, &n, &sum);
    assert_int_equal(n, 4);
    assert_int_equal(sum, 5);
    assert_int_equal(ask(s, ids[2], 100, 5, 1061), 5); /* the others have been silent */
    skep_xray_sampler_clients(s, SKEP_STR("other"), SKEP_STR("r"), 1061 * S, &n, &sum);
    assert_int_equal(n, 0);
    assert_int_equal(ask(s, ids[2], 100, 0, 1071), 0);
    skep_xray_sampler_free(s);
}

static void test_windows(void **unused)
{
    struct skep_xray_sampler *s = skep_xray_sampler_new();
    struct skep_arena arena;
    struct skep_state_xray_window *w = NULL;
    (void)unused;
    skep_arena_init(&arena, "test", NULL);
    assert_int_equal(skep_xray_sampler_take(s, 1001 * S, false, &arena, &w), 0);
    (void)ask(s, "aaaaaaaaaaaaaaaaaaaaaaaa", 10, 1, 1001);
    (void)ask(s, "bbbbbbbbbbbbbbbbbbbbbbbb", 20, 1, 1009);
    assert_int_equal(skep_xray_sampler_take(s, 1009 * S, false, &arena, &w), 0);
    assert_int_equal(skep_xray_sampler_take(s, 1010 * S, false, &arena, &w), 1);
    assert_int_equal(w[0].start_ns, 1000 * S);
    assert_int_equal(w[0].requests, 30);
    assert_int_equal(w[0].sampled, 15);
    assert_int_equal(w[0].borrowed, 2);
    assert_true(skep_str_eq(w[0].rule, SKEP_STR("r")));
    assert_true(skep_str_eq(w[0].environment, SKEP_STR("default")));
    assert_int_equal(skep_xray_sampler_take(s, 1025 * S, true, &arena, &w), 0);
    (void)ask(s, "aaaaaaaaaaaaaaaaaaaaaaaa", 1, 1, 1026);
    assert_int_equal(skep_xray_sampler_take(s, 1026 * S, true, &arena, &w), 1);
    assert_int_equal(w[0].start_ns, 1020 * S);
    skep_arena_done(&arena);
    skep_xray_sampler_free(s);
}

static void test_boost(void **unused)
{
    struct skep_xray_sampler *s = skep_xray_sampler_new();
    const skep_str env = SKEP_STR("default"), rule = SKEP_STR("r");
    skep_ts_ns until = 0;
    (void)unused;
    assert_false(skep_xray_sampler_boost(s, env, rule, 0, 600 * S, 1000 * S, &until));
    assert_true(skep_xray_sampler_boost(s, env, rule, 3, 600 * S, 1000 * S, &until));
    assert_int_equal(until, 1060 * S);
    assert_true(skep_xray_sampler_boost(s, env, rule, 0, 600 * S, 1059 * S, &until));
    assert_false(skep_xray_sampler_boost(s, env, rule, 9, 600 * S, 1060 * S, &until));
    assert_false(skep_xray_sampler_boost(s, env, rule, 9, 600 * S, 1599 * S, &until));
    assert_true(skep_xray_sampler_boost(s, env, rule, 9, 600 * S, 1600 * S, &until));
    skep_xray_sampler_free(s);
}

/* Made-up client ids and rules do not fill the memory; the silent make room. */
static void test_bounds(void **unused)
{
    struct skep_xray_sampler *s = skep_xray_sampler_new();
    char id[32], rule[16];
    uint64_t sum = 0, quota;
    unsigned n;
    (void)unused;
    for (unsigned i = 0; i < SKEP_XRAY_CLIENTS_MAX + 500; i++) {
        snprintf(rule, sizeof rule, "r%u", i % (SKEP_XRAY_RULES_SEEN_MAX + 50));
        snprintf(id, sizeof id, "%024x", i);
        const struct skep_xray_report r = {.environment = SKEP_STR("e"),
                                           .rule = skep_str_c(rule),
                                           .client = {id, SKEP_XRAY_CLIENT_BYTES},
                                           .requests = 1};
        sum += skep_xray_sampler_report(s, &r, 1, 1000 * S);
    }
    assert_int_equal(sum, SKEP_XRAY_RULES_SEEN_MAX); /* one a rule that found room */
    assert_int_equal(ask(s, "aaaaaaaaaaaaaaaaaaaaaaaa", 5, 3, 1001), 0);
    struct skep_arena arena;
    struct skep_state_xray_window *w;
    skep_arena_init(&arena, "test", NULL);
    assert_int_equal(skep_xray_sampler_take(s, 1031 * S, true, &arena, &w),
                     SKEP_XRAY_RULES_SEEN_MAX);
    assert_int_equal(ask(s, "aaaaaaaaaaaaaaaaaaaaaaaa", 5, 3, 1031), 3);
    skep_xray_sampler_clients(s, SKEP_STR("e"), SKEP_STR("r0"), 1031 * S, &n, &quota);
    assert_int_equal(n, 0);
    skep_arena_done(&arena);
    skep_xray_sampler_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_python), cmocka_unit_test(test_uneven),  cmocka_unit_test(test_node),
        cmocka_unit_test(test_shares), cmocka_unit_test(test_windows), cmocka_unit_test(test_boost),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
