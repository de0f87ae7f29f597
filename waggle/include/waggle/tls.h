// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/tls.h - https and gRPC, through libcurl: the add-on library waggle-tls
 *
 *     waggle_tls_use();      // before waggle_init
 *     waggle_init(NULL);     // OTEL_EXPORTER_OTLP_ENDPOINT may be https:// now,
 *                            // OTEL_EXPORTER_OTLP_PROTOCOL may be grpc
 *
 * waggle itself needs libc alone; a program that sends over TLS or over
 * gRPC links this library, too.
 */
#ifndef WAGGLE_TLS_H
#define WAGGLE_TLS_H

#include "waggle/transport.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A transport for http:// and https:// URLs, with the options of waggle/transport.h. Certificates
 * are verified. NULL without memory. */
WAGGLE_EXPORT struct waggle_transport *waggle_curl_transport_new(const waggle_tls_options *options);

/* Let exporters that are made from now on use it for https:// URLs, and for OTLP over gRPC (plain
 * or TLS). Call it while the program has one thread. */
WAGGLE_EXPORT void waggle_tls_use(void);

#ifdef __cplusplus
}
#endif

#endif
