// SPDX-License-Identifier: Apache-2.0
/*
 * env.c - OTEL_* variables
 *
 * An empty value is an unset one. A malformed number or an unknown name is told to the error
 * handler and ignored. Each variable is read where waggle_init runs, once.
 *
 * Threads: reads the environment; as with getenv, nobody may change it meanwhile.
 */
#include "hex.h"
#include "sdk_priv.h"

#include <stdlib.h>
#include <strings.h>

const char *waggle__env(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

uint32_t waggle__env_u32(const char *name, uint32_t otherwise)
{
    const char *value = waggle__env(name);
    uint64_t n = 0;
    if (value == NULL)
        return otherwise;
    for (const char *p = value; *p != '\0'; p++) {
        if (*p < '0' || *p > '9' || n > UINT32_MAX / 10) {
            waggle__error(WAGGLE_LEVEL_WARN, "%s is no number of use, ignoring it", name);
            return otherwise;
        }
        n = n * 10 + (uint64_t)(*p - '0');
    }
    return (uint32_t)n;
}

bool waggle__env_true(const char *name)
{
    const char *value = waggle__env(name);
    return value != NULL && strcasecmp(value, "true") == 0;
}

const char *waggle__setting(const char *given, const char *variable, const char *other)
{
    const char *value = given != NULL ? given : waggle__env(variable);
    if (value == NULL && other != NULL)
        value = waggle__env(other);
    return value != NULL ? value : "";
}

char *waggle__copy_texts(const struct waggle__copied *all, size_t n)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += strlen(all[i].value) + 1;
    char *texts = malloc(bytes);
    char *w = texts;
    for (size_t i = 0; texts != NULL && i < n; i++) {
        size_t one = strlen(all[i].value) + 1;
        memcpy(w, all[i].value, one);
        *all[i].ret = w;
        w += one;
    }
    return texts;
}

/* --- lists of pairs ------------------------------------------------------------------------ */

/* Decode %XX into ret; false if a '%' has no two digits behind it. */
static bool decode(const char *p, size_t n, char *ret, size_t *ret_n)
{
    size_t out = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] != '%') {
            ret[out++] = p[i];
            continue;
        }
        if (i + 2 >= n || waggle__hex_digit(p[i + 1]) < 0 || waggle__hex_digit(p[i + 2]) < 0)
            return false;
        ret[out++] = (char)(waggle__hex_digit(p[i + 1]) << 4 | waggle__hex_digit(p[i + 2]));
        i += 2;
    }
    *ret_n = out;
    return true;
}

static waggle_str trimmed(const char *p, size_t n)
{
    while (n > 0 && (*p == ' ' || *p == '\t')) {
        p++;
        n--;
    }
    while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == '\t'))
        n--;
    return (waggle_str){p, n};
}

/* One pass over the list; without `fn` it only checks. */
static bool walk_pairs(const char *list, char *scratch, waggle__pair_fn *fn, void *self)
{
    size_t n = strlen(list);
    for (size_t i = 0; i <= n;) {
        size_t end = i + strcspn(list + i, ",");
        waggle_str member = trimmed(list + i, end - i);
        i = end + 1;
        if (member.n == 0)
            continue;
        const char *equals = memchr(member.p, '=', member.n);
        if (equals == NULL || equals == member.p)
            return false;
        waggle_str key = trimmed(member.p, (size_t)(equals - member.p));
        waggle_str raw = trimmed(equals + 1, (size_t)(member.p + member.n - equals - 1));
        size_t key_n = 0;
        size_t value_n = 0;
        if (!decode(key.p, key.n, scratch, &key_n) || key_n == 0 ||
            !decode(raw.p, raw.n, scratch + key_n, &value_n))
            return false;
        if (fn != NULL)
            fn(self, (waggle_str){scratch, key_n}, (waggle_str){scratch + key_n, value_n});
    }
    return true;
}

bool waggle__pairs(const char *list, waggle__pair_fn *fn, void *self)
{
    char *scratch = malloc(strlen(list) + 1);
    bool ok = scratch != NULL && walk_pairs(list, scratch, NULL, NULL) &&
              walk_pairs(list, scratch, fn, self);
    free(scratch);
    return ok;
}

/* --- limits and processors ----------------------------------------------------------------- */

/* A limit: zero is one, too. */
static uint32_t env_limit(const char *name, uint32_t otherwise)
{
    uint32_t n = waggle__env_u32(name, otherwise);
    return n == 0 && waggle__env(name) != NULL ? WAGGLE_LIMIT_ZERO : n;
}

void waggle__env_limits(waggle_limits *l)
{
    uint32_t count = env_limit("OTEL_ATTRIBUTE_COUNT_LIMIT", l->attributes);
    uint32_t length = env_limit("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", l->value_length);
    l->attributes = env_limit("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", count);
    l->value_length = env_limit("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", length);
    l->events = env_limit("OTEL_SPAN_EVENT_COUNT_LIMIT", l->events);
    l->links = env_limit("OTEL_SPAN_LINK_COUNT_LIMIT", l->links);
    l->attributes_event = env_limit("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", l->attributes_event);
    l->attributes_link = env_limit("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", l->attributes_link);
}

void waggle__env_log_limits(waggle_log_limits *l)
{
    uint32_t count = env_limit("OTEL_ATTRIBUTE_COUNT_LIMIT", l->attributes);
    uint32_t length = env_limit("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", l->value_length);
    l->attributes = env_limit("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", count);
    l->value_length = env_limit("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", length);
}

void waggle__env_batch(waggle_batch_options *o, enum waggle_signal signal)
{
    static const char *const names[][4] = {
        {"OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BSP_MAX_QUEUE_SIZE",
         "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"},
        {"OTEL_BLRP_SCHEDULE_DELAY", "OTEL_BLRP_EXPORT_TIMEOUT", "OTEL_BLRP_MAX_QUEUE_SIZE",
         "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE"},
    };
    const char *const *of = names[signal == WAGGLE_SIGNAL_LOGS];
    o->schedule_delay_ms = waggle__env_u32(of[0], o->schedule_delay_ms);
    o->export_timeout_ms = waggle__env_u32(of[1], o->export_timeout_ms);
    o->max_queue = waggle__env_u32(of[2], o->max_queue);
    o->max_batch = waggle__env_u32(of[3], o->max_batch);
    o->signal = signal;
    o->no_drop_report |= waggle__env_true("OTEL_C_NO_DROP_REPORT");
}

/* --- metrics ------------------------------------------------------------------------------- */

/* Which of the names the variable's value is, in any case; 0, the usual one, if it is unset or
 * none of them (which is told). */
static size_t choice(const char *variable, const char *const *names, size_t n)
{
    const char *value = waggle__env(variable);
    for (size_t i = 0; value != NULL && i < n; i++)
        if (strcasecmp(value, names[i]) == 0)
            return i;
    if (value != NULL)
        waggle__error(WAGGLE_LEVEL_WARN, "%s=%s is not known, ignoring it", variable, value);
    return 0;
}

void waggle__env_reader(waggle_reader_options *o)
{
    static const char *const preferences[] = {"cumulative", "delta", "lowmemory"};
    static const char *const histograms[] = {"explicit_bucket_histogram",
                                             "base2_exponential_bucket_histogram"};
    o->interval_ms = waggle__env_u32("OTEL_METRIC_EXPORT_INTERVAL", o->interval_ms);
    o->timeout_ms = waggle__env_u32("OTEL_METRIC_EXPORT_TIMEOUT", o->timeout_ms);
    o->preference = (enum waggle_temporality_preference)choice(
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", preferences,
        WAGGLE__COUNT(preferences));
    if (choice("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", histograms,
               WAGGLE__COUNT(histograms)) == 1)
        o->aggregation[WAGGLE_HISTOGRAM].kind = WAGGLE_AGGREGATION_EXPONENTIAL;
}

enum waggle_exemplar_filter waggle__env_exemplars(void)
{
    static const char *const filters[] = {"trace_based", "always_on", "always_off"};
    return (enum waggle_exemplar_filter)choice("OTEL_METRICS_EXEMPLAR_FILTER", filters,
                                               WAGGLE__COUNT(filters));
}

/* --- samplers ------------------------------------------------------------------------------ */

static struct waggle_sampler *make_on(double ratio)
{
    (void)ratio;
    return waggle_sampler_always_on();
}

static struct waggle_sampler *make_off(double ratio)
{
    (void)ratio;
    return waggle_sampler_always_off();
}

static const struct {
    const char *name;
    struct waggle_sampler *(*make)(double ratio);
    bool parent_based;
} samplers[] = {
    {"always_on", make_on, false},
    {"always_off", make_off, false},
    {"traceidratio", waggle_sampler_ratio_new, false},
    {"parentbased_always_on", make_on, true},
    {"parentbased_always_off", make_off, true},
    {"parentbased_traceidratio", waggle_sampler_ratio_new, true},
};

/* A decimal number from 0 to 1, in any locale; false if it is none. */
static bool parse_ratio(const char *s, double *ret)
{
    double v = 0;
    double unit = 0;
    bool digits = false;
    for (; *s != '\0'; s++) {
        if (*s == '.' && unit == 0) {
            unit = 1;
        } else if (*s >= '0' && *s <= '9') {
            digits = true;
            if (unit == 0) {
                v = v * 10 + (*s - '0');
            } else {
                unit /= 10;
                v += unit * (*s - '0');
            }
        } else {
            return false;
        }
    }
    *ret = v;
    return digits && v <= 1;
}

static void take_xray_pair(void *self, waggle_str key, waggle_str value)
{
    waggle_xray_sampler_options *o = self;
    static char endpoint[512]; // waggle_init runs in one thread, and the sampler copies it
    if (key.n == 8 && memcmp(key.p, "endpoint", 8) == 0 && value.n < sizeof endpoint) {
        memcpy(endpoint, value.p, value.n);
        endpoint[value.n] = '\0';
        o->endpoint = endpoint;
    } else if (key.n == 16 && memcmp(key.p, "polling_interval", 16) == 0) {
        o->poll_s = 0;
        for (size_t i = 0; i < value.n && i < 6 && value.p[i] >= '0' && value.p[i] <= '9'; i++)
            o->poll_s = o->poll_s * 10 + (uint32_t)(value.p[i] - '0');
    }
}

/* OTEL_TRACES_SAMPLER_ARG: endpoint=http://host:2000,polling_interval=300 */
static struct waggle_sampler *env_xray(const char *service_name, const char *arg)
{
    waggle_xray_sampler_options o = {.struct_size = sizeof o};
    o.service_name = service_name != NULL ? service_name : waggle__env("OTEL_SERVICE_NAME");
    if (arg != NULL && !waggle__pairs(arg, take_xray_pair, &o))
        waggle__error(WAGGLE_LEVEL_WARN, "OTEL_TRACES_SAMPLER_ARG is malformed, ignoring it");
    struct waggle_sampler *x = waggle_sampler_xray_new(&o);
    return waggle_sampler_parent_based_new(x, NULL, NULL, NULL, NULL); // without x: always on
}

struct jaeger_arg {
    char endpoint[512];
    uint32_t poll_ms;
    double initial;
};

static void take_jaeger_pair(void *self, waggle_str key, waggle_str value)
{
    struct jaeger_arg *a = self;
    char text[32];
    bool is_short = value.n < sizeof text;
    memcpy(text, value.p, is_short ? value.n : 0);
    text[is_short ? value.n : 0] = '\0';
    if (key.n == 8 && memcmp(key.p, "endpoint", 8) == 0 && value.n < sizeof a->endpoint) {
        memcpy(a->endpoint, value.p, value.n);
        a->endpoint[value.n] = '\0';
    } else if (key.n == 17 && memcmp(key.p, "pollingIntervalMs", 17) == 0) {
        a->poll_ms = 0;
        for (size_t i = 0; i < 9 && text[i] >= '0' && text[i] <= '9'; i++)
            a->poll_ms = a->poll_ms * 10 + (uint32_t)(text[i] - '0');
    } else if (key.n == 19 && memcmp(key.p, "initialSamplingRate", 19) == 0) {
        (void)parse_ratio(text, &a->initial); // else as it was
    }
}

/* endpoint=http://localhost:14250,pollingIntervalMs=5000,initialSamplingRate=0.25 */
static struct waggle_sampler *env_jaeger(const char *service_name, const char *arg, bool on_parents)
{
    struct jaeger_arg a = {.initial = -1};
    waggle_jaeger_sampler_options o = {.struct_size = sizeof o, .service_name = service_name};
    if (arg != NULL && !waggle__pairs(arg, take_jaeger_pair, &a))
        waggle__error(WAGGLE_LEVEL_WARN, "OTEL_TRACES_SAMPLER_ARG is malformed, ignoring it");
    o.endpoint = a.endpoint[0] != '\0' ? a.endpoint : NULL;
    o.poll_ms = a.poll_ms;
    o.initial = a.initial >= 0 ? waggle_sampler_ratio_new(a.initial) : NULL;
    struct waggle_sampler *s = waggle_sampler_jaeger_new(&o);
    return s != NULL && !on_parents ? s
                                    : waggle_sampler_parent_based_new(s, NULL, NULL, NULL, NULL);
}

struct waggle_sampler *waggle__env_sampler(const char *service_name)
{
    const char *name = waggle__env("OTEL_TRACES_SAMPLER");
    const char *arg = waggle__env("OTEL_TRACES_SAMPLER_ARG");
    double ratio = 1;
    if (name != NULL && strcmp(name, "xray") == 0)
        return env_xray(service_name, arg);
    bool on_parents = name != NULL && strcmp(name, "parentbased_jaeger_remote") == 0;
    if (on_parents || (name != NULL && strcmp(name, "jaeger_remote") == 0))
        return env_jaeger(service_name, arg, on_parents);
    if (arg != NULL && !parse_ratio(arg, &ratio)) {
        waggle__error(WAGGLE_LEVEL_WARN,
                      "OTEL_TRACES_SAMPLER_ARG is no number from 0 to 1, ignoring it");
        ratio = 1;
    }
    for (size_t i = 0; name != NULL && i < WAGGLE__COUNT(samplers); i++) {
        if (strcmp(samplers[i].name, name) != 0)
            continue;
        struct waggle_sampler *s = samplers[i].make(ratio);
        return s != NULL && samplers[i].parent_based
                   ? waggle_sampler_parent_based_new(s, NULL, NULL, NULL, NULL)
                   : s;
    }
    if (name != NULL)
        waggle__error(WAGGLE_LEVEL_WARN, "OTEL_TRACES_SAMPLER=%s is not known, ignoring it", name);
    return waggle_sampler_parent_based_new(NULL, NULL, NULL, NULL, NULL);
}

/* --- comma lists of names ------------------------------------------------------------------ */

bool waggle__next_name(const char **list, char ret[64])
{
    while (**list != '\0') {
        size_t n = strcspn(*list, ",");
        waggle_str name = trimmed(*list, n);
        *list += n + ((*list)[n] == ',');
        if (name.n == 0)
            continue;
        size_t kept = WAGGLE__MIN(name.n, (size_t)63);
        memcpy(ret, name.p, kept);
        ret[kept] = '\0';
        return true;
    }
    return false;
}

void waggle__env_propagators(void)
{
    const struct waggle_propagator *chosen[WAGGLE_PROPAGATORS_MAX];
    const char *list = waggle__env("OTEL_PROPAGATORS");
    char name[64];
    size_t n = 0;
    if (list == NULL)
        list = "tracecontext,baggage";
    while (waggle__next_name(&list, name)) {
        const struct waggle_propagator *p = waggle_propagator_find(name);
        bool again = false;
        for (size_t i = 0; i < n; i++)
            again |= chosen[i] == p;
        if (p == NULL && strcmp(name, "none") != 0)
            waggle__error(WAGGLE_LEVEL_WARN, "OTEL_PROPAGATORS: %s is not known, ignoring it",
                          name);
        if (p != NULL && !again && n < WAGGLE_PROPAGATORS_MAX)
            chosen[n++] = p;
    }
    waggle_propagators_set(chosen, n);
}

/* --- exporters ----------------------------------------------------------------------------- */

static struct waggle_exporter *make_otlp(enum waggle_signal signal, const char *endpoint)
{
    waggle_otlp_options o = {.struct_size = sizeof o, .signal = signal, .endpoint = endpoint};
    return waggle_otlp_exporter_new(&o);
}

static struct waggle_exporter *make_console(enum waggle_signal signal, const char *endpoint)
{
    (void)signal;
    (void)endpoint;
    return waggle_console_exporter_new(NULL);
}

static struct waggle_exporter *make_stdout(enum waggle_signal signal, const char *endpoint)
{
    (void)signal;
    (void)endpoint;
    return waggle_file_exporter_new(NULL);
}

static struct waggle_exporter *make_xray(enum waggle_signal signal, const char *endpoint)
{
    (void)endpoint;
    return signal == WAGGLE_SIGNAL_TRACES ? waggle_xray_exporter_new(NULL) : NULL;
}

static struct waggle_exporter *make_rollbar(enum waggle_signal signal, const char *endpoint)
{
    (void)endpoint;
    return signal == WAGGLE_SIGNAL_METRICS ? NULL : waggle_rollbar_exporter_new(NULL);
}

static struct waggle_exporter *make_cloudwatch(enum waggle_signal signal, const char *endpoint)
{
    (void)endpoint;
    return signal == WAGGLE_SIGNAL_LOGS ? waggle_cloudwatch_exporter_new(NULL) : NULL;
}

static const struct {
    const char *name;
    struct waggle_exporter *(*make)(enum waggle_signal signal, const char *endpoint);
} exporters[] = {{"otlp", make_otlp}, {"console", make_console}, {"otlp/stdout", make_stdout},
                 {"xray", make_xray}, {"rollbar", make_rollbar}, {"cloudwatch", make_cloudwatch}};

/* Metrics that are fetched: readers of their own. */
static bool add_puller(const char *name, struct waggle_provider *provider, bool *ret_ok)
{
    if (strcmp(name, "prometheus") != 0)
        return false;
    struct waggle_reader *r = waggle_prometheus_reader_new(NULL);
    *ret_ok = r != NULL && waggle_provider_add_reader(provider, r) && *ret_ok;
    return true;
}

bool waggle__env_exporters(enum waggle_signal signal, const char *endpoint,
                           bool (*add)(void *self, struct waggle_exporter *exporter),
                           struct waggle_provider *provider)
{
    static const char *const variables[] = {"OTEL_TRACES_EXPORTER", "OTEL_LOGS_EXPORTER",
                                            "OTEL_METRICS_EXPORTER"};
    const char *list = waggle__env(variables[signal]);
    char name[64];
    bool ok = true;
    if (list == NULL)
        list = "otlp";
    while (waggle__next_name(&list, name)) {
        bool known = strcmp(name, "none") == 0 ||
                     (signal == WAGGLE_SIGNAL_METRICS && add_puller(name, provider, &ok));
        for (size_t i = 0; i < WAGGLE__COUNT(exporters); i++) {
            if (strcmp(exporters[i].name, name) != 0)
                continue;
            struct waggle_exporter *exporter = exporters[i].make(signal, endpoint);
            ok = exporter != NULL && add(provider, exporter) && ok;
            known = true;
        }
        if (!known)
            waggle__error(WAGGLE_LEVEL_WARN, "%s: %s is not known, ignoring it", variables[signal],
                          name);
    }
    return ok;
}
