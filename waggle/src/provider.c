// SPDX-License-Identifier: Apache-2.0
/*
 * provider.c - tracer providers: what decides and who listens, made once and shut down once
 *
 * Tracers point to their provider, so that a processor added later reaches tracers made before. The
 * first provider of the process makes the table of open spans and puts the SDK's functions behind
 * the API.
 *
 * Threads: processors are appended under the lock and read without it, behind their count.
 */
#include "sdk_priv.h"

#include <stdlib.h>

static pthread_mutex_t providers_lock = PTHREAD_MUTEX_INITIALIZER;
static struct waggle_provider *providers;
static struct waggle_provider *global;
static struct waggle_provider *late; /* freed by their owners, but perhaps still at work */

void waggle__providers_lock(void)
{
    (void)pthread_mutex_lock(&providers_lock); // fails only for a mutex that is none
}

void waggle__providers_unlock(void)
{
    (void)pthread_mutex_unlock(&providers_lock); // as above
}

struct waggle_provider *waggle__providers_first(void)
{
    return providers;
}

/* --- making -------------------------------------------------------------------------------- */

static uint32_t or_default(uint32_t v, uint32_t otherwise)
{
    return v == WAGGLE_LIMIT_ZERO ? 0 : v ? v : otherwise;
}

static waggle_limits limits_of(const waggle_limits *given)
{
    enum { COUNT = 128, DEPTH = 64 };
    waggle_limits l = {0};
    if (given != NULL)
        memcpy(&l, given,
               given->struct_size ? WAGGLE__MIN(given->struct_size, sizeof l) : sizeof l);
    l.attributes = or_default(l.attributes, COUNT);
    l.value_length = or_default(l.value_length, WAGGLE_NO_LIMIT);
    l.value_depth = WAGGLE__MIN(or_default(l.value_depth, DEPTH), (uint32_t)DEPTH);
    l.events = or_default(l.events, COUNT);
    l.links = or_default(l.links, COUNT);
    l.attributes_event = or_default(l.attributes_event, COUNT);
    l.attributes_link = or_default(l.attributes_link, COUNT);
    return l;
}

static waggle_log_limits log_limits_of(const waggle_log_limits *given)
{
    enum { COUNT = 128 };
    waggle_log_limits l = {0};
    if (given != NULL)
        memcpy(&l, given,
               given->struct_size ? WAGGLE__MIN(given->struct_size, sizeof l) : sizeof l);
    l.attributes = or_default(l.attributes, COUNT);
    l.value_length = or_default(l.value_length, WAGGLE_NO_LIMIT);
    return l;
}

static void free_owned(struct waggle_resource *resource, struct waggle_sampler *sampler)
{
    waggle_resource_free(resource);
    if (sampler != NULL && sampler->ops->free != NULL)
        sampler->ops->free(sampler);
}

static struct waggle_resource *detected(void)
{
    struct waggle_resource *r = waggle_resource_new();
    if (r != NULL)
        waggle_detect_all(r);
    return r;
}

static bool prepare_process(uint32_t max_live_spans)
{
    waggle__providers_lock();
    bool ok = waggle__slots_init(or_default(max_live_spans, WAGGLE__LIVE_SPANS));
    waggle__providers_unlock();
    if (ok)
        waggle__fork_init();
    return ok;
}

static void enlist(struct waggle_provider *p)
{
    waggle__providers_lock();
    p->next = providers;
    providers = p;
    waggle__providers_unlock();
    waggle__install(&waggle__sdk_table);
}

struct waggle_provider *waggle_provider_new(const waggle_provider_options *options)
{
    waggle_provider_options o = {0};
    if (options != NULL)
        memcpy(&o, options,
               options->struct_size ? WAGGLE__MIN(options->struct_size, sizeof o) : sizeof o);
    struct waggle_provider *p = calloc(1, sizeof *p);
    struct waggle_resource *resource = o.resource ? o.resource : detected();
    struct waggle_sampler *sampler =
        o.sampler ? o.sampler : waggle_sampler_parent_based_new(NULL, NULL, NULL, NULL, NULL);
    if (p == NULL || resource == NULL || sampler == NULL || !prepare_process(o.max_live_spans)) {
        free_owned(resource, sampler);
        free(p);
        return NULL;
    }
    p->sampler = sampler;
    p->id_generator = o.id_generator;
    p->limits = limits_of(o.limits);
    p->value_limits = (struct waggle__value_limits){p->limits.value_length, p->limits.value_depth};
    p->log_limits = log_limits_of(o.log_limits);
    p->resource = resource;
    p->resource_info = waggle_resource_get_info(resource);
    (void)pthread_mutex_init(&p->lock, NULL); // cannot fail on Linux
    enlist(p);
    return p;
}

static void free_processor(struct waggle_processor *processor)
{
    if (processor != NULL && processor->ops->free != NULL)
        processor->ops->free(processor);
}

static void note_hooks(struct waggle_provider *provider, const struct waggle_processor *processor)
{
    if (processor->ops->on_start != NULL)
        atomic_store_explicit(&provider->has_on_start, true, memory_order_relaxed);
    if (processor->ops->on_ending != NULL)
        atomic_store_explicit(&provider->has_on_ending, true, memory_order_relaxed);
}

bool waggle__provider_add(struct waggle_provider *provider, struct waggle_processor *processor,
                          enum waggle_signal signal)
{
    if (provider == NULL || processor == NULL) {
        free_processor(processor);
        return false;
    }
    struct waggle__processors *list = &provider->processors[signal];
    (void)pthread_mutex_lock(&provider->lock); // fails only for a mutex that is none
    uint32_t n = waggle__processors_n(list);
    bool ok = n < WAGGLE__PROCESSORS_MAX &&
              !atomic_load_explicit(&provider->is_shut, memory_order_relaxed);
    if (ok) {
        if (processor->ops->set_resource != NULL)
            processor->ops->set_resource(processor, &provider->resource_info);
        if (signal == WAGGLE_SIGNAL_TRACES)
            note_hooks(provider, processor);
        atomic_store_explicit(&list->p[n], processor, memory_order_relaxed);
        atomic_store_explicit(&list->n, n + 1, memory_order_release);
    }
    (void)pthread_mutex_unlock(&provider->lock);
    if (!ok)
        free_processor(processor);
    return ok;
}

bool waggle_provider_add(struct waggle_provider *provider, struct waggle_processor *processor)
{
    return waggle__provider_add(provider, processor, WAGGLE_SIGNAL_TRACES);
}

bool waggle_provider_add_log(struct waggle_provider *provider, struct waggle_processor *processor)
{
    return waggle__provider_add(provider, processor, WAGGLE_SIGNAL_LOGS);
}

struct waggle_logger *waggle_provider_logger(struct waggle_provider *provider, const char *name,
                                             const char *version, const char *schema_url,
                                             waggle_attrs attributes)
{
    return (struct waggle_logger *)waggle__tracer(provider, false, name, version, schema_url,
                                                  attributes);
}

struct waggle_meter *waggle_provider_meter(struct waggle_provider *provider, const char *name,
                                           const char *version, const char *schema_url,
                                           waggle_attrs attributes)
{
    return (struct waggle_meter *)waggle__tracer(provider, false, name, version, schema_url,
                                                 attributes);
}

void waggle_provider_set_exemplars(struct waggle_provider *provider,
                                   enum waggle_exemplar_filter filter)
{
    if (provider != NULL)
        provider->exemplar_filter = filter;
}

struct waggle_tracer *waggle_provider_tracer(struct waggle_provider *provider, const char *name,
                                             const char *version, const char *schema_url,
                                             waggle_attrs attributes)
{
    return waggle__tracer(provider, false, name, version, schema_url, attributes);
}

void waggle_provider_set_global(struct waggle_provider *provider)
{
    waggle__providers_lock();
    global = provider;
    waggle__providers_unlock();
    waggle__tracers_set_global(provider);
    waggle__metrics_bind_all();
}

struct waggle_provider *waggle_provider_global(void)
{
    waggle__providers_lock();
    struct waggle_provider *p = global;
    waggle__providers_unlock();
    return p;
}

/* --- flush and end ------------------------------------------------------------------------- */

typedef bool finish_fn(struct waggle_processor *processor, const waggle_deadline *deadline);

static bool flush_one(struct waggle_processor *p, const waggle_deadline *deadline)
{
    return p->ops->flush == NULL || p->ops->flush(p, deadline);
}

static bool shut_one(struct waggle_processor *p, const waggle_deadline *deadline)
{
    return p->ops->shutdown == NULL || p->ops->shutdown(p, deadline);
}

/* Each processor of each signal, with what is left of the time; false if one did not succeed. */
static bool finish_all(struct waggle_provider *provider, uint32_t timeout_ms, finish_fn *fn)
{
    waggle_deadline deadline = waggle__deadline_in(timeout_ms);
    bool ok = true;
    for (size_t s = 0; s < WAGGLE__SIGNALS; s++)
        for (uint32_t i = 0, n = waggle__processors_n(&provider->processors[s]); i < n; i++)
            ok = fn(waggle__processor_at(&provider->processors[s], i), &deadline) && ok;
    return ok;
}

bool waggle_provider_flush(struct waggle_provider *provider, uint32_t timeout_ms)
{
    return provider != NULL && finish_all(provider, timeout_ms, flush_one);
}

bool waggle_provider_shutdown(struct waggle_provider *provider, uint32_t timeout_ms)
{
    if (provider == NULL ||
        atomic_exchange_explicit(&provider->is_shut, true, memory_order_acq_rel))
        return false;
    bool ok = finish_all(provider, timeout_ms, shut_one);
    provider->is_late = !ok;
    return ok;
}

static void delist(struct waggle_provider *provider)
{
    waggle__providers_lock();
    for (struct waggle_provider **at = &providers; *at != NULL; at = &(*at)->next) {
        if (*at == provider) {
            *at = provider->next;
            break;
        }
    }
    if (global == provider)
        global = NULL;
    waggle__providers_unlock();
}

void waggle_provider_free(struct waggle_provider *provider)
{
    enum { LAST_MS = 5000 };
    if (provider == NULL)
        return;
    (void)waggle_provider_shutdown(provider, LAST_MS); // false if the caller did it already
    waggle__tracers_forget(provider);
    delist(provider);
    if (provider->is_late) {
        waggle__providers_lock();
        provider->next = late;
        late = provider;
        waggle__providers_unlock();
        return;
    }
    waggle__metrics_free(provider);
    for (size_t s = 0; s < WAGGLE__SIGNALS; s++)
        for (uint32_t i = 0, n = waggle__processors_n(&provider->processors[s]); i < n; i++)
            free_processor(waggle__processor_at(&provider->processors[s], i));
    free_owned(provider->resource, provider->sampler);
    (void)pthread_mutex_destroy(&provider->lock); // nobody holds it
    free(provider);
}
