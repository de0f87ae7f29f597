// SPDX-License-Identifier: Apache-2.0
/*
 * rollbar_item.h - an exception or a log record as an item of Rollbar
 */
#ifndef WAGGLE_ROLLBAR_ITEM_H
#define WAGGLE_ROLLBAR_ITEM_H

#include "sdk_priv.h"

/* What is the same for all items of an exporter; "" = from the resource, or not said. */
struct waggle__rollbar_set {
    const char *environment, *code_version, *root, *branch, *framework;
};

/* What an item is made of: an event of a span, or a log record. */
struct waggle__rollbar_source {
    const struct waggle__rollbar_set *set;
    const waggle_resource_info *resource;
    const waggle_span_data *span;   /* with event; else NULL */
    const waggle_event_data *event; /* of span */
    const waggle_log_data *log;     /* or this one */
    waggle_str telemetry;           /* elements of a JSON list, or empty */
    bool small;                     /* no custom data, two frames */
};

/* An attribute of the source: of the event before those of its span. */
bool waggle__rollbar_attr(const struct waggle__rollbar_source *s, const char *key,
                          waggle_value_data *ret);

/* Rollbar's word for OpenTelemetry's number. */
const char *waggle__rollbar_level(int severity);

/* Write {"data":{...}}; out->bad if it is too large. */
void waggle__rollbar_item(struct waggle__buf *out, const struct waggle__rollbar_source *s);

/* Write a log record as an element of telemetry; nothing if its body is no text. */
void waggle__rollbar_crumb(struct waggle__buf *out, const waggle_log_data *log);

#endif
