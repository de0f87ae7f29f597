// SPDX-License-Identifier: Apache-2.0
/* Relations over graphs, against looking for relatives one by one: trees, cycles, repeated span
 * ids, missing and own parents, in runs of one row to a few hundred. */
#include <cmocka.h>
#include <stdio.h>

#include "base/mem.h"
#include "store/column/exec/relate_graph.h"
#include "support/rowdump.h"

enum { MAX = 600 };

struct model {
    uint32_t n;
    struct skep_relate_run runs[MAX];
    uint32_t n_runs, run_of[MAX]; /* UINT32_MAX: outside */
    int64_t span_ids[MAX], parent_ids[MAX];
    uint64_t spans[MAX / 64 + 2], set[MAX / 64 + 2];
    uint32_t parent[MAX]; /* UINT32_MAX: none */
};

static void make(struct model *m, struct rnd *r)
{
    memset(m, 0, sizeof *m);
    uint32_t ids = 1 + rnd_below(r, rnd_below(r, 2) ? 6 : 400), want = 1 + rnd_below(r, MAX - 1);
    while (m->n < want) {
        uint32_t len = 1 + rnd_below(r, rnd_below(r, 4) ? 12 : want), in = m->n_runs;
        bool outside = rnd_below(r, 8) == 0;
        len = len > want - m->n ? want - m->n : len;
        if (!outside)
            m->runs[m->n_runs++] = (struct skep_relate_run){m->n, m->n + len, SKEP_RELATE_NONE};
        while (len-- > 0) {
            uint32_t i = m->n++;
            m->run_of[i] = outside ? UINT32_MAX : in;
            if (rnd_below(r, 5)) {
                skep_relate_add(m->spans, i);
                m->span_ids[i] = rnd_below(r, 9) ? 1 + rnd_below(r, ids) : 0;
            }
            m->parent_ids[i] = rnd_below(r, 6) ? 1 + rnd_below(r, ids + 1) : 0;
            if (skep_relate_has(m->spans, i) && rnd_below(r, 4) == 0)
                skep_relate_add(m->set, i);
        }
    }
    for (uint32_t i = 0; i < m->n; i++) {
        m->parent[i] = UINT32_MAX;
        if (m->run_of[i] == UINT32_MAX || m->parent_ids[i] == 0)
            continue;
        const struct skep_relate_run *run = &m->runs[m->run_of[i]];
        for (uint32_t k = run->first; k < run->end && m->parent[i] == UINT32_MAX; k++)
            if (skep_relate_has(m->spans, k) && m->span_ids[k] == m->parent_ids[i])
                m->parent[i] = k;
        if (m->parent[i] == i)
            m->parent[i] = UINT32_MAX;
    }
}

static bool is_above(const struct model *m, uint32_t i, uint32_t k)
{
    uint32_t at = m->parent[i];
    for (uint32_t steps = 0; at != UINT32_MAX && at != i && steps <= m->n; steps++) {
        if (at == k)
            return true;
        at = m->parent[at];
    }
    return false;
}

static bool related(const struct model *m, uint32_t i, enum skep_relation how, uint32_t k)
{
    switch (how) {
    case SKEP_REL_ROOT:
        for (uint32_t j = m->runs[m->run_of[i]].first; j <= k; j++)
            if (skep_relate_has(m->spans, j) && m->parent_ids[j] == 0)
                return j == k;
        return false;
    case SKEP_REL_PARENT: return m->parent[i] == k;
    case SKEP_REL_CHILD: return m->parent[k] == i;
    case SKEP_REL_ANY: return true;
    case SKEP_REL_ANCESTOR: return is_above(m, i, k);
    case SKEP_REL_DESCENDANT: return is_above(m, k, i);
    case SKEP_REL_SIBLING:
        return i != k && m->parent[i] != UINT32_MAX && m->parent[i] == m->parent[k];
    case SKEP_REL_SELF:
    case SKEP_REL_COUNT:
    default: return false;
    }
}

static uint32_t first_of(const struct model *m, uint32_t i, enum skep_relation how)
{
    if (m->run_of[i] == UINT32_MAX)
        return SKEP_RELATE_NONE;
    const struct skep_relate_run *run = &m->runs[m->run_of[i]];
    for (uint32_t k = run->first; k < run->end; k++)
        if (skep_relate_has(m->set, k) && related(m, i, how, k))
            return k;
    return SKEP_RELATE_NONE;
}

static void check(struct model *m, uint64_t seed)
{
    uint32_t parent[MAX + 1], first[MAX];
    struct skep_relate_graph g = {
        .n = m->n, .runs = m->runs, .n_runs = m->n_runs, .parent = parent};
    struct skep_relate_scratch s;
    skep_relate_scratch_init(&s, skep_relate_longest(&g));
    for (uint32_t r = 0; r < g.n_runs; r++)
        g.runs[r].root = skep_relate_root(&g.runs[r], m->spans, m->parent_ids);
    skep_relate_parents(&g, m->spans, m->span_ids, m->parent_ids, &s);
    for (uint32_t i = 0; i < m->n; i++)
        assert_int_equal(parent[i], m->parent[i] == UINT32_MAX ? m->n : m->parent[i]);
    for (int how = SKEP_REL_ROOT; how < SKEP_REL_COUNT; how++) {
        uint64_t some[MAX / 64 + 2] = {0};
        bool one = how <= SKEP_REL_ANY;
        skep_relate_some(&g, (enum skep_relation)how, m->set, &s, some);
        if (one)
            skep_relate_first(&g, (enum skep_relation)how, m->set, first);
        for (uint32_t i = 0; i < m->n; i++) {
            uint32_t want = first_of(m, i, (enum skep_relation)how);
            if (skep_relate_has(some, i) != (want != SKEP_RELATE_NONE) ||
                (one && first[i] != (want == SKEP_RELATE_NONE ? m->n : want)))
                fail_msg("seed %llu relation %d node %u: %d %u, expected %u",
                         (unsigned long long)seed, how, i, skep_relate_has(some, i),
                         one ? first[i] : 0, want);
        }
    }
    skep_relate_scratch_done(&s);
}

static void like_one_by_one(void **state)
{
    (void)state;
    static struct model m;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        struct rnd r = {seed * 7919};
        make(&m, &r);
        check(&m, seed);
    }
}

/* A cycle of three with a tail, one member of the set on it: it is above and below the others, not
 * of itself. */
static void a_cycle(void **state)
{
    (void)state;
    static struct model m;
    memset(&m, 0, sizeof m);
    m.n = 4;
    m.n_runs = 1;
    m.runs[0] = (struct skep_relate_run){0, 4, SKEP_RELATE_NONE};
    for (uint32_t i = 0; i < 4; i++) {
        skep_relate_add(m.spans, i);
        m.span_ids[i] = i + 1;
        m.parent[i] = i == 3 ? 2 : (i + 1) % 3;
        m.parent_ids[i] = m.parent[i] + 1;
    }
    skep_relate_add(m.set, 1);
    check(&m, 0);
    assert_int_equal(first_of(&m, 1, SKEP_REL_ANCESTOR), SKEP_RELATE_NONE);
    assert_int_equal(first_of(&m, 0, SKEP_REL_ANCESTOR), 1);
    assert_int_equal(first_of(&m, 3, SKEP_REL_ANCESTOR), 1);
    assert_int_equal(first_of(&m, 2, SKEP_REL_DESCENDANT), 1);
    assert_int_equal(first_of(&m, 3, SKEP_REL_DESCENDANT), SKEP_RELATE_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(like_one_by_one),
        cmocka_unit_test(a_cycle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
