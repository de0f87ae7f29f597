// SPDX-License-Identifier: Apache-2.0
/* test_conventions.c - spans of HTTP requests and database calls have the attributes that
 * OpenTelemetry's conventions name, and none that tells a secret */
#include "support.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "semconv.h"

static struct capture *kept;
static struct waggle_provider *provider;
static struct waggle_tracer *tracer;

static int setup(void **state)
{
    (void)state;
    unsetenv("OTEL_SEMCONV_STABILITY_OPT_IN");
    waggle__semconv_forget();
    kept = capture_new();
    provider = provider_with(kept, NULL);
    tracer = waggle_tracer_get("conventions", NULL);
    const struct waggle_propagator *w3c = &waggle_propagator_tracecontext;
    waggle_propagators_set(&w3c, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    waggle_provider_free(provider);
    capture_free(kept);
    return 0;
}

static bool get_header(void *carrier, const char *key, size_t index, const char **ret_value,
                       size_t *ret_n)
{
    const char *const *pairs = carrier;
    for (; *pairs != NULL; pairs += 2)
        if (strcmp(pairs[0], key) == 0 && index-- == 0) {
            *ret_value = pairs[1];
            *ret_n = strlen(pairs[1]);
            return true;
        }
    return false;
}

static void a_request_that_arrives(void **state)
{
    (void)state;
    static const char *const headers[] = {"traceparent",
                                          "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                          "user-agent",
                                          "curl/8",
                                          "x-forwarded-for",
                                          "203.0.113.9, 10.0.0.1",
                                          NULL};
    const waggle_http_request r = {.method = "GET",
                                   .target = "/users/7?full=1&sig=abc&x=y",
                                   .scheme = "http",
                                   .version = "1.1",
                                   .host = "shop.example:8080",
                                   .peer = "10.0.0.1",
                                   .peer_port = 4711,
                                   .get = get_header,
                                   .carrier = (void *)(uintptr_t)headers};
    waggle_context context;
    waggle_span span = waggle_http_server_start_with(tracer, &r, &context);
    waggle_span_context own;
    assert_true(waggle_context_get_span_context(&context, &own));
    waggle_context_done(&context);
    waggle_http_server_end(span, "GET", "/users/{id}", 503, NULL);
    waggle_span_data s = capture_named(kept, "GET /users/{id}");
    assert_int_equal(s.kind, WAGGLE_KIND_SERVER);
    assert_int_equal(s.trace_id[0], 0x0a);
    assert_int_equal(s.parent_span_id[0], 0xb7);
    assert_memory_equal(own.span_id, s.span_id, 8);
    static const char *const expected[][2] = {{"http.request.method", "GET"},
                                              {"url.path", "/users/7"},
                                              {"url.query", "full=1&sig=REDACTED&x=y"},
                                              {"url.scheme", "http"},
                                              {"http.route", "/users/{id}"},
                                              {"server.address", "shop.example"},
                                              {"server.port", "8080"},
                                              {"client.address", "203.0.113.9"},
                                              {"network.peer.address", "10.0.0.1"},
                                              {"network.peer.port", "4711"},
                                              {"user_agent.original", "curl/8"},
                                              {"network.protocol.version", "1.1"},
                                              {"http.response.status_code", "503"},
                                              {"error.type", "503"}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_string_equal(attr_text(&s, expected[i][0]), expected[i][1]);
    assert_int_equal(attr_count(&s), sizeof expected / sizeof expected[0]);
    assert_int_equal(s.status, WAGGLE_STATUS_ERROR);
}

static void how_requests_end(void **state)
{
    (void)state;
    waggle_http_server_end(
        waggle_http_server_start(tracer, &(waggle_http_request){.method = "POST"}), NULL, NULL, 404,
        NULL);
    waggle_span_data s = capture_named(kept, "POST");
    assert_int_equal(s.status, WAGGLE_STATUS_UNSET); // the caller's fault
    assert_string_equal(attr_text(&s, "error.type"), "");
    waggle_http_server_end(
        waggle_http_server_start(tracer, &(waggle_http_request){.method = "MAKE\nME"}), "MAKE\nME",
        "/x", 0, "timeout");
    s = capture_named(kept, "HTTP /x");
    assert_string_equal(attr_text(&s, "http.request.method"), "_OTHER");
    assert_string_equal(attr_text(&s, "http.request.method_original"), "MAKE\nME");
    assert_string_equal(attr_text(&s, "error.type"), "timeout");
    assert_true(str_is(s.status_message, "timeout"));
    assert_string_equal(attr_text(&s, "http.response.status_code"), "");
    waggle_http_server_end(waggle_http_server_start(tracer, NULL), NULL, NULL, 200, NULL);
    assert_true(capture_has(kept, "HTTP"));
}

static void put_header(void *carrier, const char *key, const char *value)
{
    snprintf(carrier, 128, "%s: %s", key, value);
}

static void a_request_that_is_sent(void **state)
{
    (void)state;
    char header[128] = "";
    char trace[33];
    const waggle_http_request r = {
        .method = "PUT", .url = "https://u:p@w@api.example/v1?AWSAccessKeyId=AKID&Signature=s#f"};
    waggle_span span = waggle_http_client_start(tracer, &r, put_header, header);
    waggle_http_client_end(span, 404, NULL);
    waggle_span_data s = capture_named(kept, "PUT");
    assert_int_equal(s.kind, WAGGLE_KIND_CLIENT);
    assert_string_equal(
        attr_text(&s, "url.full"),
        "https://REDACTED:REDACTED@api.example/v1?AWSAccessKeyId=REDACTED&Signature=REDACTED#f");
    assert_string_equal(attr_text(&s, "server.address"), "api.example");
    assert_string_equal(attr_text(&s, "server.port"), "443");
    assert_string_equal(attr_text(&s, "error.type"), "404");
    assert_int_equal(s.status, WAGGLE_STATUS_ERROR);
    waggle_trace_id_hex(s.trace_id, trace);
    assert_non_null(strstr(header, "traceparent: 00-"));
    assert_non_null(strstr(header, trace));
    static const char *const hosts[][3] = {{"http://[::1]:81/x", "::1", "81"},
                                           {"http://h", "h", "80"},
                                           {"http://h:99999999/", "h:99999999", "80"},
                                           {"nothing", "", ""}};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        capture_clear(kept);
        waggle_http_client_end(
            waggle_http_client_start(
                tracer, &(waggle_http_request){.method = "GET", .url = hosts[i][0]}, NULL, NULL),
            200, NULL);
        s = capture_named(kept, "GET");
        assert_string_equal(attr_text(&s, "server.address"), hosts[i][1]);
        assert_string_equal(attr_text(&s, "server.port"), hosts[i][2]);
    }
    static char longest[8000];
    memset(longest, 'a', sizeof longest - 1);
    memcpy(longest, "http://h/?sig=", 14);
    waggle_http_client_end(
        waggle_http_client_start(tracer, &(waggle_http_request){.method = "GET", .url = longest},
                                 NULL, NULL),
        200, NULL);
    memcpy(longest, "http://h/bbbbb", 14);
    waggle_http_client_end(
        waggle_http_client_start(tracer, &(waggle_http_request){.method = "GET", .url = longest},
                                 NULL, NULL),
        200, NULL);
}

static void a_database_call(void **state)
{
    (void)state;
    waggle_db_end(
        waggle_db_start(
            tracer,
            &(waggle_db_call){.system = "postgresql",
                              .query = "select name  from \"my users\" where id = 7 and pw='o''x'",
                              .name_space = "shop",
                              .server_address = "db",
                              .server_port = 5432}),
        NULL, NULL);
    waggle_span_data s = capture_named(kept, "SELECT my users");
    static const char *const expected[][2] = {
        {"db.system.name", "postgresql"},
        {"db.namespace", "shop"},
        {"db.query.text", "select name from \"my users\" where id = ? and pw=?"},
        {"db.operation.name", "SELECT"},
        {"db.collection.name", "my users"},
        {"db.query.summary", "SELECT my users"},
        {"server.address", "db"},
        {"server.port", "5432"}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_string_equal(attr_text(&s, expected[i][0]), expected[i][1]);
    assert_int_equal(attr_count(&s), sizeof expected / sizeof expected[0]);
    assert_int_equal(s.kind, WAGGLE_KIND_CLIENT);
    waggle_db_end(
        waggle_db_start(tracer,
                        &(waggle_db_call){.system = "redis", .operation = "GET", .text = "GET ?"}),
        "WRONGTYPE", "WRONGTYPE no list");
    s = capture_named(kept, "GET");
    assert_string_equal(attr_text(&s, "db.query.text"), "GET ?");
    assert_string_equal(attr_text(&s, "db.response.status_code"), "WRONGTYPE");
    assert_string_equal(attr_text(&s, "error.type"), "WRONGTYPE");
    assert_true(str_is(s.status_message, "WRONGTYPE no list"));
}

static void names_of_before(void **state)
{
    (void)state;
    setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "database/dup, http/old", 1);
    waggle__semconv_forget();
    waggle_http_server_end(
        waggle_http_server_start(
            tracer, &(waggle_http_request){.method = "GET", .target = "/x?y", .host = "h:1"}),
        NULL, NULL, 200, NULL);
    waggle_span_data s = capture_named(kept, "GET");
    assert_string_equal(attr_text(&s, "http.method"), "GET");
    assert_string_equal(attr_text(&s, "http.target"), "/x?y");
    assert_string_equal(attr_text(&s, "net.host.name"), "h");
    assert_string_equal(attr_text(&s, "net.host.port"), "1");
    assert_string_equal(attr_text(&s, "http.status_code"), "200");
    assert_string_equal(attr_text(&s, "http.request.method"), "");
    waggle_db_end(
        waggle_db_start(tracer, &(waggle_db_call){.system = "sqlite", .query = "DELETE FROM t"}),
        NULL, NULL);
    s = capture_named(kept, "DELETE t");
    assert_string_equal(attr_text(&s, "db.system"), "sqlite");
    assert_string_equal(attr_text(&s, "db.system.name"), "sqlite");
    assert_string_equal(attr_text(&s, "db.statement"), "DELETE FROM t");
    static const struct {
        const char *list;
        unsigned http, database;
    } lists[] = {{NULL, 1, 1},
                 {"", 1, 1},
                 {"http", 1, 1},
                 {"http/dup", 3, 1},
                 {"http,database/old", 1, 2},
                 {"http/dup,http", 3, 1},
                 {"httpx/dup , ,", 1, 1}};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        assert_int_equal(waggle__semconv_names(lists[i].list, WAGGLE__SEMCONV_HTTP), lists[i].http);
        assert_int_equal(waggle__semconv_names(lists[i].list, WAGGLE__SEMCONV_DATABASE),
                         lists[i].database);
    }
}

static void sql(void **state)
{
    (void)state;
    static const struct {
        const char *query, *told, *summary;
    } cases[] = {
        {"SELECT 1", "SELECT ?", "SELECT"},
        {"  -- note\n SELECT a.b /* x */ FROM s . t", "SELECT a.b FROM s . t", "SELECT s"},
        {"SELECT * FROM s.\"T\"", "SELECT * FROM s.\"T\"", "SELECT s.T"},
        {"INSERT INTO t(a,b) VALUES (-1.5e-3, x'ff', 'a;b')",
         "INSERT INTO t(a,b) VALUES (-?, ?, ?)", "INSERT t"},
        {"UPDATE OR IGNORE [t] SET a=$1, b=?2, c=:n", "UPDATE OR IGNORE [t] SET a=$1, b=?2, c=:n",
         "UPDATE"},
        {"CREATE TABLE IF NOT EXISTS t1 (a2 TEXT)", "CREATE TABLE IF NOT EXISTS t1 (a2 TEXT)",
         "CREATE t1"},
        {"SELECT x FROM (SELECT y FROM inner1)", "SELECT x FROM (SELECT y FROM inner1)",
         "SELECT inner1"},
        {"SELECT E'a\\'b', 'open", "SELECT ?, ?", "SELECT"},
        {"SELECT $$it's$$, $f$ $$ $f$, a", "SELECT ?, ?, a", "SELECT"},
        {"begin", "begin", "BEGIN"},
        {"; (select 1 from t)", "; (select ? from t)", "SELECT t"},
        {"SELECT \"open FROM t", "SELECT ?", "SELECT"},
        {"", "", ""},
        {"(1)", "(?)", ""},
        {"/* open", "", ""},
        {"SELECT 'x", "SELECT ?", "SELECT"},
    };
    char out[256];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t n = strlen(cases[i].query);
        assert_int_equal(waggle_sql_sanitize(cases[i].query, n, out, sizeof out),
                         strlen(cases[i].told));
        assert_string_equal(out, cases[i].told);
        assert_int_equal(waggle_sql_summary(cases[i].query, n, out, sizeof out),
                         strlen(cases[i].summary));
        assert_string_equal(out, cases[i].summary);
    }
    assert_int_equal(waggle_sql_sanitize("SELECT abc", 10, out, 9), 6);
    assert_string_equal(out, "SELECT");
    assert_int_equal(
        waggle_sql_summary("SELECT a FROM aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 60,
                           out, 32),
        7);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_request_that_arrives), T(how_requests_end), T(a_request_that_is_sent),
        T(a_database_call),        T(names_of_before),  T(sql),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
