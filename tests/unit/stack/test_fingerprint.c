// SPDX-License-Identifier: Apache-2.0
/* Fingerprints: Rollbar's own for messages, what changes and what does not for exceptions. */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "stack/fingerprint.h"

static void cleaned(const char *text, const char *want)
{
    struct skep_buf out;
    skep_buf_init(&out, 4096);
    skep_fingerprint_clean(skep_str_c(text), &out);
    skep_buf_u8(&out, 0);
    assert_string_equal(out.p, want);
    skep_buf_done(&out);
}

static void test_clean(void **state)
{
    (void)state;
    cleaned("", "");
    cleaned("plain words, 7 of 9", "plain words, 7 of 9");
    cleaned("testing aobg98wrwe", "testing aobgwrwe");
    cleaned("took 1.25 s at 2026-11-29T10:00:00.123Z", "took  s at ");
    cleaned("at 2026-11-29 10:00:00+01:00, then", "at , then");
    cleaned("from 10.0.0.17:8080 to fe80::1", "from : to ::1");
    cleaned("pointer 0x7ffe12ab and 0x7f", "pointer 0x and 0x7f");
    cleaned("id 1a2b3c4d-0000-4000-8000-123456789abc", "id ----");
    cleaned("facade, decade and record12a", "facade, decade and recorda");
    cleaned("[29/Nov/2026:10:00:00 +0000] x", "[//: +] x");
    cleaned("It may rain", "It may rain");
    cleaned("version 1.2.3", "version ");
}

/* Published: the hash in Rollbar's webhook example. */
static void test_published_message(void **state)
{
    (void)state;
    struct skep_fingerprint f = skep_fingerprint_message(SKEP_STR("testing aobg98wrwe"));
    assert_memory_equal(f.hex, "c595b2ae0af9b397bb6bdafd57104ac4d5f6b382", SKEP_FINGERPRINT_HEX);
}

static struct skep_fingerprint of(const char *text, const char *root, char *why, size_t cap,
                                  struct skep_fingerprint *loose)
{
    struct skep_arena arena;
    struct skep_stack s;
    struct skep_buf out;
    skep_arena_init(&arena, "test", NULL);
    skep_buf_init(&out, 4096);
    assert_true(skep_stack_parse(skep_str_c(text), SKEP_STR_NULL, &arena, &s));
    skep_stack_own(&s, skep_str_c(root));
    struct skep_fingerprint f = skep_fingerprint_exception(&s, &out, loose);
    if (why) {
        assert_true(out.n < cap);
        memcpy(why, out.p, out.n);
        why[out.n] = 0;
    }
    skep_buf_done(&out);
    skep_arena_done(&arena);
    return f;
}

static bool same(const char *a, const char *a_root, const char *b, const char *b_root)
{
    struct skep_fingerprint x = of(a, a_root, NULL, 0, NULL), y = of(b, b_root, NULL, 0, NULL);
    return memcmp(&x, &y, sizeof x) == 0;
}

static void test_what_is_hashed(void **state)
{
    char why[512];
    (void)state;
    (void)of("Traceback (most recent call last):\n"
             "  File \"/usr/lib/python3/dist-packages/flask/app.py\", line 2525, in wsgi_app\n"
             "  File \"/srv/app/app.py\", line 30, in err\n"
             "  File \"/srv/app/cart.py\", line 31, in walk\n"
             "  File \"/srv/app/cart.py\", line 32, in visit\n"
             "  File \"/srv/app/cart.py\", line 31, in walk\n"
             "  File \"/srv/app/cart.py\", line 32, in visit\n"
             "ValueError: 12 is no id\n",
             "/srv/app/", why, sizeof why, NULL);
    assert_string_equal(why, "app/app.py|err\napp/cart.py|walk\napp/cart.py|visit\nValueError\n");
    (void)of("Error: x\n    at http://shop/static/app.3f9ab2c1.js?v=2:10:5\n", "", why, sizeof why,
             NULL);
    assert_string_equal(why, "static/app.js|<anonymous>\nError\n");
}

static void test_same_cause(void **state)
{
    (void)state;
    /* A class with its package and without. */
    assert_true(same("  File \"/srv/app.py\", line 30, in err\napp.errors.Missing: 1\n", "",
                     "  File \"/srv/app.py\", line 30, in err\nMissing: 1\n", "/srv"));
    /* Another line, message, root, library version, depth of recursion. */
    assert_true(
        same("  File \"/srv/releases/20261101/app.py\", line 30, in err\nValueError: 12\n",
             "/srv/releases/20261101",
             "  File \"/srv/releases/20261129/app.py\", line 35, in err\nValueError: other\n", ""));
    assert_true(same("Error: a\n    at f (/srv/app/x.js:1:2)\n    at async g (/srv/app/y.js:3:4)\n",
                     "", "Error: b\n    at f (/srv/app/x.js:9:2)\n    at g (/srv/app/y.js:3:4)\n",
                     ""));
    assert_true(same("panic: a\n\ngoroutine 1 [running]:\nmain.f(0x1)\n\t/srv/f.go:1 +0x1\n", "",
                     "panic: b\n\ngoroutine 7 [running]:\nmain.f(0x2)\n\t/srv/f.go:2 +0x9\n", ""));
    assert_true(
        same("a.E: 1\n\tat a.B.lambda$x$14(B.java:1)\n\tat java.lang.Thread.run(T.java:1)\n", "",
             "a.E: 2\n\tat a.B.lambda$x$15(B.java:7)\n", ""));
}

static void test_other_cause(void **state)
{
    (void)state;
    assert_false(same("  File \"/srv/app.py\", line 30, in err\nValueError: 1\n", "",
                      "  File \"/srv/app.py\", line 30, in err\nKeyError: 1\n", ""));
    assert_false(same("  File \"/srv/app.py\", line 30, in err\nValueError: 1\n", "",
                      "  File \"/srv/app.py\", line 30, in other\nValueError: 1\n", ""));
    assert_false(same("a.E: 1\n\tat a.B.c(B.java:1)\nCaused by: a.F: x\n\tat a.D.e(D.java:1)\n", "",
                      "a.E: 1\n\tat a.B.c(B.java:1)\nCaused by: a.G: x\n\tat a.H.e(H.java:1)\n",
                      ""));
}

static void test_loose(void **state)
{
    struct skep_fingerprint a, b;
    (void)state;
    (void)of("  File \"/srv/a.py\", line 1, in one\n  File \"/srv/c.py\", line 1, in read\nE: 1\n",
             "", NULL, 0, &a);
    (void)of("  File \"/srv/b.py\", line 1, in two\n  File \"/srv/c.py\", line 9, in read\nE: 1\n",
             "", NULL, 0, &b);
    assert_memory_equal(&a, &b, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean),          cmocka_unit_test(test_published_message),
        cmocka_unit_test(test_what_is_hashed), cmocka_unit_test(test_same_cause),
        cmocka_unit_test(test_other_cause),    cmocka_unit_test(test_loose),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
