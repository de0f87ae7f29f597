// SPDX-License-Identifier: Apache-2.0
/*
 * self_metrics.c - waggle's own counters, as metrics beside the program's
 *
 * The names are those of OpenTelemetry's conventions for SDKs where there is one: what became of
 * spans and log records is otel.sdk.processor.*.processed with error.type, of data points
 * otel.sdk.exporter.metric_data_point.exported. They are made with a provider's first instrument;
 * a program that measures nothing sends none (what it drops is told by report.c).
 *
 * Threads: the callback runs on readers' threads; counters are read by anyone.
 */
#include "metrics_priv.h"

#include <stdlib.h>

/* A row for each number: the instrument's name, what sets it apart. Causes count spans and log
 * records together, as the counters do. */
static const struct {
    const char *name, *unit, *description;
    const char *error_type; /* NULL: none */
    enum waggle__counter counter;
} rows[] = {
    {"otel.sdk.span.started", "{span}", "Spans that were started", NULL, WAGGLE__STARTED},
    {"otel.sdk.log.created", "{log_record}", "Log records that were emitted", NULL, WAGGLE__LOGGED},
    {"waggle.records.processed", "{record}", "Spans and log records whose fate is known", NULL,
     WAGGLE__EXPORTED},
    {"waggle.records.processed", NULL, NULL, "queue_full", WAGGLE__QUEUE_FULL},
    {"waggle.records.processed", NULL, NULL, "no_slot", WAGGLE__NO_SLOT},
    {"waggle.records.processed", NULL, NULL, "too_large", WAGGLE__TOO_LARGE},
    {"waggle.records.processed", NULL, NULL, "failed", WAGGLE__FAILED},
    {"waggle.records.processed", NULL, NULL, "timeout", WAGGLE__TIMEOUT},
    {"waggle.records.processed", NULL, NULL, "rejected", WAGGLE__REJECTED},
    {"waggle.records.processed", NULL, NULL, "shutdown", WAGGLE__SHUTDOWN},
    {"waggle.values.dropped", "{value}", "Attributes, events and links that were left out", NULL,
     WAGGLE__VALUES},
    {"waggle.calls.dropped", "{call}", "Calls given up because another thread held the span",
     "busy", WAGGLE__BUSY},
    {"waggle.calls.dropped", NULL, NULL, "stale", WAGGLE__STALE},
    {"otel.sdk.exporter.metric_data_point.exported", "{data_point}",
     "Data points that were handed to an exporter", NULL, WAGGLE__POINTS_EXPORTED},
    {"otel.sdk.exporter.metric_data_point.exported", NULL, NULL, "failed", WAGGLE__POINTS_FAILED},
    {"waggle.measurements.dropped", "{measurement}", "Measurements that were not kept", NULL,
     WAGGLE__UNMEASURED},
};

enum { ROWS = WAGGLE__COUNT(rows) };

/* The instruments of one provider, by row; rows of one name share theirs. Lives as long as the
 * callback, which is as long as the process. */
struct self_metrics {
    struct waggle_instrument *of[ROWS];
};

static void observe_self(void *self, struct waggle_observer *observer)
{
    const struct self_metrics *m = self;
    for (size_t i = 0; i < ROWS; i++) {
        const waggle_kv kv = waggle_kv_str("error.type", rows[i].error_type);
        uint64_t n = waggle__counted(rows[i].counter);
        if (n > 0 || rows[i].error_type == NULL)
            waggle_observe(observer, m->of[i], (int64_t)n,
                           waggle_attrs_of(&kv, rows[i].error_type != NULL));
    }
}

void waggle__self_metrics(struct waggle_provider *provider)
{
    if (atomic_load_explicit(&provider->has_self_metrics, memory_order_relaxed) ||
        atomic_exchange_explicit(&provider->has_self_metrics, true, memory_order_relaxed))
        return;
    struct self_metrics *m = calloc(1, sizeof *m);
    struct waggle_meter *meter =
        waggle_provider_meter(provider, "waggle", WAGGLE_VERSION, NULL, WAGGLE_NO_ATTRS);
    if (m == NULL || meter == NULL) {
        free(m);
        return;
    }
    for (size_t i = 0; i < ROWS; i++) {
        const waggle_instrument_options o = {.unit = rows[i].unit,
                                             .description = rows[i].description};
        bool again = i > 0 && rows[i].description == NULL;
        m->of[i] = again
                       ? m->of[i - 1]
                       : waggle_instrument_new(meter, WAGGLE_OBSERVABLE_COUNTER, rows[i].name, &o);
    }
    if (waggle_callback_new(m->of, ROWS, observe_self, m) == NULL)
        free(m);
}
