// SPDX-License-Identifier: Apache-2.0
/* test_prometheus.c - what a scraper gets: names, types, labels, buckets, examples, in both
 * formats, and how the server behaves to all kinds of visitors */
#include "metrics_priv.h"
#include "prom.h"
#include "support.h"

#include <arpa/inet.h>
#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OPENMETRICS "application/openmetrics-text;version=1.0.0"

static struct waggle_provider *provider;
static struct waggle_reader *reader;
static struct waggle_meter *meter;
static char page[1 << 16], head[4096];
static char said[1024];

static void hear(void *self, enum waggle_level level, const char *text)
{
    (void)self;
    (void)level;
    snprintf(said, sizeof said, "%s", text);
}

static void begin(const waggle_prometheus_options *options)
{
    waggle_prometheus_options o = options != NULL ? *options : (waggle_prometheus_options){0};
    struct waggle_resource *r = waggle_resource_new();
    waggle_resource_set(r, WAGGLE_ATTRS(waggle_kv_str("service.name", "shop"),
                                        waggle_kv_str("zone", "a"), waggle_kv_i64("n", 7)));
    o.port = o.port ? o.port : -1;
    provider = waggle_provider_new(&(waggle_provider_options){.resource = r});
    reader = waggle_prometheus_reader_new(&o);
    assert_non_null(reader);
    assert_true(waggle_provider_add_reader(provider, reader));
    meter = waggle_provider_meter(provider, "lib.x", "1.2", NULL, WAGGLE_NO_ATTRS);
}

static int setup(void **state)
{
    (void)state;
    said[0] = '\0';
    waggle_set_error_handler(hear, NULL, WAGGLE_LEVEL_DEBUG);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    waggle_provider_free(provider);
    provider = NULL;
    return 0;
}

/* --- visiting ------------------------------------------------------------------------------ */

static struct sockaddr_in address(void)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)waggle_prometheus_port(reader)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int visit(void)
{
    struct sockaddr_in a = address();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* All that comes until the end, its head and its body; returns the status. */
static int hear_answer(int fd)
{
    static char all[1 << 17];
    size_t n = 0;
    for (ssize_t k; n < sizeof all - 1 && (k = recv(fd, all + n, sizeof all - 1 - n, 0)) > 0;)
        n += (size_t)k;
    all[n] = '\0';
    close(fd);
    char *body = strstr(all, "\r\n\r\n");
    assert_non_null(body);
    snprintf(head, sizeof head, "%.*s\r\n", (int)(body - all), all);
    memcpy(page, body + 4, n - (size_t)(body + 4 - all) + 1);
    return (all[9] - '0') * 100 + (all[10] - '0') * 10 + (all[11] - '0');
}

static int scrape(const char *accept)
{
    char request[512];
    int fd = visit();
    snprintf(request, sizeof request, "GET /metrics HTTP/1.1\r\nHost: x\r\n%s%s%s\r\n",
             accept != NULL ? "Accept: " : "", accept != NULL ? accept : "",
             accept != NULL ? "\r\n" : "");
    say(fd, request);
    return hear_answer(fd);
}

/* Without what waggle says of itself. */
static void own_metrics_out(void)
{
    char *w = page;
    for (char *line = page; *line != '\0';) {
        size_t n = strcspn(line, "\n") + 1;
        char one[4096];
        snprintf(one, sizeof one, "%.*s", (int)n, line);
        bool own = strstr(one, "otel_sdk_") != NULL || strstr(one, " waggle_") != NULL ||
                   strstr(one, "\nwaggle_") != NULL || strncmp(one, "waggle_", 7) == 0 ||
                   strstr(one, "otel.sdk.") != NULL || strstr(one, "\"waggle.") != NULL;
        if (!own) {
            memmove(w, line, n);
            w += n;
        }
        line += n;
    }
    *w = '\0';
}

static void expect(const char *accept, const char *wanted)
{
    assert_int_equal(scrape(accept), 200);
    own_metrics_out();
    assert_string_equal(page, wanted);
}

/* The line that begins like this, without its end; "" if there is none. */
static const char *line_of(const char *start)
{
    static char line[1024];
    const char *at = strncmp(page, start, strlen(start)) == 0 ? page : NULL;
    char marked[256];
    snprintf(marked, sizeof marked, "\n%s", start);
    if (at == NULL && (at = strstr(page, marked)) != NULL)
        at++;
    snprintf(line, sizeof line, "%.*s", at != NULL ? (int)strcspn(at, "\n") : 0,
             at != NULL ? at : "");
    return line;
}

/* --- formats ------------------------------------------------------------------------------- */

static void both_formats_of_all_kinds(void **state)
{
    (void)state;
    begin(&(waggle_prometheus_options){.resource_labels = (const char *const[]){"z*", "n"},
                                       .n_resource_labels = 2,
                                       .no_resource_labels = (const char *const[]){"n"},
                                       .n_no_resource_labels = 1});
    waggle_add(waggle_counter_new(meter, "requests", "{request}", "How \"many\"\\."), 3,
               WAGGLE_ATTRS(waggle_kv_str("http.route", "/a\"b\\\n"), waggle_kv_bool("ok", true)));
    struct waggle_instrument *h =
        waggle_instrument_new(meter, WAGGLE_HISTOGRAM, "latency",
                              &(waggle_instrument_options){
                                  .unit = "s",
                                  .is_double = true,
                                  .boundaries = (const double[]){0.1, 1, 2.5},
                                  .n_boundaries = 3,
                              });
    waggle_record_f64(h, 0.05, WAGGLE_NO_ATTRS);
    waggle_record_f64(h, 2, WAGGLE_NO_ATTRS);
    waggle_record_f64(h, 9, WAGGLE_NO_ATTRS);
    waggle_add(waggle_up_down_counter_new(meter, "queue.size", NULL, NULL), -2, WAGGLE_NO_ATTRS);
    waggle_set(waggle_gauge_new(meter, "full", "1", NULL), 1, WAGGLE_NO_ATTRS);
    expect(
        NULL,
        "# HELP target_info Target metadata\n"
        "# TYPE target_info gauge\n"
        "target_info{n=\"7\",service_name=\"shop\",zone=\"a\"} 1\n"
        "# TYPE full_ratio gauge\n"
        "full_ratio{zone=\"a\",otel_scope_name=\"lib.x\",otel_scope_version=\"1.2\"} 1\n"
        "# TYPE latency_seconds histogram\n"
        "latency_seconds_bucket{zone=\"a\",otel_scope_name=\"lib.x\",otel_scope_version=\"1.2\",le="
        "\"0.1\"} 1\n"
        "latency_seconds_bucket{zone=\"a\",otel_scope_name=\"lib.x\",otel_scope_version=\"1.2\",le="
        "\"1\"} 1\n"
        "latency_seconds_bucket{zone=\"a\",otel_scope_name=\"lib.x\",otel_scope_version=\"1.2\",le="
        "\"2.5\"} 2\n"
        "latency_seconds_bucket{zone=\"a\",otel_scope_name=\"lib.x\",otel_scope_version=\"1.2\",le="
        "\"+Inf\"} 3\n"
        "latency_seconds_sum{zone=\"a\",otel_scope_name=\"lib.x\",otel_scope_version=\"1.2\"} "
        "11.05\n"
        "latency_seconds_count{zone=\"a\",otel_scope_name=\"lib.x\",otel_scope_version=\"1.2\"} 3\n"
        "# TYPE queue_size gauge\n"
        "queue_size{zone=\"a\",otel_scope_name=\"lib.x\",otel_scope_version=\"1.2\"} -2\n"
        "# TYPE requests_total counter\n"
        "# HELP requests_total How \"many\"\\\\.\n"
        "requests_total{http_route=\"/"
        "a\\\"b\\\\\\n\",ok=\"true\",zone=\"a\",otel_scope_name=\"lib.x\",otel_scope_version=\"1."
        "2\"} 3\n");
    assert_non_null(strstr(head, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    expect(
        OPENMETRICS,
        "# TYPE target info\n"
        "# HELP target Target metadata\n"
        "target_info{n=\"7\",service_name=\"shop\",zone=\"a\"} 1\n"
        "# TYPE full_ratio gauge\n"
        "# UNIT full_ratio ratio\n"
        "full_ratio{zone=\"a\",otel_scope_name=\"lib.x\",otel_scope_version=\"1.2\"} 1\n"
        "# TYPE latency_seconds histogram\n"
        "# UNIT latency_seconds seconds\n"
        "latency_seconds_bucket{zone=\"a\",otel_scope_name=\"lib.x\",otel_scope_version=\"1.2\",le="
        "\"0.1\"} 1\n"
        "latency_seconds_bucket{zone=\"a\",otel_scope_name=\"lib.x\",otel_scope_version=\"1.2\",le="
        "\"1.0\"} 1\n"
        "latency_seconds_bucket{zone=\"a\",otel_scope_name=\"lib.x\",otel_scope_version=\"1.2\",le="
        "\"2.5\"} 2\n"
        "latency_seconds_bucket{zone=\"a\",otel_scope_name=\"lib.x\",otel_scope_version=\"1.2\",le="
        "\"+Inf\"} 3\n"
        "latency_seconds_sum{zone=\"a\",otel_scope_name=\"lib.x\",otel_scope_version=\"1.2\"} "
        "11.05\n"
        "latency_seconds_count{zone=\"a\",otel_scope_name=\"lib.x\",otel_scope_version=\"1.2\"} 3\n"
        "# TYPE queue_size gauge\n"
        "queue_size{zone=\"a\",otel_scope_name=\"lib.x\",otel_scope_version=\"1.2\"} -2\n"
        "# TYPE requests counter\n"
        "# HELP requests How \\\"many\\\"\\\\.\n"
        "requests_total{http_route=\"/"
        "a\\\"b\\\\\\n\",ok=\"true\",zone=\"a\",otel_scope_name=\"lib.x\",otel_scope_version=\"1."
        "2\"} 3\n"
        "# EOF\n");
    assert_non_null(strstr(
        head, "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"));
}

static void names_and_units(void **state)
{
    static const struct {
        const char *name, *unit, *counter, *gauge;
    } all[] = {
        {"a.b", "", "a_b_total", "a_b"},
        {"a..b-/c", "By", "a_b_c_bytes_total", "a_b_c_bytes"},
        {"a_total", "s", "a_seconds_total", "a_total_seconds"},
        {"wait.seconds", "s", "wait_seconds_total", "wait_seconds"},
        {"r", "{request}/s", "r_per_second_total", "r_per_second"},
        {"r", "By/min", "r_bytes_per_minute_total", "r_bytes_per_minute"},
        {"r", "1", "r_total", "r_ratio"},
        {"r", "widget", "r_widget_total", "r_widget"},
        {"r", "%", "r_percent_total", "r_percent"},
        {"r", "{cpu}", "r_total", "r"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        begin(NULL);
        waggle_add(waggle_counter_new(meter, all[i].name, all[i].unit, NULL), 1, WAGGLE_NO_ATTRS);
        assert_int_equal(scrape(NULL), 200);
        char type[128];
        snprintf(type, sizeof type, "# TYPE %s counter", all[i].counter);
        assert_string_equal(line_of(type), type);
        waggle_provider_free(provider);
        begin(NULL);
        waggle_set(waggle_gauge_new(meter, all[i].name, all[i].unit, NULL), 1, WAGGLE_NO_ATTRS);
        assert_int_equal(scrape(NULL), 200);
        snprintf(type, sizeof type, "# TYPE %s gauge", all[i].gauge);
        assert_string_equal(line_of(type), type);
        if (i + 1 < sizeof all / sizeof all[0])
            waggle_provider_free(provider);
    }
}

static void names_as_the_options_say(void **state)
{
    (void)state;
    static const char utf8[] = OPENMETRICS ";escaping=allow-utf-8";
    static const struct {
        enum waggle_prometheus_names names;
        const char *accept, *line;
    } all[] = {
        {WAGGLE_PROMETHEUS_UNDERSCORES, utf8, "a_b_seconds_total{k_1=\"v\"} 1"},
        {WAGGLE_PROMETHEUS_UNDERSCORES_NO_SUFFIX, NULL, "a_b{k_1=\"v\"} 1"},
        {WAGGLE_PROMETHEUS_UNDERSCORES_NO_SUFFIX, OPENMETRICS, "a_b{k_1=\"v\"} 1"},
        {WAGGLE_PROMETHEUS_UTF8, NULL, "a_b_seconds_total{k_1=\"v\"} 1"},
        {WAGGLE_PROMETHEUS_UTF8, utf8, "{\"a.b_seconds_total\",\"k.1\"=\"v\"} 1"},
        {WAGGLE_PROMETHEUS_UTF8_NO_SUFFIX, utf8, "{\"a.b\",\"k.1\"=\"v\"} 1"},
        {WAGGLE_PROMETHEUS_UTF8_NO_SUFFIX, "text/plain;version=1.0.0;escaping=allow-utf-8",
         "{\"a.b\",\"k.1\"=\"v\"} 1"},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        begin(&(waggle_prometheus_options){
            .names = all[i].names, .no_scope_labels = true, .no_target_info = true});
        waggle_add(waggle_counter_new(meter, "a.b", "s", NULL), 1,
                   WAGGLE_ATTRS(waggle_kv_str("k.1", "v")));
        assert_int_equal(scrape(all[i].accept), 200);
        assert_null(strstr(page, "target_info"));
        assert_string_equal(line_of(all[i].line), all[i].line);
        assert_string_equal(line_of("# TYPE a_b unknown"),
                            i == 2 ? "# TYPE a_b unknown"
                                   : ""); // OpenMetrics: no _total, no counter
        if (i + 1 < sizeof all / sizeof all[0])
            waggle_provider_free(provider);
    }
}

static void labels_that_collide_are_joined(void **state)
{
    (void)state;
    begin(NULL);
    const int64_t list[] = {1, 2};
    meter = waggle_provider_meter(provider, "scoped", NULL, "https://x/1",
                                  WAGGLE_ATTRS(waggle_kv_str("lib.kind", "db")));
    waggle_set(waggle_gauge_new(meter, "g", NULL, NULL), 5,
               WAGGLE_ATTRS(waggle_kv_str("a_b", "3"), waggle_kv_str("a.b", "1"),
                            waggle_kv_str("1st", "x"), waggle_kv_f64("f", 0.1),
                            waggle_kv_i64s("l", list, 2), waggle_kv_str("\xc3\xa4", "y")));
    assert_int_equal(scrape(NULL), 200);
    assert_string_equal(
        line_of("g{"),
        "g{_=\"y\",_1st=\"x\",a_b=\"1;3\",f=\"0.1\",l=\"[1,2]\",otel_scope_name=\"scoped\","
        "otel_scope_schema_url=\"https://x/1\",otel_scope_lib_kind=\"db\"} 5");
}

/* One TYPE and HELP for the metrics of one name; what has another type is left out, and told. */
static void one_name_is_one_family(void **state)
{
    (void)state;
    begin(NULL);
    struct waggle_meter *other =
        waggle_provider_meter(provider, "other", NULL, NULL, WAGGLE_NO_ATTRS);
    struct waggle_meter *third =
        waggle_provider_meter(provider, "third", NULL, NULL, WAGGLE_NO_ATTRS);
    waggle_add(waggle_counter_new(meter, "hits", NULL, "first"), 1, WAGGLE_NO_ATTRS);
    waggle_add(waggle_counter_new(meter, "zoo", NULL, NULL), 1, WAGGLE_NO_ATTRS);
    waggle_add(waggle_counter_new(other, "hits", NULL, "second"), 2, WAGGLE_NO_ATTRS);
    waggle_set(waggle_gauge_new(third, "hits_total", NULL, NULL), 3, WAGGLE_NO_ATTRS);
    assert_int_equal(scrape(NULL), 200);
    assert_non_null(strstr(page,
                           "# TYPE hits_total counter\n# HELP hits_total first\n"
                           "hits_total{otel_scope_name=\"lib.x\",otel_scope_version=\"1.2\"} 1\n"
                           "hits_total{otel_scope_name=\"other\"} 2\n# TYPE "));
    assert_non_null(strstr(said, "metrics of one name and different types"));
    said[0] = '\0';
    assert_int_equal(scrape(NULL), 200);
    assert_string_equal(said, ""); // once
}

static void exponential_buckets_are_powers_of_two(void **state)
{
    (void)state;
    begin(NULL);
    waggle_provider_add_view(
        provider, &(waggle_view){.instrument_name = "*",
                                 .aggregation = {.kind = WAGGLE_AGGREGATION_EXPONENTIAL}});
    struct waggle_instrument *h = waggle_histogram_new(meter, "h", NULL, NULL);
    const double values[] = {0, 0.3, 0.5, 1, 1.1, 1.9, 2, 2.1, 100};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        waggle_record_f64(h, values[i], WAGGLE_NO_ATTRS);
    assert_int_equal(scrape(NULL), 200);
    static const struct {
        const char *le;
        int count;
    } buckets[] = {{"0", 1}, {"0.5", 3}, {"1", 4}, {"2", 7}, {"4", 8}, {"128", 9}, {"+Inf", 9}};
    for (size_t i = 0; i < sizeof buckets / sizeof buckets[0]; i++) {
        char line[128];
        snprintf(line, sizeof line,
                 "h_bucket{otel_scope_name=\"lib.x\",otel_scope_version=\"1.2\",le=\"%s\"} %d",
                 buckets[i].le, buckets[i].count);
        assert_string_equal(line_of(line), line);
    }
    assert_non_null(
        strstr(page, "h_count{otel_scope_name=\"lib.x\",otel_scope_version=\"1.2\"} 9\n"));
}

static void examples_stand_beside_their_samples(void **state)
{
    (void)state;
    begin(&(waggle_prometheus_options){.no_scope_labels = true});
    waggle_provider_set_exemplars(provider, WAGGLE_EXEMPLARS_ALWAYS_ON);
    static const char *const keys[] = {"kept"};
    waggle_provider_add_view(provider,
                             &(waggle_view){.instrument_name = "*", .keys = keys, .n_keys = 1});
    struct waggle_instrument *c = waggle_counter_new(meter, "c", NULL, NULL);
    struct waggle_instrument *h = waggle_histogram_new(meter, "h", NULL, NULL);
    const char header[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const char trace[] = "4bf92f3577b34da6a3ce929d0e0e4736";
    const char span_id[] = "00f067aa0ba902b7";
    waggle_span_context parent;
    waggle_context context;
    assert_true(waggle_traceparent_parse(header, strlen(header), &parent));
    waggle_context_init(&context);
    waggle_context_set_remote(&context, &parent);
    waggle_scope scope = waggle_attach(&context);
    char huge[200];
    memset(huge, 'x', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    waggle_add(c, 1,
               WAGGLE_ATTRS(waggle_kv_str("kept", "k"), waggle_kv_str("user", "u7"),
                            waggle_kv_str("huge", huge)));
    waggle_record_f64(h, 7, WAGGLE_NO_ATTRS);
    assert_true(waggle_detach(scope));
    waggle_context_done(&context);
    assert_int_equal(scrape(OPENMETRICS), 200);
    char wanted[256];
    snprintf(wanted, sizeof wanted,
             "c_total{kept=\"k\"} 1 # {trace_id=\"%s\",span_id=\"%s\",user=\"u7\"} 1 ", trace,
             span_id);
    assert_non_null(strstr(page, wanted));
    snprintf(wanted, sizeof wanted, "h_bucket{le=\"10.0\"} 1 # {trace_id=\"%s\",span_id=\"%s\"} 7 ",
             trace, span_id);
    assert_non_null(strstr(page, wanted));
    assert_non_null(strstr(page, "h_bucket{le=\"5.0\"} 0\n"));
    assert_int_equal(scrape(NULL), 200); // the old format has none
    assert_null(strstr(page, "trace_id"));
}

/* Whatever a reader of differences was asked for: sums from the beginning. */
static void sums_are_cumulative(void **state)
{
    (void)state;
    const waggle_reader_options delta = {.preference = WAGGLE_PREFER_DELTA,
                                         .temporality = {[WAGGLE_COUNTER] = WAGGLE_DELTA,
                                                         [WAGGLE_UP_DOWN_COUNTER] = WAGGLE_DELTA,
                                                         [WAGGLE_HISTOGRAM] = WAGGLE_DELTA}};
    begin(&(waggle_prometheus_options){.reader = &delta, .no_scope_labels = true});
    struct waggle_instrument *c = waggle_counter_new(meter, "c", NULL, NULL);
    struct waggle_instrument *u = waggle_up_down_counter_new(meter, "u", NULL, NULL);
    struct waggle_instrument *h = waggle_histogram_new(meter, "h", NULL, NULL);
    for (int i = 1; i <= 2; i++) {
        waggle_add(c, 2, WAGGLE_NO_ATTRS);
        waggle_add(u, -3, WAGGLE_NO_ATTRS);
        waggle_record_f64(h, 1, WAGGLE_NO_ATTRS);
        assert_int_equal(scrape(NULL), 200);
        assert_string_equal(line_of("c_total "), i == 1 ? "c_total 2" : "c_total 4");
        assert_string_equal(line_of("u "), i == 1 ? "u -3" : "u -6");
        assert_string_equal(line_of("h_count "), i == 1 ? "h_count 1" : "h_count 2");
    }
}

/* --- requests ------------------------------------------------------------------------------ */

static void accept_headers_are_weighed(void **state)
{
    static const struct {
        const char *lines;
        bool openmetrics, utf8, gzip;
    } all[] = {
        {"", false, false, false},
        {"Accept: */*\r\n", false, false, false},
        {"accept: application/openmetrics-text\r\n", true, false, false},
        {"Accept: application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;"
         "version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2\r\n",
         true, false, false},
        {"Accept: application/openmetrics-text;version=0.0.1,text/plain;q=0.1\r\n", false, false,
         false},
        {"Accept: text/plain, application/openmetrics-text; q=0.999\r\n", false, false, false},
        {"Accept: application/openmetrics-text; version=1.0.0; escaping=allow-utf-8; "
         "q=0.6,text/plain;q=0.5\r\n",
         true, true, false},
        {"Accept: "
         "application/vnd.google.protobuf;q=0.9,text/"
         "plain;version=1.0.0;escaping=allow-utf-8;q=0.2\r\n",
         false, true, false},
        {"Accept-Encoding: deflate, gzip\r\n", false, false, true},
        {"Accept-Encoding: gzip;q=0\r\n", false, false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        char text[512];
        snprintf(text, sizeof text, "GET /metrics?x=1 HTTP/1.1\r\n%s\r\n", all[i].lines);
        struct waggle__prom_request r =
            waggle__prom_request_parse((waggle_str){text, strlen(text)});
        assert_int_equal(r.status, 200);
        assert_int_equal(r.openmetrics, all[i].openmetrics);
        assert_int_equal(r.utf8, all[i].utf8);
        assert_int_equal(r.gzip, all[i].gzip);
    }
}

static void visitors_of_all_kinds(void **state)
{
    (void)state;
    begin(NULL);
    assert_int_equal(scrape(NULL), 200); // before there is an instrument
    assert_non_null(strstr(page, "target_info"));
    static const struct {
        const char *request;
        int status;
    } all[] = {{"POST /metrics HTTP/1.1\r\n\r\n", 405},
               {"GET /other HTTP/1.1\r\n\r\n", 404},
               {"GET /metrics\r\n\r\n", 400},
               {"nonsense\n\n", 400},
               {"GET / HTTP/1.0\n\n", 200}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        int fd = visit();
        say(fd, all[i].request);
        assert_int_equal(hear_answer(fd), all[i].status);
    }
    int fd = visit();
    say(fd, "HEAD /metrics HTTP/1.1\r\n\r\n");
    assert_int_equal(hear_answer(fd), 200);
    assert_string_equal(page, "");
    assert_null(strstr(head, "Content-Length: 0\r\n"));
    fd = visit();
    char large[9000];
    memset(large, 'a', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    say(fd, large);
    for (int wait = 0; wait < 10 && recv(fd, page, 12, MSG_PEEK) != 12; wait++)
        continue;
    page[12] = '\0';
    assert_string_equal(page, "HTTP/1.1 400");
    close(fd);
}

/* Those who say nothing keep nobody else waiting, until all places are taken. */
static void silent_visitors_do_not_block(void **state)
{
    enum { SILENT = 15 };
    int silent[SILENT];
    (void)state;
    begin(NULL);
    for (int i = 0; i < SILENT; i++)
        silent[i] = visit();
    say(silent[0], "GET /met");
    assert_int_equal(scrape(NULL), 200);
    say(silent[0], "rics HTTP/1.1\r\nX: y\r\n\r\n");
    assert_int_equal(hear_answer(silent[0]), 200);
    for (int i = 1; i < SILENT; i++)
        close(silent[i]);
}

static void large_pages_may_be_packed(void **state)
{
    (void)state;
    begin(NULL);
    struct waggle_instrument *c = waggle_counter_new(meter, "c", NULL, NULL);
    for (int i = 0; i < 200; i++)
        waggle_add(c, 1, WAGGLE_ATTRS(waggle_kv_i64("i", i)));
    int fd = visit();
    say(fd, "GET /metrics HTTP/1.1\r\nAccept-Encoding: gzip\r\n\r\n");
    assert_int_equal(hear_answer(fd), 200);
    assert_non_null(strstr(head, "Content-Encoding: gzip\r\n"));
    assert_memory_equal(page, "\x1f\x8b", 2);
}

static void a_taken_port_is_told(void **state)
{
    (void)state;
    begin(NULL);
    assert_null(waggle_prometheus_reader_new(
        &(waggle_prometheus_options){.host = "127.0.0.1", .port = waggle_prometheus_port(reader)}));
    assert_non_null(strstr(said, "Prometheus cannot be served on 127.0.0.1:"));
    assert_null(waggle_prometheus_reader_new(
        &(waggle_prometheus_options){.host = "no.such.host.invalid", .port = -1}));
    assert_non_null(strstr(said, "no.such.host.invalid"));
    setenv("OTEL_EXPORTER_PROMETHEUS_PORT", "70000", 1);
    assert_null(waggle_prometheus_reader_new(NULL));
    unsetenv("OTEL_EXPORTER_PROMETHEUS_PORT");
}

static void the_environment_and_the_file_name_it(void **state)
{
    (void)state;
    char text[512];
    int port = 0;
    begin(NULL); // its port is free behind it
    port = waggle_prometheus_port(reader);
    waggle_provider_free(provider);
    snprintf(text, sizeof text, "%d", port);
    setenv("OTEL_METRICS_EXPORTER", "prometheus", 1);
    setenv("OTEL_TRACES_EXPORTER", "none", 1);
    setenv("OTEL_LOGS_EXPORTER", "none", 1);
    setenv("OTEL_EXPORTER_PROMETHEUS_PORT", text, 1);
    setenv("OTEL_EXPORTER_PROMETHEUS_HOST", "127.0.0.1", 1);
    assert_int_equal(waggle_init(NULL), 0);
    provider = waggle_provider_global();
    struct waggle_reader *r = (struct waggle_reader *)waggle__processor_at(
        &provider->processors[WAGGLE_SIGNAL_METRICS], 0);
    assert_int_equal(waggle_prometheus_port(r), port);
    reader = r;
    waggle_add(waggle_counter_new(waggle_meter_get("env", NULL), "c", NULL, NULL), 1,
               WAGGLE_NO_ATTRS);
    assert_int_equal(scrape(NULL), 200);
    assert_string_equal(line_of("c_total"), "c_total{otel_scope_name=\"env\"} 1");
    assert_true(waggle_shutdown(20000));
    waggle_provider_free(provider);
    static const char *const names[] = {"OTEL_METRICS_EXPORTER", "OTEL_TRACES_EXPORTER",
                                        "OTEL_LOGS_EXPORTER", "OTEL_EXPORTER_PROMETHEUS_PORT",
                                        "OTEL_EXPORTER_PROMETHEUS_HOST"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
    snprintf(text, sizeof text,
             "file_format: '1.0'\nmeter_provider:\n  readers:\n    - pull:\n        exporter:\n"
             "          prometheus/development:\n            port: %d\n"
             "            without_scope_info: true\n"
             "            translation_strategy: underscore_escaping_without_suffixes\n"
             "            with_resource_constant_labels: {included: [telemetry.sdk.name]}\n",
             port);
    struct waggle_config *c = waggle_config_parse("test.yaml", text, strlen(text));
    assert_non_null(c);
    provider = waggle_config_create(c);
    waggle_config_free(c);
    assert_non_null(provider);
    reader = (struct waggle_reader *)waggle__processor_at(
        &provider->processors[WAGGLE_SIGNAL_METRICS], 0);
    meter = waggle_provider_meter(provider, "file", NULL, NULL, WAGGLE_NO_ATTRS);
    waggle_add(waggle_counter_new(meter, "c", "s", NULL), 1, WAGGLE_NO_ATTRS);
    assert_int_equal(scrape(NULL), 200);
    assert_string_equal(line_of("c{"), "c{telemetry_sdk_name=\"waggle\"} 1");
}

/* The child does not answer in its parent's place; the parent goes on. */
static void a_child_does_not_serve(void **state)
{
    (void)state;
    begin(NULL);
    assert_int_equal(scrape(NULL), 200);
    pid_t child = fork();
    if (child == 0) {
        waggle_provider_free(provider);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(scrape(NULL), 200);
    assert_true(waggle_provider_shutdown(provider, 20000));
}

/* A program that has no descriptor left keeps the CPU; who waited is answered when there is one. */
static void nobody_can_be_accepted(void **state)
{
    struct rlimit old;
    (void)state;
    begin(NULL);
    int fd = visit();
    say(fd, "GET /metrics HTTP/1.1\r\n\r\n");
    assert_int_equal(hear_answer(fd), 200);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){64, old.rlim_max}), 0);
    int filled[64], n = 0;
    int last = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    for (int one; (one = dup(STDERR_FILENO)) >= 0;)
        filled[n++] = one;
    struct sockaddr_in a = address();
    assert_int_equal(connect(last, (struct sockaddr *)&a, sizeof a), 0);
    say(last, "GET /metrics HTTP/1.1\r\n\r\n");
    const clock_t before = clock();
    (void)poll(NULL, 0, 500);
    const clock_t spent = clock() - before;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    while (n > 0)
        close(filled[--n]);
    assert_true(spent < CLOCKS_PER_SEC / 25);
    assert_int_equal(hear_answer(last), 200);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(both_formats_of_all_kinds),
        T(names_and_units),
        T(names_as_the_options_say),
        T(labels_that_collide_are_joined),
        T(one_name_is_one_family),
        T(exponential_buckets_are_powers_of_two),
        T(examples_stand_beside_their_samples),
        T(sums_are_cumulative),
        T(accept_headers_are_weighed),
        T(visitors_of_all_kinds),
        T(silent_visitors_do_not_block),
        T(nobody_can_be_accepted),
        T(large_pages_may_be_packed),
        T(a_taken_port_is_told),
        T(the_environment_and_the_file_name_it),
        T(a_child_does_not_serve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
