// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/cloudwatch.h - log records as events of CloudWatch Logs
 *
 *     OTEL_LOGS_EXPORTER=otlp,cloudwatch OTEL_C_CLOUDWATCH_GROUP=shop
 *     AWS_REGION=eu-west-1 AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=...
 *     AWS_ENDPOINT_URL_CLOUDWATCH_LOGS=http://127.0.0.1:8080
 *
 * Or by hand: waggle_init(&(waggle_options){.log_exporter = waggle_cloudwatch_exporter_new(NULL)}).
 *
 * An event is the record as one JSON object, in the form the OpenTelemetry collector writes:
 *
 *     {"body":"order placed","severity_number":9,"severity_text":"INFO",
 *      "attributes":{"order.id":7},"flags":1,"trace_id":"...","span_id":"...",
 *      "scope":{"name":"shop"},"resource":{"service.name":"shop"}}
 *
 * or, with `raw`, its body alone. Requests are signed (version 4) and keep the service's limits:
 * order by time, 10,000 events, 1,048,576 bytes with 26 for each event, 24 hours. What is longer
 * than 256 KiB is cut. A group or stream that is not there is made. Throttling is waited for.
 */
#ifndef WAGGLE_CLOUDWATCH_H
#define WAGGLE_CLOUDWATCH_H

#include "waggle/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

struct waggle_transport; /* waggle/transport.h */

/* Who signs. */
typedef struct waggle_aws_credentials {
    const char *access_key_id, *secret_access_key;
    const char *session_token; /* NULL: none */
} waggle_aws_credentials;

/* Gives the credentials of today; they must stay valid until the next call. Called before each
 * batch, from the thread that sends. False: there are none. */
typedef bool waggle_aws_credentials_fn(void *self, waggle_aws_credentials *ret_credentials);

/* Zero members take what stands behind them. Texts are copied. */
typedef struct waggle_cloudwatch_options {
    size_t struct_size;
    const char *group;    /* OTEL_C_CLOUDWATCH_GROUP, service.name */
    const char *stream;   /* OTEL_C_CLOUDWATCH_STREAM, HOST/PID */
    const char *region;   /* AWS_REGION, AWS_DEFAULT_REGION, us-east-1 with an endpoint */
    const char *endpoint; /* AWS_ENDPOINT_URL_CLOUDWATCH_LOGS, AWS_ENDPOINT_URL, the region's */
    waggle_aws_credentials credentials;         /* AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
                                                   AWS_SESSION_TOKEN */
    waggle_aws_credentials_fn *get_credentials; /* instead of them */
    void *get_self;
    uint32_t retention_days;            /* of a group that it makes; 0: for ever */
    bool raw;                           /* bodies alone; OTEL_C_CLOUDWATCH_RAW=true */
    uint32_t timeout_ms;                /* of one request with its retries; 10000 */
    struct waggle_transport *transport; /* owned; plain HTTP built in */
} waggle_cloudwatch_options;

/* For log records. NULL without memory, region or credentials, and for an endpoint that the
 * transport cannot reach (https without waggle-tls); the error handler is told. */
WAGGLE_EXPORT struct waggle_exporter *
waggle_cloudwatch_exporter_new(const waggle_cloudwatch_options *options);

#ifdef __cplusplus
}
#endif

#endif
