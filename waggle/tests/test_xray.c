// SPDX-License-Identifier: Apache-2.0
/* test_xray.c - spans as X-Ray segments: what a daemon would read from its socket */
#include "support.h"

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int daemon_fd;
static struct waggle_provider *provider;
static struct waggle_tracer *tracer;

static int setup(void **state)
{
    char address[64];
    struct sockaddr_in a = {.sin_family = AF_INET};
    struct timeval patience = {20, 0};
    socklen_t n = sizeof a;
    (void)state;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    daemon_fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(daemon_fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(daemon_fd, (struct sockaddr *)&a, &n), 0);
    setsockopt(daemon_fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    snprintf(address, sizeof address, "tcp:127.0.0.1:1 udp:127.0.0.1:%d", ntohs(a.sin_port));
    setenv("AWS_XRAY_DAEMON_ADDRESS", address, 1);
    struct waggle_resource *r = waggle_resource_new();
    waggle_resource_set(r, WAGGLE_ATTRS(waggle_kv_str("service.name", "shop \"1\""),
                                        waggle_kv_str("host.name", "h"),
                                        waggle_kv_i64("process.pid", 7)));
    provider = waggle_provider_new(&(waggle_provider_options){.resource = r});
    assert_true(
        waggle_provider_add(provider, waggle_simple_processor_new(waggle_xray_exporter_new(NULL))));
    tracer = waggle_provider_tracer(provider, "x", NULL, NULL, WAGGLE_NO_ATTRS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    waggle_provider_free(provider);
    close(daemon_fd);
    unsetenv("AWS_XRAY_DAEMON_ADDRESS");
    return 0;
}

/* The next datagram; its header checked, the document as text. */
static const char *document(void)
{
    static const char head[] = "{\"format\": \"json\", \"version\": 1}\n";
    static char text[65536];
    ssize_t n = recv(daemon_fd, text, sizeof text - 1, 0);
    assert_true(n > (ssize_t)sizeof head);
    text[n] = '\0';
    assert_memory_equal(text, head, sizeof head - 1);
    return text + sizeof head - 1;
}

static const char *of_status(enum waggle_kind kind, int64_t code)
{
    waggle_span s =
        waggle_span_start(tracer, "GET", &(waggle_span_opts){.kind = kind, .root = true});
    waggle_span_set(s, WAGGLE_ATTRS(waggle_kv_str("http.request.method", "GET"),
                                    waggle_kv_str("url.full", "http://x/y"),
                                    waggle_kv_i64("http.response.status_code", code)));
    waggle_span_end(s);
    return document();
}

static void segments_and_subsegments(void **state)
{
    (void)state;
    char expected[256];
    char trace[33];
    char id[17];
    waggle_span_context c;
    waggle_span root = waggle_span_start(
        tracer, "GET /",
        &(waggle_span_opts){.kind = WAGGLE_KIND_SERVER, .start_ns = 1500000000123456789});
    waggle_span child = waggle_span_start(
        tracer, "query", &(waggle_span_opts){.kind = WAGGLE_KIND_CLIENT, .parent = root});
    waggle_span_set(child, WAGGLE_ATTRS(waggle_kv_str("db.system", "sqlite"),
                                        waggle_kv_str("db.query.text", "SELECT 1")));
    waggle_span_get_context(root, &c);
    waggle_trace_id_hex(c.trace_id, trace);
    waggle_span_id_hex(c.span_id, id);
    waggle_span_end(child);
    const char *d = document();
    assert_non_null(strstr(d, "\"name\":\"query\""));
    assert_non_null(strstr(d, "\"type\":\"subsegment\",\"namespace\":\"remote\""));
    snprintf(expected, sizeof expected, "\"parent_id\":\"%s\"", id);
    assert_non_null(strstr(d, expected));
    assert_non_null(
        strstr(d, "\"sql\":{\"database_type\":\"sqlite\",\"sanitized_query\":\"SELECT 1\"}"));
    assert_null(strstr(d, "\"fault\""));
    waggle_span_end_at(root, 1500000001000000001);
    d = document();
    snprintf(expected, sizeof expected,
             "{\"name\":\"shop "
             "\\\"1\\\"\",\"id\":\"%s\",\"trace_id\":\"1-%.8s-%s\",\"start_time\":1500000000."
             "123456789,\"end_time\":1500000001.000000001",
             id, trace, trace + 8);
    assert_memory_equal(d, expected, strlen(expected));
    assert_null(strstr(d, "parent_id"));
    assert_null(strstr(d, "subsegment"));
}

static void how_it_ended(void **state)
{
    (void)state;
    static const struct {
        int64_t code;
        bool error, throttle, fault;
    } cases[] = {{200, false, false, false},
                 {404, true, false, false},
                 {429, true, true, false},
                 {503, false, false, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *d = of_status(WAGGLE_KIND_SERVER, cases[i].code);
        assert_int_equal(strstr(d, "\"error\":true") != NULL, cases[i].error);
        assert_int_equal(strstr(d, "\"throttle\":true") != NULL, cases[i].throttle);
        assert_int_equal(strstr(d, "\"fault\":true") != NULL, cases[i].fault);
        assert_non_null(strstr(d, "\"http\":{\"request\":{\"method\":\"GET\",\"url\":\"http://x/"
                                  "y\"},\"response\":{\"status\":"));
    }
    waggle_span s = waggle_span_start(tracer, "x", NULL);
    waggle_span_exception(s, "EIO", "disk \n gone",
                          "==1==ERROR\n    #0 0x1394 in read_block src/disk.c:12:3\n"
                          "    #1 0x2f00 (/usr/bin/app+0x2f00) (BuildId: 6f0a)\n",
                          WAGGLE_NO_ATTRS);
    waggle_span_set_status(s, WAGGLE_STATUS_ERROR, "ignored beside an exception");
    waggle_span_end(s);
    const char *d = document();
    assert_non_null(strstr(d, "\"fault\":true,\"cause\":{\"exceptions\":[{\"id\":\""));
    assert_non_null(
        strstr(d, "\"stack\":[{\"path\":\"src/disk.c\",\"label\":\"read_block\",\"line\":12},"
                  "{\"path\":\"/usr/bin/app\",\"label\":\"+0x2f00\",\"module\":\"/usr/bin/app\","
                  "\"offset\":\"0x2f00\",\"build_id\":\"6f0a\"}]"));
    assert_non_null(strstr(d, "\"type\":\"EIO\",\"message\":\"disk \\u000a gone\""));
}

/* What only X-Ray knows: names of segments, annotations, metadata by namespace. */
static void annotations_and_metadata(void **state)
{
    (void)state;
    static const char *const annotated[] = {"user", "n", "absent", "list"};
    const waggle_kv members[] = {waggle_kv_str("now", "noon"), waggle_kv_i64("size", 3)};
    waggle_span s = waggle_span_start(tracer, "GET /", &(waggle_span_opts){.root = true});
    waggle_span_set(s,
                    WAGGLE_ATTRS(waggle_kv_str("aws.local.service", "api.example.org"),
                                 waggle_kv_str("aws.xray.sampling_rule", "shop \"1\""),
                                 waggle_kv_str("user", "worf"), waggle_kv_i64("n", 7),
                                 waggle_kv_str("other", "x"), waggle_kv_strs("list", annotated, 2),
                                 waggle_kv_strs("aws.xray.annotations", annotated, 4),
                                 waggle_kv_map("aws.xray.metadata.app", members, 2),
                                 waggle_kv_str("client.address", "10.0.0.1"),
                                 waggle_kv_str("user_agent.original", "curl/8"),
                                 waggle_kv_str("http.request.method", "GET"),
                                 waggle_kv_i64("http.response.status_code", 200),
                                 waggle_kv_i64("http.response.body.size", 12)));
    waggle_span_end(s);
    const char *d = document();
    assert_memory_equal(d, "{\"name\":\"api.example.org\",", 26);
    assert_non_null(
        strstr(d, "\"otel.resource.host.name\":\"h\",\"otel.resource.process.pid\":7}}"));
    assert_null(strstr(d, "otel.resource.service.name"));
    assert_non_null(strstr(d, "\"annotations\":{\"user\":\"worf\",\"n\":7}"));
    assert_non_null(strstr(d, "\"metadata\":{\"app\":{\"now\":\"noon\",\"size\":3},\"default\":{"
                              "\"other\":\"x\","));
    assert_null(strstr(d, "aws.xray"));
    assert_non_null(strstr(d, ",\"sampling_rule_name\":\"shop \\\"1\\\"\"}}}"));
    assert_non_null(strstr(d, "{\"method\":\"GET\",\"client_ip\":\"10.0.0.1\","
                              "\"user_agent\":\"curl/8\"},\"response\":{\"status\":200,"
                              "\"content_length\":12}"));
    s = waggle_span_start(tracer, "y", NULL);
    waggle_span_set(s, WAGGLE_ATTRS(waggle_kv_map("aws.xray.metadata.app", members, 1)));
    waggle_span_end(s);
    assert_non_null(
        strstr(document(), "\"metadata\":{\"app\":{\"now\":\"noon\"},\"default\":{\"otel."));
    assert_non_null(strstr(d, "\"auto_instrumentation\":false"));
}

static void what_is_too_large_is_counted(void **state)
{
    (void)state;
    static char text[60000];
    memset(text, '"', sizeof text); // becomes twice as much in JSON
    waggle_stats before;
    waggle_stats after;
    waggle_get_stats(&before, sizeof before);
    waggle_span s = waggle_span_start(tracer, "large", NULL);
    waggle_span_set_kv(s, waggle_kv_strn("t", text, sizeof text));
    waggle_span_end(s);
    waggle_get_stats(&after, sizeof after);
    assert_int_equal(after.dropped_rejected - before.dropped_rejected, 1);
    assert_non_null(
        strstr(of_status(WAGGLE_KIND_SERVER, 200), "\"status\":200")); // and the next one goes
}

static void addresses(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "nothing", ":2000", "host:", "tcp:127.0.0.1:1 udp:", "127.0.0.1:notaport"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_null(waggle_xray_exporter_new(bad[i]));
    struct waggle_exporter *e = waggle_xray_exporter_new("127.0.0.1:2000");
    assert_non_null(e);
    e->ops->free(e);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(segments_and_subsegments),     T(how_it_ended), T(annotations_and_metadata),
        T(what_is_too_large_is_counted), T(addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
