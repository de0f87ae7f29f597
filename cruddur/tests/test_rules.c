// SPDX-License-Identifier: Apache-2.0
/* test_rules.c - X-Ray's sampling rules: which one a request meets, what it decides, what is told
 * to the daemon */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xray_rules.h"

#define RULE(name, priority, rate, reservoir, service, method, path)                               \
    "{\"SamplingRule\":{\"RuleName\":\"" name "\",\"Priority\":" #priority ",\"FixedRate\":" #rate \
    ",\"ReservoirSize\":" #reservoir ",\"ServiceName\":\"" service                                 \
    "\",\"Host\":\"*\",\"HTTPMethod\":\"" method "\",\"URLPath\":\"" path "\",\"Version\":1}}"

static bool take(struct xray_rules *rules, const char *records)
{
    char json[4096];
    int n = snprintf(json, sizeof json, "{\"SamplingRuleRecords\":[%s]}", records);
    return xray_rules_take(rules, json, (size_t)n);
}

static unsigned sampled(struct xray_rules *rules, const char *name, const char *method,
                        const char *path, unsigned requests)
{
    unsigned n = 0;
    char rule[XRAY_RULE_BYTES];
    for (unsigned i = 0; i < requests; i++)
        n += xray_rules_sample(rules, name, &(struct xray_request){.method = method, .path = path},
                               rule);
    return n;
}

static void the_first_that_matches_decides(void **state)
{
    (void)state;
    struct xray_rules *rules = xray_rules_new();
    assert_true(take(rules, RULE("Default", 10000, 1, 0, "*", "*", "*") "," RULE(
                                "quiet", 1, 0, 0, "backend*", "G?T",
                                "/api/*/h*e") "," RULE("wrong", 0, 7, 0, "*", "*", "*\\u0000")));
    assert_int_equal(sampled(rules, "backend-flask", "GET", "/api/activities/home", 50), 0);
    assert_int_equal(sampled(rules, "BACKEND", "get", "/API/x/HE", 50), 0); // whatever the case
    assert_int_equal(sampled(rules, "backend-flask", "GET", "/api/activities/homes", 50), 50);
    assert_int_equal(sampled(rules, "backend-flask", "POST", "/api/activities/home", 50), 50);
    assert_int_equal(sampled(rules, "frontend", "GET", "/api/activities/home", 50), 50);
    xray_rules_free(rules);
}

static void before_there_are_rules_a_few(void **state)
{
    (void)state;
    struct xray_rules *rules = xray_rules_new();
    unsigned n = sampled(rules, "x", "GET", "/", 10000);
    assert_in_range(n, 300, 800); // one a second and one in twenty: 500, give or take 13 deviations
    xray_rules_free(rules);
}

static void counts_are_told_and_begin_anew(void **state)
{
    (void)state;
    struct xray_rules *rules = xray_rules_new();
    assert_null(xray_rules_count(rules, 1));
    assert_true(take(rules, RULE("all", 1, 1, 0, "*", "*", "*")));
    assert_null(xray_rules_count(rules, 1));
    (void)sampled(rules, "x", "GET", "/", 7);
    char *counts = xray_rules_count(rules, 1700000000);
    assert_non_null(strstr(counts, "\"RuleName\":\"all\""));
    assert_non_null(strstr(counts, "\"RequestCount\":7"));
    assert_non_null(strstr(counts, "\"SampledCount\":7,\"Timestamp\":1700000000"));
    free(counts);
    assert_null(xray_rules_count(rules, 1));
    (void)sampled(rules, "x", "GET", "/", 2);
    assert_true(take(rules, RULE("all", 1, 1, 0, "*", "*", "*"))); // the same rule, fetched again
    counts = xray_rules_count(rules, 1);
    assert_non_null(strstr(counts, "\"RequestCount\":2"));
    free(counts);
    xray_rules_free(rules);
}

static void targets_change_rate_and_quota(void **state)
{
    (void)state;
    static const char json[] =
        "{\"SamplingTargetDocuments\":[{\"RuleName\":\"all\",\"FixedRate\":0,\"ReservoirQuota\":0,"
        "\"ReservoirQuotaTTL\":4000000000.0,\"Interval\":10},{\"RuleName\":\"unknown\"},7],"
        "\"LastRuleModification\":1530920505.5,\"UnprocessedStatistics\":[]}";
    struct xray_rules *rules = xray_rules_new();
    int64_t modified = 0;
    assert_true(take(rules, RULE("all", 1, 1, 1, "*", "*", "*")));
    assert_int_equal(sampled(rules, "x", "GET", "/", 9), 9);
    assert_true(xray_rules_take_targets(rules, json, sizeof json - 1, &modified));
    assert_int_equal(modified, 1530920505);
    assert_int_equal(sampled(rules, "x", "GET", "/", 9), 0);
    xray_rules_free(rules);
}

static void answers_that_are_none_change_nothing(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "{",
                                      "[]",
                                      "{\"SamplingRuleRecords\":7}",
                                      "{}",
                                      "null",
                                      "{\"SamplingTargetDocuments\":{}}"};
    struct xray_rules *rules = xray_rules_new();
    int64_t modified = 77;
    assert_true(take(rules, RULE("all", 1, 1, 0, "*", "*", "*")));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(xray_rules_take(rules, bad[i], strlen(bad[i])));
        assert_false(xray_rules_take_targets(rules, bad[i], strlen(bad[i]), &modified));
    }
    assert_int_equal(modified, 77);
    assert_int_equal(sampled(rules, "x", "GET", "/", 9), 9);
    xray_rules_free(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_that_matches_decides),
        cmocka_unit_test(before_there_are_rules_a_few),
        cmocka_unit_test(counts_are_told_and_begin_anew),
        cmocka_unit_test(targets_change_rate_and_quota),
        cmocka_unit_test(answers_that_are_none_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
