// SPDX-License-Identifier: Apache-2.0
/* message_groups.c - GET /api/message_groups: whom the user has written with */
#include "backend.h"
#include "reply.h"
#include "views/views.h"
#include "when.h"

void view_message_groups(struct request *request)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *groups = request->service->backend->message_groups(request, doc, when_now());
    if (groups != NULL)
        reply_json(request, 200, groups);
    yyjson_mut_doc_free(doc);
}
