// SPDX-License-Identifier: Apache-2.0
/* test_formats.c - contexts in the headers of others: B3, Jaeger, X-Ray */
#include "support.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* One header in, all headers out. */
struct carrier {
    const char *names[4], *values[4]; /* in; ends with NULL */
    char out[1024];                   /* "name=value\n" lines */
};

static bool get(void *self, const char *key, size_t index, const char **ret_value, size_t *ret_n)
{
    struct carrier *c = self;
    for (size_t i = 0; i < 4 && c->names[i] != NULL; i++)
        if (index == 0 && strcmp(c->names[i], key) == 0) {
            *ret_value = c->values[i];
            *ret_n = strlen(c->values[i]);
            return true;
        }
    return false;
}

static void set(void *self, const char *key, const char *value)
{
    struct carrier *c = self;
    size_t n = strlen(c->out);
    snprintf(c->out + n, sizeof c->out - n, "%s=%s\n", key, value);
}

static void use(const struct waggle_propagator *p)
{
    waggle_propagators_set(&p, 1);
}

/* "trace span flags" of what a header gives; "" for nothing. */
static const char *extracted(const char *name, const char *value)
{
    static char text[80];
    struct carrier c = {.names = {name}, .values = {value}};
    waggle_context ctx;
    waggle_span_context sc;
    char trace[33];
    char span[17];
    waggle_extract(&ctx, get, &c);
    text[0] = '\0';
    if (waggle_context_get_span_context(&ctx, &sc)) {
        waggle_trace_id_hex(sc.trace_id, trace);
        waggle_span_id_hex(sc.span_id, span);
        snprintf(text, sizeof text, "%s %s %d", trace, span, sc.flags);
        assert_true(sc.is_remote);
    }
    waggle_context_done(&ctx);
    return text;
}

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN  "00f067aa0ba902b7"

/* What goes out of a context that came in by that header. */
static const char *passed_on(const char *name, const char *value)
{
    static struct carrier c;
    waggle_context ctx;
    c = (struct carrier){.names = {name}, .values = {value}};
    waggle_extract(&ctx, get, &c);
    waggle_inject(&ctx, set, &c);
    waggle_context_done(&ctx);
    return c.out;
}

static void b3_single_and_multi(void **state)
{
    (void)state;
    use(&waggle_propagator_b3);
    assert_string_equal(extracted("b3", TRACE "-" SPAN "-1"), TRACE " " SPAN " 1");
    assert_string_equal(extracted("b3", TRACE "-" SPAN "-0-" SPAN), TRACE " " SPAN " 0");
    assert_string_equal(extracted("b3", TRACE "-" SPAN), TRACE " " SPAN " 0");
    assert_string_equal(extracted("b3", "a3ce929d0e0e4736-" SPAN "-1"),
                        "0000000000000000a3ce929d0e0e4736 " SPAN " 1");
    static const char *const bad[] = {"0",
                                      "",
                                      TRACE,
                                      TRACE "-",
                                      "-" SPAN,
                                      TRACE "-" SPAN "0-1",
                                      "x" TRACE "-" SPAN,
                                      "00000000000000000000000000000000-" SPAN,
                                      TRACE "-0000000000000000-1",
                                      "zz"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_string_equal(extracted("b3", bad[i]), "");
    assert_string_equal(passed_on("b3", TRACE "-" SPAN "-1-" SPAN), "b3=" TRACE "-" SPAN "-1\n");
    assert_string_equal(passed_on("b3", TRACE "-" SPAN "-d"),
                        "b3=" TRACE "-" SPAN "-d\n"); // debug stays

    struct carrier c = {.names = {"x-b3-traceid", "x-b3-spanid", "x-b3-sampled"},
                        .values = {TRACE, SPAN, "true"}};
    waggle_context ctx;
    waggle_extract(&ctx, get, &c); // read by the propagator of either name
    use(&waggle_propagator_b3multi);
    waggle_inject(&ctx, set, &c);
    waggle_context_done(&ctx);
    assert_string_equal(c.out, "x-b3-traceid=" TRACE "\nx-b3-spanid=" SPAN "\nx-b3-sampled=1\n");
    c = (struct carrier){.names = {"x-b3-traceid", "x-b3-spanid", "x-b3-flags"},
                         .values = {TRACE, SPAN, "1"}};
    waggle_extract(&ctx, get, &c);
    waggle_inject(&ctx, set, &c);
    waggle_context_done(&ctx);
    assert_string_equal(c.out, "x-b3-traceid=" TRACE "\nx-b3-spanid=" SPAN "\nx-b3-flags=1\n");
    c = (struct carrier){.names = {"x-b3-traceid", "x-b3-spanid", "b3"},
                         .values = {TRACE, SPAN, "a3ce929d0e0e4736-" SPAN "-1"}};
    waggle_span_context sc;
    waggle_extract(&ctx, get, &c); // the single header wins
    assert_true(waggle_context_get_span_context(&ctx, &sc) && sc.trace_id[0] == 0);
    waggle_context_done(&ctx);
}

static void jaeger(void **state)
{
    (void)state;
    use(&waggle_propagator_jaeger);
    assert_string_equal(extracted("uber-trace-id", TRACE ":" SPAN ":0:1"), TRACE " " SPAN " 1");
    assert_string_equal(extracted("uber-trace-id", TRACE "%3A" SPAN "%3a0%3A3"),
                        TRACE " " SPAN " 1");
    assert_string_equal(extracted("uber-trace-id", "ab:c:0:0"),
                        "000000000000000000000000000000ab 000000000000000c 0");
    static const char *const bad[] = {
        "",        ":::",     TRACE ":" SPAN ":0", TRACE ":" SPAN ":0:1:2",
        "g:1:0:1", "0:1:0:1", TRACE "0:1:0:1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_string_equal(extracted("uber-trace-id", bad[i]), "");
    assert_string_equal(passed_on("uber-trace-id", TRACE ":" SPAN ":0:1"),
                        "uber-trace-id=" TRACE ":" SPAN ":0:1\n");
    struct waggle_baggage *b = waggle_baggage_set(NULL, "user", "alice", NULL);
    struct carrier c = {.names = {NULL}};
    waggle_context ctx;
    waggle_context_init(&ctx);
    waggle_context_set_baggage(&ctx, b);
    waggle_inject(&ctx, set, &c);
    assert_string_equal(c.out, "uberctx-user=alice\n");
    waggle_context_done(&ctx);
    waggle_baggage_unref(b);
}

static void xray(void **state)
{
    (void)state;
    static const char name[] = "x-amzn-trace-id";
    static const char whole[] =
        "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=" SPAN ";Sampled=1";
    use(&waggle_propagator_xray);
    assert_string_equal(extracted(name, whole), TRACE " " SPAN " 1");
    assert_string_equal(extracted(name, "Sampled=0; parent=" SPAN
                                        ";Self=x; root=1-4bf92f35-77b34da6a3ce929d0e0e4736"),
                        TRACE " " SPAN " 0");
    assert_string_equal(
        extracted(name, "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=" SPAN ";Sampled=?"),
        TRACE " " SPAN " 0");
    static const char *const bad[] = {"",
                                      "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736",
                                      "Root=2-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=" SPAN,
                                      "Root=1-4bf92f35-77b34da6a3ce929d0e0e473;Parent=" SPAN,
                                      "Parent=" SPAN,
                                      ";;;",
                                      "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=12"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_string_equal(extracted(name, bad[i]), "");
    char expected[128];
    snprintf(expected, sizeof expected, "%s=%s\n", name, whole);
    assert_string_equal(passed_on(name, whole), expected);
}

static void xray_ids_begin_with_the_time(void **state)
{
    (void)state;
    struct capture *capture = capture_new();
    struct waggle_provider *p = provider_with(
        capture, &(waggle_provider_options){.id_generator = waggle_id_generator_xray()});
    waggle_span s = waggle_span_start(waggle_tracer_get("x", NULL), "x", NULL);
    waggle_span_context c;
    assert_true(waggle_span_get_context(s, &c));
    uint32_t seconds = (uint32_t)c.trace_id[0] << 24 | (uint32_t)c.trace_id[1] << 16 |
                       (uint32_t)c.trace_id[2] << 8 | c.trace_id[3];
    assert_in_range(seconds, (uint32_t)time(NULL) - 60, (uint32_t)time(NULL));
    assert_int_equal(c.flags, WAGGLE_FLAG_SAMPLED | WAGGLE_FLAG_RANDOM);
    waggle_span_end(s);
    waggle_provider_free(p);
    capture_free(capture);
}

static void names(void **state)
{
    (void)state;
    static const char *const known[] = {"tracecontext", "baggage", "b3",
                                        "b3multi",      "jaeger",  "xray"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        assert_non_null(waggle_propagator_find(known[i]));
        assert_string_equal(waggle_propagator_find(known[i])->name, known[i]);
    }
    assert_null(waggle_propagator_find("ottrace"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(b3_single_and_multi),
        cmocka_unit_test(jaeger),
        cmocka_unit_test(xray),
        cmocka_unit_test(xray_ids_begin_with_the_time),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
