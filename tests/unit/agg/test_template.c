// SPDX-License-Identifier: Apache-2.0
/* Patterns of log lines: what is a value, what is folded, and that every line counts once. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "agg/template_priv.h"
#include "base/mem.h"

static struct skep_arena arena;

static int setup(void **state)
{
    (void)state;
    skep_arena_init(&arena, "test", NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    skep_arena_done(&arena);
    return 0;
}

static void add(struct skep_templates *t, const char *text)
{
    assert_int_equal(skep_templates_add(t, &(struct skep_template_line){.text = skep_str_c(text)}),
                     SKEP_OK);
}

/* The template of one line, with each value as its kind: two lines that differ in all values. */
static void check_kinds(const char *a, const char *b, const char *want)
{
    struct skep_templates *t = skep_templates_new(&(struct skep_template_config){.max = 8});
    struct skep_template_list list;
    add(t, a);
    add(t, b);
    skep_templates_finish(t, &arena, &list);
    if (list.n != 1)
        fail_msg("%s and %s are %zu templates", a, b, list.n);
    skep_str text = skep_template_text(&list.templates[0], &arena);
    assert_string_equal(skep_cstr(&arena, text), want);
    assert_int_equal(list.templates[0].count, 2);
    skep_templates_free(t);
}

static void test_kinds(void **state)
{
    (void)state;
    check_kinds("took 12ms", "took 7.5s", "took <Number-1>");
    check_kinds("10.0.0.7 GET /users/17 200", "10.0.0.8 GET /users/18 404",
                "<IPAddress-1> GET /users/<Number-2> <Number-3>");
    check_kinds("at 2026-11-29T18:13:06.123Z done.", "at 2026-11-29 18:14:07+01:00 done.",
                "at <Time-1> done.");
    check_kinds("[29/Nov/2026:18:13:06 +0000] x", "[30/Nov/2026:18:13:07 +0000] x", "[<Time-1>] x");
    check_kinds("[2026-Nov-20 17:15] x", "[2026-Nov-21 17:16] x", "[<Time-1>] x");
    check_kinds("18:13:06,123 x", "18:13:07,999 x", "<Time-1> x");
    check_kinds("id 123e4567-e89b-12d3-a456-426614174000",
                "id 023e4567-e89b-12d3-a456-426614174009", "id <UUID-1>");
    check_kinds("trace 1-5759e988-bd862e3fe1be46a994272793",
                "trace 1-5759e989-bd862e3fe1be46a994272794", "trace <Hex-1>");
    check_kinds("from fe80::1 now", "from fe80::2:3 now", "from <IPAddress-1> now");
    check_kinds("at 0x7f3a", "at 0xdead", "at <Hex-1>");
    check_kinds("key x7Kp2Q9z", "key a1Bc3D", "key <Token-1>");
    check_kinds("worker-3 up", "worker-14 up", "worker-<Number-1> up");
    check_kinds("{\"level\":\"info\",\"n\":1}", "{\"level\":\"info\",\"n\":22}",
                "{\"level\":\"info\",\"n\":<Number-1>}");
    /* What never varies is text; blanks are one; other controls are blanks. */
    check_kinds("HTTP/1.1  ok 5", "HTTP/1.1\tok 6", "HTTP/1.1 ok <Number-1>");
}

static void test_words_stay_apart(void **state)
{
    (void)state;
    struct skep_templates *t = skep_templates_new(&(struct skep_template_config){0});
    struct skep_template_list list;
    for (int i = 0; i < 9; i++) {
        add(t, "worker started ok");
        add(t, "worker stopped ok");
    }
    add(t, "connection opened");
    skep_templates_finish(t, &arena, &list);
    assert_int_equal(list.n, 3);
    assert_int_equal(list.lines, 19);
    assert_int_equal(list.templates[0].count, 9);
    assert_int_equal(list.templates[2].count, 1);
    skep_templates_free(t);
}

static const char *const names[] = {"alice", "bob", "carol", "dave", "erin", "frank", "grace"};

static void test_many_words_fold(void **state)
{
    (void)state;
    struct skep_templates *t = skep_templates_new(&(struct skep_template_config){0});
    struct skep_template_list list;
    char line[128];
    for (size_t i = 0; i < SKEP_ARRAY_LEN(names); i++) {
        (void)snprintf(line, sizeof line, "user %s logged in", names[i]);
        add(t, line);
        (void)snprintf(line, sizeof line, "user %s logged out after %zu s", names[i], i);
        add(t, line);
    }
    skep_templates_finish(t, &arena, &list);
    assert_int_equal(list.n, 2);
    assert_string_equal(skep_cstr(&arena, skep_template_text(&list.templates[0], &arena)),
                        "user <Token-1> logged in");
    assert_string_equal(skep_cstr(&arena, skep_template_text(&list.templates[1], &arena)),
                        "user <Token-1> logged out after <Number-2> s");
    assert_int_equal(list.templates[0].count, 7);
    assert_int_equal(list.templates[0].parts[1].n_values, SKEP_TEMPLATE_VALUES);
    assert_string_equal(skep_cstr(&arena, skep_template_regex(&list.templates[0], &arena)),
                        "^\\s*user\\s+\\S*?\\s+logged\\s+in\\s*$");
    skep_templates_free(t);
}

static void test_times_and_severities(void **state)
{
    (void)state;
    const struct skep_template_config cfg = {.range = {1000, 2000}, .n_bins = 10};
    struct skep_templates *t = skep_templates_new(&cfg);
    struct skep_template_list list;
    for (int i = 0; i < 100; i++)
        assert_int_equal(
            skep_templates_add(t, &(struct skep_template_line){.text = SKEP_STR("x"),
                                                               .time_ns = 1000 + 10 * i,
                                                               .severity = i % 2 ? 17 : 9,
                                                               .weight = i == 0 ? 5 : 0,
                                                               .id = {7, (uint32_t)i}}),
            SKEP_OK);
    skep_templates_finish(t, &arena, &list);
    assert_int_equal(list.lines, 104);
    const struct skep_template *x = &list.templates[0];
    assert_int_equal(x->first_ns, 1000);
    assert_int_equal(x->last_ns, 1990);
    assert_int_equal(x->severities[3], 54);
    assert_int_equal(x->severities[5], 50);
    assert_int_equal(x->bins[0], 14);
    assert_int_equal(x->bins[9], 10);
    assert_int_equal(x->n_samples, SKEP_TEMPLATE_SAMPLES);
    skep_templates_free(t);
}

/* A line whose template the test knows, from a number. */
static void some_line(unsigned i, char line[256], size_t n)
{
    static const char *const verbs[] = {"read", "wrote", "deleted"};
    switch (i % 4) {
    case 0: (void)snprintf(line, n, "request %u took %u ms", i, i * 7 % 1000); break;
    case 1:
        (void)snprintf(line, n, "user %s%c%c %s file %u", names[i % 7], 'a' + (int)(i / 7 % 26),
                       'a' + (int)(i / 182 % 26), verbs[i / 4 % 3], i);
        break;
    case 2: (void)snprintf(line, n, "cache miss for key k-%08x", i * 2654435761u); break;
    default: (void)snprintf(line, n, "heartbeat"); break;
    }
}

/* Any order gives the same templates and counts. */
static void test_order_does_not_matter(void **state)
{
    (void)state;
    struct skep_template_list a, b;
    struct skep_templates *s = skep_templates_new(&(struct skep_template_config){0});
    struct skep_templates *t = skep_templates_new(&(struct skep_template_config){0});
    char line[256];
    for (unsigned i = 0; i < 4000; i++) {
        some_line(i, line, sizeof line);
        add(s, line);
        some_line((i * 1237) % 4000, line, sizeof line); /* 1237 and 4000 have no common divisor */
        add(t, line);
    }
    skep_templates_finish(s, &arena, &a);
    skep_templates_finish(t, &arena, &b);
    assert_int_equal(a.n, b.n);
    assert_true(a.n <= 7); /* six, and a key whose hex digits are all letters */
    for (size_t i = 0; i < a.n; i++) {
        skep_str x = skep_template_text(&a.templates[i], &arena);
        skep_str y = skep_template_text(&b.templates[i], &arena);
        if (!skep_str_eq(x, y) || a.templates[i].count != b.templates[i].count)
            fail_msg(SKEP_STRFMT " is not " SKEP_STRFMT, SKEP_STRARG(x), SKEP_STRARG(y));
    }
    skep_templates_free(s);
    skep_templates_free(t);
}

/* More different lines than the table holds: memory stays bounded, nothing is lost. */
static void test_overflow(void **state)
{
    (void)state;
    struct skep_budget budget;
    struct skep_template_list list;
    char line[256];
    skep_budget_init(&budget, "test", 8 << 20, NULL);
    const struct skep_template_config cfg = {.max = 64, .budget = &budget};
    struct skep_templates *t = skep_templates_new(&cfg);
    for (unsigned i = 0; i < 20000; i++) {
        if (i % 2)
            (void)snprintf(line, sizeof line, "steady %u", i);
        else /* of ever new structure */
            (void)snprintf(line, sizeof line, "%.*s %c%c%c %.*s", (int)(i / 2 % 30),
                           "((((((((((((((((((((((((((((((", 'a' + (int)(i % 26),
                           'a' + (int)(i / 26 % 26), 'a' + (int)(i / 676 % 26), (int)(i / 60 % 30),
                           "))))))))))))))))))))))))))))))");
        add(t, line);
    }
    skep_templates_finish(t, &arena, &list);
    uint64_t sum = 0;
    for (size_t i = 0; i < list.n; i++)
        sum += list.templates[i].count;
    assert_int_equal(sum, 20000);
    assert_int_equal(list.lines, 20000);
    assert_true(list.n <= 65);
    assert_int_equal(list.templates[0].count, 10000);
    assert_true(list.templates[list.n - 1].other);
    skep_templates_free(t);
    assert_int_equal(skep_budget_used(&budget), 0);
}

static void test_budget(void **state)
{
    (void)state;
    struct skep_budget budget;
    skep_budget_init(&budget, "test", 1 << 10, NULL);
    const struct skep_template_config cfg = {.budget = &budget};
    struct skep_templates *t = skep_templates_new(&cfg);
    assert_int_equal(skep_templates_add(t, &(struct skep_template_line){.text = SKEP_STR("x")}),
                     SKEP_ENOMEM);
    skep_templates_free(t);
    assert_int_equal(skep_budget_used(&budget), 0);
}

static void test_nothing(void **state)
{
    (void)state;
    struct skep_templates *t = skep_templates_new(&(struct skep_template_config){0});
    struct skep_template_list list;
    skep_templates_finish(t, &arena, &list);
    assert_int_equal(list.n, 0);
    assert_int_equal(list.lines, 0);
    skep_templates_free(t);
}

static void test_long_lines(void **state)
{
    (void)state;
    struct skep_templates *t = skep_templates_new(&(struct skep_template_config){0});
    struct skep_template_list list;
    char line[1000];
    for (int k = 0; k < 3; k++) {
        size_t n = 0;
        for (int i = 0; i < 300; i++)
            n += (size_t)snprintf(line + n, sizeof line - n, "w%s ", i == 250 && k ? "x" : "");
        add(t, line);
    }
    skep_templates_finish(t, &arena, &list);
    assert_int_equal(list.n, 1);
    assert_int_equal(list.templates[0].count, 3);
    assert_int_equal(list.templates[0].parts[list.templates[0].n_parts - 1].kind,
                     SKEP_TEMPLATE_REST);
    skep_templates_free(t);
}

/* Each period is counted apart; the greatest change stands first; folding and making room keep
 * both. */
static void test_compared(void **state)
{
    (void)state;
    struct skep_templates *t = skep_templates_new(
        &(struct skep_template_config){.max = 8, .n_bins = 1, .range = {0, 100}});
    struct skep_template_list list;
    uint64_t count = 0, earlier = 0;
    char text[64];
    for (unsigned i = 0; i < 300; i++) {
        /* "steady" alike in both; odd ones of many kinds go to "other" */
        if (i % 3 == 0)
            snprintf(text, sizeof text, "steady %u", i);
        else if (i % 2)
            snprintf(text, sizeof text, "rising %u", i);
        else
            snprintf(text, sizeof text, "odd%u%.*s", i, (int)(i % 40),
                     "- - - - - - - - - - - - - - - - - - - - ");
        struct skep_template_line line = {.text = skep_str_c(text), .time_ns = 50};
        line.earlier = i % 3 == 0 ? i % 6 == 0 : i % 9 == 1;
        assert_int_equal(skep_templates_add(t, &line), SKEP_OK);
    }
    skep_templates_finish(t, &arena, &list);
    for (size_t i = 0; i < list.n; i++) {
        const struct skep_template *x = &list.templates[i];
        count += x->count;
        earlier += x->earlier;
        assert_int_equal(x->bins[0], x->count);
        if (skep_str_eq(skep_template_text(x, &arena), SKEP_STR("steady <Number-1>")))
            assert_true(x->count == 50 && x->earlier == 50 && i + 2 >= list.n);
    }
    assert_int_equal(count, list.lines);
    assert_int_equal(earlier, list.earlier);
    assert_int_equal(count + earlier, 300);
    skep_templates_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kinds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_words_stay_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_words_fold, setup, teardown),
        cmocka_unit_test_setup_teardown(test_times_and_severities, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order_does_not_matter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_overflow, setup, teardown),
        cmocka_unit_test_setup_teardown(test_budget, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_compared, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
