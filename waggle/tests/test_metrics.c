// SPDX-License-Identifier: Apache-2.0
/* test_metrics.c - what is measured is what is collected, for each instrument and aggregation */
#include "metrics_support.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

static struct waggle_provider *provider;
static struct waggle_reader *reader; /* cumulative */
static struct waggle_reader *delta;
static struct waggle_meter *meter;
static struct collected now, later;

static int setup(void **state)
{
    (void)state;
    provider = waggle_provider_new(NULL);
    reader = waggle_manual_reader_new(NULL);
    delta = waggle_manual_reader_new(&(waggle_reader_options){.preference = WAGGLE_PREFER_DELTA});
    assert_true(waggle_provider_add_reader(provider, reader));
    assert_true(waggle_provider_add_reader(provider, delta));
    meter = waggle_provider_meter(provider, "shop", "1", "https://example.com/1", WAGGLE_NO_ATTRS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    waggle_provider_free(provider);
    forget(&now);
    forget(&later);
    return 0;
}

static void a_counter_adds_up(void **state)
{
    (void)state;
    struct waggle_instrument *c = waggle_counter_new(meter, "orders", "{order}", "Orders placed");
    waggle_add(c, 2, WAGGLE_ATTRS(waggle_kv_str("by", "card"), waggle_kv_i64("shop", 7)));
    waggle_add(c, 3, WAGGLE_ATTRS(waggle_kv_i64("shop", 7), waggle_kv_str("by", "card")));
    waggle_add(c, 10, WAGGLE_ATTRS(waggle_kv_str("by", "cash"), waggle_kv_i64("shop", 7)));
    waggle_add(c, -5, WAGGLE_ATTRS(waggle_kv_str("by", "cash"), waggle_kv_i64("shop", 7)));
    waggle_add_f64(c, 1.9, WAGGLE_NO_ATTRS);
    waggle_add_f64(c, NAN, WAGGLE_NO_ATTRS);
    waggle_record_i64(c, 100, WAGGLE_NO_ATTRS); // not what a counter is for
    waggle_set(c, 100, WAGGLE_NO_ATTRS);
    collect(reader, &now);
    const waggle_metric_data *m = metric_of(&now, "orders");
    assert_non_null(m);
    assert_true(str_is(m->unit, "{order}") && str_is(m->description, "Orders placed"));
    assert_int_equal(m->type, WAGGLE_METRIC_SUM);
    assert_true(m->is_monotonic && m->temporality == WAGGLE_CUMULATIVE);
    assert_string_equal(now.scopes[0], "shop");
    assert_int_equal(points_of(&now, "orders"), 3);
    assert_int_equal(point_of(&now, "orders", "by", "card").i64, 5);
    assert_int_equal(point_of(&now, "orders", "by", "cash").i64, 10);
    waggle_point_data p = point_of(&now, "orders", "by", "card");
    assert_true(p.start_ns > 0 && p.start_ns <= p.time_ns && !p.is_double);
    waggle_add(c, 1, WAGGLE_ATTRS(waggle_kv_str("by", "card"), waggle_kv_i64("shop", 7)));
    collect(reader, &later);
    assert_int_equal(point_of(&later, "orders", "by", "card").i64, 6);
    assert_int_equal(point_of(&later, "orders", "by", "card").start_ns, p.start_ns);
    assert_int_equal(point_of(&later, "orders", "by", "cash").i64, 10); // unchanged, still told
}

static void up_down_counters_go_down(void **state)
{
    (void)state;
    struct waggle_instrument *c = waggle_up_down_counter_new(meter, "queue", "1", NULL);
    waggle_add(c, 5, WAGGLE_NO_ATTRS);
    waggle_add(c, -7, WAGGLE_NO_ATTRS);
    struct waggle_instrument *d = waggle_instrument_new(
        meter, WAGGLE_UP_DOWN_COUNTER, "level", &(waggle_instrument_options){.is_double = true});
    waggle_add_f64(d, 0.5, WAGGLE_NO_ATTRS);
    waggle_add(d, -1, WAGGLE_NO_ATTRS);
    collect(delta, &now);
    assert_int_equal(point_of(&now, "queue", NULL, NULL).i64, -2);
    assert_true(point_of(&now, "level", NULL, NULL).f64 == -0.5);
    assert_true(point_of(&now, "level", NULL, NULL).is_double);
    assert_false(metric_of(&now, "queue")->is_monotonic);
    assert_int_equal(metric_of(&now, "queue")->temporality, WAGGLE_CUMULATIVE); // also here
}

static void gauges_keep_the_last(void **state)
{
    (void)state;
    struct waggle_instrument *g = waggle_gauge_new(meter, "temperature", "Cel", NULL);
    waggle_set(g, 20, WAGGLE_ATTRS(waggle_kv_str("room", "a")));
    waggle_set(g, -3, WAGGLE_ATTRS(waggle_kv_str("room", "a")));
    waggle_set(g, 7, WAGGLE_ATTRS(waggle_kv_str("room", "b")));
    collect(reader, &now);
    assert_int_equal(metric_of(&now, "temperature")->type, WAGGLE_METRIC_GAUGE);
    assert_int_equal(metric_of(&now, "temperature")->temporality, 0);
    assert_int_equal(point_of(&now, "temperature", "room", "a").i64, -3);
    assert_int_equal(point_of(&now, "temperature", "room", "b").i64, 7);
}

static void histograms_count_by_buckets(void **state)
{
    (void)state;
    static const double bounds[] = {1, 10, 100};
    struct waggle_instrument *h = waggle_instrument_new(
        meter, WAGGLE_HISTOGRAM, "size",
        &(waggle_instrument_options){.boundaries = bounds, .n_boundaries = 3});
    waggle_record_i64(h, 1, WAGGLE_NO_ATTRS); // belongs to the bucket it bounds
    waggle_record_i64(h, 2, WAGGLE_NO_ATTRS);
    waggle_record_i64(h, 10, WAGGLE_NO_ATTRS);
    waggle_record_i64(h, 101, WAGGLE_NO_ATTRS);
    collect(reader, &now);
    waggle_point_data p = point_of(&now, "size", NULL, NULL);
    static const uint64_t expected[] = {1, 2, 0, 1};
    assert_int_equal(p.count, 4);
    assert_true(p.has_sum && p.sum == 114 && p.has_min_max && p.min == 1 && p.max == 101);
    uint64_t n;
    double upper;
    size_t i = 0;
    for (waggle_cursor at = {0}; waggle_bucket_next(&p, &at, &n, &upper); i++) {
        assert_int_equal(n, expected[i]);
        assert_true(i == 3 ? isinf(upper) : upper == bounds[i]);
    }
    assert_int_equal(i, 4);
    struct waggle_instrument *usual = waggle_histogram_new(meter, "duration", "s", NULL);
    waggle_record_f64(usual, 7500, WAGGLE_NO_ATTRS);
    waggle_record_f64(usual, INFINITY, WAGGLE_NO_ATTRS); // no measurement
    collect(reader, &now);
    p = point_of(&now, "duration", NULL, NULL);
    assert_int_equal(p.count, 1);
    assert_int_equal(p.bounds.n / 8, 15);
}

/* --- exponential histograms ---------------------------------------------------------------- */

static struct waggle_instrument *exponential(const char *name, uint32_t max_size)
{
    assert_true(waggle_provider_add_view(
        provider, &(waggle_view){.instrument_name = name,
                                 .aggregation = {.kind = WAGGLE_AGGREGATION_EXPONENTIAL,
                                                 .max_size = max_size}}));
    return waggle_histogram_new(meter, name, NULL, NULL);
}

/* The bucket that holds v, by the definition: (base^i, base^(i+1)]. */
static void assert_bucket_holds(int scale, int index, double v)
{
    double exponent = log2(v) * ldexp(1, scale);
    double near = 1e-6 * (1 + fabs(exponent));
    if (fabs(exponent - rint(exponent)) > near) // else either side of the bound may be it
        assert_int_equal(index, (int)ceil(exponent) - 1);
}

static void exponential_buckets_are_where_they_should(void **state)
{
    (void)state;
    struct waggle_instrument *h = exponential("e", 160);
    static const double values[] = {1, 2, 0.5, 1.5, 3.14159, 1e-3, 1e300, 5e-324, 1024, 1000.1};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        const waggle_kv kv = waggle_kv_i64("i", (int64_t)i);
        waggle_record_f64(h, values[i], waggle_attrs_of(&kv, 1));
    }
    collect(reader, &now);
    const waggle_metric_data *m = metric_of(&now, "e");
    assert_int_equal(m->type, WAGGLE_METRIC_EXPONENTIAL);
    waggle_point_data p;
    size_t n = 0;
    for (waggle_cursor at = {0}; waggle_metric_data_point(m, &at, &p); n++) {
        waggle_attr_data a;
        uint64_t count = 0;
        assert_true(waggle_point_data_attr(&p, &(waggle_cursor){0}, &a));
        assert_int_equal(p.scale, 20); // one value fits at the finest
        assert_true(waggle_count_next(p.positive, &(waggle_cursor){0}, &count) && count == 1);
        assert_bucket_holds(20, p.positive_offset, values[a.value.i64]);
    }
    assert_int_equal(n, sizeof values / sizeof values[0]);
}

static uint64_t sum_of_counts(waggle_str counts, size_t *ret_n)
{
    uint64_t n;
    uint64_t sum = 0;
    *ret_n = 0;
    for (waggle_cursor at = {0}; waggle_count_next(counts, &at, &n); ++*ret_n)
        sum += n;
    return sum;
}

static void exponential_scales_fit_the_values(void **state)
{
    (void)state;
    struct waggle_instrument *h = exponential("range", 21);
    for (int i = 0; i <= 1000; i++)
        waggle_record_f64(h, i, WAGGLE_NO_ATTRS);
    for (int i = 1; i <= 10; i++)
        waggle_record_f64(h, -i, WAGGLE_NO_ATTRS);
    collect(reader, &now);
    waggle_point_data p = point_of(&now, "range", NULL, NULL);
    size_t n_positive = 0;
    size_t n_negative = 0;
    assert_int_equal(p.count, 1011);
    assert_int_equal(p.zero_count, 1);
    assert_int_equal(p.scale, 1); // ten powers of two in at most 21 buckets
    assert_int_equal(sum_of_counts(p.positive, &n_positive), 1000);
    assert_int_equal(sum_of_counts(p.negative, &n_negative), 10);
    assert_true(n_positive <= 21 && n_negative <= 21);
    assert_true(p.min == -10 && p.max == 1000);
    // Bucket by bucket, against the definition.
    uint64_t expected[64] = {0};
    for (int i = 1; i <= 1000; i++)
        expected[(int)ceil(log2(i) * 2 - 1e-9) - 1 - p.positive_offset]++;
    uint64_t n;
    size_t i = 0;
    for (waggle_cursor at = {0}; waggle_count_next(p.positive, &at, &n); i++)
        assert_int_equal(n, expected[i]);
    // Values far away on either side.
    waggle_record_f64(h, 1e300, WAGGLE_NO_ATTRS);
    waggle_record_f64(h, 1e-300, WAGGLE_NO_ATTRS);
    collect(reader, &now);
    p = point_of(&now, "range", NULL, NULL);
    assert_int_equal(sum_of_counts(p.positive, &n_positive), 1002);
    assert_true(p.scale < 0 && n_positive <= 21);
}

/* --- temporality --------------------------------------------------------------------------- */

static void differences_begin_anew(void **state)
{
    (void)state;
    struct waggle_instrument *c = waggle_counter_new(meter, "c", NULL, NULL);
    struct waggle_instrument *h = waggle_histogram_new(meter, "h", NULL, NULL);
    waggle_add(c, 5, WAGGLE_ATTRS(waggle_kv_str("k", "v")));
    waggle_record_f64(h, 3, WAGGLE_NO_ATTRS);
    collect(delta, &now);
    assert_int_equal(metric_of(&now, "c")->temporality, WAGGLE_DELTA);
    assert_int_equal(point_of(&now, "c", "k", "v").i64, 5);
    waggle_add(c, 2, WAGGLE_ATTRS(waggle_kv_str("k", "v")));
    waggle_record_f64(h, 4, WAGGLE_NO_ATTRS);
    collect(delta, &later);
    assert_int_equal(point_of(&later, "c", "k", "v").i64, 2);
    assert_int_equal(point_of(&later, "c", "k", "v").start_ns,
                     point_of(&now, "c", "k", "v").time_ns);
    waggle_point_data p = point_of(&later, "h", NULL, NULL);
    assert_true(p.count == 1 && p.sum == 4 && p.min == 4 && p.max == 4);
    collect(delta, &later);
    assert_null(metric_of(&later, "c")); // nothing happened
    collect(reader, &later);
    assert_int_equal(point_of(&later, "c", "k", "v").i64, 7); // the other reader has its own
    waggle_add(c, 1, WAGGLE_ATTRS(waggle_kv_str("k", "v")));
    collect(delta, &later);
    assert_int_equal(point_of(&later, "c", "k", "v").i64,
                     1); // its point was given back, and came again
}

static void low_memory_keeps_no_old_values(void **state)
{
    (void)state;
    struct waggle_reader *r = waggle_manual_reader_new(
        &(waggle_reader_options){.preference = WAGGLE_PREFER_LOW_MEMORY,
                                 .temporality = {[WAGGLE_HISTOGRAM] = WAGGLE_CUMULATIVE}});
    assert_true(waggle_provider_add_reader(provider, r));
    waggle_add(waggle_counter_new(meter, "c", NULL, NULL), 1, WAGGLE_NO_ATTRS);
    waggle_add(waggle_up_down_counter_new(meter, "u", NULL, NULL), 1, WAGGLE_NO_ATTRS);
    waggle_record_f64(waggle_histogram_new(meter, "h", NULL, NULL), 1, WAGGLE_NO_ATTRS);
    collect(r, &now);
    assert_int_equal(metric_of(&now, "c")->temporality, WAGGLE_DELTA);
    assert_int_equal(metric_of(&now, "u")->temporality, WAGGLE_CUMULATIVE);
    assert_int_equal(metric_of(&now, "h")->temporality, WAGGLE_CUMULATIVE); // said for its kind
}

/* --- observable instruments ---------------------------------------------------------------- */

struct watched {
    struct waggle_instrument *sum, *level, *foreign;
    int64_t value;
    bool gone;
    int calls;
};

static void watch(void *self, struct waggle_observer *o)
{
    struct watched *w = self;
    w->calls++;
    waggle_observe(o, w->sum, w->value, WAGGLE_ATTRS(waggle_kv_str("cpu", "0")));
    if (!w->gone)
        waggle_observe(o, w->sum, 2 * w->value, WAGGLE_ATTRS(waggle_kv_str("cpu", "1")));
    waggle_observe_f64(o, w->level, (double)w->value / 2, WAGGLE_NO_ATTRS);
    waggle_observe(o, w->foreign, 1, WAGGLE_NO_ATTRS);
}

static void callbacks_say_what_is(void **state)
{
    (void)state;
    const waggle_instrument_options doubles = {.is_double = true};
    struct watched w = {
        .sum = waggle_instrument_new(meter, WAGGLE_OBSERVABLE_COUNTER, "cpu.time", NULL),
        .level = waggle_instrument_new(meter, WAGGLE_OBSERVABLE_GAUGE, "load", &doubles),
        .foreign = waggle_instrument_new(meter, WAGGLE_OBSERVABLE_GAUGE, "foreign", NULL),
        .value = 10,
    };
    struct waggle_instrument *both[] = {w.sum, w.level};
    struct waggle_callback *callback = waggle_callback_new(both, 2, watch, &w);
    assert_non_null(callback);
    collect(reader, &now);
    assert_int_equal(point_of(&now, "cpu.time", "cpu", "1").i64, 20);
    assert_true(metric_of(&now, "cpu.time")->is_monotonic);
    assert_true(point_of(&now, "load", NULL, NULL).f64 == 5);
    assert_null(metric_of(&now, "foreign")); // not one of its instruments
    collect(delta, &now);
    assert_int_equal(point_of(&now, "cpu.time", "cpu", "0").i64, 10);
    w.value = 13;
    w.gone = true;
    collect(delta, &now);
    assert_int_equal(metric_of(&now, "cpu.time")->temporality, WAGGLE_DELTA);
    assert_int_equal(point_of(&now, "cpu.time", "cpu", "0").i64, 3);
    assert_int_equal(points_of(&now, "cpu.time"), 1); // the other was not observed
    collect(reader, &now);
    assert_int_equal(point_of(&now, "cpu.time", "cpu", "0").i64, 13);
    int calls = w.calls;
    waggle_callback_remove(callback);
    collect(reader, &now);
    assert_null(metric_of(&now, "cpu.time"));
    assert_int_equal(w.calls, calls);
}

static void remove_itself(void *self, struct waggle_observer *o)
{
    struct watched *w = self;
    (void)o;
    w->calls++;
    waggle_callback_remove((struct waggle_callback *)(uintptr_t)w->value);
}

static void a_callback_may_remove_itself(void **state)
{
    (void)state;
    struct watched w = {.level =
                            waggle_instrument_new(meter, WAGGLE_OBSERVABLE_GAUGE, "load", NULL)};
    w.value = (int64_t)(uintptr_t)waggle_callback_new(&w.level, 1, remove_itself, &w);
    collect(reader, &now);
    collect(reader, &now);
    assert_int_equal(w.calls, 1);
}

/* --- attributes ---------------------------------------------------------------------------- */

static void every_type_sets_series_apart(void **state)
{
    (void)state;
    static const int64_t ints[] = {1, 2};
    static const int64_t others[] = {1, 3};
    struct waggle_instrument *c = waggle_counter_new(meter, "c", NULL, NULL);
    for (int i = 0; i < 2; i++) {
        waggle_add(c, 1, WAGGLE_NO_ATTRS);
        waggle_add(c, 1, WAGGLE_ATTRS(waggle_kv_str("a", "1")));
        waggle_add(c, 1, WAGGLE_ATTRS(waggle_kv_i64("a", 1)));
        waggle_add(c, 1, WAGGLE_ATTRS(waggle_kv_f64("a", 1)));
        waggle_add(c, 1, WAGGLE_ATTRS(waggle_kv_bool("a", true)));
        waggle_add(c, 1, WAGGLE_ATTRS(waggle_kv_bytes("a", "1", 1)));
        waggle_add(c, 1, WAGGLE_ATTRS(waggle_kv_i64s("a", ints, 2)));
        waggle_add(c, 1, WAGGLE_ATTRS(waggle_kv_i64s("a", others, 2)));
        waggle_add(c, 1, WAGGLE_ATTRS(waggle_kv_str("a", NULL)));
    }
    collect(reader, &now);
    assert_int_equal(points_of(&now, "c"), 9);
    waggle_point_data p;
    waggle_attr_data a;
    size_t lists = 0;
    for (waggle_cursor at = {0}; waggle_metric_data_point(metric_of(&now, "c"), &at, &p);) {
        assert_int_equal(p.i64, 2);
        if (!waggle_point_data_attr(&p, &(waggle_cursor){0}, &a) || a.value.type != WAGGLE_LIST)
            continue;
        waggle_value_data v;
        waggle_cursor in = {0};
        assert_true(waggle_value_next(a.value.encoded, &in, &v) && v.i64 == 1);
        assert_true(waggle_value_next(a.value.encoded, &in, &v) && (v.i64 == 2 || v.i64 == 3));
        lists++;
    }
    assert_int_equal(lists, 2);
}

static void the_last_of_a_key_counts(void **state)
{
    (void)state;
    struct waggle_instrument *c = waggle_counter_new(meter, "c", NULL, NULL);
    waggle_add(c, 1, WAGGLE_ATTRS(waggle_kv_str("a", "old"), waggle_kv_str("a", "new")));
    waggle_add(c, 1, WAGGLE_ATTRS(waggle_kv_str("a", "new")));
    waggle_add(c, 1, WAGGLE_ATTRS(waggle_kv_str("", "no key"), waggle_kv_str("a", "new")));
    collect(reader, &now);
    assert_int_equal(points_of(&now, "c"), 1);
    assert_int_equal(point_of(&now, "c", "a", "new").i64, 3);
}

static void cardinality_has_a_limit(void **state)
{
    (void)state;
    struct waggle_instrument *c = waggle_counter_new(meter, "c", NULL, NULL);
    for (int i = 0; i < 5000; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        waggle_add(c, 1, WAGGLE_ATTRS(waggle_kv_str("user", text)));
    }
    waggle_add(c, 1, WAGGLE_ATTRS(waggle_kv_str("user", "0")));
    collect(reader, &now);
    assert_int_equal(points_of(&now, "c"), 2000);
    assert_int_equal(point_of(&now, "c", "user", "0").i64, 2);
    assert_int_equal(point_of(&now, "c", "otel.metric.overflow", NULL).i64, 5000 - 1999);
    // Differences forget who was not there: the next interval has room for others.
    collect(delta, &now);
    collect(delta, &now);
    assert_null(metric_of(&now, "c"));
    for (int i = 10000; i < 10500; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        waggle_add(c, 1, WAGGLE_ATTRS(waggle_kv_str("user", text)));
    }
    collect(delta, &now);
    assert_int_equal(points_of(&now, "c"), 500);
    assert_int_equal(point_of(&now, "c", "user", "10499").i64, 1);
}

/* --- instruments and meters ---------------------------------------------------------------- */

static void a_meter_without_a_name_works(void **state)
{
    (void)state;
    struct waggle_meter *m = waggle_provider_meter(provider, NULL, NULL, NULL, WAGGLE_NO_ATTRS);
    assert_ptr_equal(m, waggle_provider_meter(provider, "", NULL, NULL, WAGGLE_NO_ATTRS));
    waggle_add(waggle_counter_new(m, "c", NULL, NULL), 3, WAGGLE_NO_ATTRS);
    collect(reader, &now);
    assert_int_equal(point_of(&now, "c", NULL, NULL).i64, 3);
    assert_string_equal(now.scopes[0], ""); // as it was given
}

static void look_at_resource(void *self, const waggle_batch *batch)
{
    waggle_attr_data a;
    for (waggle_cursor c = {0}; waggle_attr_next(batch->resource->attributes, &c, &a);)
        *(bool *)self |= str_is(a.key, "service.name") && str_is(a.value.str, "measured");
}

static void the_resource_goes_with_the_metrics(void **state)
{
    (void)state;
    bool found = false;
    struct waggle_resource *resource = waggle_resource_new();
    waggle_resource_set(resource, WAGGLE_ATTRS(waggle_kv_str("service.name", "measured")));
    struct waggle_provider *p =
        waggle_provider_new(&(waggle_provider_options){.resource = resource});
    struct waggle_reader *r = waggle_manual_reader_new(NULL);
    assert_true(waggle_provider_add_reader(p, r));
    struct waggle_meter *m = waggle_provider_meter(p, "m", NULL, NULL, WAGGLE_NO_ATTRS);
    waggle_add(waggle_counter_new(m, "c", NULL, NULL), 1, WAGGLE_NO_ATTRS);
    assert_true(waggle_reader_collect(r, look_at_resource, &found));
    assert_true(found);
    waggle_provider_free(p);
}

static size_t n_told;
static char told[256];

static void hear(void *self, enum waggle_level level, const char *text)
{
    (void)self;
    (void)level;
    n_told++;
    snprintf(told, sizeof told, "%s", text);
}

static void names_are_checked(void **state)
{
    (void)state;
    waggle_set_error_handler(hear, NULL, WAGGLE_LEVEL_WARN);
    n_told = 0;
    struct waggle_instrument *bad = waggle_counter_new(meter, "9 lives", NULL, NULL);
    assert_non_null(bad);
    waggle_add(bad, 1, WAGGLE_NO_ATTRS);
    assert_int_equal(n_told, 1);
    assert_false(waggle_instrument_enabled(bad));
    assert_ptr_equal(waggle_counter_new(meter, "same", "s", "d"),
                     waggle_counter_new(meter, "SAME", "s", "d"));
    assert_int_equal(n_told, 1);
    struct waggle_instrument *first = waggle_counter_new(meter, "Orders", NULL, NULL);
    struct waggle_instrument *twice = waggle_histogram_new(meter, "orders", NULL, NULL);
    assert_int_equal(n_told, 2);
    assert_non_null(strstr(told, "twice"));
    waggle_add(first, 1, WAGGLE_NO_ATTRS);
    waggle_record_f64(twice, 1, WAGGLE_NO_ATTRS); // works, under the first one's name
    struct waggle_meter *other =
        waggle_provider_meter(provider, "other", NULL, NULL, WAGGLE_NO_ATTRS);
    waggle_add(waggle_counter_new(other, "orders", NULL, NULL), 5, WAGGLE_NO_ATTRS);
    assert_int_equal(n_told, 2); // of another meter: no conflict
    collect(reader, &now);
    size_t same_name = 0;
    for (size_t i = 0; i < now.n; i++)
        same_name += str_is(now.metrics[i].name, "Orders");
    assert_int_equal(same_name, 2);
    assert_int_equal(point_of(&now, "orders", NULL, NULL).i64, 5);
    waggle_set_error_handler(NULL, NULL, WAGGLE_LEVEL_NONE);
}

static void without_an_sdk_nothing_is_kept(void **state)
{
    (void)state;
    struct waggle_meter *global = waggle_meter_get("early", "1");
    struct waggle_instrument *c = waggle_counter_new(global, "early", NULL, NULL);
    waggle_add(c, 1, WAGGLE_NO_ATTRS);
    waggle_add(NULL, 1, WAGGLE_NO_ATTRS);
    assert_false(waggle_instrument_enabled(c));
    assert_null(waggle_counter_new(NULL, "x", NULL, NULL));
    waggle_provider_set_global(provider);
    assert_true(waggle_instrument_enabled(c));
    waggle_add(c, 2, WAGGLE_NO_ATTRS);
    collect(reader, &now);
    assert_int_equal(point_of(&now, "early", NULL, NULL).i64, 2);
    waggle_provider_shutdown(provider, 1000);
    assert_false(waggle_instrument_enabled(c));
    waggle_add(c, 2, WAGGLE_NO_ATTRS);
    assert_false(waggle_reader_collect(reader, keep_batch, &now));
}

static void own_counters_are_metrics(void **state)
{
    (void)state;
    struct capture *c = capture_new();
    struct waggle_provider *p = waggle_provider_new(NULL);
    waggle_reader_options o = {.interval_ms = 3600000};
    assert_true(waggle_provider_add_reader(p, waggle_periodic_reader_new(&c->base, &o)));
    struct waggle_tracer *t = waggle_provider_tracer(p, "x", NULL, NULL, WAGGLE_NO_ATTRS);
    waggle_span_end(waggle_span_start(t, "x", NULL));
    assert_true(waggle_provider_flush(p, 20000));
    assert_int_equal(c->n, 0); // a program that measures nothing sends nothing
    struct waggle_meter *m = waggle_provider_meter(p, "x", NULL, NULL, WAGGLE_NO_ATTRS);
    waggle_add(waggle_counter_new(m, "x", NULL, NULL), 1, WAGGLE_NO_ATTRS);
    assert_true(waggle_provider_flush(p, 20000));
    waggle_stats s;
    waggle_get_stats(&s, sizeof s);
    bool started = false;
    for (size_t i = 0; i < c->n; i++) {
        waggle_metric_data metric;
        waggle_point_data point;
        assert_true(waggle_record_metric(&c->records[i], &metric));
        if (!str_is(metric.name, "otel.sdk.span.started"))
            continue;
        assert_true(waggle_metric_data_point(&metric, &(waggle_cursor){0}, &point));
        assert_int_equal(point.i64, s.started);
        assert_string_equal(c->scopes[i], "waggle");
        started = true;
    }
    assert_true(started);
    assert_true(s.points_exported > 0);
    waggle_provider_free(p);
    capture_free(c);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_counter_adds_up),
        T(up_down_counters_go_down),
        T(gauges_keep_the_last),
        T(histograms_count_by_buckets),
        T(exponential_buckets_are_where_they_should),
        T(exponential_scales_fit_the_values),
        T(differences_begin_anew),
        T(low_memory_keeps_no_old_values),
        T(callbacks_say_what_is),
        T(a_callback_may_remove_itself),
        T(every_type_sets_series_apart),
        T(the_last_of_a_key_counts),
        T(cardinality_has_a_limit),
        T(a_meter_without_a_name_works),
        T(the_resource_goes_with_the_metrics),
        T(names_are_checked),
        T(without_an_sdk_nothing_is_kept),
        T(own_counters_are_metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
