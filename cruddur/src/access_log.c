// SPDX-License-Identifier: Apache-2.0
/* access_log.c - one line for each request, when its answer is made
 *
 *   [2026-Nov-20 17:20] 127.0.0.1 GET http /api/activities/home? 200 OK
 *
 * At the level of errors, as the course has it.
 *
 * Threads: the request's. Memory: none. */
#include <string.h>
#include <time.h>

#include "log.h"
#include "middleware.h"
#include "reply.h"

static void after(struct request *request)
{
    char when[32];
    time_t now = time(NULL);
    struct tm tm;
    size_t n =
        localtime_r(&now, &tm) != NULL ? strftime(when, sizeof when, "[%Y-%b-%d %H:%M]", &tm) : 0;
    when[n] = '\0';
    // As it was sent: what is decoded could hold the end of a line.
    const char *query = strchr(request->target, '?');
    log_line(WAGGLE_ERROR, "%s %s %s http %s%s %u %s", when, request->peer, request->method,
             request->target, query != NULL ? "" : "?", request->reply.status,
             reply_phrase(request->reply.status));
}

const struct middleware middleware_log = {.name = "log", .after = after};
