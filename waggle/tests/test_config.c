// SPDX-License-Identifier: Apache-2.0
/* test_config.c - a file says what the SDK is: its YAML, its variables, what is made of it, and
 * where it is wrong */
#include "metrics_support.h"
#include "sdk_priv.h"

#include <stdio.h>
#include <unistd.h>

static char said[4096]; /* all that was told, a line each */
static struct capture *capture;

static void hear(void *self, enum waggle_level level, const char *text)
{
    (void)self;
    (void)level;
    size_t n = strlen(said);
    snprintf(said + n, sizeof said - n, "%s\n", text);
}

static struct waggle_exporter *make_capture(enum waggle_signal signal,
                                            const struct waggle_config_node *properties)
{
    (void)signal;
    capture->result = (enum waggle_export)waggle_config_i64(waggle_config_get(properties, "result"),
                                                            WAGGLE_EXPORT_OK);
    return waggle_config_bool(waggle_config_get(properties, "fails"), false) ? NULL
                                                                             : &capture->base;
}

static bool was_seen;

static void see_start(struct waggle_processor *p, waggle_span span,
                      const waggle_span_context *parent)
{
    (void)p;
    (void)span;
    (void)parent;
    was_seen = true;
}

static struct waggle_processor *make_seer(enum waggle_signal signal,
                                          const struct waggle_config_node *properties)
{
    static const struct waggle_processor_ops ops = {
        .struct_size = sizeof ops, .name = "seer", .on_start = see_start};
    static struct waggle_processor seer = {&ops};
    assert_int_equal(signal, WAGGLE_SIGNAL_TRACES);
    assert_int_equal(waggle_config_type(properties), WAGGLE_CONFIG_NULL);
    return &seer;
}

static struct waggle_sampler *make_none(const struct waggle_config_node *properties)
{
    return waggle_config_str(properties, NULL) == NULL ? waggle_sampler_always_off() : NULL;
}

static struct waggle_reader *the_reader;

static struct waggle_reader *make_manual(const struct waggle_config_node *properties,
                                         const waggle_reader_options *options)
{
    (void)properties;
    return the_reader = waggle_manual_reader_new(options);
}

static void detect_tests(struct waggle_resource *r)
{
    waggle_resource_set(
        r, WAGGLE_ATTRS(waggle_kv_str("test.kept", "1"), waggle_kv_str("test.secret", "2")));
}

static int setup(void **state)
{
    static bool registered;
    (void)state;
    if (!registered) {
        assert_true(waggle_config_register(&(waggle_component){
            .name = "capture", .exporter = make_capture, .detect = detect_tests}));
        assert_true(waggle_config_register(
            &(waggle_component){.name = "seer", .processor = make_seer, .sampler = make_none}));
        assert_true(
            waggle_config_register(&(waggle_component){.name = "manual", .reader = make_manual}));
        assert_false(waggle_config_register(
            &(waggle_component){.name = "capture", .exporter = make_capture}));
        assert_false(waggle_config_register(
            &(waggle_component){.name = "console", .exporter = make_capture}));
        assert_true(waggle_config_register(
            &(waggle_component){.name = "mine", .propagator = waggle_propagator_find("b3")}));
        registered = true;
    }
    capture = capture_new();
    said[0] = '\0';
    waggle_set_error_handler(hear, NULL, WAGGLE_LEVEL_DEBUG);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unsetenv("OTEL_CONFIG_FILE");
    unsetenv("OTEL_EXPERIMENTAL_CONFIG_FILE");
    waggle_shutdown(20000);
    capture_free(capture);
    return 0;
}

static struct waggle_config *parse(const char *yaml)
{
    return waggle_config_parse("test.yaml", yaml, strlen(yaml));
}

/* --- YAML ---------------------------------------------------------------------------------- */

/* The tree as one line: {k: v} and [a], texts in quotes, others with their type's letter. */
static void show(const struct waggle_config_node *x, char *out, size_t cap)
{
    size_t n = strlen(out);
    enum waggle_config_type t = waggle_config_type(x);
    if (t < WAGGLE_CONFIG_MAP) {
        static const char letters[] = "?0bif";
        snprintf(out + n, cap - n, t == WAGGLE_CONFIG_STR ? "'%s'" : "%.0s%c",
                 waggle_config_str(x, ""), letters[t < WAGGLE_CONFIG_STR ? t : 0]);
        n += strlen(out + n);
        if (t == WAGGLE_CONFIG_BOOL)
            snprintf(out + n, cap - n, "%d", waggle_config_bool(x, false));
        if (t == WAGGLE_CONFIG_I64)
            snprintf(out + n, cap - n, "%lld", (long long)waggle_config_i64(x, 0));
        if (t == WAGGLE_CONFIG_F64)
            snprintf(out + n, cap - n, "%g", waggle_config_f64(x, 0));
        return;
    }
    snprintf(out + n, cap - n, t == WAGGLE_CONFIG_MAP ? "{" : "[");
    for (size_t i = 0; i < waggle_config_count(x); i++) {
        const char *key = NULL;
        const struct waggle_config_node *value = waggle_config_at(x, i, &key);
        n = strlen(out);
        snprintf(out + n, cap - n, "%s%s%s", i > 0 ? "," : "", key ? key : "", key ? ":" : "");
        show(value, out, cap);
    }
    n = strlen(out);
    snprintf(out + n, cap - n, t == WAGGLE_CONFIG_MAP ? "}" : "]");
}

static const struct {
    const char *yaml, *tree;
} documents[] = {
    {"a: b", "a:'b'"},
    {"a: b # c\n# d\n\nc:   d#e  \n", "a:'b',c:'d#e'"},
    {"a:\n  b: 1\n  c:\n    - x\n    - y: 2\n      z: 3\n  d:\n  - k\n  -\n",
     "a:{b:i1,c:['x',{y:i2,z:i3}],d:['k',0]}"},
    {"a: # nothing\nb: ~\nc: null\nd: \"\"\ne: ''", "a:0,b:0,c:0,d:'',e:''"},
    {"a: [1, -2, 0x1F, 0o17, +3, 1.5, .5, -1e3, 1., true, False, x y, 'it''s', \"t\\u00e9\\n\", ]",
     "a:[i1,i-2,i31,i15,i3,f1.5,f0.5,f-1000,f1,b1,b0,'x y','it's','t\xc3\xa9\n']"},
    {"a: {b: 1, \"c\": [], d: {}, e: , f: http://x:1/y}",
     "a:{b:i1,c:[],d:{},e:0,f:'http://x:1/y'}"},
    {"a:\n  [\n    1, # one\n    2\n  ]\n", "a:[i1,i2]"},
    {"- - a\n  - b\n- - c", NULL},
    {"a:\n  - - x\n    - y\n  - # next\n    z: 1\n", "a:[['x','y'],{z:i1}]"},
    {"a: &one\n  x: 1\n  y: [p]\nb:\n  <<: *one\n  x: 2\nc: [*one, *one]\nd: &two text\ne: *two\n",
     "a:{x:i1,y:['p']},b:{x:i2,y:['p']},c:[{x:i1,y:['p']},{x:i1,y:['p']}],d:'text',e:'text'"},
    {"a: 9223372036854775807\nb: -9223372036854775808\nc: 9223372036854775808\nd: 1e400\ne: 1_000",
     "a:i9223372036854775807,b:i-9223372036854775808,c:f9.22337e+18,d:'1e400',e:'1_000'"},
    {"\xef\xbb\xbf--- # start\r\na: b\r\nc: d\r\n...\r\n", "a:'b',c:'d'"},
    {"'a b': 1\n\"c: d\": 2\n", "a b:i1,c: d:i2"},
};

static void yaml_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        char yaml[1024];
        char tree[1024] = "";
        const char *begin = documents[i].yaml;
        bool is_marked = strstr(begin, "---") != NULL;
        snprintf(yaml, sizeof yaml, "%s\n%sfile_format: '1.0'\n", is_marked ? "" : begin, "");
        if (is_marked) // the format's own key stands in the document
            snprintf(yaml, sizeof yaml, "%.*sfile_format: '1.0'\r\n%s",
                     (int)(strstr(begin, "a: b") - begin), begin, strstr(begin, "a: b"));
        struct waggle_config *c = parse(yaml);
        if (documents[i].tree == NULL) { // a list is no configuration
            assert_null(c);
            continue;
        }
        if (c == NULL)
            print_error("%s\n%s", yaml, said);
        assert_non_null(c);
        show(waggle_config_root(c), tree, sizeof tree);
        char wanted[1024];
        snprintf(wanted, sizeof wanted,
                 is_marked ? "{file_format:'1.0',%s}" : "{%s,file_format:'1.0'}",
                 documents[i].tree);
        assert_string_equal(tree, wanted);
        waggle_config_free(c);
    }
}

static const struct {
    const char *yaml, *error;
} mistakes[] = {
    {"a: b\n\tc: d", "test.yaml:2: a tab indents; YAML wants blanks"},
    {"a: b\n  c: d", "test.yaml:2: this is indented unlike the key above it"},
    {"a:\n  - b\n    - c", "test.yaml:3: this is indented unlike the \"- \" above it"},
    {"a: b: c", "test.yaml:1: a value with \": \" in it must be quoted"},
    {"a: 1\nb: 2\na: 3", "test.yaml:3: \"a\" stands twice"},
    {"a: |\n  text", "test.yaml:1: block texts (| and >) are not understood; quote the text"},
    {"a: !!str b", "test.yaml:1: tags are not understood"},
    {"? a\n: b", "test.yaml:1: keys behind \"? \" are not understood"},
    {"%YAML 1.2\n---\na: b", "test.yaml:1: directives are not understood"},
    {"a: \"b", "test.yaml:1: a quoted text must end in its line"},
    {"a: \"\\q\"", "test.yaml:1: an escape that YAML does not have"},
    {"a: \"\\0\"", "test.yaml:1: an escape that YAML does not have"},
    {"a: \"\\ud800\"", "test.yaml:1: an escape stands for no character"},
    {"a: [1, 2", "test.yaml:1: ']' is missing"},
    {"a: [1 2}", "test.yaml:1: ',' or ']' is expected"},
    {"a: {b 1}", "test.yaml:1: a key and ':' are expected"},
    {"a: 'b' c", "test.yaml:1: \"c\" is not expected here"},
    {"a: @b", "test.yaml:1: '@' begins no value; quote the text"},
    {"a: *b", "test.yaml:1: *b names no anchor above it"},
    {"a: &b\n  c: *b", "test.yaml:2: *b names no anchor above it"},
    {"a: 1\n<<: 2", "test.yaml:2: << wants a map, or a list of maps"},
    {"a: 1\n--- \nb: 2", "test.yaml:2: \"--- \" is not expected here"},
    {"just text", "test.yaml:1: a configuration is a map, and this is none"},
    {"a: \x01", "test.yaml:1: byte 01 is no text"},
    {"a: b\nc: \xff", "test.yaml:2: byte ff is no text"},
    {"a: ${1X}", "test.yaml:1: ${1X} is no reference to a variable"},
    {"a: \"${X:?error}\"", "test.yaml:1: ${X:?error} is no reference to a variable"},
    {"a: b", "test.yaml:1: \"file_format\" is missing"},
    {"a: b\nfile_format: '0.4'", "test.yaml:2: file_format 0.4 is not understood; 1.0 is"},
    {"", "test.yaml:1: a configuration is a map, and this is none"},
};

static void mistakes_have_their_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        said[0] = '\0';
        assert_null(parse(mistakes[i].yaml));
        char wanted[256];
        snprintf(wanted, sizeof wanted, "%s\n", mistakes[i].error);
        assert_string_equal(said, wanted);
    }
}

/* Ten aliases of ten aliases of ...: what a walk would never come to the end of is refused. */
static void aliases_cannot_explode(void **state)
{
    char yaml[4096] = "file_format: '1.0'\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    (void)state;
    for (int i = 1; i < 9; i++) {
        size_t n = strlen(yaml);
        n += (size_t)snprintf(yaml + n, sizeof yaml - n, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++)
            n += (size_t)snprintf(yaml + n, sizeof yaml - n, "%s*a%d", k ? ", " : "", i - 1);
        snprintf(yaml + n, sizeof yaml - n, "]\n");
    }
    assert_null(parse(yaml));
    assert_non_null(strstr(said, "the file says more than 20000 things"));
    char deep[256];
    memset(deep, '[', sizeof deep);
    memcpy(deep, "a: ", 3);
    deep[sizeof deep - 1] = '\0';
    assert_null(parse(deep));
    assert_non_null(strstr(said, "maps and lists stand more than 32 deep"));
}

/* The table of the specification's data model. */
static const struct {
    const char *value, *tree;
} references[] = {
    {"${STRING_VALUE}", "'value'"},
    {"${BOOL_VALUE}", "b1"},
    {"${INT_VALUE}", "i1"},
    {"${FLOAT_VALUE}", "f1.1"},
    {"${HEX_VALUE}", "i3735928559"},
    {"\"${STRING_VALUE}\"", "'value'"},
    {"\"${BOOL_VALUE}\"", "'true'"},
    {"\"${INT_VALUE}\"", "'1'"},
    {"\"${FLOAT_VALUE}\"", "'1.1'"},
    {"\"${HEX_VALUE}\"", "'0xdeadbeef'"},
    {"${env:STRING_VALUE}", "'value'"},
    {"${INVALID_MAP_VALUE}", "'value\nkey:value'"},
    {"foo ${STRING_VALUE} ${FLOAT_VALUE}", "'foo value 1.1'"},
    {"${UNDEFINED_KEY}", "0"},
    {"${UNDEFINED_KEY:-fallback}", "'fallback'"},
    {"${UNDEFINED_KEY:-7}", "i7"},
    {"${REPLACE_ME}", "'${DO_NOT_REPLACE_ME}'"},
    {"${UNDEFINED_KEY:-${STRING_VALUE}}", "'${STRING_VALUE}'"},
    {"$${STRING_VALUE}", "'${STRING_VALUE}'"},
    {"$$${STRING_VALUE}", "'$value'"},
    {"$$$${STRING_VALUE}", "'$${STRING_VALUE}'"},
    {"$${STRING_VALUE:-fallback}", "'${STRING_VALUE:-fallback}'"},
    {"$${STRING_VALUE:-${STRING_VALUE}}", "'${STRING_VALUE:-value}'"},
    {"${UNDEFINED_KEY:-$${UNDEFINED_KEY}}", "'${UNDEFINED_KEY:-${UNDEFINED_KEY}}'"},
    {"${VALUE_WITH_ESCAPE}", "'value$$'"},
    {"a $$ b", "'a $ b'"},
    {"a $ b", "'a $ b'"},
};

static void variables_are_put_in(void **state)
{
    (void)state;
    setenv("STRING_VALUE", "value", 1);
    setenv("BOOL_VALUE", "true", 1);
    setenv("INT_VALUE", "1", 1);
    setenv("FLOAT_VALUE", "1.1", 1);
    setenv("HEX_VALUE", "0xdeadbeef", 1);
    setenv("INVALID_MAP_VALUE", "value\nkey:value", 1);
    setenv("DO_NOT_REPLACE_ME", "Never use this value", 1);
    setenv("REPLACE_ME", "${DO_NOT_REPLACE_ME}", 1);
    setenv("VALUE_WITH_ESCAPE", "value$$", 1);
    for (size_t i = 0; i < sizeof references / sizeof references[0]; i++) {
        char yaml[256];
        char tree[256] = "";
        snprintf(yaml, sizeof yaml, "file_format: '1.0'\nkey: %s\n${STRING_VALUE}: k\n",
                 references[i].value);
        struct waggle_config *c = parse(yaml);
        assert_non_null(c);
        show(waggle_config_get(waggle_config_root(c), "key"), tree, sizeof tree);
        assert_string_equal(tree, references[i].tree);
        assert_non_null(waggle_config_get(waggle_config_root(c), "${STRING_VALUE}"));
        waggle_config_free(c);
    }
}

/* --- what is made -------------------------------------------------------------------------- */

static struct waggle_provider *create(const char *yaml)
{
    char whole[4096];
    snprintf(whole, sizeof whole, "file_format: \"1.0\"\n%s", yaml);
    struct waggle_config *c = parse(whole);
    if (c == NULL)
        print_error("%s", said);
    assert_non_null(c);
    struct waggle_provider *p = waggle_config_create(c);
    waggle_config_free(c); // nothing of it is needed any more
    return p;
}

static struct waggle_tracer *tracer_of(struct waggle_provider *p)
{
    return waggle_provider_tracer(p, "config", NULL, NULL, WAGGLE_NO_ATTRS);
}

static void traces_as_the_file_says(void **state)
{
    (void)state;
    struct waggle_provider *p = create("resource:\n"
                                       "  attributes:\n"
                                       "    - {name: service.name, value: shop}\n"
                                       "    - {name: n, value: 7, type: int}\n"
                                       "    - {name: d, value: 2, type: double}\n"
                                       "    - {name: b, value: true, type: bool}\n"
                                       "    - {name: l, value: [a, b], type: string_array}\n"
                                       "  attributes_list: service.name=lost,zone=a%2Cb\n"
                                       "  schema_url: https://example.com/1\n"
                                       "  detection/development:\n"
                                       "    attributes:\n"
                                       "      included: [test.*]\n"
                                       "      excluded: ['*.secret']\n"
                                       "    detectors: [capture: , process: ]\n"
                                       "attribute_limits:\n"
                                       "  attribute_count_limit: 9\n"
                                       "  attribute_value_length_limit: 3\n"
                                       "tracer_provider:\n"
                                       "  limits:\n"
                                       "    attribute_count_limit: 2\n"
                                       "    event_count_limit: 0\n"
                                       "  processors:\n"
                                       "    - seer:\n"
                                       "    - batch:\n"
                                       "        schedule_delay: 60000\n"
                                       "        exporter:\n"
                                       "          capture:\n");
    assert_non_null(p);
    waggle_span span = waggle_span_start(tracer_of(p), "one", NULL);
    waggle_span_set(span, WAGGLE_ATTRS(waggle_kv_str("a", "12345"), waggle_kv_i64("b", 2),
                                       waggle_kv_i64("c", 3)));
    waggle_span_event(span, "lost", WAGGLE_NO_ATTRS);
    waggle_span_end(span);
    assert_int_equal(capture_count(capture), 0);
    assert_true(waggle_provider_flush(p, 20000));
    waggle_span_data data = capture_named(capture, "one");
    assert_true(was_seen);
    assert_string_equal(attr_text(&data, "a"), "123");
    assert_int_equal(attr_count(&data), 2);
    assert_int_equal(data.dropped_attributes, 1);
    assert_int_equal(data.dropped_events, 1);
    char resource[512] = "";
    waggle_attr_data a;
    for (waggle_cursor c = {0}; waggle_attr_next(capture->resource.attributes, &c, &a);) {
        size_t n = strlen(resource);
        if (a.key.n < 14 || memcmp(a.key.p, "telemetry.sdk.", 14) != 0)
            snprintf(resource + n, sizeof resource - n, "%.*s=%.*s%lld ", (int)a.key.n, a.key.p,
                     (int)a.value.str.n, a.value.str.p, (long long)a.value.i64);
    }
    assert_string_equal(resource, "test.kept=10 zone=a,b0 service.name=shop0 n=7 d=0 b=0 l=0 ");
    assert_true(str_is(capture->resource.schema_url, "https://example.com/1"));
    waggle_provider_free(p);
}

static void samplers_by_name(void **state)
{
    static const struct {
        const char *yaml, *description;
    } all[] = {
        {"always_off:", "AlwaysOffSampler"},
        {"always_on: {}", "AlwaysOnSampler"},
        {"trace_id_ratio_based: {ratio: 0.25}", "TraceIdRatioBased{0.250000}"},
        {"seer:", "AlwaysOffSampler"},
        {"parent_based: {root: {trace_id_ratio_based: {ratio: 0.5}}, local_parent_sampled: "
         "{always_off: }}",
         "ParentBased{root:TraceIdRatioBased{0.500000},remoteParentSampled:AlwaysOnSampler,"
         "remoteParentNotSampled:AlwaysOffSampler,localParentSampled:AlwaysOffSampler,"
         "localParentNotSampled:AlwaysOffSampler}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        char yaml[1024];
        snprintf(
            yaml, sizeof yaml,
            "tracer_provider:\n  sampler: {%s}\n  processors: [simple: {exporter: {capture: }}]",
            all[i].yaml);
        struct waggle_provider *p = create(yaml);
        if (p == NULL)
            print_error("%s", said);
        assert_non_null(p);
        struct waggle_sampler *s = p->sampler;
        assert_string_equal(s->ops->description(s), all[i].description);
        waggle_provider_free(p);
        capture_free(capture);
        capture = capture_new();
    }
}

static void metrics_as_the_file_says(void **state)
{
    (void)state;
    struct waggle_provider *p = create(
        "meter_provider:\n"
        "  exemplar_filter: always_off\n"
        "  readers:\n"
        "    - pull:\n"
        "        exporter: {manual: }\n"
        "        cardinality_limits: {default: 9, counter: 3}\n"
        "    - periodic:\n"
        "        interval: 3600000\n"
        "        exporter:\n"
        "          console: {temporality_preference: delta}\n"
        "  views:\n"
        "    - selector: {instrument_name: size, instrument_type: histogram}\n"
        "      stream:\n"
        "        name: sizes\n"
        "        attribute_keys: {included: ['k*'], excluded: [kx]}\n"
        "        aggregation:\n"
        "          explicit_bucket_histogram: {boundaries: [1, 2.5], record_min_max: false}\n"
        "    - selector: {instrument_name: gone}\n"
        "      stream: {aggregation: {drop: }}\n");
    assert_non_null(p);
    struct waggle_meter *m = waggle_provider_meter(p, "m", NULL, NULL, WAGGLE_NO_ATTRS);
    struct waggle_instrument *size = waggle_histogram_new(m, "size", NULL, NULL);
    waggle_record_f64(size, 2,
                      WAGGLE_ATTRS(waggle_kv_str("k1", "a"), waggle_kv_str("kx", "b"),
                                   waggle_kv_str("other", "c")));
    waggle_add(waggle_counter_new(m, "gone", NULL, NULL), 1, WAGGLE_NO_ATTRS);
    struct waggle_instrument *many = waggle_counter_new(m, "many", NULL, NULL);
    for (int i = 0; i < 10; i++)
        waggle_add(many, 1, WAGGLE_ATTRS(waggle_kv_i64("i", i)));
    struct collected now = {0};
    collect(the_reader, &now);
    assert_int_equal(now.n, 2);
    assert_int_equal(points_of(&now, "many"), 3);
    waggle_point_data point = point_of(&now, "sizes", NULL, NULL);
    assert_int_equal(point.count, 1);
    assert_int_equal(point.bounds.n, 16);
    assert_false(point.has_min_max);
    assert_true(has_text(&point, "k1", "a"));
    assert_false(has_text(&point, "kx", NULL) || has_text(&point, "other", NULL));
    forget(&now);
    waggle_provider_free(p);
}

static void logs_and_propagators_as_the_file_says(void **state)
{
    static const char yaml[] = "file_format: '1.0'\n"
                               "propagator:\n"
                               "  composite: [baggage: , mine: ]\n"
                               "  composite_list: tracecontext,baggage\n"
                               "logger_provider:\n"
                               "  limits: {attribute_count_limit: 1}\n"
                               "  processors: [simple: {exporter: {capture: {result: 0}}}]\n";
    const struct waggle_propagator *propagators[WAGGLE_PROPAGATORS_MAX];
    size_t n = 0;
    (void)state;
    struct waggle_config *c = parse(yaml);
    assert_non_null(c);
    assert_true(waggle_config_propagators(c, propagators, &n));
    assert_int_equal(n, 3);
    assert_ptr_equal(propagators[0], waggle_propagator_find("baggage"));
    assert_ptr_equal(propagators[1], waggle_propagator_find("b3"));
    assert_ptr_equal(propagators[2], waggle_propagator_find("tracecontext"));
    struct waggle_provider *p = waggle_config_create(c);
    waggle_config_free(c);
    waggle_log(waggle_provider_logger(p, "l", NULL, NULL, WAGGLE_NO_ATTRS), WAGGLE_INFO, "hello",
               WAGGLE_ATTRS(waggle_kv_i64("a", 1), waggle_kv_i64("b", 2)));
    assert_int_equal(capture_count(capture), 1);
    waggle_log_data log;
    assert_true(waggle_record_log(&capture->records[0], &log));
    assert_int_equal(log.dropped_attributes, 1);
    waggle_span span = waggle_span_start(tracer_of(p), "none", NULL);
    assert_false(waggle_span_is_recording(span)); // the file has no tracer_provider
    waggle_span_end(span);
    waggle_provider_free(p);
}

static const struct {
    const char *yaml, *error;
} unusable[] = {
    {"tracer_provider:\n  procesors: []",
     "test.yaml:3: tracer_provider has no \"procesors\"; it has processors, limits, sampler"},
    {"tracer_provider:\n  limits: {}", "test.yaml:3: tracer_provider: \"processors\" is missing"},
    {"tracer_provider:\n  processors: [simple: {exporter: {nobody: }}]",
     "test.yaml:3: there is no exporter \"nobody\""},
    {"tracer_provider:\n  processors:\n  - simple:\n      exporter: {capture: {fails: true}}",
     "test.yaml:5: the exporter capture cannot be made"},
    {"tracer_provider:\n  processors:\n  - batch: {exporter: {capture: }, max_queue_size: 0}",
     "test.yaml:4: max_queue_size: 0 is out of range"},
    {"tracer_provider:\n  processors:\n  - batch: {exporter: {capture: }, max_queue_size: many}",
     "test.yaml:4: max_queue_size: an integer is expected, not a text"},
    {"tracer_provider:\n  processors:\n  - what:\n", "test.yaml:4: there is no processor \"what\""},
    {"tracer_provider:\n  processors:\n  - simple:\n    batch:\n",
     "test.yaml:4: processor: exactly one name is expected here"},
    {"tracer_provider:\n  processors: []\n  sampler: {trace_id_ratio_based: {ratio: 1.5}}",
     "test.yaml:4: ratio: 1.5 is not from 0 to 1"},
    {"tracer_provider:\n  processors: []\n  sampler: {coin: }",
     "test.yaml:4: there is no sampler \"coin\""},
    {"tracer_provider:\n  processors:\n  - simple: {exporter: {otlp_http: {encoding: xml}}}",
     "test.yaml:4: encoding: xml is none of protobuf, json"},
    {"tracer_provider:\n  processors:\n  - simple: {exporter: {otlp_http: {endpoint: "
     "ftp://x}}}",
     "is no http:// URL of use"},
    {"tracer_provider:\n  processors:\n  - simple: {exporter: {otlp_grpc: }}",
     "test.yaml:4: otlp_grpc needs waggle-tls"},
    {"tracer_provider:\n  processors:\n  - simple: {exporter: {otlp_http: {headers_list: x}}}",
     "test.yaml:4: headers_list is no list of key=value"},
    {"tracer_provider:\n  processors:\n  - simple: {exporter: {console: {temporality_preference: "
     "delta}}}",
     "test.yaml:4: console has no \"temporality_preference\""},
    {"logger_provider:\n  processors:\n  - simple: {exporter: {xray: }}",
     "test.yaml:4: xray is an exporter of spans alone"},
    {"tracer_provider:\n  processors:\n  - simple: {exporter: {otlp_file/development: "
     "{output_stream: tape}}}",
     "test.yaml:4: output_stream is neither stdout nor file:///PATH"},
    {"meter_provider:\n  readers:\n  - pull: {exporter: {console: }}",
     "test.yaml:4: there is no pull exporter \"console\""},
    {"meter_provider:\n  readers:\n  - push:\n", "test.yaml:4: there is no reader \"push\""},
    {"meter_provider:\n  readers: []\n  views:\n  - stream: {aggregation: {mean: }}",
     "test.yaml:5: there is no aggregation \"mean\""},
    {"meter_provider:\n  readers: []\n  views:\n  - stream: {aggregation: "
     "{explicit_bucket_histogram: {boundaries: [2, 1]}}}",
     "test.yaml:5: the view is of no use"},
    {"meter_provider:\n  readers: []\n  views:\n  - stream: {aggregation: "
     "{explicit_bucket_histogram: {boundaries: [a]}}}",
     "test.yaml:5: boundaries are numbers"},
    {"resource:\n  attributes:\n  - {name: x}", "test.yaml:4: an attribute: \"value\" is missing"},
    {"resource:\n  attributes:\n  - {name: x, value: y, type: int}",
     "test.yaml:4: the value of x is no int"},
    {"resource:\n  attributes_list: x", "test.yaml:3: attributes_list is no list of key=value"},
    {"resource:\n  detection/development: {detectors: [gps: ]}",
     "test.yaml:3: there is no detector \"gps\""},
    {"disabled: perhaps", "test.yaml:2: disabled: true or false is expected, not a text"},
};

static void what_cannot_be_made_has_its_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof unusable / sizeof unusable[0]; i++) {
        said[0] = '\0';
        if (create(unusable[i].yaml) != NULL)
            fail_msg("%s was made", unusable[i].yaml);
        if (strstr(said, unusable[i].error) == NULL)
            fail_msg("%s: %s", unusable[i].yaml, said);
    }
}

/* --- OTLP, and the one call ---------------------------------------------------------------- */

static char path[64];

static void write_file(const char *yaml)
{
    snprintf(path, sizeof path, "/tmp/waggle_config_%d.yaml", (int)getpid());
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(yaml, f);
    assert_int_equal(fclose(f), 0);
}

static void init_reads_the_file_and_not_the_environment(void **state)
{
    struct sink *s = sink_start(0, sink_ok, NULL);
    (void)state;
    setenv("SINK", sink_url(s), 1);
    setenv("OTEL_CONFIG_FILE",
           (write_file("file_format: '1.0'\n"
                       "tracer_provider:\n"
                       "  processors:\n"
                       "    - batch:\n"
                       "        exporter:\n"
                       "          otlp_http:\n"
                       "            endpoint: ${SINK}/file\n"
                       "            encoding: json\n"
                       "            headers_list: a=1,b=2\n"
                       "            headers:\n"
                       "              - {name: b, value: 'x, y=%z'}\n"
                       "              - {name: c, value: null}\n"),
            path),
           1);
    setenv("OTEL_SDK_DISABLED", "true", 1);
    setenv("OTEL_EXPORTER_OTLP_HEADERS", "lost=1", 1);
    setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:1/", 1);
    setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", 1);
    setenv("OTEL_TRACES_SAMPLER", "always_off", 1);
    assert_int_equal(waggle_init(&(waggle_options){.service_name = "coded"}), 0);
    waggle_span_end(waggle_span_start(waggle_tracer_get("t", NULL), "filed", NULL));
    assert_true(waggle_shutdown(20000));
    assert_int_equal(sink_requests(s), 1);
    const struct sink_request *r = sink_request_at(s, 0);
    assert_non_null(strstr(r->head, "POST /file HTTP/1.1\r\n"));
    assert_non_null(strstr(r->head, "\r\na: 1\r\n"));
    assert_non_null(strstr(r->head, "\r\nb: x, y=%z\r\n"));
    assert_null(strstr(r->head, "\r\nc:"));
    assert_null(strstr(r->head, "lost"));
    assert_null(strstr(r->head, "gzip"));
    assert_non_null(strstr(r->head, "application/json"));
    char body[4096];
    snprintf(body, sizeof body, "%.*s", (int)r->body_n, (const char *)r->body);
    assert_non_null(strstr(body, "\"coded\""));
    assert_non_null(strstr(body, "\"filed\""));
    sink_stop(s);
    unlink(path);
    unsetenv("OTEL_SDK_DISABLED");
    unsetenv("OTEL_EXPORTER_OTLP_HEADERS");
    unsetenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    unsetenv("OTEL_EXPORTER_OTLP_COMPRESSION");
    unsetenv("OTEL_TRACES_SAMPLER");
}

static void init_with_a_bad_file_fails(void **state)
{
    (void)state;
    write_file("file_format: '1.0'\ntracer_provider: [1]\n");
    setenv("OTEL_EXPERIMENTAL_CONFIG_FILE", path, 1);
    assert_int_equal(waggle_init(NULL), -22);
    assert_non_null(strstr(said, ":2: tracer_provider: a map is expected, not a list"));
    unlink(path);
    assert_int_equal(waggle_init(NULL), -22);
    assert_non_null(strstr(said, "cannot read the configuration /tmp/waggle_config_"));
    write_file("file_format: '1.0'\ndisabled: true\ntracer_provider: {processors: [seer: ]}\n");
    was_seen = false;
    assert_int_equal(waggle_init(NULL), 0);
    waggle_span_end(waggle_span_start(waggle_tracer_get("t", NULL), "off", NULL));
    assert_false(was_seen);
    unlink(path);
}

/* What the program gives in code stands for the file's. */
static void code_wins_over_the_file(void **state)
{
    (void)state;
    write_file("file_format: '1.0'\n"
               "tracer_provider:\n"
               "  sampler: {always_off: }\n"
               "  processors: [simple: {exporter: {nobody: }}]\n");
    setenv("OTEL_CONFIG_FILE", path, 1);
    assert_int_equal(waggle_init(&(waggle_options){.exporter = &capture->base,
                                                   .sampler = waggle_sampler_always_on()}),
                     0);
    waggle_span_end(waggle_span_start(waggle_tracer_get("t", NULL), "coded", NULL));
    assert_true(waggle_flush(20000));
    assert_true(capture_has(capture, "coded"));
    unlink(path);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(yaml_is_read),
        T(mistakes_have_their_line),
        T(aliases_cannot_explode),
        T(variables_are_put_in),
        T(traces_as_the_file_says),
        T(samplers_by_name),
        T(metrics_as_the_file_says),
        T(logs_and_propagators_as_the_file_says),
        T(what_cannot_be_made_has_its_line),
        T(init_reads_the_file_and_not_the_environment),
        T(init_with_a_bad_file_fails),
        T(code_wins_over_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
