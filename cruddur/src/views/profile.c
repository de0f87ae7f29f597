// SPDX-License-Identifier: Apache-2.0
/* profile.c - GET /api/activities/@{handle}: one user's posts
 *
 * The view the course traces with X-Ray: a subsegment with metadata and, of the homework, one
 * inside it with an annotation. */
#include "backend.h"
#include "reply.h"
#include "views/views.h"
#include "when.h"

static void add_metadata(struct xray_segment *segment, int64_t now_us, size_t n)
{
    char now[WHEN_TEXT_BYTES];
    xray_metadata(segment, "namespace", "key",
                  WAGGLE_ATTRS(waggle_kv_str("now", when_text(now_us, true, now)),
                               waggle_kv_i64("results-size", (int64_t)n)));
}

void view_profile(struct request *request)
{
    const char *handle = request->param;
    if (handle[0] == '\0') {
        reply_invalid(request, "blank_user_handle");
        return;
    }
    int64_t now = when_now();
    bool bootcamp = request->service->config->bootcamp;
    struct xray_segment *segment = xray_begin(request->segment, "mock-data");
    struct xray_segment *nested =
        bootcamp ? NULL : xray_begin(segment, "user_activities_nested_subsegment");
    xray_annotate(nested, "url", request->path);
    xray_annotate(nested, "user_handle", handle);
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *posts = request->service->backend->profile(request, doc, now, handle);
    if (posts != NULL) {
        add_metadata(segment, now, yyjson_mut_arr_size(posts));
        reply_json(request, 200, posts);
    }
    yyjson_mut_doc_free(doc);
    xray_end(nested);
    xray_end(segment);
}
