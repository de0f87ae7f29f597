// SPDX-License-Identifier: Apache-2.0
/* test_resource.c - what a process says of itself */
#include "support.h"

#include <cmocka.h>
#include <unistd.h>

static bool is(const struct waggle_resource *r, const char *key, const char *value)
{
    waggle_str s;
    return waggle_resource_get_str(r, key, &s) && str_is(s, value);
}

static size_t count(const struct waggle_resource *r)
{
    size_t n = 0;
    waggle_attr_data a;
    for (waggle_cursor c = {0}; waggle_attr_next(waggle_resource_get_info(r).attributes, &c, &a);)
        n++;
    return n;
}

static void merging(void **state)
{
    (void)state;
    struct waggle_resource *a = waggle_resource_new();
    struct waggle_resource *b = waggle_resource_new();
    assert_int_equal(count(a), 0);
    assert_true(waggle_resource_set(
        a, WAGGLE_ATTRS(waggle_kv_str("x", "old"), waggle_kv_str("y", "kept"))));
    assert_true(waggle_resource_set(
        b, WAGGLE_ATTRS(waggle_kv_str("x", "new"), waggle_kv_str("z", "more"))));
    assert_true(waggle_resource_set_schema_url(b, "https://s/1"));
    assert_true(waggle_resource_merge(a, b)); // the updating side wins
    assert_true(is(a, "x", "new") && is(a, "y", "kept") && is(a, "z", "more"));
    assert_int_equal(count(a), 3);
    assert_true(str_is(waggle_resource_get_info(a).schema_url, "https://s/1"));
    assert_true(waggle_resource_set_schema_url(b, "https://s/2"));
    assert_true(waggle_resource_merge(a, b)); // two schemas: none
    assert_int_equal(waggle_resource_get_info(a).schema_url.n, 0);
    assert_true(waggle_resource_set(a, WAGGLE_ATTRS(waggle_kv_i64("x", 1))));
    waggle_str s;
    assert_false(waggle_resource_get_str(a, "x", &s)); // no string any more
    assert_int_equal(count(a), 3);
    waggle_resource_free(a);
    waggle_resource_free(b);
    waggle_resource_free(NULL);
}

static void detectors(void **state)
{
    (void)state;
    struct waggle_resource *r = waggle_resource_new();
    waggle_detect_process(r);
    waggle_detect_process(r); // again: the same
    waggle_str s;
    assert_true(is(r, "process.executable.name", "waggle_test_resource"));
    assert_true(waggle_resource_get_str(r, "process.executable.path", &s) && s.p[0] == '/');
    assert_int_equal(count(r), 3);
    waggle_detect_host(r);
    waggle_detect_os(r);
    char name[256];
    assert_int_equal(gethostname(name, sizeof name), 0);
    assert_true(is(r, "host.name", name));
    assert_true(is(r, "os.type", "linux"));
    waggle_detect_instance(r);
    assert_true(waggle_resource_get_str(r, "service.instance.id", &s) && s.n == 36 &&
                s.p[14] == '4');
    char first[36];
    memcpy(first, s.p, 36);
    waggle_detect_instance(r);
    assert_true(waggle_resource_get_str(r, "service.instance.id", &s) &&
                memcmp(first, s.p, 36) != 0);
    waggle_detect_container(r); // there or not: it must not harm
    waggle_resource_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(merging), cmocka_unit_test(detectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
