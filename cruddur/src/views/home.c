// SPDX-License-Identifier: Apache-2.0
/* home.c - GET /api/activities/home: the latest posts with their replies
 *
 * Its span is the one the course begins with. Attributes: app.now, app.result_length, and of the
 * homework UserId: who asks, or somebody at random if the caller does not say. */
#include "backend.h"
#include "log.h"
#include "random.h"
#include "reply.h"
#include "views/views.h"
#include "when.h"

static const char *user_id(const struct request *request)
{
    return request->says_user ? request->user->display_name
                              : people[random_below((uint32_t)people_n)].display_name;
}

static void describe(waggle_span span, const struct request *request, int64_t now_us, size_t n)
{
    char now[WHEN_TEXT_BYTES];
    waggle_span_set(span, WAGGLE_ATTRS(waggle_kv_str("app.now", when_text(now_us, false, now)),
                                       waggle_kv_i64("app.result_length", (int64_t)n)));
    if (!request->service->config->bootcamp)
        waggle_span_set_kv(span, waggle_kv_str("UserId", user_id(request)));
}

void view_home(struct request *request)
{
    bool bootcamp = request->service->config->bootcamp;
    int64_t now = when_now();
    log_line(WAGGLE_INFO, "Hello Cloudwatch! from  /api/activities/home");
    waggle_span span = waggle_span_start(
        waggle_tracer_get("home.activities", NULL),
        bootcamp ? "home-activites-mock-data" : "home-activities-mock-data", NULL);
    WAGGLE_SPAN_SCOPE(span);
    struct xray_segment *segment = bootcamp ? NULL : xray_begin(request->segment, "mock_data");
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *posts = request->service->backend->home(request, doc, now);
    if (posts != NULL) {
        describe(span, request, now, yyjson_mut_arr_size(posts));
        reply_json(request, 200, posts);
    }
    yyjson_mut_doc_free(doc);
    xray_end(segment);
    waggle_span_end(span);
}
