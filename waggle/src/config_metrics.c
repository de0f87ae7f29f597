// SPDX-License-Identifier: Apache-2.0
/*
 * config_metrics.c - the meter provider of a configuration: readers, with their exporters and
 * limits, and views
 *
 * Threads: one at a time.
 */
#include "config_priv.h"

#include <stdlib.h>

typedef struct waggle_config_node node;

/* --- readers ------------------------------------------------------------------------------- */

struct reader_section {
    waggle_reader_options o;
    const node *exporter, *limits;
};

#define READER_FIELDS                                                                              \
    WAGGLE__FIELD_NEEDED("exporter", NODE, struct reader_section, exporter),                       \
        WAGGLE__FIELD_NO("producers", MISSING),                                                    \
        WAGGLE__FIELD("cardinality_limits", NODE, struct reader_section, limits)

static bool read_cardinality(const node *map, waggle_reader_options *o)
{
#define OF(key, kind)                                                                              \
    {                                                                                              \
        key, WAGGLE__FIELD_POSITIVE,                                                               \
            offsetof(waggle_reader_options, cardinality_limits) + (kind) * sizeof(uint32_t), NULL, \
            false                                                                                  \
    }
    static const struct waggle__config_field fields[] = {
        WAGGLE__FIELD("default", POSITIVE, waggle_reader_options, cardinality_limit),
        OF("counter", WAGGLE_COUNTER),
        OF("gauge", WAGGLE_GAUGE),
        OF("histogram", WAGGLE_HISTOGRAM),
        OF("observable_counter", WAGGLE_OBSERVABLE_COUNTER),
        OF("observable_gauge", WAGGLE_OBSERVABLE_GAUGE),
        OF("observable_up_down_counter", WAGGLE_OBSERVABLE_UP_DOWN_COUNTER),
        OF("up_down_counter", WAGGLE_UP_DOWN_COUNTER),
    };
#undef OF
    return WAGGLE__READ(map, "cardinality_limits", fields, o);
}

static struct waggle_reader *file_periodic(const node *properties)
{
    struct reader_section s = {.o = {.struct_size = sizeof s.o}};
    static const struct waggle__config_field fields[] = {
        WAGGLE__FIELD("interval", DELAY, struct reader_section, o.interval_ms),
        WAGGLE__FIELD("timeout", TIMEOUT, struct reader_section, o.timeout_ms), READER_FIELDS};
    if (!WAGGLE__READ(properties, "periodic", fields, &s) || !read_cardinality(s.limits, &s.o) ||
        !waggle__config_exporter_reader(waggle_config_at(s.exporter, 0, NULL), &s.o))
        return NULL;
    struct waggle_exporter *e = waggle__config_exporter(s.exporter, WAGGLE_SIGNAL_METRICS);
    return e != NULL ? waggle_periodic_reader_new(e, &s.o) : NULL;
}

static struct waggle_reader *file_pull(const node *map)
{
    struct reader_section s = {.o = {.struct_size = sizeof s.o}};
    static const struct waggle__config_field fields[] = {READER_FIELDS};
    const node *properties = NULL;
    if (!WAGGLE__READ(map, "pull", fields, &s) || !read_cardinality(s.limits, &s.o))
        return NULL;
    const waggle_component *c = waggle__config_component(
        s.exporter, "exporter", WAGGLE__PART_READER, "pull exporter", &properties);
    return c != NULL ? c->reader(properties, &s.o) : NULL;
}

bool waggle__config_add_readers(struct waggle_provider *provider, const node *list)
{
    size_t n = waggle_config_count(list);
    if (n > WAGGLE__PROCESSORS_MAX)
        return waggle__config_wrong(list, "there are more than %d readers", WAGGLE__PROCESSORS_MAX);
    for (size_t i = 0; i < n; i++) {
        const node *properties = NULL;
        const char *name =
            waggle__config_one(waggle_config_at(list, i, NULL), "reader", &properties);
        struct waggle_reader *r = NULL;
        if (name != NULL && strcmp(name, "periodic") == 0)
            r = file_periodic(properties);
        else if (name != NULL && strcmp(name, "pull") == 0)
            r = file_pull(properties);
        else if (name != NULL)
            (void)waggle__config_wrong(properties, "there is no reader \"%.60s\"", name);
        if (r == NULL || !waggle_provider_add_reader(provider, r))
            return false;
    }
    return true;
}

/* --- views --------------------------------------------------------------------------------- */

struct histogram {
    const node *boundaries;
    waggle_aggregation a;
};

static bool read_boundaries(const node *list, double **ret, size_t *ret_n)
{
    size_t n = waggle_config_count(list);
    if (waggle_config_type(list) <= WAGGLE_CONFIG_NULL)
        return true;
    double *p = calloc(n + 1, sizeof *p);
    *ret = p;
    *ret_n = n;
    for (size_t i = 0; p != NULL && i < n; i++) {
        const node *x = waggle_config_at(list, i, NULL);
        enum waggle_config_type type = waggle_config_type(x);
        if (type != WAGGLE_CONFIG_I64 && type != WAGGLE_CONFIG_F64)
            return waggle__config_wrong(x, "boundaries are numbers");
        p[i] = waggle_config_f64(x, 0);
    }
    return p != NULL && (waggle_config_type(list) == WAGGLE_CONFIG_LIST ||
                         waggle__config_wrong(list, "boundaries are a list"));
}

/* Sets view->aggregation; *ret_boundaries is to be freed. */
static bool read_aggregation(const node *map, waggle_view *view, double **ret_boundaries)
{
    static const struct waggle__config_field explicit_fields[] = {
        WAGGLE__FIELD("boundaries", NODE, struct histogram, boundaries),
        WAGGLE__FIELD("record_min_max", NOT, struct histogram, a.no_min_max)};
    static const struct waggle__config_field exponential_fields[] = {
        WAGGLE__FIELD("max_scale", INT, struct histogram, a.max_scale),
        WAGGLE__FIELD("max_size", POSITIVE, struct histogram, a.max_size),
        WAGGLE__FIELD("record_min_max", NOT, struct histogram, a.no_min_max)};
    static const struct {
        const char *name;
        enum waggle_aggregation_kind kind;
        const struct waggle__config_field *fields;
        size_t n;
    } kinds[] = {
        {"default", WAGGLE_AGGREGATION_DEFAULT, NULL, 0},
        {"drop", WAGGLE_AGGREGATION_DROP, NULL, 0},
        {"sum", WAGGLE_AGGREGATION_SUM, NULL, 0},
        {"last_value", WAGGLE_AGGREGATION_LAST_VALUE, NULL, 0},
        {"explicit_bucket_histogram", WAGGLE_AGGREGATION_EXPLICIT, explicit_fields,
         WAGGLE__COUNT(explicit_fields)},
        {"base2_exponential_bucket_histogram", WAGGLE_AGGREGATION_EXPONENTIAL, exponential_fields,
         WAGGLE__COUNT(exponential_fields)},
    };
    struct histogram h = {0};
    const node *properties = NULL;
    if (waggle_config_type(map) <= WAGGLE_CONFIG_NULL)
        return true;
    const char *name = waggle__config_one(map, "aggregation", &properties);
    size_t i = 0;
    while (name != NULL && i < WAGGLE__COUNT(kinds) && strcmp(kinds[i].name, name) != 0)
        i++;
    if (name == NULL || i == WAGGLE__COUNT(kinds))
        return name != NULL &&
               waggle__config_wrong(properties, "there is no aggregation \"%.60s\"", name);
    if (!waggle__config_read(properties, name, kinds[i].fields, kinds[i].n, &h) ||
        !read_boundaries(h.boundaries, ret_boundaries, &h.a.n_boundaries))
        return false;
    h.a.boundaries = *ret_boundaries;
    h.a.kind = kinds[i].kind;
    view->aggregation = h.a;
    return true;
}

struct stream {
    waggle_view *view;
    const char *name, *description;
    const node *aggregation, *attribute_keys;
    uint32_t limit;
};

static bool read_selector(const node *map, waggle_view *view)
{
    static const char *const types[] = {"",
                                        "counter",
                                        "up_down_counter",
                                        "histogram",
                                        "gauge",
                                        "observable_counter",
                                        "observable_up_down_counter",
                                        "observable_gauge",
                                        NULL}; // by enum waggle_instrument_kind
    static const struct waggle__config_field fields[] = {
        WAGGLE__FIELD("instrument_name", STR, waggle_view, instrument_name),
        WAGGLE__FIELD_OF("instrument_type", types, waggle_view, instrument_kind),
        WAGGLE__FIELD("unit", STR, waggle_view, instrument_unit),
        WAGGLE__FIELD("meter_name", STR, waggle_view, meter_name),
        WAGGLE__FIELD("meter_version", STR, waggle_view, meter_version),
        WAGGLE__FIELD("meter_schema_url", STR, waggle_view, meter_schema_url),
    };
    return WAGGLE__READ(map, "selector", fields, view);
}

bool waggle__config_add_view(struct waggle_provider *provider, const node *map)
{
    struct section {
        const node *selector, *stream;
    } s = {0};
    static const struct waggle__config_field sections[] = {
        WAGGLE__FIELD("selector", NODE, struct section, selector),
        WAGGLE__FIELD("stream", NODE, struct section, stream)};
    struct stream t = {0};
    static const struct waggle__config_field fields[] = {
        WAGGLE__FIELD("name", STR, struct stream, name),
        WAGGLE__FIELD("description", STR, struct stream, description),
        WAGGLE__FIELD("aggregation", NODE, struct stream, aggregation),
        WAGGLE__FIELD("aggregation_cardinality_limit", POSITIVE, struct stream, limit),
        WAGGLE__FIELD("attribute_keys", NODE, struct stream, attribute_keys)};
    waggle_view view = {.struct_size = sizeof view};
    struct waggle__config_filter keys = {0};
    double *boundaries = NULL;
    bool ok = WAGGLE__READ(map, "view", sections, &s) && read_selector(s.selector, &view) &&
              WAGGLE__READ(s.stream, "stream", fields, &t) &&
              read_aggregation(t.aggregation, &view, &boundaries) &&
              waggle__config_filter(t.attribute_keys, "attribute_keys", &keys);
    view.name = t.name;
    view.description = t.description;
    view.cardinality_limit = t.limit;
    view.keys = keys.included;
    view.n_keys = keys.n_included;
    view.excluded_keys = keys.excluded;
    view.n_excluded_keys = keys.n_excluded;
    if (ok && !waggle_provider_add_view(provider, &view))
        ok = waggle__config_wrong(map, "the view is of no use");
    waggle__config_filter_done(&keys);
    free(boundaries);
    return ok;
}
