// SPDX-License-Identifier: Apache-2.0
/* show_activity.c - GET /api/activities/{uuid}: one post with its replies
 *
 * In the course this view always fails (backend_bootcamp.c). */
#include "backend.h"
#include "reply.h"
#include "views/views.h"
#include "when.h"

void view_show_activity(struct request *request)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *posts =
        request->service->backend->show(request, doc, when_now(), request->param);
    if (posts != NULL && yyjson_mut_arr_size(posts) == 0)
        reply_error(request, 404);
    else if (posts != NULL)
        reply_json(request, 200, posts);
    yyjson_mut_doc_free(doc);
}
