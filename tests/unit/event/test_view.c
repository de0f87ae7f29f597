// SPDX-License-Identifier: Apache-2.0
/* Canonical names and enum texts. */
#include <cmocka.h>

#include "event/view.h"

static void test_sorted_and_found(void **state)
{
    (void)state;
    size_t n;
    const struct skep_view *all = skep_view_all(&n);
    assert_true(n >= 22);
    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(skep_view_find(all[i].name), &all[i]);
        assert_true(i == 0 || skep_str_cmp(all[i - 1].name, all[i].name) < 0);
        assert_true(all[i].column < SKEP_COL_COUNT);
        assert_true(all[i].kinds != 0);
        assert_true((all[i].how == SKEP_VIEW_ENUM) == (all[i].table != NULL));
    }
    assert_null(skep_view_find(SKEP_STR("http.method")));
    assert_null(skep_view_find(SKEP_STR("")));
    assert_null(skep_view_find(SKEP_STR("Name"))); // names are case-sensitive
}

static skep_str text(const char *name, unsigned value)
{
    const struct skep_view *v = skep_view_find(skep_str_c(name));
    assert_non_null(v);
    return value < v->n_table ? v->table[value] : SKEP_STR_NULL;
}

static void test_enum_tables(void **state)
{
    (void)state;
    assert_true(skep_str_eq(text("span.kind", 2), SKEP_STR("server")));
    assert_true(skep_str_eq(text("span.kind", 0), SKEP_STR("unspecified")));
    assert_true(skep_str_eq(text("severity", 0), SKEP_STR("unspecified")));
    assert_true(skep_str_eq(text("severity", 9), SKEP_STR("info")));
    assert_true(skep_str_eq(text("severity", 17), SKEP_STR("error")));
    assert_true(skep_str_eq(text("severity", 24), SKEP_STR("fatal")));
    assert_int_equal(text("severity", 25).n, 0);
    assert_true(skep_str_eq(text("meta.signal_type", SKEP_KIND_LINK), SKEP_STR("trace")));
    assert_int_equal(text("meta.annotation_type", SKEP_KIND_SPAN).n, 0);
    for (unsigned k = 1; k < SKEP_KIND_COUNT; k++)
        assert_true(skep_str_eq(text("meta.kind", k), skep_kind_name(k)));
    for (unsigned s = 1; s < SKEP_SOURCE_COUNT; s++)
        assert_true(skep_str_eq(text("meta.source", s), skep_source_name(s)));
}

static void test_names(void **state)
{
    (void)state;
    assert_true(skep_str_eq(skep_kind_name(SKEP_KIND_SPAN_EVENT), SKEP_STR("span_event")));
    assert_true(skep_str_eq(skep_type_name(SKEP_TYPE_EMPTY), SKEP_STR("null")));
    assert_true(skep_str_eq(skep_scope_name(SKEP_SCOPE_RESOURCE), SKEP_STR("resource")));
    assert_true(skep_str_eq(skep_kind_name(0), SKEP_STR("unknown")));
    assert_true(skep_str_eq(skep_kind_name(77), SKEP_STR("unknown")));
    assert_true(skep_str_eq(skep_type_name(SKEP_TYPE_NULL), SKEP_STR("unknown")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sorted_and_found),
        cmocka_unit_test(test_enum_tables),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
