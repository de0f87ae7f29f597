// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/rollbar.h - errors as items of Rollbar
 *
 *     OTEL_LOGS_EXPORTER=otlp,rollbar OTEL_TRACES_EXPORTER=otlp,rollbar
 *     ROLLBAR_ACCESS_TOKEN=... ROLLBAR_ENDPOINT=http://127.0.0.1:8080/api/1/
 *
 * Or by hand: waggle_init(&(waggle_options){.log_exporter = waggle_rollbar_exporter_new(NULL)}).
 *
 * Of spans, each event "exception" becomes an item. Of log records: those with exception.type or
 * exception.stacktrace, those of min_severity and above, and the reports of waggle/error.h. Log
 * records below are kept, the last 50, and go with the next item as its telemetry.
 *
 * An item has: class, message and frames from exception.* (the text that sanitizers write, as
 * waggle_error_report does); else one frame of code.file.path, code.function.name and
 * code.line.number. Request from url.*, http.request.* and client.address; person from user.id,
 * user.name and user.email; server from host.name, process.pid, process.command_args; everything
 * else is custom. log.record.uid is the uuid, rollbar.fingerprint and rollbar.title are taken as
 * such. Values of keys that name secrets (password, token, authorization ...) are starred out.
 *
 * A rate limit (429) drops the item and all others until it is over; what is too large (413) is
 * sent once more without custom data and with two frames.
 */
#ifndef WAGGLE_ROLLBAR_H
#define WAGGLE_ROLLBAR_H

#include "waggle/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

struct waggle_transport; /* waggle/transport.h */

/* Of one exporter, for spans or for log records; make two for both. Zero members take what stands
 * behind them. Texts are copied. */
typedef struct waggle_rollbar_options {
    size_t struct_size;
    const char *access_token;  /* ROLLBAR_ACCESS_TOKEN; there must be one */
    const char *endpoint;      /* ".../api/1/" or ".../item/": ROLLBAR_ENDPOINT, api.rollbar.com */
    const char *environment;   /* ROLLBAR_ENVIRONMENT, deployment.environment.name, "production" */
    const char *code_version;  /* ROLLBAR_CODE_VERSION, service.version */
    const char *root;          /* directory of the sources; ROLLBAR_ROOT */
    const char *branch;        /* ROLLBAR_BRANCH */
    const char *framework;     /* "c" */
    int min_severity;          /* of log records; WAGGLE_ERROR */
    uint32_t items_per_minute; /* 600; UINT32_MAX: all */
    uint32_t timeout_ms;       /* of one item with its retries; 10000 */
    struct waggle_transport *transport; /* owned; plain HTTP built in */
} waggle_rollbar_options;

/* NULL without memory, without a token, or for an endpoint that the transport cannot reach (https
 * without waggle-tls); the error handler is told. */
WAGGLE_EXPORT struct waggle_exporter *
waggle_rollbar_exporter_new(const waggle_rollbar_options *options);

#ifdef __cplusplus
}
#endif

#endif
