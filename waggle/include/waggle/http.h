// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/http.h - spans of HTTP requests by OpenTelemetry's conventions, for any server or client
 *
 * A server with callbacks of its own:
 *
 *     waggle_http_request r = {.method = "GET", .target = "/users/7?full=1", .scheme = "http",
 *                              .get = get_header, .carrier = request};
 *     waggle_span span = waggle_http_server_start(tracer, &r);   // in the caller's trace
 *     WAGGLE_SPAN_SCOPE(span);
 *     ...
 *     waggle_http_server_end(span, "GET", "/users/{id}", 200, NULL);
 *
 * A client:
 *
 *     waggle_span span = waggle_http_client_start(tracer, &r, set_header, request);
 *     ...
 *     waggle_http_client_end(span, 200, NULL);
 *
 * Libraries that do it for you: waggle/instrument/microhttpd.h, waggle/instrument/curl.h.
 *
 * Attributes have today's names; OTEL_SEMCONV_STABILITY_OPT_IN=http/dup gives those of before 1.21
 * beside them, http/old those alone. User names, passwords and signatures in URLs are not recorded.
 */
#ifndef WAGGLE_HTTP_H
#define WAGGLE_HTTP_H

#include "waggle/propagation.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is known of a request when it begins; NULL and 0 are not known. Borrowed for the call. */
typedef struct waggle_http_request {
    size_t struct_size;
    const char *method;
    const char *target;  /* server: path and query as requested */
    const char *url;     /* client: the whole URL */
    const char *scheme;  /* server: "http", "https" */
    const char *version; /* of the protocol: "1.1", "2" */
    const char *route;   /* server: the pattern, if it is known that early: "/users/{id}" */
    const char *host;    /* server: of the Host header, with or without a port */
    const char *peer;    /* server: address of the connection */
    int peer_port;
    waggle_get_fn *get; /* server: reads headers, for the caller's context, User-Agent and
                           X-Forwarded-For; may be NULL */
    void *carrier;
    const waggle_context *context; /* client: NULL: the thread's current one */
} waggle_http_request;

/* Begin the span of a request that arrived: kind server, in the trace its headers name, named
 * "METHOD route" or "METHOD". */
WAGGLE_EXPORT waggle_span waggle_http_server_start(struct waggle_tracer *tracer,
                                                   const waggle_http_request *request);

/* The same; what the headers brought (baggage, too) and the span are also put into *ret_context,
 * which the caller attaches where it works on the request and gives back with
 * waggle_context_done. */
WAGGLE_EXPORT waggle_span waggle_http_server_start_with(struct waggle_tracer *tracer,
                                                        const waggle_http_request *request,
                                                        waggle_context *ret_context);

/* End it. method and route: name the span anew, if the route has become known; may be NULL.
 * status: 0 if nothing was answered. error: why it failed (a class of errors, not a sentence); NULL
 * if it did not, or if the status says it. A status of 500 and above is an error. */
WAGGLE_EXPORT void waggle_http_server_end(waggle_span span, const char *method, const char *route,
                                          int status, const char *error);

/* Begin the span of a request that is about to be sent: kind client. `set` gets the headers that
 * carry the context; may be NULL. */
WAGGLE_EXPORT waggle_span waggle_http_client_start(struct waggle_tracer *tracer,
                                                   const waggle_http_request *request,
                                                   waggle_set_fn *set, void *carrier);

/* End it. A status of 400 and above is an error. */
WAGGLE_EXPORT void waggle_http_client_end(waggle_span span, int status, const char *error);

#ifdef __cplusplus
}
#endif

#endif
