// SPDX-License-Identifier: Apache-2.0
/* The cache of partial answers by itself: what leaves for what.  Partials here are empty; that
 * answers are the same with and without it is tests/unit/query/test_aggregate.c. */
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "store/column/exec/partials.h"

enum { N = 16, CACHE_BYTES = 1 << 20 };

static const struct skep_agg count = {.op = SKEP_AGG_COUNT};
static const struct skep_plan plan = {
    .kind = SKEP_PLAN_AGGREGATE, .range = {0, 1}, .aggs = &count, .n_aggs = 1};

static struct skep_partials_key key_of(uint64_t rowset)
{
    return (struct skep_partials_key){rowset, 0, skep_str_bytes(SKEP_STR("question"))};
}

/* Puts a partial under the rowset's key; false: it was not kept.  *ret_held: it stays held. */
static bool put(struct skep_partials *c, uint64_t rowset,
                const struct skep_partials_entry **ret_held)
{
    struct skep_partials_key key = key_of(rowset);
    struct skep_partial *p = NULL;
    assert_int_equal(skep_partial_new(&plan, NULL, &p), SKEP_OK);
    const struct skep_partials_entry *e = skep_partials_put(c, &key, p, 1);
    if (!e) {
        skep_partial_free(p);
        return false;
    }
    if (ret_held)
        *ret_held = e;
    else
        skep_partials_let_go(c, e);
    return true;
}

static bool kept(struct skep_partials *c, uint64_t rowset)
{
    struct skep_partials_key key = key_of(rowset);
    const struct skep_partials_entry *e = skep_partials_get(c, &key);
    if (e)
        skep_partials_let_go(c, e);
    return e != NULL;
}

static unsigned n_kept(struct skep_partials *c)
{
    unsigned n = 0;
    for (uint64_t i = 1; i <= N; i++)
        n += kept(c, i);
    return n;
}

/* Memory around the cache is taken for more than it holds: nothing it could give back helps. */
static void others_shortage_does_not_empty_it(void **state)
{
    (void)state;
    struct skep_budget around;
    skep_budget_init(&around, "around", 4 * CACHE_BYTES, NULL);
    struct skep_partials *c = skep_partials_new(&around, CACHE_BYTES);
    for (uint64_t i = 1; i <= N; i++)
        assert_true(put(c, i, NULL));
    skep_budget_force(&around, 8 * CACHE_BYTES);
    assert_false(put(c, N + 1, NULL));
    assert_true(n_kept(c) >= N - 3);
    assert_true(kept(c, N)); /* the newest stay */
    skep_budget_give(&around, 8 * CACHE_BYTES);
    assert_true(put(c, N + 1, NULL));
    skep_partials_free(c);
    assert_int_equal(skep_budget_used(&around), 0);
}

/* What somebody holds is not freed by taking it out: others go for it. */
static void what_is_held_stays(void **state)
{
    (void)state;
    struct skep_partials *c = skep_partials_new(NULL, CACHE_BYTES);
    struct skep_partials_stats stats;
    const struct skep_partials_entry *held = NULL;
    assert_true(put(c, 1, &held));
    for (uint64_t i = 2; i < 1000000; i++) {
        assert_true(put(c, i, NULL));
        skep_partials_stats(c, &stats);
        if (stats.evicted >= 3)
            break;
    }
    assert_int_equal(stats.evicted, 3);
    assert_true(kept(c, 1));
    assert_false(kept(c, 2));
    assert_true(stats.bytes <= CACHE_BYTES);
    skep_partials_let_go(c, held);
    skep_partials_free(c);
}

static uint64_t beside_bytes; /* what the host has of `around` */

static void give_way(void *around, uint64_t bytes)
{
    uint64_t n = SKEP_MIN(bytes, beside_bytes);
    beside_bytes -= n;
    skep_budget_give(around, n);
}

/* Whoever has memory beside it gives way to what is to be kept, up to the cache's limit; when asked
 * it lets go of what is oldest, and of nothing that is held. */
static void memory_is_shared(void **state)
{
    (void)state;
    struct skep_budget around;
    struct skep_partials_stats stats;
    const struct skep_partials_entry *held = NULL;
    skep_budget_init(&around, "around", CACHE_BYTES, NULL);
    struct skep_partials *c = skep_partials_new(&around, CACHE_BYTES / 2);
    skep_partials_live_with(c, give_way, &around);
    assert_int_equal(skep_budget_take(&around, beside_bytes = CACHE_BYTES, NULL), SKEP_OK);
    assert_true(put(c, 1, &held));
    for (uint64_t i = 2; i < 1000000; i++) {
        assert_true(put(c, i, NULL));
        skep_partials_stats(c, &stats);
        if (stats.evicted > 0)
            break;
    }
    assert_true(stats.bytes > CACHE_BYTES / 4 && stats.bytes <= CACHE_BYTES / 2);
    assert_true(beside_bytes >= CACHE_BYTES / 2);
    uint64_t n = stats.entries, bytes = stats.bytes;
    assert_false(kept(c, 2));
    assert_true(kept(c, 3));
    assert_true(skep_partials_yield(c, bytes / n * 2));
    assert_true(kept(c, 3)); /* asked for just now */
    assert_false(kept(c, 4) || kept(c, 5));
    assert_true(kept(c, 6));
    assert_true(skep_partials_yield(c, CACHE_BYTES));
    assert_false(skep_partials_yield(c, 1));
    skep_partials_stats(c, &stats);
    assert_int_equal(stats.entries, 1);
    assert_true(kept(c, 1));
    skep_partials_let_go(c, held);
    assert_true(skep_partials_yield(c, 1));
    skep_partials_free(c);
    assert_int_equal(skep_budget_used(&around), beside_bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(others_shortage_does_not_empty_it),
        cmocka_unit_test(what_is_held_stays),
        cmocka_unit_test(memory_is_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
