// SPDX-License-Identifier: Apache-2.0
/* The dialect of regular expressions: what is taken and refused, required literals, captures,
 * bounded time, and a random run against the C library's expressions. */
#include <cmocka.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "wire/regex.h"

static bool tests_true(const char *pattern, skep_str s)
{
    struct skep_arena a;
    const struct skep_regex *re = NULL;
    struct skep_regex_issue issue = {0};
    skep_arena_init(&a, "test", NULL);
    if (skep_regex_compile(skep_str_c(pattern), false, &a, &re, &issue) != SKEP_OK)
        fail_msg("%s: %zu: %s", pattern, issue.at, issue.text);
    bool yes;
    assert_int_equal(skep_regex_test(re, s, &yes), SKEP_OK);
    skep_arena_done(&a);
    return yes;
}

static void test_takes(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *s;
        bool yes;
    } rows[] = {
        {"", "", true},
        {"a.c", "xabcx", true},
        {"a.c", "a\nc", false},
        {"(?s)a.c", "a\nc", true},
        {"a$", "a\n", false},
        {"(?m)^b$", "a\nb\nc", true},
        {"(?i)ERROR", "an Error", true},
        {"x(?i:y)z", "xYz", true},
        {"x(?i:y)z", "xYZ", false},
        {"\\d{3}-\\w+\\s", "555-ab ", true},
        {"[[:alpha:]]+[^]a]", "abb", true},
        {"[[:^alpha:][:digit:]x]", "1", true},
        {"[[:^alpha:][:digit:]x]", "a", false},
        {"[\\[:]x:]", ":x:]", true},
        {"\\x41\\x{42}", "AB", true},
        {"\\Qa.b\\E+", "a.bbb", true},
        {"\\p{Lu}\\pN", "xA1", true},
        {"^.$", "\xc3\xab", true}, /* one letter */
        {"a{2,3}?$", "aa", true},
        {"{\"a\":1}", "{\"a\":1}", true},
        {"(?P<x>a)(?<y>b)", "ab", true},
        {"\xc3\xab?b", "b", true},
        {"b", "\xff\xfe b", true}, /* any bytes are looked at */
        {"abc?d", "abd", true},
        {"ab{0}cd", "acd", true},
        {"\\bfoo\\b", "a foo b", true},
    };
    for (size_t i = 0; i < SKEP_ARRAY_LEN(rows); i++)
        if (tests_true(rows[i].pattern, skep_str_c(rows[i].s)) != rows[i].yes)
            fail_msg("%s on %s", rows[i].pattern, rows[i].s);
}

static void test_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        size_t at;
        const char *text;
    } rows[] = {
        {"(a)\\1", 3, "back-references are not supported"},
        {"a(?=b)", 1, "looking ahead or behind is not supported"},
        {"(?<!b)a", 0, "looking ahead or behind is not supported"},
        {"(?>a)", 0, "no such group in this dialect"},
        {"(?R)", 0, "no such group in this dialect"},
        {"(?P=x)", 0, "no such group in this dialect"},
        {"(*UTF)a", 0, "verbs are not supported"},
        {"a++", 2, "possessive repetitions are not supported"},
        {"a{1001}", 1, "a repetition of more than 1000"},
        {"a{,3}", 1, "a repetition is {n}, {n,} or {n,m}; else write \\{"},
        {"aab 1d{2,x|^", 6, "a repetition is {n}, {n,} or {n,m}; else write \\{"},
        {"a{2 (?=b)}", 1, "a repetition is {n}, {n,} or {n,m}; else write \\{"},
        {"a{1,2,3}", 1, "a repetition is {n}, {n,} or {n,m}; else write \\{"},
        {"a\\", 1, "a backslash at the end"},
        {"\\Kx", 0, "no such escape in this dialect"},
        {"(a", 2, "a ( that is not closed"},
        {"a)", 1, "a ) without ("},
        {"[a", 0, "a [ that is not closed"},
        {"[[:]x:](?=a)]", 1, "[: begins a class as [:alpha:]; else write \\["},
        {"a[b[:d]", 3, "[: begins a class as [:alpha:]; else write \\["},
        {"\xff", 0, "the expression is not UTF-8"},
        {"(((a{1000}){1000}){1000})", 0, NULL},
    };
    for (size_t i = 0; i < SKEP_ARRAY_LEN(rows); i++) {
        struct skep_arena a;
        const struct skep_regex *re = NULL;
        struct skep_regex_issue issue = {0};
        skep_arena_init(&a, "test", NULL);
        assert_int_equal(skep_regex_compile(skep_str_c(rows[i].pattern), false, &a, &re, &issue),
                         SKEP_EINVAL);
        assert_true(issue.at <= skep_str_c(rows[i].pattern).n);
        if (rows[i].text && (strcmp(issue.text, rows[i].text) != 0 || issue.at != rows[i].at))
            fail_msg("%s: %zu: %s", rows[i].pattern, issue.at, issue.text);
        skep_arena_done(&a);
    }
}

static void test_literals(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"ERROR \\d+", "ERROR "}, {"a|bcd", ""},      {"abc?d", "ab"},       {"(abc)?de", "de"},
        {"ab+cde", "cde"},        {"(?i)abc", ""},    {"\\.log\\b", ".log"}, {"\\x41abc", "abc"},
        {"ab\xc3\xab*", "ab"},    {"abc{0,2}", "ab"}, {"[abc]def", "def"},   {"\\Qa*b\\E", "a*b"},
    };
    for (size_t i = 0; i < SKEP_ARRAY_LEN(rows); i++) {
        struct skep_arena a;
        const struct skep_regex *re = NULL;
        skep_arena_init(&a, "test", NULL);
        assert_int_equal(skep_regex_compile(skep_str_c(rows[i][0]), false, &a, &re, NULL), SKEP_OK);
        if (!skep_str_eq(skep_regex_literal(re), skep_str_c(rows[i][1])))
            fail_msg("%s: " SKEP_STRFMT, rows[i][0], SKEP_STRARG(skep_regex_literal(re)));
        skep_arena_done(&a);
    }
}

static void test_groups(void **state)
{
    (void)state;
    struct skep_arena a;
    const struct skep_regex *re = NULL;
    size_t spans[8];
    unsigned n;
    bool found = false;
    skep_arena_init(&a, "test", NULL);
    assert_int_equal(skep_regex_compile(SKEP_STR("(?<k>\\w+)=(\\d+)?(z)?"), false, &a, &re, NULL),
                     SKEP_OK);
    const struct skep_regex_group *g = skep_regex_groups(re, &n);
    assert_int_equal(n, 3);
    assert_true(skep_str_eq(g[0].name, SKEP_STR("k")) && g[1].name.n == 0);
    assert_int_equal(skep_regex_find(re, SKEP_STR("a=1 bb="), 2, 0, spans, &found), SKEP_OK);
    assert_true(found);
    assert_int_equal(spans[2], 4);
    assert_int_equal(spans[3], 6);
    assert_true(spans[4] == SIZE_MAX && spans[6] == SIZE_MAX);
    assert_int_equal(skep_regex_find(re, SKEP_STR("x"), 1, 1, spans, &found), SKEP_OK);
    assert_false(found);
    skep_arena_done(&a);
}

/* Backtracking would take 2^200 steps; following all ways side by side answers exactly. */
static void test_bounded(void **state)
{
    (void)state;
    char s[202];
    memset(s, 'a', sizeof s);
    assert_false(tests_true("(a|aa)+$x?b", (skep_str){s, 200}));
    assert_false(tests_true("^(a+)+$b?c", (skep_str){s, 200}));
    s[200] = 'b';
    assert_false(tests_true("^(a|aa)+$", (skep_str){s, 201}));
    assert_true(tests_true("^(a|aa)+b$", (skep_str){s, 201}));
    assert_false(tests_true("^((a*)*)*c", (skep_str){s, 201}));

    struct skep_arena a;
    const struct skep_regex *re = NULL;
    size_t spans[4];
    bool found;
    skep_arena_init(&a, "test", NULL);
    assert_int_equal(skep_regex_compile(SKEP_STR("^(a|aa)+$"), false, &a, &re, NULL), SKEP_OK);
    assert_int_equal(skep_regex_find(re, (skep_str){s, 201}, 0, 0, spans, &found), SKEP_ELIMIT);
    skep_arena_done(&a);
}

/* One pass from all places at once: the same from each place would be 10^12 steps here. */
static void test_long(void **state)
{
    enum { N = 1 << 20 };
    char *s = malloc(N);
    (void)state;
    memset(s, 'a', N);
    assert_false(tests_true("(a|a)*[bc]", (skep_str){s, N}));
    assert_false(tests_true("(\\w|\\Qa\\E)+\\Q-\\E?[-;]", (skep_str){s, N}));
    assert_false(tests_true("\\b(a|aa)+[^a]\\Qx", (skep_str){s, N}));
    s[N - 1] = 'c';
    assert_true(tests_true("(a|a)*[bc]", (skep_str){s, N}));
    assert_true(tests_true("(?i)(A|a)+[BC]$", (skep_str){s, N}));
    assert_true(tests_true("(a|a)*\\Qac", (skep_str){s, N}));
    free(s);
}

/* What takes too long on every way is said, not answered; and counted. */
static void test_gives_up(void **state)
{
    enum { N = 1 << 16 };
    char *s = malloc(N);
    struct skep_arena a;
    const struct skep_regex *re = NULL;
    size_t spans[2 * (SKEP_LIMIT_REGEX_GROUPS + 1)];
    bool yes = true;
    (void)state;
    memset(s, 'a', N);
    skep_arena_init(&a, "test", NULL);
    assert_int_equal(skep_regex_compile(SKEP_STR("(a?){1000}[bc]"), false, &a, &re, NULL), SKEP_OK);
    assert_int_equal(skep_regex_test(re, SKEP_STR("aab"), &yes), SKEP_OK);
    assert_true(yes && !skep_regex_gave_up(re) && !skep_regex_tired(re));
    assert_int_equal(skep_regex_test(re, (skep_str){s, N}, &yes), SKEP_ELIMIT);
    assert_false(yes);
    assert_true(skep_regex_gave_up(re) && !skep_regex_tired(re));
    for (int i = 0; i < 20 && !skep_regex_tired(re); i++)
        assert_int_equal(skep_regex_test(re, (skep_str){s, N}, &yes), SKEP_ELIMIT);
    assert_true(skep_regex_tired(re));
    assert_int_equal(skep_regex_test(re, SKEP_STR("aab"), &yes), SKEP_OK); /* others go on */
    assert_true(yes);
    /* All matches of a text together: each later one has less time. */
    assert_int_equal(skep_regex_compile(SKEP_STR("(a|a)*b|a"), false, &a, &re, NULL), SKEP_OK);
    s[9] = 'b';
    assert_int_equal(skep_regex_find(re, (skep_str){s, 40}, 0, 0, spans, &yes), SKEP_OK);
    assert_true(yes && spans[1] == 10);
    assert_int_equal(skep_regex_find(re, (skep_str){s, 28}, 10, 0, spans, &yes), SKEP_OK);
    assert_true(yes && spans[1] == 11);
    assert_int_equal(skep_regex_find(re, (skep_str){s, 28}, 10, 5000, spans, &yes), SKEP_ELIMIT);
    free(s);
    skep_arena_done(&a);
}

static uint32_t rnd(uint32_t *s, uint32_t below)
{
    *s = *s * 1664525u + 1013904223u;
    return (*s >> 8) % below;
}

/* Expressions both dialects know. */
static void random_regex(uint32_t *s, struct skep_buf *b, unsigned depth)
{
    unsigned n = 1 + rnd(s, 3);
    for (unsigned i = 0; i < n; i++) {
        switch (rnd(s, depth ? 6 : 4)) {
        case 0:
        case 1: skep_buf_u8(b, (uint8_t)('a' + rnd(s, 3))); break;
        case 2: skep_buf_str(b, rnd(s, 2) ? SKEP_STR("[ab]") : SKEP_STR("[^b]")); break;
        case 3: skep_buf_u8(b, '.'); break;
        default:
            skep_buf_u8(b, '(');
            random_regex(s, b, depth - 1);
            if (rnd(s, 2)) {
                skep_buf_u8(b, '|');
                random_regex(s, b, depth - 1);
            }
            skep_buf_u8(b, ')');
        }
        static const char *const repeats[] = {"*", "+", "?", "{2}", "{0,2}"};
        if (rnd(s, 3) == 0)
            skep_buf_str(b, skep_str_c(repeats[rnd(s, 5)]));
    }
}

static void test_random(void **state)
{
    (void)state;
    uint32_t s = 4711;
    unsigned n_yes = 0, n_no = 0;
    for (unsigned round = 0; round < 3000; round++) {
        struct skep_buf b;
        struct skep_arena a;
        const struct skep_regex *re = NULL;
        regex_t posix;
        skep_arena_init(&a, "test", NULL);
        skep_buf_init(&b, 1 << 16);
        if (rnd(&s, 3) == 0)
            skep_buf_u8(&b, '^');
        random_regex(&s, &b, 2);
        if (rnd(&s, 3) == 0)
            skep_buf_u8(&b, '$');
        skep_str text = skep_arena_str(&a, skep_buf_text(&b));
        assert_int_equal(skep_regex_compile(text, false, &a, &re, NULL), SKEP_OK);
        assert_int_equal(regcomp(&posix, skep_cstr(&a, text), REG_EXTENDED | REG_NOSUB), 0);
        for (unsigned k = 0; k < 10; k++) {
            char subject[12];
            unsigned n = rnd(&s, 10);
            for (unsigned i = 0; i < n; i++)
                subject[i] = (char)('a' + rnd(&s, 4));
            subject[n] = '\0';
            bool want = regexec(&posix, subject, 0, NULL, 0) == 0;
            *(want ? &n_yes : &n_no) += 1;
            bool yes;
            assert_int_equal(skep_regex_test(re, (skep_str){subject, n}, &yes), SKEP_OK);
            bool slowly;
            assert_int_equal(skep_regex_test_slowly(re, (skep_str){subject, n}, &slowly), SKEP_OK);
            if (yes != want || slowly != want)
                fail_msg(SKEP_STRFMT " on %s", SKEP_STRARG(text), subject);
        }
        regfree(&posix);
        skep_buf_done(&b);
        skep_arena_done(&a);
    }
    assert_true(n_yes > 3000 && n_no > 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes),    cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_literals), cmocka_unit_test(test_groups),
        cmocka_unit_test(test_bounded),  cmocka_unit_test(test_long),
        cmocka_unit_test(test_gives_up), cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
