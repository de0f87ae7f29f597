// SPDX-License-Identifier: Apache-2.0
/* The page's other requests, ids, ranges, single tests. */
#include <cmocka.h>

#include "lang/honeycomb.h"
#include "lang/insights.h"
#include "plan_text.h"

static const skep_ts_ns now_ns = 1795132800000000000;

typedef skep_rc read_fn(skep_bytes json, const struct skep_lang_opts *opts,
                        struct skep_arena *arena, const struct skep_plan **ret,
                        struct skep_lang_issue *issue);

static void becomes(read_fn *fn, const char *json, const char *want)
{
    const struct skep_lang_opts opts = {.now_ns = now_ns, .page = true};
    struct skep_arena a;
    struct skep_buf b;
    const struct skep_plan *plan = NULL;
    struct skep_lang_issue issue;
    skep_arena_init(&a, "test", NULL);
    skep_buf_init(&b, 1 << 16);
    if (fn(skep_str_bytes(skep_str_c(json)), &opts, &a, &plan, &issue) != SKEP_OK)
        skep_buf_printf(&b, "%s: %s", issue.field, issue.text);
    else
        plan_text(&b, plan, now_ns);
    skep_buf_u8(&b, '\0');
    assert_string_equal((const char *)b.p, want);
    skep_buf_done(&b);
    skep_arena_done(&a);
}

static void test_rows(void **state)
{
    (void)state;
    becomes(skep_lang_rows, "{}", "-7200000+0 limit=100");
    becomes(skep_lang_rows,
            "{\"dataset\":\"shop\",\"columns\":[\"a\",\"b\"],\"order\":\"asc\",\"limit\":5,"
            "\"after\":\"1795132799000000000.12-7\",\"time_range\":60,"
            "\"filters\":[{\"column\":\"a\",\"op\":\"exists\"}]}",
            "-60000+0 limit=5 ds=shop | a EXISTS col a col b asc after 1795132799000000000.12-7");
    becomes(skep_lang_rows, "{\"order\":\"up\"}", "order: use desc or asc");
    becomes(skep_lang_rows, "{\"after\":\"12\"}", "after: not a cursor of an earlier answer");
    becomes(skep_lang_rows, "{\"limit\":100000}", "limit: use 1 to 10000");
    becomes(skep_lang_rows, "{\"breakdowns\":[]}", "breakdowns: unknown member");
    becomes(skep_lang_rows, "{\"columns\":[7]}", "columns[0]: a column is a name");
}

static struct skep_lang_confirm confirmed;

static skep_rc deletion(skep_bytes json, const struct skep_lang_opts *opts,
                        struct skep_arena *arena, const struct skep_plan **ret,
                        struct skep_lang_issue *issue)
{
    return skep_lang_delete(json, opts, arena, ret, &confirmed, issue);
}

static void test_delete(void **state)
{
    (void)state;
    becomes(deletion, "{\"time_range\":60,\"dataset\":\"shop\"}", "-60000+0 limit=1 ds=shop");
    assert_int_equal(confirmed.how, SKEP_CONFIRM_NO);
    becomes(deletion, "{\"time_range\":60,\"confirm\":12}", "-60000+0 limit=1");
    assert_int_equal(confirmed.how, SKEP_CONFIRM_ROWS);
    assert_int_equal(confirmed.rows, 12);
    becomes(deletion, "{\"time_range\":60,\"confirm\":true}", "-60000+0 limit=1");
    assert_int_equal(confirmed.how, SKEP_CONFIRM_ANY);
    becomes(deletion, "{}", "time_range: say which times: time_range, or start_time and end_time");
    becomes(deletion, "{\"time_range\":60,\"limit\":7}", "limit: unknown member");
    becomes(deletion, "{\"time_range\":60,\"confirm\":-1}",
            "confirm: true, or the number of rows a call without it has given");
    becomes(deletion, "{\"time_range\":60,\"confirm\":\"yes\"}",
            "confirm: true, or the number of rows a call without it has given");
}

/* What narrows is told before the plan. */
static struct skep_lang_narrow narrowed;

static skep_rc traces(skep_bytes json, const struct skep_lang_opts *opts, struct skep_arena *arena,
                      const struct skep_plan **ret, struct skep_lang_issue *issue)
{
    return skep_lang_traces(json, opts, arena, ret, &narrowed, issue);
}

static void test_traces(void **state)
{
    (void)state;
    becomes(traces, "{}", "-7200000+0 limit=50 sort0");
    becomes(traces, "{\"sort\":\"errors\",\"limit\":3}", "-7200000+0 limit=3 sort2");
    becomes(traces, "{\"sort\":\"best\"}", "sort: use recent, slow or errors");
    becomes(traces, "{\"filter_expression\":\"fault\",\"duration_ms\":{\"min\":2.5}}",
            "-7200000+0 limit=50 sort0");
    assert_int_equal(narrowed.expression.n, 5);
    assert_true(narrowed.has_duration && narrowed.min_ms == 2.5 && narrowed.max_ms > 1e300);
    assert_false(narrowed.distribution);
    becomes(traces, "{\"duration_ms\":{\"min\":2,\"max\":2}}",
            "duration_ms: min must lie below max");
    becomes(traces, "{\"duration_ms\":{\"max\":-1}}", "duration_ms.max: use 0 or more");
    becomes(traces, "{\"duration_ms\":7}", "duration_ms: use {\"min\": ..., \"max\": ...}");
    becomes(traces, "{\"distribution\":1}", "distribution: use true or false");
}

static void test_facets(void **state)
{
    (void)state;
#define SLOW "\"selection\":{\"filters\":[{\"column\":\"d\",\"op\":\">\",\"value\":1}]}"
    becomes(skep_lang_facets, "{" SLOW ",\"columns\":[\"a\",\"b\"],\"limit\":7}",
            "-7200000+0 limit=7 by a by b");
    becomes(skep_lang_facets, "{" SLOW ",\"columns\":[\"a\"]}", "-7200000+0 limit=20 by a");
    becomes(skep_lang_facets, "{\"columns\":[\"a\"]}",
            "selection: say which rows, with filters or a time");
    becomes(skep_lang_facets, "{\"columns\":[\"a\"],\"selection\":{}}",
            "selection: a selection has at least one filter, or a time");
    becomes(skep_lang_facets, "{\"columns\":[\"a\"],\"selection\":{\"x\":1}}",
            "selection.x: unknown member");
    becomes(skep_lang_facets, "{" SLOW "}", "-7200000+0 limit=20 by *");
    becomes(skep_lang_facets,
            "{" SLOW ",\"columns\":[\"a\"],\"filters\":[{\"column\":\"b\",\"op\":\"exists\"}],"
            "\"baseline\":{\"start_time\":1,\"end_time\":2.5}}",
            "-7200000+0 limit=20 by a | AND(OR(d GT 1i; AND(timestamp GE 1000000000i; "
            "timestamp LT 2500000000i)); b EXISTS)");
    becomes(skep_lang_facets, "{" SLOW ",\"columns\":[\"a\"],\"baseline\":{\"start_time\":true}}",
            "baseline.start_time: use seconds since 1970");
}

static void test_ids(void **state)
{
    skep_row_id row;
    skep_trace_id t;
    (void)state;
    assert_true(skep_lang_row_id(SKEP_STR("12-7"), &row));
    assert_int_equal(row.seq, 12);
    assert_int_equal(row.ordinal, 7);
    static const char *const no_rows[] = {"",    "12",    "12-", "-7", "0-7", "12-4294967296",
                                          "a-b", "12-7-1"};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(no_rows); i++)
        assert_false(skep_lang_row_id(skep_str_c(no_rows[i]), &row));
    static const char *const same[] = {
        "4bf92f3577b34da6a3ce929d0e0e4736", "4BF92F3577B34DA6A3CE929D0E0E4736",
        "1-4bf92f35-77b34da6a3ce929d0e0e4736", "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(same); i++) {
        assert_true(skep_lang_trace_id(skep_str_c(same[i]), &t));
        assert_int_equal(t.b[0], 0x4b);
        assert_int_equal(t.b[15], 0x36);
    }
    assert_true(skep_lang_trace_id(SKEP_STR("a3ce929d0e0e4736"), &t));
    assert_int_equal(t.b[7], 0);
    assert_int_equal(t.b[8], 0xa3);
    static const char *const no_traces[] = {"",
                                            "0",
                                            "00000000000000000000000000000000",
                                            "xyz",
                                            "4bf92f3577b34da6a3ce929d0e0e47367",
                                            "4bf92f3577b34da6a3ce929d0e0e473g"};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(no_traces); i++)
        assert_false(skep_lang_trace_id(skep_str_c(no_traces[i]), &t));
}

static void test_range(void **state)
{
    struct skep_time_range r;
    struct skep_lang_issue issue;
    (void)state;
    assert_int_equal(skep_lang_range(SKEP_STR(""), SKEP_STR(""), now_ns, &r, &issue), SKEP_OK);
    assert_true(r.start_ns == 0 && r.end_ns > now_ns);
    assert_int_equal(skep_lang_range(SKEP_STR("1.5"), SKEP_STR("2"), now_ns, &r, &issue), SKEP_OK);
    assert_true(r.start_ns == 1500000000 && r.end_ns == 2000000000);
    assert_int_equal(skep_lang_range(SKEP_STR("x"), SKEP_STR("2"), now_ns, &r, &issue),
                     SKEP_EINVAL);
    assert_string_equal(issue.field, "start");
    assert_int_equal(skep_lang_range(SKEP_STR("2"), SKEP_STR("2"), now_ns, &r, &issue),
                     SKEP_EINVAL);
    assert_int_equal(skep_lang_range(SKEP_STR(""), SKEP_STR("nan"), now_ns, &r, &issue),
                     SKEP_EINVAL);
    assert_string_equal(issue.field, "end");
}

static void test_is(const char *column, const char *op, const char *value, const char *want)
{
    struct skep_arena a;
    struct skep_buf b;
    const struct skep_expr *e = NULL;
    struct skep_lang_issue issue;
    skep_arena_init(&a, "test", NULL);
    skep_buf_init(&b, 1 << 16);
    if (skep_lang_test(skep_str_c(column), skep_str_c(op), skep_str_c(value), &a, &e, &issue) !=
        SKEP_OK)
        skep_buf_printf(&b, "%s refused", issue.field);
    else
        text_expr(&b, e);
    skep_buf_u8(&b, '\0');
    assert_string_equal((const char *)b.p, want);
    skep_buf_done(&b);
    skep_arena_done(&a);
}

static void test_single(void **state)
{
    (void)state;
    test_is("a", "=", "200", "a EQ '200',200i");
    test_is("a", "in", "x,200", "a EQ 'x','200',200i");
    test_is("a", "exists", "", "a EXISTS");
    test_is("a", "=", "", "a EQ ''");
    test_is("a", "like", "x", "op refused");
    test_is("", "=", "x", "column refused");
}

/* A derived column that a query of Logs Insights names is what the rows' plan computes, once; one
 * that cannot be is a mistake at the name. */
static void test_insights_derived(void **state)
{
    static const struct skep_lang_derived all[] = {
        {.alias = {"a", 1}, .expression = {"$status + 1", 11}},
        {.alias = {"b", 1}, .expression = {"$a * 2", 6}, .dataset = {"Shop", 4}},
        {.alias = {"odd", 3}, .expression = {"IF($x", 5}}};
    const skep_str shop = SKEP_STR("shop");
    struct skep_insights_opts opts = {.range = {0, 10}, .derived = all, .n_derived = 3};
    struct skep_arena a;
    struct skep_insights q;
    struct skep_lang_issue issue;
    (void)state;
    skep_arena_init(&a, "test", NULL);
    skep_str text = SKEP_STR("filter b > 2 and a = 1 | stats max(b)");
    assert_int_equal(skep_lang_insights(text, &opts, &a, &q, &issue), SKEP_OK);
    assert_int_equal(q.pipe->n_computed, 1); /* b is of one dataset */
    opts.datasets = &shop;
    opts.n_datasets = 1;
    assert_int_equal(skep_lang_insights(text, &opts, &a, &q, &issue), SKEP_OK);
    assert_int_equal(q.pipe->n_computed, 2);
    assert_true(skep_str_eq(q.pipe->computed[0].name, SKEP_STR("a"))); /* b is made of it */
    text = SKEP_STR("fields \"x\" as a | filter a = 1");
    assert_int_equal(skep_lang_insights(text, &opts, &a, &q, &issue), SKEP_OK);
    assert_int_equal(q.pipe->n_computed, 0);
    text = SKEP_STR("filter odd = 1");
    assert_int_equal(skep_lang_insights(text, &opts, &a, &q, &issue), SKEP_EINVAL);
    assert_int_equal(issue.at, 7);
    assert_int_equal(issue.end, 10);
    assert_non_null(strstr(issue.text, "derived column odd"));
    skep_arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facets), cmocka_unit_test(test_rows),
        cmocka_unit_test(test_delete), cmocka_unit_test(test_traces),
        cmocka_unit_test(test_ids),    cmocka_unit_test(test_range),
        cmocka_unit_test(test_single), cmocka_unit_test(test_insights_derived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
