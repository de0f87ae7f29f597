// SPDX-License-Identifier: Apache-2.0
/* Instants as text: known dates, and the C library's calendar for many others. */
#include <cmocka.h>
#include <stdio.h>
#include <time.h>

#include "wire/rfc3339.h"

static void expect(int64_t ns, unsigned digits, const char *want)
{
    char text[SKEP_RFC3339_BYTES + 1];
    text[skep_rfc3339(ns, digits, text)] = '\0';
    assert_string_equal(text, want);
}

static void test_known(void **state)
{
    (void)state;
    expect(0, 0, "1970-01-01T00:00:00Z");
    expect(-1, 9, "1969-12-31T23:59:59.999999999Z");
    expect(951782400000000000, 3, "2000-02-29T00:00:00.000Z");
    expect(1795132800250000001, 9, "2026-11-20T00:00:00.250000001Z");
    expect(INT64_MAX, 9, "2262-04-11T23:47:16.854775807Z");
    expect(INT64_MIN, 9, "1677-09-21T00:12:43.145224192Z");
}

static void test_calendar(void **state)
{
    (void)state;
    for (int64_t s = -9000000000; s < 9000000000; s += 123456789) {
        time_t t = s;
        struct tm tm;
        char want[64];
        assert_non_null(gmtime_r(&t, &tm));
        assert_true(strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0);
        expect(s * 1000000000, 0, want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_calendar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
