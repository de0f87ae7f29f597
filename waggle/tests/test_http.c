// SPDX-License-Identifier: Apache-2.0
/* test_http.c - the OTLP exporter against receivers that are well, slow, flapping, gone or talk
 * nonsense */
#include "support.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct waggle_provider *provider;
static struct waggle_tracer *tracer;
static waggle_stats before;
static char said[4096]; /* by the error handler */
static pthread_mutex_t said_lock = PTHREAD_MUTEX_INITIALIZER;

static void hear(void *self, enum waggle_level level, const char *text)
{
    (void)self;
    (void)level;
    pthread_mutex_lock(&said_lock);
    snprintf(said, sizeof said, "%s", text);
    pthread_mutex_unlock(&said_lock);
}

static void begin(const waggle_otlp_options *otlp)
{
    waggle_set_error_handler(hear, NULL, WAGGLE_LEVEL_DEBUG);
    struct waggle_resource *r = waggle_resource_new();
    waggle_resource_set(r, WAGGLE_ATTRS(waggle_kv_str("service.name", "http")));
    provider = waggle_provider_new(&(waggle_provider_options){.resource = r});
    struct waggle_exporter *e = waggle_otlp_exporter_new(otlp);
    assert_non_null(e);
    assert_true(waggle_provider_add(
        provider,
        waggle_batch_processor_new(
            e, &(waggle_batch_options){.schedule_delay_ms = 3600000, .no_drop_report = true})));
    tracer = waggle_provider_tracer(provider, "http", "1", NULL, WAGGLE_NO_ATTRS);
    waggle_get_stats(&before, sizeof before);
}

static waggle_stats since(void)
{
    waggle_stats s;
    waggle_get_stats(&s, sizeof s);
    s.exported -= before.exported;
    s.dropped_failed -= before.dropped_failed;
    s.dropped_timeout -= before.dropped_timeout;
    s.dropped_rejected -= before.dropped_rejected;
    return s;
}

static void spans(size_t n)
{
    for (size_t i = 0; i < n; i++)
        waggle_span_end(waggle_span_start(tracer, "sent", NULL));
}

static void send(size_t n)
{
    spans(n);
    assert_true(waggle_provider_flush(provider, 30000));
}

static void requests_are_what_the_protocol_says(void **state)
{
    (void)state;
    setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-a=1,x-b=two%20words,Content-Type=nonsense", 1);
    setenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "X-A=over", 1);
    struct sink *s = sink_start(0, sink_ok, NULL);
    begin(&(waggle_otlp_options){.endpoint = sink_url(s)});
    send(600);
    send(3);
    assert_int_equal(sink_spans(s), 603);
    assert_int_equal(sink_connections(s), 1); // kept open
    const struct sink_request *r = sink_request_at(s, 0);
    assert_int_equal(strncmp(r->head, "POST /v1/traces HTTP/1.1\r\n", 26), 0);
    assert_non_null(strstr(r->head, "\r\nHost: 127.0.0.1:"));
    assert_non_null(strstr(r->head, "\r\nContent-Type: application/x-protobuf\r\n"));
    assert_null(strstr(r->head, "nonsense"));
    assert_non_null(strstr(r->head, "OTel-OTLP-Exporter-C/" WAGGLE_VERSION));
    assert_non_null(strstr(r->head, "\r\nX-A: over\r\n"));
    assert_null(strstr(r->head, "x-a: 1"));
    assert_non_null(strstr(r->head, "\r\nx-b: two words\r\n"));
    unsetenv("OTEL_EXPORTER_OTLP_HEADERS");
    unsetenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS");
    waggle_provider_free(provider);
    sink_stop(s);
}

/* Answers as a script says: one letter a request, the last for all further ones. */
static size_t scripted(void *self, size_t n, const struct sink_request *r, char *ret, size_t cap)
{
    const char *script = self;
    (void)r;
    char c = script[n < strlen(script) ? n : strlen(script) - 1];
    switch (c) {
    case '3':
        return (size_t)snprintf(ret, cap,
                                "HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n");
    case '9':
        return (size_t)snprintf(ret, cap,
                                "HTTP/1.1 429 Slow\r\nRetry-After: 0\r\nTransfer-Encoding: "
                                "chunked\r\n\r\n4\r\nwait\r\n0\r\n\r\n");
    case '4':
        return (size_t)snprintf(ret, cap,
                                "HTTP/1.1 400 Bad\r\nContent-Length: 7\r\n\r\n\x12\x05wrong");
    case '5': return (size_t)snprintf(ret, cap, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
    case 'p':
        return (size_t)snprintf(
            ret, cap, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\x0a\x07\x08\x02\x12\x03why");
    case 'j': {
        static const char body[] =
            "{\"partialSuccess\":{\"rejectedSpans\":\"2\",\"errorMessage\":\"why\"}}";
        return (size_t)snprintf(ret, cap, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                                sizeof body - 1, body);
    }
    case 'c': return (size_t)snprintf(ret, cap, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    case 'h':
        return (size_t)snprintf(
            ret, cap, "HTTP/1.1 503 Later\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n");
    case 'l':
        return (size_t)snprintf(
            ret, cap, "HTTP/1.1 503 Later\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n");
    case 'g': return (size_t)snprintf(ret, cap, "I am no HTTP server\n\n");
    case 'x': return 0;
    case 'w': return SIZE_MAX;
    default: return sink_ok(NULL, n, r, ret, cap);
    }
}

static struct sink *begin_scripted(const char *script, uint32_t timeout_ms)
{
    struct sink *s = sink_start(0, scripted, (void *)(uintptr_t)script);
    begin(&(waggle_otlp_options){.endpoint = sink_url(s), .timeout_ms = timeout_ms});
    return s;
}

static void finish(struct sink *s)
{
    waggle_provider_free(provider);
    sink_stop(s);
}

static void busy_receivers_are_asked_again(void **state)
{
    (void)state;
    struct sink *s = begin_scripted("3390", 0);
    send(5);
    assert_int_equal(sink_requests(s), 4);
    assert_int_equal(sink_spans(s), 5);
    assert_int_equal(since().exported, 5);
    const struct sink_request *a = sink_request_at(s, 0);
    const struct sink_request *b = sink_request_at(s, 3);
    assert_int_equal(a->body_n, b->body_n);
    assert_memory_equal(a->body, b->body, a->body_n);
    finish(s);
}

static void refusals_are_final(void **state)
{
    (void)state;
    static const char *const scripts[] = {"4", "5"};
    for (size_t i = 0; i < 2; i++) {
        struct sink *s = begin_scripted(scripts[i], 0);
        send(2);
        assert_int_equal(sink_requests(s), 1);
        assert_int_equal(since().dropped_failed, 2);
        if (i == 0)
            assert_non_null(strstr(said, "wrong")); // the receiver's own words
        finish(s);
    }
}

static void partial_success_is_counted_and_not_repeated(void **state)
{
    (void)state;
    struct sink *s = begin_scripted("p", 0);
    send(5);
    assert_int_equal(sink_requests(s), 1);
    assert_int_equal(since().exported, 3);
    assert_int_equal(since().dropped_rejected, 2);
    assert_non_null(strstr(said, "why"));
    finish(s);
}

static void partial_success_in_json(void **state)
{
    (void)state;
    struct sink *s = sink_start(0, scripted, "j");
    begin(&(waggle_otlp_options){.endpoint = sink_url(s), .json = true});
    send(5);
    assert_int_equal(since().exported, 3);
    assert_int_equal(since().dropped_rejected, 2);
    assert_non_null(strstr(said, "why"));
    assert_int_equal(sink_request_at(s, 0)->body[0], '{');
    finish(s);
}

static void lost_connections_are_made_again(void **state)
{
    (void)state;
    struct sink *s = begin_scripted("0x0c0", 0);
    for (int i = 0; i < 4; i++)
        send(1); // the second finds its connection dead and goes out again at once
    assert_int_equal(since().exported, 4);
    assert_int_equal(sink_spans(s), 4);
    finish(s);
}

static void time_limits_hold(void **state)
{
    (void)state;
    static const char *const scripts[] = {"w", "h", "g"};
    for (size_t i = 0; i < 3;
         i++) { // no answer; later than there is time; nonsense, again and again
        struct sink *s = begin_scripted(scripts[i], 300);
        send(1);
        assert_int_equal(since().dropped_timeout, 1);
        finish(s);
    }
}

static void a_receiver_that_comes_late_gets_all(void **state)
{
    (void)state;
    struct sink *first = sink_start(0, sink_ok, NULL);
    int port = sink_port(first);
    begin(&(waggle_otlp_options){.endpoint = sink_url(first)});
    send(1);
    sink_stop(first); // gone: connections are refused
    spans(4);
    waggle_provider_flush(provider, 100);
    struct sink *second = sink_start(port, sink_ok, NULL);
    assert_true(waggle_provider_flush(provider, 30000));
    assert_int_equal(sink_spans(second), 4);
    assert_int_equal(since().exported, 5);
    finish(second);
}

static void shutdown_ends_a_wait_between_retries(void **state)
{
    (void)state;
    struct sink *s = begin_scripted("l0", 10000);
    spans(2);
    assert_false(waggle_provider_flush(provider, 200)); // it waits five seconds, as it was told
    wait_for(sink_requests(s) == 1);
    assert_true(waggle_provider_shutdown(provider, 4000));
    assert_int_equal(sink_requests(s), 2); // one last attempt
    assert_int_equal(since().exported, 2);
    finish(s);
}

static void the_timeout_of_the_environment(void **state)
{
    (void)state;
    setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "300", 1);
    struct sink *s = begin_scripted("w", 0); // it never answers
    send(1);
    assert_int_equal(since().dropped_timeout, 1);
    unsetenv("OTEL_EXPORTER_OTLP_TIMEOUT");
    finish(s);
}

static void unusable_urls_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"https://example.com",
                                      "ftp://x",
                                      "http://",
                                      "http://a:0",
                                      "http://u:p@h",
                                      "http://h:99999",
                                      "http://a b",
                                      "http://h/x\r\ny: z",
                                      "nothing"};
    waggle_set_error_handler(hear, NULL, WAGGLE_LEVEL_ERROR);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_null(waggle_otlp_exporter_new(&(waggle_otlp_options){.url = bad[i]}));
    static const char *const good[] = {"http://h", "HTTP://h:1/x?y", "http://[::1]:4318/v1/traces",
                                       "http://h:/"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct waggle_exporter *e =
            waggle_otlp_exporter_new(&(waggle_otlp_options){.url = good[i]});
        assert_non_null(e);
        e->ops->free(e);
    }
}

static void a_url_of_the_signal_is_used_as_it_is(void **state)
{
    (void)state;
    struct sink *s = sink_start(0, sink_ok, NULL);
    char url[128];
    snprintf(url, sizeof url, "%s/own/path?x=1", sink_url(s));
    setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url, 1);
    begin(NULL);
    send(1);
    assert_int_equal(strncmp(sink_request_at(s, 0)->head, "POST /own/path?x=1 HTTP/1.1\r\n", 29),
                     0);
    unsetenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    waggle_provider_free(provider);
    snprintf(url, sizeof url, "%s/base/", sink_url(s));
    setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url, 1);
    begin(NULL);
    send(1);
    assert_int_equal(strncmp(sink_request_at(s, 1)->head, "POST /base/v1/traces HTTP/1.1\r\n", 31),
                     0);
    unsetenv("OTEL_EXPORTER_OTLP_ENDPOINT");
    finish(s);
}

static void grpc_without_the_add_on_is_http(void **state)
{
    (void)state;
    setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", 1);
    struct sink *s = begin_scripted("o", 0);
    send(1);
    assert_int_equal(since().exported, 1);
    assert_int_equal(strncmp(sink_request_at(s, 0)->head, "POST /v1/traces HTTP/1.1\r\n", 26), 0);
    unsetenv("OTEL_EXPORTER_OTLP_PROTOCOL");
    finish(s);
}

static void grpc_receivers_say_when(void **state)
{
    (void)state;
    // google.rpc.Status { RetryInfo { 1.5 s } }, and what is none
    static const char details[] = "CAgSCXNsb3cgZG93bho2Cih0eXBlLmdvb2dsZWFwaXMuY29tL2dvb2dsZS5ycGMu"
                                  "UmV0cnlJbmZvEgoKCAgBEIDKte4B";
    assert_int_equal(waggle_grpc_retry_ms(details, strlen(details)), 1500);
    assert_int_equal(waggle_grpc_retry_ms("CAgSCXNsb3cgZG93bg==", 20), -1);
    assert_int_equal(waggle_grpc_retry_ms("not base64!", 11), -1);
    assert_int_equal(waggle_grpc_retry_ms("", 0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_what_the_protocol_says),
        cmocka_unit_test(busy_receivers_are_asked_again),
        cmocka_unit_test(refusals_are_final),
        cmocka_unit_test(partial_success_is_counted_and_not_repeated),
        cmocka_unit_test(partial_success_in_json),
        cmocka_unit_test(lost_connections_are_made_again),
        cmocka_unit_test(time_limits_hold),
        cmocka_unit_test(a_receiver_that_comes_late_gets_all),
        cmocka_unit_test(shutdown_ends_a_wait_between_retries),
        cmocka_unit_test(the_timeout_of_the_environment),
        cmocka_unit_test(unusable_urls_are_refused),
        cmocka_unit_test(a_url_of_the_signal_is_used_as_it_is),
        cmocka_unit_test(grpc_without_the_add_on_is_http),
        cmocka_unit_test(grpc_receivers_say_when),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
