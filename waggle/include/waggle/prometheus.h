// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/prometheus.h - metrics for who comes and asks: Prometheus's text format, over HTTP
 *
 *     struct waggle_reader *r = waggle_prometheus_reader_new(NULL);   //
 * http://localhost:9464/metrics waggle_provider_add_reader(provider, r);
 *
 * or OTEL_METRICS_EXPORTER=prometheus, or `prometheus/development` in a configuration file. The
 * text is OpenMetrics 1.0 (with exemplars) for those who ask for it, else Prometheus's 0.0.4;
 * gzipped for those who understand that. Sums are cumulative. Names follow OpenTelemetry's rules:
 * "http.server.duration" in "s" is http_server_duration_seconds, counters end in _total, scopes are
 * labels otel_scope_*, the resource is target_info. An exponential histogram has powers of two as
 * its bounds here.
 *
 * A thread serves, at most 16 connections at once, and runs the callbacks of observable
 * instruments. It listens on the loopback alone unless a host is named. The child of a fork does
 * not serve: the port is the parent's.
 */
#ifndef WAGGLE_PROMETHEUS_H
#define WAGGLE_PROMETHEUS_H

#include "waggle/reader.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What becomes of names. Those with UTF-8 are for scrapers that say they understand it; others get
 * underscores. */
enum waggle_prometheus_names {
    WAGGLE_PROMETHEUS_UNDERSCORES = 0,           /* [a-zA-Z0-9_:], with unit and _total */
    WAGGLE_PROMETHEUS_UNDERSCORES_NO_SUFFIX = 1, /* the same without unit and _total */
    WAGGLE_PROMETHEUS_UTF8 = 2,                  /* as they are, with unit and _total */
    WAGGLE_PROMETHEUS_UTF8_NO_SUFFIX = 3         /* as they are */
};

/* Zero members take what stands behind them. Copied. */
typedef struct waggle_prometheus_options {
    size_t struct_size;
    const char *host; /* OTEL_EXPORTER_PROMETHEUS_HOST, localhost */
    int port;         /* OTEL_EXPORTER_PROMETHEUS_PORT, 9464; -1: any that is free */
    enum waggle_prometheus_names names;
    bool no_scope_labels; /* leave otel_scope_* out */
    bool no_target_info;
    /* Attributes of the resource that are labels of every metric, '*' and '?' as in views. */
    const char *const *resource_labels;
    size_t n_resource_labels;
    const char *const *no_resource_labels; /* but not these */
    size_t n_no_resource_labels;
    bool no_environment;                 /* the variables are not asked */
    const waggle_reader_options *reader; /* its temporality is not asked */
} waggle_prometheus_options;

/* A reader that listens. NULL without memory, or if it cannot listen there (the error handler is
 * told). */
WAGGLE_EXPORT struct waggle_reader *
waggle_prometheus_reader_new(const waggle_prometheus_options *options);

/* The port it listens on. */
WAGGLE_EXPORT int waggle_prometheus_port(const struct waggle_reader *reader);

#ifdef __cplusplus
}
#endif

#endif
