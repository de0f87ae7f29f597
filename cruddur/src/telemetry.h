// SPDX-License-Identifier: Apache-2.0
/*
 * telemetry.h - turns on what the environment asks for
 *
 *   OpenTelemetry    on, unless OTEL_SDK_DISABLED=true; OTEL_SERVICE_NAME (backend-flask),
 *                    OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS and the others
 *   X-Ray            with AWS_XRAY_DAEMON_ADDRESS; AWS_XRAY_URL
 *   Rollbar          with ROLLBAR_ACCESS_TOKEN; ROLLBAR_ENDPOINT for another place than Rollbar's:
 *                    failures, and reports
 *   CloudWatch Logs  with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and a region; group `cruddur`
 *                    (OTEL_C_CLOUDWATCH_GROUP), AWS_ENDPOINT_URL_CLOUDWATCH_LOGS: every line
 *
 * The latter two go with OpenTelemetry's SDK: OTEL_SDK_DISABLED=true is without them,
 * OTEL_TRACES_EXPORTER=none has them alone.
 */
#pragma once

#include "config.h"
#include "xray.h"

struct telemetry {
    struct xray *xray; /* NULL: off */
};

/* Once, before there are threads. What cannot be turned on stays off, and standard error is told:
 * the program goes on. */
void telemetry_start(const struct config *config, struct telemetry *ret_telemetry);

/* Send what is left, at most some seconds. */
void telemetry_stop(struct telemetry *telemetry);
