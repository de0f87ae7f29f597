// SPDX-License-Identifier: Apache-2.0
/* rollbar_test.c - GET /rollbar/test: reports a message, so that one sees Rollbar works */
#include "reply.h"
#include "views/views.h"

void view_rollbar_test(struct request *request)
{
    reply_html(request, 200, "Hello World!");
}
