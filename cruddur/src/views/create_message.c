// SPDX-License-Identifier: Apache-2.0
/* create_message.c - POST /api/messages {message, user_receiver_handle} */
#include "backend.h"
#include "input.h"
#include "reply.h"
#include "views/views.h"
#include "when.h"

enum { MESSAGE_MAX = 1024 };

void view_create_message(struct request *request)
{
    struct input input;
    if (!input_open(request, &input))
        return;
    struct draft draft = {.now_us = when_now(),
                          .message = input_text(request, &input, "message"),
                          .receiver = input_text(request, &input, "user_receiver_handle")};
    const char *wrong = input_check_message(draft.message, MESSAGE_MAX);
    if (wrong == NULL && draft.receiver[0] == '\0')
        wrong = "user_reciever_handle_blank"; // spelt so wherever the API is known
    if (wrong != NULL) {
        reply_invalid(request, wrong);
    } else {
        yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
        yyjson_mut_val *answer = request->service->backend->create_message(request, doc, &draft);
        if (answer != NULL)
            reply_json(request, 200, answer);
        yyjson_mut_doc_free(doc);
    }
    input_done(&input);
}
