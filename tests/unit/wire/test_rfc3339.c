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

static void read(const char *text, bool fine, int64_t want)
{
    int64_t ns = -7;
    if (skep_rfc3339_parse(skep_str_c(text), &ns) != fine || (fine && ns != want))
        fail_msg("%s: %lld", text, (long long)ns);
}

static void test_reading(void **state)
{
    (void)state;
    read("1970-01-01T00:00:00Z", true, 0);
    read("1970-01-01t00:00:01.5z", true, 1500000000);
    read("1970-01-01 00:00:01,25+00:00", true, 1250000000);
    read("1970-01-01T02:00:00.123456789987+02:00", true, 123456789);
    read("1969-12-31T22:30:00-0130", true, 0);
    read("2000-02-29T00:00:00Z", true, 951782400000000000);
    read("2016-12-31T23:59:60Z", true, 1483228800000000000); /* a leap second is the next one */
    read("1677-09-21T00:12:44Z", true, -9223372036000000000);
    static const char *const wrong[] = {"",
                                        "1970",
                                        "1970-01-01",
                                        "1970-01-01T00:00:00",
                                        "1970-13-01T00:00:00Z",
                                        "1970-02-29T00:00:00Z",
                                        "1970-00-01T00:00:00Z",
                                        "1970-01-00T00:00:00Z",
                                        "1970-01-01T24:00:00Z",
                                        "1970-01-01T00:60:00Z",
                                        "1970-01-01T00:00:61Z",
                                        "1970-01-01T00:00:00.Z",
                                        "1970-01-01T00:00:00Zx",
                                        "1970-01-01T00:00:00+24:00",
                                        "1970-01-01T00:00:00+1:00",
                                        "+970-01-01T00:00:00Z",
                                        "2262-04-12T00:00:00Z",
                                        "1677-01-01T00:00:00Z",
                                        "9999-12-31T23:59:59Z"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        read(wrong[i], false, 0);
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
        read(want, true, s * 1000000000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_calendar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
