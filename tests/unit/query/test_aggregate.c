// SPDX-License-Identifier: Apache-2.0
/* Random aggregate plans over random rows: the reference's answer, bit for bit, however the rows
 * are laid out (one part, many, folded) and however many threads look at them. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "os/thread.h"
#include "support/refquery.h"
#include "support/rowdump.h"

enum { PLANS = 60 };

static char *answer(struct ref_store *s, const struct skep_plan *plan, const struct ref_data *d,
                    const char *what)
{
    struct skep_arena arena;
    struct skep_budget budget;
    skep_err err;
    struct skep_result *res = NULL;
    skep_arena_init(&arena, "answer", NULL);
    skep_budget_init(&budget, "query", UINT64_C(1) << 31, NULL);
    struct skep_run_opts opts = {.budget = &budget, .arena = &arena};
    skep_rc rc = skep_query_aggregate(&s->base, plan, &opts, &res, &err);
    if (rc != SKEP_OK)
        fail_msg("%s: %s", what, err.text);
    if (d)
        ref_check(d, plan, res, what);
    char *text = ref_dump(res);
    assert_int_equal(skep_budget_used(&budget), 0);
    skep_arena_done(&arena);
    return text;
}

static void run_plans(uint64_t seed, uint32_t rows, unsigned plans)
{
    struct rnd r = {seed};
    struct skep_pool *pool = skep_pool_new("test", 3);
    struct ref_world w;
    ref_world_make(&w, &r, rows, pool);
    for (unsigned i = 0; i < plans; i++) {
        struct skep_arena arena;
        char what[64];
        skep_arena_init(&arena, "plan", NULL);
        const struct skep_plan *plan = ref_plan(&r, &arena);
        snprintf(what, sizeof what, "seed %llu plan %u", (unsigned long long)seed, i);
        char *first = answer(&w.stores[0], plan, &w.data, what);
        for (unsigned s = 1; s < REF_STORES; s++) {
            char *other = answer(&w.stores[s], plan, NULL, what);
            if (strcmp(first, other) != 0)
                fail_msg("%s: store %u answers differently:\n%.2000s\n---\n%.2000s", what, s, first,
                         other);
            skep_free(other);
        }
        skep_free(first);
        skep_arena_done(&arena);
    }
    ref_world_done(&w);
    skep_pool_free(pool);
}

static void small_data(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++)
        run_plans(seed, 60, PLANS);
}

static void several_blocks(void **state)
{
    (void)state;
    run_plans(101, 1500, 30);
    run_plans(102, 1500, 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_data),
        cmocka_unit_test(several_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
