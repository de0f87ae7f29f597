// SPDX-License-Identifier: Apache-2.0
/* rollbar_test.c - GET /rollbar/test: reports a message, so that one sees Rollbar works */
#include "log.h"
#include "reply.h"
#include "views/views.h"

void view_rollbar_test(struct request *request)
{
    log_report(WAGGLE_WARN, "Hello World!", WAGGLE_NO_ATTRS);
    reply_html(request, 200, "Hello World!");
}
