// SPDX-License-Identifier: Apache-2.0
/* test_xray_sampler.c - X-Ray's sampling rules: read, matched, asked for, reported back */
#include "support.h"
#include "xray_rules.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RULE(name, priority, rate, reservoir, service, method, path, more)                         \
    "{\"SamplingRule\":{\"RuleName\":\"" name "\",\"Priority\":" #priority ",\"FixedRate\":" #rate \
    ",\"ReservoirSize\":" #reservoir ",\"ServiceName\":\"" service                                 \
    "\",\"ServiceType\":\"*\",\"Host\":\"*\",\"HTTPMethod\":\"" method "\",\"URLPath\":\"" path    \
    "\",\"ResourceARN\":\"*\",\"Version\":1" more "},\"CreatedAt\":0.0,\"ModifiedAt\":1.5e9}"

#define ALL     RULE("Default", 10000, 0.05, 1, "*", "*", "*", ",\"Attributes\":{}")
#define NEVER   RULE("never", 20, 0, 0, "*", "*", "/health*", "")
#define SHOP    RULE("shop", 10, 1.0, 2, "SHOP", "GET", "/a?c/*", "")
#define FOREIGN RULE("with", 1, 1, 0, "*", "*", "*", ",\"Attributes\":{\"k\":\"v\"}")
#define OLD     "{\"SamplingRule\":{\"RuleName\":\"old\",\"FixedRate\":1,\"Version\":2}}"

static const char rules_json[] =
    "{\"SamplingRuleRecords\":[" ALL "," NEVER "," SHOP "," FOREIGN "," OLD "],\"NextToken\":null}";

static waggle_str str(const char *s)
{
    return (waggle_str){s, strlen(s)};
}

static struct waggle__xray_rules rules;

static const char *match(const char *service, const char *method, const char *path)
{
    const struct waggle__xray_request q = {.service_name = str(service),
                                           .method = str(method),
                                           .path = path ? str(path) : (waggle_str){NULL, 0}};
    const struct waggle__xray_rule *r = waggle__xray_match(&rules, &q);
    return r ? r->name : "none";
}

static void rules_are_read_and_matched(void **state)
{
    (void)state;
    assert_true(waggle__xray_rules_read(str(rules_json), &rules));
    assert_int_equal(rules.n, 3); // those that are for us, in their order
    assert_string_equal(rules.p[0].name, "shop");
    assert_string_equal(rules.p[2].name, "Default");
    assert_true(rules.p[2].fixed_rate == 0.05 && rules.p[2].reservoir_size == 1);
    assert_string_equal(match("shop", "get", "/abc/d"), "shop");
    assert_string_equal(match("shop", "GET", "/abbc/d"), "Default");
    assert_string_equal(match("shop", "GET", NULL), "shop"); // what is not known matches
    assert_string_equal(match("bank", "GET", "/health/live"), "never");
    assert_string_equal(match("bank", "POST", ""), "Default");
    assert_false(waggle__xray_rules_read(str("{\"message\":\"no\"}"), &rules));
    assert_false(waggle__xray_rules_read(str("{\"SamplingRuleRecords\":[{"), &rules));
}

static unsigned taken_of(struct waggle__xray_rule *r, unsigned n, uint64_t second)
{
    unsigned taken = 0;
    for (unsigned i = 0; i < n; i++)
        taken += waggle__xray_take(r, second, 0.5);
    return taken;
}

static void reservoirs_are_of_a_second(void **state)
{
    (void)state;
    double modified_s = 0;
    assert_true(waggle__xray_rules_read(str(rules_json), &rules));
    struct waggle__xray_rule *r = &rules.p[2];
    assert_int_equal(taken_of(r, 10, 100), 1); // borrowed
    assert_int_equal(taken_of(r, 10, 101), 1);
    assert_int_equal(r->requests, 20);
    assert_int_equal(r->borrowed, 2);
    assert_int_equal(r->sampled, 0);
    assert_true(waggle__xray_targets_read(
        str("{\"SamplingTargetDocuments\":[{\"RuleName\":\"Default\",\"FixedRate\":0.05,"
            "\"ReservoirQuota\":3,\"ReservoirQuotaTTL\":150.0,\"Interval\":10}],"
            "\"LastRuleModification\":1.25e2,\"UnprocessedStatistics\":[]}"),
        &rules, &modified_s));
    assert_true(modified_s == 125);
    assert_int_equal(taken_of(r, 10, 102), 3);
    assert_int_equal(r->sampled, 3);
    assert_int_equal(taken_of(r, 10, 150), 1);           // the quota is over: one is borrowed again
    assert_int_equal(taken_of(&rules.p[1], 10, 100), 0); // neither reservoir nor rate
}

/* --- the sampler, against a daemon --------------------------------------------------------- */

static char reported[2048];
static atomic_bool has_reported;

static size_t daemon_answer(void *self, size_t n, const struct sink_request *r, char *ret,
                            size_t cap)
{
    static const char targets[] = "{\"SamplingTargetDocuments\":[],\"LastRuleModification\":1}";
    const char *body = rules_json;
    (void)self;
    (void)n;
    if (strncmp(r->head, "POST /SamplingTargets ", 22) == 0) {
        body = targets;
        if (!atomic_load(&has_reported))
            snprintf(reported, sizeof reported, "%.*s", (int)r->body_n, (const char *)r->body);
        atomic_store(&has_reported, true);
    }
    return (size_t)snprintf(ret, cap, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                            strlen(body), body);
}

/* The rule that took the last one that was asked about; "" = none. */
static char sampled_by[128];

static bool samples(struct waggle_sampler *s, const char *path)
{
    static const uint8_t trace_id[16] = {1};
    const waggle_sampling_params params = {
        .trace_id = trace_id,
        .name = "x",
        .attributes = WAGGLE_ATTRS(waggle_kv_str("http.request.method", "GET"),
                                   waggle_kv_str("url.path", path)),
    };
    waggle_sampling result = {.decision = WAGGLE_DROP};
    s->ops->sample(s, &params, &result);
    sampled_by[0] = '\0';
    if (result.attributes.n == 1) {
        assert_string_equal(result.attributes.p[0].key, "aws.xray.sampling_rule");
        snprintf(sampled_by, sizeof sampled_by, "%.*s", (int)result.attributes.p[0].value.n,
                 result.attributes.p[0].value.as.str);
    }
    return result.decision == WAGGLE_RECORD_AND_SAMPLE;
}

static void the_daemons_rules_are_followed(void **state)
{
    (void)state;
    struct sink *daemon = sink_start(0, daemon_answer, NULL);
    struct waggle_sampler *s = waggle_sampler_xray_new(&(waggle_xray_sampler_options){
        .endpoint = sink_url(daemon), .service_name = "shop", .tick_ms = 5});
    assert_non_null(s);
    assert_true(samples(s, "/abc/first")); // before there are rules: one a second
    assert_string_equal(sampled_by, "");
    wait_for(sink_requests(daemon) > 0);
    wait_for(!samples(s, "/health") && samples(s, "/abc/d") && samples(s, "/abc/d") &&
             samples(s, "/abc/d") && samples(s, "/abc/d"));
    assert_string_equal(sampled_by, "shop");
    assert_false(samples(s, "/health"));
    assert_string_equal(sampled_by, "");
    wait_for(atomic_load(&has_reported));
    assert_non_null(strstr(reported, "{\"SamplingStatisticsDocuments\":[{\"RuleName\":\""));
    assert_non_null(strstr(reported, "\"RequestCount\":"));
    s->ops->free(s);
    sink_stop(daemon);
}

static void without_a_daemon_a_few_are_sampled(void **state)
{
    (void)state;
    struct waggle_sampler *s = waggle_sampler_xray_new(
        &(waggle_xray_sampler_options){.endpoint = "http://127.0.0.1:1", .tick_ms = 5});
    unsigned n = 0;
    for (int i = 0; i < 2000; i++)
        n += samples(s, "/");
    assert_in_range(n, 20, 400); // 5 %, and one a second
    s->ops->free(s);
    assert_null(waggle_sampler_xray_new(&(waggle_xray_sampler_options){.endpoint = "ftp://x"}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_read_and_matched),
        cmocka_unit_test(reservoirs_are_of_a_second),
        cmocka_unit_test(the_daemons_rules_are_followed),
        cmocka_unit_test(without_a_daemon_a_few_are_sampled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
