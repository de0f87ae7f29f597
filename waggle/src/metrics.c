// SPDX-License-Identifier: Apache-2.0
/*
 * metrics.c - the API's side of meters and instruments
 *
 * A meter is a tracer under another name: a scope and a provider, kept in the same registry.
 * Instruments stand in a list that only grows; the SDK hangs what it makes of one on it when it is
 * first measured, so that instruments may be made before there is an SDK.
 *
 * Threads: the list is appended to under a lock and read without it. Callbacks run under a lock of
 * their own, so that one that was removed does not run any more; it may be taken twice, because a
 * callback may register and remove.
 */
#include "priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static pthread_mutex_t instruments_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(struct waggle_instrument *) all_instruments;

static pthread_mutex_t callbacks_mutex;
static pthread_once_t callbacks_once = PTHREAD_ONCE_INIT;
static struct waggle_callback *callbacks;
static unsigned callbacks_depth; /* runs of callbacks under way, of one thread */

static const struct waggle__sdk_ops *metrics_sdk(void)
{
    return atomic_load_explicit(&waggle__sdk, memory_order_acquire);
}

/* --- meters -------------------------------------------------------------------------------- */

struct waggle_meter *waggle_meter_get(const char *name, const char *version)
{
    return (struct waggle_meter *)waggle_tracer_get(name, version);
}

struct waggle_meter *waggle_meter_get_with(const char *name, const char *version,
                                           const char *schema_url, waggle_attrs attributes)
{
    return (struct waggle_meter *)waggle_tracer_get_with(name, version, schema_url, attributes);
}

/* --- instruments --------------------------------------------------------------------------- */

struct waggle_instrument *waggle__instruments(void)
{
    return atomic_load_explicit(&all_instruments, memory_order_acquire);
}

void waggle__instruments_lock(void)
{
    (void)pthread_mutex_lock(&instruments_lock); // fails only for a mutex that is none
}

void waggle__instruments_unlock(void)
{
    (void)pthread_mutex_unlock(&instruments_lock); // as above
}

static void instrument_free(struct waggle_instrument *i)
{
    for (size_t k = 0; i->keys != NULL && k < i->n_keys; k++)
        free(i->keys[k]);
    free(i->keys);
    free(i->boundaries);
    free(i->name);
    free(i->unit);
    free(i->description);
    free(i);
}

/* As it will be sent: UTF-8, cut at `chars`. NULL without memory. */
static char *clean_copy(const char *s, uint32_t chars)
{
    struct waggle__text text = waggle__text_of(s ? s : "", s ? strlen(s) : 0, chars);
    char *copy = malloc(text.out_n + 1);
    if (copy != NULL)
        *waggle__text_write((uint8_t *)copy, &text) = '\0';
    return copy;
}

static bool copy_keys(struct waggle_instrument *i, const char *const *keys, size_t n)
{
    if (keys == NULL)
        return true;
    i->keys = calloc(n + 1, sizeof *i->keys);
    for (; i->keys != NULL && i->n_keys < n; i->n_keys++) {
        i->keys[i->n_keys] = clean_copy(keys[i->n_keys], WAGGLE_NO_LIMIT);
        if (i->keys[i->n_keys] == NULL)
            return false;
    }
    return i->keys != NULL;
}

static bool copy_boundaries(struct waggle_instrument *i, const double *boundaries, size_t n)
{
    enum { BOUNDARIES_MAX = 65536 };
    if (boundaries == NULL || n > BOUNDARIES_MAX)
        return true;
    for (size_t k = 1; k < n; k++)
        if (!(boundaries[k - 1] < boundaries[k]))
            return true; // advice that is none is ignored
    i->boundaries = malloc((n + 1) * sizeof *i->boundaries);
    if (i->boundaries == NULL)
        return false;
    memcpy(i->boundaries, boundaries, n * sizeof *boundaries);
    i->n_boundaries = n;
    i->has_boundaries = true;
    return true;
}

static struct waggle_instrument *make_instrument(struct waggle_tracer *meter,
                                                 enum waggle_instrument_kind kind, const char *name,
                                                 const waggle_instrument_options *o)
{
    enum { NAME_CHARS = 300, UNIT_CHARS = 64, DESCRIPTION_CHARS = 1023 };
    struct waggle_instrument *i = calloc(1, sizeof *i);
    if (i == NULL)
        return NULL;
    i->meter = meter;
    i->kind = kind;
    i->is_double = o->is_double;
    i->name = clean_copy(name, NAME_CHARS);
    i->unit = clean_copy(o->unit, UNIT_CHARS);
    i->description = clean_copy(o->description, DESCRIPTION_CHARS);
    bool ok = i->name != NULL && i->unit != NULL && i->description != NULL;
    ok = copy_keys(i, o->keys, o->n_keys) && ok;
    if (copy_boundaries(i, o->boundaries, o->n_boundaries) && ok)
        return i;
    instrument_free(i);
    return NULL;
}

static bool same_instrument(const struct waggle_instrument *a, const struct waggle_instrument *b)
{
    return a->meter == b->meter && a->kind == b->kind && a->is_double == b->is_double &&
           strcasecmp(a->name, b->name) == 0 && strcmp(a->unit, b->unit) == 0 &&
           strcmp(a->description, b->description) == 0;
}

struct waggle_instrument *waggle_instrument_new(struct waggle_meter *meter,
                                                enum waggle_instrument_kind kind, const char *name,
                                                const waggle_instrument_options *options)
{
    waggle_instrument_options o = {0};
    if (options != NULL)
        memcpy(&o, options,
               options->struct_size ? WAGGLE__MIN(options->struct_size, sizeof o) : sizeof o);
    if (meter == NULL || kind < WAGGLE_COUNTER || kind > WAGGLE_OBSERVABLE_GAUGE)
        return NULL;
    struct waggle_instrument *made = make_instrument((struct waggle_tracer *)meter, kind, name, &o);
    if (made == NULL)
        return NULL;
    waggle__instruments_lock();
    struct waggle_instrument *i = waggle__instruments();
    while (i != NULL && !same_instrument(i, made))
        i = i->next;
    if (i == NULL) {
        made->next = waggle__instruments();
        atomic_store_explicit(&all_instruments, made, memory_order_release);
    }
    waggle__instruments_unlock();
    if (i != NULL) {
        instrument_free(made);
        return i;
    }
    const struct waggle__sdk_ops *ops = metrics_sdk();
    if (ops != NULL)
        ops->made(made);
    return made;
}

static struct waggle_instrument *usual(struct waggle_meter *meter, enum waggle_instrument_kind kind,
                                       const char *name, const char *unit, const char *description)
{
    const waggle_instrument_options o = {
        .unit = unit, .description = description, .is_double = kind == WAGGLE_HISTOGRAM};
    return waggle_instrument_new(meter, kind, name, &o);
}

struct waggle_instrument *waggle_counter_new(struct waggle_meter *meter, const char *name,
                                             const char *unit, const char *description)
{
    return usual(meter, WAGGLE_COUNTER, name, unit, description);
}

struct waggle_instrument *waggle_up_down_counter_new(struct waggle_meter *meter, const char *name,
                                                     const char *unit, const char *description)
{
    return usual(meter, WAGGLE_UP_DOWN_COUNTER, name, unit, description);
}

struct waggle_instrument *waggle_histogram_new(struct waggle_meter *meter, const char *name,
                                               const char *unit, const char *description)
{
    return usual(meter, WAGGLE_HISTOGRAM, name, unit, description);
}

struct waggle_instrument *waggle_gauge_new(struct waggle_meter *meter, const char *name,
                                           const char *unit, const char *description)
{
    return usual(meter, WAGGLE_GAUGE, name, unit, description);
}

bool waggle_instrument_enabled(struct waggle_instrument *instrument)
{
    const struct waggle__sdk_ops *ops = metrics_sdk();
    return ops != NULL && instrument != NULL && ops->measures(instrument);
}

/* --- measuring ----------------------------------------------------------------------------- */

void waggle__measure_i64(struct waggle_instrument *instrument, unsigned kinds, int64_t value,
                         waggle_attrs attributes)
{
    const struct waggle__sdk_ops *ops = metrics_sdk();
    struct waggle__number number = {.as.i64 = value, .is_double = false};
    if (WAGGLE__LIKELY(ops != NULL && (kinds & 1u << instrument->kind) != 0))
        ops->measure(instrument, number, attributes);
}

void waggle__measure_f64(struct waggle_instrument *instrument, unsigned kinds, double value,
                         waggle_attrs attributes)
{
    const struct waggle__sdk_ops *ops = metrics_sdk();
    struct waggle__number number = {.as.f64 = value, .is_double = true};
    if (WAGGLE__LIKELY(ops != NULL && (kinds & 1u << instrument->kind) != 0))
        ops->measure(instrument, number, attributes);
}

/* --- callbacks ----------------------------------------------------------------------------- */

void waggle__mutex_init_recursive(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attr;
    // None of these fails with these arguments.
    (void)pthread_mutexattr_init(&attr);
    (void)pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    (void)pthread_mutex_init(mutex, &attr);
    (void)pthread_mutexattr_destroy(&attr);
}

static void make_callbacks_lock(void)
{
    waggle__mutex_init_recursive(&callbacks_mutex);
}

void waggle__callbacks_lock(void)
{
    (void)pthread_once(&callbacks_once, make_callbacks_lock); // fails only for one that is none
    (void)pthread_mutex_lock(&callbacks_mutex);               // as above
}

void waggle__callbacks_unlock(void)
{
    (void)pthread_mutex_unlock(&callbacks_mutex); // fails only for a mutex that is none
}

void waggle__callbacks_after_fork(bool child)
{
    if (child)
        make_callbacks_lock(); // a recursive lock knows its owner by a number that is another now
    else
        waggle__callbacks_unlock();
}

static void free_removed(void)
{
    for (struct waggle_callback **at = &callbacks; *at != NULL;) {
        struct waggle_callback *c = *at;
        if (c->fn != NULL) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        free(c);
    }
}

void waggle__callbacks_each(waggle__each_callback_fn *each, void *self)
{
    waggle__callbacks_lock();
    callbacks_depth++;
    for (struct waggle_callback *c = callbacks; c != NULL; c = c->next)
        if (c->fn != NULL)
            each(self, c);
    if (--callbacks_depth == 0)
        free_removed();
    waggle__callbacks_unlock();
}

struct waggle_callback *waggle_callback_new(struct waggle_instrument *const *instruments, size_t n,
                                            waggle_observe_fn *fn, void *self)
{
    enum { INSTRUMENTS_MAX = 1024 };
    if (n == 0 || n > INSTRUMENTS_MAX || fn == NULL)
        return NULL;
    struct waggle_callback *c = malloc(sizeof *c + n * sizeof(struct waggle_instrument *));
    if (c == NULL)
        return NULL;
    c->fn = fn;
    c->self = self;
    c->n = 0;
    for (size_t i = 0; i < n; i++)
        if (instruments[i] != NULL && instruments[i]->kind >= WAGGLE_OBSERVABLE_COUNTER)
            c->instruments[c->n++] = instruments[i];
    if (c->n == 0) {
        free(c);
        return NULL;
    }
    waggle__callbacks_lock();
    c->next = callbacks;
    callbacks = c;
    waggle__callbacks_unlock();
    const struct waggle__sdk_ops *ops = metrics_sdk();
    for (size_t i = 0; ops != NULL && i < n; i++)
        if (instruments[i] != NULL)
            ops->made(instruments[i]);
    return c;
}

void waggle_callback_remove(struct waggle_callback *callback)
{
    if (callback == NULL)
        return;
    waggle__callbacks_lock();
    for (struct waggle_callback *c = callbacks; c != NULL; c = c->next)
        if (c == callback)
            c->fn = NULL;
    if (callbacks_depth == 0)
        free_removed();
    waggle__callbacks_unlock();
}

void waggle_observe(struct waggle_observer *observer, struct waggle_instrument *instrument,
                    int64_t value, waggle_attrs attributes)
{
    const struct waggle__sdk_ops *ops = metrics_sdk();
    struct waggle__number number = {.as.i64 = value, .is_double = false};
    if (ops != NULL && observer != NULL && instrument != NULL)
        ops->observe(observer, instrument, number, attributes);
}

void waggle_observe_f64(struct waggle_observer *observer, struct waggle_instrument *instrument,
                        double value, waggle_attrs attributes)
{
    const struct waggle__sdk_ops *ops = metrics_sdk();
    struct waggle__number number = {.as.f64 = value, .is_double = true};
    if (ops != NULL && observer != NULL && instrument != NULL)
        ops->observe(observer, instrument, number, attributes);
}
