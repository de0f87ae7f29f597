// SPDX-License-Identifier: Apache-2.0
/* Filter patterns: what they select, what is refused and where, what they extract; a random run
 * against a plain reference; and the filter of a plan beside the pattern itself. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "lang/logs_pattern.h"
#include "plan/compare.h"

static const struct skep_logs_pattern *parse(struct skep_arena *a, const char *text)
{
    const struct skep_logs_pattern *p = NULL;
    struct skep_lang_issue issue;
    if (skep_logs_pattern_parse(skep_str_c(text), a, &p, &issue) != SKEP_OK)
        fail_msg("%s: %zu..%zu: %s", text, issue.at, issue.end, issue.text);
    return p;
}

/* A plan's filter on one message, the slow way. */
static bool filter_passes(const struct skep_expr *e, skep_str message)
{
    if (!e)
        return true;
    skep_value v = {.type = SKEP_TYPE_STRING, .s = message};
    switch (e->op) {
    case SKEP_EXPR_TEST: return skep_value_passes(&e->test, &v) != skep_cmp_negative(e->test.op);
    case SKEP_EXPR_NOT: return !filter_passes(e->kids[0], message);
    case SKEP_EXPR_AND:
    case SKEP_EXPR_OR:
        for (unsigned i = 0; i < e->n_kids; i++)
            if (filter_passes(e->kids[i], message) != (e->op == SKEP_EXPR_AND))
                return e->op == SKEP_EXPR_OR;
        return e->op == SKEP_EXPR_AND;
    default: fail_msg("no such node"); return false;
    }
}

struct row {
    const char *pattern, *message;
    bool yes;
};

static const struct row rows[] = {
    {"", "anything", true},
    {"  ", "", true},
    {"ERROR", "an ERROR here", true},
    {"ERROR", "an error here", false},
    {"ERROR ARGUMENTS", "ARGUMENTS before ERROR", true},
    {"ERROR ARGUMENTS", "ERROR alone", false},
    {"\"INTERNAL SERVER\"", "INTERNAL  SERVER", false},
    {"\"a \\\"b\\\" \\\\ c\"", "x a \"b\" \\ c", true},
    {"ERROR -EXITING", "ERROR EXITING", false},
    {"ERROR -EXITING", "ERROR 1", true},
    {"-\"a b\"", "a  b", true},
    {"-\"a b\"", "xa bx", false},
    {"?ERROR ?WARN", "WARN", true},
    {"?ERROR ?WARN", "INFO", false},
    {"?ERROR WARN", "WARN", true}, /* ? beside others is ignored */
    {"?ERROR -WARN", "INFO", true},
    {"%AUTH[A-Z]+%", "UNAUTHORIZED", true},
    {"%^AUTH%", "UNAUTHORIZED", false},
    {"%[45]\\d{2}% GET", "GET 404", true},
    {"-%\\d{,2}x%", "12x", false},
    {"%a|b% -c", "b", true},
    {"user-42 /api/v1?x", "user-42 got /api/v1?x", true},
    /* JSON */
    {"{ $.a = 1 }", "{\"a\":1}", true},
    {"{ $.a = 1 }", "{\"a\":1.0}", true},
    {"{ $.a = 1 }", "{\"a\":\"1\"}", false},
    {"{ $.a = \"1\" }", "{\"a\":1}", false},
    {"{ $.a = \"1\" }", "{\"a\":\"1\"}", true},
    {"{ $.a = 1 }", "x {\"a\":1}", false},
    {"{ $.a = 1 }", " {\"a\":1} \n", true},
    {"{ $.a = 1 }", "{\"a\":1", false},
    {"{ $.a.b = \"x*\" }", "{\"a\":{\"b\":\"xyz\"}}", true},
    {"{ $.a.b = *y* }", "{\"a\":{\"b\":\"xyz\"}}", true},
    {"{ $.a = 4* }", "{\"a\":404}", true},
    {"{ $.a = 4* }", "{\"a\":504}", false},
    {"{ $.a = *4*4* }", "{\"a\":\"4\"}", false},
    {"{ $.a = *4*4* }", "{\"a\":\"x4y4\"}", true},
    {"{ $.ip != 123.123.* }", "{\"ip\":\"123.123.1.1\"}", false},
    {"{ $.ip != 123.123.* }", "{\"ip\":\"1.1.1.1\"}", true},
    {"{ $.ip != 123.123.* }", "{}", false},
    {"{ $.a >= 1e-3 && $.a < -0 }", "{\"a\":0.5}", false},
    {"{ $.a >= 1e-3 && $.a < 2 }", "{\"a\":0.5}", true},
    {"{ ($.a = 1 || $.a = 2) && $.b = x }", "{\"a\":2,\"b\":\"x\"}", true},
    {"{ $.a = 1 || $.a = 2 && $.b = x }", "{\"a\":1}", true},
    {"{ $.a IS NULL }", "{\"a\":null}", true},
    {"{ $.a IS NULL }", "{}", false},
    {"{ $.a IS TRUE }", "{\"a\":true}", true},
    {"{ $.a IS FALSE }", "{\"a\":true}", false},
    {"{ $.a NOT EXISTS }", "{\"b\":1}", true},
    {"{ $.a NOT EXISTS }", "{\"a\":null}", false},
    {"{ $.a = * }", "{\"a\":false}", true},
    {"{ $.a = * }", "{\"a\":null}", false},
    {"{ $.a = * }", "{\"a\":{}}", false},
    {"{ $.a != * }", "{}", true},
    {"{ $.a[1] = 2 }", "{\"a\":[1,2]}", true},
    {"{ $.a[*] = 2 }", "{\"a\":[1,2]}", true},
    {"{ $.a[*].b = y }", "{\"a\":[{\"b\":\"x\"},{\"b\":\"y\"}]}", true},
    {"{ $.* = 2 }", "{\"a\":1,\"b\":2}", true},
    {"{ $.['a.b'] = 1 }", "{\"a.b\":1}", true},
    {"{ $['a'].b = 1 }", "{\"a\":{\"b\":1}}", true},
    {"{ $.a = %^x\\d$% }", "{\"a\":\"x1\"}", true},
    {"{ $.a == true }", "{\"a\":true}", true},
    {"{ $.name = \"Zo\xc3\xab kr\" }", "{\"name\":\"Zo\\u00eb kr\"}", true},
    {"{ $.name = \"robot\" }", "{\"\\u006eame\":\"r\\u006fbot\"}", true},
    {"{ $.name = robot }", "{\"name\":\"r\\u006Fbot\"}", true},
    /* fields */
    {"[ip, user, request, status]", "1.1.1.1 me \"GET /\" 200", true},
    {"[ip, user, request, status]", "1.1.1.1 me 200", false},
    {"[ip, user, request, status = 4*, bytes]", "1.1.1.1 me [10/Oct/2000:13:25:15 -0700] 404 1534",
     true},
    {"[..., status = 404, bytes > 1000]", "a b c 404 1534", true},
    {"[..., status = 404, bytes > 2000]", "a b c 404 1534", false},
    {"[ip = 1.*, ...]", "1.1.1.1 x y z", true},
    {"[ip = 1.*, ..., last = z]", "1.1.1.1 x y z", true},
    {"[ip, ..., last = y]", "1.1.1.1 x y z", false},
    {"[w1=ERROR, w2]", "ERROR one two three", true},
    {"[w1=ERROR, w2=\"one two\"]", "ERROR one two", true},
    {"[w1!=ERROR && w1!=\"WARN\", w2]", "INFO x", true},
    {"[w1!=ERROR && W1!=\"WARN\", w2]", "WARN x", false},
    {"[s = 404 || s = 410]", "410", true},
    {"[(s = 404 || s = 410) && s != 41*]", "410", false},
    {"[a, b = %^x+$%]", "1 xxx", true},
    {"[a, ...]", "", false},
    {"[...]", "", true},
    {"[a = \"q r\", b]", "\"q r\" [s t]", true},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(rows); i++) {
        struct skep_arena a;
        skep_arena_init(&a, "test", NULL);
        const struct skep_logs_pattern *p = parse(&a, rows[i].pattern);
        skep_str m = skep_str_c(rows[i].message);
        if (skep_logs_pattern_matches(p, m) != rows[i].yes)
            fail_msg("%s on %s", rows[i].pattern, rows[i].message);
        if (filter_passes(skep_logs_pattern_filter(p, &a), m) != rows[i].yes)
            fail_msg("filter of %s on %s", rows[i].pattern, rows[i].message);
        skep_arena_done(&a);
    }
}

static const struct {
    const char *pattern;
    size_t at, end;
    const char *text;
} mistakes[] = {
    {"ERROR \"x", 6, 8, "a quote that is not closed"},
    {"a -", 2, 4, "a word is expected behind -"},
    {"%ab", 0, 3, "a % that is not closed"},
    {"%%", 0, 2, "an empty regular expression"},
    {"x %a(b)%", 4, 5, "no parentheses in the regular expressions of patterns"},
    {"%a!b%", 2, 3, "not allowed in the regular expressions of patterns"},
    {"%a**%", 3, 4, "a repetition of a repetition"},
    {"{ $.a }", 6, 7, "an operator is expected here: = != < <= > >=, IS or NOT EXISTS"},
    {"{ a = 1 }", 2, 3, "a selector like $.name is expected here"},
    {"{ $ = 1 }", 2, 4, "a selector goes on: $.name or $[0]"},
    {"{ $.a = }", 8, 9, "a value is expected here"},
    {"{ $.a > x }", 8, 9, "< <= > >= compare with a number"},
    {"{ $.a = 1", 9, 9, "&&, || or the closing } is expected here"},
    {"{ $.a = 1 } x", 12, 13, "nothing may stand behind the closing }"},
    {"{ ($.a = 1 }", 11, 12, "a ) is expected here"},
    {"{ $.a IS NOT NULL }", 9, 12, "IS NOT is not supported: use != or NOT EXISTS"},
    {"{ $.a EXISTS }", 6, 12, "EXISTS is not supported: use = *"},
    {"{ $.a[*].* = 1 }", 2, 10, "one wildcard a selector"},
    {"{ $.*=1 && $.*=2 && $.*=3 && $.*=4 }", 29, 32, "more than 3 selectors with a wildcard"},
    {"{ $.a=%x% && $.a=%x% && $.a=%x% }", 28, 29, "more than 2 regular expressions"},
    {"[a, b = 1", 9, 9, "a comma or the closing ] is expected here"},
    {"[..., a, ...]", 9, 12, "... stands once at most"},
    {"[a = 1 && b = 2]", 10, 11, "one entry tests one field: a"},
    {"[a, , b]", 4, 5, "the name of a field is expected here"},
};

static void test_mistakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(mistakes); i++) {
        struct skep_arena a;
        struct skep_lang_issue issue;
        const struct skep_logs_pattern *p = NULL;
        skep_arena_init(&a, "test", NULL);
        skep_str text = skep_str_c(mistakes[i].pattern);
        if (skep_logs_pattern_parse(text, &a, &p, &issue) == SKEP_OK)
            fail_msg("%s is taken", mistakes[i].pattern);
        if (strcmp(issue.text, mistakes[i].text) != 0 || issue.at != mistakes[i].at ||
            issue.end != SKEP_MIN(mistakes[i].end, text.n))
            fail_msg("%s: %zu..%zu: %s", mistakes[i].pattern, issue.at, issue.end, issue.text);
        skep_arena_done(&a);
    }
}

static void extracted(const char *pattern, const char *message, const char *want)
{
    struct skep_arena a;
    struct skep_buf b;
    struct skep_logs_value *values;
    size_t n;
    skep_arena_init(&a, "test", NULL);
    skep_buf_init(&b, 1 << 16);
    skep_logs_pattern_extract(parse(&a, pattern), skep_str_c(message), &a, &values, &n);
    for (size_t i = 0; i < n; i++)
        skep_buf_printf(&b, SKEP_STRFMT "=" SKEP_STRFMT ";", SKEP_STRARG(values[i].name),
                        SKEP_STRARG(values[i].value));
    skep_buf_u8(&b, '\0');
    assert_string_equal((const char *)b.p, want);
    skep_buf_done(&b);
    skep_arena_done(&a);
}

static void test_extract(void **state)
{
    (void)state;
    extracted("{ $.a.b = * && $.c[0] > 1 && $.a.b != x && $.d NOT EXISTS }",
              "{\"a\":{\"b\":\"t\\n\"},\"c\":[1.50]}", "$.a.b=t\n;$.c[0]=1.50;");
    extracted("[ip, ..., request, status = 4*, bytes]", "1.1.1.1 - me [x y] \"GET / HTTP\" 404 12 ",
              "$ip=1.1.1.1;$request=GET / HTTP;$status=404;$bytes=12;");
    extracted("[a, b]", "1 2 \"3 4\"", "$a=1;$b=2 \"3 4\";");
    extracted("ERROR", "ERROR", "");
}

static void value_is(const char *pattern, const char *selector, const char *message,
                     const char *want)
{
    struct skep_arena a;
    skep_str v = SKEP_STR("none");
    skep_arena_init(&a, "test", NULL);
    (void)skep_logs_pattern_value(parse(&a, pattern), skep_str_c(selector), skep_str_c(message), &a,
                                  &v); /* false leaves it */
    assert_true(skep_str_eq(v, skep_str_c(want)));
    skep_arena_done(&a);
}

static void test_value(void **state)
{
    (void)state;
    value_is("{ $.a = 1 }", "$.latency", "{\"a\":1,\"latency\":12.50}", "12.50");
    value_is("{ $.a = 1 }", "$.latency", "{\"a\":1}", "none");
    value_is("{ $.a = 1 }", "1", "{\"a\":1}", "none");
    value_is("{ $.a = 1 }", "$.l[*]", "{\"l\":[{},7]}", "7");
    value_is("[a, bytes]", "$bytes", "x 12", "12");
    value_is("[a, bytes]", "$nix", "x 12", "none");
    value_is("", "$.x", "{\"x\":true}", "true");
}

/* --- random terms, against memmem ------------------------------------------------------------ */

static uint32_t rnd(uint32_t *s, uint32_t below)
{
    *s = *s * 1664525u + 1013904223u;
    return (*s >> 8) % below;
}

static void add(char *to, size_t cap, const char *more)
{
    size_t n = skep_str_c(to).n;
    (void)snprintf(to + n, cap - n, "%s", more); /* as much as fits, which is all */
}

static void random_text(uint32_t *s, char *out, unsigned max)
{
    static const char letters[] = "abc ";
    unsigned n = rnd(s, max) + 1;
    for (unsigned i = 0; i < n; i++)
        out[i] = letters[rnd(s, 4)];
    out[n] = '\0';
}

static void test_random_terms(void **state)
{
    (void)state;
    uint32_t s = 7;
    unsigned n_yes = 0;
    for (unsigned round = 0; round < 20000; round++) {
        char message[32], terms[3][8], text[64] = "";
        int how[3];
        unsigned n = 1 + rnd(&s, 3);
        bool all = true, any = false, only_optional = true;
        random_text(&s, message, 20);
        for (unsigned i = 0; i < n; i++) {
            random_text(&s, terms[i], 3);
            how[i] = (int)rnd(&s, 3);
            char one[32];
            (void)snprintf(one, sizeof one, "%s\"%s\" ",
                           how[i] == 1   ? "-"
                           : how[i] == 2 ? "?"
                                         : "",
                           terms[i]);
            add(text, sizeof text, one);
            bool there = strstr(message, terms[i]) != NULL;
            only_optional = only_optional && how[i] == 2;
            all = all && (how[i] == 2 || there == (how[i] == 0));
            any = any || there;
        }
        struct skep_arena a;
        skep_arena_init(&a, "test", NULL);
        const struct skep_logs_pattern *p = parse(&a, text);
        bool want = only_optional ? any : all;
        n_yes += want;
        if (skep_logs_pattern_matches(p, skep_str_c(message)) != want ||
            filter_passes(skep_logs_pattern_filter(p, &a), skep_str_c(message)) != want)
            fail_msg("%s on \"%s\"", text, message);
        skep_arena_done(&a);
    }
    assert_true(n_yes > 2000);
}

/* --- random JSON: the test is evaluated on the tree the message is written from ----------------
 */

struct leaf {
    int kind; /* 0 number 1 text 2 true 3 null 4 missing */
    int number;
    char text[8];
};

static bool leaf_passes(const struct leaf *l, int op, int kind, int number, const char *glob)
{
    if (kind == 0) { /* number */
        if (l->kind == 0)
            return op == 0   ? l->number == number
                   : op == 1 ? l->number != number
                   : op == 2 ? l->number < number
                             : l->number >= number;
        return op == 1 && (l->kind == 1 || l->kind == 2);
    }
    char as_text[16];
    if (l->kind >= 3)
        return false;
    (void)snprintf(as_text, sizeof as_text, "%d", l->number);
    const char *t = l->kind == 0 ? as_text : l->kind == 1 ? l->text : "true";
    size_t n = strlen(glob); /* "x*" */
    bool starts = strncmp(t, glob, n - 1) == 0;
    return op == 0 ? starts : !starts;
}

static void test_random_json(void **state)
{
    (void)state;
    static const char *const ops[] = {"=", "!=", "<", ">="};
    uint32_t s = 99;
    unsigned n_yes = 0;
    for (unsigned round = 0; round < 20000; round++) {
        struct leaf l[3];
        char message[128] = "{\"z\":0", text[128] = "{ ";
        for (int i = 0; i < 3; i++) {
            char one[64] = "";
            l[i].kind = (int)rnd(&s, 5);
            l[i].number = (int)rnd(&s, 5);
            random_text(&s, l[i].text, 3);
            if (l[i].kind == 0)
                (void)snprintf(one, sizeof one, ",\"k%d\":%d", i, l[i].number);
            else if (l[i].kind < 4)
                (void)snprintf(one, sizeof one, ",\"k%d\":%s%s%s", i, l[i].kind == 1 ? "\"" : "",
                               l[i].kind == 1   ? l[i].text
                               : l[i].kind == 2 ? "true"
                                                : "null",
                               l[i].kind == 1 ? "\"" : "");
            add(message, sizeof message, one);
        }
        add(message, sizeof message, "}");
        bool want = false, group = true; /* || of && */
        unsigned n = 1 + rnd(&s, 4);
        for (unsigned i = 0; i < n; i++) {
            int key = (int)rnd(&s, 3), kind = (int)rnd(&s, 2);
            int op = (int)rnd(&s, kind == 0 ? 4 : 2), number = (int)rnd(&s, 5);
            char glob[4] = {(char)('a' + rnd(&s, 3)), '*', '\0', '\0'}, one[64], v[12];
            (void)snprintf(v, sizeof v, "%d", number);
            bool or = i > 0 && rnd(&s, 2);
            (void)snprintf(one, sizeof one, "%s$.k%d %s %s",
                           i == 0 ? "" : or ? " || "
                                            : " && ",
                           key, ops[op], kind == 0 ? v : glob);
            add(text, sizeof text, one);
            if (or) {
                want = want || group;
                group = true;
            }
            group = group && leaf_passes(&l[key], op, kind, number, glob);
        }
        want = want || group;
        add(text, sizeof text, " }");
        n_yes += want;
        struct skep_arena a;
        skep_arena_init(&a, "test", NULL);
        const struct skep_logs_pattern *p = parse(&a, text);
        if (skep_logs_pattern_matches(p, skep_str_c(message)) != want ||
            filter_passes(skep_logs_pattern_filter(p, &a), skep_str_c(message)) != want)
            fail_msg("%s on %s: %d", text, message, want);
        skep_arena_done(&a);
    }
    assert_true(n_yes > 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),         cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_extract),      cmocka_unit_test(test_value),
        cmocka_unit_test(test_random_terms), cmocka_unit_test(test_random_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
