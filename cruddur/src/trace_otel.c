// SPDX-License-Identifier: Apache-2.0
/* trace_otel.c - OpenTelemetry's server span around each request
 *
 * Takes the caller's trace from the headers, is named by the route, says how it ended. While the
 * view runs the span is current: spans the view begins are its children.
 *
 * Threads: the request's. Memory: the span is waggle's. */
#include <string.h>

#include "middleware.h"
#include "routes.h"

/* A carrier: the request's headers. libmicrohttpd finds the first of a name. */
static bool get_header(void *carrier, const char *key, size_t index, const char **ret_value,
                       size_t *ret_n)
{
    const char *value = index == 0 ? request_header(carrier, key) : NULL;
    if (value == NULL)
        return false;
    *ret_value = value;
    *ret_n = strlen(value);
    return true;
}

static void before(struct request *request)
{
    waggle_context context;
    request->span = waggle_http_server_start_with(
        waggle_tracer_get("cruddur.http", CRUDDUR_VERSION),
        &(waggle_http_request){.method = request->method,
                               .target = request->target,
                               .scheme = "http",
                               .route = request->route != NULL ? request->route->pattern : NULL,
                               .host = request_header(request, "Host"),
                               .peer = request->peer,
                               .get = get_header,
                               .carrier = request},
        &context);
    request->scope = waggle_attach(&context);
    waggle_context_done(&context);
}

static void gone(struct request *request)
{
    (void)waggle_detach(request->scope); // a later request of this thread begins without it
    waggle_http_server_end(request->span, NULL, NULL, (int)request->reply.status,
                           request->fault.type);
}

const struct middleware middleware_otel = {.name = "otel", .before = before, .gone = gone};
