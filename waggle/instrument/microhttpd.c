// SPDX-License-Identifier: Apache-2.0
/*
 * microhttpd.c - a span for each request of a libmicrohttpd server
 *
 * A request's state stands in libmicrohttpd's req_cls; the handler's own req_cls stands in it.
 * Within the handler a thread-local points to the state, so that the route and the response find
 * it without an argument. Without memory for a state the handler is called as if nothing were
 * wrapped, with a req_cls that is not seen again: so that request is refused instead.
 *
 * Threads: a request is one thread's at a time.
 */
#include "waggle/instrument/microhttpd.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUTE_MAX = 128 };

struct request {
    waggle_span span;
    waggle_context context;
    void *req_cls; /* the handler's own */
    unsigned status;
    char method[16];
    char route[ROUTE_MAX];
};

static _Thread_local struct request *current;

static bool get_header(void *carrier, const char *key, size_t index, const char **ret_value,
                       size_t *ret_n)
{
    const char *value =
        index == 0 ? MHD_lookup_connection_value(carrier, MHD_HEADER_KIND, key) : NULL;
    if (value == NULL)
        return false;
    *ret_value = value;
    *ret_n = strlen(value);
    return true;
}

/* The connection's other end as text, and its port. */
static const char *peer_of(struct MHD_Connection *connection, char ret[INET6_ADDRSTRLEN],
                           int *ret_port)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *a = info != NULL ? info->client_addr : NULL;
    if (a == NULL)
        return NULL;
    if (a->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, a, sizeof in);
        *ret_port = ntohs(in.sin_port);
        return inet_ntop(AF_INET, &in.sin_addr, ret, INET6_ADDRSTRLEN);
    }
    if (a->sa_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, a, sizeof in);
        *ret_port = ntohs(in.sin6_port);
        return inet_ntop(AF_INET6, &in.sin6_addr, ret, INET6_ADDRSTRLEN);
    }
    return NULL;
}

static struct request *request_begin(const struct waggle_mhd *w, struct MHD_Connection *connection,
                                     const char *url, const char *method, const char *version)
{
    char peer[INET6_ADDRSTRLEN];
    struct request *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    waggle_http_request h = {
        .struct_size = sizeof h,
        .method = method,
        .target = url,
        .scheme = w->scheme != NULL ? w->scheme : "http",
        .version = strncmp(version, "HTTP/", 5) == 0 ? version + 5 : version,
        .host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host"),
        .get = get_header,
        .carrier = connection,
    };
    h.peer = peer_of(connection, peer, &h.peer_port);
    (void)snprintf(r->method, sizeof r->method, "%s", method); // cut: one that nobody knows
    r->span = waggle_http_server_start_with(w->tracer, &h, &r->context);
    return r;
}

enum MHD_Result waggle_mhd_handle(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload_data,
                                  size_t *upload_data_size, void **req_cls)
{
    const struct waggle_mhd *w = cls;
    struct request *r = *req_cls;
    if (r == NULL)
        *req_cls = r = request_begin(w, connection, url, method, version);
    if (r == NULL)
        return MHD_NO;
    struct request *outer = current;
    current = r;
    waggle_scope scope = waggle_attach(&r->context);
    enum MHD_Result result = w->handler(w->handler_cls, connection, url, method, version,
                                        upload_data, upload_data_size, &r->req_cls);
    (void)waggle_detach(scope); // false if the handler left something attached: gone with it
    current = outer;
    return result;
}

void waggle_mhd_completed(void *cls, struct MHD_Connection *connection, void **req_cls,
                          enum MHD_RequestTerminationCode toe)
{
    static const char *const errors[] = {
        [MHD_REQUEST_TERMINATED_COMPLETED_OK] = NULL,
        [MHD_REQUEST_TERMINATED_WITH_ERROR] = "connection_error",
        [MHD_REQUEST_TERMINATED_TIMEOUT_REACHED] = "timeout",
        [MHD_REQUEST_TERMINATED_DAEMON_SHUTDOWN] = "shutdown",
        [MHD_REQUEST_TERMINATED_READ_ERROR] = "connection_error",
        [MHD_REQUEST_TERMINATED_CLIENT_ABORT] = "client_abort",
    };
    const struct waggle_mhd *w = cls;
    struct request *r = *req_cls;
    if (r == NULL)
        return; // refused before it began
    if (w->completed != NULL)
        w->completed(w->completed_cls, connection, &r->req_cls, toe);
    const char *error =
        (size_t)toe < sizeof errors / sizeof errors[0] ? errors[toe] : "connection_error";
    waggle_http_server_end(r->span, r->method, r->route[0] != '\0' ? r->route : NULL,
                           (int)r->status, error);
    waggle_context_done(&r->context);
    free(r);
    *req_cls = NULL;
}

enum MHD_Result waggle_mhd_queue_response(struct MHD_Connection *connection, unsigned status,
                                          struct MHD_Response *response)
{
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    if (current != NULL && result == MHD_YES)
        current->status = status;
    return result;
}

void waggle_mhd_route(const char *route)
{
    if (current != NULL)
        (void)snprintf(current->route, sizeof current->route, "%s", route); // cut is fine
}

waggle_span waggle_mhd_span(void)
{
    return current != NULL ? current->span : WAGGLE_SPAN_NONE;
}
