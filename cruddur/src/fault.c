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

#include "log.h"
#include "middleware.h"
#include "reply.h"

void fault_raise(struct request *request, const char *type, const char *format, ...)
{
    struct fault *fault = &request->fault;
    va_list args;
    if (fault->type != NULL)
        return;
    fault->type = type;
    va_start(args, format);
    vsnprintf(fault->message, sizeof fault->message, format, args);
    va_end(args);
}

static void after(struct request *request)
{
    const struct fault *fault = &request->fault;
    if (fault->type == NULL)
        return;
    reply_error(request, 500);
    waggle_span_exception(request->span, fault->type, fault->message, NULL, WAGGLE_NO_ATTRS);
    waggle_span_set_status(request->span, WAGGLE_STATUS_ERROR, fault->message);
    xray_exception(request->segment, fault->type, fault->message);
    log_line(WAGGLE_ERROR, "Exception on %s [%s]\n%s: %s", request->path, request->method,
             fault->type, fault->message);
}

const struct middleware middleware_fault = {.name = "fault", .after = after};
