// SPDX-License-Identifier: Apache-2.0
/* X-Ray's filter expressions: what reads as what, where mistakes are, print and parse. */
#include <cmocka.h>

#include <stdlib.h>

#include "lang/xray.h"
#include "plan_text.h"
#include "support/xray_text.h"

/* Groups of the tests; "loop" and "pool" lead to each other. */
static bool find_group(void *ctx, skep_str name, bool arn, struct skep_arena *arena, skep_str *ret)
{
    static const struct {
        const char *name, *text;
    } groups[] = {{"slow", "responsetime > 5"},         {"", ""},
                  {"loop", "group.name = \"pool\""},    {"pool", "ok OR group.name = \"loop\""},
                  {"broken", "service(\"a\") { nix }"}, {"empty", "  "}};
    (void)ctx;
    (void)arena;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(groups); i++) {
        if (skep_str_eq(name, skep_str_c(groups[i].name)) && name.n && !arn) {
            *ret = skep_str_c(groups[i].text);
            return true;
        }
    }
    return false;
}
static const struct skep_xray_groups groups = {.find = find_group};

static void put_expr(struct skep_buf *out, const char *text, struct skep_arena *a)
{
    const struct skep_xray_expr *e = NULL;
    struct skep_lang_issue issue;
    if (skep_xray_parse(skep_str_c(text), &groups, a, &e, &issue) == SKEP_OK)
        skep_xray_print(e, out);
    else
        skep_buf_printf(out, "%zu: %s", issue.at, issue.text);
}

static void reads_as(const char *text, const char *want)
{
    struct skep_arena a;
    struct skep_buf b;
    skep_arena_init(&a, "test", NULL);
    skep_buf_init(&b, 1 << 16);
    put_expr(&b, text, &a);
    skep_buf_u8(&b, '\0');
    assert_string_equal((const char *)b.p, want);
    skep_buf_done(&b);
    skep_arena_done(&a);
}

static void test_reads(void **state)
{
    (void)state;
    reads_as("", "");
    reads_as("  ok !partial duration <3", "ok AND !partial AND duration < 3.0");
    reads_as("responseTime>5", "responsetime > 5.0");
    reads_as("ok or fault and error", "ok OR fault AND error");
    reads_as("(ok or fault) and error", "(ok OR fault) AND error");
    reads_as("ok AND (fault AND error)", "ok AND (fault AND error)");
    reads_as("!!ok", "ok");
    reads_as("!(!ok)", "!(!ok)");
    reads_as("!ok = false", "!ok = false");
    reads_as("name = traces", "name = \"traces\"");
    reads_as("user = 42", "user = \"42\"");
    reads_as("http.status = \"404\"", "http.status = 404.0");
    reads_as("http.url BEGINSWITH \"a\\\"b\\\\\"", "http.url BEGINSWITH \"a\\\"b\\\\\"");
    reads_as("Annotation[aws.local.environment] = \"k8s:default\"",
             "annotation[aws.local.environment] = \"k8s:default\"");
    reads_as("annotation.age > 29", "annotation[age] > 29.0");
    reads_as("!annotation.age", "!annotation[age]");
    reads_as("service()", "service()");
    reads_as("SERVICE ( \"a\" ){fault}", "service(\"a\") { fault }");
    reads_as("(service(id(name: \"frontend\"  ))) AND (ok)", "service(\"frontend\") AND ok");
    reads_as("service(id(type:\"AWS::Lambda::Function\",name:\"f\")) { error }",
             "service(id(name: \"f\", type: \"AWS::Lambda::Function\")) { error }");
    reads_as("edge(\"a\",\"b\") { error }", "edge(\"a\", \"b\") { error }");
    reads_as("rootcause.responsetime.entity { remote and coverage > 0.7 }",
             "rootcause.responsetime.entity { remote AND coverage > 0.7 }");
    reads_as("rootcause.fault.service{index>5}", "rootcause.fault.service { index > 5.0 }");
    reads_as("rootcause.json = #[{\"Services\":[]}] ok",
             "rootcause.json = #[{\"Services\":[]}] AND ok");
    reads_as("group.name = \"slow\" AND user = \"alice\"",
             "group.name = \"slow\" AND user = \"alice\"");
    reads_as("group.name != \"empty\"", "group.name != \"empty\"");
}

static void test_mistakes(void **state)
{
    (void)state;
    reads_as("ok AND", "6: a keyword, service(), edge(), rootcause, ! or ( is expected here");
    reads_as("foo = 1", "0: \"foo\" is no keyword");
    reads_as("ok AND foo", "7: \"foo\" is no keyword");
    reads_as("ok )", "3: AND, OR or the end is expected here");
    reads_as("(ok", "3: ) is expected here");
    reads_as("name < 3", "5: name is a text: use = != CONTAINS BEGINSWITH ENDSWITH");
    reads_as("duration CONTAINS 3", "9: duration is a number: use = != < <= > >=");
    reads_as("ok > 1", "3: ok is true or false: use = or !=");
    reads_as("ok = 1", "5: true or false is expected here");
    reads_as("duration = x", "11: a number is expected here");
    reads_as("duration =", "10: a value is expected here: \"text\", a number, true or false");
    reads_as("name = \"abc", "7: a text that does not end: \" is missing");
    reads_as("coverage > 1", "0: \"coverage\" does not belong here: it is for rootcause... { }");
    reads_as("root", "0: \"root\" does not belong here: it is for service() { }");
    reads_as("service(\"a\") { service(\"b\") }",
             "15: service(), edge() and rootcause are not for braces");
    reads_as("service(a)", "8: a name in \", id(...) or ) is expected here");
    reads_as("edge(\"a\")", "8: , is expected here");
    reads_as("service(id(name:\"a\",name:\"b\"))", "20: \"name\" is said twice");
    reads_as("annotation > 1", "10: .key or [key] is expected here");
    reads_as("annotation[x", "10: a key that does not end: ] is missing");
    reads_as("rootcause.fault", "0: rootcause.fault, .error or .responsetime, then .service, "
                                ".entity, .exception (of faults and errors) or .json is expected "
                                "here");
    reads_as("rootcause.json = #[1,", "21: JSON is expected here: unexpected end of data");
    reads_as("group.name = \"nix\"", "0: there is no group \"nix\"");
    reads_as("ok group.name = \"loop\"",
             "3: the expression of group \"loop\" at byte 0: the expression of group \"pool\" at "
             "byte 6: group \"loop\" leads back to itself");
    reads_as("group.name = \"broken\"",
             "0: the expression of group \"broken\" at byte 15: \"nix\" is no keyword");
}

static void test_bounds(void **state)
{
    struct skep_arena a;
    struct skep_buf b, out;
    (void)state;
    skep_arena_init(&a, "test", NULL);
    skep_buf_init(&b, 1 << 16);
    skep_buf_init(&out, 1 << 16);
    for (unsigned i = 0; i < 100; i++)
        skep_buf_u8(&b, '(');
    skep_buf_u8(&b, '\0');
    put_expr(&out, (const char *)b.p, &a);
    assert_true(skep_str_ends(skep_buf_text(&out),
                              SKEP_STR("more than 32 levels of parentheses and braces")));
    skep_buf_reset(&b);
    skep_buf_reset(&out);
    for (unsigned i = 0; i < 201; i++)
        skep_buf_str(&b, SKEP_STR("ok "));
    skep_buf_u8(&b, '\0');
    put_expr(&out, (const char *)b.p, &a);
    assert_true(skep_str_ends(skep_buf_text(&out), SKEP_STR("more than 200 tests")));
    skep_buf_done(&b);
    skep_buf_done(&out);
    skep_arena_done(&a);
}

// --- print and parse ---------------------------------------------------------------------------

static bool same_value(const skep_value *a, const skep_value *b)
{
    if (a->type != b->type)
        return false;
    if (a->type == SKEP_TYPE_STRING)
        return skep_str_eq(a->s, b->s);
    return a->type == SKEP_TYPE_BOOL ? a->b == b->b : a->type == SKEP_TYPE_NULL || a->f == b->f;
}

static bool same_tree(const struct skep_xray_expr *a, const struct skep_xray_expr *b)
{
    if (!a || !b)
        return a == b;
    bool same = a->op == b->op && a->keyword == b->keyword && a->cmp == b->cmp &&
                skep_str_eq(a->key, b->key) && same_value(&a->value, &b->value) &&
                a->n_forms == b->n_forms && a->cause == b->cause && a->level == b->level &&
                skep_str_eq(a->json, b->json);
    for (unsigned i = 0; i < 2; i++)
        same = same && skep_str_eq(a->refs[i].name, b->refs[i].name) &&
               a->refs[i].has_name == b->refs[i].has_name &&
               skep_str_eq(a->refs[i].type, b->refs[i].type) &&
               skep_str_eq(a->refs[i].account, b->refs[i].account) &&
               same_tree(a->kids[i], b->kids[i]);
    return same;
}

static void test_print_parse(void **state)
{
    struct xray_rnd r = {.s = 5};
    unsigned good = 0;
    (void)state;
    for (unsigned round = 0; round < 5000; round++) {
        struct skep_arena a;
        struct skep_buf text, once, twice;
        const struct skep_xray_expr *e = NULL, *f = NULL;
        const struct skep_expr *filter = NULL;
        struct skep_lang_issue issue;
        bool exact;
        skep_err err;
        skep_arena_init(&a, "test", NULL);
        skep_buf_init(&text, 1 << 16);
        skep_buf_init(&once, 1 << 16);
        skep_buf_init(&twice, 1 << 16);
        xray_random(&r, &text, 5, XRAY_TOP);
        if (skep_xray_parse(skep_buf_text(&text), &groups, &a, &e, &issue) == SKEP_OK) {
            good++;
            skep_xray_print(e, &once);
            skep_rc rc = skep_xray_parse(skep_buf_text(&once), &groups, &a, &f, &issue);
            assert_int_equal(rc, SKEP_OK);
            assert_true(same_tree(e, f));
            skep_xray_print(f, &twice);
            assert_true(skep_str_eq(skep_buf_text(&once), skep_buf_text(&twice)));
            for (unsigned k = 0; k < 2; k++) {
                skep_xray_filter(e, k ? SKEP_REL_ROOT : SKEP_REL_SELF, &a, &filter, &exact);
                struct skep_plan plan = {.kind = SKEP_PLAN_ROWS, .range = {0, 1}, .filter = filter};
                assert_int_equal(skep_plan_check(&plan, &err), SKEP_OK);
            }
        }
        skep_buf_done(&text);
        skep_buf_done(&once);
        skep_buf_done(&twice);
        skep_arena_done(&a);
    }
    assert_true(good > 4000); /* the rest: keywords that do not belong */
}

// --- filters -----------------------------------------------------------------------------------

static void asks(const char *text, bool want_exact, const char *want)
{
    struct skep_arena a;
    struct skep_buf b;
    const struct skep_xray_expr *e = NULL;
    const struct skep_expr *filter = NULL;
    struct skep_lang_issue issue;
    bool exact;
    skep_arena_init(&a, "test", NULL);
    skep_buf_init(&b, 1 << 16);
    assert_int_equal(skep_xray_parse(skep_str_c(text), &groups, &a, &e, &issue), SKEP_OK);
    skep_xray_filter(e, SKEP_REL_SELF, &a, &filter, &exact);
    if (filter)
        text_expr(&b, filter);
    skep_buf_u8(&b, '\0');
    assert_string_equal((const char *)b.p, want);
    assert_int_equal(exact, want_exact);
    skep_buf_done(&b);
    skep_arena_done(&a);
}

static void test_filters(void **state)
{
    (void)state;
    asks("", true, "");
    asks("responsetime > 5", true, "duration_ms GT 5000.0d");
    asks("duration > 5", true, "LASTS GT 5000.0d");
    asks("!(duration > 5)", true, "NOT(LASTS GT 5000.0d)");
    asks("duration != 5", true, "NOT(LASTS EQ 5000.0d)");
    asks("duration", true, "");
    asks("duration > 5 AND http.method = \"GET\"", true,
         "AND(LASTS GT 5000.0d; OR(http.request.method EQ 'GET'; AND(NOT(http.request.method "
         "EXISTS); http.method EQ 'GET')))");
    asks("inferred OR http.method = \"GET\"", false, "");
    asks("user = \"bob\"", true, "any(enduser.id EQ 'bob')");
    asks("user != \"bob\"", true, "NOT(any(enduser.id EQ 'bob'))");
    asks("partial = false", true, "NOT(any(meta.in_progress EQ true))");
    asks("service() { http.method = x } OR !service()", false, "");
    asks("edge(, \"b\")", false,
         "AND(any(OR()); any(OR(AND(meta.source EQ 'xray'; name EQ 'b'); AND(NOT(meta.source EQ "
         "'xray'); OR(service.name EQ 'b'; AND(NOT(service.name EXISTS); dataset EQ 'b'))); "
         "OR(name EQ 'b'; aws.remote.service EQ 'b'; peer.service EQ 'b'; aws.service EQ 'b'; "
         "db.name "
         "EQ "
         "'b'; db.namespace EQ 'b'; rpc.service EQ 'b'; http.host EQ 'b'; server.address EQ 'b'; "
         "net.peer.name EQ 'b'; aws.table_name ENDS 'b'; aws.queue_url ENDS 'b'; aws.bucket_name "
         "ENDS "
         "'b'; aws.function_name ENDS 'b'))))");
    (void)plan_text;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),   cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_bounds),  cmocka_unit_test(test_print_parse),
        cmocka_unit_test(test_filters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
