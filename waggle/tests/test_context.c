// SPDX-License-Identifier: Apache-2.0
/* test_context.c - contexts, baggage and W3C propagation; no SDK is installed here */
#include "support.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* A carrier: a list of names and values, as HTTP headers are. */
struct carrier {
    char names[16][32];
    char values[16][9000];
    size_t n;
};

static bool get(void *self, const char *key, size_t index, const char **ret_value, size_t *ret_n)
{
    struct carrier *c = self;
    for (size_t i = 0; i < c->n; i++)
        if (strcasecmp(c->names[i], key) == 0 && index-- == 0) {
            *ret_value = c->values[i];
            *ret_n = strlen(c->values[i]);
            return true;
        }
    return false;
}

static void set(void *self, const char *key, const char *value)
{
    struct carrier *c = self;
    snprintf(c->names[c->n], sizeof c->names[0], "%s", key);
    snprintf(c->values[c->n], sizeof c->values[0], "%s", value);
    c->n++;
}

static const char *value_of(struct carrier *c, const char *key)
{
    const char *value = NULL;
    size_t n = 0;
    return get(c, key, 0, &value, &n) ? value : NULL;
}

static void use_w3c(void)
{
    const struct waggle_propagator *both[] = {&waggle_propagator_tracecontext,
                                              &waggle_propagator_baggage};
    waggle_propagators_set(both, 2);
}

static const char parent_text[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

static void without_an_sdk_nothing_is_made_but_contexts_pass(void **state)
{
    (void)state;
    static struct carrier in;
    static struct carrier out;
    in.n = out.n = 0;
    set(&in, "Traceparent", parent_text);
    set(&in, "TraceState", "a=1");
    set(&in, "tracestate", "b=2");
    set(&in, "baggage", "user=alice");
    waggle_context ctx;
    waggle_extract(&ctx, get, &in); // no propagators yet
    waggle_span_context c;
    assert_false(waggle_context_get_span_context(&ctx, &c));
    use_w3c();
    waggle_extract(&ctx, get, &in);
    struct waggle_tracer *tracer = waggle_tracer_get("lib", "1");
    assert_non_null(tracer);
    assert_false(waggle_tracer_enabled(tracer));
    waggle_span s = waggle_span_start(tracer, "x", &(waggle_span_opts){.context = &ctx});
    assert_int_equal(s.generation, 0);
    assert_false(waggle_span_is_recording(s));
    waggle_span_set_kv(s, waggle_kv_i64("a", 1));
    {
        WAGGLE_CONTEXT_SCOPE(&ctx);
        WAGGLE_SPAN_SCOPE(s); // no span hides nothing
        waggle_inject(NULL, set, &out);
    }
    waggle_span_end(s);
    waggle_context_done(&ctx);
    assert_string_equal(value_of(&out, "traceparent"), parent_text);
    assert_string_equal(value_of(&out, "tracestate"), "a=1,b=2");
    assert_string_equal(value_of(&out, "baggage"), "user=alice");
    out.n = 0;
    waggle_inject(NULL, set, &out);
    assert_int_equal(out.n, 0); // the scopes have ended
    const char *fields[4];
    assert_int_equal(waggle_propagation_fields(fields, 4), 3);
    assert_string_equal(fields[2], "baggage");
}

static void traceparent_is_strict(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
    } cases[] = {
        {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true},
        {" 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00\t", true},
        {"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true},
        {"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what", true},
        {"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what", false},
        {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what", false},
        {"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false},
        {"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false},
        {"00-00000000000000000000000000000000-00f067aa0ba902b7-01", false},
        {"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false},
        {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0", false},
        {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x", false},
        {"00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        waggle_span_context c = {.trace_id = {7}};
        assert_int_equal(waggle_traceparent_parse(cases[i].text, strlen(cases[i].text), &c),
                         cases[i].ok);
        if (!cases[i].ok)
            assert_int_equal(c.trace_id[0], 7);
    }
    waggle_span_context c;
    assert_true(waggle_traceparent_parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff",
                                         55, &c));
    assert_int_equal(c.flags, 3); // bits nobody has defined are not passed on
    assert_true(c.is_remote);
}

static void tracestate_rules(void **state)
{
    (void)state;
    static const char *const good[] = {"a=b",       "a=b,,c=d",     "1-2@v=x",
                                       "a=b , c=d", "tenant@sys=1", ""};
    static const char *const bad[] = {"a",  "a=",   "A=b",  "a=b=c",  "a=b,a=c",
                                      "=b", "a@=1", "@a=1", "a=b\x01"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        waggle_span_context c = {0};
        assert_true(waggle_tracestate_parse(good[i], strlen(good[i]), &c));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        waggle_span_context c = {0};
        assert_false(waggle_tracestate_parse(bad[i], strlen(bad[i]), &c));
        assert_int_equal(c.tracestate_n, 0);
    }
    waggle_span_context c = {0};
    const char *v = NULL;
    size_t n = 0;
    assert_true(waggle_tracestate_set(&c, "a", "1") && waggle_tracestate_set(&c, "b", "2") &&
                waggle_tracestate_set(&c, "a", "3"));
    assert_memory_equal(c.tracestate, "a=3,b=2", 7);
    assert_true(waggle_tracestate_get(&c, "b", &v, &n) && n == 1 && *v == '2');
    assert_true(waggle_tracestate_set(&c, "a", NULL) && c.tracestate_n == 3);
    assert_false(waggle_tracestate_get(&c, "a", &v, &n));
    assert_false(waggle_tracestate_set(&c, "A", "1"));
    assert_false(waggle_tracestate_set(&c, "a", "with,comma"));
}

static void a_long_tracestate_loses_whole_entries(void **state)
{
    (void)state;
    char text[2000];
    int n_text = snprintf(text, sizeof text, "own=1,");
    for (int i = 0; i < 4; i++) // "lN=" and 147 characters: long ones go first
        n_text += snprintf(text + n_text, sizeof text - (size_t)n_text, "l%d=%0147d,", i, 7);
    snprintf(text + n_text, sizeof text - (size_t)n_text, "last=2");
    waggle_span_context c = {0};
    assert_true(waggle_tracestate_parse(text, strlen(text), &c));
    const char *v = NULL;
    size_t n = 0;
    assert_true(c.tracestate_n <= 512);
    assert_true(waggle_tracestate_get(&c, "own", &v, &n));
    assert_true(waggle_tracestate_get(&c, "last", &v, &n));
    assert_true(waggle_tracestate_get(&c, "l0", &v, &n) && n == 147);
    assert_false(waggle_tracestate_get(&c, "l3", &v, &n));
}

static void baggage_is_immutable(void **state)
{
    (void)state;
    struct waggle_baggage *a = waggle_baggage_set(NULL, "user", "alice", NULL);
    struct waggle_baggage *b = waggle_baggage_set(a, "cart", "a b,c;d%\xc3\xa4", "ttl=1");
    struct waggle_baggage *c = waggle_baggage_set(b, "user", "bob", NULL);
    waggle_baggage_entry e;
    assert_int_equal(waggle_baggage_count(a), 1);
    assert_true(waggle_baggage_find(b, "user", &e) && e.value_n == 5);
    assert_true(waggle_baggage_find(c, "user", &e) && e.value_n == 3);
    char header[256];
    assert_true(waggle_baggage_format(c, header, sizeof header) > 0);
    assert_string_equal(header, "user=bob,cart=a%20b%2Cc%3Bd%25%C3%A4;ttl=1");
    struct waggle_baggage *again = waggle_baggage_parse(header, strlen(header));
    assert_true(waggle_baggage_find(again, "cart", &e));
    assert_int_equal(e.value_n, 10);
    assert_memory_equal(e.value, "a b,c;d%\xc3\xa4", 10);
    assert_int_equal(e.metadata_n, 5);
    struct waggle_baggage *d = waggle_baggage_remove(c, "user");
    assert_int_equal(waggle_baggage_count(d), 1);
    assert_null(waggle_baggage_remove(d, "cart"));
    assert_null(waggle_baggage_set(c, "no token", "x", NULL));
    assert_int_equal(waggle_baggage_format(c, header, 10), 0);
    struct waggle_baggage *all[] = {a, b, c, d, again};
    for (size_t i = 0; i < 5; i++)
        waggle_baggage_unref(all[i]);
}

static void baggage_limits(void **state)
{
    (void)state;
    static char header[40000];
    size_t n = 0;
    for (int i = 0; i < 100; i++)
        n += (size_t)snprintf(header + n, sizeof header - n, "%sk%d=v", i ? "," : "", i);
    struct waggle_baggage *b = waggle_baggage_parse(header, n);
    assert_int_equal(waggle_baggage_count(b), 64);
    waggle_baggage_unref(b);
    n = 0;
    for (int i = 0; i < 20; i++)
        n += (size_t)snprintf(header + n, sizeof header - n, "%sk%d=%01000d", i ? "," : "", i, 1);
    b = waggle_baggage_parse(header, n);
    assert_int_equal(waggle_baggage_count(b), 8);
    waggle_baggage_unref(b);
    assert_null(waggle_baggage_parse("", 0));
    b = waggle_baggage_parse("bad, =x, good=1,also bad=2,q=\"", 30);
    assert_int_equal(waggle_baggage_count(b), 1);
    waggle_baggage_unref(b);
}

static void values_and_copies(void **state)
{
    (void)state;
    static const waggle_context_key key1 = {"k"};
    static const waggle_context_key key2 = {"k"};
    int x = 1;
    int y = 2;
    waggle_context a;
    waggle_context b;
    waggle_context_init(&a);
    assert_true(waggle_context_set_value(&a, &key1, &x));
    waggle_context_copy(&b, &a);
    assert_true(waggle_context_set_value(&b, &key1, &y));
    assert_true(waggle_context_set_value(&b, &key2, &x));
    assert_ptr_equal(waggle_context_get_value(&a, &key1), &x);
    assert_ptr_equal(waggle_context_get_value(&b, &key1), &y);
    assert_ptr_equal(waggle_context_get_value(&b, &key2), &x);
    assert_null(waggle_context_get_value(&a, &key2));
    waggle_context_done(&a);
    assert_ptr_equal(waggle_context_get_value(&b, &key1), &y);
    waggle_context_done(&b);
    waggle_context_done(&b);
}

static void the_stack(void **state)
{
    (void)state;
    static const waggle_context_key key = {"depth"};
    waggle_scope scopes[WAGGLE_ATTACH_DEPTH_MAX + 2];
    size_t n = sizeof scopes / sizeof scopes[0];
    waggle_context c;
    for (size_t i = 0; i < n; i++) {
        waggle_context_current(&c);
        waggle_context_set_value(&c, &key, (void *)(i + 1));
        scopes[i] = waggle_attach(&c);
        waggle_context_done(&c);
    }
    waggle_context_current(&c);
    assert_ptr_equal(waggle_context_get_value(&c, &key),
                     (void *)(uintptr_t)WAGGLE_ATTACH_DEPTH_MAX);
    waggle_context_done(&c);
    assert_int_equal(scopes[n - 1].depth, 0);
    assert_false(waggle_detach(scopes[n - 1])); // it was never attached
    assert_true(waggle_detach(scopes[WAGGLE_ATTACH_DEPTH_MAX - 1]));
    assert_false(waggle_detach(scopes[5])); // out of order: what stands above goes with it
    assert_false(waggle_detach(scopes[5]));
    waggle_context_current(&c);
    assert_ptr_equal(waggle_context_get_value(&c, &key), (void *)5);
    waggle_context_done(&c);
    assert_true(waggle_detach(scopes[4]));
    assert_false(waggle_detach(scopes[0]));
}

static void *attach_and_end(void *self)
{
    (void)self;
    struct waggle_baggage *b = waggle_baggage_set(NULL, "left", "attached", NULL);
    waggle_context c;
    waggle_context_init(&c);
    waggle_context_set_baggage(&c, b);
    waggle_attach(&c);
    waggle_context_done(&c);
    waggle_baggage_unref(b);
    return NULL; // the thread's end lets go of it: the leak checker says whether it did
}

static void a_thread_may_end_while_attached(void **state)
{
    (void)state;
    pthread_t t;
    pthread_create(&t, NULL, attach_and_end, NULL);
    pthread_join(t, NULL);
}

static void the_environment_is_a_carrier(void **state)
{
    (void)state;
    use_w3c();
    setenv("TRACEPARENT", parent_text, 1);
    setenv("BAGGAGE", "a=b", 1);
    waggle_context c;
    waggle_extract(&c, waggle_env_get, NULL);
    unsetenv("TRACEPARENT");
    unsetenv("BAGGAGE");
    waggle_span_context sc;
    assert_true(waggle_context_get_span_context(&c, &sc));
    assert_int_equal(sc.trace_id[0], 0x4b);
    assert_int_equal(waggle_baggage_count(c.baggage), 1);
    waggle_context_done(&c);
}

static void a_bad_header_leaves_the_current_context(void **state)
{
    (void)state;
    static struct carrier in;
    in.n = 0;
    set(&in, "traceparent", "00-xyz");
    set(&in, "tracestate", "a=1");
    waggle_span_context remote = {.trace_id = {5}, .span_id = {6}};
    waggle_context mine;
    waggle_context_init(&mine);
    waggle_context_set_remote(&mine, &remote);
    waggle_scope scope = waggle_attach(&mine);
    waggle_context c;
    waggle_span_context sc;
    waggle_extract(&c, get, &in);
    assert_true(waggle_context_get_span_context(&c, &sc) && sc.trace_id[0] == 5);
    in.n = 0; // a bad tracestate does not spoil the parent
    set(&in, "traceparent", parent_text);
    set(&in, "tracestate", "BAD");
    waggle_extract(&c, get, &in);
    assert_true(waggle_context_get_span_context(&c, &sc) && sc.trace_id[0] == 0x4b &&
                sc.tracestate_n == 0);
    waggle_detach(scope);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_an_sdk_nothing_is_made_but_contexts_pass),
        cmocka_unit_test(traceparent_is_strict),
        cmocka_unit_test(tracestate_rules),
        cmocka_unit_test(a_long_tracestate_loses_whole_entries),
        cmocka_unit_test(baggage_is_immutable),
        cmocka_unit_test(baggage_limits),
        cmocka_unit_test(values_and_copies),
        cmocka_unit_test(the_stack),
        cmocka_unit_test(a_thread_may_end_while_attached),
        cmocka_unit_test(the_environment_is_a_carrier),
        cmocka_unit_test(a_bad_header_leaves_the_current_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
