// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/metrics.h - count and measure
 *
 *     static struct waggle_instrument *orders, *seconds;
 *     struct waggle_meter *meter = waggle_meter_get("shop", "1.0");
 *     orders = waggle_counter_new(meter, "shop.orders", "{order}", "Orders placed");
 *     seconds = waggle_histogram_new(meter, "shop.order.duration", "s", "Time an order takes");
 *     ...
 *     waggle_add(orders, 1, WAGGLE_ATTRS(waggle_kv_str("payment", "card")));
 *     waggle_record_f64(seconds, 0.25, WAGGLE_NO_ATTRS);
 *
 * Each set of attributes of an instrument is a series of its own. What is measured is aggregated in
 * the process and sent by a reader (waggle/reader.h) once a minute. Without an SDK a call costs a
 * few nanoseconds. With one, the first measurement of a set of attributes takes memory and a lock,
 * later ones neither.
 *
 * Threads: any. Nothing aborts or blocks.
 */
#ifndef WAGGLE_METRICS_H
#define WAGGLE_METRICS_H

#include "waggle/api.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- meters -------------------------------------------------------------------------------- */

/* Makes instruments in the name of one instrumentation scope. Never freed. */
struct waggle_meter;

/* The meter of the global provider for this scope; see waggle_tracer_get. */
WAGGLE_EXPORT struct waggle_meter *waggle_meter_get(const char *name, const char *version);
WAGGLE_EXPORT struct waggle_meter *waggle_meter_get_with(const char *name, const char *version,
                                                         const char *schema_url,
                                                         waggle_attrs attributes);

/* --- instruments --------------------------------------------------------------------------- */

/* Never freed while the process lives. */
struct waggle_instrument;

enum waggle_instrument_kind {
    WAGGLE_COUNTER = 1,            /* a sum that only grows */
    WAGGLE_UP_DOWN_COUNTER = 2,    /* a sum */
    WAGGLE_HISTOGRAM = 3,          /* how measurements are distributed */
    WAGGLE_GAUGE = 4,              /* the last value counts */
    WAGGLE_OBSERVABLE_COUNTER = 5, /* the same, asked for when they are sent */
    WAGGLE_OBSERVABLE_UP_DOWN_COUNTER = 6,
    WAGGLE_OBSERVABLE_GAUGE = 7
};

/* Zero everywhere (or NULL for the whole) is legal. Copied. */
typedef struct waggle_instrument_options {
    size_t struct_size;
    const char *unit;         /* UCUM, at most 63 ASCII characters; may be NULL */
    const char *description;  /* may be NULL */
    bool is_double;           /* values are doubles; else 64-bit integers */
    const double *boundaries; /* advice for a histogram's buckets: their upper bounds, ascending;
                                 with n_boundaries 0: one bucket */
    size_t n_boundaries;
    const char *const *keys; /* advice: the attributes worth keeping; NULL: all */
    size_t n_keys;
} waggle_instrument_options;

/* An instrument; the same arguments give the same instrument.
 *
 * meter    NULL gives NULL
 * name     a letter, then letters, digits and _ . - /, at most 255; with any other the instrument
 *          measures nothing, and the error handler is told. Upper and lower case are the same name.
 * Returns  NULL only without memory; calls on NULL do nothing */
WAGGLE_EXPORT struct waggle_instrument *
waggle_instrument_new(struct waggle_meter *meter, enum waggle_instrument_kind kind,
                      const char *name, const waggle_instrument_options *options);

/* The usual ones: a counter, up-down counter and gauge of integers, a histogram of doubles. unit
 * and description may be NULL. */
WAGGLE_EXPORT struct waggle_instrument *waggle_counter_new(struct waggle_meter *meter,
                                                           const char *name, const char *unit,
                                                           const char *description);
WAGGLE_EXPORT struct waggle_instrument *waggle_up_down_counter_new(struct waggle_meter *meter,
                                                                   const char *name,
                                                                   const char *unit,
                                                                   const char *description);
WAGGLE_EXPORT struct waggle_instrument *waggle_histogram_new(struct waggle_meter *meter,
                                                             const char *name, const char *unit,
                                                             const char *description);
WAGGLE_EXPORT struct waggle_instrument *waggle_gauge_new(struct waggle_meter *meter,
                                                         const char *name, const char *unit,
                                                         const char *description);

/* True if a measurement could be kept: ask before work that serves nothing but it. */
WAGGLE_EXPORT bool waggle_instrument_enabled(struct waggle_instrument *instrument);

/* --- measuring ----------------------------------------------------------------------------- */

/* The functions behind the inline ones; kinds: a bit, 1 << kind, for each that is meant. */
WAGGLE_EXPORT void waggle__measure_i64(struct waggle_instrument *instrument, unsigned kinds,
                                       int64_t value, waggle_attrs attributes);
WAGGLE_EXPORT void waggle__measure_f64(struct waggle_instrument *instrument, unsigned kinds,
                                       double value, waggle_attrs attributes);

static inline int waggle__measures(const struct waggle_instrument *instrument)
{
#if defined(__GNUC__)
    return instrument != NULL && __atomic_load_n(&waggle__active, __ATOMIC_RELAXED);
#else
    return instrument != NULL && *(volatile int *)&waggle__active;
#endif
}

/* Add to a counter (what is below zero is ignored) or an up-down counter. A value of the other type
 * than the instrument's is converted; doubles are cut. A double that is not finite is ignored. */
static inline void waggle_add(struct waggle_instrument *instrument, int64_t value,
                              waggle_attrs attributes)
{
    if (waggle__measures(instrument))
        waggle__measure_i64(instrument, 1u << WAGGLE_COUNTER | 1u << WAGGLE_UP_DOWN_COUNTER, value,
                            attributes);
}

static inline void waggle_add_f64(struct waggle_instrument *instrument, double value,
                                  waggle_attrs attributes)
{
    if (waggle__measures(instrument))
        waggle__measure_f64(instrument, 1u << WAGGLE_COUNTER | 1u << WAGGLE_UP_DOWN_COUNTER, value,
                            attributes);
}

/* Record a measurement in a histogram. */
static inline void waggle_record_i64(struct waggle_instrument *instrument, int64_t value,
                                     waggle_attrs attributes)
{
    if (waggle__measures(instrument))
        waggle__measure_i64(instrument, 1u << WAGGLE_HISTOGRAM, value, attributes);
}

static inline void waggle_record_f64(struct waggle_instrument *instrument, double value,
                                     waggle_attrs attributes)
{
    if (waggle__measures(instrument))
        waggle__measure_f64(instrument, 1u << WAGGLE_HISTOGRAM, value, attributes);
}

/* Set a gauge. */
static inline void waggle_set(struct waggle_instrument *instrument, int64_t value,
                              waggle_attrs attributes)
{
    if (waggle__measures(instrument))
        waggle__measure_i64(instrument, 1u << WAGGLE_GAUGE, value, attributes);
}

static inline void waggle_set_f64(struct waggle_instrument *instrument, double value,
                                  waggle_attrs attributes)
{
    if (waggle__measures(instrument))
        waggle__measure_f64(instrument, 1u << WAGGLE_GAUGE, value, attributes);
}

/* --- observing ----------------------------------------------------------------------------- */

struct waggle_observer;
struct waggle_callback;

/* Called when a reader collects, on its thread: says what is now, with waggle_observe. It should
 * not wait. Sums are told as they stand, not what was added. */
typedef void waggle_observe_fn(void *self, struct waggle_observer *observer);

/* Call fn for these observable instruments of one provider, of which it may observe any. A second
 * registration is a second call. NULL without memory or instruments.
 * self must stay valid until waggle_callback_remove has returned. */
WAGGLE_EXPORT struct waggle_callback *
waggle_callback_new(struct waggle_instrument *const *instruments, size_t n, waggle_observe_fn *fn,
                    void *self);

/* Never call it again; waits for a call that is running on another thread. NULL does nothing. */
WAGGLE_EXPORT void waggle_callback_remove(struct waggle_callback *callback);

/* Inside a callback: what is. Instruments that the callback was not registered for are ignored. */
WAGGLE_EXPORT void waggle_observe(struct waggle_observer *observer,
                                  struct waggle_instrument *instrument, int64_t value,
                                  waggle_attrs attributes);
WAGGLE_EXPORT void waggle_observe_f64(struct waggle_observer *observer,
                                      struct waggle_instrument *instrument, double value,
                                      waggle_attrs attributes);

#ifdef __cplusplus
}
#endif

#endif
