// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/reader.h - which metrics are kept, how they are aggregated, and when they are sent
 *
 *     struct waggle_reader *r = waggle_periodic_reader_new(exporter, NULL);
 *     waggle_provider_add_view(provider, &(waggle_view){.instrument_name = "db.*",
 *                              .aggregation = {.kind = WAGGLE_AGGREGATION_DROP}});
 *     waggle_provider_add_reader(provider, r);
 *
 * A reader has its own series, so that one may send sums and another differences. Views and readers
 * are added before there are instruments; instruments that are already measuring go on as before
 * with the readers they know, and are seen whole by a new one.
 *
 * Threads: any.
 */
#ifndef WAGGLE_READER_H
#define WAGGLE_READER_H

#include "waggle/metrics.h"
#include "waggle/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

struct waggle_provider;

/* --- aggregations -------------------------------------------------------------------------- */

enum waggle_aggregation_kind {
    WAGGLE_AGGREGATION_DEFAULT = 0, /* counters: sum; gauges: last value; histograms: explicit */
    WAGGLE_AGGREGATION_DROP = 1,
    WAGGLE_AGGREGATION_SUM = 2,
    WAGGLE_AGGREGATION_LAST_VALUE = 3,
    WAGGLE_AGGREGATION_EXPLICIT = 4,   /* a histogram of given buckets */
    WAGGLE_AGGREGATION_EXPONENTIAL = 5 /* one whose buckets fit themselves to the values */
};

typedef struct waggle_aggregation {
    enum waggle_aggregation_kind kind;
    const double *boundaries; /* EXPLICIT: upper bounds, ascending; NULL: 0 5 10 25 50 75 100 250
                                 500 750 1000 2500 5000 7500 10000, or the instrument's advice */
    size_t n_boundaries;
    uint32_t max_size; /* EXPONENTIAL: buckets on each side of zero; 160, at most that */
    int max_scale;     /* EXPONENTIAL: 20 if 0, else from -10 to 20 */
    bool no_min_max;   /* histograms: leave smallest and largest out */
} waggle_aggregation;

enum waggle_temporality { WAGGLE_DELTA = 1, WAGGLE_CUMULATIVE = 2 };

/* --- views --------------------------------------------------------------------------------- */

/* Which instruments, and what becomes of them. Instruments that match several views make a series
 * for each; those that match none are aggregated as their kind says. Copied. */
typedef struct waggle_view {
    size_t struct_size;
    /* Those that are set must match. */
    const char *instrument_name; /* '*' stands for any characters, '?' for one */
    enum waggle_instrument_kind instrument_kind;
    const char *instrument_unit;
    const char *meter_name, *meter_version, *meter_schema_url;
    /* What is set here is changed. */
    const char *name; /* only for an instrument_name without wildcards */
    const char *description;
    const char *const *keys; /* the attributes that are kept, '*' and '?' as above; NULL: all */
    size_t n_keys;
    const char *const *excluded_keys; /* those that are not */
    size_t n_excluded_keys;
    waggle_aggregation aggregation;
    uint32_t cardinality_limit; /* series of an instrument, the one of what is beyond counted */
    bool no_exemplars;
} waggle_view;

/* Add a view. False without memory, or if it is of no use (the error handler is told). */
WAGGLE_EXPORT bool waggle_provider_add_view(struct waggle_provider *provider,
                                            const waggle_view *view);

/* --- readers ------------------------------------------------------------------------------- */

enum waggle_temporality_preference {
    WAGGLE_PREFER_CUMULATIVE = 0,
    WAGGLE_PREFER_DELTA = 1,     /* but for up-down counters */
    WAGGLE_PREFER_LOW_MEMORY = 2 /* differences where no old value needs to be kept */
};

/* Zero everywhere (or NULL for the whole) takes the specification's defaults. */
typedef struct waggle_reader_options {
    size_t struct_size;
    enum waggle_temporality_preference preference;
    enum waggle_temporality temporality[8]; /* by enum waggle_instrument_kind; 0: the preference */
    waggle_aggregation aggregation[8];      /* the same; copied but for its boundaries */
    uint32_t cardinality_limit;             /* 2000 */
    uint32_t interval_ms;                   /* periodic: 60000 */
    uint32_t timeout_ms;                    /* periodic: of an export; 30000 */
    uint32_t cardinality_limits[8];         /* by enum waggle_instrument_kind; 0: the one for all */
} waggle_reader_options;

struct waggle_reader;

/* Sends once an interval, at a flush and at the shutdown, from a thread of its own that begins with
 * the first instrument. Owns the exporter. NULL without memory; the exporter is then freed. */
WAGGLE_EXPORT struct waggle_reader *
waggle_periodic_reader_new(struct waggle_exporter *exporter, const waggle_reader_options *options);

/* Collects when waggle_reader_collect is called. NULL without memory. */
WAGGLE_EXPORT struct waggle_reader *waggle_manual_reader_new(const waggle_reader_options *options);

/* Hand what there is to fn, if there is anything; the batch is valid until it returns. False before
 * the reader has a provider and after its shutdown. */
typedef void waggle_collected_fn(void *self, const waggle_batch *batch);
WAGGLE_EXPORT bool waggle_reader_collect(struct waggle_reader *reader, waggle_collected_fn *fn,
                                         void *self);

/* Add a reader, which is owned from now on. At most 8; false (and the reader freed) beyond. */
WAGGLE_EXPORT bool waggle_provider_add_reader(struct waggle_provider *provider,
                                              struct waggle_reader *reader);

/* A meter of this provider, as waggle_meter_get_with (waggle/metrics.h). */
WAGGLE_EXPORT struct waggle_meter *waggle_provider_meter(struct waggle_provider *provider,
                                                         const char *name, const char *version,
                                                         const char *schema_url,
                                                         waggle_attrs attributes);

/* --- exemplars ----------------------------------------------------------------------------- */

/* Which measurements may be kept as examples, with the ids of the span they were made in. */
enum waggle_exemplar_filter {
    WAGGLE_EXEMPLARS_TRACE_BASED = 0, /* those made in a sampled span */
    WAGGLE_EXEMPLARS_ALWAYS_ON = 1,
    WAGGLE_EXEMPLARS_ALWAYS_OFF = 2
};

/* For instruments that are not measuring yet. */
WAGGLE_EXPORT void waggle_provider_set_exemplars(struct waggle_provider *provider,
                                                 enum waggle_exemplar_filter filter);

#ifdef __cplusplus
}
#endif

#endif
