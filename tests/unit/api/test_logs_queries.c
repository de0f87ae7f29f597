// SPDX-License-Identifier: Apache-2.0
/* Started Insights queries: what is kept, what makes room, who sees and stops them. */
#include <cmocka.h>
#include <stdio.h>

#include "api/logs_queries.h"

static struct skep_logs_query made(unsigned i, const char *environment)
{
    struct skep_logs_query q = {.environment = skep_str_c(environment),
                                .text = SKEP_STR("fields @message"),
                                .groups = SKEP_STR("a\nb\n"),
                                .n_groups = 2,
                                .created_ns = 1000000000};
    char id[40];
    (void)snprintf(id, sizeof id, "%036u", i);
    memcpy(q.id, id, sizeof q.id);
    return q;
}

static skep_str id_of(const struct skep_logs_query *q)
{
    return (skep_str){q->id, sizeof q->id};
}

static void end_with(struct skep_logs_queries *s, struct skep_logs_query *q, skep_str json,
                     const uint32_t *ends, size_t n)
{
    q->status = SKEP_LOGS_QUERY_COMPLETE;
    q->n_rows = n;
    skep_logs_queries_end(s, q, json, ends);
}

static void test_life(void **state)
{
    (void)state;
    static const uint32_t ends[] = {3, 6, 10};
    struct skep_budget budget;
    struct skep_arena a;
    struct skep_logs_query q = made(1, "default"), got;
    skep_str rows;
    size_t n;
    skep_budget_init(&budget, "test", 8 << 20, NULL);
    skep_arena_init(&a, "test", NULL);
    struct skep_logs_queries *s = skep_logs_queries_new(&budget);
    assert_int_equal(skep_logs_queries_begin(s, &q), SKEP_OK);
    assert_true(skep_logs_queries_get(s, SKEP_STR("default"), id_of(&q), &a, &got));
    assert_int_equal(got.status, SKEP_LOGS_QUERY_RUNNING);
    assert_true(skep_str_eq(got.groups, SKEP_STR("a\nb\n")));
    assert_false(skep_logs_queries_get(s, SKEP_STR("other"), id_of(&q), &a, &got));
    assert_false(skep_logs_queries_stop(s, SKEP_STR("other"), id_of(&q)));
    assert_false(skep_logs_queries_stopped(s, q.id));
    assert_true(skep_logs_queries_stop(s, SKEP_STR("default"), id_of(&q)));
    assert_true(skep_logs_queries_stopped(s, q.id));
    end_with(s, &q, SKEP_STR("[],[],[1],"), ends, 3);
    assert_false(skep_logs_queries_stop(s, SKEP_STR("default"), id_of(&q)));
    skep_logs_queries_rows(s, id_of(&q), 0, 100, &a, &rows, &n);
    assert_true(n == 3 && skep_str_eq(rows, SKEP_STR("[],[],[1]")));
    skep_logs_queries_rows(s, id_of(&q), 1, 1, &a, &rows, &n);
    assert_true(n == 1 && skep_str_eq(rows, SKEP_STR("[]")));
    skep_logs_queries_rows(s, id_of(&q), 3, 1, &a, &rows, &n);
    assert_int_equal(n, 0);
    skep_logs_queries_age(s, 2000000000);
    assert_true(skep_logs_queries_get(s, SKEP_STR("default"), id_of(&q), &a, &got));
    skep_logs_queries_age(s, (skep_ts_ns)2 * SKEP_LOGS_QUERY_KEPT_S * 1000000000);
    assert_false(skep_logs_queries_get(s, SKEP_STR("default"), id_of(&q), &a, &got));
    skep_logs_queries_free(s);
    assert_int_equal(skep_budget_used(&budget), 0);
    skep_arena_done(&a);
}

/* The oldest that have ended make room; those that run never do. */
static void test_room(void **state)
{
    (void)state;
    struct skep_budget budget;
    struct skep_arena a;
    struct skep_logs_query first = made(0, "default"), got, *list;
    size_t n;
    skep_budget_init(&budget, "test", 64 << 20, NULL);
    skep_arena_init(&a, "test", NULL);
    struct skep_logs_queries *s = skep_logs_queries_new(&budget);
    assert_int_equal(skep_logs_queries_begin(s, &first), SKEP_OK);
    for (unsigned i = 1; i < SKEP_LIMIT_LOGS_QUERIES + 10; i++) {
        struct skep_logs_query q = made(i, i % 2 ? "default" : "other");
        assert_int_equal(skep_logs_queries_begin(s, &q), SKEP_OK);
        end_with(s, &q, SKEP_STR_NULL, NULL, 0);
    }
    assert_true(skep_logs_queries_get(s, SKEP_STR("default"), id_of(&first), &a, &got));
    assert_false(skep_logs_queries_get(s, SKEP_STR("default"), id_of(&(struct skep_logs_query){0}),
                                       &a, &got));
    skep_logs_queries_list(s, SKEP_STR("other"), &a, &list, &n);
    assert_int_equal(n, SKEP_LIMIT_LOGS_QUERIES / 2 - 1 + SKEP_LIMIT_LOGS_QUERIES % 2);
    end_with(s, &first, SKEP_STR_NULL, NULL, 0);
    skep_logs_queries_free(s);
    assert_int_equal(skep_budget_used(&budget), 0);
    skep_arena_done(&a);
}

/* An answer that does not fit even alone: the query has failed, nothing leaks. */
static void test_too_large(void **state)
{
    (void)state;
    struct skep_budget budget;
    struct skep_arena a;
    struct skep_logs_query q = made(1, "default"), got;
    static char json[300 << 10];
    const uint32_t end = sizeof json;
    skep_budget_init(&budget, "test", 1 << 20, NULL);
    skep_arena_init(&a, "test", NULL);
    struct skep_logs_queries *s = skep_logs_queries_new(&budget);
    assert_int_equal(skep_logs_queries_begin(s, &q), SKEP_OK);
    end_with(s, &q, (skep_str){json, sizeof json}, &end, 1);
    assert_true(skep_logs_queries_get(s, SKEP_STR("default"), id_of(&q), &a, &got));
    assert_int_equal(got.status, SKEP_LOGS_QUERY_FAILED);
    skep_logs_queries_free(s);
    assert_int_equal(skep_budget_used(&budget), 0);
    skep_arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
