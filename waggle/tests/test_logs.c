// SPDX-License-Identifier: Apache-2.0
/* test_logs.c - log records carry what was said, when, and whose they are */
#include "support.h"

#include <cmocka.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>

static struct capture *logs;
static struct capture *spans;
static struct waggle_provider *provider;
static struct waggle_logger *logger;
static struct waggle_tracer *tracer;

static void begin(const waggle_provider_options *options)
{
    logs = capture_new();
    spans = capture_new();
    provider = waggle_provider_new(options);
    assert_true(waggle_provider_add(provider, waggle_simple_processor_new(&spans->base)));
    assert_true(waggle_provider_add_log(provider, waggle_simple_processor_new(&logs->base)));
    logger = waggle_provider_logger(provider, "shop", "1", NULL, WAGGLE_NO_ATTRS);
    tracer = waggle_provider_tracer(provider, "shop", "1", NULL, WAGGLE_NO_ATTRS);
}

static int setup(void **state)
{
    (void)state;
    begin(NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    waggle_provider_free(provider);
    capture_free(logs);
    capture_free(spans);
    return 0;
}

static waggle_log_data last(void)
{
    waggle_log_data d;
    assert_true(logs->n > 0);
    assert_true(waggle_record_log(&logs->records[logs->n - 1], &d));
    return d;
}

static waggle_attr_data attr(const waggle_log_data *log, const char *key)
{
    waggle_attr_data a;
    for (waggle_cursor c = {0}; waggle_log_data_attr(log, &c, &a);)
        if (str_is(a.key, key))
            return a;
    return (waggle_attr_data){0};
}

static void a_record_says_what_it_was_told(void **state)
{
    (void)state;
    const waggle_kv map[] = {waggle_kv_str("k", "v"), waggle_kv_i64("n", 3)};
    const waggle_log_record r = {
        .time_ns = 1000,
        .observed_ns = 2000,
        .severity = WAGGLE_WARN + 2,
        .severity_text = "warning",
        .event_name = "order.placed",
        .body = waggle_value_map(map, 2),
        .attributes = WAGGLE_ATTRS(waggle_kv_str("a", "old"), waggle_kv_f64("b", 0.5),
                                   waggle_kv_str("a", "new")),
    };
    waggle_log_emit(logger, &r);
    waggle_log_data d = last();
    assert_int_equal(d.time_ns, 1000);
    assert_int_equal(d.observed_ns, 2000);
    assert_int_equal(d.severity, 15);
    assert_true(str_is(d.severity_text, "warning") && str_is(d.event_name, "order.placed"));
    assert_int_equal(d.body.type, WAGGLE_MAP);
    waggle_attr_data a;
    waggle_cursor c = {0};
    assert_true(waggle_attr_next(d.body.encoded, &c, &a) && str_is(a.key, "k") &&
                str_is(a.value.str, "v"));
    assert_true(waggle_attr_next(d.body.encoded, &c, &a) && a.value.i64 == 3);
    assert_true(str_is(attr(&d, "a").value.str, "new"));
    assert_true(attr(&d, "b").value.f64 == 0.5);
    static const uint8_t none[16];
    assert_memory_equal(d.trace_id, none, 16);
    assert_string_equal(logs->scopes[0], "shop");
    assert_int_equal(spans->n, 0);
}

static void short_forms(void **state)
{
    (void)state;
    uint64_t from = (uint64_t)time(NULL) - 5;
    waggle_log(logger, WAGGLE_INFO, "plain", WAGGLE_ATTRS(waggle_kv_i64("x", 1)));
    waggle_log_data d = last();
    assert_true(str_is(d.body.str, "plain") && d.severity == 9 && attr(&d, "x").value.i64 == 1);
    assert_in_range(d.observed_ns / 1000000000, from, from + 60);
    waggle_logf(logger, WAGGLE_ERROR, "%s failed after %d ms", "read", 7);
    d = last();
    assert_true(str_is(d.body.str, "read failed after 7 ms") && d.severity == 17);
    const waggle_log_record empty = {0};
    waggle_log_emit(logger, &empty);
    d = last();
    assert_int_equal(d.severity, 0);
    assert_int_equal(d.body.type, WAGGLE_EMPTY);
    assert_int_equal(waggle_severity_of_syslog(3), WAGGLE_ERROR);
    assert_int_equal(waggle_severity_of_syslog(0), 21);
    assert_int_equal(waggle_severity_of_syslog(7), WAGGLE_DEBUG);
}

static void records_belong_to_the_current_span(void **state)
{
    (void)state;
    waggle_span outer = waggle_span_start(tracer, "outer", NULL);
    waggle_span other = waggle_span_start(tracer, "other", NULL);
    waggle_span_context c;
    {
        WAGGLE_SPAN_SCOPE(outer);
        waggle_log(logger, WAGGLE_INFO, "in outer", WAGGLE_NO_ATTRS);
        assert_true(waggle_span_get_context(outer, &c));
        assert_memory_equal(last().trace_id, c.trace_id, 16);
        assert_memory_equal(last().span_id, c.span_id, 8);
        assert_int_equal(last().flags, c.flags);
        const waggle_log_record r = {.span = other};
        waggle_log_emit(logger, &r); // an explicit span wins
        assert_true(waggle_span_get_context(other, &c));
        assert_memory_equal(last().span_id, c.span_id, 8);
    }
    waggle_span_context remote = {.trace_id = {7}, .span_id = {8}};
    waggle_context ctx;
    waggle_context_init(&ctx);
    waggle_context_set_remote(&ctx, &remote);
    const waggle_log_record r = {.context = &ctx};
    waggle_log_emit(logger, &r);
    assert_int_equal(last().trace_id[0], 7);
    waggle_span_end(other);
    waggle_span_end(outer);
}

static void limits_and_large_records(void **state)
{
    (void)state;
    teardown(NULL);
    begin(&(waggle_provider_options){.log_limits =
                                         &(waggle_log_limits){.attributes = 2, .value_length = 3}});
    waggle_log(
        logger, WAGGLE_INFO, "a body has no such limit",
        WAGGLE_ATTRS(waggle_kv_str("a", "12345"), waggle_kv_i64("b", 1), waggle_kv_i64("c", 1)));
    waggle_log_data d = last();
    assert_true(str_is(d.body.str, "a body has no such limit"));
    assert_true(str_is(attr(&d, "a").value.str, "123"));
    assert_int_equal(d.dropped_attributes, 1);
    static char text[200000];
    memset(text, 'z', sizeof text - 1);
    waggle_log(logger, WAGGLE_INFO, text, WAGGLE_ATTRS(waggle_kv_i64("after", 1)));
    d = last();
    assert_true(d.body.str.n > 10000 && d.body.str.n < 65536); // its beginning
    assert_int_equal(attr(&d, "after").value.i64, 1);
}

static void without_processors_nothing_happens(void **state)
{
    (void)state;
    struct waggle_provider *bare = waggle_provider_new(NULL);
    struct waggle_logger *l = waggle_provider_logger(bare, "x", NULL, NULL, WAGGLE_NO_ATTRS);
    assert_false(waggle_logger_enabled(l));
    waggle_log(l, WAGGLE_INFO, "x", WAGGLE_NO_ATTRS);
    waggle_log(NULL, WAGGLE_INFO, "x", WAGGLE_NO_ATTRS);
    assert_true(waggle_logger_enabled(logger));
    waggle_provider_shutdown(provider, 1000);
    assert_false(waggle_logger_enabled(logger));
    waggle_log(logger, WAGGLE_INFO, "late", WAGGLE_NO_ATTRS);
    assert_int_equal(logs->n, 0);
    waggle_provider_free(bare);
}

static bool only_errors(struct waggle_processor *p, const waggle_scope_info *scope, int severity,
                        const char *event_name)
{
    (void)p;
    return str_is(scope->name, "picky") &&
           (severity >= WAGGLE_ERROR || (event_name != NULL && strcmp(event_name, "e") == 0));
}

/* A record is wanted if any processor wants it. */
static void processors_say_what_they_want(void **state)
{
    (void)state;
    static const struct waggle_processor_ops ops = {
        .struct_size = sizeof ops, .name = "picky", .enabled = only_errors};
    static const struct waggle_processor_ops old = {
        .struct_size = offsetof(struct waggle_processor_ops, enabled), .name = "old"};
    static struct waggle_processor picky = {&ops};
    static struct waggle_processor any = {&old};
    struct waggle_provider *p = waggle_provider_new(NULL);
    struct waggle_logger *l = waggle_provider_logger(p, "picky", NULL, NULL, WAGGLE_NO_ATTRS);
    struct waggle_logger *other = waggle_provider_logger(p, "x", NULL, NULL, WAGGLE_NO_ATTRS);
    assert_true(waggle_provider_add_log(p, &picky));
    assert_true(waggle_logger_enabled_for(l, WAGGLE_ERROR, NULL));
    assert_false(waggle_logger_enabled_for(l, WAGGLE_WARN, NULL));
    assert_true(waggle_logger_enabled_for(l, WAGGLE_WARN, "e"));
    assert_false(waggle_logger_enabled_for(other, WAGGLE_ERROR, NULL));
    assert_false(waggle_logger_enabled(l));        // not known is not enough for this one
    assert_true(waggle_provider_add_log(p, &any)); // it was made before there was the question
    assert_true(waggle_logger_enabled_for(other, WAGGLE_DEBUG, NULL));
    waggle_provider_free(p);
}

static void the_batch_of_logs(void **state)
{
    (void)state;
    struct capture *c = capture_new();
    setenv("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "10", 1);
    setenv("OTEL_BLRP_MAX_QUEUE_SIZE", "40", 1);
    setenv("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "1", 1);
    setenv("OTEL_TRACES_EXPORTER", "none", 1);
    assert_int_equal(waggle_init(&(waggle_options){.log_exporter = &c->base}), 0);
    struct waggle_logger *l = waggle_logger_get("global", NULL);
    for (int i = 0; i < 35; i++)
        waggle_log(l, WAGGLE_INFO, "x", WAGGLE_ATTRS(waggle_kv_i64("a", i), waggle_kv_i64("b", i)));
    assert_true(waggle_shutdown(20000));
    waggle_log_data d;
    assert_int_equal(c->n, 35);
    assert_true(c->largest_batch <= 10);
    assert_true(waggle_record_log(&c->records[34], &d));
    assert_int_equal(attr(&d, "a").value.i64, 34);
    assert_int_equal(d.dropped_attributes, 1);
    unsetenv("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE");
    unsetenv("OTEL_BLRP_MAX_QUEUE_SIZE");
    unsetenv("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT");
    unsetenv("OTEL_TRACES_EXPORTER");
    capture_free(c);
}

static void bridge_vlog(int severity, const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    waggle_bridge_vlog(logger, severity, file, line, NULL, format, args);
    va_end(args);
}

static void other_libraries(void **state)
{
    (void)state;
    waggle_bridge_line(logger, "Warning", "stock is low\r\n", 14);
    waggle_log_data d = last();
    assert_true(str_is(d.body.str, "stock is low") && str_is(d.severity_text, "Warning"));
    assert_int_equal(d.severity, WAGGLE_WARN);
    size_t n = logs->n;
    waggle_bridge_line(logger, NULL, "\n", 1);
    assert_int_equal(logs->n, n); // nothing in it
    bridge_vlog(WAGGLE_INFO, "/src/a.c", 7, "%d of %s", 3, "four");
    d = last();
    assert_true(str_is(d.body.str, "3 of four") &&
                str_is(attr(&d, "code.file.path").value.str, "/src/a.c"));
    assert_int_equal(attr(&d, "code.line.number").value.i64, 7);
    assert_int_equal(waggle_severity_of_name("PANIC"), WAGGLE_FATAL);
    assert_int_equal(waggle_severity_of_name("loud"), WAGGLE_SEVERITY_UNSET);
    assert_int_equal(waggle_severity_of_name(NULL), WAGGLE_SEVERITY_UNSET);
}

static void in_the_place_of_syslog(void **state)
{
    (void)state;
    waggle_provider_set_global(provider);
    waggle_openlog("shop", LOG_PID, LOG_LOCAL0, false);
    waggle_span span = waggle_span_start(tracer, "s", NULL);
    waggle_scope scope = waggle_attach_span(span);
    errno = ENOENT;
    waggle_syslog(LOG_WARNING, "100%% of %s: %m", "disk");
    assert_int_equal(errno, ENOENT);
    waggle_detach(scope);
    waggle_span_context c;
    waggle_span_get_context(span, &c);
    waggle_span_end(span);
    waggle_log_data d = last();
    assert_true(str_is(d.body.str, "100% of disk: No such file or directory"));
    assert_int_equal(d.severity, WAGGLE_WARN);
    assert_true(str_is(d.severity_text, "warning"));
    assert_true(str_is(attr(&d, "syslog.appname").value.str, "shop"));
    assert_int_equal(attr(&d, "syslog.facility.code").value.i64, 16);
    assert_memory_equal(d.trace_id, c.trace_id, 16);
    assert_string_equal(logs->scopes[logs->n - 1], "syslog");
    static char much[5000];
    memset(much, '%', sizeof much - 1);
    waggle_syslog(LOG_AUTH | LOG_EMERG, "%s %s", much, "end"); // cut
    d = last();
    assert_int_equal(d.severity, WAGGLE_FATAL);
    assert_int_equal(d.body.str.n, 2047);
    assert_int_equal(attr(&d, "syslog.facility.code").value.i64, 4);
    waggle_provider_set_global(NULL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_record_says_what_it_was_told),
        T(short_forms),
        T(records_belong_to_the_current_span),
        T(limits_and_large_records),
        T(without_processors_nothing_happens),
        T(processors_say_what_they_want),
        T(the_batch_of_logs),
        T(other_libraries),
        T(in_the_place_of_syslog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
