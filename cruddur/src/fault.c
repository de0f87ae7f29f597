// SPDX-License-Identifier: Apache-2.0
/* fault.c - what becomes of failures; see fault.h
 *
 * On the way out a failed request is answered with 500; its exception stands on the server span
 * and in the X-Ray segment; the log has a line; Rollbar an item, if it is set up.
 *
 * Threads: the request's. Memory: none. */
#include "fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "middleware.h"
#include "reply.h"

enum { STACK_BYTES = 300 };

void fault_raise_at(struct request *request, struct fault_place place, const char *type,
                    const char *format, ...)
{
    struct fault *fault = &request->fault;
    va_list args;
    if (fault->type != NULL)
        return;
    fault->type = type;
    fault->place = place;
    va_start(args, format);
    vsnprintf(fault->message, sizeof fault->message, format, args);
    va_end(args);
}

static waggle_kv text_kv(const char *key, const char *value)
{
    return waggle_kv_str(value != NULL ? key : "", value); // a key of no bytes is ignored
}

/* Where it was raised, as the sanitizers write a stack of one frame. */
static void write_stack(const struct fault *fault, char *ret, size_t cap)
{
    const char *file = strstr(fault->place.file, "src/"); // whatever folder it was compiled in
    snprintf(ret, cap, "    #0 0x0 in %s %s:%d", fault->place.function,
             file != NULL ? file : fault->place.file, fault->place.line);
}

/* The line for people, and in it what Rollbar makes an item of. */
static void tell(const struct request *request, const char *stack)
{
    char url[1024];
    char body[600];
    const struct fault *fault = &request->fault;
    const char *host = request_header(request, "Host");
    int path_n = (int)strcspn(request->target, "?"); // as it was sent
    snprintf(url, sizeof url, "http://%s%.*s", host != NULL ? host : "", path_n, request->target);
    snprintf(body, sizeof body, "Exception on %.*s [%s]\n%s: %s", path_n, request->target,
             request->method, fault->type, fault->message);
    log_record(
        WAGGLE_ERROR, body, NULL,
        WAGGLE_ATTRS(
            waggle_kv_str("exception.type", fault->type),
            waggle_kv_str("exception.message", fault->message),
            waggle_kv_str("exception.stacktrace", stack),
            waggle_kv_str("http.request.method", request->method), waggle_kv_str("url.full", url),
            waggle_kv_str("client.address", request->peer),
            text_kv("http.request.header.user-agent", request_header(request, "User-Agent")),
            text_kv("user.id", request->user != NULL ? request->user->handle : NULL),
            text_kv("user.name", request->user != NULL ? request->user->display_name : NULL)));
}

static void after(struct request *request)
{
    const struct fault *fault = &request->fault;
    if (fault->type == NULL)
        return;
    char stack[STACK_BYTES];
    write_stack(fault, stack, sizeof stack);
    reply_error(request, 500);
    waggle_span_exception(request->span, fault->type, fault->message, stack, WAGGLE_NO_ATTRS);
    waggle_span_set_status(request->span, WAGGLE_STATUS_ERROR, fault->message);
    xray_exception(request->segment, fault->type, fault->message, stack);
    tell(request, stack);
}

const struct middleware middleware_fault = {.name = "fault", .after = after};
