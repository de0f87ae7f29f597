// SPDX-License-Identifier: Apache-2.0
/* create_reply.c - POST /api/activities/{uuid}/reply {message}
 *
 * In the course its way of saying what is wrong fails itself. */
#include "backend.h"
#include "fault.h"
#include "input.h"
#include "reply.h"
#include "views/views.h"
#include "when.h"

enum { MESSAGE_MAX = 1024 };

static void refuse(struct request *request, const char *wrong)
{
    if (request->service->config->bootcamp)
        fault_raise(request, "NameError", "name 'user_sender_handle' is not defined");
    else
        reply_invalid(request, wrong);
}

/* Is there such a post? The course never asks. */
static bool exists(struct request *request, yyjson_mut_doc *doc, const struct draft *draft)
{
    if (request->service->config->bootcamp)
        return true;
    yyjson_mut_val *posts =
        request->service->backend->show(request, doc, draft->now_us, draft->reply_to);
    return posts == NULL || yyjson_mut_arr_size(posts) > 0;
}

static void create(struct request *request, const struct draft *draft)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    if (exists(request, doc, draft)) {
        yyjson_mut_val *answer = request->service->backend->create_reply(request, doc, draft);
        if (answer != NULL)
            reply_json(request, 200, answer);
    } else {
        reply_error(request, 404);
    }
    yyjson_mut_doc_free(doc);
}

void view_create_reply(struct request *request)
{
    struct input input;
    if (!input_open(request, &input))
        return;
    struct draft draft = {.now_us = when_now(),
                          .message = input_text(request, &input, "message"),
                          .reply_to = request->param};
    const char *wrong = input_check_message(draft.message, MESSAGE_MAX);
    if (wrong != NULL)
        refuse(request, wrong);
    else
        create(request, &draft);
    input_done(&input);
}
