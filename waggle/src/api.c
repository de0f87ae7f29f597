// SPDX-License-Identifier: Apache-2.0
/*
 * api.c - the API's side of tracers and spans: does nothing until an SDK puts its table in place
 *
 * Tracers may be asked for before there is an SDK. They are kept in a list, and when a provider
 * becomes the global one each global tracer is pointed at it; so a library can keep its tracer in a
 * static from its first call on. Scopes (name, version, schema URL, attributes) are numbered; a
 * record in a queue holds the number. Both live as long as the process: there are as many as there
 * are instrumented libraries. When WAGGLE__SCOPES_MAX is met, scope 0 (without a name) serves.
 *
 * Threads: the registry has a lock, which no call on a span takes.
 */
#include "priv.h"

#include <stdlib.h>

_Atomic(const struct waggle__sdk_ops *) waggle__sdk;
int waggle__active;
_Atomic(const waggle_scope_info *) waggle__scopes[WAGGLE__SCOPES_MAX];

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct waggle_tracer *all_tracers;
static uint32_t n_scopes;
static struct waggle_provider *global_provider; /* what global tracers are given */

static const struct waggle__sdk_ops *sdk(void)
{
    return atomic_load_explicit(&waggle__sdk, memory_order_acquire);
}

void waggle__install(const struct waggle__sdk_ops *ops)
{
    atomic_store_explicit(&waggle__sdk, ops, memory_order_release);
#if defined(__GNUC__)
    __atomic_store_n(&waggle__active, 1, __ATOMIC_RELEASE);
#else
    *(volatile int *)&waggle__active = 1;
#endif
}

/* --- scopes -------------------------------------------------------------------------------- */

/* A copy of everything in one block: the struct, then the bytes its slices point to. */
static waggle_scope_info *scope_new(waggle_str name, waggle_str version, waggle_str schema_url,
                                    const struct waggle__buf *attributes)
{
    struct waggle__buf encoded;
    waggle__buf_init(&encoded, 1 << 20);
    if (name.n > 0)
        waggle__buf_field(&encoded, 1, name.p, name.n);
    if (version.n > 0)
        waggle__buf_field(&encoded, 2, version.p, version.n);
    size_t attributes_at = encoded.n;
    waggle__buf_put(&encoded, attributes->p, attributes->n);
    waggle_scope_info *scope = NULL;
    size_t n = sizeof *scope + encoded.n + name.n + version.n + schema_url.n;
    scope = encoded.bad ? NULL : malloc(n);
    if (scope != NULL) {
        char *at = (char *)(scope + 1);
        waggle_str *slices[] = {&name, &version, &schema_url};
        for (size_t i = 0; i < WAGGLE__COUNT(slices); i++) {
            if (slices[i]->n > 0)
                memcpy(at, slices[i]->p, slices[i]->n);
            slices[i]->p = at;
            at += slices[i]->n;
        }
        if (encoded.n > 0)
            memcpy(at, encoded.p, encoded.n);
        *scope = (waggle_scope_info){.name = name,
                                     .version = version,
                                     .schema_url = schema_url,
                                     .attributes = {at + attributes_at, attributes->n},
                                     .encoded = {at, encoded.n}};
    }
    waggle__buf_done(&encoded);
    return scope;
}

static bool same(waggle_str a, const void *p, size_t n)
{
    return a.n == n && (n == 0 || memcmp(a.p, p, n) == 0);
}

static waggle_str str_of(const char *s)
{
    return (waggle_str){s ? s : "", s ? strlen(s) : 0};
}

/* Clean text in memory of its own; false without memory. */
static bool clean(struct waggle__buf *b, const char *s)
{
    waggle__buf_init(b, 1 << 16);
    waggle_str in = str_of(s);
    struct waggle__text text = waggle__text_of(in.p, in.n, WAGGLE_NO_LIMIT);
    if (!waggle__buf_room(b, text.out_n + 1))
        return false;
    b->n = (size_t)(waggle__text_write(b->p, &text) - b->p);
    return true;
}

/* The number of a scope, made if it is new; called with the lock held. */
static uint32_t scope_number(const struct waggle__buf text[3], const struct waggle__buf *attributes)
{
    waggle_str name = {(const char *)text[0].p, text[0].n};
    waggle_str version = {(const char *)text[1].p, text[1].n};
    waggle_str schema_url = {(const char *)text[2].p, text[2].n};
    for (uint32_t i = 0; i < n_scopes; i++) {
        const waggle_scope_info *s = atomic_load_explicit(&waggle__scopes[i], memory_order_relaxed);
        if (same(s->name, name.p, name.n) && same(s->version, version.p, version.n) &&
            same(s->schema_url, schema_url.p, schema_url.n) &&
            same(s->attributes, attributes->p, attributes->n))
            return i;
    }
    if (n_scopes == WAGGLE__SCOPES_MAX)
        return 0;
    waggle_scope_info *scope = scope_new(name, version, schema_url, attributes);
    if (scope == NULL)
        return WAGGLE__SCOPES_MAX;
    atomic_store_explicit(&waggle__scopes[n_scopes], scope, memory_order_release);
    return n_scopes++;
}

/* --- tracers ------------------------------------------------------------------------------- */

void waggle__registry_lock(void)
{
    (void)pthread_mutex_lock(&registry_lock); // fails only for a mutex that is none
}

void waggle__registry_unlock(void)
{
    (void)pthread_mutex_unlock(&registry_lock); // as above
}

static struct waggle_tracer *tracer_locked(struct waggle_provider *provider, bool is_global,
                                           uint32_t scope)
{
    struct waggle_provider *wanted = is_global ? global_provider : provider;
    for (struct waggle_tracer *t = all_tracers; t != NULL; t = t->next)
        if (t->scope == scope && t->is_global == is_global &&
            atomic_load_explicit(&t->provider, memory_order_relaxed) == wanted)
            return t;
    struct waggle_tracer *t = calloc(1, sizeof *t);
    if (t == NULL)
        return NULL;
    atomic_init(&t->provider, wanted);
    t->scope = scope;
    t->is_global = is_global;
    t->next = all_tracers;
    all_tracers = t;
    return t;
}

struct waggle_tracer *waggle__tracer(struct waggle_provider *provider, bool is_global,
                                     const char *name, const char *version, const char *schema_url,
                                     waggle_attrs attributes)
{
    struct waggle__buf text[3];
    struct waggle__buf attrs;
    waggle__buf_init(&attrs, 1 << 16);
    bool ok = clean(&text[0], name);
    ok = clean(&text[1], version) && ok;
    ok = clean(&text[2], schema_url) && ok;
    for (size_t i = 0; i < attributes.n; i++)
        waggle__buf_attr(&attrs, 3, &attributes.p[i]);
    struct waggle_tracer *tracer = NULL;
    if (ok && !attrs.bad) {
        waggle__registry_lock();
        uint32_t scope = scope_number(text, &attrs);
        if (scope < WAGGLE__SCOPES_MAX)
            tracer = tracer_locked(provider, is_global, scope);
        waggle__registry_unlock();
    }
    for (size_t i = 0; i < WAGGLE__COUNT(text); i++)
        waggle__buf_done(&text[i]);
    waggle__buf_done(&attrs);
    return tracer;
}

void waggle__tracers_set_global(struct waggle_provider *provider)
{
    waggle__registry_lock();
    global_provider = provider;
    for (struct waggle_tracer *t = all_tracers; t != NULL; t = t->next)
        if (t->is_global)
            atomic_store_explicit(&t->provider, provider, memory_order_release);
    waggle__registry_unlock();
}

void waggle__tracers_forget(struct waggle_provider *old)
{
    waggle__registry_lock();
    if (global_provider == old)
        global_provider = NULL;
    for (struct waggle_tracer *t = all_tracers; t != NULL; t = t->next)
        if (atomic_load_explicit(&t->provider, memory_order_relaxed) == old)
            atomic_store_explicit(&t->provider, NULL, memory_order_release);
    waggle__registry_unlock();
}

struct waggle_tracer *waggle_tracer_get(const char *name, const char *version)
{
    return waggle__tracer(NULL, true, name, version, NULL, WAGGLE_NO_ATTRS);
}

struct waggle_tracer *waggle_tracer_get_with(const char *name, const char *version,
                                             const char *schema_url, waggle_attrs attributes)
{
    return waggle__tracer(NULL, true, name, version, schema_url, attributes);
}

bool waggle_tracer_enabled(const struct waggle_tracer *tracer)
{
    const struct waggle__sdk_ops *ops = sdk();
    return ops != NULL && tracer != NULL && ops->enabled(tracer);
}

/* --- spans --------------------------------------------------------------------------------- */

waggle_span waggle__span_start(struct waggle_tracer *tracer, const char *name,
                               const waggle_span_opts *opts)
{
    const struct waggle__sdk_ops *ops = sdk();
    if (ops == NULL || tracer == NULL)
        return WAGGLE_SPAN_NONE;
    return ops->start(tracer, name, opts);
}

bool waggle_span_is_recording(waggle_span span)
{
    const struct waggle__sdk_ops *ops = sdk();
    return ops != NULL && (span.generation & 1) != 0 && ops->is_recording(span);
}

bool waggle__span_context(waggle_span span, waggle_span_context *ret_context)
{
    const struct waggle__sdk_ops *ops = sdk();
    return ops != NULL && span.generation != 0 && ops->get_context(span, ret_context);
}

bool waggle_span_get_context(waggle_span span, waggle_span_context *ret_context)
{
    memset(ret_context, 0, sizeof *ret_context);
    if (waggle__span_context(span, ret_context))
        return true;
    memset(ret_context, 0, sizeof *ret_context);
    return false;
}

void waggle__span_set(waggle_span span, waggle_attrs attributes)
{
    const struct waggle__sdk_ops *ops = sdk();
    if (ops != NULL)
        ops->set(span, attributes);
}

void waggle__span_set_name(waggle_span span, const char *name)
{
    const struct waggle__sdk_ops *ops = sdk();
    if (ops != NULL)
        ops->set_name(span, name ? name : "");
}

void waggle__span_set_status(waggle_span span, enum waggle_status status, const char *description)
{
    const struct waggle__sdk_ops *ops = sdk();
    if (ops != NULL)
        ops->set_status(span, status, description ? description : "");
}

void waggle__span_event(waggle_span span, const char *name, uint64_t time_ns,
                        waggle_attrs attributes)
{
    const struct waggle__sdk_ops *ops = sdk();
    if (ops != NULL)
        ops->event(span, name ? name : "", time_ns, attributes);
}

void waggle__span_link(waggle_span span, const waggle_link *link)
{
    const struct waggle__sdk_ops *ops = sdk();
    if (ops != NULL && link != NULL && link->context != NULL)
        ops->link(span, link);
}

static bool has_key(waggle_attrs attributes, const char *key)
{
    size_t n = strlen(key);
    for (size_t i = 0; i < attributes.n; i++)
        if (attributes.p[i].key_n == n && memcmp(attributes.p[i].key, key, n) == 0)
            return true;
    return false;
}

void waggle__span_exception(waggle_span span, const char *type, const char *message,
                            const char *stacktrace, waggle_attrs attributes)
{
    enum { MORE_MAX = 61 }; // attributes of the caller that fit beside the three
    static const char *const keys[] = {"exception.type", "exception.message",
                                       "exception.stacktrace"};
    const char *values[] = {type, message, stacktrace};
    waggle_kv all[WAGGLE__COUNT(keys) + MORE_MAX];
    size_t n = 0;
    for (size_t i = 0; i < WAGGLE__COUNT(keys); i++)
        if (values[i] != NULL && !has_key(attributes, keys[i]))
            all[n++] = waggle_kv_str(keys[i], values[i]);
    for (size_t i = 0; i < attributes.n && i < MORE_MAX; i++)
        all[n++] = attributes.p[i];
    waggle__span_event(span, "exception", 0, waggle_attrs_of(all, n));
}

void waggle__span_end(waggle_span span, uint64_t end_ns)
{
    const struct waggle__sdk_ops *ops = sdk();
    if (ops != NULL)
        ops->end(span, end_ns);
}

/* --- ids as text --------------------------------------------------------------------------- */

static void hex(const uint8_t *p, size_t n, char *ret_hex)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        ret_hex[2 * i] = digits[p[i] >> 4];
        ret_hex[2 * i + 1] = digits[p[i] & 15];
    }
    ret_hex[2 * n] = '\0';
}

void waggle_trace_id_hex(const uint8_t trace_id[16], char ret_hex[33])
{
    hex(trace_id, 16, ret_hex);
}

void waggle_span_id_hex(const uint8_t span_id[8], char ret_hex[17])
{
    hex(span_id, 8, ret_hex);
}
