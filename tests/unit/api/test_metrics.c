// SPDX-License-Identifier: Apache-2.0
/* docs/metrics.md says what the table of metrics says, and the table keeps Prometheus' rules.
 * SKEP_WRITE_DOCS=1 writes the file. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/metrics_docs.h"
#include "base/histogram.h"
#include "base/mem.h"
#include "base/str.h"

#define DOCS "docs/metrics.md"

static void docs_are_the_table(void **state)
{
    (void)state;
    struct skep_buf want;
    skep_buf_init(&want, 1 << 20);
    skep_metrics_docs(&want);
    assert_false(want.bad);
    if (getenv("SKEP_WRITE_DOCS")) {
        FILE *f = fopen(DOCS, "wb");
        assert_non_null(f);
        assert_int_equal(fwrite(want.p, 1, want.n, f), want.n);
        assert_int_equal(fclose(f), 0);
    }
    FILE *f = fopen(DOCS, "rb");
    assert_non_null(f);
    char *got = skep_malloc(want.n + 2);
    size_t n = fread(got, 1, want.n + 1, f);
    (void)fclose(f);
    if (n != want.n || memcmp(got, want.p, n) != 0)
        fail_msg(DOCS
                 " is not what src/api/metrics.def says: run this test with SKEP_WRITE_DOCS=1");
    skep_free(got);
    skep_buf_done(&want);
}

struct row {
    const char *type, *name, *labels, *help;
};

static const struct row rows[] = {
#define COUNTER                                 "counter"
#define GAUGE                                   "gauge"
#define METRIC(type, name, labels, value, help) {type, name, labels, help},
#define HISTOGRAM(name, value, help)            {"histogram", name, "", help},
#define LIST(type, name, labels, fn, help)      {type, name, labels, help},
#include "api/metrics.def"
};

static void names_keep_the_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        for (const char *c = r->name; *c; c++)
            assert_true((*c >= 'a' && *c <= 'z') || *c == '_' || (*c >= '0' && *c <= '9'));
        assert_false(skep_str_ends(skep_str_c(r->name), SKEP_STR("_total")));
        assert_null(strpbrk(r->help, "\\\n\"|"));
        bool first = i == 0 || strcmp(rows[i - 1].name, r->name) != 0;
        assert_true(first == (r->help[0] != 0)); /* said once a family */
        if (!first)
            assert_string_equal(r->type, rows[i - 1].type);
        for (size_t k = 0; first && k < i; k++)
            assert_string_not_equal(rows[k].name, r->name); /* a family stands together */
    }
}

static void durations_fall_into_their_buckets(void **state)
{
    (void)state;
    static struct skep_histogram h;
    struct skep_histogram_sum s;
    for (unsigned i = 0; i + 1 < SKEP_HISTOGRAM_BUCKETS; i++) {
        skep_histogram_add(&h, skep_histogram_bound(i));     /* the bound belongs to it */
        skep_histogram_add(&h, skep_histogram_bound(i) + 1); /* to the next */
        assert_true(i == 0 || skep_histogram_bound(i) > skep_histogram_bound(i - 1));
    }
    skep_histogram_add(&h, -5);
    skep_histogram_read(&h, &s);
    assert_int_equal(s.count, 2 * (SKEP_HISTOGRAM_BUCKETS - 1) + 1);
    assert_int_equal(s.buckets[0], 2);
    for (unsigned i = 1; i + 1 < SKEP_HISTOGRAM_BUCKETS; i++)
        assert_int_equal(s.buckets[i], 2);
    assert_int_equal(s.buckets[SKEP_HISTOGRAM_BUCKETS - 1], 1);
    assert_true(s.sum_ns > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(docs_are_the_table),
        cmocka_unit_test(names_keep_the_rules),
        cmocka_unit_test(durations_fall_into_their_buckets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
