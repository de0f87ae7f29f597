// SPDX-License-Identifier: Apache-2.0
/* cors.c - which pages may call the API (flask-cors)
 *
 * By default: pages of FRONTEND_URL and BACKEND_URL (the page and the API of this machine, if they
 * are not set), with the headers that carry a trace from the
 * browser. With --bootcamp as the course has it: preflights of GET routes allow no header, because
 * its list of headers was taken for the name of one, so a traced page cannot read; POST routes
 * allow every page every header.
 *
 * Threads: the request's. Memory: none. */
#include <stdio.h>
#include <string.h>

#include "middleware.h"
#include "reply.h"
#include "routes.h"

static const char allowed_headers[] =
    "content-type, if-modified-since, traceparent, tracestate, baggage, x-amzn-trace-id";

static bool is_api(const struct request *request)
{
    return strncmp(request->path, "/api/", strlen("/api/")) == 0;
}

/* Is it this origin, or, if none is set, the port's on this machine? */
static bool is_origin(const char *origin, const char *set, uint16_t port)
{
    char local[64];
    if (set != NULL)
        return strcmp(origin, set) == 0;
    snprintf(local, sizeof local, "http://localhost:%u", port);
    if (strcmp(origin, local) == 0)
        return true;
    snprintf(local, sizeof local, "http://127.0.0.1:%u", port);
    return strcmp(origin, local) == 0;
}

static bool is_ours(const struct service *service, const char *origin)
{
    const struct config *config = service->config;
    uint16_t page_port = service->page_port != 0 ? service->page_port : config->page_port;
    return is_origin(origin, config->frontend_url, page_port) ||
           is_origin(origin, config->backend_url, service->port);
}

static void allow_origin(struct request *request, const char *origin)
{
    reply_header(request, "Access-Control-Allow-Origin", "%s", origin);
    reply_header(request, "Vary", "Origin");
}

/* The methods of the request's path. */
static unsigned methods(const struct request *request)
{
    char param[REQUEST_PARAM_BYTES];
    unsigned allowed = 0;
    (void)route_find("OPTIONS", request->path, param, sizeof param, &allowed); // no route is that
    return allowed;
}

static void preflight(struct request *request, bool open_to_all)
{
    const char *asked = request_header(request, "Access-Control-Request-Headers");
    bool bootcamp = request->service->config->bootcamp;
    if (request_header(request, "Access-Control-Request-Method") == NULL)
        return;
    if (open_to_all) {
        if (asked != NULL)
            reply_header(request, "Access-Control-Allow-Headers", "%s", asked);
        reply_header(request, "Access-Control-Allow-Methods",
                     "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");
        return;
    }
    if (!bootcamp)
        reply_header(request, "Access-Control-Allow-Headers", "%s", allowed_headers);
    reply_header(request, "Access-Control-Allow-Methods", "OPTIONS, GET, HEAD, POST");
}

static void after(struct request *request)
{
    const char *origin = request_header(request, "Origin");
    unsigned allowed = methods(request);
    if (origin == NULL || !is_api(request))
        return;
    bool open_to_all = request->service->config->bootcamp && (allowed & ROUTE_POST) != 0;
    if (!open_to_all && !is_ours(request->service, origin))
        return;
    allow_origin(request, origin);
    if (!open_to_all)
        reply_header(request, "Access-Control-Expose-Headers", "location,link");
    if (strcmp(request->method, "OPTIONS") == 0)
        preflight(request, open_to_all);
}

const struct middleware middleware_cors = {.name = "cors", .after = after};
