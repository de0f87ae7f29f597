// SPDX-License-Identifier: Apache-2.0
/* trace_otel.c - OpenTelemetry's server span around each request
 *
 * Takes the caller's trace from the headers, is named by the route, says how it ended. While the
 * view runs the span is current: spans the view begins are its children.
 *
 * Threads: the request's. Memory: the span is waggle's. */
#include <stdio.h>
#include <string.h>

#include "middleware.h"
#include "routes.h"

/* A carrier for waggle_extract: the request's headers. libmicrohttpd finds the first of a name. */
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

static waggle_kv header_kv(const struct request *request, const char *key, const char *name)
{
    const char *value = request_header(request, name);
    return waggle_kv_str(value != NULL ? key : "", value); // a key of no bytes is ignored
}

static void before(struct request *request)
{
    char name[300];
    waggle_context context;
    const char *query = strchr(request->target, '?');
    const struct route *route = request->route;
    snprintf(name, sizeof name, "%s %s", request->method,
             route != NULL ? route->pattern : request->path);
    waggle_extract(&context, get_header, request);
    request->span = waggle_span_start(
        waggle_tracer_get("cruddur.http", CRUDDUR_VERSION), name,
        &(waggle_span_opts){
            .kind = WAGGLE_KIND_SERVER,
            .context = &context,
            .attributes = WAGGLE_ATTRS(
                waggle_kv_str("http.request.method", request->method),
                waggle_kv_str("url.path", request->path), waggle_kv_str("url.scheme", "http"),
                waggle_kv_str(query != NULL ? "url.query" : "", query != NULL ? query + 1 : ""),
                waggle_kv_str(route != NULL ? "http.route" : "",
                              route != NULL ? route->pattern : ""),
                waggle_kv_str("client.address", request->peer),
                header_kv(request, "user_agent.original", "User-Agent"),
                header_kv(request, "server.address", "Host"))});
    waggle_context_set_span(&context, request->span);
    request->scope = waggle_attach(&context);
    waggle_context_done(&context);
}

static void after(struct request *request)
{
    unsigned status = request->reply.status;
    waggle_span_set(request->span, WAGGLE_ATTRS(waggle_kv_i64("http.response.status_code", status),
                                                waggle_kv_i64("http.response.body.size",
                                                              (int64_t)request->reply.body_n)));
    if (status >= 500)
        waggle_span_set_status(request->span, WAGGLE_STATUS_ERROR, NULL);
}

static void gone(struct request *request)
{
    (void)waggle_detach(request->scope); // a later request of this thread begins without it
    waggle_span_end(request->span);
}

const struct middleware middleware_otel = {
    .name = "otel", .before = before, .after = after, .gone = gone};
