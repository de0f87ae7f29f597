// SPDX-License-Identifier: Apache-2.0
/* notifications.c - GET /api/activities/notifications: the user's posts others replied to
 *
 * Homework: the span notification-activities-mock-data with notificationcount. */
#include "backend.h"
#include "reply.h"
#include "views/views.h"
#include "when.h"

void view_notifications(struct request *request)
{
    char text[WHEN_TEXT_BYTES];
    int64_t now = when_now();
    waggle_span span = WAGGLE_SPAN_NONE;
    if (!request->service->config->bootcamp)
        span = waggle_span_start(waggle_tracer_get("notification.activities", NULL),
                                 "notification-activities-mock-data", NULL);
    WAGGLE_SPAN_SCOPE(waggle_span_is_recording(span) ? span : request->span);
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *posts = request->service->backend->notifications(request, doc, now);
    if (posts != NULL) {
        int64_t n = (int64_t)yyjson_mut_arr_size(posts);
        waggle_span_set(span, WAGGLE_ATTRS(waggle_kv_str("app.now", when_text(now, false, text)),
                                           waggle_kv_i64("app.result_length", n),
                                           waggle_kv_i64("notificationcount", n)));
        reply_json(request, 200, posts);
    }
    yyjson_mut_doc_free(doc);
    waggle_span_end(span);
}
