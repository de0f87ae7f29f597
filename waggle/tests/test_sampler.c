// SPDX-License-Identifier: Apache-2.0
/* test_sampler.c - which traces are recorded, and in what order a span comes to be */
#include "support.h"

#include <cmocka.h>
#include <stdlib.h>

static struct capture *capture;

static struct waggle_provider *with(struct waggle_sampler *sampler, struct waggle_id_generator *ids)
{
    capture = capture_new();
    return provider_with(capture,
                         &(waggle_provider_options){.sampler = sampler, .id_generator = ids});
}

static void done(struct waggle_provider *p)
{
    waggle_provider_free(p);
    capture_free(capture);
}

static struct waggle_tracer *tracer(void)
{
    return waggle_tracer_get("sampler", NULL);
}

static enum waggle_decision ask(struct waggle_sampler *s, uint8_t seed,
                                const waggle_span_context *parent)
{
    uint8_t trace_id[16];
    for (int i = 0; i < 16; i++)
        trace_id[i] = (uint8_t)((seed * 2654435761u) >> (i + 3));
    waggle_sampling_params p = {.trace_id = trace_id, .parent = parent, .name = "x"};
    waggle_sampling r = {.decision = WAGGLE_DROP};
    s->ops->sample(s, &p, &r);
    return r.decision;
}

static void off_makes_ids_and_nothing_else(void **state)
{
    (void)state;
    struct waggle_provider *p = with(waggle_sampler_always_off(), NULL);
    waggle_span root = waggle_span_start(tracer(), "root", NULL);
    waggle_span child = waggle_span_start(tracer(), "child", &(waggle_span_opts){.parent = root});
    waggle_span_context a;
    waggle_span_context b;
    assert_false(waggle_span_is_recording(root));
    assert_true(waggle_span_get_context(root, &a) && waggle_span_get_context(child, &b));
    assert_memory_equal(a.trace_id, b.trace_id, 16);
    assert_memory_not_equal(a.span_id, b.span_id, 8);
    assert_false(waggle_span_context_is_sampled(&b));
    waggle_span_end(child);
    waggle_span_end(root);
    assert_int_equal(capture_count(capture), 0);
    assert_string_equal(waggle_sampler_always_off()->ops->description(waggle_sampler_always_off()),
                        "AlwaysOffSampler");
    done(p);
}

static void ratio_is_a_share_and_lower_is_within_higher(void **state)
{
    (void)state;
    struct waggle_provider *p = with(waggle_sampler_ratio_new(0.25), NULL);
    struct waggle_sampler *tenth = waggle_sampler_ratio_new(0.1);
    struct waggle_sampler *half = waggle_sampler_ratio_new(0.5);
    for (int i = 0; i < 8000; i++)
        waggle_span_end(waggle_span_start(tracer(), "x", NULL));
    assert_in_range(capture_count(capture), 1700, 2300); // 2000 +- 7 standard deviations
    size_t in_tenth = 0;
    for (int i = 0; i < 256; i++) {
        bool low = ask(tenth, (uint8_t)i, NULL) != WAGGLE_DROP;
        in_tenth += low;
        if (low)
            assert_int_equal(ask(half, (uint8_t)i, NULL), WAGGLE_RECORD_AND_SAMPLE);
    }
    assert_true(in_tenth > 0);
    assert_string_equal(tenth->ops->description(tenth), "TraceIdRatioBased{0.100000}");
    tenth->ops->free(tenth);
    half->ops->free(half);
    struct waggle_sampler *one = waggle_sampler_ratio_new(5);
    struct waggle_sampler *zero = waggle_sampler_ratio_new(-1);
    for (int i = 0; i < 256; i++) {
        assert_int_equal(ask(one, (uint8_t)i, NULL), WAGGLE_RECORD_AND_SAMPLE);
        assert_int_equal(ask(zero, (uint8_t)i, NULL), WAGGLE_DROP);
    }
    one->ops->free(one);
    zero->ops->free(zero);
    done(p);
}

static void parent_based(void **state)
{
    (void)state;
    waggle_span_context parents[4] = {
        {.trace_id = {1}, .span_id = {1}, .flags = 1, .is_remote = true},
        {.trace_id = {1}, .span_id = {1}, .flags = 0, .is_remote = true},
        {.trace_id = {1}, .span_id = {1}, .flags = 1, .is_remote = false},
        {.trace_id = {1}, .span_id = {1}, .flags = 0, .is_remote = false},
    };
    struct waggle_sampler *s = waggle_sampler_parent_based_new(NULL, NULL, NULL, NULL, NULL);
    assert_int_equal(ask(s, 1, NULL), WAGGLE_RECORD_AND_SAMPLE);
    for (int i = 0; i < 4; i++)
        assert_int_equal(ask(s, 1, &parents[i]),
                         i % 2 == 0 ? WAGGLE_RECORD_AND_SAMPLE : WAGGLE_DROP);
    s->ops->free(s);
    struct waggle_sampler *on = waggle_sampler_always_on();
    struct waggle_sampler *off = waggle_sampler_always_off();
    s = waggle_sampler_parent_based_new(off, off, on, off, on);
    assert_int_equal(ask(s, 1, NULL), WAGGLE_DROP);
    for (int i = 0; i < 4; i++)
        assert_int_equal(ask(s, 1, &parents[i]),
                         i % 2 == 0 ? WAGGLE_DROP : WAGGLE_RECORD_AND_SAMPLE);
    assert_non_null(strstr(s->ops->description(s), "root:AlwaysOffSampler"));
    s->ops->free(s);
}

/* A sampler of the program's own. */
struct mine {
    struct waggle_sampler base;
    enum waggle_decision decision;
    const char *tracestate;
    size_t n, n_freed;
    bool saw_attribute, saw_trace_id, saw_span_id;
};

static void sample_mine(struct waggle_sampler *s, const waggle_sampling_params *p,
                        waggle_sampling *ret)
{
    static const waggle_kv added = {
        .key = "sampler", .key_n = 7, .value = {.type = WAGGLE_I64, .as = {.i64 = 3}}};
    struct mine *m = (struct mine *)s;
    m->n++;
    m->saw_attribute = p->attributes.n == 1 && strcmp(p->attributes.p[0].key, "early") == 0;
    static const uint8_t none[16];
    m->saw_trace_id = memcmp(p->trace_id, none, 16) != 0;
    ret->decision = m->decision;
    ret->attributes = waggle_attrs_of(&added, 1);
    ret->tracestate = m->tracestate;
    assert_int_equal(waggle_span_start(tracer(), "from the sampler", NULL).generation, 0);
}

static void free_mine(struct waggle_sampler *s)
{
    ((struct mine *)s)->n_freed++;
}

static const struct waggle_sampler_ops mine_ops = {
    .struct_size = sizeof mine_ops, .sample = sample_mine, .free = free_mine};

static void custom_samplers(void **state)
{
    (void)state;
    struct mine m = {
        .base = {&mine_ops}, .decision = WAGGLE_RECORD_AND_SAMPLE, .tracestate = "m=1"};
    struct waggle_provider *p = with(&m.base, NULL);
    waggle_span s = waggle_span_start(
        tracer(), "a", &(waggle_span_opts){.attributes = WAGGLE_ATTRS(waggle_kv_i64("early", 1))});
    waggle_span_end(s);
    assert_true(m.saw_attribute && m.saw_trace_id);
    waggle_span_data d = capture_named(capture, "a");
    assert_int_equal(attr_of(&d, "sampler").value.i64, 3);
    assert_true(str_is(d.tracestate, "m=1"));

    waggle_span_context remote = {
        .trace_id = {1}, .span_id = {2}, .flags = 1, .tracestate_n = 3, .tracestate = "r=1"};
    waggle_context ctx;
    waggle_context_init(&ctx);
    waggle_context_set_remote(&ctx, &remote);
    m.tracestate = NULL; // the parent's
    waggle_span_end(waggle_span_start(tracer(), "b", &(waggle_span_opts){.context = &ctx}));
    m.tracestate = ""; // none
    waggle_span_end(waggle_span_start(tracer(), "c", &(waggle_span_opts){.context = &ctx}));
    assert_true(str_is(capture_named(capture, "b").tracestate, "r=1"));
    assert_int_equal(capture_named(capture, "c").tracestate.n, 0);

    m.decision = WAGGLE_RECORD_ONLY; // records, is not sent, and its flag says so
    s = waggle_span_start(tracer(), "d", NULL);
    waggle_span_context c;
    assert_true(waggle_span_is_recording(s) && waggle_span_get_context(s, &c));
    assert_false(waggle_span_context_is_sampled(&c));
    waggle_span_end(s);
    assert_false(capture_has(capture, "d"));
    assert_int_equal(m.n, 4);
    done(p);
    assert_int_equal(m.n_freed, 1);
}

static void trace_42(struct waggle_id_generator *g, uint8_t ret_id[16])
{
    (void)g;
    memset(ret_id, 0x42, 16);
}

static void custom_ids(void **state)
{
    (void)state;
    static const struct waggle_id_generator_ops ops = {.struct_size = sizeof ops,
                                                       .trace_id = trace_42};
    static struct waggle_id_generator g = {&ops};
    struct waggle_provider *p = with(NULL, &g);
    waggle_span s = waggle_span_start(tracer(), "x", NULL);
    waggle_span_context c;
    assert_true(waggle_span_get_context(s, &c));
    assert_int_equal(c.trace_id[15], 0x42);
    assert_int_equal(c.flags, WAGGLE_FLAG_SAMPLED); // not said to be random
    waggle_span_end(s);
    done(p);
}

static void ids_differ(void **state)
{
    (void)state;
    enum { N = 5000 };
    struct waggle_provider *p = with(NULL, NULL);
    for (int i = 0; i < N; i++)
        waggle_span_end(waggle_span_start(tracer(), "x", NULL));
    for (size_t i = 0; i < N; i++) // neighbours in a random order differ if all do, nearly surely
        for (size_t k = i + 1; k < N && k < i + 50; k++) {
            waggle_span_data a = capture_span(capture, i);
            waggle_span_data b = capture_span(capture, k);
            assert_memory_not_equal(a.trace_id, b.trace_id, 16);
            assert_memory_not_equal(a.span_id, b.span_id, 8);
        }
    done(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(off_makes_ids_and_nothing_else),
        cmocka_unit_test(ratio_is_a_share_and_lower_is_within_higher),
        cmocka_unit_test(parent_based),
        cmocka_unit_test(custom_samplers),
        cmocka_unit_test(custom_ids),
        cmocka_unit_test(ids_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
