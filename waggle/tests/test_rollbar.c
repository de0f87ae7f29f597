// SPDX-License-Identifier: Apache-2.0
/* test_rollbar.c - errors as items: what they hold, which records become one, how each answer of
 * the service is taken */
#include "support.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "frames.h"
#include "sdk_priv.h"

static struct waggle_provider *provider;
static struct waggle_tracer *tracer;
static struct waggle_logger *logger;
static struct sink *sink;
static char said[512];

static void hear(void *self, enum waggle_level level, const char *text)
{
    (void)self;
    (void)level;
    snprintf(said, sizeof said, "%s", text);
}

/* One letter a request, the last for all further ones. As the service answers (rollbar/
 * terraform-provider-rollbar's recordings): 0 taken, 9 over the limit, L large, 3 busy, 5, 2. */
static size_t rollbar_answers(void *self, size_t n, const struct sink_request *r, char *ret,
                              size_t cap)
{
    static const struct {
        char letter;
        const char *head, *body;
    } answers[] = {
        {'0', "200 OK\r\nX-Rate-Limit-Remaining-Seconds: 60",
         "{\"err\":0,\"result\":{\"id\":null,\"uuid\":\"x\"}}"},
        {'9',
         "429 Too Many Requests\r\nX-Rate-Limit-Remaining: 0\r\nX-Rate-Limit-Remaining-Seconds: 40",
         "{\"err\":1,\"message\":\"over the limit\"}"},
        {'L', "413 Too Large", "{\"err\":1,\"message\":\"too large\"}"},
        {'3', "503 Busy\r\nRetry-After: 0", ""},
        {'5', "500 Oops", "{\"err\":1,\"message\":\"internal\"}"},
        {'2', "422 No", "{\"err\":1,\"message\":\"body is wrong\"}"},
    };
    const char *script = self;
    char c = script[n < strlen(script) ? n : strlen(script) - 1];
    (void)r;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        if (answers[i].letter == c)
            return (size_t)snprintf(ret, cap, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s",
                                    answers[i].head, strlen(answers[i].body), answers[i].body);
    abort();
}

static void begin(const char *script, waggle_rollbar_options o)
{
    waggle_set_error_handler(hear, NULL, WAGGLE_LEVEL_DEBUG);
    said[0] = '\0';
    sink = sink_start(0, rollbar_answers, (void *)(uintptr_t)script);
    char endpoint[128];
    snprintf(endpoint, sizeof endpoint, "%s/api/1/", sink_url(sink));
    o.endpoint = endpoint;
    o.access_token = o.access_token ? o.access_token : "0123456789abcdef0123456789abcdef";
    struct waggle_resource *r = waggle_resource_new();
    waggle_resource_set(r, WAGGLE_ATTRS(waggle_kv_str("service.name", "shop"),
                                        waggle_kv_str("service.version", "1.2.3"),
                                        waggle_kv_str("host.name", "web1"),
                                        waggle_kv_i64("process.pid", 77),
                                        waggle_kv_str("os.type", "linux"),
                                        waggle_kv_str("deployment.environment.name", "staging")));
    provider = waggle_provider_new(&(waggle_provider_options){.resource = r});
    assert_true(waggle_provider_add(provider,
                                    waggle_simple_processor_new(waggle_rollbar_exporter_new(&o))));
    assert_true(waggle_provider_add_log(
        provider, waggle_simple_processor_new(waggle_rollbar_exporter_new(&o))));
    tracer = waggle_provider_tracer(provider, "shop", NULL, NULL, WAGGLE_NO_ATTRS);
    logger = waggle_provider_logger(provider, "shop", NULL, NULL, WAGGLE_NO_ATTRS);
}

static void finish(void)
{
    waggle_provider_free(provider);
    sink_stop(sink);
}

/* The n-th request's body as text; it must be of the right kind. */
static const char *item(size_t n)
{
    const struct sink_request *r = sink_request_at(sink, n);
    assert_int_equal(strncmp(r->head, "POST /api/1/item/ HTTP/1.1\r\n", 28), 0);
    assert_non_null(
        strstr(r->head, "\r\nX-Rollbar-Access-Token: 0123456789abcdef0123456789abcdef\r\n"));
    assert_non_null(strstr(r->head, "\r\nContent-Type: application/json\r\n"));
    r->body[r->body_n] = '\0';
    return (const char *)r->body;
}

#define has(text, what)     assert_non_null(strstr(text, what))
#define has_not(text, what) assert_null(strstr(text, what))

static void error(const char *text)
{
    waggle_log(logger, WAGGLE_ERROR, text, WAGGLE_NO_ATTRS);
}

static void an_exception_of_a_span(void **state)
{
    (void)state;
    char expected[160];
    waggle_span_context c;
    char trace[33];
    char id[17];
    begin("0", (waggle_rollbar_options){.root = "/src", .branch = "main", .framework = "mhd"});
    waggle_span s =
        waggle_span_start(tracer, "GET /cart", &(waggle_span_opts){.kind = WAGGLE_KIND_SERVER});
    waggle_span_set(
        s, WAGGLE_ATTRS(waggle_kv_str("http.request.method", "GET"),
                        waggle_kv_str("url.full", "http://h/cart?x=1"),
                        waggle_kv_str("client.address", "203.0.113.9"),
                        waggle_kv_str("http.request.header.user-agent", "curl/8"),
                        waggle_kv_str("http.request.header.authorization", "Basic c2VjcmV0"),
                        waggle_kv_str("http.route", "/cart"), waggle_kv_str("user.id", "42"),
                        waggle_kv_str("user.email", "a@b.c"), waggle_kv_i64("cart.items", 3),
                        waggle_kv_str("db.password", "hunter2")));
    waggle_span_exception(s, "EIO", "disk \"gone\"",
                          "    #0 0x1394 in total /src/cart.c:12:5\n"
                          "    #1 0x2f00 in std::f(int, char) (/srv/app+0x2f00) (BuildId: 6f0a)\n"
                          "    #2 0x3000 (/srv/app+0x3000) (BuildId: 6f0a)\n",
                          WAGGLE_NO_ATTRS);
    waggle_span_get_context(s, &c);
    waggle_span_end(s);
    assert_int_equal(sink_requests(sink), 1);
    const char *d = item(0);
    has(d, "{\"data\":{\"environment\":\"staging\",\"level\":\"error\",\"timestamp\":");
    has(d, "\"platform\":\"linux\",\"language\":\"c\",\"framework\":\"mhd\",\"code_version\":\"1.2."
           "3\",\"uuid\":\"");
    has(d, "\"context\":\"/cart\"");
    has(d, "\"trace\":{\"frames\":[{\"filename\":\"/srv/app\",\"method\":\"app+0x3000\",\"module\":"
           "\"/srv/app\",\"offset\":\"0x3000\",\"build_id\":\"6f0a\"},"
           "{\"filename\":\"/srv/app\",\"method\":\"std::f(int, char)\",\"module\":\"/srv/app\","
           "\"offset\":\"0x2f00\",\"build_id\":\"6f0a\"},"
           "{\"filename\":\"/src/cart.c\",\"lineno\":12,\"colno\":5,\"method\":\"total\"}],"
           "\"exception\":{\"class\":\"EIO\",\"message\":\"disk \\\"gone\\\"\"}}");
    has(d,
        "\"request\":{\"method\":\"GET\",\"url\":\"http://h/cart?x=1\",\"user_ip\":"
        "\"203.0.113.9\",\"headers\":{\"user-agent\":\"curl/8\",\"authorization\":\"********\"}}");
    has(d, "\"person\":{\"id\":\"42\",\"email\":\"a@b.c\"}");
    has(d, "\"server\":{\"host\":\"web1\",\"pid\":77,\"service\":\"shop\",\"root\":\"/"
           "src\",\"branch\":\"main\"}");
    waggle_trace_id_hex(c.trace_id, trace);
    waggle_span_id_hex(c.span_id, id);
    snprintf(expected, sizeof expected,
             "\"custom\":{\"trace_id\":\"%s\",\"span_id\":\"%s\",\"span_name\":\"GET /cart\"",
             trace, id);
    has(d, expected);
    has(d, "\"cart.items\":3");
    has(d, "\"db.password\":\"********\"");
    snprintf(expected, sizeof expected,
             "\"attributes\":[{\"key\":\"execution_scope_id\",\"value\":\"%s\"}]", trace);
    has(d, expected);
    has(d, "\"notifier\":{\"name\":\"waggle\",\"version\":\"" WAGGLE_VERSION "\"}}}");
    has_not(d, "hunter2");
    has_not(d, "c2VjcmV0");
    finish();
}

static void log_records(void **state)
{
    (void)state;
    begin("0", (waggle_rollbar_options){.min_severity = WAGGLE_WARN});
    waggle_log(logger, WAGGLE_DEBUG, "one", WAGGLE_NO_ATTRS);
    waggle_log(logger, WAGGLE_INFO, "two", WAGGLE_NO_ATTRS);
    assert_int_equal(sink_requests(sink), 0);
    waggle_log(logger, WAGGLE_WARN, "stock is low",
               WAGGLE_ATTRS(waggle_kv_i64("left", 2),
                            waggle_kv_str("log.record.uid", "b4063889-0000-4000-8000-000000000000"),
                            waggle_kv_str("rollbar.fingerprint", "stock")));
    const char *d = item(0);
    has(d, "\"level\":\"warning\"");
    has(d, "\"uuid\":\"b4063889-0000-4000-8000-000000000000\"");
    has(d, "\"fingerprint\":\"stock\",\"body\":{\"message\":{\"body\":\"stock is "
           "low\"},\"telemetry\":[");
    has(d, "{\"level\":\"debug\",\"type\":\"log\",\"source\":\"server\",\"timestamp_ms\":");
    has(d, "\"body\":{\"message\":\"one\"}},{\"level\":\"info\"");
    has(d, "\"custom\":{\"left\":2}");
    waggle_log(logger, WAGGLE_FATAL, "all is lost",
               WAGGLE_ATTRS(waggle_kv_str("exception.type", "SIGSEGV"),
                            waggle_kv_str("code.file.path", "/src/a.c"),
                            waggle_kv_str("code.function.name", "f"),
                            waggle_kv_i64("code.line.number", 7)));
    d = item(1);
    has(d, "\"level\":\"critical\"");
    has(d, "\"trace\":{\"frames\":[{\"filename\":\"/src/a.c\",\"lineno\":7,\"method\":\"f\"}],"
           "\"exception\":{\"class\":\"SIGSEGV\",\"message\":\"all is lost\"}}}");
    has_not(d, "telemetry"); // it went with the one before
    waggle_log_emit(logger, &(waggle_log_record){.severity = WAGGLE_INFO,
                                                 .event_name = "waggle.error",
                                                 .body = waggle_value_str("said so")});
    has(item(2), "\"level\":\"info\"");
    waggle_log_emit(logger,
                    &(waggle_log_record){.severity = WAGGLE_ERROR,
                                         .body = waggle_value_str("python"),
                                         .attributes = WAGGLE_ATTRS(waggle_kv_str(
                                             "exception.stacktrace", "Traceback: not ours"))});
    has(item(3), "\"frames\":[],\"exception\":{\"class\":\"Error\",\"message\":\"python\"},"
                 "\"extra\":");
    assert_int_equal(sink_requests(sink), 4);
    finish();
}

static void answers(void **state)
{
    (void)state;
    waggle_stats a;
    waggle_stats b;
    begin("3352L002", (waggle_rollbar_options){0});
    waggle_get_stats(&a, sizeof a);
    error("busy twice, then refused: not sent again");
    assert_int_equal(sink_requests(sink), 3);
    has(said, "internal");
    error("refused");
    assert_int_equal(sink_requests(sink), 4);
    has(said, "body is wrong");
    waggle_log(logger, WAGGLE_ERROR, "too large, then small", WAGGLE_ATTRS(waggle_kv_i64("k", 1)));
    assert_int_equal(sink_requests(sink), 6);
    has(item(4), "\"k\":1");
    has_not(item(5), "\"k\":1");
    has(item(5), "too large, then small");
    error("taken");
    waggle_get_stats(&b, sizeof b);
    assert_int_equal(b.dropped_rejected - a.dropped_rejected, 2);
    assert_int_equal(b.exported - a.exported, 2);
    finish();
}

/* A clock that stands where it is put. */
static uint64_t clock_ns;

static uint64_t put_clock(void)
{
    return clock_ns;
}

static void a_limit_stops_all_until_it_is_over(void **state)
{
    (void)state;
    waggle_stats a;
    waggle_stats b;
    const struct waggle__os real = waggle__os;
    clock_ns = waggle__monotonic();
    waggle__os.monotonic_ns = put_clock;
    begin("90", (waggle_rollbar_options){0});
    waggle_get_stats(&a, sizeof a);
    error("one too many");
    has(said, "rate limit");
    clock_ns += UINT64_C(39000000000);
    error("held back"); // for as long as the answer said
    assert_int_equal(sink_requests(sink), 1);
    clock_ns += UINT64_C(1000000000);
    error("after it");
    assert_int_equal(sink_requests(sink), 2);
    waggle_get_stats(&b, sizeof b);
    assert_int_equal(b.dropped_rejected - a.dropped_rejected, 2);
    finish();
    waggle__os = real;
}

static void a_minute_has_a_limit_of_our_own(void **state)
{
    (void)state;
    const struct waggle__os real = waggle__os;
    clock_ns = waggle__monotonic();
    waggle__os.monotonic_ns = put_clock;
    begin("0", (waggle_rollbar_options){.items_per_minute = 2});
    for (int i = 0; i < 5; i++)
        error("again");
    assert_int_equal(sink_requests(sink), 2);
    has(said, "2 Rollbar items in a minute");
    clock_ns += UINT64_C(60000000000);
    error("in the next one");
    assert_int_equal(sink_requests(sink), 3);
    finish();
    waggle__os = real;
}

static void what_it_is_told(void **state)
{
    (void)state;
    waggle_set_error_handler(hear, NULL, WAGGLE_LEVEL_ERROR);
    unsetenv("ROLLBAR_ACCESS_TOKEN");
    assert_null(waggle_rollbar_exporter_new(NULL));
    has(said, "token");
    assert_null(waggle_rollbar_exporter_new(
        &(waggle_rollbar_options){.access_token = "a\r\nb", .endpoint = "http://h/"}));
    setenv("ROLLBAR_ACCESS_TOKEN", "t", 1);
    assert_null(waggle_rollbar_exporter_new(NULL)); // https, and there is no TLS
    has(said, "Rollbar endpoint https://api.rollbar.com/api/1/item/");
    static const char *const good[] = {"http://h", "http://h/api/1", "http://h/api/1/item",
                                       "http://h/api/1/item/"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        setenv("ROLLBAR_ENDPOINT", good[i], 1);
        struct waggle_exporter *e = waggle_rollbar_exporter_new(NULL);
        assert_non_null(e);
        e->ops->free(e);
    }
    unsetenv("ROLLBAR_ENDPOINT");
    unsetenv("ROLLBAR_ACCESS_TOKEN");
}

/* --- stack traces as text ----------------------------------------------------------------------
 */

static void is_frame(const char *line, const char *function, const char *file, uint32_t at,
                     const char *module, uint64_t offset, const char *build_id)
{
    struct waggle__frame f;
    waggle_cursor c = {0};
    assert_true(waggle__frame_next((waggle_str){line, strlen(line)}, &c, &f));
    assert_true(str_is(f.function, function));
    assert_true(str_is(f.file, file));
    assert_int_equal(f.line, at);
    assert_true(str_is(f.module, module));
    assert_int_equal(f.offset, offset);
    assert_true(str_is(f.build_id, build_id));
}

static void frames(void **state)
{
    (void)state;
    is_frame("#1  0x00005555 in total (cart=0x0) at src/cart.c:12", "total", "src/cart.c", 12, "",
             0, "");
    is_frame("#2  0x7fff in start_thread () from /lib/libc.so.6", "start_thread", "", 0,
             "/lib/libc.so.6", 0, "");
    is_frame("#0 main () at a.c:3", "main", "a.c", 3, "", 0, "");
    is_frame("    #0 0x4f1 in total /src/cart.c:12:5", "total", "/src/cart.c", 12, "", 0, "");
    is_frame("    #0 0x4f1 in operator()(int) const /src/a b.cc:12", "operator()(int) const /src/a",
             "b.cc", 12, "", 0, "");
    is_frame("#3 0x4f1  (/srv/app+0x4f1) (BuildId: 6f)\r\n", "", "", 0, "/srv/app", 0x4f1, "6f");
    is_frame("./app(total+0x12) [0x5581c0]", "total", "", 0, "./app", 0, "");
    is_frame("./app(+0x1394) [0x5581c0]", "", "", 0, "./app", 0x1394, "");
    static const char *const none[] = {"",
                                       "#",
                                       "#x",
                                       "#1",
                                       "#1 ",
                                       "#1 0x",
                                       "#1 0x12 nonsense",
                                       "Error: at x",
                                       "#0 0x1 (+0x1)",
                                       "#0 0x1 (a+0x)",
                                       "#0 f :1",
                                       "(+0x1) [0x1]",
                                       "a b(c) [0x1]"};
    struct waggle__frame f;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        waggle_cursor c = {0};
        assert_false(waggle__frame_next((waggle_str){none[i], strlen(none[i])}, &c, &f));
    }
    struct waggle__buf out;
    waggle__buf_init(&out, 4096);
    static const char text[] =
        "    #0 0x0 in a /f.c:3\n    #1 0x9 in b (/m+0x9) (BuildId: 12)\n    #2 0x7 (/m+0x7)\n";
    waggle_cursor c = {0};
    for (unsigned i = 0; waggle__frame_next((waggle_str){text, sizeof text - 1}, &c, &f); i++)
        waggle__frame_write(&out, i, &f);
    assert_int_equal(out.n, sizeof text - 1);
    assert_memory_equal(out.p, text, out.n);
    waggle__buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exception_of_a_span),
        cmocka_unit_test(log_records),
        cmocka_unit_test(answers),
        cmocka_unit_test(a_limit_stops_all_until_it_is_over),
        cmocka_unit_test(a_minute_has_a_limit_of_our_own),
        cmocka_unit_test(what_it_is_told),
        cmocka_unit_test(frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
