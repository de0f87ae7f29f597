// SPDX-License-Identifier: Apache-2.0
/* The terminal's short forms. */
#include <cmocka.h>

#include "lang/where.h"

static void where_is(const char *text, const char *want)
{
    struct skep_arena a;
    struct skep_buf b;
    struct skep_json json;
    struct skep_where w;
    struct skep_lang_issue issue;
    skep_arena_init(&a, "test", NULL);
    skep_buf_init(&b, 1 << 16);
    skep_json_init(&json, &b);
    if (skep_lang_where(skep_str_c(text), &a, &w, &issue) != SKEP_OK) {
        skep_buf_printf(&b, "%zu: %s", issue.at, issue.text);
    } else {
        skep_json_array(&json);
        skep_lang_where_json(&w, &json);
        skep_json_end(&json);
        if (w.any)
            skep_buf_str(&b, SKEP_STR(" OR"));
    }
    skep_buf_u8(&b, '\0');
    assert_string_equal((const char *)b.p, want);
    skep_buf_done(&b);
    skep_arena_done(&a);
}

static void test_where(void **state)
{
    (void)state;
    where_is("service.name = shop",
             "[{\"column\":\"service.name\",\"op\":\"=\",\"value\":\"shop\"}]");
    where_is("a==5", "[{\"column\":\"a\",\"op\":\"=\",\"value\":5}]");
    where_is("a>=-1.5", "[{\"column\":\"a\",\"op\":\">=\",\"value\":-1.5}]");
    where_is("a = '5'", "[{\"column\":\"a\",\"op\":\"=\",\"value\":\"5\"}]");
    where_is("a = true and b != \"x\\\"y\"",
             "[{\"column\":\"a\",\"op\":\"=\",\"value\":true},"
             "{\"column\":\"b\",\"op\":\"!=\",\"value\":\"x\\\"y\"}]");
    where_is("a exists OR b does-not-exist",
             "[{\"column\":\"a\",\"op\":\"exists\"},{\"column\":\"b\",\"op\":\"does-not-exist\"}]"
             " OR");
    where_is("a in (x, 'y z',3)", "[{\"column\":\"a\",\"op\":\"in\",\"value\":[\"x\",\"y z\",3]}]");
    where_is("\"odd name\" CONTAINS x",
             "[{\"column\":\"odd name\",\"op\":\"contains\",\"value\":\"x\"}]");
    where_is("url starts-with /api/v1?x",
             "[{\"column\":\"url\",\"op\":\"starts-with\",\"value\":\"/api/v1?x\"}]");
}

static void test_mistakes(void **state)
{
    (void)state;
    where_is("", "0: a column is expected here");
    where_is("a", "1: an operator is expected here: = != > >= < <= contains starts-with ends-with "
                  "exists in, or does-not-... and not-in");
    where_is("a =", "3: a value is expected here");
    where_is("a = b c = d", "6: AND, OR or the end is expected here");
    where_is("a = 1 AND b = 2 OR c = 3", "16: AND and OR cannot be mixed");
    where_is("a = 'x", "4: a quote that does not end");
    where_is("a in x", "5: a list is expected here: (a, b)");
    where_is("a in (x", "7: a comma or ) is expected here");
    where_is("a in ()", "6: a value is expected here");
    where_is("a = 1 AND", "9: a column is expected here");
}

typedef skep_rc text_fn(skep_str text, struct skep_json *json, struct skep_lang_issue *issue);

static void becomes(text_fn *fn, const char *text, const char *want)
{
    struct skep_buf b;
    struct skep_json json;
    struct skep_lang_issue issue;
    skep_buf_init(&b, 1 << 16);
    skep_json_init(&json, &b);
    if (fn(skep_str_c(text), &json, &issue) != SKEP_OK)
        skep_buf_str(&b, SKEP_STR("refused"));
    skep_buf_u8(&b, '\0');
    assert_string_equal((const char *)b.p, want);
    skep_buf_done(&b);
}

static void test_calc(void **state)
{
    (void)state;
    becomes(skep_lang_calc_json, "COUNT", "{\"op\":\"COUNT\"}");
    becomes(skep_lang_calc_json, " P95( duration_ms ) ",
            "{\"op\":\"P95\",\"column\":\"duration_ms\"}");
    becomes(skep_lang_calc_json, "", "refused");
    becomes(skep_lang_calc_json, "P95(", "refused");
    becomes(skep_lang_calc_json, "P95()", "refused");
    becomes(skep_lang_calc_json, "(x)", "refused");
}

static void test_order(void **state)
{
    (void)state;
    becomes(skep_lang_order_json, "COUNT desc", "{\"op\":\"COUNT\",\"order\":\"descending\"}");
    becomes(skep_lang_order_json, "P95(x)", "{\"op\":\"P95\",\"column\":\"x\"}");
    becomes(skep_lang_order_json, "service.name asc",
            "{\"column\":\"service.name\",\"order\":\"ascending\"}");
    becomes(skep_lang_order_json, "", "refused");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_calc),
        cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
