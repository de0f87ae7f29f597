// SPDX-License-Identifier: Apache-2.0
/*
 * config_parts.c - what the names of components in a configuration file make
 *
 * A component is a row of `builtin`, or was registered. What its properties are is a table beside
 * the function that makes it.
 *
 * Threads: registering is done before a configuration is read.
 */
#include "config_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "waggle/cloudwatch.h"
#include "waggle/composite.h"
#include "waggle/prometheus.h"
#include "waggle/rollbar.h"

typedef struct waggle_config_node node;

enum { REGISTERED_MAX = 64 };

/* --- OTLP ---------------------------------------------------------------------------------- */

static const char *const compressions[] = {"none", "gzip", NULL};
static const char *const encodings[] = {"protobuf", "json", NULL};

struct otlp_properties {
    waggle_otlp_options o;
    waggle_tls_options tls;
    const node *tls_map, *headers;
    const char *headers_list;
    int compression, encoding;
};

/* What HTTP and gRPC have in common; the last two are of metrics alone, and the reader's. */
#define OTLP_FIELDS                                                                                \
    WAGGLE__FIELD("endpoint", STR, struct otlp_properties, o.url),                                 \
        WAGGLE__FIELD("tls", NODE, struct otlp_properties, tls_map),                               \
        WAGGLE__FIELD("headers", NODE, struct otlp_properties, headers),                           \
        WAGGLE__FIELD("headers_list", STR, struct otlp_properties, headers_list),                  \
        WAGGLE__FIELD("timeout", TIMEOUT, struct otlp_properties, o.timeout_ms),                   \
        WAGGLE__FIELD_OF("compression", compressions, struct otlp_properties, compression)
#define OF_METRICS                                                                                 \
    WAGGLE__FIELD_NO("temporality_preference", ELSEWHERE),                                         \
        WAGGLE__FIELD_NO("default_histogram_aggregation", ELSEWHERE)
enum { N_OF_METRICS = 2 };

static const struct waggle__config_field http_fields[] = {
    OTLP_FIELDS, WAGGLE__FIELD_OF("encoding", encodings, struct otlp_properties, encoding),
    OF_METRICS};
static const struct waggle__config_field grpc_fields[] = {OTLP_FIELDS, OF_METRICS};

static const struct waggle__config_field tls_fields[] = {
    WAGGLE__FIELD("ca_file", STR, struct otlp_properties, tls.ca_file),
    WAGGLE__FIELD("key_file", STR, struct otlp_properties, tls.client_key_file),
    WAGGLE__FIELD("cert_file", STR, struct otlp_properties, tls.client_certificate_file),
    WAGGLE__FIELD("insecure", BOOL, struct otlp_properties, o.insecure),
    /* as release candidates of the format called them */
    WAGGLE__FIELD("certificate_file", STR, struct otlp_properties, tls.ca_file),
    WAGGLE__FIELD("client_key_file", STR, struct otlp_properties, tls.client_key_file),
    WAGGLE__FIELD("client_certificate_file", STR, struct otlp_properties,
                  tls.client_certificate_file),
};

static void put_percent(struct waggle__buf *out, const char *s)
{
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     c == '-' || c == '_' || c == '.';
        if (plain)
            waggle__buf_put(out, s, 1);
        else
            waggle__buf_printf(out, "%%%02X", c);
    }
}

static void no_pair(void *self, waggle_str key, waggle_str value)
{
    (void)self;
    (void)key;
    (void)value;
}

/* headers_list, then headers, which win, as one list. */
static bool join_headers(const node *properties, const struct otlp_properties *p,
                         struct waggle__buf *out)
{
    struct pair {
        const char *name, *value;
    };
    static const struct waggle__config_field fields[] = {
        WAGGLE__FIELD_NEEDED("name", STR, struct pair, name),
        WAGGLE__FIELD("value", STR, struct pair, value),
    };
    if (p->headers_list != NULL && !waggle__pairs(p->headers_list, no_pair, NULL))
        return waggle__config_wrong(waggle_config_get(properties, "headers_list"),
                                    "headers_list is no list of key=value");
    if (p->headers_list != NULL)
        waggle__buf_str(out, p->headers_list);
    for (size_t i = 0; i < waggle_config_count(p->headers); i++) {
        struct pair pair = {0};
        if (!WAGGLE__READ(waggle_config_at(p->headers, i, NULL), "a header", fields, &pair))
            return false;
        if (pair.value == NULL)
            continue;
        waggle__buf_str(out, ",");
        put_percent(out, pair.name);
        waggle__buf_str(out, "=");
        put_percent(out, pair.value);
    }
    waggle__buf_put(out, "", 1);
    return !out->bad;
}

static struct waggle_exporter *file_otlp(enum waggle_signal signal, const node *properties,
                                         bool grpc)
{
    enum { HEADERS_MAX = 65536 };
    struct otlp_properties p = {.compression = 0};
    const struct waggle__config_field *fields = grpc ? grpc_fields : http_fields;
    size_t n = grpc ? WAGGLE__COUNT(grpc_fields) : WAGGLE__COUNT(http_fields);
    n -= signal == WAGGLE_SIGNAL_METRICS ? 0 : N_OF_METRICS;
    if (!waggle__config_read(properties, grpc ? "otlp_grpc" : "otlp_http", fields, n, &p) ||
        !WAGGLE__READ(p.tls_map, "tls", tls_fields, &p))
        return NULL;
    if (grpc && !waggle__otlp_has_grpc()) {
        (void)waggle__config_wrong(properties, "otlp_grpc needs waggle-tls (waggle_tls_use)");
        return NULL;
    }
    struct waggle__buf headers;
    waggle__buf_init(&headers, HEADERS_MAX);
    struct waggle_exporter *e = NULL;
    if (join_headers(properties, &p, &headers)) {
        p.tls.struct_size = sizeof p.tls;
        p.o.struct_size = sizeof p.o;
        p.o.signal = signal;
        p.o.headers = (const char *)headers.p;
        p.o.gzip = p.compression == 1 ? 1 : -1;
        p.o.json = p.encoding == 1;
        p.o.grpc = grpc;
        p.o.tls = &p.tls;
        p.o.no_environment = true;
        e = waggle_otlp_exporter_new(&p.o);
    }
    waggle__buf_done(&headers);
    return e;
}

static struct waggle_exporter *file_otlp_http(enum waggle_signal signal, const node *properties)
{
    return file_otlp(signal, properties, false);
}

static struct waggle_exporter *file_otlp_grpc(enum waggle_signal signal, const node *properties)
{
    return file_otlp(signal, properties, true);
}

bool waggle__config_exporter_reader(const node *map, waggle_reader_options *options)
{
    struct of_metrics {
        int preference, histogram;
    } m = {0};
    static const char *const preferences[] = {"cumulative", "delta", "low_memory", NULL};
    static const char *const histograms[] = {"explicit_bucket_histogram",
                                             "base2_exponential_bucket_histogram", NULL};
    static const struct waggle__config_field fields[] = {
        WAGGLE__FIELD_OF("temporality_preference", preferences, struct of_metrics, preference),
        WAGGLE__FIELD_OF("default_histogram_aggregation", histograms, struct of_metrics,
                         histogram)};
    if (waggle_config_type(map) != WAGGLE_CONFIG_MAP)
        return true;
    if (!WAGGLE__READ(map, NULL, fields, &m))
        return false;
    options->preference = (enum waggle_temporality_preference)m.preference;
    if (m.histogram == 1)
        options->aggregation[WAGGLE_HISTOGRAM].kind = WAGGLE_AGGREGATION_EXPONENTIAL;
    return true;
}

/* --- other exporters ----------------------------------------------------------------------- */

static struct waggle_exporter *file_otlp_file(enum waggle_signal signal, const node *properties)
{
    const char *stream = NULL;
    struct file_properties {
        const char *stream;
    } p = {NULL};
    static const struct waggle__config_field fields[] = {
        WAGGLE__FIELD("output_stream", STR, struct file_properties, stream), OF_METRICS};
    size_t n = WAGGLE__COUNT(fields) - (signal == WAGGLE_SIGNAL_METRICS ? 0 : N_OF_METRICS);
    if (!waggle__config_read(properties, "otlp_file", fields, n, &p))
        return NULL;
    if (p.stream != NULL && strncmp(p.stream, "file://", 7) == 0)
        stream = p.stream + 7;
    else if (p.stream != NULL && strcmp(p.stream, "stdout") != 0) {
        (void)waggle__config_wrong(waggle_config_get(properties, "output_stream"),
                                   "output_stream is neither stdout nor file:///PATH");
        return NULL;
    }
    return waggle_file_exporter_new(stream);
}

static struct waggle_exporter *file_console(enum waggle_signal signal, const node *properties)
{
    static const struct waggle__config_field fields[] = {OF_METRICS};
    size_t n = signal == WAGGLE_SIGNAL_METRICS ? N_OF_METRICS : 0;
    return waggle__config_read(properties, "console", fields, n, NULL)
               ? waggle_console_exporter_new(NULL)
               : NULL;
}

static bool is_for(const node *properties, bool fits, const char *what, const char *signals)
{
    return fits || waggle__config_wrong(properties, "%s is an exporter of %s alone", what, signals);
}

static struct waggle_exporter *file_xray(enum waggle_signal signal, const node *properties)
{
    struct xray_properties {
        const char *address;
    } p = {NULL};
    static const struct waggle__config_field fields[] = {
        WAGGLE__FIELD("address", STR, struct xray_properties, address)};
    return is_for(properties, signal == WAGGLE_SIGNAL_TRACES, "xray", "spans") &&
                   WAGGLE__READ(properties, "xray", fields, &p)
               ? waggle_xray_exporter_new(p.address)
               : NULL;
}

static struct waggle_exporter *file_rollbar(enum waggle_signal signal, const node *properties)
{
    waggle_rollbar_options o = {.struct_size = sizeof o};
    static const struct waggle__config_field fields[] = {
        WAGGLE__FIELD("access_token", STR, waggle_rollbar_options, access_token),
        WAGGLE__FIELD("endpoint", STR, waggle_rollbar_options, endpoint),
        WAGGLE__FIELD("environment", STR, waggle_rollbar_options, environment),
        WAGGLE__FIELD("code_version", STR, waggle_rollbar_options, code_version),
        WAGGLE__FIELD("root", STR, waggle_rollbar_options, root),
        WAGGLE__FIELD("branch", STR, waggle_rollbar_options, branch),
        WAGGLE__FIELD("items_per_minute", POSITIVE, waggle_rollbar_options, items_per_minute),
        WAGGLE__FIELD("timeout", TIMEOUT, waggle_rollbar_options, timeout_ms),
    };
    return is_for(properties, signal != WAGGLE_SIGNAL_METRICS, "rollbar",
                  "spans and log records") &&
                   WAGGLE__READ(properties, "rollbar", fields, &o)
               ? waggle_rollbar_exporter_new(&o)
               : NULL;
}

static struct waggle_exporter *file_cloudwatch(enum waggle_signal signal, const node *properties)
{
    waggle_cloudwatch_options o = {.struct_size = sizeof o};
    static const struct waggle__config_field fields[] = {
        WAGGLE__FIELD("group", STR, waggle_cloudwatch_options, group),
        WAGGLE__FIELD("stream", STR, waggle_cloudwatch_options, stream),
        WAGGLE__FIELD("region", STR, waggle_cloudwatch_options, region),
        WAGGLE__FIELD("endpoint", STR, waggle_cloudwatch_options, endpoint),
        WAGGLE__FIELD("retention_days", POSITIVE, waggle_cloudwatch_options, retention_days),
        WAGGLE__FIELD("raw", BOOL, waggle_cloudwatch_options, raw),
        WAGGLE__FIELD("timeout", TIMEOUT, waggle_cloudwatch_options, timeout_ms),
    };
    return is_for(properties, signal == WAGGLE_SIGNAL_LOGS, "cloudwatch", "log records") &&
                   WAGGLE__READ(properties, "cloudwatch", fields, &o)
               ? waggle_cloudwatch_exporter_new(&o)
               : NULL;
}

/* --- Prometheus ---------------------------------------------------------------------------- */

static struct waggle_reader *file_prometheus(const node *properties,
                                             const waggle_reader_options *options)
{
    struct prometheus_properties {
        waggle_prometheus_options o;
        uint32_t port;
        int names;
        const node *labels;
    } p = {.port = 9464};
    static const char *const strategies[] = {
        "underscore_escaping_with_suffixes", "underscore_escaping_without_suffixes",
        "no_utf8_escaping_with_suffixes", "no_translation",
        /* as release candidates of the format called them */
        "UnderscoreEscapingWithSuffixes", "UnderscoreEscapingWithoutSuffixes",
        "NoUTF8EscapingWithSuffixes", "NoTranslation", NULL};
    static const struct waggle__config_field fields[] = {
        WAGGLE__FIELD("host", STR, struct prometheus_properties, o.host),
        WAGGLE__FIELD("port", POSITIVE, struct prometheus_properties, port),
        WAGGLE__FIELD("without_scope_info", BOOL, struct prometheus_properties, o.no_scope_labels),
        WAGGLE__FIELD("without_target_info", BOOL, struct prometheus_properties, o.no_target_info),
        WAGGLE__FIELD("scope_info_enabled", NOT, struct prometheus_properties, o.no_scope_labels),
        WAGGLE__FIELD("target_info_enabled", NOT, struct prometheus_properties, o.no_target_info),
        WAGGLE__FIELD("with_resource_constant_labels", NODE, struct prometheus_properties, labels),
        WAGGLE__FIELD("resource_constant_labels", NODE, struct prometheus_properties, labels),
        WAGGLE__FIELD_OF("translation_strategy", strategies, struct prometheus_properties, names),
    };
    struct waggle__config_filter labels = {0};
    static const char *const all[] = {"*"};
    struct waggle_reader *r = NULL;
    if (WAGGLE__READ(properties, "prometheus", fields, &p) &&
        waggle__config_filter(p.labels, "with_resource_constant_labels", &labels)) {
        bool every = labels.included == NULL && waggle_config_type(p.labels) == WAGGLE_CONFIG_MAP;
        p.o.struct_size = sizeof p.o;
        p.o.port = (int)WAGGLE__MIN(p.port, 65536u); // which is told to be none
        p.o.names = (enum waggle_prometheus_names)(p.names % 4);
        p.o.resource_labels = every ? all : labels.included;
        p.o.n_resource_labels = every ? 1 : labels.n_included;
        p.o.no_resource_labels = labels.excluded;
        p.o.n_no_resource_labels = labels.n_excluded;
        p.o.no_environment = true;
        p.o.reader = options;
        r = waggle_prometheus_reader_new(&p.o);
    }
    waggle__config_filter_done(&labels);
    return r;
}

/* --- detectors ----------------------------------------------------------------------------- */

static void detect_host_and_os(struct waggle_resource *r)
{
    waggle_detect_host(r);
    waggle_detect_os(r);
}

/* The format's: the name that the environment gives, and an id of the instance. */
static void detect_service(struct waggle_resource *r)
{
    const char *name = waggle__env("OTEL_SERVICE_NAME");
    waggle_detect_instance(r);
    if (name != NULL) // without memory the resource is without it
        (void)waggle_resource_set(r, WAGGLE_ATTRS(waggle_kv_str("service.name", name)));
}

/* --- all of them --------------------------------------------------------------------------- */

static const waggle_component builtin[] = {
    {.name = "otlp_http", .exporter = file_otlp_http},
    {.name = "otlp_grpc", .exporter = file_otlp_grpc},
    {.name = "otlp_file/development", .exporter = file_otlp_file},
    {.name = "console", .exporter = file_console},
    {.name = "prometheus/development", .reader = file_prometheus},
    {.name = "xray", .exporter = file_xray, .sampler = waggle__file_xray_sampler},
    {.name = "rollbar", .exporter = file_rollbar},
    {.name = "cloudwatch", .exporter = file_cloudwatch},
    {.name = "always_on", .sampler = waggle__file_on},
    {.name = "always_off", .sampler = waggle__file_off},
    {.name = "trace_id_ratio_based", .sampler = waggle__file_ratio},
    {.name = "parent_based", .sampler = waggle__file_parent_based},
    {.name = "jaeger_remote/development", .sampler = waggle__file_jaeger_remote},
    {.name = "composite/development", .sampler = waggle__file_composite},
    {.name = "probability/development", .sampler = waggle__file_probability_sampler},
    {.name = "container", .detect = waggle_detect_container},
    {.name = "host", .detect = detect_host_and_os},
    {.name = "process", .detect = waggle_detect_process},
    {.name = "service", .detect = detect_service},
};

static struct registered {
    waggle_component c;
    char name[128];
} registered[REGISTERED_MAX];
static size_t n_registered;

static bool has_part(const waggle_component *c, enum waggle__part part)
{
    switch (part) {
    case WAGGLE__PART_EXPORTER: return c->exporter != NULL;
    case WAGGLE__PART_PROCESSOR: return c->processor != NULL;
    case WAGGLE__PART_SAMPLER: return c->sampler != NULL;
    case WAGGLE__PART_READER: return c->reader != NULL;
    case WAGGLE__PART_PROPAGATOR: return c->propagator != NULL;
    case WAGGLE__PART_DETECT: return c->detect != NULL;
    default: return false;
    }
}

const waggle_component *waggle__config_find(const char *name, enum waggle__part part)
{
    for (size_t i = 0; i < WAGGLE__COUNT(builtin); i++)
        if (strcmp(builtin[i].name, name) == 0 && has_part(&builtin[i], part))
            return &builtin[i];
    for (size_t i = 0; i < n_registered; i++)
        if (strcmp(registered[i].name, name) == 0 && has_part(&registered[i].c, part))
            return &registered[i].c;
    return NULL;
}

bool waggle_config_register(const waggle_component *component)
{
    if (n_registered == REGISTERED_MAX || component->name == NULL ||
        strlen(component->name) >= sizeof registered[0].name)
        return false;
    struct registered *r = &registered[n_registered];
    r->c = (waggle_component){0};
    memcpy(&r->c, component,
           component->struct_size ? WAGGLE__MIN(component->struct_size, sizeof r->c) : sizeof r->c);
    memcpy(r->name, component->name, strlen(component->name) + 1);
    r->c.name = r->name;
    for (int part = WAGGLE__PART_EXPORTER; part <= WAGGLE__PART_DETECT; part++)
        if (has_part(&r->c, (enum waggle__part)part) &&
            waggle__config_find(r->name, (enum waggle__part)part) != NULL)
            return false;
    n_registered++;
    return true;
}

const waggle_component *waggle__config_component(const node *map, const char *what,
                                                 enum waggle__part part, const char *kind,
                                                 const node **ret_properties)
{
    const char *name = waggle__config_one(map, what, ret_properties);
    const waggle_component *c = name != NULL ? waggle__config_find(name, part) : NULL;
    if (name != NULL && c == NULL)
        (void)waggle__config_wrong(*ret_properties, "there is no %s \"%.60s\"", kind, name);
    return c;
}

struct waggle_exporter *waggle__config_exporter(const node *map, enum waggle_signal signal)
{
    const node *properties = NULL;
    const waggle_component *c =
        waggle__config_component(map, "exporter", WAGGLE__PART_EXPORTER, "exporter", &properties);
    struct waggle_exporter *e = c != NULL ? c->exporter(signal, properties) : NULL;
    if (c != NULL && e == NULL)
        (void)waggle__config_wrong(properties, "the exporter %.60s cannot be made", c->name);
    return e;
}

struct waggle_sampler *waggle__config_sampler(const node *map, const char *what)
{
    const node *properties = NULL;
    const waggle_component *c =
        waggle__config_component(map, what, WAGGLE__PART_SAMPLER, "sampler", &properties);
    struct waggle_sampler *s = c != NULL ? c->sampler(properties) : NULL;
    if (c != NULL && s == NULL)
        (void)waggle__config_wrong(properties, "the sampler %.60s cannot be made", c->name);
    return s;
}
