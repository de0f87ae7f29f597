// SPDX-License-Identifier: Apache-2.0
/* health_check.c - GET /api/health-check: {"success":true,"ver":1}
 *
 * In the course it comes with week 6: with --bootcamp there is none. */
#include "reply.h"
#include "views/views.h"

void view_health_check(struct request *request)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *answer = yyjson_mut_obj(doc);
    yyjson_mut_obj_add_bool(doc, answer, "success", true);
    yyjson_mut_obj_add_int(doc, answer, "ver", 1);
    if (request->service->config->bootcamp)
        reply_error(request, 404);
    else
        reply_json(request, 200, answer);
    yyjson_mut_doc_free(doc);
}
