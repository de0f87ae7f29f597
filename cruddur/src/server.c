// SPDX-License-Identifier: Apache-2.0
/* server.c - requests over libmicrohttpd; see server.h
 *
 *   request line [opened] -> headers [access: begin] -> pieces of the body [access: collect]
 *     -> end [access: answer] -> reply is sent [completed]
 *
 * A thread for each connection: views may wait (create-activity does), and a request stays with one
 * thread, which is what waggle's current span goes by.
 *
 * Bodies of up to 64 KiB are kept; a longer one is refused with 413: at once if it says its length,
 * else at its end, or by closing the connection after 8 MiB.
 *
 * Threads: one a connection, made by libmicrohttpd. Memory: a request from its line to its end. */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "middleware.h"
#include "reply.h"
#include "routes.h"
#include "when.h"

enum { CONNECTIONS_MAX = 256, IDLE_SECONDS = 60, DISCARD_BYTES_MAX = 8 << 20 };

struct server {
    struct MHD_Daemon *daemon;
};

const char *request_header(const struct request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *request_query(const struct request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

/* --- a request comes ---------------------------------------------------------------------------
 */

static void *opened(void *service, const char *uri, struct MHD_Connection *connection)
{
    struct request *request = calloc(1, sizeof *request);
    if (request == NULL)
        return NULL;
    request->service = service;
    request->connection = connection;
    request->target = strdup(uri);
    request->began_us = when_now();
    return request;
}

static void set_peer(struct request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info != NULL && info->client_addr->sa_family == AF_INET) {
        struct sockaddr_in address;
        memcpy(&address, info->client_addr, sizeof address);
        (void)inet_ntop(AF_INET, &address.sin_addr, request->peer, sizeof request->peer);
    }
}

static enum MHD_Result send_reply(struct request *request)
{
    struct reply *reply = &request->reply;
    middleware_after(request);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(reply->body_n, reply->body, MHD_RESPMEM_MUST_FREE);
    if (response == NULL)
        return MHD_NO;
    reply->body = NULL; // the response's now
    (void)MHD_add_response_header(response, "Content-Type", reply->type);
    for (size_t i = 0; i < reply->n_headers; i++) // one that is no header's value is left out
        (void)MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value);
    enum MHD_Result result = MHD_queue_response(request->connection, reply->status, response);
    MHD_destroy_response(response);
    return result;
}

/* How long the body says it is; 0 if it does not. */
static unsigned long long body_length(const struct request *request)
{
    const char *text = request_header(request, "Content-Length");
    return text != NULL ? strtoull(text, NULL, 10) : 0;
}

static enum MHD_Result begin(struct request *request, const char *method, const char *path)
{
    unsigned allowed = 0;
    request->method = method;
    request->path = strdup(path);
    if (request->path == NULL || request->target == NULL)
        return MHD_NO;
    set_peer(request);
    request->route =
        route_find(method, request->path, request->param, sizeof request->param, &allowed);
    middleware_before(request);
    if (body_length(request) <= REQUEST_BODY_BYTES_MAX)
        return MHD_YES;
    reply_error(request, 413); // libmicrohttpd closes the connection behind it
    return send_reply(request);
}

static enum MHD_Result collect(struct request *request, const char *piece, size_t n)
{
    request->body_n += n;
    request->too_large = request->too_large || request->body_n > REQUEST_BODY_BYTES_MAX;
    if (request->too_large)
        return request->body_n > DISCARD_BYTES_MAX ? MHD_NO : MHD_YES;
    char *grown = realloc(request->body, request->body_n + 1);
    if (grown == NULL)
        return MHD_NO;
    memcpy(grown + request->body_n - n, piece, n);
    grown[request->body_n] = '\0';
    request->body = grown;
    return MHD_YES;
}

/* --- and is answered ---------------------------------------------------------------------------
 */

static void answer_unrouted(struct request *request)
{
    unsigned allowed = 0;
    char param[REQUEST_PARAM_BYTES];
    (void)route_find("", request->path, param, sizeof param, &allowed); // only what is allowed
    if (allowed == 0) {
        reply_error(request, 404);
        return;
    }
    if (strcmp(request->method, "OPTIONS") == 0)
        reply_empty(request, 200);
    else
        reply_error(request, 405);
    reply_header(request, "Allow", "%s", route_allow(allowed));
}

static void run_view(struct request *request)
{
    const struct route *route = request->route;
    struct xray_segment *captured =
        route->capture != NULL ? xray_begin(request->segment, route->capture) : NULL;
    if (request->failing)
        fault_raise(request, "TroubleError", "this request was to fail");
    else
        route->view(request);
    xray_end(captured);
}

static enum MHD_Result answer(struct request *request)
{
    if (request->too_large)
        reply_error(request, 413);
    else if (request->route == NULL)
        answer_unrouted(request);
    else
        run_view(request);
    if (request->reply.status == 0 && request->fault.type == NULL)
        fault_raise(request, "ViewError", "the view gave no answer");
    return send_reply(request);
}

static enum MHD_Result access_request(void *service, struct MHD_Connection *connection,
                                      const char *path, const char *method, const char *version,
                                      const char *piece, size_t *n, void **self)
{
    struct request *request = *self;
    (void)service;
    (void)connection;
    (void)version;
    if (request == NULL)
        return MHD_NO; // without memory
    if (request->method == NULL)
        return begin(request, method, path);
    if (*n == 0)
        return answer(request);
    enum MHD_Result result = collect(request, piece, *n);
    *n = 0;
    return result;
}

static void completed(void *service, struct MHD_Connection *connection, void **self,
                      enum MHD_RequestTerminationCode why)
{
    struct request *request = *self;
    (void)service;
    (void)connection;
    (void)why;
    if (request == NULL)
        return;
    if (request->method != NULL)
        middleware_gone(request);
    reply_done(&request->reply);
    free(request->body);
    free(request->path);
    free(request->target);
    free(request);
    *self = NULL;
}

/* --- listening ---------------------------------------------------------------------------------
 */

struct server *server_start(const struct service *service, uint16_t *ret_port)
{
    const struct config *config = service->config;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(config->port)};
    struct server *server = calloc(1, sizeof *server);
    void *self = (void *)(uintptr_t)service; // borrowed for reading, which the types cannot say
    if (server == NULL || inet_pton(AF_INET, config->host, &address.sin_addr) != 1) {
        fprintf(stderr, "cruddur: %s is no IPv4 address\n", config->host);
        free(server);
        return NULL;
    }
    server->daemon = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL,
        config->port, NULL, NULL, access_request, self, MHD_OPTION_SOCK_ADDR, &address,
        MHD_OPTION_URI_LOG_CALLBACK, opened, self, MHD_OPTION_NOTIFY_COMPLETED, completed, self,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_SECONDS, MHD_OPTION_END);
    if (server->daemon == NULL) {
        fprintf(stderr, "cruddur: cannot listen on %s:%u: %s\n", config->host, config->port,
                strerror(errno));
        free(server);
        return NULL;
    }
    *ret_port = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    return server;
}

void server_stop(struct server *server)
{
    if (server == NULL)
        return;
    MHD_stop_daemon(server->daemon);
    free(server);
}
