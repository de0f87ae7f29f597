// SPDX-License-Identifier: Apache-2.0
/* Query specifications: what each member becomes, and what is refused where. */
#include <cmocka.h>
#include <stdio.h>

#include "lang/honeycomb.h"
#include "plan_text.h"

static const skep_ts_ns now_ns = 1795132800000000000;
#define T "-7200000+0 gran=60000 limit=1000"

struct good {
    const char *json, *plan;
};

static const struct good goods[] = {
    {"", T " | COUNT=COUNT"},
    {"{}", T " | COUNT=COUNT"},
    {"{\"calculations\":[]}", T " | COUNT=COUNT"},
    /* calculations */
    {"{\"calculations\":[{\"op\":\"COUNT\"},{\"op\":\"COUNT\",\"column\":\"a\"},"
     "{\"op\":\"CONCURRENCY\"},{\"op\":\"P999\",\"column\":\"duration_ms\"}]}",
     T " | COUNT=COUNT COUNT(a)=COUNT:a CONCURRENCY=CONCURRENCY"
       " P999(duration_ms)=P999:duration_ms"},
    {"{\"calculations\":[{\"op\":\"SUM\",\"column\":\"x\"},{\"op\":\"AVG\",\"column\":\"x\"},"
     "{\"op\":\"MIN\",\"column\":\"x\"},{\"op\":\"MAX\",\"column\":\"x\"},"
     "{\"op\":\"COUNT_DISTINCT\",\"column\":\"x\"},{\"op\":\"RATE_SUM\",\"column\":\"x\"}]}",
     T " | SUM(x)=SUM:x AVG(x)=AVG:x MIN(x)=MIN:x MAX(x)=MAX:x"
       " COUNT_DISTINCT(x)=COUNT_DISTINCT:x RATE_SUM(x)=RATE_SUM:x"},
    {"{\"calculations\":[{\"op\":\"COUNT\",\"name\":\"errors\",\"filters\":["
     "{\"column\":\"error\",\"op\":\"exists\"}]}]}",
     T " | errors=COUNT[error EXISTS]"},
    {"{\"calculations\":[{\"op\":\"HEATMAP\",\"column\":\"x\"}]}",
     T " | HEATMAP(x)=HEATMAP:x/log40"},
    {"{\"calculations\":[{\"op\":\"HEATMAP\",\"column\":\"x\"}],"
     "\"heatmap\":{\"scale\":\"linear\",\"bins\":20}}",
     T " | HEATMAP(x)=HEATMAP:x/linear20"},
    /* relations */
    {"{\"filters\":[{\"column\":\"root.name\",\"op\":\"!=\",\"value\":\"x\"},{\"column\":\"parent."
     "a\",\"op\":\"exists\"}]}",
     T " | COUNT=COUNT | AND(root:name NE 'x'; parent:a EXISTS)"},
    {"{\"filters\":[{\"column\":\"any.a\",\"op\":\"exists\"},{\"column\":\"b\",\"op\":\"exists\"},{"
     "\"column\":\"any2.a\",\"op\":\"exists\"},{\"column\":\"any.c\",\"op\":\"exists\"},{"
     "\"column\":\"none.d\",\"op\":\"exists\"},{\"column\":\"none.e\",\"op\":\"exists\"},{"
     "\"column\":\"child.f\",\"op\":\"exists\"}]}",
     T " | COUNT=COUNT | AND(any(AND(a EXISTS; c EXISTS)); b EXISTS; any(a EXISTS); NOT(any(AND(d "
       "EXISTS; e EXISTS))); child(f EXISTS))"},
    {"{\"filters\":[{\"column\":\"any.a\",\"op\":\"exists\"},{\"column\":\"any.b\",\"op\":"
     "\"exists\"},{\"column\":\"none.c\",\"op\":\"exists\"}],\"filter_combination\":\"OR\"}",
     T " | COUNT=COUNT | OR(any(a EXISTS); any(b EXISTS); NOT(any(c EXISTS)))"},
    {"{\"filters\":[{\"column\":\"any.*\",\"op\":\"contains\",\"value\":\"x\"}]}",
     T " | COUNT=COUNT | any(* CONTAINS~ 'x')"},
    {"{\"filters\":[{\"column\":\"none.trace.parent_id\",\"op\":\"does-not-exist\"}]}",
     T " | COUNT=COUNT | NOT(any(trace.parent_id NEXISTS))"},
    {"{\"filters\":[{\"column\":\".root.x\",\"op\":\"exists\"},{\"column\":\"..any.x\",\"op\":"
     "\"exists\"},{\"column\":\".x\",\"op\":\"exists\"},{\"column\":\"root.parent.x\",\"op\":"
     "\"exists\"},{\"column\":\"rooted\",\"op\":\"exists\"}]}",
     T " | COUNT=COUNT | AND(root.x EXISTS; .any.x EXISTS; .x EXISTS; root:parent.x EXISTS; rooted "
       "EXISTS)"},
    {"{\"calculations\":[{\"op\":\"COUNT\"},{\"op\":\"P95\",\"column\":\"root.duration_ms\"}],"
     "\"breakdowns\":[\"parent.name\",\"any.x\",\"child.y\"],\"filters\":[{\"column\":\"any.a\","
     "\"op\":\"exists\"}],\"orders\":[{\"op\":\"P95\",\"column\":\"root.duration_ms\"},{\"column\":"
     "\"parent.name\"}],\"havings\":[{\"calculate_op\":\"P95\",\"column\":\"root.duration_ms\","
     "\"op\":\">\",\"value\":1}]}",
     T " | COUNT=COUNT P95(root.duration_ms)=P95:root:duration_ms by parent:name by any:x{a EXISTS}"
       " by child:y{y EXISTS} | any(a EXISTS)"
       " order agg1+ order group0+ having agg1 op4 1"},
    /* filters: every operator */
    {"{\"filters\":[{\"column\":\"a\",\"op\":\"=\",\"value\":\"x\"}]}",
     T " | COUNT=COUNT | a EQ 'x'"},
    {"{\"filters\":[{\"column\":\"a\",\"op\":\"!=\",\"value\":\"x\"}]}",
     T " | COUNT=COUNT | a NE 'x'"},
    {"{\"filters\":[{\"column\":\"a\",\"op\":\">\",\"value\":5},"
     "{\"column\":\"a\",\"op\":\">=\",\"value\":5.5},"
     "{\"column\":\"a\",\"op\":\"<\",\"value\":\"m\"},"
     "{\"column\":\"a\",\"op\":\"<=\",\"value\":\"5\"}]}",
     T " | COUNT=COUNT | AND(a GT 5i; a GE 5.5d; a LT 'm'; OR(a LE '5'; a LE 5i))"},
    {"{\"filters\":[{\"column\":\"a\",\"op\":\"starts-with\",\"value\":\"x\"},"
     "{\"column\":\"a\",\"op\":\"does-not-start-with\",\"value\":\"x\"},"
     "{\"column\":\"a\",\"op\":\"ends-with\",\"value\":\"x\"},"
     "{\"column\":\"a\",\"op\":\"does-not-end-with\",\"value\":\"x\"}]}",
     T " | COUNT=COUNT | AND(a STARTS 'x'; a NSTARTS 'x'; a ENDS 'x'; a NENDS 'x')"},
    {"{\"filters\":[{\"column\":\"a\",\"op\":\"contains\",\"value\":12},"
     "{\"column\":\"a\",\"op\":\"does-not-contain\",\"value\":\"x\"},"
     "{\"column\":\"a\",\"op\":\"exists\",\"value\":null},"
     "{\"column\":\"a\",\"op\":\"does-not-exist\",\"value\":\"\"}],"
     "\"filter_combination\":\"OR\"}",
     T " | COUNT=COUNT | OR(a CONTAINS '12'; a NCONTAINS 'x'; a EXISTS; a NEXISTS)"},
    {"{\"filters\":[{\"column\":\"a\",\"op\":\"exists\"},{\"column\":\"b\",\"op\":\"exists\"}],"
     "\"filter_combination\":\"OR\",\"and_filters\":[{\"column\":\"c\",\"op\":\"exists\"}]}",
     T " | COUNT=COUNT | AND(OR(a EXISTS; b EXISTS); c EXISTS)"},
    {"{\"filters\":[{\"column\":\"any.a\",\"op\":\"exists\"}],"
     "\"and_filters\":[{\"column\":\"any.b\",\"op\":\"exists\"}]}",
     T " | COUNT=COUNT | any(AND(a EXISTS; b EXISTS))"},
    {"{\"and_filters\":[{\"column\":\"c\",\"op\":\"exists\"}]}", T " | COUNT=COUNT | c EXISTS"},
    {"{\"filters\":[{\"column\":\"a\",\"op\":\"in\",\"value\":[\"x\",200,true]},"
     "{\"column\":\"a\",\"op\":\"not-in\",\"value\":[\"x\"]}]}",
     T " | COUNT=COUNT | AND(a EQ 'x',200i,'200',true,'true'; a NE 'x')"},
    {"{\"filters\":[{\"column\":\"*\",\"op\":\"contains\",\"value\":\"Text\"}]}",
     T " | COUNT=COUNT | * CONTAINS~ 'Text'"},
    /* literals: each type a value converts to without loss */
    {"{\"filters\":[{\"column\":\"a\",\"op\":\"=\",\"value\":\"200\"}]}",
     T " | COUNT=COUNT | a EQ '200',200i"},
    {"{\"filters\":[{\"column\":\"a\",\"op\":\"=\",\"value\":\"0200\"}]}",
     T " | COUNT=COUNT | a EQ '0200'"},
    {"{\"filters\":[{\"column\":\"a\",\"op\":\"=\",\"value\":\"1.5\"}]}",
     T " | COUNT=COUNT | a EQ '1.5',1.5d"},
    {"{\"filters\":[{\"column\":\"a\",\"op\":\"=\",\"value\":\"1.50\"}]}",
     T " | COUNT=COUNT | a EQ '1.50'"},
    {"{\"filters\":[{\"column\":\"a\",\"op\":\"=\",\"value\":3.0}]}",
     T " | COUNT=COUNT | a EQ 3.0d,'3'"},
    {"{\"filters\":[{\"column\":\"a\",\"op\":\"=\",\"value\":-7}]}",
     T " | COUNT=COUNT | a EQ -7i,'-7'"},
    {"{\"filters\":[{\"column\":\"a\",\"op\":\"=\",\"value\":\"false\"}]}",
     T " | COUNT=COUNT | a EQ 'false',false"},
    {"{\"filters\":[{\"column\":\"a\",\"op\":\"=\",\"value\":9007199254740993}]}",
     T " | COUNT=COUNT | a EQ 9007199254740993i,'9007199254740993'"},
    {"{\"filters\":[{\"column\":\"a\",\"op\":\"=\",\"value\":{\"int\":\"-9223372036854775808\"}}]}",
     T " | COUNT=COUNT | a EQ -9223372036854775808i"},
    {"{\"filters\":[{\"column\":\"a\",\"op\":\"=\",\"value\":{\"double\":\"NaN\"}}]}",
     T " | COUNT=COUNT | a EQ not-finited"},
    {"{\"filters\":[{\"column\":\"a\",\"op\":\"=\",\"value\":{\"bytes\":\"aGk=\"}}]}",
     T " | COUNT=COUNT | a EQ bytes'hi'"},
    /* groups, orders, havings */
    {"{\"breakdowns\":[\"a\",\"b\"],\"orders\":[{\"op\":\"COUNT\",\"order\":\"descending\"},"
     "{\"column\":\"b\"}],\"limit\":7}",
     "-7200000+0 gran=60000 limit=7 | COUNT=COUNT by a by b order agg0- order group1+"},
    {"{\"calculations\":[{\"op\":\"P95\",\"column\":\"x\"},{\"op\":\"COUNT\",\"name\":\"n\"}],"
     "\"orders\":[{\"column\":\"n\"},{\"op\":\"P95\",\"column\":\"x\",\"order\":\"ascending\"}],"
     "\"havings\":[{\"calculate_op\":\"P95\",\"column\":\"x\",\"op\":\">\",\"value\":1.5},"
     "{\"calculate_op\":\"COUNT\",\"column\":\"n\",\"op\":\"!=\",\"value\":0}]}",
     T " | P95(x)=P95:x n=COUNT order agg1+ order agg0+ having agg0 op4 1.5 having agg1 op1 0"},
    /* times */
    {"{\"time_range\":3600}", "-3600000+0 gran=30000 limit=1000 | COUNT=COUNT"},
    {"{\"start_time\":1795129200,\"end_time\":1795132800}",
     "-3600000+0 gran=30000 limit=1000 | COUNT=COUNT"},
    {"{\"start_time\":1795125600,\"time_range\":3600}",
     "-7200000-3600000 gran=30000 limit=1000 | COUNT=COUNT"},
    {"{\"end_time\":1795129200,\"time_range\":3600}",
     "-7200000-3600000 gran=30000 limit=1000 | COUNT=COUNT"},
    {"{\"start_time\":1795129200}", "-3600000+3600000 gran=60000 limit=1000 | COUNT=COUNT"},
    {"{\"start_time\":1795132799.25,\"end_time\":1795132799.5}",
     "-750-500 gran=5 limit=1000 | COUNT=COUNT"},
    {"{\"time_range\":7200,\"granularity\":600}",
     "-7200000+0 gran=600000 limit=1000 | COUNT=COUNT"},
    {"{\"granularity\":0,\"usage_mode\":true}", T " usage | COUNT=COUNT"},
    {"{\"disable_series\":true,\"limit\":10000}", "-7200000+0 limit=10000 | COUNT=COUNT"},
    /* datasets and what is empty */
    {"{\"dataset\":\"shop\"}", T " ds=shop | COUNT=COUNT"},
    {"{\"dataset\":\"__all__\"}", T " | COUNT=COUNT"},
    {"{\"id\":\"x\",\"formulas\":[],\"calculated_fields\":null,\"compare_time_offset_seconds\":0}",
     T " | COUNT=COUNT"},
};

struct bad {
    const char *json, *field, *text; /* part of the text */
};

static const struct bad bads[] = {
    {"{", "", "not JSON"},
    {"{}x", "", "not JSON"},
    {"[]", "", "object"},
    {"{\"nonsense\":1}", "nonsense", "unknown"},
    {"{\"\":1}", "\"\"", "unknown"},
    {"{\"\\u0000x\":1}", "\"\"", "unknown"},
    {"{\"calculations\":1}", "calculations", "array"},
    {"{\"calculations\":[1]}", "calculations[0]", "object"},
    {"{\"calculations\":[{}]}", "calculations[0].op", "needs an op"},
    {"{\"calculations\":[{\"op\":\"P42\",\"column\":\"x\"}]}", "calculations[0].op", "unknown"},
    {"{\"calculations\":[{\"op\":\"SUM\"}]}", "calculations[0].column", "needs a column"},
    {"{\"calculations\":[{\"op\":\"CONCURRENCY\",\"column\":\"x\"}]}", "calculations[0].column",
     "no column"},
    {"{\"calculations\":[{\"op\":\"HISTOGRAM_COUNT\"}]}", "calculations[0].op", "metrics"},
    {"{\"calculations\":[{\"op\":\"COUNT\",\"filters\":[{\"column\":\"a\",\"op\":\"exists\"}]}]}",
     "calculations[0].name", "name"},
    {"{\"calculations\":[{\"op\":\"COUNT\"},{\"op\":\"COUNT\"}]}", "calculations[1]",
     "calculations[0]"},
    {"{\"calculations\":[{\"op\":\"COUNT\",\"x\":1}]}", "calculations[0].x", "unknown"},
    {"{\"calculations\":[{\"op\":\"SUM\",\"column\":\"none.x\"}]}", "calculations[0].column",
     "filters alone"},
    {"{\"calculations\":[{\"op\":\"SUM\",\"column\":\"root.\"}]}", "calculations[0].column",
     "behind root."},
    {"{\"filters\":[{\"op\":\"=\",\"value\":1}]}", "filters[0].column", "column"},
    {"{\"filters\":[{\"column\":\"a\",\"value\":1}]}", "filters[0].op", "operator"},
    {"{\"filters\":[{\"column\":\"a\",\"op\":\"~\",\"value\":1}]}", "filters[0].op", "unknown"},
    {"{\"filters\":[{\"column\":\"a\",\"op\":\"=\"}]}", "filters[0].value", "needs a value"},
    {"{\"filters\":[{\"column\":\"a\",\"op\":\"=\",\"value\":[1]}]}", "filters[0].value",
     "string, a number or a boolean"},
    {"{\"filters\":[{\"column\":\"a\",\"op\":\"exists\",\"value\":1}]}", "filters[0].value",
     "no value"},
    {"{\"filters\":[{\"column\":\"a\",\"op\":\"in\",\"value\":\"x\"}]}", "filters[0].value",
     "array"},
    {"{\"filters\":[{\"column\":\"a\",\"op\":\"in\",\"value\":[]}]}", "filters[0].value", "1 to"},
    {"{\"filters\":[{\"column\":\"a\",\"op\":\"in\",\"value\":[{}]}]}", "filters[0].value[0]",
     "object"},
    {"{\"filters\":[{\"column\":\"a\",\"op\":\">\",\"value\":true}]}", "filters[0].value",
     "number or a string"},
    {"{\"filters\":[{\"column\":\"a\",\"op\":\"=\",\"value\":18446744073709551615}]}",
     "filters[0].value", "64 bits"},
    {"{\"filters\":[{\"column\":\"*\",\"op\":\"=\",\"value\":1}]}", "filters[0].column",
     "contains alone"},
    {"{\"filters\":[{\"column\":\"any2.\",\"op\":\"exists\"}]}", "filters[0].column",
     "behind any2."},
    {"{\"filters\":[{\"column\":\"any.*\",\"op\":\"=\",\"value\":1}]}", "filters[0].column",
     "contains alone"},
    {"{\"filter_combination\":\"XOR\"}", "filter_combination", "AND or OR"},
    {"{\"breakdowns\":[1]}", "breakdowns[0]", "column name"},
    {"{\"breakdowns\":[\"a\",\"a\"]}", "breakdowns[1]", "breakdowns[0]"},
    {"{\"breakdowns\":[\"COUNT\"]}", "breakdowns[0]", "calculations[0]"},
    {"{\"breakdowns\":[\"none.a\"]}", "breakdowns[0]", "filters alone"},
    {"{\"breakdowns\":[\"root.*\"]}", "breakdowns[0]", "filters alone"},
    {"{\"breakdowns\":[\"parent.a\",\"parent.a\"]}", "breakdowns[1]", "breakdowns[0]"},
    {"{\"orders\":[{\"column\":\"zzz\"}]}", "orders[0]", "must name"},
    {"{\"orders\":[{}]}", "orders[0]", "needs"},
    {"{\"orders\":[{\"op\":\"COUNT\",\"order\":\"up\"}]}", "orders[0].order", "ascending"},
    {"{\"calculations\":[{\"op\":\"HEATMAP\",\"column\":\"x\"}],"
     "\"orders\":[{\"op\":\"HEATMAP\",\"column\":\"x\"}]}",
     "orders[0]", "HEATMAP"},
    {"{\"havings\":[{\"op\":\">\",\"value\":1}]}", "havings[0].calculate_op", "must name"},
    {"{\"havings\":[{\"calculate_op\":\"COUNT\",\"op\":\"contains\",\"value\":1}]}",
     "havings[0].op", "use ="},
    {"{\"havings\":[{\"calculate_op\":\"COUNT\",\"op\":\">\",\"value\":\"1\"}]}",
     "havings[0].value", "number"},
    {"{\"limit\":0}", "limit", "1 to 1000"},
    {"{\"limit\":1001}", "limit", "1 to 1000"},
    {"{\"limit\":1.5}", "limit", "whole"},
    {"{\"time_range\":0}", "time_range", "empty"},
    {"{\"time_range\":-5}", "time_range", "seconds"},
    {"{\"time_range\":\"1h\"}", "time_range", "number"},
    {"{\"start_time\":1795132800000}", "start_time", "not milliseconds"},
    {"{\"start_time\":2,\"end_time\":1}", "start_time", "before"},
    {"{\"start_time\":1,\"end_time\":2,\"time_range\":1}", "time_range", "at most two"},
    {"{\"granularity\":7201}", "granularity", "7200"},
    {"{\"granularity\":1}", "granularity", "7.2"},
    {"{\"granularity\":-1}", "granularity", "0 (automatic)"},
    {"{\"disable_series\":1}", "disable_series", "true or false"},
    {"{\"heatmap\":{\"scale\":\"sqrt\"}}", "heatmap.scale", "log or linear"},
    {"{\"heatmap\":{\"bins\":9999}}", "heatmap.bins", "1 to"},
    {"{\"calculated_fields\":[{\"name\":\"x\"}]}", "calculated_fields[0].expression",
     "write an expression"},
    {"{\"formulas\":[{\"expression\":\"1\"}]}", "formulas[0].name", "needs a name"},
    {"{\"compare_time_offset_seconds\":86401}", "compare_time_offset_seconds", "use 1800"},
};

static const struct skep_lang_derived derived[] = {
    {SKEP_STR("slow"), SKEP_STR("$duration_ms > 1000"), SKEP_STR("__all__")},
    {SKEP_STR("slow"), SKEP_STR("$duration_ms > 10"), SKEP_STR("my-shop-")},
    {SKEP_STR("late"), SKEP_STR("$slow AND $slower"), SKEP_STR_NULL},
    {SKEP_STR("slower"), SKEP_STR("$duration_ms > 5000"), SKEP_STR_NULL},
    {SKEP_STR("mine"), SKEP_STR("1"), SKEP_STR("other")},
    {SKEP_STR("odd"), SKEP_STR("1 +"), SKEP_STR_NULL},
    {SKEP_STR("a"), SKEP_STR("$b"), SKEP_STR_NULL},
    {SKEP_STR("b"), SKEP_STR("$a"), SKEP_STR_NULL},
};

/* What a plan computes, as "name: text; ...". */
static char *computed(const char *json, skep_str dataset, struct skep_lang_issue *issue)
{
    const struct skep_lang_opts opts = {.now_ns = now_ns,
                                        .dataset = dataset,
                                        .derived = derived,
                                        .n_derived = SKEP_ARRAY_LEN(derived)};
    static char text[1024];
    struct skep_arena a;
    const struct skep_plan *plan = NULL;
    size_t n = 0;
    skep_arena_init(&a, "test", NULL);
    text[0] = '\0';
    if (skep_lang_honeycomb(skep_str_bytes(skep_str_c(json)), &opts, &a, &plan, issue) == SKEP_OK)
        for (unsigned i = 0; i < plan->n_computed; i++)
            n += (size_t)snprintf(text + n, sizeof text - n, SKEP_STRFMT ": " SKEP_STRFMT "; ",
                                  SKEP_STRARG(plan->computed[i].name),
                                  SKEP_STRARG(plan->computed[i].text));
    else
        (void)snprintf(text, sizeof text, "%s: %s", issue->field, issue->text);
    skep_arena_done(&a);
    return text;
}

/* Derived columns come into a plan when something names them, those they use before them. */
static void derived_columns(void **state)
{
    (void)state;
    struct skep_lang_issue i;
    skep_str none = SKEP_STR_NULL;
    assert_string_equal(computed("{}", none, &i), "");
    assert_string_equal(computed("{\"breakdowns\":[\"root.slow\"]}", none, &i),
                        "slow: $duration_ms > 1000; ");
    assert_string_equal(computed("{\"breakdowns\":[\"slow\"]}", SKEP_STR("My Shop!"), &i),
                        "slow: $duration_ms > 10; ");
    assert_string_equal(
        computed("{\"filters\":[{\"column\":\"late\",\"op\":\"exists\"}]}", none, &i),
        "slow: $duration_ms > 1000; slower: $duration_ms > 5000; "
        "late: $slow AND $slower; ");
    assert_string_equal(computed("{\"breakdowns\":[\"mine\"]}", SKEP_STR("shop"), &i), "");
    assert_string_equal(
        computed("{\"calculated_fields\":[{\"name\":\"slow\",\"expression\":\"1\"}],"
                 "\"breakdowns\":[\"slow\"]}",
                 none, &i),
        "slow: 1; "); /* the request's own counts first */
    assert_non_null(strstr(computed("{\"breakdowns\":[\"odd\"]}", none, &i),
                           "breakdowns[0]: derived column odd: at byte 3"));
    assert_non_null(strstr(computed("{\"breakdowns\":[\"a\"]}", none, &i), "cannot use itself"));
}

static skep_rc check_derived(const char *alias, const char *expression,
                             struct skep_lang_issue *issue)
{
    const struct skep_lang_opts opts = {.derived = derived, .n_derived = SKEP_ARRAY_LEN(derived)};
    struct skep_arena a;
    skep_arena_init(&a, "test", NULL);
    skep_rc rc =
        skep_lang_derived_check(&opts, skep_str_c(alias), skep_str_c(expression), &a, issue);
    skep_arena_done(&a);
    return rc;
}

static void derived_checks(void **state)
{
    (void)state;
    struct skep_lang_issue i = {.at = 0};
    assert_int_equal(check_derived("odd", "IF($slow, 1, 2)", &i), SKEP_OK); /* it was broken */
    assert_int_equal(check_derived("new", "$b = 1 AND", &i), SKEP_EINVAL);
    assert_int_equal(check_derived("slow", "NOT($slow)", &i), SKEP_EINVAL);
    assert_string_equal(i.field, "expression");
    assert_int_equal(i.at, 4);
    assert_int_equal(i.end, 9);
    assert_int_equal(check_derived("root.x", "1", &i), SKEP_EINVAL);
    assert_string_equal(i.field, "alias");
    assert_int_equal(check_derived("", "1", &i), SKEP_EINVAL);
}

static skep_rc read_spec(const char *json, bool page, struct skep_arena *a,
                         const struct skep_plan **ret, struct skep_lang_issue *issue)
{
    const struct skep_lang_opts opts = {.now_ns = now_ns, .page = page};
    return skep_lang_honeycomb(skep_str_bytes(skep_str_c(json)), &opts, a, ret, issue);
}

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(goods); i++) {
        struct skep_arena a;
        struct skep_buf b;
        const struct skep_plan *plan = NULL;
        struct skep_lang_issue issue;
        skep_arena_init(&a, "test", NULL);
        skep_buf_init(&b, 1 << 16);
        if (read_spec(goods[i].json, true, &a, &plan, &issue) != SKEP_OK)
            fail_msg("%s\nrefused: %s: %s", goods[i].json, issue.field, issue.text);
        plan_text(&b, plan, now_ns);
        skep_buf_u8(&b, '\0');
        if (strcmp((const char *)b.p, goods[i].plan) != 0)
            fail_msg("%s\nis   %s\nnot  %s", goods[i].json, (const char *)b.p, goods[i].plan);
        skep_buf_done(&b);
        skep_arena_done(&a);
    }
}

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(bads); i++) {
        struct skep_arena a;
        const struct skep_plan *plan = NULL;
        struct skep_lang_issue issue;
        skep_arena_init(&a, "test", NULL);
        if (read_spec(bads[i].json, true, &a, &plan, &issue) == SKEP_OK)
            fail_msg("%s\nis taken", bads[i].json);
        if (strcmp(issue.field, bads[i].field) != 0)
            fail_msg("%s\nnames '%s', not '%s' (%s)", bads[i].json, issue.field, bads[i].field,
                     issue.text);
        if (!strstr(issue.text, bads[i].text))
            fail_msg("%s\nsays '%s', nothing of '%s'", bads[i].json, issue.text, bads[i].text);
        assert_int_equal(skep_lang_http_status(&issue), strstr(issue.text, "not JSON") ? 400 : 422);
        skep_arena_done(&a);
    }
}

/* The page's members are unknown to Honeycomb's API. */
static void test_page_members(void **state)
{
    struct skep_arena a;
    const struct skep_plan *plan = NULL;
    struct skep_lang_issue issue;
    (void)state;
    skep_arena_init(&a, "test", NULL);
    assert_int_equal(read_spec("{\"dataset\":\"x\"}", false, &a, &plan, &issue), SKEP_EINVAL);
    assert_string_equal(issue.field, "dataset");
    assert_int_equal(read_spec("{\"heatmap\":{}}", false, &a, &plan, &issue), SKEP_EINVAL);
    assert_string_equal(issue.field, "heatmap");
    assert_int_equal(read_spec("{\"and_filters\":[]}", false, &a, &plan, &issue), SKEP_EINVAL);
    assert_string_equal(issue.field, "and_filters");
    skep_arena_done(&a);
}

static void test_limits(void **state)
{
    struct skep_arena a;
    struct skep_buf b;
    const struct skep_plan *plan = NULL;
    struct skep_lang_issue issue;
    (void)state;
    skep_arena_init(&a, "test", NULL);
    skep_buf_init(&b, 1 << 20);
    for (unsigned n = 100; n <= 101; n++) {
        skep_buf_reset(&b);
        skep_buf_str(&b, SKEP_STR("{\"filters\":["));
        for (unsigned i = 0; i < n; i++)
            skep_buf_printf(&b, "%s{\"column\":\"c%u\",\"op\":\"exists\"}", i ? "," : "", i);
        skep_buf_str(&b, SKEP_STR("]}"));
        skep_buf_u8(&b, '\0');
        assert_int_equal(read_spec((const char *)b.p, true, &a, &plan, &issue),
                         n == 100 ? SKEP_OK : SKEP_EINVAL);
    }
    assert_string_equal(issue.field, "filters");
    skep_buf_done(&b);
    skep_arena_done(&a);
}

static void canonical_is(const char *json, const char *want)
{
    struct skep_arena a;
    struct skep_lang_issue issue;
    skep_str text;
    skep_arena_init(&a, "test", NULL);
    assert_int_equal(skep_lang_honeycomb_text(skep_str_bytes(skep_str_c(json)), &a, &text, &issue),
                     SKEP_OK);
    if (!skep_str_eq(text, skep_str_c(want)))
        fail_msg("is " SKEP_STRFMT, SKEP_STRARG(text));
    skep_arena_done(&a);
}

static void test_canonical(void **state)
{
    (void)state;
    canonical_is(" ", "{}");
    canonical_is("{ \"time_range\" : 7200, \"id\":\"x\", \"breakdowns\":[ \"a\" ],\"limit\":null }",
                 "{\"breakdowns\":[\"a\"],\"time_range\":7200}");
    canonical_is("{\"breakdowns\":[\"a\"],\"time_range\":7200}",
                 "{\"breakdowns\":[\"a\"],\"time_range\":7200}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),      cmocka_unit_test(test_bad),
        cmocka_unit_test(test_limits),    cmocka_unit_test(test_page_members),
        cmocka_unit_test(test_canonical), cmocka_unit_test(derived_columns),
        cmocka_unit_test(derived_checks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
