// SPDX-License-Identifier: Apache-2.0
/*
 * config_create.c - a configuration made into a provider and propagators
 *
 * In order: resource, limits and sampler, which a provider is born with; then the processors of
 * spans and log records, views, and the readers of metrics. A section that is not there makes
 * nothing: its signal goes nowhere. The first thing that cannot be made ends it, and what was made
 * before is freed.
 *
 * Threads: one at a time.
 */
#include "config_priv.h"

#include <stdlib.h>
#include <strings.h>

typedef struct waggle_config_node node;

/* --- the file's uppermost map -------------------------------------------------------------- */

struct top {
    const node *attribute_limits, *resource, *propagator, *tracer_provider, *meter_provider,
        *logger_provider;
    const char *log_level;
    bool disabled;
};

/* Members of other names are the user's: a place for anchors. */
static bool read_top(const struct waggle_config *config, struct top *ret)
{
    static const struct waggle__config_field fields[] = {
        WAGGLE__FIELD("attribute_limits", NODE, struct top, attribute_limits),
        WAGGLE__FIELD("resource", NODE, struct top, resource),
        WAGGLE__FIELD("propagator", NODE, struct top, propagator),
        WAGGLE__FIELD("tracer_provider", NODE, struct top, tracer_provider),
        WAGGLE__FIELD("meter_provider", NODE, struct top, meter_provider),
        WAGGLE__FIELD("logger_provider", NODE, struct top, logger_provider),
        WAGGLE__FIELD("log_level", STR, struct top, log_level),
        WAGGLE__FIELD("disabled", BOOL, struct top, disabled),
        WAGGLE__FIELD_NO("instrumentation/development", MISSING),
    };
    *ret = (struct top){0};
    return WAGGLE__READ(config->root, NULL, fields, ret);
}

bool waggle__config_is_disabled(const struct waggle_config *config)
{
    struct top top;
    return read_top(config, &top) && top.disabled;
}

/* trace, debug, info, warn, error, fatal, each with 2 to 4 behind it. */
void waggle__config_log_level(const struct waggle_config *config)
{
    static const struct {
        const char *name;
        enum waggle_level level;
    } levels[] = {{"trace", WAGGLE_LEVEL_DEBUG}, {"debug", WAGGLE_LEVEL_DEBUG},
                  {"info", WAGGLE_LEVEL_INFO},   {"warn", WAGGLE_LEVEL_WARN},
                  {"error", WAGGLE_LEVEL_ERROR}, {"fatal", WAGGLE_LEVEL_ERROR}};
    struct top top;
    const char *name = read_top(config, &top) && top.log_level != NULL ? top.log_level : "info";
    for (size_t i = 0; i < WAGGLE__COUNT(levels); i++)
        if (strncasecmp(name, levels[i].name, strlen(levels[i].name)) == 0) {
            waggle__error_level(levels[i].level);
            return;
        }
    waggle__config_warn(waggle_config_get(config->root, "log_level"),
                        "log_level %.40s is not known, ignoring it", name);
}

/* --- the resource -------------------------------------------------------------------------- */

static const char *const value_types[] = {"string",    "bool",         "int",
                                          "double",    "string_array", "bool_array",
                                          "int_array", "double_array", NULL};
enum { T_STRING, T_BOOL, T_INT, T_DOUBLE, T_ARRAY, N_VALUES_MAX = 256 };

static bool to_value(const node *x, int type, waggle_value *ret)
{
    enum waggle_config_type is = waggle_config_type(x);
    switch (type) {
    case T_STRING: *ret = waggle_value_str(waggle_config_str(x, "")); break;
    case T_BOOL: *ret = waggle_value_bool(waggle_config_bool(x, false)); break;
    case T_INT: *ret = waggle_value_i64(waggle_config_i64(x, 0)); break;
    default: *ret = waggle_value_f64(waggle_config_f64(x, 0)); break;
    }
    return type == T_STRING ? is >= WAGGLE_CONFIG_BOOL && is <= WAGGLE_CONFIG_STR
           : type == T_BOOL ? is == WAGGLE_CONFIG_BOOL
           : type == T_INT  ? is == WAGGLE_CONFIG_I64
                            : is == WAGGLE_CONFIG_F64 || is == WAGGLE_CONFIG_I64;
}

static bool set_attribute(struct waggle_resource *r, const char *name, const node *x, int type)
{
    waggle_value list[N_VALUES_MAX];
    waggle_value value;
    size_t n = waggle_config_count(x);
    bool ok = type >= T_ARRAY ? waggle_config_type(x) == WAGGLE_CONFIG_LIST && n <= N_VALUES_MAX
                              : to_value(x, type, &value);
    for (size_t i = 0; ok && type >= T_ARRAY && i < n; i++)
        ok = to_value(waggle_config_at(x, i, NULL), type - T_ARRAY, &list[i]);
    if (!ok)
        return waggle__config_wrong(x, "the value of %.60s is no %s", name, value_types[type]);
    if (type >= T_ARRAY)
        value = waggle_value_list(list, n);
    waggle_kv kv = {.key = name, .key_n = (uint32_t)strlen(name), .value = value};
    return waggle_resource_set(r, waggle_attrs_of(&kv, 1));
}

static bool set_attributes(struct waggle_resource *r, const node *list)
{
    struct attribute {
        const char *name;
        const node *value;
        int type;
    };
    static const struct waggle__config_field fields[] = {
        WAGGLE__FIELD_NEEDED("name", STR, struct attribute, name),
        WAGGLE__FIELD_NEEDED("value", NODE, struct attribute, value),
        WAGGLE__FIELD_OF("type", value_types, struct attribute, type),
    };
    bool ok = true;
    for (size_t i = 0; ok && i < waggle_config_count(list); i++) {
        struct attribute a = {0};
        ok = WAGGLE__READ(waggle_config_at(list, i, NULL), "an attribute", fields, &a) &&
             set_attribute(r, a.name, a.value, a.type);
    }
    return ok;
}

static bool passes(void *filter, waggle_str key)
{
    return waggle__config_passes(filter, key);
}

static bool detect(struct waggle_resource *r, const node *detection)
{
    struct section {
        const node *attributes, *detectors;
    } s = {0};
    static const struct waggle__config_field fields[] = {
        WAGGLE__FIELD("attributes", NODE, struct section, attributes),
        WAGGLE__FIELD("detectors", NODE, struct section, detectors)};
    struct waggle__config_filter filter = {0};
    struct waggle_resource *found = waggle_resource_new();
    bool ok = found != NULL && WAGGLE__READ(detection, "detection", fields, &s) &&
              waggle__config_filter(s.attributes, "attributes", &filter);
    for (size_t i = 0; ok && i < waggle_config_count(s.detectors); i++) {
        const node *properties = NULL;
        const waggle_component *c =
            waggle__config_component(waggle_config_at(s.detectors, i, NULL), "detector",
                                     WAGGLE__PART_DETECT, "detector", &properties);
        if (c != NULL)
            c->detect(found);
        ok = c != NULL;
    }
    ok = ok && waggle__resource_merge_some(r, found, passes, &filter);
    waggle__config_filter_done(&filter);
    waggle_resource_free(found);
    return ok;
}

static bool fill_resource(struct waggle_resource *r, const node *map)
{
    struct section {
        const node *attributes, *detection;
        const char *list, *schema_url;
    } s = {0};
    static const struct waggle__config_field fields[] = {
        WAGGLE__FIELD("attributes", NODE, struct section, attributes),
        WAGGLE__FIELD("attributes_list", STR, struct section, list),
        WAGGLE__FIELD("detection/development", NODE, struct section, detection),
        WAGGLE__FIELD("schema_url", STR, struct section, schema_url),
    };
    if (!WAGGLE__READ(map, "resource", fields, &s) || !detect(r, s.detection))
        return false;
    if (s.list != NULL && !waggle__pairs(s.list, waggle__resource_set_pair, r))
        return waggle__config_wrong(waggle_config_get(map, "attributes_list"),
                                    "attributes_list is no list of key=value");
    return set_attributes(r, s.attributes) &&
           (s.schema_url == NULL || waggle_resource_set_schema_url(r, s.schema_url));
}

static struct waggle_resource *file_resource(const node *map, const waggle_options *o)
{
    struct waggle_resource *r = waggle_resource_new();
    if (r == NULL)
        return NULL;
    waggle__detect_default(r);
    if (fill_resource(r, map) && waggle__resource_set_options(r, o))
        return r;
    waggle_resource_free(r);
    return NULL;
}

/* --- limits -------------------------------------------------------------------------------- */

struct limits {
    waggle_limits spans;
    waggle_log_limits logs;
};

static bool read_limits(const struct top *top, const node *of_spans, const node *of_logs,
                        struct limits *ret)
{
    static const struct waggle__config_field general[] = {
        WAGGLE__FIELD("attribute_value_length_limit", COUNT, waggle_log_limits, value_length),
        WAGGLE__FIELD("attribute_count_limit", COUNT, waggle_log_limits, attributes)};
    static const struct waggle__config_field spans[] = {
        WAGGLE__FIELD("attribute_value_length_limit", COUNT, waggle_limits, value_length),
        WAGGLE__FIELD("attribute_count_limit", COUNT, waggle_limits, attributes),
        WAGGLE__FIELD("event_count_limit", COUNT, waggle_limits, events),
        WAGGLE__FIELD("link_count_limit", COUNT, waggle_limits, links),
        WAGGLE__FIELD("event_attribute_count_limit", COUNT, waggle_limits, attributes_event),
        WAGGLE__FIELD("link_attribute_count_limit", COUNT, waggle_limits, attributes_link)};
    *ret = (struct limits){.spans.struct_size = sizeof ret->spans,
                           .logs.struct_size = sizeof ret->logs};
    if (!WAGGLE__READ(top->attribute_limits, "attribute_limits", general, &ret->logs))
        return false;
    ret->spans.value_length = ret->logs.value_length;
    ret->spans.attributes = ret->logs.attributes;
    return WAGGLE__READ(of_spans, "limits", spans, &ret->spans) &&
           WAGGLE__READ(of_logs, "limits", general, &ret->logs);
}

/* --- processors ---------------------------------------------------------------------------- */

static struct waggle_processor *file_batch(enum waggle_signal signal, const node *properties)
{
    struct batch {
        waggle_batch_options o;
        const node *exporter;
    } b = {.o = {.struct_size = sizeof b.o}};
    static const struct waggle__config_field fields[] = {
        WAGGLE__FIELD("schedule_delay", DELAY, struct batch, o.schedule_delay_ms),
        WAGGLE__FIELD("export_timeout", TIMEOUT, struct batch, o.export_timeout_ms),
        WAGGLE__FIELD("max_queue_size", POSITIVE, struct batch, o.max_queue),
        WAGGLE__FIELD("max_export_batch_size", POSITIVE, struct batch, o.max_batch),
        WAGGLE__FIELD_NEEDED("exporter", NODE, struct batch, exporter),
    };
    if (!WAGGLE__READ(properties, "batch", fields, &b))
        return NULL;
    struct waggle_exporter *e = waggle__config_exporter(b.exporter, signal);
    b.o.signal = signal;
    return e != NULL ? waggle_batch_processor_new(e, &b.o) : NULL;
}

static struct waggle_processor *file_simple(enum waggle_signal signal, const node *properties)
{
    struct simple {
        const node *exporter;
    } s = {NULL};
    static const struct waggle__config_field fields[] = {
        WAGGLE__FIELD_NEEDED("exporter", NODE, struct simple, exporter)};
    struct waggle_exporter *e = WAGGLE__READ(properties, "simple", fields, &s)
                                    ? waggle__config_exporter(s.exporter, signal)
                                    : NULL;
    return e != NULL ? waggle_simple_processor_new(e) : NULL;
}

static struct waggle_processor *file_processor(const node *map, enum waggle_signal signal)
{
    const node *properties = NULL;
    const char *name = waggle__config_one(map, "processor", &properties);
    if (name == NULL)
        return NULL;
    if (strcmp(name, "batch") == 0)
        return file_batch(signal, properties);
    if (strcmp(name, "simple") == 0)
        return file_simple(signal, properties);
    const waggle_component *c = waggle__config_find(name, WAGGLE__PART_PROCESSOR);
    struct waggle_processor *p = c != NULL ? c->processor(signal, properties) : NULL;
    if (p == NULL)
        (void)waggle__config_wrong(properties, "%s processor \"%.60s\"",
                                   c != NULL ? "cannot make the" : "there is no", name);
    return p;
}

static bool add_processors(struct waggle_provider *provider, const node *list,
                           enum waggle_signal signal)
{
    size_t n = waggle_config_count(list);
    if (n > WAGGLE__PROCESSORS_MAX)
        return waggle__config_wrong(list, "there are more than %d processors",
                                    WAGGLE__PROCESSORS_MAX);
    for (size_t i = 0; i < n; i++) {
        struct waggle_processor *p = file_processor(waggle_config_at(list, i, NULL), signal);
        if (p == NULL || !waggle__provider_add(provider, p, signal))
            return false;
    }
    return true;
}

/* --- the whole ----------------------------------------------------------------------------- */

struct signals {
    const node *span_processors, *sampler, *span_limits;
    const node *log_processors, *log_limits;
    const node *readers, *views;
    int exemplars;
};

static bool read_signals(const struct top *top, struct signals *ret)
{
    static const char *const filters[] = {"trace_based", "always_on", "always_off", NULL};
    static const struct waggle__config_field tracer[] = {
        WAGGLE__FIELD_NEEDED("processors", NODE, struct signals, span_processors),
        WAGGLE__FIELD("limits", NODE, struct signals, span_limits),
        WAGGLE__FIELD("sampler", NODE, struct signals, sampler),
        WAGGLE__FIELD_NO("tracer_configurator/development", MISSING)};
    static const struct waggle__config_field meter[] = {
        WAGGLE__FIELD_NEEDED("readers", NODE, struct signals, readers),
        WAGGLE__FIELD("views", NODE, struct signals, views),
        WAGGLE__FIELD_OF("exemplar_filter", filters, struct signals, exemplars),
        WAGGLE__FIELD_NO("meter_configurator/development", MISSING)};
    static const struct waggle__config_field logger[] = {
        WAGGLE__FIELD_NEEDED("processors", NODE, struct signals, log_processors),
        WAGGLE__FIELD("limits", NODE, struct signals, log_limits),
        WAGGLE__FIELD_NO("logger_configurator/development", MISSING)};
    *ret = (struct signals){0};
    return (top->tracer_provider == NULL ||
            WAGGLE__READ(top->tracer_provider, "tracer_provider", tracer, ret)) &&
           (top->meter_provider == NULL ||
            WAGGLE__READ(top->meter_provider, "meter_provider", meter, ret)) &&
           (top->logger_provider == NULL ||
            WAGGLE__READ(top->logger_provider, "logger_provider", logger, ret));
}

static struct waggle_sampler *take_sampler(const struct signals *s, waggle_options *o, bool *ret_ok)
{
    struct waggle_sampler *given = o->sampler;
    o->sampler = NULL;
    *ret_ok = true;
    if (given != NULL || waggle_config_type(s->sampler) <= WAGGLE_CONFIG_NULL)
        return given;
    given = waggle__config_sampler(s->sampler, "sampler");
    *ret_ok = given != NULL;
    return given;
}

static bool add_all(struct waggle_provider *p, const struct signals *s, const waggle_options *o)
{
    waggle_provider_set_exemplars(p, (enum waggle_exemplar_filter)s->exemplars);
    for (size_t i = 0; i < waggle_config_count(s->views); i++)
        if (!waggle__config_add_view(p, waggle_config_at(s->views, i, NULL)))
            return false;
    return (o->exporter != NULL || add_processors(p, s->span_processors, WAGGLE_SIGNAL_TRACES)) &&
           (o->log_exporter != NULL || add_processors(p, s->log_processors, WAGGLE_SIGNAL_LOGS)) &&
           (o->metric_exporter != NULL || waggle__config_add_readers(p, s->readers));
}

struct waggle_provider *waggle__config_provider(const struct waggle_config *config,
                                                waggle_options *o)
{
    struct top top;
    struct signals s;
    struct limits limits;
    bool ok = false;
    if (!read_top(config, &top) || !read_signals(&top, &s) ||
        !read_limits(&top, s.span_limits, s.log_limits, &limits))
        return NULL;
    struct waggle_resource *resource = file_resource(top.resource, o);
    struct waggle_sampler *sampler = resource != NULL ? take_sampler(&s, o, &ok) : NULL;
    if (!ok) {
        waggle_resource_free(resource);
        return NULL;
    }
    const waggle_provider_options p = {.struct_size = sizeof p,
                                       .resource = resource,
                                       .sampler = sampler,
                                       .limits = &limits.spans,
                                       .log_limits = &limits.logs,
                                       .max_live_spans = o->max_live_spans};
    struct waggle_provider *provider = waggle_provider_new(&p);
    if (provider == NULL || top.disabled || add_all(provider, &s, o))
        return provider;
    waggle_provider_free(provider);
    return NULL;
}

struct waggle_provider *waggle_config_create(const struct waggle_config *config)
{
    waggle_options none = {0};
    return waggle__config_provider(config, &none);
}

/* --- propagators --------------------------------------------------------------------------- */

struct chosen {
    const struct waggle_propagator **p;
    size_t n;
    bool ok;
};

static void choose_propagator(struct chosen *c, const node *where, const char *name)
{
    const waggle_component *own = waggle__config_find(name, WAGGLE__PART_PROPAGATOR);
    const struct waggle_propagator *p =
        own != NULL ? own->propagator : waggle_propagator_find(name);
    bool again = false;
    if (strcmp(name, "none") == 0)
        return;
    for (size_t i = 0; i < c->n; i++)
        again |= c->p[i] == p;
    if (p == NULL)
        c->ok = waggle__config_wrong(where, "there is no propagator \"%.60s\"", name);
    else if (!again && c->n == WAGGLE_PROPAGATORS_MAX)
        c->ok = waggle__config_wrong(where, "there are more than %d propagators",
                                     WAGGLE_PROPAGATORS_MAX);
    else if (!again)
        c->p[c->n++] = p;
}

bool waggle_config_propagators(const struct waggle_config *config,
                               const struct waggle_propagator *ret_p[WAGGLE_PROPAGATORS_MAX],
                               size_t *ret_n)
{
    struct section {
        const node *composite;
        const char *list;
    } s = {0};
    static const struct waggle__config_field fields[] = {
        WAGGLE__FIELD("composite", NODE, struct section, composite),
        WAGGLE__FIELD("composite_list", STR, struct section, list)};
    struct chosen c = {ret_p, 0, true};
    struct top top;
    *ret_n = 0;
    if (!read_top(config, &top) || !WAGGLE__READ(top.propagator, "propagator", fields, &s))
        return false;
    for (size_t i = 0; i < waggle_config_count(s.composite); i++) {
        const node *one = waggle_config_at(s.composite, i, NULL);
        const node *properties = NULL;
        const char *name = waggle__config_one(one, "propagator", &properties);
        if (name == NULL)
            return false;
        choose_propagator(&c, one, name);
    }
    char name[64];
    while (s.list != NULL && waggle__next_name(&s.list, name))
        choose_propagator(&c, top.propagator, name);
    *ret_n = c.n;
    return c.ok;
}
