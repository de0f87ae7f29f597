// SPDX-License-Identifier: Apache-2.0
/* search.c - GET /api/activities/search?term=: posts with a text in them */
#include "backend.h"
#include "reply.h"
#include "views/views.h"
#include "when.h"

void view_search(struct request *request)
{
    const char *term = request_query(request, "term");
    if (term == NULL || term[0] == '\0') {
        reply_invalid(request, "search_term_blank");
        return;
    }
    waggle_span_set_kv(request->span, waggle_kv_str("app.search_term", term));
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *posts = request->service->backend->search(request, doc, when_now(), term);
    if (posts != NULL)
        reply_json(request, 200, posts);
    yyjson_mut_doc_free(doc);
}
