// SPDX-License-Identifier: Apache-2.0
/* messages.c - GET /api/messages/@{handle}: what the user and another have written each other */
#include "backend.h"
#include "reply.h"
#include "views/views.h"
#include "when.h"

void view_messages(struct request *request)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *list =
        request->service->backend->messages(request, doc, when_now(), request->param);
    if (list != NULL)
        reply_json(request, 200, list);
    yyjson_mut_doc_free(doc);
}
