// SPDX-License-Identifier: Apache-2.0
/* OTLP metrics: counted, not stored.
 *
 *   ScopeMetrics -> Metric -> gauge | sum | histogram | exponential | summary -> data_points = 1
 *
 * A sender is told so in partial_success, and the ledger accounts for each data point.
 * Threads: any.  Memory: none. */
#include "ingest/otlp_priv.h"

#include <stdio.h>

#include "base/assert.h"

static uint64_t count_points(struct skep_pb_ctx *ctx, skep_bytes data)
{
    skep_pb c = skep_pb_sub(ctx, data);
    skep_pb_field f;
    uint64_t n = 0;
    while (skep_pb_next(&c, &f))
        n += f.tag == SKEP_OTLP_DATA_POINTS;
    return n;
}

static uint64_t count_metric(struct skep_pb_ctx *ctx, skep_bytes metric)
{
    skep_pb c = skep_pb_sub(ctx, metric);
    skep_pb_field f;
    uint64_t n = 0;
    while (skep_pb_next(&c, &f)) {
        switch (f.tag) {
        case SKEP_OTLP_METRIC_GAUGE:
        case SKEP_OTLP_METRIC_SUM:
        case SKEP_OTLP_METRIC_HISTOGRAM:
        case SKEP_OTLP_METRIC_EXPONENTIAL:
        case SKEP_OTLP_METRIC_SUMMARY: n += count_points(ctx, f.bytes); break;
        default: break;
        }
    }
    return n;
}

skep_rc skep_otlp_metrics_pb(skep_bytes in, struct skep_otlp_report *ret, skep_err *err)
{
    struct skep_pb_ctx ctx;
    struct skep_otlp_report rep = {.logs_have_time = true};
    skep_pb request = skep_pb_make(&ctx, in);
    skep_pb_field group, scope, metric;
    skep_assert(ret != NULL);
    while (skep_pb_next(&request, &group)) {
        if (group.tag != SKEP_OTLP_REQUEST_RESOURCES)
            continue;
        skep_pb scopes = skep_pb_sub(&ctx, group.bytes);
        while (skep_pb_next(&scopes, &scope)) {
            if (scope.tag != SKEP_OTLP_GROUP_SCOPES)
                continue;
            skep_pb metrics = skep_pb_sub(&ctx, scope.bytes);
            while (skep_pb_next(&metrics, &metric)) {
                if (metric.tag == SKEP_OTLP_ITEMS)
                    rep.received += count_metric(&ctx, metric.bytes);
            }
        }
    }
    SKEP_TRY(skep_pb_check(&ctx, err));
    rep.rejected[SKEP_OTLP_REJECT_NOT_STORED] = rep.received;
    if (rep.received)
        (void)snprintf(rep.message, sizeof rep.message,
                       "metrics are accepted and counted, but not stored yet");
    *ret = rep;
    return SKEP_OK;
}

skep_rc skep_otlp_decode_pb(enum skep_otlp_signal signal, skep_bytes in, struct skep_batch *b,
                            const struct skep_otlp_opts *opts, struct skep_otlp_report *ret,
                            skep_err *err)
{
    switch (signal) {
    case SKEP_OTLP_TRACES: return skep_otlp_traces_pb(in, b, opts, ret, err);
    case SKEP_OTLP_LOGS: return skep_otlp_logs_pb(in, b, opts, ret, err);
    case SKEP_OTLP_METRICS: return skep_otlp_metrics_pb(in, ret, err);
    case SKEP_OTLP_SIGNAL_COUNT: break;
    }
    skep_unreachable("signals of OTLP");
}
