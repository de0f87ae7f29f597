// SPDX-License-Identifier: Apache-2.0
/* Sampling thresholds in tracestate. */
#include <cmocka.h>

#include "ingest/otlp.h"

static void test_rates(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t rate;
    } cases[] = {
        {"ot=th:0", 1},
        {"ot=th:8", 2},
        {"ot=th:c", 4},
        {"ot=th:C", 4},
        {"ot=th:fd70a3d70a3d71", 100},
        {"ot=th:fd70a4", 100},
        {"ot=th:e6666666666668", 10},
        {"ot=th:aaaaaaaaaaaaab", 3},
        {"ot=th:6", 2}, // 1.6
        {"ot=th:4", 1}, // 1.33
        {"ot=th:ffffffffffffff", INT32_MAX},
        {"ot=rv:abcdef;th:c", 4},
        {"vendor=x, ot=rv:1;th:c;p:2 ,y=z", 4},
        {"th=8", 2},
        {"", 0},
        {"ot=", 0},
        {"ot=th:", 0},
        {"ot=th:g", 0},
        {"ot=th:fd70a3d70a3d710", 0}, // 15 digits
        {"ot=th", 0},
        {"not=th:c", 0},
        {"xot=th:c,,=,;", 0},
    };
    for (size_t i = 0; i < SKEP_ARRAY_LEN(cases); i++) {
        uint32_t rate = skep_tracestate_rate(skep_str_c(cases[i].text));
        if (rate != cases[i].rate)
            fail_msg("%s: %u, not %u", cases[i].text, rate, cases[i].rate);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rates)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
