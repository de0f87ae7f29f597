// SPDX-License-Identifier: Apache-2.0
/* The arithmetic of service level objectives: known cases, and what must hold of all. */
#include <cmocka.h>
#include <math.h>

#include "watch/slo.h"

static struct skep_slo_counts counts(uint64_t total, uint64_t good)
{
    return (struct skep_slo_counts){total, good};
}

static void near(double got, double want)
{
    if (fabs(got - want) > 1e-9 * fmax(1, fabs(want)))
        fail_msg("got %.17g, want %.17g", got, want);
}

static void test_known(void **state)
{
    (void)state;
    near(skep_slo_compliance(counts(1000, 990)), 99);
    near(skep_slo_compliance(counts(0, 0)), 100);
    /* 99.9 % of 10,000: 10 may be bad. */
    near(skep_slo_budget_remaining(counts(10000, 10000), 999000), 100);
    near(skep_slo_budget_remaining(counts(10000, 9995), 999000), 50);
    near(skep_slo_budget_remaining(counts(10000, 9990), 999000), 0);
    near(skep_slo_budget_remaining(counts(10000, 9970), 999000), -200);
    near(skep_slo_budget_remaining(counts(0, 0), 999000), 100);
    near(skep_slo_budget_remaining(counts(10, 0), 0), 0); /* all may be bad, all are */
    near(skep_slo_burn_rate(counts(10000, 9990), 999000), 1);
    near(skep_slo_burn_rate(counts(10000, 9900), 999000), 10);
    near(skep_slo_burn_rate(counts(0, 0), 999000), 0);
}

static void test_exhausted_in(void **state)
{
    (void)state;
    near(skep_slo_exhausted_in(60, 40, 30), 60); /* 20 in half an hour, 40 left */
    near(skep_slo_exhausted_in(10, 0, 30), 0);
    near(skep_slo_exhausted_in(10, -5, 30), 0);
    assert_true(isinf(skep_slo_exhausted_in(40, 40, 30)));
    assert_true(isinf(skep_slo_exhausted_in(30, 40, 30)));
}

/* Remaining falls by one bad event's share with each bad event, is 0 exactly at the budget, and is
 * the compliance's excess over the target in units of the budget. */
static void test_laws(void **state)
{
    (void)state;
    for (uint32_t target = 0; target < 1000000; target += 77777) {
        for (uint64_t total = 1; total < 3000; total += 577) {
            double last = 101;
            for (uint64_t bad = 0; bad <= total; bad += 1 + total / 50) {
                struct skep_slo_counts c = counts(total, total - bad);
                double left = skep_slo_budget_remaining(c, target);
                assert_true(left < last || bad == 0);
                last = left;
                double excess = skep_slo_compliance(c) - target / 1e4;
                near(left, 100 * excess / (100 - target / 1e4));
                near(100 - left, 100 * skep_slo_burn_rate(c, target));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known),
                                       cmocka_unit_test(test_exhausted_in),
                                       cmocka_unit_test(test_laws)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
