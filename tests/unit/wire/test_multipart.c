// SPDX-License-Identifier: Apache-2.0
/* Forms with files: as curl sends them, and as nobody should. */
#include <cmocka.h>
#include <string.h>

#include "base/arena.h"
#include "wire/multipart.h"

static const char type[] = "multipart/form-data; boundary=------------------------d74496d66958873e";
#define MARK "--------------------------d74496d66958873e"

static const char body[] =
    MARK "\r\nContent-Disposition: form-data; name=\"version\"\r\n\r\n1.0\r\n" MARK
         "\r\nContent-Disposition: form-data; name=\"source_map\"; filename=\"a; b.map\"\r\n"
         "Content-Type: application/octet-stream\r\n\r\n{\r\n--\r\n}\r\n" MARK
         "\r\nContent-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n" MARK "--\r\n";

static void test_curl(void **state)
{
    (void)state;
    struct skep_part p;
    assert_true(skep_multipart_find(skep_str_c(type), skep_str_c(body), SKEP_STR("version"), &p));
    assert_true(skep_str_eq(p.body, SKEP_STR("1.0")));
    assert_int_equal(p.filename.n, 0);
    assert_true(
        skep_multipart_find(skep_str_c(type), skep_str_c(body), SKEP_STR("source_map"), &p));
    assert_true(skep_str_eq(p.body, SKEP_STR("{\r\n--\r\n}")));
    assert_true(skep_str_eq(p.filename, SKEP_STR("a; b.map")));
    assert_true(skep_multipart_find(skep_str_c(type), skep_str_c(body), SKEP_STR("empty"), &p));
    assert_int_equal(p.body.n, 0);
    assert_false(skep_multipart_find(skep_str_c(type), skep_str_c(body), SKEP_STR("other"), &p));
}

static void test_forms(void **state)
{
    (void)state;
    struct skep_multipart m;
    struct skep_part p;
    /* Lines without \r, a preamble, a quoted boundary with a parameter before it, names in any
     * case. */
    const skep_str text =
        SKEP_STR("before\n--x y\nCONTENT-disposition: form-data; a=\"q;w\"; Name=v\n"
                 "\n1\n--x y--");
    assert_true(skep_multipart_begin(
        SKEP_STR("Multipart/Form-Data; charset=utf-8; boundary=\"x y\""), text, &m));
    assert_true(skep_multipart_next(&m, &p));
    assert_true(skep_str_eq(p.name, SKEP_STR("v")));
    assert_true(skep_str_eq(p.body, SKEP_STR("1")));
    assert_false(skep_multipart_next(&m, &p));
    assert_false(m.bad);
}

static void test_refused(void **state)
{
    (void)state;
    struct skep_multipart m;
    struct skep_part p;
    assert_false(skep_multipart_begin(SKEP_STR("multipart/form-data"), SKEP_STR(""), &m));
    assert_false(
        skep_multipart_begin(SKEP_STR("multipart/form-data; boundary="), SKEP_STR(""), &m));
    assert_false(skep_multipart_begin(SKEP_STR("text/plain; boundary=x"), SKEP_STR(""), &m));
    /* Cut off anywhere: what is given is whole, what is cut is not given. */
    for (size_t n = 0; n < sizeof body - 5; n++) {
        unsigned parts = 0;
        assert_true(skep_multipart_begin(skep_str_c(type), (skep_str){body, n}, &m));
        while (skep_multipart_next(&m, &p))
            parts++;
        assert_true(m.bad && parts <= 3);
    }
}

/* A body is looked into before anybody knows whose it is: a header of 8 MiB is passed over once.
 * Looking for each parameter's quote in all of the rest took minutes. */
static void test_long_header(void **state)
{
    enum { LONG = 8 << 20 };
    static char text[LONG + 256];
    const skep_str begin = SKEP_STR("--b\nContent-Disposition: form-data");
    const skep_str end = SKEP_STR("; name=\"late\"\n\n1\n--b--");
    struct skep_part p;
    (void)state;
    memcpy(text, begin.p, begin.n);
    for (unsigned how = 0; how < 3; how++) {
        const skep_str piece = skep_str_c((const char *const[]){";", ";a=", ";\"\"x"}[how]);
        size_t n = begin.n;
        for (; n + piece.n <= LONG; n += piece.n)
            memcpy(text + n, piece.p, piece.n);
        memcpy(text + n, end.p, end.n);
        assert_true(skep_multipart_find(SKEP_STR("multipart/form-data; boundary=b"),
                                        (skep_str){text, n + end.n}, SKEP_STR("late"), &p));
        assert_true(skep_str_eq(p.body, SKEP_STR("1")));
    }
}

/* A quote without an end: what stands behind it is no parameter. */
static void test_open_quote(void **state)
{
    const skep_str text = SKEP_STR("--b\nContent-Disposition: form-data; a=\"; name=v\n\n1\n--b--");
    struct skep_part p;
    (void)state;
    assert_false(
        skep_multipart_find(SKEP_STR("multipart/form-data; boundary=b"), text, SKEP_STR("v"), &p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_curl),       cmocka_unit_test(test_forms),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_long_header),
        cmocka_unit_test(test_open_quote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
