// SPDX-License-Identifier: Apache-2.0
/* Source maps: what is found where, what is refused and where; names of enclosing functions. */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "symbols/enclosing.h"
#include "symbols/sourcemap.h"

static struct skep_sourcemap *read_map(const char *json)
{
    struct skep_sourcemap *m = NULL;
    skep_err err = {.text = ""};
    skep_rc rc = skep_sourcemap_read(skep_str_c(json), NULL, &m, &err);
    if (rc != SKEP_OK)
        fail_msg("%s", err.text);
    return m;
}

static void at(const struct skep_sourcemap *m, uint32_t line, uint32_t column, const char *want)
{
    struct skep_sourcemap_place p;
    char got[256] = "none";
    if (skep_sourcemap_find(m, line, column, &p))
        snprintf(got, sizeof got, SKEP_STRFMT ":%u:%u " SKEP_STRFMT, SKEP_STRARG(p.file), p.line,
                 p.column, SKEP_STRARG(p.name));
    assert_string_equal(got, want);
}

/* The specification's own example of numbers: A=0 C=1 D=-1 gB=16. */
static void test_find(void **state)
{
    (void)state;
    struct skep_sourcemap *m = read_map(
        "{\"version\":3,\"sources\":[\"../src/a.ts\",\"webpack://shop/./src/b.ts?1a\"],"
        "\"sourcesContent\":[\"one\\ntwo\\r\\nthree\",null],\"names\":[\"first\",\"second\"],"
        "\"mappings\":\"AAAAA,gBACCC,E;;ECDDD\"}");
    at(m, 1, 1, "src/a.ts:1:1 first");
    at(m, 1, 16, "src/a.ts:1:1 first");
    at(m, 1, 17, "src/a.ts:2:2 second");
    at(m, 1, 18, "src/a.ts:2:2 second");
    at(m, 1, 19, "none"); /* one number: nothing from here on */
    at(m, 2, 1, "none");
    at(m, 3, 1, "none");
    at(m, 3, 3, "src/b.ts:1:1 first");
    at(m, 4, 1, "none");
    at(m, 0, 1, "none");
    skep_str line;
    assert_true(skep_sourcemap_line(m, 0, 2, &line));
    assert_true(skep_str_eq(line, SKEP_STR("two")));
    assert_true(skep_sourcemap_line(m, 0, 3, &line));
    assert_true(skep_str_eq(line, SKEP_STR("three")));
    assert_false(skep_sourcemap_line(m, 0, 4, &line));
    assert_false(skep_sourcemap_line(m, 1, 1, &line));
    assert_int_equal(skep_sourcemap_sources(m), 2);
    skep_sourcemap_free(m);
}

static void test_sections_and_order(void **state)
{
    (void)state;
    struct skep_sourcemap *m = read_map(
        ")]}'\n{\"version\":3,\"sections\":["
        "{\"offset\":{\"line\":2,\"column\":4},\"map\":{\"version\":3,\"sourceRoot\":\"/maps/\","
        "\"sources\":[\"b.js\"],\"names\":[],\"mappings\":\"AAAA;AACA\"}},"
        "{\"offset\":{\"line\":0,\"column\":0},\"map\":{\"version\":3,\"sources\":[\"a.js\"],"
        "\"names\":[\"n\"],\"mappings\":\"AAAAA\"}}]}");
    at(m, 1, 1, "a.js:1:1 n");
    at(m, 3, 4, "none");
    at(m, 3, 5, "/maps/b.js:1:1 ");
    at(m, 4, 1, "/maps/b.js:2:1 ");
    skep_sourcemap_free(m);
}

static void refused(const char *json, skep_rc want, const char *text)
{
    struct skep_sourcemap *m = NULL;
    skep_err err = {.text = ""};
    assert_int_equal(skep_sourcemap_read(skep_str_c(json), NULL, &m, &err), want);
    if (!strstr(err.text, text))
        fail_msg("%s: %s", json, err.text);
}

static void test_refused(void **state)
{
    (void)state;
    refused("", SKEP_EMALFORMED, "source map: ");
    refused("[]", SKEP_EMALFORMED, "version 3");
    refused("{\"version\":2,\"mappings\":\"\"}", SKEP_EMALFORMED, "version 3");
    refused("{\"version\":3}", SKEP_EMALFORMED, "mappings are needed");
#define MAP(m) "{\"version\":3,\"sources\":[\"a\"],\"names\":[],\"mappings\":\"" m "\"}"
    refused(MAP("AAAA,!"), SKEP_EMALFORMED, "byte 5");
    refused(MAP("AC"), SKEP_EMALFORMED, "byte");          /* two numbers */
    refused(MAP("ACAA"), SKEP_EMALFORMED, "byte 4");      /* source 1 of 1 */
    refused(MAP("AAAAA"), SKEP_EMALFORMED, "byte 5");     /* a name of none */
    refused(MAP("D"), SKEP_EMALFORMED, "byte 1");         /* column -1 */
    refused(MAP("g"), SKEP_EMALFORMED, "byte 1");         /* cut off */
    refused(MAP("ggggggggA"), SKEP_EMALFORMED, "byte 7"); /* too long */
    refused(MAP("AAAAAA"), SKEP_EMALFORMED, "byte");      /* six numbers */
    refused("{\"version\":3,\"sections\":[{\"map\":{}}]}", SKEP_EMALFORMED, "sections[0]");
    struct skep_budget small;
    struct skep_sourcemap *m = NULL;
    skep_budget_init(&small, "small", 64, NULL);
    assert_int_equal(skep_sourcemap_read(SKEP_STR(MAP("AAAA")), &small, &m, NULL), SKEP_ENOMEM);
    assert_int_equal(skep_budget_used(&small), 0);
}

/* The '@' in a text is the place. */
static void in(const char *text, const char *want)
{
    skep_str s = skep_str_c(text), name = skep_enclosing_function(s, skep_str_chr(s, '@'));
    if (!skep_str_eq(name, skep_str_c(want)))
        fail_msg("%s: %.*s", text, SKEP_STRARG(name));
}

static void test_enclosing(void **state)
{
    (void)state;
    in("function total(a) { @ }", "total");
    in("function total(a) { if (a) { for (;;) { @ } } }", "total");
    in("async function* walk(a) { @ }", "walk");
    in("const g = function* (a) { @ }", "g");
    in("class Cart { add(line) { this.x = { y: 1 }; @ } }", "add");
    in("class Cart { async add(line: Line): Promise<void> { @ } }", "add");
    in("class Cart { #secret(line) { @ } }", "#secret");
    in("const f = (a, b) => { @ }", "f");
    in("const f = async (a) => { @ }", "f");
    in("const f = a => { @ }", "f");
    in("const f = function (a) { @ }", "f");
    in("({ onclick: function () { @ } })", "onclick");
    in("({ onclick() { @ } })", "onclick");
    in("function outer() { list.map((l) => { @ }) }", "");
    in("function outer() { list.map((l) => @ ) }", "outer");
    in("function a() { } @", "");
    in("function a() { const s = \"}\"; // }\n @ }", "a");
    in("function a() { const s = `}${b({ c: `}` })}`; @ }", "a");
    in("function a() { return x.split(/[}/]+/g).length / 2 / 3; } function b() { @ }", "b");
    in("function a() { /* } */ try { @ } catch (e) { } }", "a");
    in("switch (x) { case 1: { @ } }", "");
    in("@", "");
    in("}}}} function a() { @", "a");
    assert_int_equal(skep_enclosing_offset(SKEP_STR("ab\ncd"), 2, 2), 4);
    assert_int_equal(skep_enclosing_offset(SKEP_STR("ab\ncd"), 3, 1), SIZE_MAX);
    assert_int_equal(skep_enclosing_offset(SKEP_STR("ab\ncd"), 2, 9), SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_sections_and_order),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_enclosing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
