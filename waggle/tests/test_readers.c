// SPDX-License-Identifier: Apache-2.0
/* test_readers.c - views decide what is kept, readers when it is sent; exemplars say in which span
 * it was measured */
#include "metrics_support.h"

#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct waggle_provider *provider;
static struct waggle_reader *reader;
static struct waggle_meter *meter;
static struct collected now;

static int setup(void **state)
{
    (void)state;
    provider = waggle_provider_new(NULL);
    reader = waggle_manual_reader_new(NULL);
    assert_true(waggle_provider_add_reader(provider, reader));
    meter = waggle_provider_meter(provider, "shop", "1", NULL, WAGGLE_NO_ATTRS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    waggle_provider_free(provider);
    forget(&now);
    return 0;
}

static void view(const waggle_view *v)
{
    assert_true(waggle_provider_add_view(provider, v));
}

static struct waggle_instrument *counter(const char *name)
{
    struct waggle_instrument *c = waggle_counter_new(meter, name, "1", NULL);
    waggle_add(c, 1, WAGGLE_ATTRS(waggle_kv_str("a", "1"), waggle_kv_str("b", "x")));
    waggle_add(c, 1, WAGGLE_ATTRS(waggle_kv_str("a", "1"), waggle_kv_str("b", "y")));
    return c;
}

/* --- views --------------------------------------------------------------------------------- */

static void views_choose_by_all_they_say(void **state)
{
    (void)state;
    const waggle_aggregation drop = {.kind = WAGGLE_AGGREGATION_DROP};
    view(&(waggle_view){.instrument_name = "db.*", .aggregation = drop});
    view(&(waggle_view){.instrument_name = "ca?he", .aggregation = drop});
    view(&(waggle_view){.instrument_kind = WAGGLE_GAUGE, .aggregation = drop});
    view(&(waggle_view){.instrument_unit = "By", .aggregation = drop});
    view(&(waggle_view){.meter_name = "noise", .aggregation = drop});
    view(&(waggle_view){.meter_name = "shop", .meter_version = "2", .aggregation = drop});
    counter("db.calls");
    counter("cache");
    counter("kept");
    waggle_set(waggle_gauge_new(meter, "gauge", NULL, NULL), 1, WAGGLE_NO_ATTRS);
    waggle_add(waggle_counter_new(meter, "bytes", "By", NULL), 1, WAGGLE_NO_ATTRS);
    struct waggle_meter *noise =
        waggle_provider_meter(provider, "noise", "1", NULL, WAGGLE_NO_ATTRS);
    waggle_add(waggle_counter_new(noise, "noise", NULL, NULL), 1, WAGGLE_NO_ATTRS);
    collect(reader, &now);
    assert_int_equal(now.n, 1);
    assert_non_null(metric_of(&now, "kept"));
}

static void views_rename_and_filter(void **state)
{
    (void)state;
    static const char *const keys[] = {"a"};
    static const char *const excluded[] = {"a"};
    view(&(waggle_view){.instrument_name = "old",
                        .name = "new",
                        .description = "better",
                        .keys = keys,
                        .n_keys = 1});
    view(&(waggle_view){
        .instrument_name = "other", .excluded_keys = excluded, .n_excluded_keys = 1});
    counter("old");
    counter("other");
    collect(reader, &now);
    assert_null(metric_of(&now, "old"));
    assert_true(str_is(metric_of(&now, "new")->description, "better"));
    waggle_point_data p = point_of(&now, "new", "a", "1");
    assert_int_equal(p.i64, 2); // two sets have become one
    assert_false(has_text(&p, "b", NULL));
    assert_int_equal(points_of(&now, "other"), 2);
    p = point_of(&now, "other", "b", "x");
    assert_false(has_text(&p, "a", NULL));
}

static void several_views_make_several_series(void **state)
{
    (void)state;
    static const double bounds[] = {1};
    view(&(waggle_view){.instrument_name = "*"});
    view(&(waggle_view){.instrument_name = "size",
                        .name = "size.coarse",
                        .aggregation = {.kind = WAGGLE_AGGREGATION_EXPLICIT,
                                        .boundaries = bounds,
                                        .n_boundaries = 1,
                                        .no_min_max = true}});
    view(&(waggle_view){.instrument_name = "size",
                        .name = "size.sum",
                        .aggregation = {.kind = WAGGLE_AGGREGATION_SUM}});
    struct waggle_instrument *h = waggle_histogram_new(meter, "size", NULL, NULL);
    waggle_record_f64(h, 3, WAGGLE_NO_ATTRS);
    collect(reader, &now);
    assert_int_equal(point_of(&now, "size", NULL, NULL).bounds.n, 15 * 8);
    waggle_point_data coarse = point_of(&now, "size.coarse", NULL, NULL);
    assert_true(coarse.bounds.n == 8 && !coarse.has_min_max);
    assert_true(point_of(&now, "size.sum", NULL, NULL).f64 == 3);
    assert_int_equal(metric_of(&now, "size.sum")->type, WAGGLE_METRIC_SUM);
}

static void views_of_no_use_are_refused(void **state)
{
    (void)state;
    static const double falling[] = {2, 1};
    assert_false(waggle_provider_add_view(
        provider, &(waggle_view){.instrument_name = "*", .name = "one for all"}));
    assert_false(waggle_provider_add_view(
        provider, &(waggle_view){.aggregation = {.kind = WAGGLE_AGGREGATION_EXPLICIT,
                                                 .boundaries = falling,
                                                 .n_boundaries = 2}}));
    // An aggregation that does not fit is told, and the usual one serves.
    view(&(waggle_view){.instrument_name = "c",
                        .aggregation = {.kind = WAGGLE_AGGREGATION_LAST_VALUE}});
    counter("c");
    collect(reader, &now);
    assert_int_equal(metric_of(&now, "c")->type, WAGGLE_METRIC_SUM);
}

static void advice_yields_to_views(void **state)
{
    (void)state;
    static const char *const advised[] = {"a"};
    static const double bounds[] = {1, 2};
    static const double others[] = {7};
    const waggle_instrument_options o = {
        .keys = advised, .n_keys = 1, .boundaries = bounds, .n_boundaries = 2};
    view(&(waggle_view){.instrument_name = "overruled",
                        .aggregation = {.kind = WAGGLE_AGGREGATION_EXPLICIT,
                                        .boundaries = others,
                                        .n_boundaries = 1}});
    const waggle_attrs attrs = WAGGLE_ATTRS(waggle_kv_str("a", "1"), waggle_kv_str("b", "2"));
    waggle_record_i64(waggle_instrument_new(meter, WAGGLE_HISTOGRAM, "advised", &o), 1, attrs);
    waggle_record_i64(waggle_instrument_new(meter, WAGGLE_HISTOGRAM, "overruled", &o), 1, attrs);
    collect(reader, &now);
    waggle_point_data p = point_of(&now, "advised", "a", "1");
    assert_true(p.bounds.n == 16 && !has_text(&p, "b", NULL));
    assert_int_equal(point_of(&now, "overruled", NULL, NULL).bounds.n, 8);
}

static void limits_of_reader_and_view(void **state)
{
    (void)state;
    struct waggle_reader *small =
        waggle_manual_reader_new(&(waggle_reader_options){.cardinality_limit = 5});
    assert_true(waggle_provider_add_reader(provider, small));
    view(&(waggle_view){.instrument_name = "tiny", .cardinality_limit = 3});
    struct waggle_instrument *c = waggle_counter_new(meter, "c", NULL, NULL);
    struct waggle_instrument *tiny = waggle_counter_new(meter, "tiny", NULL, NULL);
    for (int i = 0; i < 10; i++) {
        const waggle_kv kv = waggle_kv_i64("i", i);
        waggle_add(c, 1, waggle_attrs_of(&kv, 1));
        waggle_add(tiny, 1, waggle_attrs_of(&kv, 1));
    }
    collect(small, &now);
    assert_int_equal(points_of(&now, "c"), 5);
    assert_int_equal(points_of(&now, "tiny"), 3);
    assert_int_equal(point_of(&now, "c", "otel.metric.overflow", NULL).i64, 6);
    collect(reader, &now);
    assert_int_equal(points_of(&now, "c"), 10);
}

static void a_reader_has_aggregations_of_its_own(void **state)
{
    (void)state;
    struct waggle_reader *r = waggle_manual_reader_new(&(waggle_reader_options){
        .aggregation = {[WAGGLE_HISTOGRAM] = {.kind = WAGGLE_AGGREGATION_EXPONENTIAL},
                        [WAGGLE_COUNTER] = {.kind = WAGGLE_AGGREGATION_DROP}}});
    assert_true(waggle_provider_add_reader(provider, r));
    waggle_record_i64(waggle_histogram_new(meter, "h", NULL, NULL), 1, WAGGLE_NO_ATTRS);
    counter("c");
    collect(r, &now);
    assert_int_equal(metric_of(&now, "h")->type, WAGGLE_METRIC_EXPONENTIAL);
    assert_null(metric_of(&now, "c"));
    collect(reader, &now);
    assert_int_equal(metric_of(&now, "h")->type, WAGGLE_METRIC_HISTOGRAM);
}

/* --- exemplars ----------------------------------------------------------------------------- */

static size_t exemplars_of(const waggle_point_data *p, waggle_exemplar_data *ret_last)
{
    waggle_exemplar_data e;
    size_t n = 0;
    for (waggle_cursor at = {0}; waggle_point_data_exemplar(p, &at, &e); n++)
        *ret_last = e;
    return n;
}

static void exemplars_name_the_sampled_span(void **state)
{
    (void)state;
    static const char *const keys[] = {"kept"};
    struct capture *spans = capture_new();
    assert_true(waggle_provider_add(provider, waggle_simple_processor_new(&spans->base)));
    view(&(waggle_view){.instrument_name = "h", .keys = keys, .n_keys = 1});
    struct waggle_instrument *h = waggle_histogram_new(meter, "h", NULL, NULL);
    struct waggle_tracer *t = waggle_provider_tracer(provider, "shop", NULL, NULL, WAGGLE_NO_ATTRS);
    uint64_t from = (uint64_t)time(NULL) - 5;
    waggle_record_f64(h, 1, WAGGLE_NO_ATTRS); // in no span
    waggle_span s = waggle_span_start(t, "s", NULL);
    waggle_span_context c;
    assert_true(waggle_span_get_context(s, &c));
    {
        WAGGLE_SPAN_SCOPE(s);
        waggle_record_f64(h, 7, WAGGLE_ATTRS(waggle_kv_str("kept", "k"), waggle_kv_i64("user", 9)));
        waggle_record_f64(h, 300, WAGGLE_ATTRS(waggle_kv_str("kept", "k")));
    }
    waggle_span_end(s);
    collect(reader, &now);
    waggle_point_data p = point_of(&now, "h", "kept", "k");
    waggle_exemplar_data e;
    waggle_attr_data a;
    assert_int_equal(exemplars_of(&p, &e), 2); // one a bucket
    assert_memory_equal(e.trace_id, c.trace_id, 16);
    assert_memory_equal(e.span_id, c.span_id, 8);
    assert_true(e.is_double && e.f64 == 300);
    assert_in_range(e.time_ns / 1000000000, from, from + 60);
    assert_true(waggle_point_data_exemplar(&p, &(waggle_cursor){0}, &e));
    assert_true(e.f64 == 7 && waggle_exemplar_data_attr(&e, &(waggle_cursor){0}, &a));
    assert_true(str_is(a.key, "user") && a.value.i64 == 9); // what the view took away
    collect(reader, &now);
    p = point_of(&now, "h", "kept", "k");
    assert_int_equal(exemplars_of(&p, &e), 0); // they were told
    waggle_provider_free(provider);
    capture_free(spans);
    setup(NULL);
}

static void exemplars_of_any_measurement_or_none(void **state)
{
    (void)state;
    waggle_exemplar_data e;
    waggle_provider_set_exemplars(provider, WAGGLE_EXEMPLARS_ALWAYS_ON);
    view(&(waggle_view){.instrument_name = "without", .no_exemplars = true});
    view(&(waggle_view){.instrument_name = "exponential",
                        .aggregation = {.kind = WAGGLE_AGGREGATION_EXPONENTIAL}});
    struct waggle_instrument *h = waggle_histogram_new(meter, "exponential", NULL, NULL);
    for (int i = 0; i < 1000; i++)
        waggle_record_f64(h, i, WAGGLE_NO_ATTRS);
    waggle_add(waggle_counter_new(meter, "with", NULL, NULL), 4, WAGGLE_NO_ATTRS);
    waggle_add(waggle_counter_new(meter, "without", NULL, NULL), 4, WAGGLE_NO_ATTRS);
    collect(reader, &now);
    waggle_point_data p = point_of(&now, "with", NULL, NULL);
    static const uint8_t none[16];
    assert_int_equal(exemplars_of(&p, &e), 1);
    assert_true(e.i64 == 4 && !e.is_double);
    assert_memory_equal(e.trace_id, none, 16);
    p = point_of(&now, "without", NULL, NULL);
    assert_int_equal(exemplars_of(&p, &e), 0);
    p = point_of(&now, "exponential", NULL, NULL);
    assert_int_equal(exemplars_of(&p, &e), 20); // a fixed number, of all that were measured
    waggle_provider_set_exemplars(provider, WAGGLE_EXEMPLARS_ALWAYS_OFF);
    waggle_add(waggle_counter_new(meter, "off", NULL, NULL), 4, WAGGLE_NO_ATTRS);
    collect(reader, &now);
    p = point_of(&now, "off", NULL, NULL);
    assert_int_equal(exemplars_of(&p, &e), 0);
}

/* --- the periodic reader ------------------------------------------------------------------- */

static struct waggle_instrument *with_periodic(struct capture *c, const waggle_reader_options *o)
{
    assert_true(waggle_provider_add_reader(provider, waggle_periodic_reader_new(&c->base, o)));
    return waggle_counter_new(meter, "c", NULL, NULL);
}

static void the_interval_sends_and_so_does_the_end(void **state)
{
    (void)state;
    struct capture *c = capture_new();
    struct waggle_instrument *i = with_periodic(c, &(waggle_reader_options){.interval_ms = 5});
    waggle_add(i, 1, WAGGLE_NO_ATTRS);
    wait_for(capture_count(c) > 3); // more than one collection
    assert_true(waggle_provider_shutdown(provider, 20000));
    assert_int_equal(c->n_shutdowns, 1);
    assert_false(c->overlapped);
    size_t n = c->n;
    waggle_add(i, 1, WAGGLE_NO_ATTRS);
    assert_false(waggle_instrument_enabled(i));
    assert_int_equal(c->n, n);
    waggle_provider_free(provider);
    capture_free(c);
    setup(NULL);
}

static void a_flush_sends_at_once(void **state)
{
    (void)state;
    struct capture *c = capture_new();
    struct waggle_instrument *i =
        with_periodic(c, &(waggle_reader_options){.interval_ms = 3600000});
    waggle_add(i, 5, WAGGLE_NO_ATTRS);
    assert_true(waggle_provider_flush(provider, 20000));
    assert_true(c->n > 0);
    waggle_stats before;
    waggle_stats after;
    waggle_get_stats(&before, sizeof before);
    c->result = WAGGLE_EXPORT_FAILED;
    assert_true(waggle_provider_flush(provider, 20000));
    waggle_get_stats(&after, sizeof after);
    assert_true(after.points_failed > before.points_failed);
    assert_int_equal(after.points_exported, before.points_exported);
    c->result = WAGGLE_EXPORT_OK;
    capture_close(c, true); // an exporter that does not come back: a flush ends in its time
    assert_false(waggle_provider_flush(provider, 50));
    capture_close(c, false);
    waggle_provider_free(provider);
    capture_free(c);
    setup(NULL);
}

static int count_in_child(struct waggle_instrument *i)
{
    waggle_add(i, 3, WAGGLE_NO_ATTRS);
    return waggle_provider_flush(provider, 20000) && waggle_provider_shutdown(provider, 20000) ? 0
                                                                                               : 1;
}

/* The child of a fork counts from zero, and sends what it counted. */
static void a_child_counts_anew(void **state)
{
    (void)state;
    struct capture *c = capture_new();
    struct waggle_instrument *i =
        with_periodic(c, &(waggle_reader_options){.interval_ms = 3600000});
    waggle_add(i, 100, WAGGLE_NO_ATTRS);
    assert_true(waggle_provider_flush(provider, 20000));
    if (UNDER_TSAN)
        skip();
    pid_t pid = fork();
    if (pid == 0) {
        capture_clear(c);
        int rc = count_in_child(i);
        waggle_metric_data m;
        waggle_point_data p = {0};
        for (size_t k = 0; k < c->n; k++)
            if (waggle_record_metric(&c->records[k], &m) && str_is(m.name, "c"))
                (void)waggle_metric_data_point(&m, &(waggle_cursor){0}, &p);
        _exit(rc != 0 ? rc : p.i64 == 3 ? 0 : 2);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    waggle_add(i, 1, WAGGLE_NO_ATTRS);
    collect(reader, &now);
    assert_int_equal(point_of(&now, "c", NULL, NULL).i64, 101); // the parent goes on
    waggle_provider_free(provider);
    capture_free(c);
    setup(NULL);
}

/* --- the environment ----------------------------------------------------------------------- */

static void the_environment_sets_the_reader(void **state)
{
    (void)state;
    struct capture *c = capture_new();
    setenv("OTEL_METRIC_EXPORT_INTERVAL", "5", 1);
    setenv("OTEL_METRIC_EXPORT_TIMEOUT", "1000", 1);
    setenv("OTEL_TRACES_EXPORTER", "none", 1);
    setenv("OTEL_LOGS_EXPORTER", "none", 1);
    setenv("OTEL_METRICS_EXEMPLAR_FILTER", "always_on", 1);
    setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "Delta", 1);
    setenv("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
           "base2_exponential_bucket_histogram", 1);
    struct waggle_instrument *early =
        waggle_histogram_new(waggle_meter_get("env", NULL), "h", NULL, NULL);
    assert_int_equal(waggle_init(&(waggle_options){.metric_exporter = &c->base}), 0);
    waggle_record_f64(early, 2, WAGGLE_NO_ATTRS);
    wait_for(capture_count(c) > 0);
    assert_true(waggle_shutdown(20000));
    bool found = false;
    for (size_t i = 0; i < c->n; i++) {
        waggle_metric_data m;
        waggle_point_data p;
        waggle_exemplar_data e;
        assert_true(waggle_record_metric(&c->records[i], &m));
        if (!str_is(m.name, "h"))
            continue;
        found = true;
        assert_int_equal(m.type, WAGGLE_METRIC_EXPONENTIAL);
        assert_int_equal(m.temporality, WAGGLE_DELTA);
        assert_true(waggle_metric_data_point(&m, &(waggle_cursor){0}, &p));
        assert_int_equal(exemplars_of(&p, &e), 1);
    }
    assert_true(found);
    setenv("OTEL_METRICS_EXPORTER", "none", 1);
    assert_int_equal(waggle_init(NULL), 0);
    assert_false(waggle_instrument_enabled(early)); // nobody would hear of it
    waggle_shutdown(1000);
    capture_free(c);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(views_choose_by_all_they_say),
        T(views_rename_and_filter),
        T(several_views_make_several_series),
        T(views_of_no_use_are_refused),
        T(advice_yields_to_views),
        T(limits_of_reader_and_view),
        T(a_reader_has_aggregations_of_its_own),
        T(exemplars_name_the_sampled_span),
        T(exemplars_of_any_measurement_or_none),
        T(the_interval_sends_and_so_does_the_end),
        T(a_flush_sends_at_once),
        T(a_child_counts_anew),
        T(the_environment_sets_the_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
