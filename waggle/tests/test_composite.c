// SPDX-License-Identifier: Apache-2.0
/* test_composite.c - samplers made of parts: thresholds and where they stand in a tracestate,
 * rules, annotations */
#include "support.h"
#include "threshold.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static struct waggle_sampler *sampler;

static int teardown(void **state)
{
    (void)state;
    if (sampler != NULL)
        sampler->ops->free(sampler);
    sampler = NULL;
    return 0;
}

static struct waggle_sampler *composite(struct waggle_composable *c)
{
    if (sampler != NULL)
        sampler->ops->free(sampler);
    sampler = waggle_sampler_composite_new(c);
    assert_non_null(sampler);
    return sampler;
}

static waggle_span_context parent_of(const char *tracestate, bool sampled, bool remote)
{
    waggle_span_context c = {
        .trace_id = {1}, .span_id = {2}, .flags = sampled, .is_remote = remote};
    assert_true(waggle_tracestate_parse(tracestate, strlen(tracestate), &c));
    return c;
}

/* Ask with a trace id whose last 7 bytes are that. */
static waggle_sampling ask(uint64_t random, const waggle_span_context *parent,
                           waggle_sampling_params p)
{
    uint8_t id[16] = {9};
    for (int i = 15; i > 8; i--, random >>= 8)
        id[i] = (uint8_t)random;
    waggle_sampling r = {.decision = WAGGLE_DROP};
    p.trace_id = id;
    p.parent = parent;
    p.name = "x";
    sampler->ops->sample(sampler, &p, &r);
    return r;
}

static const waggle_sampling_params plain;

static void thresholds_are_written_as_the_specification_says(void **state)
{
    static const struct {
        double ratio;
        const char *text;
    } all[] = {{1, "ot=th:0"},    {0.5, "ot=th:8"},
               {0.25, "ot=th:c"}, {0.0625, "ot=th:f"},
               {0.75, "ot=th:4"}, {1.0 / 4096, "ot=th:fff"},
               {2, "ot=th:0"},    {1.0 / 3, "ot=th:aaaaaaaaaaaaac"}};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        char text[WAGGLE__TH_BYTES];
        uint64_t t = waggle__threshold_of(all[i].ratio);
        waggle__threshold_text(t, text);
        assert_string_equal(text, all[i].text);
        waggle_span_context parent = parent_of(text, true, true);
        uint64_t read = 1;
        assert_true(waggle__threshold_of_parent(&parent, &read));
        assert_int_equal(read, t);
    }
    assert_int_equal(waggle__threshold_of(0), WAGGLE_NEVER);
    assert_int_equal(waggle__threshold_of(-1), WAGGLE_NEVER);
    static const char *const bad[] = {
        "ot=th:", "ot=th:C", "ot=th:0123456789abcde", "ot=th:0g", "ot=p:8", "x=th:8", ""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        waggle_span_context parent = {0};
        uint64_t read = 0;
        (void)waggle_tracestate_parse(bad[i], strlen(bad[i]), &parent);
        assert_false(waggle__threshold_of_parent(&parent, &read));
    }
}

static void a_share_is_decided_by_randomness(void **state)
{
    (void)state;
    composite(waggle_composable_probability_new(0.25));
    assert_string_equal(sampler->ops->description(sampler),
                        "CompositeSampler{ComposableProbabilitySampler{0.25}}");
    waggle_sampling r = ask(UINT64_C(0xc0000000000000), NULL, plain);
    assert_int_equal(r.decision, WAGGLE_RECORD_AND_SAMPLE);
    assert_string_equal(r.tracestate, "ot=th:c");
    r = ask(UINT64_C(0xbfffffffffffff), NULL, plain);
    assert_int_equal(r.decision, WAGGLE_DROP);
    assert_null(r.tracestate);
    // Of a tracestate: rv decides, what is not ours stays.
    waggle_span_context p = parent_of("a=b,ot=k:v;rv:c0000000000000;th:8;z:1,c=d", true, true);
    r = ask(0, &p, plain);
    assert_int_equal(r.decision, WAGGLE_RECORD_AND_SAMPLE);
    assert_string_equal(r.tracestate, "ot=th:c;k:v;rv:c0000000000000;z:1,a=b,c=d");
    p = parent_of("a=b,ot=th:8;rv:bfffffffffffff", true, true);
    r = ask(UINT64_MAX, &p, plain);
    assert_int_equal(r.decision, WAGGLE_DROP); // and says no threshold
    assert_string_equal(r.tracestate, "ot=rv:bfffffffffffff,a=b");
    p = parent_of("ot=th:8", true, true);
    r = ask(0, &p, plain);
    assert_string_equal(r.tracestate, "");
    p = parent_of("a=b", true, true);
    r = ask(0, &p, plain);
    assert_null(r.tracestate); // as it is
    composite(waggle_composable_off());
    assert_int_equal(ask(UINT64_MAX, NULL, plain).decision, WAGGLE_DROP);
    composite(waggle_composable_on());
    assert_string_equal(ask(0, NULL, plain).tracestate, "ot=th:0");
    composite(waggle_composable_probability_new(1e-18)); // less than there is
    assert_int_equal(ask(UINT64_MAX, NULL, plain).decision, WAGGLE_DROP);
}

static void parents_hand_on_their_threshold(void **state)
{
    (void)state;
    composite(waggle_composable_parent_new(waggle_composable_probability_new(0.5)));
    assert_string_equal(sampler->ops->description(sampler),
                        "CompositeSampler{ComposableParentThresholdSampler{"
                        "ComposableProbabilitySampler{0.5}}}");
    assert_string_equal(ask(UINT64_C(0x80000000000000), NULL, plain).tracestate, "ot=th:8");
    waggle_span_context p = parent_of("ot=th:c", true, true);
    assert_int_equal(ask(UINT64_C(0xbfffffffffffff), &p, plain).decision, WAGGLE_DROP);
    waggle_sampling r = ask(UINT64_C(0xc0000000000000), &p, plain);
    assert_int_equal(r.decision, WAGGLE_RECORD_AND_SAMPLE);
    assert_string_equal(r.tracestate, "ot=th:c");
    p = parent_of("a=b", true, false); // sampled, nobody knows by which chance
    r = ask(0, &p, plain);
    assert_int_equal(r.decision, WAGGLE_RECORD_AND_SAMPLE);
    assert_null(r.tracestate);
    p = parent_of("a=b", false, false);
    assert_int_equal(ask(UINT64_MAX, &p, plain).decision, WAGGLE_DROP);
}

static bool is_big(void *self, const waggle_sampling_params *params)
{
    return params->attributes.n > *(size_t *)self;
}

static enum waggle_decision with(waggle_attrs attributes, enum waggle_kind kind,
                                 const waggle_span_context *parent)
{
    waggle_sampling_params p = {.kind = kind, .attributes = attributes};
    return ask(0, parent, p).decision;
}

static void the_first_rule_that_matches_decides(void **state)
{
    (void)state;
    static size_t big = 3;
    const char *health[] = {"/health*"};
    const char *deep[] = {"/health/deep"};
    const char *codes[] = {"404", "true", "1.5"};
    composite(waggle_composable_rules_new(
        (waggle_sampling_rule[]){
            {.key = "url.path",
             .included = health,
             .n_included = 1,
             .excluded = deep,
             .n_excluded = 1,
             .sampler = waggle_composable_off()},
            {.value_key = "code",
             .values = codes,
             .n_values = 3,
             .sampler = waggle_composable_on()},
            {.kinds = 1u << WAGGLE_KIND_SERVER | 1u << WAGGLE_KIND_CONSUMER,
             .parents = WAGGLE_PARENT_NONE | WAGGLE_PARENT_REMOTE,
             .sampler = waggle_composable_on()},
            {.matches = is_big, .self = &big, .sampler = waggle_composable_on()},
        },
        4));
    health[0] = deep[0] = codes[0] = "gone"; // they were copied
    const waggle_span_context local = {.trace_id = {1}, .span_id = {1}};
    const waggle_span_context remote = {.trace_id = {1}, .span_id = {1}, .is_remote = true};
    const int64_t ints[] = {1, 404};
    const enum waggle_decision drop = WAGGLE_DROP;
    const enum waggle_decision take = WAGGLE_RECORD_AND_SAMPLE;
    waggle_attrs none = WAGGLE_NO_ATTRS;
    assert_int_equal(with(none, WAGGLE_KIND_SERVER, NULL), take);
    assert_int_equal(with(none, WAGGLE_KIND_SERVER, &remote), take);
    assert_int_equal(with(none, WAGGLE_KIND_SERVER, &local), drop);
    assert_int_equal(with(none, WAGGLE_KIND_CLIENT, NULL), drop);
    assert_int_equal(with(none, WAGGLE_KIND_CONSUMER, NULL), take);
    assert_int_equal(
        with(WAGGLE_ATTRS(waggle_kv_str("url.path", "/healthz")), WAGGLE_KIND_SERVER, NULL), drop);
    assert_int_equal(
        with(WAGGLE_ATTRS(waggle_kv_str("url.path", "/health/deep")), WAGGLE_KIND_SERVER, NULL),
        take);
    assert_int_equal(with(WAGGLE_ATTRS(waggle_kv_i64("code", 404)), WAGGLE_KIND_CLIENT, NULL),
                     take);
    assert_int_equal(with(WAGGLE_ATTRS(waggle_kv_i64("code", 405)), WAGGLE_KIND_CLIENT, NULL),
                     drop);
    assert_int_equal(with(WAGGLE_ATTRS(waggle_kv_bool("code", true)), WAGGLE_KIND_CLIENT, NULL),
                     take);
    assert_int_equal(with(WAGGLE_ATTRS(waggle_kv_f64("code", 1.5)), WAGGLE_KIND_CLIENT, NULL),
                     take);
    assert_int_equal(with(WAGGLE_ATTRS(waggle_kv_i64s("code", ints, 2)), WAGGLE_KIND_CLIENT, NULL),
                     take);
    assert_int_equal(with(WAGGLE_ATTRS(waggle_kv_i64("a", 1), waggle_kv_i64("b", 1),
                                       waggle_kv_i64("c", 1), waggle_kv_i64("d", 1)),
                          WAGGLE_KIND_CLIENT, NULL),
                     take);
    assert_string_equal(
        sampler->ops->description(sampler),
        "CompositeSampler{ComposableRuleBasedSampler{ComposableAlwaysOffSampler,"
        "ComposableAlwaysOnSampler,ComposableAlwaysOnSampler,ComposableAlwaysOnSampler}}");
    composite(waggle_composable_rules_new(NULL, 0));
    assert_int_equal(with(none, WAGGLE_KIND_SERVER, NULL), drop);
    assert_null(waggle_composable_rules_new((waggle_sampling_rule[]){{0}}, 1));
}

static void annotations_are_on_what_is_sampled(void **state)
{
    (void)state;
    char text[] = "rule 7";
    struct waggle_composable *c = waggle_composable_annotating_new(
        waggle_composable_probability_new(0.5),
        WAGGLE_ATTRS(waggle_kv_str("sampled.by", text), waggle_kv_i64("n", 7)));
    text[0] = 'X'; // it was copied
    c = waggle_composable_annotating_new(c, WAGGLE_ATTRS(waggle_kv_bool("outer", true)));
    struct capture *capture = capture_new();
    struct waggle_provider *p = provider_with(
        capture, &(waggle_provider_options){.sampler = waggle_sampler_composite_new(c)});
    for (int i = 0; i < 64; i++)
        waggle_span_end(waggle_span_start(waggle_tracer_get("t", NULL), "s", NULL));
    size_t n = capture_count(capture);
    assert_in_range(n, 1, 63);
    for (size_t i = 0; i < n; i++) {
        waggle_span_data d = capture_span(capture, i);
        assert_string_equal(attr_text(&d, "sampled.by"), "rule 7");
        assert_int_equal(attr_of(&d, "n").value.i64, 7);
        assert_true(attr_of(&d, "outer").value.boolean);
        assert_true(str_is(d.tracestate, "ot=th:8"));
        assert_true(d.trace_id[9] >= 0x80);
    }
    waggle_provider_free(p);
    capture_free(capture);
    assert_null(waggle_composable_annotating_new(
        waggle_composable_on(), WAGGLE_ATTRS(waggle_kv_i64s("l", (const int64_t[]){1}, 1))));
    assert_null(waggle_sampler_composite_new(NULL));
    assert_null(waggle_composable_parent_new(NULL));
}

/* The ratio sampler says its threshold, too. */
static void ratios_say_their_threshold(void **state)
{
    (void)state;
    sampler = waggle_sampler_ratio_new(0.5);
    waggle_sampling r = ask(UINT64_C(0x80000000000000), NULL, plain);
    assert_int_equal(r.decision, WAGGLE_RECORD_AND_SAMPLE);
    assert_string_equal(r.tracestate, "ot=th:8");
    assert_int_equal(ask(UINT64_C(0x7fffffffffffff), NULL, plain).decision, WAGGLE_DROP);
    waggle_span_context p = parent_of("a=b,ot=rv:80000000000000", true, true);
    r = ask(0, &p, plain);
    assert_string_equal(r.tracestate, "ot=th:8;rv:80000000000000,a=b");
}

static void a_file_says_it(void **state)
{
    static const char yaml[] =
        "file_format: '1.0'\n"
        "tracer_provider:\n"
        "  processors: []\n"
        "  sampler:\n"
        "    composite/development:\n"
        "      parent_threshold:\n"
        "        root:\n"
        "          rule_based:\n"
        "            rules:\n"
        "              - attribute_patterns: {key: url.path, included: ['/health*']}\n"
        "                sampler: {always_off: }\n"
        "              - attribute_values: {key: code, values: ['500']}\n"
        "                sampler: {always_on: }\n"
        "              - parent: [none]\n"
        "                span_kinds: [server, consumer]\n"
        "                sampler: {probability: {ratio: 0.5}}\n";
    (void)state;
    struct waggle_config *c = waggle_config_parse("test.yaml", yaml, sizeof yaml - 1);
    assert_non_null(c);
    struct waggle_provider *p = waggle_config_create(c);
    waggle_config_free(c);
    assert_non_null(p);
    sampler = p->sampler;
    assert_string_equal(
        sampler->ops->description(sampler),
        "CompositeSampler{ComposableParentThresholdSampler{ComposableRuleBasedSampler{"
        "ComposableAlwaysOffSampler,ComposableAlwaysOnSampler,ComposableProbabilitySampler{0.5}}}"
        "}");
    waggle_sampling_params q = {.kind = WAGGLE_KIND_SERVER};
    assert_string_equal(ask(UINT64_MAX, NULL, q).tracestate, "ot=th:8");
    assert_int_equal(ask(0, NULL, q).decision, WAGGLE_DROP);
    q.attributes = WAGGLE_ATTRS(waggle_kv_i64("code", 500));
    assert_string_equal(ask(0, NULL, q).tracestate, "ot=th:0");
    q.attributes = WAGGLE_ATTRS(waggle_kv_str("url.path", "/healthy"));
    assert_int_equal(ask(UINT64_MAX, NULL, q).decision, WAGGLE_DROP);
    q = (waggle_sampling_params){.kind = WAGGLE_KIND_CLIENT};
    assert_int_equal(ask(UINT64_MAX, NULL, q).decision, WAGGLE_DROP);
    sampler = NULL; // the provider's
    waggle_provider_free(p);
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, teardown)
    const struct CMUnitTest tests[] = {
        T(thresholds_are_written_as_the_specification_says),
        T(a_share_is_decided_by_randomness),
        T(parents_hand_on_their_threshold),
        T(the_first_rule_that_matches_decides),
        T(annotations_are_on_what_is_sampled),
        T(ratios_say_their_threshold),
        T(a_file_says_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
