// SPDX-License-Identifier: Apache-2.0
/* test_span.c - what is recorded of a span is what the program said */
#include "sdk_priv.h"
#include "support.h"

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static struct capture *capture;
static struct waggle_provider *provider;
static struct waggle_tracer *tracer;

static int setup(void **state)
{
    (void)state;
    capture = capture_new();
    provider = provider_with(capture, NULL);
    tracer = waggle_tracer_get("test", "1.2");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    waggle_provider_free(provider);
    capture_free(capture);
    return 0;
}

static waggle_stats stats(void)
{
    waggle_stats s;
    waggle_get_stats(&s, sizeof s);
    return s;
}

static void every_type_comes_back(void **state)
{
    (void)state;
    const char *strs[] = {"a", "", NULL, "\xc3\xa4"};
    const bool bools[] = {true, false};
    const int64_t ints[] = {0, -1, INT64_MIN, INT64_MAX};
    const double doubles[] = {0.5, -1e300};
    const waggle_value list[] = {waggle_value_i64(1), waggle_value_str("two"),
                                 waggle_value_strs(strs, 2), waggle_value_empty()};
    const waggle_kv map[] = {waggle_kv_str("k", "v"), waggle_kv_i64s("n", ints, 4)};
    waggle_span s = waggle_span_start(tracer, "types", NULL);
    waggle_span_set(
        s, WAGGLE_ATTRS(waggle_kv_str("str", "text"), waggle_kv_strn("cut", "text", 2),
                        waggle_kv_str("null", NULL), waggle_kv_bool("yes", true),
                        waggle_kv_bool("no", false), waggle_kv_i64("min", INT64_MIN),
                        waggle_kv_i64("big", 1234567890123), waggle_kv_f64("pi", 3.25),
                        waggle_kv_f64("nan", NAN), waggle_kv_bytes("bytes", "\0\xff", 2),
                        waggle_kv_strs("strs", strs, 4), waggle_kv_bools("bools", bools, 2),
                        waggle_kv_i64s("ints", ints, 4), waggle_kv_f64s("doubles", doubles, 2),
                        waggle_kv_list("list", list, 4), waggle_kv_map("map", map, 2)));
    waggle_span_end(s);
    waggle_span_data d = capture_named(capture, "types");
    assert_int_equal(attr_count(&d), 16);
    assert_true(str_is(attr_of(&d, "str").value.str, "text"));
    assert_true(str_is(attr_of(&d, "cut").value.str, "te"));
    assert_int_equal(attr_of(&d, "null").value.type, WAGGLE_EMPTY);
    assert_int_equal(attr_of(&d, "null").key.n, 4);
    assert_int_equal(attr_of(&d, "yes").value.type, WAGGLE_BOOL);
    assert_true(attr_of(&d, "yes").value.boolean);
    assert_int_equal(attr_of(&d, "no").value.type, WAGGLE_BOOL);
    assert_false(attr_of(&d, "no").value.boolean);
    assert_true(attr_of(&d, "min").value.i64 == INT64_MIN);
    assert_true(attr_of(&d, "big").value.i64 == 1234567890123);
    assert_true(attr_of(&d, "pi").value.f64 == 3.25);
    assert_true(isnan(attr_of(&d, "nan").value.f64));
    assert_int_equal(attr_of(&d, "bytes").value.type, WAGGLE_BYTES);
    assert_memory_equal(attr_of(&d, "bytes").value.str.p, "\0\xff", 2);

    waggle_value_data v;
    waggle_cursor c = {0};
    waggle_attr_data a = attr_of(&d, "strs");
    assert_int_equal(a.value.type, WAGGLE_LIST);
    assert_true(waggle_value_next(a.value.encoded, &c, &v) && str_is(v.str, "a"));
    assert_true(waggle_value_next(a.value.encoded, &c, &v) && v.type == WAGGLE_STR && v.str.n == 0);
    assert_true(waggle_value_next(a.value.encoded, &c, &v) && v.type == WAGGLE_EMPTY);
    assert_true(waggle_value_next(a.value.encoded, &c, &v) && str_is(v.str, "\xc3\xa4"));
    assert_false(waggle_value_next(a.value.encoded, &c, &v));
    a = attr_of(&d, "ints");
    c = (waggle_cursor){0};
    for (size_t i = 0; i < 4; i++)
        assert_true(waggle_value_next(a.value.encoded, &c, &v) && v.i64 == ints[i]);
    a = attr_of(&d, "doubles");
    c = (waggle_cursor){0};
    for (size_t i = 0; i < 2; i++)
        assert_true(waggle_value_next(a.value.encoded, &c, &v) && v.f64 == doubles[i]);
    a = attr_of(&d, "list");
    c = (waggle_cursor){0};
    assert_true(waggle_value_next(a.value.encoded, &c, &v) && v.i64 == 1);
    assert_true(waggle_value_next(a.value.encoded, &c, &v) && str_is(v.str, "two"));
    assert_true(waggle_value_next(a.value.encoded, &c, &v) && v.type == WAGGLE_LIST);
    assert_true(waggle_value_next(a.value.encoded, &c, &v) && v.type == WAGGLE_EMPTY);
    a = attr_of(&d, "map");
    assert_int_equal(a.value.type, WAGGLE_MAP);
    waggle_attr_data inner;
    c = (waggle_cursor){0};
    assert_true(waggle_attr_next(a.value.encoded, &c, &inner) && str_is(inner.value.str, "v"));
    assert_true(waggle_attr_next(a.value.encoded, &c, &inner) && inner.value.type == WAGGLE_LIST);
}

static void a_key_set_again_has_the_new_value(void **state)
{
    (void)state;
    waggle_span s = waggle_span_start(tracer, "again", NULL);
    waggle_span_set_status(s, WAGGLE_STATUS_ERROR, "first");
    for (int64_t i = 0; i < 60; i++) {
        char key[8];
        snprintf(key, sizeof key, "k%d", (int)(i % 20));
        waggle_span_set_kv(s, waggle_kv_i64(key, i));
    }
    waggle_span_set_kv(s, waggle_kv_str("k3", "now a string"));
    waggle_span_set_name(s, "renamed");
    waggle_span_set_kv(s, waggle_kv_str("", "no key"));
    waggle_span_set_kv(s, waggle_kv_str(NULL, "no key"));
    waggle_span_set_status(s, WAGGLE_STATUS_ERROR, "second");
    waggle_span_end(s);
    assert_false(capture_has(capture, "again"));
    waggle_span_data d = capture_named(capture, "renamed");
    assert_int_equal(attr_count(&d), 20);
    assert_int_equal(attr_of(&d, "k19").value.i64, 59);
    assert_int_equal(attr_of(&d, "k0").value.i64, 40);
    assert_true(str_is(attr_of(&d, "k3").value.str, "now a string"));
    assert_true(str_is(d.status_message, "second"));
    assert_int_equal(d.dropped_attributes, 0);
}

static void status_is_ordered(void **state)
{
    (void)state;
    waggle_span s = waggle_span_start(tracer, "ok", NULL);
    waggle_span_set_status(s, WAGGLE_STATUS_ERROR, "bad");
    waggle_span_set_status(s, WAGGLE_STATUS_UNSET, NULL);
    waggle_span_set_status(s, WAGGLE_STATUS_OK, "not kept");
    waggle_span_set_status(s, WAGGLE_STATUS_ERROR, "too late");
    waggle_span_end(s);
    waggle_span_data d = capture_named(capture, "ok");
    assert_int_equal(d.status, WAGGLE_STATUS_OK);
    assert_int_equal(d.status_message.n, 0);
    s = waggle_span_start(tracer, "error", NULL);
    waggle_span_set_status(s, WAGGLE_STATUS_ERROR, "bad");
    waggle_span_set_status(s, WAGGLE_STATUS_UNSET, NULL);
    waggle_span_end(s);
    d = capture_named(capture, "error");
    assert_int_equal(d.status, WAGGLE_STATUS_ERROR);
    assert_true(str_is(d.status_message, "bad"));
}

static void events_links_exceptions(void **state)
{
    (void)state;
    waggle_span_context other = {.trace_id = {1},
                                 .span_id = {2},
                                 .flags = 1,
                                 .is_remote = true,
                                 .tracestate_n = 3,
                                 .tracestate = "a=b"};
    waggle_span_context invalid = {.trace_id = {1}};
    waggle_link link = {&other, WAGGLE_ATTRS(waggle_kv_i64("n", 1))};
    waggle_link empty = {&invalid, WAGGLE_NO_ATTRS};
    waggle_span_opts opts = {.links = &link, .n_links = 1};
    waggle_span s = waggle_span_start(tracer, "events", &opts);
    waggle_span_link(s, &(waggle_link){&other, WAGGLE_NO_ATTRS});
    waggle_span_link(s, &empty);
    waggle_span_event_at(s, "first", 12345,
                         WAGGLE_ATTRS(waggle_kv_str("a", "old"), waggle_kv_str("a", "new")));
    waggle_span_exception(s, "EIO", "disk", "#0 main",
                          WAGGLE_ATTRS(waggle_kv_str("exception.message", "mine")));
    waggle_span_end(s);
    waggle_span_data d = capture_named(capture, "events");
    waggle_event_data e;
    waggle_attr_data a;
    waggle_cursor c = {0};
    assert_true(waggle_span_data_event(&d, &c, &e));
    assert_true(str_is(e.name, "first") && e.time_ns == 12345);
    waggle_cursor k = {0};
    assert_true(waggle_event_data_attr(&e, &k, &a) && str_is(a.value.str, "new"));
    assert_false(waggle_event_data_attr(&e, &k, &a));
    assert_true(waggle_span_data_event(&d, &c, &e) && str_is(e.name, "exception"));
    assert_true(e.time_ns >= d.start_ns && e.time_ns <= d.end_ns);
    k = (waggle_cursor){0};
    assert_true(waggle_event_data_attr(&e, &k, &a) && str_is(a.key, "exception.type") &&
                str_is(a.value.str, "EIO"));
    assert_true(waggle_event_data_attr(&e, &k, &a) && str_is(a.key, "exception.stacktrace"));
    assert_true(waggle_event_data_attr(&e, &k, &a) && str_is(a.value.str, "mine"));
    assert_false(waggle_event_data_attr(&e, &k, &a));
    assert_false(waggle_span_data_event(&d, &c, &e));
    waggle_link_data l;
    c = (waggle_cursor){0};
    assert_true(waggle_span_data_link(&d, &c, &l));
    assert_memory_equal(l.trace_id, other.trace_id, 16);
    assert_memory_equal(l.span_id, other.span_id, 8);
    assert_true(str_is(l.tracestate, "a=b") && l.flags == 0x301);
    k = (waggle_cursor){0};
    assert_true(waggle_link_data_attr(&l, &k, &a) && a.value.i64 == 1);
    assert_true(waggle_span_data_link(&d, &c, &l));
    assert_false(waggle_span_data_link(&d, &c, &l)); // the one to nowhere is not kept
    assert_int_equal(d.status, WAGGLE_STATUS_UNSET);
}

static void parents_and_ids(void **state)
{
    (void)state;
    waggle_span root =
        waggle_span_start(tracer, "root", &(waggle_span_opts){.kind = WAGGLE_KIND_SERVER});
    waggle_span_context rc;
    assert_true(waggle_span_get_context(root, &rc));
    assert_int_equal(rc.flags, WAGGLE_FLAG_SAMPLED | WAGGLE_FLAG_RANDOM);
    waggle_span child = waggle_span_start(tracer, "child", &(waggle_span_opts){.parent = root});
    {
        WAGGLE_SPAN_SCOPE(child);
        waggle_span_end(waggle_span_start(tracer, "grandchild", NULL));
        waggle_span_end(waggle_span_start(tracer, "other root", &(waggle_span_opts){.root = true}));
    }
    waggle_span_end(child);
    waggle_span_end(root);
    waggle_span_context ended;
    assert_true(waggle_span_get_context(root, &ended)); // still readable, unchanged
    assert_memory_equal(ended.trace_id, rc.trace_id, 16);
    waggle_span_data r = capture_named(capture, "root");
    waggle_span_data c = capture_named(capture, "child");
    waggle_span_data g = capture_named(capture, "grandchild");
    waggle_span_data o = capture_named(capture, "other root");
    static const uint8_t none[8];
    assert_memory_equal(r.parent_span_id, none, 8);
    assert_memory_equal(c.parent_span_id, r.span_id, 8);
    assert_memory_equal(g.parent_span_id, c.span_id, 8);
    assert_memory_equal(g.trace_id, rc.trace_id, 16);
    assert_memory_equal(o.parent_span_id, none, 8);
    assert_memory_not_equal(o.trace_id, rc.trace_id, 16);
    assert_int_equal(r.kind, WAGGLE_KIND_SERVER);
    assert_int_equal(c.kind, WAGGLE_KIND_INTERNAL);
    assert_int_equal(c.flags, 0x103);
    assert_true(r.end_ns >= r.start_ns && g.start_ns >= r.start_ns && g.end_ns <= r.end_ns);
    assert_string_equal(capture->scopes[0], "test");
}

static void a_remote_parent_is_one(void **state)
{
    (void)state;
    waggle_context ctx;
    waggle_span_context remote = {
        .trace_id = {9}, .span_id = {8}, .flags = 1, .tracestate_n = 7, .tracestate = "v=1,w=2"};
    waggle_context_init(&ctx);
    waggle_context_set_remote(&ctx, &remote);
    waggle_span s = waggle_span_start(tracer, "server", &(waggle_span_opts){.context = &ctx});
    waggle_span_end(waggle_span_start(tracer, "inner", &(waggle_span_opts){.parent = s}));
    waggle_span_context c;
    assert_true(waggle_span_get_context(s, &c));
    assert_int_equal(c.tracestate_n, 7);
    assert_false(c.is_remote);
    waggle_span_end(s);
    waggle_span_data d = capture_named(capture, "server");
    assert_memory_equal(d.trace_id, remote.trace_id, 16);
    assert_memory_equal(d.parent_span_id, remote.span_id, 8);
    assert_int_equal(d.flags, 0x301); // remote; the random flag is the parent's: not set
    assert_true(str_is(d.tracestate, "v=1,w=2"));
    assert_true(str_is(capture_named(capture, "inner").tracestate, "v=1,w=2"));
}

static void dead_handles_do_nothing(void **state)
{
    (void)state;
    uint64_t before = stats().stale_calls;
    waggle_span s = waggle_span_start(tracer, "once", NULL);
    waggle_span_end(s);
    waggle_span_end(s);
    waggle_span_set_kv(s, waggle_kv_i64("late", 1));
    waggle_span_set_name(s, "late");
    assert_false(waggle_span_is_recording(s));
    waggle_span next = waggle_span_start(tracer, "next", NULL); // takes the same slot
    assert_int_equal(next.slot, s.slot);
    waggle_span_set_name(s, "stale");
    waggle_span_end(s);
    waggle_span_context c;
    assert_false(waggle_span_get_context(s, &c));
    assert_true(waggle_span_is_recording(next));
    waggle_span_end(next);
    waggle_span none = WAGGLE_SPAN_NONE;
    waggle_span_set_kv(none, waggle_kv_i64("x", 1));
    waggle_span_end(none);
    waggle_span_end((waggle_span){4000000000u, 5});
    waggle_span_set_name((waggle_span){1, 0xffffffff}, "x");
    assert_int_equal(capture_count(capture), 2);
    assert_int_equal(
        attr_count(&(waggle_span_data){.encoded = capture_named(capture, "once").encoded}), 0);
    assert_true(capture_has(capture, "next"));
    assert_true(stats().stale_calls >= before + 3);
}

static void limits_hold_and_are_counted(void **state)
{
    (void)state;
    waggle_provider_free(provider);
    waggle_limits limits = {.attributes = 3,
                            .value_length = 5,
                            .events = 2,
                            .links = 1,
                            .attributes_event = 1,
                            .attributes_link = 1,
                            .value_depth = 2};
    provider = provider_with(capture, &(waggle_provider_options){.limits = &limits});
    const char *strs[] = {"123456789"};
    waggle_value deep1 = waggle_value_list(&(waggle_value){.type = WAGGLE_I64, .as.i64 = 1}, 1);
    waggle_value deep2 = waggle_value_list(&deep1, 1);
    waggle_span_context other = {.trace_id = {1}, .span_id = {2}};
    waggle_span s = waggle_span_start(tracer, "limits", NULL);
    waggle_span_set(
        s, WAGGLE_ATTRS(waggle_kv_str("a", "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"),
                        waggle_kv_strs("b", strs, 1), waggle_kv_list("c", &deep2, 1),
                        waggle_kv_i64("d", 1), waggle_kv_i64("e", 1)));
    waggle_span_set_kv(s, waggle_kv_bytes("b", "123456", 6)); // a known key may change
    waggle_link link = {
        &other, WAGGLE_ATTRS(waggle_kv_i64("x", 1), waggle_kv_i64("y", 1), waggle_kv_i64("z", 1))};
    for (int i = 0; i < 5; i++) {
        waggle_span_event(s, "e", link.attributes);
        waggle_span_link(s, &link);
    }
    waggle_span_end(s);
    waggle_span_data d = capture_named(capture, "limits");
    assert_int_equal(attr_count(&d), 3);
    assert_int_equal(d.dropped_attributes, 2);
    assert_int_equal(d.dropped_events, 3);
    assert_int_equal(d.dropped_links, 4);
    assert_int_equal(attr_of(&d, "a").value.str.n, 10); // five characters of two bytes
    assert_int_equal(attr_of(&d, "b").value.str.n, 5);
    waggle_event_data e;
    waggle_link_data l;
    assert_true(waggle_span_data_event(&d, &(waggle_cursor){0}, &e) && e.dropped_attributes == 2);
    assert_true(waggle_span_data_link(&d, &(waggle_cursor){0}, &l) && l.dropped_attributes == 2);
    waggle_value_data v = attr_of(&d, "c").value;
    assert_true(waggle_value_next(v.encoded, &(waggle_cursor){0}, &v) && v.type == WAGGLE_LIST);
    assert_true(waggle_value_next(v.encoded, &(waggle_cursor){0}, &v) && v.type == WAGGLE_EMPTY);
}

static void texts_become_utf8(void **state)
{
    (void)state;
    waggle_span s = waggle_span_start(tracer, "bad\xff", NULL);
    waggle_span_set(
        s, WAGGLE_ATTRS(waggle_kv_str("lone", "a\xc3"), waggle_kv_str("overlong", "\xc0\x80z"),
                        waggle_kv_str("surrogate", "\xed\xa0\x80"),
                        waggle_kv_str("fine", "\xf0\x9f\x90\x9d"), waggle_kv_str("k\xfe", "v")));
    waggle_span_end(s);
    waggle_span_data d = capture_named(capture, "bad\xef\xbf\xbd");
    assert_true(str_is(attr_of(&d, "lone").value.str, "a\xef\xbf\xbd"));
    assert_true(str_is(attr_of(&d, "overlong").value.str, "\xef\xbf\xbd\xef\xbf\xbdz"));
    assert_true(str_is(attr_of(&d, "surrogate").value.str, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"));
    assert_true(str_is(attr_of(&d, "fine").value.str, "\xf0\x9f\x90\x9d"));
    assert_true(str_is(attr_of(&d, "k\xef\xbf\xbd").value.str, "v"));
}

static void large_spans_move_and_too_large_values_go(void **state)
{
    (void)state;
    static char text[100000];
    memset(text, 'x', sizeof text - 1);
    waggle_span_context remote = {
        .trace_id = {1}, .span_id = {1}, .flags = 1, .tracestate_n = 3, .tracestate = "k=v"};
    waggle_context ctx;
    waggle_context_init(&ctx);
    waggle_context_set_remote(&ctx, &remote);
    waggle_span s = waggle_span_start(tracer, "large", &(waggle_span_opts){.context = &ctx});
    waggle_span_set_kv(s, waggle_kv_i64("small", 1));
    waggle_span_set_kv(s, waggle_kv_strn("60k", text, 60000));
    waggle_span_set_kv(s, waggle_kv_str("100k", text));
    waggle_span_set_kv(s, waggle_kv_strn("10k", text, 10000));
    waggle_span_set_kv(s, waggle_kv_i64("small2", 2));
    waggle_span_end(s);
    waggle_span_context c;
    assert_true(waggle_span_get_context(s, &c) && c.tracestate_n == 3);
    waggle_span_data d = capture_named(capture, "large");
    assert_int_equal(attr_count(&d), 3);
    assert_int_equal(d.dropped_attributes, 2);
    assert_int_equal(attr_of(&d, "60k").value.str.n, 60000);
    assert_memory_equal(attr_of(&d, "60k").value.str.p, text, 60000);
    assert_int_equal(attr_of(&d, "small2").value.i64, 2);
    for (int i = 0; i < 200; i++) { // blocks come back
        s = waggle_span_start(tracer, "again", NULL);
        waggle_span_set_kv(s, waggle_kv_strn("2k", text, 2000));
        waggle_span_end(s);
        waggle_span_data last = capture_span(capture, capture->n - 1);
        assert_int_equal(attr_of(&last, "2k").value.str.n, 2000);
    }
}

static void a_list_that_holds_itself_ends(void **state)
{
    (void)state;
    waggle_value loop[2];
    loop[0] = loop[1] = waggle_value_list(loop, 2);
    waggle_span s = waggle_span_start(tracer, "loop", NULL);
    waggle_span_set_kv(s, waggle_kv_list("l", loop, 2));
    waggle_span_end(s);
    waggle_span_data d = capture_named(capture, "loop");
    assert_int_equal(d.dropped_attributes, 1);
}

static void explicit_times(void **state)
{
    (void)state;
    waggle_span s = waggle_span_start(tracer, "then", &(waggle_span_opts){.start_ns = 1000});
    waggle_span_end_at(s, 3000);
    waggle_span_data d = capture_named(capture, "then");
    assert_int_equal(d.start_ns, 1000);
    assert_int_equal(d.end_ns, 3000);
}

/* --- the clock ----------------------------------------------------------------------------- */

static uint64_t fake_monotonic_ns = UINT64_C(5000000000);
static uint64_t fake_realtime_ns = UINT64_C(1700000000000000000);

static uint64_t fake_monotonic(void)
{
    return fake_monotonic_ns;
}

static uint64_t fake_realtime(void)
{
    return fake_realtime_ns;
}

static void pass(uint64_t ns)
{
    fake_monotonic_ns += ns;
    fake_realtime_ns += ns;
}

static void a_step_of_the_clock_changes_no_duration(void **state)
{
    (void)state;
    struct waggle__os real = waggle__os;
    fake_monotonic_ns += waggle__monotonic();
    waggle__os.monotonic_ns = fake_monotonic;
    waggle__os.realtime_ns = fake_realtime;
    pass(UINT64_C(2000000000)); // the offset is old: read again
    waggle_span s = waggle_span_start(tracer, "step", NULL);
    uint64_t began = fake_realtime_ns;
    pass(1000000);
    fake_realtime_ns -= UINT64_C(3600000000000); // an hour back
    waggle_span child = waggle_span_start(tracer, "child", &(waggle_span_opts){.parent = s});
    pass(1000000);
    waggle_span_end(child);
    waggle_span_end(s);
    pass(UINT64_C(2000000000));
    waggle_span_end(waggle_span_start(tracer, "later", NULL));
    uint64_t later = fake_realtime_ns;
    waggle__os = real;
    waggle_span_data d = capture_named(capture, "step");
    assert_int_equal(d.start_ns, began);
    assert_int_equal(d.end_ns - d.start_ns, 2000000);
    waggle_span_data c = capture_named(capture, "child");
    assert_int_equal(c.start_ns - d.start_ns, 1000000);                // still inside its parent
    assert_int_equal(capture_named(capture, "later").start_ns, later); // in the new time
}

/* --- providers and processors -------------------------------------------------------------- */

struct meddler {
    struct waggle_processor base;
    size_t n_start, n_ending, n_end, n_sampled;
};

static void meddle_start(struct waggle_processor *p, waggle_span span,
                         const waggle_span_context *parent)
{
    ((struct meddler *)p)->n_start++;
    waggle_span_set_kv(span, waggle_kv_bool("has_parent", parent != NULL));
    waggle_span nested = waggle_span_start(tracer, "nested", NULL); // not recorded: no recursion
    assert_int_equal(nested.generation, 0);
}

static void meddle_ending(struct waggle_processor *p, waggle_span span)
{
    ((struct meddler *)p)->n_ending++;
    waggle_span_set_kv(span, waggle_kv_str("last", "word"));
    waggle_span_end(span); // it is ending already
}

static void meddle_end(struct waggle_processor *p, enum waggle_signal signal,
                       const waggle_record *record, const waggle_scope_info *scope, bool sampled)
{
    waggle_span_data d;
    assert_int_equal(signal, WAGGLE_SIGNAL_TRACES);
    assert_true(waggle_record_span(record, &d));
    assert_true(str_is(scope->name, "test"));
    ((struct meddler *)p)->n_end++;
    ((struct meddler *)p)->n_sampled += sampled;
}

static const struct waggle_processor_ops meddler_ops = {.struct_size = sizeof meddler_ops,
                                                        .name = "meddler",
                                                        .on_start = meddle_start,
                                                        .on_ending = meddle_ending,
                                                        .on_end = meddle_end};

static void custom_processors(void **state)
{
    (void)state;
    static struct meddler m = {.base = {&meddler_ops}};
    waggle_span_end(waggle_span_start(tracer, "before", NULL));
    assert_true(waggle_provider_add(provider, &m.base)); // reaches tracers made before
    waggle_span s = waggle_span_start(tracer, "seen", NULL);
    waggle_span_end(s);
    waggle_span_end(s);
    waggle_span_data d = capture_named(capture, "seen");
    assert_int_equal(attr_of(&d, "has_parent").value.type, WAGGLE_BOOL);
    assert_true(str_is(attr_of(&d, "last").value.str, "word"));
    assert_int_equal(m.n_start, 1);
    assert_int_equal(m.n_ending, 1);
    assert_int_equal(m.n_end, 1);
    assert_int_equal(m.n_sampled, 1);
    assert_int_equal(capture_count(capture), 2);
}

static void scopes_and_providers(void **state)
{
    (void)state;
    assert_ptr_equal(waggle_tracer_get("test", "1.2"), tracer);
    assert_ptr_not_equal(waggle_tracer_get("test", "1.3"), tracer);
    struct capture *other = capture_new();
    struct waggle_provider *second = waggle_provider_new(NULL);
    assert_true(waggle_provider_add(second, waggle_simple_processor_new(&other->base)));
    struct waggle_tracer *theirs = waggle_provider_tracer(second, "theirs", NULL, "https://s/1",
                                                          WAGGLE_ATTRS(waggle_kv_i64("shard", 7)));
    waggle_span_end(waggle_span_start(theirs, "elsewhere", NULL));
    waggle_span_end(waggle_span_start(waggle_tracer_get(NULL, NULL), "unnamed", NULL));
    assert_true(capture_has(other, "elsewhere"));
    assert_false(capture_has(capture, "elsewhere"));
    assert_true(capture_has(capture, "unnamed"));
    assert_true(waggle_tracer_enabled(theirs));
    assert_true(waggle_provider_shutdown(second, 1000));
    assert_false(waggle_provider_shutdown(second, 1000));
    assert_false(waggle_tracer_enabled(theirs));
    assert_int_equal(waggle_span_start(theirs, "late", NULL).generation, 0);
    assert_int_equal(other->n_shutdowns, 1);
    waggle_provider_free(second);
    assert_int_equal(waggle_span_start(theirs, "gone", NULL).generation, 0);
    capture_free(other);
}

static void a_provider_without_processors_records_nothing(void **state)
{
    (void)state;
    struct waggle_provider *bare = waggle_provider_new(NULL);
    struct waggle_tracer *t = waggle_provider_tracer(bare, "bare", NULL, NULL, WAGGLE_NO_ATTRS);
    assert_false(waggle_tracer_enabled(t));
    waggle_span s = waggle_span_start(t, "x", NULL);
    waggle_span_context c;
    assert_false(waggle_span_is_recording(s));
    assert_true(waggle_span_get_context(s, &c));
    assert_true(waggle_span_context_is_valid(&c));
    assert_false(waggle_span_context_is_sampled(&c));
    waggle_span_end(s);
    waggle_provider_free(bare);
}

static void too_many_open_spans_are_counted(void **state)
{
    (void)state;
    uint64_t before = stats().dropped_no_slot;
    static waggle_span spans[WAGGLE__LIVE_SPANS + 10];
    size_t n = 0;
    for (size_t i = 0; i < WAGGLE__COUNT(spans); i++) {
        spans[i] = waggle_span_start(tracer, "open", NULL);
        n += spans[i].generation != 0;
    }
    assert_int_equal(n, WAGGLE__LIVE_SPANS);
    assert_int_equal(stats().dropped_no_slot - before, 10);
    for (size_t i = 0; i < WAGGLE__COUNT(spans); i++)
        waggle_span_end(spans[i]);
    assert_int_equal(capture_count(capture), WAGGLE__LIVE_SPANS);
    waggle_span s = waggle_span_start(tracer, "fits again", NULL);
    assert_true(waggle_span_is_recording(s));
    waggle_span_end(s);
}

static void spans_that_end_after_shutdown_are_counted(void **state)
{
    (void)state;
    waggle_span s = waggle_span_start(tracer, "late", NULL);
    uint64_t before = stats().dropped_shutdown;
    assert_true(waggle_provider_shutdown(provider, 1000));
    waggle_span_end(s);
    assert_int_equal(stats().dropped_shutdown - before, 1);
    assert_false(capture_has(capture, "late"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(every_type_comes_back),
        T(a_key_set_again_has_the_new_value),
        T(status_is_ordered),
        T(events_links_exceptions),
        T(parents_and_ids),
        T(a_remote_parent_is_one),
        T(dead_handles_do_nothing),
        T(limits_hold_and_are_counted),
        T(texts_become_utf8),
        T(large_spans_move_and_too_large_values_go),
        T(a_list_that_holds_itself_ends),
        T(explicit_times),
        T(a_step_of_the_clock_changes_no_duration),
        T(custom_processors),
        T(scopes_and_providers),
        T(a_provider_without_processors_records_nothing),
        T(too_many_open_spans_are_counted),
        T(spans_that_end_after_shutdown_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
