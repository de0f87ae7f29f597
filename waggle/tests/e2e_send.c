// SPDX-License-Identifier: Apache-2.0
/*
 * e2e_send.c - records a fixed set of spans and says as JSON what it recorded
 *
 * The end-to-end tests (tests/e2e/waggle.test.mjs) run it against skep and against a receiver of
 * their own, as a user's program: configured by OTEL_* alone, the parent taken from TRACEPARENT.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef WITH_TLS
#include <waggle/tls.h>
#endif
#include <waggle/waggle.h>

static void print_span(const char *name, waggle_span span, uint64_t start_ns, uint64_t end_ns,
                       bool last)
{
    waggle_span_context c;
    char trace[33];
    char id[17];
    if (!waggle_span_get_context(span, &c))
        exit(3);
    waggle_trace_id_hex(c.trace_id, trace);
    waggle_span_id_hex(c.span_id, id);
    printf("\"%s\":{\"traceId\":\"%s\",\"spanId\":\"%s\",\"flags\":%d,\"startNs\":\"%" PRIu64
           "\",\"endNs\":\"%" PRIu64 "\"}%s",
           name, trace, id, c.flags, start_ns, end_ns, last ? "" : ",");
}

static void print_header(void *self, const char *key, const char *value)
{
    int *n = self;
    printf("%s\"%s\":\"%s\"", (*n)++ ? "," : "", key, value);
}

static void set_all_types(waggle_span s)
{
    static const char *const strs[] = {"a", "b c", ""};
    static const bool bools[] = {true, false};
    static const int64_t ints[] = {1, -2, 3};
    static const double doubles[] = {0.5, -1.25};
    static const char bytes[] = {0, 1, (char)0xff};
    waggle_span_set(
        s, WAGGLE_ATTRS(
               waggle_kv_str("text", "h\xc3\xa4llo \"w\xc3\xb6rld\"\n"), waggle_kv_str("empty", ""),
               waggle_kv_str("text.number", "200"), waggle_kv_i64("int", 42),
               waggle_kv_i64("int.negative", -7), waggle_kv_f64("double", 1.5),
               waggle_kv_bool("bool.true", true), waggle_kv_bool("bool.false", false),
               waggle_kv_bytes("bytes", bytes, sizeof bytes), waggle_kv_strs("array.text", strs, 3),
               waggle_kv_bools("array.bool", bools, 2), waggle_kv_i64s("array.int", ints, 3),
               waggle_kv_f64s("array.double", doubles, 2)));
}

static void observe(void *self, struct waggle_observer *o)
{
    struct waggle_instrument **i = self;
    waggle_observe(o, i[0], 12345678901, WAGGLE_ATTRS(waggle_kv_str("state", "user")));
    waggle_observe(o, i[0], 7, WAGGLE_ATTRS(waggle_kv_str("state", "system")));
    waggle_observe_f64(o, i[1], 0.75, WAGGLE_NO_ATTRS);
    waggle_observe(o, i[2], -4, WAGGLE_NO_ATTRS);
}

/* What tests/e2e/waggle_metrics.test.mjs measures with npm's SDK, too. */
static void measure(void)
{
    static const char *const tags[] = {"x", "y"};
    static const double bounds[] = {1, 10, 100};
    const waggle_instrument_options doubles = {.is_double = true, .unit = "By"};
    struct waggle_meter *m =
        waggle_meter_get_with("waggle-e2e", "0.9", "https://example.com/schema/1", WAGGLE_NO_ATTRS);
    struct waggle_instrument *orders = waggle_counter_new(m, "orders", "{order}",
                                                          "Orders pl\xc3\xa4"
                                                          "ced");
    waggle_add(orders, 2, WAGGLE_ATTRS(waggle_kv_str("by", "card"), waggle_kv_i64("shop", 7)));
    waggle_add(orders, 40, WAGGLE_ATTRS(waggle_kv_str("by", "card"), waggle_kv_i64("shop", 7)));
    waggle_add(orders, 1,
               WAGGLE_ATTRS(waggle_kv_bool("new", true), waggle_kv_f64("rate", 0.5),
                            waggle_kv_strs("tags", tags, 2)));
    waggle_add(orders, 3, WAGGLE_NO_ATTRS);
    struct waggle_instrument *level =
        waggle_instrument_new(m, WAGGLE_UP_DOWN_COUNTER, "level", &doubles);
    waggle_add_f64(level, 1.5, WAGGLE_NO_ATTRS);
    waggle_add_f64(level, -4.25, WAGGLE_NO_ATTRS);
    waggle_set(waggle_gauge_new(m, "temperature", "Cel", NULL), -3, WAGGLE_NO_ATTRS);
    struct waggle_instrument *size = waggle_instrument_new(
        m, WAGGLE_HISTOGRAM, "size",
        &(waggle_instrument_options){.is_double = true, .boundaries = bounds, .n_boundaries = 3});
    struct waggle_instrument *duration = waggle_histogram_new(m, "duration", "s", NULL);
    for (int i = 0; i < 200; i++) {
        waggle_record_f64(size, i, WAGGLE_NO_ATTRS);
        waggle_record_f64(duration, i * i * 0.37, WAGGLE_ATTRS(waggle_kv_i64("i", i % 2)));
    }
    static struct waggle_instrument *observed[3];
    observed[0] = waggle_instrument_new(m, WAGGLE_OBSERVABLE_COUNTER, "cpu.time", NULL);
    observed[1] = waggle_instrument_new(m, WAGGLE_OBSERVABLE_GAUGE, "load", &doubles);
    observed[2] = waggle_instrument_new(m, WAGGLE_OBSERVABLE_UP_DOWN_COUNTER, "open", NULL);
    (void)waggle_callback_new(observed, 3, observe, observed); // for as long as the process lives
}

int main(void)
{
    const uint64_t base = strtoull(getenv("BASE_NS") ? getenv("BASE_NS") : "0", NULL, 10);
#ifdef WITH_TLS
    waggle_tls_use();
#endif
    if (base == 0 || waggle_init(&(waggle_options){.service_version = "1.2.3"}) != 0)
        return 2;
    struct waggle_tracer *tracer =
        waggle_tracer_get_with("waggle-e2e", "0.9", "https://example.com/schema/1",
                               WAGGLE_ATTRS(waggle_kv_str("scope.attr", "yes")));
    struct waggle_tracer *other = waggle_tracer_get("other-scope", NULL);
    waggle_context incoming;
    waggle_extract(&incoming, waggle_env_get, NULL);
    waggle_span root = waggle_span_start(
        tracer, "root of all types",
        &(waggle_span_opts){.kind = WAGGLE_KIND_SERVER, .context = &incoming, .start_ns = base});
    set_all_types(root);
    if (getenv("BIG") != NULL) // more than a double holds: JavaScript's serializer cannot say it
        waggle_span_set_kv(root, waggle_kv_i64("int.big", INT64_C(9007199254740993)));
    waggle_span_context root_context;
    waggle_span_get_context(root, &root_context);
    waggle_span child = waggle_span_start(other, "child",
                                          &(waggle_span_opts){.kind = WAGGLE_KIND_CLIENT,
                                                              .parent = root,
                                                              .start_ns = base + 1000000});
    waggle_span_event_at(child, "cache miss", base + 1500000,
                         WAGGLE_ATTRS(waggle_kv_str("key", "user:7"), waggle_kv_i64("size", 3)));
    waggle_span_link(child,
                     &(waggle_link){&root_context, WAGGLE_ATTRS(waggle_kv_bool("self", true))});
    waggle_span_set_status(child, WAGGLE_STATUS_ERROR, "it broke");
    waggle_span_end_at(child, base + 2000000);
    const waggle_kv body[] = {waggle_kv_str("what", "order"), waggle_kv_i64("n", 3)};
    const waggle_log_record record = {
        .time_ns = base + 3000000,
        .observed_ns = base + 3000001,
        .severity = WAGGLE_WARN,
        .severity_text = "warning",
        .event_name = "order.odd",
        .body = waggle_value_map(body, 2),
        .attributes = WAGGLE_ATTRS(waggle_kv_str("log.attr", "yes"), waggle_kv_f64("ratio", 0.5)),
        .span = root,
    };
    struct waggle_logger *logger = waggle_logger_get("waggle-log", "0.9");
    waggle_log_emit(logger, &record);
    waggle_log_emit(logger, &(waggle_log_record){.observed_ns = base + 4000000,
                                                 .severity = WAGGLE_INFO,
                                                 .body = waggle_value_str("plain \xc3\xa4")});
    waggle_span_set_status(root, WAGGLE_STATUS_OK, NULL);
    waggle_span_end_at(root, base + 5000000);

    if (getenv("METRICS") != NULL)
        measure();

    printf("{\"headers\":{");
    int n = 0;
    waggle_context out;
    waggle_context_copy(&out, &incoming);
    waggle_context_set_span(&out, root);
    waggle_inject(&out, print_header, &n);
    printf("},");
    print_span("root", root, base, base + 5000000, false);
    print_span("child", child, base + 1000000, base + 2000000, true);
    printf("}\n");
    waggle_context_done(&out);
    waggle_context_done(&incoming);
    if (getenv("FLUSH") != NULL && !waggle_flush(10000)) // with the time that retries take
        return 4;
    return waggle_shutdown(10000) ? 0 : 1;
}
