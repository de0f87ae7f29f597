// SPDX-License-Identifier: Apache-2.0
/*
 * telemetry.h - turns on what the environment asks for
 *
 *   OpenTelemetry    on, unless OTEL_SDK_DISABLED=true; OTEL_SERVICE_NAME (backend-flask),
 *                    OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS and the others
 *   X-Ray            with AWS_XRAY_DAEMON_ADDRESS; AWS_XRAY_URL
 */
#pragma once

#include "xray.h"

struct telemetry {
    struct xray *xray; /* NULL: off */
};

/* Once, before there are threads. What cannot be turned on stays off, and standard error is told:
 * the program goes on. */
void telemetry_start(struct telemetry *ret_telemetry);

/* Send what is left, at most some seconds. */
void telemetry_stop(struct telemetry *telemetry);
