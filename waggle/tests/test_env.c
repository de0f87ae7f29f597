// SPDX-License-Identifier: Apache-2.0
/* test_env.c - what the environment says is what happens */
#include "support.h"

#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

static struct capture *capture;
static char said[512];

static void hear(void *self, enum waggle_level level, const char *text)
{
    (void)self;
    (void)level;
    size_t n = strlen(text);
    memcpy(said, text, n < sizeof said ? n + 1 : sizeof said);
    said[sizeof said - 1] = '\0';
}

static int setup(void **state)
{
    (void)state;
    capture = capture_new();
    said[0] = '\0';
    waggle_set_error_handler(hear, NULL, WAGGLE_LEVEL_DEBUG);
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = {"OTEL_SERVICE_NAME",
                                        "OTEL_RESOURCE_ATTRIBUTES",
                                        "OTEL_TRACES_SAMPLER",
                                        "OTEL_TRACES_SAMPLER_ARG",
                                        "OTEL_SDK_DISABLED",
                                        "OTEL_ATTRIBUTE_COUNT_LIMIT",
                                        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
                                        "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
                                        "OTEL_SPAN_EVENT_COUNT_LIMIT",
                                        "OTEL_PROPAGATORS",
                                        "OTEL_BSP_MAX_QUEUE_SIZE",
                                        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
                                        "OTEL_TRACES_EXPORTER"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
    waggle_shutdown(20000);
    capture_free(capture);
    return 0;
}

static void init(const waggle_options *options)
{
    waggle_options o = options ? *options : (waggle_options){0};
    o.exporter = &capture->base;
    assert_int_equal(waggle_init(&o), 0);
}

static waggle_span span(const char *name)
{
    return waggle_span_start(waggle_tracer_get("env", NULL), name, NULL);
}

static bool resource_is(const char *key, const char *value)
{
    waggle_attr_data a;
    bool is = false;
    for (waggle_cursor c = {0}; waggle_attr_next(capture->resource.attributes, &c, &a);)
        if (str_is(a.key, key))
            is = a.value.type == WAGGLE_STR && str_is(a.value.str, value);
    return is;
}

static waggle_attr_data resource_attr(const char *key)
{
    waggle_attr_data a;
    for (waggle_cursor c = {0}; waggle_attr_next(capture->resource.attributes, &c, &a);)
        if (str_is(a.key, key))
            return a;
    return (waggle_attr_data){0};
}

static void one_span(void)
{
    waggle_span_end(span("x"));
    assert_true(waggle_flush(20000));
    assert_int_equal(capture_count(capture), 1);
}

static void the_resource_by_default(void **state)
{
    (void)state;
    init(NULL);
    one_span();
    assert_true(resource_is("service.name", "unknown_service:waggle_test_env"));
    assert_true(resource_is("telemetry.sdk.name", "waggle"));
    assert_true(resource_is("telemetry.sdk.language", "c"));
    assert_true(resource_is("telemetry.sdk.version", WAGGLE_VERSION));
    assert_true(resource_is("os.type", "linux"));
    assert_int_equal(resource_attr("process.pid").value.i64, getpid());
    assert_int_equal(resource_attr("service.instance.id").value.str.n, 36);
    assert_true(resource_attr("host.name").key.n > 0);
    assert_int_equal(resource_attr("process.command_args").key.n, 0); // may hold secrets
}

static void the_resource_of_the_environment(void **state)
{
    (void)state;
    setenv("OTEL_RESOURCE_ATTRIBUTES",
           "service.name=less, deployment.environment.name = a%2Cb ,service.instance.id=i1", 1);
    setenv("OTEL_SERVICE_NAME", "more", 1);
    init(&(waggle_options){.service_version = "7"});
    one_span();
    assert_true(resource_is("service.name", "more"));
    assert_true(resource_is("deployment.environment.name", "a,b"));
    assert_true(resource_is("service.instance.id", "i1"));
    assert_true(resource_is("service.version", "7"));
}

static void code_wins_over_the_environment(void **state)
{
    (void)state;
    setenv("OTEL_SERVICE_NAME", "env", 1);
    init(&(waggle_options){.service_name = "code",
                           .resource = WAGGLE_ATTRS(waggle_kv_i64("shard", 3))});
    one_span();
    assert_true(resource_is("service.name", "code"));
    assert_int_equal(resource_attr("shard").value.i64, 3);
}

static void a_malformed_list_is_ignored_whole(void **state)
{
    (void)state;
    setenv("OTEL_RESOURCE_ATTRIBUTES", "a=1,b", 1);
    init(NULL);
    one_span();
    assert_int_equal(resource_attr("a").key.n, 0);
    assert_non_null(strstr(said, "OTEL_RESOURCE_ATTRIBUTES"));
}

static void samplers_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *name, *arg;
        bool recorded;
    } cases[] = {
        {"always_on", NULL, true},
        {"always_off", NULL, false},
        {"traceidratio", "0", false},
        {"traceidratio", "1.0", true},
        {"parentbased_always_off", "", false},
        {"parentbased_traceidratio", "0.0", false},
        {"parentbased_always_on", "x", true},
        {"unheard_of", NULL, true},
        {"", NULL, true},
        {"traceidratio", "7", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        setenv("OTEL_TRACES_SAMPLER", cases[i].name, 1);
        if (cases[i].arg)
            setenv("OTEL_TRACES_SAMPLER_ARG", cases[i].arg, 1);
        else
            unsetenv("OTEL_TRACES_SAMPLER_ARG");
        init(NULL);
        waggle_span s = span("x");
        assert_int_equal(waggle_span_is_recording(s), cases[i].recorded);
        waggle_span_end(s);
    }
}

static void disabled_means_nothing(void **state)
{
    (void)state;
    init(NULL);
    waggle_shutdown(20000);
    setenv("OTEL_SDK_DISABLED", "TRUE", 1);
    assert_int_equal(waggle_init(NULL), 0);
    assert_int_equal(span("x").generation, 0);
    setenv("OTEL_SDK_DISABLED", "1", 1); // only "true" is true
    init(NULL);
    one_span();
}

static void limits_of_the_environment(void **state)
{
    (void)state;
    setenv("OTEL_ATTRIBUTE_COUNT_LIMIT", "9", 1);
    setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "2", 1);
    setenv("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "3", 1);
    setenv("OTEL_SPAN_EVENT_COUNT_LIMIT", "nonsense", 1);
    init(NULL);
    assert_non_null(strstr(said, "OTEL_SPAN_EVENT_COUNT_LIMIT"));
    waggle_span s = span("limited");
    waggle_span_set(
        s, WAGGLE_ATTRS(waggle_kv_str("a", "12345"), waggle_kv_i64("b", 1), waggle_kv_i64("c", 1)));
    waggle_span_end(s);
    assert_true(waggle_flush(20000));
    waggle_span_data d = capture_named(capture, "limited");
    assert_int_equal(attr_count(&d), 2);
    assert_int_equal(d.dropped_attributes, 1);
    assert_true(str_is(attr_of(&d, "a").value.str, "123"));
}

static void a_limit_of_zero_keeps_nothing(void **state)
{
    (void)state;
    setenv("OTEL_SPAN_EVENT_COUNT_LIMIT", "0", 1);
    init(NULL);
    waggle_span s = span("none");
    waggle_span_event(s, "lost", WAGGLE_NO_ATTRS);
    waggle_span_end(s);
    assert_true(waggle_flush(20000));
    waggle_span_data d = capture_named(capture, "none");
    waggle_event_data event;
    assert_int_equal(d.dropped_events, 1);
    assert_false(waggle_span_data_event(&d, &(waggle_cursor){0}, &event));
}

static void propagators_by_name(void **state)
{
    (void)state;
    const char *fields[8];
    init(NULL);
    assert_int_equal(waggle_propagation_fields(fields, 8), 3);
    setenv("OTEL_PROPAGATORS", "baggage, baggage,unheard_of", 1);
    init(NULL);
    assert_int_equal(waggle_propagation_fields(fields, 8), 1);
    assert_non_null(strstr(said, "unheard_of"));
    setenv("OTEL_PROPAGATORS", "none", 1);
    init(NULL);
    assert_int_equal(waggle_propagation_fields(fields, 8), 0);
}

static void the_batch_of_the_environment(void **state)
{
    (void)state;
    setenv("OTEL_BSP_MAX_QUEUE_SIZE", "20", 1);
    setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4", 1);
    init(NULL);
    for (int i = 0; i < 16; i++)
        waggle_span_end(span("x"));
    assert_true(waggle_flush(20000));
    assert_int_equal(capture_count(capture), 16);
    assert_true(capture->largest_batch <= 4);
}

static void the_first_tracer_may_come_before_the_sdk(void **state)
{
    (void)state;
    struct waggle_tracer *early = waggle_tracer_get("early", "0");
    init(NULL);
    waggle_span_end(waggle_span_start(early, "x", NULL));
    struct capture *second = capture_new();
    assert_int_equal(waggle_init(&(waggle_options){.exporter = &second->base}),
                     0); // sends what the first has
    assert_int_equal(capture_count(capture), 1);
    waggle_span_end(waggle_span_start(early, "y", NULL));
    assert_true(waggle_shutdown(20000));
    assert_int_equal(capture_count(second), 1);
    assert_int_equal(capture_count(capture), 1);
    capture_free(second);
}

static void two_exporters_at_once(void **state)
{
    (void)state;
    struct sink *sink = sink_start(0, sink_ok, NULL);
    setenv("OTEL_TRACES_EXPORTER", "console, otlp", 1);
    assert_int_equal(waggle_init(&(waggle_options){.endpoint = sink_url(sink)}), 0);
    waggle_span_end(span("both"));
    assert_true(waggle_shutdown(20000));
    assert_int_equal(sink_spans(sink), 1);
    waggle_stats s;
    waggle_get_stats(&s, sizeof s);
    assert_true(s.exported >= 2); // the console had it, too
    sink_stop(sink);
}

static void no_exporter_means_no_recording(void **state)
{
    (void)state;
    setenv("OTEL_TRACES_EXPORTER", "none", 1);
    assert_int_equal(waggle_init(NULL), 0);
    waggle_span s = span("x");
    assert_false(waggle_span_is_recording(s));
    waggle_span_end(s);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_resource_by_default),
        T(the_resource_of_the_environment),
        T(code_wins_over_the_environment),
        T(a_malformed_list_is_ignored_whole),
        T(samplers_by_name),
        T(disabled_means_nothing),
        T(limits_of_the_environment),
        T(a_limit_of_zero_keeps_nothing),
        T(propagators_by_name),
        T(the_batch_of_the_environment),
        T(the_first_tracer_may_come_before_the_sdk),
        T(two_exporters_at_once),
        T(no_exporter_means_no_recording),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
