// SPDX-License-Identifier: Apache-2.0
/* Checks of plans, names of aggregates, and how values compare: all 14 operators against values of
 * every type, absent and in arrays. */
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "base/arena.h"
#include "plan/compare.h"

static void names(void **state)
{
    (void)state;
    static const char *const all[] = {
        "COUNT",   "SUM",      "AVG",      "MIN",      "MAX",         "COUNT_DISTINCT",
        "HEATMAP", "RATE_AVG", "RATE_SUM", "RATE_MAX", "CONCURRENCY", "P001",
        "P01",     "P05",      "P10",      "P20",      "P25",         "P50",
        "P75",     "P80",      "P90",      "P95",      "P99",         "P999"};
    enum skep_agg_op op;
    double param;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++) {
        assert_true(skep_agg_op_parse(skep_str_c(all[i]), &op, &param));
        assert_true(skep_str_eq(skep_agg_op_name(op, param), skep_str_c(all[i])));
    }
    assert_true(skep_agg_op_parse(SKEP_STR("P999"), &op, &param) && param == 99.9);
    assert_true(skep_agg_op_parse(SKEP_STR("P001"), &op, &param) && param == 0.1);
    assert_false(skep_agg_op_parse(SKEP_STR("p50"), &op, &param));
    assert_false(skep_agg_op_parse(SKEP_STR("PERCENTILE"), &op, &param));
    assert_false(skep_agg_op_parse(SKEP_STR(""), &op, &param));
}

static struct skep_agg count = {.op = SKEP_AGG_COUNT};

static struct skep_plan good(void)
{
    return (struct skep_plan){
        .kind = SKEP_PLAN_AGGREGATE, .range = {0, 1000}, .aggs = &count, .n_aggs = 1};
}

static void refused(const struct skep_plan *p)
{
    skep_err err = {.rc = SKEP_OK};
    assert_int_equal(skep_plan_check(p, &err), SKEP_EINVAL);
    assert_true(err.text[0] != 0);
}

static void checks(void **state)
{
    (void)state;
    skep_err err;
    struct skep_plan p = good();
    assert_int_equal(skep_plan_check(&p, &err), SKEP_OK);
    p.range.end_ns = 0;
    refused(&p);
    p = good();
    p.n_aggs = 0;
    refused(&p);
    p = good();
    p.granularity_ns = -1;
    refused(&p);
    p.granularity_ns = 1;
    p.range.end_ns = 1 << 20;
    refused(&p);
    p = good();
    p.range = (struct skep_time_range){INT64_MIN, INT64_MAX};
    assert_int_equal(skep_plan_check(&p, &err), SKEP_OK);
    p.granularity_ns = INT64_MAX;
    assert_int_equal(skep_plan_check(&p, &err), SKEP_OK);
    p = good();
    struct skep_order order = {.by_agg = true, .index = 1};
    p.orders = &order;
    p.n_orders = 1;
    refused(&p);
    p = good();
    struct skep_having having = {.agg = 0, .op = SKEP_CMP_EXISTS};
    p.havings = &having;
    p.n_havings = 1;
    refused(&p);
    having = (struct skep_having){.agg = 0, .op = SKEP_CMP_GT, .value = NAN};
    refused(&p);
    p = good();
    p.limit = SKEP_LIMIT_PLAN_RESULT_GROUPS + 1;
    refused(&p);
    struct skep_agg sum = {.op = SKEP_AGG_SUM};
    p = good();
    p.aggs = &sum;
    refused(&p);
    struct skep_agg p50 = {.op = SKEP_AGG_PERCENTILE, .field.name = SKEP_STR("x"), .param = NAN};
    p.aggs = &p50;
    refused(&p);
    p.kind = (enum skep_plan_kind)99;
    refused(&p);
}

static void filters(void **state)
{
    (void)state;
    struct skep_arena a;
    skep_err err;
    skep_arena_init(&a, "test", NULL);
    skep_value v = {.type = SKEP_TYPE_INT, .i = 1};
    struct skep_expr *e = skep_new(&a, struct skep_expr);
    *e = (struct skep_expr){
        .op = SKEP_EXPR_TEST,
        .test = {.field.name = SKEP_STR("x"), .op = SKEP_CMP_EQ, .values = &v, .n_values = 1}};
    struct skep_plan p = good();
    struct skep_expr *deep = e;
    for (int i = 0; i < SKEP_LIMIT_PLAN_DEPTH + 1; i++) {
        p.filter = deep;
        assert_int_equal(skep_plan_check(&p, &err),
                         i < SKEP_LIMIT_PLAN_DEPTH ? SKEP_OK : SKEP_EINVAL);
        struct skep_expr **kid = skep_new_n(&a, struct skep_expr *, 1);
        kid[0] = deep;
        deep = skep_new(&a, struct skep_expr);
        *deep = (struct skep_expr){.op = SKEP_EXPR_NOT, .kids = kid, .n_kids = 1};
    }
    /* Shared subtrees: few nodes, very many tests. */
    struct skep_expr *wide = e;
    for (int i = 0; i < 40; i++) {
        struct skep_expr **kids = skep_new_n(&a, struct skep_expr *, 2);
        kids[0] = kids[1] = wide;
        wide = skep_new(&a, struct skep_expr);
        *wide = (struct skep_expr){.op = SKEP_EXPR_AND, .kids = kids, .n_kids = 2};
    }
    p.filter = wide;
    refused(&p);
    p.filter = e;
    e->test.op = SKEP_CMP_CONTAINS; /* takes strings */
    refused(&p);
    e->test.op = SKEP_CMP_EQ;
    e->test.n_values = 0;
    refused(&p);
    e->test.op = SKEP_CMP_LT;
    e->test.n_values = 2;
    skep_value two[2] = {v, v};
    e->test.values = two;
    refused(&p);
    e->test.op = SKEP_CMP_EXISTS;
    assert_int_equal(skep_plan_check(&p, &err), SKEP_OK);
    e->test.field.name = SKEP_STR("*");
    refused(&p);
    skep_arena_done(&a);
}

static void relations(void **state)
{
    (void)state;
    skep_err err;
    skep_value v = {.type = SKEP_TYPE_INT, .i = 1};
    struct skep_expr test = {
        .op = SKEP_EXPR_TEST,
        .test = {.field.name = SKEP_STR("x"), .op = SKEP_CMP_EQ, .values = &v, .n_values = 1}};
    struct skep_expr *kid[1] = {&test};
    struct skep_expr some = {.op = SKEP_EXPR_RELATED, .kids = kid, .n_kids = 1};
    struct skep_plan p = good();
    p.filter = &some;
    refused(&p); /* of oneself */
    for (int how = SKEP_REL_ROOT; how < SKEP_REL_COUNT; how++) {
        some.relation = (enum skep_relation)how;
        assert_int_equal(skep_plan_check(&p, &err), SKEP_OK);
        test.test.field.relation = (enum skep_relation)how; /* of one relative alone */
        assert_int_equal(skep_plan_check(&p, &err), how <= SKEP_REL_PARENT ? SKEP_OK : SKEP_EINVAL);
        test.test.field.relation = SKEP_REL_SELF;
    }
    some.relation = SKEP_REL_COUNT;
    refused(&p);
    some.relation = SKEP_REL_ANY;
    some.n_kids = 0;
    refused(&p);
    p.filter = NULL;
    struct skep_field_ref by = {.name = SKEP_STR("x")};
    p.groups = &by;
    p.n_groups = 1;
    for (int how = SKEP_REL_SELF; how <= SKEP_REL_COUNT; how++) {
        by.relation = (enum skep_relation)how;
        assert_int_equal(skep_plan_check(&p, &err), how <= SKEP_REL_ANY ? SKEP_OK : SKEP_EINVAL);
    }
    by.on = &test; /* which of several: one has no choice */
    by.relation = SKEP_REL_ANY;
    assert_int_equal(skep_plan_check(&p, &err), SKEP_OK);
    by.relation = SKEP_REL_ROOT;
    refused(&p);
    by = (struct skep_field_ref){.name = SKEP_STR("x"), .on = &test}; /* of rows that pass */
    assert_int_equal(skep_plan_check(&p, &err), SKEP_OK);
    const struct skep_expr *cases[SKEP_LIMIT_PLAN_CASES + 1] = {&test};
    by = (struct skep_field_ref){.name = SKEP_STR("x"), .cases = cases, .n_cases = 1};
    assert_int_equal(skep_plan_check(&p, &err), SKEP_OK);
    by.n_cases = 2;
    refused(&p); /* one is missing */
    by.n_cases = SKEP_LIMIT_PLAN_CASES + 1;
    refused(&p);
    struct skep_agg of_cases = {.op = SKEP_AGG_SUM, .field = by};
    of_cases.field.n_cases = 1;
    by = (struct skep_field_ref){.name = SKEP_STR("x")};
    p.aggs = &of_cases;
    refused(&p);
    p.aggs = &count;
    struct skep_expr same = {.op = SKEP_EXPR_SAME,
                             .same = {.name = SKEP_STR("x"), .relation = SKEP_REL_PARENT}};
    p.filter = &same;
    assert_int_equal(skep_plan_check(&p, &err), SKEP_OK);
    same.same.relation = SKEP_REL_CHILD;
    refused(&p);
    same.same = (struct skep_field_ref){.relation = SKEP_REL_ROOT};
    refused(&p);
    p.filter = NULL;
    struct skep_field_ref many[SKEP_LIMIT_PLAN_RELATIONS + 1];
    for (size_t i = 0; i < SKEP_ARRAY_LEN(many); i++)
        many[i] = (struct skep_field_ref){.name = SKEP_STR("x"), .relation = SKEP_REL_ROOT};
    p.groups = many;
    p.n_groups = SKEP_LIMIT_PLAN_RELATIONS;
    assert_int_equal(skep_plan_check(&p, &err), SKEP_OK);
    p.n_groups++;
    refused(&p);
    by.relation = SKEP_REL_ROOT;
    struct skep_plan rows = {
        .kind = SKEP_PLAN_ROWS, .range = {0, 1}, .columns = &by, .n_columns = 1};
    refused(&rows);
    struct skep_field_ref a = {.name = SKEP_STR("x")}, b = a;
    assert_true(skep_field_same(&a, &b));
    b.relation = SKEP_REL_PARENT;
    assert_false(skep_field_same(&a, &b));
    for (int op = 0; op < SKEP_CMP_COUNT; op++) {
        enum skep_cmp positive = skep_cmp_positive((enum skep_cmp)op);
        assert_false(skep_cmp_negative(positive));
        assert_int_equal(positive == (enum skep_cmp)op, !skep_cmp_negative((enum skep_cmp)op));
    }
}

#define STR(lit)                                                                                   \
    {                                                                                              \
        .type = SKEP_TYPE_STRING, .s = { lit, sizeof(lit) - 1 }                                    \
    }
#define ARR(lit)                                                                                   \
    {                                                                                              \
        .type = SKEP_TYPE_ARRAY, .s = { lit, sizeof(lit) - 1 }                                     \
    }
#define INT(v)                                                                                     \
    {                                                                                              \
        .type = SKEP_TYPE_INT, .i = (v)                                                            \
    }
#define DBL(v)                                                                                     \
    {                                                                                              \
        .type = SKEP_TYPE_DOUBLE, .f = (v)                                                         \
    }

/* Stored value, operator (positive), literal -> passes.  The negative twin is its contrary. */
static const struct {
    skep_value stored;
    enum skep_cmp op;
    skep_value literal;
    bool passes, fold;
} table[] = {
    {INT(5), SKEP_CMP_EQ, INT(5), true, false},
    {INT(5), SKEP_CMP_EQ, DBL(5.0), true, false},
    {DBL(5.0), SKEP_CMP_EQ, INT(5), true, false},
    {INT(9007199254740993), SKEP_CMP_EQ, DBL(9007199254740992.0), false, false},
    {INT(9007199254740993), SKEP_CMP_GT, DBL(9007199254740992.0), true, false},
    {DBL(9223372036854775808.0), SKEP_CMP_GT, INT(INT64_MAX), true, false},
    {INT(INT64_MIN), SKEP_CMP_EQ, DBL(-9223372036854775808.0), true, false},
    {INT(INT64_MIN), SKEP_CMP_GE, DBL(-INFINITY), true, false},
    {INT(5), SKEP_CMP_EQ, STR("5"), false, false},
    {STR("5"), SKEP_CMP_EQ, INT(5), false, false},
    {DBL(NAN), SKEP_CMP_EQ, DBL(NAN), false, false},
    {DBL(NAN), SKEP_CMP_LE, DBL(INFINITY), false, false},
    {DBL(NAN), SKEP_CMP_EXISTS, INT(0), true, false},
    {INT(1), SKEP_CMP_LT, DBL(1.5), true, false},
    {INT(2), SKEP_CMP_LT, DBL(1.5), false, false},
    {STR("abc"), SKEP_CMP_LT, STR("abd"), true, false},
    {STR("abc"), SKEP_CMP_LT, STR("ab"), false, false},
    {STR("abc"), SKEP_CMP_GE, INT(0), false, false},
    {STR("ABC"), SKEP_CMP_EQ, STR("abc"), false, false},
    {STR("ABC"), SKEP_CMP_EQ, STR("abc"), true, true},
    {STR("xABCx"), SKEP_CMP_CONTAINS, STR("bC"), true, true},
    {STR("xABCx"), SKEP_CMP_CONTAINS, STR("bC"), false, false},
    {STR("abc"), SKEP_CMP_STARTS, STR("ab"), true, false},
    {STR("abc"), SKEP_CMP_STARTS, STR("abcd"), false, false},
    {STR("ABC"), SKEP_CMP_ENDS, STR("bc"), true, true},
    {STR("abc"), SKEP_CMP_ENDS, STR("bc"), true, false},
    {STR("abc"), SKEP_CMP_CONTAINS, STR(""), true, false},
    {STR(""), SKEP_CMP_EQ, STR(""), true, false},
    {STR(""), SKEP_CMP_EXISTS, INT(0), true, false},
    {{.type = SKEP_TYPE_EMPTY}, SKEP_CMP_EQ, STR(""), false, false},
    {{.type = SKEP_TYPE_EMPTY}, SKEP_CMP_EQ, {.type = SKEP_TYPE_EMPTY}, true, false},
    {{.type = SKEP_TYPE_EMPTY}, SKEP_CMP_EXISTS, INT(0), true, false},
    {{.type = SKEP_TYPE_NULL}, SKEP_CMP_EXISTS, INT(0), false, false},
    {{.type = SKEP_TYPE_NULL}, SKEP_CMP_EQ, STR(""), false, false},
    {{.type = SKEP_TYPE_NULL}, SKEP_CMP_LT, INT(5), false, false},
    {{.type = SKEP_TYPE_BOOL, .b = true},
     SKEP_CMP_EQ,
     {.type = SKEP_TYPE_BOOL, .b = true},
     true,
     false},
    {{.type = SKEP_TYPE_BOOL, .b = true}, SKEP_CMP_EQ, INT(1), false, false},
    {{.type = SKEP_TYPE_BYTES, .s = {"ab", 2}}, SKEP_CMP_EQ, STR("ab"), false, false},
    {ARR("[1,2]"), SKEP_CMP_EQ, INT(2), true, false},
    {ARR("[1,2]"), SKEP_CMP_EQ, DBL(2.0), true, false},
    {ARR("[1,2]"), SKEP_CMP_EQ, STR("2"), false, false},
    {ARR("[1,2]"), SKEP_CMP_LT, INT(5), false, false},
    {ARR("[\"a\\nb\",\"c\"]"), SKEP_CMP_EQ, STR("a\nb"), true, false},
    {ARR("[\"a\\u00e9\"]"), SKEP_CMP_EQ, STR("a\xc3\xa9"), true, false},
    {ARR("[\"\\ud83d\\udc1d\"]"), SKEP_CMP_EQ, STR("\xf0\x9f\x90\x9d"), true, false},
    {ARR("[\"abc\",1]"), SKEP_CMP_CONTAINS, STR("b"), true, false},
    {ARR("[\"abc\",1]"), SKEP_CMP_STARTS, STR("b"), false, false},
    {ARR("[[\"abc\"]]"), SKEP_CMP_EQ, STR("abc"), false, false},
    {ARR("[{\"k\":\"abc\"},\"x\"]"), SKEP_CMP_EQ, STR("abc"), false, false},
    {ARR("[{\"k\":\"]\"},\"x\"]"), SKEP_CMP_EQ, STR("x"), true, false},
    {ARR("[true,null]"), SKEP_CMP_EQ, {.type = SKEP_TYPE_BOOL, .b = true}, true, false},
    {ARR("[]"), SKEP_CMP_EQ, STR(""), false, false},
    {ARR("[]"), SKEP_CMP_EQ, ARR("[]"), true, false},
};

static void comparisons(void **state)
{
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(table); i++) {
        struct skep_test t = {.field.name = SKEP_STR("x"),
                              .op = table[i].op,
                              .values = &table[i].literal,
                              .n_values = 1,
                              .fold_case = table[i].fold};
        if (skep_value_passes(&t, &table[i].stored) != table[i].passes)
            fail_msg("line %zu of the table", i);
    }
}

/* Damaged array texts end the walk, whatever stands in them. */
static void hostile_arrays(void **state)
{
    (void)state;
    static const char full[] = "[\"a\\u12\",{\"b\":[1,\"]\"]},-1.5e3,true,\"\\ud83d\\udc1d\",null]";
    skep_value x = {.type = SKEP_TYPE_STRING, .s = SKEP_STR("zzz")};
    struct skep_test t = {
        .field.name = SKEP_STR("x"), .op = SKEP_CMP_CONTAINS, .values = &x, .n_values = 1};
    for (size_t n = 0; n < sizeof full; n++) {
        char *copy = malloc(n + 1); /* exactly as long, for the sanitizer */
        for (size_t at = 0; at < n; at++) {
            memcpy(copy, full, n);
            copy[at] = "\\\"[]{},u"[at % 8];
            skep_value v = {.type = SKEP_TYPE_ARRAY, .s = {copy, n}};
            assert_false(skep_value_passes(&t, &v));
        }
        free(copy);
    }
}

static void orders(void **state)
{
    (void)state;
    static const skep_value sorted[] = {{.type = SKEP_TYPE_NULL},
                                        {.type = SKEP_TYPE_EMPTY},
                                        {.type = SKEP_TYPE_BOOL, .b = false},
                                        {.type = SKEP_TYPE_BOOL, .b = true},
                                        DBL(NAN),
                                        DBL(-INFINITY),
                                        INT(INT64_MIN),
                                        DBL(-1.5),
                                        INT(0),
                                        DBL(0.5),
                                        INT(2),
                                        DBL(2.0),
                                        DBL(9007199254740992.0),
                                        INT(9007199254740993),
                                        INT(INT64_MAX),
                                        DBL(9223372036854775808.0),
                                        STR(""),
                                        STR("A"),
                                        STR("a"),
                                        STR("aa"),
                                        {.type = SKEP_TYPE_BYTES, .s = {"", 0}},
                                        ARR("[]")};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(sorted); i++)
        for (size_t k = 0; k < SKEP_ARRAY_LEN(sorted); k++) {
            int c = skep_value_order(&sorted[i], &sorted[k]);
            if ((c > 0) - (c < 0) != (i > k) - (i < k))
                fail_msg("%zu against %zu: %d", i, k, c);
        }
}

static void test_own_rows_are_asked_for_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *dataset;
        bool shown;
    } sets[] = {
        {"", false}, {"_skep", true}, {"_SKEP.x", true}, {"_ske", false}, {"x_skep", false}};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(sets); i++) {
        const struct skep_plan p = {.kind = SKEP_PLAN_ROWS, .dataset = skep_str_c(sets[i].dataset)};
        assert_int_equal(skep_plan_shows_own(&p), sets[i].shown);
    }
    assert_true(skep_plan_shows_own(&(struct skep_plan){.kind = SKEP_PLAN_TRACE}));
    assert_true(skep_plan_shows_own(&(struct skep_plan){.kind = SKEP_PLAN_ROW}));
    assert_false(skep_plan_shows_own(&(struct skep_plan){.kind = SKEP_PLAN_DATASETS}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),       cmocka_unit_test(checks),
        cmocka_unit_test(filters),     cmocka_unit_test(relations),
        cmocka_unit_test(comparisons), cmocka_unit_test(hostile_arrays),
        cmocka_unit_test(orders),      cmocka_unit_test(test_own_rows_are_asked_for_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
