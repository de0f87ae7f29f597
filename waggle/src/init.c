// SPDX-License-Identifier: Apache-2.0
/*
 * init.c - the one call: a provider as the options, a file or the environment, and the
 * specification say
 *
 * Threads: waggle_init and waggle_shutdown are a program's beginning and end; a lock keeps two of
 * them apart. Providers that were replaced stay in memory: tracers and open spans may still point
 * to them.
 */
#include "config_priv.h"

#include <errno.h>

static pthread_mutex_t init_lock = PTHREAD_MUTEX_INITIALIZER;

bool waggle__resource_set_options(struct waggle_resource *r, const waggle_options *o)
{
    bool ok = waggle_resource_set(r, o->resource);
    if (o->service_version != NULL)
        ok = waggle_resource_set(
                 r, WAGGLE_ATTRS(waggle_kv_str("service.version", o->service_version))) &&
             ok;
    if (o->service_name != NULL)
        ok = waggle_resource_set(r, WAGGLE_ATTRS(waggle_kv_str("service.name", o->service_name))) &&
             ok;
    return ok;
}

static struct waggle_resource *make_resource(const waggle_options *o)
{
    struct waggle_resource *r = waggle_resource_new();
    if (r == NULL)
        return NULL;
    waggle_detect_all(r);
    if (waggle__resource_set_options(r, o))
        return r;
    waggle_resource_free(r);
    return NULL;
}

static bool add_span_exporter(void *self, struct waggle_exporter *exporter)
{
    waggle_batch_options o = {.struct_size = sizeof o};
    waggle__env_batch(&o, WAGGLE_SIGNAL_TRACES);
    struct waggle_processor *p = waggle_batch_processor_new(exporter, &o);
    return p != NULL && waggle_provider_add(self, p);
}

static bool add_log_exporter(void *self, struct waggle_exporter *exporter)
{
    waggle_batch_options o = {.struct_size = sizeof o};
    waggle__env_batch(&o, WAGGLE_SIGNAL_LOGS);
    struct waggle_processor *p = waggle_batch_processor_new(exporter, &o);
    return p != NULL && waggle_provider_add_log(self, p);
}

static bool add_metric_exporter(void *self, struct waggle_exporter *exporter)
{
    waggle_reader_options o = {.struct_size = sizeof o};
    waggle__env_reader(&o);
    struct waggle_reader *r = waggle_periodic_reader_new(exporter, &o);
    return r != NULL && waggle_provider_add_reader(self, r);
}

static bool add_exporters(struct waggle_provider *provider, waggle_options *o)
{
    bool ok = o->exporter != NULL ? add_span_exporter(provider, o->exporter)
                                  : waggle__env_exporters(WAGGLE_SIGNAL_TRACES, o->endpoint,
                                                          add_span_exporter, provider);
    ok = (o->log_exporter != NULL ? add_log_exporter(provider, o->log_exporter)
                                  : waggle__env_exporters(WAGGLE_SIGNAL_LOGS, o->endpoint,
                                                          add_log_exporter, provider)) &&
         ok;
    waggle_provider_set_exemplars(provider, waggle__env_exemplars());
    return (o->metric_exporter != NULL ? add_metric_exporter(provider, o->metric_exporter)
                                       : waggle__env_exporters(WAGGLE_SIGNAL_METRICS, o->endpoint,
                                                               add_metric_exporter, provider)) &&
           ok;
}

static void free_exporter(struct waggle_exporter *exporter)
{
    if (exporter != NULL && exporter->ops->free != NULL)
        exporter->ops->free(exporter);
}

static void discard(const waggle_options *o)
{
    if (o->sampler != NULL && o->sampler->ops->free != NULL)
        o->sampler->ops->free(o->sampler);
    free_exporter(o->exporter);
    free_exporter(o->log_exporter);
    free_exporter(o->metric_exporter);
}

static void replace(struct waggle_provider *provider)
{
    enum { OLD_MS = 5000 };
    (void)pthread_mutex_lock(&init_lock); // fails only for a mutex that is none
    struct waggle_provider *old = waggle_provider_global();
    waggle_provider_set_global(provider);
    if (old != NULL)
        (void)waggle_provider_shutdown(old, OLD_MS); // false if that was done already
    (void)pthread_mutex_unlock(&init_lock);
}

static struct waggle_provider *provider_of_env(waggle_options *o)
{
    waggle_limits limits = {.struct_size = sizeof limits};
    waggle_log_limits log_limits = {.struct_size = sizeof log_limits};
    waggle__env_limits(&limits);
    waggle__env_log_limits(&log_limits);
    waggle_provider_options p = {
        .struct_size = sizeof p,
        .resource = make_resource(o),
        .sampler = o->sampler ? o->sampler : waggle__env_sampler(o->service_name),
        .limits = &limits,
        .log_limits = &log_limits,
        .max_live_spans =
            o->max_live_spans ? o->max_live_spans : waggle__env_u32("OTEL_C_MAX_LIVE_SPANS", 0),
    };
    o->sampler = NULL; // the provider's from here on
    return waggle_provider_new(&p);
}

static int init_of_env(waggle_options *o)
{
    if (!o->no_propagators)
        waggle__env_propagators(); // also when the SDK is disabled
    if (waggle__env_true("OTEL_SDK_DISABLED")) {
        discard(o);
        return 0;
    }
    struct waggle_provider *provider = provider_of_env(o);
    if (provider == NULL) {
        discard(o);
        return -ENOMEM;
    }
    if (!add_exporters(provider, o)) {
        waggle_provider_free(provider);
        return -EINVAL;
    }
    replace(provider);
    return 0;
}

/* --- by a file ----------------------------------------------------------------------------- */

static bool add_given(struct waggle_provider *provider, const waggle_options *o)
{
    bool ok = o->exporter == NULL || add_span_exporter(provider, o->exporter);
    ok = (o->log_exporter == NULL || add_log_exporter(provider, o->log_exporter)) && ok;
    return (o->metric_exporter == NULL || add_metric_exporter(provider, o->metric_exporter)) && ok;
}

static int init_of_config(const struct waggle_config *config, waggle_options *o)
{
    const struct waggle_propagator *propagators[WAGGLE_PROPAGATORS_MAX];
    size_t n = 0;
    waggle__config_log_level(config);
    bool ok = waggle_config_propagators(config, propagators, &n);
    if (ok && !o->no_propagators)
        waggle_propagators_set(propagators, n);
    if (ok && waggle__config_is_disabled(config)) {
        discard(o);
        return 0;
    }
    struct waggle_provider *provider = ok ? waggle__config_provider(config, o) : NULL;
    if (provider == NULL) {
        discard(o);
        return -EINVAL;
    }
    if (!add_given(provider, o)) {
        waggle_provider_free(provider);
        return -ENOMEM;
    }
    replace(provider);
    return 0;
}

static int init_of_file(const char *path, waggle_options *o)
{
    waggle__error_level(WAGGLE_LEVEL_ERROR); // who names a file wants to hear what is wrong in it
    struct waggle_config *config = waggle_config_load(path);
    if (config == NULL) {
        discard(o);
        return -EINVAL;
    }
    int rc = init_of_config(config, o);
    waggle_config_free(config);
    return rc;
}

int waggle_init(const waggle_options *options)
{
    waggle_options o = {0};
    if (options != NULL)
        memcpy(&o, options,
               options->struct_size ? WAGGLE__MIN(options->struct_size, sizeof o) : sizeof o);
    const char *file = waggle__setting(NULL, "OTEL_CONFIG_FILE", "OTEL_EXPERIMENTAL_CONFIG_FILE");
    return file[0] != '\0' ? init_of_file(file, &o) : init_of_env(&o);
}

bool waggle_flush(uint32_t timeout_ms)
{
    return waggle_provider_flush(waggle_provider_global(), timeout_ms);
}

bool waggle_shutdown(uint32_t timeout_ms)
{
    (void)pthread_mutex_lock(&init_lock); // fails only for a mutex that is none
    struct waggle_provider *provider = waggle_provider_global();
    bool ok = provider != NULL && waggle_provider_shutdown(provider, timeout_ms);
    (void)pthread_mutex_unlock(&init_lock);
    return ok;
}
