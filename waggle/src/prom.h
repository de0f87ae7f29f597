// SPDX-License-Identifier: Apache-2.0
/*
 * prom.h - metrics as Prometheus reads them
 */
#ifndef WAGGLE_PROM_H
#define WAGGLE_PROM_H

#include "sdk_priv.h"

#include "waggle/prometheus.h"

/* What a scraper asked for. */
struct waggle__prom_request {
    int status; /* 200: the metrics; else the error to answer with */
    bool is_head, openmetrics, utf8, gzip;
};

/* Read the head of a request, with the empty line at its end. */
struct waggle__prom_request waggle__prom_request_parse(waggle_str head);

/* Append the batch (NULL: there is none) and what the resource says. False if something had to be
 * left out: two metrics of one name and different types. */
bool waggle__prom_text(const waggle_batch *batch, const waggle_resource_info *resource,
                       const waggle_prometheus_options *options,
                       const struct waggle__prom_request *request, struct waggle__buf *out);

/* Is it a name of letters, digits, '_' and (in those of metrics) ':'? */
bool waggle__prom_is_legacy(waggle_str name, bool is_metric);
/* Append it with '_' for other characters; in names of metrics no two of them behind each other. */
void waggle__prom_sanitize(struct waggle__buf *out, waggle_str name, bool is_metric);
/* A unit in words, as names end with it: "By/s" is "bytes_per_second"; empty for none. */
void waggle__prom_unit(waggle_str unit, struct waggle__buf *out);

#endif
