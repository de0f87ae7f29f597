// SPDX-License-Identifier: Apache-2.0
/* test_jaeger_sampler.c - Jaeger's sampling strategies: read, asked for, followed */
#include "jaeger_strategy.h"
#include "support.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static waggle_str str(const char *s)
{
    return (waggle_str){s, strlen(s)};
}

static struct waggle__jaeger_strategy s;

static const char operations[] =
    "{\"strategyType\":\"PROBABILISTIC\",\"operationSampling\":{\"defaultSamplingProbability\":0,"
    "\"defaultLowerBoundTracesPerSecond\":0.001,\"perOperationStrategies\":["
    "{\"probabilisticSampling\":{\"samplingRate\":1},\"operation\":\"GET /all\"},"
    "{\"operation\":\"GET /none\",\"probabilisticSampling\":{\"samplingRate\":0}}]},"
    "\"probabilisticSampling\":{\"samplingRate\":0.5}}";

static void strategies_are_read(void **state)
{
    (void)state;
    assert_true(waggle__jaeger_from_json(str(operations), &s));
    assert_true(s.has_operations && !s.limits && s.rate == 0 && s.lower_bound == 0.001);
    assert_int_equal(s.n, 2);
    assert_string_equal(s.p[0].name, "GET /all");
    assert_true(s.p[0].rate == 1);
    assert_string_equal(s.p[1].name, "GET /none");
    assert_true(s.p[1].rate == 0); // the share behind the operations is not the last one's
    assert_true(waggle__jaeger_from_json(
        str("{\"strategyType\":0,\"probabilisticSampling\":{\"samplingRate\":7}}"), &s));
    assert_true(!s.has_operations && s.rate == 1);
    assert_true(waggle__jaeger_from_json(
        str("{\"strategyType\":1,\"rateLimitingSampling\":{\"maxTracesPerSecond\":3}}"), &s));
    assert_true(s.limits && s.per_second == 3);
    assert_false(waggle__jaeger_from_json(str("{}"), &s));
    assert_false(waggle__jaeger_from_json(str("no such service"), &s));
    // strategyType 0, samplingRate 0.5
    static const char share[] = "\x08\x00\x12\x09\x09\x00\x00\x00\x00\x00\x00\xe0\x3f";
    assert_true(waggle__jaeger_from_protobuf((waggle_str){share, sizeof share - 1}, &s));
    assert_true(!s.limits && s.rate == 0.5);
    static const char limit[] = "\x08\x01\x1a\x02\x08\x05";
    assert_true(waggle__jaeger_from_protobuf((waggle_str){limit, sizeof limit - 1}, &s));
    assert_true(s.limits && s.per_second == 5);
    // A negative one, as protobuf writes it, is none, as in JSON.
    static const char negative[] = "\x1a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    assert_true(waggle__jaeger_from_protobuf((waggle_str){negative, sizeof negative - 1}, &s));
    assert_true(s.limits && s.per_second == 0);
    static const char named[] = "\x22\x1a\x09\x00\x00\x00\x00\x00\x00\xe0\x3f"
                                "\x1a\x0f\x0a\x02op\x12\x09\x09\x00\x00\x00\x00\x00\x00\xf0\x3f";
    assert_true(waggle__jaeger_from_protobuf((waggle_str){named, sizeof named - 1}, &s));
    assert_true(s.has_operations && s.rate == 0.5 && s.n == 1 && s.p[0].rate == 1);
    assert_string_equal(s.p[0].name, "op");
    assert_false(waggle__jaeger_from_protobuf((waggle_str){named, sizeof named - 2}, &s));
    assert_false(waggle__jaeger_from_protobuf((waggle_str){"", 0}, &s));
}

/* --- the sampler --------------------------------------------------------------------------- */

static const char *_Atomic strategy;

static size_t answer(void *self, size_t n, const struct sink_request *request, char *ret,
                     size_t cap)
{
    const char *body = strategy;
    (void)self;
    (void)n;
    (void)request;
    if (body == NULL)
        return (size_t)snprintf(ret, cap, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
    return (size_t)snprintf(ret, cap,
                            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                            "Content-Length: %zu\r\n\r\n%s",
                            strlen(body), body);
}

static enum waggle_decision ask(struct waggle_sampler *sampler, const char *name,
                                const char **ret_state)
{
    uint8_t id[16] = {1, [15] = 1};
    const waggle_sampling_params p = {.trace_id = id, .name = name};
    waggle_sampling r = {.decision = WAGGLE_DROP};
    sampler->ops->sample(sampler, &p, &r);
    if (ret_state != NULL)
        *ret_state = r.tracestate;
    return r.decision;
}

static void what_jaeger_says_is_followed(void **state)
{
    (void)state;
    strategy = NULL;
    struct sink *sink = sink_start(0, answer, NULL);
    char endpoint[128];
    snprintf(endpoint, sizeof endpoint, "%s/sampling", sink_url(sink));
    struct waggle_sampler *j = waggle_sampler_jaeger_new(
        &(waggle_jaeger_sampler_options){.endpoint = endpoint,
                                         .service_name = "the shop",
                                         .poll_ms = 5,
                                         .initial = waggle_sampler_always_on()});
    assert_non_null(j);
    assert_string_equal(j->ops->description(j), "JaegerRemoteSampler{the shop}");
    assert_int_equal(ask(j, "x", NULL), WAGGLE_RECORD_AND_SAMPLE); // the initial one
    wait_for(sink_requests(sink) >= 2);                            // also after no answer of use
    assert_non_null(
        strstr(sink_request_at(sink, 0)->head, "GET /sampling?service=the%20shop HTTP/1.1\r\n"));
    assert_null(strstr(sink_request_at(sink, 0)->head, "Content-Length"));
    assert_int_equal(ask(j, "x", NULL), WAGGLE_RECORD_AND_SAMPLE);
    strategy = operations;
    wait_for(ask(j, "GET /none", NULL) == WAGGLE_DROP); // its one that is guaranteed may go first
    const char *text = NULL;
    assert_int_equal(ask(j, "GET /all", &text), WAGGLE_RECORD_AND_SAMPLE);
    assert_string_equal(text, "ot=th:0");
    assert_int_equal(ask(j, "another", &text), WAGGLE_RECORD_AND_SAMPLE); // at least one
    assert_null(text);
    assert_int_equal(ask(j, "another", NULL), WAGGLE_DROP);
    strategy = "{\"strategyType\":1,\"rateLimitingSampling\":{\"maxTracesPerSecond\":1}}";
    wait_for(ask(j, "GET /all", NULL) == WAGGLE_DROP);
    // Next to nothing a second is not everything: the wait for the next one has 64 bits.
    strategy = "{\"operationSampling\":{\"defaultSamplingProbability\":0,"
               "\"defaultLowerBoundTracesPerSecond\":1e-300}}";
    const size_t before = sink_requests(sink);
    wait_for(sink_requests(sink) >= before + 3);
    assert_int_equal(ask(j, "once", NULL), WAGGLE_RECORD_AND_SAMPLE);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(ask(j, "once", NULL), WAGGLE_DROP);
    strategy = "{\"probabilisticSampling\":{\"samplingRate\":1}}";
    wait_for(ask(j, "GET /none", NULL) == WAGGLE_RECORD_AND_SAMPLE);
    j->ops->free(j);
    sink_stop(sink);
}

static void of_the_environment_and_of_a_file(void **state)
{
    (void)state;
    static const char yaml[] = "file_format: '1.0'\n"
                               "tracer_provider:\n"
                               "  processors: []\n"
                               "  sampler:\n"
                               "    jaeger_remote/development:\n"
                               "      endpoint: http://127.0.0.1:1\n"
                               "      interval: 60000\n"
                               "      service_name: filed\n"
                               "      initial_sampler: {always_off: }\n";
    struct waggle_config *c = waggle_config_parse("test.yaml", yaml, sizeof yaml - 1);
    assert_non_null(c);
    struct waggle_provider *p = waggle_config_create(c);
    waggle_config_free(c);
    assert_non_null(p);
    assert_string_equal(p->sampler->ops->description(p->sampler), "JaegerRemoteSampler{filed}");
    assert_int_equal(ask(p->sampler, "x", NULL), WAGGLE_DROP);
    waggle_provider_free(p);
    setenv("OTEL_TRACES_SAMPLER", "parentbased_jaeger_remote", 1);
    setenv("OTEL_TRACES_SAMPLER_ARG",
           "endpoint=http://127.0.0.1:1,pollingIntervalMs=60000,initialSamplingRate=1", 1);
    struct waggle_sampler *j = waggle__env_sampler("named");
    assert_non_null(strstr(j->ops->description(j), "root:JaegerRemoteSampler{named}"));
    assert_int_equal(ask(j, "x", NULL), WAGGLE_RECORD_AND_SAMPLE);
    j->ops->free(j);
    setenv("OTEL_TRACES_SAMPLER", "jaeger_remote", 1);
    j = waggle__env_sampler(NULL);
    assert_string_equal(j->ops->description(j), "JaegerRemoteSampler{unknown_service}");
    j->ops->free(j);
    unsetenv("OTEL_TRACES_SAMPLER");
    unsetenv("OTEL_TRACES_SAMPLER_ARG");
    assert_null(
        waggle_sampler_jaeger_new(&(waggle_jaeger_sampler_options){.endpoint = "ftp://x/y"}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strategies_are_read),
        cmocka_unit_test(what_jaeger_says_is_followed),
        cmocka_unit_test(of_the_environment_and_of_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
